//! Arrow IPC, files and streams:
//! <https://arrow.apache.org/docs/format/Columnar.html#serialization-and-interprocess-communication-ipc>. A record
//! batch is a piece. Its headers are walked and checked here; `arrow-ipc` makes arrays of its bytes. Far away, where
//! each header would be a request, a file's footer tells where its batches are, and a stream is one piece.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_buffer::Buffer;
use arrow_ipc::convert::try_fb_to_schema;
use arrow_ipc::reader::FileDecoder;
use arrow_ipc::{Block, Endianness, Message, MetadataVersion, RecordBatch as Header, root_as_footer};
use arrow_schema::{DataType, Field, FieldRef, Schema, SchemaRef};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::endian;
use super::ipc::{bare, header_length, message};
use super::sealed::SEAL;
use super::{
    Cuts, Decoder, FileFacts, Format, Options, Probe, ProbeDepth, ProbeResult, STREAM_FLOOR, Source, Step, too_large,
    unasked,
};
use crate::error::{Error, Result};
use crate::panic::contain;
use crate::schema::Adapter;
use crate::types::{plain_fields, viewed};

/// What a file begins and ends with; a stream does not.
const MAGIC: &[u8] = b"ARROW1";

/// What is read of a message at first: most headers are shorter.
const FIRST: u64 = 1 << 10;

/// A header may not be longer: schemas of many columns are long.
const LONGEST: u64 = 64 << 20;

/// The most rows of a batch: what is null has no bytes that would bound them.
const MOST_ROWS: i64 = 1 << 31;

/// Arrow files and streams.
#[derive(Debug, Clone, Copy)]
pub struct Arrow;

/// Where the messages are that every batch needs.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Layout {
    /// The schema's message: place and length.
    schema: (u64, u64),
    /// Dictionaries: place and length.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    dictionaries: Vec<(u64, u64)>,
    /// All batches have all dictionaries: those of a file, wherever they stand. In a stream later ones are for later
    /// batches.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    file: bool,
    /// A piece is a stream of messages, from the first on.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    stream: bool,
}

impl Format for Arrow {
    fn probe(&self, file: &FileFacts, _depth: ProbeDepth) -> Result<Box<dyn Probe>> {
        Ok(Box::new(Prober {
            size: file.size,
            most: file.most,
            far: file.far,
            at: 0,
            next: (file.size > 0).then(|| 0..file.size.min(FIRST)),
            tail: false,
            ended: false,
            sealed: false,
            file: false,
            layout: Layout::default(),
            schema: None,
            pieces: Vec::new(),
            batches: Vec::new(),
            largest: 0,
        }))
    }

    fn decoder(&self, piece: &Source, options: &Options) -> Result<Box<dyn Decoder>> {
        let note = piece.note.ok_or_else(|| Error::internal("an Arrow file without its layout"))?;
        let layout: Layout = serde_json::from_value(note.clone()).map_err(|e| Error::internal(e.to_string()))?;
        let read = piece.schema.fields().iter().filter(|field| options.wants(field.name())).cloned().collect();
        let schema = Arc::new(Schema::new(viewed(&read)));
        let names = read.iter().map(|field| field.name().clone()).collect();
        let columns =
            Columns { adapter: Adapter::new(schema, names), names: options.columns.clone(), most: options.most };
        if layout.stream {
            return Ok(Box::new(StreamDecoder::new(columns, piece.at..piece.at + piece.bytes, options.rows.clone())));
        }
        let dictionaries = layout.dictionaries.iter().filter(|(at, _)| layout.file || *at < piece.at);
        let mut wanted: Vec<Range<u64>> =
            [layout.schema].iter().chain(dictionaries).map(|&(at, length)| at..at + length).collect();
        wanted.push(piece.at..piece.at + piece.bytes);
        Ok(Box::new(BatchDecoder {
            columns,
            rows: options.rows.clone(),
            messages: vec![Bytes::new(); wanted.len()],
            asked: wanted.clone(),
            wanted,
            done: false,
        }))
    }

