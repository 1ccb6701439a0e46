//! Filters, tests and functions of templates, as Jinja2 has them.

use minijinja::value::{Kwargs, Rest, Tuple, Value, ValueKind};
use minijinja::{Environment, Error, State, tests};

use super::methods::{text_of, text_or_none};
use super::print::{Json, str_of};
use super::text::{ascii, capitalize, lines, strip, title_of_words};
use super::values::{as_view, generator, is_dict, items, list, pairs, range, unlike};

/// What the sandbox of Jinja2 lets a range have.
const RANGE: i64 = 100_000;

fn to_json(value: &Value, args: Rest<Value>, named: Kwargs) -> Result<Value, Error> {
    let argument = |at: usize, name: &str| -> Result<Option<Value>, Error> {
        let found = match args.get(at) {
            Some(value) => Some(value.clone()),
            None => named.get(name)?,
        };
        Ok(found)
    };
    let ascii = argument(0, "ensure_ascii")?.is_some_and(|value| value.is_true());
    let indent = match argument(1, "indent")?.filter(|value| !value.is_none()) {
        None => None,
        Some(value) if value.is_integer() => {
            Some(" ".repeat(value.as_i64().and_then(|n| usize::try_from(n).ok()).unwrap_or_default().min(64)))
        }
        Some(value) => Some(text_of(&value)?.to_owned()),
    };
    let (between, colon) = match argument(2, "separators")?.filter(|value| !value.is_none()) {
        None => (if indent.is_some() { "," } else { ", " }.to_owned(), ": ".to_owned()),
        Some(value) => match items(&value)?.as_slice() {
            [between, colon] => (text_of(between)?.to_owned(), text_of(colon)?.to_owned()),
            _ => return Err(unlike("such separators")),
        },
    };
    let sorted = argument(3, "sort_keys")?.is_some_and(|value| value.is_true());
    named.assert_all_used()?;
    let mut text = String::new();
    Json { ascii, indent, between, colon, sorted }.dump(value, &mut text, 0)?;
    Ok(Value::from(text))
}

fn length(value: &Value) -> Result<usize, Error> {
    match value.kind() {
        ValueKind::Undefined => Ok(0),
        ValueKind::String => Ok(value.as_str().unwrap_or_default().chars().count()),
        ValueKind::Map if !is_dict(value) => Err(unlike("the length of such a value")),
        _ => value.len().ok_or_else(|| unlike("the length of such a value")),
    }
}

/// The value at a path of attributes, as `map(attribute=)` and `sort(attribute=)` have it.
fn at_path(value: &Value, path: &Value) -> Result<Value, Error> {
    if path.is_integer() {
        return value.get_item(path);
    }
    text_of(path)?.split('.').try_fold(value.clone(), |value, part| {
        let number = part.parse::<i64>().ok().filter(|_| part.bytes().all(|b| b.is_ascii_digit()));
        value.get_item(&number.map_or_else(|| Value::from(part), Value::from))
    })
}

/// `select`, `reject`, `selectattr` and `rejectattr`.
fn chosen(
    state: &mut State<'_, '_>,
    value: &Value,
    attribute: Option<&Value>,
    test: &[Value],
    rejected: bool,
) -> Result<Value, Error> {
    let mut kept = Vec::new();
    if !value.is_true() {
        return Ok(generator(kept));
    }
    for item in items(value)? {
        let of = attribute.map_or_else(|| Ok(item.clone()), |path| at_path(&item, path))?;
        let holds = match test.split_first() {
            None => of.is_true(),
            Some((name, others)) => {
                let args: Vec<Value> = std::iter::once(of).chain(others.iter().cloned()).collect();
                state.perform_test(text_of(name)?, &args)?
            }
        };
        if holds != rejected {
            kept.push(item);
        }
    }
    Ok(generator(kept))
}

fn mapped(state: &mut State<'_, '_>, value: &Value, args: Rest<Value>, named: Kwargs) -> Result<Value, Error> {
    let attribute: Option<Value> = named.get("attribute")?;
    let default: Option<Value> = named.get("default")?;
    if attribute.is_some() {
        named.assert_all_used()?;
    }
    if !value.is_true() {
        return Ok(generator(Vec::new()));
    }
    let made = items(value)?.into_iter().map(|item| {
        if let Some(path) = &attribute {
            let found = at_path(&item, path)?;
            Ok(if found.is_undefined() { default.clone().unwrap_or(found) } else { found })
        } else {
            let (name, others) = args.split_first().ok_or_else(|| unlike("map of nothing"))?;
            let mut args: Vec<Value> = std::iter::once(item).chain(others.iter().cloned()).collect();
            if named.args().next().is_some() {
                args.push(named.clone().into());
            }
            state.apply_filter(text_of(name)?, &args)
        }
    });
    Ok(generator(made.collect::<Result<_, Error>>()?))
}

