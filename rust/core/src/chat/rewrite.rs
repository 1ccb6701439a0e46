//! Sources of templates as the crate reads them with the meaning that they have in Jinja2.
//!
//! A block `generation` becomes a filter, whose text is captured; blocks of filters have a scope of their own; what a
//! `for` iterates over goes through a filter; and `x['items']` names a key, where `x.items` is the method.

use super::values::{ITEM, is_method};

/// The filters that stand for what the crate does not have.
pub(super) const GENERATION: &str = "__gen__";
pub(super) const ITERATED: &str = "__iter__";

/// The rewritten source.
pub(super) fn rewritten(source: &str) -> String {
    // So the lexer of Jinja2 reads lines.
    let source = source.replace("\r\n", "\n").replace('\r', "\n");
    let mut out = String::with_capacity(source.len() + 256);
    let mut rest = source.as_str();
    while let Some(at) = rest.find('{') {
        out.push_str(&rest[..at]);
        let tag = &rest[at..];
        let end = match tag.as_bytes().get(1) {
            Some(b'#') => tag.find("#}").map(|end| end + 2),
            Some(b'%') => tag_end(tag, "%}"),
            Some(b'{') => tag_end(tag, "}}"),
            _ => Some(1),
        };
        let Some(end) = end else {
            rest = tag;
            break;
        };
        let (whole, after) = tag.split_at(end);
        rest = after;
        match whole.as_bytes().get(1) {
            Some(b'%') => {
                let copied = block(&with_items(whole), after, &mut out);
                rest = &after[copied..];
            }
            Some(b'{') => out.push_str(&with_items(whole)),
            _ => out.push_str(whole),
        }
    }
    out.push_str(rest);
    out
}

/// Writes a block's tag; returns how much of what follows it was written too.
fn block(tag: &str, after: &str, out: &mut String) -> usize {
    let inner = &tag[2..tag.len() - 2];
    let before = if inner.starts_with(['-', '+']) { &inner[..1] } else { "" };
    let inner = &inner[before.len()..];
    let behind = if inner.ends_with(['-', '+']) { &inner[inner.len() - 1..] } else { "" };
    let inner = &inner[..inner.len() - behind.len()];
    let body = inner.trim();
    let named = |name: &str| body.strip_prefix(name).filter(|rest| rest.starts_with(char::is_whitespace));
    let written = if body == "generation" {
        format!("{{%{before} filter {GENERATION} %}}{{% with {behind}%}}")
    } else if body == "endgeneration" || body == "endfilter" {
        format!("{{%{before} endwith %}}{{% endfilter {behind}%}}")
    } else if named("filter").is_some() {
        format!("{{%{before} {body} %}}{{% with {behind}%}}")
    } else if let Some((target, (of, others))) = named("for").and_then(|rest| Some((rest, iterable(rest)?))) {
        format!(
            "{{%{before} for{}({})|{ITERATED} {} {behind}%}}",
            &target[..of],
            &target[of..others],
            &target[others..]
        )
    } else {
        tag.to_owned()
    };
    out.push_str(&written);
    if body != "raw" {
        return 0;
    }
    let ends = |at: usize| after[at + 2..].trim_start_matches(['-', '+']).trim_start().starts_with("endraw");
    let end = after.match_indices("{%").map(|(at, _)| at).find(|at| ends(*at)).unwrap_or(after.len());
    out.push_str(&after[..end]);
    end
}

/// A tag with `x['items']` as `x.__item_items`, for the names of a dict's methods.
fn with_items(tag: &str) -> String {
    let (mut out, mut last) = (String::new(), 0);
    for (at, c) in outside(tag) {
        let follows = tag[..at].ends_with(|c: char| c.is_alphanumeric() || "_)]".contains(c));
        if c != '[' || at < last || !follows {
            continue;
        }
        let inner = tag[at + 1..].trim_start();
        let Some(quote) = inner.chars().next().filter(|c| matches!(c, '\'' | '"')) else { continue };
        let Some(end) = inner[1..].find(quote) else { continue };
        let name = &inner[1..=end];
        let after = inner[end + 2..].trim_start();
        if after.starts_with(']') && is_method(name) {
            out.push_str(&tag[last..at]);
            out.push('.');
            out.push_str(ITEM);
            out.push_str(name);
            last = tag.len() - after.len() + 1;
        }
    }
    out.push_str(&tag[last..]);
    out
}

/// The characters outside of texts in quotes, and where they are.
fn outside(code: &str) -> Vec<(usize, char)> {
    let (mut quote, mut escaped): (Option<char>, bool) = (None, false);
    let mut inside = move |c: char| match quote {
        Some(end) => {
            if escaped {
                escaped = false;
            } else if c == '\\' {
                escaped = true;
            } else if c == end {
                quote = None;
            }
            true
        }
        None if c == '"' || c == '\'' => {
            quote = Some(c);
            true
        }
        None => false,
    };
    code.char_indices().filter(|(_, c)| !inside(*c)).collect()
}

fn depth_after(depth: i32, c: char) -> i32 {
    match c {
        '(' | '[' | '{' => depth + 1,
        ')' | ']' | '}' => depth - 1,
        _ => depth,
    }
}

/// The end of a tag: after the first closing mark outside of brackets and texts.
fn tag_end(tag: &str, mark: &str) -> Option<usize> {
    let mut depth = 0;
    for (at, c) in outside(&tag[2..]) {
        if depth <= 0 && tag[at + 2..].starts_with(mark) {
            return Some(at + 4);
        }
        depth = depth_after(depth, c);
    }
    None
}

/// Where the iterable of ` x, y in iterable if condition` begins and ends.
fn iterable(code: &str) -> Option<(usize, usize)> {
    let word = |at: usize, word: &str| {
        let part = |c: char| c.is_alphanumeric() || c == '_';
        code[at..].starts_with(word)
            && !code[..at].ends_with(|c: char| part(c) || c == '.')
            && !code[at + word.len()..].starts_with(part)
    };
    let (mut depth, mut begin) = (0, None);
    for (at, c) in outside(code) {
        depth = depth_after(depth, c);
        if depth != 0 {
            continue;
        }
        if begin.is_none() {
            begin = word(at, "in").then_some(at + 2);
        } else if word(at, "if") || word(at, "recursive") {
            return Some((begin?, at));
        }
    }
    Some((begin?, code.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_rewritten() {
        for (source, expected) in [
            (
                "a{%- generation -%}b{% endgeneration %}",
                "a{%- filter __gen__ %}{% with -%}b{% endwith %}{% endfilter %}",
            ),
            ("{% for m in x if m %}", "{% for m in( x )|__iter__ if m %}"),
            ("{% for m in x %}", "{% for m in( x)|__iter__  %}"),
            ("{{ m['items'] ~ m[\"x\"] }}", "{{ m.__item_items ~ m[\"x\"] }}"),
            ("{{ '%}' }}{# {% for #}\r\n{", "{{ '%}' }}{# {% for #}\n{"),
            ("{% raw %}{% for x in y %}{% endraw %}", "{% raw %}{% for x in y %}{% endraw %}"),
            ("{{ {'a': {'b': 1}} }}", "{{ {'a': {'b': 1}} }}"),
        ] {
            assert_eq!(rewritten(source), expected);
        }
    }
}
