"""`Dataset`: rows at random, over Arrow tables that are mapped from files."""

from __future__ import annotations

import copy
import inspect
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pyarrow as pa

from rowstream import config, fingerprint
from rowstream.arrow_writer import ArrowWriter, with_features
from rowstream.dataset.choosing import Choosing
from rowstream.dataset.column import Column
from rowstream.dataset.columns import Columns
from rowstream.dataset.described import Described
from rowstream.dataset.format_kept import transmit_format
from rowstream.dataset.making import Making
from rowstream.dataset.mapping import DatasetTransformationNotAllowedError, Job, check_suffix, columns_named, mapped
from rowstream.dataset.saving import Saving
from rowstream.dataset.search import Indexable
from rowstream.dataset.steps import SUFFIX, place_of, results_of
from rowstream.exceptions import InvalidArgumentError
from rowstream.expr import Expr
from rowstream.features.types import Features, List, Value, modern
from rowstream.fingerprint import fingerprint_transform, is_caching_enabled
from rowstream.formatting import format_table, get_format_type_from_alias, get_formatter, query_table
from rowstream.info import DatasetInfo
from rowstream.splits import named
from rowstream.table import Table, as_table
from rowstream.utils import logging

_logger = logging.get_logger(__name__)


update_metadata_with_features = with_features
"""What `datasets` calls it."""


