//! What every decoder promises, as a suite that each runs over its own files.

use std::ops::Range;

use arrow_array::RecordBatch;
use arrow_select::concat::concat_batches;
use bytes::Bytes;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use rowstream_core::format::compress::{Codec, decompressed};
use rowstream_core::format::{Cuts, Decoder, FileFacts, Options, ProbeDepth, ProbeResult, Source, Step};
use rowstream_core::{Error, Result};
use serde_json::Value;

/// How a decoder of one piece is made: from the file, for rows of the piece, with batches of about `unit` bytes and
/// reads of at least `window`.
pub trait Format {
    /// Opens the piece.
    fn open(&self, file: &Bytes, rows: Range<u64>, unit: u64, window: u64) -> Result<Box<dyn Decoder>>;
}

/// A format by its name, whose files are read as one piece, or as the range or the `piece`-th that is given.
#[derive(Default)]
#[allow(dead_code, reason = "not every suite needs all")]
pub struct Read {
    pub name: &'static str,
    pub options: Value,
    pub columns: Option<Vec<String>>,
    pub range: Option<Range<u64>>,
    /// What the file was looked at as, where that is not this one.
    pub listed: Option<Bytes>,
    /// Whether it is looked at as one that is far away.
    pub far: bool,
}

#[allow(dead_code, reason = "not every suite needs all")]
impl Read {
    pub fn new(name: &'static str, options: Value) -> Self {
        Self { name, options, ..Self::default() }
    }

    fn facts(&self, file: &Bytes) -> FileFacts {
        FileFacts {
            size: file.len() as u64,
            packed: Codec::of(file).is_some(),
            most: 1 << 20,
            statistics: false,
            lenient: false,
            far: self.far,
            first: false,
            every: false,
        }
    }

    /// Looks at a file.
    pub fn look(&self, file: &Bytes) -> Result<ProbeResult> {
        let content = content(file)?;
        let mut probe =
            rowstream_core::format::of(self.name, &self.options)?.probe(&self.facts(file), ProbeDepth::All)?;
        for _ in 0..MOST_STEPS {
            let Some(range) = probe.need()? else { return probe.result() };
            assert!(range.start < range.end);
            probe.push(&range, part(file, &content, &range)?)?;
        }
        panic!("the look does not end");
    }
}

impl Format for Read {
    fn open(&self, file: &Bytes, rows: Range<u64>, unit: u64, window: u64) -> Result<Box<dyn Decoder>> {
        let found = self.look(self.listed.as_ref().unwrap_or(file))?;
        let size = file.len() as u64;
        let range = self.range.clone().unwrap_or(match &found.cuts {
            Cuts::Pieces(pieces) => pieces.first().map_or(0..0, |&(at, _, bytes)| at..at + bytes),
            _ => 0..size,
        });
        let schema = found.schema.ok_or_else(|| Error::data("no rows"))?;
        let source = Source {
            url: "the.tar",
            size,
            unpacked: Codec::of(file).map(|_| Default::default()),
            note: found.note.as_ref(),
            head: found.head.as_ref(),
            at: range.start,
            bytes: range.end - range.start,
            rows: None,
            schema: &schema,
            declared: false,
        };
        let options =
            Options { columns: self.columns.clone(), rows, unit, window, most: 1 << 20, filter: None, lenient: false };
        rowstream_core::format::of(self.name, &self.options)?.decoder(&source, &options)
    }
}

/// More steps than any file here needs: a decoder that takes them hangs.
const MOST_STEPS: usize = 200_000;

/// What a file has, decompressed if it is compressed.
fn content(file: &Bytes) -> Result<Bytes> {
    Codec::of(file).map_or_else(|| Ok(file.clone()), |codec| decompressed(codec, file, 1 << 30).map(Bytes::from))
}

/// What is read of a range: all of it, or what there is of a compressed file.
fn part(file: &Bytes, content: &Bytes, range: &Range<u64>) -> Result<Bytes> {
    let length = content.len() as u64;
    if range.start >= range.end || (range.end > length && Codec::of(file).is_none()) {
        return Err(Error::data(format!("bytes {range:?} of a file of {length}")));
    }
    Ok(content.slice(range.start.min(length) as usize..range.end.min(length) as usize))
}

