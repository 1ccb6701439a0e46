//! Headers of a tar archive: ustar, GNU and star, pax records and GNU long names.

use std::ops::Range;

use crate::error::{Error, Kind, Result};

pub(super) const BLOCK: usize = 512;

/// A pax record or a long name is not longer.
const LONGEST: u64 = 1 << 20;

/// One member, or what stands in place of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Entry {
    Member {
        /// Its name; one that ends with a slash where it is a folder, as old archives have them too; empty where it is
        /// no file.
        name: String,
        /// The bytes of its content, from the start of what was looked at.
        content: Range<u64>,
        /// Where the next header begins.
        next: u64,
    },
    Link {
        /// Its name, and what it names.
        name: String,
        target: String,
        /// Whether that is from its own folder on, and may stand anywhere; else from the top, and before it.
        symbolic: bool,
        next: u64,
    },
    /// So many bytes have to be there, from the header on.
    Short(u64),
    /// A block of the marker of the archive's end. Another archive may follow.
    End,
    /// What follows the marker, and is no archive.
    Rest,
}

/// What pax records and long names say of the next member.
#[derive(Default)]
struct More {
    name: Option<String>,
    link: Option<String>,
    size: Option<u64>,
}

/// Reads the header at the start of `data`, with those that extend it. `marked`: whether it follows an end marker,
/// where there may be anything; but what says that it is a header is one, or damaged.
pub(super) fn read(data: &[u8], marked: bool) -> Result<Entry> {
    let (mut at, mut more) = (0_usize, More::default());
    loop {
        let Some(block) = data.get(at..at + BLOCK) else { return Ok(Entry::Short((at + BLOCK) as u64)) };
        let sum = sum(block);
        if sum == 0 {
            return if at == 0 {
                Ok(Entry::End)
            } else {
                Err(Error::data("the archive ends after a header that extends another"))
            };
        }
        if at == 0 && marked && &block[257..262] != b"ustar" && check(block, sum).is_err() {
            return Ok(Entry::Rest);
        }
        check(block, sum)?;
        let declared = number(&block[124..136])?;
        let kind = block[156];
        let size = match kind {
            // Links, devices, folders and pipes have no content, whatever their size says.
            b'1'..=b'6' => 0,
            b'0' | b'7' | 0 => more.size.unwrap_or(declared),
            _ => declared,
        };
        let content = (at + BLOCK) as u64
            ..((at + BLOCK) as u64).checked_add(size).ok_or_else(|| Error::data("a member of more than 2^64 bytes"))?;
        let next = content
            .end
            .checked_next_multiple_of(BLOCK as u64)
            .ok_or_else(|| Error::data("a member of more than 2^64 bytes"))?;
        match kind {
            b'x' | b'X' | b'g' | b'L' | b'K' => {
                if size > LONGEST {
                    return Err(Error::data(format!("a header of {size} bytes, which is no name and no pax record")));
                }
                let Some(bytes) = data.get(content.start as usize..content.end as usize) else {
                    return Ok(Entry::Short(next));
                };
                match kind {
                    b'x' | b'X' => pax(bytes, &mut more)?,
                    b'L' => more.name = Some(text(bytes)?),
                    b'K' => more.link = Some(text(bytes)?),
                    // Global records are comments in practice.
                    _ => {}
                }
                at = next as usize;
            }
            b'S' => return Err(sparse()),
            b'0' | b'7' | 0 => {
                let name = match more.name.take() {
                    Some(name) => name,
                    None => name_of(block)?,
                };
                return Ok(Entry::Member { name, content, next });
            }
            b'1' | b'2' => {
                let name = more.name.take().map_or_else(|| name_of(block), Ok)?;
                let target = more.link.take().map_or_else(|| text(&block[157..257]), Ok)?;
                return Ok(Entry::Link { name, target, symbolic: kind == b'2', next });
            }
            b'5' => {
                let mut name = more.name.take().map_or_else(|| name_of(block), Ok)?;
                if !name.ends_with('/') {
                    name.push('/');
                }
                return Ok(Entry::Member { name, content, next });
            }
            _ => return Ok(Entry::Member { name: String::new(), content, next }),
        }
    }
}

fn sparse() -> Error {
    Error::new(
        Kind::Unsupported,
        "a sparse member, whose content is not in one piece; write the archive without --sparse",
    )
}

/// The sum of the bytes of a block: of eight at once, in lanes of 16 bits, which 128 bytes do not fill.
fn sum(block: &[u8]) -> u32 {
    const EVEN: u64 = 0x00FF_00FF_00FF_00FF;
    let lanes = |lanes: u64| (0..4).map(|i| (lanes >> (16 * i) & 0xFFFF) as u32).sum::<u32>();
    let (words, rest) = block.as_chunks::<8>();
    let words = words.iter().map(|word| u64::from_le_bytes(*word));
    let both = words.map(|word| (word & EVEN) + (word >> 8 & EVEN)).fold(0, u64::wrapping_add);
    lanes(both) + rest.iter().map(|b| u32::from(*b)).sum::<u32>()
}

