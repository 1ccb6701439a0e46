"""JSON: the same types for lines and arrays, streams and map-style; mixed types as `Json`; NaN; byte order marks; several objects a line."""

from __future__ import annotations

import gzip
import json
import math

import pytest
import rowstream
from rowstream import Dataset, Features, IterableDataset, Json, List, Value, load_dataset

INT, TEXT, FLOAT = Value("int64"), Value("string"), Value("float64")


def lines(rows):
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def array(rows):
    return json.dumps(rows).encode()


def pretty(rows):
    return json.dumps(rows, indent=2).encode()


def field(rows):
    return json.dumps({"version": 1, "data": rows}).encode()


def packed(rows):
    return gzip.compress(lines(rows))


def marked(rows):
    return b"\xef\xbb\xbf" + lines(rows)


def marked_array(rows):
    return b"\xef\xbb\xbf" + array(rows)


LAYOUTS = {
    "lines": (lines, ".jsonl"),
    "array": (array, ".json"),
    "pretty array": (pretty, ".json"),
    "field": (field, ".json"),
    "gz": (packed, ".jsonl.gz"),
    "lines with a mark": (marked, ".jsonl"),
    "array with a mark": (marked_array, ".json"),
}


@pytest.fixture(params=[True, False], ids=["stream", "map-style"])
def load(request, tmp_path):
    """Loads files with these contents, as a stream and map-style."""

    def made(*contents, end=".jsonl", **options):
        paths = []
        for content in contents:
            paths.append(tmp_path / f"{len(paths)}{end}")
            paths[-1].write_bytes(content)
        cache = None if request.param else str(tmp_path / "cache")
        files = [str(path) for path in paths]
        return load_dataset(
            "json",
            data_files=files,
            split="train",
            streaming=request.param,
            cache_dir=cache,
            **options,
        )

    made.streaming = request.param
    return made


CALLS = [
    {
        "messages": [
            {"role": "user", "content": "hi"},
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"name": "f", "arguments": {"q": 1}}],
            },
        ]
    },
    {
        "messages": [
            {"role": "user", "content": "ho"},
            {"role": "assistant", "tool_calls": [{"name": "g", "arguments": {"z": "w"}}]},
        ]
    },
]
# Rows, and the features that `datasets` finds in lines of them.
MIXED = {
    "number, text": ([{"a": 1}, {"a": "x"}], {"a": Json()}),
    "number, truth": ([{"a": 1}, {"a": True}], {"a": Json()}),
    "object, text": ([{"a": {"x": 1}}, {"a": "x"}], {"a": Json()}),
    "list, text": ([{"a": [1]}, {"a": "x"}], {"a": Json()}),
    "text that is a number": ([{"a": "3"}, {"a": 3}], {"a": Json()}),
    "text that is an object": ([{"a": "{}"}, {"a": {}}], {"a": Json()}),
    "text that is null": ([{"a": "null"}, {"a": 3}, {"a": None}], {"a": Json()}),
    "a list of all": ([{"a": [1, "x", {"b": 2}]}], {"a": List(Json())}),
    "a list of two": ([{"a": [1, "x"]}], {"a": List(Json())}),
    "lists of lists": ([{"a": [[1], ["x"]]}], {"a": List(List(Json()))}),
    "other keys": ([{"a": {"x": 1}}, {"a": {"y": 2}}], {"a": Json()}),
    "fewer keys": ([{"a": {"x": 1, "y": 2}}, {"a": {"x": 1}}], {"a": Json()}),
    "more keys": ([{"a": {"x": 1}}, {"a": {"x": 1, "y": 2}}], {"a": Json()}),
    "no keys": ([{"a": {}}, {"a": {}}], {"a": Json()}),
    "keys and none": ([{"a": {}}, {"a": {"x": 1}}], {"a": Json()}),
    "other keys in a list": ([{"a": [{"x": 1}, {"y": 2}]}], {"a": List(Json())}),
    "other keys in lists": ([{"a": [{"x": 1}]}, {"a": [{"y": 2}]}], {"a": List(Json())}),
    "other keys deep": ([{"a": {"b": {"x": 1}}}, {"a": {"b": {"y": 1}}}], {"a": {"b": Json()}}),
    "content": (
        [
            {
                "messages": [
                    {"role": "user", "content": "hi"},
                    {"role": "assistant", "content": [{"type": "text", "text": "yo"}]},
                ]
            }
        ],
        {"messages": List({"role": TEXT, "content": Json()})},
    ),
    "content of rows": ([{"c": "hi"}, {"c": [{"type": "text"}]}], {"c": Json()}),
    "tool calls": (CALLS, {"messages": List(Json())}),
    "mixed beside others": ([{"a": 1, "b": "x"}, {"a": "y", "b": None}], {"a": Json(), "b": TEXT}),
    "null in place of either": ([{"a": None}, {"a": 1}, {"a": "x"}], {"a": Json()}),
}
# What is not mixed stays as it was.
ALIKE = {
    "columns that rows lack": (
        [{"a": 1}, {"b": 2}],
        {"a": INT, "b": INT},
        [{"a": 1, "b": None}, {"a": None, "b": 2}],
    ),
    "whole and other numbers": ([{"a": 1}, {"a": 2.5}], {"a": FLOAT}, [{"a": 1.0}, {"a": 2.5}]),
    "null, object": ([{"a": None}, {"a": {"x": 1}}], {"a": {"x": INT}}, None),
    "null in lists": ([{"a": [None, {"x": 1}]}, {"a": []}], {"a": List({"x": INT})}, None),
    "keys in another order": (
        [{"a": {"x": 1, "y": 2}}, {"a": {"y": 2, "x": 1}}],
        {"a": {"x": INT, "y": INT}},
        None,
    ),
    "null in place of a value": ([{"a": {"x": 1}}, {"a": {"x": None}}], {"a": {"x": INT}}, None),
}


