//! tar archives in the convention of WebDataset: members that stand together and have one key are one sample.

mod archive;
mod header;
mod index;
mod links;
mod members;

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

use arrow_array::{ArrayRef, BinaryViewArray, RecordBatch, RecordBatchOptions, StringViewArray};
use arrow_buffer::{Buffer, NullBufferBuilder, ScalarBuffer};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use bytes::Bytes;

use super::json::{BOM, Column, SyntaxReader, Texts, describe, view};
use super::{Bad, Decoder, FileFacts, Format, Options, Part, Probe, ProbeDepth, Source, Step, unasked};
use crate::error::{Error, Kind, Result};
use crate::hash::hash;
use archive::Archive;
pub(crate) use header::left_behind;
use header::{BLOCK, Entry, sample};
pub use index::Index;
use links::{Target, resolved};
pub(crate) use members::Members;

/// The column of the keys, and that of the files.
pub(crate) const KEY: &str = "__key__";
pub(crate) const URL: &str = "__url__";

/// Whether a column says what a sample is called.
pub(crate) fn is_name(column: &str) -> bool {
    column == KEY || column == URL
}

/// Archives of samples, in the convention of WebDataset.
pub struct WebDataset;

impl Format for WebDataset {
    fn probe(&self, file: &FileFacts, depth: ProbeDepth) -> Result<Box<dyn Probe>> {
        Ok(Box::new(Index::new(file, depth == ProbeDepth::All)?))
    }

    fn decoder(&self, piece: &Source, options: &Options) -> Result<Box<dyn Decoder>> {
        Ok(Box::new(TarDecoder::new(
            piece.at..piece.at + piece.bytes,
            piece.unpacked.is_some(),
            piece.note,
            piece.schema,
            piece.url,
            options,
        )?))
    }
}

/// What becomes of a member, by the last part of its name.
fn is_json(field: &str) -> bool {
    ends(field, &["json", "jsn"])
}

fn is_text(field: &str) -> bool {
    ends(field, &["txt", "text", "transcript"])
}

fn ends(field: &str, endings: &[&str]) -> bool {
    let last = field.rsplit('.').next().unwrap_or(field);
    endings.iter().any(|ending| last.eq_ignore_ascii_case(ending))
}

/// Says which member an error is of.
fn member(error: Error, name: &str, at: u64) -> Error {
    error.at(format_args!("member {name:?} (byte {at})"))
}

/// A link to what is not there.
pub(crate) fn gone(name: &str, target: &str, hint: &str) -> Error {
    Error::data(format!("member {name:?} is a link to {target:?}, which the archive does not have{hint}"))
}

fn torn(key: &str) -> Error {
    Error::data(format!(
        "the members of the sample {key:?} do not stand together; write the archive with the members of each sample \
         one after another"
    ))
}

fn utf8(bytes: &[u8]) -> Result<&[u8]> {
    let bytes = bytes.strip_prefix(BOM).unwrap_or(bytes);
    simdutf8::basic::from_utf8(bytes).map(str::as_bytes).map_err(|_| Error::data("it is not UTF-8"))
}

/// A field of samples, as it grows.
enum Values {
    Bytes(Vec<u128>),
    Text(Vec<u128>),
    Json(Box<Column>),
    Key(Vec<u128>),
    Url,
}

struct Builder {
    name: String,
    values: Values,
    nulls: NullBufferBuilder,
    /// Samples of this batch that have it, or lack it.
    len: usize,
}

/// Decodes the samples of a range of an archive.
#[expect(clippy::struct_excessive_bools, reason = "each says one thing of where it is")]
pub struct TarDecoder {
    input: Archive,
    range: Range<u64>,
    fields: Vec<Builder>,
    known: Vec<String>,
    schema: SchemaRef,
    url: Arc<str>,
    rows: Range<u64>,
    next: u64,
    keys: HashSet<u64>,
    asked: Option<Range<u64>>,
    /// How much of the archive has to be there for the next step.
    least: usize,
    /// The first header of the next sample, which showed that the last one was whole, and where it is.
    seen: Option<(u64, Entry)>,
    /// The archive's end marker was read.
    ended: bool,
    done: bool,
    most: usize,
    /// Whether samples that cannot be read are left out.
    lenient: bool,
    /// Whether the last block was one of an end marker.
    marked: bool,
    /// What links stand for, by where they stand, as it was found when the archive was listed.
    links: HashMap<u64, Target>,
    /// Where members are, by a hash of their names, of an archive that was not gone through before.
    names: Option<HashMap<u64, Range<u64>>>,
    /// What a link stands for and is not in the block: what is asked for, and what came.
    away: Option<Range<u64>>,
    fetched: HashMap<u64, Bytes>,
}

