//! A row group of which only some rows are wanted: statistics first, then the columns that the filter looks at, and of
//! the others only the pages that have a wanted row.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::{BooleanArray, RecordBatch, RecordBatchOptions};
use arrow_buffer::BooleanBuffer;
use arrow_schema::{Field, Fields, Schema, SchemaRef};
use arrow_select::concat::concat_batches;
use arrow_select::filter::filter_record_batch;
use bytes::Bytes;

use super::super::{Decoder, Options, Part, Step, unasked};
use super::RowGroupDecoder;
use super::footer::Footer;
use super::prune::Pruner;
use crate::error::{Error, Result};
use crate::panic::contain;
use crate::schema::Filter;
use crate::types::viewed;

/// Rows between two wanted ones that are read rather than passed over: less is slower.
const GAP: u64 = 64;

/// The bytes of the filter's columns that are kept for rows; beyond them, they are read again.
const KEPT: usize = 8 << 20;

/// Where the decoder is.
enum State {
    /// It reads what tells which rows may be wanted.
    Prune(Pruner),
    /// It reads the columns that the filter looks at.
    Filter(RowGroupDecoder, VecDeque<Range<u64>>),
    /// It reads what rows are made of.
    Rows(Option<RowGroupDecoder>, VecDeque<Range<u64>>),
    Done,
}

/// Decodes the wanted rows of a row group.
pub(super) struct FilteredDecoder {
    footer: Arc<Footer>,
    group: usize,
    filter: Arc<Filter>,
    options: Options,
    schema: SchemaRef,
    state: State,
    /// The rows that are wanted, and how many of them were given.
    wanted: Vec<u64>,
    given: usize,
    /// The filter's columns of the wanted rows, as long as they are few.
    kept: Option<VecDeque<RecordBatch>>,
    /// The next row of the row group.
    next: u64,
    end: u64,
}

/// The runs of rows to read for some wanted ones, which are in order. Runs that are close together are one; where they
/// would be too short for the reader to go from one to the next, they are all one.
fn runs(wanted: &[u64], total: u64) -> Vec<Range<u64>> {
    let mut made: Vec<Range<u64>> = Vec::new();
    for &row in wanted {
        match made.last_mut() {
            Some(last) if row < last.end + GAP => last.end = row + 1,
            _ => made.push(row..row + 1),
        }
    }
    // The `parquet` crate reads all rows between the first and the last of a batch where runs are shorter than this.
    let short = 2 * made.len() as u64 + 1 > total / 32;
    match (made.first(), made.last()) {
        (Some(first), Some(last)) if short && made.len() > 1 => {
            let all = first.start..last.end;
            vec![all]
        }
        _ => made,
    }
}

impl FilteredDecoder {
    pub(super) fn new(footer: Arc<Footer>, group: usize, filter: &Arc<Filter>, options: &Options) -> Result<Self> {
        let named = |e: Error| e.at(format_args!("row group {group}"));
        let total = footer.metadata.row_group(group).num_rows().cast_unsigned();
        let rows = options.rows.start.min(total)..options.rows.end.min(total);
        let wanted: Fields =
            footer.schema.fields().iter().filter(|field| options.wants(field.name())).cloned().collect();
        let pruner = Pruner::new(&footer, group, filter);
        let state = if contain(|| pruner.group()).map_err(named)? {
            State::Prune(pruner)
        } else {
            State::Rows(None, VecDeque::new())
        };
        Ok(Self {
            schema: Arc::new(Schema::new(viewed(&wanted).iter().map(|field| Field::clone(field)).collect::<Vec<_>>())),
            options: options.clone(),
            filter: Arc::clone(filter),
            group,
            state,
            wanted: Vec::new(),
            given: 0,
            kept: Some(VecDeque::new()),
            next: rows.start,
            end: rows.end,
            footer,
        })
    }

    /// A decoder of some columns, of some runs of rows.
    fn columns(&self, names: &[String], rows: &[Range<u64>]) -> Result<RowGroupDecoder> {
        let options = Options { columns: Some(names.to_vec()), filter: None, ..self.options.clone() };
        RowGroupDecoder::of(&self.footer, self.group, &options, rows)
    }

    /// The columns that rows are made of.
    fn names(&self) -> Vec<String> {
        self.schema.fields().iter().map(|field| field.name().clone()).collect()
    }

