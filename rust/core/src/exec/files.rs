//! The files of a stream, opened once and shared by the readers of their pieces.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::{Mutex, OnceCell};

use crate::engine::Engine;
use crate::error::{Error, Kind, Result};
use crate::format::compress::Codec;
use crate::format::parquet::{Footer, TAIL, Tail, read_footer};
use crate::plan::{Scan, hash};
use crate::source::{Object, Store};

/// Files that are kept open where no reader uses them; their footers are not small.
const MOST_OPEN: usize = 8;

/// What is read of a file before its pieces.
#[derive(Clone)]
pub(crate) enum Head {
    Parquet(Arc<Footer>),
    /// Lines; whether the file is compressed, and so cannot be cut.
    Json {
        packed: bool,
    },
    /// An archive.
    Tar,
}

/// A file that is open.
#[derive(Clone)]
pub(crate) struct Opened {
    pub(crate) object: Arc<dyn Object>,
    pub(crate) head: Head,
    /// What identifies its content.
    pub(crate) version: String,
}

/// The first and last bytes of a file that tell it from others of its length.
const ENDS: u64 = 4 << 10;

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

    /// The listing.
    pub(crate) fn scan(&self) -> &Arc<Scan> {
        &self.scan
    }

    /// Where the `i`-th file is.
    pub(crate) fn path(&self, i: u32) -> &str {
        &self.scan.files[i as usize].path
    }

    /// Opens a file of a format.
    pub(crate) async fn open(engine: &Engine, store: &dyn Store, format: &str, path: &str) -> Result<Opened> {
        let named = |e: Error| e.in_file(path);
        let object = store.open(path).await.map_err(named)?;
        if format == "parquet" {
            return Self::open_parquet(engine, object, path).await;
        }
        let size = object.size();
        let ends = [0..size.min(ENDS), size.saturating_sub(ENDS)..size];
        let ends = object.read(&ends).await.map_err(named)?;
        let version = format!("{:016x}", hash(&ends.concat()));
        let packed = Codec::of(&ends[0]).is_some();
        let head = if format == "json" { Head::Json { packed } } else { Head::Tar };
        Ok(Opened { object, head, version })
    }

    /// Reads the footer.
    async fn open_parquet(engine: &Engine, object: Arc<dyn Object>, path: &str) -> Result<Opened> {
        let named = |e: Error| e.in_file(path);
        let size = object.size();
        let mut range = size.saturating_sub(TAIL)..size;
        loop {
            let ranges = [range];
            let tail = object.read(&ranges).await.map_err(named)?.pop().ok_or_else(|| Error::internal("a read gave nothing"))?;
            match engine.cpu(move || read_footer(&tail, size)).await?.map_err(named)? {
                Tail::Footer(footer) => {
                    let version = footer.version.clone();
                    return Ok(Opened { object, head: Head::Parquet(Arc::from(footer)), version });
                }
                Tail::Need(more) => range = more,
            }
        }
    }

    /// The `i`-th file of the listing, which must be the one that the plan was made from.
    pub(crate) async fn get(&self, engine: &Engine, i: u32) -> Result<Opened> {
        let cell = {
            let mut open = self.open.lock().await;
            if open.len() >= MOST_OPEN {
                open.retain(|_, cell| Arc::strong_count(cell) > 1 || cell.get().is_some_and(|opened| Arc::strong_count(&opened.object) > 1));
            }
            Arc::clone(open.entry(i).or_default())
        };
        let entry = &self.scan.files[i as usize];
        let opened = cell.get_or_try_init(|| async {
            let opened = Self::open(engine, &*self.store, &self.scan.format, &entry.path).await?;
            if opened.object.size() != entry.size || opened.version != entry.version {
                let what = format!(
                    "the file is not the one that this data set was made from ({} bytes then, {} now, or other content): load the data set again",
                    entry.size,
                    opened.object.size()
                );
                return Err(Error::new(Kind::SourceChanged, what).in_file(&entry.path));
            }
            Ok(opened)
        });
        opened.await.cloned()
    }
}
