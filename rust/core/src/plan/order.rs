//! The order of rows, as a pure function of the plan.
//!
//! An **order** is lanes; a lane is pieces one after another; a piece is rows. Row `k` of lane `v` has the turn
//! `(k, v)`, and one consumer sees rows by increasing turn. A listing is one lane in file order; every transform
//! makes another order of lanes of pieces, so consumers and cursors are written once. `tests/order/order_model.py`
//! is the same in slow Python, and the oracle of the tests.

use std::ops::Range;
use std::sync::Arc;
use std::task::Poll;

use crate::error::{Error, Kind, Result};
use crate::plan::global::{Global, Run};
use crate::plan::rows::{Blocks, Deal, Every, Raw, Seen, Share, Shared, Slice, Windows};
use crate::rng::{Permutation, Rng, golden};

/// With fewer pieces than this for each consumer, consumers share a piece's rows instead of taking whole pieces.
const FINE: u64 = 16;

/// The tags that keep the keys of two uses of one seed apart.
const PIECES: u64 = 1;
const GLOBAL: u64 = 4;

/// One piece of the listing: the unit of I/O, of assignment and of restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece {
    /// Its rows, where they are known without reading it.
    pub rows: Option<u64>,
    /// Its bytes, by which pieces are dealt to lanes.
    pub bytes: u64,
}

/// One transform of the order, as the plan has it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
pub enum Op {
    /// Pieces permuted and dealt to at most `lanes` lanes, rows permuted in windows of `buffer / lanes`.
    Shuffle {
        /// The seed of every key.
        seed: u64,
        /// Rows that are held to draw from.
        buffer: u64,
        /// The most lanes; the plan's own limit where absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        lanes: Option<usize>,
    },
    /// All rows permuted: each may land anywhere. Their number is known.
    Global {
        /// The seed of the key.
        seed: u64,
    },
    /// Some of the listing's pieces, one after another: a part of a listing that several were joined to. It comes
    /// first.
    Pieces {
        /// The first.
        from: u32,
        /// The one after the last.
        upto: u32,
    },
    /// A fixed subset, `index` of `of`, whatever seed and epoch.
    Shard {
        /// How many subsets there are.
        of: u64,
        /// Which of them this is.
        index: u64,
        /// A run of pieces, rather than every `of`-th.
        contiguous: bool,
    },
    /// Every `of`-th row of the listing, from the one at `index` on. Rows are counted.
    Stride {
        /// How many subsets there are.
        of: u64,
        /// Which of them this is.
        index: u64,
    },
    /// The part that consumer `index` of `of` has of the order before it: a rank's, of which a cut then takes its rows.
    Part {
        /// How many consumers there are.
        of: u64,
        /// Which of them this is.
        index: u64,
    },
    /// The first `n` rows that one consumer sees, chosen in epoch 0 and in the pass `pass`.
    Take {
        /// How many rows.
        n: u64,
        /// The pass whose order chooses them.
        #[serde(default)]
        pass: u64,
        /// The turn after them, where it was found by reading.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at: Option<Turn>,
    },
    /// All but those.
    Skip {
        /// How many rows.
        n: u64,
        /// The pass whose order chooses them.
        #[serde(default)]
        pass: u64,
        /// The turn after them, where it was found by reading.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at: Option<Turn>,
    },
}

/// What one layer of an order does to the rows of a piece.
#[derive(Debug, Clone)]
enum Layer {
    /// `first`: the first row that is kept of each piece.
    Every {
        of: u64,
        first: Vec<u64>,
    },
    Windows {
        size: u64,
        key: [u64; 3],
    },
    /// `first`: the turn of the first row of a piece, where that is known.
    Cut {
        lo: Turn,
        hi: Turn,
        first: Vec<Option<Turn>>,
    },
    Deal {
        index: u64,
        of: u64,
        first: Vec<u64>,
    },
    /// `shares`: who has the rows of each piece.
    Part {
        index: u64,
        shares: Vec<Share>,
    },
}

/// `(k, v)`: the `k`-th row of lane `v`.
pub type Turn = (u64, usize);

