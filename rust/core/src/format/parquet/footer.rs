//! The footer of a Parquet file: read from its end, checked against the file's length before anything trusts it.

use std::ops::Range;

use arrow_schema::Schema;
use bytes::Bytes;
use parquet::arrow::parquet_to_arrow_schema;
use parquet::basic::PageType;
use parquet::file::metadata::{
    ColumnChunkMetaData, ParquetMetaData, ParquetMetaDataOptions, ParquetMetaDataReader, ParquetStatisticsPolicy,
    RowGroupMetaData,
};

use super::feed::Chunk;
use super::known::known;
use super::thrift::{Stop, check_schema, check_struct};
use crate::error::{Error, Kind, Result};
use crate::panic::contain;
use crate::types::plain_fields;

/// How much is read from the end of a file at first.
pub const TAIL: u64 = 64 << 10;

/// Page indexes that are read in one go have no more bytes.
const INDEXES: u64 = 2 << 20;

/// A page is taken to have this many bytes where the footer does not say how many pages there are.
const TYPICAL_PAGE: u64 = 1 << 20;

/// A file's footer, checked.
#[derive(Debug)]
pub struct Footer {
    /// What the `parquet` crate read.
    pub metadata: ParquetMetaData,
    /// The Arrow schema of the rows, dictionaries as their values.
    pub schema: Schema,
    /// Where the footer begins: everything else lies before it.
    pub(super) end: u64,
    /// A hash of the footer's bytes, which identifies the content: offsets, sizes and statistics of all columns.
    pub version: String,
    /// The page indexes of all columns, where they were read in one go, and where they begin.
    pub(super) indexes: (u64, Bytes),
}

/// What reading a footer came to.
#[derive(Debug)]
pub enum Tail {
    /// The footer is longer than the bytes given: it needs this range, to the end of the file.
    Need(Range<u64>),
    /// The footer.
    Footer(Box<Footer>),
}

/// Reads a footer from the last bytes of a file of `size` bytes. `statistics`: also what it says of values.
pub fn read(tail: &Bytes, size: u64, statistics: bool) -> Result<Tail> {
    let cut = tail.len() as u64;
    if size < 12 {
        return Err(Error::data(format!("not a Parquet file: {size} bytes are too few")));
    }
    let (rest, end) = tail.split_at(tail.len() - 8);
    let length = u64::from(u32::from_le_bytes([end[0], end[1], end[2], end[3]]));
    match &end[4..] {
        b"PAR1" => {}
        b"PARE" => {
            return Err(Error::new(Kind::Unsupported, "the file is encrypted, and encrypted Parquet is not read"));
        }
        found => {
            return Err(Error::data(format!(
                "not a Parquet file, or one cut short: it ends with {:?} instead of \"PAR1\"",
                String::from_utf8_lossy(found)
            )));
        }
    }
    if length > size - 12 {
        return Err(Error::data(format!("the footer claims {length} bytes of a file of {size}")));
    }
    if length + 8 > cut {
        return Ok(Tail::Need(size - length - 8..size));
    }
    let bytes = &rest[rest.len() - length as usize..];
    check_struct(bytes).and_then(|()| check_schema(bytes)).map_err(|stop| match stop {
        Stop::Short => Error::data("malformed footer: it ends in the middle of a value"),
        Stop::Bad(what) => Error::data(format!("malformed footer: {what}")),
    })?;
    let footer = contain(|| {
        let options = ParquetMetaDataOptions::new()
            .with_encoding_stats_as_mask(false)
            .with_column_stats_policy(if statistics {
                ParquetStatisticsPolicy::KeepAll
            } else {
                ParquetStatisticsPolicy::SkipAll
            })
            .with_size_stats_policy(ParquetStatisticsPolicy::SkipAll);
        let read = |bytes: &[u8]| ParquetMetaDataReader::decode_metadata_with_options(bytes, Some(&options));
        let metadata = read(bytes).or_else(|e| known(bytes).ok().and_then(|known| read(&known).ok()).ok_or(e));
        let metadata = metadata.map_err(|e| Error::data(format!("malformed footer: {e}")))?;
        let file = metadata.file_metadata();
        let schema = parquet_to_arrow_schema(file.schema_descr(), file.key_value_metadata())
            .map_err(|e| Error::data(format!("malformed schema: {e}")))?;
        let schema = Schema::new_with_metadata(plain_fields(schema.fields()), schema.metadata().clone());
        Ok(Footer {
            metadata,
            schema,
            end: size - length - 8,
            version: format!("{:016x}", crate::hash::hash(bytes)),
            indexes: (0, Bytes::new()),
        })
    })?;
    footer.check(size - length - 8)?;
    Ok(Tail::Footer(Box::new(footer)))
}

