//! Rows of files by their numbers, where only their bytes are read.

use std::sync::{Arc, Mutex};

use arrow_schema::{Schema, SchemaRef};
use pyo3::prelude::*;
use rowstream_core::exec::by_number::ByNumber;
use rowstream_core::schema::plain;

use crate::batch::Batch;
use crate::door::{detached, guard};
use crate::plan::Plan;
use crate::rows::{Columns, Shape};
use crate::table::positions;

/// Reads rows of a plan by their numbers in its files.
#[pyclass(frozen, module = "rowstream._core")]
pub struct RowReader {
    core: ByNumber,
    declared: SchemaRef,
    /// The keys of rows; whoever finds it in use makes its own.
    shape: Mutex<Option<Shape>>,
}

#[pymethods]
impl RowReader {
    #[new]
    fn new(py: Python<'_>, plan: &Plan) -> PyResult<Self> {
        detached(py, || {
            let declared = Arc::new(Schema::new(plain(plan.core.schema()?.fields())));
            let core = ByNumber::open(&plan.core, Arc::clone(&plan.sources) as _)?;
            Ok(Self { core, declared, shape: Mutex::new(None) })
        })
    }

    /// The rows of these numbers, in this order. `at`: the bytes of 64-bit integers.
    fn read(&self, py: Python<'_>, at: &[u8]) -> PyResult<Batch> {
        let rows: Vec<u64> = positions(at).map(|row| row as u64).collect();
        let batch = detached(py, || self.core.read(&rows))?;
        Ok(Batch { rows: batch, declared: Arc::clone(&self.declared), refs: None })
    }

    /// A row as a dict.
    fn row<'py>(&self, py: Python<'py>, row: u64) -> PyResult<Bound<'py, PyAny>> {
        let batch = detached(py, || self.core.read(&[row]))?;
        let mut own = None;
        let mut held = self.shape.try_lock();
        let slot = held.as_deref_mut().unwrap_or(&mut own);
        let shape = slot.get_or_insert_with(|| Shape::new(py, self.core.schema().fields()));
        guard(|| Columns::new(&batch)?.row(py, shape, 0))
    }
}
