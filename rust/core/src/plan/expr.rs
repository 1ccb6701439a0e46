//! Conditions on rows: as data in the plan, on columns as they are decoded, and on what statistics say of many rows at
//! once.
//!
//! A comparison with null is null, and null is not true: SQL's logic of three values. `in` is false for null, as
//! pyarrow has it.

use std::collections::HashSet;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{Array, ArrayRef, BooleanArray, RecordBatch, Scalar, StringArray, UInt64Array, new_null_array};
use arrow_buffer::{BooleanBuffer, NullBuffer};
use arrow_cast::{CastOptions, cast_with_options};
use arrow_ord::cmp;
use arrow_schema::{DataType, Field, Fields, Schema};
use arrow_select::nullif::nullif;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Kind, Result};
use crate::fields::is_json;

/// How two values are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cmp {
    /// `==`
    Eq,
    /// `!=`
    Ne,
    /// `<`
    Lt,
    /// `<=`
    Le,
    /// `>`
    Gt,
    /// `>=`
    Ge,
}

/// A value that columns are compared with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Literal {
    /// True or false.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// An integer above those of 64 bits with a sign.
    Big(u64),
    /// A number.
    Float(f64),
    /// A string.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// A date, a time, a timestamp or a decimal, as text; it takes the column's type.
    Other(String),
}

/// A condition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
pub enum Expr {
    /// A column, or a field of one, beside a value.
    Compare {
        /// The column's name, and those of fields in it.
        column: Vec<String>,
        /// How.
        cmp: Cmp,
        /// With what.
        value: Literal,
    },
    /// One of some values.
    In {
        /// The column's name, and those of fields in it.
        column: Vec<String>,
        /// The values.
        values: Vec<Literal>,
        /// Whether null is one of them.
        #[serde(default)]
        null: bool,
    },
    /// Null.
    Null {
        /// The column's name, and those of fields in it.
        column: Vec<String>,
    },
    /// A string that begins so.
    Starts {
        /// The column's name, and those of fields in it.
        column: Vec<String>,
        /// How it begins.
        prefix: String,
    },
    /// All of them.
    And {
        /// Conditions.
        of: Vec<Expr>,
    },
    /// One of them at least.
    Or {
        /// Conditions.
        of: Vec<Expr>,
    },
    /// The opposite.
    Not {
        /// The condition.
        of: Box<Expr>,
    },
}

/// What is known of many rows of a column: an entry for each group of rows.
pub struct Bounds {
    /// No value is below; null where that is not known.
    pub min: ArrayRef,
    /// No value is above; null where that is not known.
    pub max: ArrayRef,
    /// How many are null, where that is known.
    pub nulls: UInt64Array,
    /// How many rows there are.
    pub rows: Vec<u64>,
    /// Whether the bounds are values that are there, rather than cut short.
    pub exact: bool,
}

type Mask = Result<BooleanArray>;

fn all(n: usize, value: bool) -> BooleanArray {
    BooleanArray::new(if value { BooleanBuffer::new_set(n) } else { BooleanBuffer::new_unset(n) }, None)
}

/// The same for every value that is not null.
fn constant(array: &dyn Array, value: bool) -> BooleanArray {
    BooleanArray::new(all(array.len(), value).values().clone(), array.logical_nulls())
}

fn misfit(column: &str, data_type: &DataType, value: &Literal) -> Error {
    let found = match value {
        Literal::Bool(_) => "a boolean",
        Literal::Int(_) | Literal::Big(_) | Literal::Float(_) => "a number",
        Literal::Text(_) => "a string",
        Literal::Bytes(_) => "bytes",
        Literal::Other(_) => "a date, a time or a decimal",
    };
    Error::new(
        Kind::Schema,
        format!("filter: column {column:?} has type {data_type}, which {found} cannot be compared with"),
    )
}

impl Expr {
    /// The columns that it looks at.
    pub fn columns(&self) -> Vec<String> {
        let mut found = Vec::new();
        self.visit(&mut |column, _| {
            if !found.contains(&column[0]) {
                found.push(column[0].clone());
            }
        });
        found
    }

