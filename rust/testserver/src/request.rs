//! One request, read from a connection.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Error, Read, Result};
use std::net::TcpStream;

/// A request.
pub struct Request {
    /// `GET` and the like.
    pub method: String,
    /// The path, decoded.
    pub path: String,
    /// The path as it was sent.
    pub raw: String,
    /// The query's pairs, decoded.
    pub query: HashMap<String, String>,
    /// The headers, by names in lower case.
    pub headers: HashMap<String, String>,
    /// What follows them.
    pub body: Vec<u8>,
}

/// The longest body that is taken in.
const MOST: usize = 256 << 20;

/// A text without `%20` and the like.
pub fn decoded(text: &str) -> String {
    url::form_urlencoded::parse(text.replace('+', "%2B").as_bytes())
        .next()
        .map(|(key, _)| key.into_owned())
        .unwrap_or_default()
}

impl Request {
    /// The next request; none where the connection ends.
    pub fn read(from: &mut BufReader<&TcpStream>) -> Result<Option<Self>> {
        let mut line = String::new();
        if from.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let mut parts = line.split_whitespace();
        let (Some(method), Some(target)) = (parts.next(), parts.next()) else {
            return Err(Error::other("no request line"));
        };
        let (raw, query) = target.split_once('?').unwrap_or((target, ""));
        let mut request = Self {
            method: method.to_owned(),
            path: raw.split('/').map(decoded).collect::<Vec<_>>().join("/"),
            raw: raw.to_owned(),
            query: url::form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
            headers: HashMap::new(),
            body: Vec::new(),
        };
        loop {
            let mut line = String::new();
            from.read_line(&mut line)?;
            let Some((name, value)) = line.trim_end().split_once(':') else { break };
            request.headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
        }
        let length = request.header("content-length").and_then(|length| length.parse::<usize>().ok()).unwrap_or(0);
        if length > MOST {
            return Err(Error::other("a body too long"));
        }
        request.body = vec![0; length];
        from.read_exact(&mut request.body)?;
        Ok(Some(request))
    }

    /// A header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// The bytes that are asked for, of so many: first and end.
    pub fn range(&self, size: u64) -> Option<std::result::Result<(u64, u64), ()>> {
        let (first, last) = self.header("range")?.strip_prefix("bytes=")?.split_once('-')?;
        let (first, end) = match (first.parse::<u64>(), last.parse::<u64>()) {
            (Ok(first), Ok(last)) => (first, last.saturating_add(1).min(size)),
            (Ok(first), Err(_)) => (first, size),
            (Err(_), Ok(last)) => (size.saturating_sub(last), size),
            _ => return None,
        };
        Some(if first < end { Ok((first, end)) } else { Err(()) })
    }
}
