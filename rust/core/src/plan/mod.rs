//! The plan: immutable data that says which rows come in which order. Python builds it, this core runs it.

pub mod cursor;
pub mod expr;
pub(crate) mod global;
pub mod order;
pub mod rows;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef};
use serde::{Deserialize, Serialize};

use crate::codec::Codec;
use crate::column_steps::ColumnStep;
use crate::error::{Error, Kind, Result};
use crate::fields::{FILE, ROW};
use crate::forked::Forked;
use crate::hash::hash;
use order::{Op, Order, Piece};

/// One file of a listing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// Where it is: a local path, or a URL.
    pub path: String,
    /// Its length in bytes.
    pub size: u64,
    /// What identifies its content: a hash of a Parquet file's footer, of the first and last bytes of others.
    pub version: String,
    /// The member of an archive that it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member: Option<Member>,
    /// The columns that its path gives it: `key=value` in the names of folders.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub partition: BTreeMap<String, Option<String>>,
    /// What its format noted of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<serde_json::Value>,
    /// How it is compressed, if it is far away: to look would take time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub codec: Option<Codec>,
    /// Whether its version is what the store says, rather than what its content shows.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub told: bool,
}

impl FileEntry {
    /// Where it is, as errors and rows say it.
    pub fn name(&self) -> String {
        match &self.member {
            None => self.path.clone(),
            Some(member) => format!("{}!{}", self.path, member.name),
        }
    }
}

/// A file in an archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// Its name in the archive.
    pub name: String,
    /// Where its bytes begin in the archive, decompressed where it is compressed as a whole.
    pub at: u64,
    /// How many they are.
    pub size: u64,
    /// How they are compressed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub codec: Option<Codec>,
    /// The length of the archive.
    #[serde(default)]
    pub whole: u64,
    /// How the archive as a whole is compressed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub archive: Option<Codec>,
}

/// A piece as the listing has it: `(file, place, rows, bytes)`. The place is the number of a row group, or the first
/// byte; the rows are absent where nobody counted them.
pub type PieceEntry = (u32, u64, Option<u64>, u64);

/// What there is to read, resolved once: files, their pieces, and one schema.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scan {
    /// The format's name.
    pub format: String,
    /// Its options.
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    pub options: serde_json::Value,
    /// The files, in the order of the listing.
    pub files: Vec<FileEntry>,
    /// Their pieces, in file order.
    pub pieces: Vec<PieceEntry>,
    /// The schema that every row has.
    pub schema: Schema,
    /// Whether a user gave the schema, rather than the files.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub declared: bool,
    /// The most lanes a shuffle may have.
    pub lanes: usize,
    /// The bytes that an open piece keeps at least.
    pub floor: u64,
}

/// A step of the order: what `Op` says, for `times` passes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Segment {
    /// The transforms of each pass.
    pub ops: Vec<Op>,
    /// How many passes.
    pub times: u64,
    /// Whether a batch ends where a pass does.
    #[serde(default)]
    pub flush: bool,
}

/// Rows cut into batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Batching {
    /// Rows of a batch.
    pub size: usize,
    /// Whether a shorter last one is left out.
    pub drop_last: bool,
}

/// The plan. What changes the result is in it; what changes only the speed never is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The version of the plan's form.
    pub version: u32,
    /// What there is to read.
    pub scan: Arc<Scan>,
    /// The columns of a row, in order: `(name in the files, name in the row)`; all of them where absent.
    #[serde(default)]
    pub columns: Option<Vec<(String, String)>>,
    /// Which rows are kept, by the names that columns have in the files.
    #[serde(default)]
    pub filter: Option<expr::Expr>,
    /// What becomes of records that cannot be read: an error, or nothing.
    #[serde(default)]
    pub lenient: bool,
    /// The number that the first pass has in the keys of its shuffles: a skip leaves out the passes before it.
    #[serde(default)]
    pub first: u64,
    /// The passes.
    pub segments: Vec<Segment>,
    /// The passes that follow for ever.
    #[serde(default)]
    pub cycle: Vec<Segment>,
    /// How rows are batched, if they are.
    #[serde(default)]
    pub batch: Option<Batching>,
    /// What is done with columns of rows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub column_steps: Vec<ColumnStep>,
    /// The bytes of files that are in memory: they stay as long as the plan does.
    #[serde(skip)]
    pub held: Vec<Arc<bytes::Bytes>>,
}

impl Plan {
    /// Reads a plan's JSON.
    pub fn parse(json: &str) -> Result<Self> {
        let plan: Self = serde_json::from_str(json)
            .map_err(|e| Error::new(Kind::Value, format!("not a plan of this rowstream: {e}")))?;
        if plan.version != 1 {
            return Err(Error::new(
                Kind::Value,
                format!("the plan has version {}, this rowstream reads version 1", plan.version),
            ));
        }
        let files = plan.scan.files.len();
        if plan.scan.pieces.iter().any(|p| p.0 as usize >= files) {
            return Err(Error::new(Kind::Value, "the plan has a piece of a file that it does not list"));
        }
        if let Some(filter) = &plan.filter {
            filter.check(&plan.scan.schema)?;
        }
        for step in &plan.column_steps {
            step.check()?;
        }
        Ok(plan)
    }

