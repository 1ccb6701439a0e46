//! Rows of tables by number, in the forms that formats of rows want: lists, arrays of numbers, an Arrow batch.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::ArrowError;
use arrow_select::concat::concat;
use arrow_select::interleave::interleave;
use pyo3::exceptions::{PyIndexError, PyKeyError};
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyDict, PyList};
use rowstream_core::{Error, Result};

use crate::capsule;
use crate::door::{detached, guard};
use crate::error::raise;
use crate::numbers::{self, Array};
use crate::rows::{List, Shape};
use crate::table::{Rows, Table};

/// Rows that are fetched ahead of the one that is read.
const AHEAD: usize = 4;

/// Runs of so many rows, on average, are copied as such; shorter ones row by row, which is faster then.
const LONG: usize = 16;

/// Rows one after another in a batch of a table.
#[derive(Clone, Copy)]
struct Run {
    table: usize,
    batch: usize,
    start: usize,
    len: usize,
}

/// Some rows of one or several tables, and some of their columns. Nothing is copied until it is asked for.
#[pyclass(frozen, module = "rowstream._core")]
pub struct SelectedRows {
    tables: Vec<Arc<Rows>>,
    runs: Vec<Run>,
    rows: usize,
    columns: Vec<usize>,
}

impl SelectedRows {
    /// The rows of a table at positions in it.
    pub fn at(table: &Arc<Rows>, positions: impl Iterator<Item = usize>) -> PyResult<Self> {
        let mut made = Self::new(vec![Arc::clone(table)]);
        positions.into_iter().try_for_each(|row| made.push(0, row, 1))?;
        Ok(made)
    }

    /// Rows of a table one after another.
    pub fn run(table: &Arc<Rows>, start: usize, stop: usize) -> PyResult<Self> {
        let mut made = Self::new(vec![Arc::clone(table)]);
        made.push(0, start, stop.saturating_sub(start))?;
        Ok(made)
    }

    fn new(tables: Vec<Arc<Rows>>) -> Self {
        let columns = (0..tables.first().map_or(0, |of| of.schema.fields().len())).collect();
        Self { tables, runs: Vec::new(), rows: 0, columns }
    }

    fn push(&mut self, table: usize, mut row: usize, mut len: usize) -> PyResult<()> {
        self.rows += len;
        while len > 0 {
            let (batch, start, there) = self.tables[table].place(row)?;
            let some = len.min(there);
            match self.runs.last_mut() {
                Some(last) if last.table == table && last.batch == batch && last.start + last.len == start => {
                    last.len += some;
                }
                _ => self.runs.push(Run { table, batch, start, len: some }),
            }
            (row, len) = (row + some, len - some);
        }
        Ok(())
    }

    /// A column as a list of Python objects. Memory anywhere is asked for before it is read.
    fn list<'py>(&self, py: Python<'py>, shape: &mut Shape, column: usize) -> PyResult<Bound<'py, PyList>> {
        let mut list = List::new(py, self.rows)?;
        for (i, run) in self.runs.iter().enumerate() {
            for depth in 0..3 {
                if let Some(next) = self.runs.get(i + AHEAD - depth) {
                    self.tables[next.table].fetch(next.batch, column, next.start, depth);
                }
            }
            let columns = self.tables[run.table].columns(run.batch)?;
            columns.extend(py, shape, column, run.start, run.len, &mut list)?;
        }
        Ok(list.into_list())
    }

    fn shaped<T>(&self, py: Python<'_>, work: impl FnOnce(&mut Shape) -> PyResult<T>) -> PyResult<T> {
        self.tables[0].shaped(py, work)
    }

    /// The batches that rows are of, each once.
    fn batches(&self) -> Vec<(usize, usize)> {
        let mut batches: Vec<(usize, usize)> = self.runs.iter().map(|run| (run.table, run.batch)).collect();
        batches.sort_unstable();
        batches.dedup();
        batches
    }

    /// The columns, those of all runs joined.
    fn joined(&self) -> Result<Vec<ArrayRef>> {
        let failed =
            |e: ArrowError| Error::data(format!("{} rows do not fit into one batch: {e}; ask for fewer", self.rows));
        if self.runs.len() * LONG <= self.rows {
            let column = |i: &usize| {
                let runs = self
                    .runs
                    .iter()
                    .map(|run| Ok(self.tables[run.table].column(run.batch, *i)?.slice(run.start, run.len)));
                let runs = runs.collect::<Result<Vec<_>>>()?;
                concat(&runs.iter().map(|run| &**run).collect::<Vec<_>>()).map_err(failed)
            };
            return self.columns.iter().map(column).collect();
        }
        let batches = self.batches();
        let mut places = Vec::with_capacity(self.rows);
        for run in &self.runs {
            let of = batches.binary_search(&(run.table, run.batch)).map_err(|_| Error::internal("a batch"))?;
            places.extend((run.start..run.start + run.len).map(|row| (of, row)));
        }
        let column = |i: &usize| {
            let arrays = batches.iter().map(|(table, batch)| Ok(&**self.tables[*table].column(*batch, *i)?));
            interleave(&arrays.collect::<Result<Vec<_>>>()?, &places).map_err(failed)
        };
        self.columns.iter().map(column).collect()
    }

    fn batch(&self) -> Result<RecordBatch> {
        let failed = |e: ArrowError| Error::internal(e.to_string());
        let schema = Arc::new(self.tables[0].schema.project(&self.columns).map_err(failed)?);
        let arrays = match self.runs.as_slice() {
            [] => return Ok(RecordBatch::new_empty(schema)),
            [one] => self
                .columns
                .iter()
                .map(|i| Ok(self.tables[one.table].column(one.batch, *i)?.slice(one.start, one.len)))
                .collect::<Result<_>>()?,
            _ => self.joined()?,
        };
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows));
        RecordBatch::try_new_with_options(schema, arrays, &options).map_err(failed)
    }
}

