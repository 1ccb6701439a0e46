//! What an archive has: its samples, their fields and types.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

use arrow_schema::{DataType, Field, FieldRef, Schema};
use bytes::Bytes;

use super::BLOCK;
use super::archive::Archive;
use super::header::{self, Entry, Naming, not_utf8, sample};
use super::kinds::{is_json, is_media, is_number, is_text, media};
use super::links::{Names, Target, noted};
use super::{KEY, MEMBERS, URL, WebDataset, cut, member, too_long, torn, utf8, without_end};
use crate::error::{Error, Kind, Result};
use crate::format::json::{Lacking, Shape, SyntaxReader, describe};
use crate::format::{Cuts, FileFacts, Probe, ProbeResult};
use crate::hash::hash;

/// JSON members that types are found from: at most so many bytes of a file. Of an archive of which only the beginning
/// is looked at, the samples that begin there, and the first whole.
const LOOKED_AT: u64 = 1 << 20;

/// The bytes that are read at once of what is far away and read whole.
const AT_ONCE: usize = 8 << 20;

/// Goes through the headers of an archive: finds its samples, its fields and their types. Of a compressed archive it
/// looks at the beginning only.
#[expect(clippy::struct_excessive_bools, reason = "each says one thing of the file")]
pub struct Index {
    input: Archive,
    starts: Vec<u64>,
    /// Whether each sample has a member that is there, and each field a value: a link to a folder is neither.
    solid: Vec<bool>,
    shown: Vec<bool>,
    key: Option<String>,
    keys: HashSet<u64>,
    fields: Vec<String>,
    shapes: BTreeMap<String, Shape>,
    looked: u64,
    all: bool,
    reading: WebDataset,
    lenient: bool,
    ended: bool,
    most: usize,
    /// Whether only the beginning is looked at, since it is far away.
    far: bool,
    /// Whether all of it is read, although it is far away.
    every: bool,
    /// Where the last member ends.
    after: u64,
    /// Whether the last block was one of an end marker.
    marked: bool,
    names: Names,
    /// Links of samples: where they stand, which sample it is, and which field.
    linked: Vec<(u64, usize, usize)>,
    links: Vec<(u64, String, Target)>,
    /// JSON that links stand for, of fields that no other member shows the types of.
    later: Vec<(String, Range<u64>)>,
}

impl Index {
    /// Of a file. `all`: types are found from all JSON members.
    pub fn new(file: &FileFacts, all: bool, reading: WebDataset) -> Result<Self> {
        Ok(Self {
            // Headers stand far apart, or close together: a block that has one header is enough for the first.
            input: Archive::new(
                0..file.size,
                file.packed,
                match file {
                    FileFacts { far: true, every: true, .. } => AT_ONCE,
                    FileFacts { far: true, .. } | FileFacts { packed: true, .. } => LOOKED_AT as usize,
                    _ => 4 << 10,
                },
            ),
            far: file.far && !file.every,
            every: file.far && file.every,
            after: 0,
            starts: Vec::new(),
            solid: Vec::new(),
            shown: Vec::new(),
            key: None,
            keys: HashSet::new(),
            fields: Vec::new(),
            shapes: BTreeMap::new(),
            looked: 0,
            all,
            reading,
            lenient: file.lenient,
            ended: false,
            most: file.most,
            marked: false,
            names: Names::default(),
            linked: Vec::new(),
            links: Vec::new(),
            later: Vec::new(),
        })
    }

    /// Whether only the beginning is looked at.
    fn packed(&self) -> bool {
        self.input.compressed() || self.far
    }

    /// The schema of the samples.
    fn schema(&self) -> Schema {
        let names = [KEY, URL].map(|name| Arc::new(Field::new(name, DataType::Utf8, false)));
        if self.reading.members {
            let parts = vec![Field::new("name", DataType::Utf8, false), Field::new("content", DataType::Binary, false)];
            let item = Arc::new(Field::new("item", DataType::Struct(parts.into()), false));
            let members = Arc::new(Field::new(MEMBERS, DataType::List(item), false));
            return Schema::new(names.into_iter().chain([members]).collect::<Vec<FieldRef>>());
        }
        let field = |name: &String| -> FieldRef {
            let data_type = match self.shapes.get(name) {
                // What one sample lacks of another's is null.
                Some(shape) => return Arc::new(shape.field(name, Lacking::Null)),
                None if is_text(name) => DataType::Utf8,
                None if is_json(name) => DataType::Null,
                None if is_number(name) => DataType::Int64,
                None if is_media(name) => media(),
                None => DataType::Binary,
            };
            Arc::new(Field::new(name, data_type, true))
        };
        let mut fields: Vec<FieldRef> = self.fields.iter().map(field).collect();
        fields.extend(names);
        Schema::new(fields)
    }

