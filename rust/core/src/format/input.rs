//! The bytes of a file, or of a range of it, in order, and as UTF-8 where they are text of another encoding. What is
//! compressed was decompressed before (`unpack.rs`).

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use super::compress::Codec;
use super::encoding::{Encoding, Transcoder};
use super::unasked;
use crate::error::{Error, Result};

/// What comes next.
#[derive(Debug)]
pub(super) enum Part {
    /// These bytes.
    Bytes(Bytes),
    /// `need` says what has to be read first.
    Need,
    /// Nothing more.
    End,
}

/// Bytes in order, in blocks.
pub(super) struct Input {
    /// The bytes that are still to be read.
    rest: Range<u64>,
    /// Whether they are what a compressed file decompresses to: how many they are shows only at their end.
    packed: bool,
    /// What was read and not yet given.
    bytes: Bytes,
    /// What makes UTF-8 of it, and whether it made all.
    text: Option<Transcoder>,
    told: bool,
}

impl Input {
    /// The bytes in a range of a file, or of what it decompresses to.
    pub(super) fn new(range: Range<u64>, packed: bool) -> Self {
        let rest = if packed { range.start..u64::MAX } else { range };
        Self { rest, packed, bytes: Bytes::new(), text: None, told: false }
    }

    /// The same, as UTF-8 of text of an encoding, if there is one.
    pub(super) fn encoded(mut self, encoding: Option<&Arc<Encoding>>) -> Result<Self> {
        self.text = encoding.map(Transcoder::new).transpose()?;
        Ok(self)
    }

    /// The bytes to read next, at most `most`; none where there are some, or all were read.
    pub(super) fn need(&self, most: usize) -> Option<Range<u64>> {
        let upto = self.rest.end.min(self.rest.start.saturating_add(most.max(32) as u64));
        (self.bytes.is_empty() && !self.rest.is_empty()).then_some(self.rest.start..upto)
    }

    /// Takes in what was read of a range that was needed.
    pub(super) fn push(&mut self, range: &Range<u64>, bytes: Bytes) -> Result<()> {
        let (found, expected) = (bytes.len() as u64, range.end - range.start);
        if range.start != self.rest.start || found > expected || (found < expected && !self.packed) {
            return Err(unasked(range));
        }
        if !self.packed && range.start == 0 && Codec::of(&bytes).is_some() {
            return Err(Error::data(
                "the file is compressed, which its name does not say and those of the files that were looked at are \
                 not; give it the ending of what it is, such as .gz",
            ));
        }
        self.rest.start += found;
        if found < expected {
            self.rest.end = self.rest.start;
        }
        self.bytes = bytes;
        Ok(())
    }

    /// Goes on elsewhere in a file that is not compressed.
    pub(super) fn jump(&mut self, at: u64) {
        (self.rest.start, self.bytes) = (at.min(self.rest.end), Bytes::new());
    }

    /// The next block: what was read, after `front`.
    pub(super) fn next(&mut self, front: &[u8]) -> Result<Part> {
        while self.text.is_some() && !self.told {
            let bytes = match self.read(&[]) {
                Part::Bytes(bytes) => Some(bytes),
                Part::Need => return Ok(Part::Need),
                Part::End => None,
            };
            self.told = bytes.is_none();
            let Some(text) = &mut self.text else { break };
            let mut out = front.to_vec();
            text.run(bytes.as_deref().unwrap_or_default(), self.told, &mut out)?;
            if out.len() > front.len() {
                return Ok(Part::Bytes(out.into()));
            }
        }
        Ok(if self.text.is_some() { Part::End } else { self.read(front) })
    }

    fn read(&mut self, front: &[u8]) -> Part {
        let bytes = std::mem::take(&mut self.bytes);
        if bytes.is_empty() {
            return if self.rest.is_empty() { Part::End } else { Part::Need };
        }
        Part::Bytes(if front.is_empty() { bytes } else { [front, &bytes].concat().into() })
    }

    /// Whether what is read is not what the file's bytes are.
    pub(super) fn derived(&self) -> bool {
        self.packed || self.text.is_some()
    }

    /// Whether the text is of another encoding than UTF-8.
    pub(super) fn recoded(&self) -> bool {
        self.text.is_some()
    }

    /// Where the bytes end that are read.
    pub(super) fn end(&self) -> u64 {
        self.rest.end
    }

    /// Whether all was given.
    pub(super) fn done(&self) -> bool {
        self.rest.is_empty() && self.bytes.is_empty() && (self.text.is_none() || self.told)
    }
}
