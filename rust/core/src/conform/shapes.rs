//! Shapes of arrays of several dimensions: columns of lists in lists that are declared to have one.

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, OffsetSizeTrait};
use arrow_schema::{DataType, Field};

use crate::error::{Error, Kind, Result};

/// What the metadata of a field call the shape, as a JSON list; a dimension that is null has any length.
pub(crate) const SHAPE: &str = "rowstream.shape";

/// Whether a field has a shape.
pub(crate) fn shaped(field: &Field) -> bool {
    field.metadata().contains_key(SHAPE)
}

/// Looks whether all arrays of a column have the shape of its field. Whole arrays may be missing.
pub(super) fn check(array: &ArrayRef, field: &Field) -> Result<()> {
    let Some(said) = field.metadata().get(SHAPE) else { return Ok(()) };
    let shape: Vec<Option<usize>> = serde_json::from_str(said).map_err(|e| Error::internal(e.to_string()))?;
    if fits(array, &shape, true) {
        return Ok(());
    }
    // What lies under an array that is missing may have any shape.
    match (0..array.len()).find(|row| array.is_valid(*row) && !fits(&array.slice(*row, 1), &shape, true)) {
        Some(row) => {
            Err(Error::new(Kind::Schema, format!("an array has another shape than {said}, which is that of its type"))
                .on_row(row as u64))
        }
        None => Ok(()),
    }
}

fn fits(array: &ArrayRef, shape: &[Option<usize>], whole: bool) -> bool {
    fn lists<O: OffsetSizeTrait>(array: &ArrayRef, length: Option<usize>) -> Option<ArrayRef> {
        let lists = array.as_list::<O>();
        let as_long = |row: usize| lists.is_null(row) || length.is_none_or(|n| lists.value_length(row).as_usize() == n);
        let (first, last) = (lists.value_offsets()[0].as_usize(), lists.value_offsets()[lists.len()].as_usize());
        (0..lists.len()).all(as_long).then(|| lists.values().slice(first, last - first))
    }
    let Some((&length, rest)) = shape.split_first() else { return true };
    if !whole && array.null_count() > 0 {
        return false;
    }
    let items = match array.data_type() {
        DataType::List(_) => lists::<i32>(array, length),
        DataType::LargeList(_) => lists::<i64>(array, length),
        DataType::FixedSizeList(_, n) => {
            let lists = array.as_fixed_size_list();
            let n = *n as usize;
            length.is_none_or(|length| length == n).then(|| lists.values().slice(0, lists.len() * n))
        }
        _ => return true,
    };
    items.is_some_and(|items| fits(&items, rest, false))
}
