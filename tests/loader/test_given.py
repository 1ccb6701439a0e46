"""What loaders make of transforms, places and masks that datasets come with."""

from __future__ import annotations

import numpy as np
import pytest
import rowstream
from rowstream import Dataset, Features, Image


def numbers(batch):
    return np.asarray(batch["a"]).tolist()


def test_a_transform_is_called():
    ds = Dataset.from_dict({"a": [1, 2, 3]}).with_transform(
        lambda batch: {"double": [2 * a for a in batch["a"]]}
    )
    loader = rowstream.DataLoader(ds, 2, format="numpy")
    assert [batch["double"].tolist() for batch in loader] == [[2, 4], [6]]
    assert len(loader) == 2
    assert [*ds.to_iterable_dataset()] == [{"double": 2}, {"double": 4}, {"double": 6}]
    shuffled = rowstream.DataLoader(ds, 3, format="numpy", shuffle=True)
    assert sorted(next(iter(shuffled))["double"].tolist()) == [2, 4, 6]


def test_images_of_a_table_are_decoded():
    pixels = np.full((6, 6, 3), 7, np.uint8)
    ds = Dataset.from_dict({"image": [pixels] * 2}, features=Features({"image": Image()}))
    batch = next(iter(rowstream.DataLoader(ds.decode_images("image", size=4), 2, format="numpy")))
    assert batch["image"].shape == (2, 4, 4, 3)
    assert batch["image"].dtype == np.uint8


def test_a_place_that_was_loaded_is_that_of_the_first_epoch():
    def stream():
        return Dataset.from_dict({"a": [*range(6)]}).to_iterable_dataset()

    ds = stream()
    rows = iter(ds)
    assert [next(rows)["a"] for _ in range(2)] == [0, 1]
    other = stream()
    other.load_state_dict(ds.state_dict())
    loader = rowstream.DataLoader(other, 2, format="numpy")
    assert [numbers(batch) for batch in loader] == [[2, 3], [4, 5]]
    assert [numbers(batch) for batch in loader] == [[0, 1], [2, 3], [4, 5]]


def test_masks_of_rows_are_filled_up_with_their_ids():
    torch = pytest.importorskip("torch")
    rows = {
        "input_ids": [[1, 2, 3], [4, 5, 6]],
        "attention_mask": [[1, 1, 1], [1, 1, 1]],
        "position_ids": [[0, 1, 2]] * 2,
        "labels": [[1, 2, 3], [4, 5, 6]],
        "classes": [[1, 0, 0], [0, 0, 1]],
    }
    batch = next(iter(rowstream.DataLoader(Dataset.from_dict(rows), 2, pad_to_multiple_of=8)))
    shapes = {name: tuple(of.shape) for name, of in batch.items()}
    assert shapes.pop("classes") == (2, 3)
    assert set(shapes.values()) == {(2, 8)}
    assert torch.equal(batch["attention_mask"].sum(1), torch.tensor([3, 3]))
    assert batch["labels"][0].tolist() == [1, 2, 3, *[-100] * 5]


def test_snapshots_that_are_behind_are_refused():
    state = {"_snapshot": {}, "_steps_since_snapshot": 2}
    with pytest.raises(rowstream.exceptions.CheckpointMismatchError, match="snapshot_every_n"):
        rowstream.merge_state_dicts([state])


def test_columns_that_a_format_leaves_to_rows():
    table = Dataset.from_dict({"a": [1, 2], "b": ["x", "y"], "c": [3, 4]})
    for ds in (
        table.with_format("numpy", columns=["c", "a"]),
        table.with_transform(lambda rows: rows, columns=["c", "a"]),
    ):
        (batch,) = rowstream.DataLoader(ds, 2, format="numpy")
        assert {name: column.tolist() for name, column in batch.items()} == {
            "a": [1, 2],
            "c": [3, 4],
        }
        assert [*batch] == [*ds[0]] == [*next(iter(ds.to_iterable_dataset()))]
    ds = table.with_format("numpy", columns=["a"], output_all_columns=True)
    (batch,) = rowstream.DataLoader(ds, 2, format="numpy")
    assert {*batch} == {*ds[0]} == {"a", "b", "c"}


def test_columns_of_a_transform_beside_others_are_refused():
    ds = Dataset.from_dict({"a": [1], "b": [2]}).with_transform(
        lambda batch: batch, columns=["a"], output_all_columns=True
    )
    with pytest.raises(rowstream.exceptions.UnsupportedError, match="select_columns"):
        rowstream.DataLoader(ds)


def test_a_rank_that_ended_beside_one_in_the_next_epoch():
    def loader(c):
        ds = Dataset.from_dict({"a": [*range(9)]}).to_iterable_dataset()
        return rowstream.DataLoader(ds, 2, format="numpy", world=(c, 2))

    def batches(one):
        while True:
            yield from one

    states, coming = [], []
    for c in range(2):
        one = loader(c)
        steps = batches(one)
        for _ in range(3):
            next(steps)
        states.append(one.state_dict())
        coming.append([numbers(batch) for batch, _ in zip(steps, range(2), strict=False)])
    for c in range(2):
        one = loader(c)
        one.load_state_dict(states)
        found = [numbers(batch) for batch, _ in zip(batches(one), range(2), strict=False)]
        assert found == coming[c]


def test_rows_for_collate_fn_are_in_the_format_of_the_table():
    import torch

    ds = Dataset.from_dict({"a": [1, 2]})
    (batch,) = rowstream.DataLoader(ds.with_format("torch"), 2, collate_fn=lambda rows: rows)
    assert [type(row["a"]) for row in batch] == [torch.Tensor] * 2
    (batch,) = rowstream.DataLoader(ds.with_format("pandas"), 2, collate_fn=lambda rows: rows)
    assert batch == [{"a": 1}, {"a": 2}]
    with pytest.raises(rowstream.exceptions.UnsupportedError, match="without options"):
        rowstream.DataLoader(
            ds.with_format("torch", dtype=torch.float32), 2, collate_fn=lambda rows: rows
        )


class NeedsTwoError(Exception):
    """An exception that cannot be read back from its pickle."""

    def __init__(self, words, more):
        super().__init__(words)
        self.more = more


def test_errors_of_processes_keep_their_words():
    def fails(row):
        raise NeedsTwoError("the words", 2)

    with pytest.raises(RuntimeError, match="NeedsTwoError: the words"):
        list(Dataset.from_dict({"a": [1]}).to_iterable_dataset().map(fails, num_proc=1))


@pytest.mark.filterwarnings("error")
def test_an_async_stream_that_is_left_ends_while_another_loop_runs():
    import asyncio
    import gc

    async def doubled(row):
        return {"a": row["a"] * 2}

    async def main():
        rows = iter(Dataset.from_dict({"a": [*range(9)]}).to_iterable_dataset().map(doubled))
        assert next(rows) == {"a": 0}
        del rows
        gc.collect()

    asyncio.run(main())
