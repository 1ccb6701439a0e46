//! CSV: rows of text, in columns whose types the plan has.

mod column;
mod rows;
mod split;

use std::ops::Range;
use std::sync::Arc;

use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_buffer::Buffer;
use arrow_schema::{Field, Schema, SchemaRef};
use bytes::Bytes;
use serde::Deserialize;

use super::compress::Points;
use super::encoding::Encoding;
use super::{
    Bad, Cuts, Decoder, FileFacts, Format, HEAD_BYTES, Options, Part, Probe, ProbeDepth, ProbeResult, Source, Step,
    unasked,
};
use crate::error::{Error, Kind, Result};
use column::{Column, Seen};
use rows::{Next, Rows};
use split::text;

/// What CSV files are like. Defaults are those of pandas.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own")]
pub struct Csv {
    /// What stands between fields.
    pub delimiter: u8,
    /// What stands around a field that has delimiters or line ends.
    pub quote: Option<u8>,
    /// What stands before a byte that is to be taken as it is.
    pub escape: Option<u8>,
    /// Whether two quotes in quotes are one.
    pub doublequote: bool,
    /// What begins a comment, to the end of its line.
    pub comment: Option<u8>,
    /// Whether the first row has the names of the columns.
    pub header: bool,
    /// The names of the columns.
    pub names: Option<Vec<String>>,
    /// Lines to leave out at the start.
    pub skip_rows: u64,
    /// Rows to leave out at the start, before the header.
    pub header_at: u64,
    /// Whether lines without anything are left out.
    pub skip_blank_lines: bool,
    /// Whether spaces after a delimiter are left out.
    pub skip_initial_space: bool,
    /// The texts that stand for null.
    pub nulls: Vec<String>,
    /// The texts that stand for true, beside `true`, `True` and `TRUE`.
    pub true_values: Vec<String>,
    /// The texts that stand for false.
    pub false_values: Vec<String>,
    /// What stands before the decimals.
    pub decimal: u8,
    /// What stands between thousands.
    pub thousands: Option<u8>,
    /// Columns whose type is given: they are not looked at.
    pub types: std::collections::BTreeMap<String, arrow_schema::DataType>,
    /// The encoding of the text, if it is not UTF-8.
    pub encoding: Option<Arc<Encoding>>,
    /// How long a null that begins with a byte may be: most texts are none by this alone.
    #[serde(skip)]
    longest: Vec<usize>,
    /// The numbers among the nulls: in a column of numbers they are null however they are written.
    #[serde(skip)]
    null_numbers: Vec<f64>,
    /// Whether truths are among the nulls.
    #[serde(skip)]
    null_truths: bool,
}

/// What pandas takes for a missing value.
const NULLS: [&str; 19] = [
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA",
    "NULL", "NaN", "None", "n/a", "nan", "null",
];

impl Default for Csv {
    fn default() -> Self {
        Self {
            delimiter: b',',
            quote: Some(b'"'),
            escape: None,
            doublequote: true,
            comment: None,
            header: true,
            names: None,
            skip_rows: 0,
            header_at: 0,
            skip_blank_lines: true,
            skip_initial_space: false,
            nulls: NULLS.map(str::to_owned).to_vec(),
            true_values: Vec::new(),
            false_values: Vec::new(),
            decimal: b'.',
            thousands: None,
            types: std::collections::BTreeMap::new(),
            encoding: None,
            longest: Vec::new(),
            null_numbers: Vec::new(),
            null_truths: false,
        }
    }
}

impl Csv {
    /// These options, if they go together.
    pub fn checked(mut self) -> Result<Self> {
        self.longest = vec![0; 257];
        for null in &self.nulls {
            let first = null.bytes().next().map_or(256, usize::from);
            self.longest[first] = self.longest[first].max(null.len() + 1);
        }
        self.null_numbers = self.numbers(&self.nulls);
        self.null_truths = self.truths(&self.nulls);
        let special = [Some(self.delimiter), self.quote, self.escape, self.comment];
        let mut bytes: Vec<u8> = special.iter().flatten().copied().collect();
        bytes.sort_unstable();
        if bytes.windows(2).any(|pair| pair[0] == pair[1]) || bytes.iter().any(|b| matches!(b, b'\n' | b'\r' | 128..)) {
            return Err(Error::new(
                Kind::Value,
                "csv: delimiter, quote, escape and comment are different characters, of one byte, and no line ends",
            ));
        }
        Ok(self)
    }

    /// Whether bits tell all.
    fn simple(&self) -> bool {
        self.escape.is_none() && self.comment.is_none() && !self.skip_initial_space && self.doublequote
    }
}

impl Format for Csv {
    fn probe(&self, file: &FileFacts, depth: ProbeDepth) -> Result<Box<dyn Probe>> {
        let rows = Rows::new(self.clone(), file.size, file.packed, 256 << 10, file.most, true)?;
        Ok(Box::new(Prober { rows, depth, columns: Vec::new() }))
    }

