"""A pool of memory for arrays, and a cache of tensors, within a number of bytes."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from math import prod
from threading import RLock
from typing import TYPE_CHECKING, Any

from rowstream.exceptions import InvalidArgumentError, UnsupportedError
from rowstream.utils.arguments import check_number

if TYPE_CHECKING:
    import numpy as np

_ALIGNED = 64  # bytes


@dataclass(frozen=True)
class MemoryConfig:
    """The settings of `UnifiedMemoryManager`.

    Attributes:
        pool_size_mb: The most megabytes (2²⁰ bytes) of arrays, of memory that is kept for the next
            ones, and of cached tensors together.
        enable_pooling: Keep the memory of arrays that are released for the next ones.
        enable_unified_memory: Kept for configurations that have it. All memory of MLX is unified,
            and arrays of MLX are copies of what they are made from, whatever is said here.

    Raises:
        InvalidArgumentError: `pool_size_mb` is not a positive integer.

    Example:
        >>> from rowstream.loader import MemoryConfig
        >>> MemoryConfig(pool_size_mb=64).enable_pooling
        True
    """

    pool_size_mb: int = 512
    enable_pooling: bool = True
    enable_unified_memory: bool = True

    def __post_init__(self) -> None:
        check_number("pool_size_mb", self.pool_size_mb, least=1)


class UnifiedMemoryManager:
    """Arrays whose memory is used again, and a cache of tensors, bounded in bytes together.

    Where there is no room, memory that is kept is given back first, then the tensors that were not
    asked for longest. What is in use is never taken away.

    `mx.array(tensor)` copies: MLX cannot use memory that it did not allocate. So an array of this
    pool is what a batch is assembled in, again and again, before MLX copies it.

    Args:
        config: The settings; those by default if `None`.

    Example:
        >>> from rowstream.loader import MemoryConfig, UnifiedMemoryManager
        >>> memory = UnifiedMemoryManager(MemoryConfig(pool_size_mb=1))
        >>> first = memory.allocate_tensor((2, 3), "int32")
        >>> place = first.ctypes.data
        >>> memory.release(first)
        >>> memory.allocate_tensor((3, 2), "float32").ctypes.data == place
        True
    """

    def __init__(self, config: MemoryConfig | None = None) -> None:
        self.config = config or MemoryConfig()
        self._limit = self.config.pool_size_mb << 20
        self._lock = RLock()
        # What is in use by its address; what is kept, by its size; and what is cached.
        self._used: dict[int, np.ndarray[Any, Any]] = {}
        self._kept: dict[int, deque[np.ndarray[Any, Any]]] = {}
        self._cached: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._bytes = {"used": 0, "kept": 0, "cached": 0}
        self._count = dict.fromkeys(("allocations", "reuses", "hits", "misses", "evictions"), 0)

    def allocate_tensor(
        self, shape: int | Sequence[int], dtype: Any = "float32"
    ) -> np.ndarray[Any, Any]:
        """Return an array whose values are not set; its memory is used again if some is kept.

        Args:
            shape: The shape.
            dtype: A type of NumPy, or its name.

        Raises:
            InvalidArgumentError: The shape or the type is none.
            UnsupportedError: It has more bytes than the pool has beside what is in use.

        Example:
            >>> from rowstream.loader import UnifiedMemoryManager
            >>> UnifiedMemoryManager().allocate_tensor((2, 3)).shape
            (2, 3)
        """
        import numpy as np

        several = shape if isinstance(shape, Sequence) else [shape]
        sizes = [check_number("shape", n) for n in several]
        try:
            kind = np.dtype(dtype)
        except TypeError as error:
            raise InvalidArgumentError(f"dtype={dtype!r}: {error}") from error
        if kind.hasobject or not kind.itemsize:
            raise InvalidArgumentError(f"dtype={dtype!r} is no type of numbers")
        bytes_ = prod(sizes) * kind.itemsize
        # Sizes that are about the same share memory.
        size = -(-max(bytes_, 1) // _ALIGNED) * _ALIGNED
        with self._lock:
            block = self._taken(size)
            result: np.ndarray[Any, Any] = block[:bytes_].view(kind).reshape(sizes)
            self._used[result.ctypes.data] = block
            self._bytes["used"] += size
        return result

    def _taken(self, size: int) -> np.ndarray[Any, Any]:
        """Return memory of a size: some that is kept, or new."""
        import numpy as np

        blocks = self._kept.get(size)
        if blocks:
            self._count["reuses"] += 1
            self._bytes["kept"] -= size
            return blocks.pop()
        self._make_room(size)
        self._count["allocations"] += 1
        raw = np.empty(size + _ALIGNED, np.uint8)
        start = -raw.ctypes.data % _ALIGNED
        return raw[start : start + size]

    def _make_room(self, size: int) -> None:
        if size + self._bytes["used"] > self._limit:
            raise UnsupportedError(
                f"{size} bytes, beside {self._bytes['used']} in use, are more than the pool of"
                f" {self._limit} bytes: release arrays, or raise pool_size_mb"
            )
        for blocks in self._kept.values():
            while blocks and size + sum(self._bytes.values()) > self._limit:
                self._bytes["kept"] -= len(blocks.popleft())
        while self._cached and size + sum(self._bytes.values()) > self._limit:
            _, (_, of) = self._cached.popitem(last=False)
            self._bytes["cached"] -= of
            self._count["evictions"] += 1

    def cache_tensor(self, key: Hashable, tensor: Any) -> bool:
        """Keep a tensor for `get`; return whether there is room for it.

        Args:
            key: What `get` is asked with. What was kept by it before is forgotten.
            tensor: A tensor of MLX, NumPy or torch: what has `nbytes`.

        Raises:
            InvalidArgumentError: It is no tensor.

        Example:
            >>> import numpy as np
            >>> from rowstream.loader import UnifiedMemoryManager
            >>> memory = UnifiedMemoryManager()
            >>> memory.cache_tensor("mask", np.ones(4))
            True
            >>> memory.get("mask").sum()
            4.0
        """
        size = getattr(tensor, "nbytes", None)
        if not isinstance(size, int):
            raise InvalidArgumentError(f"a tensor has nbytes, found {type(tensor).__name__}")
        with self._lock:
            self._forget(key)
            if size + self._bytes["used"] > self._limit:
                return False
            self._make_room(size)
            self._cached[key] = tensor, size
            self._bytes["cached"] += size
        return True

    def get(self, key: Hashable) -> Any:
        """Return a cached tensor; `None` if it is not there, or is not there any more.

        Args:
            key: The key that it was cached by.

        Example:
            >>> from rowstream.loader import UnifiedMemoryManager
            >>> UnifiedMemoryManager().get("mask") is None
            True
        """
        with self._lock:
            found = self._cached.get(key)
            self._count["misses" if found is None else "hits"] += 1
            if found is not None:
                self._cached.move_to_end(key)
            return None if found is None else found[0]

    def release(self, tensor: Any) -> None:
        """Give back an array of `allocate_tensor`, or forget what was cached by a key.

        The memory of an array is that of the next one of its size: it must not be used any more.

        Args:
            tensor: The array, or the key.

        Raises:
            InvalidArgumentError: It is no array that is in use, and no key of a cached tensor.

        Example:
            >>> from rowstream.loader import UnifiedMemoryManager
            >>> memory = UnifiedMemoryManager()
            >>> memory.release(memory.allocate_tensor(8))
            >>> memory.stats()["used_bytes"], memory.stats()["kept_bytes"]
            (0, 64)
        """
        with self._lock:
            if hasattr(tensor, "ctypes"):
                block = self._used.pop(tensor.ctypes.data, None)
                if block is None:
                    raise InvalidArgumentError(
                        "the array is none of this pool, or was released before"
                    )
                self._bytes["used"] -= len(block)
                if self.config.enable_pooling:
                    self._kept.setdefault(len(block), deque()).append(block)
                    self._bytes["kept"] += len(block)
            elif not self._forget(tensor):
                raise InvalidArgumentError(f"nothing is cached by the key {tensor!r}")

    def _forget(self, key: Hashable) -> bool:
        found = self._cached.pop(key, None)
        if found is not None:
            self._bytes["cached"] -= found[1]
        return found is not None

    def stats(self) -> dict[str, int]:
        """Return the bytes in use, kept and cached, and how often memory was used again.

        Returns:
            `used_bytes`, `kept_bytes`, `cached_bytes`, `limit_bytes`; `allocations` and `reuses`
            of arrays; `hits` and `misses` of `get`; `evictions` of cached tensors.

        Example:
            >>> from rowstream.loader import MemoryConfig, UnifiedMemoryManager
            >>> UnifiedMemoryManager(MemoryConfig(pool_size_mb=1)).stats()["limit_bytes"]
            1048576
        """
        with self._lock:
            bytes_ = {f"{name}_bytes": value for name, value in self._bytes.items()}
            return {**bytes_, "limit_bytes": self._limit, **self._count}
