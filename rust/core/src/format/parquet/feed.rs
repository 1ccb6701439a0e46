//! Pages pushed to the `parquet` crate's array readers, which pull. A leaf takes in bytes, cuts them into pages, and
//! knows for how many rows it has pages; a reader is only asked for rows that every leaf has.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use parquet::basic::Compression;
use parquet::basic::Type;
use parquet::column::page::{Page, PageIterator, PageMetadata, PageReader};
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::schema::types::{ColumnDescPtr, ColumnDescriptor};

use super::super::too_large;
use super::page::{Header, Records, records};
use crate::error::{Error, Result};

/// What stands in a leaf's queue.
enum Queued {
    Page(Page),
    /// Pages before the first wanted row, of which only the number of rows is known.
    Passed(usize),
}

#[derive(Default)]
struct Queue {
    pages: VecDeque<Queued>,
    complete: bool,
}

type Shared = Arc<Mutex<Queue>>;

/// One column chunk of the row group, as a stream of bytes that becomes pages.
pub(super) struct Leaf {
    column: ColumnDescPtr,
    codec: Compression,
    queue: Shared,
    /// The byte ranges that are still to be read, in order.
    ranges: VecDeque<Range<u64>>,
    /// What was asked for and is not yet here; what is here and not yet cut, by where it begins.
    asked: Vec<Range<u64>>,
    came: Vec<(u64, Bytes)>,
    buffer: Bytes,
    /// The position of `buffer` in the file.
    at: u64,
    /// Values that the chunk has, and those whose pages have come.
    values: u64,
    seen: u64,
    /// Rows that the row group has, and those that begin in pages that have come.
    rows: u64,
    begun: u64,
    /// No row before it is wanted any more: whole pages before it are passed over.
    wanted: u64,
    held: Option<(Page, u64)>,
    /// Values of the row that the last page ended in.
    open: u64,
    /// Where pages begin, if that is known: `(byte offset, first row)`.
    index: Vec<(u64, u64)>,
    most: usize,
}

/// A chunk as the footer has it, checked.
pub(super) struct Chunk {
    pub(super) column: ColumnDescPtr,
    pub(super) codec: Compression,
    pub(super) range: Range<u64>,
    pub(super) values: u64,
    pub(super) rows: u64,
}

impl Leaf {
    /// `most`: the largest page, decompressed, that is read.
    pub(super) fn new(chunk: &Chunk, most: usize) -> Self {
        Self {
            column: Arc::clone(&chunk.column),
            codec: chunk.codec,
            queue: Shared::default(),
            ranges: VecDeque::from([chunk.range.clone()]),
            asked: Vec::new(),
            came: Vec::new(),
            buffer: Bytes::new(),
            at: chunk.range.start,
            values: chunk.values,
            seen: 0,
            rows: chunk.rows,
            begun: 0,
            wanted: 0,
            held: None,
            open: 0,
            index: Vec::new(),
            most,
        }
    }

    /// Knows where pages begin, by the offset index: then those that are not wanted are not read.
    pub(super) fn set_index(&mut self, pages: Vec<(u64, u64)>) -> Result<()> {
        let Some(chunk) = self.ranges.front().cloned() else { return Ok(()) };
        let sound = pages.is_sorted_by(|a, b| a.0 < b.0 && a.1 <= b.1)
            && pages.first().is_some_and(|p| p.1 == 0)
            && pages.iter().all(|p| chunk.contains(&p.0));
        if !sound {
            return Err(Error::data("a malformed offset index").at(format_args!("column {}", self.column.path())));
        }
        // Before the first data page stands the dictionary, if there is one.
        self.ranges = [chunk.start..pages[0].0, pages[0].0..chunk.end].into_iter().filter(|r| !r.is_empty()).collect();
        self.at = self.ranges[0].start;
        self.index = pages;
        Ok(())
    }

