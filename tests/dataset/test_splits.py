"""Parts of splits that are added and cut, and what is called on each split of a dict."""

from __future__ import annotations

import pytest
from rowstream import (
    Dataset,
    DatasetDict,
    IterableDataset,
    IterableDatasetDict,
    NamedSplit,
    ReadInstruction,
    Split,
    SplitBase,
    SplitDict,
    SplitInfo,
    exceptions,
    experimental,
    load_dataset,
    percent,
)


def test_parts_of_splits(tmp_path):
    (tmp_path / "rows.jsonl").write_text("".join(f'{{"id": {i}}}\n' for i in range(200)))

    def ids(split):
        return list(
            load_dataset(
                "json",
                data_files=str(tmp_path / "rows.jsonl"),
                split=split,
                cache_dir=str(tmp_path / "cache"),
            )["id"]
        )

    assert ids(Split.TRAIN.subsplit(percent[:10])) == list(range(20))
    assert [ids(part) for part in NamedSplit("train").subsplit(k=3)] == [
        list(range(66)),
        list(range(66, 132)),
        list(range(132, 200)),
    ]
    train, test = Split.TRAIN.subsplit([9, 1])
    assert ids(train) + ids(test) == list(range(200))
    assert repr(train + test) == "ReadInstruction('train[0%:90%]+train[90%:100%]')"
    assert repr(Split.TRAIN + Split.TEST) == "NamedSplit('train+test')"
    assert (
        repr(Split.TEST + Split.TRAIN.subsplit(percent[-1:]))
        == "ReadInstruction('test+train[-1%:]')"
    )
    assert isinstance(Split.TRAIN, SplitBase)
    with pytest.raises(exceptions.InvalidArgumentError, match="not cut again"):
        train.subsplit(2)
    with pytest.raises(exceptions.InvalidArgumentError, match="Only one argument"):
        Split.TRAIN.subsplit(2, weighted=[1])
    with pytest.raises(ValueError, match="only be called with slice"):
        percent[3]


def test_rows_of_instructions():
    splits = SplitDict.from_split_dict(
        [
            SplitInfo("train", num_examples=10, shard_lengths=[6, 4], dataset_name="d"),
            SplitInfo("test", num_examples=3, dataset_name="d"),
        ]
    )
    (first, second) = ReadInstruction.from_spec("train[50%:]+test").to_absolute(
        {"train": 10, "test": 3}
    )
    assert (first.splitname, first.from_, first.to, second.splitname, second.to) == (
        "train",
        5,
        10,
        "test",
        3,
    )
    assert splits["train"].file_instructions == [
        {"filename": "d-train-00000-of-00002.arrow", "skip": 0, "take": -1},
        {"filename": "d-train-00001-of-00002.arrow", "skip": 0, "take": -1},
    ]
    part = splits["train[50%:70%]+test[:1]"]
    assert part.num_examples == 3
    assert part.file_instructions == [
        {"filename": "d-train-00000-of-00002.arrow", "skip": 5, "take": -1},
        {"filename": "d-train-00001-of-00002.arrow", "skip": 0, "take": 1},
        {"filename": "d-test.arrow", "skip": 0, "take": 1},
    ]
    assert Split.ALL.get_read_instruction(splits).to_spec() == "train+test"
    with pytest.raises(ValueError, match='Unknown split "none"'):
        NamedSplit("none").get_read_instruction(splits)


def test_methods_of_dicts_know_their_arguments(tmp_path):
    rows = DatasetDict(
        {"train": Dataset.from_dict({"a": [2, 1]}), "test": Dataset.from_dict({"a": [3]})}
    )
    streams = IterableDatasetDict({name: ds.to_iterable_dataset() for name, ds in rows.items()})
    for made in (rows, streams):
        named = made.map(lambda row, split: {"b": f"{split}{row['a']}"}, with_split=True)
        assert type(named) is type(made)
        assert [list(ds["b"]) for ds in named.values()] == [["train2", "train1"], ["test3"]]
        assert [
            list(ds["c"]) for ds in made.rename_columns(column_mapping={"a": "c"}).values()
        ] == [[2, 1], [3]]
        with pytest.raises(TypeError, match="column_names"):
            made.remove_columns(column="a")
    assert list(rows.sort("a", True)["train"]["a"]) == [2, 1]
    files = {name: str(tmp_path / f"{name}.arrow") for name in rows}
    rows.map(lambda row: {"b": row["a"]}, cache_file_names=files)
    assert sorted(path.name for path in tmp_path.glob("*.arrow")) == ["test.arrow", "train.arrow"]
    assert rows.with_format("numpy", columns=["a"], output_all_columns=True, dtype="int8")[
        "train"
    ].format == {
        "type": "numpy",
        "columns": ["a"],
        "output_all_columns": True,
        "format_kwargs": {"dtype": "int8"},
    }


def test_a_frame_of_spark():
    """By the two methods that are called of it: Spark itself needs Java."""

    class Row(dict):
        def asDict(self, recursive):  # noqa: N802
            return dict(self)

    class Frame:
        def toLocalIterator(self):  # noqa: N802
            return iter([Row(a=1), Row(a=2)])

        def toArrow(self):  # noqa: N802
            return Dataset.from_dict({"a": [1, 2]}).data.table

    assert (
        list(IterableDataset.from_spark(Frame()))
        == list(Dataset.from_spark(Frame(), split="train"))
        == [{"a": 1}, {"a": 2}]
    )


def test_what_is_experimental_says_so():
    with pytest.warns(UserWarning, match="'thing' is experimental"):
        assert experimental(thing)(3) == 3


def thing(x):
    return x