    fn prefetch_ranges(&self, piece: &Source, _options: &Options) -> Result<Vec<Range<u64>>> {
        Ok(std::iter::once(piece.at..piece.at + piece.bytes).collect())
    }

    fn place(&self, at: u64) -> String {
        format!("batch at byte {at}")
    }

    fn random(&self) -> bool {
        true
    }
}

/// Bytes that may stand between the messages of a file and its footer: the end mark, and what fills up to a round
/// number.
const MARGIN: u64 = 128;

fn cut(at: u64) -> Error {
    Error::data(format!("the file ends in the middle of the message at byte {at}: it was cut"))
}

/// The values of the dictionary with a number, as a field.
fn dictionary_field(message: &Message, schema: &Schema, id: i64) -> Option<FieldRef> {
    fn find(field: arrow_ipc::Field, of: &FieldRef, id: i64) -> Option<FieldRef> {
        if let (Some(dictionary), DataType::Dictionary(_, values)) = (field.dictionary(), of.data_type())
            && dictionary.id() == id
        {
            return Some(Arc::new(Field::new("values", DataType::clone(values), true)));
        }
        let children: Vec<FieldRef> = match of.data_type() {
            DataType::Struct(fields) => fields.iter().cloned().collect(),
            DataType::List(item)
            | DataType::LargeList(item)
            | DataType::FixedSizeList(item, _)
            | DataType::Map(item, _) => vec![Arc::clone(item)],
            // The values of a dictionary may have dictionaries.
            DataType::Dictionary(_, values) => match &**values {
                DataType::Struct(fields) => fields.iter().cloned().collect(),
                DataType::List(item) | DataType::LargeList(item) => vec![Arc::clone(item)],
                _ => Vec::new(),
            },
            _ => Vec::new(),
        };
        field.children()?.iter().zip(&children).find_map(|(field, of)| find(field, of, id))
    }
    let fields = message.header_as_schema()?.fields()?;
    fields.iter().zip(schema.fields()).find_map(|(field, of)| find(field, of, id))
}

fn schema_of(message: &Message) -> Result<Schema> {
    let schema = message.header_as_schema().ok_or_else(|| Error::data("the first message is no schema"))?;
    contain(|| try_fb_to_schema(schema).map_err(|e| Error::data(format!("a malformed schema: {e}"))))
}

/// Checks what a batch claims of its buffers, before anything takes memory by it. `body`: its length.
fn check(header: Header, body: u64) -> Result<()> {
    if !(0..=MOST_ROWS).contains(&header.length()) {
        return Err(Error::data(format!("a batch of {} rows", header.length())));
    }
    for node in header.nodes().iter().flatten() {
        if node.length() < 0 || node.null_count() < 0 || node.null_count() > node.length() || node.length() > MOST_ROWS
        {
            return Err(Error::data(format!(
                "a column of {} values, {} of them null",
                node.length(),
                node.null_count()
            )));
        }
    }
    for buffer in header.buffers().iter().flatten() {
        let range = u64::try_from(buffer.offset()).ok().zip(u64::try_from(buffer.length()).ok());
        if range.and_then(|(at, n)| at.checked_add(n)).is_none_or(|end| end > body) {
            return Err(Error::data(format!(
                "a buffer of {} bytes at {} of a batch of {body}",
                buffer.length(),
                buffer.offset()
            )));
        }
    }
    Ok(())
}

/// Checks what compressed buffers, which `check` has checked, become.
fn check_packed(header: Header, body: &[u8], most: usize) -> Result<()> {
    check(header, body.len() as u64)?;
    let mut total = 0_u64;
    for buffer in
        header.buffers().iter().flatten().filter(|buffer| header.compression().is_some() && buffer.length() > 0)
    {
        let prefix = body[buffer.offset() as usize..]
            .first_chunk::<8>()
            .filter(|_| buffer.length() >= 8)
            .ok_or_else(|| Error::data("a buffer without its length"))?;
        total = total.saturating_add(u64::try_from(i64::from_le_bytes(*prefix)).unwrap_or(0));
    }
    if total > most as u64 {
        return Err(Error::data(too_large(format_args!("a batch of {total} bytes once decompressed"), most)));
    }
    Ok(())
}

