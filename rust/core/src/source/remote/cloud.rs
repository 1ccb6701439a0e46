//! Objects of S3, Google Cloud Storage and Azure.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::{StreamExt, TryStreamExt};
use object_store::path::{Path, PathPart};
use object_store::{GetOptions, GetRange, ObjectMeta, ObjectStore, ObjectStoreExt, WriteMultipart};

use super::access::Access;
pub(crate) use super::bucket::Bucket;
use super::bucket::failed;
use super::client::{Again, Failure};
use super::{Answer, Service, Wanted, keys};
use crate::engine::Engine;
use crate::error::{Error, Kind, Result};
use crate::urls::kind_of_store;

/// An object store's location: the bucket's URL, and the key.
fn split(location: &str) -> Result<(&'static str, String, Path)> {
    let wrong = |what: &str| Error::new(Kind::Value, format!("{what}: expected scheme://bucket/key")).in_file(location);
    let (scheme, rest) = location.split_once("://").ok_or_else(|| wrong("no scheme"))?;
    let kind = kind_of_store(scheme).ok_or_else(|| wrong("not an object store"))?;
    let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
    if bucket.is_empty() {
        return Err(wrong("no bucket"));
    }
    // Empty parts are parts of a key; what the crate's paths cannot say would be another object.
    if key.starts_with('/') {
        return Err(wrong("a key that begins with a slash cannot be asked for; copy the object to another name"));
    }
    let part = |path: Path, part: &str| PathPart::parse(part).map(|part| path.join(part));
    let key = key.split('/').try_fold(Path::ROOT, part).map_err(|_| {
        wrong(
            "a key with a part \".\" or \"..\", or with control characters, cannot be asked for; copy \
            the object to another name",
        )
    })?;
    let scheme = if kind == "gs" { "gs" } else { scheme };
    Ok((kind, format!("{scheme}://{bucket}"), key))
}

/// An object of an object store.
pub(crate) struct Cloud {
    access: Arc<Access>,
    bucket: Arc<Bucket>,
    path: Path,
}

/// What a listing says of an object.
#[derive(Debug, Clone)]
pub struct Listed {
    /// Where it is.
    pub location: String,
    /// Its length.
    pub size: u64,
    /// What identifies its content.
    pub version: Option<String>,
}

/// The buckets of an engine.
#[derive(Default)]
struct Buckets(Mutex<HashMap<(u64, String), Arc<Bucket>>>);

impl Buckets {
    /// A bucket, made when it is first needed. `id`: with which settings.
    fn get(&self, id: u64, bucket: &str, make: impl FnOnce() -> Result<Bucket>) -> Result<Arc<Bucket>> {
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (id, bucket.to_owned());
        if let Some(there) = buckets.get(&key) {
            return Ok(Arc::clone(there));
        }
        let made = Arc::new(make()?);
        buckets.insert(key, Arc::clone(&made));
        Ok(made)
    }
}

fn bucket_of(
    engine: &'static Engine,
    kind: &'static str,
    bucket: &str,
    access: &Arc<Access>,
    id: u64,
) -> Result<Arc<Bucket>> {
    engine.open::<Buckets>().get(id, bucket, || Bucket::new(kind, bucket, access))
}

impl Cloud {
    /// The object at a location. `id`: what tells these settings from others.
    pub(crate) fn new(engine: &'static Engine, access: &Arc<Access>, id: u64, location: &str) -> Result<Self> {
        let (kind, bucket, path) = split(location)?;
        Ok(Self { access: Arc::clone(access), bucket: bucket_of(engine, kind, &bucket, access, id)?, path })
    }

    async fn once(&self, wanted: Wanted, pin: Option<&str>) -> Result<Answer, Failure> {
        let range = match &wanted {
            Wanted::Range(range) => GetRange::Bounded(range.clone()),
            Wanted::Last(n) => GetRange::Suffix(*n),
        };
        let pin = pin.filter(|pin| !pin.starts_with("written "));
        let options = GetOptions { range: Some(range), if_match: pin.map(ToOwned::to_owned), ..GetOptions::default() };
        let ask = self.bucket.ask(|store| {
            let options = options.clone();
            async move { store.get_opts(&self.path, options).await }
        });
        let got = match ask.await {
            Ok(got) => got,
            Err(e @ (object_store::Error::Generic { .. } | object_store::Error::NotSupported { .. })) => {
                return self.headed(wanted, e).await;
            }
            Err(e) => return Err(self.bucket.failed(e, Again::Never)),
        };
        let version =
            got.meta.e_tag.clone().or_else(|| Some(format!("written {}", got.meta.last_modified.to_rfc3339())));
        let (range, total) = (got.range.clone(), Some(got.meta.size));
        let body = got.into_stream().map_err(|e| failed(e, Again::Soon)).boxed();
        Ok(Answer { range, total, version, ranged: true, moved: false, body })
    }

