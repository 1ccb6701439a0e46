"""Names that code for `datasets` imports from its `utils.py_utils`."""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import is_dataclass
from typing import TYPE_CHECKING, Any

from rowstream.exceptions import InvalidArgumentError
from rowstream.features.features import plain

if TYPE_CHECKING:
    from collections.abc import Iterator


def asdict(obj: Any) -> dict[str, Any]:
    """A dataclass, or a dict that has some inside, as plain data without what is a default."""
    if not isinstance(obj, dict) and not (is_dataclass(obj) and not isinstance(obj, type)):
        raise TypeError(f"{obj} is not a dict or a dataclass")
    made: dict[str, Any] = plain(obj)
    return made


_UNITS = {"P": 50, "T": 40, "G": 30, "M": 20, "K": 10}


def convert_file_size_to_int(size: int | str) -> int:
    """The bytes that a text says: `"500MB"` (of 10⁶), `"1GiB"` (of 2³⁰).

    Raises:
        InvalidArgumentError: it says none.
    """
    if isinstance(size, int):
        return size
    found = re.fullmatch(r"\s*(\d+)\s*([PTGMK])(i?)B?\s*", size, re.IGNORECASE)
    if found is None:
        raise InvalidArgumentError(f"`size={size}` is not in a valid format. Use an integer followed by the unit, e.g., '5GB'.")
    number, unit, binary = int(found[1]), found[2].upper(), found[3]
    made = number * (1 << _UNITS[unit] if binary else 1000 ** (_UNITS[unit] // 10))
    return made // 8 if size.rstrip().endswith("b") and not binary else made


@contextmanager
def temp_seed(seed: int, set_pytorch: bool = False, set_tensorflow: bool = False) -> Iterator[None]:
    """NumPy's global generator, and that of torch if asked, begins at a seed, and afterwards goes on as before."""
    import numpy as np

    state = np.random.get_state()
    np.random.seed(seed)
    torch_state = None
    if set_pytorch:
        import torch

        torch_state = torch.random.get_rng_state()
        torch.random.manual_seed(seed)
    try:
        yield
    finally:
        np.random.set_state(state)
        if torch_state is not None:
            torch.random.set_rng_state(torch_state)