    /// Says each column, and whether it is compared with a value.
    fn visit(&self, see: &mut dyn FnMut(&[String], bool)) {
        match self {
            Self::Compare { column, .. } | Self::In { column, .. } | Self::Starts { column, .. } => see(column, true),
            Self::Null { column } => see(column, false),
            Self::And { of } | Self::Or { of } => of.iter().for_each(|one| one.visit(see)),
            Self::Not { of } => of.visit(see),
        }
    }

    /// Checks that the columns are there, and that their types can be compared so.
    pub fn check(&self, schema: &Schema) -> Result<()> {
        let (mut missing, mut mixed) = (None, None);
        self.visit(&mut |column, compared| match field_of(schema.fields(), column) {
            None if missing.is_none() => missing = Some(column.join(".")),
            Some(field) if mixed.is_none() && compared && is_json(field) => mixed = Some(column.join(".")),
            _ => {}
        });
        if let Some(mixed) = mixed {
            let what = "has values of mixed types, which are kept as JSON text: filter(lambda row: …) can compare them";
            return Err(Error::new(Kind::Schema, format!("filter: column {mixed:?} {what}")));
        }
        if let Some(missing) = missing {
            let names: Vec<&String> = schema.fields().iter().map(|f| f.name()).collect();
            return Err(Error::new(
                Kind::Schema,
                format!("filter: there is no column {missing:?}; the columns are {names:?}"),
            ));
        }
        let none: Vec<ArrayRef> = schema.fields().iter().map(|field| new_null_array(field.data_type(), 0)).collect();
        let nullable: Fields = schema.fields().iter().map(|field| Field::clone(field).with_nullable(true)).collect();
        let empty =
            RecordBatch::try_new(Arc::new(Schema::new(nullable)), none).map_err(|e| Error::internal(e.to_string()))?;
        self.mask(&empty).map(drop)
    }

    /// For each row, whether it is so, or null.
    pub fn mask(&self, batch: &RecordBatch) -> Mask {
        let failed = |e: arrow_schema::ArrowError| Error::internal(e.to_string());
        match self {
            Self::Compare { column, cmp, value } => compare(&column.join("."), &column_of(batch, column)?, *cmp, value),
            Self::In { column, values, null } => within(&column.join("."), &column_of(batch, column)?, values, *null),
            Self::Null { column } => {
                let nulls = column_of(batch, column)?.logical_nulls();
                Ok(nulls.map_or_else(|| all(batch.num_rows(), false), |nulls| BooleanArray::new(!nulls.inner(), None)))
            }
            Self::Starts { column, prefix } => {
                let array = column_of(batch, column)?;
                if !is_text(array.data_type()) {
                    return Err(misfit(&column.join("."), array.data_type(), &Literal::Text(String::new())));
                }
                let prefix = text(prefix, array.data_type())?;
                arrow_string::like::starts_with(&array, &prefix).map_err(failed)
            }
            Self::And { of } => {
                let mut masks = of.iter().map(|one| one.mask(batch));
                let first = masks.next().unwrap_or_else(|| Ok(all(batch.num_rows(), true)))?;
                masks.try_fold(first, |a, b| Ok(both(&a, &b?)))
            }
            Self::Or { of } => {
                let mut masks = of.iter().map(|one| one.mask(batch));
                let first = masks.next().unwrap_or_else(|| Ok(all(batch.num_rows(), false)))?;
                masks.try_fold(first, |a, b| Ok(not(&both(&not(&a), &not(&b?)))))
            }
            Self::Not { of } => Ok(not(&of.mask(batch)?)),
        }
    }

    /// For each row, whether it is kept.
    pub fn keep(&self, batch: &RecordBatch) -> Result<BooleanBuffer> {
        let mask = self.mask(batch)?;
        Ok(match mask.nulls() {
            Some(nulls) => mask.values() & nulls.inner(),
            None => mask.values().clone(),
        })
    }