class Dataset(Described, Indexable, Columns, Choosing, Making, Saving):
    """Rows that can be read in any order, any number of times. Made by `load_dataset`, `from_dict` and their like.

    The rows are an Arrow table, mapped from a file where there is one: only what is looked at is read. A list of rows may stand before it
    (`select`, `shuffle`, `sort`, `filter`), which moves no data. Every method that changes something gives a new data set.

    Example:
        >>> ds = Dataset.from_dict({"text": ["a", "b", "c"]})
        >>> ds[-1], ds[:2], ds["text"][0]
        ({'text': 'c'}, {'text': ['a', 'b']}, 'a')
    """

    def __init__(
        self,
        arrow_table: Any,
        info: DatasetInfo | None = None,
        split: Any = None,
        indices_table: Any = None,
        fingerprint: str | None = None,
    ) -> None:
        Indexable.__init__(self)
        table = as_table(arrow_table)
        info = info.copy() if info is not None else DatasetInfo()
        seen = Features.from_arrow_schema(table.schema)
        twice = sorted({name for name in table.column_names if table.column_names.count(name) > 1})
        if twice:
            raise InvalidArgumentError(f"The table can't have duplicated columns but columns {twice} are duplicated.")
        if info.features is None:
            info.features = seen
        else:
            try:
                info.features = info.features.reorder_fields_as(seen)
            except ValueError as error:
                raise InvalidArgumentError(
                    f"{error}\nThe 'source' features come from dataset_info.json, and the 'target' ones are those of the dataset arrow "
                    "file."
                ) from None
        schema = info.features.arrow_schema
        if table.schema != schema:
            table = table.cast(schema)
        indices = None if indices_table is None else as_table(indices_table)
        if indices is not None and not pa.types.is_unsigned_integer(indices.table.column(0).type):
            raise InvalidArgumentError(
                f"indices must be an Arrow table of unsigned integers, current type is {indices.table.column(0).type}"
            )
        written = (table.schema.metadata or {}).get(b"huggingface")
        if fingerprint is None and written is not None:
            fingerprint = json.loads(written).get("fingerprint")
        self._info, self._split = info, named(split)
        self._data = with_features(table, info.features)
        self._indices = indices
        self._format_type: str | None = None
        self._format_kwargs: dict[str, Any] = {}
        self._format_columns: list[str] | None = None
        self._output_all_columns = False
        self._name = fingerprint
        self._steps: tuple[Any, ...] = ()

    # --------------------------------------------------------------------------------------------------- what it is

    @property
    def _fingerprint(self) -> str:
        """What names the rows; found when it is first asked for."""
        if self._name is None:
            indices = None if self._indices is None else self._indices.table
            self._name = fingerprint.of_table(self._data, indices, str(self._split))
        return self._name

    @_fingerprint.setter
    def _fingerprint(self, value: str | None) -> None:
        self._name = value

    def explain_fingerprint(self) -> str:
        """How the fingerprint came to be: what the rows are, and each step with the hash of each of its arguments.

        Example:
            >>> print(ds.map(tokenize, batched=True).explain_fingerprint())
            5d0c5f1a2b3c4d5e: rows in memory or in files
            map → 9e107d9d372bb682
              function = train.tokenize (e4d909c290d0fb1c)
              batched = True (5289df737df57326)
        """
        first = self._steps[0][1] if self._steps else self._fingerprint
        lines = [f"{first}: rows {self._data.where}"]
        after = [step[1] for step in self._steps[1:]] + [self._fingerprint][: len(self._steps)]
        for (name, _, given), made in zip(self._steps, after, strict=True):
            lines.append(f"{name} → {made}")
            lines += [f"  {key} = {text} ({hashed})" for key, (text, hashed) in given.items()]
        return "\n".join(lines)

    @property
    def features(self) -> Features:
        """The types of the columns."""
        made: Features = self._info.features  # type: ignore[assignment]  # always there
        return made

    @property
    def data(self) -> Table:
        """The Arrow table that the rows are of, before any list of rows."""
        return self._data

    @property
    def cache_files(self) -> list[dict[str, str]]:
        """The files that it is mapped from."""
        files = [*self._data.files, *(self._indices.files if self._indices is not None else ())]
        return [{"filename": file} for file in files]

    @property
    def column_names(self) -> list[str]:
        """The names of the columns."""
        names: list[str] = self._data.column_names
        return names

    @property
    def num_columns(self) -> int:
        """How many columns there are."""
        return len(self.column_names)

    @property
    def num_rows(self) -> int:
        """How many rows there are."""
        return len(self._data if self._indices is None else self._indices)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.num_rows, self.num_columns

    def __len__(self) -> int:
        """How many rows there are."""
        return self.num_rows

    def __repr__(self) -> str:
        """Columns and rows."""
        return f"Dataset({{\n    features: {list(self.features)},\n    num_rows: {self.num_rows}\n}})"

    def __enter__(self) -> Dataset:
        """Itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Gives up the table."""
        self.__del__()

    def __del__(self) -> None:
        """Gives up the table: files may then be removed, where the system does not let mapped ones be."""
        for name in ("_data", "_indices"):
            self.__dict__.pop(name, None)

    def __getstate__(self) -> dict[str, Any]:
        """All that it is, with the fingerprint found."""
        _ = self._fingerprint  # it is found, so that the copy has the same
        return {name: value for name, value in self.__dict__.items() if name != "_rows"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """What `__getstate__` gave."""
        self.__dict__.update(state)

    def __deepcopy__(self, memo: dict[int, Any]) -> Dataset:
        """A copy; tables are shared, as they do not change."""
        return self._copy()

    def _copy(self, **changes: Any) -> Dataset:
        made = type(self).__new__(type(self))
        made.__dict__.update({name: value for name, value in self.__dict__.items() if name != "_rows"})
        made.__dict__.update(_info=self._info.copy(), _format_kwargs=dict(self._format_kwargs), _indexes=dict(self._indexes))
        made.__dict__.update(changes)
        return made

    def _retabled(self, data: Table, features: Features, fingerprint: str | None) -> Dataset:
        """The same rows with other columns: the list of rows before the table stays."""
        made = self._copy(_name=fingerprint, _data=with_features(data, features))
        made._info.features = features
        return made

    def _made(self, table: Any, features: Features | None, fingerprint: str | None, indices: Any = None) -> Dataset:
        """A data set of another table, with the same name and split."""
        info = self._info.copy()
        info.features = features
        return type(self)(table, info=info, split=self._split, indices_table=indices, fingerprint=fingerprint)

    # --------------------------------------------------------------------------------------------------------- rows

    def _query(self, key: Any) -> Any:
        """Rows or a column as a pyarrow table."""
        return query_table(self._data, key, self._indices)

    def _core_rows(self) -> Any:
        """The rows as the core gives them, where they need no decoding."""
        made = self.__dict__.get("_rows")
        if made is None:
            from rowstream.dataset.fast import rows_of

            made = self.__dict__["_rows"] = rows_of(self)
        return made

    def _plain(self) -> bool:
        return self._format_type is None and self._format_columns is None

    def __getitem__(self, key: Any) -> Any:
        """A row, rows or a column.

        - `ds[i]`: a row, from the end if below zero.
        - `ds[a:b]`, `ds[[i, j]]`, `ds[range(n)]`: rows, as a dict of columns.
        - `ds["name"]`: a column, read when it is looked at.

        Raises:
            IndexError: there is no such row.
            ValueError: there is no such column.
        """
        if isinstance(key, str) and self._format_type not in ("arrow", "pandas", "polars"):
            return Column(self, key)
        if type(key) is int and self._plain() and (rows := self._core_rows()) is not None:
            return rows.row(key)
        return self._getitem(key)

    def _getitem(self, key: Any, **changes: Any) -> Any:
        type_ = changes.get("format_type", self._format_type)
        columns = changes.get("format_columns", self._format_columns)
        formatter = get_formatter(type_, features=self._info.features, **self._format_kwargs)
        return format_table(self._query(key), key, formatter, columns, self._output_all_columns)

    def __getitems__(self, keys: Sequence[int]) -> list[Any]:
        """Rows: what torch's loaders ask for."""
        if self._plain() and (rows := self._core_rows()) is not None:
            made: list[Any] = rows.take(keys)
            return made
        batch = self[list(keys)]
        if isinstance(batch, Mapping):
            return [{name: column[i] for name, column in batch.items()} for i in range(len(keys))]
        return [self[int(i)] for i in keys]

    def __iter__(self) -> Iterator[Any]:
        """Rows, one after another, in the data set's format."""
        if self._plain() and (rows := self._core_rows()) is not None:
            return iter(rows)
        return self._formatted_rows()

    def _formatted_rows(self) -> Iterator[Any]:
        formatter = get_formatter(self._format_type, features=self._info.features, **self._format_kwargs)
        size = config.ARROW_RECORD_BATCH_SIZE_FOR_IMAGE_DATASETS or 100
        for start in range(0, len(self), size):
            table = self._query(slice(start, start + size))
            for i in range(table.num_rows):
                yield format_table(table.slice(i, 1), 0, formatter, self._format_columns, self._output_all_columns)

    def iter(self, batch_size: int, drop_last_batch: bool = False) -> Iterator[Any]:
        """Batches of rows, in the data set's format.

        Args:
            batch_size: rows of a batch.
            drop_last_batch: leave out a last batch that is shorter.

        Example:
            >>> for batch in ds.with_format("torch").iter(batch_size=256):
            ...     batch["input_ids"].shape
            torch.Size([256, 512])
        """
        if batch_size < 1:
            raise InvalidArgumentError(f"batch_size is at least 1, found {batch_size}")
        formatter = get_formatter(self._format_type, features=self._info.features, **self._format_kwargs)
        stop = len(self) // batch_size * batch_size if drop_last_batch else len(self)
        for start in range(0, stop, batch_size):
            end = min(start + batch_size, stop)
            table = self._query(slice(start, end))
            yield format_table(table, range(end - start), formatter, self._format_columns, self._output_all_columns)

    def _fast_select_column(self, column_name: str) -> Dataset:
        made = self._copy()
        made._data = self._data.select([column_name])
        made._info = DatasetInfo(features=Features({column_name: self.features[column_name]}))
        if made._format_columns is not None:
            made._format_columns = [name for name in made._format_columns if name == column_name]
        return made

    # ------------------------------------------------------------------------------------------------------- format

    @property
    def format(self) -> dict[str, Any]:
        """The format: its type, what it is given, and the columns that have it."""
        return {
            "type": self._format_type,
            "format_kwargs": self._format_kwargs,
            "columns": self.column_names if self._format_columns is None else self._format_columns,
            "output_all_columns": self._output_all_columns,
        }

    @contextmanager
    def formatted_as(
        self, type: str | None = None, columns: Any = None, output_all_columns: bool = False, **format_kwargs: Any
    ) -> Iterator[None]:
        """Another format, as long as a `with` lasts."""
        names = ("_format_type", "_format_kwargs", "_format_columns", "_output_all_columns")
        before = {name: self.__dict__[name] for name in names}
        try:
            self.set_format(type, columns, output_all_columns, **format_kwargs)
            yield
        finally:
            self.__dict__.update(before)

    @fingerprint_transform(inplace=True)
    def set_format(self, type: str | None = None, columns: Any = None, output_all_columns: bool = False, **format_kwargs: Any) -> None:
        """Changes the format of this data set: of rows, batches and columns.

        Args:
            type: `None` for Python objects, `"numpy"`, `"torch"`, `"tensorflow"`, `"jax"`, `"mlx"`, `"arrow"`, `"pandas"`, `"polars"`.
            columns: those that have it; the others are left out.
            output_all_columns: whether the others are given as Python objects instead.
            format_kwargs: what the format takes, such as `dtype=` and `device=`.
        """
        format_kwargs.update(format_kwargs.pop("format_kwargs", {}))
        name = get_format_type_from_alias(type)
        get_formatter(name, features=self._info.features, **format_kwargs)
        if isinstance(columns, str):
            columns = [columns]
        if isinstance(columns, tuple):
            columns = list(columns)
        if columns is not None and (missing := [one for one in columns if one not in self.column_names]):
            raise InvalidArgumentError(f"Columns {missing} not in the dataset. Current columns in the dataset: {self.column_names}")
        self._format_type, self._format_kwargs = name, format_kwargs
        self._format_columns = None if columns is None else list(columns)
        self._output_all_columns = output_all_columns

    def reset_format(self) -> None:
        """Python objects again, of all columns."""
        self.set_format()

    def set_transform(self, transform: Callable[..., Any] | None, columns: Any = None, output_all_columns: bool = False) -> None:
        """Has a function make what is given, of batches of Python objects, when it is asked for."""
        self.set_format("custom", columns=columns, output_all_columns=output_all_columns, transform=transform)

    def with_format(self, type: str | None = None, columns: Any = None, output_all_columns: bool = False, **format_kwargs: Any) -> Dataset:
        """The data set with another format. Arguments as those of `set_format`."""
        made = self._copy()
        made.set_format(type, columns, output_all_columns, **format_kwargs)
        return made

    def with_transform(self, transform: Callable[..., Any] | None, columns: Any = None, output_all_columns: bool = False) -> Dataset:
        """The data set with a function that makes what is given. Arguments as those of `set_transform`."""
        made = self._copy()
        made.set_transform(transform, columns, output_all_columns)
        return made

    # -------------------------------------------------------------------------------------------------- map, filter

    def _get_cache_file_path(self, fingerprint_: str | None, suffix: str = SUFFIX, load: bool = True) -> str:
        """The file for what has a fingerprint: as `place_of` finds it, or in a folder that goes with the process."""
        if is_caching_enabled() and self._data.home:
            return place_of(self._data, f"cache-{fingerprint_}.arrow", suffix, load=load)
        name = f"cache-{fingerprint.generate_random_fingerprint()}.arrow"
        return os.path.join(fingerprint.get_temporary_cache_files_directory(), name)

    @transmit_format
    def map(
        self,
        function: Callable[..., Any] | None = None,
        with_indices: bool = False,
        with_rank: bool = False,
        input_columns: str | list[str] | None = None,
        batched: bool = False,
        batch_size: int | None = 1000,
        drop_last_batch: bool = False,
        remove_columns: str | list[str] | None = None,
        keep_in_memory: bool = False,
        load_from_cache_file: bool | None = None,
        cache_file_name: str | None = None,
        writer_batch_size: int | None = 1000,
        features: Features | None = None,
        disable_nullable: bool = False,
        fn_kwargs: dict[str, Any] | None = None,
        num_proc: int | None = None,
        suffix_template: str = "_{rank:05d}_of_{num_proc:05d}",
        new_fingerprint: str | None = None,
        desc: str | None = None,
        try_original_type: bool | None = True,
        on_mixed_types: str | None = "use_json",
    ) -> Dataset:
        """What a function makes of each row, or of batches of them. The result is an Arrow file beside the data set's own, under a name
        that follows from the rows, the function and its arguments: the same call finds it again.

        Args:
            function: it takes a row (a dict) or a batch (a dict of lists) and gives a dict of columns to set; or `None` if only its side
                effects matter. It may be async.
            with_indices: it also takes the number of the row, or a list of them.
            with_rank: it also takes the number of its process.
            input_columns: it takes these columns as arguments instead.
            batched: it takes batches, and may give more or fewer rows.
            batch_size: rows of a batch; all if `None` or not above 0.
            drop_last_batch: leave out a last batch that is shorter.
            remove_columns: columns that the result has not, but for what the function sets.
            keep_in_memory: no file.
            load_from_cache_file: whether a result that is there is used; as `enable_caching` says if `None`.
            cache_file_name: the file.
            writer_batch_size: rows of a batch of the file.
            features: the types of the result; found if `None`, those of columns that stay kept where they fit.
            disable_nullable: declare that there are no nulls.
            fn_kwargs: more arguments.
            num_proc: processes, each with a part of the rows and a file of its own.
            suffix_template: how the files of processes are called.
            new_fingerprint: the fingerprint of the result, instead of one that follows from the function.
            desc: what the progress bar says.
            try_original_type: whether columns keep their types where values fit.
            on_mixed_types: `"use_json"`: values that have no common type are stored as `Json`; `None`: they are an error.

        Raises:
            TypeError: the function gives what cannot be rows.
        """
        if keep_in_memory and cache_file_name is not None:
            raise InvalidArgumentError("Please use either `keep_in_memory` or `cache_file_name` but not both.")
        if num_proc is not None and num_proc < 0:
            raise InvalidArgumentError("num_proc must be >= 0 or None.")
        num_proc = num_proc or None
        check_suffix(suffix_template)
        if not len(self):
            if features is not None:
                features = modern(Features(features))
                return self._made(Table(features.arrow_schema.empty_table()), features, new_fingerprint)
            empty = self if self._indices is None else self._copy(_data=self._data.slice(0, 0), _indices=None)
            return empty.remove_columns(remove_columns) if remove_columns else empty
        there = self.column_names
        input_columns = columns_named("Input column", input_columns, there)
        remove_columns = columns_named("Column to remove", remove_columns, there)
        if num_proc is not None and num_proc > len(self):
            _logger.warning(f"num_proc must be <= {len(self)}. Reducing num_proc to {len(self)} for dataset of size {len(self)}.")
            num_proc = len(self)
        job = Job(
            shard=self,
            function=_same if function is None else function,
            with_indices=with_indices,
            with_rank=with_rank,
            input_columns=input_columns,
            batched=batched,
            batch_size=batch_size,
            drop_last_batch=drop_last_batch,
            remove_columns=remove_columns,
            keep_in_memory=keep_in_memory,
            writer_batch_size=writer_batch_size,
            features=None if features is None else modern(Features(features)),
            disable_nullable=disable_nullable,
            fn_kwargs=fn_kwargs or {},
            try_original_type=try_original_type,
            on_mixed_types=on_mixed_types,
        )
        step = None
        if new_fingerprint is None:
            shown = {
                name: value
                for name, value in vars(job).items()
                if name not in ("shard", "cache_file_name", "rank", "offset", "new_fingerprint", "whole")
            }
            default = vars(Job(shard=None, function=_same))
            given = {name: value for name, value in shown.items() if name == "function" or value != default[name]}
            given |= {"format": self._format_kwargs} if self._format_kwargs else {}
            parts: dict[str, str] = {}
            transform = f"rowstream.map@1 of {self._format_type} {self._format_columns}"
            new_fingerprint = fingerprint.update_fingerprint(self._fingerprint, transform, given, parts)
            step = (transform, given, parts)
        else:
            fingerprint.validate_fingerprint(new_fingerprint)
        job.new_fingerprint, job.whole = new_fingerprint, cache_file_name is not None
        load = is_caching_enabled() if load_from_cache_file is None else load_from_cache_file
        if cache_file_name is None and self._data.home and not keep_in_memory:
            cache_file_name = self._get_cache_file_path(new_fingerprint, suffix_template, load)
        job.cache_file_name = cache_file_name
        made = mapped(self, job, num_proc=num_proc, load=load, suffix=suffix_template, desc=desc or "Map")
        fingerprint.remember(self, made, "map", step)
        if made is not self and not made._indexes:
            made._indexes = dict(self._indexes)
        return made

    @transmit_format
    def filter(
        self,
        function: Callable[..., Any] | Expr | None = None,
        with_indices: bool = False,
        with_rank: bool = False,
        input_columns: str | list[str] | None = None,
        batched: bool = False,
        batch_size: int | None = 1000,
        keep_in_memory: bool = False,
        load_from_cache_file: bool | None = None,
        cache_file_name: str | None = None,
        writer_batch_size: int | None = 1000,
        fn_kwargs: dict[str, Any] | None = None,
        num_proc: int | None = None,
        suffix_template: str = "_{rank:05d}_of_{num_proc:05d}",
        new_fingerprint: str | None = None,
        desc: str | None = None,
    ) -> Dataset:
        """The rows for which a function is true, or an expression: `ds.filter(rowstream.col("score") > 0.5)`, which runs in the core.

        The rows are not copied: a list of those that stay stands before the table. Arguments as those of `map`; in batches the function
        gives a list of truth values.
        """
        from rowstream.dataset.filtering import Kept, chosen, kept_rows

        self._no_index("filter")
        if function is None:
            function = _always
        if not len(self):
            return self
        if new_fingerprint is None:
            given: dict[str, Any] = {
                "function": function,
                "with_indices": with_indices,
                "with_rank": with_rank,
                "input_columns": input_columns,
            }
            given |= {"batched": batched, "batch_size": batch_size if batched else None, "fn_kwargs": fn_kwargs or {}}
            parts: dict[str, str] = {}
            # Files of @1 have, of some filters over a list of rows, the numbers that rows have in that list.
            version = 1 if self._indices is None else 2
            transform = f"rowstream.filter@{version} of {self._format_type} {self._format_columns}"
            new_fingerprint = fingerprint.update_fingerprint(self._fingerprint, transform, given, parts)
            step: Any = (transform, given, parts)
        else:
            fingerprint.validate_fingerprint(new_fingerprint)
            step = None
        if isinstance(function, Expr):
            # It is found again as fast as a file of it would be read.
            kept = chosen(self, function)
            run = len(kept) and int(kept[-1] - kept[0]) + 1 == len(kept)
            if run and cache_file_name is None:
                made = self._run(int(kept[0]), len(kept), new_fingerprint)
            else:
                made = self._listed(kept, new_fingerprint, cache_file_name)
        else:
            names = columns_named("Input column", input_columns, self.column_names)
            direct = not batched and not num_proc and self._plain() and not inspect.iscoroutinefunction(function)
            if direct and (rows := self._core_rows()) is not None:
                file, made = self._kept_rows("processed dataset", cache_file_name, new_fingerprint, load_from_cache_file, keep_in_memory)
                if made is None:
                    kept = kept_rows(rows, len(self), function, names, with_indices, with_rank, fn_kwargs or {}, desc or "Filter")
                    made = self._listed(kept, new_fingerprint, file)
                fingerprint.remember(self, made, "filter", step)
                return made
            found = self.map(
                Kept(function, batched, with_indices, with_rank, names, self._indices).of(function),
                with_indices=True,
                with_rank=True,
                features=Features({"indices": Value("uint64")}),
                batched=True,
                batch_size=batch_size,
                remove_columns=self.column_names,
                keep_in_memory=keep_in_memory,
                load_from_cache_file=load_from_cache_file,
                cache_file_name=cache_file_name,
                writer_batch_size=writer_batch_size,
                fn_kwargs=fn_kwargs,
                num_proc=num_proc,
                suffix_template=suffix_template,
                new_fingerprint=new_fingerprint,
                input_columns=input_columns,
                desc=desc or "Filter",
            )
            made = self._copy(_name=new_fingerprint, _indices=found._data)
        fingerprint.remember(self, made, "filter", step)
        return made

    @transmit_format
    @fingerprint_transform(inplace=False, ignore_kwargs=["cache_file_name"])
    def flatten_indices(
        self,
        keep_in_memory: bool = False,
        cache_file_name: str | None = None,
        writer_batch_size: int | None = 1000,
        features: Features | None = None,
        disable_nullable: bool = False,
        num_proc: int | None = None,
        new_fingerprint: str | None = None,
    ) -> Dataset:
        """The rows written one after another, without a list of rows before the table."""
        return self.with_format("arrow").map(
            batched=True,
            keep_in_memory=keep_in_memory,
            cache_file_name=cache_file_name,
            writer_batch_size=writer_batch_size,
            features=features or self.features,
            disable_nullable=disable_nullable,
            new_fingerprint=new_fingerprint,
            desc="Flattening the indices",
            num_proc=num_proc,
        )

    @transmit_format
    @fingerprint_transform(inplace=False)
    def batch(
        self,
        batch_size: int | None = None,
        by_column: str | list[str] | None = None,
        drop_last_batch: bool = False,
        num_proc: int | None = None,
        new_fingerprint: str | None = None,
    ) -> Dataset:
        """Rows of lists: the columns of `batch_size` rows each, or of all neighbours that are alike in some columns.

        Args:
            batch_size: rows of a batch; with `by_column`, rows that are looked at together.
            by_column: a column, or several: rows that follow one another with the same values there are a batch, of whatever size.
            drop_last_batch: leave out a last batch that is shorter; those by column are whole.
            num_proc: processes; none with `by_column`.
            new_fingerprint: the fingerprint of the result.
        """
        from rowstream.dataset.filtering import Runs, batched

        if batch_size is None and by_column is None:
            raise InvalidArgumentError("batch() misses the `batch_size` or `by_column` argument.")
        if by_column is not None and num_proc:
            raise NotImplementedError("batch(by_column=…) runs in one process")
        names = None if by_column is None else self._known(by_column)
        if names == []:
            raise InvalidArgumentError("batch(by_column=…) is by at least one column")
        features = Features({name: List(one) for name, one in self.features.items()})
        if not len(self):
            return self._made(Table(features.arrow_schema.empty_table()), features, new_fingerprint)
        return self.with_format("arrow").map(
            batched if names is None else Runs(names, len(self)),
            with_indices=names is not None,
            batched=True,
            batch_size=batch_size if names is None else batch_size or config.DEFAULT_MAX_BATCH_SIZE,
            drop_last_batch=drop_last_batch and names is None,
            num_proc=num_proc,
            new_fingerprint=new_fingerprint,
            desc="Batching examples",
            features=features,
        )

    def cleanup_cache_files(self) -> int:
        """Removes the results of steps in the folders that this data set's steps write into, but for its own. Gives how many they were."""
        own = [os.path.abspath(one["filename"]) for one in self.cache_files]
        table = self._data if self._data.home or self._indices is None else self._indices
        gone = [path for path in results_of(table) if path not in own] if table.home else []
        for path in gone:
            os.remove(path)
        return len(gone)

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> Any:
        """The rows as an Arrow stream: `pa.table(ds)`, `pl.DataFrame(ds)`, DuckDB."""
        return self._query(slice(None)).__arrow_c_stream__()


# ---------------------------------------------------------------------------------------------------------- functions


def _same(row: Any) -> Any:
    return row


def _always(row: Any) -> bool:
    return True


__all__ = [
    "ArrowWriter",
    "Column",
    "Dataset",
    "DatasetTransformationNotAllowedError",
    "copy",
    "transmit_format",
    "update_metadata_with_features",
]
