//! The one door to work that takes time: it detaches from the interpreter, looks at signals while it waits, and turns
//! errors and panics into exceptions.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread::Builder;
use std::time::Duration;

use pyo3::prelude::*;
use rowstream_core::panic::message;
use rowstream_core::{Error, Result};

use crate::error::raise;

/// How long a wait lasts before signals are looked at.
pub const TICK: Duration = Duration::from_millis(50);

/// Runs work whose panic shall be an exception, not the end of the process.
pub fn guard<T>(work: impl FnOnce() -> PyResult<T>) -> PyResult<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        Err(raise(&Error::internal(format!("a defect of rowstream, please report it: {}", message(&*panic)))))
    })
}

/// Runs short work detached.
pub fn detached<T: Send>(py: Python<'_>, work: impl FnOnce() -> Result<T> + Send) -> PyResult<T> {
    guard(|| py.detach(work).map_err(|e| raise(&e)))
}

/// Runs work of any length on a thread of its own, and leaves it behind when a signal's handler raises.
pub fn interruptible<T: Send + 'static>(
    py: Python<'_>,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> PyResult<T> {
    let (send, receive) = channel();
    let failed = |e: std::io::Error| raise(&Error::internal(format!("no thread could be started: {e}")));
    let work =
        move || {
            drop(send.send(
                catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| Err(Error::internal(message(&*panic)))),
            ));
        };
    Builder::new().name("rowstream-call".into()).spawn(work).map_err(failed)?;
    let receive = std::sync::Mutex::new(receive);
    loop {
        let result = py.detach(|| receive.lock().map_or(Err(RecvTimeoutError::Disconnected), |r| r.recv_timeout(TICK)));
        match result {
            Ok(result) => return result.map_err(|e| raise(&e)),
            Err(RecvTimeoutError::Timeout) => py.check_signals()?,
            Err(RecvTimeoutError::Disconnected) => return Err(raise(&Error::internal("a call was lost"))),
        }
    }
}
