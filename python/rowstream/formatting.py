"""Formats of rows, columns and batches of Arrow tables: Python objects, NumPy, torch, JAX, TensorFlow, MLX, pandas, Polars, Arrow."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from datetime import date, time, timedelta
from decimal import Decimal
from functools import cached_property, partial
from importlib.util import find_spec
from operator import is_
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rowstream.exceptions import InvalidArgumentError
from rowstream.features.extension import ArrayType
from rowstream.features.features import decode_nested_example
from rowstream.features.maps import polars_frame
from rowstream.features.raw import array_of, first_there
from rowstream.features.rows import pydict
from rowstream.features.types import Value, requires_decoding

ALIASES = {
    None: None,
    "python": None,
    "arrow": "arrow",
    "pa": "arrow",
    "pyarrow": "arrow",
    "numpy": "numpy",
    "np": "numpy",
    "pandas": "pandas",
    "pd": "pandas",
    "polars": "polars",
    "pl": "polars",
    "torch": "torch",
    "pt": "torch",
    "pytorch": "torch",
    "tensorflow": "tensorflow",
    "tf": "tensorflow",
    "jax": "jax",
    "mlx": "mlx",
    "custom": "custom",
}


def get_format_type_from_alias(format_type: str | None) -> str | None:
    """The name of a format that an alias stands for; anything else as it is."""
    return ALIASES.get(format_type, format_type)


# ---------------------------------------------------------------------------------------------------- Arrow → NumPy


def _uniform(array: Any) -> Any:
    """Lists of one length of numbers as one array, without a copy where pyarrow makes none; `None` where they are not."""
    shape = [len(array)]
    while pa.types.is_list(array.type) or pa.types.is_large_list(array.type) or pa.types.is_fixed_size_list(array.type):
        if array.null_count or not len(array):
            return None
        if pa.types.is_fixed_size_list(array.type):
            length = array.type.list_size
        else:
            lengths = np.diff(array.offsets.to_numpy())
            length = int(lengths[0])
            if not length or not (lengths == length).all():
                return None
        shape.append(length)
        array = array.flatten()
    if array.null_count or not pa.types.is_primitive(array.type) or pa.types.is_boolean(array.type) or pa.types.is_temporal(array.type):
        return None
    return array.to_numpy().reshape(shape)


def numpy_column(column: Any) -> Any:
    """A pyarrow column, or an array, as a NumPy array: of numbers, of arrays where rows have one shape, or else of objects."""
    kind = column.type
    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    if isinstance(kind, ArrayType):
        parts = [chunk.to_numpy(zero_copy_only=False) for chunk in chunks if len(chunk)]
        if len(parts) == 1 or (parts and all(part.dtype == parts[0].dtype and part.shape[1:] == parts[0].shape[1:] for part in parts)):
            return parts[0] if len(parts) == 1 else np.concatenate(parts)
        return _objects([one for part in parts for one in part]) if parts else np.array([])
    plain = pa.types.is_primitive(kind) and not pa.types.is_boolean(kind) and not pa.types.is_temporal(kind)
    if plain and not column.null_count:
        parts = [chunk.to_numpy() for chunk in chunks if len(chunk)]
        return parts[0] if len(parts) == 1 else np.concatenate(parts) if parts else np.array([], kind.to_pandas_dtype())
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        parts = [_uniform(chunk) for chunk in chunks if len(chunk)]
        if parts and all(part is not None and part.shape[1:] == parts[0].shape[1:] for part in parts):
            return parts[0] if len(parts) == 1 else np.concatenate(parts)
    if pa.types.is_map(kind):
        return _objects(column.to_pylist())
    rows = [row for chunk in chunks for row in chunk.to_numpy(zero_copy_only=False)]
    several = any(isinstance(row, np.ndarray) for row in rows)
    if several:
        first = next(row for row in rows if isinstance(row, np.ndarray))
        alike = all(isinstance(row, np.ndarray) and row.dtype != object and row.shape == first.shape for row in rows)
        return np.asarray(rows) if alike else _objects(rows)
    made = np.asarray(rows)
    # NumPy's own types of text and of bytes lose zeros at the end.
    loses = made.dtype.kind == "S" or (made.dtype.kind == "U" and any(row.endswith("\0") for row in rows))
    return _objects(rows) if loses else made


_NUMBERS = frozenset(
    (*(kind() for kind in (pa.int8, pa.int16, pa.int32, pa.int64, pa.uint8, pa.uint16, pa.uint32, pa.uint64)), pa.float32(), pa.float64())
)


def _plain_numbers(column: Any) -> Any:
    """The numbers of a column, as they lie in memory if they are one piece; `None` where some are missing, or there are none."""
    n = column.num_chunks
    if column.type not in _NUMBERS or not n or column.null_count:
        return None
    return column.chunk(0).to_numpy() if n == 1 else np.concatenate([chunk.to_numpy() for chunk in column.chunks])


_NO_NUMBERS = (date, time, timedelta, Decimal)
"""What rows have of times, durations and decimal numbers, which no library but NumPy has arrays of."""
_INT64, _FLOAT32 = np.dtype(np.int64), np.dtype(np.float32)
_INT64_MAX = np.iinfo(np.int64).max


def _is_text(value: Any) -> bool:
    return isinstance(value, (str, bytes)) or (isinstance(value, np.ndarray) and value.dtype.kind in "SU")


def _default_type(dtype: Any, values: Any) -> Any:
    """The type that arrays of numbers have: 64-bit integers, and floating-point numbers of 32 bits, as `datasets` has them.

    Args:
        dtype: the type of the values.
        values: an array or a scalar of NumPy.
    """
    if dtype.kind == "f":
        return _FLOAT32
    # What has the highest bit would become negative.
    if dtype.kind == "u" and dtype.itemsize == 8 and np.size(values) and np.max(values) > _INT64_MAX:
        return dtype
    return _INT64


def _objects(values: list[Any]) -> Any:
    made = np.empty(len(values), dtype=object)
    made[:] = values
    return made


# ------------------------------------------------------------------------------------------------------- formatters


def _unnest(batch: Mapping[str, Any]) -> dict[str, Any]:
    return {name: column[0] for name, column in batch.items()}


class Formatter:
    """Makes rows, columns and batches of tables.

    Args:
        features: the types of the columns, by which values are decoded.
    """

    name: str | None = None

    def __init__(self, features: Any = None, token_per_repo_id: Any = None, **kwargs: Any) -> None:
        self.features, self.token_per_repo_id, self.kwargs = features, token_per_repo_id, kwargs

    def __call__(self, pa_table: Any, query_type: str) -> Any:
        """A row, a column or a batch, as `query_type` says."""
        return {"row": self.format_row, "column": self.format_column, "batch": self.format_batch}[query_type](pa_table)

    def format_row(self, pa_table: Any) -> Any:
        """The first row."""
        raise NotImplementedError

    def format_column(self, pa_table: Any) -> Any:
        """The first column."""
        raise NotImplementedError

    def format_batch(self, pa_table: Any) -> Any:
        """All rows."""
        raise NotImplementedError

    def _decodes(self, name: str) -> bool:
        return name in self._decoded_names

    @cached_property
    def _decoded_names(self) -> frozenset[str]:
        """The columns that features decode."""
        return frozenset(name for name, feature in (self.features or {}).items() if requires_decoding(feature))

    def _decoded(self, name: str, column: list[Any]) -> list[Any]:
        made: list[Any] = self.features.decode_column(column, name, self.token_per_repo_id)
        return made


class PythonFormatter(Formatter):
    """Dicts of Python objects."""

    def __init__(self, features: Any = None, lazy: bool = False, token_per_repo_id: Any = None) -> None:
        super().__init__(features, token_per_repo_id)
        self.lazy = lazy

    def format_row(self, pa_table: Any) -> Any:
        """A dict; one that makes values when they are asked for, if lazy."""
        if self.lazy:
            return LazyRow(pa_table, self)
        return _unnest(self._batch(pa_table.slice(0, 1)))

    def format_column(self, pa_table: Any) -> Any:
        """A list."""
        name = pa_table.column_names[0]
        column = pydict(pa_table.select([0]))[name]
        return self._decoded(name, column) if self._decodes(name) else column

    def format_batch(self, pa_table: Any) -> Any:
        """A dict of lists; one that makes columns when they are asked for, if lazy."""
        return LazyBatch(pa_table, self) if self.lazy else self._batch(pa_table)

    def _batch(self, pa_table: Any) -> dict[str, Any]:
        made = pydict(pa_table)
        return {name: self._decoded(name, column) if self._decodes(name) else column for name, column in made.items()}


class ArrowFormatter(Formatter):
    """pyarrow tables."""

    name = "arrow"

    def format_row(self, pa_table: Any) -> Any:
        """A table of one row."""
        return pa_table

    def format_column(self, pa_table: Any) -> Any:
        """A chunked array."""
        return pa_table.column(0)

    def format_batch(self, pa_table: Any) -> Any:
        """A table."""
        return pa_table


class FrameFormatter(Formatter):
    """Frames: what those of pandas and Polars have in common."""

    def _frame(self, pa_table: Any) -> Any:
        raise NotImplementedError

    def format_row(self, pa_table: Any) -> Any:
        """A frame of one row."""
        return self._frame(pa_table.slice(0, 1))

    def format_column(self, pa_table: Any) -> Any:
        """A series."""
        return self._frame(pa_table.select([0]))[pa_table.column_names[0]]

    def format_batch(self, pa_table: Any) -> Any:
        """A frame."""
        return self._frame(pa_table)


class PandasFormatter(FrameFormatter):
    """pandas frames."""

    name = "pandas"

    def _frame(self, pa_table: Any) -> Any:
        from rowstream.features.frames import pandas_types_mapper

        frame = pa_table.to_pandas(types_mapper=pandas_types_mapper)
        for name in pa_table.column_names:
            if self._decodes(name):
                decode = partial(decode_nested_example, self.features[name])
                frame[name] = [None if value is None else decode(value) for value in pa_table.column(name).to_pylist()]
        return frame


class PolarsFormatter(FrameFormatter):
    """Polars frames."""

    name = "polars"

    def _frame(self, pa_table: Any) -> Any:
        try:
            import polars as pl
        except ImportError as error:
            raise ValueError("Polars needs to be installed to be able to return Polars dataframes.") from error
        frame = polars_frame(pa_table)
        for name in pa_table.column_names:
            if self._decodes(name):
                values = [
                    None if one is None else decode_nested_example(self.features[name], one) for one in pa_table.column(name).to_pylist()
                ]
                frame = frame.with_columns(pl.Series(name, values, dtype=pl.Object))
        return frame


class TensorFormatter(Formatter):
    """Dicts of tensors: what a library's formats have in common."""

    def leaf(self, value: Any) -> Any:
        """A NumPy array or a scalar as a tensor."""
        raise NotImplementedError

    def stack(self, column: list[Any]) -> Any:
        """Tensors as one, where they have one shape and type; else as they are."""
        raise NotImplementedError

    def own(self, value: Any) -> bool:
        """Whether a value is a tensor of the library already."""
        return False

    def recursive_tensorize(self, value: Any) -> Any:
        """A value with tensors in place of numbers and arrays, inside dicts and lists too."""
        if isinstance(value, Mapping):
            return {name: self.recursive_tensorize(one) for name, one in value.items()}
        if self.own(value):
            return self.kept(value)
        if _is_image(value):
            return self.pixels(np.asarray(value))
        if hasattr(value, "__array__") and not isinstance(value, (np.ndarray, np.character, np.number)):
            value = value.__array__()
        if isinstance(value, np.ndarray) and value.dtype == object and not value.ndim:
            return self.recursive_tensorize(value.item())
        if (isinstance(value, np.ndarray) and value.dtype == object) or isinstance(value, (list, tuple)):
            return self.stack([self.recursive_tensorize(one) for one in value])
        if self.stays(value):
            # Texts, also those of an array, as Python has them.
            return value.tolist() if isinstance(value, (np.ndarray, np.generic)) and value.dtype.kind in "SU" else value
        return self.leaf(value)

    def stays(self, value: Any) -> bool:
        """Whether a value is one that the library has no tensors of, and stays as it is."""
        if isinstance(value, (np.ndarray, np.generic)):
            return value.dtype.kind in "mMSU"
        return value is None or isinstance(value, (str, bytes, *_NO_NUMBERS))

    def kept(self, value: Any) -> Any:
        """A tensor of the library: as it is, but for what the options say."""
        return self.leaf(value) if self.kwargs else value

    def pixels(self, array: Any) -> Any:
        """The pixels of an image as a tensor, in their own type."""
        raise NotImplementedError

    def _column(self, pa_table: Any, name: str) -> Any:
        if self._decodes(name):
            return self._decoded(name, pa_table.column(name).to_pylist())
        return numpy_column(pa_table.column(name))

    def format_row(self, pa_table: Any) -> Any:
        """A dict of tensors."""
        one = pa_table.slice(0, 1)
        return {name: self.recursive_tensorize(self._column(one, name)[0]) for name in one.column_names}

    def format_column(self, pa_table: Any) -> Any:
        """A tensor, or a list of what cannot be one."""
        made = self.recursive_tensorize(self._column(pa_table, pa_table.column_names[0]))
        return self.stack(made) if isinstance(made, list) else made

    def format_batch(self, pa_table: Any) -> Any:
        """A dict of tensors."""
        made = {}
        for name, column in zip(pa_table.column_names, pa_table.columns, strict=True):
            values = None if self.kwargs or self._decodes(name) else _plain_numbers(column)
            made[name] = self.format_column(pa_table.select([name])) if values is None else self.numbers(values)
        return made

    def format_columns(self, columns: Mapping[str, list[Any]]) -> dict[str, Any]:
        """Columns of Python objects as those of a table of them; what Arrow does not have, such as images, value by value."""
        made = {}
        for name, values in columns.items():
            if _has_images(values):
                made[name] = self.recursive_tensorize(values)
                continue
            try:
                table = pa.table({name: array_of(values)})
            except (pa.ArrowException, TypeError, ValueError, OverflowError):
                made[name] = self.recursive_tensorize(values)
            else:
                made[name] = self.format_batch(table)[name]
        return made

    def numbers(self, values: Any) -> Any:
        """Numbers as a tensor: what `leaf` makes of them."""
        return self.leaf(values)


