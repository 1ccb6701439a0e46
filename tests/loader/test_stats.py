"""What a loader says of itself: how fast it is, and what limits it."""

from __future__ import annotations

import logging
import threading

import pytest
from rowstream import DataLoader, Dataset
from rowstream.loader import tuning, watch, watchdog
from rowstream.loader.ahead import Ahead
from rowstream.utils import progress


class Clock:
    """A clock that goes on when it is told to."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    made = Clock()
    for module in ("watch", "loader"):
        monkeypatch.setattr(f"rowstream.loader.{module}.perf_counter", made)
    return made


def table(n=8):
    return Dataset.from_dict({"x": [*range(n)]})


def run(loader, clock, step):
    for _ in loader:
        clock.now += step


def test_the_stage_that_limits_is_named(clock):
    def slow(seconds):
        def function(value):
            clock.now += seconds
            return value

        return function

    reads = table().to_iterable_dataset().map(slow(0.1))
    loader = DataLoader(reads, 2, format="numpy", prefetch=0)
    assert loader.profile().limit == "nothing"
    run(loader, clock, 0.05)
    found = loader.profile()
    assert (found.limit, round(found.seconds["read"], 3)) == ("read", 0.8)
    assert found.waited_share == pytest.approx(0.8 / 1.0)
    assert "num_proc=" in str(found)
    assert "80.0%" in str(found)

    for how in ("collate", "collate_fn"):
        loader = DataLoader(table(), 2, **{how: slow(0.3)}, prefetch=0)
        run(loader, clock, 0.1)
        found = loader.profile()
        assert (found.limit, round(found.seconds["collate"], 3)) == ("collate", 1.2)

    loader = DataLoader(table(), 2, format="numpy", prefetch=0, collate=slow(0.001))
    run(loader, clock, 1.0)
    assert loader.profile().limit == "step"


def test_times_add_up(clock):
    loader = DataLoader(table(), 2, format="numpy", prefetch=0)
    run(loader, clock, 0.5)
    found = loader.stats()
    assert (found["seconds"], found["worked_seconds"], found["waited_share"]) == (2.0, 2.0, 0.0)
    assert (found["rows_per_second"], found["rows"], found["bytes"]) == (4.0, 8, 64)
    assert found["megabytes_per_second"] == pytest.approx(32e-6)


def test_a_batch_that_does_not_show_its_rows_is_of_the_size_asked_for():
    assert watch.rows_in(object(), 4) == 4
    assert watch.rows_in({}, 4) == 0
    assert watch.rows_in([1, 2], 4) == 2


def test_what_is_left_is_known_where_rows_are_counted(clock):
    loader = DataLoader(table(10), 3, format="numpy", prefetch=0)
    assert (loader.stats()["total_batches"], loader.stats()["eta_seconds"]) == (4, None)
    batches = iter(loader)
    next(batches)
    clock.now += 2.0
    next(batches)
    # A step took two seconds; the one of now, and two more, are to come.
    assert loader.stats()["eta_seconds"] == pytest.approx(6.0)
    clock.now += 2.0
    assert loader.stats()["waited_share"] == 0
    assert loader.stats()["worked_seconds"] == 4.0
    state = loader.state_dict()
    list(batches)
    assert loader.stats()["eta_seconds"] == 0
    again = DataLoader(table(10), 3, format="numpy", prefetch=0)
    again.load_state_dict(state)
    batches = iter(again)
    next(batches)
    assert again.stats()["eta_seconds"] is None
    clock.now += 2.0
    next(batches)
    assert again.stats()["eta_seconds"] == pytest.approx(2.0)
    # With batches of another size, or on other ranks, as many rows are left.
    for options, total in (({"batch_size": 1}, 10), ({"batch_size": 3, "world": (0, 2)}, 2)):
        other = DataLoader(table(10), format="numpy", prefetch=0, **options)
        other.load_state_dict([state])
        batches = iter(other)
        next(batches)
        assert other.stats()["total_batches"] == total
        clock.now += 1.0
        list(batches)
        assert other.stats()["eta_seconds"] == 0
    # A filter leaves an unknown number.
    stream = table(10).to_iterable_dataset().filter(lambda row: row["x"] > 2)
    loader = DataLoader(stream, 3, format="numpy")
    list(loader)
    assert (loader.stats()["total_batches"], loader.stats()["eta_seconds"]) == (None, None)


def test_batches_that_threads_collate_are_counted():
    release = threading.Event()

    def slow(columns):
        release.wait(30)
        return columns

    loader = DataLoader(table(40), 2, format="numpy", collate=slow, num_threads=2)
    batches = iter(loader)
    got = []
    thread = threading.Thread(target=lambda: got.append(next(batches)))
    thread.start()
    while loader.stats()["collating_batches"] < 2:
        assert thread.is_alive()
    release.set()
    thread.join(30)
    assert len(got) == 1
    list(batches)
    assert loader.stats()["collating_batches"] == 0
    for _ in loader:
        break
    assert loader.stats()["collating_batches"] == 0


def test_a_wait_that_takes_long_is_told_with_its_stage(clock, caplog):
    loop = watch.Watch()
    dog = watchdog.Watchdog()
    dog._loops[loop] = (0.0, 0)

    def batches():
        for stage in ("read", "made", "copy"):
            for seconds in (30, 59, 61, 90, 119, 121, 200):
                loop.stage = stage
                dog.look(loop, clock.now + seconds)
            clock.now += 300
            yield stage

    list(loop.over(batches()))
    dog.look(loop, clock.now + 1000)
    # What the loop does itself comes before what is made ahead.
    loop.asked, loop.own, loop.stage = clock.now, "made", "read"
    dog.look(loop, clock.now + 500)
    assert watchdog.STAGES["made"] in caplog.records.pop().getMessage()
    told = [record.getMessage() for record in caplog.records]
    # At a minute, at two, at three.
    assert [text.split(". Since")[0] for text in told] == [
        f"DataLoader: no batch for {seconds} s. At work is {watchdog.STAGES[stage]}"
        for stage in ("read", "made", "copy")
        for seconds in (61, 121, 200)
    ]


def test_the_watchdog_runs_beside_a_loop(monkeypatch):
    monkeypatch.setattr(watchdog, "SECONDS", 0.02)
    told = threading.Event()

    class Handler(logging.Handler):
        def emit(self, record):
            if "functions of the dataset" in record.getMessage():
                told.set()

    def wait(row):
        assert told.wait(30)
        return row

    logger, handler = logging.getLogger("rowstream"), Handler()
    logger.addHandler(handler)
    try:
        stream = table(2).to_iterable_dataset().map(wait)
        assert len(list(DataLoader(stream, 2, format="numpy"))) == 1
    finally:
        logger.removeHandler(handler)


def test_a_line_shows_the_figures(monkeypatch):
    texts, updates = [], []

    class Bar(progress._NoBar):
        def update(self, n=1):
            updates.append(n)

        def set_postfix_str(self, text):
            texts.append(text)

    made = []
    monkeypatch.setattr(progress, "bar", lambda *args, **given: made.append((args, given)) or Bar())
    loader = DataLoader(table(10), 3, format="numpy", progress=True)
    assert len(list(loader)) == 4
    assert (made[0][0][0], made[0][1], sum(updates)) == (4, {"initial": 0}, 4)
    assert "rows/s" in texts[0]
    assert "ready" in texts[0]


def test_calls_at_once_are_as_many_as_are_of_use(monkeypatch):
    clock = Clock()
    monkeypatch.setattr("rowstream.loader.tuning.perf_counter", clock)
    monkeypatch.setattr("os.cpu_count", lambda: 4)

    def found(rate_of, looks=40):
        made = tuning.Tuning(16)
        for _ in range(looks * 16):
            clock.now += 1 / rate_of(made.limit)
            made.given(waited=True)
        return made

    # As many as there may be; as many as eight processors have use for; no more than there were.
    assert found(lambda n: 100 * n).limit == 16
    assert found(lambda n: 100 * min(n, 8), 20).limit == 8
    assert found(lambda n: 100 / n, 20).limit == 4
    # A loop that does not wait needs no more.
    made = tuning.Tuning(16)
    for _ in range(300):
        clock.now += 0.1
        made.given(waited=False)
    assert made.limit == 4
    # After a change, it is tried again.
    made = found(lambda n: 100 * min(n, 8), 20)
    for _ in range(3000):
        clock.now += 1 / (100 * made.limit)
        made.given(waited=True)
    assert made.limit == 16


@pytest.mark.parametrize("threads", ["auto", 1, 3])
def test_batches_stay_in_their_order_however_many_threads_there_are(threads):
    loader = DataLoader(table(400), 2, format="numpy", collate=lambda c: c, num_threads=threads)
    assert [int(batch["x"][0]) for batch in loader] == [*range(0, 400, 2)]


def test_more_is_made_ahead_where_all_that_may_be_was_not_enough():
    made = Ahead(iter(range(50)), 4, lambda _: 1, 4, grow=10)
    # The thread had no room, and yet the loop waits.
    for wanted in (8, 10, 10):
        made._ready.extend([(0, 1)] * made._count)
        assert not made._room()
        made._ready.clear()
        made._more()
        assert made._most == wanted
    assert [*made.items()] == [*range(50)]
    # It had room, or what is said stays.
    for grow, full in ((10, False), (0, True)):
        other = Ahead(iter(range(50)), 4, lambda _: 1, 4, grow=grow)
        other._full = full
        other._more()
        assert other._most == 4
        assert [*other.items()] == [*range(50)]
