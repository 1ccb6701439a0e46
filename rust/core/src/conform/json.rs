//! Values as JSON texts, for columns of `Json`: as `json.dumps` of Python writes them, dates and times as in ISO 8601.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type, UInt64Type};
use arrow_array::{Array, ArrayRef, StringArray};
use arrow_cast::display::array_value_to_string;
use arrow_schema::{DataType, Field};

use super::values::{cast_to, misfit, text};
use crate::error::{Error, Kind, Result};
use crate::fields::is_json;

/// The JSON texts of a column that has other values. Of strings, those that are JSON stay as they are: a column that is
/// read as `Json` mostly has it; others become strings of JSON.
pub(super) fn json_texts(array: &ArrayRef) -> Result<ArrayRef> {
    let nulls = array.logical_nulls();
    let texts = if text(array.data_type()) { Some(cast_to(array, &DataType::Utf8View)?) } else { None };
    let row = |row: usize| -> Result<Option<String>> {
        if nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
            return Ok(None);
        }
        let mut out = Vec::new();
        if let Some(texts) = &texts
            && serde_json::from_str::<serde::de::IgnoredAny>(texts.as_string_view().value(row)).is_ok()
        {
            return Ok(Some(texts.as_string_view().value(row).to_owned()));
        }
        write(array, row, &mut out).map_err(|e| e.placed(|_| None).on_row(row as u64))?;
        String::from_utf8(out).map(Some).map_err(|e| Error::internal(e.to_string()))
    };
    Ok(Arc::new((0..array.len()).map(row).collect::<Result<StringArray>>()?))
}

fn write(array: &ArrayRef, row: usize, out: &mut Vec<u8>) -> Result<()> {
    use DataType::{
        Boolean, Dictionary, FixedSizeList, LargeList, LargeListView, List, ListView, Map, Null, RunEndEncoded, Struct,
        UInt64,
    };
    if array.is_null(row) || *array.data_type() == Null {
        out.extend_from_slice(b"null");
        return Ok(());
    }
    match array.data_type() {
        Boolean => out.extend_from_slice(if array.as_boolean().value(row) { b"true" } else { b"false" }),
        UInt64 => out.extend_from_slice(array.as_primitive::<UInt64Type>().value(row).to_string().as_bytes()),
        of if of.is_integer() => {
            let one = cast_to(&array.slice(row, 1), &DataType::Int64)?;
            out.extend_from_slice(one.as_primitive::<Int64Type>().value(0).to_string().as_bytes());
        }
        of if of.is_floating() => {
            let one = cast_to(&array.slice(row, 1), &DataType::Float64)?;
            float(one.as_primitive::<Float64Type>().value(0), out);
        }
        DataType::FixedSizeBinary(_) => write(&cast_to(&array.slice(row, 1), &DataType::Binary)?, 0, out)?,
        of if text(of) || of.is_binary() => {
            let one = cast_to(&array.slice(row, 1), &DataType::Utf8View)?;
            if one.is_null(0) {
                return Err(misfit(array, row, "is no UTF-8, as JSON needs"));
            }
            string(one.as_string_view().value(0), out)?;
        }
        Dictionary(_, of) => write(&cast_to(&array.slice(row, 1), of)?, 0, out)?,
        RunEndEncoded(_, of) => write(&cast_to(&array.slice(row, 1), of.data_type())?, 0, out)?,
        List(item) => items(&array.as_list::<i32>().value(row), item, out)?,
        LargeList(item) => items(&array.as_list::<i64>().value(row), item, out)?,
        ListView(item) => items(&array.as_list_view::<i32>().value(row), item, out)?,
        LargeListView(item) => items(&array.as_list_view::<i64>().value(row), item, out)?,
        FixedSizeList(item, _) => items(&array.as_fixed_size_list().value(row), item, out)?,
        Map(entries, _) => {
            let pairs: ArrayRef = Arc::new(array.as_map().value(row));
            let Struct(fields) = entries.data_type() else { return Err(Error::internal("a map without entries")) };
            out.push(b'[');
            for pair in 0..pairs.len() {
                let (key, value) = (pairs.as_struct().column(0), pairs.as_struct().column(1));
                out.extend_from_slice(if pair == 0 { b"[" } else { b",[" });
                inside(key, &fields[0], pair, out)?;
                out.push(b',');
                inside(value, &fields[1], pair, out)?;
                out.push(b']');
            }
            out.push(b']');
        }
        Struct(fields) => {
            out.push(b'{');
            for (i, (field, column)) in fields.iter().zip(array.as_struct().columns()).enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                string(field.name(), out)?;
                out.push(b':');
                inside(column, field, row, out)?;
            }
            out.push(b'}');
        }
        DataType::Date32 | DataType::Date64 | DataType::Timestamp(..) | DataType::Time32(_) | DataType::Time64(_) => {
            let shown = array_value_to_string(array, row).map_err(|e| Error::data(e.to_string()))?;
            string(&iso(&shown, array.data_type()), out)?;
        }
        other => return Err(Error::new(Kind::Schema, format!("JSON has no values of type {other}"))),
    }
    Ok(())
}

