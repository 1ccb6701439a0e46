"""Map columns of Arrow and Parquet: lists of pairs in rows, however they are asked for, written and read."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import rowstream
from rowstream import (
    ClassLabel,
    Dataset,
    Features,
    List,
    Value,
    concatenate_datasets,
    load_dataset,
    load_from_disk,
)


@pytest.fixture(autouse=True)
def _quiet(tmp_path, monkeypatch):
    monkeypatch.setattr(rowstream.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    rowstream.disable_progress_bars()
    yield
    rowstream.enable_progress_bars()


# ---------------------------------------------------------------------------------------------------------------- maps

PLAIN = pa.map_(pa.string(), pa.int64())
MAPS = {
    "of integers": pa.array([[("a", 1), ("b", None)], [], None, [("c", 3)]], PLAIN),
    "by integers": pa.array([[(1, "a")], [], None, [(2, None)]], pa.map_(pa.int32(), pa.string())),
    "of objects": pa.array(
        [[("a", {"x": 1})], [], None, [("c", None)]],
        pa.map_(pa.string(), pa.struct({"x": pa.int64()})),
    ),
    "of lists": pa.array(
        [[("a", [1, None])], [], None, [("c", None)]], pa.map_(pa.string(), pa.list_(pa.int8()))
    ),
    "of maps": pa.array(
        [[("a", [("z", 1)])], [], None, [("c", None)]], pa.map_(pa.string(), PLAIN)
    ),
    "in lists": pa.array([[[("a", 1)], []], [], None, [None, [("c", 3)]]], pa.list_(PLAIN)),
    "in objects": pa.array(
        [{"m": [("a", 1)]}, {"m": []}, None, {"m": None}], pa.struct({"m": PLAIN})
    ),
    "none there": pa.array([None] * 4, PLAIN),
    "all empty": pa.array([[]] * 4, PLAIN),
}


def loaded(column, kind, folder, streaming=False, **options):
    table = pa.table({"c": column, "i": range(len(column))})
    if kind == "memory":
        ds = Dataset.from_arrow(table)
        return ds.to_iterable_dataset() if streaming else ds
    path = folder / f"a.{kind}"
    if kind == "parquet":
        pq.write_table(table, path)
    else:
        with pa.ipc.new_stream(str(path), table.schema) as writer:
            writer.write_table(table)
    return load_dataset(kind, data_files=str(path), split="train", streaming=streaming, **options)


def pairs(value):
    """A value with pairs in place of the entries of maps, however they are written."""
    if isinstance(value, dict):
        return (
            (pairs(value["key"]), pairs(value["value"]))
            if set(value) == {"key", "value"}
            else {k: pairs(v) for k, v in value.items()}
        )
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, list):
        return [pairs(one) for one in value]
    if isinstance(value, tuple):
        return tuple(pairs(one) for one in value)
    return None if isinstance(value, float) and np.isnan(value) else value


ROWS = {
    "iteration": lambda ds: [row["c"] for row in ds],
    "one by one": lambda ds: [ds[i]["c"] for i in range(4)],
    "from the end": lambda ds: [ds[i - 4]["c"] for i in range(4)],
    "a slice": lambda ds: ds[:]["c"],
    "a list of rows": lambda ds: ds[[0, 1, 2, 3]]["c"],
    "a column": lambda ds: list(ds["c"]),
    "a column's rows": lambda ds: [ds["c"][i] for i in range(4)],
    "for loaders": lambda ds: [row["c"] for row in ds.__getitems__([0, 1, 2, 3])],
    "batches": lambda ds: [value for batch in ds.iter(3) for value in batch["c"]],
    "select": lambda ds: [row["c"] for row in ds.select([3, 2, 1, 0]).select([3, 2, 1, 0])],
    "select, one": lambda ds: [ds.select([3, 2, 1, 0])[3 - i]["c"] for i in range(4)],
    "take and skip": lambda ds: [*ds.take(2)[:]["c"], *ds.skip(2)[:]["c"]],
    "filter": lambda ds: ds.filter(lambda row: row["i"] >= 0)[:]["c"],
    "filter in batches": lambda ds: ds.filter(
        lambda batch: [i >= 0 for i in batch["i"]], batched=True
    )[:]["c"],
    "filter by an expression": lambda ds: ds.filter(rowstream.col("i") >= 0)[:]["c"],
    "sort": lambda ds: ds.sort("i", reverse=True).sort("i")[:]["c"],
    "shuffle": lambda ds: ds.shuffle(seed=1).sort("i")[:]["c"],
    "split": lambda ds: concatenate_datasets(list(ds.train_test_split(2, seed=1).values())).sort(
        "i"
    )[:]["c"],
    "map another column": lambda ds: ds.map(lambda row: {"j": row["i"]})[:]["c"],
    "map in batches": lambda ds: ds.map(lambda batch: {"j": batch["i"]}, batched=True)[:]["c"],
    "columns": lambda ds: (
        ds.rename_column("c", "d")
        .select_columns(["d"])
        .rename_column("d", "c")
        .add_column("k", [1] * 4)[:]["c"]
    ),
    "another column's type": lambda ds: ds.cast_column("i", Value("int32"))[:]["c"],
    "its own type": lambda ds: ds.cast(ds.features)[:]["c"],
    "together": lambda ds: concatenate_datasets([ds, ds])[4:]["c"],
    "side by side": lambda ds: concatenate_datasets(
        [ds.select_columns("c"), ds.select_columns("i")], axis=1
    )[:]["c"],
    "written one after another": lambda ds: (
        ds.select([3, 2, 1, 0]).flatten_indices().select([3, 2, 1, 0])[:]["c"]
    ),
    "pickled": lambda ds: pickle.loads(pickle.dumps(ds))[:]["c"],
    "as a stream": lambda ds: [row["c"] for row in ds.to_iterable_dataset()],
    "as a stream, chosen": lambda ds: [
        row["c"] for row in ds.select([0, 1, 2, 3][::1]).to_iterable_dataset()
    ],
    "a dict": lambda ds: ds.to_dict()["c"],
    "a list": lambda ds: [row["c"] for row in ds.to_list()],
}


@pytest.mark.parametrize("source", ["parquet", "memory"])
@pytest.mark.parametrize("road", ROWS)
@pytest.mark.parametrize("kind", ["of integers", "of maps", "in objects"])
def test_maps_are_lists_of_pairs(kind, road, source, tmp_path):
    """In every way to rows, as in streams."""
    ds = loaded(MAPS[kind], source, tmp_path)
    assert list(map(pairs, ROWS[road](ds))) == MAPS[kind].to_pylist()


@pytest.mark.parametrize("source", ["parquet", "arrow", "memory"])
@pytest.mark.parametrize("kind", MAPS)
def test_a_row_is_the_same_however_it_is_asked_for(kind, source, tmp_path):
    """By its number, in a batch, in iteration, in a stream."""
    ds = loaded(MAPS[kind], source, tmp_path)
    rows = list(ds)
    assert rows == list(loaded(MAPS[kind], source, tmp_path, streaming=True))
    assert [ds[i] for i in range(4)] == rows
    assert ds[:]["c"] == [row["c"] for row in rows]
    assert ds.select([2, 0])[:]["c"] == [rows[2]["c"], rows[0]["c"]]
    if kind == "of integers":
        assert rows[0]["c"] == [("a", 1), ("b", None)]
        assert ds.features["c"] == List({"key": Value("string"), "value": Value("int64")})


WRITTEN = {
    "folder": lambda ds, path: ds.save_to_disk(path) or [row["c"] for row in load_from_disk(path)],
    "folder of parts": lambda ds, path: (
        ds.save_to_disk(path, num_shards=2) or [row["c"] for row in load_from_disk(path)]
    ),
    "parquet": lambda ds, path: ds.to_parquet(path) and pq.read_table(path)["c"].to_pylist(),
    "json": lambda ds, path: (
        ds.to_json(path) and [json.loads(line)["c"] for line in path.read_text().splitlines()]
    ),
    "csv": lambda ds, path: ds.to_csv(path) and None,
    "pandas": lambda ds, path: ds.to_pandas()["c"].tolist(),
    "polars": lambda ds, path: ds.to_polars()["c"].to_list(),
    "arrow": lambda ds, path: ds.with_format("arrow")[:]["c"].to_pylist(),
    "numpy": lambda ds, path: [row["c"] for row in ds.with_format("numpy")] and None,
    "frames": lambda ds, path: ds.with_format("pandas")[:]["c"].tolist(),
    "tensors": lambda ds, path: ds.with_format("torch")[0] and None,
    "the Arrow stream": lambda ds, path: pa.table(ds)["c"].to_pylist(),
}


def listed(value):
    """As `pairs`, where JSON has lists for pairs, and frames have arrays."""
    if isinstance(value, tuple):
        return [listed(one) for one in value]
    if isinstance(value, (list, np.ndarray)):
        return [listed(one) for one in value]
    if isinstance(value, dict) and set(value) == {"key", "value"}:
        return [listed(value["key"]), listed(value["value"])]
    if isinstance(value, dict):
        return {name: listed(one) for name, one in value.items()}
    return None if isinstance(value, float) and np.isnan(value) else value


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("source", ["parquet", "arrow"])
@pytest.mark.parametrize("way", WRITTEN)
@pytest.mark.parametrize("kind", ["of integers", "by integers", "in lists", "in objects"])
def test_maps_are_written(kind, way, source, streaming, tmp_path):
    """To folders, files and frames; streams too where they have the method."""
    if way == "tensors":
        pytest.importorskip("torch")
    ds = loaded(MAPS[kind], source, tmp_path, streaming=streaming)
    if streaming and way not in ("parquet", "json", "csv", "pandas", "polars"):
        pytest.skip("not of streams")
    found = WRITTEN[way](ds, tmp_path / "written")
    if found is not None:
        assert listed(found) == listed(MAPS[kind].to_pylist())


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("source", ["parquet", "arrow"])
@pytest.mark.parametrize("kind", MAPS)
def test_a_data_sets_own_features_are_taken(kind, source, streaming, tmp_path):
    """What it says of itself is what `features=` and `cast` take."""
    ds = loaded(MAPS[kind], source, tmp_path, streaming=streaming)
    rows, features = list(ds), ds.features
    again = loaded(MAPS[kind], source, tmp_path, streaming=streaming, features=features)
    assert [pairs(row["c"]) for row in again] == [pairs(row["c"]) for row in rows]
    said = Features.from_dict(json.loads(json.dumps(features.to_dict())))
    again = loaded(MAPS[kind], source, tmp_path, streaming=streaming, features=said)
    assert [pairs(row["c"]) for row in again] == [pairs(row["c"]) for row in rows]
    assert [pairs(row["c"]) for row in ds.cast(features)] == [pairs(row["c"]) for row in rows]


def test_a_folder_with_maps_is_read_by_datasets(tmp_path):
    """As lists of keys and values, which it has."""
    datasets = pytest.importorskip("datasets")
    Dataset.from_arrow(pa.table({"c": MAPS["of integers"]})).save_to_disk(tmp_path / "saved")
    rows = datasets.load_from_disk(str(tmp_path / "saved"))[:]["c"]
    assert list(map(pairs, rows)) == MAPS["of integers"].to_pylist()


@pytest.mark.parametrize(
    "column",
    [
        pa.array([[1, 2], [], None], pa.list_view(pa.int8())),
        pa.array([[1, 2], [], None], pa.large_list_view(pa.int8())),
        pa.array([[["a"]], [], None], pa.list_(pa.list_view(pa.string()))),
    ],
    ids=["views", "large views", "views in lists"],
)
def test_views_of_lists_are_lists(column, tmp_path):
    """Another type that the features have only one name for."""
    ds = Dataset.from_arrow(pa.table({"c": column}))
    expected = [
        [list(one) if isinstance(one, list) else one for one in value]
        if value is not None
        else None
        for value in column.to_pylist()
    ]
    assert ds[:]["c"] == expected
    assert [row["c"] for row in ds.select([2, 0])] == [expected[2], expected[0]]
    assert [row["c"] for row in ds.to_iterable_dataset()] == expected
    ds.save_to_disk(tmp_path / "saved")
    assert load_from_disk(tmp_path / "saved")[:]["c"] == expected


def test_maps_stay_maps_in_parquet(tmp_path):
    """Which has them: what is written is read as it was."""
    for kind, column in MAPS.items():
        ds = Dataset.from_arrow(pa.table({"c": column}))
        ds.to_parquet(tmp_path / f"{kind}.parquet")
        assert pq.read_schema(tmp_path / f"{kind}.parquet").field("c").type == column.type
        assert list(Dataset.from_parquet(str(tmp_path / f"{kind}.parquet"))) == list(ds)


def test_keys_that_are_there_twice_and_pairs_that_functions_give():
    """A map is no dict: both stay. Functions and generators give pairs, objects of keys and values, or dicts."""
    table = pa.table({"c": pa.array([[("a", 1), ("a", 2)], [("b", 3)]], PLAIN)})
    ds = Dataset.from_arrow(table)
    assert ds.to_polars()["c"].to_list()[0] == [{"key": "a", "value": 1}, {"key": "a", "value": 2}]
    assert ds.map(lambda row: {"c": row["c"][::-1]})[:]["c"] == [[("a", 2), ("a", 1)], [("b", 3)]]
    assert ds.map(lambda batch: {"c": batch["c"]}, batched=True).features == ds.features
    given = [[("a", 1)], [{"key": "a", "value": 1}], {"a": 1}, None]
    for made in (
        Dataset.from_generator(lambda: ({"c": value} for value in given), features=ds.features),
        rowstream.IterableDataset.from_generator(
            lambda: ({"c": value} for value in given), features=ds.features
        ),
    ):
        assert [row["c"] for row in made] == [[("a", 1)], [("a", 1)], [("a", 1)], None]


def test_features_of_maps_are_written_down_as_lists():
    """Other libraries know no more; both are taken for each other."""
    features = Dataset.from_arrow(pa.table({"c": MAPS["of integers"]})).features
    plain = Features({"c": List({"key": Value("string"), "value": Value("int64")})})
    assert (
        features
        == plain
        == pickle.loads(pickle.dumps(features))
        == Features.from_dict(features.to_dict())
    )
    assert features.to_dict() == plain.to_dict()
    assert repr(features) == repr(plain)
    assert hash(features["c"]) == hash(plain["c"])
    assert features["c"] != List({"key": Value("string"), "value": Value("int32")})
    assert pickle.loads(pickle.dumps(features)).arrow_schema.field("c").type == PLAIN


HIDDEN = {
    "maps": pa.MapArray.from_arrays(
        pa.array([0, 1, 2, 3], pa.int32()),
        pa.array(list("abc")),
        pa.array([1, 2, 3]),
        mask=pa.array([False, True, False]),
    ),
    "lists": pa.ListArray.from_arrays(
        pa.array([0, 1, 3, 4], pa.int32()),
        pa.array([1, 2, 3, 4]),
        mask=pa.array([False, True, False]),
    ),
    "large lists": pa.LargeListArray.from_arrays(
        pa.array([0, 1, 3, 4]), pa.array([1, 2, 3, 4]), mask=pa.array([False, True, False])
    ),
    "in objects": pa.StructArray.from_arrays(
        [pa.ListArray.from_arrays(pa.array([0, 1, 3, 4], pa.int32()), pa.array([1, 2, 3, 4]))],
        ["l"],
        mask=pa.array([False, True, False]),
    ),
}
WIDER = {
    "maps": pa.map_(pa.string(), pa.int32()),
    "lists": pa.list_(pa.int32()),
    "large lists": pa.list_(pa.int64()),
    "in objects": pa.struct({"l": pa.large_list(pa.int32())}),
}


@pytest.mark.parametrize(
    "part", [slice(0, 3), slice(1, 3), slice(0, 2)], ids=["all", "from the second", "the first two"]
)
@pytest.mark.parametrize("kind", HIDDEN)
def test_what_lies_under_a_null_is_no_part_of_the_row_before(kind, part, tmp_path):
    """Arrow allows items of lists that are null: Polars makes them."""
    column = HIDDEN[kind].slice(part.start, part.stop - part.start)
    expected = column.to_pylist()
    ds = Dataset.from_arrow(pa.table({"c": column}))
    ds.save_to_disk(tmp_path / "saved")
    cast = ds.cast(Features.from_arrow_schema(pa.schema({"c": WIDER[kind]})))
    ways = {
        "saved": load_from_disk(tmp_path / "saved"),
        "pickled": pickle.loads(pickle.dumps(ds)),
        "cast": cast,
        "plain": ds,
    }
    for name, way in ways.items():
        assert way[:]["c"] == expected, name
        assert [row["c"] for row in way.to_iterable_dataset()] == expected, name
    assert list(map(pairs, ds.to_polars()["c"].to_list())) == expected


def test_keys_and_values_go_by_name(tmp_path):
    """Where features have them in the other order."""
    pq.write_table(
        pa.table({"c": pa.array([[("k", "v")]], pa.map_(pa.string(), pa.string()))}),
        tmp_path / "a.parquet",
    )
    other = Features({"c": List({"value": Value("string"), "key": Value("string")})})
    ds = load_dataset(
        "parquet",
        data_files=str(tmp_path / "a.parquet"),
        split="train",
        streaming=True,
        features=other,
    )
    assert list(ds) == [{"c": [{"value": "v", "key": "k"}]}]


def labelled(ds):
    features = Features(
        {"c": List({"key": Value("string"), "value": ClassLabel(names=["no", "yes"])})}
    )
    return Features({"c": type(ds.features["c"])(features["c"].feature)})


def test_maps_of_labels():
    """Cast, generated, from memory: integers and names; what is no label is an error."""
    ds = Dataset.from_arrow(pa.table({"c": pa.array([[("a", 1)]], PLAIN)}))
    features = labelled(ds)
    assert ds.cast(features)[:]["c"] == [[("a", 1)]]
    for value in ("yes", 1):
        for kind in (Dataset, rowstream.IterableDataset):
            assert [
                row["c"] for row in kind.from_dict({"c": [[("a", value)]]}, features=features)
            ] == [[("a", 1)]]
            made = kind.from_generator(
                lambda value: iter([{"c": [("a", value)]}]),
                features=features,
                gen_kwargs={"value": value},
            )
            assert [row["c"] for row in made] == [[("a", 1)]]
    with pytest.raises(ValueError, match="7"):
        Dataset.from_arrow(pa.table({"c": pa.array([[("a", 7)]], PLAIN)})).cast(features)[:]


@pytest.mark.parametrize("first", [0, 1])
def test_maps_and_lists_of_objects_together(first):
    """Their features are the same, so they are put together, as maps."""
    maps = Dataset.from_arrow(pa.table({"c": pa.array([[("a", 1)], None], PLAIN)}))
    lists = Dataset.from_dict({"c": [[{"key": "b", "value": 2}], []]})
    parts = [maps, lists] if not first else [lists, maps]
    expected = [[("a", 1)], None, [("b", 2)], []]
    expected = expected if not first else [*expected[2:], *expected[:2]]
    assert concatenate_datasets(parts)[:]["c"] == expected
    assert maps.add_item(maps[0])[:]["c"] == [[("a", 1)], None, [("a", 1)]]
