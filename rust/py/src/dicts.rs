//! Columns that a user's function made, as rows.

use std::sync::atomic::{AtomicUsize, Ordering};

use pyo3::exceptions::PyValueError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

/// The rows of a dict of columns of one length, one at a time: a dict each.
#[pyclass(frozen, module = "rowstream._core")]
pub struct RowIterator {
    /// Name, column, and whether that is a list.
    columns: Vec<(Py<PyAny>, Py<PyAny>, bool)>,
    next: AtomicUsize,
    rows: usize,
}

#[pymethods]
impl RowIterator {
    #[new]
    fn new(columns: &Bound<'_, PyDict>) -> PyResult<Self> {
        let mut rows = None;
        let mut made = Vec::with_capacity(columns.len());
        for (name, column) in columns.iter() {
            let len = column.len()?;
            if *rows.get_or_insert(len) != len {
                return Err(PyValueError::new_err("columns of more than one length"));
            }
            let list = column.is_exact_instance_of::<PyList>();
            made.push((name.unbind(), column.unbind(), list));
        }
        Ok(Self { columns: made, next: AtomicUsize::new(0), rows: rows.unwrap_or(0) })
    }

    fn __iter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let i = self.next.fetch_add(1, Ordering::Relaxed);
        if i >= self.rows {
            return Ok(None);
        }
        // SAFETY: the interpreter is attached. Both ways to an item check the index and give a reference of our own,
        // also while another thread changes the list; it is given up once the dict has its own, and the dict if
        // something fails.
        unsafe {
            let made = Bound::from_owned_ptr_or_err(py, ffi::PyDict_New())?;
            for (name, column, list) in &self.columns {
                let item = if *list {
                    ffi::compat::PyList_GetItemRef(column.as_ptr(), i.cast_signed())
                } else {
                    ffi::PySequence_GetItem(column.as_ptr(), i.cast_signed())
                };
                let item = Bound::from_owned_ptr_or_err(py, item)?;
                if ffi::PyDict_SetItem(made.as_ptr(), name.as_ptr(), item.as_ptr()) != 0 {
                    return Err(PyErr::fetch(py));
                }
            }
            Ok(Some(made))
        }
    }
}
