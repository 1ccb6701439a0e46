//! Columns that grow by one JSON value a row, straight to Arrow.

use std::sync::Arc;

use arrow_array::builder::BooleanBufferBuilder;
use arrow_array::types::{Float64Type, Int64Type, UInt64Type};
use arrow_array::{ArrayRef, BooleanArray, ListArray, NullArray, PrimitiveArray, StringViewArray, StructArray};
use arrow_buffer::{Buffer, NullBuffer, NullBufferBuilder, OffsetBuffer, ScalarBuffer};
use arrow_data::ByteView;
use arrow_schema::{DataType, Field, FieldRef, Fields};

use super::shape::Lacking;
use super::syntax::{Fault, Number, Parsed, Reader, Text, unescape};
use crate::conform::{Labels, is_media, moment, reads};
use crate::error::{Error, Kind, Result};
use crate::schema::{is_json, json_field};

/// Where strings of a batch lie: in the block that was read, as far as they can.
pub(in crate::format) struct Texts {
    /// The place in the block of the line that is being read; none where the line is not in it.
    pub(in crate::format) line: Option<usize>,
    /// What does not stand in the block as it is.
    pub(in crate::format) side: Vec<u8>,
}

const BLOCK: u32 = 0;
const SIDE: u32 = 1;

impl Texts {
    fn view(&mut self, bytes: &[u8], from: usize, upto: usize, escaped: bool) -> u128 {
        let raw = &bytes[from..upto];
        if escaped {
            let start = self.side.len();
            unescape(raw, &mut self.side);
            let made = &self.side[start..];
            let view = view(made, SIDE, start);
            if made.len() <= 12 {
                self.side.truncate(start);
            }
            return view;
        }
        match self.line {
            _ if raw.len() <= 12 => view(raw, BLOCK, 0),
            Some(line) => view(raw, BLOCK, line + from),
            None => {
                self.side.extend_from_slice(raw);
                view(raw, SIDE, self.side.len() - raw.len())
            }
        }
    }
}

/// An Arrow string view: short strings lie in it.
pub(in crate::format) fn view(bytes: &[u8], buffer: u32, offset: usize) -> u128 {
    if bytes.len() <= 12 {
        let mut whole = [0; 16];
        whole[..4].copy_from_slice(&(bytes.len() as u32).to_le_bytes());
        whole[4..4 + bytes.len()].copy_from_slice(bytes);
        return u128::from_le_bytes(whole);
    }
    let prefix = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    ByteView { length: bytes.len() as u32, prefix, buffer_index: buffer, offset: offset as u32 }.as_u128()
}

enum Values {
    /// Not read: only counted.
    Passed(usize),
    Null(usize),
    Bool(BooleanBufferBuilder),
    Int(Vec<i64>),
    Big(Vec<u64>),
    Float(Vec<f64>),
    Text {
        views: Vec<u128>,
        takes: Takes,
    },
    List {
        offsets: Vec<i32>,
        item: Box<Column>,
    },
    Object(Object),
}

/// What a column of text takes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Takes {
    /// Strings.
    Strings,
    /// And other values, as their JSON text.
    Any,
    /// All values as their JSON text, strings too.
    Json,
}

/// A column, or what lies below one.
pub(in crate::format) struct Column {
    name: String,
    values: Values,
    nulls: NullBufferBuilder,
    /// What it is declared as.
    declared: DataType,
    /// The labels that it has, if it has some: they may be written by their names.
    labels: Option<Arc<Labels>>,
    /// Whether numbers and truths may be written as strings, and as each other: a user said the type.
    any: bool,
}

/// Fields of objects.
pub(in crate::format) struct Object {
    fields: Vec<Column>,
    rows: usize,
}

