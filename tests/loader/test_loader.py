"""`rowstream.DataLoader`: batches as tensors, exact states, nothing left running."""

from __future__ import annotations

import functools
import itertools
import json
import operator
import threading

import numpy as np
import pytest
import rowstream
from rowstream import (
    DataLoader,
    Dataset,
    IterableDataset,
    exceptions,
    load_dataset,
    merge_state_dicts,
    write_jsonl,
)
from rowstream.distributed import split_dataset_by_node


def table(n=103):
    rows = [[i] * (i % 7) for i in range(n)]
    return Dataset.from_dict(
        {"n": [*range(n)], "input_ids": rows, "text": [f"t{i}" for i in range(n)]}
    )


def numbers(loader):
    return [batch["n"].tolist() for batch in loader]


def flat(lists):
    return [*itertools.chain.from_iterable(lists)]


def test_lists_are_padded_and_masked():
    ds = Dataset.from_dict(
        {
            "input_ids": [[5, 6, 7], [8], []],
            "labels": [[1, 2, 3], [4], []],
            "w": [[0.5], [1.5], [2.5]],
        }
    )
    (batch,) = DataLoader(ds, 3, format="numpy", padding={"input_ids": 9}, pad_to_multiple_of=2)
    assert batch["input_ids"].tolist() == [[5, 6, 7, 9], [8, 9, 9, 9], [9, 9, 9, 9]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1, 0], [1, 0, 0, 0], [0, 0, 0, 0]]
    assert batch["labels"].tolist() == [[1, 2, 3, -100], [4, -100, -100, -100], [-100] * 4]
    assert [*batch] == ["input_ids", "attention_mask", "labels", "w"]
    # What is of one length is one array.
    assert batch["w"].tolist() == [[0.5], [1.5], [2.5]]
    own = ds.add_column("attention_mask", [[1, 1, 0], [1], []])
    (batch,) = DataLoader(own, 3, format="numpy")
    assert batch["attention_mask"].tolist() == [[1, 1, 0], [1, 0, 0], [0, 0, 0]]
    assert "attention_mask_mask" not in batch
    # A mask is there whether a batch needs it or not.
    for one in DataLoader(ds.select_columns("input_ids"), 1, format="numpy"):
        assert one["attention_mask"].tolist() == [[1] * one["input_ids"].shape[1]]
    named = ds.rename_columns({"input_ids": "chosen_input_ids", "labels": "other"})
    (batch,) = DataLoader(named, 3, format="numpy", masks={"other": "there"})
    assert batch["chosen_attention_mask"].tolist() == batch["there"].tolist()
    empty = Dataset.from_dict({"x": [[], []], "text": ["a", "b"], "d": [{"i": 1}, {"i": 2}]})
    (batch,) = DataLoader(empty, 2, format="numpy")
    assert batch["x"].shape == (2, 0)
    assert [type(one) for one in batch["text"]] == [str, str]
    assert type(batch["d"][0]["i"]) is int
    (batch,) = DataLoader(table(3), 3, format="numpy")
    assert batch["text"] == ["t0", "t1", "t2"]


def test_tensors_of_torch():
    torch = pytest.importorskip("torch")
    batches = list(DataLoader(table(), batch_size=8))
    assert len(batches) == len(DataLoader(table(), batch_size=8)) == 13
    assert all(batch["input_ids"].dtype == torch.int64 for batch in batches)
    assert torch.cat([batch["n"] for batch in batches]).tolist() == [*range(103)]
    for batch in batches:
        batch["n"] += 1  # tensors are their owner's
    packed = table().to_iterable_dataset().pack(16, "wrapped", drop_last=True)
    for batch in DataLoader(packed, batch_size=4, drop_last=True):
        assert batch["input_ids"].shape == (4, 16)
        assert [*batch] == ["input_ids", "attention_mask"]


