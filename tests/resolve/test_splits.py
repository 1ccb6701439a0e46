from __future__ import annotations

import pytest
from rowstream.resolve.split_files import by_split


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (["a.parquet", "b.parquet"], {"train": ["a.parquet", "b.parquet"]}),
        (["train.parquet", "test.parquet"], {"train": ["train.parquet"], "test": ["test.parquet"]}),
        (
            ["x-dev-1.parquet", "x-training-1.parquet"],
            {"train": ["x-training-1.parquet"], "validation": ["x-dev-1.parquet"]},
        ),
        (
            ["my_val/a.parquet", "train/a.parquet"],
            {"train": ["train/a.parquet"], "validation": ["my_val/a.parquet"]},
        ),
        # A part of a word is none.
        (["trainer.parquet", "latest.parquet"], {"train": ["trainer.parquet", "latest.parquet"]}),
        # Folders decide before names.
        (["test/train.parquet"], {"test": ["test/train.parquet"]}),
        (
            [
                "data/train-00000-of-00002.parquet",
                "data/train-00001-of-00002.parquet",
                "data/dpo.a-00000-of-00001.parquet",
                "other.parquet",
            ],
            {
                "train": ["data/train-00000-of-00002.parquet", "data/train-00001-of-00002.parquet"],
                "dpo.a": ["data/dpo.a-00000-of-00001.parquet"],
            },
        ),
        ([], {}),
    ],
)
def test_names(files, expected):
    assert by_split(files) == expected
    assert list(by_split(files)) == list(expected)
