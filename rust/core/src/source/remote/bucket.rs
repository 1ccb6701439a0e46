//! A bucket of an object store, as it is asked: the `object_store` crate signs, our client sends, and what answers say
//! of the bucket beside what was asked for is heard.

use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt;
use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpResponseBody, HttpService,
};
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::{ClientOptions, ObjectStore, RetryConfig};
use tokio::time::timeout;
use url::{Host, Url};

use super::access::{Access, Patience};
use super::client::Client;
use super::client::{Again, Failure, Tries, refused};
use super::{keys, lock};
use crate::engine::Engine;
use crate::error::{Error, Kind};
use crate::urls::scrubbed;

/// What answers said beside what was asked for.
#[derive(Debug, Default)]
struct Said {
    /// The region that the bucket is in.
    region: Mutex<Option<String>>,
    /// Why the machine gave no credentials, where it was asked for them.
    machine: Mutex<Option<String>>,
}

/// Makes requests with the client of the process's engine, and asks again where a server is busy.
#[derive(Debug, Clone)]
struct Requests {
    patience: Patience,
    said: Arc<Said>,
}

impl HttpConnector for Requests {
    fn connect(&self, _options: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

/// Why a request failed at last, as `object_store` takes it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Gone(String);

/// Whether a URL is of the service that gives a machine its credentials, on AWS, Google and Azure.
fn of_machine(url: &Url) -> bool {
    let paths = ["/latest/api/token", "/latest/meta-data/", "/computeMetadata/", "/metadata/identity/"];
    matches!(url.host(), Some(Host::Ipv4(ip)) if ip.is_link_local())
        || paths.iter().any(|path| url.path().starts_with(path))
}

/// How long to wait for it: it is near, or it is not there at all.
fn of_neighbour(patience: &Patience) -> Patience {
    let read = |name: &str, default: f64| {
        std::env::var(name).ok().and_then(|text| text.trim().parse().ok()).filter(|n: &f64| *n > 0.0).unwrap_or(default)
    };
    let tries = read("AWS_METADATA_SERVICE_NUM_ATTEMPTS", 2.0) as u32;
    Patience {
        timeout: read("AWS_METADATA_SERVICE_TIMEOUT", 1.0),
        retries: patience.retries.min(tries.saturating_sub(1)),
        ..patience.clone()
    }
}

#[async_trait]
impl HttpService for Requests {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let broken = |e: String| HttpError::new(HttpErrorKind::Unknown, Gone(e));
        let url = Url::parse(&request.uri().to_string()).map_err(|e| broken(e.to_string()))?;
        if !of_machine(&url) {
            let answer = self.tried(request, &url, &self.patience).await.map_err(|e| broken(e.to_string()))?;
            self.heard(answer.status(), answer.headers());
            let lists = url
                .query_pairs()
                .any(|(name, value)| matches!((&*name, &*value), ("list-type", "2") | ("comp", "list")));
            if !lists || !answer.status().is_success() {
                return Ok(answer);
            }
            let (parts, body) = answer.into_parts();
            let text = keys::marked(&body.bytes().await?);
            let mut answer = HttpResponse::from_parts(parts, text.into());
            answer.headers_mut().remove(http::header::CONTENT_LENGTH);
            return Ok(answer);
        }
        let answer = self.tried(request, &url, &of_neighbour(&self.patience)).await;
        *lock(&self.said.machine) = match &answer {
            Ok(answer) if answer.status().is_success() => None,
            Ok(answer) => Some(format!("it says {}", answer.status())),
            // Not where it was asked: nobody there is what most machines have.
            Err(e) => Some(e.message().to_owned()),
        };
        answer.map_err(|e| broken(e.to_string()))
    }
}

impl Requests {
    async fn tried(&self, request: HttpRequest, url: &Url, patience: &Patience) -> Result<HttpResponse, Error> {
        let client = Engine::current()?.open::<Client>().get()?;
        let (parts, body) = request.into_parts();
        let safe =
            matches!(parts.method, http::Method::GET | http::Method::HEAD | http::Method::PUT | http::Method::DELETE);
        let mut tries = Tries::new(patience);
        loop {
            let mut once = reqwest::Request::new(parts.method.clone(), url.clone());
            once.headers_mut().clone_from(&parts.headers);
            *once.body_mut() = Some(reqwest::Body::wrap(body.clone()));
            let failure = match timeout(patience.stall().max(Duration::from_secs(1)), client.execute(once)).await {
                Ok(Ok(response))
                    if !(response.status().is_server_error()
                        || matches!(response.status().as_u16(), 408 | 425 | 429)) =>
                {
                    let (parts, body) = http::Response::<reqwest::Body>::from(response).into_parts();
                    let body = body.map_err(|e| HttpError::new(HttpErrorKind::Interrupted, e.without_url()));
                    return Ok(HttpResponse::from_parts(parts, HttpResponseBody::new(body)));
                }
                Ok(Ok(response)) => refused(response, url).await,
                Ok(Err(e)) => Failure::of(&e),
                Err(_) => Failure::soon(format!("no answer in {} s", patience.timeout)),
            };
            let failure = if safe { failure } else { Failure { again: Again::Never, ..failure } };
            tries.again(failure).await?;
        }
    }

