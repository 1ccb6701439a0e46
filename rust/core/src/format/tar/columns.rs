//! The samples of a batch, as a column for each field.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, BinaryViewArray, Int64Array, ListArray, RecordBatch, RecordBatchOptions, StringViewArray, StructArray,
};
use arrow_buffer::{Buffer, NullBuffer, NullBufferBuilder, OffsetBuffer, ScalarBuffer};
use arrow_schema::{ArrowError, DataType, Field, FieldRef, Fields, Schema, SchemaRef};
use bytes::Bytes;

use super::header::{Naming, not_utf8};
use super::kinds::{has_media, is_json, is_number, is_text};
use super::sample::{Content, Member, Sample};
use super::{KEY, URL, WebDataset, gone, member, utf8};
use crate::conform::LABELS;
use crate::error::{Error, Kind, Result};
use crate::format::json::{Column, SyntaxReader, Texts, describe, view};
use crate::format::{Options, Source};

/// The columns of a batch, as they grow.
pub(super) struct Columns {
    fields: Vec<Builder>,
    known: Vec<String>,
    /// Whether a user named the columns.
    declared: bool,
    pub(super) schema: SchemaRef,
    url: Arc<str>,
    reading: WebDataset,
    texts: Texts,
    rows: usize,
}

struct Builder {
    name: String,
    values: Values,
    nulls: NullBufferBuilder,
    /// Samples of this batch that have it, or lack it.
    len: usize,
}

/// The values of a field.
enum Values {
    Bytes(Vec<u128>),
    Text(Vec<u128>),
    Json(Box<Column>),
    Numbers(Vec<i64>),
    /// Bytes and paths.
    Media(Vec<u128>, Vec<u128>),
    Key(Vec<u128>),
    Url,
    /// All members: where those of each sample end, and their names and bytes.
    Members {
        ends: Vec<i32>,
        names: Vec<u128>,
        contents: Vec<u128>,
    },
}

impl Columns {
    /// The columns of a piece that are wanted.
    pub(super) fn new(piece: &Source, options: &Options, reading: WebDataset) -> Result<Self> {
        let mut fields = Vec::new();
        let mut types = Vec::new();
        for field in piece.schema.fields().iter().filter(|field| options.wants(field.name())) {
            let (values, made) = Values::of(field, reading)?;
            types.push(made);
            fields.push(Builder { name: field.name().clone(), values, nulls: NullBufferBuilder::new(0), len: 0 });
        }
        Ok(Self {
            fields,
            known: piece.schema.fields().iter().map(|field| field.name().clone()).collect(),
            declared: piece.declared,
            schema: Arc::new(Schema::new(types)),
            url: piece.url.into(),
            reading,
            texts: no_texts(),
            rows: 0,
        })
    }

    /// Adds a sample of a block that stands at `base`; one that cannot be read leaves nothing. `listed`: whether the
    /// links of the archive were found when it was listed.
    pub(super) fn add(&mut self, block: &Bytes, base: u64, found: &Sample, listed: bool) -> Result<()> {
        for one in &found.members {
            let added = self.add_member(block, base, found, one, listed);
            if added.is_err() {
                self.fields.iter_mut().for_each(|builder| builder.truncate(self.rows));
                return added;
            }
        }
        self.fields.iter_mut().for_each(|builder| builder.end_row(self.rows, found.key(), &mut self.texts));
        self.rows += 1;
        Ok(())
    }

    fn add_member(&mut self, block: &Bytes, base: u64, found: &Sample, one: &Member, listed: bool) -> Result<()> {
        let (name, field, at) = (&one.name, one.field(), base + one.header as u64);
        if one.odd && self.reading.names == Naming::Utf8 {
            return Err(not_utf8(name).at(format_args!("byte {at}")));
        }
        let (bytes, start) = match &one.content {
            Content::Here(range) => (&block[range.clone()], Some(range.start)),
            Content::Away(bytes) => (&bytes[..], None),
            Content::Gone(target) => {
                let hint = if listed {
                    ""
                } else {
                    "; in an archive that is compressed or far away a link is followed only to members before it, and \
                     only where it is not compressed: decompress it, or download it"
                };
                return Err(gone(name, target, hint).at(format_args!("byte {at}")));
            }
        };
        if self.reading.members {
            let mut before = found.members.iter().take_while(|other| !std::ptr::eq(*other, one));
            if before.any(|other| other.field() == field) {
                return Err(member(twice(field, found.key()), name, at));
            }
            self.fields.iter_mut().for_each(|builder| builder.list(field, bytes, start, &mut self.texts));
            return Ok(());
        }
        let Some(builder) = self.fields.iter_mut().find(|builder| builder.name == field) else {
            // What a user did not name is not wanted.
            if self.declared || self.known.iter().any(|known| known == field) {
                return Ok(());
            }
            return Err(member(unknown(field), name, at));
        };
        if builder.len > self.rows {
            return Err(member(twice(field, found.key()), name, at));
        }
        builder.push(name, bytes, start, &mut self.texts).map_err(|e| member(e, name, at))
    }

