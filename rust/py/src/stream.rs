//! A stream, as a Python iterator of rows and a source of batches.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, TryLockError};

use arrow_array::{RecordBatch, RecordBatchReader};
use arrow_schema::{ArrowError, Schema, SchemaRef};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyDict};
use rowstream_core::engine::forks;
use rowstream_core::exec::{Next, Stream as CoreStream, Unit};
use rowstream_core::panic::message;
use rowstream_core::plan::Plan as CorePlan;
use rowstream_core::plan::cursor::Cursor;
use rowstream_core::schema::{declared, plain};
use rowstream_core::source::Sources;
use rowstream_core::{Error, Kind};

use crate::batch::Batch;
use crate::capsule;
use crate::door::{TICK, guard};
use crate::error::{UnsupportedError, raise};
use crate::plan::Plan;
use crate::refs::MediaRefs;
use crate::rows::{Columns, Shape};

/// The rows of a plan for one consumer, from a cursor on.
#[pyclass(frozen, module = "rowstream._core")]
pub struct Stream {
    plan: Arc<CorePlan>,
    sources: Arc<Sources>,
    c: u64,
    of: u64,
    declared: SchemaRef,
    /// What is told of records that cannot be read.
    on_error: Option<Py<PyAny>>,
    refs: Option<Py<MediaRefs>>,
    forks: AtomicU64,
    /// Whether the last row was given.
    ended: AtomicBool,
    /// Where it goes on when it is next asked, if that is another place.
    pending: Mutex<Option<Cursor>>,
    inner: Mutex<Option<Inner>>,
}

struct Inner {
    stream: CoreStream,
    shape: Shape,
}

impl Stream {
    fn open(&self, py: Python<'_>, cursor: Cursor) -> PyResult<Inner> {
        let stream = py
            .detach(|| CoreStream::open(&self.plan, Arc::clone(&self.sources) as _, self.c, self.of, cursor))
            .map_err(|e| raise(&e))?;
        Ok(Inner { shape: Shape::new(py, stream.schema().fields()), stream })
    }

    /// Tells of a record that could not be read, on the thread that pulls.
    fn bad(&self, py: Python<'_>, error: &Error) -> PyResult<()> {
        match &self.on_error {
            Some(told) => told.call1(py, (raise(error).into_value(py),)).map(drop),
            None => Ok(()),
        }
    }

    /// What `next` gives, waited for; `None` at the end. Entered anew after each wait: a signal's handler may ask for
    /// the state.
    fn wait_for<T>(
        &self,
        py: Python<'_>,
        mut next: impl FnMut(&mut Inner) -> PyResult<Next<T>>,
    ) -> PyResult<Option<T>> {
        loop {
            let waiter = {
                let mut entered = self.enter(py)?;
                let inner = entered.as_mut().ok_or_else(closed)?;
                match next(inner)? {
                    Next::Ready(made) => return Ok(Some(made)),
                    Next::Bad(error) => {
                        drop(entered);
                        self.bad(py, &error)?;
                        continue;
                    }
                    Next::End => {
                        self.ended.store(true, Ordering::Relaxed);
                        return Ok(None);
                    }
                    Next::Wait => inner.stream.waiter(),
                }
            };
            py.detach(|| waiter.wait(TICK));
            py.check_signals()?;
        }
    }

    /// The stream, for the one thread that uses it. In a forked child it is opened again where it was.
    fn enter(&self, py: Python<'_>) -> PyResult<MutexGuard<'_, Option<Inner>>> {
        let forked = self.forks.load(Ordering::Relaxed) != forks();
        let mut inner = match self.inner.try_lock() {
            Ok(inner) => inner,
            Err(TryLockError::WouldBlock) if forked => {
                return Err(PyRuntimeError::new_err(
                    "another thread was using this stream when the process was forked; make a new iterator in the \
                     child",
                ));
            }
            Err(TryLockError::WouldBlock) => {
                return Err(PyRuntimeError::new_err(
                    "this stream is in use by another thread; give each thread an iterator of its own",
                ));
            }
            Err(TryLockError::Poisoned(_)) => return Err(raise(&Error::internal("the stream panicked before"))),
        };
        let pending = self.pending.lock().ok().and_then(|mut pending| pending.take());
        if let Some(cursor) = pending {
            *inner = Some(self.open(py, cursor)?);
            self.forks.store(forks(), Ordering::Relaxed);
        } else if forked {
            if let Some(Inner { stream, .. }) = inner.as_mut() {
                py.detach(|| stream.after_fork()).map_err(|e| raise(&e))?;
            }
            self.forks.store(forks(), Ordering::Relaxed);
        }
        Ok(inner)
    }
}

/// What this edge keeps beside a unit.
fn columns_of(unit: &Unit) -> Option<&Columns> {
    unit.edge.get().and_then(|edge| edge.downcast_ref())
}

/// A row as a dict, and how deep its columns are.
fn made<'py>(py: Python<'py>, shape: &mut Shape, unit: &Unit, row: usize) -> PyResult<(Bound<'py, PyAny>, usize)> {
    if unit.edge.get().is_none() {
        drop(unit.edge.set(Box::new(Columns::new(&unit.batch).map_err(|e| placed(py, e, unit, row))?)));
    }
    let columns = columns_of(unit).ok_or_else(|| raise(&Error::internal("a unit without its columns")))?;
    let made = columns.row(py, shape, row).map_err(|e| placed(py, e, unit, row))?;
    Ok((made, columns.depth))
}