impl Object {
    /// `wanted`: the fields that are read. `any`: strings take any value.
    pub(in crate::format) fn new(fields: &Fields, wanted: impl Fn(&str) -> bool, any: bool) -> Result<Self> {
        let column = |field: &FieldRef| Column::new(field, wanted(field.name()), any);
        Ok(Self { fields: fields.iter().map(column).collect::<Result<_>>()?, rows: 0 })
    }

    pub(in crate::format) fn rows(&self) -> usize {
        self.rows
    }

    /// Takes in one object; the brace is still there.
    #[inline]
    pub(in crate::format) fn take(&mut self, reader: &mut Reader, texts: &mut Texts, depth: usize) -> Parsed<()> {
        let Self { fields, rows } = self;
        let (mut next, mut taken) = (0, 0);
        reader.object(depth, |reader, name| {
            let i = place(fields, next, reader, name).ok_or_else(|| unknown(reader, name, depth))?;
            let column = &mut fields[i];
            if column.len() > *rows {
                return Err(Fault::new(reader.at, format!("the name {:?} twice in one object", column.name)));
            }
            (next, taken) = (i + 1, taken + 1);
            column.take(reader, texts, depth + 1).map_err(|e| e.within(&column.name))
        })?;
        *rows += 1;
        if taken < fields.len() {
            fields.iter_mut().filter(|column| column.len() < *rows).for_each(Column::null);
        }
        Ok(())
    }

    /// Takes in the path of media, in the place of an object with it.
    fn take_path(&mut self, reader: &mut Reader, texts: &mut Texts, depth: usize) -> Parsed<()> {
        self.rows += 1;
        self.fields.iter_mut().try_for_each(|column| {
            if column.name == "path" {
                return column.take(reader, texts, depth);
            }
            column.null();
            Ok(())
        })
    }

    /// Counts an object that is not read.
    pub(in crate::format) fn pass(&mut self) {
        self.rows += 1;
    }

    fn null(&mut self) {
        self.rows += 1;
        self.fields.iter_mut().for_each(Column::null);
    }

    /// Takes back all after the first `rows`, and what there is of a row that could not be read.
    pub(in crate::format) fn truncate(&mut self, rows: usize) {
        self.rows = rows;
        self.fields.iter_mut().for_each(|column| column.truncate(rows));
    }

    /// The columns that were read, as Arrow has them.
    pub(in crate::format) fn finish(&mut self, buffers: &[Buffer]) -> Result<(Fields, Vec<ArrayRef>)> {
        self.rows = 0;
        for column in &mut self.fields {
            if let Values::Passed(n) = &mut column.values {
                *n = 0;
            }
        }
        let read = self.fields.iter_mut().filter(|column| !matches!(column.values, Values::Passed(_)));
        let made = read.map(|column| Ok((Arc::new(column.field(&column.name)), column.finish(buffers)?)));
        let (fields, columns): (Vec<FieldRef>, Vec<ArrayRef>) = made.collect::<Result<Vec<_>>>()?.into_iter().unzip();
        Ok((fields.into(), columns))
    }

    /// The columns that are read.
    pub(in crate::format) fn natural(&self) -> Fields {
        let read = self.fields.iter().filter(|column| !matches!(column.values, Values::Passed(_)));
        read.map(|column| column.field(&column.name)).collect()
    }
}

/// Which field a name is: most lines have the order of the first.
#[inline]
fn place(fields: &[Column], next: usize, reader: &Reader, name: Text) -> Option<usize> {
    let raw = &reader.bytes[name.start..name.end];
    match fields.get(next) {
        Some(column) if !name.escaped && column.name.as_bytes() == raw => Some(next),
        _ => {
            let bytes = reader.text(name);
            fields.iter().position(|column| column.name.as_bytes() == &*bytes)
        }
    }
}

