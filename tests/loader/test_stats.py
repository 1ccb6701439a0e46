"""What a loader says of itself: how fast it is, and what limits it."""

from __future__ import annotations

import pytest
from rowstream import DataLoader, Dataset
from rowstream.loader import watch


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
