//! The reader of an order in which every row may land anywhere: it goes through the pieces, keeps the rows of the
//! positions that come next, as many as memory has room for, and gathers them in their order. Where all rows fit, each
//! piece is read once.

use std::sync::Arc;

use arrow_array::{Array, RecordBatch, RecordBatchOptions, UInt32Array};
use arrow_select::interleave::interleave;
use arrow_select::take::take_record_batch;

use super::decode::{Made, decoded};
use super::queue::{Piece, Queue, Unit, permit};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::files::Files;
use crate::plan::global::Global;
use crate::plan::rows::Share;
use crate::schema::Adapter;

/// Rows of a unit.
const UNIT_ROWS: u64 = 32 << 10;

/// What is to be read.
pub(crate) struct Whole {
    pub(crate) global: Arc<Global>,
    /// The pieces of the listing, by their numbers.
    pub(crate) pieces: Arc<dyn Fn(u32) -> Piece + Send + Sync>,
    /// The positions that are wanted, and whose they are.
    pub(crate) positions: std::ops::Range<u64>,
    pub(crate) own: Option<(Share, u64)>,
    /// The bytes that a row has, about.
    pub(crate) row: u64,
}

/// Batches of rows of the listing: `(the first of them in file order of the runs, rows of the run that each has)`.
struct Kept {
    batch: RecordBatch,
    /// The numbers of its rows, counted over all runs, where some are left out.
    rows: Option<Vec<u64>>,
    first: u64,
}

/// Rows of a piece that are wanted: all, or some of them by their numbers, sorted.
type Wanted = Option<Vec<u64>>;

/// Reads the wanted rows of one run.
async fn run(
    engine: &'static Engine,
    files: Arc<Files>,
    adapter: Arc<Adapter>,
    piece: Piece,
    run: crate::plan::global::Run,
    wanted: Wanted,
) -> Result<Vec<Kept>> {
    let mut kept = Vec::new();
    if wanted.as_ref().is_some_and(Vec::is_empty) {
        return Ok(kept);
    }
    let mut reading = decoded(engine, &files, &adapter, piece, false).await?;
    let mut at = reading.start();
    loop {
        let Made::Rows(part, all) = reading.next(engine, &files, at).await? else { return Ok(kept) };
        let first = at;
        at += part.rows;
        if !all {
            return Err(Error::internal("a filter in a shuffle of all rows"));
        }
        // The rows of the run among these, numbered over all runs.
        let number = |raw: u64| run.before + (raw - run.start) / run.step;
        let (from, upto) = (first.max(run.start), at.min(run.start + run.rows * run.step));
        if from >= upto {
            continue;
        }
        let raw: Vec<u64> = match &wanted {
            None if run.step == 1 => {
                let batch = part.batch.slice((from - first) as usize, (upto - from) as usize);
                kept.push(Kept { batch, rows: None, first: number(from) });
                continue;
            }
            None => (from..upto).filter(|raw| (raw - run.start).is_multiple_of(run.step)).collect(),
            Some(wanted) => {
                let low = wanted.partition_point(|row| run.start + (row - run.before) * run.step < from);
                let high = wanted.partition_point(|row| run.start + (row - run.before) * run.step < upto);
                wanted[low..high].iter().map(|row| run.start + (row - run.before) * run.step).collect()
            }
        };
        if !raw.is_empty() {
            let indices: UInt32Array = raw.iter().map(|raw| Some((raw - first) as u32)).collect();
            let batch = take_record_batch(&part.batch, &indices).map_err(|e| Error::internal(e.to_string()))?;
            kept.push(Kept { batch, first: number(raw[0]), rows: Some(raw.into_iter().map(number).collect()) });
        }
    }
}

/// Finds which batch has a row: a table says which comes first of those that may.
struct Finder {
    firsts: Vec<u64>,
    table: Vec<u32>,
    shift: u32,
}

impl Finder {
    fn new(kept: &[Kept]) -> Self {
        let firsts: Vec<u64> = kept.iter().map(|kept| kept.first).collect();
        let last = firsts.last().copied().unwrap_or(0);
        let shift = (u64::BITS - last.leading_zeros()).saturating_sub((4 * firsts.len().max(1)).ilog2());
        let table = (0..=last >> shift)
            .map(|cell| (firsts.partition_point(|first| *first <= cell << shift) as u32).saturating_sub(1))
            .collect();
        Self { firsts, table, shift }
    }

    /// The last batch that begins with this row or before it.
    #[inline]
    fn find(&self, number: u64) -> usize {
        let cell = ((number >> self.shift) as usize).min(self.table.len() - 1);
        let mut i = self.table[cell] as usize;
        while self.firsts.get(i + 1).is_some_and(|first| *first <= number) {
            i += 1;
        }
        i
    }
}

