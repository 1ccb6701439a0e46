//! What a process did with files so far, counted; and the names under which it is told through the `log` crate.

use std::sync::atomic::{AtomicU64, Ordering};

/// Under which requests and their repetitions are told.
pub const HTTP: &str = "rowstream.http";

/// Under which files that are opened are told.
pub const FILES: &str = "rowstream.files";

/// A number that only grows. One line of memory each: many threads count.
#[repr(align(64))]
#[derive(Debug)]
pub struct Counter(AtomicU64);

/// Requests that were made.
pub static REQUESTS: Counter = Counter(AtomicU64::new(0));
/// Requests that were made again after a failure.
pub static RETRIES: Counter = Counter(AtomicU64::new(0));
/// Bytes that servers gave.
pub static BYTES: Counter = Counter(AtomicU64::new(0));
/// Ranges that were found in the cache on disk, and their bytes.
pub static CACHE_HITS: Counter = Counter(AtomicU64::new(0));
/// See there.
pub static CACHE_BYTES: Counter = Counter(AtomicU64::new(0));
/// Ranges that were looked for there and not found.
pub static CACHE_MISSES: Counter = Counter(AtomicU64::new(0));
/// Files and objects that were opened.
pub static OPENED: Counter = Counter(AtomicU64::new(0));

/// Adds to a counter.
pub(crate) fn count(counter: &Counter, n: u64) {
    counter.0.fetch_add(n, Ordering::Relaxed);
}

/// All counters, by their names.
pub fn counts() -> [(&'static str, u64); 7] {
    [
        ("requests", &REQUESTS),
        ("retries", &RETRIES),
        ("bytes_received", &BYTES),
        ("cache_hits", &CACHE_HITS),
        ("cache_bytes", &CACHE_BYTES),
        ("cache_misses", &CACHE_MISSES),
        ("files_opened", &OPENED),
    ]
    .map(|(name, counter)| (name, counter.0.load(Ordering::Relaxed)))
}
