//! A disk cache of what was read of objects far away: ranges of bytes, each a file with a checksum, shared by all
//! processes of a machine. A range is there whole or not at all; what is damaged is as if it were not there.
//!
//! What goes when there is no more room: what will be wanted last. A stream knows the order of its pieces in this pass
//! and the next, so its ranges go by that (Bélády's rule, with bypass: what would itself be wanted last is not kept).
//! Of what no stream of this process has read, what was used longest ago goes first, and a range that nothing is known
//! of is kept only when it is read again.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::access::Disk;
use crate::forked::Forked;

/// The order in which a stream reads its pieces, now and in the next pass.
#[derive(Debug, Default)]
pub struct Schedule {
    /// Of each piece, when it is read in this pass, and in the next.
    times: HashMap<u32, (u64, u64)>,
    /// How far this pass is.
    now: AtomicU64,
}

impl Schedule {
    /// `times`: of each piece, when it is read in this pass, and in the next.
    pub fn new(times: HashMap<u32, (u64, u64)>) -> Self {
        Self { times, now: AtomicU64::new(0) }
    }

    /// The pass has come to a piece.
    pub fn reached(&self, piece: u32) {
        if let Some((at, _)) = self.times.get(&piece) {
            self.now.fetch_max(*at, Ordering::Relaxed);
        }
    }

    /// When a piece is wanted next: in which pass, and when in it.
    fn next(&self, piece: u32) -> (u8, u64) {
        match self.times.get(&piece) {
            Some((at, _)) if *at > self.now.load(Ordering::Relaxed) => (0, *at),
            Some((_, next)) => (1, *next),
            None => (2, 0),
        }
    }
}

/// For which piece of a stream a range is read.
#[derive(Debug, Clone)]
pub struct Purpose {
    /// The stream's order.
    pub schedule: Arc<Schedule>,
    /// The piece.
    pub piece: u32,
}

impl Purpose {
    fn next(&self) -> (u8, u64) {
        self.schedule.next(self.piece)
    }
}

/// What identifies an object of one version: the name of its folder, and what is said of it there.
#[derive(Debug, Clone)]
pub struct Key(String, Arc<str>);

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for Key {}

