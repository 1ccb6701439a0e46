"""Mixtures of streams in file order are those of `datasets`: the same draws, the same end."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import rowstream

datasets = pytest.importorskip("datasets")
pytestmark = pytest.mark.heavy


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("combine")
    for p, n in enumerate((97, 23, 41)):
        pq.write_table(
            pa.table({"part": [p] * n, "id": range(n)}), folder / f"{p}.parquet", row_group_size=10
        )
    return [str(folder / f"{p}.parquet") for p in range(3)]


def both(files, what):
    made = []
    for library in (rowstream, datasets):
        parts = [
            library.load_dataset("parquet", data_files=[file], split="train", streaming=True)
            for file in files
        ]
        made.append([(row["part"], row["id"]) for row in what(library, parts)])
    return made


@pytest.mark.parametrize(
    "strategy", ["first_exhausted", "all_exhausted", "all_exhausted_without_replacement"]
)
@pytest.mark.parametrize("probabilities", [None, [0.5, 0.3, 0.2], [0.05, 0.9, 0.05]])
@pytest.mark.parametrize("seed", [0, 42])
def test_interleave(files, strategy, probabilities, seed):
    ours, theirs = both(
        files,
        lambda of, parts: of.interleave_datasets(
            parts, probabilities=probabilities, seed=seed, stopping_strategy=strategy
        ),
    )
    assert ours == theirs


def test_interleave_after_functions_and_before(files):
    def what(of, parts):
        parts = [
            parts[0].map(lambda row: {"id": row["id"] + 1000}),
            parts[1].filter(lambda row: row["id"] % 2 == 0),
            parts[2].take(7),
        ]
        return of.interleave_datasets(
            parts, probabilities=[0.2, 0.5, 0.3], seed=3, stopping_strategy="all_exhausted"
        ).skip(5)

    ours, theirs = both(files, what)
    assert ours == theirs


@pytest.mark.parametrize("axis", [0, 1])
def test_concatenate(files, axis):
    def what(of, parts):
        if axis == 1:
            # Of unequal lengths `datasets` fills in nulls; here that is an error.
            parts = [parts[0].take(20), parts[1].rename_columns({"part": "p", "id": "i"}).take(20)]
        return of.concatenate_datasets(parts, axis=axis)

    ours, theirs = both(files, what)
    assert ours == theirs


def test_parts_of_splits_round_alike(files):
    for split in (
        "train[:10%]",
        "train[33%:67%]",
        "train[-13%:]",
        "train[5:20]",
        "train[:3]+train[-2:]",
    ):
        ours = rowstream.load_dataset("parquet", data_files=files[:1], split=split, streaming=True)
        theirs = datasets.load_dataset("parquet", data_files=files[:1], split=split)
        assert [row["id"] for row in ours] == theirs["id"][:], split
