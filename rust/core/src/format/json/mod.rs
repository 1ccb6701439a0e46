//! JSON Lines, straight to Arrow: each line is one object, read once, into columns whose types the plan has.

mod column;
mod lines;
mod shape;
mod syntax;

use std::ops::Range;
use std::sync::Arc;

use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_buffer::Buffer;
use arrow_schema::{Schema, SchemaRef};
use bytes::Bytes;
use memchr::memchr;

use super::{Decoder, Options, Step};
use crate::error::{Error, Kind, Result};
use column::Object;
pub(super) use column::{Column, Texts, view};
use lines::{Chunk, Lines};
pub(super) use shape::Shape;
pub(super) use syntax::Reader as SyntaxReader;
use syntax::{Fault, Parsed, Reader};

/// The byte order mark that some editors write.
pub(super) const BOM: &[u8] = b"\xEF\xBB\xBF";

/// Decodes the lines that begin in a range of a file.
pub struct LinesDecoder {
    lines: Lines,
    object: Object,
    schema: SchemaRef,
    rows: Range<u64>,
    /// Rows so far.
    next: u64,
    range: Range<u64>,
    /// Lines so far, blank ones too.
    line: u64,
    /// An error whose line is not yet numbered, and where its file has to be read on for it.
    failed: Option<(Failure, u64)>,
    asked: Option<Range<u64>>,
    unit: u64,
    /// Whether rows are only counted.
    counting: bool,
}

/// A line that could not be read.
struct Failure {
    error: Error,
    /// Lines before it in the range, and where it begins.
    line: u64,
    at: u64,
}

impl Failure {
    fn error(self, before: u64) -> Error {
        self.error.at(format_args!("line {} (byte {})", before + self.line + 1, self.at))
    }
}

impl LinesDecoder {
    /// A decoder of the lines that begin in `range` of a file of `size` bytes. `schema`: what every line fits;
    /// `declared`: as `features=` had it, where a string may hold any value.
    pub fn new(range: Range<u64>, size: u64, schema: &Schema, declared: bool, options: &Options) -> Result<Self> {
        let wanted = |name: &str| options.columns.as_ref().is_none_or(|columns| columns.iter().any(|column| column == name));
        let object = Object::new(schema.fields(), wanted, declared)?;
        Ok(Self {
            lines: Lines::new(&range, size, options.unit.min(512 << 10) as usize, options.most),
            schema: Arc::new(Schema::new(object.natural())),
            object,
            rows: options.rows.clone(),
            next: 0,
            range,
            line: 0,
            failed: None,
            asked: None,
            unit: options.unit,
            counting: options.columns.as_ref().is_some_and(Vec::is_empty),
        })
    }

    fn step(&mut self) -> Result<Step> {
        loop {
            if let Some((failure, counted)) = self.failed.take() {
                return self.number(failure, counted);
            }
            if self.next >= self.rows.end {
                return Ok(Step::Done);
            }
            if let Some(chunk) = self.lines.next()? {
                match self.batch(&chunk) {
                    Ok(batch) if batch.num_rows() == 0 => {}
                    Ok(batch) => return Ok(Step::Batch(batch)),
                    Err(failure) => self.failed = Some((failure, 0)),
                }
                continue;
            }
            if self.lines.done() {
                return Ok(Step::Done);
            }
            let need = self.lines.need().ok_or_else(|| Error::internal("lines that need nothing"))?;
            self.asked = Some(need.clone());
            return Ok(Step::Need(vec![need]));
        }
    }

    /// Counts the lines of the file before this range, to say which line an error is in.
    fn number(&mut self, failure: Failure, counted: u64) -> Result<Step> {
        if self.range.start == 0 || self.lines.compressed() {
            return Err(failure.error(0));
        }
        let first = self.lines.first();
        if counted >= first {
            return Err(failure.error(self.line));
        }
        let need = counted..(counted + self.unit.max(1 << 20)).min(first);
        if counted == 0 {
            self.line = 0;
        }
        self.failed = Some((failure, counted));
        self.asked = Some(need.clone());
        Ok(Step::Need(vec![need]))
    }

