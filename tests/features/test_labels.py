"""Names of labels in files and in memory: integers in rows, in streams as in map-style data sets."""

from __future__ import annotations

import json
from itertools import islice

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import rowstream
from rowstream import ClassLabel, Features, IterableDataset, List, Value, load_dataset

ERRORS = (ValueError, TypeError, rowstream.exceptions.RowstreamError)


@pytest.fixture(autouse=True)
def _quiet(tmp_path, monkeypatch):
    monkeypatch.setattr(rowstream.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    rowstream.disable_progress_bars()
    yield
    rowstream.enable_progress_bars()


LABEL = ClassLabel(names=["no", "yes"])
IDS = {"no": 0, "yes": 1}


def lines(values):
    return "".join(json.dumps({"y": value}) + "\n" for value in values)


def arrow_file(table, path):
    with pa.ipc.new_stream(str(path), table.schema) as writer:
        writer.write_table(table)


FILES = {
    "jsonl": ("json", lambda path, values: path.write_text(lines(values))),
    "array": ("json", lambda path, values: path.write_text(json.dumps([{"y": value} for value in values]))),
    "csv": ("csv", lambda path, values: path.write_text("y,z\n" + "".join(f"{'' if v is None else v},1\n" for v in values))),
    "parquet": ("parquet", lambda path, values: pq.write_table(pa.table({"y": values}), path)),
    "parquet, large text": ("parquet", lambda path, values: pq.write_table(pa.table({"y": pa.array(values, pa.large_string())}), path)),
    "parquet, dictionary": ("parquet", lambda path, values: pq.write_table(pa.table({"y": pa.array(values).dictionary_encode()}), path)),
    "arrow": ("arrow", lambda path, values: arrow_file(pa.table({"y": values}), path)),
    "arrow, dictionary": ("arrow", lambda path, values: arrow_file(pa.table({"y": pa.array(values).dictionary_encode()}), path)),
}


def read(kind, values, how, tmp_path, of=LABEL, streaming=True):
    format, write = FILES[kind]
    path = tmp_path / f"a.{ {'jsonl': 'jsonl', 'array': 'json'}.get(kind, format) }".replace(" ", "")
    write(path, values)
    features = {"y": of, "z": Value("int64")} if kind == "csv" else {"y": of}
    given = {"features": Features(features)} if how == "features" else {}
    ds = load_dataset(format, data_files=str(path), split="train", streaming=streaming, **given)
    return ds if given else ds.cast_column("y", of) if how == "cast_column" else ds.cast(Features(features))


@pytest.mark.parametrize("streaming", [True, False])
@pytest.mark.parametrize("how", ["features", "cast_column", "cast"])
@pytest.mark.parametrize("values", [["yes", "no", None], ["no"], ["1", "0"]], ids=["names", "one", "numbers as text"])
@pytest.mark.parametrize("kind", FILES)
def test_names_of_labels_are_taken(kind, values, how, streaming, tmp_path):
    """In streams as in map-style data sets, of every format."""
    ds = read(kind, values, how, tmp_path, streaming=streaming)
    assert [row["y"] for row in ds] == [None if v is None else IDS[v] if v in IDS else int(v) for v in values]
    assert ds.features["y"] == LABEL


@pytest.mark.parametrize("how", ["features", "cast_column"])
@pytest.mark.parametrize("kind", FILES)
def test_what_is_no_name_is_an_error_that_says_it(kind, how, tmp_path):
    """The value and the column."""
    with pytest.raises(ERRORS, match=r"(?s)maybe"):
        list(read(kind, ["no", "maybe"], how, tmp_path))


@pytest.mark.parametrize("how", ["features", "cast_column"])
@pytest.mark.parametrize("kind", ["jsonl", "array", "csv", "parquet", "arrow"])
def test_integers_are_labels_still(kind, how, tmp_path):
    """Those that are in range."""
    format, write = FILES[kind]
    path = tmp_path / "a"
    write(path, [1, 0, 1])
    features = Features({"y": LABEL, "z": Value("int64")} if kind == "csv" else {"y": LABEL})
    ds = load_dataset(format, data_files=str(path), split="train", streaming=True, **({"features": features} if how == "features" else {}))
    assert [row["y"] for row in (ds if how == "features" else ds.cast_column("y", LABEL))] == [1, 0, 1]


NESTED = {
    "lists": (List(LABEL), [["no", "yes"], [], None], [[0, 1], [], None]),
    "objects": ({"l": LABEL}, [{"l": "yes"}, {"l": None}, None], [{"l": 1}, {"l": None}, None]),
    "lists of objects": (List({"l": LABEL}), [[{"l": "yes"}], []], [[{"l": 1}], []]),
}


@pytest.mark.parametrize("streaming", [True, False])
@pytest.mark.parametrize("how", ["features", "cast_column"])
@pytest.mark.parametrize("kind", ["jsonl", "array", "parquet", "arrow"])
@pytest.mark.parametrize("nested", NESTED)
def test_labels_inside_lists_and_objects(nested, kind, how, streaming, tmp_path):
    """Wherever the type is."""
    of, values, expected = NESTED[nested]
    assert [row["y"] for row in read(kind, values, how, tmp_path, of=of, streaming=streaming)] == expected


STREAMS = {
    "from_dict": lambda values: IterableDataset.from_dict({"y": values}, features=Features({"y": LABEL})),
    "from_list": lambda values: IterableDataset.from_list([{"y": v} for v in values], features=Features({"y": LABEL})),
    "from_pandas": lambda values: IterableDataset.from_pandas(pd.DataFrame({"y": values}), features=Features({"y": LABEL})),
    "from_generator": lambda values: IterableDataset.from_generator(lambda: ({"y": v} for v in values), features=Features({"y": LABEL})),
    "map": lambda values: IterableDataset.from_dict({"i": list(range(len(values)))}).map(
        lambda row: {"y": values[row["i"]]}, remove_columns="i", features=Features({"y": LABEL})
    ),
}


@pytest.mark.parametrize("format", [None, "numpy", "arrow"])
@pytest.mark.parametrize("road", STREAMS)
def test_names_of_labels_in_streams_of_what_is_in_memory(road, format):
    """And of what functions and generators give: integers in rows, batches and tables."""
    ds = STREAMS[road](["yes", "no", "yes"]).with_format(format)
    assert ds.features == Features({"y": LABEL})
    assert [row["y"][0].as_py() if format == "arrow" else int(row["y"]) for row in ds] == [1, 0, 1]
    (batch,) = ds.iter(3)
    assert [int(one.as_py() if format == "arrow" else one) for one in batch["y"]] == [1, 0, 1]


def test_labels_of_a_text_file_and_of_a_shuffled_resumed_stream(tmp_path):
    """They are part of reading: shuffles, cuts and states are those of files."""
    (tmp_path / "a.txt").write_text("".join(["no\n", "yes\n"][i % 3 == 0] for i in range(30)))
    ds = load_dataset("text", data_files=str(tmp_path / "a.txt"), split="train", streaming=True, features=Features({"text": LABEL}))
    assert [row["text"] for row in ds] == [int(i % 3 == 0) for i in range(30)]
    shuffled = ds.shuffle(seed=1, buffer_size=7)
    rows = iter(shuffled)
    first = [next(rows) for _ in range(11)]
    state = shuffled.state_dict()
    assert len(json.dumps(state)) < 4096
    again = ds.shuffle(seed=1, buffer_size=7)
    again.load_state_dict(state)
    assert sorted(row["text"] for row in [*first, *again]) == [0] * 20 + [1] * 10
    assert ds.take(2).features["text"] == LABEL


@pytest.mark.parametrize("streaming", [True, False])
def test_names_of_a_card_are_taken(streaming, tmp_path):
    """What a card says of files is as good as features=."""
    (tmp_path / "data.jsonl").write_text(lines(["yes", "no", None]))
    features = "[{name: y, dtype: {class_label: {names: {'0': 'no', '1': 'yes'}}}}]"
    (tmp_path / "README.md").write_text(f"---\ndataset_info:\n  features: {features}\n---\n")
    ds = load_dataset(str(tmp_path), split="train", streaming=streaming)
    assert [row["y"] for row in ds] == [1, 0, None]
    assert ds.features["y"] == LABEL


def test_labels_stay_where_rows_are_chosen_cut_and_written(tmp_path):
    """Columns chosen, parts of splits, splits together, locks, batches, files."""
    for name in ("train", "test"):
        (tmp_path / f"{name}.csv").write_text("y,i\n" + "".join(f"{'yes' if i % 3 else 'no'},{i}\n" for i in range(12)))
    features = Features({"y": LABEL, "i": Value("int64")})
    files = {name: str(tmp_path / f"{name}.csv") for name in ("train", "test")}
    load = lambda split, **named: load_dataset("csv", data_files=files, split=split, streaming=True, **named)  # noqa: E731
    rows = [{"y": int(bool(i % 3)), "i": i} for i in range(12)]
    ds = load("train", features=features)
    assert list(ds) == rows
    assert ds.features == features
    assert list(load("train[3:5]", features=features)) == rows[3:5]
    assert list(load("train+test", features=features)) == [*rows, *rows]
    assert list(ds.select_columns("y").take(2)) == [{"y": 0}, {"y": 1}]
    assert list(ds.filter(lambda row: row["y"] == 0).skip(1)) == [rows[3], rows[6], rows[9]]
    assert sorted(row["i"] for row in ds.shuffle(seed=1)) == list(range(12))
    ds.lock(tmp_path / "a.lock")
    assert list(load_dataset(lock=str(tmp_path / "a.lock"), split="train")) == rows
    ds.to_parquet(tmp_path / "a.parquet")
    assert pq.read_table(tmp_path / "a.parquet").to_pylist() == rows
    (table,) = ds.with_format("arrow").iter(12)
    assert table.schema.field("y").type == pa.int64()


def test_a_resumed_stream_of_labels_goes_on(tmp_path):
    """A state says the place in the file."""
    (tmp_path / "a.jsonl").write_text(lines(["yes", "no", "no", "yes"] * 5))
    make = lambda: load_dataset(  # noqa: E731
        "json", data_files=str(tmp_path / "a.jsonl"), split="train", streaming=True, features=Features({"y": LABEL})
    )
    whole = [row["y"] for row in make()]
    for n in (0, 1, 7, 20):
        ds = make()
        head = [row["y"] for row in islice(ds, n)]
        again = make()
        again.load_state_dict(json.loads(json.dumps(ds.state_dict())))
        assert [*head, *(row["y"] for row in again)] == whole
