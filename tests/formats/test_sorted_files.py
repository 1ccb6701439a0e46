"""Streams written in another order: sorted, shuffled as a whole, without duplicates."""

from __future__ import annotations

import datetime as dt
import itertools
import os
import signal
import subprocess
import sys
from decimal import Decimal
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rowstream import (
    ClassLabel,
    Dataset,
    Features,
    IterableDataset,
    Value,
    exceptions,
    load_dataset,
)
from rowstream.writers import external_sort, parts

N = 6000


@pytest.fixture(params=["memory", "disk"])
def small(request, monkeypatch):
    """Let the rows of a test be one run, or many."""
    if request.param == "disk":
        monkeypatch.setattr(external_sort, "_run_bytes", lambda _: 30_000)
        monkeypatch.setattr(external_sort, "_BATCH_BYTES", 2_000)


def numbers(seed=0):
    rng = np.random.default_rng(seed)
    return pa.table(
        {
            "k": pa.array(rng.integers(0, 40, N), mask=rng.random(N) < 0.1),
            "x": rng.random(N).round(2),
            "s": [f"text {i % 97}" for i in range(N)],
            "l": [[i % 5] * (i % 4) for i in range(N)],
            "i": range(N),
        }
    )


def stream_of(table):
    return Dataset.from_dict(table.to_pydict()).to_iterable_dataset()


def read(folder, name="x", ending="parquet"):
    files = sorted(folder.glob(f"{name}-*.{ending}")) or [folder / f"{name}.{ending}"]
    kind = {"parquet": "parquet", "arrow": "arrow", "tar": "webdataset"}[ending]
    found = load_dataset(kind, data_files=[*map(str, files)], split="train", streaming=True)
    return found.to_list()


def written(stream, folder, form, **options):
    ending = {"to_parquet": "parquet", "to_arrow": "arrow"}[form]
    getattr(stream, form)(folder / f"x.{ending}", **options)
    return read(folder, ending=ending)


@pytest.mark.parametrize("form", ["to_parquet", "to_arrow"])
@pytest.mark.parametrize("several", [{}, {"num_shards": 3}, {"num_shards": 3, "num_proc": 2}])
@pytest.mark.usefixtures("small")
def test_rows_are_sorted(tmp_path, form, several):
    table = numbers()
    # The number of a row comes last: rows with equal keys keep their order.
    wanted = table.sort_by([("k", "ascending"), ("x", "descending"), ("i", "ascending")])
    found = written(stream_of(table), tmp_path, form, sort_by=["k", ("x", "descending")], **several)
    assert found == wanted.to_pylist()
    if several:
        files = sorted(tmp_path.glob("x-*"))
        counts = [len(load_dataset(form[3:], data_files=str(f), split="train")) for f in files]
        assert len(counts) == 3
        assert max(counts) - min(counts) < N / 10
    # Nothing else is left.
    assert len(list(tmp_path.iterdir())) == (3 if several else 1)


@pytest.mark.parametrize("proc", [None, 2])
def test_a_shuffle_is_one_whatever_the_memory(tmp_path, monkeypatch, proc):
    table = numbers()
    several = {} if proc is None else {"num_shards": 4, "num_proc": proc}
    found = {}
    for size in (1 << 30, 50_000, 9_000):
        monkeypatch.setattr(external_sort, "_run_bytes", lambda _, size=size: size)
        stream_of(table).to_parquet(tmp_path / "x.parquet", shuffle_seed=7, **several)
        found[size] = [row["i"] for row in read(tmp_path)]
    first = found[1 << 30]
    assert sorted(first) == [*range(N)]
    assert all(one == first for one in found.values())
    stream_of(table).to_parquet(tmp_path / "x.parquet", shuffle_seed=8, **several)
    other = [row["i"] for row in read(tmp_path)]
    assert other != first
    for order in (first, other):
        # Rows go anywhere: neither near their places nor beside their neighbours.
        moved = np.abs(np.array(order) - np.arange(N))
        assert N / 3.5 < moved.mean() < N / 2.5
        assert np.abs(np.diff(order)).mean() > N / 4
        assert np.corrcoef(order, np.arange(N))[0, 1] < 0.1
    assert np.corrcoef(first, other)[0, 1] < 0.1


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("order", ["kept", "sorted", "shuffled"])
def test_the_first_of_equal_rows_is_kept(tmp_path, order):
    table = numbers().drop_columns("i")
    firsts: dict[object, int] = {}
    for i, row in enumerate(table.to_pylist()):
        firsts.setdefault((row["k"], row["s"]), i)
    how = {"kept": {}, "sorted": {"sort_by": "s"}, "shuffled": {"shuffle_seed": 1}}[order]
    stream_of(table).to_parquet(tmp_path / "x.parquet", unique_by=["k", "s"], **how)
    found = read(tmp_path)
    wanted = table.take([*firsts.values()]).to_pylist()
    if order == "sorted":
        wanted.sort(key=lambda row: row["s"])
    if order == "shuffled":
        assert found != wanted
        found, wanted = ([*map(str, rows)] for rows in (found, wanted))
        found.sort()
        wanted.sort()
    assert found == wanted


