"""Edges at which `datasets` is the oracle: what it does with odd names, kinds and labels."""

from __future__ import annotations

import gc

import datasets
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import rowstream
from rowstream.exceptions import DatasetGenerationError, SchemaError

BOTH = pytest.mark.parametrize("of", [datasets, rowstream], ids=["datasets", "rowstream"])


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


@pytest.mark.parametrize("streaming", [False, True])
def test_lines_by_another_name(streaming):
    with open("a.txt", "w") as file:
        file.write("x\ny\n")
    ds = rowstream.load_dataset(
        "text",
        data_files="a.txt",
        split="train",
        streaming=streaming,
        features=rowstream.Features({"line": rowstream.Value("string")}),
    )
    assert [*ds] == [{"line": "x"}, {"line": "y"}]


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("kind", ["csv", "json", "parquet"])
def test_features_that_name_other_columns(kind, streaming):
    table = pd.DataFrame({"a": [1], "b": [2]})
    write = {
        "csv": lambda: table.to_csv("a.csv", index=False),
        "json": lambda: table.to_json("a.json", orient="records", lines=True),
        "parquet": lambda: table.to_parquet("a.parquet"),
    }
    write[kind]()

    def read(**features):
        return [
            *rowstream.load_dataset(
                kind,
                data_files=f"a.{kind}",
                split="train",
                streaming=streaming,
                features=rowstream.Features(
                    {name: rowstream.Value(of) for name, of in features.items()}
                ),
            )
        ]

    with pytest.raises(SchemaError, match="c"):
        read(a="int64", c="int64")
    # What no file has beside all that they have is missing, as in files of several times.
    assert read(a="int64", b="int64", c="int64") == [{"a": 1, "b": 2, "c": None}]


def test_columns_that_parquet_lacks():
    pq.write_table(pa.table({"a": [1, 2]}), "a.parquet")
    features = {"a": "int8", "x": "int8"}
    rows = [
        of.load_dataset(
            "parquet",
            data_files="a.parquet",
            split="train",
            features=of.Features({name: of.Value(kind) for name, kind in features.items()}),
        )[:]
        for of in (datasets, rowstream)
    ]
    assert rows[0] == rows[1] == {"a": [1, 2], "x": [None, None]}


@pytest.mark.parametrize(
    "rows",
    [
        [{"m": [{"r": "u", "c": "x"}]}, {"m": [{"r": "u", "c": ["x", 1]}]}],
        [{"a": 1}, {"a": "x"}],
        [{"m": {"a": 1}}, {"m": {"b": 2}}],
    ],
)
def test_values_of_several_types_from_a_generator(rows):
    made = [of.Dataset.from_generator(lambda: iter(rows)) for of in (datasets, rowstream)]
    assert made[0][:] == made[1][:]
    assert repr(made[0].features) == repr(made[1].features)


@BOTH
def test_a_named_index_is_a_column(of):
    ds = of.Dataset.from_dict({"g": ["u", "v", "u"], "n": [1, 2, 3]}).with_format("pandas")
    made = ds.map(lambda frame: frame.groupby("g")[["n"]].sum(), batched=True)
    assert made.with_format(None)[:] == {"n": [4, 2], "g": ["u", "v"]}


@BOTH
def test_truths_are_no_positions(of):
    with pytest.raises(TypeError):
        of.Dataset.from_dict({"a": [1, 2]})[True]


@BOTH
def test_labels_that_a_loss_ignores(of):
    ds = of.Dataset.from_dict({"a": [-100, 1]})
    assert ds.cast_column("a", of.ClassLabel(names=["x", "y"]))["a"][:] == [-100, 1]


@BOTH
def test_a_configuration_of_files_has_any_name(of):
    with open("a.json", "w") as file:
        file.write('{"a":1}\n')
    assert of.load_dataset("json", "mine", data_files="a.json", split="train")[:] == {"a": [1]}


@BOTH
def test_errors_of_generators(of):
    def rows():
        yield {"a": 1 // 0}

    with pytest.raises((DatasetGenerationError, datasets.exceptions.DatasetGenerationError)) as e:
        of.Dataset.from_generator(rows)
    assert isinstance(e.value.__cause__, ZeroDivisionError)
    with pytest.raises(TypeError, match="generator must be callable"):
        of.Dataset.from_generator("text")


def test_columns_of_several_lengths():
    ds = rowstream.Dataset.from_dict({"a": [1, 2], "b": [1, 2]})
    with pytest.raises(pa.ArrowInvalid, match="expected length"):
        ds.map(lambda batch: {"a": [1]}, batched=True)


@BOTH
def test_versions_as_keys(of):
    assert hash(of.Version("1.0.0")) == hash("1.0.0")


def test_structures_of_hdf5():
    h5py = pytest.importorskip("h5py")
    kind = np.dtype(
        [("at", [("x", "i4"), ("y", "i4")]), ("wave", "c8"), ("waves", "c8", (2, 3))],
    )
    value = ((1, 2), 1 + 2j, np.arange(6).reshape(2, 3) * 1j)
    with h5py.File("a.h5", "w") as file:
        file["rows"] = np.array([value, value], kind)
        file["empty"] = np.zeros((2, 0, 3), "f4")
        file["waves"] = np.arange(8).reshape(2, 2, 2) * (1 + 1j)
    made = [
        of.load_dataset("hdf5", data_files="a.h5", split="train") for of in (datasets, rowstream)
    ]
    assert repr(made[0].features) == repr(made[1].features)
    assert made[0][:] == made[1][:]


def test_hdf5_of_several_lengths():
    h5py = pytest.importorskip("h5py")
    with h5py.File("a.h5", "w") as file:
        file["five"], file["three"] = np.arange(5), np.arange(3)
    with pytest.raises(DatasetGenerationError) as error:
        rowstream.load_dataset("hdf5", data_files="a.h5", split="train")
    assert "3 but expected 5" in str(error.value.__cause__)
    features = rowstream.Features({"five": rowstream.Value("int64")})
    ds = rowstream.load_dataset("hdf5", data_files="a.h5", split="train", features=features)
    assert ds["five"][:] == [*range(5)]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_documents_that_functions_return():
    pytest.importorskip("pdfplumber")
    import PIL.Image

    PIL.Image.new("RGB", (50, 50)).save("a.pdf")
    features = rowstream.Features({"x": rowstream.Pdf()})
    ds = rowstream.Dataset.from_dict({"x": ["a.pdf"]}, features=features)
    made = ds.map(lambda row: {**row, "z": 1})
    assert made.features["x"] == rowstream.Pdf()
    assert len(made[0]["x"].pages) == 1
    # Documents that nobody closed, here and not in another test.
    gc.collect()


def test_metadata_in_two_files():
    import PIL.Image

    PIL.Image.new("RGB", (2, 2)).save("a.png")
    with open("metadata.csv", "w") as file:
        file.write("file_name,n\na.png,1\n")
    with open("metadata.jsonl", "w") as file:
        file.write('{"file_name":"a.png","n":1}\n')
    with pytest.raises(SchemaError, match="different extensions"):
        rowstream.load_dataset("imagefolder", data_dir=".", split="train")


def test_sounds_whose_length_is_known_at_their_end():
    sound = pytest.importorskip("soundfile")
    wave = np.sin(np.arange(4000) / 20).astype("f4") / 2
    sound.write("a.wav", wave, 8000, subtype="GSM610")
    ds = rowstream.Dataset.from_dict({"a": ["a.wav"]}).cast_column("a", rowstream.Audio())
    expected, _ = sound.read("a.wav", dtype="float32")
    assert np.array_equal(ds[0]["a"]["array"], expected)
