//! Objects on other machines. How a service is asked for a range differs; how answers are checked, tried again, gone on
//! with and kept is the same for all, and is here.

pub mod access;
mod bucket;
pub mod cache;
mod certificates;
pub(crate) mod client;
pub mod cloud;
pub mod download;
mod encoding;
pub mod http;
pub mod hub;
mod keys;
pub(crate) mod opened;

use std::collections::VecDeque;
use std::io::Write;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::future::{BoxFuture, try_join_all};
use futures_util::stream::BoxStream;
use tokio::time::timeout;

use super::{Hint, Known, Object, Reading, local};
use crate::activity::{BYTES, CACHE_BYTES, CACHE_HITS, CACHE_MISSES, count};
use crate::engine::Engine;
use crate::error::{Error, Kind, Result};
use crate::pool::Buffer;
use crate::urls::{shown, shown_url};
use access::Access;
use cache::{Cache, Key, Part as CachePart, Purpose};
use client::{Again, Failure, Tries};

/// Ranges with no more than this between them are read as one: a request costs more.
pub(crate) const GAP: u64 = 16 << 10;

/// The most bytes that one request asks for: more go over several connections.
const MOST: u64 = 8 << 20;

/// The most bytes that opening an object may bring and keep: what shows the types of lines, and the end of the last of
/// them.
pub(crate) const LOOKED_AT: u64 = (1 << 20) + (64 << 10);

/// What is no longer than this is read whole when it is looked at: that takes no longer than a part of it.
const SMALL: u64 = 256 << 10;

/// The bytes of a body.
pub(crate) type Body = BoxStream<'static, Result<Bytes, Failure>>;

/// What is asked of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// These bytes, or as many of them as there are.
    Range(Range<u64>),
    /// The last bytes.
    Last(u64),
}

/// What a service answers.
pub(crate) struct Answer {
    /// Where the body begins, and where it ends.
    pub(crate) range: Range<u64>,
    /// The length of the whole object, where it is said.
    pub(crate) total: Option<u64>,
    /// What identifies its content: an ETag (with its quotes), or the time that it was written.
    pub(crate) version: Option<String>,
    /// Whether it is the range that was asked for, rather than everything.
    pub(crate) ranged: bool,
    /// Whether another server gave it than before, which may call the same version by another name.
    pub(crate) moved: bool,
    pub(crate) body: Body,
}

/// One object of a service, as it is asked for.
pub(crate) trait Service: Send + Sync {
    /// Makes one request. `pin`: the version that the answer has to have.
    fn ask<'a>(
        &'a self,
        engine: &'static Engine,
        wanted: Wanted,
        pin: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Answer, Failure>>;

    /// How long to wait, and how often to try.
    fn access(&self) -> &Access;

    /// Whether its name stands for its content, so that answers of different servers may call it by different versions.
    fn immutable(&self) -> bool {
        false
    }
}

/// A body that goes on where the last read ended.
struct Flow {
    at: u64,
    /// What came and was not wanted yet.
    rest: Bytes,
    body: Body,
}

/// An object on another machine, of one version.
pub(crate) struct Remote {
    engine: &'static Engine,
    location: String,
    service: Box<dyn Service>,
    size: u64,
    version: Option<String>,
    /// The version that answers have to have, once one had it.
    pin: Mutex<Option<String>>,
    /// Whether the server gives ranges.
    ranged: AtomicBool,
    /// Where it does not: the answer that is being read.
    flow: tokio::sync::Mutex<Option<Flow>>,
    /// What was read of it when it was opened or looked at: `(place, bytes)`.
    kept: Mutex<VecDeque<(u64, Bytes)>>,
    /// Where ranges are kept on disk, under which name; and what was looked at.
    cache: Option<(Arc<Cache>, Key)>,
    heads: Option<(Arc<Cache>, Key)>,
}

/// Where what is read is kept on disk.
#[derive(Debug, Clone, Default)]
pub(crate) struct Caches {
    pub(crate) ranges: Option<Arc<Cache>>,
    pub(crate) heads: Option<Arc<Cache>>,
}

