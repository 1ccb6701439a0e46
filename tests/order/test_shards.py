"""`shard(n, i)` of a stream: disjoint, together all rows, and of one length but for a row; the same under any seed and epoch."""

from __future__ import annotations

import json
from itertools import chain

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest
from rowstream import (
    Dataset,
    IterableDataset,
    concatenate_datasets,
    interleave_datasets,
    load_dataset,
    split_dataset_by_node,
)

UNEVEN = [50, 50, 50, 50, 3]
GROUPS = {
    "uneven": UNEVEN,
    "two": [150, 53],
    "a short one first": [1, 202],
    "a short one last": [202, 1],
    "even groups, an odd number of them": [7] * 29,
    "fewer than shards": [2, 2, 1],
    "one": [94],
    "many": [i * 37 % 50 + 1 for i in range(100)],
    "with empty ones": [0, 3, 0, 40, 0],
    "a row": [1],
    "none": [0],
}


def stream(folder, groups, format="parquet"):
    """A stream of files, or row groups or batches of one, with these rows; `id` counts them."""
    folder.mkdir(exist_ok=True)
    path, row = folder / f"{'-'.join(map(str, groups))[:60]}.{format}", 0
    parts = [
        pa.table({"id": pa.array(range(sum(groups[:i]), sum(groups[: i + 1])), pa.int64())})
        for i in range(len(groups))
    ]
    if format == "parquet":
        with pq.ParquetWriter(path, parts[0].schema) as writer:
            for part in parts:
                writer.write_table(part, row_group_size=max(1, part.num_rows))
    elif format == "arrow":
        with pa.ipc.new_stream(path, parts[0].schema) as writer:
            for part in parts:
                writer.write_table(part)
    else:
        path = folder / f"{path.stem}-{format}"
        path.mkdir()
        for f, n in enumerate(groups):
            rows = range(row, row + n)
            text = {
                "jsonl": "".join(json.dumps({"id": i}) + "\n" for i in rows),
                "csv": "id\n" + "".join(f"{i}\n" for i in rows),
            }[format]
            (path / f"{f:03}.{format}").write_text(text)
            row += n
        path = path / "*"
    name = {"jsonl": "json"}.get(format, format)
    return load_dataset(name, data_files=str(path), split="train", streaming=True)


def ids(ds):
    return [row["id"] for row in ds]


def divided(make, n, contiguous=True, epoch=0):
    """The rows of each part."""
    parts = [make().shard(num_shards=n, index=i, contiguous=contiguous) for i in range(n)]
    for part in parts:
        part.set_epoch(epoch)
    return [ids(part) for part in parts]


def balanced(parts, rows):
    assert sorted(chain(*parts)) == sorted(rows)
    assert max(map(len, parts)) - min(map(len, parts)) <= 1, [len(part) for part in parts]


@pytest.mark.parametrize("contiguous", [True, False])
@pytest.mark.parametrize("n", [2, 3, 4, 7])
@pytest.mark.parametrize("kind", GROUPS)
def test_parts_have_as_many_rows(tmp_path, kind, n, contiguous):
    rows = range(sum(GROUPS[kind]))
    balanced(divided(lambda: stream(tmp_path, GROUPS[kind]), n, contiguous), rows)


@pytest.mark.parametrize("kind", ["uneven", "two", "fewer than shards", "many"])
@pytest.mark.parametrize("n", [2, 3, 4])
def test_a_part_has_the_rows_that_it_has_by_number(tmp_path, kind, n):
    whole = Dataset.from_dict({"id": list(range(sum(GROUPS[kind])))})
    assert divided(lambda: stream(tmp_path, GROUPS[kind]), n) == [
        whole.shard(n, i)["id"][:] for i in range(n)
    ]


@pytest.mark.parametrize("format", ["arrow", "jsonl", "csv"])
@pytest.mark.parametrize("n", [2, 3, 7])
def test_other_formats(tmp_path, format, n):
    groups = [50, 50, 3, 20] if format != "csv" else [50, 50, 3, 20, 1]
    ds = stream(tmp_path, groups, format)
    balanced(divided(lambda: ds, n), range(sum(groups)))


