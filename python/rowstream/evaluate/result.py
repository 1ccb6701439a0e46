"""What an evaluation gives: scores, and the results of single items."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rowstream.evaluate.metric import Score


@dataclass(frozen=True)
class ItemResult:
    """What was asked, answered and scored; its fields are those of a sample of inspect.

    Attributes:
        id: What tells it from the other items.
        input: What was asked; `None` if that is not known.
        target: The reference.
        prediction: What was answered.
        scores: Its scores by name.
        choices: The answers to choose from, if it is a multiple choice.
        metadata: What else is known of it.

    Example:
        >>> from rowstream.evaluate import evaluate
        >>> result = evaluate(["a"], ["b"], metrics=["exact_match"])
        >>> result.item_results[0].scores
        {'exact_match': 0.0}
    """

    id: str | int
    input: Any
    target: Any
    prediction: Any
    scores: Mapping[str, float]
    choices: Sequence[Any] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict, hash=False)


@dataclass
class KeptItems:
    """The items of an evaluation, column by column."""

    columns: dict[str, list[Any]] = field(default_factory=dict)
    scores: dict[str, list[float]] = field(default_factory=dict)

    def extend(self, **columns: Sequence[Any]) -> None:
        """Add items, given each of their fields."""
        for name, values in columns.items():
            self.columns.setdefault(name, []).extend(values)

    def results(self) -> Iterator[ItemResult]:
        """Yield the items, one by one."""
        for i in range(len(self.columns["target"])):
            fields = {name: values[i] for name, values in self.columns.items()}
            scores = {name: values[i] for name, values in self.scores.items()}
            yield ItemResult(**fields, scores=scores)


class Result(Mapping[str, Score]):
    """The scores of an evaluation, by name; printed as a table.

    Attributes:
        count: The number of items.
        task: The name of the task that was evaluated; empty if it was none.

    Example:
        >>> from rowstream.evaluate import evaluate
        >>> evaluate(["a", "b"], ["a", "c"], metrics=["exact_match"], confidence=None)
        | metric      | score  |
        |-------------|--------|
        | exact_match | 0.5000 |
        <BLANKLINE>
        2 items
    """

    def __init__(
        self, scores: dict[str, Score], count: int, kept: KeptItems | None = None, task: str = ""
    ) -> None:
        self._scores, self.count, self._kept, self.task = scores, count, kept, task

    @property
    def item_scores(self) -> dict[str, list[float]] | None:
        """The scores of single items, as lists by name; `None` if they were not kept.

        Example:
            >>> from rowstream.evaluate import evaluate
            >>> evaluate(["a", "b"], ["a", "c"]).item_scores
            {'exact_match': [1.0, 0.0]}
        """
        return None if self._kept is None else self._kept.scores

    @property
    def item_results(self) -> list[ItemResult] | None:
        """The items with what was asked, answered and scored; `None` if they were not kept.

        Example:
            >>> from rowstream.evaluate import evaluate
            >>> [item.prediction for item in evaluate(["a", "b"], ["a", "c"]).item_results]
            ['a', 'b']
        """
        return None if self._kept is None else [*self._kept.results()]

    def __getitem__(self, name: str) -> Score:
        return self._scores[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._scores)

    def __len__(self) -> int:
        return len(self._scores)

    def __repr__(self) -> str:
        rows = [["metric", "score"], *([name, str(score)] for name, score in self._scores.items())]
        return f"{text_table(rows)}\n\n{self.count} items"


def text_table(rows: Sequence[Sequence[str]]) -> str:
    """Return rows, of which the first has the names of the columns, as a table in Markdown."""
    rows = [[text.replace("|", "\\|").replace("\n", " ") for text in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        f"| {' | '.join(text.ljust(width) for text, width in zip(row, widths, strict=True))} |"
        for row in rows
    ]
    lines.insert(1, f"|{'|'.join('-' * (width + 2) for width in widths)}|")
    return "\n".join(lines)
