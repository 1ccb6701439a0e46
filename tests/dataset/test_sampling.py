"""Samples, folds, balanced classes and duplicates, beside scikit-learn's splitters."""

from __future__ import annotations

import datetime as dt
import logging
import random
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import rowstream
from hypothesis import given
from hypothesis import strategies as st
from rowstream import Dataset, exceptions, load_dataset


def numbered(n: int, **columns: object) -> Dataset:
    return Dataset.from_dict({"id": list(range(n)), **columns})


def ids(ds: object) -> list[int]:
    return list(ds["id"])


# Samples


def test_a_sample_has_each_row_once_and_the_same_for_a_seed():
    ds = numbered(100)
    drawn = ids(ds.sample(40, seed=3))
    assert len(set(drawn)) == 40
    assert drawn == ids(ds.sample(40, seed=3)) != ids(ds.sample(40, seed=4))
    assert ids(ds.sample(fraction=0.25, seed=3)) == ids(ds.sample(25, seed=3))
    assert sorted(ids(ds.sample(100, seed=0))) == list(range(100))
    assert ids(ds.sample(0)) == []
    assert len(ds.sample(300, replacement=True, seed=0)) == 300
    assert ids(ds.shuffle(seed=1).sample(5, seed=0)) == [
        ids(ds.shuffle(seed=1))[i] for i in ids(ds.sample(5, seed=0))
    ]


@pytest.mark.parametrize("replacement", [False, True])
@pytest.mark.parametrize("by", ["column", "list", "array"])
def test_weights_say_how_likely_a_row_is(replacement, by):
    weights = [0.0, 1.0, 3.0, 0.0, 6.0]
    ds = numbered(5, w=weights)
    given = {"column": "w", "list": weights, "array": np.array(weights)}[by]
    count = np.zeros(5)
    for seed in range(2000):
        count[ids(ds.sample(1, weights=given, replacement=replacement, seed=seed))[0]] += 1
    assert count[0] == count[3] == 0
    assert np.abs(count / 2000 - np.array(weights) / 10).max() < 0.04
    assert sorted(ids(ds.sample(3, weights=given, seed=0))) == [1, 2, 4]


def test_samples_that_cannot_be_say_why():
    ds = numbered(5, w=[1.0, None, 1.0, 1.0, 1.0])
    for arguments, match in [
        ({"n": 6}, "6 rows of 5"),
        ({}, "give n"),
        ({"n": 1, "fraction": 0.5}, "give n"),
        ({"fraction": 1.5}, "between 0 and 1"),
        ({"n": -1}, "-1"),
        ({"n": True}, "True"),
        ({"n": 1, "weights": "w"}, "row 1 is nan"),
        ({"n": 1, "weights": "x"}, "no column 'x'"),
        ({"n": 1, "weights": [1, 2]}, "5 rows"),
        ({"n": 1, "weights": [1, -2, 0, 0, 0]}, "row 1 is -2"),
        ({"n": 3, "weights": [1, 1, 0, 0, 0]}, "3 rows of 2 with a weight"),
        ({"n": 3, "weights": [0] * 5, "replacement": True}, "3 rows of 0"),
    ]:
        with pytest.raises(exceptions.InvalidArgumentError, match=match):
            ds.sample(**arguments)
    with pytest.raises(exceptions.InvalidArgumentError):
        numbered(0).sample(1)
    assert len(numbered(0).sample(0)) == 0


def test_no_weight_is_too_small_or_too_large():
    ds = numbered(4)
    for weights, n, expected in [
        ([0, 0, 0, 5e-324], 1, [3]),
        ([0, 1e-310, 0, 1], 2, [1, 3]),
        ([0, 1e308, 0, 1e308], 2, [1, 3]),
    ]:
        for seed in range(10):
            assert sorted(ids(ds.sample(n, weights=weights, seed=seed))) == expected
        stream = numbered(4, w=[float(w) for w in weights]).to_iterable_dataset()
        assert ids(stream.sample(n, weights="w", seed=0)) == expected
    even = [ids(ds.sample(1, weights=[1e-309] * 4, seed=s))[0] for s in range(800)]
    assert min(even.count(i) for i in range(4)) > 150
    huge = ids(ds.sample(1000, replacement=True, weights=[1e308] * 4, seed=0))
    assert min(huge.count(i) for i in range(4)) > 180


