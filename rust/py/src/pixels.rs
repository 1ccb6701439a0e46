//! Images as NumPy arrays: a view of the memory that they were decoded into, which Python may change.

use std::sync::Arc;
use std::sync::Mutex;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, BinaryViewArray, RecordBatch, RecordBatchOptions};
use arrow_buffer::{Buffer, NullBuffer, ScalarBuffer};
use arrow_schema::{DataType, Field, Schema};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyTuple;
use rowstream_core::engine::{Engine, forks};
use rowstream_core::images::{PIXELS, Spec, decode};
use rowstream_core::made_column::MadeColumn;
use rowstream_core::{Error, Kind};

use crate::buffer::WritableBuffer;
use crate::door::{TICK, guard};
use crate::error::raise;

/// How many items a list has, at one depth.
enum Level {
    Fixed(usize),
    Varied(ScalarBuffer<i32>),
}

/// A column of arrays of pixels.
pub struct Pixels {
    levels: Vec<Level>,
    dtype: &'static str,
    width: usize,
    numbers: Buffer,
    nulls: Option<NullBuffer>,
    len: usize,
}

/// Whether a list says that it has pixels.
pub fn marked(item: &Field) -> bool {
    item.metadata().contains_key(PIXELS)
}

impl Pixels {
    /// A column of them, if it says that it is one.
    pub fn of(array: &ArrayRef) -> Option<Self> {
        match array.data_type() {
            DataType::FixedSizeList(item, _) | DataType::List(item) if marked(item) => {}
            _ => return None,
        }
        let (mut levels, mut at) = (Vec::new(), Arc::clone(array));
        loop {
            at = match at.data_type() {
                DataType::FixedSizeList(_, n) => {
                    levels.push(Level::Fixed(*n as usize));
                    Arc::clone(at.as_fixed_size_list().values())
                }
                DataType::List(_) => {
                    levels.push(Level::Varied(at.as_list::<i32>().offsets().inner().clone()));
                    Arc::clone(at.as_list::<i32>().values())
                }
                _ => break,
            };
        }
        let (dtype, width) = if *at.data_type() == DataType::UInt8 { ("|u1", 1) } else { ("<f4", 4) };
        let data = at.to_data();
        let numbers = data.buffers()[0].slice_with_length(data.offset() * width, data.len() * width);
        Some(Self { levels, dtype, width, numbers, nulls: array.nulls().cloned(), len: array.len() })
    }

    /// Where the numbers of a row begin, and its shape.
    fn place(&self, row: usize) -> (usize, Vec<usize>) {
        let (mut start, mut shape) = (row, Vec::with_capacity(self.levels.len()));
        for level in &self.levels {
            match level {
                Level::Fixed(n) => {
                    shape.push(*n);
                    start *= n;
                }
                Level::Varied(offsets) => {
                    let from = offsets.get(start).copied().unwrap_or(0);
                    shape.push((offsets.get(start + 1).copied().unwrap_or(from) - from) as usize);
                    start = from as usize;
                }
            }
        }
        (start, shape)
    }

    fn array<'py>(&self, py: Python<'py>, start: usize, shape: Vec<usize>) -> PyResult<Bound<'py, PyAny>> {
        static FROM_BUFFER: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        let from_buffer =
            FROM_BUFFER.get_or_try_init(py, || py.import("numpy")?.getattr("frombuffer").map(Bound::unbind))?.bind(py);
        let bytes = shape.iter().product::<usize>() * self.width;
        let part = self.numbers.slice_with_length(start * self.width, bytes);
        let flat = from_buffer.call1((Bound::new(py, WritableBuffer::new(part))?, self.dtype))?;
        flat.call_method1("reshape", (PyTuple::new(py, shape)?,))
    }

    /// One row, which is there.
    pub fn row<'py>(&self, py: Python<'py>, row: usize) -> PyResult<Bound<'py, PyAny>> {
        let (start, shape) = self.place(row);
        self.array(py, start, shape)
    }

    /// All rows as one array, where they have one shape and all are there; else each, or `None`.
    pub fn rows<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let there = self.nulls.as_ref().is_none_or(|nulls| nulls.null_count() == 0);
        if there && self.levels.iter().all(|level| matches!(level, Level::Fixed(_))) {
            let (_, mut shape) = self.place(0);
            shape.insert(0, self.len);
            return self.array(py, 0, shape);
        }
        let one = |row: usize| match &self.nulls {
            Some(nulls) if nulls.is_null(row) => Ok(py.None().into_bound(py)),
            _ => self.row(py, row),
        };
        Ok(pyo3::types::PyList::new(py, (0..self.len).map(one).collect::<PyResult<Vec<_>>>()?)?.into_any())
    }
}

