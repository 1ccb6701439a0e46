//! Arrow data that is taken in by the `PyCapsule` protocol, with where it lies in memory: what is not aligned is copied
//! when arrays are made of it, and is then found nowhere.
//! <https://arrow.apache.org/docs/format/CStreamInterface.html>

use std::ffi::{CStr, c_char, c_int, c_void};
use std::sync::Arc;

use arrow_array::ffi::{FFI_ArrowArray, FFI_ArrowSchema, from_ffi_and_data_type};
use arrow_array::{RecordBatch, RecordBatchOptions, StructArray};
use arrow_schema::{DataType, Schema, SchemaRef};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyCapsule;
use rowstream_core::{Error, Kind};

use crate::error::raise;

/// A stream, as the interface has it.
#[repr(C)]
struct Stream {
    get_schema: Option<unsafe extern "C" fn(*mut Self, *mut FFI_ArrowSchema) -> c_int>,
    get_next: Option<unsafe extern "C" fn(*mut Self, *mut FFI_ArrowArray) -> c_int>,
    get_last_error: Option<unsafe extern "C" fn(*mut Self) -> *const c_char>,
    release: Option<unsafe extern "C" fn(*mut Self)>,
    private: *mut c_void,
}

impl Stream {
    fn asked(&mut self, code: c_int) -> PyResult<()> {
        if code == 0 {
            return Ok(());
        }
        // SAFETY: the stream is not released; its text is there until it is asked again.
        let text = self.get_last_error.map(|ask| unsafe { ask(self) }).filter(|text| !text.is_null());
        // SAFETY: a text that is there ends with a zero.
        let text = text.map_or_else(String::new, |text| unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned());
        Err(raise(&Error::new(Kind::Unsupported, format!("the Arrow stream failed with {code}: {text}"))))
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if let Some(release) = self.release {
            // SAFETY: it is released once, by who has it.
            unsafe { release(self) };
        }
    }
}

/// Batches, and where the buffers of each column lie.
pub struct Given {
    pub schema: SchemaRef,
    pub batches: Vec<RecordBatch>,
    pub places: Vec<Vec<Vec<usize>>>,
}

impl Given {
    /// All batches of anything with the protocol, without a copy.
    pub fn of(table: &Bound<'_, PyAny>) -> PyResult<Self> {
        let capsule = table
            .call_method0("__arrow_c_stream__")?
            .cast_into::<PyCapsule>()
            .map_err(|e| PyTypeError::new_err(e.to_string()))?;
        let pointer = capsule.pointer_checked(Some(c"arrow_array_stream"))?.as_ptr().cast::<Stream>();
        let failed = |e: arrow_schema::ArrowError| raise(&Error::new(Kind::Unsupported, e.to_string()));
        // SAFETY: the capsule has this name, so it holds a stream, which is moved out of it.
        let mut stream = unsafe {
            let moved = pointer.read();
            (*pointer).release = None;
            moved
        };
        let (Some(get_schema), Some(get_next)) = (stream.get_schema, stream.get_next) else {
            return Err(raise(&Error::internal("an Arrow stream that was released")));
        };
        let mut made = FFI_ArrowSchema::empty();
        // SAFETY: the stream is not released, and what it writes is a schema of ours.
        let code = unsafe { get_schema(&raw mut stream, &raw mut made) };
        stream.asked(code)?;
        let schema = Arc::new(Schema::try_from(&made).map_err(failed)?);
        let (mut batches, mut places) = (Vec::new(), Vec::new());
        loop {
            let mut array = FFI_ArrowArray::empty();
            // SAFETY: as above, of an array.
            let code = unsafe { get_next(&raw mut stream, &raw mut array) };
            stream.asked(code)?;
            if array.is_released() {
                return Ok(Self { schema, batches, places });
            }
            places.push((0..array.num_children()).map(|i| buffers(array.child(i), Vec::new())).collect());
            // SAFETY: the array is of the stream's schema, as the interface has it.
            let data =
                unsafe { from_ffi_and_data_type(array, DataType::Struct(schema.fields().clone())) }.map_err(failed)?;
            let rows = data.len();
            let (_, columns, _) = StructArray::from(data).into_parts();
            let options = RecordBatchOptions::new().with_row_count(Some(rows));
            batches.push(RecordBatch::try_new_with_options(Arc::clone(&schema), columns, &options).map_err(failed)?);
        }
    }
}

/// Where the buffers of an array lie.
fn buffers(array: &FFI_ArrowArray, mut places: Vec<usize>) -> Vec<usize> {
    places.extend((0..array.num_buffers()).map(|i| array.buffer(i).addr()).filter(|place| *place != 0));
    if let Some(dictionary) = array.dictionary() {
        places = buffers(dictionary, places);
    }
    (0..array.num_children()).fold(places, |places, i| buffers(array.child(i), places))
}