impl std::hash::Hash for Key {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl Key {
    /// Of an object at a location that tells no secrets.
    pub fn new(location: &str, version: &str) -> Self {
        let digest = Sha256::new().chain_update(location).chain_update([0]).chain_update(version).finalize();
        let half: [u8; 16] = std::array::from_fn(|i| digest[i]);
        let about = serde_json::json!({"location": location, "version": version}).to_string();
        Self(format!("{:032x}", u128::from_be_bytes(half)), about.into())
    }
}

/// A range that is there.
#[derive(Debug, Clone)]
struct Extent {
    end: u64,
    /// When it was used last, as a count.
    used: u64,
    purpose: Option<Purpose>,
}

#[derive(Debug, Default)]
struct Index {
    objects: HashMap<Key, BTreeMap<u64, Extent>>,
    total: u64,
    /// Counts uses.
    clock: u64,
    /// Bytes that this process wrote since it looked at the folder.
    written: u64,
    looked: bool,
    /// What was read once and not kept.
    passed: HashSet<(Key, u64)>,
}

/// A folder of ranges.
#[derive(Debug)]
pub struct Cache {
    folder: PathBuf,
    limit: u64,
    /// Whether what nothing is known of is kept at once, and the oldest goes.
    simple: bool,
    index: Forked<Index>,
    /// Names of files that are being written.
    names: AtomicU64,
}

/// What follows the bytes in a file: a mark, and their checksum.
const TRAILER: usize = 8;
const MARK: &[u8; 4] = b"rsC1";

/// What is there of a range: parts of it in order, each with its extent or without.
pub(crate) enum Part {
    There(Range<u64>, Range<u64>),
    Missing(Range<u64>),
}

fn private(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Opens a file of ours for reading: no link, nobody else's.
fn own(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, libc::O_NOFOLLOW | libc::O_CLOEXEC);
    let file = options.open(path)?;
    #[cfg(unix)]
    {
        let owner = std::os::unix::fs::MetadataExt::uid(&file.metadata()?);
        // SAFETY: the call has no arguments and cannot fail.
        let me = unsafe { libc::geteuid() };
        if owner != me && owner != 0 {
            return Err(io::Error::from(io::ErrorKind::PermissionDenied));
        }
    }
    Ok(file)
}

/// `start-end`, as a file is named.
fn extent(name: &str) -> Option<Range<u64>> {
    let (start, end) = name.split_once('-')?;
    let range = start.parse().ok()?..end.parse().ok()?;
    (range.start < range.end).then_some(range)
}

impl Cache {
    /// The cache in a folder. Nothing is made until something is kept.
    pub fn new(disk: &Disk, simple: bool) -> Self {
        Self {
            folder: disk.folder.clone(),
            limit: disk.limit.unwrap_or(u64::MAX),
            simple,
            index: Forked::default(),
            names: AtomicU64::new(0),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Index> {
        self.index.lock()
    }

    fn home(&self, key: &Key) -> PathBuf {
        self.folder.join(&key.0[..2]).join(&key.0)
    }

    fn path(&self, key: &Key, range: &Range<u64>) -> PathBuf {
        self.home(key).join(format!("{}-{}", range.start, range.end))
    }

    /// Looks at all that is in the folder.
    fn look(&self, index: &mut Index) {
        let old = std::mem::take(&mut index.objects);
        (index.total, index.written, index.looked) = (0, 0, true);
        let mut found: Vec<(SystemTime, Key, Range<u64>)> = Vec::new();
        let entries = |folder: &Path| fs::read_dir(folder).into_iter().flatten().flatten();
        for group in entries(&self.folder).filter(|entry| entry.file_name().len() == 2) {
            for home in entries(&group.path()) {
                let Ok(name) = home.file_name().into_string() else { continue };
                for file in entries(&home.path()) {
                    let Some(range) = file.file_name().to_str().and_then(extent) else { continue };
                    let Ok(metadata) = file.metadata() else { continue };
                    if metadata.is_file() && metadata.len() == range.end - range.start + TRAILER as u64 {
                        found.push((
                            metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH),
                            Key(name.clone(), "".into()),
                            range,
                        ));
                    }
                }
            }
        }
        found.sort_by_key(|(at, ..)| *at);
        for (_, key, range) in found {
            let before = old
                .get(&key)
                .and_then(|object| object.get(&range.start))
                .filter(|extent| extent.end == range.end)
                .cloned();
            index.total += range.end - range.start;
            index.clock += 1;
            let made = before.unwrap_or(Extent { end: range.end, used: index.clock, purpose: None });
            index.objects.entry(key).or_default().insert(range.start, made);
        }
    }

    /// What is there of a range. `purpose`: for what it is read.
    pub(crate) fn find(&self, key: &Key, range: &Range<u64>, purpose: Option<&Purpose>) -> Vec<Part> {
        let mut index = self.lock();
        if !index.looked {
            self.look(&mut index);
        }
        let mut parts = Self::parts(&mut index, key, range, purpose);
        if parts.iter().any(|part| matches!(part, Part::Missing(_))) {
            // Another process may have read it since.
            let there: Vec<Range<u64>> = fs::read_dir(self.home(key))
                .into_iter()
                .flatten()
                .flatten()
                .filter_map(|file| extent(file.file_name().to_str()?))
                .collect();
            let object = index.objects.entry(key.clone()).or_default();
            let new: Vec<Range<u64>> = there
                .into_iter()
                .filter(|extent| object.get(&extent.start).is_none_or(|known| known.end < extent.end))
                .collect();
            if !new.is_empty() {
                for extent in new {
                    index.clock += 1;
                    let used = index.clock;
                    index.total += extent.end - extent.start;
                    let object = index.objects.entry(key.clone()).or_default();
                    if let Some(old) = object.insert(extent.start, Extent { end: extent.end, used, purpose: None }) {
                        index.total -= old.end - extent.start;
                    }
                }
                parts = Self::parts(&mut index, key, range, purpose);
            }
        }
        parts
    }

    fn parts(index: &mut Index, key: &Key, range: &Range<u64>, purpose: Option<&Purpose>) -> Vec<Part> {
        index.clock += 1;
        let clock = index.clock;
        let mut parts = Vec::new();
        let mut at = range.start;
        let Some(object) = index.objects.get_mut(key) else { return vec![Part::Missing(range.clone())] };
        while at < range.end {
            let here = object.range_mut(..=at).rev().find(|(_, extent)| extent.end > at);
            if let Some((start, extent)) = here {
                extent.used = clock;
                if let Some(purpose) = purpose {
                    extent.purpose = Some(purpose.clone());
                }
                let upto = extent.end.min(range.end);
                parts.push(Part::There(*start..extent.end, at..upto));
                at = upto;
            } else {
                let next = object.range(at..).next().map_or(range.end, |(start, _)| *start).min(range.end);
                parts.push(Part::Missing(at..next));
                at = next;
            }
        }
        parts
    }

    /// Reads a range that is there; none where it is damaged, or gone.
    pub(crate) fn get(&self, key: &Key, whole: &Range<u64>) -> Option<Bytes> {
        let path = self.path(key, whole);
        let read = || -> io::Result<Option<Bytes>> {
            let mut file = own(&path)?;
            let length = (whole.end - whole.start) as usize;
            if file.metadata()?.len() != (length + TRAILER) as u64 {
                return Ok(None);
            }
            let mut bytes = Vec::new();
            bytes.try_reserve_exact(length + TRAILER).map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))?;
            file.read_to_end(&mut bytes)?;
            if bytes.len() != length + TRAILER {
                return Ok(None);
            }
            let trailer = bytes.split_off(length);
            let sound = &trailer[..4] == MARK && trailer[4..] == crc32fast::hash(&bytes).to_le_bytes();
            Ok(sound.then(|| bytes.into()))
        };
        let found = read();
        if !matches!(found, Ok(Some(_))) {
            self.forget(key, whole);
            if matches!(found, Ok(None)) {
                drop(fs::remove_file(&path));
            }
        }
        found.ok().flatten()
    }

