//! Columns of numbers, and of lists of numbers, gathered from anywhere into one array that is written once.
//!
//! What a training loop asks for at each step: some rows by number. Levels of lists are looked at as runs of rows, so
//! that what lies in a row in memory is copied in one piece.

use arrow_array::ArrowPrimitiveType;
use arrow_array::types::Float16Type;
use arrow_buffer::{ArrowNativeType, MutableBuffer, ScalarBuffer};
use pyo3::prelude::*;
use rowstream_core::{Error, Result};

use crate::buffer::WritableBuffer;
use crate::error::raise;
use crate::rows::{Column, Values};

type F16 = <Float16Type as ArrowPrimitiveType>::Native;

/// Values `start..start + len` of a column.
#[derive(Clone, Copy)]
pub struct Run<'a> {
    pub column: &'a Column,
    pub start: usize,
    pub len: usize,
}

/// Numbers of rows: one array of a shape, or arrays of several lengths one after another.
struct Numbers<'a> {
    runs: Vec<Run<'a>>,
    count: usize,
    /// Without the number of rows.
    shape: Vec<usize>,
    /// The length of each row's array, where they differ.
    lengths: Option<Vec<usize>>,
    kind: Kind,
}

/// Types that NumPy has.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Bool,
    I8,
    I16,
    I32,
    I64,
    U8,
    U16,
    U32,
    U64,
    F16,
    F32,
    F64,
}

impl Kind {
    fn of(column: &Column) -> Option<Self> {
        Some(match &column.values {
            Values::Bool(_) => Self::Bool,
            Values::I8(_) => Self::I8,
            Values::I16(_) => Self::I16,
            Values::I32(_) => Self::I32,
            Values::I64(_) => Self::I64,
            Values::U8(_) => Self::U8,
            Values::U16(_) => Self::U16,
            Values::U32(_) => Self::U32,
            Values::U64(_) => Self::U64,
            Values::F16(_) => Self::F16,
            Values::F32(_) => Self::F32,
            Values::F64(_) => Self::F64,
            _ => return None,
        })
    }

    /// The type of a tensor of such numbers, where none was asked for: 64-bit integers and 32-bit floats.
    fn by_default(self) -> Self {
        match self {
            Self::Bool => Self::Bool,
            Self::F16 | Self::F32 | Self::F64 => Self::F32,
            _ => Self::I64,
        }
    }

    fn width(self) -> usize {
        match self {
            Self::Bool | Self::I8 | Self::U8 => 1,
            Self::I16 | Self::U16 | Self::F16 => 2,
            Self::I32 | Self::U32 | Self::F32 => 4,
            Self::I64 | Self::U64 | Self::F64 => 8,
        }
    }

    fn dtype(self) -> &'static str {
        match self {
            Self::Bool => "|b1",
            Self::I8 => "<i1",
            Self::I16 => "<i2",
            Self::I32 => "<i4",
            Self::I64 => "<i8",
            Self::U8 => "<u1",
            Self::U16 => "<u2",
            Self::U32 => "<u4",
            Self::U64 => "<u8",
            Self::F16 => "<f2",
            Self::F32 => "<f4",
            Self::F64 => "<f8",
        }
    }
}

fn damaged(from: usize, upto: usize, of: usize) -> Error {
    Error::data(format!("a list from value {from} to {upto} of {of}: the file is damaged"))
}

/// Whether none of a run's values is null.
fn all_there(run: &Run<'_>) -> bool {
    run.column.nulls.as_ref().is_none_or(|nulls| nulls.slice(run.start, run.len).null_count() == 0)
}

/// The items of lists, as runs of the lists' child.
struct Items<'a> {
    runs: Vec<Run<'a>>,
    lengths: Vec<usize>,
}

impl<'a> Items<'a> {
    fn push(&mut self, column: &'a Column, from: usize, upto: usize) -> Result<()> {
        if upto < from {
            return Err(damaged(from, upto, column.len));
        }
        match self.runs.last_mut() {
            Some(last) if std::ptr::eq(last.column, column) && last.start + last.len == from => last.len += upto - from,
            _ => self.runs.push(Run { column, start: from, len: upto - from }),
        }
        Ok(())
    }