def options_of(layout):
    return {"end": LAYOUTS[layout][1], **({"field": "data"} if layout == "field" else {})}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("case", MIXED)
def test_values_of_mixed_types_are_json_and_given_as_they_are(load, case, layout):
    rows, features = MIXED[case]
    ds = load(LAYOUTS[layout][0](rows), **options_of(layout))
    # The second of the tool calls lacks what others have: it is not given as null.
    assert list(ds) == rows
    assert ds.features == Features(features)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("case", ALIKE)
def test_values_of_one_type_are_of_that_type(load, case, layout):
    rows, features, wanted = ALIKE[case]
    ds = load(LAYOUTS[layout][0](rows), **options_of(layout))
    assert list(ds) == (wanted or rows)
    assert ds.features == Features(features)


ASKED = {
    "columns": lambda names: {"columns": names},
    "infer": lambda _: {"infer": "all"},
    "on_error": lambda _: {"on_error": "skip"},
    "filters": lambda _: {"filters": [("id", ">=", 0)]},
}


@pytest.mark.parametrize(
    "case", ["other keys", "number, text", "content", "tool calls", "a list of two"]
)
@pytest.mark.parametrize("asked", ASKED)
def test_mixed_values_are_found_whatever_else_is_asked_for(load, case, asked):
    rows, features = MIXED[case]
    ds = load(lines([{**row, "id": i} for i, row in enumerate(rows)]), **ASKED[asked]([*features]))
    assert [{name: row[name] for name in features} for row in ds] == rows
    if asked == "on_error" and load.streaming:
        assert ds.skipped.count == 0


@pytest.mark.parametrize("case", ["other keys", "number, text", "content", "a list of two"])
@pytest.mark.parametrize("kind", [IterableDataset, Dataset])
def test_mixed_values_are_found_by_from_json(tmp_path, kind, case):
    rows, features = MIXED[case]
    (tmp_path / "a.jsonl").write_bytes(lines(rows))
    ds = kind.from_json(
        str(tmp_path / "a.jsonl"),
        **({} if kind is IterableDataset else {"cache_dir": str(tmp_path / "cache")}),
    )
    assert list(ds) == rows
    assert ds.features == Features(features)


@pytest.mark.parametrize("case", ["other keys", "number, text", "a list of two"])
def test_values_that_are_mixed_over_files_are_json(load, case):
    rows, features = MIXED[case]
    rows = rows if len(rows) > 1 else [{"a": [1]}, {"a": ["x"]}]
    ds = load(*(lines([row]) for row in rows))
    assert list(ds) == rows
    assert ds.features == Features(features)


