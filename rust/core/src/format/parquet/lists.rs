//! Columns of lists of numbers, as token ids and vectors are: decoded from pages into batches in one go.
//!
//! The `parquet` crate looks at each level of each value. Here levels are looked at as the runs that they are written
//! in, and values go from their page into the batch. A page with nulls or empty lists is decoded level by level.

use std::sync::Arc;

use arrow_array::{ArrayRef, make_array};
use arrow_buffer::{BooleanBufferBuilder, Buffer, NullBuffer, OffsetBuffer};
use arrow_data::ArrayData;
use arrow_schema::{DataType, FieldRef};
use bytes::Bytes;
use parquet::basic::{Encoding, Type};
use parquet::column::page::Page;
use parquet::file::metadata::ColumnChunkMetaData;

use super::feed::{Next, Taken};
use super::packed::{Hybrid, Run};
use super::page::parts;
use crate::error::{Error, Result};
use crate::pool::Buffer as Pooled;

/// How lists and their numbers are stored.
#[derive(Debug, Clone)]
pub(super) struct Shape {
    /// The list, as batches have it, and its numbers.
    list: FieldRef,
    number: FieldRef,
    /// The bytes of a number in pages, and in batches.
    stored: usize,
    width: usize,
}

impl Shape {
    /// How a column is decoded here, if it is: a list of numbers, in encodings that are plain or have a dictionary.
    pub(super) fn of(field: &FieldRef, column: &ColumnChunkMetaData) -> Option<Self> {
        let (DataType::List(number) | DataType::LargeList(number) | DataType::FixedSizeList(number, _)) =
            field.data_type()
        else {
            return None;
        };
        let descr = column.column_descr();
        let (stored, width) = match (descr.physical_type(), number.data_type()) {
            (Type::INT32, DataType::Int8 | DataType::UInt8) => (4, 1),
            (Type::INT32, DataType::Int16 | DataType::UInt16) => (4, 2),
            (Type::INT32, DataType::Int32 | DataType::UInt32) | (Type::FLOAT, DataType::Float32) => (4, 4),
            (Type::INT64, DataType::Int64 | DataType::UInt64) | (Type::DOUBLE, DataType::Float64) => (8, 8),
            _ => return None,
        };
        let levels = 1 + i16::from(field.is_nullable()) + i16::from(number.is_nullable());
        #[expect(deprecated, reason = "old files have it")]
        // Old writers name the last for levels that they do not write so.
        let known = column.encodings().all(|encoding| {
            matches!(
                encoding,
                Encoding::PLAIN
                    | Encoding::PLAIN_DICTIONARY
                    | Encoding::RLE_DICTIONARY
                    | Encoding::RLE
                    | Encoding::BIT_PACKED
            )
        });
        (known && descr.max_rep_level() == 1 && descr.max_def_level() == levels && descr.path().parts().len() <= 3)
            .then(|| Self { list: Arc::clone(field), number: Arc::clone(number), stored, width })
    }

    fn most(&self) -> u32 {
        1 + u32::from(self.list.is_nullable()) + u32::from(self.number.is_nullable())
    }
}

/// Reads a column.
pub(super) struct Lists {
    shape: Shape,
    name: String,
    pages: Taken,
    /// The numbers of the dictionary, as batches have them.
    dictionary: Option<Vec<u8>>,
    page: Option<Open>,
    /// The row that comes next.
    row: u64,
    /// The bytes of numbers that the last batch had for a row.
    mean: usize,
}

/// A page that is being decoded.
struct Open {
    /// Levels that are left.
    left: usize,
    repeats: Hybrid,
    /// What is there of lists and numbers; nothing where all numbers are.
    defined: Option<Hybrid>,
    values: Values,
}

enum Values {
    Plain(Bytes),
    Indices(Hybrid),
}

/// What a batch becomes.
#[derive(Default)]
struct Made {
    numbers: Vec<u8>,
    /// Where rows begin, in numbers.
    starts: Vec<u32>,
    /// How many numbers there are, nulls included.
    count: usize,
    /// Which lists and numbers are null, once one is.
    lists: Option<BooleanBufferBuilder>,
    items: Option<BooleanBufferBuilder>,
}

impl Made {
    fn item(&mut self, there: bool) {
        if !there && self.items.is_none() {
            let mut items = BooleanBufferBuilder::new(self.count + 1);
            items.append_n(self.count, true);
            self.items = Some(items);
        }
        if let Some(items) = &mut self.items {
            items.append(there);
        }
        self.count += 1;
    }

