//! Names and marks of fields that have a meaning of their own.

use arrow_schema::extension::{EXTENSION_TYPE_METADATA_KEY, EXTENSION_TYPE_NAME_KEY};
use arrow_schema::{DataType, Field};

/// The name of Arrow's type of JSON texts.
const JSON: &str = "arrow.json";

/// A column of values that no one type holds, each as its JSON text.
pub fn json_field(name: &str) -> Field {
    let said = [(EXTENSION_TYPE_NAME_KEY, JSON), (EXTENSION_TYPE_METADATA_KEY, "")]
        .map(|(key, value)| (key.to_owned(), value.to_owned()));
    Field::new(name, DataType::Utf8, true).with_metadata(said)
}

/// Whether a column is one of JSON texts.
pub fn is_json(field: &Field) -> bool {
    field.extension_type_name() == Some(JSON)
}

/// The names under which a row may ask for its file, and for its number there.
pub const FILE: &str = "\0file";
/// See `FILE`.
pub const ROW: &str = "\0row";
