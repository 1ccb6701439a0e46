//! Rows and fields of CSV, found where they stand: <https://www.rfc-editor.org/rfc/rfc4180>, and beyond it what pandas
//! reads.
//!
//! Sixty-four bytes at a time become bits: where quotes, delimiters and line ends are; what is inside quotes is the
//! running parity of the quotes. That holds where quotes open only at the start of a field. A block where one does not
//! is gone through byte by byte, as pandas does: such a quote is a character like any other.

use super::Csv;

/// Set in a field's end where its text is not simply what stands there.
const QUOTED: u32 = 1 << 31;

/// The fields of some rows: where each begins and ends.
#[derive(Debug, Default)]
pub(super) struct Fields {
    places: Vec<(u32, u32)>,
    /// After each row, how many fields there are.
    rows: Vec<u32>,
}

impl Fields {
    pub(super) fn clear(&mut self) {
        self.places.clear();
        self.rows.clear();
    }

    pub(super) fn rows(&self) -> usize {
        self.rows.len()
    }

    /// The fields of a row.
    pub(super) fn row(&self, i: usize) -> &[(u32, u32)] {
        let start = i.checked_sub(1).map_or(0, |before| self.rows[before]);
        &self.places[start as usize..self.rows[i] as usize]
    }

    /// The fields of rows that all have `width`, one after another.
    pub(super) fn regular(&self, from: usize, width: usize) -> Option<&[(u32, u32)]> {
        let start = from.checked_sub(1).map_or(0, |before| self.rows[before] as usize);
        let mut end = start as u32;
        for rows in &self.rows[from..] {
            end += width as u32;
            if *rows != end {
                return None;
            }
        }
        Some(&self.places[start..])
    }

    /// Ends a row with a field: one that has nothing but blanks is none, as pandas has it, unless a comment follows
    /// them.
    fn end(&mut self, csv: &Csv, block: &[u8], (start, end): (usize, usize), quoted: bool, commented: bool) {
        let alone = self.rows.last().copied().unwrap_or(0) as usize == self.places.len() && !quoted;
        let blank =
            || start == end || (!commented && block[start..end].iter().all(|byte| matches!(byte, b' ' | b'\t')));
        if !(alone && csv.skip_blank_lines && blank()) {
            self.field(start, end, quoted);
            self.rows.push(self.places.len() as u32);
        }
    }

    #[inline]
    fn field(&mut self, start: usize, end: usize, quoted: bool) {
        self.places.push((start as u32, end as u32 | if quoted { QUOTED } else { 0 }));
    }
}

/// The text of a field; `side` is for one that does not stand in the block as it is.
#[inline]
pub(super) fn text<'a>(csv: &Csv, block: &'a [u8], (start, end): (u32, u32), side: &'a mut Vec<u8>) -> &'a [u8] {
    if end & QUOTED == 0 {
        return &block[start as usize..end as usize];
    }
    let raw = &block[start as usize..(end & !QUOTED) as usize];
    let quote = csv.quote.unwrap_or(0);
    if csv.escape.is_none()
        && let [first, inner @ .., last] = raw
        && *first == quote
        && *last == quote
        && memchr::memchr(quote, inner).is_none()
    {
        return inner;
    }
    side.clear();
    unquote(csv, raw, side);
    side
}

/// The text of a field with quotes in it, or escapes.
fn unquote(csv: &Csv, raw: &[u8], out: &mut Vec<u8>) {
    let (mut inside, mut at) = (false, 0);
    while at < raw.len() {
        let byte = raw[at];
        let next = raw.get(at + 1).copied();
        if Some(byte) == csv.escape {
            out.extend(next);
            at += 2;
            continue;
        }
        if Some(byte) == csv.quote {
            if inside && csv.doublequote && next == csv.quote {
                out.push(byte);
                at += 2;
                continue;
            }
            if inside {
                inside = false;
                at += 1;
                continue;
            }
            if at == 0 {
                inside = true;
                at += 1;
                continue;
            }
        }
        out.push(byte);
        at += 1;
    }
}

/// Finds the rows that are whole in the block, which begins with one. Gives how many bytes they are. `last`: nothing
/// follows. `Err`: where a quote opens that is not closed.
pub(super) fn split(csv: &Csv, block: &[u8], last: bool, fields: &mut Fields) -> Result<usize, usize> {
    if block.len() >= QUOTED as usize {
        return Err(0); // a row of more than 2 GiB
    }
    if csv.simple()
        && let Some(end) = fast(csv, block, last, fields)
    {
        return Ok(end);
    }
    fields.clear();
    slow(csv, block, last, fields)
}

/// What ends a row at the end of a file.
fn finish(csv: &Csv, block: &[u8], start: usize, quoted: bool, fields: &mut Fields) -> usize {
    let begun = fields.rows.last().copied().unwrap_or(0) as usize != fields.places.len();
    if start < block.len() || begun {
        fields.end(csv, block, (start, block.len()), quoted, false);
    }
    block.len()
}

