"""Mixtures, chains and pairs: the rows of `datasets` where it has them, exact states, any number of consumers."""

from __future__ import annotations

import json
import random
from collections import Counter
from itertools import islice

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rowstream import (
    concatenate_datasets,
    exceptions,
    interleave_datasets,
    load_dataset,
    merge_state_dicts,
    split_dataset_by_node,
)
from rowstream.streams.mixture import Mixture as Mixed


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("combine")
    for p, n in enumerate((97, 230, 41)):
        pq.write_table(
            pa.table({"part": [p] * n, "id": range(n)}), folder / f"{p}.parquet", row_group_size=10
        )
    (folder / "3.jsonl").write_text(
        "".join(json.dumps({"part": 3, "id": i, "more": "x"}) + "\n" for i in range(60))
    )
    load = lambda kind, name: load_dataset(
        kind, data_files=str(folder / name), split="train", streaming=True
    )
    return [load("parquet", f"{p}.parquet") for p in range(3)] + [load("json", "3.jsonl")]


def rows(ds):
    return [(row["part"], row["id"]) for row in ds]


def resumes(make, cuts=(0, 1, 17, 60)):
    """A stream goes on exactly after any row, also through JSON."""
    whole = rows(make())
    for cut in (*cuts, len(whole) - 1, len(whole)):
        ds = make()
        head = rows(islice(ds, cut))
        state = json.loads(json.dumps(ds.state_dict()))
        again = make()
        again.load_state_dict(state)
        assert head + rows(again) == whole, cut
    return whole


def shared(make, seed=0):
    """Any consumers, stopped anywhere and joined, have the rows of one."""
    whole = Counter(rows(make()))
    rnd = random.Random(seed)
    for counts in ([2, 3, 1], [5, 2], [1, 4], [3]):
        seen, merged = Counter(), None
        for i, n in enumerate(counts):
            states = []
            for c in range(n):
                part = split_dataset_by_node(make(), c, n)
                if merged is not None:
                    part.load_state_dict(merged)
                last = i == len(counts) - 1
                seen += Counter(rows(part if last else islice(part, rnd.randrange(40))))
                states.append(part.state_dict())
            merged = merge_state_dicts(json.loads(json.dumps(states)))
        assert seen == whole, counts


STRATEGIES = ["first_exhausted", "all_exhausted", "all_exhausted_without_replacement"]


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("probabilities", [None, [0.5, 0.3, 0.2], [0.1, 0.9, 0.0]])
def test_interleave_resumes_and_is_shared(parts, strategy, probabilities):
    if probabilities and 0.0 in probabilities and strategy != "first_exhausted":
        return  # it would never end
    for some in (parts[:3], [ds.shuffle(seed=i, buffer_size=30) for i, ds in enumerate(parts[:3])]):
        make = lambda some=some: interleave_datasets(
            some, probabilities=probabilities, seed=7, stopping_strategy=strategy
        )
        whole = resumes(make)
        if strategy == "all_exhausted_without_replacement":
            assert Counter(whole) == Counter(r for ds in some for r in rows(ds))
        shared(make)


def test_interleave_of_functions_filters_and_formats(parts):
    def make():
        doubled = parts[0].map(lambda row: {"id": row["id"] * 2})
        some = [doubled, parts[1].filter(lambda row: row["id"] % 3 == 0), parts[3].shuffle(seed=1)]
        return interleave_datasets(
            some, stopping_strategy="all_exhausted_without_replacement"
        ).filter(lambda row: row["id"] != 4)

    assert len(resumes(make)) == 97 + 77 + 60 - 2
    shared(make)
    batches = list(make().batch(16))
    assert [i for batch in batches for i in batch["id"]] == [i for _, i in rows(make())]
    assert make().with_format("numpy").batch(8).__iter__().__next__()["id"].shape == (8,)


def test_shuffle_after_a_mixture(parts):
    def make():
        return interleave_datasets(
            parts[:3], probabilities=[0.2, 0.5, 0.3], seed=1, stopping_strategy="all_exhausted"
        ).shuffle(seed=5, buffer_size=40)

    whole = resumes(make)
    assert whole != rows(
        interleave_datasets(
            parts[:3], probabilities=[0.2, 0.5, 0.3], seed=1, stopping_strategy="all_exhausted"
        )
    )
    assert set(whole) == {(p, i) for p, n in enumerate((97, 230, 41)) for i in range(n)}
    shared(make)
    ds = make()
    ds.set_epoch(1)
    assert rows(ds) != whole


