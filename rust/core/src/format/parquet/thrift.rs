//! Just enough of Thrift's compact protocol: page headers and the offset index are read here, and a footer is
//! walked before the `parquet` crate sees it, so that no count in it can ask for more memory than it has bytes.

/// Why a read stopped.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// The bytes end before the value does.
    Short,
    /// The bytes are no such value.
    Bad(&'static str),
}

pub(super) type Read<T> = Result<T, Stop>;

/// The types of the compact protocol that appear in Parquet.
const TRUE: u8 = 1;
const FALSE: u8 = 2;
const DEEPEST: usize = 64;

pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    pub(super) at: usize,
}

/// The header of a field.
pub(super) struct Field {
    pub(super) id: i16,
    pub(super) kind: u8,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    fn byte(&mut self) -> Read<u8> {
        let byte = *self.bytes.get(self.at).ok_or(Stop::Short)?;
        self.at += 1;
        Ok(byte)
    }

    /// A number of seven bits a byte, which other parts of the format have too.
    pub(super) fn varint(&mut self) -> Read<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7F) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Stop::Bad("a number of more than 64 bits"))
    }

    pub(super) fn zigzag(&mut self) -> Read<i64> {
        let n = self.varint()?;
        Ok((n >> 1).cast_signed() ^ -(n & 1).cast_signed())
    }

    /// The next field of a struct, after the field `last`; `None` at its end.
    pub(super) fn field(&mut self, last: &mut i16) -> Read<Option<Field>> {
        let byte = self.byte()?;
        if byte == 0 {
            return Ok(None);
        }
        let id = match byte >> 4 {
            0 => i16::try_from(self.zigzag()?).map_err(|_| Stop::Bad("a field number"))?,
            delta => last.checked_add(i16::from(delta)).ok_or(Stop::Bad("a field number"))?,
        };
        *last = id;
        Ok(Some(Field { id, kind: byte & 0x0F }))
    }

    /// An integer field, as `i32`.
    pub(super) fn i32(&mut self, field: &Field) -> Read<i32> {
        i32::try_from(self.i64(field)?).map_err(|_| Stop::Bad("a number of more than 32 bits"))
    }

    /// An integer field.
    pub(super) fn i64(&mut self, field: &Field) -> Read<i64> {
        if matches!(field.kind, 4..=6) { self.zigzag() } else { Err(Stop::Bad("expected a number")) }
    }

    /// A field of true or false.
    pub(super) fn bool(field: &Field) -> Read<bool> {
        match field.kind {
            TRUE => Ok(true),
            FALSE => Ok(false),
            _ => Err(Stop::Bad("expected true or false")),
        }
    }

    /// Enters a field that is a struct.
    pub(super) fn enter(field: &Field) -> Read<()> {
        if field.kind == 12 { Ok(()) } else { Err(Stop::Bad("expected a struct")) }
    }

    /// Enters a field that is a list of structs; gives its length, which the bytes that are there can hold.
    pub(super) fn structs(&mut self, field: &Field) -> Read<usize> {
        if field.kind != 9 {
            return Err(Stop::Bad("expected a list"));
        }
        match self.list()? {
            (n, 12) => Ok(n),
            _ => Err(Stop::Bad("expected a list of structs")),
        }
    }

    /// The length of a list and the kind of its items.
    pub(super) fn list(&mut self) -> Read<(usize, u8)> {
        let byte = self.byte()?;
        let n = if byte >> 4 == 15 { self.varint()? } else { u64::from(byte >> 4) };
        if n > (self.bytes.len() - self.at) as u64 {
            return Err(Stop::Bad("a list of more items than there are bytes"));
        }
        Ok((n as usize, byte & 0x0F))
    }

    /// Passes over a value of a kind, which is no item of a list.
    pub(super) fn pass(&mut self, kind: u8) -> Read<()> {
        self.value(kind, DEEPEST, false)
    }

    /// The bytes from a place to here.
    pub(super) fn between(&self, from: usize) -> &'a [u8] {
        &self.bytes[from..self.at]
    }

    /// Passes over a field.
    pub(super) fn skip(&mut self, field: &Field) -> Read<()> {
        self.value(field.kind, DEEPEST, false)
    }

    fn value(&mut self, kind: u8, depth: usize, item: bool) -> Read<()> {
        let deeper = depth.checked_sub(1).ok_or(Stop::Bad("structs too deep in each other"))?;
        match kind {
            TRUE | FALSE if item => self.take(1),
            TRUE | FALSE => Ok(()),
            3 => self.take(1),
            4..=6 => self.varint().map(drop),
            7 => self.take(8),
            8 => {
                let n = self.varint()?;
                self.take(usize::try_from(n).map_err(|_| Stop::Short)?)
            }
            9 | 10 => {
                let (n, kind) = self.list()?;
                (0..n).try_for_each(|_| self.value(kind, deeper, true))
            }
            12 => {
                let mut last = 0;
                while let Some(field) = self.field(&mut last)? {
                    self.value(field.kind, deeper, false)?;
                }
                Ok(())
            }
            _ => Err(Stop::Bad("an unknown type")),
        }
    }

    fn take(&mut self, n: usize) -> Read<()> {
        let end = self.at.checked_add(n).filter(|end| *end <= self.bytes.len()).ok_or(Stop::Short)?;
        self.at = end;
        Ok(())
    }
}

