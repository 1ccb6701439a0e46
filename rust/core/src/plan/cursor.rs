//! A position in the order: what one consumer has delivered, over what earlier consumers had.
//!
//! It counts raw rows of pieces, never rows of a buffer, so it is small and means the same on any machine. The
//! cursors of all consumers merge to a **base**: layers, each saying how far the consumers of one run had come,
//! from which any other number of consumers goes on.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::{Poll, ready};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Kind, Result};
use crate::plan::Program;
use crate::plan::order::Order;
use crate::plan::rows::Share;
use crate::plan::rows::{Block, Blocks, Delivered, Own, Seen};
use crate::rng;

/// The version of the cursor's form.
const VERSION: u32 = 1;

/// How far one consumer is in one lane: `(lane, piece of the lane, own rows of the piece, own rows of the lane)`.
pub type At = (usize, u64, u64, u64);

/// How far the consumers of one run had come in one lane: `(consumers, [(consumer, piece, rows of it)])`.
pub type LaneLayer = (u64, Vec<(u64, u64, u64)>);

/// Per lane that was begun, its layers, the earliest first.
pub type Base = BTreeMap<usize, Vec<LaneLayer>>;

/// The place of one consumer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// Which consumer.
    pub c: u64,
    /// Of how many.
    pub of: u64,
    /// The pass it is in.
    pub pass: u64,
    /// How far it is in each lane that it has begun.
    pub at: Vec<At>,
}

/// A position in the order of one plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cursor {
    version: u32,
    rng: String,
    /// The fingerprint of the plan.
    pub plan: String,
    /// The epoch.
    pub epoch: u64,
    /// The first pass that was not finished by all when this run began.
    #[serde(default)]
    pub first: u64,
    /// The base of each pass that was begun and not finished.
    #[serde(default)]
    pub bases: BTreeMap<u64, Base>,
    /// The place of one consumer, or of all consumers of one run; none at the start of a run.
    #[serde(default)]
    pub parts: Vec<Part>,
}

impl Cursor {
    /// The start of an epoch.
    pub fn start(plan: &str, epoch: u64) -> Self {
        Self {
            version: VERSION,
            rng: rng::NAME.into(),
            plan: plan.into(),
            epoch,
            first: 0,
            bases: BTreeMap::new(),
            parts: Vec::new(),
        }
    }

    /// This cursor at a consumer's place.
    pub(crate) fn with_part(&self, part: Part) -> Self {
        Self { parts: vec![part], ..self.clone() }
    }

    /// Reads a cursor's JSON.
    pub fn read(json: &str) -> Result<Self> {
        let refuse = |what: String| Error::new(Kind::Checkpoint, what);
        let cursor: Self = serde_json::from_str(json).map_err(|e| {
            refuse(format!("not a state that rowstream wrote ({e}): load the dict that state_dict() gave, unchanged"))
        })?;
        if cursor.version != VERSION || cursor.rng != rng::NAME {
            let (version, rng) = (cursor.version, cursor.rng);
            return Err(refuse(format!(
                "the state is of version {version} with generator {rng:?}; this rowstream reads version {VERSION} \
                 with {:?}",
                rng::NAME
            )));
        }
        Ok(cursor)
    }

    /// Reads a cursor's JSON, and refuses one that is not of this plan.
    pub fn parse(json: &str, plan: &str) -> Result<Self> {
        let cursor = Self::read(json)?;
        if cursor.plan != plan {
            return Err(Error::new(
                Kind::Checkpoint,
                format!(
                    "the state is of another data set or of other steps: it has fingerprint {}, this data set has \
                     {plan}. Load it into the same files and the same shuffle, take, skip, shard, repeat and batch",
                    cursor.plan
                ),
            ));
        }
        Ok(cursor)
    }

    /// This cursor for consumer `c` of `of`: as it is where it is theirs; else with all its parts as its base.
    pub fn for_consumer(self, program: &Program, c: u64, of: u64) -> Result<Self> {
        match self.parts.as_slice() {
            [] => Ok(self),
            [part] if (part.c, part.of) == (c, of) => Ok(self),
            [part, ..] if self.parts.len() as u64 == part.of => self.settled(program),
            [part, ..] => Err(Error::new(
                Kind::Checkpoint,
                format!(
                    "the state is of consumer {} of {}, this one is {c} of {of}: join all {} states with \
                     rowstream.merge_state_dicts(states) and load the result",
                    part.c, part.of, part.of
                ),
            )),
        }
    }

    /// This cursor as the place of consumer `c` of `of`, also where that has not given a row yet: so it joins with
    /// those of others.
    pub fn placed(self, program: &Program, c: u64, of: u64) -> Result<Self> {
        let cursor = self.for_consumer(program, c, of)?;
        if !cursor.parts.is_empty() {
            return Ok(cursor);
        }
        let part = Part { c, of, pass: cursor.first, at: Vec::new() };
        Ok(cursor.with_part(part))
    }

