//! A reader: one piece, decoded ahead of the consumer into its own queue, under the budget. It knows nothing of order.

use std::any::Any;
use std::collections::{HashMap, VecDeque};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use arrow_array::{ArrayRef, BooleanArray, RecordBatch, StringArray};
use arrow_select::filter::filter_record_batch;

use super::files::{Files, Opened};
use crate::budget::Charge;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::format::contain::contain;
use crate::format::{Bad, Decoder, Options, Part, Source, Step};
use crate::schema::{Adapter, FILE, Filter};
use crate::source::Object;

/// Rows of a piece, decoded together.
pub struct Unit {
    /// The rows that are kept, strings and bytes as views.
    pub batch: RecordBatch,
    /// The first of the unit's rows, in the piece.
    pub start: u64,
    /// How many they are, those included that are left out.
    rows: u64,
    /// Which of them are kept; all where absent.
    kept: Option<Vec<u32>>,
    /// Those that could not be read.
    bad: Vec<Bad>,
    /// The file and the piece, for errors.
    pub place: Arc<str>,
    /// What the edge keeps beside them, such as typed views of the columns.
    pub edge: OnceLock<Box<dyn Any + Send + Sync>>,
    _charge: Charge,
}

impl Unit {
    /// The rows of the piece that this is about, those included that are left out.
    pub fn rows(&self) -> Range<u64> {
        self.start..self.start + self.rows
    }

    /// The row of the piece that the `i`-th row of the batch is.
    pub fn raw(&self, i: usize) -> u64 {
        self.start + self.kept.as_ref().map_or(i as u64, |kept| kept[i].into())
    }

    /// Where in the batch a row of the piece is; `Err`: it is left out, and there the next would be.
    pub(crate) fn find(&self, raw: u64) -> std::result::Result<usize, usize> {
        let offset = raw - self.start;
        self.kept.as_ref().map_or(Ok(offset as usize), |kept| kept.binary_search(&(offset as u32)))
    }

    /// How many rows of the batch, from the `i`-th on, stand one after another in the piece.
    pub(crate) fn run(&self, i: usize) -> usize {
        match &self.kept {
            None => self.batch.num_rows() - i,
            Some(kept) => kept[i..].iter().zip(kept[i]..).take_while(|(row, next)| **row == *next).count(),
        }
    }

    /// The first row from `raw` on that could not be read, before `end`.
    pub(crate) fn bad(&self, raw: u64, end: u64) -> Option<(u64, &Error)> {
        let at = self.bad.partition_point(|bad| self.start + u64::from(bad.row) < raw);
        self.bad.get(at).map(|bad| (self.start + u64::from(bad.row), &bad.error)).filter(|(row, _)| *row < end)
    }
}

/// Wakes the consumer.
#[derive(Default)]
pub(crate) struct Signal {
    seen: Mutex<u64>,
    changed: Condvar,
}

impl Signal {
    fn lock(&self) -> MutexGuard<'_, u64> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn now(&self) -> u64 {
        *self.lock()
    }

    fn notify(&self) {
        *self.lock() += 1;
        self.changed.notify_all();
    }

    /// Waits until something happened after `seen`, but not longer than `most`.
    pub(crate) fn wait(&self, seen: u64, most: Duration) {
        drop(self.changed.wait_timeout_while(self.lock(), most, |now| *now == seen));
    }
}

#[derive(Default)]
struct State {
    units: VecDeque<Arc<Unit>>,
    /// The rows of the piece, when all that were wanted of them are read.
    end: Option<Result<u64>>,
}

struct Queue {
    state: Mutex<State>,
    /// Whether the consumer is at this piece: then it may always decode one unit.
    front: AtomicBool,
    cancelled: AtomicBool,
    signal: Arc<Signal>,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells the consumer when a reader ends, however it does.
struct Ending(Arc<Queue>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.lock().end.get_or_insert_with(|| Err(Error::internal("a reader panicked")));
        self.0.signal.notify();
    }
}

/// What a consumer gets of a reader.
pub(crate) enum Pull {
    Unit(Arc<Unit>),
    Wait,
    /// After this row nothing comes.
    End(u64),
}

/// The consumer's end of a reader; dropping it stops the reading.
pub(crate) struct Reader {
    queue: Arc<Queue>,
    engine: &'static Engine,
}

/// What a reader is to read.
pub(crate) struct Piece {
    pub(crate) file: u32,
    /// The number of a row group, or the first byte.
    pub(crate) at: u64,
    pub(crate) bytes: u64,
    pub(crate) rows: Range<u64>,
    /// All of its rows, where they are known.
    pub(crate) count: Option<u64>,
    pub(crate) unit: u64,
    pub(crate) window: u64,
    pub(crate) filter: Option<Arc<Filter>>,
    pub(crate) lenient: bool,
    /// The number of its first row in its file, where that is asked for.
    pub(crate) base: u64,
    /// Units that the queue holds at most, where the budget has room.
    pub(crate) deep: usize,
}

