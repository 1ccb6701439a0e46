//! One error type. Its kind says which Python class it becomes; its message says what was expected, what was
//! found (file, row, byte) and what to do.

use std::fmt;

use crate::urls::shown;

/// What went wrong, as a caller would want to tell cases apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// A file that the plan names is not there.
    NotFound,
    /// The operating system refused access.
    Permission,
    /// Any other failure of input or output.
    Io,
    /// An object is not the one that the plan was made from.
    SourceChanged,
    /// Bytes that are not what their format says.
    Data,
    /// Files, columns or types that do not go together.
    Schema,
    /// Valid input of a kind that is not read.
    Unsupported,
    /// A cursor of another plan, version or number of consumers.
    Checkpoint,
    /// An argument or plan that makes no sense.
    Value,
    /// A defect of this library.
    Internal,
}

/// An error of any part of rowstream.
#[derive(Debug, Clone, thiserror::Error)]
pub struct Error {
    /// Which kind of failure this is.
    pub kind: Kind,
    message: String,
    /// The row that it is about, by a number that only who made it knows how to count.
    row: Option<u64>,
    file: Option<String>,
}

/// The result of any fallible operation here.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error of a kind, with its message.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), row: None, file: None }
    }

    /// Bytes that are not what their format says.
    pub fn data(message: impl Into<String>) -> Self {
        Self::new(Kind::Data, message)
    }

    /// A defect of this library.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(Kind::Internal, message)
    }

    /// The same error, naming the file it is about unless it names one already: a URL without its secrets.
    #[must_use]
    pub fn in_file(mut self, file: &str) -> Self {
        self.file.get_or_insert_with(|| shown(file));
        self
    }

    /// What went wrong, without the file.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// The same error, saying where in the file, before the message.
    #[must_use]
    pub fn at(mut self, place: impl fmt::Display) -> Self {
        self.message = format!("{place}: {}", self.message);
        self
    }

    /// The same error, about a row.
    #[must_use]
    pub(crate) fn on_row(mut self, row: u64) -> Self {
        self.row = Some(row);
        self
    }

    /// The row that it is about, as it is counted where it comes from.
    #[cfg(test)]
    pub(crate) fn row(&self) -> Option<u64> {
        self.row
    }

    /// The same error, its row counted as the caller counts.
    #[must_use]
    pub(crate) fn counted(mut self, count: impl FnOnce(u64) -> u64) -> Self {
        self.row = self.row.map(count);
        self
    }

    /// The same error, about no row, or saying which it is before the message.
    #[must_use]
    pub(crate) fn placed(mut self, place: impl FnOnce(u64) -> Option<String>) -> Self {
        match self.row.take().and_then(place) {
            Some(place) => self.at(place),
            None => self,
        }
    }

    /// The same error, saying more after the message.
    #[must_use]
    pub fn then(mut self, more: &str) -> Self {
        self.message = format!("{}; {more}", self.message);
        self
    }

    /// An I/O error on a file, with the kind that its cause deserves.
    pub fn io(error: &std::io::Error, file: &str) -> Self {
        let kind = match error.kind() {
            std::io::ErrorKind::NotFound => Kind::NotFound,
            std::io::ErrorKind::PermissionDenied => Kind::Permission,
            _ => Kind::Io,
        };
        Self::new(kind, error.to_string()).in_file(file)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.file {
            Some(file) => write!(f, "{file}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}