    /// The bytes that are needed; none at the end.
    fn next(&mut self) -> Result<Option<Range<u64>>> {
        let mut least = BLOCK;
        while !self.ended {
            if let Some(range) = self.input.fill(least)? {
                return Ok(Some(range));
            }
            let at = self.input.at;
            if self.marked && self.input.last && self.input.block.len() < BLOCK {
                self.ended = true;
                break;
            }
            if self.input.block.is_empty() {
                if at == 0 {
                    return Err(Error::data("the file is empty, and no tar archive"));
                }
                if self.reading.end_marker && !self.lenient {
                    return Err(without_end(at));
                }
                self.ended = true;
                break;
            }
            let entry = match header::read(&self.input.block, self.marked, self.reading.names) {
                Err(_) if self.lenient => {
                    self.lost(at);
                    break;
                }
                read => read.map_err(|e| e.at(format_args!("byte {at}")))?,
            };
            if let Entry::Member { .. } | Entry::Link { .. } = entry {
                self.marked = false;
            }
            match entry {
                Entry::Short(_) if self.input.last && self.lenient => self.lost(at),
                Entry::Short(n) if self.input.last => {
                    return Err(Error::data(format!(
                        "the archive ends at byte {}, {n} bytes were expected from byte {at} on: it was cut",
                        at + self.input.block.len() as u64
                    )));
                }
                Entry::Short(n) => least = n as usize,
                Entry::End => {
                    if !self.marked {
                        // What follows is another archive, with keys and names of its own.
                        self.names.end();
                        (self.marked, self.key) = (true, None);
                        self.keys.clear();
                    }
                    self.input.jump(at + BLOCK as u64);
                    least = BLOCK;
                }
                Entry::Rest => self.ended = true,
                Entry::Link { name, odd: true, .. } | Entry::Member { name, odd: true, .. }
                    if self.reading.names == Naming::Utf8 && !self.lenient =>
                {
                    return Err(not_utf8(&name).at(format_args!("byte {at}")));
                }
                Entry::Link { name, target, symbolic, next, .. } => {
                    if let Some((key, field)) = sample(&name) {
                        let (sample, field) = self.enter(key, field, at)?;
                        self.linked.push((at, sample, field));
                    }
                    self.names.link(at, name, target, symbolic);
                    self.after = at + next;
                    self.input.jump(at + next);
                    least = BLOCK;
                }
                Entry::Member { name, content, sparse, next, .. } => {
                    if self.packed() && self.starts.len() > 1 && (self.looked >= LOOKED_AT || at + next > LOOKED_AT) {
                        self.ended = true;
                        break;
                    }
                    if !self.packed() && sparse.is_none() {
                        self.names.member(&name, at + content.start, content.end - content.start);
                    }
                    if let Some((key, field)) = sample(&name) {
                        let looks = !self.reading.members && is_json(field) && (self.all || self.looked < LOOKED_AT);
                        if looks && content.end as usize > self.input.block.len() {
                            if content.end - content.start > self.most as u64 {
                                return Err(too_long(content.end - content.start, self.most, &name, at));
                            }
                            if self.input.last {
                                return Err(cut(&name, at));
                            }
                            least = content.end as usize;
                            continue;
                        }
                        let (number, column) = self.enter(key, field, at)?;
                        (self.solid[number], self.shown[column]) = (true, true);
                        if looks {
                            let bytes = self.input.block.slice(content.start as usize..content.end as usize);
                            let bytes = match &sparse {
                                Some(sparse) => sparse.expanded(&bytes, self.most).map_err(|e| member(e, &name, at))?,
                                None => bytes,
                            };
                            self.looked += bytes.len() as u64;
                            let shape = self.shapes.entry(field.to_owned()).or_default();
                            let before = self.lenient.then(|| shape.clone());
                            match (look(shape, &bytes), before) {
                                (Err(_), Some(before)) => *shape = before,
                                (result, _) => result.map_err(|e| member(e, &name, at))?,
                            }
                        }
                    }
                    let there = self.input.end();
                    if !self.input.compressed() && at + next > there && self.lenient {
                        self.ended = true;
                        break;
                    }
                    if !self.input.compressed() && at + next > there {
                        return Err(member(
                            Error::data(format!(
                                "it should end at byte {}, the file has {there}: the archive was cut",
                                at + next
                            )),
                            &name,
                            at,
                        ));
                    }
                    // Close together: more at once. Far apart: only the header.
                    self.input.unit = match next {
                        _ if self.every => AT_ONCE,
                        4097.. if !self.far => 2 << 10,
                        _ => 64 << 10,
                    };
                    self.after = at + next;
                    if self.input.compressed() && self.input.block.len() < next as usize {
                        least = next as usize;
                        if self.input.last {
                            return Err(cut(&name, at));
                        }
                        // It is seen again when it is there whole.
                        continue;
                    }
                    self.input.jump(at + next);
                    least = BLOCK;
                }
            }
        }
        self.follow()
    }

