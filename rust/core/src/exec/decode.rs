//! Pieces of files, decoded into batches of rows.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, RecordBatch, StringArray};
use arrow_select::filter::filter_record_batch;

use super::prefetch::Prefetched;
use super::queue::Piece;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::files::{Files, Opened};
use crate::format::{Decoder, Options, Part, Source, Step};
use crate::panic::contain;
use crate::plan::Scan;
use crate::schema::{Adapter, FILE, Filter};
use crate::source::Object;
use crate::unpack::Unpacked;

/// A decoder of a piece, and what it will surely read.
type Opening = (Box<dyn Decoder>, Vec<Range<u64>>);

/// Opens a decoder of a piece.
fn decoder(files: &Files, opened: &Opened, piece: &Piece, columns: Vec<String>, most: usize) -> Result<Opening> {
    let options = Options {
        columns: Some(columns),
        rows: piece.rows.clone(),
        unit: piece.unit,
        window: piece.window,
        most,
        filter: piece.filter.clone(),
        lenient: piece.lenient,
    };
    let source = decoder_source(files, opened, piece);
    let ranges = match &source.unpacked {
        _ if !opened.object.remote() => Vec::new(),
        // What is read of a compressed file begins at a point.
        Some((mark, points)) => {
            let at = points.before(mark.out).map_or(0, |point| point.at);
            std::iter::once(at..opened.object.size()).collect()
        }
        None => files.format().prefetch_ranges(&source, &options)?,
    };
    Ok((files.format().decoder(&source, &options)?, ranges))
}

/// A piece, as a decoder is told of it.
pub(crate) fn decoder_source<'a>(files: &'a Files, opened: &'a Opened, piece: &Piece) -> Source<'a> {
    let scan = files.scan();
    Source {
        url: files.name(piece.file),
        size: opened.object.size(),
        unpacked: opened.codec.map(|_| {
            let points = &opened.kept.points;
            (points.mark(piece.rows.start).unwrap_or_default(), Arc::clone(points))
        }),
        note: scan.files[piece.file as usize].note.as_ref(),
        head: opened.head.as_ref(),
        at: piece.at,
        bytes: piece.bytes,
        rows: piece.count,
        schema: &scan.schema,
        declared: scan.declared,
    }
}

/// What a step gave, in the columns of rows.
pub(super) enum Made {
    Need(Vec<Range<u64>>),
    Rows(Part, bool),
    Done,
}

/// How a reader makes rows of what is decoded.
pub(super) struct Making {
    adapter: Adapter,
    filter: Option<Arc<Filter>>,
}

impl Making {
    /// The rows that are kept, in the columns of a row. `first`: the row of the piece that they begin with.
    fn part(&self, mut part: Part, all: bool, first: u64) -> Result<Made> {
        let mut all = all;
        if let Some(filter) = &self.filter {
            let keep = filter.keep(&part.batch)?;
            if keep.count_set_bits() < part.batch.num_rows() {
                part.kept = if all {
                    keep.set_indices_u32().collect()
                } else {
                    keep.set_indices().map(|i| part.kept[i]).collect()
                };
                part.batch = filter_record_batch(&part.batch, &BooleanArray::new(keep, None))
                    .map_err(|e| Error::internal(e.to_string()))?;
                all = false;
            }
        }
        part.batch = self.adapter.adapt_rows(&part.batch, first, (!all).then_some(part.kept.as_slice()))?;
        Ok(Made::Rows(part, all))
    }
}

/// Decodes as far as can be without waiting: what is read where it is decoded is still in the processor's cache.
fn advance(decoder: &mut dyn Decoder, making: &Making, object: &dyn Object, first: u64) -> Result<Made> {
    loop {
        match decoder.poll()? {
            Step::Batch(batch) => {
                let part = Part { rows: batch.num_rows() as u64, batch, kept: Vec::new(), bad: Vec::new() };
                return contain(|| making.part(part, true, first));
            }
            Step::Part(part) => return contain(|| making.part(part, false, first)),
            Step::Done => return Ok(Made::Done),
            Step::Need(ranges) => {
                let Some(parts) = object.read_now(&ranges)? else { return Ok(Made::Need(ranges)) };
                for (range, bytes) in ranges.into_iter().zip(parts) {
                    decoder.push(range, bytes)?;
                }
            }
        }
    }
}

