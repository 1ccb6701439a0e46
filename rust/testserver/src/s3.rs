//! The dialect of S3, path style: objects are files, keys are paths. Signatures are not checked.

use std::path::Path;

use super::body::{Reply, below, file};
use super::request::Request;

/// Keys of a page of a listing.
const PAGE: usize = 100;

/// Answers a request.
pub fn answer(root: &Path, request: &Request) -> Reply {
    let (bucket, key) =
        request.path.trim_start_matches('/').split_once('/').unwrap_or((request.path.trim_start_matches('/'), ""));
    let Some(folder) = below(root, bucket).filter(|folder| folder.is_dir()) else { return missing("NoSuchBucket") };
    match request.method.as_str() {
        "GET" if key.is_empty() => list(&folder, bucket, request),
        "GET" | "HEAD" => {
            let reply = file(&folder, key);
            if reply.status == 404 {
                missing("NoSuchKey")
            } else {
                reply.with("Last-Modified", "Sat, 01 Jun 2024 12:00:00 GMT")
            }
        }
        "PUT" => {
            let Some(path) = below(&folder, key) else { return missing("InvalidKey") };
            let written = path
                .parent()
                .map_or(Ok(()), std::fs::create_dir_all)
                .and_then(|()| std::fs::write(&path, &request.body));
            match written.and_then(|()| Reply::file(path)) {
                Ok(_) => Reply::text(200, "").with("ETag", "\"written\""),
                Err(e) => Reply::text(500, &e.to_string()),
            }
        }
        _ => Reply::text(405, "not here"),
    }
}

fn missing(code: &str) -> Reply {
    Reply::xml(
        404,
        format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>it is not there</Message></Error>"),
    )
}

/// The files below a folder, by path.
fn walk(folder: &Path, at: &str, found: &mut Vec<(String, u64)>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let (Ok(name), Ok(metadata)) = (entry.file_name().into_string(), entry.metadata()) else { continue };
        let path = format!("{at}{name}");
        if metadata.is_dir() {
            walk(&entry.path(), &format!("{path}/"), found);
        } else {
            found.push((path, metadata.len()));
        }
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn list(folder: &Path, bucket: &str, request: &Request) -> Reply {
    let asked = |name: &str| request.query.get(name).map_or("", String::as_str);
    let (prefix, after) = (asked("prefix"), asked("continuation-token"));
    let mut found = Vec::new();
    walk(folder, "", &mut found);
    found.sort();
    found.retain(|(key, _)| key.starts_with(prefix) && key.as_str() > after);
    let more = found.len() > PAGE;
    found.truncate(PAGE);
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><ListBucketResult \
         xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>{bucket}</Name><Prefix>{}</Prefix>\
          <KeyCount>{}</KeyCount><MaxKeys>{PAGE}</MaxKeys><IsTruncated>{more}</IsTruncated>",
        escaped(prefix),
        found.len()
    );
    if let (true, Some((last, _))) = (more, found.last()) {
        text += &format!("<NextContinuationToken>{}</NextContinuationToken>", escaped(last));
    }
    for (key, size) in &found {
        let etag = below(folder, key)
            .and_then(|path| Reply::file(path).ok())
            .and_then(|reply| reply.version())
            .unwrap_or_default();
        text += &format!(
            "<Contents><Key>{}</Key><LastModified>2024-06-01T12:00:00.000Z</LastModified>\
             <ETag>{}</ETag><Size>{size}</Size><StorageClass>STANDARD</StorageClass></Contents>",
            escaped(key),
            etag.replace('"', "&quot;")
        );
    }
    text.push_str("</ListBucketResult>");
    Reply::xml(200, text)
}
