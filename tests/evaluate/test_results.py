"""Runs: stored, compared, and written and read as others have them."""

from __future__ import annotations

import csv
import datetime as dt
import json
import multiprocessing
import sqlite3
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rowstream import Dataset, exceptions
from rowstream.evaluate import ItemResult, Score, evaluate
from rowstream.evaluate.results import (
    Exporter,
    ResultStore,
    Run,
    compare,
    read_inspect,
    read_lm_eval,
)
from rowstream.tasks import load_task

LOGS = Path(__file__).parent / "logs"
ITEMS = load_task("gsm8k", synthetic=True, sample_size=30)


def run_of(name, right, **fields):
    """A run of which every `right`th answer is right."""
    answers = [item.target if i % right == 0 else "no" for i, item in enumerate(ITEMS)]
    return Run.of(evaluate(answers, ITEMS), name, **{"model": "org/model", **fields})


@pytest.fixture
def store(tmp_path):
    return ResultStore(tmp_path / "results.sqlite")


# Stored


def test_a_run_comes_back(store):
    run = run_of("first", 2, metadata={"seed": 1, "of": [1, 2]})
    assert store.save(run) is run
    again = store.load("first")
    assert again == store.load(run.id)
    assert again.items[3] == ItemResult(
        3, ITEMS[3].input, ITEMS[3].target, "no", {"equal": 0.0}, [], dict(ITEMS[3].metadata)
    )
    assert (again.task, again.model, again.count) == ("gsm8k", "org/model", 30)
    assert again.scores == dict(run.scores)
    assert again.metadata == {"seed": 1, "of": [1, 2]}
    assert again.created == run.created
    assert store.save(evaluate(["a"], ["a"]), "plain").items[0].id == 0


def test_values_of_many_types(store):
    values = [
        "text\x00\ud7ff 數",
        None,
        1,
        1.5,
        float("inf"),
        ["a", {"b": None}],
        ("t", "u"),
        np.float32(0.5),
        np.arange(3),
        dt.datetime(2026, 1, 2, tzinfo=dt.UTC),
        {"x", "y"},
        ITEMS[0],
    ]
    items = [ItemResult(f"i{i}", value, value, value, {"s": 1.0}) for i, value in enumerate(values)]
    store.save(Run("of all", {}, items))
    found = [item.prediction for item in store.load("of all").items]
    assert found[:6] == values[:6]
    assert found[6:11] == [["t", "u"], 0.5, [0, 1, 2], "2026-01-02T00:00:00+00:00", ["x", "y"]]
    assert found[11]["target"] == ITEMS[0].target
    with pytest.raises(exceptions.InvalidArgumentError, match=r"prediction of item 7.*'?object"):
        store.save(Run("bad", {}, [ItemResult(7, "", "", object(), {})]))
    assert [run.name for run in store.list()] == ["of all"]


def test_runs_are_listed_and_deleted(store):
    assert store.list() == []
    for i, (name, task) in enumerate([("a", "x"), ("b", "x"), ("a", "y")]):
        store.save(Run(name, {"s": Score(i, i, i)}, task=task, model=f"m{i % 2}", count=5))
    assert [(run.name, run.task) for run in store.list()] == [("a", "y"), ("b", "x"), ("a", "x")]
    assert [run.name for run in store.list(task="x")] == ["b", "a"]
    assert [run.name for run in store.list(model="m0", task="x")] == ["a"]
    assert store.list(task="z") == []
    assert store.load("a").task == "y"  # the newest
    store.delete("a")
    assert store.load("a").task == "x"
    with pytest.raises(exceptions.InvalidArgumentError, match=r"no run 'c'; it has"):
        store.load("c")
    with pytest.raises(exceptions.InvalidArgumentError, match="has the run"):
        store.save(store.load("b"))
    assert store.save(evaluate(["a"], ["a"])).name == "run"
    assert store.save(evaluate([ITEMS[0].target], ITEMS[:1])).name == "gsm8k"


def test_names_are_no_code(store):
    name = "x'; DROP TABLE runs; --"
    store.save(Run(name, {}))
    assert store.load(name).name == name


