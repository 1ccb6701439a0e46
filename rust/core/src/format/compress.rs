//! gzip and Zstandard on the fly: several members or frames one after another are one stream.

use std::io::Write;

use flate2::write::MultiGzDecoder;
use zstd::stream::raw::{Decoder as Zstd, InBuffer, Operation, OutBuffer};

use crate::error::{Error, Result};

/// How the bytes of a file are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Codec {
    Gzip,
    Zstd,
}

impl Codec {
    /// What a file's first bytes say.
    pub(crate) fn of(head: &[u8]) -> Option<Self> {
        match head {
            [0x1F, 0x8B, ..] => Some(Self::Gzip),
            [0x28, 0xB5, 0x2F, 0xFD, ..] | [0x50..=0x5F, 0x2A, 0x4D, 0x18, ..] => Some(Self::Zstd),
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
}

/// What is given to the gzip decoder at once: it can become a thousand times as much.
const SIP: usize = 4 << 10;

impl Decompressor {
    pub(crate) fn new(codec: Codec) -> Result<Self> {
        let codec = match codec {
            Codec::Gzip => Inner::Gzip(Box::new(MultiGzDecoder::new(Vec::new()))),
            Codec::Zstd => Inner::Zstd(Zstd::new().map_err(|e| Error::internal(e.to_string()))?),
        };
        Ok(Self { codec, whole: true })
    }

    /// Decompresses a part of `input` until about `most` bytes are made; gives how much of it was used.
    pub(crate) fn run(&mut self, input: &[u8], out: &mut Vec<u8>, most: usize) -> Result<usize> {
        let damaged = |e: std::io::Error| Error::data(format!("the compressed data are damaged: {e}"));
        let mut used = 0;
        match &mut self.codec {
            Inner::Gzip(decoder) => {
                std::mem::swap(decoder.get_mut(), out);
                while used < input.len() && decoder.get_ref().len() < most {
                    let sip = &input[used..input.len().min(used + SIP)];
                    let result = decoder.write_all(sip);
                    if let Err(e) = result {
                        return Err(damaged(e));
                    }
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
            Inner::Zstd(_) if !self.whole => return Err(cut()),
            Inner::Zstd(_) => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
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
        let zstd = |bytes: &[u8]| zstd::encode_all(bytes, 1).map_err(|e| Error::internal(e.to_string()));
        for (codec, parts) in [
            (Codec::Gzip, [gzip(&plain[..1000])?, gzip(&[])?, gzip(&plain[1000..])?]),
            (Codec::Zstd, [zstd(&plain[..1000])?, zstd(&[])?, zstd(&plain[1000..])?]),
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
