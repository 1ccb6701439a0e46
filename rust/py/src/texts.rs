//! Texts as token ids, for what does not come out of a stream of the core.

use std::sync::{Arc, Mutex};

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{ArrayRef, ListArray, RecordBatch, StringViewArray};
use arrow_schema::{Field, Schema};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::{PyList, PyNone};
use rowstream_core::engine::{Engine, Submitted, forks};
use rowstream_core::made_column::MadeColumn;
use rowstream_core::tokens::{Encoder, Spec};
use rowstream_core::{Error, Kind, Result};

use crate::batch::Batch;
use crate::door::{TICK, guard};
use crate::error::raise;
use crate::given::Given;

/// The texts of one job of the CPU pool.
const TOGETHER: usize = 256;

/// Makes token ids of texts by a step of a plan.
#[pyclass(frozen, module = "rowstream._core")]
pub struct TextEncoder {
    encoder: Encoder,
    forks: u64,
}

type Work = Submitted<Result<MadeColumn>>;

/// The column, where all rows have one.
fn whole(made: MadeColumn) -> Result<ArrayRef> {
    match made.bad.into_iter().next() {
        None => Ok(made.column),
        Some((row, error)) => Err(error.at(format_args!("row {row}"))),
    }
}

/// What a job made, waited for.
fn waited(py: Python<'_>, work: &Work) -> PyResult<ArrayRef> {
    loop {
        match py.detach(|| work.wait(TICK)).map_err(|e| raise(&e))? {
            Some(made) => return made.and_then(whole).map_err(|e| raise(&e)),
            None => py.check_signals()?,
        }
    }
}

fn forked() -> PyErr {
    PyRuntimeError::new_err("the process was forked since this encoder was made; make one in the child")
}

impl TextEncoder {
    fn begin(&self, column: ArrayRef) -> Result<Work> {
        let encoder = self.encoder.clone();
        Engine::current()?.submit(move || encoder.encode(&column))
    }
}

#[pymethods]
impl TextEncoder {
    /// `spec`: the step, as the JSON that a plan has of it.
    #[new]
    fn new(py: Python<'_>, spec: &str) -> PyResult<Self> {
        guard(|| {
            let read = |json: &str| -> Result<Self> {
                let spec: Spec = serde_json::from_str(json)
                    .map_err(|e| Error::new(Kind::Value, format!("not a step of tokens: {e}")))?;
                spec.check()?;
                Ok(Self { encoder: spec.encoder()?, forks: forks() })
            };
            py.detach(|| read(spec)).map_err(|e| raise(&e))
        })
    }

    /// Begins to encode some texts, or `None` for each that is none.
    fn submit(&self, py: Python<'_>, texts: Vec<Option<String>>) -> PyResult<EncodedTexts> {
        guard(|| {
            if self.forks != forks() {
                return Err(forked());
            }
            let work = py
                .detach(|| self.begin(Arc::new(texts.iter().map(Option::as_deref).collect::<StringViewArray>())))
                .map_err(|e| raise(&e))?;
            Ok(EncodedTexts { forks: self.forks, work: Mutex::new(Some(work)) })
        })
    }

    /// The ids of a table with one column of texts, encoded by all threads: batches with one column.
    fn encode(&self, py: Python<'_>, table: &Bound<'_, PyAny>) -> PyResult<Vec<Batch>> {
        guard(|| {
            if self.forks != forks() {
                return Err(forked());
            }
            let Given { batches, .. } = Given::of(table)?;
            let mut works = Vec::new();
            for batch in &batches {
                for at in (0..batch.num_rows()).step_by(TOGETHER) {
                    let column = batch.column(0).slice(at, TOGETHER.min(batch.num_rows() - at));
                    works.push(self.begin(column).map_err(|e| raise(&e))?);
                }
            }
            let field = Field::new(self.encoder.column(), Spec::data_type(), true);
            let declared = Arc::new(Schema::new(vec![field]));
            works
                .iter()
                .map(|work| {
                    let batch = RecordBatch::try_new(Arc::clone(&declared), vec![waited(py, work)?])
                        .map_err(|e| raise(&Error::internal(e.to_string())))?;
                    Ok(Batch { rows: batch, declared: Arc::clone(&declared), refs: None })
                })
                .collect()
        })
    }
}

/// Texts that are being encoded.
#[pyclass(frozen, module = "rowstream._core")]
pub struct EncodedTexts {
    forks: u64,
    work: Mutex<Option<Work>>,
}

#[pymethods]
impl EncodedTexts {
    /// Waits for them: a list of ids each, or `None` where there was no text.
    fn result<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        guard(|| {
            if self.forks != forks() {
                return Err(forked());
            }
            let taken = self.work.lock().ok().and_then(|mut work| work.take());
            let Some(work) = taken else {
                return Err(PyRuntimeError::new_err("these texts were taken already"));
            };
            let column = waited(py, &work)?;
            let lists: &ListArray = column.as_list();
            let row = |ids: Option<ArrayRef>| -> PyResult<Bound<'py, PyAny>> {
                match ids {
                    Some(ids) => Ok(PyList::new(py, ids.as_primitive::<Int32Type>().values())?.into_any()),
                    None => Ok(PyNone::get(py).to_owned().into_any()),
                }
            };
            PyList::new(py, lists.iter().map(row).collect::<PyResult<Vec<_>>>()?)
        })
    }
}
