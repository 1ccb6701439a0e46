//! What a Parquet file says of its rows before they are read: bounds of row groups and of pages, and Bloom filters.

use std::any::Any;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Float64Type};
use arrow_array::{Array, ArrayRef, BooleanArray, UInt32Array, UInt64Array};
use arrow_buffer::BooleanBuffer;
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::{DataType, Field};
use arrow_select::nullif::nullif;
use arrow_select::take::take;
use bytes::Bytes;
use parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use parquet::basic::Type;
use parquet::bloom_filter::Sbbf;
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::metadata::page_index::PageIndexProvider;
use parquet::file::page_index::column_index::ColumnIndexMetaData;
use parquet::file::page_index::index_reader::decode_column_index;
use parquet::file::page_index::offset_index::OffsetIndexMetaData;

use super::footer::{Footer, bloom_filter, column_index, offset_index};
use super::thrift;
use crate::error::{Error, Result};
use crate::plan::expr::{Bounds, Literal};
use crate::schema::Filter;

/// An index or a Bloom filter may not be longer.
const LONGEST: u64 = 64 << 20;

/// What is read of a column before its pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    ColumnIndex,
    OffsetIndex,
    Bloom,
}

/// Finds which rows of a row group may be wanted.
pub(super) struct Pruner {
    footer: Arc<Footer>,
    group: usize,
    filter: Arc<Filter>,
    /// Which leaf, what of it, and where.
    wanted: Vec<(usize, What, Range<u64>)>,
    there: HashMap<(usize, u8), Bytes>,
}

/// The page index of one row group.
#[derive(Debug, Default)]
struct Pages {
    columns: HashMap<usize, ColumnIndexMetaData>,
    /// The first rows of pages.
    rows: HashMap<usize, Vec<u64>>,
}

impl PageIndexProvider for Pages {
    fn has_offset_indexes(&self) -> bool {
        false
    }

    fn has_column_indexes(&self) -> bool {
        !self.columns.is_empty()
    }

    fn column_index(&self, _group: usize, column: usize) -> Option<&ColumnIndexMetaData> {
        self.columns.get(&column)
    }