    /// For each of `n` groups of rows, whether one of its rows may be kept, by what is known of their columns.
    pub fn may(&self, n: usize, bounds: &dyn Fn(&str) -> Option<Bounds>) -> Result<BooleanBuffer> {
        let yes = || BooleanBuffer::new_set(n);
        let known = |column: &Vec<String>| if let [column] = column.as_slice() { bounds(column) } else { None };
        // What is not known may be.
        let unknown = |mask: BooleanArray| match mask.nulls() {
            Some(nulls) => mask.values() | &!nulls.inner(),
            None => mask.values().clone(),
        };
        // Where all are null, no comparison is true.
        let some =
            |of: &Bounds| BooleanBuffer::collect_bool(n, |i| of.nulls.is_null(i) || of.nulls.value(i) < of.rows[i]);
        Ok(match self {
            Self::Compare { column, cmp, value } => {
                let Some(of) = known(column) else { return Ok(yes()) };
                let name = &column[0];
                let test = |array: &ArrayRef, cmp: Cmp| compare(name, array, cmp, value).map(unknown);
                let found = match cmp {
                    Cmp::Lt | Cmp::Le => test(&of.min, *cmp)?,
                    Cmp::Gt | Cmp::Ge => test(&of.max, *cmp)?,
                    Cmp::Eq => &test(&of.min, Cmp::Le)? & &test(&of.max, Cmp::Ge)?,
                    // Numbers that are none are not equal to any, and statistics leave them out.
                    Cmp::Ne if of.exact && !of.min.data_type().is_floating() => {
                        let same = |array: &ArrayRef| -> Result<BooleanBuffer> {
                            let mask = compare(name, array, Cmp::Eq, value)?;
                            Ok(match mask.nulls() {
                                Some(nulls) => mask.values() & nulls.inner(),
                                None => mask.values().clone(),
                            })
                        };
                        !&(&same(&of.min)? & &same(&of.max)?)
                    }
                    Cmp::Ne => yes(),
                };
                &found & &some(&of)
            }
            Self::In { null: true, .. } => yes(),
            Self::In { column, values, .. } => {
                let one =
                    |value: &Literal| Self::Compare { column: column.clone(), cmp: Cmp::Eq, value: value.clone() };
                // Beyond so many, their bounds would say nearly nothing.
                if values.len() > 1000 {
                    return Ok(yes());
                }
                values.iter().try_fold(BooleanBuffer::new_unset(n), |found, value| {
                    Ok::<_, Error>(&found | &one(value).may(n, bounds)?)
                })?
            }
            Self::Null { column } => match known(column) {
                Some(of) => BooleanBuffer::collect_bool(n, |i| of.nulls.is_null(i) || of.nulls.value(i) > 0),
                None => yes(),
            },
            Self::Starts { column, prefix } => {
                let Some(of) = known(column).filter(|of| is_text(of.min.data_type())) else { return Ok(yes()) };
                let name = &column[0];
                let value = Literal::Text(prefix.clone());
                let below = compare(name, &of.min, Cmp::Le, &value)?;
                let begins = arrow_string::like::starts_with(&of.min, &text(prefix, of.min.data_type())?)
                    .map_err(|e| Error::internal(e.to_string()))?;
                let above = compare(name, &of.max, Cmp::Ge, &value)?;
                let found = &(&unknown(below) | &unknown(begins)) & &unknown(above);
                &found & &some(&of)
            }
            Self::And { of } => {
                of.iter().try_fold(yes(), |found, one| Ok::<_, Error>(&found & &one.may(n, bounds)?))?
            }
            Self::Or { of } => of
                .iter()
                .try_fold(BooleanBuffer::new_unset(n), |found, one| Ok::<_, Error>(&found | &one.may(n, bounds)?))?,
            Self::Not { of } => match &**of {
                Self::Not { of } => of.may(n, bounds)?,
                Self::And { of } => Self::Or { of: of.iter().map(negated).collect() }.may(n, bounds)?,
                Self::Or { of } => Self::And { of: of.iter().map(negated).collect() }.may(n, bounds)?,
                Self::Null { column } => match known(column) {
                    Some(of) => some(&of),
                    None => yes(),
                },
                Self::Compare { column, cmp, value } => match known(column) {
                    // A number that is none is neither below nor above another.
                    Some(of) if !of.min.data_type().is_floating() => {
                        let cmp = match cmp {
                            Cmp::Eq => Cmp::Ne,
                            Cmp::Ne => Cmp::Eq,
                            Cmp::Lt => Cmp::Ge,
                            Cmp::Le => Cmp::Gt,
                            Cmp::Gt => Cmp::Le,
                            Cmp::Ge => Cmp::Lt,
                        };
                        Self::Compare { column: column.clone(), cmp, value: value.clone() }.may(n, bounds)?
                    }
                    _ => yes(),
                },
                _ => yes(),
            },
        })
    }

