"""Loaders over map-style datasets of every kind: shuffled, on ranks, after a resume."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from rowstream import (
    DataLoader,
    Dataset,
    Features,
    Image,
    Value,
    concatenate_datasets,
    load_dataset,
    write_jsonl,
)
from rowstream.dataset import convert

N = 400


@pytest.fixture
def loaded(tmp_path):
    write_jsonl(tmp_path / "a.jsonl", [{"id": i} for i in range(N)])
    return load_dataset(
        "json", data_files=str(tmp_path / "a.jsonl"), split="train", cache_dir=tmp_path / "cache"
    )


def images(_):
    pillow = pytest.importorskip("PIL.Image")
    made = io.BytesIO()
    pillow.new("RGB", (2, 2)).save(made, "PNG")
    return Dataset.from_dict(
        {"image": [{"bytes": made.getvalue(), "path": None}] * 60, "id": [*range(60)]},
        features=Features({"image": Image(), "id": Value("int64")}),
    )


KINDS = {
    "loaded": lambda ds: ds,
    "split": lambda ds: ds.train_test_split(0.2, seed=1)["train"],
    "filtered": lambda ds: ds.filter(lambda row: row["id"] % 3 == 0),
    "shuffled": lambda ds: ds.shuffle(seed=1),
    "chosen": lambda ds: ds.select([5, 3, 3, 300]),
    "mapped": lambda ds: ds.map(lambda row: {"x": row["id"] * 2}),
    "joined": lambda ds: concatenate_datasets([ds, ds.shuffle(seed=2)]),
    "in memory": lambda ds: Dataset.from_dict({"id": ds["id"][:]}).select(range(9, 90)),
    "images": images,
    "images, chosen": lambda ds: images(ds).shuffle(seed=3),
    "one row": lambda ds: ds.select([7]),
    "none": lambda ds: ds.select([]),
}


def ids(loader):
    return [i for batch in loader for i in np.asarray(batch["id"]).tolist()]


@pytest.mark.parametrize("small", [True, False], ids=["copied", "by number"])
@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_each_row_comes_once_an_epoch(loaded, monkeypatch, kind, shuffle, small):
    if not small:
        monkeypatch.setattr(convert, "_SMALL", 0)
    ds = KINDS[kind](loaded)
    wanted = ds["id"][:]

    def loader(**options):
        return DataLoader(ds, 8, shuffle=shuffle, seed=5, format="numpy", **options)

    first = loader()
    assert len(first) == -(-len(ds) // 8)
    epochs = [ids(first), ids(first)]
    assert all(sorted(one) == sorted(wanted) for one in epochs)
    if not shuffle:
        assert epochs == [wanted, wanted]
    elif len(wanted) > 20:
        assert epochs[0] != epochs[1]
        assert epochs[0] != wanted
    assert ids(loader()) == epochs[0]
    # On two ranks, each row is of one of them.
    ranks = [ids(loader(world=(rank, 2))) for rank in range(2)]
    assert sorted(ranks[0] + ranks[1]) == sorted(wanted)
    # From the middle of the second epoch on.
    again = loader()
    list(again)
    batches = iter(again)
    before = [i for _, batch in zip(range(3), batches, strict=False) for i in batch["id"].tolist()]
    state = json.loads(json.dumps(again.state_dict()))
    batches.close()
    rest = loader()
    rest.load_state_dict(state)
    if len(before) == 24:
        assert before + ids(rest) == epochs[1]
        # And with another number of ranks.
        parts = []
        for rank in range(3):
            part = loader(world=(rank, 3))
            part.load_state_dict([state])
            parts += ids(part)
        assert sorted(before + parts) == sorted(wanted)


def test_rows_by_number_resume_without_reading_what_is_past(loaded, monkeypatch):
    monkeypatch.setattr(convert, "_SMALL", 0)
    read = []
    ds = loaded.shuffle(seed=1)
    stream = ds.to_iterable_dataset()
    rows = iter(stream)
    first = [next(rows)["id"] for _ in range(250)]
    state = stream.state_dict()
    table = type(stream._plan.source.table)
    getitem = table.__getitem__
    monkeypatch.setattr(
        table, "__getitem__", lambda self, key: read.append(key) or getitem(self, key)
    )
    again = ds.to_iterable_dataset()
    again.load_state_dict(state)
    assert first + [row["id"] for row in again] == ds["id"][:]
    assert min(min(numbers) for numbers in read if isinstance(numbers, list)) == 250


@pytest.mark.parametrize("whole", [True, False], ids=["after the end", "at the last batch"])
@pytest.mark.parametrize("stream", [True, False])
def test_an_epoch_that_ended_is_not_trained_on_again(whole, stream):
    rows = Dataset.from_dict({"id": [*range(100)]})

    def loader(**options):
        if stream:
            ds = rows.to_iterable_dataset().shuffle(seed=1, buffer_size=50)
            return DataLoader(ds, 40, format="numpy", **options)
        return DataLoader(rows, 40, shuffle=True, seed=1, format="numpy", **options)

    once = loader()
    epochs = [ids(once) for _ in range(3)]
    first = loader()
    if whole:
        ids(first)
    else:
        # The last batch was given, and the iteration was not ended.
        batches = iter(first)
        for _ in range(3):
            next(batches)
    state = json.loads(json.dumps(first.state_dict()))
    again = loader()
    again.load_state_dict(state)
    got = []
    for epoch in range(state["epoch"], 3):
        again.set_epoch(epoch)
        got.append(ids(again))
    assert got == [[], *epochs[1:]]
    # Without a number, the next iteration is the next epoch; a number of another is that.
    for numbers, wanted in (
        ([], epochs[1]),
        ([1], epochs[1]),
        ([2], epochs[2]),
        ([0, 2], epochs[2]),
    ):
        again = loader()
        again.load_state_dict(state)
        for number in numbers:
            again.set_epoch(number)
        assert ids(again) == wanted
    # A state between is that of the end of the epoch.
    again = loader()
    again.load_state_dict(state)
    again.set_epoch(0)
    assert again.state_dict() == state
    assert ids(again) == []
    assert ids(again) == epochs[1]