/// The most bytes that an object keeps of what was looked at.
const KEPT: usize = 2 << 20;

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Remote {
    /// An object of which length and version are known: nothing is asked yet.
    pub(crate) fn known(
        engine: &'static Engine,
        location: &str,
        service: Box<dyn Service>,
        known: &Known,
        caches: &Caches,
    ) -> Arc<Self> {
        // Only what says which version it is can be kept under its name.
        let key = known
            .version
            .as_deref()
            .map(|version| Key::new(&shown_url(location), &format!("{version} {}", known.size)));
        let of = |cache: &Option<Arc<Cache>>| cache.clone().zip(key.clone());
        let pin = (!service.immutable()).then(|| known.version.clone()).flatten();
        Arc::new(Self {
            engine,
            location: location.to_owned(),
            service,
            size: known.size,
            version: known.version.clone(),
            pin: Mutex::new(pin),
            ranged: AtomicBool::new(true),
            flow: tokio::sync::Mutex::default(),
            kept: Mutex::default(),
            cache: of(&caches.ranges),
            heads: of(&caches.heads),
        })
    }

    /// Opens an object by reading what will be looked at first. Its length may only be known when all was read: then it
    /// is put into a file without a name, which is given instead.
    pub(crate) async fn open(
        engine: &'static Engine,
        location: &str,
        service: Box<dyn Service>,
        hint: Hint,
        caches: &Caches,
    ) -> Result<Result<Arc<Self>, Arc<dyn Object>>> {
        let patience = service.access().patience.clone();
        let mut tries = Tries::new(&patience);
        let wanted = match hint {
            Hint::Head => Wanted::Range(0..LOOKED_AT),
            Hint::Tail(n) => Wanted::Last(n.min(LOOKED_AT)),
        };
        loop {
            let once = async {
                let answer = service.ask(engine, wanted.clone(), None).await?;
                let total = match answer.total {
                    Some(total) => total,
                    // Where the last byte stands, the answer for it says.
                    None if answer.ranged => {
                        let last = service.ask(engine, Wanted::Last(1), None).await?;
                        last.total.filter(|_| last.ranged).ok_or_else(|| {
                            Failure::soon("the server gives parts, and does not say of how many bytes")
                        })?
                    }
                    None => return spool(engine, answer, service.access(), &mut tries).await,
                };
                let whole = Known { size: total, version: answer.version.clone() };
                if answer.ranged {
                    return Ok(Spooled::Range(whole, answer));
                }
                Ok::<_, Failure>(Spooled::Flow(whole, answer.body))
            };
            let opened = once.await;
            match opened {
                Ok(Spooled::File(object)) => return Ok(Err(object)),
                Ok(Spooled::Range(known, answer)) => {
                    let made = Self::known(engine, location, service, &known, caches);
                    made.pinned(known.version.as_deref());
                    let range = answer.range.clone();
                    if range.end - range.start > LOOKED_AT {
                        return Err(Error::new(
                            Kind::Io,
                            format!("asked for at most {LOOKED_AT} bytes, the server gives {range:?}"),
                        ));
                    }
                    if !range.is_empty() {
                        let bytes = made.fetch(range.clone(), Some(answer)).await?;
                        made.keep(range.start, bytes);
                    }
                    return Ok(Ok(made));
                }
                Ok(Spooled::Flow(known, body)) => {
                    let made = Self::known(engine, location, service, &known, caches);
                    made.pinned(known.version.as_deref());
                    made.ranged.store(false, Ordering::Relaxed);
                    *made.flow.lock().await = Some(Flow { at: 0, rest: Bytes::new(), body });
                    return Ok(Ok(made));
                }
                Err(failure) => tries.again(failure).await?,
            }
        }
    }

    /// Where it is.
    pub(crate) fn location(&self) -> &str {
        &self.location
    }

    /// Whether it is what is known of an object.
    pub(crate) fn is(&self, known: &Known) -> bool {
        self.size == known.size && self.version == known.version && self.version.is_some()
    }

    /// Keeps bytes that will be read again soon.
    fn keep(&self, at: u64, bytes: Bytes) {
        let mut kept = lock(&self.kept);
        if bytes.is_empty()
            || kept.iter().any(|(from, there)| *from <= at && at + bytes.len() as u64 <= from + there.len() as u64)
        {
            return;
        }
        kept.push_back((at, bytes));
        while kept.iter().map(|(_, bytes)| bytes.len()).sum::<usize>() > KEPT {
            kept.pop_front();
        }
    }

    /// The bytes of a range, where they are kept.
    fn kept(&self, range: &Range<u64>) -> Option<Bytes> {
        let kept = lock(&self.kept);
        let (from, bytes) =
            kept.iter().find(|(from, bytes)| *from <= range.start && range.end <= from + bytes.len() as u64)?;
        Some(bytes.slice((range.start - from) as usize..(range.end - from) as usize))
    }

    /// The bytes of a range from its first on, as far as they are kept.
    fn kept_from(&self, range: &Range<u64>) -> Bytes {
        let kept = lock(&self.kept);
        let covers = |(from, bytes): &&(u64, Bytes)| *from <= range.start && from + bytes.len() as u64 > range.start;
        kept.iter().filter(covers).max_by_key(|(from, bytes)| from + bytes.len() as u64).map_or_else(
            Bytes::new,
            |(from, bytes)| {
                let upto = (range.end - from).min(bytes.len() as u64) as usize;
                bytes.slice((range.start - from) as usize..upto)
            },
        )
    }

    /// The bytes of a range were read to make rows of them: what was looked at up to there is not needed for that
    /// again.
    fn used(&self, range: &Range<u64>) {
        lock(&self.kept).retain(|(from, bytes)| {
            !(*from < range.end && from + bytes.len() as u64 > range.start && from + bytes.len() as u64 <= range.end)
        });
    }

    /// Keeps bytes on disk that did not come from there.
    fn cached(&self, range: Range<u64>, bytes: Bytes, purpose: Option<&Purpose>) {
        let Some((cache, key)) = self.cache.clone() else { return };
        let purpose = purpose.cloned();
        drop(tokio::task::spawn_blocking(move || {
            if cache.find(&key, &range, purpose.as_ref()).iter().any(|part| matches!(part, CachePart::Missing(_))) {
                cache.put(&key, &range, &bytes, purpose.as_ref());
            }
        }));
    }

    /// How many bytes are kept.
    pub(crate) fn holds(&self) -> usize {
        lock(&self.kept).iter().map(|(_, bytes)| bytes.len()).sum()
    }

    /// Keeps nothing any more.
    pub(crate) fn release(&self) {
        lock(&self.kept).clear();
    }

    /// The version that answers have to have from now on.
    fn pinned(&self, version: Option<&str>) {
        if let Some(version) = version {
            lock(&self.pin).get_or_insert_with(|| version.to_owned());
        }
    }

    fn changed(what: &str) -> Error {
        Error::new(
            Kind::SourceChanged,
            format!("the object changed while it was read ({what}): load the data set again"),
        )
    }

    /// Checks that an answer is of the version and length that are read.
    fn check(&self, answer: &Answer) -> Result<(), Failure> {
        if let Some(total) = answer.total
            && total != self.size
        {
            return Err(Self::changed(&format!("it has {total} bytes, it had {}", self.size)).into());
        }
        if answer.moved {
            lock(&self.pin).clone_from(&answer.version);
        }
        let pin = lock(&self.pin).clone();
        match (pin, &answer.version) {
            (Some(pin), Some(version)) if pin != *version => {
                Err(Self::changed(&format!("its version is {version}, it was {pin}")).into())
            }
            (None, Some(version)) => {
                self.pinned(Some(version));
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Reads a range: what is on disk from there, the rest from the server.
    async fn part(&self, range: Range<u64>, purpose: Option<&Purpose>) -> Result<Bytes> {
        let Some((cache, key)) = &self.cache else { return self.fetch(range, None).await };
        let find = {
            let (cache, key, range, purpose) = (Arc::clone(cache), key.clone(), range.clone(), purpose.cloned());
            move || {
                let mut parts = Vec::new();
                for part in cache.find(&key, &range, purpose.as_ref()) {
                    match part {
                        CachePart::Missing(range) => parts.push((range, None)),
                        CachePart::There(whole, range) => {
                            let bytes = cache.get(&key, &whole).map(|bytes| {
                                bytes.slice((range.start - whole.start) as usize..(range.end - whole.start) as usize)
                            });
                            parts.push((range, bytes));
                        }
                    }
                }
                parts
            }
        };
        let found = tokio::task::spawn_blocking(find)
            .await
            .map_err(|e| Error::internal(format!("a read of the cache was lost: {e}")))?;
        for (_, there) in &found {
            match there {
                Some(bytes) => {
                    count(&CACHE_HITS, 1);
                    count(&CACHE_BYTES, bytes.len() as u64);
                }
                None => count(&CACHE_MISSES, 1),
            }
        }
        let missing = found.iter().filter(|(_, bytes)| bytes.is_none()).map(|(range, _)| async {
            let bytes = self.fetch(range.clone(), None).await?;
            self.cached(range.clone(), bytes.clone(), purpose);
            Ok::<_, Error>(bytes)
        });
        let mut fetched = try_join_all(missing).await?.into_iter();
        let (mut ranges, mut parts) = (Vec::new(), Vec::new());
        for (range, bytes) in found {
            ranges.push(range);
            parts.push(bytes.or_else(|| fetched.next()).ok_or_else(|| Error::internal("a range was not read"))?);
        }
        gathered(&range, &ranges, &parts).ok_or_else(|| Error::internal("a range was not read"))
    }

    /// Reads a range: exactly its bytes, however often the connection breaks.
    /// `first`: an answer that is there already.
    async fn fetch(&self, range: Range<u64>, mut first: Option<Answer>) -> Result<Bytes> {
        let mut buffer = Buffer::of((range.end - range.start) as usize);
        let mut filled = 0;
        let patience = &self.service.access().patience;
        let mut tries = Tries::new(patience);
        while filled < buffer.as_mut().len() {
            let _permit =
                self.engine.connections.acquire().await.map_err(|_| Error::internal("no more connections"))?;
            let once = if self.ranged.load(Ordering::Relaxed) {
                self.some(range.start, buffer.as_mut(), &mut filled, &mut tries, first.take()).await
            } else {
                self.flowing(range.start, buffer.as_mut(), &mut filled, &mut tries).await
            };
            if let Err(failure) = once {
                // What cannot be told from another version is begun anew.
                if lock(&self.pin).is_none() && failure.again != Again::Never {
                    filled = 0;
                }
                tries.again(failure).await.map_err(|e| e.at(format_args!("byte {}", range.start + filled as u64)))?;
            }
        }
        Ok(buffer.share())
    }

    /// Reads on by one request, as far as it goes.
    async fn some(
        &self,
        start: u64,
        buffer: &mut [u8],
        filled: &mut usize,
        tries: &mut Tries<'_>,
        first: Option<Answer>,
    ) -> Result<(), Failure> {
        let from = start + *filled as u64;
        let end = start + buffer.len() as u64;
        let pin = lock(&self.pin).clone();
        let mut answer = match first {
            Some(answer) => answer,
            None => self.service.ask(self.engine, Wanted::Range(from..end), pin.as_deref()).await?,
        };
        self.check(&answer)?;
        if !answer.ranged {
            self.ranged.store(false, Ordering::Relaxed);
            *self.flow.lock().await = Some(Flow { at: 0, rest: Bytes::new(), body: answer.body });
            return self.flowing(start, buffer, filled, tries).await;
        }
        if answer.range.start != from || answer.range.end > end || answer.range.is_empty() {
            return Err(Failure::soon(format!("asked for bytes {from}..{end}, the server gave {:?}", answer.range)));
        }
        let upto = (answer.range.end - start) as usize;
        while *filled < upto {
            let Some(bytes) = next(&mut answer.body, self.service.access()).await? else {
                return Err(Failure::soon(format!(
                    "the answer ended after {} of {} bytes",
                    *filled as u64 + start - from,
                    answer.range.end - from
                )));
            };
            if *filled + bytes.len() > upto {
                return Err(Failure::soon("the answer is longer than it said"));
            }
            buffer[*filled..*filled + bytes.len()].copy_from_slice(&bytes);
            *filled += bytes.len();
            tries.came(start + *filled as u64);
        }
        Ok(())
    }

    /// Reads on in the one answer that a server without ranges gives.
    async fn flowing(
        &self,
        start: u64,
        buffer: &mut [u8],
        filled: &mut usize,
        tries: &mut Tries<'_>,
    ) -> Result<(), Failure> {
        let mut held = self.flow.lock().await;
        let from = start + *filled as u64;
        let mut flow = match held.take() {
            Some(flow) if flow.at <= from => flow,
            _ => {
                let pin = lock(&self.pin).clone();
                let answer = self.service.ask(self.engine, Wanted::Range(0..self.size), pin.as_deref()).await?;
                self.check(&answer)?;
                Flow { at: 0, rest: Bytes::new(), body: answer.body }
            }
        };
        while *filled < buffer.len() {
            let wanted = start + *filled as u64;
            if flow.rest.is_empty() {
                let Some(bytes) = next(&mut flow.body, self.service.access()).await? else {
                    return Err(Failure::soon(format!("the answer ended after {} of {} bytes", flow.at, self.size)));
                };
                flow.rest = bytes;
                tries.came(flow.at + flow.rest.len() as u64);
            }
            let pass = (wanted - flow.at).min(flow.rest.len() as u64) as usize;
            let take = (flow.rest.len() - pass).min(buffer.len() - *filled);
            buffer[*filled..*filled + take].copy_from_slice(&flow.rest[pass..pass + take]);
            *filled += take;
            flow.at += (pass + take) as u64;
            flow.rest = flow.rest.slice(pass + take..);
        }
        *held = Some(flow);
        Ok(())
    }

    /// Reads ranges, together where they are close.
    async fn read_ranges(&self, ranges: &[Range<u64>], purpose: Option<&Purpose>) -> Result<Vec<Bytes>> {
        for range in ranges {
            if range.start > range.end || range.end > self.size {
                return Err(Error::data(format!("bytes {range:?} are not in the object of {} bytes", self.size)));
            }
        }
        // What is kept of the beginning of a range is not read again.
        let heads: Vec<Bytes> = ranges.iter().map(|range| self.kept_from(range)).collect();
        let rest = |range: &Range<u64>, head: &Bytes| range.start + head.len() as u64..range.end;
        let missing = joined(
            ranges
                .iter()
                .zip(&heads)
                .map(|(range, head)| rest(range, head))
                .filter(|range| !range.is_empty())
                .collect(),
            GAP,
            u64::MAX,
        );
        let parts: Vec<Range<u64>> = missing.into_iter().flat_map(|range| parted(range, MOST)).collect();
        let fetched = match parts.as_slice() {
            [] => Vec::new(),
            [one] => vec![self.part(one.clone(), purpose).await?],
            _ if !self.ranged.load(Ordering::Relaxed) => {
                let mut made = Vec::new();
                for part in &parts {
                    made.push(self.part(part.clone(), purpose).await?);
                }
                made
            }
            _ => try_join_all(parts.iter().map(|part| self.part(part.clone(), purpose))).await?,
        };
        let cut = |(range, head): (&Range<u64>, Bytes)| {
            if !head.is_empty() {
                self.used(range);
                self.cached(range.start..range.start + head.len() as u64, head.clone(), purpose);
            }
            let rest = rest(range, &head);
            if rest.is_empty() {
                return Ok(head);
            }
            let tail = gathered(&rest, &parts, &fetched).ok_or_else(|| Error::internal("a range was not read"))?;
            Ok(if head.is_empty() { tail } else { [head, tail].concat().into() })
        };
        ranges.iter().zip(heads).map(cut).collect()
    }
}

/// The bytes of a range, of parts that were read.
pub(crate) fn gathered(range: &Range<u64>, parts: &[Range<u64>], fetched: &[Bytes]) -> Option<Bytes> {
    let first = parts.partition_point(|part| part.end <= range.start);
    let cut = |i: usize| -> Option<Bytes> {
        let part = parts.get(i)?;
        let (from, upto) = (range.start.max(part.start), range.end.min(part.end));
        (from >= part.start && from < upto)
            .then(|| fetched[i].slice((from - part.start) as usize..(upto - part.start) as usize))
    };
    let one = cut(first)?;
    let wanted = (range.end - range.start) as usize;
    if one.len() == wanted {
        return Some(one);
    }
    let mut whole = Buffer::of(wanted);
    let mut at = 0;
    for i in first.. {
        let bytes = cut(i)?;
        whole.as_mut().get_mut(at..at + bytes.len())?.copy_from_slice(&bytes);
        at += bytes.len();
        if at == wanted {
            break;
        }
    }
    Some(whole.share())
}

/// Ranges in order, those as one that have no more than `gap` between them and are together no longer than `most`.
pub(crate) fn joined(mut ranges: Vec<Range<u64>>, gap: u64, most: u64) -> Vec<Range<u64>> {
    ranges.sort_by_key(|range| (range.start, range.end));
    let mut made: Vec<Range<u64>> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match made.last_mut() {
            Some(last)
                if range.start <= last.end.saturating_add(gap) && range.end.saturating_sub(last.start) <= most =>
            {
                last.end = last.end.max(range.end);
            }
            _ => made.push(range),
        }
    }
    made
}

/// A range in parts of equal length, none longer than `most`.
pub(crate) fn parted(range: Range<u64>, most: u64) -> impl Iterator<Item = Range<u64>> {
    let length = range.end - range.start;
    let each = length.div_ceil(length.div_ceil(most).max(1)).max(1);
    (0..length.div_ceil(each)).map(move |i| range.start + i * each..(range.start + (i + 1) * each).min(range.end))
}

/// The next bytes of a body; none at its end.
async fn next(body: &mut Body, access: &Access) -> Result<Option<Bytes>, Failure> {
    match timeout(access.patience.stall(), body.next()).await {
        Ok(more) => {
            if let Some(Ok(bytes)) = &more {
                count(&BYTES, bytes.len() as u64);
            }
            more.transpose()
        }
        Err(_) => Err(Failure::soon(format!("no byte in {} s", access.patience.timeout))),
    }
}

/// What opening found.
enum Spooled {
    File(Arc<dyn Object>),
    Range(Known, Answer),
    Flow(Known, Body),
}

/// A body of unknown length, in a file without a name.
async fn spool(
    engine: &'static Engine,
    mut answer: Answer,
    access: &Access,
    tries: &mut Tries<'_>,
) -> Result<Spooled, Failure> {
    let failed = |e: std::io::Error| {
        Error::new(
            Kind::Io,
            format!("the server does not say how long it is, so it is put into a temporary file, and that failed: {e}"),
        )
    };
    let (mut file, mut at) = (tempfile::tempfile().map_err(failed)?, 0);
    while let Some(bytes) = next(&mut answer.body, access).await? {
        at += bytes.len() as u64;
        tries.came(at);
        let write = move || {
            file.write_all(&bytes)?;
            Ok::<_, std::io::Error>(file)
        };
        file = engine.cpu(write).await?.map_err(failed)?;
    }
    Ok(Spooled::File(local::opened(file, "a temporary file")?))
}

impl Object for Arc<Remote> {
    fn size(&self) -> u64 {
        self.size
    }

    fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }

    fn remote(&self) -> bool {
        true
    }

    fn ranged(&self) -> bool {
        self.ranged.load(Ordering::Relaxed)
    }

    fn look_now(&self, range: &Range<u64>) -> Result<Option<Bytes>> {
        Ok(self.kept(range))
    }

    fn read_now(&self, ranges: &[Range<u64>]) -> Result<Option<Vec<Bytes>>> {
        if self.cache.is_some() {
            // It has to be kept on disk first.
            return Ok(None);
        }
        let found: Option<Vec<Bytes>> = ranges.iter().map(|range| self.kept(range)).collect();
        if found.is_some() {
            for range in ranges {
                self.used(range);
            }
        }
        Ok(found)
    }

    fn read<'a>(&'a self, ranges: &'a [Range<u64>]) -> Reading<'a, Vec<Bytes>> {
        Box::pin(async move { self.read_ranges(ranges, None).await.map_err(|e| e.in_file(&shown(&self.location))) })
    }

    fn look(&self, wanted: Range<u64>) -> Reading<'_, Bytes> {
        Box::pin(async move {
            // The beginning is looked at in one go.
            let whole = if self.size <= SMALL {
                self.size
            } else if wanted.start == 0 {
                LOOKED_AT.min(self.size)
            } else {
                0
            };
            let range = if wanted.end <= whole { 0..whole } else { wanted.clone() };
            let cut =
                |bytes: &Bytes| bytes.slice((wanted.start - range.start) as usize..(wanted.end - range.start) as usize);
            if let Some(bytes) = self.kept(&wanted) {
                return Ok(bytes);
            }
            let heads = self.heads.clone().filter(|_| range.end - range.start <= LOOKED_AT && !range.is_empty());
            if let Some((cache, key)) = heads.clone() {
                let range = range.clone();
                let find = move || {
                    cache.find(&key, &range, None).iter().find_map(|part| match part {
                        CachePart::There(whole, part) if *part == range => {
                            cache.get(&key, whole).map(|bytes| (whole.start, bytes))
                        }
                        _ => None,
                    })
                };
                if let Ok(Some((at, bytes))) = tokio::task::spawn_blocking(find).await {
                    // A cache that a user named has all that it takes to read without the network.
                    self.cached(at..at + bytes.len() as u64, bytes.clone(), None);
                    self.keep(at, bytes);
                }
                if let Some(bytes) = self.kept(&wanted) {
                    return Ok(bytes);
                }
            }
            let bytes = self.read(std::slice::from_ref(&range)).await?.pop().unwrap_or_default();
            self.keep(range.start, bytes.clone());
            if let Some((cache, key)) = heads {
                let (range, kept) = (range.clone(), bytes.clone());
                drop(tokio::task::spawn_blocking(move || cache.put(&key, &range, &kept, None)));
            }
            Ok(cut(&bytes))
        })
    }

    fn purposed(&self, purpose: &Purpose) -> Option<Arc<dyn Object>> {
        self.cache
            .is_some()
            .then(|| Arc::new(Purposed { remote: Self::clone(self), purpose: purpose.clone() }) as Arc<dyn Object>)
    }
}

