"""What formatters of tables have in common."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from rowstream.features.nested import requires_decoding


def unnest(batch: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row of a batch of one."""
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
        """Return a row, a column or a batch, as `query_type` says."""
        return {"row": self.format_row, "column": self.format_column, "batch": self.format_batch}[
            query_type
        ](pa_table)

    def format_row(self, pa_table: Any) -> Any:
        """Return the first row."""
        raise NotImplementedError

    def format_column(self, pa_table: Any) -> Any:
        """Return the first column."""
        raise NotImplementedError

    def format_batch(self, pa_table: Any) -> Any:
        """Return all rows."""
        raise NotImplementedError

    def _decodes(self, name: str) -> bool:
        return name in self._decoded_names

    @cached_property
    def _decoded_names(self) -> frozenset[str]:
        """The columns that features decode."""
        return frozenset(
            name for name, feature in (self.features or {}).items() if requires_decoding(feature)
        )

    def _decoded(self, name: str, column: list[Any]) -> list[Any]:
        made: list[Any] = self.features.decode_column(column, name, self.token_per_repo_id)
        return made