/// Refuses a batch that is too long to be read whole.
fn fits(whole: u64, most: usize) -> Result<()> {
    if whole <= most as u64 {
        return Ok(());
    }
    Err(Error::data(too_large(format_args!("a batch of {whole} bytes"), most)))
}

/// Walks the messages of a file.
#[expect(clippy::struct_excessive_bools, reason = "each says one thing of the file")]
struct Prober {
    size: u64,
    most: usize,
    far: bool,
    /// Where the next message begins.
    at: u64,
    next: Option<Range<u64>>,
    /// Whether what is read next is the end of a file.
    tail: bool,
    /// Whether what is read next follows the end of a stream.
    ended: bool,
    /// Whether it may be the checksums of a stream.
    sealed: bool,
    file: bool,
    layout: Layout,
    schema: Option<Schema>,
    pieces: Vec<(u64, Option<u64>, u64)>,
    /// Where all batches begin, those without rows too.
    batches: Vec<u64>,
    largest: u64,
}

impl Prober {
    fn ask(&mut self, at: u64, n: u64) -> Result<()> {
        if at >= self.size {
            return Err(cut(at));
        }
        self.next = Some(at..self.size.min(at.saturating_add(n)));
        Ok(())
    }

    /// There are no more messages, or they need not be seen.
    fn end(&mut self) -> Result<()> {
        if self.schema.is_none() {
            return Err(Error::data("not an Arrow file or stream: it has no schema"));
        }
        if self.file {
            self.tail = true;
            return self.ask(self.size.saturating_sub(10).max(8), 10);
        }
        Ok(())
    }

    /// The footer of a file has to name the batches that were found.
    fn footer(&mut self, range: &Range<u64>, bytes: &[u8]) -> Result<()> {
        let cut = || Error::data("the file does not end as an Arrow file does: it was cut");
        let [rest @ .., a, b, c, d, b'A', b'R', b'R', b'O', b'W', b'1'] = bytes else { return Err(cut()) };
        let length = u64::from(u32::from_le_bytes([*a, *b, *c, *d]));
        if length > rest.len() as u64 {
            let start = range
                .end
                .checked_sub(length + 10)
                .filter(|start| *start >= self.at && length <= LONGEST && rest.is_empty())
                .ok_or_else(cut)?;
            return self.ask(start, length + 10);
        }
        let footer = root_as_footer(&rest[rest.len() - length as usize..])
            .map_err(|e| Error::data(format!("a malformed footer: {e}")))?;
        let schema = footer.schema().ok_or_else(|| Error::data("a footer without a schema"))?;
        let schema = contain(|| try_fb_to_schema(schema).map_err(|e| Error::data(format!("a malformed schema: {e}"))))?;
        let start = range.end - length - 10;
        if self.schema.is_none() {
            let blocks = [footer.dictionaries(), footer.recordBatches()].into_iter().flatten().flatten();
            let first = blocks.map(|block| block.offset().cast_unsigned()).min().unwrap_or(start);
            if !(self.at + 8..=start).contains(&first) {
                return Err(Error::data("the footer names batches that are not inside the file: it is damaged"));
            }
            self.layout.schema = (self.at, first - self.at);
            (self.schema, self.at, self.tail) = (Some(schema.clone()), first, false);
            if !self.far && first < start {
                return self.ask(first, FIRST);
            }
            self.tail = true;
        }
        if !self.far && start.saturating_sub(self.at) > MARGIN {
            let what = format!(
                "something else stands between the last batch, which ends at byte {}, and the footer at byte \
                 {start}: a file has one",
                self.at
            );
            return Err(Error::data(what));
        }
        if self.schema.as_ref().is_none_or(|first| first.fields() != schema.fields()) {
            return Err(Error::data("the footer has another schema than the first message"));
        }
        if self.far {
            let place = |block: &Block| {
                let [at, head, body] =
                    [block.offset(), block.metaDataLength().into(), block.bodyLength()].map(|n| u64::try_from(n).ok());
                let whole = head?.checked_add(body?)?;
                at?.checked_add(whole).filter(|end| head > Some(0) && *end <= range.start).and(at.zip(Some(whole)))
            };
            let places = |blocks: Vec<&Block>| -> Option<Vec<(u64, u64)>> { blocks.into_iter().map(place).collect() };
            let outside =
                || Error::data("the footer names batches that are not inside the file: it was cut, or is damaged");
            self.layout.dictionaries = places(footer.dictionaries().iter().flatten().collect()).ok_or_else(outside)?;
            for (at, whole) in places(footer.recordBatches().iter().flatten().collect()).ok_or_else(outside)? {
                fits(whole, self.most).map_err(|e| e.at(format_args!("byte {at}")))?;
                self.pieces.push((at, None, whole));
                self.largest = self.largest.max(whole);
            }
            return Ok(());
        }
        let named: Vec<u64> =
            footer.recordBatches().iter().flatten().map(|block| block.offset().cast_unsigned()).collect();
        if named != self.batches {
            return Err(Error::data(format!(
                "the footer names {} batches, and {} are there, or they are elsewhere",
                named.len(),
                self.batches.len()
            )));
        }
        Ok(())
    }

