"""The format in which map-style rows are given."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Self

from rowstream.dataset.map_style.base import MapStyleBase
from rowstream.exceptions import InvalidArgumentError
from rowstream.fingerprint.transform import fingerprint_transform
from rowstream.formatting.formatters import get_formatter
from rowstream.formatting.names import get_format_type_from_alias


class MapStyleFormat(MapStyleBase):
    """The format in which rows are given."""

    @property
    def format(self) -> dict[str, Any]:
        """The format: its type, what it is given, and the columns that have it."""
        return {
            "type": self._format_type,
            "format_kwargs": self._format_kwargs,
            "columns": self.column_names if self._format_columns is None else self._format_columns,
            "output_all_columns": self._output_all_columns,
        }

    @contextmanager
    def formatted_as(
        self,
        type: str | None = None,
        columns: Any = None,
        output_all_columns: bool = False,
        **format_kwargs: Any,
    ) -> Iterator[None]:
        """Another format, as long as a `with` lasts."""
        names = ("_format_type", "_format_kwargs", "_format_columns", "_output_all_columns")
        before = {name: self.__dict__[name] for name in names}
        try:
            self.set_format(type, columns, output_all_columns, **format_kwargs)
            yield
        finally:
            self.__dict__.update(before)

    @fingerprint_transform(inplace=True)
    def set_format(
        self,
        type: str | None = None,
        columns: Any = None,
        output_all_columns: bool = False,
        **format_kwargs: Any,
    ) -> None:
        """Change the format of this data set: of rows, batches and columns.

        Args:
            type: `None` for Python objects, `"numpy"`, `"torch"`, `"tensorflow"`, `"jax"`, `"mlx"`,
                `"arrow"`, `"pandas"`, `"polars"`.
            columns: those that have it; the others are left out.
            output_all_columns: whether the others are given as Python objects instead.
            format_kwargs: what the format takes, such as `dtype=` and `device=`.
        """
        format_kwargs.update(format_kwargs.pop("format_kwargs", {}))
        name = get_format_type_from_alias(type)
        get_formatter(name, features=self._info.features, **format_kwargs)
        if isinstance(columns, str):
            columns = [columns]
        if isinstance(columns, tuple):
            columns = list(columns)
        if columns is not None and (
            missing := [one for one in columns if one not in self.column_names]
        ):
            raise InvalidArgumentError(
                f"Columns {missing} not in the dataset. Current columns in the dataset:"
                f" {self.column_names}"
            )
        self._format_type, self._format_kwargs = name, format_kwargs
        self._format_columns = None if columns is None else list(columns)
        self._output_all_columns = output_all_columns

    def reset_format(self) -> None:
        """Python objects again, of all columns."""
        self.set_format()

    def set_transform(
        self,
        transform: Callable[..., Any] | None,
        columns: Any = None,
        output_all_columns: bool = False,
    ) -> None:
        """Has a function make what is given, of batches of Python objects, when it is asked for."""
        self.set_format(
            "custom", columns=columns, output_all_columns=output_all_columns, transform=transform
        )

    def with_format(
        self,
        type: str | None = None,
        columns: Any = None,
        output_all_columns: bool = False,
        **format_kwargs: Any,
    ) -> Self:
        """Return the data set with another format. Arguments as those of `set_format`."""
        made = self._copy()
        made.set_format(type, columns, output_all_columns, **format_kwargs)
        return made

    def with_transform(
        self,
        transform: Callable[..., Any] | None,
        columns: Any = None,
        output_all_columns: bool = False,
    ) -> Self:
        """Return the data set with a function that makes what is given. Arguments as those of
        `set_transform`.
        """
        made = self._copy()
        made.set_transform(transform, columns, output_all_columns)
        return made
