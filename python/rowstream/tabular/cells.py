"""Cells of tables as text: what is empty, and how values are written."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any
from zlib import crc32

_PLAIN = frozenset([str, int, float, bool, type(None)])
_MOST_WHOLE = 1e15


def plain(value: Any) -> Any:
    """Return a cell as Python has it: numbers of NumPy and torch as such, what is empty as `None`.

    Whole numbers have no decimals, which tables give them beside gaps; NaN and empty texts are
    empty, as are NA and NaT of pandas.
    """
    kind = type(value)
    if kind not in _PLAIN:
        if kind.__name__ in ("NAType", "NaTType"):
            return None
        if getattr(value, "ndim", None) == 0 and hasattr(value, "item"):
            value = value.item()
        elif hasattr(value, "tolist"):
            return value.tolist()
        elif isinstance(value, str):
            value = str.__str__(value)
    if isinstance(value, float):
        if math.isnan(value):
            return None
        return int(value) if value.is_integer() and abs(value) < _MOST_WHOLE else value
    return None if isinstance(value, str) and not value else value


def key_of_cells(cells: Iterable[str]) -> str:
    """Return what stands for the cells of a row, given their texts."""
    return "\x1f".join(cells)


def variant_of(seed: int, key: str, count: int) -> int:
    """Return which of some variants a row has: by the seed and what its cells say.

    So it depends neither on batches, workers and ranks, nor on the rows before.
    """
    # The CRC of 32 bits, mixed by the last steps of SplitMix64, since its own bits are not.
    x = (crc32(key.encode("utf-8", "surrogatepass")) + seed * 0x9E3779B97F4A7C15) % 2**64
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) % 2**64
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) % 2**64
    return (x ^ (x >> 31)) % count
