//! Formats, each a sans-IO state machine: it says which bytes it needs and gives batches.
//!
//! To add one: implement `Format`, `Probe` and `Decoder`, name it in `of`, and run the conformance suite over it
//! (`tests/conformance`). Everything else, compression, archives, order, resume, filters, is there.

pub mod arrow;
pub mod compress;
pub mod csv;
pub mod encoding;
mod endian;
mod input;
mod ipc;
pub mod json;
mod lines;
pub mod parquet;
pub mod sealed;
pub mod tar;
pub mod text;
pub(crate) mod zip;

use std::any::Any;
use std::fmt::Display;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{Schema, SchemaRef};
use bytes::Bytes;
use serde_json::Value;

use crate::error::{Error, Kind, Result};
use crate::schema::Filter;
use compress::{Mark, Points};

/// How a format is read: plain data, made of its options. Nothing here does I/O.
pub trait Format: Send + Sync {
    /// What looks at a file: once when it is listed, and again when its pieces are read if `again`.
    fn probe(&self, file: &FileFacts, depth: ProbeDepth) -> Result<Box<dyn Probe>>;

    /// Decodes one piece.
    fn decoder(&self, piece: &Source, options: &Options) -> Result<Box<dyn Decoder>>;

    /// What finds where each row of a piece begins, where rows can be read from there on by themselves.
    fn row_starts(&self, _piece: &Source) -> Result<Option<Box<dyn Probe>>> {
        Ok(None)
    }

    /// Whether its decoders leave out what a filter does not want, by themselves.
    fn filters(&self) -> bool {
        false
    }

    /// The bytes of a piece that are read for some columns, or none where its statistics say that a filter leaves out
    /// all of it.
    fn cost(&self, piece: &Source, _options: &Options) -> Result<Option<u64>> {
        Ok(Some(piece.bytes))
    }

    /// The bytes of a piece that a decoder will surely read, side by side where there are several ranges. What is far
    /// away is read ahead by this.
    fn prefetch_ranges(&self, piece: &Source, _options: &Options) -> Result<Vec<Range<u64>>> {
        if self.random() {
            return Ok(Vec::new());
        }
        // Where pieces are cut anywhere, a row may end after its piece, and whether one begins with it shows the byte
        // before.
        let range =
            piece.at.saturating_sub(1)..piece.at.saturating_add(piece.bytes).saturating_add(BEYOND).min(piece.size);
        Ok(std::iter::once(range).collect())
    }

    /// What a piece is called in errors.
    fn place(&self, at: u64) -> String {
        format!("after byte {at}")
    }

    /// Whether pieces cannot be read without what `look` found, such as a footer.
    fn again(&self) -> bool {
        false
    }

    /// Whether a file's bytes are read at any place: a compressed file is then decompressed before.
    fn random(&self) -> bool {
        self.again()
    }
}

/// The format of a name, with its options.
pub fn of(name: &str, options: &Value) -> Result<Arc<dyn Format>> {
    let options = if options.is_null() { Value::Object(serde_json::Map::new()) } else { options.clone() };
    let read = |e: serde_json::Error| Error::new(Kind::Value, format!("the options of {name}: {e}"));
    Ok(match name {
        "arrow" => Arc::new(arrow::Arrow),
        "csv" => Arc::new(serde_json::from_value::<csv::Csv>(options).map_err(read)?.checked()?),
        "json" => Arc::new(serde_json::from_value::<json::Json>(options).map_err(read)?),
        "parquet" => Arc::new(parquet::Parquet),
        "text" => Arc::new(serde_json::from_value::<text::Text>(options).map_err(read)?),
        "webdataset" => Arc::new(serde_json::from_value::<tar::WebDataset>(options).map_err(read)?),
        _ => return Err(Error::new(Kind::Unsupported, format!("the format {name:?} is not read"))),
    })
}

/// What is known of a file before its bytes are.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each says one thing of the file")]
pub struct FileFacts {
    /// Its length.
    pub size: u64,
    /// Whether it is compressed: what is read is then what it decompresses to, of which the length is not known.
    pub packed: bool,
    /// The largest thing that has to be in memory whole.
    pub most: usize,
    /// Whether statistics are wanted, to tell what a filter leaves out.
    pub statistics: bool,
    /// Whether records that cannot be read are left out, here as they are later.
    pub lenient: bool,
    /// Whether it is far away, where each look takes time: then only what shows its types, and where it can be cut for
    /// little.
    pub far: bool,
    /// Whether it is the first of its data set, whose rows show most of the types.
    pub first: bool,
    /// Whether all of its rows are to be found, however far away it is.
    pub every: bool,
}

/// How much is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProbeDepth {
    /// What is needed to read it, types aside.
    Shape,
    /// And the types that its first bytes show.
    Head,
    /// And the types of all its rows.
    All,
}

/// Looks at a file, and says which bytes it needs for that.
pub trait Probe: Send {
    /// The next bytes; none where enough is known.
    fn need(&mut self) -> Result<Option<Range<u64>>>;

    /// Takes in bytes that were asked for.
    fn push(&mut self, range: &Range<u64>, bytes: Bytes) -> Result<()>;

