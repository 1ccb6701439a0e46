//! The files of a stream, opened once and shared by the readers of their pieces; and the members of archives, as files.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::Arc;

use tokio::sync::{Mutex, OnceCell};
use tokio::task::spawn_blocking;

use crate::engine::Engine;
use crate::error::{Error, Kind, Result};
use crate::format::compress::Codec;
use crate::format::{FileFacts, Format, Head, Probe, ProbeDepth, ProbeResult, tar, zip};
use crate::hash::hash;
use crate::plan::{FileEntry, Member, Scan};
use crate::source::remote::cache::Key;
use crate::source::{Hint, Known, Object, Part, Store, unescaped};
use crate::unpack::{self, Kept, Unpacked, read};
use crate::urls::shown;

/// Files that are kept open where no reader uses them; their footers are not small.
const MOST_OPEN: usize = 8;

/// A file that is open.
#[derive(Clone)]
pub(crate) struct Opened {
    pub(crate) object: Arc<dyn Object>,
    /// How it is compressed, where that does not lie behind.
    pub(crate) codec: Option<Codec>,
    /// From which places it can be read, if it is.
    pub(crate) kept: Kept,
    /// What identifies its content.
    pub(crate) version: String,
    /// What its format needs to read pieces.
    pub(crate) head: Option<Head>,
}

/// The first and last bytes of a file that tell it from others of its length.
const ENDS: u64 = 4 << 10;

/// Whether a name says that a file is compressed.
pub(crate) fn packed(name: &str) -> bool {
    let name = bare(name).to_ascii_lowercase();
    PACKED.iter().any(|end| name.ends_with(end))
}

/// An object that can be read at any place: what cannot is put into a file without a name.
async fn ranged(engine: &'static Engine, object: Arc<dyn Object>) -> Result<Arc<dyn Object>> {
    if object.ranged() {
        return Ok(object);
    }
    unpack::spooled(engine, &*object, "the server gives no ranges, so it is put").await
}

/// Goes on with what is at hand; gives what has to be waited for.
fn at_hand(probe: &mut dyn Probe, object: &dyn Object) -> Result<Option<Range<u64>>> {
    while let Some(range) = probe.need()? {
        let Some(bytes) = object.look_now(&range)? else { return Ok(Some(range)) };
        probe.push(&range, bytes)?;
    }
    Ok(None)
}

/// Probes a file. What is at hand is read where it is needed.
async fn probed(engine: &'static Engine, object: &Arc<dyn Object>, mut probe: Box<dyn Probe>) -> Result<ProbeResult> {
    loop {
        let here = Arc::clone(object);
        let (back, need) = engine
            .cpu(move || {
                let need = at_hand(&mut *probe, &*here);
                (probe, need)
            })
            .await?;
        probe = back;
        let Some(range) = need? else {
            object.check()?;
            return engine.cpu(move || probe.result()).await?;
        };
        let bytes = object.look(range.clone()).await?;
        probe.push(&range, bytes)?;
    }
}

/// What ends the names of tar archives.
const ARCHIVES: [&str; 12] = [
    ".tar", ".tar.gz", ".tgz", ".tar.zst", ".tzst", ".tar.bz2", ".tbz2", ".tbz", ".tar.xz", ".txz", ".tar.lz4", ".taz",
];

/// What ends the names of compressed files.
const PACKED: [&str; 5] = [".gz", ".zst", ".bz2", ".xz", ".lz4"];

