//! Rows as Python objects, made one at a time, when they are asked for.
//!
//! This is the hottest code of the library: a training script sees every value through it. So it calls the C API
//! directly. Keys are made once for a schema. A column's type is looked at once for a unit, not for each row. Short
//! strings that come again, such as roles of a conversation, are kept.

use std::ffi::c_char;
use std::ops::Range;
use std::ptr::null_mut;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Date64Type, DurationMicrosecondType, DurationMillisecondType,
    DurationNanosecondType, DurationSecondType, Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, Time32MillisecondType, Time32SecondType, Time64MicrosecondType, Time64NanosecondType,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt8Type,
    UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, BinaryViewArray, BooleanArray, RecordBatch, StringViewArray};
use arrow_buffer::{ArrowNativeType, Buffer, NullBuffer, ScalarBuffer};
use arrow_schema::{DataType, Fields, TimeUnit};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyList, PyString};
use rowstream_core::{Error, Kind};

use crate::error::raise;
use crate::pixels::{Pixels, marked};
use crate::scalars;

/// The keys of a schema's rows and structs, and its strings' caches.
pub struct Shape {
    root: Node,
    caches: Vec<Cache>,
}

/// The part of a shape that belongs to one column.
struct Node {
    keys: Vec<Py<PyString>>,
    children: Vec<Node>,
    cache: usize,
}

impl Shape {
    /// The shape of rows with these columns.
    pub fn new(py: Python<'_>, fields: &Fields) -> Self {
        let mut caches = 0;
        let root = Node::of_fields(py, fields, &mut caches);
        Self { root, caches: (0..caches).map(|_| Cache::default()).collect() }
    }
}

impl Node {
    fn of_fields(py: Python<'_>, fields: &Fields, caches: &mut usize) -> Self {
        let keys = fields.iter().map(|f| PyString::intern(py, f.name()).unbind()).collect();
        let children = fields.iter().map(|f| Self::of_type(py, f.data_type(), caches)).collect();
        Self { keys, children, cache: 0 }
    }

    fn of_type(py: Python<'_>, data_type: &DataType, caches: &mut usize) -> Self {
        match data_type {
            DataType::Struct(fields) => Self::of_fields(py, fields, caches),
            DataType::List(f) | DataType::LargeList(f) | DataType::FixedSizeList(f, _) | DataType::Map(f, _) => {
                Self { keys: Vec::new(), children: vec![Self::of_type(py, f.data_type(), caches)], cache: 0 }
            }
            _ => {
                *caches += 1;
                Self { keys: Vec::new(), children: Vec::new(), cache: *caches - 1 }
            }
        }
    }
}

/// Short strings of one column that came before. A string of at most twelve bytes is one 128-bit word in a view.
#[derive(Default)]
struct Cache {
    slots: Vec<(u128, Option<Py<PyAny>>)>,
    tries: u32,
    hits: u32,
}

const SLOTS: usize = 64;

impl Cache {
    /// Whether it is worth looking: after some tries, only where one in four hit.
    fn worth(&self) -> bool {
        self.tries < 512 || self.hits >= self.tries / 4
    }

    fn slot(&mut self, view: u128) -> &mut (u128, Option<Py<PyAny>>) {
        if self.slots.is_empty() {
            self.slots.resize_with(SLOTS, || (0, None));
        }
        let folded = (view as u64) ^ ((view >> 64) as u64).rotate_left(29);
        &mut self.slots[(folded.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 58) as usize]
    }
}

/// The columns of one unit, their types resolved, and how many reads of memory lie behind each other in them.
pub struct Columns {
    columns: Vec<Column>,
    pub depth: usize,
}

impl Columns {
    /// Looks at the types of a batch's columns.
    pub fn new(batch: &RecordBatch) -> PyResult<Self> {
        let columns: Vec<Column> = batch.columns().iter().map(Column::new).collect::<PyResult<_>>()?;
        Ok(Self { depth: columns.iter().map(Column::depth).max().unwrap_or(0), columns })
    }

    /// Has the memory of a row fetched, `depth` reads deep: what lies before that was fetched already. A shuffle jumps
    /// about in memory, and would wait for most of it.
    pub fn fetch(&self, row: usize, depth: usize) {
        for column in &self.columns {
            column.fetch(row, depth);
        }
    }

