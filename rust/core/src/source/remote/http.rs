//! Objects that are asked for by HTTP: of any server, and of the Hub.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex};

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use url::Url;

use super::access::Access;
use super::client::{Again, Answered, Ask, Failure, ask, body_of};
use super::{Answer, Service, Wanted, encoding, lock};
use crate::engine::Engine;
use crate::error::{Error, Kind, Result};
use crate::urls::shown;

/// An object of an HTTP server.
pub(crate) struct Http {
    access: Arc<Access>,
    url: Url,
    /// Where redirects led the last time: it is asked first, until it refuses.
    there: Mutex<Option<Url>>,
    /// Of an object whose name stands for its content: what its hash is.
    content: Option<String>,
    immutable: bool,
    /// Whether it is known where redirects lead; until then one request alone finds out.
    asked: AtomicBool,
    asking: tokio::sync::Mutex<()>,
    /// How often in a row redirects led to a server that refused.
    refused: AtomicU8,
    /// Whether all of it is asked for: the server has other ranges than those of the object, or none.
    whole: AtomicBool,
}

/// How often another URL is asked for, where the one that a redirect led to is refused.
const OTHERS: u8 = 2;

impl Http {
    pub(crate) fn new(access: Arc<Access>, url: Url) -> Self {
        Self {
            access,
            url,
            there: Mutex::default(),
            content: None,
            immutable: false,
            asked: AtomicBool::new(false),
            asking: tokio::sync::Mutex::default(),
            refused: AtomicU8::new(0),
            whole: AtomicBool::new(false),
        }
    }

    /// An object whose URL stands for its content. `content`: its hash, as the Hub lists it.
    pub(crate) fn immutable(access: Arc<Access>, url: Url, content: Option<String>) -> Self {
        Self { content, immutable: true, ..Self::new(access, url) }
    }

    async fn once(&self, engine: &'static Engine, wanted: &Wanted, pin: Option<&str>) -> Result<Answer, Failure> {
        if self.immutable && self.access.offline {
            return Err(Error::new(Kind::Io, "HF_HUB_OFFLINE is set, and these bytes are in no cache: unset it, or run `rowstream download` while online").into());
        }
        let mut headers = HeaderMap::new();
        let range = match wanted {
            Wanted::Range(range) => format!("bytes={}-{}", range.start, range.end.max(range.start + 1) - 1),
            Wanted::Last(n) => format!("bytes=-{n}"),
        };
        let text = |text: &str| HeaderValue::try_from(text).map_err(|_| Error::internal("a header"));
        let whole = self.whole.load(Ordering::Relaxed);
        if !whole {
            headers.insert(header::RANGE, text(&range)?);
        }
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let alone = if self.asked.load(Ordering::Acquire) { None } else { Some(self.asking.lock().await) };
        let alone = alone.filter(|_| !self.asked.load(Ordering::Acquire));
        let before = lock(&self.there).clone();
        // What other servers call a version is theirs.
        if let Some(pin) = pin.filter(|pin| pin.starts_with('"') && (!self.immutable || before.is_some())) {
            headers.insert(header::IF_MATCH, text(pin)?);
        }
        let url = before.clone().unwrap_or_else(|| self.url.clone());
        let asked = Ask { url, headers, access: &self.access };
        let answered = match ask(engine, asked).await {
            Err(failure) if failure.empty => return Ok(Self::empty()),
            Err(failure) => return Err(self.refused(failure, before.is_some())),
            Ok(answered) => answered,
        };
        let Answered { response, url, linked } = answered;
        let moved = self.immutable && before.is_none();
        if before.is_none() && url != self.url {
            *lock(&self.there) = Some(url);
        }
        self.asked.store(true, Ordering::Release);
        self.refused.store(0, Ordering::Relaxed);
        drop(alone);
        if let Some(content) = &self.content
            && let Some(said) = linked.get("x-linked-etag").and_then(|etag| etag.to_str().ok())
            && said.trim_matches('"') != content
        {
            return Err(Error::new(Kind::SourceChanged, "the Hub has other content there than it listed").into());
        }
        Ok(Answer { moved, ..answer(response, wanted)? })
    }

    /// What becomes of a failure. `known`: whether it was asked where redirects led before.
    fn refused(&self, failure: Failure, known: bool) -> Failure {
        let Failure { mut error, mut again, by, .. } = failure;
        let elsewhere = by.clone().filter(|by| **by != self.url.origin());
        // A signed URL that is not good, or no longer: the first one knows another. What others redirect to may just
        // not be there.
        let signed = error.kind == Kind::Permission || (error.kind == Kind::NotFound && (known || self.immutable));
        if signed && (known || elsewhere.is_some()) {
            *lock(&self.there) = None;
            self.asked.store(false, Ordering::Release);
            if known || self.refused.fetch_add(1, Ordering::Relaxed) < OTHERS {
                again = Again::Soon;
            }
        }
        if let Some(by) = elsewhere {
            error = error.then(&format!("that was {}", by.ascii_serialization()));
        } else if error.message().starts_with("the server said 401") && self.access.sends_token_to(&self.url) {
            error = error
                .at("the token is not valid, or no longer: log in with `hf auth login`, or pass another as token=");
        }
        Failure { error, again, by, empty: false }
    }

