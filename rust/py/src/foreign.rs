//! Files that Python reads for the core: those of `fsspec`. The core asks through a channel, threads of Python answer;
//! no thread of the core ever waits for the interpreter.

use std::ops::Range;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use crossbeam_channel::{Receiver, Sender, unbounded};
use pyo3::prelude::*;
use rowstream_core::engine::forks;
use rowstream_core::source::{Hint, Known, Object, Reading, Store};
use rowstream_core::{Error, Kind, Result};
use tokio::sync::oneshot;

/// What is asked, and where the answer goes.
struct Question {
    store: u64,
    url: String,
    range: Option<Range<u64>>,
    answer: oneshot::Sender<Result<Answer>>,
}

enum Answer {
    Opened(u64, Option<String>),
    Read(Bytes),
}

/// The questions of one process. A forked child has none of the threads that answer, so it has a channel of its own.
struct Channel {
    forks: u64,
    ask: Sender<Question>,
    asked: Receiver<Question>,
}

static CURRENT: AtomicPtr<Channel> = AtomicPtr::new(std::ptr::null_mut());

fn channel() -> &'static Channel {
    loop {
        let seen = CURRENT.load(Ordering::Acquire);
        // SAFETY: whatever was stored here came from `Box::leak` and is never freed.
        if let Some(channel) = unsafe { seen.as_ref() }
            && channel.forks == forks()
        {
            return channel;
        }
        let (ask, asked) = unbounded();
        let made: *mut Channel = Box::leak(Box::new(Channel { forks: forks(), ask, asked }));
        // Where another thread was faster, its channel is used from now on.
        let _ = CURRENT.compare_exchange(seen, made, Ordering::AcqRel, Ordering::Acquire);
    }
}

async fn ask(store: u64, url: &str, range: Option<Range<u64>>) -> Result<Answer> {
    let (answer, answered) = oneshot::channel();
    let question = Question { store, url: url.to_owned(), range, answer };
    let gone = || {
        Error::new(Kind::Io, "the threads that read it by fsspec have ended: iterate anew in this process").in_file(url)
    };
    channel().ask.send(question).map_err(|_| gone())?;
    answered.await.map_err(|_| gone())?.map_err(|e| e.in_file(url))
}

/// The files that Python reads, with some options.
pub struct Foreign(pub u64);

impl Store for Foreign {
    fn open<'a>(&'a self, location: &'a str, _hint: Hint, _known: Option<&'a Known>) -> Reading<'a, Arc<dyn Object>> {
        Box::pin(async move {
            match ask(self.0, location, None).await? {
                Answer::Opened(size, version) => {
                    Ok(Arc::new(Read { store: self.0, url: location.to_owned(), size, version }) as Arc<dyn Object>)
                }
                Answer::Read(_) => Err(Error::internal("another answer than was asked for")),
            }
        })
    }
}

struct Read {
    store: u64,
    url: String,
    size: u64,
    version: Option<String>,
}

impl Object for Read {
    fn size(&self) -> u64 {
        self.size
    }

    fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }

    fn remote(&self) -> bool {
        true
    }

    fn read<'a>(&'a self, ranges: &'a [Range<u64>]) -> Reading<'a, Vec<Bytes>> {
        Box::pin(async move {
            let mut made = Vec::with_capacity(ranges.len());
            for range in ranges {
                if range.is_empty() {
                    made.push(Bytes::new());
                    continue;
                }
                match ask(self.store, &self.url, Some(range.clone())).await? {
                    Answer::Read(bytes) if bytes.len() as u64 == range.end - range.start => made.push(bytes),
                    Answer::Read(bytes) => {
                        let what = format!(
                            "asked for bytes {range:?}, was given {}: the file is shorter than it was",
                            bytes.len()
                        );
                        return Err(Error::new(Kind::SourceChanged, what).in_file(&self.url));
                    }
                    Answer::Opened(..) => return Err(Error::internal("another answer than was asked for")),
                }
            }
            Ok(made)
        })
    }
}

/// A question of the core, which is to be answered once.
#[pyclass(frozen, module = "rowstream._core")]
pub struct Request {
    #[pyo3(get)]
    store: u64,
    #[pyo3(get)]
    url: String,
    /// The first byte and the end; none where the file is to be opened.
    #[pyo3(get)]
    range: Option<(u64, u64)>,
    answer: Mutex<Option<oneshot::Sender<Result<Answer>>>>,
}

impl Request {
    fn answered(&self, answer: Result<Answer>) {
        if let Ok(mut place) = self.answer.lock()
            && let Some(to) = place.take()
        {
            drop(to.send(answer));
        }
    }
}

#[pymethods]
impl Request {
    /// The file's length and what identifies its content.
    #[pyo3(signature = (size, version=None))]
    fn opened(&self, size: u64, version: Option<String>) {
        self.answered(Ok(Answer::Opened(size, version)));
    }

    /// The bytes of the range.
    fn read(&self, bytes: Vec<u8>) {
        self.answered(Ok(Answer::Read(bytes.into())));
    }

    /// Why it cannot be. `kind`: `"missing"`, `"refused"` or any other.
    fn failed(&self, kind: &str, message: String) {
        let kind = match kind {
            "missing" => Kind::NotFound,
            "refused" => Kind::Permission,
            _ => Kind::Io,
        };
        self.answered(Err(Error::new(kind, message)));
    }
}

/// Waits for the next question, for as long as it takes. Threads that wait here when the interpreter ends never come
/// back.
#[pyfunction]
pub fn next_request(py: Python<'_>) -> Option<Request> {
    let question = py.detach(|| channel().asked.recv().ok())?;
    let Question { store, url, range, answer } = question;
    Some(Request { store, url, range: range.map(|range| (range.start, range.end)), answer: Mutex::new(Some(answer)) })
}
