"""Names of labels in files and in memory: integers in rows, in streams as in map-style data sets."""

from __future__ import annotations

import io
import json
import tarfile
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
    "array": (
        "json",
        lambda path, values: path.write_text(json.dumps([{"y": value} for value in values])),
    ),
    "csv": (
        "csv",
        lambda path, values: path.write_text(
            "y,z\n" + "".join(f"{'' if v is None else v},1\n" for v in values)
        ),
    ),
    "parquet": ("parquet", lambda path, values: pq.write_table(pa.table({"y": values}), path)),
    "parquet, large text": (
        "parquet",
        lambda path, values: pq.write_table(
            pa.table({"y": pa.array(values, pa.large_string())}), path
        ),
    ),
    "parquet, dictionary": (
        "parquet",
        lambda path, values: pq.write_table(
            pa.table({"y": pa.array(values).dictionary_encode()}), path
        ),
    ),
    "arrow": ("arrow", lambda path, values: arrow_file(pa.table({"y": values}), path)),
    "arrow, dictionary": (
        "arrow",
        lambda path, values: arrow_file(
            pa.table({"y": pa.array(values).dictionary_encode()}), path
        ),
    ),
}


def read(kind, values, how, tmp_path, of=LABEL, streaming=True):
    format, write = FILES[kind]
    path = tmp_path / f"a.{ {'jsonl': 'jsonl', 'array': 'json'}.get(kind, format) }".replace(
        " ", ""
    )
    write(path, values)
    features = {"y": of, "z": Value("int64")} if kind == "csv" else {"y": of}
    given = {"features": Features(features)} if how == "features" else {}
    ds = load_dataset(format, data_files=str(path), split="train", streaming=streaming, **given)
    return (
        ds
        if given
        else ds.cast_column("y", of)
        if how == "cast_column"
        else ds.cast(Features(features))
    )


@pytest.mark.parametrize("streaming", [True, False])
@pytest.mark.parametrize("how", ["features", "cast_column", "cast"])
@pytest.mark.parametrize(
    "values", [["yes", "no", None], ["no"], ["1", "0"]], ids=["names", "one", "numbers as text"]
)
@pytest.mark.parametrize("kind", FILES)
def test_names_of_labels_are_taken(kind, values, how, streaming, tmp_path):
    """In streams as in map-style data sets, of every format."""
    ds = read(kind, values, how, tmp_path, streaming=streaming)
    assert [row["y"] for row in ds] == [
        None if v is None else IDS[v] if v in IDS else int(v) for v in values
    ]
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
    ds = load_dataset(
        format,
        data_files=str(path),
        split="train",
        streaming=True,
        **({"features": features} if how == "features" else {}),
    )
    assert [row["y"] for row in (ds if how == "features" else ds.cast_column("y", LABEL))] == [
        1,
        0,
        1,
    ]


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
    assert [
        row["y"] for row in read(kind, values, how, tmp_path, of=of, streaming=streaming)
    ] == expected