/// Lanes of pieces, and what becomes of the rows of each.
#[derive(Debug, Clone)]
pub struct Order {
    pieces: Arc<[Piece]>,
    /// `lanes[v]`: ordinals of pieces.
    pub lanes: Vec<Vec<u32>>,
    /// `skipped[v]`: rows of lane `v` that a skip left out, so that turns go on from there.
    pub skipped: Vec<u64>,
    layers: Vec<Layer>,
    /// The rows that the layers leave of each piece, where they are known.
    counts: Vec<Option<u64>>,
    live: u64,
    ranks: Vec<u64>,
    /// Where rows are, in an order of one piece that has them all.
    pub(crate) global: Option<Arc<Global>>,
}

/// The order in which lanes are dealt to consumers: neighbours go far apart, so that even a `take(C)` reaches
/// every consumer.
fn ranks(lanes: usize) -> Vec<u64> {
    let mut order: Vec<usize> = (0..lanes).collect();
    order.sort_by_key(|&v| (v as u64).wrapping_mul(2_654_435_769) & 0xFFFF_FFFF);
    let mut ranks = vec![0; lanes];
    for (rank, v) in order.into_iter().enumerate() {
        ranks[v] = rank as u64;
    }
    ranks
}

impl Order {
    /// The order of a listing after `ops`, in an epoch and a pass. `max_lanes` is the plan's limit.
    ///
    /// What `take` and `skip` choose is chosen in epoch 0 and their own pass; any other epoch or pass permutes
    /// within it, so that a held-out part never leaks.
    pub fn build(pieces: &Arc<[Piece]>, max_lanes: usize, ops: &[Op], epoch: u64, pass: u64) -> Result<Self> {
        let cut = ops.iter().rposition(|op| matches!(op, Op::Take { .. } | Op::Skip { .. }));
        let (mut order, rest) = match cut {
            None => (Self::listing(pieces), ops),
            Some(i) => {
                let (n, chosen, at, skip) = match ops[i] {
                    Op::Take { n, pass, at } => (n, pass, at, false),
                    Op::Skip { n, pass, at } => (n, pass, at, true),
                    _ => return Err(Error::internal("not a cut")),
                };
                let order = Self::build(pieces, max_lanes, &ops[..i], 0, chosen)?;
                let at = at
                    .or_else(|| order.boundary(n))
                    .ok_or_else(|| Error::internal("a cut of rows that nobody counted"))?;
                let order = if skip { order.cut(at, END) } else { order.cut((0, 0), at) };
                let again = ops[..i].iter().rfind(|op| matches!(op, Op::Shuffle { .. } | Op::Global { .. }));
                let shuffled_later = ops[i + 1..].iter().any(|op| matches!(op, Op::Shuffle { .. } | Op::Global { .. }));
                match again {
                    Some(op) if !shuffled_later && (epoch, pass) != (0, chosen) => (
                        order.apply(&ops[i + 1..], max_lanes, epoch, pass)?.apply(
                            std::slice::from_ref(op),
                            max_lanes,
                            epoch,
                            pass,
                        )?,
                        &[][..],
                    ),
                    _ => (order, &ops[i + 1..]),
                }
            }
        };
        order = order.apply(rest, max_lanes, epoch, pass)?;
        Ok(order)
    }

    /// Shards first, since they are a fixed subset whatever the seed; then the shuffles.
    fn apply(mut self, ops: &[Op], max_lanes: usize, epoch: u64, pass: u64) -> Result<Self> {
        for op in ops {
            if let Op::Pieces { from, upto } = *op {
                self.lanes[0].retain(|piece| (from..upto).contains(piece));
                self.live = self.lanes[0].len() as u64;
            }
            if let Op::Shard { of, index, contiguous } = *op {
                if of == 0 || index >= of {
                    return Err(Error::new(Kind::Value, format!("shard: index {index} is not in 0..{of}")));
                }
                self = self.shard(index, of, contiguous);
            }
            if let Op::Stride { of, index } = *op {
                if of == 0 || index >= of {
                    return Err(Error::new(Kind::Value, format!("shard: index {index} is not in 0..{of}")));
                }
                self = self.stride(index, of)?;
            }
        }
        for op in ops {
            if let Op::Shuffle { seed, buffer, lanes } = *op {
                self = self.shuffle(seed, buffer, lanes.unwrap_or(max_lanes), epoch, pass);
            }
            if let Op::Part { of, index } = *op {
                if of == 0 || index >= of {
                    return Err(Error::new(Kind::Value, format!("there is no consumer {index} of {of}")));
                }
                self = self.part(index, of);
            }
            if let Op::Global { seed } = *op {
                self = self.permuted(&[seed, epoch, pass, GLOBAL])?;
            }
        }
        Ok(self)
    }

