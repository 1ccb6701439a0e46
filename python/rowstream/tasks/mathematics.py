"""Tasks of mathematics: problems with one right answer each."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

from rowstream.features import Value
from rowstream.tasks import synthetic
from rowstream.tasks.gold import boxed_answer, marked_answer, number_in
from rowstream.tasks.items import Problem
from rowstream.tasks.task import Config, Task

Row = Mapping[str, Any]
_TEXT = Value("string")
_BRANCHES = (
    "algebra",
    "counting_and_probability",
    "geometry",
    "intermediate_algebra",
    "number_theory",
    "prealgebra",
    "precalculus",
)


def _latex_in(text: str) -> str | None:
    return boxed_answer(text) or marked_answer(text)


def _marked(row: Row) -> Problem:
    answer = marked_answer(row["answer"])
    if answer is None:
        raise ValueError("the field 'answer' has no line with '####'")
    return Problem(row["question"], answer, metadata={"solution": row["answer"]})


def _word_problem(generator: random.Random, config: str) -> dict[str, Any]:
    problem = synthetic.word_problem(generator)
    lines = [
        f"{question} ** {text} = <<{text}={result}>>{result}"
        if config == "socratic"
        else f"{text} = <<{text}={result}>>{result}"
        for question, text, result in problem.steps
    ]
    return {
        "question": problem.question,
        "answer": "\n".join([*lines, f"#### {problem.answer:,}"]),
    }


gsm8k = Task(
    name="gsm8k",
    repo="openai/gsm8k",
    configs={
        name: Config(("train", "test"), {"question": _TEXT, "answer": _TEXT})
        for name in ("main", "socratic")
    },
    config="main",
    read=_marked,
    synthesize=_word_problem,
    license="mit",
    kind="math",
    description="Word problems of grade school with solutions in steps.",
    answer=number_in,
    metrics=("equal",),
)


def _boxed(row: Row) -> Problem:
    answer = row["answer"] if "answer" in row else boxed_answer(row["solution"])
    if answer is None and "answer" not in row:
        raise ValueError(r"the field 'solution' has no '\boxed{…}'")
    return Problem(row["problem"], answer or "", metadata=_rest(row, "problem", "answer"))


def _of_branch(generator: random.Random, config: str) -> dict[str, Any]:
    problem, solution, _ = synthetic.fraction_problem(generator)
    return {
        "problem": problem,
        "level": f"Level {generator.randint(1, 5)}",
        "type": config.replace("_", " ").title(),
        "solution": solution,
    }


hendrycks_math = Task(
    name="hendrycks_math",
    repo="EleutherAI/hendrycks_math",
    configs={
        name: Config(
            ("train", "test"), {"problem": _TEXT, "level": _TEXT, "type": _TEXT, "solution": _TEXT}
        )
        for name in _BRANCHES
    },
    read=_boxed,
    synthesize=_of_branch,
    license="mit",
    kind="math",
    description="MATH: problems of competitions in seven branches and five levels.",
    answer=_latex_in,
    metrics=("math",),
)


def _of_math500(generator: random.Random, config: str) -> dict[str, Any]:
    del config
    problem, solution, answer = synthetic.fraction_problem(generator)
    return {
        "problem": problem,
        "solution": solution,
        "answer": answer,
        "subject": "Algebra",
        "level": generator.randint(1, 5),
        "unique_id": f"test/synthetic/{synthetic.hexadecimal(generator, 8)}.json",
    }


math500 = Task(
    name="math500",
    repo="HuggingFaceH4/MATH-500",
    configs={
        "default": Config(
            ("test",),
            {
                "problem": _TEXT,
                "solution": _TEXT,
                "answer": _TEXT,
                "subject": _TEXT,
                "level": Value("int64"),
                "unique_id": _TEXT,
            },
        )
    },
    config="default",
    read=_boxed,
    synthesize=_of_math500,
    license="mit",
    kind="math",
    description="500 problems of the test split of MATH, as OpenAI chose them.",
    answer=_latex_in,
    metrics=("math",),
)


def _final(row: Row) -> Problem:
    return Problem(
        row["question"], row["final_answer"], metadata=_rest(row, "question", "final_answer")
    )


def _of_deepmath(generator: random.Random, config: str) -> dict[str, Any]:
    del config
    problem, solution, answer = synthetic.fraction_problem(generator)
    return {
        "question": problem,
        "final_answer": answer,
        "difficulty": generator.randint(2, 20) / 2,
        "topic": "Mathematics -> Algebra -> Equations",
        **{f"r1_solution_{i}": solution for i in (1, 2, 3)},
    }


deepmath = Task(
    name="deepmath",
    repo="zwhe99/DeepMath-103K",
    configs={
        "default": Config(
            ("train",),
            {
                "question": _TEXT,
                "final_answer": _TEXT,
                "difficulty": Value("float64"),
                "topic": _TEXT,
                **{f"r1_solution_{i}": _TEXT for i in (1, 2, 3)},
            },
        )
    },
    config="default",
    read=_final,
    synthesize=_of_deepmath,
    license="mit",
    kind="math",
    description="103,000 hard problems with answers that can be checked, and three solutions each.",
    answer=_latex_in,
    metrics=("math",),
)


def _of_polaris(generator: random.Random, config: str) -> dict[str, Any]:
    del config
    problem, _, answer = synthetic.fraction_problem(generator)
    return {"problem": problem, "answer": answer, "difficulty": f"{generator.randint(0, 8)}/8"}


polaris = Task(
    name="polaris",
    repo="POLARIS-Project/Polaris-Dataset-53K",
    configs={
        "default": Config(("train",), {"problem": _TEXT, "answer": _TEXT, "difficulty": _TEXT})
    },
    config="default",
    read=_boxed,
    synthesize=_of_polaris,
    license="apache-2.0",
    kind="math",
    description="53,000 problems with how many of eight attempts of a model were right.",
    answer=_latex_in,
    metrics=("math",),
)


def _rest(row: Row, *names: str) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in names}
