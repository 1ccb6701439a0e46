//! Steps over columns, done before their rows are asked for: on all threads, in order, under the budget.
//!
//! Rows are taken from the order in chunks. The steps of a chunk are one job of the CPU pool; several
//! chunks are under way at once, and the consumer gets them in their order. The place of the stream is that after the
//! last row given, so what was taken ahead does not count.

use std::collections::VecDeque;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::{Field, Schema, SchemaRef};

use super::gather::{Picks, Run};
use super::ordered::{Named, Ordered, Rows};
use super::queue::{Signal, Unit};
use super::{Next, Waiter};
use crate::column_steps::{ColumnStep, Ready};
use crate::engine::{Engine, Submitted};
use crate::error::{Error, Kind, Result};
use crate::plan::cursor::At;
use crate::types::viewed;

/// The bytes of a chunk, about, where nobody asked for a batch.
const CHUNK: usize = 4 << 20;

/// Where a stream is.
type Place = (u64, Vec<At>);

/// Rows with which the steps are done.
struct Chunk {
    unit: Arc<Unit>,
    named: Vec<Named>,
    /// The rows with which they could not be done, in order.
    bad: VecDeque<(usize, Error)>,
    flush: bool,
    /// The next row that is given.
    next: usize,
    /// The place of the unit among those of the batch that is being picked.
    picked: Option<(u64, u32)>,
}

/// What comes next of the order.
enum Coming {
    Making(Submitted<Result<Chunk>>, usize),
    Made(Box<Chunk>),
    Bad(Error, Place),
    Failed(Error),
}

/// The rows of a stream, the steps done ahead.
pub(super) struct StepsAhead {
    steps: Vec<ColumnStep>,
    ready: Arc<Vec<Ready>>,
    schema: SchemaRef,
    engine: &'static Engine,
    lenient: bool,
    coming: VecDeque<Coming>,
    /// The bytes of what is under way, and whether there is more to take.
    under_way: usize,
    ended: bool,
    /// The bytes of what is made of a row, about.
    row_bytes: usize,
    /// The place after the last row given, and before a batch that is not whole.
    place: Place,
    before: Option<Place>,
    picks: Picks,
    batch: u64,
    seen: u64,
}

impl StepsAhead {
    /// For the columns of a stream's rows; `None` where there are no steps.
    pub(super) fn new(steps: &[ColumnStep], ordered: &Ordered, lenient: bool) -> Result<Option<Self>> {
        if steps.is_empty() {
            return Ok(None);
        }
        let mut fields: Vec<_> = ordered.schema().fields().iter().cloned().collect();
        for step in steps {
            let Some(field) = fields.iter_mut().find(|field| field.name() == step.column()) else {
                return Err(Error::new(Kind::Schema, format!("there is no column {:?} for a step", step.column())));
            };
            *field = Arc::new(Field::new(field.name(), step.data_type(), true));
        }
        Ok(Some(Self {
            ready: Arc::new(steps.iter().map(ColumnStep::ready).collect::<Result<_>>()?),
            steps: steps.to_vec(),
            schema: Arc::new(Schema::new(viewed(&fields.into()))),
            engine: Engine::current()?,
            lenient,
            coming: VecDeque::new(),
            under_way: 0,
            ended: false,
            row_bytes: steps.iter().map(|step| step.row_bytes().0).sum::<usize>().max(1),
            place: ordered.place(),
            before: None,
            picks: Picks::default(),
            batch: 0,
            seen: 0,
        }))
    }

    /// Forgets what was taken ahead: the order was opened anew.
    pub(super) fn forget(&mut self, ordered: &Ordered) -> Result<()> {
        // The locks of a parent's jobs may be held by threads that are not here.
        std::mem::forget((std::mem::take(&mut self.coming), self.picks.take()));
        if let Some(new) = Self::new(&self.steps, ordered, self.lenient)? {
            let old = std::mem::replace(self, new);
            std::mem::forget(old);
        }
        Ok(())
    }

    pub(super) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The place after the last row given.
    pub(super) fn place(&self) -> Place {
        self.before.clone().unwrap_or_else(|| self.place.clone())
    }

    pub(super) fn waiter(&self, ordered: &Ordered) -> Waiter {
        Waiter { signal: Arc::clone(ordered.signal()), seen: self.seen }
    }

