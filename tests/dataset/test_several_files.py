"""`to_parquet`, `to_json` and `to_csv` into several files: the same rows in the same order, all files or none. To tests/dataset/."""

from __future__ import annotations

import gzip
import io
import json

import pyarrow.parquet as pq
import pytest
from rowstream import Dataset, IterableDataset, load_dataset
from rowstream.exceptions import InvalidArgumentError

N = 103
DATA = {"id": list(range(N)), "text": [f'a "b",\nc é {i}' * (i % 9) + "." for i in range(N)]}
KINDS = {
    "map-style": lambda: Dataset.from_dict(DATA),
    "chosen": lambda: Dataset.from_dict(
        {name: values[::-1] for name, values in DATA.items()}
    ).select(range(N - 1, -1, -1)),
    "stream": lambda: IterableDataset.from_dict(DATA),
    "of functions": lambda: IterableDataset.from_dict(DATA).map(lambda row: row),
    "of batches": lambda: IterableDataset.from_dict(DATA).map(
        lambda batch: batch, batched=True, batch_size=7
    ),
    "generated": lambda: IterableDataset.from_generator(
        lambda: iter(
            [dict(zip(DATA, row, strict=True)) for row in zip(*DATA.values(), strict=True)]
        )
    ),
}
FORMATS = {"parquet": "train.parquet", "json": "train.jsonl", "csv": "train.csv"}
ROWS = [dict(zip(DATA, row, strict=True)) for row in zip(*DATA.values(), strict=True)]


def write(ds, format, path, **options):
    return getattr(ds, f"to_{format}")(path, **options)


def read(format, folder):
    return list(load_dataset(format, data_files=f"{folder}/*", split="train", streaming=True))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("n", [1, 4, 103])
def test_so_many_files(tmp_path, kind, format, n):
    written = write(KINDS[kind](), format, tmp_path / FORMATS[format], num_shards=n)
    stem, _, ending = FORMATS[format].partition(".")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        f"{stem}-{i:05}-of-{n:05}.{ending}" for i in range(n)
    ]
    assert read(format, tmp_path) == ROWS
    assert format == "parquet" or written == sum(path.stat().st_size for path in tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["map-style", "stream", "of batches"])
def test_files_are_even(tmp_path, kind):
    write(KINDS[kind](), "parquet", tmp_path / "a.parquet", num_shards=4)
    assert [pq.ParquetFile(path).metadata.num_rows for path in sorted(tmp_path.iterdir())] == [
        26,
        26,
        26,
        25,
    ]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("most", ["4KB", 5000, "1MB"])
def test_files_of_so_many_bytes(tmp_path, kind, format, most):
    write(KINDS[kind](), format, tmp_path / FORMATS[format], max_shard_size=most)
    sizes = [path.stat().st_size for path in tmp_path.iterdir()]
    assert max(sizes) <= {"4KB": 4000, 5000: 5000, "1MB": 10**6}[most]
    assert len(sizes) == 1 if most == "1MB" else len(sizes) > 1
    assert read(format, tmp_path) == ROWS


@pytest.mark.parametrize("kind", ["map-style", "stream"])
@pytest.mark.parametrize("format", FORMATS)
def test_a_row_that_is_larger_has_a_file_of_its_own(tmp_path, kind, format):
    data = {"text": ["a", "b" * 9000, "c", "d"]}
    ds = Dataset.from_dict(data) if kind == "map-style" else IterableDataset.from_dict(data)
    write(ds, format, tmp_path / FORMATS[format], max_shard_size=3000)
    assert len(list(tmp_path.iterdir())) == 3
    assert [row["text"] for row in read(format, tmp_path)] == data["text"]


@pytest.mark.parametrize("kind", ["map-style", "stream", "of batches"])
@pytest.mark.parametrize("format", FORMATS)
def test_more_files_than_rows_and_no_rows(tmp_path, kind, format):
    ds = KINDS[kind]()
    write(ds.take(2), format, tmp_path / FORMATS[format], num_shards=3)
    assert len(list(tmp_path.iterdir())) == 3
    assert read(format, tmp_path) == ROWS[:2]
    write(ds.take(0), format, tmp_path / "none" / "", num_shards=2)
    assert len(list((tmp_path / "none").iterdir())) == 2


def test_a_stream_that_is_taken_from_a_state(tmp_path):
    ds = IterableDataset.from_dict(DATA)
    iterator = iter(ds)
    for _ in range(10):
        next(iterator)
    state = ds.state_dict()
    fresh = IterableDataset.from_dict(DATA)
    fresh.load_state_dict(state)
    fresh.to_json(tmp_path / "a.jsonl", num_shards=3)
    assert read("json", tmp_path) == ROWS[10:]


@pytest.mark.parametrize("kind", ["map-style", "stream"])
def test_a_generator_runs_once(tmp_path, kind):
    runs = []

    def generate():
        runs.append(1)
        yield from ROWS

    IterableDataset.from_generator(generate).to_parquet(tmp_path / "a.parquet", num_shards=3)
    assert len(runs) == 1


