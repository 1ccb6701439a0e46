"""Filters: the same rows as Python's own reading of the condition, whatever is read, skipped, shuffled, resumed or shared."""

from __future__ import annotations

import datetime as dt
import json
import math
from itertools import islice

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rowstream import (
    IterableDataset,
    col,
    exceptions,
    load_dataset,
    merge_state_dicts,
    split_dataset_by_node,
)
from rowstream.plan.filters import from_filters

ROWS = [
    {
        "id": i,
        "group": i // 700,
        "x": None if i % 13 == 5 else (i * 7919) % 1000 - 500,
        "f": float("nan") if i % 17 == 3 else None if i % 11 == 2 else i / 3,
        "text": None if i % 19 == 7 else f"t{i % 300:03}" * (i % 3),
        "flag": None if i % 7 == 1 else i % 2 == 0,
        "day": dt.date(2020, 1, 1) + dt.timedelta(days=i % 400),
        "at": dt.datetime(2020, 1, 1) + dt.timedelta(hours=i),
        "list": [i] * (i % 4),
        "meta": None if i % 23 == 9 else {"lang": ["en", "de", None][i % 3], "n": i},
    }
    for i in range(4000)
]
SCHEMA = pa.Table.from_pylist(ROWS).schema


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """The same rows, several ways."""
    folder = tmp_path_factory.mktemp("filters")
    table = pa.Table.from_pylist(ROWS)
    pq.write_table(table, folder / "plain.parquet", row_group_size=1500)
    options = {
        "write_page_index": True,
        "data_page_size": 2000,
        "write_batch_size": 64,
        "bloom_filter_options": {"id": {"ndv": 4000, "fpp": 0.01}, "text": True},
    }
    try:
        pq.write_table(table, folder / "indexed.parquet", row_group_size=1500, **options)
    except TypeError:
        del options["bloom_filter_options"]
        pq.write_table(table, folder / "indexed.parquet", row_group_size=1500, **options)
    pq.write_table(
        table,
        folder / "bare.parquet",
        row_group_size=900,
        write_statistics=False,
        use_dictionary=False,
        compression="none",
    )
    with pa.ipc.new_file(str(folder / "rows.arrow"), table.schema) as writer:
        writer.write_table(table, max_chunksize=600)
    simple = [
        {key: value for key, value in row.items() if key not in ("day", "at", "f")} for row in ROWS
    ]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in simple))
    return {
        name: load_dataset(format, data_files=str(folder / file), split="train", streaming=True)
        for name, format, file in [
            ("plain", "parquet", "plain.parquet"),
            ("indexed", "parquet", "indexed.parquet"),
            ("bare", "parquet", "bare.parquet"),
            ("arrow", "arrow", "rows.arrow"),
            ("json", "json", "rows.jsonl"),
        ]
    }


NAMES = ["plain", "indexed", "bare", "arrow", "json"]
CONDITIONS = [
    col("id") < 10,
    (col("id") > 1400) & (col("id") <= 1600),
    col("id") == 2222,
    col("id") == 22222,
    col("id").isin([5, 1499, 1500, 3999, 10**12]),
    ~col("id").isin(range(3, 3999)),
    col("group") == 2,
    (col("group") == 0) | (col("group") == 5),
    col("x") > 480,
    ~(col("x") > -480),
    col("x") != 3,
    col("x").is_null(),
    col("x").is_valid() & (col("x") >= 499.5),
    col("text") == "t001",
    col("text").isin(["t001", "t002t002", "none"]),
    col("text").starts_with("t00"),
    ~col("text").starts_with("t"),
    col("text") > "t298",
    col("flag") == True,
    (col("flag") != True) | col("flag").is_null(),
    col("meta", "lang") == "de",
    col("meta", "n") >= 3990,
    col("id") < -5,
    col("id") >= 0,
]
TIMED = [
    col("f") > 1300.5,
    ~(col("f") > 3),
    col("f") != 1.0,
    col("day") == dt.date(2020, 2, 3),
    col("at") < dt.datetime(2020, 1, 3, 12, 30),
    (col("day") >= dt.date(2021, 1, 1)) & (col("flag") == True),
]


def ids(ds):
    return [row["id"] for row in ds]


@pytest.mark.parametrize("name", NAMES)
def test_the_rows_are_those_that_python_finds(sources, name):
    for condition in CONDITIONS + (TIMED if name != "json" else []):
        expected = [row["id"] for row in ROWS if condition(row)]
        ds = sources[name].filter(condition)
        assert ids(ds) == expected, condition
        assert ids(ds.select_columns(["id"])) == expected, condition
        assert sorted(ids(ds.shuffle(seed=3, buffer_size=500))) == expected, condition
        assert [i for batch in ds.iter(64) for i in batch["id"]] == expected, condition
        # Without the columns that it looks at.
        if "list" not in condition.columns():
            assert [len(row["list"]) for row in ds.select_columns("list")] == [
                i % 4 for i in expected
            ]


