//! Plans and cursors, as the JSON that Python keeps.

use std::collections::HashMap;
use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use rowstream_core::column_steps::ColumnStep;
use rowstream_core::engine::Engine;
use rowstream_core::exec::count::boundary;
use rowstream_core::exec::explain::explain;
use rowstream_core::plan::cursor::Cursor;
use rowstream_core::plan::{Plan as CorePlan, Program};
use rowstream_core::rng::Rng;
use rowstream_core::scan::{Named, Starts, Types, join, list, row_starts as starts_of};
use rowstream_core::source::memory::{held, hold};
use rowstream_core::source::{Known, Sources};
use rowstream_core::{Error, Kind};

use crate::access::{Access, sources};
use crate::door::{detached, interruptible};
use crate::error::raise;
use crate::table::positions;

/// A plan that was read and checked.
#[pyclass(frozen, module = "rowstream._core")]
pub struct Plan {
    pub core: Arc<CorePlan>,
    pub sources: Arc<Sources>,
    program: Program,
    fingerprint: String,
}

#[pymethods]
impl Plan {
    #[new]
    #[pyo3(signature = (json, access=None))]
    fn new(py: Python<'_>, json: &str, access: Option<&Bound<'_, Access>>) -> PyResult<Self> {
        let sources = sources(access);
        detached(py, || {
            let mut plan = CorePlan::parse(json)?;
            let tokenizers = plan.column_steps.iter().filter_map(ColumnStep::holds);
            let names = plan.scan.files.iter().map(|file| file.path.as_str()).chain(tokenizers);
            plan.held = names.filter_map(held).collect();
            let plan = Arc::new(plan);
            plan.schema()?;
            Ok(Self { program: Program::new(Arc::clone(&plan)), fingerprint: plan.fingerprint(), core: plan, sources })
        })
    }

    /// What identifies rows and order.
    #[getter]
    fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// The rows of a pass, where they are known without reading them.
    fn rows(&self, py: Python<'_>, number: u64) -> PyResult<Option<u64>> {
        detached(py, || self.program.rows(number))
    }

    /// Finds by reading where a take or a skip of `n` rows of a pass cuts it: JSON with `at` and the `rows` of pieces.
    fn boundary(&self, py: Python<'_>, number: u64, n: u64) -> PyResult<String> {
        let (plan, sources) = (Arc::clone(&self.core), Arc::clone(&self.sources));
        interruptible(py, move || json(&boundary(&plan, sources, number, n)?))
    }

    /// What is read and what is left out: JSON.
    fn explain(&self, py: Python<'_>) -> PyResult<String> {
        let (plan, sources) = (Arc::clone(&self.core), Arc::clone(&self.sources));
        interruptible(py, move || json(&explain(&plan, sources)?))
    }

    /// The pieces of the first pass.
    fn pieces(&self, py: Python<'_>) -> PyResult<u64> {
        detached(py, || match self.program.passes() {
            Some(0) => Ok(0),
            _ => Ok(self.program.order(0, 0)?.pieces()),
        })
    }

    /// The cursor of the start of an epoch.
    fn start(&self, epoch: u64) -> PyResult<String> {
        Cursor::start(&self.fingerprint, epoch).to_json().map_err(|e| raise(&e))
    }

    /// A cursor as the place of consumer `c` of `of`: of a state that was loaded, or of the start of an epoch.
    fn place(&self, py: Python<'_>, cursor: &str, c: u64, of: u64) -> PyResult<String> {
        detached(py, || Cursor::parse(cursor, &self.fingerprint)?.placed(&self.program, c, of)?.to_json())
    }

    /// Checks that a cursor is of this plan and can be loaded by a consumer; gives its epoch.
    fn check(&self, py: Python<'_>, cursor: &str, c: u64, of: u64) -> PyResult<u64> {
        detached(py, || Ok(Cursor::parse(cursor, &self.fingerprint)?.for_consumer(&self.program, c, of)?.epoch))
    }
}

/// The cursors of all consumers of one run as one, for any number of consumers.
#[pyfunction]
pub fn merge_cursors(py: Python<'_>, cursors: Vec<String>) -> PyResult<String> {
    detached(py, || {
        let cursors = cursors.iter().map(|json| Cursor::read(json)).collect::<Result<Vec<_>, _>>()?;
        Cursor::merge(cursors)?.to_json()
    })
}

/// Where rows begin, as the bytes of 64-bit integers; and a number that may be where one more begins, or all end.
type Index = (Vec<u8>, Option<u64>);