    fn offset_index(&self, _group: usize, _column: usize) -> Option<&OffsetIndexMetaData> {
        None
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// Bounds as the filter's type, where that keeps their order.
fn ordered(array: &ArrayRef, to: &DataType) -> Option<ArrayRef> {
    let from = array.data_type();
    let text = |t: &DataType| matches!(t, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View);
    let same = from == to || (from.is_numeric() && to.is_numeric() && !from.is_decimal()) || (text(from) && text(to));
    let array = cast_with_options(array, to, &CastOptions::default()).ok().filter(|_| same)?;
    // A bound that is no number bounds nothing.
    let nan = |nan: BooleanBuffer| nullif(&array, &BooleanArray::new(nan, None)).ok();
    match array.data_type() {
        DataType::Float64 => {
            nan(BooleanBuffer::collect_bool(array.len(), |i| array.as_primitive::<Float64Type>().value(i).is_nan()))
        }
        DataType::Float32 => {
            nan(BooleanBuffer::collect_bool(array.len(), |i| array.as_primitive::<Float32Type>().value(i).is_nan()))
        }
        DataType::Float16 => None,
        _ => Some(array),
    }
}

impl Pruner {
    pub(super) fn new(footer: &Arc<Footer>, group: usize, filter: &Arc<Filter>) -> Self {
        let mut made = Self {
            footer: Arc::clone(footer),
            group,
            filter: Arc::clone(filter),
            wanted: Vec::new(),
            there: HashMap::new(),
        };
        let equals = filter.expr.equals();
        for name in filter.columns() {
            let Some((leaf, _)) = made.leaf(name) else { continue };
            let column = footer.metadata.row_group(group).column(leaf);
            let sound = |range: &Range<u64>| range.end - range.start <= LONGEST && range.end <= footer.end;
            let (index, offsets) = (column_index(column).filter(sound), offset_index(column).filter(sound));
            if let (Some(index), Some(offsets)) = (index, offsets) {
                made.wanted.push((leaf, What::ColumnIndex, index));
                made.wanted.push((leaf, What::OffsetIndex, offsets));
            }
            let bloom = bloom_filter(column).filter(sound);
            if let Some(bloom) = bloom.filter(|_| equals.iter().any(|(column, _)| column == name)) {
                made.wanted.push((leaf, What::Bloom, bloom));
            }
        }
        let there =
            made.wanted.iter().filter_map(|(leaf, what, range)| Some(((*leaf, *what as u8), footer.index(range)?)));
        made.there = there.collect();
        made
    }

    /// The leaf that a column is, if it is one, and its type.
    fn leaf(&self, name: &str) -> Option<(usize, &Field)> {
        let field = self.footer.schema.field_with_name(name).ok()?;
        let columns = self.footer.metadata.file_metadata().schema_descr();
        let leaf = columns.columns().iter().position(|column| column.path().parts() == [name])?;
        (columns.column(leaf).max_rep_level() == 0).then_some((leaf, field))
    }

    fn column(&self, leaf: usize) -> &ColumnChunkMetaData {
        self.footer.metadata.row_group(self.group).column(leaf)
    }

    /// Whether a row of the row group may be wanted, by its statistics.
    pub(super) fn group(&self) -> Result<bool> {
        let metadata = self.footer.metadata.row_group(self.group);
        let bounds = |name: &str| {
            let (leaf, field) = self.leaf(name)?;
            let statistics = self.column(leaf).statistics()?;
            // Old statistics of bytes were ordered by sign.
            let bytes =
                matches!(self.column(leaf).column_type(), Type::BYTE_ARRAY | Type::FIXED_LEN_BYTE_ARRAY | Type::INT96);
            if bytes && statistics.is_min_max_deprecated() {
                return None;
            }
            let made = StatisticsConverter::from_column_index(
                leaf,
                field,
                self.footer.metadata.file_metadata().schema_descr(),
            )
            .ok()?;
            let to = self.filter.adapter.schema().field_with_name(name).ok()?.data_type();
            let min = ordered(&made.row_group_mins([metadata]).ok()?, to)?;
            let max = ordered(&made.row_group_maxes([metadata]).ok()?, to)?;
            let nulls = UInt64Array::from(vec![statistics.null_count_opt()]);
            Some(Bounds { min, max, nulls, rows: vec![metadata.num_rows().cast_unsigned()], exact: !bytes })
        };
        Ok(self.filter.expr.may(1, &bounds)?.value(0))
    }

    /// What has to be read to say more.
    pub(super) fn needs(&self) -> Vec<Range<u64>> {
        let mut ranges: Vec<Range<u64>> = self
            .wanted
            .iter()
            .filter(|(leaf, what, _)| !self.there.contains_key(&(*leaf, *what as u8)))
            .map(|(_, _, range)| range.clone())
            .collect();
        ranges.dedup();
        ranges
    }

    /// Takes in what was asked for.
    pub(super) fn push(&mut self, range: &Range<u64>, bytes: &Bytes) -> bool {
        let mut asked = false;
        for (leaf, what, _) in self.wanted.iter().filter(|(_, _, wanted)| wanted == range) {
            self.there.insert((*leaf, *what as u8), bytes.clone());
            asked = true;
        }
        asked
    }

    /// Whether a Bloom filter says that no row has one of the values that a row has to have.
    fn bloomed(&self) -> bool {
        self.filter.expr.equals().iter().any(|(name, values)| {
            let leaf = self.leaf(name).filter(|(leaf, _)| self.there.contains_key(&(*leaf, What::Bloom as u8)));
            let Some((leaf, field)) = leaf else { return false };
            let Ok(bloom) = Sbbf::from_bytes(&self.there[&(leaf, What::Bloom as u8)]) else { return false };
            let declared = self.filter.adapter.schema().field_with_name(name).map(|field| field.data_type().clone());
            // What is compared as another type than it is stored as may have other bytes.
            let text = |t: &DataType| matches!(t, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View);
            let same = declared.is_ok_and(|to| {
                (text(&to) && text(field.data_type())) || (to.is_integer() && field.data_type().is_integer())
            });
            let absent = |value: &&Literal| match (self.column(leaf).column_type(), value) {
                (Type::BYTE_ARRAY, Literal::Text(text)) => !bloom.check(text.as_str()),
                (Type::INT32, Literal::Int(value)) => {
                    if field.data_type().is_signed_integer() {
                        i32::try_from(*value).is_ok_and(|value| !bloom.check(&value))
                    } else {
                        u32::try_from(*value).is_ok_and(|value| !bloom.check(&value.cast_signed()))
                    }
                }
                (Type::INT64, Literal::Int(value)) => !bloom.check(value),
                _ => false,
            };
            same && values.iter().all(absent)
        })
    }

    /// The rows of the row group that may be wanted, in order.
    pub(super) fn rows(&self) -> Result<Vec<Range<u64>>> {
        let total = self.footer.metadata.row_group(self.group).num_rows().cast_unsigned();
        if self.bloomed() {
            return Ok(Vec::new());
        }
        let mut pages = Pages::default();
        let mut starts = vec![0];
        for (leaf, what, _) in &self.wanted {
            let bytes =
                self.there.get(&(*leaf, *what as u8)).ok_or_else(|| Error::internal("an index that was not read"))?;
            let malformed = || Error::data("a malformed page index").at(format_args!("row group {}", self.group));
            match what {
                What::ColumnIndex => {
                    thrift::check_struct(bytes).map_err(|_| malformed())?;
                    let index =
                        decode_column_index(bytes, self.column(*leaf).column_type()).map_err(|_| malformed())?;
                    pages.columns.insert(*leaf, index);
                }
                What::OffsetIndex => {
                    let rows: Vec<u64> =
                        thrift::offset_index(bytes).map_err(|_| malformed())?.iter().map(|page| page.1).collect();
                    if rows.first() != Some(&0)
                        || !rows.is_sorted()
                        || rows.last().is_some_and(|row| *row >= total.max(1))
                    {
                        return Err(malformed());
                    }
                    starts.extend_from_slice(&rows);
                    pages.rows.insert(*leaf, rows);
                }
                What::Bloom => {}
            }
        }
        starts.sort_unstable();
        starts.dedup();
        let bounds = |name: &str| {
            let (leaf, field) = self.leaf(name)?;
            let (rows, index) = (pages.rows.get(&leaf)?, pages.columns.get(&leaf)?);
            if index.num_pages() != rows.len() as u64 {
                return None;
            }
            let made = StatisticsConverter::from_column_index(
                leaf,
                field,
                self.footer.metadata.file_metadata().schema_descr(),
            )
            .ok()?;
            let to = self.filter.adapter.schema().field_with_name(name).ok()?.data_type();
            // Which page each run of rows is in.
            let page: UInt32Array =
                starts.iter().map(|start| Some(rows.partition_point(|row| row <= start) as u32 - 1)).collect();
            let of =
                |array: ArrayRef| take(&ordered(&array, to)?, &page, None).ok().filter(|_| array.len() == rows.len());
            let min = of(made.data_page_mins(&pages, &[self.group]).ok()?)?;
            let max = of(made.data_page_maxes(&pages, &[self.group]).ok()?)?;
            let counts = index.null_counts();
            let nulls = page
                .values()
                .iter()
                .map(|page| counts.and_then(|counts| u64::try_from(*counts.get(*page as usize)?).ok()))
                .collect();
            let length = |page: usize| rows.get(page + 1).copied().unwrap_or(total) - rows[page];
            let lengths = page.values().iter().map(|page| length(*page as usize)).collect();
            let bytes =
                matches!(self.column(leaf).column_type(), Type::BYTE_ARRAY | Type::FIXED_LEN_BYTE_ARRAY | Type::INT96);
            Some(Bounds { min, max, nulls, rows: lengths, exact: !bytes })
        };
        let may = self.filter.expr.may(starts.len(), &bounds)?;
        let mut found: Vec<Range<u64>> = Vec::new();
        for (i, start) in starts.iter().enumerate().filter(|(i, _)| may.value(*i)) {
            let end = starts.get(i + 1).copied().unwrap_or(total);
            match found.last_mut() {
                Some(last) if last.end == *start => last.end = end,
                _ => found.push(*start..end),
            }
        }
        Ok(found)
    }
}