fn fast(csv: &Csv, block: &[u8], last: bool, fields: &mut Fields) -> Option<usize> {
    let (mut start, mut whole) = (0, 0);
    // Whether the last byte was inside quotes, and whether a field may begin after it.
    let (mut inside, mut before) = (0_u64, 1_u64);
    let (delimiter, quote) = (csv.delimiter, csv.quote);
    let first = quote.unwrap_or(delimiter);
    let mut tail = [0; 64];
    let (chunks, rest) = block.as_chunks::<64>();
    let padded = (!rest.is_empty()).then(|| {
        tail[..rest.len()].copy_from_slice(rest);
        &tail
    });
    for (i, chunk) in chunks.iter().chain(padded).enumerate() {
        let base = i * 64;
        let [quotes, delimiters, mut newlines] = bits(chunk, first, delimiter);
        let quotes = if quote.is_some() { quotes } else { 0 };
        if base + 64 > block.len() {
            newlines &= (1 << (block.len() - base)) - 1;
        }
        let mut stops = delimiters | newlines;
        if quotes != 0 || inside != 0 {
            let within = parity(quotes) ^ inside;
            let may = (stops | quotes) << 1 | before;
            if quotes & within & !may != 0 {
                return None;
            }
            inside = (within.cast_signed() >> 63).cast_unsigned();
            stops &= !within;
        }
        before = (delimiters | newlines | quotes) >> 63;
        if base + 64 > block.len() {
            stops &= (1 << (block.len() - base)) - 1;
        }
        while stops != 0 {
            let at = base + stops.trailing_zeros() as usize;
            let bit = stops & stops.wrapping_neg();
            stops ^= bit;
            let quoted = quote.is_some_and(|quote| block[start] == quote);
            if newlines & bit == 0 {
                fields.field(start, at, quoted);
                start = at + 1;
                continue;
            }
            if block[at] == b'\n' && at > 0 && block[at - 1] == b'\r' && start == at {
                // The second byte of one line end.
                (start, whole) = (at + 1, at + 1);
                continue;
            }
            if block[at] == b'\r' && at + 1 == block.len() && !last {
                return Some(whole);
            }
            fields.end(csv, block, (start, at), quoted && at > start, false);
            (start, whole) = (at + 1, at + 1);
        }
    }
    if !last {
        // The fields of a row that is not whole.
        fields.places.truncate(fields.rows.last().copied().unwrap_or(0) as usize);
        return Some(whole);
    }
    if inside != 0 {
        return None; // where it opened, the slow way says
    }
    let quoted = quote.is_some_and(|quote| block.get(start) == Some(&quote));
    Some(finish(csv, block, start, quoted, fields))
}

/// The running parity of bits, from the lowest up.
fn parity(bits: u64) -> u64 {
    [1, 2, 4, 8, 16, 32].iter().fold(bits, |bits, n| bits ^ bits << n)
}

/// Bits for quotes, delimiters, and line ends.
#[inline]
#[cfg(target_arch = "x86_64")]
fn bits(chunk: &[u8; 64], quote: u8, delimiter: u8) -> [u64; 3] {
    use std::arch::x86_64::{_mm_cmpeq_epi8, _mm_loadu_si128, _mm_movemask_epi8, _mm_or_si128, _mm_set1_epi8};
    let mut out = [0; 3];
    for (i, part) in chunk.as_chunks::<16>().0.iter().enumerate() {
        // SAFETY: every x86_64 has SSE2, and 16 bytes are read of 16.
        unsafe {
            let bytes = _mm_loadu_si128(part.as_ptr().cast());
            let is = |byte: u8| _mm_cmpeq_epi8(bytes, _mm_set1_epi8(byte.cast_signed()));
            let mask = |bits| u64::from(_mm_movemask_epi8(bits).cast_unsigned()) << (i * 16);
            out[0] |= mask(is(quote));
            out[1] |= mask(is(delimiter));
            out[2] |= mask(_mm_or_si128(is(b'\n'), is(b'\r')));
        }
    }
    out
}

/// Bits for quotes, delimiters, and line ends.
#[inline]
#[cfg(not(target_arch = "x86_64"))]
fn bits(chunk: &[u8; 64], quote: u8, delimiter: u8) -> [u64; 3] {
    let mask = |wanted: &dyn Fn(u8) -> bool| (0..64).fold(0, |bits, i| bits | u64::from(wanted(chunk[i])) << i);
    [mask(&|b| b == quote), mask(&|b| b == delimiter), mask(&|b| b == b'\n' || b == b'\r')]
}

