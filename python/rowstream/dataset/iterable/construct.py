"""Streams of files that a caller names, of what is in memory, and of what a function gives."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Self

from rowstream.dataset.iterable.base import StreamBase
from rowstream.exceptions import InvalidArgumentError
from rowstream.features.convert import generate_from_arrow_type
from rowstream.features.features import Features
from rowstream.info import DatasetInfo
from rowstream.plan.memory import column_of, in_memory_plan
from rowstream.resolve.options import read_options
from rowstream.resolve.planning import info_of_files, plan_files
from rowstream.splits.names import Split
from rowstream.storage.access import StorageOptions
from rowstream.storage.locations import FileLocations, origins
from rowstream.streams.generator import generator_source
from rowstream.streams.source_plan import SourcePlan

if TYPE_CHECKING:
    from rowstream.plan.plan import Plan

Paths = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]


def _spark_rows(df: Any, **_: Any) -> Any:
    for row in df.toLocalIterator():
        yield row.asDict(recursive=True)


class StreamConstructors(StreamBase):
    """The constructors of streams."""

    @classmethod
    def _made(cls, plan: Plan, info: DatasetInfo | None, split: Any, features: Any = None) -> Self:
        made = cls(plan, info, None if split is None else str(split))
        if features is not None and plan.python:
            made._known = Features(features)
        return made

    @classmethod
    def _of_files(
        cls, format: str, paths: Paths, split: Any, features: Any, **options: Any
    ) -> Self:
        storage_options = options.pop("storage_options", None)
        some = [paths] if isinstance(paths, str) or hasattr(paths, "__fspath__") else list(paths)
        how = read_options(
            format, {key: value for key, value in options.items() if value is not None}, features
        )
        places = FileLocations(
            StorageOptions(storage_options=storage_options, origins=origins(some))
        )
        plan = plan_files(
            how, [file for pattern in some for file in places.resolve(pattern, ".")], places
        )
        name = "train" if split is None else str(split)
        return cls._made(plan, info_of_files(plan, format, None, name), name)

    @classmethod
    def from_generator(
        cls,
        generator: Callable[..., Any],
        features: Any = None,
        gen_kwargs: dict[str, Any] | None = None,
        split: Any = Split.TRAIN,
        deterministic: bool = False,
    ) -> Self:
        """Return the rows that a generator gives.

        Args:
            generator: a function that gives dicts. It is called anew for every pass, and to go on
                after a state, when the rows before are passed over: it has to give the same rows
                again.
            features: the types of the columns, if they are to be known.
            gen_kwargs: its arguments. Those that are lists are **shards**, all of one length: it is
                called once for each item, with a list of one. `shuffle` permutes shards. A shard is
                run by one worker or rank alone: those beyond the number of shards have no rows.
            split: the name of the split.
            deterministic: say so if each run of a shard gives the same rows in the same order.
                Workers and ranks beyond the number of shards then share the rows of shards: each
                of them runs the generator and leaves out what others have.

        Example:
            >>> def rows(paths):
            ...     for path in paths:
            ...         for line in open(path):
            ...             yield {"text": line}
            >>> ds = IterableDataset.from_generator(rows, gen_kwargs={"paths": ["a.txt", "b.txt"]})
        """
        typed = None if features is None else Features(features)
        plan = SourcePlan(
            scan="",
            source=generator_source(
                generator, gen_kwargs, deterministic=deterministic, features=typed
            ),
        )
        return cls._made(plan, DatasetInfo(builder_name="generator"), split, typed)

    @classmethod
    def from_spark(cls, df: Any, split: Any = None, features: Any = None, **kwargs: Any) -> Self:
        """Return the rows of a Spark frame, in the order in which Spark gives them, which has to be
        the same each time.
        """
        return cls.from_generator(
            _spark_rows, features, {"df": df, **kwargs}, split, deterministic=True
        )

    @classmethod
    def from_dict(
        cls,
        mapping: dict[str, Any],
        features: Any = None,
        info: Any = None,
        split: Any = None,
        num_shards: int | None = 1,
    ) -> Self:
        """Return the rows of columns: a dict of lists or arrays of one length, in `num_shards`
        pieces; in pieces of 64 KiB if it is 1.
        """
        import pyarrow as pa

        lengths = {name: len(column) for name, column in mapping.items()}
        if len(set(lengths.values())) > 1:
            raise InvalidArgumentError(f"from_dict: columns have one length, found {lengths}")
        columns = {
            name: column_of(column, name, (features or {}).get(name))
            for name, column in mapping.items()
        }
        if features is None and any(of is not None for _, of in columns.values()):
            features = {
                name: of or generate_from_arrow_type(array.type)
                for name, (array, of) in columns.items()
            }
        return cls._made(
            in_memory_plan(
                pa.table({name: array for name, (array, _) in columns.items()}),
                features,
                num_shards,
            ),
            info,
            split,
        )

    @classmethod
    def from_list(
        cls,
        mapping: list[dict[str, Any]],
        features: Any = None,
        info: Any = None,
        split: Any = None,
        num_shards: int | None = 1,
    ) -> Self:
        """Return rows: a list of dicts. A column that a row lacks is null there."""
        names = (
            dict.fromkeys(features)
            if features is not None
            else dict.fromkeys(name for row in mapping for name in row)
        )
        return cls.from_dict(
            {name: [row.get(name) for row in mapping] for name in names},
            features,
            info,
            split,
            num_shards,
        )

    @classmethod
    def from_pandas(
        cls,
        df: Any,
        features: Any = None,
        info: Any = None,
        split: Any = None,
        preserve_index: bool | None = None,
        num_shards: int | None = 1,
    ) -> Self:
        """Return the rows of a pandas frame; its index is a column unless it only counts rows."""
        import pyarrow as pa

        return cls._made(
            in_memory_plan(
                pa.Table.from_pandas(df, preserve_index=preserve_index), features, num_shards
            ),
            info,
            split,
        )

    @classmethod
    def from_polars(
        cls,
        df: Any,
        features: Any = None,
        info: Any = None,
        split: Any = None,
        num_shards: int | None = 1,
    ) -> Self:
        """Return the rows of a Polars frame, lazy ones collected."""
        frame = df.collect() if hasattr(df, "collect") else df
        return cls._made(in_memory_plan(frame.to_arrow(), features, num_shards), info, split)

    @classmethod
    def from_file(cls, filename: str) -> Self:
        """Return the rows of an Arrow file or stream, as `datasets` writes them."""
        return cls._of_files("arrow", filename, None, None)

    @classmethod
    def from_csv(
        cls,
        path_or_paths: Paths,
        split: Any = None,
        features: Any = None,
        keep_in_memory: bool = False,
        **kwargs: Any,
    ) -> Self:
        """Return the rows of CSV files. Options as those of `load_dataset("csv", …)`."""
        return cls._of_files("csv", path_or_paths, split, features, **kwargs)

    @classmethod
    def from_json(
        cls,
        path_or_paths: Paths,
        split: Any = None,
        features: Any = None,
        keep_in_memory: bool = False,
        field: str | None = None,
        **kwargs: Any,
    ) -> Self:
        """Return the rows of JSON files. Options as those of `load_dataset("json", …)`."""
        return cls._of_files("json", path_or_paths, split, features, field=field, **kwargs)

    @classmethod
    def from_parquet(
        cls,
        path_or_paths: Paths,
        split: Any = None,
        features: Any = None,
        keep_in_memory: bool = False,
        columns: list[str] | None = None,
        filters: Any = None,
        fragment_scan_options: Any = None,
        on_bad_files: str = "error",
        **kwargs: Any,
    ) -> Self:
        """Return the rows of Parquet files. Options as those of `load_dataset("parquet", …)`."""
        return cls._of_files(
            "parquet",
            path_or_paths,
            split,
            features,
            columns=columns,
            filters=filters,
            on_bad_files=on_bad_files,
            **kwargs,
        )

    @classmethod
    def from_text(
        cls,
        path_or_paths: Paths,
        split: Any = None,
        features: Any = None,
        keep_in_memory: bool = False,
        keep_linebreaks: bool = False,
        sample_by: str = "line",
        **kwargs: Any,
    ) -> Self:
        """Return the lines, paragraphs or documents of text files."""
        return cls._of_files(
            "text",
            path_or_paths,
            split,
            features,
            keep_linebreaks=keep_linebreaks,
            sample_by=sample_by,
            **kwargs,
        )
