"""Scores, beside the libraries that define them and values that were published."""

from __future__ import annotations

import random
import signal
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
        ((["a"], ["a", "b"]), "1 predictions, and 2 references"),
        ((["a", "b"], ["a"]), "1 references, and 2 predictions"),
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


# What testers found


MATH = [
    (r"2\sqrt{3}", r"2\sqrt{3}", 1),
    (r"10\pi", r"10\pi", 1),
    (r"(-\infty, 3]", r"(-\infty,3]", 1),
    ("x^2+1", "1+x^2", 1),
    ("A", "A", 1),
    ("east", "east", 1),
    (r"\text{A}", "A", 1),
    ("[3,5]", "[3, 5]", 1),
    (r"2\sqrt{3}", "2", 0),
    (r"10\pi", "10", 0),
    ("(3, 5)", "5", 0),
    ("3x+2", "3", 0),
    ("2^{10}", "2", 0),
    ("2^{10}", "1024", 1),
    ("6+9i", "9i+6", 1),
    (r"1\frac12", "1.5", 1),
    (r"\$5", "5", 1),
    ("The answer is 42.", "42", 1),
    ("The answer is 41.", "42", 0),
    (r"So it is $\boxed{2\sqrt{3}}$.", r"2\sqrt{3}", 1),
    (r"So it is $\boxed{x^2+1}$.", "x^2+1", 1),
]


@pytest.mark.parametrize(("prediction", "reference", "expected"), MATH)
def test_answers_alone_are_latex(prediction, reference, expected):
    pytest.importorskip("math_verify")
    assert value("math", prediction, reference) == expected


def test_powers_that_cannot_be_computed_end():
    pytest.importorskip("math_verify")
    code = (
        "import threading\n"
        "from rowstream.evaluate.mathematics import math_match\n"
        "found = []\n"
        "def run():\n"
        "    for text in ('$10^{10^{8}}$', '$2^{2^{2^{2^{2}}}}$', '$9999!$', '2^{99999}'):\n"
        "        found.append(math_match(text, '$3$'))\n"
        "        found.append(math_match(text, text))\n"
        "thread = threading.Thread(target=run)\n"
        "thread.start(); thread.join(); print(found)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=100, check=True
    )
    assert done.stdout == f"{[0.0, 1.0] * 4}\n"


def test_an_alarm_of_the_program_stays():
    pytest.importorskip("math_verify")
    before = signal.signal(signal.SIGALRM, signal.SIG_IGN)
    signal.alarm(100)
    try:
        value("math", "1+1", "2")
        assert signal.alarm(0) > 0
        assert signal.getsignal(signal.SIGALRM) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("kind", ["numpy", "torch", "arrow"])
@pytest.mark.parametrize("streaming", [False, True])
def test_values_of_other_libraries(kind, streaming):
    if kind == "torch":
        pytest.importorskip("torch")
    ds = Dataset.from_dict({"prediction": [0, 1, 2, 1], "reference": [0, 1, 1, 1]})
    ds = ds.to_iterable_dataset() if streaming else ds
    if kind != "arrow":
        for metric in ("accuracy", "equal", "exact_match"):
            assert evaluate(ds.with_format(kind), metrics=metric)[metric].value == 0.75
    import pyarrow as pa

    assert evaluate(pa.array(["a", "b"]), pa.array(["a", "c"]))["exact_match"].value == 0.5
    assert evaluate([np.array(5)], [np.int64(5)], metrics="equal")["equal"].value == 1
    result = evaluate(pa.array(["a"]), ["a"])
    assert result.item_results[0].prediction == "a"
    talk = [{"role": "assistant", "content": "a"}]
    assert evaluate([talk], ["a"])["exact_match"].value == 1