/// Gathers rows by their numbers, each from where it is kept.
fn gather(kept: &[Kept], finder: &Finder, adapter: &Adapter, numbers: &[u64]) -> Result<RecordBatch> {
    if kept.is_empty() && !numbers.is_empty() {
        return Err(Error::internal("rows that were not kept"));
    }
    let mut indices = Vec::with_capacity(numbers.len());
    for number in numbers {
        let i = finder.find(*number);
        let row = match &kept[i].rows {
            None => number.wrapping_sub(kept[i].first) as usize,
            Some(rows) => rows.binary_search(number).map_err(|_| Error::internal("a row that was not kept"))?,
        };
        indices.push((i, row));
    }
    let schema = adapter.schema();
    let column = |c: usize| {
        let arrays: Vec<&dyn Array> = kept.iter().map(|kept| &**kept.batch.column(c)).collect();
        interleave(&arrays, &indices).map_err(|e| Error::data(e.to_string()))
    };
    let columns = (0..schema.fields().len()).map(column).collect::<Result<Vec<_>>>()?;
    RecordBatch::try_new_with_options(
        Arc::clone(schema),
        columns,
        &RecordBatchOptions::new().with_row_count(Some(numbers.len())),
    )
    .map_err(|e| Error::internal(e.to_string()))
}

/// Fills the queue with the rows at the wanted positions, one after another.
pub(super) async fn read(
    engine: &'static Engine,
    files: &Arc<Files>,
    adapter: Arc<Adapter>,
    whole: Whole,
    ready_units: usize,
    queue: &Queue,
) -> Result<u64> {
    let room = (engine.budget.for_rows() / whole.row.max(1)).max(UNIT_ROWS);
    let mut at = whole.positions.start;
    let mine = |position: u64| whole.own.is_none_or(|(share, c)| share.owner(position) == c);
    while at < whole.positions.end {
        // As many positions as memory has room for.
        let share = whole.own.map_or(1, |(share, _)| share.consumers());
        let end = whole.positions.end.min(at.saturating_add(room.saturating_mul(share)));
        let all = at == 0 && end == whole.global.rows() && whole.own.is_none();
        let mut wanted: Vec<u64> =
            if all { Vec::new() } else { (at..end).filter(|p| mine(*p)).map(|p| whole.global.at(p)).collect() };
        wanted.sort_unstable();
        let mut kept: Vec<Kept> = Vec::new();
        for runs in whole.global.runs.chunks(engine.threads.max(1)) {
            let work = runs.iter().map(|one| {
                let low = wanted.partition_point(|row| *row < one.before);
                let high = wanted.partition_point(|row| *row < one.before + one.rows);
                let some = (!all).then(|| wanted[low..high].to_vec());
                run(engine, Arc::clone(files), Arc::clone(&adapter), (whole.pieces)(one.piece), *one, some)
            });
            for some in crate::engine::at_once(engine, work.collect::<Vec<_>>().into_iter()).await? {
                kept.extend(some);
            }
            if queue.is_cancelled() {
                return Ok(at);
            }
        }
        let charge =
            Arc::new(engine.budget.charge(kept.iter().map(|kept| kept.batch.get_array_memory_size() as u64).sum()));
        let kept = Arc::new((Finder::new(&kept), kept));
        let mut units = std::collections::VecDeque::new();
        let mut next = at;
        while next < end || !units.is_empty() {
            // Gathered on as many threads as there are.
            while units.len() < engine.threads && next < end {
                let (from, upto) = (next, end.min(next + UNIT_ROWS * share));
                next = upto;
                let (kept, adapter, global, own) =
                    (Arc::clone(&kept), Arc::clone(&adapter), Arc::clone(&whole.global), whole.own);
                let work = engine.begin(move || {
                    let positions: Vec<u64> =
                        (from..upto).filter(|p| own.is_none_or(|(share, c)| share.owner(*p) == c)).collect();
                    let numbers: Vec<u64> = positions.iter().map(|p| global.at(*p)).collect();
                    let list = own.is_some().then(|| positions.iter().map(|p| (p - from) as u32).collect());
                    gather(&kept.1, &kept.0, &adapter, &numbers).map(|batch| (batch, list))
                })?;
                units.push_back((from, upto, work));
            }
            let Some((from, upto, work)) = units.pop_front() else { break };
            let (batch, list): (RecordBatch, Option<Vec<u32>>) =
                work.await.map_err(|_| Error::internal("the CPU pool lost a job"))??;
            if !permit(engine, queue, 0, ready_units).await {
                return Ok(from);
            }
            let bytes = engine.budget.charge(batch.get_array_memory_size() as u64);
            queue.push(Unit::new(from, upto - from, list, batch, Arc::from("a shuffle of all rows"), bytes));
        }
        drop(charge);
        at = end;
    }
    Ok(at)
}
