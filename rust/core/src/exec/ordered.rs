//! The rows of a plan for one consumer, in their order, as the files have them.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;

use super::columns::{adapter, bases};
use super::gather::{Picks, Run};
use super::lane::{Lane, Ready};
use super::queue::{Signal, Unit};
use super::{Next, Waiter};
use crate::engine::{Engine, forks};
use crate::error::{Error, Kind, Result};
use crate::files::Files;
use crate::plan::cursor::{At, Base, Cursor, Part};
use crate::plan::order::Order;
use crate::plan::{Plan, Program};
use crate::schema::Filter;
use crate::source::Store;
use crate::source::remote::cache::Schedule;

use super::limits::{Asked, Limits};
use super::shared::Shared;

/// Rows `row..row + len` of a unit that a lane holds.
struct Turn {
    lane: usize,
    held: usize,
    row: usize,
    len: usize,
}

/// Which row it is, and where a stream is after it.
pub(crate) struct Named {
    /// Epoch, pass, piece, row of the piece.
    pub(crate) name: [u64; 4],
    /// The file and the piece, for errors.
    pub(crate) place: Arc<str>,
    pub(crate) after: (u64, Vec<At>),
}

/// Some rows in their order.
pub(crate) struct Rows {
    pub(crate) batch: RecordBatch,
    pub(crate) named: Vec<Named>,
    /// Whether a batch ends here.
    pub(crate) flush: bool,
    /// A record that could not be read comes next.
    pub(crate) then: Option<Error>,
}

/// The rows of a plan for consumer `c` of `of`, as the files have them.
pub(crate) struct Ordered {
    store: Arc<dyn Store>,
    forks: u64,
    shared: Shared,
    program: Arc<Program>,
    cursor: Cursor,
    c: u64,
    of: u64,
    pass: u64,
    order: Option<Arc<Order>>,
    lanes: Vec<Lane>,
    /// Whose turn it is: `(turn, lane, its place in lanes)`, sorted. A round-robin, so what was first goes last.
    turns: VecDeque<(u64, usize, usize)>,
    /// The lane that gave the last row.
    last: usize,
    /// Passes in a row that gave this consumer nothing, and whether this one gave something.
    idle: u64,
    given: bool,
    picks: Picks,
    /// Beside the rows that are picked for `next_rows`: which they are, and the places after them.
    named: Vec<Named>,
    /// The place before the rows that are picked and not delivered.
    before: Option<(u64, Vec<At>)>,
    seen: u64,
}

impl Drop for Ordered {
    /// In a forked child, readers and units are left as they are: a thread that is not there may have held their locks.
    fn drop(&mut self) {
        if self.forks != forks() {
            std::mem::forget((std::mem::take(&mut self.lanes), self.picks.take()));
        }
    }
}

impl Ordered {
    /// Opens the rows that follow a cursor, which must be of this plan.
    pub(crate) fn open(plan: &Arc<Plan>, store: Arc<dyn Store>, c: u64, of: u64, cursor: Cursor) -> Result<Self> {
        let engine = Engine::current()?;
        let program = Arc::new(Program::new(Arc::clone(plan)));
        let cursor = cursor.for_consumer(&program, c, of)?;
        let adapter = adapter(plan)?;
        let shared = Shared {
            engine,
            plan: Arc::clone(plan),
            files: Arc::new(Files::new(Arc::clone(&store), Arc::clone(&plan.scan), plan.filter.is_some())?),
            bases: Arc::new(bases(plan, &adapter)?),
            adapter: Arc::new(adapter),
            filter: plan.filter.clone().map(|expr| Filter::new(expr, &plan.scan.schema).map(Arc::new)).transpose()?,
            signal: Arc::default(),
            limits: Limits::default(),
            given: false,
            schedule: None,
            pace: Arc::default(),
        };
        let (pass, at) = cursor.parts.first().map_or((cursor.first, Vec::new()), |part| (part.pass, part.at.clone()));
        let mut stream = Self {
            store,
            forks: forks(),
            shared,
            program,
            cursor,
            c,
            of,
            pass,
            order: None,
            lanes: Vec::new(),
            turns: VecDeque::new(),
            last: 0,
            idle: 0,
            given: false,
            picks: Picks::default(),
            named: Vec::new(),
            before: None,
            seen: 0,
        };
        stream.begin(&at)?;
        Ok(stream)
    }

