"""`rowstream.DataLoader`: batches as tensors, exact states, nothing left running."""

from __future__ import annotations

import functools
import json
import operator
import threading

import numpy as np
import pytest
import rowstream
from rowstream import (
    DataLoader,
    Dataset,
    exceptions,
    load_dataset,
    merge_state_dicts,
    write_jsonl,
)
from rowstream.distributed import split_dataset_by_node


def table(n=103):
    rows = [[i] * (i % 7) for i in range(n)]
    return Dataset.from_dict(
        {"n": [*range(n)], "input_ids": rows, "text": [f"t{i}" for i in range(n)]}
    )


def numbers(loader):
    return [batch["n"].tolist() for batch in loader]


def test_lists_are_padded_and_masked():
    ds = Dataset.from_dict(
        {
            "input_ids": [[5, 6, 7], [8], []],
            "labels": [[1, 2, 3], [4], []],
            "w": [[0.5], [1.5], [2.5]],
        }
    )
    (batch,) = DataLoader(ds, 3, format="numpy", padding={"input_ids": 9}, pad_to_multiple_of=2)
    assert batch["input_ids"].tolist() == [[5, 6, 7, 9], [8, 9, 9, 9], [9, 9, 9, 9]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1, 0], [1, 0, 0, 0], [0, 0, 0, 0]]
    assert batch["labels"].tolist() == [[1, 2, 3, -100], [4, -100, -100, -100], [-100] * 4]
    assert [*batch] == ["input_ids", "attention_mask", "labels", "w"]
    # What is of one length is one array.
    assert batch["w"].tolist() == [[0.5], [1.5], [2.5]]
    own = ds.add_column("attention_mask", [[1, 1, 0], [1], []])
    (batch,) = DataLoader(own, 3, format="numpy")
    assert batch["attention_mask"].tolist() == [[1, 1, 0], [1, 0, 0], [0, 0, 0]]
    assert "attention_mask_mask" not in batch
    # A mask is there whether a batch needs it or not.
    for one in DataLoader(ds.select_columns("input_ids"), 1, format="numpy"):
        assert one["attention_mask"].tolist() == [[1] * one["input_ids"].shape[1]]
    named = ds.rename_columns({"input_ids": "chosen_input_ids", "labels": "other"})
    (batch,) = DataLoader(named, 3, format="numpy", masks={"other": "there"})
    assert batch["chosen_attention_mask"].tolist() == batch["there"].tolist()
    empty = Dataset.from_dict({"x": [[], []], "text": ["a", "b"], "d": [{"i": 1}, {"i": 2}]})
    (batch,) = DataLoader(empty, 2, format="numpy")
    assert batch["x"].shape == (2, 0)
    assert [type(one) for one in batch["text"]] == [str, str]
    assert type(batch["d"][0]["i"]) is int
    (batch,) = DataLoader(table(3), 3, format="numpy")
    assert batch["text"] == ["t0", "t1", "t2"]


def test_tensors_of_torch():
    torch = pytest.importorskip("torch")
    batches = list(DataLoader(table(), batch_size=8))
    assert len(batches) == len(DataLoader(table(), batch_size=8)) == 13
    assert all(batch["input_ids"].dtype == torch.int64 for batch in batches)
    assert torch.cat([batch["n"] for batch in batches]).tolist() == [*range(103)]
    for batch in batches:
        batch["n"] += 1  # tensors are their owner's
    packed = table().to_iterable_dataset().pack(16, "wrapped", drop_last=True)
    for batch in DataLoader(packed, batch_size=4, drop_last=True):
        assert batch["input_ids"].shape == (4, 16)
        assert [*batch] == ["input_ids", "attention_mask"]


@pytest.mark.parametrize("prefetch", [0, 1, 4])
def test_epochs_have_orders_of_their_own(prefetch):
    loader = DataLoader(table(), 10, shuffle=True, seed=3, format="numpy", prefetch=prefetch)
    first, second = numbers(loader), numbers(loader)
    assert first != second
    assert (
        sorted(functools.reduce(operator.iadd, first, []))
        == sorted(functools.reduce(operator.iadd, second, []))
        == [*range(103)]
    )
    loader.set_epoch(0)
    assert numbers(loader) == first
    other = DataLoader(table(), 10, shuffle=True, seed=4, format="numpy")
    assert numbers(other) != first
    short = DataLoader(table(), 10, drop_last=True, format="numpy")
    assert [len(batch) for batch in numbers(short)] == [10] * len(short) == [10] * 10


