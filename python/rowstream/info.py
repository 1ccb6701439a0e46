"""What is known about a data set."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rowstream.features import Features


@dataclass(frozen=True)
class SplitInfo:
    """What is known about a split: its rows, and the bytes of its files."""

    name: str
    num_bytes: int = 0
    num_examples: int | None = 0


@dataclass(frozen=True)
class DatasetInfo:
    """What is known about a data set; what is not is `None` or empty.

    Attributes:
        features: the types of the columns.
        builder_name: the format, such as `"parquet"`.
        download_size: bytes of the files.
        splits: a `SplitInfo` for each split.
    """

    description: str = ""
    citation: str = ""
    homepage: str = ""
    license: str = ""
    features: Features | None = None
    supervised_keys: Any = None
    builder_name: str | None = None
    dataset_name: str | None = None
    config_name: str | None = None
    version: str | None = None
    splits: dict[str, SplitInfo] | None = None
    download_checksums: dict[str, Any] | None = None
    download_size: int | None = None
    dataset_size: int | None = None
    size_in_bytes: int | None = None

    def copy(self) -> DatasetInfo:
        """A copy."""
        return replace(self)
