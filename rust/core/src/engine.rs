//! What a process runs on: an I/O runtime, a CPU pool, and the budget. Two pools, so that reading never waits behind
//! decoding.
//!
//! There is one engine for a process, tagged with how often the process was forked. A forked child has the memory of
//! its parent's engine but none of its threads, so it makes a new one and leaks the old; nothing here joins a thread
//! when dropped.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crossbeam_channel::{Sender, unbounded};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Semaphore, oneshot};
use tokio::task::AbortHandle;

use crate::budget::Budget;
use crate::error::{Error, Kind, Result};
use crate::format::contain::message;
use crate::source::Known;
use crate::source::remote::Remote;
use crate::source::remote::client::client;
use crate::source::remote::cloud::Bucket;

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
    client: OnceLock<reqwest::Client>,
    buckets: Mutex<HashMap<(u64, String), Arc<Bucket>>>,
    remotes: Mutex<VecDeque<(u64, Arc<Remote>)>>,
}

/// Connections that may be busy at once.
const CONNECTIONS: usize = 64;

/// Objects on other machines that are remembered, with what was seen of them.
const REMOTES: usize = 256;

/// The bytes that they may hold of what was seen.
const HELD: usize = 32 << 20;

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
            client: OnceLock::new(),
            buckets: Mutex::default(),
            remotes: Mutex::default(),
        })
    }

    /// The HTTP client, made when it is first needed.
    pub(crate) fn client(&self) -> Result<&reqwest::Client> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let made = client()?;
        Ok(self.client.get_or_init(|| made))
    }

    /// A bucket, made when it is first needed. `id`: with which settings.
    pub(crate) fn bucket(&self, id: u64, bucket: &str, make: impl FnOnce() -> Result<Bucket>) -> Result<Arc<Bucket>> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (id, bucket.to_owned());
        if let Some(there) = buckets.get(&key) {
            return Ok(Arc::clone(there));
        }
        let made = Arc::new(make()?);
        buckets.insert(key, Arc::clone(&made));
        Ok(made)
    }

    /// An object that was open before, with the same settings.
    pub(crate) fn opened(&self, id: u64, location: &str, known: &Known) -> Option<Arc<Remote>> {
        let remotes = self.remotes.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, found) = remotes.iter().find(|(with, remote)| *with == id && remote.location() == location && remote.is(known))?;
        Some(Arc::clone(found))
    }

    /// Remembers an object, with what was seen of it.
    pub(crate) fn keep_open(&self, id: u64, remote: &Arc<Remote>) {
        let mut remotes = self.remotes.lock().unwrap_or_else(PoisonError::into_inner);
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
            let result = catch_unwind(AssertUnwindSafe(work)).map_err(|panic| Error::internal(format!("a panic in the CPU pool: {}", message(&*panic))));
            drop(send.send(result));
        });
        self.jobs.send(job).map_err(|_| Error::internal("the CPU pool is gone"))?;
        receive.await.map_err(|_| Error::internal("the CPU pool lost a job"))?
    }

    /// Begins work on the CPU pool.
    pub(crate) fn begin<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<oneshot::Receiver<T>> {
        let (send, receive) = oneshot::channel();
        self.jobs.send(Box::new(move || drop(send.send(work())))).map_err(|_| Error::internal("the CPU pool is gone"))?;
        Ok(receive)
    }

    /// Waits for a task on the calling thread, which must not be one of the engine's.
    pub fn block_on<T>(&self, task: impl Future<Output = T>) -> T {
        self.io.block_on(task)
    }
}