    fn listing(pieces: &Arc<[Piece]>) -> Self {
        let all = (0..pieces.len() as u32).collect();
        Self {
            pieces: Arc::clone(pieces),
            skipped: vec![0],
            layers: Vec::new(),
            counts: pieces.iter().map(|p| p.rows).collect(),
            live: pieces.len() as u64,
            ranks: ranks(1),
            global: None,
            lanes: vec![all],
        }
    }

    fn shard(mut self, index: u64, of: u64, contiguous: bool) -> Self {
        let listing = self.layers.iter().all(|layer| matches!(layer, Layer::Every { .. }));
        let n = self.lanes[0].len() as u64;
        if !listing {
            let mut first = vec![0; self.pieces.len()];
            for (v, lane) in self.lanes.iter().enumerate() {
                for (q, &piece) in lane.iter().enumerate() {
                    first[piece as usize] = (v + q) as u64;
                    let rows = &mut self.counts[piece as usize];
                    *rows =
                        rows.map(|rows| (0..rows).filter(|k| golden(k + (v + q) as u64, of) == index).count() as u64);
                }
            }
            self.layers.push(Layer::Deal { index, of, first });
        } else if n >= of {
            let lane = &self.lanes[0];
            let at = |i: u64| (i * (n / of) + i.min(n % of)) as usize;
            self.lanes[0] = if contiguous {
                lane[at(index)..at(index + 1)].to_vec()
            } else {
                lane.iter().skip(index as usize).step_by(of as usize).copied().collect()
            };
            self.live = self.lanes[0].len() as u64;
        } else {
            // It differs from piece to piece, for balance.
            let first = (0..self.pieces.len() as u64).map(|piece| (index + of - piece % of) % of).collect();
            self = self.every(of, first);
        }
        self
    }

    fn every(mut self, of: u64, first: Vec<u64>) -> Self {
        for &piece in &self.lanes[0] {
            let rows = &mut self.counts[piece as usize];
            *rows = rows.map(|rows| Every::count(rows, first[piece as usize], of));
        }
        self.layers.push(Layer::Every { of, first });
        self
    }

    /// Every `of`-th row of all, where `shard` counts in each piece.
    fn stride(self, index: u64, of: u64) -> Result<Self> {
        let (mut first, mut before) = (vec![0; self.pieces.len()], 0);
        for &piece in &self.lanes[0] {
            first[piece as usize] = (index + of - before % of) % of;
            before +=
                self.counts[piece as usize].ok_or_else(|| Error::internal("a stride of rows that nobody counted"))?;
        }
        Ok(self.every(of, first))
    }

    /// What one consumer has, as an order of its own: its lanes with its pieces, and of those that are shared its rows.
    fn part(mut self, index: u64, of: u64) -> Self {
        let mut shares = vec![Share::Whole(index); self.pieces.len()];
        let (mut lanes, mut skipped) = (Vec::new(), Vec::new());
        let mut owned: Vec<usize> = self.owned(index, of).collect();
        owned.sort_unstable();
        for v in owned {
            let mut lane = Vec::new();
            for (q, &piece) in self.lanes[v].iter().enumerate() {
                let share = self.share(v, q as u64, of);
                if matches!(share, Share::Whole(c) if c != index) {
                    continue;
                }
                shares[piece as usize] = share;
                lane.push(piece);
            }
            lanes.push(lane);
            skipped.push(self.skipped[v]);
        }
        for &piece in lanes.iter().flatten() {
            let (rows, share) = (&mut self.counts[piece as usize], shares[piece as usize]);
            *rows = rows.map(|rows| share.of(index, rows));
        }
        self.live = lanes.iter().flatten().filter(|&&piece| self.counts[piece as usize] != Some(0)).count() as u64;
        if lanes.is_empty() {
            (lanes, skipped) = (vec![Vec::new()], vec![0]);
        }
        self.ranks = ranks(lanes.len());
        (self.lanes, self.skipped) = (lanes, skipped);
        self.layers.push(Layer::Part { index, shares });
        self
    }

