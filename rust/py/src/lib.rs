//! The Python module `rowstream._core`: conversion only, no logic.

mod access;
mod activity;
mod batch;
mod buffer;
mod by_number;
mod capsule;
mod chats;
mod columns;
mod dicts;
mod door;
mod error;
mod foreign;
mod given;
mod numbers;
mod pixels;
mod plan;
mod refs;
mod rows;
mod scalars;
mod sealed;
mod selected;
mod stream;
mod table;
mod texts;

use pyo3::prelude::*;

/// Pages of a file come and go by the megabyte, on several threads. The C library gives such memory back to the system
/// and touches it anew; jemalloc keeps it, in huge pages, and is safe after a fork.
#[cfg(unix)]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// What jemalloc reads when it starts: a C string. One arena for each processor, where that can be had: what a thread
/// of an epoch before gave back is there for the thread of the next. What is larger than the threshold is given back to
/// the system at once: by default, from 8 MiB on, that would be each batch of images.
#[cfg(unix)]
#[unsafe(export_name = "_rjem_malloc_conf")]
static CONF: Option<&'static std::ffi::c_char> = {
    let text = if cfg!(target_os = "linux") {
        c"thp:always,metadata_thp:auto,oversize_threshold:67108864,percpu_arena:percpu"
    } else {
        c"thp:always,metadata_thp:auto,oversize_threshold:67108864"
    };
    // SAFETY: the string is static.
    Some(unsafe { &*text.as_ptr() })
};

/// The core of rowstream. It needs no lock of the interpreter's: every class is frozen and keeps what changes behind a
/// lock of its own, and a lock that is held while Python objects are made is only tried, never waited for.
#[pymodule(gil_used = false)]
mod _core {
    #[pymodule_export]
    use super::access::{Access, Download, File};
    #[pymodule_export]
    use super::activity::{activity, next_message, tell_messages};
    #[pymodule_export]
    use super::batch::Batch;
    #[pymodule_export]
    use super::buffer::WritableBuffer;
    #[pymodule_export]
    use super::by_number::RowReader;
    #[pymodule_export]
    use super::chats::{ChatRenderer, RenderedChats};
    #[pymodule_export]
    use super::columns::ArrowBuffer;
    #[pymodule_export]
    use super::dicts::RowIterator;
    #[pymodule_export]
    use super::foreign::{Request, next_request};
    #[pymodule_export]
    use super::pixels::{DecodedImages, ImageDecoder};
    #[pymodule_export]
    use super::plan::{InMemoryFile, Plan, join_scans, memory, merge_cursors, permutation, row_starts, scan};
    #[pymodule_export]
    use super::refs::MediaRefs;
    #[pymodule_export]
    use super::sealed::{Checks, Mapped, seal, sealed_files};
    #[pymodule_export]
    use super::selected::SelectedRows;
    #[pymodule_export]
    use super::stream::{Stream, arrow_stream};
    #[pymodule_export]
    use super::table::{Table, TableRows};
    #[pymodule_export]
    use super::texts::{EncodedTexts, TextEncoder};
}
