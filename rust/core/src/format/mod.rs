//! Formats, each a sans-IO state machine: it says which bytes it needs and gives batches.

pub(crate) mod compress;
pub mod contain;
pub mod json;
pub mod parquet;
pub mod tar;

use std::ops::Range;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use bytes::Bytes;

use crate::error::Result;

/// What a decoder wants next.
#[derive(Debug)]
pub enum Step {
    /// Bytes at these ranges; each is to be pushed whole, in any order.
    Need(Vec<Range<u64>>),
    /// The next rows.
    Batch(RecordBatch),
    /// There are no more rows.
    Done,
}

/// How a piece is read. Nothing here changes what is read but the columns and the rows.
#[derive(Debug, Clone)]
pub struct Options {
    /// The columns to read; all of them where absent.
    pub columns: Option<Vec<String>>,
    /// The rows of the piece to read.
    pub rows: Range<u64>,
    /// The bytes that a batch should have.
    pub unit: u64,
    /// The bytes of a column that are asked for at once, where a format has columns apart.
    pub window: u64,
    /// The largest thing that has to be in memory whole: a page decompressed, a line.
    pub most: usize,
}

/// A format as a state machine without I/O, threads, clock, environment or Python.
///
/// Its output does not depend on how the input is cut. Any input gives batches or an error that says where, never
/// a panic, a hang, or an allocation sized by an unchecked count. After an error or `Done` it is not polled again.
pub trait Decoder: Send {
    /// The schema of every batch, known before the first.
    fn schema(&self) -> &SchemaRef;

    /// Gives bytes that were asked for.
    fn push(&mut self, range: Range<u64>, bytes: Bytes) -> Result<()>;

    /// Goes on as far as the bytes allow.
    fn poll(&mut self) -> Result<Step>;
}
