"""The items of a task, read from the rows of a dataset or a stream."""

from __future__ import annotations

import operator
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import is_dataclass, replace
from functools import partial
from itertools import islice
from typing import Any, NamedTuple, Protocol, TypeVar, overload

from rowstream.dataset.map_style.dataset import Dataset
from rowstream.exceptions import InvalidArgumentError
from rowstream.tasks.prompts import asked, key_of, keys_of, target_of
from rowstream.utils import logging

Item = TypeVar("Item")
Of = TypeVar("Of", covariant=True)
Row = Mapping[str, Any]
_logger = logging.get_logger(__name__)
# What datasets call the id of a row.
_IDS = ("id", "unique_id", "task_id", "prompt_id")


class KnownTask(Protocol[Of]):
    """What items ask of their task."""

    @property
    def name(self) -> str: ...
    @property
    def repo(self) -> str: ...
    @property
    def read(self) -> Callable[[Row], Of]: ...
    @property
    def answer(self) -> Callable[[str], str | None] | None: ...
    @property
    def metrics(self) -> tuple[str, ...]: ...


def number_of(n: Any) -> int:
    """Return a number of items.

    Raises:
        InvalidArgumentError: It is none.
    """
    try:
        number = -1 if isinstance(n, bool) else operator.index(n)
    except TypeError:
        number = -1
    if number < 0:
        raise InvalidArgumentError(f"{n!r} is not a number of items, 0 or more")
    return number


class _Placed(NamedTuple):
    """An item, the row that it is of, and where that is: among these, and in the split."""

    at: int
    position: int
    row: Row
    item: Any


# What a stream of items goes through. Functions of a module, since items are handed to workers.
def _unlike(keys: frozenset[str], found: Iterator[_Placed]) -> Iterator[_Placed]:
    return (one for one in found if key_of(one.item) not in keys)


def _first(n: int, found: Iterator[_Placed]) -> Iterator[_Placed]:
    return islice(found, n)


_Step = Callable[[Iterator[_Placed]], Iterator[_Placed]]