    fn step(&mut self) -> Result<Step> {
        loop {
            match std::mem::replace(&mut self.state, State::Done) {
                State::Done => return Ok(Step::Done),
                State::Prune(pruner) => {
                    let needs = pruner.needs();
                    if !needs.is_empty() {
                        self.state = State::Prune(pruner);
                        return Ok(Step::Need(needs));
                    }
                    let inside = |range: Range<u64>| range.start.max(self.next)..range.end.min(self.end);
                    let rows: Vec<Range<u64>> =
                        pruner.rows()?.into_iter().map(inside).filter(|range| !range.is_empty()).collect();
                    // Short gaps are not worth it.
                    let mut runs: Vec<Range<u64>> = Vec::new();
                    for range in rows {
                        match runs.last_mut() {
                            Some(last) if range.start < last.end + 32 * GAP => last.end = range.end,
                            _ => runs.push(range),
                        }
                    }
                    self.state = if runs.is_empty() {
                        State::Rows(None, VecDeque::new())
                    } else {
                        State::Filter(self.columns(self.filter.columns(), &runs)?, runs.into())
                    };
                }
                State::Filter(mut decoder, mut rows) => match decoder.poll()? {
                    Step::Batch(batch) => {
                        self.look(&batch, &mut rows)?;
                        self.state = State::Filter(decoder, rows);
                    }
                    Step::Done => self.state = self.rows()?,
                    other => {
                        self.state = State::Filter(decoder, rows);
                        return Ok(other);
                    }
                },
                State::Rows(None, _) => return Ok(self.last().map_or(Step::Done, Step::Part)),
                State::Rows(Some(mut decoder), mut rows) => match decoder.poll()? {
                    Step::Batch(batch) => {
                        let part = self.part(&batch, &mut rows)?;
                        self.state = State::Rows(Some(decoder), rows);
                        if let Some(part) = part {
                            return Ok(Step::Part(part));
                        }
                    }
                    Step::Done => self.state = State::Rows(None, VecDeque::new()),
                    other => {
                        self.state = State::Rows(Some(decoder), rows);
                        return Ok(other);
                    }
                },
            }
        }
    }

    /// Goes `n` rows further in runs of rows.
    fn pass(rows: &mut VecDeque<Range<u64>>, n: u64) -> Vec<Range<u64>> {
        let (mut left, mut passed) = (n, Vec::new());
        while let Some(range) = rows.front_mut().filter(|_| left > 0) {
            let end = range.end.min(range.start + left);
            passed.push(range.start..end);
            left -= end - range.start;
            range.start = end;
            if range.is_empty() {
                rows.pop_front();
            }
        }
        passed
    }

    /// Finds the wanted rows of a batch of the filter's columns.
    fn look(&mut self, batch: &RecordBatch, rows: &mut VecDeque<Range<u64>>) -> Result<()> {
        let keep = self.filter.keep(batch)?;
        let parts = Self::pass(rows, batch.num_rows() as u64);
        let (mut part, mut before) = (0, 0);
        for i in keep.set_indices() {
            while i as u64 >= before + (parts[part].end - parts[part].start) {
                before += parts[part].end - parts[part].start;
                part += 1;
            }
            self.wanted.push(parts[part].start + i as u64 - before);
        }
        if let Some(kept) = &mut self.kept {
            let names = self
                .schema
                .fields()
                .iter()
                .filter_map(|field| batch.schema_ref().index_of(field.name()).ok())
                .collect::<Vec<_>>();
            let failed = |e: arrow_schema::ArrowError| Error::internal(e.to_string());
            let batch = batch.project(&names).map_err(failed)?;
            let some = filter_record_batch(&batch, &BooleanArray::new(keep, None)).map_err(failed)?;
            // What views pin counts.
            kept.push_back(some);
            if names.is_empty() || kept.iter().map(RecordBatch::get_array_memory_size).sum::<usize>() > KEPT {
                self.kept = None;
            }
        }
        Ok(())
    }

    /// All wanted rows are known: what is left to read of them.
    fn rows(&mut self) -> Result<State> {
        if self.wanted.is_empty() {
            return Ok(State::Rows(None, VecDeque::new()));
        }
        let total = self.footer.metadata.row_group(self.group).num_rows().cast_unsigned();
        let runs = runs(&self.wanted, total);
        let there: Vec<String> = self
            .kept
            .iter()
            .flatten()
            .take(1)
            .flat_map(|batch| batch.schema().fields().iter().map(|f| f.name().clone()).collect::<Vec<_>>())
            .collect();
        let names: Vec<String> = self.names().into_iter().filter(|name| !there.contains(name)).collect();
        // Even without columns it counts rows.
        Ok(State::Rows(Some(self.columns(&names, &runs)?), runs.into()))
    }