/// Decodes images one by one on the threads of the core, for rows that Python has.
#[pyclass(frozen, module = "rowstream._core")]
pub struct ImageDecoder(Arc<Spec>);

#[pymethods]
impl ImageDecoder {
    /// `spec`: the step, as the JSON that a plan has of it.
    #[new]
    fn new(spec: &str) -> PyResult<Self> {
        let read = |json: &str| -> Result<Spec, Error> {
            let spec: Spec = serde_json::from_str(json)
                .map_err(|e| Error::new(Kind::Value, format!("not a step of images: {e}")))?;
            spec.check()?;
            Ok(spec)
        };
        Ok(Self(Arc::new(read(spec).map_err(|e| raise(&e))?)))
    }

    /// Begins to decode some images, or `None` for each that is none. `keys`: what names the row of each.
    fn submit(&self, py: Python<'_>, images: Vec<Option<Vec<u8>>>, keys: Vec<u64>) -> PyResult<DecodedImages> {
        guard(|| {
            if images.len() != keys.len() {
                return Err(raise(&Error::new(Kind::Value, format!("{} keys of {} images", keys.len(), images.len()))));
            }
            let spec = Arc::clone(&self.0);
            let work = py
                .detach(|| {
                    Engine::current()?.submit(move || {
                        let name = |(image, key): (&Option<Vec<u8>>, &u64)| {
                            [spec.seed, *key, image.as_ref().map_or(0, |bytes| spec.content_key(bytes)), 0, 0]
                        };
                        let keys: Vec<[u64; 5]> = images.iter().zip(&keys).map(name).collect();
                        let column: ArrayRef =
                            Arc::new(images.iter().map(Option::as_deref).collect::<BinaryViewArray>());
                        decode(&column, &spec, &keys)
                    })
                })
                .map_err(|e| raise(&e))?;
            Ok(DecodedImages { forks: forks(), work: Mutex::new(Some(work)) })
        })
    }
}

type Work = rowstream_core::engine::Submitted<Result<MadeColumn, Error>>;

/// Images that are being decoded.
#[pyclass(frozen, module = "rowstream._core")]
pub struct DecodedImages {
    forks: u64,
    work: Mutex<Option<Work>>,
}

#[pymethods]
impl DecodedImages {
    /// Waits for them: one array where all have one shape, else a list of arrays, or `None`. `Err`: of the first that
    /// could not be decoded.
    fn result<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        guard(|| {
            if self.forks != forks() {
                return Err(PyRuntimeError::new_err(
                    "these images were being decoded when the process was forked; iterate anew in the child",
                ));
            }
            let taken = self.work.lock().ok().and_then(|mut work| work.take());
            let Some(work) = taken else {
                return Err(PyRuntimeError::new_err("these images were taken already"));
            };
            let MadeColumn { column, bad } = loop {
                match py.detach(|| work.wait(TICK)).map_err(|e| raise(&e))? {
                    Some(decoded) => break decoded.map_err(|e| raise(&e))?,
                    None => py.check_signals()?,
                }
            };
            if let Some((row, error)) = bad.into_iter().next() {
                let one = column.len() == 1;
                return Err(raise(&if one { error } else { error.at(format_args!("image {row}")) }));
            }
            let options = RecordBatchOptions::new().with_row_count(Some(column.len()));
            let schema = Arc::new(Schema::new(vec![Field::new("images", column.data_type().clone(), true)]));
            let batch = RecordBatch::try_new_with_options(schema, vec![column], &options)
                .map_err(|e| raise(&Error::internal(e.to_string())))?;
            Pixels::of(batch.column(0)).ok_or_else(|| raise(&Error::internal("no pixels")))?.rows(py)
        })
    }
}