    /// One row, as a dict.
    pub fn row<'py>(&self, py: Python<'py>, shape: &mut Shape, row: usize) -> PyResult<Bound<'py, PyAny>> {
        // SAFETY: `dict` gives a new reference, or null with an exception set.
        unsafe { Bound::from_owned_ptr_or_err(py, dict(py, &self.columns, &shape.root, &mut shape.caches, row)) }
    }

    /// A column.
    pub fn get(&self, column: usize) -> &Column {
        &self.columns[column]
    }

    /// Has the memory of one column's row fetched.
    pub fn fetch_one(&self, column: usize, row: usize, depth: usize) {
        if depth < self.columns[column].depth() {
            self.columns[column].fetch(row, depth);
        }
    }

    /// Puts some rows of a column into a list.
    pub fn extend(
        &self,
        py: Python<'_>,
        shape: &mut Shape,
        column: usize,
        start: usize,
        len: usize,
        list: &mut List<'_>,
    ) -> PyResult<()> {
        let (column, node) = (&self.columns[column], &shape.root.children[column]);
        for row in start..start + len {
            // SAFETY: `value` gives a new reference, or null with an exception set, and `push` takes it.
            unsafe { list.push(py, value(py, column, node, &mut shape.caches, row))? };
        }
        Ok(())
    }

    /// A column's rows, as a list.
    pub fn list<'py>(
        &self,
        py: Python<'py>,
        shape: &mut Shape,
        column: usize,
        rows: usize,
    ) -> PyResult<Bound<'py, PyAny>> {
        // SAFETY: `items` gives a new reference, or null with an exception set.
        unsafe {
            Bound::from_owned_ptr_or_err(
                py,
                items(py, &self.columns[column], &shape.root.children[column], &mut shape.caches, 0, rows),
            )
        }
    }
}

/// A list of a known length that is filled from its beginning.
pub struct List<'py> {
    items: Bound<'py, PyAny>,
    next: usize,
    len: usize,
}

impl<'py> List<'py> {
    pub fn new(py: Python<'py>, len: usize) -> PyResult<Self> {
        // SAFETY: a new reference, or null with an exception set. Empty places are allowed until it is handed out.
        let items = unsafe { Bound::from_owned_ptr_or_err(py, ffi::PyList_New(len.cast_signed()))? };
        Ok(Self { items, next: 0, len })
    }

    /// Puts the next item in. `item`: a new reference, which is taken, or null with an exception set.
    unsafe fn push(&mut self, py: Python<'_>, item: *mut ffi::PyObject) -> PyResult<()> {
        // SAFETY: the place is within the list, and empty.
        unsafe {
            if item.is_null() || ffi::PyList_SetItem(self.items.as_ptr(), self.next.cast_signed(), item) != 0 {
                return Err(PyErr::fetch(py));
            }
        }
        self.next += 1;
        Ok(())
    }

    /// The list, all of whose places are filled.
    pub fn into_list(self) -> Bound<'py, PyList> {
        assert_eq!(self.next, self.len, "a list with empty places");
        // SAFETY: it is a list.
        unsafe { self.items.cast_into_unchecked() }
    }
}

type Nulls = Option<NullBuffer>;

/// A column, ready to give values.
pub struct Column {
    pub nulls: Nulls,
    pub values: Values,
    pub len: usize,
}

pub enum Values {
    Null,
    Bool(BooleanArray),
    I8(ScalarBuffer<i8>),
    I16(ScalarBuffer<i16>),
    I32(ScalarBuffer<i32>),
    I64(ScalarBuffer<i64>),
    U8(ScalarBuffer<u8>),
    U16(ScalarBuffer<u16>),
    U32(ScalarBuffer<u32>),
    U64(ScalarBuffer<u64>),
    F16(ScalarBuffer<<Float16Type as ArrowPrimitiveType>::Native>),
    F32(ScalarBuffer<f32>),
    F64(ScalarBuffer<f64>),
    Str(StringViewArray),
    Bytes(BinaryViewArray),
    /// Text or bytes between offsets, which are checked when they are used: nobody has looked at what a mapped file
    /// has.
    Offsets(ScalarBuffer<i32>, Buffer, bool),
    LargeOffsets(ScalarBuffer<i64>, Buffer, bool),
    List(ScalarBuffer<i32>, Box<Column>),
    LargeList(ScalarBuffer<i64>, Box<Column>),
    FixedList(usize, Box<Column>),
    Map(ScalarBuffer<i32>, Box<Column>),
    Struct(Vec<Column>),
    Scalar(scalars::Scalars),
    Pixels(Pixels),
}

