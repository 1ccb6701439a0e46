//! Where bytes come from: versioned range reads of objects.

pub mod local;
pub mod memory;

use std::future::Future;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;

use crate::error::{Error, Result};

/// A future that a trait object can give.
pub type Reading<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>;

/// A place that has objects.
pub trait Store: Send + Sync {
    /// Opens an object. All reads of it see the version that it has now, or fail with `SourceChanged`.
    fn open<'a>(&'a self, location: &'a str) -> Reading<'a, Arc<dyn Object>>;
}

/// One version of one object.
pub trait Object: Send + Sync {
    /// Its length in bytes.
    fn size(&self) -> u64;

    /// Reads ranges if that needs no waiting; `None` if it does.
    fn read_now(&self, _ranges: &[Range<u64>]) -> Result<Option<Vec<Bytes>>> {
        Ok(None)
    }

    /// Reads ranges: exactly those bytes, or an error. May be dropped at any await and tried again.
    fn read<'a>(&'a self, ranges: &'a [Range<u64>]) -> Reading<'a, Vec<Bytes>>;
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
            return Err(Error::data(format!("its bytes {range:?} are not inside the archive of {} bytes: it was cut", whole.size())));
        }
        Ok(Arc::new(Self { whole, range }))
    }

    fn moved(&self, ranges: &[Range<u64>]) -> Result<Vec<Range<u64>>> {
        let moved = |r: &Range<u64>| {
            let inside = r.start <= r.end && r.end <= self.size();
            inside.then(|| self.range.start + r.start..self.range.start + r.end).ok_or_else(|| Error::data(format!("bytes {r:?} of {}", self.size())))
        };
        ranges.iter().map(moved).collect()
    }
}

impl Object for Part {
    fn size(&self) -> u64 {
        self.range.end - self.range.start
    }

    fn read_now(&self, ranges: &[Range<u64>]) -> Result<Option<Vec<Bytes>>> {
        self.whole.read_now(&self.moved(ranges)?)
    }

    fn read<'a>(&'a self, ranges: &'a [Range<u64>]) -> Reading<'a, Vec<Bytes>> {
        Box::pin(async move { self.whole.read(&self.moved(ranges)?).await })
    }
}