@pytest.mark.parametrize("prefetch", [0, 1, 4])
def test_epochs_have_orders_of_their_own(prefetch):
    loader = DataLoader(table(), 10, shuffle=True, seed=3, format="numpy", prefetch=prefetch)
    first, second = numbers(loader), numbers(loader)
    assert first != second
    assert (
        sorted(functools.reduce(operator.iadd, first, []))
        == sorted(functools.reduce(operator.iadd, second, []))
        == [*range(103)]
    )
    loader.set_epoch(0)
    assert numbers(loader) == first
    other = DataLoader(table(), 10, shuffle=True, seed=4, format="numpy")
    assert numbers(other) != first
    short = DataLoader(table(), 10, drop_last=True, format="numpy")
    assert [len(batch) for batch in numbers(short)] == [10] * len(short) == [10] * 10


@pytest.mark.parametrize("kind", ["table", "stream", "packed"])
@pytest.mark.parametrize("prefetch", [0, 3])
def test_a_state_goes_on_at_the_next_batch(tmp_path, kind, prefetch):
    write_jsonl(tmp_path / "a.jsonl", list(table()))

    def made():
        if kind == "table":
            return DataLoader(table(), 8, shuffle=True, format="numpy", prefetch=prefetch)
        path = str(tmp_path / "a.jsonl")
        ds = load_dataset("json", data_files=path, split="train", streaming=True)
        ds = ds.shuffle(seed=1, buffer_size=20)
        if kind == "packed":
            ds = ds.pack(12, "wrapped")
        return DataLoader(ds, 8, format="numpy", prefetch=prefetch)

    def shown(batches):
        return [json.dumps({k: np.asarray(v).tolist() for k, v in b.items()}) for b in batches]

    whole = made()
    epochs = [shown(whole) for _ in range(3)]
    assert epochs[0] != epochs[1]
    n = len(epochs[0])
    for stop in (0, 1, n // 2, n - 1, n, n + 2, 2 * n):
        loader = made()
        given, batches = [], iter(loader)
        while len(given) < stop:
            for batch in batches:
                given += shown([batch])
                if len(given) == stop:
                    break
            else:
                batches = iter(loader)
        state = json.loads(json.dumps(loader.state_dict()))
        again = made()
        again.load_state_dict(state)
        while len(given) < 3 * n:
            given += shown(again)
        assert given[: 2 * n] == epochs[0] + epochs[1]
        # Epochs of packed rows may have a sequence more.
        if kind != "packed":
            assert given == functools.reduce(operator.iadd, epochs, [])


def test_ranks_share_rows():
    ds = table().to_iterable_dataset()
    parts = [
        numbers(DataLoader(split_dataset_by_node(ds, i, 3), 4, format="numpy")) for i in range(3)
    ]
    assert sorted(
        functools.reduce(operator.iadd, functools.reduce(operator.iadd, parts, []), [])
    ) == [*range(103)]


def test_states_of_ranks_are_merged():
    ds = table().to_iterable_dataset()

    def of(rank, world):
        return DataLoader(split_dataset_by_node(ds, rank, world), 4, format="numpy")

    given, states = [], []
    for rank, stop in enumerate([0, 3, 100]):
        loader = of(rank, 3)
        for i, batch in enumerate(loader):
            if i == stop:
                break
            given.append(batch["n"].tolist())
            states[rank:] = [loader.state_dict()]
        if stop != 3:
            states[rank:] = [of(rank, 3).state_dict() if stop == 0 else loader.state_dict()]
    # One has ended its epoch, and one has not begun.
    state = merge_state_dicts(states)
    for rank in range(2):
        loader = of(rank, 2)
        loader.load_state_dict(state)
        given += numbers(loader)
    assert sorted(functools.reduce(operator.iadd, given, [])) == [*range(103)]


def test_an_error_comes_where_its_batch_would():
    def odd(row):
        if row["n"] == 25:
            raise ValueError("odd")
        return row

    for prefetch in (0, 3):
        loader = DataLoader(
            table().to_iterable_dataset().map(odd), 10, format="numpy", prefetch=prefetch
        )
        batches = iter(loader)
        assert next(batches)["n"].tolist() == [*range(10)]
        assert next(batches)["n"].tolist() == [*range(10, 20)]
        with pytest.raises(ValueError, match="odd"):
            next(batches)


def test_what_is_left_leaves_nothing_running():
    before = threading.active_count()
    for _ in range(5):
        batches = iter(DataLoader(table(5000), 2, format="numpy", prefetch=4))
        next(batches)
        batches.close()
        for _batch in DataLoader(table(50), 2, format="numpy"):
            break
    del batches
    names = [one.name for one in threading.enumerate() if one.name == "rowstream.DataLoader"]
    assert not names
    assert threading.active_count() <= before + 1


def test_functions_that_collate():
    loader = DataLoader(table(), 4, collate=lambda columns: sum(columns["n"]), prefetch=0)
    assert sum(loader) == sum(range(103))


def test_what_cannot_be():
    ds = table()
    stream = ds.to_iterable_dataset()
    for message, kind, call in [
        ("format is one of", exceptions.InvalidArgumentError, lambda: DataLoader(ds, format="x")),
        ("batch_size", exceptions.InvalidArgumentError, lambda: DataLoader(ds, 0)),
        (
            "shuffles itself",
            exceptions.InvalidArgumentError,
            lambda: DataLoader(stream, shuffle=True),
        ),
        ("no workers", exceptions.InvalidArgumentError, lambda: DataLoader(ds, num_workers=2)),
        ("a dict by column", exceptions.InvalidArgumentError, lambda: DataLoader(ds, padding=3)),
        (
            "name a column 'x'",
            exceptions.InvalidArgumentError,
            lambda: next(iter(DataLoader(ds, format="numpy", padding={"x": 1}))),
        ),
        ("found list", exceptions.InvalidArgumentError, lambda: DataLoader([1, 2])),
        ("leave out batch", exceptions.UnsupportedError, lambda: DataLoader(stream.batch(2))),
        (
            "pin_memory",
            exceptions.InvalidArgumentError,
            lambda: DataLoader(ds, format="numpy", pin_memory=True),
        ),
        (
            "not the state of a DataLoader",
            exceptions.CheckpointMismatchError,
            lambda: DataLoader(ds, format="numpy").load_state_dict(stream.state_dict()),
        ),
        (
            "not known before",
            TypeError,
            lambda: len(DataLoader(stream.filter(lambda row: row["n"] > 3), format="numpy")),
        ),
    ]:
        with pytest.raises(kind, match=message):
            call()
    assert rowstream.DataLoader is DataLoader


def slow_sum(columns):
    if 77 in columns["n"]:
        raise ValueError("row 77")
    return {"n": columns["n"], "sum": np.int64(sum(columns["n"])), "big": np.ones((64, 64))}


@pytest.mark.parametrize("where", [{"num_threads": 3}, {"num_proc": 2}])
def test_functions_run_in_threads_and_processes(where):
    first = table(70)
    expected = list(DataLoader(first, 8, collate=slow_sum, prefetch=0))
    loader = DataLoader(first, 8, collate=slow_sum, **where)
    found = list(loader)
    assert [batch["n"].tolist() for batch in found] == [batch["n"].tolist() for batch in expected]
    assert [batch["sum"] for batch in found] == [batch["sum"] for batch in expected]
    for batch in found:
        batch["big"] += 1  # its owner's, though it was mapped
        assert batch["big"].sum() == 2 * 64 * 64
    batches = iter(loader)
    next(batches)
    state = loader.state_dict()
    again = DataLoader(first, 8, collate=slow_sum, **where)
    again.load_state_dict(state)
    assert [batch["sum"] for batch in again] == [batch["sum"] for batch in expected[1:]]
    seen = []
    with pytest.raises(ValueError, match="row 77"):
        seen.extend(batch["n"].tolist() for batch in DataLoader(table(), 8, collate=slow_sum))
    assert flat(seen) == [*range(72)]


def test_tensors_of_torch_come_from_processes():
    torch = pytest.importorskip("torch")

    def collate(columns):
        images = torch.ones(2, 64, 64) * float(columns["n"][0])
        return {"images": images, "kept": (images[0].half(), [torch.tensor(3), "text"])}

    for i, batch in enumerate(DataLoader(table(10), 2, collate=collate, num_proc=2)):
        batch["images"].add_(1)
        assert batch["images"].unique().tolist() == [2 * i + 1]
        assert batch["kept"][0].dtype == torch.float16
        assert batch["kept"][1] == [torch.tensor(3), "text"]


def test_gradient_accumulation_says_when_to_step():
    loader = DataLoader(table(), 10, format="numpy", gradient_accumulation=4)
    assert [loader.updates for _ in loader] == [i in (3, 7, 10) for i in range(11)]
    # A state within a step goes on there.
    batches = iter(loader)
    for _ in range(5):
        next(batches)
    state = loader.state_dict()
    loader.load_state_dict(state)
    assert next(iter(loader))["n"][0] == 50
    assert all(plain.updates for plain in [DataLoader(table(), 10)] for _ in plain)


def test_epochs_of_a_size_go_on():
    def made(world=(0, 1)):
        ds = table(100).to_iterable_dataset(4).shuffle(seed=1, buffer_size=10)
        return DataLoader(ds, 8, format="numpy", epoch_size=64, world=world)

    loader = made()
    assert len(loader) == 8
    whole = [numbers(loader) for _ in range(4)]
    assert [len(epoch) for epoch in whole] == [8] * 4
    # All rows come before one comes again.
    rows = flat(flat(whole))
    assert sorted(rows[:100]) == sorted(rows[100:200]) == [*range(100)]
    loader = made()
    batches = iter(loader)
    next(batches)
    first = made()
    first.load_state_dict(json.loads(json.dumps(loader.state_dict())))
    assert [numbers(first) for _ in range(2)] == [whole[0][1:], whole[1]]
    batches.close()
    assert numbers(loader) == whole[0]  # one that was left begins again
    ended = made()
    ended.load_state_dict(loader.state_dict())
    assert numbers(ended) == whole[1]
    # Onto two ranks, in the middle of the second epoch.
    half = iter(ended)
    taken = [next(half)["n"].tolist() for _ in range(3)]
    state = ended.state_dict()
    ranks = [made((rank, 2)) for rank in range(2)]
    rest = []
    for one in ranks:
        one.load_state_dict(state)
        epoch = numbers(one)
        assert len(epoch) == len(one) - 2  # 40 rows are left: two batches on each
        rest += flat(epoch)
    seen = flat(whole[0] + whole[1] + taken)
    assert len(seen) == 152
    assert [*range(100)] == sorted((flat(whole[0] + whole[1]) + flat(taken) + rest)[:100])


def test_ranks_end_together_where_their_rows_are_known():
    ds = table(101).to_iterable_dataset(3)

    def of(on_uneven, **others):
        loaders = [
            DataLoader(ds, 5, format="numpy", world=(rank, 4), on_uneven=on_uneven, **others)
            for rank in range(4)
        ]
        return loaders, [numbers(loader) for loader in loaders]

    loaders, plain = of("ignore")
    assert sorted(flat(flat(plain))) == [*range(101)]
    counts = [len(rank) for rank in plain]
    assert len(set(counts)) > 1
    assert [len(loader) for loader in loaders] == counts
    loaders, stopped = of("stop")
    assert stopped == [rank[: min(counts)] for rank in plain]
    assert {len(loader) for loader in loaders} == {min(counts)}
    loaders, padded = of("pad")
    assert padded == [rank + [rank[-1]] * (max(counts) - len(rank)) for rank in plain]
    short = next(loader for loader, n in zip(loaders, counts, strict=True) if n < max(counts))
    assert [short.padded for _ in short].count(True) == 1
    loaders, alike = of("ignore", replicate=2)
    assert alike[0] == alike[1]
    assert alike[2] == alike[3]
    assert sorted(flat(alike[0] + alike[2])) == [*range(101)]
    with pytest.raises(exceptions.UnsupportedError, match="init_process_group"):
        list(DataLoader(ds.shuffle(seed=1), 10, format="numpy", world=(0, 2), on_uneven="stop"))
    few = table(1).to_iterable_dataset()
    for rank in range(2):
        with pytest.raises(exceptions.InvalidArgumentError, match="no batch"):
            list(DataLoader(few, 1, format="numpy", world=(rank, 2), on_uneven="pad"))


def test_the_world_is_asked_for(monkeypatch):
    ds = table(40).to_iterable_dataset()
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert len(DataLoader(ds, 10)) == 4
    assert len(DataLoader(ds, 10, world="auto")) == 2
    (first, second) = (split_dataset_by_node(ds, rank, 2) for rank in range(2))
    assert numbers(DataLoader(ds, 10, world="auto")) == numbers(DataLoader(second, 10))
    assert numbers(DataLoader(ds, 10, world=(0, 2))) == numbers(DataLoader(first, 10))
    with pytest.raises(exceptions.InvalidArgumentError, match="already"):
        DataLoader(split_dataset_by_node(ds, 0, 2), world="auto")
    monkeypatch.delenv("WORLD_SIZE")
    with pytest.raises(exceptions.InvalidArgumentError, match="no WORLD_SIZE"):
        DataLoader(ds, world="auto")
    for world in ("all", (2, 2), 3):
        with pytest.raises(exceptions.InvalidArgumentError):
            DataLoader(ds, world=world)
    with pytest.raises(exceptions.InvalidArgumentError, match="replicate"):
        DataLoader(ds, world=(0, 4), replicate=3)


def test_states_of_all_ranks_are_loaded_as_a_list():
    ds = table(100).to_iterable_dataset(5).shuffle(seed=2, buffer_size=7)
    loaders = [DataLoader(ds, 4, format="numpy", world=(rank, 3)) for rank in range(3)]
    seen = []
    for rank, loader in enumerate(loaders):
        seen += flat(batch["n"].tolist() for batch in itertools.islice(loader, rank * 3))
    states = [loader.state_dict() for loader in loaders]
    for rank in range(2):
        loader = DataLoader(ds, 8, format="numpy", world=(rank, 2))
        loader.load_state_dict(states)
        seen += flat(numbers(loader))
    assert sorted(seen) == [*range(100)]


def test_batches_on_a_device():
    torch = pytest.importorskip("torch")
    loader = DataLoader(table(), 8, device="cpu")
    assert [batch["n"].tolist() for batch in loader] == numbers(DataLoader(table(), 8))
    for batch in DataLoader(table(), 8, device="meta"):
        assert batch["n"].device == torch.device("meta")
        assert batch["text"][0].startswith("t")
    for bad in ({"device": "nowhere"}, {"device": "cpu", "format": "numpy"}):
        with pytest.raises(exceptions.InvalidArgumentError, match="device"):
            DataLoader(table(), 8, **bad)
    if not torch.cuda.is_available():
        with pytest.raises(exceptions.InvalidArgumentError, match="device"):
            DataLoader(table(), 8, device="cuda")


def test_functions_of_rows_run_in_the_loop():
    threads = set()

    def collate(rows):
        threads.add(threading.get_ident())
        return [(row["n"], row["text"]) for row in rows]

    loader = DataLoader(table(), 10, collate_fn=collate)
    assert flat(loader) == [(i, f"t{i}") for i in range(103)]
    assert threads == {threading.get_ident()}
    torch = pytest.importorskip("torch")
    rows = DataLoader(table().with_format("torch").to_iterable_dataset(), 4, collate_fn=list)
    assert isinstance(next(iter(rows))[0]["n"], (int, torch.Tensor))
    with pytest.raises(exceptions.InvalidArgumentError, match="collate_fn"):
        DataLoader(table(), 10, collate_fn=collate, num_proc=2)


def test_a_step_of_several_batches_goes_on_after_a_resume():
    def made():
        return DataLoader(table(), 10, format="numpy", gradient_accumulation=4)

    loader = made()
    batches = iter(loader)
    for _ in range(5):
        next(batches)
    again = made()
    again.load_state_dict(json.loads(json.dumps(loader.state_dict())))
    assert [again.updates for _ in again] == [i in (7, 10) for i in range(5, 11)]


def test_epochs_of_a_size_need_rows():
    empty = table().to_iterable_dataset(2).filter(lambda row: row["n"] < 0)
    with pytest.raises(exceptions.InvalidArgumentError, match="has none"):
        next(iter(DataLoader(empty, 4, format="numpy", epoch_size=8)))


def test_padding_is_a_number():
    with pytest.raises(exceptions.InvalidArgumentError, match="padding is a number"):
        DataLoader(table(), 4, padding={"input_ids": None})
    (batch,) = DataLoader(
        Dataset.from_dict({"x": [[1], [1, 2]]}), 2, format="numpy", padding={"x": 0.5}
    )
    assert batch["x"].tolist() == [[1.0, 0.5], [1.0, 2.0]]


@pytest.mark.parametrize("num_proc", [0, 1])
def test_a_function_of_rows_is_told_what_collate_is_called_with(num_proc):
    loader = DataLoader(table(4), 2, collate=_of_rows, num_proc=num_proc)
    with pytest.raises(TypeError) as caught:
        next(iter(loader))
    assert any("collate_fn=" in note for note in caught.value.__notes__)


def _of_rows(rows):
    return [row["n"] for row in rows]


def test_a_device_that_is_not_there_is_told_at_once():
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("there is one")
    with pytest.raises(exceptions.InvalidArgumentError, match="no CUDA device"):
        DataLoader(table(4), 2, format="torch", device="cuda")


@pytest.mark.parametrize("shuffled", [False, True])
@pytest.mark.parametrize("ranks", [2, 3, 8])
def test_ranks_of_one_file_have_equal_parts(tmp_path, shuffled, ranks):
    # A little more than the range of bytes into which files are cut.
    path = tmp_path / "a.jsonl"
    write_jsonl(path, [{"i": i, "text": "x" * 80} for i in range(12_000)])
    ds = load_dataset("json", data_files=str(path), split="train", streaming=True)
    assert ds.num_shards == 2
    ds = ds.shuffle(seed=1, buffer_size=1000) if shuffled else ds
    parts = [[row["i"] for row in split_dataset_by_node(ds, r, ranks)] for r in range(ranks)]
    assert sorted(flat(parts)) == list(range(12_000))
    assert max(map(len, parts)) <= 1.02 * min(map(len, parts))


@pytest.mark.parametrize("prefetch", [0, 1 << 20])
@pytest.mark.parametrize("how", ["collate", "collate_fn"])
def test_a_batch_may_be_none(prefetch, how):
    loader = DataLoader(table(10), 2, prefetch=prefetch, **{how: _third_is_none()})
    assert [batch is None for batch in loader] == [False, False, True, False, False]
    assert loader.stats()["rows"] == 10


def _third_is_none():
    calls = itertools.count(1)
    return lambda batch: None if next(calls) == 3 else batch


def _from_generator(thread):
    def rows():
        for n in range(300):
            thread()
            yield {"n": n}

    return IterableDataset.from_generator(rows)


@pytest.mark.parametrize("where", ["generator", "map", "filter", "collate"])
def test_what_users_wrote_runs_in_one_thread(where):
    # It may belong to that thread, as a connection to a database does.
    seen = set()

    def thread(value=None):
        seen.add(threading.get_ident())
        return True if where == "filter" else value

    stream = table(300).select_columns("n").to_iterable_dataset()
    ds = {
        "generator": lambda: _from_generator(thread),
        "map": lambda: stream.map(thread),
        "filter": lambda: stream.filter(thread),
        "collate": lambda: stream,
    }[where]()
    loader = DataLoader(
        ds, 2, format="numpy", collate=thread if where == "collate" else None, prefetch=1 << 20
    )
    got = []
    for i, batch in enumerate(loader):
        got += batch["n"].tolist()
        if i % 20 == 0:
            # Longer than what is worth another thread.
            threading.Event().wait(0.001)
    assert got == list(range(300))
    assert len(seen) == 1
    assert seen != {threading.get_ident()}


def test_tensors_are_of_one_kind_in_every_mode():
    torch = pytest.importorskip("torch")
    with torch.inference_mode():
        batches = list(DataLoader(table(50), 2))
    assert not any(batch["n"].is_inference() for batch in batches)


@pytest.mark.parametrize("size", [1, 2])
def test_lists_of_one_length_are_filled_up_to_a_multiple(size):
    ds = Dataset.from_dict({"input_ids": [[1, 2, 3], [4, 5, 6]], "labels": [[1, 2, 3], [4, 5, 6]]})
    batch = next(iter(DataLoader(ds, size, format="numpy", pad_to_multiple_of=4)))
    assert batch["input_ids"][0].tolist() == [1, 2, 3, 0]
    assert batch["labels"][0].tolist() == [1, 2, 3, -100]
    assert batch["attention_mask"].tolist() == [[1, 1, 1, 0]] * size
    whole = next(iter(DataLoader(ds, size, format="numpy", pad_to_multiple_of=3)))
    assert whole["attention_mask"].tolist() == [[1, 1, 1]] * size


def test_truths_are_not_filled_up_with_truths():
    ds = Dataset.from_dict({"labels": [[True], [False, True]]})
    batch = next(iter(DataLoader(ds, 2, format="numpy")))
    assert batch["labels"].tolist() == [[1, -100], [0, 1]]
    ds = Dataset.from_dict({"flags": [[True], [False, True]]})
    batch = next(iter(DataLoader(ds, 2, format="numpy")))
    assert (batch["flags"].dtype, batch["flags"].tolist()) == (bool, [[True, False], [False, True]])


def test_labels_that_are_no_texts_and_texts_that_are_not_there():
    ds = Dataset.from_dict({"input_ids": [[1, 2, 3]], "labels": [[0, 1, 0, 1, 0]]})
    batch = next(iter(DataLoader(ds, 1, format="numpy", pad_to_multiple_of=4)))
    assert (batch["input_ids"].shape, batch["labels"].shape) == ((1, 4), (1, 5))
    none = Dataset.from_dict({"input_ids": [[1], None, None]})
    shapes = [one["attention_mask"].tolist() for one in DataLoader(none, 1, format="numpy")]
    assert shapes == [[[1]], [[]], [[]]]
    for masks in ({"a": "a"}, {"a": "m", "b": "m"}):
        with pytest.raises(exceptions.InvalidArgumentError, match="masks names"):
            DataLoader(ds, 1, masks=masks)


@pytest.mark.parametrize("prefetch", [0, 1 << 20])
def test_copies_on_a_device_know_nothing_of_inference(prefetch):
    torch = pytest.importorskip("torch")
    ds = Dataset.from_dict({"x": list(range(10))})
    with torch.inference_mode():
        for batch in DataLoader(ds, 2, device="meta", prefetch=prefetch):
            assert not batch["x"].is_inference()
