//! The listing: which pieces there are, resolved once, into the plan.
//!
//! **How pieces are cut and lanes are counted** (one rule, from metadata, the same on every machine):
//! a Parquet row group is a piece, in the order of the files given and of the row groups in each. A shuffle has
//! `V = 64` lanes, fewer where there are fewer pieces, and at most `96 MiB / floor`, at least one, where `floor` is
//! what an open row group keeps in memory at least: a page and a dictionary of *every* column (so that the order
//! does not depend on the columns that are read), of the row group and file where that is most.
//!
//! A plain file of lines is cut into ranges of `total / 1024` bytes, rounded up to 64 KiB, at least 1 MiB and at most
//! 32 MiB, where `total` is the length of all files together; a line belongs to the range in which it begins. A
//! compressed file is one piece. A lane's floor is 1 MiB. How many rows a piece has is not known until it is read.
//!
//! A tar archive is cut by the same lengths, at the first sample that begins after each: all headers of an archive that
//! is not compressed are read when it is listed.

use std::ops::Range;
use std::sync::Arc;

use arrow_schema::{FieldRef, Schema};
use bytes::Bytes;

use crate::engine::Engine;
use crate::error::{Error, Kind, Result};
use crate::exec::files::{Files, Head, Opened};
use crate::format::json::Inference;
use crate::format::tar::{Index, KEY, URL};
use crate::plan::{FileEntry, PieceEntry, Scan};
use crate::schema::widen;
use crate::source::{Object, Store};

/// The most lanes of a shuffle.
const LANES: u64 = 64;

/// What the floors of all lanes together may keep.
const FLOORS: u64 = 96 << 20;

/// Footers that are read at once.
const AT_ONCE: usize = 16;

/// The length of the ranges of lines, at least and at most.
const RANGE: Range<u64> = 1 << 20..32 << 20;

/// What an open range of lines keeps.
const LINES_FLOOR: u64 = 1 << 20;

/// The bytes of each file from which types are inferred.
const HEAD: u64 = 1 << 20;

/// How the types of rows are found.
#[derive(Debug, Clone, PartialEq)]
pub enum Types {
    /// From the first lines of each file.
    Head,
    /// From all lines.
    All,
    /// They are given.
    Declared(Schema),
    /// The files say them.
    Written,
}

/// What was seen of a file.
enum Looked {
    Lines(Box<Inference>),
    Archive(Box<Index>),
}

/// What looks at a file, and says which bytes it needs.
trait Look: Send + 'static {
    fn need(&mut self) -> Result<Option<Range<u64>>>;
    fn push(&mut self, range: &Range<u64>, bytes: Bytes) -> Result<()>;
}

impl Look for Inference {
    fn need(&mut self) -> Result<Option<Range<u64>>> {
        Self::need(self)
    }

    fn push(&mut self, _range: &Range<u64>, bytes: Bytes) -> Result<()> {
        Self::push(self, bytes)
    }
}

impl Look for Index {
    fn need(&mut self) -> Result<Option<Range<u64>>> {
        Self::need(self)
    }

    fn push(&mut self, range: &Range<u64>, bytes: Bytes) -> Result<()> {
        Self::push(self, range, bytes)
    }
}

/// Has a file looked at. What is at hand is read where it is looked at.
async fn looked_at<L: Look>(engine: &'static Engine, object: &Arc<dyn Object>, mut look: L) -> Result<L> {
    loop {
        let here = Arc::clone(object);
        let (back, need) = engine
            .cpu(move || {
                let need = at_hand(&mut look, &*here);
                (look, need)
            })
            .await?;
        look = back;
        let Some(range) = need? else { return Ok(look) };
        for bytes in object.read(std::slice::from_ref(&range)).await? {
            look.push(&range, bytes)?;
        }
    }
}

/// Goes on with what is at hand; gives what has to be waited for.
fn at_hand(look: &mut impl Look, object: &dyn Object) -> Result<Option<Range<u64>>> {
    while let Some(range) = look.need()? {
        let Some(parts) = object.read_now(std::slice::from_ref(&range))? else { return Ok(Some(range)) };
        for bytes in parts {
            look.push(&range, bytes)?;
        }
    }
    Ok(None)
}

