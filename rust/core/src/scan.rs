//! The listing: which pieces there are, resolved once, into the plan.
//!
//! **How pieces are cut and lanes are counted** (one rule, from metadata, the same on every machine):
//! a Parquet row group and an Arrow batch are pieces, in the order of the files given and of those in each. A shuffle
//! has `V = 64` lanes, fewer where there are fewer pieces, and at most `96 MiB / floor`, at least one, where `floor` is
//! what an open piece keeps in memory at least. For Parquet that is a page and a dictionary of *every* column (so that
//! the order does not depend on the columns that are read), of the row group and file where that is most; 1 MiB for the
//! others.
//!
//! What can be cut anywhere, plain lines, is cut into ranges of `total / 1024` bytes, rounded up to 64 KiB, at least 1
//! MiB and at most 32 MiB, where `total` is the length of all files together; a row belongs to the range in which it
//! begins. How many rows a range has is not known until it is read. What has known rows, an archive that is not
//! compressed, is cut at the first row that begins after each such length. All else is one piece a file.
//!
//! A zip or tar archive of data files is as if they lay in a folder.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use arrow_schema::{DataType, Field, FieldRef, Schema};

use crate::engine::{Engine, at_once};
use crate::error::{Error, Kind, Result};
use crate::files::{Asked, Files, Opened, entries, packed};
use crate::format::{Cuts, ProbeDepth, ProbeResult};
use crate::plan::{FileEntry, PieceEntry, Scan};
use crate::schema::{Mixed, widen};
use crate::source::{Known, Store};

/// The most lanes of a shuffle.
const LANES: u64 = 64;

/// What the floors of all lanes together may keep.
const FLOORS: u64 = 96 << 20;

/// Files that are looked at at once.
const AT_ONCE: usize = 32;

/// The length of ranges, at least and at most.
const RANGE: Range<u64> = 1 << 20..32 << 20;

/// How the types of rows are found.
#[derive(Debug, Clone, PartialEq)]
pub enum Types {
    /// From what the files say, or their first rows.
    Head,
    /// From what the files say, or all their rows.
    All,
    /// They are given.
    Declared {
        /// The types of the rows.
        schema: Schema,
        /// Whether those that the first bytes of files show are told beside them.
        compare: bool,
    },
}

/// Two fields of one name would be one in a row.
fn unique(schema: &Schema, path: &str) -> Result<()> {
    let mut names: Vec<&String> = schema.fields().iter().map(|f| f.name()).collect();
    names.sort();
    match names.windows(2).find(|pair| pair[0] == pair[1]) {
        Some([twice, _]) => {
            Err(Error::new(Kind::Unsupported, format!("two columns are called {twice:?}, and a row can have only one"))
                .in_file(path))
        }
        _ => Ok(()),
    }
}

/// A file that is to be listed, and what is known of it.
#[derive(Debug, Clone)]
pub struct Named {
    /// Where it is.
    pub path: String,
    /// What a listing said of it: then it need not be asked for.
    pub known: Option<Known>,
    /// Where its rows begin, as an index beside it says: for what is far away, where finding them would read all of it.
    pub starts: Option<Arc<Starts>>,
}

/// Where the rows of a file begin, as an index says.
#[derive(Debug, Clone, Default)]
pub struct Starts {
    /// Where each row begins.
    pub rows: Vec<u64>,
    /// Where the last row ends; or where one more begins, if the index has no end.
    pub last: Option<u64>,
}

impl From<String> for Named {
    fn from(path: String) -> Self {
        Self { path, known: None, starts: None }
    }
}

