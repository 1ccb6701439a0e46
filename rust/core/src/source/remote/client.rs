//! HTTP: one request, with redirects, patience and credentials that stay at their origin; and the loop that asks again.

use std::net::IpAddr;
use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime};

use futures_util::StreamExt;
use http::{HeaderMap, Method, StatusCode, header};
use reqwest::{Request, Response};
use tokio::time::{sleep, timeout};
use url::{Host, Origin, Url};

use super::access::{Access, Patience};
use super::{Body, certificates, encoding, next};
use crate::activity::{HTTP, REQUESTS, RETRIES, count};
use crate::engine::Engine;
use crate::error::{Error, Kind, Result};
use crate::urls::{scrubbed, shown};

/// Redirects of one request.
const MOST_REDIRECTS: usize = 10;

/// The first wait before a request is made again, and the longest.
const WAITS: std::ops::Range<Duration> = Duration::from_millis(100)..Duration::from_secs(20);

/// The longest wait that a server may ask for.
const MOST_ASKED: Duration = Duration::from_secs(300);

/// What failed, and whether to ask again.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) error: Error,
    pub(crate) again: Again,
    /// There is no such range because there is nothing at all.
    pub(crate) empty: bool,
    /// The server that refused.
    pub(crate) by: Option<Box<Origin>>,
}

/// Whether to ask again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Again {
    Never,
    /// Not for this range, but for all of it.
    Whole,
    Soon,
    /// Not before this time is over.
    After(Duration),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::new(error, Again::Never)
    }
}

impl Failure {
    pub(crate) fn new(error: Error, again: Again) -> Self {
        Self { error, again, empty: false, by: None }
    }

    pub(crate) fn soon(message: impl Into<String>) -> Self {
        Self::new(Error::new(Kind::Io, message), Again::Soon)
    }

    /// What a failed request or body says, without secrets.
    pub(crate) fn of(error: &reqwest::Error) -> Self {
        let mut text = if error.is_connect() { "no connection".to_owned() } else { "the connection broke".to_owned() };
        let mut source = std::error::Error::source(error);
        while let Some(cause) = source {
            let more = scrubbed(&cause.to_string());
            if !text.contains(&more) {
                text = format!("{text}: {more}");
            }
            source = cause.source();
        }
        let again = if error.is_builder() || error.is_redirect() { Again::Never } else { Again::Soon };
        Self::new(Error::new(Kind::Io, text), again)
    }
}

/// Counts the tries since something new last came.
pub(crate) struct Tries<'a> {
    patience: &'a Patience,
    failed: u32,
    since: Instant,
    furthest: u64,
}

impl<'a> Tries<'a> {
    pub(crate) fn new(patience: &'a Patience) -> Self {
        Self { patience, failed: 0, since: Instant::now(), furthest: 0 }
    }

    /// Bytes came, up to a place. Where that is further than ever, whatever failed before is forgotten; what came
    /// before only shows that the server is alive.
    pub(crate) fn came(&mut self, upto: u64) {
        if upto > self.furthest {
            (self.failed, self.furthest) = (0, upto);
        }
        self.since = Instant::now();
    }

    /// Waits before the next try, or gives up.
    pub(crate) async fn again(&mut self, failure: Failure) -> Result<()> {
        let Failure { error, again, .. } = failure;
        self.failed += 1;
        // Between a half and all of a time that doubles, so that many clients do not come back together.
        let doubled = WAITS.start.saturating_mul(1 << self.failed.min(16)).min(WAITS.end);
        let noise =
            crate::rng::Rng::keyed(&[self.since.elapsed().as_nanos() as u64, u64::from(std::process::id())]).next_u64();
        let jittered = doubled / 2 + Duration::from_nanos(noise % (doubled.as_nanos() as u64 / 2).max(1));
        let wait = match again {
            Again::Never | Again::Whole => return Err(error),
            Again::Soon => jittered,
            Again::After(least) => least + jittered / 4,
        };
        let tried = self.since.elapsed();
        if self.failed > self.patience.retries || tried + wait > self.patience.most() {
            let said = format!(
                "gave up after {} tries in {:.0} s without a byte (ROWSTREAM_RETRIES, ROWSTREAM_TIMEOUT, \
                 ROWSTREAM_DEADLINE)",
                self.failed,
                tried.as_secs_f64()
            );
            return Err(error.then(&said));
        }
        count(&RETRIES, 1);
        log::debug!(target: HTTP, "again in {:.1} s, after try {}: {error}", wait.as_secs_f64(), self.failed);
        sleep(wait).await;
        Ok(())
    }
}

