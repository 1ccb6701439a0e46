"""Ranks that save and go on as others, three times: formats, steps and places; every row once, in each of them."""

from __future__ import annotations

import csv
import io
import itertools
import json
import tarfile
from collections import Counter

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rowstream import DataLoader, interleave_datasets, load_dataset, mix_datasets, write_jsonl

ROWS = 240
SIZES = (70, 3, 100, 66, 1)  # rows of the files


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The same rows in files of each format."""
    path, first = tmp_path_factory.mktemp("grid"), 0
    for number, size in enumerate(SIZES):
        rows = [{"n": n, "text": f"t{n}"} for n in range(first, first + size)]
        first += size
        table = pa.Table.from_pylist(rows)
        pq.write_table(table, path / f"{number}.parquet", row_group_size=17)
        write_jsonl(path / f"{number}.jsonl", rows)
        with (path / f"{number}.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, ["n", "text"])
            writer.writeheader()
            writer.writerows(rows)
        with tarfile.open(path / f"{number}.tar", "w") as archive:
            for row in rows:
                content = json.dumps(row).encode()
                member = tarfile.TarInfo(f"{row['n']:04}.json")
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    return path


def opened(base, format):
    if format == "tar":
        ds = load_dataset("webdataset", data_files=f"{base}/*.tar", split="train", streaming=True)
        return ds.map(lambda row: {"n": row["json"]["n"]}, remove_columns=["json"])
    name = {"parquet": "parquet", "jsonl": "json", "csv": "csv"}[format]
    files = [f"{base}/{number}.{format}" for number in range(len(SIZES))]
    return load_dataset(name, data_files=files, split="train", streaming=True)


def twice(batch):
    return {"n": [n for n in batch["n"] for _ in range(2)]}


STEPS = {
    "shuffled": lambda ds: ds.shuffle(seed=3, buffer_size=40),
    "mapped and filtered": lambda ds: (
        ds.shuffle(seed=3, buffer_size=40).map(lambda row: row).filter(lambda row: row["n"] % 5)
    ),
    "batched": lambda ds: (
        ds.shuffle(seed=3, buffer_size=40).select_columns("n").map(twice, batched=True, batch_size=7)
    ),
    "batched, taken": lambda ds: (
        ds.select_columns("n").map(twice, batched=True, batch_size=7).take(300)
    ),
    "packed": lambda ds: (
        ds.shuffle(seed=3, buffer_size=40)
        .select_columns("n")
        .map(lambda row: {"n": [row["n"]] * (row["n"] % 4)})
        .pack(5, "wrapped", batch_size=9)
    ),
    "mixed": lambda ds: interleave_datasets(
        [ds.shuffle(seed=1, buffer_size=9), ds.shuffle(seed=2, buffer_size=9)],
        [0.7, 0.3],
        seed=5,
        stopping_strategy="all_exhausted_without_replacement",
    ),
    "weighted": lambda ds: mix_datasets(
        [ds.shuffle(seed=1, buffer_size=9), ds.shuffle(seed=2, buffer_size=9)],
        [2, 1],
        by="n",
        repeat=[False, False],
    ),
}  # fmt: skip


def numbers(batch):
    """What a batch has, each number with how often; of packed rows what is there."""
    found, mask = batch["n"], batch.get("mask")
    return (found if mask is None else found[mask.astype(bool)]).flatten().tolist()


def loaders(make, ranks):
    masks = {"n": "mask"} if make.__name__ == "packed" else None
    return [
        DataLoader(make(), 4, format="numpy", world=(rank, ranks), masks=masks)
        for rank in range(ranks)
    ]


def check(make, generations, part):
    """Train on some ranks, save at a part of the epoch, and go on as others."""
    whole = [numbers(batch) for loader in loaders(make, generations[0]) for batch in loader]
    expected, steps = Counter(itertools.chain.from_iterable(whole)), len(whole)
    seen, states = Counter(), None
    for generation, ranks in enumerate(generations):
        now = loaders(make, ranks)
        for rank, loader in enumerate(now):
            if states is not None:
                loader.load_state_dict(json.loads(json.dumps(states)))
            batches = iter(loader)
            if generation < len(generations) - 1:
                # Ranks are not at one step.
                batches = itertools.islice(batches, max(0, steps * part // 100 // ranks - rank))
            for batch in batches:
                seen.update(numbers(batch))
        states = [loader.state_dict() for loader in now]
        assert all(len(json.dumps(state)) < 40_000 for state in states)
    assert seen == expected


@pytest.mark.parametrize("steps", STEPS)
@pytest.mark.parametrize("format", ["parquet", "jsonl", "csv", "tar"])
def test_ranks_go_on_as_others(folder, format, steps):
    def make():
        return STEPS[steps](opened(folder, format))

    def packed():
        return STEPS[steps](opened(folder, format))

    for generations, part in (((2, 3, 1), 10), ((3, 2, 5), 45), ((1, 4, 2), 1), ((4, 4, 3), 49)):
        check(packed if steps == "packed" else make, generations, part)
