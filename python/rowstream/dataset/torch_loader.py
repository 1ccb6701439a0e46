"""What PyTorch's loaders ask of a data set, without loading PyTorch: nothing here does anything until it is loaded.

A loader takes a data set for a stream if its class has `torch.utils.data.IterableDataset` among its bases. It forks or
pickles the data set into its workers; each of them then finds out which worker it is, and takes its part of the
rows. Workers that persist see a new epoch because its number lies in memory that is shared with them.
"""

from __future__ import annotations

import sys
from multiprocessing.context import get_spawning_popen
from typing import Any


def loaded() -> Any:
    """The module `torch.utils.data`, if PyTorch was loaded; else `None`."""
    return sys.modules.get("torch.utils.data")


def worker() -> tuple[int, int]:
    """Which worker of how many this process is; `(0, 1)` where it is none."""
    data = loaded()
    info = data.get_worker_info() if data is not None and hasattr(data, "get_worker_info") else None
    return (0, 1) if info is None else (info.id, info.num_workers)


def join(cls: type) -> bool:
    """Gives a class PyTorch's base, if PyTorch was loaded. True if it has it only now."""
    data = loaded()
    if data is None or not hasattr(data, "IterableDataset") or data.IterableDataset in cls.__mro__:
        return False
    cls.__bases__ = (*cls.__bases__, data.IterableDataset)
    return True


class Epoch:
    """A number that worker processes see too, once PyTorch is loaded; until then a number."""

    def __init__(self, value: int = 0) -> None:
        self._value = value
        self._shared: Any = None
        self.share()

    def share(self) -> None:
        """Moves it to shared memory, if PyTorch is loaded."""
        if self._shared is None and loaded() is not None:
            import torch

            shared: Any = torch.tensor([self._value], dtype=torch.int64)
            self._shared = shared.share_memory_()

    def get(self) -> int:
        """The number."""
        return self._value if self._shared is None else int(self._shared[0])

    def set(self, value: int) -> None:
        """Changes it, in all workers."""
        self._value = value
        if self._shared is not None:
            self._shared[0] = value

    def __setstate__(self, state: dict[str, Any]) -> None:
        """What `__getstate__` gave: a copy has memory of its own to share."""
        self.__dict__.update(state)
        self.share()

    def __getstate__(self) -> dict[str, Any]:
        """A number; the shared memory itself only where a worker is about to begin."""
        return {"_value": self.get(), "_shared": self._shared if spawning() else None}


def spawning() -> bool:
    """Whether what is pickled now goes to a worker process that is about to begin."""
    return get_spawning_popen() is not None


class Joining:
    """A first base, so that a class can be given another; and what has it given."""

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        """The class. Whoever asks for it, as `isinstance` does, is told of PyTorch's base as soon as PyTorch is there."""
        cls = type(self)
        # `isinstance` has looked at the bases before it asks: it believes only another class.
        return type(cls.__name__, (cls,), {}) if join(cls) else cls

    def __reduce_ex__(self, protocol: Any) -> Any:
        """As for any object; but pickling, too, asks for the class."""
        join(type(self))
        return super().__reduce_ex__(protocol)
