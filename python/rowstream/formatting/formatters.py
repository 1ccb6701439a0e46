"""The formatters of tables by name."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from rowstream.exceptions import InvalidArgumentError
from rowstream.formatting.accelerators import JaxFormatter, MlxFormatter, TFFormatter
from rowstream.formatting.custom import CustomFormatter
from rowstream.formatting.frames import PandasFormatter, PolarsFormatter
from rowstream.formatting.names import get_format_type_from_alias
from rowstream.formatting.numpy_arrays import NumpyFormatter
from rowstream.formatting.python import ArrowFormatter, PythonFormatter
from rowstream.formatting.torch_tensors import TorchFormatter

if TYPE_CHECKING:
    from rowstream.formatting.base import Formatter


FORMATTERS: dict[str | None, type[Formatter]] = {
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
_PACKAGES = {
    "polars": "polars",
    "torch": "torch",
    "tensorflow": "tensorflow",
    "jax": "jax",
    "mlx": "mlx",
    "pandas": "pandas",
}


def get_formatter(format_type: str | None, **format_kwargs: Any) -> Formatter:
    """Return the formatter of a format, by its name or an alias.

    Raises:
        ValueError: There is no such format, or its library is not installed.
    """
    name = get_format_type_from_alias(format_type)
    if name not in FORMATTERS:
        raise InvalidArgumentError(
            f"Format type should be one of {list(FORMATTERS)}, but got '{format_type}'"
        )
    package = _PACKAGES.get(name or "")
    if package is not None and find_spec(package) is None:
        raise InvalidArgumentError(f"the format {name!r} needs {package}: pip install {package}")
    return FORMATTERS[name](**format_kwargs)
