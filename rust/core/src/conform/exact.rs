//! Values brought to another type, exactly: what would be cut is an error that names the row and the value.

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, TimestampMicrosecondType};
use arrow_array::{Array, ArrayRef, make_array, new_null_array};
use arrow_cast::can_cast_types;
use arrow_ord::cmp::distinct;
use arrow_schema::{DataType, TimeUnit};

use super::texts::{digits, texts, unread};
use super::values::{cast_to, first, misfit, text};
use crate::error::{Error, Kind, Result};

/// Values that are no lists and no structs, as another type that holds them.
pub(super) fn exact(array: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
    let from = array.data_type();
    if !castable(from, to) {
        return match first(array, |_| true) {
            Some(row) => Err(Error::new(Kind::Schema, format!("{from} cannot be read as {to}")).on_row(row as u64)),
            None => Ok(new_null_array(to, array.len())),
        };
    }
    if text(to)
        && let Some(made) = texts(array)?
    {
        return exact(&made, to);
    }
    match (from, to) {
        // The instant, not the zone's own time.
        (DataType::Timestamp(unit, Some(zone)), DataType::Timestamp(other, None)) => {
            let plain = array.to_data().into_builder().data_type(DataType::Timestamp(*unit, None)).build();
            let plain = make_array(plain.map_err(|e| Error::internal(format!("{e}, of {zone}")))?);
            return exact(&plain, &DataType::Timestamp(*other, None));
        }
        // What has no zone is UTC, as it is to pyarrow, and not the zone's own time.
        (DataType::Date32 | DataType::Date64 | DataType::Timestamp(_, None), DataType::Timestamp(unit, Some(_))) => {
            let plain = exact(array, &DataType::Timestamp(*unit, None))?;
            let made = plain.to_data().into_builder().data_type(to.clone()).build();
            return Ok(make_array(made.map_err(|e| Error::internal(e.to_string()))?));
        }
        // Only bytes of their own become bytes of one length.
        (
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::BinaryView,
            DataType::FixedSizeBinary(_),
        ) => {
            return exact(&exact(array, &DataType::Binary)?, to);
        }
        _ => {}
    }
    if let Some(row) = unread(array, to)? {
        return Err(misfit(array, row, &format!("cannot be read as {to}")));
    }
    let made = cast_to(array, to)?;
    if made.logical_null_count() > array.logical_null_count()
        && let Some(row) = first(array, |row| made.is_null(row))
    {
        return Err(misfit(array, row, &format!("cannot be read as {to}")));
    }
    match cut(array, &made)? {
        Some(row) => Err(misfit(array, row, &format!("is not exact as {to}"))),
        None => Ok(made),
    }
}

/// Whether pyarrow, too, casts one type to another. Arrow's own casts take more: a number becomes a list of it, a list
/// becomes a text, and what is not a whole day becomes a date.
fn castable(from: &DataType, to: &DataType) -> bool {
    use DataType::{
        Boolean, Date32, Date64, Dictionary, Duration, Float16, Int32, Int64, LargeList, LargeListView, List, ListView,
        Null, RunEndEncoded, Time32, Time64, Timestamp,
    };
    let bytes = |of: &DataType| of.is_binary() || matches!(of, DataType::FixedSizeBinary(_));
    match (from, to) {
        _ if from == to => true,
        (Null, _) | (ListView(_), List(_)) | (LargeListView(_), LargeList(_)) => true,
        (_, Null) => false,
        (Dictionary(_, of), _) => castable(of, to),
        (RunEndEncoded(_, of), _) => castable(of.data_type(), to),
        (_, Dictionary(_, of)) => castable(from, of),
        _ if from.is_nested() || to.is_nested() => false,
        _ if text(from) => {
            text(to) || bytes(to) || *to == Boolean || to.is_numeric() || to.is_temporal() && !matches!(to, Duration(_))
        }
        _ if bytes(from) => bytes(to) || text(to),
        _ if text(to) => true,
        (Boolean, _) => to.is_integer() || to.is_floating(),
        (Int64, Timestamp(..) | Time64(_) | Date64 | Duration(_))
        | (Int32, Date32 | Time32(_))
        | (Timestamp(..) | Time64(_) | Date64 | Duration(_), Int64)
        | (Date32 | Time32(_), Int32)
        | (Duration(_), Duration(_))
        | (Time32(_) | Time64(_), Time32(_) | Time64(_))
        | (Timestamp(..), Timestamp(..) | Date32 | Date64 | Time32(_) | Time64(_))
        | (Date32 | Date64, Timestamp(..) | Date32 | Date64) => true,
        _ if from.is_integer() || from.is_floating() => to.is_numeric() || *to == Boolean,
        _ => from.is_decimal() && to.is_numeric() && *to != Float16,
    }
}

