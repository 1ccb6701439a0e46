"""Constructors of map-style datasets that read files."""

from __future__ import annotations

import os
from typing import Any, Self

from rowstream.dataset.map_style.base import MapStyleBase
from rowstream.features.features import Features  # noqa: TC001 - annotations can be evaluated
from rowstream.prepare.files import prepare_files
from rowstream.resolve.csv_options import said


class MapStyleFromFiles(MapStyleBase):
    """The constructors that read files."""

    @classmethod
    def from_csv(
        cls,
        path_or_paths: Any,
        split: Any = None,
        features: Features | None = None,
        cache_dir: str | None = None,
        keep_in_memory: bool = False,
        num_proc: int | None = None,
        **kwargs: Any,
    ) -> Self:
        """Load CSV files, as `load_dataset("csv", data_files=...)` does.

        The rows are written once to an Arrow file in the cache, which is memory-mapped.

        Args:
            path_or_paths: A path, glob pattern or URL, or a list of them. A dict of these by split
                returns a `DatasetDict`.
            split: The name of the split; `"train"` if `None`.
            features: The types of the columns; inferred if `None`.
            cache_dir: The folder of the cache; that of `HF_DATASETS_CACHE` if `None`.
            keep_in_memory: Whether to read the rows into memory instead of memory-mapping them.
            num_proc: Accepted and ignored: files are read by threads.
            **kwargs: Options of `load_dataset("csv")`, such as `sep`, `names` and `nrows`.

        Raises:
            DataFilesNotFoundError: There is no such file.
            InvalidArgumentError: There is no such option.
            FileFormatError: A file is not valid CSV.

        Example:
            >>> Dataset.from_dict({"text": ["a", "b"], "label": [0, 1]}).to_csv("train.csv")
            19
            >>> Dataset.from_csv("train.csv")[1]
            {'text': 'b', 'label': 1}
        """
        return cls._of_files(
            "csv", path_or_paths, split, features, cache_dir, keep_in_memory, num_proc, kwargs
        )

    @classmethod
    def from_json(
        cls,
        path_or_paths: Any,
        split: Any = None,
        features: Features | None = None,
        cache_dir: str | None = None,
        keep_in_memory: bool = False,
        field: str | None = None,
        num_proc: int | None = None,
        **kwargs: Any,
    ) -> Self:
        """Load JSON or JSON Lines files, as `load_dataset("json", data_files=...)` does.

        Args:
            path_or_paths, split, features, cache_dir, keep_in_memory, num_proc: As in `from_csv`.
            field: The key of the object in a JSON file whose value is the list of rows.
            **kwargs: Options of `load_dataset("json")`, such as `columns` and `encoding`.

        Raises:
            DataFilesNotFoundError: There is no such file.

        Example:
            >>> write_jsonl("train.jsonl", [{"text": "a"}, {"text": "b"}])
            2
            >>> Dataset.from_json("train.jsonl")[1]
            {'text': 'b'}
        """
        return cls._of_files(
            "json",
            path_or_paths,
            split,
            features,
            cache_dir,
            keep_in_memory,
            num_proc,
            {"field": field, **kwargs},
        )

    @classmethod
    def from_parquet(
        cls,
        path_or_paths: Any,
        split: Any = None,
        features: Features | None = None,
        cache_dir: str | None = None,
        keep_in_memory: bool = False,
        columns: list[str] | None = None,
        num_proc: int | None = None,
        filters: Any = None,
        fragment_scan_options: Any = None,
        on_bad_files: str = "error",
        **kwargs: Any,
    ) -> Self:
        """Load Parquet files, as `load_dataset("parquet", data_files=...)` does.

        Local files are read where they are, without a copy in the cache unless `filters` is given.

        Args:
            path_or_paths, split, features, cache_dir, keep_in_memory, num_proc: As in `from_csv`.
            columns: The names of the columns to read; all columns if `None`.
            filters: The rows to return, as an expression of `col` or as pyarrow's list of tuples.
            fragment_scan_options: Accepted and ignored.
            on_bad_files: Only `"error"` is supported.
            **kwargs: Other options of `load_dataset("parquet")`.

        Raises:
            DataFilesNotFoundError: There is no such file.
            UnsupportedError: `on_bad_files` is not `"error"`.

        Example:
            >>> ds = Dataset.from_dict({"id": [1, 2], "text": ["a", "b"]})
            >>> _ = ds.to_parquet("train.parquet")
            >>> Dataset.from_parquet("train.parquet", columns=["text"], filters=col("id") > 1)[:]
            {'text': ['b']}
        """
        options = {"columns": columns, "filters": filters, "on_bad_files": on_bad_files, **kwargs}
        return cls._of_files(
            "parquet", path_or_paths, split, features, cache_dir, keep_in_memory, num_proc, options
        )

    @classmethod
    def from_text(
        cls,
        path_or_paths: Any,
        split: Any = None,
        features: Features | None = None,
        cache_dir: str | None = None,
        keep_in_memory: bool = False,
        num_proc: int | None = None,
        keep_linebreaks: bool = False,
        sample_by: str = "line",
        **kwargs: Any,
    ) -> Self:
        """Load text files into a column `text`, as `load_dataset("text", data_files=...)` does.

        Args:
            path_or_paths, split, features, cache_dir, keep_in_memory, num_proc: As in `from_csv`.
            keep_linebreaks: Whether lines keep their line breaks.
            sample_by: What a row is: `"line"`, `"paragraph"` (separated by an empty line) or
                `"document"` (a whole file).
            **kwargs: Other options of `load_dataset("text")`, such as `encoding`.

        Raises:
            DataFilesNotFoundError: There is no such file.
            InvalidArgumentError: `sample_by` has another value.

        Example:
            >>> with open("notes.txt", "w") as file:
            ...     _ = file.write("first line")
            >>> Dataset.from_text("notes.txt")[:]
            {'text': ['first line']}
        """
        options = {"keep_linebreaks": keep_linebreaks, "sample_by": sample_by, **kwargs}
        return cls._of_files(
            "text", path_or_paths, split, features, cache_dir, keep_in_memory, num_proc, options
        )

    @classmethod
    def load_from_disk(
        cls,
        dataset_path: Any,
        keep_in_memory: bool | None = None,
        storage_options: dict[str, Any] | None = None,
    ) -> Self:
        """Load a dataset that `save_to_disk` wrote, of rowstream or of `datasets`.

        Args:
            dataset_path: The path or URL of the folder. The files of a URL are downloaded first.
            keep_in_memory: Whether to read the rows into memory. If `None`, files that are smaller
                than `HF_DATASETS_IN_MEMORY_MAX_SIZE` bytes are; others are memory-mapped.
            storage_options: Options of the file system of a URL, as fsspec has them.

        Raises:
            DataFilesNotFoundError: The folder has no saved dataset, or has a `DatasetDict`.

        Example:
            >>> Dataset.from_dict({"text": ["a", "b"]}).save_to_disk("my_dataset")
            >>> Dataset.load_from_disk("my_dataset")[1]
            {'text': 'b'}
        """
        from rowstream.dataset.map_style.disk import load_dataset_folder

        return load_dataset_folder(cls._own_class, dataset_path, keep_in_memory, storage_options)

    @classmethod
    def _of_files(
        cls,
        format: str,
        paths: Any,
        split: Any,
        features: Any,
        cache_dir: Any,
        keep_in_memory: bool,
        num_proc: int | None,
        options: dict[str, Any],
    ) -> Any:
        """Return the dataset of files, or a `DatasetDict` if `paths` is a dict."""
        several = isinstance(paths, dict)
        files = (
            paths
            if several
            else {str(split or "train"): paths if isinstance(paths, list) else [os.fspath(paths)]}
        )
        result = prepare_files(
            cls._own_class,
            format,
            files,
            features,
            cache_dir,
            keep_in_memory,
            said(options),
        )
        return cls._dict_class(result) if several else result[str(split or "train")]
