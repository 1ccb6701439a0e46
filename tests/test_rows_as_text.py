"""JSON Lines and CSV that the core writes: byte for byte what pandas writes, whose options users know."""

from __future__ import annotations

import random

import numpy as np
import pyarrow as pa
import pytest
from rowstream import Dataset, _core
from rowstream.arrow.pandas import csv_bytes
from rowstream.writers.exports import frame_of

N = 3000


def floats() -> np.ndarray:
    rng = np.random.default_rng(3)
    bits = rng.integers(0, 2**64, N - 1200, dtype=np.uint64).view(np.float64)
    edges = [0.0, -0.0, np.inf, -np.inf, np.nan, 1e16, 1e16 - 2, 1e-15, 9.99e-16, 5e-324, 1e300]
    halves = [0.5e-10, 1.5e-10, 2.5e-10, 0.99999999995, 0.99999999994, 123456.00000000005]
    usual = [rng.normal(size=500), rng.integers(-(10**6), 10**6, 400) / 1000]
    tens = 10.0 ** rng.integers(-20, 20, 300 - len(edges) - len(halves))
    return np.concatenate([bits, *usual, tens, edges, halves])


def texts() -> list[str]:
    rng = random.Random(1)
    letters = [*map(chr, range(1, 0x150)), *'/\\",\n', "😀", "\u2028", "é"]
    letters.remove("\r")
    return ["".join(rng.choices(letters, k=rng.randrange(0, 9))) for _ in range(N)]


def table() -> pa.Table:
    number, text = floats(), texts()
    struct = pa.struct(
        {"a": pa.int16(), 'b/"é': pa.string(), "c": pa.list_(pa.struct({"d": pa.float64()}))}
    )
    return pa.table(
        {
            "float": number,
            "float32": pa.array(np.where(np.abs(number) < 1e30, number, 1), pa.float32()),
            "int, nulls": pa.array([None if i % 7 == 0 else i - 50 for i in range(N)], pa.int64()),
            "int8": pa.array([i % 256 - 128 for i in range(N)], pa.int8()),
            "unsigned": pa.array([2**64 - 1 - i for i in range(N)], pa.uint64()),
            "bool": pa.array([None if i % 5 == 0 else i % 2 == 0 for i in range(N)]),
            'text "é"/\n': text,
            "large text": pa.array(
                [None if i % 9 == 0 else text[i] for i in range(N)], pa.large_string()
            ),
            "list": [None if i % 11 == 0 else [number[i], None][: i % 3] for i in range(N)],
            "ints": pa.array(
                [[i, None] if i % 2 else [i] for i in range(N)], pa.large_list(pa.int32())
            ),
            "fixed": pa.array([[0.1, i / 3] for i in range(N)], pa.list_(pa.float32(), 2)),
            "struct": pa.array(
                [
                    None
                    if i % 13 == 0
                    else {"a": i, 'b/"é': text[i], "c": [{"d": number[i]}, None]}
                    for i in range(N)
                ],
                struct,
            ),
            "null": pa.nulls(N),
        }
    )


TABLE = table()


@pytest.mark.parametrize("name", TABLE.column_names)
def test_rows_as_text_are_those_of_pandas(name):
    for rows in (
        TABLE.select([name]),
        TABLE.select([name]).slice(7, 100),
        TABLE.select([name]).slice(0, 0),
    ):
        frame = frame_of(rows, None, exact=True)
        lines = frame.to_json(None, orient="records", lines=True, force_ascii=False)
        assert _core.Table(rows).json_lines() == (lines if rows.num_rows else "").encode()
        written = _core.Table(rows).csv_rows()
        if name in ("list", "ints", "fixed", "struct", "float32"):
            assert written is None or not rows.num_rows
        else:
            assert written == csv_bytes(frame, index=False, header=False)


def test_all_columns_together():
    rows = TABLE.select(
        [
            name
            for name in TABLE.column_names
            if name not in ("list", "ints", "fixed", "struct", "float32")
        ]
    )
    frame = frame_of(TABLE, None, exact=True)
    lines = frame.to_json(None, orient="records", lines=True, force_ascii=False)
    assert _core.Table(TABLE).json_lines() == lines.encode()
    assert _core.Table(rows).csv_rows() == csv_bytes(
        frame_of(rows, None, exact=True), index=False, header=False
    )


@pytest.mark.parametrize(
    "kind", [pa.timestamp("us"), pa.date32(), pa.binary(), pa.decimal128(9, 2), pa.float16()]
)
def test_other_types_are_left_to_pandas(kind):
    assert _core.Table(pa.table({"x": pa.array([None, None], kind)})).json_lines() is None


def test_a_line_end_inside_a_text_is_read_as_it_was(tmp_path):
    values = ["a\rb", "a\r\nb", "a\nb", '"', ",", "", " "]
    Dataset.from_dict({"x": values, "i": range(7)}).to_csv(tmp_path / "a.csv")
    again = Dataset.from_csv(str(tmp_path / "a.csv"), cache_dir=str(tmp_path))["x"][:]
    assert [one or "" for one in again] == values


def test_no_rows_and_one_column(tmp_path):
    Dataset.from_dict({"x": []}).to_json(tmp_path / "none.jsonl")
    assert (tmp_path / "none.jsonl").read_bytes() == b""
    Dataset.from_dict({"x": ["", None, "a"]}).to_csv(tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_text() == 'x\n""\n""\na\n'
