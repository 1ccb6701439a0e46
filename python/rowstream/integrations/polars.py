"""Streams as lazy frames of Polars."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rowstream.arrow.empty import empty_table
from rowstream.integrations.conditions import from_polars
from rowstream.integrations.tables import narrowed, reader_of, schema_of


def scan(dataset: Any) -> Any:
    """Return a stream as a `polars.LazyFrame`, which reads only what a query needs.

    The columns of a query, and its conditions as far as files can be read by them, are pushed down:
    columns, row groups and pages that it does not need are not read. Rows come in the order of the
    stream.

    Args:
        dataset: A stream, or a map-style dataset, whose rows are in memory already.

    Returns:
        A `polars.LazyFrame`.

    Example:
        >>> import polars as pl
        >>> from rowstream.integrations import polars
        >>> ds = IterableDataset.from_dict({"lang": ["en", "fr"], "text": ["Hello", "Salut"]})
        >>> polars.scan(ds).filter(pl.col("lang") == "fr").select("text").collect().to_dicts()
        [{'text': 'Salut'}]
    """
    import polars as pl
    from polars.io.plugins import register_io_source

    schema = pl.DataFrame(empty_table(schema_of(dataset))).schema
    floats = [name for name, of in schema.items() if of.is_float() or of.is_nested()]

    def read(
        with_columns: list[str] | None, predicate: Any, n_rows: int | None, _: int | None
    ) -> Iterator[Any]:
        condition = None if predicate is None else from_polars(predicate, floats)
        needed = with_columns
        if with_columns is not None and predicate is not None:
            needed = [*dict.fromkeys([*with_columns, *predicate.meta.root_names()])]
        left = n_rows
        for batch in reader_of(narrowed(dataset, needed, condition)):
            frame = pl.DataFrame(batch)
            if predicate is not None:
                frame = frame.filter(predicate)
            if with_columns is not None:
                frame = frame.select(with_columns)
            frame = frame if left is None else frame.head(left)
            yield frame
            if left is not None and (left := left - frame.height) <= 0:
                return

    return register_io_source(read, schema=schema, validate_schema=False)
