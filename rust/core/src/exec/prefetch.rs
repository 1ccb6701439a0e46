//! Reading ahead in an object that is far away: what a decoder will ask for is asked for before it does, in parts, over
//! several connections, in the order in which they will be wanted.
//!
//! How far ahead adapts to latency and bandwidth by one rule: whenever a decoder has to wait for a part, eight times as
//! much is read ahead from then on by all readers of the stream, up to their shares of the budget. A part that is
//! needed is always read; what is read ahead of need only where the budget has room, the readers in the order in which
//! they were opened: what is wanted first is asked for first.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use bytes::Bytes;
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use crate::budget::Charge;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::source::remote::{GAP, LOOKED_AT, gathered, joined, parted};
use crate::source::{Object, Reading};

/// The bytes that are read ahead at first.
const FIRST: u64 = 16 << 20;

/// How much more after each wait.
const GROWTH: u64 = 8;

/// How far ahead the readers of a stream read, and who they are.
pub(crate) struct Pace {
    window: AtomicU64,
    readers: Mutex<Vec<Weak<Inner>>>,
}

impl Default for Pace {
    fn default() -> Self {
        Self { window: AtomicU64::new(FIRST), readers: Mutex::default() }
    }
}

impl Pace {
    /// Has all readers read on, as far as may be: the first of them first, until the budget is used up.
    fn go_on(&self) {
        let readers: Vec<Arc<Inner>> = {
            let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
            readers.retain(|reader| reader.strong_count() > 0);
            readers.iter().filter_map(Weak::upgrade).collect()
        };
        for reader in readers {
            if !reader.go_on() {
                return;
            }
        }
    }

    /// A decoder had to wait.
    fn waited(&self) {
        let faster = |pace: u64| Some(pace.saturating_mul(GROWTH).min(1 << 40));
        let _ = self.window.fetch_update(Ordering::Relaxed, Ordering::Relaxed, faster);
    }
}

/// The length of a part.
const PART: Range<u64> = 256 << 10..2 << 20;

enum Slot {
    Loading(AbortHandle),
    Ready {
        bytes: Bytes,
        /// How many of them the decoder took.
        taken: u64,
        _charge: Charge,
    },
    Failed(Error),
}

struct State {
    slots: HashMap<usize, Slot>,
    /// Parts before this one were asked for, or passed over.
    next: usize,
    /// Bytes that were asked for and not taken.
    outstanding: u64,
    /// Nobody reads any more.
    closed: bool,
}

pub(crate) struct Inner {
    engine: &'static Engine,
    object: Arc<dyn Object>,
    /// What will be read, in order.
    parts: Vec<Range<u64>>,
    /// The parts by where they begin.
    places: Vec<(u64, usize)>,
    state: Mutex<State>,
    came: Notify,
    pace: Arc<Pace>,
    /// The bytes that may be asked for and not taken at most.
    most: u64,
}

/// An object of which some ranges are read ahead.
pub(crate) struct Prefetched(Arc<Inner>);

/// Ranges in parts, in the order in which a decoder that reads all of them side by side comes to them. What lies close
/// together and is short is one part.
fn side_by_side(ranges: &[Range<u64>], part: u64) -> Vec<Range<u64>> {
    let joined = joined(ranges.iter().filter(|range| !range.is_empty()).cloned().collect(), GAP, part);
    let mut parts: Vec<(f64, Range<u64>)> = Vec::new();
    for range in &joined {
        let length = (range.end - range.start) as f64;
        // What was looked at is at hand: it is a part of its own.
        let split = range.start.max(LOOKED_AT).min(range.end);
        let halves = [range.start..split, split..range.end].into_iter().filter(|half| !half.is_empty());
        parts.extend(
            halves.flat_map(|half| parted(half, part)).map(|part| ((part.start - range.start) as f64 / length, part)),
        );
    }
    parts.sort_by(|a, b| a.0.total_cmp(&b.0));
    parts.into_iter().map(|(_, part)| part).collect()
}