    fn shuffle(mut self, seed: u64, buffer: u64, max_lanes: usize, epoch: u64, pass: u64) -> Self {
        let mut pieces = self.lanes.concat();
        Rng::keyed(&[seed, epoch, pass, PIECES]).shuffle(&mut pieces);
        let count = max_lanes.min(pieces.len()).max(1);
        // The next piece goes to the lane with the fewest bytes so far, the first of equals.
        let mut load: std::collections::BTreeSet<(u64, usize)> = (0..count).map(|v| (0, v)).collect();
        self.lanes = vec![Vec::new(); count];
        for &piece in &pieces {
            let Some((bytes, v)) = load.pop_first() else { break };
            self.lanes[v].push(piece);
            load.insert((bytes.saturating_add(self.pieces[piece as usize].bytes), v));
        }
        self.skipped = vec![0; count];
        self.ranks = ranks(count);
        self.live = pieces.len() as u64;
        self.layers.push(Layer::Windows { size: (buffer / count as u64).max(1), key: [seed, epoch, pass] });
        self
    }

    /// All rows as one piece, in any order.
    fn permuted(self, key: &[u64]) -> Result<Self> {
        let unknown = || {
            Error::new(
                Kind::Unsupported,
                "shuffle(buffer_size=None) comes before other shuffles, and before shard() and skip() of single rows: call it first",
            )
        };
        let kept = |piece: u32| -> Option<(u64, u64, u64)> {
            let rows = self.pieces[piece as usize].rows?;
            self.layers.iter().try_fold((0, rows, 1), |(start, rows, step), layer| match layer {
                Layer::Cut { lo, hi, first } => {
                    let kept = Self::kept(first[piece as usize], *lo, *hi);
                    let (from, upto) = (kept.start.min(rows), kept.end.min(rows));
                    Some((start + from * step, upto.saturating_sub(from), step))
                }
                Layer::Every { of, first } => {
                    let from = first[piece as usize];
                    Some((start + from * step, rows.saturating_sub(from).div_ceil(*of), step * of))
                }
                _ => None,
            })
        };
        let global = if let Some(global) = &self.global {
            let (start, rows, step) = kept(0).filter(|kept| kept.2 == 1).ok_or_else(unknown)?;
            debug_assert_eq!(step, 1);
            (global.again(&(start..start + rows), Permutation::keyed(rows, key)), rows)
        } else {
            let (mut runs, mut before) = (Vec::new(), 0);
            let mut pieces = self.lanes.concat();
            pieces.sort_unstable();
            for piece in pieces {
                let (start, rows, step) = kept(piece).ok_or_else(unknown)?;
                if rows > 0 {
                    runs.push(Run { piece, start, step, before, rows });
                    before += rows;
                }
            }
            (Global::new(runs, Permutation::keyed(before, key)), before)
        };
        let bytes = self.pieces.iter().map(|piece| piece.bytes).sum();
        let whole: Arc<[Piece]> = [Piece { rows: Some(global.1), bytes }].into();
        let mut order = Self::listing(&whole);
        order.global = Some(Arc::new(global.0));
        Ok(order)
    }

    fn cut(mut self, lo: Turn, hi: Turn) -> Self {
        let mut first = vec![None; self.pieces.len()];
        self.live = 0;
        for (v, lane) in self.lanes.iter().enumerate() {
            // Where rows are not counted, only a lane's first pieces have known turns: all that lie before the cut.
            let mut k = Some(self.skipped[v]);
            self.skipped[v] = self.skipped[v].max(lo.0 + u64::from(v < lo.1));
            for &piece in lane {
                first[piece as usize] = k.map(|k| (k, v));
                let rows = self.counts[piece as usize];
                let kept = Self::kept(first[piece as usize], lo, hi);
                self.counts[piece as usize] = match rows {
                    Some(rows) => Some(kept.end.min(rows).saturating_sub(kept.start)),
                    // The rows before a cut were counted, so these are there.
                    None if hi < END => Some(kept.end.saturating_sub(kept.start)),
                    None => None,
                };
                self.live += u64::from(self.counts[piece as usize] != Some(0));
                k = k.zip(rows).map(|(k, rows)| k + rows);
            }
        }
        self.layers.push(Layer::Cut { lo, hi, first });
        self
    }

