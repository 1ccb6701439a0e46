"""Builders: a user's own classes, as streams and as files, and what there is to load without loading it."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import rowstream
from rowstream import (
    ArrowBasedBuilder,
    BuilderConfig,
    DatasetInfo,
    Features,
    GeneratorBasedBuilder,
    NamedSplit,
    ReadInstruction,
    Split,
    SplitGenerator,
    Value,
    exceptions,
    get_dataset_config_info,
    get_dataset_config_names,
    get_dataset_default_config_name,
    get_dataset_infos,
    get_dataset_split_names,
    load_dataset,
    load_dataset_builder,
)
from rowstream.builder import InvalidConfigName, Key
from rowstream.splits import SplitInfo


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setattr(rowstream.config, "HF_DATASETS_CACHE", tmp_path / "cache")


class Files(GeneratorBasedBuilder):
    """Lines of files, which are shards."""

    def _info(self):
        return DatasetInfo(features=Features({"file": Value("int32"), "n": Value("int64")}))

    def _split_generators(self, dl_manager):
        return [
            SplitGenerator(Split.TRAIN, {"files": [1, 2, 3, 4]}),
            SplitGenerator("test", {"files": [5]}),
        ]

    def _generate_examples(self, files):
        for at, file in enumerate(files):
            for i in range(10 * file):
                yield Key(at, i), {"file": file, "n": i}


class Tables(ArrowBasedBuilder):
    def _info(self):
        return DatasetInfo(features=Features({"file": Value("int32"), "n": Value("int64")}))

    _split_generators = Files._split_generators

    def _generate_tables(self, files):
        for at, file in enumerate(files):
            yield Key(at, 0), pa.table({"file": [file] * (10 * file), "n": list(range(10 * file))})


class Untyped(Files):
    def _info(self):
        return DatasetInfo()


class Fails(Files):
    def _generate_examples(self, files):
        yield 0, {"file": 1, "n": 1}
        raise LookupError("of the user's own")


ROWS = [{"file": file, "n": i} for file in (1, 2, 3, 4) for i in range(10 * file)]


@pytest.mark.parametrize("of", [Files, Tables, Untyped])
@pytest.mark.parametrize(
    "how",
    [
        {},
        {"num_proc": 2},
        {"num_proc": 9},
        {"max_shard_size": 1},
        {"num_proc": 2, "max_shard_size": 1},
    ],
    ids=lambda how: "-".join(how),
)
def test_the_same_rows_however_they_are_made(of, how, tmp_path):
    builder = of(cache_dir=str(tmp_path), writer_batch_size=7)
    builder.download_and_prepare(**how)
    ds = builder.as_dataset("train")
    assert ds.to_list() == ROWS
    assert builder.info.splits["train"].num_examples == 100
    assert builder.info.splits["train"].num_bytes == ds.data.nbytes
    assert sum(builder.info.splits["train"].shard_lengths or [100]) == 100
    assert builder.as_dataset("train+test").num_rows == 150
    assert builder.as_dataset("train[10:12]").to_list() == ROWS[10:12]
    assert list(of(cache_dir=str(tmp_path)).as_streaming_dataset("train")) == ROWS
    builder.download_and_prepare(str(tmp_path / "out"), file_format="parquet", **how)
    files = sorted((tmp_path / "out").glob("*-train*.parquet"))
    assert [row for file in files for row in pq.read_table(file).to_pylist()] == ROWS
    with pytest.raises(exceptions.FileFormatError, match="arrow"):
        builder.as_dataset()


@pytest.mark.parametrize("builder", [Files, Tables])
@pytest.mark.parametrize(
    "split",
    [
        "train[:7]",
        "train[10:15]",
        "train[-3:]",
        "train[:10%]",
        "train[95%:]+test[2:4]",
        "test+train",
    ],
)
def test_splits_of_streams_are_those_of_map_style(builder, split):
    rows = load_dataset(builder, split=split).to_list()
    assert load_dataset(builder, split=split, streaming=True).to_list() == rows
    several = load_dataset(builder, split=[split, "test"], streaming=True)
    assert [one.to_list() for one in several] == [
        rows,
        load_dataset(builder, split="test").to_list(),
    ]
    with pytest.raises(ValueError, match="Bad split: none"):
        load_dataset(builder, split="none[:3]", streaming=True)


def test_names_of_splits_are_checked():
    for name in ("train-1", "a b", "-"):
        with pytest.raises(ValueError, match="Split name should match"):
            NamedSplit(name)
        with pytest.raises(ValueError, match="Split name should match"):
            ReadInstruction.from_spec(name)
    with pytest.raises(ValueError, match="rounding is one of"):
        ReadInstruction("train", to=10, unit="%", rounding="foo")
    assert str(NamedSplit("train+test[:10%]")) == "train+test[:10%]"


def test_configurations_of_a_missing_folder_are_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match="no format, folder or file"):
        get_dataset_config_names(str(tmp_path / "none"))


def test_files_in_missing_folders_are_not_written(tmp_path, capfd):
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        rowstream.write_jsonl(tmp_path / "none" / "rows.jsonl", [{"a": 1}])
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        DatasetInfo(license="a").write_to_directory(tmp_path / "none")
    assert capfd.readouterr().err == ""


def test_a_stream_of_a_builder_has_shards_and_goes_on():
    ds = load_dataset(Files, split="train", streaming=True)
    assert ds.num_shards == 4
    assert ds.features == Features({"file": Value("int32"), "n": Value("int64")})
    rows = iter(ds.shuffle(seed=3, buffer_size=20))
    shuffled = ds.shuffle(seed=3, buffer_size=20)
    rows = iter(shuffled)
    first = [next(rows) for _ in range(33)]
    state = shuffled.state_dict()
    again = ds.shuffle(seed=3, buffer_size=20)
    again.load_state_dict(state)
    assert sorted(first + list(again), key=str) == sorted(ROWS, key=str)
    both = load_dataset(Files, split="train+test", streaming=True)
    assert len(list(both)) == 150
    assert list(load_dataset(Files, streaming=True)) == ["train", "test"]
    with pytest.raises(ValueError, match="Bad split: dev"):
        load_dataset(Files, split="dev", streaming=True)
    with pytest.raises(ValueError, match="Unknown split"):
        load_dataset(Files, split="dev")


def test_lists_that_are_no_shards(tmp_path):
    class Two(Files):
        def _split_generators(self, dl_manager):
            return [SplitGenerator("train", {"files": [1, 2], "names": ["a", "b", "c"]})]

        def _generate_examples(self, files, names):
            yield 0, {"file": len(files), "n": len(names)}

    builder = Two(cache_dir=str(tmp_path))
    assert list(builder.as_streaming_dataset("train")) == [{"file": 2, "n": 3}]
    with pytest.raises(RuntimeError, match="names"):
        builder.download_and_prepare(num_proc=2)
    builder.download_and_prepare()
    assert builder.as_dataset("train").to_list() == [{"file": 2, "n": 3}]


@pytest.mark.parametrize("num_proc", [None, 2])
def test_an_error_comes_through_and_leaves_nothing(tmp_path, num_proc):
    builder = Fails(cache_dir=str(tmp_path))
    with pytest.raises(exceptions.DatasetGenerationError, match="LookupError: of the user's own"):
        builder.download_and_prepare(num_proc=num_proc)
    with pytest.raises(FileNotFoundError, match="download_and_prepare"):
        builder.as_dataset()
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_what_is_made_is_kept_until_its_code_changes(tmp_path):
    made = []

    class Counted(Files):
        def _generate_examples(self, files):
            made.append(files)
            yield 0, {"file": 1, "n": 1}

    first = load_dataset(Counted, cache_dir=str(tmp_path), split="train")
    assert (
        load_dataset(Counted, cache_dir=str(tmp_path), split="train").to_list() == first.to_list()
    )
    assert len(made) == 2  # both splits, once
    load_dataset(Counted, cache_dir=str(tmp_path), download_mode="force_redownload")
    assert len(made) == 4
    # Another class of the same module and name: what the first made is not taken for what it makes.

    class Counted(Files):
        def _generate_examples(self, files):
            yield 0, {"file": 2, "n": 2}

    assert load_dataset(Counted, cache_dir=str(tmp_path), split="train").to_list() == [
        {"file": 2, "n": 2}
    ]


def test_what_lies_in_a_folder_that_is_named_stays(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    builder = Files(cache_dir=str(tmp_path))
    for _ in range(2):
        builder.download_and_prepare(str(tmp_path / "out"), download_mode="force_redownload")
        assert builder.as_dataset("train").to_list() == ROWS
    assert (tmp_path / "out" / "mine.txt").read_text() == "mine"
    assert not list(tmp_path.glob(".rowstream*"))


def test_splits_are_checked(tmp_path):
    info = DatasetInfo(
        splits={
            "train": SplitInfo("train", num_examples=99),
            "test": SplitInfo("test", num_examples=50),
        }
    )
    builder = Files(
        cache_dir=str(tmp_path),
        info=info,
        features=Features({"file": Value("int32"), "n": Value("int64")}),
    )
    with pytest.raises(exceptions.NonMatchingSplitsSizesError, match="no_checks"):
        builder.download_and_prepare()
    builder.download_and_prepare(verification_mode="no_checks")
    assert builder.as_dataset("train").num_rows == 100
    for splits, error in (
        ({"train": 100}, exceptions.UnexpectedSplitsError),
        ({"dev": 1}, exceptions.ExpectedMoreSplitsError),
    ):
        info = DatasetInfo(
            splits={name: SplitInfo(name, num_examples=n) for name, n in splits.items()}
        )
        with pytest.raises(error):
            Files(cache_dir=str(tmp_path / "b"), info=info).download_and_prepare()


def test_downloads_are_checked(tmp_path):
    (tmp_path / "a.txt").write_text("hello")

    class Downloads(Files):
        def _split_generators(self, dl_manager):
            self.path = dl_manager.download("a.txt")
            return [SplitGenerator("train", {"path": self.path})]

        def _generate_examples(self, path):
            yield 0, {"file": 1, "n": len(Path(path).read_text())}

    builder = Downloads(cache_dir=str(tmp_path / "c"), base_path=str(tmp_path))
    builder._record_checksums = True
    builder.download_and_prepare(verification_mode="all_checks")
    assert builder.as_dataset("train").to_list() == [{"file": 1, "n": 5}]
    sums = builder.info.download_checksums
    assert [one["num_bytes"] for one in sums.values()] == [5]
    (tmp_path / "a.txt").write_text("hallo")
    again = Downloads(
        cache_dir=str(tmp_path / "d"),
        base_path=str(tmp_path),
        info=DatasetInfo(download_checksums=sums),
    )
    with pytest.raises(exceptions.NonMatchingChecksumError, match="Checksums"):
        again.download_and_prepare(verification_mode="all_checks")
    with pytest.raises(exceptions.DataFilesNotFoundError):
        Downloads(
            cache_dir=str(tmp_path / "e"), base_path=str(tmp_path / "nowhere")
        ).download_and_prepare()


def test_configurations(tmp_path):
    class Sized(BuilderConfig):
        def __init__(self, size=1, **kwargs):
            super().__init__(**kwargs)
            self.size = size

    class Several(Files):
        BUILDER_CONFIG_CLASS = Sized
        BUILDER_CONFIGS = [
            Sized(name="small", size=1),
            Sized(name="large", size=3, version="2.0.0"),
        ]

        def _generate_examples(self, files):
            for i in range(self.config.size):
                yield i, {"file": i, "n": i}

    with pytest.raises(ValueError, match=r"pick one among the available configs.*small.*large"):
        Several()
    with pytest.raises(ValueError, match="'huge' not found"):
        Several(config_name="huge")
    with pytest.raises(ValueError, match="'depth'"):
        Several(config_name="small", depth=1)
    assert load_dataset(Several, "large", split="train").num_rows == 3
    assert load_dataset(Several, "large", split="train", size=2).num_rows == 2
    assert Several(config_name="large").cache_dir.endswith("large/2.0.0")
    assert Several(config_name="large", size=2).cache_dir.endswith("large-size=2/2.0.0")
    assert Several(config_name="large").info.config_name == "large"
    with pytest.raises(InvalidConfigName, match="Bad characters"):
        BuilderConfig(name="a/b")
    with pytest.raises(ValueError, match="DataFilesDict"):
        BuilderConfig(data_files="a.txt")
    with pytest.raises(ValueError, match="subclass of DatasetBuilder"):
        load_dataset(dict)


def test_a_builder_of_files(tmp_path):
    (tmp_path / "data").mkdir()
    for split, n in (("train", 3), ("test", 2)):
        (tmp_path / "data" / f"{split}.jsonl").write_text(
            "".join(json.dumps({"a": i}) + "\n" for i in range(n))
        )
    path = str(tmp_path / "data")
    builder = load_dataset_builder(path)
    assert builder.info.features == Features({"a": Value("int64")})
    assert {
        split: [Path(file).name for file in files]
        for split, files in builder.config.data_files.items()
    } == {
        "train": ["train.jsonl"],
        "test": ["test.jsonl"],
    }
    assert pickle.loads(pickle.dumps(builder)).cache_dir == builder.cache_dir
    builder.download_and_prepare()
    assert builder.info.splits["train"].num_examples == 3
    assert builder.as_dataset("train").to_list() == [{"a": 0}, {"a": 1}, {"a": 2}]
    assert builder.as_dataset("train").cache_files == load_dataset(path, split="train").cache_files
    assert list(builder.as_streaming_dataset("test")) == [{"a": 0}, {"a": 1}]
    builder.download_and_prepare(str(tmp_path / "out"), file_format="parquet")
    assert load_dataset(str(tmp_path / "out"), split="test").to_list() == [{"a": 0}, {"a": 1}]
    assert get_dataset_split_names(path) == ["train", "test"]
    assert (get_dataset_config_names(path), get_dataset_default_config_name(path)) == (
        ["default"],
        "default",
    )
    assert get_dataset_config_info(path).features == builder.info.features
    assert list(get_dataset_infos(path)) == ["default"]
    old = load_dataset_builder(path).cache_dir
    (tmp_path / "data" / "train.jsonl").write_text('{"a": 100}\n')
    assert load_dataset_builder(path).cache_dir != old


READ_IN_PYTHON = {
    "conll": ("a.conll", "a\nb\n\nc\n\n", {}),
    "xml": ("a.xml", "<a/>", {}),
    "csv": ("a.csv", "x;;y\n1;;a\n2;;b\n", {"sep": ";;"}),
}


@pytest.mark.parametrize("name", READ_IN_PYTHON)
def test_a_builder_of_what_is_read_in_python(name, tmp_path):
    file, text, options = READ_IN_PYTHON[name]
    path = tmp_path / file
    path.write_text(text)
    given = {"data_files": str(path), "cache_dir": str(tmp_path / "cache"), **options}
    builder = rowstream.load_dataset_builder(name, **given)
    ds = rowstream.load_dataset(name, split="train", **given)
    assert (builder.name, ds.builder_name) == (name, name)
    assert builder.info.features == ds.features
    builder.download_and_prepare()
    assert [*builder.as_dataset("train")] == [*builder.as_streaming_dataset("train")] == [*ds]
    assert builder.info.splits["train"].num_examples == ds.info.splits["train"].num_examples
    assert ds.info.splits["train"].num_examples == len(ds)
    again = rowstream.load_dataset_builder(name, **given)
    again.download_and_prepare(str(tmp_path / "out"), file_format="parquet")
    (written,) = (tmp_path / "out").glob("*.parquet")
    assert [*rowstream.Dataset.from_parquet(str(written))] == [*ds]


def test_a_builder_of_a_folder_of_media(tmp_path):
    from PIL import Image

    for label in ("cat", "dog"):
        (tmp_path / "in" / label).mkdir(parents=True)
        Image.new("RGB", (4, 4)).save(tmp_path / "in" / label / "a.png")
    builder = rowstream.load_dataset_builder("imagefolder", data_dir=str(tmp_path / "in"))
    assert builder.info.features["label"].names == ["cat", "dog"]
    builder.download_and_prepare()
    assert builder.as_dataset("train")["label"][:] == [0, 1]
    assert builder.info.splits["train"].num_examples == 2


def test_a_file_that_is_downloaded_anew_is_read_anew(tmp_path):
    path = tmp_path / "a.xml"
    path.write_text("<a/>")
    os.utime(path, ns=(1, 1))
    given = {"data_files": str(path), "split": "train", "cache_dir": str(tmp_path / "cache")}
    assert rowstream.load_dataset("xml", **given)["xml"][:] == ["<a/>"]
    path.write_text("<b/>")
    os.utime(path, ns=(1, 1))
    anew = rowstream.load_dataset("xml", download_mode="force_redownload", **given)
    assert anew["xml"][:] == ["<b/>"]


def test_options_of_csv_that_only_pandas_has(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("x;;y\n007;;a\n008;;\ntotal\n")
    options = {"sep": ";;", "skipfooter": 1}
    features = rowstream.Features({"x": rowstream.Value("string"), "y": rowstream.Value("string")})
    rows = [{"x": "007", "y": "a"}, {"x": "008", "y": None}]
    assert [*rowstream.Dataset.from_csv(str(path), features=features, **options)] == rows
    given = {"data_files": str(path), "split": "train", "streaming": True, **options}
    assert [*rowstream.load_dataset("csv", features=features, **given)] == rows
    assert [*rowstream.load_dataset("csv", columns=["y"], **given)] == [{"y": "a"}, {"y": None}]
    (tmp_path / "b.csv").write_text("1,2\n3,4\n")
    assert rowstream.Dataset.from_csv(str(tmp_path / "b.csv"), header=None)[:] == {
        "0": [1, 3],
        "1": [2, 4],
    }
    with pytest.raises(rowstream.exceptions.UnsupportedError, match=r"filters= does not go"):
        rowstream.load_dataset("csv", filters=[("x", "==", 7)], **given)
    with pytest.raises(rowstream.exceptions.InvalidArgumentError, match="no option 'prefix'"):
        rowstream.load_dataset("csv", prefix="X", **given)
    with pytest.raises(rowstream.exceptions.UnsupportedError, match="only pandas reads this"):
        rowstream.IterableDataset.from_csv(str(path), sep=";;")
