//! What the core does with a column of rows after they were read and put in order: on all threads, a run of rows at a
//! time, each row by itself.

use arrow_array::ArrayRef;
use arrow_schema::DataType;
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::images::{self, decode};
use crate::made_column::MadeColumn;
use crate::tokens::{self, Encoder};

/// A step of a plan that makes another column of a column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ColumnStep {
    /// Pixels of images.
    Images(images::Spec),
    /// Token ids of texts.
    Tokens(tokens::Spec),
}

/// The most rows of a run, where nobody asked for a batch.
const IMAGES: usize = 64;
const TEXTS: usize = 512;

/// The bytes that a row of ids is taken to have, before one was seen.
const TEXT: usize = 8 << 10;

/// The bytes that an image of unknown size is taken to have, before one was seen.
const IMAGE: usize = 1 << 20;

impl ColumnStep {
    /// The column of a row.
    pub fn column(&self) -> &str {
        match self {
            Self::Images(spec) => &spec.column,
            Self::Tokens(spec) => &spec.column,
        }
    }

    /// The type of the column that it makes.
    pub fn data_type(&self) -> DataType {
        match self {
            Self::Images(spec) => spec.data_type(),
            Self::Tokens(_) => tokens::Spec::data_type(),
        }
    }

    /// The name of what it needs of this process's memory.
    pub fn holds(&self) -> Option<&str> {
        match self {
            Self::Images(_) => None,
            Self::Tokens(spec) => Some(&spec.tokenizer),
        }
    }

    /// Raises for what makes no sense.
    pub fn check(&self) -> Result<()> {
        match self {
            Self::Images(spec) => spec.check(),
            Self::Tokens(spec) => spec.check(),
        }
    }

    /// The bytes of what it makes of a row, about, and whether all rows have as many.
    pub(crate) fn row_bytes(&self) -> (usize, bool) {
        match self {
            Self::Images(spec) => spec.row_bytes().map_or((IMAGE, false), |bytes| (bytes, true)),
            Self::Tokens(_) => (TEXT, false),
        }
    }

    /// The most rows of a run, where nobody asked for a batch.
    pub(crate) fn rows(&self) -> usize {
        match self {
            Self::Images(_) => IMAGES,
            Self::Tokens(_) => TEXTS,
        }
    }

    /// The step, ready to run.
    pub(crate) fn ready(&self) -> Result<Ready> {
        Ok(match self {
            Self::Images(spec) => Ready::Images(Box::new(spec.clone())),
            Self::Tokens(spec) => Ready::Tokens(Box::new(spec.encoder()?)),
        })
    }
}

/// A step with what it needs to run.
pub(crate) enum Ready {
    Images(Box<images::Spec>),
    Tokens(Box<Encoder>),
}

impl Ready {
    /// The column of a row.
    pub(crate) fn column(&self) -> &str {
        match self {
            Self::Images(spec) => &spec.column,
            Self::Tokens(encoder) => encoder.column(),
        }
    }

    /// What it makes of a column. `names`: epoch, pass, piece and row of each of its rows.
    pub(crate) fn run(&self, column: &ArrayRef, names: impl Iterator<Item = [u64; 4]>) -> Result<MadeColumn> {
        match self {
            Self::Images(spec) => {
                let keys: Vec<[u64; 5]> =
                    names.map(|[epoch, pass, piece, row]| [spec.seed, epoch, pass, piece, row]).collect();
                decode(column, spec, &keys)
            }
            Self::Tokens(encoder) => encoder.encode(column),
        }
    }
}