    /// The values of which a column has to have one for the condition to be true: of each column that has such a list.
    pub fn equals(&self) -> Vec<(&str, Vec<&Literal>)> {
        match self {
            Self::Compare { column, cmp: Cmp::Eq, value } if column.len() == 1 => vec![(&column[0], vec![value])],
            Self::In { column, values, null: false } if column.len() == 1 => {
                vec![(&column[0], values.iter().collect())]
            }
            Self::And { of } => of.iter().flat_map(Self::equals).collect(),
            _ => Vec::new(),
        }
    }
}

fn negated(expr: &Expr) -> Expr {
    Expr::Not { of: Box::new(expr.clone()) }
}

fn not(mask: &BooleanArray) -> BooleanArray {
    BooleanArray::new(!mask.values(), mask.nulls().cloned())
}

/// False where one is false, null where one is null.
fn both(a: &BooleanArray, b: &BooleanArray) -> BooleanArray {
    let values = a.values() & b.values();
    let (None, None) = (a.nulls(), b.nulls()) else {
        let sure = |mask: &BooleanArray, value: bool| {
            let values = if value { mask.values().clone() } else { !mask.values() };
            mask.nulls().map_or(values.clone(), |nulls| &values & nulls.inner())
        };
        let known = &(&sure(a, false) | &sure(b, false)) | &(&sure(a, true) & &sure(b, true));
        return BooleanArray::new(&sure(a, true) & &sure(b, true), Some(NullBuffer::new(known)));
    };
    BooleanArray::new(values, None)
}

/// A column, or a field of one; what has it where that is JSON text.
fn field_of<'a>(fields: &'a Fields, column: &[String]) -> Option<&'a Field> {
    let (name, rest) = column.split_first()?;
    let field = fields.iter().find(|field| field.name() == name)?;
    match (rest, field.data_type()) {
        ([], _) => Some(field),
        _ if is_json(field) => Some(field),
        (rest, DataType::Struct(fields)) => field_of(fields, rest),
        _ => None,
    }
}

/// A column of a batch, or a field of one, null where what it is in is null.
fn column_of(batch: &RecordBatch, column: &[String]) -> Result<ArrayRef> {
    let missing = || Error::new(Kind::Schema, format!("filter: there is no column {:?}", column.join(".")));
    let (name, rest) = column.split_first().ok_or_else(missing)?;
    let mut array = Arc::clone(batch.column_by_name(name).ok_or_else(missing)?);
    for name in rest {
        let of = array.as_struct_opt().ok_or_else(missing)?;
        let field = Arc::clone(of.column_by_name(name).ok_or_else(missing)?);
        array = match of.nulls() {
            Some(nulls) => {
                nullif(&field, &BooleanArray::new(!nulls.inner(), None)).map_err(|e| Error::internal(e.to_string()))?
            }
            None => field,
        };
    }
    Ok(array)
}

fn is_text(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

fn is_bytes(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_))
}

/// One value as a scalar of a type.
fn text(value: &str, to: &DataType) -> Result<Scalar<ArrayRef>> {
    cast_scalar(Arc::new(StringArray::from(vec![value])), to)
}

