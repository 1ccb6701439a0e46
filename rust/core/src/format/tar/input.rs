//! The bytes of an archive, decompressed where they are not plain.

use std::ops::Range;

use bytes::Bytes;

use super::header::BLOCK;
use crate::error::{Error, Kind, Result};
use crate::format::compress::{Codec, Decompressor};

/// The bytes of an archive in order, decompressed; what was not used is kept.
pub(super) struct Input {
    /// The bytes of the file that are still to be read.
    pub(super) rest: Range<u64>,
    pub(super) codec: Option<Decompressor>,
    packed: Bytes,
    /// What is there and not yet used, and where it begins in the archive.
    pub(super) block: Bytes,
    pub(super) at: u64,
    /// Nothing follows `block`.
    pub(super) last: bool,
    pub(super) unit: usize,
}

impl Input {
    pub(super) fn new(range: Range<u64>, unit: usize) -> Self {
        Self { at: range.start, rest: range, codec: None, packed: Bytes::new(), block: Bytes::new(), last: false, unit: unit.max(BLOCK) }
    }

    /// Has at least `n` bytes of the archive in one block, if there are as many; else says what to read. A part of a
    /// sample at the end of a block is read again with what follows: so a block is never copied.
    pub(super) fn fill(&mut self, n: usize) -> Result<Option<Range<u64>>> {
        while self.block.len() < n && !self.last {
            let Some(codec) = &mut self.codec else {
                if self.at + self.block.len() as u64 >= self.rest.end {
                    break;
                }
                return Ok(Some(self.at..self.rest.end.min(self.at + self.unit.max(n) as u64)));
            };
            if self.packed.is_empty() && !self.rest.is_empty() {
                return Ok(Some(self.rest.start..self.rest.end.min(self.rest.start + self.unit as u64)));
            }
            let most = self.unit.max(n);
            let mut out = Vec::with_capacity(most);
            out.extend_from_slice(&self.block);
            let before = out.len();
            let used = codec.run(&self.packed, &mut out, most)?;
            self.packed = self.packed.slice(used..);
            if out.len() == before && self.packed.is_empty() && self.rest.is_empty() {
                codec.finish(&mut out)?;
                self.last = out.len() == before;
            }
            self.block = out.into();
        }
        if self.codec.is_none() {
            self.last = self.at + self.block.len() as u64 >= self.rest.end;
        }
        Ok(None)
    }

    pub(super) fn push(&mut self, range: &Range<u64>, bytes: Bytes) -> Result<()> {
        if range.start == 0 && self.codec.is_none() && self.block.is_empty() {
            self.codec = Codec::of(&bytes).map(Decompressor::new).transpose()?;
            if self.codec.is_none() {
                foreign(&bytes)?;
            }
        }
        if self.codec.is_some() {
            self.rest.start = range.end;
            self.packed = bytes;
        } else {
            self.block = bytes;
        }
        Ok(())
    }

    /// Reads on from `at` of the archive, if that is possible.
    pub(super) fn jump(&mut self, at: u64) {
        let there = self.at + self.block.len() as u64;
        if at <= there {
            self.take((at - self.at) as usize);
        } else if self.codec.is_none() {
            self.block = Bytes::new();
            self.at = at;
        }
    }

    pub(super) fn take(&mut self, n: usize) {
        self.block = self.block.slice(n..);
        self.at += n as u64;
    }
}

/// Compressions that are known by their first bytes and not read.
fn foreign(head: &[u8]) -> Result<()> {
    let name = match head {
        [b'B', b'Z', b'h', ..] => "bzip2",
        [0xFD, b'7', b'z', b'X', b'Z', 0, ..] => "xz",
        [0x04, 0x22, 0x4D, 0x18, ..] => "lz4",
        [b'P', b'K', 3 | 5, 4 | 6, ..] => "zip",
        _ => return Ok(()),
    };
    Err(Error::new(Kind::Unsupported, format!("the archive is compressed with {name}, which is not read; gzip and Zstandard are")))
}
