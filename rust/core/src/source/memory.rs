//! Objects in memory, for tests and for what a caller already has.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Arc, Weak};

use bytes::Bytes;

use super::{Hint, Known, Object, Reading, Store};
use crate::error::{Error, Kind};

/// Named bytes.
#[derive(Debug, Clone, Default)]
pub struct MemoryStore(pub HashMap<String, Bytes>);

struct InMemory(Bytes);

/// What the names of held bytes begin with.
pub const SCHEME: &str = "memory:";

/// The bytes that this process holds, by name. The table is never changed: another takes its place, so that no lock is
/// held when the process is forked, and the old one, which is small, stays for who reads it.
static HELD: AtomicPtr<HashMap<String, Weak<Bytes>>> = AtomicPtr::new(std::ptr::null_mut());

/// Makes bytes an object of this process, for as long as somebody has them. Gives its name, which is that of its
/// content.
pub fn hold(bytes: Bytes) -> (String, Arc<Bytes>) {
    let name = format!("{SCHEME}{:016x}-{}", crate::hash::hash(&bytes), bytes.len());
    if let Some(there) = held(&name) {
        return (name, there);
    }
    let bytes = Arc::new(bytes);
    loop {
        let old = HELD.load(Ordering::Acquire);
        // SAFETY: whatever was stored here came from `Box::leak` and is never freed.
        let mut table = unsafe { old.as_ref() }.cloned().unwrap_or_default();
        table.retain(|_, bytes| bytes.strong_count() > 0);
        table.insert(name.clone(), Arc::downgrade(&bytes));
        let new: *mut _ = Box::leak(Box::new(table));
        if HELD.compare_exchange(old, new, Ordering::AcqRel, Ordering::Acquire).is_ok() {
            return (name, bytes);
        }
    }
}

/// Bytes that this process holds.
pub fn held(name: &str) -> Option<Arc<Bytes>> {
    // SAFETY: as above.
    unsafe { HELD.load(Ordering::Acquire).as_ref() }?.get(name)?.upgrade()
}

/// Bytes that this process holds, as an object.
pub(crate) fn open(location: &str) -> crate::Result<Arc<dyn Object>> {
    match held(location) {
        Some(bytes) => Ok(Arc::new(InMemory(Bytes::clone(&bytes)))),
        None => Err(Error::new(Kind::NotFound, "what was in memory is gone: the data set was made in another process")
            .in_file(location)),
    }
}

impl Store for MemoryStore {
    fn open<'a>(&'a self, location: &'a str, _hint: Hint, _known: Option<&'a Known>) -> Reading<'a, Arc<dyn Object>> {
        let found = self.0.get(location).cloned();
        Box::pin(async move {
            match found {
                Some(bytes) => Ok(Arc::new(InMemory(bytes)) as Arc<dyn Object>),
                None => Err(Error::new(Kind::NotFound, "there is no such object").in_file(location)),
            }
        })
    }
}

impl Object for InMemory {
    fn size(&self) -> u64 {
        self.0.len() as u64
    }

    fn read_now(&self, ranges: &[Range<u64>]) -> crate::Result<Option<Vec<Bytes>>> {
        let size = self.size();
        let part = |r: &Range<u64>| {
            if r.start <= r.end && r.end <= size {
                Ok(self.0.slice(r.start as usize..r.end as usize))
            } else {
                Err(Error::data(format!("bytes {r:?} are not in the object of {size} bytes")))
            }
        };
        ranges.iter().map(part).collect::<crate::Result<Vec<_>>>().map(Some)
    }

    fn read<'a>(&'a self, ranges: &'a [Range<u64>]) -> Reading<'a, Vec<Bytes>> {
        Box::pin(async move { Ok(self.read_now(ranges)?.unwrap_or_default()) })
    }
}
