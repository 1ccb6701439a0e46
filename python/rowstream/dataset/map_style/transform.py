"""The transforms of map-style datasets by users' functions, whose results are cached."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Self

from rowstream import config
from rowstream.arrow.empty import empty_table
from rowstream.dataset.map_style.columns import ColumnMethods
from rowstream.dataset.map_style.concatenate import concatenate_map_style
from rowstream.dataset.map_style.keep_format import transmit_format
from rowstream.exceptions import InvalidArgumentError
from rowstream.features.features import Features
from rowstream.features.nested import List, upgrade_lists
from rowstream.features.scalar import Value
from rowstream.fingerprint.caching import is_caching_enabled
from rowstream.fingerprint.transform import (
    fingerprint_transform,
    record_step,
    update_fingerprint,
    validate_fingerprint,
)
from rowstream.plan.expr import Expr
from rowstream.table.table import Table
from rowstream.transforms.map import check_suffix, columns_named, processes_of, run_map
from rowstream.transforms.map_job import MapJob
from rowstream.utils import logging

_logger = logging.get_logger(__name__)


class MapStyleTransforms(ColumnMethods):
    """The transforms of map-style datasets by users' functions."""

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
        engine: str | None = None,
    ) -> Self:
        """Apply a function to each row, or to batches of rows, and return the resulting dataset.

        The result of a dataset with files is an Arrow file in its cache, whose name depends on the
        rows, the function and its arguments: the same call finds it again.

        Args:
            function: It takes a row (a dict) or a batch (a dict of lists) and returns a dict of
                columns to set, or `None` to leave the rows as they are. It may be async.
            with_indices, with_rank: Also pass the row's position, or a list; the process number.
            input_columns: Pass these columns as positional arguments instead of a dict.
            batched: Pass batches; the function may then return more or fewer rows.
            batch_size: The number of rows in a batch; all rows if `None` or not above 0.
            drop_last_batch: Leave out a last batch that is shorter.
            remove_columns: Columns that the result does not have, unless the function sets them.
            keep_in_memory: Keep the result in memory and write no file.
            load_from_cache_file: Reuse a cached result; `None` follows `enable_caching`.
            cache_file_name: The file to write, instead of one in the cache.
            writer_batch_size: The number of rows in a record batch of the file.
            features: The types of the result; inferred if `None`.
            disable_nullable: Declare that the columns have no nulls.
            fn_kwargs: More keyword arguments for the function.
            num_proc, suffix_template: The number of processes; the suffix of the file of each.
            new_fingerprint: The fingerprint of the result, instead of a computed one.
            desc: The text of the progress bar.
            try_original_type: Keep the type of a column where the new values fit it.
            on_mixed_types: `"use_json"` stores values of different types as `Json`; `None` raises.
            engine: `"ray"` runs the function in processes of a Ray cluster, `num_proc` at most: as
                many as it has CPUs if that is `None`. All machines have to see the cache.

        Raises:
            TypeError: The function returns something else than a dict, a table or `None`.

        Example:
            >>> ds = Dataset.from_dict({"text": ["a", "bb"]})
            >>> ds.map(lambda row: {"length": len(row["text"])})[1]
            {'text': 'bb', 'length': 2}
        """
        if keep_in_memory and cache_file_name is not None:
            raise InvalidArgumentError(
                "Please use either `keep_in_memory` or `cache_file_name` but not both."
            )
        num_proc = processes_of(num_proc, engine)
        check_suffix(suffix_template)
        if not len(self):
            if features is not None:
                features = upgrade_lists(Features(features))
                return self._made(
                    Table(empty_table(features.arrow_schema)), features, new_fingerprint
                )
            empty = (
                self
                if self._indices is None
                else self._copy(_data=self._data.slice(0, 0), _indices=None)
            )
            return empty.remove_columns(remove_columns) if remove_columns else empty
        there = self.column_names
        input_columns = columns_named("Input column", input_columns, there)
        remove_columns = columns_named("Column to remove", remove_columns, there)
        if num_proc is not None and num_proc > len(self):
            _logger.warning(
                f"num_proc must be <= {len(self)}. Reducing num_proc to {len(self)} for dataset of"
                f" size {len(self)}."
            )
            num_proc = len(self)
        job = MapJob(
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
            features=None if features is None else upgrade_lists(Features(features)),
            disable_nullable=disable_nullable,
            fn_kwargs=fn_kwargs or {},
            try_original_type=try_original_type,
            on_mixed_types=on_mixed_types,
        )
        step = None
        if new_fingerprint is None:
            default = MapJob(shard=None, function=_same)
            given = {
                name: value
                for name, value in vars(job).items()
                if name not in ("shard", "cache_file_name")
                and (name == "function" or value != getattr(default, name))
            }
            given |= {"format": self._format_kwargs} if self._format_kwargs else {}
            parts: dict[str, str] = {}
            transform = f"rowstream.map@1 of {self._format_type} {self._format_columns}"
            new_fingerprint = update_fingerprint(self._fingerprint, transform, given, parts)
            step = (transform, given, parts)
        else:
            validate_fingerprint(new_fingerprint)
        job.new_fingerprint, job.whole = new_fingerprint, cache_file_name is not None
        load = is_caching_enabled() if load_from_cache_file is None else load_from_cache_file
        if cache_file_name is None and self._data.home and not keep_in_memory:
            cache_file_name = self._get_cache_file_path(new_fingerprint, suffix_template, load)
        job.cache_file_name = cache_file_name
        result = run_map(
            self,
            job,
            num_proc=num_proc,
            engine=engine,
            load=load,
            suffix=suffix_template,
            desc=desc or "Map",
            join=concatenate_map_style,
        )
        record_step(self, result, "map", step)
        if result is not self and not result._indexes:
            result._indexes = dict(self._indexes)
        return result

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
    ) -> Self:
        """Return the rows for which a function or an expression is true; rows are not copied.

        Args:
            function: It takes a row (or a batch) and returns a bool (or a list of them); or an
                expression, which runs in the Rust core and is faster.
            with_indices, with_rank, input_columns, batched, batch_size, desc: As in `map`.
            keep_in_memory, load_from_cache_file, cache_file_name, writer_batch_size: As in `map`.
            fn_kwargs, num_proc, suffix_template, new_fingerprint: As in `map`.

        Example:
            >>> Dataset.from_dict({"a": [1, 2, 3]}).filter(col("a") > 1)["a"][:]
            [2, 3]
        """
        from rowstream.transforms.filter import FilterMask, kept_rows, rows_where

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
            given |= {
                "batched": batched,
                "batch_size": batch_size if batched else None,
                "fn_kwargs": fn_kwargs or {},
            }
            parts: dict[str, str] = {}
            # Files of @1 have, of some filters over a list of rows, the numbers that rows have in
            # that list.
            version = 1 if self._indices is None else 2
            transform = f"rowstream.filter@{version} of {self._format_type} {self._format_columns}"
            new_fingerprint = update_fingerprint(self._fingerprint, transform, given, parts)
            step: Any = (transform, given, parts)
        else:
            validate_fingerprint(new_fingerprint)
            step = None
        if isinstance(function, Expr):
            # It is found again as fast as a file of it would be read.
            kept = rows_where(self, function)
            run = len(kept) and int(kept[-1] - kept[0]) + 1 == len(kept)
            if run and cache_file_name is None:
                result = self._run(int(kept[0]), len(kept), new_fingerprint)
            else:
                result = self._listed(kept, new_fingerprint, cache_file_name)
        else:
            names = columns_named("Input column", input_columns, self.column_names)
            direct = (
                not batched
                and not num_proc
                and self._plain()
                and not inspect.iscoroutinefunction(function)
            )
            source = self.select_columns(list(dict.fromkeys(names))) if names else self
            if direct and (rows := source._core_rows()) is not None:
                file, result = self._kept_rows(
                    "processed dataset",
                    cache_file_name,
                    new_fingerprint,
                    load_from_cache_file,
                    keep_in_memory,
                )
                if result is None:
                    kept = kept_rows(
                        rows,
                        len(self),
                        function,
                        names,
                        with_indices,
                        with_rank,
                        fn_kwargs or {},
                        desc or "Filter",
                    )
                    result = self._listed(kept, new_fingerprint, file)
                record_step(self, result, "filter", step)
                return result
            found = self.map(
                FilterMask(function, batched, with_indices, with_rank, names, self._indices).of(
                    function
                ),
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
            result = self._copy(_name=new_fingerprint, _indices=found._data)
        record_step(self, result, "filter", step)
        return result

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
    ) -> Self:
        """Write the rows that `select`, `shuffle` … chose one after another: they read faster.

        Args:
            keep_in_memory, cache_file_name, writer_batch_size, features: As in `map`.
            disable_nullable, num_proc, new_fingerprint: As in `map`.

        Example:
            >>> Dataset.from_dict({"a": [1, 2]}).select([1, 0]).flatten_indices()["a"][:]
            [2, 1]
        """
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
    ) -> Self:
        """Return a dataset whose rows are batches: each column has a list of the rows' values.

        Args:
            batch_size: The number of rows in a batch; with `by_column`, of rows read at a time.
            by_column: Columns; consecutive rows with equal values there are a batch of any size.
            drop_last_batch: Leave out a last batch that is shorter; ignored with `by_column`.
            num_proc, new_fingerprint: As in `map`; `by_column` uses one process.

        Example:
            >>> Dataset.from_dict({"a": [1, 2, 3]}).batch(batch_size=2)["a"][:]
            [[1, 2], [3]]
        """
        from rowstream.transforms.filter import Batches, Runs, batched

        if batch_size is None and by_column is None:
            raise InvalidArgumentError("batch() misses the `batch_size` or `by_column` argument.")
        if by_column is not None and num_proc:
            raise NotImplementedError("batch(by_column=…) runs in one process")
        names = None if by_column is None else self._known(by_column)
        if names == []:
            raise InvalidArgumentError("batch(by_column=…) is by at least one column")
        features = Features({name: List(one) for name, one in self.features.items()})
        if not len(self):
            return self._made(Table(empty_table(features.arrow_schema)), features, new_fingerprint)
        function: Any = Runs(names, len(self)) if names is not None else batched
        size = batch_size if names is None else batch_size or config.DEFAULT_MAX_BATCH_SIZE
        if several := names is None and size is not None and size > 0 and not num_proc:
            # Several batches at once, where all are of one process: each would be a small table.
            function = Batches(size, drop_last_batch, self._data.nbytes // len(self._data))
        return self.with_format("arrow").map(
            function,
            with_indices=names is not None,
            batched=True,
            batch_size=function.rows if several else size,
            drop_last_batch=drop_last_batch and names is None and not several,
            num_proc=num_proc,
            new_fingerprint=new_fingerprint,
            desc="Batching examples",
            features=features,
        )


def _same(row: Any) -> Any:
    return row


def _always(row: Any) -> bool:
    return True
