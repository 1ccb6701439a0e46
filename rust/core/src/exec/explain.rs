//! What a plan reads, and what it leaves out, before it is read: from what files say of themselves.

use std::sync::Arc;

use serde::Serialize;

use super::decode::{constants, decoder_source};
use super::queue::Piece;
use crate::engine::Engine;
use crate::error::Result;
use crate::files::Files;
use crate::format::Options;
use crate::plan::Plan;
use crate::schema::Filter;
use crate::source::Store;

/// What is read of a plan's listing.
#[derive(Debug, Default, Serialize)]
pub struct Explained {
    /// All pieces, and those that are left out by the names of folders, and by statistics.
    pub pieces: u64,
    /// Pieces left out by what paths say.
    pub by_path: u64,
    /// Pieces left out by statistics.
    pub by_statistics: u64,
    /// The bytes of all pieces, and those of the columns that are read of the others at most.
    pub bytes: u64,
    /// The bytes that may be read.
    pub read: u64,
}

/// Looks at every file of a plan, and says what is read of it.
pub fn explain(plan: &Arc<Plan>, store: Arc<dyn Store>) -> Result<Explained> {
    let engine = Engine::current()?;
    let files = Files::new(store, Arc::clone(&plan.scan), plan.filter.is_some())?;
    let filter = plan.filter.clone().map(|expr| Filter::new(expr, &plan.scan.schema)).transpose()?;
    let columns =
        plan.columns.as_ref().map(|columns| columns.iter().map(|(source, _)| source.clone()).collect::<Vec<_>>());
    let mut made = Explained::default();
    for &(file, at, count, bytes) in &plan.scan.pieces {
        made.pieces += 1;
        made.bytes += bytes;
        let own = filter.as_ref().map(|filter| {
            Arc::new(Filter { expr: filter.expr.clone(), adapter: filter.adapter.in_file(constants(&files, file), 0) })
        });
        if let (Some(filter), Some(_)) = (&own, count)
            && !filter.may()?
        {
            made.by_path += 1;
            continue;
        }
        let opened = engine.block_on(files.get(engine, file))?;
        let piece = Piece::alone(&(file, at, count, bytes), 0..u64::MAX);
        let (rows, unit, window) = (piece.rows.clone(), piece.unit, piece.window);
        let options =
            Options { columns: columns.clone(), rows, unit, window, most: usize::MAX, filter: own, lenient: false };
        match files
            .format()
            .cost(&decoder_source(&files, &opened, &piece), &options)
            .map_err(|e| e.in_file(files.name(file)))?
        {
            Some(bytes) => made.read += bytes,
            None => made.by_statistics += 1,
        }
    }
    Ok(made)
}
