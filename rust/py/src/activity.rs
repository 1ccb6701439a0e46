//! What the core did, for Python: counters, and the messages of the `log` crate, which a thread of Python takes: threads
//! of the core never wait for the interpreter.

use std::sync::LazyLock;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};
use log::{LevelFilter, Log, Metadata, Record};
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// Messages that wait to be taken; more are lost.
const MOST: usize = 10_000;

/// A target, and a text.
type Message = (String, String);

static MESSAGES: LazyLock<(Sender<Message>, Receiver<Message>)> = LazyLock::new(|| bounded(MOST));

struct ToPython;

impl Log for ToPython {
    fn enabled(&self, of: &Metadata<'_>) -> bool {
        of.target().starts_with("rowstream")
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            // One that finds no room is left out: work goes before words.
            drop(MESSAGES.0.try_send((record.target().to_owned(), record.args().to_string())));
        }
    }

    fn flush(&self) {}
}

/// How much was requested, received, found in the cache and so on, since the process began.
#[pyfunction]
pub fn activity(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    let counts = PyDict::new(py);
    for (name, n) in rowstream_core::activity::counts() {
        counts.set_item(name, n)?;
    }
    Ok(counts)
}

/// Whether what is done is told by `next_message`.
#[pyfunction]
pub fn tell_messages(on: bool) {
    // Only the first call can do it, and all do the same.
    drop(log::set_logger(&ToPython));
    log::set_max_level(if on { LevelFilter::Debug } else { LevelFilter::Off });
}

/// The next message, as the name of a logger and a text; `None` if there is none in `wait` seconds.
#[pyfunction]
pub fn next_message(py: Python<'_>, wait: f64) -> Option<Message> {
    py.detach(|| MESSAGES.1.recv_timeout(Duration::try_from_secs_f64(wait).unwrap_or_default()).ok())
}
