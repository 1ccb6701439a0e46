"""Lance, Vortex, TsFile and Iceberg: files of their own libraries, read in both modes."""

from __future__ import annotations

import datetime as dt
import os
import pickle
import sys
from itertools import chain

import pyarrow as pa
import pytest
from rowstream import Features, Value, exceptions, load_dataset
from rowstream.distributed import split_dataset_by_node


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    from rowstream import config

    monkeypatch.setattr(config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))


def table(start, n):
    """Rows with nulls, and with all that has a type of its own."""
    r = range(start, start + n)
    time = [dt.datetime(2020, 1, 1) + dt.timedelta(hours=k) for k in r]
    nested = pa.struct({"a": pa.int64(), "b": pa.list_(pa.string())})
    return pa.table(
        {
            "i": pa.array([None if k % 5 == 4 else k for k in r], pa.int32()),
            "s": pa.array([None if k % 7 == 3 else f"é{k}" for k in r], pa.string()),
            "f": pa.array([k / 2 for k in r], pa.float32()),
            "t": pa.array(time, pa.timestamp("us", "UTC")),
            "d": pa.array([dt.date(2020, 1, 1 + k) for k in r], pa.date32()),
            "b": pa.array([bytes([0, k]) for k in r], pa.binary()),
            "l": pa.array([[*range(k % 4)] if k % 6 else None for k in r], pa.list_(pa.int64())),
            "n": pa.array([{"a": k, "b": [str(k)]} for k in r], nested),
        }
    )


def ordered(rows):
    return sorted(rows, key=repr)


def check(load, rows):
    """Both modes have these rows; a stream also resumed, shuffled, and in parts."""
    assert [*load(streaming=False)] == [*load(streaming=True)] == rows
    assert load(streaming=False).features == load(streaming=True).features
    for steps in ([], [lambda ds: ds.shuffle(seed=3, buffer_size=4)]):

        def stream(steps=steps):
            ds = load(streaming=True)
            for step in steps:
                ds = step(ds)
            return ds

        every = [*stream()]
        assert ordered(every) == ordered(rows)
        for k in range(len(rows) + 1):
            first, again = stream(), stream()
            iterator = iter(first)
            head = [next(iterator) for _ in range(k)]
            again.load_state_dict(pickle.loads(pickle.dumps(first.state_dict())))
            assert [*head, *again] == every
    for of in (2, 3):
        shards = [[*load(streaming=True).shard(of, i)] for i in range(of)]
        assert ordered(chain(*shards)) == ordered(rows)
        ranks = [
            [*split_dataset_by_node(load(streaming=True), rank=i, world_size=of)] for i in range(of)
        ]
        assert ordered(chain(*ranks)) == ordered(rows)


def loader(*args, **options):
    return lambda streaming: load_dataset(*args, split="train", streaming=streaming, **options)


def some(rows, *names):
    return [{name: row[name] for name in names} for row in rows]


def test_lance_data_sets(tmp_path, monkeypatch):
    # Once it is imported it would warn of each fork of this process, in other tests too.
    register = os.register_at_fork
    monkeypatch.setattr(
        os,
        "register_at_fork",
        lambda **of: (
            None if [one.__module__ for one in of.values()] == ["lance"] else register(**of)
        ),
    )
    pytest.importorskip("lance.file")  # a folder of that name is no library
    lance = pytest.importorskip("lance")
    path = str(tmp_path / "a.lance")
    ds = lance.write_dataset(table(0, 10), path, max_rows_per_file=4)
    ds.insert(table(10, 1))
    rows = ds.to_table().to_pylist()
    check(loader("lance", data_dir=path), rows)
    check(loader(path), rows)
    check(loader("lance", data_files=f"{path}/data/*", batch_size=2), rows)
    check(loader("lance", data_dir=path, columns=["s", "i"]), some(rows, "s", "i"))
    declared = Features({"f": Value("float64")})
    check(loader("lance", data_dir=path, features=declared), some(rows, "f"))
    # A stream has the version that it was made of; a deletion changes no file of rows.
    before = load_dataset("lance", data_dir=path, split="train", streaming=True)
    ds = lance.dataset(path)
    ds.delete("f = 3.0")
    check(loader("lance", data_dir=path), ds.to_table().to_pylist())
    assert [*before] == rows
    ds.delete("true")
    assert load_dataset("lance", data_dir=path, split="train").features == before.features
    with pytest.raises(exceptions.InvalidArgumentError, match="'zz'"):
        load_dataset("lance", data_dir=path, columns=["zz"])


