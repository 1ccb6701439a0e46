//! A reader: one piece, decoded ahead of the consumer into its own queue, under the budget. It knows nothing of order.

use std::any::Any;
use std::collections::{HashMap, VecDeque};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use arrow_array::{ArrayRef, BooleanArray, RecordBatch, StringArray};
use arrow_select::filter::filter_record_batch;

use super::ahead::{Ahead, Pace};
use super::files::{Files, Opened};
use super::global::{self, Whole};
use super::{UNIT, WINDOW};
use crate::budget::Charge;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::format::contain::contain;
use crate::format::{Bad, Decoder, Options, Part, Source, Step};
use crate::plan::{PieceEntry, Scan};
use crate::schema::{Adapter, FILE, Filter};
use crate::source::Object;
use crate::source::remote::cache::Purpose;

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
    /// Rows `start..start + rows` of a piece, or those of them that are `kept`.
    pub(super) fn new(start: u64, rows: u64, kept: Option<Vec<u32>>, batch: RecordBatch, place: Arc<str>, charge: Charge) -> Self {
        Self { batch, start, rows, kept, bad: Vec::new(), place, edge: OnceLock::new(), _charge: charge }
    }

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

pub(super) struct Queue {
    state: Mutex<State>,
    /// Whether the consumer is at this piece: then it may always decode one unit.
    front: AtomicBool,
    cancelled: AtomicBool,
    signal: Arc<Signal>,
}

impl Queue {
    /// Adds what the consumer comes to next.
    pub(super) fn push(&self, unit: Unit) {
        self.lock().units.push_back(Arc::new(unit));
        self.signal.notify();
    }

    /// Whether nobody wants more.
    pub(super) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Acquire)
    }

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
    /// Bytes that may be read ahead, if the file is far away.
    pub(crate) wire: u64,
    pub(crate) pace: Arc<Pace>,
    /// What a cache is to know of it.
    pub(crate) purpose: Option<Purpose>,
    pub(crate) filter: Option<Arc<Filter>>,
    pub(crate) lenient: bool,
    /// The number of its first row in its file, where that is asked for.
    pub(crate) base: u64,
    /// Which piece of which listing it is, for errors that say where a row is.
    pub(crate) whence: Option<(Arc<Scan>, u32)>,
    /// Units that the queue holds at most, where the budget has room.
    pub(crate) deep: usize,
}

impl Piece {
    /// Some rows of a piece of a listing, read by itself: with nothing ahead of it, and in units as long as may be.
    pub(crate) fn alone(&(file, at, count, bytes): &PieceEntry, rows: Range<u64>) -> Self {
        let (unit, window) = (UNIT.end, WINDOW.end);
        let (wire, pace, purpose, filter) = (0, Arc::default(), None, None);
        Self { file, at, bytes, rows, count, unit, window, wire, pace, purpose, filter, lenient: false, base: 0, whence: None, deep: 1 }
    }
}