def _save_many(path, which):
    store = ResultStore(path)
    for i in range(10):
        items = [ItemResult(k, "q", "a", f"{which} {i}", {"s": 1.0}) for k in range(20)]
        store.save(Run(f"{which} {i}", {"s": Score(1, 1, 1)}, items))


def test_several_programs_write_at_once(tmp_path):
    path = tmp_path / "shared.sqlite"
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_save_many, args=(path, which)) for which in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(100)
        assert writer.exitcode == 0
    runs = ResultStore(path).list()
    assert {run.name for run in runs} == {f"{w} {i}" for w in range(4) for i in range(10)}
    for run in runs:
        items = ResultStore(path).load(run.id).items
        assert [item.prediction for item in items] == [run.name] * 20


def test_files_that_are_no_store(tmp_path):
    path = tmp_path / "other"
    path.write_bytes(b"not a database, but long enough to look like something else" * 9)
    with pytest.raises(exceptions.FileFormatError, match="no store of results"):
        ResultStore(path).list()
    path = tmp_path / "of.others"
    with sqlite3.connect(path) as file:
        file.execute("CREATE TABLE t (x)")
    with pytest.raises(exceptions.FileFormatError, match="no store of results"):
        ResultStore(path).save(Run("x", {}))


# Compared


def test_two_runs(store):
    store.save(run_of("half", 2))
    store.save(run_of("third", 3))
    found = store.compare("half", "third")
    assert (found.first, found.second) == (0.5, pytest.approx(1 / 3))
    assert found.difference == pytest.approx(-1 / 6)
    assert (found.better, found.worse, found.same) == (5, 10, 15)
    assert found.low < found.difference < found.high
    assert len(found.differing()) == 15
    assert found.differing()[0][0].scores["equal"] == 1
    text = str(found)
    assert "half" in text
    assert "p = 0.30" in text
    assert compare(store.load("half"), store.load("half")).p_value == 1


def scored(name, scores):
    return Run(name, {}, [ItemResult(i, None, "", "", {"s": s}) for i, s in enumerate(scores)])


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60))
def test_right_and_wrong_are_compared_by_mcnemar(pairs):
    from scipy.stats import binomtest

    found = compare(
        scored("a", [a for a, _ in pairs]), scored("b", [b for _, b in pairs]), n_resamples=50
    )
    b, c = found.better, found.worse
    expected = binomtest(b, b + c).pvalue if b + c else 1.0
    assert found.p_value == pytest.approx(expected)


def test_other_scores_are_compared_by_permutations():
    from scipy.stats import permutation_test

    rnd = np.random.default_rng(1)
    a = rnd.random(40)
    b = a + rnd.normal(0.05, 0.2, 40)
    found = compare(scored("a", a), scored("b", b), n_resamples=20_000)
    expected = permutation_test(
        (b, a),
        lambda x, y: np.mean(x - y),
        permutation_type="samples",
        n_resamples=20_000,
        rng=np.random.default_rng(2),
    )
    assert found.p_value == pytest.approx(expected.pvalue, abs=0.02)
    low, high = found.low, found.high
    assert low == pytest.approx((b - a).mean() - 1.96 * (b - a).std() / 40**0.5, abs=0.02)
    assert high > low


def test_a_million_items_and_one():
    found = compare(scored("a", [1.0]), scored("b", [0.0]), n_resamples=100)
    assert found.p_value == 1
    many = scored("a", np.zeros(200_000))
    other = scored("b", np.tile([0.0, 0.5, 1.0, -1.0], 50_000))
    assert compare(many, other, n_resamples=100).p_value == pytest.approx(1 / 101)


