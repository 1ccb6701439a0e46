"""Decoders that stand in for those of torchcodec, which need FFmpeg and PyTorch."""

from __future__ import annotations

import sys
from typing import Any


class LikeTorchcodec:
    """A decoder with the methods of one of torchcodec, which `datasets` gives.

    Once torchcodec is loaded, `isinstance` takes it for that one: code that was written for
    `datasets` asks so what it has.
    """

    @property  # type: ignore[misc]  # as unittest.mock does
    def __class__(self) -> Any:
        """The class of torchcodec of the same name, where it is loaded; else its own."""
        own = type(self)
        return getattr(sys.modules.get("torchcodec.decoders"), own.__name__, own)

    def __reduce__(self) -> Any:
        return _restored, (type(self), self.__getstate__())


def _restored(kind: type, state: dict[str, Any]) -> Any:
    """Return a decoder that was pickled."""
    result: Any = object.__new__(kind)
    result.__dict__.update(state)
    return result
