"""Streams queried by Polars and DuckDB: the rows of their own tables, and only what a query needs is read."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import rowstream
from hypothesis import given, settings
from hypothesis import strategies as st
from rowstream import Dataset, exceptions
from rowstream.integrations.conditions import columns_of_arrow, from_arrow, from_polars

duckdb = pytest.importorskip("duckdb")
pl = pytest.importorskip("polars")
from rowstream.integrations import duckdb as duck  # noqa: E402
from rowstream.integrations import polars as frames  # noqa: E402

UTC = dt.UTC
TABLE = pa.table(
    {
        "x": [1.0, float("nan"), 3.0, None, -0.0, 2.0],
        "d": pa.array(
            [dt.datetime(2020, 1, i + 1, tzinfo=UTC) for i in range(6)], pa.timestamp("us", "UTC")
        ),
        "i": pa.array([1, 2, 3, None, 5, 4], pa.int8()),
        "k": pa.array(["a", "b", None, "a", "c", "ab"]).dictionary_encode(),
        "b": [True, None, False, True, True, False],
        "l": [[1], [], None, [4, 5], [6], [7]],
        "t": ["a", "b", None, "abcd", "", "ab"],
        "s": [{"t": i % 3, "u": "x"} for i in range(6)],
    }
)
c = pl.col
POLARS = [
    c("x") > 2, c("x") >= 2, c("x") != 1, c("x") < 2, c("x") == 0.0, ~(c("x") > 2), ~(c("x") < 2),
    c("x") > 2, (c("x") > 2) & (c("i") > 1), (c("x") > 2) | (c("i") > 4), c("x") == float("nan"),
    c("d") > dt.datetime(2020, 1, 3, tzinfo=UTC), c("i") > 2.5, c("i") != 300, c("k") == "a",
    c("b") == True, c("b"), ~c("b"), c("i").is_in([1, None]), c("x").is_in([float("nan"), 3.0]),
    c("k").is_null(), c("k").is_not_null() & c("l").list.first().is_null(), c("i") + 1 > 3,
    c("k").cast(pl.String).str.starts_with("a"), c("s").struct.field("t") == 1,
    c("i").is_in([1, None], nulls_equal=True), ~c("i").is_in([1, None], nulls_equal=True),
    pl.lit("abc").str.starts_with(c("t")), c("t").str.starts_with("a"), c("l") == pl.lit([1]), c("b") == 1.5,
]  # fmt: skip
SQL = [
    "x > 2", "x <> 1", "x = 'nan'", "x >= 3", "not x > 2", "d > '2020-01-03 00:00:00+00'", "i > 2",
    "k = 'a'", "b", "not b", "x in (3.0, 'nan')", "d::date = '2020-01-02'", "k is null", "i in (1, 5)",
    "i between 2 and 4 and k is not null", "i = 1 or k = 'c'", "s.t = 1", "k like 'a%'", "true",
]  # fmt: skip


@pytest.fixture(scope="module")
def stream(tmp_path_factory):
    path = tmp_path_factory.mktemp("engines") / "rows.parquet"
    pq.write_table(TABLE, path, row_group_size=2)
    return rowstream.load_dataset("parquet", data_files=str(path), split="train", streaming=True)


@pytest.mark.parametrize("condition", POLARS, ids=range(len(POLARS)))
def test_conditions_of_polars(stream, condition):
    whole = pl.DataFrame(stream).lazy()
    try:
        whole.filter(condition).collect()
    except pl.exceptions.PolarsError:
        pytest.skip("Polars has no such condition")
    for query in (
        lambda frame: frame.filter(condition),
        lambda frame: frame.filter(condition).select("i"),
        lambda frame: (
            frame.select("i", "x", "d", "k", "b", "l", "s", "t").filter(condition).head(2)
        ),
    ):
        assert query(frames.scan(stream)).collect().equals(query(whole).collect())


def test_queries_of_polars(stream):
    whole, scanned = pl.DataFrame(stream).lazy(), frames.scan(stream)
    for query in (
        lambda frame: frame.select(pl.len()),
        lambda frame: frame.tail(2),
        lambda frame: frame.group_by("b").agg(c("i").sum()).sort("b"),
        lambda frame: frame.join(frame, on="i").select("i", "x").sort("i"),
    ):
        assert query(scanned).collect().equals(query(whole).collect())
    mapped = stream.select_columns(["i"]).map(
        lambda row: {"j": row["i"]},
        features=rowstream.Features({"i": rowstream.Value("int8"), "j": rowstream.Value("int64")}),
    )
    assert frames.scan(mapped).filter(c("j") > 3).collect().to_dicts() == [
        {"i": 5, "j": 5},
        {"i": 4, "j": 4},
    ]
    table = Dataset.from_dict({"a": [1, 2, 3]})
    assert frames.scan(table).filter(c("a") > 1).collect()["a"].to_list() == [2, 3]
    with pytest.raises(exceptions.UnsupportedError, match="features="):
        frames.scan(stream.map(lambda row: row))
    with pytest.raises(exceptions.InvalidArgumentError, match="expected a Dataset"):
        frames.scan([1])


@pytest.mark.parametrize("condition", SQL)
def test_conditions_of_duckdb(stream, condition):
    con = duckdb.connect()
    con.register("source", duck.table(stream))
    con.register("whole", pa.table(stream))
    for columns in ("*", "i", "count(*)"):
        found, expected = (
            con.sql(f"select {columns} from {name} where {condition}").fetchall()
            for name in ("source", "whole")
        )
        assert repr(sorted(found, key=repr)) == repr(sorted(expected, key=repr))


def test_queries_of_duckdb(stream):
    source = duck.table(stream)
    assert duckdb.sql("select i from source where k = 'c'").fetchall() == [(5,)]
    con = duckdb.connect()
    con.register("rows", source)
    assert con.sql("select count(*) from rows").fetchall() == [(6,)]
    assert con.sql("select a.i from rows a join rows b using (i) where b.k = 'c'").fetchall() == [
        (5,)
    ]
    assert con.sql("select i from rows order by d desc limit 2").fetchall() == [(4,), (5,)]


def test_only_what_a_query_needs_is_read(tmp_path, monkeypatch):
    table = pa.table({"a": range(1000), "b": ["x" * 100] * 1000})
    path = str(tmp_path / "rows.parquet")
    pq.write_table(table, path, row_group_size=100)
    asked = []
    plain = rowstream.IterableDataset.__arrow_c_stream__

    def noted(self, *others):
        asked.append(self.explain())
        return plain(self, *others)

    monkeypatch.setattr(rowstream.IterableDataset, "__arrow_c_stream__", noted)
    ds = rowstream.load_dataset("parquet", data_files=path, split="train", streaming=True)
    con = duckdb.connect()
    con.register("source", duck.table(ds))
    for query in (
        lambda: frames.scan(ds).filter(c("a") > 950).select("a").collect().height,
        lambda: len(con.sql("select a from source where a > 950").fetchall()),
    ):
        assert query() == 49
        assert "columns   1 of 2: a" in asked[-1]
        assert "9 shards by statistics" in asked[-1]


NUMBERS = st.integers(-2, 7)
ATOMS = st.one_of(
    st.tuples(
        st.sampled_from(["==", "!=", "<", "<=", ">", ">="]), st.sampled_from(["x", "i"]), NUMBERS
    ),
    st.tuples(
        st.just("in"), st.sampled_from(["x", "i"]), st.lists(NUMBERS, min_size=1, max_size=3)
    ),
    st.tuples(st.sampled_from(["null", "valid"]), st.sampled_from(["x", "k", "i"]), st.none()),
    st.tuples(st.just("odd"), st.just("i"), st.none()),
)
TREES = st.recursive(
    ATOMS, lambda of: st.one_of(st.tuples(st.sampled_from(["and", "or"]), of, of), st.tuples(st.just("not"), of)), max_leaves=5
)  # fmt: skip


def built(tree, column, isin):
    """The expression of a library for a tree."""
    op = tree[0]
    if op in ("and", "or"):
        left, right = (built(one, column, isin) for one in tree[1:])
        return left & right if op == "and" else left | right
    if op == "not":
        return ~built(tree[1], column, isin)
    of, value = column(tree[1]), tree[2]
    return {
        "==": lambda: of == value, "!=": lambda: of != value, "<": lambda: of < value,
        "<=": lambda: of <= value, ">": lambda: of > value, ">=": lambda: of >= value,
        "in": lambda: isin(of, value), "null": lambda: of.is_null(),
        "valid": lambda: of.is_valid() if hasattr(of, "is_valid") else of.is_not_null(),
        "odd": lambda: of + of == 2,
    }[op]()  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(tree=TREES)
def test_what_is_pushed_keeps_every_row_that_is_wanted(tree):
    rows = TABLE.append_column("n", pa.array(range(6)))
    expression = built(tree, pc.field, lambda of, values: of.isin(values))
    kept = {*rows.filter(expression)["n"].to_pylist()}
    condition = from_arrow(expression)
    if condition is not None:
        assert kept <= {row["n"] for row in rows.to_pylist() if condition(row)}
    assert {*columns_of_arrow(expression)} <= {"x", "i", "k"}
    in_polars = built(tree, c, lambda of, values: of.cast(pl.Float64).is_in([*map(float, values)]))
    kept = {*pl.DataFrame(rows).filter(in_polars)["n"].to_list()}
    condition = from_polars(in_polars, ["x"])
    if condition is not None:
        assert kept <= {row["n"] for row in rows.to_pylist() if condition(row)}
