//! Where a take or a skip cuts an order of which the rows were not counted: as little as can be is read for it, once,
//! before any consumer starts.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow_schema::Schema;
use serde::Serialize;

use super::files::Files;
use super::reader::{Piece, Pull, Reader, Signal};
use super::{UNIT, WINDOW};
use crate::engine::Engine;
use crate::error::Result;
use crate::plan::order::Turn;
use crate::plan::{Plan, Program};
use crate::schema::Adapter;
use crate::source::Store;

/// A cut, and the rows of the pieces that lie whole before it.
#[derive(Debug, Serialize)]
pub struct Found {
    /// The turn after the rows.
    pub at: Turn,
    /// The pieces that were counted.
    pub rows: BTreeMap<u32, u64>,
}

/// How many rows some first rows of a piece are.
struct Counting {
    reader: Reader,
    piece: u32,
    rows: u64,
}

/// Finds the turn after the first `n` rows of a pass that one consumer sees.
pub fn boundary(plan: &Arc<Plan>, store: Arc<dyn Store>, pass: u64, n: u64) -> Result<Found> {
    let engine = Engine::current()?;
    let program = Program::new(Arc::clone(plan));
    let files = Arc::new(Files::new(store, Arc::clone(&plan.scan))?);
    let adapter = Arc::new(Adapter::new(Arc::new(Schema::empty()), Vec::new()));
    let signal: Arc<Signal> = Arc::default();
    let (mut rows, mut least) = (BTreeMap::new(), HashMap::<u32, u64>::new());
    loop {
        let order = program.counted(pass, &rows)?;
        let (wanted, level) = match order.found(n, |piece| least.get(&piece).copied().unwrap_or(0)) {
            Ok(at) => return Ok(Found { at, rows }),
            Err(wanted) => wanted,
        };
        let mut counting: Vec<Counting> = wanted
            .into_iter()
            .map(|piece| {
                let enough = least.get(&piece).copied().unwrap_or(0).max(level).saturating_mul(2).saturating_add(1);
                let (file, at, _, bytes) = plan.scan.pieces[piece as usize];
                let wanted = Piece { file, at, bytes, rows: 0..enough, unit: UNIT.end, window: WINDOW.end, deep: 4 };
                let reader = Reader::start(engine, Arc::clone(&files), Arc::clone(&adapter), wanted, Arc::clone(&signal));
                reader.to_front();
                least.insert(piece, enough);
                Counting { reader, piece, rows: 0 }
            })
            .collect();
        while !counting.is_empty() {
            let seen = signal.now();
            let mut open = Vec::new();
            for mut one in counting {
                let end = loop {
                    match one.reader.pull()? {
                        Pull::Unit(unit) => one.rows = unit.rows().end,
                        Pull::Wait => break None,
                        Pull::End(_) => break Some(one.rows),
                    }
                };
                match end {
                    None => open.push(one),
                    // Fewer than were asked for: these are all.
                    Some(n) if n < least.get(&one.piece).copied().unwrap_or(0) => {
                        rows.insert(one.piece, n);
                    }
                    Some(_) => {}
                }
            }
            counting = open;
            if !counting.is_empty() {
                signal.wait(seen, std::time::Duration::from_millis(50));
            }
        }
    }
}
