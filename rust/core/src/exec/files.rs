//! The files of a stream, opened once and shared by the readers of their pieces.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::{Mutex, OnceCell};

use crate::engine::Engine;
use crate::error::{Error, Kind, Result};
use crate::format::parquet::{Footer, TAIL, Tail, read_footer};
use crate::plan::Scan;
use crate::source::{Object, Store};

/// Files that are kept open where no reader uses them; their footers are not small.
const MOST_OPEN: usize = 8;

/// A file that is open, and its footer.
pub(crate) type Opened = (Arc<dyn Object>, Arc<Footer>);

/// The files of a listing.
pub(crate) struct Files {
    store: Arc<dyn Store>,
    scan: Arc<Scan>,
    open: Mutex<HashMap<u32, Arc<OnceCell<Opened>>>>,
}

impl Files {
    pub(crate) fn new(store: Arc<dyn Store>, scan: Arc<Scan>) -> Self {
        Self { store, scan, open: Mutex::default() }
    }

    /// Where the `i`-th file is.
    pub(crate) fn path(&self, i: u32) -> &str {
        &self.scan.files[i as usize].path
    }

    /// Opens a file and reads its footer.
    pub(crate) async fn open(engine: &Engine, store: &dyn Store, path: &str) -> Result<Opened> {
        let named = |e: Error| e.in_file(path);
        let object = store.open(path).await.map_err(named)?;
        let size = object.size();
        let mut range = size.saturating_sub(TAIL)..size;
        loop {
            let ranges = [range];
            let tail = object.read(&ranges).await.map_err(named)?.pop().ok_or_else(|| Error::internal("a read gave nothing"))?;
            match engine.cpu(move || read_footer(&tail, size)).await?.map_err(named)? {
                Tail::Footer(footer) => return Ok((object, Arc::from(footer))),
                Tail::Need(more) => range = more,
            }
        }
    }

    /// The `i`-th file of the listing, which must be the one that the plan was made from.
    pub(crate) async fn get(&self, engine: &Engine, i: u32) -> Result<Opened> {
        let cell = {
            let mut open = self.open.lock().await;
            if open.len() >= MOST_OPEN {
                open.retain(|_, cell| Arc::strong_count(cell) > 1 || cell.get().is_some_and(|(object, _)| Arc::strong_count(object) > 1));
            }
            Arc::clone(open.entry(i).or_default())
        };
        let entry = &self.scan.files[i as usize];
        let opened = cell.get_or_try_init(|| async {
            let opened = Self::open(engine, &*self.store, &entry.path).await?;
            if opened.0.size() != entry.size || opened.1.version != entry.version {
                let what = format!(
                    "the file is not the one that this data set was made from ({} bytes then, {} now, or another footer): load the data set again",
                    entry.size,
                    opened.0.size()
                );
                return Err(Error::new(Kind::SourceChanged, what).in_file(&entry.path));
            }
            Ok(opened)
        });
        opened.await.cloned()
    }
}