/// The files that a path names: itself, or the members of the archive that it is.
pub(crate) async fn entries(
    engine: &'static Engine,
    store: &dyn Store,
    format: &str,
    path: &str,
    known: Option<&Known>,
) -> Result<Vec<FileEntry>> {
    let partition = partition(path);
    let alone = FileEntry {
        path: path.to_owned(),
        size: 0,
        version: String::new(),
        member: None,
        partition,
        note: None,
        codec: None,
        told: false,
    };
    let lower = bare(path).to_ascii_lowercase();
    let (zipped, tarred) =
        ([".zip"].iter().any(|end| lower.ends_with(end)), ARCHIVES.iter().any(|end| lower.ends_with(end)));
    if format == "webdataset" || !(zipped || tarred) {
        return Ok(vec![alone]);
    }
    let named = |e: Error| e.in_file(path);
    let hint = if zipped { Hint::Tail(TAIL) } else { Hint::Head };
    let object = ranged(engine, store.open(path, hint, known).await.map_err(named)?).await.map_err(named)?;
    let whole = object.size();
    let members = if zipped {
        zip::members(probed(engine, &object, Box::new(zip::Directory::new(object.size()))).await.map_err(named)?)
    } else {
        let head = read(&*object, 0..object.size().min(32)).await.map_err(named)?;
        let codec = Codec::of(&head);
        let object = match codec {
            Some(codec) => unpack::whole(engine, object, codec).await.map_err(named)?,
            None => object,
        };
        let mut listed =
            zip::members(probed(engine, &object, Box::new(tar::Members::new(object.size()))).await.map_err(named)?)?;
        for member in &mut listed.members {
            member.archive = codec;
        }
        Ok(listed)
    };
    let listed = members.map_err(named)?;
    let mut wanted = chosen(listed.members, format);
    if let Some((name, target)) = listed.gone.iter().find(|(name, _)| wanted.iter().any(|member| member.name == *name))
    {
        return Err(named(tar::gone(name, target, "")));
    }
    for member in &mut wanted {
        member.whole = whole;
    }
    if wanted.is_empty() {
        return Err(Error::new(Kind::NotFound, "the archive has no data files").in_file(path));
    }
    Ok(wanted.into_iter().map(|member| FileEntry { member: Some(member), ..alone.clone() }).collect())
}

/// A path or URL as far as it names a file: without a query.
fn bare(path: &str) -> &str {
    if path.contains("://") { path.split(['?', '#']).next().unwrap_or(path) } else { path }
}

/// The columns that a path gives its file: `key=value` in the names of folders, as Hive has them.
fn partition(path: &str) -> BTreeMap<String, Option<String>> {
    let folders = path.rsplit_once('/').map_or("", |(folders, _)| folders);
    let pair = |part: &str| {
        let (key, value) = part.split_once('=').filter(|(key, _)| !key.is_empty())?;
        Some((unescaped(key), (value != "__HIVE_DEFAULT_PARTITION__").then(|| unescaped(value))))
    };
    folders.split('/').filter_map(pair).collect()
}

/// The members that are data: those whose names are of the format, or all if none is; never what describes or is
/// hidden.
fn chosen(members: Vec<Member>, format: &str) -> Vec<Member> {
    let endings: &[&str] = match format {
        "parquet" => &["parquet", "geoparquet", "gpq"],
        "json" => &["json", "jsonl", "ndjson"],
        "csv" => &["csv", "tsv"],
        "arrow" => &["arrow"],
        _ => &["txt"],
    };
    let plain = |name: &str| -> String {
        let name = name.to_ascii_lowercase();
        PACKED.iter().find_map(|end| name.strip_suffix(end)).unwrap_or(&name).to_owned()
    };
    let hidden =
        |member: &Member| tar::left_behind(&member.name) || member.name.split('/').any(|part| part.starts_with("__"));
    let mut wanted: Vec<Member> =
        members.into_iter().filter(|member| !member.name.is_empty() && !hidden(member)).collect();
    let fits = |member: &Member| endings.contains(&plain(&member.name).rsplit('.').next().unwrap_or(""));
    if wanted.iter().any(fits) {
        wanted.retain(fits);
    }
    wanted.sort_by(|a, b| a.name.cmp(&b.name));
    wanted
}

/// What a store has to know of a file to open it without asking.
fn known(entry: &FileEntry) -> Option<Known> {
    let size = entry.member.as_ref().map_or(entry.size, |member| member.whole);
    entry.told.then(|| Known { size, version: Some(entry.version.clone()) })
}