    /// Opens the rows that follow a cursor again, if the process was forked since: the threads that read for it are the
    /// parent's. Whether it was.
    pub(crate) fn after_fork(&mut self, cursor: Cursor) -> Result<bool> {
        if self.forks == forks() {
            return Ok(false);
        }
        *self = Self::open(&Arc::clone(&self.shared.plan), Arc::clone(&self.store), self.c, self.of, cursor)?;
        Ok(true)
    }

    /// The columns of every batch, strings and bytes as views.
    pub(crate) fn schema(&self) -> &SchemaRef {
        self.shared.adapter.schema()
    }

    /// Opens the lanes of the current pass, if there is one.
    fn begin(&mut self, at: &[At]) -> Result<()> {
        (self.order, self.lanes) = (None, Vec::new());
        self.turns.clear();
        if self.program.passes().is_some_and(|n| self.pass >= n) {
            return Ok(());
        }
        let order = self.program.order(self.cursor.epoch, self.pass)?;
        let nothing = Base::new();
        let base = self.cursor.bases.get(&self.pass).unwrap_or(&nothing);
        if at.iter().any(|a| a.0 >= order.lanes.len() || a.1 as usize >= order.lanes[a.0].len()) {
            return Err(Error::new(
                Kind::Checkpoint,
                "the state names a lane or a shard that this data set does not have",
            ));
        }
        for v in order.owned(self.c, self.of) {
            let lane = Lane::new(v, self.c, self.of, base, at.iter().find(|a| a.0 == v));
            self.turns.push_back((order.skipped[v] + lane.total, v, self.lanes.len()));
            self.lanes.push(lane);
        }
        self.turns.make_contiguous().sort_unstable();
        let scan = &self.shared.plan.scan;
        let far = scan.files.first().is_some_and(|file| file.path.contains("://"));
        self.shared.schedule = if far && self.store.keeps() { Some(Arc::new(self.schedule(&order)?)) } else { None };
        self.shared.limits = Limits::new(&Asked {
            rows: self.shared.engine.budget.for_rows(),
            prefetch_bytes: self.shared.engine.budget.for_wire(),
            threads: self.shared.engine.threads,
            lanes: self.lanes.len(),
            pieces: scan.pieces.len(),
            columns: self.schema().fields().len(),
            floor: scan.floor,
            piece: scan.pieces.iter().map(|piece| piece.3).sum::<u64>() / (scan.pieces.len() as u64).max(1),
            far,
        });
        self.order = Some(order);
        Ok(())
    }

    /// When this consumer reads its pieces, in this pass and the next.
    fn schedule(&self, order: &Arc<Order>) -> Result<Schedule> {
        let pieces = &self.shared.plan.scan.pieces;
        let times = |order: &Order| -> HashMap<u32, u64> {
            let mut times = HashMap::new();
            for v in order.owned(self.c, self.of) {
                let mut at = order.skipped[v];
                for &piece in &order.lanes[v] {
                    times.entry(piece).or_insert(at);
                    let (_, _, rows, bytes) = pieces[piece as usize];
                    at += rows.unwrap_or(bytes).max(1);
                }
            }
            times
        };
        let next = match self.program.passes() {
            Some(n) if self.pass + 1 >= n => self.program.order(self.cursor.epoch + 1, 0)?,
            _ => self.program.order(self.cursor.epoch, self.pass + 1)?,
        };
        let (now, next) = (times(order), times(&next));
        let mut all: HashMap<u32, (u64, u64)> = next.iter().map(|(piece, at)| (*piece, (0, *at))).collect();
        for (piece, at) in now {
            all.entry(piece).or_insert((0, u64::MAX)).0 = at + 1;
        }
        Ok(Schedule::new(all))
    }

