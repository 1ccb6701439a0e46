"""Media in streams, from columns of paths, bytes and both, of every format: as map-style data sets have them."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest
from rowstream import (
    Audio,
    Dataset,
    Features,
    Image,
    IterableDataset,
    List,
    Pdf,
    Value,
    Video,
    col,
    exceptions,
    load_dataset,
)

PIL = pytest.importorskip("PIL.Image")

COLOURS = [(10 * i, 0, 1) for i in range(5)]


def png(colour):
    file = io.BytesIO()
    PIL.new("RGB", (4, 3), colour).save(file, "PNG")
    return file.getvalue()


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Five images: their bytes and their paths; and files of columns of them."""
    folder = tmp_path_factory.mktemp("media")
    contents = [png(colour) for colour in COLOURS]
    paths = [str(folder / f"{i}.png") for i in range(5)]
    for path, content in zip(paths, contents, strict=True):
        Path(path).write_bytes(content)
    structs = [{"bytes": content, "path": None} for content in contents]
    columns = {
        "paths": pa.array(paths),
        "bytes": pa.array(contents),
        "large": pa.array(contents, pa.large_binary()),
        "structs": pa.array(structs),
        "lists": pa.array([[path, path] for path in paths]),
        "lists of bytes": pa.array([[content] * 2 for content in contents]),
        "with nulls": pa.array([None, *paths[1:4], None]),
        "all null": pa.nulls(5, pa.string()),
    }
    for name, column in columns.items():
        table = pa.table({"image": column, "n": range(5)})
        pq.write_table(table, folder / f"{name}.parquet", row_group_size=2)
        with pa.ipc.new_stream(folder / f"{name}.arrow", table.schema) as writer:
            writer.write_table(table, max_chunksize=2)
        if "bytes" not in name and name not in ("large", "structs"):
            (folder / f"{name}.jsonl").write_text(
                "".join(json.dumps(row) + "\n" for row in table.to_pylist())
            )
    (folder / "paths.csv").write_text(
        "image,n\n" + "".join(f"{path},{i}\n" for i, path in enumerate(paths))
    )
    (folder / "paths and objects.jsonl").write_text(
        "".join(
            json.dumps({"image": {"path": path} if i % 2 else path, "n": i}) + "\n"
            for i, path in enumerate(paths)
        )
    )
    return folder, paths, contents


CASES = [
    *(
        (name, format)
        for name in (
            "paths",
            "bytes",
            "large",
            "structs",
            "lists",
            "lists of bytes",
            "with nulls",
            "all null",
        )
        for format in ("parquet", "arrow")
    ),
    *((name, "jsonl") for name in ("paths", "lists", "with nulls")),
    ("paths", "csv"),
]


def colours(value):
    """What is seen of a value: the first pixel of each image."""
    if isinstance(value, list):
        return [colours(one) for one in value]
    return None if value is None else value.getpixel((0, 0))


def wanted(name):
    if name == "all null":
        return [None] * 5
    if name == "with nulls":
        return [None, *COLOURS[1:4], None]
    return [[colour] * 2 for colour in COLOURS] if name.startswith("lists") else COLOURS


def feature(name, **how):
    return List(Image(**how)) if name.startswith("lists") else Image(**how)


def opened(folder, name, format, **how):
    kind = {"jsonl": "json"}.get(format, format)
    return load_dataset(
        kind, data_files=str(folder / f"{name}.{format}"), split="train", streaming=True, **how
    )


@pytest.mark.parametrize(("name", "format"), CASES)
@pytest.mark.parametrize("how", ["cast_column", "cast", "features"])
def test_columns_of_files(files, name, format, how):
    features = Features({"image": feature(name), "n": Value("int64")})
    if how == "features":
        ds = opened(files[0], name, format, features=features)
    else:
        ds = opened(files[0], name, format)
        ds = ds.cast(features) if how == "cast" else ds.cast_column("image", feature(name))
    assert ds.features == features
    rows = list(ds)
    assert [colours(row["image"]) for row in rows] == wanted(name)
    assert [row["n"] for row in rows] == list(range(5))


@pytest.mark.parametrize(
    ("name", "format"),
    [
        ("paths", "parquet"),
        ("bytes", "arrow"),
        ("paths", "csv"),
        ("paths", "jsonl"),
        ("lists", "parquet"),
    ],
)
def test_what_is_stored(files, name, format):
    """Not decoded, as Arrow, and written to a file: a struct of bytes and a path."""
    ds = opened(files[0], name, format).cast_column("image", feature(name, decode=False))
    (first, *_) = list(ds)
    stored = {
        "bytes": files[2][0] if name == "bytes" else None,
        "path": None if name == "bytes" else files[1][0],
    }
    assert first["image"] == ([stored] * 2 if name == "lists" else stored)
    tables = list(
        opened(files[0], name, format)
        .cast_column("image", feature(name))
        .with_format("arrow")
        .iter(5)
    )
    kind = pa.struct({"bytes": pa.binary(), "path": pa.string()})
    assert tables[0].schema.field("image").type == (pa.list_(kind) if name == "lists" else kind)


def test_written_and_read_again(files, tmp_path):
    opened(files[0], "bytes", "parquet").cast_column("image", Image()).to_parquet(
        tmp_path / "x.parquet"
    )
    again = load_dataset(
        "parquet", data_files=str(tmp_path / "x.parquet"), split="train", streaming=True
    )
    assert [colours(row["image"]) for row in again.cast_column("image", Image())] == COLOURS


def test_lines_with_paths_and_objects(files):
    ds = opened(
        files[0],
        "paths and objects",
        "jsonl",
        features=Features({"image": Image(), "n": Value("int64")}),
    )
    assert [colours(row["image"]) for row in ds] == COLOURS