def _is_image(value: Any) -> bool:
    """Whether a value is an image of Pillow, of which some versions have no `__array__`."""
    return type(value).__module__.startswith("PIL.")


def _has_images(value: Any) -> bool:
    """Whether there are images in a value, as the first items of lists show."""
    if isinstance(value, Mapping):
        return any(map(_has_images, value.values()))
    return _has_images(first_there(value)) if isinstance(value, (list, tuple)) else _is_image(value)


def _alike(column: list[Any], kind: Any) -> bool:
    return bool(column) and all(isinstance(one, kind) and one.shape == column[0].shape and one.dtype == column[0].dtype for one in column)


class NumpyFormatter(TensorFormatter):
    """Dicts of NumPy arrays: integers as `int64`, floating-point numbers as `float32`, unless `dtype=` says another."""

    name = "numpy"

    def numbers(self, values: Any) -> Any:
        return self.leaf(values) if self.kwargs else values.astype(_default_type(values.dtype, values), copy=False)

    def stack(self, column: list[Any]) -> Any:
        return np.stack(column) if _alike(column, (np.ndarray, np.number, np.bool_)) else _objects(column)

    def leaf(self, value: Any) -> Any:
        if isinstance(value, np.ndarray):
            kind = value.dtype.kind
            if kind in "SU":
                return value
            return np.asarray(value, **({"dtype": _default_type(value.dtype, value)} if kind in "iuf" else {}) | self.kwargs)
        return value if isinstance(value, (str, bytes, type(None), np.number)) else np.asarray(value, **self.kwargs)

    def stays(self, value: Any) -> bool:
        return False

    def pixels(self, array: Any) -> Any:
        return np.asarray(array, **self.kwargs)

    def recursive_tensorize(self, value: Any) -> Any:
        if type(value).__module__ == "torch":
            value = value.detach().cpu().numpy()[()]
        return super().recursive_tensorize(value)


