//! Conversations as texts and token ids, by the chat template of a tokenizer.
//!
//! Templates are Jinja's. The crate that renders them here is another implementation, so what may differ is refused:
//! an error of a row means that Jinja2 renders it, and `ops/chat_template.py` tells which templates are not begun here.

mod align;
mod convert;
mod filters;
mod methods;
mod print;
mod rewrite;
mod text;
mod values;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use arrow_array::builder::{Int8Builder, Int32Builder, ListBuilder, StringBuilder};
use arrow_array::{ArrayRef, StructArray};
use arrow_schema::{DataType, Field};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Value;
use minijinja::{AutoEscape, Environment, UndefinedBehavior};
use serde::{Deserialize, Serialize};

use self::align::Alignment;
use self::convert::Floats;
use self::values::unlike;
use crate::error::{Error, Kind, Result};
use crate::tokens::{self, Side};

/// How deep macros and blocks may go into each other.
const DEEP: usize = 300;

/// How the tokens of answers are told from the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mask {
    /// By the template's blocks `generation`.
    Generation,
    /// By what the template adds for each answer.
    Turns,
}

/// How conversations become texts or token ids.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The template.
    pub template: String,
    /// The name of the tokenizer's JSON, which this process holds in memory; without one texts are made.
    pub tokenizer: Option<String>,
    /// How the tokens of answers are told from the rest, if they are.
    pub mask: Option<Mask>,
    /// Whether the text ends with what an answer begins with.
    pub generation_prompt: bool,
    /// What else the template is given: names, and values as JSON.
    pub variables: Vec<(String, String)>,
    /// The time, in the formats that the template asks for.
    pub now: HashMap<String, String>,
    /// Special tokens, with which a turn may end.
    pub special: Vec<String>,
    /// The most ids of a conversation.
    pub max_length: Option<usize>,
    /// Where a longer one is cut.
    pub truncation_side: Side,
}

/// Renders conversations.
pub struct Renderer {
    spec: Spec,
    env: Environment<'static>,
    variables: Vec<(String, Value)>,
    floats: Floats,
    encoder: Option<tokens::Encoder>,
    alignment: Option<Alignment>,
}

/// What was made of conversations.
pub struct Rendered {
    /// Structs with `text`, or `input_ids` and `assistant_masks`; null for a null and for what failed.
    pub rows: StructArray,
    /// The rows that Jinja2 has to render, and why.
    pub failed: Vec<(usize, String)>,
}

type Spans = Vec<(usize, usize)>;

thread_local! {
    /// The characters that were written of a text so far.
    static WRITTEN: Cell<usize> = const { Cell::new(0) };
    /// Where the blocks `generation` of it are.
    static GENERATED: RefCell<Spans> = const { RefCell::new(Vec::new()) };
}

/// Counts the characters that are written, as a block `generation` asks where it is.
struct Counted<'a>(&'a mut Vec<u8>);

impl io::Write for Counted<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let chars = bytes.iter().filter(|byte| **byte & 0xc0 != 0x80).count();
        WRITTEN.with(|written| written.set(written.get() + chars));
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

const NAME: &str = "chat";

fn environment(spec: &Spec) -> std::result::Result<Environment<'static>, minijinja::Error> {
    // Empty: what is not known to be as in Jinja2 is an error, and the row Jinja2's.
    let mut env = Environment::empty();
    env.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(false).build()?);
    env.set_auto_escape_callback(|_| AutoEscape::None);
    env.set_undefined_behavior(UndefinedBehavior::Lenient);
    env.set_recursion_limit(DEEP);
    env.set_formatter(|out, _, value| match value.as_str() {
        Some(text) => Ok(out.write_str(text)?),
        None => print::str_into(value, out).map_err(|_| unlike("this value as a text")),
    });
    env.set_unknown_method_callback(methods::call);
    filters::add(&mut env);
    env.add_filter(rewrite::ITERATED, filters::iterated);
    env.add_filter(rewrite::GENERATION, |body: Value| -> std::result::Result<Value, minijinja::Error> {
        // The body was captured, so that what is written ends before it.
        let chars = body.as_str().ok_or_else(|| unlike("a block without text"))?.chars().count();
        let start = WRITTEN.with(Cell::get);
        GENERATED.with(|spans| spans.borrow_mut().push((start, start + chars)));
        Ok(body)
    });
    env.add_function("raise_exception", |said: &Value| -> std::result::Result<Value, minijinja::Error> {
        Err(unlike(format_args!("the template says {said}")))
    });
    let now = spec.now.clone();
    env.add_function("strftime_now", move |format: &str| -> std::result::Result<String, minijinja::Error> {
        now.get(format).cloned().ok_or_else(|| unlike("the time in another format"))
    });
    env.add_template_owned(NAME, rewrite::rewritten(&spec.template))?;
    Ok(env)
}