/// What is not read as it is.
fn zipped(head: &[u8]) -> Result<()> {
    if zip::begins(head) {
        return Err(Error::new(
            Kind::Unsupported,
            "the file is a zip archive; give it a name that ends in .zip, so that its members are read",
        ));
    }
    Ok(())
}

/// The last bytes of a file that is read at any place, which usually say what it is.
const TAIL: u64 = 64 << 10;

/// What else is asked of a look, as a format's `FileFacts` say it.
#[derive(Debug, Clone, Copy, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each says one thing of the look")]
pub(crate) struct Asked {
    pub(crate) statistics: bool,
    pub(crate) lenient: bool,
    pub(crate) first: bool,
    pub(crate) every: bool,
}

impl Opened {
    fn of(object: Arc<dyn Object>, codec: Option<Codec>, version: String) -> Self {
        Self { object, codec, kept: Kept::default(), version, head: None }
    }

    /// What a format sees of the file.
    pub(crate) async fn probe(
        &self,
        engine: &'static Engine,
        format: &dyn Format,
        name: &str,
        depth: ProbeDepth,
        Asked { statistics, lenient, first, every }: Asked,
    ) -> Result<ProbeResult> {
        let (size, most) = (self.object.size(), engine.budget.for_rows() as usize);
        // By its name, so that a copy that happens to be here is read in the same order.
        let packed = self.codec.is_some();
        let facts = FileFacts { size, packed, most, statistics, lenient, far: name.contains("://"), first, every };
        let probe = format.probe(&facts, depth)?;
        let found = match self.codec {
            Some(codec) => {
                let object: Arc<dyn Object> = Arc::new(Unpacked::looked_at(engine, Arc::clone(&self.object), codec));
                probed(engine, &object, probe).await
            }
            None => probed(engine, &self.object, probe).await,
        };
        found.map_err(|e| e.in_file(name))
    }
}

/// The files of a listing.
pub(crate) struct Files {
    store: Arc<dyn Store>,
    scan: Arc<Scan>,
    format: Arc<dyn Format>,
    names: Vec<String>,
    /// Whether a filter asks for statistics.
    statistics: bool,
    open: Mutex<HashMap<u32, Arc<OnceCell<Opened>>>>,
}

impl Files {
    /// `statistics`: whether a filter asks for them.
    pub(crate) fn new(store: Arc<dyn Store>, scan: Arc<Scan>, statistics: bool) -> Result<Self> {
        let format = crate::format::of(&scan.format, &scan.options)?;
        let names = scan.files.iter().map(FileEntry::name).collect();
        Ok(Self { store, scan, format, names, statistics, open: Mutex::default() })
    }

    /// The listing.
    pub(crate) fn scan(&self) -> &Arc<Scan> {
        &self.scan
    }

    /// How the files are read.
    pub(crate) fn format(&self) -> &Arc<dyn Format> {
        &self.format
    }

    /// Where the `i`-th file is, as errors and rows say it.
    pub(crate) fn name(&self, i: u32) -> &str {
        &self.names[i as usize]
    }

