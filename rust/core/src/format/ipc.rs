//! Messages of Arrow's streams and files.

use arrow_ipc::{Message, MessageHeader, MetadataVersion, root_as_message};

use crate::error::{Error, Kind, Result};

/// The length of a message's header with what stands before it, from its first bytes; zero at the end of the messages.
pub(super) fn header_length(bytes: &[u8]) -> Option<u64> {
    let number = |bytes: &[u8]| u64::from(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]));
    match bytes {
        [0xFF, 0xFF, 0xFF, 0xFF, rest @ ..] if rest.len() >= 4 => {
            Some(number(rest)).map(|n| if n == 0 { 0 } else { n + 8 })
        }
        [0xFF, 0xFF, 0xFF, 0xFF, ..] => None,
        // Before version 0.15 there was no mark.
        [_, _, _, _, ..] => Some(number(bytes)).map(|n| if n == 0 { 0 } else { n + 4 }),
        _ => None,
    }
}

/// Whether a message begins without its length, as Polars writes the schema of a file: what stands there is where its
/// table begins, which is less than any message is long.
pub(super) fn bare(bytes: &[u8]) -> bool {
    matches!(bytes, [first @ 1..=47, 0, 0, 0, ..] if first % 4 == 0)
}

/// A message of a header with what stands before it.
pub(super) fn message(header: &[u8]) -> Result<Message<'_>> {
    let from = match header {
        [0xFF, 0xFF, 0xFF, 0xFF, ..] => 8,
        _ if bare(header) => 0,
        _ => 4,
    };
    let bytes = header.get(from..).unwrap_or(&[]);
    let message = root_as_message(bytes).map_err(|e| Error::data(format!("a malformed message: {e}")))?;
    let (version, kind) = (message.version(), message.header_type());
    if !(MetadataVersion::V1..=MetadataVersion::V5).contains(&version) {
        let what = format!(
            "metadata of version {}, which nobody knows: the file is newer than this rowstream, or damaged",
            version.0
        );
        return Err(Error::new(Kind::Unsupported, what));
    }
    if !matches!(kind, MessageHeader::Schema | MessageHeader::DictionaryBatch | MessageHeader::RecordBatch) {
        let what = kind
            .variant_name()
            .map_or_else(|| format!("of kind {}, which nobody knows", kind.0), |name| format!("of kind {name}"));
        return Err(Error::new(Kind::Unsupported, format!("a message {what}, which is no rows")));
    }
    Ok(message)
}