STEPS = {
    "shuffled": (lambda ds: ds.shuffle(seed=3, buffer_size=40), range(203)),
    "all rows permuted": (lambda ds: ds.shuffle(seed=3, buffer_size=None), range(203)),
    "skipped": (lambda ds: ds.skip(41), range(41, 203)),
    "taken": (lambda ds: ds.take(160), range(160)),
    "a part of a part": (lambda ds: ds.shard(2, 1), None),
    "mapped": (lambda ds: ds.map(lambda row: {"id": row["id"]}), range(203)),
    "mapped in batches": (
        lambda ds: ds.map(lambda rows: {"id": rows["id"]}, batched=True, batch_size=7),
        range(203),
    ),
    "mapped, taken": (lambda ds: ds.map(lambda row: {"id": row["id"]}).take(100), range(100)),
    "repeated": (lambda ds: ds.repeat(3), [*range(203)] * 3),
    "columns": (lambda ds: ds.select_columns(["id"]), range(203)),
}


@pytest.mark.parametrize("name", STEPS)
@pytest.mark.parametrize("n", [2, 3])
def test_after_steps(tmp_path, name, n):
    step, rows = STEPS[name]
    ds = step(stream(tmp_path, UNEVEN))
    balanced(divided(lambda: ds, n), ids(ds) if rows is None else rows)


def test_of_what_a_shuffle_and_a_take_chose(tmp_path):
    ds = stream(tmp_path, UNEVEN).shuffle(seed=1).take(151)
    for n in (2, 3, 5):
        balanced(divided(lambda: ds, n), ids(ds))


def test_several_streams(tmp_path):
    a, b = stream(tmp_path, [150, 53]), stream(tmp_path, [7, 1, 195])
    mapped = a.map(lambda row: {"id": row["id"]})
    for ds in (
        concatenate_datasets([a, b]),
        concatenate_datasets([a.shuffle(seed=1), b.shuffle(seed=2)]),
        concatenate_datasets([mapped, b]),
        interleave_datasets([a, b], stopping_strategy="all_exhausted_without_replacement"),
        interleave_datasets(
            [a.shuffle(seed=1), b.shuffle(seed=2)],
            stopping_strategy="all_exhausted_without_replacement",
        ),
    ):
        for n in (2, 3):
            balanced(divided(lambda ds=ds: ds, n), [*range(203)] * 2)


@pytest.mark.parametrize("num_shards", [1, 4, 5])
def test_in_memory(num_shards):
    ds = IterableDataset.from_dict({"id": list(range(203))}, num_shards=num_shards)
    for n in (2, 3, 4):
        balanced(divided(lambda: ds, n), range(203))


def test_a_generator_beside_files(tmp_path):
    """Its shard cannot be divided: one part has it."""
    given = IterableDataset.from_generator(lambda: ({"id": i} for i in range(1000, 1020)))
    ds = concatenate_datasets([given, stream(tmp_path, UNEVEN).map(lambda row: {"id": row["id"]})])
    assert ds.n_shards >= 2
    for n in (2, 3):
        parts = divided(lambda: ds, n)
        assert sorted(chain(*parts)) == [*range(203), *range(1000, 1020)]


def test_a_generator_with_too_few_shards_says_so():
    given = IterableDataset.from_generator(lambda: ({"id": i} for i in range(20)))
    with pytest.raises(Exception, match=r"generator.*1 shard|1 shard.*generator"):
        given.shard(2, 0)


@pytest.mark.parametrize(
    "then",
    [
        lambda ds: ds,
        lambda ds: ds.shuffle(seed=9, buffer_size=17),
        lambda ds: ds.map(lambda row: row),
    ],
)
def test_a_part_is_the_same_in_each_epoch_and_goes_on(tmp_path, then):
    for before in (
        lambda ds: ds,
        lambda ds: ds.shuffle(seed=3, buffer_size=40),
        lambda ds: ds.shuffle(seed=3).skip(30),
    ):
        parts = [then(before(stream(tmp_path, UNEVEN)).shard(3, i)) for i in range(3)]
        first = [ids(part) for part in parts]
        for part, rows in zip(parts, first, strict=True):
            part.set_epoch(2)
            assert sorted(ids(part)) == sorted(rows)
            part.set_epoch(0)
            running = iter(part)
            head = [next(running)["id"] for _ in range(11)]
            again = then(before(stream(tmp_path, UNEVEN)).shard(3, parts.index(part)))
            again.load_state_dict(json.loads(json.dumps(part.state_dict())))
            assert head + ids(again) == rows


