//! Columns of text that become numbers, booleans or strings.

use std::borrow::Cow;
use std::sync::Arc;

use arrow_array::builder::BooleanBufferBuilder;
use arrow_array::types::{Float64Type, Int64Type, UInt64Type};
use arrow_array::{ArrayRef, BooleanArray, NullArray, PrimitiveArray, StringViewArray};
use arrow_buffer::{Buffer, NullBufferBuilder, ScalarBuffer};
use arrow_schema::{DataType, FieldRef};

use super::Csv;
use super::split::text;
use crate::conform::{Labels, is_media, moment};
use crate::error::{Error, Kind, Result};
use crate::format::json::{view, whole};

/// What a text is, read as pandas does.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Scalar {
    Null,
    Bool(bool),
    Int(i64),
    Big(u64),
    Float(f64),
    Text,
}

impl Csv {
    fn is_null(&self, text: &[u8]) -> bool {
        let first = text.first().map_or(256, |byte| usize::from(*byte));
        text.len() < self.longest.get(first).copied().unwrap_or(usize::MAX)
            && self.nulls.iter().any(|null| null.as_bytes() == text)
    }

    /// The numbers among texts.
    pub(super) fn numbers(&self, texts: &[String]) -> Vec<f64> {
        texts.iter().filter_map(|text| self.float(text.as_bytes())).filter(|number| !number.is_nan()).collect()
    }

    /// Whether a truth is among texts.
    pub(super) fn truths(&self, texts: &[String]) -> bool {
        texts.iter().any(|text| self.bool(text.as_bytes()).is_some())
    }

    /// Whether a text is a number that stands for null.
    fn is_null_number(&self, text: &[u8]) -> bool {
        !self.null_numbers.is_empty() && self.float(text).is_some_and(|number| self.null_numbers.contains(&number))
    }

    fn bool(&self, text: &[u8]) -> Option<bool> {
        match text {
            b"true" | b"True" | b"TRUE" => Some(true),
            b"false" | b"False" | b"FALSE" => Some(false),
            _ if self.true_values.iter().any(|value| value.as_bytes() == text) => Some(true),
            _ if self.false_values.iter().any(|value| value.as_bytes() == text) => Some(false),
            _ => None,
        }
    }

    /// A number without what stands between thousands, and with a point.
    fn plain<'a>(&self, text: &'a [u8], side: &'a mut [u8; 64]) -> &'a [u8] {
        if self.thousands.is_none() && self.decimal == b'.' {
            return text;
        }
        let mut n = 0;
        for &byte in text {
            if Some(byte) == self.thousands {
                continue;
            }
            if n == side.len() || (byte == b'.' && self.decimal != b'.') {
                return b"";
            }
            side[n] = if byte == self.decimal { b'.' } else { byte };
            n += 1;
        }
        &side[..n]
    }

    fn int(&self, text: &[u8]) -> Option<i64> {
        let mut side = [0; 64];
        int(self.plain(text, &mut side))
    }

    fn big(&self, text: &[u8]) -> Option<u64> {
        let mut side = [0; 64];
        std::str::from_utf8(self.plain(text, &mut side).trim_ascii()).ok()?.parse().ok()
    }

    fn float(&self, text: &[u8]) -> Option<f64> {
        let mut side = [0; 64];
        float(self.plain(text, &mut side))
    }

    /// An integer, also one that is written as a float.
    #[inline]
    fn integer(&self, text: &[u8]) -> Option<i64> {
        self.int(text).or_else(|| self.whole(text).map(|value| value as i64))
    }

    /// The same of those that have no sign.
    fn large(&self, text: &[u8]) -> Option<u64> {
        self.big(text).or_else(|| self.whole(text).filter(|value| *value >= 0.0).map(|value| value as u64))
    }

    #[cold]
    fn whole(&self, text: &[u8]) -> Option<f64> {
        self.float(text).filter(|value| whole(*value) && !digits(text))
    }

    fn scalar(&self, text: &[u8]) -> Scalar {
        if self.is_null(text) || self.is_null_number(text) {
            Scalar::Null
        } else if let Some(value) = self.int(text) {
            Scalar::Int(value)
        } else if let Some(value) = self.big(text) {
            Scalar::Big(value)
        } else if let Some(value) = self.float(text).filter(|_| !digits(text)) {
            Scalar::Float(value)
        } else if let Some(value) = self.bool(text) {
            Scalar::Bool(value)
        } else {
            Scalar::Text
        }
    }
}

