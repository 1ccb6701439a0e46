"""`mix_datasets`: shares of rows and of tokens, schedules, and states with any number of consumers."""

from __future__ import annotations

import itertools
import json
from collections import Counter

import pytest
import rowstream
from rowstream import Dataset, exceptions, merge_state_dicts, mix_datasets, split_dataset_by_node


def part(name, rows=200, tokens=1, shuffled=True):
    data = {"of": [name] * rows, "n": [*range(rows)], "ids": [[0] * tokens] * rows}
    ds = Dataset.from_dict(data).to_iterable_dataset(4)
    return ds.shuffle(seed=name, buffer_size=20) if shuffled else ds


def parts(**options):
    return [part(1, **options), part(2, rows=120, tokens=7, **options)]


def tokens_of(rows):
    found = Counter()
    for row in rows:
        found[row["of"]] += len(row["ids"])
    return found


def test_shares_of_tokens_are_kept_at_every_row():
    for shuffled in (False, True):
        ds = mix_datasets(parts(shuffled=shuffled), [3, 1], by="ids", repeat=[True, True])
        for n in (64 * 10, 3000):
            found = tokens_of(itertools.islice(ds, n))
            whole = found[1] + found[2]
            # Each of the sequences is at most one row of the longer part away.
            assert abs(found[1] - 0.75 * whole) <= 64 * 7
    counted = mix_datasets(parts(), [1, 1], by="n", repeat=[True, True])
    found = Counter()
    for row in itertools.islice(counted, 4000):
        found[row["of"]] += row["n"]
    assert 0.8 < found[1] / found[2] < 1.25


def test_shares_of_rows_are_drawn():
    ds = mix_datasets(parts(), [9, 1], repeat=[True, True], seed=5)
    found = Counter(row["of"] for row in itertools.islice(ds, 5000))
    assert 0.88 < found[1] / 5000 < 0.92
    assert [row["n"] for row in ds.take(50)] == [row["n"] for row in ds.take(50)]
    other = mix_datasets(parts(), [9, 1], repeat=[True, True], seed=6)
    assert [row["of"] for row in ds.take(90)] != [row["of"] for row in other.take(90)]


def test_where_it_ends():
    def rows(**options):
        return Counter(row["of"] for row in mix_datasets(parts(), [1, 1], **options))

    first = rows(stopping_strategy="first_exhausted")
    assert first[1] < 200
    assert 0 < first[2] <= 120
    every = rows(stopping_strategy="all_exhausted")
    assert every[1] >= 200
    assert every[2] >= 120
    assert rows(stopping_strategy="all_exhausted_without_replacement") == {1: 200, 2: 120}
    assert rows(repeat=[False, False]) == {1: 200, 2: 120}
    once = rows(repeat=[False, True], by="ids")
    assert once[1] == 200
    assert 10 < once[2] < 60
    chosen = rows(choose=[50, 150], repeat=[False, False])
    assert chosen == {1: 50, 2: 150}
    with pytest.raises(exceptions.InvalidArgumentError, match="repeated for ever"):
        mix_datasets(parts(), [1, 1], repeat=[True, True]).count()


def test_a_schedule():
    ds = mix_datasets(parts(), {0: [1, 0], 640: [1, 1], 1280: [0, 1]}, repeat=[True, True], by="n")
    rows = [row["of"] for row in itertools.islice(ds, 2000)]
    assert {*rows[:640]} == {1}
    assert {*rows[640:1280]} == {1, 2}
    assert {*rows[1280:]} == {2}


def test_batches_of_one_part():
    ds = mix_datasets(parts(), [1, 1], batch_size=8, repeat=[True, True])
    for of in (1, 2):
        for rank in range(of):
            one = split_dataset_by_node(ds, rank, of)
            seen = [len({*batch["of"]}) for batch in itertools.islice(one.iter(8), 100)]
            # Where a part ends within a sequence, another one follows.
            assert seen.count(1) > 90
    loader = rowstream.DataLoader(ds, 8, format="numpy", epoch_size=160)
    assert all(len({*batch["of"].tolist()}) == 1 for batch in loader)


STREAMS = {
    "tokens": lambda: mix_datasets(parts(), [2, 1], by="ids", repeat=[False, False]),
    "drawn": lambda: mix_datasets(parts(), [2, 1], stopping_strategy="all_exhausted_without_replacement"),
    "schedule": lambda: mix_datasets(parts(), {0: [2, 1], 130: [1, 3]}, repeat=[False, False]),
    "batches": lambda: mix_datasets(parts(), [2, 1], batch_size=4, repeat=[False, False]),
    "in file order": lambda: mix_datasets(parts(shuffled=False), [2, 1], by="ids", repeat=[False, False]),
    "then": lambda: mix_datasets(parts(), [2, 1], by="ids", repeat=[False, False]).map(lambda row: row).take(260),
}  # fmt: skip


@pytest.mark.parametrize("name", STREAMS)
def test_states(name):
    make = STREAMS[name]
    whole = [(row["of"], row["n"]) for row in make()]
    assert len({*whole}) == len(whole) == (260 if name == "then" else 320)
    for at in (0, 1, 100, len(whole) - 1):
        ds = make()
        rows = iter(ds)
        for _ in range(at):
            next(rows)
        again = make()
        again.load_state_dict(json.loads(json.dumps(ds.state_dict())))
        assert [(row["of"], row["n"]) for row in again] == whole[at:]
    seen, state = [], None
    for generation, of in enumerate((3, 2, 5)):
        ranks = [split_dataset_by_node(make(), rank, of) for rank in range(of)]
        for rank, ds in enumerate(ranks):
            if state is not None:
                ds.load_state_dict(state)
            taken = iter(ds) if generation == 2 else itertools.islice(ds, 9 * rank)
            seen += [(row["of"], row["n"]) for row in taken]
        state = json.loads(json.dumps(merge_state_dicts(ds.state_dict() for ds in ranks)))
    assert len({*seen}) == len(seen) == len(whole)
    if name != "then":
        assert sorted(seen) == sorted(whole)