    fn forget(&self, key: &Key, range: &Range<u64>) {
        let mut index = self.lock();
        if let Some(object) = index.objects.get_mut(key)
            && object.get(&range.start).is_some_and(|extent| extent.end == range.end)
        {
            object.remove(&range.start);
            index.total -= range.end - range.start;
        }
    }

    /// Keeps a range, if there is room for it or what it takes the place of is wanted later. What cannot be written is
    /// not kept: a cache is no reason to fail.
    pub(crate) fn put(&self, key: &Key, range: &Range<u64>, bytes: &Bytes, purpose: Option<&Purpose>) {
        if !self.make_room(key, range, purpose) {
            return;
        }
        if self.write(key, range, bytes).is_err() {
            return;
        }
        let mut index = self.lock();
        index.clock += 1;
        let used = index.clock;
        let length = range.end - range.start;
        (index.total, index.written) = (index.total + length, index.written + length);
        let extent = Extent { end: range.end, used, purpose: purpose.cloned() };
        if let Some(old) = index.objects.entry(key.clone()).or_default().insert(range.start, extent) {
            index.total -= old.end - range.start;
        }
    }

    /// What is kept of an object as a whole.
    pub(crate) fn content(&self, key: &Key) -> Option<Bytes> {
        self.find(key, &(0..1), None).iter().find_map(|part| match part {
            Part::There(whole, _) => self.get(key, whole),
            Part::Missing(_) => None,
        })
    }