    fn header(&mut self, bytes: &[u8]) -> Result<()> {
        if self.at == 0 && bytes.starts_with(MAGIC) {
            (self.file, self.layout.file) = (true, true);
            self.at = 8;
            return self.ask(8, FIRST);
        }
        if self.sealed {
            self.sealed = false;
            return if bytes == SEAL { self.end() } else { self.ask(self.at, 8) };
        }
        if self.ended {
            if bytes.iter().any(|byte| *byte != 0) {
                let what = format!(
                    "another stream, or something else, begins at byte {} after the end of the first: a file has one",
                    self.at
                );
                return Err(Error::data(what));
            }
            return self.end();
        }
        let Some(length) = header_length(bytes) else {
            if bytes.is_empty() && !self.file {
                return self.end();
            }
            return Err(cut(self.at));
        };
        if self.file && self.at == 8 && self.schema.is_none() && bare(bytes) {
            // The footer says where the next message begins.
            self.tail = true;
            return self.ask(self.size.saturating_sub(10).max(8), 10);
        }
        if length == 0 && self.file && self.schema.is_none() && self.at < 64 {
            // Some writers begin at a place that is a multiple of 64.
            self.at += 8;
            return self.ask(self.at, FIRST);
        }
        if length == 0 && !self.file && !self.ended {
            // Nothing follows the end of a stream but its checksums, or zeros.
            let mark = if bytes.starts_with(&[0xFF; 4]) { 8 } else { 4 };
            (self.at, self.ended) = (self.at + mark, true);
            self.sealed = self.size - self.at.min(self.size) >= SEAL.len() as u64;
            let next = if self.sealed { self.size - SEAL.len() as u64 } else { self.at };
            return if self.at < self.size { self.ask(next, SEAL.len() as u64) } else { self.end() };
        }
        if length == 0 {
            return self.end();
        }
        if length > LONGEST || self.at + length > self.size {
            if self.schema.is_none() {
                return Err(Error::data("not an Arrow file or stream: its first bytes are no message"));
            }
            return Err(cut(self.at));
        }
        if length > bytes.len() as u64 {
            return self.ask(self.at, length);
        }
        let message = message(&bytes[..length as usize])?;
        let body = u64::try_from(message.bodyLength()).map_err(|_| Error::data("a body of less than no bytes"))?;
        let whole =
            length.checked_add(body).filter(|whole| *whole <= self.size - self.at).ok_or_else(|| cut(self.at))?;
        if self.schema.is_none() {
            self.schema = Some(schema_of(&message)?);
            self.layout.schema = (self.at, length);
        } else if let Some(batch) = message.header_as_record_batch() {
            check(batch, body)?;
            self.batches.push(self.at);
            fits(whole, self.most)?;
            if batch.length() > 0 {
                self.pieces.push((self.at, Some(batch.length().cast_unsigned()), whole));
            }
            self.largest = self.largest.max(whole);
        } else if let Some(dictionary) = message.header_as_dictionary_batch() {
            check(dictionary.data().ok_or_else(|| Error::data("a dictionary without values"))?, body)?;
            self.layout.dictionaries.push((self.at, whole));
        } else if message.header_as_schema().is_some() {
            return Err(Error::data("a second schema"));
        }
        self.at += whole;
        // Of a stream far away, the first batch shows how long batches are.
        self.layout.stream = self.far && !self.file;
        if self.far && (self.file || self.largest > 0) {
            return self.end();
        }
        if self.at == self.size && !self.file {
            return self.end();
        }
        self.ask(self.at, FIRST)
    }
}

