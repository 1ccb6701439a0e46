//! Images, decoded before their rows are asked for: on all threads, in order, under the budget.
//!
//! Rows are taken from the order in chunks. The images of a chunk are decoded by one job of the CPU pool; several
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
use crate::engine::{Engine, Submitted};
use crate::error::{Error, Kind, Result};
use crate::images::{Spec, decode};
use crate::plan::cursor::At;
use crate::types::viewed;

/// The bytes of a chunk, about, where nobody asked for a batch.
const CHUNK: usize = 4 << 20;

/// The most rows of a chunk, where nobody asked for a batch.
const ROWS: usize = 64;

/// The bytes that an image of unknown size is taken to have, before one was seen.
const UNKNOWN: usize = 1 << 20;

/// Where a stream is.
type Place = (u64, Vec<At>);

/// Rows of which the images are decoded.
struct Chunk {
    unit: Arc<Unit>,
    named: Vec<Named>,
    /// The rows that could not be decoded, in order.
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

/// The rows of a stream, their images decoded ahead.
pub(super) struct DecodedAhead {
    specs: Arc<Vec<Spec>>,
    schema: SchemaRef,
    engine: &'static Engine,
    lenient: bool,
    coming: VecDeque<Coming>,
    /// The bytes of what is under way, and whether there is more to take.
    under_way: usize,
    ended: bool,
    /// The bytes of a row's images, about.
    row_bytes: usize,
    /// The place after the last row given, and before a batch that is not whole.
    place: Place,
    before: Option<Place>,
    picks: Picks,
    batch: u64,
    seen: u64,
}

impl DecodedAhead {
    /// For the columns of a stream's rows; `None` where none has images.
    pub(super) fn new(specs: &[Spec], ordered: &Ordered, lenient: bool) -> Result<Option<Self>> {
        if specs.is_empty() {
            return Ok(None);
        }
        let mut fields: Vec<_> = ordered.schema().fields().iter().cloned().collect();
        for spec in specs {
            let Some(field) = fields.iter_mut().find(|field| *field.name() == spec.column) else {
                return Err(Error::new(Kind::Schema, format!("decode_images: there is no column {:?}", spec.column)));
            };
            *field = Arc::new(Field::new(field.name(), spec.data_type(), true));
        }
        Ok(Some(Self {
            specs: Arc::new(specs.to_vec()),
            schema: Arc::new(Schema::new(viewed(&fields.into()))),
            engine: Engine::current()?,
            lenient,
            coming: VecDeque::new(),
            under_way: 0,
            ended: false,
            row_bytes: specs.iter().map(|spec| spec.row_bytes().unwrap_or(UNKNOWN)).sum::<usize>().max(1),
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
        if let Some(new) = Self::new(&self.specs, ordered, self.lenient)? {
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
            None => (CHUNK / self.row_bytes).clamp(1, ROWS).min(most),
        };
        (rows, room)
    }

    /// Takes rows while there is room, and has their images decoded.
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

    /// Has the images of some rows decoded.
    fn begin(&mut self, rows: Rows, signal: Arc<Signal>) -> Result<()> {
        let (specs, schema, engine) = (Arc::clone(&self.specs), Arc::clone(&self.schema), self.engine);
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
            (chunk(rows, &specs, schema, engine), told).0
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
                            if self.specs.iter().any(|spec| spec.size.is_none()) {
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

/// Decodes the images of some rows.
fn chunk(rows: Rows, specs: &[Spec], schema: SchemaRef, engine: &'static Engine) -> Result<Chunk> {
    let Rows { batch, named, flush, .. } = rows;
    let mut columns: Vec<ArrayRef> = batch.columns().to_vec();
    let mut bad: Vec<(usize, Error)> = Vec::new();
    for spec in specs {
        let (i, _) = schema
            .column_with_name(&spec.column)
            .ok_or_else(|| Error::internal("a column of images that is not there"))?;
        let keys: Vec<[u64; 5]> = named
            .iter()
            .map(|Named { name: [epoch, pass, piece, row], .. }| [spec.seed, *epoch, *pass, *piece, *row])
            .collect();
        let decoded = decode(&columns[i], spec, &keys)?;
        columns[i] = decoded.column;
        bad.extend(decoded.bad.into_iter().map(|(row, error)| {
            let [.., raw] = named[row].name;
            let what = format!("column {:?}", spec.column);
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