/// Whether the sum of a header's bytes is what it says, its own field taken as spaces. Some writers took the bytes as
/// signed.
fn check(block: &[u8], sum: u32) -> Result<()> {
    let said = number(&block[148..156]);
    let sum = sum - self::sum(&block[148..156]) + 8 * 32;
    if said.as_ref().is_ok_and(|said| *said == u64::from(sum)) {
        return Ok(());
    }
    let signed: i64 = block
        .iter()
        .enumerate()
        .map(|(i, b)| if (148..156).contains(&i) { 32 } else { i64::from(b.cast_signed()) })
        .sum();
    if said.as_ref().is_ok_and(|said| i64::try_from(*said) == Ok(signed)) {
        return Ok(());
    }
    Err(Error::data("not a header of a tar archive: its checksum does not fit"))
}

/// A number in octal digits, or in binary where the first bit says so.
fn number(field: &[u8]) -> Result<u64> {
    let bad = || Error::data("a number in a header that is none");
    if field[0] & 0x80 != 0 {
        if field[0] != 0x80 {
            return Err(bad()); // below zero, or beyond any file
        }
        return field[1..]
            .iter()
            .try_fold(0_u64, |n, b| n.checked_mul(256)?.checked_add(u64::from(*b)))
            .ok_or_else(bad);
    }
    let digits = field.split(|b| *b == 0).next().unwrap_or(&[]).trim_ascii();
    digits
        .iter()
        .try_fold(0_u64, |n, b| {
            if (b'0'..=b'7').contains(b) { n.checked_mul(8)?.checked_add(u64::from(b - b'0')) } else { None }
        })
        .ok_or_else(bad)
}

fn text(bytes: &[u8]) -> Result<String> {
    let bytes = bytes.split(|b| *b == 0).next().unwrap_or(&[]);
    String::from_utf8(bytes.to_vec())
        .map_err(|_| Error::data(format!("a member's name is not UTF-8: {:?}", String::from_utf8_lossy(bytes))))
}

fn name_of(block: &[u8]) -> Result<String> {
    let name = text(&block[..100])?;
    // GNU's own format has times where the prefix is.
    let prefix = match (&block[257..263], &block[508..512]) {
        (b"ustar\0", b"tar\0") => text(&block[345..476])?,
        (b"ustar\0", _) => text(&block[345..500])?,
        _ => String::new(),
    };
    Ok(if prefix.is_empty() { name } else { format!("{prefix}/{name}") })
}

/// Records `length key=value\n`.
fn pax(mut bytes: &[u8], more: &mut More) -> Result<()> {
    let bad = || Error::data("a malformed pax record");
    while !bytes.is_empty() && bytes[0] != 0 {
        let space = bytes.iter().position(|b| *b == b' ').ok_or_else(bad)?;
        let length: usize =
            std::str::from_utf8(&bytes[..space]).ok().and_then(|digits| digits.parse().ok()).ok_or_else(bad)?;
        let record = bytes.get(space + 1..length).and_then(|record| record.strip_suffix(b"\n")).ok_or_else(bad)?;
        let equals = record.iter().position(|b| *b == b'=').ok_or_else(bad)?;
        let (key, value) = (&record[..equals], &record[equals + 1..]);
        match key {
            b"path" if value.is_empty() => more.name = None,
            b"path" | b"linkpath" if value.contains(&0) => return Err(bad()),
            b"path" => more.name = Some(text(value)?),
            b"linkpath" => more.link = Some(text(value)?),
            b"size" => {
                more.size =
                    Some(std::str::from_utf8(value).ok().and_then(|digits| digits.parse().ok()).ok_or_else(bad)?);
            }
            key if key.starts_with(b"GNU.sparse.") => return Err(sparse()),
            _ => {}
        }
        bytes = &bytes[length..];
    }
    Ok(())
}

/// Whether a name is of what people and their systems leave behind: hidden files and folders, and those of macOS.
pub(crate) fn left_behind(name: &str) -> bool {
    name.split('/').any(|part| (part.starts_with('.') && part != "." && part != "..") || part == "__MACOSX")
}

/// A member's sample and field, by the convention of WebDataset: the key is up to the first dot of the last part of the
/// path, folders kept. `None` for what belongs to no sample.
pub(super) fn sample(name: &str) -> Option<(&str, &str)> {
    let base = name.rfind('/').map_or(0, |i| i + 1);
    let dot = name[base..].find('.')?;
    (dot > 0 && !left_behind(name)).then(|| (&name[..base + dot], &name[base + dot + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_up_to_the_first_dot_with_its_folders() {
        assert_eq!(sample("a/b.c/000.seg.PNG"), Some(("a/b.c/000", "seg.PNG")));
        assert_eq!(sample("./7.json"), Some(("./7", "json")));
        for none in [
            "plain",
            "a.b/plain",
            ".hidden",
            "./.hidden",
            "a.b/.hidden.txt",
            "a/b/.hidden.txt",
            "a/._1.jpg",
            "__MACOSX/a/1.jpg",
            "a/",
            "",
        ] {
            assert_eq!(sample(none), None, "{none}");
        }
    }

    #[test]
    fn numbers_are_octal_or_binary() -> Result<()> {
        assert_eq!(number(b"0000644\0")?, 0o644);
        assert_eq!(number(b"   12 \0\0")?, 10);
        assert_eq!(number(b"\0\0\0\0\0\0\0\0")?, 0);
        assert_eq!(number(&[0x80, 0, 0, 0, 0, 0, 1, 0])?, 256);
        for wrong in
            [&b"0000689\0"[..], &[0xFF; 8], b"-1      ", &[0x80, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255]]
        {
            assert!(number(wrong).is_err(), "{wrong:?}");
        }
        Ok(())
    }
}
