"""A state of another stream is refused in words: what differs, and what to do."""

from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rowstream import concatenate_datasets, interleave_datasets, load_dataset
from rowstream.exceptions import CheckpointMismatchError


@pytest.fixture
def files(tmp_path):
    def make(name, n=20):
        if not (tmp_path / f"{name}.parquet").exists():
            pq.write_table(
                pa.table({"id": range(n)}), tmp_path / f"{name}.parquet", row_group_size=5
            )
        return load_dataset(
            "parquet", data_files=str(tmp_path / f"{name}.parquet"), split="train", streaming=True
        )

    return make


def refused(taken, loaded):
    """The words with which a state of one stream is refused by another."""
    next(iter(taken))
    state = json.loads(json.dumps(taken.state_dict()))
    assert len(json.dumps(state)) < 4096
    with pytest.raises(CheckpointMismatchError) as error:
        loaded.load_state_dict(state)
    words = str(error.value)
    assert len(words) < 700, words
    assert "fingerprint" not in words, words
    return words


CASES = {
    "another seed": (
        lambda a, b: a.shuffle(seed=1),
        lambda a, b: a.shuffle(seed=2),
        ["seed=1", "seed=2"],
    ),
    "another buffer": (
        lambda a, b: a.shuffle(seed=1, buffer_size=7),
        lambda a, b: a.shuffle(seed=1, buffer_size=8),
        ["buffer=7", "buffer=8"],
    ),
    "a shuffle more": (lambda a, b: a, lambda a, b: a.shuffle(seed=2), ["shuffle", "seed=2"]),
    "a shuffle less": (lambda a, b: a.shuffle(seed=2), lambda a, b: a, ["shuffle", "seed=2"]),
    "another take": (lambda a, b: a.take(5), lambda a, b: a.take(6), ["take", "5", "6"]),
    "a skip": (lambda a, b: a, lambda a, b: a.skip(3), ["skip", "3"]),
    "another shard": (lambda a, b: a.shard(2, 0), lambda a, b: a.shard(2, 1), ["shard"]),
    "a batch": (lambda a, b: a, lambda a, b: a.batch(4), ["batch", "4"]),
    "repeats": (lambda a, b: a.repeat(2), lambda a, b: a.repeat(3), ["2 times", "3 times"]),
    "other files": (lambda a, b: a, lambda a, b: b, ["files"]),
    "other files, shuffled": (
        lambda a, b: a.shuffle(seed=1),
        lambda a, b: b.shuffle(seed=1),
        ["files"],
    ),
    "a function": (lambda a, b: a.map(dict, batched=True), lambda a, b: a, ["Map("]),
    "a function of one row over another shuffle": (
        lambda a, b: a.shuffle(seed=1).map(dict),
        lambda a, b: a.shuffle(seed=2).map(dict),
        ["seed=1", "seed=2"],
    ),
    "a part's seed": (
        lambda a, b: interleave_datasets([a, b.shuffle(seed=1)]),
        lambda a, b: interleave_datasets([a, b.shuffle(seed=2)]),
        ["part 1", "seed=1", "seed=2"],
    ),
    "a part's files": (
        lambda a, b: interleave_datasets([a, b]),
        lambda a, b: interleave_datasets([b, b]),
        ["part 0", "files"],
    ),
    "a part's function": (
        lambda a, b: concatenate_datasets([a.map(dict), b]),
        lambda a, b: concatenate_datasets([a.filter(bool), b]),
        ["part 0", "Map(", "Filter("],
    ),
    "weights": (
        lambda a, b: interleave_datasets([a, b], probabilities=[0.5, 0.5], seed=1),
        lambda a, b: interleave_datasets([a, b], probabilities=[0.25, 0.75], seed=1),
        ["0.5", "0.25", "strict=False"],
    ),
    "a part more": (
        lambda a, b: interleave_datasets([a, b]),
        lambda a, b: interleave_datasets([a, b, a]),
        ["2 parts", "3", "strict=False"],
    ),
    "a mixture for a stream": (
        lambda a, b: interleave_datasets([a, b]),
        lambda a, b: a,
        ["mixture"],
    ),
    "a stream for a mixture": (
        lambda a, b: a,
        lambda a, b: interleave_datasets([a, b]),
        ["mixture"],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_differs_is_said(files, name):
    taken, loaded, fragments = CASES[name]
    words = refused(taken(files("a"), files("b", 23)), loaded(files("a"), files("b", 23)))
    for fragment in fragments:
        assert fragment in words, words


@pytest.mark.parametrize(
    ("state", "word"),
    [
        (
            {
                "examples_iterable": {
                    "shard_idx": 0,
                    "shard_example_idx": 3,
                    "type": "ArrowExamplesIterable",
                },
                "epoch": 0,
            },
            "datasets",
        ),
        (
            {
                "_snapshot": {"_main_snapshot": {}, "_snapshot_step": 0},
                "_steps_since_snapshot": 0,
                "_iterator_finished": False,
            },
            "StatefulDataLoader",
        ),
        (
            {"_sampler_iter_yielded": 0, "_num_yielded": 3, "dataset_state": None},
            "StatefulDataLoader",
        ),
        ({}, "rowstream"),
        (None, "rowstream"),
        ([1], "rowstream"),
    ],
)
def test_what_is_no_state(files, state, word):
    with pytest.raises(CheckpointMismatchError, match=word):
        files("a").load_state_dict(state)


def test_a_state_without_these_words_still_loads(files):
    """As they were kept before: with no description of files and steps."""
    ds = files("a").shuffle(seed=1)
    rows = [row["id"] for row in ds]
    next(iter(ds))
    state = {
        key: value
        for key, value in ds.state_dict().items()
        if key in ("rowstream", "epoch", "cursor")
    }
    again = files("a").shuffle(seed=1)
    again.load_state_dict(state)
    assert [row["id"] for row in again] == rows[1:]
    with pytest.raises(CheckpointMismatchError):
        files("a").shuffle(seed=2).load_state_dict(state)