/// An object that is read for a piece of a stream.
struct Purposed {
    remote: Arc<Remote>,
    purpose: Purpose,
}

impl Object for Purposed {
    fn size(&self) -> u64 {
        self.remote.size()
    }

    fn version(&self) -> Option<&str> {
        self.remote.version.as_deref()
    }

    fn remote(&self) -> bool {
        true
    }

    fn ranged(&self) -> bool {
        Object::ranged(&self.remote)
    }

    fn read_now(&self, ranges: &[Range<u64>]) -> Result<Option<Vec<Bytes>>> {
        self.remote.read_now(ranges)
    }

    fn read<'a>(&'a self, ranges: &'a [Range<u64>]) -> Reading<'a, Vec<Bytes>> {
        Box::pin(async move {
            self.remote
                .read_ranges(ranges, Some(&self.purpose))
                .await
                .map_err(|e| e.in_file(&shown(&self.remote.location)))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_that_are_close_are_one() {
        assert_eq!(joined(vec![30..40, 0..10, 12..20, 19..25], 2, u64::MAX), [0..25, 30..40]);
        assert_eq!(joined(vec![], 2, u64::MAX), []);
    }

    #[test]
    fn parts_cover_a_range() {
        for (length, most) in [(1, 8), (8, 8), (9, 8), (17, 8), (100, 7)] {
            let parts: Vec<_> = parted(5..5 + length, most).collect();
            assert_eq!((parts[0].start, parts[parts.len() - 1].end), (5, 5 + length));
            assert!(parts.windows(2).all(|pair| pair[0].end == pair[1].start));
            assert!(parts.iter().all(|part| !part.is_empty() && part.end - part.start <= most));
        }
    }

    #[test]
    fn a_range_is_gathered_of_parts() {
        let parts = [0..4, 4..8, 10..14];
        let fetched = [Bytes::from_static(b"abcd"), Bytes::from_static(b"efgh"), Bytes::from_static(b"klmn")];
        let got = |range: Range<u64>| gathered(&range, &parts, &fetched);
        assert_eq!(got(1..3).as_deref(), Some(&b"bc"[..]));
        assert_eq!(got(2..7).as_deref(), Some(&b"cdefg"[..]));
        assert_eq!(got(11..14).as_deref(), Some(&b"lmn"[..]));
        assert_eq!((got(6..11), got(8..9), got(13..15)), (None, None, None));
    }
}