/// Runs a decoder over a file in memory; checks what it asks for.
pub fn run(mut decoder: Box<dyn Decoder>, file: &Bytes) -> Result<RecordBatch> {
    let schema = decoder.schema().clone();
    let (mut batches, content) = (Vec::new(), content(file)?);
    for _ in 0..MOST_STEPS {
        match decoder.poll()? {
            Step::Done => return concat_batches(&schema, &batches).map_err(|e| Error::data(e.to_string())),
            Step::Batch(batch) => {
                assert_eq!(batch.schema(), schema, "every batch has the schema that was known before");
                assert!(batch.num_rows() > 0, "a batch has rows");
                batches.push(batch);
            }
            Step::Part(part) => batches.push(part.batch),
            Step::Need(ranges) => {
                assert!(!ranges.is_empty(), "needing nothing is a hang");
                // In any order: from the last to the first.
                for range in ranges.into_iter().rev() {
                    decoder.push(range.clone(), part(file, &content, &range)?)?;
                }
            }
        }
    }
    panic!("the decoder does not end");
}

/// The whole suite, for a file whose piece has `rows` rows.
pub fn check(format: &impl Format, file: &Bytes, rows: u64) {
    let whole = run(format.open(file, 0..rows, 1 << 20, 1 << 20).unwrap(), file).unwrap();
    assert_eq!(whole.num_rows() as u64, rows);
    for (unit, window) in [(1, 1), (1, 100), (500, 64 << 10), (1 << 20, 7)] {
        let other = run(format.open(file, 0..rows, unit, window).unwrap(), file).unwrap();
        assert_eq!(other, whole, "the output does not depend on chunks: unit {unit}, window {window}");
    }
    let starts: Vec<u64> = (0..rows).step_by((rows as usize / 23).max(1)).chain([rows.saturating_sub(1)]).collect();
    for start in starts {
        for end in [rows, (start + 3).min(rows)] {
            let part = run(format.open(file, start..end, 3000, 512).unwrap(), file).unwrap();
            assert_eq!(part, whole.slice(start as usize, (end - start) as usize), "rows {start}..{end}");
        }
    }
}

/// A file of a format that says where it ends, cut short: an error wherever that is.
pub fn cut(format: &impl Format, file: &Bytes) {
    // The first bytes show how a file is compressed.
    let least = if Codec::of(file).is_some() { 14 } else { 1 };
    for cut in (least..file.len()).step_by((file.len() / 150).max(1)) {
        let short = file.slice(..cut);
        let got = format.open(&short, 0..u64::MAX, 3000, 512).and_then(|decoder| run(decoder, &short));
        assert!(
            got.is_err(),
            "a file cut at {cut} of {} bytes gave {} rows",
            file.len(),
            got.map_or(0, |b| b.num_rows())
        );
    }
}

/// Bytes of a file without checksums changed at random: rows or an error, never a panic or a hang.
#[allow(dead_code, reason = "not every format is without")]
pub fn mutate_any(format: &impl Format, file: &Bytes, cases: u32) {
    mutated(file, cases, |bytes| {
        drop(format.open(&bytes, 0..u64::MAX, 3000, 512).and_then(|decoder| run(decoder, &bytes)));
        Ok(())
    });
}

#[allow(dead_code, reason = "not every format has counts to lose")]
/// Bytes of the file changed at random: rows or an error, never a panic, a hang, or fewer rows.
pub fn mutate(format: &impl Format, file: &Bytes, rows: u64, cases: u32) {
    mutated(file, cases, |bytes| {
        if let Ok(batch) = format.open(&bytes, 0..rows, 3000, 512).and_then(|decoder| run(decoder, &bytes)) {
            prop_assert_eq!(batch.num_rows() as u64, rows, "rows were lost without an error");
        }
        Ok(())
    });
}

fn mutated(file: &Bytes, cases: u32, test: impl Fn(Bytes) -> std::result::Result<(), TestCaseError>) {
    let change = (0..file.len(), any::<u8>(), prop_oneof![Just(1_usize), Just(4), Just(16)]);
    let changes = proptest::collection::vec(change, 1..4);
    let mut runner = TestRunner::new(Config {
        cases,
        failure_persistence: None,
        rng_seed: proptest::test_runner::RngSeed::Fixed(1),
        ..Config::default()
    });
    runner
        .run(&changes, |changes| {
            let mut bytes = file.to_vec();
            for (at, byte, length) in changes {
                let end = (at + length).min(bytes.len());
                bytes[at..end].fill(byte);
            }
            test(Bytes::from(bytes))
        })
        .unwrap();
}
