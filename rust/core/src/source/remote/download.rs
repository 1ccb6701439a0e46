//! Whole files, to disk: in parts, over several connections, resumed where another process stopped, checked at the end.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use sha2::{Digest, Sha256};
use tokio::task::{AbortHandle, spawn_blocking};

use super::parted;
use crate::engine::Engine;
use crate::error::{Error, Kind, Result};
use crate::source::Object;

/// The length of a part.
const PART: u64 = 8 << 20;

/// Parts that are read at once.
const AT_ONCE: usize = 8;

/// A download that is going on.
#[derive(Debug, Default)]
pub struct Download {
    done: AtomicU64,
    ended: Mutex<Option<Result<()>>>,
    changed: Condvar,
    task: Mutex<Option<AbortHandle>>,
}

impl Download {
    /// Begins to download an object to a file that nobody else writes. What is there already of the same version is not
    /// read again. `sha256`: what its content has to have.
    pub fn start(engine: &'static Engine, object: Arc<dyn Object>, path: PathBuf, sha256: Option<String>) -> Arc<Self> {
        let download = Arc::new(Self::default());
        let here = Arc::clone(&download);
        let task = engine.task(async move {
            let result = download_all(&here, object, &path, sha256).await;
            *here.ended.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
            here.changed.notify_all();
        });
        *download.task.lock().unwrap_or_else(PoisonError::into_inner) = Some(task);
        download
    }

    /// The bytes that are there.
    pub fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    /// Waits for its end, but not longer than `most`; whether it ended, and how.
    pub fn wait(&self, most: Duration) -> Option<Result<()>> {
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        let (ended, _) = self
            .changed
            .wait_timeout_while(ended, most, |ended| ended.is_none())
            .unwrap_or_else(PoisonError::into_inner);
        ended.clone()
    }

    /// Stops it. What is there stays for the next time.
    pub fn stop(&self) {
        if let Some(task) = self.task.lock().unwrap_or_else(PoisonError::into_inner).take() {
            task.abort();
        }
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    spawn_blocking(work).await.map_err(|e| Error::internal(format!("a write was lost: {e}")))?
}

fn failed(path: &Path) -> impl Fn(std::io::Error) -> Error {
    let path = path.display().to_string();
    move |e| Error::io(&e, &path)
}

/// Which parts are there: the first line says of what, each other line names one.
struct Journal {
    file: File,
    there: Vec<u64>,
}

impl Journal {
    fn open(path: &Path, of: &str) -> std::io::Result<Self> {
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
        let mut text = String::new();
        // What is no text is no journal.
        drop(file.read_to_string(&mut text));
        // A line without its end was being written when its process was killed.
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let mut lines = whole.lines();
        if lines.next() == Some(of) {
            let there = lines.filter_map(|line| line.parse().ok()).collect();
            if !text.ends_with('\n') {
                file.write_all(b"\n")?;
            }
            return Ok(Self { file, there });
        }
        file.set_len(0)?;
        file.write_all(format!("{of}\n").as_bytes())?;
        Ok(Self { file, there: Vec::new() })
    }
}

#[cfg(unix)]
fn write_at(file: &File, bytes: &[u8], at: u64) -> std::io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, at)
}

#[cfg(windows)]
fn write_at(file: &File, mut bytes: &[u8], mut at: u64) -> std::io::Result<()> {
    while !bytes.is_empty() {
        let n = std::os::windows::fs::FileExt::seek_write(file, bytes, at)?;
        (bytes, at) = (&bytes[n..], at + n as u64);
    }
    Ok(())
}