fn cast_scalar(array: ArrayRef, to: &DataType) -> Result<Scalar<ArrayRef>> {
    let options = CastOptions { safe: false, ..CastOptions::default() };
    let made = cast_with_options(&array, to, &options).map_err(|e| {
        Error::new(
            Kind::Schema,
            format!(
                "filter: the column has the type {to}, and the value it is compared with cannot be read as one: {e}"
            ),
        )
    })?;
    Ok(Scalar::new(made))
}

fn ordered<T: PartialOrd>(cmp: Cmp, a: &T, b: &T) -> bool {
    match cmp {
        Cmp::Eq => a == b,
        Cmp::Ne => a != b,
        Cmp::Lt => a < b,
        Cmp::Le => a <= b,
        Cmp::Gt => a > b,
        Cmp::Ge => a >= b,
    }
}

fn compare(column: &str, array: &ArrayRef, cmp: Cmp, value: &Literal) -> Mask {
    let data_type = array.data_type();
    match value {
        _ if data_type.is_null() => {
            Ok(BooleanArray::new(BooleanBuffer::new_unset(array.len()), Some(NullBuffer::new_null(array.len()))))
        }
        Literal::Bool(value) if *data_type == DataType::Boolean => {
            by_scalar(array, cmp, &Scalar::new(Arc::new(BooleanArray::from(vec![*value]))))
        }
        Literal::Int(value) if data_type.is_integer() => integers(array, cmp, i128::from(*value)),
        Literal::Big(value) if data_type.is_integer() => integers(array, cmp, i128::from(*value)),
        Literal::Float(value) if data_type.is_integer() => {
            // The integers that lie so to a number that may be none of them.
            if value.is_nan() {
                return Ok(constant(array, cmp == Cmp::Ne));
            }
            let whole = value.fract() == 0.0;
            let at = if *value >= 1e19 {
                i128::MAX
            } else if *value <= -1e19 {
                i128::MIN
            } else {
                value.floor() as i128
            };
            match cmp {
                _ if whole => integers(array, cmp, at),
                Cmp::Eq | Cmp::Ne => Ok(constant(array, cmp == Cmp::Ne)),
                Cmp::Lt | Cmp::Le => integers(array, Cmp::Le, at),
                Cmp::Gt | Cmp::Ge => integers(array, Cmp::Gt, at),
            }
        }
        Literal::Int(_) | Literal::Big(_) | Literal::Float(_) if data_type.is_floating() => {
            let value = match value {
                Literal::Int(value) => *value as f64,
                Literal::Big(value) => *value as f64,
                Literal::Float(value) => *value,
                _ => f64::NAN,
            };
            let wide = if *data_type == DataType::Float64 {
                Arc::clone(array)
            } else {
                cast_with_options(array, &DataType::Float64, &CastOptions::default())
                    .map_err(|e| Error::internal(e.to_string()))?
            };
            let floats = wide.as_primitive::<Float64Type>().values().clone();
            Ok(BooleanArray::new(
                BooleanBuffer::collect_bool(array.len(), |i| ordered(cmp, &floats[i], &value)),
                array.logical_nulls(),
            ))
        }
        Literal::Int(_) | Literal::Big(_) | Literal::Float(_) if data_type.is_decimal() => {
            let value = match value {
                Literal::Int(value) => value.to_string(),
                Literal::Big(value) => value.to_string(),
                Literal::Float(value) => value.to_string(),
                _ => String::new(),
            };
            by_scalar(array, cmp, &text(&value, data_type)?)
        }
        Literal::Text(value) if is_text(data_type) => by_scalar(array, cmp, &text(value, data_type)?),
        Literal::Bytes(value) if is_bytes(data_type) => by_scalar(
            array,
            cmp,
            &cast_scalar(Arc::new(arrow_array::BinaryArray::from(vec![value.as_slice()])), data_type)?,
        ),
        Literal::Text(value) | Literal::Other(value) if data_type.is_temporal() || data_type.is_decimal() => {
            by_scalar(array, cmp, &text(value, data_type)?)
        }
        value => Err(misfit(column, data_type, value)),
    }
}