impl Probe for Prober {
    fn need(&mut self) -> Result<Option<Range<u64>>> {
        if self.size == 0 {
            return Err(Error::data("not an Arrow file or stream: it is empty"));
        }
        Ok(self.next.clone())
    }

    fn push(&mut self, range: &Range<u64>, bytes: Bytes) -> Result<()> {
        if self.next.take().as_ref() != Some(range) {
            return Err(unasked(range));
        }
        if self.tail {
            return self.footer(range, &bytes);
        }
        let at = self.at;
        self.header(&bytes).map_err(|e| e.at(format_args!("byte {at}")))
    }

    fn result(self: Box<Self>) -> Result<ProbeResult> {
        let schema = self.schema.ok_or_else(|| Error::internal("a file without its schema"))?;
        let plain = Schema::new_with_metadata(plain_fields(schema.fields()), schema.metadata().clone());
        let note = serde_json::to_value(&self.layout).map_err(|e| Error::internal(e.to_string()))?;
        let cuts = if self.layout.stream && self.largest > 0 { Cuts::Whole } else { Cuts::Pieces(self.pieces) };
        Ok(ProbeResult {
            floor: self.largest.max(STREAM_FLOOR),
            note: Some(note),
            ..ProbeResult::stream(Some(plain), cuts)
        })
    }
}

/// Which columns are made of batches.
struct Columns {
    adapter: Adapter,
    names: Option<Vec<String>>,
    /// A batch may not have more bytes once decompressed.
    most: usize,
}

impl Columns {
    /// The header of a message, by its length, and its body.
    fn block(bytes: &Bytes) -> Result<(Block, Buffer)> {
        let length = header_length(bytes)
            .filter(|n| *n > 0 && *n <= bytes.len() as u64)
            .ok_or_else(|| Error::data("a malformed message"))?;
        Ok((Block::new(0, length as i32, (bytes.len() as u64 - length).cast_signed()), Buffer::from(bytes.clone())))
    }

    /// A message whose body is turned round.
    fn turned(
        header: Header,
        fields: &[FieldRef],
        head: &[u8],
        body: &[u8],
        version: MetadataVersion,
    ) -> Result<Buffer> {
        let mut turned = body.to_vec();
        endian::turn(header, fields, &mut turned, version < MetadataVersion::V5)?;
        Ok(Buffer::from_vec([head, &turned].concat()))
    }

    /// Rows of a batch, of the messages of its schema, its dictionaries, and its own. `first`: the number of its first.
    fn rows(&self, messages: &[Bytes], rows: &Range<u64>, first: u64) -> Result<Option<RecordBatch>> {
        contain(|| {
            let batch = self.batch(messages)?;
            let n = batch.num_rows() as u64;
            let (from, upto) = (rows.start.min(n), rows.end.min(n));
            if from >= upto {
                return Ok(None);
            }
            self.adapter.adapt_rows(&batch.slice(from as usize, (upto - from) as usize), first + from, None).map(Some)
        })
    }