    /// Hears what an answer that is none says of the bucket.
    fn heard(&self, status: StatusCode, headers: &HeaderMap) {
        if !status.is_success()
            && let Some(region) = headers.get("x-amz-bucket-region").and_then(|region| region.to_str().ok())
        {
            *lock(&self.said.region) = Some(region.to_owned());
        }
    }
}

/// A bucket, with the settings that it is asked with.
pub(crate) struct Bucket {
    kind: &'static str,
    url: String,
    access: Arc<Access>,
    said: Arc<Said>,
    /// How it is asked, and in which region.
    store: Mutex<(Arc<dyn ObjectStore>, Option<String>)>,
}

impl Bucket {
    /// `url`: `s3://bucket`.
    pub(crate) fn new(kind: &'static str, url: &str, access: &Arc<Access>) -> Result<Self, Error> {
        let said = Arc::default();
        let store = made(kind, url, access, &said, None).map_err(|e| failed(e, Again::Never).error.in_file(url))?;
        let region = access.options.get("aws_region").cloned();
        Ok(Self { kind, url: url.to_owned(), access: Arc::clone(access), said, store: Mutex::new((store, region)) })
    }

    /// Asks it; once more where the answer says that it is in another region.
    pub(crate) async fn ask<T, F>(&self, mut ask: impl FnMut(Arc<dyn ObjectStore>) -> F) -> object_store::Result<T>
    where
        F: Future<Output = object_store::Result<T>>,
    {
        let store = Arc::clone(&lock(&self.store).0);
        match ask(Arc::clone(&store)).await {
            Err(error) => match self.moved(&store) {
                Some(there) => ask(there).await,
                None => Err(error),
            },
            answer => answer,
        }
    }

    /// How it is asked where it is, if that is not where it was asked.
    fn moved(&self, asked: &Arc<dyn ObjectStore>) -> Option<Arc<dyn ObjectStore>> {
        let mut held = lock(&self.store);
        if !Arc::ptr_eq(&held.0, asked) {
            // Another request was told.
            return Some(Arc::clone(&held.0));
        }
        let region = lock(&self.said.region).take().filter(|region| held.1.as_ref() != Some(region))?;
        let store = made(self.kind, &self.url, &self.access, &self.said, Some(&region)).ok()?;
        *held = (Arc::clone(&store), Some(region));
        Some(store)
    }

