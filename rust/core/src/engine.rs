//! What a process runs on: an I/O runtime, a CPU pool, and the budget. Two pools, so that reading never waits behind
//! decoding.
//!
//! There is one engine for a process, tagged with how often the process was forked. A forked child has the memory of
//! its parent's engine but none of its threads, so it makes a new one and leaks the old; nothing here joins a thread
//! when dropped.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TryRecvError, unbounded};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Semaphore, oneshot};
use tokio::task::AbortHandle;

use crate::budget::Budget;
use crate::error::{Error, Kind, Result};
use crate::panic::message;

type Job = Box<dyn FnOnce() + Send>;

/// The threads and the budget of one process.
pub struct Engine {
    forks: u64,
    io: Runtime,
    jobs: Sender<Job>,
    /// The bytes that all streams may hold.
    pub budget: Arc<Budget>,
    /// Threads of the CPU pool.
    pub threads: usize,
    /// The connections that may be busy at once.
    pub(crate) connections: Semaphore,
    /// What goes with the process's connections: those who make them know what it is.
    open: Mutex<HashMap<TypeId, &'static (dyn Any + Send + Sync)>>,
}

/// Connections that may be busy at once.
const CONNECTIONS: usize = 64;

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("budget", &self.budget).field("threads", &self.threads).finish_non_exhaustive()
    }
}

static FORKS: AtomicU64 = AtomicU64::new(0);

/// How often this process and those before it were forked: a change says that all threads but one are gone. Cheaper
/// than the process's id, which is a call of the kernel, and rows ask each time.
pub fn forks() -> u64 {
    #[cfg(unix)]
    {
        extern "C" fn in_child() {
            FORKS.fetch_add(1, Ordering::Relaxed);
        }
        static REGISTERED: std::sync::Once = std::sync::Once::new();
        // SAFETY: the handler only adds to an atomic, which is allowed between fork and exec.
        REGISTERED.call_once(|| unsafe {
            libc::pthread_atfork(None, None, Some(in_child));
        });
    }
    FORKS.load(Ordering::Relaxed)
}

static CURRENT: AtomicPtr<Engine> = AtomicPtr::new(std::ptr::null_mut());

