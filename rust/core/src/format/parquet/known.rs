//! A footer without what the `parquet` crate refuses and other readers pass over: values of enumerations that it does
//! not know, fields of another type than the format says, further fields of unions, empty lists of another type.
//! The structures: <https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift>.

use super::thrift::{Read, Reader};

/// What a value is.
#[derive(Clone, Copy)]
enum Of {
    Bool,
    Byte,
    I16,
    I32,
    I64,
    Double,
    Bytes,
    /// One of the numbers of an enumeration.
    Enum(&'static [i32]),
    Nested(&'static Struct),
    List(&'static Of),
    /// A list of which items may be left out.
    Part(&'static Of),
}

/// A struct: its fields, and which of them have to be there.
struct Struct {
    fields: &'static [(i16, Of)],
    required: &'static [i16],
    /// Whether it has one of the fields: the first that is known.
    union: bool,
}

const fn of(fields: &'static [(i16, Of)], required: &'static [i16]) -> Struct {
    Struct { fields, required, union: false }
}

const fn union(fields: &'static [(i16, Of)]) -> Struct {
    Struct { fields, required: &[], union: true }
}

use Of::{Bool, Byte, Bytes, Double, Enum, I16, I32, I64, List, Nested, Part};

const EMPTY: Of = Nested(&of(&[], &[]));
const CONVERTED: Of = Enum(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21]);
const ENCODINGS: Of = Enum(&[0, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
const PAGES: Of = Enum(&[0, 1, 2, 3]);

static UNIT: Struct = union(&[(1, EMPTY), (2, EMPTY), (3, EMPTY)]);
static TIME: Struct = of(&[(1, Bool), (2, Nested(&UNIT))], &[1, 2]);
static LOGICAL: Struct = union(&[
    (1, EMPTY),
    (2, EMPTY),
    (3, EMPTY),
    (4, EMPTY),
    (5, Nested(&of(&[(1, I32), (2, I32)], &[1, 2]))),
    (6, EMPTY),
    (7, Nested(&TIME)),
    (8, Nested(&TIME)),
    (10, Nested(&of(&[(1, Byte), (2, Bool)], &[1, 2]))),
    (11, EMPTY),
    (12, EMPTY),
    (13, EMPTY),
    (14, EMPTY),
    (15, EMPTY),
    (16, Nested(&of(&[(1, Byte)], &[]))),
    (17, Nested(&of(&[(1, Bytes)], &[]))),
    (18, Nested(&of(&[(1, Bytes), (2, I32)], &[]))),
]);
// What an element or a column is, is never left out: it is an error where nobody knows it.
static ELEMENT: Struct = of(
    &[
        (1, I32),
        (2, I32),
        (3, I32),
        (4, Bytes),
        (5, I32),
        (6, CONVERTED),
        (7, I32),
        (8, I32),
        (9, I32),
        (10, Nested(&LOGICAL)),
    ],
    &[4],
);
static STATISTICS: Struct =
    of(&[(1, Bytes), (2, Bytes), (3, I64), (4, I64), (5, Bytes), (6, Bytes), (7, Bool), (8, Bool), (9, I64)], &[]);
static KEY_VALUE: Struct = of(&[(1, Bytes), (2, Bytes)], &[1]);
static ENCODING_STATS: Struct = of(&[(1, PAGES), (2, ENCODINGS), (3, I32)], &[1, 2, 3]);
static SIZES: Struct = of(&[(1, I64), (2, List(&I64)), (3, List(&I64))], &[]);
static BOX: Struct = of(
    &[(1, Double), (2, Double), (3, Double), (4, Double), (5, Double), (6, Double), (7, Double), (8, Double)],
    &[1, 2, 3, 4],
);
static PLACES: Struct = of(&[(1, Nested(&BOX)), (2, List(&I32))], &[]);
static COLUMN: Struct = of(
    &[
        (1, I32),
        (2, Part(&ENCODINGS)),
        (3, List(&Bytes)),
        (4, I32),
        (5, I64),
        (6, I64),
        (7, I64),
        (8, List(&Nested(&KEY_VALUE))),
        (9, I64),
        (10, I64),
        (11, I64),
        (12, Nested(&STATISTICS)),
        (13, Part(&Nested(&ENCODING_STATS))),
        (14, I64),
        (15, I32),
        (16, Nested(&SIZES)),
        (17, Nested(&PLACES)),
    ],
    &[],
);
static CHUNK: Struct = of(&[(1, Bytes), (2, I64), (3, Nested(&COLUMN)), (4, I64), (5, I32), (6, I64), (7, I32)], &[]);
static SORTING: Struct = of(&[(1, I32), (2, Bool), (3, Bool)], &[1, 2, 3]);
static GROUP: Struct = of(
    &[(1, List(&Nested(&CHUNK))), (2, I64), (3, I64), (4, List(&Nested(&SORTING))), (5, I64), (6, I64), (7, I16)],
    &[],
);
static ORDER: Struct = union(&[(1, EMPTY), (2, EMPTY), (3, EMPTY)]);
static FILE: Struct = of(
    &[
        (1, I32),
        (2, List(&Nested(&ELEMENT))),
        (3, I64),
        (4, List(&Nested(&GROUP))),
        (5, List(&Nested(&KEY_VALUE))),
        (6, Bytes),
        (7, List(&Nested(&ORDER))),
    ],
    &[],
);

/// What the crate knows of a footer, as one.
pub(super) fn known(footer: &[u8]) -> Read<Vec<u8>> {
    let mut copy = Copy { reader: Reader::new(footer), out: Vec::with_capacity(footer.len()) };
    copy.fields(&FILE)?;
    Ok(copy.out)
}

struct Copy<'a> {
    reader: Reader<'a>,
    out: Vec<u8>,
}

impl Copy<'_> {
    /// Copies the fields that are known; whether it is the struct that it is to be.
    fn fields(&mut self, of: &Struct) -> Read<bool> {
        let (mut last, mut written, mut seen) = (0, 0, Vec::new());
        while let Some(field) = self.reader.field(&mut last)? {
            let new = if of.union { seen.is_empty() } else { !seen.contains(&field.id) };
            let known = of.fields.iter().find(|(id, _)| *id == field.id).filter(|_| new);
            let Some((_, kind)) = known else {
                self.reader.skip(&field)?;
                continue;
            };
            let mark = self.out.len();
            let code = if matches!(kind, Bool) { field.kind } else { kind.code() };
            if let Some(delta @ 1..=15) = field.id.checked_sub(written) {
                self.out.push((delta as u8) << 4 | code);
            } else {
                self.out.push(code);
                self.varint((i64::from(field.id) << 1 ^ i64::from(field.id) >> 63).cast_unsigned());
            }
            if self.value(*kind, field.kind)? {
                written = field.id;
                seen.push(field.id);
            } else {
                self.out.truncate(mark);
            }
        }
        self.out.push(0);
        Ok(of.required.iter().all(|id| seen.contains(id)) && !(of.union && seen.is_empty()))
    }

    /// Copies a value that the bytes say is of a kind; whether it is what it is to be. It is read in any case.
    fn value(&mut self, of: Of, kind: u8) -> Read<bool> {
        let from = self.reader.at;
        if !of.is(kind) {
            return self.reader.pass(kind).map(|()| false);
        }
        match of {
            Nested(of) => self.fields(of),
            List(item) | Part(item) => self.list(*item, matches!(of, Part(_))),
            _ => {
                let fits = match of {
                    Enum(values) => {
                        let value = self.reader.zigzag()?;
                        values.iter().any(|one| i64::from(*one) == value)
                    }
                    _ => self.reader.pass(kind).map(|()| true)?,
                };
                self.out.extend_from_slice(self.reader.between(from));
                Ok(fits)
            }
        }
    }

    fn list(&mut self, item: Of, some: bool) -> Read<bool> {
        let (n, kind) = self.reader.list()?;
        let before = std::mem::take(&mut self.out);
        let (mut kept, mut fits) = (0_u64, true);
        for _ in 0..n {
            let mark = self.out.len();
            if self.value(item, kind)? {
                kept += 1;
            } else {
                self.out.truncate(mark);
                fits &= some;
            }
        }
        let items = std::mem::replace(&mut self.out, before);
        if kept < 15 {
            self.out.push((kept as u8) << 4 | item.code());
        } else {
            self.out.push(0xF0 | item.code());
            self.varint(kept);
        }
        self.out.extend_from_slice(&items);
        Ok(fits)
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.out.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.out.push(value as u8);
    }
}

impl Of {
    /// The kind that the bytes give it.
    fn code(self) -> u8 {
        match self {
            Bool => 1,
            Byte => 3,
            I16 => 4,
            I32 | Enum(_) => 5,
            I64 => 6,
            Double => 7,
            Bytes => 8,
            List(_) | Part(_) => 9,
            Nested(_) => 12,
        }
    }

    fn is(self, kind: u8) -> bool {
        match self {
            Bool => matches!(kind, 1 | 2),
            I16 | I32 | I64 | Enum(_) => matches!(kind, 4..=6),
            _ => kind == self.code(),
        }
    }
}
