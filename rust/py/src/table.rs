//! Rows of an Arrow table, at random and in order.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::SchemaRef;
use pyo3::exceptions::PyIndexError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList};
use rowstream_core::format::sealed::check;
use rowstream_core::plan::expr::Expr;
use rowstream_core::row_hash::hashes;
use rowstream_core::schema::Filter;
use rowstream_core::{Error, export};

use crate::door::{detached, guard};
use crate::error::raise;
use crate::given::Given;
use crate::rows::{Columns, Shape};
use crate::selected::SelectedRows;

/// Rows that are fetched ahead of the one that is made.
const AHEAD: usize = 4;

/// A table, in the batches that it came in.
pub struct Rows {
    pub schema: SchemaRef,
    batches: Vec<RecordBatch>,
    /// Where their columns' buffers lie.
    places: Vec<Vec<Vec<usize>>>,
    /// The columns of each, their types looked at, once a row of it was asked for.
    columns: Vec<OnceLock<Columns>>,
    /// Where each begins, and the end.
    starts: Vec<usize>,
    /// The keys of rows, and strings that came before; whoever finds it in use makes its own.
    shape: Mutex<Option<Shape>>,
}

impl Rows {
    /// The batch of a row, its place there, and how many rows there are from it on.
    pub fn place(&self, row: usize) -> PyResult<(usize, usize, usize)> {
        let batch = self.starts.partition_point(|start| *start <= row) - 1;
        match self.batches.get(batch) {
            Some(of) => Ok((batch, row - self.starts[batch], of.num_rows() - (row - self.starts[batch]))),
            None => Err(PyIndexError::new_err(format!("row {row} of {}", self.starts[self.batches.len()]))),
        }
    }

    /// Does work with the keys of rows.
    pub fn shaped<T>(&self, py: Python<'_>, work: impl FnOnce(&mut Shape) -> PyResult<T>) -> PyResult<T> {
        let mut own = None;
        let mut held = self.shape.try_lock();
        let slot = held.as_deref_mut().unwrap_or(&mut own);
        work(slot.get_or_insert_with(|| Shape::new(py, self.schema.fields())))
    }

    /// A column of a batch.
    pub fn column(&self, batch: usize, column: usize) -> Result<&ArrayRef, Error> {
        self.check(batch)?;
        Ok(self.batches[batch].column(column))
    }

    /// Checks what a batch is made of, where it lies in a file with checksums.
    fn check(&self, batch: usize) -> Result<(), Error> {
        self.places[batch].iter().try_for_each(|column| check(column))
    }

    /// A batch's columns, their types looked at.
    pub fn columns(&self, batch: usize) -> PyResult<&Columns> {
        if let Some(columns) = self.columns[batch].get() {
            return Ok(columns);
        }
        self.check(batch).map_err(|e| raise(&e))?;
        let made = Columns::new(&self.batches[batch])?;
        Ok(self.columns[batch].get_or_init(|| made))
    }

    fn row<'py>(&self, py: Python<'py>, shape: &mut Shape, row: usize) -> PyResult<Bound<'py, PyAny>> {
        let (batch, at, _) = self.place(row)?;
        self.columns(batch)?.row(py, shape, at)
    }

    /// Has the memory of a column's row fetched, which will be asked for soon.
    pub fn fetch(&self, batch: usize, column: usize, row: usize, depth: usize) {
        if let Some(columns) = self.columns[batch].get() {
            columns.fetch_one(column, row, depth);
        }
    }

    /// Has the memory of a row fetched, which will be asked for soon.
    pub fn fetch_row(&self, batch: usize, row: usize, depth: usize) {
        if let Some(columns) = self.columns[batch].get()
            && depth <= columns.depth
        {
            columns.fetch(row, depth);
        }
    }

    /// The same, for a position in the table.
    fn fetch_at(&self, row: usize, depth: usize) {
        if let Ok((batch, at, _)) = self.place(row) {
            self.fetch_row(batch, at, depth);
        }
    }
}

/// Rows of an Arrow table as dicts.
#[pyclass(frozen, module = "rowstream._core")]
pub struct Table {
    pub rows: Arc<Rows>,
}

impl Table {
    fn text<'py>(
        &self,
        py: Python<'py>,
        write: impl Fn(&RecordBatch, &mut Vec<u8>) -> Result<Option<()>, Error> + Sync,
    ) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let made = detached(py, || {
            let mut out = Vec::new();
            for (i, batch) in self.rows.batches.iter().enumerate() {
                self.rows.check(i)?;
                if write(batch, &mut out)?.is_none() {
                    return Ok(None);
                }
            }
            Ok(Some(out))
        })?;
        Ok(made.map(|out| PyBytes::new(py, &out)))
    }
}

/// Positions that Python gives as the bytes of 64-bit integers.
pub fn positions(bytes: &[u8]) -> impl Iterator<Item = usize> {
    bytes.as_chunks::<8>().0.iter().map(|of| i64::from_ne_bytes(*of) as usize)
}

