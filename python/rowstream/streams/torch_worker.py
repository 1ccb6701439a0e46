"""What the loaders of PyTorch need of a dataset, without importing PyTorch.

Nothing here has an effect until PyTorch is imported. A loader takes a dataset for a stream if its
class has `torch.utils.data.IterableDataset` among its bases. It forks or pickles the dataset into
its workers; each of them then finds out which worker it is, and takes its part of the rows.
Persistent workers see a new epoch because its number is in memory that they share.

Only the stream that a loader reads is divided: streams that its functions and generators read are
read whole (`ops/undivided.py`).
"""

from __future__ import annotations

import sys
from mmap import mmap
from multiprocessing.context import get_spawning_popen
from typing import Any

from rowstream.ops.undivided import is_undivided


def loaded() -> Any:
    """Return the module `torch.utils.data`, or `None` if PyTorch is not imported."""
    return sys.modules.get("torch.utils.data")


def _info() -> Any:
    """Return PyTorch's information on this worker process.

    It is `None` outside of workers, and inside of functions and generators of a stream that is
    divided already.
    """
    data = None if is_undivided() else loaded()
    return data.get_worker_info() if data is not None and hasattr(data, "get_worker_info") else None


def worker() -> tuple[int, int]:
    """Return the number of this worker and of all workers; `(0, 1)` outside of workers."""
    info = _info()
    return (0, 1) if info is None else (info.id, info.num_workers)


def is_worker() -> bool:
    """Return whether this process is a worker of a loader."""
    return _info() is not None


def add_torch_base(cls: type) -> bool:
    """Add PyTorch's base class to a class, if PyTorch is imported; return whether it was added."""
    data = loaded()
    if data is None or not hasattr(data, "IterableDataset") or data.IterableDataset in cls.__mro__:
        return False
    cls.__bases__ = (*cls.__bases__, data.IterableDataset)
    return True


class SharedEpoch:
    """Numbers of a stream that its worker processes share and may set.

    It works for forked and spawned processes, whatever was imported first.
    """

    _EPOCH, _READ, _RESUMED = range(3)
    _SIZE = 3

    def __init__(self, epoch: int = 0) -> None:
        # A forked process shares the first; a spawned one is given the second, which PyTorch makes.
        self._memories: list[Any] = [_memory(self._SIZE)]
        if epoch:
            self.epoch = epoch

    def _get(self, at: int) -> int:
        return int(self._memories[-1][at])

    def _set(self, at: int, value: int) -> None:
        for memory in self._memories:
            memory[at] = value

    @property
    def epoch(self) -> int:
        """The epoch of the next iteration."""
        return self._get(self._EPOCH)

    @epoch.setter
    def epoch(self, value: int) -> None:
        self._set(self._EPOCH, value)

    @property
    def read_by_workers(self) -> bool:
        """Whether worker processes have begun to read the stream since its own process did."""
        return any(int(memory[self._READ]) for memory in self._memories)

    @read_by_workers.setter
    def read_by_workers(self, value: bool) -> None:
        self._set(self._READ, int(value))

    def resume(self, number: int) -> bool:
        """Return whether workers of this loader are the first to resume the `number`-th state.

        Workers of a later epoch, which are new processes with a copy of the same state, are not.
        """
        loader = (number & _NUMBER) << _SEED_BITS | _seed() & (1 << _SEED_BITS) - 1
        if self._get(self._RESUMED) >> _SEED_BITS != number & _NUMBER:
            self._set(self._RESUMED, loader)
        return self._get(self._RESUMED) == loader

    def resumed(self, number: int) -> bool:
        """Return whether workers of any loader resumed from the `number`-th loaded state."""
        return any(
            int(memory[self._RESUMED]) >> _SEED_BITS == number & _NUMBER
            for memory in self._memories
        )

    def __getstate__(self) -> dict[str, Any]:
        """Return the numbers, with the shared memory only where a worker is being started."""
        values = [self._get(at) for at in range(self._SIZE)]
        if not spawning() or loaded() is None:
            return {"values": values}
        if len(self._memories) == 1:
            import torch

            self._memories.append(torch.tensor(values, dtype=torch.int64).share_memory_())
        return {"values": values, "shared": self._memories[-1]}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore the numbers in memory of its own."""
        self._memories = [_memory(self._SIZE)]
        if "shared" in state:
            self._memories.append(state["shared"])
        else:
            self.epoch, self.read_by_workers = (
                state["values"][self._EPOCH],
                state["values"][self._READ],
            )


# A state's number and a loader's seed, in one word that is written at once.
_NUMBER, _SEED_BITS = (1 << 20) - 1, 40


def _memory(size: int) -> Any:
    """Return integers in memory that forked processes share."""
    return memoryview(mmap(-1, 8 * size)).cast("q")


def _seed() -> int:
    """Return a number that the workers of one loader have in common, and no other workers."""
    info = loaded().get_worker_info()
    seed: int = info.seed - info.id
    return seed


def spawning() -> bool:
    """Return whether a pickled object now goes to a worker process that is being started."""
    return get_spawning_popen() is not None


class TorchBaseMeta:
    """A first base of a class, which lets PyTorch's base be added and adds it when it is needed."""

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        """The class, with PyTorch's base once PyTorch is imported, for `isinstance`."""
        cls = type(self)
        # `isinstance` has looked at the bases before it asks: it believes only another class.
        return type(cls.__name__, (cls,), {}) if add_torch_base(cls) else cls

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Return what `pickle` needs, after adding PyTorch's base."""
        add_torch_base(type(self))
        return super().__reduce_ex__(protocol)
