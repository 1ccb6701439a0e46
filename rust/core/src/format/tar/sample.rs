//! A sample that is whole in the block that was read.

use std::ops::Range;

use bytes::Bytes;

/// The members of a sample, and where it ends: places are from the start of the block.
#[derive(Default)]
pub(super) struct Sample {
    pub(super) members: Vec<Member>,
    pub(super) end: usize,
}

/// A member of a sample.
pub(super) struct Member {
    pub(super) name: String,
    /// The bytes of the name that are the key.
    pub(super) key: usize,
    /// Whether the name was not UTF-8.
    pub(super) odd: bool,
    pub(super) header: usize,
    pub(super) content: Content,
}

/// The bytes of a member.
pub(super) enum Content {
    /// In the block.
    Here(Range<usize>),
    /// What a link stands for.
    Away(Bytes),
    /// A link to what is not there: what it names.
    Gone(String),
}

/// What is needed for a whole sample.
pub(super) enum Short {
    /// So many bytes from its beginning on.
    More(usize),
    /// Others, which a link stands for.
    Away(Range<u64>),
}

impl Member {
    pub(super) fn field(&self) -> &str {
        &self.name[self.key + 1..]
    }
}

impl Sample {
    pub(super) fn key(&self) -> &str {
        self.members.first().map_or("", |member| &member.name[..member.key])
    }
}
