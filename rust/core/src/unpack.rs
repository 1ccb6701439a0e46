//! Compressed objects, as objects of what they decompress to: read in order, or put into a file without a name.
//!
//! Where a stream is alone, blocks are decompressed ahead of the decoder, on another thread. A file that was read before
//! is known by its points (`compress/points.rs`): reading begins at the last one before what is wanted, and what lies
//! between two of them is decompressed by several threads at once. What comes out, and in which order, is the same.

use std::collections::VecDeque;
use std::io::Write;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::{Mutex as Turn, Notify, oneshot};

use crate::budget::Charge;
use crate::engine::Engine;
use crate::error::{Error, Kind, Result};
use crate::format::compress::{Codec, Decompressor, Points, State, xz};
use crate::pool::Buffer;
use crate::source::remote::cache::{Cache, Key};
use crate::source::{Object, Reading, local};

/// Compressed bytes that are read at once.
const READ: u64 = 1 << 20;

/// Bytes that are decompressed at once, where nobody has asked for a number.
const BLOCK: usize = 256 << 10;

/// What lies between two points at most, as far as it is decompressed at once.
const SECTION: u64 = 32 << 20;

/// The points of a file, and where they are kept.
#[derive(Clone, Default)]
pub(crate) struct Kept {
    pub(crate) points: Arc<Points>,
    place: Option<(Arc<Cache>, Key)>,
}

impl Kept {
    /// What is kept of a file.
    pub(crate) fn read(cache: Arc<Cache>, key: Key) -> Self {
        let points = cache.content(&key).and_then(|bytes| Points::decoded(&bytes)).unwrap_or_default();
        Self { points: Arc::new(points), place: Some((cache, key)) }
    }

    /// Keeps what is new, if it is much or `all` of it is wanted.
    fn write(&self, all: bool) {
        if let Some((cache, key)) = &self.place
            && self.points.worth_keeping(all)
        {
            cache.replace(key, &self.points.encoded());
        }
    }
}

/// What is read of a compressed object, in order.
pub(crate) struct Unpacked(Arc<Inner>);

struct Inner {
    engine: &'static Engine,
    object: Arc<dyn Object>,
    codec: Codec,
    kept: Kept,
    /// Whether it is only looked at.
    looks: bool,
    /// The threads that may work for it; with one, whoever reads does it all.
    threads: usize,
    ready: Mutex<Ready>,
    came: Notify,
    /// Whether somebody decompresses ahead.
    busy: AtomicBool,
    work: Turn<Work>,
}

/// What was decompressed and not yet read.
#[derive(Default)]
struct Ready {
    blocks: VecDeque<(Bytes, Option<Arc<Charge>>)>,
    /// Where the first of them begins, and how many bytes they are.
    at: u64,
    length: u64,
    /// What was asked for last.
    asked: usize,
    end: Option<Result<()>>,
    closed: bool,
}

/// How it is decompressed.
#[derive(Default)]
struct Work {
    /// What is decompressed from a point on, until the end.
    stream: Option<Stream>,
    /// What lies between points, decompressed at once: what comes of each, in order.
    sections: VecDeque<oneshot::Receiver<Result<Section>>>,
    /// Where the sections end that were begun.
    begun: u64,
    /// Whether an index was looked for.
    looked: bool,
}

/// What lies between two points.
type Section = (Vec<Bytes>, Charge);

struct Stream {
    decompressor: Decompressor,
    /// Input that was read and not used, and the place after it.
    input: Bytes,
    at: u64,
    /// What is made and passed over first.
    skip: u64,
    ended: bool,
}

impl Stream {
    /// Begins at a place: at the last point before it, or at the start, what lies between being passed over.
    fn open(codec: Codec, points: &Points, out: u64) -> Result<Self> {
        let (mut decompressor, skip) = match points.before(out) {
            Some(point) => (Decompressor::resume(codec, &point)?, out - point.out),
            None => (Decompressor::new(codec)?, out),
        };
        decompressor.learn_after(points.last());
        Ok(Self { at: decompressor.used(), decompressor, input: Bytes::new(), skip, ended: false })
    }

