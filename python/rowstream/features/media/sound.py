"""Sound files: samples as NumPy arrays, read by soundfile when they are asked for."""

from __future__ import annotations

import os
import wave
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any

from rowstream.exceptions import UnsupportedError
from rowstream.features.media.base import content_of
from rowstream.features.media.torchcodec import LikeTorchcodec
from rowstream.utils.cached import cached_property
from rowstream.utils.optional import import_optional

if TYPE_CHECKING:
    import numpy as np


@dataclass
class AudioSamples:
    """Samples of a sound, as torchcodec's class of this name has them.

    Attributes:
        data: A torch tensor of shape (channels, samples), of `float32` from -1 to 1; a NumPy array
            where torch is not installed.
        pts_seconds: When the first of them is played.
        duration_seconds: How long they are.
        sample_rate: Samples in a second.
    """

    data: Any
    pts_seconds: float
    duration_seconds: float
    sample_rate: int

    def __iter__(self) -> Iterator[Any]:
        """Yield the four values in order."""
        return iter((self.data, self.pts_seconds, self.duration_seconds, self.sample_rate))


@dataclass
class AudioMetadata:
    """What a sound file says of itself.

    Attributes:
        sample_rate: Samples in a second, as the file has them.
        num_channels: The number of channels, as the file has them.
        duration_seconds: How long it is.
        codec: The encoding of the samples, as libsndfile names it.
        path: The path or URL of the file, if it is known.
    """

    sample_rate: int
    num_channels: int
    duration_seconds: float
    codec: str
    path: str | None


class AudioDecoder(LikeTorchcodec):
    """A sound file, read when its samples are asked for.

    It has the methods of torchcodec's `AudioDecoder`, and can be read as the dict that older
    versions of `datasets` returned: `audio["array"]`, `audio["sampling_rate"]`, `audio["path"]`.

    Args:
        content: The bytes of the file; read from `path` if `None`.
        path: The path or URL of the file.
        sample_rate: The sampling rate in Hz to return; the file's own if `None`.
        num_channels: The number of channels to return; the file's own if `None`.
        stream_index: 0 or `None`.

    Raises:
        UnsupportedError: Another stream than the first is asked for.
    """

    def __init__(
        self,
        content: bytes | None,
        path: str | None = None,
        *,
        sample_rate: int | None = None,
        num_channels: int | None = None,
        stream_index: int | None = None,
    ) -> None:
        if stream_index not in (None, 0):
            raise UnsupportedError(
                f"stream_index={stream_index}: sound files that libsndfile reads have one stream"
            )
        self._content, self._path = content, path
        self._rate, self._channels = sample_rate, num_channels
        self.stream_index = 0

    @property
    def encoded(self) -> dict[str, Any]:
        """The dict that is stored: the path if there is one and no bytes, otherwise the bytes."""
        return {"path": self._path, "bytes": self._content}

    def _file(self) -> Any:
        sound = import_optional("soundfile", "sounds", "soundfile")
        # libsndfile reads a file of this machine itself, without calls of Python.
        here = self._content is None and self._path is not None and os.path.isfile(self._path)
        of: Any = self._path if here else BytesIO(content_of(self._content, self._path))
        try:
            return sound.SoundFile(of)
        except (sound.LibsndfileError, TypeError) as error:
            raise ValueError(
                f"{self._path or 'the bytes'}: no sound file that libsndfile reads"
                f" ({str(error).rstrip('.')}); Audio(decode=False) gives its bytes"
            ) from error

    @cached_property
    def metadata(self) -> AudioMetadata:
        """What the file says of itself."""
        with self._file() as file:
            return AudioMetadata(
                file.samplerate,
                file.channels,
                file.frames / file.samplerate,
                file.subtype,
                self._path,
            )

    @property
    def sampling_rate(self) -> int:
        """The sampling rate in Hz of the samples that are returned."""
        return self._rate or self.metadata.sample_rate

    @cached_property
    def _samples(self) -> np.ndarray[Any, Any]:
        """All samples, of shape (channels, samples)."""
        import numpy as np

        with self._file() as file:
            rate = file.samplerate
            if file.seekable():
                samples = file.read(dtype="float32", always_2d=True)
            else:
                # Of some encodings the number of samples is known only at the end.
                parts = [np.zeros((0, file.channels), np.float32)]
                while len(part := file.read(_BLOCK, dtype="float32", always_2d=True)):
                    parts.append(part)
                samples = np.concatenate(parts)
        wanted, has = self._channels, samples.shape[1]
        if wanted == 1 and has > 1:
            samples = samples.mean(axis=1, keepdims=True)
        elif wanted is not None and wanted != has:
            if has != 1:
                raise UnsupportedError(
                    f"num_channels={wanted}: the sound has {has} channels, which become one or stay"
                    " as they are"
                )
            samples = np.repeat(samples, wanted, axis=1)
        if self._rate is not None and self._rate != rate:
            samples = resampled(samples, rate, self._rate)
        return np.ascontiguousarray(samples.T)

    def get_all_samples(self) -> AudioSamples:
        """Return all samples of the sound."""
        return self._part(0, self._samples.shape[1])

    def get_samples_played_in_range(
        self, start_seconds: float = 0.0, stop_seconds: float | None = None
    ) -> AudioSamples:
        """Return the samples from one time up to another.

        Args:
            start_seconds: When the first of them is played.
            stop_seconds: When the first is played that is no longer wanted; the end if `None`.

        Raises:
            ValueError: The range ends before it begins, or begins after the end.
        """
        rate, n = self.sampling_rate, self._samples.shape[1]
        if stop_seconds is not None and stop_seconds < start_seconds:
            raise ValueError(
                f"start_seconds={start_seconds} must not be above stop_seconds={stop_seconds}"
            )
        start = max(0, int(start_seconds * rate + 0.5))
        stop = n if stop_seconds is None else min(n, int(stop_seconds * rate + 0.5))
        if start >= n > 0:
            raise ValueError(f"start_seconds={start_seconds}: the sound ends at {n / rate} s")
        return self._part(start, max(start, stop))

    def _part(self, start: int, stop: int) -> AudioSamples:
        rate = self.sampling_rate
        data = tensor(self._samples[:, start:stop])
        return AudioSamples(data, start / rate, (stop - start) / rate, rate)

    def __getitem__(self, name: str) -> Any:
        """Return `"array"`, `"sampling_rate"` or `"path"`, as `datasets` before 4.0 returned them.

        The array has the mean of several channels.
        """
        if name == "array":
            samples = self._samples
            return samples[0] if len(samples) == 1 else samples.mean(axis=0)
        if name == "sampling_rate":
            return self.sampling_rate
        if name == "path":
            return self._path
        raise KeyError(f"{name!r}: a sound has 'array', 'sampling_rate' and 'path'")

    def get(self, name: str, default: Any = None) -> Any:
        """Return what `[name]` returns, or `default` where that is nothing."""
        return self[name] if name in self.keys() else default

    def keys(self) -> tuple[str, ...]:
        """Return the names for `[]`, so that `dict(audio)` works."""
        return ("path", "array", "sampling_rate")

    def __contains__(self, name: object) -> bool:
        return name in self.keys()

    def __iter__(self) -> Iterator[str]:
        """Yield the names for `[]`."""
        return iter(self.keys())

    def __getstate__(self) -> dict[str, Any]:
        """Return the state for pickle, without samples that were read."""
        state = self.__dict__.copy()
        state.pop("_samples", None)
        return state

    def __repr__(self) -> str:
        what = self._path or f"{len(self._content or b'')} bytes"
        more = "" if self._rate is None else f", sample_rate={self._rate}"
        return f"AudioDecoder({what}{more})"