/// Lists the pieces of files of a format and their schema, as JSON. `options`: those of the format, as JSON; `schema`:
/// the types of the rows, as JSON; `all`: they are found from all rows; `lenient`: not from those that cannot be read;
/// `compare`: beside the listing it gives the types that the files show, as JSON, where those of the rows are given;
/// `starts`: where the rows of files far away begin, by their paths, as the bytes of 64-bit integers, and a number that
/// may be where one more begins, or all end.
#[pyfunction]
#[pyo3(signature = (
    paths, format, options=None, schema=None, *, all=false, lenient=false, compare=false, access=None, starts=None
))]
#[expect(clippy::too_many_arguments)]
pub fn scan(
    py: Python<'_>,
    paths: Vec<Path>,
    format: String,
    options: Option<String>,
    schema: Option<String>,
    all: bool,
    lenient: bool,
    compare: bool,
    access: Option<&Bound<'_, Access>>,
    starts: Option<HashMap<String, Index>>,
) -> PyResult<(String, Option<String>)> {
    let sources = sources(access);
    let mut paths: Vec<Named> = paths.into_iter().map(Named::from).collect();
    for named in &mut paths {
        let starts = starts.as_ref().and_then(|starts| starts.get(&named.path));
        named.starts = starts
            .map(|(rows, last)| Arc::new(Starts { rows: positions(rows).map(|at| at as u64).collect(), last: *last }));
    }
    interruptible(py, move || {
        let read = |what: &str, e: serde_json::Error| Error::new(Kind::Value, format!("not {what}: {e}"));
        let options = options
            .map_or(Ok(serde_json::Value::Null), |json| serde_json::from_str(&json).map_err(|e| read("options", e)))?;
        let types = match schema {
            Some(schema) => {
                Types::Declared { schema: serde_json::from_str(&schema).map_err(|e| read("a schema", e))?, compare }
            }
            None if all => Types::All,
            None => Types::Head,
        };
        let (scan, shown) = Engine::current()?.block_on(list(sources, &paths, &format, options, types, lenient))?;
        Ok((json(&scan)?, shown.map(|schema| json(&schema)).transpose()?))
    })
}

/// Where the rows of a file begin, and where the last of them ends, as the bytes of 64-bit integers: for an index beside
/// it. `options`: those of the format, as JSON.
#[pyfunction]
#[pyo3(signature = (path, format, options=None, access=None))]
pub fn row_starts<'py>(
    py: Python<'py>,
    path: Path,
    format: String,
    options: Option<String>,
    access: Option<&Bound<'_, Access>>,
) -> PyResult<Bound<'py, PyBytes>> {
    let sources = sources(access);
    let named = Named::from(path);
    let found = interruptible(py, move || {
        let options = options
            .map_or(Ok(serde_json::Value::Null), |json| serde_json::from_str(&json))
            .map_err(|e| Error::new(Kind::Value, format!("not options: {e}")))?;
        let (mut starts, end) = Engine::current()?.block_on(starts_of(sources, &named, &format, &options))?;
        starts.push(end);
        Ok(starts.iter().flat_map(|at| at.to_le_bytes()).collect::<Vec<u8>>())
    })?;
    Ok(PyBytes::new(py, &found))
}

/// Where a file is; or that, and its length and version.
#[derive(FromPyObject)]
pub enum Path {
    Known(String, u64, Option<String>),
    Alone(String),
}

impl From<Path> for Named {
    fn from(path: Path) -> Self {
        match path {
            Path::Alone(path) => Self::from(path),
            Path::Known(path, size, version) => Self { path, known: Some(Known { size, version }), starts: None },
        }
    }
}

/// Bytes that are an object of this process, named by their content, for as long as this is there.
#[pyclass(frozen, module = "rowstream._core")]
pub struct InMemoryFile {
    #[pyo3(get)]
    name: String,
    bytes: Arc<bytes::Bytes>,
}

#[pymethods]
impl InMemoryFile {
    #[new]
    fn new(py: Python<'_>, content: Vec<u8>) -> Self {
        let (name, bytes) = py.detach(|| hold(content.into()));
        Self { name, bytes }
    }

    /// The bytes, for another process.
    fn __reduce__(slf: Bound<'_, Self>) -> (Bound<'_, PyAny>, (Bound<'_, PyBytes>,)) {
        let content = PyBytes::new(slf.py(), &slf.get().bytes);
        (slf.get_type().into_any(), (content,))
    }
}

/// The bytes that `ROWSTREAM_MEMORY` lets the process hold.
#[pyfunction]
pub fn memory() -> PyResult<u64> {
    Ok(Engine::current().map_err(|e| raise(&e))?.budget.limit())
}

/// Several listings as one.
#[pyfunction]
pub fn join_scans(py: Python<'_>, scans: Vec<String>) -> PyResult<String> {
    detached(py, || {
        let read = |text: &String| serde_json::from_str(text).map_err(|e| Error::new(Kind::Internal, e.to_string()));
        json(&join(scans.iter().map(read).collect::<Result<_, _>>()?)?)
    })
}

fn json<T: serde::Serialize>(value: &T) -> Result<String, Error> {
    serde_json::to_string(value).map_err(|e| Error::new(Kind::Internal, e.to_string()))
}

/// `0..n`, permuted by a key.
#[pyfunction]
pub fn permutation(key: Vec<u64>, n: usize) -> Vec<usize> {
    let mut items: Vec<usize> = (0..n).collect();
    Rng::keyed(&key).shuffle(&mut items);
    items
}
