//! Links of an archive: which member's bytes each stands for.

use std::borrow::Cow;
use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{Error, Result};
use crate::hash::hash;

/// Links that are followed one after another.
const DEEPEST: usize = 40;

/// What a name stands for.
#[derive(Debug, Clone, Copy)]
enum Named {
    /// A file: its content is `size` bytes from `at` on.
    File {
        at: u64,
        size: u64,
    },
    /// The link of this number.
    Link(usize),
    Folder,
}

/// What a link stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Target {
    /// `size` bytes from `at` of the archive on.
    File { at: u64, size: u64 },
    /// Nothing that the archive has; this is what it names.
    Gone { target: String },
    /// A folder, whose files have names of their own.
    Folder {},
}

struct Link {
    /// Where its header is, and what it is called.
    header: u64,
    name: String,
    target: String,
    /// What a hard link names: what had that name when it was written.
    before: Option<Named>,
    symbolic: bool,
    found: Option<Target>,
}

/// The names of an archive, and its links. Of several archives in one file each has names of its own first.
#[derive(Default)]
pub(super) struct Names {
    /// By a hash of the name, in this archive, and in those before it.
    here: HashMap<u64, Named>,
    all: HashMap<u64, Named>,
    /// Names that are not in these yet: few archives have links, which are who asks.
    new: Vec<(u64, Named)>,
    old: Vec<(u64, Named)>,
    /// The folder of the last name.
    folder: String,
    links: Vec<Link>,
    /// The first link of this archive.
    first: usize,
}

impl Names {
    /// A member that is a file, or a folder.
    pub(super) fn member(&mut self, name: &str, at: u64, size: u64) {
        let Some(path) = resolved("", name) else { return };
        let named = if name.ends_with('/') { Named::Folder } else { Named::File { at, size } };
        self.name(&path, named);
    }

    fn name(&mut self, path: &str, named: Named) {
        self.new.push((hash(path.as_bytes()), named));
        if path == self.folder {
            self.folder.clear();
        }
        // Every folder above it, unless the last name was in the same.
        let mut rest = path.rsplit_once('/').map_or("", |(above, _)| above);
        if rest == self.folder {
            return;
        }
        rest.clone_into(&mut self.folder);
        while !rest.is_empty() {
            self.new.push((hash(rest.as_bytes()), Named::Folder));
            rest = rest.rsplit_once('/').map_or("", |(above, _)| above);
        }
    }

    /// Has all names where they are found.
    fn gather(&mut self) {
        self.all.extend(self.old.drain(..));
        self.here.extend(self.new.drain(..));
    }

    /// A member that is a link. `header`: where it stands.
    pub(super) fn link(&mut self, header: u64, name: String, target: String, symbolic: bool) {
        self.gather();
        let before = if symbolic { None } else { resolved("", &target).and_then(|path| self.get(&path)) };
        if let Some(path) = resolved("", &name) {
            self.name(&path, Named::Link(self.links.len()));
        }
        self.links.push(Link { header, name, target, before, symbolic, found: None });
    }

    fn get(&self, path: &str) -> Option<Named> {
        let key = hash(path.as_bytes());
        self.here.get(&key).or_else(|| self.all.get(&key)).copied()
    }

    /// An archive ends; another may follow.
    pub(super) fn end(&mut self) {
        self.folder.clear();
        if self.links.is_empty() {
            self.old.append(&mut self.new);
            return;
        }
        self.gather();
        for i in self.first..self.links.len() {
            self.links[i].found = self.follow(i, 0);
        }
        self.first = self.links.len();
        self.all.extend(self.here.drain());
    }

    fn follow(&self, i: usize, depth: usize) -> Option<Target> {
        let link = &self.links[i];
        let named = if link.symbolic {
            let folder = link.name.rsplit_once('/').map_or("", |(folder, _)| folder);
            resolved(folder, &link.target)
                .and_then(|path| if path.is_empty() { Some(Named::Folder) } else { self.get(&path) })
        } else {
            link.before
        };
        match named? {
            Named::File { at, size } => Some(Target::File { at, size }),
            Named::Folder => Some(Target::Folder {}),
            Named::Link(next) if depth < DEEPEST => {
                self.links[next].found.clone().or_else(|| self.follow(next, depth + 1))
            }
            Named::Link(_) => None,
        }
    }

    /// All links, with what they stand for: `(header, name, target)`.
    pub(super) fn links(mut self) -> Vec<(u64, String, Target)> {
        self.end();
        for i in 0..self.links.len() {
            if self.links[i].found.is_none() {
                self.links[i].found = self.follow(i, 0);
            }
        }
        let target =
            |link: &mut Link| link.found.take().unwrap_or(Target::Gone { target: std::mem::take(&mut link.target) });
        self.links.iter_mut().map(|link| (link.header, std::mem::take(&mut link.name), target(link))).collect()
    }
}

/// Links by the place of their header, as a plan keeps them.
pub(super) fn noted(links: &[(u64, String, Target)]) -> Result<Option<Value>> {
    if links.is_empty() {
        return Ok(None);
    }
    let places: Vec<(u64, &Target)> = links.iter().map(|(header, _, target)| (*header, target)).collect();
    let places = serde_json::to_value(places).map_err(|e| Error::internal(e.to_string()))?;
    Ok(Some(serde_json::json!({ "links": places })))
}

/// What a plan keeps of links.
pub(super) fn read(note: Option<&Value>) -> Result<HashMap<u64, Target>> {
    let Some(places) = note.and_then(|note| note.get("links")) else { return Ok(HashMap::new()) };
    let places: Vec<(u64, Target)> =
        serde_json::from_value(places.clone()).map_err(|e| Error::data(format!("the plan's note of links: {e}")))?;
    Ok(places.into_iter().collect())
}

/// A path from a folder on, without `.` and `..`; none where it leads out of the archive.
pub(super) fn resolved<'a>(folder: &str, path: &'a str) -> Option<Cow<'a, str>> {
    if folder.is_empty() && path.split('/').all(|part| !matches!(part, "" | "." | "..")) {
        return Some(Cow::Borrowed(path));
    }
    if path.starts_with('/') && !folder.is_empty() {
        return None;
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in folder.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(Cow::Owned(parts.join("/")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_in_the_archive() {
        assert_eq!(resolved("a/b", "../c.txt").as_deref(), Some("a/c.txt"));
        assert_eq!(resolved("", "./a//b").as_deref(), Some("a/b"));
        assert_eq!(resolved("a", "../../b"), None);
        assert_eq!(resolved("a", "/etc/passwd"), None);
    }

    #[test]
    fn links_stand_for_what_they_name_wherever_it_is() {
        let mut names = Names::default();
        names.member("d/0.txt", 512, 3);
        names.link(1024, "d/1.txt".into(), "d/0.txt".into(), false);
        names.link(1536, "d/2.txt".into(), "late.txt".into(), true);
        names.link(2048, "3.txt".into(), "d/2.txt".into(), true);
        names.link(2560, "4.txt".into(), "gone".into(), true);
        names.link(3072, "5".into(), "d".into(), true);
        names.link(3584, "6.txt".into(), "6.txt".into(), true);
        names.member("d/late.txt", 4608, 9);
        let found: Vec<Target> = names.links().into_iter().map(|link| link.2).collect();
        let (first, late) = (Target::File { at: 512, size: 3 }, Target::File { at: 4608, size: 9 });
        let gone = |target: &str| Target::Gone { target: target.into() };
        assert_eq!(found, [first, late.clone(), late, gone("gone"), Target::Folder {}, gone("6.txt")]);
    }
}
