//! Decompression of pages. A page's size is what its header claims, so memory is taken as bytes really come out.

use std::cell::RefCell;
use std::io::Read;

use bytes::Bytes;
use parquet::basic::Compression;

use super::super::compress::{Codec, decompressed};
use crate::error::{Error, Kind, Result};
use crate::pool::Buffer;

/// Output is reserved at most this far ahead of what has been decompressed.
const AHEAD: usize = 4 << 20;

/// Decompresses one page body that shall have `size` bytes.
pub(super) fn decompress(codec: Compression, input: &[u8], size: usize) -> Result<Bytes> {
    let bad = |what: String| Error::data(format!("{codec} page of {} bytes: {what}", input.len()));
    let wrong = |found: usize| bad(format!("gave {found} bytes, its header says {size}"));
    // What a page can only claim so many times its own length is written where it will stay; the rest is read as it
    // comes.
    let bounded = |most: usize, into: &mut dyn FnMut(&mut [u8]) -> Result<usize, String>| {
        check_ratio(size, input.len(), most).map_err(bad)?;
        let mut out = Buffer::of(size);
        let found = into(out.as_mut()).map_err(bad)?;
        if found == size { Ok(out.share()) } else { Err(wrong(found)) }
    };
    let out = match codec {
        Compression::SNAPPY => {
            return bounded(64, &mut |out| match snap::raw::decompress_len(input) {
                Ok(found) if found == size => {
                    snap::raw::Decoder::new().decompress(input, out).map_err(|e| e.to_string())
                }
                Ok(found) => Ok(found),
                Err(e) => Err(e.to_string()),
            });
        }
        Compression::LZ4_RAW => {
            return bounded(256, &mut |out| lz4_flex::block::decompress_into(input, out).map_err(|e| e.to_string()));
        }
        Compression::ZSTD(_) if size <= AHEAD => {
            thread_local! {
                static ZSTD: RefCell<Option<zstd::bulk::Decompressor<'static>>> = const { RefCell::new(None) };
            }
            return bounded(usize::MAX, &mut |out| {
                ZSTD.with_borrow_mut(|zstd| {
                    let zstd = match zstd {
                        Some(zstd) => zstd,
                        None => zstd.insert(zstd::bulk::Decompressor::new().map_err(|e| e.to_string())?),
                    };
                    zstd.decompress_to_buffer(input, out).map_err(|e| e.to_string())
                })
            });
        }
        Compression::ZSTD(_) => {
            read(zstd::stream::read::Decoder::with_buffer(input).map_err(|e| bad(e.to_string()))?, size).map_err(bad)?
        }
        Compression::GZIP(_) => decompressed(Codec::Gzip, input, size).map_err(|e| bad(e.to_string()))?,
        Compression::BROTLI(_) => read(brotli_decompressor::Decompressor::new(input, 64 << 10), size).map_err(bad)?,
        Compression::LZ4 => lz4_hadoop(input, size)
            .or_else(|_| read(lz4_flex::frame::FrameDecoder::new(input), size))
            .or_else(|_| lz4_block(input, size))
            .map_err(bad)?,
        other => return Err(Error::new(Kind::Unsupported, format!("pages compressed with {other} are not read"))),
    };
    if out.len() != size {
        return Err(wrong(out.len()));
    }
    Ok(out.into())
}

/// No codec of this kind gives more than `most` bytes for one.
fn check_ratio(size: usize, input: usize, most: usize) -> Result<(), String> {
    if size > input.saturating_mul(most) {
        return Err(format!("claims {size} bytes, more than it can hold"));
    }
    Ok(())
}

fn lz4_block(input: &[u8], size: usize) -> Result<Vec<u8>, String> {
    check_ratio(size, input.len(), 256)?;
    lz4_flex::block::decompress(input, size).map_err(|e| e.to_string())
}

/// Hadoop's framing: blocks, each after its two lengths, big endian.
fn lz4_hadoop(mut input: &[u8], size: usize) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    while out.len() < size {
        let (head, rest) = input.split_at_checked(8).ok_or("cut short")?;
        let length = |at: usize| u32::from_be_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]) as usize;
        let (block, rest) = rest.split_at_checked(length(4)).ok_or("cut short")?;
        if length(0) > size - out.len() || length(0) == 0 {
            return Err("blocks longer than the page".into());
        }
        out.extend(lz4_block(block, length(0))?);
        input = rest;
    }
    Ok(out)
}

/// Reads a stream that shall give `size` bytes; one more is read to see that it ends there.
fn read(from: impl Read, size: usize) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    let mut from = from.take(size as u64 + 1);
    loop {
        let before = out.len();
        out.try_reserve((size - before.min(size)).clamp(1, AHEAD)).map_err(|e| e.to_string())?;
        let room = (out.capacity() - before) as u64;
        if (&mut from).take(room).read_to_end(&mut out).map_err(|e| e.to_string())? == 0 || out.len() > size {
            return Ok(out);
        }
    }
}