def test_ranks_of_a_part(tmp_path):
    part = stream(tmp_path, UNEVEN).shard(2, 1)
    assert sorted(chain(*(ids(split_dataset_by_node(part, rank, 3)) for rank in range(3)))) == list(
        range(102, 203)
    )


def test_parts_that_pieces_are_balanced_in_stay_what_they_were(tmp_path):
    """States of them were kept before: the steps have the same name."""
    ds = stream(tmp_path, [20] * 6)
    assert [dict(op) for op in ds.shard(3, 1)._plan.segments[0].ops] == [
        {"op": "shard", "of": 3, "index": 1, "contiguous": True}
    ]


@pytest.mark.parametrize("format", ["parquet", "jsonl", "memory"])
@pytest.mark.parametrize("shuffled", [False, True])
def test_ranks_by_a_strategy(tmp_path, format, shuffled):
    ds = (
        IterableDataset.from_dict({"id": list(range(203))}, num_shards=5)
        if format == "memory"
        else stream(tmp_path, [50, 50, 50, 50, 3], format)
    )
    ds = ds.shuffle(seed=1, buffer_size=20) if shuffled else ds
    whole = sorted(row["id"] for row in ds)
    by_rows = [
        [row["id"] for row in split_dataset_by_node(ds, r, 2, strategy="examples")]
        for r in range(2)
    ]
    assert sorted(chain(*by_rows)) == whole
    assert sorted(map(len, by_rows)) == [101, 102]
    by_pieces = [
        [row["id"] for row in split_dataset_by_node(ds, r, 2, strategy="shards")] for r in range(2)
    ]
    assert sorted(chain(*by_pieces)) == whole
    if format == "parquet":
        assert sorted(map(len, by_pieces)) == [100, 103]
    with pytest.raises(ValueError, match="some nodes would not be assigned any shard"):
        split_dataset_by_node(ds, 0, ds.num_shards + 1, strategy="shards")
    part = split_dataset_by_node(ds, 0, 2, strategy="examples")
    with pytest.raises(ValueError, match="Cannot change the strategy"):
        split_dataset_by_node(part, 0, 2, strategy="shards")
    quarters = [
        split_dataset_by_node(split_dataset_by_node(ds, r, 2, strategy="examples"), q, 2)
        for r in range(2)
        for q in range(2)
    ]
    counts = [len(list(one)) for one in quarters]
    assert sum(counts) == 203
    assert max(counts) - min(counts) <= 1
    for together in (concatenate_datasets, interleave_datasets):
        for other in (
            ds,
            split_dataset_by_node(ds, 1, 2),
            split_dataset_by_node(ds, 0, 2, strategy="examples"),
        ):
            with pytest.raises(ValueError, match="identically split_by_node"):
                together([split_dataset_by_node(ds, 0, 2), other])
        both = [
            together([split_dataset_by_node(ds, r, 2), split_dataset_by_node(ds, r, 2)])
            for r in range(2)
        ]
        assert all(len(list(one)) for one in both)


@pytest.mark.parametrize("strategy", ["auto", "examples"])
@pytest.mark.parametrize("shards", [(4, 4), (3, 5)])
@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("of", [2, 3])
def test_ranks_of_parts_are_parts_of_ranks(of, axis, shards, strategy):
    """Streams one after another, and beside each other, whatever is done first."""
    left = IterableDataset.from_dict({"a": list(range(12))}, num_shards=shards[0])
    right = IterableDataset.from_dict(
        {"a" if axis == 0 else "b": list(range(100, 112))}, num_shards=shards[1]
    )
    whole = concatenate_datasets([left, right], axis=axis)
    seen = []
    for rank in range(of):
        parts = [split_dataset_by_node(ds, rank, of, strategy=strategy) for ds in (left, right)]
        rows = list(concatenate_datasets(parts, axis=axis))
        assert rows == list(split_dataset_by_node(whole, rank, of, strategy=strategy))
        seen += rows
    assert sorted(map(str, seen)) == sorted(map(str, whole))


def test_streams_beside_each_other_have_shards():
    """Of their rows together."""
    parts = [IterableDataset.from_dict({name: list(range(10))}) for name in "ab"]
    whole = concatenate_datasets(parts, axis=1)
    shards = [list(whole.shard(3, i)) for i in range(3)]
    assert sorted(row["a"] for rows in shards for row in rows) == list(range(10))
    assert all(row["a"] == row["b"] for rows in shards for row in rows)
    assert sorted(map(len, shards)) == [3, 3, 4]
