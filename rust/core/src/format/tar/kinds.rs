//! What becomes of a member, by the last part of its name.

use arrow_schema::{DataType, Field, Fields};

/// Members of JSON.
pub(super) fn is_json(field: &str) -> bool {
    ends(field, &["json", "jsn"])
}

/// Members of text.
pub(super) fn is_text(field: &str) -> bool {
    ends(field, &["txt", "text", "transcript"])
}

/// Members that are whole numbers, as text.
pub(super) fn is_number(field: &str) -> bool {
    ends(field, &["cls", "cls2", "id", "index", "inx"])
}

/// Members that are files of media, which keep the name that says what they are.
pub(super) fn is_media(field: &str) -> bool {
    ends(field, IMAGES) || ends(field, OTHER_MEDIA)
}

const IMAGES: &[&str] = &[
    "apng", "avif", "bmp", "bw", "cur", "dds", "dib", "gif", "icns", "ico", "j2c", "j2k", "jfif", "jp2", "jpc", "jpe",
    "jpeg", "jpf", "jpg", "jpx", "pbm", "pcx", "pgm", "png", "pnm", "ppm", "psd", "ras", "sgi", "tga", "tif", "tiff",
    "webp", "xbm", "xpm",
];

const OTHER_MEDIA: &[&str] = &[
    "aif", "aiff", "au", "avi", "caf", "flac", "glb", "m4a", "m4v", "mkv", "mov", "mp3", "mp4", "mpeg", "mpg", "ogg",
    "opus", "ply", "stl", "voc", "w64", "wav", "webm", "wma",
];

/// The type of a file of media: its bytes, and a path that ends as its name does.
pub(super) fn media() -> DataType {
    let part = |name, data_type| Field::new(name, data_type, true);
    DataType::Struct(Fields::from(vec![part("bytes", DataType::Binary), part("path", DataType::Utf8)]))
}

/// Whether a type is that of media.
pub(super) fn has_media(data_type: &DataType) -> bool {
    let DataType::Struct(fields) = data_type else { return false };
    fields.len() == 2 && fields.iter().all(|field| matches!(field.name().as_str(), "bytes" | "path"))
}

fn ends(field: &str, endings: &[&str]) -> bool {
    let last = field.rsplit('.').next().unwrap_or(field);
    endings.iter().any(|ending| last.eq_ignore_ascii_case(ending))
}
