//! Checksums of the Arrow streams that are written for later: of each buffer of each batch, after the end of the
//! stream, where other readers do not look. A buffer that is mapped is checked once, where it is first looked at.
//!
//! ```text
//! (place, length, crc32c) of each buffer, in order; place of the end of the stream; number of buffers; crc32c of all
//! messages but for these buffers; crc32c of all this; SEAL
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwapOption;
use crc_fast::{CrcAlgorithm, Digest, checksum};

use super::ipc::{header_length, message};
use crate::error::{Error, Kind, Result};

/// What a file with checksums ends with.
pub(super) const SEAL: &[u8; 16] = b"rowstream crc32c";

/// What the metadata of a schema say where its file has checksums: without them it was cut, or is damaged.
pub const MARK: &str = "rowstream.sealed";

/// The length of what stands after the buffers' checksums.
const END: usize = 8 + 8 + 4 + 4 + SEAL.len();

/// The length of a buffer's checksum, with its place.
const ENTRY: usize = 8 + 8 + 4;

fn crc(bytes: &[u8]) -> u32 {
    checksum(CrcAlgorithm::Crc32Iscsi, bytes) as u32
}

/// What is left over of the messages of a stream where the buffers of its batches are taken out.
struct Walk {
    /// The place and length of each buffer.
    buffers: Vec<(u64, u64)>,
    end: u64,
    rest: u32,
}

/// Goes through the messages of a stream.
fn walk(file: &[u8]) -> Result<Walk> {
    let (mut at, mut buffers, mut rest) = (0_usize, Vec::new(), Digest::new(CrcAlgorithm::Crc32Iscsi));
    let cut = || Error::data("the stream ends in the middle of a message: it was cut, or is damaged");
    loop {
        let tail = file.get(at..).unwrap_or(&[]);
        let length = header_length(tail).ok_or_else(cut)? as usize;
        if length == 0 {
            let mark = if tail.starts_with(&[0xFF; 4]) { 8 } else { 4 };
            rest.update(&tail[..mark]);
            return Ok(Walk { buffers, end: (at + mark) as u64, rest: rest.finalize() as u32 });
        }
        let header = tail.get(..length).ok_or_else(cut)?;
        let message = message(header)?;
        let body = usize::try_from(message.bodyLength())
            .ok()
            .and_then(|body| tail.get(length..length.checked_add(body)?))
            .ok_or_else(cut)?;
        rest.update(header);
        let from = (at + length) as u64;
        match message.header_as_record_batch() {
            Some(batch) => {
                for buffer in batch.buffers().iter().flatten().filter(|buffer| buffer.length() > 0) {
                    let place = u64::try_from(buffer.offset()).ok().zip(u64::try_from(buffer.length()).ok());
                    let (offset, length) = place
                        .filter(|(at, n)| at.checked_add(*n).is_some_and(|end| end <= body.len() as u64))
                        .ok_or_else(cut)?;
                    buffers.push((from + offset, length));
                }
            }
            // What all batches need is looked at when the file is opened.
            None => rest.update(body),
        }
        at += length + body.len();
    }
}

/// What is to stand after a stream: its checksums.
pub fn seal(file: &[u8]) -> Result<Vec<u8>> {
    let walk = walk(file)?;
    if walk.end != file.len() as u64 {
        return Err(Error::internal("something stands after the end of the stream"));
    }
    let mut made = Vec::with_capacity(walk.buffers.len() * ENTRY + END);
    for (at, length) in &walk.buffers {
        made.extend_from_slice(&at.to_le_bytes());
        made.extend_from_slice(&length.to_le_bytes());
        made.extend_from_slice(&crc(&file[*at as usize..][..*length as usize]).to_le_bytes());
    }
    made.extend_from_slice(&walk.end.to_le_bytes());
    made.extend_from_slice(&(walk.buffers.len() as u64).to_le_bytes());
    made.extend_from_slice(&walk.rest.to_le_bytes());
    made.extend_from_slice(&crc(&made).to_le_bytes());
    made.extend_from_slice(SEAL);
    Ok(made)
}

/// A file with checksums, mapped.
pub struct Sealed {
    path: String,
    buffers: Vec<(u64, u64, u32, AtomicBool)>,
}

