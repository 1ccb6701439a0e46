//! Rows by their numbers, where a format tells where each begins: only their bytes are read.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use arrow_select::interleave::interleave_record_batch;

use super::columns::{adapter, bases};
use super::decode::{decoded_here, decoder_source};
use super::queue::Piece;
use crate::engine::Engine;
use crate::error::{Error, Kind, Result};
use crate::files::Files;
use crate::forked::Forked;
use crate::format::Cuts;
use crate::plan::Plan;
use crate::schema::Adapter;
use crate::source::Store;

/// Rows that stand one after another are read together, up to so many bytes.
const TOGETHER: u64 = 8 << 20;

/// Where rows begin is kept of so many rows.
const MOST_KEPT: usize = 8 << 20;

/// Reads the rows of a plan by their numbers in its files, which know how many they have.
pub struct ByNumber {
    plan: Arc<Plan>,
    store: Arc<dyn Store>,
    /// A forked child opens files anew.
    files: Forked<Option<Arc<Files>>>,
    adapter: Adapter,
    bases: Vec<u64>,
    /// The number of the first row of each piece, and of all rows.
    firsts: Vec<u64>,
    kept: Forked<Kept>,
}

/// Where the rows of pieces begin.
#[derive(Default)]
struct Kept {
    starts: HashMap<u32, Arc<Vec<u64>>>,
    rows: usize,
}

impl ByNumber {
    /// Of a plan whose rows are all those of its files.
    pub fn open(plan: &Arc<Plan>, store: Arc<dyn Store>) -> Result<Self> {
        let mut firsts = vec![0];
        for &(_, _, rows, _) in &plan.scan.pieces {
            firsts.push(firsts[firsts.len() - 1] + rows.ok_or_else(|| Error::internal("rows that nobody counted"))?);
        }
        let adapter = adapter(plan)?;
        Ok(Self {
            bases: bases(plan, &adapter)?,
            adapter,
            store,
            files: Forked::default(),
            plan: Arc::clone(plan),
            firsts,
            kept: Forked::default(),
        })
    }

    fn files(&self) -> Result<Arc<Files>> {
        let mut files = self.files.lock();
        if let Some(files) = &*files {
            return Ok(Arc::clone(files));
        }
        let made = Arc::new(Files::new(Arc::clone(&self.store), Arc::clone(&self.plan.scan), false)?);
        Ok(Arc::clone(files.insert(made)))
    }

    /// The columns of rows.
    pub fn schema(&self) -> &SchemaRef {
        self.adapter.schema()
    }

    /// The rows of these numbers, in this order.
    pub fn read(&self, rows: &[u64]) -> Result<RecordBatch> {
        let engine = Engine::current()?;
        let mut order: Vec<u32> = (0..rows.len() as u32).collect();
        order.sort_by_key(|i| rows[*i as usize]);
        let (mut batches, mut places) = (Vec::new(), vec![(0, 0); rows.len()]);
        let mut next = 0;
        while next < order.len() {
            let first = rows[order[next] as usize];
            let (piece, starts) = self.piece_of(engine, first)?;
            let base = self.firsts[piece as usize];
            let begin = starts[(first - base) as usize];
            // Those that follow it in the piece, some of them perhaps more than once.
            let (mut upto, mut last) = (next, first);
            while let Some(&row) = order.get(upto).map(|i| &rows[*i as usize]) {
                let near = row <= last + 1
                    && starts.get((row - base) as usize).is_some_and(|at| row == last || at - begin < TOGETHER);
                if !near {
                    break;
                }
                (last, upto) = (row, upto + 1);
            }
            let mut at = first;
            for batch in self.run(engine, piece, &starts, first - base..last + 1 - base)? {
                let end = at + batch.num_rows() as u64;
                while let Some(&row) = order[next..upto].first().filter(|i| rows[**i as usize] < end) {
                    places[row as usize] = (batches.len(), (rows[row as usize] - at) as usize);
                    next += 1;
                }
                batches.push(batch);
                at = end;
            }
        }
        if let [batch] = batches.as_slice()
            && places.len() == batch.num_rows()
            && places.iter().zip(0..).all(|(&(_, row), i)| row == i)
        {
            return Ok(batch.clone());
        }
        if batches.is_empty() {
            return Ok(RecordBatch::new_empty(Arc::clone(self.schema())));
        }
        interleave_record_batch(&batches.iter().collect::<Vec<_>>(), &places)
            .map_err(|e| Error::data(format!("{} rows do not fit into one batch: {e}; ask for fewer", rows.len())))
    }

