//! The dialect of the Hub: a repository is a folder, whose `.repo.json` may say `cardData`, `private`, `gated` and
//! `renamed`. Other revisions are folders of `.revisions`, by percent-encoded names. The token `hf_member` may see
//! everything.

use std::path::{Path, PathBuf};
use std::sync::PoisonError;

use serde_json::{Value, json};
use sha1::Sha1;
use sha2::{Digest, Sha256};

use super::Server;
use super::body::{Reply, below};
use super::request::{Request, decoded};

/// What ends the names of files that lie at another origin.
const LARGE: [&str; 10] = [".parquet", ".arrow", ".gz", ".zst", ".bz2", ".xz", ".tar", ".zip", ".bin", ".npy"];

fn hex(digest: &[u8]) -> String {
    digest.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

/// The hash of a file's content, remembered: SHA-256 of what lies at the other origin, and as git has it of others.
fn hash(server: &Server, path: &Path) -> Option<(u64, String)> {
    let metadata = std::fs::metadata(path).ok()?;
    let key = (path.to_owned(), metadata.len(), metadata.modified().ok()?);
    if let Some(known) = server.hashes.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
        return Some((metadata.len(), known.clone()));
    }
    let content = std::fs::read(path).ok()?;
    let made = if large(path.to_str()?) {
        hex(&Sha256::digest(content))
    } else {
        hex(&Sha1::new().chain_update(format!("blob {}\0", content.len())).chain_update(content).finalize())
    };
    server.hashes.lock().unwrap_or_else(PoisonError::into_inner).insert(key, made.clone());
    Some((metadata.len(), made))
}

fn walk(folder: &Path, at: &str, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let Ok(name) = entry.file_name().into_string() else { continue };
        if at.is_empty() && (name == ".repo.json" || name == ".revisions") {
            continue;
        }
        let path = format!("{at}{name}");
        if entry.path().is_dir() {
            walk(&entry.path(), &format!("{path}/"), found);
        } else {
            found.push(path);
        }
    }
}

fn large(path: &str) -> bool {
    LARGE.iter().any(|end| path.ends_with(end))
}

/// A commit: its files, and its name, which is that of their content.
struct Commit {
    folder: PathBuf,
    sha: String,
    files: Vec<(String, u64, String)>,
}

fn commit(server: &Server, repo: &Path, name: &str, revision: &str) -> Option<Commit> {
    let mut folders = vec![("main".to_owned(), repo.to_owned())];
    for entry in std::fs::read_dir(repo.join(".revisions")).into_iter().flatten().flatten() {
        folders.push((decoded(entry.file_name().to_str()?), entry.path()));
    }
    folders.into_iter().find_map(|(called, folder)| {
        let mut paths = Vec::new();
        walk(&folder, "", &mut paths);
        paths.sort();
        let files: Vec<_> = paths
            .into_iter()
            .filter_map(|path| hash(server, &folder.join(&path)).map(|(size, hash)| (path, size, hash)))
            .collect();
        let listing: String = files.iter().map(|(path, _, hash)| format!("{path} {hash}\n")).collect();
        let sha = hex(&Sha256::digest(format!("{name}\n{listing}")))[..40].to_owned();
        (called == revision || sha == revision).then_some(Commit { folder, sha, files })
    })
}

fn refused(status: u16, code: &str, message: &str) -> Reply {
    Reply::json(status, &json!({"error": message})).with("X-Error-Code", code).with("X-Error-Message", message)
}

