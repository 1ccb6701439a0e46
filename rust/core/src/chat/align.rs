//! Which characters of a text each of its tokens is of, for tokenizers whose tokens are bytes.
//!
//! The crate that encodes does not say it. Tokens of byte-level BPE are runs of bytes: where those of all tokens are
//! the text, byte for byte, it is known.

use std::collections::HashMap;

use serde_json::Value;

/// A token's bytes.
struct Token {
    bytes: Box<[u8]>,
    /// Spaces at its beginning and its end, which its offsets leave out if they are trimmed.
    spaces: (usize, usize),
}

/// The tokens of a tokenizer, by their numbers.
pub(super) struct Alignment {
    tokens: HashMap<i32, Token>,
    trims: bool,
    /// Whether one space before the first token counts as added, and stays.
    adds_space: bool,
}

/// The byte that a character of a byte-level vocabulary stands for.
fn byte_of(c: char) -> Option<u8> {
    let code = c as u32;
    let plain = |byte: u32| matches!(byte, 0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff);
    if code < 0x100 {
        return plain(code).then_some(code as u8);
    }
    // The other bytes stand from 256 on, in their order.
    (0..=0xff_u32).filter(|byte| !plain(*byte)).nth(code as usize - 0x100).map(|byte| byte as u8)
}

/// What a part of a tokenizer has, or one of the parts that it is made of.
fn of_type<'a>(part: &'a Value, name: &str, parts: &str) -> Option<&'a Value> {
    if part["type"] == name {
        return Some(part);
    }
    part[parts].as_array()?.iter().find_map(|part| of_type(part, name, parts))
}

impl Alignment {
    /// That of a tokenizer; none if its tokens are not bytes.
    pub(super) fn of(tokenizer: &Value) -> Option<Self> {
        let model = &tokenizer["model"];
        let split = of_type(&tokenizer["pre_tokenizer"], "ByteLevel", "pretokenizers")?;
        if model["vocab"].as_object().is_none() || model["byte_fallback"] == true || split["add_prefix_space"] == true {
            return None;
        }
        let post = &tokenizer["post_processor"];
        if of_type(post, "RobertaProcessing", "processors").is_some() {
            return None;
        }
        let bytes_post = of_type(post, "ByteLevel", "processors");
        let trims = bytes_post.is_some_and(|of| of["trim_offsets"] != false);
        let adds_space = bytes_post.is_some_and(|of| of["add_prefix_space"] != false);
        let bytes: HashMap<char, u8> =
            (0..0x144).filter_map(char::from_u32).filter_map(|c| Some((c, byte_of(c)?))).collect();
        let mut tokens = HashMap::new();
        for (text, id) in model["vocab"].as_object()? {
            // What is no bytes is never one of the model's tokens.
            let Some(bytes) = text.chars().map(|c| bytes.get(&c).copied()).collect::<Option<Box<[u8]>>>() else {
                continue;
            };
            let spaces = (
                bytes.iter().take_while(|byte| **byte == b' ').count(),
                bytes.iter().rev().take_while(|byte| **byte == b' ').count(),
            );
            tokens.insert(i32::try_from(id.as_i64()?).ok()?, Token { bytes, spaces });
        }
        for added in tokenizer["added_tokens"].as_array().into_iter().flatten() {
            let text = added["content"].as_str()?;
            let space = |c: &char| *c == '\u{120}' || c.is_whitespace();
            let spaces = (text.chars().take_while(space).count(), text.chars().rev().take_while(space).count());
            let token = Token { bytes: text.as_bytes().into(), spaces };
            tokens.insert(i32::try_from(added["id"].as_i64()?).ok()?, token);
        }
        Some(Self { tokens, trims, adds_space })
    }

    /// The characters of each token, from one up to another; nothing if the tokens are not the text.
    pub(super) fn offsets(&self, text: &str, ids: &[i32]) -> Option<Vec<(usize, usize)>> {
        let bytes = text.as_bytes();
        let begins = |at: usize| bytes.get(at).is_none_or(|byte| byte & 0xc0 != 0x80);
        let (mut at, mut chars) = (0, 0); // `chars`: those that began before the byte
        let mut offsets = Vec::with_capacity(ids.len());
        for id in ids {
            let token = self.tokens.get(id)?;
            let end = at + token.bytes.len();
            if bytes.get(at..end)? != &*token.bytes {
                return None;
            }
            let mut first = if begins(at) { chars } else { chars - 1 };
            chars += (at..end).filter(|at| begins(*at)).count();
            let mut last = chars;
            at = end;
            if self.trims {
                let (leading, trailing) = token.spaces;
                // What may have been added before the text is not taken away.
                let added = self.adds_space && leading == 1 && (offsets.is_empty() || first == 0);
                if leading > 0 && !added {
                    first = (first + leading).min(last);
                }
                if trailing > 0 && last >= trailing {
                    last = (last - trailing).max(first);
                }
            }
            offsets.push((first, last));
        }
        (at == bytes.len()).then_some(offsets)
    }
}

/// Which tokens have a part of a span, as transformers tells it. Both are in order.
pub(super) fn mask(spans: &[(usize, usize)], offsets: &[(usize, usize)]) -> Vec<i8> {
    let mut mask = vec![0; offsets.len()];
    let mut left = spans;
    for (in_mask, (start, end)) in mask.iter_mut().zip(offsets) {
        while left.first().is_some_and(|span| *start >= span.1) {
            left = &left[1..];
        }
        let Some(span) = left.first() else { break };
        *in_mask = i8::from(*end > span.0);
    }
    mask
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn alignment(trims: bool) -> Alignment {
        Alignment::of(&json!({
            "model": {"vocab": {"a": 0, "\u{120}b": 1, "\u{c3}": 2, "\u{a9}": 3, "\u{10a}": 4, "c\u{120}": 5}},
            "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "ByteLevel", "add_prefix_space": false}]},
            "post_processor": {"type": "ByteLevel", "trim_offsets": trims, "add_prefix_space": true},
            "added_tokens": [{"id": 6, "content": "<|end|>"}],
        }))
        .unwrap()
    }

    #[test]
    fn tokens_are_characters_of_the_text() {
        let offsets = alignment(false).offsets("a b\u{e9}\n<|end|>", &[0, 1, 2, 3, 4, 6]).unwrap();
        assert_eq!(offsets, [(0, 1), (1, 3), (3, 4), (3, 4), (4, 5), (5, 12)]);
        assert_eq!(alignment(true).offsets("a bc ", &[0, 1, 5]).unwrap(), [(0, 1), (2, 3), (3, 4)]);
        assert_eq!(alignment(true).offsets(" bc ", &[1, 5]).unwrap(), [(0, 2), (2, 3)]);
        assert!(alignment(false).offsets("a c", &[0, 1]).is_none());
        assert!(alignment(false).offsets("a b", &[0]).is_none());
    }

    #[test]
    fn tokens_that_reach_into_a_span_are_in_it() {
        assert_eq!(mask(&[(2, 4), (6, 7)], &[(0, 2), (2, 3), (3, 5), (5, 6), (6, 7), (7, 9)]), [0, 1, 1, 0, 1, 0]);
        assert_eq!(mask(&[], &[(0, 1)]), [0]);
    }
}
