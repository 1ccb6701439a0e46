//! Lines of a file, or of a range of its bytes, as blocks of whole lines.
//!
//! A line belongs to the range in which its first byte lies.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use memchr::{memchr, memrchr};

use super::encoding::Encoding;
use super::input::{Input, Part};
use super::{BEYOND, too_large};
use crate::error::{Error, Result};

/// Whole lines, in the order of the file: first `head`, a line that stood in two reads, then those of `body`.
#[derive(Debug, Default)]
pub(super) struct Chunk {
    pub(super) head: Vec<u8>,
    pub(super) body: Bytes,
    /// The place in the file, or in what it decompresses to, of the first byte of `head`, or of `body` without one.
    pub(super) at: u64,
}

/// What is known of the start of a range: only at the file's start is its first byte that of a line.
enum Start {
    Unknown,
    Line,
}

pub(super) struct Lines {
    input: Input,
    /// Lines that begin here or later belong to others.
    end: u64,
    start: Start,
    /// Bytes that were read and not yet cut.
    block: Bytes,
    /// The place of `block`'s first byte.
    at: u64,
    /// The place of the first line.
    first: u64,
    /// A line whose end has not come.
    open: Vec<u8>,
    ended: bool,
    /// The longest line.
    most: usize,
    unit: usize,
}

impl Lines {
    /// The lines that begin in `range` of a file of `size` bytes, in blocks of about `unit` bytes; none longer than
    /// `most`. `from`: where a line of what a compressed file decompresses to begins; then it is all lines from there on.
    pub(super) fn new(range: &Range<u64>, size: u64, from: Option<u64>, unit: usize, most: usize) -> Self {
        // The byte before says whether a line begins with the first.
        let (packed, from) = (from.is_some(), from.unwrap_or(range.start.saturating_sub(1)));
        Self {
            input: Input::new(from..size, packed),
            end: if packed { u64::MAX } else { range.end },
            start: if packed || range.start == 0 { Start::Line } else { Start::Unknown },
            block: Bytes::new(),
            at: from,
            first: range.start,
            open: Vec::new(),
            ended: false,
            most,
            unit,
        }
    }

    /// The same, of text of an encoding, if there is one: all of the file's lines.
    pub(super) fn encoded(mut self, encoding: Option<&Arc<Encoding>>) -> Result<Self> {
        self.input = self.input.encoded(encoding)?;
        if encoding.is_some() {
            self.end = u64::MAX;
        }
        Ok(self)
    }

    /// The bytes that are needed for more lines; none where there are some, or none any more.
    pub(super) fn need(&self) -> Option<Range<u64>> {
        if self.ended || !self.block.is_empty() {
            return None;
        }
        if self.input.derived() {
            return self.input.need(self.unit);
        }
        // A line may end after the range; most do so soon.
        let within = self.end.saturating_sub(self.at).saturating_add(BEYOND);
        self.input.need(if self.at >= self.end { BEYOND as usize } else { self.unit.min(within as usize) })
    }

    pub(super) fn push(&mut self, range: &Range<u64>, bytes: Bytes) -> Result<()> {
        self.input.push(range, bytes)
    }

    /// The next block of lines; `None` where more bytes are needed, or at the end.
    pub(super) fn next(&mut self) -> Result<Option<Chunk>> {
        while !self.ended {
            let last = match self.input.next(&[])? {
                Part::Bytes(block) => {
                    self.block = block;
                    !self.input.derived() && self.input.done()
                }
                Part::Need => return Ok(None),
                Part::End => true,
            };
            let chunk = self.cut(last)?;
            if chunk.is_some() {
                return Ok(chunk);
            }
        }
        Ok(None)
    }

    /// Cuts the whole lines off the block; `last`: nothing follows it.
    fn cut(&mut self, last: bool) -> Result<Option<Chunk>> {
        let mut block = std::mem::take(&mut self.block);
        let mut at = self.at;
        self.at += block.len() as u64;
        if matches!(self.start, Start::Unknown) {
            let Some(newline) = memchr(b'\n', &block) else {
                self.ended = last;
                return Ok(None);
            };
            self.start = Start::Line;
            at += newline as u64 + 1;
            block = block.slice(newline + 1..);
            self.first = at;
            if at >= self.end {
                self.ended = true;
                return Ok(None);
            }
        }
        // The last line of the range is the one that has the byte before its end.
        let beyond = self.end.saturating_sub(1).checked_sub(at).map_or(0, |n| n as usize);
        let limit = if beyond < block.len() { memchr(b'\n', &block[beyond..]).map(|n| beyond + n + 1) } else { None };
        let whole = match limit {
            Some(limit) => {
                self.ended = true;
                limit
            }
            None if last => {
                self.ended = true;
                block.len()
            }
            None => memrchr(b'\n', &block).map_or(0, |n| n + 1),
        };
        let at = at - self.open.len() as u64;
        if whole == 0 && !last {
            self.open.extend_from_slice(&block);
            return if self.open.len() > self.most { Err(self.long(at)) } else { Ok(None) };
        }
        let mut head = Vec::new();
        let mut body = block.slice(..whole);
        if !self.open.is_empty() {
            let first = memchr(b'\n', &body).map_or(body.len(), |n| n + 1);
            head = std::mem::take(&mut self.open);
            head.extend_from_slice(&body[..first]);
            body = body.slice(first..);
        }
        if !self.ended {
            self.open.extend_from_slice(&block[whole..]);
        }
        if head.len() > self.most {
            return Err(self.long(at));
        }
        Ok(Some(Chunk { head, body, at }))
    }

    fn long(&self, at: u64) -> Error {
        Error::data(too_large("a line", self.most)).at(format_args!("byte {at}"))
    }

    /// Where the first line begins.
    pub(super) fn first(&self) -> u64 {
        self.first
    }

    /// Whether all lines were given.
    pub(super) fn done(&self) -> bool {
        self.ended
    }

    /// Whether the text is of another encoding than UTF-8.
    pub(super) fn recoded(&self) -> bool {
        self.input.recoded()
    }

    /// Whether what is read is not what the file's bytes are.
    pub(super) fn derived(&self) -> bool {
        self.input.derived()
    }
}
