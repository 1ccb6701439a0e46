//! Parquet: a row group as a sans-IO decoder that holds a page or two of each column, not the row group.

mod codec;
mod feed;
mod filtered;
mod footer;
mod known;
mod lists;
mod packed;
mod page;
mod prune;
mod thrift;

use std::collections::{HashMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;

use arrow_array::{Array, RecordBatch, RecordBatchOptions};
use arrow_schema::{DataType, Field, FieldRef, Schema, SchemaRef};
use arrow_select::concat::concat;
use bytes::Bytes;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, RowGroups, RowSelection, RowSelector};
use parquet::arrow::{ProjectionMask, parquet_to_arrow_field_levels};
use parquet::column::page::PageIterator;
use parquet::errors::Result as ParquetResult;
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};

use super::{
    Cuts, Decoder, FileFacts, Format, Options, Probe, ProbeDepth, ProbeResult, Source, Step, too_large, unasked,
};
use crate::error::{Error, Kind, Result};
use crate::panic::contain;
use crate::types::viewed;
use feed::{Leaf, Pages};
use filtered::FilteredDecoder;
pub use footer::{Footer, TAIL, Tail, read as read_footer};
use lists::{Lists, Shape};

/// Parquet files.
pub struct Parquet;

impl Format for Parquet {
    fn probe(&self, file: &FileFacts, _depth: ProbeDepth) -> Result<Box<dyn Probe>> {
        let next = Some(file.size.saturating_sub(TAIL)..file.size);
        Ok(Box::new(Prober { size: file.size, next, statistics: file.statistics, far: file.far, footer: None }))
    }

    fn decoder(&self, piece: &Source, options: &Options) -> Result<Box<dyn Decoder>> {
        let footer = piece
            .head
            .and_then(|head| Arc::clone(head).downcast::<Footer>().ok())
            .ok_or_else(|| Error::internal("a file without its footer"))?;
        match &options.filter {
            Some(filter) => Ok(Box::new(FilteredDecoder::new(footer, piece.at as usize, filter, options)?)),
            None => Ok(Box::new(RowGroupDecoder::new(&footer, piece.at as usize, options)?)),
        }
    }

    fn filters(&self) -> bool {
        true
    }

    fn cost(&self, piece: &Source, options: &Options) -> Result<Option<u64>> {
        let footer = piece
            .head
            .and_then(|head| Arc::clone(head).downcast::<Footer>().ok())
            .ok_or_else(|| Error::internal("a file without its footer"))?;
        let group = piece.at as usize;
        if let Some(filter) = &options.filter
            && !contain(|| prune::Pruner::new(&footer, group, filter).group())?
        {
            return Ok(None);
        }
        let wanted = |name: &str| {
            options.wants(name)
                || options.filter.iter().any(|filter| filter.columns().iter().any(|column| column == name))
        };
        let descr = footer.metadata.file_metadata().schema_descr();
        let columns = footer.metadata.row_group(group).columns().iter().enumerate();
        let bytes = columns
            .filter(|(i, _)| wanted(descr.get_column_root(*i).name()))
            .map(|(_, column)| u64::try_from(column.compressed_size()).unwrap_or(0));
        Ok(Some(bytes.sum()))
    }

    fn prefetch_ranges(&self, piece: &Source, options: &Options) -> Result<Vec<Range<u64>>> {
        let footer = piece
            .head
            .and_then(|head| Arc::clone(head).downcast::<Footer>().ok())
            .ok_or_else(|| Error::internal("a file without its footer"))?;
        let group = piece.at as usize;
        let descr = footer.metadata.file_metadata().schema_descr();
        let wanted = |name: &str| match &options.filter {
            None => options.wants(name),
            // Which pages of the other columns are wanted, only these tell.
            Some(filter) => filter.columns().iter().any(|column| column == name),
        };
        if let Some(filter) = &options.filter
            && !contain(|| prune::Pruner::new(&footer, group, filter).group())?
        {
            return Ok(Vec::new());
        }
        // An index tells which pages are wanted; then those alone are read.
        let indexed = |i: usize| {
            footer.metadata.row_group(group).column(i).offset_index_length().is_some_and(|length| length > 0)
        };
        let some = options.filter.is_some() || options.rows.start > 0;
        let columns =
            (0..descr.num_columns()).filter(|i| wanted(descr.get_column_root(*i).name()) && !(some && indexed(*i)));
        columns.map(|i| Ok(footer.chunk(group, i)?.range)).collect()
    }

    fn place(&self, at: u64) -> String {
        format!("row group {at}")
    }