@pytest.mark.parametrize("n", [0, 1])
def test_small_lance_data_sets(tmp_path, n):
    pytest.importorskip("lance.file")  # a folder of that name is no library
    lance = pytest.importorskip("lance")
    path = str(tmp_path / "a.lance")
    lance.write_dataset(table(0, n), path)
    check(loader(path), table(0, n).to_pylist())
    assert [*load_dataset(path, split="train").features] == table(0, n).column_names


def test_lance_blobs(tmp_path):
    pytest.importorskip("lance.file")  # a folder of that name is no library
    lance = pytest.importorskip("lance")
    path = str(tmp_path / "a.lance")
    blob = pa.field("b", pa.large_binary(), metadata={"lance-encoding:blob": "true"})
    data = pa.table({"b": pa.array([b"abc", None], pa.large_binary())}, pa.schema([blob]))
    lance.write_dataset(data, path, data_storage_version="2.1")
    check(loader("lance", data_dir=path), [{"b": b"abc"}, {"b": None}])


def test_lance_files(tmp_path):
    file = pytest.importorskip("lance.file")
    path = str(tmp_path / "a.lance")
    with file.LanceFileWriter(path) as writer:
        writer.write_batch(table(0, 5))
    check(loader("lance", data_files=path), table(0, 5).to_pylist())
    check(loader(path, columns=["n"]), some(table(0, 5).to_pylist(), "n"))
    (tmp_path / "b.lance").write_bytes(b"no such file" * 9)
    with pytest.raises(exceptions.FileFormatError, match=r"b\.lance"):
        load_dataset("lance", data_files=str(tmp_path / "b.lance"))
    with pytest.raises(exceptions.DataFilesNotFoundError, match=r"c\.lance"):
        load_dataset("lance", data_files=str(tmp_path / "c.lance"))


def test_vortex(tmp_path):
    io = pytest.importorskip("vortex.io")
    for i, data in enumerate([table(0, 6), table(6, 1), table(7, 0), table(7, 4)]):
        io.write(data, str(tmp_path / f"{i}.vortex"))
    rows = table(0, 11).to_pylist()
    load = loader("vortex", data_files=str(tmp_path / "*.vortex"))
    check(load, rows)
    check(loader(str(tmp_path), columns=["n", "i"]), some(rows, "n", "i"))
    # No views, at any depth.
    features = load(streaming=True).features
    assert features["s"] == features["n"]["b"].feature == Value("string")
    assert features["b"] == Value("binary")
    check(loader("vortex", data_files=str(tmp_path / "2.vortex")), [])
    (tmp_path / "bad").write_bytes(b"no such file" * 9)
    with pytest.raises(exceptions.FileFormatError, match=r"bad: no Vortex file: [^\n]*$"):
        load_dataset("vortex", data_files=str(tmp_path / "bad"))
    with pytest.raises(exceptions.InvalidArgumentError, match="'zz'"):
        load_dataset("vortex", data_files=str(tmp_path / "0.vortex"), columns=["zz"])


@pytest.mark.parametrize(
    ("filters", "keeps"),
    [
        ([("i", ">", 3)], lambda i: i > 3),
        ([("i", ">=", 3), ("f", "<", 4)], lambda i: 3 <= i < 8),
        ([[("i", "=", 1)], [("s", "==", "é5")]], lambda i: i in (1, 5)),
        ([("i", "in", [1, 2])], lambda i: i in (1, 2)),
        ([("i", "not in", [1, 2])], lambda i: i not in (1, 2)),
        ([("i", ">", 99)], lambda i: False),
    ],
)
def test_vortex_filters(tmp_path, filters, keeps):
    io = pytest.importorskip("vortex.io")
    io.write(table(0, 11), str(tmp_path / "a.vortex"))
    rows = [row for row in table(0, 11).to_pylist() if row["i"] is not None and keeps(row["i"])]
    load = loader("vortex", data_files=str(tmp_path / "a.vortex"), filters=filters, columns=["d"])
    check(load, some(rows, "d"))
    for wrong in ([], [("zz", ">", 3)], [("i", "~", 3)], [("i", ">")]):
        with pytest.raises(exceptions.InvalidArgumentError, match="filters"):
            [*load_dataset(str(tmp_path), split="train", streaming=True, filters=wrong)]