fn items(values: &ArrayRef, field: &Field, out: &mut Vec<u8>) -> Result<()> {
    out.push(b'[');
    for item in 0..values.len() {
        if item > 0 {
            out.push(b',');
        }
        inside(values, field, item, out)?;
    }
    out.push(b']');
    Ok(())
}

/// A value of a field, which may have JSON texts already.
fn inside(array: &ArrayRef, field: &Field, row: usize, out: &mut Vec<u8>) -> Result<()> {
    if is_json(field) && array.is_valid(row) {
        let shown = array_value_to_string(array, row).map_err(|e| Error::data(e.to_string()))?;
        out.extend_from_slice(shown.as_bytes());
        return Ok(());
    }
    write(array, row, out)
}

/// Python writes and reads what JSON has no numbers for, as words.
fn float(value: f64, out: &mut Vec<u8>) {
    let shown = if value.is_nan() {
        "NaN".into()
    } else if value.is_infinite() {
        if value > 0.0 { "Infinity".into() } else { "-Infinity".into() }
    } else {
        format!("{value:?}")
    };
    out.extend_from_slice(shown.as_bytes());
}

fn string(value: &str, out: &mut Vec<u8>) -> Result<()> {
    serde_json::to_writer(out, value).map_err(|e| Error::internal(e.to_string()))
}

/// A date or a time as `isoformat` of Python: six decimals or none, nine where nanoseconds need them.
fn iso(shown: &str, of: &DataType) -> String {
    if *of == DataType::Date64 {
        return shown.split('T').next().unwrap_or_default().to_owned();
    }
    let (whole, rest) = shown.split_once('.').map_or((shown, None), |(whole, rest)| (whole, Some(rest)));
    let zone = |text: &str| if text == "Z" { "+00:00".to_owned() } else { text.to_owned() };
    match rest {
        None => whole.strip_suffix('Z').map_or_else(|| whole.to_owned(), |naive| format!("{naive}+00:00")),
        Some(rest) => {
            let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            format!("{whole}.{:0<6}{}", &rest[..end], zone(&rest[end..]))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::types::Int32Type;
    use arrow_array::{
        BinaryArray, DurationSecondArray, Float64Array, ListArray, StructArray, TimestampMicrosecondArray,
    };

    fn said(array: impl Array + 'static) -> Result<Vec<Option<String>>> {
        let made = json_texts(&(Arc::new(array) as ArrayRef))?;
        Ok(made.as_string::<i32>().iter().map(|value| value.map(str::to_owned)).collect())
    }

    #[test]
    fn values_are_written_as_python_does() -> Result<()> {
        let lists = ListArray::from_iter_primitive::<Int32Type, _, _>([Some(vec![Some(1), None]), None, Some(vec![])]);
        assert_eq!(said(lists)?, [Some("[1,null]".into()), None, Some("[]".into())]);
        assert_eq!(said(Float64Array::from(vec![2.0, 0.1, f64::NAN]))?.concat_all(), "2.0 0.1 NaN");
        let fields = vec![
            (Arc::new(Field::new("a\"", DataType::Utf8, true)), Arc::new(StringArray::from(vec!["x\n"])) as ArrayRef),
            (Arc::new(crate::fields::json_field("j")), Arc::new(StringArray::from(vec!["{\"k\":1}"]))),
        ];
        assert_eq!(said(StructArray::from(fields))?.concat_all(), r#"{"a\"":"x\n","j":{"k":1}}"#);
        let stamps = || TimestampMicrosecondArray::from(vec![0, 1000]);
        assert_eq!(said(stamps())?.concat_all(), "\"1970-01-01T00:00:00\" \"1970-01-01T00:00:00.001000\"");
        let zoned = said(stamps().with_timezone("UTC"))?;
        assert_eq!(zoned.concat_all(), "\"1970-01-01T00:00:00+00:00\" \"1970-01-01T00:00:00.001000+00:00\"");
        let wrong = said(BinaryArray::from_vec(vec![b"a", b"\xff"])).err().and_then(|e| e.row());
        assert_eq!(wrong, Some(1));
        assert!(said(DurationSecondArray::from(vec![1])).is_err());
        Ok(())
    }

    trait ConcatAll {
        fn concat_all(self) -> String;
    }

    impl ConcatAll for Vec<Option<String>> {
        fn concat_all(self) -> String {
            self.into_iter().flatten().collect::<Vec<_>>().join(" ")
        }
    }
}