async fn download_all(
    download: &Arc<Download>,
    object: Arc<dyn Object>,
    path: &Path,
    sha256: Option<String>,
) -> Result<()> {
    let size = object.size();
    let mut journal_path = path.as_os_str().to_owned();
    journal_path.push(".parts");
    let journal_path = PathBuf::from(journal_path);
    // Without a version, what is there may be of another.
    let of = object.version().map_or_else(
        || format!("{size} {}", std::process::id()),
        |version| format!("{size} {}", version.replace('\n', " ")),
    );
    let opened = {
        let (path, journal_path) = (path.to_owned(), journal_path.clone());
        blocking(move || {
            let file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .open(&path)
                .map_err(failed(&path))?;
            let mut journal = Journal::open(&journal_path, &of).map_err(failed(&journal_path))?;
            if file.metadata().map_err(failed(&path))?.len() > size {
                file.set_len(0).map_err(failed(&path))?;
                drop(journal);
                std::fs::remove_file(&journal_path).map_err(failed(&journal_path))?;
                journal = Journal::open(&journal_path, &of).map_err(failed(&journal_path))?;
            }
            Ok((file, journal))
        })
    };
    let (file, journal) = opened.await?;
    let parts: Vec<Range<u64>> = if size == 0 { Vec::new() } else { parted(0..size, PART).collect() };
    let there: std::collections::HashSet<u64> = journal.there.iter().copied().collect();
    let missing: Vec<(u64, Range<u64>)> =
        (0..).zip(parts.iter().cloned()).filter(|(i, _)| !there.contains(i)).collect();
    download.done.store(size - missing.iter().map(|(_, part)| part.end - part.start).sum::<u64>(), Ordering::Relaxed);
    let (file, journal) = (Arc::new(file), Arc::new(Mutex::new(journal)));
    let at_once = if object.ranged() { AT_ONCE } else { 1 };
    let reads = stream::iter(missing).map(|(i, part)| {
        let (object, file, journal, path) = (&object, Arc::clone(&file), Arc::clone(&journal), path.to_owned());
        async move {
            let bytes: Bytes = object.read(std::slice::from_ref(&part)).await?.pop().unwrap_or_default();
            let length = bytes.len() as u64;
            blocking(move || {
                write_at(&file, &bytes, part.start).map_err(failed(&path))?;
                // On disk before the journal says so.
                file.sync_data().map_err(failed(&path))?;
                let mut journal = journal.lock().unwrap_or_else(PoisonError::into_inner);
                journal.file.write_all(format!("{i}\n").as_bytes()).map_err(failed(&path))
            })
            .await?;
            download.done.fetch_add(length, Ordering::Relaxed);
            Ok::<_, Error>(())
        }
    });
    reads.buffer_unordered(at_once).try_collect::<Vec<()>>().await?;
    let path = path.to_owned();
    blocking(move || {
        file.set_len(size).and_then(|()| file.sync_all()).map_err(failed(&path))?;
        let sound = match &sha256 {
            Some(wanted) => hash(&path)? == *wanted,
            None => true,
        };
        std::fs::remove_file(&journal_path).map_err(failed(&journal_path))?;
        if sound {
            return Ok(());
        }
        std::fs::remove_file(&path).map_err(failed(&path))?;
        Err(Error::new(
            Kind::Data,
            "what was downloaded has not the SHA-256 that was said of it; it was removed, download it again",
        ))
    })
    .await
}

/// The SHA-256 of a file.
fn hash(path: &Path) -> Result<String> {
    let mut file = File::open(path).map_err(failed(path))?;
    let (mut digest, mut block) = (Sha256::new(), vec![0; 1 << 20]);
    loop {
        match file.read(&mut block).map_err(failed(path))? {
            0 => break,
            n => digest.update(&block[..n]),
        }
    }
    let digest: [u8; 32] = digest.finalize().into();
    Ok(digest
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|digit| char::from_digit(digit.into(), 16))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journal_goes_on_where_it_was_cut() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        for (content, of, there) in [
            ("", "10 v1", vec![]),
            ("10 v1\n0\n2\n", "10 v1", vec![0, 2]),
            ("10 v1\n0\n12", "10 v1", vec![0]),
            ("10 v1\n0\n", "10 v2", vec![]),
            ("10 v", "10 v1", vec![]),
        ] {
            std::fs::write(&path, content).unwrap();
            let mut journal = Journal::open(&path, of).unwrap();
            assert_eq!(journal.there, there, "{content:?}");
            journal.file.write_all(b"7\n").unwrap();
            assert!(Journal::open(&path, of).unwrap().there.contains(&7), "{content:?}");
        }
    }
}
