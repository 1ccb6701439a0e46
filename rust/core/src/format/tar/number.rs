//! Numbers in headers.

use crate::error::{Error, Result};

/// A number in octal digits, or in binary where the first bit says so.
pub(super) fn number(field: &[u8]) -> Result<u64> {
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

#[cfg(test)]
mod tests {
    use super::*;

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