class TorchFormatter(TensorFormatter):
    """Dicts of torch tensors: `int64`, `float32`, `bool`, unless `dtype=` says another."""

    name = "torch"

    def __init__(self, features: Any = None, token_per_repo_id: Any = None, **kwargs: Any) -> None:
        try:
            import torch
        except ImportError as error:
            raise ValueError("PyTorch needs to be installed to be able to return PyTorch tensors.") from error
        super().__init__(features, token_per_repo_id, **kwargs)
        self.torch = torch

    def own(self, value: Any) -> bool:
        return isinstance(value, self.torch.Tensor)

    def numbers(self, values: Any) -> Any:
        # A tensor's memory may be written, so it is always a copy.
        return self.torch.from_numpy(values.astype(_default_type(values.dtype, values)))

    def stack(self, column: list[Any]) -> Any:
        return self.torch.stack(column) if _alike(column, self.torch.Tensor) else column

    def kept(self, value: Any) -> Any:
        return value.detach().to(**self.kwargs) if self.kwargs else value.detach()

    def pixels(self, array: Any) -> Any:
        # Colours first, and memory of its own: an image's may not be written.
        colours = (array[:, :, np.newaxis] if array.ndim == 2 else array).transpose((2, 0, 1))
        made = self.torch.from_numpy(colours.copy(order="C"))
        return made.to(**self.kwargs) if self.kwargs else made

    def leaf(self, value: Any) -> Any:
        torch, options = self.torch, self.kwargs
        if not isinstance(value, (np.number, np.bool_, np.ndarray)):
            return torch.tensor(value, **options)
        number = value.dtype.kind in "iuf" and "dtype" not in options
        dtype = _default_type(value.dtype, value) if number else value.dtype.newbyteorder("=")
        # One copy, of memory that may not be written; `torch.tensor` warns of it.
        kept = torch.from_numpy(np.array(value, dtype))
        return kept.to(**options) if options else kept


