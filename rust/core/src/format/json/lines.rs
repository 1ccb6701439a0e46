//! Lines of a file, or of a range of its bytes, as blocks of whole lines.
//!
//! A line belongs to the range in which its first byte lies.

use std::ops::Range;

use bytes::Bytes;
use memchr::{memchr, memrchr};

use super::super::compress::{Codec, Decompressor};
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
    /// The bytes of the file that are still to be read.
    rest: Range<u64>,
    /// Lines that begin here or later belong to others.
    end: u64,
    start: Start,
    codec: Option<Decompressor>,
    /// Compressed bytes that are still to be decompressed.
    packed: Bytes,
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
    /// `most`.
    pub(super) fn new(range: &Range<u64>, size: u64, unit: usize, most: usize) -> Self {
        // The byte before says whether a line begins with the first.
        let from = range.start.saturating_sub(1);
        Self {
            rest: from..size,
            end: range.end,
            start: if range.start == 0 { Start::Line } else { Start::Unknown },
            codec: None,
            packed: Bytes::new(),
            block: Bytes::new(),
            at: from,
            first: range.start,
            open: Vec::new(),
            ended: false,
            most,
            // The first read has to show how a file is compressed.
            unit: unit.max(16),
        }
    }

    /// The bytes that are needed for more lines; none where there are some, or none any more.
    pub(super) fn need(&self) -> Option<Range<u64>> {
        let there = !self.packed.is_empty() || !self.block.is_empty() || self.ended || self.rest.is_empty();
        let upto = if self.codec.is_none() && self.at + (self.open.len() as u64) >= self.end { 64 << 10 } else { self.unit as u64 };
        (!there).then(|| self.rest.start..self.rest.end.min(self.rest.start + upto))
    }

    pub(super) fn push(&mut self, bytes: Bytes) -> Result<()> {
        if self.rest.start == 0 && self.codec.is_none() {
            self.codec = Codec::of(&bytes).map(Decompressor::new).transpose()?;
            if self.codec.is_some() {
                self.end = u64::MAX;
            }
        }
        self.rest.start += bytes.len() as u64;
        if self.codec.is_some() {
            self.packed = bytes;
        } else {
            self.block = bytes;
        }
        Ok(())
    }

    /// The next block of lines; `None` where more bytes are needed, or at the end.
    pub(super) fn next(&mut self) -> Result<Option<Chunk>> {
        loop {
            if self.ended {
                return Ok(None);
            }
            let mut last = self.rest.is_empty();
            if let Some(codec) = &mut self.codec
                && self.block.is_empty()
            {
                let mut out = Vec::with_capacity(self.unit);
                let used = codec.run(&self.packed, &mut out, self.unit)?;
                self.packed = self.packed.slice(used..);
                if out.is_empty() && self.packed.is_empty() && last {
                    codec.finish(&mut out)?;
                } else {
                    last = false;
                }
                self.block = out.into();
            }
            if self.block.is_empty() && !last {
                if self.packed.is_empty() {
                    return Ok(None);
                }
                continue;
            }
            let chunk = self.cut(last)?;
            if chunk.is_some() {
                return Ok(chunk);
            }
            if self.codec.is_none() && !self.ended {
                return Ok(None);
            }
        }
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
        Error::data(format!("a line of more than {} bytes, which is more than ROWSTREAM_MEMORY lets one have; raise it to read this file", self.most))
            .at(format_args!("byte {at}"))
    }

    /// Where the first line begins.
    pub(super) fn first(&self) -> u64 {
        self.first
    }

    /// Whether all lines were given.
    pub(super) fn done(&self) -> bool {
        self.ended
    }

    /// Whether what is read is not what the file's bytes are.
    pub(super) fn compressed(&self) -> bool {
        self.codec.is_some()
    }
}
