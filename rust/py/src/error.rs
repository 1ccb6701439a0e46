//! Errors of the core as the exceptions of `rowstream.exceptions`, which are Python classes.

use pyo3::import_exception;
use pyo3::prelude::*;
use rowstream_core::{Error, Kind};

import_exception!(rowstream.exceptions, CheckpointMismatchError);
import_exception!(rowstream.exceptions, DataFilesNotFoundError);
import_exception!(rowstream.exceptions, FileFormatError);
import_exception!(rowstream.exceptions, FilePermissionError);
import_exception!(rowstream.exceptions, InternalError);
import_exception!(rowstream.exceptions, InvalidArgumentError);
import_exception!(rowstream.exceptions, ReadError);
import_exception!(rowstream.exceptions, SchemaError);
import_exception!(rowstream.exceptions, SourceChangedError);
import_exception!(rowstream.exceptions, UnsupportedError);

/// The exception that an error becomes.
pub fn raise(error: &Error) -> PyErr {
    let message = error.to_string();
    match error.kind {
        Kind::NotFound => DataFilesNotFoundError::new_err(message),
        Kind::Permission => FilePermissionError::new_err(message),
        Kind::Io => ReadError::new_err(message),
        Kind::SourceChanged => SourceChangedError::new_err(message),
        Kind::Data => FileFormatError::new_err(message),
        Kind::Schema => SchemaError::new_err(message),
        Kind::Unsupported => UnsupportedError::new_err(message),
        Kind::Checkpoint => CheckpointMismatchError::new_err(message),
        Kind::Value => InvalidArgumentError::new_err(message),
        _ => InternalError::new_err(message),
    }
}
