//! The decoder of lines under the suite that all decoders share, and over mutated and truncated input.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test stops where something is wrong, and says what it tests"
)]

mod conformance;

use bytes::Bytes;
use conformance::{Format, Read, check, cut, run};
use rowstream_core::format::Options;
use rowstream_core::format::compress::Codec;
use rowstream_core::format::json::LinesDecoder;
use serde_json::Value;

fn json() -> Read {
    Read::new("json", Value::Null)
}

fn lines(n: usize) -> String {
    let line = |i: usize| {
        let text = "a\\nb é ".repeat(i % 9);
        let more = if i.is_multiple_of(4) {
            String::new()
        } else {
            format!(",\"list\":[{{\"x\":{i}.5,\"y\":\"{text}\"}},null]")
        };
        let blank = if i % 11 == 3 { "  \n" } else { "" };
        format!("{{\"id\": {i}, \"text\":\"{text}{i}\"{more}, \"flag\":{}}}\r\n{blank}", i.is_multiple_of(3))
    };
    (0..n).map(line).collect()
}

fn gzip(bytes: &[u8]) -> Bytes {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap().into()
}

#[test]
fn lines_conform() {
    let plain = Bytes::from(lines(60));
    check(&json(), &plain, 60);
    check(&Read { columns: Some(vec!["text".into(), "id".into()]), ..json() }, &plain, 60);
    check(&Read { columns: Some(vec![]), ..json() }, &plain, 60);
    // Without a newline at the end, and with a byte order mark.
    let text = lines(9);
    check(&json(), &Bytes::from(format!("\u{feff}{}", text.trim_end())), 9);
    let (first, second) = plain.split_at(plain.len() / 2);
    for packed in [gzip(&plain), zstd::encode_all(&plain[..], 1).unwrap().into()] {
        check(&json(), &packed, 60);
        cut(&json(), &packed);
    }
    check(&json(), &[gzip(first), gzip(second)].concat().into(), 60);
}

#[test]
fn several_objects_on_a_line_conform() {
    let text: String = lines(60)
        .split_inclusive("\r\n")
        .enumerate()
        .map(|(i, line)| if i % 4 == 3 { line.to_owned() } else { line.replace("\r\n", " ") })
        .collect();
    check(&json(), &Bytes::from(text.clone()), 60);
    check(&Read { columns: Some(vec![]), ..json() }, &Bytes::from(text.clone()), 60);
    check(&json(), &Bytes::from(text.replace(['\r', '\n'], "")), 60);
    // What looks like two objects in a string is none.
    let text = r#"{"a": "}{"} {"a": "} {"}{"a": {"b": [{}, {}]}}"#;
    check(&json(), &Bytes::from(format!("{text}\n{text}")), 6);
    for wrong in [r#"{"a": 1} 2"#, r#"{"a": 1},{"a": 2}"#, r#"{"a": 1}{"a": "#, r#"{"a": 1}[2]"#] {
        assert!(json().look(&Bytes::from(wrong)).is_err(), "{wrong}");
    }
}

#[test]
fn values_of_mixed_types_are_texts_and_what_objects_lack_is_not_null() {
    use arrow_array::cast::AsArray;
    let rows = [
        r#"{"a": 1, "b": [{"x": 1}, {"y": 2}], "c": {"d": "3"}, "e": {"x": 1}, "f": {}}"#,
        r#"{"a": "1", "b": [], "c": {"d": NaN}, "e": {"x": null}, "f": {}, "g": 1}"#,
        r#"{"a": null, "b": null, "c": null, "e": null, "f": null, "g": -Infinity}"#,
    ];
    for text in [rows.join("\n"), format!("[{}]", rows.join(", ")), format!("\u{feff}{}", rows.join(" "))] {
        let file = Bytes::from(text);
        check(&json(), &file, 3);
        let schema = json().look(&file).unwrap().schema.unwrap();
        let told: Vec<String> = schema.fields().iter().map(|field| said(field)).collect();
        assert_eq!(told, ["json", "[json]", "{d: json}", "{x: Int64}", "json", "Float64"]);
        let batch = run(json().open(&file, 0..u64::MAX, 1 << 20, 1 << 20).unwrap(), &file).unwrap();
        let texts: Vec<Option<&str>> = batch.column(0).as_string_view().iter().collect();
        assert_eq!(texts, [Some("1"), Some("\"1\""), None]);
        let inside: Vec<Option<&str>> = batch.column(1).as_list::<i32>().values().as_string_view().iter().collect();
        assert_eq!(inside, [Some("{\"x\": 1}"), Some("{\"y\": 2}")]);
        let inside: Vec<Option<&str>> = batch.column(2).as_struct().column(0).as_string_view().iter().collect();
        assert_eq!(inside, [Some("\"3\""), Some("NaN"), None]);
    }
}