FIELDS = ("i", "x", "s", "b", "t", "d")


def write_tsfile(path, rows, kind="INT32", more=()):
    """Write rows of a time, two tags, and the values of fields."""
    tsfile = pytest.importorskip("tsfile")
    of, category = tsfile.TSDataType, tsfile.ColumnCategory
    types = [of.STRING, of.STRING, of[kind], of.DOUBLE, of.STRING, of.BLOB, of.TIMESTAMP, of.DATE]
    names = ["Region", "dev", *FIELDS]
    columns = [
        tsfile.ColumnSchema(name, type, category.FIELD if name in FIELDS else category.TAG)
        for name, type in zip(names, types, strict=True)
    ]
    with tsfile.TsFileTableWriter(str(path), tsfile.TableSchema("meters", columns)) as writer:
        if rows:
            tablet = tsfile.Tablet(names, types, len(rows))
            tablet.set_table_name("meters")
            for i, (time, *values) in enumerate(rows):
                tablet.add_timestamp(i, time)
                for name, value in zip(names, values, strict=True):
                    if value is not None:
                        tablet.add_value_by_name(name, i, value)
            writer.write_table(tablet)


def at(ticks):
    return dt.datetime(1970, 1, 1) + dt.timedelta(milliseconds=ticks)


DAY = dt.date(2020, 2, 3)
A = [(1, "eu", "a", 1, 0.5, "é", b"\0\xff", 7, DAY), (2, "eu", "a", *[None] * 6)]
NULL = [(5, None, "z", 4, *[None] * 5)]
B = [(0, "eu", "a", 3.5, 1.5, "", b"", 0, DAY)]
ROW_A = {
    "region": "eu",
    "dev": "a",
    "time": [at(1), at(2)],
    "i": [1, None],
    "x": [0.5, None],
    "s": ["é", None],
    "b": [b"\0\xff", None],
    "t": [at(7), None],
    "d": [DAY, None],
}


def test_tsfile(tmp_path):
    pytest.importorskip("tsfile")
    write_tsfile(tmp_path / "a.tsfile", A + NULL)
    write_tsfile(tmp_path / "c.tsfile", [])
    rows = [ROW_A, {"region": None, "dev": "z", "time": [at(5)], "i": [4]}]
    rows[1] |= {name: [None] for name in FIELDS[1:]}
    load = loader("tsfile", data_files=str(tmp_path / "*.tsfile"))
    read = [*load(streaming=True)]
    assert ordered(read) == ordered(rows)
    check(load, read)
    check(loader("tsfile", data_files=str(tmp_path / "c.tsfile")), [])
    one = str(tmp_path / "a.tsfile")
    check(
        loader(one, columns=["D", "i"], start_time=2, end_time=at(3)),
        [{"region": "eu", "dev": "a", "time": [at(2)], "d": [None], "i": [None]}],
    )
    micro = load_dataset(one, split="train", timestamp_unit="us", timestamp_tz="UTC")
    assert micro.features["time"].feature == Value("timestamp[us, tz=UTC]")
    assert len(load_dataset(one, split="train", table_name="METERS")) == 2
    for options in (
        {"table_name": "x"},
        {"columns": ["zz"]},
        {"timestamp_unit": "h"},
        {"start_time": "soon"},
    ):
        with pytest.raises(exceptions.InvalidArgumentError):
            load_dataset(one, **options)


def test_a_device_in_several_files_is_one_row(tmp_path):
    pytest.importorskip("tsfile")
    write_tsfile(tmp_path / "a.tsfile", A)
    write_tsfile(tmp_path / "b.tsfile", B, "DOUBLE")
    load = loader(str(tmp_path))
    (row,) = load(streaming=False)
    assert row["time"] == [at(0), at(1), at(2)]
    assert row["i"] == [3.5, 1.0, None]
    assert load(streaming=True).features["i"].feature == Value("float64")
    check(load, [row])
    write_tsfile(tmp_path / "c.tsfile", A[:1])
    with pytest.raises(exceptions.FileFormatError, match="one time twice"):
        [*load(streaming=True)]