fn by_scalar(array: &ArrayRef, cmp: Cmp, value: &Scalar<ArrayRef>) -> Mask {
    let made = match cmp {
        Cmp::Eq => cmp::eq(array, value),
        Cmp::Ne => cmp::neq(array, value),
        Cmp::Lt => cmp::lt(array, value),
        Cmp::Le => cmp::lt_eq(array, value),
        Cmp::Gt => cmp::gt(array, value),
        Cmp::Ge => cmp::gt_eq(array, value),
    };
    made.map_err(|e| Error::new(Kind::Schema, format!("filter: {e}")))
}

/// Integers of any type beside one that may be out of their range.
fn integers(array: &ArrayRef, cmp: Cmp, value: i128) -> Mask {
    use arrow_array::types::{Int8Type, Int16Type, Int32Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type};
    macro_rules! of {
        ($type:ty, $native:ty) => {{
            let Ok(value) = <$native>::try_from(value) else {
                // Below all, or above all.
                let below = value < 0;
                return Ok(constant(
                    array,
                    match cmp {
                        Cmp::Eq => false,
                        Cmp::Ne => true,
                        Cmp::Lt | Cmp::Le => !below,
                        Cmp::Gt | Cmp::Ge => below,
                    },
                ));
            };
            let values = array.as_primitive::<$type>().values();
            let n = array.len();
            match cmp {
                Cmp::Eq => BooleanBuffer::collect_bool(n, |i| values[i] == value),
                Cmp::Ne => BooleanBuffer::collect_bool(n, |i| values[i] != value),
                Cmp::Lt => BooleanBuffer::collect_bool(n, |i| values[i] < value),
                Cmp::Le => BooleanBuffer::collect_bool(n, |i| values[i] <= value),
                Cmp::Gt => BooleanBuffer::collect_bool(n, |i| values[i] > value),
                Cmp::Ge => BooleanBuffer::collect_bool(n, |i| values[i] >= value),
            }
        }};
    }
    let mask = match array.data_type() {
        DataType::Int8 => of!(Int8Type, i8),
        DataType::Int16 => of!(Int16Type, i16),
        DataType::Int32 => of!(Int32Type, i32),
        DataType::Int64 => of!(Int64Type, i64),
        DataType::UInt8 => of!(UInt8Type, u8),
        DataType::UInt16 => of!(UInt16Type, u16),
        DataType::UInt32 => of!(UInt32Type, u32),
        _ => of!(UInt64Type, u64),
    };
    Ok(BooleanArray::new(mask, array.logical_nulls()))
}

/// One of some values; false where there is none, unless `null` is one of them.
fn within(column: &str, array: &ArrayRef, values: &[Literal], null: bool) -> Mask {
    let found = match array.data_type() {
        DataType::Int64 if values.len() > 8 && values.iter().all(|value| matches!(value, Literal::Int(_))) => {
            let wanted: HashSet<i64> = values
                .iter()
                .filter_map(|value| if let Literal::Int(value) = value { Some(*value) } else { None })
                .collect();
            let ints = array.as_primitive::<Int64Type>().values();
            BooleanBuffer::collect_bool(array.len(), |i| wanted.contains(&ints[i]))
        }
        data_type
            if is_text(data_type)
                && values.len() > 8
                && values.iter().all(|value| matches!(value, Literal::Text(_))) =>
        {
            let wanted: HashSet<&str> = values
                .iter()
                .filter_map(|value| if let Literal::Text(value) = value { Some(value.as_str()) } else { None })
                .collect();
            let view = cast_with_options(array, &DataType::Utf8View, &CastOptions::default())
                .map_err(|e| Error::internal(e.to_string()))?;
            let texts = view.as_string_view();
            BooleanBuffer::collect_bool(array.len(), |i| texts.is_valid(i) && wanted.contains(texts.value(i)))
        }
        _ => {
            let mut found = BooleanBuffer::new_unset(array.len());
            for value in values {
                found = &found | compare(column, array, Cmp::Eq, value)?.values();
            }
            found
        }
    };
    let nulls = array.logical_nulls();
    Ok(match nulls {
        Some(nulls) if null => BooleanArray::new(&(&found & nulls.inner()) | &!nulls.inner(), None),
        Some(nulls) => BooleanArray::new(&found & nulls.inner(), None),
        None => BooleanArray::new(found, None),
    })
}