impl Renderer {
    /// Reads the template, and the tokenizer if there is one.
    pub fn new(spec: Spec) -> Result<Self> {
        let failed = |e: minijinja::Error| Error::new(Kind::Unsupported, format!("the template is not read: {e}"));
        let env = environment(&spec).map_err(failed)?;
        let floats = Floats { joined: spec.template.contains('~') };
        let variables = spec
            .variables
            .iter()
            .map(|(name, value)| Ok((name.clone(), convert::of_json(value, floats)?)))
            .collect::<std::result::Result<_, _>>()
            .map_err(failed)?;
        let encoder = match &spec.tokenizer {
            None => None,
            Some(name) => Some(
                tokens::Spec {
                    column: String::new(),
                    tokenizer: name.clone(),
                    special_tokens: false,
                    // A mask is of all of them.
                    max_length: None,
                    truncation_side: spec.truncation_side,
                }
                .encoder()?
                .without_limit(),
            ),
        };
        let alignment = match (&spec.mask, &spec.tokenizer) {
            (Some(_), Some(name)) => Alignment::of(&tokens::json(name)?),
            _ => None,
        };
        if spec.mask.is_some() && encoder.is_some() && alignment.is_none() {
            return Err(Error::new(
                Kind::Unsupported,
                "the tokens of this tokenizer are no bytes, so that masks are made in Python",
            ));
        }
        Ok(Self { spec, env, variables, floats, encoder, alignment })
    }

    /// The type of what it makes of a conversation.
    pub fn data_type(&self) -> DataType {
        DataType::Struct(
            if self.encoder.is_none() {
                vec![Field::new("text", DataType::Utf8, true)]
            } else {
                let mut fields = vec![Field::new("input_ids", list_of(DataType::Int32), true)];
                if self.spec.mask.is_some() {
                    fields.push(Field::new("assistant_masks", list_of(DataType::Int8), true));
                }
                fields
            }
            .into(),
        )
    }

    /// Renders the conversations of a column, with the tools of another. Those of functions in Python are texts of JSON.
    pub fn run(&self, column: &ArrayRef, tools: Option<&ArrayRef>, json: bool) -> Result<Rendered> {
        let (mut texts, mut failed) = (StringBuilder::new(), Vec::new());
        let mut ids = ListBuilder::new(Int32Builder::new());
        let mut masks = ListBuilder::new(Int8Builder::new());
        for row in 0..column.len() {
            let made = if column.is_null(row) { Ok(None) } else { self.row(column, tools, row, json).map(Some) };
            let made = made.unwrap_or_else(|e| {
                failed.push((row, e.to_string()));
                None
            });
            let Some((text, encoded)) = made else {
                texts.append_null();
                ids.append_null();
                masks.append_null();
                continue;
            };
            texts.append_value(text);
            let (row_ids, row_mask) = encoded.unwrap_or_default();
            ids.values().append_slice(&row_ids);
            ids.append(true);
            masks.values().append_slice(&row_mask);
            masks.append(true);
        }
        let mut columns: Vec<ArrayRef> = Vec::new();
        if self.encoder.is_none() {
            columns.push(Arc::new(texts.finish()));
        } else {
            columns.push(Arc::new(ids.finish()));
            if self.spec.mask.is_some() {
                columns.push(Arc::new(masks.finish()));
            }
        }
        let DataType::Struct(fields) = self.data_type() else { return Err(Error::internal("no struct")) };
        let rows = StructArray::try_new(fields, columns, None).map_err(|e| Error::internal(e.to_string()))?;
        Ok(Rendered { rows, failed })
    }