    /// Opens a file of a format. `known`: what is known of it, or of the archive that it is in.
    pub(crate) async fn open(
        engine: &'static Engine,
        store: &dyn Store,
        format: &dyn Format,
        entry: &FileEntry,
        known: Option<&Known>,
    ) -> Result<Opened> {
        let open = async {
            let hint = if entry.member.is_none() && format.random() { Hint::Tail(TAIL) } else { Hint::Head };
            let mut object = store.open(&entry.path, hint, known).await?;
            let mut codec = None;
            if let Some(member) = &entry.member {
                object = ranged(engine, object).await?;
                if let Some(archive) = member.archive {
                    object = unpack::whole(engine, object, archive).await?;
                }
                object = Part::of(object, member.at..member.at.saturating_add(member.size))?;
                codec = member.codec;
            }
            let said = object.version().map(ToOwned::to_owned);
            let size = object.size();
            if format.random() {
                // Only a name says that it is compressed: that saves a read.
                if codec.is_none() && packed(&entry.name()) {
                    codec = Codec::of(&read(&*object, 0..size.min(32)).await?);
                }
                object = ranged(engine, object).await?;
                if let Some(packed) = codec {
                    object = unpack::whole(engine, object, packed).await?;
                }
            }
            if format.again() {
                // Its own look says what its version is, where the store does not.
                return Ok(Opened::of(object, None, said.unwrap_or_default()));
            }
            if let Some(version) = said {
                let named = entry.codec.is_none() && packed(&entry.name());
                if (entry.codec.is_some() || !entry.version.is_empty()) && !named {
                    return Ok(Opened::of(object, entry.codec.filter(|_| !format.random()), version));
                }
                let head = object.look(0..size.min(ENDS)).await?;
                let codec = if format.random() { None } else { codec.or_else(|| Codec::of(&head)) };
                zipped(&head)?;
                return Ok(Opened::of(object, codec, version));
            }
            let size = object.size();
            let ends = object.read(&[0..size.min(ENDS), size.saturating_sub(ENDS)..size]).await?;
            let version = format!("{:016x}", hash(&ends.concat()));
            if codec.is_none() && !format.random() {
                codec = Codec::of(&ends[0]);
                zipped(&ends[0])?;
            }
            Ok(Opened::of(object, codec.filter(|_| !format.random()), version))
        };
        open.await.map_err(|e: Error| e.in_file(&entry.name()))
    }

    /// What is kept of a compressed file: it goes with the version of the file, and how rows are read of it.
    async fn kept(&self, name: &str, opened: &Opened) -> Kept {
        let (Some(cache), Some(identity)) =
            (self.store.points().filter(|_| opened.codec.is_some()), opened.object.identity())
        else {
            return Kept::default();
        };
        let version =
            format!("points 1, {identity}, {}, {} of {}", opened.version, self.scan.format, self.scan.options);
        let (cache, key) = (Arc::clone(cache), Key::new(&shown(name), &version));
        spawn_blocking(move || Kept::read(cache, key)).await.unwrap_or_default()
    }

    /// The `i`-th file of the listing, which must be the one that the plan was made from.
    pub(crate) async fn get(&self, engine: &'static Engine, i: u32) -> Result<Opened> {
        let cell = {
            let mut open = self.open.lock().await;
            if open.len() >= MOST_OPEN {
                open.retain(|_, cell| {
                    Arc::strong_count(cell) > 1
                        || cell.get().is_some_and(|opened| Arc::strong_count(&opened.object) > 1)
                });
            }
            Arc::clone(open.entry(i).or_default())
        };
        let (entry, name) = (&self.scan.files[i as usize], self.name(i));
        let opened = cell.get_or_try_init(|| async {
            let known = known(entry);
            let mut opened = Self::open(engine, &*self.store, &*self.format, entry, known.as_ref()).await?;
            if self.format.again() && opened.object.size() == entry.size {
                let found = opened
                    .probe(
                        engine,
                        &*self.format,
                        name,
                        ProbeDepth::Shape,
                        Asked { statistics: self.statistics, ..Asked::default() },
                    )
                    .await?;
                opened.head = found.head;
                if opened.object.version().is_none() {
                    opened.version = found.version.unwrap_or(opened.version);
                }
            }
            if opened.object.size() != entry.size || opened.version != entry.version {
                let what = format!(
                    "the file is not the one that this data set was made from ({} bytes then, {} now, or other \
                     content): load the data set again",
                    entry.size,
                    opened.object.size()
                );
                return Err(Error::new(Kind::SourceChanged, what).in_file(name));
            }
            opened.kept = self.kept(name, &opened).await;
            Ok(opened)
        });
        opened.await.cloned()
    }
}