@pytest.mark.parametrize("kind", [Audio(decode=False), Image(decode=False)])
def test_other_media(files, kind):
    ds = opened(files[0], "paths", "parquet").cast_column("image", kind)
    assert [row["image"] for row in ds] == [{"bytes": None, "path": path} for path in files[1]]


def values(files, what):
    _, paths, contents = files
    if what == "images":
        return [PIL.open(io.BytesIO(content)) for content in contents]
    return {
        "paths": paths,
        "bytes": contents,
        "dicts": [{"bytes": content, "path": None} for content in contents],
        "dicts of paths": [{"path": path} for path in paths],
        "paths and nulls": [None, *paths[1:4], None],
        "lists": [[path, path] for path in paths],
        "paths and bytes": [*paths[:2], *contents[2:]],
    }[what]


MEMORY = [
    "paths",
    "bytes",
    "dicts",
    "dicts of paths",
    "images",
    "paths and nulls",
    "lists",
    "paths and bytes",
]


@pytest.mark.parametrize("what", MEMORY)
@pytest.mark.parametrize("make", ["from_dict", "from_list", "from_generator"])
def test_what_is_in_memory(files, what, make):
    given, features = values(files, what), Features({"image": feature(what), "n": Value("int64")})
    rows = [{"image": value, "n": i} for i, value in enumerate(given)]
    argument = {
        "from_dict": {"image": given, "n": list(range(5))},
        "from_list": rows,
        "from_generator": lambda: iter(rows),
    }[make]
    ds = getattr(IterableDataset, make)(argument, features=features)
    assert ds.features == features
    assert [colours(row["image"]) for row in ds] == (
        wanted("with nulls") if "nulls" in what else wanted(what)
    )


@pytest.mark.parametrize("what", ["paths", "bytes"])
def test_cast_of_what_is_in_memory(files, what):
    ds = IterableDataset.from_dict({"image": values(files, what)}).cast_column(
        "image", Image(mode="L")
    )
    assert [row["image"].mode for row in ds] == ["L"] * 5


def test_images_without_features(files):
    ds = IterableDataset.from_dict({"image": values(files, "images")})
    assert (
        ds.features
        == Dataset.from_dict({"image": values(files, "images")}).features
        == Features({"image": Image()})
    )
    assert [colours(row["image"]) for row in ds] == COLOURS


def test_frames(files):
    pandas, polars = pytest.importorskip("pandas"), pytest.importorskip("polars")
    columns = {"image": files[1], "n": list(range(5))}
    features = Features({"image": Image(), "n": Value("int64")})
    for ds in (
        IterableDataset.from_pandas(pandas.DataFrame(columns), features=features),
        IterableDataset.from_polars(polars.DataFrame(columns), features=features),
    ):
        assert [colours(row["image"]) for row in ds] == COLOURS


def test_within_an_object(files):
    features = Features({"a": {"image": Image(), "n": Value("int64")}})
    ds = IterableDataset.from_dict(
        {"a": [{"image": path, "n": i} for i, path in enumerate(files[1])]}, features=features
    )
    assert [colours(row["a"]["image"]) for row in ds] == COLOURS


@pytest.mark.parametrize(
    "then",
    [
        lambda ds: ds.shuffle(seed=1, buffer_size=3),
        lambda ds: ds.filter(col("n") >= 0),
        lambda ds: ds.map(lambda row: {"n": row["n"]}),
        lambda ds: ds.shard(2, 0),
        lambda ds: ds.skip(1).take(3),
    ],
)
@pytest.mark.parametrize("order", ["cast first", "cast last"])
def test_with_other_steps(files, then, order):
    def make():
        plain = opened(files[0], "paths", "parquet")
        return (
            then(plain.cast_column("image", Image()))
            if order == "cast first"
            else then(plain).cast_column("image", Image())
        )

    ds, again = make(), make()
    rows = list(make())
    assert rows
    assert [colours(row["image"]) for row in rows] == [COLOURS[row["n"]] for row in rows]
    next(iter(ds))
    again.load_state_dict(json.loads(json.dumps(ds.state_dict())))
    assert [row["n"] for row in again] == [row["n"] for row in rows[1:]]


@pytest.mark.parametrize("what", ["paths", "bytes", "lists", "paths and nulls"])
def test_cast_after_a_function(files, what):
    ds = (
        IterableDataset.from_dict({"image": values(files, what)})
        .map(lambda row: row)
        .cast_column("image", feature(what))
    )
    assert [colours(row["image"]) for row in ds] == (
        wanted("with nulls") if "nulls" in what else wanted(what)
    )


def test_what_a_generator_gives_as_arrow(files):
    rows = [{"image": path} for path in files[1]]
    ds = IterableDataset.from_generator(
        lambda: iter(rows), features=Features({"image": Image()})
    ).with_format("arrow")
    assert pa.concat_tables(list(ds)).column("image").to_pylist() == [
        {"bytes": None, "path": path} for path in files[1]
    ]


def test_what_is_no_media_is_an_error(files):
    with pytest.raises(Exception, match="n"):
        list(opened(files[0], "paths", "parquet").cast_column("n", Image()))


@pytest.mark.parametrize("feature", [Image, Audio, Video, Pdf])
@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("value", [1, 1.5, True, {"name": "a"}])
def test_columns_that_are_no_media_cannot_be_cast(feature, streaming, value):
    """They would become nulls: in `datasets` structs of other fields do."""
    ds = Dataset.from_dict({"a": [value, value]})
    ds = ds.to_iterable_dataset() if streaming else ds
    with pytest.raises((TypeError, exceptions.RowstreamError)):
        list(ds.cast_column("a", feature(decode=False)))
