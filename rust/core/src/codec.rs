//! How files may be compressed, by name.

use serde::{Deserialize, Serialize};

/// How the bytes of a file are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Codec {
    /// RFC 1952.
    Gzip,
    /// RFC 8878.
    Zstd,
    /// bzip2.
    Bzip2,
    /// xz, of LZMA2 and other filters.
    Xz,
    /// Frames of LZ4.
    Lz4,
    /// RFC 1951, as the members of a zip archive have it: nothing tells it from other bytes, and its checksum is
    /// elsewhere.
    Deflate {
        /// The checksum of what it becomes.
        crc: u32,
    },
}
