//! DEFLATE, [RFC 1951](https://www.rfc-editor.org/rfc/rfc1951), of a stream that comes in parts.
//!
//! Whenever it stops for room, what it needs to go on from there can be told: some bits, the codes of the block, and the
//! last 32 KiB that were made. Libraries tell that at the beginnings of blocks, if at all, and are slower.

use serde::{Deserialize, Serialize};

use super::huffman::{Alphabet, END, LITERAL, SPECIAL, TABLE, Table, literal, takes, value};

/// How far back a match may lie.
pub(super) const WINDOW: usize = 32 << 10;

/// What is made at most before it is taken.
const ROOM: usize = 64 << 10;

/// What one turn of the fast loop may write beyond.
const SLACK: usize = 384;

/// What one turn of the fast loop may read.
const AHEAD: usize = 32;

/// The order in which the lengths of the codes of lengths are written.
const ORDER: [u8; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/// Why decoding stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// All input is used.
    Input,
    /// What was made has to be taken.
    Room,
    /// The stream has ended.
    End,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Block,
    /// The length of a stored block, and then so many bytes.
    Stored,
    Bytes(usize),
    /// The numbers of codes; the lengths of the codes of lengths; and those of the others.
    Counts,
    Orders(usize),
    Lengths(usize),
    Symbols,
    End,
}

/// What is no DEFLATE.
pub(super) type Bad = &'static str;

/// What a stream needs to go on from a place, beside the window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Place {
    /// What is left of a byte, and how many bits that is.
    bits: u8,
    left: u8,
    /// Whether the block is the last.
    last: bool,
    within: Within,
}

/// In what of a block a place is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum Within {
    /// Between two.
    Nothing,
    /// Before so many stored bytes.
    Bytes(usize),
    /// Among symbols: how many there are, and the lengths of their codes and of distances'.
    Symbols(usize, Vec<u8>),
}

/// Bits that were read of the input and not used, least significant first. Those above `count` are 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Bits {
    pub(super) bits: u64,
    pub(super) count: u32,
}

impl Bits {
    /// Reads bytes as long as there is room.
    fn fill(&mut self, input: &mut &[u8]) {
        while self.count <= 56
            && let Some((byte, rest)) = input.split_first()
        {
            self.bits |= u64::from(*byte) << self.count;
            self.count += 8;
            *input = rest;
        }
    }

    fn drop(&mut self, n: u32) {
        self.bits >>= n;
        self.count -= n;
    }

    /// The next `n` bits, if they are there.
    fn take(&mut self, n: u32, input: &mut &[u8]) -> Option<u32> {
        if self.count < n {
            self.fill(input);
        }
        (self.count >= n).then(|| {
            let found = (self.bits & !(u64::MAX << n)) as u32;
            self.drop(n);
            found
        })
    }

    /// The next whole byte, of these bits or of the input; what is left of one is passed over.
    pub(super) fn byte(&mut self, input: &mut &[u8]) -> Option<u8> {
        self.drop(self.count % 8);
        if self.count > 0 {
            let byte = self.bits as u8;
            self.drop(8);
            return Some(byte);
        }
        let (byte, rest) = input.split_first()?;
        *input = rest;
        Some(*byte)
    }
}

/// Decompresses one stream.
pub(super) struct Inflate {
    state: State,
    pub(super) bits: Bits,
    /// The block is the last.
    last: bool,
    symbols: Table<11>,
    distances: Table<8>,
    orders: Table<7>,
    lengths: [u8; 320],
    /// How many codes of symbols, distances and lengths the block has.
    counts: (usize, usize, usize),
    /// What was made: the last of what was taken, and what was not taken yet.
    made: Box<[u8]>,
    from: usize,
    to: usize,
}

impl Default for Inflate {
    fn default() -> Self {
        Self {
            state: State::Block,
            bits: Bits::default(),
            last: false,
            symbols: Table::default(),
            distances: Table::default(),
            orders: Table::default(),
            lengths: [0; 320],
            counts: (0, 0, 0),
            made: vec![0; WINDOW + ROOM + SLACK].into_boxed_slice(),
            from: 0,
            to: 0,
        }
    }
}

impl Inflate {
    /// What it needs to go on from here.
    pub(super) fn place(&self) -> Place {
        let Bits { bits, count } = self.bits;
        let left = count % 8;
        let within = match self.state {
            State::Symbols => Within::Symbols(self.counts.0, self.lengths[..self.counts.0 + self.counts.1].to_vec()),
            State::Bytes(left) => Within::Bytes(left),
            _ => Within::Nothing,
        };
        Place { bits: (bits & !(u64::MAX << left)) as u8, left: left as u8, last: self.last, within }
    }