/// What a value is sorted by.
fn sort_key(value: &Value, fold_case: bool) -> Result<Value, Error> {
    match value.as_str() {
        Some(text) if fold_case => Ok(Value::from(ascii(text)?.to_ascii_lowercase())),
        Some(_) => Ok(value.clone()),
        None if value.is_number() => Ok(value.clone()),
        None => Err(unlike("a sort of such values")),
    }
}

fn sorted(mut keyed: Vec<(Value, Value)>, reverse: bool) -> Result<Vec<Value>, Error> {
    let texts = keyed.iter().filter(|(key, _)| key.as_str().is_some()).count();
    if texts != 0 && texts != keyed.len() {
        return Err(unlike("a sort of texts and numbers"));
    }
    // What is equal stays in its order, in either direction.
    if reverse {
        keyed.reverse();
    }
    keyed.sort_by(|(a, _), (b, _)| a.cmp(b));
    if reverse {
        keyed.reverse();
    }
    Ok(keyed.into_iter().map(|(_, value)| value).collect())
}

fn default(value: &Value, args: Rest<Value>, named: Kwargs) -> Result<Value, Error> {
    // An argument that is `None` is one.
    let given = match args.first() {
        Some(given) => given.clone(),
        None if named.has("default_value") => named.get("default_value")?,
        None => Value::from(""),
    };
    let falsy = match args.get(1) {
        Some(falsy) => falsy.is_true(),
        None => named.get::<Option<bool>>("boolean")?.unwrap_or(false),
    };
    named.assert_all_used()?;
    Ok(if value.is_undefined() || (falsy && !value.is_true()) { given } else { value.clone() })
}

fn int(value: &Value, default: Option<Value>) -> Result<Value, Error> {
    let default = default.unwrap_or_else(|| Value::from(0));
    match value.kind() {
        ValueKind::Bool => Ok(Value::from(i64::from(value.is_true()))),
        ValueKind::Number if value.is_integer() => Ok(value.clone()),
        ValueKind::Number => {
            let float = f64::try_from(value.clone())?;
            if float.abs() < 9e15 { Ok(Value::from(float.trunc() as i64)) } else { Err(unlike("int() of it")) }
        }
        ValueKind::String => {
            let text = value.as_str().unwrap_or_default().trim();
            let no_number = text.is_empty()
                || (text.bytes().all(|b| b.is_ascii_alphabetic())
                    && !matches!(text.to_ascii_lowercase().as_str(), "inf" | "nan" | "infinity"));
            match text.parse::<i64>() {
                Ok(number) => Ok(Value::from(number)),
                Err(_) if no_number => Ok(default),
                Err(_) => Err(unlike("int() of such a text")),
            }
        }
        ValueKind::None => Ok(default),
        _ => Err(unlike("int() of such a value")),
    }
}

fn indent(
    value: &Value,
    width: Option<Value>,
    first: Option<bool>,
    blank: Option<bool>,
    named: Kwargs,
) -> Result<String, Error> {
    let width: Option<Value> = width.or(named.get("width")?);
    let first = first.or(named.get("first")?).unwrap_or(false);
    let blank = blank.or(named.get("blank")?).unwrap_or(false);
    named.assert_all_used()?;
    let by = match &width {
        None => " ".repeat(4),
        Some(width) => match width.as_str() {
            Some(text) => text.to_owned(),
            None => " ".repeat(width.as_usize().ok_or_else(|| unlike("such a width"))?),
        },
    };
    let text = text_of(value)?.to_owned() + "\n";
    let mut out = String::new();
    for (i, line) in lines(&text, false).into_iter().enumerate() {
        if i > 0 {
            out.push('\n');
        }
        if (i > 0 && (blank || !line.is_empty())) || (i == 0 && first) {
            out.push_str(&by);
        }
        out.push_str(line);
    }
    Ok(out)
}

fn numbers(first: i64, second: Option<i64>, step: Option<i64>) -> Result<Value, Error> {
    let (start, end) = second.map_or((0, first), |end| (first, end));
    let step = step.unwrap_or(1);
    if step == 0 {
        return Err(unlike("a range with steps of 0"));
    }
    let far = if step > 0 { end.saturating_sub(start) } else { start.saturating_sub(end) };
    let count = (far.max(0) as u64).div_ceil(step.unsigned_abs()) as i64;
    if count > RANGE {
        return Err(unlike("so long a range"));
    }
    Ok(range((0..count).map(|i| Value::from(start + i * step)).collect()))
}