    fn batch(&mut self, chunk: &Chunk) -> std::result::Result<RecordBatch, Failure> {
        let failure = |error: Error, line: u64, at: u64| Failure { error, line, at };
        let mut at = chunk.at;
        let mut texts = Texts { line: None, side: Vec::new() };
        if !chunk.head.is_empty() {
            if let Err(bad) = simdutf8::basic::from_utf8(&chunk.head) {
                return Err(failure(Error::data(format!("{bad}: the line is not UTF-8")), self.line, at));
            }
            self.row(&chunk.head, &mut texts, at).map_err(|e| failure(e, self.line - 1, at))?;
            at += chunk.head.len() as u64;
        }
        let mut body: &[u8] = &chunk.body;
        let start = body.len();
        if simdutf8::basic::from_utf8(body).is_err() {
            // Found again, slowly, for the place of the bad line.
            let good = simdutf8::compat::from_utf8(body).map_or_else(|e| e.valid_up_to(), str::len);
            let line = body[..good].iter().rposition(|b| *b == b'\n').map_or(0, |n| n + 1);
            let before = memchr::memchr_iter(b'\n', &body[..line]).count() as u64;
            let what = if good == 0 && at == 0 && (body.starts_with(b"\xFF\xFE") || body.starts_with(b"\xFE\xFF")) {
                "the file is UTF-16; JSON Lines are UTF-8"
            } else {
                "the line is not UTF-8"
            };
            return Err(failure(Error::data(what), self.line + before, at + line as u64));
        }
        while !body.is_empty() && self.next < self.rows.end {
            let end = memchr(b'\n', body).map_or(body.len(), |n| n + 1);
            let place = start - body.len();
            texts.line = Some(place);
            let line = &body[..end];
            self.row(line, &mut texts, at + place as u64).map_err(|e| failure(e, self.line - 1, at + place as u64))?;
            body = &body[end..];
        }
        self.finish(chunk, texts).map_err(|e| failure(e, self.line, at))
    }

    /// Reads one line, unless it is blank or before the rows that are wanted.
    #[inline]
    fn row(&mut self, mut line: &[u8], texts: &mut Texts, at: u64) -> Result<()> {
        self.line += 1;
        if at == 0 && line.starts_with(BOM) {
            line = &line[BOM.len()..];
            texts.line = texts.line.map(|at| at + BOM.len());
        }
        if line.iter().all(u8::is_ascii_whitespace) {
            return Ok(());
        }
        self.next += 1;
        if self.next <= self.rows.start {
            return Ok(());
        }
        if self.counting {
            self.object.pass();
            return Ok(());
        }
        let mut reader = Reader::new(line);
        let mut read = |reader: &mut Reader| -> Parsed<()> {
            if reader.peek()? != b'{' {
                return Err(match line[reader.at] {
                    b'[' if at == 0 => Fault::new(reader.at, "the file is a JSON array; rowstream reads JSON Lines, an object a line"),
                    _ => reader.unexpected("an object"),
                });
            }
            self.object.take(reader, texts, 0)?;
            reader.end()
        };
        read(&mut reader).map_err(|fault| describe(&fault))
    }

    fn finish(&mut self, chunk: &Chunk, texts: Texts) -> Result<RecordBatch> {
        let rows = self.object.rows();
        let buffers = [Buffer::from(chunk.body.clone()), Buffer::from_vec(texts.side)];
        let (_, columns) = self.object.finish(&buffers)?;
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &RecordBatchOptions::new().with_row_count(Some(rows)))
            .map_err(|e| Error::internal(e.to_string()))
    }
}