impl Engine {
    /// The engine of this process, made when it is first needed.
    pub fn current() -> Result<&'static Self> {
        let seen = CURRENT.load(Ordering::Acquire);
        // SAFETY: whatever was stored here came from `Box::leak` below and is never freed.
        if let Some(engine) = unsafe { seen.as_ref() }
            && engine.forks == forks()
        {
            return Ok(engine);
        }
        let made: *mut Self = Box::leak(Box::new(Self::start()?));
        // Another thread may have been faster; its engine is used, and ours idles.
        let kept = match CURRENT.compare_exchange(seen, made, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => made,
            Err(other) => other,
        };
        // SAFETY: as above; both pointers are leaked boxes.
        unsafe { kept.as_ref() }.ok_or_else(|| Error::internal("no engine"))
    }

    fn start() -> Result<Self> {
        let failed = |e: std::io::Error| Error::new(Kind::Io, format!("no thread could be started: {e}"));
        let budget = Budget::from_environment()?;
        let threads = std::thread::available_parallelism().map_or(2, usize::from);
        let io = Builder::new_multi_thread()
            .worker_threads(threads.clamp(1, 4))
            .enable_all()
            .max_blocking_threads(16)
            .thread_name("rowstream-io")
            .build()
            .map_err(failed)?;
        let (jobs, queue) = unbounded::<Job>();
        for _ in 0..threads {
            let queue = queue.clone();
            std::thread::Builder::new()
                .name("rowstream-cpu".into())
                .spawn(move || {
                    for job in queue {
                        // A job reports its own panic; the thread outlives it.
                        drop(catch_unwind(AssertUnwindSafe(job)));
                    }
                })
                .map_err(failed)?;
        }
        Ok(Self {
            forks: forks(),
            io,
            jobs,
            budget,
            threads,
            connections: Semaphore::new(CONNECTIONS),
            open: Mutex::default(),
        })
    }

    /// What was opened with this engine, and goes with it: a forked child begins without.
    pub(crate) fn open<T: Default + Any + Send + Sync>(&self) -> &'static T {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        // As long as the engine, which is never freed.
        let found = open.entry(TypeId::of::<T>()).or_insert_with(|| Box::leak(Box::new(T::default())));
        match (*found as &'static dyn Any).downcast_ref() {
            Some(found) => found,
            None => unreachable!("it is found by its type"),
        }
    }

    /// Runs a task on the I/O runtime.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        drop(self.io.spawn(task));
    }

    /// Runs a task on the I/O runtime, which can be stopped.
    pub(crate) fn task(&self, task: impl Future<Output = ()> + Send + 'static) -> AbortHandle {
        self.io.spawn(task).abort_handle()
    }

    /// Runs work on the CPU pool.
    pub async fn cpu<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        let (send, receive) = oneshot::channel();
        let job = Box::new(move || {
            let result = catch_unwind(AssertUnwindSafe(work))
                .map_err(|panic| Error::internal(format!("a panic in the CPU pool: {}", message(&*panic))));
            drop(send.send(result));
        });
        self.jobs.send(job).map_err(|_| Error::internal("the CPU pool is gone"))?;
        receive.await.map_err(|_| Error::internal("the CPU pool lost a job"))?
    }

    /// Begins work on the CPU pool, for a task that waits for it.
    pub(crate) fn begin<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<oneshot::Receiver<T>> {
        let (send, receive) = oneshot::channel();
        self.jobs
            .send(Box::new(move || drop(send.send(work()))))
            .map_err(|_| Error::internal("the CPU pool is gone"))?;
        Ok(receive)
    }

    /// Begins work on the CPU pool, for a thread that looks now and then whether it is done.
    pub fn submit<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<Submitted<T>> {
        let (send, receive) = crossbeam_channel::bounded(1);
        self.jobs
            .send(Box::new(move || drop(send.send(work()))))
            .map_err(|_| Error::internal("the CPU pool is gone"))?;
        Ok(Submitted(receive))
    }

    /// Waits for a task on the calling thread, which must not be one of the engine's.
    pub fn block_on<T>(&self, task: impl Future<Output = T>) -> T {
        self.io.block_on(task)
    }
}

/// Work that was begun.
pub struct Submitted<T>(Receiver<T>);

impl<T> Submitted<T> {
    /// What came of it, if that is there.
    pub(crate) fn try_take(&self) -> Result<Option<T>> {
        match self.0.try_recv() {
            Ok(made) => Ok(Some(made)),
            Err(TryRecvError::Empty) => Ok(None),
            Err(TryRecvError::Disconnected) => Err(panicked()),
        }
    }

    /// What came of it, waited for, but not longer than `most`.
    pub fn wait(&self, most: Duration) -> Result<Option<T>> {
        match self.0.recv_timeout(most) {
            Ok(made) => Ok(Some(made)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(panicked()),
        }
    }
}

fn panicked() -> Error {
    Error::internal("a panic in the CPU pool")
}

/// Does work for some files at once; gives what came of each, in their order.
pub(crate) async fn at_once<T: Send + 'static, W: Future<Output = Result<T>> + Send + 'static>(
    engine: &'static Engine,
    work: impl Iterator<Item = W>,
) -> Result<Vec<T>> {
    let (send, mut receive) = tokio::sync::mpsc::unbounded_channel();
    let mut made = Vec::new();
    for (i, work) in work.enumerate() {
        let send = send.clone();
        made.push(None);
        engine.spawn(async move { drop(send.send((i, work.await))) });
    }
    drop(send);
    while let Some((i, result)) = receive.recv().await {
        made[i] = Some(result);
    }
    made.into_iter().map(|result| result.ok_or_else(|| Error::internal("a file was lost"))?).collect()
}
