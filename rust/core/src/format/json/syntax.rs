//! JSON's grammar (RFC 8259), read where it stands: nothing is built but what a caller asks for.

use std::borrow::Cow;

/// Arrays and objects may lie this deep in each other.
const DEEPEST: usize = 256;

/// What is wrong with a line, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::format) struct Fault {
    /// The byte of the line.
    pub(in crate::format) at: usize,
    /// The field, from the outermost name on.
    pub(in crate::format) path: Vec<String>,
    pub(in crate::format) what: String,
    /// What the field would have to be for the value to fit, as `features=` says it; none for bad syntax.
    pub(in crate::format) feature: Option<String>,
}

impl Fault {
    pub(in crate::format) fn new(at: usize, what: impl Into<String>) -> Self {
        Self { at, path: Vec::new(), what: what.into(), feature: None }
    }

    pub(in crate::format) fn within(mut self, name: &str) -> Self {
        self.path.insert(0, name.to_owned());
        self
    }
}

pub(in crate::format) type Parsed<T> = Result<T, Fault>;

/// A number: its text says which of these it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::format) enum Number {
    Int(i64),
    /// An integer above those of 64 bits with a sign.
    Big(u64),
    /// An integer of more than 64 bits, as the nearest float.
    Huge(f64),
    Float(f64),
}

/// A string: where its bytes lie, and whether some of them are escapes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::format) struct Text {
    pub(in crate::format) start: usize,
    pub(in crate::format) end: usize,
    pub(in crate::format) escaped: bool,
}

/// Reads one line, which is valid UTF-8.
pub(in crate::format) struct Reader<'a> {
    pub(in crate::format) bytes: &'a [u8],
    pub(in crate::format) at: usize,
}

impl<'a> Reader<'a> {
    pub(in crate::format) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// The next byte that is no space, not taken.
    #[inline]
    pub(in crate::format) fn peek(&mut self) -> Parsed<u8> {
        while let Some(&byte) = self.bytes.get(self.at) {
            if !matches!(byte, b' ' | b'\t' | b'\r' | b'\n') {
                return Ok(byte);
            }
            self.at += 1;
        }
        Err(Fault::new(self.at, "the line ends in the middle of a value"))
    }

    /// Takes `byte`, which has to come next.
    #[inline]
    pub(in crate::format) fn expect(&mut self, byte: u8, what: &str) -> Parsed<()> {
        let found = self.peek()?;
        if found != byte {
            return Err(self.unexpected(what));
        }
        self.at += 1;
        Ok(())
    }

    pub(in crate::format) fn unexpected(&self, expected: &str) -> Fault {
        let rest = &self.bytes[self.at..];
        let found = std::str::from_utf8(rest).ok().and_then(|rest| rest.chars().next());
        Fault::new(
            self.at,
            format!("expected {expected}, found {}", found.map_or("the end".into(), |c| format!("{c:?}"))),
        )
    }

    /// Nothing but spaces may follow.
    pub(in crate::format) fn end(&mut self) -> Parsed<()> {
        match self.peek() {
            Err(_) => Ok(()),
            Ok(_) => Err(self.unexpected("the end of the line")),
        }
    }

    /// Goes through an array: `item` is called at each of its values, the bracket is still there.
    #[inline]
    pub(in crate::format) fn array(
        &mut self,
        depth: usize,
        mut item: impl FnMut(&mut Self) -> Parsed<()>,
    ) -> Parsed<()> {
        self.deeper(depth)?;
        self.at += 1;
        if self.peek()? == b']' {
            self.at += 1;
            return Ok(());
        }
        loop {
            item(self)?;
            match self.peek()? {
                b',' => self.at += 1,
                b']' => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return Err(self.unexpected("',' or ']'")),
            }
        }
    }

