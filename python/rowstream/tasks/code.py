"""Tasks of programming: problems with tests."""

from __future__ import annotations

import ast
import json
import random
from collections.abc import Mapping
from typing import Any

from rowstream.features import List, Value
from rowstream.tasks import synthetic
from rowstream.tasks.items import CodeProblem, CodeTest
from rowstream.tasks.task import Config, Task

Row = Mapping[str, Any]
_TEXT = Value("string")
_PROBLEM = {"problem": _TEXT, "solutions": List(_TEXT), "tests": _TEXT}
_LIVE = {
    "problem": _TEXT,
    "starter_code": _TEXT,
    "tests": _TEXT,
    "metadata": {"func_name": _TEXT},
}


def _text(value: Any) -> str:
    """Return an input or output as a program reads and prints it: a list is its lines."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(line, str) for line in value):
        return "\n".join(value)
    return json.dumps(value, ensure_ascii=False)


def _argument(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _dict(value: Any) -> Mapping[str, Any]:
    """Return a dict, given it, its JSON, or nothing."""
    if isinstance(value, str):
        value = json.loads(value) if value else {}
    return value or {}


def _loaded(text: str) -> Any:
    """Return tests, given their JSON or, in some rows, the literal of Python."""
    try:
        return json.loads(text)
    except ValueError as e:
        try:
            return ast.literal_eval(text)
        except (ValueError, SyntaxError):
            raise e from None


def _tests(given: Any) -> tuple[list[CodeTest], str]:
    """Return tests in either of the layouts of the dataset, and the function that they call."""
    if isinstance(given, Mapping):
        name = given.get("fn_name") or ""
        inputs, outputs = given["inputs"], given["outputs"]
        if len(inputs) != len(outputs):
            raise ValueError(f"there are {len(inputs)} inputs and {len(outputs)} outputs")
        return [_test(one, other, name) for one, other in zip(inputs, outputs, strict=True)], name
    found, named = [], ""
    for one in given:
        kind = str(one.get("testtype") or one.get("type") or "stdin")
        name = one.get("fn_name") or ""
        if not name and ("functional" in kind or "function" in kind):
            name = _dict(one.get("metadata")).get("func_name") or "?"
        found.append(_test(one["input"], one["output"], name))
        named = named or name.removeprefix("?")
    return found, named


def _test(given: Any, expected: Any, function: str) -> CodeTest:
    if function:
        return CodeTest(_argument(given), _argument(expected), "functional")
    return CodeTest(_text(given), _text(expected))


def _tested(row: Row) -> CodeProblem:
    tests, entry_point = _tests(
        _loaded(row["tests"]) if isinstance(row["tests"], str) else row["tests"]
    )
    given = row.get("solutions")
    solutions = [given] if isinstance(given, str) else [one for one in given or [] if one]
    named = _dict(row.get("metadata")).get("func_name") or ""
    rest = {
        name: value
        for name, value in row.items()
        if name not in ("problem", "tests", "starter_code", "solutions")
    }
    return CodeProblem(
        row["problem"],
        solutions[0] if solutions else "",
        tuple(tests),
        entry_point=entry_point or named,
        starter_code=row.get("starter_code") or "",
        metadata={**rest, "solutions": solutions},
    )


def _of_deepcoder(generator: random.Random, config: str) -> dict[str, Any]:
    factor = generator.randint(2, 99_999)
    cases = [(str(n), str(n * factor)) for n in generator.sample(range(1, 1000), 3)]
    problem = f"{synthetic.MARK} Read a whole number and print it times {factor}."
    if config == "lcbv5":
        tests: Any = [
            {
                "input": one,
                "output": other,
                "testtype": "functional",
                "metadata": {"func_name": "times"},
            }
            for one, other in cases
        ]
        return {
            "problem": f"{synthetic.MARK} Return a whole number times {factor}.",
            "starter_code": "class Solution:\n    def times(self, n: int) -> int:\n        ",
            "tests": json.dumps(tests),
            "metadata": {"func_name": "times"},
        }
    if config == "taco":
        tests = {"inputs": [one for one, _ in cases], "outputs": [other for _, other in cases]}
    else:
        tests = [{"type": "stdin_stdout", "input": one, "output": other} for one, other in cases]
    return {
        "problem": problem,
        "solutions": [f"print(int(input()) * {factor})"],
        "tests": json.dumps(tests),
    }


deepcoder = Task(
    name="deepcoder",
    repo="agentica-org/DeepCoder-Preview-Dataset",
    configs={
        "primeintellect": Config(("train",), _PROBLEM),
        "taco": Config(("train",), _PROBLEM),
        "lcbv5": Config(("train", "test"), _LIVE),
        "codeforces": Config(("test",), _PROBLEM),
    },
    read=_tested,
    synthesize=_of_deepcoder,
    license="mit",
    kind="code",
    description="Problems of programming contests with tests, as DeepCoder was trained with.",
)


def _checked(row: Row) -> CodeProblem:
    entry_point = row["entry_point"]
    return CodeProblem(
        row["prompt"],
        row["canonical_solution"],
        check=f"{row['test']}\n\ncheck({entry_point})\n",
        entry_point=entry_point,
    )


def _of_humaneval(generator: random.Random, config: str) -> dict[str, Any]:
    del config
    factor, number = generator.randint(2, 99_999), generator.randint(2, 99)
    return {
        "task_id": f"Synthetic/{synthetic.hexadecimal(generator, 8)}",
        "prompt": (
            f'def times(n: int) -> int:\n    """{synthetic.MARK} Return n times {factor}."""\n'
        ),
        "canonical_solution": f"    return n * {factor}\n",
        "test": f"def check(candidate):\n    assert candidate({number}) == {number * factor}\n",
        "entry_point": "times",
    }


humaneval = Task(
    name="humaneval",
    repo="openai/openai_humaneval",
    configs={
        "openai_humaneval": Config(
            ("test",),
            dict.fromkeys(
                ("task_id", "prompt", "canonical_solution", "test", "entry_point"), _TEXT
            ),
        )
    },
    config="openai_humaneval",
    read=_checked,
    synthesize=_of_humaneval,
    license="mit",
    kind="code",
    description="164 functions to complete, with programs that check them.",
)
