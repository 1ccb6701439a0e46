"""The loader for MLX, rows at a rate, and the pool of memory."""

from __future__ import annotations

import itertools
import pickle
import threading

import numpy as np
import pytest
from rowstream import DataLoader, Dataset, IterableDataset, exceptions, load_dataset, write_jsonl
from rowstream.loader import (
    MemoryConfig,
    MLXDataLoader,
    MLXLoaderConfig,
    StreamingConfig,
    StreamingPipeline,
    UnifiedMemoryManager,
)

mx = pytest.importorskip("mlx.core")


def table(n=10):
    return Dataset.from_dict(
        {
            "x": [float(i) for i in range(n)],
            "input_ids": [[i] * (i % 3 + 1) for i in range(n)],
            "text": [str(i) for i in range(n)],
        }
    )


class Clock:
    """A clock that goes on when someone waits."""

    def __init__(self):
        self.now, self.waits = 100.0, 0

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        assert seconds > 0
        self.now, self.waits = self.now + seconds, self.waits + 1


@pytest.mark.parametrize("workers", [0, 1])
def test_batches_are_arrays_of_mlx(workers):
    loader = MLXDataLoader(table(), MLXLoaderConfig(batch_size=4, num_workers=workers))
    batches = list(loader)
    assert len(loader) == len(batches) == 3
    assert all(isinstance(batch["x"], mx.array) for batch in batches)
    assert batches[0]["input_ids"].tolist() == [[0, 0, 0], [1, 1, 0], [2, 2, 2], [3, 0, 0]]
    assert batches[0]["attention_mask"].tolist()[1] == [1, 1, 0]
    assert batches[2]["text"] == ["8", "9"]
    assert batches[2]["x"].dtype == mx.float32


def test_streams_of_token_rows_resume_where_they_were(tmp_path):
    write_jsonl(tmp_path / "a.jsonl", [{"input_ids": [i] * 8} for i in range(50)])
    ds = load_dataset(
        "json", data_files=str(tmp_path / "a.jsonl"), split="train", streaming=True
    ).shuffle(seed=1, buffer_size=10)

    def ids(loader):
        return [batch["input_ids"][:, 0].tolist() for batch in loader]

    whole = ids(MLXDataLoader(ds, MLXLoaderConfig(batch_size=8)))
    assert sorted(itertools.chain.from_iterable(whole)) == list(range(50))
    loader = MLXDataLoader(ds, MLXLoaderConfig(batch_size=8))
    batches = iter(loader)
    first = [next(batches)["input_ids"][:, 0].tolist() for _ in range(3)]
    state = loader.state_dict()
    batches.close()
    again = MLXDataLoader(ds, MLXLoaderConfig(batch_size=8, num_workers=0))
    again.load_state_dict(pickle.loads(pickle.dumps(state)))
    assert first + ids(again) == whole


def test_a_map_style_dataset_is_shuffled_anew_in_each_epoch():
    loader = MLXDataLoader(table(64), MLXLoaderConfig(batch_size=8, shuffle=True), seed=3)
    epochs = [[x for batch in loader for x in batch["x"].tolist()] for _ in range(2)]
    assert sorted(epochs[0]) == sorted(epochs[1]) == [float(i) for i in range(64)]
    assert epochs[0] != epochs[1]


def test_updates_are_due_after_some_batches():
    loader = MLXDataLoader(table(), MLXLoaderConfig(batch_size=2), gradient_accumulation=2)
    assert [loader.updates for _ in loader] == [False, True, False, True, True]


def test_prefetch_size_bounds_the_batches_that_are_ready():
    # The thread may read on only while the loop is busy, and no further than this.
    made, loop = [], threading.Event()

    def rows():
        for i in range(100):
            made.append(i)
            if len(made) == 5:
                loop.set()
            yield {"x": i}

    config = MLXLoaderConfig(batch_size=1, prefetch_size=2)
    loader = MLXDataLoader(IterableDataset.from_generator(rows), config)
    batches = iter(loader)
    next(batches)
    # One that was given, one looked ahead at, two that are ready, and one under way.
    assert not loop.wait(0) or len(made) <= 5
    assert loader.stats()["ready_batches"] <= 2
    batches.close()
    assert not [one for one in threading.enumerate() if one.name == "rowstream.DataLoader"]


