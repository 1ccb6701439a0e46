"""`bucket_by_length` and `pad`: every row once, at every place of a resume, with any number of consumers."""

from __future__ import annotations

import itertools
import json
import random

import pytest
from rowstream import (
    DataLoader,
    Dataset,
    exceptions,
    merge_state_dicts,
    split_dataset_by_node,
)

ROWS = 203


def lengths(seed=0):
    rng = random.Random(seed)
    return [rng.randrange(100) for _ in range(ROWS)]


def stream(shards=5):
    data = {"n": [*range(ROWS)], "input_ids": [[i] * n for i, n in enumerate(lengths())]}
    return Dataset.from_dict(data).to_iterable_dataset(shards).shuffle(seed=1, buffer_size=30)


def bucketed(**options):
    return stream().bucket_by_length(8, **{"buffer_size": 60, **options})


def test_batches_have_like_lengths():
    def spread(ds):
        found = [[len(ids) for ids in batch["input_ids"]] for batch in ds.iter(8)]
        return sum(max(batch) - min(batch) for batch in found)

    assert sorted(row["n"] for row in bucketed()) == [*range(ROWS)]
    assert spread(bucketed()) < spread(stream()) / 3
    assert spread(bucketed(buffer_size=8 * ROWS)) < spread(bucketed()) / 2
    first, second = bucketed(), bucketed()
    second.set_epoch(1)
    assert [row["n"] for row in first] != [row["n"] for row in second]
    batches = [batch["input_ids"].shape for batch in DataLoader(bucketed(), 8, format="numpy")]
    assert sum(rows for rows, _ in batches) == ROWS


@pytest.mark.parametrize(
    "make", [bucketed, lambda: stream().pad(16), lambda: bucketed().pad(8).map(lambda row: row)]
)
def test_states(make):
    whole = [row["n"] for row in make()]
    for at in (0, 1, 63, 64, 65, 202):
        ds = make()
        rows = iter(ds)
        assert [next(rows)["n"] for _ in range(at)] == whole[:at]
        again = make()
        again.load_state_dict(json.loads(json.dumps(ds.state_dict())))
        assert [row["n"] for row in again] == whole[at:]
    ranks = [split_dataset_by_node(make(), rank, 3) for rank in range(3)]
    seen = []
    for rank, ds in enumerate(ranks):
        seen += [row["n"] for row in itertools.islice(ds, 7 * rank)]
    state = merge_state_dicts(ds.state_dict() for ds in ranks)
    for rank in range(2):
        ds = split_dataset_by_node(make(), rank, 2)
        ds.load_state_dict(state)
        seen += [row["n"] for row in ds]
    assert sorted(seen) == [*range(ROWS)]


def test_rows_are_filled_up():
    data = {
        "input_ids": [[1, 2, 3], [], [4] * 4],
        "labels": [[1, 2, 3], [], [4] * 4],
        "w": [[0.5], [1.0], [2.0]],
    }
    ds = Dataset.from_dict(data).to_iterable_dataset()
    rows = list(ds.pad(4, ["input_ids", "labels"], values={"input_ids": 9}))
    assert [row["input_ids"] for row in rows] == [[1, 2, 3, 9], [], [4] * 4]
    assert [row["labels"] for row in rows] == [[1, 2, 3, -100], [], [4] * 4]
    assert [row["attention_mask"] for row in rows] == [[1, 1, 1, 0], [], [1] * 4]
    assert [*ds.pad(2).features] == ["input_ids", "labels", "w", "attention_mask"]
    assert [*ds.pad(2, mask=None).features] == ["input_ids", "labels", "w"]
    assert (
        next(iter(ds.with_format("torch").pad(8)))["attention_mask"].tolist() == [1] * 3 + [0] * 5
    )
    nothing = Dataset.from_dict({"input_ids": [None, [1]]}).to_iterable_dataset().pad(2)
    assert [row["input_ids"] for row in nothing] == [[], [1, 0]]


def test_what_cannot_be():
    ds, invalid = stream(), exceptions.InvalidArgumentError
    for match, call in {
        "no column 'ids'": lambda: ds.bucket_by_length(4, "ids"),
        "there is no column 'x'": lambda: ds.pad(4, "x"),
        "at least one": lambda: ds.pad(4, []),
        "which is not padded": lambda: ds.pad(4, values={"n": 1}),
        "'n' already": lambda: ds.pad(4, mask="n"),
    }.items():
        with pytest.raises(invalid, match=match):
            call()
    for call in (lambda: ds.batch(2).bucket_by_length(4), lambda: ds.batch(2).pad(4)):
        with pytest.raises(exceptions.UnsupportedError, match="before batch"):
            call()
    with pytest.raises(exceptions.SchemaError, match="has no length"):
        list(ds.bucket_by_length(4, "n"))
    with pytest.raises(exceptions.SchemaError, match="other lengths"):
        list(ds.map(lambda row: {"b": [1]}).pad(4, ["input_ids", "b"]))
    with pytest.raises(invalid, match="no column"):
        list(ds.map(lambda row: {"b": [1]}).pad(4, "c"))


def test_lists_of_one_length_become_lists_of_any(tmp_path):
    from rowstream import Features, List, Value

    features = Features({"input_ids": List(Value("int64"), length=3)})
    ds = Dataset.from_dict({"input_ids": [[1, 2, 3]]}, features=features).to_iterable_dataset()
    padded = ds.pad(4)
    assert next(padded.with_format("arrow").iter(1))["input_ids"].to_pylist() == [[1, 2, 3, 0]]
    padded.to_parquet(tmp_path / "padded.parquet")
    texts = Dataset.from_dict({"input_ids": ["abc"]}).to_iterable_dataset()
    with pytest.raises(exceptions.SchemaError, match="has texts"):
        list(texts.pad(4))
