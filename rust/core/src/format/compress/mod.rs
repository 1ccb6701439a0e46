//! Compression on the fly: several members, streams or frames one after another are one stream.

mod lz4;

use std::io::Write;

use bzip2::Decompress as Bzip2;
use flate2::write::MultiGzDecoder;
use flate2::{Decompress as Deflate, FlushDecompress};
use liblzma::stream::{Action, CONCATENATED, Status as XzStatus, Stream as Xz};
use zstd::stream::raw::{Decoder as Zstd, InBuffer, Operation, OutBuffer};

pub use crate::codec::Codec;
use crate::error::{Error, Result};
use lz4::Frames;

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
}

enum Inner {
    Gzip(Box<MultiGzDecoder<Vec<u8>>>),
    Zstd(Zstd<'static>),
    Bzip2(Bzip2),
    Xz(Xz),
    Lz4(Box<Frames>),
    Deflate(Deflate, crc32fast::Hasher, u32),
}

/// What is given to the gzip decoder at once: it can become a thousand times as much.
const SIP: usize = 4 << 10;

fn damaged(e: impl std::fmt::Display) -> Error {
    Error::data(format!("the compressed data are damaged: {e}"))
}

impl Decompressor {
    pub(crate) fn new(codec: Codec) -> Result<Self> {
        let codec = match codec {
            Codec::Gzip => Inner::Gzip(Box::new(MultiGzDecoder::new(Vec::new()))),
            Codec::Zstd => Inner::Zstd(Zstd::new().map_err(|e| Error::internal(e.to_string()))?),
            Codec::Bzip2 => Inner::Bzip2(Bzip2::new(false)),
            Codec::Xz => {
                Inner::Xz(Xz::new_stream_decoder(XZ_MEMORY, CONCATENATED).map_err(|e| Error::internal(e.to_string()))?)
            }
            Codec::Lz4 => Inner::Lz4(Box::default()),
            Codec::Deflate { crc } => Inner::Deflate(Deflate::new(false), crc32fast::Hasher::new(), crc),
        };
        Ok(Self { codec, whole: true })
    }

    /// Decompresses a part of `input` until about `most` bytes are made; gives how much of it was used.
    pub(crate) fn run(&mut self, input: &[u8], out: &mut Vec<u8>, most: usize) -> Result<usize> {
        let mut used = 0;
        match &mut self.codec {
            Inner::Gzip(decoder) => {
                std::mem::swap(decoder.get_mut(), out);
                while used < input.len() && decoder.get_ref().len() < most {
                    let sip = &input[used..input.len().min(used + SIP)];
                    decoder.write_all(sip).map_err(damaged)?;
                    used += sip.len();
                }
                if used > 0 {
                    // What the decoder holds back is written when it is flushed.
                    decoder.flush().map_err(damaged)?;
                }
                std::mem::swap(decoder.get_mut(), out);
            }
            Inner::Zstd(decoder) => {
                let mut input = InBuffer::around(input);
                loop {
                    let start = out.len();
                    out.reserve(most.saturating_sub(start).max(1));
                    let mut output = OutBuffer::around_pos(out, start);
                    let before = input.pos();
                    let hint = decoder.run(&mut input, &mut output).map_err(damaged)?;
                    let end = output.pos();
                    if input.pos() > before || end > start {
                        self.whole = hint == 0;
                    }
                    if end >= most || (input.pos() == before && end == start) {
                        break;
                    }
                }
                used = input.pos();
            }
            Inner::Lz4(frames) => {
                used = frames.run(input, out, most)?;
                self.whole = frames.whole();
            }
            inner => {
                // These fill what room there is in `out`.
                while out.len() < most {
                    let start = out.len();
                    out.reserve((most - start).min(SLICE));
                    let n = step(inner, &input[used..], out, &mut self.whole)?;
                    used += n;
                    if n == 0 && out.len() == start {
                        break;
                    }
                }
            }
        }
        Ok(used)
    }

    /// The input has ended: it must have ended with a whole member.
    pub(crate) fn finish(&mut self, out: &mut Vec<u8>) -> Result<()> {
        let cut = || Error::data("the compressed data end in the middle: the file was cut");
        match &mut self.codec {
            Inner::Gzip(decoder) => {
                decoder.try_finish().map_err(|_| cut())?;
                out.append(decoder.get_mut());
            }
            Inner::Xz(decoder) if self.whole => {
                // Only now is it known that no other stream follows.
                out.reserve(1);
                match decoder.process_vec(&[], out, Action::Finish) {
                    Ok(XzStatus::StreamEnd) => {}
                    _ => return Err(cut()),
                }
            }
            _ if !self.whole => return Err(cut()),
            _ => {}
        }
        Ok(())
    }
}

/// One step of a codec that writes into the room that a vector has; gives how much of the input it used.
fn step(codec: &mut Inner, input: &[u8], out: &mut Vec<u8>, whole: &mut bool) -> Result<usize> {
    match codec {
        Inner::Bzip2(decoder) => {
            // A stream that has ended, and another that follows.
            if *whole && decoder.total_in() > 0 {
                if input.is_empty() {
                    return Ok(0);
                }
                *decoder = Bzip2::new(false);
            }
            if *whole && input.is_empty() {
                return Ok(0);
            }
            let before = decoder.total_in();
            let status = decoder.decompress_vec(input, out).map_err(damaged)?;
            *whole = matches!(status, bzip2::Status::StreamEnd);
            Ok((decoder.total_in() - before) as usize)
        }
        Inner::Xz(decoder) => {
            let before = decoder.total_in();
            match decoder.process_vec(input, out, Action::Run) {
                // No input, and no room that it needs: it waits.
                Ok(_) => {}
                Err(liblzma::stream::Error::MemLimit) => {
                    return Err(Error::data(format!(
                        "the compressed data need a dictionary of more than {XZ_MEMORY} bytes; compress them with xz \
                         -9 or less"
                    )));
                }
                Err(e) => return Err(damaged(e)),
            }
            Ok((decoder.total_in() - before) as usize)
        }
        Inner::Deflate(decoder, hasher, crc) => {
            if *whole && decoder.total_in() > 0 {
                return if input.is_empty() { Ok(0) } else { Err(damaged("bytes follow their end")) };
            }
            let (before, start) = (decoder.total_in(), out.len());
            let status = decoder.decompress_vec(input, out, FlushDecompress::None).map_err(damaged)?;
            hasher.update(&out[start..]);
            *whole = matches!(status, flate2::Status::StreamEnd);
            if *whole && hasher.clone().finalize() != *crc {
                return Err(damaged("their checksum does not match"));
            }
            Ok((decoder.total_in() - before) as usize)
        }
        _ => Err(Error::internal("a codec without steps")),
    }
}

#[cfg(test)]
mod tests {
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
            let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
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
                assert!(decompressed(codec, &whole, step, most)? == plain, "{codec:?} {step} {most}");
            }
            for cut in [1, 8, parts[0].len() - 1, parts[0].len() + 3, whole.len() - 1, whole.len() - 9] {
                assert!(decompressed(codec, &whole[..cut], 1 << 20, 1 << 20).is_err(), "{codec:?} cut at {cut}");
            }
        }
        Ok(())
    }
}
