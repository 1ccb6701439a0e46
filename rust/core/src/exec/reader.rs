//! A reader: one piece, decoded ahead of the consumer into its own queue, under the budget. It knows nothing of order.

use std::any::Any;
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use arrow_array::RecordBatch;

use super::files::{Files, Opened};
use crate::budget::Charge;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::format::contain::contain;
use crate::format::{Decoder, Options, Source, Step};
use crate::schema::Adapter;
use crate::source::Object;

/// Rows of a piece, decoded together.
pub struct Unit {
    /// The rows, strings and bytes as views.
    pub batch: RecordBatch,
    /// The first of them, in the piece.
    pub start: u64,
    /// The file and the piece, for errors.
    pub place: Arc<str>,
    /// What the edge keeps beside them, such as typed views of the columns.
    pub edge: OnceLock<Box<dyn Any + Send + Sync>>,
    _charge: Charge,
}

impl Unit {
    /// The rows of the piece that are here.
    pub fn rows(&self) -> Range<u64> {
        self.start..self.start + self.batch.num_rows() as u64
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
    pub(crate) unit: u64,
    pub(crate) window: u64,
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
    let options = Options { columns: Some(columns), rows: piece.rows.clone(), unit: piece.unit, window: piece.window, most };
    let scan = files.scan();
    let source = Source {
        url: files.name(piece.file),
        size: opened.object.size(),
        codec: opened.codec,
        note: scan.files[piece.file as usize].note.as_ref(),
        head: opened.head.as_ref(),
        at: piece.at,
        bytes: piece.bytes,
        schema: &scan.schema,
        declared: scan.declared,
    };
    files.format().decoder(&source, &options)
}

/// Decodes as far as can be without waiting: what is read where it is decoded is still in the processor's cache.
fn advance(decoder: &mut dyn Decoder, adapter: &Adapter, object: &dyn Object) -> Result<Step> {
    loop {
        match decoder.poll()? {
            Step::Batch(batch) => return Ok(Step::Batch(contain(|| adapter.adapt(&batch))?)),
            Step::Done => return Ok(Step::Done),
            Step::Need(ranges) => {
                let Some(parts) = object.read_now(&ranges)? else { return Ok(Step::Need(ranges)) };
                for (range, bytes) in ranges.into_iter().zip(parts) {
                    decoder.push(range, bytes)?;
                }
            }
        }
    }
}

async fn read(engine: &'static Engine, files: &Arc<Files>, adapter: Arc<Adapter>, piece: Piece, queue: &Queue) -> Result<u64> {
    let opened = files.get(engine, piece.file).await?;
    let object = Arc::clone(&opened.object);
    let path = files.name(piece.file);
    let named = |e: Error| e.in_file(path);
    let mut at = piece.rows.start;
    let place: Arc<str> = format!("{path}: {}", files.format().place(piece.at)).into();
    let (unit, deep, columns, most) = (piece.unit, piece.deep, adapter.sources().to_vec(), engine.budget.for_rows() as usize);
    let here = Arc::clone(files);
    let mut decoder = engine.cpu(move || decoder(&here, &opened, &piece, columns, most)).await?.map_err(named)?;
    while permit(engine, queue, unit, deep).await {
        let batch = loop {
            let (adapter, file) = (Arc::clone(&adapter), Arc::clone(&object));
            let (back, step) = engine
                .cpu(move || {
                    let step = advance(&mut *decoder, &adapter, &*file);
                    (decoder, step)
                })
                .await?;
            decoder = back;
            match step.map_err(|e| e.in_file(path))? {
                Step::Done => return Ok(at),
                Step::Batch(batch) => break batch,
                Step::Need(ranges) => {
                    let parts = object.read(&ranges).await.map_err(named)?;
                    for (range, bytes) in ranges.into_iter().zip(parts) {
                        decoder.push(range, bytes).map_err(named)?;
                    }
                }
            }
        };
        let charge = engine.budget.charge(batch.get_array_memory_size() as u64);
        let unit = Arc::new(Unit { start: at, place: Arc::clone(&place), edge: OnceLock::new(), _charge: charge, batch });
        at = unit.rows().end;
        queue.lock().units.push_back(unit);
        queue.signal.notify();
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