/// Lists the pieces of files of a format, in the order of `paths`. `lenient`: records that cannot be read say nothing
/// of types.
///
/// Beside the listing it gives the types that the files show, where those of the rows are given and they are to be
/// compared.
pub async fn list(
    store: Arc<dyn Store>,
    paths: &[Named],
    name: &str,
    options: serde_json::Value,
    types: Types,
    lenient: bool,
) -> Result<(Scan, Option<Schema>)> {
    let engine = Engine::current()?;
    let format = crate::format::of(name, &options)?;
    let (depth, compare) = match types {
        Types::Head => (ProbeDepth::Head, false),
        Types::All => (ProbeDepth::All, false),
        Types::Declared { compare: true, .. } => (ProbeDepth::Head, true),
        Types::Declared { .. } => (ProbeDepth::Shape, false),
    };
    // Indexes of one data set end alike.
    let mut ends = true;
    let mut listed: Vec<(FileEntry, Option<Known>)> = Vec::new();
    for some in paths.chunks(AT_ONCE) {
        let work = some.iter().map(|named| {
            let (store, named, name) = (Arc::clone(&store), named.clone(), name.to_owned());
            async move {
                let entries = entries(engine, &*store, &name, &named.path, named.known.as_ref()).await?;
                Ok(entries.into_iter().map(|entry| (entry, named.known.clone())).collect::<Vec<_>>())
            }
        });
        listed.extend(at_once(engine, work).await?.into_iter().flatten());
    }
    let looked = looked_at(&listed, &*format, depth);
    let starts: HashMap<&str, &Starts> =
        paths.iter().filter_map(|named| Some((named.path.as_str(), &**named.starts.as_ref()?))).collect();
    let given = matches!(types, Types::Declared { .. });
    let (mut files, mut cuts): (Vec<FileEntry>, Vec<Option<Cuts>>) = (Vec::new(), Vec::new());
    let (mut schema, mut first, mut floor): (Option<Schema>, String, u64) = (None, String::new(), 1);
    let mixed = Mixed::of(name);
    for (some, looks) in listed.chunks(AT_ONCE).zip(looked.chunks(AT_ONCE)) {
        let work = (files.len()..).zip(some.iter().zip(looks)).map(|(i, ((entry, known), look))| {
            let (store, entry, format, known, look) =
                (Arc::clone(&store), entry.clone(), Arc::clone(&format), known.clone(), *look);
            let asked = Asked { lenient, first: i == 0 && !compare, ..Asked::default() };
            async move {
                if !look {
                    return Ok(None);
                }
                let opened = Files::open(engine, &*store, &*format, &entry, known.as_ref()).await?;
                let found = match opened.probe(engine, &*format, &entry.name(), depth, asked).await {
                    // What shows no one type can still be of the type that is given.
                    Err(e) if compare && e.kind == Kind::Schema => {
                        opened.probe(engine, &*format, &entry.name(), ProbeDepth::Shape, asked).await?
                    }
                    found => found?,
                };
                Ok(Some((opened, found)))
            }
        });
        for ((entry, known), found) in some.iter().zip(at_once(engine, work).await?) {
            u32::try_from(files.len()).map_err(|_| Error::new(Kind::Value, "more files than can be numbered"))?;
            let Some((opened, found)) = found else {
                let Known { size, version } =
                    known.clone().ok_or_else(|| Error::internal("a file that nobody looked at"))?;
                let starts = starts.get(entry.path.as_str()).filter(|_| !packed(&entry.path));
                cuts.push(
                    starts
                        .map(|starts| indexed(starts, ends, size, &[]).map_err(|e| e.in_file(&entry.path)))
                        .transpose()?,
                );
                files.push(FileEntry { size, version: version.unwrap_or_default(), told: true, ..entry.clone() });
                continue;
            };
            let Opened { object, version, codec, .. } = opened;
            let told = object.version().is_some();
            let ProbeResult { schema: seen, cuts: cut, floor: keeps, version: better, note, seen: rows, .. } = found;
            schema = match (schema, seen) {
                (None, Some(seen)) => {
                    first = entry.name();
                    Some(seen)
                }
                (Some(schema), Some(seen)) if !seen.fields().is_empty() || !cut.empty() => {
                    match widen(&schema, &first, &seen, &entry.name(), mixed) {
                        // Whether they can be what is given shows where they are read.
                        Err(_) if given => Some(schema),
                        widened => Some(widened?),
                    }
                }
                (schema, _) => schema,
            };
            floor = floor.max(keeps);
            // What can only be read from its start is one piece.
            cuts.push(Some(match (cut, starts.get(entry.path.as_str())) {
                _ if !object.ranged() => Cuts::Whole,
                (Cuts::Whole, Some(starts)) if codec.is_none() => {
                    let seen = rows.map(|(starts, _)| starts).unwrap_or_default();
                    ends = match starts.last {
                        Some(last) if last + 512 <= object.size() => {
                            let marker = last..last + 512;
                            let block =
                                object.read(std::slice::from_ref(&marker)).await.map_err(|e| e.in_file(&entry.path))?;
                            block.iter().flatten().all(|byte| *byte == 0)
                        }
                        _ => true,
                    };
                    indexed(starts, ends, object.size(), &seen).map_err(|e| e.in_file(&entry.path))?
                }
                (cut, _) => cut,
            }));
            let version = if told { version } else { better.unwrap_or(version) };
            files.push(FileEntry {
                size: object.size(),
                version,
                note,
                codec: codec.filter(|_| told),
                told,
                ..entry.clone()
            });
        }
    }
    if let (Types::Declared { schema: given, .. }, Some(seen)) = (&types, &schema)
        && matches!(name, "csv" | "parquet" | "arrow")
    {
        known(given, seen, &files).map_err(|e| e.in_file(&first))?;
    }
    let (schema, shown, declared) = match types {
        Types::Declared { schema: given, .. } => (given, schema.filter(|_| compare), true),
        _ => (schema.ok_or_else(|| Error::new(Kind::Value, "no files to read"))?, None, false),
    };
    let schema = partitioned(&schema, &files, declared);
    unique(&schema, files.first().map_or("", |file| &file.path))?;
    // What a sample is called stands last, as `datasets` has it.
    let (named, mut fields): (Vec<FieldRef>, Vec<FieldRef>) =
        schema.fields().iter().cloned().partition(|field| crate::format::tar::is_name(field.name()));
    fields.extend(named);
    let schema = Schema::new_with_metadata(fields, schema.metadata().clone());
    let encoded = options.get("encoding").is_some();
    let pieces = pieces(&files, as_the_others(&files, cuts, encoded));
    let lanes = lanes(floor, pieces.len());
    Ok((Scan { format: name.into(), options, files, pieces, schema, declared, lanes, floor }, shown))
}