    /// How many rows a chunk has: a batch, where that leaves room for as many chunks as there are threads.
    fn rows_of_chunk(&self, wanted: Option<usize>) -> (usize, usize) {
        let room = (self.engine.budget.for_rows() / 2) as usize;
        let chunks = self.engine.threads + 1;
        let most = (room / chunks / self.row_bytes).max(1);
        let rows = match wanted {
            // Batches of whole chunks need no copy where one chunk is all of it.
            Some(size) if size <= most => size,
            Some(size) => size.div_ceil(size.div_ceil(most)),
            None => {
                let rows = self.steps.iter().map(ColumnStep::rows).min().unwrap_or(1);
                (CHUNK / self.row_bytes).clamp(1, rows).min(most)
            }
        };
        (rows, room)
    }

    /// Takes rows while there is room, and has the steps done.
    fn take_ahead(&mut self, ordered: &mut Ordered, wanted: Option<usize>) -> Result<()> {
        let (rows, room) = self.rows_of_chunk(wanted);
        while !self.ended
            && (self.coming.is_empty()
                || (self.coming.len() <= 2 * self.engine.threads && self.under_way + rows * self.row_bytes <= room))
        {
            match ordered.next_rows(rows, self.coming.is_empty()) {
                Ok(Next::Ready(mut rows)) => {
                    let then = rows.then.take();
                    self.begin(rows, Arc::clone(ordered.signal()))?;
                    if let Some(error) = then {
                        self.coming.push_back(Coming::Bad(error, ordered.place()));
                    }
                }
                Ok(Next::Bad(error)) => self.coming.push_back(Coming::Bad(error, ordered.place())),
                Ok(Next::Wait) => break,
                Ok(Next::End) => self.ended = true,
                // What came before it is given first.
                Err(error) => {
                    self.coming.push_back(Coming::Failed(error));
                    self.ended = true;
                }
            }
        }
        Ok(())
    }

    /// Has the steps done with some rows.
    fn begin(&mut self, rows: Rows, signal: Arc<Signal>) -> Result<()> {
        let (ready, schema, engine) = (Arc::clone(&self.ready), Arc::clone(&self.schema), self.engine);
        let bytes = rows.named.len() * self.row_bytes;
        self.under_way += bytes;
        let work = self.engine.submit(move || {
            // However it ends, the consumer is told once the result is there.
            struct Told(Arc<Signal>);
            impl Drop for Told {
                fn drop(&mut self) {
                    self.0.notify();
                }
            }
            let told = Told(signal);
            (chunk(rows, &ready, schema, engine), told).0
        })?;
        self.coming.push_back(Coming::Making(work, bytes));
        Ok(())
    }

    /// The chunk that has the next row, or what is there instead of one.
    fn front(&mut self, ordered: &mut Ordered, wanted: Option<usize>) -> Result<Next<()>> {
        self.seen = ordered.signal().now();
        loop {
            self.take_ahead(ordered, wanted)?;
            let row_bytes = self.row_bytes;
            match self.coming.front_mut() {
                None => return Ok(if self.ended { Next::End } else { Next::Wait }),
                Some(Coming::Making(work, bytes)) => {
                    let Some(made) = work.try_take()? else { return Ok(Next::Wait) };
                    self.under_way -= *bytes;
                    self.coming[0] = match made {
                        Ok(chunk) => {
                            if self.steps.iter().any(|step| !step.row_bytes().1) {
                                let held = chunk.unit.batch.get_array_memory_size() / chunk.named.len().max(1);
                                self.row_bytes = held.max(row_bytes / 2).max(1);
                            }
                            Coming::Made(Box::new(chunk))
                        }
                        Err(error) => Coming::Failed(error),
                    };
                }
                Some(Coming::Made(chunk)) => {
                    if chunk.next == chunk.named.len() {
                        let flush = chunk.flush;
                        self.coming.pop_front();
                        if flush && self.picks.rows() > 0 {
                            return Ok(Next::Ready(()));
                        }
                        continue;
                    }
                    if chunk.bad.front().is_some_and(|(row, _)| *row == chunk.next) {
                        let Some((row, error)) = chunk.bad.front().cloned() else { continue };
                        if !self.lenient {
                            return Err(error);
                        }
                        chunk.bad.pop_front();
                        chunk.next += 1;
                        self.place = chunk.named[row].after.clone();
                        return Ok(Next::Bad(error));
                    }
                    return Ok(Next::Ready(()));
                }
                Some(Coming::Bad(..)) => {
                    if let Some(Coming::Bad(error, place)) = self.coming.pop_front() {
                        self.place = place;
                        return Ok(Next::Bad(error));
                    }
                }
                Some(Coming::Failed(error)) => return Err(error.clone()),
            }
        }
    }

