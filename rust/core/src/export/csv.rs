//! Rows as CSV, as `DataFrame.to_csv(index=False)` of pandas writes them.

use arrow_array::RecordBatch;

use super::numbers::repr;
use super::values::{Kind, Values, text};
use crate::error::Result;

/// Adds the rows of a batch, without a header. `None`: a column has a type that only pandas writes.
pub fn rows(batch: &RecordBatch, out: &mut Vec<u8>) -> Result<Option<()>> {
    let mut columns = Vec::with_capacity(batch.num_columns());
    for array in batch.columns() {
        match Values::of(array) {
            Some(values) if !matches!(values.kind, Kind::F32(_) | Kind::List(..) | Kind::Struct(_)) => {
                columns.push(values);
            }
            _ => return Ok(None),
        }
    }
    if columns.is_empty() {
        return Ok(None);
    }
    let alone = columns.len() == 1;
    for row in 0..batch.num_rows() {
        for (i, values) in columns.iter().enumerate() {
            if i > 0 {
                out.push(b',');
            }
            let before = out.len();
            value(values, row, out)?;
            // An empty line would be no row.
            if alone && out.len() == before {
                out.extend_from_slice(b"\"\"");
            }
        }
        out.push(b'\n');
    }
    Ok(Some(()))
}

fn value(values: &Values, row: usize, out: &mut Vec<u8>) -> Result<()> {
    if values.is_null(row) {
        return Ok(());
    }
    match &values.kind {
        Kind::Bool(of) => out.extend_from_slice(if of.value(row) { b"True" } else { b"False" }),
        Kind::Integer(of) => of.write(row, out),
        Kind::F64(of) => float(of[row], out),
        Kind::Text(of) => field(text(of, row)?, out),
        Kind::Null | Kind::F32(_) | Kind::List(..) | Kind::Struct(_) => {}
    }
    Ok(())
}

/// Nothing stands for what is not a number.
fn float(value: f64, out: &mut Vec<u8>) {
    if value.is_finite() {
        repr(out, value);
    } else if !value.is_nan() {
        out.extend_from_slice(if value < 0.0 { b"-inf" } else { b"inf" });
    }
}

/// A text, in quotes where it would be read as something else.
fn field(value: &str, out: &mut Vec<u8>) {
    if !value.bytes().any(|b| matches!(b, b',' | b'"' | b'\n' | b'\r')) {
        return out.extend_from_slice(value.as_bytes());
    }
    out.push(b'"');
    for (i, part) in value.split('"').enumerate() {
        if i > 0 {
            out.extend_from_slice(b"\"\"");
        }
        out.extend_from_slice(part.as_bytes());
    }
    out.push(b'"');
}
