"""The formats of streams."""

from __future__ import annotations

from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

from rowstream.exceptions import InvalidArgumentError
from rowstream.features.arrays import ArrayXD
from rowstream.features.features import pa_schema
from rowstream.features.nested import requires_decoding, visit
from rowstream.formatting.names import ALIASES

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from rowstream import _core
    from rowstream.features.features import Features


TABLES = ("arrow", "pandas", "polars")
"""Formats whose rows and batches are tables or frames."""
_TENSORS = ("numpy", "torch", "jax", "tensorflow", "mlx")


class Formatter(Protocol):
    """The protocol of formatters of the core's batches."""

    def row(self, batch: _core.Batch) -> Any:
        """Return the row of a batch with one row."""
        ...

    def batch(self, batch: _core.Batch) -> Any:
        """Return a batch in this format."""
        ...

    def example(self, example: dict[str, Any]) -> pa.Table | None:
        """Format a row that a user's function returned."""
        ...

    def columns(self, columns: dict[str, Any]) -> Any:
        """Format a batch that users' functions returned, a dict of lists."""
        ...

    def item(self, batch: Any) -> Any:
        """Format a batch, or the rows that `group` joined, as one row of a batched dataset."""
        ...

    def group(self, items: list[Any]) -> Any:
        """Join rows as iterating over a batched dataset returns them."""
        ...


class Typed:
    """A format with declared types, also for rows that are not the core's any more.

    Args:
        make: The formatter.
        schema: The Arrow schema with the types; of tensors, those of some columns.
    """

    def __init__(self, make: Any, schema: Any) -> None:
        self.row, self.batch, self.columns, self.item, self.group = (
            make.row,
            make.batch,
            make.columns,
            make.item,
            make.group,
        )
        if (together := getattr(make, "examples", None)) is not None:
            kinds = {field.name: field.type for field in schema}
            self.example = partial(make.example, kinds=kinds)
            self.examples = partial(together, kinds=kinds)
        else:
            self.example = partial(make.example, schema=schema)


def _as_stored(feature: Any) -> bool:
    """Return whether rows have values as they are stored, without arrays inside others."""
    arrays: list[bool] = []
    visit(feature, lambda one: arrays.append(isinstance(one, ArrayXD)))
    return not any(arrays) and not requires_decoding(feature, ignore_decode_attribute=True)


def typed_formatter(name: str | None, features: Features | None, *, keeps_types: bool) -> Formatter:
    """Return the formatter of rows that are not the core's any more.

    Tables get the types of the columns. So do tensors of what was only decoded, except for columns
    that other objects were made of, such as images.

    Args:
        name: The name of the format.
        features: The types of the columns, if they are known.
        keeps_types: Whether rows have these types: no user's function made their values.
    """
    if name is None:
        return formatter(name)
    if features is not None and name not in TABLES:
        kept = {
            column: one
            for column, one in features.items()
            if isinstance(one, ArrayXD) or _as_stored(one)
        }
        features = type(features)(kept) if keeps_types else None
    if not features:
        return formatter(name)
    return Typed(formatter(name), pa_schema(features))


def formatted(make: Formatter, item: Any) -> Any:
    """Format an item: a batch of the core, a tuple of items, or a dict from a user's function."""
    if isinstance(item, dict):
        return make.example(item)
    return make.item(
        make.group([formatted(make, part) for part in item]) if isinstance(item, tuple) else item
    )


def formatted_group(make: Formatter, items: Sequence[Any]) -> Any:
    """Format several items as one batch."""
    together = getattr(make, "examples", None)
    if together is not None and all(isinstance(item, dict) for item in items):
        return together(items)
    return make.group([formatted(make, item) for item in items])


def format_name(type: str | None) -> str | None:
    """Return the name of a format, with aliases resolved; `None` stands for Python objects.

    Raises:
        InvalidArgumentError: There is no such format of streams.
    """
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
    """Return the formatter of a name that `format_name` returned."""
    if name in _TENSORS:
        from rowstream.formatting.batches.tensors import Tensors

        return Tensors(name)
    result: Formatter = import_module(f"rowstream.formatting.batches.{name or 'python'}")
    return result