/// Digits and a sign, and nothing else: too many of them are a text, not a float.
fn digits(text: &[u8]) -> bool {
    let text = text.trim_ascii();
    text.strip_prefix(b"-").or(text.strip_prefix(b"+")).unwrap_or(text).iter().all(u8::is_ascii_digit)
}

#[inline]
fn int(text: &[u8]) -> Option<i64> {
    let (digits, minus) = match text {
        [b'-', digits @ ..] => (digits, true),
        digits => (digits, false),
    };
    if digits.len() <= 18 && !digits.is_empty() {
        let mut sum = 0_i64;
        for &byte in digits {
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 {
                return slow_int(text);
            }
            sum = sum * 10 + i64::from(digit);
        }
        return Some(if minus { -sum } else { sum });
    }
    slow_int(text)
}

#[cold]
fn slow_int(text: &[u8]) -> Option<i64> {
    std::str::from_utf8(text.trim_ascii()).ok()?.parse().ok()
}

#[inline]
fn float(text: &[u8]) -> Option<f64> {
    match text.first()? {
        b'0'..=b'9' | b'-' | b'.' => fast_float2::parse(text).ok().or_else(|| slow_float(text)),
        _ => slow_float(text),
    }
}

#[cold]
fn slow_float(text: &[u8]) -> Option<f64> {
    let text = text.trim_ascii();
    let text = text.strip_prefix(b"+").unwrap_or(text);
    let lower = text.to_ascii_lowercase();
    // Not a number is among the nulls, unless they were chosen otherwise.
    let word = lower.strip_prefix(b"-").unwrap_or(&lower);
    if word.first().is_some_and(u8::is_ascii_alphabetic) && !matches!(word, b"inf" | b"infinity" | b"nan") {
        return None;
    }
    fast_float2::parse(text).ok()
}

/// The type of all texts that were seen of a column.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) enum Seen {
    #[default]
    Null,
    Bool,
    Int,
    Big,
    Float,
    Text,
}

impl Seen {
    pub(super) fn see(&mut self, csv: &Csv, text: &[u8]) {
        if *self == Self::Text {
            return;
        }
        let found = match csv.scalar(text) {
            Scalar::Null => return,
            Scalar::Bool(_) => Self::Bool,
            Scalar::Int(value) if *self == Self::Big && value < 0 => Self::Text,
            Scalar::Int(_) if matches!(self, Self::Big | Self::Float) => return,
            Scalar::Int(_) => Self::Int,
            Scalar::Big(_) if *self == Self::Float => return,
            Scalar::Big(_) => Self::Big,
            Scalar::Float(_) => Self::Float,
            Scalar::Text => Self::Text,
        };
        *self = match (*self, found) {
            (Self::Null, found) => found,
            (same, found) if same == found => same,
            (Self::Int, Self::Big) => Self::Big,
            (Self::Int | Self::Big, Self::Float) => Self::Float,
            _ => Self::Text,
        };
    }

    pub(super) fn data_type(self) -> DataType {
        match self {
            Self::Null => DataType::Null,
            Self::Bool => DataType::Boolean,
            Self::Int => DataType::Int64,
            Self::Big => DataType::UInt64,
            Self::Float => DataType::Float64,
            Self::Text => DataType::Utf8,
        }
    }
}

enum Values {
    Null(usize),
    Bool(BooleanBufferBuilder),
    Int(Vec<i64>),
    Big(Vec<u64>),
    Float(Vec<f64>),
    Text(Vec<u128>),
}

/// A column as it grows.
pub(super) struct Column {
    pub(super) name: String,
    values: Values,
    nulls: NullBufferBuilder,
    /// The labels that it has, if it has some: they may be written by their names.
    labels: Option<Arc<Labels>>,
    /// The type of its times, if it has some: integers count its units.
    times: Option<DataType>,
}

/// The label that a text is.
fn label(labels: &Labels, text: &[u8]) -> Option<i64> {
    labels.id(std::str::from_utf8(text).ok()?)
}

/// A row that could not be taken, and its text.
type Misfit = (usize, String);