fn unknown(reader: &mut Reader, name: Text, depth: usize) -> Fault {
    let name = String::from_utf8_lossy(&reader.text(name)).into_owned();
    let at = reader.at;
    let mut shape = super::shape::Shape::Null;
    let feature = match shape.see(reader, depth + 1) {
        Ok(()) => feature(&shape.field("", Lacking::Text)),
        Err(_) => "Value(\"string\")".into(),
    };
    Fault { feature: Some(feature), ..Fault::new(at, "a field that the schema does not have") }.within(&name)
}

/// Whether a float is an integer, and the one that its text says.
pub(in crate::format) fn whole(value: f64) -> bool {
    value.abs() < (1_u64 << 53) as f64 && value.fract() == 0.0
}

/// A type as `features=` says it.
fn feature(of: &Field) -> String {
    match of.data_type() {
        _ if is_json(of) => "Json()".into(),
        DataType::Null => "Value(\"null\")".into(),
        DataType::Boolean => "Value(\"bool\")".into(),
        DataType::Int64 => "Value(\"int64\")".into(),
        DataType::UInt64 => "Value(\"uint64\")".into(),
        DataType::Float64 => "Value(\"float64\")".into(),
        DataType::List(item) => format!("List({})", feature(item)),
        DataType::Struct(fields) => {
            format!(
                "{{{}}}",
                fields.iter().map(|f| format!("{:?}: {}", f.name(), feature(f))).collect::<Vec<_>>().join(", ")
            )
        }
        _ => "Value(\"string\")".into(),
    }
}

impl Column {
    /// `any`: a user said the type: strings take any value, and strings that say a number or a truth become it.
    pub(in crate::format) fn new(field: &Field, wanted: bool, any: bool) -> Result<Self> {
        use DataType::{
            Binary, BinaryView, Boolean, Date32, Date64, Decimal32, Decimal64, Decimal128, Decimal256, Duration,
            FixedSizeBinary, FixedSizeList, Float16, Float32, Float64, Int8, Int16, Int32, Int64, LargeBinary,
            LargeList, LargeUtf8, List, Map, Null, Struct, Time32, Time64, Timestamp, UInt8, UInt16, UInt32, UInt64,
            Utf8, Utf8View,
        };
        let (name, declared) = (field.name(), field.data_type());
        let text = |takes| Values::Text { views: Vec::new(), takes };
        let values = match declared {
            _ if !wanted => Values::Passed(0),
            Null => Values::Null(0),
            Boolean => Values::Bool(BooleanBufferBuilder::new(0)),
            // A duration is a number of its unit.
            Int8 | Int16 | Int32 | Int64 | UInt8 | UInt16 | UInt32 | Duration(_) => Values::Int(Vec::new()),
            UInt64 => Values::Big(Vec::new()),
            Float16 | Float32 | Float64 => Values::Float(Vec::new()),
            Utf8 | LargeUtf8 | Utf8View if is_json(field) => text(Takes::Json),
            Utf8 | LargeUtf8 | Utf8View => text(if any { Takes::Any } else { Takes::Strings }),
            // What JSON has no values for is written as strings.
            Binary | LargeBinary | BinaryView | FixedSizeBinary(_) | Timestamp(..) | Date32 | Date64 | Time32(_)
            | Time64(_) | Decimal32(..) | Decimal64(..) | Decimal128(..) | Decimal256(..) => text(Takes::Any),
            List(item) | LargeList(item) | FixedSizeList(item, _) | Map(item, _) => {
                Values::List { offsets: vec![0], item: Box::new(Self::new(item, true, any)?) }
            }
            Struct(fields) => Values::Object(Object::new(fields, |_| true, any)?),
            other => {
                return Err(Error::new(
                    Kind::Unsupported,
                    format!("column {name:?}: JSON has no values of type {other}"),
                ));
            }
        };
        Ok(Self {
            name: name.into(),
            values,
            nulls: NullBufferBuilder::new(0),
            declared: declared.clone(),
            labels: Labels::of(field),
            any,
        })
    }