def test_rows_are_equal_in_all_their_columns(tmp_path):
    rows = [
        {"a": 1, "b": [1, None], "c": {"x": "é"}, "d": 0.5},
        {"a": 1, "b": [1, None], "c": {"x": "é"}, "d": 0.5},
        {"a": 1, "b": [1], "c": {"x": "é"}, "d": 0.5},
        {"a": None, "b": None, "c": None, "d": None},
        {"a": 1, "b": [1, None], "c": {"x": None}, "d": 0.5},
        {"a": None, "b": None, "c": None, "d": None},
    ]
    stream = Dataset.from_list(rows).to_iterable_dataset()
    stream.to_parquet(tmp_path / "x.parquet", unique_by=True)
    assert read(tmp_path) == [rows[i] for i in (0, 2, 3, 4)]
    stream.to_parquet(tmp_path / "x.parquet", unique_by="a")
    assert read(tmp_path) == [rows[0], rows[3]]


DAY = dt.datetime(2020, 1, 2)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    "values",
    [
        [*range(700, 0, -1)],
        [None, 3, None, 1] * 99,
        [0.5, float("inf"), None, -1.0] * 99,
        ["é", "z", "", None, "a"] * 99,
        [b"\xff", b"", b"a"] * 99,
        [True, None, False] * 99,
        [DAY + dt.timedelta(seconds=i * 7 % 31) for i in range(500)],
        [Decimal(i * 7 % 31) / 4 for i in range(500)],
        [dt.date(2000, 1, 1 + i * 7 % 31) for i in range(500)],
        [1] * 900,
        [None] * 50,
        [4],
        [],
    ],
)
def test_values_of_all_types_are_sorted(tmp_path, values):
    features = None if any(v is not None for v in values) else Features({"v": Value("int64")})
    rows = Dataset.from_dict({"v": values}, features=features)
    rows.to_iterable_dataset().to_parquet(tmp_path / "x.parquet", sort_by="v")
    missing = [v for v in values if v is None]
    there = sorted(v for v in values if v is not None)
    assert [row["v"] for row in read(tmp_path)] == there + missing


def test_labels_keep_their_names_and_functions_are_applied_once(tmp_path):
    features = Features({"label": ClassLabel(names=["no", "yes"]), "i": Value("int64")})
    calls = []

    def made(row):
        calls.append(row["i"])
        return {"i": row["i"] * 2}

    rows = Dataset.from_dict({"label": [1, 0, 1], "i": [2, 1, 0]}, features=features)
    stream = rows.to_iterable_dataset().map(made, features=features)
    stream.to_arrow(tmp_path / "x.arrow", sort_by="i", num_shards=2, compression="zstd")
    found = load_dataset("arrow", data_files=str(tmp_path / "x-*.arrow"), split="train")
    assert found.features["label"].names == ["no", "yes"]
    assert found["i"][:] == [0, 2, 4]
    assert sorted(calls) == [0, 1, 2]


def test_samples_of_archives_are_sorted(tmp_path):
    stream = IterableDataset.from_dict({"txt": ["c", "a", "b", "a"]})
    stream.to_webdataset(
        tmp_path / "x.tar", sort_by="txt", unique_by="txt", num_shards=2, num_proc=2
    )
    found = read(tmp_path, ending="tar")
    assert [row["txt"] for row in found] == ["a", "b", "c"]
    assert len({row["__key__"] for row in found}) == 3


