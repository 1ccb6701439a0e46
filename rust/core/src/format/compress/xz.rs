//! Where the blocks of an xz file are, by the index at the end of each of its streams:
//! <https://tukaani.org/xz/xz-file-format.txt>.

use std::ops::Range;

use super::points::{Point, SPACING, State};

/// The length of a stream's header and of its footer.
const ENDS: u64 = 12;

/// The most that an index may take.
const MOST: u64 = 16 << 20;

/// Finds the blocks of a file, from its end on: says what to read, and takes it in.
pub(crate) struct Index {
    /// Where the stream that is looked at ends, and where the next begins.
    end: u64,
    next: u64,
    wanted: Wanted,
    /// `(place, bytes, state)` of blocks and streams, from the last on.
    found: Vec<(u64, u64, State)>,
}

enum Wanted {
    Footer,
    Index(u64),
    Header(Vec<(u64, u64)>, u64),
    Nothing,
}

/// A number of an index.
fn number(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for i in 0..9 {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7F) << (7 * i);
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

impl Index {
    pub(crate) fn new(size: u64) -> Self {
        Self { end: size, next: size, wanted: Wanted::Footer, found: Vec::new() }
    }

    /// What to read next, if anything.
    pub(crate) fn need(&self) -> Option<Range<u64>> {
        let end = self.end;
        match &self.wanted {
            Wanted::Footer => (end >= 2 * ENDS).then(|| end - ENDS..end),
            Wanted::Index(length) => Some(end - ENDS - length..end - ENDS),
            Wanted::Header(_, at) => Some(*at..at + ENDS),
            Wanted::Nothing => None,
        }
    }

    /// Takes in what was read; what is no index ends the search.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.wanted = self.take(bytes).unwrap_or(Wanted::Nothing);
    }

    fn take(&mut self, bytes: &[u8]) -> Option<Wanted> {
        match std::mem::replace(&mut self.wanted, Wanted::Nothing) {
            Wanted::Footer if bytes[8..] == [0; 4] => {
                // Zeros may stand between streams.
                self.end -= 4;
                Some(Wanted::Footer)
            }
            Wanted::Footer => {
                let length = (u64::from(u32::from_le_bytes(*bytes[4..].first_chunk()?)) + 1) * 4;
                let sound = bytes[10..] == *b"YZ" && crc32fast::hash(&bytes[4..10]).to_le_bytes() == bytes[..4];
                (sound && length <= MOST && length + 2 * ENDS <= self.end).then_some(Wanted::Index(length))
            }
            Wanted::Index(length) => {
                // Only its checksum tells that it is the index of these blocks: what is cut by it is not checked.
                let (numbers, sum) = bytes.split_last_chunk::<4>()?;
                if crc32fast::hash(numbers).to_le_bytes() != *sum {
                    return None;
                }
                let mut rest = numbers.strip_prefix(&[0])?;
                let count = number(&mut rest)?;
                let mut blocks = Vec::new();
                for _ in 0..count {
                    let (length, made) = (number(&mut rest)?, number(&mut rest)?);
                    blocks.push((length.checked_next_multiple_of(4)?, made));
                }
                let all = blocks.iter().try_fold(0_u64, |all, block| all.checked_add(block.0))?;
                let at = (self.end - ENDS - length).checked_sub(all)?.checked_sub(ENDS)?;
                Some(Wanted::Header(blocks, at))
            }
            Wanted::Header(blocks, start) => {
                let header: [u8; 12] = *bytes.first_chunk()?;
                let end = start + ENDS + blocks.iter().map(|block| block.0).sum::<u64>();
                let mut at = end;
                for (i, (length, made)) in blocks.iter().enumerate().rev() {
                    at -= length;
                    self.found.push(if i == 0 {
                        (start, *made, State::Start)
                    } else {
                        (at, *made, State::Xz { header, blocks: end, next: self.next })
                    });
                }
                (self.end, self.next) = (start, start);
                Some(if start > 0 { Wanted::Footer } else { Wanted::Nothing })
            }
            Wanted::Nothing => None,
        }
    }

    /// The points of the file; none where it is not one from its beginning to its end.
    pub(crate) fn points(self) -> Vec<Point> {
        if self.end > 0 {
            return Vec::new();
        }
        let (mut points, mut out, mut last) = (Vec::new(), 0_u64, 0);
        for (at, made, state) in self.found.into_iter().rev() {
            if out >= last + SPACING.max(last / 1024) {
                points.push(Point { at, out, state });
                last = out;
            }
            out = out.saturating_add(made);
        }
        points
    }
}