class JaxFormatter(TensorFormatter):
    """Dicts of JAX arrays."""

    name = "jax"

    def __init__(self, features: Any = None, device: Any = None, token_per_repo_id: Any = None, **kwargs: Any) -> None:
        try:
            import jax
        except ImportError as error:
            raise ValueError("JAX needs to be installed to be able to return JAX arrays.") from error
        super().__init__(features, token_per_repo_id, **kwargs)
        self.jax = jax
        named = {str(one): one for one in jax.devices()}
        if device is not None and not isinstance(device, str):
            raise ValueError(
                f"device= expects the name of a device, such as {next(iter(named))!r}, since a device itself cannot be pickled"
            )
        self.device = device if device is not None else str(jax.devices()[0])

    def own(self, value: Any) -> bool:
        return isinstance(value, self.jax.Array)

    def stack(self, column: list[Any]) -> Any:
        return self.jax.numpy.stack(column, axis=0) if _alike(column, self.jax.Array) else column

    def leaf(self, value: Any) -> Any:
        if not isinstance(value, (np.number, np.ndarray)) or value.dtype.kind not in "iuf":
            return self._placed(value, {})
        wanted = _default_type(value.dtype, value)
        if wanted.kind != "f" and not self.jax.config.jax_enable_x64:
            wanted = np.dtype(np.int32)
            limits = np.iinfo(wanted)
            if np.size(value) and not self.kwargs and (np.max(value) > limits.max or np.min(value) < limits.min):
                raise OverflowError(
                    f"integers up to {max(int(np.max(value)), -int(np.min(value)))} do not fit in the 32 bits that JAX has for them: "
                    'allow 64 with jax.config.update("jax_enable_x64", True), or ask for floating-point numbers with dtype='
                )
        return self._placed(value, {"dtype": wanted})

    def pixels(self, array: Any) -> Any:
        return self._placed(array, {})

    def _placed(self, value: Any, options: dict[str, Any]) -> Any:
        """An array on the device."""
        devices = {str(one): one for one in self.jax.devices()}
        with self.jax.default_device(devices.get(self.device, self.jax.devices()[0])):
            return self.jax.numpy.array(value, **options | self.kwargs)


