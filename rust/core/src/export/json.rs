//! Rows as JSON Lines, as `DataFrame.to_json(orient="records", lines=True, force_ascii=False)` of pandas writes them.

use arrow_array::RecordBatch;

use super::numbers::ten_decimals;
use super::values::{Kind, Values, items, text};
use crate::error::Result;

/// Adds the rows of a batch, a line each. `None`: a column has a type that only pandas writes.
pub fn lines(batch: &RecordBatch, out: &mut Vec<u8>) -> Result<Option<()>> {
    let schema = batch.schema();
    let mut columns = Vec::with_capacity(batch.num_columns());
    for (i, (field, array)) in schema.fields().iter().zip(batch.columns()).enumerate() {
        let Some(values) = Values::of(array) else { return Ok(None) };
        columns.push((key(field.name(), i == 0), values));
    }
    if columns.is_empty() {
        return Ok(None);
    }
    for row in 0..batch.num_rows() {
        for (key, values) in &columns {
            out.extend_from_slice(key);
            value(values, row, out)?;
        }
        out.extend_from_slice(b"}\n");
    }
    Ok(Some(()))
}

/// What stands before a value.
fn key(name: &str, first: bool) -> Vec<u8> {
    let mut out = vec![if first { b'{' } else { b',' }];
    string(name, &mut out);
    out.push(b':');
    out
}

fn value(values: &Values, row: usize, out: &mut Vec<u8>) -> Result<()> {
    if values.is_null(row) {
        out.extend_from_slice(b"null");
        return Ok(());
    }
    match &values.kind {
        Kind::Null => {}
        Kind::Bool(of) => out.extend_from_slice(if of.value(row) { b"true" } else { b"false" }),
        Kind::Integer(of) => of.write(row, out),
        Kind::F32(of) => float(of[row].into(), out),
        Kind::F64(of) => float(of[row], out),
        Kind::Text(of) => string(text(of, row)?, out),
        Kind::List(of, inside) => {
            out.push(b'[');
            for (i, item) in items(of, row)?.enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                value(inside, item, out)?;
            }
            out.push(b']');
        }
        Kind::Struct(fields) => {
            out.push(b'{');
            for (i, (name, inside)) in fields.iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                string(name, out);
                out.push(b':');
                value(inside, row, out)?;
            }
            out.push(b'}');
        }
    }
    Ok(())
}

/// JSON has no infinity, and nothing that is not a number.
fn float(value: f64, out: &mut Vec<u8>) {
    if value.is_finite() { ten_decimals(out, value) } else { out.extend_from_slice(b"null") }
}

/// What a byte is written as: itself, or after a backslash a letter, or `u` for its number.
const ESCAPES: [u8; 256] = {
    let mut table = [0; 256];
    let mut i = 0;
    while i < 32 {
        table[i] = b'u';
        i += 1;
    }
    table[8] = b'b';
    table[9] = b't';
    table[10] = b'n';
    table[12] = b'f';
    table[13] = b'r';
    table[b'"' as usize] = b'"';
    table[b'\\' as usize] = b'\\';
    table[b'/' as usize] = b'/';
    table
};

fn string(value: &str, out: &mut Vec<u8>) {
    const HEX: [u8; 16] = *b"0123456789abcdef";
    let bytes = value.as_bytes();
    out.push(b'"');
    let mut done = 0;
    for (i, byte) in bytes.iter().enumerate() {
        let escape = ESCAPES[*byte as usize];
        if escape == 0 {
            continue;
        }
        out.extend_from_slice(&bytes[done..i]);
        out.extend_from_slice(&[b'\\', escape]);
        if escape == b'u' {
            out.extend_from_slice(&[b'0', b'0', HEX[(byte >> 4) as usize], HEX[(byte & 15) as usize]]);
        }
        done = i + 1;
    }
    out.extend_from_slice(&bytes[done..]);
    out.push(b'"');
}
