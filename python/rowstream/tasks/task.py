"""A task: where its dataset is, what its rows mean, and how its items are loaded."""

from __future__ import annotations

import inspect
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from rowstream.dataset.combine import concatenate_datasets
from rowstream.exceptions import InvalidArgumentError
from rowstream.load import load_dataset
from rowstream.tasks.loaded import Items, number_of
from rowstream.tasks.prompts import key_of, keys_of
from rowstream.tasks.synthetic import dataset_of as synthetic_rows

Item = TypeVar("Item")
Row = Mapping[str, Any]
_SYNTHETIC_ITEMS = 100
# How many rows are made at most for each that is wanted.
_TRIES = 20


@dataclass(frozen=True)
class Config:
    """A part of a task's repository that is loaded as one.

    Attributes:
        splits: The names of its splits.
        features: The columns of its rows, as `Features` takes them.
        data_dir: The folder of its files, where the repository does not name it as a
            configuration.

    Example:
        >>> from rowstream.tasks import hh_rlhf
        >>> hh_rlhf.configs["harmless-base"].data_dir
        'harmless-base'
    """

    splits: tuple[str, ...]
    features: Mapping[str, Any]
    data_dir: str | None = None

    def __post_init__(self) -> None:
        given: Any = self.splits
        if isinstance(given, str) or not given:
            raise InvalidArgumentError(
                f"the splits of a configuration are a tuple of names, found {self.splits!r}"
            )