    /// The rows of a piece that a cut keeps. A piece whose first turn is not known lies behind every cut.
    fn kept(first: Option<Turn>, lo: Turn, hi: Turn) -> Range<u64> {
        match first {
            Some((k, v)) => Slice::positions(k, v, lo, hi),
            None if hi < END => 0..0,
            None => 0..END.0,
        }
    }

    /// The rows of each lane; `None` where they are not known.
    fn lengths(&self) -> Option<Vec<u64>> {
        self.lanes.iter().map(|lane| lane.iter().map(|&p| self.counts[p as usize]).sum()).collect()
    }

    /// The turn after the first `n` rows that one consumer sees, from the rows of each lane, where they are known.
    fn boundary(&self, n: u64) -> Option<Turn> {
        if n == 0 {
            return Some((0, 0));
        }
        self.lengths().map(|lengths| self.after(&lengths, n))
    }

    /// The turn after the first `n` rows, from the rows of each lane.
    fn after(&self, lengths: &[u64], n: u64) -> Turn {
        if n >= lengths.iter().sum() {
            return END;
        }
        let upto = |k: u64| -> u64 {
            lengths.iter().zip(&self.skipped).map(|(rows, skipped)| k.saturating_sub(*skipped).min(*rows)).sum()
        };
        let (mut low, mut high) =
            (0, lengths.iter().zip(&self.skipped).map(|(rows, skipped)| rows + skipped).max().unwrap_or(0));
        while low < high {
            // The greatest k with at most n rows before turn (k, 0).
            let middle = low + (high - low).div_ceil(2);
            if upto(middle) <= n { low = middle } else { high = middle - 1 }
        }
        let mut rest = n - upto(low);
        for (v, (rows, skipped)) in lengths.iter().zip(&self.skipped).enumerate() {
            if rest == 0 {
                return (low, v);
            }
            rest -= u64::from((*skipped..skipped + rows).contains(&low));
        }
        (low, self.lanes.len())
    }

    /// The turn after the first `n` rows, where enough is known for it; else the pieces of which more rows have to be
    /// counted, up to which a lane is known, and to which level. `least`: rows that a piece has at least.
    ///
    /// All lanes are counted up to one level, which rises while the rows below it are too few.
    pub(crate) fn found(&self, n: u64, least: impl Fn(u32) -> u64) -> std::result::Result<Turn, (Vec<u32>, u64)> {
        let mut lengths = vec![0; self.lanes.len()];
        let mut open = vec![None; self.lanes.len()];
        for (v, lane) in self.lanes.iter().enumerate() {
            for &piece in lane {
                let Some(rows) = self.counts[piece as usize] else {
                    lengths[v] += self.left(piece, least(piece));
                    open[v] = Some(piece);
                    break;
                };
                lengths[v] += rows;
            }
        }
        let mut level = n / self.lanes.len().max(1) as u64 + 1;
        loop {
            let wanted: Vec<u32> =
                (0..lengths.len()).filter(|&v| self.skipped[v] + lengths[v] <= level).filter_map(|v| open[v]).collect();
            if !wanted.is_empty() {
                return Err((wanted, level));
            }
            let below: u64 = lengths
                .iter()
                .zip(&self.skipped)
                .map(|(rows, skipped)| level.saturating_sub(*skipped).min(*rows))
                .sum();
            if below > n || open.iter().all(Option::is_none) {
                return Ok(self.after(&lengths, n));
            }
            level = level.saturating_mul(2);
        }
    }

    /// The pieces of which more rows have to be counted, so that every lane is known up to a level. `least`: rows that
    /// a piece has at least.
    pub(crate) fn uncounted(&self, level: u64, least: impl Fn(u32) -> u64) -> Vec<u32> {
        let open = |(v, lane): (usize, &Vec<u32>)| {
            let mut known = self.skipped[v];
            for &piece in lane {
                let Some(rows) = self.counts[piece as usize] else {
                    return (known + self.left(piece, least(piece)) <= level).then_some(piece);
                };
                known += rows;
                if known > level {
                    break;
                }
            }
            None
        };
        self.lanes.iter().enumerate().filter_map(open).collect()
    }

