//! Files with checksums, for Python: mapped, and checked where they are looked at.

use std::ffi::{c_int, c_void};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use pyo3::buffer::PyBuffer;
use pyo3::exceptions::PyBufferError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use rowstream_core::Error;
use rowstream_core::format::sealed::{self, Mapping, Sealed, covers};

use crate::door::detached;
use crate::given::Given;

fn bytes(buffer: &PyBuffer<u8>) -> &[u8] {
    // SAFETY: the buffer is contiguous, as those of mapped files are, has this length, and stays where it is while it
    // is held.
    unsafe { std::slice::from_raw_parts(buffer.buf_ptr().cast::<u8>().cast_const(), buffer.len_bytes()) }
}

/// The checksums of a stream, that are to stand after it. `file`: its bytes.
#[pyfunction]
pub fn seal(py: Python<'_>, file: PyBuffer<u8>) -> PyResult<Bound<'_, PyBytes>> {
    let made = detached(py, || sealed::seal(bytes(&file)))?;
    Ok(PyBytes::new(py, &made))
}

/// The bytes of a file that is mapped, whose buffers are checked where they are first looked at. By the buffer protocol
/// they are those of the file.
#[pyclass(frozen, module = "rowstream._core")]
pub struct Mapped {
    mapping: Mapping,
    // After the mapping, which is of it.
    file: PyBuffer<u8>,
}

#[pymethods]
impl Mapped {
    /// `None` where the file has no checksums.
    #[staticmethod]
    fn of(py: Python<'_>, path: &str, file: PyBuffer<u8>) -> PyResult<Option<Self>> {
        let found = detached(py, || Sealed::of(path, bytes(&file)))?;
        // SAFETY: the bytes are those of the buffer that is held beside the mapping.
        Ok(found.map(|found| Self { mapping: unsafe { Mapping::new(found, bytes(&file)) }, file }))
    }

    /// Checks all of the file.
    fn check(&self, py: Python<'_>) -> PyResult<()> {
        detached(py, || self.mapping.whole())
    }

    unsafe fn __getbuffer__(slf: Bound<'_, Self>, view: *mut ffi::Py_buffer, flags: c_int) -> PyResult<()> {
        if view.is_null() || (flags & ffi::PyBUF_WRITABLE) == ffi::PyBUF_WRITABLE {
            return Err(PyBufferError::new_err("files of the cache are read-only"));
        }
        let file = bytes(&slf.get().file);
        let (start, length) = (file.as_ptr().cast_mut().cast::<c_void>(), file.len().cast_signed());
        // SAFETY: the view holds a reference to this object, which keeps the bytes where they are.
        let failed = unsafe { ffi::PyBuffer_FillInfo(view, slf.as_ptr(), start, length, 1, flags) };
        if failed == 0 { Ok(()) } else { Err(PyErr::fetch(slf.py())) }
    }
}

/// Whether a file with checksums is mapped.
#[pyfunction]
pub fn sealed_files() -> bool {
    !sealed::none()
}

/// The checks of a table's rows, of which some lie in files with checksums.
#[pyclass(frozen, module = "rowstream._core")]
pub struct Checks {
    /// Where the buffers of each batch's columns lie.
    places: Vec<Vec<Vec<usize>>>,
    /// Those of which all columns are checked.
    good: Vec<AtomicBool>,
    /// How many are not.
    left: AtomicUsize,
    /// Where each begins, and the end.
    starts: Vec<usize>,
    /// All rows before this one are checked.
    done: AtomicUsize,
}

#[pymethods]
impl Checks {
    /// `None` where none of the table lies in such a file.
    #[staticmethod]
    fn of(table: &Bound<'_, PyAny>) -> PyResult<Option<Self>> {
        let Given { batches, places, .. } = Given::of(table)?;
        if !places.iter().flatten().flatten().any(|place| covers(*place)) {
            return Ok(None);
        }
        let mut starts = vec![0];
        for batch in &batches {
            starts.push(starts[starts.len() - 1] + batch.num_rows());
        }
        let good = batches.iter().map(|_| AtomicBool::new(false)).collect();
        let left = AtomicUsize::new(batches.len());
        Ok(Some(Self { places, good, left, starts, done: AtomicUsize::new(0) }))
    }

    /// Checks what a run of rows is made of; of one column, if it is named by its place. Whether all rows are checked.
    #[pyo3(signature = (start, stop, column = None))]
    fn run(&self, py: Python<'_>, start: usize, stop: usize, column: Option<usize>) -> PyResult<bool> {
        let done = self.done.load(Ordering::Relaxed);
        if start < stop && stop > done {
            let first = self.starts.partition_point(|at| *at <= start.max(done)).saturating_sub(1);
            let last = self.starts.partition_point(|at| *at < stop).min(self.places.len());
            detached(py, || (first..last).try_for_each(|i| self.check(i, column)))?;
            if column.is_none() && start <= done {
                self.done.fetch_max(self.starts[last], Ordering::Relaxed);
            }
        }
        Ok(self.left.load(Ordering::Relaxed) == 0)
    }

    /// The same of rows anywhere. `at`: the bytes of 64-bit integers.
    #[pyo3(signature = (at, column = None))]
    fn rows(&self, py: Python<'_>, at: &[u8], column: Option<usize>) -> PyResult<bool> {
        let done = self.done.load(Ordering::Relaxed);
        detached(py, || {
            let mut last = usize::MAX;
            for row in
                at.as_chunks::<8>().0.iter().map(|of| i64::from_ne_bytes(*of) as usize).filter(|row| *row >= done)
            {
                let batch = self.starts.partition_point(|start| *start <= row).saturating_sub(1);
                if batch != last && batch < self.places.len() {
                    self.check(batch, column)?;
                    last = batch;
                }
            }
            Ok(())
        })?;
        Ok(self.left.load(Ordering::Relaxed) == 0)
    }
}

impl Checks {
    fn check(&self, batch: usize, column: Option<usize>) -> Result<(), Error> {
        if self.good[batch].load(Ordering::Relaxed) {
            return Ok(());
        }
        let columns = &self.places[batch];
        if let Some(i) = column {
            return columns.get(i).map_or(Ok(()), |places| sealed::check(places));
        }
        columns.iter().try_for_each(|places| sealed::check(places))?;
        if !self.good[batch].swap(true, Ordering::Relaxed) {
            self.left.fetch_sub(1, Ordering::Relaxed);
        }
        Ok(())
    }
}