/// What a `for` iterates over: `None` is nothing that iterates, and a generator has a last item.
pub(super) fn iterated(value: Value) -> Result<Value, Error> {
    match value.kind() {
        ValueKind::Seq | ValueKind::Undefined | ValueKind::String => Ok(value),
        ValueKind::Iterable if value.len().is_some() => Ok(value),
        ValueKind::Map if is_dict(&value) => Ok(value),
        ValueKind::Iterable => Ok(list(items(&value)?)),
        kind => Err(unlike(format_args!("{kind} as what is iterated"))),
    }
}

fn text_itself(value: &Value) -> Result<Value, Error> {
    if value.as_str().is_some() { Ok(value.clone()) } else { Ok(Value::from(str_of(value)?)) }
}

/// Adds all filters, tests and functions that are known to give what they give in Jinja2.
pub(super) fn add(env: &mut Environment<'static>) {
    env.add_function("range", numbers);
    if let Some((_, namespace)) = Environment::new().globals().find(|(name, _)| *name == "namespace") {
        env.add_global("namespace", namespace);
    }
    env.add_filter("tojson", to_json);
    env.add_filter("trim", |value: &Value, chars: Option<&Value>| -> Result<Value, Error> {
        let text = str_of(value)?;
        Ok(Value::from(strip(&text, text_or_none(chars)?, true, true)))
    });
    env.add_filter("length", length);
    env.add_filter("count", length);
    env.add_filter("string", text_itself);
    // It may only reach what is written: `chat/template.py` sees to that.
    env.add_filter("safe", text_itself);
    env.add_filter("default", default);
    env.add_filter("d", default);
    env.add_filter("join", |value: &Value, by: Option<&Value>, attribute: Option<&Value>| -> Result<String, Error> {
        let by = by.map(str_of).transpose()?.unwrap_or_default();
        let texts = items(value)?.into_iter().map(|item| match attribute {
            Some(path) => str_of(&at_path(&item, path)?),
            None => str_of(&item),
        });
        Ok(texts.collect::<Result<Vec<_>, _>>()?.join(&by))
    });
    env.add_filter("items", |value: &Value| -> Result<Value, Error> {
        if value.is_undefined() {
            return Ok(generator(Vec::new()));
        }
        if !is_dict(value) {
            return Err(unlike("items of no dict"));
        }
        Ok(generator(pairs(value)?.into_iter().map(|(k, v)| Value::from(Tuple::from([k, v]))).collect()))
    });
    env.add_filter("list", |value: &Value| -> Result<Value, Error> { Ok(list(items(value)?)) });
    env.add_filter("first", |value: &Value| -> Result<Value, Error> {
        Ok(items(value)?.into_iter().next().unwrap_or_default())
    });
    env.add_filter("last", |value: &Value| -> Result<Value, Error> {
        match value.kind() {
            ValueKind::Iterable if value.len().is_none() => Err(unlike("the last one of a generator")),
            _ => Ok(items(value)?.pop().unwrap_or_default()),
        }
    });
    env.add_filter("upper", |value: &Value| -> Result<String, Error> {
        Ok(ascii(&str_of(value)?)?.to_ascii_uppercase())
    });
    env.add_filter("lower", |value: &Value| -> Result<String, Error> {
        Ok(ascii(&str_of(value)?)?.to_ascii_lowercase())
    });
    env.add_filter("capitalize", |value: &Value| -> Result<String, Error> { Ok(capitalize(ascii(&str_of(value)?)?)) });
    env.add_filter("title", |value: &Value| -> Result<String, Error> { Ok(title_of_words(ascii(&str_of(value)?)?)) });
    env.add_filter("replace", |value: &Value, old: &Value, new: &Value, most: Option<i64>| -> Result<String, Error> {
        let (text, old, new) = (str_of(value)?, str_of(old)?, str_of(new)?);
        Ok(match most.map(usize::try_from) {
            Some(Ok(most)) => text.replacen(&old, &new, most),
            _ => text.replace(&old, &new),
        })
    });
    env.add_filter("int", int);
    env.add_filter("map", mapped);
    env.add_filter("select", |state: &mut State<'_, '_>, value: &Value, test: Rest<Value>| {
        chosen(state, value, None, &test, false)
    });
    env.add_filter("reject", |state: &mut State<'_, '_>, value: &Value, test: Rest<Value>| {
        chosen(state, value, None, &test, true)
    });
    env.add_filter("selectattr", |state: &mut State<'_, '_>, value: &Value, path: &Value, test: Rest<Value>| {
        chosen(state, value, Some(path), &test, false)
    });
    env.add_filter("rejectattr", |state: &mut State<'_, '_>, value: &Value, path: &Value, test: Rest<Value>| {
        chosen(state, value, Some(path), &test, true)
    });
    env.add_filter(
        "dictsort",
        |value: &Value, case: Option<bool>, by: Option<&str>, reverse: Option<bool>| -> Result<Value, Error> {
            let by_value = match by {
                None | Some("key") => false,
                Some("value") => true,
                Some(_) => return Err(unlike("such a dictsort")),
            };
            if !is_dict(value) {
                return Err(unlike("dictsort of no dict"));
            }
            let keyed = pairs(value)?.into_iter().map(|(key, value)| {
                let by = sort_key(if by_value { &value } else { &key }, !case.unwrap_or(false))?;
                Ok((by, Value::from(Tuple::from([key, value]))))
            });
            Ok(list(sorted(keyed.collect::<Result<_, Error>>()?, reverse.unwrap_or(false))?))
        },
    );
    env.add_filter(
        "sort",
        |value: &Value,
         reverse: Option<bool>,
         case: Option<bool>,
         attribute: Option<Value>,
         named: Kwargs|
         -> Result<Value, Error> {
            let reverse = reverse.or(named.get("reverse")?).unwrap_or(false);
            let case = case.or(named.get("case_sensitive")?).unwrap_or(false);
            let attribute: Option<Value> = attribute.or(named.get("attribute")?);
            named.assert_all_used()?;
            let keyed = items(value)?.into_iter().map(|item| {
                let by = attribute.as_ref().map_or_else(|| Ok(item.clone()), |path| at_path(&item, path))?;
                Ok((sort_key(&by, !case)?, item))
            });
            Ok(list(sorted(keyed.collect::<Result<_, Error>>()?, reverse)?))
        },
    );
    env.add_filter("unique", |value: &Value| -> Result<Value, Error> {
        let (mut seen, mut kept): (Vec<Value>, Vec<Value>) = (Vec::new(), Vec::new());
        for item in items(value)? {
            let key = sort_key(&item, true)?;
            if !seen.contains(&key) {
                seen.push(key);
                kept.push(item);
            }
        }
        Ok(generator(kept))
    });
    env.add_filter("reverse", |value: &Value| -> Result<Value, Error> {
        match value.as_str() {
            Some(text) => Ok(Value::from(text.chars().rev().collect::<String>())),
            None if value.kind() == ValueKind::Seq => {
                let mut reversed = items(value)?;
                reversed.reverse();
                Ok(generator(reversed))
            }
            None => Err(unlike("reverse of such a value")),
        }
    });
    env.add_filter("indent", indent);
    add_tests(env);
}

