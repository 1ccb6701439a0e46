"""Constructors of streams from files, objects in memory and generators."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Self

from rowstream.dataset.iterable.base import StreamBase
from rowstream.exceptions import InvalidArgumentError
from rowstream.features.convert import generate_from_arrow_type
from rowstream.features.features import Features
from rowstream.info import DatasetInfo
from rowstream.plan.memory import column_of, in_memory_plan
from rowstream.resolve.csv_options import said
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


def _spark_rows(df: Any) -> Iterator[dict[str, Any]]:
    for row in df.toLocalIterator():
        yield row.asDict(recursive=True)


class StreamConstructors(StreamBase):
    """The constructors of streams from files, objects in memory and generators."""

    @classmethod
    def _made(cls, plan: Plan, info: DatasetInfo | None, split: Any, features: Any = None) -> Self:
        result = cls(plan, info, None if split is None else str(split))
        if features is not None and plan.python:
            result._known = Features(features)
        return result

    @classmethod
    def _of_files(
        cls, format: str, paths: Paths, split: Any, features: Any, **options: Any
    ) -> Self:
        storage_options = options.pop("storage_options", None)
        some = [paths] if isinstance(paths, str) or hasattr(paths, "__fspath__") else list(paths)
        how = read_options(format, said(options), features)
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
        """Return a stream of the rows that a generator function yields.

        The function is called again for each epoch. After a resume it runs again from the start of
        its shard, and the rows already returned are skipped: it has to yield the same rows again.

        Args:
            generator: A function that yields dicts.
            features: The types of the columns; not known if `None`.
            gen_kwargs: The arguments of the function. Lists are **shards**, all of one length: the
                function is called once for each item, with a list of one. `shuffle` shuffles the
                shards. Each shard is read by one worker or rank, so more workers than shards have
                no rows.
            split: The name of the split.
            deterministic: Whether each run of a shard yields the same rows in the same order. Then
                more workers than shards share the rows: each runs the generator and keeps its part.

        Raises:
            InvalidArgumentError: Lists differ in length; or, later, a row is not a dict.

        Example:
            >>> def count(starts):
            ...     for start in starts:
            ...         yield from ({"a": start + i} for i in range(2))
            >>> list(IterableDataset.from_generator(count, gen_kwargs={"starts": [0, 10]}))
            [{'a': 0}, {'a': 1}, {'a': 10}, {'a': 11}]
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
        """Return a stream of the rows of a Spark DataFrame that returns them in a fixed order.

        Args:
            df: The DataFrame.
            split, features: As in `from_generator`.
            kwargs: No effect.

        Example:
            >>> ds = IterableDataset.from_spark(df)  # doctest: +SKIP
        """
        return cls.from_generator(_spark_rows, features, {"df": df}, split, deterministic=True)

    @classmethod
    def from_dict(
        cls,
        mapping: dict[str, Any],
        features: Any = None,
        info: Any = None,
        split: Any = None,
        num_shards: int | None = 1,
    ) -> Self:
        """Return a stream of rows in memory, from a dict of columns.

        Args:
            mapping: A dict of lists or arrays of one length.
            features: The types of the columns; inferred if `None`.
            info, split: The metadata (a `DatasetInfo`) and the name of the split.
            num_shards: The number of shards; shards of about 64 KiB if it is 1 or `None`.

        Raises:
            InvalidArgumentError: Columns differ in length, or there are fewer rows than shards.

        Example:
            >>> list(IterableDataset.from_dict({"a": [1, 2]}))
            [{'a': 1}, {'a': 2}]
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
        """Return a stream of rows in memory, from a list of dicts. Missing values are null.

        Args:
            mapping: The list of rows.
            features, info, split, num_shards: As in `from_dict`.

        Example:
            >>> list(IterableDataset.from_list([{"a": 1, "b": 2}, {"a": 3}]))
            [{'a': 1, 'b': 2}, {'a': 3, 'b': None}]
        """
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
        """Return a stream of the rows of a pandas DataFrame.

        Args:
            df: The DataFrame.
            features, info, split, num_shards: As in `from_dict`.
            preserve_index: Whether the index becomes a column; if `None`, all but a `RangeIndex`.

        Example:
            >>> df = Dataset.from_dict({"a": [1, 2]}).to_pandas()
            >>> list(IterableDataset.from_pandas(df))
            [{'a': 1}, {'a': 2}]
        """
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
        """Return a stream of the rows of a Polars DataFrame; a LazyFrame is collected first.

        Args:
            df: The DataFrame or LazyFrame.
            features, info, split, num_shards: As in `from_dict`.

        Example:
            >>> df = Dataset.from_dict({"a": [1, 2]}).to_polars()
            >>> list(IterableDataset.from_polars(df))
            [{'a': 1}, {'a': 2}]
        """
        frame = df.collect() if hasattr(df, "collect") else df
        return cls._made(in_memory_plan(frame.to_arrow(), features, num_shards), info, split)

    @classmethod
    def from_file(cls, filename: str) -> Self:
        """Return a stream of the rows of an Arrow file or stream, as `datasets` writes them.

        Args:
            filename: The path of the file.

        Example:
            >>> Dataset.from_dict({"a": [1, 2]}).save_to_disk("rows")
            >>> list(IterableDataset.from_file("rows/data-00000-of-00001.arrow"))
            [{'a': 1}, {'a': 2}]
        """
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
        """Return a stream of the rows of CSV files.

        Args:
            path_or_paths: A path, URL or glob pattern, or a list of them.
            split: The name of the split; `"train"` if `None`.
            features: The types of the columns; inferred from the files if `None`.
            keep_in_memory: No effect; files are always streamed.
            kwargs: Options of `load_dataset("csv", ...)`, such as `sep` and `storage_options`.

        Raises:
            DataFilesNotFoundError: There is no such file.

        Example:
            >>> Dataset.from_dict({"a": [1, 2]}).to_csv("rows.csv")
            6
            >>> list(IterableDataset.from_csv("rows.csv"))
            [{'a': 1}, {'a': 2}]
        """
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
        """Return a stream of the rows of JSON Lines files, or of files with one JSON value.

        Args:
            path_or_paths, split, features, keep_in_memory: As in `from_csv`.
            field: The field that has the rows, in a file of one JSON object.
            kwargs: Options of `load_dataset("json", ...)`.

        Example:
            >>> write_jsonl("rows.jsonl", [{"a": 1}, {"a": 2}])
            2
            >>> list(IterableDataset.from_json("rows.jsonl"))
            [{'a': 1}, {'a': 2}]
        """
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
        """Return a stream of the rows of Parquet files.

        Args:
            path_or_paths, split, features, keep_in_memory: As in `from_csv`.
            columns: The columns to read; all if `None`.
            filters: A condition such as `col("a") > 1`, or a list as in pyarrow; others are not
                read.
            fragment_scan_options: No effect.
            on_bad_files: Only `"error"`.
            kwargs: Options of `load_dataset("parquet", ...)`.

        Example:
            >>> Dataset.from_dict({"a": [1, 2]}).to_parquet("rows.parquet")
            16
            >>> list(IterableDataset.from_parquet("rows.parquet", filters=col("a") > 1))
            [{'a': 2}]
        """
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
        """Return a stream of the lines of text files, in the column `text`.

        Args:
            path_or_paths, split, features, keep_in_memory: As in `from_csv`.
            keep_linebreaks: Whether lines keep their line breaks.
            sample_by: What is a row: `"line"`, `"paragraph"` or `"document"`.
            kwargs: Options of `load_dataset("text", ...)`.

        Example:
            >>> Dataset.from_dict({"a": ["Hello", "World"]}).to_csv("rows.txt", header=False)
            12
            >>> list(IterableDataset.from_text("rows.txt"))
            [{'text': 'Hello'}, {'text': 'World'}]
        """
        return cls._of_files(
            "text",
            path_or_paths,
            split,
            features,
            keep_linebreaks=keep_linebreaks,
            sample_by=sample_by,
            **kwargs,
        )
