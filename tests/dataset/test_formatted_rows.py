"""Rows and batches that the core selects, in each format: what pyarrow and the same formatter give."""

from __future__ import annotations

import datetime as dt
import math
import random
from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pytest
from rowstream import Dataset, Features
from rowstream.formatting import get_formatter

torch = pytest.importorskip("torch")

N = 24


def columns() -> dict[str, pa.Array]:
    rng = random.Random(5)

    def some(make, kind, nulls=False):
        return pa.array([None if nulls and i % 5 == 2 else make(i) for i in range(N)], kind)

    def items(low, high):
        return [rng.randrange(100) for _ in range(rng.randrange(low, high))]

    struct = pa.struct({"a": pa.int32(), "s": pa.string()})
    return {
        **{
            str(kind): some(lambda i: i * 3 % 100, kind)
            for kind in (pa.int8(), pa.int32(), pa.int64(), pa.uint8(), pa.uint32(), pa.uint64())
        },
        **{str(kind): some(lambda i: i / 7, kind) for kind in (pa.float32(), pa.float64())},
        "half": pa.array([np.float16(i / 7) for i in range(N)], pa.float16()),
        "large unsigned": some(lambda i: 2**63 + i if i == 3 else i, pa.uint64()),
        "bool": some(lambda i: i % 3 == 0, pa.bool_()),
        "int, nulls": some(int, pa.int64(), True),
        "bool, nulls": some(bool, pa.bool_(), True),
        "text": some(lambda i: f"text {i}" * (i % 4), pa.string()),
        "text, zeros": some(lambda i: f"{i}\0", pa.string()),
        "text, nulls": some(str, pa.large_string(), True),
        "bytes": some(lambda i: bytes(range(i)), pa.binary()),
        "date": some(lambda i: dt.date(2020, 1, 1 + i), pa.date32()),
        "time": some(lambda i: dt.datetime(2020, 1, 1 + i), pa.timestamp("us")),
        "vectors": some(lambda i: [i / 3, i, 1.0], pa.list_(pa.float64(), 3)),
        "equal lists": some(lambda i: [i, i + 1], pa.list_(pa.int32())),
        "equal large lists": some(lambda i: [i, i + 1], pa.large_list(pa.float32())),
        "ragged": some(lambda i: items(0, 9), pa.list_(pa.int16())),
        "ragged floats": some(lambda i: [j / 3 for j in items(1, 9)], pa.list_(pa.float64())),
        "ragged bools": some(lambda i: [j % 2 == 0 for j in items(1, 9)], pa.list_(pa.bool_())),
        "ragged, nulls": some(lambda i: items(1, 9), pa.list_(pa.int64()), True),
        "nulls in lists": some(lambda i: [1, None, i], pa.list_(pa.int64())),
        "empty lists": some(lambda i: [], pa.list_(pa.int64())),
        "matrices": some(lambda i: [[i, 1], [2, 3], [4, 5]], pa.list_(pa.list_(pa.int64()))),
        "ragged matrices": some(
            lambda i: [items(1, 4) for _ in range(i % 3 + 1)], pa.list_(pa.list_(pa.int64()))
        ),
        "texts": some(lambda i: [f"{j}" for j in range(i % 4)], pa.list_(pa.string())),
        "structs": some(lambda i: {"a": i, "s": f"s{i}"}, struct, True),
        "chat": some(
            lambda i: [{"role": "user", "content": "c" * j} for j in range(i % 3 + 1)],
            pa.list_(pa.struct({"role": pa.string(), "content": pa.string()})),
        ),
        "null": pa.nulls(N),
    }


COLUMNS = columns()
KEYS = {
    "a list": [5, 0, 23, 5, 7, 8, 9, -1],
    "an array": np.array([3, 3, 2, 20]),
    "a slice": slice(2, 19),
    "steps": slice(20, 1, -4),
    "a range": range(4, 16, 3),
    "none": [],
    "one": [11],
}


def dataset(names: list[str], chunks: int, listed: bool) -> tuple[Dataset, pa.Table]:
    """A data set in chunks, perhaps behind a list of rows, and the same rows in one chunk."""
    table = pa.table({name: COLUMNS[name] for name in names})
    size = N // chunks
    ds = Dataset(pa.concat_tables([table.slice(i * size, size) for i in range(chunks)]))
    if listed:
        order = random.Random(1).sample(range(N), N)
        return ds.select(order), table.take(order).combine_chunks()
    return ds, table


