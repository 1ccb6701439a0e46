//! Media that are not decoded, as references: dicts of bytes and a path that know where they lie.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString};
use rowstream_core::format::tar::URL;

/// Makes references of the stored dicts of media among the columns of rows.
#[pyclass(frozen, module = "rowstream._core")]
pub struct MediaRefs {
    /// The class of references, a dict.
    class: Py<PyAny>,
    columns: Vec<(Py<PyString>, Kind)>,
}

/// What a column has.
enum Kind {
    /// A file of media, of this feature.
    Media(Py<PyAny>),
    List(Box<Self>),
    Struct(Vec<(Py<PyString>, Self)>),
}

impl Kind {
    /// `spec`: a dict of the fields that have media, a list with what its items are, or a feature.
    fn new(spec: &Bound<'_, PyAny>) -> PyResult<Self> {
        if let Ok(fields) = spec.cast::<PyDict>() {
            return Ok(Self::Struct(fields_of(fields)?));
        }
        if let Ok(items) = spec.cast::<PyList>() {
            return Ok(Self::List(Box::new(Self::new(&items.get_item(0)?)?)));
        }
        Ok(Self::Media(spec.clone().unbind()))
    }
}

fn fields_of(fields: &Bound<'_, PyDict>) -> PyResult<Vec<(Py<PyString>, Kind)>> {
    fields.iter().map(|(name, spec)| Ok((name.cast_into::<PyString>()?.unbind(), Kind::new(&spec)?))).collect()
}

impl MediaRefs {
    /// The value with references in the place of stored media; `None` where it has none.
    fn made<'py>(
        &self,
        kind: &Kind,
        value: &Bound<'py, PyAny>,
        archive: &Bound<'py, PyAny>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let py = value.py();
        match kind {
            Kind::Media(feature) => {
                let Ok(stored) = value.cast_exact::<PyDict>() else { return Ok(None) };
                let made = self.class.bind(py).call1((stored,))?;
                made.setattr(pyo3::intern!(py, "feature"), feature)?;
                made.setattr(pyo3::intern!(py, "archive"), archive)?;
                Ok(Some(made))
            }
            Kind::List(items) => {
                let Ok(list) = value.cast::<PyList>() else { return Ok(None) };
                for (i, item) in list.iter().enumerate() {
                    if let Some(made) = self.made(items, &item, archive)? {
                        list.set_item(i, made)?;
                    }
                }
                Ok(None)
            }
            Kind::Struct(fields) => {
                if let Ok(dict) = value.cast::<PyDict>() {
                    self.replace(fields, dict, archive)?;
                }
                Ok(None)
            }
        }
    }

    fn replace<'py>(
        &self,
        fields: &[(Py<PyString>, Kind)],
        dict: &Bound<'py, PyDict>,
        archive: &Bound<'py, PyAny>,
    ) -> PyResult<()> {
        for (name, kind) in fields {
            let name = name.bind(dict.py());
            if let Some(value) = dict.get_item(name)?
                && let Some(made) = self.made(kind, &value, archive)?
            {
                dict.set_item(name, made)?;
            }
        }
        Ok(())
    }

    /// Puts references into a row that was just made.
    pub fn fill(&self, row: &Bound<'_, PyDict>) -> PyResult<()> {
        let py = row.py();
        let archive = row.get_item(pyo3::intern!(py, URL))?.unwrap_or_else(|| py.None().into_bound(py));
        self.replace(&self.columns, row, &archive)
    }

    /// Puts references into the lists of columns that were just made.
    pub fn fill_columns(&self, columns: &Bound<'_, PyDict>) -> PyResult<()> {
        let py = columns.py();
        let archives = columns.get_item(pyo3::intern!(py, URL))?.and_then(|urls| urls.cast_into::<PyList>().ok());
        let none = py.None().into_bound(py);
        for (name, kind) in &self.columns {
            let Some(values) = columns.get_item(name)?.and_then(|values| values.cast_into::<PyList>().ok()) else {
                continue;
            };
            for (i, value) in values.iter().enumerate() {
                let archive = archives.as_ref().map_or_else(|| Ok(none.clone()), |urls| urls.get_item(i))?;
                if let Some(made) = self.made(kind, &value, &archive)? {
                    values.set_item(i, made)?;
                }
            }
        }
        Ok(())
    }
}

#[pymethods]
impl MediaRefs {
    /// `columns`: what the columns with media are, by name.
    #[new]
    fn new(class: Py<PyAny>, columns: &Bound<'_, PyDict>) -> PyResult<Self> {
        Ok(Self { class, columns: fields_of(columns)? })
    }

    /// Puts references into a row, and returns it.
    fn row<'py>(&self, row: Bound<'py, PyDict>) -> PyResult<Bound<'py, PyDict>> {
        self.fill(&row)?;
        Ok(row)
    }

    /// Puts references into the lists of columns, and returns them.
    fn batch<'py>(&self, columns: Bound<'py, PyDict>) -> PyResult<Bound<'py, PyDict>> {
        self.fill_columns(&columns)?;
        Ok(columns)
    }
}
