//! Tables that decode the prefix codes of DEFLATE: a look at the next bits gives a symbol, with what it means.
//!
//! An entry is a number. Its low byte says how many bits it takes, those included that follow the code; the next four
//! bits how long the code itself is. What the symbol means is above that, with flags. Codes that are longer than a
//! table's index lead to a table of their own.

/// The longest code.
const LONGEST: usize = 15;

/// A symbol that is a byte.
pub(super) const LITERAL: u32 = 1 << 31;
/// No symbol that has a value: the end of a block, another table, or no code at all.
pub(super) const SPECIAL: u32 = 1 << 30;
/// Another table follows.
pub(super) const TABLE: u32 = 1 << 29;
/// The block ends.
pub(super) const END: u32 = 1 << 28;

/// The bits that an entry takes.
#[inline]
pub(super) fn takes(entry: u32) -> u32 {
    entry & 0xFF
}

/// The value of an entry, with what follows its code in `bits`.
#[inline]
pub(super) fn value(entry: u32, bits: u64) -> usize {
    let (base, length) = ((entry >> 12) & 0xFFFF, (entry >> 8) & 0xF);
    base as usize + ((bits & !(u64::MAX << takes(entry))) >> length) as usize
}

/// The byte of a literal.
#[inline]
pub(super) fn literal(entry: u32) -> u8 {
    (entry >> 12) as u8
}

/// Where the entry for `bits` is that a table's entry leads to; `bits` begin after those of the first table.
#[inline]
pub(super) fn inner(entry: u32, bits: u64) -> usize {
    let (start, width) = ((entry >> 12) & 0xFFFF, (entry >> 8) & 0xF);
    start as usize + (bits & !(u64::MAX << width)) as usize
}

/// The base and the number of further bits of a length, from 257 on.
const LENGTHS: [(u16, u8); 29] = [
    (3, 0),
    (4, 0),
    (5, 0),
    (6, 0),
    (7, 0),
    (8, 0),
    (9, 0),
    (10, 0),
    (11, 1),
    (13, 1),
    (15, 1),
    (17, 1),
    (19, 2),
    (23, 2),
    (27, 2),
    (31, 2),
    (35, 3),
    (43, 3),
    (51, 3),
    (59, 3),
    (67, 4),
    (83, 4),
    (99, 4),
    (115, 4),
    (131, 5),
    (163, 5),
    (195, 5),
    (227, 5),
    (258, 0),
];

/// The same of a distance.
const DISTANCES: [(u16, u8); 30] = [
    (1, 0),
    (2, 0),
    (3, 0),
    (4, 0),
    (5, 1),
    (7, 1),
    (9, 2),
    (13, 2),
    (17, 3),
    (25, 3),
    (33, 4),
    (49, 4),
    (65, 5),
    (97, 5),
    (129, 6),
    (193, 6),
    (257, 7),
    (385, 7),
    (513, 8),
    (769, 8),
    (1025, 9),
    (1537, 9),
    (2049, 10),
    (3073, 10),
    (4097, 11),
    (6145, 11),
    (8193, 12),
    (12289, 12),
    (16385, 13),
    (24577, 13),
];

/// What an alphabet's symbols mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Alphabet {
    /// Lengths of codes.
    Lengths,
    /// Bytes, the end, and lengths of matches.
    Symbols,
    /// Distances of matches.
    Distances,
}

impl Alphabet {
    /// An entry without the bits of its code.
    fn entry(self, symbol: usize) -> u32 {
        let based = |&(base, extra): &(u16, u8)| u32::from(base) << 12 | u32::from(extra);
        match (self, symbol) {
            (Self::Lengths, _) => (symbol as u32) << 12,
            (Self::Symbols, 0..256) => LITERAL | (symbol as u32) << 12,
            (Self::Symbols, 256) => SPECIAL | END,
            (Self::Symbols, _) => LENGTHS.get(symbol - 257).map_or(SPECIAL, based),
            (Self::Distances, _) => DISTANCES.get(symbol).map_or(SPECIAL, based),
        }
    }
}

/// Decodes one alphabet.
#[derive(Debug)]
pub(super) struct Table<const BITS: u32> {
    entries: Vec<u32>,
}

impl<const BITS: u32> Default for Table<BITS> {
    fn default() -> Self {
        Self { entries: vec![SPECIAL; 1 << BITS] }
    }
}

impl<const BITS: u32> Table<BITS> {
    /// The entry for the next bits.
    #[inline]
    pub(super) fn look(&self, bits: u64) -> u32 {
        let at = (bits & ((1 << BITS) - 1)) as usize;
        // SAFETY: a table has an entry for each value of its bits, from when it is made.
        unsafe { *self.entries.get_unchecked(at) }
    }

    /// The entry that another leads to, if it does: in how many bits it lies, and what it is.
    #[inline]
    pub(super) fn follow(&self, entry: u32, bits: u64) -> u32 {
        self.entries.get(inner(entry, bits)).copied().unwrap_or(SPECIAL)
    }

    /// Makes the table of the lengths of codes, none of them where 0. False where they are no code.
    pub(super) fn make(&mut self, lengths: &[u8], alphabet: Alphabet) -> bool {
        let mut counts = [0_u32; LONGEST + 1];
        for length in lengths {
            counts[usize::from(*length)] += 1;
        }
        counts[0] = 0;
        let (mut codes, mut next) = ([0_u32; LONGEST + 2], 0_u32);
        let mut left = 1_i64;
        for length in 1..=LONGEST {
            codes[length] = next;
            next = (next + counts[length]) << 1;
            left = (left << 1) - i64::from(counts[length]);
            if left < 0 {
                return false;
            }
        }
        let used: u32 = counts.iter().sum();
        // A code may have gaps only where it has one symbol of one bit, or none at all.
        if left > 0 && (alphabet == Alphabet::Lengths || used > 1 || (used == 1 && counts[1] != 1)) {
            return false;
        }
        self.entries.truncate(1 << BITS);
        if left > 0 {
            self.entries.fill(SPECIAL);
        }
        let longest = (1..=LONGEST).rev().find(|length| counts[*length] > 0).unwrap_or(0) as u32;
        let width = longest.saturating_sub(BITS);
        if width > 0 {
            // What long codes begin with is not there yet.
            let first = (codes[BITS as usize + 1] >> 1) as usize;
            for prefix in first..1 << BITS {
                let at = (prefix as u32).reverse_bits() >> (32 - BITS);
                self.entries[at as usize] = 0;
            }
        }
        for (symbol, length) in lengths.iter().enumerate() {
            let length = u32::from(*length);
            if length == 0 {
                continue;
            }
            let code = codes[length as usize].reverse_bits() >> (32 - length);
            codes[length as usize] += 1;
            let entry = alphabet.entry(symbol);
            if length <= BITS {
                let entry = entry + (length << 8) + length;
                for at in (code as usize..1 << BITS).step_by(1 << length) {
                    self.entries[at] = entry;
                }
                continue;
            }
            let (low, high, rest) = (code as usize & ((1 << BITS) - 1), (code >> BITS) as usize, length - BITS);
            if self.entries[low] == 0 {
                let start = self.entries.len();
                self.entries.resize(start + (1 << width), SPECIAL);
                self.entries[low] = SPECIAL | TABLE | (start as u32) << 12 | width << 8 | BITS;
            }
            let start = ((self.entries[low] >> 12) & 0xFFFF) as usize;
            let entry = entry + (rest << 8) + rest;
            for at in (high..1 << width).step_by(1 << rest) {
                self.entries[start + at] = entry;
            }
        }
        true
    }
}
