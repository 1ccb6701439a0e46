//! One schema for all files of a listing, and batches of a file brought to it.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::types::{Int64Type, UInt64Type};
use arrow_array::{Array, ArrayRef, Int64Array, RecordBatch, RecordBatchOptions, UInt32Array, UInt64Array, new_null_array};
use arrow_buffer::BooleanBuffer;
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::{DataType, Field, FieldRef, Fields, Schema, SchemaRef};
use arrow_select::take::take;

use crate::error::{Error, Kind, Result};
use crate::format::parquet::viewed;
use crate::plan::expr::{Bounds, Expr};

/// Widens `schema` so that rows of another file fit: its new columns are added, a type that holds both is taken.
/// `first` and `file` are named in the error where none does.
pub fn widen(schema: &Schema, first: &str, other: &Schema, file: &str) -> Result<Schema> {
    let mut fields: Vec<FieldRef> = schema.fields().to_vec();
    for field in other.fields() {
        match fields.iter().position(|f| f.name() == field.name()) {
            None => fields.push(Arc::new(Field::clone(field).with_nullable(true))),
            Some(i) => {
                let both = common(fields[i].data_type(), field.data_type()).ok_or_else(|| {
                    Error::new(
                        Kind::Schema,
                        format!(
                            "column {:?} has type {} here and {} in {first}, and no type holds both: load the files as separate data sets, or only the columns that agree with columns=[…]",
                            field.name(),
                            field.data_type(),
                            fields[i].data_type()
                        ),
                    )
                    .in_file(file)
                })?;
                let nullable = fields[i].is_nullable() || field.is_nullable();
                fields[i] = Arc::new(Field::clone(&fields[i]).with_data_type(both).with_nullable(nullable));
            }
        }
    }
    // What this file lacks is null in its rows.
    for field in &mut fields {
        if other.field_with_name(field.name()).is_err() {
            *field = Arc::new(Field::clone(field).with_nullable(true));
        }
    }
    Ok(Schema::new_with_metadata(fields, schema.metadata().clone()))
}

/// The type that holds the values of both. 64-bit integers beside floats become 64-bit floats, as they do where pandas
/// meets a missing number; one that would not be exact is an error when it is read.
fn common(a: &DataType, b: &DataType) -> Option<DataType> {
    use DataType::{
        Binary, BinaryView, FixedSizeList, Float16, Float32, Float64, Int8, Int16, Int32, Int64, LargeBinary, LargeList, LargeUtf8, List, Null, Struct,
        Timestamp, UInt8, UInt16, UInt32, UInt64, Utf8, Utf8View,
    };
    if a.equals_datatype(b) {
        return Some(a.clone());
    }
    let signed = |t: &DataType| [Int8, Int16, Int32, Int64].iter().position(|s| s == t);
    let unsigned = |t: &DataType| [UInt8, UInt16, UInt32, UInt64].iter().position(|s| s == t);
    let float = |t: &DataType| [Float16, Float32, Float64].iter().position(|s| s == t);
    // The smallest float with all values of an integer of 2^i bytes.
    let holds = |i: usize| [Float16, Float32, Float64, Float64].get(i).cloned();
    Some(match (a, b) {
        (Null, other) | (other, Null) => other.clone(),
        (Utf8 | Utf8View | LargeUtf8, Utf8 | Utf8View | LargeUtf8) => LargeUtf8,
        (Binary | BinaryView | LargeBinary, Binary | BinaryView | LargeBinary) => LargeBinary,
        (Timestamp(one, zone), Timestamp(other, too)) if zone == too => Timestamp(*one.max(other), zone.clone()),
        (List(f), List(g)) => List(common_field(f, g)?),
        (List(f) | LargeList(f) | FixedSizeList(f, _), List(g) | LargeList(g) | FixedSizeList(g, _)) => LargeList(common_field(f, g)?),
        (Struct(f), Struct(g)) => {
            let mut fields: Vec<FieldRef> = Vec::new();
            for field in f {
                fields.push(match g.iter().find(|other| other.name() == field.name()) {
                    Some(other) => common_field(field, other)?,
                    None => Arc::new(Field::clone(field).with_nullable(true)),
                });
            }
            fields.extend(
                g.iter().filter(|field| !f.iter().any(|other| other.name() == field.name())).map(|field| Arc::new(Field::clone(field).with_nullable(true))),
            );
            Struct(Fields::from(fields))
        }
        _ => match (signed(a).or_else(|| signed(b)), unsigned(a).or_else(|| unsigned(b)), float(a).or_else(|| float(b))) {
            (Some(_), None, None) => [Int8, Int16, Int32, Int64][signed(a)?.max(signed(b)?)].clone(),
            (None, Some(_), None) => [UInt8, UInt16, UInt32, UInt64][unsigned(a)?.max(unsigned(b)?)].clone(),
            (Some(s), Some(u), None) => [Int8, Int16, Int32, Int64].get(s.max(u + 1))?.clone(),
            (None, None, Some(_)) => [Float16, Float32, Float64][float(a)?.max(float(b)?)].clone(),
            (Some(i), None, Some(f)) | (None, Some(i), Some(f)) => holds(i.max(f))?,
            _ => return None,
        },
    })
}