    fn again(&self) -> bool {
        true
    }
}

/// Reads a footer.
struct Prober {
    size: u64,
    next: Option<Range<u64>>,
    statistics: bool,
    far: bool,
    footer: Option<Box<Footer>>,
}

impl Probe for Prober {
    fn need(&mut self) -> Result<Option<Range<u64>>> {
        Ok(self.next.clone())
    }

    fn push(&mut self, range: &Range<u64>, bytes: Bytes) -> Result<()> {
        if self.next.take().as_ref() != Some(range) {
            return Err(unasked(range));
        }
        if let Some(footer) = &mut self.footer {
            footer.indexes = (range.start, bytes);
            return Ok(());
        }
        match read_footer(&bytes, self.size, self.statistics)? {
            Tail::Footer(footer) => {
                // Far away, one read for all row groups is better than some for each.
                self.next = footer.indexed(self.size).filter(|_| self.far && self.statistics);
                self.footer = Some(footer);
            }
            Tail::Need(more) => self.next = Some(more),
        }
        Ok(())
    }

    fn result(self: Box<Self>) -> Result<ProbeResult> {
        let footer = self.footer.ok_or_else(|| Error::internal("a file without its footer"))?;
        let bytes = |group: &RowGroupMetaData| {
            group.columns().iter().map(|c| u64::try_from(c.compressed_size()).unwrap_or(0)).sum()
        };
        let groups = footer.metadata.row_groups().iter().enumerate().filter(|(_, group)| group.num_rows() > 0);
        let pieces =
            groups.map(|(g, group)| (g as u64, Some(group.num_rows().cast_unsigned()), bytes(group))).collect();
        Ok(ProbeResult {
            schema: Some(footer.schema.clone()),
            cuts: Cuts::Pieces(pieces),
            floor: footer.floor(),
            version: Some(footer.version.clone()),
            note: None,
            head: Some(Arc::from(footer as Box<dyn std::any::Any + Send + Sync>)),
            seen: None,
        })
    }
}

/// Where pages begin, and with which row.
fn pages(index: &Bytes) -> Result<Vec<(u64, u64)>> {
    thrift::offset_index(index).map_err(|_| Error::data("a malformed offset index"))
}

/// The most rows of a batch.
const MOST_ROWS: u64 = 64 << 10;

/// Decodes some rows of one row group.
pub struct RowGroupDecoder {
    number: usize,
    schema: SchemaRef,
    leaves: Vec<Leaf>,
    /// Offset indexes that are wanted before anything else: which leaf, and where.
    indexes: Vec<(usize, Range<u64>)>,
    reader: Option<ParquetRecordBatchReader>,
    /// The columns that are read here, not by the `parquet` crate, in order.
    lists: Vec<Lists>,
    /// Which of those each column of a batch is; the others are the crate's.
    ours: Vec<bool>,
    /// Rows of a batch.
    size: u64,
    /// The rows that are still to be read, and those of the next batch.
    rows: VecDeque<Range<u64>>,
    parts: Vec<Range<u64>>,
    total: u64,
    window: u64,
}

/// What the `parquet` crate is shown of a file: one row group, its pages from the leaves.
struct Group<'a> {
    metadata: &'a ParquetMetaData,
    number: usize,
    leaves: HashMap<usize, std::cell::RefCell<Option<Pages>>>,
}

impl RowGroups for Group<'_> {
    fn num_rows(&self) -> usize {
        self.metadata.row_group(self.number).num_rows() as usize
    }

    fn column_chunks(&self, i: usize) -> ParquetResult<Box<dyn PageIterator>> {
        match self.leaves.get(&i).and_then(std::cell::RefCell::take) {
            Some(pages) => Ok(Box::new(pages)),
            None => Err(parquet::errors::ParquetError::General(format!("column {i} is not read"))),
        }
    }

    fn row_groups(&self) -> Box<dyn Iterator<Item = &RowGroupMetaData> + '_> {
        Box::new(std::iter::once(self.metadata.row_group(self.number)))
    }

    fn metadata(&self) -> &ParquetMetaData {
        self.metadata
    }
}

impl RowGroupDecoder {
    /// A decoder of rows of the `group`-th row group.
    pub fn new(footer: &Footer, group: usize, options: &Options) -> Result<Self> {
        Self::of(footer, group, options, std::slice::from_ref(&options.rows))
    }

    /// A decoder of some runs of rows, one after another.
    fn of(footer: &Footer, group: usize, options: &Options, rows: &[Range<u64>]) -> Result<Self> {
        contain(|| Self::open(footer, group, options, rows)).map_err(|e| e.at(format_args!("row group {group}")))
    }

