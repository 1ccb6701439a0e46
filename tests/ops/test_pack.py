"""`pack`: trl's results, at every place of a resume, on any number of consumers."""

from __future__ import annotations

import pickle
from itertools import chain

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rowstream import (
    Dataset,
    Features,
    List,
    Value,
    exceptions,
    interleave_datasets,
    load_dataset,
    merge_state_dicts,
)
from rowstream.distributed import split_dataset_by_node

STRATEGIES = ["bfd", "bfd_split", "wrapped"]


def stream(rows, **columns):
    return Dataset.from_dict({"input_ids": rows, **columns}).to_iterable_dataset()


def found(ds, name="input_ids"):
    return [row[name].tolist() for row in ds]


def flat(rows):
    return [*chain.from_iterable(rows)]


def some(seed, n=400):
    chance = np.random.default_rng(seed)
    return [chance.integers(0, 1000, length).tolist() for length in chance.geometric(0.05, n) - 1]


@settings(max_examples=60)
@given(
    st.lists(st.lists(st.integers(0, 99), max_size=12), max_size=30),
    st.integers(1, 9),
    st.sampled_from(["bfd", "bfd_split"]),
)
def test_best_fits_are_those_of_trl(rows, length, strategy):
    trl = pytest.importorskip("trl.data_utils")
    import pyarrow as pa

    mask = [[i % 2 for i in row] for row in rows]
    got = list(stream(rows, mask=mask).pack(length, strategy)) if rows else []
    lists = pa.list_(pa.int64())
    table = pa.table({"input_ids": pa.array(rows, lists), "mask": pa.array(mask, lists)})
    overflow = "truncate" if strategy == "bfd" else "split"
    want = trl._pack_bfd(table, length, overflow).to_pylist() if any(rows) else []
    assert [{name: of.tolist() for name, of in row.items()} for row in got] == want


@settings(max_examples=60)
@given(
    st.lists(st.lists(st.integers(0, 99), max_size=12), min_size=1, max_size=30),
    st.integers(1, 9),
    st.integers(1, 7),
    st.booleans(),
)
def test_wrapped_sequences_are_cuts_of_all_tokens(rows, length, batch_size, behind):
    ds = stream(rows)
    ds = ds.map(lambda row: row) if behind else ds
    packed = list(ds.pack(length, "wrapped", batch_size=batch_size, seq_lengths=True))
    tokens = flat(rows)
    want = [tokens[i : i + length] for i in range(0, len(tokens), length)]
    assert [row["input_ids"].tolist() for row in packed] == want
    # The parts are those of the rows, cut where sequences are.
    ends = {0, *np.cumsum([len(row) for row in rows]).tolist(), *range(0, len(tokens), length)}
    parts = np.diff(sorted({*ends, len(tokens)})).tolist()
    assert flat(row["seq_lengths"].tolist() for row in packed) == parts
    short = ds.pack(length, "wrapped", batch_size=batch_size, drop_last=True)
    assert found(short) == [one for one in want if len(one) == length]


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("behind", [False, True])
def test_a_resume_goes_on_at_the_next_sequence(strategy, behind):
    rows = some(1)

    def made():
        ds = stream(rows).shuffle(seed=2, buffer_size=50)
        ds = ds.map(lambda row: row) if behind else ds
        return ds.pack(32, strategy, batch_size=37)

    whole = found(made())
    for stop in [0, 1, 2, 3, 50, 51, len(whole) - 1, len(whole)]:
        ds = made()
        packed = iter(ds)
        given = [next(packed)["input_ids"].tolist() for _ in range(stop)]
        state = pickle.loads(pickle.dumps(ds.state_dict()))
        again = made()
        again.load_state_dict(state)
        # And once more, from the state of a stream that was resumed.
        rest = iter(again)
        given += [next(rest)["input_ids"].tolist() for _ in range(min(5, len(whole) - stop))]
        third = made()
        third.load_state_dict(again.state_dict())
        assert given + found(third) == whole