#[pymethods]
impl SelectedRows {
    /// Rows of several tables with the same columns. `which`, `at`: the bytes of 64-bit integers: the table of each
    /// row, and its position there.
    #[staticmethod]
    fn of(tables: Vec<Bound<'_, Table>>, which: &[u8], at: &[u8]) -> PyResult<Self> {
        let mut made = Self::new(tables.iter().map(|table| Arc::clone(&table.get().rows)).collect());
        let count = made.tables.len();
        for (table, row) in crate::table::positions(which).zip(crate::table::positions(at)) {
            if table >= count {
                return Err(raise(&Error::internal(format!("table {table} of {count}"))));
            }
            made.push(table, row, 1)?;
        }
        Ok(made)
    }

    /// How many rows.
    #[getter]
    fn num_rows(&self) -> usize {
        self.rows
    }

    /// The names of the columns.
    #[getter]
    fn column_names(&self) -> Vec<&str> {
        self.columns.iter().map(|i| self.tables[0].schema.field(*i).name().as_str()).collect()
    }

    /// The same rows, and some of the columns, by their names or numbers.
    fn select(&self, columns: Vec<Bound<'_, PyAny>>) -> PyResult<Self> {
        let schema = &self.tables[0].schema;
        let number = |of: &Bound<'_, PyAny>| {
            if let Ok(i) = of.extract::<usize>() {
                return self.columns.get(i).copied().ok_or_else(|| PyIndexError::new_err(i));
            }
            let name: String = of.extract()?;
            let found = self.columns.iter().find(|i| *schema.field(**i).name() == name);
            found.copied().ok_or_else(|| PyKeyError::new_err(name))
        };
        let columns = columns.iter().map(number).collect::<PyResult<_>>()?;
        Ok(Self { tables: self.tables.clone(), runs: self.runs.clone(), rows: self.rows, columns })
    }

    /// Some of the rows, one after another.
    fn slice(&self, offset: usize, length: usize) -> Self {
        let mut made = Self::new(self.tables.clone());
        made.columns.clone_from(&self.columns);
        let (mut skip, mut left) = (offset, length);
        for run in &self.runs {
            if skip >= run.len {
                skip -= run.len;
                continue;
            }
            let len = (run.len - skip).min(left);
            if len > 0 {
                made.runs.push(Run { start: run.start + skip, len, ..*run });
                made.rows += len;
            }
            (skip, left) = (0, left - len);
        }
        made
    }

    /// The columns, as lists of Python objects.
    pub fn to_pydict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        guard(|| {
            self.shaped(py, |shape| {
                let made = PyDict::new(py);
                for i in &self.columns {
                    made.set_item(self.tables[0].schema.field(*i).name(), self.list(py, shape, *i)?)?;
                }
                Ok(made)
            })
        })
    }

    /// The rows as dicts.
    pub fn to_pylist<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        guard(|| {
            self.shaped(py, |shape| {
                let made = PyList::empty(py);
                for (i, run) in self.runs.iter().enumerate() {
                    for depth in 0..3 {
                        if let Some(next) = self.runs.get(i + AHEAD - depth) {
                            self.tables[next.table].fetch_row(next.batch, next.start, depth);
                        }
                    }
                    let columns = self.tables[run.table].columns(run.batch)?;
                    for row in run.start..run.start + run.len {
                        made.append(columns.row(py, shape, row)?)?;
                    }
                }
                Ok(made)
            })
        })
    }

    /// The `i`-th column as an array of numbers: its type, the shape of a row, its bytes, and, where rows are lists
    /// of several lengths, those. `None` if it is not of numbers without nulls. `by_default`: in the type that tensors
    /// have by default.
    fn array<'py>(&self, py: Python<'py>, i: usize, by_default: bool) -> PyResult<Option<Array<'py>>> {
        let column = *self.columns.get(i).ok_or_else(|| PyIndexError::new_err(i))?;
        guard(|| {
            let mut runs = Vec::with_capacity(self.runs.len());
            for run in &self.runs {
                let columns = self.tables[run.table].columns(run.batch)?;
                runs.push(numbers::Run { column: columns.get(column), start: run.start, len: run.len });
            }
            numbers::array(py, runs, by_default)
        })
    }

    /// The rows by the Arrow `PyCapsule` protocol, as one batch.
    #[pyo3(signature = (requested_schema = None))]
    fn __arrow_c_array__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyAny>>,
    ) -> PyResult<(Bound<'py, PyCapsule>, Bound<'py, PyCapsule>)> {
        // A requested schema is a wish that need not be met; consumers cast.
        drop(requested_schema);
        let batch = detached(py, || self.batch())?;
        Ok((capsule::schema(py, &batch.schema())?, capsule::batch(py, &batch)?))
    }
}
