//! The values of columns, as writers of text look at them.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, BooleanArray, OffsetSizeTrait};
use arrow_buffer::{NullBuffer, ScalarBuffer};
use arrow_schema::DataType;

use super::numbers::integer;
use crate::error::{Error, Result};

/// A column, or what is inside of one.
pub struct Values {
    nulls: Option<NullBuffer>,
    pub kind: Kind,
}

pub enum Kind {
    Null,
    Bool(BooleanArray),
    Integer(Integers),
    F32(ScalarBuffer<f32>),
    F64(ScalarBuffer<f64>),
    Text(ArrayRef),
    List(ArrayRef, Box<Values>),
    Struct(Vec<(String, Values)>),
}

/// Integers of any width.
pub enum Integers {
    I8(ScalarBuffer<i8>),
    I16(ScalarBuffer<i16>),
    I32(ScalarBuffer<i32>),
    I64(ScalarBuffer<i64>),
    U8(ScalarBuffer<u8>),
    U16(ScalarBuffer<u16>),
    U32(ScalarBuffer<u32>),
    U64(ScalarBuffer<u64>),
}

impl Integers {
    /// Adds that of a row.
    pub fn write(&self, row: usize, out: &mut Vec<u8>) {
        match self {
            Self::I8(of) => integer(out, of[row]),
            Self::I16(of) => integer(out, of[row]),
            Self::I32(of) => integer(out, of[row]),
            Self::I64(of) => integer(out, of[row]),
            Self::U8(of) => integer(out, of[row]),
            Self::U16(of) => integer(out, of[row]),
            Self::U32(of) => integer(out, of[row]),
            Self::U64(of) => integer(out, of[row]),
        }
    }
}

impl Values {
    /// `None`: of a type that text has no one form for.
    pub fn of(array: &ArrayRef) -> Option<Self> {
        fn of<T: ArrowPrimitiveType>(array: &ArrayRef) -> ScalarBuffer<T::Native> {
            array.as_primitive::<T>().values().clone()
        }
        let kind = match array.data_type() {
            DataType::Null => Kind::Null,
            DataType::Boolean => Kind::Bool(array.as_boolean().clone()),
            DataType::Int8 => Kind::Integer(Integers::I8(of::<Int8Type>(array))),
            DataType::Int16 => Kind::Integer(Integers::I16(of::<Int16Type>(array))),
            DataType::Int32 => Kind::Integer(Integers::I32(of::<Int32Type>(array))),
            DataType::Int64 => Kind::Integer(Integers::I64(of::<Int64Type>(array))),
            DataType::UInt8 => Kind::Integer(Integers::U8(of::<UInt8Type>(array))),
            DataType::UInt16 => Kind::Integer(Integers::U16(of::<UInt16Type>(array))),
            DataType::UInt32 => Kind::Integer(Integers::U32(of::<UInt32Type>(array))),
            DataType::UInt64 => Kind::Integer(Integers::U64(of::<UInt64Type>(array))),
            DataType::Float32 => Kind::F32(of::<Float32Type>(array)),
            DataType::Float64 => Kind::F64(of::<Float64Type>(array)),
            DataType::Utf8 | DataType::LargeUtf8 => Kind::Text(array.clone()),
            DataType::List(_) => Kind::List(array.clone(), Box::new(Self::of(array.as_list::<i32>().values())?)),
            DataType::LargeList(_) => Kind::List(array.clone(), Box::new(Self::of(array.as_list::<i64>().values())?)),
            DataType::FixedSizeList(..) => {
                Kind::List(array.clone(), Box::new(Self::of(array.as_fixed_size_list().values())?))
            }
            DataType::Struct(fields) => {
                let inside = fields.iter().zip(array.as_struct().columns());
                Kind::Struct(inside.map(|(f, one)| Some((f.name().clone(), Self::of(one)?))).collect::<Option<_>>()?)
            }
            _ => return None,
        };
        Some(Self { nulls: array.logical_nulls().filter(|n| n.null_count() > 0), kind })
    }

    pub fn is_null(&self, row: usize) -> bool {
        matches!(self.kind, Kind::Null) || self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row))
    }
}

fn damaged(what: &str, row: usize) -> Error {
    Error::data(format!("the {what} of row {row} of a batch is not within its column: the file is damaged"))
}

/// The text of a row. What a mapped file has is checked here: nobody has looked at it before.
pub fn text(array: &ArrayRef, row: usize) -> Result<&str> {
    fn of<O: OffsetSizeTrait>(array: &ArrayRef, row: usize) -> (Option<(usize, usize)>, &[u8]) {
        let of = array.as_string::<O>();
        let ends = of.value_offsets();
        (ends[row].to_usize().zip(ends[row + 1].to_usize()), of.value_data())
    }
    let large = *array.data_type() == DataType::LargeUtf8;
    let (range, bytes) = if large { of::<i64>(array, row) } else { of::<i32>(array, row) };
    let value = range.and_then(|(from, upto)| bytes.get(from..upto)).ok_or_else(|| damaged("text", row))?;
    simdutf8::basic::from_utf8(value).map_err(|_| damaged("text, which is no UTF-8,", row))
}

/// Where the items of a list are among those of its column.
pub fn items(array: &ArrayRef, row: usize) -> Result<std::ops::Range<usize>> {
    let (from, upto, count) = match array.data_type() {
        DataType::List(_) => {
            let of = array.as_list::<i32>();
            let ends = of.value_offsets();
            (ends[row].into(), ends[row + 1].into(), of.values().len())
        }
        DataType::LargeList(_) => {
            let of = array.as_list::<i64>();
            let ends = of.value_offsets();
            (ends[row], ends[row + 1], of.values().len())
        }
        _ => {
            let of = array.as_fixed_size_list();
            let n = of.value_length() as usize;
            return Ok(row * n..(row + 1) * n);
        }
    };
    let range = usize::try_from(from).ok().zip(usize::try_from(upto).ok());
    let (from, upto) =
        range.filter(|(from, upto)| from <= upto && *upto <= count).ok_or_else(|| damaged("list", row))?;
    Ok(from..upto)
}
