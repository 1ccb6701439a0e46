from __future__ import annotations

import pickle
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rowstream import (
    IterableDataset,
    IterableDatasetDict,
    exceptions,
    get_dataset_config_names,
    get_dataset_default_config_name,
    load_dataset,
    load_dataset_builder,
)


@pytest.fixture
def folder(tmp_path):
    for i, name in enumerate(("train-0.parquet", "train-1.parquet", "validation.parquet")):
        pq.write_table(pa.table({"id": [2 * i, 2 * i + 1], "text": ["a", "b"]}), tmp_path / name)
    (tmp_path / "README.md").write_text("what it is")
    return tmp_path


def ids(ds):
    return [row["id"] for row in ds]


def test_a_folder(folder):
    splits = load_dataset(str(folder), streaming=True)
    assert isinstance(splits, IterableDatasetDict)
    assert {name: ids(ds) for name, ds in splits.items()} == {
        "train": [0, 1, 2, 3],
        "validation": [4, 5],
    }
    ds = load_dataset(str(folder), split="train", streaming=True)
    assert isinstance(ds, IterableDataset)
    assert (ids(ds), ds.split, ds.num_shards, ds.column_names) == (
        [0, 1, 2, 3],
        "train",
        2,
        ["id", "text"],
    )
    one, other = load_dataset(str(folder), split=["validation", "train"], streaming=True)
    assert (ids(one), ids(other)) == ([4, 5], [0, 1, 2, 3])


def test_data_files(folder, monkeypatch):
    monkeypatch.chdir(folder)
    assert ids(
        load_dataset("parquet", data_files="train-0.parquet", split="train", streaming=True)
    ) == [0, 1]
    assert ids(
        load_dataset(
            "parquet",
            data_files=["validation.parquet", Path("train-0.parquet")],
            split="train",
            streaming=True,
        )
    ) == [
        4,
        5,
        0,
        1,
    ]
    made = load_dataset(
        "parquet", data_files={"a": "train-*.parquet", "b": ["validation.parquet"]}, streaming=True
    )
    assert {name: ids(ds) for name, ds in made.items()} == {"a": [0, 1, 2, 3], "b": [4, 5]}
    assert ids(
        load_dataset(str(folder), data_files="train-{0..1}.parquet", split="train", streaming=True)
    ) == [0, 1, 2, 3]
    assert list(load_dataset("parquet", data_dir=str(folder), streaming=True)) == [
        "train",
        "validation",
    ]


def test_a_file_without_its_extension(folder):
    path = folder / "train-0.parquet"
    path.rename(folder / "shard")
    assert ids(load_dataset(str(folder / "shard"), split="train", streaming=True)) == [0, 1]


def test_columns(folder):
    ds = load_dataset(str(folder), split="train", streaming=True, columns=["text"])
    assert next(iter(ds)) == {"text": "a"}
    with pytest.raises(
        exceptions.InvalidArgumentError, match=r"no column 'no'; the columns are \['id', 'text'\]"
    ):
        load_dataset(str(folder), split="train", streaming=True, columns=["no"])


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"path": "parquet", "data_files": "none*"}, FileNotFoundError, "no file matches"),
        ({"path": "no/such/place"}, exceptions.DataFilesNotFoundError, "no folder or file here"),
        ({"path": "pandas", "data_files": "a.pkl"}, NotImplementedError, "from_pandas"),
        ({"path": "parquet"}, ValueError, "needs data_files or data_dir"),
        ({"path": ".", "split": "dev"}, ValueError, "the splits are"),
        ({"path": ".", "split": "train[:10"}, ValueError, "expected a name with a slice"),
        ({"path": ".", "num_proc": 2}, NotImplementedError, "num_proc"),
        ({"path": ".", "trust_remote_code": True}, NotImplementedError, "never runs code"),
        ({"path": ".", "colums": ["a"]}, ValueError, "'colums'"),
    ],
)
def test_errors(folder, monkeypatch, arguments, error, message):
    monkeypatch.chdir(folder)
    with pytest.raises(error, match=message) as caught:
        load_dataset(**arguments, streaming=True)
    assert isinstance(caught.value, exceptions.RowstreamError)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_files_of_different_columns_are_joined(tmp_path):
    pq.write_table(
        pa.table({"a": pa.array([1], pa.int32()), "b": [{"x": 1}]}), tmp_path / "0.parquet"
    )
    pq.write_table(
        pa.table({"c": ["new"], "a": pa.array([2**40], pa.int64())}), tmp_path / "1.parquet"
    )
    pq.write_table(
        pa.table({"b": pa.array([{"y": "z", "x": 2}]), "a": pa.nulls(1)}), tmp_path / "2.parquet"
    )
    ds = load_dataset("parquet", data_files=str(tmp_path / "*"), split="train", streaming=True)
    assert list(ds) == [
        {"a": 1, "b": {"x": 1, "y": None}, "c": None},
        {"a": 2**40, "b": None, "c": "new"},
        {"a": None, "b": {"x": 2, "y": "z"}, "c": None},
    ]


