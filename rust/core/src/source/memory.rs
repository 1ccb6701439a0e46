//! Objects in memory, for tests and for what a caller already has.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use super::{Object, Reading, Store};
use crate::error::{Error, Kind};

/// Named bytes.
#[derive(Debug, Clone, Default)]
pub struct MemoryStore(pub HashMap<String, Bytes>);

struct Held(Bytes);

impl Store for MemoryStore {
    fn open<'a>(&'a self, location: &'a str) -> Reading<'a, Arc<dyn Object>> {
        let found = self.0.get(location).cloned();
        Box::pin(async move {
            match found {
                Some(bytes) => Ok(Arc::new(Held(bytes)) as Arc<dyn Object>),
                None => Err(Error::new(Kind::NotFound, "there is no such object").in_file(location)),
            }
        })
    }
}

impl Object for Held {
    fn size(&self) -> u64 {
        self.0.len() as u64
    }

    fn read<'a>(&'a self, ranges: &'a [Range<u64>]) -> Reading<'a, Vec<Bytes>> {
        let size = self.size();
        Box::pin(async move {
            let part = |r: &Range<u64>| {
                if r.start <= r.end && r.end <= size {
                    Ok(self.0.slice(r.start as usize..r.end as usize))
                } else {
                    Err(Error::data(format!("bytes {r:?} are not in the object of {size} bytes")))
                }
            };
            ranges.iter().map(part).collect()
        })
    }
}