    fn len(&self) -> usize {
        match &self.values {
            Values::Passed(n) | Values::Null(n) => *n,
            Values::Bool(values) => values.len(),
            Values::Int(values) => values.len(),
            Values::Big(values) => values.len(),
            Values::Float(values) => values.len(),
            Values::Text { views, .. } => views.len(),
            Values::List { offsets, .. } => offsets.len() - 1,
            Values::Object(object) => object.rows,
        }
    }

    /// Takes back all after the first `rows` values.
    pub(in crate::format) fn truncate(&mut self, rows: usize) {
        match &mut self.values {
            Values::Passed(n) | Values::Null(n) => {
                *n = rows.min(*n);
                return;
            }
            Values::Bool(values) => values.truncate(rows),
            Values::Int(values) => values.truncate(rows),
            Values::Big(values) => values.truncate(rows),
            Values::Float(values) => values.truncate(rows),
            Values::Text { views, .. } => views.truncate(rows),
            Values::List { offsets, item } => {
                offsets.truncate(rows + 1);
                item.truncate(offsets.last().copied().unwrap_or(0) as usize);
            }
            Values::Object(object) => object.truncate(rows),
        }
        self.nulls.truncate(rows);
    }

    pub(in crate::format) fn null(&mut self) {
        match &mut self.values {
            Values::Passed(n) | Values::Null(n) => {
                *n += 1;
                return;
            }
            Values::Bool(values) => values.append(false),
            Values::Int(values) => values.push(0),
            Values::Big(values) => values.push(0),
            Values::Float(values) => values.push(0.0),
            Values::Text { views, .. } => views.push(0),
            Values::List { offsets, .. } => offsets.push(offsets.last().copied().unwrap_or(0)),
            Values::Object(object) => object.null(),
        }
        self.nulls.append_null();
    }

