//! Methods of texts and dicts.

use minijinja::value::{Kwargs, Tuple, Value, from_args};
use minijinja::{Error, State};

use super::text::{ascii, capitalize, is_space, lines, split, strip, title};
use super::values::{is_dict, items, list, pairs, unlike, view};

/// The text that an argument is.
pub(super) fn text_of(value: &Value) -> Result<&str, Error> {
    value.as_str().ok_or_else(|| unlike("an argument that is no text"))
}

/// The text that an argument is, if it is not `None`.
pub(super) fn text_or_none(value: Option<&Value>) -> Result<Option<&str>, Error> {
    value.filter(|value| !value.is_none()).map(text_of).transpose()
}

/// What a method gives.
pub(super) fn call(_: &mut State<'_, '_>, value: &Value, name: &str, args: &[Value]) -> Result<Value, Error> {
    if let Some(text) = value.as_str() {
        return of_text(text, name, args);
    }
    if is_dict(value) {
        return of_dict(value, name, args);
    }
    Err(unlike(format_args!("the method {name} of {}", value.kind())))
}

fn texts(parts: Vec<&str>) -> Value {
    list(parts.into_iter().map(Value::from).collect())
}

fn of_text(text: &str, name: &str, args: &[Value]) -> Result<Value, Error> {
    let all = |test: fn(u8) -> bool| -> Result<Value, Error> {
        let () = from_args(args)?;
        let text = ascii(text)?;
        Ok(Value::from(!text.is_empty() && text.bytes().all(test)))
    };
    Ok(match name {
        "strip" | "lstrip" | "rstrip" => {
            let (chars,): (Option<&Value>,) = from_args(args)?;
            Value::from(strip(text, text_or_none(chars)?, name != "rstrip", name != "lstrip"))
        }
        "split" | "rsplit" => {
            let (by, most, named): (Option<&Value>, Option<i64>, Kwargs) = from_args(args)?;
            let most_named: Option<i64> = named.get("maxsplit")?;
            named.assert_all_used()?;
            let most = most.or(most_named).unwrap_or(-1);
            texts(split(text, text_or_none(by)?, most, name == "rsplit")?)
        }
        "splitlines" => {
            let (keep_ends,): (Option<bool>,) = from_args(args)?;
            texts(lines(text, keep_ends.unwrap_or(false)))
        }
        "startswith" | "endswith" => {
            let (of,): (&Value,) = from_args(args)?;
            let test = |of: &Value| -> Result<bool, Error> {
                let of = text_of(of)?;
                Ok(if name == "startswith" { text.starts_with(of) } else { text.ends_with(of) })
            };
            if of.is_tuple() {
                let found: Vec<bool> = of.try_iter()?.map(|one| test(&one)).collect::<Result<_, _>>()?;
                Value::from(found.contains(&true))
            } else {
                Value::from(test(of)?)
            }
        }
        "replace" => {
            let (old, new, most): (&Value, &Value, Option<i64>) = from_args(args)?;
            let (old, new) = (text_of(old)?, text_of(new)?);
            Value::from(match most.map(usize::try_from) {
                Some(Ok(most)) => text.replacen(old, new, most),
                _ => text.replace(old, new),
            })
        }
        "upper" | "lower" | "title" | "capitalize" => {
            let () = from_args(args)?;
            let text = ascii(text)?;
            Value::from(match name {
                "upper" => text.to_ascii_uppercase(),
                "lower" => text.to_ascii_lowercase(),
                "title" => title(text),
                _ => capitalize(text),
            })
        }
        "isdigit" | "isnumeric" | "isdecimal" => all(|b| b.is_ascii_digit())?,
        "isalpha" => all(|b| b.is_ascii_alphabetic())?,
        "isalnum" => all(|b| b.is_ascii_alphanumeric())?,
        "isspace" => {
            let () = from_args(args)?;
            Value::from(!text.is_empty() && text.chars().all(is_space))
        }
        "find" | "rfind" => {
            let (of,): (&Value,) = from_args(args)?;
            let of = text_of(of)?;
            let at = if name == "find" { text.find(of) } else { text.rfind(of) };
            Value::from(at.map_or(-1, |at| text[..at].chars().count() as i64))
        }
        "count" => {
            let (of,): (&Value,) = from_args(args)?;
            let of = text_of(of)?;
            Value::from(if of.is_empty() { text.chars().count() + 1 } else { text.matches(of).count() })
        }
        "join" => {
            let (of,): (&Value,) = from_args(args)?;
            let parts = items(of)?;
            Value::from(parts.iter().map(text_of).collect::<Result<Vec<_>, _>>()?.join(text))
        }
        "removeprefix" | "removesuffix" => {
            let (of,): (&Value,) = from_args(args)?;
            let of = text_of(of)?;
            let rest = if name == "removeprefix" { text.strip_prefix(of) } else { text.strip_suffix(of) };
            Value::from(rest.unwrap_or(text))
        }
        _ => return Err(unlike(format_args!("the method {name} of a text"))),
    })
}

fn of_dict(dict: &Value, name: &str, args: &[Value]) -> Result<Value, Error> {
    if name != "get" {
        let () = from_args(args)?;
    }
    let fields = pairs(dict)?;
    Ok(match name {
        "items" => view(fields.into_iter().map(|(key, value)| Value::from(Tuple::from([key, value]))).collect()),
        "keys" => view(fields.into_iter().map(|(key, _)| key).collect()),
        "values" => view(fields.into_iter().map(|(_, value)| value).collect()),
        "get" => {
            let (key, default): (&Value, Option<Value>) = from_args(args)?;
            let found = fields.into_iter().find(|(there, _)| there == key);
            found.map_or_else(|| default.unwrap_or_else(|| Value::from(())), |(_, value)| value)
        }
        _ => return Err(unlike(format_args!("the method {name} of a dict"))),
    })
}