def test_profiling_measures_from_when_it_is_enabled():
    loader = MLXDataLoader(table(), MLXLoaderConfig(batch_size=4))
    with pytest.raises(exceptions.InvalidArgumentError, match="enable_profiling"):
        loader.get_profiling_results()
    list(loader)
    loader.enable_profiling()
    assert loader.get_profiling_results()["throughput_samples_per_sec"] == 0
    list(loader)
    found = loader.get_profiling_results()
    assert (found["total_samples"], found["total_batches"]) == (10, 3)
    seconds = found["waiting_seconds"] + found["computing_seconds"]
    assert found["throughput_samples_per_sec"] == pytest.approx(10 / seconds)
    assert found["avg_batch_time_ms"] == pytest.approx(seconds / 3 * 1e3)
    assert found["waiting_share"] == pytest.approx(found["waiting_seconds"] / seconds)


def test_a_loader_counts_rows_bytes_and_time():
    loader = DataLoader(table(), 4, format="numpy")
    assert loader.stats()["rows_per_second"] == 0
    list(loader)
    list(loader)
    found = loader.stats()
    assert (found["batches"], found["rows"], found["ready_batches"]) == (6, 20, 0)
    assert found["seconds"] == found["waited_seconds"] + found["worked_seconds"] > 0
    assert 0 < found["waited_share"] <= 1
    loader = DataLoader(table(), 4, collate_fn=len)
    list(loader)
    assert loader.stats()["rows"] == 10


@pytest.mark.parametrize("workers", [0, 1])
def test_the_rate_of_a_pipeline_is_near_its_target(workers):
    clock = Clock()
    config = StreamingConfig(
        target_throughput=10_000, buffer_size=400, chunk_size=50, num_workers=workers
    )
    ds = Dataset.from_dict({"x": [*range(60_000)]})
    with StreamingPipeline(ds, config, clock=clock, sleep=clock.sleep) as rows:
        given = []
        for row in rows:
            given.append(row["x"])
            if clock.now >= 105:
                break
    assert given == [*range(len(given))]
    assert len(given) == pytest.approx(50_000, rel=0.02)


def test_a_slow_loop_is_made_up_for_but_not_a_long_pause():
    clock = Clock()
    config = StreamingConfig(target_throughput=100, chunk_size=10, num_workers=0)
    pipeline = StreamingPipeline(
        Dataset.from_dict({"x": [*range(1000)]}), config, clock=clock, sleep=clock.sleep
    )
    rows = iter(pipeline)
    for _ in range(50):
        next(rows)
    clock.now += 0.5
    for _ in range(50):
        next(rows)
    assert clock.now == pytest.approx(100.9, abs=0.11)
    clock.now += 60
    before = clock.now
    for _ in range(300):
        next(rows)
    # One second's rows come at once, no more.
    assert clock.now - before == pytest.approx(2, abs=0.2)
    assert pipeline.stats()["rows"] == 400
    pipeline.stop()


@pytest.mark.parametrize("workers", [0, 1])
def test_errors_of_a_pipeline_come_where_their_rows_would(workers):
    def rows():
        yield {"x": 1}
        yield {"x": 2}
        raise OSError("the disk is gone")

    pipeline = StreamingPipeline(
        IterableDataset.from_generator(rows), StreamingConfig(num_workers=workers)
    )
    given = iter(pipeline)
    assert [next(given)["x"], next(given)["x"]] == [1, 2]
    with pytest.raises(OSError, match="the disk is gone"):
        next(given)
    assert not [one for one in threading.enumerate() if one.name == "rowstream.DataLoader"]