    /// Goes through an object: `field` is called after each name, at its value; the brace is still there.
    #[inline]
    pub(in crate::format) fn object(
        &mut self,
        depth: usize,
        mut field: impl FnMut(&mut Self, Text) -> Parsed<()>,
    ) -> Parsed<()> {
        self.deeper(depth)?;
        self.at += 1;
        if self.peek()? == b'}' {
            self.at += 1;
            return Ok(());
        }
        loop {
            if self.peek()? != b'"' {
                return Err(self.unexpected("a name in quotes"));
            }
            let name = self.string()?;
            self.expect(b':', "':'")?;
            self.peek()?;
            field(self, name)?;
            match self.peek()? {
                b',' => self.at += 1,
                b'}' => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return Err(self.unexpected("',' or '}'")),
            }
        }
    }

    fn deeper(&self, depth: usize) -> Parsed<()> {
        if depth > DEEPEST {
            Err(Fault::new(self.at, format!("values nested more than {DEEPEST} deep")))
        } else {
            Ok(())
        }
    }

    /// A string; the quote is still there.
    #[inline]
    pub(in crate::format) fn string(&mut self) -> Parsed<Text> {
        let start = self.at + 1;
        let (mut at, mut escaped) = (start, false);
        loop {
            at += plain(&self.bytes[at..]);
            match self.bytes.get(at) {
                Some(b'"') => {
                    self.at = at + 1;
                    return Ok(Text { start, end: at, escaped });
                }
                Some(b'\\') => {
                    escaped = true;
                    at += self.escape(at)?;
                }
                Some(_) => return Err(Fault::new(at, "a control character in a string, which has to be escaped")),
                None => return Err(Fault::new(at, "a string without its closing quote")),
            }
        }
    }

    /// The length of the escape at `at`.
    fn escape(&self, at: usize) -> Parsed<usize> {
        let bad = || Fault::new(at, "an escape that JSON does not have");
        match self.bytes.get(at + 1).ok_or_else(bad)? {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Ok(2),
            b'u' => {
                let first = hex(self.bytes, at + 2).ok_or_else(bad)?;
                match first {
                    0xD800..=0xDBFF => match (self.bytes.get(at + 6..at + 8), hex(self.bytes, at + 8)) {
                        (Some(b"\\u"), Some(0xDC00..=0xDFFF)) => Ok(12),
                        _ => Err(Fault::new(at, "half of a surrogate pair, which is no character")),
                    },
                    0xDC00..=0xDFFF => Err(Fault::new(at, "half of a surrogate pair, which is no character")),
                    _ => Ok(6),
                }
            }
            _ => Err(bad()),
        }
    }