STREAMS = {
    "from_dict": lambda values: IterableDataset.from_dict(
        {"y": values}, features=Features({"y": LABEL})
    ),
    "from_list": lambda values: IterableDataset.from_list(
        [{"y": v} for v in values], features=Features({"y": LABEL})
    ),
    "from_pandas": lambda values: IterableDataset.from_pandas(
        pd.DataFrame({"y": values}), features=Features({"y": LABEL})
    ),
    "from_generator": lambda values: IterableDataset.from_generator(
        lambda: ({"y": v} for v in values), features=Features({"y": LABEL})
    ),
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
    ds = load_dataset(
        "text",
        data_files=str(tmp_path / "a.txt"),
        split="train",
        streaming=True,
        features=Features({"text": LABEL}),
    )
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
        (tmp_path / f"{name}.csv").write_text(
            "y,i\n" + "".join(f"{'yes' if i % 3 else 'no'},{i}\n" for i in range(12))
        )
    features = Features({"y": LABEL, "i": Value("int64")})
    files = {name: str(tmp_path / f"{name}.csv") for name in ("train", "test")}
    load = lambda split, **named: load_dataset(
        "csv", data_files=files, split=split, streaming=True, **named
    )
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
    make = lambda: load_dataset(
        "json",
        data_files=str(tmp_path / "a.jsonl"),
        split="train",
        streaming=True,
        features=Features({"y": LABEL}),
    )
    whole = [row["y"] for row in make()]
    for n in (0, 1, 7, 20):
        ds = make()
        head = [row["y"] for row in islice(ds, n)]
        again = make()
        again.load_state_dict(json.loads(json.dumps(ds.state_dict())))
        assert [*head, *(row["y"] for row in again)] == whole


def streamed(format, path, features, **named):
    return load_dataset(
        format,
        data_files=str(path),
        split="train",
        streaming=True,
        features=Features(features),
        **named,
    )


@pytest.mark.parametrize("streaming", [True, False])
@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_a_name_that_looks_like_an_integer_is_the_name(kind, streaming, tmp_path):
    """Stars from 1 to 5, and codes that begin with zeros."""
    stars, codes = ClassLabel(names=["1", "2", "3", "4", "5"]), ClassLabel(names=["010", "007"])
    assert [
        row["y"]
        for row in read(kind, ["1", "5", "3"], "features", tmp_path, of=stars, streaming=streaming)
    ] == [0, 4, 2]
    assert [
        row["y"]
        for row in read(kind, ["007", "010"], "features", tmp_path, of=codes, streaming=streaming)
    ] == [1, 0]


@pytest.mark.parametrize("streaming", [True, False])
@pytest.mark.parametrize("how", ["features", "cast_column"])
@pytest.mark.parametrize("value", [7, 2])
@pytest.mark.parametrize("kind", ["jsonl", "array", "csv", "parquet", "arrow"])
def test_integers_that_are_no_labels_are_an_error(kind, value, how, streaming, tmp_path):
    """Negative ones are: -1 is not known, -100 is what a loss ignores."""
    with pytest.raises(ERRORS, match=rf"{value}"):
        list(read(kind, [0, value], how, tmp_path, streaming=streaming))
    (tmp_path / "other").mkdir()
    assert [
        row["y"] for row in read(kind, [0, -1, -100], how, tmp_path / "other", streaming=streaming)
    ] == [0, -1, -100]


@pytest.mark.parametrize("kind", ["jsonl", "array", "parquet", "arrow"])
@pytest.mark.parametrize(
    ("of", "value"),
    [(List(LABEL), [0, 5]), ({"l": LABEL}, {"l": 9}), (List({"l": LABEL}), [{"l": 9}])],
)
def test_inside_lists_and_objects_too(of, value, kind, tmp_path):
    """The same check."""
    with pytest.raises(ERRORS, match=r"[59] is no label|found [59]"):
        list(read(kind, [value], "features", tmp_path, of=of))


def test_conditions_look_at_integers(tmp_path):
    """Wherever the condition stands, and whatever files have."""
    for kind in ("jsonl", "csv", "parquet", "arrow"):
        folder = tmp_path / kind
        folder.mkdir()
        ds = read(kind, ["yes", "no", "yes", None], "features", folder)
        assert [row["y"] for row in ds.filter(rowstream.col("y") == 1)] == [1, 1]
        assert [row["y"] for row in ds.filter(rowstream.col("y") < 1)] == [0]
        with pytest.raises(ERRORS, match="string cannot be compared"):
            list(ds.filter(rowstream.col("y") == "yes"))
    features = {"y": LABEL, "z": Value("int64")}
    for streaming in (True, False):
        ds = load_dataset(
            "csv",
            data_files=str(tmp_path / "csv" / "a.csv"),
            split="train",
            streaming=streaming,
            features=Features(features),
            filters=[("y", "=", 1)],
        )
        assert [row["y"] for row in ds] == [1, 1]


def test_a_bad_label_can_be_left_out(tmp_path):
    """As any record that cannot be read."""
    (tmp_path / "a.jsonl").write_text('{"y": "yes"}\n{"y": "maybe"}\n{"y": 5}\n{"y": 0}\n')
    (tmp_path / "a.csv").write_text("y\nyes\nmaybe\n5\n0\n")
    for format, name in (("json", "a.jsonl"), ("csv", "a.csv")):
        assert [
            row["y"] for row in streamed(format, tmp_path / name, {"y": LABEL}, on_error="skip")
        ] == [1, 0]


def test_names_after_many_integers_and_nulls(tmp_path):
    """Nothing depends on what the beginning of a file shows."""
    values = [None] * 200_000 + [0] * 200_000 + ["yes"]
    (tmp_path / "a.jsonl").write_text(lines(values))
    (tmp_path / "a.csv").write_text(
        "y,z\n" + "".join(f"{'' if v is None else v},1\n" for v in values)
    )
    assert [
        row["y"] for row in streamed("json", tmp_path / "a.jsonl", {"y": LABEL}).skip(400_000)
    ] == [1]
    assert [
        row["y"]
        for row in streamed("csv", tmp_path / "a.csv", {"y": LABEL, "z": Value("int64")}).skip(
            400_000
        )
    ] == [1]
    for i, values in enumerate(([1, 0], ["yes", "no"])):
        pq.write_table(pa.table({"y": values}), tmp_path / f"{i}.parquet")
    assert [row["y"] for row in streamed("parquet", tmp_path / "*.parquet", {"y": LABEL})] == [
        1,
        0,
        1,
        0,
    ]


def test_objects_whose_keys_vary(tmp_path):
    """A label in some of them."""
    (tmp_path / "a.jsonl").write_text('{"y":[{"l":"yes"},{"l":"no","m":1}]}\n{"y":[{"m":2}]}\n')
    ds = streamed("json", tmp_path / "a.jsonl", {"y": List({"l": LABEL, "m": Value("int64")})})
    assert [row["y"] for row in ds] == [
        [{"l": 1, "m": None}, {"l": 0, "m": 1}],
        [{"l": None, "m": 2}],
    ]


def test_members_of_archives(tmp_path):
    """The bytes of a `.cls`, as a name or a number."""
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        for i, text in enumerate((b"yes", b"0\n")):
            info = tarfile.TarInfo(f"{i}.cls")
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text))
    ds = streamed(
        "webdataset",
        tmp_path / "a.tar",
        {"cls": LABEL, "__key__": Value("string"), "__url__": Value("string")},
    )
    assert [row["cls"] for row in ds] == [1, 0]