/// Checks that `bytes` begin with one whole struct, every count in it backed by bytes.
pub(super) fn check_struct(bytes: &[u8]) -> Read<()> {
    Reader::new(bytes).value(12, DEEPEST, false)
}

/// Checks the schema of a footer, which is a flat list that says how many children each element has: not deeper than
/// readers that call themselves can bear, and no child that is not there.
pub(super) fn check_schema(footer: &[u8]) -> Read<()> {
    let (mut reader, mut last) = (Reader::new(footer), 0);
    // How many children of each open group are still to come.
    let mut open: Vec<i64> = Vec::new();
    while let Some(field) = reader.field(&mut last)? {
        if field.id != 2 {
            reader.skip(&field)?;
            continue;
        }
        for i in 0..reader.structs(&field)? {
            let (mut last, mut children) = (0, 0);
            while let Some(field) = reader.field(&mut last)? {
                match field.id {
                    5 => children = reader.i64(&field)?,
                    _ => reader.skip(&field)?,
                }
            }
            match open.last_mut() {
                Some(left) => *left -= 1,
                None if i > 0 => return Err(Stop::Bad("a schema with more than one root")),
                None => {}
            }
            if children < 0 {
                return Err(Stop::Bad("a schema with fewer than no children"));
            }
            open.push(children);
            while open.last() == Some(&0) {
                open.pop();
            }
            if open.len() > DEEPEST {
                return Err(Stop::Bad("a schema of types too deep in each other"));
            }
        }
    }
    if open.is_empty() { Ok(()) } else { Err(Stop::Bad("a schema without all of its children")) }
}

/// Where each page of a column chunk begins: `(byte offset, first row)`.
pub(super) fn offset_index(bytes: &[u8]) -> Read<Vec<(u64, u64)>> {
    let (mut reader, mut last, mut pages) = (Reader::new(bytes), 0, Vec::new());
    while let Some(field) = reader.field(&mut last)? {
        if field.id != 1 {
            reader.skip(&field)?;
            continue;
        }
        for _ in 0..reader.structs(&field)? {
            let (mut last, mut offset, mut row) = (0, -1, -1);
            while let Some(field) = reader.field(&mut last)? {
                match field.id {
                    1 => offset = reader.i64(&field)?,
                    3 => row = reader.i64(&field)?,
                    _ => reader.skip(&field)?,
                }
            }
            match (u64::try_from(offset), u64::try_from(row)) {
                (Ok(offset), Ok(row)) => pages.push((offset, row)),
                _ => return Err(Stop::Bad("a page without a place")),
            }
        }
    }
    Ok(pages)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_without_bytes_are_refused() {
        // A struct whose field 1 is a list of 2^40 structs.
        let bytes = [0x19, 0xFC, 0x80, 0x80, 0x80, 0x80, 0x80, 0x20];
        assert_eq!(check_struct(&bytes), Err(Stop::Bad("a list of more items than there are bytes")));
    }

    #[test]
    fn what_ends_early_is_short() {
        let whole = [0x15, 0x02, 0x18, 0x02, b'h', b'i', 0x00];
        assert_eq!(check_struct(&whole), Ok(()));
        for n in 0..whole.len() {
            assert_eq!(check_struct(&whole[..n]), Err(Stop::Short), "{n} bytes");
        }
    }

    #[test]
    fn nesting_is_bounded() {
        assert_eq!(check_struct(&[0x1C; 1000]), Err(Stop::Bad("structs too deep in each other")));
    }
}