    fn batch(&self, messages: &[Bytes]) -> Result<RecordBatch> {
        let [schema, dictionaries @ .., last] = messages else {
            return Err(Error::internal("a batch without a schema"));
        };
        let (_, header) = Self::block(schema)?;
        let header = message(&header)?;
        let (schema, version) = (Arc::new(schema_of(&header)?), header.version());
        let big = header.header_as_schema().is_some_and(|schema| schema.endianness() == Endianness::Big);
        let mut decoder = FileDecoder::new(
            Arc::clone(&schema),
            if version < MetadataVersion::V4 { MetadataVersion::V1 } else { version },
        );
        let failed = |e: arrow_schema::ArrowError| Error::data(e.to_string());
        for dictionary in dictionaries {
            let (block, buffer) = Self::block(dictionary)?;
            let (head, body) = buffer.split_at(block.metaDataLength() as usize);
            let message = message(head)?;
            let data = message
                .header_as_dictionary_batch()
                .and_then(|batch| batch.data())
                .ok_or_else(|| Error::data("a dictionary without values"))?;
            check_packed(data, body, self.most)?;
            let id = message.header_as_dictionary_batch().map_or(0, |batch| batch.id());
            let turned = if big {
                let field = dictionary_field(&header, &schema, id)
                    .ok_or_else(|| Error::data("a dictionary that no column has"))?;
                Self::turned(data, std::slice::from_ref(&field), head, body, version)?
            } else {
                buffer.clone()
            };
            decoder.read_dictionary(&block, &turned).map_err(failed)?;
        }
        let (block, buffer) = Self::block(last)?;
        let (head, body) = buffer.split_at(block.metaDataLength() as usize);
        let message = message(head)?;
        let header = message.header_as_record_batch().ok_or_else(|| Error::data("a message that is no batch"))?;
        check_packed(header, body, self.most)?;
        let rows = header.length().cast_unsigned();
        let buffer = if big { Self::turned(header, schema.fields(), head, body, version)? } else { buffer.clone() };
        if let Some(columns) = &self.names {
            decoder = decoder.with_projection(
                (0..schema.fields().len()).filter(|i| columns.contains(schema.field(*i).name())).collect(),
            );
        }
        let batch = decoder
            .read_record_batch(&block, &buffer)
            .map_err(failed)?
            .ok_or_else(|| Error::data("a message that is no batch"))?;
        if batch.num_rows() as u64 != rows {
            return Err(Error::data(format!("a batch of {} rows whose header says {rows}", batch.num_rows())));
        }
        Ok(batch)
    }
}

/// Decodes one batch.
struct BatchDecoder {
    columns: Columns,
    rows: Range<u64>,
    /// Where the messages are, and what came of them.
    wanted: Vec<Range<u64>>,
    messages: Vec<Bytes>,
    asked: Vec<Range<u64>>,
    done: bool,
}

impl Decoder for BatchDecoder {
    fn schema(&self) -> &SchemaRef {
        self.columns.adapter.schema()
    }

    fn push(&mut self, range: Range<u64>, bytes: Bytes) -> Result<()> {
        let i = self.asked.iter().position(|asked| *asked == range).ok_or_else(|| unasked(&range))?;
        self.asked.swap_remove(i);
        let message = self.wanted.iter().position(|wanted| *wanted == range).ok_or_else(|| unasked(&range))?;
        self.messages[message] = bytes;
        Ok(())
    }

    fn poll(&mut self) -> Result<Step> {
        if self.done {
            return Ok(Step::Done);
        }
        // Whoever only counts reads the header.
        if !self.asked.is_empty() {
            return Ok(Step::Need(self.asked.clone()));
        }
        self.done = true;
        Ok(self.columns.rows(&self.messages, &self.rows, 0)?.map_or(Step::Done, Step::Batch))
    }
}

