"""HDF5, by h5py: the first dimension of data sets is that of rows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

from rowstream.exceptions import FileFormatError, UnsupportedError
from rowstream.features.arrays import Array2D, Array3D, Array4D, Array5D
from rowstream.features.features import Features
from rowstream.features.nested import List
from rowstream.features.scalar import Value
from rowstream.packaged.base import Reader, Source, choose
from rowstream.utils import logging
from rowstream.utils.optional import import_optional

_logger = logging.get_logger(__name__)
_ARRAYS = {2: Array2D, 3: Array3D, 4: Array4D, 5: Array5D}
_ROWS = 1024  # rows that are read at once


@dataclass
class Hdf5(Reader):
    """The reader of HDF5 files: data sets and groups of a file are its columns.

    Attributes:
        batch_size: Rows that are read at once.
    """

    name: ClassVar[str] = "hdf5"
    batch_size: int | None = None

    def names_there(self, files: list[Source]) -> list[str]:
        names: dict[str, None] = {}
        for source in files:
            with _opened(source) as file:
                names.update(dict.fromkeys(_columns(file)))
        return [*names]

    def features(self, files: list[Source]) -> Features | None:
        for source in files:
            with _opened(source) as file:
                found = Features({n: _feature(one, n) for n, one in _columns(file).items()})
            if found:
                return choose(found, self.columns)
        return None

    def rows(self, unit: Source) -> Iterator[dict[str, Any]]:
        with _opened(unit) as file:
            columns = _columns(file)
            if not columns:
                _logger.warning("%s contains no data, skipping it", unit)
                return
            names = [*columns] if self.columns is None else self.columns
            if missing := [name for name in names if name not in columns]:
                raise ValueError(f"{unit}: there is no data set {missing}, found {[*columns]}")
            columns = {name: columns[name] for name in names}
            n: int | None = None
            for name, one in columns.items():
                n = _length(one, name, n)
            step = self.batch_size or _ROWS
            for start in range(0, n or 0, step):
                stop = min(start + step, n or 0)
                batch = {name: _values(one, start, stop) for name, one in columns.items()}
                for i in range(stop - start):
                    yield {name: values[i] for name, values in batch.items()}


@contextmanager
def _opened(source: Source) -> Iterator[Any]:
    h5py = import_optional("h5py", "HDF5 files", "h5py")
    with source.open() as file:
        try:
            opened = h5py.File(file, "r")
        except OSError as error:
            raise FileFormatError(f"{source}: no HDF5 file: {error}") from error
        with opened:
            yield opened


def _columns(group: Any) -> dict[str, Any]:
    """Return the data sets and groups in a group that have rows; none that is in another file."""
    h5py = import_optional("h5py", "HDF5 files", "h5py")
    result = {}
    for name in group:
        link = group.get(name, getlink=True)
        if isinstance(link, h5py.ExternalLink):
            raise UnsupportedError(
                f"{name!r} is in another file ({link.filename!r}), which is not opened: other files"
                " of this machine would be read"
            )
        one = group.get(name)
        if isinstance(one, h5py.Group):
            if _columns(one):
                result[name] = one
        elif isinstance(one, h5py.Dataset):
            if one.external or one.is_virtual:
                raise UnsupportedError(
                    f"{name!r} has its values in other files, which are not opened"
                )
            result[name] = one
    return result


def _is_group(one: Any) -> bool:
    return hasattr(one, "keys")


def _length(one: Any, name: str, expected: int | None) -> int:
    """Return the number of rows.

    Raises:
        ValueError: It is another than is expected, if that is known.
    """
    if _is_group(one):
        for inner, of in _columns(one).items():
            expected = _length(of, f"{name}/{inner}", expected)
        return expected or 0
    if not one.shape:
        raise UnsupportedError(f"{name!r} is a single value, without rows")
    n = int(one.shape[0])
    if expected not in (None, n):
        raise ValueError(
            f"data sets have one number of rows: {name!r} has {n} but expected {expected}"
        )
    return n


def _feature(one: Any, name: str) -> Any:
    if _is_group(one):
        return {inner: _feature(of, f"{name}/{inner}") for inner, of in _columns(one).items()}
    return _of_type(one.dtype, one.shape[1:], name)


def _of_type(dtype: Any, shape: tuple[int, ...], name: str) -> Any:
    """Return the feature of values of a type, in arrays of a shape."""
    h5py = import_optional("h5py", "HDF5 files", "h5py")
    if dtype.subdtype is not None:
        inside, more = dtype.subdtype
        return _of_type(inside, (*shape, *more), name)
    varied, text = h5py.check_vlen_dtype(dtype), h5py.check_string_dtype(dtype)
    if dtype.names is not None:
        fields = {one: _of_type(dtype[one], (), f"{name}/{one}") for one in dtype.names}
        return _lists(fields, shape)
    if dtype.kind == "c":
        part = Value("float32" if dtype.itemsize == 8 else "float64")
        return {side: _sized(part, shape, name) for side in ("real", "imag")}
    if text is not None:
        return _lists(Value("binary" if text.length is not None else "string"), shape)
    if varied is not None:
        return _lists(List(Value(varied.name)), shape)
    if dtype.kind in "biuf":
        return _sized(Value(dtype.name), shape, name)
    raise UnsupportedError(f"{name!r} has values of {dtype}, which no column has")


def _lists(inner: Any, shape: tuple[int, ...]) -> Any:
    for length in reversed(shape):
        inner = List(inner, length=length or -1)
    return inner


def _sized(inner: Value, shape: tuple[int, ...], name: str) -> Any:
    """Return the feature of arrays of numbers."""
    if 0 in shape:
        _logger.warning(
            "%r has arrays of shape %s: those with a dimension with size 0 are lists", name, shape
        )
        return List(inner)
    if len(shape) < 2:
        return _lists(inner, shape)
    if len(shape) not in _ARRAYS:
        raise UnsupportedError(f"{name!r} has arrays of {len(shape)} dimensions, more than 5")
    return _ARRAYS[len(shape)](shape=shape, dtype=inner.dtype)


def _values(one: Any, start: int, stop: int) -> list[Any]:
    if _is_group(one):
        columns = {name: _values(of, start, stop) for name, of in _columns(one).items()}
        return [{name: of[i] for name, of in columns.items()} for i in range(stop - start)]
    h5py = import_optional("h5py", "HDF5 files", "h5py")
    text = h5py.check_string_dtype(one.dtype)
    if text is not None and text.length is None:
        values = one.asstr()[start:stop]
        return list(values.tolist())
    return _items(one[start:stop])


def _items(values: Any) -> list[Any]:
    """Return an array as a list of what its rows have."""
    if values.dtype.names is not None:
        if values.ndim > 1:
            return [_items(row) for row in values]
        fields = {name: _items(values[name]) for name in values.dtype.names}
        return [{name: of[i] for name, of in fields.items()} for i in range(len(values))]
    if values.dtype.kind == "c":
        return [{"real": row.real, "imag": row.imag} for row in values]
    if 0 in values.shape[1:]:
        return [[] for _ in values]
    if values.dtype.kind in "SO":
        return list(values.tolist())
    return list(values)