    fn lists<O: ArrowNativeType>(&mut self, run: &Run<'a>, offsets: &ScalarBuffer<O>, child: &'a Column) -> Result<()> {
        let Some(ends) = offsets.get(run.start..=run.start + run.len) else {
            return Err(damaged(run.start, run.start + run.len, offsets.len()));
        };
        for pair in ends.windows(2) {
            let (from, upto) = (pair[0].as_usize(), pair[1].as_usize());
            self.push(child, from, upto)?;
            self.lengths.push(upto - from);
        }
        Ok(())
    }

    /// `None`: no lists, or some are null.
    fn of(runs: &[Run<'a>]) -> Result<Option<Self>> {
        let mut items = Self { runs: Vec::with_capacity(runs.len()), lengths: Vec::with_capacity(runs.len()) };
        for run in runs {
            if !all_there(run) {
                return Ok(None);
            }
            match &run.column.values {
                Values::List(offsets, child) => items.lists(run, offsets, child)?,
                Values::LargeList(offsets, child) => items.lists(run, offsets, child)?,
                Values::FixedList(n, child) => {
                    items.push(child, run.start * n, (run.start + run.len) * n)?;
                    items.lengths.extend(std::iter::repeat_n(*n, run.len));
                }
                _ => return Ok(None),
            }
        }
        Ok(Some(items))
    }

    /// The one length that all lists have.
    fn length(&self) -> Option<usize> {
        let first = *self.lengths.first()?;
        self.lengths.iter().all(|length| *length == first).then_some(first)
    }
}

/// An array for NumPy: its type, the shape of a row, its bytes, and the length of each row where they differ.
pub type Array<'py> = (&'static str, Vec<usize>, Bound<'py, PyAny>, Option<Vec<usize>>);

/// Some rows of a column as an array, if they are numbers without nulls. `by_default`: in the type that tensors have
/// where none was asked for.
pub fn array<'py>(py: Python<'py>, runs: Vec<Run<'_>>, by_default: bool) -> PyResult<Option<Array<'py>>> {
    let Some(numbers) = Numbers::of(runs).map_err(|e| raise(&e))? else { return Ok(None) };
    // Whether large numbers stay unsigned is asked of each array.
    if by_default && numbers.lengths.is_some() && numbers.target(true) == Kind::U64 {
        return Ok(None);
    }
    let (dtype, bytes) = numbers.written(py, by_default)?;
    Ok(Some((dtype, numbers.shape, bytes, numbers.lengths)))
}

impl<'a> Numbers<'a> {
    /// Looks at rows. `None`: they are not numbers, or some are null, or they are lists of lists of several lengths.
    fn of(mut runs: Vec<Run<'a>>) -> Result<Option<Self>> {
        let (mut shape, mut lengths) = (Vec::new(), None);
        let kind = loop {
            let Some(first) = runs.first() else { return Ok(None) };
            if let Some(kind) = Kind::of(first.column) {
                break kind;
            }
            let Some(items) = Items::of(&runs)? else { return Ok(None) };
            match items.length() {
                Some(0) => return Ok(None),
                Some(length) if lengths.is_none() => shape.push(length),
                None if shape.is_empty() && lengths.is_none() => lengths = Some(items.lengths),
                _ => return Ok(None),
            }
            runs = items.runs;
        };
        if !runs.iter().all(all_there) {
            return Ok(None);
        }
        for run in &runs {
            if run.start + run.len > run.column.len {
                return Err(damaged(run.start, run.start + run.len, run.column.len));
            }
        }
        let count = runs.iter().map(|run| run.len).sum();
        Ok(Some(Self { runs, count, shape, lengths, kind }))
    }

    /// The type of the array. `by_default`: as tensors have it, rather than as the column.
    fn target(&self, by_default: bool) -> Kind {
        let target = if by_default { self.kind.by_default() } else { self.kind };
        // What has the highest bit would become negative.
        let large = |run: &Run<'_>| match &run.column.values {
            Values::U64(values) => values[run.start..run.start + run.len].iter().any(|v| v >> 63 != 0),
            _ => false,
        };
        if self.kind == Kind::U64 && self.runs.iter().any(large) { Kind::U64 } else { target }
    }

