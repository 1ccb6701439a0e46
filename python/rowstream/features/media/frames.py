"""Video files: frames as tensors, decoded by PyAV when they are asked for."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from rowstream.exceptions import InvalidArgumentError, UnsupportedError
from rowstream.features.media.base import content_of
from rowstream.features.media.sound import tensor
from rowstream.features.media.torchcodec import LikeTorchcodec
from rowstream.utils.cached import cached_property
from rowstream.utils.optional import import_optional


@dataclass
class Frame:
    """One frame, as torchcodec's class of this name has it.

    Attributes:
        data: A torch tensor of `uint8`, of shape (3, height, width), or (height, width, 3) for
            `dimension_order="NHWC"`; a NumPy array where torch is not installed.
        pts_seconds: When it is shown.
        duration_seconds: How long.
    """

    data: Any
    pts_seconds: float
    duration_seconds: float


@dataclass
class FrameBatch:
    """Several frames.

    Attributes:
        data: As in `Frame`, with the frames as first dimension.
        pts_seconds: When each is shown.
        duration_seconds: How long each is shown.
    """

    data: Any
    pts_seconds: Any
    duration_seconds: Any

    def __len__(self) -> int:
        return len(self.data)

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames one by one."""
        for data, pts, duration in zip(
            self.data, self.pts_seconds, self.duration_seconds, strict=True
        ):
            yield Frame(data, float(pts), float(duration))


@dataclass
class VideoMetadata:
    """What a video file says of itself.

    Attributes:
        width: Pixels of a line.
        height: Lines of a frame.
        num_frames: The number of frames.
        average_fps: Frames in a second.
        duration_seconds: How long it is.
        codec: How it is compressed.
        path: The path or URL of the file, if it is known.
        begin_stream_seconds: When the first frame is shown.
        end_stream_seconds: When the last frame is no longer shown.
    """

    width: int
    height: int
    num_frames: int
    average_fps: float
    duration_seconds: float
    codec: str
    path: str | None
    begin_stream_seconds: float
    end_stream_seconds: float


