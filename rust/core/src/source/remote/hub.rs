//! Where a file of the Hub is: `hf://datasets/org/name@revision/path`.

use std::path::{Path, PathBuf};

use url::Url;

use super::super::unescaped;
use super::access::Access;
use crate::error::{Error, Kind, Result};

/// A file of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HubFile {
    /// `datasets`, `models` or `spaces`.
    kind: String,
    /// `org/name`, or a bare name.
    repo: String,
    revision: String,
    path: String,
}

impl HubFile {
    /// Takes a location apart. The revision is percent-encoded, since it may have slashes.
    pub(crate) fn parse(location: &str) -> Result<Self> {
        let wrong = || Error::new(Kind::Value, "expected hf://datasets/org/name@revision/path").in_file(location);
        let rest = location.strip_prefix("hf://").ok_or_else(wrong)?;
        let (kind, rest) = rest
            .split_once('/')
            .filter(|(kind, _)| matches!(*kind, "datasets" | "models" | "spaces"))
            .ok_or_else(wrong)?;
        let (repo, after) = rest.split_once('@').ok_or_else(wrong)?;
        let (revision, path) = after.split_once('/').ok_or_else(wrong)?;
        // A backslash is a letter of a name there. Where it parts folders, such a file was never downloaded.
        let up = |part: &str| matches!(part, "" | "." | "..") || (cfg!(windows) && part.contains('\\'));
        let sound = |text: &str| !text.is_empty() && !text.split('/').any(up) && !text.contains('\0');
        let revision = unescaped(revision);
        if !sound(repo) || repo.split('/').count() > 2 || !sound(path) || !sound(&revision) {
            return Err(wrong());
        }
        Ok(Self { kind: kind.into(), repo: repo.into(), revision, path: path.into() })
    }

    /// Where it is in the folder of what was downloaded of the Hub, if it was.
    pub(crate) fn downloaded(&self, folder: &Path) -> PathBuf {
        let mut path = folder.join(format!("{}--{}", self.kind, self.repo.replace('/', "--")));
        path.extend(["snapshots", &self.revision]);
        path.extend(self.path.split('/'));
        path
    }

    /// Where it is asked for.
    pub(crate) fn url(&self, access: &Access) -> Result<Url> {
        let mut url = Url::parse(&access.hub.endpoint)
            .map_err(|e| Error::new(Kind::Value, format!("HF_ENDPOINT is not a URL: {e}")))?;
        if url.cannot_be_a_base() {
            return Err(Error::new(Kind::Value, "HF_ENDPOINT is not a URL of HTTP"));
        }
        let mut path = url.path().trim_end_matches('/').to_owned();
        let kind = (self.kind != "models").then_some(self.kind.as_str());
        for part in
            kind.into_iter().chain(self.repo.split('/')).chain(["resolve", &self.revision]).chain(self.path.split('/'))
        {
            path.push('/');
            path.push_str(&escaped(part));
        }
        url.set_path(&path);
        Ok(url)
    }
}

/// A part of a path as a URL has it. Control characters too, which the URL's own functions leave out.
fn escaped(part: &str) -> String {
    part.bytes().fold(String::with_capacity(part.len()), |mut made, byte| {
        if byte.is_ascii_alphanumeric() || b"!$&'()*+,-.:;=@_~[]|^".contains(&byte) {
            made.push(byte.into());
        } else {
            made.extend(['%', hex_digit(byte >> 4), hex_digit(byte & 15)]);
        }
        made
    })
}

fn hex_digit(digit: u8) -> char {
    char::from_digit(digit.into(), 16).unwrap_or('0').to_ascii_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_the_hub() {
        let access = Access::default();
        let url = |location: &str| HubFile::parse(location).and_then(|file| file.url(&access)).map(String::from);
        assert_eq!(
            url("hf://datasets/a/b@c0ffee/x y/z#1.parquet").unwrap(),
            "https://huggingface.co/datasets/a/b/resolve/c0ffee/x%20y/z%231.parquet"
        );
        assert_eq!(
            url("hf://datasets/a/b@refs%2Fconvert%2Fparquet/z").unwrap(),
            "https://huggingface.co/datasets/a/b/resolve/refs%2Fconvert%2Fparquet/z"
        );
        assert_eq!(
            url("hf://datasets/a/b@main/e\nf/a\\b/é").unwrap(),
            "https://huggingface.co/datasets/a/b/resolve/main/e%0Af/a%5Cb/%C3%A9"
        );
        assert_eq!(url("hf://models/a/b@main/z").unwrap(), "https://huggingface.co/a/b/resolve/main/z");
        for wrong in [
            "hf://datasets/a/b/z",
            "hf://datasets/a/b@c/../z",
            "hf://datasets/../b@c/z",
            "hf://other/a/b@c/z",
            "hf://datasets/a/b@..%2F..%2Fx/z",
            "hf://datasets/a/b/c@d/e",
        ] {
            assert!(url(wrong).is_err(), "{wrong}");
        }
    }
}
