//! The decoder of archives under the suite that all decoders share, and over mutated and truncated archives.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test stops where something is wrong, and says what it tests"
)]

mod conformance;

use std::io::Write;

use bytes::Bytes;
use conformance::{Format, Read, check, cut};
use serde_json::Value;

fn tar() -> Read {
    Read::new("webdataset", Value::Null)
}

fn member(out: &mut Vec<u8>, name: &str, kind: u8, content: &[u8]) {
    let mut header = [0_u8; 512];
    header[..name.len()].copy_from_slice(name.as_bytes());
    header[124..136].copy_from_slice(format!("{:011o}\0", content.len()).as_bytes());
    header[148..156].fill(b' ');
    header[156] = kind;
    header[257..265].copy_from_slice(b"ustar\x0000");
    let sum: u64 = header.iter().map(|b| u64::from(*b)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    out.extend_from_slice(&header);
    out.extend_from_slice(content);
    out.resize(out.len().next_multiple_of(512), 0);
}

fn archive(samples: usize) -> Bytes {
    let mut out = Vec::new();
    for i in 0..samples {
        if i % 7 == 2 {
            let long = format!("{}/{i:04}.json", "folder".repeat(30));
            let record = format!(" path={long}\n");
            let length = record.len() + 3;
            member(&mut out, "pax", b'x', format!("{length}{record}").as_bytes());
            member(&mut out, "short", b'0', format!("{{\"i\": {i}, \"s\": \"a string that is long\"}}").as_bytes());
            continue;
        }
        member(&mut out, &format!("{i:04}.json"), b'0', format!("{{\"i\": {i}, \"s\": null}}").as_bytes());
        member(&mut out, &format!("{i:04}.bin"), b'0', &vec![i as u8; i * 97 % 1300]);
        if i % 3 == 0 {
            member(&mut out, "folder/", b'5', &[]);
            member(&mut out, &format!("{i:04}.txt"), b'0', "text é".repeat(i % 5).as_bytes());
        }
    }
    out.resize(out.len() + 1024, 0);
    out.into()
}

fn gzip(bytes: &[u8]) -> Bytes {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap().into()
}

#[test]
fn archives_conform() {
    let plain = archive(40);
    check(&tar(), &plain, 40);
    // All but the end marker: what follows its first block does not matter.
    cut(&tar(), &plain.slice(..plain.len() - 1024));
    for packed in [gzip(&plain), zstd::encode_all(&plain[..], 1).unwrap().into()] {
        check(&tar(), &packed, 40);
        cut(&tar(), &packed);
    }
}

#[test]
fn mutated_archives_are_samples_or_an_error() {
    conformance::mutate_any(&tar(), &archive(12), 3000);
    conformance::mutate(&tar(), &gzip(&archive(12)), 12, 500);
}

#[test]
fn samples_whose_members_do_not_stand_together_are_an_error() {
    let mut out = Vec::new();
    for name in ["a.txt", "b.txt", "a.bin"] {
        member(&mut out, name, b'0', b"x");
    }
    out.resize(out.len() + 1024, 0);
    for file in [Bytes::from(out.clone()), gzip(&out)] {
        let error = tar()
            .open(&file, 0..9, 1 << 16, 1 << 16)
            .and_then(|decoder| conformance::run(decoder, &file))
            .unwrap_err()
            .to_string();
        assert!(error.contains("sample \"a\" do not stand together"), "{error}");
    }
    let mut twice = Vec::new();
    member(&mut twice, "a.txt", b'0', b"x");
    member(&mut twice, "a.txt", b'0', b"y");
    twice.resize(twice.len() + 1024, 0);
    let file = Bytes::from(twice);
    let error = conformance::run(tar().open(&file, 0..9, 1 << 16, 1 << 16).unwrap(), &file).unwrap_err().to_string();
    assert!(error.contains("member \"a.txt\" (byte 1024)") && error.contains("twice in the sample \"a\""), "{error}");
}
