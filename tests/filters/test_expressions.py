"""Expressions of pyarrow as `filters=`: the rows that pyarrow itself keeps, or an error."""

import datetime as dt

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rowstream import exceptions, load_dataset
from rowstream.plan.filters import from_filters

ROWS = [
    {
        "id": i,
        "x": None if i % 5 == 1 else i % 7 - 3,
        "f": i / 4,
        "text": None if i % 6 == 2 else f"it's {i % 9}",
        "flag": None if i % 7 == 3 else i % 2 == 0,
        "day": dt.date(2020, 1, 1) + dt.timedelta(days=i % 40),
        "meta": None if i % 11 == 4 else {"lang": ["en", "de", None][i % 3]},
    }
    for i in range(200)
]
TABLE = pa.Table.from_pylist(ROWS)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("expressions") / "rows.parquet"
    pq.write_table(TABLE, path, row_group_size=60)
    return str(path)


def _kept(path, expression):
    return [
        [row["id"] for row in load_dataset("parquet", data_files=path, split="train", **options)]
        for options in ({"filters": expression}, {"filters": expression, "streaming": True})
    ]


x, text = pc.field("x"), pc.field("text")
SINGLE = st.one_of(
    st.integers(-4, 4).map(lambda n: x > n),
    st.integers(-4, 4).map(lambda n: pc.scalar(n) >= x),
    st.integers(-4, 4).map(lambda n: x != n),
    st.floats(0, 50).map(lambda n: pc.field("f") < n),
    st.lists(st.none() | st.integers(-4, 4), min_size=1).map(
        lambda some: x.isin(pa.array(some, pa.int64()))
    ),
    st.sampled_from(
        [
            pc.field("flag"),
            text == "it's 3",
            pc.starts_with(text, "it's"),
            text.is_null(),
            x.is_valid(),
            pc.field("meta", "lang") == "en",
            pc.field("day") <= dt.date(2020, 1, 9),
        ]
    ),
)
EXPRESSIONS = st.recursive(
    SINGLE,
    lambda part: st.one_of(
        part.map(lambda one: ~one),
        st.tuples(part, part).map(lambda two: two[0] & two[1]),
        st.tuples(part, part).map(lambda two: two[0] | two[1]),
    ),
    max_leaves=6,
)


@settings(max_examples=60, deadline=None)
@given(EXPRESSIONS)
def test_an_expression_keeps_what_pyarrow_keeps(path, expression):
    expected = TABLE.filter(expression)["id"].to_pylist()
    assert _kept(path, expression) == [expected, expected]


@pytest.mark.parametrize(
    "expression",
    [
        x + 1 > 3,
        x == pc.field("id"),
        pc.field("f").is_null(nan_is_null=True),
        pc.starts_with(text, "IT", ignore_case=True),
        pc.field(0) == 3,
        x.cast("string") == "3",
        pc.scalar(True),
        x == None,  # noqa: E711 - an expression
        pc.field("two\nlines") == 1,
    ],
    ids=str,
)
def test_what_cannot_be_translated_is_an_error(expression):
    with pytest.raises(exceptions.InvalidArgumentError, match=r"function for filter\(\)"):
        from_filters(expression)
