//! What lines look like, before they are read: the types that all of them fit.

use std::sync::Arc;

use arrow_schema::{DataType, Field, FieldRef, Fields};

use super::syntax::{Fault, Number, Parsed, Reader};

/// The type of all values seen so far.
#[derive(Debug, Clone, PartialEq, Default)]
pub(in crate::format) enum Shape {
    #[default]
    Null,
    Bool,
    Int,
    /// Integers, some too large for a sign.
    Big,
    Float,
    Text,
    List(Box<Shape>),
    Object(Vec<(String, Shape)>),
}

impl Shape {
    /// What a value is called in messages.
    pub(in crate::format) fn name(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool => "true or false",
            Self::Int | Self::Big => "an integer",
            Self::Float => "a number",
            Self::Text => "a string",
            Self::List(_) => "a list",
            Self::Object(_) => "an object",
        }
    }

    /// Takes in the next value.
    pub(in crate::format) fn see(&mut self, reader: &mut Reader, depth: usize) -> Parsed<()> {
        let at = reader.at;
        let simple = match reader.peek()? {
            b'{' => {
                if matches!(self, Self::Null) {
                    *self = Self::Object(Vec::new());
                }
                let Self::Object(fields) = self else { return Err(self.mixed(at, &Self::Object(Vec::new()))) };
                let mut next = 0;
                let mut seen = vec![false; fields.len()];
                return reader.object(depth, |reader, name| {
                    let name = reader.text(name);
                    let name = String::from_utf8_lossy(&name);
                    let i = match fields.get(next) {
                        Some((field, _)) if *field == name => next,
                        _ => fields.iter().position(|(field, _)| *field == name).unwrap_or_else(|| {
                            fields.push((name.clone().into_owned(), Self::Null));
                            seen.push(false);
                            fields.len() - 1
                        }),
                    };
                    if std::mem::replace(&mut seen[i], true) {
                        return Err(Fault::new(reader.at, format!("the name {name:?} twice in one object")));
                    }
                    next = i + 1;
                    fields[i].1.see(reader, depth + 1).map_err(|e| e.within(&name))
                });
            }
            b'[' => {
                if matches!(self, Self::Null) {
                    *self = Self::List(Box::default());
                }
                let Self::List(item) = self else { return Err(self.mixed(at, &Self::List(Box::default()))) };
                return reader.array(depth, |reader| {
                    reader.peek()?;
                    item.see(reader, depth + 1)
                });
            }
            b'"' => reader.string().map(|_| Self::Text)?,
            b't' => reader.word("true").map(|()| Self::Bool)?,
            b'f' => reader.word("false").map(|()| Self::Bool)?,
            b'n' => reader.word("null").map(|()| Self::Null)?,
            _ => match reader.number()? {
                Number::Int(_) => Self::Int,
                Number::Big(_) => Self::Big,
                Number::Float(_) => Self::Float,
                Number::Huge(_) if matches!(self, Self::Float) => Self::Float,
                Number::Huge(_) => {
                    return Err(Fault { feature: Some("Value(\"string\")".into()), ..Fault::new(at, "an integer of more than 64 bits") });
                }
            },
        };
        *self = match (&*self, simple) {
            (Self::Null, other) => other,
            (_, Self::Null) => return Ok(()),
            (Self::Float | Self::Int | Self::Big, Self::Float) | (Self::Float, Self::Int | Self::Big) => Self::Float,
            (Self::Big | Self::Int, Self::Big) | (Self::Big, Self::Int) => Self::Big,
            (same, other) if *same == other => return Ok(()),
            (one, other) => return Err(one.mixed(at, &other)),
        };
        Ok(())
    }

    fn mixed(&self, at: usize, found: &Self) -> Fault {
        let what = format!("{} here, {} in earlier lines, and no type holds both", found.name(), self.name());
        Fault { feature: Some("Value(\"string\")".into()), ..Fault::new(at, what) }
    }

    /// The type, as a data set declares it.
    pub(in crate::format) fn data_type(&self) -> DataType {
        match self {
            Self::Null => DataType::Null,
            Self::Bool => DataType::Boolean,
            Self::Int => DataType::Int64,
            Self::Big => DataType::UInt64,
            Self::Float => DataType::Float64,
            Self::Text => DataType::Utf8,
            Self::List(item) => DataType::List(Arc::new(Field::new("item", item.data_type(), true))),
            Self::Object(fields) => DataType::Struct(Self::fields(fields)),
        }
    }

    pub(in crate::format) fn fields(fields: &[(String, Self)]) -> Fields {
        fields.iter().map(|(name, shape)| -> FieldRef { Arc::new(Field::new(name, shape.data_type(), true)) }).collect()
    }
}