impl Reader {
    /// Begins to read an order in which every row may land anywhere.
    pub(crate) fn start_whole(engine: &'static Engine, files: Arc<Files>, adapter: Arc<Adapter>, whole: Whole, deep: usize, signal: Arc<Signal>) -> Self {
        let queue = Arc::new(Queue { state: Mutex::default(), front: AtomicBool::new(false), cancelled: AtomicBool::new(false), signal });
        let reading = Arc::clone(&queue);
        engine.spawn(async move {
            let ending = Ending(reading);
            let end = global::read(engine, &files, adapter, whole, deep, &ending.0).await;
            ending.0.lock().end = Some(end);
        });
        Self { queue, engine }
    }

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

/// A decoder of a piece, and what it will surely read.
type Opening = (Box<dyn Decoder>, Vec<Range<u64>>);

/// Opens a decoder of a piece.
fn decoder(files: &Files, opened: &Opened, piece: &Piece, columns: Vec<String>, most: usize) -> Result<Opening> {
    let options = Options {
        columns: Some(columns),
        rows: piece.rows.clone(),
        unit: piece.unit,
        window: piece.window,
        most,
        filter: piece.filter.clone(),
        lenient: piece.lenient,
    };
    let source = decoder_source(files, opened, piece);
    let ranges = if opened.object.remote() { files.format().ahead(&source, &options)? } else { Vec::new() };
    Ok((files.format().decoder(&source, &options)?, ranges))
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
pub(super) enum Made {
    Need(Vec<Range<u64>>),
    Rows(Part, bool),
    Done,
}

/// How a reader makes rows of what is decoded.
pub(super) struct Making {
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

/// A piece that is being decoded.
pub(super) struct Reading {
    decoder: Option<Box<dyn Decoder>>,
    making: Arc<Making>,
    object: Option<Arc<dyn Object>>,
    file: u32,
    start: u64,
    /// Rows that are left out by what the file's path says, without opening it.
    out: Option<u64>,
    whence: Option<(Arc<Scan>, u32)>,
}

/// Where a row of a piece is in its file.
fn place(scan: &Scan, piece: u32, row: u64) -> String {
    let (file, at, ..) = scan.pieces[piece as usize];
    let earlier = scan.pieces[..piece as usize].iter().rev().take_while(|piece| piece.0 == file);
    match earlier.map(|piece| piece.2).sum::<Option<u64>>() {
        Some(before) => format!("row {}", before + row),
        None => format!("row {row} after byte {at}"),
    }
}

/// Opens a piece, to decode its rows.
pub(super) async fn decoded(engine: &'static Engine, files: &Arc<Files>, adapter: &Adapter, mut piece: Piece) -> Result<Reading> {
    let (file, start, whence) = (piece.file, piece.rows.start, piece.whence.take());
    let named = |e: Error| e.in_file(files.name(file));
    let constants = constants(files, file);
    let filter = piece.filter.take();
    piece.filter = filter.map(|filter| Arc::new(Filter { expr: filter.expr.clone(), adapter: filter.adapter.in_file(constants.clone(), 0) }));
    let rest = piece.filter.clone().filter(|_| !files.format().filters());
    let making = Arc::new(Making { adapter: adapter.in_file(constants, piece.base), filter: rest });
    // What a file's path says may tell that none of its rows is wanted.
    if let (Some(filter), Some(rows)) = (&piece.filter, piece.count)
        && !filter.may()?
    {
        let out = piece.rows.end.min(rows).saturating_sub(start);
        return Ok(Reading { decoder: None, making, object: None, file, start, out: Some(out), whence: None });
    }
    let opened = files.get(engine, file).await?;
    let (object, wire, pace, purpose) = (Arc::clone(&opened.object), piece.wire, Arc::clone(&piece.pace), piece.purpose.take());
    if let Some(purpose) = &purpose {
        purpose.schedule.reached(purpose.piece);
    }
    let most = engine.budget.for_rows() as usize;
    let mut columns = adapter.sources().to_vec();
    if !files.format().filters() {
        columns.extend(piece.filter.iter().flat_map(|filter| filter.columns()).filter(|name| !adapter.sources().contains(name)).cloned());
    }
    let here = Arc::clone(files);
    let (decoder, ranges) = engine.cpu(move || decoder(&here, &opened, &piece, columns, most)).await?.map_err(named)?;
    let object = purpose.and_then(|purpose| object.purposed(&purpose)).unwrap_or(object);
    let object = if ranges.is_empty() { object } else { Arc::new(Ahead::new(engine, object, &ranges, wire, pace)) };
    Ok(Reading { decoder: Some(decoder), making, object: Some(object), file, start, out: None, whence })
}

impl Reading {
    /// The first row.
    pub(super) fn start(&self) -> u64 {
        self.start
    }

    /// The next rows, from row `at` of the piece on.
    pub(super) async fn next(&mut self, engine: &'static Engine, files: &Arc<Files>, at: u64) -> Result<Made> {
        let path = files.name(self.file);
        if let Some(rows) = self.out.take() {
            let batch = RecordBatch::new_empty(Arc::clone(self.making.adapter.schema()));
            return Ok(if rows == 0 { Made::Done } else { Made::Rows(Part { batch, rows, kept: Vec::new(), bad: Vec::new() }, false) });
        }
        loop {
            let (Some(mut decoder), Some(object)) = (self.decoder.take(), self.object.clone()) else { return Ok(Made::Done) };
            let (making, file) = (Arc::clone(&self.making), Arc::clone(&object));
            let (back, step) = engine
                .cpu(move || {
                    let step = advance(&mut *decoder, &making, &*file, at);
                    (decoder, step)
                })
                .await?;
            decoder = back;
            match step.map_err(|e| e.placed(|row| self.whence.as_ref().map(|(scan, piece)| place(scan, *piece, row))).in_file(path))? {
                Made::Need(ranges) => {
                    let parts = object.read(&ranges).await.map_err(|e| e.in_file(path))?;
                    for (range, bytes) in ranges.into_iter().zip(parts) {
                        decoder.push(range, bytes).map_err(|e| e.in_file(path))?;
                    }
                    self.decoder = Some(decoder);
                }
                Made::Done => return Ok(Made::Done),
                rows @ Made::Rows(..) => {
                    self.decoder = Some(decoder);
                    return Ok(rows);
                }
            }
        }
    }
}

async fn read(engine: &'static Engine, files: &Arc<Files>, adapter: Arc<Adapter>, piece: Piece, queue: &Queue) -> Result<u64> {
    let path = files.name(piece.file);
    let mut at = piece.rows.start;
    let place: Arc<str> = format!("{path}: {}", files.format().place(piece.at)).into();
    let (unit, deep) = (piece.unit, piece.deep);
    let mut reading = decoded(engine, files, &adapter, piece).await?;
    while permit(engine, queue, unit, deep).await {
        let Made::Rows(part, all) = reading.next(engine, files, at).await? else { return Ok(at) };
        let charge = engine.budget.charge(part.batch.get_array_memory_size() as u64);
        let Part { batch, rows, kept, mut bad } = part;
        for one in &mut bad {
            one.error = one.error.clone().in_file(path);
        }
        let mut unit = Unit::new(at, rows, (!all).then_some(kept), batch, Arc::clone(&place), charge);
        unit.bad = bad;
        at += rows;
        queue.push(unit);
    }
    Ok(at)
}

/// Waits until another unit may be decoded; false where nobody wants one any more.
pub(super) async fn permit(engine: &Engine, queue: &Queue, unit: u64, deep: usize) -> bool {
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
