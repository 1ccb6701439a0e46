//! The files in a tar archive of data files.

use std::ops::Range;

use bytes::Bytes;

use super::archive::Archive;
use super::header::{self, BLOCK, Entry};
use crate::error::{Error, Result};
use crate::format::{Found, Look, zip};
use crate::plan::Member;

/// Goes through the headers of an archive that is not compressed.
pub(crate) struct Members {
    input: Option<Archive>,
    size: u64,
    found: Vec<Member>,
}

impl Members {
    pub(crate) fn new(size: u64) -> Self {
        Self { input: None, size, found: Vec::new() }
    }
}

impl Look for Members {
    fn need(&mut self) -> Result<Option<Range<u64>>> {
        let input = match &mut self.input {
            Some(input) => input,
            None => self.input.insert(Archive::new(0..self.size, None, 4 << 10)?),
        };
        let mut least = BLOCK;
        loop {
            if let Some(range) = input.fill(least)? {
                return Ok(Some(range));
            }
            let at = input.at;
            if input.block.is_empty() {
                return Err(Error::data(format!("the archive ends at byte {at} without its end marker: it was cut")));
            }
            match header::read(&input.block).map_err(|e| e.at(format_args!("byte {at}")))? {
                Entry::Short(n) if input.last => {
                    return Err(Error::data(format!("the archive ends in the middle of a header at byte {at}, which has {n} bytes: it was cut")));
                }
                Entry::Short(n) => least = n as usize,
                Entry::End => return Ok(None),
                Entry::Member { name, content, next } => {
                    if at + next > self.size {
                        return Err(super::member(Error::data("the archive ends in the middle of it: it was cut"), &name, at));
                    }
                    let size = content.end - content.start;
                    self.found.push(Member { name, at: at + content.start, size, codec: None, whole: 0, archive: None });
                    input.jump(at + next);
                    least = BLOCK;
                }
            }
        }
    }

    fn push(&mut self, range: &Range<u64>, bytes: Bytes) -> Result<()> {
        self.input.as_mut().map_or(Ok(()), |input| input.push(range, bytes))
    }

    fn found(self: Box<Self>) -> Result<Found> {
        Ok(zip::found(self.found))
    }
}