    /// Passes over the pages from here on that have no wanted row, without reading them.
    fn hop(&mut self) -> Result<bool> {
        let Ok(here) = self.index.binary_search_by_key(&self.at, |page| page.0) else { return Ok(false) };
        let there = self.index.partition_point(|page| page.1 <= self.wanted).saturating_sub(1);
        if there <= here {
            return Ok(false);
        }
        let (offset, row) = self.index[there];
        // A page of an index begins with a row, so what is held ends with one.
        let held = self.held.take().map_or(0, |(_, rows)| rows);
        let behind = row.checked_sub(self.begun).filter(|_| self.begun == self.index[here].1);
        let rows = behind.ok_or_else(|| Error::data("pages that begin with other rows than the offset index says"))?;
        self.pass(held + rows);
        self.begun = row;
        let there = (offset - self.at) as usize;
        self.buffer = if there < self.buffer.len() { self.buffer.slice(there..) } else { Bytes::new() };
        (self.at, self.open) = (offset, 0);
        self.values = u64::MAX;
        Ok(true)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Passes over pages in which so many rows begin. Those of none only go on with a row that was passed over.
    fn pass(&self, rows: u64) {
        if rows == 0 {
            return;
        }
        self.lock().pages.push_back(Queued::Passed(rows as usize));
    }

    /// The rows that a reader can be given.
    fn ready(&self) -> u64 {
        if self.complete() || self.column.max_rep_level() == 0 { self.begun } else { self.begun.saturating_sub(1) }
    }

    fn complete(&self) -> bool {
        self.lock().complete
    }

    /// Whether this leaf waits for this range.
    pub(super) fn push(&mut self, range: &Range<u64>, bytes: &Bytes) -> Result<bool> {
        let Some(i) = self.asked.iter().position(|asked| asked == range) else { return Ok(false) };
        if bytes.len() as u64 != range.end - range.start {
            return Err(Error::data(format!("asked for bytes {range:?}, was given {}", bytes.len())));
        }
        self.asked.swap_remove(i);
        self.came.push((range.start, bytes.clone()));
        Ok(true)
    }

    /// Goes on with what came, up to `end`; whether there was any.
    fn go_on(&mut self, end: u64) -> bool {
        let from = self.at + self.buffer.len() as u64;
        self.came.retain(|(at, bytes)| at + bytes.len() as u64 > from);
        let Some((at, bytes)) = self.came.iter().find(|(at, _)| *at <= from) else { return false };
        let more = bytes.slice((from - at) as usize..(end.min(at + bytes.len() as u64) - at) as usize);
        self.buffer = if self.buffer.is_empty() { more } else { [&self.buffer[..], &more].concat().into() };
        true
    }

    /// What to read from `from` on: at least `least` bytes, and further, up to about `window`, what holds rows that are
    /// wanted `soon`.
    fn wants(&self, from: u64, soon: &[Range<u64>], least: u64, window: u64) -> Vec<Range<u64>> {
        let end = self.ranges.back().map_or(from, |range| range.end);
        let start = self.index.first().map_or(from, |page| page.0);
        if self.index.is_empty() || from + least > end {
            let front = self.ranges.front().map_or(end, |range| range.end);
            return std::iter::once(from..(from + window.max(least)).min(front)).collect();
        }
        let next = self.index.partition_point(|page| page.0 <= from);
        // The rest of the page that is being cut, or of what stands before the first.
        let upto = if from < start { start } else { self.index.get(next).map_or(end, |page| page.0) };
        let first = from..upto.max(from + least);
        let mut sum = first.end - from;
        let mut ranges: Vec<Range<u64>> = std::iter::once(first).collect();
        for i in next..self.index.len() {
            let (at, first) = self.index[i];
            let (upto, after) = self.index.get(i + 1).map_or((end, self.rows), |page| *page);
            if sum >= window {
                break;
            }
            if after <= self.wanted || !soon.iter().any(|part| part.start < after && first < part.end) {
                continue;
            }
            sum += upto - at;
            match ranges.last_mut() {
                Some(last) if last.end >= at => last.end = last.end.max(upto),
                _ => ranges.push(at..upto),
            }
        }
        ranges
    }

    /// Cuts pages until some rows can be read, one part after another. Gives the ranges that are needed for it, and for
    /// the rows that are wanted `soon`, about `window` bytes; or none when it has them.
    pub(super) fn advance(
        &mut self,
        parts: &[Range<u64>],
        soon: &[Range<u64>],
        window: u64,
    ) -> Result<Vec<Range<u64>>> {
        let place =
            |leaf: &Self, e: Error| e.at(format_args!("column {}, page at byte {}", leaf.column.path(), leaf.at));
        for part in parts {
            self.wanted = self.wanted.max(part.start);
            while !self.complete() && self.ready() < part.end {
                match self.cut().map_err(|e| place(self, e))? {
                    // At once: the reader has to know of the last page that it is the last when it takes it.
                    Cut::Page if self.finished() => self.finish().map_err(|e| place(self, e))?,
                    Cut::Page => {}
                    Cut::Need(more) => {
                        let end = self.ranges.front().map_or(self.at, |range| range.end);
                        let from = self.at + self.buffer.len() as u64;
                        if from >= end {
                            let (seen, rows) = (self.begun, self.rows);
                            return Err(place(
                                self,
                                Error::data(format!("the column ends at byte {end} after {seen} of {rows} rows")),
                            ));
                        }
                        if self.go_on(end) {
                            continue;
                        }
                        self.asked = self.wants(from, soon, more as u64, window);
                        return Ok(self.asked.clone());
                    }
                }
            }
        }
        Ok(Vec::new())
    }

    fn finished(&self) -> bool {
        self.seen >= self.values
            || (self.values == u64::MAX
                && self.ranges.len() == 1
                && self.buffer.is_empty()
                && self.at >= self.ranges[0].end)
    }

    fn finish(&mut self) -> Result<()> {
        if let Some((page, _)) = self.held.take() {
            self.lock().pages.push_back(Queued::Page(page));
        }
        if self.begun != self.rows {
            return Err(Error::data(format!("the column has {} rows, its row group {}", self.begun, self.rows)));
        }
        self.lock().complete = true;
        self.buffer = Bytes::new();
        Ok(())
    }

    /// Cuts one page off the buffer.
    fn cut(&mut self) -> Result<Cut> {
        let end = self.ranges.front().map_or(self.at, |r| r.end);
        if self.buffer.is_empty() && self.at >= end && self.ranges.len() > 1 {
            self.ranges.pop_front();
            self.at = self.ranges[0].start;
            return Ok(Cut::Page);
        }
        if self.hop()? {
            return Ok(Cut::Page);
        }
        if self.buffer.is_empty() {
            return Ok(Cut::Need(0));
        }
        let Some(header) = Header::parse(&self.buffer)? else { return Ok(Cut::Need(self.buffer.len().max(512))) };
        let whole = header.length + header.compressed;
        if whole as u64 > end - self.at {
            return Err(Error::data(format!(
                "a page of {} bytes, {} before the end of its column",
                header.compressed,
                end - self.at - header.length as u64
            )));
        }
        if header.size() > self.most {
            let what = format_args!("a page of {} bytes", header.size());
            return Err(Error::data(too_large(what, self.most)));
        }
        if whole > self.buffer.len() {
            return Ok(Cut::Need(whole - self.buffer.len()));
        }
        let body = self.buffer.slice(header.length..whole);
        self.take(&header, &body)?;
        self.buffer = self.buffer.slice(whole..);
        self.at += whole as u64;
        Ok(Cut::Page)
    }

    fn take(&mut self, header: &Header, body: &Bytes) -> Result<()> {
        if header.is_dictionary() {
            let page = header.page(body, self.codec, &self.column)?;
            self.lock().pages.push_front(Queued::Page(page));
            return Ok(());
        }
        if !header.is_data() {
            return Ok(());
        }
        self.seen = self.seen.saturating_add(u64::from(header.values));
        if self.seen > self.values {
            return Err(Error::data(format!("the pages have {} values, the column {}", self.seen, self.values)));
        }
        // Some writers have pages of nothing.
        if header.values == 0 {
            return Ok(());
        }
        let repeated = self.column.max_rep_level() > 0;
        if !repeated && self.begun + u64::from(header.values) <= self.wanted {
            self.begun += u64::from(header.values);
            self.pass(u64::from(header.values));
            return Ok(());
        }
        let page = header.page(body, self.codec, &self.column)?;
        let most = self.most as u64 / decoded_width(&self.column).max(1);
        let Records { rows, boundary, open } = if repeated {
            records(&page, &self.column, self.open, most)?
        } else {
            Records { rows: header.values.into(), boundary: true, open: 0 }
        };
        self.open = open;
        if self.begun == 0 && !boundary && header.values > 0 {
            return Err(Error::data("the column begins in the middle of a row"));
        }
        // A page is passed over only when the next one begins a row; until then it is held.
        if let Some((held, rows)) = self.held.take() {
            if boundary {
                self.pass(rows);
            } else {
                self.lock().pages.push_back(Queued::Page(held));
            }
        }
        self.begun += rows;
        if self.begun > self.rows {
            return Err(Error::data(format!(
                "the column has {} rows and more, its row group {}",
                self.begun, self.rows
            )));
        }
        if repeated && self.begun <= self.wanted {
            self.held = Some((page, rows));
        } else {
            self.lock().pages.push_back(Queued::Page(page));
        }
        Ok(())
    }

    /// The reader's end of this leaf, for a reader of ours.
    pub(super) fn taken(&self) -> Taken {
        Taken { queue: PageQueue(Arc::clone(&self.queue)), column: Arc::clone(&self.column) }
    }

    /// The reader's end of this leaf.
    pub(super) fn pages(&self) -> Pages {
        Pages(Some(PageQueue(Arc::clone(&self.queue))))
    }
}

/// What comes next of a column.
pub(super) enum Next {
    Page(Page),
    /// Pages that were passed over.
    Passed,
    End,
}

/// The pages of a leaf, for a reader of ours.
pub(super) struct Taken {
    queue: PageQueue,
    column: ColumnDescPtr,
}

impl Taken {
    pub(super) fn column(&self) -> &ColumnDescriptor {
        &self.column
    }

