//! The Python module `rowstream._core`: conversion only, no logic.

mod batch;
mod capsule;
mod columns;
mod door;
mod error;
mod plan;
mod rows;
mod scalars;
mod stream;

use pyo3::prelude::*;

/// The core of rowstream.
#[pymodule(gil_used = true)]
mod _core {
    #[pymodule_export]
    use super::batch::Batch;
    #[pymodule_export]
    use super::columns::ArrowBuffer;
    #[pymodule_export]
    use super::plan::{Plan, merge_cursors, permutation, scan_parquet};
    #[pymodule_export]
    use super::stream::{Stream, arrow_stream};
}