#[pymethods]
impl Table {
    /// The rows of anything with the Arrow `PyCapsule` protocol, without a copy.
    #[new]
    fn new(table: &Bound<'_, PyAny>) -> PyResult<Self> {
        let Given { schema, batches, places } = Given::of(table)?;
        // Whether all types can be rows is known before any is asked for.
        Columns::new(&RecordBatch::new_empty(Arc::clone(&schema)))?;
        let mut starts = vec![0];
        for batch in &batches {
            starts.push(starts[starts.len() - 1] + batch.num_rows());
        }
        let columns = batches.iter().map(|_| OnceLock::new()).collect();
        let shape = Mutex::new(None);
        Ok(Self { rows: Arc::new(Rows { schema, batches, places, columns, starts, shape }) })
    }

    /// A row.
    fn row<'py>(&self, py: Python<'py>, row: usize) -> PyResult<Bound<'py, PyAny>> {
        guard(|| self.rows.shaped(py, |shape| self.rows.row(py, shape, row)))
    }

    /// A run of rows, as a list.
    fn to_pylist<'py>(&self, py: Python<'py>, start: usize, stop: usize) -> PyResult<Bound<'py, PyList>> {
        self.slice(start, stop)?.to_pylist(py)
    }

    /// The columns, as lists.
    fn to_pydict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        self.slice(0, self.rows.starts[self.rows.batches.len()])?.to_pydict(py)
    }

    /// Some rows, to be read in one form or another. `at`: the bytes of 64-bit integers.
    fn select(&self, at: &[u8]) -> PyResult<SelectedRows> {
        SelectedRows::at(&self.rows, positions(at))
    }

    /// A run of rows, to be read in one form or another.
    fn slice(&self, start: usize, stop: usize) -> PyResult<SelectedRows> {
        SelectedRows::run(&self.rows, start, stop)
    }

    /// Rows one after another: a run of them.
    fn rows(&self, py: Python<'_>, start: usize, stop: usize) -> TableRows {
        TableRows {
            rows: Arc::clone(&self.rows),
            at: None,
            next: AtomicUsize::new(start),
            stop,
            shape: Mutex::new(Some(Shape::new(py, self.rows.schema.fields()))),
        }
    }

    /// Rows one after another, anywhere. `at`: the bytes of 64-bit integers.
    fn rows_at(&self, py: Python<'_>, at: &[u8]) -> TableRows {
        let at: Vec<usize> = positions(at).collect();
        let (stop, shape) = (at.len(), Mutex::new(Some(Shape::new(py, self.rows.schema.fields()))));
        TableRows { rows: Arc::clone(&self.rows), at: Some(at), next: AtomicUsize::new(0), stop, shape }
    }

    /// The rows as JSON Lines, or `None` if a column has a type that only pandas writes.
    fn json_lines<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyBytes>>> {
        self.text(py, export::json::lines)
    }

    /// The rows as CSV, without a header, or `None` if a column has a type that only pandas writes.
    fn csv_rows<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyBytes>>> {
        self.text(py, export::csv::rows)
    }

    /// A hash of each row, of 16 bytes.
    fn hashes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let made = detached(py, || {
            let mut out = Vec::new();
            for (i, batch) in self.rows.batches.iter().enumerate() {
                self.rows.check(i)?;
                hashes(batch, &mut out)?;
            }
            Ok(out)
        })?;
        Ok(PyBytes::new(py, &made))
    }

    /// For which rows an expression is true: a byte of 0 or 1 each.
    fn matches<'py>(&self, py: Python<'py>, condition: &str) -> PyResult<Bound<'py, PyBytes>> {
        let mask = detached(py, || {
            let expr: Expr = serde_json::from_str(condition).map_err(|e| Error::internal(e.to_string()))?;
            let filter = Filter::new(expr, &self.rows.schema)?;
            let mut mask = Vec::with_capacity(self.rows.starts[self.rows.batches.len()]);
            for (i, batch) in self.rows.batches.iter().enumerate() {
                self.rows.check(i)?;
                mask.extend(filter.keep(batch)?.iter().map(u8::from));
            }
            Ok(mask)
        })?;
        Ok(PyBytes::new(py, &mask))
    }
}

/// Rows of a table, one at a time.
#[pyclass(frozen, module = "rowstream._core")]
pub struct TableRows {
    rows: Arc<Rows>,
    at: Option<Vec<usize>>,
    next: AtomicUsize,
    stop: usize,
    shape: Mutex<Option<Shape>>,
}

#[pymethods]
impl TableRows {
    fn __iter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let i = self.next.fetch_add(1, Ordering::Relaxed);
        if i >= self.stop {
            return Ok(None);
        }
        let row = match &self.at {
            None => i,
            Some(at) => {
                for depth in 0..3 {
                    if let Some(next) = at.get(i + AHEAD - depth) {
                        self.rows.fetch_at(*next, depth);
                    }
                }
                at[i]
            }
        };
        let mut own = None;
        let mut held = self.shape.try_lock();
        let slot = held.as_deref_mut().unwrap_or(&mut own);
        let shape = slot.get_or_insert_with(|| Shape::new(py, self.rows.schema.fields()));
        guard(|| self.rows.row(py, shape, row).map(Some))
    }
}