impl Footer {
    /// Counts are not negative, sums agree, and every byte range lies before the footer.
    fn check(&self, end: u64) -> Result<()> {
        let file = self.metadata.file_metadata();
        let mut rows = 0_i64;
        for (g, group) in self.metadata.row_groups().iter().enumerate() {
            let place = |what: String| Error::data(what).at(format_args!("row group {g}"));
            if group.num_rows() < 0 || group.num_rows() > i64::from(u32::MAX) {
                return Err(place(format!("it claims {} rows", group.num_rows())));
            }
            rows = rows.checked_add(group.num_rows()).ok_or_else(|| place("more rows than can be counted".into()))?;
            if group.num_columns() != file.schema_descr().num_columns() {
                return Err(place(format!(
                    "it has {} columns, the schema {}",
                    group.num_columns(),
                    file.schema_descr().num_columns()
                )));
            }
            // Of a row group without rows nothing is read, wherever it claims to be.
            for column in group.columns().iter().filter(|_| group.num_rows() > 0) {
                let place = |what: String| place(format!("column {}: {what}", column.column_path().string()));
                let range = byte_range(column).ok_or_else(|| place("its place is below zero".into()))?;
                if range.end > end || range.start < 4 {
                    return Err(place(format!(
                        "its bytes {range:?} are not inside the file's data (4..{end}): the file is cut short or \
                         damaged"
                    )));
                }
                let flat = column.column_descr().max_rep_level() == 0;
                if column.num_values() < 0 || (flat && column.num_values() != group.num_rows()) {
                    return Err(place(format!(
                        "it claims {} values in {} rows",
                        column.num_values(),
                        group.num_rows()
                    )));
                }
            }
        }
        if rows != file.num_rows() {
            return Err(Error::data(format!("the row groups have {rows} rows, the file claims {}", file.num_rows())));
        }
        Ok(())
    }

    /// Where the page indexes of all columns are, if they stand together and are few bytes of a file of `size`.
    pub(super) fn indexed(&self, size: u64) -> Option<Range<u64>> {
        let columns = || self.metadata.row_groups().iter().flat_map(RowGroupMetaData::columns);
        let places = || {
            columns()
                .flat_map(|column| [column_index(column), offset_index(column)])
                .flatten()
                .filter(|range| range.end <= self.end)
        };
        let (start, end) = (places().map(|range| range.start).min()?, places().map(|range| range.end).max()?);
        let bytes: u64 = places().map(|range| range.end - range.start).sum();
        (end - start <= (2 * bytes).min(size / 32).min(INDEXES)).then_some(start..end)
    }

    /// The bytes of a page index, if they are at hand.
    pub(super) fn index(&self, range: &Range<u64>) -> Option<Bytes> {
        let (start, bytes) = &self.indexes;
        let (from, upto) = (range.start.checked_sub(*start)?, range.end.checked_sub(*start)?);
        (upto <= bytes.len() as u64).then(|| bytes.slice(from as usize..upto as usize))
    }

    /// The chunks of a row group.
    pub(super) fn chunk(&self, group: usize, column: usize) -> Result<Chunk> {
        let group = self.metadata.row_group(group);
        let chunk = group.column(column);
        Ok(Chunk {
            column: chunk.column_descr_ptr(),
            codec: chunk.compression(),
            range: byte_range(chunk).ok_or_else(|| Error::data("a column's place is below zero"))?,
            values: chunk.num_values().cast_unsigned(),
            rows: group.num_rows().cast_unsigned(),
        })
    }

    /// The bytes that reading this file keeps at least: a page and the dictionary of every column, of the row group
    /// where that is most.
    pub fn floor(&self) -> u64 {
        let column = |c: &ColumnChunkMetaData| {
            let size = u64::try_from(c.uncompressed_size()).unwrap_or(0);
            let pages = c.page_encoding_stats().map(|stats| {
                stats
                    .iter()
                    .filter(|s| matches!(s.page_type, PageType::DATA_PAGE | PageType::DATA_PAGE_V2))
                    .map(|s| u64::try_from(s.count).unwrap_or(0))
                    .sum::<u64>()
            });
            let page = match pages {
                Some(n) if n > 0 => size / n,
                _ => size.min(TYPICAL_PAGE),
            };
            page + if c.dictionary_page_offset().is_some() { size.min(TYPICAL_PAGE) } else { 0 }
        };
        self.metadata.row_groups().iter().map(|g| g.columns().iter().map(column).sum()).max().unwrap_or(0)
    }
}

/// Where something stands that may not be there.
fn place(at: Option<i64>, length: Option<i32>) -> Option<Range<u64>> {
    let (at, length) = (u64::try_from(at?).ok()?, u64::try_from(length?).ok()?);
    at.checked_add(length).filter(|_| length > 0).map(|end| at..end)
}

/// Where the bounds of a chunk's pages are.
pub(super) fn column_index(column: &ColumnChunkMetaData) -> Option<Range<u64>> {
    place(column.column_index_offset(), column.column_index_length())
}

/// Where the places of a chunk's pages are.
pub(super) fn offset_index(column: &ColumnChunkMetaData) -> Option<Range<u64>> {
    place(column.offset_index_offset(), column.offset_index_length())
}

/// Where the Bloom filter of a chunk is.
pub(super) fn bloom_filter(column: &ColumnChunkMetaData) -> Option<Range<u64>> {
    place(column.bloom_filter_offset(), column.bloom_filter_length())
}

/// The bytes of a chunk: from its dictionary, where it has one, or its first data page.
fn byte_range(column: &ColumnChunkMetaData) -> Option<Range<u64>> {
    let data = column.data_page_offset();
    let start = column.dictionary_page_offset().filter(|at| *at > 0 && *at < data).unwrap_or(data);
    let start = u64::try_from(start).ok()?;
    Some(start..start.checked_add(u64::try_from(column.compressed_size()).ok()?)?)
}