    /// What identifies rows and order: files by name, length and content, wherever they lie; every step of the
    /// order; the batching. Not the columns: a cursor stays valid when other columns are read.
    pub fn fingerprint(&self) -> String {
        let name = |path: &str| path.rsplit(['/', '\\']).next().unwrap_or(path).to_owned();
        let files: Vec<_> = self.scan.files.iter().map(|f| (name(&f.name()), f.size, &f.version)).collect();
        let what = serde_json::json!([
            self.version,
            self.scan.format,
            self.scan.options,
            files,
            self.scan.pieces,
            self.scan.lanes,
            self.first,
            self.segments,
            self.cycle,
            self.batch
        ]);
        format!("{:016x}", hash(what.to_string().as_bytes()))
    }

    /// The names and types of a row.
    pub fn schema(&self) -> Result<SchemaRef> {
        let read = self.read_schema()?;
        if self.column_steps.is_empty() {
            return Ok(read);
        }
        let field = |field: &Arc<Field>| match self.column_steps.iter().find(|step| step.column() == field.name()) {
            Some(step) => Arc::new(Field::new(field.name(), step.data_type(), true)),
            None => Arc::clone(field),
        };
        Ok(Arc::new(Schema::new(read.fields().iter().map(field).collect::<Vec<_>>())))
    }

    /// The names and types of a row as it is read, before anything is done with it.
    pub(crate) fn read_schema(&self) -> Result<SchemaRef> {
        let schema = &self.scan.schema;
        let Some(columns) = &self.columns else { return Ok(Arc::new(schema.clone())) };
        let field = |(source, name): &(String, String)| {
            match source.as_str() {
                FILE => return Ok(Arc::new(Field::new(name, DataType::Utf8, false))),
                ROW => return Ok(Arc::new(Field::new(name, DataType::Int64, false))),
                _ => {}
            }
            let field = schema.field_with_name(source).map_err(|_| {
                Error::new(
                    Kind::Schema,
                    format!(
                        "there is no column {source:?}; the columns are {:?}",
                        schema.fields().iter().map(|f| f.name()).collect::<Vec<_>>()
                    ),
                )
            })?;
            Ok(Arc::new(field.clone().with_name(name)))
        };
        Ok(Arc::new(Schema::new(columns.iter().map(field).collect::<Result<Vec<_>>>()?)))
    }
}

/// The passes of a plan and their orders, made when they are first needed.
pub struct Program {
    pieces: Arc<[Piece]>,
    plan: Arc<Plan>,
    orders: Forked<HashMap<(u64, u64), Arc<Order>>>,
}

impl Program {
    /// The passes of a plan.
    pub fn new(plan: Arc<Plan>) -> Self {
        let pieces = plan.scan.pieces.iter().map(|&(_, _, rows, bytes)| Piece { rows, bytes }).collect();
        Self { pieces, plan, orders: Forked::default() }
    }

    /// The number that the first pass has.
    pub(crate) fn first(&self) -> u64 {
        self.plan.first
    }

    /// How many passes there are; `None` where they never end.
    pub fn passes(&self) -> Option<u64> {
        self.plan.cycle.is_empty().then(|| self.plan.segments.iter().map(|s| s.times).sum())
    }

    fn segment(&self, pass: u64) -> Result<(&Segment, bool)> {
        let mut left = pass;
        for segment in &self.plan.segments {
            if left < segment.times {
                return Ok((segment, segment.flush));
            }
            left -= segment.times;
        }
        let round: u64 = self.plan.cycle.iter().map(|s| s.times).sum();
        if round > 0 {
            left %= round;
            for segment in &self.plan.cycle {
                if left < segment.times {
                    return Ok((segment, segment.flush));
                }
                left -= segment.times;
            }
        }
        Err(Error::internal(format!("there is no pass {pass}")))
    }

    /// Whether a batch ends where this pass does.
    pub fn flushes(&self, pass: u64) -> Result<bool> {
        Ok(self.segment(pass)?.1)
    }

    /// The order of a pass.
    pub fn order(&self, epoch: u64, pass: u64) -> Result<Arc<Order>> {
        let mut orders = self.orders.lock();
        if let Some(order) = orders.get(&(epoch, pass)) {
            return Ok(Arc::clone(order));
        }
        let order = Arc::new(Order::build(
            &self.pieces,
            self.plan.scan.lanes,
            &self.segment(pass)?.0.ops,
            epoch,
            pass + self.plan.first,
        )?);
        if orders.len() > 4 {
            orders.clear();
        }
        orders.insert((epoch, pass), Arc::clone(&order));
        Ok(order)
    }

    /// The rows of the pass in the epoch that takes and skips are chosen in, where they are known.
    pub fn rows(&self, pass: u64) -> Result<Option<u64>> {
        Ok(self.order(0, pass)?.rows())
    }

    /// The order of a pass, in the epoch that takes and skips are chosen in, with what was counted since.
    pub(crate) fn counted(&self, pass: u64, rows: &BTreeMap<u32, u64>) -> Result<Order> {
        let mut pieces = self.pieces.to_vec();
        for (&piece, &rows) in rows {
            pieces[piece as usize].rows = Some(rows);
        }
        Order::build(&pieces.into(), self.plan.scan.lanes, &self.segment(pass)?.0.ops, 0, pass + self.plan.first)
    }
}
