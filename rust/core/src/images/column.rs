//! A column of images as a column of arrays.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, FixedSizeListArray, ListArray, make_array};
use arrow_buffer::{Buffer, MutableBuffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_data::ArrayData;
use arrow_schema::{DataType, FieldRef};

use super::{Layout, Opened, Spec};
use crate::error::{Error, Kind, Result};
use crate::made_column::MadeColumn;

/// The bytes of each row of a column of images: bytes, or structs of `bytes` and `path`.
enum Files<'a> {
    Bytes(&'a ArrayRef),
    Media { bytes: Option<&'a ArrayRef>, path: Option<&'a ArrayRef>, of: &'a ArrayRef },
}

/// What one row has.
enum Encoded<'a> {
    Bytes(&'a [u8]),
    Read(Vec<u8>),
    Null,
}

fn bytes_of(array: &ArrayRef, row: usize) -> Option<&[u8]> {
    (!array.is_null(row)).then(|| match array.data_type() {
        DataType::BinaryView => array.as_binary_view().value(row),
        DataType::Binary => array.as_binary::<i32>().value(row),
        _ => array.as_binary::<i64>().value(row),
    })
}

fn text_of(array: &ArrayRef, row: usize) -> Option<&str> {
    (!array.is_null(row)).then(|| match array.data_type() {
        DataType::Utf8View => array.as_string_view().value(row),
        DataType::Utf8 => array.as_string::<i32>().value(row),
        _ => array.as_string::<i64>().value(row),
    })
}

fn is_bytes(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Binary | DataType::LargeBinary | DataType::BinaryView)
}

/// Whether images can be in a column of this type.
pub(crate) fn can_have_images(data_type: &DataType) -> bool {
    match data_type {
        DataType::Struct(fields) => {
            let of = |name| fields.iter().find(|f| f.name() == name).map(|f| f.data_type());
            let text =
                |data_type: &DataType| matches!(data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View);
            match (of("bytes"), of("path")) {
                (None, None) => false,
                (bytes, path) => bytes.is_none_or(is_bytes) && path.is_none_or(text),
            }
        }
        other => is_bytes(other),
    }
}

impl<'a> Files<'a> {
    fn of(array: &'a ArrayRef, spec: &Spec) -> Result<Self> {
        if !can_have_images(array.data_type()) {
            return Err(Error::new(
                Kind::Schema,
                format!(
                    "decode_images: the column {:?} has the type {}, where images are bytes, or structs of bytes and \
                     a path",
                    spec.column,
                    array.data_type()
                ),
            ));
        }
        Ok(match array.data_type() {
            DataType::Struct(_) => {
                let fields = array.as_struct();
                Self::Media { bytes: fields.column_by_name("bytes"), path: fields.column_by_name("path"), of: array }
            }
            _ => Self::Bytes(array),
        })
    }

    fn get(&self, row: usize) -> Result<Encoded<'a>> {
        match self {
            Self::Bytes(array) => Ok(bytes_of(array, row).map_or(Encoded::Null, Encoded::Bytes)),
            Self::Media { of, .. } if of.is_null(row) => Ok(Encoded::Null),
            Self::Media { bytes, path, .. } => {
                if let Some(bytes) = bytes.and_then(|array| bytes_of(array, row)) {
                    return Ok(Encoded::Bytes(bytes));
                }
                let Some(path) = path.and_then(|array| text_of(array, row)) else {
                    return Err(Error::data("an image with neither bytes nor a path"));
                };
                if path.contains("://") {
                    return Err(Error::new(
                        Kind::Unsupported,
                        format!("the image {path} is on another machine: decode_images reads paths of this one"),
                    ));
                }
                std::fs::read(path).map(Encoded::Read).map_err(|e| Error::io(&e, path))
            }
        }
    }
}

/// Decodes a column. `keys`: what names each row.
pub fn decode(array: &ArrayRef, spec: &Spec, keys: &[[u64; 5]]) -> Result<MadeColumn> {
    let files = Files::of(array, spec)?;
    let numbers = MutableBuffer::new(spec.row_bytes().unwrap_or(0) * keys.len());
    let mut made = Made { spec, rows: keys.len(), numbers, sizes: Vec::new() };
    let (mut bad, mut there) = (Vec::new(), vec![true; keys.len()]);
    for (row, key) in keys.iter().enumerate() {
        let added = match files.get(row) {
            Ok(Encoded::Null) => Ok(false),
            Ok(Encoded::Bytes(bytes)) => made.add(bytes, key).map(|()| true),
            Ok(Encoded::Read(bytes)) => made.add(&bytes, key).map(|()| true),
            Err(error) => Err(error),
        };
        there[row] = matches!(added, Ok(true));
        if !there[row] {
            made.leave_out();
        }
        if let Err(error) = added {
            bad.push((row, error));
        }
    }
    let nulls = there.contains(&false).then(|| NullBuffer::from(there));
    let column = if spec.size.is_some() {
        lists(&spec.data_type(), keys.len(), made.numbers.into(), nulls)?
    } else {
        made.varied(nulls)?
    };
    Ok(MadeColumn { column, bad })
}