def test_what_makes_no_sense_is_said_before_anything_is_read(tmp_path):
    def rows():
        raise AssertionError
        yield

    features = Features({"a": Value("int64"), "l": [Value("int64")]})
    stream = IterableDataset.from_generator(rows, features=features)
    to = partial(stream.to_parquet, tmp_path / "x.parquet")
    for options, said in (
        ({"sort_by": "b"}, "no column"),
        ({"sort_by": "l"}, "has no order"),
        ({"sort_by": [("a", "up")]}, "descending"),
        ({"sort_by": []}, "no columns"),
        ({"unique_by": ["a", "z"]}, "no column"),
        ({"sort_by": "a", "shuffle_seed": 1}, "one order"),
        ({"sort_by": "a", "memory": 10}, "at least"),
        ({"sort_by": "a", "engine": "dask", "num_shards": 2}, "engine"),
        ({"sort_by": "a", "engine": "ray"}, "num_shards"),
    ):
        with pytest.raises(exceptions.InvalidArgumentError, match=said):
            to(**options)
    with pytest.raises(exceptions.InvalidArgumentError, match="no folder"):
        stream.to_parquet(tmp_path / "no" / "x.parquet", sort_by="a")
    with pytest.raises(exceptions.InvalidArgumentError, match="compression"):
        stream.to_arrow(tmp_path / "x.arrow", compression="gzip")
    assert not list(tmp_path.iterdir())


def test_an_error_leaves_nothing_and_keeps_what_was_there(tmp_path):
    def bad(row):
        if row["i"] == 500:
            raise ValueError("no")
        return row

    stream = stream_of(numbers())
    stream.to_parquet(tmp_path / "x.parquet", sort_by="i")
    for several in ({}, {"num_shards": 2, "num_proc": 2}):
        with pytest.raises(ValueError, match="no"):
            stream.map(bad).to_parquet(tmp_path / "x.parquet", sort_by="i", **several)
        assert [one.name for one in tmp_path.iterdir()] == ["x.parquet"]


KILLED = """
import os, signal, sys
import rowstream.writers.arrange as arrange
import rowstream.writers.exports as exports
from rowstream import load_dataset
from rowstream.writers.sinks import ParquetSink

class Killed(ParquetSink):
    closed = 0

    def close(self):
        Killed.closed += 1
        if Killed.closed == int(sys.argv[1]):
            os.kill(os.getpid(), signal.SIGKILL)
        super().close()

def sort(*args):
    print("sorted", flush=True)
    return sorted_rows(*args)

sorted_rows, arrange.sorted_rows = arrange.sorted_rows, sort
exports.ParquetSink = Killed
ds = load_dataset("parquet", data_files="rows.parquet", split="train", streaming=True)
ds.to_parquet("x.parquet", num_shards=5, num_proc=1, shuffle_seed=int(sys.argv[2]))
print(Killed.closed)
"""


def test_a_run_that_was_killed_is_gone_on_with(tmp_path):
    pq.write_table(numbers(), tmp_path / "rows.parquet")

    def run(die, seed=1):
        return subprocess.run(
            [sys.executable, "-c", KILLED, str(die), str(seed)],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=100,
            env={**os.environ, "HF_DATASETS_CACHE": str(tmp_path / "cache")},
        )

    assert run(2, seed=5).returncode == -signal.SIGKILL
    killed = run(4)
    assert (killed.returncode, killed.stdout) == (-signal.SIGKILL, "sorted\n")
    done = run(0)
    # Nothing is sorted again, and three of the five files were there.
    assert (done.returncode, done.stdout) == (0, "2\n"), done.stderr
    assert {one.name for one in tmp_path.iterdir() if one.name != "cache"} == {
        "rows.parquet",
        *(f"x-{i:05d}-of-00005.parquet" for i in range(5)),
    }
    assert sorted(row["i"] for row in read(tmp_path)) == [*range(N)]


