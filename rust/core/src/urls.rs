//! URLs as errors and logs may show them, and which are of object stores.

use url::Url;

/// A URL as it may be shown: without what a user may have put before its host, and without the values of its query,
/// which may be signatures.
pub fn shown(text: &str) -> String {
    let mut parts = Vec::new();
    let mut start = 0;
    // A file in an archive: `zip://a.csv::https://host/b.zip`. Addresses of IPv6 have such colons too.
    for (at, _) in text.match_indices("::") {
        if at >= start && begins_url(&text[at + 2..]) {
            parts.push(shown_part(&text[start..at]));
            start = at + 2;
        }
    }
    parts.push(shown_part(&text[start..]));
    parts.join("::")
}

fn begins_url(text: &str) -> bool {
    let of_scheme = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'.' | b'-');
    text.split_once("://").is_some_and(|(scheme, _)| !scheme.is_empty() && scheme.bytes().all(of_scheme))
}

fn shown_part(text: &str) -> String {
    if text.starts_with("memory:") && !text.starts_with("memory://") {
        return "the rows in memory".to_owned();
    }
    // Names of objects are no URLs: what stands in them is a part of the name.
    if is_of_store(text) || text.starts_with("hf://") { text.to_owned() } else { shown_url(text) }
}

/// Anything as it may be shown, if it were a URL.
pub(crate) fn shown_url(text: &str) -> String {
    let Ok(mut url) = Url::parse(text) else { return text.to_owned() };
    if url.cannot_be_a_base() {
        return text.to_owned();
    }
    let plain =
        url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none();
    if plain {
        return text.to_owned();
    }
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_fragment(None);
    if url.query().is_some() {
        url.set_query(Some("…"));
        return url.as_str().replace("%E2%80%A6", "…");
    }
    url.into()
}

/// A text of others without the queries and users of the URLs in it.
pub(crate) fn scrubbed(text: &str) -> String {
    text.split_inclusive(char::is_whitespace)
        .map(|word| if word.contains("://") { redacted(word) } else { word.to_owned() })
        .collect()
}

fn redacted(word: &str) -> String {
    let (Some(at), end) = (word.find("http").or_else(|| word.find("://")), word.trim_end().len()) else {
        return word.to_owned();
    };
    format!("{}{}{}", &word[..at], shown(word[at..end].trim_end_matches([')', '"', ',', ';'])), &word[end..])
}

/// Which kind of store a scheme names.
pub(crate) fn kind_of_store(scheme: &str) -> Option<&'static str> {
    match scheme {
        "s3" | "s3a" => Some("s3"),
        "gs" | "gcs" => Some("gs"),
        "az" | "azure" | "abfs" | "abfss" | "adl" => Some("az"),
        _ => None,
    }
}

/// Whether a location is one of an object store.
pub(crate) fn is_of_store(location: &str) -> bool {
    location.split_once("://").is_some_and(|(scheme, _)| kind_of_store(scheme).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_of_a_url_are_not_shown() {
        assert_eq!(shown("https://host/a.csv"), "https://host/a.csv");
        assert_eq!(shown("https://me:canary@host/a.csv?sig=canary&x=1#canary"), "https://host/a.csv?…");
        assert_eq!(shown("/data/a?b.csv"), "/data/a?b.csv");
        assert_eq!(shown("zip://a.csv::https://me:canary@h/b.zip?sig=canary"), "zip://a.csv::https://h/b.zip?…");
        assert_eq!(shown("http://[::1]:80/a?sig=canary"), "http://[::1]/a?…");
        assert_eq!(shown("memory:149b582619be1661-608"), "the rows in memory");
        assert_eq!(shown("ftp://me:canary@h/a.csv"), "ftp://h/a.csv");
        assert_eq!(
            scrubbed("error for url (https://me:canary@h/x?sig=canary): closed"),
            "error for url (https://h/x?… closed"
        );
    }
}
