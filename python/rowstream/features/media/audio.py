"""Audio."""

from __future__ import annotations

from dataclasses import dataclass, field

from rowstream.features.media.base import MediaFeature
from rowstream.features.scalar import type_field


@dataclass
class Audio(MediaFeature):
    """A sound.

    Args:
        sampling_rate: what decoding is to give.
        decode: whether rows are decoded, or else `{"bytes": …, "path": …}`.
        num_channels: what decoding is to give.
        stream_index: which stream of the file.
    """

    sampling_rate: int | None = None
    decode: bool = True
    num_channels: int | None = None
    stream_index: int | None = None
    id: str | None = field(default=None, repr=False)
    _type: str = type_field("Audio")

    __hash__ = object.__hash__
