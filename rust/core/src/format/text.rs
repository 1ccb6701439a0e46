//! Text, a row a line, a paragraph or a document. Line ends are `\n`, `\r\n` or `\r`, and are `\n` in rows.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions, StringViewArray};
use arrow_buffer::{Buffer, ScalarBuffer};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use bytes::Bytes;
use memchr::{memchr, memchr2};
use serde::Deserialize;

use super::compress::{Mark, Points};
use super::encoding::Encoding;
use super::input::{Input, Part};
use super::json::view;
use super::lines::{Chunk, Lines};
use super::{
    Cuts, Decoder, FileFacts, Format, Options, Probe, ProbeDepth, ProbeResult, Source, Step, too_large, unasked,
};
use crate::error::{Error, Kind, Result};

/// What a row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sample {
    /// A line.
    #[default]
    Line,
    /// What stands between empty lines.
    Paragraph,
    /// A whole file.
    Document,
}

/// Text files.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Text {
    /// What a row is.
    #[serde(default)]
    pub sample_by: Sample,
    /// Whether lines keep their ends.
    #[serde(default)]
    pub keep_linebreaks: bool,
    /// The encoding of the text, if it is not UTF-8.
    #[serde(default)]
    pub encoding: Option<Arc<Encoding>>,
}

struct Prober(Text, FileFacts);

impl Format for Text {
    fn probe(&self, file: &FileFacts, _depth: ProbeDepth) -> Result<Box<dyn Probe>> {
        Ok(Box::new(Prober(self.clone(), file.clone())))
    }

    fn decoder(&self, piece: &Source, options: &Options) -> Result<Box<dyn Decoder>> {
        // What paths say of files comes after it.
        let field = piece.schema.fields().first().ok_or_else(|| Error::new(Kind::Schema, "text has one column"))?;
        let columns = if options.wants(field.name()) {
            vec![Field::new(field.name(), DataType::Utf8View, true)]
        } else {
            Vec::new()
        };
        let unit = options.unit.min(512 << 10) as usize;
        let from = if self.sample_by == Sample::Line {
            let from = piece.unpacked.as_ref().map(|(mark, _)| mark.out);
            let lines = Lines::new(&(piece.at..piece.at + piece.bytes), piece.size, from, unit, options.most);
            From::Lines(lines.encoded(self.encoding.as_ref())?)
        } else {
            let input = Input::new(0..piece.size, piece.unpacked.is_some());
            From::Input(input.encoded(self.encoding.as_ref())?, Bytes::new())
        };
        let schema = Arc::new(Schema::new(columns));
        Ok(Box::new(TextDecoder {
            text: self.clone(),
            from,
            schema,
            next: piece.unpacked.as_ref().map_or(0, |(mark, _)| mark.row),
            points: piece.unpacked.as_ref().map(|(_, points)| Arc::clone(points)),
            rows: options.rows.clone(),
            asked: None,
            done: false,
            unit,
            most: options.most,
        }))
    }
}

impl Probe for Prober {
    fn need(&mut self) -> Result<Option<Range<u64>>> {
        Ok(None)
    }

    fn push(&mut self, range: &Range<u64>, _bytes: Bytes) -> Result<()> {
        Err(unasked(range))
    }

    fn result(self: Box<Self>) -> Result<ProbeResult> {
        let schema = Schema::new(vec![Field::new("text", DataType::Utf8, true)]);
        let cuts = match self.0.sample_by {
            Sample::Document => Cuts::Pieces(vec![(0, Some(1), self.1.size)]),
            Sample::Line if !self.1.packed && self.0.encoding.is_none() => Cuts::Anywhere,
            _ => Cuts::Whole,
        };
        Ok(ProbeResult::stream(Some(schema), cuts))
    }
}

enum From {
    Lines(Lines),
    /// And what of it is not a row yet.
    Input(Input, Bytes),
}

struct TextDecoder {
    text: Text,
    from: From,
    schema: SchemaRef,
    next: u64,
    /// Who is told where rows begin, if the file is compressed.
    points: Option<Arc<Points>>,
    rows: Range<u64>,
    asked: Option<Range<u64>>,
    done: bool,
    unit: usize,
    most: usize,
}