@pytest.mark.parametrize("kind", ["table", "stream", "packed"])
@pytest.mark.parametrize("prefetch", [0, 3])
def test_a_state_goes_on_at_the_next_batch(tmp_path, kind, prefetch):
    write_jsonl(tmp_path / "a.jsonl", list(table()))

    def made():
        if kind == "table":
            return DataLoader(table(), 8, shuffle=True, format="numpy", prefetch=prefetch)
        path = str(tmp_path / "a.jsonl")
        ds = load_dataset("json", data_files=path, split="train", streaming=True)
        ds = ds.shuffle(seed=1, buffer_size=20)
        if kind == "packed":
            ds = ds.pack(12, "wrapped")
        return DataLoader(ds, 8, format="numpy", prefetch=prefetch)

    def shown(batches):
        return [json.dumps({k: np.asarray(v).tolist() for k, v in b.items()}) for b in batches]

    whole = made()
    epochs = [shown(whole) for _ in range(3)]
    assert epochs[0] != epochs[1]
    n = len(epochs[0])
    for stop in (0, 1, n // 2, n - 1, n, n + 2, 2 * n):
        loader = made()
        given, batches = [], iter(loader)
        while len(given) < stop:
            for batch in batches:
                given += shown([batch])
                if len(given) == stop:
                    break
            else:
                batches = iter(loader)
        state = json.loads(json.dumps(loader.state_dict()))
        again = made()
        again.load_state_dict(state)
        while len(given) < 3 * n:
            given += shown(again)
        assert given[: 2 * n] == epochs[0] + epochs[1]
        # Epochs of packed rows may have a sequence more.
        if kind != "packed":
            assert given == functools.reduce(operator.iadd, epochs, [])


def test_ranks_share_rows():
    ds = table().to_iterable_dataset()
    parts = [
        numbers(DataLoader(split_dataset_by_node(ds, i, 3), 4, format="numpy")) for i in range(3)
    ]
    assert sorted(
        functools.reduce(operator.iadd, functools.reduce(operator.iadd, parts, []), [])
    ) == [*range(103)]


def test_states_of_ranks_are_merged():
    ds = table().to_iterable_dataset()

    def of(rank, world):
        return DataLoader(split_dataset_by_node(ds, rank, world), 4, format="numpy")

    given, states = [], []
    for rank, stop in enumerate([0, 3, 100]):
        loader = of(rank, 3)
        for i, batch in enumerate(loader):
            if i == stop:
                break
            given.append(batch["n"].tolist())
            states[rank:] = [loader.state_dict()]
        if stop != 3:
            states[rank:] = [of(rank, 3).state_dict() if stop == 0 else loader.state_dict()]
    # One has ended its epoch, and one has not begun.
    state = merge_state_dicts(states)
    for rank in range(2):
        loader = of(rank, 2)
        loader.load_state_dict(state)
        given += numbers(loader)
    assert sorted(functools.reduce(operator.iadd, given, [])) == [*range(103)]


def test_an_error_comes_where_its_batch_would():
    def odd(row):
        if row["n"] == 25:
            raise ValueError("odd")
        return row

    for prefetch in (0, 3):
        loader = DataLoader(
            table().to_iterable_dataset().map(odd), 10, format="numpy", prefetch=prefetch
        )
        batches = iter(loader)
        assert next(batches)["n"].tolist() == [*range(10)]
        assert next(batches)["n"].tolist() == [*range(10, 20)]
        with pytest.raises(ValueError, match="odd"):
            next(batches)


def test_what_is_left_leaves_nothing_running():
    before = threading.active_count()
    for _ in range(5):
        batches = iter(DataLoader(table(5000), 2, format="numpy", prefetch=4))
        next(batches)
        batches.close()
        for _batch in DataLoader(table(50), 2, format="numpy"):
            break
    del batches
    names = [one.name for one in threading.enumerate() if one.name == "rowstream.DataLoader"]
    assert not names
    assert threading.active_count() <= before + 1


def test_functions_that_collate():
    loader = DataLoader(table(), 4, collate=lambda columns: sum(columns["n"]), prefetch=0)
    assert sum(loader) == sum(range(103))


def test_what_cannot_be():
    ds = table()
    stream = ds.to_iterable_dataset()
    for message, kind, call in [
        ("format is one of", exceptions.InvalidArgumentError, lambda: DataLoader(ds, format="x")),
        ("batch_size", exceptions.InvalidArgumentError, lambda: DataLoader(ds, 0)),
        (
            "shuffles itself",
            exceptions.InvalidArgumentError,
            lambda: DataLoader(stream, shuffle=True),
        ),
        ("no workers", exceptions.InvalidArgumentError, lambda: DataLoader(ds, num_workers=2)),
        ("a dict by column", exceptions.InvalidArgumentError, lambda: DataLoader(ds, padding=3)),
        (
            "name a column 'x'",
            exceptions.InvalidArgumentError,
            lambda: next(iter(DataLoader(ds, format="numpy", padding={"x": 1}))),
        ),
        ("found list", exceptions.InvalidArgumentError, lambda: DataLoader([1, 2])),
        ("leave out batch", exceptions.UnsupportedError, lambda: DataLoader(stream.batch(2))),
        (
            "pin_memory",
            exceptions.InvalidArgumentError,
            lambda: DataLoader(ds, format="numpy", pin_memory=True),
        ),
        (
            "not the state of a DataLoader",
            exceptions.CheckpointMismatchError,
            lambda: DataLoader(ds, format="numpy").load_state_dict(stream.state_dict()),
        ),
        (
            "not known before",
            TypeError,
            lambda: len(DataLoader(stream.filter(lambda row: row["n"] > 3), format="numpy")),
        ),
    ]:
        with pytest.raises(kind, match=message):
            call()
    assert rowstream.DataLoader is DataLoader
