"""The feature of video files."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from rowstream.features.media.base import MediaFeature
from rowstream.features.media.frames import VideoDecoder
from rowstream.features.scalar import type_field


@dataclass
class Video(MediaFeature):
    """The feature of video files, stored as bytes and a path, and decoded by PyAV.

    A row has a `VideoDecoder`, which decodes frames when they are asked for: `video[0]`,
    `video[10:20]`, iteration, and the methods of torchcodec's class of that name. PyAV brings
    FFmpeg with it.

    Args:
        decode: Decode the files; if `False`, rows have `{"bytes": …, "path": …}`.
        stream_index: The video stream to use, if the file has several; the first if `None`.
        dimension_order: The order of a frame's dimensions, `"NCHW"` or `"NHWC"`.
        num_ffmpeg_threads: The number of threads for decoding; as many as FFmpeg likes if 0.
        device: `"cpu"`; frames on other devices need torchcodec.
        seek_mode: Accepted for torchcodec: frames are always found exactly.
        id: A free text that is kept with the feature, as in `datasets`.

    Example:
        >>> features = Features({"video": Video(decode=False)})
        >>> Dataset.from_dict({"video": ["a.mp4"]}, features=features)[0]
        {'video': MediaRef(path='a.mp4', bytes=None)}
    """

    decode: bool = True
    stream_index: int | None = None
    dimension_order: str = "NCHW"
    num_ffmpeg_threads: int = 1
    device: Any = "cpu"
    seek_mode: str = "exact"
    id: str | None = field(default=None, repr=False)
    _type: str = type_field("Video")

    dtype = "torchcodec.decoders.VideoDecoder"
    article = "A video"
    __hash__ = object.__hash__

    def _encode(self, value: Any) -> dict[str, Any] | None:
        return value.encoded if isinstance(value, VideoDecoder) else None

    def _decoded(self, content: bytes | None, path: str | None) -> Any:
        return VideoDecoder(
            content,
            path,
            stream_index=self.stream_index,
            dimension_order=self.dimension_order,
            num_ffmpeg_threads=self.num_ffmpeg_threads,
            device=self.device,
        )