    /// Keeps something of an object as a whole, in place of what was kept before and is shorter.
    pub(crate) fn replace(&self, key: &Key, bytes: &Bytes) {
        let length = |index: &Index| index.objects.get(key).and_then(|object| object.get(&0)).map(|extent| extent.end);
        let before = length(&self.lock());
        // What another process knows is more.
        if before.is_some_and(|end| end >= bytes.len() as u64) {
            return;
        }
        self.put(key, &(0..bytes.len() as u64), bytes, None);
        let after = length(&self.lock());
        if let Some(end) = before.filter(|_| after != before) {
            drop(fs::remove_file(self.path(key, &(0..end))));
        }
    }

    fn write(&self, key: &Key, range: &Range<u64>, bytes: &Bytes) -> io::Result<()> {
        let home = self.home(key);
        private(&home)?;
        let about = home.join("about");
        if !about.exists() {
            self.aside(&home, &about, &[key.1.as_bytes()])?;
        }
        self.aside(&home, &self.path(key, range), &[bytes, MARK, &crc32fast::hash(bytes).to_le_bytes()])
    }

    /// Writes a file that is there whole or not at all.
    fn aside(&self, home: &Path, path: &Path, content: &[&[u8]]) -> io::Result<()> {
        let name = home.join(format!(".{}-{}", std::process::id(), self.names.fetch_add(1, Ordering::Relaxed)));
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let written = (|| {
            let mut file = options.open(&name)?;
            for part in content {
                file.write_all(part)?;
            }
            fs::rename(&name, path)
        })();
        if written.is_err() {
            drop(fs::remove_file(&name));
        }
        written
    }

