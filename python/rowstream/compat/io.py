"""Classes that read and write files, as `from_csv`, `to_csv` and similar methods do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from rowstream.dataset.iterable.dataset import IterableDataset
from rowstream.dataset.map_style.dataset import Dataset
from rowstream.exceptions import InvalidArgumentError
from rowstream.load import load_dataset
from rowstream.splits.names import Split


class AbstractDatasetInputStream(ABC):
    """Base class of readers, with arguments as in `Dataset.from_generator` and similar methods."""

    def __init__(
        self,
        features: Any = None,
        cache_dir: str | None = None,
        keep_in_memory: bool = False,
        streaming: bool = False,
        num_proc: int | None = None,
        **kwargs: Any,
    ) -> None:
        self.features, self.cache_dir, self.keep_in_memory = features, cache_dir, keep_in_memory
        self.streaming, self.num_proc, self.kwargs = streaming, num_proc, kwargs

    @abstractmethod
    def read(self) -> Any:
        """Return the dataset that is read."""


class AbstractDatasetReader(AbstractDatasetInputStream):
    """Base class of readers of files.

    Args:
        path_or_paths: The files: a path or pattern, a list of them, or a dict by split.
        split: The split to read; for `None`, `train`, or all splits of a dict.
        features, cache_dir, keep_in_memory, streaming, num_proc, kwargs: As in `load_dataset`.
    """

    def __init__(
        self,
        path_or_paths: Any = None,
        split: Any = None,
        features: Any = None,
        cache_dir: str | None = None,
        keep_in_memory: bool = False,
        streaming: bool = False,
        num_proc: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(features, cache_dir, keep_in_memory, streaming, num_proc, **kwargs)
        self.path_or_paths = path_or_paths
        self.split = split if split or isinstance(path_or_paths, dict) else "train"


class _FilesReader(AbstractDatasetReader):
    FORMAT: ClassVar[str]

    def read(self) -> Any:
        """Return the rows of the files as a dataset or stream, or a dict of all splits."""
        paths = self.path_or_paths
        return load_dataset(
            self.FORMAT,
            data_files=paths if isinstance(paths, dict) else {str(self.split): paths},
            split=None if self.split is None else str(self.split),
            features=self.features,
            cache_dir=self.cache_dir,
            keep_in_memory=self.keep_in_memory or None,
            streaming=self.streaming,
            num_proc=None if self.streaming else self.num_proc,
            **self.kwargs,
        )


class CsvDatasetReader(_FilesReader):
    """A reader of CSV files, as in `Dataset.from_csv`."""

    FORMAT = "csv"


class JsonDatasetReader(_FilesReader):
    """A reader of JSON files; `field=` names the field that contains the rows."""

    FORMAT = "json"


class ParquetDatasetReader(_FilesReader):
    """A reader of Parquet files, as in `Dataset.from_parquet`."""

    FORMAT = "parquet"


class TextDatasetReader(_FilesReader):
    """A reader of text files, as in `Dataset.from_text`."""

    FORMAT = "text"


class GeneratorDatasetInputStream(AbstractDatasetInputStream):
    """A reader of the rows from a generator, with arguments as in `Dataset.from_generator`."""

    def __init__(
        self,
        generator: Any,
        features: Any = None,
        cache_dir: str | None = None,
        keep_in_memory: bool = False,
        streaming: bool = False,
        gen_kwargs: dict[str, Any] | None = None,
        num_proc: int | None = None,
        split: Any = Split.TRAIN,
        fingerprint: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(features, cache_dir, keep_in_memory, streaming, num_proc, **kwargs)
        self.generator, self.gen_kwargs, self.split, self.fingerprint = (
            generator,
            gen_kwargs,
            split,
            fingerprint,
        )

    def read(self) -> Any:
        """Return the rows as a dataset or a stream."""
        if self.streaming:
            return IterableDataset.from_generator(
                self.generator, self.features, self.gen_kwargs, self.split
            )
        return Dataset.from_generator(
            self.generator,
            self.features,
            self.cache_dir,
            self.keep_in_memory,
            self.gen_kwargs,
            self.num_proc,
            self.split,
            self.fingerprint,
            **self.kwargs,
        )


class SqlDatasetReader(AbstractDatasetInputStream):
    """A reader of a database query or table, with arguments as in `Dataset.from_sql`."""

    def __init__(
        self,
        sql: Any,
        con: Any,
        features: Any = None,
        cache_dir: str | None = None,
        keep_in_memory: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(features, cache_dir, keep_in_memory, **kwargs)
        self.sql, self.con = sql, con

    def read(self) -> Any:
        """Return the rows of the query as a dataset."""
        return Dataset.from_sql(
            self.sql, self.con, self.features, self.cache_dir, self.keep_in_memory, **self.kwargs
        )


class _Writer:
    """Base class of writers, with arguments as in the methods `to_csv` and similar."""

    METHOD: ClassVar[str]

    def __init__(
        self, dataset: Any, *where: Any, num_proc: int | None = None, **options: Any
    ) -> None:
        if num_proc is not None and num_proc <= 0:
            raise InvalidArgumentError(f"num_proc {num_proc} must be an integer > 0.")
        self.dataset, self.num_proc = dataset, num_proc
        self._where, self._options = (
            where,
            options if num_proc is None else {**options, "num_proc": num_proc},
        )

    def write(self) -> int:
        """Write the rows and return the number of bytes, or of rows for a database."""
        result: int = getattr(self.dataset, self.METHOD)(*self._where, **self._options)
        return result


class CsvDatasetWriter(_Writer):
    """A writer of CSV files, as in `Dataset.to_csv`."""

    METHOD = "to_csv"


class JsonDatasetWriter(_Writer):
    """A writer of JSON Lines files, as in `Dataset.to_json`."""

    METHOD = "to_json"


class ParquetDatasetWriter(_Writer):
    """A writer of Parquet files, as in `Dataset.to_parquet`."""

    METHOD = "to_parquet"


class SqlDatasetWriter(_Writer):
    """A writer of database tables, as in `Dataset.to_sql`."""

    METHOD = "to_sql"


__all__ = [
    "AbstractDatasetInputStream",
    "AbstractDatasetReader",
    "CsvDatasetReader",
    "CsvDatasetWriter",
    "GeneratorDatasetInputStream",
    "JsonDatasetReader",
    "JsonDatasetWriter",
    "ParquetDatasetReader",
    "ParquetDatasetWriter",
    "SqlDatasetReader",
    "SqlDatasetWriter",
    "TextDatasetReader",
]