def test_references_in_rows():
    ds = Dataset.from_dict({"reference": ["a", "b"], "answer": ["b", "a"], "pred": ["a", "b"]})
    assert evaluate(["a", "b"], ds)["exact_match"].value == 1
    assert evaluate(["a", "b"], ds.to_iterable_dataset())["exact_match"].value == 1
    assert evaluate(["a", "b"], ds, reference_column="answer")["exact_match"].value == 0
    assert evaluate(ds, ["a", "b"], prediction_column="pred")["exact_match"].value == 1
    for call, match in [
        (lambda: evaluate(ds, ["a", "b"]), "prediction 0 is a row.*prediction_column"),
        (lambda: evaluate(["a", "b"], ds, reference_column="x"), "reference 0 is a row"),
        (lambda: evaluate(["a"], [{"value": "a", "aliases": ["A"]}]), "reference_column"),
        (lambda: evaluate("paris", ["paris"]), "the text 'paris'"),
        (lambda: evaluate(["1"], "gsm8k"), "load_task"),
        (lambda: evaluate(["1"], ["1"], n_resamples=0), "n_resamples"),
        (lambda: evaluate([[1]], [[1]], metrics="f1"), "a class is a number"),
        (lambda: win_rate(["win"], confidence=95), "between 0 and 1"),
        (lambda: pass_at_k([[True]], 1.5), "not a number of programs"),
        (
            lambda: evaluate(["a"], ["a"], metrics=[lambda p, r: 1, lambda p, r: 0]),
            "a dict gives functions names",
        ),
        (lambda: evaluate(range(5000), range(5000), metrics="f1"), "more than 2000 classes"),
    ]:
        with pytest.raises(exceptions.InvalidArgumentError, match=match):
            call()
    squad = [{"text": ["a", "b"], "answer_start": [0, 1]}]
    assert evaluate(["b"], squad)["exact_match"].value == 1
    assert pass_at_k([[True]], np.int64(1)) == {"pass@1": 1.0}


def test_functions_by_name():
    found = evaluate(["a"], ["b"], metrics={"one": lambda p, r: 1, "none": lambda p, r: 0})
    assert {name: score.value for name, score in found.items()} == {"one": 1, "none": 0}


def test_intervals_are_as_exact_as_the_scores():
    found = evaluate(range(1000), range(1000), metrics={"big": lambda p, r: 1e9 + p % 2})["big"]
    assert found.low < found.value < found.high
    same = evaluate(range(100), range(100), metrics={"same": lambda p, r: 0.1})["same"]
    assert same.low == same.high == same.value
    assert str(same) == "0.1000"
    huge = evaluate(range(100), range(100), metrics={"huge": lambda p, r: 1e39})["huge"]
    assert huge.low == huge.value


def test_accuracy_of_many_answers():
    texts = [f"answer {i}" for i in range(20_000)]
    assert (
        evaluate(texts, [*texts[:-2000], *[""] * 2000], metrics="accuracy")["accuracy"].value == 0.9
    )


@pytest.mark.parametrize("options", [{"smooth_method": "add-k"}, {"smooth_method": "floor"}, {}])
def test_smoothing_of_bleu(options):
    sacrebleu = pytest.importorskip("sacrebleu.metrics")
    found = ["the cat sat on a mat", "he reads books", "one two three four five"]
    wanted = ["the cat sat on the mat", "she reads a book", "one two four three five"]
    expected = sacrebleu.BLEU(**options).corpus_score(found, [wanted]).score
    assert evaluate(found, wanted, metrics=[Bleu(**options)])["bleu"].value == pytest.approx(
        expected
    )


@pytest.mark.parametrize(
    ("prediction", "reference", "expected"),
    [
        ("5.0", "5", 1),
        ("$5", "5", 1),
        ("\u22125", "-5", 1),
        ("1,000", "1000", 1),
        ("1e3", "1000", 1),
        ("0,125", "125", 0),
        ("1234,567", "1234567", 0),
        ("1__0", "10", 0),
        ("1e999999999", "2", 0),
        ("1e9999999999999", "2", 0),
        ("nan", "nan", 1),
        (".", ".", 1),
        ("", "", 1),
        (" a ", "a", 1),
        ("-5", "5", 0),
        ("1.5", "15", 0),
    ],
)
def test_equal_numbers(prediction, reference, expected):
    assert value("equal", prediction, reference) == expected


def test_a_name_that_is_given_anew_counts():
    from rowstream.evaluate import names

    before = names._MADE["rouge1"]
    register_metric("rouge1", lambda p, r: 42)
    try:
        assert evaluate(["a"], ["a"], metrics=["rouge1", "equal"])["rouge1"].value == 42
    finally:
        names._MADE["rouge1"] = before
        names._OWN.discard("rouge1")
