//! gzip, [RFC 1952](https://www.rfc-editor.org/rfc/rfc1952): members, one after another; and the members of zip
//! archives, which are DEFLATE alone.

use crc32fast::Hasher;

use super::damaged;
use super::inflate::{Inflate, Place, Stop};
use super::points::{Learnt, Point, State};
use crate::error::Result;

/// What of a member comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    /// The `i`-th byte of its header.
    Head(usize),
    /// The length of what others have added, and so many bytes of that.
    ExtraLength(u8),
    Extra(u16),
    /// A text that ends with a 0.
    Name,
    Comment,
    /// The `i`-th byte of the header's checksum.
    Check(u8),
    Body,
    /// The `i`-th byte of the checksum and the length.
    Trailer(u8),
    /// Nothing: this was no gzip, but DEFLATE alone.
    Nothing,
}

/// What a header can have.
const CHECK: u8 = 2;
const EXTRA: u8 = 4;
const NAME: u8 = 8;
const COMMENT: u8 = 16;

/// Decompresses gzip, or DEFLATE alone.
pub(super) struct Gzip {
    inflate: Inflate,
    next: Next,
    flags: u8,
    /// The checksum of the header, and its bytes or the trailer's as a number.
    header: Hasher,
    number: u64,
    crc: Hasher,
    length: u32,
    /// Whether a member has ended.
    ended: bool,
    /// The checksum of DEFLATE alone.
    alone: Option<u32>,
    /// What was made in all.
    made: u64,
}

impl Default for Gzip {
    fn default() -> Self {
        Self {
            inflate: Inflate::default(),
            next: Next::Head(0),
            flags: 0,
            header: Hasher::new(),
            number: 0,
            crc: Hasher::new(),
            length: 0,
            ended: false,
            alone: None,
            made: 0,
        }
    }
}

impl Gzip {
    /// DEFLATE alone, of a checksum.
    pub(super) fn alone(crc: u32) -> Self {
        Self { next: Next::Body, alone: Some(crc), ..Self::default() }
    }

    /// Goes on in a member.
    pub(super) fn resume(&mut self, out: u64, place: &Place, window: &[u8], crc: u32, length: u32) -> bool {
        let known = self.inflate.resume(place, window);
        (self.crc, self.length, self.next) = (Hasher::new_with_initial_len(crc, u64::from(length)), length, Next::Body);
        self.made = out;
        known
    }

    /// Goes on where a member begins.
    pub(super) fn resume_member(&mut self, out: u64) {
        (self.made, self.ended) = (out, out > 0);
    }

    /// Whether what the member has so far has a checksum and a length.
    pub(super) fn is_at(&self, crc: u32, length: u32) -> bool {
        self.length == length && self.crc.clone().finalize() == crc
    }

    /// Whether the stream may end here.
    pub(super) fn whole(&self) -> bool {
        match self.next {
            Next::Head(0) => self.ended,
            Next::Nothing => true,
            _ => false,
        }
    }

    /// Decompresses until `most` bytes are in `out`, or the input is used up. `at`: where the input is in the file.
    pub(super) fn run(
        &mut self,
        input: &mut &[u8],
        out: &mut Vec<u8>,
        most: usize,
        at: u64,
        learnt: &mut Learnt,
    ) -> Result<()> {
        let all = input.len();
        loop {
            let made = self.inflate.made();
            let n = made.len().min(most.saturating_sub(out.len()));
            out.extend_from_slice(&made[..n]);
            self.crc.update(&made[..n]);
            (self.length, self.made) = (self.length.wrapping_add(n as u32), self.made + n as u64);
            self.inflate.take(n);
            if out.len() >= most || !self.inflate.made().is_empty() {
                return Ok(());
            }
            if self.next == Next::Body {
                let stop = self.inflate.run(input).map_err(damaged)?;
                let new = self.inflate.made();
                match stop {
                    Stop::End => self.next = Next::Trailer(0),
                    Stop::Input if new.is_empty() => return Ok(()),
                    Stop::Room if self.alone.is_none() && learnt.due(self.made + new.len() as u64) => {
                        let mut crc = self.crc.clone();
                        crc.update(new);
                        let state = State::deflate(
                            self.inflate.place(),
                            self.inflate.window(),
                            crc.finalize(),
                            self.length.wrapping_add(new.len() as u32),
                        );
                        let at = at + (all - input.len()) as u64 - self.inflate.unused();
                        if let Some(state) = state {
                            learnt.add(Point { at, out: self.made + new.len() as u64, state });
                        }
                    }
                    _ => {}
                }
                continue;
            }
            if let (Next::Trailer(0), Some(crc)) = (self.next, self.alone) {
                if self.crc.clone().finalize() != crc {
                    return Err(damaged("their checksum does not match"));
                }
                self.next = Next::Nothing;
            }
            let before = at + (all - input.len()) as u64 - self.inflate.unused();
            let Some(byte) = self.inflate.bits.byte(input) else { return Ok(()) };
            if self.next == Next::Head(0) && byte != 0 && self.ended && learnt.due(self.made) {
                learnt.add(Point { at: before, out: self.made, state: State::Start });
            }
            self.byte(byte)?;
        }
    }