/// Where the rows of a file begin, and where the last of them ends, for an index beside it.
pub async fn row_starts(
    store: Arc<dyn Store>,
    named: &Named,
    name: &str,
    options: &serde_json::Value,
) -> Result<(Vec<u64>, u64)> {
    let engine = Engine::current()?;
    let format = crate::format::of(name, options)?;
    let entry = entries(engine, &*store, name, &named.path, named.known.as_ref()).await?.swap_remove(0);
    let opened = Files::open(engine, &*store, &*format, &entry, named.known.as_ref()).await?;
    if opened.codec.is_some() {
        let what = "it is compressed, so it is read from its start however it is indexed: decompress it first";
        return Err(Error::new(Kind::Unsupported, what).in_file(&named.path));
    }
    let asked = Asked { every: true, ..Asked::default() };
    let found = opened.probe(engine, &*format, &entry.name(), ProbeDepth::Shape, asked).await?;
    found.seen.ok_or_else(|| {
        Error::new(Kind::Unsupported, format!("files of {name} need no index: where rows begin, they say"))
            .in_file(&named.path)
    })
}

/// Files far away that are looked at, where it is known of all how long they are and which version.
const LOOKED_AT: usize = 32;

/// Which files are looked at: all, or some at even distances where each look takes time and the others tell nothing
/// that is needed to read them.
fn looked_at(
    listed: &[(FileEntry, Option<Known>)],
    format: &dyn crate::format::Format,
    depth: ProbeDepth,
) -> Vec<bool> {
    let known = |(entry, known): &(FileEntry, Option<Known>)| {
        let told = known.as_ref().is_some_and(|known| known.version.is_some());
        told && entry.member.is_none() && entry.path.contains("://")
    };
    let n = listed.len();
    if format.random() || depth == ProbeDepth::All || n <= LOOKED_AT || !listed.iter().all(known) {
        return vec![true; n];
    }
    let mut looked = vec![false; n];
    for i in 0..LOOKED_AT {
        looked[i * (n - 1) / (LOOKED_AT - 1)] = true;
    }
    looked
}

