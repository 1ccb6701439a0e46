"""Map-style data sets: what is kept in files, by which name, and how processes share the work."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import rowstream
from rowstream import (
    Dataset,
    DatasetDict,
    Features,
    Value,
    col,
    exceptions,
    load_dataset,
    load_from_disk,
)
from rowstream.fingerprint import Hasher


class Calls(list):
    """What has been counted is no part of a function's hash: what a global holds would be."""

    def __reduce__(self):
        return Calls, ()


CALLS = Calls()


def double(row):
    CALLS.append(row["id"])
    return {"twice": row["id"] * 2}


def ranked(row, rank):
    return {"rank": rank, "pid": os.getpid()}


def fails_at_30(row):
    if row["id"] == 30:
        raise LookupError("thirty")
    return {"x": 1}


def killed(row):
    os.kill(os.getpid(), 9)


@pytest.fixture(autouse=True)
def _quiet(tmp_path, monkeypatch):
    monkeypatch.setattr(rowstream.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    rowstream.disable_progress_bars()
    CALLS.clear()
    yield
    rowstream.enable_progress_bars()


@pytest.fixture
def ds(tmp_path):
    made = Dataset.from_dict({"id": list(range(60)), "text": [f"row {i}" for i in range(60)]})
    made.save_to_disk(tmp_path / "ds")
    return load_from_disk(tmp_path / "ds")


def test_a_result_is_found_again(ds):
    first = ds.map(double)
    assert len(CALLS) == 60
    again = ds.map(double)
    assert len(CALLS) == 60
    assert first._fingerprint == again._fingerprint
    assert first.cache_files == again.cache_files != ds.cache_files
    assert again["twice"][:3] == [0, 2, 4]
    ds.map(double, load_from_cache_file=False)
    assert len(CALLS) == 120


def test_the_name_of_a_result_follows_from_all_that_goes_in(ds):
    def add(row, n):
        return {"id": row["id"] + n}

    one, other = (ds.map(add, fn_kwargs={"n": n}) for n in (1, 2))
    assert one._fingerprint != other._fingerprint
    assert one["id"][0], other["id"][0] == (1, 2)
    assert ds.map(double)._fingerprint != ds.shuffle(seed=1).map(double)._fingerprint
    named = ds.map(double, new_fingerprint="a-name-of-my-own")
    assert (named._fingerprint, Path(named.cache_files[0]["filename"]).name) == (
        "a-name-of-my-own",
        "cache-a-name-of-my-own.arrow",
    )
    text = one.explain_fingerprint()
    assert "fn_kwargs = {'n': 1}" in text
    assert one._fingerprint in text


def test_the_same_in_another_process():
    script = """
        from functools import partial
        import re, pathlib, numpy as np
        from rowstream.fingerprint import Hasher
        TABLE = {"a": 1, "b": {3, 1, 2}}
        def helper(x): return x + len(TABLE)
        def function(row, *, k=re.compile("a+")): return {"n": helper(row["id"]), "p": pathlib.PurePosixPath("x")}
        class Thing:
            def __init__(self, n): self.n = n
            def __call__(self, row): return {"n": self.n}
        print(Hasher.hash([function, partial(function, k=None), Thing(3), np.arange(4), {"s": {"z", "y", "x"}}, lambda r: r["id"] + 1]))
    """
    made = {
        subprocess.run(
            [sys.executable, "-c", textwrap.dedent(script)],
            capture_output=True, text=True, check=True, timeout=60, env={**os.environ, "PYTHONHASHSEED": str(seed)},
        ).stdout
        for seed in (1, 2)
    }  # fmt: skip
    assert len(made) == 1


def test_a_function_that_changes_has_another_name():
    def made(text):
        names = {"K": 1}
        exec(textwrap.dedent(text), names)
        names["f"].__module__ = "__main__"
        return names["f"]

    same = Hasher.hash(made("def f(x):\n    return x + K"))
    assert same == Hasher.hash(made("\n\n\ndef f(x):\n    # a comment\n    return x + K"))
    assert same != Hasher.hash(made("def f(x):\n    return x - K"))
    assert same != Hasher.hash(made("K = 2\ndef f(x):\n    return x + K"))


def test_what_has_no_name_is_said(ds, caplog):
    lock = threading.Lock()

    def locked(row):
        with lock:
            return {"x": 1}

    rowstream.fingerprint._warned = False
    made = ds.map(locked)
    assert made[0]["x"] == 1
    assert "couldn't be hashed properly" in caplog.text
    assert "'s lock" in caplog.text
    assert "new_fingerprint=" in caplog.text


def test_without_caching(ds):
    rowstream.disable_caching()
    try:
        first, again = ds.map(double), ds.map(double)
    finally:
        rowstream.enable_caching()
    assert len(CALLS) == 120
    assert (
        Path(first.cache_files[0]["filename"]).parent != Path(ds.cache_files[0]["filename"]).parent
    )
    assert first[5] == again[5]


def test_a_damaged_result_is_made_anew(ds):
    path = ds.map(double).cache_files[0]["filename"]
    with Path(path).open("r+b") as file:
        file.truncate(200)
    assert ds.map(double)["twice"][:] == [2 * i for i in range(60)]
    assert len(CALLS) == 120


def test_nothing_half_written_stays(ds):
    with pytest.raises(LookupError, match="thirty"):
        ds.map(fails_at_30)
    folder = Path(ds.cache_files[0]["filename"]).parent
    assert not [
        path
        for path in folder.iterdir()
        if "rowstream-" in path.name or path.name.startswith("cache-")
    ]


@pytest.mark.heavy
def test_processes_have_parts(ds):
    made = ds.map(ranked, with_rank=True, num_proc=3)
    assert made["rank"][:] == [0] * 20 + [1] * 20 + [2] * 20
    assert os.getpid() not in made["pid"][:]
    assert len(made.cache_files) == 3
    # A part that is missing is made; the others are found.
    Path(made.cache_files[1]["filename"]).unlink()
    again = ds.map(ranked, with_rank=True, num_proc=3)
    assert again["pid"][:20] == made["pid"][:20]
    assert again["pid"][20] != made["pid"][20]


@pytest.mark.heavy
def test_an_error_of_a_process_comes_through(ds):
    with pytest.raises(LookupError, match="thirty") as caught:
        ds.map(fails_at_30, num_proc=2)
    assert "fails_at_30" in "".join(caught.value.__notes__)
    with pytest.raises(RuntimeError, match="abruptly died"):
        ds.map(killed, num_proc=2)


def test_filter_by_an_expression(ds):
    condition = (col("id") >= 10) & ~col("text").starts_with("row 2")
    wanted = [i for i in range(10, 60) if not str(i).startswith("2")]
    assert ds.filter(condition)["id"][:] == wanted
    mixed = ds.shuffle(seed=4)
    assert mixed.filter(condition)["id"][:] == [i for i in mixed["id"][:] if i in set(wanted)]
    assert (
        ds.filter(condition)._fingerprint
        == ds.filter((col("id") >= 10) & ~col("text").starts_with("row 2"))._fingerprint
    )
    with pytest.raises(exceptions.InvalidArgumentError, match="not in the dataset"):
        ds.filter(col("nothing") > 1)


def test_pickled_by_its_files(ds):
    mixed = ds.shuffle(seed=1).select(range(7)).rename_column("id", "key")
    content = pickle.dumps(mixed)
    assert len(content) < 20_000
    again = pickle.loads(content)
    assert again[:] == mixed[:]
    assert again._fingerprint == mixed._fingerprint


def test_rows_of_the_core_are_those_of_pyarrow():
    rng = np.random.default_rng(0)
    table = pa.table(
        {
            "text": pa.array(
                [None if i % 5 == 0 else "ä" * (i % 40) for i in range(300)], pa.large_string()
            ),
            "raw": pa.array([bytes([i % 256]) * (i % 20) for i in range(300)]),
            "nested": pa.array(
                [
                    [{"a": [i] * (i % 3), "b": None if i % 2 else str(i)}] * (i % 4)
                    for i in range(300)
                ]
            ),
            "n": pa.array(rng.random(300)),
        }
    )
    whole = pa.concat_tables([table.slice(3, 90), table.slice(50), table.slice(0, 0), table])
    ds = Dataset.from_arrow(whole)
    rows = whole.to_pylist()
    assert list(ds) == rows
    assert ds.to_list() == rows
    assert ds[:] == whole.to_pydict()
    at = rng.integers(0, len(rows), 200).tolist()
    assert [ds[i] for i in at] == [rows[i] for i in at] == ds.__getitems__(at)
    assert list(ds.select(at)) == [rows[i] for i in at]


def test_loading_makes_one_copy(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text("".join(f'{{"i": {i}}}\n' for i in range(100)))
    ds = load_dataset("json", data_files=str(path), split="train")
    again = load_dataset("json", data_files=str(path), split="train[10:20]+train[-1:]")
    assert ds.cache_files
    assert ds.cache_files == again.cache_files[:1]
    assert again["i"][:] == [*range(10, 20), 99]
    assert isinstance(
        load_dataset("json", data_files={"a": str(path), "b": str(path)}), DatasetDict
    )
    path.write_text('{"i": 7}\n')
    assert load_dataset("json", data_files=str(path), split="train")["i"][:] == [7]
    with pytest.raises(ValueError, match="Unknown split"):
        load_dataset("json", data_files=str(path), split="test")


def test_arrow_files_are_read_where_they_are(tmp_path):
    Dataset.from_dict({"a": [1, 2]}).save_to_disk(tmp_path / "d")
    (file,) = (tmp_path / "d").glob("*.arrow")
    ds = load_dataset("arrow", data_files=str(file), split="train")
    assert ds.cache_files == [{"filename": str(file)}]


def test_a_generator_runs_once():
    calls = []

    def rows(n):
        calls.append(n)
        yield from ({"i": i} for i in range(n))

    made = [
        Dataset.from_generator(
            rows, gen_kwargs={"n": 3}, features=Features({"i": Value("int8")}), fingerprint="mine"
        )
        for _ in range(2)
    ]
    assert calls == [3]
    assert made[0]["i"][:] == made[1]["i"][:] == [0, 1, 2]
    assert made[0].features["i"].dtype == "int8"


def test_two_processes_end_with_one_good_copy(tmp_path):
    script = f"""
        import rowstream, sys
        rowstream.disable_progress_bars()
        ds = rowstream.load_from_disk({str(tmp_path / "shared")!r})
        def slow(row): return {{"n": row["id"] + 1}}
        made = ds.map(slow)
        assert made["n"][:] == list(range(1, 2001)), "rows"
        print(made.cache_files[0]["filename"])
    """
    Dataset.from_dict({"id": list(range(2000))}).save_to_disk(tmp_path / "shared")
    running = [
        subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    files = {one.communicate(timeout=100)[0] for one in running}
    assert [one.returncode for one in running] == [0, 0, 0]
    assert len(files) == 1
    left = [path.name for path in (tmp_path / "shared").iterdir() if path.suffix == ".arrow"]
    assert len([name for name in left if name.startswith(("cache-", ".rowstream"))]) == 1


def test_lines_whose_fields_are_mixed(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"a": 1, "b": 0}\n\n{"a": "x", "b": 1}\n{"a": "3", "b": 2}\n')
    (tmp_path / "b.jsonl").write_text('{"a": {"z": [1]}, "b": 2}\n')

    def read(**more):
        files = {"train": str(path), "test": str(tmp_path / "b.jsonl")}
        return load_dataset("json", data_files=files, cache_dir=str(tmp_path / "cache"), **more)

    ds = read()
    assert ds["train"].to_list() == [
        {"a": 1, "b": 0},
        {"a": "x", "b": 1},
        {"a": "3", "b": 2},
    ]  # "3" is no number
    assert ds["train"].features == Features({"a": rowstream.Json(), "b": Value("int64")})
    # A split that by itself has nothing mixed is of the types of the first.
    assert ds["test"].features == ds["train"].features
    assert ds["test"].to_list() == [{"a": {"z": [1]}, "b": 2}]
    with path.open("a") as file:
        file.write("[1]\n")
    with pytest.raises(exceptions.FileFormatError, match=r"a\.jsonl: line 5"):
        read(split="train")  # lines that are no objects are not taken for mixed ones
    path.write_text(
        '{"a": 1}\n{"a": "x"}\n' + ('{"a": "' + "y" * 1000 + '"}\n') * 11_000 + '{"new": 1}\n'
    )
    with pytest.raises(
        exceptions.SchemaError, match=r"a\.jsonl: line 11003 .*field .new..*features="
    ):
        read(split="train")


def test_columns_from_several_places_are_pickled(tmp_path):
    Dataset.from_dict({"a": [1, 2, 3]}).save_to_disk(tmp_path)
    ds = load_from_disk(tmp_path).add_column("b", [4, 5, 6]).select(range(1, 3))
    again = pickle.loads(pickle.dumps(ds.rename_column("b", "c")))
    assert again.to_list() == [{"a": 2, "c": 5}, {"a": 3, "c": 6}]
    assert ds.map(lambda row: {"d": row["b"]}, num_proc=2)["d"][:] == [5, 6]


def mapped(tmp_path, n=25):
    rows = [{"id": i, "text": f"row {i}", "tags": [i] * (i % 3)} for i in range(n)]
    Dataset.from_list(rows).save_to_disk(tmp_path / "mapped")
    return load_from_disk(tmp_path / "mapped"), rows


FUNCTIONS = {
    "a new column": lambda b: {"n": [i + 1 for i in b["id"]]},
    "a new column of one that is not looked at": lambda b: {
        "n": [7] * 4 if len(b) == 0 else [7] * len(next(iter(b.values())))
    },
    "a column replaced": lambda b: {"text": [text.upper() for text in b["text"]]},
    "a column changed in place": lambda b: b["tags"][0].append(9) or {"n": b["id"]},
    "a plain value changed in place": lambda b: b["id"].__setitem__(0, -5) or {"n": b["text"]},
    "a plain value set": lambda b: b.__setitem__("id", [0] * len(b["text"])) or {"n": b["text"]},
    "the batch itself": lambda b: {**b, "n": b["id"]},
    "fewer rows": lambda b: {"id": b["id"][:2], "text": b["text"][:2], "tags": b["tags"][:2]},
    "other columns later": lambda b: {
        "n": b["id"],
        **({"text": ["x"] * len(b["id"])} if b["id"][0] > 10 else {}),
    },
    "a look later": lambda b: {
        "n": [len(str(b["text"][0]) if b["id"][0] > 10 else "") for _ in b["id"]]
    },
    "more rows later": lambda b: (
        {"id": b["id"]}
        if b["id"][0] < 10
        else {name: [*b[name], *b[name]] for name in ("id", "text", "tags")}
    ),
    "nothing": lambda b: {},
}


@pytest.mark.parametrize("batch_size", [4, 7, 1000])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_columns_that_no_batch_changes_stay_where_they_are(tmp_path, name, batch_size):
    ds, rows = mapped(tmp_path)
    made = ds.map(FUNCTIONS[name], batched=True, batch_size=batch_size)
    expected = Dataset.from_list(rows).map(FUNCTIONS[name], batched=True, batch_size=batch_size)
    assert made.to_list() == expected.to_list()
    assert made.features == expected.features
    assert made.column_names == expected.column_names
    again = ds.map(FUNCTIONS[name], batched=True, batch_size=batch_size)
    assert (again.cache_files, again.to_list(), again._fingerprint) == (
        made.cache_files,
        made.to_list(),
        made._fingerprint,
    )
    assert pickle.loads(pickle.dumps(made)).to_list() == made.to_list()
    assert not list((tmp_path / "mapped").glob(".rowstream-*"))


def test_the_file_has_only_what_the_function_made(tmp_path):
    ds, rows = mapped(tmp_path, 2000)
    made = ds.map(lambda b: {"n": b["id"]}, batched=True)
    *_, last = [Path(file["filename"]) for file in made.cache_files]
    assert pa.ipc.open_stream(last).schema.names == ["n"]
    # A chain goes on, in processes too, through rows by number, and to disk.
    more = made.map(lambda b: {"m": b["n"]}, batched=True).map(
        lambda row: {"k": row["m"] + 1}, num_proc=2
    )
    assert (
        more.shuffle(seed=1).to_list()
        == Dataset.from_list([{**r, "n": r["id"], "m": r["id"], "k": r["id"] + 1} for r in rows])
        .shuffle(seed=1)
        .to_list()
    )
    more.save_to_disk(tmp_path / "whole")
    assert load_from_disk(tmp_path / "whole").to_list() == more.to_list()
    # A file that the caller names has all columns.
    ds.map(lambda b: {"n": b["id"]}, batched=True, cache_file_name=str(tmp_path / "all.arrow"))
    assert Dataset.from_file(str(tmp_path / "all.arrow")).column_names == [
        "id",
        "text",
        "tags",
        "n",
    ]
    # What a file has is not taken for that of rows by number, though they are named alike.
    some = ds.select([3, 1])
    some._fingerprint = ds._fingerprint
    assert some.map(lambda b: {"n": b["id"]}, batched=True).to_list() == [
        {**rows[i], "n": i} for i in (3, 1)
    ]


def test_a_function_that_fails_late_leaves_nothing(tmp_path):
    ds, _ = mapped(tmp_path)
    before = sorted((tmp_path / "mapped").iterdir())

    def late(batch):
        if batch["id"][0] > 10:
            raise ZeroDivisionError
        return {"n": batch["id"]}

    with pytest.raises(ZeroDivisionError):
        ds.map(late, batched=True, batch_size=4)
    assert sorted((tmp_path / "mapped").iterdir()) == before
