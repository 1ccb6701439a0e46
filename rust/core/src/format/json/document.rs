//! A file that is one JSON document: its rows are read as its bytes come.
//!
//! A row is read where it begins in the block at hand. One that the block ends in the middle of is taken back, and read
//! again with what follows it.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, new_null_array};
use arrow_buffer::Buffer;
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use bytes::Bytes;

use super::super::encoding::Encoding;
use super::super::input::{Input, Part};
use super::super::{Decoder, Options, Source, Step, too_large, unasked};
use super::column::{Column, Object};
use super::syntax::{Parsed, Reader};
use super::{BOM, Layout, Texts, describe};
use crate::error::{Error, Result};

/// So close to the end of a block, what is wrong may be that the block ends: the longest escape, word or mark.
const SLACK: usize = 16;

/// What rows are given to.
pub(super) trait Sink {
    /// The next row; its first byte is still there.
    fn row(&mut self, reader: &mut Reader, layout: Layout) -> Parsed<()>;

    /// The row was not whole: it comes again.
    fn undo(&mut self);

    /// Whether no more rows are wanted.
    fn full(&self) -> bool {
        false
    }

    /// A new block is read.
    fn block(&mut self, _block: &Bytes) {}
}

/// Why a run ended.
pub(super) enum Flow {
    /// These bytes are needed.
    Need(Range<u64>),
    /// The block at hand is used up.
    Block,
    /// There are no more rows.
    Done,
}

/// Where in the document the next byte is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Place {
    Start,
    /// Before a name of the object that has the field, or before its end.
    Names {
        first: bool,
        found: bool,
    },
    /// At the value that has the rows.
    Value,
    /// Before a row.
    Row {
        first: bool,
    },
    /// After the rows.
    After,
    End,
}

/// The rows of a document.
pub(super) struct Documents {
    input: Input,
    layout: Layout,
    field: Option<String>,
    block: Bytes,
    /// Bytes of the block that are behind.
    pos: usize,
    /// Bytes of the block that are whole characters.
    valid: usize,
    /// The place of the block's first byte in the document.
    base: u64,
    /// Nothing follows the block.
    last: bool,
    fresh: bool,
    place: Place,
    rows: u64,
    unit: usize,
    most: usize,
}

impl Documents {
    pub(super) fn new(layout: Layout, field: Option<&str>, size: u64, packed: bool, unit: usize, most: usize) -> Self {
        Self {
            input: Input::new(0..size, packed),
            layout,
            field: field.map(str::to_owned),
            block: Bytes::new(),
            pos: 0,
            valid: 0,
            base: 0,
            last: false,
            fresh: false,
            place: Place::Start,
            rows: 0,
            unit,
            most,
        }
    }

    /// The same, of text of an encoding, if there is one.
    pub(super) fn encoded(mut self, encoding: Option<&Arc<Encoding>>) -> Result<Self> {
        self.input = self.input.encoded(encoding)?;
        Ok(self)
    }

    /// What the document has, as far as that is known.
    pub(super) fn layout(&self) -> Layout {
        self.layout
    }

    /// How much is behind.
    pub(super) fn at(&self) -> u64 {
        self.base + self.pos as u64
    }

    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    pub(super) fn push(&mut self, range: &Range<u64>, bytes: Bytes) -> Result<()> {
        self.input.push(range, bytes)
    }

    /// Gives rows of the block at hand, and reads the next when it is used up.
    pub(super) fn run(&mut self, sink: &mut dyn Sink) -> Result<Flow> {
        if self.fresh && self.advance(sink)? {
            return Ok(Flow::Done);
        }
        if self.fresh && !self.last {
            self.fresh = false;
            return Ok(Flow::Block);
        }
        if self.last {
            return if self.place == Place::End {
                Ok(Flow::Done)
            } else {
                Err(self.wrong("the document ends in the middle of a value: it was cut"))
            };
        }
        let front = self.block.slice(self.pos..);
        if front.len() > self.most {
            return Err(self.wrong(&too_large("a value", self.most)));
        }
        // Twice as much each time, so that a long value is not read again and again.
        let unit = self.unit.max(front.len());
        match self.input.next(&front)? {
            Part::Bytes(block) => {
                self.base += self.pos as u64;
                (self.block, self.pos) = (block, 0);
            }
            Part::Need => {
                return self
                    .input
                    .need(unit)
                    .map(Flow::Need)
                    .ok_or_else(|| Error::internal("a document that needs nothing"));
            }
            Part::End => {
                self.base += self.pos as u64;
                (self.block, self.pos) = (front, 0);
                self.last = true;
            }
        }
        self.last |= !self.input.derived() && self.input.done();
        self.valid = match simdutf8::compat::from_utf8(&self.block) {
            Ok(_) => self.block.len(),
            Err(e) if e.error_len().is_none() && !self.last => e.valid_up_to(),
            Err(e) => {
                self.pos = e.valid_up_to();
                let utf16 =
                    self.base == 0 && (self.block.starts_with(b"\xFF\xFE") || self.block.starts_with(b"\xFE\xFF"));
                return Err(self.wrong(if utf16 {
                    "the file is UTF-16; pass encoding=\"utf-16\""
                } else {
                    "the document is not UTF-8"
                }));
            }
        };
        self.fresh = true;
        sink.block(&self.block);
        self.run(sink)
    }