impl Column {
    pub(super) fn new(field: &FieldRef) -> Result<Self> {
        use DataType::{
            Binary, BinaryView, Boolean, Date32, Date64, Decimal32, Decimal64, Decimal128, Decimal256, Duration,
            FixedSizeBinary, Float16, Float32, Float64, Int8, Int16, Int32, Int64, LargeBinary, LargeUtf8, Null,
            Struct, Time32, Time64, Timestamp, UInt8, UInt16, UInt32, UInt64, Utf8, Utf8View,
        };
        let values = match field.data_type() {
            Null => Values::Null(0),
            Boolean => Values::Bool(BooleanBufferBuilder::new(0)),
            // A duration is a number of its unit.
            Int8 | Int16 | Int32 | Int64 | UInt8 | UInt16 | UInt32 | Duration(_) => Values::Int(Vec::new()),
            UInt64 => Values::Big(Vec::new()),
            Float16 | Float32 | Float64 => Values::Float(Vec::new()),
            Utf8 | LargeUtf8 | Utf8View | Binary | LargeBinary | BinaryView | FixedSizeBinary(_) | Timestamp(..)
            | Date32 | Date64 | Time32(_) | Time64(_) | Decimal32(..) | Decimal64(..) | Decimal128(..)
            | Decimal256(..) => Values::Text(Vec::new()),
            // A path.
            Struct(fields) if is_media(fields) => Values::Text(Vec::new()),
            other => {
                return Err(Error::new(
                    Kind::Unsupported,
                    format!("column {:?}: CSV has no values of type {other}", field.name()),
                ));
            }
        };
        Ok(Self {
            name: field.name().clone(),
            values,
            nulls: NullBufferBuilder::new(0),
            labels: Labels::of(field),
            times: Some(field.data_type()).filter(|of| of.is_temporal()).cloned(),
        })
    }

    /// The type that its values are made in.
    pub(super) fn natural(&self) -> DataType {
        match &self.values {
            Values::Null(_) => DataType::Null,
            Values::Bool(_) => DataType::Boolean,
            Values::Int(_) => DataType::Int64,
            Values::Big(_) => DataType::UInt64,
            Values::Float(_) => DataType::Float64,
            Values::Text(_) => DataType::Utf8View,
        }
    }

    /// Whether a text can be one of its values.
    pub(super) fn fits(&self, csv: &Csv, text: &[u8]) -> bool {
        csv.is_null(text)
            || csv.is_null_number(text)
            || match &self.values {
                _ if self.labels.is_some() => self.labels.as_ref().and_then(|labels| label(labels, text)).is_some(),
                Values::Null(_) => false,
                Values::Bool(_) => csv.bool(text).is_some(),
                Values::Int(_) => csv.integer(text).is_some(),
                Values::Big(_) => csv.large(text).is_some(),
                Values::Float(_) => csv.float(text).is_some(),
                Values::Text(_) => true,
            }
    }