    /// What an error of it means, without secrets.
    pub(crate) fn failed(&self, error: object_store::Error, again: Again) -> Failure {
        if matches!(error, object_store::Error::Generic { .. })
            && let Some(why) = lock(&self.said.machine).clone()
        {
            let text = format!(
                "there are no credentials for {}:// (the instance metadata service was asked last: {why}); give \
                 storage_options=, a profile, or \
                 variables of the environment, or {{'anon': True}} for what is public",
                self.kind
            );
            return Error::new(Kind::Permission, text).into();
        }
        failed(error, again)
    }
}

/// An error of an object store, without secrets.
pub(crate) fn failed(error: object_store::Error, again: Again) -> Failure {
    use object_store::Error as E;
    let text = scrubbed(&error.to_string());
    let (kind, again, hint) = match error {
        E::NotFound { .. } => (Kind::NotFound, Again::Never, ""),
        E::Precondition { .. } => (
            Kind::SourceChanged,
            Again::Never,
            ": it is not the version that the data set was made from, load it again",
        ),
        E::PermissionDenied { .. } | E::Unauthenticated { .. } => {
            (Kind::Permission, Again::Never, ": check storage_options= and the credentials")
        }
        E::UnknownConfigurationKey { .. } | E::InvalidPath { .. } => (Kind::Value, Again::Never, ""),
        _ if text.contains("storage_options") => (Kind::Value, Again::Never, ""),
        _ => (Kind::Io, again, ""),
    };
    Failure::new(Error::new(kind, format!("{text}{hint}")), again)
}

/// Makes the store of a bucket, in a region if one is known.
fn made(
    kind: &str,
    url: &str,
    access: &Access,
    said: &Arc<Said>,
    region: Option<&str>,
) -> object_store::Result<Arc<dyn ObjectStore>> {
    let retry = RetryConfig { max_retries: 0, ..RetryConfig::default() };
    let connector = Requests { patience: access.patience.clone(), said: Arc::clone(said) };
    let unknown = |name: &str| object_store::Error::Generic {
        store: "storage_options",
        source: format!("there is no option {name:?} for {kind}://").into(),
    };
    let mut options = access.options.clone();
    if let Some(region) = region {
        options.insert("aws_region".to_owned(), region.to_owned());
    }
    if options.get("aws_virtual_hosted_style_request").is_some_and(|value| value == "true") {
        for name in ["aws_endpoint", "aws_endpoint_url", "aws_endpoint_url_s3"] {
            if let Some(endpoint) = options.get_mut(name) {
                *endpoint = hosted(endpoint, url);
            }
        }
    }
    macro_rules! build {
        ($builder:expr) => {{
            let mut builder = $builder.with_url(url).with_retry(retry).with_http_connector(connector);
            for (name, value) in &options {
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

/// An endpoint with a bucket's name before its host's, if it is not there yet: where names of hosts say the bucket, the
/// crate expects them so.
fn hosted(endpoint: &str, bucket: &str) -> String {
    let bucket = bucket.rsplit('/').next().unwrap_or(bucket);
    let Ok(mut url) = Url::parse(endpoint) else { return endpoint.to_owned() };
    let host = match url.host() {
        Some(Host::Domain(name)) if !name.starts_with(&format!("{bucket}.")) => format!("{bucket}.{name}"),
        _ => return endpoint.to_owned(),
    };
    if url.set_host(Some(&host)).is_err() {
        return endpoint.to_owned();
    }
    url.as_str().trim_end_matches('/').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_in_names_of_hosts() {
        assert_eq!(hosted("https://oss.example.com", "s3://b"), "https://b.oss.example.com");
        assert_eq!(hosted("http://localhost:9000/", "s3a://b"), "http://b.localhost:9000");
        for same in ["https://b.oss.example.com", "http://127.0.0.1:9000", "nonsense"] {
            assert_eq!(hosted(same, "s3://b"), same);
        }
    }

    #[test]
    fn machines_that_are_asked_for_credentials() {
        let machine = |url: &str| of_machine(&Url::parse(url).unwrap());
        for url in [
            "http://169.254.169.254/latest/api/token",
            "http://127.0.0.1:9/latest/meta-data/iam/security-credentials/",
            "http://169.254.170.2/v2/credentials/x",
            "http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/default/token?audience=x",
            "http://169.254.169.254/metadata/identity/oauth2/token",
        ] {
            assert!(machine(url), "{url}");
        }
        for url in ["https://s3.eu-west-1.amazonaws.com/b/latest/api/token", "http://127.0.0.1:9/bucket/a"] {
            assert!(!machine(url), "{url}");
        }
    }

    #[test]
    fn a_bucket_in_another_region() {
        let access = Arc::new(
            Access::parse(r#"{"options": {"aws_region": "us-east-1", "aws_skip_signature": "true"}}"#).unwrap(),
        );
        let bucket = Bucket::new("s3", "s3://b", &access).unwrap();
        let first = Arc::clone(&lock(&bucket.store).0);
        let told = |region: &str| *lock(&bucket.said.region) = Some(region.to_owned());
        assert!(bucket.moved(&first).is_none(), "nobody said so");
        told("us-east-1");
        assert!(bucket.moved(&first).is_none(), "it is there");
        told("eu-west-1");
        let second = bucket.moved(&first).unwrap();
        assert!(!Arc::ptr_eq(&first, &second));
        assert!(Arc::ptr_eq(&second, &bucket.moved(&first).unwrap()), "a request that was made before");
        assert!(bucket.moved(&second).is_none());
    }
}
