//! The rows of one piece, as blocks: each block covers a run of raw rows that no other block touches, and later
//! blocks lie further on in the piece. So a reader that goes forward once serves any order.

use std::ops::Range;

use crate::plan::order::Share;
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
            Self::Range(range) if range.end - range.start > RUN => (Self::Range(range.start..range.start + RUN), Self::Range(range.start + RUN..range.end)),
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

/// The rows of a piece, block by block.
pub trait Blocks: Send {
    /// The next block, never empty; `None` at the end.
    fn next(&mut self) -> Option<Block>;

    /// Passes over up to `n` rows that need not be looked at; says how many it did.
    fn skip(&mut self, _n: u64) -> u64 {
        0
    }

    /// How many rows are left, where that is known without looking.
    fn left(&self) -> Option<u64> {
        None
    }
}

/// All rows of a piece in file order.
pub(crate) struct Raw(pub Range<u64>);

impl Blocks for Raw {
    fn next(&mut self) -> Option<Block> {
        let range = std::mem::replace(&mut self.0, 0..0);
        (range.start < range.end).then_some(Block::Range(range))
    }

    fn skip(&mut self, n: u64) -> u64 {
        let n = n.min(self.0.end - self.0.start);
        self.0.start += n;
        n
    }

    fn left(&self) -> Option<u64> {
        Some(self.0.end - self.0.start)
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

    fn next(&mut self) -> Option<Block> {
        let rest = std::mem::replace(&mut self.rest, Block::Range(0..0));
        let block = if rest.is_empty() { self.from.next()? } else { rest };
        let (block, rest) = block.split();
        self.rest = rest;
        Some(block)
    }
}

/// Every `of`-th row, where there are fewer pieces than shards.
pub(crate) struct Every {
    from: Short,
    index: u64,
    of: u64,
    k: u64,
}

impl Every {
    pub(crate) fn new(from: Box<dyn Blocks>, piece: u32, index: u64, of: u64) -> Self {
        Self { from: Short::new(from), index: 0, of, k: (of - Self::first(piece, index, of)) % of }
    }

    /// The first row of a piece that shard `index` has; it differs from piece to piece, for balance.
    pub(crate) fn first(piece: u32, index: u64, of: u64) -> u64 {
        (index + of - u64::from(piece) % of) % of
    }
}

impl Blocks for Every {
    fn next(&mut self) -> Option<Block> {
        filtered(&mut self.from, &mut self.k, |k| k % self.of == self.index)
    }
}

/// Blocks of `from` of which only rows at wanted positions are kept.
fn filtered(from: &mut Short, k: &mut u64, wanted: impl Fn(u64) -> bool) -> Option<Block> {
    loop {
        let block = from.next()?.keep(|| {
            *k += 1;
            wanted(*k - 1)
        });
        if !block.is_empty() {
            return Some(block);
        }
    }
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
    fn next(&mut self) -> Option<Block> {
        filtered(&mut self.from, &mut self.k, |k| golden(k, self.of) == self.index)
    }
}

/// Rows permuted in windows of `size`, each by its own key.
pub(crate) struct Windows {
    from: Box<dyn Blocks>,
    pending: Block,
    size: u64,
    key: [u64; 3],
    piece: u32,
    window: u64,
}

impl Windows {
    pub(crate) fn new(from: Box<dyn Blocks>, size: u64, key: [u64; 3], piece: u32) -> Self {
        Self { from, pending: Block::Range(0..0), size, key, piece, window: 0 }
    }
}

impl Blocks for Windows {
    fn next(&mut self) -> Option<Block> {
        let mut rows = Vec::new();
        while (rows.len() as u64) < self.size {
            if self.pending.is_empty() {
                match self.from.next() {
                    Some(block) => self.pending = block.sorted(),
                    None => break,
                }
            }
            let wanted = self.size - rows.len() as u64;
            let pending = std::mem::replace(&mut self.pending, Block::Range(0..0));
            match &pending {
                Block::Range(range) => rows.extend(range.clone().take(wanted as usize)),
                Block::List(list) => rows.extend(list.iter().take(wanted as usize)),
            }
            self.pending = pending.after(wanted);
        }
        let [seed, epoch, pass] = self.key;
        Rng::keyed(&[seed, epoch, pass, WINDOW, u64::from(self.piece), self.window]).shuffle(&mut rows);
        self.window += 1;
        (!rows.is_empty()).then_some(Block::List(rows))
    }

    fn skip(&mut self, n: u64) -> u64 {
        let left = if self.pending.is_empty() { self.from.left() } else { None };
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
    fn next(&mut self) -> Option<Block> {
        loop {
            if self.at >= self.keep.end {
                return None;
            }
            if self.at < self.keep.start {
                self.at += self.from.skip(self.keep.start - self.at);
            }
            let block = self.from.next()?;
            let (from, upto) = (self.at, self.at + block.len());
            self.at = upto;
            let block = block.head(self.keep.end - from).after(self.keep.start.saturating_sub(from));
            if !block.is_empty() {
                return Some(block);
            }
        }
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
    pub(crate) fn new(from: Box<dyn Blocks>, delivered: Vec<Delivered>, share: Share, consumer: u64, skip: u64) -> Self {
        let layers = delivered.into_iter().map(|layer| (vec![0; layer.had.len()], layer)).map(|(seen, layer)| (layer, seen, 0)).collect();
        Self { from: Short::new(from), layers, share, consumer, k: 0, skip }
    }
}

impl Blocks for Own {
    fn next(&mut self) -> Option<Block> {
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
            let mut block = if whole { self.from.from.next()? } else { self.from.next()? };
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
                return Some(block);
            }
        }
    }
}
