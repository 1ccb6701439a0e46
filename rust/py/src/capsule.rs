//! Arrow data handed out by the `PyCapsule` protocol: schemas, batches and streams, without a copy and without pyarrow.
//! <https://arrow.apache.org/docs/format/CDataInterface/PyCapsuleInterface.html>

use arrow_array::ffi::{FFI_ArrowArray, FFI_ArrowSchema};
use arrow_array::ffi_stream::FFI_ArrowArrayStream;
use arrow_array::{Array, RecordBatch, RecordBatchReader, StructArray};
use arrow_schema::Schema;
use pyo3::prelude::*;
use pyo3::types::PyCapsule;
use rowstream_core::Error;

use crate::error::raise;

/// A schema's capsule.
pub fn schema<'py>(py: Python<'py>, schema: &Schema) -> PyResult<Bound<'py, PyCapsule>> {
    let made = FFI_ArrowSchema::try_from(schema).map_err(|e| raise(&Error::internal(e.to_string())))?;
    PyCapsule::new_with_value(py, made, c"arrow_schema")
}

/// A batch's capsule.
pub fn batch<'py>(py: Python<'py>, batch: &RecordBatch) -> PyResult<Bound<'py, PyCapsule>> {
    let data = StructArray::from(batch.clone()).to_data();
    PyCapsule::new_with_value(py, FFI_ArrowArray::new(&data), c"arrow_array")
}

/// A stream's capsule.
pub fn stream(py: Python<'_>, reader: Box<dyn RecordBatchReader + Send>) -> PyResult<Bound<'_, PyCapsule>> {
    PyCapsule::new_with_value(py, FFI_ArrowArrayStream::new(reader), c"arrow_array_stream")
}