    /// Whole bytes that were read and not used.
    pub(super) fn unused(&self) -> u64 {
        u64::from(self.bits.count / 8)
    }

    /// Goes on from a place, after what was made before; false where it is none.
    pub(super) fn resume(&mut self, place: &Place, window: &[u8]) -> bool {
        self.restart();
        self.bits = Bits { bits: u64::from(place.bits), count: u32::from(place.left) };
        self.last = place.last;
        self.state = match &place.within {
            Within::Nothing => State::Block,
            Within::Bytes(left) => State::Bytes(*left),
            Within::Symbols(symbols, lengths) => {
                let Some(distances) = lengths.len().checked_sub(*symbols).filter(|_| lengths.len() <= 320) else {
                    return false;
                };
                self.lengths[..lengths.len()].copy_from_slice(lengths);
                self.counts = (*symbols, distances, 0);
                if !self.codes() {
                    return false;
                }
                State::Symbols
            }
        };
        let window = &window[window.len().saturating_sub(WINDOW)..];
        self.made[..window.len()].copy_from_slice(window);
        (self.from, self.to) = (window.len(), window.len());
        true
    }

    /// Begins another stream, with the bits that are left of the last.
    pub(super) fn restart(&mut self) {
        (self.state, self.last, self.from, self.to) = (State::Block, false, 0, 0);
    }

    /// What was made and not taken.
    pub(super) fn made(&self) -> &[u8] {
        &self.made[self.from..self.to]
    }

    /// `n` bytes of `made` were taken.
    pub(super) fn take(&mut self, n: usize) {
        self.from += n;
    }

    /// The last bytes that were made, as far as a match may lie back.
    pub(super) fn window(&self) -> &[u8] {
        &self.made[self.to.saturating_sub(WINDOW)..self.to]
    }

    /// Decompresses until something has to be done; all that was made has to be taken when there is no more room.
    pub(super) fn run(&mut self, input: &mut &[u8]) -> Result<Stop, Bad> {
        if self.from == self.to && self.to >= WINDOW + ROOM / 2 {
            self.made.copy_within(self.to - WINDOW..self.to, 0);
            (self.from, self.to) = (WINDOW, WINDOW);
        }
        loop {
            if self.to >= WINDOW + ROOM {
                return Ok(Stop::Room);
            }
            if !self.step(input)? {
                return Ok(Stop::Input);
            }
            match self.state {
                State::Block if self.last => self.state = State::End,
                _ => {}
            }
            if self.state == State::End {
                return Ok(Stop::End);
            }
        }
    }

    /// One step; false where there is not enough input.
    fn step(&mut self, input: &mut &[u8]) -> Result<bool, Bad> {
        match self.state {
            State::Block => {
                let Some(head) = self.bits.take(3, input) else { return Ok(false) };
                self.last = head & 1 == 1;
                self.state = match head >> 1 {
                    0 => State::Stored,
                    1 => {
                        self.fixed();
                        State::Symbols
                    }
                    2 => State::Counts,
                    _ => return Err("a block of a kind that there is not"),
                };
            }
            State::Stored => {
                self.bits.drop(self.bits.count % 8);
                let Some(both) = self.bits.take(32, input) else { return Ok(false) };
                if both & 0xFFFF != !(both >> 16) & 0xFFFF {
                    return Err("the length of a stored block does not fit");
                }
                self.state = State::Bytes((both & 0xFFFF) as usize);
            }
            State::Bytes(0) => self.state = State::Block,
            State::Bytes(left) => {
                if self.bits.count > 0 {
                    let Some(byte) = self.bits.byte(input) else { return Ok(false) };
                    self.made[self.to] = byte;
                    self.to += 1;
                    self.state = State::Bytes(left - 1);
                    return Ok(true);
                }
                let n = left.min(input.len()).min(WINDOW + ROOM - self.to);
                if n == 0 {
                    return Ok(false);
                }
                self.made[self.to..self.to + n].copy_from_slice(&input[..n]);
                self.to += n;
                *input = &input[n..];
                self.state = State::Bytes(left - n);
            }
            State::Counts => {
                let Some(counts) = self.bits.take(14, input) else { return Ok(false) };
                self.counts =
                    ((counts & 31) as usize + 257, (counts >> 5 & 31) as usize + 1, (counts >> 10) as usize + 4);
                if self.counts.0 > 286 || self.counts.1 > 30 {
                    return Err("a block has more codes than there are");
                }
                self.lengths = [0; 320];
                self.state = State::Orders(0);
            }
            State::Orders(at) if at < self.counts.2 => {
                let Some(length) = self.bits.take(3, input) else { return Ok(false) };
                self.lengths[usize::from(ORDER[at])] = length as u8;
                self.state = State::Orders(at + 1);
            }
            State::Orders(_) => {
                if !self.orders.make(&self.lengths[..19], Alphabet::Lengths) {
                    return Err("the codes of lengths are none");
                }
                self.lengths = [0; 320];
                self.state = State::Lengths(0);
            }
            State::Lengths(at) => return self.length(at, input),
            State::Symbols => return self.symbols(input),
            State::End => {}
        }
        Ok(true)
    }