    /// Whether there is room for a range, or there is now because what is wanted later is gone.
    fn make_room(&self, key: &Key, range: &Range<u64>, purpose: Option<&Purpose>) -> bool {
        let length = range.end - range.start;
        if length > self.limit {
            return false;
        }
        let mut index = self.lock();
        if self.limit < u64::MAX && index.written > self.limit / 32 {
            self.look(&mut index);
        }
        let mut gone = Vec::new();
        let mut free = self.limit.saturating_sub(index.total);
        if free < length {
            // Of what nothing is known: only what is read a second time, where it is not simply the newest that stay.
            let unknown = purpose.is_none() && !self.simple;
            if unknown && index.passed.insert((key.clone(), range.start)) {
                if index.passed.len() > 1 << 20 {
                    index.passed.clear();
                }
                return false;
            }
            let rank = |purpose: Option<&Purpose>| purpose.map(Purpose::next);
            let mine = rank(purpose);
            // The last wanted first; before them what no stream is known to want, the oldest first.
            let mut all: Vec<_> = index
                .objects
                .iter()
                .flat_map(|(key, object)| {
                    object.iter().map(move |(start, extent)| {
                        (rank(extent.purpose.as_ref()), extent.used, key, *start..extent.end)
                    })
                })
                .filter(|(rank, ..)| rank.is_none() || (mine.is_some() && *rank > mine))
                .collect();
            all.sort_by(|a, b| {
                a.0.is_some().cmp(&b.0.is_some()).then_with(|| b.0.cmp(&a.0)).then_with(|| a.1.cmp(&b.1))
            });
            for (_, _, key, range) in all {
                if free >= length {
                    break;
                }
                free += range.end - range.start;
                gone.push((key.clone(), range));
            }
            if free < length {
                return false;
            }
        }
        for (key, range) in gone {
            drop(fs::remove_file(self.path(&key, &range)));
            if let Some(object) = index.objects.get_mut(&key) {
                object.remove(&range.start);
            }
            index.total -= range.end - range.start;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(n: usize) -> Bytes {
        (0..n).map(|i| (i % 251) as u8).collect::<Vec<_>>().into()
    }

    fn cache(folder: &Path, limit: Option<u64>) -> Cache {
        Cache::new(&Disk { folder: folder.to_owned(), limit }, false)
    }

    fn there(cache: &Cache, key: &Key, range: Range<u64>) -> bool {
        cache.find(key, &range, None).iter().all(|part| matches!(part, Part::There(..)))
    }

    #[test]
    fn ranges_are_found_in_parts_by_any_process() {
        let folder = tempfile::tempdir().unwrap();
        let (one, other) = (cache(folder.path(), None), cache(folder.path(), None));
        let key = Key::new("https://host/a", "\"1\"");
        assert!(!there(&other, &key, 0..10));
        one.put(&key, &(0..10), &bytes(10), None);
        one.put(&key, &(20..30), &bytes(10), None);
        let found: Vec<_> = other
            .find(&key, &(5..35), None)
            .into_iter()
            .map(|part| match part {
                Part::There(whole, range) => (Some(whole), range),
                Part::Missing(range) => (None, range),
            })
            .collect();
        assert_eq!(found, [(Some(0..10), 5..10), (None, 10..20), (Some(20..30), 20..30), (None, 30..35)]);
        assert_eq!(other.get(&key, &(20..30)), Some(bytes(10)));
        assert!(!there(&other, &Key::new("https://host/a", "\"2\""), 0..10));
    }

    #[test]
    fn what_is_damaged_is_not_there() {
        let folder = tempfile::tempdir().unwrap();
        let key = Key::new("https://host/a", "\"1\"");
        for damage in 0..4 {
            let kept = cache(folder.path(), None);
            kept.put(&key, &(0..100), &bytes(100), None);
            let path = kept.path(&key, &(0..100));
            let mut content = fs::read(&path).unwrap();
            match damage {
                0 => content[50] ^= 1,
                1 => content.truncate(60),
                2 => content.fill(0),
                _ => content.clear(),
            }
            fs::write(&path, content).unwrap();
            assert_eq!(kept.get(&key, &(0..100)), None, "{damage}");
            assert!(!there(&kept, &key, 0..100) && !path.exists(), "{damage}");
        }
    }

    #[test]
    fn links_of_others_are_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let key = Key::new("https://host/a", "\"1\"");
        let kept = cache(folder.path(), None);
        kept.put(&key, &(0..10), &bytes(10), None);
        let path = kept.path(&key, &(0..10));
        let aside = folder.path().join("aside");
        fs::rename(&path, &aside).unwrap();
        std::os::unix::fs::symlink(&aside, &path).unwrap();
        assert_eq!(kept.get(&key, &(0..10)), None);
    }

    #[test]
    fn what_is_wanted_last_goes_first() {
        let folder = tempfile::tempdir().unwrap();
        let kept = cache(folder.path(), Some(30));
        let key = Key::new("https://host/a", "\"1\"");
        // Pieces 0 to 4 are read in order now, and in the other order next.
        let schedule = Arc::new(Schedule::new((0..5).map(|i| (i, (u64::from(i), 10 - u64::from(i)))).collect()));
        for piece in 0..5 {
            schedule.reached(piece);
            let purpose = Purpose { schedule: Arc::clone(&schedule), piece };
            let at = u64::from(piece) * 10;
            kept.put(&key, &(at..at + 10), &bytes(10), Some(&purpose));
        }
        let kept_now: Vec<u32> =
            (0..5).filter(|piece| there(&kept, &key, u64::from(*piece) * 10..u64::from(*piece) * 10 + 10)).collect();
        assert_eq!(kept_now, [2, 3, 4]);
    }

    #[test]
    fn a_scan_does_not_empty_it() {
        let folder = tempfile::tempdir().unwrap();
        let kept = cache(folder.path(), Some(20));
        let key = Key::new("https://host/a", "\"1\"");
        for at in (0..100).step_by(10) {
            kept.put(&key, &(at..at + 10), &bytes(10), None);
        }
        assert!(there(&kept, &key, 0..20) && !there(&kept, &key, 20..30));
        kept.put(&key, &(50..60), &bytes(10), None);
        assert!(there(&kept, &key, 50..60));
        assert_eq!(kept.lock().total, 20);
    }

    #[test]
    fn a_folder_that_cannot_be_written_keeps_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "x").unwrap();
        let kept = cache(&file, None);
        let key = Key::new("https://host/a", "\"1\"");
        kept.put(&key, &(0..10), &bytes(10), None);
        assert!(!there(&kept, &key, 0..10));
    }
}
