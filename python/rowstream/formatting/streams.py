"""Formats of streams."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

from rowstream.exceptions import InvalidArgumentError
from rowstream.formatting.names import ALIASES

if TYPE_CHECKING:
    from rowstream import _core


TABLES = ("arrow", "pandas", "polars")
"""Formats whose rows and batches are tables or frames."""
_TENSORS = ("numpy", "torch", "jax", "tensorflow", "mlx")


class Formatter(Protocol):
    """Makes rows and batches of what the core gives."""

    def row(self, batch: _core.Batch) -> Any:
        """One row, from a batch of one."""
        ...

    def batch(self, batch: _core.Batch) -> Any:
        """Return a batch."""
        ...

    def example(self, example: dict[str, Any]) -> Any:
        """Return a row that a function made."""
        ...

    def columns(self, columns: dict[str, Any]) -> Any:
        """Return a batch of rows that functions made: of a dict of lists."""
        ...

    def item(self, batch: Any) -> Any:
        """Return a batch as one item of a batched data set; or items that `group` put together, as
        one.
        """
        ...

    def group(self, items: list[Any]) -> Any:
        """Items together, as `iter` of a batched data set gives them."""
        ...


class Typed:
    """A format of tables whose columns have the types of a schema, also where functions made the
    rows.

    Args:
        make: the format.
        schema: the types.
    """

    def __init__(self, make: Any, schema: Any) -> None:
        self._make, self._schema = make, schema
        self.row, self.batch, self.columns, self.item, self.group = (
            make.row,
            make.batch,
            make.columns,
            make.item,
            make.group,
        )

    def example(self, example: dict[str, Any]) -> Any:
        """Return a row that a function made."""
        return self._make.example(example, self._schema)


def formatted(make: Formatter, item: Any) -> Any:
    """Return an item of a data set: a batch of the core, a tuple of items, or a dict that a
    function made.
    """
    if isinstance(item, dict):
        return make.example(item)
    return make.item(
        make.group([formatted(make, part) for part in item]) if isinstance(item, tuple) else item
    )


def format_name(type: str | None) -> str | None:
    """Return the name of a format, or `None` for the default. Raises for one that there is not."""
    if type is None:
        return None
    if not isinstance(type, str):
        raise InvalidArgumentError(
            f"with_format expects the name of a format or None, not {type!r}"
        )
    name = type.lower()
    if name not in ALIASES or name == "custom":
        raise InvalidArgumentError(
            f"there is no format {type!r} of streams; there are 'numpy', 'torch', 'jax',"
            " 'tensorflow', 'mlx', 'arrow', 'pandas', 'polars' and None for Python objects"
        )
    return ALIASES[name]


def formatter(name: str | None) -> Formatter:
    """Return the formatter of a name that `format_name` gave."""
    if name in _TENSORS:
        from rowstream.formatting.batches.tensors import Tensors

        return Tensors(name)
    made: Formatter = import_module(f"rowstream.formatting.batches.{name or 'python'}")
    return made
