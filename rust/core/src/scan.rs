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

use std::sync::Arc;

use arrow_schema::Schema;

use crate::engine::Engine;
use crate::error::{Error, Kind, Result};
use crate::exec::files::{Files, Head, Opened};
use crate::format::json::Inference;
use crate::plan::{FileEntry, PieceEntry, Scan};
use crate::schema::widen;
use crate::source::Store;

/// The most lanes of a shuffle.
const LANES: u64 = 64;

/// What the floors of all lanes together may keep.
const FLOORS: u64 = 96 << 20;

/// Footers that are read at once.
const AT_ONCE: usize = 16;

/// The length of the ranges of lines, at least and at most.
const RANGE: std::ops::Range<u64> = 1 << 20..32 << 20;

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

/// Opens some files at once, and finds the types of their lines where they say so.
async fn opened(store: &Arc<dyn Store>, some: &[String], format: &'static str, types: &Types) -> Result<Vec<(Opened, Option<Schema>)>> {
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
                let mut inference = Inference::new(opened.object.size(), head, engine.budget.for_rows() as usize);
                loop {
                    let need;
                    (inference, need) = engine
                        .cpu(move || {
                            let need = inference.need();
                            (inference, need)
                        })
                        .await?;
                    let Some(range) = need.map_err(|e| e.in_file(&path))? else { break };
                    for bytes in opened.object.read(&[range]).await? {
                        inference.push(bytes).map_err(|e| e.in_file(&path))?;
                    }
                }
                Ok((opened, Some(inference.schema())))
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
    let total: u64 = files.iter().map(|file| file.size).sum();
    let range = (total / 1024).next_multiple_of(64 << 10).clamp(RANGE.start, RANGE.end);
    let mut pieces: Vec<PieceEntry> = Vec::new();
    for (i, (file, packed)) in files.iter().zip(packed).enumerate() {
        let step = if packed { file.size.max(1) } else { range };
        pieces.extend((0..file.size).step_by(step as usize).map(|at| (i as u32, at, None, step.min(file.size - at))));
    }
    let lanes = (FLOORS / LINES_FLOOR).min(LANES).min(pieces.len() as u64).max(1) as usize;
    Ok(Scan { format: "json".into(), files, pieces, schema, declared, lanes, floor: LINES_FLOOR })
}
