//! tar archives in the convention of WebDataset: members that stand together and have one key are one sample.

mod archive;
mod claim;
mod header;
mod index;
mod links;
mod members;
mod number;
mod sparse;
mod starts;

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

use arrow_array::{
    ArrayRef, BinaryViewArray, Int64Array, ListArray, RecordBatch, RecordBatchOptions, StringViewArray, StructArray,
};
use arrow_buffer::{Buffer, NullBufferBuilder, OffsetBuffer, ScalarBuffer};
use arrow_schema::{DataType, Field, Fields, Schema, SchemaRef};
use bytes::Bytes;
use serde::Deserialize;

use super::json::{BOM, Column, SyntaxReader, Texts, describe, view};
use super::{Bad, Decoder, FileFacts, Format, Options, Part, Probe, ProbeDepth, Source, Step, unasked};
use crate::conform::LABELS;
use crate::error::{Error, Kind, Result};
use crate::hash::hash;
use archive::Archive;
use claim::Claim;
pub(crate) use header::left_behind;
use header::{Entry, Naming, not_utf8, sample};
pub use index::Index;
use links::{Target, resolved};
pub(crate) use members::Members;

/// The bytes of a block, which headers and contents fill.
const BLOCK: usize = 512;

/// The column of the keys.
pub const KEY: &str = "__key__";

/// The column of the files.
pub const URL: &str = "__url__";

/// Whether a column says what a sample is called.
pub(crate) fn is_name(column: &str) -> bool {
    column == KEY || column == URL
}

/// The column of a sample's members, where they are not a column each.
pub const MEMBERS: &str = "__members__";

/// Archives of samples, in the convention of WebDataset.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WebDataset {
    /// Whether a sample is its members, with their names and their bytes, rather than a column each.
    members: bool,
    /// Whether an archive without an end marker is one that was cut.
    end_marker: bool,
    names: Naming,
}

impl Default for WebDataset {
    fn default() -> Self {
        Self { members: false, end_marker: true, names: Naming::Utf8 }
    }
}

impl Format for WebDataset {
    fn probe(&self, file: &FileFacts, depth: ProbeDepth) -> Result<Box<dyn Probe>> {
        Ok(Box::new(Index::new(file, depth == ProbeDepth::All, *self)?))
    }

    fn decoder(&self, piece: &Source, options: &Options) -> Result<Box<dyn Decoder>> {
        Ok(Box::new(TarDecoder::new(piece, options, *self)?))
    }

    fn row_starts(&self, piece: &Source) -> Result<Option<Box<dyn Probe>>> {
        if piece.unpacked.is_some() {
            return Ok(None);
        }
        Ok(Some(Box::new(starts::Starts::new(piece, *self)?)))
    }
}

/// Why an archive that ends at `at`, at the edge of a member, is not whole.
pub(crate) fn without_end(at: u64) -> Error {
    Error::data(format!(
        "the archive ends at byte {at} without its end marker: it was cut; end_marker=False takes such an archive for a \
         whole one"
    ))
}

/// What becomes of a member, by the last part of its name.
fn is_json(field: &str) -> bool {
    ends(field, &["json", "jsn"])
}

fn is_text(field: &str) -> bool {
    ends(field, &["txt", "text", "transcript"])
}

/// Members that are whole numbers, as text.
fn is_number(field: &str) -> bool {
    ends(field, &["cls", "cls2", "id", "index", "inx"])
}

/// Members that are files of media, which keep the name that says what they are.
fn is_media(field: &str) -> bool {
    ends(field, IMAGES) || ends(field, OTHER_MEDIA)
}

const IMAGES: &[&str] = &[
    "apng", "avif", "bmp", "bw", "cur", "dds", "dib", "gif", "icns", "ico", "j2c", "j2k", "jfif", "jp2", "jpc", "jpe",
    "jpeg", "jpf", "jpg", "jpx", "pbm", "pcx", "pgm", "png", "pnm", "ppm", "psd", "ras", "sgi", "tga", "tif", "tiff",
    "webp", "xbm", "xpm",
];

