//! One lane of one consumer: the rows that it has next, and the readers that bring them.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::Poll;

use super::queue::{Pull, Unit};
use super::reader::Reader;
use super::shared::Shared;
use crate::error::{Error, Result};
use crate::plan::cursor::{At, Base, LaneWalk, Walked};
use crate::plan::order::Order;
use crate::plan::rows::{Block, Blocks};

/// A unit, and its place among the units of the batch that is being picked.
pub(crate) struct Pending {
    pub(crate) unit: Arc<Unit>,
    /// `(batch, place)`.
    pub(crate) place: (u64, u32),
}

/// Where the next row is.
pub(crate) enum Ready {
    /// Rows `row..row + len` of the held unit.
    Rows {
        held: usize,
        row: usize,
        len: usize,
    },
    /// So many rows of the piece are left out.
    Skip(u64),
    /// A row that could not be read.
    Bad(Error),
    Wait,
    End,
}

/// The row of a list that is left out.
const ABSENT: u32 = u32::MAX;

enum Rest {
    /// A run in file order: raw rows.
    Range(std::ops::Range<u64>),
    /// `(held unit, row of it)`, and how many are behind.
    List(Vec<(u32, u32)>, usize),
}

/// A lane, as one consumer sees it.
pub(crate) struct Lane {
    v: usize,
    walk: LaneWalk,
    /// Own rows of the lane that were delivered, and where the last of them was.
    pub(crate) total: u64,
    q: u64,
    k: u64,
    rest: Rest,
    pending: Option<Block>,
    /// The reader of a piece of the lane, and which.
    piece: Option<(u64, Reader)>,
    prefetched: VecDeque<(u64, Reader)>,
    /// The next piece that may be read ahead.
    next: u64,
    pub(crate) held: Vec<Pending>,
    /// Why rows of the list could not be read.
    bad: Vec<Error>,
    /// Whether nothing is read before the consumer comes to it, since nobody knows whether it wants more than one row.
    waits: bool,
}

impl Lane {
    pub(crate) fn new(v: usize, c: u64, of: u64, base: &Base, at: Option<&At>) -> Self {
        let (q, k, total) = at.map_or((0, 0, 0), |&(_, q, k, total)| (q, k, total));
        Self {
            v,
            walk: LaneWalk::new(v, c, of, base, at),
            total,
            q,
            k,
            rest: Rest::Range(0..0),
            pending: None,
            piece: None,
            prefetched: VecDeque::new(),
            next: q,
            held: Vec::new(),
            bad: Vec::new(),
            waits: true,
        }
    }

    /// Which lane it is.
    pub(crate) fn v(&self) -> usize {
        self.v
    }

    /// The number of the piece whose row is next.
    pub(crate) fn piece_number(&self, order: Option<&Order>) -> u64 {
        order.and_then(|order| order.lanes[self.v].get(self.q as usize)).map_or(0, |piece| u64::from(*piece))
    }

    /// The place in the cursor.
    pub(crate) fn at(&self) -> Option<At> {
        (self.total > 0).then_some((self.v, self.q, self.k, self.total))
    }

    /// `n` rows that `ready` showed were delivered, or are left out.
    pub(crate) fn delivered(&mut self, n: u64) {
        self.total += n;
        self.k += n;
        match &mut self.rest {
            Rest::Range(range) => range.start += n,
            Rest::List(_, behind) => *behind += n as usize,
        }
    }

    /// The row `n` after the next, if it is in the same window.
    pub(crate) fn upcoming(&self, n: usize) -> Option<(&Unit, usize)> {
        match &self.rest {
            Rest::List(rows, behind) => rows
                .get(behind + n)
                .filter(|(_, row)| *row != ABSENT)
                .map(|&(held, row)| (&*self.held[held as usize].unit, row as usize)),
            Rest::Range(_) => None,
        }
    }