impl Builder {
    /// Takes back all after the first `rows` samples.
    fn truncate(&mut self, rows: usize) {
        match &mut self.values {
            Values::Bytes(views) | Values::Text(views) | Values::Key(views) => views.truncate(rows),
            Values::Json(column) => column.truncate(rows),
            Values::Url => {}
        }
        self.nulls.truncate(rows);
        self.len = self.len.min(rows);
    }
}

/// A sample that is whole in the block.
#[derive(Default)]
struct Sample {
    members: Vec<Member>,
    end: usize,
}

/// A member of a sample: places are from the start of the block.
struct Member {
    name: String,
    /// The bytes of the name that are the key.
    key: usize,
    header: usize,
    content: Content,
}

/// The bytes of a member.
enum Content {
    /// In the block.
    Here(Range<usize>),
    /// What a link stands for.
    Away(Bytes),
    /// A link to what is not there: what it names.
    Gone(String),
}

/// What is needed for a whole sample.
enum Short {
    /// So many bytes from its beginning on.
    More(usize),
    /// Others, which a link stands for.
    Away(Range<u64>),
}

impl Member {
    fn field(&self) -> &str {
        &self.name[self.key + 1..]
    }
}

impl Sample {
    fn key(&self) -> &str {
        self.members.first().map_or("", |member| &member.name[..member.key])
    }
}

impl TarDecoder {
    /// A decoder of the samples in `range` of a file, which begins and ends with one. `schema`: that of the listing;
    /// `url`: what samples say of where they are from.
    pub fn new(
        range: Range<u64>,
        packed: bool,
        note: Option<&serde_json::Value>,
        schema: &Schema,
        url: &str,
        options: &Options,
    ) -> Result<Self> {
        let mut fields = Vec::new();
        let mut types = Vec::new();
        for field in schema.fields().iter().filter(|field| options.wants(field.name())) {
            let name = field.name();
            let (values, data_type) = if name == KEY {
                (Values::Key(Vec::new()), DataType::Utf8View)
            } else if name == URL {
                (Values::Url, DataType::Utf8View)
            } else if is_json(name) {
                let column = Column::new(field, true, false)?;
                let natural = column.natural();
                (Values::Json(Box::new(column)), natural)
            } else if is_text(name) {
                (Values::Text(Vec::new()), DataType::Utf8View)
            } else {
                (Values::Bytes(Vec::new()), DataType::BinaryView)
            };
            types.push(Field::new(name, data_type, true));
            fields.push(Builder { name: name.clone(), values, nulls: NullBufferBuilder::new(0), len: 0 });
        }
        Ok(Self {
            input: Archive::new(range.clone(), packed, options.unit as usize),
            range,
            fields,
            known: schema.fields().iter().map(|field| field.name().clone()).collect(),
            schema: Arc::new(Schema::new(types)),
            url: url.into(),
            rows: options.rows.clone(),
            next: 0,
            keys: HashSet::new(),
            asked: None,
            least: BLOCK,
            seen: None,
            ended: false,
            done: false,
            most: options.most,
            lenient: options.lenient,
            marked: false,
            links: links::read(note)?,
            names: (note.is_none() && !packed && url.contains("://")).then(HashMap::new),
            away: None,
            fetched: HashMap::new(),
        })
    }

    fn step(&mut self) -> Result<Step> {
        loop {
            if self.done || self.next >= self.rows.end {
                return Ok(Step::Done);
            }
            if let Some(range) = &self.away {
                self.asked = Some(range.clone());
                return Ok(Step::Need(vec![range.clone()]));
            }
            if self.ended {
                // What is compressed has its checksum at its end.
                self.input.take(self.input.block.len());
                if let Some(range) = self.input.fill(1)? {
                    self.asked = Some(range.clone());
                    return Ok(Step::Need(vec![range]));
                }
                self.done = self.input.last;
                continue;
            }
            if let Some(range) = self.input.fill(self.least)? {
                self.asked = Some(range.clone());
                return Ok(Step::Need(vec![range]));
            }
            if let Some(step) = self.batch()? {
                return Ok(step);
            }
        }
    }