const OTHER_MEDIA: &[&str] = &[
    "aif", "aiff", "au", "avi", "caf", "flac", "glb", "m4a", "m4v", "mkv", "mov", "mp3", "mp4", "mpeg", "mpg", "ogg",
    "opus", "ply", "stl", "voc", "w64", "wav", "webm", "wma",
];

/// The type of a file of media: its bytes, and a path that ends as its name does.
fn media() -> DataType {
    let part = |name, data_type| Field::new(name, data_type, true);
    DataType::Struct(Fields::from(vec![part("bytes", DataType::Binary), part("path", DataType::Utf8)]))
}

/// Whether a type is that of media.
fn has_media(data_type: &DataType) -> bool {
    let DataType::Struct(fields) = data_type else { return false };
    fields.len() == 2 && fields.iter().all(|field| matches!(field.name().as_str(), "bytes" | "path"))
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
    Numbers(Vec<i64>),
    /// Bytes and paths.
    Media(Vec<u128>, Vec<u128>),
    Key(Vec<u128>),
    Url,
    /// All members: where those of each sample end, and their names and bytes.
    Members {
        ends: Vec<i32>,
        names: Vec<u128>,
        contents: Vec<u128>,
    },
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
    /// Whether a user named the columns.
    declared: bool,
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
    /// What its index says of a range far away, until it is found to be so.
    claim: Option<Claim>,
    /// The last rows, which are given once it is.
    held: Option<Step>,
    /// What a link stands for and is not in the block: what is asked for, and what came.
    away: Option<Range<u64>>,
    fetched: HashMap<u64, Bytes>,
    reading: WebDataset,
}

