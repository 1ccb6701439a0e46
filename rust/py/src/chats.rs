//! Conversations as texts and token ids.

use std::sync::{Arc, Mutex};

use arrow_array::RecordBatch;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use rowstream_core::chat::{Rendered, Renderer, Spec};
use rowstream_core::engine::{Engine, Submitted, forks};
use rowstream_core::{Error, Kind, Result};

use crate::batch::Batch;
use crate::door::{TICK, guard};
use crate::error::raise;
use crate::given::Given;

/// Renders conversations by a chat template.
#[pyclass(frozen, module = "rowstream._core")]
pub struct ChatRenderer {
    renderer: Arc<Renderer>,
    forks: u64,
}

type Work = Submitted<Result<Rendered>>;
type Failed = Vec<(usize, String)>;

fn forked() -> PyErr {
    PyRuntimeError::new_err("the process was forked since this renderer was made; make one in the child")
}

#[pymethods]
impl ChatRenderer {
    /// `spec`: the step, as JSON.
    #[new]
    fn new(py: Python<'_>, spec: &str) -> PyResult<Self> {
        guard(|| {
            let read = |json: &str| -> Result<Renderer> {
                let spec: Spec = serde_json::from_str(json)
                    .map_err(|e| Error::new(Kind::Value, format!("not a step of chats: {e}")))?;
                Renderer::new(spec)
            };
            let renderer = py.detach(|| read(spec)).map_err(|e| raise(&e))?;
            Ok(Self { renderer: Arc::new(renderer), forks: forks() })
        })
    }

    /// Begins to render the conversations of a table: its first column, with the tools of its second, if it has one.
    /// `json`: whether the columns are texts of JSON.
    fn submit(&self, table: &Bound<'_, PyAny>, json: bool) -> PyResult<RenderedChats> {
        guard(|| {
            if self.forks != forks() {
                return Err(forked());
            }
            let Given { batches, .. } = Given::of(table)?;
            let begin = |batch: RecordBatch| -> Result<Work> {
                let renderer = Arc::clone(&self.renderer);
                Engine::current()?.submit(move || renderer.run(batch.column(0), batch.columns().get(1), json))
            };
            let works = batches.into_iter().map(begin).collect::<Result<Vec<_>>>().map_err(|e| raise(&e))?;
            Ok(RenderedChats { forks: self.forks, works: Mutex::new(Some(works)) })
        })
    }
}

/// Conversations that are being rendered.
#[pyclass(frozen, module = "rowstream._core")]
pub struct RenderedChats {
    forks: u64,
    works: Mutex<Option<Vec<Work>>>,
}

#[pymethods]
impl RenderedChats {
    /// Waits for them: batches of what was made, null where it was not, and the rows of which it was not, with why.
    fn result(&self, py: Python<'_>) -> PyResult<(Vec<Batch>, Failed)> {
        guard(|| {
            if self.forks != forks() {
                return Err(forked());
            }
            let taken = self.works.lock().ok().and_then(|mut works| works.take());
            let works = taken.ok_or_else(|| PyRuntimeError::new_err("these conversations were taken already"))?;
            let (mut batches, mut failed, mut rows) = (Vec::new(), Vec::new(), 0);
            for work in &works {
                let made = loop {
                    match py.detach(|| work.wait(TICK)).map_err(|e| raise(&e))? {
                        Some(made) => break made.map_err(|e| raise(&e))?,
                        None => py.check_signals()?,
                    }
                };
                failed.extend(made.failed.into_iter().map(|(row, why)| (rows + row, why)));
                let batch = RecordBatch::from(made.rows);
                rows += batch.num_rows();
                let declared = batch.schema();
                batches.push(Batch { rows: batch, declared, refs: None });
            }
            Ok((batches, failed))
        })
    }
}
