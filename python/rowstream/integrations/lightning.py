"""Loaders for Lightning, whose checkpoints resume at the next batch."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

from rowstream.loader.loader import DataLoader
from rowstream.loader.ranks import initialized

_RANKS = "rowstream.ranks"
_HELD = 3  # places that are kept: Lightning holds back a batch or two


class LightningLoader:
    """A loader for `train_dataloader` of a `LightningModule` or a `LightningDataModule`.

    Each rank reads its own rows, all ranks give as many batches, and each epoch has another order
    where the dataset shuffles. Lightning's checkpoints have the places of all ranks. After a resume
    the next batch is the one that would have come; with another number of ranks every row of the
    epoch comes once.

    Args:
        dataset: A stream or a map-style dataset.
        batch_size: The number of rows of a batch on each rank.
        trainer: The `Trainer`: `self.trainer` in `train_dataloader`. It says the epoch, and how
            many batches it holds back.
        **options: As `rowstream.DataLoader` has them.

    Example:
        >>> from rowstream.integrations.lightning import LightningLoader
        >>> loader = LightningLoader(Dataset.from_dict({"x": [1, 2, 3]}), 2, format="numpy")
        >>> [batch["x"].tolist() for batch in loader]
        [[1, 2], [3]]
    """

    def __init__(
        self, dataset: Any, batch_size: int = 1, *, trainer: Any = None, **options: Any
    ) -> None:
        given: dict[str, Any] = {"on_uneven": "stop", **options}
        if getattr(dataset, "_rank", None) is None and initialized() is not None:
            given = {"world": "auto", **given}
        self._loader, self._trainer = DataLoader(dataset, batch_size, **given), trainer
        # After each of the batches that were given last.
        self._places: deque[dict[str, Any]] = deque(maxlen=_HELD)
        self._loaded = False

    @property
    def sampler(self) -> LightningLoader:
        """What Lightning looks for to set the epoch: the loader itself."""
        return self

    def __len__(self) -> int:
        return len(self._loader)

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch of the next iteration; a place that was loaded stays, if it is in it."""
        self._loader.set_epoch(epoch)

    def __iter__(self) -> Iterator[Any]:
        if self._trainer is not None and not self._loaded:
            # Lightning takes a first batch before it sets the epoch.
            self.set_epoch(self._trainer.fit_loop.epoch_progress.current.processed)
        self._loaded = False
        self._places.clear()
        for batch in self._loader:
            self._places.append(self._loader.state_dict())
            yield batch

    def state_dict(self) -> dict[str, Any]:
        """Return the places of all ranks, which call it at once, after what they trained on."""
        fetcher = getattr(getattr(self._trainer, "fit_loop", None), "_data_fetcher", None)
        held = len(getattr(fetcher, "batches", ()))
        own = self._places[-1 - held] if len(self._places) > held else None
        return {_RANKS: self._loader.gather_state_dicts(own)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on at the places of all ranks."""
        self._loader.load_state_dict(list(state[_RANKS]))
        self._loaded = True