impl Reader {
    /// Begins to read a piece.
    pub(crate) fn start(engine: &'static Engine, files: Arc<Files>, adapter: Arc<Adapter>, piece: Piece, signal: Arc<Signal>) -> Self {
        let queue = Arc::new(Queue { state: Mutex::default(), front: AtomicBool::new(false), cancelled: AtomicBool::new(false), signal });
        let reading = Arc::clone(&queue);
        engine.spawn(async move {
            // If a panic ends this task, whoever waits is told.
            let ending = Ending(reading);
            let end = read(engine, &files, adapter, piece, &ending.0).await;
            ending.0.lock().end = Some(end);
        });
        Self { queue, engine }
    }

    /// The consumer has come to this piece.
    pub(crate) fn to_front(&self) {
        if !self.queue.front.swap(true, Ordering::AcqRel) {
            self.engine.budget.changed.notify_waiters();
        }
    }

    /// The next unit, if it is there.
    pub(crate) fn pull(&self) -> Result<Pull> {
        let mut state = self.queue.lock();
        if let Some(unit) = state.units.pop_front() {
            drop(state);
            self.engine.budget.changed.notify_waiters();
            return Ok(Pull::Unit(unit));
        }
        match &state.end {
            None => Ok(Pull::Wait),
            Some(Ok(rows)) => Ok(Pull::End(*rows)),
            Some(Err(e)) => Err(e.clone()),
        }
    }

    /// Whether all of the piece is decoded.
    pub(crate) fn ended(&self) -> bool {
        self.queue.lock().end.is_some()
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.queue.cancelled.store(true, Ordering::Release);
        self.engine.budget.changed.notify_waiters();
    }
}

/// A decoder of a piece.
fn decoder(files: &Files, opened: &Opened, piece: &Piece, columns: Vec<String>, most: usize) -> Result<Box<dyn Decoder>> {
    let options = Options {
        columns: Some(columns),
        rows: piece.rows.clone(),
        unit: piece.unit,
        window: piece.window,
        most,
        filter: piece.filter.clone(),
        lenient: piece.lenient,
    };
    files.format().decoder(&decoder_source(files, opened, piece), &options)
}

/// A piece, as a decoder is told of it.
pub(crate) fn decoder_source<'a>(files: &'a Files, opened: &'a Opened, piece: &Piece) -> Source<'a> {
    let scan = files.scan();
    Source {
        url: files.name(piece.file),
        size: opened.object.size(),
        codec: opened.codec,
        note: scan.files[piece.file as usize].note.as_ref(),
        head: opened.head.as_ref(),
        at: piece.at,
        bytes: piece.bytes,
        schema: &scan.schema,
        declared: scan.declared,
    }
}

/// What a step gave, in the columns of rows.
enum Made {
    Need(Vec<Range<u64>>),
    Rows(Part, bool),
    Done,
}

/// How a reader makes rows of what is decoded.
struct Making {
    adapter: Adapter,
    filter: Option<Arc<Filter>>,
}

impl Making {
    /// The rows that are kept, in the columns of a row. `first`: the row of the piece that they begin with.
    fn part(&self, mut part: Part, all: bool, first: u64) -> Result<Made> {
        let mut all = all;
        if let Some(filter) = &self.filter {
            let keep = filter.keep(&part.batch)?;
            if keep.count_set_bits() < part.batch.num_rows() {
                part.kept = if all { keep.set_indices_u32().collect() } else { keep.set_indices().map(|i| part.kept[i]).collect() };
                part.batch = filter_record_batch(&part.batch, &BooleanArray::new(keep, None)).map_err(|e| Error::internal(e.to_string()))?;
                all = false;
            }
        }
        part.batch = self.adapter.adapt_rows(&part.batch, first, (!all).then_some(part.kept.as_slice()))?;
        Ok(Made::Rows(part, all))
    }
}

/// Decodes as far as can be without waiting: what is read where it is decoded is still in the processor's cache.
fn advance(decoder: &mut dyn Decoder, making: &Making, object: &dyn Object, first: u64) -> Result<Made> {
    loop {
        match decoder.poll()? {
            Step::Batch(batch) => {
                let part = Part { rows: batch.num_rows() as u64, batch, kept: Vec::new(), bad: Vec::new() };
                return contain(|| making.part(part, true, first));
            }
            Step::Part(part) => return contain(|| making.part(part, false, first)),
            Step::Done => return Ok(Made::Done),
            Step::Need(ranges) => {
                let Some(parts) = object.read_now(&ranges)? else { return Ok(Made::Need(ranges)) };
                for (range, bytes) in ranges.into_iter().zip(parts) {
                    decoder.push(range, bytes)?;
                }
            }
        }
    }
}

