"""Rows of map-style datasets by position: selected, shuffled, sorted, repeated."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rowstream.dataset.map_style.concatenate import concatenate_map_style
from rowstream.dataset.map_style.format import MapStyleFormat
from rowstream.dataset.map_style.keep_format import transmit_format
from rowstream.exceptions import DatasetTransformationNotAllowedError, InvalidArgumentError
from rowstream.features.align import align_features
from rowstream.features.cast import typed_array
from rowstream.features.features import Features
from rowstream.features.infer import has_pairs
from rowstream.fingerprint.caching import is_caching_enabled
from rowstream.fingerprint.transform import fingerprint_transform
from rowstream.formatting.query import query_table
from rowstream.prepare.cache import write_indices
from rowstream.table.table import MemoryMappedTable, Table, concat_tables
from rowstream.transforms.split import seeded_generator
from rowstream.utils import logging
from rowstream.writers.arrow import has_fingerprint

_logger = logging.get_logger(__name__)


class RowSelection(MapStyleFormat):
    """Methods that choose rows by position: a view, or a list of positions over the same table."""

    def _no_index(self, what: str) -> None:
        if self.list_indexes():
            raise DatasetTransformationNotAllowedError(
                f"Using `.{what}` on a dataset with attached indexes is not allowed. You can first"
                " run `.drop_index()` to remove your index and then re-add it."
            )

    @transmit_format
    @fingerprint_transform(inplace=False, ignore_kwargs=["indices_cache_file_name"])
    def select(
        self,
        indices: Iterable[int],
        keep_in_memory: bool = False,
        indices_cache_file_name: str | None = None,
        writer_batch_size: int | None = 1000,
        new_fingerprint: str | None = None,
    ) -> Self:
        """Return the rows at the given positions, in the order in which they are listed.

        No data is copied: consecutive positions give a view, others a list of positions.

        Args:
            indices: A range, list, array or iterator; negative positions count from the end.
            indices_cache_file_name: A file to write the positions to; else they are in memory.
            keep_in_memory, writer_batch_size: No effect; `keep_in_memory` excludes a file.
            new_fingerprint: The fingerprint of the result.

        Raises:
            IndexError: A position is out of range.

        Example:
            >>> Dataset.from_dict({"a": [10, 20, 30]}).select([2, 0])["a"][:]
            [30, 10]
        """
        if keep_in_memory and indices_cache_file_name is not None:
            raise InvalidArgumentError(
                "Please use either `keep_in_memory` or `indices_cache_file_name` but not both."
            )
        self._no_index("select")
        if not len(self):
            return self  # a data set is one of these
        size = len(self)
        if isinstance(indices, range):
            if indices.step == 1 and indices.start >= 0 and indices.stop >= indices.start:
                return self._run(indices.start, len(indices), new_fingerprint)
            rows = np.asarray(indices, dtype=np.int64)
        else:
            if isinstance(indices, (pa.Array, pa.ChunkedArray)):
                indices = indices.to_numpy(zero_copy_only=False)
            rows = np.asarray(indices if isinstance(indices, (list, np.ndarray)) else list(indices))
            if rows.dtype.kind not in "iu" and len(rows):
                raise (
                    pa.ArrowInvalid(f"select expects integers, found {rows[:3].tolist()}")
                    if rows.dtype.kind in "USO"
                    else InvalidArgumentError(f"select expects integers, found {rows.dtype}")
                )
        if not len(rows):
            return self._run(0, 0, new_fingerprint)
        least, most = int(rows.min()), int(rows.max())
        for one in (most, least):
            if one >= size or one < -size:
                raise IndexError(f"Index {one} out of range for dataset of size {size}.")
        rows = rows.astype(np.int64, copy=False)
        rows = np.where(rows < 0, rows + size, rows) if least < 0 else rows
        if most - least == len(rows) - 1 and bool((np.diff(rows) == 1).all()):
            return self._run(int(rows[0]), len(rows), new_fingerprint)
        return self._listed(
            rows, new_fingerprint, None if keep_in_memory else indices_cache_file_name
        )

    def _run(self, start: int, length: int, new_fingerprint: str | None) -> Self:
        size = len(self)
        if length and (start >= size or start + length > size):
            raise IndexError(
                f"Index {max(start, start + length - 1)} out of range for dataset of size {size}."
            )
        result = self._copy(_name=new_fingerprint)
        if self._indices is None or not length:
            result._data, result._indices = self._data.slice(start if length else 0, length), None
        else:
            result._indices = self._indices.slice(start, length)
        return result

    def _listed(self, rows: Any, new_fingerprint: str | None, file: str | None = None) -> Self:
        # Not by pa.array, which imports pandas to see whether it is asked for one of its arrays.
        numbers = np.ascontiguousarray(rows, np.int64).view(np.uint64)  # none is below zero
        array = pa.Array.from_buffers(pa.uint64(), len(numbers), [None, pa.py_buffer(numbers)])
        if self._indices is not None:
            self._indices.check()
            array = pc.take(self._indices.table.column(0), array)
        table = Table(pa.table({"indices": array}))
        if file is not None:
            table = write_indices(table.table, file, new_fingerprint)
        return self._copy(_name=new_fingerprint, _indices=table)

    def take(self, n: int) -> Self:
        """Return the first `n` rows, or all rows if there are fewer.

        Args:
            n: The number of rows.

        Example:
            >>> Dataset.from_dict({"a": [10, 20, 30]}).take(2)["a"][:]
            [10, 20]
        """
        return self.select(range(min(n, len(self))))

    def skip(self, n: int) -> Self:
        """Return the rows after the first `n`.

        Args:
            n: The number of rows to leave out; not negative.

        Example:
            >>> Dataset.from_dict({"a": [10, 20, 30]}).skip(2)["a"][:]
            [30]
        """
        if n < 0:
            raise InvalidArgumentError(f"skip expects a number of rows, found {n}")
        return self.select(range(n, len(self)))

    def repeat(self, num_times: int) -> Self:
        """Return all rows `num_times` times, one pass after another.

        Args:
            num_times: The number of passes; `None` (endless) is only possible for streams.

        Example:
            >>> Dataset.from_dict({"a": [10, 20]}).repeat(2)["a"][:]
            [10, 20, 10, 20]
        """
        if num_times is None:
            raise InvalidArgumentError("Map style datasets do not support indefinite repetition.")
        return concatenate_map_style([self] * num_times) if num_times > 0 else self.select([])

    def shard(
        self,
        num_shards: int,
        index: int,
        contiguous: bool = True,
        keep_in_memory: bool = False,
        indices_cache_file_name: str | None = None,
        writer_batch_size: int | None = 1000,
    ) -> Self:
        """Return one of `num_shards` shards of nearly equal length, without copying rows.

        Args:
            num_shards: The number of shards.
            index: The shard to return, from 0 to `num_shards - 1`.
            contiguous: Take consecutive rows; if `False`, every `num_shards`-th row.
            keep_in_memory, indices_cache_file_name, writer_batch_size: As in `select`.

        Example:
            >>> Dataset.from_dict({"a": [10, 20, 30]}).shard(num_shards=2, index=0)["a"][:]
            [10, 20]
        """
        if not 0 <= index < num_shards:
            raise InvalidArgumentError("index should be in [0, num_shards-1]")
        each, more = divmod(len(self), num_shards)
        start = each * index + min(index, more)
        rows: Any = (
            range(start, start + each + (index < more))
            if contiguous
            else np.arange(index, len(self), num_shards)
        )
        return self.select(rows, keep_in_memory, indices_cache_file_name, writer_batch_size)

    def _kept_rows(
        self,
        what: str,
        file: str | None,
        new_fingerprint: str | None,
        load: bool | None,
        keep_in_memory: bool,
    ) -> tuple[str | None, Any]:
        named = file is not None
        load = is_caching_enabled() if load is None else load
        if self._data.home and not keep_in_memory and file is None:
            file = self._get_cache_file_path(new_fingerprint, load=load)
        if (
            file is not None
            and load
            and os.path.exists(file)
            and (not named or has_fingerprint(file, new_fingerprint))
        ):
            _logger.info(f"Loading cached {what} at {file}")
            return file, self._copy(
                _name=new_fingerprint, _indices=MemoryMappedTable.from_file(file)
            )
        return file, None

    @transmit_format
    @fingerprint_transform(
        inplace=False, ignore_kwargs=["load_from_cache_file", "indices_cache_file_name"]
    )
    def sort(
        self,
        column_names: str | Sequence[str],
        reverse: bool | Sequence[bool] = False,
        null_placement: str = "at_end",
        keep_in_memory: bool = False,
        load_from_cache_file: bool | None = None,
        indices_cache_file_name: str | None = None,
        writer_batch_size: int | None = 1000,
        new_fingerprint: str | None = None,
    ) -> Self:
        """Return the rows sorted by one or more columns; equal rows keep their order.

        Args:
            column_names: The columns to sort by, the most significant first.
            reverse: Sort in descending order: one value for all columns, or one for each.
            null_placement: `"at_end"` (or `"last"`), or `"at_start"` (or `"first"`).
            keep_in_memory, load_from_cache_file, indices_cache_file_name: As in `shuffle`.
            writer_batch_size, new_fingerprint: As in `select`.

        Example:
            >>> Dataset.from_dict({"a": [2, 3, 1]}).sort("a", reverse=True)["a"][:]
            [3, 2, 1]
        """
        self._no_index("sort")
        if not len(self):
            return self  # a data set is one of these
        names = [column_names] if isinstance(column_names, str) else list(column_names)
        down = [reverse] * len(names) if isinstance(reverse, bool) else list(reverse)
        if len(down) != len(names):
            raise InvalidArgumentError(
                "Parameter 'reverse' should be either a boolean or a list of booleans with the same"
                " length as 'column_names'."
            )
        for name in names:
            if not isinstance(name, str) or name not in self.column_names:
                raise InvalidArgumentError(
                    f"Column '{name}' not found in the dataset. Please provide a column selected"
                    f" in: {self.column_names}"
                )
        place = {"first": "at_start", "last": "at_end"}.get(null_placement, null_placement)
        if place not in ("at_start", "at_end"):
            raise InvalidArgumentError(
                f"null_placement '{null_placement}' is an invalid parameter value. Must be either"
                " 'last', 'at_end', 'first' or 'at_start'."
            )
        file, there = self._kept_rows(
            "sorted indices for dataset",
            indices_cache_file_name,
            new_fingerprint,
            load_from_cache_file,
            keep_in_memory,
        )
        if there is not None:
            return there
        keys = [
            (name, "descending" if one else "ascending")
            for name, one in zip(names, down, strict=True)
        ]
        table = query_table(self._data.select(names), slice(None), self._indices)
        for name in names:
            if _without_fields(table.schema.field(name).type):
                raise InvalidArgumentError(
                    f"sort: the column {name!r} has structs without fields, whose rows have no"
                    " order"
                )
        if int(pa.__version__.partition(".")[0]) < 25:
            rows = pc.sort_indices(table, sort_keys=keys, null_placement=place)
        else:
            rows = pc.sort_indices(table, sort_keys=[(*key, place) for key in keys])
        return self._listed(rows.to_numpy(), new_fingerprint, file)

    @transmit_format
    @fingerprint_transform(
        inplace=False,
        randomized_function=True,
        ignore_kwargs=["load_from_cache_file", "indices_cache_file_name"],
    )
    def shuffle(
        self,
        seed: int | None = None,
        generator: Any = None,
        keep_in_memory: bool = False,
        load_from_cache_file: bool | None = None,
        indices_cache_file_name: str | None = None,
        writer_batch_size: int | None = 1000,
        new_fingerprint: str | None = None,
    ) -> Self:
        """Return the rows in random order: for a seed, the same order as `datasets`.

        Args:
            seed: The seed of `numpy.random.default_rng`; `None` draws from NumPy's global state.
            generator: A `numpy.random.Generator` to draw from instead of a seed.
            keep_in_memory: Do not write the positions to the cache.
            load_from_cache_file: Reuse cached positions; `None` follows `enable_caching`.
            indices_cache_file_name: A file for the positions; by default in the dataset's cache.
            writer_batch_size, new_fingerprint: As in `select`.

        Example:
            >>> Dataset.from_dict({"a": [10, 20, 30]}).shuffle(seed=42)["a"][:]
            [30, 20, 10]
        """
        self._no_index("shuffle")
        if not len(self):
            return self  # a data set is one of these
        if keep_in_memory and indices_cache_file_name is not None:
            raise InvalidArgumentError(
                "Please use either `keep_in_memory` or `indices_cache_file_name` but not both."
            )
        if seed is not None and generator is not None:
            raise InvalidArgumentError(
                "Both `seed` and `generator` were provided. Please specify just one of them."
            )
        if generator is not None and not isinstance(generator, np.random.Generator):
            raise InvalidArgumentError(
                "The provided generator must be an instance of numpy.random.Generator"
            )
        drawn = None if generator is None else generator.permutation(len(self))
        generator = seeded_generator(seed) if generator is None else generator
        file, there = self._kept_rows(
            "shuffled indices for dataset",
            indices_cache_file_name,
            new_fingerprint,
            load_from_cache_file,
            keep_in_memory,
        )
        if there is not None:
            return there
        return self._listed(
            generator.permutation(len(self)) if drawn is None else drawn, new_fingerprint, file
        )

    @transmit_format
    @fingerprint_transform(inplace=False)
    def add_item(self, item: dict[str, Any], new_fingerprint: str | None = None) -> Self:
        """Return the dataset with one more row at the end; columns without a value are null.

        Args:
            item: The row, as a dict of column names and values. New columns are added.
            new_fingerprint: The fingerprint of the result.

        Example:
            >>> Dataset.from_dict({"a": [10]}).add_item({"a": 20})["a"][:]
            [10, 20]
        """
        known = {name: of for name, of in self.features.items() if name in item and has_pairs(of)}
        row = pa.table(
            {
                name: typed_array([value], known[name]) if name in known else [value]
                for name, value in item.items()
            }
        )
        own, other = align_features([self.features, Features.from_arrow_schema(row.schema)])
        data = self._data.cast(own.arrow_schema) if own != self.features else self._data
        added = Table(row).cast(other.arrow_schema)
        table = concat_tables([data, added])
        indices = None
        if self._indices is not None:
            last = pa.table({"indices": pa.array([len(self._data)], pa.uint64())})
            indices = concat_tables([self._indices, Table(last)])
        return self._made(table, Features({**self.features, **other}), new_fingerprint, indices)


def _without_fields(kind: Any) -> bool:
    """Return whether a type contains structs without fields: pyarrow crashes when it sorts them."""
    import pyarrow as pa

    if pa.types.is_struct(kind) and not kind.num_fields:
        return True
    return any(_without_fields(kind.field(i).type) for i in range(kind.num_fields))
