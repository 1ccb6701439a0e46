//! A loopback server for tests, benchmarks and the demo.
//!
//! `rowstream-testserver ROOT` serves the files below `ROOT/http` (any HTTP server), `ROOT/s3/BUCKET` (path-style S3)
//! and `ROOT/hub/ORG/NAME[/.revisions/REV]` (the Hub: a listing, and a redirect to signed URLs of another origin). Each
//! has a port of its own; the first line on standard output is JSON with their URLs.
//!
//! Control, at any origin: `PUT /__control__/faults` with a list of `{kind, match, origin, methods, skip, times, …}`,
//! `GET|DELETE /__control__/log`, `POST /__control__/advance {"seconds": n}`.
//!
//! Faults: `latency {ms}`, `bandwidth {bps}`, `status {status, retry_after, body}`, `reset {after}`,
//! `truncate {after}`, `stall {after, seconds}`, `bad_range {shift}`, `short_range {by}`, `ignore_range`,
//! `etag {value, mutate}`, `corrupt {at}`, `no_length`, `gzip`, `redirect {to}`.

#![expect(
    clippy::format_push_string,
    clippy::format_collect,
    reason = "texts are short, and this is a server for tests"
)]

mod body;
mod hub;
mod request;
mod s3;

use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use body::Reply;
use request::Request;

/// What all connections share.
pub struct Server {
    root: PathBuf,
    faults: Mutex<Vec<Fault>>,
    log: Mutex<Vec<Value>>,
    /// Seconds that the clock of signed URLs is ahead.
    skew: AtomicI64,
    /// Seconds that a signed URL is good.
    ttl: AtomicU64,
    live: AtomicU64,
    pub(crate) cdn_url: String,
    pub(crate) hashes: Mutex<std::collections::HashMap<(PathBuf, u64, SystemTime), String>>,
}

struct Fault {
    rule: Value,
    seen: u64,
    applied: u64,
}

/// A fault that applies to a request.
pub type Taken = std::collections::HashMap<String, Value>;

impl Server {
    /// The faults of a request, which count it.
    fn take(&self, origin: &str, method: &str, path: &str) -> Taken {
        let mut taken = Taken::new();
        for fault in self.faults.lock().unwrap_or_else(PoisonError::into_inner).iter_mut() {
            let text = |name: &str| fault.rule.get(name).and_then(Value::as_str);
            let number = |name: &str| fault.rule.get(name).and_then(Value::as_u64);
            let methods = fault.rule.get("methods").and_then(Value::as_array);
            if text("origin").is_some_and(|wanted| wanted != origin)
                || methods.is_some_and(|methods| !methods.iter().any(|one| one == method))
                || !path.contains(text("match").unwrap_or(""))
            {
                continue;
            }
            fault.seen += 1;
            if fault.seen <= number("skip").unwrap_or(0) || number("times").is_some_and(|times| fault.applied >= times)
            {
                continue;
            }
            fault.applied += 1;
            taken.entry(text("kind").unwrap_or("").to_owned()).or_insert_with(|| fault.rule.clone());
        }
        taken
    }

    /// The time by the clock of signed URLs.
    pub fn now(&self) -> i64 {
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        seconds.cast_signed() + self.skew.load(Ordering::Relaxed)
    }

    /// Until when a URL that is signed now is good.
    pub fn until(&self) -> i64 {
        self.now() + self.ttl.load(Ordering::Relaxed).cast_signed()
    }

    fn control(&self, request: &Request) -> Reply {
        let told = || serde_json::from_slice::<Value>(&request.body).unwrap_or(Value::Null);
        match (request.method.as_str(), request.path.trim_start_matches("/__control__/")) {
            ("PUT", "faults") => {
                let rules = told().as_array().cloned().unwrap_or_default();
                *self.faults.lock().unwrap_or_else(PoisonError::into_inner) =
                    rules.into_iter().map(|rule| Fault { rule, seen: 0, applied: 0 }).collect();
                Reply::json(200, &json!({}))
            }
            ("GET", "faults") => {
                let faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
                Reply::json(
                    200,
                    &faults.iter().map(|fault| json!({"rule": fault.rule, "applied": fault.applied})).collect(),
                )
            }
            ("GET", "log") => {
                self.settle();
                Reply::json(200, &Value::Array(self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()))
            }
            ("DELETE", "log") => {
                self.settle();
                self.log.lock().unwrap_or_else(PoisonError::into_inner).clear();
                Reply::json(200, &json!({}))
            }
            ("POST", "advance") => {
                self.skew.fetch_add(told()["seconds"].as_i64().unwrap_or(0), Ordering::Relaxed);
                Reply::json(200, &json!({}))
            }
            ("POST", "ttl") => {
                self.ttl.store(told()["seconds"].as_u64().unwrap_or(3600), Ordering::Relaxed);
                Reply::json(200, &json!({}))
            }
            _ => Reply::text(404, "unknown control route"),
        }
    }