    /// How many rows the layers leave of the first `rows` of a piece.
    fn left(&self, piece: u32, rows: u64) -> u64 {
        self.layers.iter().fold(rows, |rows, layer| match layer {
            Layer::Every { of, first } => Every::count(rows, first[piece as usize], *of),
            Layer::Windows { .. } => rows,
            Layer::Cut { lo, hi, first } => {
                let kept = Self::kept(first[piece as usize], *lo, *hi);
                kept.end.min(rows).saturating_sub(kept.start)
            }
            Layer::Deal { index, of, first } => {
                (0..rows).filter(|k| golden(k + first[piece as usize], *of) == *index).count() as u64
            }
            Layer::Part { index, shares } => shares[piece as usize].of(*index, rows),
        })
    }

    /// Whether the rows of pieces are as they are.
    pub(crate) fn bare(&self) -> bool {
        self.layers.is_empty()
    }

    /// How many rows there are, where that is known.
    pub fn rows(&self) -> Option<u64> {
        Some(self.lengths()?.iter().sum())
    }

    /// How many pieces have rows.
    pub fn pieces(&self) -> u64 {
        self.live
    }

    /// The lanes of which consumer `c` of `of` owns all or a part.
    pub fn owned(&self, c: u64, of: u64) -> impl Iterator<Item = usize> + '_ {
        let lanes = self.lanes.len() as u64;
        let range = c * lanes / of..((c + 1) * lanes).div_ceil(of);
        self.ranks.iter().enumerate().filter(move |(_, u)| range.contains(u)).map(|(v, _)| v)
    }

    /// Who of `of` consumers gets the rows of the `q`-th piece of lane `v`. Each owns `lanes / of` lanes' worth.
    pub(crate) fn share(&self, v: usize, q: u64, of: u64) -> Share {
        let (lanes, first) = (self.lanes.len() as u64, self.ranks[v] * of);
        if self.live >= FINE * of || (first / lanes == (first + of - 1) / lanes) {
            Share::Whole((first + golden(q, of)) / lanes)
        } else {
            Share::Rows { first, q, of, lanes }
        }
    }

    /// What is known of the rows of a piece, of which `least` were delivered.
    pub(crate) fn seen(&self, piece: u32, least: u64) -> Arc<Seen> {
        Seen::new(self.pieces[piece as usize].rows, least)
    }

    /// The rows of a piece, in order, as blocks.
    pub(crate) fn blocks(&self, piece: u32, seen: &Arc<Seen>) -> Box<dyn Blocks> {
        let mut blocks: Box<dyn Blocks> = Box::new(Raw::new(Arc::clone(seen)));
        for layer in &self.layers {
            blocks = match layer {
                Layer::Every { of, first } => Box::new(Every::new(blocks, first[piece as usize], *of)),
                Layer::Windows { size, key } => Box::new(Windows::new(blocks, *size, *key, piece)),
                Layer::Cut { lo, hi, first } => {
                    Box::new(Slice::new(blocks, Self::kept(first[piece as usize], *lo, *hi)))
                }
                Layer::Deal { index, of, first } => Box::new(Deal::new(blocks, *index, *of, first[piece as usize])),
                Layer::Part { index, shares } => match shares[piece as usize] {
                    Share::Whole(_) => blocks,
                    share @ Share::Rows { .. } => Box::new(Shared::new(blocks, share, *index)),
                },
            };
        }
        blocks
    }

    /// The rows of a piece that have to be read: all, or what a cut or a shard leaves.
    pub(crate) fn span(&self, piece: u32) -> Range<u64> {
        let (all, count) = (self.pieces[piece as usize].rows, self.counts[piece as usize]);
        let rows = all.unwrap_or(u64::MAX);
        if count == Some(0) {
            return 0..0;
        }
        if !self.layers.iter().any(|layer| matches!(layer, Layer::Cut { .. })) || all.is_none() || count == all {
            return 0..rows;
        }
        let (mut blocks, mut span) = (self.blocks(piece, &self.seen(piece, 0)), rows..0);
        while let Poll::Ready(Some(block)) = blocks.next() {
            let part = block.span();
            span = span.start.min(part.start)..span.end.max(part.end);
        }
        if span.start < span.end { span } else { 0..0 }
    }
}

/// A turn after every row.
pub(crate) const END: Turn = (1 << 62, 0);