    /// Takes in one value; its first byte is still there.
    #[inline]
    pub(in crate::format) fn take(&mut self, reader: &mut Reader, texts: &mut Texts, depth: usize) -> Parsed<()> {
        let at = reader.at;
        let first = reader.peek()?;
        if let Values::Passed(n) = &mut self.values {
            *n += 1;
            return reader.skip(depth);
        }
        if first == b'n' {
            reader.word("null")?;
            self.null();
            return Ok(());
        }
        match (&mut self.values, first) {
            (Values::Text { views, takes: Takes::Strings | Takes::Any }, b'"') => {
                let text = reader.string()?;
                views.push(texts.view(reader.bytes, text.start, text.end, text.escaped));
            }
            (Values::Text { views, takes: Takes::Any }, b'-' | b'0'..=b'9') if self.declared.is_temporal() => {
                let number = reader.number()?;
                let said = if let Number::Int(value) = number { moment(value, &self.declared) } else { None };
                let Some(text) = said else { return Err(self.misfit(reader, at, "string")) };
                let from = texts.side.len();
                texts.side.extend_from_slice(text.as_bytes());
                views.push(view(text.as_bytes(), SIDE, from));
            }
            (Values::Text { views, takes: Takes::Any | Takes::Json }, _) => {
                reader.skip(depth)?;
                views.push(texts.view(reader.bytes, at, reader.at, false));
            }
            (Values::Int(values), b't' | b'f')
                if self.labels.as_ref().is_some_and(|labels| labels.holds(i64::from(first == b't'))) =>
            {
                reader.word(if first == b't' { "true" } else { "false" })?;
                values.push(i64::from(first == b't'));
            }
            (Values::Int(values), b'"') if let Some(labels) = &self.labels => {
                let text = reader.string()?;
                match std::str::from_utf8(&reader.text(text)).ok().and_then(|name| labels.id(name)) {
                    Some(id) => values.push(id),
                    None => return Err(self.misfit(reader, at, "string")),
                }
            }
            (Values::Int(values), b'-' | b'0'..=b'9' | b'N' | b'I') => match reader.number()? {
                Number::Int(value) if self.labels.as_ref().is_some_and(|labels| !labels.holds(value)) => {
                    return Err(self.misfit(reader, at, "int64"));
                }
                Number::Int(value) => values.push(value),
                Number::Float(value) if whole(value) => values.push(value as i64),
                Number::Big(_) => return Err(self.misfit(reader, at, "uint64")),
                Number::Float(_) | Number::Huge(_) => return Err(self.misfit(reader, at, "float64")),
            },
            (Values::Big(values), b'-' | b'0'..=b'9' | b'N' | b'I') => match reader.number()? {
                Number::Int(value) if value >= 0 => values.push(value.cast_unsigned()),
                Number::Big(value) => values.push(value),
                Number::Float(value) if whole(value) && value >= 0.0 => values.push(value as u64),
                Number::Int(_) | Number::Float(_) | Number::Huge(_) => return Err(self.misfit(reader, at, "float64")),
            },
            (Values::Float(values), b'-' | b'0'..=b'9' | b'N' | b'I') => values.push(match reader.number()? {
                Number::Int(value) => value as f64,
                Number::Big(value) => value as f64,
                Number::Float(value) | Number::Huge(value) => value,
            }),
            (Values::Bool(values), b't') => {
                reader.word("true")?;
                values.append(true);
            }
            (Values::Bool(values), b'f') => {
                reader.word("false")?;
                values.append(false);
            }
            (Values::Int(_) | Values::Big(_) | Values::Float(_) | Values::Bool(_), _) if self.any => {
                if !self.take_other(reader, first, depth)? {
                    return Err(self.misfit(reader, at, "string"));
                }
            }
            (Values::List { offsets, item }, b'[') => {
                reader.array(depth, |reader| {
                    reader.peek()?;
                    item.take(reader, texts, depth + 1)
                })?;
                offsets.push(
                    i32::try_from(item.len())
                        .map_err(|_| Fault::new(at, "more than 2^31 items in the lists of one batch"))?,
                );
            }
            (Values::Object(object), b'{') => object.take(reader, texts, depth)?,
            (Values::Object(object), b'"') if matches!(&self.declared, DataType::Struct(fields) if is_media(fields)) => {
                object.take_path(reader, texts, depth)?;
            }
            _ => {
                reader.skip(depth)?;
                return Err(self.misfit(reader, at, "string"));
            }
        }
        self.nulls.append_non_null();
        Ok(())
    }

    /// Takes in a number or a truth that is written as a string, or as the other; false: it is none.
    fn take_other(&mut self, reader: &mut Reader, first: u8, depth: usize) -> Parsed<bool> {
        let start = reader.at;
        let said = if first == b'"' {
            let text = reader.string()?;
            String::from_utf8_lossy(&reader.text(text)).into_owned()
        } else {
            reader.skip(depth)?;
            String::from_utf8_lossy(&reader.bytes[start..reader.at]).trim().to_owned()
        };
        // A truth is 1 or 0 as a number; as a string it is no number.
        let number = match (first, said.as_str()) {
            (b't', _) => "1",
            (b'f', _) => "0",
            (b'[' | b'{', _) => return Ok(false),
            (_, other) => other,
        };
        let of = self.natural();
        if !reads(if of == DataType::Boolean { &said } else { number }, &of) {
            return Ok(false);
        }
        let labels = self.labels.as_deref();
        Ok(match &mut self.values {
            Values::Int(values) => {
                let value = number.parse().ok().filter(|value| labels.is_none_or(|labels| labels.holds(*value)));
                value.map(|value| values.push(value)).is_some()
            }
            Values::Big(values) => number.parse().map(|value| values.push(value)).is_ok(),
            Values::Float(values) => number.parse().map(|value| values.push(value)).is_ok(),
            Values::Bool(values) => {
                values.append(said == "1" || said.eq_ignore_ascii_case("true"));
                true
            }
            _ => false,
        })
    }

