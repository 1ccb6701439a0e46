//! One schema for all files of a listing, and batches of a file brought to it.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::{
    Array, ArrayRef, Int64Array, RecordBatch, RecordBatchOptions, UInt32Array, UInt64Array, new_null_array,
};
use arrow_buffer::BooleanBuffer;
use arrow_schema::{DataType, Field, FieldRef, Fields, Schema, SchemaRef};
use arrow_select::take::take;

use crate::conform::{LABELS, Labels, SHAPE, conform, conform_field, shaped};
use crate::error::{Error, Kind, Result};
pub use crate::fields::{FILE, ROW, is_json, json_field};
use crate::plan::expr::{Bounds, Expr};
use crate::types::viewed;
use crate::urls::shown;

/// What becomes of values that no one type holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mixed {
    /// They are an error.
    Error,
    /// They are kept as JSON text, and so are objects of which some lack what others have.
    Json,
}

impl Mixed {
    /// In files of a format.
    pub fn of(format: &str) -> Self {
        if matches!(format, "json" | "webdataset") { Self::Json } else { Self::Error }
    }
}

/// Widens `schema` so that rows of another file fit: its new columns are added, a type that holds both is taken.
/// `first` and `file` are named in the error where none does.
pub fn widen(schema: &Schema, first: &str, other: &Schema, file: &str, mixed: Mixed) -> Result<Schema> {
    let mut fields: Vec<FieldRef> = schema.fields().to_vec();
    for field in other.fields() {
        match fields.iter().position(|f| f.name() == field.name()) {
            None => fields.push(Arc::new(Field::clone(field).with_nullable(true))),
            Some(i) => {
                fields[i] = common_field(&fields[i], field, mixed).ok_or_else(|| {
                    Error::new(
                        Kind::Schema,
                        format!(
                            "column {:?} has type {} here and {} in {}, and no type holds both: load the files \
                             as separate data sets, or only the columns that agree with columns=[…]",
                            field.name(),
                            field.data_type(),
                            fields[i].data_type(),
                            shown(first)
                        ),
                    )
                    .in_file(file)
                })?;
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
fn common(a: &DataType, b: &DataType, mixed: Mixed) -> Option<DataType> {
    use DataType::{
        Binary, BinaryView, FixedSizeList, Float16, Float32, Float64, Int8, Int16, Int32, Int64, LargeBinary,
        LargeList, LargeUtf8, List, Map, Null, Struct, Timestamp, UInt8, UInt16, UInt32, UInt64, Utf8, Utf8View,
    };
    // Where mixed types become JSON, the fields of nested ones may say that they are.
    let nested = |t: &DataType| matches!(t, List(_) | LargeList(_) | FixedSizeList(..) | Struct(_));
    if a == b || (same(a, b) && (mixed != Mixed::Json || !nested(a))) {
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
        (List(f), List(g)) => List(common_field(f, g, mixed)?),
        (FixedSizeList(f, long), FixedSizeList(g, too)) if long == too => {
            FixedSizeList(common_field(f, g, mixed)?, *long)
        }
        (List(f) | LargeList(f) | FixedSizeList(f, _), List(g) | LargeList(g) | FixedSizeList(g, _)) => {
            LargeList(common_field(f, g, mixed)?)
        }
        (Struct(f), Struct(g)) => {
            if mixed == Mixed::Json && (f.len() != g.len() || !f.iter().all(|field| g.find(field.name()).is_some())) {
                return None;
            }
            let mut fields: Vec<FieldRef> = Vec::new();
            for field in f {
                fields.push(match g.iter().find(|other| other.name() == field.name()) {
                    Some(other) => common_field(field, other, mixed)?,
                    None => Arc::new(Field::clone(field).with_nullable(true)),
                });
            }
            fields.extend(
                g.iter()
                    .filter(|field| !f.iter().any(|other| other.name() == field.name()))
                    .map(|field| Arc::new(Field::clone(field).with_nullable(true))),
            );
            Struct(Fields::from(fields))
        }
        (Map(f, sorted), Map(g, too)) if sorted == too => {
            let (Struct(f_pair), Struct(g_pair)) = (f.data_type(), g.data_type()) else { return None };
            let pair = f_pair
                .iter()
                .zip(g_pair)
                .map(|(one, other)| common_field(one, other, mixed))
                .collect::<Option<Fields>>()?;
            Map(Arc::new(Field::clone(f).with_data_type(Struct(pair))), *sorted)
        }
        _ => {
            match (signed(a).or_else(|| signed(b)), unsigned(a).or_else(|| unsigned(b)), float(a).or_else(|| float(b)))
            {
                (Some(_), None, None) => [Int8, Int16, Int32, Int64][signed(a)?.max(signed(b)?)].clone(),
                (None, Some(_), None) => [UInt8, UInt16, UInt32, UInt64][unsigned(a)?.max(unsigned(b)?)].clone(),
                (Some(s), Some(u), None) => [Int8, Int16, Int32, Int64].get(s.max(u + 1))?.clone(),
                (None, None, Some(_)) => [Float16, Float32, Float64][float(a)?.max(float(b)?)].clone(),
                (Some(i), None, Some(f)) | (None, Some(i), Some(f)) => holds(i.max(f))?,
                _ => return None,
            }
        }
    })
}

/// Whether two types are the same, names of fields too; those of a list's items and of a map's keys and values say
/// nothing.
fn same(a: &DataType, b: &DataType) -> bool {
    use DataType::{FixedSizeList, LargeList, LargeListView, List, ListView, Map, Struct};
    let alike = |f: &FieldRef, g: &FieldRef| f.is_nullable() == g.is_nullable() && same(f.data_type(), g.data_type());
    match (a, b) {
        (Struct(f), Struct(g)) => {
            f.len() == g.len() && f.iter().zip(g).all(|(f, g)| f.name() == g.name() && alike(f, g))
        }
        (List(f), List(g))
        | (LargeList(f), LargeList(g))
        | (ListView(f), ListView(g))
        | (LargeListView(f), LargeListView(g)) => alike(f, g),
        (FixedSizeList(f, long), FixedSizeList(g, too)) => long == too && alike(f, g),
        (Map(f, sorted), Map(g, too)) => match (f.data_type(), g.data_type()) {
            (Struct(f), Struct(g)) => sorted == too && f.len() == g.len() && f.iter().zip(g).all(|(f, g)| alike(f, g)),
            _ => false,
        },
        _ => a.equals_datatype(b),
    }
}

/// The column that holds the values of both, called as the first.
fn common_field(a: &FieldRef, b: &FieldRef, mixed: Mixed) -> Option<FieldRef> {
    let json = mixed == Mixed::Json && (is_json(a) || is_json(b));
    match common(a.data_type(), b.data_type(), mixed).filter(|_| !json) {
        Some(both) => {
            Some(Arc::new(Field::clone(a).with_data_type(both).with_nullable(a.is_nullable() || b.is_nullable())))
        }
        None if mixed == Mixed::Json => Some(Arc::new(json_field(a.name()))),
        None => None,
    }
}

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

    /// A file's batch, in the columns and types of a row. An error does not say which of its rows it is about.
    pub fn adapt(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        self.adapt_rows(batch, 0, None).map_err(|e| e.placed(|_| None))
    }

    /// A file's batch, whose rows are those of the piece from `first` on, or `kept` of them.
    pub fn adapt_rows(&self, batch: &RecordBatch, first: u64, kept: Option<&[u32]>) -> Result<RecordBatch> {
        let rows = batch.num_rows();
        let row = |i: usize| first + kept.map_or(i as u64, |kept| kept[i].into());
        let column = |(field, source): (&FieldRef, &String)| -> Result<ArrayRef> {
            if source == ROW {
                return Ok(Arc::new(
                    (0..rows).map(|i| Some((self.base + row(i)).cast_signed())).collect::<Int64Array>(),
                ));
            }
            // What its path says stands where a file has nothing itself: also where its decoder gives nulls for that.
            let own =
                |column: &&ArrayRef| !self.constants.contains_key(source) || column.logical_null_count() < column.len();
            let Some(column) = batch.column_by_name(source).filter(own) else {
                let Some(value) = self.constants.get(source) else {
                    return Ok(new_null_array(field.data_type(), rows));
                };
                let value = conform_field(value, false, field)
                    .map_err(|e| e.placed(|_| None).at(format_args!("column {source:?}")))?;
                return take(&value, &UInt32Array::from(vec![0; rows]), None)
                    .map_err(|e| Error::internal(e.to_string()));
            };
            let json = batch.schema_ref().field_with_name(source).is_ok_and(is_json);
            let marked = Labels::of(field).is_some() || shaped(field) || (is_json(field) && !json);
            if column.data_type() == field.data_type() && !marked {
                return Ok(Arc::clone(column));
            }
            conform_field(column, json, field)
                .map_err(|e| e.counted(|i| row(i as usize)).at(format_args!("column {source:?}")))
        };
        let columns = self.schema.fields().iter().zip(&self.sources).map(column).collect::<Result<Vec<_>>>()?;
        RecordBatch::try_new_with_options(
            Arc::clone(&self.schema),
            columns,
            &RecordBatchOptions::new().with_row_count(Some(rows)),
        )
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
        let field = |name: &String| {
            schema.field_with_name(name).cloned().map_err(|_| Error::internal("a filter of a column that is not there"))
        };
        let fields = columns.iter().map(field).collect::<Result<Vec<_>>>()?;
        let fields: Fields =
            viewed(&Fields::from(fields)).iter().map(|field| Field::clone(field).with_nullable(true)).collect();
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
            let value = conform_field(value, false, self.adapter.schema.field_with_name(column).ok()?).ok()?;
            let nulls = UInt64Array::from(vec![value.null_count() as u64]);
            Some(Bounds { min: Arc::clone(&value), max: value, nulls, rows: vec![1], exact: true })
        };
        Ok(self.expr.may(1, &bounds)?.value(0))
    }
}

/// The fields of a row as whoever asks for it sees them: without the names of labels and shapes, which are for those
/// who read files.
pub fn plain(fields: &Fields) -> Fields {
    use DataType::{FixedSizeList, LargeList, List, Map, Struct};
    let field = |field: &FieldRef| -> FieldRef {
        let one = |of: &FieldRef| Arc::clone(&plain(&Fields::from(vec![Arc::clone(of)]))[0]);
        let of = match field.data_type() {
            List(item) => List(one(item)),
            LargeList(item) => LargeList(one(item)),
            FixedSizeList(item, length) => FixedSizeList(one(item), *length),
            Map(entries, sorted) => Map(one(entries), *sorted),
            Struct(fields) => Struct(plain(fields)),
            other => other.clone(),
        };
        let mut metadata = field.metadata().clone();
        metadata.remove(LABELS);
        metadata.remove(SHAPE);
        Arc::new(Field::clone(field).with_data_type(of).with_metadata(metadata))
    };
    fields.iter().map(field).collect()
}

/// A batch in the types that its schema declares: views become strings and bytes of their own, which also leaves
/// behind what the views pinned.
pub fn declared(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let columns = batch
        .columns()
        .iter()
        .zip(schema.fields())
        .map(|(column, field)| conform(column, field.data_type()))
        .collect::<Result<Vec<_>>>()?;
    RecordBatch::try_new_with_options(
        Arc::clone(schema),
        columns,
        &RecordBatchOptions::new().with_row_count(Some(batch.num_rows())),
    )
    .map_err(|e| Error::data(e.to_string()))
}
