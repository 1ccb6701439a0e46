//! A batch that a stream gave.

use arrow_array::cast::AsArray;
use arrow_array::{Array as _, ListArray, RecordBatch};
use arrow_schema::SchemaRef;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyCapsule, PyDict, PyList, PyString};
use rowstream_core::Error;
use rowstream_core::format::tar::{KEY, MEMBERS, URL};
use rowstream_core::schema::declared;

use crate::columns::view;
use crate::door::{detached, guard};
use crate::error::raise;
use crate::numbers::{self, Array, Run};
use crate::pixels::Pixels;
use crate::refs::MediaRefs;
use crate::rows::{Column, Columns, Shape};
use crate::{capsule, columns};

fn samples<'py>(py: Python<'py>, batch: &RecordBatch) -> PyResult<Bound<'py, PyList>> {
    let missing = || raise(&Error::internal("samples of rows that are no members"));
    let [keys, urls, members] = [KEY, URL, MEMBERS].map(|name| batch.column_by_name(name));
    let (Some(keys), Some(urls)) =
        (keys.and_then(|keys| keys.as_string_view_opt()), urls.and_then(|urls| urls.as_string_view_opt()))
    else {
        return Err(missing());
    };
    let members: &ListArray = members.and_then(|members| members.as_list_opt()).ok_or_else(missing)?;
    let parts = members.values().as_struct_opt().ok_or_else(missing)?;
    let (Some(names), Some(contents)) = (parts.column(0).as_string_view_opt(), parts.column(1).as_binary_view_opt())
    else {
        return Err(missing());
    };
    let [key_name, url_name] = [KEY, URL].map(|name| PyString::intern(py, name));
    // There are few names and fewer archives: each is a string of Python once.
    let mut known: Vec<Name<'_, 'py>> = Vec::new();
    let mut last: Option<Name<'_, 'py>> = None;
    let made = PyList::empty(py);
    for row in 0..batch.num_rows() {
        let sample = PyDict::new(py);
        sample.set_item(&key_name, keys.value(row))?;
        let url = urls.value(row);
        let url = match &last {
            Some((before, made)) if *before == url => made,
            _ => &last.insert((url, PyString::new(py, url))).1,
        };
        sample.set_item(&url_name, url)?;
        let offsets = members.value_offsets();
        for i in offsets[row] as usize..offsets[row + 1] as usize {
            let name = names.value(i);
            let at = known.iter().position(|(of, _)| *of == name).unwrap_or_else(|| {
                if known.len() >= MOST_NAMES {
                    known.clear();
                }
                known.push((name, PyString::intern(py, name)));
                known.len() - 1
            });
            sample.set_item(&known[at].1, PyBytes::new(py, contents.value(i)))?;
        }
        made.append(sample)?;
    }
    Ok(made)
}

/// A string, and that of Python.
type Name<'a, 'py> = (&'a str, Bound<'py, PyString>);

/// Names that are looked through; more are no longer few.
const MOST_NAMES: usize = 32;

/// Rows of a stream, as columns.
#[pyclass(frozen, module = "rowstream._core")]
pub struct Batch {
    pub rows: RecordBatch,
    pub declared: SchemaRef,
    /// What Python objects have in the place of stored media.
    pub refs: Option<Py<MediaRefs>>,
}

#[pymethods]
impl Batch {
    /// How many rows.
    #[getter]
    fn num_rows(&self) -> usize {
        self.rows.num_rows()
    }

    /// The names of the columns.
    #[getter]
    fn column_names(&self) -> Vec<&str> {
        self.declared.fields().iter().map(|f| f.name().as_str()).collect()
    }

    /// A dict of the columns as lists of Python objects.
    fn to_pydict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let made = PyDict::new(py);
        let (columns, mut shape) = (Columns::new(&self.rows)?, Shape::new(py, self.declared.fields()));
        for (i, field) in self.declared.fields().iter().enumerate() {
            made.set_item(field.name(), columns.list(py, &mut shape, i, self.rows.num_rows())?)?;
        }
        if let Some(refs) = &self.refs {
            refs.get().fill_columns(&made)?;
        }
        Ok(made)
    }

    /// The rows as dicts.
    fn to_pylist<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let (columns, mut shape) = (Columns::new(&self.rows)?, Shape::new(py, self.declared.fields()));
        let rows = (0..self.rows.num_rows()).map(|i| columns.row(py, &mut shape, i)).collect::<PyResult<Vec<_>>>()?;
        if let Some(refs) = &self.refs {
            rows.iter().try_for_each(|row| refs.get().fill(row.cast()?))?;
        }
        PyList::new(py, rows)
    }

    /// Samples of tar archives as dicts: `__key__`, `__url__`, and the bytes of each member by its name.
    fn samples<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        guard(|| samples(py, &self.rows))
    }

    /// How NumPy views the `i`-th column: `(dtype, shape of a row, buffer, mask)`, or `None` if it cannot.
    #[expect(clippy::type_complexity, reason = "it is the tuple that Python takes apart")]
    fn view<'py>(
        &self,
        py: Python<'py>,
        i: usize,
    ) -> PyResult<Option<(&'static str, Vec<usize>, Bound<'py, columns::ArrowBuffer>, Option<Bound<'py, PyBytes>>)>>
    {
        view(py, self.rows.column(i))
    }

    /// The `i`-th column, if it has images that were decoded: one array where all have one shape, else a list.
    fn pixels<'py>(&self, py: Python<'py>, i: usize) -> PyResult<Option<Bound<'py, PyAny>>> {
        guard(|| Pixels::of(self.rows.column(i)).map(|pixels| pixels.rows(py)).transpose())
    }

    /// The `i`-th column as an array of numbers that Python may change: its type, the shape of a row, its bytes, and,
    /// where rows are lists of several lengths, those. `None` if it is not of numbers without nulls. `by_default`: in
    /// the type that tensors have by default.
    fn array<'py>(&self, py: Python<'py>, i: usize, by_default: bool) -> PyResult<Option<Array<'py>>> {
        guard(|| {
            let array = self.rows.column(i);
            // What is no number has no row that is, whatever else it is.
            let Ok(column) = Column::new(array) else { return Ok(None) };
            numbers::array(py, vec![Run { column: &column, start: 0, len: array.len() }], by_default)
        })
    }

    /// The batch by the Arrow `PyCapsule` protocol, in the types that the schema declares.
    #[pyo3(signature = (requested_schema = None))]
    fn __arrow_c_array__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyAny>>,
    ) -> PyResult<(Bound<'py, PyCapsule>, Bound<'py, PyCapsule>)> {
        // A requested schema is a wish that need not be met; consumers cast.
        drop(requested_schema);
        let batch = detached(py, || declared(&self.rows, &self.declared))?;
        Ok((capsule::schema(py, &self.declared)?, capsule::batch(py, &batch)?))
    }
}
