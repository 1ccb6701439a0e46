"""Loaders for training loops of `accelerate`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from rowstream.loader.loader import DataLoader

_RANKS = "rowstream.ranks"


def prepare(accelerator: Any, dataset: Any, batch_size: int = 1, **options: Any) -> Any:
    """Return a loader for a loop of `accelerate`, in place of `accelerator.prepare(loader)`.

    Each rank reads its own rows, and all ranks give as many batches, on the accelerator's device.
    `accumulate` steps the optimizer at the end of an epoch, too. `save_state` saves the places of
    all ranks, and after `load_state` the loader gives the batches that would have come: first those
    that are left of the epoch, so begin the loop over epochs at `loader.epoch`. With another number
    of ranks every row of the epoch comes once.

    Args:
        accelerator: The `Accelerator`.
        dataset: A stream or a map-style dataset.
        batch_size: The number of rows of a batch on each rank.
        **options: As `rowstream.DataLoader` has them, such as `shuffle`, `padding` or `collate`.

    Returns:
        The loader: batches as it is iterated, `set_epoch`, `epoch`, and `len` where it is known.

    Example:
        >>> from accelerate import Accelerator
        >>> from rowstream.integrations.accelerate import prepare
        >>> accelerator = Accelerator(cpu=True)
        >>> loader = prepare(accelerator, Dataset.from_dict({"x": [1, 2, 3]}), batch_size=2)
        >>> [batch["x"].tolist() for batch in loader]
        [[1, 2], [3]]
    """
    from accelerate.data_loader import DataLoaderStateMixin
    from accelerate.state import GradientState

    class AccelerateLoader(_Batches, DataLoaderStateMixin):  # type: ignore[misc]
        """Batches whose end `accelerate` knows of."""

        def __init__(self) -> None:
            rank, ranks = accelerator.process_index, accelerator.num_processes
            given = {"on_uneven": "stop", "device": accelerator.device, **options}
            if getattr(dataset, "_rank", None) is None:
                given = {"world": (rank, ranks), **given}
            super().__init__(DataLoader(dataset, batch_size, **given))
            self.gradient_state = GradientState()

    loader = AccelerateLoader()
    accelerator.register_for_checkpointing(loader)
    return loader


class _Batches:
    """Batches of a loader, which say when they end."""

    end_of_dataloader: bool

    def __init__(self, loader: DataLoader) -> None:
        self.loader = loader

    @property
    def epoch(self) -> int:
        """The number of the epoch that is under way, or comes next."""
        state = self.loader.state_dict()
        return int(state["epoch"]) + bool(state.get("ended"))

    @property
    def total_batch_size(self) -> int:
        """The number of rows of a batch of all ranks."""
        return self.loader.batch_size * self.loader.number_of_parts

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch of the next iteration; a place that was loaded stays, if it is in it."""
        self.loader.set_epoch(epoch)

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator[Any]:
        self.begin()  # type: ignore[attr-defined]
        try:
            for batch in self.loader:
                self.end_of_dataloader = self.loader.last
                yield batch
        finally:
            self.end()  # type: ignore[attr-defined]

    def state_dict(self) -> dict[str, Any]:
        """Return the places of all ranks. `save_state` calls it on each, and one writes them."""
        return {_RANKS: self.loader.gather_state_dicts()}

    def load_state_dict(self, state: dict[str, Sequence[dict[str, Any]]]) -> None:
        """Go on at the places of all ranks."""
        self.loader.load_state_dict(list(state[_RANKS]))
