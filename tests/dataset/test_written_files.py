"""What writers leave behind: types that other readers find, no file of before, errors of the file itself."""

from __future__ import annotations

import io
import os

import pyarrow.parquet as pq
import pytest
from rowstream import Array2D, ClassLabel, Dataset, Features, Json, List, Value, load_dataset

TABLE = Dataset.from_dict(
    {"m": [0, 1], "j": [{"a": 1}, [1]]},
    features=Features({"m": ClassLabel(names=["a", "b"]), "j": Json()}),
)


@pytest.mark.parametrize("ds", [TABLE, TABLE.to_iterable_dataset()], ids=["table", "stream"])
def test_types_are_in_the_schema_of_parquet(ds, tmp_path):
    import datasets

    path = str(tmp_path / "a.parquet")
    ds.to_parquet(path)
    assert b"ClassLabel" in pq.read_schema(path).metadata[b"huggingface"]
    theirs = datasets.load_dataset(
        "parquet", data_files=path, split="train", cache_dir=str(tmp_path)
    )
    assert theirs.features["m"].names == ["a", "b"]
    assert theirs["m"][:] == [0, 1]


@pytest.mark.parametrize("form", ["parquet", "arrow", "json", "csv"])
def test_a_file_beside_shards_of_its_name_is_told(form, tmp_path):
    """Nothing is removed that may be what is read."""
    path = str(tmp_path / f"train.{form}")
    shards = getattr(Dataset.from_dict({"a": [1, 2, 3]}).to_iterable_dataset(), f"to_{form}")
    shards(path, num_shards=2)
    pattern = str(tmp_path / "train-*")
    ds = load_dataset(form, data_files=pattern, split="train", streaming=True)
    with pytest.warns(UserWarning, match="reads both"):
        getattr(ds.take(2), f"to_{form}")(path)
    assert [row["a"] for row in ds] == [1, 2, 3]
    assert len([*tmp_path.iterdir()]) == 3


class Full(io.RawIOBase):
    """A file on a disk that has no more room."""

    room = 4

    def writable(self):
        return True

    def write(self, data):
        self.room -= len(data)
        if self.room < 0:
            raise OSError(28, "No space left on device")
        return len(data)


@pytest.mark.parametrize("streaming", [False, True])
def test_a_full_disk_is_an_error_that_can_be_caught(streaming):
    ds = Dataset.from_dict({"t": [f"x{i}" * 30 for i in range(30_000)]})
    ds = ds.to_iterable_dataset() if streaming else ds
    with pytest.raises(OSError, match="No space left"):
        ds.to_parquet(Full())


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_an_interrupt_comes_after_the_rows_that_are_being_written(tmp_path):
    import signal
    import threading

    if threading.current_thread() is not threading.main_thread():
        pytest.skip("signals are handled in the main thread")
    # Where tests run in the background, it is ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)

    class Interrupted(io.BytesIO):
        def write(self, data):
            signal.raise_signal(signal.SIGINT)
            return super().write(data)

    try:
        with pytest.raises(KeyboardInterrupt):
            Dataset.from_dict({"t": [f"x{i}" * 30 for i in range(30_000)]}).to_parquet(
                Interrupted()
            )
    finally:
        signal.signal(signal.SIGINT, before)


NESTED = [
    (Json(), [{"a": 1}, [1], "t"]),
    (List({"r": Value("string"), "args": Json()}), [[{"r": "u", "args": {"a": 1}}], [], None]),
    (List(Array2D((1, 2), "int32")), [[[[1, 2]]], [], [[[3, 4]]]]),
    ({"k": Json()}, [{"k": 1}, {"k": "x"}, {"k": None}]),
]


@pytest.mark.parametrize("form", ["parquet", "arrow"])
@pytest.mark.parametrize(("feature", "values"), NESTED)
def test_rows_with_types_of_ours_inside_are_arranged(form, feature, values, tmp_path):
    features = Features({"id": Value("int64"), "x": feature})
    rows = Dataset.from_dict({"id": [2, 0, 1], "x": values}, features=features)
    expected = [rows[i]["x"] for i in (1, 2, 0)]
    path = str(tmp_path / f"a.{form}")
    for options in ({"sort_by": "id"}, {"shuffle_seed": 1}, {"unique_by": ["id"]}):
        getattr(rows.to_iterable_dataset(), f"to_{form}")(path, **options)
        back = load_dataset(form, data_files=path, split="train", cache_dir=str(tmp_path))
        assert back.features == features
        assert [*map(repr, back.sort("id")["x"])] == [*map(repr, expected)]


@pytest.mark.parametrize(("feature", "values"), NESTED)
@pytest.mark.parametrize("form", ["arrow", "pandas", "polars"])
def test_frames_of_streams_with_types_of_ours_inside(form, feature, values):
    features = Features({"x": feature})
    ds = Dataset.from_dict({"x": values}, features=features)
    frames = [*ds.to_iterable_dataset().with_format(form).iter(2)]
    assert sum(map(len, frames)) == 3
    if form == "arrow":
        assert {frame.schema.field("x").type for frame in frames} == {
            ds.data.schema.field("x").type
        }
