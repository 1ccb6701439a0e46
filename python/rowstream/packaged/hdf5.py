"""HDF5, by h5py: the first dimension of data sets is that of rows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

from rowstream.exceptions import FileFormatError, SchemaError, UnsupportedError
from rowstream.features.arrays import Array2D, Array3D, Array4D, Array5D
from rowstream.features.features import Features
from rowstream.features.nested import List
from rowstream.features.scalar import Value
from rowstream.packaged.base import Reader, Source, choose
from rowstream.utils.optional import import_optional

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

    def features(self, files: list[Source]) -> Features | None:
        with _opened(files[0]) as file:
            found = Features({name: _feature(one, name) for name, one in _columns(file).items()})
        return choose(found, self.columns)

    def rows(self, unit: Source) -> Iterator[dict[str, Any]]:
        with _opened(unit) as file:
            columns = _columns(file)
            lengths = {name: _length(one, name) for name, one in columns.items()}
            if len(set(lengths.values())) > 1:
                raise SchemaError(f"{unit}: data sets have one number of rows, found {lengths}")
            n = next(iter(lengths.values()), 0)
            step = self.batch_size or _ROWS
            for start in range(0, n, step):
                stop = min(start + step, n)
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


def _length(one: Any, name: str) -> int:
    if _is_group(one):
        lengths = {inner: _length(of, f"{name}/{inner}") for inner, of in _columns(one).items()}
        if len(set(lengths.values())) > 1:
            raise SchemaError(f"data sets have one number of rows, found {lengths} in {name!r}")
        return next(iter(lengths.values()))
    if not one.shape:
        raise UnsupportedError(f"{name!r} is a single value, without rows")
    return int(one.shape[0])


def _feature(one: Any, name: str) -> Any:
    if _is_group(one):
        return {inner: _feature(of, f"{name}/{inner}") for inner, of in _columns(one).items()}
    h5py = import_optional("h5py", "HDF5 files", "h5py")
    dtype, shape = one.dtype, one.shape[1:]
    varied = h5py.check_vlen_dtype(dtype)
    if dtype.names is not None:
        inner: Any = {field: Value(dtype[field].name) for field in dtype.names}
    elif h5py.check_string_dtype(dtype) is not None:
        inner = Value("binary" if h5py.check_string_dtype(dtype).length is not None else "string")
    elif varied is not None:
        inner = List(Value(varied.name))
    elif dtype.kind == "c":
        part = "float32" if dtype.itemsize == 8 else "float64"
        inner = {"real": Value(part), "imag": Value(part)}
    elif dtype.kind in "biuf":
        inner = Value(dtype.name)
    else:
        raise UnsupportedError(f"{name!r} has values of {dtype}, which no column has")
    if not shape:
        return inner
    plain = isinstance(inner, Value) and inner.dtype not in ("binary", "string")
    if len(shape) == 1 or not plain or 0 in shape:
        for length in reversed(shape):
            inner = List(inner, length=length or -1)
        return inner
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
    values = one[start:stop]
    if values.dtype.names is not None:
        names = values.dtype.names
        return [{name: row[name].item() for name in names} for row in values]
    if values.dtype.kind == "c":
        return [{"real": float(v.real), "imag": float(v.imag)} for v in values]
    if values.dtype.kind in "SO":
        return list(values.tolist())
    return list(values)
