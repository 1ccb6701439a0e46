//! The columns of a plan, as its rows have them.

use std::sync::Arc;

use arrow_schema::{DataType, IntervalUnit, Schema};

use crate::error::{Error, Kind, Result};
use crate::plan::Plan;
use crate::schema::{Adapter, ROW};
use crate::types::viewed;

/// A type in a type that rows cannot have.
fn strange(data_type: &DataType) -> Option<&DataType> {
    match data_type {
        DataType::Union(..) | DataType::Interval(IntervalUnit::YearMonth | IntervalUnit::DayTime) => Some(data_type),
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::FixedSizeList(item, _)
        | DataType::Map(item, _)
        | DataType::ListView(item)
        | DataType::LargeListView(item) => strange(item.data_type()),
        DataType::Struct(fields) => fields.iter().find_map(|field| strange(field.data_type())),
        DataType::Dictionary(_, values) => strange(values),
        DataType::RunEndEncoded(_, values) => strange(values.data_type()),
        _ => None,
    }
}

/// What makes columns of rows of what is decoded.
pub(super) fn adapter(plan: &Plan) -> Result<Adapter> {
    let schema = plan.read_schema()?;
    for field in schema.fields() {
        if let Some(strange) = strange(field.data_type()) {
            let what = format!(
                "the column {:?} has the type {strange}, which rows cannot have: leave it out, as by \
                 select_columns",
                field.name()
            );
            return Err(
                Error::new(Kind::Unsupported, what).in_file(plan.scan.files.first().map_or("", |file| &file.path))
            );
        }
    }
    let sources: Vec<String> = match &plan.columns {
        Some(columns) => columns.iter().map(|(source, _)| source.clone()).collect(),
        None => schema.fields().iter().map(|f| f.name().clone()).collect(),
    };
    Ok(Adapter::new(Arc::new(Schema::new(viewed(schema.fields()))), sources))
}

/// Of each piece, the number of its first row in its file; none where no column asks for it.
pub(super) fn bases(plan: &Plan, adapter: &Adapter) -> Result<Vec<u64>> {
    if !adapter.sources().iter().any(|source| source == ROW) {
        return Ok(Vec::new());
    }
    let (mut bases, mut last, mut next) = (Vec::new(), u32::MAX, 0);
    for &(file, _, rows, _) in &plan.scan.pieces {
        next = if file == last { next } else { 0 };
        bases.push(next);
        next += rows.ok_or_else(|| Error::internal("rows that nobody counted"))?;
        last = file;
    }
    Ok(bases)
}