/// Opens some files at once, and finds the types of their lines where they say so.
async fn opened(store: &Arc<dyn Store>, some: &[String], format: &'static str, types: &Types) -> Result<Vec<(Opened, Option<Looked>)>> {
    let engine = Engine::current()?;
    let (send, mut receive) = tokio::sync::mpsc::unbounded_channel();
    let head = if *types == Types::Head { Some(HEAD) } else { None };
    let known = matches!(types, Types::Declared(_) | Types::Written);
    for (i, path) in some.iter().enumerate() {
        let (store, path, send) = (Arc::clone(store), path.clone(), send.clone());
        engine.spawn(async move {
            let open = async {
                let opened = Files::open(engine, &*store, format, &path).await?;
                if known {
                    return Ok((opened, None));
                }
                let most = engine.budget.for_rows() as usize;
                let named = |e: Error| e.in_file(&path);
                let looked = if format == "json" {
                    let inference = Inference::new(opened.object.size(), head, most);
                    Looked::Lines(Box::new(looked_at(engine, &opened.object, inference).await.map_err(named)?))
                } else {
                    let index = Index::new(opened.object.size(), head.is_none(), most);
                    Looked::Archive(Box::new(looked_at(engine, &opened.object, index).await.map_err(named)?))
                };
                Ok((opened, Some(looked)))
            };
            let made: Result<_> = open.await;
            drop(send.send((i, made)));
        });
    }
    drop(send);
    let mut made: Vec<_> = some.iter().map(|_| None).collect();
    while let Some((i, file)) = receive.recv().await {
        made[i] = Some(file);
    }
    made.into_iter().map(|file| file.ok_or_else(|| Error::internal("a file was lost"))?).collect()
}

/// The number of a file.
fn number(files: &[FileEntry]) -> Result<u32> {
    u32::try_from(files.len()).map_err(|_| Error::new(Kind::Value, "more files than can be numbered"))
}

/// Two fields of one name would be one in a row.
fn unique(schema: &Schema, path: &str) -> Result<()> {
    let mut names: Vec<&String> = schema.fields().iter().map(|f| f.name()).collect();
    names.sort();
    match names.windows(2).find(|pair| pair[0] == pair[1]) {
        Some([twice, _]) => Err(Error::new(Kind::Unsupported, format!("two columns are called {twice:?}, and a row can have only one")).in_file(path)),
        _ => Ok(()),
    }
}

/// Lists the pieces of Parquet files, in the order of `paths`. Reads every footer.
pub async fn parquet(store: Arc<dyn Store>, paths: &[String]) -> Result<Scan> {
    let (mut files, mut pieces, mut floor): (_, Vec<PieceEntry>, _) = (Vec::new(), Vec::new(), 1);
    let mut schema: Option<Schema> = None;
    for some in paths.chunks(AT_ONCE) {
        for (path, (file, _)) in some.iter().zip(opened(&store, some, "parquet", &Types::Written).await?) {
            let Head::Parquet(footer) = &file.head else { return Err(Error::internal("a file of another format")) };
            let number = number(&files)?;
            for (g, group) in footer.metadata.row_groups().iter().enumerate() {
                if group.num_rows() > 0 {
                    let bytes = group.columns().iter().map(|c| u64::try_from(c.compressed_size()).unwrap_or(0)).sum();
                    pieces.push((number, g as u64, Some(group.num_rows().cast_unsigned()), bytes));
                }
            }
            floor = footer.floor().max(floor);
            schema = Some(match schema {
                None => footer.schema.clone(),
                Some(schema) => widen(&schema, &paths[0], &footer.schema, path)?,
            });
            files.push(FileEntry { path: path.clone(), size: file.object.size(), version: file.version });
        }
    }
    let schema = schema.ok_or_else(|| Error::new(Kind::Value, "no files to read"))?;
    unique(&schema, &paths[0])?;
    let lanes = (FLOORS / floor).min(LANES).min(pieces.len() as u64).max(1) as usize;
    Ok(Scan { format: "parquet".into(), files, pieces, schema, declared: false, lanes, floor })
}

