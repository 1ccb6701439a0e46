//! Objects of other machines that a process has open, with what was seen of them.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use super::Remote;
use crate::source::Known;

/// Objects on other machines that are remembered, with what was seen of them.
const REMOTES: usize = 256;

/// The bytes that they may hold of what was seen.
const HELD: usize = 32 << 20;

/// Those of an engine.
#[derive(Default)]
pub(crate) struct OpenObjects(Mutex<VecDeque<(u64, Arc<Remote>)>>);

impl OpenObjects {
    /// An object that was open before, with the same settings.
    pub(crate) fn find(&self, id: u64, location: &str, known: &Known) -> Option<Arc<Remote>> {
        let remotes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, found) =
            remotes.iter().find(|(with, remote)| *with == id && remote.location() == location && remote.is(known))?;
        Some(Arc::clone(found))
    }

    /// Remembers an object, with what was seen of it.
    pub(crate) fn keep(&self, id: u64, remote: &Arc<Remote>) {
        let mut remotes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        remotes.retain(|(with, other)| *with != id || other.location() != remote.location());
        remotes.push_back((id, Arc::clone(remote)));
        if remotes.len() > REMOTES {
            remotes.pop_front();
        }
        // The newest keep what was seen of them.
        let mut held = 0;
        for (_, remote) in remotes.iter().rev() {
            held += remote.holds();
            if held > HELD {
                remote.release();
            }
        }
    }
}