/// Has the memory of the lane's next rows fetched while other lanes have their turns.
fn fetch_ahead(stream: &CoreStream, depth: usize) {
    for n in 0..depth {
        if let Some((unit, row)) = stream.upcoming(n)
            && let Some(columns) = columns_of(unit)
        {
            columns.fetch(row, depth - 1 - n);
        }
    }
}

/// An error of one value, with the place of its row.
fn placed(py: Python<'_>, error: PyErr, unit: &Unit, row: usize) -> PyErr {
    if !error.is_instance_of::<UnsupportedError>(py) {
        return error;
    }
    UnsupportedError::new_err(format!("{}, row {}: {}", unit.place, unit.start + row as u64, error.value(py)))
}

fn closed() -> PyErr {
    raise(&Error::new(Kind::Value, "the stream is closed"))
}

#[pymethods]
impl Stream {
    /// `on_error`: called with the error of each record that cannot be read, where the plan leaves them out. `refs`:
    /// what rows have in the place of stored media.
    #[new]
    #[pyo3(signature = (plan, c, of, cursor, on_error = None, refs = None))]
    fn new(
        py: Python<'_>,
        plan: &Plan,
        c: u64,
        of: u64,
        cursor: &str,
        on_error: Option<Py<PyAny>>,
        refs: Option<Py<MediaRefs>>,
    ) -> PyResult<Self> {
        guard(|| {
            if of == 0 || c >= of {
                return Err(raise(&Error::new(Kind::Value, format!("there is no consumer {c} of {of}"))));
            }
            let core = Arc::clone(&plan.core);
            let read = py.detach(|| {
                Ok((Arc::new(Schema::new(plain(core.schema()?.fields()))), Cursor::parse(cursor, &core.fingerprint())?))
            });
            let (declared, cursor) = read.map_err(|e: Error| raise(&e))?;
            let made = Self {
                plan: core,
                sources: Arc::clone(&plan.sources),
                c,
                of,
                declared,
                on_error,
                refs,
                forks: AtomicU64::new(forks()),
                ended: AtomicBool::new(false),
                pending: Mutex::new(None),
                inner: Mutex::new(None),
            };
            let inner = made.open(py, cursor)?;
            if let Ok(mut place) = made.inner.lock() {
                *place = Some(inner);
            }
            Ok(made)
        })
    }

    fn __iter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    /// The next row, as a dict.
    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        guard(|| {
            self.wait_for(py, |Inner { stream, shape }| {
                let next = stream.next_row().map_err(|e| raise(&e))?;
                let next = next.try_map(|(unit, row)| made(py, shape, unit, row))?;
                next.try_map(|(made, depth)| {
                    fetch_ahead(stream, depth);
                    if let Some(refs) = &self.refs {
                        refs.get().fill(made.cast::<PyDict>()?)?;
                    }
                    Ok(made)
                })
            })
        })
    }

    /// The next `size` rows, or fewer at the end; `None` after it. A shorter batch is left out if `drop_last`.
    fn next_batch(&self, py: Python<'_>, size: usize, drop_last: bool) -> PyResult<Option<Batch>> {
        guard(|| {
            self.wait_for(py, |Inner { stream, .. }| {
                let next = py.detach(|| stream.next_batch(size, drop_last)).map_err(|e| raise(&e))?;
                next.try_map(|batch| {
                    Ok(Batch {
                        rows: batch,
                        declared: Arc::clone(&self.declared),
                        refs: self.refs.as_ref().map(|refs| refs.clone_ref(py)),
                    })
                })
            })
        })
    }

    /// Whether the last row was given.
    #[getter]
    fn ended(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }

    /// Whether it was told to go on somewhere else, and has not been asked for a row since.
    #[getter]
    fn pending(&self) -> bool {
        self.pending.lock().is_ok_and(|pending| pending.is_some())
    }

    /// Goes on after another cursor of the same plan: what is asked for next comes from there.
    fn seek(&self, py: Python<'_>, cursor: &str) -> PyResult<()> {
        guard(|| {
            let cursor = Cursor::parse(cursor, &self.plan.fingerprint()).map_err(|e| raise(&e))?;
            let before = self.enter(py)?.take();
            py.detach(|| drop(before.map(|inner| inner.stream)));
            if let Ok(mut pending) = self.pending.lock() {
                *pending = Some(cursor);
            }
            self.ended.store(false, Ordering::Relaxed);
            Ok(())
        })
    }

    /// The position after the last row given.
    fn cursor(&self, py: Python<'_>) -> PyResult<String> {
        guard(|| {
            let entered = self.enter(py)?;
            let inner = entered.as_ref().ok_or_else(closed)?;
            inner.stream.cursor().to_json().map_err(|e| raise(&e))
        })
    }

    /// Stops reading.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        let inner = self.enter(py)?.take();
        py.detach(|| drop(inner.map(|inner| inner.stream)));
        Ok(())
    }
}