    /// The samples of a block, as a batch; there are none afterwards.
    pub(super) fn finish(&mut self, block: Bytes) -> Result<RecordBatch> {
        let rows = std::mem::take(&mut self.rows);
        let mut texts = std::mem::replace(&mut self.texts, no_texts());
        let url = copied(self.url.as_bytes(), &mut texts);
        let buffers: Arc<[Buffer]> = [Buffer::from(block), Buffer::from_vec(texts.side)].into();
        let columns = self.fields.iter_mut().map(|builder| builder.finish(&buffers, rows, url));
        RecordBatch::try_new_with_options(
            Arc::clone(&self.schema),
            columns.collect::<Result<Vec<_>>>()?,
            &RecordBatchOptions::new().with_row_count(Some(rows)),
        )
        .map_err(internal)
    }
}

impl Values {
    /// No values of a field, and the field that they get.
    fn of(field: &FieldRef, reading: WebDataset) -> Result<(Self, Field)> {
        let name = field.name();
        if is_json(name) && ![KEY, URL].contains(&name.as_str()) && !reading.members {
            let column = Column::new(field, true, false)?;
            let made = column.field(name);
            return Ok((Self::Json(Box::new(column)), made));
        }
        let (values, data_type) = if name == KEY {
            (Self::Key(Vec::new()), DataType::Utf8View)
        } else if name == URL {
            (Self::Url, DataType::Utf8View)
        } else if reading.members {
            let none = Self::Members { ends: vec![0], names: Vec::new(), contents: Vec::new() };
            (none, DataType::List(Arc::new(Field::new("item", DataType::Struct(parts_of_member()), false))))
        } else if is_text(name) {
            (Self::Text(Vec::new()), DataType::Utf8View)
        } else if has_media(field.data_type()) {
            (Self::Media(Vec::new(), Vec::new()), DataType::Struct(viewed_media()))
        } else if field.data_type().is_integer() && is_number(name) && !field.metadata().contains_key(LABELS) {
            (Self::Numbers(Vec::new()), DataType::Int64)
        } else {
            (Self::Bytes(Vec::new()), DataType::BinaryView)
        };
        Ok((values, Field::new(name, data_type, true)))
    }
}

impl Builder {
    /// Adds the bytes of a member, which stand in the block from `start` on if they do.
    fn push(&mut self, name: &str, bytes: &[u8], start: Option<usize>, texts: &mut Texts) -> Result<()> {
        self.len += 1;
        match &mut self.values {
            Values::Bytes(views) => views.push(placed(bytes, start, texts)),
            Values::Text(views) => {
                utf8(bytes)?;
                views.push(placed(bytes, start, texts));
            }
            Values::Json(column) => {
                let text = utf8(bytes)?;
                let mut reader = SyntaxReader::new(text);
                texts.line = start.map(|start| start + bytes.len() - text.len());
                let read = reader.peek().and_then(|_| column.take(&mut reader, texts, 0)).and_then(|()| reader.end());
                read.map_err(|fault| describe(&fault.within(&self.name)))?;
            }
            Values::Numbers(values) => {
                let number = std::str::from_utf8(bytes).ok().and_then(|text| text.trim().parse().ok());
                values.push(number.ok_or_else(|| {
                    Error::data(format!(
                        "{:?} is no whole number, as members of {field:?} are; features={{{field:?}: \
                         Value(\"binary\")}} gives their bytes",
                        String::from_utf8_lossy(&bytes[..bytes.len().min(40)]),
                        field = self.name
                    ))
                })?);
            }
            Values::Media(contents, paths) => {
                contents.push(placed(bytes, start, texts));
                paths.push(copied(name.as_bytes(), texts));
            }
            Values::Key(_) | Values::Url | Values::Members { .. } => {}
        }
        self.nulls.append_non_null();
        Ok(())
    }

    /// Adds a member to those of its sample, where they are one column.
    fn list(&mut self, field: &str, bytes: &[u8], start: Option<usize>, texts: &mut Texts) {
        if let Values::Members { names, contents, .. } = &mut self.values {
            names.push(copied(field.as_bytes(), texts));
            contents.push(placed(bytes, start, texts));
        }
    }

    /// Adds what a sample has beside its members, or a null where it has no member of this field.
    fn end_row(&mut self, row: usize, key: &str, texts: &mut Texts) {
        match &mut self.values {
            Values::Key(views) => {
                views.push(copied(key.as_bytes(), texts));
                self.nulls.append_non_null();
            }
            Values::Url => {}
            Values::Members { ends, names, .. } => ends.push(names.len() as i32),
            _ if self.len > row => {}
            Values::Bytes(views) | Values::Text(views) => {
                views.push(0);
                self.nulls.append_null();
            }
            Values::Numbers(values) => {
                values.push(0);
                self.nulls.append_null();
            }
            Values::Media(contents, paths) => {
                contents.push(0);
                paths.push(0);
                self.nulls.append_null();
            }
            Values::Json(column) => {
                column.null();
                self.nulls.append_null();
            }
        }
        self.len = row + 1;
    }

