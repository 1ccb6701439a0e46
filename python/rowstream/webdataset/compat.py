"""The names and habits of the package `webdataset`, over rowstream's streams.

    from rowstream.webdataset.compat import WebDataset, WebLoader

    ds = WebDataset("shards/{000000..000099}.tar").shuffle(1000).decode("rgb")
    ds = ds.to_tuple("jpg", "cls")
    loader = WebLoader(ds.batched(64), num_workers=4)

What differs: a shuffle depends on its seed and the epoch only (`set_epoch`), workers and ranks
share samples rather than whole shards, `pipe:` is refused, and nothing is unpickled.
"""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import Any

from rowstream.distributed import split_dataset_by_node
from rowstream.exceptions import FileFormatError, InvalidArgumentError
from rowstream.streams.torch_worker import TorchBaseMeta
from rowstream.utils.optional import import_optional
from rowstream.webdataset.fluid import Fluid, Stage
from rowstream.webdataset.reader import shards_of, stream_members
from rowstream.webdataset.stages import (
    Handler,
    Stopped,
    ignore_and_continue,
    ignore_and_stop,
    mapped,
    reraise_exception,
    sample_of,
    shuffled,
    told,
    warn_and_continue,
    warn_and_stop,
)

__all__ = [
    "RandomMix",
    "WebDataset",
    "WebLoader",
    "ignore_and_continue",
    "ignore_and_stop",
    "reraise_exception",
    "single_node_only",
    "split_by_node",
    "split_by_worker",
    "warn_and_continue",
    "warn_and_stop",
]


def single_node_only(items: Any) -> Any:
    """Give all samples to every rank: a value for `nodesplitter`."""
    return items


def split_by_node(items: Any) -> Any:
    """Divide the samples among ranks: a value for `nodesplitter`."""
    return items


def split_by_worker(items: Any) -> Any:
    """Divide the samples among workers, as is always done: a value for `workersplitter`."""
    return items


def _rank() -> tuple[int, int]:
    """Return the number of this rank, and of all."""
    distributed = sys.modules.get("torch.distributed")
    if distributed is not None and distributed.is_available() and distributed.is_initialized():
        return distributed.get_rank(), distributed.get_world_size()
    return int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))


class Pipeline(Fluid, TorchBaseMeta):
    """A source and the stages that its samples go through."""

    def __init__(self, source: Any, stages: Sequence[Stage] = ()) -> None:
        self._source, self._stages = source, tuple(stages)
        self._passes: int | None = 1
        self._most: int | None = None
        self._length: int | None = None

    def __bool__(self) -> bool:
        """Return `True`, whether the number of samples is known or not."""
        return True

    def _with(self, **changes: Any) -> Any:
        result = object.__new__(type(self))
        result.__dict__.update(self.__dict__)
        result.__dict__.update(changes)
        return result

    def compose(self, *stages: Stage) -> Any:
        """Return the pipeline with more stages."""
        return self._with(_stages=(*self._stages, *stages))

    def with_epoch(self, nsamples: int = -1, nbatches: int = -1) -> Any:
        """Return the pipeline with so many samples an epoch, from as many passes as that takes."""
        most = max(nsamples, nbatches)
        return self._with(_passes=None, _most=None if most < 0 else most)

    def with_length(self, n: int) -> Any:
        """Return the pipeline with a length that `len` says."""
        return self._with(_length=n)

    def repeat(self, nepochs: int = -1, nbatches: int = -1) -> Any:
        """Return several passes, endlessly many by default."""
        most = None if nbatches < 0 else nbatches
        return self._with(_passes=nepochs if nepochs > 0 else None, _most=most)

    def __len__(self) -> int:
        if self._length is None:
            raise TypeError("the length of a pipeline is what with_length(n) says")
        return self._length

    def _pass(self, number: int) -> Iterator[Any]:
        del number  # only what draws at random needs it
        items: Iterator[Any] = iter(self._source)
        for stage in self._stages:
            items = stage(items)
        return items

    def __iter__(self) -> Iterator[Any]:
        left = sys.maxsize if self._most is None else self._most
        passes = 0
        while left and (self._passes is None or passes < self._passes):
            n = 0
            for item in islice(self._pass(passes), left):
                n += 1
                yield item
            left -= n
            passes += 1
            if not n:
                return


