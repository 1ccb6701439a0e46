"""`explain()` of streams that are more than one listing: its parts, one under the other."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rowstream import (
    Dataset,
    IterableDataset,
    col,
    concatenate_datasets,
    interleave_datasets,
    load_dataset,
)


@pytest.fixture
def files(tmp_path):
    def make(name, n):
        pq.write_table(pa.table({"id": range(n), name: ["x"] * n}), tmp_path / f"{name}.parquet")
        return load_dataset(
            "parquet", data_files=str(tmp_path / f"{name}.parquet"), split="train", streaming=True
        )

    return make("web", 10), make("code", 20)


def numbers(shards):
    for shard in shards:
        yield {"id": shard}


def test_a_mixture(files):
    web, code = files
    mixed = interleave_datasets(
        [web.shuffle(seed=5, buffer_size=7), code.filter(col("id") > 3).select_columns(["id"])],
        probabilities=[0.7, 0.3],
        seed=42,
    )
    text = mixed.map(dict).explain()
    for words in (
        "0.7",
        "0.3",
        "42",
        "first",
        "shuffle(seed=5",
        "filter",
        "id > 3",
        "columns   1 of 2: id",
        "Map(",
    ):
        assert words in text, text
    assert text.count("scan      parquet, 1 file") == 2
    # The parts stand further in than what is of all.
    assert sum(line.startswith(" ") and "scan" in line for line in text.splitlines()) == 2


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (
            lambda web, code: interleave_datasets(
                [web, code], stopping_strategy="all_exhausted_without_replacement"
            ),
            ["in turn", "2 parts", "scan"],
        ),
        (
            lambda web, code: concatenate_datasets([web.map(dict), code]),
            ["2 parts", "Map(", "scan"],
        ),
        (
            lambda web, code: concatenate_datasets([web, code.select_columns(["code"])], axis=1),
            ["2 parts", "scan", "columns   1 of 2: code"],
        ),
        (
            lambda web, code: IterableDataset.from_generator(
                numbers, gen_kwargs={"shards": [1, 2, 3]}
            ),
            ["numbers", "3 shards"],
        ),
        (
            lambda web, code: IterableDataset.from_generator(
                numbers, gen_kwargs={"shards": [1]}
            ).filter(bool),
            ["numbers", "1 shard", "Filter("],
        ),
        (lambda web, code: interleave_datasets([interleave_datasets([web, code]), web]), ["scan"]),
        (
            lambda web, code: (
                Dataset.from_dict({"a": list(range(9))})
                .select([1, 5])
                .to_iterable_dataset(num_shards=2)
            ),
            ["2"],
        ),
        (
            lambda web, code: interleave_datasets([web, code]).batch(4).shuffle(seed=3),
            ["Rebatch(", "Shuffle(", "scan"],
        ),
    ],
)
def test_others(files, make, words):
    ds = make(*files)
    text = ds.explain()
    for word in words:
        assert word in text, text
    assert "\0" not in text
    assert ds.explain() == text


def test_mixtures_in_mixtures(files):
    web, code = files
    text = interleave_datasets([interleave_datasets([web, code]), web]).explain()
    depths = [len(line) - len(line.lstrip()) for line in text.splitlines() if "scan" in line]
    assert len(depths) == 3
    assert depths[0] == depths[1] > depths[2] > 0