@pytest.mark.parametrize("name", NAMES)
def test_a_filter_keeps_the_order_and_the_cursor(sources, name):
    condition = (col("x") > 100) | col("text").starts_with("t01")
    shuffled = sources[name].shuffle(seed=5, buffer_size=300)
    by_python = [row["id"] for row in shuffled if condition(row)]
    ds = shuffled.filter(condition)
    assert (
        ids(ds)
        == by_python
        == ids(sources[name].filter(condition).shuffle(seed=5, buffer_size=300))
    )
    rows = iter(ds)
    head = [row["id"] for row in islice(rows, len(by_python) // 3)]
    state = ds.state_dict()
    again = shuffled.filter(condition)
    again.load_state_dict(state)
    assert head + ids(again) == by_python
    # The position is one of the rows that there are, filtered or not.
    shuffled.load_state_dict(state)
    assert [row["id"] for row in shuffled if condition(row)] == by_python[len(head) :]
    parts = [split_dataset_by_node(ds, c, 3) for c in range(3)]
    taken, states = [], []
    for part in parts:
        taken += [row["id"] for row in islice(part, 50)]
        states.append(part.state_dict())
    merged = merge_state_dicts(states)
    for c in range(2):
        part = split_dataset_by_node(ds, c, 2)
        part.load_state_dict(merged)
        taken += ids(part)
    assert sorted(taken) == sorted(by_python)


@pytest.mark.parametrize("name", NAMES)
def test_take_and_skip_count_what_is_kept(sources, name):
    condition = col("x") > 450
    expected = [row["id"] for row in ROWS if condition(row)]
    ds = sources[name].filter(condition)
    for n in (0, 1, 7, 90, len(expected), 10_000):
        assert ids(ds.take(n)) == expected[:n]
        assert ids(ds.skip(n)) == expected[n:]
    shuffled = ds.shuffle(seed=1, buffer_size=200)
    held, rest = ids(shuffled.take(20)), ids(shuffled.skip(20))
    assert len(held) == 20
    assert sorted(held + rest) == expected
    assert ids(ds.repeat(2)) == expected * 2
    assert ids(ds.repeat(2).take(len(expected) + 3)) == expected + expected[:3]
    assert sorted(ids(ds.shard(3, 0)) + ids(ds.shard(3, 1)) + ids(ds.shard(3, 2))) == expected


def test_a_filter_that_nothing_fulfils_ends(sources):
    assert ids(sources["plain"].filter(col("id") < 0).repeat(None)) == []


def test_filters_as_lists_of_tuples(sources):
    for filters, expected in [
        ([("id", "<", 5)], range(5)),
        ([("id", ">", 3), ("id", "<=", 6)], [4, 5, 6]),
        ([[("id", "=", 1)], [("id", "in", [7, 9])]], [1, 7, 9]),
        ([("id", "not in", list(range(3, 4000)))], [0, 1, 2]),
        ([("meta.n", "<", 2)], [0, 1]),
    ]:
        assert ids(sources["plain"].filter(from_filters(filters))) == list(expected)
    with pytest.raises(exceptions.InvalidArgumentError, match="no operator 'like'"):
        from_filters([("a", "like", "b")])


def test_a_condition_after_functions_is_one_more(sources):
    ds = sources["plain"].map(lambda row: {"double": row["id"] * 2}).filter(col("double") > 7990)
    assert ids(ds) == [3996, 3997, 3998, 3999]
    renamed = sources["plain"].rename_column("id", "number").filter(col("number") < 2)
    assert [row["number"] for row in renamed] == [0, 1]


def test_errors_say_what_is_there(sources):
    with pytest.raises(exceptions.InvalidArgumentError, match="no column 'nothing'"):
        sources["plain"].filter(col("nothing") == 1)
    with pytest.raises(
        exceptions.SchemaError,
        match=r"\"text\" has type .*, which a number cannot be compared with",
    ):
        list(sources["plain"].filter(col("text") == 1))
    with pytest.raises(exceptions.InvalidArgumentError, match="is_null"):
        col("x") == None  # noqa: B015, E711
    with pytest.raises(exceptions.InvalidArgumentError, match="join conditions"):
        bool(col("x") > 1)


VALUES = st.one_of(st.integers(-600, 4100), st.floats(-600, 4100, allow_nan=False))
SIMPLE = st.one_of(
    st.builds(
        lambda name, cmp, value: getattr(col(name), cmp)(value),
        st.sampled_from(["id", "x", "group"]),
        st.sampled_from(["__lt__", "__le__", "__gt__", "__ge__", "__eq__", "__ne__"]),
        VALUES,
    ),
    st.builds(lambda values: col("id").isin(values), st.lists(st.integers(0, 4000), max_size=20)),
    st.builds(
        lambda prefix: col("text").starts_with(prefix), st.sampled_from(["", "t", "t1", "t29", "u"])
    ),
    st.sampled_from(
        [
            col("x").is_null(),
            col("text").is_valid(),
            col("flag") == True,
            col("meta", "lang") == "en",
        ]
    ),
)
ANY = st.recursive(
    SIMPLE,
    lambda inner: st.one_of(
        st.builds(lambda a, b: a & b, inner, inner),
        st.builds(lambda a, b: a | b, inner, inner),
        st.builds(lambda a: ~a, inner),
    ),
    max_leaves=6,
)


@settings(max_examples=120)
@given(condition=ANY)
def test_any_condition(sources, condition):
    expected = [row["id"] for row in ROWS if condition(row)]
    for name in ("indexed", "bare", "arrow"):
        assert ids(sources[name].filter(condition).select_columns(["id", "list"])) == expected


def test_folders_named_key_and_value_are_columns(tmp_path):
    for lang in ("en", "de%20at", "__HIVE_DEFAULT_PARTITION__"):
        for year in (2020, 2021):
            folder = tmp_path / f"lang={lang}" / f"year={year}"
            folder.mkdir(parents=True)
            pq.write_table(pa.table({"id": [year, year + 1]}), folder / "a.parquet")
    ds = load_dataset(
        "parquet", data_files=f"{tmp_path}/**/*.parquet", split="train", streaming=True
    )
    assert ds.column_names == ["id", "lang", "year"]
    rows = list(ds)
    assert {(row["lang"], row["year"]) for row in rows} == {
        (lang, year) for lang in ("en", "de at", None) for year in (2020, 2021)
    }
    assert all(row["id"] - row["year"] in (0, 1) for row in rows)
    assert [row for row in rows if row["lang"] == "en"] == list(ds.filter(col("lang") == "en"))
    assert [row for row in rows if row["year"] > 2020] == list(
        ds.filter(col("year") > 2020).with_format(None)
    )
    assert sorted(map(str, ds.filter(col("lang").is_null() & (col("id") == 2022)))) == [
        str({"id": 2022, "lang": None, "year": 2021})
    ]
    # What no row of is wanted is not opened.
    for path in tmp_path.glob("lang=en/**/*.parquet"):
        path.write_bytes(b"damaged")
    assert len(list(ds.filter(col("lang") == "de at"))) == 4


def test_source_says_file_and_row(sources, tmp_path):
    ds = sources["json"].with_source()
    rows = list(ds.filter(col("x") > 490).shuffle(seed=1))
    assert rows
    assert all(
        row["__row__"] == row["id"] and row["__file__"].endswith("rows.jsonl") for row in rows
    )
    ds = sources["plain"].select_columns(["id"]).with_source(file="file", row="row")
    assert ds.column_names == ["id", "file", "row"]
    assert all(row["row"] == row["id"] for row in ds)
    assert ids(ds.filter(lambda row: row["row"] > 3995)) == [3996, 3997, 3998, 3999]
    with pytest.raises(exceptions.UnsupportedError, match="says where a row is"):
        ds.filter(col("row") > 3995)
    with pytest.raises(exceptions.InvalidArgumentError, match="already"):
        ds.with_source("file")


@settings(max_examples=60, deadline=None)
@given(value=st.floats(allow_nan=False, allow_infinity=False))
@example(value=2.3827480266485674e74)
@example(value=5e-324)
def test_numbers_are_compared_to_their_last_bit(value):
    others = [math.nextafter(value, -math.inf), value, math.nextafter(value, math.inf)]
    rows = [one for one in others if math.isfinite(one)]
    stream = IterableDataset.from_dict({"x": rows})
    for condition, wanted in (
        (col("x") == value, [one for one in rows if one == value]),
        (col("x") < value, [one for one in rows if one < value]),
        (col("x").isin([value]), [one for one in rows if one == value]),
    ):
        assert [row["x"] for row in stream.filter(condition)] == wanted


DAYS = [dt.date(2020, 1, 1), dt.date(2020, 1, 3)]
TIMES = [dt.datetime(2020, 1, 1, 5), dt.datetime(2020, 1, 3, 5)]
BESIDE = {
    "i": [1, 2],
    "day": DAYS,
    "time": TIMES,
    "text": ["a", "b"],
    "zoned": [time.replace(tzinfo=dt.UTC) for time in TIMES],
}


@pytest.mark.parametrize(
    "condition",
    [
        col("time") > dt.date(2020, 1, 2),
        col("day") == dt.datetime(2020, 1, 3),
        col("time") > "2020-01-02",
        col("day") > "2020-01-02",
        col("day").isin(DAYS[:1]),
        col("zoned") > dt.datetime(2020, 1, 2),
        col("time") > dt.datetime(2020, 1, 2, tzinfo=dt.UTC),
        col("day") == "x",
        col("i") == "x",
        col("i").isin(["x"]),
        col("text") == 1,
        col("text") > dt.date(2020, 1, 1),
    ],
    ids=repr,
)
def test_rows_of_python_are_compared_as_those_of_the_core(condition):
    from rowstream import Dataset

    def kept(ds):
        try:
            return [row["i"] for row in ds.filter(condition)]
        except exceptions.SchemaError:
            return None

    stream = Dataset.from_dict(BESIDE).to_iterable_dataset()
    assert kept(stream) == kept(stream.map(lambda row: row))
