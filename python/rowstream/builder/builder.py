"""Builders: classes that define the splits of a dataset, for users to subclass.

A subclass implements `_info` (the description), `_split_generators` (the sources of each split) and
`_generate_examples` (the rows) or `_generate_tables` (Arrow tables). The dataset is then read as a
stream, or written to files once and memory-mapped. The class is always one of this process:
rowstream never downloads code.
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
from rowstream.dataset.splits import chosen_splits
from rowstream.exceptions import (
    DataFilesNotFoundError,
    FileFormatError,
    InvalidArgumentError,
    UnsupportedError,
)
from rowstream.fingerprint.hasher import Hasher
from rowstream.splits.names import NamedSplit
from rowstream.splits.select import parts_of
from rowstream.storage.download_config import DownloadConfig
from rowstream.storage.download_manager import StreamingDownloadManager
from rowstream.storage.urls import is_url
from rowstream.table.table import InMemoryTable, MemoryMappedTable, concat_tables
from rowstream.utils import logging

if TYPE_CHECKING:
    from rowstream.splits.info import SplitGenerator, SplitInfo
    from rowstream.splits.instruction import Instruction


class Rows:
    """The rows that a builder generates, without their keys."""

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
    """The base class of builders, which define and prepare the splits of a dataset.

    Subclass `GeneratorBasedBuilder` or `ArrowBasedBuilder` to define a dataset in code;
    `load_dataset_builder` returns a builder of existing files.

    Args:
        cache_dir: The folder of the cache; by default rowstream's own in
            `config.HF_DATASETS_CACHE`.
        dataset_name: The name of the dataset; by default that of the module, or of the class if it
            is defined in a script.
        config_name: The name of one of `BUILDER_CONFIGS`.
        hash: A text that becomes part of the folder's name.
        base_path: The folder or URL to which names of files are relative.
        info: The description of the dataset, instead of what `_info` returns.
        features: The features, instead of those in `_info`.
        token: The token for the Hub.
        repo_id: The name of a dataset of the Hub, such as `"org/name"`.
        data_files: The files: a pattern, a list, or a dict by split.
        data_dir: The folder of the files.
        storage_options: Options of the sources, such as credentials.
        writer_batch_size: The number of rows that are written at once.
        config_id: A part of the folder's name, instead of one that follows from the arguments.
        config_kwargs: Attributes of the configuration.

    Raises:
        InvalidArgumentError: The configuration does not exist, or none is chosen of several.

    Example:
        >>> write_jsonl("train.jsonl", [{"a": 1}, {"a": 2}])
        2
        >>> builder = load_dataset_builder("json", data_files="train.jsonl")
        >>> isinstance(builder, DatasetBuilder)
        True
        >>> builder.download_and_prepare()
        >>> builder.as_dataset("train")[1]
        {'a': 2}
    """

    def as_dataset(self, split: Any = None, in_memory: bool = False) -> Any:
        """Return the dataset that `download_and_prepare` wrote, memory-mapped.

        Args:
            split: The name of a split, a slice (`"train[:10%]"`), several splits (`"train+test"`),
                or a list of these; all splits if `None`.
            in_memory: Read the rows into memory instead of memory-mapping the files.

        Returns:
            A `Dataset`; a list of them for a list; a `DatasetDict` if `split` is `None`.

        Raises:
            DataFilesNotFoundError: The dataset has not been prepared yet.
            FileFormatError: It was prepared in another format than `"arrow"`.
            InvalidArgumentError: The split does not exist.
            UnsupportedError: It was prepared at a URL.

        Example:
            >>> write_jsonl("train.jsonl", [{"a": 1}, {"a": 2}])
            2
            >>> builder = load_dataset_builder("json", data_files="train.jsonl")
            >>> builder.download_and_prepare()
            >>> builder.as_dataset("train[:1]")["a"][:]
            [1]
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
        result = {
            name: self._mapped(name, one, in_memory) for name, one in self.info.splits.items()
        }
        return chosen_splits(result, split)

    def _mapped(self, name: str, split: SplitInfo, in_memory: bool) -> Dataset:
        kind = InMemoryTable if in_memory else MemoryMappedTable
        files = [
            os.path.join(self._output_dir, file)
            for file in self._names(name, len(split.shard_lengths or [0]), "arrow")
        ]
        result = Dataset(
            concat_tables([kind.from_file(file) for file in files]),
            info=self.info.copy(),
            split=NamedSplit(name),
        )
        result._fingerprint = Hasher.hash(
            [self._output_dir, name, [origin(file) for file in files]]
        )
        return result

    def _names(self, split: str, n: int, kind: str) -> list[str]:
        stem = f"{self.dataset_name}-{split}"
        return (
            [f"{stem}.{kind}"]
            if n == 1
            else [f"{stem}-{i:05d}-of-{n:05d}.{kind}" for i in range(n)]
        )

    def as_streaming_dataset(self, split: Any = None, base_path: str | None = None) -> Any:
        """Return the splits as streams, without downloading or writing files.

        The builder's code generates the rows while the stream is read. Where it calls the built-in
        `open`, URLs can be opened too.

        Args:
            split: A split, several (`"train+test"`, `"all"`) or slices of them (`"train[:10%]"`); a
                list for a list of streams; all splits, as an `IterableDatasetDict`, if `None`.
            base_path: The folder or URL to which names of files are relative.

        Raises:
            InvalidArgumentError: The split does not exist.
            UnsupportedError: The builder has no method that generates rows or tables.

        Example:
            >>> write_jsonl("train.jsonl", [{"a": 1}, {"a": 2}])
            2
            >>> builder = load_dataset_builder("json", data_files="train.jsonl")
            >>> list(builder.as_streaming_dataset("train"))
            [{'a': 1}, {'a': 2}]
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
        streams = [self._joined(parts, one, there) for one, parts in parts_of(split)]
        return streams if isinstance(split, (list, tuple)) else streams[0]

    def _joined(
        self, parts: list[Instruction], split: Any, there: dict[str, SplitGenerator]
    ) -> IterableDataset:
        streams: list[IterableDataset] = []
        for part in parts:
            if part.split != "all" and part.split not in there:
                raise InvalidArgumentError(
                    f"Bad split: {part.split}. Available splits: {list(there)}"
                )
            names = list(there) if part.split == "all" else [part.split]
            streams += [part.of(self._streamed(there[name], split)) for name in names]
        if len(streams) == 1:
            return streams[0]
        joined: IterableDataset = concatenate_datasets(streams, split=str(split))
        return joined

    def _streamed(self, generator: SplitGenerator, split: Any) -> IterableDataset:
        rows: Callable[..., Any] = Rows(self)
        kwargs = dict(generator.gen_kwargs)
        if len({len(value) for value in kwargs.values() if isinstance(value, list)}) > 1:
            # Lists that are not of one length are no shards: the rows come in one.
            rows, kwargs = partial(rows, **kwargs), {}
        result = IterableDataset.from_generator(
            rows, features=self.info.features, gen_kwargs=kwargs, split=split
        )
        return (
            result._with(result._plan, _split=split, _info=self.info.copy())
            if self.info.features is None
            else result
        )


__all__ = ["DatasetBuilder"]