def same(a, b) -> bool:
    """Whether two values are of the same type, shape and value."""
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        return list(a) == list(b) and all(same(a[name], b[name]) for name in a)
    if type(a) is not type(b):
        return False
    if isinstance(a, torch.Tensor):
        return (
            a.dtype == b.dtype
            and a.shape == b.shape
            and torch.equal(a.nan_to_num(), b.nan_to_num())
        )
    if isinstance(a, np.ndarray):
        if a.dtype != b.dtype or a.shape != b.shape:
            return False
        if a.dtype != object:
            return bool(np.array_equal(a, b, equal_nan=a.dtype.kind == "f"))
    if isinstance(a, (list, tuple, np.ndarray)):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b or (isinstance(a, (float, np.floating)) and math.isnan(a) and math.isnan(b))


def taken(table: pa.Table, key) -> pa.Table:
    """The rows of a key, as pyarrow has them, in one chunk."""
    at = [*range(N)][key] if isinstance(key, slice) else [int(i) % N for i in key]
    return table.take(pa.array(at, pa.int64())).combine_chunks()


@pytest.mark.parametrize("format", ["numpy", "torch"])
@pytest.mark.parametrize("listed", [False, True])
@pytest.mark.parametrize("chunks", [1, 4])
@pytest.mark.parametrize("name", COLUMNS)
def test_tensors_are_those_of_pyarrow(name, chunks, listed, format):
    ds, table = dataset([name], chunks, listed)
    ds = ds.with_format(format)
    formatter = get_formatter(format, features=ds.features)
    for key in KEYS.values():
        rows = taken(table, key)
        wanted = formatter.format_batch(rows)
        assert same(ds[key], wanted), (key, ds[key], wanted)
    for i, row in enumerate(ds):
        wanted = formatter.format_row(table.slice(i, 1))
        assert same(row, wanted), (i, row, wanted)
    for i, batch in enumerate(ds.iter(7)):
        assert same(batch, formatter.format_batch(table.slice(i * 7, 7)))
    of_loader = ds.__getitems__([4, 2, 9])
    whole = formatter.format_batch(table.take([4, 2, 9]).combine_chunks())
    assert all(same(row[name], whole[name][i]) for i, row in enumerate(of_loader))


@pytest.mark.parametrize("listed", [False, True])
@pytest.mark.parametrize("chunks", [1, 4])
@pytest.mark.parametrize("name", COLUMNS)
def test_objects_and_tables_are_those_of_pyarrow(name, chunks, listed):
    ds, table = dataset([name], chunks, listed)
    for key in KEYS.values():
        rows = taken(table, key)
        assert ds[key] == rows.to_pydict()
        assert ds.with_format("arrow")[key].to_pydict() == rows.to_pydict()
        assert ds.with_format("arrow")[key].schema.types == table.schema.types
    assert [*ds] == table.to_pylist()
    assert ds.__getitems__([4, 2, 9]) == table.take([4, 2, 9]).to_pylist()


def test_several_columns_are_of_the_same_rows():
    ds, table = dataset([*COLUMNS], 3, True)
    batch = ds.with_format("numpy")[[7, 1, 20]]
    assert list(batch) == list(COLUMNS)
    assert ds[[7, 1, 20]] == table.take([7, 1, 20]).to_pydict()


@pytest.mark.parametrize("options", [{"dtype": "float64"}, {"dtype": "int32"}])
def test_types_that_are_asked_for(options):
    ds, table = dataset(["int64", "vectors", "ragged", "double"], 2, True)
    for format, given in (
        ("numpy", options),
        ("torch", {"dtype": getattr(torch, options["dtype"])}),
    ):
        formatter = get_formatter(format, features=ds.features, **given)
        made = ds.with_format(format, **given)
        wanted = formatter.format_batch(table.take([3, 1, 2]).combine_chunks())
        assert same(made[[3, 1, 2]], wanted)
        assert same(next(iter(made)), formatter.format_row(table.slice(0, 1)))