@pytest.mark.parametrize("name", ["new", "new/", "there"])
@pytest.mark.parametrize("kind", ["map-style", "stream"])
@pytest.mark.parametrize("format", FORMATS)
def test_a_folder(tmp_path, kind, format, name):
    (tmp_path / "there").mkdir()
    ds = KINDS[kind]()
    write(ds, format, f"{tmp_path}/{name}", num_shards=2)
    ending = FORMATS[format].partition(".")[2]
    assert sorted(path.name for path in (tmp_path / name).iterdir()) == [
        f"data-{i:05}-of-00002.{ending}" for i in range(2)
    ]


@pytest.mark.parametrize("kind", ["map-style", "stream"])
def test_a_folder_of_a_split(tmp_path, kind):
    ds = (
        Dataset.from_dict(DATA, split="test")
        if kind == "map-style"
        else IterableDataset.from_dict(DATA, split="test")
    )
    ds.to_parquet(tmp_path, num_shards=2)
    assert list(load_dataset(str(tmp_path), streaming=True)) == ["test"]


@pytest.mark.parametrize("kind", ["map-style", "stream"])
@pytest.mark.parametrize("format", FORMATS)
def test_files_of_the_same_name_are_replaced(tmp_path, kind, format):
    ds, path = KINDS[kind](), tmp_path / FORMATS[format]
    other = tmp_path / f"validation-00000-of-00001.{FORMATS[format].partition('.')[2]}"
    other.write_bytes(b"")
    write(ds, format, path)
    write(ds, format, path, num_shards=5)
    write(ds, format, path, num_shards=2)
    assert len(list(tmp_path.iterdir())) == 3
    other.unlink()
    assert read(format, tmp_path) == ROWS


@pytest.mark.parametrize("options", [{}, {"num_shards": 3}, {"max_shard_size": 2000}])
@pytest.mark.parametrize("format", FORMATS)
def test_all_of_them_or_none(tmp_path, format, options):
    def fails():
        yield from ROWS
        raise LookupError

    path = tmp_path / FORMATS[format]
    write(Dataset.from_dict(DATA), format, path, **options)
    before = {one.name: one.read_bytes() for one in tmp_path.iterdir()}
    with pytest.raises(LookupError):
        write(IterableDataset.from_generator(fails), format, path, batch_size=10, **options)
    assert {one.name: one.read_bytes() for one in tmp_path.iterdir()} == before


def test_files_of_a_file_system_of_fsspec(tmp_path):
    fsspec = pytest.importorskip("fsspec")
    ds, fs = Dataset.from_dict(DATA), fsspec.filesystem("memory")
    for options in ({"num_shards": 3}, {"num_shards": 2}, {"max_shard_size": 4000}):
        ds.to_json("memory://shards/a.jsonl", **options)
        names = sorted(fs.ls("/shards", detail=False))
        assert all(name.endswith(f"-of-{len(names):05}.jsonl") for name in names)
        assert [json.loads(line) for name in names for line in fs.cat(name).splitlines()] == ROWS


@pytest.mark.parametrize("options", [{"num_shards": 3}, {"max_shard_size": 2000}])
def test_compressed_lines(tmp_path, options):
    Dataset.from_dict(DATA).to_json(tmp_path / "a.jsonl.gz", **options)
    files = sorted(tmp_path.glob("a-*-of-*.jsonl.gz"))
    assert len(files) > 1
    assert [
        json.loads(line)
        for file in files
        for line in gzip.decompress(file.read_bytes()).splitlines()
    ] == ROWS


def test_files_of_one_array(tmp_path):
    ds = Dataset.from_dict(DATA)
    ds.to_json(tmp_path / "a.json", lines=False, num_shards=3)
    assert [
        row for file in sorted(tmp_path.iterdir()) for row in json.loads(file.read_text())
    ] == ROWS
    with pytest.raises(NotImplementedError, match="lines=False"):
        ds.to_json(tmp_path / "a.json", lines=False, max_shard_size=1000)


@pytest.mark.parametrize("num_proc", [None, 2])
@pytest.mark.parametrize("options", [{}, {"num_shards": 3}, {"max_shard_size": 2000}])
def test_threads_change_nothing(tmp_path, num_proc, options):
    Dataset.from_dict(DATA).to_csv(tmp_path / "a.csv", batch_size=10, num_proc=num_proc, **options)
    assert read("csv", tmp_path) == ROWS


@pytest.mark.parametrize("kind", ["map-style", "stream"])
@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    "options",
    [
        {"num_shards": 2, "max_shard_size": "1MB"},
        {"num_shards": 0},
        {"num_shards": -1},
        {"max_shard_size": 0},
        {"max_shard_size": "a lot"},
    ],
)
def test_what_makes_no_sense(tmp_path, kind, format, options):
    with pytest.raises(InvalidArgumentError):
        write(KINDS[kind](), format, tmp_path / "a.x", **options)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["map-style", "stream"])
def test_an_open_file_is_one_file(kind):
    with pytest.raises(InvalidArgumentError, match="several files"):
        KINDS[kind]().to_parquet(io.BytesIO(), num_shards=2)