    /// A byte of a header or a trailer.
    fn byte(&mut self, byte: u8) -> Result<()> {
        if !matches!(self.next, Next::Trailer(_) | Next::Check(_)) {
            self.header.update(&[byte]);
        }
        self.next = match self.next {
            // Some tools fill what is left of a block.
            Next::Head(0) if self.ended && byte == 0 => {
                self.header = Hasher::new();
                Next::Head(0)
            }
            Next::Head(i) => {
                match (i, byte) {
                    (0, 0x1F) | (1, 0x8B) | (2, 8) | (4.., _) => {}
                    (3, flags) if flags < 32 => self.flags = flags,
                    (3, _) => return Err(damaged("a gzip header has flags that there are not")),
                    _ if self.ended => return Err(damaged("bytes follow their end that are no gzip")),
                    _ => return Err(damaged("no gzip begins here")),
                }
                if i < 9 { Next::Head(i + 1) } else { self.after(0) }
            }
            Next::ExtraLength(0) => {
                self.number = u64::from(byte);
                Next::ExtraLength(1)
            }
            Next::ExtraLength(_) => match self.number as u16 | u16::from(byte) << 8 {
                0 => self.after(EXTRA),
                length => Next::Extra(length),
            },
            Next::Extra(1) => self.after(EXTRA),
            Next::Extra(left) => Next::Extra(left - 1),
            Next::Name if byte == 0 => self.after(NAME),
            Next::Comment if byte == 0 => self.after(COMMENT),
            Next::Name => Next::Name,
            Next::Comment => Next::Comment,
            Next::Check(0) => {
                self.number = u64::from(byte);
                Next::Check(1)
            }
            Next::Check(_) => {
                if self.number as u16 | u16::from(byte) << 8 != self.header.clone().finalize() as u16 {
                    return Err(damaged("the checksum of a gzip header does not match"));
                }
                self.begin()
            }
            Next::Trailer(i) => {
                self.number = if i == 0 { 0 } else { self.number } | u64::from(byte) << (8 * i);
                if i < 7 {
                    Next::Trailer(i + 1)
                } else {
                    if self.number as u32 != self.crc.clone().finalize() {
                        return Err(damaged("their checksum does not match"));
                    }
                    if (self.number >> 32) as u32 != self.length {
                        return Err(damaged("their length does not match"));
                    }
                    (self.ended, self.header) = (true, Hasher::new());
                    Next::Head(0)
                }
            }
            Next::Body => Next::Body,
            Next::Nothing => return Err(damaged("bytes follow their end")),
        };
        Ok(())
    }

    /// What follows a part of a header.
    fn after(&mut self, part: u8) -> Next {
        let has = |flag: u8| part < flag && self.flags & flag != 0;
        if has(EXTRA) {
            Next::ExtraLength(0)
        } else if has(NAME) {
            Next::Name
        } else if has(COMMENT) {
            Next::Comment
        } else if self.flags & CHECK != 0 {
            Next::Check(0)
        } else {
            self.begin()
        }
    }

    fn begin(&mut self) -> Next {
        self.inflate.restart();
        (self.crc, self.length) = (Hasher::new(), 0);
        Next::Body
    }
}