    /// The next page.
    pub(super) fn next(&self) -> Result<Next> {
        let mut queue = self.queue.lock();
        match queue.pages.front() {
            Some(Queued::Passed(_)) => return Ok(Next::Passed),
            None if queue.complete => return Ok(Next::End),
            None => return Err(Error::data(starved().to_string())),
            Some(Queued::Page(_)) => {}
        }
        match queue.pages.pop_front() {
            Some(Queued::Page(page)) => Ok(Next::Page(page)),
            _ => Ok(Next::End),
        }
    }

    /// The rows of pages that were passed over, if they come next.
    pub(super) fn passed(&self) -> Option<u64> {
        let mut queue = self.queue.lock();
        let Some(Queued::Passed(rows)) = queue.pages.front() else { return None };
        let rows = *rows as u64;
        queue.pages.pop_front();
        Some(rows)
    }
}

enum Cut {
    Page,
    Need(usize),
}

/// The one page reader of a leaf, once.
pub(super) struct Pages(Option<PageQueue>);

impl Iterator for Pages {
    type Item = ParquetResult<Box<dyn PageReader>>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.take().map(|queue| Ok(Box::new(queue) as Box<dyn PageReader>))
    }
}

impl PageIterator for Pages {}

/// Pops a leaf's pages.
struct PageQueue(Shared);

