"""Arrow files with types that rows seldom have, of versions that nobody knows, and one after another: rows or a clear error, never a crash."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import struct
import subprocess
import sys

import pyarrow as pa
import pytest
from rowstream import Dataset, load_dataset
from rowstream.exceptions import RowstreamError

# What a process of its own does with each file, since some of it crashed: a line of JSON for each step.
CHILD = """
import json, sys, tempfile, warnings
warnings.simplefilter("ignore")
import rowstream
from rowstream.exceptions import RowstreamError
said = lambda value: json.dumps(value, default=str)
STEPS = {
    "stream": {
        "rows": lambda ds: list(ds),
        "features": lambda ds: ds.features and None,
        "arrow": lambda ds: [row for table in ds.with_format("arrow").iter(2) for row in table.to_pylist()],
    },
    "map-style": {
        "rows": lambda ds: [ds[i] for i in range(len(ds))],
        "features": lambda ds: ds.features and None,
        "slice": lambda ds: [{"x": value} for value in ds[:]["x"]],
        "select": lambda ds: list(ds.select(range(len(ds))[::-1]))[::-1],
        "filter": lambda ds: list(ds.filter(lambda row: True)),
        "map": lambda ds: [{"x": row["x"]} for row in ds.map(lambda row: {"y": 1})],
        "arrow": lambda ds: ds.with_format("arrow")[:].to_pylist(),
        "numpy": lambda ds: ds.with_format("numpy")[:] and None,
        "pandas": lambda ds: len(ds.to_pandas()) and None,
        "stream": lambda ds: list(ds.to_iterable_dataset()),
        "size": lambda ds: (ds.data.nbytes, None)[1],
        "saved": lambda ds: ds.save_to_disk(folder := tempfile.mkdtemp()) or list(rowstream.load_from_disk(folder)),
    },
}
rowstream.disable_progress_bars()
for line in sys.stdin:
    (path,) = json.loads(line)
    for kind in STEPS:
        loaded = None
        for step in STEPS[kind]:
            print(said([path, f"{kind}: {step}", "begun"]), flush=True)
            try:
                if loaded is None:
                    cache = None if kind == "stream" else tempfile.mkdtemp()
                    loaded = rowstream.load_dataset("arrow", data_files=path, split="train", streaming=cache is None, cache_dir=cache)
                print(said([path, f"{kind}: {step}", "rows", STEPS[kind][step](loaded)]), flush=True)
            except RowstreamError as error:
                print(said([path, f"{kind}: {step}", "error", str(error)]), flush=True)
            except NotImplementedError as error:
                # Other libraries have not all types.
                what = "rows" if step in ("numpy", "pandas") and loaded is not None else "other"
                print(said([path, f"{kind}: {step}", what, None if what == "rows" else str(error)]), flush=True)
            except Exception as error:
                print(said([path, f"{kind}: {step}", "other", f"{type(error).__name__}: {error}"]), flush=True)
            if loaded is None:
                break
