//! Text of other encodings than UTF-8, as UTF-8. What becomes of bytes that are no text is as Python has it.

use std::fmt::Write;
use std::sync::Arc;

use encoding_rs::{Decoder, DecoderResult};
use serde::Deserialize;

use crate::error::{Error, Kind, Result};

const BOM: &[u8] = b"\xEF\xBB\xBF";

/// An encoding, and what becomes of bytes that are not of it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Encoding {
    /// Its name, as errors say it.
    pub name: String,
    /// What becomes of bytes that are no text.
    #[serde(default)]
    pub errors: Errors,
    /// How bytes are characters.
    pub units: Units,
}

/// What becomes of bytes that are no text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Errors {
    /// They are an error.
    #[default]
    Strict,
    /// They become the character U+FFFD.
    Replace,
    /// They are left out.
    Ignore,
    /// Each becomes `\xff`.
    BackslashReplace,
}

/// How bytes are characters.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Units {
    /// One byte each: what each of the 256 is, none where it is no text.
    Table(Vec<Option<String>>),
    /// UTF-8.
    Utf8,
    /// UTF-8, without the mark that it may begin with.
    Utf8Sig,
    /// UTF-16, big-endian or not; where that is not said, the mark says it that it begins with.
    Utf16(Option<bool>),
    /// UTF-32, likewise.
    Utf32(Option<bool>),
    /// Several bytes, as <https://encoding.spec.whatwg.org> has the name.
    Several,
}

/// A text as its bytes come.
pub(super) struct Transcoder {
    encoding: Arc<Encoding>,
    /// Bytes that are not a whole character yet.
    rest: Vec<u8>,
    /// How many bytes are behind.
    at: u64,
    /// Whether the first characters were read.
    begun: bool,
    big: bool,
    several: Option<Several>,
}

/// An encoding of several bytes a character.
struct Several {
    decoder: Decoder,
    /// The last bytes that were read, among which those that are no text are.
    seen: Vec<u8>,
}

/// The most bytes of a character, and those that show that it is none.
const MOST: usize = 8;

impl Transcoder {
    pub(super) fn new(encoding: &Arc<Encoding>) -> Result<Self> {
        let several = match &encoding.units {
            Units::Several => {
                let known = encoding_rs::Encoding::for_label(encoding.name.as_bytes());
                let known = known.ok_or_else(|| {
                    Error::new(Kind::Unsupported, format!("the encoding {:?} is not read", encoding.name))
                })?;
                Some(Several { decoder: known.new_decoder_without_bom_handling(), seen: Vec::new() })
            }
            Units::Table(table) if table.len() != 256 => {
                return Err(Error::new(Kind::Value, "a table of an encoding has 256 characters"));
            }
            _ => None,
        };
        let big = matches!(encoding.units, Units::Utf16(Some(true)) | Units::Utf32(Some(true)));
        Ok(Self { encoding: Arc::clone(encoding), rest: Vec::new(), at: 0, begun: false, big, several })
    }

    /// Adds the text of the next bytes; `last`: nothing follows them.
    pub(super) fn run(&mut self, bytes: &[u8], last: bool, out: &mut Vec<u8>) -> Result<()> {
        let encoding = Arc::clone(&self.encoding);
        if let Some(several) = &mut self.several {
            return several.run(&encoding, &mut self.at, bytes, last, out);
        }
        let joined;
        let mut all = bytes;
        if !self.rest.is_empty() {
            joined = [&self.rest[..], bytes].concat();
            all = &joined;
        }
        let Some(start) = self.begin(all, last) else {
            self.rest = all.to_vec();
            return Ok(());
        };
        let text = Text { encoding: &encoding, bytes: all, at: self.at };
        let used = match &encoding.units {
            Units::Table(table) => text.table(table, out)?,
            Units::Utf16(_) => text.utf16(start, self.big, last, out)?,
            Units::Utf32(_) => text.utf32(start, self.big, last, out)?,
            Units::Utf8 | Units::Utf8Sig | Units::Several => text.utf8(start, last, out)?,
        };
        self.at += used as u64;
        self.rest = all[used..].to_vec();
        Ok(())
    }

    /// Where the text begins after a mark; none where more bytes are needed to tell.
    fn begin(&mut self, bytes: &[u8], last: bool) -> Option<usize> {
        if self.begun {
            return Some(0);
        }
        let (little, big): (&[u8], &[u8]) = match self.encoding.units {
            Units::Utf8Sig => (BOM, BOM),
            Units::Utf16(None) => (&b"\xFF\xFE"[..], &b"\xFE\xFF"[..]),
            Units::Utf32(None) => (&b"\xFF\xFE\0\0"[..], &b"\0\0\xFE\xFF"[..]),
            _ => (&BOM[..0], &BOM[..0]),
        };
        if bytes.len() < little.len() && !last {
            return None;
        }
        self.begun = true;
        let marked = !little.is_empty() && (bytes.starts_with(little) || bytes.starts_with(big));
        self.big |= marked && little != big && bytes.starts_with(big);
        Some(if marked { little.len() } else { 0 })
    }
}