/// Lists the ranges of JSON Lines files, in the order of `paths`.
pub async fn json(store: Arc<dyn Store>, paths: &[String], types: Types) -> Result<Scan> {
    let mut files: Vec<FileEntry> = Vec::new();
    let (mut packed, mut schema) = (Vec::new(), None);
    for some in paths.chunks(AT_ONCE) {
        for (path, (file, seen)) in some.iter().zip(opened(&store, some, "json", &types).await?) {
            number(&files)?;
            let seen = match seen {
                Some(Looked::Lines(inference)) => Some(inference.schema()),
                _ => None,
            };
            schema = match (schema, seen) {
                (None, seen) => seen,
                (Some(schema), Some(seen)) if !seen.fields().is_empty() => Some(widen(&schema, &paths[0], &seen, path)?),
                (schema, _) => schema,
            };
            packed.push(matches!(file.head, Head::Json { packed: true }));
            files.push(FileEntry { path: path.clone(), size: file.object.size(), version: file.version });
        }
    }
    let (schema, declared) = match types {
        Types::Declared(schema) => (schema, true),
        _ => (schema.ok_or_else(|| Error::new(Kind::Value, "no files to read"))?, false),
    };
    unique(&schema, &paths[0])?;
    let range = range_of(&files);
    let mut pieces: Vec<PieceEntry> = Vec::new();
    for (i, (file, packed)) in files.iter().zip(packed).enumerate() {
        let step = if packed { file.size.max(1) } else { range };
        pieces.extend((0..file.size).step_by(step as usize).map(|at| (i as u32, at, None, step.min(file.size - at))));
    }
    let lanes = (FLOORS / LINES_FLOOR).min(LANES).min(pieces.len() as u64).max(1) as usize;
    Ok(Scan { format: "json".into(), files, pieces, schema, declared, lanes, floor: LINES_FLOOR })
}

/// The length of the ranges that files are cut into.
fn range_of(files: &[FileEntry]) -> u64 {
    let total: u64 = files.iter().map(|file| file.size).sum();
    (total / 1024).next_multiple_of(64 << 10).clamp(RANGE.start, RANGE.end)
}

/// Lists the samples of tar archives, in the order of `paths`. Reads every header. `all`: the types of JSON members are
/// found from all of them.
pub async fn tar(store: Arc<dyn Store>, paths: &[String], all: bool) -> Result<Scan> {
    let mut files: Vec<FileEntry> = Vec::new();
    // Of each file: where samples begin, if they are known.
    let (mut starts, mut schema): (Vec<Option<Vec<u64>>>, Option<Schema>) = (Vec::new(), None);
    let types = if all { Types::All } else { Types::Head };
    for some in paths.chunks(AT_ONCE) {
        for (path, (file, looked)) in some.iter().zip(opened(&store, some, "webdataset", &types).await?) {
            number(&files)?;
            let Some(Looked::Archive(index)) = looked else { return Err(Error::internal("an archive that nobody looked at")) };
            schema = Some(match schema {
                None => index.schema(),
                Some(schema) => widen(&schema, &paths[0], &index.schema(), path)?,
            });
            starts.push((!index.packed()).then(|| index.starts().to_vec()));
            files.push(FileEntry { path: path.clone(), size: file.object.size(), version: file.version });
        }
    }
    let schema = schema.ok_or_else(|| Error::new(Kind::Value, "no files to read"))?;
    // What a sample is called stands last, as `datasets` has it.
    let (named, mut fields): (Vec<FieldRef>, Vec<FieldRef>) = schema.fields().iter().cloned().partition(|field| field.name() == KEY || field.name() == URL);
    fields.extend(named);
    let range = range_of(&files);
    let mut pieces: Vec<PieceEntry> = Vec::new();
    for (i, (file, starts)) in files.iter().zip(starts).enumerate() {
        let Some(starts) = starts else {
            pieces.push((i as u32, 0, None, file.size));
            continue;
        };
        let mut from = 0;
        while from < starts.len() {
            let limit = (starts[from] / range + 1) * range;
            let upto = starts.partition_point(|at| *at < limit).max(from + 1);
            let end = starts.get(upto).copied().unwrap_or(file.size);
            pieces.push((i as u32, starts[from], Some((upto - from) as u64), end - starts[from]));
            from = upto;
        }
    }
    let lanes = (FLOORS / LINES_FLOOR).min(LANES).min(pieces.len() as u64).max(1) as usize;
    Ok(Scan { format: "webdataset".into(), files, pieces, schema: Schema::new(fields), declared: false, lanes, floor: LINES_FLOOR })
}