def test_items_are_found_by_id():
    one = Run("one", {}, [ItemResult(i, "q", "a", "", {"s": i}) for i in (1, 2, 3)])
    two = Run("two", {}, [ItemResult(str(i), "q", "a", "", {"s": i, "t": 1}) for i in (3, 4, 1)])
    found = compare(one, two)
    assert [(a.id, b.id) for a, b in found.pairs] == [(1, "1"), (3, "3")]
    assert (found.only_in_first, found.only_in_second) == (1, 1)
    assert "2 items are in one run only" in str(found)
    twice = Run("twice", {}, [ItemResult("x", "q", "a", "", {"s": s}) for s in (0, 1)])
    assert compare(twice, twice).same == 2
    with pytest.raises(exceptions.InvalidArgumentError, match="no item in common"):
        compare(one, twice)
    with pytest.raises(exceptions.InvalidArgumentError, match=r"no score 't'; 'one' has \['s'\]"):
        compare(one, two, "t")
    with pytest.raises(exceptions.InvalidArgumentError, match="no items to compare"):
        compare(one, Run("none", {"s": Score(1, 1, 1)}))
    other = Run("other", {}, [ItemResult(1, "something else", "a", "", {"s": 1})])
    with pytest.raises(exceptions.InvalidArgumentError, match="not of one task"):
        compare(one, other)
    with pytest.raises(exceptions.InvalidArgumentError, match="between 0 and 1"):
        compare(one, two, confidence=95)


# Tables