fn add_tests(env: &mut Environment<'static>) {
    env.add_test("defined", tests::is_defined);
    env.add_test("undefined", tests::is_undefined);
    env.add_test("none", tests::is_none);
    env.add_test("string", |value: &Value| value.kind() == ValueKind::String);
    env.add_test("boolean", |value: &Value| value.kind() == ValueKind::Bool);
    env.add_test("number", |value: &Value| matches!(value.kind(), ValueKind::Number | ValueKind::Bool));
    env.add_test("integer", |value: &Value| value.kind() == ValueKind::Number && value.is_integer());
    env.add_test("float", |value: &Value| value.kind() == ValueKind::Number && !value.is_integer());
    env.add_test("mapping", is_dict);
    env.add_test("sequence", |value: &Value| match value.kind() {
        ValueKind::Undefined | ValueKind::String | ValueKind::Seq => true,
        ValueKind::Iterable => value.len().is_some() && as_view(value).is_none_or(|view| view.range),
        _ => is_dict(value),
    });
    env.add_test("iterable", |value: &Value| {
        matches!(value.kind(), ValueKind::Undefined | ValueKind::String | ValueKind::Seq | ValueKind::Iterable)
            || is_dict(value)
    });
    env.add_test("true", |value: &Value| value.kind() == ValueKind::Bool && value.is_true());
    env.add_test("false", |value: &Value| value.kind() == ValueKind::Bool && !value.is_true());
    for name in ["eq", "equalto", "=="] {
        env.add_test(name, |a: &Value, b: &Value| a == b);
    }
    for name in ["ne", "!="] {
        env.add_test(name, |a: &Value, b: &Value| a != b);
    }
    env.add_test("in", |a: &Value, b: &Value| -> Result<bool, Error> {
        match b.as_str() {
            Some(text) => Ok(text.contains(text_of(a)?)),
            None => Ok(items(b)?.contains(a)),
        }
    });
    env.add_test("odd", |value: i64| value.rem_euclid(2) == 1);
    env.add_test("even", |value: i64| value.rem_euclid(2) == 0);
    env.add_test("divisibleby", |value: i64, by: i64| -> Result<bool, Error> {
        value.checked_rem_euclid(by).map(|rest| rest == 0).ok_or_else(|| unlike("a division by 0"))
    });
}