impl PageQueue {
    fn lock(&self) -> std::sync::MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn starved() -> ParquetError {
    ParquetError::General("its rows end before those of other columns: repetition levels and pages disagree".into())
}

impl PageReader for PageQueue {
    fn get_next_page(&mut self) -> ParquetResult<Option<Page>> {
        let mut queue = self.lock();
        match queue.pages.pop_front() {
            Some(Queued::Page(page)) => Ok(Some(page)),
            None if queue.complete => Ok(None),
            Some(Queued::Passed(_)) | None => Err(starved()),
        }
    }

    fn peek_next_page(&mut self) -> ParquetResult<Option<PageMetadata>> {
        let queue = self.lock();
        Ok(Some(match queue.pages.front() {
            Some(Queued::Passed(rows)) => PageMetadata { num_rows: Some(*rows), num_levels: None, is_dict: false },
            Some(Queued::Page(page)) => PageMetadata {
                num_rows: None,
                num_levels: Some(page.num_values() as usize),
                is_dict: page.is_dictionary_page(),
            },
            None if queue.complete => return Ok(None),
            None => return Err(starved()),
        }))
    }

    fn skip_next_page(&mut self) -> ParquetResult<()> {
        self.lock().pages.pop_front().map(drop).ok_or_else(starved)
    }

    /// Whether a row ends with the current page is only known at the end of the chunk.
    fn at_record_boundary(&mut self) -> ParquetResult<bool> {
        let queue = self.lock();
        Ok(queue.complete && queue.pages.is_empty())
    }
}

impl Iterator for PageQueue {
    type Item = ParquetResult<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

/// The bytes that a value has once decoded, its levels included: encoded, a thousand equal ones may have as many.
pub(super) fn decoded_width(column: &ColumnDescriptor) -> u64 {
    let value = match column.physical_type() {
        Type::BOOLEAN => 1,
        Type::INT32 | Type::FLOAT => 4,
        Type::INT64 | Type::DOUBLE => 8,
        Type::INT96 => 12,
        Type::BYTE_ARRAY => 16,
        Type::FIXED_LEN_BYTE_ARRAY => u64::try_from(column.type_length()).unwrap_or(0),
    };
    value + 2 * u64::from(column.max_rep_level() > 0) + 2 * u64::from(column.max_def_level() > 0)
}