    /// Where the next row is; a run of rows where file order has one.
    pub(crate) fn ready(&mut self, shared: &Shared, order: &Order) -> Result<Ready> {
        if self.waits && shared.given {
            self.waits = false;
            self.read_ahead(shared, order);
        }
        loop {
            if let Some(ready) = self.rows()? {
                return Ok(ready);
            }
            if self.pending.is_some() {
                let Some(rest) = self.locate()? else { return Ok(Ready::Wait) };
                (self.rest, self.pending) = (rest, None);
                self.read_ahead(shared, order);
                continue;
            }
            let Walked { q, k, block } = match self.walk.next(order) {
                Poll::Ready(Some(walked)) => walked,
                Poll::Ready(None) => {
                    (self.piece, self.held) = (None, Vec::new());
                    self.prefetched.clear();
                    return Ok(Ready::End);
                }
                // Whether there are more rows is only known by reading on.
                Poll::Pending => {
                    let Some((q, floor, seen)) = self.walk.current() else {
                        return Err(Error::internal("a lane waits for no piece"));
                    };
                    let seen = Arc::clone(seen);
                    self.enter_piece(shared, order, q, floor);
                    match self.pull()? {
                        Pull::Unit(unit) => seen.reached(unit.rows().end),
                        Pull::End(rows) => seen.ended(rows),
                        Pull::Wait => return Ok(Ready::Wait),
                    }
                    self.held.retain(|held| held.unit.rows().end > floor);
                    self.read_ahead(shared, order);
                    continue;
                }
            };
            let span = block.span();
            self.enter_piece(shared, order, q, span.start);
            (self.q, self.k) = (q, k);
            self.held.retain(|held| held.unit.rows().end > span.start);
            match block {
                Block::Range(range) => self.rest = Rest::Range(range),
                list @ Block::List(_) => self.pending = Some(list),
            }
            self.read_ahead(shared, order);
        }
    }

    /// Has the reader of the `q`-th piece of the lane, opened at a row or before it.
    fn enter_piece(&mut self, shared: &Shared, order: &Order, q: u64, row: u64) {
        if self.piece.as_ref().is_some_and(|(piece, _)| *piece == q) {
            return;
        }
        self.held.clear();
        self.piece = None;
        while self.prefetched.front().is_some_and(|(piece, _)| *piece < q) {
            self.prefetched.pop_front();
        }
        let reader = match self.prefetched.pop_front() {
            Some((piece, reader)) if piece == q => reader,
            _ => self.open(shared, order, q, row),
        };
        reader.to_front();
        self.piece = Some((q, reader));
        self.next = self.next.max(q + 1);
    }

    /// The rows that are left of the current block.
    fn rows(&mut self) -> Result<Option<Ready>> {
        match &self.rest {
            Rest::List(rows, behind) => Ok(match rows.get(*behind) {
                None => None,
                Some(&(bad, ABSENT)) if bad != ABSENT => Some(Ready::Bad(self.bad[bad as usize].clone())),
                Some(&(_, ABSENT)) => {
                    Some(Ready::Skip(rows[*behind..].iter().take_while(|row| **row == (ABSENT, ABSENT)).count() as u64))
                }
                Some(&(held, row)) => Some(Ready::Rows { held: held as usize, row: row as usize, len: 1 }),
            }),
            Rest::Range(range) if range.is_empty() => Ok(None),
            Rest::Range(range) => {
                let range = range.clone();
                loop {
                    if self.held.first().is_some_and(|held| held.unit.rows().end <= range.start) {
                        self.held.remove(0);
                    }
                    if let Some(Pending { unit, .. }) = self.held.first() {
                        let rows = unit.rows();
                        if !rows.contains(&range.start) {
                            return Err(missing(range.start));
                        }
                        let end = rows.end.min(range.end);
                        return Ok(Some(match unit.find(range.start) {
                            Ok(row) => {
                                Ready::Rows { held: 0, row, len: unit.run(row).min((end - range.start) as usize) }
                            }
                            Err(next) => {
                                let there = if next < unit.batch.num_rows() { unit.raw(next).min(end) } else { end };
                                match unit.bad(range.start, there) {
                                    Some((row, error)) if row == range.start => Ready::Bad(error.clone()),
                                    Some((row, _)) => Ready::Skip(row - range.start),
                                    None => Ready::Skip(there - range.start),
                                }
                            }
                        }));
                    }
                    match self.pull()? {
                        Pull::Unit(_) => {}
                        Pull::Wait => return Ok(Some(Ready::Wait)),
                        Pull::End(_) => return Err(missing(range.start)),
                    }
                }
            }
        }
    }

