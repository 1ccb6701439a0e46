//! Objects of S3, Google Cloud Storage and Azure: the `object_store` crate knows how each is asked and signed for; requests
//! go through the one client that all sources have.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::{StreamExt, TryStreamExt};
use http_body_util::BodyExt;
use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::client::{HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpResponseBody, HttpService};
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::path::Path;
use object_store::{ClientOptions, GetOptions, GetRange, ObjectStore, ObjectStoreExt, RetryConfig, WriteMultipart};
use tokio::time::timeout;

use super::access::{Access, Patience, scrubbed};
use super::client::{Again, Failure, Tries, refused};
use super::{Answer, Service, Wanted};
use crate::engine::Engine;
use crate::error::{Error, Kind, Result};

/// Which kind of store a scheme names.
fn kind(scheme: &str) -> Option<&'static str> {
    match scheme {
        "s3" | "s3a" => Some("s3"),
        "gs" | "gcs" => Some("gs"),
        "az" | "azure" | "abfs" | "abfss" | "adl" => Some("az"),
        _ => None,
    }
}

/// Whether a location is one of an object store.
pub(crate) fn is(location: &str) -> bool {
    location.split_once("://").is_some_and(|(scheme, _)| kind(scheme).is_some())
}

/// An object store's location: the bucket's URL, and the key.
fn split(location: &str) -> Result<(&'static str, String, Path)> {
    let wrong = |what: &str| Error::new(Kind::Value, format!("{what}: expected scheme://bucket/key")).in_file(location);
    let (scheme, rest) = location.split_once("://").ok_or_else(|| wrong("no scheme"))?;
    let kind = kind(scheme).ok_or_else(|| wrong("not an object store"))?;
    let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
    if bucket.is_empty() {
        return Err(wrong("no bucket"));
    }
    let key = Path::parse(key.trim_matches('/')).map_err(|e| wrong(&e.to_string()))?;
    let scheme = if kind == "gs" { "gs" } else { scheme };
    Ok((kind, format!("{scheme}://{bucket}"), key))
}

/// Makes requests with the client of the process's engine, and asks again where a server is busy.
#[derive(Debug, Clone)]
struct Requests(Patience);