/// A type, for people.
fn said(field: &arrow_schema::Field) -> String {
    use arrow_schema::DataType;
    match field.data_type() {
        _ if rowstream_core::schema::is_json(field) => "json".into(),
        DataType::List(item) => format!("[{}]", said(item)),
        DataType::Struct(fields) => format!(
            "{{{}}}",
            fields.iter().map(|field| format!("{}: {}", field.name(), said(field))).collect::<Vec<_>>().join(", ")
        ),
        other => other.to_string(),
    }
}

#[test]
fn ranges_cover_a_file_whatever_their_length() {
    let file = Bytes::from(lines(40));
    let size = file.len() as u64;
    for step in [1, 7, 64, 100, 1000, size, size + 1] {
        let (mut ids, mut at) = (Vec::new(), 0);
        while at < size {
            let range = at..(at + step).min(size);
            let batch =
                run(Read { range: Some(range.clone()), ..json() }.open(&file, 0..u64::MAX, 50, 50).unwrap(), &file)
                    .unwrap();
            let column = batch.column_by_name("id").unwrap();
            ids.extend_from_slice(
                arrow_array::cast::AsArray::as_primitive::<arrow_array::types::Int64Type>(column).values(),
            );
            at = range.end;
        }
        assert_eq!(ids, (0..40).collect::<Vec<i64>>(), "{step}");
    }
}

#[test]
fn an_error_names_the_line_of_the_file() {
    let mut text = lines(40);
    let at = text.len() as u64 - 60;
    text.push_str("{\"id\": \"forty\"}\n");
    let file = Bytes::from(text);
    let size = file.len() as u64;
    let options = Options {
        columns: None,
        rows: 0..u64::MAX,
        unit: 100,
        window: 100,
        most: 1 << 20,
        filter: None,
        lenient: false,
    };
    let schema = json().look(&Bytes::from(lines(40))).unwrap().schema.unwrap();
    // 40 rows, and blank lines after those with i % 11 == 3.
    for range in [0..size, at..size] {
        let decoder = LinesDecoder::new(range, size, None, &schema, false, &options).unwrap();
        let error = run(Box::new(decoder), &file).unwrap_err().to_string();
        assert!(
            error.contains("line 45 (byte ")
                && error.contains("field \"id\": expected Int64, found \"forty\"")
                && error.contains("features="),
            "{error}"
        );
    }
}

#[test]
fn mutated_lines_are_rows_or_an_error() {
    use proptest::prelude::*;
    let plain = lines(12).into_bytes();
    let packed = gzip(&plain).to_vec();
    let schema = json().look(&Bytes::from(plain.clone())).unwrap().schema.unwrap();
    let config = ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() };
    let mut runner = proptest::test_runner::TestRunner::new_with_rng(
        config,
        proptest::test_runner::TestRng::deterministic_rng(proptest::test_runner::RngAlgorithm::ChaCha),
    );
    let strategy = (
        any::<bool>(),
        prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        prop::option::weighted(0.3, any::<prop::sample::Index>()),
    );
    runner
        .run(&strategy, |(zip, changes, cut)| {
            let mut file = if zip { packed.clone() } else { plain.clone() };
            let whole = file.clone();
            for (index, byte) in changes {
                let i = index.index(file.len());
                file[i] = byte;
            }
            if let Some(cut) = cut {
                file.truncate(cut.index(file.len()).max(3));
            }
            let unchanged = file == whole;
            let (file, zipped) = (Bytes::from(file), zip);
            let options = Options {
                columns: None,
                rows: 0..u64::MAX,
                unit: 64,
                window: 64,
                most: 1 << 16,
                filter: None,
                lenient: false,
            };
            let size = file.len() as u64;
            let unpacked = Codec::of(&file).map(|_| Default::default());
            let decoder = LinesDecoder::new(0..size, size, unpacked, &schema, false, &options).unwrap();
            let result = run(Box::new(decoder), &file);
            if unchanged || (zipped && result.is_ok()) {
                // A changed gzip that passes its checksum has all its rows (a changed header does not matter).
                prop_assert_eq!(result.unwrap().num_rows(), 12);
            }
            Ok(())
        })
        .unwrap();
}