    /// Waits until answers that were sent are in the log, which is written after them; not for those that hang.
    fn settle(&self) {
        let began = Instant::now();
        while self.live.load(Ordering::Acquire) > 0 && began.elapsed() < Duration::from_millis(200) {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn answer(&self, origin: &str, request: &Request, faults: &Taken) -> Reply {
        if let Some(rule) = faults.get("status") {
            let status = rule["status"].as_u64().unwrap_or(503) as u16;
            let mut reply = Reply::text(status, rule["body"].as_str().unwrap_or("injected"));
            if let Some(after) = rule.get("retry_after") {
                reply = reply.with("Retry-After", &after.to_string());
            }
            return reply;
        }
        if let Some(rule) = faults.get("redirect") {
            return Reply::text(302, "elsewhere").with("Location", rule["to"].as_str().unwrap_or("/"));
        }
        match origin {
            "http" => body::file(&self.root.join("http"), &request.path),
            "s3" => s3::answer(&self.root.join("s3"), request),
            "hub" => hub::answer(self, &self.root.join("hub"), request),
            _ => hub::signed(self, &self.root.join("hub"), request),
        }
    }

    /// Serves a connection until it ends.
    fn serve(&self, origin: &str, stream: &TcpStream) -> std::io::Result<()> {
        stream.set_nodelay(true)?;
        let mut reader = std::io::BufReader::new(stream);
        while let Some(request) = Request::read(&mut reader)? {
            if request.path.starts_with("/__control__/") {
                self.control(&request).send(stream, &request, &Taken::new())?;
                continue;
            }
            let faults = self.take(origin, &request.method, &request.path);
            let live = self.live.fetch_add(1, Ordering::Relaxed) + 1;
            let began = Instant::now();
            if let Some(rule) = faults.get("latency") {
                std::thread::sleep(Duration::from_millis(rule["ms"].as_u64().unwrap_or(0)));
            }
            let reply = self.answer(origin, &request, &faults);
            let status = reply.status;
            let sent = reply.send(stream, &request, &faults);
            let mut names: Vec<&String> = faults.keys().collect();
            names.sort();
            let entry = json!({
                "origin": origin, "method": request.method, "path": request.path,
                    "query": request.query, "status": status,
                "bytes": sent.as_ref().map_or(0, |sent| *sent), "range": request.header("range"),
                    "authorization": request.header("authorization").is_some(),
                "headers": request.headers, "concurrency": live,
                    "ms": began.elapsed().as_millis() as u64, "faults": names,
            });
            self.log.lock().unwrap_or_else(PoisonError::into_inner).push(entry);
            self.live.fetch_sub(1, Ordering::Release);
            sent?;
            if request.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close")) {
                return Ok(());
            }
        }
        Ok(())
    }
}

fn main() -> std::io::Result<()> {
    let root = std::env::args()
        .nth(1)
        .map(PathBuf::from)
        .ok_or_else(|| std::io::Error::other("usage: rowstream-testserver ROOT"))?;
    let origins = ["http", "s3", "hub", "cdn"];
    let listeners = origins.map(|origin| (origin, TcpListener::bind("127.0.0.1:0")));
    let mut open = Vec::new();
    for (origin, listener) in listeners {
        let listener = listener?;
        // Another name for the same machine, so that it is another origin.
        let host = if origin == "cdn" { "localhost" } else { "127.0.0.1" };
        let url = format!("http://{host}:{}", listener.local_addr()?.port());
        open.push((origin, listener, url));
    }
    let url = |wanted: &str| {
        open.iter().find(|(origin, ..)| *origin == wanted).map(|(_, _, url)| url.clone()).unwrap_or_default()
    };
    let server = Arc::new(Server {
        root,
        faults: Mutex::default(),
        log: Mutex::default(),
        skew: AtomicI64::new(0),
        ttl: AtomicU64::new(3600),
        live: AtomicU64::new(0),
        cdn_url: url("cdn"),
        hashes: Mutex::default(),
    });
    let told =
        json!({"http": url("http"), "s3": url("s3"), "hub": url("hub"), "cdn": url("cdn"), "pid": std::process::id()});
    {
        use std::io::Write;
        let mut out = std::io::stdout();
        writeln!(out, "{told}")?;
        out.flush()?;
    }
    for (origin, listener, _) in open {
        let server = Arc::clone(&server);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let server = Arc::clone(&server);
                // A client that goes away is no matter.
                std::thread::spawn(move || drop(server.serve(origin, &stream)));
            }
        });
    }
    // Whoever started it holds its input open; it ends with them.
    drop(std::io::copy(&mut std::io::stdin(), &mut std::io::sink()));
    Ok(())
}
