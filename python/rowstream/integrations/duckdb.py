"""Streams as tables of DuckDB."""

from __future__ import annotations

from typing import Any

from rowstream.integrations.conditions import columns_of_arrow, from_arrow
from rowstream.integrations.tables import narrowed, reader_of, schema_of


def table(dataset: Any) -> Any:
    """Return a stream as an object that DuckDB queries by the name of its variable.

    The columns of a query, and its conditions as far as files can be read by them, are pushed down:
    columns, row groups and pages that it does not need are not read. `con.register(name, table)`
    works, too. A query reads the stream from the start of its epoch.

    Args:
        dataset: A stream, or a map-style dataset, whose rows are in memory already.

    Returns:
        An object for DuckDB: a `pyarrow.dataset.Dataset` with no more than DuckDB needs of it.

    Example:
        >>> import duckdb
        >>> from rowstream.integrations import duckdb as rows
        >>> ds = IterableDataset.from_dict({"lang": ["en", "fr"], "text": ["Hello", "Salut"]})
        >>> texts = rows.table(ds)
        >>> duckdb.sql("select text from texts where lang = 'fr'").fetchall()
        [('Salut',)]
    """
    import pyarrow.dataset as pds

    class StreamTable(pds.Dataset):  # type: ignore[misc]
        """What DuckDB asks for columns and conditions: it does so of this class only."""

        def __init__(self) -> None:
            self._schema = schema_of(dataset)

        @property
        def schema(self) -> Any:
            """The columns and their types."""
            return self._schema

        def scanner(self, columns: Any = None, filter: Any = None, **_: Any) -> Any:
            """Return a scanner of the rows that a query needs."""
            condition = None if filter is None else from_arrow(filter)
            needed = columns
            if columns is not None and filter is not None:
                needed = [*dict.fromkeys([*columns, *columns_of_arrow(filter)])]
            # The exact condition, and what is left of the columns, are pyarrow's to apply.
            reader = reader_of(narrowed(dataset, needed, condition))
            return pds.Scanner.from_batches(reader, columns=columns, filter=filter)

    return StreamTable()