    /// A value that is of another type.
    fn misfit(&self, reader: &Reader, at: usize, feature: &str) -> Fault {
        let found = String::from_utf8_lossy(&reader.bytes[at..reader.at]);
        let short: String = found.trim_start().chars().take(40).collect();
        let feature = if matches!(self.values, Values::Null(_)) {
            let mut shape = super::shape::Shape::Null;
            match shape.see(&mut Reader::new(&reader.bytes[at..reader.at]), 0) {
                Ok(()) => self::feature(&shape.field("", Lacking::Text)),
                Err(_) => "Value(\"string\")".into(),
            }
        } else {
            format!("Value({feature:?})")
        };
        if let Some(labels) = &self.labels {
            return Fault::new(at, format!("expected {}, found {short}", labels.expected()));
        }
        Fault { feature: Some(feature), ..Fault::new(at, format!("expected {}, found {short}", self.declared)) }
    }

    /// The same with its name, and whether they are JSON texts.
    pub(in crate::format) fn field(&self, name: &str) -> Field {
        match &self.values {
            Values::Text { takes: Takes::Json, .. } => json_field(name).with_data_type(self.natural()),
            _ => Field::new(name, self.natural(), true),
        }
    }

    /// The type that its values are made in.
    pub(in crate::format) fn natural(&self) -> DataType {
        match &self.values {
            Values::Passed(_) | Values::Null(_) => DataType::Null,
            Values::Bool(_) => DataType::Boolean,
            Values::Int(_) => DataType::Int64,
            Values::Big(_) => DataType::UInt64,
            Values::Float(_) => DataType::Float64,
            Values::Text { .. } => DataType::Utf8View,
            Values::List { item, .. } => DataType::List(Arc::new(item.field("item"))),
            Values::Object(object) => DataType::Struct(object.natural()),
        }
    }

    pub(in crate::format) fn finish(&mut self, buffers: &[Buffer]) -> Result<ArrayRef> {
        let nulls: Option<NullBuffer> = self.nulls.finish();
        Ok(match &mut self.values {
            Values::Passed(n) | Values::Null(n) => Arc::new(NullArray::new(std::mem::take(n))),
            Values::Bool(values) => Arc::new(BooleanArray::new(values.finish(), nulls)),
            Values::Int(values) => {
                Arc::new(PrimitiveArray::<Int64Type>::new(ScalarBuffer::from(std::mem::take(values)), nulls))
            }
            Values::Big(values) => {
                Arc::new(PrimitiveArray::<UInt64Type>::new(ScalarBuffer::from(std::mem::take(values)), nulls))
            }
            Values::Float(values) => {
                Arc::new(PrimitiveArray::<Float64Type>::new(ScalarBuffer::from(std::mem::take(values)), nulls))
            }
            Values::Text { views, .. } => {
                let views = ScalarBuffer::from(std::mem::take(views));
                // SAFETY: every view was made of a range of one of these two buffers, with its length and prefix, at
                // bounds of a JSON string; the block was checked to be UTF-8, and escapes are written as UTF-8.
                Arc::new(unsafe { StringViewArray::new_unchecked(views, buffers.to_vec().into(), nulls) })
            }
            Values::List { offsets, item } => {
                let offsets = OffsetBuffer::new(ScalarBuffer::from(std::mem::replace(offsets, vec![0])));
                let field = Arc::new(item.field("item"));
                Arc::new(
                    ListArray::try_new(field, offsets, item.finish(buffers)?, nulls)
                        .map_err(|e| Error::internal(e.to_string()))?,
                )
            }
            Values::Object(object) => {
                let rows = object.rows;
                let (fields, columns) = object.finish(buffers)?;
                Arc::new(
                    StructArray::try_new_with_length(fields, columns, nulls, rows)
                        .map_err(|e| Error::internal(e.to_string()))?,
                )
            }
        })
    }
}