    fn decoder(&self, piece: &Source, options: &Options) -> Result<Box<dyn Decoder>> {
        let mut rows = Rows::new(
            self.clone(),
            piece.size,
            piece.unpacked.is_some(),
            options.unit.min(512 << 10) as usize,
            options.most,
            options.lenient,
        )?;
        let mut next = 0;
        if let Some((mark, points)) = &piece.unpacked
            && let Some(names) = points.names().filter(|_| mark.row > 0)
        {
            (rows, next) = (rows.from(*mark, names), mark.row);
        }
        let columns: Vec<Column> =
            piece.schema.fields().iter().filter(|f| options.wants(f.name())).map(Column::new).collect::<Result<_>>()?;
        let natural: Vec<Field> =
            columns.iter().map(|column| Field::new(&column.name, column.natural(), true)).collect();
        Ok(Box::new(CsvDecoder {
            known: piece.schema.fields().iter().map(|f| f.name().clone()).collect(),
            places: Vec::new(),
            schema: Arc::new(Schema::new(natural)),
            rows,
            columns,
            points: piece.unpacked.as_ref().map(|(_, points)| Arc::clone(points)),
            next,
            wanted: options.rows.clone(),
            asked: None,
            declared: piece.declared,
            lenient: options.lenient,
        }))
    }
}

/// Finds the types of columns.
struct Prober {
    rows: Rows,
    depth: ProbeDepth,
    columns: Vec<Seen>,
}

impl Probe for Prober {
    fn need(&mut self) -> Result<Option<Range<u64>>> {
        loop {
            let known = self.rows.names().is_some();
            if known
                && (self.depth == ProbeDepth::Shape || (self.depth == ProbeDepth::Head && self.rows.at() >= HEAD_BYTES))
            {
                return Ok(None);
            }
            match self.rows.next()? {
                Next::Need(range) => return Ok(Some(range)),
                Next::Done => return Ok(None),
                Next::Block => {}
            }
            let Some(names) = self.rows.names() else { continue };
            self.columns.resize_with(names.len(), Seen::default);
            let (csv, block, fields) = (self.rows.csv(), self.rows.block(), self.rows.fields());
            let mut side = Vec::new();
            for i in 0..fields.rows() {
                let row = fields.row(i);
                // Rows that cannot be read are errors when they are read.
                if row.len() > self.columns.len() || !self.rows.is_text(i) {
                    continue;
                }
                for (column, place) in self.columns.iter_mut().zip(row) {
                    column.see(csv, text(csv, block, *place, &mut side));
                }
            }
        }
    }

    fn push(&mut self, range: &Range<u64>, bytes: Bytes) -> Result<()> {
        self.rows.push(range, bytes)
    }

    fn result(self: Box<Self>) -> Result<ProbeResult> {
        let csv = self.rows.csv();
        let field = |(name, seen): (&String, &Seen)| {
            Field::new(name, csv.types.get(name).cloned().unwrap_or_else(|| seen.data_type()), true)
        };
        let names = self.rows.names().unwrap_or_default();
        if let Some(unknown) = csv.types.keys().find(|name| !names.contains(name)).filter(|_| !names.is_empty()) {
            return Err(Error::new(
                Kind::Schema,
                format!("dtype= names a column {unknown:?}; the columns are {names:?}"),
            ));
        }
        let mut columns = self.columns;
        columns.resize_with(names.len(), Seen::default);
        let fields: Vec<Field> = names.iter().zip(&columns).map(field).collect();
        Ok(ProbeResult::stream(Some(Schema::new(fields)), Cuts::Whole))
    }
}

/// Decodes a file.
struct CsvDecoder {
    rows: Rows,
    columns: Vec<Column>,
    /// Which field of a row each column is; none where the file lacks it.
    places: Vec<Option<usize>>,
    known: Vec<String>,
    schema: SchemaRef,
    /// Who is told where rows begin, if the file is compressed.
    points: Option<Arc<Points>>,
    next: u64,
    wanted: Range<u64>,
    asked: Option<Range<u64>>,
    declared: bool,
    lenient: bool,
}

impl CsvDecoder {
    fn step(&mut self) -> Result<Step> {
        loop {
            if self.next >= self.wanted.end {
                return Ok(Step::Done);
            }
            match self.rows.next()? {
                Next::Need(range) => {
                    self.asked = Some(range.clone());
                    return Ok(Step::Need(vec![range]));
                }
                Next::Done => return Ok(Step::Done),
                Next::Block => {}
            }
            if let (Some(points), Some(mark)) = (&self.points, self.rows.mark(self.next)) {
                points.named(self.rows.names().unwrap_or_default());
                points.reached(mark);
            }
            let n = self.rows.fields().rows() as u64;
            let from = self.wanted.start.saturating_sub(self.next).min(n);
            let upto = (self.wanted.end - self.next).min(n);
            self.next += n;
            if from < upto {
                return if self.lenient {
                    self.part(from as usize, upto as usize)
                } else {
                    self.batch(from as usize, upto as usize, None).map(Step::Batch)
                };
            }
        }
    }