/// Where files can be cut that nobody looked at: anywhere, if that is so of all that were looked at and are not
/// compressed; nowhere where they are of another encoding than UTF-8.
fn as_the_others(files: &[FileEntry], cuts: Vec<Option<Cuts>>, encoded: bool) -> Vec<Cuts> {
    let anywhere = !encoded
        && files.iter().zip(&cuts).all(|(file, cuts)| match cuts {
            None | Some(Cuts::Anywhere) => true,
            Some(_) => file.codec.is_some(),
        });
    let made = |(file, cuts): (&FileEntry, Option<Cuts>)| match cuts {
        Some(cuts) => cuts,
        None if anywhere && !packed(&file.path) => Cuts::Anywhere,
        None => Cuts::Whole,
    };
    files.iter().zip(cuts).map(made).collect()
}

/// Refuses columns that are given and no file has, beside those that files have and nobody named: what is meant by one
/// name is called by another.
fn known(given: &Schema, seen: &Schema, files: &[FileEntry]) -> Result<()> {
    let there = |name: &String| {
        seen.field_with_name(name).is_ok() || files.iter().any(|file| file.partition.contains_key(name))
    };
    let lacking: Vec<&String> = given.fields().iter().map(|f| f.name()).filter(|name| !there(name)).collect();
    let unnamed = seen.fields().iter().any(|field| given.field_with_name(field.name()).is_err());
    if lacking.is_empty() || !unnamed || seen.fields().is_empty() {
        return Ok(());
    }
    let columns: Vec<&String> = seen.fields().iter().map(|f| f.name()).collect();
    Err(Error::new(
        Kind::Schema,
        format!("features= names the columns {lacking:?}, which are not there: the columns are {columns:?}"),
    ))
}

/// The schema with the columns that paths give, where all of them give the same: integers, or else strings. What a file
/// has itself is not replaced.
fn partitioned(schema: &Schema, files: &[FileEntry], declared: bool) -> Schema {
    let Some(first) = files.first().filter(|_| !declared) else { return schema.clone() };
    if files.iter().any(|file| !file.partition.keys().eq(first.partition.keys())) {
        return schema.clone();
    }
    let mut fields: Vec<FieldRef> = schema.fields().to_vec();
    for key in first.partition.keys().filter(|key| schema.field_with_name(key).is_err()) {
        let mut values = files.iter().filter_map(|file| file.partition[key].as_deref());
        let integers = values.clone().next().is_some()
            && values.all(|value| value.parse::<i64>().is_ok_and(|n| n.to_string() == value));
        fields.push(Arc::new(Field::new(key, if integers { DataType::Int64 } else { DataType::Utf8 }, true)));
    }
    Schema::new_with_metadata(fields, schema.metadata().clone())
}

/// Several listings of one format as one: the files of the first, then those of the next. Its rows have the columns of
/// all.
pub fn join(scans: Vec<Scan>) -> Result<Scan> {
    let mut scans = scans.into_iter();
    let mut joined = scans.next().ok_or_else(|| Error::new(Kind::Value, "there is nothing to join"))?;
    for scan in scans {
        if (&scan.format, &scan.options, scan.declared) != (&joined.format, &joined.options, joined.declared) {
            return Err(Error::new(Kind::Unsupported, "files of one format, read alike, can be one listing"));
        }
        let name = |files: &[FileEntry]| files.first().map_or_else(String::new, FileEntry::name);
        joined.schema =
            widen(&joined.schema, &name(&joined.files), &scan.schema, &name(&scan.files), Mixed::of(&joined.format))?;
        let before = u32::try_from(joined.files.len())
            .map_err(|_| Error::new(Kind::Value, "more files than can be numbered"))?;
        joined.files.extend(scan.files);
        joined.pieces.extend(scan.pieces.into_iter().map(|(file, at, rows, bytes)| (file + before, at, rows, bytes)));
        joined.floor = joined.floor.max(scan.floor);
    }
    joined.lanes = lanes(joined.floor, joined.pieces.len());
    Ok(joined)
}

/// The most lanes of a shuffle.
fn lanes(floor: u64, pieces: usize) -> usize {
    (FLOORS / floor.max(1)).min(LANES).min(pieces as u64).max(1) as usize
}