@pytest.mark.parametrize("how", [{"unique_by": "i"}, {"sort_by": "i"}, {"shuffle_seed": 1}])
@pytest.mark.parametrize("several", [{}, {"num_shards": 2}, {"num_shards": 2, "num_proc": 2}])
def test_no_rows_are_files_without_rows(tmp_path, how, several):
    stream = stream_of(numbers()).filter(lambda row: row["i"] < 0)
    stream.to_parquet(tmp_path / "x.parquet", **how, **several)
    assert read(tmp_path) == []
    stream.to_parquet(tmp_path / "x.parquet", **(how | {"unique_by": "s"}), **several)
    assert read(tmp_path) == []


@pytest.mark.usefixtures("small")
def test_values_that_are_views_are_sorted(tmp_path):
    table = pa.table(
        {
            "s": pa.array([f"v{i % 50}" for i in range(3000)], pa.string_view()),
            "b": pa.array([b"x", None, b"y"] * 1000, pa.binary_view()),
            "i": range(3000),
        }
    )
    with pa.ipc.new_file(tmp_path / "v.arrow", table.schema) as writer:
        writer.write_table(table)
    stream = load_dataset(
        "arrow", data_files=str(tmp_path / "v.arrow"), split="train", streaming=True
    )
    stream.to_parquet(tmp_path / "x.parquet", sort_by=["s", "i"])
    found = read(tmp_path)
    assert found == sorted(table.to_pylist(), key=lambda row: (row["s"], row["i"]))
    stream.to_parquet(tmp_path / "x.parquet", shuffle_seed=1, unique_by=["s", "b"])
    assert len(read(tmp_path)) == 150


def test_files_have_about_as_many_rows_where_the_last_run_is_short(tmp_path, monkeypatch):
    monkeypatch.setattr(external_sort, "_run_bytes", lambda _: 200_000)
    monkeypatch.setattr(external_sort, "_BATCH_BYTES", 2_000)
    table = pa.table({"i": range(12_700), "s": ["x" * 20] * 12_700})
    stream = Dataset.from_dict(table.to_pydict()).to_iterable_dataset()
    stream.to_parquet(tmp_path / "x.parquet", sort_by="i", num_shards=4, num_proc=1)
    counts = [pq.read_metadata(file).num_rows for file in sorted(tmp_path.glob("x-*"))]
    assert sum(counts) == 12_700
    assert max(counts) - min(counts) < 600
    assert [row["i"] for row in read(tmp_path)] == [*range(12_700)]


@pytest.mark.usefixtures("small")
def test_row_groups_and_batches_are_of_the_size_asked_for(tmp_path):
    stream = stream_of(numbers())
    stream.to_parquet(tmp_path / "x.parquet", batch_size=1000, sort_by="i")
    found = pq.read_metadata(tmp_path / "x.parquet")
    assert [found.row_group(i).num_rows for i in range(found.num_row_groups)] == [1000] * 6
    stream.to_arrow(tmp_path / "x.arrow", batch_size=700, sort_by="i")
    with pa.ipc.open_file(tmp_path / "x.arrow") as file:
        rows = [file.get_batch(i).num_rows for i in range(file.num_record_batches)]
    assert rows == [700] * 8 + [400]


def test_large_rows_are_cut_to_the_memory(tmp_path, monkeypatch):
    sizes = []
    written = external_sort._written
    monkeypatch.setattr(
        external_sort,
        "_written",
        lambda folder, keys, number, tables: (
            sizes.append(sum(table.nbytes for table in tables))
            or written(folder, keys, number, tables)
        ),
    )
    rows = {"k": [*range(300, 0, -1)], "v": [bytes(30_000)] * 300}
    stream = Dataset.from_dict(rows).to_iterable_dataset()
    stream.to_parquet(tmp_path / "x.parquet", sort_by="k", memory="4MB")
    assert max(sizes) < 4_000_000 / 8 * 1.3
    assert [row["k"] for row in read(tmp_path)] == [*range(1, 301)]