impl Prefetched {
    /// `ranges`: what will be read, disjoint, side by side. `most`: the bytes that may be read ahead.
    pub(crate) fn new(
        engine: &'static Engine,
        object: Arc<dyn Object>,
        ranges: &[Range<u64>],
        most: u64,
        pace: Arc<Pace>,
    ) -> Self {
        let size = object.size();
        let ranges: Vec<Range<u64>> = ranges.iter().map(|range| range.start.min(size)..range.end.min(size)).collect();
        let parts = side_by_side(&ranges, (most / 4).clamp(PART.start, PART.end));
        let mut places: Vec<(u64, usize)> = parts.iter().enumerate().map(|(i, part)| (part.start, i)).collect();
        places.sort_unstable();
        // A server without ranges is read in order, one part after another.
        let most = if object.ranged() { most } else { 0 };
        let state = Mutex::new(State { slots: HashMap::new(), next: 0, outstanding: 0, closed: false });
        let inner = Arc::new(Inner { engine, object, parts, places, state, came: Notify::new(), pace, most });
        inner.pace.readers.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::downgrade(&inner));
        Self(inner)
    }
}

impl Drop for Prefetched {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.closed = true;
        for slot in state.slots.values() {
            if let Slot::Loading(task) = slot {
                task.abort();
            }
        }
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The parts that a range lies in, by place; none where some of it is in no part.
    fn covering(&self, range: &Range<u64>) -> Option<Vec<usize>> {
        let mut at = range.start;
        let mut i = self.places.partition_point(|(start, _)| *start <= at).checked_sub(1)?;
        let mut made = Vec::new();
        loop {
            let &(start, part) = self.places.get(i)?;
            if start > at || self.parts[part].end <= at {
                return None;
            }
            made.push(part);
            at = self.parts[part].end;
            if at >= range.end {
                return Some(made);
            }
            i += 1;
        }
    }

    /// Begins to read a part.
    fn load(self: &Arc<Self>, state: &mut State, i: usize) {
        let part = self.parts[i].clone();
        let length = part.end - part.start;
        state.outstanding += length;
        let charge = self.engine.budget.charge_wire(length);
        let inner = Arc::downgrade(self);
        let object = Arc::clone(&self.object);
        let task = self.engine.task(async move {
            let read = object.read(std::slice::from_ref(&part)).await.map(|mut parts| parts.pop().unwrap_or_default());
            if let Some(inner) = inner.upgrade() {
                let slot = match read {
                    Ok(bytes) => Slot::Ready { bytes, taken: 0, _charge: charge },
                    Err(error) => Slot::Failed(error),
                };
                inner.lock().slots.insert(i, slot);
                inner.came.notify_waiters();
            }
        });
        state.slots.insert(i, Slot::Loading(task));
    }

    /// Begins to read on, as far as may be. Whether the budget has more room.
    fn go_on(self: &Arc<Self>) -> bool {
        let window = self.pace.window.load(Ordering::Relaxed).min(self.most);
        let mut state = self.lock();
        while let Some(part) = self.parts.get(state.next).filter(|_| !state.closed) {
            let length = part.end - part.start;
            if state.outstanding + length > window {
                return true;
            }
            if !self.engine.budget.fits_wire(length) {
                return false;
            }
            let i = state.next;
            state.next += 1;
            if !state.slots.contains_key(&i) {
                self.load(&mut state, i);
            }
        }
        true
    }

    /// The bytes of a range of some parts, if they came.
    fn take(self: &Arc<Self>, state: &mut State, range: &Range<u64>, of: &[usize]) -> Result<Option<Bytes>> {
        let mut fetched = Vec::with_capacity(of.len());
        for i in of {
            match state.slots.get(i) {
                Some(Slot::Ready { bytes, .. }) => fetched.push(bytes.clone()),
                Some(Slot::Failed(error)) => return Err(error.clone()),
                _ => return Ok(None),
            }
        }
        let parts: Vec<Range<u64>> = of.iter().map(|i| self.parts[*i].clone()).collect();
        let bytes = gathered(range, &parts, &fetched).ok_or_else(|| Error::internal("a part was not read"))?;
        drop(fetched);
        for i in of {
            let part = &self.parts[*i];
            let used = range.end.min(part.end) - range.start.max(part.start);
            if let Some(Slot::Ready { taken, .. }) = state.slots.get_mut(i) {
                *taken += used;
                if *taken >= part.end - part.start {
                    state.slots.remove(i);
                    state.outstanding -= part.end - part.start;
                }
            }
        }
        Ok(Some(bytes))
    }

