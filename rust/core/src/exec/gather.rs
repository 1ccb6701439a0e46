//! Rows that were picked by index, gathered once into a batch.

use std::sync::Arc;

use arrow_array::{Array, RecordBatch, RecordBatchOptions};
use arrow_schema::SchemaRef;
use arrow_select::concat::concat_batches;
use arrow_select::interleave::interleave;

use super::lane::Pending;
use super::queue::Unit;
use crate::error::{Error, Kind, Result};

/// Rows `row..row + len` of a unit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Run {
    pub(crate) unit: u32,
    pub(crate) row: u32,
    pub(crate) len: u32,
}

/// The rows of a batch, before they are gathered.
#[derive(Default)]
pub(crate) struct Picks {
    units: Vec<Arc<Unit>>,
    runs: Vec<Run>,
    pub(crate) rows: usize,
    batch: u64,
}

impl Pending {
    /// The place of this unit among those of the batch.
    pub(crate) fn pick(&mut self, picks: &mut Picks) -> u32 {
        if self.place.0 != picks.batch {
            self.place = (picks.batch, picks.units.len() as u32);
            picks.units.push(Arc::clone(&self.unit));
        }
        self.place.1
    }
}

impl Picks {
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// One more unit; its place among those of the batch.
    pub(super) fn add(&mut self, unit: &Arc<Unit>) -> u32 {
        self.units.push(Arc::clone(unit));
        self.units.len() as u32 - 1
    }

    pub(crate) fn push(&mut self, run: Run) {
        self.rows += run.len as usize;
        match self.runs.last_mut() {
            Some(last) if last.unit == run.unit && last.row + last.len == run.row => last.len += run.len,
            _ => self.runs.push(run),
        }
    }

    /// What was picked, and a new beginning.
    pub(crate) fn take(&mut self) -> Self {
        let next = Self { batch: self.batch + 1, ..Self::default() };
        std::mem::replace(self, next)
    }

    /// One batch of the rows. A run is a slice without a copy; a few long runs are joined; anything else is
    /// interleaved by index.
    pub(crate) fn gather(&self, schema: &SchemaRef) -> Result<RecordBatch> {
        let failed = |e: arrow_schema::ArrowError| {
            Error::new(
                Kind::Value,
                format!("{} rows do not fit into one batch ({e}): give a smaller batch_size", self.rows),
            )
        };
        let slice = |run: &Run| self.units[run.unit as usize].batch.slice(run.row as usize, run.len as usize);
        if let [run] = self.runs.as_slice() {
            return Ok(slice(run));
        }
        if self.runs.len() * 16 <= self.rows {
            let slices: Vec<RecordBatch> = self.runs.iter().map(slice).collect();
            return concat_batches(schema, &slices).map_err(failed);
        }
        let indices: Vec<(usize, usize)> = self
            .runs
            .iter()
            .flat_map(|run| (run.row..run.row + run.len).map(|row| (run.unit as usize, row as usize)))
            .collect();
        let column = |i: usize| {
            let arrays: Vec<&dyn Array> = self.units.iter().map(|unit| &**unit.batch.column(i)).collect();
            interleave(&arrays, &indices)
        };
        let columns = (0..schema.fields().len()).map(column).collect::<Result<Vec<_>, _>>().map_err(failed)?;
        RecordBatch::try_new_with_options(
            Arc::clone(schema),
            columns,
            &RecordBatchOptions::new().with_row_count(Some(self.rows)),
        )
        .map_err(failed)
    }
}
