//! One budget of bytes for all streams of a process.
//!
//! Whoever makes decoded rows charges them; the charge ends when they are dropped. A lane may always hold one unit,
//! since a budget that could refuse the lane whose turn it is would wait for ever; everything beyond that shares
//! what is left.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Notify;

use crate::error::{Error, Kind, Result};

/// The default of `ROWSTREAM_MEMORY`.
const DEFAULT: u64 = 512 << 20;

/// Bytes that may be held, and those that are.
#[derive(Debug)]
pub struct Budget {
    limit: u64,
    used: AtomicU64,
    /// Bytes that were read ahead, or are being.
    wire: AtomicU64,
    /// Told whenever something that a reader waits for may have changed.
    pub(crate) changed: Notify,
}

/// Bytes that are held; given back when dropped.
#[derive(Debug)]
pub struct Charge {
    budget: Arc<Budget>,
    bytes: u64,
    wire: bool,
}

impl Budget {
    /// A budget of some bytes.
    pub fn new(limit: u64) -> Arc<Self> {
        Arc::new(Self { limit, used: AtomicU64::new(0), wire: AtomicU64::new(0), changed: Notify::new() })
    }

    /// The budget that the environment asks for: `ROWSTREAM_MEMORY`, in bytes or with a unit, as `512MiB`.
    pub fn from_environment() -> Result<Arc<Self>> {
        match std::env::var("ROWSTREAM_MEMORY") {
            Ok(text) => parse(&text).map(Self::new).ok_or_else(|| {
                Error::new(
                    Kind::Value,
                    format!(
                        "ROWSTREAM_MEMORY is {text:?}; expected bytes, at least 16 MiB, such \
                    as 512MiB, 2GB or 536870912"
                    ),
                )
            }),
            Err(_) => Ok(Self::new(DEFAULT)),
        }
    }

    /// All that may be held, everything counted.
    pub fn limit(&self) -> u64 {
        self.limit
    }

    /// What decoded rows may take of it; the rest is for pages, buffers and what an allocator keeps.
    pub fn for_rows(&self) -> u64 {
        self.limit / 8 * 3
    }

    /// Whether more bytes fit.
    pub fn fits(&self, bytes: u64) -> bool {
        self.used.load(Ordering::Relaxed).saturating_add(bytes) <= self.for_rows()
    }

    /// Holds bytes, whether they fit or not.
    pub fn charge(self: &Arc<Self>, bytes: u64) -> Charge {
        self.used.fetch_add(bytes, Ordering::Relaxed);
        Charge { budget: Arc::clone(self), bytes, wire: false }
    }

    /// What bytes that are read ahead may take of it.
    pub fn for_wire(&self) -> u64 {
        self.limit / 4
    }

    /// Whether more bytes may be read ahead.
    pub(crate) fn fits_wire(&self, bytes: u64) -> bool {
        self.wire.load(Ordering::Relaxed).saturating_add(bytes) <= self.for_wire()
    }

    /// Holds bytes that are read ahead.
    pub(crate) fn charge_wire(self: &Arc<Self>, bytes: u64) -> Charge {
        self.wire.fetch_add(bytes, Ordering::Relaxed);
        Charge { budget: Arc::clone(self), bytes, wire: true }
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        let of = if self.wire { &self.budget.wire } else { &self.budget.used };
        of.fetch_sub(self.bytes, Ordering::Relaxed);
        self.budget.changed.notify_waiters();
    }
}

fn parse(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number: u64 = text[..digits].parse().ok()?;
    let unit = match text[digits..].trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kb" => 1000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        _ => return None,
    };
    number.checked_mul(unit).filter(|bytes| *bytes >= 16 << 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_with_their_units() {
        assert_eq!(parse("536870912"), Some(512 << 20));
        assert_eq!(parse(" 512 MiB "), Some(512 << 20));
        assert_eq!(parse("2GB"), Some(2_000_000_000));
        for wrong in ["", "much", "512 miles", "-5", "1", "99999999999999999999"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_charge_is_given_back() {
        let budget = Budget::new(80);
        let charge = budget.charge(30);
        assert!(budget.fits(0) && !budget.fits(1));
        drop(charge);
        assert!(budget.fits(30));
    }
}
