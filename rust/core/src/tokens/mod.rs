//! Texts as lists of token ids, by a `tokenizer.json`.

use std::sync::{Arc, Mutex, Weak};

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, Int32Array, ListArray};
use arrow_buffer::{NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::{DataType, Field, FieldRef};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokenizers::pipeline::encode_options::{EncodeOptions, Override};
use tokenizers::pipeline::{PipelineToken, PipelineTokenizer};
use tokenizers::{TruncationDirection, TruncationParams};

use crate::engine::forks;
use crate::error::{Error, Kind, Result};
use crate::made_column::MadeColumn;
use crate::panic::contain;
use crate::source::memory::held;

/// The end at which a text that is too long is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// Its beginning is left out.
    Left,
    /// Its end is left out.
    Right,
}

/// The step of a plan that makes token ids of a column's texts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The column of a row.
    pub column: String,
    /// The name of the tokenizer's JSON, which this process holds in memory.
    pub tokenizer: String,
    /// Whether the tokenizer adds special tokens around a text.
    pub special_tokens: bool,
    /// The most ids of a text, special tokens included.
    pub max_length: Option<usize>,
    /// Where a longer one is cut.
    pub truncation_side: Side,
}

impl Spec {
    /// The type of the column that it makes.
    pub fn data_type() -> DataType {
        DataType::List(item())
    }

    /// Raises for what makes no sense.
    pub fn check(&self) -> Result<()> {
        if self.max_length == Some(0) {
            return Err(Error::new(Kind::Value, "tokenize: max_length is 1 or more"));
        }
        Ok(())
    }

    /// What encodes by it.
    pub fn encoder(&self) -> Result<Encoder> {
        let truncation = match self.max_length {
            None => Override::InheritConfig,
            Some(max_length) => Override::With(TruncationParams {
                max_length,
                direction: match self.truncation_side {
                    Side::Left => TruncationDirection::Left,
                    Side::Right => TruncationDirection::Right,
                },
                ..TruncationParams::default()
            }),
        };
        let made = Encoder {
            column: self.column.clone(),
            of: tokenizer(&self.tokenizer)?,
            options: EncodeOptions {
                add_special_tokens: self.special_tokens,
                // Rows are padded where batches are made.
                padding: Override::Off,
                truncation,
                ..EncodeOptions::default()
            },
        };
        if let Some(most) = self.max_length {
            let special = made.clone().without_limit().ids("")?.len();
            if special > most {
                let what = format!(
                    "tokenize: max_length is {most}, and the tokenizer adds {special} special tokens to each text: give \
                     more, or add_special_tokens=False"
                );
                return Err(Error::new(Kind::Value, what));
            }
        }
        Ok(made)
    }
}

fn item() -> FieldRef {
    Arc::new(Field::new("item", DataType::Int32, true))
}

/// A tokenizer that was read.
struct Read {
    /// The process, by its forks: a tokenizer of a parent process is not used in its child, where a thread that is not
    /// there may have held its locks.
    process: u64,
    name: String,
    json: Weak<Bytes>,
    tokenizer: Arc<PipelineTokenizer>,
}

/// The tokenizers of this process, for as long as their JSON is held: to read one takes longer than the first batch.
static READ: Mutex<Vec<Read>> = Mutex::new(Vec::new());

fn tokenizer(name: &str) -> Result<Arc<PipelineTokenizer>> {
    let json = held(name)
        .ok_or_else(|| Error::new(Kind::NotFound, "the tokenizer is gone: the data set was made in another process"))?;
    // Whoever finds it in use, or in use when the process was forked, reads its own.
    let mut read = READ.try_lock().ok();
    if let Some(read) = &mut read {
        read.retain(|one| one.process == forks() && one.json.strong_count() > 0);
        if let Some(there) = read.iter().find(|one| one.name == name) {
            return Ok(Arc::clone(&there.tokenizer));
        }
    }
    let text = std::str::from_utf8(&json).map_err(|_| Error::data("the tokenizer's JSON is not UTF-8"))?;
    let made = Arc::new(parsed(text)?);
    if let Some(read) = &mut read {
        let (name, json, tokenizer) = (name.to_owned(), Arc::downgrade(&json), Arc::clone(&made));
        read.push(Read { process: forks(), name, json, tokenizer });
    }
    Ok(made)
}

/// The JSON of a tokenizer that this process holds in memory.
pub(crate) fn json(name: &str) -> Result<Value> {
    let json = held(name).ok_or_else(|| Error::new(Kind::NotFound, "the tokenizer is gone"))?;
    serde_json::from_slice(&json).map_err(|e| Error::data(format!("the tokenizer is no JSON: {e}")))
}