@pytest.mark.parametrize("strategy", ["bfd_split", "wrapped"])
@pytest.mark.parametrize(("before", "after"), [(1, 3), (3, 1), (3, 2), (2, 5)])
def test_no_token_is_lost_on_other_consumers(strategy, before, after):
    rows = [[i] * (i % 50) for i in range(500)]

    def made():
        return stream(rows).pack(64, strategy, batch_size=50)

    given, states = [], []
    for c in range(before):
        ds = split_dataset_by_node(made(), c, before)
        packed = iter(ds)
        given += [next(packed)["input_ids"].tolist() for _ in range(20 + 7 * c)]
        states.append(ds.state_dict())
    state = merge_state_dicts(states)
    for c in range(after):
        ds = split_dataset_by_node(made(), c, after)
        ds.load_state_dict(state)
        given += found(ds)
    assert sorted(flat(given)) == sorted(flat(rows))


def test_columns_and_types():
    rows = some(3, 50)
    ds = stream(rows, mask=[[1] * len(row) for row in rows], n=[*range(50)], text=["x"] * 50)
    packed = ds.pack(16, position_ids=True)
    lists = List(Value("int32"))
    ids = ds.features["input_ids"]
    assert packed.features == Features(
        {
            "input_ids": ids,
            "mask": ds.features["mask"],
            "seq_lengths": lists,
            "position_ids": lists,
        }
    )
    for row in packed:
        assert row["mask"].sum() == len(row["input_ids"]) == row["seq_lengths"].sum()
        positions = [i for n in row["seq_lengths"] for i in range(n)]
        assert row["position_ids"].tolist() == positions
    one = ds.pack(16, columns="mask", seq_lengths=False)
    assert one.column_names == ["mask"]
    assert [*next(iter(one))] == ["mask"]
    # What the types do not say, the first rows do.
    unknown = ds.map(lambda row: row).pack(16)
    assert [*next(iter(unknown))] == ["input_ids", "mask", "seq_lengths"]
    assert found(unknown) == found(ds.pack(16))


def test_lists_of_all_kinds():
    """Fixed and large lists, nulls, floats."""
    import pyarrow as pa

    fixed = pa.table({"ids": pa.array([[1, 2], [3, 4], [5, 6]], pa.list_(pa.int16(), 2))})
    ds = Dataset(fixed).to_iterable_dataset().pack(4, "wrapped")
    assert found(ds, "ids") == [[1, 2, 3, 4], [5, 6]]
    large = pa.table({"ids": pa.array([[1.5], None, [2.5, 3]], pa.large_list(pa.float32()))})
    ds = Dataset(large).to_iterable_dataset().pack(2, "wrapped")
    assert found(ds, "ids") == [[1.5, 2.5], [3.0]]
    assert found(stream([[], [], []]).pack(4)) == []
    assert found(stream([[7]]).pack(4)) == [[7]]


def test_batches_and_mixtures():
    torch = pytest.importorskip("torch")
    ds = stream(some(4)).pack(32, "wrapped", drop_last=True)
    for batch in ds.with_format("torch").iter(batch_size=8, drop_last_batch=True):
        assert batch["input_ids"].shape == (8, 32)
    loader = torch.utils.data.DataLoader(ds.with_format("torch"), batch_size=4, num_workers=2)
    tokens = torch.cat([batch["input_ids"].flatten() for batch in loader])
    # Each worker leaves out a last one of its own.
    assert len(flat(some(4))) - 3 * 32 < len(tokens) <= len(flat(some(4)))
    both = interleave_datasets([ds, stream(some(5)).pack(32)], stopping_strategy="all_exhausted")
    assert {len(row["input_ids"]) <= 32 for row in both.take(50)} == {True}
    assert len(list(ds.take(5))) == 5
    assert found(ds.skip(5)) == found(ds)[5:]