def test_tensors_may_be_written_and_change_nothing():
    ds, _ = dataset(["int64", "vectors", "ragged"], 1, False)
    for format in ("numpy", "torch"):
        made = ds.with_format(format)
        for key in ([0, 1, 2], slice(0, 3)):
            before = ds[0]
            for column in made[key].values():
                column[0] += 1
            assert ds[0] == before
        row = next(iter(made))
        row["vectors"] += 1
        assert ds[0]["vectors"] == COLUMNS["vectors"][0].as_py()


def test_what_is_out_of_range_and_no_rows():
    ds, _ = dataset(["int64"], 2, True)
    for bad in ([0, N], [-N - 1], range(N - 1, N + 1), np.array([N])):
        with pytest.raises(IndexError, match="out of bounds"):
            ds[bad]
    with pytest.raises(TypeError, match="mask"):
        ds[np.array([True, False])]
    for format in (None, "numpy", "torch", "arrow", "pandas"):
        assert len(ds.with_format(format)[[]]["int64"]) == 0
        assert len(Dataset.from_dict({"int64": []}).with_format(format)[:]["int64"]) == 0


def test_columns_of_a_format_and_the_others_beside():
    ds, _ = dataset(["int64", "text", "ragged"], 2, True)
    made = ds.with_format("torch", columns=["int64"], output_all_columns=True)
    assert same(made[[1, 2]]["int64"], torch.tensor(ds[[1, 2]]["int64"]))
    assert made[[1, 2]]["ragged"] == ds[[1, 2]]["ragged"]
    row = next(iter(made))
    assert [row["text"], row["ragged"]] == [ds[0]["text"], ds[0]["ragged"]]
    assert list(next(iter(ds.with_format("torch", columns=["int64"])))) == ["int64"]


def test_declared_arrays():
    from rowstream import Array2D, Value

    features = Features({"m": Array2D((2, 2), "float32"), "i": Value("int32")})
    rows = {"m": [[[i, 1], [2, 3]] for i in range(6)], "i": [*range(6)]}
    ds = Dataset.from_dict(rows, features=features).select([5, 1, 0])
    batch = ds.with_format("numpy")[[0, 2]]
    assert [batch["m"].shape, batch["m"][0][0][0]] == [(2, 2, 2), 5]
    assert ds[[0]]["m"] == [[[5.0, 1.0], [2.0, 3.0]]]
    assert [row["m"].shape for row in ds.with_format("torch")] == [(2, 2)] * 3
    assert ds.with_format("arrow")[[0, 1]].schema == ds.with_format("arrow")[:].schema


@pytest.mark.parametrize("drop", [False, True])
@pytest.mark.parametrize("size", [1, 5, 7, 24, 30])
def test_batches_as_rows(size, drop):
    for listed in (False, True):
        ds, table = dataset(["int64", "text", "ragged", "chat", "structs"], 3, listed)
        rows = table.to_pydict()
        starts = [at for at in range(0, N, size) if not drop or at + size <= N]
        wanted = {name: [rows[name][at : at + size] for at in starts] for name in rows}
        made = ds.batch(size, drop_last_batch=drop)
        assert made[:] == wanted
        assert made.features["int64"] == ds.batch(2).features["int64"]


def test_a_filter_of_columns_gets_their_values():
    ds, table = dataset(["int64", "text", "ragged"], 3, True)
    rows = table.to_pylist()
    kept = ds.filter(lambda t, i: i % 2 == 0 and t != "", input_columns=["text", "int64"])
    assert [*kept] == [row for row in rows if row["int64"] % 2 == 0 and row["text"] != ""]
    twice = ds.filter(
        lambda a, b, k: a == b and k > 3, input_columns=["int64"] * 2, with_indices=True
    )
    assert [*twice] == rows[4:]


def test_what_a_function_changes_in_its_arguments_stays_out_of_the_row():
    ds, table = dataset(["int64", "ragged"], 3, True)

    def change(ragged):
        ragged.append(-1)
        return {"n": len(ragged)}

    made = ds.map(change, input_columns="ragged")
    assert made["ragged"][:] == table["ragged"].to_pylist()
    assert made["n"][:] == [len(one) + 1 for one in table["ragged"].to_pylist()]
