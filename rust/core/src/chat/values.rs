//! Values of templates as Python has them: dicts, lists and what iterates, and their `repr`.

use std::cell::Cell;
use std::fmt::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use indexmap::IndexMap;
use minijinja::value::{Enumerator, Object, ObjectRepr, Value, ValueKind};
use minijinja::{Error, ErrorKind};

/// What the core does not do as Jinja2 does: the row is rendered by that.
pub(super) fn unlike(what: impl fmt::Display) -> Error {
    Error::new(ErrorKind::InvalidOperation, format!("not rendered by the core: {what}"))
}

thread_local! {
    /// Whether something was printed that the core does not print as Python does.
    static REFUSED: Cell<bool> = const { Cell::new(false) };
}

/// Notes that a text is not to be used: where a value is joined to one by `~`, an error is a panic.
fn refuse() {
    REFUSED.with(|refused| refused.set(true));
}

/// Whether something was noted since this was last asked.
pub(super) fn was_refused() -> bool {
    REFUSED.with(|refused| refused.replace(false))
}

/// The attributes of a dict that are methods, whatever its keys.
const METHODS: &[&str] =
    &["clear", "copy", "fromkeys", "get", "items", "keys", "pop", "popitem", "setdefault", "update", "values"];

/// The name before that of a key, in `x.__item_items` for `x['items']`.
pub(super) const ITEM: &str = "__item_";

/// Whether a name is one of a dict's methods.
pub(super) fn is_method(name: &str) -> bool {
    METHODS.contains(&name)
}

/// A method that is not called: defined and true, and nothing else.
#[derive(Debug)]
struct Method;

impl Object for Method {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn is_true(self: &Arc<Self>) -> bool {
        true
    }

    fn render(self: &Arc<Self>, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        refuse();
        Ok(())
    }
}

/// A dict with a few keys, which are texts.
#[derive(Debug)]
pub(super) struct Dict(pub(super) Vec<(Value, Value)>);

impl Dict {
    fn get(&self, key: &str) -> Option<Value> {
        self.0.iter().find(|(there, _)| there.as_str() == Some(key)).map(|(_, value)| value.clone())
    }
}

impl Object for Dict {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Map
    }

    // Of `x.name`: a method before a key. `x['name']` and `name in x` ask `get_value`.
    fn get_value_by_str(self: &Arc<Self>, name: &str) -> Option<Value> {
        if is_method(name) {
            return Some(Value::from_object(Method));
        }
        match name.strip_prefix(ITEM) {
            Some(key) => Some(self.get(key).unwrap_or_else(|| Value::from_object(Method))),
            None => self.get(name),
        }
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get(key.as_str()?)
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.0.iter().map(|(key, _)| key.clone()).collect())
    }

    fn enumerator_len(self: &Arc<Self>) -> Option<usize> {
        Some(self.0.len())
    }

    fn render(self: &Arc<Self>, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        repr(&Value::from_dyn_object(Arc::clone(self)), out, 0).or_else(|_| {
            refuse();
            Ok(())
        })
    }
}

#[derive(Debug)]
struct List(Vec<Value>);

impl Object for List {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let at = key.as_i64()?;
        let at = if at < 0 { at + self.0.len() as i64 } else { at };
        self.0.get(usize::try_from(at).ok()?).cloned()
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Seq(self.0.len())
    }

    fn render(self: &Arc<Self>, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        repr(&Value::from_dyn_object(Arc::clone(self)), out, 0).or_else(|_| {
            refuse();
            Ok(())
        })
    }
}

/// What has a length and iterates, but is no list: the views of a dict, and a range, which is a sequence.
#[derive(Debug)]
pub(super) struct View {
    values: Vec<Value>,
    pub(super) range: bool,
}

impl Object for View {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Iterable
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Iter(Box::new(self.values.clone().into_iter()))
    }

    fn enumerator_len(self: &Arc<Self>) -> Option<usize> {
        Some(self.values.len())
    }

    fn render(self: &Arc<Self>, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        refuse();
        Ok(())
    }
}

/// A generator: true, without a length, and read once.
#[derive(Debug)]
struct Generator {
    values: Vec<Value>,
    read: AtomicBool,
}

impl Object for Generator {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Iterable
    }

    fn is_true(self: &Arc<Self>) -> bool {
        true
    }

    fn enumerator_len(self: &Arc<Self>) -> Option<usize> {
        None
    }

    fn render(self: &Arc<Self>, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        refuse();
        Ok(())
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        if self.read.swap(true, Ordering::Relaxed) {
            return Enumerator::Iter(Box::new(std::iter::empty()));
        }
        // Its size is not to be known.
        Enumerator::Iter(Box::new(self.values.clone().into_iter().filter(|_| true)))
    }
}

pub(super) fn list(values: Vec<Value>) -> Value {
    Value::from_object(List(values))
}

pub(super) fn view(values: Vec<Value>) -> Value {
    Value::from_object(View { values, range: false })
}

pub(super) fn range(values: Vec<Value>) -> Value {
    Value::from_object(View { values, range: true })
}

