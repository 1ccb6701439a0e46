//! Who asks, and how patiently: credentials and settings of remote sources. Never part of a plan, never shown.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use url::Url;

use crate::error::{Error, Kind, Result};

/// How long to wait, and how often to try.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Patience {
    /// Seconds without a byte after which a request is given up and asked again.
    pub timeout: f64,
    /// Requests in a row that may fail without having brought a byte.
    pub retries: u32,
    /// Seconds without a byte after which an error is raised, however many tries are left.
    pub deadline: f64,
}

impl Default for Patience {
    fn default() -> Self {
        let set = |name: &str| std::env::var(name).ok()?.trim().parse().ok().filter(|n: &f64| n.is_finite());
        let read = |name: &str, default: f64| set(name).filter(|n| *n > 0.0).unwrap_or(default);
        Self {
            timeout: read("ROWSTREAM_TIMEOUT", 20.0),
            // None at all is a number, too.
            retries: set("ROWSTREAM_RETRIES").filter(|n| *n >= 0.0).unwrap_or(6.0) as u32,
            deadline: read("ROWSTREAM_DEADLINE", 120.0),
        }
    }
}

impl Patience {
    /// The time without a byte after which a request is given up.
    pub(crate) fn stall(&self) -> Duration {
        Duration::from_secs_f64(self.timeout.clamp(0.01, 86400.0))
    }

    /// The time without a byte after which all is given up.
    pub(crate) fn most(&self) -> Duration {
        Duration::from_secs_f64(self.deadline.clamp(0.01, 864_000.0))
    }
}

/// The Hub, as it is asked.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hub {
    /// Where it is: `https://huggingface.co`.
    pub endpoint: String,
    /// What is sent to it, and to nobody else.
    #[serde(default)]
    pub token: Option<String>,
}

impl Default for Hub {
    fn default() -> Self {
        Self { endpoint: "https://huggingface.co".into(), token: None }
    }
}

/// A disk cache for what is read.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Disk {
    /// Its folder.
    pub folder: PathBuf,
    /// The bytes that it may hold; all there are if absent.
    #[serde(default)]
    pub limit: Option<u64>,
}

/// Credentials and settings of remote sources.
#[derive(Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Access {
    /// The Hub.
    pub hub: Hub,
    /// Whether the Hub is not asked for anything: what is there has to do.
    pub offline: bool,
    /// Headers of requests to an origin (`https://host:port`), such as `Authorization`: sent to that origin alone.
    pub headers: BTreeMap<String, BTreeMap<String, String>>,
    /// Options of object stores, by the names that `object_store` has for them.
    pub options: BTreeMap<String, String>,
    /// How long to wait, and how often to try.
    pub patience: Patience,
    /// The disk cache of streams, if there is to be one.
    pub cache: Option<Disk>,
    /// Where the beginnings and ends of files are kept that tell what they are.
    pub heads: Option<PathBuf>,
    /// Where it is kept from which places compressed files can be read.
    pub points: Option<PathBuf>,
    /// Where other libraries keep the files of the Hub that they downloaded.
    pub downloads: Option<PathBuf>,
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access")
            .field("hub", &self.hub.endpoint)
            .field("patience", &self.patience)
            .field("cache", &self.cache)
            .finish_non_exhaustive()
    }
}

impl Access {
    /// Reads it from JSON. An error does not quote the text: it has secrets.
    pub fn parse(json: &str) -> Result<Self> {
        let access: Self = serde_json::from_str(json).map_err(|e| {
            Error::new(
                Kind::Value,
                format!("settings of remote sources: line {}, column {} is not as expected", e.line(), e.column()),
            )
        })?;
        Url::parse(&access.hub.endpoint)
            .map_err(|e| Error::new(Kind::Value, format!("HF_ENDPOINT is not a URL: {e}")))?;
        Ok(access)
    }

    /// Whether a token of the Hub goes to a URL.
    pub(crate) fn sends_token_to(&self, url: &Url) -> bool {
        self.hub.token.is_some() && Url::parse(&self.hub.endpoint).is_ok_and(|hub| hub.origin() == url.origin())
    }

    /// The headers that go to a URL: those of its own origin, and no other's.
    pub(crate) fn headers_for(&self, url: &Url) -> Vec<(String, String)> {
        let origin = url.origin();
        let same = |other: &str| Url::parse(other).is_ok_and(|other| other.origin() == origin);
        let token = self
            .hub
            .token
            .iter()
            .filter(|_| same(&self.hub.endpoint))
            .map(|token| ("authorization".to_owned(), format!("Bearer {token}")));
        // What a caller named stands last, and is what is sent.
        let named = self.headers.iter().filter(|(at, _)| same(at)).flat_map(|(_, headers)| headers.clone());
        token.chain(named).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_go_to_their_own_origin_only() {
        let access = Access::parse(
            r#"{"hub": {"endpoint": "https://hub.example", "token": "canary"},
                    "headers": {"https://other.example": {"x-key": "canary"}}}"#,
        )
        .unwrap();
        let to = |url: &str| access.headers_for(&Url::parse(url).unwrap()).len();
        assert_eq!(to("https://hub.example/datasets/a"), 1);
        assert_eq!(to("https://other.example/"), 1);
        for other in [
            "http://hub.example/",
            "https://hub.example:444/",
            "https://hub.example.evil/",
            "https://evil/https://hub.example/",
        ] {
            assert_eq!(to(other), 0, "{other}");
        }
        assert!(!format!("{access:?}").contains("canary"));
        assert!(!Access::parse(r#"{"hub": "canary"}"#).unwrap_err().to_string().contains("canary"));
    }
}