/// Texts as they grow: those that stand in the block, and those that do not.
struct Texts<'a> {
    views: Vec<u128>,
    side: Vec<u8>,
    block: &'a Bytes,
}

impl Texts<'_> {
    fn add(&mut self, text: &[u8]) {
        let offset = (text.as_ptr() as usize).wrapping_sub(self.block.as_ptr() as usize);
        if text.len() <= 12 || offset.checked_add(text.len()).is_some_and(|end| end <= self.block.len()) {
            self.views.push(view(text, 0, offset));
        } else {
            let at = self.side.len();
            self.side.extend_from_slice(text);
            self.views.push(view(text, 1, at));
        }
    }
}

/// A text whose line ends are `\n`.
fn universal(text: &[u8]) -> Cow<'_, [u8]> {
    if memchr(b'\r', text).is_none() {
        return Cow::Borrowed(text);
    }
    let (mut out, mut rest) = (Vec::with_capacity(text.len()), text);
    while let Some(at) = memchr(b'\r', rest) {
        out.extend_from_slice(&rest[..at]);
        out.push(b'\n');
        rest = &rest[at + if rest.get(at + 1) == Some(&b'\n') { 2 } else { 1 }..];
    }
    out.extend_from_slice(rest);
    Cow::Owned(out)
}

fn checked(bytes: &[u8], at: u64) -> Result<()> {
    simdutf8::compat::from_utf8(bytes).map(drop).map_err(|e| {
        let what = if at == 0 && (bytes.starts_with(b"\xFF\xFE") || bytes.starts_with(b"\xFE\xFF")) {
            "the file is UTF-16"
        } else {
            "the text is not UTF-8"
        };
        Error::data(format!("{what}; text is read as UTF-8, unless encoding= says what it is"))
            .at(format_args!("byte {}", at + e.valid_up_to() as u64))
    })
}

impl TextDecoder {
    fn step(&mut self) -> Result<Step> {
        loop {
            if self.done || self.next >= self.rows.end {
                return Ok(Step::Done);
            }
            let batch = match &mut self.from {
                From::Lines(lines) => match lines.next()? {
                    Some(chunk) => {
                        if let Some(points) = self.points.as_ref().filter(|_| !lines.recoded()) {
                            points.reached(Mark { out: chunk.at, row: self.next, line: 0 });
                        }
                        self.lines(&chunk)?
                    }
                    None if lines.done() => return Ok(Step::Done),
                    None => {
                        self.asked = lines.need();
                        return self
                            .asked
                            .clone()
                            .map(|need| Step::Need(vec![need]))
                            .ok_or_else(|| Error::internal("lines that need nothing"));
                    }
                },
                From::Input(input, open) => {
                    let unit = self.unit.max(open.len());
                    let block = match input.next(open)? {
                        Part::Need => {
                            self.asked = input.need(unit);
                            return self
                                .asked
                                .clone()
                                .map(|need| Step::Need(vec![need]))
                                .ok_or_else(|| Error::internal("a text that needs nothing"));
                        }
                        Part::Bytes(block) => block,
                        Part::End => {
                            self.done = true;
                            std::mem::take(open)
                        }
                    };
                    if block.len() > self.most {
                        return Err(Error::data(too_large("a row", self.most)));
                    }
                    self.long(block)?
                }
            };
            if let Some(batch) = batch {
                return Ok(Step::Batch(batch));
            }
        }
    }

    /// Whether the next row is one that is wanted.
    fn wanted(&mut self) -> bool {
        self.next += 1;
        self.rows.contains(&(self.next - 1))
    }

    fn lines(&mut self, chunk: &Chunk) -> Result<Option<RecordBatch>> {
        let mut texts = Texts { views: Vec::new(), side: Vec::new(), block: &chunk.body };
        let mut at = chunk.at;
        for part in [&chunk.head[..], &chunk.body[..]] {
            checked(part, at)?;
            at += part.len() as u64;
            let mut rest = part;
            while !rest.is_empty() {
                let end = memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
                let next = (end + if rest[end..].starts_with(b"\r\n") { 2 } else { 1 }).min(rest.len());
                if self.wanted() {
                    match &rest[end..next] {
                        b"" => texts.add(&rest[..end]),
                        _ if !self.text.keep_linebreaks => texts.add(&rest[..end]),
                        b"\n" => texts.add(&rest[..next]),
                        _ => texts.add(&[&rest[..end], b"\n"].concat()),
                    }
                }
                rest = &rest[next..];
            }
        }
        let Texts { views, side, .. } = texts;
        self.made(views, &chunk.body, side)
    }