def test_a_pipeline_that_is_stopped_begins_anew():
    pipeline = StreamingPipeline(Dataset.from_dict({"x": [*range(300)]})).start()
    rows = iter(pipeline)
    assert [next(rows)["x"] for _ in range(3)] == [0, 1, 2]
    pipeline.stop()
    assert next(rows, None) is None
    assert [row["x"] for row in pipeline] == [*range(300)]
    assert [row["x"] for row in pipeline] == [*range(300)]
    assert pipeline.stats()["rows"] == 300
    # Started and never read.
    StreamingPipeline(table()).start().stop()
    assert not [one for one in threading.enumerate() if one.name == "rowstream.DataLoader"]


def test_released_memory_is_used_again_at_the_same_address():
    memory = UnifiedMemoryManager(MemoryConfig(pool_size_mb=1))
    first = memory.allocate_tensor((100, 10), "float32")
    address = first.ctypes.data
    assert address % 64 == 0
    first[:] = 1
    other = memory.allocate_tensor((100, 10))
    assert other.ctypes.data != address
    memory.release(first)
    again = memory.allocate_tensor((10, 100), np.int32)
    assert again.ctypes.data == address
    assert again.flags.writeable
    assert memory.stats()["reuses"] == 1
    with pytest.raises(exceptions.InvalidArgumentError, match="none of this pool"):
        memory.release(np.zeros(3))
    # MLX copies.
    copied = mx.array(again)
    again[:] = 7
    assert copied.tolist() != again.tolist()


def test_a_pool_without_pooling_keeps_nothing():
    memory = UnifiedMemoryManager(MemoryConfig(pool_size_mb=1, enable_pooling=False))
    memory.release(memory.allocate_tensor(10))
    assert memory.stats()["kept_bytes"] == 0


def test_the_pool_is_bounded_and_forgets_what_was_not_asked_for_longest():
    memory = UnifiedMemoryManager(MemoryConfig(pool_size_mb=1))
    kept = memory.allocate_tensor(200_000, "uint8")
    memory.release(kept)
    for name in "abc":
        assert memory.cache_tensor(name, mx.zeros((75_000,)))
    # What was only kept went first.
    assert memory.stats()["kept_bytes"] == 0
    assert memory.stats()["evictions"] == 0
    assert memory.get("a") is not None
    assert memory.cache_tensor("d", np.zeros(300_000, np.uint8))
    assert memory.get("b") is None
    assert memory.get("a") is not None
    used = memory.allocate_tensor(1 << 20, "uint8")
    assert memory.stats()["cached_bytes"] == 0
    assert not memory.cache_tensor("e", np.zeros(1, np.uint8))
    with pytest.raises(exceptions.UnsupportedError, match="pool_size_mb"):
        memory.allocate_tensor(1)
    found = memory.stats()
    assert found["used_bytes"] + found["kept_bytes"] + found["cached_bytes"] <= 1 << 20
    memory.release(used)
    with pytest.raises(exceptions.UnsupportedError, match="pool_size_mb"):
        memory.allocate_tensor((1 << 40, 1 << 40))
    memory.cache_tensor("f", np.zeros(8))
    memory.release("f")
    with pytest.raises(exceptions.InvalidArgumentError, match="'f'"):
        memory.release("f")
    assert memory.allocate_tensor((0, 3)).shape == (0, 3)


@pytest.mark.parametrize(
    "make",
    [
        lambda: MLXLoaderConfig(batch_size=0),
        lambda: MLXLoaderConfig(prefetch_size=-1),
        lambda: StreamingConfig(target_throughput=0),
        lambda: StreamingConfig(buffer_size=0),
        lambda: MemoryConfig(pool_size_mb=0),
        lambda: UnifiedMemoryManager().allocate_tensor((2, -1)),
        lambda: UnifiedMemoryManager().allocate_tensor(2, "object"),
        lambda: UnifiedMemoryManager().allocate_tensor(2, "nonsense"),
        lambda: UnifiedMemoryManager().allocate_tensor(2, "U0"),
        lambda: UnifiedMemoryManager().cache_tensor("a", [1]),
    ],
)
def test_what_makes_no_sense_is_an_error(make):
    with pytest.raises(exceptions.InvalidArgumentError):
        make()
