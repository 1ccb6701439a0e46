//! Local files, by positioned reads: a file that we did not write may change or shrink under a mapping.

use std::fs::{File, Metadata};
use std::ops::Range;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use tokio::task::spawn_blocking;

use super::{Object, Reading, Store};
use crate::error::{Error, Kind, Result};

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
    fn open<'a>(&'a self, location: &'a str) -> Reading<'a, Arc<dyn Object>> {
        let path = location.to_owned();
        Box::pin(async move {
            let file = blocking(move || {
                let failed = |e: std::io::Error| Error::io(&e, &path);
                let file = File::open(&path).map_err(failed)?;
                let metadata = file.metadata().map_err(failed)?;
                if metadata.is_dir() {
                    return Err(Error::new(Kind::Io, "is a folder, not a file").in_file(&path));
                }
                let (size, modified) = version(&metadata);
                Ok(LocalFile { path, file, size, modified })
            })
            .await?;
            Ok(Arc::new(Arc::new(file)) as Arc<dyn Object>)
        })
    }
}

impl Object for Arc<LocalFile> {
    fn size(&self) -> u64 {
        self.size
    }

    fn read<'a>(&'a self, ranges: &'a [Range<u64>]) -> Reading<'a, Vec<Bytes>> {
        let (file, ranges) = (Self::clone(self), ranges.to_vec());
        Box::pin(blocking(move || file.read_all(&ranges)))
    }
}

impl LocalFile {
    fn read_all(&self, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let failed = |e: &std::io::Error| Error::io(e, &self.path);
        let changed = || Error::new(Kind::SourceChanged, "the file changed while it was read; write a new file and rename it instead").in_file(&self.path);
        let mut out = Vec::with_capacity(ranges.len());
        for range in ranges {
            if range.end > self.size || range.start > range.end {
                return Err(Error::data(format!("bytes {range:?} are not in the file of {} bytes", self.size)).in_file(&self.path));
            }
            let mut bytes = vec![0; (range.end - range.start) as usize];
            read_exact_at(&self.file, &mut bytes, range.start).map_err(|e| match e.kind() {
                std::io::ErrorKind::UnexpectedEof => changed(),
                _ => failed(&e),
            })?;
            out.push(Bytes::from(bytes));
        }
        if version(&self.file.metadata().map_err(|e| failed(&e))?) != (self.size, self.modified) {
            return Err(changed());
        }
        Ok(out)
    }
}

fn version(metadata: &Metadata) -> (u64, Option<SystemTime>) {
    (metadata.len(), metadata.modified().ok())
}

#[cfg(unix)]
fn read_exact_at(file: &File, bytes: &mut [u8], at: u64) -> std::io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, at)
}

#[cfg(windows)]
fn read_exact_at(file: &File, mut bytes: &mut [u8], mut at: u64) -> std::io::Result<()> {
    while !bytes.is_empty() {
        let n = std::os::windows::fs::FileExt::seek_read(file, bytes, at)?;
        if n == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        bytes = &mut bytes[n..];
        at += n as u64;
    }
    Ok(())
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    spawn_blocking(work).await.map_err(|e| Error::internal(format!("a read was lost: {e}")))?
}