    /// The next row.
    pub(super) fn next_row(&mut self, ordered: &mut Ordered) -> Result<Next<(&Unit, usize)>> {
        match self.front(ordered, None)? {
            Next::Bad(error) => return Ok(Next::Bad(error)),
            Next::Wait => return Ok(Next::Wait),
            Next::End => return Ok(Next::End),
            Next::Ready(()) => {}
        }
        let Some(Coming::Made(chunk)) = self.coming.front_mut() else {
            return Err(Error::internal("a row that is not there"));
        };
        let row = chunk.next;
        chunk.next += 1;
        self.place.clone_from(&chunk.named[row].after);
        Ok(Next::Ready((&chunk.unit, row)))
    }

    /// The next rows as one batch, as `Stream::next_batch` says.
    pub(super) fn next_batch(
        &mut self,
        ordered: &mut Ordered,
        size: usize,
        drop_last: bool,
    ) -> Result<Next<RecordBatch>> {
        let size = size.max(1);
        if self.before.is_none() {
            self.before = Some(self.place.clone());
        }
        loop {
            while self.picks.rows() < size {
                match self.front(ordered, Some(size))? {
                    Next::Wait => return Ok(Next::Wait),
                    Next::Bad(error) => return Ok(Next::Bad(error)),
                    Next::End => break,
                    Next::Ready(()) => {}
                }
                // A chunk that ended, after which a batch ends.
                let Some(Coming::Made(chunk)) = self.coming.front_mut() else { break };
                let upto = chunk.bad.front().map_or(chunk.named.len(), |(row, _)| *row);
                let len = (upto - chunk.next).min(size - self.picks.rows());
                if len == 0 {
                    break;
                }
                let unit = match chunk.picked {
                    Some((batch, place)) if batch == self.batch => place,
                    _ => {
                        let place = self.picks.add(&chunk.unit);
                        chunk.picked = Some((self.batch, place));
                        place
                    }
                };
                self.picks.push(Run { unit, row: chunk.next as u32, len: len as u32 });
                chunk.next += len;
                self.place.clone_from(&chunk.named[chunk.next - 1].after);
                if chunk.next == chunk.named.len() && chunk.flush {
                    self.coming.pop_front();
                    break;
                }
            }
            let picks = self.picks.take();
            self.batch += 1;
            if picks.rows() == 0 {
                self.before = None;
                return Ok(Next::End);
            }
            if picks.rows() == size || !drop_last {
                self.before = None;
                return Ok(Next::Ready(picks.gather(&self.schema)?));
            }
            self.before = Some(self.place.clone());
        }
    }
}

/// Does the steps with some rows.
fn chunk(rows: Rows, ready: &[Ready], schema: SchemaRef, engine: &'static Engine) -> Result<Chunk> {
    let Rows { batch, named, flush, .. } = rows;
    let mut columns: Vec<ArrayRef> = batch.columns().to_vec();
    let mut bad: Vec<(usize, Error)> = Vec::new();
    for step in ready {
        let (i, _) = schema
            .column_with_name(step.column())
            .ok_or_else(|| Error::internal("a step over a column that is not there"))?;
        let made = step.run(&columns[i], named.iter().map(|one| one.name))?;
        columns[i] = made.column;
        bad.extend(made.bad.into_iter().map(|(row, error)| {
            let [.., raw] = named[row].name;
            let what = format!("column {:?}", step.column());
            (row, error.at(what).at(format_args!("{}, row {raw}", named[row].place)))
        }));
    }
    bad.sort_by_key(|(row, _)| *row);
    bad.dedup_by_key(|(row, _)| *row);
    let options = RecordBatchOptions::new().with_row_count(Some(named.len()));
    let batch =
        RecordBatch::try_new_with_options(schema, columns, &options).map_err(|e| Error::internal(e.to_string()))?;
    let charge = engine.budget.charge(batch.get_array_memory_size() as u64);
    let place = named.first().map_or_else(|| "".into(), |named| Arc::clone(&named.place));
    let unit = Arc::new(Unit::new(0, named.len() as u64, None, batch, place, charge));
    Ok(Chunk { unit, named, bad: bad.into(), flush, next: 0, picked: None })
}
