"""What the order promises, shown on the model."""

from __future__ import annotations

from collections import Counter
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from . import order_model as model


@st.composite
def orders(draw, most=30):
    """Any order: files, shuffled or not, cut or not, dealt or not, in any epoch and pass, filtered or not."""
    counts = draw(st.lists(st.integers(0, 30), min_size=1, max_size=most))
    sizes = [n * 100 + 7 for n in counts]
    op = st.one_of(
        st.tuples(st.just("shuffle"), st.integers(0, 3), st.sampled_from([1, 5, 40, 1000])),
        st.tuples(st.just("take"), st.integers(0, 200)),
        st.tuples(st.just("skip"), st.integers(0, 80)),
        st.sampled_from([("shard", 3, i, kind) for i in range(3) for kind in (True, False)]),
    )
    ops = draw(st.lists(op, max_size=4))
    lanes, epoch, number = (
        draw(st.sampled_from([1, 2, 4, 8, 64])),
        draw(st.integers(0, 2)),
        draw(st.integers(0, 1)),
    )
    order = model.build(counts, sizes, lanes, ops, epoch, number)
    if draw(st.booleans()):
        order.keep = lambda row: (row[0] * 31 + row[1]) % 5 != 0
    return order


@given(orders(), st.lists(st.sampled_from([1, 2, 3, 4, 7, 16]), min_size=1, max_size=4), st.data())
def test_every_row_once_through_changes_of_consumers(order, runs, data):
    seen, base = [], {}
    for of in runs:
        consumers = [model.Consumer(order, c, of, base) for c in range(of)]
        for consumer in consumers:
            seen += islice(consumer, data.draw(st.integers(0, 30)))
        base = model.merge(base, [consumer.cursor() for consumer in consumers])
    of = data.draw(st.sampled_from([1, 2, 5, 9]))
    seen += [row for c in range(of) for row in model.Consumer(order, c, of, base)]
    assert Counter(seen) == Counter(model.whole(order))


@given(orders(), st.sampled_from([1, 2, 3, 8]), st.data())
def test_a_resume_changes_nothing(order, of, data):
    c = data.draw(st.integers(0, of - 1))
    expected, consumer, got = (
        list(model.Consumer(order, c, of, {})),
        model.Consumer(order, c, of, {}),
        [],
    )
    while len(got) < len(expected):
        consumer = model.resumed(order, {}, consumer.cursor())
        got += islice(consumer, data.draw(st.integers(1, 25)))
    assert got == expected


@pytest.mark.parametrize("of", [2, 4, 8, 5, 7])
def test_consumers_are_balanced(of):
    order = model.build([100] * 320, [1] * 320, 64, [("shuffle", 1, 6400)])
    sizes = [sum(1 for _ in model.Consumer(order, c, of, {})) for c in range(of)]
    assert max(sizes) <= 1.15 * sum(sizes) / of


def test_global_batches_do_not_depend_on_consumers():
    order = model.build([100] * 64, [1] * 64, 8, [("shuffle", 5, 400)])
    batches = {}
    for of in (1, 2, 4, 8):
        consumers = [iter(model.Consumer(order, c, of, {})) for c in range(of)]
        batches[of] = [
            sorted(row for it in consumers for row in islice(it, 16 // of)) for _ in range(40)
        ]
    assert batches[1] == batches[2] == batches[4] == batches[8]


def test_a_held_out_part_never_leaks():
    held = model.build([100] * 40, [1] * 40, 8, [("shuffle", 5, 400), ("take", 500)])
    for epoch in (0, 1, 2):
        rest = model.build([100] * 40, [1] * 40, 8, [("shuffle", 5, 400), ("skip", 500)], epoch)
        assert not set(model.whole(held)) & set(model.whole(rest))
        assert len(model.whole(rest)) == 3500


def test_golden_vector():
    """An order that no release may change."""
    order = model.build([4, 3, 5], [40, 30, 50], 64, [("shuffle", 7, 6)])
    assert model.whole(order) == GOLDEN


GOLDEN = [
    (2, 1),
    (1, 0),
    (0, 0),
    (2, 0),
    (1, 1),
    (0, 1),
    (2, 3),
    (1, 2),
    (0, 3),
    (2, 2),
    (0, 2),
    (2, 4),
]
