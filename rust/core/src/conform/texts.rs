//! Values as strings, as pyarrow's casts write them.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Float64Type};
use arrow_array::{Array, ArrayRef, Int64Array, StringArray};
use arrow_cast::display::array_value_to_string;
use arrow_schema::{DataType, TimeUnit};

use super::values::{cast_to, text};
use crate::error::Result;

/// Values of a type that Arrow's own cast writes otherwise; `None` where it does not.
pub(super) fn texts(array: &ArrayRef) -> Result<Option<ArrayRef>> {
    let plain = || cast_to(array, &DataType::Utf8);
    let each = |edit: &dyn Fn(&str) -> String| -> Result<Option<ArrayRef>> {
        let made = plain()?;
        let made: StringArray = made.as_string::<i32>().iter().map(|value| value.map(edit)).collect();
        Ok(Some(Arc::new(made)))
    };
    match array.data_type() {
        DataType::Float16 => texts(&cast_to(array, &DataType::Float64)?),
        DataType::Float32 => {
            let values = array.as_primitive::<Float32Type>();
            let made: StringArray =
                values.iter().map(|value| value.map(|value| float(&format!("{value:e}")))).collect();
            Ok(Some(Arc::new(made)))
        }
        DataType::Float64 => {
            let values = array.as_primitive::<Float64Type>();
            let made: StringArray =
                values.iter().map(|value| value.map(|value| float(&format!("{value:e}")))).collect();
            Ok(Some(Arc::new(made)))
        }
        DataType::Timestamp(unit, _) => each(&|value| stamp(value, digits(*unit))),
        DataType::Time32(unit) | DataType::Time64(unit) => each(&|value| clock(value, digits(*unit))),
        DataType::Date64 => each(&|value| value.split('T').next().unwrap_or_default().to_owned()),
        DataType::Duration(_) => cast_to(&cast_to(array, &DataType::Int64)?, &DataType::Utf8).map(Some),
        DataType::FixedSizeBinary(_) => cast_to(array, &DataType::Binary).map(Some),
        _ => Ok(None),
    }
}

/// How many decimals the seconds of a unit have.
pub(super) fn digits(unit: TimeUnit) -> usize {
    match unit {
        TimeUnit::Second => 0,
        TimeUnit::Millisecond => 3,
        TimeUnit::Microsecond => 6,
        TimeUnit::Nanosecond => 9,
    }
}

/// A float of its shortest digits and an exponent: with one from 1e10 on and below 1e-6.
fn float(shortest: &str) -> String {
    let (mantissa, exponent) = match shortest.split_once('e') {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().unwrap_or(0)),
        None => return if shortest == "NaN" { "nan".into() } else { shortest.into() },
    };
    if !(-6..10).contains(&exponent) {
        return format!("{mantissa}e{exponent:+}");
    }
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |rest| ("-", rest));
    let digits = mantissa.replace('.', "");
    if exponent < 0 {
        return format!("{sign}0.{}{digits}", "0".repeat(usize::try_from(-exponent - 1).unwrap_or(0)));
    }
    let point = usize::try_from(exponent + 1).unwrap_or(0);
    if digits.len() <= point {
        format!("{sign}{digits}{}", "0".repeat(point - digits.len()))
    } else {
        format!("{sign}{}.{}", &digits[..point], &digits[point..])
    }
}

/// A time of day with so many decimals.
fn clock(value: &str, digits: usize) -> String {
    let (seconds, fraction) = value.split_once('.').unwrap_or((value, ""));
    if digits == 0 { seconds.to_owned() } else { format!("{seconds}.{fraction:0<digits$}") }
}

/// A date and a time of day, with what a zone adds.
fn stamp(value: &str, digits: usize) -> String {
    let Some((date, time)) = value.split_once('T') else { return value.to_owned() };
    let zone = time.find(['Z', '+', '-']).unwrap_or(time.len());
    format!("{date} {}{}", clock(&time[..zone], digits), time[zone..].replace(':', ""))
}

/// A number of units since 1970, or since midnight, as text that is read as a time of that type; `None` for types that
/// are no such number, and for numbers beyond them.
pub(crate) fn moment(number: i64, of: &DataType) -> Option<String> {
    if !matches!(of, DataType::Timestamp(..) | DataType::Time64(_) | DataType::Date64) {
        return None;
    }
    let number: ArrayRef = Arc::new(Int64Array::from(vec![number]));
    let made = cast_to(&number, of).ok().filter(|made| made.is_valid(0))?;
    array_value_to_string(&made, 0).ok().filter(|text| !text.contains("ERROR"))
}

/// Whether a string is a truth, a number or a time of day to pyarrow too: Arrow's own casts take more.
pub(crate) fn reads(value: &str, to: &DataType) -> bool {
    match to {
        DataType::Time32(_) | DataType::Time64(_) => value.contains(':'),
        DataType::Boolean => ["true", "false", "1", "0"].iter().any(|word| value.eq_ignore_ascii_case(word)),
        _ if to.is_integer() => {
            let digits = value.strip_prefix('-').unwrap_or(value);
            !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
        }
        _ if to.is_floating() || to.is_decimal() => {
            !value.starts_with(char::is_whitespace) && !value.ends_with(char::is_whitespace)
        }
        _ => true,
    }
}

/// The first string of a column that is no value of a type, though Arrow's own cast takes it.
pub(super) fn unread(array: &ArrayRef, to: &DataType) -> Result<Option<usize>> {
    let loose = to.is_numeric() || matches!(to, DataType::Boolean | DataType::Time32(_) | DataType::Time64(_));
    if !text(array.data_type()) || !loose {
        return Ok(None);
    }
    let views = cast_to(array, &DataType::Utf8View)?;
    Ok(views.as_string_view().iter().position(|value| value.is_some_and(|value| !reads(value, to))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::{Float64Array, Time32SecondArray, TimestampMillisecondArray};

    fn said(array: impl Array + 'static) -> Vec<String> {
        let made = texts(&(Arc::new(array) as ArrayRef)).ok().flatten();
        made.map_or_else(Vec::new, |made| made.as_string::<i32>().iter().flatten().map(str::to_owned).collect())
    }

    #[test]
    fn strings_are_those_of_pyarrow() {
        let floats = [
            1.5,
            2.0,
            -0.0,
            0.1,
            1e-6,
            1.5e-6,
            1e-7,
            1e9,
            1e10,
            12_345_678_901.0,
            999_999_999.5,
            1e300,
            f64::NAN,
            f64::NEG_INFINITY,
        ];
        let expected = [
            "1.5",
            "2",
            "-0",
            "0.1",
            "0.000001",
            "0.0000015",
            "1e-7",
            "1000000000",
            "1e+10",
            "1.2345678901e+10",
            "999999999.5",
            "1e+300",
            "nan",
            "-inf",
        ];
        assert_eq!(said(Float64Array::from(floats.to_vec())), expected);
        assert_eq!(said(Time32SecondArray::from(vec![5])), ["00:00:05"]);
        let stamps = || TimestampMillisecondArray::from(vec![0, -1]);
        assert_eq!(said(stamps()), ["1970-01-01 00:00:00.000", "1969-12-31 23:59:59.999"]);
        assert_eq!(
            said(stamps().with_timezone("+02:30")),
            ["1970-01-01 02:30:00.000+0230", "1970-01-01 02:29:59.999+0230"]
        );
        assert_eq!(said(stamps().with_timezone("UTC")), ["1970-01-01 00:00:00.000Z", "1969-12-31 23:59:59.999Z"]);
    }
}