@pytest.mark.parametrize(
    "options",
    [
        {"sort_by": {"a": "descending"}},
        {"sort_by": [("a",)]},
        {"sort_by": 5},
        {"sort_by": [5]},
        {"unique_by": 5},
        {"unique_by": []},
        {"sort_by": "a", "memory": None},
        {"sort_by": "a", "memory": 1e9},
        {"sort_by": "rowstream:run"},
    ],
)
def test_arguments_of_other_kinds_are_refused(tmp_path, options):
    stream = IterableDataset.from_dict({"a": [1, 2], "rowstream:run": [1, 2]})
    with pytest.raises(exceptions.InvalidArgumentError):
        stream.to_parquet(tmp_path / "x.parquet", **options)
    assert not list(tmp_path.iterdir())


def test_a_column_may_be_named_twice_and_a_megabyte_is_enough(tmp_path):
    stream = IterableDataset.from_dict({"a": [1, 3, 2]})
    stream.to_parquet(tmp_path / "x.parquet", sort_by=[("a", "descending"), "a"], memory="1MB")
    assert [row["a"] for row in read(tmp_path)] == [3, 2, 1]


def test_parts_that_are_elsewhere_are_an_error_and_what_was_there_is_kept(tmp_path):
    import fsspec

    stream = IterableDataset.from_dict({"a": [1, 3, 2]})
    stream.to_parquet("memory://sorted/x.parquet")
    # Other processes have a memory of their own.
    with pytest.raises(exceptions.InvalidArgumentError, match="see one folder"):
        stream.to_parquet("memory://sorted/x.parquet", num_shards=2, num_proc=2)
    assert fsspec.filesystem("memory").ls("/sorted", detail=False) == ["/sorted/x.parquet"]
    stream.to_parquet("memory://sorted/x.parquet", sort_by="a")
    with pytest.raises(exceptions.InvalidArgumentError, match="is a folder"):
        stream.to_parquet(tmp_path, sort_by="a")


TWICE = """
import sys
from rowstream import load_dataset
ds = load_dataset("parquet", data_files="rows.parquet", split="train", streaming=True)
ds.to_parquet("x.parquet", sort_by=sys.argv[1], num_shards=int(sys.argv[2]), num_proc=2)
"""


@pytest.mark.heavy
def test_two_runs_at_once_wait_for_each_other(tmp_path):
    pq.write_table(numbers(), tmp_path / "rows.parquet")
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", TWICE, *arguments],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "ROWSTREAM_CACHE": str(tmp_path / "cache")},
        )
        for arguments in (("i", "4"), ("s", "3"), ("i", "4"))
    ]
    for run in runs:
        _, said = run.communicate(timeout=100)
        assert run.returncode == 0, said
    files = sorted(path.name for path in tmp_path.glob("x-*"))
    assert files in ([f"x-{i:05d}-of-{n:05d}.parquet" for i in range(n)] for n in (3, 4))
    assert sorted(row["i"] for row in read(tmp_path)) == [*range(N)]


def test_what_a_killed_run_has_sorted_is_removed_by_the_next(tmp_path):
    left = tmp_path / ".rowstream-sort-killed"
    (left / "sorted").mkdir(parents=True)
    (left / "lock").touch()
    stream_of(numbers()).to_parquet(tmp_path / "x.parquet", sort_by="i")
    assert [path.name for path in tmp_path.iterdir()] == ["x.parquet"]


def test_other_writers_say_which_put_rows_in_order(tmp_path):
    rows = Dataset.from_dict({"a": [2, 1]})
    for call in (
        partial(rows.to_parquet, sort_by="a"),
        partial(rows.to_json, unique_by=True),
        partial(rows.to_csv, memory="1GB"),
        partial(rows.to_iterable_dataset().to_json, shuffle_seed=1),
        partial(rows.to_iterable_dataset().to_csv, sort_by="a"),
    ):
        with pytest.raises(exceptions.InvalidArgumentError, match="to_parquet"):
            call(tmp_path / "x")
    rows.to_iterable_dataset().to_parquet(tmp_path / "x.parquet", sort_by=("a", "descending"))
    assert [row["a"] for row in read(tmp_path)] == [2, 1]