class TFFormatter(TensorFormatter):
    """Dicts of TensorFlow tensors, ragged where rows have several lengths."""

    name = "tensorflow"

    def __init__(self, features: Any = None, token_per_repo_id: Any = None, **kwargs: Any) -> None:
        try:
            import tensorflow as tf
        except ImportError as error:
            raise ValueError("Tensorflow needs to be installed to be able to return Tensorflow tensors.") from error
        super().__init__(features, token_per_repo_id, **kwargs)
        self.tf = tf

    def own(self, value: Any) -> bool:
        return isinstance(value, self.tf.Tensor)

    def stack(self, column: list[Any]) -> Any:
        tf = self.tf
        if _alike(column, tf.Tensor):
            return tf.stack(column)
        ragged = bool(column) and all(isinstance(one, (tf.Tensor, tf.RaggedTensor)) and one.dtype == column[0].dtype for one in column)
        return tf.ragged.stack(column) if ragged and all(one.ndim == 1 for one in column) else column

    def leaf(self, value: Any) -> Any:
        options = self.kwargs
        if isinstance(value, (np.number, np.ndarray)) and value.dtype.kind in "iuf":
            options = {"dtype": _default_type(value.dtype, value).name, **options}
        return self.tf.convert_to_tensor(value, **options)

    def stays(self, value: Any) -> bool:
        return not _is_text(value) and super().stays(value)

    def pixels(self, array: Any) -> Any:
        return self.tf.convert_to_tensor(array, **self.kwargs)