    /// From here on nothing can be told apart. What is before it is there, but for the last sample: whether that was
    /// whole, nobody knows.
    fn lost(&mut self, at: u64) {
        if self.key.is_none() {
            self.starts.push(at);
            self.solid.push(true);
        }
        self.ended = true;
    }

    /// What links stand for; and the types of what is JSON of it, where no other member shows them. The bytes that are
    /// needed for that.
    fn follow(&mut self) -> Result<Option<Range<u64>>> {
        if !self.linked.is_empty() || self.links.is_empty() {
            self.links = std::mem::take(&mut self.names).links();
            let targets: HashMap<u64, &Target> =
                self.links.iter().map(|(header, _, target)| (*header, target)).collect();
            for (header, sample, field) in std::mem::take(&mut self.linked) {
                let target = if self.packed() { None } else { targets.get(&header) };
                if let Some(Target::Folder {}) = target {
                    continue;
                }
                (self.solid[sample], self.shown[field]) = (true, true);
                let field = &self.fields[field];
                if let Some(Target::File { at, size }) = target
                    && !self.reading.members
                    && is_json(field)
                    && !self.shapes.contains_key(field)
                    && *size <= self.most as u64
                {
                    self.later.push((field.clone(), *at..at + size));
                }
            }
            let (mut solid, mut shown) = (self.solid.iter(), self.shown.iter());
            self.starts.retain(|_| solid.next() == Some(&true));
            self.fields.retain(|_| shown.next() == Some(&true));
            if let Some((_, range)) = self.later.last() {
                self.input = Archive::new(range.clone(), false, 4 << 10);
            }
        }
        while let Some((field, range)) = self.later.last() {
            let size = (range.end - range.start) as usize;
            if let Some(range) = self.input.fill(size)? {
                return Ok(Some(range));
            }
            let shape = self.shapes.entry(field.clone()).or_default();
            let before = shape.clone();
            if let Err(error) = look(shape, &self.input.block[..size.min(self.input.block.len())]) {
                *shape = before;
                if !self.lenient {
                    return Err(error.at(format_args!("byte {}", range.start)));
                }
            }
            self.later.pop();
            if let Some((_, range)) = self.later.last() {
                self.input = Archive::new(range.clone(), false, 4 << 10);
            }
        }
        Ok(None)
    }

    /// Takes in a member of a sample: which sample it is of, and which field it is.
    fn enter(&mut self, key: &str, field: &str, at: u64) -> Result<(usize, usize)> {
        if self.key.as_deref() != Some(key) {
            if !self.keys.insert(hash(key.as_bytes())) {
                return Err(torn(key));
            }
            self.key = Some(key.to_owned());
            self.starts.push(at);
            self.solid.push(false);
        }
        let mut number = self.fields.iter().position(|name| name == field);
        if number.is_none() {
            if !self.reading.members && (field == KEY || field == URL) {
                return Err(Error::new(
                    Kind::Unsupported,
                    format!("a member {field:?}, which is the name of another column"),
                ));
            }
            self.fields.push(field.to_owned());
            self.shown.push(false);
            number = Some(self.fields.len() - 1);
        }
        Ok((self.starts.len() - 1, number.unwrap_or_default()))
    }
}

impl Probe for Index {
    fn need(&mut self) -> Result<Option<Range<u64>>> {
        self.next()
    }

    fn push(&mut self, range: &Range<u64>, bytes: Bytes) -> Result<()> {
        self.input.push(range, bytes)
    }

    fn result(self: Box<Self>) -> Result<ProbeResult> {
        let packed = self.packed();
        let seen = Some((self.starts.clone(), self.after));
        let cuts = if packed { Cuts::Whole } else { Cuts::Rows(self.starts.clone()) };
        let note = if packed { None } else { noted(&self.links)? };
        Ok(ProbeResult { note, seen, ..ProbeResult::stream(Some(self.schema()), cuts) })
    }
}

/// Takes in the types of one JSON member.
fn look(shape: &mut Shape, bytes: &[u8]) -> Result<()> {
    let mut reader = SyntaxReader::new(utf8(bytes)?);
    shape.see(&mut reader, 0).and_then(|()| reader.end()).map_err(|fault| describe(&fault))
}
