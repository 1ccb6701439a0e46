//! One page: its header, read and checked against the bytes that are there, and its rows, counted.

use bytes::Bytes;
use parquet::basic::{Compression, Encoding, Type};
use parquet::column::page::Page;
use parquet::schema::types::ColumnDescriptor;

use super::codec::decompress;
use super::thrift::{Reader, Stop};
use crate::error::{Error, Result};

/// A page header may not be longer. Statistics of long strings are in it.
const LONGEST_HEADER: usize = 16 << 20;

/// The header of a page.
#[derive(Debug, Clone, Default)]
pub(super) struct Header {
    kind: i32,
    uncompressed: usize,
    pub(super) compressed: usize,
    crc: Option<u32>,
    pub(super) values: u32,
    encoding: i32,
    def_encoding: i32,
    rep_encoding: i32,
    nulls: u32,
    rows: u32,
    def_bytes: u32,
    rep_bytes: u32,
    stored: bool,
    sorted: bool,
    /// The length of the header itself.
    pub(super) length: usize,
}

const DATA: i32 = 0;
const DICTIONARY: i32 = 2;
const DATA_V2: i32 = 3;

impl Header {
    /// Reads a header; `None` where more bytes are needed.
    pub(super) fn parse(bytes: &[u8]) -> Result<Option<Self>> {
        let mut reader = Reader::new(bytes);
        match Self::read(&mut reader) {
            Ok(mut header) => {
                header.length = reader.at;
                Ok(Some(header))
            }
            Err(Stop::Short) if bytes.len() < LONGEST_HEADER => Ok(None),
            Err(Stop::Short) => Err(Error::data(format!("a page header of more than {LONGEST_HEADER} bytes"))),
            Err(Stop::Bad(what)) => Err(Error::data(format!("a malformed page header: {what}"))),
        }
    }

    fn read(reader: &mut Reader) -> std::result::Result<Self, Stop> {
        let size = |n: i32| u32::try_from(n).map_err(|_| Stop::Bad("a size below zero"));
        let mut header = Self { kind: -1, encoding: -1, ..Self::default() };
        let (mut last, mut sizes, mut body) = (0, (None, None), None);
        while let Some(field) = reader.field(&mut last)? {
            match field.id {
                1 => header.kind = reader.i32(&field)?,
                2 => sizes.0 = Some(size(reader.i32(&field)?)?),
                3 => sizes.1 = Some(size(reader.i32(&field)?)?),
                4 => header.crc = Some(reader.i32(&field)?.cast_unsigned()),
                id @ (5 | 7 | 8) => {
                    Reader::enter(&field)?;
                    body = Some(id);
                    let mut last = 0;
                    while let Some(field) = reader.field(&mut last)? {
                        match (id, field.id) {
                            (_, 1) => header.values = size(reader.i32(&field)?)?,
                            (5 | 7, 2) | (8, 4) => header.encoding = reader.i32(&field)?,
                            (5, 3) => header.def_encoding = reader.i32(&field)?,
                            (5, 4) => header.rep_encoding = reader.i32(&field)?,
                            (7, 3) => header.sorted = Reader::bool(&field)?,
                            (8, 2) => header.nulls = size(reader.i32(&field)?)?,
                            (8, 3) => header.rows = size(reader.i32(&field)?)?,
                            (8, 5) => header.def_bytes = size(reader.i32(&field)?)?,
                            (8, 6) => header.rep_bytes = size(reader.i32(&field)?)?,
                            (8, 7) => header.stored = !Reader::bool(&field)?,
                            _ => reader.skip(&field)?,
                        }
                    }
                }
                _ => reader.skip(&field)?,
            }
        }
        let (Some(uncompressed), Some(compressed)) = sizes else { return Err(Stop::Bad("a page without its sizes")) };
        (header.uncompressed, header.compressed) = (uncompressed as usize, compressed as usize);
        let expected = match header.kind {
            DATA => Some(5),
            DICTIONARY => Some(7),
            DATA_V2 => Some(8),
            _ => body,
        };
        if body != expected {
            return Err(Stop::Bad("a page without the header of its type"));
        }
        Ok(header)
    }

