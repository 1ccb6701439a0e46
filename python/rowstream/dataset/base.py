"""What is known of a data set, as attributes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rowstream.info import DatasetInfo


class DatasetInfoMixin:
    """`ds.description` and the like: what `ds.info` says."""

    _info: DatasetInfo
    _split: Any

    @property
    def info(self) -> DatasetInfo:
        """All that is known."""
        return self._info

    @property
    def split(self) -> Any:
        """The name of the split; `None` without one."""
        return self._split

    @property
    def builder_name(self) -> str | None:
        """What made it."""
        return self._info.builder_name

    @property
    def citation(self) -> str:
        """How to cite it."""
        return self._info.citation

    @property
    def config_name(self) -> str | None:
        """The configuration."""
        return self._info.config_name

    @property
    def dataset_size(self) -> int | None:
        """The bytes of all its rows."""
        return self._info.dataset_size

    @property
    def description(self) -> str:
        """What it is."""
        return self._info.description

    @property
    def download_checksums(self) -> dict[str, Any] | None:
        """The checksums of its files."""
        return self._info.download_checksums

    @property
    def download_size(self) -> int | None:
        """The bytes of its files."""
        return self._info.download_size

    @property
    def homepage(self) -> str | None:
        """Where it is described."""
        return self._info.homepage

    @property
    def license(self) -> str | None:
        """What may be done with it."""
        return self._info.license

    @property
    def size_in_bytes(self) -> int | None:
        """The bytes of files and rows."""
        return self._info.size_in_bytes

    @property
    def supervised_keys(self) -> Any:
        """The columns of what is given and what is to be found."""
        return self._info.supervised_keys

    @property
    def version(self) -> Any:
        """Its version."""
        return self._info.version
