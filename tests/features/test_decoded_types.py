"""Tensors of columns beside those that are decoded have the types of map-style datasets."""

from __future__ import annotations

import numpy as np
import PIL.Image
import pytest
from rowstream import Array2D, ClassLabel, Dataset, Features, Image, List, Value

FEATURES = Features(
    {
        "image": Image(),
        "float": Value("float32"),
        "int": Value("int32"),
        "text": Value("string"),
        "array": Array2D((1, 2), "float32"),
        "list": List(Value("float32")),
        "label": ClassLabel(names=["x", "y"]),
        "missing": Value("float32"),
    }
)
ROWS = {
    "image": [PIL.Image.new("RGB", (2, 2))] * 3,
    "float": [0.1, 0.2, 0.3],
    "int": [1, 2, 3],
    "text": ["a", "bb", "c"],
    "array": [[[1, 2]]] * 3,
    "list": [[1.0, 2.0], [3.0], [4.0]],
    "label": [0, 1, 0],
    "missing": [None, 1.0, 2.0],
}


def shape(value):
    if isinstance(value, dict):
        return {name: shape(one) for name, one in value.items()}
    if isinstance(value, list):
        return [shape(one) for one in value]
    return type(value).__name__, str(getattr(value, "dtype", "")), getattr(value, "shape", None)


@pytest.mark.parametrize("form", ["numpy", "torch"])
def test_streams_have_the_types_of_tables(form):
    if form == "torch":
        pytest.importorskip("torch")
    ds = Dataset.from_dict(ROWS, features=FEATURES).with_format(form)
    stream = ds.to_iterable_dataset()
    assert shape(next(iter(stream))) == shape(next(iter(ds)))
    assert shape(next(stream.iter(3))) == shape(next(ds.iter(3)))
    kept = ds.with_format(None).to_iterable_dataset().filter(lambda row: True).with_format(form)
    assert shape(next(kept.iter(3))) == shape(next(ds.iter(3)))


@pytest.mark.parametrize("form", ["numpy", "torch"])
def test_arrays_inside_others(form):
    if form == "torch":
        pytest.importorskip("torch")
    arrays = Array2D((2, 2), "float32")
    ds = Dataset.from_dict(
        {"list": [[[[1, 2], [3, 4]]]] * 2, "struct": [{"x": [[1, 2], [3, 4]]}] * 2},
        features=Features({"list": List(arrays), "struct": {"x": arrays}}),
    )
    row = next(iter(ds.to_iterable_dataset().with_format(form)))
    assert np.asarray(row["list"]).tolist() == [[[1, 2], [3, 4]]]
    assert np.asarray(row["struct"]["x"]).tolist() == [[1, 2], [3, 4]]


def test_pixels_of_functions_stay_bytes():
    pixels = np.zeros((4, 4, 3), np.uint8)
    stream = Dataset.from_dict({"a": [1, 2]}).to_iterable_dataset().with_format("numpy")

    def image(row):
        pixels[:] = int(row["a"])
        return {"image": pixels}

    rows = [*stream.map(image)]
    assert [row["image"].dtype for row in rows] == [np.uint8] * 2
    # What a function writes into again is copied.
    assert [row["image"].max() for row in rows] == [1, 2]