    /// The samples that are whole in the block, as a batch.
    fn batch(&mut self) -> Result<Option<Step>> {
        let block = self.input.block.clone();
        let mut texts = Texts { line: None, side: Vec::new() };
        let (mut at, mut rows) = (0, 0);
        let (mut count, mut kept, mut bad) = (0, Vec::new(), Vec::new());
        self.least = BLOCK;
        while self.next < self.rows.end {
            let found = match self.sample(&block, at)? {
                Ok(Some(found)) => found,
                Ok(None) => {
                    (self.done, self.ended) = (!self.input.compressed(), true);
                    at = block.len();
                    break;
                }
                Err(Short::More(short)) => {
                    self.least = short;
                    break;
                }
                Err(Short::Away(range)) => {
                    self.away = Some(range);
                    break;
                }
            };
            at = found.end;
            self.fetched.clear();
            if found.members.is_empty() {
                continue;
            }
            // The keys of what is not compressed were seen when the archive was listed.
            if self.input.compressed() && !self.keys.insert(hash(found.key().as_bytes())) {
                return Err(torn(found.key()));
            }
            self.next += 1;
            if self.next > self.rows.start {
                match self.add(&block, &found, &mut texts, rows) {
                    Ok(()) => {
                        kept.push(count);
                        rows += 1;
                    }
                    Err(error) if self.lenient => {
                        self.fields.iter_mut().for_each(|builder| builder.truncate(rows));
                        bad.push(Bad { row: count, error });
                    }
                    Err(error) => return Err(error),
                }
                count += 1;
            }
        }
        self.input.take(at);
        if count == 0 {
            return Ok(None);
        }
        let batch = self.finish(block, texts, rows)?;
        if bad.is_empty() {
            return Ok(Some(Step::Batch(batch)));
        }
        Ok(Some(Step::Part(Part { batch, rows: count.into(), kept, bad })))
    }

    /// The next sample from `at` of the block on; none at the archive's end. `Err`: so many bytes are needed from `at`.
    fn sample(&mut self, block: &Bytes, from: usize) -> Result<std::result::Result<Option<Sample>, Short>> {
        let base = self.input.at;
        let mut found = Sample { end: from, ..Sample::default() };
        loop {
            let at = found.end;
            let place = base + at as u64;
            let whole = !self.input.compressed();
            // A range that is not the whole file ends where a sample of the next begins.
            if whole && place >= self.range.end {
                return Ok(Ok((!found.members.is_empty()).then_some(found)));
            }
            if self.marked && found.members.is_empty() && self.input.last && block.len() - at < BLOCK {
                return Ok(Ok(None));
            }
            if at >= block.len() && self.input.last {
                return Err(Error::data(format!(
                    "the archive ends at byte {place} without its end marker: it was cut"
                )));
            }
            let entry = match self.seen.take() {
                Some((seen, entry)) if seen == place => entry,
                _ => header::read(block.get(at..).unwrap_or(&[]), self.marked)
                    .map_err(|e| e.at(format_args!("byte {place}")))?,
            };
            if let Entry::Member { .. } | Entry::Link { .. } = entry {
                self.marked = false;
            }
            match entry {
                Entry::End => {
                    // What follows is another archive, with keys of its own.
                    if !self.marked {
                        self.keys.clear();
                    }
                    self.marked = true;
                    found.end = at + BLOCK;
                    if !found.members.is_empty() {
                        return Ok(Ok(Some(found)));
                    }
                }
                Entry::Rest => return Ok(Ok(None)),
                Entry::Short(n) => {
                    if self.input.last {
                        return Err(Error::data(format!(
                            "the archive ends in the middle of a header at byte {place}: it was cut"
                        )));
                    }
                    return Ok(Err(Short::More(at - from + n as usize)));
                }
                Entry::Member { name, content, next } => {
                    let key = sample(&name).map(|(key, _)| key.len());
                    if let Some(key) = key
                        && !found.members.is_empty()
                        && &name[..key] != found.key()
                    {
                        self.seen = Some((place, Entry::Member { name, content, next }));
                        return Ok(Ok(Some(found)));
                    }
                    if let (Some(names), Some(path)) = (&mut self.names, resolved("", &name)) {
                        names.insert(hash(path.as_bytes()), place + content.start..place + content.end);
                    }
                    let end = at as u64 + next;
                    if content.end - content.start > self.most as u64 {
                        let size = content.end - content.start;
                        return Err(member(
                            Error::data(format!("{size} bytes are more than ROWSTREAM_MEMORY lets one member have")),
                            &name,
                            place,
                        ));
                    }
                    if end > block.len() as u64 {
                        if self.input.last {
                            return Err(member(
                                Error::data("the archive ends in the middle of it: it was cut"),
                                &name,
                                place,
                            ));
                        }
                        return Ok(Err(Short::More(end as usize - from)));
                    }
                    if let Some(key) = key {
                        let content = Content::Here(at + content.start as usize..at + content.end as usize);
                        found.members.push(Member { name, key, header: at, content });
                    }
                    found.end = end as usize;
                }
                Entry::Link { name, target, symbolic, next } => {
                    let key = sample(&name).map(|(key, _)| key.len());
                    if let Some(key) = key
                        && !found.members.is_empty()
                        && &name[..key] != found.key()
                    {
                        self.seen = Some((place, Entry::Link { name, target, symbolic, next }));
                        return Ok(Ok(Some(found)));
                    }
                    if at as u64 + next > block.len() as u64 && !self.input.last {
                        return Ok(Err(Short::More((at as u64 + next) as usize - from)));
                    }
                    let range = self.linked(place, &name, &target, symbolic);
                    found.end = at + next as usize;
                    let Some(key) = key else { continue };
                    let content = match range {
                        Some(Target::Folder {}) => continue,
                        Some(Target::Gone { target }) => Content::Gone(target),
                        None => Content::Gone(target),
                        Some(Target::File { size, .. }) if size > self.most as u64 => {
                            return Err(member(
                                Error::data(format!(
                                    "{size} bytes are more than ROWSTREAM_MEMORY lets one member have"
                                )),
                                &name,
                                place,
                            ));
                        }
                        Some(Target::File { at: start, size }) => match self.fetched.get(&start) {
                            Some(bytes) => Content::Away(bytes.clone()),
                            None if size == 0 => Content::Away(Bytes::new()),
                            None if start >= base && start + size <= base + block.len() as u64 => {
                                Content::Here((start - base) as usize..(start + size - base) as usize)
                            }
                            None => return Ok(Err(Short::Away(start..start + size))),
                        },
                    };
                    found.members.push(Member { name, key, header: at, content });
                }
            }
        }
    }