/// The HTTP client of an engine, made when it is first needed.
#[derive(Default)]
pub(crate) struct Client(OnceLock<reqwest::Client>);

impl Client {
    pub(crate) fn get(&self) -> Result<&reqwest::Client> {
        if let Some(client) = self.0.get() {
            return Ok(client);
        }
        let made = client()?;
        Ok(self.0.get_or_init(|| made))
    }
}

fn client() -> Result<reqwest::Client> {
    // It is there already where another part of the process made it so.
    drop(rustls::crypto::ring::default_provider().install_default());
    reqwest::Client::builder()
        .user_agent(concat!("rowstream/", env!("CARGO_PKG_VERSION")))
        .http1_only()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .connect_timeout(Duration::from_secs(15))
        .pool_max_idle_per_host(64)
        .pool_idle_timeout(Duration::from_secs(30))
        .tcp_nodelay(true)
        .tls_certs_merge(certificates::named()?)
        .build()
        .map_err(|e| Error::internal(format!("no HTTP client: {}", scrubbed(&e.to_string()))))
}

/// One request that is to be made.
pub(crate) struct Ask<'a> {
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) access: &'a Access,
}

/// What came of it.
pub(crate) struct Answered {
    pub(crate) response: Response,
    /// Where it came from at last.
    pub(crate) url: Url,
    /// What the first redirect's headers, or those of the answer, said of the object.
    pub(crate) linked: HeaderMap,
}

/// Whether a host is of this machine or its own network.
fn private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_loopback() || ip.is_private() || ip.is_link_local() || ip.is_unspecified(),
        IpAddr::V6(ip) => {
            ip.is_loopback()
                || ip.is_unspecified()
                || ip.is_unique_local()
                || ip.is_unicast_link_local()
                || ip.to_ipv4_mapped().is_some_and(|ip| private(ip.into()))
        }
    }
}

/// Whether a URL leads into this machine or its own network.
async fn inward(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => private(ip.into()),
        Some(Host::Ipv6(ip)) => private(ip.into()),
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.').to_ascii_lowercase();
            if name == "localhost" || [".localhost", ".local", ".internal"].iter().any(|end| name.ends_with(end)) {
                return true;
            }
            // Behind a proxy there may be no names to look up; then the proxy decides.
            tokio::net::lookup_host((name, url.port_or_known_default().unwrap_or(443)))
                .await
                .is_ok_and(|mut all| all.any(|at| private(at.ip())))
        }
        None => true,
    }
}