/// The rows of a plan as an Arrow stream, by the `PyCapsule` protocol: a fresh stream each time.
#[pyfunction]
pub fn arrow_stream<'py>(
    py: Python<'py>,
    plan: &Plan,
    c: u64,
    of: u64,
    cursor: &str,
    size: usize,
) -> PyResult<Bound<'py, PyCapsule>> {
    let (core, sources) = (Arc::clone(&plan.core), Arc::clone(&plan.sources));
    let opened = py.detach(|| -> Result<_, Error> {
        let cursor = Cursor::parse(cursor, &core.fingerprint())?;
        Ok((Arc::new(Schema::new(plain(core.schema()?.fields()))), CoreStream::open(&core, sources, c, of, cursor)?))
    });
    let (declared, stream) = opened.map_err(|e| raise(&e))?;
    let threading = py.import("threading")?;
    let main = threading.call_method0("main_thread")?.getattr("ident")?.eq(threading.call_method0("get_ident")?)?;
    capsule::stream(py, Box::new(Batches { declared, stream, size, main: main.then(std::thread::current) }))
}

/// The batches of a stream, for whoever pulls them.
struct Batches {
    declared: SchemaRef,
    stream: CoreStream,
    size: usize,
    /// The main thread, where it made this: only there can a signal's handler run.
    main: Option<std::thread::Thread>,
}

impl Batches {
    /// Whether a signal's handler raised. Only asked on the main thread: any other could wait for an interpreter that
    /// waits for it.
    fn interrupted(&self) -> bool {
        if self.main.as_ref().is_none_or(|main| main.id() != std::thread::current().id()) {
            return false;
        }
        Python::attach(|py| {
            if let Ok(()) = py.check_signals() {
                false
            } else {
                // Whoever pulls gets an Arrow error; the interrupt is raised again once Python runs.
                // SAFETY: the interpreter is attached.
                unsafe { pyo3::ffi::PyErr_SetInterrupt() };
                true
            }
        })
    }
}

impl Iterator for Batches {
    type Item = Result<RecordBatch, ArrowError>;

    /// A panic must not pass: a C function calls this.
    fn next(&mut self) -> Option<Self::Item> {
        let next = catch_unwind(AssertUnwindSafe(|| self.pulled()));
        next.unwrap_or_else(|panic| Some(Err(ArrowError::ExternalError(message(&*panic).to_owned().into()))))
    }
}

impl Batches {
    fn pulled(&mut self) -> Option<Result<RecordBatch, ArrowError>> {
        loop {
            if self.interrupted() {
                return Some(Err(ArrowError::ExternalError("interrupted".into())));
            }
            if let Err(e) = self.stream.after_fork() {
                return Some(Err(ArrowError::ExternalError(Box::new(e))));
            }
            match self.stream.next_batch(self.size, false) {
                Ok(Next::Ready(batch)) => {
                    return Some(declared(&batch, &self.declared).map_err(|e| ArrowError::ExternalError(Box::new(e))));
                }
                Ok(Next::Bad(_)) => {}
                Ok(Next::End) => return None,
                Ok(Next::Wait) => self.stream.waiter().wait(TICK),
                Err(e) => return Some(Err(ArrowError::ExternalError(Box::new(e)))),
            }
        }
    }
}

impl RecordBatchReader for Batches {
    fn schema(&self) -> SchemaRef {
        Arc::new(Schema::new(self.declared.fields().clone()))
    }
}