impl Column {
    pub fn new(array: &ArrayRef) -> PyResult<Self> {
        fn of<T: ArrowPrimitiveType>(array: &ArrayRef) -> ScalarBuffer<T::Native> {
            array.as_primitive::<T>().values().clone()
        }
        use scalars::Scalars;
        let values = match array.data_type() {
            DataType::FixedSizeList(item, _) | DataType::List(item) if marked(item) => {
                Values::Pixels(Pixels::of(array).ok_or_else(|| raise(&Error::internal("no pixels")))?)
            }
            DataType::Null => Values::Null,
            DataType::Boolean => Values::Bool(array.as_boolean().clone()),
            DataType::Int8 => Values::I8(of::<Int8Type>(array)),
            DataType::Int16 => Values::I16(of::<Int16Type>(array)),
            DataType::Int32 => Values::I32(of::<Int32Type>(array)),
            DataType::Int64 => Values::I64(of::<Int64Type>(array)),
            DataType::UInt8 => Values::U8(of::<UInt8Type>(array)),
            DataType::UInt16 => Values::U16(of::<UInt16Type>(array)),
            DataType::UInt32 => Values::U32(of::<UInt32Type>(array)),
            DataType::UInt64 => Values::U64(of::<UInt64Type>(array)),
            DataType::Float16 => Values::F16(of::<Float16Type>(array)),
            DataType::Float32 => Values::F32(of::<Float32Type>(array)),
            DataType::Float64 => Values::F64(of::<Float64Type>(array)),
            DataType::Utf8View => Values::Str(array.as_string_view().clone()),
            DataType::BinaryView => Values::Bytes(array.as_binary_view().clone()),
            DataType::Utf8 | DataType::Binary => {
                let data = array.to_data();
                let offsets = ScalarBuffer::new(
                    data.buffers()[0].clone(),
                    data.offset(),
                    if data.is_empty() { 0 } else { data.len() + 1 },
                );
                Values::Offsets(offsets, data.buffers()[1].clone(), *array.data_type() == DataType::Utf8)
            }
            DataType::LargeUtf8 | DataType::LargeBinary => {
                let data = array.to_data();
                let offsets = ScalarBuffer::new(
                    data.buffers()[0].clone(),
                    data.offset(),
                    if data.is_empty() { 0 } else { data.len() + 1 },
                );
                Values::LargeOffsets(offsets, data.buffers()[1].clone(), *array.data_type() == DataType::LargeUtf8)
            }
            DataType::FixedSizeBinary(_) => Values::Scalar(Scalars::FixedBinary(array.as_fixed_size_binary().clone())),
            DataType::List(_) => {
                let list = array.as_list::<i32>();
                Values::List(list.offsets().inner().clone(), Box::new(Self::new(list.values())?))
            }
            DataType::LargeList(_) => {
                let list = array.as_list::<i64>();
                Values::LargeList(list.offsets().inner().clone(), Box::new(Self::new(list.values())?))
            }
            DataType::FixedSizeList(_, n) => {
                Values::FixedList(*n as usize, Box::new(Self::new(array.as_fixed_size_list().values())?))
            }
            DataType::Map(..) => {
                let map = array.as_map();
                let entries: ArrayRef = std::sync::Arc::new(map.entries().clone());
                Values::Map(map.offsets().inner().clone(), Box::new(Self::new(&entries)?))
            }
            DataType::Struct(_) => {
                Values::Struct(array.as_struct().columns().iter().map(Self::new).collect::<PyResult<_>>()?)
            }
            DataType::Date32 => Values::Scalar(Scalars::Date32(of::<Date32Type>(array))),
            DataType::Date64 => Values::Scalar(Scalars::Date64(of::<Date64Type>(array))),
            DataType::Time32(TimeUnit::Second) => {
                Values::Scalar(Scalars::Time(of::<Time32SecondType>(array).iter().map(|v| i64::from(*v)).collect(), 1))
            }
            DataType::Time32(_) => Values::Scalar(Scalars::Time(
                of::<Time32MillisecondType>(array).iter().map(|v| i64::from(*v)).collect(),
                1000,
            )),
            DataType::Time64(TimeUnit::Nanosecond) => {
                Values::Scalar(Scalars::Time(of::<Time64NanosecondType>(array), 1_000_000_000))
            }
            DataType::Time64(_) => Values::Scalar(Scalars::Time(of::<Time64MicrosecondType>(array), 1_000_000)),
            DataType::Timestamp(unit, zone) => {
                let values = match unit {
                    TimeUnit::Second => of::<TimestampSecondType>(array),
                    TimeUnit::Millisecond => of::<TimestampMillisecondType>(array),
                    TimeUnit::Microsecond => of::<TimestampMicrosecondType>(array),
                    TimeUnit::Nanosecond => of::<TimestampNanosecondType>(array),
                };
                Values::Scalar(Scalars::Timestamp(values, scalars::per_second(*unit), zone.clone()))
            }
            DataType::Duration(unit) => {
                let values = match unit {
                    TimeUnit::Second => of::<DurationSecondType>(array),
                    TimeUnit::Millisecond => of::<DurationMillisecondType>(array),
                    TimeUnit::Microsecond => of::<DurationMicrosecondType>(array),
                    TimeUnit::Nanosecond => of::<DurationNanosecondType>(array),
                };
                Values::Scalar(Scalars::Duration(values, scalars::per_second(*unit)))
            }
            DataType::Decimal32(..) | DataType::Decimal64(..) | DataType::Decimal128(..) | DataType::Decimal256(..) => {
                Values::Scalar(Scalars::Decimal(array.clone()))
            }
            DataType::Interval(_) => Values::Scalar(Scalars::Interval(array.clone())),
            other => {
                return Err(raise(&Error::new(
                    Kind::Unsupported,
                    format!("values of type {other} cannot be Python objects; read them with with_format(\"arrow\")"),
                )));
            }
        };
        let nulls = array.nulls().filter(|n| n.null_count() > 0).cloned();
        Ok(Self { nulls, values, len: array.len() })
    }
}

