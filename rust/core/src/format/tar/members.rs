//! The files in a tar archive of data files.

use std::ops::Range;

use bytes::Bytes;

use super::archive::Archive;
use super::header::{self, Entry, Naming, not_utf8};
use super::links::{Names, Target};
use super::{BLOCK, cut, member};
use crate::error::{Error, Kind, Result};
use crate::format::zip::{self, Listed};
use crate::format::{Probe, ProbeResult};
use crate::plan::Member;

/// Goes through the headers of an archive that is not compressed.
pub(crate) struct Members {
    input: Option<Archive>,
    size: u64,
    found: Vec<Member>,
    names: Names,
    /// Whether the last block was one of an end marker.
    marked: bool,
}

impl Members {
    pub(crate) fn new(size: u64) -> Self {
        Self { input: None, size, found: Vec::new(), names: Names::default(), marked: false }
    }
}

impl Probe for Members {
    fn need(&mut self) -> Result<Option<Range<u64>>> {
        let input = match &mut self.input {
            Some(input) => input,
            None => self.input.insert(Archive::new(0..self.size, false, 4 << 10)),
        };
        let mut least = BLOCK;
        loop {
            if let Some(range) = input.fill(least)? {
                return Ok(Some(range));
            }
            let at = input.at;
            if input.block.is_empty() || (self.marked && input.last && input.block.len() < BLOCK) {
                if self.marked {
                    return Ok(None);
                }
                return Err(Error::data(format!("the archive ends at byte {at} without its end marker: it was cut")));
            }
            let entry =
                header::read(&input.block, self.marked, Naming::Utf8).map_err(|e| e.at(format_args!("byte {at}")))?;
            if let Entry::Member { .. } | Entry::Link { .. } = entry {
                self.marked = false;
            }
            match entry {
                Entry::Short(n) if input.last => {
                    return Err(Error::data(format!(
                        "the archive ends in the middle of a header at byte {at}, which has {n} bytes: it was cut"
                    )));
                }
                Entry::Short(n) => least = n as usize,
                Entry::End => {
                    if !self.marked {
                        self.names.end();
                    }
                    self.marked = true;
                    input.jump(at + BLOCK as u64);
                    least = BLOCK;
                }
                Entry::Rest => return Ok(None),
                Entry::Link { name, odd: true, .. } | Entry::Member { name, odd: true, .. } => {
                    return Err(not_utf8(&name).at(format_args!("byte {at}")));
                }
                Entry::Link { name, target, symbolic, next, .. } => {
                    self.names.link(at, name, target, symbolic);
                    input.jump(at + next);
                    least = BLOCK;
                }
                Entry::Member { name, sparse: Some(_), .. } => {
                    return Err(member(
                        Error::new(
                            Kind::Unsupported,
                            "a sparse member, whose content is not in one piece; write the archive without --sparse",
                        ),
                        &name,
                        at,
                    ));
                }
                Entry::Member { name, content, next, .. } => {
                    if at + next > self.size {
                        return Err(cut(&name, at));
                    }
                    let size = content.end - content.start;
                    self.names.member(&name, at + content.start, size);
                    let name = if name.ends_with('/') { String::new() } else { name };
                    self.found.push(Member {
                        name,
                        at: at + content.start,
                        size,
                        codec: None,
                        whole: 0,
                        archive: None,
                    });
                    input.jump(at + next);
                    least = BLOCK;
                }
            }
        }
    }

    fn push(&mut self, range: &Range<u64>, bytes: Bytes) -> Result<()> {
        self.input.as_mut().map_or(Ok(()), |input| input.push(range, bytes))
    }

    fn result(self: Box<Self>) -> Result<ProbeResult> {
        let (mut members, mut gone) = (self.found, Vec::new());
        for (_, name, target) in self.names.links() {
            let (at, size) = match target {
                Target::File { at, size } => (at, size),
                Target::Folder {} => continue,
                Target::Gone { target } => {
                    gone.push((name.clone(), target));
                    (0, 0)
                }
            };
            members.push(Member { name, at, size, codec: None, whole: 0, archive: None });
        }
        Ok(zip::found(Listed { members, gone }))
    }
}
