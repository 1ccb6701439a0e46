"""The metadata of a dataset as attributes, for map-style datasets and streams."""

from __future__ import annotations

import functools
import sys
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from rowstream.info import DatasetInfo


@functools.cache
def _both(cls: type, theirs: type) -> type:
    return type(cls.__name__, (cls, theirs), {"__module__": cls.__module__})


def seen_class(cls: type, name: str) -> type:
    """Return what `__class__` says of an object of a class, for the checks of trainers.

    Where `datasets` is loaded, it is a class that inherits from its class `name`, too, so that
    `isinstance` takes our datasets for its own. `type` says what they are, and nothing of theirs
    is inherited.
    """
    theirs = getattr(sys.modules.get("datasets"), name, None)
    if not isinstance(theirs, type) or issubclass(cls, theirs) or issubclass(theirs, cls):
        return cls
    return _both(cls, theirs)  # type: ignore[arg-type]


def restored(cls: type, state: Any) -> Any:
    """Return an object with a state, for pickle, which compares a class with `__class__`."""
    result: Any = object.__new__(cls)
    if hasattr(result, "__setstate__"):
        result.__setstate__(state)
    else:
        result.__dict__.update(state)
    return result


class SeenByTrainers:
    """A first base: `isinstance` of the class of `datasets` with the name `_theirs` is true."""

    _theirs: ClassVar[str]

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        """The class, for `isinstance`."""
        return seen_class(type(self), self._theirs)

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Return what pickle needs."""
        if type(self).__reduce__ is not object.__reduce__:
            return self.__reduce__()  # a user's own
        return restored, (type(self), self.__getstate__())


class DatasetInfoMixin:
    """The metadata in `ds.info` as attributes of the dataset, such as `ds.description`."""

    _info: DatasetInfo
    _split: Any

    @property
    def info(self) -> DatasetInfo:
        """The metadata of the dataset: a `DatasetInfo`.

        Example:
            >>> Dataset.from_dict({"a": [1]}).info.features
            {'a': Value('int64')}
        """
        return self._info

    @property
    def split(self) -> Any:
        """The name of the split, or `None` if the dataset has none.

        Example:
            >>> Dataset.from_dict({"a": [1]}, split="train").split
            NamedSplit('train')
        """
        return self._split

    @property
    def builder_name(self) -> str | None:
        """The name of the builder or file format that the dataset was loaded with.

        Example:
            >>> write_jsonl("train.jsonl", [{"a": 1}])
            1
            >>> load_dataset("json", data_files="train.jsonl", split="train").builder_name
            'json'
        """
        return self._info.builder_name

    @property
    def citation(self) -> str:
        """The citation of the dataset, usually BibTeX; an empty string if there is none.

        Example:
            >>> Dataset.from_dict({"a": [1]}, info=DatasetInfo(citation="@misc{...}")).citation
            '@misc{...}'
        """
        return self._info.citation

    @property
    def config_name(self) -> str | None:
        """The name of the configuration (subset) that the dataset was loaded with.

        Example:
            >>> Dataset.from_dict({"a": [1]}, info=DatasetInfo(config_name="en")).config_name
            'en'
        """
        return self._info.config_name

    @property
    def dataset_size(self) -> int | None:
        """The size of the rows of all splits in bytes, or `None` if it is not known.

        Example:
            >>> Dataset.from_dict({"a": [1]}, info=DatasetInfo(dataset_size=8)).dataset_size
            8
        """
        return self._info.dataset_size

    @property
    def description(self) -> str:
        """The description of the dataset; an empty string if there is none.

        Example:
            >>> Dataset.from_dict({"a": [1]}, info=DatasetInfo(description="Digits.")).description
            'Digits.'
        """
        return self._info.description

    @property
    def download_checksums(self) -> dict[str, Any] | None:
        """The checksums of the downloaded files by URL, or `None` if they are not known.

        Example:
            >>> Dataset.from_dict({"a": [1]}).download_checksums is None
            True
        """
        return self._info.download_checksums

    @property
    def download_size(self) -> int | None:
        """The size of the downloaded files in bytes, or `None` if it is not known.

        Example:
            >>> Dataset.from_dict({"a": [1]}, info=DatasetInfo(download_size=512)).download_size
            512
        """
        return self._info.download_size

    @property
    def homepage(self) -> str | None:
        """The URL of the homepage of the dataset; an empty string if there is none.

        Example:
            >>> info = DatasetInfo(homepage="https://example.org")
            >>> Dataset.from_dict({"a": [1]}, info=info).homepage
            'https://example.org'
        """
        return self._info.homepage

    @property
    def license(self) -> str | None:
        """The name or text of the license; an empty string if there is none.

        Example:
            >>> Dataset.from_dict({"a": [1]}, info=DatasetInfo(license="mit")).license
            'mit'
        """
        return self._info.license

    @property
    def size_in_bytes(self) -> int | None:
        """The size of the downloaded files and the rows together in bytes, or `None`.

        Example:
            >>> Dataset.from_dict({"a": [1]}, info=DatasetInfo(size_in_bytes=520)).size_in_bytes
            520
        """
        return self._info.size_in_bytes

    @property
    def supervised_keys(self) -> Any:
        """The names of the input and the target column for supervised learning, or `None`.

        Example:
            >>> info = DatasetInfo(supervised_keys=("text", "label"))
            >>> Dataset.from_dict({"text": ["a"], "label": [0]}, info=info).supervised_keys.output
            'label'
        """
        return self._info.supervised_keys

    @property
    def version(self) -> Any:
        """The version of the dataset, or `None` if it is not known.

        Example:
            >>> str(Dataset.from_dict({"a": [1]}, info=DatasetInfo(version="1.2.0")).version)
            '1.2.0'
        """
        return self._info.version