    /// Finds the rows of a block in the held units; `None` while some have not come.
    fn locate(&mut self) -> Result<Option<Rest>> {
        let Some(Block::List(rows)) = &self.pending else { return Err(Error::internal("no block to locate")) };
        let last = rows.iter().max().copied().unwrap_or(0);
        while self.held.last().is_none_or(|held| held.unit.rows().end <= last) {
            match self.pull()? {
                Pull::Unit(_) => {}
                Pull::Wait => return Ok(None),
                Pull::End(_) => return Err(missing(last)),
            }
        }
        let Some(Block::List(rows)) = &self.pending else { return Err(Error::internal("no block to locate")) };
        let mut bad = Vec::new();
        let place = |row: &u64| {
            let i = self
                .held
                .partition_point(|held| held.unit.start <= *row)
                .checked_sub(1)
                .ok_or_else(|| missing(*row))?;
            let unit = &self.held[i].unit;
            Ok(match unit.find(*row) {
                Ok(row) => (i as u32, row as u32),
                Err(_) => match unit.bad(*row, row + 1) {
                    Some((_, error)) => {
                        bad.push(error.clone());
                        (bad.len() as u32 - 1, ABSENT)
                    }
                    None => (ABSENT, ABSENT),
                },
            })
        };
        let found = rows.iter().map(place).collect::<Result<_>>()?;
        self.bad = bad;
        Ok(Some(Rest::List(found, 0)))
    }

    fn pull(&mut self) -> Result<Pull> {
        let (_, reader) = self.piece.as_ref().ok_or_else(|| Error::internal("no reader"))?;
        let pull = reader.pull()?;
        if let Pull::Unit(unit) = &pull {
            self.held.push(Pending { unit: Arc::clone(unit), place: (u64::MAX, 0) });
        }
        Ok(pull)
    }

    fn open(&self, shared: &Shared, order: &Order, q: u64, start: u64) -> Reader {
        if let Some(global) = &order.global {
            let own = self.walk.alone(order, q);
            return shared.start_whole(global, start..order.span(0).end, own);
        }
        let piece = order.lanes[self.v][q as usize];
        shared.start(piece, start..order.span(piece).end)
    }

    /// Opens the next pieces: one when the current is all decoded, more where there are fewer lanes than threads.
    fn read_ahead(&mut self, shared: &Shared, order: &Order) {
        if self.waits && shared.limits.far {
            return;
        }
        let most =
            shared.limits.prefetched.max(usize::from(self.piece.as_ref().is_some_and(|(_, reader)| reader.ended())));
        while self.prefetched.len() < most && (self.next as usize) < order.lanes[self.v].len() {
            let q = self.next;
            self.next += 1;
            let Some((mut own, _)) = self.walk.begin(order, q, 0) else { continue };
            let row = match own.next() {
                Poll::Ready(Some(block)) => block.span().start,
                Poll::Ready(None) => continue,
                Poll::Pending => own.floor(),
            };
            self.prefetched.push_back((q, self.open(shared, order, q, row)));
        }
    }
}

fn missing(row: u64) -> Error {
    Error::internal(format!("row {row} of a piece did not come"))
}