def test_steps_after_a_mixture(parts):
    mixed = interleave_datasets(parts[:2])
    assert rows(mixed.take(5)) == rows(mixed)[:5]
    assert rows(mixed.skip(5)) == rows(mixed)[5:]
    assert rows(mixed.repeat(2)) == rows(mixed) * 2
    assert mixed.column_names == ["part", "id"]
    assert list(mixed.select_columns(["id"]).take(2)) == [{"id": 0}, {"id": 0}]
    assert list(mixed.rename_column("id", "n").take(1)) == [{"part": 0, "n": 0}]
    halves = [rows(mixed.shard(2, i)) for i in range(2)]
    assert not set(halves[0]) & set(halves[1])


def test_concatenated_files_are_one_listing(parts):
    both = concatenate_datasets([parts[0], parts[1]])
    assert rows(both) == rows(parts[0]) + rows(parts[1])
    assert both.num_shards == parts[0].num_shards + parts[1].num_shards
    shuffled = concatenate_datasets([parts[0], parts[1]]).shuffle(seed=1, buffer_size=1000)
    assert {part for part, _ in islice(rows(shuffled), 30)} == {0, 1}
    shared(lambda: shuffled)
    resumes(lambda: shuffled)


def test_concatenate_keeps_what_is_done_to_parts(parts):
    def make():
        return concatenate_datasets(
            [parts[0].take(5), parts[1].shuffle(seed=2, buffer_size=50), parts[2].skip(30)]
        )

    whole = resumes(make)
    assert whole[:5] == rows(parts[0])[:5]
    assert sorted(whole[5:235]) == sorted(rows(parts[1]))
    assert whole[235:] == rows(parts[2])[30:]
    shared(make)
    assert rows(make().take(7)) == whole[:7]


def test_concatenate_of_any_streams(parts):
    def make():
        return concatenate_datasets(
            [parts[3], parts[0].map(lambda row: row), interleave_datasets(parts[:2])]
        )

    whole = resumes(make)
    assert whole == rows(parts[3]) + rows(parts[0]) + rows(interleave_datasets(parts[:2]))
    shared(make)
    # A column that one lacks is null there, where columns are known.
    two = list(concatenate_datasets([parts[2].take(1), parts[3].take(1)]))
    assert two == [{"part": 2, "id": 0, "more": None}, {"part": 3, "id": 0, "more": "x"}]


def test_columns_beside_each_other(parts):
    second = parts[1].rename_columns({"part": "p", "id": "i"})
    found = list(concatenate_datasets([parts[0].take(20), second.take(20)], axis=1))
    assert len(found) == 20
    assert found[3] == {"part": 0, "id": 3, "p": 1, "i": 3}
    with pytest.raises(ValueError, match="number of rows must match"):
        list(concatenate_datasets([parts[0], second], axis=1))
    with pytest.raises(ValueError, match="more than one data set has the columns"):
        concatenate_datasets(parts[:2], axis=1)


def test_errors(parts):
    for wrong, match in [
        (lambda: interleave_datasets([]), "empty list"),
        (lambda: interleave_datasets(parts[:2], probabilities=[0.5, 0.6]), "add up to 1"),
        (
            lambda: interleave_datasets(parts[:2], stopping_strategy="never"),
            "stopping_strategy is one of",
        ),
        (lambda: concatenate_datasets([1]), "element at position 0 is a int"),
        (lambda: concatenate_datasets(parts, axis=2), "axis is 0"),
    ]:
        with pytest.raises(exceptions.InvalidArgumentError, match=match):
            wrong()
    first, second = interleave_datasets(parts[:2]), interleave_datasets(parts[1:3])
    with pytest.raises(exceptions.CheckpointMismatchError):
        second.load_state_dict(first.state_dict())


def test_the_parts_are_not_asked_for_every_row(parts, monkeypatch):
    def asked(n):
        count = Counter()
        for name in ("sequences", "shares"):
            plain = getattr(Mixed, name).fget
            monkeypatch.setattr(
                Mixed,
                name,
                property(
                    lambda self, name=name, plain=plain: (count.update([name]), plain(self))[1]
                ),
            )
        assert (
            len(rows(interleave_datasets([interleave_datasets(parts[:2]), parts[2]]).take(n))) == n
        )
        monkeypatch.undo()
        return count

    assert asked(2) == asked(60)
    assert asked(60)["sequences"]