impl Builder {
    /// Takes back all after the first `rows` samples.
    fn truncate(&mut self, rows: usize) {
        match &mut self.values {
            Values::Bytes(views) | Values::Text(views) | Values::Key(views) => views.truncate(rows),
            Values::Json(column) => column.truncate(rows),
            Values::Numbers(values) => values.truncate(rows),
            Values::Media(contents, paths) => {
                contents.truncate(rows);
                paths.truncate(rows);
            }
            Values::Url => {}
            Values::Members { ends, names, contents } => {
                ends.truncate(rows + 1);
                let left = ends.last().copied().unwrap_or(0) as usize;
                names.truncate(left);
                contents.truncate(left);
            }
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
    /// Whether the name was not UTF-8.
    odd: bool,
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
    /// A decoder of the samples of a piece, which begins and ends with one.
    pub fn new(piece: &Source, options: &Options, reading: WebDataset) -> Result<Self> {
        let Source { url, size, note, rows, schema, declared, .. } = *piece;
        let (range, packed) = (piece.at..piece.at + piece.bytes, piece.unpacked.is_some());
        let mut fields = Vec::new();
        let mut types = Vec::new();
        for field in schema.fields().iter().filter(|field| options.wants(field.name())) {
            let name = field.name();
            let (values, data_type) = if name == KEY {
                (Values::Key(Vec::new()), DataType::Utf8View)
            } else if name == URL {
                (Values::Url, DataType::Utf8View)
            } else if reading.members {
                let none = Values::Members { ends: vec![0], names: Vec::new(), contents: Vec::new() };
                (none, DataType::List(Arc::new(Field::new("item", DataType::Struct(parts_of_member()), false))))
            } else if is_json(name) {
                let column = Column::new(field, true, false)?;
                let natural = column.natural();
                (Values::Json(Box::new(column)), natural)
            } else if is_text(name) {
                (Values::Text(Vec::new()), DataType::Utf8View)
            } else if has_media(field.data_type()) {
                (Values::Media(Vec::new(), Vec::new()), DataType::Struct(viewed_media()))
            } else if field.data_type().is_integer() && is_number(name) && !field.metadata().contains_key(LABELS) {
                (Values::Numbers(Vec::new()), DataType::Int64)
            } else {
                (Values::Bytes(Vec::new()), DataType::BinaryView)
            };
            types.push(Field::new(name, data_type, true));
            fields.push(Builder { name: name.clone(), values, nulls: NullBufferBuilder::new(0), len: 0 });
        }
        Ok(Self {
            input: Archive::new(range.clone(), packed, options.unit as usize),
            range: range.clone(),
            fields,
            declared,
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
            claim: rows.filter(|_| note.is_none() && url.contains("://")).map(|rows| Claim::new(rows, range.end..size)),
            held: None,
            away: None,
            fetched: HashMap::new(),
            reading,
        })
    }

    fn step(&mut self) -> Result<Step> {
        loop {
            if self.done || self.next >= self.rows.end {
                return match self.checked()? {
                    Step::Done => Ok(self.held.take().unwrap_or(Step::Done)),
                    need => Ok(need),
                };
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
            match self.batch()? {
                // Whoever gets the last rows that are said asks for no more.
                Some(step) if self.claim.as_ref().is_some_and(Claim::all) => self.held = Some(step),
                Some(step) => return Ok(step),
                None => {}
            }
        }
    }

    /// The end, once the range was found to be what an index says of it.
    fn checked(&mut self) -> Result<Step> {
        let Some(claim) = &self.claim else { return Ok(Step::Done) };
        if !claim.all() {
            return if self.done { Err(claim.wrong("fewer than")) } else { Ok(Step::Done) };
        }
        while !self.done {
            if let Some(range) = self.input.fill(self.least)? {
                self.asked = Some(range.clone());
                return Ok(Step::Need(vec![range]));
            }
            let block = self.input.block.clone();
            match self.sample(&block, 0)? {
                Ok(None) => self.done = true,
                Ok(Some(found)) if found.members.is_empty() => {
                    self.input.take(found.end);
                    self.least = BLOCK;
                }
                Err(Short::More(short)) => self.least = short,
                Ok(Some(_)) | Err(Short::Away(_)) => {
                    return self.claim.as_ref().map_or(Ok(Step::Done), |claim| Err(claim.wrong("more than")));
                }
            }
        }
        let names = self.reading.names;
        let Some(range) = self.claim.as_mut().and_then(|claim| claim.follow(names).transpose()).transpose()? else {
            self.claim = None;
            return Ok(Step::Done);
        };
        self.asked = Some(range.clone());
        Ok(Step::Need(vec![range]))
    }

    /// The samples that are whole in the block, as a batch.
    fn batch(&mut self) -> Result<Option<Step>> {
        let block = self.input.block.clone();
        let mut texts = Texts { line: None, side: Vec::new() };
        let (mut at, mut rows) = (0, 0);
        let (mut count, mut kept, mut bad) = (0, Vec::new(), Vec::new());
        self.least = BLOCK;
        while self.next < self.rows.end {
            let found = match self.sample(&block, at) {
                // What comes before it is given first; it is met again.
                Err(_) if count > 0 => break,
                Err(error) if self.lenient => return self.lost(error),
                Err(error) => return Err(error),
                Ok(found) => found,
            };
            let found = match found {
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
            if let Some(claim) = &mut self.claim {
                claim.met(found.key())?;
            }
            // Where all of an archive was gone through when it was listed, its keys were seen.
            if (self.input.compressed() || self.names.is_some()) && !self.keys.insert(hash(found.key().as_bytes())) {
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

    /// The rest of an archive, where nothing can be told apart any more, as one sample that cannot be read.
    fn lost(&mut self, error: Error) -> Result<Option<Step>> {
        self.done = true;
        let first = self.next.max(self.rows.start);
        // All that an index says of the range: the damage is told once, and the others are left out.
        self.next += self.claim.take().map_or(1, |claim| claim.left());
        let rows = self.next.min(self.rows.end).saturating_sub(first);
        if rows == 0 {
            return Ok(None);
        }
        let batch = self.finish(Bytes::new(), Texts { line: None, side: Vec::new() }, 0)?;
        let bad = vec![Bad { row: 0, error }];
        Ok(Some(Step::Part(Part { batch, rows, kept: Vec::new(), bad })))
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
                if self.reading.end_marker {
                    return Err(without_end(place));
                }
                return Ok(Ok((!found.members.is_empty()).then_some(found)));
            }
            let entry = match self.seen.take() {
                Some((seen, entry)) if seen == place => entry,
                _ => header::read(block.get(at..).unwrap_or(&[]), self.marked, self.reading.names)
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
                Entry::Member { name, content, sparse, odd, next } => {
                    let key = sample(&name).map(|(key, _)| key.len());
                    if let Some(key) = key
                        && !found.members.is_empty()
                        && &name[..key] != found.key()
                    {
                        self.seen = Some((place, Entry::Member { name, content, sparse, odd, next }));
                        return Ok(Ok(Some(found)));
                    }
                    if sparse.is_none()
                        && let (Some(names), Some(path)) = (&mut self.names, resolved("", &name))
                    {
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
                        let range = at + content.start as usize..at + content.end as usize;
                        let content = match sparse {
                            None => Content::Here(range),
                            Some(sparse) => Content::Away(
                                sparse.expanded(&block[range], self.most).map_err(|e| member(e, &name, place))?,
                            ),
                        };
                        found.members.push(Member { name, key, odd, header: at, content });
                    }
                    found.end = end as usize;
                }
                Entry::Link { name, target, symbolic, odd, next } => {
                    let key = sample(&name).map(|(key, _)| key.len());
                    if let Some(key) = key
                        && !found.members.is_empty()
                        && &name[..key] != found.key()
                    {
                        self.seen = Some((place, Entry::Link { name, target, symbolic, odd, next }));
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
                    found.members.push(Member { name, key, odd, header: at, content });
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
            if one.odd && self.reading.names == Naming::Utf8 {
                return Err(not_utf8(name).at(format_args!("byte {at}")));
            }
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
            if self.reading.members {
                self.add_member(found, one, bytes, start, texts, row).map_err(|e| member(e, name, at))?;
                continue;
            }
            let Some(builder) = self.fields.iter_mut().find(|builder| builder.name == field) else {
                // What a user did not name is not wanted.
                if self.declared || self.known.iter().any(|known| known == field) {
                    continue;
                }
                return Err(member(
                    Error::new(
                        Kind::Schema,
                        format!(
                            "a field {field:?} that the first megabyte of the archive does not have: name all fields \
                             by features=, or have the archive here and not compressed, where all of its members are \
                             found first"
                        ),
                    ),
                    name,
                    at,
                ));
            };
            if builder.len > row {
                return Err(member(twice(field, found.key()), name, at));
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
                Values::Numbers(values) => {
                    let number = std::str::from_utf8(bytes).ok().and_then(|text| text.trim().parse().ok());
                    values.push(number.ok_or_else(|| {
                        let what = format!(
                            "{:?} is no whole number, as members of {field:?} are; features={{{field:?}: \
                             Value(\"binary\")}} gives their bytes",
                            String::from_utf8_lossy(&bytes[..bytes.len().min(40)])
                        );
                        member(Error::data(what), name, at)
                    })?);
                }
                Values::Media(contents, paths) => {
                    contents.push(placed(bytes, start, texts));
                    paths.push(copied(name.as_bytes(), texts));
                }
                Values::Key(_) | Values::Url | Values::Members { .. } => {}
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
                Values::Members { ends, names, .. } => {
                    ends.truncate(row + 1);
                    ends.push(names.len() as i32);
                    builder.len = row + 1;
                }
                _ if builder.len > row => {}
                Values::Bytes(views) | Values::Text(views) => {
                    views.push(0);
                    builder.nulls.append_null();
                    builder.len += 1;
                }
                Values::Numbers(values) => {
                    values.push(0);
                    builder.nulls.append_null();
                    builder.len += 1;
                }
                Values::Media(contents, paths) => {
                    contents.push(0);
                    paths.push(0);
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

    /// Adds a member to those of its sample, where they are one column.
    fn add_member(
        &mut self,
        found: &Sample,
        one: &Member,
        bytes: &[u8],
        start: Option<usize>,
        texts: &mut Texts,
        row: usize,
    ) -> Result<()> {
        let before = found.members.iter().take_while(|other| !std::ptr::eq(*other, one));
        if before.into_iter().any(|other| other.field() == one.field()) {
            return Err(twice(one.field(), found.key()));
        }
        for builder in &mut self.fields {
            if let Values::Members { ends, names, contents } = &mut builder.values {
                // What a sample that failed left behind.
                if std::ptr::eq(one, &raw const found.members[0]) {
                    let left = ends[row] as usize;
                    names.truncate(left);
                    contents.truncate(left);
                }
                names.push(copied(one.field().as_bytes(), texts));
                contents.push(placed(bytes, start, texts));
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
                Values::Numbers(values) => Arc::new(Int64Array::new(std::mem::take(values).into(), nulls)),
                Values::Media(contents, paths) => {
                    let (contents, paths) = (std::mem::take(contents), std::mem::take(paths));
                    // SAFETY: as above.
                    let contents =
                        unsafe { BinaryViewArray::new_unchecked(contents.into(), Arc::clone(&buffers), nulls.clone()) };
                    // SAFETY: as above; names are strings.
                    let paths =
                        unsafe { StringViewArray::new_unchecked(paths.into(), Arc::clone(&buffers), nulls.clone()) };
                    let parts: Vec<ArrayRef> = vec![Arc::new(contents), Arc::new(paths)];
                    let made = StructArray::try_new(viewed_media(), parts, nulls);
                    Arc::new(made.map_err(|e| Error::internal(e.to_string()))?)
                }
                Values::Members { ends, names, contents } => {
                    let (names, contents) = (std::mem::take(names), std::mem::take(contents));
                    let ends = std::mem::replace(ends, vec![0]);
                    // SAFETY: as above; names are strings.
                    let names = unsafe { StringViewArray::new_unchecked(names.into(), Arc::clone(&buffers), None) };
                    // SAFETY: as above.
                    let contents =
                        unsafe { BinaryViewArray::new_unchecked(contents.into(), Arc::clone(&buffers), None) };
                    let failed = |e: arrow_schema::ArrowError| Error::internal(e.to_string());
                    let fields = parts_of_member();
                    let item = Arc::new(Field::new("item", DataType::Struct(fields.clone()), false));
                    let parts = StructArray::try_new(fields, vec![Arc::new(names), Arc::new(contents)], None);
                    let ends = OffsetBuffer::new(ScalarBuffer::from(ends));
                    let list = ListArray::try_new(item, ends, Arc::new(parts.map_err(failed)?), None);
                    Arc::new(list.map_err(failed)?)
                }
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

/// The parts of media, as they are decoded.
fn viewed_media() -> Fields {
    Fields::from(vec![Field::new("bytes", DataType::BinaryView, true), Field::new("path", DataType::Utf8View, true)])
}

/// The parts of a member, where a sample is its members.
fn parts_of_member() -> Fields {
    Fields::from(vec![
        Field::new("name", DataType::Utf8View, false),
        Field::new("content", DataType::BinaryView, false),
    ])
}

fn twice(field: &str, key: &str) -> Error {
    Error::data(format!("the field {field:?} twice in the sample {key:?}"))
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
        if let Some(claim) = self.claim.as_mut().filter(|claim| claim.asks) {
            return claim.push(&range, bytes);
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
