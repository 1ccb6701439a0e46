//! Sparse members: files with holes, of which an archive has only the rest. GNU's old format and its pax formats 0.0, 0.1
//! and 1.0 ("Storing Sparse Files", GNU tar manual, D.1 to D.3).

use bytes::Bytes;

use super::BLOCK;
use super::number::number;
use crate::error::{Error, Result};
use crate::format::too_large;

/// `(place in the file, bytes)` of what an archive has of a file.
type Parts = Vec<(u64, u64)>;

/// What a header says of a member with holes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Sparse {
    /// How long the file is.
    pub(super) size: u64,
    /// What the archive has of it; absent where the content begins with them.
    pub(super) parts: Option<Parts>,
}

fn bad(what: &str) -> Error {
    Error::data(format!("a sparse member whose map is damaged: {what}"))
}

impl Sparse {
    /// The file, its holes filled with zeros. `most`: the bytes that one member may have.
    pub(super) fn expanded(&self, content: &[u8], most: usize) -> Result<Bytes> {
        if self.size > most as u64 {
            return Err(Error::data(too_large(format_args!("a member of {} bytes", self.size), most)));
        }
        let (parts, mut from) = match &self.parts {
            Some(parts) => (parts.clone(), content),
            None => leading(content)?,
        };
        let mut file = vec![0; self.size as usize];
        for (at, length) in parts {
            let length = usize::try_from(length).map_err(|_| bad("a part of more than 2^64 bytes"))?;
            let to = usize::try_from(at).ok().and_then(|at| file.get_mut(at..at.checked_add(length)?));
            let (Some(to), Some(part)) = (to, from.get(..length)) else {
                return Err(bad("a part that is not in the file"));
            };
            to.copy_from_slice(part);
            from = &from[length..];
        }
        Ok(file.into())
    }
}

/// The map at the beginning of a content, and what follows it: numbers, one a line, filled up to whole blocks.
fn leading(content: &[u8]) -> Result<(Parts, &[u8])> {
    let mut at = 0;
    let mut next = || -> Result<u64> {
        let rest = content.get(at..).unwrap_or(&[]);
        let end = rest.iter().take(24).position(|b| *b == b'\n').ok_or_else(|| bad("a number without an end"))?;
        at += end + 1;
        decimal(&rest[..end])
    };
    let count = next()?;
    let mut parts = Vec::new();
    for _ in 0..count {
        parts.push((next()?, next()?));
    }
    Ok((parts, content.get(at.next_multiple_of(BLOCK)..).unwrap_or(&[])))
}

/// A number in decimal digits.
pub(super) fn decimal(digits: &[u8]) -> Result<u64> {
    std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok()).ok_or_else(|| bad("what is no number"))
}

/// A map of pax format 0.1: `place,bytes,place,bytes`.
pub(super) fn listed(value: &[u8]) -> Result<Parts> {
    let numbers =
        value.split(|b| *b == b',').filter(|part| !part.is_empty()).map(decimal).collect::<Result<Vec<_>>>()?;
    if !numbers.len().is_multiple_of(2) {
        return Err(bad("a part without a length"));
    }
    Ok(numbers.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect())
}

/// The map of GNU's old format, in the header and in the blocks that extend it. `data`: from the header on. Gives the
/// map and where the content begins, or how much of the archive is needed.
pub(super) fn old(data: &[u8], header: usize) -> Result<std::result::Result<(Sparse, usize), usize>> {
    let block = &data[header..header + BLOCK];
    let size = number(&block[483..495])?;
    let mut parts = Vec::new();
    let entries = |from: &[u8], parts: &mut Vec<(u64, u64)>| -> Result<()> {
        for entry in from.chunks_exact(24) {
            if entry[0] == 0 {
                break;
            }
            parts.push((number(&entry[..12])?, number(&entry[12..])?));
        }
        Ok(())
    };
    entries(&block[386..482], &mut parts)?;
    let (mut more, mut at) = (block[482] != 0, header + BLOCK);
    while more {
        let Some(block) = data.get(at..at + BLOCK) else { return Ok(Err(at + BLOCK)) };
        entries(&block[..504], &mut parts)?;
        more = block[504] != 0;
        at += BLOCK;
    }
    Ok(Ok((Sparse { size, parts: Some(parts) }, at)))
}