    fn wrong(&self, what: &str) -> Error {
        Error::data(what).at(format_args!("byte {}", self.at()))
    }

    /// Goes through the block; true at the end of the document.
    fn advance(&mut self, sink: &mut dyn Sink) -> Result<bool> {
        let block = self.block.clone();
        let mut reader = Reader::new(&block[..self.valid]);
        reader.at = self.pos;
        if self.base == 0 && reader.at == 0 && block.starts_with(BOM) {
            reader.at = BOM.len();
        }
        loop {
            while reader.bytes.get(reader.at).is_some_and(u8::is_ascii_whitespace) {
                reader.at += 1;
            }
            self.pos = reader.at;
            if sink.full() {
                return Ok(true);
            }
            if self.place == Place::End || (reader.at >= reader.bytes.len() && self.ends()) {
                if reader.at < reader.bytes.len() {
                    return Err(
                        describe(&reader.unexpected("the end of the document")).at(format_args!("byte {}", self.base))
                    );
                }
                self.place = if self.last { Place::End } else { self.place };
                return Ok(self.last);
            }
            let before = self.place;
            match self.step(&mut reader, sink) {
                Ok(()) => {}
                Err(fault) if !self.last && fault.at + SLACK >= reader.bytes.len() => {
                    self.place = before;
                    if matches!(before, Place::Row { .. }) {
                        sink.undo();
                    }
                    return Ok(false);
                }
                Err(fault) => {
                    let place = format!("row {} (byte {})", self.rows, self.at());
                    return Err(describe(&super::Fault { at: fault.at.saturating_sub(self.pos), ..fault }).at(place));
                }
            }
        }
    }

    /// Whether the document may end here.
    fn ends(&self) -> bool {
        self.layout == Layout::Objects && matches!(self.place, Place::Row { first: false })
    }

    fn step(&mut self, reader: &mut Reader, sink: &mut dyn Sink) -> Parsed<()> {
        match self.place {
            Place::Start if self.field.is_some() => {
                reader.expect(b'{', "an object")?;
                self.place = Place::Names { first: true, found: false };
            }
            Place::Start => self.place = Place::Value,
            Place::Names { first, found } => self.name(reader, first, found)?,
            Place::Value => match (self.layout, reader.peek()?) {
                (Layout::Objects, _) => self.place = Place::Row { first: true },
                (Layout::Columns | Layout::Array, b'{') if self.field.is_some() => {
                    self.layout = Layout::Columns;
                    self.place = Place::Row { first: true };
                }
                (_, b'[') => {
                    reader.at += 1;
                    if !matches!(reader.peek()?, b'{' | b']') {
                        self.layout = Layout::Values;
                    }
                    self.place = Place::Row { first: true };
                }
                _ => {
                    return Err(reader.unexpected(if self.field.is_some() {
                        "an array, or an object of columns"
                    } else {
                        "an array"
                    }));
                }
            },
            Place::Row { first } => self.row(reader, sink, first)?,
            Place::After => {
                self.place = if self.field.is_some() { Place::Names { first: false, found: true } } else { Place::End };
            }
            Place::End => {}
        }
        Ok(())
    }

    fn name(&mut self, reader: &mut Reader, first: bool, found: bool) -> Parsed<()> {
        if reader.peek()? == b'}' {
            reader.at += 1;
            if !found {
                let field = self.field.as_deref().unwrap_or_default();
                reader.at -= 1;
                return Err(super::Fault::new(
                    reader.at,
                    format!("the document has no field {field:?}, which field= names"),
                ));
            }
            self.place = Place::End;
            return Ok(());
        }
        if !first {
            reader.expect(b',', "',' or '}'")?;
        }
        if reader.peek()? != b'"' {
            return Err(reader.unexpected("a name in quotes"));
        }
        let name = reader.string()?;
        reader.expect(b':', "':'")?;
        reader.peek()?;
        if !found && Some(&*reader.text(name)) == self.field.as_deref().map(str::as_bytes) {
            self.place = Place::Value;
            return Ok(());
        }
        reader.skip(1)?;
        // A number may go on in the next block.
        reader.peek()?;
        self.place = Place::Names { first: false, found };
        Ok(())
    }

