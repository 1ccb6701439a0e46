//! Values as texts: `str` of Python, and `json.dumps`.

use std::fmt::{self, Write};

use minijinja::Error;
use minijinja::value::{Value, ValueKind};

use super::values::{DEEP, as_view, float, is_dict, pairs, repr, unlike};

/// `str` of a value, as `{{ value }}` has it.
pub(super) fn str_into(value: &Value, out: &mut dyn Write) -> fmt::Result {
    match value.kind() {
        ValueKind::Undefined => Ok(()),
        ValueKind::String => out.write_str(value.as_str().unwrap_or_default()),
        _ => repr(value, out, 0),
    }
}

/// `str` of a value.
pub(super) fn str_of(value: &Value) -> Result<String, Error> {
    let mut text = String::new();
    str_into(value, &mut text).map_err(|_| unlike("this value as a text"))?;
    Ok(text)
}

/// How `json.dumps` writes.
pub(super) struct Json {
    pub(super) ascii: bool,
    pub(super) indent: Option<String>,
    pub(super) between: String,
    pub(super) colon: String,
    pub(super) sorted: bool,
}

impl Json {
    fn line(&self, out: &mut String, level: usize) {
        if let Some(indent) = &self.indent {
            out.push('\n');
            (0..level).for_each(|_| out.push_str(indent));
        }
    }

    fn text(&self, text: &str, out: &mut String) {
        out.push('"');
        for c in text.chars() {
            match c {
                '"' => out.push_str("\\\""),
                '\\' => out.push_str("\\\\"),
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                '\x08' => out.push_str("\\b"),
                '\x0c' => out.push_str("\\f"),
                c if (c as u32) < 0x20 || (self.ascii && c > '~') => {
                    for unit in c.encode_utf16(&mut [0; 2]) {
                        // A text takes whatever is written.
                        let _ = write!(out, "\\u{unit:04x}");
                    }
                }
                c => out.push(c),
            }
        }
        out.push('"');
    }

    fn key(key: &Value) -> Result<String, Error> {
        Ok(match key.kind() {
            ValueKind::String => key.as_str().unwrap_or_default().to_owned(),
            ValueKind::None => "null".to_owned(),
            ValueKind::Bool => if key.is_true() { "true" } else { "false" }.to_owned(),
            ValueKind::Number if key.is_integer() => key.to_string(),
            _ => return Err(unlike("such a key of JSON")),
        })
    }

    /// Writes a value.
    pub(super) fn dump(&self, value: &Value, out: &mut String, level: usize) -> Result<(), Error> {
        if level > DEEP || as_view(value).is_some() {
            return Err(unlike("JSON of such a value"));
        }
        match value.kind() {
            ValueKind::None => out.push_str("null"),
            ValueKind::Bool => out.push_str(if value.is_true() { "true" } else { "false" }),
            ValueKind::String => self.text(value.as_str().unwrap_or_default(), out),
            ValueKind::Number if value.is_integer() => out.push_str(&value.to_string()),
            ValueKind::Number => {
                let number = f64::try_from(value.clone())?;
                out.push_str(&match (number.is_nan(), number.is_infinite()) {
                    (true, _) => "NaN".to_owned(),
                    (_, true) => if number > 0.0 { "Infinity" } else { "-Infinity" }.to_owned(),
                    _ => float(number),
                });
            }
            ValueKind::Map if is_dict(value) => {
                let mut fields = pairs(value)?;
                if self.sorted {
                    if fields.iter().any(|(key, _)| key.as_str().is_none()) {
                        return Err(unlike("sorted keys that are no texts"));
                    }
                    fields.sort_by(|(a, _), (b, _)| a.as_str().cmp(&b.as_str()));
                }
                if fields.is_empty() {
                    out.push_str("{}");
                    return Ok(());
                }
                out.push('{');
                for (i, (key, value)) in fields.iter().enumerate() {
                    out.push_str(if i > 0 { &self.between } else { "" });
                    self.line(out, level + 1);
                    self.text(&Self::key(key)?, out);
                    out.push_str(&self.colon);
                    self.dump(value, out, level + 1)?;
                }
                self.line(out, level);
                out.push('}');
            }
            ValueKind::Seq | ValueKind::Iterable if value.len().is_some() => {
                if value.len() == Some(0) {
                    out.push_str("[]");
                    return Ok(());
                }
                out.push('[');
                for (i, item) in value.try_iter()?.enumerate() {
                    out.push_str(if i > 0 { &self.between } else { "" });
                    self.line(out, level + 1);
                    self.dump(&item, out, level + 1)?;
                }
                self.line(out, level);
                out.push(']');
            }
            kind => return Err(unlike(format_args!("JSON of {kind}"))),
        }
        Ok(())
    }
}
