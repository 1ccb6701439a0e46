//! What readers hand on: units of rows, in a queue for each lane; and which piece a reader reads.

use std::any::Any;
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use arrow_array::RecordBatch;

use super::limits::{UNIT, WINDOW};
use super::prefetch::Pace;
use crate::budget::Charge;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::format::Bad;
use crate::plan::{PieceEntry, Scan};
use crate::schema::Filter;
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
    pub(super) bad: Vec<Bad>,
    /// The file and the piece, for errors.
    pub place: Arc<str>,
    /// What the edge keeps beside them, such as typed views of the columns.
    pub edge: OnceLock<Box<dyn Any + Send + Sync>>,
    _charge: Charge,
}

impl Unit {
    /// Rows `start..start + rows` of a piece, or those of them that are `kept`.
    pub(super) fn new(
        start: u64,
        rows: u64,
        kept: Option<Vec<u32>>,
        batch: RecordBatch,
        place: Arc<str>,
        charge: Charge,
    ) -> Self {
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
    pub(super) changed: Condvar,
}

impl Signal {
    pub(super) fn lock(&self) -> MutexGuard<'_, u64> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn now(&self) -> u64 {
        *self.lock()
    }

    pub(super) fn notify(&self) {
        *self.lock() += 1;
        self.changed.notify_all();
    }

    /// Waits until something happened after `seen`, but not longer than `most`.
    pub(crate) fn wait(&self, seen: u64, most: Duration) {
        drop(self.changed.wait_timeout_while(self.lock(), most, |now| *now == seen));
    }
}

#[derive(Default)]
pub(super) struct State {
    pub(super) units: VecDeque<Arc<Unit>>,
    /// The rows of the piece, when all that were wanted of them are read.
    pub(super) end: Option<Result<u64>>,
}

pub(super) struct Queue {
    pub(super) state: Mutex<State>,
    /// Whether the consumer is at this piece: then it may always decode one unit.
    pub(super) front: AtomicBool,
    pub(super) cancelled: AtomicBool,
    pub(super) signal: Arc<Signal>,
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

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells the consumer when a reader ends, however it does.
pub(super) struct Ending(pub(super) Arc<Queue>);

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
    pub(crate) prefetch_bytes: u64,
    pub(crate) pace: Arc<Pace>,
    /// What a cache is to know of it.
    pub(crate) purpose: Option<Purpose>,
    pub(crate) filter: Option<Arc<Filter>>,
    pub(crate) lenient: bool,
    /// The number of its first row in its file, where that is asked for.
    pub(crate) base: u64,
    /// The row of a piece of the listing with which it begins.
    pub(crate) first: u64,
    /// Which piece of which listing it is, for errors that say where a row is.
    pub(crate) whence: Option<(Arc<Scan>, u32)>,
    /// The threads that may decompress it.
    pub(crate) threads: usize,
    /// Units that the queue holds at most, where the budget has room.
    pub(crate) ready_units: usize,
}

impl Piece {
    /// Some rows of a piece of a listing, read by itself: with nothing ahead of it, and in units as long as may be.
    pub(crate) fn alone(&(file, at, count, bytes): &PieceEntry, rows: Range<u64>) -> Self {
        let (unit, window) = (UNIT.end, WINDOW.end);
        let (prefetch_bytes, pace, purpose, filter) = (0, Arc::default(), None, None);
        Self {
            file,
            at,
            bytes,
            rows,
            count,
            unit,
            window,
            prefetch_bytes,
            pace,
            purpose,
            filter,
            lenient: false,
            base: 0,
            first: 0,
            whence: None,
            threads: 1,
            ready_units: 1,
        }
    }
}

/// Waits until another unit may be decoded; false where nobody wants one any more.
pub(super) async fn permit(engine: &Engine, queue: &Queue, unit: u64, ready_units: usize) -> bool {
    loop {
        let changed = engine.budget.changed.notified();
        if queue.cancelled.load(Ordering::Acquire) {
            return false;
        }
        let held = queue.lock().units.len();
        if (held == 0 && queue.front.load(Ordering::Acquire)) || (held < ready_units && engine.budget.fits(unit)) {
            return true;
        }
        changed.await;
    }
}
