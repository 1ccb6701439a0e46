"""Builders: classes that make the splits of a data set, a user's own among them.

A subclass says what the data set is (`_info`), what its splits are made of (`_split_generators`)
and how their rows come (`_generate_examples`, or `_generate_tables` for Arrow tables). It is then
read as a stream, or written once into files that are mapped. The class is always one of this
process: no code is ever downloaded.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from rowstream import config
from rowstream.builder.config import origin
from rowstream.builder.prepare import BuilderPreparation
from rowstream.builder.url_open import opens_urls
from rowstream.dataset.combine import concatenate_datasets
from rowstream.dataset.iterable.dataset import IterableDataset
from rowstream.dataset.iterable.dataset_dict import IterableDatasetDict
from rowstream.dataset.map_style.dataset import Dataset
from rowstream.dataset.map_style.dataset_dict import DatasetDict
from rowstream.dataset.splits import chosen_splits
from rowstream.exceptions import (
    DataFilesNotFoundError,
    FileFormatError,
    InvalidArgumentError,
    UnsupportedError,
)
from rowstream.fingerprint.hasher import Hasher
from rowstream.splits.names import NamedSplit
from rowstream.storage.download_config import DownloadConfig
from rowstream.storage.download_manager import StreamingDownloadManager
from rowstream.storage.urls import is_url
from rowstream.table.table import InMemoryTable, MemoryMappedTable, concat_tables
from rowstream.utils import logging

if TYPE_CHECKING:
    from rowstream.splits.info import SplitGenerator, SplitInfo


class Rows:
    """The rows of a builder's generator, without their keys."""

    def __init__(self, builder: Any) -> None:
        self.builder = builder

    def __call__(self, **kwargs: Any) -> Iterator[Any]:
        opens_urls(type(self.builder))
        if hasattr(self.builder, "_generate_tables"):
            for _, table in self.builder._generate_tables(**kwargs):
                yield from table.to_pylist()
        else:
            for _, row in self.builder._generate_examples(**kwargs):
                yield row


_logger = logging.get_logger(__name__)


class DatasetBuilder(BuilderPreparation):
    """Makes the splits of a data set.

    Args:
        cache_dir: the folder of what is made; that of rowstream in `config.HF_DATASETS_CACHE` if
            `None`.
        dataset_name: the name of the data set; the module's, or the class's in a script, if `None`.
        config_name: which of `BUILDER_CONFIGS`.
        hash: a part of the folder's name.
        base_path: what relative names of files are below.
        info: what is known of it, in place of what `_info` gives.
        features: the types of the columns, in place of those of `_info`.
        token: the token of the Hub.
        repo_id: the name of the data set of the Hub.
        data_files: the files: a pattern, a list, or a dict by split.
        data_dir: a folder.
        storage_options: options of the sources.
        writer_batch_size: rows of a batch of the files that are made.
        config_id: a part of the folder's name, in place of one that follows from the arguments.
        config_kwargs: attributes of the configuration.

    Raises:
        ValueError: there are several configurations, or none of that name.
    """

    def as_dataset(self, split: Any = None, in_memory: bool = False) -> Any:
        """Return what `download_and_prepare` made, mapped.

        Args:
            split: a split, a part of one (`"train[:10%]"`), several (`"train+test"`), or a list of
                them; all if `None`.
            in_memory: read it into memory.

        Returns:
            A `Dataset`; a list of them; a `DatasetDict` if `split` is `None`.

        Raises:
            DataFilesNotFoundError: it was not made yet.
        """
        if self._file_format not in (None, "arrow"):
            raise FileFormatError(
                'Loading a dataset not written in the "arrow" format is not supported: read it with'
                " load_dataset"
            )
        if is_url(self._output_dir):
            raise UnsupportedError(
                f"what is at {self._output_dir} is not mapped; read its files with load_dataset"
            )
        if not os.path.exists(os.path.join(self._output_dir, config.DATASET_INFO_FILENAME)):
            raise DataFilesNotFoundError(
                f"Dataset {self.dataset_name}: could not find data in {self._output_dir}. Please"
                " make sure to call builder.download_and_prepare(), or use load_dataset() before"
                " trying to access the Dataset object."
            )
        _logger.debug(
            f"Constructing Dataset for split {split or ', '.join(self.info.splits)}, from"
            f" {self._output_dir}"
        )
        made = {name: self._mapped(name, one, in_memory) for name, one in self.info.splits.items()}
        return DatasetDict(made) if split is None else chosen_splits(made, split)

    def _mapped(self, name: str, split: SplitInfo, in_memory: bool) -> Dataset:
        kind = InMemoryTable if in_memory else MemoryMappedTable
        files = [
            os.path.join(self._output_dir, file)
            for file in self._names(name, len(split.shard_lengths or [0]), "arrow")
        ]
        made = Dataset(
            concat_tables([kind.from_file(file) for file in files]),
            info=self.info.copy(),
            split=NamedSplit(name),
        )
        made._fingerprint = Hasher.hash([self._output_dir, name, [origin(file) for file in files]])
        return made

    def _names(self, split: str, n: int, kind: str) -> list[str]:
        stem = f"{self.dataset_name}-{split}"
        return (
            [f"{stem}.{kind}"]
            if n == 1
            else [f"{stem}-{i:05d}-of-{n:05d}.{kind}" for i in range(n)]
        )

    def as_streaming_dataset(self, split: Any = None, base_path: str | None = None) -> Any:
        """Return the splits as streams: nothing is downloaded or written, and rows come as the
        builder's code gives them.

        Where that code opens files by the built-in `open`, URLs are opened too.

        Args:
            split: a split, or several together (`"train+test"`, `"all"`); all, as a dict, if
                `None`.
            base_path: what relative names of files are below.

        Raises:
            ValueError: there is no such split.
        """
        if not (hasattr(self, "_generate_examples") or hasattr(self, "_generate_tables")):
            raise UnsupportedError(
                f"{type(self).__name__} has no _generate_examples or _generate_tables: it is not"
                " read as a stream"
            )
        opens_urls(type(self))
        how = DownloadConfig(token=self.token, storage_options=self.storage_options)
        base = self.base_path if base_path is None else base_path
        manager = StreamingDownloadManager(self.dataset_name, self.config.data_dir, how, base)
        there = {str(one.name): one for one in self._split_generators(manager)}
        if split is None:
            return IterableDatasetDict(
                {name: self._streamed(one, NamedSplit(name)) for name, one in there.items()}
            )
        names = (
            list(there) if str(split) == "all" else [name.strip() for name in str(split).split("+")]
        )
        if missing := [name for name in names if name not in there]:
            raise InvalidArgumentError(f"Bad split: {missing[0]}. Available splits: {list(there)}")
        parts = [self._streamed(there[name], split) for name in names]
        return parts[0] if len(parts) == 1 else concatenate_datasets(parts, split=split)

    def _streamed(self, generator: SplitGenerator, split: Any) -> IterableDataset:
        rows: Callable[..., Any] = Rows(self)
        kwargs = dict(generator.gen_kwargs)
        if len({len(value) for value in kwargs.values() if isinstance(value, list)}) > 1:
            # Lists that are not of one length are no shards: the rows come in one.
            rows, kwargs = partial(rows, **kwargs), {}
        made = IterableDataset.from_generator(
            rows, features=self.info.features, gen_kwargs=kwargs, split=split
        )
        return (
            made._with(made._plan, _split=split, _info=self.info.copy())
            if self.info.features is None
            else made
        )


__all__ = ["DatasetBuilder"]
