//! Frames of LZ4, one after another: <https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md>. The blocks are
//! decompressed by `lz4_flex`, whose own reader of frames pulls and cannot be fed.

use std::hash::Hasher;

use lz4_flex::block::decompress_into_with_dict;
use twox_hash::XxHash32;

use crate::error::{Error, Result};

const MAGIC: u32 = 0x184D_2204;
const LEGACY: u32 = 0x184C_2102;

/// What linked blocks refer to.
const WINDOW: usize = 64 << 10;

/// Decompresses frames that come in parts.
#[derive(Default)]
pub(super) struct Frames {
    /// Input that is not a whole part yet.
    open: Vec<u8>,
    frame: Option<Frame>,
    /// Bytes of a skippable frame that are still to come.
    skip: u64,
}

struct Frame {
    linked: bool,
    block_checksums: bool,
    largest: usize,
    /// What the frame says it has.
    size: Option<u64>,
    made: u64,
    content: Option<XxHash32>,
    window: Vec<u8>,
}

fn number(bytes: &[u8]) -> u32 {
    bytes.iter().take(4).rev().fold(0, |n, b| n << 8 | u32::from(*b))
}

fn hash(bytes: &[u8]) -> u32 {
    XxHash32::oneshot(0, bytes)
}

fn bad(what: &str) -> Error {
    Error::data(format!("the compressed data are damaged: {what}"))
}

/// What follows a skippable frame that is whole in `head`.
pub(super) fn after_skippable(head: &[u8]) -> Option<&[u8]> {
    let length = number(head.get(4..8)?) as usize;
    head.get(8 + length..).filter(|rest| !rest.is_empty())
}

impl Frames {
    /// Decompresses a part of `input` until about `most` bytes are made; gives how much of it was used.
    pub(super) fn run(&mut self, input: &[u8], out: &mut Vec<u8>, most: usize) -> Result<usize> {
        let mut used = 0;
        loop {
            if self.skip > 0 {
                let n = self.skip.min((input.len() - used) as u64);
                self.skip -= n;
                used += n as usize;
            }
            let there = self.open.len();
            let need = self.need()?;
            if there < need {
                let n = (need - there).min(input.len() - used);
                self.open.extend_from_slice(&input[used..used + n]);
                used += n;
                if n == 0 || self.open.len() < need {
                    return Ok(used);
                }
                continue;
            }
            if out.len() >= most {
                return Ok(used);
            }
            self.part(out)?;
            self.open.clear();
            // Whoever looks for places to begin asks between frames.
            if self.whole() {
                return Ok(used);
            }
        }
    }

    /// Whether nothing is open.
    pub(super) fn whole(&self) -> bool {
        self.frame.is_none() && self.open.is_empty() && self.skip == 0
    }

    /// The length of the next part: a frame's header, a block, or a frame's end.
    fn need(&self) -> Result<usize> {
        let open = &self.open;
        let Some(frame) = &self.frame else {
            if open.len() < 4 {
                return Ok(4);
            }
            return match number(open) {
                MAGIC if open.len() < 6 => Ok(6),
                MAGIC => Ok(7 + if open[4] & 8 != 0 { 8 } else { 0 } + if open[4] & 1 != 0 { 4 } else { 0 }),
                0x184D_2A50..=0x184D_2A5F => Ok(8),
                LEGACY => Err(Error::new(
                    crate::Kind::Unsupported,
                    "the legacy frames of LZ4 are not read; compress with lz4 1.4 or later",
                )),
                _ => Err(bad("no frame of LZ4 begins here")),
            };
        };
        if open.len() < 4 {
            return Ok(4);
        }
        let block = number(open);
        if block == 0 {
            return Ok(4 + if frame.content.is_some() { 4 } else { 0 });
        }
        let length = (block & 0x7FFF_FFFF) as usize;
        if length > frame.largest {
            return Err(bad("a block that is larger than its frame allows"));
        }
        Ok(4 + length + if frame.block_checksums { 4 } else { 0 })
    }

    /// Takes in what is whole.
    fn part(&mut self, out: &mut Vec<u8>) -> Result<()> {
        let open = &self.open;
        let Some(frame) = &mut self.frame else {
            if number(open) != MAGIC {
                self.skip = number(&open[4..]).into();
                return Ok(());
            }
            let (flags, descriptor) = (open[4], open[5]);
            if flags >> 6 != 1 || flags & 2 != 0 || descriptor & 0x8F != 0 || descriptor >> 4 < 4 {
                return Err(bad("the header of a frame"));
            }
            if flags & 1 != 0 {
                return Err(Error::new(crate::Kind::Unsupported, "LZ4 with a dictionary of its own is not read"));
            }
            let end = open.len() - 1;
            if (hash(&open[4..end]) >> 8) as u8 != open[end] {
                return Err(bad("the checksum of a frame's header does not match"));
            }
            let size = (flags & 8 != 0).then(|| u64::from(number(&open[6..])) | u64::from(number(&open[10..])) << 32);
            self.frame = Some(Frame {
                linked: flags & 0x20 == 0,
                block_checksums: flags & 0x10 != 0,
                largest: 1 << (8 + 2 * (descriptor >> 4)),
                size,
                made: 0,
                content: (flags & 4 != 0).then(|| XxHash32::with_seed(0)),
                window: Vec::new(),
            });
            return Ok(());
        };
        let head = number(open);
        if head == 0 {
            if frame.content.as_ref().is_some_and(|content| content.finish() as u32 != number(&open[4..])) {
                return Err(bad("the checksum of a frame does not match"));
            }
            if frame.size.is_some_and(|size| size != frame.made) {
                return Err(bad("a frame has not the size that it says"));
            }
            self.frame = None;
            return Ok(());
        }
        let body = &open[4..4 + (head & 0x7FFF_FFFF) as usize];
        if frame.block_checksums && hash(body) != number(&open[open.len() - 4..]) {
            return Err(bad("the checksum of a block does not match"));
        }
        let start = out.len();
        if head >> 31 == 1 {
            out.extend_from_slice(body);
        } else {
            out.resize(start + frame.largest, 0);
            let made =
                decompress_into_with_dict(body, &mut out[start..], &frame.window).map_err(|e| bad(&e.to_string()))?;
            out.truncate(start + made);
        }
        let made = &out[start..];
        frame.made += made.len() as u64;
        if let Some(content) = &mut frame.content {
            content.write(made);
        }
        if frame.linked {
            let keep = WINDOW.saturating_sub(made.len());
            if frame.window.len() > keep {
                frame.window.drain(..frame.window.len() - keep);
            }
            frame.window.extend_from_slice(&made[made.len().saturating_sub(WINDOW)..]);
        }
        Ok(())
    }
}