    /// Reads the next length of a code, or several.
    fn length(&mut self, at: usize, input: &mut &[u8]) -> Result<bool, Bad> {
        let (symbols, distances, _) = self.counts;
        if at == symbols + distances {
            if self.lengths[256] == 0 {
                return Err("a block has no end");
            }
            if !self.codes() {
                return Err("the codes of a block are none");
            }
            self.state = State::Symbols;
            return Ok(true);
        }
        if self.bits.count < 14 {
            self.bits.fill(input);
        }
        let entry = self.orders.look(self.bits.bits);
        let (width, symbol) = (takes(entry), entry >> 12 & 31);
        let (extra, base, of) = match symbol {
            16 => (2, 3, at.checked_sub(1).map_or(0, |before| self.lengths[before])),
            17 => (3, 3, 0),
            18 => (7, 11, 0),
            _ => (0, 1, symbol as u8),
        };
        if self.bits.count < width + extra {
            return Ok(false);
        }
        if symbol == 16 && at == 0 {
            return Err("nothing to repeat");
        }
        let n = base + (self.bits.bits >> width & !(u64::MAX << extra)) as usize;
        self.bits.drop(width + extra);
        if at + n > symbols + distances {
            return Err("a block has more lengths than codes");
        }
        self.lengths[at..at + n].fill(of);
        self.state = State::Lengths(at + n);
        Ok(true)
    }

    /// The codes of a block that has none of its own: the last symbols are never used, but are part of them.
    fn fixed(&mut self) {
        self.lengths[..288].fill(8);
        self.lengths[144..256].fill(9);
        self.lengths[256..280].fill(7);
        self.lengths[288..].fill(5);
        self.counts = (288, 32, 0);
        self.codes();
    }

    /// Makes the tables of the lengths of codes; false where they are none.
    fn codes(&mut self) -> bool {
        let (symbols, distances, _) = self.counts;
        self.symbols.make(&self.lengths[..symbols], Alphabet::Symbols)
            && self.distances.make(&self.lengths[symbols..symbols + distances], Alphabet::Distances)
    }

