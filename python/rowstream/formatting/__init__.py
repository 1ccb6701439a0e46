"""Formatters: rows and batches as Python objects, NumPy arrays, torch tensors and other types.

They are imported on first use, since they need pyarrow and NumPy, and streams of plain rows do not.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rowstream.arrow.numpy import numpy_column
    from rowstream.formatting.accelerators import JaxFormatter, MlxFormatter, TFFormatter
    from rowstream.formatting.base import Formatter
    from rowstream.formatting.custom import CustomFormatter
    from rowstream.formatting.formatters import get_formatter
    from rowstream.formatting.frames import PandasFormatter, PolarsFormatter
    from rowstream.formatting.lazy import LazyBatch, LazyDict, LazyRow
    from rowstream.formatting.names import ALIASES, get_format_type_from_alias
    from rowstream.formatting.numpy_arrays import NumpyFormatter
    from rowstream.formatting.python import ArrowFormatter, FrameFormatter, PythonFormatter
    from rowstream.formatting.query import format_table, gather, key_to_query_type, query_table
    from rowstream.formatting.tensors import TensorFormatter
    from rowstream.formatting.torch_tensors import TorchFormatter


_FILES = {
    "accelerators": ("JaxFormatter", "MlxFormatter", "TFFormatter"),
    "base": ("Formatter",),
    "custom": ("CustomFormatter",),
    "formatters": ("get_formatter",),
    "frames": ("PandasFormatter", "PolarsFormatter"),
    "names": ("ALIASES", "get_format_type_from_alias"),
    "numpy_arrays": ("NumpyFormatter",),
    "lazy": ("LazyBatch", "LazyDict", "LazyRow"),
    "python": ("ArrowFormatter", "FrameFormatter", "PythonFormatter"),
    "query": ("format_table", "gather", "key_to_query_type", "query_table"),
    "tensors": ("TensorFormatter",),
    "torch_tensors": ("TorchFormatter",),
}
_LATER = {name: f"rowstream.formatting.{file}" for file, names in _FILES.items() for name in names}
_LATER["numpy_column"] = "rowstream.arrow.numpy"


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_LATER[name]), name)


__all__ = [
    "ALIASES",
    "ArrowFormatter",
    "CustomFormatter",
    "Formatter",
    "FrameFormatter",
    "JaxFormatter",
    "LazyBatch",
    "LazyDict",
    "LazyRow",
    "MlxFormatter",
    "NumpyFormatter",
    "PandasFormatter",
    "PolarsFormatter",
    "PythonFormatter",
    "TFFormatter",
    "TensorFormatter",
    "TorchFormatter",
    "format_table",
    "gather",
    "get_format_type_from_alias",
    "get_formatter",
    "key_to_query_type",
    "numpy_column",
    "query_table",
]