"""


def lists(array):
    return pa.ListArray.from_arrays(pa.array(range(len(array) + 1), pa.int32()), array)


def structs(array):
    return pa.StructArray.from_arrays([array], ["f"])


def arrays(array):
    return pa.FixedSizeListArray.from_arrays(array, 1)


def maps(array):
    return pa.MapArray.from_arrays(
        pa.array(range(len(array) + 1), pa.int32()),
        pa.array([f"k{i}" for i in range(len(array))]),
        array,
    )


def coded(array):
    return pa.DictionaryArray.from_arrays(pa.array([0, 1, 0, None], pa.int32()), array)


def runs(values):
    return pa.RunEndEncodedArray.from_arrays(pa.array([2, 4], pa.int32()), values)


def union(kind="sparse"):
    types = pa.array([5, 7, 5, 7], pa.int8())
    if kind == "sparse":
        return pa.UnionArray.from_sparse(
            types, [pa.array([1, 2, 3, 4]), pa.array(list("abcd"))], ["a", "b"], [5, 7]
        )
    parts = [pa.array([1, 3]), pa.array(["b", "d"])]
    return pa.UnionArray.from_dense(
        types, pa.array([0, 0, 1, 1], pa.int32()), parts, ["a", "b"], [5, 7]
    )


WORDS = pa.array(["a", "b", "a", None]).dictionary_encode()
NUMBERS = pa.array([[1], [2, 3], [], None])

# What rows have, encoded otherwise: it is given.
GIVEN = {
    "runs": runs(pa.array(["a", None])),
    "runs of lists": runs(pa.array([[1], [2]])),
    "runs of words of a dictionary": runs(pa.array(["a", "b"]).dictionary_encode()),
    "words of a dictionary": WORDS,
    "numbers of a dictionary": pa.array([1, 2, 1, None]).dictionary_encode(),
    "lists of a dictionary": coded(NUMBERS),
    "structs of a dictionary": coded(pa.array([{"f": 1}, {"f": None}])),
    "runs of a dictionary": coded(runs(pa.array(["a", "b"]))),
    "dictionary of unsigned keys": pa.DictionaryArray.from_arrays(
        pa.array([0, 1, 0, None], pa.uint64()), pa.array(["x", "y"])
    ),
    "list views": pa.array([[1], [2, 3], [], None], pa.list_view(pa.int64())),
    "large list views": pa.array([[1], [2, 3], [], None], pa.large_list_view(pa.int64())),
    "text views": pa.array(["a", "b" * 30, None, ""], pa.string_view()),
    "byte views": pa.array(["a", "b" * 30, None, ""], pa.string_view()).cast(pa.binary_view()),
    "small decimals": pa.array([1, 2, None, 4], pa.int32())
    .cast(pa.decimal128(12, 2))
    .cast(pa.decimal32(9, 2)),
    "middle decimals": pa.array([1, 2, None, 4], pa.int32())
    .cast(pa.decimal128(12, 2))
    .cast(pa.decimal64(12, 2)),
    "no lists": pa.array([[], [], [], None], pa.list_(pa.int64(), 0)),
    "nulls": pa.nulls(4),
    "empty structs": pa.array([{}, {}, None, {}], pa.struct([])),
}
SIMPLE = set(GIVEN)
GIVEN |= {
    f"{name} {where}": inside(GIVEN[name])
    for where, inside in {"in lists": lists, "in structs": structs, "in arrays": arrays}.items()
    for name in ("runs", "words of a dictionary", "list views", "text views")
}

# What rows cannot have, or not yet: rows that are right, or an error that names file and column.
EITHER = {
    "sparse unions": union(),
    "dense unions": union("dense"),
    "unions in lists": lists(union()),
    "unions in structs": structs(union("dense")),
    "unions in maps": maps(union()),
    "unions of a dictionary": coded(union()),
    "runs of unions": runs(union("dense").slice(0, 2)),
    "intervals": pa.array([(1, 2, 3), (0, 0, 0), None, (4, 5, 6)], pa.month_day_nano_interval()),
}
SIMPLE |= set(EITHER)
KINDS = {"file": pa.ipc.new_file, "stream": pa.ipc.new_stream}


def write(path, array, kind, empty=False):
    """A file of one column: of its rows in one batch, after an empty batch; or of empty batches only."""
    batch = pa.record_batch({"x": array})
    with pa.OSFile(str(path), "wb") as sink, KINDS[kind](sink, batch.schema) as writer:
        writer.write_batch(batch.slice(0, 0))
        if not empty:
            writer.write_batch(batch)
    return str(path)


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """What came of each step with each file."""
    folder, paths = tmp_path_factory.mktemp("types"), {}
    for name, array in {**GIVEN, **EITHER}.items():
        for kind in KINDS if name in SIMPLE else ["stream"]:
            paths[name, kind, "rows"] = write(folder / f"{len(paths)}.arrow", array, kind)
            if "unions" in name:
                paths[name, kind, "empty"] = write(
                    folder / f"{len(paths)}.arrow", array, kind, empty=True
                )
    came, todo = {path: {} for path in paths.values()}, dict.fromkeys(paths.values())
    while todo:
        lines = "\n".join(json.dumps([path]) for path in todo)
        done = subprocess.run(
            [sys.executable, "-c", CHILD],
            input=lines,
            capture_output=True,
            text=True,
            timeout=290,
            check=False,
        )
        for line in done.stdout.splitlines():
            path, step, *what = json.loads(line)
            came[path][step] = what
        if done.returncode == 0:
            break
        (path, step) = next(
            (path, step) for path in came for step, what in came[path].items() if what == ["begun"]
        )
        came[path][step] = ["crash", done.returncode]
        todo = dict.fromkeys(list(todo)[list(todo).index(path) + 1 :])
    return {key: (path, came[path]) for key, path in paths.items()}


def alike(value):
    """A value with the entries of maps as pairs, however they are given."""
    if isinstance(value, dict):
        return (
            [alike(value["key"]), alike(value["value"])]
            if set(value) == {"key", "value"}
            else {key: alike(one) for key, one in value.items()}
        )
    return [alike(one) for one in value] if isinstance(value, list) else value


def plain(array):
    return alike(json.loads(json.dumps([{"x": value} for value in array.to_pylist()], default=str)))


@pytest.mark.heavy
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("name", "kind"),
    [(name, kind) for name in GIVEN for kind in KINDS if name in SIMPLE or kind == "stream"],
)
def test_rows_that_are_encoded_otherwise_are_given(seen, name, kind):
    _, came = seen[name, kind, "rows"]
    assert {step: what for step, what in came.items() if what[0] != "rows"} == {}
    wanted = plain(GIVEN[name])
    assert {
        step: what[1]
        for step, what in came.items()
        if what[1] is not None and alike(what[1]) != wanted
    } == {}


@pytest.mark.heavy
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("name", "rows"),
    [
        (name, rows)
        for name in EITHER
        for rows in ("rows", "empty")
        if rows == "rows" or "unions" in name
    ],
)
def test_what_rows_cannot_have_is_an_error_that_names_it(seen, name, kind, rows):
    path, came = seen[name, kind, rows]
    assert {step: what for step, what in came.items() if what[0] not in ("rows", "error")} == {}
    wanted = plain(EITHER[name]) if rows == "rows" else []
    for step, what in came.items():
        if what[0] == "error":
            assert path in what[1], step
            assert "'x'" in what[1] or '"x"' in what[1], step
        elif what[1] is not None:
            assert alike(what[1]) == wanted, step


SORTS = """
import rowstream
ds = rowstream.Dataset.from_dict({"x": [{}, {}], "y": [{"q": {}}, {"q": {}}], "z": [2, 1]})
for by in ("x", "y", ["x", "z"], ["z", "x"]):
    try:
        assert len(ds.sort(by)) == 2
    except (ValueError, TypeError, NotImplementedError) as error:
        assert "sort" in str(error), error