/// Decodes the batches of a stream, one message after another.
struct StreamDecoder {
    columns: Columns,
    /// The rows that are wanted, and the first of the next batch.
    rows: Range<u64>,
    row: u64,
    /// The schema's message and those of dictionaries.
    messages: Vec<Bytes>,
    /// Where the next message begins, and what is here of it and after it.
    at: u64,
    end: u64,
    here: Bytes,
    asked: Option<Range<u64>>,
}

impl StreamDecoder {
    fn new(columns: Columns, range: Range<u64>, rows: Range<u64>) -> Self {
        Self {
            columns,
            rows,
            row: 0,
            messages: Vec::new(),
            at: range.start,
            end: range.end,
            here: Bytes::new(),
            asked: None,
        }
    }

    /// Asks for `n` bytes of the next message, if not all are here.
    fn need(&mut self, n: u64) -> Result<Option<Step>> {
        let from = self.at + self.here.len() as u64;
        if from >= self.at + n {
            return Ok(None);
        }
        if from >= self.end {
            return Err(cut(self.at));
        }
        let range = from..(self.at + n).min(self.end);
        self.asked = Some(range.clone());
        Ok(Some(Step::Need(vec![range])))
    }

    /// Goes on after so many bytes.
    fn pass(&mut self, n: u64) {
        self.at += n;
        self.here = if n < self.here.len() as u64 { self.here.slice(n as usize..) } else { Bytes::new() };
    }

    fn step(&mut self) -> Result<Step> {
        while self.row < self.rows.end && self.at < self.end {
            if let Some(step) = self.need(FIRST.min(self.end - self.at))? {
                return Ok(step);
            }
            let length = header_length(&self.here).ok_or_else(|| cut(self.at))?;
            if length == 0 {
                break;
            }
            if length > LONGEST || self.at + length > self.end {
                return Err(cut(self.at));
            }
            if let Some(step) = self.need(length)? {
                return Ok(step);
            }
            let header = self.here.slice(..length as usize);
            let message = message(&header)?;
            let whole = u64::try_from(message.bodyLength()).ok().and_then(|body| length.checked_add(body));
            let whole = whole.filter(|whole| *whole <= self.end - self.at).ok_or_else(|| cut(self.at))?;
            let batch = message.header_as_record_batch();
            let rows = batch.map_or(0, |batch| batch.length().max(0).cast_unsigned());
            if batch.is_some() && (rows == 0 || self.row + rows <= self.rows.start) {
                self.row += rows;
                self.pass(whole);
                continue;
            }
            fits(whole, self.columns.most)?;
            if let Some(step) = self.need(whole)? {
                return Ok(step);
            }
            self.messages.push(self.here.slice(..whole as usize));
            if batch.is_none() {
                self.pass(whole);
                continue;
            }
            let wanted = self.rows.start.saturating_sub(self.row)..self.rows.end - self.row;
            let made = self.columns.rows(&self.messages, &wanted, self.row)?;
            self.messages.pop();
            self.row += rows;
            self.pass(whole);
            if let Some(batch) = made {
                return Ok(Step::Batch(batch));
            }
        }
        Ok(Step::Done)
    }
}

impl Decoder for StreamDecoder {
    fn schema(&self) -> &SchemaRef {
        self.columns.adapter.schema()
    }

    fn push(&mut self, range: Range<u64>, bytes: Bytes) -> Result<()> {
        if self.asked.take().as_ref() != Some(&range) {
            return Err(unasked(&range));
        }
        self.here = if self.here.is_empty() { bytes } else { [&self.here[..], &bytes].concat().into() };
        Ok(())
    }

    fn poll(&mut self) -> Result<Step> {
        let at = self.at;
        contain(|| self.step()).map_err(|e| e.at(format_args!("byte {at}")))
    }
}
