//! The rows of one piece, as blocks: each block covers a run of raw rows that no other block touches, and later
//! blocks lie further on in the piece. So a reader that goes forward once serves any order.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Poll, ready};

use crate::rng::{Rng, golden};

/// The tag of a window's key, beside `PIECES`.
const WINDOW: u64 = 2;

/// Rows of a run that are looked at together where some of them are left out: what is held is the rows between the
/// first and the last of a block.
const RUN: u64 = 1024;

/// Raw row numbers of a piece, in the order of delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Block {
    /// A run in file order.
    Range(Range<u64>),
    /// Any order.
    List(Vec<u64>),
}

impl Block {
    /// How many rows.
    pub fn len(&self) -> u64 {
        match self {
            Self::Range(range) => range.end - range.start,
            Self::List(rows) => rows.len() as u64,
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The raw rows from the first to after the last, in file order.
    pub fn span(&self) -> Range<u64> {
        match self {
            Self::Range(range) => range.clone(),
            Self::List(rows) => match (rows.iter().min(), rows.iter().max()) {
                (Some(first), Some(last)) => *first..last + 1,
                _ => 0..0,
            },
        }
    }

    fn sorted(self) -> Self {
        match self {
            Self::List(mut rows) => {
                rows.sort_unstable();
                Self::List(rows)
            }
            range @ Self::Range(_) => range,
        }
    }

    /// Without its first `n` rows.
    #[must_use]
    pub fn after(self, n: u64) -> Self {
        match self {
            Self::Range(range) => Self::Range((range.start + n).min(range.end)..range.end),
            Self::List(mut rows) => {
                rows.drain(..rows.len().min(n as usize));
                Self::List(rows)
            }
        }
    }

    fn head(self, n: u64) -> Self {
        match self {
            Self::Range(range) => Self::Range(range.start..range.end.min(range.start + n)),
            Self::List(mut rows) => {
                rows.truncate(n as usize);
                Self::List(rows)
            }
        }
    }

    /// The first rows of a long run, and the rest.
    fn split(self) -> (Self, Self) {
        match self {
            Self::Range(range) if range.end - range.start > RUN => {
                (Self::Range(range.start..range.start + RUN), Self::Range(range.start + RUN..range.end))
            }
            other => (other, Self::Range(0..0)),
        }
    }

    fn keep(self, mut wanted: impl FnMut() -> bool) -> Self {
        let rows: Vec<u64> = match self {
            Self::Range(range) => range.filter(|_| wanted()).collect(),
            Self::List(rows) => rows.into_iter().filter(|_| wanted()).collect(),
        };
        Self::List(rows)
    }
}

/// How many rows of a piece are known to be there. Files of lines do not say how many they have; whoever reads does.
#[derive(Debug, Default)]
pub struct Seen(AtomicU64);

/// Set where the rows that are known are all.
const ALL: u64 = 1 << 63;

impl Seen {
    /// A piece of `rows`, if that is known; else of at least `least`.
    pub fn new(rows: Option<u64>, least: u64) -> Arc<Self> {
        Arc::new(Self(AtomicU64::new(rows.map_or(least, |rows| rows | ALL))))
    }

    /// The first `rows` rows are there.
    pub fn reached(&self, rows: u64) {
        self.0.fetch_max(rows, Ordering::Relaxed);
    }

    /// There are `rows` rows, and no more.
    pub fn ended(&self, rows: u64) {
        self.0.fetch_max(rows | ALL, Ordering::Relaxed);
    }

    /// The rows that are there, and whether they are all.
    fn now(&self) -> (u64, bool) {
        let now = self.0.load(Ordering::Relaxed);
        (now & !ALL, now & ALL != 0)
    }
}

/// The rows of a piece, block by block.
pub trait Blocks: Send {
    /// The next block, never empty; `None` at the end. Pending where it is not known whether there are more rows.
    fn next(&mut self) -> Poll<Option<Block>>;

    /// Passes over up to `n` rows that need not be looked at; says how many it did.
    fn skip(&mut self, _n: u64) -> u64 {
        0
    }

    /// How many rows are left at least, where that is known without looking.
    fn left(&self) -> Option<u64> {
        None
    }

    /// A raw row such that no earlier one comes.
    fn floor(&self) -> u64;
}

/// All rows of a piece in file order.
pub(crate) struct Raw {
    at: u64,
    seen: Arc<Seen>,
}

impl Raw {
    pub(crate) fn new(seen: Arc<Seen>) -> Self {
        Self { at: 0, seen }
    }
}

impl Blocks for Raw {
    fn next(&mut self) -> Poll<Option<Block>> {
        let (rows, all) = self.seen.now();
        let range = self.at..rows;
        if range.is_empty() {
            return if all { Poll::Ready(None) } else { Poll::Pending };
        }
        self.at = rows;
        Poll::Ready(Some(Block::Range(range)))
    }

    fn skip(&mut self, n: u64) -> u64 {
        let n = n.min(self.seen.now().0.saturating_sub(self.at));
        self.at += n;
        n
    }

    fn left(&self) -> Option<u64> {
        Some(self.seen.now().0.saturating_sub(self.at))
    }

    fn floor(&self) -> u64 {
        self.at
    }
}

/// Blocks of which a long run comes in parts.
pub(crate) struct Short {
    from: Box<dyn Blocks>,
    rest: Block,
}

impl Short {
    fn new(from: Box<dyn Blocks>) -> Self {
        Self { from, rest: Block::Range(0..0) }
    }

    fn next(&mut self) -> Poll<Option<Block>> {
        let rest = std::mem::replace(&mut self.rest, Block::Range(0..0));
        let block = if rest.is_empty() { ready!(self.from.next()) } else { Some(rest) };
        let Some(block) = block else { return Poll::Ready(None) };
        let (block, rest) = block.split();
        self.rest = rest;
        Poll::Ready(Some(block))
    }

    fn floor(&self) -> u64 {
        if self.rest.is_empty() { self.from.floor() } else { self.rest.span().start }
    }
}

/// Every `of`-th row, where there are fewer pieces than shards.
pub(crate) struct Every {
    from: Short,
    of: u64,
    k: u64,
}

impl Every {
    pub(crate) fn new(from: Box<dyn Blocks>, first: u64, of: u64) -> Self {
        Self { from: Short::new(from), of, k: (of - first) % of }
    }

    /// How many of `rows` rows it keeps.
    pub(crate) fn count(rows: u64, first: u64, of: u64) -> u64 {
        (rows + of - 1).saturating_sub(first) / of
    }
}

impl Blocks for Every {
    fn next(&mut self) -> Poll<Option<Block>> {
        filtered(&mut self.from, &mut self.k, |k| k % self.of == 0)
    }

    fn floor(&self) -> u64 {
        self.from.floor()
    }
}

/// Blocks of `from` of which only rows at wanted positions are kept.
fn filtered(from: &mut Short, k: &mut u64, wanted: impl Fn(u64) -> bool) -> Poll<Option<Block>> {
    while let Some(block) = ready!(from.next()) {
        let block = block.keep(|| {
            *k += 1;
            wanted(*k - 1)
        });
        if !block.is_empty() {
            return Poll::Ready(Some(block));
        }
    }
    Poll::Ready(None)
}

/// The golden-ratio share of rows that a shard of more than a listing has.
pub(crate) struct Deal {
    from: Short,
    index: u64,
    of: u64,
    k: u64,
}

impl Deal {
    pub(crate) fn new(from: Box<dyn Blocks>, index: u64, of: u64, first: u64) -> Self {
        Self { from: Short::new(from), index, of, k: first }
    }
}

impl Blocks for Deal {
    fn next(&mut self) -> Poll<Option<Block>> {
        filtered(&mut self.from, &mut self.k, |k| golden(k, self.of) == self.index)
    }

    fn floor(&self) -> u64 {
        self.from.floor()
    }
}

/// The rows of a piece that one of the consumers that share it has.
pub(crate) struct Shared {
    from: Short,
    share: Share,
    consumer: u64,
    k: u64,
}

impl Shared {
    pub(crate) fn new(from: Box<dyn Blocks>, share: Share, consumer: u64) -> Self {
        Self { from: Short::new(from), share, consumer, k: 0 }
    }
}

impl Blocks for Shared {
    fn next(&mut self) -> Poll<Option<Block>> {
        filtered(&mut self.from, &mut self.k, |k| self.share.owner(k) == self.consumer)
    }

    fn floor(&self) -> u64 {
        self.from.floor()
    }
}

/// Rows permuted in windows of `size`, each by its own key.
pub(crate) struct Windows {
    from: Box<dyn Blocks>,
    /// The rows of the window that is being filled.
    rows: Vec<u64>,
    pending: Block,
    size: u64,
    key: [u64; 3],
    piece: u32,
    window: u64,
}

impl Windows {
    pub(crate) fn new(from: Box<dyn Blocks>, size: u64, key: [u64; 3], piece: u32) -> Self {
        Self { from, rows: Vec::new(), pending: Block::Range(0..0), size, key, piece, window: 0 }
    }
}

impl Blocks for Windows {
    fn next(&mut self) -> Poll<Option<Block>> {
        while (self.rows.len() as u64) < self.size {
            if self.pending.is_empty() {
                match ready!(self.from.next()) {
                    Some(block) => self.pending = block.sorted(),
                    None => break,
                }
            }
            let wanted = self.size - self.rows.len() as u64;
            let pending = std::mem::replace(&mut self.pending, Block::Range(0..0));
            match &pending {
                Block::Range(range) => self.rows.extend(range.clone().take(wanted as usize)),
                Block::List(list) => self.rows.extend(list.iter().take(wanted as usize)),
            }
            self.pending = pending.after(wanted);
        }
        let mut rows = std::mem::take(&mut self.rows);
        let [seed, epoch, pass] = self.key;
        Rng::keyed(&[seed, epoch, pass, WINDOW, u64::from(self.piece), self.window]).shuffle(&mut rows);
        self.window += 1;
        Poll::Ready((!rows.is_empty()).then_some(Block::List(rows)))
    }

    fn floor(&self) -> u64 {
        match (self.rows.first(), self.pending.is_empty()) {
            (Some(first), _) => *first,
            (None, false) => self.pending.span().start,
            (None, true) => self.from.floor(),
        }
    }

    fn skip(&mut self, n: u64) -> u64 {
        let left = if self.pending.is_empty() && self.rows.is_empty() { self.from.left() } else { None };
        let windows = left.map_or(0, |left| n.min(left) / self.size);
        self.window += windows;
        self.from.skip(windows * self.size)
    }
}

/// The rows at some positions of a piece, which a cut keeps.
pub(crate) struct Slice {
    from: Box<dyn Blocks>,
    at: u64,
    keep: Range<u64>,
}

impl Slice {
    pub(crate) fn new(from: Box<dyn Blocks>, keep: Range<u64>) -> Self {
        Self { from, at: 0, keep }
    }

    /// The positions, of a piece whose first row has turn `(k, v)`, that lie in `lo..hi`.
    pub(crate) fn positions(k: u64, v: usize, lo: (u64, usize), hi: (u64, usize)) -> Range<u64> {
        let before = |turn: (u64, usize)| (turn.0 + u64::from(v < turn.1)).saturating_sub(k);
        before(lo)..before(hi)
    }
}

impl Blocks for Slice {
    fn next(&mut self) -> Poll<Option<Block>> {
        while self.at < self.keep.end {
            if self.at < self.keep.start {
                self.at += self.from.skip(self.keep.start - self.at);
            }
            let Some(block) = ready!(self.from.next()) else { break };
            let (from, upto) = (self.at, self.at + block.len());
            self.at = upto;
            let block = block.head(self.keep.end - from).after(self.keep.start.saturating_sub(from));
            if !block.is_empty() {
                return Poll::Ready(Some(block));
            }
        }
        Poll::Ready(None)
    }

    fn floor(&self) -> u64 {
        self.from.floor()
    }
}

/// What earlier consumers had delivered of a piece: their shares, and how many of its rows each had.
pub(crate) struct Delivered {
    pub share: Share,
    /// `(consumer, rows of this piece)`; `u64::MAX` where it is past the piece.
    pub had: Vec<(u64, u64)>,
}

/// The rows of a piece that are left for one consumer.
pub(crate) struct Own {
    from: Short,
    layers: Vec<(Delivered, Vec<u64>, u64)>,
    share: Share,
    consumer: u64,
    k: u64,
    skip: u64,
}

impl Own {
    /// `skip`: how many own rows of the piece were delivered already.
    pub(crate) fn new(
        from: Box<dyn Blocks>,
        delivered: Vec<Delivered>,
        share: Share,
        consumer: u64,
        skip: u64,
    ) -> Self {
        let layers = delivered
            .into_iter()
            .map(|layer| (vec![0; layer.had.len()], layer))
            .map(|(seen, layer)| (layer, seen, 0))
            .collect();
        Self { from: Short::new(from), layers, share, consumer, k: 0, skip }
    }
}

impl Blocks for Own {
    fn next(&mut self) -> Poll<Option<Block>> {
        let whole = self.layers.is_empty() && self.share == Share::Whole(self.consumer);
        if whole {
            while self.skip > 0 {
                let n = self.from.from.skip(self.skip);
                if n == 0 {
                    break;
                }
                self.skip -= n;
            }
        }
        loop {
            // A run that is all this consumer's stays one.
            let block = if whole { ready!(self.from.from.next()) } else { ready!(self.from.next()) };
            let Some(mut block) = block else { return Poll::Ready(None) };
            for (layer, seen, k) in &mut self.layers {
                block = block.keep(|| {
                    let owner = layer.share.owner(*k);
                    *k += 1;
                    match layer.had.iter().position(|(c, _)| *c == owner) {
                        None => true,
                        Some(i) => {
                            seen[i] += 1;
                            seen[i] > layer.had[i].1
                        }
                    }
                });
            }
            if self.share != Share::Whole(self.consumer) {
                block = block.keep(|| {
                    self.k += 1;
                    self.share.owner(self.k - 1) == self.consumer
                });
            }
            let n = self.skip.min(block.len());
            self.skip -= n;
            block = block.after(n);
            if !block.is_empty() {
                return Poll::Ready(Some(block));
            }
        }
    }

    fn floor(&self) -> u64 {
        self.from.floor()
    }
}

/// Who owns the rows of a piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Share {
    /// One consumer owns them all.
    Whole(u64),
    /// The consumers that share the lane take them in turn.
    Rows { first: u64, q: u64, of: u64, lanes: u64 },
}

impl Share {
    /// Of how many consumers each gets a row in turn.
    pub(crate) fn consumers(self) -> u64 {
        match self {
            Self::Whole(_) => 1,
            Self::Rows { of, lanes, .. } => of.div_ceil(lanes),
        }
    }

    /// How many of the first `rows` rows of the piece consumer `c` has.
    pub(crate) fn of(self, c: u64, rows: u64) -> u64 {
        match self {
            Self::Whole(owner) => {
                if owner == c {
                    rows
                } else {
                    0
                }
            }
            Self::Rows { .. } => (0..rows).filter(|&k| self.owner(k) == c).count() as u64,
        }
    }

    /// The owner of the `k`-th row that is left of the piece.
    pub(crate) fn owner(self, k: u64) -> u64 {
        match self {
            Self::Whole(c) => c,
            Self::Rows { first, q, of, lanes } => (first + golden(k + q, of)) / lanes,
        }
    }
}
