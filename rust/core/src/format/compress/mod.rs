//! Compression on the fly: several members, streams or frames one after another are one stream.

mod bzip2;
mod gzip;
mod huffman;
mod inflate;
mod lz4;
mod points;
pub(crate) mod xz;

use liblzma::stream::{Action, CONCATENATED, Status as XzStatus, Stream as Xz};
use zstd::stream::raw::{Decoder as Zstd, InBuffer, Operation, OutBuffer};

pub use crate::codec::Codec;
use crate::error::{Error, Result};
use bzip2::Blocks;
use gzip::Gzip;
use lz4::Frames;
pub(crate) use points::{Learnt, Point, State};
pub use points::{Mark, Points};

/// What bzip2 has after its header: the first block, or the end.
const BLOCKS: [&[u8]; 2] = [&[0x31, 0x41, 0x59, 0x26, 0x53, 0x59], &[0x17, 0x72, 0x45, 0x38, 0x50, 0x90]];

/// What the dictionary of an xz stream may take: as much as the strongest preset needs, twice.
const XZ_MEMORY: u64 = 130 << 20;

/// The most that is asked of a codec at once, whatever it could give.
const SLICE: usize = 256 << 10;

impl Codec {
    /// What a file's first bytes say.
    pub fn of(head: &[u8]) -> Option<Self> {
        match head {
            [0x1F, 0x8B, ..] => Some(Self::Gzip),
            // A frame, or one to pass over; which of the two compressions that is, the next frame says.
            [0x50..=0x5F, 0x2A, 0x4D, 0x18, ..] => match lz4::after_skippable(head) {
                Some(rest) => Self::of(rest).or(Some(Self::Zstd)),
                None => Some(Self::Zstd),
            },
            [0x28, 0xB5, 0x2F, 0xFD, ..] => Some(Self::Zstd),
            [b'B', b'Z', b'h', b'1'..=b'9', rest @ ..] if BLOCKS.iter().any(|magic| rest.starts_with(magic)) => {
                Some(Self::Bzip2)
            }
            [0xFD, b'7', b'z', b'X', b'Z', 0, ..] => Some(Self::Xz),
            [0x04, 0x22, 0x4D, 0x18, ..] => Some(Self::Lz4),
            _ => None,
        }
    }
}

/// Decompresses a stream that comes in parts.
pub(crate) struct Decompressor {
    codec: Inner,
    /// Whether the stream ends where a member does.
    whole: bool,
    /// How much of the file was used, and what was made of it.
    used: u64,
    made: u64,
    /// The points that it came by.
    pub(crate) learnt: Learnt,
}

enum Inner {
    Gzip(Box<Gzip>),
    Zstd(Zstd<'static>),
    Bzip2(Box<Blocks>),
    Xz(Box<Xz>),
    /// The blocks of a stream of xz, until a place in the file; what follows begins at another.
    XzBlocks(Box<Xz>, u64, u64),
    Lz4(Box<Frames>),
}

fn damaged(e: impl std::fmt::Display) -> Error {
    Error::data(format!("the compressed data are damaged: {e}"))
}

fn xz() -> Result<Box<Xz>> {
    Xz::new_stream_decoder(XZ_MEMORY, CONCATENATED).map(Box::new).map_err(|e| Error::internal(e.to_string()))
}

impl Decompressor {
    pub(crate) fn new(codec: Codec) -> Result<Self> {
        let codec = match codec {
            Codec::Gzip => Inner::Gzip(Box::default()),
            Codec::Zstd => Inner::Zstd(Zstd::new().map_err(|e| Error::internal(e.to_string()))?),
            Codec::Bzip2 => Inner::Bzip2(Box::new(Blocks::new())),
            Codec::Xz => Inner::Xz(xz()?),
            Codec::Lz4 => Inner::Lz4(Box::default()),
            Codec::Deflate { crc } => Inner::Gzip(Box::new(Gzip::alone(crc))),
        };
        Ok(Self { codec, whole: true, used: 0, made: 0, learnt: Learnt::default() })
    }