def resampled(samples: np.ndarray[Any, Any], rate: int, wanted: int) -> np.ndarray[Any, Any]:
    """Return samples of shape (samples, channels) at another rate, by soxr at high quality."""
    import numpy as np

    soxr = import_optional("soxr", "sounds at another sampling rate", "soxr")
    length = (2 * len(samples) * wanted + rate) // (2 * rate)
    result = np.asarray(soxr.resample(samples, rate, wanted, quality="HQ"), np.float32)
    if len(result) < length:
        rest = np.zeros((length - len(result), result.shape[1]), np.float32)
        result = np.concatenate([result, rest])
    return result[:length]


_BLOCK = 1 << 16  # samples that are read at once, where their number is not known
_MOST_CHANNELS = 1024  # what libsndfile reads


def wav_bytes(array: Any, rate: int) -> bytes:
    """Return samples as a WAV file of 16 bits.

    Args:
        array: Samples, or channels by samples: floats from -1 to 1, which are clipped, or 16-bit
            integers, which are kept.
        rate: Samples in a second.

    Raises:
        ValueError: The array has more than two dimensions, or is not of numbers.
    """
    import numpy as np

    samples = np.asarray(array.detach().cpu() if hasattr(array, "detach") else array)
    if samples.ndim == 2 and samples.shape[0] > _MOST_CHANNELS:
        raise ValueError(
            f"sounds are arrays of channels by samples, found the shape {samples.shape}: transpose"
            " it"
        )
    if samples.ndim not in (1, 2) or samples.dtype.kind not in "iuf":
        raise ValueError(
            "sounds are arrays of samples, or of channels by samples, found the shape"
            f" {samples.shape} of {samples.dtype}"
        )
    if samples.dtype != np.int16:
        if samples.dtype.kind != "f":
            raise ValueError(
                f"samples are floats from -1 to 1, or int16, not {samples.dtype}: divide them by"
                " the largest value of their type"
            )
        scaled = np.round(samples.astype(np.float64) * 32768)
        samples = np.clip(np.nan_to_num(scaled), -32768, 32767).astype(np.int16)
    frames = samples.reshape(-1, 1) if samples.ndim == 1 else samples.T
    buffer = BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(frames.shape[1])
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.ascontiguousarray(frames, "<i2").tobytes())
    return buffer.getvalue()


def tensor(array: Any) -> Any:
    """Return an array as a torch tensor, or as it is where torch is not installed."""
    try:
        import torch
    except ImportError:
        return array
    return torch.from_numpy(array if array.flags.writeable else array.copy())
