"""A state that was loaded is kept by what is done next, or refused; never dropped."""

from __future__ import annotations

import json
import pickle

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rowstream import (
    IterableDataset,
    IterableDatasetDict,
    Value,
    col,
    concatenate_datasets,
    interleave_datasets,
    load_dataset,
    split_dataset_by_node,
)
from rowstream.exceptions import CheckpointMismatchError


def given():
    for i in range(20):
        yield {"id": i}


@pytest.fixture
def streams(tmp_path):
    pq.write_table(pa.table({"id": range(20)}), tmp_path / "x.parquet", row_group_size=5)

    def files():
        return load_dataset(
            "parquet", data_files=str(tmp_path / "x.parquet"), split="train", streaming=True
        )

    return {
        "files": files,
        "shuffled": lambda: files().shuffle(seed=1, buffer_size=4),
        "in memory": lambda: IterableDataset.from_dict({"id": list(range(20))}),
        "a generator": lambda: IterableDataset.from_generator(given),
        "a mixture": lambda: interleave_datasets([files().take(10), files().skip(10)]),
        "mapped": lambda: files().map(lambda row: {"id": row["id"]}),
        "mapped in batches": lambda: files().map(
            lambda rows: {"id": rows["id"]}, batched=True, batch_size=2
        ),
    }


KINDS = [
    "files",
    "shuffled",
    "in memory",
    "a generator",
    "a mixture",
    "mapped",
    "mapped in batches",
]
KEPT = {
    "rank": lambda ds: split_dataset_by_node(ds, 0, 1),
    "reshard": lambda ds: ds.reshard(),
    "dict": lambda ds: IterableDatasetDict({"a": ds})["a"],
    "column": lambda ds: ({"id": i} for i in ds["id"]),
}
STEPS = {
    "map": lambda ds: ds.map(lambda row: {"y": row["id"]}),
    "map in batches": lambda ds: ds.map(lambda rows: {"y": rows["id"]}, batched=True, batch_size=3),
    "map with numbers": lambda ds: ds.map(lambda row, i: {"y": i}, with_indices=True),
    "filter": lambda ds: ds.filter(lambda row: row["id"] % 3),
    "filter, expression": lambda ds: ds.filter(col("id") > 2),
    "flat_map": lambda ds: ds.flat_map(lambda row: [row]),
    "batch": lambda ds: ds.batch(2),
    "take": lambda ds: ds.take(8),
    "skip": lambda ds: ds.skip(1),
    "shuffle": lambda ds: ds.shuffle(seed=4),
    "repeat": lambda ds: ds.repeat(2),
    "cast_column": lambda ds: ds.cast_column("id", Value("int32")),
    "rename": lambda ds: ds.rename_column("id", "id"),
    "select": lambda ds: ds.select_columns(["id"]),
    "add_column": lambda ds: ds.add_column("z", list(range(20))),
    "interleave": lambda ds: interleave_datasets([ds, ds._with(_resume=None)]),
    "interleave, the second": lambda ds: interleave_datasets(
        [ds._with(_resume=None), ds], probabilities=[0.5, 0.5], seed=1
    ),
    "concatenate": lambda ds: concatenate_datasets([ds, ds._with(_resume=None)]),
    "beside": lambda ds: concatenate_datasets(
        [ds, ds._with(_resume=None).map(lambda row: {"b": 1}, remove_columns=["id"])], axis=1
    ),
    "pickled": lambda ds: pickle.loads(pickle.dumps(ds)),
}


def left(rows, step):
    """The rows that a step gives of these, by their ids."""
    return [row["id"] for row in step(IterableDataset.from_dict({"id": rows}))]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", STEPS)
def test_a_step_keeps_it_or_refuses(streams, kind, name):
    if name == "pickled" and kind.startswith("mapped"):
        pytest.skip("the function of this test is not pickled")
    make, step = streams[kind], STEPS[name]
    rows = [row["id"] for row in make()]
    ds = make()
    running = iter(ds)
    for _ in range(3):
        next(running)
    loaded = make()
    loaded.load_state_dict(json.loads(json.dumps(ds.state_dict())))
    try:
        after = step(loaded)
    except CheckpointMismatchError as error:
        assert "state" in str(error)
        return
    flat = [i for row in after for i in (row["id"] if isinstance(row["id"], list) else [row["id"]])]
    assert flat == left(rows[3:], STEPS[name]), "it was dropped, or is of other rows"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", KEPT)
def test_what_changes_no_rows_keeps_it(streams, kind, name):
    make = streams[kind]
    rows = [row["id"] for row in make()]
    ds, loaded = make(), make()
    running = iter(ds)
    for _ in range(3):
        next(running)
    loaded.load_state_dict(json.loads(json.dumps(ds.state_dict())))
    assert [row["id"] for row in KEPT[name](loaded)] == rows[3:]


def test_a_packer_of_lists_goes_on_exactly():
    """What is kept between calls would be lost: lists that are whole units are the way, as the docs say."""

    def packed(rows):
        return {"id": [rows["id"][i : i + 4] for i in range(0, len(rows["id"]), 4)]}

    def make():
        return IterableDataset.from_dict({"id": list(range(50))}).map(
            packed, batched=True, batch_size=8
        )

    rows = [row["id"] for row in make()]
    for n in range(len(rows)):
        ds, again = make(), make()
        running = iter(ds)
        for _ in range(n):
            next(running)
        again.load_state_dict(json.loads(json.dumps(ds.state_dict())))
        assert [row["id"] for row in again] == rows[n:]


def test_a_copy_of_what_workers_read_does_not_say_the_start(tmp_path):
    """Nor does one that was pickled; what the workers read is not known to either."""
    torch = pytest.importorskip("torch")
    import subprocess
    import sys

    del torch
    code = """
import copy, pickle, warnings
warnings.filterwarnings("ignore")
import torch
from torch.utils.data import DataLoader
from rowstream import IterableDataset

if __name__ == "__main__":
    ds = IterableDataset.from_dict({"id": list(range(40))}, num_shards=4)
    assert len(list(DataLoader(ds, batch_size=4, num_workers=2))) == 10
    for of in (ds, copy.copy(ds), pickle.loads(pickle.dumps(ds))):
        try:
            of.state_dict()
        except NotImplementedError as error:
            assert "StatefulDataLoader" in str(error)
        else:
            raise AssertionError(of)
    ds.map(dict).state_dict()  # another stream, which nobody has read
    assert len(list(ds)) == 40
    ds.state_dict()  # read here since
"""
    script = tmp_path / "script.py"
    script.write_text(code)
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=110, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