impl HttpConnector for Requests {
    fn connect(&self, _options: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

/// Why a request failed at last, as `object_store` takes it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Gone(String);

#[async_trait]
impl HttpService for Requests {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let broken = |e: String| HttpError::new(HttpErrorKind::Unknown, Gone(e));
        let client = Engine::current().and_then(Engine::client).map_err(|e| broken(e.to_string()))?;
        let (parts, body) = request.into_parts();
        let url = url::Url::parse(&parts.uri.to_string()).map_err(|e| broken(e.to_string()))?;
        let safe = matches!(parts.method, http::Method::GET | http::Method::HEAD | http::Method::PUT | http::Method::DELETE);
        let mut tries = Tries::new(&self.0);
        loop {
            let mut once = reqwest::Request::new(parts.method.clone(), url.clone());
            once.headers_mut().clone_from(&parts.headers);
            *once.body_mut() = Some(reqwest::Body::wrap(body.clone()));
            let failure = match timeout(self.0.stall().max(std::time::Duration::from_secs(1)), client.execute(once)).await {
                Ok(Ok(response)) if !(response.status().is_server_error() || matches!(response.status().as_u16(), 408 | 425 | 429)) => {
                    let (parts, body) = http::Response::<reqwest::Body>::from(response).into_parts();
                    let body = body.map_err(|e| HttpError::new(HttpErrorKind::Interrupted, e.without_url()));
                    return Ok(HttpResponse::from_parts(parts, HttpResponseBody::new(body)));
                }
                Ok(Ok(response)) => refused(response, &url).await,
                Ok(Err(e)) => Failure::of(&e),
                Err(_) => Failure::soon(format!("no answer in {} s", self.0.timeout)),
            };
            let failure = if safe { failure } else { Failure { again: Again::Never, ..failure } };
            tries.again(failure).await.map_err(|e| HttpError::new(HttpErrorKind::Unknown, Gone(e.to_string())))?;
        }
    }
}

/// Makes the store of a bucket.
fn made(kind: &str, bucket: &str, access: &Access) -> object_store::Result<Arc<dyn ObjectStore>> {
    let retry = RetryConfig { max_retries: 0, ..RetryConfig::default() };
    let connector = Requests(access.patience.clone());
    let unknown = |name: &str| object_store::Error::Generic { store: "storage_options", source: format!("there is no option {name:?} for {kind}://").into() };
    macro_rules! build {
        ($builder:expr) => {{
            let mut builder = $builder.with_url(bucket).with_retry(retry).with_http_connector(connector);
            for (name, value) in &access.options {
                builder = builder.with_config(name.parse().map_err(|_| unknown(name))?, value);
            }
            Ok(Arc::new(builder.build()?))
        }};
    }
    match kind {
        "s3" => build!(AmazonS3Builder::from_env()),
        "gs" => build!(GoogleCloudStorageBuilder::from_env()),
        _ => build!(MicrosoftAzureBuilder::from_env()),
    }
}

/// An error of an object store, without secrets.
fn failed(error: object_store::Error, again: Again) -> Failure {
    use object_store::Error as E;
    let text = scrubbed(&error.to_string());
    let (kind, again, hint) = match error {
        E::NotFound { .. } => (Kind::NotFound, Again::Never, ""),
        E::Precondition { .. } => (Kind::SourceChanged, Again::Never, ": it is not the version that the data set was made from, load it again"),
        E::PermissionDenied { .. } | E::Unauthenticated { .. } => (Kind::Permission, Again::Never, ": check storage_options= and the credentials"),
        E::UnknownConfigurationKey { .. } | E::InvalidPath { .. } => (Kind::Value, Again::Never, ""),
        _ if text.contains("storage_options") => (Kind::Value, Again::Never, ""),
        _ => (Kind::Io, again, ""),
    };
    Failure { error: Error::new(kind, format!("{text}{hint}")), again, empty: false }
}

/// An object of an object store.
pub(crate) struct Cloud {
    access: Arc<Access>,
    store: Arc<dyn ObjectStore>,
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

fn store_of(engine: &'static Engine, kind: &str, bucket: &str, access: &Access, id: u64) -> Result<Arc<dyn ObjectStore>> {
    engine.bucket(id, bucket, || made(kind, bucket, access).map_err(|e| failed(e, Again::Never).error.in_file(bucket)))
}

impl Cloud {
    /// The object at a location. `id`: what tells these settings from others.
    pub(crate) fn new(engine: &'static Engine, access: &Arc<Access>, id: u64, location: &str) -> Result<Self> {
        let (kind, bucket, path) = split(location)?;
        Ok(Self { access: Arc::clone(access), store: store_of(engine, kind, &bucket, access, id)?, path })
    }

    async fn once(&self, wanted: Wanted, pin: Option<&str>) -> Result<Answer, Failure> {
        let range = match &wanted {
            Wanted::Range(range) => GetRange::Bounded(range.clone()),
            Wanted::Last(n) => GetRange::Suffix(*n),
        };
        let pin = pin.filter(|pin| !pin.starts_with("written "));
        let options = GetOptions { range: Some(range), if_match: pin.map(ToOwned::to_owned), ..GetOptions::default() };
        let got = match self.store.get_opts(&self.path, options).await {
            Ok(got) => got,
            Err(e @ (object_store::Error::Generic { .. } | object_store::Error::NotSupported { .. })) => return self.headed(wanted, e).await,
            Err(e) => return Err(failed(e, Again::Never)),
        };
        let version = got.meta.e_tag.clone().or_else(|| Some(format!("written {}", got.meta.last_modified.to_rfc3339())));
        let (range, total) = (got.range.clone(), Some(got.meta.size));
        let body = got.into_stream().map_err(|e| failed(e, Again::Soon)).boxed();
        Ok(Answer { range, total, version, ranged: true, moved: false, body })
    }