def test_files_that_do_not_go_together(tmp_path):
    pq.write_table(pa.table({"a": [1]}), tmp_path / "0.parquet")
    pq.write_table(pa.table({"a": ["one"]}), tmp_path / "1.parquet")
    with pytest.raises(
        exceptions.SchemaError,
        match=r'1\.parquet: column "a" has type Utf8 here and Int64 in .*0\.parquet',
    ):
        load_dataset("parquet", data_files=str(tmp_path / "*"), split="train", streaming=True)


def test_a_file_that_changed_is_refused(folder):
    ds = load_dataset(str(folder), split="train", streaming=True)
    pq.write_table(pa.table({"id": [7, 8], "text": ["c", "d"]}), folder / "train-1.parquet")
    rows = iter(ds)
    assert [next(rows)["id"] for _ in range(2)] == [0, 1]
    with pytest.raises(
        exceptions.SourceChangedError, match=r"train-1\.parquet.*load the data set again"
    ):
        next(rows)


def test_a_damaged_file_names_itself(folder):
    path = folder / "train-1.parquet"
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(
        exceptions.FileFormatError, match=r"train-1\.parquet: not a Parquet file, or one cut short"
    ):
        load_dataset(str(folder), split="train", streaming=True)


def test_empty_files(tmp_path):
    pq.write_table(pa.table({"a": pa.array([], pa.int64())}), tmp_path / "0.parquet")
    ds = load_dataset("parquet", data_files=str(tmp_path / "*"), split="train", streaming=True)
    assert (list(ds), list(ds.shuffle(seed=1)), list(ds.iter(3)), ds.num_shards) == ([], [], [], 0)
    assert pa.table(ds).schema.names == ["a"]


def test_splits_together(folder):
    assert ids(load_dataset(str(folder), split="validation+train", streaming=True)) == [
        4,
        5,
        0,
        1,
        2,
        3,
    ]
    assert ids(load_dataset(str(folder), split="all", streaming=True)) == [0, 1, 2, 3, 4, 5]
    with pytest.raises(ValueError, match="no split 'dev'"):
        load_dataset(str(folder), split="train+dev", streaming=True)


def test_a_file_named_twice_is_read_twice(folder):
    path = str(folder / "train-0.parquet")
    assert ids(load_dataset("parquet", data_files=[path, path], split="train", streaming=True)) == [
        0,
        1,
        0,
        1,
    ]


def test_a_folder_with_the_characters_of_a_pattern(folder):
    for name in ("run[1]", "a{b,c}"):
        (folder / name).mkdir()
        (folder / name / "x.parquet").write_bytes((folder / "train-0.parquet").read_bytes())
        assert ids(load_dataset(str(folder / name), split="train", streaming=True)) == [0, 1]
        assert ids(
            load_dataset(str(folder / name), data_files="*.parquet", split="train", streaming=True)
        ) == [0, 1]


def test_a_link_to_a_folder_above_is_not_followed_round(folder):
    (folder / "loop").symlink_to(folder)
    assert ids(load_dataset(str(folder), split="train", streaming=True)) == [0, 1, 2, 3]


def test_numbers_widen(tmp_path):
    pq.write_table(pa.table({"x": pa.array([1, 2])}), tmp_path / "0.parquet")
    pq.write_table(pa.table({"x": pa.array([0.5, None])}), tmp_path / "1.parquet")
    ds = load_dataset("parquet", data_files=str(tmp_path / "*"), split="train", streaming=True)
    assert [row["x"] for row in ds] == [1.0, 2.0, 0.5, None]
    pq.write_table(pa.table({"x": pa.array([2**60 + 1])}), tmp_path / "0.parquet")
    ds = load_dataset("parquet", data_files=str(tmp_path / "*"), split="train", streaming=True)
    with pytest.raises(
        exceptions.SchemaError, match=r"0\.parquet.*1152921504606846977 is not exact"
    ):
        list(ds)


