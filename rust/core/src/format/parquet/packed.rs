//! Runs of one number and packed numbers, by turns, as Parquet has levels and indices of dictionaries:
//! <https://parquet.apache.org/docs/file-format/data-pages/encodings/>, "Run Length Encoding / Bit-Packing Hybrid".

use bytes::Bytes;

use crate::error::{Error, Result};

/// Some numbers that come next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Run {
    /// So many equal ones.
    Same(u32, usize),
    /// So many bits, at most 64, the first the lowest.
    Packed(u64, usize),
}

/// Reads numbers of some bits each.
#[derive(Debug, Clone)]
pub(super) struct Hybrid {
    bytes: Bytes,
    at: usize,
    width: u32,
    /// The run that is being read: its number, or where its bits begin; and how many of it were read and are left.
    same: Option<u32>,
    first: usize,
    read: usize,
    left: usize,
}

fn bad() -> Error {
    Error::data("malformed runs of levels or indices")
}

impl Hybrid {
    pub(super) fn new(bytes: Bytes, width: u32) -> Self {
        Self { bytes, at: 0, width, same: None, first: 0, read: 0, left: 0 }
    }

    /// Has a run that is not used up; false at the end.
    fn fill(&mut self) -> Result<bool> {
        while self.left == 0 {
            if self.at >= self.bytes.len() {
                return Ok(false);
            }
            let mut head = 0_u64;
            for shift in (0..35).step_by(7) {
                let byte = *self.bytes.get(self.at).ok_or_else(bad)?;
                self.at += 1;
                head |= u64::from(byte & 0x7F) << shift;
                if byte < 0x80 {
                    break;
                }
            }
            let n = (head >> 1) as usize;
            if n == 0 {
                return Err(bad());
            }
            (self.first, self.read) = (self.at, 0);
            if head & 1 == 0 {
                let length = self.width.div_ceil(8) as usize;
                let number = self.bytes.get(self.at..self.at + length).ok_or_else(bad)?;
                self.same = Some(number.iter().rev().fold(0, |number, byte| number << 8 | u32::from(*byte)));
                (self.at, self.left) = (self.at + length, n);
            } else {
                self.same = None;
                // The last group may be cut short.
                let (length, there) = (n * self.width as usize, self.bytes.len() - self.at);
                self.left = if self.width == 0 { n * 8 } else { (n * 8).min(there * 8 / self.width as usize) };
                self.at += length.min(there);
                if self.left == 0 {
                    return Err(bad());
                }
            }
        }
        Ok(true)
    }

    /// The next numbers of one bit, at most `most`; nothing at the end.
    pub(super) fn run(&mut self, most: usize) -> Result<Option<Run>> {
        if !self.fill()? {
            return Ok(None);
        }
        let run = if let Some(number) = self.same {
            Run::Same(number, self.left.min(most))
        } else {
            let (word, bits) = self.word();
            Run::Packed(word, bits.min(self.left).min(most))
        };
        let (Run::Same(_, n) | Run::Packed(_, n)) = run;
        (self.read, self.left) = (self.read + n, self.left - n);
        Ok(Some(run))
    }

