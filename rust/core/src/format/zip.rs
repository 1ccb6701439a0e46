//! The directory of a zip archive, read from its end: <https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT>.
//! Its members are read in place, each as a file of its own.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use super::compress::Codec;
use super::{Cuts, Probe, ProbeResult, unasked};
use crate::error::{Error, Kind, Result};
use crate::plan::Member;

/// The end of the directory, with the longest comment, and the record that says where its large form is.
const END: u64 = 22 + 65_535 + 20;

/// A directory may not be longer: its members are kept in memory.
const LONGEST: u64 = 256 << 20;

/// Headers of members that are read at once.
const LOCAL: u64 = 30;

/// Whether a file begins as a zip archive does.
pub(crate) fn begins(head: &[u8]) -> bool {
    head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06")
}

/// What an archive has.
#[derive(Debug, Clone, Default)]
pub(crate) struct Listed {
    /// Its files.
    pub members: Vec<Member>,
    /// Those of them that are links to what it does not have, and what they name.
    pub gone: Vec<(String, String)>,
}

/// The members that a look found.
pub(crate) fn members(found: ProbeResult) -> Result<Listed> {
    let head = found.head.ok_or_else(|| Error::internal("an archive that nobody looked at"))?;
    head.downcast_ref::<Listed>().cloned().ok_or_else(|| Error::internal("an archive that nobody looked at"))
}

/// What a look at an archive found.
pub(super) fn found(listed: Listed) -> ProbeResult {
    ProbeResult { head: Some(Arc::new(listed)), ..ProbeResult::stream(None, Cuts::Whole) }
}

fn cut() -> Error {
    Error::data("the zip archive has no directory at its end: it was cut, or is none")
}

fn number(bytes: &[u8], at: usize, length: usize) -> Result<u64> {
    let bytes = bytes
        .get(at..at + length)
        .ok_or_else(|| Error::data("the zip archive's directory ends in the middle of an entry"))?;
    Ok(bytes.iter().rev().fold(0, |n, b| n << 8 | u64::from(*b)))
}

/// What is read next.
enum Next {
    End(Range<u64>),
    /// The large form of the end.
    Large(Range<u64>),
    Directory(Range<u64>),
    /// The header before the content of the `i`-th member.
    Local(usize),
    Nothing,
}

/// Finds the members of a zip archive.
pub(crate) struct Directory {
    size: u64,
    next: Next,
    members: Vec<Member>,
}

impl Directory {
    pub(crate) fn new(size: u64) -> Self {
        Self { size, next: Next::End(size.saturating_sub(END)..size), members: Vec::new() }
    }

    fn range(&self) -> Option<Range<u64>> {
        match &self.next {
            Next::End(range) | Next::Large(range) | Next::Directory(range) => Some(range.clone()),
            Next::Local(i) => self.members.get(*i).map(|member| member.at..member.at + LOCAL),
            Next::Nothing => None,
        }
    }

    fn inside(&self, start: u64, length: u64) -> Result<Range<u64>> {
        start.checked_add(length).filter(|end| *end <= self.size).map(|end| start..end).ok_or_else(cut)
    }

    /// The record at the end, and before it perhaps one that says where its large form is.
    fn end(&mut self, from: u64, tail: &[u8]) -> Result<()> {
        let at = (0..tail.len().saturating_sub(21))
            .rev()
            .find(|&at| {
                tail[at..].starts_with(b"PK\x05\x06")
                    && tail.len() - at - 22 == usize::from(tail[at + 20]) + (usize::from(tail[at + 21]) << 8)
            })
            .ok_or_else(cut)?;
        let locator = at.checked_sub(20).filter(|&l| tail[l..].starts_with(b"PK\x06\x07"));
        if let Some(locator) = locator {
            let place = number(tail, locator + 8, 8)?;
            self.next = Next::Large(self.inside(place, 56)?);
            return Ok(());
        }
        let (count, length, start) = (number(tail, at + 10, 2)?, number(tail, at + 12, 4)?, number(tail, at + 16, 4)?);
        if number(tail, at + 4, 2)? != 0 {
            return Err(Error::new(Kind::Unsupported, "a zip archive in several parts is not read"));
        }
        if start + length > from + at as u64 {
            return Err(cut());
        }
        self.directory(count, start, length)
    }