    /// Some rows of a piece, one after another.
    fn run(&self, engine: &'static Engine, piece: u32, starts: &[u64], rows: Range<u64>) -> Result<Vec<RecordBatch>> {
        let (file, at, _, bytes) = self.plan.scan.pieces[piece as usize];
        let from = starts[rows.start as usize];
        let end = starts.get(rows.end as usize).copied().unwrap_or(at + bytes);
        let n = rows.end - rows.start;
        let wanted = Piece {
            base: self.bases.get(piece as usize).map_or(0, |base| base + rows.start),
            first: rows.start,
            whence: Some((Arc::clone(&self.plan.scan), piece)),
            // All of it at once.
            unit: (end - from).max(1),
            ..Piece::alone(&(file, from, Some(n), end - from), 0..n)
        };
        let batches = decoded_here(engine, &self.files()?, &self.adapter, &wanted)?;
        let found: usize = batches.iter().map(RecordBatch::num_rows).sum();
        if found as u64 != n {
            return Err(self.other(file, &format!("{n} rows from byte {from} on, {found} are there")));
        }
        Ok(batches)
    }

    /// The piece of a row, and where the rows of it begin.
    fn piece_of(&self, engine: &'static Engine, row: u64) -> Result<(u32, Arc<Vec<u64>>)> {
        let piece = self.firsts.partition_point(|first| *first <= row).saturating_sub(1) as u32;
        let Some(&(file, at, Some(count), bytes)) = self.plan.scan.pieces.get(piece as usize) else {
            let all = self.firsts.last().copied().unwrap_or(0);
            return Err(Error::new(Kind::Value, format!("there is no row {row} of {all}")));
        };
        if let Some(starts) = self.lock().starts.get(&piece) {
            return Ok((piece, Arc::clone(starts)));
        }
        let alone = Piece::alone(&(file, at, Some(count), bytes), 0..count);
        let files = self.files()?;
        let starts = engine.block_on(async {
            let opened = files.get(engine, file).await?;
            let source = decoder_source(&files, &opened, &alone);
            let mut probe = files.format().row_starts(&source)?.ok_or_else(|| {
                Error::new(Kind::Unsupported, "its format does not tell where rows begin").in_file(files.name(file))
            })?;
            while let Some(range) = probe.need()? {
                let now = opened.object.read_now(std::slice::from_ref(&range))?;
                let bytes = match now {
                    Some(parts) => parts,
                    None => opened.object.read(std::slice::from_ref(&range)).await?,
                };
                probe.push(&range, bytes.into_iter().next().unwrap_or_default())?;
            }
            match probe.result()?.cuts {
                Cuts::Rows(starts) => Ok(starts),
                _ => Err(Error::internal("rows without their places")),
            }
        });
        let starts = starts.map_err(|e| e.in_file(files.name(file)))?;
        if starts.len() as u64 != count {
            return Err(self.other(file, &format!("{count} rows from byte {at} on, {} are there", starts.len())));
        }
        let starts = Arc::new(starts);
        let mut kept = self.lock();
        if kept.rows > MOST_KEPT {
            *kept = Kept::default();
        }
        kept.rows += starts.len();
        kept.starts.insert(piece, Arc::clone(&starts));
        Ok((piece, starts))
    }

    fn other(&self, file: u32, what: &str) -> Error {
        let what = format!("the file is not the one that was listed ({what}): load the data set again");
        Error::new(Kind::SourceChanged, what).in_file(&self.plan.scan.files[file as usize].name())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock()
    }
}