    /// The input that is needed, if some is.
    fn need(&self, size: u64) -> Option<Range<u64>> {
        (self.input.is_empty() && self.at < size).then(|| self.at..size.min(self.at + READ))
    }

    fn push(&mut self, bytes: Bytes) {
        self.at += bytes.len() as u64;
        self.input = bytes;
    }

    /// Decompresses what there is, to about `most` bytes in all; false where more input is needed.
    fn run(&mut self, out: &mut Vec<u8>, most: usize, size: u64) -> Result<bool> {
        while out.len() < most && !self.ended {
            let before = out.len();
            let used = self.decompressor.run(&self.input, out, most)?;
            self.input = self.input.slice(used..);
            if used == 0 && out.len() == before {
                if self.at < size {
                    return Ok(false);
                }
                self.decompressor.finish(out)?;
                self.ended = true;
            }
            if self.skip > 0 {
                let passed = self.skip.min((out.len() - before) as u64);
                out.drain(before..before + passed as usize);
                self.skip -= passed;
            }
        }
        Ok(true)
    }
}

impl Unpacked {
    /// What an object decompresses to. `threads` may work for it.
    pub(crate) fn new(
        engine: &'static Engine,
        object: Arc<dyn Object>,
        codec: Codec,
        kept: Kept,
        threads: usize,
    ) -> Self {
        Self::made(engine, object, codec, kept, threads, false)
    }

    /// The same, of an object that is looked at.
    pub(crate) fn looked_at(engine: &'static Engine, object: Arc<dyn Object>, codec: Codec) -> Self {
        Self::made(engine, object, codec, Kept::default(), 1, true)
    }

    fn made(
        engine: &'static Engine,
        object: Arc<dyn Object>,
        codec: Codec,
        kept: Kept,
        threads: usize,
        looks: bool,
    ) -> Self {
        let (ready, came, busy, work) = (Mutex::default(), Notify::new(), AtomicBool::new(false), Turn::default());
        Self(Arc::new(Inner { engine, object, codec, kept, looks, threads, ready, came, busy, work }))
    }
}

impl Inner {
    fn ready(&self) -> MutexGuard<'_, Ready> {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is ready of a range, if all of it is, or nothing follows. What lies before it is passed over.
    fn take(&self, range: &Range<u64>) -> Result<Option<Bytes>> {
        let mut guard = self.ready();
        let ready = &mut *guard;
        ready.asked = (range.end - range.start) as usize;
        while ready.at < range.start
            && let Some((first, _)) = ready.blocks.front_mut()
        {
            let n = (range.start - ready.at).min(first.len() as u64);
            *first = first.slice(n as usize..);
            if first.is_empty() {
                ready.blocks.pop_front();
            }
            (ready.at, ready.length) = (ready.at + n, ready.length - n);
        }
        if ready.at > range.start {
            return Ok(None);
        }
        let there = ready.at + ready.length;
        if there < range.end {
            match &ready.end {
                None => return Ok(None),
                Some(Err(e)) => return Err(e.clone()),
                Some(Ok(())) => {}
            }
        }
        let n = (range.end.min(there).saturating_sub(range.start)) as usize;
        let mut parts = Vec::new();
        let mut left = n;
        while left > 0
            && let Some((first, _)) = ready.blocks.front_mut()
        {
            let k = left.min(first.len());
            parts.push(first.split_to(k));
            left -= k;
            if first.is_empty() {
                ready.blocks.pop_front();
            }
        }
        (ready.at, ready.length) = (ready.at + n as u64, ready.length - n as u64);
        Ok(Some(if parts.len() == 1 { parts.remove(0) } else { parts.concat().into() }))
    }

    /// Puts what was decompressed at the end of what is ready.
    fn give(&self, block: Bytes, charge: Option<Arc<Charge>>) {
        if !block.is_empty() {
            let mut ready = self.ready();
            ready.length += block.len() as u64;
            ready.blocks.push_back((block, charge));
        }
    }

