//! Where a take or a skip cuts an order of which the rows were not counted: as little as can be is read for it, once,
//! before any consumer starts.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow_schema::Schema;
use serde::Serialize;

use super::Next;
use super::ordered::Ordered;
use super::queue::{Piece, Pull, Signal};
use super::reader::Reader;
use crate::engine::Engine;
use crate::error::Result;
use crate::files::Files;
use crate::plan::cursor::Cursor;
use crate::plan::order::{END, Turn};
use crate::plan::{Plan, Program, Segment};
use crate::schema::Adapter;
use crate::source::Store;

/// A cut, and the rows of the pieces that lie whole before it.
#[derive(Debug, Serialize)]
pub struct Boundary {
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

/// The turn after the first `n` rows that are kept.
fn kept(plan: &Arc<Plan>, store: &Arc<dyn Store>, pass: u64, n: u64) -> Result<Turn> {
    if n == 0 {
        return Ok((0, 0));
    }
    // What is bad shows only where it is read.
    let columns = if plan.lenient { plan.columns.clone() } else { Some(Vec::new()) };
    let (first, mut left) = (plan.first + pass, n);
    let segments = plan.segments.iter().take(1).map(|segment| Segment { times: 1, ..segment.clone() }).collect();
    let plan = Arc::new(Plan { columns, first, segments, cycle: Vec::new(), batch: None, ..Plan::clone(plan) });
    let mut stream = Ordered::open(&plan, Arc::clone(store), 0, 1, Cursor::start(&plan.fingerprint(), 0))?;
    loop {
        match stream.next_row()? {
            Next::Ready(_) => {
                left -= 1;
                if left == 0 {
                    return Ok(stream.turned());
                }
            }
            Next::Bad(_) => {}
            Next::Wait => stream.waiter().wait(std::time::Duration::from_millis(50)),
            Next::End => return Ok(END),
        }
    }
}

/// Finds the turn after the first `n` rows of a pass that one consumer sees.
pub fn boundary(plan: &Arc<Plan>, store: Arc<dyn Store>, pass: u64, n: u64) -> Result<Boundary> {
    let engine = Engine::current()?;
    let program = Program::new(Arc::clone(plan));
    let files = Arc::new(Files::new(Arc::clone(&store), Arc::clone(&plan.scan), false)?);
    let adapter = Arc::new(Adapter::new(Arc::new(Schema::empty()), Vec::new()));
    let signal: Arc<Signal> = Arc::default();
    let (mut rows, mut least) = (BTreeMap::new(), HashMap::<u32, u64>::new());
    // Where rows are left out, only reading them tells how many are kept.
    let read = (plan.filter.is_some() || plan.lenient).then(|| kept(plan, &store, pass, n)).transpose()?;
    loop {
        let order = program.counted(pass, &rows)?;
        let seen = |piece| least.get(&piece).copied().unwrap_or(0);
        let (wanted, level) = match read {
            Some(at) => (order.uncounted(at.0, seen), at.0),
            None => match order.found(n, seen) {
                Ok(at) => return Ok(Boundary { at, rows }),
                Err(wanted) => wanted,
            },
        };
        if let (Some(at), []) = (read, wanted.as_slice()) {
            return Ok(Boundary { at, rows });
        }
        let mut counting: Vec<Counting> = wanted
            .into_iter()
            .map(|piece| {
                let enough = least.get(&piece).copied().unwrap_or(0).max(level).saturating_mul(2).saturating_add(1);
                let wanted = Piece {
                    lenient: plan.lenient,
                    threads: engine.threads,
                    ready_units: 4,
                    ..Piece::alone(&plan.scan.pieces[piece as usize], 0..enough)
                };
                let reader =
                    Reader::start(engine, Arc::clone(&files), Arc::clone(&adapter), wanted, Arc::clone(&signal));
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
