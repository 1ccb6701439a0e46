//! What servers do to a body on its way, and what undoes it. They are asked for the bytes as they are; some compress
//! them all the same.

use bytes::Bytes;
use flate2::{Decompress, FlushDecompress, Status};
use futures_util::{StreamExt, stream};
use http::{HeaderMap, header};

use super::Body;
use super::client::Failure;
use crate::error::{Error, Kind, Result};
use crate::format::compress::{Codec, Decompressor};

/// Bytes that are made at once.
const BLOCK: usize = 256 << 10;

/// What was done to a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    Codec(Codec),
    /// RFC 1950; by some, RFC 1951.
    Deflate,
}

/// What headers say was done to a body, in that order.
pub(super) fn of(headers: &HeaderMap) -> Result<Vec<Coding>> {
    let said = headers
        .get_all(header::CONTENT_ENCODING)
        .iter()
        .map(|value| String::from_utf8_lossy(value.as_bytes()).to_ascii_lowercase());
    let mut made = Vec::new();
    for coding in said.collect::<Vec<_>>().join(",").split(',').map(str::trim) {
        match coding {
            // A store keeps how an object was sent to it: what it sends has no such chunks.
            "" | "identity" | "aws-chunked" => {}
            "gzip" | "x-gzip" => made.push(Coding::Codec(Codec::Gzip)),
            "zstd" => made.push(Coding::Codec(Codec::Zstd)),
            "deflate" => made.push(Coding::Deflate),
            other => {
                let what = format!(
                    "the server compresses what it sends ({other}), though it was asked not to, in a way that is not \
                     undone"
                );
                return Err(Error::new(Kind::Unsupported, what));
            }
        }
    }
    Ok(made)
}

/// A body as it was before.
pub(super) fn undone(body: Body, codings: &[Coding]) -> Result<Body> {
    codings.iter().rev().try_fold(body, |body, coding| {
        let decoder = match coding {
            Coding::Codec(codec) => Decoder::Codec(Decompressor::new(*codec)?),
            Coding::Deflate => Decoder::Deflate(None),
        };
        let undoing = Undoing { body, decoder, rest: Bytes::new(), begun: false, ended: false };
        Ok(stream::try_unfold(undoing, |mut undoing| async move {
            Ok::<_, Failure>(undoing.next().await?.map(|bytes| (bytes, undoing)))
        })
        .boxed())
    })
}

enum Decoder {
    Codec(Decompressor),
    /// What its first byte says it is; and whether it has ended.
    Deflate(Option<(Decompress, bool)>),
}

