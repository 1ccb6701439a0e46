"""The feature of audio files."""

from __future__ import annotations

from dataclasses import dataclass, field

from rowstream.features.media.base import MediaFeature
from rowstream.features.scalar import type_field


@dataclass
class Audio(MediaFeature):
    """The feature of audio files, stored as bytes and a path.

    This version does not decode audio: reading a row raises `UnsupportedError` unless
    `decode=False`, with which a row has `{"bytes": …, "path": …}`. The other settings are kept and
    written with the features.

    Args:
        sampling_rate: The sampling rate in Hz that decoding should return; the file's own if
            `None`.
        decode: Decode the files. It has to be `False` to read rows.
        num_channels: The number of channels that decoding should return; the file's own if `None`.
        stream_index: The audio stream to use, if the file has several.
        id: A free text that is kept with the feature, as in `datasets`.

    Example:
        >>> features = Features({"audio": Audio(sampling_rate=16000, decode=False)})
        >>> Dataset.from_dict({"audio": ["a.wav"]}, features=features)[0]
        {'audio': {'bytes': None, 'path': 'a.wav'}}
    """

    sampling_rate: int | None = None
    decode: bool = True
    num_channels: int | None = None
    stream_index: int | None = None
    id: str | None = field(default=None, repr=False)
    _type: str = type_field("Audio")

    __hash__ = object.__hash__