class VideoDecoder(LikeTorchcodec):
    """A video file, of which frames are decoded when they are asked for.

    It has the methods of torchcodec's `VideoDecoder` for the CPU.

    Args:
        content: The bytes of the file; read from `path` if `None`.
        path: The path or URL of the file.
        stream_index: The number of the video stream among all streams; the first one if `None`.
        dimension_order: `"NCHW"` or `"NHWC"`.
        num_ffmpeg_threads: The number of threads; as many as FFmpeg likes if 0.
        device: `"cpu"`.

    Raises:
        InvalidArgumentError: `dimension_order` is something else.
        UnsupportedError: The device is not the CPU.
    """

    def __init__(
        self,
        content: bytes | None,
        path: str | None = None,
        *,
        stream_index: int | None = None,
        dimension_order: str = "NCHW",
        num_ffmpeg_threads: int = 1,
        device: Any = "cpu",
    ) -> None:
        if dimension_order not in ("NCHW", "NHWC"):
            raise InvalidArgumentError(
                f'dimension_order is "NCHW" or "NHWC", not {dimension_order!r}'
            )
        if str(device) != "cpu":
            raise UnsupportedError(
                f"device={str(device)!r}: videos are decoded on the CPU; Video(decode=False) gives"
                " the bytes for torchcodec"
            )
        self._content, self._path = content, path
        self.stream_index = stream_index
        self._order, self._threads = dimension_order, num_ffmpeg_threads

    @property
    def encoded(self) -> dict[str, Any]:
        """The dict that is stored."""
        return {"path": self._path, "bytes": self._content}

    @contextmanager
    def _stream(self) -> Iterator[tuple[Any, Any]]:
        """Open the file: the container, and its video stream."""
        av = import_optional("av", "videos", "av")
        with av.open(BytesIO(content_of(self._content, self._path))) as container:
            if self.stream_index is None:
                streams = container.streams.video
                if not streams:
                    raise ValueError(f"{self._path or 'the bytes'}: there is no video stream")
                stream = streams[0]
            else:
                of = container.streams
                if not 0 <= self.stream_index < len(of) or of[self.stream_index].type != "video":
                    raise ValueError(
                        f"stream_index={self.stream_index}: no video stream of the file's {len(of)}"
                        " streams"
                    )
                stream = of[self.stream_index]
            if self._threads != 1:
                stream.thread_type = "AUTO"
                stream.thread_count = self._threads
            yield container, stream

    @cached_property
    def _times(self) -> list[tuple[float, float, int, bool]]:
        """When each frame is shown, for how long, its time in the file, and whether it is a key."""
        with self._stream() as (container, stream):
            base = float(stream.time_base)
            packets = [
                (packet.pts, packet.duration or 0, packet.is_keyframe)
                for packet in container.demux(stream)
                if packet.pts is not None and packet.size and not packet.is_discard
            ]
        packets.sort()
        return [(pts * base, duration * base, pts, key) for pts, duration, key in packets]

    @cached_property
    def metadata(self) -> VideoMetadata:
        """What the file says of itself."""
        times = self._times
        with self._stream() as (_, stream):
            rate = float(stream.average_rate or 0)
            width, height, codec = stream.width, stream.height, stream.codec_context.name
        begin, end = (times[0][0], times[-1][0] + times[-1][1]) if times else (0.0, 0.0)
        return VideoMetadata(
            width,
            height,
            len(times),
            rate,
            end - begin,
            codec,
            self._path,
            begin,
            end,
        )

    def __len__(self) -> int:
        return len(self._times)

    def _frames(self, wanted: Sequence[int]) -> dict[int, Any]:
        """Decode frames by number, from the key frame before each run of them on."""
        result: dict[int, Any] = {}
        times = self._times
        numbers = {one[2]: i for i, one in enumerate(times)}
        left = sorted(set(wanted))
        with self._stream() as (container, stream):
            while left:
                first = left[0]
                key = next((i for i in range(first, -1, -1) if times[i][3]), 0)
                container.seek(times[key][2], stream=stream, backward=True, any_frame=False)
                # Frames on the way to those beyond the next key frame need not be decoded.
                near = [i for i in left if i - first <= _NEAR + sum(j < i for j in left)]
                before = len(result)
                for frame in container.decode(stream):
                    i = numbers.get(frame.pts)
                    if i in near and i not in result:
                        result[i] = frame.to_ndarray(format="rgb24")
                    if i is not None and i >= near[-1]:
                        break
                left = [i for i in left if i not in result]
                if len(result) == before:
                    raise ValueError(
                        f"{self._path or 'the bytes'}: frame {first} could not be decoded"
                    )
        return result

    def _batch(self, numbers: Iterable[int]) -> FrameBatch:
        import numpy as np

        numbers = [self._number(i) for i in numbers]
        frames = self._frames(numbers)
        if numbers:
            data = np.stack([frames[i] for i in numbers])
        else:
            data = np.zeros((0, self.metadata.height, self.metadata.width, 3), np.uint8)
        if self._order == "NCHW":
            data = np.ascontiguousarray(data.transpose(0, 3, 1, 2))
        times = np.array([self._times[i][:2] for i in numbers], np.float64).reshape(-1, 2)
        return FrameBatch(tensor(data), tensor(times[:, 0].copy()), tensor(times[:, 1].copy()))

    def _number(self, i: int) -> int:
        n = len(self)
        if not -n <= i < n:
            raise IndexError(f"frame {i} of a video of {n} frames")
        return i % n

    def __getitem__(self, i: int | slice) -> Any:
        """Return a frame, or the frames of a slice, as a tensor."""
        if isinstance(i, slice):
            return self._batch(range(*i.indices(len(self)))).data
        return self._batch([i]).data[0]

    def __iter__(self) -> Iterator[Any]:
        """Yield all frames as tensors, a few at a time in memory."""
        for start in range(0, len(self), _NEAR):
            yield from self._batch(range(start, min(start + _NEAR, len(self)))).data

    def get_frame_at(self, index: int) -> Frame:
        """Return a frame by its number.

        Args:
            index: The number, from 0; from the end if negative.

        Raises:
            IndexError: There is no such frame.
        """
        return next(iter(self._batch([index])))

    def get_frames_at(self, indices: Iterable[int]) -> FrameBatch:
        """Return frames by their numbers.

        Args:
            indices: The numbers.

        Raises:
            IndexError: There is no such frame.
        """
        return self._batch(int(i) for i in indices)

    def get_frames_in_range(self, start: int, stop: int, step: int = 1) -> FrameBatch:
        """Return the frames of a range of numbers.

        Args:
            start: The first number.
            stop: The number after the last.
            step: The distance between two.

        Raises:
            IndexError: The range is not in the video.
        """
        return self._batch(range(start, stop, step))

    def get_frame_played_at(self, seconds: float) -> Frame:
        """Return the frame that is shown at a time.

        Args:
            seconds: The time.

        Raises:
            IndexError: Nothing is shown then.
        """
        return self.get_frame_at(self._shown(seconds))

    def get_frames_played_at(self, seconds: Iterable[float]) -> FrameBatch:
        """Return the frames that are shown at some times.

        Args:
            seconds: The times.

        Raises:
            IndexError: Nothing is shown then.
        """
        return self._batch([self._shown(float(one)) for one in seconds])

    def get_frames_played_in_range(self, start_seconds: float, stop_seconds: float) -> FrameBatch:
        """Return the frames that are shown from one time up to another.

        Args:
            start_seconds: When the first of them is shown, or still shown.
            stop_seconds: When the first is shown that is no longer wanted.

        Raises:
            IndexError: Nothing is shown at `start_seconds`.
        """
        if stop_seconds <= start_seconds:
            return self._batch([])
        starts = [one[0] for one in self._times]
        first = self._shown(start_seconds)
        last = bisect_right(starts, stop_seconds - 1e-9)
        return self._batch(range(first, max(first, last)))

    def get_all_frames(self) -> FrameBatch:
        """Return all frames of the video."""
        return self._batch(range(len(self)))

    def _shown(self, seconds: float) -> int:
        times = self._times
        i = bisect_right([one[0] for one in times], seconds + 1e-9) - 1
        if i < 0 or seconds >= times[-1][0] + max(times[-1][1], 1e-9):
            end = times[-1][0] + times[-1][1] if times else 0.0
            raise IndexError(f"nothing is shown at {seconds} s: the video ends at {end:.3f} s")
        return i

    def __repr__(self) -> str:
        what = self._path or f"{len(self._content or b'')} bytes"
        return f"VideoDecoder({what})"


_NEAR = 32
"""Frames that lie so near to each other are decoded on one way."""
