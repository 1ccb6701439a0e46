"""What a loader's workers read, and what they know: streams inside generators, epochs, ends, states; in processes that cannot hang."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

pytest.importorskip("torch")
pytestmark = pytest.mark.heavy

HEAD = """
import json, warnings
from itertools import islice
from rowstream import IterableDataset, concatenate_datasets, interleave_datasets, merge_state_dicts, split_dataset_by_node
from rowstream.exceptions import UnsupportedError
warnings.filterwarnings("ignore", message="This DataLoader will create|'set_vital'|.*fork")

def held(n=60, shards=1):
    return IterableDataset.from_dict({"id": list(range(n))}, num_shards=shards)

docs = held()
early = held(shards=6).shuffle(seed=1, buffer_size=10)  # made before PyTorch is imported
import torch
from torch.utils.data import DataLoader, IterableDataset as TorchIterable

def ids(items):
    return [int(i) for item in items for i in (item["id"] if hasattr(item["id"], "__len__") or getattr(item["id"], "ndim", 0) else [item["id"]])]

def loaded(ds, workers, **more):
    return ids(DataLoader(ds, batch_size=None, num_workers=workers, **more))

WHOLE = list(range(60))
if __name__ == "__main__":
"""


def run(tmp_path, body):
    script = tmp_path / "script.py"
    script.write_text(HEAD + textwrap.indent(textwrap.dedent(body), "    "))
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=110, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]


def test_streams_that_a_stream_reads_are_whole(tmp_path):
    run(
        tmp_path,
        """
        def pack():
            for row in docs:
                yield row

        def given():
            return iter(docs)

        def in_threads():
            from concurrent.futures import ThreadPoolExecutor
            from contextvars import copy_context
            with ThreadPoolExecutor(1) as pool:
                yield from pool.submit(copy_context().run, list, docs).result()

        async def later(row):
            return {"n": len(list(docs))}

        nested = lambda: ({"id": row["id"]} for row in IterableDataset.from_generator(pack))
        for workers in (0, 1, 2, 4):
            for function in (pack, given, in_threads, nested, lambda: iter(docs.map(lambda row: row)), lambda: iter(docs.shuffle(seed=1))):
                assert sorted(loaded(IterableDataset.from_generator(function), workers)) == WHOLE, (function, workers)
            for step in (
                lambda ds: ds.map(lambda row: {"n": sum(1 for _ in docs)}),
                lambda ds: ds.map(lambda batch: {"n": [len(list(docs))] * len(batch["id"])}, batched=True, batch_size=7),
                lambda ds: ds.filter(lambda row: len(list(docs)) == 60),
                lambda ds: ds.flat_map(lambda row: [{"id": row["id"], "n": len(list(docs))}]),
                lambda ds: ds.map(lambda row: {"n": len(list(docs))}, num_threads=2),
                lambda ds: ds.map(later),
            ):
                rows = list(DataLoader(step(held(12)), batch_size=None, num_workers=workers))
                assert sorted(ids(rows)) == list(range(12)) and {int(row.get("n", 60)) for row in rows} == {60}, workers

        class Wrapped(TorchIterable):  # somebody else's class, which leaves the division to the stream
            def __iter__(self):
                yield from docs

        for workers in (0, 1, 3):
            assert sorted(loaded(Wrapped(), workers)) == WHOLE
        """,
    )


def test_a_generator_whose_order_is_another_at_each_run(tmp_path):
    run(
        tmp_path,
        """
        def rows(names):
            import os, random
            order = list(range(30))
            random.Random(os.getpid()).shuffle(order)
            for name in names:
                yield from ({"id": 30 * name + i} for i in order)

        for shards in (1, 2, 3):
            ds = IterableDataset.from_generator(rows, gen_kwargs={"names": list(range(shards))})
            for made in (ds, ds.shuffle(seed=1, buffer_size=5), ds.map(lambda row: row), concatenate_datasets([ds, ds.skip(1000)])):
                for workers in (0, 1, 2, 4):
                    assert sorted(loaded(made, workers)) == list(range(30 * shards)), (shards, workers)
        """,
    )


def test_workers_see_the_epoch_whatever_was_imported_first(tmp_path):
    run(
        tmp_path,
        """
        for method in ("fork", "spawn"):
            for ds in (early, early.map(dict)):
                loader = DataLoader(ds, batch_size=None, num_workers=2, persistent_workers=True, multiprocessing_context=method)
                seen = []
                for epoch in (0, 1, 0):
                    ds.set_epoch(epoch)
                    seen.append(ids(loader))
                    assert sorted(seen[-1]) == WHOLE
                assert seen[0] == seen[2] != seen[1], method
        """,
    )


def test_a_state_that_was_loaded_is_behind_after_the_epoch_that_it_began(tmp_path):
    """Each epoch forks or pickles the parent's copy anew, with the state still in it."""
    run(
        tmp_path,
        """
        parts = [split_dataset_by_node(early, c, 3) for c in range(3)]
        given = [i for part in parts for i in ids(islice(part, 7))]
        state = merge_state_dicts([part.state_dict() for part in parts])
        for method in ("fork", "spawn"):
            for persistent in (False, True) if method == "fork" else (True,):
                ds = early.map(dict)
                ds.load_state_dict(state)
                loader = DataLoader(ds, batch_size=None, num_workers=2, multiprocessing_context=method, persistent_workers=persistent)
                epochs = [sorted(ids(loader)) for _ in range(3)]
                assert epochs == [sorted(set(WHOLE) - set(given)), WHOLE, WHOLE], (method, persistent)
                assert sorted(ids(DataLoader(ds, batch_size=None, num_workers=3))) == WHOLE
                assert sorted(ids(ds)) == WHOLE
                ds.load_state_dict(state)
                assert sorted(loaded(ds, 3)) == epochs[0]
        """,
    )


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_a_stateful_loader_that_ended_goes_on_with_the_next_epoch(tmp_path, workers):
    pytest.importorskip("torchdata")
    run(
        tmp_path,
        f"""
        from torchdata.stateful_dataloader import StatefulDataLoader

        def rows():
            yield from ({{"id": i}} for i in range(60))

        makes = [
            lambda: early,
            lambda: early.map(lambda batch: batch, batched=True, batch_size=7),
            lambda: IterableDataset.from_generator(rows),
            lambda: interleave_datasets([held(30), held(30)]),
        ]
        for make in makes:
            for persistent in (False, True) if {workers} else (False,):
                def loader():
                    return StatefulDataLoader(make(), batch_size=8, num_workers={workers}, persistent_workers=persistent)

                whole = sorted(ids(make()))
                assert len(whole) >= 59
                for steps in (3, None):
                    one = loader()
                    given = ids(islice(iter(one), steps))
                    state = one.state_dict()
                    del one
                    other = loader()
                    other.load_state_dict(state)
                    epochs = [ids(other) for _ in range(3)]
                    # Of a state of the end, torchdata begins the next epoch where there are workers.
                    began = steps is None and {workers} > 0
                    assert sorted(epochs[0] if began else given + epochs[0]) == whole, (steps, len(epochs[0]))
                    assert sorted(epochs[1]) == sorted(epochs[2]) == whole, (steps, [len(e) for e in epochs])
        """,
    )