    /// The text of a conversation, and its ids and mask if there is a tokenizer.
    #[allow(clippy::type_complexity)]
    fn row(
        &self,
        column: &ArrayRef,
        tools: Option<&ArrayRef>,
        row: usize,
        json: bool,
    ) -> std::result::Result<(String, Option<(Vec<i32>, Vec<i8>)>), minijinja::Error> {
        let value = |column: &ArrayRef| {
            let value = convert::of_column(column, row, self.floats)?;
            match value.as_str().filter(|_| json) {
                Some(json) => convert::of_json(json, self.floats),
                None => Ok(value),
            }
        };
        let messages = convert::messages(&value(column)?)?;
        if messages.is_empty() {
            return Err(unlike("a conversation without messages"));
        }
        let tools = tools.map(value).transpose()?;
        let (text, generated) = self.text(&messages, tools.as_ref(), self.spec.generation_prompt)?;
        let spans = match self.spec.mask {
            Some(Mask::Turns) => self.turns(&messages, tools.as_ref(), &text)?,
            Some(Mask::Generation) => generated,
            None => Vec::new(),
        };
        let Some(encoder) = &self.encoder else { return Ok((text, None)) };
        let mut ids = encoder.ids(&text).map_err(unlike)?;
        let mut mask = match &self.alignment {
            None => Vec::new(),
            Some(alignment) => {
                let offsets = alignment.offsets(&text, &ids).ok_or_else(|| unlike("tokens that are not the text"))?;
                align::mask(&spans, &offsets)
            }
        };
        if let Some(most) = self.spec.max_length.filter(|most| *most < ids.len()) {
            let cut = match self.spec.truncation_side {
                Side::Right => 0..most,
                Side::Left => ids.len() - most..ids.len(),
            };
            mask = mask.get(cut.clone()).map(<[i8]>::to_vec).unwrap_or_default();
            ids = ids[cut].to_vec();
        }
        Ok((text, Some((ids, mask))))
    }

    fn text(
        &self,
        messages: &[Value],
        tools: Option<&Value>,
        generation_prompt: bool,
    ) -> std::result::Result<(String, Spans), minijinja::Error> {
        let none = || Value::from(());
        // What the user gives counts, except for what is of the row.
        let mut context = vec![("tools", none()), ("documents", none())];
        context.extend(self.variables.iter().map(|(name, value)| (name.as_str(), value.clone())));
        context.extend(tools.map(|tools| ("tools", tools.clone())));
        context.push(("messages", values::list(messages.to_vec())));
        context.push(("add_generation_prompt", Value::from(generation_prompt)));
        let context = Value::from_pairs(context);
        WRITTEN.with(|written| written.set(0));
        GENERATED.with(|spans| spans.borrow_mut().clear());
        let mut out = Vec::with_capacity(2048);
        values::was_refused();
        self.env.get_template(NAME)?.render_captured_to(context, Counted(&mut out))?;
        if values::was_refused() {
            return Err(unlike("a value as a part of a text"));
        }
        let text = String::from_utf8(out).map_err(unlike)?;
        Ok((text, GENERATED.with(RefCell::take)))
    }

    /// Where the answers are in a text: what the template adds for each after its generation prompt.
    fn turns(
        &self,
        messages: &[Value],
        tools: Option<&Value>,
        text: &str,
    ) -> std::result::Result<Spans, minijinja::Error> {
        let mut spans = Vec::new();
        for (i, message) in messages.iter().enumerate() {
            if message.get_item(&Value::from("role"))?.as_str() != Some("assistant") {
                continue;
            }
            let (upto, _) = self.text(&messages[..=i], tools, false)?;
            let known = &messages[..i.max(1)];
            let (plain, asked) = (self.text(known, tools, false)?.0, self.text(known, tools, true)?.0);
            let prompt = asked.strip_prefix(plain.as_str()).unwrap_or_default();
            if prompt.is_empty() || !text.starts_with(&upto) {
                return Err(unlike("answers that the template does not tell from the rest"));
            }
            let start = if i > 0 {
                upto.starts_with(&asked).then_some(asked.len())
            } else {
                upto.find(prompt).map(|at| at + prompt.len())
            };
            let start = start.ok_or_else(|| unlike("answers that do not begin after the generation prompt"))?;
            // It ends with a special token, if only space follows that.
            let trimmed = upto.trim_end_matches(text::is_space);
            let ends = self.spec.special.iter().any(|token| trimmed.ends_with(token.as_str()));
            let end = if ends && trimmed.len() >= start { trimmed.len() } else { upto.len() };
            let chars = |end: usize| text[..end].chars().count();
            spans.push((chars(start), chars(end)));
        }
        Ok(spans)
    }
}

fn list_of(item: DataType) -> DataType {
    DataType::List(Arc::new(Field::new("item", item, true)))
}