/// Asks for a cache line, without waiting.
fn fetch<T>(of: &[T], i: usize) {
    #[cfg(target_arch = "x86_64")]
    if let Some(item) = of.get(i) {
        // SAFETY: a prefetch reads nothing, and the address is that of an item.
        unsafe {
            std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(std::ptr::from_ref(item).cast());
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (of, i);
}

/// The most bytes of one string, and the most items of one list, that are fetched ahead.
const FETCHED: (usize, usize) = (1024, 4);

impl Column {
    /// How many reads of memory lie behind each other.
    fn depth(&self) -> usize {
        match &self.values {
            Values::Str(_) | Values::Bytes(_) | Values::Offsets(..) | Values::LargeOffsets(..) => 2,
            Values::List(_, child) | Values::LargeList(_, child) | Values::Map(_, child) => 1 + child.depth(),
            Values::FixedList(_, child) => child.depth(),
            Values::Struct(columns) => columns.iter().map(Self::depth).max().unwrap_or(0),
            Values::Null | Values::Scalar(_) | Values::Pixels(_) => 0,
            _ => 1,
        }
    }

    fn fetch(&self, i: usize, depth: usize) {
        let list = |from: usize, upto: usize, child: &Self| {
            (from..upto.min(from.saturating_add(FETCHED.1)).min(child.len)).for_each(|j| child.fetch(j, depth - 1));
        };
        let text = |views: &[u128], buffers: &[Buffer]| {
            let view = views[i];
            let (length, buffer, offset) = (view as u32 as usize, (view >> 64) as u32 as usize, (view >> 96) as usize);
            if length > 12
                && let Some(bytes) = buffers.get(buffer)
            {
                (0..length.min(FETCHED.0)).step_by(64).for_each(|at| fetch(bytes, offset + at));
            }
        };
        let run = |from: usize, upto: usize, bytes: &Buffer| {
            (from..upto.min(from.saturating_add(FETCHED.0))).step_by(64).for_each(|at| fetch(bytes, at));
        };
        match (&self.values, depth) {
            (Values::Struct(columns), _) => columns.iter().for_each(|column| column.fetch(i, depth)),
            (Values::FixedList(n, child), _) if *n > 0 => child.fetch(i * n, depth),
            (Values::Offsets(offsets, bytes, _), 1) => run(offsets[i] as usize, offsets[i + 1] as usize, bytes),
            (Values::LargeOffsets(offsets, bytes, _), 1) => run(offsets[i] as usize, offsets[i + 1] as usize, bytes),
            (Values::Str(values), 0) => fetch(values.views(), i),
            (Values::Bytes(values), 0) => fetch(values.views(), i),
            (Values::Str(values), 1) => text(values.views(), values.data_buffers()),
            (Values::Bytes(values), 1) => text(values.views(), values.data_buffers()),
            (Values::Offsets(offsets, ..) | Values::List(offsets, _) | Values::Map(offsets, _), 0) => fetch(offsets, i),
            (Values::LargeOffsets(offsets, ..) | Values::LargeList(offsets, _), 0) => fetch(offsets, i),
            (Values::List(offsets, child) | Values::Map(offsets, child), _) => {
                list(offsets[i] as usize, offsets[i + 1] as usize, child);
            }
            (Values::LargeList(offsets, child), _) => list(offsets[i] as usize, offsets[i + 1] as usize, child),
            (Values::I32(values), 0) => fetch(values, i),
            (Values::I64(values), 0) => fetch(values, i),
            (Values::F32(values), 0) => fetch(values, i),
            (Values::F64(values), 0) => fetch(values, i),
            _ => {}
        }
    }
}

/// The dict of row `i`. New reference, or null with an exception set.
unsafe fn dict(py: Python<'_>, columns: &[Column], node: &Node, caches: &mut [Cache], i: usize) -> *mut ffi::PyObject {
    // SAFETY: the interpreter is attached; every reference made here is given to the dict or released.
    unsafe {
        let made = ffi::PyDict_New();
        if made.is_null() {
            return made;
        }
        for ((column, node_of), key) in columns.iter().zip(&node.children).zip(&node.keys) {
            let item = value(py, column, node_of, caches, i);
            if item.is_null() {
                ffi::Py_DECREF(made);
                return null_mut();
            }
            let failed = ffi::PyDict_SetItem(made, key.as_ptr(), item);
            ffi::Py_DECREF(item);
            if failed != 0 {
                ffi::Py_DECREF(made);
                return null_mut();
            }
        }
        made
    }
}

/// A list of the values `from..upto`. New reference, or null with an exception set.
unsafe fn items(
    py: Python<'_>,
    column: &Column,
    node: &Node,
    caches: &mut [Cache],
    from: usize,
    upto: usize,
) -> *mut ffi::PyObject {
    // SAFETY: as in `dict`; `PyList_SetItem` takes the reference, and empty places of a list that is dropped are
    // allowed.
    unsafe {
        let made = ffi::PyList_New((upto - from).cast_signed());
        if made.is_null() {
            return made;
        }
        // Long lists are mostly of numbers: their type is looked at once.
        if column.nulls.is_none() {
            let filled = match &column.values {
                Values::I32(values) => fill(made, values.get(from..upto), |v| ffi::PyLong_FromLong(v.into())),
                Values::I64(values) => fill(made, values.get(from..upto), |v| ffi::PyLong_FromLongLong(v)),
                Values::F32(values) => fill(made, values.get(from..upto), |v| ffi::PyFloat_FromDouble(v.into())),
                Values::F64(values) => fill(made, values.get(from..upto), |v| ffi::PyFloat_FromDouble(v)),
                _ => None,
            };
            match filled {
                Some(true) => return made,
                Some(false) => {
                    ffi::Py_DECREF(made);
                    return null_mut();
                }
                None => {}
            }
        }
        for i in from..upto {
            let item = value(py, column, node, caches, i);
            if item.is_null() || ffi::PyList_SetItem(made, (i - from).cast_signed(), item) != 0 {
                ffi::Py_DECREF(made);
                return null_mut();
            }
        }
        made
    }
}

/// Fills a list with numbers. `None`: there are none at these places; false: an exception is set.
unsafe fn fill<T: Copy>(
    list: *mut ffi::PyObject,
    values: Option<&[T]>,
    make: impl Fn(T) -> *mut ffi::PyObject,
) -> Option<bool> {
    for (i, value) in values?.iter().enumerate() {
        let item = make(*value);
        // SAFETY: as in `items`.
        if item.is_null() || unsafe { ffi::PyList_SetItem(list, i.cast_signed(), item) } != 0 {
            return Some(false);
        }
    }
    Some(true)
}

/// The list of pairs that a map is. New reference, or null with an exception set.
unsafe fn pairs(
    py: Python<'_>,
    entries: &Column,
    node: &Node,
    caches: &mut [Cache],
    from: usize,
    upto: usize,
) -> *mut ffi::PyObject {
    let (Values::Struct(columns), [key, item]) = (&entries.values, node.children.as_slice()) else { return null_mut() };
    // SAFETY: as in `items`.
    unsafe {
        let made = ffi::PyList_New((upto - from).cast_signed());
        if made.is_null() {
            return made;
        }
        for i in from..upto {
            let pair = ffi::PyTuple_New(2);
            let sound = !pair.is_null()
                && [(0, &columns[0], key), (1, &columns[1], item)].into_iter().all(|(at, column, node)| {
                    let made = value(py, column, node, caches, i);
                    !made.is_null() && ffi::PyTuple_SetItem(pair, at, made) == 0
                });
            if !sound || ffi::PyList_SetItem(made, (i - from).cast_signed(), pair) != 0 {
                if !sound {
                    ffi::Py_XDECREF(pair);
                }
                ffi::Py_DECREF(made);
                return null_mut();
            }
        }
        made
    }
}

/// One value. New reference, or null with an exception set.
unsafe fn value(py: Python<'_>, column: &Column, node: &Node, caches: &mut [Cache], i: usize) -> *mut ffi::PyObject {
    // SAFETY: the interpreter is attached, and `i` is a row of the column.
    unsafe {
        if let Some(nulls) = &column.nulls
            && nulls.is_null(i)
        {
            return none();
        }
        match &column.values {
            Values::Null => none(),
            Values::Bool(values) => ffi::PyBool_FromLong(values.value(i).into()),
            Values::I8(values) => ffi::PyLong_FromLong(values[i].into()),
            Values::I16(values) => ffi::PyLong_FromLong(values[i].into()),
            Values::I32(values) => ffi::PyLong_FromLong(values[i].into()),
            Values::I64(values) => ffi::PyLong_FromLongLong(values[i]),
            Values::U8(values) => ffi::PyLong_FromLong(values[i].into()),
            Values::U16(values) => ffi::PyLong_FromLong(values[i].into()),
            Values::U32(values) => ffi::PyLong_FromUnsignedLongLong(values[i].into()),
            Values::U64(values) => ffi::PyLong_FromUnsignedLongLong(values[i]),
            Values::F16(values) => ffi::PyFloat_FromDouble(values[i].to_f64()),
            Values::F32(values) => ffi::PyFloat_FromDouble(values[i].into()),
            Values::F64(values) => ffi::PyFloat_FromDouble(values[i]),
            Values::Str(values) => {
                let view = values.views()[i];
                if (view as u32) <= 12 {
                    known(py, &mut caches[node.cache], view, values.value_unchecked(i).as_bytes())
                } else {
                    string(values.value_unchecked(i).as_bytes())
                }
            }
            Values::Offsets(offsets, bytes, text) => {
                between(py, &mut caches[node.cache], offsets[i].into(), offsets[i + 1].into(), bytes, *text)
            }
            Values::LargeOffsets(offsets, bytes, text) => {
                between(py, &mut caches[node.cache], offsets[i], offsets[i + 1], bytes, *text)
            }
            Values::Bytes(values) => {
                let bytes = values.value_unchecked(i);
                ffi::PyBytes_FromStringAndSize(bytes.as_ptr().cast::<c_char>(), bytes.len().cast_signed())
            }
            Values::List(offsets, child) => match span(offsets, i, child.len) {
                Some(span) => items(py, child, &node.children[0], caches, span.start, span.end),
                None => damaged(py, i),
            },
            Values::LargeList(offsets, child) => match span(offsets, i, child.len) {
                Some(span) => items(py, child, &node.children[0], caches, span.start, span.end),
                None => damaged(py, i),
            },
            Values::FixedList(n, child) => items(py, child, &node.children[0], caches, i * n, (i + 1) * n),
            Values::Map(offsets, entries) => match span(offsets, i, entries.len) {
                Some(span) => pairs(py, entries, &node.children[0], caches, span.start, span.end),
                None => damaged(py, i),
            },
            Values::Struct(columns) => dict(py, columns, node, caches, i),
            Values::Pixels(values) => match values.row(py, i) {
                Ok(made) => made.into_ptr(),
                Err(e) => {
                    e.restore(py);
                    null_mut()
                }
            },
            Values::Scalar(values) => match values.value(py, i) {
                Ok(made) => made.into_ptr(),
                Err(e) => {
                    e.restore(py);
                    null_mut()
                }
            },
        }
    }
}

/// Where the items of a list are, if they are within what there is: nobody has looked at what a mapped file has.
fn span<O: ArrowNativeType>(offsets: &ScalarBuffer<O>, i: usize, len: usize) -> Option<Range<usize>> {
    let (from, upto) = (offsets.get(i)?.to_usize()?, offsets.get(i + 1)?.to_usize()?);
    (from <= upto && upto <= len).then_some(from..upto)
}

/// Raises the error of a list that is not within its column.
fn damaged(py: Python<'_>, i: usize) -> *mut ffi::PyObject {
    raise(&Error::data(format!("the list of row {i} of a batch is not within its column: the file is damaged")))
        .restore(py);
    null_mut()
}

/// A short string, which may have come before. `view`: its length and bytes.
unsafe fn known(py: Python<'_>, cache: &mut Cache, view: u128, text: &[u8]) -> *mut ffi::PyObject {
    // SAFETY: as in `value`.
    unsafe {
        if !cache.worth() {
            return string(text);
        }
        cache.tries += 1;
        let slot = cache.slot(view);
        if slot.0 == view
            && let Some(known) = &slot.1
        {
            let known = known.as_ptr();
            cache.hits += 1;
            ffi::Py_INCREF(known);
            return known;
        }
        let made = string(text);
        if !made.is_null() {
            *slot = (view, Some(Bound::from_borrowed_ptr(py, made).unbind()));
        }
        made
    }
}

/// The text or bytes between two offsets. New reference, or null with an exception set.
unsafe fn between(
    py: Python<'_>,
    cache: &mut Cache,
    from: i64,
    upto: i64,
    bytes: &Buffer,
    text: bool,
) -> *mut ffi::PyObject {
    let range = usize::try_from(from).ok().zip(usize::try_from(upto).ok());
    let Some(value) = range.and_then(|(from, upto)| bytes.get(from..upto)) else {
        raise(&Error::data(format!("a value from byte {from} to {upto} of {}: the file is damaged", bytes.len())))
            .restore(py);
        return null_mut();
    };
    // SAFETY: as in `value`.
    unsafe {
        if !text {
            return ffi::PyBytes_FromStringAndSize(value.as_ptr().cast::<c_char>(), value.len().cast_signed());
        }
        if value.len() > 12 {
            return string(value);
        }
        let mut view = [0; 16];
        view[0] = value.len() as u8;
        view[4..4 + value.len()].copy_from_slice(value);
        known(py, cache, u128::from_le_bytes(view), value)
    }
}

unsafe fn string(text: &[u8]) -> *mut ffi::PyObject {
    // SAFETY: the interpreter is attached; bytes that are not UTF-8 are an exception.
    unsafe { ffi::PyUnicode_FromStringAndSize(text.as_ptr().cast::<c_char>(), text.len().cast_signed()) }
}

unsafe fn none() -> *mut ffi::PyObject {
    // SAFETY: the interpreter is attached.
    unsafe {
        let none = ffi::Py_None();
        ffi::Py_INCREF(none);
        none
    }
}