    /// What cannot be asked as it was: an object without bytes, or the last bytes where a service does not give them.
    async fn headed(&self, wanted: Wanted, error: object_store::Error) -> Result<Answer, Failure> {
        let text = error.to_string();
        let (empty, last) = (text.contains("416"), matches!(error, object_store::Error::NotSupported { .. }));
        let first = failed(error, Again::Never);
        if !empty && !last {
            return Err(first);
        }
        let meta = self.store.head(&self.path).await.map_err(|e| failed(e, Again::Never))?;
        if meta.size == 0 {
            let version = meta.e_tag;
            return Ok(Answer { range: 0..0, total: Some(0), version, ranged: true, moved: false, body: futures_util::stream::empty().boxed() });
        }
        match wanted {
            Wanted::Last(n) => Box::pin(self.once(Wanted::Range(meta.size.saturating_sub(n)..meta.size), meta.e_tag.as_deref())).await,
            Wanted::Range(_) => {
                Err(Failure { error: Error::new(Kind::SourceChanged, format!("the object is shorter than it was, {} bytes", meta.size)), ..first })
            }
        }
    }
}

impl Service for Cloud {
    fn ask<'a>(&'a self, _engine: &'static Engine, wanted: Wanted, pin: Option<&'a str>) -> BoxFuture<'a, Result<Answer, Failure>> {
        Box::pin(self.once(wanted, pin))
    }

    fn access(&self) -> &Access {
        &self.access
    }
}

/// The objects whose keys begin with a folder's.
pub(crate) async fn list(engine: &'static Engine, access: &Access, id: u64, folder: &str) -> Result<Vec<Listed>> {
    let (kind, bucket, path) = split(folder)?;
    let store = store_of(engine, kind, &bucket, access, id)?;
    let prefix = (!path.as_ref().is_empty()).then_some(&path);
    let (scheme, rest) = folder.split_once("://").unwrap_or_default();
    let base = format!("{scheme}://{}", rest.split('/').next().unwrap_or_default());
    let mut made = Vec::new();
    let mut listed = store.list(prefix);
    while let Some(meta) = listed.next().await {
        let meta = meta.map_err(|e| failed(e, Again::Never).error.in_file(folder))?;
        made.push(Listed { location: format!("{base}/{}", meta.location), size: meta.size, version: meta.e_tag });
    }
    made.sort_by(|a, b| a.location.cmp(&b.location));
    Ok(made)
}

/// Writes an object: it is there whole, or not at all.
pub(crate) async fn write(
    engine: &'static Engine,
    access: &Access,
    id: u64,
    location: &str,
    mut parts: impl Iterator<Item = std::io::Result<Bytes>>,
) -> Result<()> {
    let (kind, bucket, path) = split(location)?;
    let store = store_of(engine, kind, &bucket, access, id)?;
    let failed = |e| failed(e, Again::Never).error.in_file(location);
    let first = parts.next().transpose().map_err(|e| Error::io(&e, location))?.unwrap_or_default();
    let Some(second) = parts.next() else {
        store.put(&path, first.into()).await.map_err(failed)?;
        return Ok(());
    };
    let mut upload = WriteMultipart::new_with_chunk_size(store.put_multipart(&path).await.map_err(failed)?, first.len().max(5 << 20));
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
        assert_eq!(got("abfss://c@acc.dfs.core.windows.net/a").unwrap(), ("az", "abfss://c@acc.dfs.core.windows.net".into(), "a".into()));
        assert!(got("s3:///a").is_err() && got("s3://b/a/../c").is_err());
        assert!(is("s3a://b") && !is("https://s3/b") && !is("/s3://"));
    }
}