    /// The characters of a string.
    pub(in crate::format) fn text(&self, text: Text) -> Cow<'a, [u8]> {
        let raw = &self.bytes[text.start..text.end];
        if !text.escaped {
            return Cow::Borrowed(raw);
        }
        let mut out = Vec::with_capacity(raw.len());
        unescape(raw, &mut out);
        Cow::Owned(out)
    }

    /// A number; its first byte is still there.
    #[inline]
    pub(in crate::format) fn number(&mut self) -> Parsed<Number> {
        let start = self.at;
        let bytes = self.bytes;
        let digits = |from: usize| bytes[from..].iter().take_while(|b| b.is_ascii_digit()).count();
        let minus = bytes[start] == b'-';
        let whole = start + usize::from(minus);
        let n = digits(whole);
        let mut at = whole + n;
        if n == 0 {
            return self.no_digits(whole, minus);
        }
        if n > 1 && bytes[whole] == b'0' {
            return Err(Fault::new(start, "a number with a leading zero"));
        }
        let mut float = false;
        if bytes.get(at) == Some(&b'.') {
            let n = digits(at + 1);
            if n == 0 {
                return Err(Fault::new(at, "a number without digits after its point"));
            }
            (float, at) = (true, at + 1 + n);
        }
        if matches!(bytes.get(at), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
            let n = digits(at + 1 + sign);
            if n == 0 {
                return Err(Fault::new(at, "a number without digits in its exponent"));
            }
            (float, at) = (true, at + 1 + sign + n);
        }
        self.at = at;
        let small =
            bytes[whole..at].iter().take(18).fold(0_i64, |sum, b| sum.wrapping_mul(10).wrapping_add(i64::from(b & 15)));
        if !float && n <= 18 {
            return Ok(Number::Int(if minus { -small } else { small }));
        }
        let text = std::str::from_utf8(&bytes[start..at]).unwrap_or_default();
        if !float {
            if let Ok(int) = text.parse() {
                return Ok(Number::Int(int));
            }
            if let Ok(big) = text.parse() {
                return Ok(Number::Big(big));
            }
        }
        match text.parse::<f64>() {
            Ok(value) if value.is_finite() => Ok(if float { Number::Float(value) } else { Number::Huge(value) }),
            _ => Err(Fault::new(start, "a number that is too large for 64 bits")),
        }
    }

    /// A number that is a word: JSON has none, and Python writes them. `at`: where the word begins.
    #[cold]
    fn no_digits(&mut self, at: usize, minus: bool) -> Parsed<Number> {
        for (word, value) in [("NaN", f64::NAN), ("Infinity", f64::INFINITY), ("Inf", f64::INFINITY)] {
            let rest = self.bytes[at..].strip_prefix(word.as_bytes());
            if rest.is_some_and(|rest| !rest.first().is_some_and(u8::is_ascii_alphanumeric)) {
                self.at = at + word.len();
                return Ok(Number::Float(if minus { -value } else { value }));
            }
        }
        Err(self.unexpected("a value"))
    }

    /// `true`, `false` or `null`.
    #[inline]
    pub(in crate::format) fn word(&mut self, word: &str) -> Parsed<()> {
        if self.bytes[self.at..].starts_with(word.as_bytes()) {
            self.at += word.len();
            return Ok(());
        }
        Err(self.unexpected("a value"))
    }

    /// Passes over a value, which has to be one.
    pub(in crate::format) fn skip(&mut self, depth: usize) -> Parsed<()> {
        match self.peek()? {
            b'"' => self.string().map(drop),
            b'{' => self.object(depth, |reader, _| reader.skip(depth + 1)),
            b'[' => self.array(depth, |reader| {
                reader.peek()?;
                reader.skip(depth + 1)
            }),
            b't' => self.word("true"),
            b'f' => self.word("false"),
            b'n' => self.word("null"),
            _ => self.number().map(drop),
        }
    }
}

/// How many bytes come before a quote, a backslash or a control character.
#[inline]
fn plain(bytes: &[u8]) -> usize {
    let (chunks, rest) = bytes.as_chunks::<16>();
    for (i, chunk) in chunks.iter().enumerate() {
        let stops = stops(chunk);
        if stops != 0 {
            return i * 16 + stops.trailing_zeros() as usize;
        }
    }
    chunks.len() * 16 + rest.iter().position(|b| stop(*b)).unwrap_or(rest.len())
}

/// Whether a string cannot simply go on.
fn stop(byte: u8) -> bool {
    matches!(byte, b'"' | b'\\' | ..0x20)
}

/// A bit for each byte at which `stop` is true.
#[inline]
#[cfg(target_arch = "x86_64")]
fn stops(chunk: &[u8; 16]) -> u32 {
    use std::arch::x86_64::{
        _mm_cmpeq_epi8, _mm_loadu_si128, _mm_min_epu8, _mm_movemask_epi8, _mm_or_si128, _mm_set1_epi8,
    };
    // SAFETY: every x86_64 has SSE2, and 16 bytes are read of 16.
    unsafe {
        let bytes = _mm_loadu_si128(chunk.as_ptr().cast());
        let quote = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(b'"'.cast_signed()));
        let slash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(b'\\'.cast_signed()));
        let control = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1F)), bytes);
        _mm_movemask_epi8(_mm_or_si128(_mm_or_si128(quote, slash), control)).cast_unsigned()
    }
}