    /// The bits of the run from the next on, and how many they are: 57 at least, if as many are there.
    fn word(&self) -> (u64, usize) {
        let bit = self.read * self.width as usize;
        let (at, shift) = (self.first + bit / 8, bit % 8);
        if let Some(word) = self.bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
            return (u64::from_le_bytes(*word) >> shift, 64 - shift);
        }
        let rest = self.bytes.get(at..).unwrap_or_default();
        (
            rest.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)) >> shift,
            (rest.len() * 8).saturating_sub(shift),
        )
    }

    /// The last `n` numbers that `run` or `next` gave come again.
    pub(super) fn unread(&mut self, n: usize) {
        (self.read, self.left) = (self.read - n, self.left + n);
    }

    /// The next number.
    pub(super) fn next(&mut self) -> Result<Option<u32>> {
        if !self.fill()? {
            return Ok(None);
        }
        let number = self.same.unwrap_or_else(|| (self.word().0 & !(u64::MAX << self.width)) as u32);
        (self.read, self.left) = (self.read + 1, self.left - 1);
        Ok(Some(number))
    }

    /// Whether the next `n` numbers are all this one, which has all of its bits.
    pub(super) fn all(mut self, number: u32, mut n: usize) -> Result<bool> {
        let full = u64::from(number) == !(u64::MAX << self.width);
        while n > 0 {
            if !self.fill()? {
                return Err(bad());
            }
            let length = self.left.min(n);
            let same = match self.same {
                Some(same) => same == number,
                None if full => {
                    let bits = length * self.width as usize;
                    let bytes = &self.bytes[self.first..];
                    bytes[..bits / 8].iter().all(|byte| *byte == 0xFF)
                        && (bits.is_multiple_of(8) || bytes[bits / 8] & !(0xFF << (bits % 8)) == !(0xFF << (bits % 8)))
                }
                None => {
                    let mut same = true;
                    for _ in 0..length {
                        same &= self.next()? == Some(number);
                    }
                    if !same {
                        return Ok(false);
                    }
                    n -= length;
                    continue;
                }
            };
            if !same {
                return Ok(false);
            }
            (self.read, self.left, n) = (self.read + length, self.left - length, n - length);
        }
        Ok(true)
    }

    /// Passes over numbers.
    pub(super) fn skip(&mut self, mut n: usize) -> Result<()> {
        while n > 0 {
            if !self.fill()? {
                return Err(bad());
            }
            let length = self.left.min(n);
            (self.read, self.left, n) = (self.read + length, self.left - length, n - length);
        }
        Ok(())
    }

    /// The values of a dictionary that the next `n` numbers stand for.
    pub(super) fn look_up<const SIZE: usize>(
        &mut self,
        mut n: usize,
        dictionary: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<()> {
        let (values, _) = dictionary.as_chunks::<SIZE>();
        let beyond = || Error::data(format!("an index beyond the {} values of its dictionary", values.len()));
        out.reserve(n * SIZE);
        while n > 0 {
            if !self.fill()? {
                return Err(bad());
            }
            let length = self.left.min(n);
            if let Some(number) = self.same {
                let value = values.get(number as usize).ok_or_else(beyond)?;
                let start = out.len();
                out.resize(start + length * SIZE, 0);
                out[start..].as_chunks_mut::<SIZE>().0.fill(*value);
            } else {
                self.unpack(length, values, out).ok_or_else(beyond)?;
            }
            (self.read, self.left, n) = (self.read + length, self.left - length, n - length);
        }
        Ok(())
    }

    /// The values that packed numbers stand for; nothing where one has none.
    fn unpack<const SIZE: usize>(&self, length: usize, values: &[[u8; SIZE]], out: &mut Vec<u8>) -> Option<()> {
        let width = self.width as usize;
        let mask = !(u64::MAX << width);
        let mut i = 0;
        // Eight numbers begin with a byte: those before the first such are taken one by one.
        let one = |i: usize, out: &mut Vec<u8>| {
            let bit = (self.read + i) * width;
            let (at, shift) = (self.first + bit / 8, bit % 8);
            let rest = self.bytes.get(at..).unwrap_or_default();
            let word = match rest.first_chunk::<8>() {
                Some(word) => u64::from_le_bytes(*word),
                None => rest.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)),
            };
            out.extend_from_slice(values.get((word >> shift & mask) as usize)?);
            Some(())
        };
        while i < length && !(self.read + i).is_multiple_of(8) {
            one(i, out)?;
            i += 1;
        }
        let groups = (length - i) / 8;
        let from = self.first + (self.read + i) / 8 * width;
        // The last groups may have too few bytes after them to be read in words.
        let safe = (self.bytes.len().saturating_sub(from + 8) / width.max(1)).min(groups);
        let bytes = &self.bytes[from.min(self.bytes.len())..];
        macro_rules! groups {
            ($($w:literal)*) => {
                match width {
                    $($w => eight::<$w, SIZE>(bytes, safe, values, out)?,)*
                    _ => eights(width, bytes, safe, values, out)?,
                }
            };
        }
        groups!(1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20);
        i += safe * 8;
        while i < length {
            one(i, out)?;
            i += 1;
        }
        Some(())
    }
}

/// Groups of eight numbers of `W` bits: the values that they stand for.
fn eight<const W: usize, const SIZE: usize>(
    bytes: &[u8],
    groups: usize,
    values: &[[u8; SIZE]],
    out: &mut Vec<u8>,
) -> Option<()> {
    eights(W, bytes, groups, values, out)
}

#[expect(clippy::inline_always, reason = "the width is known where it is called")]
#[inline(always)]
fn eights<const SIZE: usize>(
    width: usize,
    bytes: &[u8],
    groups: usize,
    values: &[[u8; SIZE]],
    out: &mut Vec<u8>,
) -> Option<()> {
    let mask = (1_u64 << width) - 1;
    let start = out.len();
    out.resize(start + groups * 8 * SIZE, 0);
    let (made, _) = out[start..].as_chunks_mut::<SIZE>();
    let last = values.len().checked_sub(1)?;
    let mut most = 0;
    for (group, made) in made.as_chunks_mut::<8>().0.iter_mut().enumerate() {
        let at = group * width;
        for (j, value) in made.iter_mut().enumerate() {
            let bit = j * width;
            let word = u64::from_le_bytes(*bytes.get(at + bit / 8..)?.first_chunk::<8>()?);
            let index = ((word >> (bit % 8)) & mask) as usize;
            most = most.max(index);
            *value = values[index.min(last)];
        }
    }
    (most <= last).then_some(())
}
