//! Parquet row groups against the decoder's promises, and against the reader of the `parquet` crate.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test stops where something is wrong, and says what it tests"
)]

mod conformance;

use std::ops::Range;
use std::sync::Arc;

use arrow_array::builder::{
    FixedSizeListBuilder, Float32Builder, Int64Builder, ListBuilder, MapBuilder, PrimitiveBuilder, StringBuilder,
};
use arrow_array::cast::AsArray;
use arrow_array::types::{
    Float32Type, Float64Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt64Type,
};
use arrow_array::{
    Array, ArrayRef, ArrowPrimitiveType, BinaryArray, BooleanArray, Decimal128Array, DictionaryArray, GenericListArray,
    Int32Array, Int64Array, LargeStringArray, RecordBatch, StringArray, StructArray, TimestampMicrosecondArray,
};
use arrow_schema::{DataType, Field, Fields};
use bytes::Bytes;
use conformance::Format;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{BrotliLevel, Compression, Encoding, GzipLevel, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
use rowstream_core::format::parquet::{Footer, RowGroupDecoder, Tail, read_footer};
use rowstream_core::format::{Decoder, Options};
use rowstream_core::schema::declared;
use rowstream_core::{Kind, Result};

/// The first row group of a file.
struct FirstGroup(Option<Vec<String>>);

fn footer(file: &Bytes) -> Result<Footer> {
    match read_footer(file, file.len() as u64, false)? {
        Tail::Footer(footer) => Ok(*footer),
        Tail::Need(range) => panic!("the whole file was given, and {range:?} asked for"),
    }
}

impl Format for FirstGroup {
    fn open(&self, file: &Bytes, rows: Range<u64>, unit: u64, window: u64) -> Result<Box<dyn Decoder>> {
        if file.len() < 8 {
            return Err(rowstream_core::Error::data("too short"));
        }
        let footer = footer(file)?;
        if footer.metadata.num_row_groups() != 1
            || footer.metadata.row_group(0).num_rows() as u64
                != rows.end.max(footer.metadata.row_group(0).num_rows() as u64)
        {
            return Err(rowstream_core::Error::data("another number of rows or row groups than was written"));
        }
        let options =
            Options { columns: self.0.clone(), rows, unit, window, most: 64 << 20, filter: None, lenient: false };
        Ok(Box::new(RowGroupDecoder::new(&footer, 0, &options)?))
    }
}

/// Rows of many types, with nulls, and with strings that dictionaries hold and others.
fn rows(n: usize) -> RecordBatch {
    let odd = |i: usize| i.wrapping_mul(2_654_435_761) >> 7;
    let mut lists = ListBuilder::new(StringBuilder::new());
    let mut maps = MapBuilder::new(None, StringBuilder::new(), Int64Builder::new());
    let mut vectors = FixedSizeListBuilder::new(Float32Builder::new(), 3);
    let mut deep = ListBuilder::new(ListBuilder::new(Int64Builder::new()));
    for i in 0..n {
        for j in 0..odd(i) % 5 {
            lists.values().append_option((odd(i + j) % 7 > 0).then(|| "word ".repeat(odd(j + i) % 9)));
        }
        lists.append(odd(i) % 11 > 0);
        for j in 0..odd(i + 1) % 3 {
            maps.keys().append_value(format!("key {j}"));
            maps.values().append_option((odd(i) % 3 > 0).then_some(j as i64));
        }
        maps.append(odd(i) % 6 > 0).unwrap();
        for j in 0..3 {
            vectors.values().append_value((i * 3 + j) as f32);
        }
        vectors.append(true);
        for _ in 0..odd(i + 2) % 4 {
            for j in 0..odd(i) % 3 {
                deep.values().values().append_option((j > 0).then_some(i as i64));
            }
            deep.values().append(odd(i) % 5 > 0);
        }
        deep.append(odd(i) % 8 > 0);
    }
    let structs = StructArray::new(
        Fields::from(vec![Field::new("a", DataType::Int64, true), Field::new("b", DataType::Utf8, true)]),
        vec![
            Arc::new(Int64Array::from_iter((0..n).map(|i| (odd(i) % 4 > 0).then_some(i as i64)))),
            Arc::new(StringArray::from_iter((0..n).map(|i| (odd(i) % 5 > 0).then(|| format!("text {i}"))))),
        ],
        Some((0..n).map(|i| odd(i) % 9 > 0).collect::<Vec<bool>>().into()),
    );
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("id", Arc::new(Int64Array::from_iter_values(0..n as i64))),
        ("small", Arc::new(Int32Array::from_iter((0..n).map(|i| (odd(i) % 3 > 0).then_some((odd(i) % 5) as i32))))),
        ("flag", Arc::new(BooleanArray::from_iter((0..n).map(|i| (odd(i) % 4 > 0).then_some(odd(i) % 2 == 0))))),
        (
            "text",
            Arc::new(StringArray::from_iter(
                (0..n).map(|i| (odd(i) % 10 > 0).then(|| format!("row {} {}", i, "x".repeat(odd(i) % 60)))),
            )),
        ),
        ("large", Arc::new(LargeStringArray::from_iter_values((0..n).map(|i| ["é", "two words", ""][i % 3])))),
        (
            "bytes",
            Arc::new(BinaryArray::from_iter((0..n).map(|i| (odd(i) % 5 > 0).then(|| vec![i as u8; odd(i) % 20])))),
        ),
        (
            "words",
            Arc::new(
                (0..n).map(|i| Some(["red", "green", "blue"][odd(i) % 3])).collect::<DictionaryArray<Int32Type>>(),
            ),
        ),
        (
            "price",
            Arc::new(
                Decimal128Array::from_iter_values((0..n).map(|i| i as i128 * 101))
                    .with_precision_and_scale(20, 2)
                    .unwrap(),
            ),
        ),
        (
            "when",
            Arc::new(
                TimestampMicrosecondArray::from_iter_values((0..n).map(|i| i as i64 * 1_000_003)).with_timezone("UTC"),
            ),
        ),
        ("lists", Arc::new(lists.finish())),
        ("maps", Arc::new(maps.finish())),
        ("vectors", Arc::new(vectors.finish())),
        ("deep", Arc::new(deep.finish())),
        ("structs", Arc::new(structs)),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

fn written(batch: &RecordBatch, properties: WriterProperties) -> Bytes {
    let mut file = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut file, batch.schema(), Some(properties)).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
    file.into()
}

fn small_pages() -> parquet::file::properties::WriterPropertiesBuilder {
    WriterProperties::builder()
        .set_data_page_row_count_limit(17)
        .set_write_batch_size(5)
        .set_dictionary_page_size_limit(200)
}

/// Ways of writing the same rows: every codec, both page versions, with and without an index, several encodings.
fn ways() -> Vec<(&'static str, WriterProperties)> {
    let zstd = Compression::ZSTD(ZstdLevel::default());
    vec![
        (
            "plain",
            small_pages()
                .set_dictionary_enabled(false)
                .set_offset_index_disabled(true)
                .set_statistics_enabled(EnabledStatistics::None)
                .build(),
        ),
        (
            "no index",
            small_pages()
                .set_offset_index_disabled(true)
                .set_statistics_enabled(EnabledStatistics::Chunk)
                .set_compression(Compression::SNAPPY)
                .build(),
        ),
        ("index", small_pages().set_compression(zstd).build()),
        (
            "v2",
            small_pages()
                .set_writer_version(WriterVersion::PARQUET_2_0)
                .set_compression(Compression::LZ4_RAW)
                .set_offset_index_disabled(true)
                .set_statistics_enabled(EnabledStatistics::None)
                .build(),
        ),
        ("v2 with index", small_pages().set_writer_version(WriterVersion::PARQUET_2_0).set_compression(zstd).build()),
        (
            "delta",
            small_pages()
                .set_writer_version(WriterVersion::PARQUET_2_0)
                .set_dictionary_enabled(false)
                .set_column_encoding("text".into(), Encoding::DELTA_BYTE_ARRAY)
                .set_column_encoding("large".into(), Encoding::DELTA_LENGTH_BYTE_ARRAY)
                .build(),
        ),
        ("gzip", small_pages().set_compression(Compression::GZIP(GzipLevel::default())).build()),
        ("brotli", small_pages().set_compression(Compression::BROTLI(BrotliLevel::default())).build()),
        ("one page", WriterProperties::builder().set_compression(Compression::SNAPPY).build()),
    ]
}

/// Lists of numbers of every width, of one length and ragged; each with nulls, with empty lists, or with neither.
fn lists(n: usize) -> RecordBatch {
    fn ragged<T: ArrowPrimitiveType>(n: usize, of: fn(usize) -> T::Native, nulls: bool, long: usize) -> ArrayRef {
        let odd = |i: usize| i.wrapping_mul(2_654_435_761) >> 7;
        let mut lists = ListBuilder::new(PrimitiveBuilder::<T>::new());
        for i in 0..n {
            if nulls && odd(i) % 7 == 0 {
                lists.append(false);
                continue;
            }
            let least = usize::from(!nulls);
            for j in 0..(odd(i) % long).max(least) {
                lists.values().append_option((!nulls || odd(i + j) % 5 > 0).then(|| of(odd(i + j))));
            }
            lists.append(true);
        }
        Arc::new(lists.finish())
    }
    fn fixed(n: usize, nulls: bool) -> ArrayRef {
        let mut lists = FixedSizeListBuilder::new(Float32Builder::new(), 4);
        for i in 0..n {
            for j in 0..4 {
                lists.values().append_option((!nulls || i % 3 > 0).then_some((i * 4 + j) as f32));
            }
            lists.append(!nulls || i % 5 > 0);
        }
        Arc::new(lists.finish())
    }
    let few = |of: ArrayRef| {
        let of = of.as_list::<i32>().clone();
        let (field, offsets, values, nulls) = of.into_parts();
        let field = Arc::new(Field::clone(&field).with_nullable(false));
        Arc::new(GenericListArray::<i32>::new(field, offsets, values, nulls)) as ArrayRef
    };
    let large = |of: ArrayRef| {
        let DataType::List(field) = of.data_type() else { panic!("no list") };
        arrow_cast::cast(&of, &DataType::LargeList(Arc::clone(field))).unwrap()
    };
    RecordBatch::try_from_iter(vec![
        ("ids", ragged::<Int32Type>(n, |i| (i % 50_000) as i32, false, 40)),
        ("few", few(ragged::<Int64Type>(n, |i| i as i64, false, 3))),
        ("nulls", ragged::<Int32Type>(n, |i| (i % 9) as i32, true, 40)),
        ("bytes", ragged::<UInt8Type>(n, |i| (i % 256) as u8, false, 90)),
        ("small", ragged::<Int16Type>(n, |i| (i % 65_536) as u16 as i16, true, 9)),
        ("words", ragged::<UInt16Type>(n, |i| (i % 300) as u16, false, 70)),
        ("long", ragged::<UInt64Type>(n, |i| i as u64, true, 12)),
        ("floats", ragged::<Float64Type>(n, |i| i as f64 / 3.0, false, 1)),
        ("one", ragged::<Float32Type>(n, |i| (i % 2) as f32, false, 64)),
        ("large", large(ragged::<Int64Type>(n, |i| (i % 17) as i64, true, 20))),
        ("vectors", fixed(n, false)),
        ("gaps", fixed(n, true)),
        ("id", Arc::new(Int64Array::from_iter_values(0..n as i64)) as ArrayRef),
    ])
    .unwrap()
}

#[test]
fn lists_of_numbers_conform_however_they_are_written() {
    for n in [1, 150, 700] {
        let batch = lists(n);
        for (name, properties) in ways() {
            let file = written(&batch, properties);
            let whole = conformance::run(FirstGroup(None).open(&file, 0..n as u64, 1 << 20, 1 << 20).unwrap(), &file);
            assert_eq!(whole.unwrap().columns(), batch.columns(), "{name}, {n} rows");
            conformance::check(&FirstGroup(None), &file, n as u64);
            if n == 150 {
                conformance::cut(&FirstGroup(None), &file);
                conformance::mutate(
                    &FirstGroup(Some(vec!["ids".into(), "nulls".into(), "gaps".into()])),
                    &file,
                    150,
                    300,
                );
            }
        }
    }
}

#[test]
fn conforms_however_it_is_written() {
    let batch = rows(150);
    for (name, properties) in ways() {
        let file = written(&batch, properties);
        println!("{name}: {} bytes", file.len());
        conformance::check(&FirstGroup(None), &file, 150);
        conformance::cut(&FirstGroup(None), &file);
        for column in ["deep", "text"] {
            conformance::check(&FirstGroup(Some(vec![column.into()])), &file, 150);
            conformance::cut(&FirstGroup(Some(vec![column.into()])), &file);
        }
    }
}

#[test]
fn gives_what_the_crate_gives() {
    let batch = rows(400);
    for (name, properties) in ways() {
        let file = written(&batch, properties);
        let expected = ParquetRecordBatchReaderBuilder::try_new(file.clone())
            .unwrap()
            .with_batch_size(400)
            .build()
            .unwrap()
            .next()
            .unwrap()
            .unwrap();
        let ours = conformance::run(FirstGroup(None).open(&file, 0..400, 5000, 300).unwrap(), &file).unwrap();
        let schema = Arc::new(footer(&file).unwrap().schema);
        let ours = declared(&ours, &schema).unwrap();
        for (i, field) in schema.fields().iter().enumerate() {
            let (ours, theirs) = (ours.column(i), expected.column(i));
            if let DataType::Dictionary(..) = theirs.data_type() {
                let values = theirs.as_dictionary::<Int32Type>();
                let plain = values.downcast_dict::<StringArray>().unwrap().into_iter().collect::<StringArray>();
                assert_eq!(ours.as_string::<i32>(), &plain, "{name}: {}", field.name());
            } else {
                assert_eq!(ours, theirs, "{name}: {}", field.name());
            }
        }
    }
}

#[test]
fn survives_changed_bytes() {
    let batch = rows(60);
    for (_, properties) in ways() {
        let file = written(&batch, properties);
        conformance::mutate(&FirstGroup(None), &file, 60, 400);
    }
}

#[test]
fn a_changed_checksum_is_an_error() {
    let ids =
        RecordBatch::try_from_iter([("id", Arc::new(Int64Array::from_iter_values(0..1000)) as ArrayRef)]).unwrap();
    let file = written(
        &ids,
        WriterProperties::builder().set_dictionary_enabled(false).set_write_page_header_statistics(false).build(),
    );
    let mut bytes = file.to_vec();
    // Inside the values of the only page: without a checksum this would be other rows.
    bytes[4000] ^= 1;
    let bytes = Bytes::from(bytes);
    let got = FirstGroup(None).open(&bytes, 0..1000, 1000, 1000).and_then(|d| conformance::run(d, &bytes));
    match got {
        // A writer need not write checksums.
        Ok(batch) => assert_eq!(batch.num_rows(), 1000),
        Err(e) => assert!(e.kind == Kind::Data && e.to_string().contains("checksum"), "{e}"),
    }
}

#[test]
fn bombs_are_refused_before_memory_is_taken() {
    let zeros = RecordBatch::try_from_iter([(
        "text",
        Arc::new(StringArray::from_iter_values(["0".repeat(40 << 20)])) as ArrayRef,
    )])
    .unwrap();
    let file =
        written(&zeros, WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::default())).build());
    assert!(file.len() < 1 << 20);
    let footer = footer(&file).unwrap();
    let options = Options {
        columns: None,
        rows: 0..1,
        unit: 1 << 20,
        window: 1 << 20,
        most: 16 << 20,
        filter: None,
        lenient: false,
    };
    let error = conformance::run(Box::new(RowGroupDecoder::new(&footer, 0, &options).unwrap()), &file).unwrap_err();
    assert!(error.to_string().contains("ROWSTREAM_MEMORY"), "{error}");
}

#[test]
fn errors_say_where() {
    let file = written(&rows(50), WriterProperties::builder().build());
    for (bytes, expected) in [
        (file.slice(..file.len() - 1), "ends with"),
        (file.slice(..6), "too few"),
        (Bytes::from_static(b"PAR1aaaaaaaaPARE"), "encrypted"),
    ] {
        let error = read_footer(&bytes, bytes.len() as u64, false).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
    let mut bytes = file.to_vec();
    bytes[4..60].fill(0xFF);
    let bytes = Bytes::from(bytes);
    let error = conformance::run(FirstGroup(None).open(&bytes, 0..50, 100, 100).unwrap(), &bytes).unwrap_err();
    assert!(error.to_string().starts_with("row group 0, row 0: column \"id\", page at byte 4"), "{error}");
}
