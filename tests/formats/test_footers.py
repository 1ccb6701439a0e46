"""Parquet footers of other writers: what other readers pass over is passed over, and rows are read."""

from __future__ import annotations

import struct

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rowstream import Features, Value, load_dataset

# ------------------------------------------------------------------------------------------- Thrift's compact protocol


class Tree:
    """A struct as a list of `[id, kind, value]`, of which a test changes some."""

    def __init__(self, content: bytes) -> None:
        self.content, self.at = content, 0

    def varint(self):
        value = shift = 0
        while True:
            byte = self.content[self.at]
            self.at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    def struct(self):
        fields, last = [], 0
        while byte := self.content[self.at]:
            self.at += 1
            delta, kind = byte >> 4, byte & 15
            if delta:
                last += delta
            else:
                n = self.varint()
                last = n >> 1 ^ -(n & 1)
            fields.append([last, kind, self.value(kind)])
        self.at += 1
        return fields

    def value(self, kind):
        if kind in (1, 2):
            return None
        if kind in (4, 5, 6):
            n = self.varint()
            return n >> 1 ^ -(n & 1)
        if kind == 12:
            return self.struct()
        if kind == 9:
            byte = self.content[self.at]
            self.at += 1
            n = self.varint() if byte >> 4 == 15 else byte >> 4
            return [byte & 15, [self.value(byte & 15) for _ in range(n)]]
        n = {3: 1, 7: 8}.get(kind) or self.varint()
        self.at += n
        return self.content[self.at - n : self.at]


def varint(value):
    made = bytearray()
    while value >= 128:
        made.append(value & 127 | 128)
        value >>= 7
    return bytes(made) + bytes([value])


def zigzag(value):
    return varint(value << 1 ^ value >> 63)


def written(kind, value):
    if kind in (1, 2):
        return b""
    if kind in (4, 5, 6):
        return zigzag(value)
    if kind == 12:
        # The long form of every field's number, which no writer has to use.
        return (
            b"".join(
                bytes([kind]) + zigzag(number) + written(kind, value)
                for number, kind, value in value
            )
            + b"\0"
        )
    if kind == 9:
        kind, items = value
        head = (
            bytes([len(items) << 4 | kind])
            if len(items) < 15
            else bytes([240 | kind]) + varint(len(items))
        )
        return head + b"".join(written(kind, one) for one in items)
    return (b"" if kind in (3, 7) else varint(len(value))) + value


def field(struct, number):
    return next(one for one in struct if one[0] == number)


TABLE = pa.table(
    {
        "i": pa.array([1, 2, None] * 10, pa.int32()),
        "s": ["a", None, "ccc"] * 10,
        "t": pa.array([1, 2, 3] * 10, pa.timestamp("us")),
        "l": [[1.5], [], None] * 10,
    }
)


def edited(path, change):
    """A file of the table, whose footer a function changed."""
    pq.write_table(TABLE, path, row_group_size=10, store_schema=False)
    content = path.read_bytes()
    (length,) = struct.unpack("<I", content[-8:-4])
    footer = Tree(content[-8 - length : -8]).struct()
    change(footer)
    made = written(12, footer)
    path.write_bytes(content[: -8 - length] + made + struct.pack("<I", len(made)) + b"PAR1")


def elements(footer):
    return field(footer, 2)[2][1]


def columns(footer):
    return [
        field(chunk, 3)[2] for group in field(footer, 4)[2][1] for chunk in field(group, 1)[2][1]
    ]


def each(places, change):
    def made(footer):
        for place in places(footer):
            change(place)

    return made


def logical(footer):
    return [field(one, 10)[2] for one in elements(footer) if any(of[0] == 10 for of in one)]


def replaced(number, kind, value):
    def made(fields):
        fields[:] = [one for one in fields if one[0] != number] + [[number, kind, value]]

    return made


CHANGES = {
    "nothing": lambda footer: None,
    "a converted type that nobody knows": each(
        lambda footer: elements(footer)[1:], replaced(6, 5, 77)
    ),
    "an empty list of another type": replaced(5, 9, [5, []]),
    "an empty list of columns' sorting": each(
        lambda footer: field(footer, 4)[2][1], replaced(4, 9, [8, []])
    ),
    "an empty list of encoding stats": each(columns, replaced(13, 9, [3, []])),
    "further fields everywhere": lambda footer: [
        one.append([900, 8, b"new"]) for one in (footer, *elements(footer), *columns(footer))
    ],
    "a further field of a logical type": each(logical, lambda of: of[0][2].append([99, 8, b"new"])),
    "a further variant of a logical type": each(logical, lambda of: of.append([98, 12, []])),
    "a field of another type": each(columns, replaced(14, 8, b"text")),
    "statistics of another type": each(columns, replaced(12, 5, 7)),
    "an encoding that nobody knows": each(
        columns, lambda column: field(column, 2)[2][1].append(99)
    ),
    "page statistics of an encoding that nobody knows": each(
        columns, lambda column: field(column, 13)[2][1].append([[1, 5, 0], [2, 5, 99], [3, 5, 1]])
    ),
    "an order of columns that has more": each(
        lambda footer: field(footer, 7)[2][1], lambda of: of.append([9, 12, []])
    ),
}


@pytest.mark.parametrize("streaming", [True, False])
@pytest.mark.parametrize("change", CHANGES)
def test_what_nobody_knows_is_passed_over(change, streaming, tmp_path):
    """The rows are those that pyarrow reads, or that the file has where it does not read it either."""
    path = tmp_path / "a.parquet"
    edited(path, CHANGES[change])
    ds = load_dataset("parquet", data_files=str(path), split="train", streaming=streaming)
    rows = TABLE.to_pylist()
    read = list(ds)
    if change == "a converted type that nobody knows":
        for row in read:
            # Without it what was text may be bytes.
            row["s"] = row["s"].decode() if isinstance(row["s"], bytes) else row["s"]
    assert read == rows
    try:
        other = pq.read_table(path)
    except (OSError, pa.ArrowException):
        return
    assert other.num_rows == len(read)


def test_what_is_needed_is_still_an_error(tmp_path):
    """A codec, a type, a repetition that nobody knows."""
    for places, number in (
        (columns, 4),
        (columns, 1),
        (lambda footer: elements(footer)[1:], 1),
        (lambda footer: elements(footer)[1:], 3),
    ):
        edited(tmp_path / "a.parquet", each(places, replaced(number, 5, 77)))
        with pytest.raises(ValueError, match=r"a\.parquet.*malformed footer"):
            load_dataset(
                "parquet", data_files=str(tmp_path / "a.parquet"), split="train", streaming=True
            )


def test_a_file_is_the_same_file(tmp_path):
    """Its version is that of its own bytes: states of a file and of its changed copy are not mixed up."""
    states = []
    for change in ("nothing", "an empty list of another type"):
        edited(tmp_path / "a.parquet", CHANGES[change])
        ds = load_dataset(
            "parquet",
            data_files=str(tmp_path / "a.parquet"),
            split="train",
            streaming=True,
            features=Features(
                {
                    "i": Value("int64"),
                    "s": Value("string"),
                    "t": Value("timestamp[us]"),
                    "l": [Value("float64")],
                }
            ),
        )
        assert len(list(ds)) == 30
        states.append(ds._plan.listing["files"][0]["version"])
    assert states[0] != states[1]
