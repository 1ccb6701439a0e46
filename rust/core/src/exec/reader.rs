//! A reader: one piece, decoded ahead of the consumer into its own queue, under the budget. It knows nothing of order.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use super::decode::{Made, decoded};
use super::global::{self, Whole};
use super::queue::{Ending, Piece, Pull, Queue, Signal, Unit, permit};
use crate::engine::Engine;
use crate::error::Result;
use crate::files::Files;
use crate::format::Part;
use crate::schema::Adapter;
use crate::urls::shown;

/// The consumer's end of a reader; dropping it stops the reading.
pub(crate) struct Reader {
    queue: Arc<Queue>,
    engine: &'static Engine,
}

impl Reader {
    /// Begins to read an order in which every row may land anywhere.
    pub(crate) fn start_whole(
        engine: &'static Engine,
        files: Arc<Files>,
        adapter: Arc<Adapter>,
        whole: Whole,
        ready_units: usize,
        signal: Arc<Signal>,
    ) -> Self {
        Self::spawn(engine, signal, move |queue| async move {
            global::read(engine, &files, adapter, whole, ready_units, &queue).await
        })
    }

    /// Begins to read a piece.
    pub(crate) fn start(
        engine: &'static Engine,
        files: Arc<Files>,
        adapter: Arc<Adapter>,
        piece: Piece,
        signal: Arc<Signal>,
    ) -> Self {
        Self::spawn(engine, signal, move |queue| async move { read(engine, &files, adapter, piece, &queue).await })
    }

    fn spawn<W, F>(engine: &'static Engine, signal: Arc<Signal>, read: W) -> Self
    where
        W: FnOnce(Arc<Queue>) -> F + Send + 'static,
        F: Future<Output = Result<u64>> + Send,
    {
        let queue = Arc::new(Queue {
            state: Mutex::default(),
            front: AtomicBool::new(false),
            cancelled: AtomicBool::new(false),
            signal,
        });
        // If a panic ends this task, whoever waits is told.
        let ending = Ending(Arc::clone(&queue));
        engine.spawn(async move {
            let end = read(Arc::clone(&ending.0)).await;
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

async fn read(
    engine: &'static Engine,
    files: &Arc<Files>,
    adapter: Arc<Adapter>,
    piece: Piece,
    queue: &Queue,
) -> Result<u64> {
    let path = files.name(piece.file);
    let mut at = piece.rows.start;
    let place: Arc<str> = format!("{}: {}", shown(path), files.format().place(piece.at)).into();
    let (unit, ready_units) = (piece.unit, piece.ready_units);
    // A small piece takes as long to hand from thread to thread as to decode.
    let at_once = !path.contains("://");
    if at_once && !permit(engine, queue, unit, ready_units).await {
        return Ok(at);
    }
    let mut reading = decoded(engine, files, &adapter, piece, at_once).await?;
    while permit(engine, queue, unit, ready_units).await {
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
