//! Hashes of rows, by which equal ones are found.

use arrow_array::RecordBatch;
use arrow_row::{RowConverter, SortField};
use sha2::{Digest, Sha256};

use crate::error::{Error, Kind, Result};

/// The bytes of a hash.
pub const LENGTH: usize = 16;

/// Appends the first 16 bytes of the SHA-256 of each row's columns. Rows have the same hash if all their values are the
/// same: nulls are the same as nulls, a float as another of the same bits.
pub fn hashes(batch: &RecordBatch, out: &mut Vec<u8>) -> Result<()> {
    let unsupported = |e: arrow_schema::ArrowError| {
        Error::new(
            Kind::Unsupported,
            format!("rows with such a column cannot be compared ({e}): leave it out of unique_by="),
        )
    };
    let fields = batch.schema().fields().iter().map(|field| SortField::new(field.data_type().clone())).collect();
    let rows = RowConverter::new(fields).and_then(|made| made.convert_columns(batch.columns())).map_err(unsupported)?;
    out.reserve(rows.num_rows() * LENGTH);
    for row in &rows {
        out.extend_from_slice(&Sha256::digest(row.as_ref())[..LENGTH]);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::types::Int32Type;
    use arrow_array::{ArrayRef, Int64Array, ListArray, StringArray};

    use super::*;

    #[test]
    fn equal_rows_have_equal_hashes() {
        let lists = ListArray::from_iter_primitive::<Int32Type, _, _>([
            Some(vec![Some(1), None]),
            Some(vec![Some(1), None]),
            Some(vec![]),
            None,
        ]);
        let batch = RecordBatch::try_from_iter([
            ("n", Arc::new(Int64Array::from(vec![Some(1), Some(1), None, None])) as ArrayRef),
            ("s", Arc::new(StringArray::from(vec!["a", "a", "", ""])) as ArrayRef),
            ("l", Arc::new(lists) as ArrayRef),
        ])
        .unwrap();
        let mut all = Vec::new();
        hashes(&batch, &mut all).unwrap();
        let all: Vec<_> = all.chunks(LENGTH).collect();
        assert_eq!((all[0] == all[1], all[0] == all[2], all[2] == all[3]), (true, false, false));
        // A slice has the hashes of its rows.
        let mut part = Vec::new();
        hashes(&batch.slice(1, 2), &mut part).unwrap();
        assert_eq!(part.chunks(LENGTH).collect::<Vec<_>>(), all[1..3]);
    }
}