    fn open(footer: &Footer, group: usize, options: &Options, rows: &[Range<u64>]) -> Result<Self> {
        let metadata = &footer.metadata;
        let descr = metadata.file_metadata().schema_descr();
        let columns: Vec<usize> =
            (0..descr.num_columns()).filter(|&i| options.wants(descr.get_column_root(i).name())).collect();
        let total = metadata.row_group(group).num_rows().cast_unsigned();
        let rows: VecDeque<Range<u64>> =
            rows.iter().map(|r| r.start.min(total)..r.end.min(total)).filter(|r| !r.is_empty()).collect();
        let whole = rows.len() == 1 && rows[0].start == 0;
        let count: u64 = rows.iter().map(|r| r.end - r.start).sum();
        let (mut leaves, mut indexes, mut bytes) = (Vec::new(), Vec::new(), 0_u64);
        for &i in &columns {
            let column = metadata.row_group(group).column(i);
            let mut leaf = Leaf::new(&footer.chunk(group, i)?, options.most);
            if let Some(range) = footer::offset_index(column).filter(|_| !whole) {
                match footer.index(&range) {
                    Some(bytes) => leaf.set_index(pages(&bytes)?)?,
                    None => indexes.push((leaves.len(), range)),
                }
            }
            let width = feed::decoded_width(column.column_descr());
            // A null of a list of fixed size has all its values once decoded, and none in the file.
            let fixed = match footer.schema.field_with_name(descr.get_column_root(i).name()).map(Field::data_type) {
                Ok(DataType::FixedSizeList(_, n)) => u64::try_from(*n).unwrap_or(0).saturating_mul(width),
                _ => 0,
            };
            let width = width.max(fixed);
            if width > options.most as u64 {
                let what = format_args!("column {}: a value of {width} bytes", column.column_path());
                return Err(Error::data(too_large(what, options.most)));
            }
            let values = if fixed > 0 { total } else { u64::try_from(column.num_values()).unwrap_or(0) };
            let decoded = values.saturating_mul(width);
            bytes = decoded.max(u64::try_from(column.uncompressed_size()).unwrap_or(0)).saturating_add(bytes);
            leaves.push(leaf);
        }
        let hint = viewed(footer.schema.fields());
        let mut lists = Vec::new();
        let columns: Vec<(usize, Leaf)> = columns.into_iter().zip(leaves).collect();
        for (i, leaf) in &columns {
            let column = metadata.row_group(group).column(*i);
            let name = descr.get_column_root(*i).name();
            if let Some(shape) = hint.find(name).and_then(|(_, field)| Shape::of(field, column)) {
                lists.push((*i, Lists::new(shape, column.column_path().string(), leaf.taken())));
            }
        }
        let (here, lists): (Vec<usize>, Vec<Lists>) = lists.into_iter().unzip();
        let theirs = || columns.iter().map(|(i, _)| *i).filter(|i| !here.contains(i));
        let levels = parquet_to_arrow_field_levels(descr, ProjectionMask::leaves(descr, theirs()), Some(&hint))
            .map_err(|e| Error::new(Kind::Unsupported, e.to_string()))?;
        let mean = (bytes / total.max(1)).max(1);
        let size = (options.unit / mean).clamp(1, MOST_ROWS).min(count.max(1));
        let shown = columns
            .iter()
            .filter(|(i, _)| !here.contains(i))
            .map(|(i, leaf)| (*i, std::cell::RefCell::new(Some(leaf.pages()))))
            .collect();
        let (reader, schema) = if columns.len() == here.len() {
            (None, Arc::new(Schema::empty()))
        } else {
            let mut select = Vec::new();
            let mut at = 0;
            for range in &rows {
                select.extend([
                    RowSelector::skip((range.start - at) as usize),
                    RowSelector::select((range.end - range.start) as usize),
                ]);
                at = range.end;
            }
            select.push(RowSelector::skip((total - at) as usize));
            let selection = (!whole || at < total).then(|| RowSelection::from(select));
            let reader = ParquetRecordBatchReader::try_new_with_row_groups(
                &levels,
                &Group { metadata, number: group, leaves: shown },
                size as usize,
                selection,
            )
            .map_err(|e| Error::new(Kind::Unsupported, e.to_string()))?;
            let schema = arrow_array::RecordBatchReader::schema(&reader);
            (Some(reader), schema)
        };
        let ours: Vec<FieldRef> = lists.iter().map(|list| Arc::clone(list.field())).collect();
        let placed = |field: &&FieldRef| {
            let name = field.name();
            let of = |field: &&FieldRef| field.name() == name;
            ours.iter()
                .find(of)
                .map(|field| (Arc::clone(field), true))
                .or_else(|| schema.fields().iter().find(of).map(|field| (Arc::clone(field), false)))
        };
        let (fields, ours): (Vec<FieldRef>, Vec<bool>) = hint.iter().filter_map(|field| placed(&field)).unzip();
        let leaves = columns.into_iter().map(|(_, leaf)| leaf).collect();
        let schema = Arc::new(Schema::new(fields));
        Ok(Self {
            number: group,
            schema,
            leaves,
            indexes,
            reader,
            lists,
            ours,
            size,
            rows,
            parts: Vec::new(),
            total,
            window: options.window,
        })
    }

