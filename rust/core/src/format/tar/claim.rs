//! What an index says of a range of an archive, held against what is there: an index may be of another archive, or of
//! other samples, and must not change which rows there are.

use std::ops::Range;

use bytes::Bytes;

use super::BLOCK;
use super::archive::Archive;
use super::header::{self, Entry, Naming, sample};
use crate::error::{Error, Result};
use crate::hash::hash;

/// So many samples in a range, and the last of them ends with it.
pub(super) struct Claim {
    rows: u64,
    met: u64,
    /// The key of the last sample, as a hash.
    last: u64,
    /// What follows the range.
    beyond: Archive,
    least: usize,
    /// Whether bytes of what follows are asked for.
    pub(super) asks: bool,
}

impl Claim {
    /// `rows` samples in a range that `beyond` follows.
    pub(super) fn new(rows: u64, beyond: Range<u64>) -> Self {
        Self { rows, met: 0, last: 0, beyond: Archive::new(beyond, false, BLOCK), least: BLOCK, asks: false }
    }

    /// Counts a sample.
    pub(super) fn met(&mut self, key: &str) -> Result<()> {
        self.met += 1;
        self.last = hash(key.as_bytes());
        if self.met > self.rows { Err(self.wrong("more than")) } else { Ok(()) }
    }

    /// Whether all samples were met.
    pub(super) fn all(&self) -> bool {
        self.met == self.rows
    }

    /// How many were not met.
    pub(super) fn left(&self) -> u64 {
        self.rows - self.met
    }

    /// Why the range does not have as many.
    pub(super) fn wrong(&self, how: &str) -> Error {
        let end = self.beyond.at;
        Error::data(format!(
            "before byte {end} stand {how} {} samples, which its index says: the index is of another archive, or has \
             other samples; make it again with rowstream.webdataset.index, or read the archive without it by \
             index=False",
            self.rows
        ))
    }

    /// Finds that what follows the range is not of its last sample. The bytes that are needed for that.
    pub(super) fn follow(&mut self, names: Naming) -> Result<Option<Range<u64>>> {
        self.asks = false;
        loop {
            if let Some(range) = self.beyond.fill(self.least)? {
                self.asks = true;
                return Ok(Some(range));
            }
            match header::read(&self.beyond.block, false, names)? {
                Entry::Short(n) if !self.beyond.last => self.least = n as usize,
                Entry::Member { name, .. } | Entry::Link { name, .. }
                    if sample(&name).is_some_and(|(key, _)| hash(key.as_bytes()) == self.last) =>
                {
                    let name = format!("cuts the sample of {name:?} at byte {}", self.beyond.at);
                    return Err(Error::data(format!(
                        "its index {name}: make it again with rowstream.webdataset.index, or read the archive without \
                         it by index=False"
                    )));
                }
                _ => return Ok(None),
            }
        }
    }

    /// Takes in bytes of what follows.
    pub(super) fn push(&mut self, range: &Range<u64>, bytes: Bytes) -> Result<()> {
        self.beyond.push(range, bytes)
    }
}
