"""Rows for Keras. TensorFlow is a large package, which nothing else here needs: where it is not installed, this is skipped."""

from __future__ import annotations

import numpy as np
import pytest
from rowstream import Dataset

tf = pytest.importorskip("tensorflow")
pytestmark = [pytest.mark.heavy, pytest.mark.filterwarnings("ignore")]


@pytest.fixture
def ds():
    rows = [
        {
            "id": i,
            "x": [i / 2, 1.0],
            "tokens": list(range(i % 3 + 1)),
            "text": f"row {i}",
            "label": i % 2,
        }
        for i in range(10)
    ]
    return Dataset.from_list(rows)


def test_batches_and_rows(ds):
    whole = ds.to_tf_dataset(batch_size=4, columns=["id", "x"], label_cols="label")
    assert len(whole) == 3
    batches = list(whole)
    assert [inputs["id"].numpy().tolist() for inputs, _ in batches] == [
        [0, 1, 2, 3],
        [4, 5, 6, 7],
        [8, 9],
    ]
    inputs, label = batches[0]
    assert (inputs["x"].dtype, inputs["x"].shape, label.numpy().tolist()) == (
        tf.float32,
        (4, 2),
        [0, 1, 0, 1],
    )
    assert [
        batch.shape for batch in ds.to_tf_dataset(batch_size=4, columns="x", drop_remainder=True)
    ] == [(4, 2), (4, 2)]
    assert [int(row) for row in ds.to_tf_dataset(columns="id")] == list(range(10))
    assert next(iter(ds.to_tf_dataset(batch_size=2, columns="text"))).numpy().tolist() == [
        b"row 0",
        b"row 1",
    ]
    assert set(next(iter(ds.remove_columns("tokens").to_tf_dataset(batch_size=2)))) == {
        "id",
        "x",
        "text",
        "label",
    }


def test_shuffled_anew_each_pass(ds):
    shuffled = ds.to_tf_dataset(batch_size=5, columns="id", shuffle=True)
    passes = [[i for batch in shuffled for i in batch.numpy().tolist()] for _ in range(4)]
    assert all(sorted(one) == list(range(10)) for one in passes)
    assert len(set(map(tuple, passes))) > 1


def test_a_collator(ds):
    def padded(rows, to):
        return {
            "tokens": np.array(
                [[*row["tokens"], *[-1] * (to - len(row["tokens"]))] for row in rows]
            ),
            "labels": np.array([row["label"] for row in rows]),
        }

    made = ds.to_tf_dataset(
        batch_size=4,
        columns="tokens",
        label_cols="label",
        collate_fn=padded,
        collate_fn_args={"to": 3},
    )
    tokens, labels = next(iter(made))
    assert tokens.numpy().tolist() == [[0, -1, -1], [0, 1, -1], [0, 1, 2], [0, -1, -1]]
    assert labels.numpy().tolist() == [0, 1, 0, 1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"label_cols": "label"}, "Cannot specify label_cols without specifying columns"),
        ({"columns": ["id", "id"]}, "contains duplicates"),
        ({"columns": "none"}, "Column none not found"),
        ({"columns": "id", "num_workers": -1}, "num_workers must be >= 0"),
    ],
)
def test_arguments_that_make_no_sense(ds, arguments, message):
    with pytest.raises(ValueError, match=message):
        ds.to_tf_dataset(batch_size=2, **arguments)


def test_what_is_no_array(ds):
    with pytest.raises(RuntimeError, match="column 'tokens' is of object"):
        ds.map(lambda row: {"tokens": {"a": 1}}).to_tf_dataset(batch_size=2, columns="tokens")