    pub(super) fn type_name(&self) -> Cow<'static, str> {
        match (&self.values, &self.labels) {
            (_, Some(labels)) => labels.expected().into(),
            (Values::Null(_), _) => "null".into(),
            (Values::Bool(_), _) => "true or false".into(),
            (Values::Int(_) | Values::Big(_), _) => "an integer".into(),
            (Values::Float(_), _) => "a number".into(),
            (Values::Text(_), _) => "a string".into(),
        }
    }

    /// Rows that do not have it.
    pub(super) fn nulls(&mut self, n: usize) {
        match &mut self.values {
            Values::Null(rows) => {
                *rows += n;
                return;
            }
            Values::Bool(values) => values.append_n(n, false),
            Values::Int(values) => values.resize(values.len() + n, 0),
            Values::Big(values) => values.resize(values.len() + n, 0),
            Values::Float(values) => values.resize(values.len() + n, 0.0),
            Values::Text(views) => views.resize(views.len() + n, 0),
        }
        self.nulls.append_n_nulls(n);
    }

    /// Takes the fields of rows. `side`: where texts are kept that do not stand in the block as they are.
    pub(super) fn take(
        &mut self,
        csv: &Csv,
        block: &[u8],
        places: impl Iterator<Item = Option<(u32, u32)>>,
        side: &mut Vec<u8>,
    ) -> std::result::Result<(), Misfit> {
        let mut own = Vec::new();
        let nulls = &mut self.nulls;
        macro_rules! each {
            ($read:expr, $push:expr, $none:expr) => {
                for (row, place) in places.enumerate() {
                    let text = match place {
                        Some(place) => text(csv, block, place, &mut own),
                        None => {
                            $none;
                            nulls.append_null();
                            continue;
                        }
                    };
                    match $read(text) {
                        Some(value) => {
                            $push(value);
                            nulls.append_non_null();
                        }
                        None if csv.is_null(text) || csv.is_null_number(text) => {
                            $none;
                            nulls.append_null();
                        }
                        None => return Err((row, String::from_utf8_lossy(text).into_owned())),
                    }
                }
            };
        }
        match &mut self.values {
            Values::Null(rows) => {
                for (row, place) in places.enumerate() {
                    let found = place.map_or(&b""[..], |place| text(csv, block, place, &mut own));
                    if place.is_some() && !csv.is_null(found) {
                        return Err((row, String::from_utf8_lossy(found).into_owned()));
                    }
                    *rows += 1;
                }
            }
            Values::Bool(values) => {
                for (row, place) in places.enumerate() {
                    let found = place.map_or(&b""[..], |place| text(csv, block, place, &mut own));
                    match csv.bool(found).filter(|_| !csv.null_truths || !csv.is_null(found)) {
                        Some(value) => {
                            values.append(value);
                            nulls.append_non_null();
                        }
                        None if place.is_none() || csv.is_null(found) => {
                            values.append(false);
                            nulls.append_null();
                        }
                        None => return Err((row, String::from_utf8_lossy(found).into_owned())),
                    }
                }
            }
            Values::Int(values) if let Some(labels) = &self.labels => {
                // A name that is also one of the nulls is null, as it is in a column of text.
                each!(
                    |text| label(labels, text).filter(|_| !csv.is_null(text)),
                    |value| values.push(value),
                    values.push(0)
                );
            }
            Values::Int(values) => each!(
                |text| csv.integer(text).filter(|_| !csv.is_null_number(text)),
                |value| values.push(value),
                values.push(0)
            ),
            Values::Big(values) => each!(
                |text| csv.large(text).filter(|_| !csv.is_null_number(text)),
                |value| values.push(value),
                values.push(0)
            ),
            Values::Float(values) => each!(
                |text| csv.float(text).filter(|_| !csv.is_null_number(text)),
                |value| values.push(value),
                values.push(0.0)
            ),
            Values::Text(views) => {
                for place in places {
                    let Some(place) = place else {
                        views.push(0);
                        nulls.append_null();
                        continue;
                    };
                    let found = text(csv, block, place, &mut own);
                    if csv.is_null(found) {
                        views.push(0);
                        nulls.append_null();
                        continue;
                    }
                    let said = self.times.as_ref().and_then(|of| moment(csv.int(found)?, of));
                    if let Some(text) = said {
                        let at = side.len();
                        side.extend_from_slice(text.as_bytes());
                        views.push(view(text.as_bytes(), 1, at));
                        nulls.append_non_null();
                        continue;
                    }
                    // Where it lies in the block, if it does.
                    let offset = (found.as_ptr() as usize).wrapping_sub(block.as_ptr() as usize);
                    if found.len() <= 12 || offset.checked_add(found.len()).is_some_and(|end| end <= block.len()) {
                        views.push(view(found, 0, offset));
                    } else {
                        let at = side.len();
                        side.extend_from_slice(found);
                        views.push(view(&side[at..], 1, at));
                    }
                    nulls.append_non_null();
                }
            }
        }
        Ok(())
    }

    pub(super) fn finish(&mut self, buffers: &Arc<[Buffer]>) -> ArrayRef {
        let nulls = self.nulls.finish();
        match &mut self.values {
            Values::Null(n) => Arc::new(NullArray::new(std::mem::take(n))),
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
            Values::Text(views) => {
                let views = ScalarBuffer::from(std::mem::take(views));
                // SAFETY: every view was made of a range of one of these two buffers, with its length and prefix. The
                // block was checked to be UTF-8, and its fields are cut at ASCII bytes.
                Arc::new(unsafe { StringViewArray::new_unchecked(views, Arc::clone(buffers), nulls) })
            }
        }
    }
}