fn common_field(a: &FieldRef, b: &FieldRef) -> Option<FieldRef> {
    let both = common(a.data_type(), b.data_type())?;
    Some(Arc::new(Field::clone(a).with_data_type(both).with_nullable(a.is_nullable() || b.is_nullable())))
}

/// The names under which a row may ask for its file, and for its number there.
pub const FILE: &str = "\0file";
/// See `FILE`.
pub const ROW: &str = "\0row";

/// How the columns of a file become the columns of a row.
#[derive(Debug, Clone)]
pub struct Adapter {
    schema: SchemaRef,
    sources: Vec<String>,
    /// Columns that have one value in the whole file.
    constants: HashMap<String, ArrayRef>,
    /// The number of the first row of the piece in its file.
    base: u64,
}

impl Adapter {
    /// `schema`: the columns of a row; `sources`: the name that each has in the files.
    pub fn new(schema: SchemaRef, sources: Vec<String>) -> Self {
        Self { schema, sources, constants: HashMap::new(), base: 0 }
    }

    /// The same in one file. `constants`: columns that have one value there; `base`: the number of a piece's first row.
    #[must_use]
    pub fn in_file(&self, constants: HashMap<String, ArrayRef>, base: u64) -> Self {
        Self { constants, base, ..self.clone() }
    }

    /// The columns of a row.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The columns that are read of a file.
    pub fn sources(&self) -> &[String] {
        &self.sources
    }

    /// A file's batch, in the columns and types of a row.
    pub fn adapt(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        self.adapt_rows(batch, 0, None)
    }

    /// A file's batch, whose rows are those of the piece from `first` on, or `kept` of them.
    pub fn adapt_rows(&self, batch: &RecordBatch, first: u64, kept: Option<&[u32]>) -> Result<RecordBatch> {
        let rows = batch.num_rows();
        let column = |(field, source): (&FieldRef, &String)| -> Result<ArrayRef> {
            if source == ROW {
                let row = |i: usize| (self.base + first + kept.map_or(i as u64, |kept| kept[i].into())).cast_signed();
                return Ok(Arc::new((0..rows).map(|i| Some(row(i))).collect::<Int64Array>()));
            }
            let Some(column) = batch.column_by_name(source) else {
                let Some(value) = self.constants.get(source) else { return Ok(new_null_array(field.data_type(), rows)) };
                let value = conform(value, field.data_type()).map_err(|e| e.at(format_args!("column {source:?}")))?;
                return take(&value, &UInt32Array::from(vec![0; rows]), None).map_err(|e| Error::internal(e.to_string()));
            };
            if column.data_type() == field.data_type() {
                return Ok(Arc::clone(column));
            }
            conform(column, field.data_type()).map_err(|e| e.at(format_args!("column {source:?}")))
        };
        let columns = self.schema.fields().iter().zip(&self.sources).map(column).collect::<Result<Vec<_>>>()?;
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &RecordBatchOptions::new().with_row_count(Some(rows)))
            .map_err(|e| Error::internal(e.to_string()))
    }
}

/// Which rows of a file are wanted.
#[derive(Debug, Clone)]
pub struct Filter {
    /// The condition.
    pub expr: Expr,
    /// How the columns that it looks at are made of those of the file.
    pub adapter: Adapter,
}