/// The columns that have one value in a whole file.
pub(crate) fn constants(files: &Files, file: u32) -> HashMap<String, ArrayRef> {
    let entry = &files.scan().files[file as usize];
    let text = |value: Option<&str>| Arc::new(StringArray::from(vec![value])) as ArrayRef;
    let mut made: HashMap<String, ArrayRef> = entry.partition.iter().map(|(key, value)| (key.clone(), text(value.as_deref()))).collect();
    made.insert(FILE.into(), text(Some(files.name(file))));
    made
}

async fn read(engine: &'static Engine, files: &Arc<Files>, adapter: Arc<Adapter>, mut piece: Piece, queue: &Queue) -> Result<u64> {
    let path = files.name(piece.file);
    let named = |e: Error| e.in_file(path);
    let mut at = piece.rows.start;
    let place: Arc<str> = format!("{path}: {}", files.format().place(piece.at)).into();
    let constants = constants(files, piece.file);
    let filter = piece.filter.take();
    piece.filter = filter.map(|filter| Arc::new(Filter { expr: filter.expr.clone(), adapter: filter.adapter.in_file(constants.clone(), 0) }));
    let rest = piece.filter.clone().filter(|_| !files.format().filters());
    let making = Arc::new(Making { adapter: adapter.in_file(constants, piece.base), filter: rest });
    let add = |part: Part, all: bool, at: &mut u64| {
        let charge = engine.budget.charge(part.batch.get_array_memory_size() as u64);
        let Part { batch, rows, kept, mut bad } = part;
        for one in &mut bad {
            one.error = one.error.clone().in_file(path);
        }
        let unit = Unit { start: *at, rows, kept: (!all).then_some(kept), bad, place: Arc::clone(&place), edge: OnceLock::new(), _charge: charge, batch };
        *at += rows;
        queue.lock().units.push_back(Arc::new(unit));
        queue.signal.notify();
    };
    // What a file's path says may tell that none of its rows is wanted.
    if let (Some(filter), Some(rows)) = (&piece.filter, piece.count)
        && !filter.may()?
    {
        let rows = piece.rows.end.min(rows) - at.min(rows);
        if rows > 0 {
            add(Part { batch: RecordBatch::new_empty(Arc::clone(adapter.schema())), rows, kept: Vec::new(), bad: Vec::new() }, false, &mut at);
        }
        return Ok(at);
    }
    let opened = files.get(engine, piece.file).await?;
    let object = Arc::clone(&opened.object);
    let (unit, deep, most) = (piece.unit, piece.deep, engine.budget.for_rows() as usize);
    let mut columns = adapter.sources().to_vec();
    if !files.format().filters() {
        columns.extend(piece.filter.iter().flat_map(|filter| filter.columns()).filter(|name| !adapter.sources().contains(name)).cloned());
    }
    let here = Arc::clone(files);
    let mut decoder = engine.cpu(move || decoder(&here, &opened, &piece, columns, most)).await?.map_err(named)?;
    while permit(engine, queue, unit, deep).await {
        let (part, all) = loop {
            let (making, file) = (Arc::clone(&making), Arc::clone(&object));
            let (back, step) = engine
                .cpu(move || {
                    let step = advance(&mut *decoder, &making, &*file, at);
                    (decoder, step)
                })
                .await?;
            decoder = back;
            match step.map_err(|e| e.in_file(path))? {
                Made::Done => return Ok(at),
                Made::Rows(part, all) => break (part, all),
                Made::Need(ranges) => {
                    let parts = object.read(&ranges).await.map_err(named)?;
                    for (range, bytes) in ranges.into_iter().zip(parts) {
                        decoder.push(range, bytes).map_err(named)?;
                    }
                }
            }
        };
        add(part, all, &mut at);
    }
    Ok(at)
}

/// Waits until another unit may be decoded; false where nobody wants one any more.
async fn permit(engine: &Engine, queue: &Queue, unit: u64, deep: usize) -> bool {
    loop {
        let changed = engine.budget.changed.notified();
        if queue.cancelled.load(Ordering::Acquire) {
            return false;
        }
        let held = queue.lock().units.len();
        if (held == 0 && queue.front.load(Ordering::Acquire)) || (held < deep && engine.budget.fits(unit)) {
            return true;
        }
        changed.await;
    }
}