fn slow(csv: &Csv, block: &[u8], last: bool, fields: &mut Fields) -> Result<usize, usize> {
    let (mut at, mut whole) = (0, 0);
    'rows: while at < block.len() {
        let row = at;
        loop {
            if csv.skip_initial_space {
                while matches!(block.get(at), Some(b' ')) {
                    at += 1;
                }
            }
            // One field.
            let start = at;
            let mut quoted = false;
            let mut opened = None;
            if csv.quote.is_some() && block.get(at).copied() == csv.quote {
                (quoted, opened) = (true, Some(at));
                at += 1;
            }
            let mut comment = None;
            while let Some(&byte) = block.get(at) {
                if Some(byte) == csv.escape {
                    quoted = true;
                    at += 2;
                    continue;
                }
                if opened.is_some() {
                    if Some(byte) == csv.quote {
                        if csv.doublequote && block.get(at + 1).copied() == csv.quote {
                            at += 1;
                        } else if at + 1 == block.len() && !last {
                            // Whether another quote follows is not known.
                            break 'rows;
                        } else {
                            opened = None;
                        }
                    }
                    at += 1;
                    continue;
                }
                if byte == csv.delimiter || byte == b'\n' || byte == b'\r' {
                    break;
                }
                if Some(byte) == csv.comment {
                    comment = Some(at);
                    while block.get(at).is_some_and(|byte| *byte != b'\n' && *byte != b'\r') {
                        at += 1;
                    }
                    break;
                }
                at += 1;
            }
            if at >= block.len() {
                if !last {
                    break 'rows;
                }
                if let Some(opened) = opened {
                    return Err(opened);
                }
                let end = comment.unwrap_or(block.len());
                if comment.is_some() && end == row {
                    return Ok(block.len());
                }
                if end > start || start > row || quoted {
                    fields.end(csv, block, (start, end), quoted, comment.is_some());
                }
                return Ok(block.len());
            }
            let end = comment.unwrap_or(at);
            if block[at] == csv.delimiter && comment.is_none() {
                fields.field(start, end, quoted);
                at += 1;
                if at >= block.len() && !last {
                    break 'rows;
                }
                if at >= block.len() {
                    fields.end(csv, block, (at, at), false, false);
                    return Ok(block.len());
                }
                continue;
            }
            if block[at] == b'\r' && at + 1 == block.len() && !last {
                break 'rows;
            }
            // A line that is only a comment is no row.
            if !(comment.is_some() && end == row) {
                fields.end(csv, block, (start, end), quoted, comment.is_some());
            }
            at += if block[at..].starts_with(b"\r\n") { 2 } else { 1 };
            whole = at;
            break;
        }
    }
    fields.places.truncate(fields.rows.last().copied().unwrap_or(0) as usize);
    Ok(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(csv: &Csv, text: &str, fast_only: bool) -> Option<Vec<Vec<String>>> {
        let mut fields = Fields::default();
        let block = text.as_bytes();
        if fast_only {
            fast(csv, block, true, &mut fields)?;
        } else {
            slow(csv, block, true, &mut fields).ok()?;
        }
        let of = |place: &(u32, u32)| String::from_utf8_lossy(text_of(csv, block, *place).as_slice()).into_owned();
        Some((0..fields.rows()).map(|i| fields.row(i).iter().map(of).collect()).collect())
    }

    fn owned(rows: Vec<Vec<&str>>) -> Vec<Vec<String>> {
        rows.into_iter().map(|row| row.into_iter().map(str::to_owned).collect()).collect()
    }

    fn text_of(csv: &Csv, block: &[u8], place: (u32, u32)) -> Vec<u8> {
        text(csv, block, place, &mut Vec::new()).to_vec()
    }

    #[test]
    fn both_ways_find_the_same() {
        let csv = Csv::default();
        for (text, expected) in [
            ("a,b\n1,2\n", vec![vec!["a", "b"], vec!["1", "2"]]),
            ("a,b\r\n1,2", vec![vec!["a", "b"], vec!["1", "2"]]),
            ("a\r1\r\r2\r", vec![vec!["a"], vec!["1"], vec!["2"]]),
            ("\"a,\nb\",\"c\"\"d\"\n,\n", vec![vec!["a,\nb", "c\"d"], vec!["", ""]]),
            ("\"\"\n\n\"x\"", vec![vec![""], vec!["x"]]),
            ("\"ab\"c,d\n", vec![vec!["abc", "d"]]),
            (" \na,b\n \t \r\n1,2\n\t", vec![vec!["a", "b"], vec!["1", "2"]]),
            ("a\n\" \"\n , \n", vec![vec!["a"], vec![" "], vec![" ", " "]]),
        ] {
            let expected = owned(expected);
            assert_eq!(rows(&csv, text, true).as_deref(), Some(&expected[..]), "{text:?}");
            assert_eq!(rows(&csv, text, true), rows(&csv, text, false), "{text:?}");
        }
        // A quote inside a field is a character.
        assert_eq!(rows(&csv, "a\"b,c\n", true), None);
        assert_eq!(rows(&csv, "a\"b,c\n", false), Some(vec![vec!["a\"b".into(), "c".into()]]));
        assert_eq!(rows(&csv, "\"open\n", true), None);
        assert_eq!(rows(&csv, "\"open\n", false), None);
    }
}
