//! The rows of a CSV file, block by block, with the names of its columns.

use std::ops::Range;

use bytes::Bytes;
use memchr::{memchr, memchr_iter};

use super::super::compress::Mark;
use super::super::input::{Input, Part};
use super::super::json::BOM;
use super::super::too_large;
use super::Csv;
use super::split::{Fields, split, text};
use crate::error::{Error, Kind, Result};

/// What comes next.
pub(super) enum Next {
    /// These bytes are needed.
    Need(Range<u64>),
    /// There are rows in `fields`.
    Block,
    /// There are no more.
    Done,
}

#[expect(clippy::struct_excessive_bools, reason = "each says one thing of the block")]
pub(super) struct Rows {
    csv: Csv,
    input: Input,
    block: Bytes,
    /// Bytes of the block that are rows, and those of the block that are valid text.
    used: usize,
    fields: Fields,
    names: Option<Vec<String>>,
    /// Lines and rows that are still to be left out.
    skip: u64,
    header_at: u64,
    /// Where the block begins in the text, and in which line.
    base: u64,
    line: u64,
    last: bool,
    done: bool,
    unit: usize,
    most: usize,
    /// Whether the block may have rows that are not UTF-8, and whether it is known to have none.
    lenient: bool,
    checked: bool,
}

impl Rows {
    pub(super) fn new(csv: Csv, size: u64, packed: bool, unit: usize, most: usize, lenient: bool) -> Result<Self> {
        Ok(Self {
            input: Input::new(0..size, packed).encoded(csv.encoding.as_ref())?,
            block: Bytes::new(),
            used: 0,
            fields: Fields::default(),
            names: None,
            skip: csv.skip_rows,
            header_at: csv.header_at,
            base: 0,
            line: 1,
            last: false,
            done: false,
            csv,
            unit: unit.max(64),
            most,
            lenient,
            checked: true,
        })
    }

    /// The same from a row of what a compressed file decompresses to on; columns have these names.
    pub(super) fn from(mut self, mark: Mark, names: Vec<String>) -> Self {
        self.input = Input::new(mark.out..u64::MAX, true);
        (self.base, self.line, self.names) = (mark.out, mark.line, Some(names));
        (self.skip, self.header_at) = (0, 0);
        self
    }

    /// Where the block begins, as row `row`, unless its text is of another encoding.
    pub(super) fn mark(&self, row: u64) -> Option<Mark> {
        (!self.input.recoded()).then_some(Mark { out: self.base, row, line: self.line })
    }

    pub(super) fn csv(&self) -> &Csv {
        &self.csv
    }

    pub(super) fn block(&self) -> &Bytes {
        &self.block
    }

    pub(super) fn fields(&self) -> &Fields {
        &self.fields
    }

    /// The names of the columns, once they are known.
    pub(super) fn names(&self) -> Option<&[String]> {
        self.names.as_deref()
    }

    /// How much is behind.
    pub(super) fn at(&self) -> u64 {
        self.base
    }

    pub(super) fn push(&mut self, range: &Range<u64>, bytes: Bytes) -> Result<()> {
        self.input.push(range, bytes)
    }

    /// Reads the next rows; none are left out of them but those before the data.
    pub(super) fn next(&mut self) -> Result<Next> {
        loop {
            if self.done {
                self.fields.clear();
                return Ok(Next::Done);
            }
            let front = self.block.slice(self.used..);
            if front.len() > self.most {
                let what = too_large("a row, perhaps with a quote that is not closed,", self.most);
                return Err(self.wrong(&what));
            }
            let unit = self.unit.max(front.len());
            let block = match self.input.next(&front)? {
                Part::Bytes(block) => block,
                Part::Need => {
                    return self
                        .input
                        .need(unit)
                        .map(Next::Need)
                        .ok_or_else(|| Error::internal("rows that need nothing"));
                }
                Part::End => {
                    (self.last, self.done) = (true, true);
                    front
                }
            };
            self.line += memchr_iter(b'\n', &self.block[..self.used]).count() as u64;
            self.base += self.used as u64;
            (self.block, self.used) = (block, 0);
            if self.base == 0 && self.block.starts_with(BOM) {
                self.block = self.block.slice(BOM.len()..);
                self.base = BOM.len() as u64;
            }
            if !self.input.derived() && self.input.done() {
                (self.last, self.done) = (true, true);
            }
            if self.skipped() && self.read()? {
                return Ok(Next::Block);
            }
        }
    }

    /// Leaves out lines before the header; true where all are behind.
    fn skipped(&mut self) -> bool {
        while self.skip > 0 {
            let Some(end) = memchr(b'\n', &self.block) else {
                self.used = self.block.len();
                return false;
            };
            self.block = self.block.slice(end + 1..);
            self.base += end as u64 + 1;
            self.line += 1;
            self.skip -= 1;
        }
        true
    }

    /// Splits the block into rows; true where there are some.
    fn read(&mut self) -> Result<bool> {
        self.checked = true;
        // A character that goes on in the next block is no error.
        let valid = match simdutf8::compat::from_utf8(&self.block) {
            Ok(_) => self.block.len(),
            Err(e) if e.error_len().is_none() && !self.last => e.valid_up_to(),
            Err(_) if self.lenient && !self.block.starts_with(b"\xFF\xFE") && !self.block.starts_with(b"\xFE\xFF") => {
                self.checked = false;
                self.block.len()
            }
            Err(e) => {
                self.line += memchr_iter(b'\n', &self.block[..e.valid_up_to()]).count() as u64;
                self.base += e.valid_up_to() as u64;
                let utf16 = self.block.starts_with(b"\xFF\xFE") || self.block.starts_with(b"\xFE\xFF");
                return Err(self.wrong(if utf16 {
                    "the file is UTF-16; pass encoding=\"utf-16\""
                } else {
                    "the text is not UTF-8: pass encoding=, such as \"latin-1\""
                }));
            }
        };
        self.fields.clear();
        self.used = split(&self.csv, &self.block[..valid], self.last, &mut self.fields).map_err(|at| self.open(at))?;
        if self.names.is_none() {
            self.begin()?;
        }
        Ok(self.fields.rows() > 0)
    }