/// Makes one request. A status that is no success is a failure that says whether to ask again.
pub(crate) async fn ask(engine: &'static Engine, ask: Ask<'_>) -> Result<Answered, Failure> {
    let Ask { mut url, headers, access } = ask;
    let client = engine.open::<Client>().get()?;
    let mut linked: Option<HeaderMap> = None;
    for _ in 0..=MOST_REDIRECTS {
        let mut request = Request::new(Method::GET, url.clone());
        *request.headers_mut() = headers.clone();
        for (name, value) in access.headers_for(&url) {
            let bad = || {
                Error::new(
                    Kind::Value,
                    format!(
                        "the header {name:?} for {} is not one that HTTP can send",
                        url.origin().ascii_serialization()
                    ),
                )
            };
            let (name, mut value) = (
                header::HeaderName::try_from(&*name).map_err(|_| bad())?,
                header::HeaderValue::try_from(value).map_err(|_| bad())?,
            );
            value.set_sensitive(true);
            request.headers_mut().insert(name, value);
        }
        let (asked, wanted) = (Instant::now(), request.headers().get(header::RANGE).cloned());
        count(&REQUESTS, 1);
        let response = match timeout(access.patience.stall(), client.execute(request)).await {
            Ok(Ok(response)) => {
                log::debug!(
                    target: HTTP,
                    "GET {} {}: {} in {:.0} ms",
                    shown(url.as_str()),
                    wanted.as_ref().and_then(|range| range.to_str().ok()).unwrap_or("whole"),
                    response.status().as_u16(),
                    asked.elapsed().as_secs_f64() * 1e3
                );
                response
            }
            Ok(Err(e)) => return Err(Failure::of(&e)),
            Err(_) => return Err(Failure::soon(format!("no answer in {} s", access.patience.timeout))),
        };
        let status = response.status();
        let linked = linked.get_or_insert_with(|| response.headers().clone());
        if !status.is_redirection() || status == StatusCode::NOT_MODIFIED {
            if status.is_success() {
                return Ok(Answered { url, linked: std::mem::take(linked), response });
            }
            return Err(refused(response, &url).await);
        }
        let to =
            response.headers().get(header::LOCATION).and_then(|to| to.to_str().ok()).and_then(|to| url.join(to).ok());
        let Some(to) = to else {
            return Err(Error::new(Kind::Io, format!("a redirect ({status}) without a place to go")).into());
        };
        if !matches!(to.scheme(), "http" | "https") || (url.scheme() == "https" && to.scheme() == "http") {
            return Err(Error::new(
                Kind::Permission,
                format!("a redirect leads from {} to {}: it is not followed", url.scheme(), shown(to.as_str())),
            )
            .into());
        }
        if to.host() != url.host() && inward(&to).await && !inward(&url).await {
            return Err(Error::new(
                Kind::Permission,
                format!(
                    "a redirect leads from a public host into a private network, to {}: it is not followed",
                    shown(to.as_str())
                ),
            )
            .into());
        }
        url = to;
    }
    Err(Error::new(Kind::Io, format!("more than {MOST_REDIRECTS} redirects")).into())
}

/// The failure that a status means. Whoever asked says of what: the URL may be one that redirects led to.
pub(crate) async fn refused(response: Response, url: &Url) -> Failure {
    let (status, headers) = (response.status(), response.headers().clone());
    let said = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let mut text = format!("the server said {} {}", status.as_u16(), status.canonical_reason().unwrap_or(""));
    let told = |name: &str| said(name).filter(|text| !text.trim().is_empty());
    let why = match (told("x-error-code"), told("x-error-message")) {
        (Some(code), Some(message)) => Some(format!("{code}: {message}")),
        (code, message) => code.or(message).map(ToOwned::to_owned),
    };
    if let Some(why) = why {
        text = format!("{text} ({})", scrubbed(&why));
    } else if status != StatusCode::NOT_FOUND
        && said("content-encoding").is_none()
        && let Ok(Ok(body)) = timeout(Duration::from_secs(5), short(response)).await
    {
        text = format!("{text} ({})", scrubbed(&body));
    }
    let (kind, hint) = match status.as_u16() {
        404 | 410 => (Kind::NotFound, ""),
        401 | 403 => (Kind::Permission, "; check the token or the credentials, and whether access was granted"),
        412 => (Kind::SourceChanged, "; it is not the version that the data set was made from: load it again"),
        _ => (Kind::Io, ""),
    };
    let error = Error::new(kind, format!("{text}{hint}"));
    let again = match status.as_u16() {
        416 => Again::Whole,
        408 | 425 | 429 | 500 | 502 | 503 | 504 | 509 | 520..=527 => {
            retry_after(&headers).map_or(Again::Soon, |least| Again::After(least.min(MOST_ASKED)))
        }
        _ => Again::Never,
    };
    let empty = status == StatusCode::RANGE_NOT_SATISFIABLE
        && headers.get(header::CONTENT_RANGE).is_some_and(|range| range.as_bytes() == b"bytes */0");
    Failure { empty, by: Some(Box::new(url.origin())), ..Failure::new(error, again) }
}