    pub(super) fn is_dictionary(&self) -> bool {
        self.kind == DICTIONARY
    }

    pub(super) fn is_data(&self) -> bool {
        self.kind == DATA || self.kind == DATA_V2
    }

    pub(super) fn is_v2(&self) -> bool {
        self.kind == DATA_V2
    }

    /// The bytes of the page once decompressed.
    pub(super) fn size(&self) -> usize {
        self.uncompressed
    }

    /// Checks and decompresses the page's body.
    pub(super) fn page(&self, body: &Bytes, codec: Compression, column: &ColumnDescriptor) -> Result<Page> {
        if let Some(crc) = self.crc
            && crc32fast::hash(body) != crc
        {
            return Err(Error::data("the page's bytes do not match its checksum: the file is damaged"));
        }
        let encoding = encoding(self.encoding)?;
        let levels = if self.is_v2() { (self.rep_bytes as usize).saturating_add(self.def_bytes as usize) } else { 0 };
        let Some(values) = self.uncompressed.checked_sub(levels).filter(|_| levels <= body.len()) else {
            return Err(Error::data("a page whose levels are longer than itself"));
        };
        let buf = if codec == Compression::UNCOMPRESSED || self.stored || (self.is_v2() && body.len() == levels) {
            if body.len() != self.uncompressed {
                return Err(Error::data(format!(
                    "an uncompressed page of {} bytes, its header says {}",
                    body.len(),
                    self.uncompressed
                )));
            }
            body.clone()
        } else if levels == 0 {
            decompress(codec, body, self.uncompressed)?
        } else {
            let values = decompress(codec, &body[levels..], values)?;
            [&body[..levels], &values].concat().into()
        };
        let page = match self.kind {
            DICTIONARY => {
                let least = match column.physical_type() {
                    Type::BYTE_ARRAY | Type::INT32 | Type::FLOAT => 4,
                    Type::INT64 | Type::DOUBLE => 8,
                    Type::INT96 => 12,
                    Type::FIXED_LEN_BYTE_ARRAY => column.type_length().max(0) as usize,
                    Type::BOOLEAN => return Err(Error::data("a dictionary of true and false")),
                };
                if (self.values as usize).saturating_mul(least) > buf.len() || (least == 0 && self.values > 1) {
                    return Err(Error::data(format!(
                        "a dictionary of {} bytes cannot have {} values",
                        buf.len(),
                        self.values
                    )));
                }
                Page::DictionaryPage { buf, num_values: self.values, encoding, is_sorted: self.sorted }
            }
            DATA => Page::DataPage {
                buf,
                num_values: self.values,
                encoding,
                def_level_encoding: self::encoding(self.def_encoding)?,
                rep_level_encoding: self::encoding(self.rep_encoding)?,
                statistics: None,
            },
            _ => {
                if self.nulls > self.values || self.rows > self.values {
                    return Err(Error::data(format!(
                        "a page of {} values with {} nulls and {} rows",
                        self.values, self.nulls, self.rows
                    )));
                }
                Page::DataPageV2 {
                    buf,
                    num_values: self.values,
                    encoding,
                    num_nulls: self.nulls,
                    num_rows: self.rows,
                    def_levels_byte_len: self.def_bytes,
                    rep_levels_byte_len: self.rep_bytes,
                    is_compressed: false,
                    statistics: None,
                }
            }
        };
        check_counts(&page, column)?;
        Ok(page)
    }
}

fn encoding(n: i32) -> Result<Encoding> {
    Ok(match n {
        0 => Encoding::PLAIN,
        2 => Encoding::PLAIN_DICTIONARY,
        3 => Encoding::RLE,
        #[expect(deprecated, reason = "old files have it")]
        4 => Encoding::BIT_PACKED,
        5 => Encoding::DELTA_BINARY_PACKED,
        6 => Encoding::DELTA_LENGTH_BYTE_ARRAY,
        7 => Encoding::DELTA_BYTE_ARRAY,
        8 => Encoding::RLE_DICTIONARY,
        9 => Encoding::BYTE_STREAM_SPLIT,
        _ => return Err(Error::data(format!("a page of encoding {n}, which does not exist"))),
    })
}

