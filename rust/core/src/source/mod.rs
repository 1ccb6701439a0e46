//! Where bytes come from: versioned range reads of objects.

pub mod local;
pub mod memory;

use std::future::Future;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;

use crate::error::Result;

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
