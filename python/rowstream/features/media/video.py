"""Video."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from rowstream.features.media.base import MediaFeature
from rowstream.features.scalar import type_field


@dataclass
class Video(MediaFeature):
    """A film. Args: as those of `Audio`."""

    decode: bool = True
    stream_index: int | None = None
    dimension_order: str = "NCHW"
    num_ffmpeg_threads: int = 1
    device: Any = "cpu"
    seek_mode: str = "exact"
    id: str | None = field(default=None, repr=False)
    _type: str = type_field("Video")

    __hash__ = object.__hash__