class WebDataset(Pipeline):
    """The samples of tar archives, as dicts of bytes, and the stages that they go through.

    Args:
        urls: A path or URL with braces and patterns, or a list of them.
        handler: What happens where a sample or an archive cannot be read.
        resampled: Whether archives are drawn at random, endlessly.
        shardshuffle: Whether archives are in another order each epoch; a number says so, too.
        repeat: Whether there are endlessly many passes.
        seed: The seed of both.
        select_files: Keep the members for whose names a function is true.
        rename_files: Give members other names.
        end_marker, names, storage_options: As for `rowstream.webdataset.stream`.
        nodesplitter: Whether ranks share the samples, as `split_by_node` says; each gets all if
            `None` or `single_node_only`. Workers always share them.
        workersplitter, empty_check, verbose, cache_dir, cache_size, detshuffle: No effect.
        mode: `"resampled"` is `resampled=True`.

    Raises:
        InvalidArgumentError: A URL is a command.

    Example:
        >>> from rowstream.webdataset import TarWriter
        >>> with TarWriter("a.tar") as writer:
        ...     _ = writer.write({"__key__": "0", "txt": "a cat", "cls": 3})
        >>> list(WebDataset("a.tar").decode().to_tuple("txt", "cls"))
        [('a cat', 3)]
    """

    def __init__(
        self,
        urls: str | Iterable[str],
        handler: Handler = reraise_exception,
        *,
        resampled: bool = False,
        shardshuffle: bool | int | None = None,
        repeat: bool = False,
        seed: int | None = None,
        select_files: Callable[[str], Any] | None = None,
        rename_files: Callable[[str], str] | None = None,
        end_marker: bool = True,
        names: str = "utf-8",
        storage_options: dict[str, Any] | None = None,
        nodesplitter: Any = None,
        workersplitter: Any = None,
        empty_check: bool = True,
        verbose: bool = False,
        cache_dir: str | None = None,
        cache_size: int = -1,
        detshuffle: bool = False,
        mode: str | None = None,
    ) -> None:
        del workersplitter, empty_check, verbose, cache_dir, cache_size, detshuffle
        several = [urls] if isinstance(urls, str) else list(urls)
        self._shards = [
            one
            for url in several
            for part in str(url).split("::")
            for one in shards_of(part, storage_options)
        ]
        if not self._shards:
            raise InvalidArgumentError("WebDataset: no archives")
        options: dict[str, Any] = {"end_marker": end_marker, "names": names}
        if storage_options is not None:
            options["storage_options"] = storage_options
        if handler is not reraise_exception:
            options["on_error"] = partial(told, handler)
        self._options = options
        self._seed = seed or 0
        self._resampled = resampled or mode == "resampled"
        self._shuffles = bool(shardshuffle)
        self._by_node = nodesplitter not in (None, single_node_only)
        self.epoch = 0
        names_of = partial(sample_of, select_files, rename_files)
        super().__init__(None, (partial(mapped, names_of, reraise_exception),))
        if repeat:
            self._passes = None

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch, which the order of archives and of shuffles depends on."""
        self.epoch = epoch

    def _pass(self, number: int) -> Iterator[Any]:
        items = self._drawn(number) if self._resampled else self._samples(self._ordered(number))
        for stage in self._stages:
            seeded = getattr(stage, "func", None) is shuffled
            items = stage(items, self.epoch + (number << 20)) if seeded else stage(items)  # type: ignore[call-arg]
        return items

    def _rng(self, number: int) -> random.Random:
        return random.Random(f"{self._seed} {self.epoch} {number}")  # noqa: S311 - an order

    def _ordered(self, number: int) -> list[str]:
        """Return the archives in the order of a pass."""
        if not self._shuffles:
            return self._shards
        return self._rng(number).sample(self._shards, len(self._shards))

    def _drawn(self, number: int) -> Iterator[Any]:
        """Yield the samples of archives that are drawn at random, endlessly."""
        rng = self._rng(number)
        while True:
            n = 0
            for sample in self._samples([rng.choice(self._shards) for _ in self._shards]):
                n += 1
                yield sample
            if not n:
                return

    def _samples(self, shards: list[str]) -> Iterator[Any]:
        """Yield the samples of archives for this rank and worker."""
        told_of = self._options.get("on_error")
        # Where errors are handled, what is wrong with an archive is not so with the next.
        for some in [shards] if told_of is None else [[one] for one in shards]:
            try:
                ds = stream_members(some, **self._options)
                if self._by_node:
                    ds = split_dataset_by_node(ds, *_rank())
                yield from ds
            except Stopped:
                return
            except (FileFormatError, FileNotFoundError, PermissionError) as error:
                if told_of is None:
                    raise
                try:
                    told_of(error)
                except Stopped:
                    return


class WebLoader(Pipeline):
    """A `torch.utils.data.DataLoader`, and stages that its batches go through.

    Args:
        args, kwargs: As for `DataLoader`; `batch_size` is `None` unless it is given.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        data = import_optional("torch.utils.data", "loaders", "torch")
        kwargs.setdefault("batch_size", None)
        super().__init__(data.DataLoader(*args, **kwargs))


class RandomMix(Pipeline):
    """Samples of several pipelines, drawn at random.

    Args:
        datasets: The pipelines.
        probs: How often each is drawn, in relation to the others; all alike if `None`.
        longest: Whether to go on until all have ended, rather than one.
        seed: The seed of the draws.
    """

    def __init__(
        self,
        datasets: Sequence[Any],
        probs: Sequence[float] | None = None,
        longest: bool = False,
        seed: int = 0,
    ) -> None:
        super().__init__(None)
        self._datasets, self._longest, self._seed = list(datasets), longest, seed
        self._probs = [1.0] * len(self._datasets) if probs is None else list(probs)
        if len(self._probs) != len(self._datasets):
            raise InvalidArgumentError(
                f"RandomMix: {len(self._probs)} probabilities for {len(self._datasets)} data sets"
            )

    def _pass(self, number: int) -> Iterator[Any]:
        items = self._drawn(number)
        for stage in self._stages:
            items = stage(items)
        return items

    def _drawn(self, number: int) -> Iterator[Any]:
        rng = random.Random(f"{self._seed} {number}")  # noqa: S311 - an order
        sources = [iter(one) for one in self._datasets]
        probs = list(self._probs)
        while sum(probs) > 0:
            (i,) = rng.choices(range(len(sources)), probs)
            try:
                yield next(sources[i])
            except StopIteration:
                if not self._longest:
                    return
                del sources[i], probs[i]
