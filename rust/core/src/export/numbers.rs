//! Numbers as text.

/// Adds an integer.
pub fn integer(out: &mut Vec<u8>, value: impl itoa::Integer) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// Adds a float with at most ten decimals, as the JSON writer of pandas does (`Buffer_AppendDoubleUnchecked` in its
/// `ultrajsonenc.c`): halves are rounded to even, and what is very large or very small has an exponent.
pub fn ten_decimals(out: &mut Vec<u8>, value: f64) {
    const PLACES: usize = 10;
    const POWER: f64 = 1e10;
    let size = value.abs();
    if size > 1e16 - 1.0 || (size != 0.0 && size < 1e-15) {
        return significant(out, value, PLACES);
    }
    if value < 0.0 {
        out.push(b'-');
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is from 0 to 1e16")]
    let mut whole = size as u64;
    #[expect(clippy::cast_precision_loss, reason = "as it is there")]
    let scaled = (size - whole as f64) * POWER;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is from 0 to 1e10")]
    let mut fraction = scaled as u64;
    #[expect(clippy::cast_precision_loss, reason = "it is at most 1e10")]
    let rest = scaled - fraction as f64;
    #[expect(clippy::float_cmp, reason = "exactly half")]
    let half = rest == 0.5;
    if rest > 0.5 || (half && (fraction == 0 || fraction % 2 == 1)) {
        fraction += 1;
    }
    if fraction >= 10_000_000_000 {
        (fraction, whole) = (0, whole + 1);
    }
    integer(out, whole);
    out.push(b'.');
    if fraction == 0 {
        return out.push(b'0');
    }
    let mut digits = [b'0'; PLACES];
    let mut places = PLACES;
    while fraction.is_multiple_of(10) {
        (fraction, places) = (fraction / 10, places - 1);
    }
    for digit in digits[..places].iter_mut().rev() {
        *digit = b'0' + (fraction % 10) as u8;
        fraction /= 10;
    }
    out.extend_from_slice(&digits[..places]);
}

/// Adds a float with so many significant digits and an exponent, as C's `%g` does.
fn significant(out: &mut Vec<u8>, value: f64, digits: usize) {
    let text = format!("{value:.*e}", digits - 1);
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    out.extend_from_slice(mantissa.trim_end_matches('0').trim_end_matches('.').as_bytes());
    push_exponent(out, exponent.parse().unwrap_or(0));
}

fn push_exponent(out: &mut Vec<u8>, exponent: i32) {
    out.extend_from_slice(if exponent < 0 { b"e-" } else { b"e+" });
    if exponent.abs() < 10 {
        out.push(b'0');
    }
    integer(out, exponent.abs());
}

/// Adds a float as Python's `repr` does: the fewest digits that give it back, with an exponent below 1e-4 and from 1e16.
pub fn repr(out: &mut Vec<u8>, value: f64) {
    let mut buffer = ryu::Buffer::new();
    let text = buffer.format_finite(value.abs());
    // Some number of digits, with a point among or before them, and perhaps an exponent.
    let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = [whole.as_bytes(), fraction.as_bytes()].concat();
    let zeros = all.iter().take_while(|b| **b == b'0').count();
    let digits = trimmed(&all[zeros.min(all.len() - 1)..]);
    let exponent = exponent.parse::<i32>().unwrap_or(0) + whole.len() as i32 - 1 - zeros as i32;
    let exponent = if value == 0.0 { 0 } else { exponent };
    if value.is_sign_negative() {
        out.push(b'-');
    }
    let more = |n: i32| std::iter::repeat_n(b'0', n.max(0) as usize);
    if !(-4..16).contains(&exponent) {
        out.push(digits[0]);
        if digits.len() > 1 {
            out.push(b'.');
            out.extend_from_slice(&digits[1..]);
        }
        return push_exponent(out, exponent);
    }
    if exponent < 0 {
        out.extend_from_slice(b"0.");
        out.extend(more(-1 - exponent));
        return out.extend_from_slice(digits);
    }
    let before = exponent as usize + 1;
    out.extend_from_slice(&digits[..before.min(digits.len())]);
    out.extend(more(before as i32 - digits.len() as i32));
    out.push(b'.');
    out.extend_from_slice(digits.get(before..).filter(|rest| !rest.is_empty()).unwrap_or(b"0"));
}

/// Digits without zeros at their end, of which one stays.
fn trimmed(digits: &[u8]) -> &[u8] {
    &digits[..digits.iter().rposition(|b| *b != b'0').map_or(1, |last| last + 1)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(write: impl Fn(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn floats_as_pandas_writes_them_into_json() {
        for (value, text) in [
            (0.0, "0.0"),
            (-0.0, "0.0"),
            (1.0 / 7.0, "0.1428571429"),
            (-2.5, "-2.5"),
            (0.999_999_999_99, "1.0"),
            (1e-11, "0.0"),
            (-1e-11, "-0.0"),
            (123_456_789.123, "123456789.1229999959"),
            (1e15, "1000000000000000.0"),
            (1e17, "1e+17"),
            (1.234_567_890_123e300, "1.23456789e+300"),
            (5e-324, "4.940656458e-324"),
        ] {
            assert_eq!(of(|out| ten_decimals(out, value)), text);
        }
    }

    #[test]
    fn floats_as_python_shows_them() {
        for (value, text) in [
            (0.1, "0.1"),
            (1.0, "1.0"),
            (-0.0, "-0.0"),
            (100.0, "100.0"),
            (1e15, "1000000000000000.0"),
            (1e16, "1e+16"),
            (1.5e300, "1.5e+300"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (1.0 / 3.0, "0.3333333333333333"),
        ] {
            assert_eq!(of(|out| repr(out, value)), text);
        }
    }
}
