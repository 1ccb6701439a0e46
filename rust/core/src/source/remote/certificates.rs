//! Certificates that are trusted beside those of the platform: the files that other clients' variables name.

use std::env;
use std::ffi::OsString;
use std::fmt::Display;
use std::fs;
use std::path::{Path, PathBuf};

use reqwest::Certificate;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::error::{Error, Kind, Result};

/// The variables of botocore, requests and curl. Each names a file, or a folder of files. (`SSL_CERT_FILE` and
/// `SSL_CERT_DIR` stand for the platform's own.)
const VARIABLES: [&str; 3] = ["AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"];

/// The certificates that the environment names.
pub(super) fn named() -> Result<Vec<Certificate>> {
    of(VARIABLES.iter().filter_map(|name| Some((*name, env::var_os(name).filter(|place| !place.is_empty())?))))
}

fn of(places: impl Iterator<Item = (&'static str, OsString)>) -> Result<Vec<Certificate>> {
    let mut made = Vec::new();
    for (name, place) in places {
        let place = PathBuf::from(place);
        let wrong = |what: &dyn Display| {
            Error::new(Kind::Value, format!("{name} names {}, and that has no certificates: {what}", place.display()))
        };
        let before = made.len();
        for file in files(&place).map_err(|e| wrong(&e))? {
            let text = fs::read(&file).map_err(|e| wrong(&e))?;
            for found in CertificateDer::pem_slice_iter(&text) {
                let found = found.map_err(|e| wrong(&e))?;
                // As of the platform's, those of an old kind are passed over.
                if RootCertStore::empty().add(found.clone()).is_ok() {
                    made.push(Certificate::from_der(&found).map_err(|e| wrong(&e))?);
                }
            }
        }
        if made.len() == before {
            return Err(wrong(&"there is none in it"));
        }
    }
    Ok(made)
}

/// A file; or the files of a folder.
fn files(place: &Path) -> std::io::Result<Vec<PathBuf>> {
    if !place.is_dir() {
        return Ok(vec![place.to_owned()]);
    }
    let mut found: Vec<PathBuf> =
        fs::read_dir(place)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?;
    found.retain(|path| path.is_file());
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_certificates_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("some.pem"), "nothing").unwrap();
        for place in [folder.path().to_owned(), folder.path().join("some.pem"), folder.path().join("none.pem")] {
            let told = of([("CURL_CA_BUNDLE", place.clone().into_os_string())].into_iter()).unwrap_err().to_string();
            assert!(told.contains("CURL_CA_BUNDLE") && told.contains(&*place.to_string_lossy()), "{told}");
        }
        assert!(of(std::iter::empty()).unwrap().is_empty());
    }
}
