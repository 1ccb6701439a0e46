"""The format of users' functions, as `set_transform` sets it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rowstream.formatting.base import Formatter, unnest
from rowstream.formatting.python import PythonFormatter


class CustomFormatter(Formatter):
    """The formatter that passes batches of Python objects to a user's function."""

    name = "custom"
    reads_selected = True

    def __init__(
        self,
        transform: Callable[[dict[str, Any]], Any],
        features: Any = None,
        token_per_repo_id: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(features, token_per_repo_id, **kwargs)
        self.transform = transform

    def format_row(self, pa_table: Any) -> dict[str, Any]:
        result = self.format_batch(pa_table.slice(0, 1))
        try:
            return unnest(result)
        except Exception as error:
            raise TypeError(
                "Custom formatting function must return a dict of sequences to be able to pick a"
                f" row, but got {result}"
            ) from error

    def format_column(self, pa_table: Any) -> Any:
        result = self.format_batch(pa_table)
        if not hasattr(result, "keys"):
            raise TypeError(
                "Custom formatting function must return a dict to be able to pick a row, but got"
                f" {result}"
            )
        if len(result.keys()) > 1:
            raise TypeError(
                "Tried to query a column but the custom formatting function returns too many"
                f" columns. Only one column was expected but got columns {list(result.keys())}."
            )
        try:
            return result[pa_table.column_names[0]]
        except Exception as error:
            raise TypeError(
                "Custom formatting function must return a dict to be able to pick a row, but got"
                f" {result}"
            ) from error

    def format_batch(self, pa_table: Any) -> Any:
        return self.transform(
            PythonFormatter(self.features, token_per_repo_id=self.token_per_repo_id).format_batch(
                pa_table
            )
        )