/// The first bytes of a short text that a server sent with an error.
async fn short(mut response: Response) -> Result<String, reqwest::Error> {
    let mut text = Vec::new();
    while text.len() < 300
        && let Some(more) = response.chunk().await?
    {
        text.extend_from_slice(&more);
    }
    text.truncate(300);
    let text = String::from_utf8_lossy(&text);
    Ok(text.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// How long a server asks to wait: seconds, or a date; or when the window of its rate limit ends.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let said = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(text) = said("retry-after") {
        return match text.trim().parse::<f64>() {
            Ok(seconds) => Duration::try_from_secs_f64(seconds.max(0.0)).ok(),
            Err(_) => {
                httpdate::parse_http_date(text).ok().map(|at| at.duration_since(SystemTime::now()).unwrap_or_default())
            }
        };
    }
    // As the Hub says it: "api";r=0;t=12
    let limit = said("ratelimit")?;
    let part = |key: &str| limit.split(';').find_map(|part| part.trim().strip_prefix(key)?.parse::<u64>().ok());
    part("r=").filter(|left| *left == 0).and(part("t=")).map(Duration::from_secs)
}

/// What a response brings, as it comes.
pub(crate) fn body_of(response: Response) -> Body {
    response.bytes_stream().map(|bytes| bytes.map_err(|e| Failure::of(&e))).boxed()
}

/// Gets a whole small document, such as a listing.
pub(crate) async fn document(engine: &'static Engine, access: &Access, url: &Url) -> Result<Vec<u8>> {
    let mut tries = Tries::new(&access.patience);
    loop {
        let once = async {
            let wanted = Ask { url: url.clone(), headers: HeaderMap::new(), access };
            let Answered { response, .. } = ask(engine, wanted).await?;
            let codings = encoding::of(response.headers())?;
            let length = response.content_length().filter(|_| codings.is_empty());
            let mut body = encoding::undone(body_of(response), &codings)?;
            let mut made = Vec::new();
            while let Some(more) = next(&mut body, access).await? {
                made.extend_from_slice(&more);
                if made.len() as u64 > MOST_DOCUMENT {
                    return Err(Error::new(Kind::Data, format!("a document of more than {MOST_DOCUMENT} bytes")).into());
                }
            }
            if length.is_some_and(|length| length != made.len() as u64) {
                return Err(Failure::soon("the answer was cut"));
            }
            Ok::<_, Failure>(made)
        };
        match once.await {
            Ok(answer) => return Ok(answer),
            Err(failure) => tries.again(failure).await.map_err(|e| e.in_file(&shown(url.as_str())))?,
        }
    }
}

/// The longest listing or card that is read.
const MOST_DOCUMENT: u64 = 256 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_that_servers_ask_for() {
        let of = |name: &'static str, value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().unwrap());
            retry_after(&headers)
        };
        assert_eq!(of("retry-after", "7"), Some(Duration::from_secs(7)));
        assert_eq!(of("retry-after", "Sat, 01 Jan 2000 00:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!(of("retry-after", "soon"), None);
        assert_eq!(of("ratelimit", "\"api\";r=0;t=12"), Some(Duration::from_secs(12)));
        assert_eq!(of("ratelimit", "\"api\";r=10;t=12"), None);
    }

    #[test]
    fn only_what_is_new_is_progress() {
        let patience = Patience::default();
        let mut tries = Tries::new(&patience);
        for (upto, failed) in [(10, 0), (20, 0), (20, 3), (5, 3), (21, 0)] {
            tries.failed = 3;
            tries.came(upto);
            assert_eq!(tries.failed, failed, "{upto}");
        }
    }

    #[test]
    fn networks_that_are_not_public() {
        for inside in [
            "127.0.0.1",
            "10.1.2.3",
            "192.168.0.1",
            "172.16.0.9",
            "169.254.169.254",
            "0.0.0.0",
            "::1",
            "fe80::1",
            "fd00::2",
            "::ffff:10.0.0.1",
        ] {
            assert!(private(inside.parse().unwrap()), "{inside}");
        }
        for outside in ["8.8.8.8", "172.32.0.1", "2606:4700::1111"] {
            assert!(!private(outside.parse().unwrap()), "{outside}");
        }
    }
}
