//! Values that Python has classes for: dates, times, decimals. They give what pyarrow's `as_py` gives.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Decimal32Type, Decimal64Type, Decimal128Type, Decimal256Type, IntervalDayTimeType, IntervalMonthDayNanoType,
    IntervalYearMonthType,
};
use arrow_array::{Array, ArrayRef, FixedSizeBinaryArray};
use arrow_buffer::ScalarBuffer;
use arrow_schema::{DataType, IntervalUnit, TimeUnit};
use pyo3::exceptions::PyOverflowError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyDict, PyTuple};
use rowstream_core::{Error, Kind};

use crate::error::raise;

/// A column of such values.
pub enum Scalars {
    FixedBinary(FixedSizeBinaryArray),
    Date32(ScalarBuffer<i32>),
    Date64(ScalarBuffer<i64>),
    /// Values, and how many of them are a second.
    Time(ScalarBuffer<i64>, i64),
    Timestamp(ScalarBuffer<i64>, i64, Option<Arc<str>>),
    Duration(ScalarBuffer<i64>, i64),
    Decimal(ArrayRef),
    Interval(ArrayRef),
}

/// How many of a unit are a second.
pub fn per_second(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => 1_000_000_000,
    }
}

const DAY: i64 = 86_400;

impl Scalars {
    pub fn value<'py>(&self, py: Python<'py>, i: usize) -> PyResult<Bound<'py, PyAny>> {
        match self {
            Self::FixedBinary(values) => Ok(PyBytes::new(py, values.value(i)).into_any()),
            Self::Date32(values) => date(py, values[i].into()),
            Self::Date64(values) => date(py, values[i].div_euclid(DAY * 1000)),
            Self::Time(values, per) => time(py, values[i], *per),
            Self::Timestamp(values, per, zone) => timestamp(py, values[i], *per, zone.as_deref()),
            Self::Duration(values, per) => duration(py, values[i], *per),
            Self::Decimal(array) => {
                let text = match array.data_type() {
                    DataType::Decimal32(..) => array.as_primitive::<Decimal32Type>().value_as_string(i),
                    DataType::Decimal64(..) => array.as_primitive::<Decimal64Type>().value_as_string(i),
                    DataType::Decimal128(..) => array.as_primitive::<Decimal128Type>().value_as_string(i),
                    _ => array.as_primitive::<Decimal256Type>().value_as_string(i),
                };
                static DECIMAL: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
                named(py, &DECIMAL, "decimal", "Decimal")?.call1((text,))
            }
            Self::Interval(array) => {
                let (months, days, nanoseconds) = match array.data_type() {
                    DataType::Interval(IntervalUnit::YearMonth) => {
                        (array.as_primitive::<IntervalYearMonthType>().value(i), 0, 0)
                    }
                    DataType::Interval(IntervalUnit::DayTime) => {
                        let value = array.as_primitive::<IntervalDayTimeType>().value(i);
                        (0, value.days, i64::from(value.milliseconds) * 1_000_000)
                    }
                    _ => {
                        let value = array.as_primitive::<IntervalMonthDayNanoType>().value(i);
                        (value.months, value.days, value.nanoseconds)
                    }
                };
                Ok((months, days, nanoseconds).into_pyobject(py)?.into_any())
            }
        }
    }
}

/// A class of the standard library, looked up once.
fn named<'py>(
    py: Python<'py>,
    cell: &'static PyOnceLock<Py<PyAny>>,
    module: &str,
    name: &str,
) -> PyResult<Bound<'py, PyAny>> {
    let found = cell.get_or_try_init(py, || Ok::<_, PyErr>(py.import(module)?.getattr(name)?.unbind()))?;
    Ok(found.bind(py).clone())
}

fn beyond(what: &str, value: i64) -> PyErr {
    raise(&Error::new(
        Kind::Unsupported,
        format!(
            "the {what} {value} is beyond what Python's datetime holds (years 1 to 9999); read the column with \
             with_format(\"arrow\")"
        ),
    ))
}

