//! A whole format, as CONTRIBUTING.md tells how to add one: a count, then so many 64-bit integers, little-endian, in a
//! column `value`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops where something is wrong")]

mod conformance;

use std::ops::Range;
use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, RecordBatchOptions};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use bytes::Bytes;
use rowstream_core::format::{Cuts, Decoder, FileFacts, Format, Options, Probe, ProbeDepth, ProbeResult, Source, Step};
use rowstream_core::{Error, Result};

const WIDTH: u64 = 8;

fn integers(bytes: &Bytes) -> impl Iterator<Item = i64> {
    bytes.chunks_exact(WIDTH as usize).filter_map(|chunk| chunk.try_into().ok().map(i64::from_le_bytes))
}

/// 1. What looks at a file: which bytes it needs for that, its schema, and where it can be cut.
struct Looked {
    size: u64,
    rows: Option<u64>,
}

impl Probe for Looked {
    fn need(&mut self) -> Result<Option<Range<u64>>> {
        if self.size < WIDTH {
            return Err(Error::data(format!("{} bytes have no count of {WIDTH} bytes: the file is cut", self.size)));
        }
        Ok(if self.rows.is_none() { Some(0..WIDTH) } else { None })
    }

    fn push(&mut self, _: &Range<u64>, bytes: Bytes) -> Result<()> {
        // What a file claims is not believed, and nothing is reserved for it, before its length says the same.
        let rows = integers(&bytes).next().map_or(0, |count| count as u64);
        if Some(self.size) != rows.checked_add(1).and_then(|count| count.checked_mul(WIDTH)) {
            return Err(Error::data(format!("{} bytes are not a count and {rows} integers", self.size)));
        }
        self.rows = Some(rows);
        Ok(())
    }

    fn result(self: Box<Self>) -> Result<ProbeResult> {
        let rows = self.rows.unwrap_or(0);
        Ok(ProbeResult {
            schema: Some(Schema::new(vec![Field::new("value", DataType::Int64, true)])),
            cuts: Cuts::Pieces(vec![(0, Some(rows), rows * WIDTH)]),
            floor: 1 << 16,
            version: None,
            note: None,
            head: None,
            seen: None,
        })
    }
}

/// 2. What decodes a piece: it says which bytes it needs, and gives batches. It does no I/O.
struct Decoding {
    schema: SchemaRef,
    rows: Range<u64>,
    most: u64,
    read: Option<Bytes>,
}

impl Decoder for Decoding {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn push(&mut self, _: Range<u64>, bytes: Bytes) -> Result<()> {
        self.read = Some(bytes);
        Ok(())
    }

    fn poll(&mut self) -> Result<Step> {
        let rows = self.rows.start..self.rows.end.min(self.rows.start + self.most);
        if rows.is_empty() {
            return Ok(Step::Done);
        }
        let Some(bytes) = self.read.take() else {
            let after_the_count = (rows.start + 1) * WIDTH..(rows.end + 1) * WIDTH;
            return Ok(Step::Need(std::iter::once(after_the_count).collect()));
        };
        let columns: Vec<ArrayRef> = if self.schema.fields().is_empty() {
            Vec::new()
        } else {
            vec![Arc::new(integers(&bytes).collect::<Int64Array>())]
        };
        self.rows.start = rows.end;
        let length = RecordBatchOptions::new().with_row_count(Some((rows.end - rows.start) as usize));
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &length)
            .map(Step::Batch)
            .map_err(|error| Error::data(error.to_string()))
    }
}

/// 3. The format makes both. `format::of` names it.
struct Integers;

impl Format for Integers {
    fn probe(&self, file: &FileFacts, _: ProbeDepth) -> Result<Box<dyn Probe>> {
        Ok(Box::new(Looked { size: file.size, rows: None }))
    }

    fn decoder(&self, piece: &Source, options: &Options) -> Result<Box<dyn Decoder>> {
        let fields = if options.wants("value") { piece.schema.fields().clone() } else { Vec::<Field>::new().into() };
        let there = piece.bytes / WIDTH;
        let rows = options.rows.start.min(there)..options.rows.end.min(there);
        let most = (options.unit.min(options.window) / WIDTH).max(1);
        Ok(Box::new(Decoding { schema: Arc::new(Schema::new(fields)), rows, most, read: None }))
    }

    /// The file is read at any place, rather than from its start to its end.
    fn random(&self) -> bool {
        true
    }
}

/// 4. The suite runs over it: the same rows however the input is cut, any row to begin at, truncation, mutation.
struct Suite;

impl conformance::Format for Suite {
    fn open(&self, file: &Bytes, rows: Range<u64>, unit: u64, window: u64) -> Result<Box<dyn Decoder>> {
        let size = file.len() as u64;
        let facts = FileFacts {
            size,
            packed: false,
            most: 1 << 20,
            statistics: false,
            lenient: false,
            far: false,
            first: false,
            every: false,
        };
        let mut probe = Integers.probe(&facts, ProbeDepth::All)?;
        while let Some(range) = probe.need()? {
            probe.push(&range, file.slice(range.start as usize..range.end as usize))?;
        }
        let schema = probe.result()?.schema.unwrap();
        let source = Source {
            url: "integers.bin",
            size,
            unpacked: None,
            note: None,
            head: None,
            at: 0,
            bytes: size - WIDTH,
            rows: None,
            schema: &schema,
            declared: false,
        };
        let options = Options { columns: None, rows, unit, window, most: 1 << 20, filter: None, lenient: false };
        Integers.decoder(&source, &options)
    }
}

#[test]
fn the_example_conforms() {
    let values = (0..1000_i64).map(|i| i * i);
    let file: Bytes = std::iter::once(1000).chain(values).flat_map(i64::to_le_bytes).collect::<Vec<u8>>().into();
    conformance::check(&Suite, &file, 1000);
    conformance::cut(&Suite, &file);
    conformance::mutate(&Suite, &file, 1000, 300);
    let rows = conformance::run(conformance::Format::open(&Suite, &file, 998..1000, 64, 64).unwrap(), &file).unwrap();
    assert_eq!(rows.column(0).as_ref(), &Int64Array::from(vec![998 * 998, 999 * 999]));
}
