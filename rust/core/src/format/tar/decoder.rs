//! Decodes the samples of a range of an archive.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use arrow_schema::SchemaRef;
use bytes::Bytes;

use super::archive::Archive;
use super::claim::Claim;
use super::columns::Columns;
use super::header::{self, Entry, sample};
use super::links::{self, Target, resolved};
use super::sample::{Content, Member, Sample, Short};
use super::{BLOCK, WebDataset, cut, member, too_long, torn, without_end};
use crate::error::{Error, Result};
use crate::format::{Bad, Decoder, Options, Part, Source, Step, unasked};
use crate::hash::hash;

/// A decoder of samples.
#[expect(clippy::struct_excessive_bools, reason = "each says one thing of where it is")]
pub struct TarDecoder {
    input: Archive,
    range: Range<u64>,
    columns: Columns,
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

impl TarDecoder {
    /// A decoder of the samples of a piece, which begins and ends with one.
    pub fn new(piece: &Source, options: &Options, reading: WebDataset) -> Result<Self> {
        let Source { url, size, note, rows, .. } = *piece;
        let (range, packed) = (piece.at..piece.at + piece.bytes, piece.unpacked.is_some());
        let unlisted = note.is_none() && url.contains("://");
        Ok(Self {
            input: Archive::new(range.clone(), packed, options.unit as usize),
            range: range.clone(),
            columns: Columns::new(piece, options, reading)?,
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
            names: (unlisted && !packed).then(HashMap::new),
            claim: rows.filter(|_| unlisted).map(|rows| Claim::new(rows, range.end..size)),
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
        let mut at = 0;
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
                match self.columns.add(&block, self.input.at, &found, !self.links.is_empty()) {
                    Ok(()) => kept.push(count),
                    Err(error) if self.lenient => bad.push(Bad { row: count, error }),
                    Err(error) => return Err(error),
                }
                count += 1;
            }
        }
        self.input.take(at);
        if count == 0 {
            return Ok(None);
        }
        let batch = self.columns.finish(block)?;
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
        let batch = self.columns.finish(Bytes::new())?;
        let bad = vec![Bad { row: 0, error }];
        Ok(Some(Step::Part(Part { batch, rows, kept: Vec::new(), bad })))
    }
    /// The next sample from `from` of the block on; none at the archive's end.
    fn sample(&mut self, block: &Bytes, from: usize) -> Result<std::result::Result<Option<Sample>, Short>> {
        let base = self.input.at;
        let mut found = Sample { end: from, ..Sample::default() };
        loop {
            let at = found.end;
            let place = base + at as u64;
            // A range that is not the whole file ends where a sample of the next begins.
            if !self.input.compressed() && place >= self.range.end {
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
            let key = entry.name().and_then(sample).map(|(key, _)| key.len());
            if let (Some(key), Some(name)) = (key, entry.name())
                && !found.members.is_empty()
                && &name[..key] != found.key()
            {
                self.seen = Some((place, entry));
                return Ok(Ok(Some(found)));
            }
            self.marked &= entry.name().is_none();
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
                    if sparse.is_none()
                        && let (Some(names), Some(path)) = (&mut self.names, resolved("", &name))
                    {
                        names.insert(hash(path.as_bytes()), place + content.start..place + content.end);
                    }
                    if content.end - content.start > self.most as u64 {
                        return Err(too_long(content.end - content.start, self.most, &name, place));
                    }
                    found.end = at + next as usize;
                    if found.end > block.len() {
                        if self.input.last {
                            return Err(cut(&name, place));
                        }
                        return Ok(Err(Short::More(found.end - from)));
                    }
                    let Some(key) = key else { continue };
                    let range = at + content.start as usize..at + content.end as usize;
                    let content = match sparse {
                        None => Content::Here(range),
                        Some(sparse) => Content::Away(
                            sparse.expanded(&block[range], self.most).map_err(|e| member(e, &name, place))?,
                        ),
                    };
                    found.members.push(Member { name, key, odd, header: at, content });
                }
                Entry::Link { name, target, symbolic, odd, next } => {
                    found.end = at + next as usize;
                    if found.end > block.len() && !self.input.last {
                        return Ok(Err(Short::More(found.end - from)));
                    }
                    let linked = self.linked(place, &name, &target, symbolic);
                    let Some(key) = key else { continue };
                    let content = match linked {
                        Some(Target::Folder {}) => continue,
                        Some(Target::Gone { target }) => Content::Gone(target),
                        None => Content::Gone(target),
                        Some(Target::File { size, .. }) if size > self.most as u64 => {
                            return Err(too_long(size, self.most, &name, place));
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
}

impl Decoder for TarDecoder {
    fn schema(&self) -> &SchemaRef {
        &self.columns.schema
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
