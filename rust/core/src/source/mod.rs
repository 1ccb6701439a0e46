//! Where bytes come from: versioned range reads of objects.

pub mod local;
pub mod memory;
pub mod remote;
mod sources;

use std::future::Future;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;

use crate::error::{Error, Result};
use remote::cache::{Cache, Purpose};
pub use sources::Sources;

/// A future that a trait object can give.
pub type Reading<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>;

/// A place that has objects.
pub trait Store: Send + Sync {
    /// Opens an object. All reads of it see the version that it has now, or the one that is known, or fail with
    /// `SourceChanged`. What is known of an object that is far away saves asking for it.
    fn open<'a>(&'a self, location: &'a str, hint: Hint, known: Option<&'a Known>) -> Reading<'a, Arc<dyn Object>>;

    /// Where the points of compressed files are kept, if they are.
    fn points(&self) -> Option<&Arc<Cache>> {
        None
    }

    /// Whether it keeps what is read, and so wants to know when that is read again.
    fn keeps(&self) -> bool {
        false
    }
}

/// What will be read of an object first: opening one that is far away brings it along.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hint {
    /// Its first bytes.
    Head,
    /// So many of its last.
    Tail(u64),
}

/// What a listing, or a plan, says of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Its length in bytes.
    pub size: u64,
    /// What identifies its content, where that is said.
    pub version: Option<String>,
}

/// One version of one object.
pub trait Object: Send + Sync {
    /// Its length in bytes.
    fn size(&self) -> u64;

    /// What identifies its content, where the store says it; else the content has to be looked at.
    fn version(&self) -> Option<&str> {
        None
    }

    /// What tells it from what was at its place before, as far as that is known without reading it.
    fn identity(&self) -> Option<String> {
        self.version().map(ToOwned::to_owned)
    }

    /// Whether it is far away, so that it is better read ahead.
    fn remote(&self) -> bool {
        false
    }

    /// Whether it can be read at any place; else only from its start to its end.
    fn ranged(&self) -> bool {
        true
    }

    /// Reads a range that shows what the object is, and that will be read again when its rows are.
    fn look(&self, range: Range<u64>) -> Reading<'_, Bytes> {
        Box::pin(async move { self.read(&[range]).await?.pop().ok_or_else(|| Error::internal("a read gave nothing")) })
    }

    /// The same, if that needs no waiting; `None` if it does.
    fn look_now(&self, range: &Range<u64>) -> Result<Option<Bytes>> {
        Ok(self.read_now(std::slice::from_ref(range))?.and_then(|mut parts| parts.pop()))
    }

    /// Whether it is still what it was when it was opened, where `look_now` leaves that open.
    fn check(&self) -> Result<()> {
        Ok(())
    }

    /// This object, as it is read for a piece of a stream, where that makes a difference.
    fn purposed(&self, _purpose: &Purpose) -> Option<Arc<dyn Object>> {
        None
    }

    /// Reads ranges if that needs no waiting; `None` if it does.
    fn read_now(&self, _ranges: &[Range<u64>]) -> Result<Option<Vec<Bytes>>> {
        Ok(None)
    }

    /// Reads ranges: exactly those bytes, or an error. May be dropped at any await and tried again.
    fn read<'a>(&'a self, ranges: &'a [Range<u64>]) -> Reading<'a, Vec<Bytes>>;
}

/// A part of a path or URL without `%20` and the like.
pub(crate) fn unescaped(text: &str) -> String {
    let (mut out, mut rest) = (Vec::new(), text.as_bytes());
    while let [first, after @ ..] = rest {
        let code = after
            .first_chunk::<2>()
            .filter(|_| *first == b'%')
            .and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        out.push(code.unwrap_or(*first));
        rest = if code.is_some() { &after[2..] } else { after };
    }
    String::from_utf8(out).unwrap_or_else(|_| text.to_owned())
}

/// A range of an object, as an object.
pub(crate) struct Part {
    whole: Arc<dyn Object>,
    range: Range<u64>,
}

impl Part {
    /// The bytes of `range`, which must be there.
    pub(crate) fn of(whole: Arc<dyn Object>, range: Range<u64>) -> Result<Arc<dyn Object>> {
        if range.start > range.end || range.end > whole.size() {
            return Err(Error::data(format!(
                "its bytes {range:?} are not inside the archive of {} bytes: it was cut",
                whole.size()
            )));
        }
        Ok(Arc::new(Self { whole, range }))
    }

    fn moved(&self, ranges: &[Range<u64>]) -> Result<Vec<Range<u64>>> {
        let moved = |r: &Range<u64>| {
            let inside = r.start <= r.end && r.end <= self.size();
            inside
                .then(|| self.range.start + r.start..self.range.start + r.end)
                .ok_or_else(|| Error::data(format!("bytes {r:?} of {}", self.size())))
        };
        ranges.iter().map(moved).collect()
    }
}

impl Object for Part {
    fn size(&self) -> u64 {
        self.range.end - self.range.start
    }

    fn version(&self) -> Option<&str> {
        self.whole.version()
    }

    fn identity(&self) -> Option<String> {
        Some(format!("{} {:?}", self.whole.identity()?, self.range))
    }

    fn remote(&self) -> bool {
        self.whole.remote()
    }

    fn ranged(&self) -> bool {
        self.whole.ranged()
    }

    fn look_now(&self, range: &Range<u64>) -> Result<Option<Bytes>> {
        self.whole.look_now(&self.moved(std::slice::from_ref(range))?.remove(0))
    }

    fn check(&self) -> Result<()> {
        self.whole.check()
    }

    fn look(&self, range: Range<u64>) -> Reading<'_, Bytes> {
        Box::pin(async move { self.whole.look(self.moved(&[range])?.remove(0)).await })
    }

    fn read_now(&self, ranges: &[Range<u64>]) -> Result<Option<Vec<Bytes>>> {
        self.whole.read_now(&self.moved(ranges)?)
    }

    fn read<'a>(&'a self, ranges: &'a [Range<u64>]) -> Reading<'a, Vec<Bytes>> {
        Box::pin(async move { self.whole.read(&self.moved(ranges)?).await })
    }
}