def test_text_to_packed_batches(tmp_path):
    tokenizers = pytest.importorskip("tokenizers")
    pre = tokenizers.pre_tokenizers
    made = tokenizers.Tokenizer(tokenizers.models.WordLevel({"a": 0, "b": 1, "?": 2}, "?"))
    made.pre_tokenizer = pre.Whitespace()
    made.save(str(tmp_path / "tokenizer.json"))
    texts = ["a b " * (i % 9) for i in range(300)]
    Dataset.from_dict({"text": texts}).to_parquet(str(tmp_path / "a.parquet"))
    ds = load_dataset(
        "parquet", data_files=str(tmp_path / "a.parquet"), split="train", streaming=True
    )
    ds = ds.shuffle(seed=1, buffer_size=100).tokenize(tmp_path / "tokenizer.json", "text")
    ds = ds.pack(16, strategy="wrapped")
    batches = [b["input_ids"] for b in ds.with_format("numpy").iter(batch_size=8)]
    assert {batch.shape for batch in batches[:-1]} == {(8, 16)}
    assert sum(len(row) for batch in batches for row in batch) == sum(i % 9 * 2 for i in range(300))


def test_what_cannot_be():
    ds = stream([[1, 2], [3]], mask=[[1], [1]], n=[1, 2])
    for message, kind, call in [
        ("strategy is one of", exceptions.InvalidArgumentError, lambda: ds.pack(4, "best")),
        ("length", exceptions.InvalidArgumentError, lambda: ds.pack(0)),
        ("no column 'x'", exceptions.InvalidArgumentError, lambda: ds.pack(4, columns=["x"])),
        ("lists of numbers", exceptions.SchemaError, lambda: ds.pack(4, columns="n")),
        ("before batch", exceptions.UnsupportedError, lambda: ds.batch(2).pack(4)),
        (
            "tokenize first",
            exceptions.InvalidArgumentError,
            lambda: ds.select_columns(["n"]).pack(4),
        ),
    ]:
        with pytest.raises(kind, match=message):
            call()
    with pytest.raises(exceptions.SchemaError, match="2 and 1 tokens"):
        list(ds.pack(4))
    odd = ds.map(lambda row: {"input_ids": "text"}).pack(4, columns="input_ids")
    with pytest.raises(exceptions.SchemaError, match="lists of numbers"):
        list(odd)


def test_empty_rows_say_no_type():
    features = Features({"a": List(Value("uint64"))})
    rows = {"a": [[], [], [], [2**53 + 1, 2**53 + 2]]}
    ds = Dataset.from_dict(rows, features=features).to_iterable_dataset()
    (row,) = ds.pack(2, strategy="wrapped", batch_size=2)
    assert row["a"].tolist() == [2**53 + 1, 2**53 + 2]


def functions(rows):
    return (
        Dataset.from_dict({"i": [*range(len(rows))]})
        .to_iterable_dataset()
        .map(lambda row: rows[row["i"]], remove_columns=["i"])
    )


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_rows_of_functions(strategy):
    """Of arrays of any library, with nulls for rows without tokens."""
    import torch

    def packed(*rows):
        made = functions([{"input_ids": row} for row in rows]).pack(3, strategy, batch_size=2)
        return [row["input_ids"].tolist() for row in made]

    assert packed(torch.tensor([1, 2]), torch.tensor([3])) == [[1, 2, 3]]
    assert flat(packed([2**63 + 5], [3])) == [2**63 + 5, 3]
    assert flat(packed([1, 2], [3, 4], None, None, [5])) == [1, 2, 3, 4, 5]
    assert packed(None, None) == packed([], []) == []
    assert packed((1,), np.array([2], np.uint8)) == [[1, 2]]
    for rows, words in [
        ([[1, None], [3]], "nulls among its numbers"),
        ([[1, "a"], [5]], "lists of numbers"),
        ([["1"], ["5"]], "tokenize first"),
        ([[2**63 + 5], [-3]], "no type has both"),
        ([[0.5], [2**60 + 1]], r"above 2\*\*53"),
        ([[[1]], [[2]]], "lists of numbers"),
    ]:
        with pytest.raises(exceptions.SchemaError, match=words):
            packed(*rows)


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("batch_size", [1, 2, 4])
def test_a_column_that_some_rows_lack_is_an_error(strategy, batch_size):
    rows = [{"input_ids": [1]}, {"input_ids": [2], "labels": [5]}, {"input_ids": [3, 4]}]
    if strategy != "wrapped" and batch_size == 1:
        pytest.skip("each row is packed by itself")
    with pytest.raises(exceptions.SchemaError, match="columns"):
        list(functions(rows).pack(9, strategy, batch_size=batch_size))