def test_in_maps(tmp_path):
    """Values of maps are labels as those of lists are."""
    pq.write_table(
        pa.table({"c": pa.array([[("a", "yes")], []], pa.map_(pa.string(), pa.string()))}),
        tmp_path / "a.parquet",
    )
    of = List({"key": Value("string"), "value": LABEL})
    ds = streamed("parquet", tmp_path / "a.parquet", {"c": of})
    assert [row["c"] for row in ds] == [[("a", 1)], []]
    assert ds.features["c"] == of


def test_tables_of_a_stream_say_nothing_of_labels(tmp_path):
    """How the names reach the core is nobody else's matter."""
    (tmp_path / "a.jsonl").write_text(lines(["yes"]))
    (table,) = streamed("json", tmp_path / "a.jsonl", {"y": LABEL}).with_format("arrow").iter(1)
    assert not table.schema.field("y").metadata
    assert (
        not pa.table(streamed("json", tmp_path / "a.jsonl", {"y": LABEL}))
        .schema.field("y")
        .metadata
    )


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("streaming", [True, False])
def test_a_card_names_the_labels_of_parquet_files(streaming, nested, tmp_path):
    """Where files have the names, as where they have the integers."""
    for names, values in (("names", ["yes", "no"]), ("ids", [1, 0])):
        folder = tmp_path / names
        folder.mkdir()
        pq.write_table(
            pa.table({"y": [[one] for one in values] if nested else values}), folder / "a.parquet"
        )
        label = "class_label: {names: {'0': 'no', '1': 'yes'}}"
        feature = f"list: {{{label}}}" if nested else f"dtype: {{{label}}}"
        (folder / "README.md").write_text(
            f"---\ndataset_info:\n  features:\n  - {{name: y, {feature}}}\n---\n"
        )
        ds = load_dataset(str(folder), split="train", streaming=streaming)
        assert [row["y"] for row in ds] == ([[1], [0]] if nested else [1, 0])
        assert ds.features["y"] == (List(LABEL) if nested else LABEL)


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet"])
def test_parquet_of_a_stream_names_its_labels(kind, tmp_path):
    """As that of a map-style data set does."""
    ds = read(kind, ["yes", "no"], "features", tmp_path)
    ds.to_parquet(tmp_path / "out.parquet")
    again = load_dataset("parquet", data_files=str(tmp_path / "out.parquet"), split="train")
    assert again.features == ds.features
    assert again["y"][:] == [1, 0]