class MlxFormatter(TensorFormatter):
    """Dicts of MLX arrays."""

    name = "mlx"

    def __init__(self, features: Any = None, token_per_repo_id: Any = None, **kwargs: Any) -> None:
        try:
            import mlx.core as mx
        except ImportError as error:
            raise ValueError("MLX needs to be installed to be able to return MLX arrays.") from error
        super().__init__(features, token_per_repo_id, **kwargs)
        self.mx = mx

    def own(self, value: Any) -> bool:
        return isinstance(value, self.mx.array)

    def stack(self, column: list[Any]) -> Any:
        return self.mx.stack(column) if _alike(column, self.mx.array) else column

    def leaf(self, value: Any) -> Any:
        return self.mx.array(value, **self.kwargs)

    def pixels(self, array: Any) -> Any:
        return self.mx.array(array, **self.kwargs)


class CustomFormatter(Formatter):
    """What a function makes of batches of Python objects."""

    name = "custom"

    def __init__(
        self, transform: Callable[[dict[str, Any]], Any], features: Any = None, token_per_repo_id: Any = None, **kwargs: Any
    ) -> None:
        super().__init__(features, token_per_repo_id, **kwargs)
        self.transform = transform

    def format_row(self, pa_table: Any) -> Any:
        made = self.format_batch(pa_table.slice(0, 1))
        try:
            return _unnest(made)
        except Exception as error:
            raise TypeError(
                f"Custom formatting function must return a dict of sequences to be able to pick a row, but got {made}"
            ) from error

    def format_column(self, pa_table: Any) -> Any:
        made = self.format_batch(pa_table)
        if not hasattr(made, "keys"):
            raise TypeError(f"Custom formatting function must return a dict to be able to pick a row, but got {made}")
        if len(made.keys()) > 1:
            raise TypeError(
                "Tried to query a column but the custom formatting function returns too many columns. "
                f"Only one column was expected but got columns {list(made.keys())}."
            )
        try:
            return made[pa_table.column_names[0]]
        except Exception as error:
            raise TypeError(f"Custom formatting function must return a dict to be able to pick a row, but got {made}") from error

    def format_batch(self, pa_table: Any) -> Any:
        return self.transform(PythonFormatter(self.features, token_per_repo_id=self.token_per_repo_id).format_batch(pa_table))


