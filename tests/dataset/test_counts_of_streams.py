"""`IterableDataset.count()`: what an iteration would give, without reading what files say of themselves. To tests/dataset/."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING

import pytest
from rowstream import (
    IterableDataset,
    col,
    concatenate_datasets,
    interleave_datasets,
    load_dataset,
    split_dataset_by_node,
)
from rowstream.exceptions import InvalidArgumentError

from tests.conftest import write_lines

# Generators of one shard are split over ranks on purpose.
pytestmark = pytest.mark.filterwarnings("ignore:split_dataset_by_node")

if TYPE_CHECKING:
    from pathlib import Path


def generated():
    for i in range(23):
        yield {"id": i, "text": "y"}


def lines(folder: Path, counts: tuple[int, ...] = (17, 4, 9)) -> IterableDataset:
    write_lines(folder, list(counts))
    return load_dataset("json", data_files=f"{folder}/*", split="train", streaming=True)


def rows(ds: IterableDataset) -> int:
    return sum(1 for _ in ds)


STEPS = {
    "plain": lambda ds: ds,
    "shuffled": lambda ds: ds.shuffle(seed=1, buffer_size=5),
    "all permuted": lambda ds: ds.shuffle(seed=1, buffer_size=None),
    "taken": lambda ds: ds.take(7),
    "more taken than there is": lambda ds: ds.take(1000),
    "skipped": lambda ds: ds.skip(3),
    "repeated": lambda ds: ds.repeat(3),
    "never": lambda ds: ds.repeat(0),
    "for ever, and taken": lambda ds: ds.repeat(None).take(50),
    "batched": lambda ds: ds.batch(batch_size=4),
    "whole batches": lambda ds: ds.batch(batch_size=4, drop_last_batch=True),
    "batches of passes": lambda ds: ds.repeat(2).batch(batch_size=4),
    "repeated batches": lambda ds: ds.batch(batch_size=4).repeat(2),
    "a shard": lambda ds: ds.shard(3, 1),
    "every third": lambda ds: ds.shard(3, 2, contiguous=False),
    "filtered": lambda ds: ds.filter(col("id") > 4),
    "filtered by a function": lambda ds: ds.filter(lambda row: row["id"] % 3 == 0),
    "filtered and taken": lambda ds: ds.filter(col("id") > 4).take(3).repeat(2),
    "mapped": lambda ds: ds.map(lambda row: {"twice": 2 * row["id"]}),
    "mapped by index": lambda ds: ds.map(lambda row, i: {"at": i}, with_indices=True).take(8),
    "mapped in batches": lambda ds: ds.map(
        lambda batch: {"id": batch["id"] * 2}, batched=True, batch_size=5, remove_columns=["text"]
    ).skip(1),
    "mapped in batches for ever": lambda ds: (
        ds.map(lambda batch: batch, batched=True).repeat(None).take(31)
    ),
    "of a rank": lambda ds: split_dataset_by_node(ds, 1, 3),
    "of a rank, taken": lambda ds: split_dataset_by_node(ds, 2, 3).take(4),
    "columns": lambda ds: ds.select_columns(["text"]).rename_column("text", "body"),
    "a chain": lambda ds: concatenate_datasets(
        [ds, IterableDataset.from_generator(generated)]
    ).take(30),
    "in turn": lambda ds: interleave_datasets([ds, IterableDataset.from_generator(generated)]),
    "in turn, each once": lambda ds: interleave_datasets(
        [ds, ds.take(2)], stopping_strategy="all_exhausted_without_replacement"
    ),
}
SOURCES = {
    "parquet": lambda listing, tmp_path: listing([5, 3, 9, 2], 2),
    "lines": lambda listing, tmp_path: lines(tmp_path / "lines"),
    "held": lambda listing, tmp_path: IterableDataset.from_dict(
        {"id": list(range(12)), "text": ["a"] * 12}, num_shards=3
    ),
    "generator": lambda listing, tmp_path: IterableDataset.from_generator(generated),
    "one row": lambda listing, tmp_path: listing([1]),
    "no row": lambda listing, tmp_path: listing([0]),
}


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("source", SOURCES)
def test_it_counts_what_comes(listing, tmp_path, source, step):
    if source == "generator" and step in ("all permuted", "a shard", "every third"):
        pytest.skip("not of generators")
    ds = STEPS[step](SOURCES[source](listing, tmp_path))
    assert ds.count() == rows(ds)


def test_nothing_is_read_where_files_tell(listing, tmp_path):
    ds = listing([5, 3, 9, 2])
    path = next(tmp_path.rglob("*.parquet"))
    content = path.read_bytes()
    path.write_bytes(content[:4] + bytes(100) + content[104:])  # pages that cannot be read
    assert ds.count() == 19
    assert ds.map(len).repeat(2).take(30).count() == 30
    assert concatenate_datasets([ds.map(dict, features=ds.features), ds]).count() == 38


def test_functions_that_give_a_row_for_a_row_are_not_called(listing):
    def never(row):
        raise AssertionError

    assert listing([4, 5]).map(never).count() == 9


def test_a_take_ends_the_reading():
    seen = []

    def endless():
        i = 0
        while True:
            seen.append(i)
            yield {"id": i}
            i += 1

    assert (
        IterableDataset.from_generator(endless).filter(lambda row: row["id"] % 2).take(5).count()
        == 5
    )
    assert len(seen) < 100


@pytest.mark.parametrize(
    "make",
    [
        lambda ds: ds.repeat(None),
        lambda ds: ds.repeat(None).filter(lambda row: True),
        lambda ds: ds.map(lambda batch: batch, batched=True).repeat(None).skip(3),
        lambda ds: concatenate_datasets([ds, ds.repeat(None)]),
        lambda ds: interleave_datasets([ds.repeat(None), ds.repeat(None)]),
        lambda ds: interleave_datasets([ds.repeat(None), ds], stopping_strategy="all_exhausted"),
    ],
)
def test_what_never_ends_is_said(listing, make):
    with pytest.raises(InvalidArgumentError, match="for ever"):
        make(listing([3])).count()


def test_an_endless_part_of_what_ends(listing):
    ds = listing([3])
    mixed = interleave_datasets([ds.repeat(None), ds])
    assert mixed.count() == rows(mixed)


def test_the_state_and_the_iteration_stay(listing):
    ds = listing([5, 6]).shuffle(seed=1)
    iterator = iter(ds)
    first = [next(iterator) for _ in range(4)]
    state = ds.state_dict()
    assert ds.count() == 11
    assert ds.state_dict() == state
    assert len([*first, *iterator]) == 11
    ds.load_state_dict(state)
    assert ds.count() == 11
    assert rows(ds) == 7


def test_rows_that_are_left_out_are_not_counted(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"a": 1}\n{"a": \n{"a": 3}\n')
    ds = load_dataset(
        "json", data_files=f"{tmp_path}/*", split="train", streaming=True, on_error="skip"
    )
    assert ds.count() == 2


def test_compressed_lines_and_arrays(tmp_path):
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(b'{"a": 1}\n' * 1234))
    (tmp_path / "b.json").write_text(json.dumps([{"a": 1}] * 77))
    assert (
        load_dataset("json", data_files=f"{tmp_path}/a*", split="train", streaming=True).count()
        == 1234
    )
    assert (
        load_dataset("json", data_files=f"{tmp_path}/b*", split="train", streaming=True).count()
        == 77
    )
