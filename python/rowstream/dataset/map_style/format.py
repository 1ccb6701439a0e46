"""The output format of map-style datasets: Python objects, NumPy, PyTorch, pandas and others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Self

from rowstream.dataset.map_style.rows import RowAccess
from rowstream.exceptions import InvalidArgumentError
from rowstream.fingerprint.transform import fingerprint_transform
from rowstream.formatting.formatters import get_formatter
from rowstream.formatting.names import get_format_type_from_alias


class MapStyleFormat(RowAccess):
    """The methods that set the format in which rows are returned."""

    @property
    def format(self) -> dict[str, Any]:
        """The current format: its type, its options, and the columns that it applies to.

        Example:
            >>> Dataset.from_dict({"a": [1, 2]}).with_format("numpy").format
            {'type': 'numpy', 'format_kwargs': {}, 'columns': ['a'], 'output_all_columns': False}
        """
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
        """Set another format for the duration of a `with` block.

        Args:
            type: As in `set_format`.
            columns: As in `set_format`.
            output_all_columns: As in `set_format`.
            **format_kwargs: As in `set_format`.

        Example:
            >>> ds = Dataset.from_dict({"a": [1, 2]})
            >>> with ds.formatted_as("numpy"):
            ...     print(ds[:]["a"] * 10)
            [10 20]
            >>> ds[:]["a"]
            [1, 2]
        """
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
        """Set the format of this dataset, in place: what rows, batches and columns are returned as.

        Only the output changes; values are converted when they are read.

        Args:
            type: `None` for Python objects, `"numpy"`, `"torch"`, `"tensorflow"`, `"jax"`, `"mlx"`,
                `"arrow"`, `"pandas"` or `"polars"`.
            columns: The names of the columns to format and return; all columns if `None`.
            output_all_columns: Whether to return the other columns too, as Python objects.
            **format_kwargs: Options of the format, such as `dtype` and `device` of `"torch"`.

        Raises:
            InvalidArgumentError: There is no such format or column.

        Example:
            >>> ds = Dataset.from_dict({"a": [1, 2], "text": ["x", "y"]})
            >>> ds.set_format("numpy", columns=["a"])
            >>> ds[:]
            {'a': array([1, 2])}
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
        """Return Python objects of all columns again, as before any `set_format`.

        Example:
            >>> ds = Dataset.from_dict({"a": [1, 2]}).with_format("numpy")
            >>> ds.reset_format()
            >>> ds[:]
            {'a': [1, 2]}
        """
        self.set_format()

    def set_transform(
        self,
        transform: Callable[..., Any] | None,
        columns: Any = None,
        output_all_columns: bool = False,
    ) -> None:
        """Apply a function to rows whenever they are read, in place.

        Nothing is cached, so that each read may give other values, as for augmentation.

        Args:
            transform: A function that takes a batch (a dict of lists) and returns a batch. For a
                single row, it gets a batch of one.
            columns: The names of the columns that the function gets; all columns if `None`.
            output_all_columns: Whether to return the other columns too.

        Example:
            >>> ds = Dataset.from_dict({"text": ["a", "b"]})
            >>> ds.set_transform(lambda batch: {"upper": [text.upper() for text in batch["text"]]})
            >>> ds[0]
            {'upper': 'A'}
        """
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
        """Return the dataset with another format; this one keeps its own.

        Args:
            type: As in `set_format`.
            columns: As in `set_format`.
            output_all_columns: As in `set_format`.
            **format_kwargs: As in `set_format`.

        Example:
            >>> Dataset.from_dict({"a": [1, 2]}).with_format("numpy")[:]
            {'a': array([1, 2])}
            >>> Dataset.from_dict({"a": [1, 2]}).with_format("torch")[:]  # doctest: +SKIP
            {'a': tensor([1, 2])}
        """
        result = self._copy()
        result.set_format(type, columns, output_all_columns, **format_kwargs)
        return result

    def with_transform(
        self,
        transform: Callable[..., Any] | None,
        columns: Any = None,
        output_all_columns: bool = False,
    ) -> Self:
        """Return the dataset with a function that is applied to rows whenever they are read.

        Args:
            transform: As in `set_transform`.
            columns: As in `set_transform`.
            output_all_columns: As in `set_transform`.

        Example:
            >>> ds = Dataset.from_dict({"text": ["a", "b"]})
            >>> ds.with_transform(lambda batch: {"size": [len(text) for text in batch["text"]]})[:]
            {'size': [1, 1]}
        """
        result = self._copy()
        result.set_transform(transform, columns, output_all_columns)
        return result
