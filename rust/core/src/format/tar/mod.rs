//! tar archives in the convention of WebDataset: members that stand together and have one key are one sample.

mod archive;
mod claim;
mod columns;
mod decoder;
mod header;
mod index;
mod kinds;
mod links;
mod members;
mod number;
mod sample;
mod sparse;
mod starts;

use serde::Deserialize;

use super::json::BOM;
use super::{Decoder, FileFacts, Format, Options, Probe, ProbeDepth, Source, too_large};
use crate::error::{Error, Result};
pub use decoder::TarDecoder;
use header::Naming;
pub(crate) use header::left_behind;
pub use index::Index;
pub(crate) use members::Members;

/// The bytes of a block, which headers and contents fill.
const BLOCK: usize = 512;

/// The column of the keys.
pub const KEY: &str = "__key__";

/// The column of the files.
pub const URL: &str = "__url__";

/// Whether a column says what a sample is called.
pub(crate) fn is_name(column: &str) -> bool {
    column == KEY || column == URL
}

/// The column of a sample's members, where they are not a column each.
pub const MEMBERS: &str = "__members__";

/// Archives of samples, in the convention of WebDataset.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WebDataset {
    /// Whether a sample is its members, with their names and their bytes, rather than a column each.
    members: bool,
    /// Whether an archive without an end marker is one that was cut.
    end_marker: bool,
    names: Naming,
}

impl Default for WebDataset {
    fn default() -> Self {
        Self { members: false, end_marker: true, names: Naming::Utf8 }
    }
}

impl Format for WebDataset {
    fn probe(&self, file: &FileFacts, depth: ProbeDepth) -> Result<Box<dyn Probe>> {
        Ok(Box::new(Index::new(file, depth == ProbeDepth::All, *self)?))
    }

    fn decoder(&self, piece: &Source, options: &Options) -> Result<Box<dyn Decoder>> {
        Ok(Box::new(TarDecoder::new(piece, options, *self)?))
    }

    fn row_starts(&self, piece: &Source) -> Result<Option<Box<dyn Probe>>> {
        if piece.unpacked.is_some() {
            return Ok(None);
        }
        Ok(Some(Box::new(starts::Starts::new(piece, *self)?)))
    }
}

/// Why an archive that ends at `at`, at the edge of a member, is not whole.
pub(crate) fn without_end(at: u64) -> Error {
    Error::data(format!(
        "the archive ends at byte {at} without its end marker: it was cut; end_marker=False takes such an archive for a \
         whole one"
    ))
}

/// Says which member an error is of.
fn member(error: Error, name: &str, at: u64) -> Error {
    error.at(format_args!("member {name:?} (byte {at})"))
}

/// A member that is larger than the memory that one may take.
fn too_long(size: u64, most: usize, name: &str, at: u64) -> Error {
    member(Error::data(too_large(format_args!("a member of {size} bytes"), most)), name, at)
}

/// A member whose content the archive does not have whole.
fn cut(name: &str, at: u64) -> Error {
    member(Error::data("the archive ends in the middle of it: it was cut"), name, at)
}

/// A link to what is not there.
pub(crate) fn gone(name: &str, target: &str, hint: &str) -> Error {
    Error::data(format!("member {name:?} is a link to {target:?}, which the archive does not have{hint}"))
}

fn torn(key: &str) -> Error {
    Error::data(format!(
        "the members of the sample {key:?} do not stand together; write the archive with the members of each sample \
         one after another"
    ))
}

fn utf8(bytes: &[u8]) -> Result<&[u8]> {
    let bytes = bytes.strip_prefix(BOM).unwrap_or(bytes);
    simdutf8::basic::from_utf8(bytes).map(str::as_bytes).map_err(|_| Error::data("it is not UTF-8"))
}
