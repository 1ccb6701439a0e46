"""What a task is made of: problems and programs to write, each with its reference."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rowstream.exceptions import InvalidArgumentError


def _check_text(item: Any, name: str) -> None:
    if not isinstance(getattr(item, name), str):
        raise InvalidArgumentError(
            f"the {name} of a problem is a text, found {getattr(item, name)!r}"
        )


@dataclass(frozen=True)
class Problem:
    """A question with a reference answer; its fields are those of a sample of inspect.

    Attributes:
        input: The question.
        target: The answer, without the way to it; empty if the dataset says that there is none.
        choices: The answers to choose from, if it is a multiple choice.
        id: What tells it from others of its split: what the dataset calls it, or its row.
        metadata: The other fields, such as `solution` and `level`.

    Example:
        >>> from rowstream.tasks import Problem
        >>> Problem("1 + 1?", "2").target
        '2'
    """

    input: str
    target: str
    choices: tuple[str, ...] = ()
    id: str | int | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "choices", tuple(self.choices))
        object.__setattr__(self, "metadata", dict(self.metadata))
        for name in ("input", "target"):
            _check_text(self, name)


@dataclass(frozen=True)
class CodeTest:
    r"""What a program is to print, or a function to return.

    Attributes:
        input: What it reads, or the arguments, as the dataset writes them.
        output: What is expected.
        kind: `"stdin"` for a program that reads and prints, `"functional"` for a function.

    Example:
        >>> from rowstream.tasks import CodeTest
        >>> CodeTest("1\n", "2\n").kind
        'stdin'
    """

    input: str
    output: str
    kind: str = "stdin"


@dataclass(frozen=True)
class CodeProblem:
    r"""A program to write, and how it is checked. Running it is up to you.

    Attributes:
        input: What is asked, or the code that is to be completed.
        target: A solution; empty if the dataset has none.
        tests: Inputs with their outputs.
        check: A program that checks a solution that stands before it, as HumanEval has it.
        entry_point: The function that is called; empty for programs that read and print.
        starter_code: What a solution begins with.
        id, metadata: As in `Problem`.

    Example:
        >>> from rowstream.tasks import CodeProblem
        >>> one = CodeProblem("def one():\n", "    return 1\n", check="assert one() == 1\n")
        >>> exec(one.program(one.target))
    """

    input: str
    target: str = ""
    tests: tuple[CodeTest, ...] = ()
    check: str = ""
    entry_point: str = ""
    starter_code: str = ""
    id: str | int | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "tests", tuple(self.tests))
        object.__setattr__(self, "metadata", dict(self.metadata))
        for name in ("input", "target", "check", "entry_point", "starter_code"):
            _check_text(self, name)

    def program(self, completion: str) -> str:
        r"""Return a program that fails if a completion is wrong: it, between `input` and `check`.

        Args:
            completion: What follows `input`.

        Raises:
            InvalidArgumentError: The problem has `tests` rather than a `check`.

        Example:
            >>> from rowstream.tasks import CodeProblem
            >>> one = CodeProblem("def one():\n", check="assert one() == 1\n")
            >>> exec(one.program("    return 2\n"))
            Traceback (most recent call last):
            AssertionError
        """
        if not self.check:
            raise InvalidArgumentError(
                f"the problem {self.id!r} has {len(self.tests)} tests with input and output rather"
                " than a program that checks: run the solution on each of .tests"
            )
        return f"{self.input}{completion}\n\n{self.check}"