    fn ended(&self, end: Result<()>) {
        self.ready().end = Some(end);
    }

    /// Where what is decompressed next begins, and how much of it is wanted at once.
    fn wanted(&self) -> (u64, usize) {
        let ready = self.ready();
        (ready.at + ready.length, if ready.asked == 0 { BLOCK } else { ready.asked })
    }

    /// Goes on elsewhere: further on where a point lies between, or before, from a point or the start.
    fn seek(&self, work: &mut Work, to: u64) {
        let point = |out| self.kept.points.before(out).map_or(0, |point| point.out);
        let mut ready = self.ready();
        let next = ready.at + ready.length;
        let jumps = to < ready.at || (to > next && ready.end.is_none() && point(to) > point(next).max(next));
        if jumps {
            *work = Work { looked: work.looked, ..Work::default() };
            *ready = Ready { at: point(to), asked: ready.asked, closed: ready.closed, ..Ready::default() };
        }
    }

    /// The stream that goes on from what is ready.
    fn stream<'a>(&self, work: &'a mut Work) -> Result<&'a mut Stream> {
        if work.stream.is_none() {
            work.stream = Some(Stream::open(self.codec, &self.kept.points, self.wanted().0)?);
        }
        work.stream.as_mut().ok_or_else(|| Error::internal("no stream"))
    }

    /// What was learnt, and whether that is all.
    fn learn(&self, stream: &mut Stream) {
        let found = std::mem::take(&mut stream.decompressor.learnt.points);
        if !found.is_empty() || stream.ended {
            self.kept.points.found(found);
            let (kept, all) = (self.kept.clone(), stream.ended);
            if kept.points.worth_keeping(all) {
                drop(self.engine.begin(move || kept.write(all)));
            }
        }
    }

    /// Decompresses another block here and now, if that needs no waiting.
    fn more_now(&self) -> Result<bool> {
        let Ok(mut work) = self.work.try_lock() else { return Ok(false) };
        if self.begins_elsewhere(&work) {
            return Ok(false);
        }
        let (_, most) = self.wanted();
        let size = self.object.size();
        let stream = self.stream(&mut work)?;
        let mut out = Buffer::room(most);
        loop {
            if let Some(range) = stream.need(size) {
                let Some(bytes) = self.read_now(&range)? else {
                    self.give(Buffer::from(out).share(), None);
                    return Ok(false);
                };
                stream.push(bytes);
            }
            let full = stream.run(&mut out, most, size);
            if !matches!(full, Ok(false)) {
                self.give(Buffer::from(out).share(), None);
                self.learn(stream);
                if full? && stream.ended {
                    self.ended(Ok(()));
                }
                return Ok(true);
            }
        }
    }

    /// Whether something has to be done first that may take long.
    fn begins_elsewhere(&self, work: &Work) -> bool {
        (self.codec == Codec::Xz && !work.looked && !self.looks) || (self.threads > 1 && work.stream.is_none())
    }

    fn read_now(&self, range: &Range<u64>) -> Result<Option<Bytes>> {
        if self.looks {
            return self.object.look_now(range);
        }
        Ok(self.object.read_now(std::slice::from_ref(range))?.and_then(|mut parts| parts.pop()))
    }

    async fn read(&self, range: Range<u64>) -> Result<Bytes> {
        if self.looks {
            return self.object.look(range).await;
        }
        read(&*self.object, range).await
    }

    /// Decompresses another block, or several.
    async fn more(self: &Arc<Self>) -> Result<()> {
        let mut work = self.work.lock().await;
        if self.codec == Codec::Xz && !work.looked && !self.looks {
            work.looked = true;
            let mut index = xz::Index::new(self.object.size());
            while let Some(range) = index.need() {
                index.push(&self.read(range).await?);
            }
            self.kept.points.found(index.points());
        }
        if self.threads > 1 && work.stream.is_none() && self.section(&mut work).await? {
            return Ok(());
        }
        let (_, most) = self.wanted();
        let size = self.object.size();
        self.stream(&mut work)?;
        let mut stream = work.stream.take().ok_or_else(|| Error::internal("no stream"))?;
        let mut out = Buffer::room(most);
        loop {
            if let Some(range) = stream.need(size) {
                let bytes = match self.read_now(&range)? {
                    Some(bytes) => bytes,
                    None => self.read(range).await?,
                };
                stream.push(bytes);
            }
            let full;
            (stream, out, full) = self
                .engine
                .cpu(move || {
                    let full = stream.run(&mut out, most, size);
                    (stream, out, full)
                })
                .await?;
            if !matches!(full, Ok(false)) {
                self.give(Buffer::from(out).share(), None);
                self.learn(&mut stream);
                let ended = full? && stream.ended;
                work.stream = Some(stream);
                if ended {
                    self.ended(Ok(()));
                }
                return Ok(());
            }
        }
    }

    /// What lies between the next two points, decompressed while others are; false where there are none.
    async fn section(self: &Arc<Self>, work: &mut Work) -> Result<bool> {
        if work.sections.is_empty() {
            work.begun = self.wanted().0;
        }
        while work.sections.len() < self.threads {
            let points = &self.kept.points;
            let Some(end) = points.after(work.begun).filter(|end| end.out - work.begun <= SECTION) else { break };
            let length = end.out - work.begun;
            if !work.sections.is_empty() && !self.engine.budget.fits(length) {
                break;
            }
            let (charge, (_, most)) = (self.engine.budget.charge(length), self.wanted());
            let mut stream = Stream::open(self.codec, points, work.begun)?;
            work.begun = end.out;
            let (inner, (send, receive)) = (Arc::clone(self), oneshot::channel());
            self.engine.spawn(async move {
                let made = async {
                    let size = inner.object.size();
                    // Where a block of bzip2 ends shows only the next.
                    let beyond = if matches!(end.state, State::Bzip2 { .. }) { 16 } else { 0 };
                    let upto = size.min(end.at + beyond);
                    let input = read(&*inner.object, stream.at..upto).await?;
                    let work = move || -> Result<Vec<Bytes>> {
                        stream.push(input);
                        let (mut blocks, mut left) = (Vec::new(), length as usize);
                        while left > 0 {
                            let mut out = Buffer::room(left.min(most));
                            let whole = stream.run(&mut out, left.min(most), u64::MAX)?;
                            if out.len() > left || (out.is_empty() && !whole) {
                                return Err(other());
                            }
                            left -= out.len();
                            blocks.push(Buffer::from(out).share());
                        }
                        // DEFLATE goes on in the middle of a block, whose next bits are there already.
                        let within = matches!(end.state, State::Deflate { .. });
                        let settled = within || stream.decompressor.settle(&stream.input)?;
                        if settled && stream.decompressor.is_at(&end) { Ok(blocks) } else { Err(other()) }
                    };
                    inner.engine.cpu(work).await?
                };
                let made = made.await;
                drop(send.send(made.map(|blocks| (blocks, charge))));
            });
            work.sections.push_back(receive);
        }
        let Some(first) = work.sections.front_mut() else { return Ok(false) };
        let (blocks, charge) = first.await.map_err(|_| Error::internal("a section was lost"))??;
        work.sections.pop_front();
        let charge = Arc::new(charge);
        for block in blocks {
            self.give(block, Some(Arc::clone(&charge)));
        }
        Ok(true)
    }

    /// Has another thread go on, so that what is read next is there.
    fn go_on(self: &Arc<Self>) {
        if self.threads < 2 || self.looks || self.busy.swap(true, Ordering::AcqRel) {
            return;
        }
        let inner = Arc::clone(self);
        self.engine.spawn(async move {
            loop {
                let enough = {
                    let ready = inner.ready();
                    ready.end.is_some() || ready.closed || ready.length >= 2 * ready.asked.max(BLOCK) as u64
                };
                if enough {
                    break;
                }
                if let Err(e) = inner.more().await {
                    inner.ended(Err(e));
                }
                inner.came.notify_waiters();
            }
            inner.busy.store(false, Ordering::Release);
            inner.came.notify_waiters();
        });
    }

    async fn get(self: &Arc<Self>, range: &Range<u64>) -> Result<Bytes> {
        loop {
            let came = self.came.notified();
            tokio::pin!(came);
            came.as_mut().enable();
            if let Some(bytes) = self.take(range)? {
                self.go_on();
                return Ok(bytes);
            }
            if self.busy.load(Ordering::Acquire) {
                came.await;
                continue;
            }
            {
                let mut work = self.work.lock().await;
                self.seek(&mut work, range.start);
            }
            if let Err(e) = self.more().await {
                self.ended(Err(e));
            }
        }
    }
}