def test_a_required_column_that_another_file_lacks(tmp_path):
    schema = pa.schema([pa.field("x", pa.int64(), nullable=False), pa.field("y", pa.int64())])
    pq.write_table(pa.table({"x": [1], "y": [2]}, schema=schema), tmp_path / "0.parquet")
    pq.write_table(pa.table({"y": [3]}), tmp_path / "1.parquet")
    ds = load_dataset("parquet", data_files=str(tmp_path / "*"), split="train", streaming=True)
    assert list(ds) == [{"x": 1, "y": 2}, {"x": None, "y": 3}]


CARD = """---
license: mit
configs:
- config_name: main
  default: true
  data_files:
  - split: train
    path: main/train-*.jsonl
  - split: test
    path: [main/a.jsonl, main/b.jsonl]
- config_name: tabs
  sep: "\\t"
  data_files: table.csv
dataset_info:
- config_name: main
  features:
  - name: id
    dtype: int32
  splits:
  - name: train
    num_examples: 4
---
# A data set
"""


@pytest.fixture
def described(tmp_path):
    folder = tmp_path / "described"
    (folder / "main").mkdir(parents=True)
    (folder / "README.md").write_text(CARD)
    for name, ids in {"train-0": [0, 1], "train-1": [2, 3], "a": [4], "b": [5]}.items():
        (folder / "main" / f"{name}.jsonl").write_text("".join(f'{{"id": {i}}}\n' for i in ids))
    (folder / "table.csv").write_text("x\ty\n1\t2\n")
    return folder


def test_the_card_of_a_folder(described, tmp_path):
    path, cache = str(described), str(tmp_path / "cache")
    assert get_dataset_config_names(path) == ["main", "tabs"]
    assert get_dataset_default_config_name(path) == "main"
    streams = load_dataset(path, streaming=True)
    assert {split: [row["id"] for row in ds] for split, ds in streams.items()} == {
        "train": [0, 1, 2, 3],
        "test": [4, 5],
    }
    assert list(load_dataset(path, "tabs", split="train", streaming=True)) == [{"x": 1, "y": 2}]
    rows = load_dataset(path, split="train", cache_dir=cache)
    assert rows.features["id"].dtype == "int32"
    assert load_dataset_builder(path, "tabs").config.name == "tabs"
    with pytest.raises(
        exceptions.InvalidArgumentError,
        match=r"has no configuration 'none'; there is \['main', 'tabs'\]",
    ):
        load_dataset(path, "none")
    # Files that are named are those that are read, whatever the card says.
    assert len(load_dataset(path, data_files="main/a.jsonl", split="train", cache_dir=cache)) == 1
    (described / "main" / "train-1.jsonl").unlink()
    with pytest.raises(exceptions.NonMatchingSplitsSizesError):
        load_dataset(path, split="train", cache_dir=cache)


@pytest.mark.parametrize(
    ("card", "message"),
    [
        ("---\nconfigs: [\n---\n", "README.md: its first lines are no YAML"),
        (
            "---\nconfigs:\n- config_name: a\n  data_files: ../secret.csv\n---\n",
            "a card can only name files of its own repository",
        ),
        (
            "---\nconfigs:\n- config_name: a\n  data_files: none-*.csv\n---\n",
            "names 'none-.*' for 'train', and no file matches",
        ),
    ],
)
def test_cards_that_make_no_sense(described, card, message):
    (described / "README.md").write_text(card)
    with pytest.raises(
        (exceptions.InvalidArgumentError, exceptions.DataFilesNotFoundError), match=message
    ):
        load_dataset(str(described), streaming=True)


@pytest.mark.parametrize("text", ["# only a title\n", "---\nlicense: mit\n---\n", ""])
def test_a_readme_that_says_nothing_of_the_data(described, text):
    (described / "README.md").write_text(text)
    for name in ("a", "b"):
        (described / "main" / f"{name}.jsonl").unlink()
    (described / "table.csv").unlink()
    assert [row["id"] for row in load_dataset(str(described), split="train", streaming=True)] == [
        0,
        1,
        2,
        3,
    ]