_FORMATS: dict[str | None, type[Formatter]] = {
    None: PythonFormatter,
    "arrow": ArrowFormatter,
    "numpy": NumpyFormatter,
    "pandas": PandasFormatter,
    "polars": PolarsFormatter,
    "torch": TorchFormatter,
    "tensorflow": TFFormatter,
    "jax": JaxFormatter,
    "mlx": MlxFormatter,
    "custom": CustomFormatter,
}
_PACKAGES = {"polars": "polars", "torch": "torch", "tensorflow": "tensorflow", "jax": "jax", "mlx": "mlx", "pandas": "pandas"}


def get_formatter(format_type: str | None, **format_kwargs: Any) -> Formatter:
    """The formatter of a format, by its name or an alias.

    Raises:
        ValueError: there is no such format, or its library is not installed.
    """
    name = get_format_type_from_alias(format_type)
    if name not in _FORMATS:
        raise InvalidArgumentError(f"Format type should be one of {list(_FORMATS)}, but got '{format_type}'")
    package = _PACKAGES.get(name or "")
    if package is not None and find_spec(package) is None:
        raise InvalidArgumentError(f"the format {name!r} needs {package}: pip install {package}")
    return _FORMATS[name](**format_kwargs)


# ------------------------------------------------------------------------------------------------------------ lazily


class LazyDict(MutableMapping[str, Any]):
    """A dict whose values are made when they are asked for."""

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
        made = copy.copy(self)
        made.keys_to_format -= set(other)
        made.data = {**before, **after}
        return made

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
        made = type(self).__new__(type(self))
        made.__dict__.update(self.__dict__)
        made.data, made.keys_to_format = self.data.copy(), self.keys_to_format.copy()
        return made

    def copy(self) -> Any:
        """A copy, of which nothing more is made than of this."""
        return copy.copy(self)

    def format(self, key: str) -> Any:
        """The value of a key."""
        raise NotImplementedError

    def _format_all(self) -> None:
        for key in list(self.keys_to_format):
            self[key]


class LazyRow(LazyDict):
    """A row."""

    def format(self, key: str) -> Any:
        return self.formatter.format_column(self.pa_table.select([key]).slice(0, 1))[0]


class LazyBatch(LazyDict):
    """A batch."""

    def __init__(self, pa_table: Any, formatter: Formatter) -> None:
        super().__init__(pa_table, formatter)
        # What columns of plain values were when they were made: such values do not change, lists of them may.
        self.before: dict[str, list[Any]] = {}

    def format(self, key: str) -> Any:
        made = self.formatter.format_column(self.pa_table.select([key]))
        if isinstance(made, list) and isinstance((self.formatter.features or {}).get(key), Value):
            self.before[key] = list(made)
        return made

    def untouched(self, key: str) -> bool:
        """Whether a column is what the table has: it was not made, or is of plain values, and the same."""
        if key in self.keys_to_format:
            return True
        now, before = self.data.get(key), self.before.get(key)
        return before is not None and isinstance(now, list) and len(now) == len(before) and all(map(is_, now, before))


# ------------------------------------------------------------------------------------------------------------ tables


def key_to_query_type(key: Any) -> str:
    """Whether a key asks for a row, a column or a batch.

    Raises:
        TypeError: it is none.
    """
    if isinstance(key, str):
        return "column"
    if hasattr(key, "__index__") and not isinstance(key, np.ndarray):
        return "row"
    if isinstance(key, (slice, range, Iterable)):
        return "batch"
    raise TypeError(f"Wrong key type: '{key}' of type '{type(key)}'. Expected one of int, slice, range, str or Iterable.")


