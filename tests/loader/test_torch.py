"""PyTorch's loaders over a stream: workers of every kind, epochs, exact states; in processes that cannot hang a test."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

from tests.conftest import write_lines

pytest.importorskip("torch")
pytestmark = pytest.mark.heavy

COUNTS = [40, 7, 0, 93, 60, 1, 55, 44]
HEAD = """
import sys, warnings
from itertools import islice
from rowstream import load_dataset, merge_state_dicts, split_dataset_by_node
warnings.filterwarnings("ignore", message="This DataLoader will create|'set_vital'")

def opened():
    return load_dataset("json", data_files=sys.argv[1], split="train", streaming=True).shuffle(seed=1, buffer_size=50)

early = opened()
import torch
from torch.utils.data import DataLoader, IterableDataset

def ids(loader):
    return [i for batch in loader for i in batch["id"].tolist()]

WHOLE = list(range(300))
if __name__ == "__main__":
"""


def run(tmp_path, body):
    write_lines(tmp_path / "data", COUNTS)
    script = tmp_path / "script.py"
    script.write_text(HEAD + textwrap.indent(textwrap.dedent(body), "    "))
    command = [sys.executable, str(script), f"{tmp_path}/data/*"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stderr[-3000:]


def test_a_stream_that_was_made_before_torch_was_loaded(tmp_path):
    run(
        tmp_path,
        """
        assert isinstance(early, IterableDataset) and type(early).__name__ == "IterableDataset"
        assert isinstance(early, IterableDataset) and isinstance(opened(), IterableDataset)
        import pickle
        assert [row["id"] for row in pickle.loads(pickle.dumps(early))] == [row["id"] for row in early]
        """,
    )


def test_the_core_loads_after_torch(tmp_path):
    """A module with an allocator of its own may find no room for its thread-local data when others were first."""
    write_lines(tmp_path / "data", [3])
    code = f"""
import torch
torch.ones(3) @ torch.ones(3)
from rowstream import load_dataset
assert len(list(load_dataset("json", data_files="{tmp_path}/data/*", split="train", streaming=True))) == 3
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=100)


def test_torch_is_not_loaded_by_streams(tmp_path):
    write_lines(tmp_path / "data", [3])
    code = f"""
import sys
from rowstream import load_dataset
ds = load_dataset("json", data_files="{tmp_path}/data/*", split="train", streaming=True)
assert len(list(ds.map(lambda row: row))) == 3
assert not {{"torch", "pyarrow", "numpy"}} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_workers_have_parts(tmp_path, method):
    """More workers than the data have pieces, too."""
    run(
        tmp_path,
        f"""
        ds = opened().with_format("torch")
        next(iter(ds))  # what the parent has read is not behind the workers
        for n in (0, 1, 3, {12 if method == "fork" else 6}):
            loader = DataLoader(ds, batch_size=16, num_workers=n, multiprocessing_context={method!r} if n else None)
            assert sorted(ids(loader)) == WHOLE, n
        for n in (0, 2):
            parts = [split_dataset_by_node(ds, rank, 2) for rank in range(2)]
            got = [ids(DataLoader(part, batch_size=16, num_workers=n)) for part in parts]
            assert sorted(got[0] + got[1]) == WHOLE
        """,
    )


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_workers_that_persist_see_the_epoch(tmp_path, method):
    run(
        tmp_path,
        f"""
        ds = opened().map(lambda row: {{"k": 1}}) if {method == "fork"} else opened()
        loader = DataLoader(ds.with_format("torch").select_columns(["id"]), batch_size=16, num_workers=2,
                            persistent_workers=True, multiprocessing_context={method!r})
        first = ids(loader)
        loader.dataset.set_epoch(1)
        second = ids(loader)
        loader.dataset.set_epoch(0)
        assert sorted(first) == sorted(second) == WHOLE and first != second and ids(loader) == first
        """,
    )


@pytest.mark.parametrize("workers", [0, 2])
def test_a_stateful_loader_goes_on_exactly_and_joins(tmp_path, workers):
    pytest.importorskip("torchdata")
    run(
        tmp_path,
        f"""
        from torchdata.stateful_dataloader import StatefulDataLoader

        def loader(ds, n={workers}):
            return StatefulDataLoader(ds.with_format("torch").select_columns(["id"]), batch_size=8, num_workers=n)

        whole = [batch["id"].tolist() for batch in loader(opened())]
        for steps in (0, 1, 9, 20):
            one = loader(opened())
            got = [batch["id"].tolist() for batch in islice(one, steps)] if steps else []
            state = one.state_dict()
            other = loader(opened())
            other.load_state_dict(state)
            assert got + [batch["id"].tolist() for batch in other] == whole, steps
            if steps:
                ds = opened()
                ds.load_state_dict(merge_state_dicts([state]))
                rest = ids(DataLoader(ds.with_format("torch"), batch_size=8, num_workers=3))
                assert sorted(sum(got, []) + rest) == WHOLE, steps
        """,
    )


def test_tensors_have_the_types_that_datasets_gives(tmp_path):
    run(
        tmp_path,
        """
        ds = opened().with_format("torch")
        row = next(iter(ds))
        assert row["id"].dtype == torch.int64 and row["id"].ndim == 0 and type(row["text"]) is str
        batch = next(ds.iter(4))
        assert batch["id"].shape == (4,) and type(batch["text"]) is list
        batch["id"] += 1  # memory of its own
        made = ds.map(lambda row: {"x": [0.5, 1.5], "flag": True, "t": row["id"] * 2})
        row = next(iter(made))
        assert row["x"].dtype == torch.float32 and row["flag"].dtype == torch.bool and row["t"].dtype == torch.int64
        assert next(made.iter(3))["x"].shape == (3, 2)
        """,
    )


def test_a_worker_that_is_killed(tmp_path):
    """The loader says so, soon: nothing waits for rows that will not come."""
    run(
        tmp_path,
        """
        import os, signal, time
        rows = iter(DataLoader(opened(), batch_size=None, num_workers=2, prefetch_factor=2))
        next(rows)
        os.kill(rows._workers[1].pid, signal.SIGKILL)
        began = time.monotonic()
        try:
            for _ in rows:
                pass
        except RuntimeError as error:
            assert "killed by signal" in str(error) or "exited unexpectedly" in str(error), error
        else:
            raise AssertionError("rows are missing, and nobody said so")
        assert time.monotonic() - began < 10
        """,
    )


def test_batches_of_workers_come_in_shared_memory(tmp_path):
    run(
        tmp_path,
        """
        ds = opened().select_columns("id").with_format("torch").batch(16)
        seen = []
        for batch in DataLoader(ds, batch_size=None, num_workers=2):
            assert batch["id"].is_shared()
            seen += batch["id"].tolist()
        assert sorted(seen) == WHOLE
        """,
    )