/// Where an index says that the rows of a file begin, if it can be of this file. `ends`: it says where they end; `seen`:
/// where the first rows begin.
fn indexed(starts: &Starts, ends: bool, size: u64, seen: &[u64]) -> Result<Cuts> {
    let mut starts = starts.clone();
    starts.rows.extend(starts.last.filter(|_| !ends));
    let starts = starts.rows;
    let fits = starts.is_sorted_by(|a, b| a < b) && starts.iter().all(|at| at.is_multiple_of(512) && *at < size);
    // What is no sample may stand before one, and be of it for some.
    let ends = starts.iter().skip(1).chain(std::iter::once(&size));
    let same = seen.len() <= starts.len()
        && seen.iter().zip(starts.iter().zip(ends)).all(|(at, (start, end))| start <= at && at < end);
    if !fits || !same {
        return Err(Error::data(format!(
            "its index is not of this archive, which has {size} bytes: make it again with rowstream.webdataset.index, \
             or read the archive without it by index=False"
        )));
    }
    Ok(Cuts::Rows(starts))
}

/// Cuts files into pieces.
fn pieces(files: &[FileEntry], cuts: Vec<Cuts>) -> Vec<PieceEntry> {
    let total: u64 = files.iter().map(|file| file.size).sum();
    let range = (total / 1024).next_multiple_of(64 << 10).clamp(RANGE.start, RANGE.end);
    let mut pieces: Vec<PieceEntry> = Vec::new();
    for ((i, file), cuts) in (0_u32..).zip(files).zip(cuts) {
        match cuts {
            Cuts::Whole if file.size == 0 => {}
            Cuts::Whole => pieces.push((i, 0, None, file.size)),
            Cuts::Anywhere => {
                let parts = Parts::new(file.size, range);
                pieces.extend(
                    (0..parts.of).map(|part| (i, parts.start(part), None, parts.start(part + 1) - parts.start(part))),
                );
            }
            Cuts::Pieces(of) => pieces.extend(of.into_iter().map(|(at, rows, bytes)| (i, at, rows, bytes))),
            Cuts::Rows(starts) => {
                let (parts, mut from) = (Parts::new(file.size, range), 0);
                while from < starts.len() {
                    let limit = parts.end(starts[from]);
                    let upto = starts.partition_point(|at| *at < limit).max(from + 1);
                    let end = starts.get(upto).copied().unwrap_or(file.size);
                    pieces.push((i, starts[from], Some((upto - from) as u64), end - starts[from]));
                    from = upto;
                }
            }
        }
    }
    pieces
}

/// A file in parts of one length, so that a short one at its end makes no consumer's share a small one.
struct Parts {
    size: u64,
    of: u64,
}

impl Parts {
    /// As few as have at most `range` bytes each.
    fn new(size: u64, range: u64) -> Self {
        Self { size, of: size.div_ceil(range) }
    }

    /// The first byte of a part, or the end of the file.
    fn start(&self, part: u64) -> u64 {
        (u128::from(self.size) * u128::from(part) / u128::from(self.of.max(1))) as u64
    }

    /// The end of the part with a byte.
    fn end(&self, at: u64) -> u64 {
        let part = (u128::from(at) * u128::from(self.of) / u128::from(self.size.max(1))) as u64;
        (part..self.of).map(|part| self.start(part + 1)).find(|end| *end > at).unwrap_or(self.size)
    }
}

impl Cuts {
    /// Whether there are no pieces.
    fn empty(&self) -> bool {
        matches!(self, Self::Pieces(of) if of.is_empty()) || matches!(self, Self::Rows(starts) if starts.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::Parts;

    #[test]
    fn parts_are_of_one_length_and_cover_a_file() {
        for (size, range) in [(1, 1 << 20), (1 << 20, 1 << 20), ((1 << 20) + 1, 1 << 20), (7 << 30, 32 << 20), (10, 3)]
        {
            let parts = Parts::new(size, range);
            assert_eq!((parts.start(0), parts.start(parts.of)), (0, size));
            let lengths: Vec<u64> = (0..parts.of).map(|part| parts.start(part + 1) - parts.start(part)).collect();
            let (least, most) = (lengths.iter().min(), lengths.iter().max());
            assert!(most <= Some(&range) && most.zip(least).is_some_and(|(most, least)| most - least <= 1));
            for part in 0..parts.of {
                assert_eq!(parts.end(parts.start(part)), parts.start(part + 1));
                assert_eq!(parts.end(parts.start(part + 1) - 1), parts.start(part + 1));
            }
        }
        assert_eq!(Parts::new(0, 1 << 20).of, 0);
    }
}
