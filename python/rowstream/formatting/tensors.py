"""The base class of the formatters that return arrays and tensors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
import pyarrow as pa

from rowstream import _core
from rowstream.arrow.numpy import (
    NO_NUMBERS,
    numpy_column,
    plain_numbers,
)
from rowstream.features.infer import array_of, first_there
from rowstream.features.nested import List
from rowstream.features.scalar import Value
from rowstream.formatting.base import Formatter
from rowstream.table.rows import arrow_table
from rowstream.utils.cached import cached_property


class TensorFormatter(Formatter):
    """The base class of the formatters that return dicts of tensors."""

    reads_selected = True
    copies = False
    """Whether tensors of memory that may not be written are copies of it."""

    def leaf(self, value: Any) -> Any:
        """Return a NumPy array or scalar as a tensor."""
        raise NotImplementedError

    def stack(self, column: list[Any]) -> Any:
        """Stack tensors of the same shape and type into one; return others as they are."""
        raise NotImplementedError

    def own(self, value: Any) -> bool:
        """Return whether a value is a tensor of the library already."""
        return False

    def recursive_tensorize(self, value: Any) -> Any:
        """Convert the numbers and arrays in a value to tensors, inside dicts and lists too."""
        if type(value) is np.ndarray and value.dtype.kind in "biuf":
            return self.leaf(value)
        if isinstance(value, Mapping):
            return {name: self.recursive_tensorize(one) for name, one in value.items()}
        if type(value) is list and (array := _python_numbers(value)) is not None:
            return self.number_list(value, array)
        if self.own(value):
            return self.kept(value)
        if _is_image(value):
            return self.pixels(np.asarray(value))
        if _is_media(value):
            return value
        if hasattr(value, "__array__") and not isinstance(
            value, (np.ndarray, np.character, np.number)
        ):
            value = value.__array__()
        if isinstance(value, np.ndarray) and value.dtype == object and not value.ndim:
            return self.recursive_tensorize(value.item())
        if (isinstance(value, np.ndarray) and value.dtype == object) or isinstance(
            value, (list, tuple)
        ):
            rows = list(value)
            if alike(rows, np.ndarray) and _by_kind(rows[0]):
                return self.leaf(np.stack(rows))
            return self.stack([self.recursive_tensorize(one) for one in rows])
        if self.stays(value):
            # Texts, also those of an array, as Python has them.
            return (
                value.tolist()
                if isinstance(value, (np.ndarray, np.generic)) and value.dtype.kind in "SU"
                else value
            )
        return self.leaf(value)

    def number_list(self, values: list[Any], array: np.ndarray[Any, Any]) -> Any:
        """Return Python numbers of one type as the tensor that stacking those of each would give.

        Args:
            values: The numbers.
            array: The same as an array.
        """
        if array.dtype.kind == "i" and (array.max() >= 1 << 31 or array.min() < -1 << 31):
            # Numbers by themselves may have another type than all of them together.
            return self.stack([self.leaf(value) for value in values])
        return self.leaf(values)

    def stays(self, value: Any) -> bool:
        """Return whether a value is returned as it is, since the library has no tensors for it."""
        if isinstance(value, (np.ndarray, np.generic)):
            return value.dtype.kind in "mMSU"
        return value is None or isinstance(value, (str, bytes, *NO_NUMBERS))

    def kept(self, value: Any) -> Any:
        """Return a tensor of the library as it is, or converted if the format has options."""
        return self.leaf(value) if self.kwargs else value

    def pixels(self, array: Any) -> Any:
        """Return the pixels of an image as a tensor of their own type."""
        raise NotImplementedError

    def plain(self, array: Any) -> Any:
        """Return an array that may be written as a tensor of the same type."""
        return self.pixels(array)

    def _column(self, table: Any, name: str) -> list[Any] | np.ndarray[Any, Any]:
        if isinstance(table, _core.SelectedRows):
            table = arrow_table(table.select([name]))
        if self._decodes(name):
            return self._decoded(name, table.column(name).to_pylist())
        return numpy_column(table.column(name))

    def _is_text(self, name: str) -> bool:
        """Return whether a column has nothing but texts, whose values are those of Python."""
        return name in self._text_names

    @cached_property
    def _text_names(self) -> frozenset[str]:
        return frozenset(name for name, one in (self.features or {}).items() if only_text(one))

    def format_row(self, table: Any) -> dict[str, Any]:
        """Return the first row as a dict of tensors."""
        one = table.slice(0, 1)
        return {
            name: self.recursive_tensorize(self._column(one, name)[0]) for name in one.column_names
        }

    def format_rows(self, table: Any) -> Iterator[dict[str, Any]]:
        """Yield the rows as dicts of tensors, as `format_row` formats each."""
        names = table.column_names
        if not names:
            yield from ({} for _ in range(table.num_rows))
            return
        columns = [self._rows_of(table, i, name) for i, name in enumerate(names)]
        for values in zip(*columns, strict=True):
            yield dict(zip(names, values, strict=True))

    def _rows_of(self, table: Any, i: int, name: str) -> Iterable[Any]:
        """Return the values of a column, formatted one by one, or several at once if that is the
        same.
        """
        if isinstance(table, _core.SelectedRows):
            if not self._decodes(name) and (found := self.row_arrays(table, i)) is not None:
                return found
            if self._is_text(name):
                return map(self.text, table.select([i]).to_pydict()[name])
        # When each is asked for: images that are decoded take memory.
        parts = (table.slice(k, 1) for k in range(table.num_rows))
        return (self.recursive_tensorize(self._column(part, name)[0]) for part in parts)

    def row_arrays(self, rows: _core.SelectedRows, i: int) -> Iterable[Any] | None:
        """Return the numbers of a column as tensors, one for each row, where they are tensors."""
        return None

    def texts(self, values: list[Any]) -> Any:
        """Return a column of texts, or of lists and structs of texts."""
        return self.recursive_tensorize(values)

    def items(self, column: Any) -> Any:
        """Return the rows of a formatted column, as a loader asks for them."""
        return column

    def text(self, value: Any) -> Any:
        """Return the value of a row in such a column."""
        return self.recursive_tensorize(value)

    def format_column(self, table: Any) -> Any:
        """Return the first column as a tensor, or as a list if it can't be one."""
        return self._formatted(table, 0, table.column_names[0])

    def format_batch(self, table: Any) -> dict[str, Any]:
        """Return the table as a dict of tensors."""
        return {name: self._formatted(table, i, name) for i, name in enumerate(table.column_names)}

    def _formatted(self, table: Any, i: int, name: str) -> Any:
        """Return a column as a tensor, or as a list if it can't be one."""
        if not self._decodes(name):
            if isinstance(table, _core.SelectedRows):
                found = table.array(i, by_default=not self.kwargs)
                if found is not None:
                    return self.from_numbers(*found)
                if self._is_text(name) and table.num_rows:
                    return self.texts(table.select([i]).to_pydict()[name])
            elif not self.kwargs and (values := plain_numbers(table.column(i))) is not None:
                return self.numbers(values)
        result = self.recursive_tensorize(self._column(table, name))
        return self.stack(result) if isinstance(result, list) else result

    def from_numbers(
        self, dtype: str, shape: list[int], data: _core.WritableBuffer, lengths: list[int] | None
    ) -> Any:
        """Return numbers that the core wrote, for each row one or an array, as tensors."""
        values = np.frombuffer(memoryview(data), dtype)
        if lengths is None:
            values = values.reshape(-1, *shape) if shape else values
            return self.numbers(values) if values.dtype.kind in "iuf" else self.leaf(values)
        return self.ragged(values, lengths, divided(values, lengths))

    def ragged(self, values: Any, lengths: list[int], rows: list[Any]) -> Any:
        """Return arrays of several lengths as tensors.

        Args:
            values: All numbers, one after another.
            lengths: The length of each row.
            rows: Views of `values`, one for each row.
        """
        return self.stack([self.leaf(row) for row in rows])

    def format_columns(self, columns: Mapping[str, list[Any]]) -> dict[str, Any]:
        """Format columns of Python objects like the columns of a table.

        Values that Arrow can't store, such as images, are converted one by one.
        """
        result = {}
        for name, values in columns.items():
            if _has_images(values):
                result[name] = self.recursive_tensorize(values)
                continue
            try:
                table = pa.table({name: array_of(values)})
            except (pa.ArrowException, TypeError, ValueError, OverflowError):
                result[name] = self.recursive_tensorize(values)
            else:
                result[name] = self.format_batch(table)[name]
        return result

    def numbers(self, values: Any) -> Any:
        """Return an array of numbers as a tensor, as `leaf` does."""
        return self.leaf(values)


