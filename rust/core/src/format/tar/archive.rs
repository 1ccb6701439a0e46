//! The bytes of an archive, with what a header says of what follows them.

use std::ops::Range;

use bytes::Bytes;

use super::BLOCK;
use crate::error::{Error, Kind, Result};
use crate::format::input::{Input, Part};

/// The bytes of an archive in order; what was not used is kept.
pub(super) struct Archive {
    input: Input,
    /// What is there and not yet used, and where it begins in the archive.
    pub(super) block: Bytes,
    pub(super) at: u64,
    /// Nothing follows `block`.
    pub(super) last: bool,
    pub(super) unit: usize,
}

impl Archive {
    pub(super) fn new(range: Range<u64>, packed: bool, unit: usize) -> Self {
        let at = range.start;
        Self { input: Input::new(range, packed), block: Bytes::new(), at, last: false, unit: unit.max(BLOCK) }
    }

    /// Has at least `n` bytes of the archive in one block, if there are as many; else says what to read. A part of a
    /// sample at the end of a block is read again with what follows: so a block is never copied.
    pub(super) fn fill(&mut self, n: usize) -> Result<Option<Range<u64>>> {
        while self.block.len() < n && !self.last {
            let more = self.unit.max(n);
            if !self.compressed() && !self.block.is_empty() {
                // What is there is read again.
                if self.input.done() {
                    break;
                }
                self.input.jump(self.at);
                self.block = Bytes::new();
            }
            match self.input.next(&self.block)? {
                Part::Bytes(block) => self.block = block,
                Part::Need => return Ok(self.input.need(more.saturating_sub(self.block.len()))),
                Part::End => self.last = true,
            }
        }
        self.last |= !self.compressed() && self.input.done();
        Ok(None)
    }

    pub(super) fn push(&mut self, range: &Range<u64>, bytes: Bytes) -> Result<()> {
        let zip = range.start == 0 && matches!(&bytes[..], [b'P', b'K', 3 | 5, 4 | 6, ..]);
        if zip {
            return Err(Error::new(
                Kind::Unsupported,
                "the file is a zip archive; samples of WebDataset are read of tar archives",
            ));
        }
        self.input.push(range, bytes)
    }

    /// Reads on from `at` of the archive, if that is possible.
    pub(super) fn jump(&mut self, at: u64) {
        let there = self.at + self.block.len() as u64;
        if at <= there {
            self.take((at - self.at) as usize);
        } else if !self.compressed() {
            self.block = Bytes::new();
            self.at = at;
            self.input.jump(at);
        }
    }

    pub(super) fn take(&mut self, n: usize) {
        self.block = self.block.slice(n..);
        self.at += n as u64;
    }

    /// Whether what is read is not what the file's bytes are.
    pub(super) fn compressed(&self) -> bool {
        self.input.derived()
    }

    /// Where the file's bytes end.
    pub(super) fn end(&self) -> u64 {
        self.input.end()
    }
}
