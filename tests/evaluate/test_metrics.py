"""Scores, beside the libraries that define them and values that were published."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rowstream import Dataset, IterableDataset, exceptions
from rowstream.evaluate import (
    Classification,
    Metric,
    evaluate,
    list_metrics,
    pass_at_k,
    register_metric,
    win_rate,
)
from rowstream.evaluate.texts import Bleu, Rouge


def value(metric: object, prediction: object, reference: object) -> float:
    (score,) = evaluate([prediction], [reference], metrics=[metric], confidence=None).values()
    return score.value


# Answers


def test_answers_are_compared_as_squad_does():
    for prediction, reference, exact, f1 in [
        ("in 1976", "1976", 0, 2 / 3),
        ("the Eiffel Tower", "Eiffel tower!", 1, 1),
        ("", "", 1, 1),
        ("", "a", 1, 1),
        ("x", "", 0, 0),
        ("a cat sat", "the cat", 0, 2 / 3),
        ("b c d", ["x", "b c"], 0, 0.8),
        ("b", {"text": ["b", "c"], "answer_start": [0, 1]}, 1, 1),
        ("b", [], 0, 0),
        (7, 7, 1, 1),
    ]:
        assert value("exact_match", prediction, reference) == exact, (prediction, reference)
        assert value("token_f1", prediction, reference) == pytest.approx(f1), prediction


@pytest.mark.parametrize("where", ["main", "thread"])
def test_mathematical_answers_are_compared_by_value(where):
    pytest.importorskip("math_verify")
    cases = [
        ("$\\frac{1}{2}$", "0.5", 1),
        ("The answer is $\\boxed{42}$.", "42", 1),
        ("50%", "50", 1),
        ("1,234", "1234", 1),
        ("$x^2 - 1$", "$(x-1)(x+1)$", 1),
        ("41", "42", 0),
        ("", "42", 0),
        ("nonsense ((((", "42", 0),
        ("\\boxed{\\frac{3}{4}}", "\\frac{3}{4}", 1),
        ("2", ["1", "2"], 1),
        (None, "1", 0),
    ]
    found: list[float] = []

    def run() -> None:
        found.extend(value("math", prediction, reference) for prediction, reference, _ in cases)

    if where == "thread":
        thread = threading.Thread(target=run)
        thread.start()
        thread.join(60)
    else:
        run()
    assert found == [expected for *_, expected in cases]


# Classes


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=60),
    st.sampled_from(["macro", "micro", "weighted"]),
)
def test_classes_have_the_scores_of_scikit_learn(pairs, average):
    from sklearn.metrics import accuracy_score, precision_recall_fscore_support

    found, wanted = [p for p, _ in pairs], [r for _, r in pairs]
    metric = Classification(average=average)
    ours = evaluate(found, wanted, metrics=[metric], confidence=None)
    theirs = precision_recall_fscore_support(wanted, found, average=average, zero_division=0)
    assert ours["accuracy"].value == pytest.approx(accuracy_score(wanted, found))
    for name, expected in zip(("precision", "recall", "f1"), theirs, strict=False):
        assert ours[name].value == pytest.approx(expected), name


def test_one_class_and_names_of_classes():
    result = evaluate(
        ["spam", "ham", "spam", "spam"],
        ["spam", "spam", "ham", "spam"],
        metrics=[Classification(average="binary", positive="spam")],
    )
    assert result["precision"].value == result["recall"].value == pytest.approx(2 / 3)
    assert result.item_scores["accuracy"] == [1, 0, 0, 1]
    assert [*evaluate(["a"], ["a"], metrics=["accuracy", "f1"])] == ["accuracy", "f1"]
    for wrong in (lambda: Classification(average="mean"), lambda: Classification(only=["x"])):
        with pytest.raises(exceptions.InvalidArgumentError):
            wrong()
    with pytest.raises(exceptions.InvalidArgumentError, match="no item has the class"):
        evaluate(["a"], ["b"], metrics=[Classification(average="binary", positive="c")])


# Texts


def test_bleu_is_that_of_sacrebleu():
    sacrebleu = pytest.importorskip("sacrebleu")
    found = ["The dog bit the man.", "It wasn't surprising.", "The man had just bitten him."]
    first = ["The dog bit the man.", "It was not unexpected.", "The man bit him first."]
    second = ["The dog had bit the man.", "No one was surprised.", "The man had bitten the dog."]
    ours = evaluate(found, [[*pair] for pair in zip(first, second, strict=True)], metrics=["bleu"])
    assert ours["bleu"].value == pytest.approx(48.5308, abs=1e-4)
    assert ours["bleu"].low < ours["bleu"].value < ours["bleu"].high
    draw = random.Random(0)
    words = ["the", "cat", "dog", "sat", "on", "a", "mat", "and", "ran", "to", "house"]
    texts = [" ".join(draw.choices(words, k=draw.randrange(1, 20))) for _ in range(80)]
    for options in ({}, {"lowercase": True}, {"max_ngram_order": 2}, {"tokenize": "char"}):
        theirs = sacrebleu.metrics.BLEU(**options).corpus_score(texts[:40], [texts[40:]])
        got = evaluate(texts[:40], texts[40:], metrics=[Bleu(**options)], confidence=None)
        assert got["bleu"].value == pytest.approx(theirs.score), options


def test_rouge_is_that_of_rouge_score():
    pytest.importorskip("rouge_score")
    found, wanted = (
        "The quick brown dog jumps on the log.",
        "The quick brown fox jumps over the lazy dog",
    )
    names = ["rouge1", "rouge2", "rougeL"]
    result = evaluate([found], [wanted], metrics=names, confidence=None)
    assert [result[name].value for name in names] == pytest.approx(
        [0.705882, 0.266667, 0.588235], abs=1e-6
    )
    stemmed = Rouge(["rouge1"], stemmer=True)
    assert value(stemmed, "the cats are running", "the cat runs") == pytest.approx(
        0.857143, abs=1e-6
    )
    assert value("rouge1", "a b", ["x y", "a b"]) == 1.0


# Programs and preferences


def test_pass_at_k_is_unbiased():
    from math import comb

    for n in range(1, 9):
        for c in range(n + 1):
            for k in range(1, n + 1):
                (found,) = pass_at_k([[True] * c + [False] * (n - c)], k).values()
                assert found == pytest.approx(1 - comb(n - c, k) / comb(n, k))
    assert pass_at_k([[1, 0], [0, 0]], [1, 2]) == {"pass@1": 0.25, "pass@2": 0.5}
    for results, k, match in [
        ([], 1, "no problems"),
        ([[True]], 2, "problem 0 has 1"),
        ([[1, 0], [1]], 2, "problem 1"),
        ([[1]], 0, "k=0"),
    ]:
        with pytest.raises(exceptions.InvalidArgumentError, match=match):
            pass_at_k(results, k)


def test_a_win_rate_has_an_interval_that_covers_the_truth():
    draw = np.random.default_rng(0)
    covered = 0
    for i in range(200):
        outcomes = draw.choice(["win", "loss", "tie"], 300, p=[0.5, 0.3, 0.2])
        score = win_rate(outcomes.tolist(), seed=i)
        covered += score.low <= 0.6 <= score.high
    assert 180 <= covered <= 200
    assert win_rate([1, 0, 0.5]).value == 0.5
    for wrong in ([], ["won"]):
        with pytest.raises(exceptions.InvalidArgumentError):
            win_rate(wrong)


# evaluate itself


def kinds(found: list[str], wanted: list[str]) -> dict[str, tuple[object, object]]:
    ds = Dataset.from_dict({"prediction": found, "reference": wanted})
    return {
        "lists": (found, wanted),
        "generators": ((one for one in found), (one for one in wanted)),
        "dataset": (ds, None),
        "selection": (ds.select(range(len(found))), None),
        "columns": (ds["prediction"], ds["reference"]),
        "stream": (ds.to_iterable_dataset(num_shards=3), None),
        "stream beside list": (ds.to_iterable_dataset()["prediction"], wanted),
        "rows": (
            ({"prediction": p, "reference": r} for p, r in zip(found, wanted, strict=True)),
            None,
        ),
    }


@pytest.mark.parametrize("kind", kinds(["a"] * 3, ["a"] * 3))
def test_every_kind_of_data_gives_the_same_scores(kind):
    draw = random.Random(1)
    found, wanted = ([draw.choice("xyz") for _ in range(1300)] for _ in range(2))
    expected = evaluate(found, wanted, metrics=["exact_match", "accuracy", "f1"], seed=4)
    result = evaluate(
        *kinds(found, wanted)[kind], metrics=["exact_match", "accuracy", "f1"], seed=4
    )
    assert dict(result) == dict(expected)
    assert result.count == 1300
    if kind in ("lists", "dataset", "selection"):
        assert result.item_scores == expected.item_scores
        assert sum(result.item_scores["exact_match"]) / 1300 == pytest.approx(
            result["exact_match"].value
        )


def test_intervals_are_those_of_a_bootstrap():
    draw = np.random.default_rng(2)
    right = draw.random(800) < 0.7
    found = ["x" if one else "y" for one in right]
    score = evaluate(found, ["x"] * 800, confidence=0.9)["exact_match"]
    error = 1.645 * np.sqrt(0.7 * 0.3 / 800)
    assert score.low == pytest.approx(score.value - error, abs=0.006)
    assert score.high == pytest.approx(score.value + error, abs=0.006)
    assert score == evaluate(found, ["x"] * 800, confidence=0.9)["exact_match"]
    none = evaluate(found, ["x"] * 800, confidence=None)["exact_match"]
    assert none.low == none.high == none.value == score.value
    assert str(none) == f"{right.mean():.4f}"


def test_metrics_of_users():
    register_metric("same_length", lambda p, r: len(p) == len(r))
    assert "same_length" in list_metrics()
    result = evaluate(["ab", "c"], ["xy", "zzz"], metrics=["same_length", lambda p, r: 2.0])
    assert result["same_length"].value == 0.5
    assert result["<lambda>"].value == 2.0

    class Spread(Metric):
        names = ("spread",)

        def statistics(self, predictions, references):
            return np.array([[p, p * p] for p in predictions], float)

        def scores(self, sums, count):
            return {"spread": sums[..., 1] / count - (sums[..., 0] / count) ** 2}

    assert evaluate([1, 3], [0, 0], metrics=Spread())["spread"].value == 1.0


def test_what_cannot_be_evaluated_says_why():
    for arguments, match in [
        (([], []), "no predictions"),
        ((["a"], ["a", "b"]), "1 predictions, and more references"),
        ((["a", "b"], ["a"]), "1 references, and more predictions"),
        ((Dataset.from_dict({"answer": ["a"]}),), "row 0 has .'answer'., not the columns"),
        ((["a"],), "row 0 has str"),
    ]:
        with pytest.raises(exceptions.InvalidArgumentError, match=match):
            evaluate(*arguments)
    for options, match in [
        ({"metrics": ["blue"]}, "no metric 'blue'; there is exact_match"),
        ({"metrics": [3]}, "3 is no metric"),
        ({"metrics": ["accuracy", "accuracy"]}, "two metrics have a score 'accuracy'"),
        ({"confidence": 95}, "confidence=95"),
    ]:
        with pytest.raises(exceptions.InvalidArgumentError, match=match):
            evaluate(["a"], ["a"], **options)


@pytest.mark.parametrize(
    ("metric", "package", "extra"),
    [
        ("bleu", "sacrebleu", "eval"),
        ("rouge1", "rouge_score", "eval"),
        ("math", "math_verify", "math"),
    ],
)
def test_without_a_package_the_error_says_how_to_install_it(metric, package, extra):
    code = (
        f"import sys; sys.modules[{package!r}] = None\n"
        "from rowstream.evaluate import evaluate\n"
        f"try:\n    evaluate(['a'], ['a'], metrics=[{metric!r}])\n"
        "except NotImplementedError as e:\n    print(e)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert f"pip install 'rowstream[{extra}]'" in done.stdout, done.stderr


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells the peak")
def test_a_long_stream_is_not_held():
    code = (
        "peak = lambda: int(open('/proc/self/status').read().split('VmHWM:')[1].split()[0])\n"
        "from rowstream.evaluate import evaluate\n"
        "n = 200_000\n"
        "run = lambda n: evaluate(('x' * 2000 for _ in range(n)), ('y' for _ in range(n)),"
        " metrics=[lambda p, r: 1.0], n_resamples=100)\n"
        "run(1000)\n"
        "before = peak()\n"
        "run(n)\n"
        "print(peak() - before)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=100)
    assert int(done.stdout) < 30_000, done.stderr  # KiB; the texts are 400 MB


def test_a_stream_with_a_generator_and_a_format():
    def rows():
        for i in range(10):
            yield {"prediction": i % 3, "reference": i % 2}

    stream = IterableDataset.from_generator(rows)
    assert evaluate(stream, metrics="accuracy")["accuracy"].value == pytest.approx(0.4)
    ds = Dataset.from_list([*rows()]).with_format("numpy")
    assert evaluate(ds, metrics="accuracy")["accuracy"].value == pytest.approx(0.4)