impl Filter {
    /// A condition on rows of a schema.
    pub fn new(expr: Expr, schema: &Schema) -> Result<Self> {
        let columns = expr.columns();
        let field = |name: &String| schema.field_with_name(name).cloned().map_err(|_| Error::internal("a filter of a column that is not there"));
        let fields = columns.iter().map(field).collect::<Result<Vec<_>>>()?;
        let fields: Fields = viewed(&Fields::from(fields)).iter().map(|field| Field::clone(field).with_nullable(true)).collect();
        Ok(Self { expr, adapter: Adapter::new(Arc::new(Schema::new(fields)), columns) })
    }

    /// The columns of a file that it looks at.
    pub fn columns(&self) -> &[String] {
        self.adapter.sources()
    }

    /// Which rows of a file's batch are kept.
    pub fn keep(&self, batch: &RecordBatch) -> Result<BooleanBuffer> {
        self.expr.keep(&self.adapter.adapt(batch)?)
    }

    /// Which of a file's rows may be kept, where its constants are all that is known; false: none.
    pub fn may(&self) -> Result<bool> {
        let bounds = |column: &str| {
            let value = self.adapter.constants.get(column)?;
            let to = self.adapter.schema.field_with_name(column).ok()?.data_type();
            let value = conform(value, to).ok()?;
            let nulls = UInt64Array::from(vec![value.null_count() as u64]);
            Some(Bounds { min: Arc::clone(&value), max: value, nulls, rows: vec![1], exact: true })
        };
        Ok(self.expr.may(1, &bounds)?.value(0))
    }
}

/// A batch in the types that its schema declares: views become strings and bytes of their own, which also leaves
/// behind what the views pinned.
pub fn declared(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let columns = batch.columns().iter().zip(schema.fields()).map(|(column, field)| conform(column, field.data_type())).collect::<Result<Vec<_>>>()?;
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &RecordBatchOptions::new().with_row_count(Some(batch.num_rows())))
        .map_err(|e| Error::data(e.to_string()))
}

/// A column as another type that holds its values.
fn conform(array: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
    if array.data_type() == to {
        return Ok(Arc::clone(array));
    }
    use arrow_array::{ListArray, StructArray, cast::AsArray};
    if let (DataType::Struct(_), DataType::Struct(fields)) = (array.data_type(), to) {
        let from: &StructArray = array.as_struct();
        let columns = fields
            .iter()
            .map(|f| match from.column_by_name(f.name()) {
                Some(column) => conform(column, f.data_type()),
                None => Ok(new_null_array(f.data_type(), from.len())),
            })
            .collect::<Result<Vec<_>>>()?;
        let made = StructArray::try_new_with_length(fields.clone(), columns, from.nulls().cloned(), from.len());
        return Ok(Arc::new(made.map_err(|e| Error::data(e.to_string()))?));
    }
    if let (DataType::List(_), DataType::List(field)) = (array.data_type(), to) {
        let from = array.as_list::<i32>();
        let values = conform(from.values(), field.data_type())?;
        let made = ListArray::try_new(Arc::clone(field), from.offsets().clone(), values, from.nulls().cloned());
        return Ok(Arc::new(made.map_err(|e| Error::data(e.to_string()))?));
    }
    if matches!((array.data_type(), to), (DataType::Int64 | DataType::UInt64, DataType::Float64)) {
        let exact = |too_large: Option<String>| match too_large {
            None => Ok(()),
            Some(value) => Err(Error::new(Kind::Schema, format!("{value} is not exact as the float64 that the column has in other files"))),
        };
        const MOST: u64 = 1 << 53;
        match array.data_type() {
            DataType::Int64 => exact(array.as_primitive::<Int64Type>().iter().flatten().find(|v| v.unsigned_abs() > MOST).map(|v| v.to_string()))?,
            _ => exact(array.as_primitive::<UInt64Type>().iter().flatten().find(|v| *v > MOST).map(|v| v.to_string()))?,
        }
    }
    let options = CastOptions { safe: false, ..CastOptions::default() };
    cast_with_options(array, to, &options).map_err(|e| Error::new(Kind::Schema, format!("{} cannot be read as {to}: {e}", array.data_type())))
}