    /// The cursors of all consumers of one run as one, from which any number of consumers goes on.
    ///
    /// A cursor without a place is that of a consumer that has given nothing. Where all are the same one, of no
    /// consumer or of all of an earlier run, they were loaded, or made, and nobody has given a row since.
    pub fn merge(cursors: Vec<Self>) -> Result<Self> {
        let refuse = |what: String| Err(Error::new(Kind::Checkpoint, format!("merge_state_dicts: {what}")));
        if let [first, rest @ ..] = cursors.as_slice()
            && first.parts.len() != 1
            && rest.iter().all(|cursor| cursor == first)
        {
            return Ok(first.clone());
        }
        // Who has no place is one of those that are missing.
        let (none, mut cursors): (Vec<_>, Vec<_>) = cursors.into_iter().partition(|cursor| cursor.parts.is_empty());
        let of = cursors.first().and_then(|cursor| cursor.parts.first()).map_or(0, |part| part.of);
        let missing: Vec<u64> =
            (0..of).filter(|c| !cursors.iter().any(|cursor| cursor.parts.iter().any(|part| part.c == *c))).collect();
        if none.len() > missing.len() {
            return refuse(format!("there are more states than the {of} consumers that they are of"));
        }
        for (cursor, c) in none.into_iter().zip(missing) {
            let part = Part { c, of, pass: cursor.first, at: Vec::new() };
            cursors.push(cursor.with_part(part));
        }
        let mut cursors = cursors.into_iter();
        let Some(mut merged) = cursors.next() else { return refuse("there are no states".into()) };
        for cursor in cursors {
            if (&cursor.plan, cursor.epoch, cursor.first, &cursor.bases)
                != (&merged.plan, merged.epoch, merged.first, &merged.bases)
            {
                return refuse("the states are not of one run: data set, epoch or starting point differ".into());
            }
            merged.parts.extend(cursor.parts);
        }
        merged.parts.sort_by_key(|part| part.c);
        let of = merged.parts.first().map_or(0, |part| part.of);
        if !merged.parts.iter().map(|part| (part.c, part.of)).eq((0..of).map(|c| (c, of))) {
            let found: Vec<u64> = merged.parts.iter().map(|part| part.c).collect();
            return refuse(format!("expected one state of each of {of} consumers, found those of {found:?}"));
        }
        Ok(merged)
    }

    /// All parts as a layer of the base.
    fn settled(&self, program: &Program) -> Result<Self> {
        let (head, parts) = (self, &self.parts);
        let of = parts.len() as u64;
        let passes = program.passes();
        let low = parts.iter().map(|p| p.pass).min().unwrap_or(0);
        let high = parts.iter().map(|p| p.pass).chain(head.bases.keys().copied()).max().unwrap_or(0);
        let mut bases = BTreeMap::new();
        for pass in low..=high {
            if passes.is_some_and(|n| pass >= n) {
                break;
            }
            let order = program.order(head.epoch, pass)?;
            let mut base = head.bases.get(&pass).cloned().unwrap_or_default();
            let mut layer: BTreeMap<usize, Vec<(u64, u64, u64)>> = BTreeMap::new();
            for part in parts {
                if part.pass == pass {
                    for &(v, q, k, _) in &part.at {
                        layer.entry(v).or_default().push((part.c, q, k));
                    }
                } else if part.pass > pass {
                    // Who is in a later pass has delivered all its part of this one.
                    for v in order.owned(part.c, of) {
                        layer.entry(v).or_default().push((part.c, order.lanes[v].len() as u64, 0));
                    }
                }
            }
            for (v, mut at) in layer {
                at.sort_unstable();
                let layers = base.entry(v).or_default();
                layers.push((of, at));
                simplify(&order, v, layers);
            }
            if !base.is_empty() {
                bases.insert(pass, base);
            }
        }
        Ok(Self { first: low, bases, parts: Vec::new(), ..head.clone() })
    }

    /// The JSON of this cursor.
    pub fn to_json(&self) -> Result<String> {
        serde_json::to_string(self).map_err(|e| Error::internal(e.to_string()))
    }
}

/// Who of a layer's consumers may own rows of a lane.
fn sharers(order: &Order, v: usize, of: u64) -> Vec<u64> {
    (0..of).filter(|&c| order.owned(c, of).any(|w| w == v)).collect()
}

