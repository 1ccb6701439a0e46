"""The base class of the formatters of tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rowstream.features.nested import requires_decoding
from rowstream.utils.cached import cached_property


def unnest(batch: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row of a batch with one row."""
    return {name: column[0] for name, column in batch.items()}


class Formatter:
    """The base class of formatters, for the rows, columns and batches of pyarrow tables.

    Args:
        features: The types of the columns, by which values are decoded.
    """

    name: str | None = None
    reads_selected = False
    """Whether it formats rows that the core selected without making a pyarrow table of them."""

    def __init__(self, features: Any = None, token_per_repo_id: Any = None, **kwargs: Any) -> None:
        self.features, self.token_per_repo_id, self.kwargs = features, token_per_repo_id, kwargs

    def __call__(self, pa_table: Any, query_type: str) -> Any:
        """Format a table as a row, a column or a batch, as `query_type` says."""
        return {"row": self.format_row, "column": self.format_column, "batch": self.format_batch}[
            query_type
        ](pa_table)

    def format_row(self, pa_table: Any) -> Any:
        """Format the first row of a table."""
        raise NotImplementedError

    def format_column(self, pa_table: Any) -> Any:
        """Format the first column of a table."""
        raise NotImplementedError

    def format_batch(self, pa_table: Any) -> Any:
        """Format all rows of a table as a batch."""
        raise NotImplementedError

    def _decodes(self, name: str) -> bool:
        return name in self._decoded_names

    @cached_property
    def _decoded_names(self) -> frozenset[str]:
        """The names of the columns that need decoding."""
        return frozenset(
            name for name, feature in (self.features or {}).items() if requires_decoding(feature)
        )

    def _decoded(self, name: str, column: list[Any]) -> list[Any]:
        result: list[Any] = self.features.decode_column(column, name, self.token_per_repo_id)
        return result
