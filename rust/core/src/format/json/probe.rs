//! What a JSON file has, and the types of its rows.

use std::ops::Range;
use std::sync::Arc;

use arrow_schema::{DataType, FieldRef, Schema};
use bytes::Bytes;
use memchr::memchr;

use super::super::encoding::Encoding;
use super::super::lines::{Chunk, Lines};
use super::super::{Cuts, FIRST_BYTES, FileFacts, HEAD_BYTES, Probe, ProbeDepth, ProbeResult};
use super::document::{Documents, Flow, Sink};
use super::syntax::{Fault, Parsed, Reader};
use super::{BOM, Lacking, Layout, Shape, describe};
use crate::error::{Error, Result};

/// Finds the layout of a file and the types of its rows, from its first bytes or from all.
pub(super) struct Prober {
    file: FileFacts,
    encoding: Option<Arc<Encoding>>,
    depth: ProbeDepth,
    /// The bytes that are looked at.
    head: u64,
    unit: usize,
    /// Lines, as long as it seems to have them.
    lines: Option<Lines>,
    line: u64,
    /// Bytes of lines that were looked at.
    seen: u64,
    documents: Option<Documents>,
    layout: Layout,
    shape: Shape,
    enough: bool,
}

/// Takes the types of a document's rows.
struct Shapes<'a>(&'a mut Shape);

impl Sink for Shapes<'_> {
    fn row(&mut self, reader: &mut Reader, layout: Layout) -> Parsed<()> {
        match layout {
            Layout::Values => {
                if matches!(self.0, Shape::Null) {
                    *self.0 = Shape::of_one("text");
                }
                let Some(text) = self.0.first() else { return Err(reader.unexpected("a value")) };
                text.see(reader, 0)
            }
            _ if reader.peek()? != b'{' => Err(reader.unexpected("an object")),
            _ => self.0.see(reader, 0),
        }
    }

    fn undo(&mut self) {
        // What a part of a value shows, the whole shows too.
    }
}

impl Prober {
    pub(super) fn new(
        field: Option<&str>,
        encoding: Option<&Arc<Encoding>>,
        file: &FileFacts,
        depth: ProbeDepth,
    ) -> Result<Self> {
        let head = match depth {
            ProbeDepth::All => u64::MAX,
            _ if file.first => FIRST_BYTES,
            _ => HEAD_BYTES,
        };
        // Each read of a file that is far away takes time.
        let unit = if file.far && file.first { 1 << 20 } else { 256 << 10 };
        let (encoding, lines, documents) = (encoding.cloned(), None, None);
        let mut made = Self {
            file: file.clone(),
            encoding,
            depth,
            head,
            unit,
            lines,
            line: 0,
            seen: 0,
            documents,
            layout: Layout::Lines,
            shape: Shape::Null,
            enough: false,
        };
        if field.is_some() {
            // Whether the field has an array or columns shows when it is reached.
            made.documents = Some(made.opened(Layout::Array, field)?);
        } else {
            made.lines = Some(
                Lines::new(&(0..head.min(file.size)), file.size, file.packed.then_some(0), unit, file.most)
                    .encoded(made.encoding.as_ref())?,
            );
        }
        Ok(made)
    }

    /// Begins again with the file as one document.
    fn document(&mut self, layout: Layout) -> Result<()> {
        (self.layout, self.lines, self.shape) = (layout, None, Shape::Null);
        self.documents = Some(self.opened(layout, None)?);
        Ok(())
    }

    fn opened(&self, layout: Layout, field: Option<&str>) -> Result<Documents> {
        Documents::new(layout, field, self.file.size, self.file.packed, self.unit, self.file.most)
            .encoded(self.encoding.as_ref())
    }

