//! Arrays brought to another type that holds their values: what lies in structs goes by name, and no value is cut.

mod exact;
mod json;
mod labels;
mod shapes;
mod texts;
mod values;

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{
    Array, ArrayRef, BooleanArray, FixedSizeListArray, LargeListArray, ListArray, MapArray, StructArray, UInt64Array,
    new_null_array,
};
use arrow_buffer::{BooleanBufferBuilder, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::{ArrowError, DataType, Field, FieldRef, Fields};
use arrow_select::filter::filter;
use arrow_select::nullif::nullif;
use arrow_select::take::take;

use crate::error::{Error, Kind, Result};
use crate::fields::is_json;
use exact::exact;
use json::json_texts;
pub(crate) use labels::{LABELS, Labels};
pub(crate) use shapes::{SHAPE, shaped};
pub(crate) use texts::{moment, reads};
use values::text;

/// A column as a field has it: as its type, and as the labels, in the shape or as the JSON texts that it says.
/// `json`: whether it has JSON texts already.
pub(crate) fn conform_field(array: &ArrayRef, json: bool, field: &Field) -> Result<ArrayRef> {
    if is_json(field) && !json {
        return conform(&json_texts(array)?, field.data_type());
    }
    let made = Labels::of(field).map_or_else(|| conform(array, field.data_type()), |labels| labels.made(array))?;
    shapes::check(&made, field)?;
    Ok(made)
}

/// A column as another type that holds its values. An error knows the row of the value that it does not hold.
pub(crate) fn conform(array: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
    use DataType::{Dictionary, FixedSizeList, LargeList, List, Map, RunEndEncoded, Struct};
    let from = array.data_type();
    if from == to {
        return Ok(Arc::clone(array));
    }
    match (from, to) {
        (Dictionary(_, of), _) if !(text(of) && text(to)) => conform(&exact(array, of)?, to),
        (RunEndEncoded(_, of), _) => conform(&exact(array, of.data_type())?, to),
        (Struct(_), Struct(fields)) => Ok(Arc::new(named(array.as_struct(), fields)?)),
        (_, Struct(fields)) if is_media(fields) => media(array, fields),
        (_, List(_) | LargeList(_) | FixedSizeList(..) | Map(..)) => match Lists::of(array)? {
            Some(lists) => lists.made(to),
            None => exact(array, to),
        },
        _ => exact(array, to),
    }
}

fn failed(e: ArrowError) -> Error {
    Error::data(e.to_string())
}

/// A struct with other fields: each is that of its name, null where there is none.
fn named(from: &StructArray, fields: &Fields) -> Result<StructArray> {
    // Media are stored beside what describes them, such as a sampling rate.
    let media = is_media(fields) && fields.iter().any(|field| from.column_by_name(field.name()).is_some());
    for (field, column) in from.fields().iter().zip(from.columns()) {
        if media || fields.iter().any(|other| other.name() == field.name()) {
            continue;
        }
        let there = NullBuffer::union(from.nulls(), column.logical_nulls().as_ref());
        if let Some(row) = (0..from.len()).find(|row| there.as_ref().is_none_or(|there| there.is_valid(*row))) {
            let what = format!("has a field {:?}, which its declared type lacks", field.name());
            return Err(Error::new(Kind::Schema, what).on_row(row as u64));
        }
    }
    let column = |field: &FieldRef| match from.fields().find(field.name()) {
        Some((i, own)) => {
            conform_field(&beneath(from.column(i), field.data_type(), from.nulls())?, is_json(own), field)
                .map_err(|e| e.at(format_args!("field {:?}", field.name())))
        }
        None => Ok(new_null_array(field.data_type(), from.len())),
    };
    let columns = fields.iter().map(column).collect::<Result<Vec<_>>>()?;
    StructArray::try_new_with_length(fields.clone(), columns, from.nulls().cloned(), from.len()).map_err(failed)
}

/// Whether a struct is what is stored of an image, a sound or other media: its bytes, and its path.
pub(crate) fn is_media(fields: &Fields) -> bool {
    let has = |name: &str, is: fn(&DataType) -> bool| {
        fields.iter().any(|field| field.name() == name && is(field.data_type()))
    };
    fields.len() == 2 && has("bytes", binary) && has("path", text)
}

fn binary(of: &DataType) -> bool {
    matches!(of, DataType::Binary | DataType::LargeBinary | DataType::BinaryView)
}

/// Media of a column of paths, or of bytes.
fn media(array: &ArrayRef, fields: &Fields) -> Result<ArrayRef> {
    let from = array.data_type();
    if !text(from) && !binary(from) {
        return exact(array, &DataType::Struct(fields.clone()));
    }
    let column = |field: &FieldRef| {
        if text(field.data_type()) == text(from) {
            conform(array, field.data_type())
        } else {
            Ok(new_null_array(field.data_type(), array.len()))
        }
    };
    let columns = fields.iter().map(column).collect::<Result<Vec<_>>>()?;
    Ok(Arc::new(StructArray::try_new(fields.clone(), columns, array.logical_nulls()).map_err(failed)?))
}

/// The key and the value of entries, which go by their place.
fn entries(from: &StructArray, fields: &Fields) -> Result<StructArray> {
    let columns = from
        .columns()
        .iter()
        .zip(from.fields())
        .zip(fields)
        .map(|((column, own), field)| conform_field(column, is_json(own), field))
        .collect::<Result<Vec<_>>>()?;
    StructArray::try_new_with_length(fields.clone(), columns, from.nulls().cloned(), from.len()).map_err(failed)
}

/// The same of a map, where the fields may be called in the other order.
fn pairs(from: &StructArray, fields: &Fields) -> Result<StructArray> {
    if fields[0].name() == "value" && fields[1].name() == "key" {
        let swapped: Fields = [&fields[1], &fields[0]].into_iter().cloned().collect();
        return named(&entries(from, &swapped)?, fields);
    }
    entries(from, fields)
}

/// What a struct has in a field, null where the struct itself is: what stands there is no value.
fn beneath(column: &ArrayRef, to: &DataType, nulls: Option<&NullBuffer>) -> Result<ArrayRef> {
    match nulls.filter(|nulls| nulls.null_count() > 0 && column.data_type() != to) {
        Some(nulls) => nullif(column, &BooleanArray::new(!nulls.inner(), None)).map_err(failed),
        None => Ok(Arc::clone(column)),
    }
}

/// Lists of any kind: the items of all of them, and where those of each begin.
struct Lists {
    items: ArrayRef,
    offsets: Vec<usize>,
    nulls: Option<NullBuffer>,
    /// Whether the items are JSON texts.
    json: bool,
    /// Whether they are maps, whose items are keys and values by their place.
    map: bool,
}

impl Lists {
    fn of(array: &ArrayRef) -> Result<Option<Self>> {
        let narrow = |offsets: &OffsetBuffer<i32>| offsets.iter().map(|at| *at as usize).collect();
        let (items, offsets): (ArrayRef, Vec<usize>) = match array.data_type() {
            DataType::List(_) => {
                (Arc::clone(array.as_list::<i32>().values()), narrow(array.as_list::<i32>().offsets()))
            }
            DataType::LargeList(_) => {
                let lists = array.as_list::<i64>();
                (Arc::clone(lists.values()), lists.offsets().iter().map(|at| *at as usize).collect())
            }
            DataType::FixedSizeList(_, length) => (
                Arc::clone(array.as_fixed_size_list().values()),
                (0..=array.len()).map(|i| i * *length as usize).collect(),
            ),
            DataType::Map(..) => (Arc::new(array.as_map().entries().clone()), narrow(array.as_map().offsets())),
            DataType::ListView(item) => return Self::of(&exact(array, &DataType::List(Arc::clone(item)))?),
            DataType::LargeListView(item) => return Self::of(&exact(array, &DataType::LargeList(Arc::clone(item)))?),
            _ => return Ok(None),
        };
        let json = match array.data_type() {
            DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => is_json(item),
            _ => false,
        };
        let lists = Self {
            items,
            offsets,
            nulls: array.nulls().cloned(),
            json,
            map: matches!(array.data_type(), DataType::Map(..)),
        };
        lists.tight().map(Some)
    }

    /// The same without items of other rows, and of those that are null.
    fn tight(mut self) -> Result<Self> {
        let (first, last) = (self.offsets[0], self.offsets[self.offsets.len() - 1]);
        if (first, last) != (0, self.items.len()) {
            self.items = self.items.slice(first, last - first);
            self.offsets.iter_mut().for_each(|at| *at -= first);
        }
        let Some(nulls) = self.nulls.as_ref().filter(|nulls| nulls.null_count() > 0) else { return Ok(self) };
        let lengths = || self.offsets.windows(2).map(|pair| pair[1] - pair[0]);
        if !lengths().zip(nulls).any(|(length, valid)| length > 0 && !valid) {
            return Ok(self);
        }
        let (mut kept, mut offsets) = (BooleanBufferBuilder::new(self.items.len()), vec![0]);
        for (length, valid) in lengths().zip(nulls) {
            kept.append_n(length, valid);
            offsets.push(offsets[offsets.len() - 1] + if valid { length } else { 0 });
        }
        let items = filter(&self.items, &BooleanArray::new(kept.finish(), None)).map_err(failed)?;
        Ok(Self { items, offsets, ..self })
    }

    /// As lists of one of the kinds that rows have.
    fn made(self, to: &DataType) -> Result<ArrayRef> {
        let (DataType::List(field)
        | DataType::LargeList(field)
        | DataType::FixedSizeList(field, _)
        | DataType::Map(field, _)) = to
        else {
            return Err(Error::internal("lists as no lists"));
        };
        let in_row = |e: Error| e.counted(|item| self.offsets.partition_point(|at| *at as u64 <= item) as u64 - 1);
        let items: ArrayRef = match (self.items.data_type(), field.data_type()) {
            (DataType::Struct(pair), DataType::Struct(fields))
                if pair.len() == 2
                    && fields.len() == 2
                    && (self.map
                        || (matches!(to, DataType::Map(..))
                            && fields.iter().any(|field| pair.iter().all(|one| one.name() != field.name())))) =>
            {
                Arc::new(
                    if self.map {
                        pairs(self.items.as_struct(), fields)
                    } else {
                        entries(self.items.as_struct(), fields)
                    }
                    .map_err(in_row)?,
                )
            }
            _ => conform_field(&self.items, self.json, field).map_err(in_row)?,
        };
        let narrow = || {
            let offsets = self.offsets.iter().map(|at| {
                i32::try_from(*at)
                    .map_err(|_| Error::new(Kind::Schema, "more than 2^31 items in the lists of one batch"))
            });
            Ok::<_, Error>(OffsetBuffer::new(ScalarBuffer::from(offsets.collect::<Result<Vec<_>>>()?)))
        };
        let (field, nulls) = (Arc::clone(field), self.nulls.clone());
        Ok(match to {
            DataType::List(_) => Arc::new(ListArray::try_new(field, narrow()?, items, nulls).map_err(failed)?),
            DataType::Map(_, sorted) => Arc::new(
                MapArray::try_new(field, narrow()?, items.as_struct().clone(), nulls, *sorted).map_err(failed)?,
            ),
            DataType::FixedSizeList(_, length) => {
                let items = self.even(&items, *length as usize)?;
                Arc::new(
                    FixedSizeListArray::try_new_with_length(field, *length, items, nulls, self.offsets.len() - 1)
                        .map_err(failed)?,
                )
            }
            _ => {
                let offsets =
                    OffsetBuffer::new(ScalarBuffer::from(self.offsets.iter().map(|at| *at as i64).collect::<Vec<_>>()));
                Arc::new(LargeListArray::try_new(field, offsets, items, nulls).map_err(failed)?)
            }
        })
    }

    /// Items of lists that have one length; those that are null have as many nulls.
    fn even(&self, items: &ArrayRef, length: usize) -> Result<ArrayRef> {
        let valid = |row: usize| self.nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row));
        let rows = self.offsets.len() - 1;
        if let Some(row) = (0..rows).find(|row| valid(*row) && self.offsets[row + 1] - self.offsets[*row] != length) {
            let found = self.offsets[row + 1] - self.offsets[row];
            return Err(Error::new(Kind::Schema, format!("a list of {found} items cannot be read as one of {length}"))
                .on_row(row as u64));
        }
        if items.len() == rows * length {
            return Ok(Arc::clone(items));
        }
        let place = |i: usize| valid(i / length).then(|| (self.offsets[i / length] + i % length) as u64);
        take(items, &(0..rows * length).map(place).collect::<UInt64Array>(), None).map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::{Int32Array, Int64Array};
    use arrow_buffer::Buffer;

    fn item(of: DataType) -> FieldRef {
        Arc::new(Field::new("item", of, true))
    }

    fn made(array: &ArrayRef, to: &DataType) -> std::result::Result<ArrayRef, (Option<u64>, String)> {
        conform(array, to).map_err(|e| (e.row(), e.to_string()))
    }

    /// Three lists of two integers, of which the second is null but has items.
    fn arrays() -> ArrayRef {
        let items = Arc::new(Int32Array::from(vec![1, 2, 300, 4, 5, 6]));
        let nulls = NullBuffer::from(vec![true, false, true]);
        Arc::new(FixedSizeListArray::new(item(DataType::Int32), 2, items, Some(nulls)))
    }

    #[test]
    fn lists_of_any_kind_become_each_other() -> Result<()> {
        let array = arrays();
        let narrow = |kind: fn(FieldRef) -> DataType| kind(item(DataType::Int8));
        let fixed = |field| DataType::FixedSizeList(field, 2);
        for kind in [DataType::List as fn(FieldRef) -> DataType, DataType::LargeList as fn(FieldRef) -> DataType, fixed]
        {
            let other = conform(&array, &narrow(kind))?;
            assert_eq!((other.null_count(), other.len()), (1, 3));
            for back in
                [DataType::List as fn(FieldRef) -> DataType, DataType::LargeList as fn(FieldRef) -> DataType, fixed]
            {
                let again = conform(&conform(&other, &back(item(DataType::Int64)))?, array.data_type())?;
                let valid = [0, 2].map(|row| {
                    again.as_fixed_size_list().value(row).as_ref() == array.as_fixed_size_list().value(row).as_ref()
                });
                assert_eq!((again.is_null(1), valid), (true, [true, true]));
            }
        }
        let part = conform(&array.slice(2, 1), &narrow(DataType::List))?;
        assert_eq!((part.len(), part.as_list::<i32>().values().len()), (1, 2));
        Ok(())
    }

    #[test]
    fn an_error_names_the_row_whose_list_has_the_item() {
        let items = Arc::new(Int64Array::from(vec![1, 300, 2, 3, 300]));
        let offsets = OffsetBuffer::new(ScalarBuffer::from(vec![2, 3, 3, 5]));
        let lists: ArrayRef = Arc::new(ListArray::new(item(DataType::Int64), offsets, items, None));
        let to = DataType::LargeList(item(DataType::Int8));
        assert_eq!(made(&lists, &to).err(), Some((Some(2), "300 cannot be read as Int8".into())));
        let to = DataType::FixedSizeList(item(DataType::Int64), 1);
        assert_eq!(made(&lists, &to).err(), Some((Some(1), "a list of 0 items cannot be read as one of 1".into())));
    }

    #[test]
    fn fields_of_structs_go_by_name_and_none_is_lost() {
        let fields =
            |names: &[&str]| names.iter().map(|name| Field::new(*name, DataType::Int64, true)).collect::<Fields>();
        let column = |values: Vec<Option<i64>>| Arc::new(Int64Array::from(values)) as ArrayRef;
        let nulls = Some(NullBuffer::from(vec![true, false]));
        let from = StructArray::new(
            fields(&["x", "y"]),
            vec![column(vec![Some(1), Some(7)]), column(vec![None, Some(8)])],
            nulls,
        );
        let from: ArrayRef = Arc::new(from);
        let named = made(&from, &DataType::Struct(fields(&["z", "x"])));
        let named = named
            .map(|made| made.as_struct().column(1).as_ref().as_primitive::<arrow_array::types::Int64Type>().value(0));
        assert_eq!(named, Ok(1));
        let lost = made(&from, &DataType::Struct(fields(&["y"])));
        assert_eq!(lost.err(), Some((Some(0), "has a field \"x\", which its declared type lacks".into())));
    }

    #[test]
    fn keys_and_values_of_maps_go_by_their_place() -> Result<()> {
        let pair = |value: DataType, names: [&str; 2]| {
            Fields::from(vec![Field::new(names[0], DataType::Int32, false), Field::new(names[1], value, true)])
        };
        let entries = pair(DataType::Int64, ["keys", "values"]);
        let columns: Vec<ArrayRef> =
            vec![Arc::new(Int32Array::from(vec![1, 2])), Arc::new(Int64Array::from(vec![10, 20]))];
        let field = Arc::new(Field::new("entries", DataType::Struct(entries.clone()), false));
        let offsets = OffsetBuffer::new(ScalarBuffer::from(vec![0, 1, 2]));
        let map: ArrayRef =
            Arc::new(MapArray::new(field, offsets, StructArray::new(entries, columns, None), None, false));
        let to = Arc::new(Field::new("key_value", DataType::Struct(pair(DataType::Int8, ["key", "value"])), false));
        assert_eq!(conform(&map, &DataType::Map(to, false))?.as_map().values().len(), 2);
        let lists = conform(&map, &DataType::List(item(DataType::Struct(pair(DataType::Int64, ["key", "value"])))))?;
        let values = lists
            .as_list::<i32>()
            .values()
            .as_struct()
            .column(1)
            .as_primitive::<arrow_array::types::Int64Type>()
            .values()
            .inner()
            .clone();
        assert_eq!(values, Buffer::from_slice_ref([10_i64, 20]));
        assert_eq!(conform(&lists, map.data_type())?.as_map().keys().len(), 2);
        Ok(())
    }
}