    /// The wanted rows of a batch of the other columns, with those of the filter.
    fn part(&mut self, batch: &RecordBatch, rows: &mut VecDeque<Range<u64>>) -> Result<Option<Part>> {
        let failed = |e: arrow_schema::ArrowError| Error::internal(e.to_string());
        let parts = Self::pass(rows, batch.num_rows() as u64);
        let Some(end) = parts.last().map(|part| part.end) else { return Ok(None) };
        let upto = self.given + self.wanted[self.given..].partition_point(|row| *row < end);
        let wanted = &self.wanted[self.given..upto];
        if wanted.is_empty() {
            return Ok(None);
        }
        let (mut keep, mut before) = (vec![false; batch.num_rows()], 0);
        let mut next = wanted.iter().peekable();
        for part in &parts {
            while let Some(row) = next.next_if(|row| part.contains(row)) {
                keep[(before + row - part.start) as usize] = true;
            }
            before += part.end - part.start;
        }
        let some = filter_record_batch(batch, &BooleanArray::new(BooleanBuffer::from(keep), None)).map_err(failed)?;
        let count = wanted.len();
        let mut columns: Vec<(Arc<Field>, arrow_array::ArrayRef)> =
            some.schema().fields().iter().cloned().zip(some.columns().iter().cloned()).collect();
        if let Some(kept) = &mut self.kept {
            let (mut found, mut left) = (Vec::new(), count);
            while left > 0 {
                let front =
                    kept.front_mut().ok_or_else(|| Error::internal("rows of the filter's columns are missing"))?;
                let n = left.min(front.num_rows());
                found.push(front.slice(0, n));
                left -= n;
                *front = front.slice(n, front.num_rows() - n);
                if front.num_rows() == 0 {
                    kept.pop_front();
                }
            }
            let found = concat_batches(&found[0].schema(), &found).map_err(failed)?;
            columns.extend(found.schema().fields().iter().cloned().zip(found.columns().iter().cloned()));
        }
        let column = |field: &Arc<Field>| {
            columns.iter().find(|(of, _)| of.name() == field.name()).map(|(_, column)| Arc::clone(column))
        };
        let made = self
            .schema
            .fields()
            .iter()
            .map(|field| column(field).ok_or_else(|| Error::internal("a column is missing")))
            .collect::<Result<Vec<_>>>()?;
        let fields: Fields = self
            .schema
            .fields()
            .iter()
            .zip(&made)
            .map(|(field, column)| Field::clone(field).with_data_type(column.data_type().clone()))
            .collect();
        let options = RecordBatchOptions::new().with_row_count(Some(count));
        let batch = RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), made, &options).map_err(failed)?;
        // To after the last wanted row; to the end of all where there is none after it.
        let end = if upto == self.wanted.len() { self.end } else { self.wanted[upto - 1] + 1 };
        let kept = wanted.iter().map(|row| (row - self.next) as u32).collect();
        let part = Part { batch, rows: end - self.next, kept, bad: Vec::new() };
        (self.next, self.given) = (end, upto);
        Ok(Some(part))
    }

    /// The rows after the last wanted one.
    fn last(&mut self) -> Option<Part> {
        if self.next >= self.end {
            return None;
        }
        let rows = self.end - self.next;
        self.next = self.end;
        Some(Part { batch: RecordBatch::new_empty(Arc::clone(&self.schema)), rows, kept: Vec::new(), bad: Vec::new() })
    }
}

impl Decoder for FilteredDecoder {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn push(&mut self, range: Range<u64>, bytes: Bytes) -> Result<()> {
        match &mut self.state {
            State::Prune(pruner) => pruner.push(&range, &bytes).then_some(()).ok_or_else(|| unasked(&range)),
            State::Filter(decoder, _) | State::Rows(Some(decoder), _) => decoder.push(range, bytes),
            _ => Err(unasked(&range)),
        }
    }

    fn poll(&mut self) -> Result<Step> {
        let group = self.group;
        contain(|| self.step()).map_err(|e| e.at(format_args!("row group {group}")))
    }
}