def test_weights_change_while_it_is_read():
    def made():
        return mix_datasets(parts(), [1, 0], repeat=[True, True])

    ds = made()
    rows = iter(ds)
    first = [next(rows)["of"] for _ in range(100)]
    ds.set_weights([0, 1], at=320)
    following = [next(rows)["of"] for _ in range(400)]
    assert {*first, *following[:220]} == {1}
    assert {*following[220:]} == {2}
    # The state says it.
    again = made()
    again.load_state_dict(json.loads(json.dumps(ds.state_dict())))
    assert [row["of"] for row in itertools.islice(again, 50)] == [2] * 50
    with pytest.raises(exceptions.InvalidArgumentError, match="were read already"):
        ds.set_weights([1, 0], at=100)
    ds.set_weights([1, 0])
    assert "from row 320 on 0, 1; from row" in ds.explain()
    late = {next(rows)["of"] for _ in range(200)}
    assert late == {1, 2} or late == {1}
    # On two ranks, at one row; resumed by three.
    ranks = [split_dataset_by_node(made(), rank, 2) for rank in range(2)]
    found = []
    for rank, one in enumerate(ranks):
        taken = iter(one)
        found += [next(taken)["of"] for _ in range(40 + rank)]
        one.set_weights([0, 1], at=640)
    state = merge_state_dicts(one.state_dict() for one in ranks)
    for rank in range(3):
        one = split_dataset_by_node(made(), rank, 3)
        one.load_state_dict(state)
        found += [row["of"] for row in itertools.islice(one, 400)]
    assert {*found[:81]} == {1}
    assert found.count(1) == 640
    with pytest.raises(exceptions.InvalidArgumentError, match="consumers"):
        ranks[0].set_weights([1, 1])
    with pytest.raises(exceptions.InvalidArgumentError, match="no mixture"):
        part(1).set_weights([1])


def test_explain_says_what_each_gives():
    text = mix_datasets(parts(), [3, 1], stopping_strategy="first_exhausted").explain()
    assert "by weights, until the first ends" in text
    assert "part 0  75.0% of the rows, about 200 rows: 1.00 passes over 200" in text
    assert "part 1  25.0% of the rows, about 67 rows: 0.56 passes over 120" in text
    text = mix_datasets(parts(), {0: [1, 1], 50: [1, 3]}, by="ids", repeat=[False, True]).explain()
    assert "until 0 ended; from row 50 on 1, 3" in text
    assert "part 1  50.0% of the ids" in text


def test_what_cannot_be():
    invalid = exceptions.InvalidArgumentError
    for match, call in {
        "2 numbers": lambda: mix_datasets(parts(), [1]),
        "0 or more": lambda: mix_datasets(parts(), [1, -1]),
        "must be above 0": lambda: mix_datasets(parts(), [0, 0]),
        "begins with row 0": lambda: mix_datasets(parts(), {5: [1, 1]}),
        "no column": lambda: mix_datasets(parts(), [1, 1], by="tokens"),
        "stopping_strategy": lambda: mix_datasets(parts(), [1, 1], stopping_strategy="never"),
        "choose has": lambda: mix_datasets(parts(), [1, 1], choose=[1]),
        "repeat has": lambda: mix_datasets(parts(), [1, 1], repeat=[True]),
        "expects streams": lambda: mix_datasets([Dataset.from_dict({"a": [1]})], [1]),
        "is to be repeated": lambda: list(
            mix_datasets(
                [part(1), part(2).filter(lambda row: False)], [1, 1], repeat=[True, True]
            ).take(500)
        ),
    }.items():
        with pytest.raises(invalid, match=match):
            call()
    counted = part(1).map(lambda row: {"d": {"a": 1}})
    mixed = mix_datasets([counted] * 2, [1, 1], by="d")
    with pytest.raises(exceptions.SchemaError, match="counts"):
        next(iter(mixed))
    state = mix_datasets(parts(), [1, 2]).state_dict()
    with pytest.raises(exceptions.CheckpointMismatchError):
        mix_datasets(parts(), [1, 3]).load_state_dict(state)


def test_the_last_of_two_changes_at_one_row_counts():
    ds = mix_datasets(parts(), [1, 0], repeat=[True, True])
    ds.set_weights([1, 0])
    ds.set_weights([0, 1], at=0)
    assert {row["of"] for row in itertools.islice(ds, 100)} == {2}
    ds.set_weights([1, 0])
    ds.set_weights([0, 1], at=640)
    ds.set_weights([1, 0], at=640)
    assert {row["of"] for row in itertools.islice(ds, 1000)} == {1, 2}


def test_a_part_that_ended_as_the_weights_changed_begins_again():
    short = Dataset.from_dict({"of": [1] * 10}).to_iterable_dataset()
    long = Dataset.from_dict({"of": [2] * 30}).to_iterable_dataset()
    ds = mix_datasets(
        [short, long], {0: [1, 0], 10: [1, 1]}, stopping_strategy="all_exhausted", by="of"
    )
    assert Counter(row["of"] for row in ds.take(40))[1] > 15


def test_parts_without_rows_are_explained():
    empty = Dataset.from_dict({"a": [1]}).to_iterable_dataset().take(0)
    assert "50.0% of the rows" in mix_datasets([empty, empty], [1, 1]).explain()