@dataclass(frozen=True, eq=False)
class Task(Generic[Item]):
    """A known dataset, as items of one type: what is asked, and the reference.

    Attributes:
        name: What it is called here.
        repo: Its repository on the Hub.
        configs: The configurations of the repository, by name.
        read: Given a row, returns its item.
        synthesize: Given a random generator and a configuration, returns a row such as `read` gets,
            for synthetic items.
        license: Its licence, as the Hub names it.
        kind: `"math"`, `"chat"`, `"preference"` or `"code"`.
        description: A sentence on what it is.
        config: The configuration that is loaded if none is asked for; `None` for all of them, one
            after another.
        revision: The branch, tag or commit that is loaded if none is asked for.
        rows_per_item: How many rows, one after another, are an item; `read` then gets a list in
            each field.
        answer: Given a text that a model wrote, returns the answer in it as `target` has it, or
            `None`.
        metrics: The metrics by which answers are scored if none are asked for.

    Example:
        >>> from rowstream.tasks import gsm8k
        >>> gsm8k.repo, gsm8k.splits
        ('openai/gsm8k', ('train', 'test'))
        >>> items = gsm8k.load(synthetic=True, sample_size=3)
        >>> len(items), items[0].target.isdigit()
        (3, True)
    """

    name: str
    repo: str
    configs: Mapping[str, Config]
    read: Callable[[Row], Item] = field(repr=False)
    synthesize: Callable[[random.Random, str], dict[str, Any]] = field(repr=False)
    license: str
    kind: str
    description: str
    config: str | None = None
    revision: str = "main"
    rows_per_item: int = 1
    answer: Callable[[str], str | None] | None = field(default=None, repr=False)
    metrics: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.configs or not (self.config is None or self.config in self.configs):
            raise InvalidArgumentError(
                f"the task {self.name!r} has the configurations {[*self.configs]}, and"
                f" config={self.config!r}"
            )

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits of the configuration that is loaded by default.

        Example:
            >>> from rowstream.tasks import math500
            >>> math500.splits
            ('test',)
        """
        return self._splits(self._chosen(None))

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the rows that are loaded by default; `configs` has those of all.

        Example:
            >>> from rowstream.tasks import gsm8k
            >>> gsm8k.columns
            ('question', 'answer')
        """
        named = (name for one in self._chosen(None) for name in self.configs[one].features)
        return tuple(dict.fromkeys(named))

    def load(
        self,
        config: str | None = None,
        *,
        split: str | None = None,
        synthetic: bool = False,
        sample_size: int | None = None,
        seed: int | None = None,
        exclude: Any = None,
        streaming: bool = False,
        on_error: str = "raise",
        revision: str | None = None,
        **options: Any,
    ) -> Items[Item]:
        """Load the items of a split.

        Args:
            config: A name of `configs`, or `"all"`; the default one if `None`.
            split: A split; `"test"` where there is one, else the first.
            synthetic: Make items of the same columns instead, without any network: 100, or
                `sample_size`. Their texts have `[synthetic]`.
            sample_size: How many items; all where there are fewer.
            seed: Draw `sample_size` items at random by it; without, they are the first. Of
                synthetic ones, which are made.
            exclude: Leave out items that ask what another set asks, whatever the case and spaces:
                a task (its default split), `Items`, or a list of texts, prompts or items.
            streaming: Read items while they are iterated. With `sample_size` and `seed`, the
                stream is read once now, and the sample is kept. What is excluded is read now.
            on_error: `"skip"` leaves out rows that are not as the task has them, with a warning
                for each; `"raise"`.
            revision: A branch, tag or commit instead of the task's.
            **options: For `load_dataset`, such as `cache_dir` and `token`.

        Returns:
            `Items`: a sequence, or what can only be iterated if `streaming`.

        Raises:
            InvalidArgumentError: There is no such configuration or split, or rows are not as the
                task has them.

        Example:
            >>> from rowstream.tasks import hendrycks_math
            >>> items = hendrycks_math.load("algebra", synthetic=True, seed=1, sample_size=2)
            >>> [item.metadata["type"] for item in items]
            ['Algebra', 'Algebra']
        """
        names = self._chosen(config)
        known = self._splits(names)
        split = ("test" if "test" in known else known[0]) if split is None else split
        names = [name for name in names if split in self.configs[name].splits]
        if not names:
            raise InvalidArgumentError(
                f"the task {self.name!r} has no split {split!r}; it has {', '.join(known)}"
            )
        if on_error not in ("raise", "skip"):
            raise InvalidArgumentError(f"on_error={on_error!r} is neither 'raise' nor 'skip'")
        number = None if sample_size is None else number_of(sample_size)
        if isinstance(exclude, Task):
            exclude = exclude.load(synthetic=synthetic, **options)
        excluded: frozenset[str] = frozenset() if exclude is None else keys_of(exclude)
        if synthetic:
            _check_options(options)
            number = _SYNTHETIC_ITEMS if number is None else number
            parts = self._synthetic(names, split, number, 0 if seed is None else seed, excluded)
            if streaming:
                parts = [part.to_iterable_dataset() for part in parts]
        else:
            parts = [
                load_dataset(
                    self.repo,
                    None if self.configs[name].data_dir else name,
                    split=split,
                    streaming=streaming,
                    revision=revision or self.revision,
                    **{"data_dir": self.configs[name].data_dir, **options},
                )
                for name in names
            ]
        dataset = parts[0] if len(parts) == 1 else concatenate_datasets(parts)
        if self.rows_per_item > 1:
            dataset = dataset.batch(self.rows_per_item)
        items = Items(self, dataset, split, synthetic=synthetic)
        if synthetic:
            return items
        if on_error == "skip":
            items = items.readable()
        if exclude is not None:
            items = items.without(excluded)
        return items if number is None else items.sample(number, seed)

    def _chosen(self, config: str | None) -> list[str]:
        config = self.config if config is None else config
        if config is None or (config == "all" and config not in self.configs):
            return [*self.configs]
        if config not in self.configs:
            raise InvalidArgumentError(
                f"the task {self.name!r} has no configuration {config!r}; it has"
                f" {', '.join(self.configs)}"
            )
        return [config]

    def _splits(self, names: list[str]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(one for name in names for one in self.configs[name].splits))

    def _synthetic(
        self, names: list[str], split: str, number: int, seed: int, excluded: frozenset[str]
    ) -> list[Any]:
        """Return rows of each configuration, about as many of each, that ask different things."""
        generator = random.Random(f"{self.name} {split} {seed}")  # noqa: S311, not for secrets
        ends = [number * i // len(names) for i in range(len(names) + 1)]
        seen, parts = set(excluded), []
        for name, start, end in zip(names, ends, ends[1:], strict=False):
            rows: list[dict[str, Any]] = []
            # A task of the user may not have as many.
            for _ in range(_TRIES * (end - start)):
                row = self.synthesize(generator, name)
                key = key_of(self.read(row))
                if key not in seen:
                    seen.add(key)
                    rows.append(row)
                if len(rows) == end - start:
                    break
            parts.append(synthetic_rows(rows, self.configs[name].features, self.rows_per_item))
        return parts


def _check_options(options: dict[str, Any]) -> None:
    known = inspect.signature(load_dataset).parameters
    if wrong := [name for name in options if name not in known]:
        raise InvalidArgumentError(f"load has no argument {wrong[0]!r}")
