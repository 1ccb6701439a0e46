"""Data sets that several threads use at once, which free-threaded interpreters really run at once."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rowstream import DataLoader, Dataset, IterableDataset, load_dataset

THREADS, ROWS = 8, 3_000


def rows() -> list[dict[str, Any]]:
    return [
        {
            "id": i,
            "role": ("user", "system")[i % 2],
            "text": f"row {i}" * (i % 7),
            "ids": list(range(i % 5)),
        }
        for i in range(ROWS)
    ]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("threads")
    table = pa.Table.from_pylist(rows())
    for shard in range(4):
        part = table.slice(shard * ROWS // 4, ROWS // 4)
        pq.write_table(part, folder / f"{shard}.parquet", row_group_size=100)
        Dataset(part).to_json(folder / f"{shard}.jsonl")
    return folder


def together(work: Callable[[int], Any]) -> list[Any]:
    """Run a function in threads that begin at one moment, and return what it gives in each."""
    ready = Barrier(THREADS)

    def begin(thread: int) -> Any:
        ready.wait(30)
        return work(thread)

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(begin, range(THREADS)))


def load(files: Any, form: str, *, streaming: bool) -> Any:
    name = {"parquet": "parquet", "jsonl": "json"}[form]
    return load_dataset(name, data_files=f"{files}/*.{form}", split="train", streaming=streaming)


@pytest.mark.parametrize("form", ["parquet", "jsonl"])
def test_rows_by_number(files, form):
    ds, expected = load(files, form, streaming=False), rows()

    def read(thread: int) -> bool:
        at = [(i * 37 + thread * 101) % ROWS for i in range(400)]
        return (
            all(ds[i] == expected[i] for i in at)
            and ds[at]["id"] == at
            and ds[thread : thread + 50]["text"]
            == [row["text"] for row in expected[thread : thread + 50]]
        )

    assert all(together(read))


@pytest.mark.parametrize("form", ["parquet", "jsonl"])
def test_each_thread_has_the_stream_to_itself(files, form):
    ds = load(files, form, streaming=True).shuffle(seed=3, buffer_size=500)
    mapped = ds.map(lambda batch: {"twice": [2 * i for i in batch["id"]]}, batched=True)
    expected = [row["id"] for row in ds]
    found = together(lambda thread: [row["id"] for row in (ds if thread % 2 else mapped)])
    assert found == [expected] * THREADS


def test_states_taken_by_another_thread(files):
    ds = load(files, "parquet", streaming=True).shuffle(seed=3, buffer_size=500)
    expected = [row["id"] for row in ds]

    def resumed(thread: int) -> bool:
        own = load(files, "parquet", streaming=True).shuffle(seed=3, buffer_size=500)
        it = iter(own)
        seen = [next(it)["id"] for _ in range(100 * thread + 1)]
        following = load(files, "parquet", streaming=True).shuffle(seed=3, buffer_size=500)
        following.load_state_dict(own.state_dict())
        return seen + [row["id"] for row in following] == expected

    assert all(together(resumed))


def test_loaders(files):
    def read(thread: int) -> Counter[int]:
        ds = load(files, "parquet", streaming=bool(thread % 2))
        loader = DataLoader(
            ds.select_columns(["id"]),
            batch_size=16,
            shuffle=not thread % 2,
            seed=thread,
            format="numpy",
            num_threads=2,
            collate=lambda batch: batch,
        )
        return Counter(i for batch in loader for i in batch["id"].tolist())

    assert together(read) == [Counter(range(ROWS))] * THREADS


def test_one_iterator_gives_each_row_once(files):
    """A thread that finds another one in it is told so; no row is lost, none given twice."""
    it = iter(load(files, "parquet", streaming=True))

    def take(_: int) -> list[int]:
        taken: list[int] = []
        while True:
            try:
                row = next(it, None)
            except (RuntimeError, ValueError) as error:
                assert "already" in str(error) or "another thread" in str(error)
                continue
            if row is None:
                return taken
            taken.append(row["id"])

    assert sorted(i for taken in together(take) for i in taken) == list(range(ROWS))


def test_streams_of_functions_and_files_that_are_written(tmp_path):
    def write(thread: int) -> list[int]:
        ds = IterableDataset.from_generator(lambda: ({"id": i} for i in range(500 + thread)))
        ds.map(lambda row: {"twice": row["id"] * 2}).to_parquet(tmp_path / f"{thread}.parquet")
        return pq.read_table(tmp_path / f"{thread}.parquet")["twice"].to_pylist()

    assert together(write) == [[2 * i for i in range(500 + thread)] for thread in range(THREADS)]


@pytest.mark.skipif(
    not sysconfig.get_config_var("Py_GIL_DISABLED"), reason="this interpreter has a lock"
)
def test_the_core_leaves_the_interpreter_free_threaded():
    script = (
        "import sys, rowstream\n"
        "rowstream.Dataset.from_dict({'a': [1]}).map(lambda row: {'b': 2})[0]\n"
        "assert not sys._is_gil_enabled()"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", script], check=True, timeout=60)
