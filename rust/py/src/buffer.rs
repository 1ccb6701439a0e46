//! Bytes that the core wrote for Python, and that Python may change.

use std::ffi::{c_int, c_void};

use arrow_buffer::{Buffer, MutableBuffer};
use pyo3::ffi;
use pyo3::prelude::*;

/// Bytes that belong to whoever has a view of them. Their memory is the core's allocator's, which keeps pages: the C
/// library gives those of large arrays back, and takes new ones for each batch.
#[pyclass(frozen, module = "rowstream._core")]
pub struct WritableBuffer(Buffer);

impl WritableBuffer {
    /// Bytes that nothing else reads or writes from now on.
    pub fn new(bytes: Buffer) -> Self {
        Self(bytes)
    }
}

#[pymethods]
impl WritableBuffer {
    /// So many ones, of 64 bits each.
    #[staticmethod]
    fn ones(count: usize) -> Self {
        let mut ones = MutableBuffer::with_capacity(count * size_of::<i64>());
        ones.extend(std::iter::repeat_n(1_i64, count));
        Self(ones.into())
    }

    fn __len__(&self) -> usize {
        self.0.len()
    }

    unsafe fn __getbuffer__(slf: Bound<'_, Self>, view: *mut ffi::Py_buffer, flags: c_int) -> PyResult<()> {
        let bytes = &slf.get().0;
        let (start, length) = (bytes.as_ptr().cast_mut().cast::<c_void>(), bytes.len().cast_signed());
        // SAFETY: the view holds a reference to this object, which keeps the bytes where they are. They were allocated
        // by this process, and the core does not read them again.
        let failed = unsafe { ffi::PyBuffer_FillInfo(view, slf.as_ptr(), start, length, 0, flags) };
        if failed == 0 { Ok(()) } else { Err(PyErr::fetch(slf.py())) }
    }
}
