//! JSON, straight to Arrow: each object is read once, into columns whose types the plan has.
//!
//! A file is lines, an object each; or one document: an array, objects one after another over lines, or what a field of
//! one object has, an array or an object of columns.

mod column;
mod document;
mod probe;
mod shape;
mod syntax;

use std::ops::Range;
use std::sync::Arc;

use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_buffer::Buffer;
use arrow_schema::{Schema, SchemaRef};
use bytes::Bytes;
use memchr::memchr;
use serde::{Deserialize, Serialize};

use super::compress::{Mark, Points};
use super::encoding::Encoding;
use super::lines::{Chunk, Lines};
use super::{Bad, Decoder, FileFacts, Format, Options, Part, Probe, ProbeDepth, Source, Step, unasked};
use crate::error::{Error, Kind, Result};
use column::Object;
pub(super) use column::{Column, Texts, view, whole};
use document::DocumentDecoder;
use probe::Prober;
pub(super) use shape::{Lacking, Shape};
pub(super) use syntax::Reader as SyntaxReader;
use syntax::{Fault, Parsed, Reader};

/// The byte order mark that some editors write.
pub(super) const BOM: &[u8] = b"\xEF\xBB\xBF";

/// JSON files.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Json {
    /// The field of the one object of a file that has the rows.
    #[serde(default)]
    pub field: Option<String>,
    /// The encoding of the text, if it is not UTF-8.
    #[serde(default)]
    pub encoding: Option<Arc<Encoding>>,
}

/// What a file has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Layout {
    /// Lines, an object each.
    Lines,
    /// An array of objects.
    Array,
    /// An array of anything else: one column, `text`.
    Values,
    /// Objects one after another, over several lines.
    Objects,
    /// An object whose fields are columns.
    Columns,
}

impl Format for Json {
    fn probe(&self, file: &FileFacts, depth: ProbeDepth) -> Result<Box<dyn Probe>> {
        Ok(Box::new(Prober::new(self.field.as_deref(), self.encoding.as_ref(), file, depth)?))
    }

    fn decoder(&self, piece: &Source, options: &Options) -> Result<Box<dyn Decoder>> {
        let layout = piece.note.map_or(Ok(Layout::Lines), |note| serde_json::from_value(note.clone()));
        match layout.map_err(|e| Error::internal(e.to_string()))? {
            Layout::Lines => {
                let range = piece.at..piece.at + piece.bytes;
                let unpacked = piece.unpacked.clone();
                let decoder = LinesDecoder::new(range, piece.size, unpacked, piece.schema, piece.declared, options)?;
                Ok(Box::new(decoder.encoded(self.encoding.as_ref())?))
            }
            layout => Ok(Box::new(
                DocumentDecoder::new(layout, self.field.as_deref(), piece, options)?.encoded(self.encoding.as_ref())?,
            )),
        }
    }
}

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
    /// Who is told where rows begin, if the file is compressed.
    points: Option<Arc<Points>>,
    unit: u64,
    /// Whether rows are only counted.
    counting: bool,
    /// Whether lines that cannot be read are left out.
    lenient: bool,
}

/// The rows of a block of lines.
#[derive(Default)]
struct Rows {
    count: u64,
    kept: Vec<u32>,
    bad: Vec<Bad>,
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
    pub fn new(
        range: Range<u64>,
        size: u64,
        unpacked: Option<(Mark, Arc<Points>)>,
        schema: &Schema,
        declared: bool,
        options: &Options,
    ) -> Result<Self> {
        let object = Object::new(schema.fields(), |name| options.wants(name), declared)?;
        Ok(Self {
            lines: Lines::new(
                &range,
                size,
                unpacked.as_ref().map(|(mark, _)| mark.out),
                options.unit.min(512 << 10) as usize,
                options.most,
            ),
            schema: Arc::new(Schema::new(object.natural())),
            object,
            rows: options.rows.clone(),
            next: unpacked.as_ref().map_or(0, |(mark, _)| mark.row),
            range,
            line: unpacked.as_ref().map_or(0, |(mark, _)| mark.line),
            failed: None,
            asked: None,
            points: unpacked.map(|(_, points)| points),
            unit: options.unit,
            counting: options.counting(),
            lenient: options.lenient,
        })
    }

