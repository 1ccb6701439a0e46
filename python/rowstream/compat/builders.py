"""Builders of the supported formats as classes, for code that creates them or checks their type."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, ClassVar

from rowstream.builder.config import BuilderConfig
from rowstream.builder.files import FilesBuilder
from rowstream.exceptions import InvalidArgumentError
from rowstream.load import load_dataset
from rowstream.resolve.request import request_of
from rowstream.storage.access import StorageOptions
from rowstream.storage.locations import origins
from rowstream.storage.urls import is_url


@dataclass
class ArrowConfig(BuilderConfig):
    """Options for reading Arrow files."""

    features: Any = None


@dataclass
class ParquetConfig(BuilderConfig):
    """Options for reading Parquet files."""

    batch_size: int | None = None
    columns: list[str] | None = None
    features: Any = None
    filters: Any = None
    fragment_scan_options: Any = None
    on_bad_files: str = "error"


@dataclass
class TextConfig(BuilderConfig):
    """Options for reading text files."""

    features: Any = None
    encoding: str = "utf-8"
    encoding_errors: str | None = None
    chunksize: int = 10 << 20
    keep_linebreaks: bool = False
    sample_by: str = "line"


@dataclass
class JsonConfig(BuilderConfig):
    """Options for reading JSON files."""

    features: Any = None
    encoding: str = "utf-8"
    encoding_errors: str | None = None
    field: str | None = None
    use_threads: bool = True
    block_size: int | None = None
    chunksize: int = 10 << 20
    newlines_in_values: bool | None = None
    on_mixed_types: str | None = "use_json"
    parse_agent_traces: bool = True


@dataclass
class CsvConfig(BuilderConfig):
    """Options for reading CSV files, as in pandas."""

    sep: str = ","
    delimiter: str | None = None
    header: Any = "infer"
    names: list[str] | None = None
    column_names: list[str] | None = None
    index_col: Any = None
    usecols: Any = None
    prefix: str | None = None
    mangle_dupe_cols: bool = True
    engine: str | None = None
    converters: Any = None
    true_values: list[Any] | None = None
    false_values: list[Any] | None = None
    skipinitialspace: bool = False
    skiprows: Any = None
    nrows: int | None = None
    na_values: Any = None
    keep_default_na: bool = True
    na_filter: bool = True
    verbose: bool = False
    skip_blank_lines: bool = True
    thousands: str | None = None
    decimal: str = "."
    lineterminator: str | None = None
    quotechar: str = '"'
    quoting: int = 0
    escapechar: str | None = None
    comment: str | None = None
    encoding: str | None = None
    dialect: str | None = None
    error_bad_lines: bool = True
    warn_bad_lines: bool = True
    skipfooter: int = 0
    doublequote: bool = True
    memory_map: bool = False
    float_precision: str | None = None
    chunksize: int = 10_000
    features: Any = None
    encoding_errors: str | None = "strict"
    on_bad_lines: str = "error"
    date_format: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.sep = self.sep if self.delimiter is None else self.delimiter
        self.names = self.names if self.column_names is None else self.column_names


class _OfFormat(FilesBuilder):
    """Base class of builders for one format, with arguments as in `DatasetBuilder`.

    Options of the format are as in `load_dataset`.

    Raises:
        InvalidArgumentError: Neither `data_files` nor `data_dir` is given.
    """

    FORMAT: ClassVar[str]

    def __init__(
        self,
        cache_dir: str | None = None,
        dataset_name: str | None = None,
        config_name: str | None = None,
        hash: str | None = None,
        base_path: str | None = None,
        info: Any = None,
        features: Any = None,
        token: bool | str | None = None,
        repo_id: str | None = None,
        data_files: Any = None,
        data_dir: str | None = None,
        storage_options: dict[str, Any] | None = None,
        writer_batch_size: int | None = None,
        config_id: str | None = None,
        **config_kwargs: Any,
    ) -> None:
        if data_files is None and data_dir is None:
            raise InvalidArgumentError(
                f"At least one data file must be specified, but got data_files={data_files}"
            )
        base = _below(base_path, data_dir)
        access = StorageOptions(token, storage_options, origins=origins(base, data_files))
        request = request_of(
            self.FORMAT,
            None,
            base,
            data_files,
            features,
            None,
            access,
            dict(config_kwargs),
            streaming=False,
        )
        request.found.config = config_name or "default"
        request.found.label = dataset_name or request.found.label
        self._options = dict(config_kwargs)
        super().__init__(request, cache_dir, repo_id, token, storage_options)
        for name, value in {**config_kwargs, "data_dir": data_dir, "features": features}.items():
            if value is not None and hasattr(self.config, name):
                setattr(self.config, name, value)
        self.config.__post_init__()
        self.hash, self.base_path = hash, base_path or "."
        if info is not None:
            features = self.info.features
            self.info = info.copy()
            self.info.features = self.info.features or features

    def as_streaming_dataset(self, split: Any = None, base_path: str | None = None) -> Any:
        """Return the stream of each split, or of one, as `load_dataset(…, streaming=True)` does."""
        return load_dataset(
            self.FORMAT,
            data_files=self._request.found.files,
            features=self._request.declared,
            split=split,
            streaming=True,
            token=self.token,
            storage_options=self.storage_options or None,
            **self._options,
        )


def _below(base_path: str | None, data_dir: str | None) -> str | None:
    """Return the folder of the files: `data_dir`, which may be relative to `base_path`."""
    if base_path is None or data_dir is None or is_url(data_dir) or os.path.isabs(data_dir):
        return base_path if data_dir is None else data_dir
    return f"{base_path.rstrip('/')}/{data_dir}"


class Arrow(_OfFormat):
    """A builder for Arrow files and streams."""

    BUILDER_CONFIG_CLASS = ArrowConfig
    FORMAT = "arrow"


class Csv(_OfFormat):
    """A builder for CSV files."""

    BUILDER_CONFIG_CLASS = CsvConfig
    FORMAT = "csv"


class Json(_OfFormat):
    """A builder for JSON files: JSON Lines, or one array or object."""

    BUILDER_CONFIG_CLASS = JsonConfig
    FORMAT = "json"


class Parquet(_OfFormat):
    """A builder for Parquet files.

    Example:
        >>> _ = Dataset.from_dict({"text": ["a"], "label": [0]}).to_parquet("train.parquet")
        >>> builder = Parquet(data_files={"train": "train.parquet"}, columns=["text"])
        >>> list(builder.as_streaming_dataset("train"))
        [{'text': 'a'}]
    """

    BUILDER_CONFIG_CLASS = ParquetConfig
    FORMAT = "parquet"


class Text(_OfFormat):
    """A builder for text files, with a row for each line, paragraph or file."""

    BUILDER_CONFIG_CLASS = TextConfig
    FORMAT = "text"


class WebDataset(_OfFormat):
    """A builder for tar archives of samples in the WebDataset format."""

    FORMAT = "webdataset"


__all__ = [
    "Arrow",
    "ArrowConfig",
    "Csv",
    "CsvConfig",
    "Json",
    "JsonConfig",
    "Parquet",
    "ParquetConfig",
    "Text",
    "TextConfig",
    "WebDataset",
]