def test_values_that_are_mixed_in_a_later_split_are_json(tmp_path):
    (tmp_path / "train.jsonl").write_bytes(lines([{"a": 1}]))
    (tmp_path / "test.jsonl").write_bytes(lines([{"a": 1}, {"a": "x"}]))
    files = {"train": str(tmp_path / "train.jsonl"), "test": str(tmp_path / "test.jsonl")}
    for streaming in (True, False):
        cache = None if streaming else str(tmp_path / "cache")
        made = load_dataset("json", data_files=files, streaming=streaming, cache_dir=cache)
        assert [row["a"] for row in made["train"]] == [1]
        assert [row["a"] for row in made["test"]] == [1, "x"]


def test_a_stream_of_mixed_values_is_shuffled_and_resumed_exactly(tmp_path):
    rows = [
        {"a": i if i % 3 else f"{i}", "b": [{"x": i} if i % 2 else {"y": i}]} for i in range(5000)
    ]
    (tmp_path / "a.jsonl").write_bytes(lines(rows))
    ds = load_dataset(
        "json", data_files=str(tmp_path / "a.jsonl"), split="train", streaming=True
    ).shuffle(seed=1, buffer_size=100)
    whole = list(ds)
    assert sorted(map(str, whole)) == sorted(map(str, rows))
    reading = iter(ds)
    first = [next(reading) for _ in range(1234)]
    ds.load_state_dict(ds.state_dict())
    assert first + list(ds) == whole


# ------------------------------------------------------------------------------------- types that show late

PAD = "x" * 1000
LATE = {
    "text": (1, "s", Json(), 1),
    "fraction": (1, 1.5, FLOAT, 1.0),
    "number for null": (None, 5, INT, None),
    "other keys": ({"x": 1}, {"y": 2}, Json(), {"x": 1}),
    "a field": (1, None, INT, 1),
}


@pytest.mark.parametrize("megabytes", [2, 9])
@pytest.mark.parametrize("layout", ["lines", "array", "gz"])
@pytest.mark.parametrize("case", LATE)
def test_types_that_show_after_the_first_megabyte_are_found(load, case, layout, megabytes):
    first, last, feature, given = LATE[case]
    n = megabytes * 1_000_000 // 1025
    rows = [{"a": first, "p": PAD}] * n + [
        {"a": last, "p": ""} if case != "a field" else {"a": 1, "p": "", "z": 3}
    ]
    ds = load(LAYOUTS[layout][0](rows), **options_of(layout))
    assert ds.features["a"] == feature
    found = [row["a"] for row in ds]
    assert len(found) == n + 1
    assert (found[0], found[-1]) == (given, 1 if case == "a field" else last)


# ---------------------------------------------------------------------------------------- NaN and Infinity


def same(a, b):
    if isinstance(a, float) and isinstance(b, float):
        return a == b or (math.isnan(a) and math.isnan(b))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and a == b