    /// Which fields the columns are.
    fn place(&mut self, names: &[String]) -> Result<()> {
        if let Some(new) = names.iter().find(|name| !self.known.contains(name)).filter(|_| !self.declared) {
            return Err(Error::new(
                Kind::Schema,
                format!(
                    "the file has a column {new:?} that it did not have when the data set was made; the columns were \
                     {:?}",
                    self.known
                ),
            ));
        }
        self.places = self.columns.iter().map(|column| names.iter().position(|name| *name == column.name)).collect();
        Ok(())
    }

    /// The rows of the block that can be read, and why others cannot.
    fn part(&mut self, from: usize, upto: usize) -> Result<Step> {
        let names = self.rows.names().unwrap_or_default().to_vec();
        if self.places.len() != self.columns.len() {
            self.place(&names)?;
        }
        let (mut good, mut bad, mut side) = (Vec::new(), Vec::new(), Vec::new());
        let (csv, block, fields) = (self.rows.csv(), self.rows.block(), self.rows.fields());
        for row in from..upto {
            let places = fields.row(row);
            let misfit = |(column, place): (&Column, &Option<usize>)| {
                let place = (*place)?;
                let found = text(csv, block, *places.get(place)?, &mut side);
                (!column.fits(csv, found))
                    .then(|| self.rows.misfit(row, &names[place], &column.type_name(), &String::from_utf8_lossy(found)))
            };
            let error = if !self.rows.is_text(row) {
                Some(self.rows.no_text(row))
            } else if places.len() > names.len() {
                Some(self.rows.long(row))
            } else {
                self.columns.iter().zip(&self.places).find_map(misfit)
            };
            match error {
                Some(error) => bad.push(Bad { row: (row - from) as u32, error }),
                None => good.push(row),
            }
        }
        let batch = self.batch(from, upto, (!bad.is_empty()).then_some(&good))?;
        if bad.is_empty() {
            return Ok(Step::Batch(batch));
        }
        let kept = good.iter().map(|row| (row - from) as u32).collect();
        Ok(Step::Part(Part { batch, rows: (upto - from) as u64, kept, bad }))
    }

    /// The rows of the block, or some of them.
    fn batch(&mut self, from: usize, upto: usize, good: Option<&Vec<usize>>) -> Result<RecordBatch> {
        let names = self.rows.names().unwrap_or_default().to_vec();
        if self.places.len() != self.columns.len() {
            self.place(&names)?;
        }
        let (csv, block, fields) = (self.rows.csv(), self.rows.block(), self.rows.fields());
        let width = names.len();
        let regular = fields.regular(from, width).filter(|_| good.is_none());
        let rows = good.map_or(upto - from, Vec::len);
        if regular.is_none()
            && good.is_none()
            && let Some(long) = (from..upto).find(|i| fields.row(*i).len() > width)
        {
            return Err(self.rows.long(long));
        }
        let mut side = Vec::new();
        for (column, place) in self.columns.iter_mut().zip(&self.places) {
            let Some(place) = *place else {
                column.nulls(rows);
                continue;
            };
            let failed = match regular {
                _ if good.is_some() => column.take(
                    csv,
                    block,
                    good.into_iter().flatten().map(|i| fields.row(*i).get(place).copied()),
                    &mut side,
                ),
                Some(places) => column.take(
                    csv,
                    block,
                    places[place..].iter().step_by(width).take(upto - from).map(|p| Some(*p)),
                    &mut side,
                ),
                None => column.take(csv, block, (from..upto).map(|i| fields.row(i).get(place).copied()), &mut side),
            };
            if let Err((row, found)) = failed {
                return Err(self.rows.misfit(from + row, &names[place], &column.type_name(), &found));
            }
        }
        let buffers: Arc<[Buffer]> = [Buffer::from(block.clone()), Buffer::from_vec(side)].into();
        let columns = self.columns.iter_mut().map(|column| column.finish(&buffers)).collect();
        RecordBatch::try_new_with_options(
            Arc::clone(&self.schema),
            columns,
            &RecordBatchOptions::new().with_row_count(Some(rows)),
        )
        .map_err(|e| Error::internal(e.to_string()))
    }
}

impl Decoder for CsvDecoder {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn push(&mut self, range: Range<u64>, bytes: Bytes) -> Result<()> {
        if self.asked.take().as_ref() != Some(&range) {
            return Err(unasked(&range));
        }
        self.rows.push(&range, bytes)
    }

    fn poll(&mut self) -> Result<Step> {
        self.step()
    }
}
