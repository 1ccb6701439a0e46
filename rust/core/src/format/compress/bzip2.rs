//! bzip2, a block at a time: each is a stream of its own for the library, which cannot begin in the middle of one.
//!
//! A block begins at any bit, with 48 bits that are looked for. That they stand inside of a block by chance happens
//! once in 10,000 TB; the block is then tried again with what follows.

use bzip2::{Decompress, Status};

use super::damaged;
use super::points::{Learnt, Point, State};
use crate::error::{Error, Result};

/// What begins a block, and what follows the last.
const BLOCK: u64 = 0x3141_5926_5359;
const END: u64 = 0x1772_4538_5090;
const MAGIC: u64 = (1 << 48) - 1;

/// What a block may take, compressed: that of 900 kB which cannot be compressed takes 1 % more.
const LONGEST: usize = 4 << 20;

/// Decompresses streams, one after another.
pub(super) struct Blocks {
    /// Input that is not decompressed: from the byte in which a block begins.
    open: Vec<u8>,
    /// Where that is in the file.
    at: u64,
    /// The bit of the first byte at which it begins.
    bit: usize,
    /// Bytes that were searched for what follows.
    searched: usize,
    /// How large blocks are, as a digit; 0 before a header.
    level: u8,
    /// The checksum of the blocks so far.
    sum: u32,
    /// A block that is being decompressed: as a stream, how much of it was used, and the bits that it has.
    block: Option<(Decompress, Vec<u8>, usize, usize)>,
    /// Whether a stream has ended.
    ended: bool,
    made: u64,
    /// Why a block could not be decompressed, which may be longer than it seems.
    failed: Option<Error>,
}

impl Blocks {
    pub(super) fn new() -> Self {
        Self {
            open: Vec::new(),
            at: 0,
            bit: 0,
            searched: 0,
            level: 0,
            sum: 0,
            block: None,
            ended: false,
            made: 0,
            failed: None,
        }
    }

    /// Goes on where a block begins, or a stream where there is no level.
    pub(super) fn resume(&mut self, at: u64, out: u64, bit: u8, level: u8, sum: u32) {
        (self.at, self.made, self.bit, self.level, self.sum) = (at, out, usize::from(bit), level, sum);
        self.ended = level == 0;
    }

    /// Whether the input may end here.
    pub(super) fn whole(&self) -> bool {
        self.ended && self.level == 0 && self.open.is_empty() && self.block.is_none()
    }

    /// Why the last block cannot be decompressed.
    pub(super) fn failed(&mut self) -> Option<Error> {
        self.failed.take()
    }

    /// Decompresses until `most` bytes are in `out`, or the input is used up.
    pub(super) fn run(&mut self, input: &mut &[u8], out: &mut Vec<u8>, most: usize, learnt: &mut Learnt) -> Result<()> {
        loop {
            if self.block.is_some() {
                self.drain(out, most)?;
                if self.block.is_some() || out.len() >= most {
                    return Ok(());
                }
            }
            if self.level == 0 {
                while self.open.len() < 4
                    && let Some((byte, rest)) = input.split_first()
                {
                    self.open.push(*byte);
                    *input = rest;
                }
                match self.open[..] {
                    [b'B', b'Z', b'h', level @ b'1'..=b'9', ..] => {
                        if self.ended && learnt.due(self.made) {
                            learnt.add(Point { at: self.at, out: self.made, state: State::Start });
                        }
                        self.pass(32);
                        (self.level, self.sum) = (level, 0);
                    }
                    [_, _, _, _, ..] => return Err(damaged("no bzip2 begins here")),
                    _ => return Ok(()),
                }
                continue;
            }
            match self.bits(0, 48) {
                Some(BLOCK) => {}
                Some(END) => {
                    let Some(sum) = self.bits(48, 32) else {
                        if !self.more(input) {
                            return Ok(());
                        }
                        continue;
                    };
                    if sum as u32 != self.sum {
                        return Err(damaged("their checksum does not match"));
                    }
                    // A stream ends with a whole byte.
                    self.pass((self.bit + 80).next_multiple_of(8) - self.bit);
                    (self.level, self.ended) = (0, true);
                    continue;
                }
                Some(_) => return Err(damaged("no block of bzip2 begins here")),
                None => {
                    if !self.more(input) {
                        return Ok(());
                    }
                    continue;
                }
            }
            let Some(end) = self.end() else {
                if self.open.len() > LONGEST {
                    return Err(self.failed().unwrap_or_else(|| damaged("a block of bzip2 does not end")));
                }
                if !self.more(input) {
                    return Ok(());
                }
                continue;
            };
            if learnt.due(self.made) {
                let state = State::Bzip2 { bit: self.bit as u8, level: self.level, sum: self.sum };
                learnt.add(Point { at: self.at, out: self.made, state });
            }
            self.begin(end);
        }
    }

