"""The place of a loader: its states, its epochs, and those of all ranks."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rowstream.loader.place import Place, of_rank
from rowstream.loader.ranks import Ranks, gathered
from rowstream.utils.arguments import check_number

if TYPE_CHECKING:
    from rowstream.dataset.iterable.dataset import IterableDataset


class LoaderState:
    """The methods of `DataLoader` that say and set where it is.

    Attributes:
        dataset: The stream of the rows.
        batch_size: The number of rows of a batch.
        gradient_accumulation: The number of batches of one step of the optimizer.
    """

    dataset: IterableDataset
    gradient_accumulation: int
    batch_size: int
    _ranks: Ranks
    # The number of the part of the rows that this one has, and of all parts.
    _part: tuple[int, int]
    _epoch_size: int | None
    # After the last batch; where the next iteration begins; and that of a loaded state.
    _place: Place
    _begin: Place
    _resume: Place | None
    # A loaded state at the end of its epoch, before the next iteration or `set_epoch`.
    _ended: Place | None

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch of the next iteration, which its order depends on.

        A place that was loaded stays, if it is in that epoch: of an epoch that ended, no batch is
        left. With `epoch_size` the rows go on
        where they are, whatever the number.

        Args:
            epoch: The number of the epoch, from 0.

        Example:
            >>> loader = rowstream.DataLoader(Dataset.from_dict({"a": [1, 2]}), format="numpy")
            >>> loader.set_epoch(3)
            >>> loader.state_dict()["epoch"]
            3
        """
        coming, ended = self._resume or self._begin, self._ended
        if ended is not None and check_number("epoch", epoch) == ended.epoch:
            # The epoch of the state: nothing of it is left.
            self._place = self._resume = ended
        elif check_number("epoch", epoch) != coming.epoch:
            stream = None if self._epoch_size is None else coming.stream
            self._place = self._begin = Place(epoch, stream)
            self._resume = None
        self._ended = None

    def state_dict(self) -> dict[str, Any]:
        """Return the place after the last batch that was given: plain data, for json or torch.save.

        Each rank has a state of its own. `load_state_dict` takes those of all ranks together.

        Example:
            >>> loader = rowstream.DataLoader(Dataset.from_dict({"a": [1, 2, 3]}), format="numpy")
            >>> batches = iter(loader)
            >>> _ = next(batches)
            >>> state = loader.state_dict()
            >>> again = rowstream.DataLoader(Dataset.from_dict({"a": [1, 2, 3]}), format="numpy")
            >>> again.load_state_dict(state)
            >>> [int(batch["a"][0]) for batch in again]
            [2, 3]
        """
        place = self._place._replace(unit=self._unit)
        if place.stream is None:
            start = copy.copy(self.dataset)
            start.set_epoch(place.epoch if self._epoch_size is None else 0)
            place = self._place = place._replace(stream=start.state_dict())
        return place.to_dict(sized=self._epoch_size is not None)

    @property
    def _unit(self) -> int:
        """The rows that all ranks have of a batch."""
        return self.batch_size * self._part[1]

    @property
    def number_of_parts(self) -> int:
        """The number of parts that the rows are divided into: of ranks with rows of their own.

        Example:
            >>> ds = Dataset.from_dict({"a": [1, 2]})
            >>> rowstream.DataLoader(ds, format="numpy", world=(0, 4), replicate=2).number_of_parts
            2
        """
        return self._part[1]

    def gather_state_dicts(self, own: dict[str, Any] | None = None) -> list[dict[str, Any]]:
        """Return the states of all ranks, for one file that every rank loads.

        All ranks call it at once: it is an operation of `torch.distributed`.

        Args:
            own: The state of this rank, if not the one of now.

        Returns:
            A list for `load_state_dict`, with one state where there are no other ranks.

        Example:
            >>> loader = rowstream.DataLoader(Dataset.from_dict({"a": [1, 2]}), format="numpy")
            >>> loader.load_state_dict(loader.gather_state_dicts())
        """
        states = gathered(own or self.state_dict())
        return states[:: self._ranks.replicate] if len(states) > 1 else states

    def load_state_dict(self, state: dict[str, Any] | Sequence[dict[str, Any]]) -> None:
        """Continue at a place: the next iteration begins with the next batch.

        Args:
            state: What `state_dict` returned, of a loader of the same rows; or a list of what it
                returned on all ranks, in their order, which each rank loads. With as many ranks
                the next batches are those that would have come; with others, and another
                `batch_size`, every row of the epoch comes once.

        Raises:
            CheckpointMismatchError: It is the state of something else, or of other ranks.

        Example:
            >>> loader = rowstream.DataLoader(Dataset.from_dict({"a": [1, 2]}), format="numpy")
            >>> loader.load_state_dict(loader.state_dict())
        """
        if isinstance(state, (list, tuple)):
            state = of_rank(state, *self._part)
        place, goes_on = Place.from_dict(state), self._epoch_size is not None
        place = place.counted(self._unit, self.gradient_accumulation)
        if place.stream is not None:
            # Whether it is of these rows is told here, and not at the first batch. What was merged
            # is from here on the place of this rank, whether it has a batch or not.
            ds = copy.copy(self.dataset)
            ds.load_state_dict(place.stream)
            place = place._replace(stream=ds.state_dict())
        self._place = place
        self._resume = place.after(goes_on=goes_on) if place.ended else place
        self._ended = place if place.ended and not goes_on else None
        self._begin = self._resume if place.ended else Place(place.epoch)
