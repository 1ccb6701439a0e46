"""Tasks of programming: problems with tests."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Mapping
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
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _tests(given: Any) -> tuple[list[CodeTest], str]:
    """Return tests in either of the layouts of the dataset, and the function that they call."""
    if isinstance(given, Mapping):
        name = given.get("fn_name") or ""
        kind = "functional" if name else "stdin"
        pairs = zip(given["inputs"], given["outputs"], strict=True)
        return [CodeTest(_text(one), _text(other), kind) for one, other in pairs], name
    tests: Iterable[Mapping[str, Any]] = given
    found, name = [], ""
    for one in tests:
        of = one.get("fn_name") or (one.get("metadata") or {}).get("func_name") or ""
        functional = "functional" in str(one.get("testtype", one.get("type", "stdin")))
        name = name or (of if functional or "fn_name" in one else "")
        kind = "functional" if functional or "fn_name" in one else "stdin"
        found.append(CodeTest(_text(one["input"]), _text(one["output"]), kind))
    return found, name


def _tested(row: Row) -> CodeProblem:
    tests, entry_point = _tests(json.loads(row["tests"]))
    solutions = row.get("solutions") or []
    named = (row.get("metadata") or {}).get("func_name") or ""
    return CodeProblem(
        row["problem"],
        solutions[0] if solutions else "",
        tuple(tests),
        entry_point=entry_point or named,
        starter_code=row.get("starter_code") or "",
        metadata={"solutions": list(solutions)},
    )


def _of_deepcoder(generator: random.Random, config: str) -> dict[str, Any]:
    factor = generator.randint(2, 99)
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
    factor, number = generator.randint(2, 99), generator.randint(2, 99)
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