/// A bit for each byte at which `stop` is true.
#[inline]
#[cfg(not(target_arch = "x86_64"))]
fn stops(chunk: &[u8; 16]) -> u32 {
    (0..16).fold(0, |bits, i| bits | u32::from(stop(chunk[i])) << i)
}

fn hex(bytes: &[u8], at: usize) -> Option<u32> {
    let digits = bytes.get(at..at + 4)?;
    digits.iter().try_fold(0, |n, b| Some(n << 4 | char::from(*b).to_digit(16)?))
}

/// Writes the characters of a string whose escapes were checked.
pub(in crate::format) fn unescape(mut raw: &[u8], out: &mut Vec<u8>) {
    while let Some(at) = memchr::memchr(b'\\', raw) {
        out.extend_from_slice(&raw[..at]);
        let length = match raw.get(at + 1) {
            Some(b'u') => {
                let first = hex(raw, at + 2).unwrap_or(0xFFFD);
                let (code, length) = match (first, hex(raw, at + 8)) {
                    (0xD800..=0xDBFF, Some(second)) => (0x10000 + ((first & 0x3FF) << 10) + (second & 0x3FF), 12),
                    _ => (first, 6),
                };
                out.extend_from_slice(char::from_u32(code).unwrap_or('\u{FFFD}').encode_utf8(&mut [0; 4]).as_bytes());
                length
            }
            other => {
                out.push(match other {
                    Some(b'b') => 8,
                    Some(b'f') => 12,
                    Some(b'n') => b'\n',
                    Some(b'r') => b'\r',
                    Some(b't') => b'\t',
                    Some(same) => *same,
                    None => b'\\',
                });
                2
            }
        };
        raw = &raw[(at + length).min(raw.len())..];
    }
    out.extend_from_slice(raw);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Parsed<Number> {
        let mut reader = Reader::new(text.as_bytes());
        let number = reader.number()?;
        reader.end()?;
        Ok(number)
    }

    #[test]
    fn numbers_are_what_their_text_says() {
        for (text, value) in [
            ("0", Number::Int(0)),
            ("-0", Number::Int(0)),
            ("-12", Number::Int(-12)),
            ("9223372036854775807", Number::Int(i64::MAX)),
            ("-9223372036854775808", Number::Int(i64::MIN)),
            ("9223372036854775808", Number::Big(1 << 63)),
            ("18446744073709551616", Number::Huge(18_446_744_073_709_551_616.0)),
            ("0.1", Number::Float(0.1)),
            ("-1.5e-3", Number::Float(-0.0015)),
            ("1E400".get(..3).unwrap_or(""), Number::Float(1e4)),
            ("Infinity", Number::Float(f64::INFINITY)),
            ("-Inf", Number::Float(f64::NEG_INFINITY)),
        ] {
            assert_eq!(number(text), Ok(value), "{text}");
        }
        for nan in ["NaN", "-NaN"] {
            assert!(matches!(number(nan), Ok(Number::Float(value)) if value.is_nan()), "{nan}");
        }
        for wrong in [
            "",
            "-",
            "01",
            "1.",
            ".5",
            "1e",
            "+1",
            "1E400",
            "0x1",
            "1_000",
            "nan",
            "NaNs",
            "+Infinity",
            "Infinit",
            "--Inf",
            "N",
            "1 2",
        ] {
            assert!(wrong.is_empty() || number(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn escapes_are_the_characters_they_stand_for() {
        let json = br#""a\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00 and a plain rest that is long enough for a vector""#;
        let mut reader = Reader::new(json);
        let text = reader.string().map(|text| reader.text(text).into_owned());
        assert_eq!(
            text,
            Ok("a\"\\/\u{8}\u{c}\n\r\té😀 and a plain rest that is long enough for a vector".as_bytes().to_vec())
        );
        for wrong in [r#""\x""#, r#""\u12"#, r#""\ud800""#, r#""\udc00""#, r#""\ud800A""#, "\"a\nb\"", "\"open"] {
            assert!(Reader::new(wrong.as_bytes()).string().is_err(), "{wrong}");
        }
    }
}
