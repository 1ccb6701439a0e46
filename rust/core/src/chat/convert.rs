//! Values of columns and of JSON, and messages, as templates are given them.

use std::fmt;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type,
};
use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;
use minijinja::Error;
use minijinja::value::{Value, ValueKind};
use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::values::{Dict, float, list, unlike};

/// What is done with floats: those that `~` would print otherwise are refused where a template has it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Floats {
    pub(super) joined: bool,
}

impl Floats {
    fn value(self, number: f64) -> Result<Value, Error> {
        let value = Value::from(number);
        if !number.is_finite() || (self.joined && value.to_string() != float(number)) {
            return Err(unlike("a float that is printed in another way"));
        }
        Ok(value)
    }
}

/// The value of a text of JSON.
pub(super) fn of_json(json: &str, floats: Floats) -> Result<Value, Error> {
    let mut reader = serde_json::Deserializer::from_str(json);
    let value = floats.deserialize(&mut reader).and_then(|value| reader.end().map(|()| value));
    value.map_err(unlike)
}

// Dicts keep the order of their keys.
impl<'de> DeserializeSeed<'de> for Floats {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Value, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Floats {
    type Value = Value;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::from(()))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Value, E> {
        i64::try_from(value).map(Value::from).map_err(E::custom)
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        self.value(value).map_err(E::custom)
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = items.next_element_seed(self)? {
            values.push(value);
        }
        Ok(list(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let mut dict = Vec::new();
        while let Some(name) = fields.next_key::<String>()? {
            dict.push((Value::from(name), fields.next_value_seed(self)?));
        }
        Ok(Value::from_object(Dict(dict)))
    }
}

/// The value of a column in a row.
pub(super) fn of_column(column: &ArrayRef, row: usize, floats: Floats) -> Result<Value, Error> {
    if column.is_null(row) {
        return Ok(Value::from(()));
    }
    let int = |value: i64| Ok(Value::from(value));
    match column.data_type() {
        DataType::Null => Ok(Value::from(())),
        DataType::Boolean => Ok(Value::from(column.as_boolean().value(row))),
        DataType::Utf8 => Ok(Value::from(column.as_string::<i32>().value(row))),
        DataType::LargeUtf8 => Ok(Value::from(column.as_string::<i64>().value(row))),
        DataType::Utf8View => Ok(Value::from(column.as_string_view().value(row))),
        DataType::Int8 => int(column.as_primitive::<Int8Type>().value(row).into()),
        DataType::Int16 => int(column.as_primitive::<Int16Type>().value(row).into()),
        DataType::Int32 => int(column.as_primitive::<Int32Type>().value(row).into()),
        DataType::Int64 => int(column.as_primitive::<Int64Type>().value(row)),
        DataType::UInt8 => int(column.as_primitive::<UInt8Type>().value(row).into()),
        DataType::UInt16 => int(column.as_primitive::<UInt16Type>().value(row).into()),
        DataType::UInt32 => int(column.as_primitive::<UInt32Type>().value(row).into()),
        DataType::Float32 => floats.value(column.as_primitive::<Float32Type>().value(row).into()),
        DataType::Float64 => floats.value(column.as_primitive::<Float64Type>().value(row)),
        DataType::List(_) => of_list(&column.as_list::<i32>().value(row), floats),
        DataType::LargeList(_) => of_list(&column.as_list::<i64>().value(row), floats),
        DataType::Struct(fields) => {
            let of = column.as_struct();
            let mut dict = Vec::with_capacity(fields.len());
            for (field, column) in fields.iter().zip(of.columns()) {
                if field.metadata().contains_key("ARROW:extension:name") {
                    return Err(unlike("a value of an extension type"));
                }
                dict.push((Value::from(field.name().as_str()), of_column(column, row, floats)?));
            }
            Ok(Value::from_object(Dict(dict)))
        }
        other => Err(unlike(format_args!("a value of the type {other}"))),
    }
}

fn of_list(values: &ArrayRef, floats: Floats) -> Result<Value, Error> {
    Ok(list((0..values.len()).map(|row| of_column(values, row, floats)).collect::<Result<_, _>>()?))
}

/// The fields of a message that name its reasoning, all of which templates find under either name.
const REASONING: [&str; 3] = ["reasoning_content", "thinking", "reasoning"];

/// Messages as tokenizers of transformers hand them to templates: without the fields that are `None`, and with the
/// reasoning under the names that templates use.
pub(super) fn messages(given: &Value) -> Result<Vec<Value>, Error> {
    if !matches!(given.kind(), ValueKind::Seq) {
        return Err(unlike("a conversation that is no list"));
    }
    given
        .try_iter()?
        .map(|message| {
            let Some(dict) = message.downcast_object_ref::<Dict>() else {
                return Err(unlike("a message that is no dict"));
            };
            let there: Vec<_> = dict.0.iter().filter(|(_, value)| !value.is_none()).cloned().collect();
            let named = |name: &str| there.iter().position(|(key, _)| key.as_str() == Some(name));
            let Some(reasoning) = REASONING.iter().find_map(|name| named(name)).map(|at| there[at].1.clone()) else {
                return Ok(Value::from_object(Dict(there)));
            };
            let mut fields = there.clone();
            match named("reasoning_content") {
                Some(at) => fields[at].1 = reasoning.clone(),
                None => fields.push((Value::from("reasoning_content"), reasoning.clone())),
            }
            if named("thinking").is_none() {
                fields.insert(0, (Value::from("thinking"), reasoning));
            } else if let Some(at) = named("thinking") {
                // It comes first: `{"thinking": …, **message}`.
                let own = fields.remove(at);
                fields.insert(0, own);
            }
            Ok(Value::from_object(Dict(fields)))
        })
        .collect()
}
