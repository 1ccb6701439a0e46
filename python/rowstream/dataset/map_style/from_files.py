"""Map-style data sets of files."""

from __future__ import annotations

import os
from typing import Any, Self

from rowstream.dataset.map_style.base import MapStyleBase
from rowstream.features.features import Features  # noqa: TC001 - annotations can be evaluated
from rowstream.prepare.files import prepare_files


class MapStyleFromFiles(MapStyleBase):
    """Constructors that read files."""

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
        """Return the rows of CSV files. Options as those of `load_dataset("csv", …)`."""
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
        """Return the rows of JSON files. Options as those of `load_dataset("json", …)`."""
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
        """Return the rows of Parquet files. Options as those of `load_dataset("parquet", …)`."""
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
        """Return the lines, paragraphs or documents of text files."""
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
        """Return what `save_to_disk` wrote, of rowstream or of `datasets`."""
        from rowstream.dataset.map_style.disk import load_dataset_folder

        return load_dataset_folder(cls.own_class, dataset_path, keep_in_memory, storage_options)

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
        """Return the rows of files; those of each split where `paths` is a dict."""
        several = isinstance(paths, dict)
        files = (
            paths
            if several
            else {str(split or "train"): paths if isinstance(paths, list) else [os.fspath(paths)]}
        )
        made = prepare_files(
            cls.own_class,
            format,
            files,
            features,
            cache_dir,
            keep_in_memory,
            {name: value for name, value in options.items() if value is not None},
        )
        return cls.dict_class(made) if several else made[str(split or "train")]