    fn see(&mut self, chunk: &Chunk) -> Result<()> {
        let mut at = chunk.at;
        for part in [&chunk.head[..], &chunk.body[..]] {
            // A line that is not UTF-8 is an error when it is read.
            let mut rest = simdutf8::compat::from_utf8(part).map_or_else(
                // The reader says which line it is.
                |e| &part[..memchr::memrchr(b'\n', &part[..e.valid_up_to()]).map_or(0, |n| n + 1)],
                str::as_bytes,
            );
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
                let before = self.file.lenient.then(|| self.shape.clone());
                let first = matches!(self.shape, Shape::Null);
                if first && matches!(reader.peek(), Ok(b'[')) {
                    return self.document(Layout::Array);
                }
                match self.objects(&mut reader) {
                    // The first object goes on in the next line.
                    Err(fault)
                        if first
                            && fault.at >= line.trim_ascii_end().len()
                            && !rest.is_empty()
                            && !(self.file.lenient && are_lines(rest)) =>
                    {
                        return self.document(Layout::Objects);
                    }
                    // What a line has that cannot be read says nothing.
                    Err(_) if before.is_some() => self.shape = before.unwrap_or_default(),
                    Err(fault) => return Err(describe(&fault).at(format_args!("line {} (byte {start})", self.line))),
                    Ok(()) => {}
                }
                if self.depth == ProbeDepth::Shape {
                    self.enough = true;
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Takes in the objects of a line, which most files have one of.
    fn objects(&mut self, reader: &mut Reader) -> Parsed<()> {
        loop {
            if reader.peek()? != b'{' {
                return Err(reader.unexpected("an object"));
            }
            self.shape.see(reader, 0)?;
            if !reader.peek().is_ok_and(|next| next == b'{') {
                return reader.end();
            }
        }
    }

    /// The bytes that lines still need.
    fn lines(&mut self) -> Result<Option<Range<u64>>> {
        while let Some(lines) = &mut self.lines {
            if let Some(chunk) = lines.next()? {
                self.see(&chunk)?;
                self.seen += (chunk.head.len() + chunk.body.len()) as u64;
                if self.enough {
                    return Ok(None);
                }
                continue;
            }
            // A compressed file does not say where its first bytes end.
            let enough = lines.derived()
                && match self.depth {
                    ProbeDepth::All => false,
                    _ if self.file.first => self.seen >= self.head,
                    _ => self.line > 0,
                };
            return Ok(if enough || lines.done() { None } else { lines.need() });
        }
        Ok(None)
    }
}

/// Lines after the first that tell whether it was cut off.
const LOOKED_ON: usize = 8;

/// Whether some lines are objects, each by itself: then one before them that is none was cut off.
fn are_lines(lines: &[u8]) -> bool {
    let lines = lines.split(|b| *b == b'\n').filter(|line| !line.trim_ascii().is_empty());
    lines.take(LOOKED_ON).all(|line| {
        let mut reader = Reader::new(line);
        reader.peek().is_ok_and(|next| next == b'{') && reader.skip(0).is_ok() && reader.end().is_ok()
    })
}

impl Probe for Prober {
    fn need(&mut self) -> Result<Option<Range<u64>>> {
        if self.lines.is_some() {
            let need = self.lines()?;
            if self.documents.is_none() {
                return Ok(need);
            }
        }
        let Some(documents) = &mut self.documents else { return Ok(None) };
        loop {
            self.layout = documents.layout();
            if self.layout == Layout::Columns {
                // The whole document is one object.
                let mut shape = Shape::Null;
                let flow = documents.run(&mut Shapes(&mut shape))?;
                if !matches!(shape, Shape::Null) {
                    self.shape = shape;
                }
                match flow {
                    Flow::Need(range) => return Ok(Some(range)),
                    Flow::Block => {}
                    Flow::Done => return Ok(None),
                }
                continue;
            }
            if self.enough || documents.at() >= self.head || (self.depth == ProbeDepth::Shape && documents.rows() > 0) {
                return Ok(None);
            }
            match documents.run(&mut Shapes(&mut self.shape))? {
                Flow::Need(range) => return Ok(Some(range)),
                Flow::Block => {}
                Flow::Done => return Ok(None),
            }
        }
    }

    fn push(&mut self, range: &Range<u64>, bytes: Bytes) -> Result<()> {
        match (&mut self.lines, &mut self.documents) {
            (_, Some(documents)) => documents.push(range, bytes),
            (Some(lines), _) => lines.push(range, bytes),
            _ => Err(Error::internal("bytes that nobody asked for")),
        }
    }

    fn result(self: Box<Self>) -> Result<ProbeResult> {
        let layout = self.documents.as_ref().map_or(self.layout, Documents::layout);
        let mut schema = Schema::new(self.shape.fields(Lacking::Text));
        if layout == Layout::Columns && self.depth != ProbeDepth::Shape {
            let item = |field: &FieldRef| match field.data_type() {
                DataType::List(item) => {
                    Ok(FieldRef::new(item.as_ref().clone().with_name(field.name()).with_nullable(true)))
                }
                DataType::Null => Ok(FieldRef::clone(field)),
                _ => {
                    let what = "the field is an object, which is read as columns, so each of its fields is a list";
                    Err(describe(&Fault::new(0, what).within(field.name())))
                }
            };
            schema = Schema::new(schema.fields().iter().map(item).collect::<Result<Vec<_>>>()?);
        }
        let plain = layout == Layout::Lines;
        let packed = self.file.packed || self.encoding.is_some();
        let mut found = ProbeResult::stream(Some(schema), if plain && !packed { Cuts::Anywhere } else { Cuts::Whole });
        if !plain {
            found.note = Some(serde_json::to_value(layout).map_err(|e| Error::internal(e.to_string()))?);
        }
        Ok(found)
    }
}
