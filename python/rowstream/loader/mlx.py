"""Batches as arrays of MLX, with the names that MLX training code has for a loader."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rowstream.exceptions import InvalidArgumentError
from rowstream.loader.loader import DataLoader
from rowstream.utils.arguments import check_number

if TYPE_CHECKING:
    from rowstream.dataset.iterable.dataset import IterableDataset
    from rowstream.dataset.map_style.dataset import Dataset


@dataclass(frozen=True)
class MLXLoaderConfig:
    """The settings of `MLXDataLoader`.

    Attributes:
        batch_size: The number of rows of a batch.
        shuffle: Shuffle all rows of a map-style dataset in each epoch. A stream shuffles itself.
        num_workers: 0 to make each batch when it is asked for; else a thread makes batches ahead.
            The core reads and decodes on threads of its own in either case.
        prefetch_size: The most batches that are made ahead.
        use_unified_memory: Kept for configurations that have it: arrays of MLX are always in the
            memory that CPU and GPU share, and they are copies of the core's.
        pin_memory: Kept for configurations that have it: MLX needs no pinned memory.

    Raises:
        InvalidArgumentError: A number is out of its range.

    Example:
        >>> from rowstream.loader import MLXLoaderConfig
        >>> MLXLoaderConfig(batch_size=8).prefetch_size
        2
    """

    batch_size: int = 32
    shuffle: bool = False
    num_workers: int = 1
    prefetch_size: int = 2
    use_unified_memory: bool = True
    pin_memory: bool = False

    def __post_init__(self) -> None:
        check_number("batch_size", self.batch_size, least=1)
        check_number("num_workers", self.num_workers)
        check_number("prefetch_size", self.prefetch_size)


class MLXDataLoader(DataLoader):
    """Batches of a dataset as dicts of `mx.array`: a `DataLoader` for MLX.

    Lists are padded and masked, states are exact, and an iteration is an epoch, as there. Texts
    stay lists.

    Args:
        dataset: A stream, or a map-style dataset.
        config: The settings; those by default if `None`.
        gradient_accumulation: The number of batches of one step of the optimizer. `updates` says
            after which of them it is due.
        seed: The seed of `shuffle`.
        drop_last: Leave out a last batch that is shorter.

    Raises:
        InvalidArgumentError: An argument makes no sense.
        ImportError: MLX is not installed (at the first batch).

    Example:
        >>> from rowstream.loader import MLXDataLoader, MLXLoaderConfig
        >>> ds = Dataset.from_dict({"x": [1.0, 2.0, 3.0]})
        >>> loader = MLXDataLoader(ds, MLXLoaderConfig(batch_size=2))
        >>> len(loader), loader.state_dict()["epoch"]
        (2, 0)
    """

    def __init__(
        self,
        dataset: IterableDataset | Dataset,
        config: MLXLoaderConfig | None = None,
        *,
        gradient_accumulation: int = 1,
        seed: int = 0,
        drop_last: bool = False,
    ) -> None:
        self.config = config or MLXLoaderConfig()
        ahead = self.config.prefetch_size if self.config.num_workers else 0
        super().__init__(
            dataset,
            self.config.batch_size,
            shuffle=self.config.shuffle,
            seed=seed,
            drop_last=drop_last,
            format="mlx",
            prefetch=DataLoader.PREFETCH if ahead else 0,
            gradient_accumulation=gradient_accumulation,
        )
        self._most_ahead = ahead
        self._profiled = False

    def enable_profiling(self) -> None:
        """Measure from now on.

        Example:
            >>> from rowstream.loader import MLXDataLoader
            >>> loader = MLXDataLoader(Dataset.from_dict({"x": [1]}))
            >>> loader.enable_profiling()
            >>> loader.get_profiling_results()["total_batches"]
            0
        """
        self._profiled = True
        self._watch.reset()

    def get_profiling_results(self) -> dict[str, float]:
        """Return what was measured since `enable_profiling`.

        Returns:
            `throughput_samples_per_sec`; `avg_batch_time_ms`, from one batch to the next;
            `total_samples` and `total_batches`; `waiting_seconds`, in which the loop waited for
            batches, `computing_seconds`, in which it did not, and `waiting_share`.

        Raises:
            InvalidArgumentError: `enable_profiling` was not called.

        Example:
            >>> from rowstream.loader import MLXDataLoader
            >>> loader = MLXDataLoader(Dataset.from_dict({"x": [1]}))
            >>> loader.enable_profiling()
            >>> loader.get_profiling_results()["total_samples"]
            0
        """
        if not self._profiled:
            raise InvalidArgumentError("call enable_profiling() before the batches")
        stats = self._watch.stats()
        batches = stats["batches"]
        return {
            "throughput_samples_per_sec": stats["rows_per_second"],
            "avg_batch_time_ms": stats["seconds"] / batches * 1e3 if batches else 0.0,
            "total_samples": stats["rows"],
            "total_batches": batches,
            "waiting_seconds": stats["waited_seconds"],
            "computing_seconds": stats["worked_seconds"],
            "waiting_share": stats["waited_share"],
        }
