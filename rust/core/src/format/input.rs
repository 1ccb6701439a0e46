//! The bytes of a file, or of a range of it, in order: decompressed where they are compressed, and as UTF-8 where they
//! are text of another encoding.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use super::compress::{Codec, Decompressor};
use super::encoding::{Encoding, Transcoder};
use crate::error::Result;

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
    /// The bytes of the file that are still to be read.
    rest: Range<u64>,
    codec: Option<Decompressor>,
    /// What was read and not yet given.
    packed: Bytes,
    ended: bool,
    /// What makes UTF-8 of it, and whether it made all.
    text: Option<Transcoder>,
    told: bool,
}

impl Input {
    /// The bytes in a range of a file. `codec`: how they are compressed; if that is not said, the first bytes of the
    /// file say it.
    pub(super) fn new(range: Range<u64>, codec: Option<Codec>) -> Result<Self> {
        Ok(Self {
            rest: range,
            codec: codec.map(Decompressor::new).transpose()?,
            packed: Bytes::new(),
            ended: false,
            text: None,
            told: false,
        })
    }

    /// The same, as UTF-8 of text of an encoding, if there is one.
    pub(super) fn encoded(mut self, encoding: Option<&Arc<Encoding>>) -> Result<Self> {
        self.text = encoding.map(Transcoder::new).transpose()?;
        Ok(self)
    }

    /// The bytes to read next, at most `most`; none where there are some, or all were read.
    pub(super) fn need(&self, most: usize) -> Option<Range<u64>> {
        // The first read has to show how a file is compressed.
        let upto = self.rest.end.min(self.rest.start + most.max(32) as u64);
        (self.packed.is_empty() && !self.rest.is_empty()).then_some(self.rest.start..upto)
    }

    pub(super) fn push(&mut self, bytes: Bytes) -> Result<()> {
        if self.rest.start == 0 && self.codec.is_none() {
            self.codec = Codec::of(&bytes).map(Decompressor::new).transpose()?;
        }
        self.rest.start += bytes.len() as u64;
        self.packed = bytes;
        Ok(())
    }

    /// Goes on elsewhere in a file that is not compressed.
    pub(super) fn jump(&mut self, at: u64) {
        (self.rest.start, self.packed) = (at.min(self.rest.end), Bytes::new());
    }

    /// The next block: what was read, or about `unit` bytes of what it decompresses to, after `front`.
    pub(super) fn next(&mut self, front: &[u8], unit: usize) -> Result<Part> {
        while self.text.is_some() && !self.told {
            let bytes = match self.unpacked(&[], unit)? {
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
        if self.text.is_some() { Ok(Part::End) } else { self.unpacked(front, unit) }
    }

    fn unpacked(&mut self, front: &[u8], unit: usize) -> Result<Part> {
        let Some(codec) = &mut self.codec else {
            let bytes = std::mem::take(&mut self.packed);
            if bytes.is_empty() {
                return Ok(if self.rest.is_empty() { Part::End } else { Part::Need });
            }
            return Ok(Part::Bytes(if front.is_empty() { bytes } else { [front, &bytes].concat().into() }));
        };
        while !self.ended {
            let mut out = Vec::with_capacity(front.len() + unit);
            out.extend_from_slice(front);
            let used = codec.run(&self.packed, &mut out, front.len() + unit)?;
            self.packed = self.packed.slice(used..);
            if out.len() == front.len() && self.packed.is_empty() {
                if !self.rest.is_empty() {
                    return Ok(Part::Need);
                }
                codec.finish(&mut out)?;
                self.ended = true;
            }
            if out.len() > front.len() {
                return Ok(Part::Bytes(out.into()));
            }
        }
        Ok(Part::End)
    }

    /// Whether what is read is not what the file's bytes are.
    pub(super) fn compressed(&self) -> bool {
        self.codec.is_some() || self.text.is_some()
    }

    /// Where the bytes end that are read.
    pub(super) fn end(&self) -> u64 {
        self.rest.end
    }

    /// Whether all was given.
    pub(super) fn done(&self) -> bool {
        self.rest.is_empty()
            && self.packed.is_empty()
            && (self.codec.is_none() || self.ended)
            && (self.text.is_none() || self.told)
    }
}
