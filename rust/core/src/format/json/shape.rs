//! What lines look like, before they are read: the types that all of them fit.

use std::sync::Arc;

use arrow_schema::{DataType, Field, FieldRef, Fields};

use super::syntax::{Fault, Number, Parsed, Reader};
use crate::schema::json_field;

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
    Object(Names),
    /// Values that no one type holds: they are kept as their JSON text.
    Mixed,
}

/// The fields of objects.
#[derive(Debug, Clone, PartialEq, Default)]
pub(in crate::format) struct Names {
    fields: Vec<(String, Shape)>,
    /// Whether an object was seen to its end.
    whole: bool,
    /// Whether some objects lack what others have.
    differ: bool,
}

/// What objects become of which some lack fields that others have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::format) enum Lacking {
    /// What they lack is null.
    Null,
    /// They are kept as their JSON text, as `datasets` keeps them.
    Text,
}

impl Shape {
    /// That of objects with one field, of which nothing is seen yet.
    pub(super) fn of_one(name: &str) -> Self {
        Self::Object(Names { fields: vec![(name.to_owned(), Self::Null)], ..Names::default() })
    }

    /// The first field of objects.
    pub(super) fn first(&mut self) -> Option<&mut Self> {
        match self {
            Self::Object(names) => names.fields.first_mut().map(|(_, shape)| shape),
            _ => None,
        }
    }

    /// Takes in the next value. What a part of it shows, the whole shows too.
    pub(in crate::format) fn see(&mut self, reader: &mut Reader, depth: usize) -> Parsed<()> {
        let at = reader.at;
        let first = reader.peek()?;
        match (&*self, first) {
            (Self::Null, b'{') => *self = Self::Object(Names::default()),
            (Self::Null, b'[') => *self = Self::List(Box::default()),
            _ => {}
        }
        let simple = match (&mut *self, first) {
            (Self::Object(names), b'{') => return names.see(reader, depth),
            (Self::List(item), b'[') => {
                return reader.array(depth, |reader| {
                    reader.peek()?;
                    item.see(reader, depth + 1)
                });
            }
            (Self::Mixed, _) | (_, b'{' | b'[') => {
                reader.skip(depth)?;
                Self::Mixed
            }
            (_, b'"') => reader.string().map(|_| Self::Text)?,
            (_, b't') => reader.word("true").map(|()| Self::Bool)?,
            (_, b'f') => reader.word("false").map(|()| Self::Bool)?,
            (_, b'n') => return reader.word("null"),
            _ => match reader.number()? {
                Number::Int(_) => Self::Int,
                Number::Big(_) => Self::Big,
                Number::Huge(_) if matches!(self, Self::Null | Self::Int | Self::Big) => {
                    return Err(Fault {
                        feature: Some("Value(\"string\")".into()),
                        ..Fault::new(at, "an integer of more than 64 bits")
                    });
                }
                Number::Float(_) | Number::Huge(_) => Self::Float,
            },
        };
        *self = match (&*self, simple) {
            (Self::Null, other) => other,
            (Self::Float | Self::Int | Self::Big, Self::Float) | (Self::Float, Self::Int | Self::Big) => Self::Float,
            (Self::Big | Self::Int, Self::Big) | (Self::Big, Self::Int) => Self::Big,
            (same, other) if *same == other => return Ok(()),
            _ => Self::Mixed,
        };
        Ok(())
    }

    /// The column of such values, as a data set declares it.
    pub(in crate::format) fn field(&self, name: &str, lacking: Lacking) -> Field {
        let data_type = match self {
            Self::Null => DataType::Null,
            Self::Bool => DataType::Boolean,
            Self::Int => DataType::Int64,
            Self::Big => DataType::UInt64,
            Self::Float => DataType::Float64,
            Self::Text => DataType::Utf8,
            Self::List(item) => DataType::List(Arc::new(item.field("item", lacking))),
            Self::Object(names) if lacking == Lacking::Text && (names.differ || names.fields.is_empty()) => {
                return json_field(name);
            }
            Self::Object(_) => DataType::Struct(self.fields(lacking)),
            Self::Mixed => return json_field(name),
        };
        Field::new(name, data_type, true)
    }

    /// The columns of objects, whichever they have; none of other values.
    pub(in crate::format) fn fields(&self, lacking: Lacking) -> Fields {
        match self {
            Self::Object(names) => {
                names.fields.iter().map(|(name, shape)| -> FieldRef { Arc::new(shape.field(name, lacking)) }).collect()
            }
            _ => Fields::empty(),
        }
    }
}

impl Names {
    /// Takes in the next object.
    fn see(&mut self, reader: &mut Reader, depth: usize) -> Parsed<()> {
        let Self { fields, whole, differ } = self;
        let mut next = 0;
        let mut seen = vec![false; fields.len()];
        reader.object(depth, |reader, name| {
            let name = reader.text(name);
            let name = String::from_utf8_lossy(&name);
            let i = match fields.get(next) {
                Some((field, _)) if *field == name => next,
                _ => fields.iter().position(|(field, _)| *field == name).unwrap_or_else(|| {
                    fields.push((name.clone().into_owned(), Shape::Null));
                    seen.push(false);
                    *differ |= *whole;
                    fields.len() - 1
                }),
            };
            if std::mem::replace(&mut seen[i], true) {
                return Err(Fault::new(reader.at, format!("the name {name:?} twice in one object")));
            }
            next = i + 1;
            fields[i].1.see(reader, depth + 1).map_err(|e| e.within(&name))
        })?;
        *whole = true;
        *differ |= !seen.iter().all(|seen| *seen);
        Ok(())
    }
}