def test_rows_of_items(tmp_path):
    runs = [run_of("one", 2), run_of("two", 1)]
    exporter = Exporter(runs)
    rows = [*exporter.to_dataset()]
    assert len(rows) == 60
    assert rows[31] == {
        "run": "two",
        "task": "gsm8k",
        "model": "org/model",
        "id": "1",
        "input": ITEMS[1].input,
        "target": ITEMS[1].target,
        "prediction": ITEMS[1].target,
        "choices": "[]",
        "metadata": json.dumps(dict(ITEMS[1].metadata)),
        "score_equal": 1.0,
    }
    exporter.to_jsonl(tmp_path / "x.jsonl")
    lines = (tmp_path / "x.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == rows
    exporter.to_csv(tmp_path / "x.csv")
    with (tmp_path / "x.csv").open(newline="") as file:
        assert [row["prediction"] for row in csv.DictReader(file)] == [
            r["prediction"] for r in rows
        ]
    exporter.to_parquet(tmp_path / "x.parquet")
    assert [*Dataset.from_parquet(str(tmp_path / "x.parquet"))] == rows


def test_tables_of_scores(tmp_path):
    one = Run("a|b\n<c>", {"s": Score(0.5, 0.25, 0.75)}, task="t", model="m", count=7)
    two = Run("plain", {"u": Score(1, 1, 1)})
    text = Exporter([one, two]).to_markdown(tmp_path / "x.md")
    head, _, first, second = text.splitlines()
    assert head.split() == [
        "|",
        "run",
        "|",
        "task",
        "|",
        "model",
        "|",
        "items",
        "|",
        "s",
        "|",
        "u",
        "|",
    ]
    assert r"a\|b <c>" in first
    assert "0.5000 [0.2500, 0.7500]" in first
    assert second.endswith("| 1.0000 |")
    assert (tmp_path / "x.md").read_text() == text + "\n"
    html = Exporter(one).to_html(tmp_path / "x.html")
    assert "<td>a|b\n&lt;c&gt;</td>" in html
    for nothing in ([], [1], "run"):
        with pytest.raises(exceptions.InvalidArgumentError, match="expected runs"):
            Exporter(nothing)


# lm-evaluation-harness


def test_lm_eval_and_back(tmp_path):
    runs = [run_of("one", 2), run_of("other", 2, model="org/two")]
    paths = Exporter(runs).to_lm_eval(tmp_path)
    assert [Path(p).parent.name for p in paths] == ["org__model"] * 2 + ["org__two"] * 2
    result = json.loads(Path(paths[1]).read_text())
    assert result["results"]["gsm8k"]["equal,none"] == 0.5
    assert 0 < result["results"]["gsm8k"]["equal_stderr,none"] < 0.2
    assert result["n-samples"] == {"gsm8k": {"original": 30, "effective": 30}}
    samples = [json.loads(line) for line in Path(paths[0]).read_text().splitlines()]
    assert {
        *[
            "doc_id",
            "doc",
            "target",
            "arguments",
            "resps",
            "filtered_resps",
            "filter",
            "metrics",
            "doc_hash",
            "prompt_hash",
            "target_hash",
            "equal",
        ]
    } == samples[0].keys()
    assert samples[1]["resps"] == [["no"]]
    back = read_lm_eval(tmp_path)
    assert [run.model for run in back] == ["org/model", "org/two"]
    assert [*back[0].items] == [
        ItemResult(i.id, i.input, i.target, i.prediction, i.scores, [], i.metadata)
        for i in runs[0].items
    ]
    assert back[0].scores["equal"].value == 0.5
    assert back[0].scores["equal"].low == pytest.approx(runs[0].scores["equal"].low, abs=0.02)
    assert compare(back[0], runs[0]).p_value == 1
    assert (back[0].name, back[0].id, back[0].created) == ("one", runs[0].id, runs[0].created)
    with pytest.raises(exceptions.InvalidArgumentError, match=r"of the task 'gsm8k'.*model="):
        Exporter([runs[0], runs[0]]).to_lm_eval(tmp_path)
    with pytest.raises(exceptions.InvalidArgumentError, match="task"):
        Exporter(Run("x", {})).to_lm_eval(tmp_path)


def test_what_lm_eval_wrote(tmp_path):
    """As its `EvaluationTracker` of 0.4.13 writes two filters, and a multiple choice."""
    date = "2026-11-28T10-00-00.123456"
    folder = tmp_path / "org__m"
    folder.mkdir()
    results = {
        "results": {
            "gsm8k": {
                "alias": "gsm8k",
                "exact_match,strict-match": 0.5,
                "exact_match_stderr,strict-match": 0.1,
                "exact_match,flexible-extract": 1.0,
                "exact_match_stderr,flexible-extract": "N/A",
            },
            "arc": {"alias": "arc", "acc,none": 1.0, "acc_stderr,none": 0.0, "acc_norm,none": 0.0},
        },
        "n-samples": {
            "gsm8k": {"original": 1319, "effective": 2},
            "arc": {"original": 9, "effective": 9},
        },
        "config": {"model": "hf"},
        "model_name": "org/m",
        "date": 1764324000.5,
    }
    (folder / f"results_{date}.json").write_text(json.dumps(results))
    lines = [
        {
            "doc_id": i,
            "doc": {"question": f"q{i}", "answer": "#### 1"},
            "target": "1",
            "arguments": {
                "gen_args_0": {"arg_0": f"Question: q{i}\nAnswer:", "arg_1": {"until": []}}
            },
            "resps": [["so 1"]],
            "filtered_resps": [answer],
            "filter": filter_,
            "metrics": ["exact_match"],
            "exact_match": score,
        }
        for i in (0, 1)
        for filter_, answer, score in (
            ("strict-match", "[invalid]" if i else "1", 1.0 - i),
            ("flexible-extract", "1", 1.0),
        )
    ]
    (folder / f"samples_gsm8k_{date}.jsonl").write_text(
        "".join(json.dumps(x) + "\n" for x in lines)
    )
    choice = {
        "doc_id": 0,
        "doc": {"query": "q"},
        "target": "1",
        "arguments": {
            f"gen_args_{i}": {"arg_0": "q", "arg_1": f" {c}"} for i, c in enumerate("ab")
        },
        "resps": [[["-1.5", "False"]], [["-0.5", "True"]]],
        "filtered_resps": [["-1.5", "False"], ["-0.5", "True"]],
        "filter": "none",
        "metrics": ["acc", "acc_norm"],
        "acc": 1.0,
        "acc_norm": 0.0,
    }
    (folder / f"samples_arc_{date}.jsonl").write_text(json.dumps(choice) + "\n")
    strict, flexible, arc = read_lm_eval(tmp_path)
    assert (strict.name, flexible.name, arc.name) == (
        "gsm8k (strict-match)",
        "gsm8k (flexible-extract)",
        "arc",
    )
    assert strict.scores["exact_match"].high == pytest.approx(0.5 + 1.96 * 0.1, abs=1e-4)
    assert flexible.scores == {"exact_match": Score(1, 1, 1)}
    assert [item.prediction for item in strict.items] == ["1", "[invalid]"]
    assert strict.count == 2
    assert arc.items[0].scores == {"acc": 1.0, "acc_norm": 0.0}
    assert arc.items[0].prediction == " b"
    assert {*arc.scores} == {"acc", "acc_norm"}
    found = compare(strict, flexible)
    assert (found.metric, found.better) == ("exact_match", 1)
    # The question is within the prompt.
    ours = Run("ours", {}, [ItemResult(i, f"q{i}", "1", "1", {"exact_match": 1.0}) for i in (0, 1)])
    assert compare(strict, ours).better == 1
    ResultStore(tmp_path / "s.sqlite").save(strict)


def test_files_that_lm_eval_did_not_write(tmp_path):
    with pytest.raises(exceptions.InvalidArgumentError, match=r"no results_\*\.json"):
        read_lm_eval(tmp_path)
    path = tmp_path / "results_x.json"
    for content in ("", "[]", "{}", "nonsense"):
        path.write_text(content)
        with pytest.raises(exceptions.FileFormatError, match=r"results_x\.json"):
            read_lm_eval(tmp_path)
    path.write_text(json.dumps({"results": {"t": {"acc,none": 1.0}}}))
    assert read_lm_eval(path)[0].scores["acc"].value == 1
    (tmp_path / "samples_t_x.jsonl").write_text('{"doc_id": 1}\n')
    with pytest.raises(exceptions.FileFormatError, match="line 1"):
        read_lm_eval(path)


# Inspect


@pytest.mark.parametrize("name", ["inspect.json", "inspect.eval"])
def test_what_inspect_wrote(name):
    """Logs of inspect 0.3.285, three samples tried twice; `.eval` is a zip of Zstandard."""
    (run,) = read_inspect(LOGS / name)
    assert (run.task, run.model, run.metadata["status"]) == ("sums", "mockllm/model", "success")
    assert run.scores["match"].value == pytest.approx(2 / 3)
    assert run.scores["match"].low < run.scores["match"].value
    items = {item.id: item for item in run.items}
    assert items.keys() == {"a", 2, 3}
    assert items["a"].scores == {"match": 1.0, "f1": 0.5}
    assert items["a"].metadata == {"k": 1}
    assert items[2].choices == ["4", "5"]
    assert items[2].target == ["4", "four"]
    assert items[3].input == [{"role": "user", "content": "3+3?"}]
    assert items[3].prediction == "4"


def test_inspect_and_back(tmp_path):
    runs = [run_of("one", 2, metadata={"seed": 3}), run_of("two", 3)]
    paths = Exporter(runs).to_inspect(tmp_path / "logs")
    assert len(paths) == 2
    back = {run.name: run for run in read_inspect(tmp_path / "logs")}
    for run in runs:
        again = back[run.name]
        assert again.scores == dict(run.scores)
        assert [(i.id, i.input, i.target, i.prediction, i.scores) for i in again.items] == [
            (i.id, i.input, i.target, i.prediction, i.scores) for i in run.items
        ]
        assert (again.task, again.model, again.created) == (run.task, run.model, run.created)
    assert back["one"].metadata["seed"] == 3
    assert compare(back["one"], runs[0]).p_value == 1
    (one,) = Exporter(runs[0]).to_inspect(tmp_path / "one.json")
    assert read_inspect(one)[0].name == "one"
    with pytest.raises(exceptions.InvalidArgumentError, match="give a folder"):
        Exporter(runs).to_inspect(tmp_path / "two.json")
    with pytest.raises(exceptions.InvalidArgumentError, match="json file"):
        Exporter(runs[0]).to_inspect(tmp_path / "one.eval")


def test_files_that_inspect_did_not_write(tmp_path):
    with pytest.raises(exceptions.InvalidArgumentError, match="no log of inspect"):
        read_inspect(tmp_path)
    path = tmp_path / "x.json"
    for content in ("", "[]", "{}", '{"eval": 1}'):
        path.write_text(content)
        with pytest.raises(exceptions.FileFormatError, match=r"x\.json"):
            read_inspect(path)
    damaged = tmp_path / "y.eval"
    content = (LOGS / "inspect.eval").read_bytes()
    start = content.index(b"samples/") + 100
    for at in range(start, start + 1500, 250):
        changed = bytearray(content)
        changed[at] ^= 1
        damaged.write_bytes(changed)
        with pytest.raises(exceptions.FileFormatError, match=r"y\.eval"):
            read_inspect(damaged)


# The Hub


def test_results_of_the_hub(tmp_path):
    yaml = pytest.importorskip("yaml")
    hub = pytest.importorskip("huggingface_hub")
    runs = [run_of("one", 2), run_of("two/three", 1)]
    paths = Exporter(runs).to_hub(
        tmp_path, "openai/gsm8k", "gsm8k", "equal", source_url="https://example.org"
    )
    assert [Path(p).name for p in paths] == ["openai_gsm8k_one.yaml", "openai_gsm8k_two_three.yaml"]
    (entry,) = hub.parse_eval_result_entries(yaml.safe_load(Path(paths[1]).read_text()))
    assert (entry.dataset_id, entry.task_id, entry.value) == ("openai/gsm8k", "gsm8k", 1.0)
    assert (entry.source_url, entry.date) == ("https://example.org", runs[1].created)
    with pytest.raises(exceptions.InvalidArgumentError, match=r"no score 'acc'.*'equal'"):
        Exporter(runs).to_hub(tmp_path, "a/b", "c", "acc")


# What testers found


def test_arguments_of_a_run_replace_its_own(store):
    run = Run.of(evaluate(["a"], ["a"]), "orig", model="m")
    saved = store.save(run, "new", model="m2", metadata={"b": 2})
    assert (saved.name, saved.model, saved.metadata) == ("new", "m2", {"b": 2})
    assert store.load("new").model == "m2"


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), None])
def test_scores_that_are_none(bad):
    first, second = scored("a", [bad, 0.2, 0.3]), scored("b", [bad, 0.2, 0.4])
    found = compare(first, second)
    assert (found.unscored, found.better, found.same) == (1, 1, 1)
    assert "1 items have no s" in str(found)
    assert compare(first, first).p_value == 1
    with pytest.raises(exceptions.InvalidArgumentError, match="no item has the score"):
        compare(scored("a", [bad]), scored("b", [1.0]))
    one = Run("one", {}, [ItemResult(0, "", "", "", {}), ItemResult(1, "", "", "", {"s": 1.0})])
    assert compare(one, scored("b", [1.0, 1.0])).unscored == 1