    /// Goes on from a point of a file.
    pub(crate) fn resume(codec: Codec, point: &Point) -> Result<Self> {
        let mut made = Self::new(codec)?;
        (made.used, made.made) = (point.at, point.out);
        match (&mut made.codec, &point.state) {
            (Inner::Gzip(gzip), State::Start) => gzip.resume_member(point.out),
            (Inner::Gzip(gzip), State::Deflate { place, crc, length, window }) => {
                let known =
                    State::window(window).is_some_and(|window| gzip.resume(point.out, place, &window, *crc, *length));
                if !known {
                    return Err(Error::internal("a point of a compressed file that is none"));
                }
            }
            (Inner::Bzip2(blocks), State::Start) => blocks.resume(point.at, point.out, 0, 0, 0),
            (Inner::Bzip2(blocks), &State::Bzip2 { bit, level, sum }) => {
                blocks.resume(point.at, point.out, bit, level, sum);
            }
            (codec @ Inner::Xz(_), State::Xz { header, blocks, next }) => {
                let mut stream = xz()?;
                stream.process_vec(header, &mut Vec::new(), Action::Run).map_err(damaged)?;
                (*codec, made.whole) = (Inner::XzBlocks(stream, *blocks, *next), false);
            }
            (_, State::Start) => {}
            _ => return Err(Error::internal("a point of another codec")),
        }
        Ok(made)
    }

    /// Has it notice points, from after what was made before `last` on.
    pub(crate) fn learn_after(&mut self, last: u64) {
        self.learnt = Learnt::after(last);
    }

    /// Whether it is where a point is, as far as the point tells.
    pub(crate) fn is_at(&self, point: &Point) -> bool {
        match (&self.codec, &point.state) {
            (Inner::Gzip(gzip), &State::Deflate { crc, length, .. }) => gzip.is_at(crc, length),
            (_, State::Start) => self.made == point.out && self.whole,
            _ => self.made == point.out,
        }
    }

    /// Goes on to the end of the input, where nothing more is to be made of it: so that what follows the content, such
    /// as a checksum, is looked at. False where something is made.
    pub(crate) fn settle(&mut self, mut input: &[u8]) -> Result<bool> {
        let mut out = Vec::new();
        loop {
            let used = self.run(input, &mut out, 1)?;
            input = &input[used..];
            if !out.is_empty() || used == 0 {
                return Ok(out.is_empty());
            }
        }
    }

    /// The place in the file after what was used.
    pub(crate) fn used(&self) -> u64 {
        self.used
    }

    /// Decompresses a part of `input` until about `most` bytes are in `out`; gives how much of it was used.
    pub(crate) fn run(&mut self, input: &[u8], out: &mut Vec<u8>, most: usize) -> Result<usize> {
        let start = out.len();
        let used = self.part(input, out, most)?;
        self.used += used as u64;
        self.made += (out.len() - start) as u64;
        Ok(used)
    }

    fn part(&mut self, input: &[u8], out: &mut Vec<u8>, most: usize) -> Result<usize> {
        let mut rest = input;
        match &mut self.codec {
            Inner::Gzip(gzip) => {
                out.reserve(most.saturating_sub(out.len()));
                gzip.run(&mut rest, out, most, self.used, &mut self.learnt)?;
                self.whole = gzip.whole();
            }
            Inner::Zstd(decoder) => {
                let mut input = InBuffer::around(input);
                let all = out.len();
                loop {
                    let start = out.len();
                    out.reserve(most.saturating_sub(start).max(1));
                    let mut output = OutBuffer::around_pos(out, start);
                    let before = input.pos();
                    let hint = decoder.run(&mut input, &mut output).map_err(damaged)?;
                    let end = output.pos();
                    if input.pos() > before || end > start {
                        self.whole = hint == 0;
                        let made = self.made + (end - all) as u64;
                        if self.whole && self.learnt.due(made) {
                            let at = self.used + input.pos() as u64;
                            self.learnt.add(Point { at, out: made, state: State::Start });
                        }
                    }
                    if end >= most || (input.pos() == before && end == start) {
                        break;
                    }
                }
                return Ok(input.pos());
            }
            Inner::Bzip2(blocks) => {
                blocks.run(&mut rest, out, most, &mut self.learnt)?;
                self.whole = blocks.whole();
            }
            Inner::Lz4(frames) => {
                let (all, mut used) = (out.len(), 0);
                loop {
                    let n = frames.run(&input[used..], out, most)?;
                    let ended = frames.whole() && !self.whole;
                    used += n;
                    self.whole = frames.whole();
                    let made = self.made + (out.len() - all) as u64;
                    if self.whole && self.learnt.due(made) {
                        self.learnt.add(Point { at: self.used + used as u64, out: made, state: State::Start });
                    }
                    if (n == 0 && !ended) || used == input.len() || out.len() >= most {
                        return Ok(used);
                    }
                }
            }
            Inner::Xz(decoder) => {
                let used = fill(decoder, input, out, most)?;
                return Ok(used);
            }
            Inner::XzBlocks(decoder, blocks, next) => {
                let upto = (blocks.saturating_sub(self.used)).min(input.len() as u64) as usize;
                let start = out.len();
                let used = fill(decoder, &input[..upto], out, most)?;
                if used > 0 || out.len() > start || self.used < *blocks {
                    return Ok(used);
                }
                // What follows are the lengths of blocks that were not read.
                let used = (next.saturating_sub(self.used)).min(input.len() as u64);
                if self.used + used == *next {
                    (self.codec, self.whole) = (Inner::Xz(xz()?), true);
                }
                return Ok(used as usize);
            }
        }
        Ok(input.len() - rest.len())
    }