/// Reads a tokenizer, of this version of the format or an older one.
fn parsed(json: &str) -> Result<PipelineTokenizer> {
    let failed = |e: &dyn std::fmt::Display| {
        let e: String = e.to_string().chars().take(300).collect();
        Error::new(
            Kind::Unsupported,
            format!("the tokenizer cannot be read: {e}; map(tokenizer, batched=True) runs it in Python"),
        )
    };
    let mut value: Value = serde_json::from_str(json).map_err(|e| failed(&e))?;
    if let Some(token) = differs(&value) {
        return Err(failed(&format_args!(
            "its added token {token:?} is normalized, which beside a Metaspace pre-tokenizer has other ids in the core"
        )));
    }
    if let Some(token) = alone(&value) {
        return Err(failed(&format_args!(
            "its added token {token:?} is a single word (single_word), which the core also finds directly behind another \
             added token, and within letters beyond ASCII"
        )));
    }
    tokenizers::canonicalize_value(&mut value).map_err(|e| failed(&e))?;
    let text = value.to_string();
    // Of what is malformed the crate does not always say so.
    contain(|| {
        let read: PipelineTokenizer = tokenizers::from_json(&text).map_err(|e| failed(&e))?;
        // A pattern is found wanting only where a text is split by it.
        let options = EncodeOptions { padding: Override::Off, truncation: Override::Off, ..EncodeOptions::default() };
        match read.encode_into("a b", &options, &mut Vec::new()) {
            Err(e) if e.to_string().contains("system-regex") => {
                Err(failed(&"it splits texts by a regular expression that the core does not have"))
            }
            _ => Ok(read),
        }
    })
    .map_err(|e| if e.kind == Kind::Unsupported { e } else { failed(&e) })
}

/// An added token that is a single word: the crate finds it directly behind another added token, which is no word to
/// `tokenizers` 0.23, and searches for it from the middle of a letter on.
fn alone(tokenizer: &Value) -> Option<&str> {
    let mut added = tokenizer["added_tokens"].as_array()?.iter().filter(|token| token["single_word"] == true);
    added.find_map(|token| token["content"].as_str())
}

/// An added token that makes other ids than those of `tokenizers` 0.23: Metaspace is done before it is looked for.
fn differs(tokenizer: &Value) -> Option<&str> {
    fn metaspace(pre: &Value) -> bool {
        pre["type"] == "Metaspace" || pre["pretokenizers"].as_array().is_some_and(|of| of.iter().any(metaspace))
    }
    let added = tokenizer["added_tokens"].as_array().filter(|_| metaspace(&tokenizer["pre_tokenizer"]))?;
    added.iter().find(|token| token["normalized"] == true).and_then(|token| token["content"].as_str())
}

/// Makes token ids of texts.
#[derive(Clone)]
pub struct Encoder {
    column: String,
    of: Arc<PipelineTokenizer>,
    options: EncodeOptions,
}

impl Encoder {
    /// The column of a row.
    pub fn column(&self) -> &str {
        &self.column
    }

    /// The same, of texts of any length, whatever the tokenizer's JSON says.
    #[must_use]
    pub fn without_limit(mut self) -> Self {
        self.options.truncation = Override::Off;
        self
    }

    /// The ids of a text.
    pub fn ids(&self, text: &str) -> Result<Vec<i32>> {
        let mut ids: Vec<PipelineToken> = Vec::with_capacity(text.len() / 3);
        let encoded = self.of.encode_into(text, &self.options, &mut ids);
        encoded.map_err(|e| Error::data(format!("the tokenizer fails on this text: {e}")))?;
        Ok(PipelineToken::cast_slice(&ids).iter().map(|id| id.cast_signed()).collect())
    }

    /// The ids of a column of texts: a list a row, null where there is no text.
    pub fn encode(&self, column: &ArrayRef) -> Result<MadeColumn> {
        let mut ids: Vec<PipelineToken> = Vec::with_capacity(column.get_array_memory_size() / 4);
        let (mut ends, mut bad) = (Vec::with_capacity(column.len() + 1), Vec::new());
        ends.push(0_i32);
        let mut valid = Vec::with_capacity(column.len());
        let mut add = |row: usize, text: Option<&str>| -> Result<()> {
            valid.push(text.is_some());
            let before = ids.len();
            if let Some(text) = text
                && let Err(e) = self.of.encode_into(text, &self.options, &mut ids)
            {
                ids.truncate(before);
                bad.push((row, Error::data(format!("the tokenizer fails on this text: {e}"))));
            }
            ends.push(i32::try_from(ids.len()).map_err(|_| Error::data("more token ids than a batch can have"))?);
            Ok(())
        };
        match column.data_type() {
            DataType::Utf8View => column.as_string_view().iter().enumerate().try_for_each(|(i, text)| add(i, text))?,
            DataType::Utf8 => column.as_string::<i32>().iter().enumerate().try_for_each(|(i, text)| add(i, text))?,
            DataType::LargeUtf8 => {
                column.as_string::<i64>().iter().enumerate().try_for_each(|(i, text)| add(i, text))?;
            }
            DataType::Null => (0..column.len()).try_for_each(|i| add(i, None))?,
            other => {
                return Err(Error::new(
                    Kind::Schema,
                    format!("tokenize: the column {:?} has the type {other}, where texts are strings", self.column),
                ));
            }
        }
        let nulls = valid.iter().any(|valid| !valid).then(|| NullBuffer::from(valid));
        let ids: Vec<i32> = PipelineToken::cast_slice(&ids).iter().map(|id| id.cast_signed()).collect();
        let offsets = OffsetBuffer::new(ScalarBuffer::from(ends));
        let made = ListArray::try_new(item(), offsets, Arc::new(Int32Array::from(ids)), nulls);
        Ok(MadeColumn { column: Arc::new(made.map_err(|e| Error::internal(e.to_string()))?), bad })
    }
}
