"""The feature of video files."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from rowstream.features.media.base import MediaFeature
from rowstream.features.scalar import type_field


@dataclass
class Video(MediaFeature):
    """The feature of video files, stored as bytes and a path.

    This version does not decode videos: reading a row raises `UnsupportedError` unless
    `decode=False`, with which a row has `{"bytes": …, "path": …}`. The other settings are kept and
    written with the features.

    Args:
        decode: Decode the files. It has to be `False` to read rows.
        stream_index: The video stream to use, if the file has several.
        dimension_order: The order of a frame's dimensions, `"NCHW"` or `"NHWC"`.
        num_ffmpeg_threads: The number of threads for decoding.
        device: The device for decoding, such as `"cpu"` or `"cuda"`.
        seek_mode: How frames are looked up: `"exact"`, or `"approximate"`, which is faster.
        id: A free text that is kept with the feature, as in `datasets`.

    Example:
        >>> features = Features({"video": Video(decode=False)})
        >>> Dataset.from_dict({"video": ["a.mp4"]}, features=features)[0]
        {'video': {'bytes': None, 'path': 'a.mp4'}}
    """

    decode: bool = True
    stream_index: int | None = None
    dimension_order: str = "NCHW"
    num_ffmpeg_threads: int = 1
    device: Any = "cpu"
    seek_mode: str = "exact"
    id: str | None = field(default=None, repr=False)
    _type: str = type_field("Video")

    __hash__ = object.__hash__
