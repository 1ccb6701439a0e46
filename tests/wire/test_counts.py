"""Cards that count rows: a count is compared with the rows that it counts, and with no others."""

from __future__ import annotations

import pytest
import rowstream
from rowstream import load_dataset
from rowstream.exceptions import NonMatchingSplitsSizesError

from tests.wire.conftest import lines, parquet

WHOLE = {"dataset_info": {"splits": [{"name": "train", "num_examples": 7}]}}
NAMED = {
    "configs": [
        {"config_name": "en", "data_files": "en/*"},
        {"config_name": "de", "data_dir": "de"},
    ],
    "dataset_info": [
        {"config_name": "en", "splits": [{"name": "train", "num_examples": 3}]},
        {"config_name": "de", "splits": [{"name": "train", "num_examples": 6}]},
    ],
}


@pytest.fixture
def counted(server, tmp_path):
    """Repositories whose cards count rows; loads one of them, and gives how many rows there are."""
    parts = {"en/train.jsonl": lines(3), "de/train.jsonl": lines(4)}
    server.repo("counts/whole", parts, cardData=WHOLE)
    server.repo("counts/named", {**parts, "de/sub/train.jsonl": lines(2)}, cardData=NAMED)
    server.repo("counts/table", {"train.csv": b"id\n0\n1\n2\n3\n4\n5\n6\n"}, cardData=WHOLE)
    server.repo("counts/packed", {"train.parquet": parquet(7, 3)}, cardData=WHOLE)
    server.repo("counts/bad", {"train.jsonl": lines(6) + b"no json\n"}, cardData=WHOLE)

    def count(name, config=None, **options):
        return len(
            load_dataset(
                name,
                config,
                split=options.pop("split", "train"),
                cache_dir=str(tmp_path / "made"),
                **options,
            )
        )

    return count


@pytest.mark.parametrize("data_dir", ["en", "en/", "./en"])
def test_a_folder_of_a_repository_is_not_the_whole(counted, data_dir):
    assert counted("counts/whole", data_dir=data_dir) == 3
    assert counted("counts/whole", data_dir=data_dir, split="train[:2]") == 2


@pytest.mark.parametrize(
    ("config", "data_dir", "rows"),
    [("de", "de/sub", 2), ("en", "de/sub", 2), ("de", "de", 6), ("en", "en", 3)],
)
def test_a_folder_beside_a_configuration(counted, config, data_dir, rows):
    assert counted("counts/named", config, data_dir=data_dir) == rows


@pytest.mark.parametrize(
    ("name", "options", "rows"),
    [
        ("counts/whole", {"filters": [("id", "<", 2)]}, 4),
        ("counts/packed", {"filters": [("id", "<", 2)]}, 2),
        ("counts/table", {"nrows": 2}, 2),
        ("counts/table", {"skiprows": 3, "names": ["id"]}, 5),
        ("counts/bad", {"on_error": "skip"}, 6),
        ("counts/whole", {"data_files": "en/*"}, 3),
        ("counts/whole", {"data_files": {"train": "de/*"}}, 4),
    ],
)
def test_rows_that_a_caller_leaves_out_are_not_counted(counted, name, options, rows):
    assert counted(name, **options) == rows


def test_the_whole_is_still_compared(server, counted, tmp_path):
    assert counted("counts/whole") == 7
    server.repo(
        "counts/other", {"en/train.jsonl": lines(3), "de/train.jsonl": lines(5)}, cardData=WHOLE
    )
    with pytest.raises(NonMatchingSplitsSizesError, match="no_checks"):
        counted("counts/other")
    # The folder of a configuration is what its card counts.
    server.repo(
        "counts/more", {"en/train.jsonl": lines(3), "de/train.jsonl": lines(5)}, cardData=NAMED
    )
    with pytest.raises(NonMatchingSplitsSizesError):
        counted("counts/more", "de", data_dir="de")


def test_a_builder_tells_and_compares_what_it_reads(server, counted, tmp_path):
    def builder(**options):
        return rowstream.load_dataset_builder(
            "counts/whole", cache_dir=str(tmp_path / "made"), **options
        )

    assert builder().info.splits["train"].num_examples == 7
    for i, options in enumerate(({"data_dir": "en"}, {"filters": [("id", "<", 2)]})):
        made = builder(**options)
        assert made.info.splits is None or made.info.splits["train"].num_examples is None
        made.download_and_prepare(str(tmp_path / f"written{i}"))
        assert len(made.as_dataset("train")) == (3, 4)[i]
    assert rowstream.get_dataset_config_info("counts/whole", data_dir="en").splits[
        "train"
    ].num_examples in (None, 0)


def test_a_folder_of_this_machine_with_a_card(tmp_path):
    root = tmp_path / "set"
    (root / "en").mkdir(parents=True)
    (root / "en" / "train.jsonl").write_bytes(lines(3))
    (root / "train.jsonl").write_bytes(lines(4))
    (root / "README.md").write_text(
        "---\ndataset_info:\n  splits:\n  - name: train\n    num_examples: 7\n---\n"
    )
    for data_dir, rows in ((None, 7), ("en", 3)):
        assert (
            len(
                load_dataset(
                    str(root), data_dir=data_dir, split="train", cache_dir=str(tmp_path / "made")
                )
            )
            == rows
        )
