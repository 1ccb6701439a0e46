"""Streams put together: their types are one, or an error says which differ."""

from __future__ import annotations

import pytest
from rowstream import (
    Array2D,
    ClassLabel,
    Dataset,
    Features,
    List,
    Value,
    concatenate_datasets,
    exceptions,
    interleave_datasets,
)


def stream(values, feature=None):
    features = None if feature is None else Features({"a": feature})
    return Dataset.from_dict({"a": values}, features=features).to_iterable_dataset()


@pytest.mark.parametrize("together", [concatenate_datasets, interleave_datasets])
@pytest.mark.parametrize(
    "parts",
    [
        (stream([0], ClassLabel(names=["x", "y"])), stream([0], ClassLabel(names=["y", "x"]))),
        (stream([0], ClassLabel(names=["x", "y"])), stream([5])),
        (
            stream([[[1, 2]]], Array2D((1, 2), "int32")),
            stream([[[1], [2]]], Array2D((2, 1), "int32")),
        ),
        (stream([[1]]), stream([["x"]])),
        (stream([{"x": 1}]), stream([{"y": 1}])),
    ],
)
def test_types_that_differ_are_refused(together, parts):
    with pytest.raises(exceptions.SchemaError, match="cast_column"):
        together(list(parts))


@pytest.mark.parametrize(
    ("one", "other", "feature"),
    [
        (stream([[]]), stream([[1]]), List(Value("int64"))),
        (stream([{"x": None}]), stream([{"x": 1}]), {"x": Value("int64")}),
        (stream([None]), stream(["x"]), Value("string")),
    ],
)
def test_what_one_part_leaves_open_another_says(one, other, feature):
    both = concatenate_datasets([one, other])
    assert both.features == {"a": feature}
    assert [row["a"] for row in both] == [row["a"] for row in [*one, *other]]
