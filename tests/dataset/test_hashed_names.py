"""Names in hashes stay when code moves: results of the cache are found again."""

from __future__ import annotations

import inspect
import pickle
import typing

import pytest
import rowstream
from rowstream import (
    Audio,
    ClassLabel,
    Dataset,
    DatasetDict,
    DatasetInfo,
    Features,
    Image,
    IterableDatasetDict,
    List,
    NamedSplit,
    Value,
    col,
    interleave_datasets,
    load_dataset,
    load_from_disk,
    read_jsonl,
)
from rowstream.fingerprint import Hasher

LABEL = ClassLabel(names=["x", "y"])
DATA = {"a": [3, 1, 2, 0], "b": ["x", "y", "x", "y"]}
TRANSFORMED = {
    "e8809635561b4ec0": lambda ds: ds.add_column("c", [1, 2, 3, 4]),
    "78730307f6905350": lambda ds: ds.add_item({"a": 5, "b": "z"}),
    "66b3ac81b600acdf": lambda ds: ds.batch(2),
    "dc80c4c2451be0f2": lambda ds: ds.cast(Features({"a": Value("int32"), "b": Value("string")})),
    "a2852e79857af11d": lambda ds: ds.cast_column("a", Value("int8")),
    "378749eab58ea8ad": lambda ds: ds.class_encode_column("b"),
    "fb946aec15629ed9": lambda ds: ds.flatten(),
    "2d87f4f8340e9fe9": lambda ds: ds.select([2, 0]).flatten_indices(),
    "0eb5b1879d9f410e": lambda ds: ds.remove_columns("b"),
    "cccc8512e61aabe0": lambda ds: ds.rename_column("b", "c"),
    "c36144389a4ae3dc": lambda ds: ds.rename_columns({"b": "c"}),
    "97da79556d3ac02f": lambda ds: ds.select([2, 0]),
    "2c005ca692657d38": lambda ds: ds.select_columns(["b"]),
    "00f6ff5785a77c01": lambda ds: ds.shuffle(seed=1),
    "fd0b1556070e5f4a": lambda ds: ds.sort("a"),
    "b28b08bc922ea3d1": lambda ds: ds.train_test_split(0.5, seed=1)["test"],
    "b974d2938600e77a": lambda ds: ds.with_format("numpy"),
}
HASHED = {
    "51fb90372975f938": Features({"a": Value("int8")}),
    "f5ec21753b8126a9": LABEL,
    "4b938cf45f3ef3d2": LABEL.int2str,
    "be434061dc7d153b": [Image, Audio, List, Dataset, DatasetDict, NamedSplit],
    "f48b47335defda59": DatasetInfo(features=Features({"a": LABEL})),
    "62dcf9e81d66a4b6": (col("a") > 1) | col("b").isin(["x"]),
    "39142a6411ab1773": [load_dataset, read_jsonl, interleave_datasets],
}


@pytest.mark.parametrize("expected", TRANSFORMED)
def test_fingerprints_of_transforms_stay(expected):
    """The values are those of the first release of each method: a change of one loses caches."""
    assert TRANSFORMED[expected](Dataset.from_dict(DATA))._fingerprint == expected


@pytest.mark.parametrize("expected", HASHED)
def test_hashes_of_public_objects_stay(expected):
    assert Hasher.hash(HASHED[expected]) == expected


def test_a_saved_data_set_keeps_its_fingerprint(tmp_path):
    Dataset.from_dict({"a": [1]}).save_to_disk(tmp_path)
    assert load_from_disk(tmp_path)._fingerprint == "00a9ccdbcfc610e1"


def test_readers_of_files_give_plain_data_sets(tmp_path):
    """As in `datasets`: a subclass may be constructed from other arguments."""

    class Own(Dataset):
        def __init__(self, path):
            ds = self.from_json(path)
            super().__init__(ds.data, info=ds.info)

    class OwnDict(DatasetDict):
        def __init__(self, splits, name):
            super().__init__(splits)

    path = str(tmp_path / "rows.jsonl")
    rowstream.write_jsonl(path, [{"a": 1}, {"a": 2}])
    assert list(Own(path)["a"]) == [1, 2]
    assert type(Own.from_json(path)) is Dataset
    assert type(Own.from_generator(lambda: iter([{"a": 1}]))) is Dataset
    assert type(OwnDict.from_json({"train": path})) is DatasetDict
    Own(path).save_to_disk(tmp_path / "saved")
    assert type(Own.load_from_disk(tmp_path / "saved")) is Dataset


@pytest.mark.parametrize("of", [DatasetDict, IterableDatasetDict])
def test_methods_of_each_split_are_methods_of_their_class(of):
    assert of.map.__qualname__ == f"{of.__name__}.map"
    assert pickle.loads(pickle.dumps(of.map)) is of.map
    assert "with_split" in of.map.__doc__
    assert "cache_file_name:" not in of.map.__doc__


def test_annotations_of_public_functions_can_be_evaluated():
    """Command lines are made of them."""
    for name in rowstream.__all__:
        value = getattr(rowstream, name)
        members = [value] if inspect.isfunction(value) else []
        if inspect.isclass(value):
            members = [
                getattr(one, "__func__", one)
                for one in (
                    inspect.getattr_static(value, key) for key in dir(value) if key[0] != "_"
                )
            ]
        for member in filter(inspect.isfunction, members):
            typing.get_type_hints(member)