/// The columns that have one value in a whole file.
pub(crate) fn constants(files: &Files, file: u32) -> HashMap<String, ArrayRef> {
    let entry = &files.scan().files[file as usize];
    let text = |value: Option<&str>| Arc::new(StringArray::from(vec![value])) as ArrayRef;
    let mut made: HashMap<String, ArrayRef> =
        entry.partition.iter().map(|(key, value)| (key.clone(), text(value.as_deref()))).collect();
    made.insert(FILE.into(), text(Some(files.name(file))));
    made
}

/// A piece that is being decoded.
pub(super) struct Reading {
    decoder: Option<Box<dyn Decoder>>,
    making: Arc<Making>,
    object: Option<Arc<dyn Object>>,
    file: u32,
    start: u64,
    /// Rows that are left out by what the file's path says, without opening it.
    out: Option<u64>,
    whence: Option<(Arc<Scan>, u32)>,
    /// What was decoded when the piece was opened.
    first: Option<Result<Made>>,
}

/// Where a row of a piece is in its file.
fn place(scan: &Scan, piece: u32, row: u64) -> String {
    let (file, at, ..) = scan.pieces[piece as usize];
    let earlier = scan.pieces[..piece as usize].iter().rev().take_while(|piece| piece.0 == file);
    match earlier.map(|piece| piece.2).sum::<Option<u64>>() {
        Some(before) => format!("row {}", before + row),
        None => format!("row {row} after byte {at}"),
    }
}

/// Opens a piece, to decode its rows. `at_once`: the first of them in the same turn of a thread, without waiting.
pub(super) async fn decoded(
    engine: &'static Engine,
    files: &Arc<Files>,
    adapter: &Adapter,
    mut piece: Piece,
    at_once: bool,
) -> Result<Reading> {
    let (file, start, whence) = (piece.file, piece.rows.start, piece.whence.take());
    let named = |e: Error| e.in_file(files.name(file));
    let constants = constants(files, file);
    let filter = piece.filter.take();
    piece.filter = filter.map(|filter| {
        Arc::new(Filter { expr: filter.expr.clone(), adapter: filter.adapter.in_file(constants.clone(), 0) })
    });
    let rest = piece.filter.clone().filter(|_| !files.format().filters());
    let making = Arc::new(Making { adapter: adapter.in_file(constants, piece.base), filter: rest });
    // What a file's path says may tell that none of its rows is wanted.
    if let (Some(filter), Some(rows)) = (&piece.filter, piece.count)
        && !filter.may()?
    {
        let out = piece.rows.end.min(rows).saturating_sub(start);
        return Ok(Reading {
            decoder: None,
            making,
            object: None,
            file,
            start,
            out: Some(out),
            whence: None,
            first: None,
        });
    }
    let opened = files.get(engine, file).await?;
    let (object, prefetch_bytes, pace, purpose) =
        (Arc::clone(&opened.object), piece.prefetch_bytes, Arc::clone(&piece.pace), piece.purpose.take());
    if let Some(purpose) = &purpose {
        purpose.schedule.reached(purpose.piece);
    }
    let most = engine.budget.for_rows() as usize;
    let mut columns = adapter.sources().to_vec();
    if !files.format().filters() {
        columns.extend(
            piece
                .filter
                .iter()
                .flat_map(|filter| filter.columns())
                .filter(|name| !adapter.sources().contains(name))
                .cloned(),
        );
    }
    let here = Arc::clone(files);
    let unpack = opened.codec.map(|codec| (codec, opened.kept.clone(), piece.threads));
    let unpacked = move |object: Arc<dyn Object>| -> Arc<dyn Object> {
        match unpack {
            Some((codec, kept, threads)) => Arc::new(Unpacked::new(engine, object, codec, kept, threads)),
            None => object,
        }
    };
    let near = (at_once && purpose.is_none()).then(|| unpacked.clone()(Arc::clone(&object)));
    let now = near.clone().map(|object| (Arc::clone(&making), object));
    let open = move || {
        let (mut decoder, ranges) = decoder(&here, &opened, &piece, columns, most)?;
        let first = now.map(|(making, object)| advance(&mut *decoder, &making, &*object, start));
        Ok((decoder, ranges, first))
    };
    let (decoder, ranges, first) = engine.cpu(open).await?.map_err(named)?;
    let object = if let Some(near) = near {
        near
    } else {
        let object = purpose.and_then(|purpose| object.purposed(&purpose)).unwrap_or(object);
        unpacked(if ranges.is_empty() {
            object
        } else {
            Arc::new(Prefetched::new(engine, object, &ranges, prefetch_bytes, pace))
        })
    };
    Ok(Reading { decoder: Some(decoder), making, object: Some(object), file, start, out: None, whence, first })
}