    /// Writes all values into new memory, which Python may change: the type for NumPy, and the bytes.
    fn written<'py>(&self, py: Python<'py>, by_default: bool) -> PyResult<(&'static str, Bound<'py, PyAny>)> {
        let target = self.target(by_default);
        let bytes = self.count * target.width();
        let mut made = MutableBuffer::with_capacity(bytes);
        let place = Place(made.as_mut_ptr(), bytes);
        // Below this, to let go of the interpreter and to get it back takes longer than the copy.
        if bytes > 1 << 18 { py.detach(|| self.write(&place, target)) } else { self.write(&place, target) }
            .map_err(|e| raise(&e))?;
        // SAFETY: there is room for them, and the runs, which have so many values together, wrote each.
        unsafe { made.set_len(bytes) };
        Ok((target.dtype(), Bound::new(py, WritableBuffer::new(made.into()))?.into_any()))
    }

    fn write(&self, place: &Place, target: Kind) -> Result<()> {
        let mut at = 0;
        for run in &self.runs {
            let to = place.part(at, run.len * target.width())?;
            at += run.len * target.width();
            run.write(to, target)?;
        }
        Ok(())
    }
}

/// Memory that is written by one thread.
struct Place(*mut u8, usize);

// SAFETY: the memory belongs to an object that no other thread knows of.
unsafe impl Send for Place {}
// SAFETY: as above.
unsafe impl Sync for Place {}

impl Place {
    /// Where some of the bytes go. Parts do not overlap.
    fn part(&self, at: usize, len: usize) -> Result<*mut u8> {
        if at + len > self.1 {
            return Err(Error::internal(format!("{len} bytes at {at} of {}", self.1)));
        }
        // SAFETY: it is within the memory.
        Ok(unsafe { self.0.add(at) })
    }
}

/// Copies values as they are.
fn same<T: Copy>(from: &[T], to: *mut u8) {
    // SAFETY: `to` has room for as many values, and is not part of `from`.
    unsafe { std::ptr::copy_nonoverlapping(from.as_ptr().cast::<u8>(), to, size_of_val(from)) }
}

/// Copies values in another type.
fn cast<T: Copy, U>(from: &[T], to: *mut u8, f: impl Fn(T) -> U) {
    let to = to.cast::<U>();
    for (i, value) in from.iter().enumerate() {
        // SAFETY: `to` has room for as many values of the type; it need not be aligned.
        unsafe { to.add(i).write_unaligned(f(*value)) }
    }
}

impl Run<'_> {
    fn write(&self, to: *mut u8, target: Kind) -> Result<()> {
        let range = self.start..self.start + self.len;
        macro_rules! numbers {
            ($values:expr, $own:ident, $default:ident, $f:expr) => {
                match target {
                    Kind::$own => same(&$values[range], to),
                    Kind::$default => cast(&$values[range], to, $f),
                    _ => return Err(Error::internal("numbers of another type")),
                }
            };
        }
        match &self.column.values {
            Values::Bool(values) => {
                for (i, row) in range.enumerate() {
                    // SAFETY: there is a byte for each.
                    unsafe { to.add(i).write(u8::from(values.value(row))) }
                }
            }
            Values::I8(values) => numbers!(values, I8, I64, i64::from),
            Values::I16(values) => numbers!(values, I16, I64, i64::from),
            Values::I32(values) => numbers!(values, I32, I64, i64::from),
            Values::U8(values) => numbers!(values, U8, I64, i64::from),
            Values::U16(values) => numbers!(values, U16, I64, i64::from),
            Values::U32(values) => numbers!(values, U32, I64, i64::from),
            // Below the highest bit, they are the same.
            Values::I64(values) => same(&values[range], to),
            Values::U64(values) => same(&values[range], to),
            Values::F16(values) => numbers!(values, F16, F32, F16::to_f32),
            Values::F32(values) => same(&values[range], to),
            #[expect(clippy::cast_possible_truncation, reason = "it is the type that was asked for")]
            Values::F64(values) => numbers!(values, F64, F32, |v: f64| v as f32),
            _ => return Err(Error::internal("what are no numbers")),
        }
        Ok(())
    }
}