def test_views_and_small_decimals(tmp_path):
    table = pa.table(
        {
            "t": pa.array(["a", "b", "a"], pa.string_view()),
            "d": pa.array([1, 2, 1], pa.decimal32(5, 2)),
        }
    )
    pq.write_table(table, tmp_path / "a.parquet")
    stream = load_dataset(
        "parquet", data_files=str(tmp_path / "a.parquet"), split="train", streaming=True
    )
    drawn = stream.sample(2, seed=0)
    assert len(drawn) == 2
    assert drawn.features == stream.features
    ds = stream.to_map_style()
    assert len(ds.deduplicate()) == len(ds.deduplicate("d")) == len(ds.deduplicate("t")) == 2
    assert len(ds.balance("d", seed=0)) == 2


def test_a_sample_of_a_stream_is_uniform_and_does_not_depend_on_how_it_is_read():
    ds = numbered(3000, w=[float(i % 2) for i in range(3000)])
    stream = ds.to_iterable_dataset()
    drawn = stream.sample(50, seed=2)
    assert isinstance(drawn, Dataset)
    assert drawn.features == ds.features
    assert ids(drawn) == sorted(set(ids(drawn)))
    assert len(drawn) == 50
    for other in (
        ds.to_iterable_dataset(num_shards=7),
        stream.map(lambda row: row),
        stream.filter(lambda row: True),
    ):
        assert ids(other.sample(50, seed=2)) == ids(drawn)
    assert ids(stream.sample(50, seed=3)) != ids(drawn)
    assert all(i % 2 for i in ids(stream.sample(200, weights="w", seed=1)))
    assert len(stream.sample(5000, seed=1)) == 3000
    assert len(stream.sample(5000, weights="w", seed=1)) == 1500
    assert stream.take(0).sample(3).column_names == ["id", "w"]
    assert len(stream.sample(0)) == 0
    mean = np.mean([ids(stream.sample(30, seed=s)) for s in range(40)])
    assert abs(mean - 1500) < 75


def test_a_sample_of_a_stream_takes_text_and_nested_rows():
    rows = [{"id": i, "t": "x" * (i % 5), "l": [{"a": i}] * (i % 3), "n": None} for i in range(300)]
    stream = rowstream.IterableDataset.from_list(rows)
    drawn = stream.sample(7, seed=0)
    assert list(drawn) == [rows[i] for i in ids(drawn)]


# Folds


@given(st.integers(2, 60), st.integers(2, 9), st.booleans())
def test_plain_folds_part_the_rows_as_scikit_learn_does(size, n, shuffle):
    from sklearn.model_selection import KFold

    ds = numbered(size)
    if n > size:
        with pytest.raises(exceptions.InvalidArgumentError, match="between 2 and"):
            ds.k_fold(n)
        return
    pairs = ds.k_fold(n, shuffle=shuffle, seed=size)
    tests = [ids(test) for _, test in pairs]
    assert sorted(i for test in tests for i in test) == list(range(size))
    for (train, _), test in zip(pairs, tests, strict=True):
        assert ids(train) == sorted(set(range(size)) - set(test))
    theirs = [list(test) for _, test in KFold(n).split(range(size))]
    assert [len(test) for test in tests] == [len(test) for test in theirs]
    if not shuffle:
        assert tests == theirs


@given(st.lists(st.integers(0, 3), min_size=12, max_size=80), st.integers(2, 5))
def test_stratified_folds_have_the_shares_of_scikit_learn(labels, n):
    from sklearn.model_selection import StratifiedKFold

    labels = labels + [0] * n
    # Classes are numbered as they come, here and there.
    ds = numbered(len(labels), label=labels)
    pairs = ds.k_fold(n, stratify_by="label", seed=0)
    tests = [ids(test) for _, test in pairs]
    assert sorted(i for test in tests for i in test) == list(range(len(labels)))
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = [test for _, test in StratifiedKFold(n).split(labels, labels)]
    shares = lambda folds: [[sum(labels[i] == c for i in fold) for c in range(4)] for fold in folds]
    assert shares(tests) == shares(theirs)


@given(st.lists(st.integers(0, 12), min_size=20, max_size=80), st.integers(2, 4))
def test_groups_are_never_in_two_folds_and_sizes_are_those_of_scikit_learn(groups, n):
    from sklearn.model_selection import GroupKFold

    groups = groups + list(range(20, 20 + n))
    ds = numbered(len(groups), who=[f"author {g}" for g in groups])
    tests = [ids(test) for _, test in ds.k_fold(n, group_by="who", seed=1)]
    assert sorted(i for test in tests for i in test) == list(range(len(groups)))
    where = [{groups[i] for i in test} for test in tests]
    assert sum(map(len, where)) == len(set(groups))
    theirs = [len(test) for _, test in GroupKFold(n).split(groups, groups=groups)]
    assert sorted(map(len, tests)) == sorted(theirs)


