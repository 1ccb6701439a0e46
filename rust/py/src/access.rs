//! Sources on other machines, as Python asks them: what is far away, documents, listings, and files at any place.

use std::fs::File as LocalFile;
use std::io::Read;
use std::sync::Arc;

use bytes::Bytes;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use rowstream_core::engine::Engine;
use rowstream_core::source::remote::download::Download as CoreDownload;
use rowstream_core::source::{Hint, Known, Object, Sources, Store};
use rowstream_core::{Error, Result};

use crate::door::{TICK, detached, interruptible};
use crate::error::raise;
use crate::foreign::Foreign;

/// Credentials and settings of remote sources. It does not show them.
#[pyclass(frozen, module = "rowstream._core")]
pub struct Access {
    pub sources: Arc<Sources>,
}

/// The sources that settings give; those without any where there are none.
pub fn sources(access: Option<&Bound<'_, Access>>) -> Arc<Sources> {
    access.map_or_else(Arc::default, |access| Arc::clone(&access.get().sources))
}

/// The most bytes of a part of an object that is written.
const PART: usize = 8 << 20;

#[pymethods]
impl Access {
    /// `foreign`: the number that questions of files which Python reads have.
    #[new]
    #[pyo3(signature = (json, foreign=None))]
    fn new(json: &str, foreign: Option<u64>) -> PyResult<Self> {
        let others = foreign.map(|store| Arc::new(Foreign(store)) as Arc<dyn Store>);
        let sources = Sources::new(json, others).map_err(|e| raise(&e))?;
        Ok(Self { sources: Arc::new(sources) })
    }

    /// Gets a small document by HTTP.
    fn document<'py>(&self, py: Python<'py>, url: String) -> PyResult<Bound<'py, PyBytes>> {
        let sources = Arc::clone(&self.sources);
        let body = interruptible(py, move || Engine::current()?.block_on(sources.document(&url)))?;
        Ok(PyBytes::new(py, &body))
    }

    /// The objects of an object store whose keys begin with a folder's: `(location, size, version)`, in order.
    fn list(&self, py: Python<'_>, folder: String) -> PyResult<Vec<(String, u64, Option<String>)>> {
        let sources = Arc::clone(&self.sources);
        let listed = interruptible(py, move || Engine::current()?.block_on(sources.list(&folder)))?;
        Ok(listed.into_iter().map(|listed| (listed.location, listed.size, listed.version)).collect())
    }

    /// Writes a local file as an object: it is there whole, or not at all.
    fn write(&self, py: Python<'_>, location: String, path: String) -> PyResult<()> {
        let sources = Arc::clone(&self.sources);
        interruptible(py, move || {
            let mut file = LocalFile::open(&path).map_err(|e| Error::io(&e, &path))?;
            let mut read = move || -> std::io::Result<Option<Bytes>> {
                let mut part = Vec::new();
                file.by_ref().take(PART as u64).read_to_end(&mut part)?;
                Ok((!part.is_empty()).then(|| part.into()))
            };
            let parts = std::iter::from_fn(move || read().transpose());
            Engine::current()?.block_on(sources.write(&location, parts))
        })
    }

    /// Opens an object.
    #[pyo3(signature = (location, size=None, version=None))]
    fn open(&self, py: Python<'_>, location: String, size: Option<u64>, version: Option<String>) -> PyResult<File> {
        let sources = Arc::clone(&self.sources);
        let known = size.map(|size| Known { size, version });
        let shown = location.clone();
        let object = interruptible(py, move || {
            Engine::current()?.block_on(sources.open(&location, Hint::Head, known.as_ref()))
        })?;
        Ok(File { object, location: shown })
    }
}

/// An object, read at any place.
#[pyclass(frozen, module = "rowstream._core")]
pub struct File {
    object: Arc<dyn Object>,
    location: String,
}

#[pymethods]
impl File {
    /// Its length in bytes.
    #[getter]
    fn size(&self) -> u64 {
        self.object.size()
    }

    /// What identifies its content, where that is known.
    #[getter]
    fn version(&self) -> Option<&str> {
        self.object.version()
    }

    /// Begins to download it to a file that nobody else writes. `sha256`: what its content has to have.
    #[pyo3(signature = (path, sha256=None))]
    fn download(&self, py: Python<'_>, path: String, sha256: Option<String>) -> PyResult<Download> {
        let object = Arc::clone(&self.object);
        let location = self.location.clone();
        detached(py, move || {
            Ok(Download { download: CoreDownload::start(Engine::current()?, object, path.into(), sha256), location })
        })
    }

    /// Bytes `start..end` of it.
    fn read<'py>(&self, py: Python<'py>, start: u64, end: u64) -> PyResult<Bound<'py, PyBytes>> {
        let (object, location) = (Arc::clone(&self.object), self.location.clone());
        let end = end.min(object.size()).max(start);
        let bytes = interruptible(py, move || -> Result<_> {
            let read = Engine::current()?.block_on(object.read(std::slice::from_ref(&(start..end))));
            read.map_err(|e| e.in_file(&location))?.pop().ok_or_else(|| Error::internal("a read gave nothing"))
        })?;
        Ok(PyBytes::new(py, &bytes))
    }
}

/// A download that is going on; it stops where nobody has it any more.
#[pyclass(frozen, module = "rowstream._core")]
pub struct Download {
    download: Arc<CoreDownload>,
    location: String,
}

#[pymethods]
impl Download {
    /// The bytes that are there.
    #[getter]
    fn done(&self) -> u64 {
        self.download.done()
    }

    /// Waits a moment; whether it ended. Raises what made it end.
    fn wait(&self, py: Python<'_>) -> PyResult<bool> {
        let ended = py.detach(|| self.download.wait(TICK));
        py.check_signals()?;
        match ended {
            None => Ok(false),
            Some(Ok(())) => Ok(true),
            Some(Err(e)) => Err(raise(&e.in_file(&self.location))),
        }
    }
}

impl Drop for Download {
    fn drop(&mut self) {
        self.download.stop();
    }
}