def test_what_is_no_tsfile(tmp_path):
    pytest.importorskip("tsfile")
    write_tsfile(tmp_path / "a.tsfile", A)
    whole = (tmp_path / "a.tsfile").read_bytes()
    for content in (b"", b"no such file" * 9, whole[:-20], whole[:50]):
        (tmp_path / "bad").write_bytes(content)
        with pytest.raises(exceptions.FileFormatError, match="bad: no TsFile"):
            load_dataset("tsfile", data_files=str(tmp_path / "bad"))


@pytest.fixture
def catalog(tmp_path):
    sql = pytest.importorskip("pyiceberg.catalog.sql")
    (tmp_path / "files").mkdir()
    made = sql.SqlCatalog(
        "c", uri=f"sqlite:///{tmp_path}/c.db", warehouse=f"file://{tmp_path}/files"
    )
    made.create_namespace("db")
    yield made
    made.engine.dispose()


def numbered(start, n):
    p = pa.array([f"p{k % 3}" for k in range(start, start + n)], pa.string())
    return table(start, n).append_column("p", p)


@pytest.mark.filterwarnings("ignore")  # of pyiceberg's own
def test_iceberg(catalog):
    transforms = pytest.importorskip("pyiceberg.transforms")
    types = pytest.importorskip("pyiceberg.types")
    of = catalog.create_table("db.t", schema=numbered(0, 0).schema)
    with of.update_spec() as update:
        update.add_field("p", transforms.IdentityTransform(), "p")

    def rows(**options):
        return of.scan(**options).to_arrow().to_pylist()

    def load(**options):
        return loader("iceberg", catalog=catalog, table="db.t", **options)

    check(load(), [])
    of.append(numbered(0, 6))
    of.append(numbered(6, 5))
    old = of.current_snapshot().snapshot_id
    assert len(rows()) == 11
    check(load(), rows())
    check(load(columns=["s", "i"]), some(rows(), "s", "i"))
    check(load(filters="i > 3 and p = 'p1'"), rows(row_filter="i > 3 and p = 'p1'"))
    before = load()(streaming=True)
    of.delete("i = 3")
    of.delete("p = 'p2'")
    check(load(), rows())
    assert len([*before]) == 11
    # The columns of now, though no snapshot has them yet.
    with of.update_schema() as update:
        update.add_column("new", types.LongType())
        update.rename_column("s", "text")
    check(load(), rows())
    assert [*load()(streaming=True).features][-1] == "new"
    check(load(snapshot_id=old), rows(snapshot_id=old))
    for options in ({"columns": ["zz"]}, {"snapshot_id": 5}):
        with pytest.raises(exceptions.InvalidArgumentError, match=r"db\.t: "):
            load(**options)(streaming=True)


@pytest.mark.filterwarnings("ignore")  # of pyiceberg's own
def test_splits_of_iceberg(catalog):
    for name, n in (("a", 3), ("b", 2)):
        catalog.create_table(f"db.{name}", schema=table(0, 0).schema).append(table(0, n))
    named = {"catalog": catalog, "table": {"train": "db.a", "test": "db.b"}}
    for streaming in (False, True):
        every = load_dataset("iceberg", streaming=streaming, **named)
        assert {name: len([*ds]) for name, ds in every.items()} == {"train": 3, "test": 2}
        ds = load_dataset("iceberg", split="train+test", streaming=streaming, **named)
        assert len([*ds]) == 5
        with pytest.raises(exceptions.InvalidArgumentError, match="Unknown split"):
            load_dataset("iceberg", split="dev", streaming=streaming, **named)
    assert len(load_dataset("iceberg", split="train[:2]", **named)) == 2
    with pytest.raises(exceptions.UnsupportedError, match="take"):
        load_dataset("iceberg", split="train[:2]", streaming=True, **named)
    with pytest.raises(exceptions.InvalidArgumentError, match="table="):
        load_dataset("iceberg", catalog=catalog)


@pytest.mark.parametrize(
    ("format", "package"), [("lance", "pylance"), ("vortex", "vortex-data"), ("tsfile", "tsfile")]
)
def test_a_missing_library_is_named(tmp_path, monkeypatch, format, package):
    monkeypatch.setitem(sys.modules, format, None)
    monkeypatch.setitem(sys.modules, "lance.file", None)
    path = tmp_path / f"a.{format}"
    path.write_bytes(b"x")
    with pytest.raises(ImportError, match=f"pip install {package}"):
        load_dataset(str(path))