    fn row(&mut self, reader: &mut Reader, sink: &mut dyn Sink, first: bool) -> Parsed<()> {
        let array = matches!(self.layout, Layout::Array | Layout::Values);
        if array {
            if reader.peek()? == b']' {
                reader.at += 1;
                self.place = Place::After;
                return Ok(());
            }
            if !first {
                reader.expect(b',', "',' or ']'")?;
                reader.peek()?;
            }
        }
        if self.layout == Layout::Values {
            // A number may go on in the next block: only what follows shows that it is whole.
            let start = reader.at;
            reader.skip(0)?;
            reader.peek()?;
            reader.at = start;
        }
        sink.row(reader, self.layout)?;
        self.rows += 1;
        self.place = if self.layout == Layout::Columns { Place::After } else { Place::Row { first: false } };
        Ok(())
    }
}

/// Decodes a document.
pub(super) struct DocumentDecoder {
    documents: Documents,
    rows: Rows,
    schema: SchemaRef,
    asked: Option<Range<u64>>,
    /// The columns of a document that has columns, once read, and how many of their rows were given.
    columns: Option<(Vec<ArrayRef>, usize)>,
    done: bool,
    first: u64,
    unit: u64,
}

/// What rows become.
struct Rows {
    layout: Layout,
    object: Object,
    /// The one column of an array of values.
    value: Option<Column>,
    texts: Texts,
    block: Bytes,
    /// Rows so far, and those that are wanted.
    next: u64,
    wanted: Range<u64>,
    /// Those of the current batch.
    made: usize,
    counting: bool,
}

impl Sink for Rows {
    fn row(&mut self, reader: &mut Reader, _layout: Layout) -> Parsed<()> {
        let columns = self.layout == Layout::Columns;
        if (self.next < self.wanted.start || self.counting) && !columns {
            reader.skip(0)?;
        } else if let Some(value) = &mut self.value {
            value.take(reader, &mut self.texts, 0)?;
        } else if reader.peek()? == b'{' {
            self.object.take(reader, &mut self.texts, 0)?;
        } else {
            return Err(reader.unexpected("an object"));
        }
        self.next += 1;
        self.made += usize::from(self.next > self.wanted.start);
        Ok(())
    }

    fn undo(&mut self) {
        let made = if self.counting { 0 } else { self.made };
        self.object.truncate(made);
        if let Some(value) = &mut self.value {
            value.truncate(made);
        }
    }

    fn full(&self) -> bool {
        self.next >= self.wanted.end && self.layout != Layout::Columns
    }

    fn block(&mut self, block: &Bytes) {
        self.block = block.clone();
        self.texts = Texts { line: Some(0), side: Vec::new() };
    }
}

impl Rows {
    /// What the last block gave, as Arrow has it.
    fn finish(&mut self) -> Result<Vec<ArrayRef>> {
        let buffers = [Buffer::from(self.block.clone()), Buffer::from_vec(std::mem::take(&mut self.texts.side))];
        self.made = 0;
        match &mut self.value {
            Some(value) => Ok(vec![value.finish(&buffers)?]),
            None => Ok(self.object.finish(&buffers)?.1),
        }
    }
}

impl DocumentDecoder {
    pub(super) fn new(layout: Layout, field: Option<&str>, piece: &Source, options: &Options) -> Result<Self> {
        let mut schema = piece.schema.clone();
        if layout == Layout::Columns {
            let list =
                |field: &arrow_schema::FieldRef| Field::new(field.name(), DataType::List(Arc::clone(field)), true);
            schema = Schema::new(schema.fields().iter().map(list).collect::<Vec<_>>());
        }
        let object = Object::new(schema.fields(), |name| options.wants(name), piece.declared)?;
        let natural = match layout {
            Layout::Columns => object.natural().iter().map(item).collect(),
            _ => object.natural(),
        };
        let text =
            piece.schema.field_with_name("text").ok().filter(|_| layout == Layout::Values && options.wants("text"));
        let value = text.map(|field| Column::new(field, true, piece.declared)).transpose()?;
        let schema = match &value {
            Some(value) => Schema::new(vec![value.field("text")]),
            None => Schema::new(natural),
        };
        let unit = options.unit.min(512 << 10) as usize;
        Ok(Self {
            documents: Documents::new(layout, field, piece.size, piece.unpacked.is_some(), unit, options.most),
            rows: Rows {
                layout,
                object,
                value,
                texts: Texts { line: Some(0), side: Vec::new() },
                block: Bytes::new(),
                next: 0,
                wanted: options.rows.clone(),
                made: 0,
                counting: options.counting() || (layout == Layout::Values && text.is_none()),
            },
            schema: Arc::new(schema),
            asked: None,
            columns: None,
            done: false,
            first: options.rows.start,
            unit: options.unit,
        })
    }