    /// The same, of text of an encoding, if there is one.
    pub fn encoded(mut self, encoding: Option<&Arc<Encoding>>) -> Result<Self> {
        self.lines = self.lines.encoded(encoding)?;
        Ok(self)
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
                if let Some(points) = self.points.as_ref().filter(|_| !self.lines.recoded()) {
                    points.reached(Mark { out: chunk.at, row: self.next, line: self.line });
                }
                match self.batch(&chunk) {
                    Ok(part) if part.rows == 0 => {}
                    Ok(part) if part.bad.is_empty() => return Ok(Step::Batch(part.batch)),
                    Ok(part) => return Ok(Step::Part(part)),
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
        if self.range.start == 0 || self.lines.derived() {
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

    fn batch(&mut self, chunk: &Chunk) -> std::result::Result<Part, Failure> {
        let failure = |error: Error, line: u64, at: u64| Failure { error, line, at };
        let mut at = chunk.at;
        let mut texts = Texts { line: None, side: Vec::new() };
        let mut rows = Rows::default();
        if !chunk.head.is_empty() {
            if simdutf8::basic::from_utf8(&chunk.head).is_err() && !self.lenient {
                return Err(failure(
                    Error::data("the line is not UTF-8: pass encoding=, such as \"latin-1\""),
                    self.line,
                    at,
                ));
            }
            self.take(&chunk.head, &mut texts, at, &mut rows, self.lenient)?;
            at += chunk.head.len() as u64;
        }
        let mut body: &[u8] = &chunk.body;
        let start = body.len();
        let valid = simdutf8::basic::from_utf8(body).is_ok();
        if !valid && !self.lenient {
            // ProbeResult again, slowly, for the place of the bad line.
            let good = simdutf8::compat::from_utf8(body).map_or_else(|e| e.valid_up_to(), str::len);
            let line = body[..good].iter().rposition(|b| *b == b'\n').map_or(0, |n| n + 1);
            let before = memchr::memchr_iter(b'\n', &body[..line]).count() as u64;
            let what = if good == 0 && at == 0 && (body.starts_with(b"\xFF\xFE") || body.starts_with(b"\xFE\xFF")) {
                "the file is UTF-16; pass encoding=\"utf-16\""
            } else {
                "the line is not UTF-8: pass encoding=, such as \"latin-1\""
            };
            return Err(failure(Error::data(what), self.line + before, at + line as u64));
        }
        while !body.is_empty() && self.next < self.rows.end {
            let end = memchr(b'\n', body).map_or(body.len(), |n| n + 1);
            let place = start - body.len();
            texts.line = Some(place);
            let line = &body[..end];
            self.take(line, &mut texts, at + place as u64, &mut rows, !valid)?;
            body = &body[end..];
        }
        let batch = self.finish(chunk, texts).map_err(|e| failure(e, self.line, at))?;
        let Rows { count, kept, bad } = rows;
        Ok(Part { batch, rows: count, kept, bad })
    }

    /// Reads one line: a row for each of its objects, which is one in most files. What cannot be read is left out, if
    /// that is allowed. `check`: whether it may not be UTF-8.
    #[inline]
    fn take(
        &mut self,
        line: &[u8],
        texts: &mut Texts,
        at: u64,
        rows: &mut Rows,
        check: bool,
    ) -> std::result::Result<(), Failure> {
        self.line += 1;
        let mut reader = Reader::new(line);
        if at == 0 && line.starts_with(BOM) {
            reader.at = BOM.len();
        }
        if line[reader.at..].iter().all(u8::is_ascii_whitespace) {
            return Ok(());
        }
        let bad = check && simdutf8::basic::from_utf8(line).is_err();
        // Rows that are passed over are told apart only where a line seems to have several.
        let mut several = None;
        loop {
            let start = reader.at;
            self.next += 1;
            let wanted = self.next > self.rows.start;
            let read = if bad {
                Err(Error::data("the line is not UTF-8: pass encoding=, such as \"latin-1\""))
            } else if wanted && !self.counting {
                self.row(&mut reader, texts).map_err(|fault| describe(&fault))
            } else {
                if wanted {
                    self.object.pass();
                    rows.kept.extend(self.lenient.then_some(rows.count as u32));
                    rows.count += 1;
                }
                let more = *several.get_or_insert_with(|| may_be_several(&line[start..])) && pass(&mut reader);
                if more && self.next < self.rows.end {
                    continue;
                }
                return Ok(());
            };
            match read {
                Ok(()) => {
                    rows.kept.extend(self.lenient.then_some(rows.count as u32));
                    rows.count += 1;
                }
                Err(error) if self.lenient => {
                    self.object.truncate(rows.kept.len());
                    if wanted {
                        let known = self.range.start == 0 || self.lines.derived();
                        let place =
                            if known { format!("line {} (byte {at})", self.line) } else { format!("byte {at}") };
                        rows.bad.push(Bad { row: rows.count as u32, error: error.at(place) });
                        rows.count += 1;
                    }
                    reader.at = start;
                    if bad || !pass(&mut reader) {
                        return Ok(());
                    }
                }
                Err(error) => return Err(Failure { error, line: self.line - 1, at }),
            }
            if self.next >= self.rows.end || reader.peek().is_err() {
                return Ok(());
            }
        }
    }

    /// Reads one object, after which another begins, or nothing follows.
    #[inline]
    fn row(&mut self, reader: &mut Reader, texts: &mut Texts) -> Parsed<()> {
        if reader.peek()? != b'{' {
            return Err(reader.unexpected("an object"));
        }
        self.object.take(reader, texts, 0)?;
        if reader.peek().is_ok_and(|next| next == b'{') { Ok(()) } else { reader.end() }
    }

    fn finish(&mut self, chunk: &Chunk, texts: Texts) -> Result<RecordBatch> {
        let rows = self.object.rows();
        let buffers = [Buffer::from(chunk.body.clone()), Buffer::from_vec(texts.side)];
        let (_, columns) = self.object.finish(&buffers)?;
        RecordBatch::try_new_with_options(
            Arc::clone(&self.schema),
            columns,
            &RecordBatchOptions::new().with_row_count(Some(rows)),
        )
        .map_err(|e| Error::internal(e.to_string()))
    }
}

/// Whether a line seems to have several objects: of one, only a string can look like that.
fn may_be_several(line: &[u8]) -> bool {
    let follows = |end: usize| line[end + 1..].iter().find(|byte| !matches!(byte, b' ' | b'\t' | b'\r' | b'\n'));
    memchr::memchr_iter(b'}', line).any(|end| follows(end) == Some(&b'{'))
}

/// Passes over an object; whether another one begins after it.
fn pass(reader: &mut Reader) -> bool {
    reader.peek().is_ok_and(|first| first == b'{')
        && reader.skip(0).is_ok()
        && reader.peek().is_ok_and(|next| next == b'{')
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
                    "field {:?}: {}; pass features=Features({{…, {name:?}: {feature}}}) with a type that holds all \
                     values, or infer=\"all\" in its place to find it by reading everything",
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
        if self.asked.take().as_ref() != Some(&range) {
            return Err(unasked(&range));
        }
        if let Some((_, counted)) = &mut self.failed {
            self.line += memchr::memchr_iter(b'\n', &bytes).count() as u64;
            *counted = range.end;
            return Ok(());
        }
        self.lines.push(&range, bytes)
    }

    fn poll(&mut self) -> Result<Step> {
        self.step()
    }
}