    /// The lane whose turn it is and where its next rows are. `Ready(None)` at the end of a pass.
    fn turn(&mut self) -> Result<Next<Option<Turn>>> {
        while let Some(&(_, _, i)) = self.turns.front() {
            let Some(order) = &self.order else { return Ok(Next::End) };
            match self.lanes[i].ready(&self.shared, order)? {
                Ready::Rows { held, row, len } => return Ok(Next::Ready(Some(Turn { lane: i, held, row, len }))),
                // What is left out has turns like all else.
                Ready::Skip(n) => self.advance(i, n),
                Ready::Bad(error) => {
                    self.advance(i, 1);
                    return Ok(Next::Bad(error));
                }
                Ready::Wait => return Ok(Next::Wait),
                Ready::End => drop(self.turns.pop_front()),
            }
        }
        Ok(if self.order.is_some() { Next::Ready(None) } else { Next::End })
    }

    /// Goes to the next pass. False at the end of the last.
    fn next_pass(&mut self) -> Result<bool> {
        // What others had of a pass before this run began says nothing about the passes to come.
        let begun = self.cursor.bases.contains_key(&self.pass);
        self.idle = if self.given || begun { 0 } else { self.idle + 1 };
        self.given = false;
        self.pass += 1;
        // A consumer that gets nothing of any pass would go round for ever.
        let round: u64 = self.shared.plan.cycle.iter().map(|s| s.times).sum();
        let fixed: u64 = self.shared.plan.segments.iter().map(|s| s.times).sum();
        if round > 0 && self.pass > fixed && self.idle > round {
            (self.order, self.lanes) = (None, Vec::new());
            return Ok(false);
        }
        self.begin(&[])?;
        Ok(self.order.is_some())
    }

    /// A lane gave `n` rows of its pieces, or passed over them.
    fn advance(&mut self, i: usize, n: u64) {
        self.lanes[i].delivered(n);
        self.shared.given = true;
        self.last = i;
        if let Some((turn, v, i)) = self.turns.pop_front() {
            let next = (turn + n, v, i);
            match self.turns.back() {
                // A lane that was behind, and still is.
                Some(back) if *back > next => {
                    let at = self.turns.partition_point(|other| *other < next);
                    self.turns.insert(at, next);
                }
                _ => self.turns.push_back(next),
            }
        }
    }

    /// The row that the lane which gave the last one will give `n` turns from now, where it is known: so that the
    /// edge can have its memory fetched in time.
    pub(crate) fn upcoming(&self, n: usize) -> Option<(&Unit, usize)> {
        self.lanes.get(self.last)?.upcoming(n)
    }

    /// The next row: a unit, and the row's place in it. It counts as delivered.
    pub(crate) fn next_row(&mut self) -> Result<Next<(&Unit, usize)>> {
        self.seen = self.shared.signal.now();
        loop {
            match self.turn()? {
                Next::Wait => return Ok(Next::Wait),
                Next::Bad(error) => return Ok(Next::Bad(error)),
                Next::End => return Ok(Next::End),
                Next::Ready(None) => {
                    if !self.next_pass()? {
                        return Ok(Next::End);
                    }
                }
                Next::Ready(Some(Turn { lane: i, held, row, .. })) => {
                    self.given = true;
                    self.advance(i, 1);
                    return Ok(Next::Ready((&self.lanes[i].held[held].unit, row)));
                }
            }
        }
    }

    /// The next `size` rows as one batch, or fewer at the end, or at the end of a pass after which a batch ends; a
    /// shorter batch is left out if `drop_last`. The rows count as delivered when the batch is given.
    pub(crate) fn next_batch(&mut self, size: usize, drop_last: bool) -> Result<Next<RecordBatch>> {
        let size = size.max(1);
        self.seen = self.shared.signal.now();
        if self.before.is_none() {
            self.before = Some((self.pass, self.positions()));
        }
        loop {
            while self.picks.rows() < size {
                match self.turn()? {
                    Next::Wait => return Ok(Next::Wait),
                    Next::Bad(error) => return Ok(Next::Bad(error)),
                    Next::Ready(Some(Turn { lane: i, held, row, len })) => {
                        let alone = self.turns.len() == 1;
                        let len = if alone { len.min(size - self.picks.rows()) } else { 1 };
                        let place = self.lanes[i].held[held].pick(&mut self.picks);
                        self.picks.push(Run { unit: place, row: row as u32, len: len as u32 });
                        self.given = true;
                        self.advance(i, len as u64);
                    }
                    Next::End => break,
                    Next::Ready(None) => {
                        let flush = self.program.flushes(self.pass)?;
                        if !self.next_pass()? || (flush && self.picks.rows() > 0) {
                            break;
                        }
                    }
                }
            }
            let picks = self.picks.take();
            if picks.rows == 0 {
                self.before = None;
                return Ok(Next::End);
            }
            if picks.rows == size || !drop_last {
                self.before = None;
                return Ok(Next::Ready(picks.gather(self.schema())?));
            }
            self.before = Some((self.pass, self.positions()));
        }
    }

