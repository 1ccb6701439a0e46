//! Names of labels: columns of integers that are declared to have them. Files have the integers, or the names.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, ArrayRef, Int64Array};
use arrow_schema::{DataType, Field};

use super::conform;
use super::exact::exact;
use super::values::{misfit, text};
use crate::error::Result;
use crate::forked::Forked;

/// What the metadata of a field call the names of its labels, as a JSON list.
pub(crate) const LABELS: &str = "rowstream.labels";

/// Names that were read of metadata: they are looked at for every batch.
static KNOWN: LazyLock<Forked<HashMap<String, Arc<Labels>>>> = LazyLock::new(Forked::default);

/// The labels of a column.
#[derive(Debug)]
pub(crate) struct Labels {
    names: Vec<String>,
    ids: HashMap<String, i64>,
}

impl Labels {
    /// Those of a field, if it has any.
    pub(crate) fn of(field: &Field) -> Option<Arc<Self>> {
        let said = field.metadata().get(LABELS).filter(|_| *field.data_type() == DataType::Int64)?;
        let mut known = KNOWN.lock();
        if let Some(labels) = known.get(said) {
            return Some(Arc::clone(labels));
        }
        let names: Vec<String> = serde_json::from_str(said).ok()?;
        let ids = (0..).zip(&names).map(|(id, name)| (name.clone(), id)).collect();
        let labels = Arc::new(Self { names, ids });
        known.insert(said.clone(), Arc::clone(&labels));
        Some(labels)
    }

    /// Whether an integer is a label, or less than all of them: -1 where it is not known, -100 where a loss ignores it.
    pub(crate) fn holds(&self, id: i64) -> bool {
        id < self.names.len() as i64
    }

    /// The label of a name, or of an integer as text.
    pub(crate) fn id(&self, name: &str) -> Option<i64> {
        let id = || name.trim().parse().ok().filter(|id| self.holds(*id));
        self.ids.get(name).or_else(|| self.ids.get(name.trim())).copied().or_else(id)
    }

    /// What is expected, in words.
    pub(crate) fn expected(&self) -> String {
        let names: Vec<String> = self.names.iter().take(5).map(|name| format!("{name:?}")).collect();
        let more = if self.names.len() > names.len() { ", …" } else { "" };
        format!("one of the labels {}{more}, or 0 to {}", names.join(", "), self.names.len().saturating_sub(1))
    }

    /// A column of names or of integers as one of labels.
    pub(super) fn made(&self, array: &ArrayRef) -> Result<ArrayRef> {
        let none = |row: usize| Err(misfit(array, row, &format!("is no label: expected {}", self.expected())));
        let from = match array.data_type() {
            DataType::Dictionary(_, of) => of.as_ref(),
            DataType::RunEndEncoded(_, of) => of.data_type(),
            other => other,
        };
        let bytes = matches!(from, DataType::Binary | DataType::LargeBinary | DataType::BinaryView);
        if !text(from) && !bytes {
            let ids = conform(array, &DataType::Int64)?;
            let lost = ids.as_primitive::<Int64Type>().iter().position(|id| id.is_some_and(|id| !self.holds(id)));
            return lost.map_or(Ok(ids), none);
        }
        let names =
            exact(&conform(array, if bytes { &DataType::Binary } else { &DataType::Utf8View })?, &DataType::Utf8View)?;
        let names = names.as_string_view();
        let ids: Int64Array = names.iter().map(|name| name.and_then(|name| self.id(name))).collect();
        if ids.null_count() > names.null_count()
            && let Some(row) = (0..ids.len()).find(|row| ids.is_null(*row) && names.is_valid(*row))
        {
            return none(row);
        }
        Ok(Arc::new(ids))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use arrow_array::{BinaryArray, StringArray};

    #[test]
    fn names_and_integers_become_labels() -> Result<()> {
        let field =
            Field::new("y", DataType::Int64, true).with_metadata([(LABELS.to_owned(), r#"["2", "no"]"#.to_owned())]);
        let labels = Labels::of(&field).ok_or_else(|| Error::internal("no labels"))?;
        let made = |array: ArrayRef| {
            labels
                .made(&array)
                .map(|ids| ids.as_primitive::<Int64Type>().iter().collect::<Vec<_>>())
                .map_err(|e| e.to_string())
        };
        // A name that looks like an integer is the name.
        assert_eq!(
            made(Arc::new(StringArray::from(vec![Some("2"), Some("no"), None, Some(" 1 ")]))),
            Ok(vec![Some(0), Some(1), None, Some(1)])
        );
        assert_eq!(made(Arc::new(BinaryArray::from(vec![b"no".as_slice(), b"0"]))), Ok(vec![Some(1), Some(0)]));
        assert_eq!(made(Arc::new(Int64Array::from(vec![-1, 1]))), Ok(vec![Some(-1), Some(1)]));
        let no = made(Arc::new(Int64Array::from(vec![0, 2])));
        assert_eq!(no, Err(r#"2 is no label: expected one of the labels "2", "no", or 0 to 1"#.into()));
        assert!(
            made(Arc::new(StringArray::from(vec!["maybe"]))).is_err_and(|e| e.starts_with("\"maybe\" is no label"))
        );
        Ok(())
    }
}
