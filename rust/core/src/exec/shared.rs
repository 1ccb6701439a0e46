//! What the lanes of a stream have in common.

use std::ops::Range;
use std::sync::Arc;

use super::global::Whole;
use super::queue::{Piece, Signal};
use super::reader::Reader;
use crate::engine::Engine;
use crate::files::Files;
use crate::plan::Plan;
use crate::plan::global::Global;
use crate::plan::rows::Share;
use crate::schema::{Adapter, Filter};
use crate::source::remote::cache::{Purpose, Schedule};

use super::limits::Limits;

/// What the lanes of a stream have in common.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(super) engine: &'static Engine,
    pub(super) plan: Arc<Plan>,
    pub(super) files: Arc<Files>,
    pub(super) adapter: Arc<Adapter>,
    pub(super) filter: Option<Arc<Filter>>,
    /// Of each piece, the number of its first row in its file, where rows ask for it.
    pub(super) bases: Arc<Vec<u64>>,
    pub(super) signal: Arc<Signal>,
    /// How much is read and decoded ahead.
    pub(super) limits: Limits,
    /// Whether the consumer has got a row of this pass.
    pub(super) given: bool,
    /// When the pieces are read, for a cache.
    pub(super) schedule: Option<Arc<Schedule>>,
    /// How far ahead they read.
    pub(super) pace: Arc<super::prefetch::Pace>,
}

impl Shared {
    /// A reader of positions of an order in which every row may land anywhere.
    pub(super) fn start_whole(&self, global: &Arc<Global>, positions: Range<u64>, own: Option<(Share, u64)>) -> Reader {
        let scan = &self.plan.scan;
        // What has a width has it; else a row takes, decoded, about twice what it takes in its file.
        let widths: Option<usize> =
            self.adapter.schema().fields().iter().map(|field| field.data_type().primitive_width()).sum();
        let bytes: u64 = global.runs.iter().map(|run| scan.pieces[run.piece as usize].3).sum();
        let rows: u64 = global.runs.iter().filter_map(|run| scan.pieces[run.piece as usize].2).sum();
        let of = self.adapter.schema().fields().len().max(1) as u64;
        let row = widths.map(|width| width as u64 + 1);
        let row = row
            .unwrap_or((2 * bytes / rows.max(1)).max(8) * of / (scan.schema.fields().len().max(1) as u64).max(of) + 8);
        let pieces = {
            let shared = self.clone();
            Arc::new(move |piece: u32| shared.piece(piece, 0..u64::MAX))
        };
        let whole = Whole { global: Arc::clone(global), pieces, positions, own, row };
        Reader::start_whole(
            self.engine,
            Arc::clone(&self.files),
            Arc::clone(&self.adapter),
            whole,
            self.limits.ready_units,
            Arc::clone(&self.signal),
        )
    }

    pub(super) fn start(&self, piece: u32, rows: Range<u64>) -> Reader {
        let piece = self.piece(piece, rows);
        Reader::start(self.engine, Arc::clone(&self.files), Arc::clone(&self.adapter), piece, Arc::clone(&self.signal))
    }

    pub(super) fn piece(&self, piece: u32, rows: Range<u64>) -> Piece {
        let entry = &self.plan.scan.pieces[piece as usize];
        Piece {
            unit: self.limits.unit,
            window: self.limits.window,
            prefetch_bytes: self.limits.prefetch_bytes,
            pace: Arc::clone(&self.pace),
            purpose: self.schedule.clone().map(|schedule| Purpose { schedule, piece }),
            filter: self.filter.clone(),
            lenient: self.plan.lenient,
            base: self.bases.get(piece as usize).copied().unwrap_or(0),
            whence: Some((Arc::clone(&self.plan.scan), piece)),
            threads: self.limits.threads,
            ready_units: self.limits.ready_units,
            ..Piece::alone(entry, rows)
        }
    }
}