/// Bytes that become text.
struct Text<'a> {
    encoding: &'a Encoding,
    bytes: &'a [u8],
    /// Where they begin in the file.
    at: u64,
}

impl Text<'_> {
    /// Bytes that are no text.
    fn bad(&self, from: usize, upto: usize, out: &mut Vec<u8>) -> Result<()> {
        bad(self.encoding, &self.bytes[from..upto], self.at + from as u64, out)
    }

    fn table(&self, table: &[Option<String>], out: &mut Vec<u8>) -> Result<usize> {
        for (i, byte) in self.bytes.iter().enumerate() {
            match &table[usize::from(*byte)] {
                Some(text) => out.extend_from_slice(text.as_bytes()),
                None => self.bad(i, i + 1, out)?,
            }
        }
        Ok(self.bytes.len())
    }

    fn utf8(&self, start: usize, last: bool, out: &mut Vec<u8>) -> Result<usize> {
        let mut at = start;
        loop {
            let error = match std::str::from_utf8(&self.bytes[at..]) {
                Ok(text) => {
                    out.extend_from_slice(text.as_bytes());
                    return Ok(self.bytes.len());
                }
                Err(error) => error,
            };
            let valid = at + error.valid_up_to();
            out.extend_from_slice(&self.bytes[at..valid]);
            at = match error.error_len() {
                Some(n) => valid + n,
                None if last => self.bytes.len(),
                None => return Ok(valid),
            };
            self.bad(valid, at, out)?;
        }
    }

    fn utf16(&self, start: usize, big: bool, last: bool, out: &mut Vec<u8>) -> Result<usize> {
        let unit = |at: usize| {
            let pair = [self.bytes[at], self.bytes[at + 1]];
            if big { u16::from_be_bytes(pair) } else { u16::from_le_bytes(pair) }
        };
        let mut at = start;
        while at + 2 <= self.bytes.len() {
            let first = unit(at);
            let high = matches!(first, 0xD800..=0xDBFF);
            if high && at + 4 > self.bytes.len() {
                break;
            }
            let pair = [first, if high { unit(at + 2) } else { 0 }];
            if let Some(Ok(made)) = char::decode_utf16(pair).next() {
                push(made, out);
                at += 2 * made.len_utf16();
            } else {
                self.bad(at, at + 2, out)?;
                at += 2;
            }
        }
        self.end(at, last, out)
    }

    fn utf32(&self, start: usize, big: bool, last: bool, out: &mut Vec<u8>) -> Result<usize> {
        let (whole, _) = self.bytes[start..].as_chunks::<4>();
        let mut at = start;
        for four in whole {
            match char::from_u32(if big { u32::from_be_bytes(*four) } else { u32::from_le_bytes(*four) }) {
                Some(made) => push(made, out),
                None => self.bad(at, at + 4, out)?,
            }
            at += 4;
        }
        self.end(at, last, out)
    }

    /// What is left of a text of units: no character, if nothing follows.
    fn end(&self, at: usize, last: bool, out: &mut Vec<u8>) -> Result<usize> {
        if last && at < self.bytes.len() {
            self.bad(at, self.bytes.len(), out)?;
            return Ok(self.bytes.len());
        }
        Ok(at)
    }
}

impl Several {
    fn run(&mut self, encoding: &Encoding, at: &mut u64, bytes: &[u8], last: bool, out: &mut Vec<u8>) -> Result<()> {
        let mut rest = bytes;
        loop {
            let start = out.len();
            out.resize(start + rest.len() * 3 + 64, 0);
            let (result, read, written) =
                self.decoder.decode_to_utf8_without_replacement(rest, &mut out[start..], last);
            out.truncate(start + written);
            self.seen.extend_from_slice(&rest[..read]);
            self.seen.drain(..self.seen.len().saturating_sub(MOST));
            *at += read as u64;
            rest = &rest[read..];
            match result {
                DecoderResult::InputEmpty => return Ok(()),
                DecoderResult::OutputFull => {}
                DecoderResult::Malformed(n, after) => {
                    let upto = self.seen.len().saturating_sub(usize::from(after));
                    let from = upto.saturating_sub(usize::from(n));
                    bad(encoding, &self.seen[from..upto], at.saturating_sub((self.seen.len() - from) as u64), out)?;
                }
            }
        }
    }
}

fn push(one: char, out: &mut Vec<u8>) {
    out.extend_from_slice(one.encode_utf8(&mut [0; 4]).as_bytes());
}