    /// Decodes symbols: fast where there is much input, else one.
    fn symbols(&mut self, input: &mut &[u8]) -> Result<bool, Bad> {
        if input.len() > AHEAD && self.to < WINDOW + ROOM {
            #[cfg(target_arch = "x86_64")]
            if std::arch::is_x86_feature_detected!("bmi2") {
                // SAFETY: the processor has what the function is made for.
                return unsafe { self.fast_bmi2(input) };
            }
            return self.fast(input);
        }
        self.bits.fill(input);
        let Bits { bits, count } = self.bits;
        let (mut entry, mut at) = (self.symbols.look(bits), 0);
        if entry & TABLE != 0 {
            at = takes(entry);
            entry = self.symbols.follow(entry, bits >> at);
        }
        if at + takes(entry) > count {
            return Ok(false);
        }
        if entry & LITERAL != 0 {
            self.made[self.to] = literal(entry);
            self.to += 1;
            self.bits.drop(at + takes(entry));
            return Ok(true);
        }
        if entry & SPECIAL != 0 {
            if entry & END == 0 {
                return if count < 15 { Ok(false) } else { Err("a code that there is not") };
            }
            self.bits.drop(at + takes(entry));
            self.state = State::Block;
            return Ok(true);
        }
        let length = value(entry, bits >> at);
        at += takes(entry);
        let mut entry = self.distances.look(bits >> at);
        if entry & TABLE != 0 {
            at += takes(entry);
            entry = self.distances.follow(entry, bits >> at);
        }
        if entry & SPECIAL != 0 {
            return if count < at + 15 { Ok(false) } else { Err("a distance that there is not") };
        }
        if at + takes(entry) > count {
            return Ok(false);
        }
        let back = value(entry, bits >> at);
        self.bits.drop(at + takes(entry));
        if back > self.to {
            return Err("a match before the beginning");
        }
        for _ in 0..length {
            self.made[self.to] = self.made[self.to - back];
            self.to += 1;
        }
        Ok(true)
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "bmi2")]
    unsafe fn fast_bmi2(&mut self, input: &mut &[u8]) -> Result<bool, Bad> {
        self.fast(input)
    }

    /// Decodes symbols as long as there is much input and room.
    #[expect(clippy::inline_always, reason = "it is made once for each kind of processor")]
    #[inline(always)]
    fn fast(&mut self, input: &mut &[u8]) -> Result<bool, Bad> {
        let (bytes, made) = (*input, &mut *self.made);
        let Bits { mut bits, mut count } = self.bits;
        let (mut at, mut to) = (0, self.to);
        let last = bytes.len() - AHEAD;
        // 56 bits at least, of which those that are not counted are read again.
        macro_rules! fill {
            () => {
                // SAFETY: a turn begins at or before `last`, and moves by less than `AHEAD - 8`.
                let word = unsafe { bytes.as_ptr().add(at).cast::<u64>().read_unaligned() };
                bits |= u64::from_le(word) << count;
                at += ((63 - count) >> 3) as usize;
                count |= 56;
            };
        }
        macro_rules! drop {
            ($entry:expr) => {
                bits >>= takes($entry) & 63;
                count -= takes($entry);
            };
        }
        macro_rules! write {
            ($entry:expr) => {
                // SAFETY: a turn begins before the room's end, and `SLACK` follows that.
                unsafe { *made.get_unchecked_mut(to) = literal($entry) };
                to += 1;
            };
        }
        fill!();
        let mut entry = self.symbols.look(bits);
        let end = loop {
            if at > last || to >= WINDOW + ROOM {
                break Ok(State::Symbols);
            }
            if entry & LITERAL != 0 {
                drop!(entry);
                write!(entry);
                entry = self.symbols.look(bits);
                if entry & LITERAL != 0 {
                    drop!(entry);
                    write!(entry);
                    entry = self.symbols.look(bits);
                    if entry & LITERAL != 0 {
                        drop!(entry);
                        write!(entry);
                        fill!();
                        entry = self.symbols.look(bits);
                        continue;
                    }
                }
                fill!();
            }
            if entry & SPECIAL != 0 {
                if entry & TABLE != 0 {
                    drop!(entry);
                    entry = self.symbols.follow(entry, bits);
                    if entry & LITERAL != 0 {
                        drop!(entry);
                        write!(entry);
                        fill!();
                        entry = self.symbols.look(bits);
                        continue;
                    }
                }
                if entry & SPECIAL != 0 {
                    if entry & END == 0 {
                        break Err("a code that there is not");
                    }
                    drop!(entry);
                    break Ok(State::Block);
                }
            }
            let length = value(entry, bits);
            drop!(entry);
            let mut distance = self.distances.look(bits);
            if distance & SPECIAL != 0 {
                if distance & TABLE == 0 {
                    break Err("a distance that there is not");
                }
                drop!(distance);
                distance = self.distances.follow(distance, bits);
                if distance & SPECIAL != 0 {
                    break Err("a distance that there is not");
                }
            }
            let back = value(distance, bits);
            drop!(distance);
            if back > to {
                break Err("a match before the beginning");
            }
            fill!();
            entry = self.symbols.look(bits);
            // SAFETY: `back` lies within what was made; what is written ends less than 258 + 16 bytes beyond `to`, which
            // is before the room's end, after which there is `SLACK`.
            unsafe { copy(made.as_mut_ptr().add(to), back, length) };
            to += length;
        };
        // Bits that are not counted are bytes that are still to be read; so are whole bytes that are.
        bits &= !(u64::MAX << count);
        self.bits = Bits { bits, count };
        self.to = to;
        *input = &bytes[at..];
        self.state = end?;
        Ok(true)
    }
}

/// Copies a match of `length` bytes from `back` bytes before, and up to 16 bytes more.
///
/// # Safety
/// From `back` bytes before `to`, to `length + 16` after it, all is one buffer.
#[expect(clippy::inline_always, reason = "it is made once for each kind of processor")]
#[inline(always)]
unsafe fn copy(mut to: *mut u8, back: usize, length: usize) {
    // SAFETY: as the caller has it: each copy begins before the end of the match.
    unsafe {
        let end = to.add(length);
        let mut from = to.sub(back);
        if back >= 16 {
            loop {
                to.cast::<u128>().write_unaligned(from.cast::<u128>().read_unaligned());
                (to, from) = (to.add(16), from.add(16));
                if to >= end {
                    return;
                }
            }
        }
        if back == 1 {
            to.write_bytes(*from, length);
            return;
        }
        // What is copied is what was just made: a word at a time, but moved on by no more than is sure.
        let step = back.min(8);
        while to < end {
            to.cast::<u64>().write_unaligned(from.cast::<u64>().read_unaligned());
            (to, from) = (to.add(step), from.add(step));
        }
    }
}