    fn items(&mut self, n: usize) {
        if let Some(items) = &mut self.items {
            items.append_n(n, true);
        }
        self.count += n;
    }

    fn list(&mut self, there: bool) {
        if !there && self.lists.is_none() {
            let mut lists = BooleanBufferBuilder::new(self.starts.len() + 1);
            lists.append_n(self.starts.len(), true);
            self.lists = Some(lists);
        }
        if let Some(lists) = &mut self.lists {
            lists.append(there);
        }
        self.starts.push(self.count as u32);
    }
}

fn short() -> Error {
    Error::data("a page with fewer levels or values than it says")
}

impl Lists {
    pub(super) fn new(shape: Shape, name: String, pages: Taken) -> Self {
        Self { shape, name, pages, dictionary: None, page: None, row: 0, mean: 0 }
    }

    /// The column, as batches have it.
    pub(super) fn field(&self) -> &FieldRef {
        &self.shape.list
    }

    /// Reads `rows` rows from row `from` on.
    pub(super) fn read(&mut self, from: u64, rows: usize) -> Result<ArrayRef> {
        let read = (|| {
            self.skip(from)?;
            self.rows(rows)
        })();
        read.map_err(|e| e.at(format_args!("column {}", self.name)))
    }

    fn rows(&mut self, rows: usize) -> Result<ArrayRef> {
        let room = (self.mean + self.mean / 8) * rows;
        let mut made = Made { numbers: Pooled::room(room), starts: Vec::with_capacity(rows + 1), ..Made::default() };
        while self.open()? {
            let Some(page) = &mut self.page else { break };
            let whole = if page.defined.is_some() {
                page.by_level(&self.shape, self.dictionary.as_deref(), rows, &mut made)?
            } else {
                let before = made.starts.len();
                let (n, whole) = page.by_run(rows, &mut made.starts, made.count)?;
                if let Some(lists) = &mut made.lists {
                    lists.append_n(made.starts.len() - before, true);
                }
                page.values.take(n, &self.shape, self.dictionary.as_deref(), &mut made.numbers)?;
                made.items(n);
                whole
            };
            if whole {
                break;
            }
        }
        if made.starts.len() < rows {
            return Err(Error::data(format!(
                "the rows end {} before those of their row group",
                rows - made.starts.len()
            )));
        }
        self.row += rows as u64;
        self.mean = made.numbers.len() / rows.max(1);
        self.array(rows, made)
    }

    /// Passes over rows up to `row`.
    fn skip(&mut self, row: u64) -> Result<()> {
        while self.row < row {
            if !self.open()? {
                let passed = self.pages.passed();
                self.row += passed.ok_or_else(|| Error::data("the rows end before the first that is wanted"))?;
                continue;
            }
            let Some(page) = &mut self.page else { break };
            self.row += page.pass((row - self.row) as usize, &self.shape, self.dictionary.as_deref())?;
        }
        // The rest of the row before is still to be passed over.
        while self.open()? {
            let Some(page) = &mut self.page else { break };
            if page.begins()? {
                break;
            }
            page.pass(0, &self.shape, self.dictionary.as_deref())?;
        }
        Ok(())
    }

    /// Has a page that is not used up; false where there is none.
    fn open(&mut self) -> Result<bool> {
        while self.page.as_ref().is_none_or(|page| page.left == 0) {
            self.page = None;
            match self.pages.next()? {
                Next::Page(page) => self.take(&page)?,
                Next::Passed | Next::End => return Ok(false),
            }
        }
        Ok(true)
    }

    fn take(&mut self, page: &Page) -> Result<()> {
        let column = self.pages.column();
        let (repeats, definitions, values) = parts(page, column)?;
        let within = |part: &[u8]| page.buffer().slice_ref(part);
        if !page.is_data_page() {
            let stored = within(values);
            let n = page.num_values() as usize * self.shape.stored;
            let stored = stored.get(..n).ok_or_else(short)?;
            let mut numbers = Vec::with_capacity(n);
            self.shape.append(stored, &mut numbers);
            self.dictionary = Some(numbers);
            return Ok(());
        }
        #[expect(deprecated, reason = "old files have it")]
        if matches!(page, Page::DataPage { def_level_encoding: Encoding::BIT_PACKED, .. }) {
            return Err(Error::data("definition levels of the deprecated encoding BIT_PACKED"));
        }
        let left = page.num_values() as usize;
        let most = self.shape.most();
        let all = Hybrid::new(within(definitions), u32::BITS - most.leading_zeros());
        let defined = (!all.clone().all(most, left)?).then_some(all);
        let values = match page.encoding() {
            Encoding::PLAIN => Values::Plain(within(values)),
            Encoding::PLAIN_DICTIONARY | Encoding::RLE_DICTIONARY => {
                let (width, indices) = values.split_first().unwrap_or((&0, &[]));
                if *width > 32 {
                    return Err(Error::data(format!("indices of {width} bits")));
                }
                Values::Indices(Hybrid::new(within(indices), u32::from(*width)))
            }
            other => {
                return Err(Error::data(format!("a page of encoding {other}, which its column does not name")));
            }
        };
        self.page = Some(Open { left, repeats: Hybrid::new(within(repeats), 1), defined, values });
        Ok(())
    }