impl Sealed {
    /// The checksums of a file; `None` where it has none. What all batches need is checked.
    pub fn of(path: &str, file: &[u8]) -> Result<Option<Self>> {
        let Some((head, end)) = file.split_last_chunk::<END>().filter(|(_, end)| end.ends_with(SEAL)) else {
            return Ok(None);
        };
        let number = |at: usize| u64::from_le_bytes(end[at..at + 8].try_into().unwrap_or_default());
        let short = |at: usize| u32::from_le_bytes(end[at..at + 4].try_into().unwrap_or_default());
        let (upto, n) = (number(0), number(8));
        let entries = n
            .checked_mul(ENTRY as u64)
            .and_then(|length| (upto.checked_add(length)? == head.len() as u64).then(|| &head[upto as usize..]));
        let sound = |entries: &&[u8]| {
            let mut digest = Digest::new(CrcAlgorithm::Crc32Iscsi);
            digest.update(entries);
            digest.update(&end[..20]);
            digest.finalize() as u32 == short(20)
        };
        let damaged = |what: &str| damaged(path, what);
        let entries = entries.filter(sound).ok_or_else(|| damaged("its checksums are"))?;
        let walk = walk(&head[..upto as usize]).map_err(|_| damaged("a message is"))?;
        if walk.end != upto || walk.rest != short(16) || walk.buffers.len() as u64 != n {
            return Err(damaged("a message is"));
        }
        let entry = |(buffer, entry): (&(u64, u64), &[u8; ENTRY])| {
            let sum = u32::from_le_bytes([entry[16], entry[17], entry[18], entry[19]]);
            (buffer.0, buffer.1, sum, AtomicBool::new(false))
        };
        let buffers = walk.buffers.iter().zip(entries.as_chunks::<ENTRY>().0).map(entry).collect();
        Ok(Some(Self { path: path.to_owned(), buffers }))
    }

    /// Checks the buffer with a place, in the bytes of the file. `base`: where these lie in memory.
    fn check(&self, base: usize, place: u64) -> Result<()> {
        let at = self.buffers.partition_point(|(start, ..)| *start <= place);
        let Some((start, length, sum, good)) = at.checked_sub(1).and_then(|i| self.buffers.get(i)) else {
            return Ok(());
        };
        if place >= start + length || good.load(Ordering::Relaxed) {
            return Ok(());
        }
        // SAFETY: the file is registered at `base` for as long as it is mapped there, and its buffers lie in it.
        let bytes = unsafe { std::slice::from_raw_parts((base + *start as usize) as *const u8, *length as usize) };
        if crc(bytes) != *sum {
            return Err(damaged(&self.path, &format!("the {length} bytes at {start} are")));
        }
        good.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Checks all buffers.
    fn whole(&self, base: usize) -> Result<()> {
        self.buffers.iter().try_for_each(|(start, ..)| self.check(base, *start))
    }
}

fn damaged(path: &str, what: &str) -> Error {
    let what = format!(
        "{what} not what was written: the file was damaged since. Remove it and run again what made it: \
         load_dataset, map and filter make \
         files of the cache anew; a folder of save_to_disk has to be saved again"
    );
    Error::new(Kind::Data, what).in_file(path)
}

/// The length of a mapped file, and its checksums.
type Place = (usize, Arc<Sealed>);

/// The files that are mapped, by where they lie in memory. Each change is another map: a lock that a thread has at a
/// fork would be locked for ever in the child.
static MAPPED: ArcSwapOption<BTreeMap<usize, Place>> = ArcSwapOption::const_empty();

fn change(change: impl Fn(&mut BTreeMap<usize, Place>)) {
    MAPPED.rcu(|mapped| {
        let mut made = mapped.as_deref().cloned().unwrap_or_default();
        change(&mut made);
        Some(Arc::new(made))
    });
}

/// A file that is mapped: its buffers are checked while this is there.
pub struct Mapping {
    base: usize,
    sealed: Arc<Sealed>,
}

impl Mapping {
    /// Has the buffers of a file checked that lies somewhere in memory.
    ///
    /// # Safety
    ///
    /// The bytes stay where they are for as long as the mapping is there.
    pub unsafe fn new(sealed: Sealed, file: &[u8]) -> Self {
        let (base, sealed) = (file.as_ptr().addr(), Arc::new(sealed));
        change(|mapped| drop(mapped.insert(base, (file.len(), Arc::clone(&sealed)))));
        Self { base, sealed }
    }

    /// Checks all of the file.
    pub fn whole(&self) -> Result<()> {
        self.sealed.whole(self.base)
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        change(|mapped| drop(mapped.remove(&self.base)));
    }
}

/// Whether no file with checksums is mapped: then there is nothing to check.
pub fn none() -> bool {
    MAPPED.load().as_deref().is_none_or(BTreeMap::is_empty)
}

/// Checks what lies at places in memory, where these are in files with checksums.
pub fn check(places: &[usize]) -> Result<()> {
    if none() {
        return Ok(());
    }
    places
        .iter()
        .filter_map(|place| Some((*place, found(*place)?)))
        .try_for_each(|(place, (base, sealed))| sealed.check(base, (place - base) as u64))
}

/// Whether a place in memory is in a file with checksums.
pub fn covers(place: usize) -> bool {
    found(place).is_some()
}

fn found(place: usize) -> Option<(usize, Arc<Sealed>)> {
    let mapped = MAPPED.load();
    let (base, (length, sealed)) = mapped.as_deref()?.range(..=place).next_back()?;
    (place < base + length).then(|| (*base, Arc::clone(sealed)))
}