    /// The same, of text of an encoding, if there is one.
    pub(super) fn encoded(mut self, encoding: Option<&Arc<Encoding>>) -> Result<Self> {
        self.documents = self.documents.encoded(encoding)?;
        Ok(self)
    }

    fn batch(&mut self) -> Result<RecordBatch> {
        let rows = self.rows.made;
        let columns = if self.rows.counting {
            self.rows.made = 0;
            Vec::new()
        } else {
            self.rows.finish()?
        };
        self.made(columns, rows)
    }

    fn made(&self, columns: Vec<ArrayRef>, rows: usize) -> Result<RecordBatch> {
        RecordBatch::try_new_with_options(
            Arc::clone(&self.schema),
            columns,
            &RecordBatchOptions::new().with_row_count(Some(rows)),
        )
        .map_err(|e| Error::internal(e.to_string()))
    }

    /// The next rows of columns that were read whole.
    fn slice(&mut self) -> Result<Step> {
        let Some((columns, next)) = &mut self.columns else {
            return Err(Error::internal("a document without columns"));
        };
        let rows = columns.iter().map(Array::len).max().unwrap_or(0);
        let bytes: usize = columns.iter().map(Array::get_array_memory_size).sum();
        let size = (self.unit as usize * rows).checked_div(bytes.max(1)).unwrap_or(rows).max(1);
        let end = (self.rows.wanted.end.min(rows as u64) as usize).min(*next + size);
        if *next >= end {
            return Ok(Step::Done);
        }
        let part = columns.iter().map(|column| column.slice(*next, end - *next)).collect();
        let rows = end - *next;
        *next = end;
        self.made(part, rows).map(Step::Batch)
    }

    /// The columns of a document, checked to be of one length.
    fn columns(&mut self) -> Result<()> {
        let lists = self.rows.finish()?;
        let items = |(column, field): (&ArrayRef, &arrow_schema::FieldRef)| match column.as_list_opt::<i32>() {
            Some(list) if list.len() == 1 && list.is_valid(0) => Ok(list.value(0)),
            _ => Err(Error::data(format!("field {:?}: expected a list, as a column is one, found null", field.name()))),
        };
        let mut columns = lists.iter().zip(self.schema.fields()).map(items).collect::<Result<Vec<_>>>()?;
        let rows = columns.iter().map(Array::len).max().unwrap_or(0);
        for (column, field) in columns.iter_mut().zip(self.schema.fields()) {
            if column.len() != rows {
                return Err(Error::data(format!(
                    "field {:?} has {} values, other columns {rows}",
                    field.name(),
                    column.len()
                )));
            }
            if column.data_type() == &DataType::Null {
                *column = new_null_array(field.data_type(), rows);
            }
        }
        self.columns = Some((columns, self.first.min(rows as u64) as usize));
        Ok(())
    }
}

/// What a list has.
fn item(field: &arrow_schema::FieldRef) -> arrow_schema::FieldRef {
    match field.data_type() {
        DataType::List(of) => Arc::new(Field::clone(of).with_name(field.name()).with_nullable(true)),
        _ => Arc::clone(field),
    }
}

impl Decoder for DocumentDecoder {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn push(&mut self, range: Range<u64>, bytes: Bytes) -> Result<()> {
        if self.asked.take().as_ref() != Some(&range) {
            return Err(unasked(&range));
        }
        self.documents.push(&range, bytes)
    }

    fn poll(&mut self) -> Result<Step> {
        loop {
            if self.done {
                return if self.columns.is_some() { self.slice() } else { Ok(Step::Done) };
            }
            match self.documents.run(&mut self.rows)? {
                Flow::Need(range) => {
                    self.asked = Some(range.clone());
                    return Ok(Step::Need(vec![range]));
                }
                Flow::Block => {}
                Flow::Done => self.done = true,
            }
            if self.rows.layout != Layout::Columns && self.rows.made > 0 {
                return self.batch().map(Step::Batch);
            }
            // The document is read to its end before a row is given, so that what was cut is an error.
            if self.rows.layout == Layout::Columns && self.rows.next > 0 && self.columns.is_none() {
                self.columns()?;
            }
        }
    }
}