pub(super) fn generator(values: Vec<Value>) -> Value {
    Value::from_object(Generator { values, read: AtomicBool::new(false) })
}

/// The view that a value is.
pub(super) fn as_view(value: &Value) -> Option<&View> {
    value.downcast_object_ref::<View>()
}

/// Whether a value is a dict: namespaces, loops and arguments are maps too.
pub(super) fn is_dict(value: &Value) -> bool {
    value.downcast_object_ref::<Dict>().is_some() || value.downcast_object_ref::<IndexMap<Value, Value>>().is_some()
}

/// The keys and values of a dict.
pub(super) fn pairs(dict: &Value) -> Result<Vec<(Value, Value)>, Error> {
    dict.try_iter()?.map(|key| Ok((key.clone(), dict.get_item(&key)?))).collect()
}

/// What a value iterates over.
pub(super) fn items(value: &Value) -> Result<Vec<Value>, Error> {
    match value.kind() {
        ValueKind::Undefined => Ok(Vec::new()),
        ValueKind::None => Err(unlike("None as what is iterated")),
        _ => Ok(value.try_iter()?.collect()),
    }
}

/// Values within values, which Python would print too.
pub(super) const DEEP: usize = 100;

/// `repr` of a float.
pub(super) fn float(value: f64) -> String {
    if value.is_nan() {
        return "nan".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let shortest = format!("{value:e}");
    let (digits, exponent) = shortest.split_once('e').unwrap_or((&shortest, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if (-4..16).contains(&exponent) {
        let plain = format!("{value}");
        return if plain.contains('.') { plain } else { plain + ".0" };
    }
    format!("{digits}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs())
}

/// `repr` of a text. What is not ASCII may be printable or not, by the version of Unicode.
fn quoted(text: &str, out: &mut dyn Write) -> fmt::Result {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    out.write_char(quote)?;
    for c in text.chars() {
        match c {
            '\\' => out.write_str("\\\\")?,
            '\n' => out.write_str("\\n")?,
            '\r' => out.write_str("\\r")?,
            '\t' => out.write_str("\\t")?,
            c if c == quote => {
                out.write_char('\\')?;
                out.write_char(c)?;
            }
            ' '..='~' => out.write_char(c)?,
            c if c.is_ascii() => write!(out, "\\x{:02x}", c as u32)?,
            _ => return Err(fmt::Error),
        }
    }
    out.write_char(quote)
}

/// `repr` of a value.
pub(super) fn repr(value: &Value, out: &mut dyn Write, depth: usize) -> fmt::Result {
    if depth > DEEP || as_view(value).is_some() {
        return Err(fmt::Error);
    }
    match value.kind() {
        ValueKind::Undefined if depth > 0 => out.write_str("Undefined"),
        ValueKind::String => quoted(value.as_str().unwrap_or_default(), out),
        ValueKind::Number if !value.is_integer() => {
            out.write_str(&float(f64::try_from(value.clone()).map_err(|_| fmt::Error)?))
        }
        ValueKind::Number | ValueKind::Bool | ValueKind::None => write!(out, "{value}"),
        ValueKind::Map if is_dict(value) => {
            out.write_char('{')?;
            for (i, (key, value)) in pairs(value).map_err(|_| fmt::Error)?.iter().enumerate() {
                out.write_str(if i > 0 { ", " } else { "" })?;
                repr(key, out, depth + 1)?;
                out.write_str(": ")?;
                repr(value, out, depth + 1)?;
            }
            out.write_char('}')
        }
        ValueKind::Seq | ValueKind::Iterable if value.len().is_some() || value.is_tuple() => {
            let tuple = value.is_tuple();
            out.write_char(if tuple { '(' } else { '[' })?;
            let mut number = 0;
            for item in value.try_iter().map_err(|_| fmt::Error)? {
                out.write_str(if number > 0 { ", " } else { "" })?;
                repr(&item, out, depth + 1)?;
                number += 1;
            }
            out.write_str(match (tuple, number) {
                (true, 1) => ",)",
                (true, _) => ")",
                (false, _) => "]",
            })
        }
        // A namespace, a macro, a generator or a method.
        _ => Err(fmt::Error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_those_of_python() {
        for (value, text) in [
            (1.0, "1.0"),
            (-0.0, "-0.0"),
            (1e16, "1e+16"),
            (1e15, "1000000000000000.0"),
            (1e-5, "1e-05"),
            (0.0001, "0.0001"),
            (1.5e300, "1.5e+300"),
            (0.1, "0.1"),
        ] {
            assert_eq!(float(value), text);
        }
    }

    #[test]
    fn texts_are_quoted_as_in_python() {
        let of = |text: &str| {
            let mut out = String::new();
            quoted(text, &mut out).map(|()| out)
        };
        assert_eq!(of("it's\n").unwrap(), "\"it's\\n\"");
        assert_eq!(of("'\"\x00").unwrap(), "'\\'\"\\x00'");
        assert!(of("é").is_err());
    }
}