/// The first value that another type does not hold: casts of Arrow cut what comes after a point, and what is finer than
/// a unit.
fn cut(array: &ArrayRef, made: &ArrayRef) -> Result<Option<usize>> {
    let (from, to) = (array.data_type(), made.data_type());
    match (from, to) {
        _ if from.is_floating() && (to.is_numeric() || *to == DataType::Boolean) => cut_float(array, made),
        _ if text(from) => cut_text(array, made),
        _ if goes_back(from, to) => {
            if !can_cast_types(to, from) {
                return Ok(first(array, |_| true));
            }
            let differs = distinct(array, &cast_to(made, from)?).map_err(|e| Error::internal(e.to_string()))?;
            Ok(differs.values().set_indices().next())
        }
        _ => Ok(None),
    }
}

/// Whether a cast may cut values, so that they are to be the same when they are cast back.
fn goes_back(from: &DataType, to: &DataType) -> bool {
    use DataType::{Boolean, Date32, Float32, Float64, Int8, Int16, Int32, Time32, Timestamp, UInt8, UInt16, UInt32};
    match (from, to) {
        (Int8 | Int16 | UInt8 | UInt16, Float32) | (Int8 | Int16 | Int32 | UInt8 | UInt16 | UInt32, Float64) => false,
        (Timestamp(unit, _), Timestamp(other, _)) => unit != other,
        _ if from.is_integer() => to.is_floating() || matches!(to, Boolean | Date32 | Time32(_)),
        _ if from.is_temporal() => to.is_temporal() || to.is_floating(),
        _ => from.is_decimal() && (to.is_decimal() || to.is_integer()),
    }
}

fn cut_float(array: &ArrayRef, made: &ArrayRef) -> Result<Option<usize>> {
    let to = made.data_type();
    let floats = cast_to(array, &DataType::Float64)?;
    let floats = floats.as_primitive::<Float64Type>();
    let lost = |lost: &dyn Fn(usize, f64) -> bool| first(floats, |row| lost(row, floats.value(row)));
    #[expect(clippy::float_cmp, reason = "it is to be the same number")]
    Ok(match to {
        DataType::Boolean => lost(&|_, value| value != 0.0 && value != 1.0),
        _ if to.is_integer() => lost(&|_, value| value != value.trunc()),
        _ if to.is_floating() && to.primitive_width() >= array.data_type().primitive_width() => None,
        _ => {
            // Smaller floats are rounded, as all floats are, but not to infinity.
            let back = cast_to(&cast_to(made, array.data_type())?, &DataType::Float64)?;
            let back = back.as_primitive::<Float64Type>();
            let rounded = to.is_floating();
            lost(&|row, value| {
                if rounded { value.is_finite() && back.value(row).is_infinite() } else { value != back.value(row) }
            })
        }
    })
}