    /// The next row.
    fn next(&self) -> u64 {
        self.parts.first().or(self.rows.front()).map_or(self.total, |range| range.start)
    }

    fn step(&mut self) -> Result<Step> {
        if self.parts.is_empty() {
            let mut left = self.size;
            while let Some(range) = self.rows.front_mut().filter(|_| left > 0) {
                let end = range.end.min(range.start + left);
                left -= end - range.start;
                self.parts.push(range.start..end);
                range.start = end;
                if range.is_empty() {
                    self.rows.pop_front();
                }
            }
        }
        if self.parts.is_empty() {
            return Ok(Step::Done);
        }
        if !self.indexes.is_empty() {
            return Ok(Step::Need(self.indexes.iter().map(|(_, range)| range.clone()).collect()));
        }
        // Where the run of rows goes on, so does the reading.
        let mut soon = self.parts.clone();
        if let (Some(last), Some(next)) = (soon.last_mut(), self.rows.front())
            && last.end == next.start
        {
            last.end = next.end;
        }
        let mut needs = Vec::new();
        for leaf in &mut self.leaves {
            needs.extend(leaf.advance(&self.parts, &soon, self.window)?);
        }
        if !needs.is_empty() {
            return Ok(Step::Need(needs));
        }
        let rows = self.parts.iter().map(|range| range.end - range.start).sum::<u64>() as usize;
        let theirs = match &mut self.reader {
            None => Vec::new(),
            Some(reader) => match reader.next() {
                Some(Ok(batch)) if batch.num_rows() == rows => batch.columns().to_vec(),
                Some(Ok(batch)) => {
                    return Err(Error::data(format!("{} rows could be decoded, {rows} are there", batch.num_rows())));
                }
                Some(Err(e)) => return Err(Error::data(e.to_string())),
                None => return Err(Error::data(format!("the rows end at {}, {} are there", self.next(), self.total))),
            },
        };
        let (mut theirs, mut lists) = (theirs.into_iter(), self.lists.iter_mut());
        let mut columns = Vec::with_capacity(self.ours.len());
        for ours in &self.ours {
            let column = if *ours {
                let list = lists.next().ok_or_else(|| Error::internal("a column of nobody"))?;
                let parts = self.parts.iter().map(|range| list.read(range.start, (range.end - range.start) as usize));
                let parts = parts.collect::<Result<Vec<_>>>()?;
                let arrays: Vec<&dyn Array> = parts.iter().map(|part| &**part).collect();
                match &parts[..] {
                    [one] => Arc::clone(one),
                    _ => concat(&arrays).map_err(|e| Error::data(e.to_string()))?,
                }
            } else {
                theirs.next().ok_or_else(|| Error::internal("a column of nobody"))?
            };
            columns.push(column);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)
            .map_err(|e| Error::internal(e.to_string()))?;
        self.parts.clear();
        Ok(Step::Batch(batch))
    }
}

impl Decoder for RowGroupDecoder {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn push(&mut self, range: Range<u64>, bytes: Bytes) -> Result<()> {
        if let Some(i) = self.indexes.iter().position(|(_, r)| *r == range) {
            let (leaf, _) = self.indexes.swap_remove(i);
            let pages = pages(&bytes).map_err(|e| e.at(format_args!("row group {}", self.number)))?;
            return self.leaves[leaf].set_index(pages);
        }
        for leaf in &mut self.leaves {
            if leaf.push(&range, &bytes)? {
                return Ok(());
            }
        }
        Err(unasked(&range))
    }

    fn poll(&mut self) -> Result<Step> {
        let (group, next) = (self.number, self.next());
        contain(|| self.step()).map_err(|e| e.at(format_args!("row group {group}, row {next}")))
    }

    fn finished(&self) -> bool {
        self.parts.is_empty() && self.rows.is_empty()
    }
}
