"""Map-style data sets made of rows, columns, frames, generators, queries and files."""

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
    """Return the features that are given, in one way or the other."""
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
    made = info.copy() if info is not None else DatasetInfo()
    return None if wanted is None else Features(upgrade_lists(wanted)), made


def _whole(mapping: Any, features: Features | None) -> Any:
    """Return the columns of a dict, which are those that features name; all of them without rows
    where there are none.

    Raises:
        InvalidArgumentError: some are not there.
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
    """What data sets are made of."""

    @classmethod
    def from_file(
        cls,
        filename: str,
        info: DatasetInfo | None = None,
        split: Any = None,
        indices_filename: str | None = None,
        in_memory: bool = False,
    ) -> Self:
        """Return the rows of an Arrow file or stream, mapped; read if `in_memory`."""
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
        """Return the rows of an Arrow stream in memory."""
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
        """Return the rows of columns: a dict of lists, arrays or Arrow arrays of one length, kept
        in memory.

        Args:
            mapping: the columns.
            features: their types; found if `None`.
            info: what is known of the data set.
            split: its name.
            on_mixed_types: `"use_json"`: values that have no common type are stored as `Json`;
                `None`: they are an error.

        Example:
            >>> Dataset.from_dict({"text": ["a", "b"], "label": [0, 1]})
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
        """Return the rows of a list of dicts, kept in memory. The columns are those of the first
        row, and those that features name; what a row lacks is null there.

        Arguments as those of `from_dict`.

        Example:
            >>> Dataset.from_list([{"text": "a", "label": 0}, {"text": "b", "label": 1}])
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
        """Return the rows of a pandas frame; its index is a column unless it only counts rows."""
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
        """Return the rows of a Polars frame, a lazy one collected."""
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
        """Return the rows of anything that has the Arrow PyCapsule protocol: tables of pyarrow,
        DuckDB, nanoarrow, a stream of ours.
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
        """Return the rows that a generator gives, written once into the cache under the fingerprint
        of the function and its arguments.

        Args:
            generator: a function that gives dicts.
            features: the types of the columns; found if `None`.
            cache_dir: the cache's folder.
            keep_in_memory: whether the result is read into memory.
            gen_kwargs: its arguments. With `num_proc`, those that are lists are shared out.
            num_proc: processes.
            split: the name of the split.
            fingerprint: the name of the result, instead of one that follows from the function.
            kwargs: not used.

        Example:
            >>> def rows():
            ...     yield {"text": "a"}
            >>> ds = Dataset.from_generator(rows)
        """
        from rowstream.prepare.generator import prepare_generator

        return prepare_generator(
            cls.own_class,
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
        """Return the rows of a query or a table of a database. Other arguments as those of
        `pandas.read_sql`.

        Args:
            sql: a query, or the name of a table.
            con: a URI, or a connection of SQLAlchemy or sqlite3.
            features: the types of the columns.
            cache_dir: the cache's folder.
            keep_in_memory: whether the result is read into memory.
            kwargs: those of `pandas.read_sql`.
        """
        from rowstream.prepare.sql import prepare_query

        return prepare_query(cls.own_class, sql, con, features, cache_dir, keep_in_memory, kwargs)

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
        """Return the rows of a Spark frame, by way of Arrow, in memory; what says where copies lie
        is accepted.
        """
        table = df.toArrow() if hasattr(df, "toArrow") else pa.Table.from_pandas(df.toPandas())
        return cls.own_class._of_table(table, features, DatasetInfo(), split)


def _plain(values: Any) -> Any:
    if isinstance(values, (Column, range, tuple)):
        return list(values)
    return values


__all__ = ["MapStyleConstructors"]