    /// What a link stands for: as it was found when the archive was listed, or by the names that came before.
    fn linked(&mut self, place: u64, name: &str, target: &str, symbolic: bool) -> Option<Target> {
        if let Some(target) = self.links.get(&place) {
            return Some(target.clone());
        }
        let names = self.names.as_mut()?;
        let folder = if symbolic { name.rsplit_once('/').map_or("", |(folder, _)| folder) } else { "" };
        let range = names.get(&hash(resolved(folder, target)?.as_bytes())).cloned()?;
        names.insert(hash(resolved("", name)?.as_bytes()), range.clone());
        Some(Target::File { at: range.start, size: range.end - range.start })
    }

    fn add(&mut self, block: &Bytes, found: &Sample, texts: &mut Texts, row: usize) -> Result<()> {
        for one @ Member { name, header, content, .. } in &found.members {
            let (field, at) = (one.field(), self.input.at + *header as u64);
            let (bytes, start) = match content {
                Content::Here(range) => (&block[range.clone()], Some(range.start)),
                Content::Away(bytes) => (&bytes[..], None),
                Content::Gone(target) => {
                    let hint = if self.links.is_empty() {
                        "; in an archive that is compressed or far away a link is followed only to members before \
                         it, and only where it is not \
                         compressed: decompress it, or download it"
                    } else {
                        ""
                    };
                    return Err(gone(name, target, hint).at(format_args!("byte {at}")));
                }
            };
            let Some(builder) = self.fields.iter_mut().find(|builder| builder.name == field) else {
                if self.known.iter().any(|known| known == field) {
                    continue;
                }
                return Err(member(
                    Error::new(
                        Kind::Schema,
                        format!(
                            "a field {field:?} that the first megabyte of the archive does not have; decompress the \
                             archive, so that all of its members are found first"
                        ),
                    ),
                    name,
                    at,
                ));
            };
            if builder.len > row {
                return Err(member(
                    Error::data(format!("the field {field:?} twice in the sample {:?}", found.key())),
                    name,
                    at,
                ));
            }
            builder.len += 1;
            match &mut builder.values {
                Values::Bytes(views) => views.push(placed(bytes, start, texts)),
                Values::Text(views) => {
                    utf8(bytes).map_err(|e| member(e, name, at))?;
                    views.push(placed(bytes, start, texts));
                }
                Values::Json(column) => {
                    let text = utf8(bytes).map_err(|e| member(e, name, at))?;
                    let mut reader = SyntaxReader::new(text);
                    texts.line = start.map(|start| start + bytes.len() - text.len());
                    let read =
                        reader.peek().and_then(|_| column.take(&mut reader, texts, 0)).and_then(|()| reader.end());
                    read.map_err(|fault| member(describe(&fault.within(field)), name, at))?;
                }
                Values::Key(_) | Values::Url => {}
            }
            builder.nulls.append_non_null();
        }
        for builder in &mut self.fields {
            match &mut builder.values {
                Values::Key(views) => {
                    views.push(copied(found.key().as_bytes(), texts));
                    builder.nulls.append_non_null();
                    builder.len += 1;
                }
                Values::Url => builder.len += 1,
                _ if builder.len > row => {}
                Values::Bytes(views) | Values::Text(views) => {
                    views.push(0);
                    builder.nulls.append_null();
                    builder.len += 1;
                }
                Values::Json(column) => {
                    column.null();
                    builder.nulls.append_null();
                    builder.len += 1;
                }
            }
        }
        Ok(())
    }