NAN, INF = math.nan, math.inf
NUMBERS = {
    "alone": ([{"a": NAN}, {"a": 1.5}, {"a": INF}, {"a": -INF}], {"a": FLOAT}),
    "beside whole numbers": ([{"a": 1.0}, {"a": NAN}], {"a": FLOAT}),
    "late": ([{"a": 1.0}] * 5 + [{"a": -INF}], {"a": FLOAT}),
    "in lists": ([{"a": [1.0, NAN, -INF]}, {"a": []}], {"a": List(FLOAT)}),
    "in objects": ([{"a": {"b": NAN}}, {"a": None}], {"a": {"b": FLOAT}}),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("case", NUMBERS)
def test_nan_and_infinity_are_numbers(load, case, layout):
    rows, features = NUMBERS[case]
    ds = load(LAYOUTS[layout][0](rows), **options_of(layout))
    assert same(list(ds), rows)
    assert ds.features == Features(features)


@pytest.mark.parametrize(
    ("text", "value"), [("Inf", INF), ("-Inf", -INF), ("-NaN", NAN), ("-Infinity", -INF)]
)
def test_other_spellings_are_read_as_pyarrow_reads_them(load, text, value):
    assert same(list(load(b'{"a": %b}\n' % text.encode())), [{"a": value}])


@pytest.mark.parametrize(
    "text", ["nan", "infinity", "+Infinity", "NaNa", "Infinit", "--Infinity", "N"]
)
def test_what_is_no_number_is_an_error(load, text):
    with pytest.raises(rowstream.exceptions.RowstreamError, match=r"0\.jsonl.*line 1"):
        list(load(b'{"a": %b}\n' % text.encode()))


def test_nan_beside_what_it_does_not_fit(load):
    assert same(
        list(load(b'{"a": NaN}\n{"a": 2}\n', features=Features({"a": Value("float32")}))),
        [{"a": NAN}, {"a": 2.0}],
    )
    found = [row["a"] for row in load(b'{"a": NaN}\n{"a": "x"}\n')]
    assert found[1] == "x"
    assert found[0] is None or math.isnan(found[0])
    with pytest.raises(rowstream.exceptions.RowstreamError):
        list(load(b'{"a": NaN}\n{"a": 1}\n', features=Features({"a": INT})))


def test_what_write_jsonl_writes_is_read(tmp_path):
    rows = [{"a": NAN, "b": [INF]}, {"a": -INF, "b": []}, {"a": 2.5, "b": None}]
    path = str(tmp_path / "a.jsonl")
    assert rowstream.write_jsonl(path, rows) == 3
    assert same(list(rowstream.read_jsonl(path)), rows)
    for streaming in (True, False):
        cache = None if streaming else str(tmp_path / "cache")
        assert same(
            list(
                load_dataset(
                    "json", data_files=path, split="train", streaming=streaming, cache_dir=cache
                )
            ),
            rows,
        )


def test_lines_that_cannot_be_read_are_skipped_beside_nan(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"a": NaN}\n{"a": nan}\n{"a": Infinity}\n')
    ds = load_dataset(
        "json", data_files=str(tmp_path / "a.jsonl"), split="train", streaming=True, on_error="skip"
    )
    assert same(list(ds), [{"a": NAN}, {"a": INF}])
    assert ds.skipped.count == 1


# ------------------------------------------------------------------------------------------- marks, several objects


@pytest.mark.parametrize("with_features", [False, True])
def test_a_byte_order_mark_changes_nothing(load, with_features):
    rows = [{"a": {"x": 1}}, {"a": "y"}, {"a": [2]}]
    options = {"features": Features({"a": Json()})} if with_features else {}
    ds = load(marked(rows), lines(rows), marked(rows), **options)
    assert list(ds) == rows * 3
    assert ds.features == Features({"a": Json()})


SEVERAL = {
    "two a line": (b'{"a": 1}{"a": 2}\n{"a": 3}\n', [1, 2, 3]),
    "with spaces": (b'{"a": 1} \t {"a": 2} \n{"a": 3}\n', [1, 2, 3]),
    "all on one": (b'{"a": 1}{"a": 2}{"a": 3}', [1, 2, 3]),
    "on a later line": (b'{"a": 1}\n{"a": 2}{"a": 3}\n', [1, 2, 3]),
    "carriage returns": (b'{"a": 1}\r{"a": 2}\r{"a": 3}\r', [1, 2, 3]),
    "braces in text": (b'{"a": "}{"}{"a": "x} {y"}\n{"a": "}{"}\n', ["}{", "x} {y", "}{"]),
    "nested": (b'{"a": {"b": [{}]}}{"a": {"b": [{}]}}\n', [{"b": [{}]}] * 2),
}


@pytest.mark.parametrize("packing", [bytes, gzip.compress], ids=["plain", "gz"])
@pytest.mark.parametrize("case", SEVERAL)
def test_several_objects_on_one_line_are_rows(load, case, packing):
    data, values = SEVERAL[case]
    ds = load(packing(data), end=".jsonl" if packing is bytes else ".jsonl.gz")
    assert [row["a"] for row in ds] == values


def test_several_objects_on_one_line_are_rows_of_long_files_and_states(tmp_path):
    pad = "p" * 500
    rows = [{"id": i, "p": pad} for i in range(6000)]
    text = "".join(json.dumps(row) + ("" if i % 3 == 0 else "\n") for i, row in enumerate(rows))
    (tmp_path / "a.jsonl").write_text(text)
    ds = load_dataset("json", data_files=str(tmp_path / "a.jsonl"), split="train", streaming=True)
    assert [row["id"] for row in ds] == list(range(6000))
    assert [row["id"] for row in ds.skip(4001).take(3)] == [4001, 4002, 4003]
    assert sorted(row["id"] for i in range(3) for row in ds.shard(3, i)) == list(range(6000))
    shuffled = ds.shuffle(seed=1, buffer_size=50)
    whole = [row["id"] for row in shuffled]
    reading = iter(shuffled)
    first = [next(reading)["id"] for _ in range(2501)]
    shuffled.load_state_dict(shuffled.state_dict())
    assert first + [row["id"] for row in shuffled] == whole
    assert sorted(whole) == list(range(6000))


@pytest.mark.parametrize(
    "data", [b'{"a": 1} x\n', b'{"a": 1},{"a": 2}\n', b'{"a": 1}{"a": \n', b'{"a": 1}[2]\n']
)
def test_what_is_no_object_after_one_is_an_error(load, data):
    with pytest.raises(rowstream.exceptions.RowstreamError, match=r"0\.jsonl"):
        list(load(data))


def test_bad_objects_are_skipped_and_counted_alike_wherever_reading_begins(tmp_path):
    """A bad object is one record; one that is no JSON takes the rest of its line along."""
    text = '{"a": 1}{"a": "x"}{"a": 2}\n{"a": 3} {"a": nan} {"a": 4}\n{"a": 5}\n'
    (tmp_path / "a.jsonl").write_text(text)
    options = {"features": Features({"a": Value("int64")}), "on_error": "skip"}

    def opened():
        return load_dataset(
            "json", data_files=str(tmp_path / "a.jsonl"), split="train", streaming=True, **options
        )

    ds = opened()
    assert [row["a"] for row in ds] == [1, 2, 3, 5]
    assert ds.skipped.count == 2
    for n in range(4):
        ds, again = opened(), opened()
        reading = iter(ds)
        first = [next(reading)["a"] for _ in range(n)]
        again.load_state_dict(ds.state_dict())
        assert first + [row["a"] for row in again] == [1, 2, 3, 5]


@pytest.mark.parametrize(
    "condition", [[("a", "==", "x")], [("a", "in", ["x"])], [("b.x", "==", 1)]]
)
def test_values_of_mixed_types_are_not_compared_as_text(load, condition):
    with pytest.raises(rowstream.exceptions.SchemaError, match="mixed types"):
        list(load(b'{"a": 1, "b": {"x": 1}}\n{"a": "x", "b": {}}\n', filters=condition))


def test_json_that_a_function_only_reads_stays(tmp_path):
    """Strings that are JSON themselves too: written again they would be what they say."""
    path = tmp_path / "a.jsonl"
    values = ["[1]", "7", "null", {"a": 1}, 1.0, True]
    path.write_text("".join(json.dumps({"j": one, "l": [one], "k": 1}) + "\n" for one in values))
    features = Features({"j": Json(), "l": List(Json()), "k": Value("int64")})
    given = {"data_files": str(path), "split": "train", "cache_dir": str(tmp_path)}
    ds = load_dataset("json", features=features, **given)

    def read(row):
        return {"n": f"{row['j']} {row['l']}"}

    def batch(rows):
        return {"n": [str(one) for one in zip(rows["j"], rows["l"], strict=True)]}

    def changed(row):
        if isinstance(row["j"], dict):
            row["j"]["a"] = 2
        return {"n": 0}

    for made in (
        ds.map(read),
        ds.map(batch, batched=True),
        ds.map(lambda row: row),
        ds.map(read, remove_columns=["k"]),
    ):
        assert repr(made["j"][:]) == repr(values)
        assert repr(made["l"][:]) == repr([[one] for one in values])
    assert ds.map(changed)["j"][3] == {"a": 2}
    assert isinstance(ds, Dataset)