/// Decodes a piece on this thread; what is not at hand is waited for. Its rows are all kept.
pub(super) fn decoded_here(
    engine: &'static Engine,
    files: &Arc<Files>,
    adapter: &Adapter,
    piece: &Piece,
) -> Result<Vec<RecordBatch>> {
    let making = Making { adapter: adapter.in_file(constants(files, piece.file), piece.base), filter: None };
    let opened = engine.block_on(files.get(engine, piece.file))?;
    let whence = |row| piece.whence.as_ref().map(|(scan, of)| place(scan, *of, piece.first + row));
    let named = |e: Error| e.placed(whence).in_file(files.name(piece.file));
    let most = engine.budget.for_rows() as usize;
    let open = || decoder(files, &opened, piece, adapter.sources().to_vec(), most);
    let (mut decoder, _) = contain(open).map_err(named)?;
    let (mut batches, mut rows) = (Vec::new(), 0);
    while !decoder.finished() {
        match advance(&mut *decoder, &making, &*opened.object, rows).map_err(named)? {
            Made::Need(ranges) => {
                let parts = engine.block_on(opened.object.read(&ranges)).map_err(named)?;
                for (range, bytes) in ranges.into_iter().zip(parts) {
                    decoder.push(range, bytes).map_err(named)?;
                }
            }
            Made::Rows(part, _) => {
                rows += part.rows;
                batches.push(part.batch);
            }
            Made::Done => break,
        }
    }
    Ok(batches)
}

impl Reading {
    /// The first row.
    pub(super) fn start(&self) -> u64 {
        self.start
    }

    /// The next rows, from row `at` of the piece on.
    pub(super) async fn next(&mut self, engine: &'static Engine, files: &Arc<Files>, at: u64) -> Result<Made> {
        let path = files.name(self.file);
        if let Some(rows) = self.out.take() {
            let batch = RecordBatch::new_empty(Arc::clone(self.making.adapter.schema()));
            return Ok(if rows == 0 {
                Made::Done
            } else {
                Made::Rows(Part { batch, rows, kept: Vec::new(), bad: Vec::new() }, false)
            });
        }
        loop {
            let (Some(mut decoder), Some(object)) = (self.decoder.take(), self.object.clone()) else {
                return Ok(Made::Done);
            };
            let step = if let Some(step) = self.first.take() {
                step
            } else {
                let (making, file) = (Arc::clone(&self.making), Arc::clone(&object));
                let (back, step) = engine
                    .cpu(move || {
                        let step = advance(&mut *decoder, &making, &*file, at);
                        (decoder, step)
                    })
                    .await?;
                decoder = back;
                step
            };
            match step.map_err(|e| {
                e.placed(|row| self.whence.as_ref().map(|(scan, piece)| place(scan, *piece, row))).in_file(path)
            })? {
                Made::Need(ranges) => {
                    let parts = object.read(&ranges).await.map_err(|e| e.in_file(path))?;
                    for (range, bytes) in ranges.into_iter().zip(parts) {
                        decoder.push(range, bytes).map_err(|e| e.in_file(path))?;
                    }
                    self.decoder = Some(decoder);
                }
                Made::Done => return Ok(Made::Done),
                rows @ Made::Rows(..) => {
                    self.decoder = (!decoder.finished()).then_some(decoder);
                    return Ok(rows);
                }
            }
        }
    }
}