    fn finish(&mut self, block: Bytes, mut texts: Texts, rows: usize) -> Result<RecordBatch> {
        let url = copied(self.url.as_bytes(), &mut texts);
        let buffers: Arc<[Buffer]> = [Buffer::from(block), Buffer::from_vec(texts.side)].into();
        let column = |builder: &mut Builder| -> Result<ArrayRef> {
            builder.len = 0;
            let nulls = builder.nulls.finish();
            Ok(match &mut builder.values {
                Values::Bytes(views) => {
                    let views = ScalarBuffer::from(std::mem::take(views));
                    // SAFETY: each view was made of a range of one of these two buffers, with its length and prefix.
                    Arc::new(unsafe { BinaryViewArray::new_unchecked(views, Arc::clone(&buffers), nulls) })
                }
                Values::Text(views) | Values::Key(views) => {
                    let views = ScalarBuffer::from(std::mem::take(views));
                    // SAFETY: as above, and the ranges were checked to be UTF-8.
                    Arc::new(unsafe { StringViewArray::new_unchecked(views, Arc::clone(&buffers), nulls) })
                }
                Values::Url => {
                    let views = ScalarBuffer::from(vec![url; rows]);
                    // SAFETY: as above; the path is a string.
                    Arc::new(unsafe { StringViewArray::new_unchecked(views, Arc::clone(&buffers), None) })
                }
                Values::Json(column) => column.finish(&buffers)?,
            })
        };
        let columns = self.fields.iter_mut().map(column).collect::<Result<Vec<_>>>()?;
        RecordBatch::try_new_with_options(
            Arc::clone(&self.schema),
            columns,
            &RecordBatchOptions::new().with_row_count(Some(rows)),
        )
        .map_err(|e| Error::internal(e.to_string()))
    }
}

/// A view of bytes where they stand in the block, or of a copy of them.
fn placed(bytes: &[u8], start: Option<usize>, texts: &mut Texts) -> u128 {
    match start {
        Some(start) => view(bytes, 0, start),
        None => copied(bytes, texts),
    }
}

/// A view of bytes that are copied beside the block, where they do not fit into the view.
fn copied(bytes: &[u8], texts: &mut Texts) -> u128 {
    let at = texts.side.len();
    if bytes.len() > 12 {
        texts.side.extend_from_slice(bytes);
    }
    view(bytes, 1, at)
}

impl Decoder for TarDecoder {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn push(&mut self, range: Range<u64>, bytes: Bytes) -> Result<()> {
        if self.asked.take().as_ref() != Some(&range) {
            return Err(unasked(&range));
        }
        if self.away.take_if(|away| *away == range).is_some() {
            self.fetched.insert(range.start, bytes);
            return Ok(());
        }
        self.input.push(&range, bytes)
    }

    fn poll(&mut self) -> Result<Step> {
        self.step()
    }
}
