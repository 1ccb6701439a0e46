//! What is answered, and how faults change it.

use std::fs::File;
use std::io::{Error, Read, Result, Seek, SeekFrom, Write};
use std::net::TcpStream;
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, Instant, UNIX_EPOCH};

use serde_json::Value;

use super::Taken;
use super::request::Request;

/// What is answered.
pub struct Reply {
    pub status: u16,
    headers: Vec<(String, String)>,
    content: Content,
}

enum Content {
    Bytes(Vec<u8>),
    File(PathBuf, u64),
}

/// A path below a folder; none where it would leave it.
pub fn below(folder: &Path, path: &str) -> Option<PathBuf> {
    let relative = Path::new(path.trim_start_matches('/'));
    relative.components().all(|part| matches!(part, Component::Normal(_))).then(|| folder.join(relative))
}

/// A file as an answer.
pub fn file(folder: &Path, path: &str) -> Reply {
    match below(folder, path).map(Reply::file) {
        Some(Ok(reply)) => reply,
        _ => Reply::text(404, "there is no such file"),
    }
}

impl Reply {
    pub fn text(status: u16, text: &str) -> Self {
        Self {
            status,
            headers: vec![("Content-Type".into(), "text/plain".into())],
            content: Content::Bytes(text.into()),
        }
    }

    pub fn json(status: u16, value: &Value) -> Self {
        Self {
            status,
            headers: vec![("Content-Type".into(), "application/json".into())],
            content: Content::Bytes(value.to_string().into_bytes()),
        }
    }

    pub fn xml(status: u16, text: String) -> Self {
        Self {
            status,
            headers: vec![("Content-Type".into(), "application/xml".into())],
            content: Content::Bytes(text.into_bytes()),
        }
    }

    /// A file, whose length and time of writing are its version.
    pub fn file(path: PathBuf) -> Result<Self> {
        let metadata = std::fs::metadata(&path)?;
        if !metadata.is_file() {
            return Err(Error::other("a folder"));
        }
        let written = metadata.modified()?.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
        let headers = vec![
            ("ETag".into(), format!("\"{:x}-{written:x}\"", metadata.len())),
            ("Accept-Ranges".into(), "bytes".into()),
        ];
        Ok(Self { status: 200, headers, content: Content::File(path, metadata.len()) })
    }

    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Its ETag.
    pub fn version(&self) -> Option<String> {
        self.headers.iter().find(|(name, _)| name == "ETag").map(|(_, value)| value.clone())
    }

    /// Sends it, or a range of it, with the faults of the request. Gives how many bytes of the body went.
    pub fn send(mut self, mut to: &TcpStream, request: &Request, faults: &Taken) -> Result<u64> {
        let number = |kind: &str, name: &str| faults.get(kind).and_then(|rule| rule[name].as_u64());
        if let Some(rule) = faults.get("etag")
            && self.version().is_some()
        {
            self = self.with("ETag", &format!("\"{}\"", rule["value"].as_str().unwrap_or("changed")));
        }
        let size = match &self.content {
            Content::Bytes(bytes) => bytes.len() as u64,
            Content::File(_, size) => *size,
        };
        let mut range = (0, size);
        let etag = self.version();
        if let (Some(wanted), Some(etag)) = (request.header("if-match"), &etag)
            && wanted != etag
        {
            self = Self::text(412, "another version");
            range = (0, 15);
        } else if matches!(self.content, Content::File(..)) && !faults.contains_key("ignore_range") {
            match request.range(size) {
                Some(Ok((first, end))) => {
                    let end = end - number("short_range", "by").unwrap_or(0).min(end - first - 1);
                    let shift = number("bad_range", "shift").unwrap_or(0);
                    self = self.with("Content-Range", &format!("bytes {}-{}/{size}", first + shift, end - 1 + shift));
                    (self.status, range) = (206, (first, end));
                }
                Some(Err(())) => {
                    self = Self::text(416, "").with("Content-Range", &format!("bytes */{size}"));
                    range = (0, 0);
                }
                None => {}
            }
        }
        let length = range.1 - range.0;
        let chunked = faults.contains_key("no_length") && matches!(self.content, Content::File(..));
        let mut head = format!("HTTP/1.1 {} {}\r\n", self.status, if self.status < 400 { "OK" } else { "Error" });
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if faults.contains_key("gzip") {
            head.push_str("Content-Encoding: gzip\r\n");
        }
        head.push_str(&if chunked {
            "Transfer-Encoding: chunked\r\n\r\n".to_owned()
        } else {
            format!("Content-Length: {length}\r\n\r\n")
        });
        if request.method == "HEAD" {
            to.write_all(head.as_bytes())?;
            return Ok(0);
        }
        match self.content {
            Content::Bytes(bytes) => {
                to.write_all(&[head.as_bytes(), &bytes[range.0 as usize..range.1 as usize]].concat())?;
                Ok(length)
            }
            Content::File(path, _) => {
                to.write_all(head.as_bytes())?;
                let mut file = File::open(path)?;
                file.seek(SeekFrom::Start(range.0))?;
                let slow = ["bandwidth", "reset", "truncate", "stall", "corrupt", "etag"]
                    .iter()
                    .any(|kind| faults.contains_key(*kind));
                if slow || chunked {
                    slowly(to, file, range, faults, chunked)
                } else {
                    std::io::copy(&mut file.take(length), &mut to)
                }
            }
        }
    }
}