impl Object for Unpacked {
    /// It shows at the end only.
    fn size(&self) -> u64 {
        u64::MAX
    }

    fn version(&self) -> Option<&str> {
        self.0.object.version()
    }

    fn remote(&self) -> bool {
        self.0.object.remote()
    }

    fn look(&self, range: Range<u64>) -> Reading<'_, Bytes> {
        Box::pin(async move { self.0.get(&range).await })
    }

    fn read_now(&self, ranges: &[Range<u64>]) -> Result<Option<Vec<Bytes>>> {
        let [range] = ranges else { return Err(Error::internal("a compressed file is read in order")) };
        loop {
            if let Some(bytes) = self.0.take(range)? {
                self.0.go_on();
                return Ok(Some(vec![bytes]));
            }
            if self.0.busy.load(Ordering::Acquire) {
                return Ok(None);
            }
            if let Ok(mut work) = self.0.work.try_lock() {
                self.0.seek(&mut work, range.start);
            }
            match self.0.more_now() {
                Ok(true) => {}
                Ok(false) => return Ok(None),
                Err(e) => self.0.ended(Err(e)),
            }
        }
    }

    fn read<'a>(&'a self, ranges: &'a [Range<u64>]) -> Reading<'a, Vec<Bytes>> {
        Box::pin(async move {
            let [range] = ranges else { return Err(Error::internal("a compressed file is read in order")) };
            Ok(vec![self.0.get(range).await?])
        })
    }
}

