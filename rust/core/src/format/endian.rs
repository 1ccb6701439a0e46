//! Arrow data of a big-endian machine, turned round.

use arrow_ipc::RecordBatch as Header;
use arrow_schema::{DataType, FieldRef, IntervalUnit, UnionMode};

use crate::error::{Error, Kind, Result};

/// Turns the buffers of a batch round, in the order of its fields. What `check` has checked lies in the body.
pub(super) fn turn(header: Header, fields: &[FieldRef], body: &mut [u8], version_4: bool) -> Result<()> {
    if header.compression().is_some() {
        return Err(Error::new(
            Kind::Unsupported,
            "compressed big-endian data are not read; write them on a little-endian machine",
        ));
    }
    let buffers = header.buffers();
    let mut turning = Turning {
        body,
        places: buffers.iter().flatten().map(|buffer| (buffer.offset() as usize, buffer.length() as usize)).collect(),
        next: 0,
        version_4,
    };
    fields.iter().try_for_each(|field| turning.field(field.data_type()))
}

struct Turning<'a> {
    body: &'a mut [u8],
    places: Vec<(usize, usize)>,
    next: usize,
    version_4: bool,
}

impl Turning<'_> {
    /// Turns the next buffer's items of these widths, one after another; passes over it where there are none.
    fn buffer(&mut self, widths: &[usize]) -> Result<()> {
        let (at, length) = *self
            .places
            .get(self.next)
            .ok_or_else(|| Error::data("a batch with fewer buffers than its columns need"))?;
        self.next += 1;
        let mut rest = &mut self.body[at..at + length];
        while !widths.is_empty() {
            for &width in widths {
                let Some((item, after)) = rest.split_at_mut_checked(width) else { return Ok(()) };
                item.reverse();
                rest = after;
            }
        }
        Ok(())
    }

    fn field(&mut self, data_type: &DataType) -> Result<()> {
        use DataType::{
            Binary, BinaryView, Boolean, Dictionary, FixedSizeBinary, FixedSizeList, Interval, LargeBinary, LargeList,
            LargeListView, LargeUtf8, List, ListView, Map, Null, RunEndEncoded, Struct, Union, Utf8, Utf8View,
        };
        let has_validity = match data_type {
            Null | RunEndEncoded(..) => false,
            Union(..) => self.version_4,
            _ => true,
        };
        if has_validity {
            self.buffer(&[])?;
        }
        match data_type {
            Null => Ok(()),
            Boolean | FixedSizeBinary(_) => self.buffer(&[]),
            Utf8 | Binary => self.buffer(&[4]).and_then(|()| self.buffer(&[])),
            LargeUtf8 | LargeBinary => self.buffer(&[8]).and_then(|()| self.buffer(&[])),
            List(item) | Map(item, _) => self.buffer(&[4]).and_then(|()| self.field(item.data_type())),
            LargeList(item) => self.buffer(&[8]).and_then(|()| self.field(item.data_type())),
            FixedSizeList(item, _) => self.field(item.data_type()),
            Struct(fields) => fields.iter().try_for_each(|field| self.field(field.data_type())),
            Dictionary(key, _) => self.buffer(&[key.primitive_width().unwrap_or(1)]),
            Interval(IntervalUnit::DayTime) => self.buffer(&[4, 4]),
            Interval(IntervalUnit::MonthDayNano) => self.buffer(&[4, 4, 8]),
            Union(fields, mode) => {
                self.buffer(&[])?;
                if *mode == UnionMode::Dense {
                    self.buffer(&[4])?;
                }
                fields.iter().try_for_each(|(_, field)| self.field(field.data_type()))
            }
            RunEndEncoded(ends, values) => self.field(ends.data_type()).and_then(|()| self.field(values.data_type())),
            Utf8View | BinaryView | ListView(_) | LargeListView(_) => Err(Error::new(
                Kind::Unsupported,
                format!("big-endian data of type {data_type} are not read; write them on a little-endian machine"),
            )),
            other => match other.primitive_width() {
                Some(width) => self.buffer(&[width]),
                None => Err(Error::new(Kind::Unsupported, format!("big-endian data of type {data_type} are not read"))),
            },
        }
    }
}
