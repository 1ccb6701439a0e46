"""The feature of audio files."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

from rowstream.features.media.base import MediaFeature
from rowstream.features.media.sound import AudioDecoder, wav_bytes
from rowstream.features.scalar import type_field


@dataclass
class Audio(MediaFeature):
    """The feature of audio files, stored as bytes and a path, and decoded by soundfile.

    Values may be paths, bytes, dicts of both, or `{"array", "sampling_rate"}` with samples from -1
    to 1, which are stored as a 16-bit WAV file. A row has an `AudioDecoder`, which reads the file
    when its samples are asked for: WAV, FLAC, Ogg, MP3, AIFF and what else libsndfile reads,
    without FFmpeg.

    Args:
        sampling_rate: The sampling rate in Hz that decoding returns; the file's own if `None`.
        decode: Decode the files; if `False`, rows have `{"bytes": …, "path": …}`.
        num_channels: The number of channels that decoding returns; the file's own if `None`. One
            channel is the mean of all; one channel is repeated for more.
        stream_index: Accepted for files with several streams, of which libsndfile has none: only 0
            and `None` can be read.
        id: A free text that is kept with the feature, as in `datasets`.

    Example:
        >>> import numpy as np
        >>> sound = {"array": np.array([0.0, 0.5, -0.5]), "sampling_rate": 8000}
        >>> ds = Dataset.from_dict({"audio": [sound]}, features=Features({"audio": Audio()}))
        >>> ds[0]["audio"]["array"]
        array([ 0. ,  0.5, -0.5], dtype=float32)
        >>> ds.cast_column("audio", Audio(sampling_rate=16000))[0]["audio"]["sampling_rate"]
        16000
    """

    sampling_rate: int | None = None
    decode: bool = True
    num_channels: int | None = None
    stream_index: int | None = None
    id: str | None = field(default=None, repr=False)
    _type: str = type_field("Audio")

    article = "An audio sample"
    __hash__ = object.__hash__

    def encode_example(self, value: Any) -> dict[str, Any]:
        """Convert a path, bytes, samples, or a decoder to the dict that is stored.

        Args:
            value: A path, which is not opened; the bytes of a file; a dict of both; a dict of
                `"array"` (samples, or channels by samples) and `"sampling_rate"`; a dict with the
                path of a `.pcm` file and its `"sampling_rate"`; or an `AudioDecoder`.

        Raises:
            ValueError: The value is none of these.

        Example:
            >>> Audio().encode_example("a.wav")
            {'path': 'a.wav', 'bytes': None}
        """
        if isinstance(value, AudioDecoder):
            return value.encoded
        if isinstance(value, dict) and value.get("array") is not None:
            if value.get("sampling_rate") is None:
                raise ValueError("an audio array needs its 'sampling_rate' beside it")
            return {
                "path": None,
                "bytes": wav_bytes(value["array"], int(value["sampling_rate"])),
            }
        if isinstance(value, dict) and str(value.get("path") or "").lower().endswith(".pcm"):
            return self._of_pcm(value)
        if hasattr(value, "get_all_samples"):
            samples = value.get_all_samples()
            return {"path": None, "bytes": wav_bytes(samples.data, samples.sample_rate)}
        return super().encode_example(value)

    def _of_pcm(self, value: dict[str, Any]) -> dict[str, Any]:
        """Return a file of bare 16-bit samples as a WAV file."""
        import numpy as np

        if value.get("sampling_rate") is None:
            raise ValueError(
                "a .pcm file does not say its sampling rate: give it as 'sampling_rate' beside the"
                " path"
            )
        content = value.get("bytes")
        if content is None:
            with open(os.fspath(value["path"]), "rb") as file:
                content = file.read()
        samples = np.frombuffer(content, "<i2")
        return {"path": None, "bytes": wav_bytes(samples, int(value["sampling_rate"]))}

    def _decoded(self, content: bytes | None, path: str | None) -> Any:
        return AudioDecoder(
            content,
            path,
            sample_rate=self.sampling_rate,
            num_channels=self.num_channels,
            stream_index=self.stream_index,
        )

    def _of_arrays(self, arrays: Any, rates: Any) -> list[bytes | None]:
        return [
            None if one is None else wav_bytes(one, int(rate))
            for one, rate in zip(arrays, rates, strict=True)
        ]