impl Drop for Unpacked {
    /// What was learnt is kept, though the end was not reached.
    fn drop(&mut self) {
        self.0.ready().closed = true;
        if !self.0.looks {
            self.0.kept.write(true);
        }
    }
}

/// What is between two points is not what it was.
fn other() -> Error {
    Error::new(
        Kind::SourceChanged,
        "the compressed data are not those that were read before, though the file seems to be the same; remove what is \
         kept of it, by rowstream.cache.remove(\"points\")",
    )
}

/// Reads one range.
pub(crate) async fn read(object: &dyn Object, range: Range<u64>) -> Result<Bytes> {
    object.read(&[range]).await?.pop().ok_or_else(|| Error::internal("a read gave nothing"))
}

/// A compressed object as one that can be read at any place: it is decompressed into a file without a name.
pub(crate) async fn whole(engine: &'static Engine, object: Arc<dyn Object>, codec: Codec) -> Result<Arc<dyn Object>> {
    let content = Unpacked::new(engine, object, codec, Kept::default(), engine.threads);
    spooled(engine, &content, "it is decompressed").await
}

/// An object that is read in order as one that can be read at any place: its bytes are put into a file without a name.
/// `why`: what is said of that where it fails.
pub(crate) async fn spooled(engine: &'static Engine, object: &dyn Object, why: &str) -> Result<Arc<dyn Object>> {
    let failed = |e: std::io::Error| Error::new(Kind::Io, format!("{why} into a temporary file, and that failed: {e}"));
    let mut file = tempfile::tempfile().map_err(failed)?;
    let mut at = 0;
    while at < object.size() {
        let bytes = read(object, at..object.size().min(at + READ)).await?;
        // What is decompressed says by this that it ends.
        if bytes.is_empty() {
            break;
        }
        at += bytes.len() as u64;
        file = engine.cpu(move || file.write_all(&bytes).map(|()| file)).await?.map_err(failed)?;
    }
    local::opened(file, "a temporary file")
}