/// What becomes of bytes that are no text, at a place of the file.
fn bad(encoding: &Encoding, bytes: &[u8], at: u64, out: &mut Vec<u8>) -> Result<()> {
    match encoding.errors {
        Errors::Strict => {
            let what = format!(
                "the bytes {} are not {}; is encoding= right? encoding_errors=\"replace\", \"ignore\" or \
                 \"backslashreplace\" reads on",
                shown(bytes),
                encoding.name
            );
            return Err(Error::data(what).at(format_args!("byte {at}")));
        }
        Errors::Replace => push(char::REPLACEMENT_CHARACTER, out),
        Errors::Ignore => {}
        Errors::BackslashReplace => out.extend_from_slice(shown(bytes).as_bytes()),
    }
    Ok(())
}

/// Bytes as Python writes them.
fn shown(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "\\x{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(units: &Units, errors: Errors, bytes: &[u8], step: usize) -> Result<String> {
        let encoding = Arc::new(Encoding { name: "gb18030".into(), errors, units: units.clone() });
        let (mut made, mut out) = (Transcoder::new(&encoding)?, Vec::new());
        for part in bytes.chunks(step) {
            made.run(part, false, &mut out)?;
        }
        made.run(&[], true, &mut out)?;
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn however_it_is_cut() {
        let latin: Vec<Option<String>> =
            (0..=255_u8).map(|byte| (byte != 0x81).then(|| char::from(byte).to_string())).collect();
        let little: Vec<u8> = "\u{FEFF}é𝄞x".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = "\u{FEFF}é𝄞x".encode_utf16().flat_map(u16::to_be_bytes).collect();
        let wide: Vec<u8> = "\u{FEFF}é𝄞x".chars().flat_map(|c| u32::from(c).to_be_bytes()).collect();
        for (units, bytes, expected) in [
            (Units::Table(latin), &b"a\xE9\xFF"[..], "aéÿ"),
            (Units::Utf8Sig, "\u{FEFF}é𝄞x".as_bytes(), "é𝄞x"),
            (Units::Utf8, "\u{FEFF}é𝄞x".as_bytes(), "\u{FEFF}é𝄞x"),
            (Units::Utf16(None), &little[..], "é𝄞x"),
            (Units::Utf16(None), &big[..], "é𝄞x"),
            (Units::Utf16(Some(true)), &big[..], "\u{FEFF}é𝄞x"),
            (Units::Utf32(None), &wide[..], "é𝄞x"),
            (Units::Several, &b"x\x81\x30\x89\x38\xA8\xA6"[..], "xßé"),
        ] {
            for step in 1..=bytes.len() {
                assert_eq!(read(&units, Errors::Strict, bytes, step).unwrap(), expected, "{units:?} {step}");
            }
        }
    }

    #[test]
    fn what_is_no_text_is_as_python_has_it() {
        let ascii: Vec<Option<String>> =
            (0..=255_u8).map(|byte| byte.is_ascii().then(|| char::from(byte).to_string())).collect();
        for (units, bytes, replaced, shown) in [
            (Units::Table(ascii), &b"a\xE9b"[..], "a\u{FFFD}b", "a\\xe9b"),
            (Units::Utf8, &b"a\xE9\xA9x\xFF\xF0\x9D"[..], "a\u{FFFD}x\u{FFFD}\u{FFFD}", "a\\xe9\\xa9x\\xff\\xf0\\x9d"),
            (
                Units::Utf16(None),
                &b"x\0\0\xD8y\0\0\xDC\0"[..],
                "x\u{FFFD}y\u{FFFD}\u{FFFD}",
                "x\\x00\\xd8y\\x00\\xdc\\x00",
            ),
            (Units::Utf16(None), &b"x\0\0\xD8\0"[..], "x\u{FFFD}", "x\\x00\\xd8\\x00"),
            (
                Units::Utf32(Some(false)),
                &b"x\0\0\0\0\xD8\0\0y\0"[..],
                "x\u{FFFD}\u{FFFD}",
                "x\\x00\\xd8\\x00\\x00\\x79\\x00",
            ),
        ] {
            for step in 1..=bytes.len() {
                assert_eq!(read(&units, Errors::Replace, bytes, step).unwrap(), replaced, "{units:?} {step}");
                assert_eq!(read(&units, Errors::BackslashReplace, bytes, step).unwrap(), shown, "{units:?} {step}");
                assert_eq!(
                    read(&units, Errors::Ignore, bytes, step).unwrap(),
                    replaced.replace('\u{FFFD}', ""),
                    "{units:?} {step}"
                );
                assert!(
                    read(&units, Errors::Strict, bytes, step).unwrap_err().to_string().contains("byte "),
                    "{units:?}"
                );
            }
        }
    }
}
