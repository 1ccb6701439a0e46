//! Columns as buffers that NumPy views without a copy: the batch stays alive as long as a view of it does.

use std::ffi::{c_int, c_void};

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef};
use arrow_buffer::{Buffer, NullBuffer};
use arrow_schema::DataType;
use pyo3::exceptions::PyBufferError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// Bytes of an Arrow buffer, read-only, by the buffer protocol.
#[pyclass(frozen, module = "rowstream._core")]
pub struct ArrowBuffer(Buffer);

#[pymethods]
impl ArrowBuffer {
    fn __len__(&self) -> usize {
        self.0.len()
    }

    unsafe fn __getbuffer__(slf: Bound<'_, Self>, view: *mut ffi::Py_buffer, flags: c_int) -> PyResult<()> {
        if view.is_null() || (flags & ffi::PyBUF_WRITABLE) == ffi::PyBUF_WRITABLE {
            return Err(PyBufferError::new_err("rows of a stream are read-only; copy them to change them"));
        }
        let bytes = &slf.get().0;
        let (start, length) = (bytes.as_ptr().cast_mut().cast::<c_void>(), bytes.len().cast_signed());
        // SAFETY: the view holds a reference to this object, which keeps the bytes where they are.
        let failed = unsafe { ffi::PyBuffer_FillInfo(view, slf.as_ptr(), start, length, 1, flags) };
        if failed == 0 { Ok(()) } else { Err(PyErr::fetch(slf.py())) }
    }
}

/// A column that NumPy can view: `(dtype, shape of a row, buffer, mask)`. The mask has a byte for each row, true
/// where there is a value, and is absent where all rows have one. `None` for other types.
type View<'py> = (&'static str, Vec<usize>, Bound<'py, ArrowBuffer>, Option<Bound<'py, PyBytes>>);

/// How NumPy views a column, if it can.
pub fn view<'py>(py: Python<'py>, array: &ArrayRef) -> PyResult<Option<View<'py>>> {
    let mask = |nulls: Option<&NullBuffer>| {
        nulls.filter(|n| n.null_count() > 0).map(|n| PyBytes::new(py, &n.iter().map(u8::from).collect::<Vec<_>>()))
    };
    let data = array.to_data();
    if let Some((dtype, width)) = dtype(array.data_type()) {
        let bytes = data.buffers()[0].slice_with_length(data.offset() * width, data.len() * width);
        return Ok(Some((dtype, Vec::new(), Bound::new(py, ArrowBuffer(bytes))?, mask(array.nulls()))));
    }
    match array.data_type() {
        DataType::Boolean => {
            let bytes: Vec<u8> = array.as_boolean().values().iter().map(u8::from).collect();
            Ok(Some(("|b1", Vec::new(), Bound::new(py, ArrowBuffer(bytes.into()))?, mask(array.nulls()))))
        }
        DataType::FixedSizeList(..) | DataType::List(_) | DataType::LargeList(_) if array.null_count() == 0 => {
            let Some((values, n)) = regular(array) else { return Ok(None) };
            let Some((dtype, mut shape, bytes, None)) = view(py, &values)? else { return Ok(None) };
            shape.insert(0, n);
            Ok(Some((dtype, shape, bytes, None)))
        }
        _ => Ok(None),
    }
}

/// The items of a list column whose lists are all of one length.
fn regular(array: &ArrayRef) -> Option<(ArrayRef, usize)> {
    fn equal<O: arrow_array::OffsetSizeTrait>(array: &ArrayRef) -> Option<(ArrayRef, usize)> {
        let list = array.as_list::<O>();
        let (first, last) = (list.offsets().first().as_usize(), list.offsets().last().as_usize());
        let n = (last - first).checked_div(list.len())?;
        list.offsets().lengths().all(|length| length == n).then(|| (list.values().slice(first, last - first), n))
    }
    match array.data_type() {
        DataType::FixedSizeList(_, n) => {
            let n = *n as usize;
            let list = array.as_fixed_size_list();
            Some((list.values().slice(0, list.len() * n), n))
        }
        DataType::List(_) => equal::<i32>(array),
        _ => equal::<i64>(array),
    }
}

fn dtype(data_type: &DataType) -> Option<(&'static str, usize)> {
    Some(match data_type {
        DataType::Int8 => ("<i1", 1),
        DataType::Int16 => ("<i2", 2),
        DataType::Int32 => ("<i4", 4),
        DataType::Int64 => ("<i8", 8),
        DataType::UInt8 => ("<u1", 1),
        DataType::UInt16 => ("<u2", 2),
        DataType::UInt32 => ("<u4", 4),
        DataType::UInt64 => ("<u8", 8),
        DataType::Float16 => ("<f2", 2),
        DataType::Float32 => ("<f4", 4),
        DataType::Float64 => ("<f8", 8),
        _ => return None,
    })
}