    /// Takes in more input, some of it at a time; false where there is none.
    fn more(&mut self, input: &mut &[u8]) -> bool {
        let n = input.len().min(64 << 10);
        self.open.extend_from_slice(&input[..n]);
        *input = &input[n..];
        n > 0
    }

    /// Some bits of the block, from one of them on.
    fn bits(&self, from: usize, count: usize) -> Option<u64> {
        let (first, end) = (self.bit + from, self.bit + from + count);
        let bytes = self.open.get(first / 8..end.div_ceil(8))?;
        let all = bytes.iter().fold(0_u128, |all, byte| all << 8 | u128::from(*byte));
        Some((all >> (bytes.len() * 8 - first % 8 - count)) as u64 & !(u64::MAX << count))
    }

    /// Passes over bits.
    fn pass(&mut self, bits: usize) {
        let at = self.bit + bits;
        self.open.drain(..at / 8);
        self.at += at as u64 / 8;
        (self.bit, self.searched) = (at % 8, 0);
    }

    /// How many bits the block has: until what follows it.
    fn end(&mut self) -> Option<usize> {
        // Its own beginning is not looked at again.
        let mut i = self.searched.max((self.bit + 48).div_ceil(8));
        let mut word = self.open[i.saturating_sub(7)..i].iter().fold(0, |word, byte| word << 8 | u64::from(*byte));
        while let Some(byte) = self.open.get(i) {
            word = word << 8 | u64::from(*byte);
            i += 1;
            for shift in 0..8 {
                let found = word >> shift & MAGIC;
                if found == BLOCK || found == END {
                    let first = (i * 8 - shift).saturating_sub(48);
                    if first >= self.bit + 48 {
                        self.searched = i;
                        return Some(first - self.bit);
                    }
                }
            }
        }
        self.searched = i;
        None
    }

    /// Begins to decompress a block of so many bits, as a stream that has no other.
    fn begin(&mut self, bits: usize) {
        let mut stream = vec![b'B', b'Z', b'h', self.level];
        let mut rest = (0_u64, 0_u32);
        let mut put = |value: u64, count: usize| {
            rest = (rest.0 << count | value, rest.1 + count as u32);
            while rest.1 >= 8 {
                rest.1 -= 8;
                stream.push((rest.0 >> rest.1) as u8);
                rest.0 &= !(u64::MAX << rest.1);
            }
        };
        for from in (0..bits).step_by(48) {
            let count = 48.min(bits - from);
            put(self.bits(from, count).unwrap_or(0), count);
        }
        put(END, 48);
        put(self.bits(48, 32).unwrap_or(0), 32);
        put(0, 7);
        self.block = Some((Decompress::new(false), stream, 0, bits));
    }

    /// Goes on with the block.
    fn drain(&mut self, out: &mut Vec<u8>, most: usize) -> Result<()> {
        let Some((decoder, stream, used, bits)) = &mut self.block else { return Ok(()) };
        while out.len() < most {
            let (start, before) = (out.len(), decoder.total_in());
            out.reserve((most - start).min(super::SLICE));
            let status = decoder.decompress_vec(&stream[*used..], out);
            let made = out.len() - start;
            (*used, self.made) = (*used + (decoder.total_in() - before) as usize, self.made + made as u64);
            match status {
                Ok(Status::StreamEnd) => {
                    let (sum, bits) =
                        (self.bits(48, 32).unwrap_or(0) as u32, self.block.take().map_or(0, |block| block.3));
                    (self.sum, self.failed) = (self.sum.rotate_left(1) ^ sum, None);
                    self.pass(bits);
                    return Ok(());
                }
                Ok(_) if made > 0 || *used < stream.len() => {}
                // What seemed to follow the block may be a part of it: only if nothing was made can it be tried again.
                Ok(_) => return Err(damaged("a block of bzip2 has no end")),
                Err(e) if decoder.total_out() == 0 && *bits / 8 < LONGEST => {
                    (self.block, self.failed) = (None, Some(damaged(e)));
                    return Ok(());
                }
                Err(e) => return Err(damaged(e)),
            }
        }
        Ok(())
    }
}
