//! Local files, by positioned reads: a file that we did not write may change or shrink under a mapping.

use std::fs::{File, Metadata};
use std::ops::Range;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use tokio::task::spawn_blocking;

use super::{Hint, Known, Object, Reading, Store};
use crate::error::{Error, Kind, Result};
use crate::pool::Buffer;

/// The files of this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct LocalStore;

/// An open file: the version it had when it was opened.
#[derive(Debug)]
struct LocalFile {
    path: String,
    file: File,
    size: u64,
    modified: Option<SystemTime>,
}

impl Store for LocalStore {
    fn open<'a>(&'a self, location: &'a str, _hint: Hint, _known: Option<&'a Known>) -> Reading<'a, Arc<dyn Object>> {
        let path = location.to_owned();
        Box::pin(async move {
            let file = blocking(move || {
                let failed = |e: std::io::Error| Error::io(&e, &path);
                opened(File::open(&path).map_err(failed)?, &path)
            });
            file.await
        })
    }
}

/// An open file as an object.
pub(crate) fn opened(file: File, path: &str) -> Result<Arc<dyn Object>> {
    let metadata = file.metadata().map_err(|e| Error::io(&e, path))?;
    if metadata.is_dir() {
        return Err(Error::new(Kind::Io, "is a folder, not a file").in_file(path));
    }
    let (size, modified) = version(&metadata);
    Ok(Arc::new(Arc::new(LocalFile { path: path.to_owned(), file, size, modified })))
}

impl Object for Arc<LocalFile> {
    fn size(&self) -> u64 {
        self.size
    }

    fn identity(&self) -> Option<String> {
        let changed = self.modified?.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_nanos();
        Some(format!("{} {} {changed}", self.size, inode(&self.file)?))
    }

    /// What the kernel has at hand is copied at once; only what it would wait for needs another thread.
    fn read_now(&self, ranges: &[Range<u64>]) -> Result<Option<Vec<Bytes>>> {
        self.read_all(ranges, |file, at, n| Ok(read_cached(file, at, n)))
    }

    /// Headers of an archive are many small looks: that the file is the same is asked once, after them.
    fn look_now(&self, range: &Range<u64>) -> Result<Option<Bytes>> {
        self.part(range, |file, at, n| Ok(read_cached(file, at, n)))
    }

    fn check(&self) -> Result<()> {
        self.unchanged()
    }

    fn read<'a>(&'a self, ranges: &'a [Range<u64>]) -> Reading<'a, Vec<Bytes>> {
        let (file, ranges) = (Self::clone(self), ranges.to_vec());
        Box::pin(async move {
            match file.read_now(&ranges)? {
                Some(bytes) => Ok(bytes),
                None => blocking(move || file.read_all(&ranges, |file, at, n| read_at(file, at, n).map(Some)))
                    .await?
                    .ok_or_else(|| Error::internal("a read gave nothing")),
            }
        })
    }
}

impl LocalFile {
    /// Reads ranges by `read`; `None` where it gives none.
    fn read_all(
        &self,
        ranges: &[Range<u64>],
        read: impl Fn(&File, u64, usize) -> std::io::Result<Option<Buffer>>,
    ) -> Result<Option<Vec<Bytes>>> {
        let mut out = Vec::with_capacity(ranges.len());
        for range in ranges {
            let Some(bytes) = self.part(range, &read)? else { return Ok(None) };
            out.push(bytes);
        }
        self.unchanged()?;
        Ok(Some(out))
    }

    /// Reads a range by `read`; `None` where it gives nothing.
    fn part(
        &self,
        range: &Range<u64>,
        read: impl Fn(&File, u64, usize) -> std::io::Result<Option<Buffer>>,
    ) -> Result<Option<Bytes>> {
        if range.end > self.size || range.start > range.end {
            return Err(
                Error::data(format!("bytes {range:?} are not in the file of {} bytes", self.size)).in_file(&self.path)
            );
        }
        let bytes = read(&self.file, range.start, (range.end - range.start) as usize);
        Ok(bytes
            .map_err(|e| match e.kind() {
                std::io::ErrorKind::UnexpectedEof => self.changed(),
                _ => Error::io(&e, &self.path),
            })?
            .map(Buffer::share))
    }

    fn unchanged(&self) -> Result<()> {
        let now = version(&self.file.metadata().map_err(|e| Error::io(&e, &self.path))?);
        if now == (self.size, self.modified) { Ok(()) } else { Err(self.changed()) }
    }

    fn changed(&self) -> Error {
        Error::new(Kind::SourceChanged, "the file changed while it was read; write a new file and rename it instead")
            .in_file(&self.path)
    }
}

/// What the system calls the file.
fn inode(file: &File) -> Option<u64> {
    let metadata = file.metadata().ok()?;
    #[cfg(unix)]
    return Some(std::os::unix::fs::MetadataExt::ino(&metadata));
    #[cfg(not(unix))]
    Some(metadata.len())
}

fn version(metadata: &Metadata) -> (u64, Option<SystemTime>) {
    (metadata.len(), metadata.modified().ok())
}

/// Reads exactly `n` bytes if that needs no waiting; `None` if it does, or if the system cannot tell.
#[cfg(target_os = "linux")]
fn read_cached(file: &File, at: u64, n: usize) -> Option<Buffer> {
    use std::os::fd::AsRawFd;
    let at = i64::try_from(at).ok()?;
    let mut buffer = Buffer::of(n);
    let part = libc::iovec { iov_base: buffer.as_mut().as_mut_ptr().cast(), iov_len: n };
    // SAFETY: the file is open, and the one part is the `n` bytes of a buffer that is ours.
    let read = unsafe { libc::preadv2(file.as_raw_fd(), &raw const part, 1, at, libc::RWF_NOWAIT) };
    (usize::try_from(read) == Ok(n)).then_some(buffer)
}

#[cfg(not(target_os = "linux"))]
fn read_cached(_file: &File, _at: u64, _n: usize) -> Option<Buffer> {
    None
}

/// Reads exactly `n` bytes.
fn read_at(file: &File, mut at: u64, n: usize) -> std::io::Result<Buffer> {
    let mut buffer = Buffer::of(n);
    let mut rest = buffer.as_mut();
    // A file on a network may give less than it was asked for.
    while !rest.is_empty() {
        #[cfg(unix)]
        let read = std::os::unix::fs::FileExt::read_at(file, rest, at);
        #[cfg(windows)]
        let read = std::os::windows::fs::FileExt::seek_read(file, rest, at);
        match read {
            Ok(0) => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => {
                rest = &mut rest[read..];
                at += read as u64;
            }
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(buffer)
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    spawn_blocking(work).await.map_err(|e| Error::internal(format!("a read was lost: {e}")))?
}