    /// What cannot be asked as it was: an object without bytes, or the last bytes where a service does not give them.
    async fn headed(&self, wanted: Wanted, error: object_store::Error) -> Result<Answer, Failure> {
        let text = error.to_string();
        // With its words: the text has the URL too, which may be of any numbers.
        let empty = text.contains("status code: 416");
        let last = matches!(error, object_store::Error::NotSupported { .. });
        let first = self.bucket.failed(error, Again::Never);
        if !empty && !last {
            return Err(first);
        }
        let meta = self
            .bucket
            .ask(|store| async move { store.head(&self.path).await })
            .await
            .map_err(|e| self.bucket.failed(e, Again::Never))?;
        if meta.size == 0 {
            let version = meta.e_tag;
            return Ok(Answer {
                range: 0..0,
                total: Some(0),
                version,
                ranged: true,
                moved: false,
                body: futures_util::stream::empty().boxed(),
            });
        }
        match wanted {
            Wanted::Last(n) => {
                Box::pin(self.once(Wanted::Range(meta.size.saturating_sub(n)..meta.size), meta.e_tag.as_deref())).await
            }
            Wanted::Range(_) => Err(Failure {
                error: Error::new(
                    Kind::SourceChanged,
                    format!("the object is shorter than it was, {} bytes", meta.size),
                ),
                ..first
            }),
        }
    }
}

impl Service for Cloud {
    fn ask<'a>(
        &'a self,
        _engine: &'static Engine,
        wanted: Wanted,
        pin: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Answer, Failure>> {
        Box::pin(self.once(wanted, pin))
    }

    fn access(&self) -> &Access {
        &self.access
    }
}

/// The objects whose keys begin with a folder's.
pub(crate) async fn list(engine: &'static Engine, access: &Arc<Access>, id: u64, folder: &str) -> Result<Vec<Listed>> {
    let (kind, bucket, path) = split(folder.strip_suffix('/').unwrap_or(folder))?;
    let bucket = bucket_of(engine, kind, &bucket, access, id)?;
    let prefix = (!path.as_ref().is_empty()).then_some(&path);
    let (scheme, rest) = folder.split_once("://").unwrap_or_default();
    let base = format!("{scheme}://{}", rest.split('/').next().unwrap_or_default());
    let listed = bucket.ask(|store| async move { store.list(prefix).try_collect::<Vec<ObjectMeta>>().await });
    let listed = listed.await.map_err(|e| bucket.failed(e, Again::Never).error.in_file(folder))?;
    let of = |meta: ObjectMeta| Listed {
        location: format!("{base}/{}", keys::unmarked(meta.location.as_ref())),
        size: meta.size,
        version: meta.e_tag,
    };
    // What ends with a slash and is empty stands for a folder.
    let mut made: Vec<Listed> =
        listed.into_iter().map(of).filter(|one| one.size > 0 || !one.location.ends_with('/')).collect();
    made.sort_by(|a, b| a.location.cmp(&b.location));
    Ok(made)
}

/// Writes an object: it is there whole, or not at all.
pub(crate) async fn write(
    engine: &'static Engine,
    access: &Arc<Access>,
    id: u64,
    location: &str,
    mut parts: impl Iterator<Item = std::io::Result<Bytes>>,
) -> Result<()> {
    let (kind, bucket, path) = split(location)?;
    let bucket = bucket_of(engine, kind, &bucket, access, id)?;
    let path = &path;
    let failed = |e| bucket.failed(e, Again::Never).error.in_file(location);
    let first = parts.next().transpose().map_err(|e| Error::io(&e, location))?.unwrap_or_default();
    let Some(second) = parts.next() else {
        bucket
            .ask(|store| {
                let first = first.clone();
                async move { store.put(path, first.into()).await }
            })
            .await
            .map_err(failed)?;
        return Ok(());
    };
    let begun = bucket.ask(|store| async move { store.put_multipart(path).await }).await.map_err(failed)?;
    let mut upload = WriteMultipart::new_with_chunk_size(begun, first.len().max(5 << 20));
    upload.put(first);
    for part in std::iter::once(second).chain(parts) {
        match part {
            Ok(bytes) => {
                upload.put(bytes);
                upload.wait_for_capacity(4).await.map_err(failed)?;
            }
            Err(e) => {
                upload.abort().await.map_err(failed)?;
                return Err(Error::io(&e, location));
            }
        }
    }
    upload.finish().await.map_err(failed)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_of_object_stores() {
        let got = |location: &str| split(location).map(|(kind, bucket, path)| (kind, bucket, path.to_string()));
        assert_eq!(got("s3://b/a/c d.parquet").unwrap(), ("s3", "s3://b".into(), "a/c d.parquet".into()));
        assert_eq!(got("gcs://b/a").unwrap(), ("gs", "gs://b".into(), "a".into()));
        assert_eq!(
            got("abfss://c@acc.dfs.core.windows.net/a").unwrap(),
            ("az", "abfss://c@acc.dfs.core.windows.net".into(), "a".into())
        );
        assert!(got("s3:///a").is_err() && got("s3://b/a/../c").is_err());
        use crate::urls::is_of_store as is;
        assert!(is("s3a://b") && !is("https://s3/b") && !is("/s3://"));
    }
}