fn cut_text(array: &ArrayRef, made: &ArrayRef) -> Result<Option<usize>> {
    use DataType::{Date32, Date64, Decimal256, Time32, Time64, Timestamp};
    let to = made.data_type();
    let unit = match to {
        Timestamp(unit, _) | Time32(unit) | Time64(unit) => *unit,
        Date32 | Date64 => {
            let views = cast_to(array, &DataType::Utf8View)?;
            if views.as_string_view().iter().flatten().all(|text| text.len() <= 10) {
                return Ok(None);
            }
            let times = cast_to(array, &Timestamp(TimeUnit::Microsecond, None))?;
            let times = times.as_primitive::<TimestampMicrosecondType>();
            return Ok(first(times, |row| times.value(row) % 86_400_000_000 != 0));
        }
        // What has more digits than the scale is rounded.
        _ if to.is_decimal() => {
            let wide = Decimal256(76, 38);
            let (whole, back) = (cast_to(array, &wide)?, cast_to(made, &wide)?);
            let differs = distinct(&whole, &back).map_err(|e| Error::internal(e.to_string()))?;
            return Ok(differs.values().set_indices().find(|row| whole.is_valid(*row) && back.is_valid(*row)));
        }
        _ => return Ok(None),
    };
    let digits = digits(unit);
    let views = cast_to(array, &DataType::Utf8View)?;
    let finer = |text: &str| {
        let fraction = text.split_once('.').map_or("", |(_, rest)| rest);
        fraction.bytes().take_while(u8::is_ascii_digit).skip(digits).any(|digit| digit != b'0')
    };
    Ok(views.as_string_view().iter().position(|text| text.is_some_and(finer)))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use arrow_array::{Float64Array, Int64Array, StringArray, TimestampMicrosecondArray};

    fn said(array: impl Array + 'static, to: &DataType) -> String {
        exact(&(Arc::new(array) as ArrayRef), to).map_or_else(|e| e.to_string(), |_| String::new())
    }

    #[test]
    fn whole_numbers_are_kept_and_others_named() {
        use DataType::{Boolean, Date32, Decimal128, Float32, Int8, Int64, Timestamp};
        let floats = |values: &[f64]| Float64Array::from(values.to_vec());
        assert_eq!(said(floats(&[1.0, -0.0, 3e9]), &Int64), "");
        assert_eq!(said(floats(&[1.0, 2.5]), &Int64), "2.5 is not exact as Int64");
        assert_eq!(said(floats(&[f64::NAN]), &Int64), "NaN cannot be read as Int64");
        assert_eq!(said(floats(&[0.1, -0.0]), &Decimal128(5, 2)), "");
        assert_eq!(said(floats(&[1.239]), &Decimal128(5, 2)), "1.239 is not exact as Decimal128(5, 2)");
        assert_eq!(said(floats(&[0.1, f64::INFINITY]), &Float32), "");
        assert_eq!(said(floats(&[1e300]), &Float32), "1e300 is not exact as Float32");
        assert_eq!(said(floats(&[1.5]), &Timestamp(TimeUnit::Second, None)), "Float64 cannot be read as Timestamp(s)");
        assert_eq!(said(Int64Array::from(vec![127, 300]), &Int8), "300 cannot be read as Int8");
        assert_eq!(said(Int64Array::from(vec![(1 << 24) + 1]), &Float32), "16777217 is not exact as Float32");
        assert_eq!(said(Int64Array::from(vec![1 << 60, i64::MIN]), &DataType::Float64), "");
        assert_eq!(
            said(Int64Array::from(vec![i64::MAX]), &DataType::Float64),
            "9223372036854775807 is not exact as Float64"
        );
        assert_eq!(said(Int64Array::from(vec![0, 1, 5]), &Boolean), "5 is not exact as Boolean");
        let stamps = || TimestampMicrosecondArray::from(vec![86_400_000_000, 1_500_000]);
        assert_eq!(said(stamps(), &Timestamp(TimeUnit::Millisecond, None)), "");
        assert_eq!(
            said(stamps(), &Timestamp(TimeUnit::Second, None)),
            "1970-01-01T00:00:01.500 is not exact as Timestamp(s)"
        );
        assert_eq!(said(stamps(), &Date32), "1970-01-01T00:00:01.500 is not exact as Date32");
        let texts = |value: &str| StringArray::from(vec!["1", value]);
        assert_eq!(said(texts("2.5"), &Int64), "\"2.5\" cannot be read as Int64");
        assert_eq!(said(texts("1.230"), &Decimal128(5, 2)), "");
        assert_eq!(said(texts("1.239"), &Decimal128(5, 2)), "\"1.239\" is not exact as Decimal128(5, 2)");
        let time = |value: &str| StringArray::from(vec![value]);
        assert_eq!(said(time("2020-01-01T00:00:00.500"), &Timestamp(TimeUnit::Millisecond, None)), "");
        assert_ne!(said(time("2020-01-01T00:00:00.500"), &Timestamp(TimeUnit::Second, None)), "");
        assert_eq!(said(time("2020-01-01T00:00:00"), &Date32), "");
        assert_ne!(said(time("2020-01-01T10:00:00"), &Date32), "");
    }

    #[test]
    fn an_error_knows_its_row() {
        let row = |array: &ArrayRef, to: &DataType| exact(array, to).map_or_else(|e| e.row(), |_| None);
        let array: ArrayRef = Arc::new(Float64Array::from(vec![Some(1.0), None, Some(0.5)]));
        assert_eq!(row(&array, &DataType::Int64), Some(2));
    }
}