    /// Has the parts of a range read; tells whether any has to be waited for.
    fn want(self: &Arc<Self>, state: &mut State, of: &[usize]) -> bool {
        let mut wait = false;
        for &i in of {
            match state.slots.get(&i) {
                Some(Slot::Ready { .. } | Slot::Failed(_)) => {}
                Some(Slot::Loading(_)) => wait = true,
                None => {
                    wait = true;
                    self.load(state, i);
                    state.next = state.next.max(i + 1);
                }
            }
        }
        wait
    }

    async fn one(self: &Arc<Self>, range: &Range<u64>) -> Result<Bytes> {
        if range.is_empty() {
            return Ok(Bytes::new());
        }
        let Some(of) = self.covering(range) else {
            return self
                .object
                .read(std::slice::from_ref(range))
                .await?
                .pop()
                .ok_or_else(|| Error::internal("a read gave nothing"));
        };
        let mut waited = false;
        loop {
            let came = self.came.notified();
            {
                let mut state = self.lock();
                if let Some(bytes) = self.take(&mut state, range, &of)? {
                    drop(state);
                    self.pace.go_on();
                    return Ok(bytes);
                }
                if self.want(&mut state, &of) && !waited {
                    waited = true;
                    // The first part is always waited for.
                    if of != [0] {
                        self.pace.waited();
                    }
                }
            }
            self.pace.go_on();
            came.await;
        }
    }
}

impl Object for Prefetched {
    fn size(&self) -> u64 {
        self.0.object.size()
    }

    fn version(&self) -> Option<&str> {
        self.0.object.version()
    }

    fn remote(&self) -> bool {
        true
    }

    fn ranged(&self) -> bool {
        self.0.object.ranged()
    }

    fn read_now(&self, ranges: &[Range<u64>]) -> Result<Option<Vec<Bytes>>> {
        let mut of = Vec::with_capacity(ranges.len());
        for range in ranges {
            match self.0.covering(range) {
                Some(parts) => of.push(parts),
                None => return Ok(None),
            }
        }
        let mut state = self.0.lock();
        let ready = |i: &usize| matches!(state.slots.get(i), Some(Slot::Ready { .. }));
        if !of.iter().flatten().all(ready) {
            return Ok(None);
        }
        let mut made = Vec::with_capacity(ranges.len());
        for (range, of) in ranges.iter().zip(&of) {
            match self.0.take(&mut state, range, of)? {
                Some(bytes) => made.push(bytes),
                // Two ranges of one part, which the first one used up.
                None => return Ok(None),
            }
        }
        drop(state);
        self.0.pace.go_on();
        Ok(Some(made))
    }

    fn read<'a>(&'a self, ranges: &'a [Range<u64>]) -> Reading<'a, Vec<Bytes>> {
        Box::pin(async move {
            // What is not read ahead is asked for together.
            let (mut rest, mut at) = (Vec::new(), Vec::new());
            {
                let mut state = self.0.lock();
                for (i, range) in ranges.iter().enumerate() {
                    if let Some(of) = self.0.covering(range) {
                        self.0.want(&mut state, &of);
                    } else {
                        rest.push(range.clone());
                        at.push(i);
                    }
                }
            }
            let mut made = vec![Bytes::new(); ranges.len()];
            if !rest.is_empty() {
                for (i, bytes) in at.iter().zip(self.0.object.read(&rest).await?) {
                    made[*i] = bytes;
                }
            }
            for (i, range) in ranges.iter().enumerate().filter(|(i, _)| !at.contains(i)) {
                made[i] = self.0.one(range).await?;
            }
            Ok(made)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_side_by_side() {
        let far = 1 << 20;
        assert_eq!(
            side_by_side(&[0..4, far..far + 8], 2),
            [0..2, far..far + 2, far + 2..far + 4, 2..4, far + 4..far + 6, far + 6..far + 8]
        );
        assert_eq!(side_by_side(&[20..30, 0..10, 31..50], 40), [0..30, 31..50]);
        assert_eq!(side_by_side(&[], 2), []);
    }
}