    /// The batch's column.
    fn array(&self, rows: usize, made: Made) -> Result<ArrayRef> {
        let Made { numbers, mut starts, count, lists, items } = made;
        let invalid = |e: arrow_schema::ArrowError| Error::data(e.to_string());
        let nulls = |built: Option<BooleanBufferBuilder>| built.map(|mut bits| NullBuffer::new(bits.finish()));
        let (mut numbers, mut items) = (numbers, nulls(items));
        let lists = nulls(lists);
        let mut count = count;
        if let DataType::FixedSizeList(_, n) = self.shape.list.data_type() {
            let n = *n as usize;
            starts.push(count as u32);
            let fits = |i: usize| (starts[i + 1] - starts[i]) as usize == n;
            if let Some(bad) = (0..rows).find(|i| !fits(*i) && lists.as_ref().is_none_or(|lists| lists.is_valid(*i))) {
                return Err(Error::data(format!(
                    "a list of {} numbers where all have {n}",
                    starts[bad + 1] - starts[bad]
                )));
            }
            if let Some(lists) = lists.as_ref().filter(|_| count < n * rows) {
                // A null has numbers here, and none in the file.
                let (width, mut filled) = (self.shape.width, Vec::with_capacity(n * rows * self.shape.width));
                let mut there = BooleanBufferBuilder::new(n * rows);
                for i in 0..rows {
                    if lists.is_valid(i) {
                        let (first, end) = (starts[i] as usize, starts[i + 1] as usize);
                        filled.extend_from_slice(&numbers[first * width..end * width]);
                        (first..end).for_each(|j| there.append(items.as_ref().is_none_or(|items| items.is_valid(j))));
                    } else {
                        filled.resize(filled.len() + n * width, 0);
                        there.append_n(n, !self.shape.number.is_nullable());
                    }
                }
                (numbers, count) = (filled, n * rows);
                items = Some(NullBuffer::new(there.finish())).filter(|items| items.null_count() > 0);
            }
        }
        let buffer = Buffer::from(Pooled::from(numbers).share());
        // Numbers lie where they can be read as such; what an allocator gives does, in practice.
        let buffer =
            if buffer.as_ptr().align_offset(self.shape.width) == 0 { buffer } else { Buffer::from(&buffer[..]) };
        let numbers = ArrayData::builder(self.shape.number.data_type().clone())
            .len(count)
            .add_buffer(buffer)
            .nulls(items)
            .build()
            .map_err(invalid)?;
        let built =
            ArrayData::builder(self.shape.list.data_type().clone()).len(rows).nulls(lists).add_child_data(numbers);
        let built = match self.shape.list.data_type() {
            DataType::FixedSizeList(..) => built,
            DataType::LargeList(_) => {
                let offsets: Vec<i64> = starts.iter().map(|at| i64::from(*at)).chain([count as i64]).collect();
                built.add_buffer(OffsetBuffer::new(offsets.into()).into_inner().into_inner())
            }
            _ => {
                let last = i32::try_from(count).map_err(|_| Error::data("more numbers than a batch can have"))?;
                let offsets: Vec<i32> = starts.iter().map(|at| at.cast_signed()).chain([last]).collect();
                built.add_buffer(OffsetBuffer::new(offsets.into()).into_inner().into_inner())
            }
        };
        Ok(make_array(built.build().map_err(invalid)?))
    }
}

impl Shape {
    /// Numbers as batches have them.
    fn append(&self, stored: &[u8], numbers: &mut Vec<u8>) {
        if self.stored == self.width {
            numbers.extend_from_slice(stored);
            return;
        }
        // Little endian: a shorter number is the first bytes of a longer one.
        match self.width {
            1 => numbers.extend(stored.chunks_exact(4).map(|number| number[0])),
            _ => stored.chunks_exact(4).for_each(|number| numbers.extend_from_slice(&number[..2])),
        }
    }
}

impl Open {
    /// Whether a row begins next.
    fn begins(&self) -> Result<bool> {
        Ok(self.repeats.clone().next()? == Some(0))
    }