    /// The next rows, at most `size`, each with its name and the place after it; fewer at the end, at the end of a
    /// pass after which a batch ends, and where waiting is needed for more and `eager` says that some are better now.
    pub(crate) fn next_rows(&mut self, size: usize, eager: bool) -> Result<Next<Rows>> {
        self.seen = self.shared.signal.now();
        let mut flush = false;
        while self.named.len() < size {
            match self.turn()? {
                Next::Wait if eager && !self.named.is_empty() => break,
                Next::Wait => return Ok(Next::Wait),
                // What was picked comes before it, so it is given first.
                Next::Bad(error) if self.named.is_empty() => return Ok(Next::Bad(error)),
                Next::Bad(error) => {
                    let rows = self.take_rows(false)?;
                    return Ok(Next::Ready(Rows { then: Some(error), ..rows }));
                }
                Next::End => break,
                Next::Ready(None) => {
                    flush = self.program.flushes(self.pass)? && !self.named.is_empty();
                    if !self.next_pass()? || flush {
                        break;
                    }
                }
                Next::Ready(Some(Turn { lane: i, held, row, .. })) => {
                    let lane = &mut self.lanes[i];
                    let unit = Arc::clone(&lane.held[held].unit);
                    let raw = unit.raw(row);
                    let place = lane.held[held].pick(&mut self.picks);
                    let piece = lane.piece_number(self.order.as_deref());
                    self.picks.push(Run { unit: place, row: row as u32, len: 1 });
                    self.given = true;
                    self.advance(i, 1);
                    self.named.push(Named {
                        name: [self.cursor.epoch, self.pass + self.program.first(), piece, raw],
                        place: Arc::clone(&unit.place),
                        after: (self.pass, self.positions()),
                    });
                }
            }
        }
        if self.named.is_empty() { Ok(Next::End) } else { Ok(Next::Ready(self.take_rows(flush)?)) }
    }

    /// The rows that were picked.
    fn take_rows(&mut self, flush: bool) -> Result<Rows> {
        let batch = self.picks.take().gather(self.schema())?;
        Ok(Rows { batch, named: std::mem::take(&mut self.named), flush, then: None })
    }

    /// A place as a cursor.
    pub(crate) fn cursor_at(&self, (pass, at): (u64, Vec<At>)) -> Cursor {
        self.cursor.with_part(Part { c: self.c, of: self.of, pass, at })
    }

    /// Where it is.
    pub(crate) fn place(&self) -> (u64, Vec<At>) {
        (self.pass, self.positions())
    }

    /// What wakes its consumer.
    pub(crate) fn signal(&self) -> &Arc<Signal> {
        &self.shared.signal
    }

    /// The turn after the last row given.
    pub(crate) fn turned(&self) -> (u64, usize) {
        let lane = &self.lanes[self.last];
        let skipped = self.order.as_ref().map_or(0, |order| order.skipped[lane.v()]);
        (skipped + lane.total - 1, lane.v() + 1)
    }

    /// What to wait for after `Next::Wait`.
    pub(crate) fn waiter(&self) -> Waiter {
        Waiter { signal: Arc::clone(&self.shared.signal), seen: self.seen }
    }

    fn positions(&self) -> Vec<At> {
        self.lanes.iter().filter_map(Lane::at).collect()
    }

    /// The position after the last row delivered.
    pub(crate) fn cursor(&self) -> Cursor {
        self.cursor_at(self.before.clone().unwrap_or_else(|| self.place()))
    }
}
