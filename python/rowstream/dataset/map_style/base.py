"""The core of map-style datasets: an Arrow table, and optional row indices over it."""

from __future__ import annotations

import json
import os
from typing import Any, ClassVar, Self

import pyarrow as pa

from rowstream.dataset.base import DatasetInfoMixin
from rowstream.dataset.map_style.search import Indexable
from rowstream.exceptions import InvalidArgumentError
from rowstream.features.features import Features
from rowstream.fingerprint.caching import get_temporary_cache_files_directory, is_caching_enabled
from rowstream.fingerprint.transform import generate_random_fingerprint, of_table
from rowstream.info import DatasetInfo
from rowstream.splits.names import named
from rowstream.table.table import Table, as_table
from rowstream.transforms.step_files import SUFFIX, place_of, results_of
from rowstream.writers.features import with_features

_CACHED = ("_rows", "_cached_formatter")
"""Attributes that are derived from the table and the format, which a copy computes anew."""


class MapStyleBase(DatasetInfoMixin, Indexable):
    """A table with optional row indices over it, and its metadata."""

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
            raise InvalidArgumentError(
                f"The table can't have duplicated columns but columns {twice} are duplicated."
            )
        if info.features is None:
            info.features = seen
        else:
            try:
                info.features = info.features.reorder_fields_as(seen)
            except ValueError as error:
                raise InvalidArgumentError(
                    f"{error}\nThe 'source' features come from dataset_info.json, and the 'target'"
                    " ones are those of the dataset arrow file."
                ) from None
        schema = info.features.arrow_schema
        if table.schema != schema:
            table = table.cast(schema)
        indices = None if indices_table is None else as_table(indices_table)
        if indices is not None and not pa.types.is_unsigned_integer(indices.table.column(0).type):
            raise InvalidArgumentError(
                "indices must be an Arrow table of unsigned integers, current type is"
                f" {indices.table.column(0).type}"
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

    _own_class: ClassVar[Any]
    """`Dataset`, which its module sets here: the class of what transforms and file readers return,
    rather than a user's subclass, whose constructor may take other arguments.
    """

    _dict_class: ClassVar[Any] = dict
    """`DatasetDict`, which its module sets here: the class of several datasets by split."""

    @property
    def _fingerprint(self) -> str:
        """The fingerprint that identifies the rows; computed at the first access."""
        if self._name is None:
            indices = None if self._indices is None else self._indices.table
            self._name = of_table(self._data, indices, str(self._split))
        return self._name

    @_fingerprint.setter
    def _fingerprint(self, value: str | None) -> None:
        self._name = value

    def explain_fingerprint(self) -> str:
        """Return a text that shows what the fingerprint was computed from.

        It names the origin of the rows, and each transform with its arguments and their hashes.
        Compare two such texts to see why a result was not found in the cache.

        Example:
            >>> ds = Dataset.from_dict({"text": ["a", "b"]}).rename_column("text", "title")
            >>> print("Fingerprint", ds.explain_fingerprint())
            Fingerprint ...: rows in memory
            rename_column → ...
              original_column_name = 'text' (...)
              new_column_name = 'title' (...)
        """
        first = self._steps[0][1] if self._steps else self._fingerprint
        lines = [f"{first}: rows {self._data.where}"]
        after = [step[1] for step in self._steps[1:]] + [self._fingerprint][: len(self._steps)]
        for (name, _, given), result in zip(self._steps, after, strict=True):
            lines.append(f"{name} → {result}")
            lines += [f"  {key} = {text} ({hashed})" for key, (text, hashed) in given.items()]
        return "\n".join(lines)

    @property
    def features(self) -> Features:
        """The types of the columns, by name.

        Example:
            >>> Dataset.from_dict({"text": ["a", "b"], "label": [0, 1]}).features
            {'text': Value('string'), 'label': Value('int64')}
        """
        result: Features = self._info.features  # type: ignore[assignment]  # always there
        return result

    @property
    def data(self) -> Table:
        """The Arrow table that stores the rows.

        It has all rows even after `select`, `shuffle` or `filter`, which only list positions in it.

        Example:
            >>> Dataset.from_dict({"text": ["a", "b"]}).select([1, 0, 0]).data.num_rows
            2
        """
        return self._data

    @property
    def cache_files(self) -> list[dict[str, str]]:
        """The Arrow files that the rows are memory-mapped from; empty for rows in memory.

        Example:
            >>> Dataset.from_dict({"text": ["a", "b"]}).cache_files
            []
            >>> write_jsonl("train.jsonl", [{"text": "a"}])
            1
            >>> load_dataset("json", data_files="train.jsonl", split="train").cache_files
            [{'filename': '...train.arrow'}]
        """
        files = [*self._data.files, *(self._indices.files if self._indices is not None else ())]
        return [{"filename": file} for file in files]

    @property
    def column_names(self) -> list[str]:
        """The names of the columns, in order.

        Example:
            >>> Dataset.from_dict({"text": ["a", "b"], "label": [0, 1]}).column_names
            ['text', 'label']
        """
        names: list[str] = self._data.column_names
        return names

    @property
    def num_columns(self) -> int:
        """The number of columns.

        Example:
            >>> Dataset.from_dict({"text": ["a", "b"], "label": [0, 1]}).num_columns
            2
        """
        return len(self.column_names)

    @property
    def num_rows(self) -> int:
        """The number of rows, as `len` returns it.

        Example:
            >>> Dataset.from_dict({"text": ["a", "b", "c"]}).num_rows
            3
        """
        return len(self._data if self._indices is None else self._indices)

    @property
    def shape(self) -> tuple[int, int]:
        """The number of rows and the number of columns.

        Example:
            >>> Dataset.from_dict({"text": ["a", "b", "c"]}).shape
            (3, 1)
        """
        return self.num_rows, self.num_columns

    def __len__(self) -> int:
        """Return the number of rows."""
        return self.num_rows

    def __getstate__(self) -> dict[str, Any]:
        """Return the attributes to pickle, with the fingerprint computed."""
        _ = self._fingerprint  # it is found, so that the copy has the same
        return {name: value for name, value in self.__dict__.items() if name not in _CACHED}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore the attributes that `__getstate__` returned."""
        self.__dict__.update(state)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Return a copy that shares the tables, which never change."""
        return self._copy()

    def _copy(self, **changes: Any) -> Self:
        result = type(self).__new__(type(self))
        result.__dict__.update(
            {name: value for name, value in self.__dict__.items() if name not in _CACHED}
        )
        result.__dict__.update(
            _info=self._info.copy(),
            _format_kwargs=dict(self._format_kwargs),
            _indexes=dict(self._indexes),
        )
        result.__dict__.update(changes)
        return result

    def _retabled(self, data: Table, features: Features, fingerprint: str | None) -> Self:
        """Return the same rows with other columns; the row indices stay."""
        result = self._copy(_name=fingerprint, _data=with_features(data, features))
        result._info.features = features
        return result

    def _made(
        self, table: Any, features: Features | None, fingerprint: str | None, indices: Any = None
    ) -> Self:
        """Return a dataset of another table, with the metadata and split of this one."""
        info = self._info.copy()
        info.features = features
        return type(self)(
            table, info=info, split=self._split, indices_table=indices, fingerprint=fingerprint
        )

    def _get_cache_file_path(
        self, fingerprint_: str | None, suffix: str = SUFFIX, load: bool = True
    ) -> str:
        """Return the path of the cache file for a fingerprint: as `place_of` finds it, or in a
        folder that is removed when the process ends.
        """
        if is_caching_enabled() and self._data.home:
            return place_of(self._data, f"cache-{fingerprint_}.arrow", suffix, load=load)
        name = f"cache-{generate_random_fingerprint()}.arrow"
        return os.path.join(get_temporary_cache_files_directory(), name)

    def cleanup_cache_files(self) -> int:
        """Remove the cached results of this dataset's transforms, except the files that it uses.

        Other datasets and processes may still be using these files.

        Returns:
            The number of removed files.

        Example:
            >>> write_jsonl("train.jsonl", [{"text": "a"}, {"text": "bb"}])
            2
            >>> ds = load_dataset("json", data_files="train.jsonl", split="train")
            >>> _ = ds.map(lambda row: {"length": len(row["text"])})
            >>> ds.cleanup_cache_files()
            1
        """
        own = [os.path.abspath(one["filename"]) for one in self.cache_files]
        table = self._data if self._data.home or self._indices is None else self._indices
        gone = [path for path in results_of(table) if path not in own] if table.home else []
        for path in gone:
            os.remove(path)
        return len(gone)