    /// Paragraphs, or a document.
    fn long(&mut self, block: Bytes) -> Result<Option<RecordBatch>> {
        let From::Input(_, open) = &mut self.from else { return Err(Error::internal("lines that are no lines")) };
        if self.text.sample_by == Sample::Document {
            if !self.done {
                *open = block;
                return Ok(None);
            }
        } else if !self.done {
            // Whether a line end follows the last byte is not known.
            let known = block.len().saturating_sub(2);
            let Some(end) = last_gap(&block[..known]) else {
                *open = block;
                return Ok(None);
            };
            *open = block.slice(end..);
            return self.paragraphs(&block.slice(..end));
        } else {
            return self.paragraphs(&block);
        }
        checked(&block, 0)?;
        let mut texts = Texts { views: Vec::new(), side: Vec::new(), block: &block };
        if self.wanted() {
            texts.add(&universal(&block));
        }
        let Texts { views, side, .. } = texts;
        self.made(views, &block, side)
    }

    fn paragraphs(&mut self, block: &Bytes) -> Result<Option<RecordBatch>> {
        checked(block, 0)?;
        let text = universal(block);
        let mut texts = Texts { views: Vec::new(), side: Vec::new(), block };
        let mut rest: &[u8] = &text;
        while !rest.is_empty() {
            let end = memchr::memmem::find(rest, b"\n\n");
            let paragraph = &rest[..end.unwrap_or(rest.len())];
            rest = end.map_or(&[], |end| &rest[end + 2..]);
            if !paragraph.is_empty() && self.wanted() {
                texts.add(paragraph);
            }
        }
        let Texts { views, side, .. } = texts;
        self.made(views, block, side)
    }

    fn made(&self, views: Vec<u128>, block: &Bytes, side: Vec<u8>) -> Result<Option<RecordBatch>> {
        let rows = views.len();
        if rows == 0 {
            return Ok(None);
        }
        let mut columns: Vec<ArrayRef> = Vec::new();
        if !self.schema.fields().is_empty() {
            let buffers: Arc<[Buffer]> = [Buffer::from(block.clone()), Buffer::from_vec(side)].into();
            // SAFETY: every view was made of a range of one of these two buffers, with its length and prefix; both were
            // checked to be UTF-8, and are cut at line ends.
            columns.push(Arc::new(unsafe { StringViewArray::new_unchecked(ScalarBuffer::from(views), buffers, None) }));
        }
        RecordBatch::try_new_with_options(
            Arc::clone(&self.schema),
            columns,
            &RecordBatchOptions::new().with_row_count(Some(rows)),
        )
        .map(Some)
        .map_err(|e| Error::internal(e.to_string()))
    }
}

/// Where the last paragraph begins that is not known to be whole.
fn last_gap(block: &[u8]) -> Option<usize> {
    // Gaps are cut from the left, two line ends each, so that three of them are cut as Python does.
    let (mut at, mut found) = (0, None);
    while let Some(n) = memchr2(b'\n', b'\r', &block[at..]) {
        let end = |at: usize| match block.get(at) {
            Some(b'\r') if block.get(at + 1) == Some(&b'\n') => Some(at + 2),
            Some(b'\r' | b'\n') => Some(at + 1),
            _ => None,
        };
        let first = end(at + n).unwrap_or(block.len());
        match end(first) {
            Some(second) if second < block.len() => {
                found = Some(second);
                at = second;
            }
            _ => at = first,
        }
    }
    found
}

impl Decoder for TextDecoder {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn push(&mut self, range: Range<u64>, bytes: Bytes) -> Result<()> {
        if self.asked.take().as_ref() != Some(&range) {
            return Err(unasked(&range));
        }
        match &mut self.from {
            From::Lines(lines) => lines.push(&range, bytes),
            From::Input(input, _) => input.push(&range, bytes),
        }
    }

    fn poll(&mut self) -> Result<Step> {
        self.step()
    }
}