/// The most bytes that a column of images of several sizes has room for at first.
const FIRST: usize = 64 << 20;

/// The numbers of the images of some rows, one after another.
struct Made<'a> {
    spec: &'a Spec,
    rows: usize,
    numbers: MutableBuffer,
    /// Height and width of each.
    sizes: Vec<(usize, usize)>,
}

/// Nested lists of fixed lengths over some numbers.
fn lists(data_type: &DataType, rows: usize, numbers: Buffer, nulls: Option<NullBuffer>) -> Result<ArrayRef> {
    let failed = |e: arrow_schema::ArrowError| Error::internal(e.to_string());
    match data_type {
        DataType::FixedSizeList(item, n) => {
            let values = lists(item.data_type(), rows * *n as usize, numbers, None)?;
            let list = FixedSizeListArray::try_new_with_length(Arc::clone(item), *n, values, nulls, rows);
            Ok(Arc::new(list.map_err(failed)?))
        }
        number => {
            let data = ArrayData::builder(number.clone()).len(rows).add_buffer(numbers).build().map_err(failed)?;
            Ok(make_array(data))
        }
    }
}

impl Made<'_> {
    /// Decodes one more image.
    fn add(&mut self, bytes: &[u8], key: &[u64]) -> Result<()> {
        let rows = self.rows;
        let (spec, at) = (self.spec, self.numbers.len());
        let numbers = &mut self.numbers;
        let mut decoded = || -> Result<(usize, usize)> {
            let opened = Opened::new(bytes, spec, key)?;
            let (height, width) = opened.size();
            let (height, width) = (height as usize, width as usize);
            let bytes = height * width * spec.channels() * spec.width();
            if at == 0 {
                // The images of a column have mostly about one size: it does not grow, and is not copied, again and again.
                numbers.reserve(bytes.max((bytes * rows).min(FIRST)));
            }
            numbers.resize(at + bytes, 0);
            opened.write(spec, &mut numbers.as_slice_mut()[at..])?;
            Ok((height, width))
        };
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(&mut decoded));
        match caught.unwrap_or_else(|_| Err(Error::internal("decoding an image panicked"))) {
            Ok(size) => {
                self.sizes.push(size);
                Ok(())
            }
            Err(error) => {
                self.numbers.truncate(at);
                Err(error)
            }
        }
    }

    /// One more row, without an image.
    fn leave_out(&mut self) {
        self.numbers.resize(self.numbers.len() + self.spec.row_bytes().unwrap_or(0), 0);
        self.sizes.push((0, 0));
    }

    /// Images of several sizes as nested lists.
    fn varied(self, nulls: Option<NullBuffer>) -> Result<ArrayRef> {
        let Self { spec, numbers, sizes, .. } = self;
        let channels = spec.channels();
        let failed = |e: arrow_schema::ArrowError| Error::internal(e.to_string());
        let offsets = |lengths: &mut dyn Iterator<Item = usize>| -> Result<OffsetBuffer<i32>> {
            let (mut at, mut ends) = (0_usize, vec![0_i32]);
            for length in lengths {
                at += length;
                ends.push(i32::try_from(at).map_err(|_| Error::data("images of too many pixels for one batch"))?);
            }
            Ok(OffsetBuffer::new(ScalarBuffer::from(ends)))
        };
        let list = |item: &FieldRef, offsets, values, nulls| -> Result<ArrayRef> {
            Ok(Arc::new(ListArray::try_new(Arc::clone(item), offsets, values, nulls).map_err(failed)?))
        };
        let no_list = || Error::internal("no list of lists");
        Ok(match (spec.layout, &spec.data_type()) {
            (Layout::Hwc, DataType::List(outer)) => {
                let DataType::List(inner) = outer.data_type() else { return Err(no_list()) };
                let pixels = numbers.len() / spec.width() / channels;
                let values = lists(inner.data_type(), pixels, numbers.into(), None)?;
                let lines = offsets(&mut sizes.iter().flat_map(|&(h, w)| std::iter::repeat_n(w, h)))?;
                let values = list(inner, lines, values, None)?;
                list(outer, offsets(&mut sizes.iter().map(|size| size.0))?, values, nulls)?
            }
            (_, DataType::FixedSizeList(outer, n)) => {
                let DataType::List(plane) = outer.data_type() else { return Err(no_list()) };
                let DataType::List(line) = plane.data_type() else { return Err(no_list()) };
                let count = numbers.len() / spec.width();
                let values = lists(line.data_type(), count, numbers.into(), None)?;
                let lines = offsets(&mut sizes.iter().flat_map(|&(h, w)| std::iter::repeat_n(w, h * channels)))?;
                let values = list(line, lines, values, None)?;
                let planes = offsets(&mut sizes.iter().flat_map(|size| std::iter::repeat_n(size.0, channels)))?;
                let values = list(plane, planes, values, None)?;
                let rows = sizes.len();
                let lists = FixedSizeListArray::try_new_with_length(Arc::clone(outer), *n, values, nulls, rows);
                Arc::new(lists.map_err(failed)?)
            }
            _ => return Err(Error::internal("a type of images")),
        })
    }
}