def test_groups_and_classes_at_once_are_as_even_as_those_of_scikit_learn():
    from sklearn.model_selection import StratifiedGroupKFold

    draw = random.Random(0)
    groups = [draw.randrange(60) for _ in range(900)]
    kind = {g: draw.random() for g in range(60)}
    labels = [int(draw.random() < kind[g]) for g in groups]
    ds = numbered(900, label=labels, group=groups)
    tests = [ids(test) for _, test in ds.k_fold(5, stratify_by="label", group_by="group", seed=0)]
    assert sum(len({groups[i] for i in test}) for test in tests) == len(set(groups))
    uneven = lambda folds: np.std([np.mean([labels[i] for i in fold]) for fold in folds])
    theirs = [test for _, test in StratifiedGroupKFold(5).split(labels, labels, groups)]
    assert uneven(tests) <= uneven(theirs) + 0.02
    assert max(map(len, tests)) - min(map(len, tests)) <= 60


def test_folds_are_a_sequence_and_the_same_for_a_seed():
    ds = numbered(20, label=["a", "b"] * 10)
    folds = ds.k_fold(4, stratify_by="label", seed=5)
    assert len(folds) == 4
    assert ids(folds[-1][1]) == ids(folds[3][1])
    assert [ids(test) for _, test in folds[1:3]] == [ids(folds[i][1]) for i in (1, 2)]
    with pytest.raises(IndexError):
        folds[4]
    again = ds.k_fold(4, stratify_by="label", seed=5)
    other = ds.k_fold(4, stratify_by="label", seed=6)
    assert [ids(test) for _, test in folds] == [ids(test) for _, test in again]
    assert [ids(test) for _, test in folds] != [ids(test) for _, test in other]
    assert "test rows: [" in repr(folds)
    mixed = ds.shuffle(seed=0).k_fold(4, seed=1)[0][1]
    assert set(ids(mixed)) <= set(range(20))


def test_arguments_of_other_kinds_are_refused_in_words():
    ds = numbered(6, label=list("xyxyzx"))
    stream = ds.to_iterable_dataset()
    assert len(ds.k_fold(np.int64(3), seed=0)) == 3
    with pytest.raises(TypeError):
        ds.k_fold(3, seed=0)[1.5]
    for call in (
        lambda: ds.sample(2, weights="label"),
        lambda: ds.sample(2, weights={"a": 1}),
        lambda: ds.sample(2, seed=-1),
        lambda: ds.sample(fraction="0.5"),
        lambda: ds.k_fold(2, seed=1.5),
        lambda: ds.k_fold(True),
        lambda: ds.balance(np.array(["label"])),
        lambda: ds.balance("label", seed="a"),
        lambda: ds.deduplicate(3),
        lambda: ds.deduplicate("label", near="x"),
        lambda: ds.deduplicate("label", near=0.8, words=1.5),
        lambda: ds.select([]).balance("zz"),
        lambda: ds.select([]).deduplicate("zz"),
        lambda: stream.sample(None),
        lambda: stream.sample(2, seed=-1),
        lambda: rowstream.IterableDataset.from_generator(
            lambda: ({"b": i} for i in range(30))
        ).sample(2, weights="zz"),
    ):
        with pytest.raises(exceptions.InvalidArgumentError):
            call()


def test_folds_that_cannot_be_say_why(caplog):
    ds = numbered(6, label=[0, 0, 0, 0, 0, 1], group=[0, 0, 0, 1, 1, 1])
    for arguments, match in [
        ({"n": 1}, "between 2"),
        ({"n": 7}, "the 6 rows"),
        ({"n": 2.0}, "2.0"),
        ({"n": 3, "group_by": "group"}, "2 groups"),
        ({"n": 6, "stratify_by": "label"}, "largest class has 5"),
        ({"n": 2, "stratify_by": "x"}, "no column 'x'"),
    ]:
        with pytest.raises(exceptions.InvalidArgumentError, match=match):
            ds.k_fold(**arguments)
    logger = logging.getLogger("rowstream")
    before, logger.propagate = logger.propagate, True
    try:
        ds.k_fold(2, stratify_by="label")
    finally:
        logger.propagate = before
    assert "has 1 rows, fewer than the 2 folds" in caplog.text