fn date(py: Python<'_>, days: i64) -> PyResult<Bound<'_, PyAny>> {
    static FROM_ORDINAL: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    static DATE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let class = named(py, &DATE, "datetime", "date")?;
    let make = FROM_ORDINAL.get_or_try_init(py, || Ok::<_, PyErr>(class.getattr("fromordinal")?.unbind()))?.bind(py);
    let ordinal = days
        .checked_add(719_163)
        .filter(|n| (1..=3_652_059).contains(n))
        .ok_or_else(|| beyond("date, in days since 1970,", days))?;
    make.call1((ordinal,))
}

/// Microseconds, and the nanoseconds that they leave.
fn micros(value: i64, per: i64) -> (i128, i64) {
    let nanos = i128::from(value) * i128::from(1_000_000_000 / per);
    (nanos.div_euclid(1000), nanos.rem_euclid(1000) as i64)
}

fn time(py: Python<'_>, value: i64, per: i64) -> PyResult<Bound<'_, PyAny>> {
    static TIME: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let (micros, nanos) = micros(value, per);
    if nanos != 0 {
        return Err(raise(&Error::new(
            Kind::Unsupported,
            format!(
                "the time of day {value} ns has nanoseconds, which Python's datetime.time does not hold; read the \
                 column with with_format(\"arrow\")"
            ),
        )));
    }
    let second = i64::try_from(micros / 1_000_000)
        .ok()
        .filter(|s| (0..DAY).contains(s) && micros >= 0)
        .ok_or_else(|| beyond("time of day", value))?;
    named(py, &TIME, "datetime", "time")?.call1((
        second / 3600,
        second / 60 % 60,
        second % 60,
        (micros % 1_000_000) as i64,
    ))
}

/// pandas, where nanoseconds need it and it is installed.
fn pandas<'py>(py: Python<'py>, cell: &'static PyOnceLock<Option<Py<PyAny>>>, name: &str) -> Option<Bound<'py, PyAny>> {
    let found = cell.get_or_init(py, || py.import("pandas").and_then(|m| m.getattr(name)).ok().map(Bound::unbind));
    found.as_ref().map(|class| class.bind(py).clone())
}

fn timestamp<'py>(py: Python<'py>, value: i64, per: i64, zone: Option<&str>) -> PyResult<Bound<'py, PyAny>> {
    static DATETIME: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    static UTC: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    static PANDAS: PyOnceLock<Option<Py<PyAny>>> = PyOnceLock::new();
    let zone = zone.map(|name| tzinfo(py, name)).transpose()?;
    if per == 1_000_000_000
        && let Some(class) = pandas(py, &PANDAS, "Timestamp")
    {
        let options = PyDict::new(py);
        options.set_item("tz", zone)?;
        return class.call((value,), Some(&options));
    }
    let (micros, nanos) = micros(value, per);
    if nanos != 0 {
        return Err(raise(&Error::new(
            Kind::Unsupported,
            format!(
                "the timestamp {value} ns has nanoseconds, which Python's datetime does not hold; install pandas, or \
                 read the column with with_format(\"arrow\")"
            ),
        )));
    }
    let seconds = micros.div_euclid(1_000_000);
    let (days, second) = (seconds.div_euclid(DAY.into()), seconds.rem_euclid(DAY.into()) as i64);
    let days = i64::try_from(days)
        .ok()
        .filter(|d| (-719_162..=2_932_896).contains(d))
        .ok_or_else(|| beyond("timestamp", value))?;
    let (year, month, day) = civil(days);
    let class = named(py, &DATETIME, "datetime", "datetime")?;
    let parts = (year, month, day, second / 3600, second / 60 % 60, second % 60, micros.rem_euclid(1_000_000) as i64);
    match zone {
        None => class.call1(parts),
        Some(zone) => {
            let utc = UTC.get_or_try_init(py, || {
                Ok::<_, PyErr>(py.import("datetime")?.getattr("timezone")?.getattr("utc")?.unbind())
            })?;
            let parts = (parts.0, parts.1, parts.2, parts.3, parts.4, parts.5, parts.6, utc);
            // Near the first and the last day, another zone may have no such day.
            class
                .call1(parts)?
                .call_method1("astimezone", (zone,))
                .map_err(|e| if e.is_instance_of::<PyOverflowError>(py) { beyond("timestamp", value) } else { e })
        }
    }
}

/// The date of a day since 1970 (Howard Hinnant, "chrono-compatible low-level date algorithms").
fn civil(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    (yoe + era * 400 + i64::from(month <= 2), month, doy - (153 * mp + 2) / 5 + 1)
}

/// The zone of a name, or of an offset such as `+05:30`.
fn tzinfo<'py>(py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
    static ZONES: PyOnceLock<Py<PyDict>> = PyOnceLock::new();
    let zones = ZONES.get_or_init(py, || PyDict::new(py).unbind()).bind(py);
    if let Some(known) = zones.get_item(name)? {
        return Ok(known);
    }
    let datetime = py.import("datetime")?;
    let offset = match name.as_bytes() {
        [sign @ (b'+' | b'-'), h, hh, b':', m, mm] if [h, hh, m, mm].iter().all(|b| b.is_ascii_digit()) => {
            let digit = |b: &u8| i64::from(b - b'0');
            let minutes = (digit(h) * 10 + digit(hh)) * 60 + digit(m) * 10 + digit(mm);
            Some(if *sign == b'-' { -minutes } else { minutes })
        }
        _ => None,
    };
    let made = match offset {
        Some(minutes) => {
            datetime.getattr("timezone")?.call1((datetime.getattr("timedelta")?.call1((0, minutes * 60))?,))?
        }
        None => py.import("zoneinfo")?.getattr("ZoneInfo")?.call1((name,)).map_err(|e| {
            let cause = e.value(py).to_string();
            raise(&Error::new(
                Kind::Unsupported,
                format!(
                    "the time zone {name:?} is not known here ({cause}); install the package tzdata, or read the \
                    column with with_format(\"arrow\")"
                ),
            ))
        })?,
    };
    zones.set_item(name, &made)?;
    Ok(made)
}

fn duration(py: Python<'_>, value: i64, per: i64) -> PyResult<Bound<'_, PyAny>> {
    static TIMEDELTA: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    static PANDAS: PyOnceLock<Option<Py<PyAny>>> = PyOnceLock::new();
    if per == 1_000_000_000
        && let Some(class) = pandas(py, &PANDAS, "Timedelta")
    {
        return class.call1(PyTuple::new(py, [value])?);
    }
    let (micros, nanos) = micros(value, per);
    if nanos != 0 {
        return Err(raise(&Error::new(
            Kind::Unsupported,
            format!(
                "the duration {value} ns has nanoseconds, which Python's timedelta does not hold; install pandas, or \
                 read the column with with_format(\"arrow\")"
            ),
        )));
    }
    // Beyond a billion days there is none.
    if micros.div_euclid(86_400_000_000).unsigned_abs() > 999_999_999 {
        return Err(beyond("duration", value));
    }
    named(py, &TIMEDELTA, "datetime", "timedelta")?.call1((
        0,
        (micros.div_euclid(1_000_000)) as i64,
        micros.rem_euclid(1_000_000) as i64,
    ))
}
