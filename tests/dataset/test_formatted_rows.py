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


def test_declared_arrays_stay_so_wherever_rows_come_from(tmp_path):
    from rowstream import Array2D, List, Value, concatenate_datasets, load_from_disk

    features = Features(
        {
            "a": Array2D((2, 2), "float32"),
            "l": List(Array2D((2, 2), "float32")),
            "i": Value("int64"),
        }
    )
    one = np.arange(4, dtype="float32").reshape(2, 2)
    rows = {"a": [one + i for i in range(5)], "l": [[one]] * 5, "i": [*range(5)]}
    whole = Dataset.from_dict(rows, features=features)
    whole.save_to_disk(tmp_path / "saved")
    for ds in (
        whole,
        load_from_disk(str(tmp_path / "saved")),
        concatenate_datasets([whole, whole]),
    ):
        some = ds.select([3, 1, 4])
        assert some.with_format("arrow")[:].schema == ds.with_format("arrow")[:].schema
        assert ds.with_format("arrow")[[1]].schema == ds.with_format("arrow")[:].schema
        assert some.map(lambda b: {"z": b["i"]}, batched=True).features["a"] == features["a"]
        assert some.map(lambda i: {"z": i}, input_columns="i").features["l"] == features["l"]
        assert some.with_format("arrow").map(lambda t: t, batched=True).features == features
        assert some.with_format("pandas")[0]["a"].iloc[0].dtype == np.float32
    nulls = Dataset.from_dict({"a": [one, None]}, features=Features({"a": features["a"]}))
    for key in (slice(None), [0, 1]):
        made = nulls.with_format("numpy")[key]["a"]
        assert [made.shape, made.dtype, np.isnan(made[1]).all()] == [(2, 2, 2), np.float32, True]


def test_keys_of_other_types():
    whole = Dataset.from_dict({"a": [1, 2, 3, 4, 5]})
    for ds in (whole, whole.select([0, 1, 2, 3, 4])):
        assert ds[np.array([])] == {"a": []}
        assert ds[np.array([1.0, 2.0])] == ds[np.array([1, 2], dtype=object)] == {"a": [2, 3]}
        assert ds[torch.tensor([1, 2])] == ds[(i for i in (1, 2))] == {"a": [2, 3]}
        for shape in ((2, 2), (2, 1)):
            with pytest.raises(TypeError, match="list of positions"):
                ds[np.zeros(shape, dtype=int)]


def test_no_columns_for_a_function():
    for ds in (Dataset.from_dict({"a": [1, 2]}), Dataset.from_dict({"a": [1, 2]}).select([1, 0])):
        assert len(ds.filter(lambda: True, input_columns=[])) == 2
        assert ds.map(lambda: {"b": 1}, input_columns=[])["b"][:] == [1, 1]


def test_rows_of_tensors_know_nothing_of_each_other(tmp_path):
    weight = torch.ones(3, requires_grad=True)
    ds = Dataset.from_dict(
        {"x": [[1.0, 2.0, 3.0]] * 300, "r": [[1.0] * (i % 3 + 1) for i in range(300)]}
    )
    ds = ds.with_format("torch")
    for rows in ([*ds][:2], ds.__getitems__([0, 3])):
        one, other = rows[0]["x"], rows[1]["x"]
        product = (one * weight).sum()
        other.add_(1)
        product.backward()
        one.mul_(weight)
        torch.save(rows[1]["x"], tmp_path / "row.pt")
        assert (tmp_path / "row.pt").stat().st_size < 5000
    ragged = ds[:3]["r"]
    ragged[2].mul_(weight)
    assert ragged[0].tolist() == [1.0]


def test_few_rows_that_are_kept_keep_few():
    ds = Dataset.from_dict({"x": [[1] * 1000] * 300}).with_format("numpy")
    row = next(iter(ds))["x"]
    whole = row if row.base is None else row.base
    assert memoryview(whole).nbytes < 1 << 16


def test_large_rows_are_few_at_a_time():
    from rowstream.transforms.filter import Batches

    assert [Batches(4, False, size).rows for size in (10, 1 << 20, 1 << 30)] == [1000, 16, 4]


def test_types_that_no_row_shows():
    empty = pa.table({"a": pa.array([[], [], None], pa.list_(pa.int32(), 0)), "i": [0, 1, 2]})
    made = Dataset(empty).map(lambda i: {"z": 1}, input_columns="i")
    assert made.features["a"] == Dataset(empty).features["a"]


@pytest.mark.parametrize("format", [None, "numpy", "torch"])
def test_a_damaged_mapped_file_is_an_error(tmp_path, format):
    with pa.OSFile(str(tmp_path / "a.arrow"), "wb") as file:
        table = pa.table({"l": pa.array([[i] * 5 for i in range(1000)], pa.list_(pa.int64()))})
        with pa.ipc.new_stream(file, table.schema) as writer:
            writer.write_table(table)
    content = bytearray((tmp_path / "a.arrow").read_bytes())
    at = content.find(np.arange(0, 50, 5, dtype=np.int32).tobytes())
    content[at + 8 : at + 12] = np.int32(2_000_000).tobytes()
    (tmp_path / "a.arrow").write_bytes(content)
    ds = Dataset.from_file(str(tmp_path / "a.arrow")).with_format(format)
    for look in (
        lambda: ds[:9],
        lambda: ds[[1, 2]],
        lambda: [*ds],
        lambda: ds.__getitems__([1, 2]),
    ):
        with pytest.raises(Exception, match="damaged"):
            look()