def test_the_copy_of_a_process_whose_workers_read_has_no_state(tmp_path):
    run(
        tmp_path,
        """
        for method, streams in (("fork", (held(), held().map(dict), held().shuffle(seed=1))), ("spawn", (held(),))):
            for ds in streams:
                first = ds.state_dict()
                loader = DataLoader(ds, batch_size=None, num_workers=2, multiprocessing_context=method)
                next(iter(loader))
                try:
                    ds.state_dict()
                except UnsupportedError as error:
                    assert "StatefulDataLoader" in str(error)
                else:
                    raise AssertionError("a state of rows that nobody knows of")
                ds.load_state_dict(first)
                assert ds.state_dict() == first
                list(islice(ds, 3))
                ds.state_dict()
        """,
    )


def test_a_rank_takes_as_many_rows_with_workers(tmp_path):
    run(
        tmp_path,
        """
        import pyarrow as pa, pyarrow.parquet as pq, tempfile
        from rowstream import load_dataset
        folder = tempfile.mkdtemp()
        pq.write_table(pa.table({"id": range(203)}), f"{folder}/a.parquet", row_group_size=50)
        uneven = load_dataset("parquet", data_files=f"{folder}/*.parquet", split="train", streaming=True)
        for ds in (uneven.shuffle(seed=1), uneven, uneven.map(dict)):
            for rank in range(2):
                part = split_dataset_by_node(ds, rank, 2)
                expected = sorted(ids(islice(part, 80)))
                for workers in (0, 1, 2, 4):
                    assert sorted(loaded(part.take(80), workers)) == expected, (rank, workers)
        """,
    )
