//! The listing: which pieces there are, resolved once, into the plan.
//!
//! **How pieces are cut and lanes are counted** (one rule, from metadata, the same on every machine):
//! a Parquet row group is a piece, in the order of the files given and of the row groups in each. A shuffle has
//! `V = 64` lanes, fewer where there are fewer pieces, and at most `96 MiB / floor`, at least one, where `floor` is
//! what an open row group keeps in memory at least: a page and a dictionary of *every* column (so that the order
//! does not depend on the columns that are read), of the row group and file where that is most.

use std::sync::Arc;

use arrow_schema::Schema;

use crate::engine::Engine;
use crate::error::{Error, Kind, Result};
use crate::exec::files::Files;
use crate::plan::{FileEntry, Scan};
use crate::schema::widen;
use crate::source::Store;

/// The most lanes of a shuffle.
const LANES: u64 = 64;

/// What the floors of all lanes together may keep.
const FLOORS: u64 = 96 << 20;

/// Footers that are read at once.
const AT_ONCE: usize = 16;

/// Lists the pieces of Parquet files, in the order of `paths`. Reads every footer.
pub async fn parquet(store: Arc<dyn Store>, paths: &[String]) -> Result<Scan> {
    let engine = Engine::current()?;
    let (mut files, mut pieces, mut floor) = (Vec::new(), Vec::new(), 1);
    let mut schema: Option<Schema> = None;
    for some in paths.chunks(AT_ONCE) {
        let (send, mut receive) = tokio::sync::mpsc::unbounded_channel();
        for (i, path) in some.iter().enumerate() {
            let (store, path, send) = (Arc::clone(&store), path.clone(), send.clone());
            engine.spawn(async move {
                let opened = Files::open(engine, &*store, &path).await;
                drop(send.send((i, opened)));
            });
        }
        drop(send);
        let mut opened: Vec<_> = some.iter().map(|_| None).collect();
        while let Some((i, file)) = receive.recv().await {
            opened[i] = Some(file);
        }
        for (path, file) in some.iter().zip(opened) {
            let (object, footer) = file.ok_or_else(|| Error::internal("a footer was lost"))??;
            let number = u32::try_from(files.len()).map_err(|_| Error::new(Kind::Value, "more files than can be numbered"))?;
            for (g, group) in footer.metadata.row_groups().iter().enumerate() {
                if group.num_rows() > 0 {
                    let bytes = group.columns().iter().map(|c| u64::try_from(c.compressed_size()).unwrap_or(0)).sum();
                    pieces.push((number, g as u32, group.num_rows().cast_unsigned(), bytes));
                }
            }
            floor = footer.floor().max(floor);
            schema = Some(match schema {
                None => footer.schema.clone(),
                Some(schema) => widen(&schema, &paths[0], &footer.schema, path)?,
            });
            files.push(FileEntry { path: path.clone(), size: object.size(), version: footer.version.clone() });
        }
    }
    let schema = schema.ok_or_else(|| Error::new(Kind::Value, "no files to read"))?;
    let mut names: Vec<&String> = schema.fields().iter().map(|f| f.name()).collect();
    names.sort();
    if let Some([twice, _]) = names.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(Error::new(Kind::Unsupported, format!("two columns are called {twice:?}, and a row can have only one")).in_file(&paths[0]));
    }
    let lanes = (FLOORS / floor).min(LANES).min(pieces.len() as u64).max(1) as usize;
    Ok(Scan { format: "parquet".into(), files, pieces, schema, lanes, floor })
}