@pytest.mark.parametrize("streaming", [True, False])
@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet", "arrow"])
def test_features_of_more_columns_than_are_asked_for(kind, streaming, tmp_path):
    """Those of the others are passed over."""
    format, write = FILES[kind]
    write(tmp_path / "a", ["yes", "no"])
    features = Features(
        {"y": LABEL, "z": Value("int64")}
        if kind == "csv"
        else {"y": LABEL, "more": Value("string")}
    )
    if kind != "csv":
        features = Features({"y": LABEL})
    ds = load_dataset(
        format,
        data_files=str(tmp_path / "a"),
        split="train",
        streaming=streaming,
        features=features,
        columns=["y"],
    )
    assert list(ds) == [{"y": 1}, {"y": 0}]
    assert ds.features == Features({"y": LABEL})


@pytest.mark.parametrize("streaming", [True, False])
@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet"])
def test_labels_that_are_cast_again(kind, streaming, tmp_path):
    """Their integers are, not the names in the file."""
    names = ClassLabel(names=["a", "b", "c"])
    for to, expected in (
        (ClassLabel(names=["c", "b", "a"]), [0, 1, 2]),
        (Value("string"), ["0", "1", "2"]),
        (Value("int32"), [0, 1, 2]),
        (names, [0, 1, 2]),
    ):
        ds = read(kind, ["a", "b", "c"], "features", tmp_path, of=names, streaming=streaming)
        assert [row["y"] for row in ds.cast_column("y", to)] == expected
    numbers = ClassLabel(names=["2", "1", "0"])
    for how, expected in (
        ("cast_column", [0, 1, 2]),
        ("features", [2, 1, 0] if kind == "csv" else [0, 1, 2]),
    ):
        assert [
            row["y"]
            for row in read(kind, [0, 1, 2], how, tmp_path, of=numbers, streaming=streaming)
        ] == expected


@pytest.mark.parametrize("streaming", [True, False])
def test_spaces_and_booleans(streaming, tmp_path):
    """As `datasets` takes them."""
    (tmp_path / "a.csv").write_text('y,z\n no,1\n"yes ",2\n')
    options = {"split": "train", "streaming": streaming}
    ds = load_dataset(
        "csv",
        data_files=str(tmp_path / "a.csv"),
        features=Features({"y": LABEL, "z": Value("int64")}),
        **options,
    )
    assert [row["y"] for row in ds] == [0, 1]
    (tmp_path / "a.jsonl").write_text('{"y": true}\n{"y": false}\n')
    ds = load_dataset(
        "json", data_files=str(tmp_path / "a.jsonl"), features=Features({"y": LABEL}), **options
    )
    assert [row["y"] for row in ds] == [1, 0]