def test_seeds_have_orders_of_their_own(tmp_path):
    """None is another one's, some rows further on."""
    orders = []
    for seed in (0, 1, 2, 5, 6, 11, 12, 2**63):
        stream_of(pa.table({"id": range(1000)})).to_parquet(
            tmp_path / "x.parquet", shuffle_seed=seed
        )
        orders.append(pq.read_table(tmp_path / "x.parquet")["id"].to_numpy())
    for i, one in enumerate(orders):
        for other in orders[:i]:
            apart = np.argsort(one) - np.argsort(other)
            assert max(np.unique(apart, return_counts=True)[1]) < 20
            # Nor is one the other, of the next numbers.
            follows = dict(zip(other[:-1].tolist(), other[1:].tolist(), strict=True))
            steps = [follows.get(a - 1) == b - 1 for a, b in itertools.pairwise(one)]
            assert sum(steps) < 20


@pytest.mark.usefixtures("small")
def test_names_that_begin_with_a_dot(tmp_path):
    table = pa.table({"b": [3, 1, 2] * 50, ".b": [1, 2, 3] * 50, ".": range(150)})
    for key in (".b", ".", [".b", "b"]):
        names = [key] if isinstance(key, str) else key
        stream_of(table).to_parquet(tmp_path / "x.parquet", sort_by=key)
        found = pq.read_table(tmp_path / "x.parquet")
        keys = list(zip(*(found[name].to_pylist() for name in names), strict=True))
        assert keys == sorted(keys)


def test_no_rows_of_types_that_are_not_known(tmp_path):
    ds = (
        IterableDataset.from_generator(lambda: iter([{"a": 1}])).map(dict).filter(lambda row: False)
    )
    for options in ({"sort_by": "a"}, {"unique_by": "a"}, {"shuffle_seed": 1}):
        ds.to_parquet(tmp_path / "x.parquet", **options)
        assert pq.read_table(tmp_path / "x.parquet").num_rows == 0


def test_large_rows_beside_each_other_are_read_a_few_at_a_time(monkeypatch, tmp_path):
    """Where the size of a row goes with its key, a range is of the bytes that it may have all the same."""
    rows = 4000
    texts = ["x" * (20_000 if i >= rows - 200 else 20) for i in range(rows)]
    order = np.random.default_rng(0).permutation(rows)
    table = pa.table({"n": order, "text": [texts[i] for i in order]})
    sizes = []
    taken = external_sort.SortedRows._range

    def measured(self, *args):
        result = taken(self, *args)
        sizes.append(result.nbytes)
        return result

    monkeypatch.setattr(external_sort.SortedRows, "_range", measured)
    stream_of(table).to_parquet(tmp_path / "x.parquet", sort_by="n", memory="4MB")
    assert pq.read_table(tmp_path / "x.parquet")["n"].to_pylist() == list(range(rows))
    # A sixteenth of the memory, and what the cuts between batches leave.
    assert max(sizes) < 1_000_000


def test_a_loaded_state_is_a_stream_of_its_own(tmp_path, monkeypatch):
    """What a killed run of all rows has sorted is not taken for the rest of them."""
    ds = stream_of(pa.table({"id": range(1000)}))
    rows = iter(ds)
    for _ in range(600):
        next(rows)
    state, seen = ds.state_dict(), []
    whole = stream_of(pa.table({"id": range(1000)}))
    rest = stream_of(pa.table({"id": range(1000)}))
    rest.load_state_dict(state)
    real = parts.named
    monkeypatch.setattr(
        "rowstream.dataset.iterable.files.named", lambda said: seen.append(real(said)) or seen[-1]
    )
    for one in (whole, rest):
        one.to_parquet(tmp_path / "x.parquet", num_shards=2, num_proc=1, sort_by="id")
    assert seen[0] != seen[1]
    assert len(read(tmp_path)) == 400


SORTS = """
import sys
import rowstream
rowstream.disable_progress_bars()
for i in range(40):
    rowstream.Dataset.from_dict({"a": [3, 1, 2]}).to_iterable_dataset().to_parquet(sys.argv[1], sort_by="a")
"""


@pytest.mark.heavy
def test_sorts_in_one_folder_at_once(tmp_path):
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", SORTS, str(tmp_path / f"{i}.parquet")], stderr=subprocess.PIPE
        )
        for i in range(3)
    ]
    assert [run.communicate(timeout=110)[1].decode() for run in runs] == [""] * 3
    assert sorted(os.listdir(tmp_path)) == [f"{i}.parquet" for i in range(3)]