/// The repetition levels, the definition levels and the values of a page.
pub(super) fn parts<'a>(page: &'a Page, column: &ColumnDescriptor) -> Result<(&'a [u8], &'a [u8], &'a [u8])> {
    let short = || Error::data("a page whose levels are longer than itself");
    match page {
        Page::DataPage { buf, num_values, def_level_encoding, rep_level_encoding, .. } => {
            let mut rest: &[u8] = buf;
            let mut level = |most: i16, encoding: &Encoding| -> Result<&'a [u8]> {
                if most == 0 {
                    return Ok(&[]);
                }
                #[expect(deprecated, reason = "old files have it")]
                let (length, after) = if *encoding == Encoding::BIT_PACKED {
                    ((*num_values as usize * width(most) as usize).div_ceil(8), rest)
                } else {
                    let (head, after) = rest.split_first_chunk::<4>().ok_or_else(short)?;
                    (u32::from_le_bytes(*head) as usize, after)
                };
                let (levels, after) = after.split_at_checked(length).ok_or_else(short)?;
                rest = after;
                Ok(levels)
            };
            let rep = level(column.max_rep_level(), rep_level_encoding)?;
            let def = level(column.max_def_level(), def_level_encoding)?;
            Ok((rep, def, rest))
        }
        Page::DataPageV2 { buf, rep_levels_byte_len, def_levels_byte_len, .. } => {
            let (rep, rest) = buf.split_at_checked(*rep_levels_byte_len as usize).ok_or_else(short)?;
            let (def, values) = rest.split_at_checked(*def_levels_byte_len as usize).ok_or_else(short)?;
            Ok((rep, def, values))
        }
        Page::DictionaryPage { buf, .. } => Ok((&[], &[], buf)),
    }
}

/// The counts inside a page, by which the `parquet` crate takes memory, are checked before it sees them.
fn check_counts(page: &Page, column: &ColumnDescriptor) -> Result<()> {
    let (_, _, values) = parts(page, column)?;
    let streams = match page.encoding() {
        _ if !page.is_data_page() || values.is_empty() => 0,
        Encoding::DELTA_BINARY_PACKED | Encoding::DELTA_LENGTH_BYTE_ARRAY => 1,
        // The lengths of prefixes, then those of suffixes.
        Encoding::DELTA_BYTE_ARRAY => 2,
        _ => 0,
    };
    let mut at = 0;
    for _ in 0..streams {
        at = delta_stream(values, at, page.num_values().into()).ok_or_else(|| {
            Error::data(format!(
                "a delta-encoded page of {} values with a header that does not fit it",
                page.num_values()
            ))
        })?;
    }
    Ok(())
}

/// Walks one delta-packed stream of at most `most` numbers from `at` on; gives where it ends.
fn delta_stream(bytes: &[u8], at: usize, most: u64) -> Option<usize> {
    let mut reader = Reader::new(bytes);
    reader.at = at;
    let mut varint = || reader.varint().ok();
    let (block, minis, count, _) = (varint()?, varint()?, varint()?, varint()?);
    let sound = block > 0
        && block % 128 == 0
        && block <= 1 << 24
        && minis > 0
        && block % minis == 0
        && (block / minis) % 8 == 0;
    if !sound || count > most {
        return None;
    }
    let each = block / minis;
    let mut left = count.saturating_sub(1);
    while left > 0 {
        reader.varint().ok()?;
        let widths = bytes.get(reader.at..reader.at.checked_add(minis as usize)?)?;
        reader.at += minis as usize;
        for width in widths {
            if left == 0 {
                break;
            }
            reader.at = reader.at.checked_add((each / 8 * u64::from(*width)) as usize)?;
            left = left.saturating_sub(each);
        }
    }
    // The last miniblock may be cut short, where nothing follows it.
    Some(reader.at.min(bytes.len()))
}

