"""Values under formats of tensors: none changed, and the same map-style, in streams, in rows and in batches."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from rowstream import Dataset

NOW = dt.datetime(2020, 1, 2, 3, 4, 5, 678901)
DAY = dt.timedelta(days=1, microseconds=3)
COLUMNS = {
    "bool": pa.array([True, False, True]),
    "bool, null": pa.array([True, None, True]),
    "int8": pa.array([1, 2, 3], pa.int8()),
    "uint64": pa.array([1, 2, 3], pa.uint64()),
    "large uint64": pa.array([2**63 + 5, 2, 2**64 - 1], pa.uint64()),
    "lists of large uint64": pa.array([[2**63 + 5], [1], [2]], pa.list_(pa.uint64())),
    "float16": pa.array(np.array([1, 2, 3], np.float16)),
    "float64, null": pa.array([1.5, None, 2.5]),
    "date32": pa.array([NOW.date()] * 3),
    "date32, null": pa.array([NOW.date(), None, NOW.date()]),
    "date64": pa.array([NOW.date()] * 3, pa.date64()),
    **{
        f"timestamp[{unit}]": pa.array([NOW] * 3).cast(pa.timestamp(unit), safe=False)
        for unit in ("s", "ms", "us", "ns")
    },
    "timestamp, null": pa.array([NOW, None, NOW]),
    "timestamp in a zone": pa.array([NOW] * 3, pa.timestamp("us", "Europe/Zurich")),
    **{
        f"duration[{unit}]": pa.array([7, 8, 9], pa.duration(unit))
        for unit in ("s", "ms", "us", "ns")
    },
    "duration, null": pa.array([DAY, None, DAY]),
    "time32": pa.array([dt.time(1, 2, 3)] * 3, pa.time32("s")),
    "time64": pa.array([dt.time(1, 2, 3, 4)] * 3),
    "decimal": pa.array([Decimal("1.25"), None, Decimal("-3.50")]),
    "lists of dates": pa.array([[NOW.date()] * 2] * 3),
    "lists of durations": pa.array([[DAY], [DAY, DAY], []]),
    "objects": pa.array([{"a": NOW, "b": True, "c": DAY, "d": 1}] * 3),
    "bytes": pa.array([b"a\0", b"bc", b""]),
    "text": pa.array(["a", "b", None]),
    "text that ends with zeros": pa.array(["a\0", "b", "\0\0"]),
}


def said(value):
    """A value with its types, to compare."""
    if isinstance(value, dict):
        return {name: said(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)) or (
        isinstance(value, np.ndarray) and value.dtype == object and value.ndim
    ):
        return [type(value).__name__, *(said(one) for one in value)]
    if hasattr(value, "dtype"):
        items = value.tolist() if hasattr(value, "tolist") else np.asarray(value.numpy()).tolist()
        return type(value).__name__, str(value.dtype), tuple(value.shape), repr(items)
    return type(value).__name__, repr(value)


@pytest.mark.parametrize("format", ["numpy", "torch"])
@pytest.mark.parametrize("name", COLUMNS)
def test_streams_and_map_style_give_the_same(name, format):
    """Rows, batches, columns, and what functions see."""
    if format == "torch":
        pytest.importorskip("torch")
    ds = Dataset.from_arrow(pa.table({"c": COLUMNS[name]})).with_format(format)
    stream = ds.to_iterable_dataset().with_format(format)
    assert (
        [said(row) for row in stream]
        == [said(ds[i]) for i in range(3)]
        == [said(row) for row in ds]
    )
    (batch,) = stream.iter(3)
    assert said(batch) == said(ds[:]) == said({"c": ds["c"][:]}) == said(ds[[0, 1, 2]])
    seen = []
    ds.map(lambda rows: seen.append(said(rows)), batched=True)
    assert seen[-1] == said(batch)
    list(stream.map(lambda rows: seen.append(said(dict(rows))) or rows, batched=True, batch_size=3))
    assert seen[-1] == said(batch)


def given(name, format):
    return Dataset.from_arrow(pa.table({"c": COLUMNS[name]})).with_format(format)[:]["c"]


def test_numpy_keeps_times_durations_and_large_integers():
    """Durations are no integers, and integers of the highest bit not negative, which `datasets` makes of both."""
    for unit in ("s", "ms", "us", "ns"):
        assert given(f"duration[{unit}]", "numpy").dtype == f"timedelta64[{unit}]"
        assert given(f"timestamp[{unit}]", "numpy").dtype == f"datetime64[{unit}]"
    assert given("duration, null", "numpy").tolist() == [DAY, None, DAY]
    assert given("large uint64", "numpy").tolist() == [2**63 + 5, 2, 2**64 - 1]
    assert given("lists of large uint64", "numpy").tolist() == [[2**63 + 5], [1], [2]]
    assert given("uint64", "numpy").dtype == np.int64
    assert given("bytes", "numpy").tolist() == [b"a\0", b"bc", b""]
    assert given("text that ends with zeros", "numpy").tolist() == ["a\0", "b", "\0\0"]


def test_torch_keeps_what_it_has_no_tensors_of():
    """As NumPy or Python has it; `datasets` raises."""
    torch = pytest.importorskip("torch")
    assert given("date32", "torch").dtype == "datetime64[D]"
    assert given("timestamp[ns]", "torch").tolist() == [1577934245678901000] * 3
    assert given("duration, null", "torch").tolist() == [DAY, None, DAY]
    assert given("decimal", "torch") == [Decimal("1.25"), None, Decimal("-3.50")]
    assert given("time64", "torch") == [dt.time(1, 2, 3, 4)] * 3
    assert given("text that ends with zeros", "torch") == ["a\0", "b", "\0\0"]
    assert given("objects", "torch")[0] == {
        "a": NOW,
        "b": torch.tensor(True),
        "c": DAY,
        "d": torch.tensor(1),
    }
    assert given("large uint64", "torch").dtype == torch.uint64
    assert given("large uint64", "torch").tolist() == [2**63 + 5, 2, 2**64 - 1]
    assert given("uint64", "torch").dtype == torch.int64


@pytest.mark.parametrize("streaming", [False, True])
def test_csv_has_all_items_of_lists(streaming, tmp_path):
    """However long, with all digits; NumPy, by which pandas writes lists, leaves out what is in the middle."""
    numbers = [i / 3 for i in range(1500)]
    ds = Dataset.from_dict(
        {
            "a": [list(range(2000)), [1]],
            "b": [numbers, [0.1]],
            "c": [{"x": ["t"] * 1001}, {"x": []}],
        }
    )
    (ds.to_iterable_dataset() if streaming else ds).to_csv(tmp_path / "a.csv")
    text = (tmp_path / "a.csv").read_text()
    assert "..." not in text
    assert [
        float(one) for one in pd.read_csv(tmp_path / "a.csv")["b"][0].strip("[]").split()
    ] == numbers
    assert text.count("'t'") == 1001


NUMBERS = [
    [],
    [1],
    [True, False],
    [1, True],
    [1, 2.5],
    [0.1, 1 / 3, float("inf"), float("nan"), -0.0, 1e300, 1e-300],
    [2**31 - 1, -(2**31)],
    [2**31],
    [1, 2**40],
    [2**63 - 1, -(2**63)],
    [2**63],
    [1, 2**63],
    [2**200, 1],
    [1, None],
    [1, "a"],
    [np.int32(1), np.int32(2)],
    [np.float32(1.5), 2.5],
    [[1, 2], [3, 4]],
    [[1, 2], [3]],
    [[1.5], [2]],
    [[], [1]],
    [[[1], [2]], [[3], [4]]],
    (1, 2),
    [{"a": [1, 2]}, {"a": [3]}],
]


@pytest.mark.parametrize(
    "options", [{}, {"dtype": "int32"}, {"dtype": "float32"}, {"dtype": "float64"}], ids=str
)
@pytest.mark.parametrize("name", ["numpy", "torch", "jax", "tensorflow", "mlx"])
def test_lists_of_numbers_are_what_each_number_is(name, options, monkeypatch):
    """Together they are converted at once, which no value may show."""
    from rowstream.formatting import tensors
    from rowstream.formatting.formatters import get_formatter

    module = pytest.importorskip({"mlx": "mlx.core"}.get(name, name))
    if options:
        options = {
            "dtype": getattr(
                np if name == "numpy" else {"jax": np}.get(name, module), options["dtype"]
            )
        }
        if name == "mlx" and options["dtype"] == getattr(module, "float64", None):
            pytest.skip("MLX has these on the CPU alone")
    make = get_formatter(name, **options)

    def results():
        for values in NUMBERS:
            try:
                yield values, said(make.recursive_tensorize(values))
            except (OverflowError, ValueError, TypeError, RuntimeError) as error:
                yield values, type(error).__name__

    with np.errstate(all="ignore"):
        together = list(results())
        monkeypatch.setattr(tensors, "_python_numbers", lambda values: None)
        for (values, found), (_, expected) in zip(together, results(), strict=True):
            assert str(found) == str(expected), values


@pytest.mark.parametrize("name", ["numpy", "torch"])
def test_batches_of_rows_that_functions_gave_are_their_rows_stacked(name):
    pytest.importorskip(name)
    from rowstream.formatting.batches.tensors import Tensors

    rows = [
        {
            "a": i,
            "b": i / 2,
            "c": [i, i + 1],
            "d": [0.5] * (i % 3),
            "e": f"t{i}",
            "f": i % 2 == 0,
            "g": None if i == 3 else i,
            "h": {"x": [i]},
        }
        for i in range(10)
    ]
    ds = Dataset.from_dict({"i": list(range(10))}).to_iterable_dataset()
    ds = ds.map(lambda row: rows[row["i"]], remove_columns="i").with_format(name)
    make = Tensors(name)
    for size in (1, 3, 10, 20):
        for k, batch in enumerate(ds.iter(size)):
            expected = make.group([make.example(row) for row in rows[k * size : (k + 1) * size]])
            assert said(batch) == said(expected)