    /// What was found.
    fn result(self: Box<Self>) -> Result<ProbeResult>;
}

/// What was seen of a file.
pub struct ProbeResult {
    /// The types of its rows; none where it has no rows to see.
    pub schema: Option<Schema>,
    /// Where it can be cut into pieces.
    pub cuts: Cuts,
    /// What an open piece keeps in memory at least.
    pub floor: u64,
    /// What identifies the content, where the format has something better than the first and last bytes.
    pub version: Option<String>,
    /// What a decoder is to know, as the plan keeps it.
    pub note: Option<Value>,
    /// What a decoder is to know, and the plan does not keep.
    pub head: Option<Head>,
    /// Where rows begin, as far as was looked, and where the last of them ends; of a format that has an index for that.
    pub seen: Option<(Vec<u64>, u64)>,
}

/// What a format keeps of a file that is open.
pub type Head = Arc<dyn Any + Send + Sync>;

/// Where a file can be cut into pieces.
pub enum Cuts {
    /// Nowhere.
    Whole,
    /// At any byte: a row belongs to the range in which it begins.
    Anywhere,
    /// Where its rows begin, one after another.
    Rows(Vec<u64>),
    /// It has pieces: `(place, rows, bytes)`.
    Pieces(Vec<(u64, Option<u64>, u64)>),
}

/// A piece of a file, for a decoder.
pub struct Source<'a> {
    /// Where the file is, as rows say it.
    pub url: &'a str,
    /// Its length in bytes.
    pub size: u64,
    /// Where to begin in what it decompresses to, if it is compressed, and where to say what else can be known.
    pub unpacked: Option<(Mark, Arc<Points>)>,
    /// What `probe` noted.
    pub note: Option<&'a Value>,
    /// What `probe` found, where the format asks for it again.
    pub head: Option<&'a Head>,
    /// The number of the piece, or its first byte.
    pub at: u64,
    /// Its bytes.
    pub bytes: u64,
    /// Its rows, where they are known.
    pub rows: Option<u64>,
    /// The schema of the listing.
    pub schema: &'a Schema,
    /// Whether a user gave it.
    pub declared: bool,
}

/// The bytes that are read at once after the end of a piece, where a row may end.
pub(crate) const BEYOND: u64 = 64 << 10;

/// What an open piece of a file that is read from its start to its end keeps.
pub(crate) const STREAM_FLOOR: u64 = 1 << 20;

/// The bytes of a file from which types are found.
pub(crate) const HEAD_BYTES: u64 = 1 << 20;

/// Those of the first file of JSON, where `datasets` looks as far.
pub(crate) const FIRST_BYTES: u64 = 10 << 20;

impl ProbeResult {
    /// Of a file that is read from its start to its end.
    pub(crate) fn stream(schema: Option<Schema>, cuts: Cuts) -> Self {
        Self { schema, cuts, floor: STREAM_FLOOR, version: None, note: None, head: None, seen: None }
    }
}

/// What a decoder wants next.
#[derive(Debug)]
pub enum Step {
    /// Bytes at these ranges; each is to be pushed whole, in any order.
    Need(Vec<Range<u64>>),
    /// The next rows.
    Batch(RecordBatch),
    /// The next rows, some of which are left out.
    Part(Part),
    /// There are no more rows.
    Done,
}

/// Rows of a piece, some of which are left out.
#[derive(Debug)]
pub struct Part {
    /// Those that are kept.
    pub batch: RecordBatch,
    /// How many rows of the piece these are, those included that are left out.
    pub rows: u64,
    /// Which of them are kept, in order.
    pub kept: Vec<u32>,
    /// Those that could not be read.
    pub bad: Vec<Bad>,
}

/// A row that could not be read.
#[derive(Debug, Clone)]
pub struct Bad {
    /// Which of the rows of its part it is.
    pub row: u32,
    /// Why, with its place in the file.
    pub error: Error,
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
    /// Which rows are wanted. A decoder that can leaves others out; whoever reads it leaves out the rest.
    pub filter: Option<Arc<Filter>>,
    /// Whether a row that cannot be read is left out and told, where it can be told from the next.
    pub lenient: bool,
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

    /// Whether it is known that nothing comes after what `poll` gave.
    fn finished(&self) -> bool {
        false
    }
}

impl Options {
    /// Whether a column is read.
    pub fn wants(&self, name: &str) -> bool {
        self.columns.as_ref().is_none_or(|columns| columns.iter().any(|column| column == name))
    }

    /// Whether rows are only counted.
    pub fn counting(&self) -> bool {
        self.columns.as_ref().is_some_and(Vec::is_empty)
    }
}

/// What is larger than the memory that one of its kind may take.
pub(crate) fn too_large(what: impl Display, most: usize) -> String {
    format!("{what} is larger than the {most} bytes that ROWSTREAM_MEMORY allows for one; raise it to read this file")
}

/// Bytes that nobody asked for: a defect.
pub(crate) fn unasked(range: &Range<u64>) -> Error {
    Error::internal(format!("bytes {range:?} were not asked for"))
}