def _positions(key: Any, size: int) -> Any:
    """The rows that a key asks for: a range, or an array.

    Raises:
        IndexError: some are not there.
    """
    if isinstance(key, slice):
        return range(*key.indices(size))
    if isinstance(key, range):
        for one in (key[0], key[-1]) if len(key) else ():
            _within(one, size)
        return key if not len(key) or (key[0] >= 0 and key[-1] >= 0) else np.asarray(key) % size
    if hasattr(key, "__index__") and not isinstance(key, np.ndarray):
        _within(i := int(key.__index__()), size)
        return range(i % size, i % size + 1)
    made = np.fromiter((int(one) for one in key), np.int64) if not isinstance(key, np.ndarray) else key
    if made.dtype == bool:
        raise TypeError("a mask is not a list of rows: numpy.flatnonzero(mask) is")
    if len(made):
        _within(int(made.max()), size)
        _within(int(made.min()), size)
        made = made % size
    return made


def _within(i: int, size: int) -> None:
    if i >= size or i < -size:
        raise IndexError(f"Invalid key: {i} is out of bounds for size {size}")


def gather(table: Any, positions: Any) -> Any:
    """Some rows of a table, of many chunks too, as a pyarrow table."""
    if hasattr(type(table), "gather"):
        return table.gather(positions)
    if isinstance(positions, range) and positions.step == 1:
        return table.slice(positions.start, len(positions))
    rows = np.asarray(positions)
    if not len(rows):
        return table.slice(0, 0)
    try:
        return table.take(pa.array(rows, pa.int64()))
    except pa.ArrowException:
        # Extension types, and what overflows when it is put together.
        parts = [table.slice(int(i), 1) for i in rows]
        return pa.concat_tables(parts)


def query_table(table: Any, key: Any, indices: Any = None) -> Any:
    """The rows or the column of a table that a key asks for, through a list of rows if there is one."""
    # What reads its rows itself does so; else they are those of the pyarrow table.
    plain = table if hasattr(type(table), "gather") else getattr(table, "table", table)
    check, column = getattr(type(table), "check", _unchecked), key if isinstance(key, str) else None
    if isinstance(key, str):
        if key not in plain.column_names:
            raise KeyError(f"Column {key} not in the dataset. Current columns in the dataset: {plain.column_names}")
        plain, key = plain.select([key]), slice(None)
    key_to_query_type(key)
    if indices is None:
        positions = _positions(key, plain.num_rows)
        check(table, positions, column)
        return gather(plain, positions)
    getattr(type(indices), "check", _unchecked)(indices)
    mapping = getattr(indices, "table", indices).column(0)
    positions = _positions(key, len(mapping))
    if isinstance(positions, range) and positions.step == 1:
        rows = mapping.slice(positions.start, len(positions)).to_numpy()
    else:
        rows = pc.take(mapping, pa.array(np.asarray(positions), pa.int64())).to_numpy()
    check(table, rows, column)
    return gather(plain, rows)


def _unchecked(table: Any, rows: Any = None, column: str | None = None) -> None:
    """What is no table of ours lies in no file of ours."""


def format_table(
    table: Any, key: Any, formatter: Formatter, format_columns: list[str] | None = None, output_all_columns: bool = False
) -> Any:
    """A table as what a key asked for, formatted.

    Args:
        table: the rows or the column.
        key: what was asked for: an integer, a name, or anything else for a batch.
        formatter: makes of it what is given.
        format_columns: the columns that are formatted; all if `None`.
        output_all_columns: whether the others are given too, as Python objects.
    """
    plain = getattr(table, "table", table)
    kind = key_to_query_type(key)
    if format_columns is None:
        return formatter(plain, kind)
    python = PythonFormatter(features=formatter.features)
    if kind == "column":
        return formatter(plain, kind) if key in format_columns else python(plain, kind)
    made = formatter(plain.select([name for name in plain.column_names if name in format_columns]), kind)
    if output_all_columns:
        if not isinstance(made, MutableMapping):
            raise TypeError(f"Custom formatting function must return a dict to work with output_all_columns=True, but got {made}")
        made.update(python(plain.select([name for name in plain.column_names if name not in format_columns]), kind))
    return made