#[cfg(test)]
mod tests {
    use arrow_array::{Float32Array, Int8Array, Int64Array, StringViewArray, StructArray};

    use super::*;

    fn batch() -> RecordBatch {
        let inner: StructArray = vec![(
            Arc::new(Field::new("y", DataType::Int64, true)),
            Arc::new(Int64Array::from(vec![1, 2, 3, 4])) as ArrayRef,
        )]
        .into();
        RecordBatch::try_from_iter_with_nullable([
            ("i", Arc::new(Int8Array::from(vec![Some(-1), Some(2), None, Some(127)])) as ArrayRef, true),
            ("f", Arc::new(Float32Array::from(vec![Some(0.5), Some(f32::NAN), None, Some(2.0)])), true),
            ("t", Arc::new(StringViewArray::from(vec![Some("a"), None, Some("ab"), Some("b")])), true),
            ("x", Arc::new(inner), true),
        ])
        .unwrap_or_else(|_| RecordBatch::new_empty(Arc::new(Schema::empty())))
    }

    fn kept(json: serde_json::Value) -> Vec<usize> {
        let expr: Expr = serde_json::from_value(json).unwrap_or(Expr::And { of: Vec::new() });
        expr.keep(&batch()).map(|keep| keep.set_indices().collect()).unwrap_or_default()
    }

    #[test]
    fn null_is_not_true_and_numbers_keep_their_meaning() {
        use serde_json::json;
        let compare = |column: &str, cmp: &str, value: serde_json::Value| json!({"op": "compare", "column": [column], "cmp": cmp, "value": value});
        for (expr, rows) in [
            (compare("i", "gt", json!({"int": 0})), vec![1, 3]),
            (compare("i", "lt", json!({"int": 1000})), vec![0, 1, 3]),
            (compare("i", "gt", json!({"float": 1.5})), vec![1, 3]),
            (compare("i", "le", json!({"float": 1.5})), vec![0]),
            (compare("i", "eq", json!({"float": 1.5})), vec![]),
            (compare("f", "ne", json!({"int": 2})), vec![0, 1]),
            (compare("f", "gt", json!({"float": 0.1})), vec![0, 3]),
            (compare("t", "ge", json!({"text": "ab"})), vec![2, 3]),
            (json!({"op": "not", "of": compare("i", "gt", json!({"int": 0}))}), vec![0]),
            (json!({"op": "not", "of": {"op": "in", "column": ["i"], "values": [{"int": 2}]}}), vec![0, 2, 3]),
            (json!({"op": "in", "column": ["t"], "values": [{"text": "b"}], "null": true}), vec![1, 3]),
            (json!({"op": "starts", "column": ["t"], "prefix": "a"}), vec![0, 2]),
            (json!({"op": "null", "column": ["t"]}), vec![1]),
            (
                json!({"op": "or", "of": [{"op": "null", "column": ["i"]}, compare("i", "eq", json!({"int": 2}))]}),
                vec![1, 2],
            ),
            (
                json!({"op": "and", "of": [
                    compare("i", "gt", json!({"int": -5})),
                    compare("t", "lt", json!({"text": "b"}))
                ]}),
                vec![0],
            ),
            (json!({"op": "compare", "column": ["x", "y"], "cmp": "ge", "value": {"int": 3}}), vec![2, 3]),
        ] {
            assert_eq!(kept(expr.clone()), rows, "{expr}");
        }
    }
}
