//! Keys of objects that the crate's paths cannot say: one of them would spoil a whole listing.

use bytes::Bytes;
use object_store::path::Path;

/// What such a key begins with in the place of its own text: then comes its text in hexadecimal.
const MARK: &str = "\u{F8FF}";

/// The text of a listing, S3's, Google's or Azure's, with every key such that a path can say it.
pub(super) fn marked(listing: &Bytes) -> Bytes {
    let Ok(text) = std::str::from_utf8(listing) else { return listing.clone() };
    let mut made = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, name, key, after)) = next(rest) {
        made.push_str(&rest[..before]);
        let plain = unescaped(key);
        // A slash at its end is what a folder's mark has; paths leave it out.
        let sound = Path::parse(&plain).is_ok_and(|path| path.as_ref() == plain);
        let hex = |text: &str| {
            text.bytes()
                .flat_map(|byte| [byte >> 4, byte & 15])
                .filter_map(|digit| char::from_digit(digit.into(), 16))
                .collect::<String>()
        };
        let key = if sound { key.to_owned() } else { format!("{MARK}{}", hex(&plain)) };
        made.extend(["<", name, ">", &key, "</", name, ">"]);
        rest = &rest[after..];
    }
    made.push_str(rest);
    made.into()
}

/// The next key: where its element begins, its name, its text, and where it ends.
fn next(text: &str) -> Option<(usize, &'static str, &str, usize)> {
    let found = ["Key", "Name"].into_iter().filter_map(|name| text.find(&format!("<{name}>")).map(|at| (at, name)));
    let (at, name) = found.min()?;
    let start = at + name.len() + 2;
    let end = start + text[start..].find(&format!("</{name}>"))?;
    Some((at, name, &text[start..end], end + name.len() + 3))
}

fn unescaped(text: &str) -> String {
    let mut made = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        made.push_str(&rest[..at]);
        let end = rest[at..].find(';').map_or(rest.len(), |end| at + end + 1);
        let letter = match rest[at..end].trim_matches(['&', ';']) {
            "amp" => Some('&'),
            "lt" => Some('<'),
            "gt" => Some('>'),
            "quot" => Some('"'),
            "apos" => Some('\''),
            other => other
                .strip_prefix("#x")
                .map(|digits| u32::from_str_radix(digits, 16))
                .or_else(|| other.strip_prefix('#').map(str::parse))
                .and_then(Result::ok)
                .and_then(char::from_u32),
        };
        match letter {
            Some(letter) => made.push(letter),
            None => made.push_str(&rest[at..end]),
        }
        rest = &rest[end..];
    }
    made.push_str(rest);
    made
}

/// A key as it is.
pub(super) fn unmarked(key: &str) -> String {
    let Some(at) = key.find(MARK) else { return key.to_owned() };
    let digits = &key.as_bytes()[at + MARK.len()..];
    let bytes: Option<Vec<u8>> = digits
        .chunks(2)
        .map(|pair| std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok()))
        .collect();
    bytes.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_else(|| key.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_keys_go_through_a_listing() {
        let keys = ["a/b.csv", "of//x", "of/./x", "../up", "a&b/<c>", "line\nbreak", "folder/", "/first"];
        let escaped =
            |key: &str| key.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('\n', "&#10;");
        let listing =
            keys.map(|key| format!("<Contents><Key>{}</Key><Size>1</Size></Contents>", escaped(key))).concat();
        let made = marked(&Bytes::from(listing));
        let mut rest = std::str::from_utf8(&made).unwrap();
        let mut found = Vec::new();
        while let Some((_, _, key, after)) = next(rest) {
            let key = unescaped(key);
            assert_eq!(Path::parse(&key).unwrap().as_ref(), key);
            found.push(unmarked(&key));
            rest = &rest[after..];
        }
        assert_eq!(found, keys);
    }
}
