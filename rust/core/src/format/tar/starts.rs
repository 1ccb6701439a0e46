//! Where the samples of a part of an archive begin, by its headers alone.

use std::collections::HashMap;
use std::ops::Range;

use bytes::Bytes;

use super::archive::Archive;
use super::header::{self, Entry, sample};
use super::links::{self, Target};
use super::{BLOCK, WebDataset};
use crate::error::{Error, Result};
use crate::format::{Cuts, Probe, ProbeResult, Source};

/// Goes through the headers of a piece, which begins and ends with a sample.
pub struct Starts {
    input: Archive,
    found: Vec<u64>,
    key: Option<String>,
    /// Where a sample begins of which no member was there yet: a link to a folder is none.
    begun: Option<u64>,
    marked: bool,
    links: HashMap<u64, Target>,
    reading: WebDataset,
    done: bool,
}

impl Starts {
    /// Of a piece of an archive that is not compressed.
    pub fn new(piece: &Source, reading: WebDataset) -> Result<Self> {
        Ok(Self {
            input: Archive::new(piece.at..piece.at.saturating_add(piece.bytes), false, 4 << 10),
            found: Vec::new(),
            key: None,
            begun: None,
            marked: false,
            links: links::read(piece.note)?,
            reading,
            done: false,
        })
    }

    fn enter(&mut self, key: &str, at: u64) {
        if self.key.as_deref() != Some(key) {
            self.key = Some(key.to_owned());
            self.begun = Some(at);
        }
    }
}

impl Probe for Starts {
    fn need(&mut self) -> Result<Option<Range<u64>>> {
        let mut least = BLOCK;
        while !self.done {
            if let Some(range) = self.input.fill(least)? {
                return Ok(Some(range));
            }
            let at = self.input.at;
            if self.input.block.is_empty() {
                self.done = true;
                break;
            }
            let entry = header::read(&self.input.block, self.marked, self.reading.names)
                .map_err(|e| e.at(format_args!("byte {at}")))?;
            if let Entry::Member { .. } | Entry::Link { .. } = entry {
                self.marked = false;
            }
            least = BLOCK;
            match entry {
                Entry::Short(_) if self.input.last => {
                    return Err(Error::data("the archive was cut").at(format_args!("byte {at}")));
                }
                Entry::Short(n) => least = n as usize,
                Entry::End => {
                    (self.marked, self.key) = (true, None);
                    self.input.jump(at + BLOCK as u64);
                }
                Entry::Rest => self.done = true,
                Entry::Link { name, next, .. } => {
                    if let Some((key, _)) = sample(&name) {
                        self.enter(key, at);
                        if !matches!(self.links.get(&at), Some(Target::Folder {})) {
                            self.found.extend(self.begun.take());
                        }
                    }
                    self.input.jump(at + next);
                }
                Entry::Member { name, next, .. } => {
                    if let Some((key, _)) = sample(&name) {
                        self.enter(key, at);
                        self.found.extend(self.begun.take());
                    }
                    // Close together: more at once. Far apart: only the header.
                    self.input.unit = if next > 4 << 10 { 2 << 10 } else { 64 << 10 };
                    self.input.jump(at + next);
                }
            }
        }
        Ok(None)
    }

    fn push(&mut self, range: &Range<u64>, bytes: Bytes) -> Result<()> {
        self.input.push(range, bytes)
    }

    fn result(self: Box<Self>) -> Result<ProbeResult> {
        Ok(ProbeResult::stream(None, Cuts::Rows(self.found)))
    }
}
