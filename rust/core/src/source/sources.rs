//! All places that objects are in, by the scheme of their names.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use super::local::LocalStore;
use super::memory::{self, SCHEME};
use super::remote::access::{Access, Disk};
use super::remote::cache::Cache;
use super::remote::client::document;
use super::remote::cloud::{self, Cloud, Listed};
use super::remote::http::{self, Http};
use super::remote::hub::HubFile;
use super::remote::opened::OpenObjects;
use super::remote::{Caches, Remote, Service};
use super::{Hint, Known, Object, Reading, Store};
use crate::activity::{FILES, OPENED, count};
use crate::engine::Engine;
use crate::error::{Error, Kind, Result};
use crate::urls::{is_of_store, shown};

/// Local files, held bytes, HTTP, object stores and the Hub, with what is needed to ask them.
#[derive(Clone, Default)]
pub struct Sources {
    access: Arc<Access>,
    /// What tells these settings from others.
    id: u64,
    caches: Caches,
    /// What is known of compressed files.
    points: Option<Arc<Cache>>,
    /// Whoever opens what none of these is.
    others: Option<Arc<dyn Store>>,
}

/// What the beginnings and ends of files may take on disk.
const HEADS: u64 = 256 << 20;

/// What the points of compressed files may take on disk.
const POINTS: u64 = 1 << 30;

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Sources").field(&self.access).finish()
    }
}

impl Sources {
    /// Sources with the settings in a JSON text.
    pub fn new(json: &str, others: Option<Arc<dyn Store>>) -> Result<Self> {
        let access = Access::parse(json)?;
        let heads = access.heads.clone().map(|folder| Disk { folder, limit: Some(HEADS) });
        let of = |disk: &Disk, simple| Arc::new(Cache::new(disk, simple));
        let caches = Caches {
            ranges: access.cache.as_ref().map(|disk| of(disk, false)),
            heads: heads.as_ref().map(|disk| of(disk, true)),
        };
        let points = access.points.clone().map(|folder| of(&Disk { folder, limit: Some(POINTS) }, true));
        Ok(Self { access: Arc::new(access), id: crate::hash::hash(json.as_bytes()), caches, points, others })
    }

    /// The objects of an object store whose keys begin with a folder's.
    pub async fn list(&self, folder: &str) -> Result<Vec<Listed>> {
        cloud::list(Engine::current()?, &self.access, self.id, folder).await
    }

    /// Writes an object of an object store, whole or not at all.
    pub async fn write(&self, location: &str, parts: impl Iterator<Item = std::io::Result<Bytes>>) -> Result<()> {
        if !is_of_store(location) {
            return Err(Error::new(Kind::Unsupported, "only files and objects of s3://, gs:// and az:// are written")
                .in_file(&shown(location)));
        }
        cloud::write(Engine::current()?, &self.access, self.id, location, parts).await
    }

    /// Gets a small document by HTTP.
    pub async fn document(&self, url: &str) -> Result<Vec<u8>> {
        document(Engine::current()?, &self.access, &http::parse(url)?).await
    }

    /// How an object far away is asked for; none where it is not.
    fn service(
        &self,
        engine: &'static Engine,
        location: &str,
        known: Option<&Known>,
    ) -> Result<Option<Box<dyn Service>>> {
        let access = || Arc::clone(&self.access);
        Ok(match location.split_once("://").map(|(scheme, _)| scheme) {
            Some("http" | "https") => Some(Box::new(Http::new(access(), http::parse(location)?))),
            Some("hf") => {
                let content =
                    known.and_then(|known| known.version.as_deref()?.split_once(':')).map(|(_, hash)| hash.to_owned());
                Some(Box::new(Http::immutable(access(), HubFile::parse(location)?.url(&self.access)?, content)))
            }
            Some(_) if is_of_store(location) => Some(Box::new(Cloud::new(engine, &self.access, self.id, location)?)),
            _ => None,
        })
    }

    /// A file of the Hub that another library, or we, downloaded: it is shared.
    fn downloaded(&self, location: &str, known: &Known) -> Option<Arc<dyn Object>> {
        let path = HubFile::parse(location).ok()?.downloaded(self.access.downloads.as_ref()?);
        let file = std::fs::File::open(&path).ok()?;
        // A part of a file is not the file.
        if file.metadata().ok()?.len() != known.size {
            return None;
        }
        let object = super::local::opened(file, path.to_str()?).ok()?;
        Some(Arc::new(Versioned { object, version: known.version.clone() }))
    }

    async fn opened(&self, location: &str, hint: Hint, known: Option<&Known>) -> Result<Arc<dyn Object>> {
        let engine = Engine::current()?;
        if let Some(known) = known
            && let Some(object) = self.downloaded(location, known)
        {
            return Ok(object);
        }
        if let Some(known) = known
            && let Some(object) = engine.open::<OpenObjects>().find(self.id, location, known)
        {
            return Ok(Arc::new(object));
        }
        if let Some(service) = self.service(engine, location, known)? {
            let remote = match known {
                Some(known) => Remote::known(engine, location, service, known, &self.caches),
                None => match Remote::open(engine, location, service, hint, &self.caches).await? {
                    Ok(remote) => remote,
                    Err(spooled) => return Ok(spooled),
                },
            };
            engine.open::<OpenObjects>().keep(self.id, &remote);
            return Ok(Arc::new(remote));
        }
        if location.starts_with(SCHEME) && !location.contains("://") {
            return memory::open(location);
        }
        match (location.split_once("://"), &self.others) {
            (Some(("file", path)), _) => LocalStore.open(path, hint, known).await,
            (Some((scheme, _)), Some(others))
                if !scheme.is_empty() && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.:".contains(c)) =>
            {
                others.open(location, hint, known).await
            }
            _ => LocalStore.open(location, hint, known).await,
        }
    }
}

impl Store for Sources {
    fn open<'a>(&'a self, location: &'a str, hint: Hint, known: Option<&'a Known>) -> Reading<'a, Arc<dyn Object>> {
        Box::pin(async move {
            let object = self.opened(location, hint, known).await.map_err(|e| e.in_file(&shown(location)))?;
            count(&OPENED, 1);
            log::debug!(target: FILES, "opened {} ({} bytes)", shown(location), object.size());
            Ok(object)
        })
    }

    fn keeps(&self) -> bool {
        self.caches.ranges.is_some()
    }

    fn points(&self) -> Option<&Arc<Cache>> {
        self.points.as_ref()
    }
}

/// An object whose version is known from elsewhere.
struct Versioned {
    object: Arc<dyn Object>,
    version: Option<String>,
}

impl Object for Versioned {
    fn size(&self) -> u64 {
        self.object.size()
    }

    fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }

    fn read_now(&self, ranges: &[Range<u64>]) -> Result<Option<Vec<Bytes>>> {
        self.object.read_now(ranges)
    }

    fn read<'a>(&'a self, ranges: &'a [Range<u64>]) -> Reading<'a, Vec<Bytes>> {
        self.object.read(ranges)
    }
}
