//! Texts as Python's `str` has them: its whitespace, lines and cases.

use minijinja::Error;

use super::values::unlike;

/// Whether `str.isspace` is true.
pub(super) fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\x1c'..='\x1f').contains(&c)
}

/// A text whose case can be changed: Unicode's tables differ from version to version.
pub(super) fn ascii(text: &str) -> Result<&str, Error> {
    if text.is_ascii() { Ok(text) } else { Err(unlike("the case of what is not ASCII")) }
}

/// `str.strip`, `lstrip` and `rstrip`: of whitespace, or of some characters.
pub(super) fn strip<'a>(text: &'a str, chars: Option<&str>, left: bool, right: bool) -> &'a str {
    let gone = |c: char| chars.map_or_else(|| is_space(c), |chars| chars.contains(c));
    let text = if left { text.trim_start_matches(gone) } else { text };
    if right { text.trim_end_matches(gone) } else { text }
}

/// `str.split` and `rsplit`.
pub(super) fn split<'a>(text: &'a str, by: Option<&str>, most: i64, from_right: bool) -> Result<Vec<&'a str>, Error> {
    let parts = usize::try_from(most).map(|n| n + 1);
    Ok(match (by, parts, from_right) {
        (Some(""), ..) => return Err(unlike("a split by nothing")),
        (Some(by), Err(_), _) => text.split(by).collect(),
        (Some(by), Ok(n), false) => text.splitn(n, by).collect(),
        (Some(by), Ok(n), true) => {
            let mut parts: Vec<_> = text.rsplitn(n, by).collect();
            parts.reverse();
            parts
        }
        (None, Err(_), _) => text.split(is_space).filter(|part| !part.is_empty()).collect(),
        (None, Ok(_), _) => return Err(unlike("a split by whitespace into so many")),
    })
}

/// `str.splitlines`.
pub(super) fn lines(text: &str, keep_ends: bool) -> Vec<&str> {
    let (mut lines, mut start) = (Vec::new(), 0);
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if !matches!(c, '\n' | '\r' | '\x0b' | '\x0c' | '\x1c' | '\x1d' | '\x1e' | '\u{85}' | '\u{2028}' | '\u{2029}') {
            continue;
        }
        let mut end = at + c.len_utf8();
        if c == '\r' && chars.peek().is_some_and(|(_, next)| *next == '\n') {
            chars.next();
            end += 1;
        }
        lines.push(&text[start..if keep_ends { end } else { at }]);
        start = end;
    }
    if start < text.len() {
        lines.push(&text[start..]);
    }
    lines
}

/// `str.title`, of ASCII.
pub(super) fn title(text: &str) -> String {
    let mut inside = false;
    text.chars()
        .map(|c| {
            let result = if inside { c.to_ascii_lowercase() } else { c.to_ascii_uppercase() };
            inside = c.is_ascii_alphabetic();
            result
        })
        .collect()
}

/// Jinja's filter `title`, of ASCII: words begin after spaces, hyphens and brackets.
pub(super) fn title_of_words(text: &str) -> String {
    let mut begins = true;
    text.chars()
        .map(|c| {
            let between = c == '-' || is_space(c) || "({[<".contains(c);
            let result = match (between, begins) {
                (true, _) => c,
                (false, true) => c.to_ascii_uppercase(),
                (false, false) => c.to_ascii_lowercase(),
            };
            begins = between;
            result
        })
        .collect()
}

/// `str.capitalize`, of ASCII.
pub(super) fn capitalize(text: &str) -> String {
    let mut chars = text.chars();
    let first: String = chars.next().map(|c| c.to_ascii_uppercase()).into_iter().collect();
    first + &chars.as_str().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_as_in_python() {
        assert_eq!(lines("a\r\nb\u{2028}c\n\nd", false), ["a", "b", "c", "", "d"]);
        assert_eq!(lines("a\n", true), ["a\n"]);
        assert!(lines("", false).is_empty());
    }

    #[test]
    fn whitespace_is_that_of_python() {
        assert_eq!(strip("\x1f a \u{3000}", None, true, true), "a");
        assert_eq!(strip("xxaxx", Some("x"), true, false), "axx");
        assert_eq!(split(" a  b ", None, -1, false).unwrap(), ["a", "b"]);
        assert_eq!(split("a.b.c", Some("."), 1, true).unwrap(), ["a.b", "c"]);
    }

    #[test]
    fn cases_are_those_of_python() {
        assert_eq!(title("they're a-b"), "They'Re A-B");
        assert_eq!(title_of_words("they're a-b (c"), "They're A-B (C");
        assert_eq!(capitalize("aBC"), "Abc");
        assert!(ascii("ß").is_err());
    }
}