/// Keeps a base small: a layer is dropped where later consumers are all past what it touched, and two layers in
/// which one consumer owned the whole lane are one.
fn simplify(order: &Order, v: usize, layers: &mut Vec<LaneLayer>) {
    let Some((of, at)) = layers.last() else { return };
    let owners = sharers(order, v, *of);
    let least = owners.iter().map(|c| at.iter().find(|(d, ..)| d == c).map_or(0, |(_, q, _)| *q)).min().unwrap_or(0);
    let last = layers.len() - 1;
    let mut i = 0;
    layers.retain(|(_, at)| {
        i += 1;
        i > last || at.iter().any(|&(_, q, k)| q > least || (q == least && k > 0))
    });
    if let [.., (before_of, before), (of, at)] = layers.as_mut_slice()
        && let ([(_, bq, bk)], [(_, q, k)]) = (before.as_slice(), at.as_mut_slice())
        && owners.len() == 1
        && sharers(order, v, *before_of).len() == 1
        && bq == q
    {
        *k += bk;
        let merged = (*of, std::mem::take(at));
        layers.truncate(layers.len() - 2);
        layers.push(merged);
    }
}

/// A block of own rows of one piece, and where in the lane it stands.
#[derive(Debug)]
pub(crate) struct Walked {
    /// Which piece of the lane.
    pub q: u64,
    /// Own rows of the piece before this block.
    pub k: u64,
    /// The rows.
    pub block: Block,
}

/// One consumer's part of one lane, from a position on: pure, without data.
pub(crate) struct LaneWalk {
    v: usize,
    c: u64,
    of: u64,
    layers: Vec<LaneLayer>,
    q: u64,
    k: u64,
    own: Option<(Own, Arc<Seen>)>,
}

impl LaneWalk {
    /// The part of consumer `c` of `of` of lane `v`, over `base`, after `at`.
    pub(crate) fn new(v: usize, c: u64, of: u64, base: &Base, at: Option<&At>) -> Self {
        let layers = base.get(&v).cloned().unwrap_or_default();
        let (q, k) = at.map_or((0, 0), |&(_, q, k, _)| (q, k));
        Self { v, c, of, layers, q, k, own: None }
    }

    /// Whose rows of a piece these are, where nobody had any of them before.
    pub(crate) fn alone(&self, order: &Order, q: u64) -> Option<(Share, u64)> {
        let share = order.share(self.v, q, self.of);
        (self.layers.is_empty() && order.bare() && matches!(share, Share::Rows { .. })).then_some((share, self.c))
    }

    /// Begins the `q`-th piece of the lane: its rows that are left for this consumer, of which `skip` are behind.
    /// `None` where nothing can be left.
    pub(crate) fn begin(&self, order: &Order, q: u64, skip: u64) -> Option<(Own, Arc<Seen>)> {
        let piece = order.lanes[self.v][q as usize];
        let share = order.share(self.v, q, self.of);
        if matches!(share, Share::Whole(c) if c != self.c) || order.span(piece).is_empty() {
            return None;
        }
        let mut delivered = Vec::new();
        for (of, at) in &self.layers {
            let had: Vec<(u64, u64)> = at
                .iter()
                .filter(|a| a.1 >= q)
                .map(|&(c, at, rows)| (c, if at > q { u64::MAX } else { rows }))
                .collect();
            let share = order.share(self.v, q, *of);
            let past = |c: &u64| had.iter().any(|(d, n)| d == c && *n == u64::MAX);
            if match share {
                Share::Whole(c) => past(&c),
                Share::Rows { .. } => sharers(order, self.v, *of).iter().all(past),
            } {
                return None;
            }
            if !had.is_empty() {
                delivered.push(Delivered { share, had });
            }
        }
        let seen = order.seen(piece, skip);
        Some((Own::new(order.blocks(piece, &seen), delivered, share, self.c, skip), seen))
    }

    /// The next block, of the pieces that this consumer has a part of; `None` at the lane's end. Pending where
    /// `current` has to be read on for it.
    pub(crate) fn next(&mut self, order: &Order) -> Poll<Option<Walked>> {
        while (self.q as usize) < order.lanes[self.v].len() {
            if self.own.is_none() {
                self.own = self.begin(order, self.q, self.k);
            }
            if let Some((own, _)) = &mut self.own
                && let Some(block) = ready!(own.next())
            {
                let walked = Walked { q: self.q, k: self.k, block };
                self.k += walked.block.len();
                return Poll::Ready(Some(walked));
            }
            (self.q, self.k, self.own) = (self.q + 1, 0, None);
        }
        Poll::Ready(None)
    }

    /// The piece of the lane that the next block is of, the first raw row of it that can be wanted, and what is known
    /// of its rows.
    pub(crate) fn current(&self) -> Option<(u64, u64, &Arc<Seen>)> {
        self.own.as_ref().map(|(own, seen)| (self.q, own.floor(), seen))
    }
}
