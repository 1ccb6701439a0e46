//! What casts of all kinds stand on.

use arrow_array::{Array, ArrayRef};
use arrow_cast::cast;
use arrow_cast::display::array_value_to_string;
use arrow_schema::DataType;

use crate::error::{Error, Kind, Result};

/// Arrow's own cast, which may cut values, or make nulls of them.
pub(super) fn cast_to(array: &dyn Array, to: &DataType) -> Result<ArrayRef> {
    cast(array, to).map_err(|e| Error::new(Kind::Schema, format!("{} cannot be read as {to}: {e}", array.data_type())))
}

/// The first row that has a value, in the values of a dictionary too, and is like this.
pub(super) fn first(array: &dyn Array, is: impl Fn(usize) -> bool) -> Option<usize> {
    let nulls = array.logical_nulls();
    (0..array.len()).find(|row| nulls.as_ref().is_none_or(|nulls| nulls.is_valid(*row)) && is(*row))
}

/// An error about a value.
pub(super) fn misfit(array: &dyn Array, row: usize, what: &str) -> Error {
    let value = array_value_to_string(array, row).unwrap_or_default();
    let short: String = value.chars().take(60).collect();
    let more = if short.len() < value.len() { "…" } else { "" };
    let value = if text(array.data_type()) { format!("{short:?}{more}") } else { format!("{short}{more}") };
    Error::new(Kind::Schema, format!("{value} {what}")).on_row(row as u64)
}

/// Whether a type is one of strings.
pub(super) fn text(of: &DataType) -> bool {
    matches!(of, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}