fn width(most: i16) -> u32 {
    u16::BITS - most.cast_unsigned().leading_zeros()
}

/// The rows of a page of a repeated column.
pub(super) struct Records {
    /// How many begin in it.
    pub(super) rows: u64,
    /// Whether its first value begins one.
    pub(super) boundary: bool,
    /// Values of the last row so far, where runs tell; what is packed has bytes for each.
    pub(super) open: u64,
}

/// Counts the rows of a page. `open`: values that its first row had before; `most`: values that a row may have.
pub(super) fn records(page: &Page, column: &ColumnDescriptor, mut open: u64, most: u64) -> Result<Records> {
    let bad = || Error::data("malformed repetition levels");
    let (levels, _, _) = parts(page, column)?;
    let (width, mut left) = (width(column.max_rep_level()), u64::from(page.num_values()));
    #[expect(deprecated, reason = "old files have it")]
    if matches!(page, Page::DataPage { rep_level_encoding: Encoding::BIT_PACKED, .. }) {
        return Err(Error::data("repetition levels of the deprecated encoding BIT_PACKED"));
    }
    let (mut rows, mut first, mut at) = (0, None, 0);
    while left > 0 {
        let mut head = 0_u64;
        for shift in (0..35).step_by(7) {
            let byte = *levels.get(at).ok_or_else(bad)?;
            at += 1;
            head |= u64::from(byte & 0x7F) << shift;
            if byte < 0x80 {
                break;
            }
        }
        if head & 1 == 0 {
            // A run of one level, in as many bytes as its width needs.
            let bytes = width.div_ceil(8) as usize;
            let value = levels.get(at..at + bytes).ok_or_else(bad)?.iter().all(|b| *b == 0);
            at += bytes;
            let n = (head >> 1).min(left);
            if n == 0 {
                return Err(bad());
            }
            first.get_or_insert(value);
            rows += if value { n } else { 0 };
            open = if value { 1 } else { open.saturating_add(n) };
            if open > most {
                return Err(Error::data(format!(
                    "a row with a list of {open} items and more is larger than ROWSTREAM_MEMORY allows for one; raise \
                     it to read this file"
                )));
            }
            left -= n;
        } else {
            // Groups of eight levels, packed from the lowest bit up.
            let n = ((head >> 1) * 8).min(left);
            let bytes = usize::try_from((n * u64::from(width)).div_ceil(8)).map_err(|_| bad())?;
            let packed = levels.get(at..at + bytes).ok_or_else(bad)?;
            at += ((head >> 1) * u64::from(width)) as usize;
            if n == 0 {
                return Err(bad());
            }
            let zeros = if width == 1 {
                let ones: u64 = packed.iter().map(|b| u64::from(b.count_ones())).sum();
                // Bits after the last level do not count.
                let beyond = (packed.len() as u64 * 8 - n) as u32;
                let tail = if beyond == 0 {
                    0
                } else {
                    packed.last().map_or(0, |b| u64::from((b >> (8 - beyond)).count_ones()))
                };
                n - (ones - tail)
            } else {
                (0..n).filter(|i| level(packed, i * u64::from(width), width) == 0).count() as u64
            };
            first.get_or_insert(level(packed, 0, width) == 0);
            rows += zeros;
            open = if zeros > 0 { 0 } else { open.saturating_add(n) };
            left -= n;
        }
    }
    Ok(Records { rows, boundary: first.unwrap_or(true), open })
}

fn level(packed: &[u8], bit: u64, width: u32) -> u32 {
    let at = (bit / 8) as usize;
    let word = (0..3).fold(0_u32, |word, i| word | u32::from(packed.get(at + i).copied().unwrap_or(0)) << (8 * i));
    (word >> (bit % 8)) & ((1 << width) - 1)
}