"""


@pytest.mark.heavy
def test_sorting_by_objects_without_fields_does_not_crash():
    done = subprocess.run(
        [sys.executable, "-c", SORTS], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]


# ------------------------------------------------------------------------------------------------------------ versions


def headers(data):
    """Where each message's header stands: `(root of its table, [place of each field, or 0])`."""
    at, made = 8 if data.startswith(b"ARROW1") else 0, []
    while struct.unpack_from("<I", data, at)[0] == 0xFFFFFFFF and (
        length := struct.unpack_from("<I", data, at + 4)[0]
    ):
        root = at + 8 + struct.unpack_from("<I", data, at + 8)[0]
        table = root - struct.unpack_from("<i", data, root)[0]
        n = (struct.unpack_from("<H", data, table)[0] - 4) // 2
        fields = [
            (root + place if (place := struct.unpack_from("<H", data, table + 4 + 2 * i)[0]) else 0)
            for i in range(n)
        ]
        made.append(fields)
        body = struct.unpack_from("<q", data, fields[3])[0] if n > 3 and fields[3] else 0
        at += 8 + length + body
    return made


def table(start=0, n=4):
    ids = list(range(start, start + n))
    return pa.table({"id": ids, "word": pa.array([f"w{i % 2}" for i in ids]).dictionary_encode()})