    /// Takes back all after the first `rows` samples.
    fn truncate(&mut self, rows: usize) {
        match &mut self.values {
            Values::Bytes(views) | Values::Text(views) | Values::Key(views) => views.truncate(rows),
            Values::Json(column) => column.truncate(rows),
            Values::Numbers(values) => values.truncate(rows),
            Values::Media(contents, paths) => {
                contents.truncate(rows);
                paths.truncate(rows);
            }
            Values::Url => {}
            Values::Members { ends, names, contents } => {
                ends.truncate(rows + 1);
                let left = ends.last().copied().unwrap_or(0) as usize;
                names.truncate(left);
                contents.truncate(left);
            }
        }
        self.nulls.truncate(rows);
        self.len = self.len.min(rows);
    }

    /// The column; none of its values are left. Views are of ranges of the two `buffers`: the block, and what was
    /// copied beside it.
    fn finish(&mut self, buffers: &Arc<[Buffer]>, rows: usize, url: u128) -> Result<ArrayRef> {
        self.len = 0;
        let nulls = self.nulls.finish();
        let bytes = |views: Vec<u128>, nulls: Option<NullBuffer>| {
            // SAFETY: each view was made of a range of one of the buffers, with its length and prefix.
            unsafe { BinaryViewArray::new_unchecked(ScalarBuffer::from(views), Arc::clone(buffers), nulls) }
        };
        let texts = |views: Vec<u128>, nulls: Option<NullBuffer>| {
            // SAFETY: as above; names and URLs are strings, and the members of text were checked to be UTF-8.
            unsafe { StringViewArray::new_unchecked(ScalarBuffer::from(views), Arc::clone(buffers), nulls) }
        };
        Ok(match &mut self.values {
            Values::Bytes(views) => Arc::new(bytes(std::mem::take(views), nulls)),
            Values::Text(views) | Values::Key(views) => Arc::new(texts(std::mem::take(views), nulls)),
            Values::Url => Arc::new(texts(vec![url; rows], None)),
            Values::Json(column) => column.finish(buffers)?,
            Values::Numbers(values) => Arc::new(Int64Array::new(std::mem::take(values).into(), nulls)),
            Values::Media(contents, paths) => {
                let parts: Vec<ArrayRef> = vec![
                    Arc::new(bytes(std::mem::take(contents), nulls.clone())),
                    Arc::new(texts(std::mem::take(paths), nulls.clone())),
                ];
                Arc::new(StructArray::try_new(viewed_media(), parts, nulls).map_err(internal)?)
            }
            Values::Members { ends, names, contents } => {
                let parts: Vec<ArrayRef> =
                    vec![Arc::new(texts(std::mem::take(names), None)), Arc::new(bytes(std::mem::take(contents), None))];
                let ends = OffsetBuffer::new(ScalarBuffer::from(std::mem::replace(ends, vec![0])));
                let fields = parts_of_member();
                let item = Arc::new(Field::new("item", DataType::Struct(fields.clone()), false));
                let parts = StructArray::try_new(fields, parts, None).map_err(internal)?;
                Arc::new(ListArray::try_new(item, ends, Arc::new(parts), None).map_err(internal)?)
            }
        })
    }
}

/// The parts of media, as they are decoded.
fn viewed_media() -> Fields {
    Fields::from(vec![Field::new("bytes", DataType::BinaryView, true), Field::new("path", DataType::Utf8View, true)])
}

/// The parts of a member, where a sample is its members.
fn parts_of_member() -> Fields {
    Fields::from(vec![
        Field::new("name", DataType::Utf8View, false),
        Field::new("content", DataType::BinaryView, false),
    ])
}

fn no_texts() -> Texts {
    Texts { line: None, side: Vec::new() }
}

/// A view of bytes where they stand in the block, or of a copy of them.
fn placed(bytes: &[u8], start: Option<usize>, texts: &mut Texts) -> u128 {
    match start {
        Some(start) => view(bytes, 0, start),
        None => copied(bytes, texts),
    }
}

/// A view of bytes that are copied beside the block, where they do not fit into the view.
fn copied(bytes: &[u8], texts: &mut Texts) -> u128 {
    let at = texts.side.len();
    if bytes.len() > 12 {
        texts.side.extend_from_slice(bytes);
    }
    view(bytes, 1, at)
}

fn internal(error: ArrowError) -> Error {
    Error::internal(error.to_string())
}

fn twice(field: &str, key: &str) -> Error {
    Error::data(format!("the field {field:?} twice in the sample {key:?}"))
}

fn unknown(field: &str) -> Error {
    Error::new(
        Kind::Schema,
        format!(
            "a field {field:?} that the first megabyte of the archive does not have: name all fields by features=, or \
             have the archive here and not compressed, where all of its members are found first"
        ),
    )
}