    /// The input has ended: it must have ended with a whole member.
    pub(crate) fn finish(&mut self, out: &mut Vec<u8>) -> Result<()> {
        let cut = || Error::data("the compressed data end in the middle: the file was cut");
        match &mut self.codec {
            // Nothing follows a stream of which the beginning was not read.
            Inner::Xz(decoder) if decoder.total_in() == 0 && self.used > 0 => {}
            Inner::Xz(decoder) => {
                // Only now is it known that no other stream follows.
                out.reserve(1);
                match decoder.process_vec(&[], out, Action::Finish) {
                    Ok(XzStatus::StreamEnd) => {}
                    _ => return Err(cut()),
                }
            }
            Inner::Bzip2(blocks) if !self.whole => return Err(blocks.failed().unwrap_or_else(cut)),
            _ if !self.whole || self.used == 0 => return Err(cut()),
            _ => {}
        }
        Ok(())
    }
}

/// Decompresses all of an input; no more than `most` bytes and a few.
pub fn decompressed(codec: Codec, mut input: &[u8], most: usize) -> Result<Vec<u8>> {
    let (mut decompressor, mut out) = (Decompressor::new(codec)?, Vec::new());
    loop {
        let before = out.len();
        let upto = most.saturating_add(1).min(before + SLICE);
        let used = decompressor.run(input, &mut out, upto)?;
        input = &input[used..];
        if out.len() > most {
            return Ok(out);
        }
        if used == 0 && out.len() == before {
            decompressor.finish(&mut out)?;
            return Ok(out);
        }
    }
}

/// Fills the room that a vector has with what xz becomes; gives how much of the input was used.
fn fill(decoder: &mut Xz, input: &[u8], out: &mut Vec<u8>, most: usize) -> Result<usize> {
    let mut used = 0;
    while out.len() < most {
        let (start, before) = (out.len(), decoder.total_in());
        out.reserve((most - start).min(SLICE));
        match decoder.process_vec(&input[used..], out, Action::Run) {
            // No input, and no room that it needs: it waits.
            Ok(_) => {}
            Err(liblzma::stream::Error::MemLimit) => {
                return Err(Error::data(format!(
                    "the compressed data need a dictionary of more than {XZ_MEMORY} bytes; compress them with xz -9 \
                     or less"
                )));
            }
            Err(e) => return Err(damaged(e)),
        }
        let n = (decoder.total_in() - before) as usize;
        used += n;
        if n == 0 && out.len() == start {
            break;
        }
    }
    Ok(used)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use lz4_flex::frame::{BlockMode, FrameEncoder, FrameInfo};

    use super::*;

    fn decompressed(codec: Codec, input: &[u8], step: usize, most: usize) -> Result<Vec<u8>> {
        let (mut decompressor, mut all) = (Decompressor::new(codec)?, Vec::new());
        for mut part in input.chunks(step) {
            loop {
                let mut out = Vec::new();
                let used = decompressor.run(part, &mut out, most)?;
                part = &part[used..];
                all.append(&mut out);
                if part.is_empty() {
                    break;
                }
            }
        }
        // What is made of nothing more.
        loop {
            let mut out = Vec::new();
            decompressor.run(&[], &mut out, most)?;
            if out.is_empty() {
                break;
            }
            all.append(&mut out);
        }
        let mut out = Vec::new();
        decompressor.finish(&mut out)?;
        all.append(&mut out);
        Ok(all)
    }

    #[test]
    fn members_are_one_stream_and_a_cut_is_an_error() -> Result<()> {
        let plain: Vec<u8> = (0..200_000_u32).flat_map(|i| (i % 977).to_le_bytes()).collect();
        let gzip = |bytes: &[u8]| {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(bytes).and_then(|()| encoder.finish()).map_err(|e| Error::internal(e.to_string()))
        };
        let failed = |e: std::io::Error| Error::internal(e.to_string());
        let bzip2 = |bytes: &[u8]| {
            let mut encoder = ::bzip2::write::BzEncoder::new(Vec::new(), ::bzip2::Compression::fast());
            encoder.write_all(bytes).and_then(|()| encoder.finish()).map_err(failed)
        };
        let xz = |bytes: &[u8]| {
            let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 1);
            encoder.write_all(bytes).and_then(|()| encoder.finish()).map_err(failed)
        };
        let lz4 = |bytes: &[u8]| {
            let info = FrameInfo::new().content_checksum(true).block_checksums(true).block_mode(BlockMode::Linked);
            let mut encoder = FrameEncoder::with_frame_info(info, Vec::new());
            encoder.write_all(bytes).map_err(failed)?;
            encoder.finish().map_err(|e| Error::internal(e.to_string()))
        };
        let zstd = |bytes: &[u8]| zstd::encode_all(bytes, 1).map_err(|e| Error::internal(e.to_string()));
        for (codec, parts) in [
            (Codec::Gzip, [gzip(&plain[..1000])?, gzip(&[])?, gzip(&plain[1000..])?]),
            (Codec::Zstd, [zstd(&plain[..1000])?, zstd(&[])?, zstd(&plain[1000..])?]),
            (Codec::Bzip2, [bzip2(&plain[..1000])?, bzip2(&[])?, bzip2(&plain[1000..])?]),
            (Codec::Xz, [xz(&plain[..1000])?, xz(&[])?, xz(&plain[1000..])?]),
            (Codec::Lz4, [lz4(&plain[..1000])?, lz4(&[])?, lz4(&plain[1000..])?]),
        ] {
            let whole = parts.concat();
            assert_eq!(Codec::of(&whole), Some(codec));
            for (step, most) in [(1, 1 << 16), (7, 10), (1 << 20, 1 << 10), (1 << 20, 1 << 30)] {
                let made =
                    decompressed(codec, &whole, step, most).map_err(|e| e.at(format!("{codec:?} {step} {most}")))?;
                assert!(made == plain, "{codec:?} {step} {most}");
            }
            for cut in [1, 8, parts[0].len() - 1, parts[0].len() + 3, whole.len() - 1, whole.len() - 9] {
                assert!(decompressed(codec, &whole[..cut], 1 << 20, 1 << 20).is_err(), "{codec:?} cut at {cut}");
            }
        }
        Ok(())
    }

