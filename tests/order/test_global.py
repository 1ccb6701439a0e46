"""`shuffle(buffer_size=None)`: every row may land anywhere, and all else holds as for any order."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections import Counter
from itertools import islice

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rowstream import (
    IterableDataset,
    col,
    exceptions,
    load_dataset,
    merge_state_dicts,
    split_dataset_by_node,
)

N = 3000


@pytest.fixture(params=["parquet", "json", "memory"], scope="module")
def ds(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("global")
    rows = [{"id": i, "text": f"t{i}" * (i % 5)} for i in range(N)]
    if request.param == "memory":
        return IterableDataset.from_list(rows)
    if request.param == "parquet":
        for f in range(3):
            pq.write_table(
                pa.Table.from_pylist(rows[f * 1000 : f * 1000 + 1000]),
                folder / f"{f}.parquet",
                row_group_size=130,
            )
        return load_dataset(
            "parquet", data_files=f"{folder}/*.parquet", split="train", streaming=True
        )
    (folder / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return load_dataset("json", data_files=f"{folder}/*.jsonl", split="train", streaming=True)


def ids(ds):
    return [row["id"] for row in ds]


def test_every_row_once_and_anywhere(ds):
    shuffled = ds.shuffle(seed=1, buffer_size=None)
    whole = ids(shuffled)
    assert sorted(whole) == list(range(N))
    assert ids(shuffled) == whole
    assert [i for batch in shuffled.iter(100) for i in batch["id"]] == whole
    # As a uniform permutation has it: far from where they were, whichever row group they were in.
    assert 0.9 < sum(abs(i - p) for p, i in enumerate(whole)) / (N * N / 3) < 1.1
    assert all(row["text"] == f"t{row['id']}" * (row["id"] % 5) for row in shuffled.take(200))
    shuffled.set_epoch(1)
    assert ids(shuffled) != whole
    assert ids(ds.shuffle(seed=2, buffer_size=None)) != whole


def test_states_and_consumers(ds):
    make = lambda: ds.shuffle(seed=5, buffer_size=None)
    whole = ids(make())
    for cut in (0, 1, 777, N - 1, N):
        stream = make()
        head = ids(islice(stream, cut))
        again = make()
        again.load_state_dict(stream.state_dict())
        assert head + ids(again) == whole
    rnd = random.Random(1)
    seen, merged = Counter(), None
    for i, n in enumerate((3, 5, 2)):
        states = []
        for c in range(n):
            part = split_dataset_by_node(make(), c, n)
            if merged is not None:
                part.load_state_dict(merged)
            seen += Counter(ids(part if i == 2 else islice(part, rnd.randrange(300))))
            states.append(part.state_dict())
        merged = merge_state_dicts(states)
    assert seen == Counter(whole)


def test_what_is_held_out_stays_held_out(ds):
    shuffled = ds.shuffle(seed=3, buffer_size=None)
    held, rest = shuffled.take(500), shuffled.skip(500)
    chosen = set(ids(held))
    assert len(chosen) == 500
    for epoch in range(3):
        held.set_epoch(epoch)
        rest.set_epoch(epoch)
        assert set(ids(held)) == chosen
        assert not chosen & set(ids(rest))
    first = ds.skip(100).take(50).shuffle(seed=1, buffer_size=None)
    assert sorted(ids(first)) == list(range(100, 150))
    assert ids(first) != list(range(100, 150))
    assert sorted(ids(ds.shuffle(seed=1, buffer_size=None).repeat(2))) == sorted(
        [*range(N), *range(N)]
    )


def test_filters_and_functions(ds):
    condition = col("id") < 300
    whole = [i for i in ids(ds.shuffle(seed=4, buffer_size=None)) if i < 300]
    assert ids(ds.filter(condition).shuffle(seed=4, buffer_size=None)) == whole
    assert ids(ds.shuffle(seed=4, buffer_size=None).filter(condition)) == whole
    assert ids(ds.map(lambda row: {"id": row["id"]}).shuffle(seed=4, buffer_size=None)) == ids(
        ds.shuffle(seed=4, buffer_size=None)
    )
    with pytest.raises(exceptions.UnsupportedError, match="single rows"):
        ds.batch(3).shuffle(seed=1, buffer_size=None)
    with pytest.raises(exceptions.UnsupportedError, match="comes before other shuffles"):
        list(ds.shuffle(seed=1, buffer_size=50).take(10).shuffle(seed=1, buffer_size=None))


def test_what_does_not_fit_into_memory_is_read_again(tmp_path):
    script = """
import sys, numpy as np, pyarrow as pa, pyarrow.parquet as pq
from rowstream import load_dataset
n = 400_000
pq.write_table(pa.table({"id": range(n), "x": np.random.default_rng(1).random((n,)), "y": np.random.default_rng(2).random((n,))}), sys.argv[1], row_group_size=20_000)
ds = load_dataset("parquet", data_files=sys.argv[1], split="train", streaming=True).shuffle(seed=1, buffer_size=None)
ids = np.concatenate([batch["id"] for batch in ds.with_format("numpy").iter(10_000)])
assert sorted(ids.tolist()) == list(range(n))
print(hash(ids.tobytes()))
"""
    found = set()
    for memory in ("16MiB", "512MiB"):
        env = {"ROWSTREAM_MEMORY": memory, "PYTHONHASHSEED": "0"}
        result = subprocess.run(
            [sys.executable, "-c", script, str(tmp_path / "a.parquet")],
            capture_output=True,
            text=True,
            timeout=100,
            env=env,
            check=False,
        )
        assert result.returncode == 0, result.stderr
        found.add(result.stdout)
    assert len(found) == 1, "memory changes no order"
