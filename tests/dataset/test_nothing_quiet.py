"""Item 9: functions and types that do not fit give the right rows or an error, never other rows without a word."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import rowstream
from rowstream import (
    Array2D,
    ClassLabel,
    Dataset,
    DatasetInfo,
    Features,
    IterableDataset,
    List,
    Value,
    concatenate_datasets,
    exceptions,
    load_dataset,
    load_from_disk,
)

ERRORS = (ValueError, TypeError, IndexError, rowstream.exceptions.RowstreamError)


@pytest.fixture(autouse=True)
def _quiet(tmp_path, monkeypatch):
    monkeypatch.setattr(rowstream.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    rowstream.disable_progress_bars()
    yield
    rowstream.enable_progress_bars()


def numbers(n):
    return Dataset.from_dict({"x": list(range(n)), "s": [str(i) for i in range(n)]})


def negative(batch):
    return {"x": [-1 - x for x in batch["x"]]}


def outcome(program):
    """What a program gives, or that it raises."""
    try:
        return program()
    except ERRORS:
        return "an error"


# ------------------------------------------------------------------------------------------------------ drop_last_batch

DROPS = {
    "map": lambda ds, **how: ds.map(
        negative, batched=True, batch_size=4, drop_last_batch=True, **how
    ),
    "from files": lambda ds, **how: ds.map(
        negative, batched=True, batch_size=4, drop_last_batch=True, **how
    ),
    "through a list of rows": lambda ds, **how: ds.select(range(len(ds) - 1, -1, -1)).map(
        negative, batched=True, batch_size=4, drop_last_batch=True, **how
    ),
    "arrays": lambda ds, **how: ds.with_format("numpy").map(
        lambda batch: {"x": -1 - batch["x"]},
        batched=True,
        batch_size=4,
        drop_last_batch=True,
        **how,
    ),
}


@pytest.mark.parametrize("n", [0, 1, 3, 4, 7, 8])
@pytest.mark.parametrize("road", DROPS)
def test_a_last_batch_is_left_out_not_given_as_it_was(road, n, tmp_path):
    """Fewer rows than a batch are no rows; in streams as in map-style data sets."""
    ds = numbers(n)
    if road == "from files" and n:
        ds.save_to_disk(tmp_path / "saved")
        ds = load_from_disk(tmp_path / "saved")
    made = DROPS[road](ds)
    rows = list(range(n))[::-1] if road == "through a list of rows" else list(range(n))
    assert made.with_format(None)["x"][:] == [-1 - x for x in rows[: n // 4 * 4]]
    assert made.column_names == ["x", "s"]
    if n:
        stream = ds.to_iterable_dataset().map(
            negative, batched=True, batch_size=4, drop_last_batch=True
        )
        assert [row["x"] for row in stream] == [-1 - x for x in range(n // 4 * 4)]


def test_columns_of_no_rows():
    """What is removed is gone, what is named by features= is there."""
    few = numbers(2)
    how = {"batched": True, "batch_size": 10, "drop_last_batch": True}
    removed = few.map(negative, remove_columns=["s"], **how)
    assert (removed.column_names, len(removed)) == (["x"], 0)
    features = Features({"x": Value("int64"), "s": Value("string"), "y": Value("float32")})
    given = few.map(lambda batch: {"y": batch["x"]}, features=features, **how)
    assert (given.features, len(given)) == (features, 0)
    assert len(few.map(None, **how)) == 0
    grouped = few.batch(10, drop_last_batch=True)
    assert (grouped.features, len(grouped)) == (
        Features({"x": List(Value("int64")), "s": List(Value("string"))}),
        0,
    )


@pytest.mark.heavy
@pytest.mark.parametrize("n", [3, 10, 11, 13])
def test_no_process_gives_rows_that_were_not_done(n):
    """Each part of num_proc leaves out its short batch, or there is only one of all."""
    made = numbers(n).map(negative, batched=True, batch_size=4, drop_last_batch=True, num_proc=3)[
        "x"
    ][:]
    assert all(x < 0 for x in made)
    assert len(set(made)) == len(made)
    assert len(made) % 4 == 0
    assert len(made) <= n // 4 * 4


# ----------------------------------------------------------------------------------------------- what a batch returns

UNEVEN = {
    "one column emptied": lambda batch: {"x": []},
    "a new column empty": lambda batch: {"y": []},
    "one column cut": lambda batch: {"x": batch["x"][:-1]},
    "one column longer": lambda batch: {"x": [*batch["x"], 1]},
    "two lengths": lambda batch: {"x": [1, 2], "s": ["a"]},
    "an empty one first": lambda batch: {"x": [], "s": ["a"]},
    "an empty one last": lambda batch: {"x": [1], "s": []},
    "an empty array": lambda batch: {"x": np.array([], dtype=np.int64)},
    "an empty Arrow array": lambda batch: {"x": pa.array([], pa.int64())},
}


@pytest.mark.parametrize("size", [2, 5, None])
@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("kind", UNEVEN)
def test_columns_of_a_batch_have_one_length(kind, streaming, size):
    """A column that is shorter than those that stay is an error, also where it is empty."""
    ds = numbers(5)
    ds = ds.to_iterable_dataset() if streaming else ds
    with pytest.raises(ERRORS, match=r"(?i)length"):
        list(ds.map(UNEVEN[kind], batched=True, batch_size=size))


def test_a_later_batch_that_is_empty_only_in_part():
    """The first batches were whole."""
    ds = numbers(10)
    with pytest.raises(ERRORS, match=r"(?i)length"):
        ds.map(
            lambda batch: {"x": [] if batch["x"][0] == 8 else batch["x"]},
            batched=True,
            batch_size=2,
        )


def test_batches_may_become_no_rows():
    """All columns empty, or those that stay removed."""
    ds = numbers(6)
    for made in (
        ds.map(lambda batch: {"x": [], "s": []}, batched=True),
        ds.map(lambda batch: {"x": [], "s": []}, batched=True, batch_size=2),
        ds.with_format("arrow")
        .map(lambda table: table.slice(0, 0), batched=True)
        .with_format(None),
    ):
        assert (len(made), made.features) == (0, ds.features)
    made = ds.map(lambda batch: {"x": []}, batched=True, remove_columns=["s"])
    assert (len(made), made.column_names) == (0, ["x"])
    made = ds.map(lambda batch: {"y": []}, batched=True, remove_columns=["x", "s"])
    assert (len(made), made.column_names) == (0, ["y"])
    some = ds.map(
        lambda batch: {"x": [x for x in batch["x"] if x > 3]},
        batched=True,
        batch_size=2,
        remove_columns="s",
    )
    assert some["x"][:] == [4, 5]


KEYS = {
    "later rows lack a column": lambda row: {"y": 1} if row["x"] < 2 else {},
    "later rows have one more": lambda row: {} if row["x"] < 2 else {"y": 1},
    "later rows have another": lambda row: {"y": 1} if row["x"] < 2 else {"z": 1},
}


@pytest.mark.parametrize("how", [{}, {"writer_batch_size": 2}, {"batched": True, "batch_size": 2}])
@pytest.mark.parametrize("kind", KEYS)
def test_rows_with_other_columns(kind, how):
    """A column that only some rows have is null in the others, or an error: it is never dropped."""
    ds = numbers(4)
    function = KEYS[kind]

    def batched(batch):
        return {
            name: [value] * len(batch["x"])
            for name, value in function({"x": batch["x"][0]}).items()
        }

    found = outcome(
        lambda: (
            ds.map(batched if how.get("batched") else function, **how).remove_columns("s").to_list()
        )
    )
    if found != "an error":
        rows = [{"x": i, **function({"x": i})} for i in range(4)]
        names = {name for row in rows for name in row}
        assert found == [{name: row.get(name) for name in names} for row in rows]


@pytest.mark.heavy
@pytest.mark.parametrize("kind", KEYS)
@pytest.mark.parametrize(
    "how",
    [
        {},
        {"num_proc": 2},
        {"from files": True},
        {"from files": True, "batched": True},
        {"keep_in_memory": True},
    ],
)
def test_columns_of_some_rows_are_null_in_the_others(kind, how, tmp_path):
    """However many rows are written at once, and wherever they are of."""
    ds, function, how = numbers(4), KEYS[kind], dict(how)
    if how.pop("from files", False):
        ds.save_to_disk(tmp_path / "saved")
        ds = load_from_disk(tmp_path / "saved")

    def batched(batch):
        return {
            name: [value] * len(batch["x"])
            for name, value in function({"x": batch["x"][0]}).items()
        }

    how = {**how, "batch_size": 2} if how.get("batched") else {**how, "writer_batch_size": 3}
    rows = [{"x": i, "s": str(i), **function({"x": i})} for i in range(4)]
    names = {name for row in rows for name in row}
    assert ds.map(batched if how.get("batched") else function, **how).to_list() == [
        {name: row.get(name) for name in names} for row in rows
    ]


# --------------------------------------------------------------------------------------------------------------- masks

MASKS = {
    "empty": lambda batch: [],
    "one": lambda batch: [True],
    "too short": lambda batch: [True] * 3,
    "too long": lambda batch: [True] * 7,
    "an array too short": lambda batch: np.ones(3, dtype=bool),
    "an Arrow array too long": lambda batch: pa.array([True] * 7),
    "numbers of rows": lambda batch: [0, 2],
    "a dict": lambda batch: {"x": [True] * 5},
    "one truth value": lambda batch: True,
    "nothing": lambda batch: None,
}
FILTERS = {
    "batches": lambda ds, mask: ds.filter(mask, batched=True),
    "batches of five": lambda ds, mask: ds.filter(mask, batched=True, batch_size=5),
    "of a column": lambda ds, mask: ds.filter(mask, batched=True, input_columns="x"),
    "with numbers": lambda ds, mask: ds.filter(
        lambda batch, indices: mask(batch), batched=True, with_indices=True
    ),
    "arrays": lambda ds, mask: ds.with_format("numpy").filter(mask, batched=True),
    "tables": lambda ds, mask: ds.with_format("arrow").filter(mask, batched=True),
    "frames": lambda ds, mask: ds.with_format("pandas").filter(mask, batched=True),
}


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("road", FILTERS)
@pytest.mark.parametrize("kind", MASKS)
def test_a_mask_has_a_value_for_each_row(kind, road, streaming):
    """Whatever it is of: rows are neither left out nor kept because there is no answer for them."""
    ds = numbers(5)
    ds = ds.to_iterable_dataset() if streaming else ds.select([4, 2, 0, 1, 3])
    with pytest.raises(ERRORS):
        list(FILTERS[road](ds, MASKS[kind]))


@pytest.mark.heavy
@pytest.mark.parametrize("n", [0, 1, 7])
def test_a_mask_in_processes(n):
    """The error comes through."""
    with pytest.raises(ERRORS):
        numbers(10).filter(lambda batch: [True] * n, batched=True, num_proc=2)


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize(
    "answer", [pa.array([], pa.bool_()), pa.array([True, False]), np.array([True, True])]
)
def test_one_row_of_a_table_has_one_answer(answer, streaming):
    """An empty answer is not true."""
    ds = numbers(3).select_columns("x")
    ds = ds.to_iterable_dataset() if streaming else ds
    with pytest.raises(ERRORS):
        list(ds.with_format("arrow").filter(lambda table: answer))


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize(
    "mask",
    [
        lambda b: [0, 1, 2, 0, 1],
        lambda b: np.array([0, 1, 1, 0, 1]),
        lambda b: pa.array([None, True, True, False, True]),
    ],
)
def test_masks_that_fit(mask, streaming):
    """Anything with a truth value for each row; null is no."""
    ds = numbers(5)
    assert [
        row["x"]
        for row in (ds.to_iterable_dataset() if streaming else ds).filter(mask, batched=True)
    ] == [1, 2, 4]


# -------------------------------------------------------------------------------------------------- columns side by side


def column(name, n, streaming, made=False):
    values = pa.array(range(n), pa.int64())
    if not streaming:
        return Dataset.from_dict({name: values})
    ds = IterableDataset.from_dict({name: values})
    return ds.map(lambda row: row) if made else ds


@pytest.mark.parametrize("made", [False, True])
@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("lengths", [(5, 4), (4, 5), (0, 5), (5, 0), (3, 3, 2), (1, 0)])
def test_columns_side_by_side_have_one_length(lengths, streaming, made):
    """Nothing is filled in, and no column goes because its part is empty."""
    parts = [column(name, n, streaming, made) for name, n in zip("abc", lengths, strict=False)]
    with pytest.raises(ERRORS, match=r"(?i)rows|length"):
        list(concatenate_datasets(parts, axis=1))


@pytest.mark.parametrize("streaming", [False, True])
def test_no_rows_side_by_side(streaming):
    """Empty parts together have the columns of all."""
    both = concatenate_datasets([column("a", 0, streaming), column("b", 0, streaming)], axis=1)
    assert list(both) == []
    assert both.column_names == ["a", "b"]


def test_a_part_without_rows_that_was_chosen():
    """As one that never had any."""
    with pytest.raises(ERRORS, match=r"(?i)rows"):
        concatenate_datasets(
            [column("a", 5, streaming=False).select([]), column("b", 5, streaming=False)], axis=1
        )


@pytest.mark.parametrize("made", [False, True])
@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("lengths", [(5, 5), (0, 0), (0, 5), (5, 0), (5, 4)])
def test_columns_side_by_side_have_different_names(lengths, streaming, made):
    """Said at once, not when rows come, and of empty parts too."""
    parts = [column("a", n, streaming, made) for n in lengths]
    if made and streaming and 0 in lengths:
        pytest.skip("no row shows the columns of what a function makes")
    with pytest.raises(ERRORS, match="a"):
        concatenate_datasets(parts, axis=1)


def test_the_end_of_the_shorter_part_is_the_error():
    """The rows before it come, and a cut before it has them."""
    beside = concatenate_datasets(
        [column("a", 5, streaming=True), column("b", 3, streaming=True)], axis=1
    )
    assert [row["b"] for row in beside.take(3)] == [0, 1, 2]
    rows = iter(beside)
    assert [next(rows) for _ in range(3)] == [{"a": i, "b": i} for i in range(3)]
    with pytest.raises(ERRORS, match=r"(?i)rows|length"):
        next(rows)


# ------------------------------------------------------------------------------------------------ functions that give None

NONES = {
    "every other row": lambda row: None if row["x"] % 2 else {"y": row["x"]},
    "the first rows": lambda row: None if row["x"] < 3 else {"y": row["x"]},
    "the last rows": lambda row: {"y": row["x"]} if row["x"] < 3 else None,
    "one row": lambda row: None if row["x"] == 4 else {"y": row["x"]},
}


def batches_of(function):
    return lambda batch: (
        None
        if (made := function({"x": batch["x"][0]})) is None
        else {name: [value] for name, value in made.items()}
    )


@pytest.mark.heavy
@pytest.mark.parametrize("batched", [False, True])
@pytest.mark.parametrize("kind", NONES)
def test_none_for_some_rows_is_the_same_in_any_number_of_processes(kind, batched):
    """An error, or all rows, without values where the function gave none: never fewer rows."""
    function = NONES[kind]
    how = {"batched": True, "batch_size": 1} if batched else {}
    call = batches_of(function) if batched else function
    found = [
        outcome(lambda n=n: numbers(6).map(call, num_proc=n, **how).to_list())
        for n in (None, 1, 2, 3)
    ]
    kept = [{"x": i, "s": str(i), "y": (function({"x": i}) or {}).get("y")} for i in range(6)]
    assert found in (["an error"] * 4, [kept] * 4)


@pytest.mark.heavy
@pytest.mark.parametrize("num_proc", [None, 2])
def test_none_for_all_rows_is_for_its_side_effects(num_proc):
    """The data set stays as it is."""
    ds = numbers(6)
    assert ds.map(lambda row: None, num_proc=num_proc).to_list() == ds.to_list()
    assert (
        ds.map(lambda batch: None, batched=True, batch_size=2, num_proc=num_proc).to_list()
        == ds.to_list()
    )


@pytest.mark.parametrize("batched", [False, True])
@pytest.mark.parametrize("kind", NONES)
def test_none_for_some_rows_of_a_stream(kind, batched):
    """The same error."""
    function = NONES[kind]
    ds = numbers(6).to_iterable_dataset()
    with pytest.raises(ERRORS, match=r"None"):
        list(
            ds.map(batches_of(function), batched=True, batch_size=1)
            if batched
            else ds.map(function)
        )


# -------------------------------------------------------------------------------------------------------------- labels

LABEL = ClassLabel(names=["no", "yes"])
WRONG = {
    "too high": [0, 2],
    "no name": ["no", "maybe"],
    "a number as text, too high": ["0", "5"],
    "a fraction": [0.0, 1.5],
    "later": [0] * 1200 + [2],
}
LABELLED = {
    "cast_column": lambda values: Dataset.from_dict({"x": values}).cast_column("x", LABEL),
    "cast": lambda values: Dataset.from_dict({"x": values}).cast(Features({"x": LABEL})),
    "cast, nested": lambda values: Dataset.from_dict(
        {"x": [{"l": [v]} for v in values]}
    ).cast_column("x", {"l": List(LABEL)}),
    "from_dict": lambda values: Dataset.from_dict({"x": values}, features=Features({"x": LABEL})),
    "from_list": lambda values: Dataset.from_list(
        [{"x": v} for v in values], features=Features({"x": LABEL})
    ),
    "from_generator": lambda values: Dataset.from_generator(
        lambda: ({"x": v} for v in values), features=Features({"x": LABEL})
    ),
    "map": lambda values: Dataset.from_dict({"i": range(len(values))}).map(
        lambda row: {"x": values[row["i"]]}, remove_columns="i", features=Features({"x": LABEL})
    ),
}


@pytest.mark.parametrize("kind", WRONG)
@pytest.mark.parametrize("road", LABELLED)
def test_what_is_no_label_is_an_error(road, kind):
    """Of integers as of names, in every way to columns of labels."""
    with pytest.raises(ERRORS):
        list(LABELLED[road](WRONG[kind]))


@pytest.mark.parametrize(
    "values",
    [[0, 1, None, -1], ["no", "yes", None], ["0", "1"], [0.0, 1.0], [np.int64(1), np.int8(0)]],
)
@pytest.mark.parametrize("road", LABELLED)
def test_labels(road, values):
    """Integers, names, numbers as text; -1 says that a label is not known, as in test splits of the Hub."""
    ids = {"no": 0, "yes": 1}
    expected = [None if v is None else ids[v] if v in ids else int(v) for v in values]
    rows = list(LABELLED[road](values))
    assert [
        row["x"]["l"][0] if isinstance(row["x"], dict) else row["x"] for row in rows
    ] == expected


@pytest.mark.parametrize("values", [[0, 2], [0] * 1200 + [2]])
def test_streams_of_what_is_in_memory_have_only_labels(values):
    """Integers of any column that features say are labels."""
    for make in (
        lambda: IterableDataset.from_dict({"x": values}, features=Features({"x": LABEL})),
        lambda: IterableDataset.from_dict(
            {"x": [{"l": [v]} for v in values]}, features=Features({"x": {"l": List(LABEL)}})
        ),
        lambda: IterableDataset.from_pandas(
            pd.DataFrame({"x": values}), features=Features({"x": LABEL})
        ),
    ):
        with pytest.raises(ValueError, match="label"):
            make()


def test_a_column_of_labels_stays_one_only_with_labels():
    """What a function gives in its place is an error, or no label any more."""
    ds = Dataset.from_dict({"x": [1, 0]}, features=Features({"x": LABEL}))
    made = outcome(lambda: ds.map(lambda row: {"x": row["x"] + 7}))
    assert made == "an error" or (made.features["x"] == Value("int64") and made["x"][:] == [8, 7])
    assert ds.map(lambda row: {"x": 1 - row["x"]}).features["x"] == LABEL


# --------------------------------------------------------------------------------------- features that the data lack

FEATURES = Features({"a": Value("int64"), "b": Value("string")})
LACKING = {
    "from_dict": lambda: Dataset.from_dict({"a": [1]}, features=FEATURES),
    "from_dict with info": lambda: Dataset.from_dict(
        {"a": [1]}, info=DatasetInfo(features=FEATURES)
    ),
    "from_list": lambda: Dataset.from_list([{"a": 1}], features=FEATURES),
    "from_list, a later row": lambda: Dataset.from_list(
        [{"a": 1}, {"a": 1, "b": None}], features=FEATURES
    ).select([0]),
    "from_pandas": lambda: Dataset.from_pandas(pd.DataFrame({"a": [1]}), features=FEATURES),
    "from_arrow": lambda: Dataset.from_arrow(pa.table({"a": [1]}), features=FEATURES),
    "from_generator": lambda: Dataset.from_generator(lambda: iter([{"a": 1}]), features=FEATURES),
    "map": lambda: Dataset.from_dict({"a": [1]}).map(lambda row: {"a": 1}, features=FEATURES),
    "batched map": lambda: Dataset.from_dict({"a": [1]}).map(
        lambda batch: {"a": [1]}, batched=True, features=FEATURES
    ),
    "stream from_dict": lambda: IterableDataset.from_dict({"a": [1]}, features=FEATURES),
    "stream from_list": lambda: IterableDataset.from_list([{"a": 1}], features=FEATURES),
    "stream from_pandas": lambda: IterableDataset.from_pandas(
        pd.DataFrame({"a": [1]}), features=FEATURES
    ),
}


@pytest.mark.parametrize("road", LACKING)
def test_columns_that_the_data_lack_are_null_or_an_error(road):
    """`features=` names the columns of the result: none of them goes."""
    found = outcome(lambda: [(list(ds), ds.features) for ds in [LACKING[road]()]])
    assert found in ("an error", [([{"a": 1, "b": None}], FEATURES)])


@pytest.mark.parametrize("road", ["from_generator", "map"])
def test_columns_that_the_features_lack_are_an_error(road):
    """What is not named is not dropped without a word."""
    only, rows = Features({"a": Value("int64")}), [{"a": 1, "z": 2}]
    ds = Dataset.from_list([{"a": 1}])
    with pytest.raises((*ERRORS, KeyError), match="z"):
        list(
            {
                "from_generator": lambda: Dataset.from_generator(lambda: iter(rows), features=only),
                "map": lambda: ds.map(lambda row: {"z": 2}, features=only),
            }[road]()
        )


def test_no_rows_have_the_columns_that_are_named():
    """An empty dict or list with features."""
    for make in (
        lambda: Dataset.from_dict({}, features=FEATURES),
        lambda: Dataset.from_list([], features=FEATURES),
    ):
        found = outcome(make)
        assert found == "an error" or (found.features, len(found)) == (FEATURES, 0)
    for make in (
        lambda: IterableDataset.from_dict({}, features=FEATURES),
        lambda: IterableDataset.from_list([], features=FEATURES),
    ):
        found = outcome(make)
        assert found == "an error" or (found.features, list(found)) == (FEATURES, [])


# -------------------------------------------------------------------------------------------------------------- shapes

SHAPES = {
    "too short": [[1, 2]],
    "too long": [[1, 2], [3, 4], [5, 6]],
    "too wide": [[1, 2, 3], [4, 5, 6]],
    "ragged": [[1, 2], [3]],
    "another order": [[1, 2, 3, 4]],
    "fewer dimensions": [1, 2, 3, 4],
    "more dimensions": [[[1], [2]], [[3], [4]]],
    "empty": [],
}
RIGHT = [[1, 2], [3, 4]]
SHAPED = {
    "from_dict": lambda values, of: Dataset.from_dict({"x": values}, features=Features({"x": of})),
    "from_list": lambda values, of: Dataset.from_list(
        [{"x": v} for v in values], features=Features({"x": of})
    ),
    "from_generator": lambda values, of: Dataset.from_generator(
        lambda: ({"x": v} for v in values), features=Features({"x": of})
    ),
    "map": lambda values, of: Dataset.from_dict({"i": range(len(values))}).map(
        lambda row: {"x": values[row["i"]]}, remove_columns="i", features=Features({"x": of})
    ),
    "batched map": lambda values, of: Dataset.from_dict({"i": range(len(values))}).map(
        lambda batch: {"x": [values[i] for i in batch["i"]]},
        batched=True,
        remove_columns="i",
        features=Features({"x": of}),
    ),
    "cast_column": lambda values, of: Dataset.from_dict({"x": values}).cast_column("x", of),
    "add_column": lambda values, of: (
        Dataset.from_dict({"i": range(len(values))})
        .add_column("x", values, feature=of)
        .select_columns("x")
    ),
    "stream from_dict": lambda values, of: IterableDataset.from_dict(
        {"x": values}, features=Features({"x": of})
    ),
}


@pytest.mark.parametrize("array", [False, True])
@pytest.mark.parametrize("kind", SHAPES)
@pytest.mark.parametrize("road", SHAPED)
def test_arrays_have_their_shape(road, kind, array):
    """Lists as arrays of NumPy: one of another shape is an error, not rows that are cut otherwise when they are read."""
    if array and kind == "ragged":
        pytest.skip("no array")
    values = [RIGHT, SHAPES[kind]]
    if road == "cast_column" and "dimensions" in kind:
        values = [SHAPES[kind]]
    with pytest.raises(ERRORS):
        list(
            SHAPED[road](
                [np.array(v) for v in values] if array else values,
                Array2D(shape=(2, 2), dtype="int32"),
            )
        )


@pytest.mark.parametrize("road", SHAPED)
def test_arrays_whose_first_dimension_is_free(road):
    """The others are checked; missing arrays are none."""
    of = Array2D(shape=(None, 2), dtype="int32")
    values = [RIGHT, [[1, 2]], [[1, 2], [3, 4], [5, 6]]]
    assert [np.asarray(row["x"]).tolist() for row in SHAPED[road](values, of)] == values
    for wrong in ([[1, 2, 3]], [[1, 2], [3]]):
        with pytest.raises(ERRORS):
            list(SHAPED[road]([RIGHT, wrong], of))
    fixed = Array2D(shape=(2, 2), dtype="int32")
    assert [row["x"] for row in SHAPED[road]([RIGHT, None], fixed)][1] is None


def test_arrays_inside_lists_and_structs_have_their_shape():
    """Wherever the type is."""
    of = {"l": List(Array2D(shape=(2, 2), dtype="int32"))}
    assert Dataset.from_dict({"x": [{"l": [RIGHT]}]}, features=Features({"x": of}))[0]["x"] == {
        "l": [RIGHT]
    }
    with pytest.raises(ERRORS):
        Dataset.from_dict({"x": [{"l": [RIGHT, [[1, 2]]]}]}, features=Features({"x": of}))


# ------------------------------------------------------------------------------------------------------------ relatives


@pytest.mark.heavy
@pytest.mark.parametrize("n", [3, 4, 9, 10, 11, 13, 25])
def test_any_number_of_processes_leaves_out_one_batch(n):
    """The last one of all."""
    how = {"batched": True, "batch_size": 4, "drop_last_batch": True}
    assert numbers(n).map(negative, num_proc=3, **how)["x"][:] == [
        -1 - x for x in range(n // 4 * 4)
    ]
    grouped = numbers(n).batch(4, drop_last_batch=True, num_proc=3)
    assert grouped["x"][:] == [list(range(i, i + 4)) for i in range(0, n // 4 * 4, 4)]


@pytest.mark.heavy
@pytest.mark.parametrize("num_proc", [None, 2, 3])
def test_nothing_of_whole_batches_keeps_all_rows(num_proc):
    """A function for its side effects changes nothing, whatever is left out."""
    ds = numbers(10)
    made = ds.map(
        lambda batch: None, batched=True, batch_size=4, drop_last_batch=True, num_proc=num_proc
    )
    assert made.to_list() == ds.to_list()


def test_a_batch_that_is_left_out_is_found_again(tmp_path):
    """Its file has no rows, and the columns."""
    numbers(3).save_to_disk(tmp_path / "saved")
    ds = load_from_disk(tmp_path / "saved")
    how = {"batched": True, "batch_size": 4, "drop_last_batch": True, "remove_columns": "s"}
    first, again = (ds.map(negative, **how) for _ in range(2))
    assert (len(first), first.column_names, first._fingerprint) == (0, ["x"], again._fingerprint)
    assert first.cache_files == again.cache_files
    assert len(ds.map(negative, **{**how, "batch_size": 3})) == 3


def test_features_of_a_map_of_nothing():
    """They name the columns, also where there are no rows to begin with."""
    features = Features({"y": Value("float32")})
    assert numbers(0).map(negative, features=features).features == features


@pytest.mark.parametrize(
    "answer",
    [pa.scalar(False), np.bool_(False), np.array([False]), pa.array([False]), None, 0, "", []],
)
@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("format", [None, "arrow", "pandas", "numpy"])
def test_no_in_any_form(answer, format, streaming):
    """Of one row."""
    ds = numbers(3).to_iterable_dataset() if streaming else numbers(3)
    if format == "arrow" and not streaming:
        pytest.skip("rows of tables are filtered in batches")
    if format in ("arrow", "pandas") and isinstance(answer, list):
        pytest.skip("an empty answer of a table is an error")
    assert list(ds.with_format(format).filter(lambda row: answer).with_format(None)) == []


def test_files_with_labels_and_shapes_load(tmp_path):
    """What is right is there after it is saved."""
    features = Features({"x": LABEL, "a": Array2D(shape=(2, 2), dtype="int32")})
    ds = Dataset.from_dict({"x": [0, -1, None], "a": [RIGHT, None, RIGHT]}, features=features)
    ds.save_to_disk(tmp_path / "saved")
    loaded = load_from_disk(tmp_path / "saved")
    assert (loaded.features, loaded.to_list()) == (features, ds.to_list())
    assert loaded.map(lambda row: row).features == features


def test_no_rows_are_a_stream_too():
    """One piece of nothing."""
    assert list(Dataset.from_dict({"a": []}).to_iterable_dataset()) == []


@pytest.mark.parametrize("how", ["features", "cast_column"])
@pytest.mark.parametrize("kind", ["json", "parquet", "arrow"])
def test_streams_check_shapes(kind, how, tmp_path):
    """Of arrays in files, also inside objects; whole arrays may be missing, and a dimension of any length has any."""

    def stream(values, feature):
        path = tmp_path / f"a.{kind}"
        table = pa.table({"a": values})
        if kind == "json":
            path.write_text("".join(json.dumps(row) + "\n" for row in table.to_pylist()))
        elif kind == "parquet":
            pq.write_table(table, path)
        else:
            with pa.ipc.new_stream(str(path), table.schema) as writer:
                writer.write_table(table)
        features = {"features": Features({"a": feature})} if how == "features" else {}
        ds = load_dataset(kind, data_files=str(path), split="train", streaming=True, **features)
        return ds if features else ds.cast_column("a", feature)

    good = [[[1, 2], [3, 4]], None, [[5, 6], [7, 8]]]
    assert [row["a"] for row in stream(good, Array2D((2, 2), "int64"))] == good
    long = [[[1, 2]], [[1, 2], [3, 4], [5, 6]]]
    assert [row["a"] for row in stream(long, Array2D((None, 2), "int64"))] == long
    for bad in ([[1, 2, 3], [4, 5, 6]], [[1, 2]], [[1, 2], [3]]):
        with pytest.raises(exceptions.SchemaError, match="another shape"):
            list(stream([good[0], bad], Array2D((2, 2), "int64")))
        with pytest.raises(exceptions.SchemaError, match="another shape"):
            list(stream([{"x": good[0]}, {"x": bad}], {"x": Array2D((2, 2), "int64")}))
    (batch,) = stream(good, Array2D((2, 2), "int64")).with_format("arrow").iter(3)
    assert not batch.schema.field("a").metadata