    /// Takes the names off the first rows.
    fn begin(&mut self) -> Result<()> {
        while self.header_at > 0 && self.fields.rows() > 0 {
            self.drop_row()?;
            self.header_at -= 1;
        }
        if self.fields.rows() == 0 {
            if self.done {
                self.names = Some(self.csv.names.clone().unwrap_or_default());
            }
            return Ok(());
        }
        let width = self.fields.row(0).len();
        let given = self.csv.names.clone();
        let names = if self.csv.header {
            let mut side = Vec::new();
            let read: Vec<String> = self
                .fields
                .row(0)
                .iter()
                .map(|place| String::from_utf8_lossy(text(&self.csv, &self.block, *place, &mut side)).into_owned())
                .collect();
            self.drop_row()?;
            given.unwrap_or_else(|| unique(read))
        } else {
            given.unwrap_or_else(|| (0..width).map(|i| i.to_string()).collect())
        };
        self.names = Some(names);
        Ok(())
    }

    /// Leaves out the first row of the block.
    fn drop_row(&mut self) -> Result<()> {
        let end = self.fields.row(0).last().map_or(0, |place| (place.1 & !(1 << 31)) as usize);
        let rest = &self.block[end..];
        let newline = rest
            .iter()
            .position(|b| *b == b'\n' || *b == b'\r')
            .map_or(rest.len(), |n| n + if rest[n..].starts_with(b"\r\n") { 2 } else { 1 });
        let cut = end + newline;
        self.line += memchr_iter(b'\n', &self.block[..cut]).count() as u64;
        self.base += cut as u64;
        let whole = self.used.max(cut) - cut;
        self.block = self.block.slice(cut..);
        self.fields.clear();
        self.used = split(&self.csv, &self.block[..whole], true, &mut self.fields).map_err(|at| self.open(at))?;
        Ok(())
    }

    /// A quote that is not closed.
    fn open(&self, at: usize) -> Error {
        let line = self.line + memchr_iter(b'\n', &self.block[..at]).count() as u64;
        Error::data(
            "the quote that opens here is not closed; is the quote character right? (quotechar=, \
            escapechar=, quoting=3 for none)",
        )
        .at(format_args!("line {line} (byte {})", self.base + at as u64))
    }

    fn named(&self, error: Error) -> Error {
        error.at(format_args!("line {} (byte {})", self.line, self.base))
    }

    fn wrong(&self, what: &str) -> Error {
        self.named(Error::data(what))
    }

    /// The line and byte of a row of the block.
    fn place(&self, row: usize) -> String {
        let start = self.fields.row(row).first().map_or(0, |place| place.0 as usize);
        format!(
            "line {} (byte {})",
            self.line + memchr_iter(b'\n', &self.block[..start]).count() as u64,
            self.base + start as u64
        )
    }

    /// Whether a row of the block is text.
    pub(super) fn is_text(&self, row: usize) -> bool {
        let fields = self.fields.row(row);
        let span = fields
            .first()
            .zip(fields.last())
            .map_or(0..0, |(first, last)| first.0 as usize..(last.1 & !(1 << 31)) as usize);
        self.checked || simdutf8::basic::from_utf8(&self.block[span]).is_ok()
    }

    /// A row that is not UTF-8.
    pub(super) fn no_text(&self, row: usize) -> Error {
        Error::data("the row is not UTF-8: pass encoding=, such as \"latin-1\"").at(self.place(row))
    }

    /// A row with more fields than there are names.
    pub(super) fn long(&self, row: usize) -> Error {
        let (found, names) = (self.fields.row(row).len(), self.names().unwrap_or_default().len());
        Error::data(format!(
            "expected {names} fields, found {found}; is the delimiter {:?} right, and are quotes closed?",
            char::from(self.csv.delimiter)
        ))
        .at(self.place(row))
    }

    /// A value that is of another type.
    pub(super) fn misfit(&self, row: usize, column: &str, expected: &str, found: &str) -> Error {
        let short: String = found.chars().take(40).collect();
        Error::new(
            Kind::Schema,
            format!(
                "column {column:?}: expected {expected}, found {short:?}; pass features=Features({{…, {column:?}: \
                 …}}) with a type that holds all values, or infer=\"all\" in its place to find it by reading \
                 everything"
            ),
        )
        .at(self.place(row))
    }
}

/// Names as pandas makes them: one that is empty says where it stands, one that comes again is numbered.
fn unique(names: Vec<String>) -> Vec<String> {
    let mut made: Vec<String> = Vec::with_capacity(names.len());
    for (i, name) in names.iter().enumerate() {
        let name = if name.is_empty() { format!("Unnamed: {i}") } else { name.clone() };
        let mut unique = name.clone();
        let mut n = 0;
        while made.contains(&unique) || (n > 0 && names.contains(&unique)) {
            n += 1;
            unique = format!("{name}.{n}");
        }
        made.push(unique);
    }
    made
}