class Items(Sequence[Item]):
    """The items of a task: read from their rows when they are asked for.

    Attributes:
        task: The task.
        dataset: The rows: a `Dataset`, or an `IterableDataset` if they are streamed.
        split: The split that they are of.
        synthetic: Whether they were made rather than loaded.

    Example:
        >>> from rowstream.tasks import load_task
        >>> items = load_task("gsm8k", synthetic=True, sample_size=4)
        >>> [type(item).__name__ for item in items[:2]]
        ['Problem', 'Problem']
        >>> items
        Items(task='gsm8k', split='test', num_items=4, synthetic=True)
    """

    def __init__(
        self,
        task: KnownTask[Item],
        dataset: Any,
        split: str,
        *,
        synthetic: bool = False,
        positions: Sequence[int] | None = None,
        steps: tuple[_Step, ...] = (),
        skip: bool = False,
    ) -> None:
        self.task, self.dataset, self.split, self.synthetic = task, dataset, split, synthetic
        # Where in the split the rows of `dataset` are, and what a stream still goes through.
        self._positions, self._steps, self._skip = positions, steps, skip

    @property
    def is_streamed(self) -> bool:
        """Whether items can only be iterated.

        Example:
            >>> from rowstream.tasks import load_task
            >>> load_task("gsm8k", synthetic=True, streaming=True).is_streamed
            True
        """
        return not hasattr(self.dataset, "__len__")

    def __len__(self) -> int:
        if self.is_streamed:
            raise TypeError("items of a stream have no length and no numbers: iterate them")
        return len(self.dataset)

    def __bool__(self) -> bool:
        return self.is_streamed or len(self) > 0

    @overload
    def __getitem__(self, index: int) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> Items[Item]: ...
    def __getitem__(self, index: Any) -> Any:
        size = len(self)
        if isinstance(index, slice):
            return self._at(range(size)[index])
        try:
            index = operator.index(index)
        except TypeError:
            raise TypeError(
                f"items are there by number or slice, not by {index!r}; .dataset has their rows"
            ) from None
        if not -size <= index < size:
            raise IndexError(f"there is no item {index} among {size}")
        index %= size
        return self._item(self.dataset[index], self._position(index))

    def __iter__(self) -> Iterator[Item]:
        return (placed.item for placed in self._placed())

    def __repr__(self) -> str:
        size = "" if self.is_streamed else f", num_items={len(self)}"
        made = ", synthetic=True" if self.synthetic else ""
        return f"Items(task={self.task.name!r}, split={self.split!r}{size}{made})"

    def prompts(self) -> list[Any]:
        """Return what is asked: texts, or for chats the messages before the answer.

        Returns:
            A list with an entry for each item: the `input` of a problem; of a conversation and a
            comparison the messages of its `prompt`, as dicts.

        Example:
            >>> from rowstream.tasks import load_task
            >>> load_task("no_robots", synthetic=True, sample_size=1).prompts()[0][-1]["role"]
            'user'
        """
        return [asked(item) for item in self]

    def targets(self) -> list[str]:
        """Return the reference answers, a text for each item.

        Raises:
            InvalidArgumentError: The items are chats or preferences, without right answers.

        Example:
            >>> from rowstream.tasks import load_task
            >>> len(load_task("math500", synthetic=True, sample_size=2).targets())
            2
        """
        return [target_of(item) for item in self]

    def without(self, others: Any) -> Items[Item]:
        """Return the items that do not ask what others ask, whatever the case and spaces.

        Args:
            others: `Items`, or a list of texts, prompts or items.

        Raises:
            InvalidArgumentError: `others` is one text, or something else.

        Example:
            >>> from rowstream.tasks import load_task
            >>> items = load_task("gsm8k", synthetic=True, sample_size=4)
            >>> len(items.without([items[0].input.upper()]))
            3
        """
        keys = keys_of(others)
        if self.is_streamed:
            return self._then(partial(_unlike, keys))
        return self._at(i for i, item in enumerate(self) if key_of(item) not in keys)

    def sample(self, n: int, seed: int | None = None) -> Items[Item]:
        """Return `n` items, or all where there are fewer.

        Args:
            n: How many.
            seed: Draw them at random by it; without, they are the first. A stream is read once for
                it, and gives others than a sequence by the same seed.

        Raises:
            InvalidArgumentError: `n` is not a number of items.

        Example:
            >>> from rowstream.tasks import load_task
            >>> len(load_task("gsm8k", synthetic=True).sample(5, seed=0))
            5
        """
        n = number_of(n)
        if self.is_streamed:
            return self._then(partial(_first, n)) if seed is None else self._drawn(n, seed)
        size = len(self)
        if seed is None:
            return self._at(range(min(n, size)))
        drawn = random.Random(operator.index(seed)).sample(range(size), min(n, size))  # noqa: S311
        return self._at(drawn)

    def _drawn(self, n: int, seed: int) -> Items[Item]:
        """Return items of a stream, drawn in one pass (Vitter's algorithm R)."""
        generator, drawn = random.Random(operator.index(seed)), []  # noqa: S311
        for seen, placed in enumerate(self._placed()):
            if seen < n:
                drawn.append(placed)
            elif (at := generator.randint(0, seen)) < n:
                drawn[at] = placed
        dataset = Dataset.from_list(
            [dict(placed.row) for placed in drawn], features=self.dataset.features
        )
        positions = [placed.position for placed in drawn]
        return Items(self.task, dataset, self.split, synthetic=self.synthetic, positions=positions)

    def readable(self) -> Items[Item]:
        """Return the items whose rows are as the task has them; others are counted in the log.

        Example:
            >>> from rowstream.tasks import load_task
            >>> len(load_task("gsm8k", synthetic=True, sample_size=4).readable())
            4
        """
        if self.is_streamed:
            return self._with(skip=True)
        return self._at(placed.at for placed in self._with(skip=True)._placed())

    def _placed(self) -> Iterator[_Placed]:
        found = self._read()
        for step in self._steps:
            found = step(found)
        return found

    def _read(self) -> Iterator[_Placed]:
        for i, row in enumerate(self.dataset):
            position = self._position(i)
            try:
                item = self._item(row, position)
            except InvalidArgumentError as e:
                if not self._skip:
                    raise
                _logger.warning("left out: %s", e)
                continue
            yield _Placed(i, position, row, item)

    def _then(self, step: _Step) -> Items[Item]:
        return self._with(steps=(*self._steps, step))

    def _with(self, **changes: Any) -> Items[Item]:
        kept = {"positions": self._positions, "steps": self._steps, "skip": self._skip}
        given = {"dataset": self.dataset, "synthetic": self.synthetic, **kept, **changes}
        return Items(self.task, split=self.split, **given)

    def _at(self, indices: Iterable[int]) -> Items[Item]:
        chosen = [*indices]
        return self._with(
            dataset=self.dataset.select(chosen), positions=[self._position(i) for i in chosen]
        )

    def _position(self, index: int) -> int:
        return index if self._positions is None else self._positions[index]

    def _item(self, row: Row, position: int) -> Any:
        try:
            item = self.task.read(row)
        except (LookupError, TypeError, AttributeError, ValueError) as e:
            raise InvalidArgumentError(
                f"row {position} of {self.task.repo}, split {self.split!r}, is not as the task"
                f" {self.task.name!r} reads it ({type(e).__name__}: {e}); its columns are"
                f" {', '.join(map(str, row))}; on_error='skip' leaves such rows out"
            ) from e
        if not is_dataclass(item) or not hasattr(item, "metadata"):
            return item  # of a type of the user
        made: Any = item
        id = next((row[name] for name in _IDS if row.get(name) is not None), position)
        metadata = {**made.metadata, **({"synthetic": True} if self.synthetic else {})}
        if not hasattr(made, "id"):
            return replace(made, metadata={**metadata, "id": id})
        return replace(made, id=id if made.id is None else made.id, metadata=metadata)
