"""Constructors of map-style datasets from rows, columns, frames, generators and queries."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import pyarrow as pa

from rowstream.dataset.map_style.base import MapStyleBase
from rowstream.exceptions import InvalidArgumentError
from rowstream.features.cast import cast_table_to_features
from rowstream.features.features import Features
from rowstream.features.nested import upgrade_lists
from rowstream.formatting.column import Column
from rowstream.info import DatasetInfo
from rowstream.splits.names import Split
from rowstream.table.table import InMemoryTable, MemoryMappedTable, Table
from rowstream.writers.infer import column, given_column


def _agreed(features: Any, info: DatasetInfo | None) -> tuple[Features | None, DatasetInfo]:
    """Return the features given in either way, and a copy of the metadata."""
    if (
        info is not None
        and features is not None
        and info.features is not None
        and info.features != features
    ):
        raise InvalidArgumentError(
            "Features specified in `features` and `info.features` can't be"
            f" different:\n{features}\n{info.features}"
        )
    wanted = features if features is not None else info.features if info is not None else None
    result = info.copy() if info is not None else DatasetInfo()
    return None if wanted is None else Features(upgrade_lists(wanted)), result


def _whole(mapping: Any, features: Features | None) -> dict[str, Any]:
    """Return the columns of a dict, which must be those that the features name.

    Raises:
        InvalidArgumentError: Some are missing.
    """
    if features is None:
        return mapping
    if not mapping:
        return {name: [] for name in features}
    if missing := [name for name in features if name not in mapping]:
        raise InvalidArgumentError(
            f"features= names columns that are not there: {missing}; the columns are"
            f" {list(mapping)}"
        )
    return mapping


class MapStyleConstructors(MapStyleBase):
    """The constructors of datasets from data in memory, generators and databases."""

    @classmethod
    def from_file(
        cls,
        filename: str,
        info: DatasetInfo | None = None,
        split: Any = None,
        indices_filename: str | None = None,
        in_memory: bool = False,
    ) -> Self:
        """Open an Arrow file, such as `map` writes with `cache_file_name`, without copying it.

        Args:
            filename: The path of an Arrow IPC file or stream.
            info, split: As in `from_dict`.
            indices_filename: A second Arrow file, with the positions of the rows to use.
            in_memory: Whether to read the file into memory instead of memory-mapping it.

        Example:
            >>> write_jsonl("train.jsonl", [{"text": "a"}])
            1
            >>> ds = load_dataset("json", data_files="train.jsonl", split="train")
            >>> Dataset.from_file(ds.cache_files[0]["filename"])[0]
            {'text': 'a'}
        """
        kind = InMemoryTable if in_memory else MemoryMappedTable
        indices = None if indices_filename is None else kind.from_file(indices_filename)
        return cls(kind.from_file(filename), info=info, split=split, indices_table=indices)

    @classmethod
    def from_buffer(
        cls,
        buffer: Any,
        info: DatasetInfo | None = None,
        split: Any = None,
        indices_buffer: Any = None,
    ) -> Self:
        """Return the rows of an Arrow stream that is in memory, such as a `pyarrow.Buffer`.

        Args:
            buffer: The bytes of the stream.
            info, split: As in `from_dict`.
            indices_buffer: A second stream, with the positions of the rows to use.

        Example:
            >>> import pyarrow as pa
            >>> table, sink = pa.table({"text": ["a"]}), pa.BufferOutputStream()
            >>> with pa.ipc.new_stream(sink, table.schema) as writer:
            ...     writer.write_table(table)
            >>> Dataset.from_buffer(sink.getvalue())[0]
            {'text': 'a'}
        """
        indices = None if indices_buffer is None else InMemoryTable.from_buffer(indices_buffer)
        return cls(InMemoryTable.from_buffer(buffer), info=info, split=split, indices_table=indices)

    @classmethod
    def from_dict(
        cls,
        mapping: Any,
        features: Features | None = None,
        info: DatasetInfo | None = None,
        split: Any = None,
        on_mixed_types: str | None = None,
    ) -> Self:
        """Return a dataset of the columns of a dict, stored in memory.

        Args:
            mapping: Lists, NumPy arrays or Arrow arrays of one length, by column name.
            features: The types of the columns; inferred if `None`.
            info: Metadata of the dataset, such as its description.
            split: The name of the split.
            on_mixed_types: `"use_json"` stores values of different types as `Json`; `None` raises.

        Raises:
            pyarrow.ArrowInvalid: Columns differ in length, or values have no common type.
            InvalidArgumentError: `features` names columns that are missing.

        Example:
            >>> Dataset.from_dict({"text": ["a", "b"], "label": [0, 1]})[1]
            {'text': 'b', 'label': 1}
        """
        features, info = _agreed(features, info)
        mapping = _whole(mapping, features)
        arrays, found = [], {}
        for name, data in mapping.items():
            if features is not None and name not in features:
                raise KeyError(name)
            of = None if features is None else features[name]
            if features is not None:
                arrow = isinstance(data, (pa.Array, pa.ChunkedArray))
                array, found[name] = (
                    given_column(
                        data if arrow else _plain(features.encode_column(data, name)), of, name
                    ),
                    of,
                )
            else:
                array, found[name] = column(_plain(data), None, None, name, on_mixed_types)
            arrays.append(array)
        info.features = (
            Features(found)
            if features is None
            else Features({**{name: features[name] for name in found}})
        )
        table = pa.Table.from_arrays(arrays, names=list(mapping))
        return cls(Table(table), info=info, split=split)

    @classmethod
    def from_list(
        cls,
        mapping: list[dict[str, Any]],
        features: Features | None = None,
        info: DatasetInfo | None = None,
        split: Any = None,
        on_mixed_types: str | None = None,
    ) -> Self:
        """Return a dataset of a list of rows, stored in memory.

        The columns are those of the first row, or those of `features`; missing values are null.

        Args:
            mapping: The rows, as dicts.
            features, info, split, on_mixed_types: As in `from_dict`.

        Example:
            >>> Dataset.from_list([{"text": "a", "label": 0}, {"text": "b"}])[1]
            {'text': 'b', 'label': None}
        """
        wanted, _ = _agreed(features, info)
        names: Any = list(mapping[0]) if mapping else []
        if wanted is not None:
            # Those that are not named are an error.
            names = dict.fromkeys([*(name for row in mapping for name in row), *wanted])
        return cls.from_dict(
            {name: [row.get(name) for row in mapping] for name in names},
            features,
            info,
            split,
            on_mixed_types,
        )

    @classmethod
    def from_pandas(
        cls,
        df: Any,
        features: Features | None = None,
        info: DatasetInfo | None = None,
        split: Any = None,
        preserve_index: bool | None = None,
    ) -> Self:
        """Return a dataset of a pandas frame, stored in memory.

        Args:
            df: The `pandas.DataFrame`.
            features, info, split: As in `from_dict`.
            preserve_index: Whether the index becomes a column; `None`: unless it is a plain range.

        Example:
            >>> import pandas as pd
            >>> Dataset.from_pandas(pd.DataFrame({"text": ["a", "b"]}))[1]
            {'text': 'b'}
        """
        features, info = _agreed(features, info)
        table = pa.Table.from_pandas(df, preserve_index=preserve_index)
        return cls._of_table(table, features, info, split)

    @classmethod
    def from_polars(
        cls,
        df: Any,
        features: Features | None = None,
        info: DatasetInfo | None = None,
        split: Any = None,
    ) -> Self:
        """Return a dataset of a Polars frame, without copying it where possible.

        Args:
            df: A `polars.DataFrame`, or a `polars.LazyFrame`, which is collected.
            features, info, split: As in `from_dict`.

        Example:
            >>> import polars as pl  # doctest: +SKIP
            >>> Dataset.from_polars(pl.DataFrame({"text": ["a", "b"]}))[1]  # doctest: +SKIP
            {'text': 'b'}
        """
        features, info = _agreed(features, info)
        frame = df.collect() if hasattr(df, "collect") else df
        return cls._of_table(frame.to_arrow(), features, info, split)

    @classmethod
    def from_arrow(
        cls,
        data: Any,
        features: Features | None = None,
        info: DatasetInfo | None = None,
        split: Any = None,
    ) -> Self:
        """Return a dataset of any object with the Arrow PyCapsule protocol.

        Args:
            data: Such as a pyarrow table, a DuckDB relation or an `IterableDataset`, which is read
                to its end.
            features, info, split: As in `from_dict`.

        Example:
            >>> import pyarrow as pa
            >>> Dataset.from_arrow(pa.table({"text": ["a", "b"]}))[1]
            {'text': 'b'}
        """
        features, info = _agreed(features, info)
        return cls._of_table(
            data if isinstance(data, pa.Table) else pa.table(data), features, info, split
        )

    @classmethod
    def _of_table(
        cls, table: Any, features: Features | None, info: DatasetInfo, split: Any
    ) -> Self:
        if features is not None:
            table = cast_table_to_features(table, features)
            info.features = features
        return cls(Table(table), info=info, split=split)

    @classmethod
    def from_generator(
        cls,
        generator: Callable[..., Any],
        features: Features | None = None,
        cache_dir: str | None = None,
        keep_in_memory: bool = False,
        gen_kwargs: dict[str, Any] | None = None,
        num_proc: int | None = None,
        split: Any = Split.TRAIN,
        fingerprint: str | None = None,
        **kwargs: Any,
    ) -> Self:
        """Return a dataset of the rows that a generator function yields.

        They are written to an Arrow file in the cache, whose name depends on the function and its
        arguments, so that the same call finds it again.

        Args:
            generator: A function that yields rows, as dicts.
            features: The types of the columns; inferred if `None`.
            cache_dir: The folder of the cache; that of `HF_DATASETS_CACHE` if `None`.
            keep_in_memory: Whether to read the result into memory.
            gen_kwargs: Keyword arguments of the function; with `num_proc`, lists are split.
            num_proc: The number of processes to run the function in; this process if `None`.
            split: The name of the split.
            fingerprint: The fingerprint of the result, instead of a computed one.
            kwargs: Accepted and ignored.

        Example:
            >>> def rows(n):
            ...     for i in range(n):
            ...         yield {"id": i}
            >>> Dataset.from_generator(rows, gen_kwargs={"n": 3})["id"][:]
            [0, 1, 2]
        """
        from rowstream.prepare.generator import prepare_generator

        return prepare_generator(
            cls._own_class,
            generator,
            features,
            cache_dir,
            keep_in_memory,
            gen_kwargs,
            num_proc,
            split,
            fingerprint,
        )

    @classmethod
    def from_sql(
        cls,
        sql: Any,
        con: Any,
        features: Features | None = None,
        cache_dir: str | None = None,
        keep_in_memory: bool = False,
        **kwargs: Any,
    ) -> Self:
        """Return the result of a database query. It is run at each call and written to the cache.

        Args:
            sql: A query, or the name of a table.
            con: A URI or an SQLAlchemy connection, which need SQLAlchemy; or one of `sqlite3`.
            features, cache_dir, keep_in_memory: As in `from_generator`.
            kwargs: Options of `pandas.read_sql`.

        Example:
            >>> import sqlite3
            >>> con = sqlite3.connect("data.db")
            >>> Dataset.from_dict({"id": [1, 2]}).to_sql("items", con)
            2
            >>> Dataset.from_sql("SELECT * FROM items WHERE id > 1", con)[:]
            {'id': [2]}
            >>> con.close()
        """
        from rowstream.prepare.sql import prepare_query

        return prepare_query(cls._own_class, sql, con, features, cache_dir, keep_in_memory, kwargs)

    @classmethod
    def from_spark(
        cls,
        df: Any,
        split: Any = None,
        features: Features | None = None,
        keep_in_memory: bool = False,
        cache_dir: str | None = None,
        working_dir: str | None = None,
        load_from_cache_file: bool = True,
        **kwargs: Any,
    ) -> Self:
        """Return a dataset of a Spark frame, collected into memory.

        Args:
            df: The `pyspark.sql.DataFrame`.
            split, features: As in `from_dict`.
            keep_in_memory, cache_dir, working_dir, load_from_cache_file, kwargs: Ignored.

        Example:
            >>> Dataset.from_spark(spark.createDataFrame([("a",)], ["text"]))  # doctest: +SKIP
        """
        table = df.toArrow() if hasattr(df, "toArrow") else pa.Table.from_pandas(df.toPandas())
        return cls._own_class._of_table(table, features, DatasetInfo(), split)


def _plain(values: Any) -> Any:
    if isinstance(values, (Column, range, tuple)):
        return list(values)
    return values


__all__ = ["MapStyleConstructors"]
