//! Headers of a tar archive: ustar, GNU and star, pax records and GNU long names.

use std::fmt::Write as _;
use std::ops::Range;

use serde::Deserialize;

use super::BLOCK;
use super::number::number;
use super::sparse::{self, Sparse};
use crate::error::{Error, Result};

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
        /// What it lacks of the file.
        sparse: Option<Box<Sparse>>,
        /// Whether its name was not UTF-8; it is then escaped.
        odd: bool,
        /// Where the next header begins.
        next: u64,
    },
    Link {
        /// Its name, and what it names.
        name: String,
        target: String,
        /// Whether that is from its own folder on, and may stand anywhere; else from the top, and before it.
        symbolic: bool,
        odd: bool,
        next: u64,
    },
    /// So many bytes have to be there, from the header on.
    Short(u64),
    /// A block of the marker of the archive's end. Another archive may follow.
    End,
    /// What follows the marker, and is no archive.
    Rest,
}

impl Entry {
    /// The name of a member or a link.
    pub(super) fn name(&self) -> Option<&str> {
        match self {
            Self::Member { name, .. } | Self::Link { name, .. } => Some(name),
            Self::Short(_) | Self::End | Self::Rest => None,
        }
    }
}

/// What pax records and long names say of the next member.
#[derive(Default)]
struct More {
    name: Option<String>,
    link: Option<String>,
    size: Option<u64>,
    /// Whether a name is not UTF-8.
    odd: bool,
    sparse: Option<Sparse>,
    /// Places and lengths of pax format 0.0, one after another.
    parts: Vec<u64>,
    /// The name that a sparse member has, whatever the others say.
    real: Option<String>,
}

/// Reads the header at the start of `data`, with those that extend it. `marked`: whether it follows an end marker,
/// where there may be anything; but what says that it is a header is one, or damaged. `names`: how those are read.
pub(super) fn read(data: &[u8], marked: bool, names: Naming) -> Result<Entry> {
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
                    b'x' | b'X' => pax(bytes, &mut more, names)?,
                    b'L' => more.name = Some(names.text(bytes, &mut more.odd)),
                    b'K' => more.link = Some(names.text(bytes, &mut more.odd)),
                    // Global records are comments in practice.
                    _ => {}
                }
                at = next as usize;
            }
            b'0' | b'7' | 0 | b'S' => {
                let mut odd = more.odd;
                let name = match more.real.take().or(more.name.take()) {
                    Some(name) => name,
                    None => name_of(block, names, &mut odd),
                };
                if kind == b'S' {
                    let (sparse, start) = match sparse::old(data, at)? {
                        Ok(found) => found,
                        Err(n) => return Ok(Entry::Short(n as u64)),
                    };
                    let content = start as u64..start as u64 + (content.end - content.start);
                    let next = content.end.next_multiple_of(BLOCK as u64);
                    return Ok(Entry::Member { name, content, sparse: Some(Box::new(sparse)), odd, next });
                }
                let sparse = more.finished()?;
                return Ok(Entry::Member { name, content, sparse, odd, next });
            }
            b'1' | b'2' => {
                let mut odd = more.odd;
                let name = match more.name.take() {
                    Some(name) => name,
                    None => name_of(block, names, &mut odd),
                };
                let target = more.link.take().unwrap_or_else(|| names.text(&block[157..257], &mut odd));
                return Ok(Entry::Link { name, target, symbolic: kind == b'2', odd, next });
            }
            b'5' => {
                let mut odd = more.odd;
                let mut name = match more.name.take() {
                    Some(name) => name,
                    None => name_of(block, names, &mut odd),
                };
                if !name.ends_with('/') {
                    name.push('/');
                }
                return Ok(Entry::Member { name, content, sparse: None, odd: false, next });
            }
            _ => return Ok(Entry::Member { name: String::new(), content, sparse: None, odd: false, next }),
        }
    }
}

/// How names are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub(super) enum Naming {
    /// As UTF-8.
    #[default]
    #[serde(rename = "utf-8")]
    Utf8,
    /// Bytes that are not UTF-8 as `\xNN`, and a backslash as two, so that no two names become one.
    #[serde(rename = "escape")]
    Escaped,
}

impl Naming {
    /// A name up to its end. `odd`: set where it is not UTF-8; then it is escaped.
    fn text(self, bytes: &[u8], odd: &mut bool) -> String {
        let bytes = bytes.split(|b| *b == 0).next().unwrap_or(&[]);
        match std::str::from_utf8(bytes) {
            Ok(text) if self == Self::Utf8 || !text.contains('\\') => text.to_owned(),
            Ok(text) => text.replace('\\', "\\\\"),
            Err(_) => {
                *odd = true;
                let mut name = String::new();
                for chunk in bytes.utf8_chunks() {
                    name.push_str(&chunk.valid().replace('\\', "\\\\"));
                    for byte in chunk.invalid() {
                        // Writing to a text does not fail.
                        let _ = write!(name, "\\x{byte:02x}");
                    }
                }
                name
            }
        }
    }
}

/// What is wrong with a name that is not UTF-8, and was escaped.
pub(super) fn not_utf8(name: &str) -> Error {
    Error::data(format!(
        "the name of a member is not UTF-8: \"{name}\"; names=\"escape\" keeps such names as they are shown here, and \
         on_error=\"skip\" leaves out their samples"
    ))
}

impl More {
    /// What pax records say of holes.
    fn finished(&mut self) -> Result<Option<Box<Sparse>>> {
        let Some(mut sparse) = self.sparse.take() else { return Ok(None) };
        if !self.parts.is_empty() {
            if !self.parts.len().is_multiple_of(2) {
                return Err(Error::data("a sparse member whose map is damaged: a part without a length"));
            }
            sparse.parts = Some(self.parts.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect());
        }
        Ok(Some(Box::new(sparse)))
    }
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

fn name_of(block: &[u8], names: Naming, odd: &mut bool) -> String {
    let name = names.text(&block[..100], odd);
    // GNU's own format has times where the prefix is.
    let prefix = match (&block[257..263], &block[508..512]) {
        (b"ustar\0", b"tar\0") => names.text(&block[345..476], odd),
        (b"ustar\0", _) => names.text(&block[345..500], odd),
        _ => String::new(),
    };
    if prefix.is_empty() { name } else { format!("{prefix}/{name}") }
}

/// Records `length key=value\n`.
fn pax(mut bytes: &[u8], more: &mut More, names: Naming) -> Result<()> {
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
            b"path" => more.name = Some(names.text(value, &mut more.odd)),
            b"linkpath" => more.link = Some(names.text(value, &mut more.odd)),
            b"size" => {
                more.size =
                    Some(std::str::from_utf8(value).ok().and_then(|digits| digits.parse().ok()).ok_or_else(bad)?);
            }
            // Formats 0.0 and 0.1 say `size`, 1.0 `realsize`; in that the map is where the content is.
            b"GNU.sparse.size" | b"GNU.sparse.realsize" => {
                more.sparse.get_or_insert_default().size = sparse::decimal(value)?;
            }
            b"GNU.sparse.map" => more.sparse.get_or_insert_default().parts = Some(sparse::listed(value)?),
            b"GNU.sparse.offset" | b"GNU.sparse.numbytes" => more.parts.push(sparse::decimal(value)?),
            b"GNU.sparse.numblocks" => {
                more.sparse.get_or_insert_default().parts.get_or_insert_default();
            }
            b"GNU.sparse.name" => more.real = Some(names.text(value, &mut more.odd)),
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
}