@pytest.mark.parametrize(
    "values",
    [
        [None, "a", "a", None, "b", "b"],
        [1.5, 1.5, float("nan"), float("nan"), 2.0, 2.0],
        [[1, 2], [1, 2], [], [], None, None],
        [{"x": 1}, {"x": 1}, {"x": None}, {"x": None}, {"x": 2}, {"x": 2}],
        [b"\x00", b"\x00", b"", b"", b"a", b"a"],
        [dt.date(2020, 1, d) for d in (1, 1, 2, 2, 3, 3)],
        [True, True, False, False, None, None],
    ],
    ids=["strings", "floats", "lists", "structs", "bytes", "dates", "booleans"],
)
def test_classes_of_any_type(values):
    ds = numbered(6, value=values)
    for _, test in ds.k_fold(2, stratify_by="value", seed=0):
        assert len(test) == 3
        assert len({repr(v) for v in test["value"]}) == 3
    assert len(ds.deduplicate("value")) == 3
    assert len(ds.deduplicate()) == 6


# Classes


def test_classes_are_made_equal():
    labels = ["a"] * 7 + ["b"] * 3 + ["c"] * 5
    ds = numbered(15, label=labels)
    under, over = ds.balance("label", seed=0), ds.balance("label", strategy="oversample", seed=0)
    assert [list(under["label"]).count(c) for c in "abc"] == [3, 3, 3]
    assert [list(over["label"]).count(c) for c in "abc"] == [7, 7, 7]
    assert set(ids(over)) == set(range(15))
    assert len(set(ids(under))) == 9
    assert ids(under) == ids(ds.balance("label", seed=0)) == sorted(ids(under))
    assert ids(under) != ids(ds.balance("label", seed=1))
    assert len(numbered(0, label=[]).balance("label")) == 0
    with pytest.raises(exceptions.InvalidArgumentError, match="neither"):
        ds.balance("label", strategy="both")


# Duplicates


def test_the_first_of_each_row_stays():
    ds = Dataset.from_dict({"a": [1, 2, 1, 1, 2], "b": ["x", "y", "x", "z", "y"], "n": range(5)})
    assert list(ds.deduplicate(["a", "b"])["n"]) == [0, 1, 3]
    assert list(ds.deduplicate("a")["n"]) == [0, 1]
    assert list(ds.select([4, 3, 2, 1, 0]).deduplicate("a")["n"]) == [4, 3]
    assert len(ds.deduplicate()) == 5
    assert len(ds.select([]).deduplicate()) == 0
    with pytest.raises(exceptions.InvalidArgumentError, match="no column"):
        ds.deduplicate("c")


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from("ab"), st.booleans())))
def test_duplicates_are_those_of_a_set(rows):
    ds = Dataset.from_dict(
        {"a": [r[0] for r in rows], "b": [r[1] for r in rows], "c": [r[2] for r in rows]}
    )
    expected = list(dict.fromkeys(rows))
    found = ds.deduplicate(["a", "b", "c"])
    assert list(zip(found["a"], found["b"], found["c"], strict=True)) == expected


def test_texts_that_are_nearly_the_same():
    pytest.importorskip("rensa")
    draw = random.Random(0)
    words = [f"word{i}" for i in range(500)]
    base = [[draw.choice(words) for _ in range(150)] for _ in range(60)]
    near = [[*text[:-1], "other"] for text in base[:30]]
    far = [[*text[:75], *(draw.choice(words) for _ in range(75))] for text in base[30:]]
    texts = [" ".join(text) for text in [*base, *near, *far]]
    ds = numbered(120, text=[*texts])
    assert ids(ds.deduplicate("text", near=0.8)) == [*range(60), *range(90, 120)]
    assert ids(ds.deduplicate("text", near=0.8)) == ids(ds.deduplicate("text", near=0.8))
    few = Dataset.from_dict({"text": ["", "", "One two", "one TWO", None, None, "x"]})
    assert list(few.deduplicate("text", near=0.9)["text"]) == ["", "One two", None, None, "x"]
    for arguments, match in [
        (("id",), "one column of strings"),
        ((["text", "id"],), "one column"),
    ]:
        with pytest.raises(exceptions.InvalidArgumentError, match=match):
            ds.deduplicate(*arguments, near=0.8)
    with pytest.raises(exceptions.InvalidArgumentError, match=r"between 0\.5 and 1"):
        ds.deduplicate("text", near=0.3)


def test_without_rensa_the_error_says_how_to_install_it():
    code = (
        "import sys; sys.modules['rensa'] = None\n"
        "from rowstream import Dataset, exceptions\n"
        "try:\n    Dataset.from_dict({'t': ['a']}).deduplicate('t', near=0.8)\n"
        "except exceptions.UnsupportedError as e:\n    print(e)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert "pip install 'rowstream[dedup]'" in done.stdout, done.stderr
