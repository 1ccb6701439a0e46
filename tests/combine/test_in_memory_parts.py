"""Streams in memory, put together: all parts keep their data, in copies, pickles and other processes too."""

from __future__ import annotations

import copy
import gc
import pickle
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rowstream import (
    Dataset,
    Features,
    IterableDataset,
    Value,
    concatenate_datasets,
    interleave_datasets,
    load_dataset,
)


def part(*values, name="a", features=None):
    """A stream that nothing else holds."""
    return Dataset.from_dict({name: list(values)}, features=features).to_iterable_dataset()


def large(*values):
    return part(*values, features=Features({"a": Value("large_string")}))


MADE = {
    "two": (lambda: concatenate_datasets([part(1, 2), part(3)]), [1, 2, 3]),
    "three": (lambda: concatenate_datasets([part(1), part(2), part(3)]), [1, 2, 3]),
    "the same twice": (lambda: concatenate_datasets([part(1, 2), part(1, 2)]), [1, 2, 1, 2]),
    "one within another": (
        lambda: concatenate_datasets([part(0), concatenate_datasets([part(1), part(2)]), part(3)]),
        [0, 1, 2, 3],
    ),
    "from_dict": (
        lambda: concatenate_datasets([IterableDataset.from_dict({"a": [i]}) for i in range(4)]),
        [0, 1, 2, 3],
    ),
    "from_list": (
        lambda: concatenate_datasets([IterableDataset.from_list([{"a": i}]) for i in range(3)]),
        [0, 1, 2],
    ),
    "in shards": (
        lambda: concatenate_datasets(
            [IterableDataset.from_dict({"a": [1, 2, 3]}, num_shards=3), part(4)]
        ),
        [1, 2, 3, 4],
    ),
    "nulls, cast": (lambda: concatenate_datasets([part(None), part("x")]), [None, "x"]),
    "long strings, cast": (lambda: concatenate_datasets([large("x"), part("y")]), ["x", "y"]),
    "long strings last": (lambda: concatenate_datasets([part("x"), large("y")]), ["x", "y"]),
    "a column that one lacks": (
        lambda: concatenate_datasets([part(1), part(2, name="b")]),
        [1, None],
    ),
    "cast before": (
        lambda: concatenate_datasets(
            [part(1).cast_column("a", Value("int32")), part(2).cast_column("a", Value("int32"))]
        ),
        [1, 2],
    ),
    "cast after": (
        lambda: concatenate_datasets([part(1), part(2)]).cast_column("a", Value("string")),
        ["1", "2"],
    ),
    "shuffled parts": (
        lambda: concatenate_datasets([part(1, 2).shuffle(seed=1), part(3).shuffle(seed=2)]),
        [1, 2, 3],
    ),
    "parts of parts": (
        lambda: concatenate_datasets([part(1, 2, 3).skip(1), part(4, 5).take(1)]),
        [2, 3, 4],
    ),
    "mapped": (lambda: concatenate_datasets([part(1).map(dict), part(2)]), [1, 2]),
    "renamed": (
        lambda: concatenate_datasets([part(1, name="b").rename_column("b", "a"), part(2)]),
        [1, 2],
    ),
    "interleaved": (
        lambda: interleave_datasets(
            [part(1, 2), part(3, 4)], stopping_strategy="all_exhausted_without_replacement"
        ),
        [1, 3, 2, 4],
    ),
    "beside": (lambda: concatenate_datasets([part(1, 2), part(3, 4, name="b")], axis=1), [1, 2]),
}


def values(ds):
    return [row["a"] for row in ds]


@pytest.mark.parametrize("name", MADE)
def test_every_part_is_there(name):
    make, wanted = MADE[name]
    ds = make()
    gc.collect()
    assert values(ds) == wanted
    assert values(ds) == wanted
    assert sorted(map(str, values(ds.shuffle(seed=3)))) == sorted(map(str, wanted))
    assert values(ds.skip(1)) == wanted[1:]


@pytest.mark.parametrize("name", MADE)
def test_copies_and_pickles(name):
    make, wanted = MADE[name]
    for again in (
        copy.copy,
        copy.deepcopy,
        lambda ds: pickle.loads(pickle.dumps(ds)),
        lambda ds: pickle.loads(pickle.dumps(ds.shuffle(seed=1))),
    ):
        ds = again(make())
        gc.collect()
        assert sorted(map(str, values(ds))) == sorted(map(str, wanted))


def test_files_beside_what_is_in_memory(tmp_path):
    pq.write_table(pa.table({"a": [7, 8]}), tmp_path / "x.parquet")
    with pa.ipc.new_stream(tmp_path / "x.arrow", pa.schema({"a": pa.int64()})) as writer:
        writer.write_table(pa.table({"a": [9]}))

    def files(format):
        return load_dataset(
            format, data_files=str(tmp_path / f"x.{format}"), split="train", streaming=True
        )

    for order in (lambda some: some, lambda some: some[::-1]):
        some = order([part(1), files("arrow"), part(2)])
        gc.collect()
        assert sorted(values(concatenate_datasets(some))) == [1, 2, 9]
    assert values(concatenate_datasets([part(1), files("parquet")])) == [1, 7, 8]


def test_what_else_reads_them():
    def ds():
        return concatenate_datasets([part(1, 2), part(3)])

    assert pa.table(ds()).column("a").to_pylist() == [1, 2, 3]
    assert [table.num_rows for table in ds().with_format("arrow").iter(10)] == [3]
    assert ds().to_map_style()["a"][:] == [1, 2, 3]
    assert "2 files" in ds().explain()
    first = ds()
    next(iter(first))
    again = ds()
    again.load_state_dict(first.state_dict())
    assert values(again) == [2, 3]


def test_parts_without_rows():
    empty = Dataset.from_dict({"a": []}, features=Features({"a": Value("int64")}))
    assert values(empty.to_iterable_dataset()) == []
    assert values(concatenate_datasets([empty.to_iterable_dataset(), part(3)])) == [3]
    assert values(
        concatenate_datasets(
            [part(3), IterableDataset.from_dict({"a": []}, features=empty.features)]
        )
    ) == [3]


@pytest.mark.heavy
@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_other_processes(tmp_path, method):
    script = tmp_path / "script.py"
    script.write_text(
        f"""
import gc, multiprocessing
from rowstream import Dataset, concatenate_datasets

def part(*values):
    return Dataset.from_dict({{"a": list(values)}}).to_iterable_dataset()

def child(q, streams):
    q.put([[row["a"] for row in ds] for ds in streams])

if __name__ == "__main__":
    streams = [
        concatenate_datasets([part(1, 2), part(3)]),
        concatenate_datasets([part(None), part("x")]),
        concatenate_datasets([part(1, 2), part(3)]).shuffle(seed=1).map(dict),
    ]
    gc.collect()
    how = multiprocessing.get_context({method!r})
    q = how.Queue()
    one = how.Process(target=child, args=(q, streams))
    one.start()
    got = q.get(timeout=60)
    one.join()
    assert got[:2] == [[1, 2, 3], [None, "x"]] and sorted(got[2]) == [1, 2, 3], got
"""
    )
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
