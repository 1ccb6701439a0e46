//! CSV, JSON documents, text and Arrow under the suite that all decoders share, and over mutated and truncated input.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test stops where something is wrong, and says what it tests"
)]

mod conformance;

use std::fmt::Write as _;
use std::io::Write;
use std::sync::Arc;

use arrow_array::{ArrayRef, DictionaryArray, Int64Array, RecordBatch, StringArray, types::Int32Type};
use arrow_ipc::CompressionType;
use arrow_ipc::writer::{FileWriter, IpcWriteOptions, StreamWriter};
use bytes::Bytes;
use conformance::{Format, Read, check, cut, mutate_any, run};
use serde_json::{Value, json};

/// A file in each compression.
fn packed(bytes: &[u8]) -> [Bytes; 5] {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(bytes).unwrap();
    let mut bzip2 = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    bzip2.write_all(bytes).unwrap();
    let mut xz = liblzma::write::XzEncoder::new(Vec::new(), 1);
    xz.write_all(bytes).unwrap();
    let mut lz4 = lz4_flex::frame::FrameEncoder::with_frame_info(
        lz4_flex::frame::FrameInfo::new().content_checksum(true),
        Vec::new(),
    );
    lz4.write_all(bytes).unwrap();
    [
        gzip.finish().unwrap().into(),
        bzip2.finish().unwrap().into(),
        xz.finish().unwrap().into(),
        lz4.finish().unwrap().into(),
        zstd::encode_all(bytes, 1).unwrap().into(),
    ]
}

/// The whole suite over a text, plain and in each compression.
fn conforms(read: &Read, text: &str, rows: u64) {
    let plain = Bytes::copy_from_slice(text.as_bytes());
    check(read, &plain, rows);
    let whole = run(read.open(&plain, 0..rows, 1 << 20, 1 << 20).unwrap(), &plain).unwrap();
    for file in packed(&plain) {
        check(read, &file, rows);
        cut(read, &file);
        let other = run(read.open(&file, 0..rows, 1 << 20, 1 << 20).unwrap(), &file).unwrap();
        assert_eq!(other, whole);
    }
    mutate_any(read, &plain, 1500);
}

fn object(i: usize) -> String {
    let text = "a\\nb é ".repeat(i % 9);
    format!("{{\"id\": {i}, \"text\":\"{text}{i}\", \"list\":[{{\"x\":{i}.5}},null], \"none\": null}}")
}

#[test]
fn arrays_conform() {
    let objects: Vec<String> = (0..50).map(object).collect();
    let read = Read::new("json", Value::Null);
    conforms(&read, &format!("\u{feff} [{}]\n", objects.join(",\n")), 50);
    conforms(
        &Read { columns: Some(vec!["text".into()]), ..Read::new("json", Value::Null) },
        &format!("[{}]", objects.join(",")),
        50,
    );
    conforms(
        &Read { columns: Some(vec![]), ..Read::new("json", Value::Null) },
        &format!("[{}]", objects.join(",")),
        50,
    );
    cut(&read, &Bytes::from(format!("[{}]", objects.join(", "))));
    // Anything but objects is a column.
    conforms(&read, "[1, 22, null, 333]", 4);
    conforms(&read, "[ \"a\", \"bb\", \"a string that is longer\" ]", 3);
    conforms(&read, "[]", 0);
}

#[test]
fn objects_over_several_lines_conform() {
    let objects: Vec<String> = (0..30).map(|i| object(i).replace(", \"", ",\n  \"")).collect();
    conforms(&Read::new("json", Value::Null), &objects.join("\n"), 30);
    conforms(&Read::new("json", Value::Null), "{\n \"a\": 1,\n \"b\": [1, 2]\n}", 1);
}

#[test]
fn a_field_conforms() {
    let objects: Vec<String> = (0..30).map(object).collect();
    let text = format!("{{\"version\": [1, {{\"data\": 2}}], \"data\" : [{}], \"more\": \"x\"}}", objects.join(","));
    let read = || Read::new("json", json!({"field": "data"}));
    conforms(&read(), &text, 30);
    cut(&read(), &Bytes::from(text.clone()));
    let ids: Vec<String> = (0..30).map(|i| i.to_string()).collect();
    let texts: Vec<String> = (0..30).map(|i| format!("\"{}\"", "x".repeat(i))).collect();
    let columns = format!(
        "{{\"v\": 1, \"data\": {{\"id\": [{}], \"text\": [{}], \"none\": [{}]}}}}",
        ids.join(","),
        texts.join(","),
        ["null"; 30].join(",")
    );
    conforms(&read(), &columns, 30);
    conforms(&Read { columns: Some(vec!["text".into()]), ..read() }, &columns, 30);
    let error = |text: &str| {
        let file = Bytes::copy_from_slice(text.as_bytes());
        read().open(&file, 0..9, 100, 100).and_then(|decoder| run(decoder, &file)).unwrap_err().to_string()
    };
    assert!(error("{\"a\": 1}").contains("no field \"data\""), "{}", error("{\"a\": 1}"));
    assert!(error("{\"data\": {\"a\": [1], \"b\": [1, 2]}}").contains("has 1 values, other columns 2"));
    assert!(error("{\"data\": {\"a\": 1}}").contains("each of its fields is a list"));
}

