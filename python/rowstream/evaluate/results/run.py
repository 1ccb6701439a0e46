"""Runs: the scores of an evaluation with what was asked and answered, and when."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import Any

from rowstream.evaluate.metric import Score
from rowstream.evaluate.result import ItemResult, Result, text_table
from rowstream.exceptions import InvalidArgumentError

# How many standard errors a 95 % interval reaches.
REACH = NormalDist().inv_cdf(0.975)


def score_with_error(value: float, error: Any) -> Score:
    """Return a score with its interval; it has none if the standard error is no number."""
    reach = REACH * error if isinstance(error, (int, float)) else 0.0
    return Score(value, value - reach, value + reach)


def _now() -> str:
    return dt.datetime.now(dt.UTC).isoformat(timespec="microseconds")


def _utc(created: str) -> str:
    """Return a time as ISO 8601 in UTC, so that runs can be put in order."""
    try:
        time = dt.datetime.fromisoformat(created)
    except ValueError as e:
        raise InvalidArgumentError(f"created={created!r} is no time of ISO 8601: {e}") from None
    aware = time if time.tzinfo else time.replace(tzinfo=dt.UTC)
    return aware.astimezone(dt.UTC).isoformat(timespec="microseconds")


@dataclass(frozen=True)
class Run:
    """An evaluation that is kept: its scores, and what it is of.

    Attributes:
        name: What you call it.
        scores: Its scores by name.
        items: What was asked, answered and scored; none if that was not kept.
        task: The task.
        model: The model.
        created: When, as ISO 8601 in UTC; now if it is not said.
        metadata: What else is known of it, such as `seed`.
        count: The number of items that scores are of.
        id: What tells it from all others; a new one if it is not said.

    Example:
        >>> from rowstream.evaluate import evaluate
        >>> from rowstream.evaluate.results import Run
        >>> result = evaluate(["4", "6"], ["4", "5"], metrics=["equal"])
        >>> run = Run.of(result, "baseline", model="calculator")
        >>> run.scores["equal"].value, run.items[1].prediction
        (0.5, '6')
    """

    name: str
    scores: Mapping[str, Score]
    items: Sequence[ItemResult] = ()
    task: str = ""
    model: str = ""
    created: str = field(default_factory=_now)
    metadata: Mapping[str, Any] = field(default_factory=dict)
    count: int = -1
    id: str = field(default_factory=lambda: uuid.uuid4().hex)

    def __post_init__(self) -> None:
        for name in ("name", "task", "model", "created", "id"):
            if not isinstance(getattr(self, name), str):
                raise InvalidArgumentError(
                    f"the {name} of a run is a text, found {getattr(self, name)!r}"
                )
        if not self.name:
            raise InvalidArgumentError("a run has a name")
        object.__setattr__(self, "created", _utc(self.created))
        object.__setattr__(self, "items", tuple(self.items))
        count = int(self.count)
        object.__setattr__(self, "count", len(self.items) if count < 0 else count)

    @classmethod
    def of(
        cls,
        result: Result,
        name: str,
        *,
        model: str = "",
        task: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> Run:
        """Return a run, given the result of `evaluate`.

        Args:
            result: The result; with items, if it kept them.
            name: What you call the run.
            model: The model.
            task: The task; the one that was evaluated if `None`.
            metadata: What else is to be kept.

        Example:
            >>> from rowstream.evaluate import evaluate
            >>> from rowstream.evaluate.results import Run
            >>> Run.of(evaluate(["a"], ["a"]), "first").count
            1
        """
        return cls(
            name,
            dict(result),
            result.item_results or (),
            task=result.task if task is None else task,
            model=model,
            metadata=dict(metadata or {}),
            count=result.count,
        )

    def __repr__(self) -> str:
        of = ", ".join(
            f"{key}={value!r}"
            for key, value in (("task", self.task), ("model", self.model))
            if value
        )
        head = f"Run {self.name!r}{f' ({of})' if of else ''}, {self.count} items, {self.created}"
        rows = [["metric", "score"], *([name, str(score)] for name, score in self.scores.items())]
        return f"{head}\n{text_table(rows)}"