def test_the_last_digits_of_scores_do_not_count():
    found = compare(scored("a", [0.1 + 0.2] * 20), scored("b", [0.3] * 20))
    assert (found.same, found.p_value) == (20, 1)


def test_many_right_and_wrong_answers():
    from scipy.stats import binomtest

    for n, better in ((400, 150), (501, 230), (60_000, 29_700), (60_000, 30_000)):
        first = scored("a", [0.0] * better + [1.0] * (n - better))
        second = scored("b", [1.0] * better + [0.0] * (n - better))
        found = compare(first, second, n_resamples=10)
        assert found.p_value == pytest.approx(binomtest(better, n).pvalue, rel=1e-6)


def test_inputs_that_differ_around_the_question():
    talk = lambda system: [{"role": "system", "content": system}, {"role": "user", "content": "q"}]
    one, two = (Run(n, {}, [ItemResult(1, talk(n), "", "", {"s": 1})]) for n in ("a", "b"))
    assert compare(one, two).same == 1
    other = Run("c", {}, [ItemResult(1, "else", "", "", {"s": 1})])
    with pytest.raises(exceptions.InvalidArgumentError, match="check_inputs=False"):
        compare(one, other)
    assert compare(one, other, check_inputs=False).same == 1


def test_half_characters_are_stored_and_written(store, tmp_path):
    run = Run.of(evaluate(["\ud83d"], ["x"], metrics="equal"), "half", task="t", model="m")
    store.save(run)
    assert store.load("half").items[0].prediction == "\ud83d"
    exporter = Exporter(run)
    exporter.to_jsonl(tmp_path / "x.jsonl")
    exporter.to_lm_eval(tmp_path / "lm")
    exporter.to_inspect(tmp_path / "x.json")
    assert read_lm_eval(tmp_path / "lm")[0].items[0].prediction == "\ud83d"
    assert read_inspect(tmp_path / "x.json")[0].items[0].prediction == "\ud83d"


