//! Locks that outlive a fork.

use std::fmt;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::engine::forks;

/// What is kept behind a lock by this process. A forked child begins without: whoever held the lock of its parent at
/// the moment of the fork is a thread that the child does not have.
pub(crate) struct Forked<T> {
    current: AtomicPtr<Of<T>>,
}

struct Of<T> {
    forks: u64,
    value: Mutex<T>,
}

impl<T: Default> Forked<T> {
    fn made() -> *mut Of<T> {
        Box::into_raw(Box::new(Of { forks: forks(), value: Mutex::default() }))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        let seen = self.current.load(Ordering::Acquire);
        // SAFETY: what is stored here came from `Box::into_raw`, and is freed by `drop` alone, which nobody borrows.
        let mut found = unsafe { &*seen };
        if found.forks != forks() {
            let new = Self::made();
            match self.current.compare_exchange(seen, new, Ordering::AcqRel, Ordering::Acquire) {
                // The parent's is left as it is: it may be locked, or half changed.
                // SAFETY: as above.
                Ok(_) => found = unsafe { &*new },
                Err(other) => {
                    // SAFETY: nobody has seen `new`; `other` is as above.
                    found = unsafe {
                        drop(Box::from_raw(new));
                        &*other
                    };
                }
            }
        }
        found.value.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Default> Default for Forked<T> {
    fn default() -> Self {
        Self { current: AtomicPtr::new(Self::made()) }
    }
}

impl<T> Drop for Forked<T> {
    fn drop(&mut self) {
        let last = self.current.load(Ordering::Acquire);
        // SAFETY: it came from `Box::into_raw`, and with `&mut self` nobody has a guard.
        unsafe {
            if (*last).forks == forks() {
                drop(Box::from_raw(last));
            }
        }
    }
}

impl<T> fmt::Debug for Forked<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Forked").finish_non_exhaustive()
    }
}

// SAFETY: it is a `Mutex<T>` behind a pointer that only moves once a process.
unsafe impl<T: Send> Send for Forked<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Forked<T> {}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_child_does_not_wait_for_a_thread_of_its_parent() {
        let kept: Forked<Vec<u8>> = Forked::default();
        let mut held = kept.lock();
        held.push(1);
        // SAFETY: the child only takes the lock, which allocates as the test's threads do not while this one is held
        // by its parent, and ends without running what ends the parent.
        let status = unsafe {
            let child = libc::fork();
            if child == 0 {
                libc::alarm(20);
                let mut own = kept.lock();
                own.push(2);
                libc::_exit(i32::from(*own != [2]));
            }
            let mut status = 0;
            libc::waitpid(child, &raw mut status, 0);
            status
        };
        assert_eq!(status, 0);
        drop(held);
        assert_eq!(*kept.lock(), [1]);
    }
}