def written(kind, of=None):
    of, sink = of or table(), io.BytesIO()
    with KINDS[kind](sink, of.schema) as writer:
        for batch in of.to_batches(2):
            writer.write_batch(batch)
    return bytearray(sink.getvalue())


@pytest.fixture(params=[True, False], ids=["stream", "map-style"])
def rows(request, tmp_path):
    """The rows of a file with these bytes, as a stream and map-style."""

    def read(data):
        path = tmp_path / "made.arrow"
        path.write_bytes(data)
        cache = None if request.param else str(tmp_path / "cache")
        return list(
            load_dataset(
                "arrow",
                data_files=str(path),
                split="train",
                streaming=request.param,
                cache_dir=cache,
            )
        )

    return read


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("version", [-1, 5, 6, 100])
@pytest.mark.parametrize("which", ["all", "schema", "dictionary", "batch"])
def test_a_version_that_nobody_knows_is_an_error(rows, kind, version, which):
    data = written(kind)
    for fields in headers(data):
        if which == "all" or data[fields[1]] == {"schema": 1, "dictionary": 2, "batch": 3}[which]:
            struct.pack_into("<h", data, fields[0], version)
    with pytest.raises(RowstreamError, match=r"made\.arrow.*version"):
        rows(data)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("what", [0, 6, 99])
@pytest.mark.parametrize("which", ["dictionary", "batch"])
def test_a_message_of_a_kind_that_nobody_knows_is_an_error(rows, kind, what, which):
    data = written(kind)
    for fields in headers(data):
        if data[fields[1]] == {"dictionary": 2, "batch": 3}[which]:
            data[fields[1]] = what
    with pytest.raises(RowstreamError, match=r"made\.arrow"):
        rows(data)


def test_streams_one_after_another_give_the_rows_of_all_or_an_error(rows):
    parts = [written("stream", table(i * 4)) for i in range(3)]
    try:
        found = rows(b"".join(parts))
    except RowstreamError as error:
        assert "made.arrow" in str(error)
    else:
        assert [row["id"] for row in found] == list(range(12))


def test_files_one_after_another_give_the_rows_of_all_or_an_error(rows):
    try:
        found = rows(b"".join(written("file", table(i * 4)) for i in range(2)))
    except RowstreamError as error:
        assert "made.arrow" in str(error)
    else:
        assert [row["id"] for row in found] == list(range(8))


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_of_a_damaged_file_names_the_file_map_style_as_in_streams(rows, kind):
    data = written(kind)
    batch = next(fields for fields in headers(data) if data[fields[1]] == 3)
    struct.pack_into("<q", data, batch[3], -8)
    with pytest.raises(RowstreamError, match=r"made\.arrow"):
        rows(data)


@pytest.mark.parametrize("streaming", [True, False])
@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lambda content: content])
def test_compressed_files(pack, streaming, tmp_path):
    """Arrow files that are compressed, map-style too; those of ours have checksums after their end."""
    ds = Dataset.from_dict({"i": list(range(100)), "s": [f"text {i}" for i in range(100)]})
    ds.save_to_disk(tmp_path / "data")
    (tmp_path / "a.arrow.gz").write_bytes(
        pack((tmp_path / "data" / "data-00000-of-00001.arrow").read_bytes())
    )
    again = load_dataset(
        "arrow", data_files=str(tmp_path / "a.arrow.gz"), split="train", streaming=streaming
    )
    assert list(again) == list(ds)
