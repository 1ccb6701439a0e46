"""Synthetic rows: small problems with right solutions, and chats, for tests without a network."""

from __future__ import annotations

import random
from collections.abc import Mapping
from itertools import chain
from typing import Any, NamedTuple

from rowstream.dataset.map_style.dataset import Dataset
from rowstream.features import Features

MARK = "[synthetic]"
_PEOPLE = ("Ada", "Emmy", "Carl", "Sofia", "Leonhard", "Alan")
_THINGS = ("apples", "books", "pencils", "stamps", "coins", "tickets", "maps", "keys", "roses")
_PLACES = ("Rome", "Oslo", "Lima", "Kyoto", "Cairo", "Quito", "Bern", "Riga", "Accra", "Hanoi")


class Sum(NamedTuple):
    """A word problem, the steps of its solution, and the answer."""

    question: str
    steps: tuple[tuple[str, str, int], ...]
    answer: int


def word_problem(generator: random.Random) -> Sum:
    """Return a problem as GSM8K has them: its steps are questions, calculations and results."""
    who, what = generator.choice(_PEOPLE), generator.choice(_THINGS)
    boxes, each = generator.randint(2, 90), generator.randint(2, 90)
    total = boxes * each
    gone = generator.randint(1, total - 1)
    return Sum(
        f"{MARK} {who} has {boxes} boxes with {each} {what} each and gives away {gone} {what}."
        f" How many {what} does {who} have left?",
        (
            (f"How many {what} does {who} have at first?", f"{boxes}*{each}", total),
            (f"How many {what} are left?", f"{total}-{gone}", total - gone),
        ),
        total - gone,
    )


def fraction_problem(generator: random.Random) -> tuple[str, str, str]:
    r"""Return a problem, its solution with a `\boxed{…}`, and the answer, in LaTeX."""
    over = generator.randint(2, 99)
    top = generator.randint(1, 999)
    answer = rf"\frac{{{top}}}{{{over}}}"
    problem = f"{MARK} Solve ${over}x - {top} = 0$ for $x$. Do not simplify."
    return problem, rf"Adding ${top}$ gives ${over}x = {top}$, so $x = \boxed{{{answer}}}$.", answer


def request(generator: random.Random) -> str:
    """Return something that a user could ask."""
    number, what = generator.randint(2, 999), generator.choice(_THINGS)
    return f"{MARK} Write {number} words about {what} in {generator.choice(_PLACES)}."


def reply(generator: random.Random) -> str:
    """Return something that a model could answer."""
    who, what = generator.choice(_PEOPLE), generator.choice(_THINGS)
    return f"{MARK} {who} has {generator.randint(2, 999)} {what}, and likes them all."


def exchange(generator: random.Random) -> list[dict[str, Any]]:
    """Return a message of the user and its answer."""
    return [
        {"role": "user", "content": request(generator)},
        {"role": "assistant", "content": reply(generator)},
    ]


def hexadecimal(generator: random.Random, digits: int) -> str:
    """Return a random number of so many hexadecimal digits."""
    return f"{generator.getrandbits(4 * digits):0{digits}x}"


def dataset_of(items: list[dict[str, Any]], columns: Mapping[str, Any], rows_per_item: int) -> Any:
    """Return rows as a dataset of some columns; where an item is several rows, fields are lists."""
    features = Features(columns)
    values = {name: [item[name] for item in items] for name in features}
    if rows_per_item > 1:
        values = {name: [*chain(*given)] for name, given in values.items()}
    return Dataset.from_dict(values, features=features)