/// Answers a request.
pub fn answer(server: &Server, root: &Path, request: &Request) -> Reply {
    let raw: Vec<&str> = request.raw.trim_start_matches('/').split('/').collect();
    let parts: Vec<String> = raw.iter().map(|part| decoded(part)).collect();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let (name, meta, revision, path) = match parts.as_slice() {
        ["api", "datasets", org, name, "revision", revision] => {
            (format!("{org}/{name}"), true, *revision, String::new())
        }
        ["api", "datasets", org, name, "tree", revision, path @ ..] => {
            (format!("{org}/{name}"), true, *revision, format!("tree/{}", path.join("/")))
        }
        ["datasets", org, name, "resolve", revision, path @ ..] => {
            (format!("{org}/{name}"), false, *revision, path.join("/"))
        }
        _ => return Reply::text(404, "there is no such page"),
    };
    let token = request.header("authorization").map(|value| value.trim_start_matches("Bearer "));
    if token.is_some_and(|token| !matches!(token, "hf_member" | "hf_stranger")) {
        return refused(401, "", "Invalid credentials in Authorization header");
    }
    let Some(folder) = below(root, &name).filter(|folder| folder.is_dir()) else {
        return refused(404, "RepoNotFound", "Repository not found");
    };
    let about: Value = std::fs::read(folder.join(".repo.json"))
        .ok()
        .and_then(|text| serde_json::from_slice(&text).ok())
        .unwrap_or(json!({}));
    if let Some(now) = about["renamed"].as_str() {
        let query = if meta { "?blobs=true" } else { "" };
        return Reply::text(307, "renamed").with("Location", &format!("{}{query}", request.raw.replace(&name, now)));
    }
    if about["private"] == true && token != Some("hf_member") {
        return refused(if token.is_some() { 404 } else { 401 }, "RepoNotFound", "Repository not found");
    }
    if about["gated"] == true && !meta && token != Some("hf_member") {
        return refused(
            if token.is_some() { 403 } else { 401 },
            "GatedRepo",
            &format!("Access to dataset {name} is restricted"),
        );
    }
    let Some(commit) = commit(server, &folder, &name, revision) else {
        return refused(404, "RevisionNotFound", &format!("Invalid rev id: {revision}"));
    };
    if let (true, Some(folder)) = (meta, path.strip_prefix("tree/")) {
        return tree(
            &commit,
            folder.trim_end_matches('/'),
            request.query.get("recursive").is_some_and(|told| told.eq_ignore_ascii_case("true")),
        );
    }
    if meta {
        let siblings = commit.files.iter().map(|(path, size, hash)| {
            if large(path) {
                json!({"rfilename": path, "size": size, "blobId": hash[..40],
                    "lfs": {"sha256": hash, "size": size, "pointerSize": 134}})
            } else {
                json!({"rfilename": path, "size": size, "blobId": hash[..40]})
            }
        });
        let card = about.get("cardData").cloned().unwrap_or(json!({}));
        return Reply::json(
            200,
            &json!({"id": name, "sha": commit.sha, "siblings": siblings.collect::<Vec<_>>(), "cardData": card}),
        );
    }
    let Some((_, size, hash)) = commit.files.iter().find(|(there, ..)| *there == path) else {
        return refused(404, "EntryNotFound", "Entry not found").with("X-Repo-Commit", &commit.sha);
    };
    let said = |reply: Reply, etag: &str| {
        reply
            .with("X-Repo-Commit", &commit.sha)
            .with("X-Linked-ETag", &format!("\"{etag}\""))
            .with("X-Linked-Size", &size.to_string())
    };
    if large(&path) {
        let place = commit.folder.join(&path);
        let relative = place.strip_prefix(root).map(|path| path.to_string_lossy().into_owned()).unwrap_or_default();
        let encoded: String = url::form_urlencoded::byte_serialize(relative.as_bytes()).collect();
        let to = format!(
            "{}/{}?Expires={}&Signature=canary-{}",
            server.cdn_url,
            encoded.replace("%2F", "/").replace('+', "%20"),
            server.until(),
            &hash[..8]
        );
        return said(Reply::text(302, "elsewhere").with("Location", &to), hash);
    }
    match Reply::file(commit.folder.join(&path)) {
        Ok(reply) => said(reply.with("ETag", &format!("\"{}\"", &hash[..40])), &hash[..40]),
        Err(_) => Reply::text(404, "gone"),
    }
}

/// The files below a folder, as the Hub's own client asks for them.
fn tree(commit: &Commit, folder: &str, recursive: bool) -> Reply {
    let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
    let mut entries: Vec<Value> = Vec::new();
    let mut folders = std::collections::BTreeSet::new();
    for (path, size, hash) in commit.files.iter().filter(|(path, ..)| path.starts_with(&prefix)) {
        let rest = &path[prefix.len()..];
        if let Some((first, _)) = rest.split_once('/') {
            folders.insert(format!("{prefix}{first}"));
            if !recursive {
                continue;
            }
        }
        let oid = &hash[..40];
        entries.push(if large(path) {
            json!({"type": "file", "oid": oid, "size": size, "path": path,
                "lfs": {"oid": hash, "size": size, "pointerSize": 134}})
        } else {
            json!({"type": "file", "oid": oid, "size": size, "path": path})
        });
    }
    if entries.is_empty() && folders.is_empty() {
        return refused(404, "EntryNotFound", "there is no such folder").with("X-Repo-Commit", &commit.sha);
    }
    entries.extend(
        folders.iter().map(|path| json!({"type": "directory", "oid": "0".repeat(40), "size": 0, "path": path})),
    );
    Reply::json(200, &Value::Array(entries))
}

/// Answers a request for what lies at the other origin.
pub fn signed(server: &Server, root: &Path, request: &Request) -> Reply {
    let until = request.query.get("Expires").and_then(|until| until.parse::<i64>().ok());
    if request.header("authorization").is_some()
        || !request.query.contains_key("Signature")
        || until.is_none_or(|until| until < server.now())
    {
        return Reply::xml(
            403,
            "<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>".into(),
        );
    }
    super::body::file(root, &request.path)
}