    fn directory(&mut self, count: u64, start: u64, length: u64) -> Result<()> {
        if length > LONGEST || count > length / 46 {
            return Err(Error::data(format!("the zip archive's directory claims {count} members in {length} bytes")));
        }
        self.next = if count == 0 { Next::Nothing } else { Next::Directory(self.inside(start, length)?) };
        Ok(())
    }

    fn entries(&mut self, bytes: &[u8]) -> Result<()> {
        let mut at = 0;
        while at + 4 <= bytes.len() && bytes[at..].starts_with(b"PK\x01\x02") {
            let number = |offset: usize, length: usize| number(bytes, at + offset, length);
            let (flags, method, crc) = (number(8, 2)?, number(10, 2)?, number(16, 4)? as u32);
            let (mut packed, mut plain, mut place) = (number(20, 4)?, number(24, 4)?, number(42, 4)?);
            let (name_length, extra_length, comment) =
                (number(28, 2)? as usize, number(30, 2)? as usize, number(32, 2)? as usize);
            let short = || Error::data("the zip archive's directory ends in the middle of an entry");
            let name = bytes.get(at + 46..at + 46 + name_length).ok_or_else(short)?;
            let mut extra = bytes.get(at + 46 + name_length..at + 46 + name_length + extra_length).ok_or_else(short)?;
            // What is too large for its field is in an extra one, in this order.
            while let [a, b, c, d, rest @ ..] = extra {
                let (kind, length) = (u16::from_le_bytes([*a, *b]), usize::from(u16::from_le_bytes([*c, *d])));
                let (body, after) = rest.split_at_checked(length).ok_or_else(short)?;
                if kind == 1 {
                    let mut from = 0;
                    for field in [&mut plain, &mut packed, &mut place] {
                        if *field == 0xFFFF_FFFF {
                            *field = self::number(body, from, 8)?;
                            from += 8;
                        }
                    }
                }
                extra = after;
            }
            at += 46 + name_length + extra_length + comment;
            let name = String::from_utf8_lossy(name).into_owned();
            if name.ends_with('/') {
                continue;
            }
            let refuse = |what: &str| Err(Error::new(Kind::Unsupported, format!("member {name:?}: {what}")));
            if flags & 1 != 0 {
                return refuse("it is encrypted, and encrypted archives are not read");
            }
            let codec = match method {
                0 => None,
                8 => Some(Codec::Deflate { crc }),
                12 => Some(Codec::Bzip2),
                93 => Some(Codec::Zstd),
                95 => Some(Codec::Xz),
                _ => return refuse("its compression is not read; deflate, bzip2, Zstandard and xz are"),
            };
            self.inside(place, LOCAL.saturating_add(packed))?;
            self.members.push(Member { name, at: place, size: packed, codec, whole: 0, archive: None });
        }
        self.next = if self.members.is_empty() { Next::Nothing } else { Next::Local(0) };
        Ok(())
    }
}

impl Probe for Directory {
    fn need(&mut self) -> Result<Option<Range<u64>>> {
        Ok(self.range())
    }

    fn push(&mut self, range: &Range<u64>, bytes: Bytes) -> Result<()> {
        if self.range().as_ref() != Some(range) {
            return Err(unasked(range));
        }
        match self.next {
            Next::End(_) => self.end(range.start, &bytes),
            Next::Large(_) => {
                if !bytes.starts_with(b"PK\x06\x06") {
                    return Err(cut());
                }
                self.directory(number(&bytes, 32, 8)?, number(&bytes, 48, 8)?, number(&bytes, 40, 8)?)
            }
            Next::Directory(_) => self.entries(&bytes),
            Next::Local(i) => {
                if !bytes.starts_with(b"PK\x03\x04") {
                    return Err(Error::data(format!(
                        "member {:?} does not begin where the directory says",
                        self.members[i].name
                    )));
                }
                let start = range.end + number(&bytes, 26, 2)? + number(&bytes, 28, 2)?;
                let member = &self.members[i];
                self.inside(start, member.size)?;
                self.members[i].at = start;
                self.next = if i + 1 < self.members.len() { Next::Local(i + 1) } else { Next::Nothing };
                Ok(())
            }
            Next::Nothing => Err(unasked(range)),
        }
    }

    fn result(self: Box<Self>) -> Result<ProbeResult> {
        Ok(found(Listed { members: self.members, gone: Vec::new() }))
    }
}