    /// A range of nothing: the object is empty.
    fn empty() -> Answer {
        Answer {
            range: 0..0,
            total: Some(0),
            version: None,
            ranged: true,
            moved: false,
            body: futures_util::stream::empty().boxed(),
        }
    }
}

/// What a response says of the bytes that it brings.
fn answer(response: reqwest::Response, wanted: &Wanted) -> Result<Answer, Failure> {
    let said = |name: header::HeaderName| response.headers().get(name).and_then(|value| value.to_str().ok());
    let codings = encoding::of(response.headers())?;
    let version = said(header::ETAG)
        .map(ToOwned::to_owned)
        .or_else(|| said(header::LAST_MODIFIED).map(|at| format!("written {at}")));
    let length = response.content_length();
    let ranged = response.status() == StatusCode::PARTIAL_CONTENT;
    let (range, total) = if ranged && !codings.is_empty() {
        // A part of what it was compressed to; and no part of that is one of the object.
        return Err(Failure::new(
            Error::new(Kind::Io, "the server gives a part of what it compressed, though all was asked for"),
            Again::Whole,
        ));
    } else if !codings.is_empty() {
        // How long it is, only its end says.
        (0..u64::MAX, None)
    } else if ranged {
        let text = said(header::CONTENT_RANGE).unwrap_or("");
        let Some((range, total)) = content_range(text) else {
            return Err(Failure::soon(format!(
                "the server gives a part and does not say which: Content-Range is {text:?}"
            )));
        };
        let wrong = match wanted {
            Wanted::Range(wanted) => range.start != wanted.start || range.end > wanted.end,
            Wanted::Last(n) => range.end - range.start > *n,
        };
        if wrong || length.is_some_and(|length| length != range.end - range.start) {
            return Err(Failure::soon(format!("asked for {wanted:?}, the server gave {text:?} of {length:?} bytes")));
        }
        // The last bytes end where the object does.
        let total = total.or_else(|| matches!(wanted, Wanted::Last(_)).then_some(range.end));
        (range, total)
    } else {
        (0..length.unwrap_or(u64::MAX), length)
    };
    let body = encoding::undone(body_of(response), &codings)?;
    Ok(Answer { range, total, version, ranged, moved: false, body })
}

/// `bytes 0-9/100`, or `/*`.
fn content_range(text: &str) -> Option<(Range<u64>, Option<u64>)> {
    let (range, total) = text.trim().strip_prefix("bytes")?.trim().split_once('/')?;
    let (first, last) = range.trim().split_once('-')?;
    let (first, last): (u64, u64) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    let total = if total.trim() == "*" { None } else { Some(total.trim().parse().ok()?) };
    (first <= last && total.is_none_or(|total| last < total)).then(|| (first..last + 1, total))
}

impl Service for Http {
    fn ask<'a>(
        &'a self,
        engine: &'static Engine,
        wanted: Wanted,
        pin: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Answer, Failure>> {
        Box::pin(async move {
            let whole = self.whole.load(Ordering::Relaxed);
            match self.once(engine, &wanted, pin).await {
                // The object may be there all the same, and as it was.
                Err(failure) if failure.again == Again::Whole && !whole => {
                    self.whole.store(true, Ordering::Relaxed);
                    self.once(engine, &wanted, pin).await
                }
                answer => answer,
            }
        })
    }

    fn access(&self) -> &Access {
        &self.access
    }

    fn immutable(&self) -> bool {
        self.immutable
    }
}

/// A URL of HTTP, checked.
pub(crate) fn parse(location: &str) -> Result<Url> {
    let url = Url::parse(location)
        .map_err(|e| Error::new(Kind::Value, format!("it is not a URL: {e}")).in_file(&shown(location)))?;
    if url.host().is_none() {
        return Err(Error::new(Kind::Value, "it has no host").in_file(&shown(location)));
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_ranges() {
        assert_eq!(content_range("bytes 0-9/100"), Some((0..10, Some(100))));
        assert_eq!(content_range("bytes 5-5/*"), Some((5..6, None)));
        for wrong in ["", "bytes */100", "bytes 9-0/100", "bytes 0-100/100", "0-9/100", "bytes 0-9", "bytes x-9/100"] {
            assert_eq!(content_range(wrong), None, "{wrong}");
        }
    }
}