def test_names_lead_nowhere_else(tmp_path):
    for i, (task, model) in enumerate(
        [("a/b", "org/m"), ("../../esc", ".."), ("t" * 300, "m" * 300), ("x:y*", "a:b")]
    ):
        folder = tmp_path / "in" / str(i)
        run = Run.of(evaluate(["1"], ["1"], metrics="equal"), task, task=task, model=model)
        for path in (*Exporter(run).to_lm_eval(folder), *Exporter(run).to_inspect(folder)):
            assert Path(path).resolve().is_relative_to(folder.resolve())
            assert Path(path).exists()
        (back,) = read_lm_eval(folder)
        assert (back.task, back.model, len(back.items)) == (task, model, 1)
        (back,) = read_inspect(folder)
        assert (back.task, back.model) == (task, model)
        (path,) = Exporter(run).to_hub(folder, "a/b", "c", "equal")
        assert Path(path).exists()
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_exports_do_not_replace_each_other(tmp_path):
    one, two = (Run.of(evaluate(["1"], ["1"], metrics="equal"), t, task=t, model="m") for t in "ab")
    for run in (one, two, one):
        Exporter(run).to_lm_eval(tmp_path)
    assert sorted(run.task for run in read_lm_eval(tmp_path)) == ["a", "a", "b"]
    models = [Run.of(evaluate(["1"], ["1"]), m, task="t", model=m) for m in ("a/b", "a:b")]
    assert len(set(Exporter(models).to_lm_eval(tmp_path / "models"))) == 4
    assert sorted(run.model for run in read_lm_eval(tmp_path / "models")) == ["a/b", "a:b"]
    names = [Run.of(evaluate(["1"], ["1"]), name) for name in ("a/b", "a b", "a/b")]
    assert len(set(Exporter(names).to_hub(tmp_path, "d/e", "t", "exact_match"))) == 3