#[test]
fn csv_conforms() {
    let mut text = "id,text,\"x,y\",flag,none\r\n".to_owned();
    for i in 0..60 {
        let quoted = if i % 4 == 0 {
            format!("\"a \"\"{i}\"\",\n{}\"", "é".repeat(i))
        } else {
            format!("plain {}", "t".repeat(i))
        };
        let flag = ["True", "false", ""][i % 3];
        write!(text, "{i},{quoted},{}.5,{flag},NA\r\n{}", i * 3, if i % 7 == 3 { "\r\n" } else { "" }).unwrap();
    }
    let read = Read::new("csv", Value::Null);
    conforms(&read, &text, 60);
    conforms(&read, text.trim_end(), 60);
    conforms(&Read { columns: Some(vec!["flag".into(), "id".into()]), ..Read::new("csv", Value::Null) }, &text, 60);
    conforms(&Read { columns: Some(vec![]), ..Read::new("csv", Value::Null) }, &text, 60);
    // Quotes inside of fields, escapes and comments are gone through byte by byte.
    let odd = "a;b # what they are\n\n1; say \"hi\" \n2;'x;\ny\\'z'\n# nothing\n3;\n";
    conforms(
        &Read::new(
            "csv",
            json!({"delimiter": 59, "quote": 39, "escape": 92, "comment": 35, "skip_initial_space": true}),
        ),
        odd,
        3,
    );
    conforms(&Read::new("csv", json!({"header": false})), "1,2\r3\r4,5", 3);
}

#[test]
fn csv_says_which_row_is_wrong() {
    let error = |text: &str, rows: &str| {
        let file = Bytes::copy_from_slice(text.as_bytes());
        let read = Read { listed: Some(Bytes::copy_from_slice(rows.as_bytes())), ..Read::new("csv", Value::Null) };
        run(read.open(&file, 0..99, 4, 4).unwrap(), &file).unwrap_err().to_string()
    };
    let listed = "a,b\n1,2\n";
    let long = error("a,b\n1,2\n3,\"4\n5\"\n6,7,8\n", "a,b\n1,x\n");
    assert!(long.contains("line 5 (byte 16)") && long.contains("expected 2 fields, found 3"), "{long}");
    let misfit = error("a,b\n1,2\n3,four\n", listed);
    assert!(misfit.contains("line 3 (byte 8): column \"b\": expected an integer, found \"four\""), "{misfit}");
    assert!(error("a,b\n1,\"2\n", listed).contains("line 2 (byte 6): the quote that opens here is not closed"));
}

#[test]
fn text_conforms() {
    let mut text = String::new();
    for i in 0..60 {
        write!(text, "{}{i}{}", "é".repeat(i % 20), ["\n", "\r\n", "\r", "\n\n", "\r\n\r\n", "\n\n\n"][i % 6]).unwrap();
    }
    for (by, rows) in [("line", 60 + 10 + 10 + 20), ("paragraph", 31), ("document", 1)] {
        for keep in [false, true] {
            conforms(&Read::new("text", json!({"sample_by": by, "keep_linebreaks": keep})), &text, rows);
        }
    }
}

fn arrow(compression: Option<CompressionType>, file: bool) -> Bytes {
    let ids: ArrayRef = Arc::new((0..40).map(|i| (i % 5 > 0).then_some(i)).collect::<Int64Array>());
    let texts: ArrayRef = Arc::new((0..40).map(|i| (i % 3 > 0).then(|| "text".repeat(i % 7))).collect::<StringArray>());
    let labels: DictionaryArray<Int32Type> = (0..40).map(|i| ["a", "b", "a label"][i % 3]).collect();
    let batch = RecordBatch::try_from_iter_with_nullable([
        ("id", ids, true),
        ("text", texts, true),
        ("label", Arc::new(labels) as ArrayRef, false),
    ])
    .unwrap();
    let options = IpcWriteOptions::default().try_with_compression(compression).unwrap();
    if file {
        let mut writer = FileWriter::try_new_with_options(Vec::new(), &batch.schema(), options).unwrap();
        writer.write(&batch).unwrap();
        writer.finish().unwrap();
        return writer.into_inner().unwrap().into();
    }
    let mut writer = StreamWriter::try_new_with_options(Vec::new(), &batch.schema(), options).unwrap();
    writer.write(&batch).unwrap();
    writer.finish().unwrap();
    writer.into_inner().unwrap().into()
}

#[test]
fn arrow_conforms() {
    for (compression, far) in [None, Some(CompressionType::ZSTD), Some(CompressionType::LZ4_FRAME)]
        .into_iter()
        .flat_map(|c| [(c, false), (c, true)])
    {
        for file in [true, false] {
            let bytes = arrow(compression, file);
            let read = Read { far, ..Read::new("arrow", Value::Null) };
            let whole = run(read.open(&bytes, 0..40, 1 << 20, 1 << 20).unwrap(), &bytes).unwrap();
            assert_eq!(whole.num_rows(), 40);
            for (from, upto) in [(0, 40), (3, 9), (39, 40)] {
                let part = run(read.open(&bytes, from..upto, 100, 100).unwrap(), &bytes).unwrap();
                assert_eq!(part, whole.slice(from as usize, (upto - from) as usize));
            }
            if file {
                cut(&read, &bytes);
            }
            mutate_any(&read, &bytes, 2000);
        }
    }
}

#[test]
fn an_arrow_stream_far_away_is_one_piece() {
    let batch = |from: i64| {
        RecordBatch::try_from_iter([("id", Arc::new((from..from + 30).collect::<Int64Array>()) as ArrayRef)]).unwrap()
    };
    let mut writer = StreamWriter::try_new(Vec::new(), &batch(0).schema()).unwrap();
    for i in 0..9 {
        writer.write(&batch(30 * i)).unwrap();
    }
    writer.finish().unwrap();
    let bytes: Bytes = writer.into_inner().unwrap().into();
    check(&Read { far: true, ..Read::new("arrow", Value::Null) }, &bytes, 270);
}
