//! Types of rows, and types as batches are decoded.

use std::sync::Arc;

use arrow_schema::{DataType, Field, FieldRef, Fields};

/// Types as rows have them: dictionary and run-end encodings are storage, so they become their values.
fn plain(data_type: &DataType) -> DataType {
    map_type(data_type, &|leaf| match leaf {
        DataType::Dictionary(_, values) => Some(plain(values)),
        DataType::RunEndEncoded(_, values) => Some(plain(values.data_type())),
        _ => None,
    })
}

/// Types as batches are decoded: strings and bytes as views of their pages.
pub fn viewed(fields: &Fields) -> Fields {
    map_fields(fields, &|leaf| match leaf {
        DataType::Utf8 | DataType::LargeUtf8 => Some(DataType::Utf8View),
        DataType::Binary | DataType::LargeBinary => Some(DataType::BinaryView),
        _ => None,
    })
}

/// The types of rows.
pub(crate) fn plain_fields(fields: &Fields) -> Fields {
    fields.iter().map(|f| Arc::new(Field::clone(f).with_data_type(plain(f.data_type())))).collect()
}

fn map_fields(fields: &Fields, change: &dyn Fn(&DataType) -> Option<DataType>) -> Fields {
    fields.iter().map(|f| map_field(f, change)).collect()
}

fn map_field(field: &FieldRef, change: &dyn Fn(&DataType) -> Option<DataType>) -> FieldRef {
    Arc::new(Field::clone(field).with_data_type(map_type(field.data_type(), change)))
}

fn map_type(data_type: &DataType, change: &dyn Fn(&DataType) -> Option<DataType>) -> DataType {
    if let Some(changed) = change(data_type) {
        return changed;
    }
    match data_type {
        DataType::List(f) | DataType::ListView(f) => DataType::List(map_field(f, change)),
        DataType::LargeList(f) | DataType::LargeListView(f) => DataType::LargeList(map_field(f, change)),
        DataType::FixedSizeList(f, n) => DataType::FixedSizeList(map_field(f, change), *n),
        DataType::Struct(fields) => DataType::Struct(map_fields(fields, change)),
        DataType::Map(f, sorted) => DataType::Map(map_field(f, change), *sorted),
        other => other.clone(),
    }
}