def test_what_cannot_be_written_is_an_error(tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    run = Run.of(evaluate(["1"], ["1"]), "x", task="t", model="m")
    for write in (
        lambda: Exporter(run).to_markdown(file / "x.md"),
        lambda: Exporter(run).to_inspect(file / "x.json"),
        lambda: Exporter(run).to_lm_eval(file / "x"),
        lambda: ResultStore(file / "x").save(run),
    ):
        with pytest.raises(OSError):  # noqa: PT011
            write()
    for nowhere in ("", ":memory:"):
        with pytest.raises(exceptions.InvalidArgumentError, match="a store is a file"):
            ResultStore(nowhere)


def test_folders_with_dots(tmp_path):
    runs = [run_of("one", 2), run_of("two", 3)]
    assert len(Exporter(runs).to_inspect(tmp_path / "gpt-4.1")) == 2
    (tmp_path / "logs.json").mkdir()
    assert len(Exporter(runs).to_inspect(tmp_path / "logs.json")) == 2
    (tmp_path / "gpt-4.1" / "eval-set.json").write_text('{"tasks": []}')
    assert len(read_inspect(tmp_path / "gpt-4.1")) == 2
    ResultStore(tmp_path / "new" / "folder" / "x.sqlite").save(runs[0])


def test_a_reader_while_the_first_run_is_saved(tmp_path):
    path = tmp_path / "x.sqlite"
    writer = sqlite3.connect(path, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("CREATE TABLE other (x)")
    assert ResultStore(path).list() == []
    writer.execute("ROLLBACK")
    writer.close()
    ResultStore(path).save(run_of("one", 2))
    assert len(ResultStore(path).list()) == 1
    with sqlite3.connect(tmp_path / "theirs") as other:
        other.execute("CREATE TABLE t (x)")
        other.execute("PRAGMA user_version = 1")
    with pytest.raises(exceptions.FileFormatError, match="no store"):
        ResultStore(tmp_path / "theirs").list()


def test_times_are_put_in_order(store):
    for name, created in (
        ("late", "2099-01-01T00:00:00-05:00"),
        ("early", "2099-01-01T02:00:00+00:00"),
    ):
        store.save(Run(name, {}, created=created))
    store.save(Run("plain", {}, created="2098-01-01"))
    assert [run.name for run in store.list()] == ["late", "early", "plain"]
    for wrong in ({"created": "yesterday"}, {"task": None}, {"created": None}):
        with pytest.raises(exceptions.InvalidArgumentError):
            Run("x", {}, **wrong)
    store.save(Run("counted", {}, count=np.int64(5)))
    assert store.load("counted").count == 5


def test_older_files_of_lm_eval(tmp_path):
    (tmp_path / "out_2026-01-01T00-00-00.1.json").write_text(
        json.dumps(
            {"results": {"t": {"acc,none": 1.0, "bad,none": "N/A"}}, "config": None, "date": None}
        )
    )
    sample = {
        "doc_id": 0,
        "doc": {},
        "target": 1,
        "arguments": [["q", " a"], ["q", " b"]],
        "resps": [],
        "filtered_resps": [[-1.0, False], [-2.0, True]],
        "acc": 1.0,
    }
    (tmp_path / "samples_t_2026-01-01T00-00-00.1.jsonl").write_text(json.dumps(sample) + "\n")
    (run,) = read_lm_eval(tmp_path)
    assert {*run.scores} == {"acc"}
    assert (run.items[0].scores, run.items[0].prediction) == ({"acc": 1.0}, " a")
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "results_x.json").write_text(json.dumps({"results": {"t": {"acc": 0.5}}}))
    assert read_lm_eval(tmp_path / "old")[0].scores["acc"].value == 0.5


def test_two_filters_are_written_back(tmp_path):
    runs = [run_of(f, n, metadata={"filter": f}) for f, n in (("strict", 2), ("loose", 1))]
    Exporter(runs).to_lm_eval(tmp_path)
    back = read_lm_eval(tmp_path)
    assert [(run.name, run.metadata["filter"], run.scores["equal"].value) for run in back] == [
        ("strict", "strict", 0.5),
        ("loose", "loose", 1.0),
    ]


def test_logs_of_inspect_with_several_of_everything(tmp_path):
    metric = lambda **values: {k: {"name": k, "value": v} for k, v in values.items()}
    score = lambda name, scorer=None, reducer=None, **values: {
        "name": name,
        "scorer": scorer or name,
        "reducer": reducer,
        "metrics": metric(**values),
    }
    sample = {
        "id": 1,
        "epoch": 1,
        "input": [{"role": "user", "content": [{"type": "image", "image": "attachment://abc"}]}],
        "target": "t",
        "output": {"completion": "attachment://def"},
        "attachments": {"abc": "data:...", "def": "long"},
        "scores": {
            "a": {"value": "yes"},
            "b": {"value": "0.5"},
            "c": {"value": {"x": 1, "y": "no"}},
        },
    }
    failed = {"id": 2, "input": "q", "target": "t", "scores": {}, "error": {"message": "broke"}}
    log = {
        "eval": {
            "task": "t",
            "model": "m",
            "created": "2026-01-01T00:00:00+00:00",
            "metadata": {"name": "n"},
        },
        "results": {
            "completed_samples": 6,
            "scores": [
                score("match", reducer="mean", accuracy=0.5, stderr=0.1),
                score("match", reducer="max", accuracy=1.0),
                score("g", u=0.5, v=0.0, all=0.25),
                score("x", scorer="c", mean=1.0),
            ],
        },
        "samples": [sample, failed],
    }
    (tmp_path / "log.json").write_text(json.dumps(log))
    (run,) = read_inspect(tmp_path)
    assert {name: one.value for name, one in run.scores.items()} == {
        "match": 0.5,
        "match/max": 1.0,
        "g": 0.25,
        "c/x": 1.0,
    }
    assert (run.name, run.count, run.metadata["name"]) == ("t", 2, "n")
    assert run.items[0].scores == {"a": 1.0, "b": 0.5, "c/x": 1.0, "c/y": 0.0}
    assert run.items[0].input[0]["content"][0]["image"] == "data:..."
    assert run.items[0].prediction == "long"
    assert run.items[1].metadata["error"] == "broke"
    assert compare(run, run, "c/x").unscored == 1