/// An error of what is wrong with a value.
pub(super) fn describe(fault: &Fault) -> Error {
    let column = fault.at + 1;
    match (&fault.feature, fault.path.is_empty()) {
        (Some(feature), _) => {
            let name = fault.path.last().map_or("", String::as_str);
            Error::new(
                Kind::Schema,
                format!(
                    "field {:?}: {}; pass features=Features({{…, {name:?}: {feature}}}) with the type that holds all values, or infer=\"all\" to find it by reading everything",
                    fault.path.join("."),
                    fault.what
                ),
            )
        }
        (None, true) => Error::data(format!("column {column}: {}", fault.what)),
        (None, false) => Error::data(format!("column {column}, field {:?}: {}", fault.path.join("."), fault.what)),
    }
}

impl Decoder for LinesDecoder {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn push(&mut self, range: Range<u64>, bytes: Bytes) -> Result<()> {
        if self.asked.take().as_ref() != Some(&range) || bytes.len() as u64 != range.end - range.start {
            return Err(Error::internal(format!("bytes {range:?} were not asked for")));
        }
        if let Some((_, counted)) = &mut self.failed {
            self.line += memchr::memchr_iter(b'\n', &bytes).count() as u64;
            *counted = range.end;
            return Ok(());
        }
        self.lines.push(bytes)
    }

    fn poll(&mut self) -> Result<Step> {
        self.step()
    }
}

/// Finds the types of a file's lines, from the first of its bytes or from all.
pub struct Inference {
    lines: Lines,
    shape: Shape,
    line: u64,
    all: bool,
}

impl Inference {
    /// Looks at the first `head` bytes of a file of `size` bytes, and always at its first line; at all where there is
    /// no `head`. No line may be longer than `most`.
    pub fn new(size: u64, head: Option<u64>, most: usize) -> Self {
        let range = 0..head.unwrap_or(size).min(size);
        Self { lines: Lines::new(&range, size, 256 << 10, most), shape: Shape::Object(Vec::new()), line: 0, all: head.is_none() }
    }

    /// The bytes that are needed; none where enough is known.
    pub fn need(&mut self) -> Result<Option<Range<u64>>> {
        while let Some(chunk) = self.lines.next()? {
            self.see(&chunk)?;
        }
        // A compressed file does not say where its first bytes end.
        let enough = !self.all && self.lines.compressed() && self.line > 0;
        Ok(if enough || self.lines.done() { None } else { self.lines.need() })
    }

    /// Takes in bytes that were asked for.
    pub fn push(&mut self, bytes: Bytes) -> Result<()> {
        self.lines.push(bytes)
    }

    fn see(&mut self, chunk: &Chunk) -> Result<()> {
        let mut at = chunk.at;
        for part in [&chunk.head[..], &chunk.body[..]] {
            // A line that is not UTF-8 is an error when it is read.
            let mut rest = simdutf8::compat::from_utf8(part).map_or_else(|e| &part[..e.valid_up_to()], str::as_bytes);
            while !rest.is_empty() {
                let end = memchr(b'\n', rest).map_or(rest.len(), |n| n + 1);
                let mut line = &rest[..end];
                if self.line == 0 && line.starts_with(BOM) {
                    line = &line[BOM.len()..];
                }
                rest = &rest[end..];
                let start = at;
                at += end as u64;
                self.line += 1;
                if line.iter().all(u8::is_ascii_whitespace) {
                    continue;
                }
                let mut reader = Reader::new(line);
                let seen = match reader.peek() {
                    Ok(b'{') => self.shape.see(&mut reader, 0).and_then(|()| reader.end()),
                    Ok(b'[') if self.line == 1 => Err(Fault::new(reader.at, "the file is a JSON array; rowstream reads JSON Lines, an object a line")),
                    _ => Err(reader.unexpected("an object")),
                };
                seen.map_err(|fault| describe(&fault).at(format_args!("line {} (byte {start})", self.line)))?;
            }
        }
        Ok(())
    }

    /// The schema of the lines that were seen.
    pub fn schema(&self) -> Schema {
        let Shape::Object(fields) = &self.shape else { return Schema::empty() };
        Schema::new(Shape::fields(fields))
    }
}