    /// Text of many blocks and members: 40 MB.
    fn long() -> Vec<u8> {
        let mut state = 1_u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            state >> 33
        };
        let words: Vec<String> = (0..3000).map(|_| format!("{:x} ", next() % 0xFF_FFFF)).collect();
        let mut text = Vec::new();
        while text.len() < 40 << 20 {
            text.extend_from_slice(words[(next() % 3000) as usize].as_bytes());
        }
        text
    }

    /// What a file has from a point on.
    fn from(codec: Codec, point: &Point, bytes: &[u8]) -> Result<Vec<u8>> {
        let mut decompressor = Decompressor::resume(codec, point)?;
        let (mut input, mut out) = (&bytes[point.at as usize..], Vec::new());
        loop {
            let before = out.len();
            let used = decompressor.run(&input[..input.len().min(333_333)], &mut out, before + (1 << 20))?;
            input = &input[used..];
            if used == 0 && out.len() == before {
                decompressor.finish(&mut out)?;
                return Ok(out);
            }
        }
    }

    #[test]
    fn a_file_goes_on_from_each_of_its_points() -> Result<()> {
        let plain = long();
        let failed = |e: std::io::Error| Error::internal(e.to_string());
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&plain).map_err(failed)?;
        let mut bzip2 = ::bzip2::write::BzEncoder::new(Vec::new(), ::bzip2::Compression::fast());
        bzip2.write_all(&plain).map_err(failed)?;
        let zstd: Vec<u8> =
            plain.chunks(5 << 20).flat_map(|part| zstd::encode_all(part, 1).unwrap_or_default()).collect();
        let (gzip, bzip2) = (gzip.finish().map_err(failed)?, bzip2.finish().map_err(failed)?);
        for (codec, bytes) in [(Codec::Gzip, gzip), (Codec::Bzip2, bzip2), (Codec::Zstd, zstd)] {
            let mut decompressor = Decompressor::new(codec)?;
            decompressor.learn_after(0);
            let (mut input, mut made, mut points) = (&bytes[..], 0, Vec::new());
            loop {
                let mut out = Vec::new();
                let used = decompressor.run(&input[..input.len().min(70_001)], &mut out, 1 << 20)?;
                input = &input[used..];
                assert!(out == plain[made..made + out.len()], "{codec:?} at {made}");
                made += out.len();
                points.append(&mut decompressor.learnt.points);
                if used == 0 && out.is_empty() {
                    break;
                }
            }
            assert_eq!((made, points.len() >= 3), (plain.len(), true), "{codec:?}: {} points", points.len());
            let known = Points::default();
            known.found(points.clone());
            let again = Points::decoded(&known.encoded()).ok_or_else(|| Error::internal("what was kept"))?;
            for point in &points {
                let kept = again.before(point.out).ok_or_else(|| Error::internal("no point"))?;
                assert_eq!((kept.at, kept.out), (point.at, point.out));
                assert!(from(codec, &kept, &bytes)? == plain[kept.out as usize..], "{codec:?} from {}", kept.out);
            }
        }
        Ok(())
    }

    #[test]
    fn the_blocks_of_xz_are_found_by_its_index() -> Result<()> {
        use liblzma::stream::Check;
        let plain = long();
        // A flush ends a block.
        let stream = |all: &[u8]| -> Result<Vec<u8>> {
            let failed = |e: liblzma::stream::Error| Error::internal(e.to_string());
            let (mut encoder, mut out) = (Xz::new_easy_encoder(0, Check::Crc64).map_err(failed)?, Vec::new());
            let parts = all.chunks(3 << 20).map(|part| (part, Action::FullFlush)).chain([(&[][..], Action::Finish)]);
            for (mut part, action) in parts {
                loop {
                    out.reserve(1 << 20);
                    let before = encoder.total_in();
                    let status = encoder.process_vec(part, &mut out, action).map_err(failed)?;
                    part = &part[(encoder.total_in() - before) as usize..];
                    if status == XzStatus::StreamEnd {
                        break;
                    }
                }
            }
            Ok(out)
        };
        let (first, rest) = plain.split_at(15 << 20);
        // Two streams, zeros between them and at the end.
        let bytes = [stream(first)?, vec![0; 8], stream(rest)?, vec![0; 4]].concat();
        let mut index = xz::Index::new(bytes.len() as u64);
        while let Some(range) = index.need() {
            index.push(&bytes[range.start as usize..range.end as usize]);
        }
        let points = index.points();
        assert!(points.len() >= 4, "{} points", points.len());
        for point in &points {
            let out = from(Codec::Xz, point, &bytes)?;
            assert!(out == plain[point.out as usize..], "from {}: {} bytes", point.out, out.len());
        }
        // Nor has one of which the index, or what says where it is, is damaged.
        for back in (13..60).chain([1, 3, 5, 9, 12]) {
            let mut damaged = bytes[..bytes.len() - 4].to_vec();
            let at = damaged.len() - back;
            damaged[at] ^= 4;
            let mut index = xz::Index::new(damaged.len() as u64);
            while let Some(range) = index.need() {
                index.push(&damaged[range.start as usize..range.end as usize]);
            }
            assert!(index.points().is_empty(), "{back} bytes before the end");
        }
        // What is no xz has no points, whatever its end says.
        for cut in [0, 1, 11, 12, 13, 24, 100, bytes.len() - 5, bytes.len() - 1] {
            let mut index = xz::Index::new(cut as u64);
            while let Some(range) = index.need() {
                index.push(&bytes[range.start as usize..range.end as usize]);
            }
            assert!(index.points().is_empty());
        }
        Ok(())
    }
}
