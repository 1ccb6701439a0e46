# ruff: noqa: S301  # what is unpickled comes from a process of this program
"""Objects handed from one process to another, their arrays mapped instead of copied.

The buffers of arrays and tables (pickle's protocol 5 hands them over apart) go into a file in
memory, which the reader maps and removes. What is left is pickled, and small.
"""

from __future__ import annotations

import io
import mmap
import os
import pickle
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from typing import Any

_LEAST = 1 << 12  # bytes of a buffer that is worth a place in the file
_ALIGNED = 64  # as Arrow has its buffers
_numbers = count()


@dataclass(frozen=True)
class Handed:
    """An object on its way: its pickle, and the file and places of its buffers."""

    pickled: bytes
    path: str | None = None
    places: tuple[tuple[int, int], ...] = ()


@contextmanager
def folder() -> Iterator[str]:
    """Return a folder in memory for a block, where there is one; on the disk otherwise."""
    memory = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: S108
    path = tempfile.mkdtemp(prefix="rowstream-", dir=memory)
    try:
        yield path
    finally:
        # What is still being written has its file already, and nothing new finds the folder.
        gone = f"{path}.gone"
        with suppress(OSError):
            os.rename(path, gone)
        shutil.rmtree(gone, ignore_errors=True)


def hand(value: Any, folder: str) -> Handed:
    """Return what another process gets of an object."""
    buffers: list[memoryview] = []

    def keep(buffer: pickle.PickleBuffer) -> bool:
        with buffer.raw() as raw:
            if raw.nbytes < _LEAST:
                return True  # it stays in the pickle
        buffers.append(buffer.raw())
        return False

    pickled = _pickled(value, keep)
    if not buffers:
        return Handed(pickled)
    path = os.path.join(folder, f"{os.getpid()}-{next(_numbers)}")
    places, at = [], 0
    with open(path, "wb") as file:
        for buffer in buffers:
            file.write(bytes(-at % _ALIGNED))
            at += -at % _ALIGNED
            file.write(buffer)
            places.append((at, buffer.nbytes))
            at += buffer.nbytes
            buffer.release()
    return Handed(pickled, path, tuple(places))


def taken(handed: Handed) -> Any:
    """Return the object, whose buffers are those of the file. They may be written to."""
    if handed.path is None:
        return pickle.loads(handed.pickled)
    with open(handed.path, "rb") as file:
        # Pages that are written to are copied.
        memory = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY))
    with suppress(FileNotFoundError):
        os.unlink(handed.path)
    return pickle.loads(
        handed.pickled, buffers=[memory[at : at + size] for at, size in handed.places]
    )


def _pickled(value: Any, keep: Any) -> bytes:
    torch: Any = sys.modules.get("torch")
    if torch is None:
        return pickle.dumps(value, protocol=5, buffer_callback=keep)

    class Pickler(pickle.Pickler):
        """A pickler that hands tensors over as arrays."""

        def reducer_override(self, what: Any) -> Any:
            if type(what) is not torch.Tensor or what.device.type != "cpu" or what.requires_grad:
                return NotImplemented
            odd = what.is_quantized or what.is_conj() or what.is_neg()
            if what.layout != torch.strided or odd:
                return NotImplemented
            plain = what.contiguous().reshape(-1).view(torch.uint8).numpy()
            return _tensor, (plain, str(what.dtype).removeprefix("torch."), tuple(what.shape))

    file = io.BytesIO()
    Pickler(file, protocol=5, buffer_callback=keep).dump(value)
    return file.getvalue()


def _tensor(plain: Any, dtype: str, shape: tuple[int, ...]) -> Any:
    """Return a tensor of the bytes of an array."""
    import torch

    return torch.from_numpy(plain).view(getattr(torch, dtype)).reshape(shape)