def divided(values: Any, lengths: list[int]) -> list[Any]:
    """Return views of an array, one after another, of the given lengths."""
    return [values[start:end] for start, end in pairwise(accumulate(lengths, initial=0))]


def separate(rows: Iterable[Any], data: _core.WritableBuffer) -> Iterable[Any]:
    """Return the rows of an array as arrays, which share memory only if it is little: whoever
    keeps one row keeps it all.
    """
    return rows if len(data) < _SHARED else (row.copy() for row in rows)


_SHARED = 1 << 16  # bytes


def only_text(feature: Any) -> bool:
    """Return whether a feature is a text, or lists and structs of nothing but texts."""
    if isinstance(feature, Mapping):
        return bool(feature) and all(map(only_text, feature.values()))
    if type(feature) is List:
        return only_text(feature.feature)
    return type(feature) is Value and feature.dtype in ("string", "large_string")


_NUMBERS: dict[type, np.dtype[Any]] = {
    int: np.dtype(np.int64),
    float: np.dtype(np.float64),
    bool: np.dtype(np.bool_),
}


def _python_numbers(values: list[Any]) -> np.ndarray[Any, Any] | None:
    """Return a list of Python numbers of one type as an array; `None` if it is anything else."""
    dtype = _NUMBERS.get(type(values[0])) if values else None
    if dtype is None or len(set(map(type, values))) != 1:
        return None
    try:
        return np.array(values, dtype)
    except OverflowError:
        return None


def _by_kind(array: np.ndarray[Any, Any]) -> bool:
    """Return whether the type of an array's tensor does not depend on how large its numbers are."""
    return array.ndim > 0 and array.size > 0 and array.dtype.kind in "if"


def _is_image(value: Any) -> bool:
    """Return whether a value is a Pillow image, of which some versions have no `__array__`."""
    return type(value).__module__.startswith("PIL.")


_MEDIA = ("rowstream.", "pdfplumber.", "nibabel.", "trimesh.", "Bio.")


def _is_media(value: Any) -> bool:
    """Return whether a value is a sound, a video or a document, which no library has tensors for.

    Its own methods give what is in it.
    """
    return type(value).__module__.startswith(_MEDIA) and not isinstance(value, Mapping)


def _has_images(value: Any) -> bool:
    """Return whether a value contains images, as the first items of lists show."""
    if isinstance(value, Mapping):
        return any(map(_has_images, value.values()))
    inner = isinstance(value, (list, tuple))
    return _has_images(first_there(value)) if inner else _is_image(value) or _is_media(value)


def alike(column: list[Any], kind: Any) -> bool:
    """Return whether all values are arrays of the same shape and type."""
    return bool(column) and all(
        isinstance(one, kind) and one.shape == column[0].shape and one.dtype == column[0].dtype
        for one in column
    )
