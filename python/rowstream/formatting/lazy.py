"""Rows and batches whose values are formatted on first access."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, MutableMapping
from operator import is_
from typing import TYPE_CHECKING, Any

from rowstream.arrow.json_text import dumps
from rowstream.features.json_paths import json_paths
from rowstream.features.scalar import Value

if TYPE_CHECKING:
    from rowstream.formatting.base import Formatter


class LazyDict(MutableMapping[str, Any]):
    """A dict whose values are formatted on first access."""

    def __init__(self, pa_table: Any, formatter: Formatter) -> None:
        self.pa_table, self.formatter = pa_table, formatter
        self.data: dict[str, Any] = dict.fromkeys(pa_table.column_names)
        self.keys_to_format = set(self.data)

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, key: str) -> Any:
        value = self.data[key]
        if key in self.keys_to_format:
            value = self.data[key] = self.format(key)
            self.keys_to_format.remove(key)
        return value

    def __setitem__(self, key: str, value: Any) -> None:
        self.keys_to_format.discard(key)
        self.data[key] = value

    def __delitem__(self, key: str) -> None:
        self.keys_to_format.discard(key)
        del self.data[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.data)

    def __contains__(self, key: object) -> bool:
        return key in self.data

    def __repr__(self) -> str:
        self._format_all()
        return repr(self.data)

    def _with(self, before: Mapping[str, Any], after: Mapping[str, Any], other: Any) -> Any:
        result = copy.copy(self)
        result.keys_to_format -= set(other)
        result.data = {**before, **after}
        return result

    def _plain(self, other: Any) -> Any:
        if isinstance(other, LazyDict):
            other = copy.copy(other)
            other._format_all()
            return other.data
        return other if isinstance(other, dict) else None

    def __or__(self, other: Any) -> Any:
        data = self._plain(other)
        return NotImplemented if data is None else self._with(self.data, data, data)

    def __ror__(self, other: Any) -> Any:
        data = self._plain(other)
        return NotImplemented if data is None else self._with(data, self.data, data)

    def __ior__(self, other: Any) -> Any:
        data = self._plain(other)
        if data is None:
            return NotImplemented
        self.keys_to_format -= set(data)
        self.data |= data
        return self

    def __copy__(self) -> Any:
        result = type(self).__new__(type(self))
        result.__dict__.update(self.__dict__)
        result.data, result.keys_to_format = self.data.copy(), self.keys_to_format.copy()
        return result

    def copy(self) -> Any:
        """Return a shallow copy, without formatting more values."""
        return copy.copy(self)

    def format(self, key: str) -> Any:
        """Return the formatted value of a key."""
        raise NotImplementedError

    def untouched(self, key: str) -> bool:
        """Return whether a value is still what the table has: it was never formatted, or is JSON
        that is the same. A string of JSON would become what it says, were it written again.
        """
        if key in self.keys_to_format:
            return True
        paths = json_paths((self.formatter.features or {}).get(key))
        if not paths or key not in self.pa_table.column_names:
            return False
        try:
            return dumps(self.data[key]) == dumps(self.format(key))
        except (TypeError, ValueError):
            return False

    def _format_all(self) -> None:
        for key in list(self.keys_to_format):
            self[key]


class LazyRow(LazyDict):
    """A row whose values are formatted on first access."""

    def format(self, key: str) -> Any:
        return self.formatter.format_column(self.pa_table.select([key]).slice(0, 1))[0]


class LazyBatch(LazyDict):
    """A batch whose columns are formatted on first access."""

    def __init__(self, pa_table: Any, formatter: Formatter) -> None:
        super().__init__(pa_table, formatter)
        # What columns of plain values were when they were made: such values do not change, lists of
        # them may.
        self.before: dict[str, list[Any]] = {}

    def format(self, key: str) -> Any:
        result = self.formatter.format_column(self.pa_table.select([key]))
        if isinstance(result, list) and isinstance((self.formatter.features or {}).get(key), Value):
            self.before[key] = list(result)
        return result

    def untouched(self, key: str) -> bool:
        """Return whether a column is still what the table has.

        It is if it was never formatted, or is a list of the same scalars, or of the same JSON.
        """
        if super().untouched(key):
            return True
        now, before = self.data.get(key), self.before.get(key)
        return (
            before is not None
            and isinstance(now, list)
            and len(now) == len(before)
            and all(map(is_, now, before))
        )