impl Decoder {
    /// Decodes a part of `input` until about a block is made; gives how much of it was used.
    fn run(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<usize> {
        let decoder = match self {
            Self::Codec(codec) => return codec.run(input, out, BLOCK),
            Self::Deflate(decoder) => decoder,
        };
        let Some(first) = input.first() else { return Ok(0) };
        let (inflate, ended) = decoder.get_or_insert_with(|| (Decompress::new(first & 0x0F == 8), false));
        if *ended {
            return Err(Error::data("bytes follow their end"));
        }
        out.reserve(BLOCK);
        let before = inflate.total_in();
        let status =
            inflate.decompress_vec(input, out, FlushDecompress::None).map_err(|e| Error::data(e.to_string()))?;
        *ended = matches!(status, Status::StreamEnd);
        Ok((inflate.total_in() - before) as usize)
    }

    fn finish(&mut self, out: &mut Vec<u8>) -> Result<()> {
        match self {
            Self::Codec(codec) => codec.finish(out),
            Self::Deflate(Some((_, true))) => Ok(()),
            Self::Deflate(_) => Err(Error::data("they end in the middle")),
        }
    }
}

/// A body that is decoded as it comes.
struct Undoing {
    body: Body,
    decoder: Decoder,
    /// What came and is not decoded yet.
    rest: Bytes,
    /// Whether anything came: nothing at all stands for nothing.
    begun: bool,
    ended: bool,
}

impl Undoing {
    async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        while !self.ended {
            let mut out = Vec::new();
            let wrong = |e: Error| {
                Error::data(format!(
                    "the server says that it compresses what it sends, and that cannot be undone: {}",
                    e.message()
                ))
            };
            let used = self.decoder.run(&self.rest, &mut out).map_err(wrong)?;
            self.rest = self.rest.slice(used..);
            if out.is_empty() && self.rest.is_empty() {
                if let Some(bytes) = self.body.next().await.transpose()? {
                    (self.rest, self.begun) = (bytes, true);
                } else {
                    if self.begun {
                        self.decoder.finish(&mut out).map_err(|_| Failure::soon("the answer was cut"))?;
                    }
                    self.ended = true;
                }
            }
            if !out.is_empty() {
                return Ok(Some(out.into()));
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn headers(values: &[&str]) -> HeaderMap {
        values.iter().map(|value| (header::CONTENT_ENCODING, value.parse().unwrap())).collect()
    }

    fn undo(parts: Vec<Vec<u8>>, codings: &[Coding]) -> Result<Vec<u8>, Failure> {
        let body = stream::iter(parts.into_iter().map(|part| Ok(Bytes::from(part)))).boxed();
        let mut body = undone(body, codings)?;
        futures_util::FutureExt::now_or_never(async move {
            let mut made = Vec::new();
            while let Some(bytes) = body.next().await.transpose()? {
                made.extend_from_slice(&bytes);
            }
            Ok::<_, Failure>(made)
        })
        .unwrap()
    }

    #[test]
    fn what_headers_say() {
        let gzip = Coding::Codec(Codec::Gzip);
        assert_eq!(of(&headers(&[])).unwrap(), []);
        assert_eq!(of(&headers(&["", "identity", "aws-chunked"])).unwrap(), []);
        assert_eq!(of(&headers(&["GZIP, aws-chunked"])).unwrap(), [gzip]);
        assert_eq!(of(&headers(&["aws-chunked,x-gzip", "deflate"])).unwrap(), [gzip, Coding::Deflate]);
        assert!(of(&headers(&["gzip, of-tomorrow"])).unwrap_err().to_string().contains("of-tomorrow"));
    }

    #[test]
    fn bodies_as_they_were() {
        let plain: Vec<u8> = (0..300_000_u32).flat_map(|i| (i % 977).to_le_bytes()).collect();
        let gzip = |bytes: &[u8]| {
            let mut made = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            made.write_all(bytes).unwrap();
            made.finish().unwrap()
        };
        let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        zlib.write_all(&plain).unwrap();
        let mut raw = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
        raw.write_all(&plain).unwrap();
        let (once, twice) = (Coding::Codec(Codec::Gzip), [Coding::Codec(Codec::Gzip); 2]);
        for (packed, codings) in [
            (gzip(&plain), &[once][..]),
            (gzip(&gzip(&plain)), &twice[..]),
            (zstd::encode_all(&*plain, 1).unwrap(), &[Coding::Codec(Codec::Zstd)][..]),
            (zlib.finish().unwrap(), &[Coding::Deflate][..]),
            (raw.finish().unwrap(), &[Coding::Deflate][..]),
            (plain.clone(), &[][..]),
        ] {
            for size in [1000, 1 << 16, packed.len()] {
                let parts = packed.chunks(size).map(<[u8]>::to_vec).collect();
                assert!(undo(parts, codings).unwrap() == plain, "{codings:?} in parts of {size}");
            }
            if !codings.is_empty() {
                assert!(undo(vec![packed[..packed.len() / 2].to_vec()], codings).is_err(), "{codings:?}, cut");
                assert!(undo(vec![b"plain".to_vec()], codings).is_err(), "{codings:?}, a lie");
                assert_eq!(undo(vec![], codings).unwrap(), b"", "{codings:?}, nothing");
            }
        }
    }
}