    /// Passes over what goes on with a row that began before, and then over up to `rows` rows; says how many began.
    fn pass(&mut self, rows: usize, shape: &Shape, dictionary: Option<&[u8]>) -> Result<u64> {
        let mut made = Made::default();
        if self.defined.is_some() {
            self.by_level(shape, dictionary, rows, &mut made)?;
        } else {
            let (n, _) = self.by_run(rows, &mut made.starts, 0)?;
            self.values.skip(n, shape)?;
        }
        Ok(made.starts.len() as u64)
    }

    /// Passes over levels of a page of which all numbers are there, until `rows` rows in all have begun and another
    /// would: how many numbers these are, and whether that is so.
    fn by_run(&mut self, rows: usize, starts: &mut Vec<u32>, count: usize) -> Result<(usize, bool)> {
        let mut n = 0;
        while self.left > 0 {
            let run = self.repeats.run(self.left)?.ok_or_else(short)?;
            match run {
                Run::Same(0, length) => {
                    let more = length.min(rows - starts.len());
                    starts.extend((0..more).map(|i| (count + n + i) as u32));
                    n += more;
                    self.left -= more;
                    self.repeats.unread(length - more);
                    if more < length {
                        return Ok((n, true));
                    }
                }
                // What is no level counts as one, as where rows are counted.
                Run::Same(_, length) => {
                    n += length;
                    self.left -= length;
                }
                Run::Packed(word, length) => {
                    // A bit is 0 where a row begins.
                    let mut begins = !word & (u64::MAX >> (64 - length));
                    while begins != 0 {
                        let at = begins.trailing_zeros() as usize;
                        if starts.len() == rows {
                            self.left -= at;
                            self.repeats.unread(length - at);
                            return Ok((n + at, true));
                        }
                        starts.push((count + n + at) as u32);
                        begins &= begins - 1;
                    }
                    n += length;
                    self.left -= length;
                }
            }
        }
        Ok((n, false))
    }

    /// The same of a page with nulls or empty lists, with its numbers.
    fn by_level(&mut self, shape: &Shape, dictionary: Option<&[u8]>, rows: usize, made: &mut Made) -> Result<bool> {
        let most = shape.most();
        let (null, empty) = if shape.list.is_nullable() { (Some(0), 1) } else { (None, 0) };
        let Some(defined) = &mut self.defined else { return Err(Error::internal("a page of which all is there")) };
        while self.left > 0 {
            let repeat = self.repeats.next()?.ok_or_else(short)?;
            if repeat == 0 && made.starts.len() == rows {
                self.repeats.unread(1);
                return Ok(true);
            }
            let level = defined.next()?.ok_or_else(short)?;
            if level > most {
                return Err(Error::data("a level that is too high"));
            }
            self.left -= 1;
            if repeat == 0 {
                made.list(Some(level) != null);
            } else if level <= empty {
                return Err(Error::data("a list that is empty or null, and goes on"));
            }
            if level <= empty {
                continue;
            }
            if level == most {
                made.item(true);
                self.values.take(1, shape, dictionary, &mut made.numbers)?;
            } else {
                made.item(false);
                made.numbers.resize(made.numbers.len() + shape.width, 0);
            }
        }
        Ok(false)
    }
}

impl Values {
    /// The next numbers.
    fn take(&mut self, n: usize, shape: &Shape, dictionary: Option<&[u8]>, numbers: &mut Vec<u8>) -> Result<()> {
        match self {
            Self::Plain(bytes) => {
                if bytes.len() < n * shape.stored {
                    return Err(short());
                }
                shape.append(&bytes.split_to(n * shape.stored), numbers);
                Ok(())
            }
            Self::Indices(indices) => {
                let dictionary = dictionary.ok_or_else(|| Error::data("indices of a dictionary that is not there"))?;
                match shape.width {
                    1 => indices.look_up::<1>(n, dictionary, numbers),
                    2 => indices.look_up::<2>(n, dictionary, numbers),
                    4 => indices.look_up::<4>(n, dictionary, numbers),
                    _ => indices.look_up::<8>(n, dictionary, numbers),
                }
            }
        }
    }

    /// Passes over numbers.
    fn skip(&mut self, n: usize, shape: &Shape) -> Result<()> {
        match self {
            Self::Plain(bytes) if bytes.len() >= n * shape.stored => {
                drop(bytes.split_to(n * shape.stored));
                Ok(())
            }
            Self::Plain(_) => Err(short()),
            Self::Indices(indices) => indices.skip(n),
        }
    }
}