/// Sends a part of a file with faults.
fn slowly(mut to: &TcpStream, mut file: File, range: (u64, u64), faults: &Taken, chunked: bool) -> Result<u64> {
    let number = |kind: &str, name: &str| faults.get(kind).map(|rule| rule[name].as_u64());
    let cut = [number("reset", "after"), number("truncate", "after")]
        .into_iter()
        .flatten()
        .map(|after| after.unwrap_or(0))
        .min();
    let mut stall = faults
        .get("stall")
        .map(|rule| (rule["after"].as_u64().unwrap_or(0), rule["seconds"].as_f64().unwrap_or(3600.0)));
    let rate = number("bandwidth", "bps").flatten();
    let length = range.1 - range.0;
    let upto = cut.unwrap_or(length).min(length);
    let step = rate.map_or(64 << 10, |rate| (rate / 50).clamp(1, 256 << 10));
    let (mut sent, began) = (0, Instant::now());
    let mut buffer = vec![0; step as usize];
    while sent < upto || stall.is_some_and(|(after, _)| after <= sent) {
        if let Some((after, seconds)) = stall
            && sent >= after
        {
            std::thread::sleep(Duration::from_secs_f64(seconds));
            stall = None;
            continue;
        }
        let edge = stall.map_or(step, |(after, _)| after - sent);
        let n = step.min(upto - sent).min(edge.max(1)) as usize;
        file.read_exact(&mut buffer[..n])?;
        if let Some(Some(at)) = number("corrupt", "at")
            && (range.0 + sent..range.0 + sent + n as u64).contains(&at)
        {
            buffer[(at - range.0 - sent) as usize] ^= 0xFF;
        }
        if faults.get("etag").is_some_and(|rule| rule["mutate"] == true) {
            buffer[..n].iter_mut().for_each(|byte| *byte ^= 0xFF);
        }
        if chunked {
            to.write_all(format!("{n:x}\r\n").as_bytes())?;
        }
        to.write_all(&buffer[..n])?;
        if chunked {
            to.write_all(b"\r\n")?;
        }
        sent += n as u64;
        if let Some(rate) = rate {
            std::thread::sleep(Duration::from_secs_f64(sent as f64 / rate as f64).saturating_sub(began.elapsed()));
        }
    }
    if upto < length {
        if faults.contains_key("reset") {
            // What was sent may still be read; then the connection is gone.
            drop(to.shutdown(std::net::Shutdown::Both));
        }
        return Err(Error::other("cut"));
    }
    if chunked {
        to.write_all(b"0\r\n\r\n")?;
    }
    Ok(sent)
}
