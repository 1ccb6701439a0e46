"""Rows written as Parquet, CSV and JSON, and into databases: of map-style data sets and of streams
alike, which differ only in how they give tables.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rowstream import _core, config
from rowstream.exceptions import InvalidArgumentError
from rowstream.features.convert import require_storage_embed
from rowstream.features.json_paths import decode_json, decode_json_at, json_paths
from rowstream.features.nested import requires_decoding
from rowstream.features.rows import pydict
from rowstream.writers.sinks import ArrowSink, ParquetSink, TextSink, parquet_overhead
from rowstream.writers.target import compressed

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from rowstream.features.features import Features
    from rowstream.writers.shards import Output


@dataclass(frozen=True)
class ExportedRows:
    """Rows to write.

    Attributes:
        tables: Yields them as Arrow tables of at most so many rows; of a size of its own if `None`.
        empty: A table without rows.
        features: The types of the columns, where they are known.
        count: How many rows there are, where that has to be known before they are read.
        name: What files of them are called in a folder.
    """

    tables: Callable[[int | None], Iterator[pa.Table]]
    empty: pa.Table
    features: Features | None
    count: int | None = None
    name: str = "data"


def frame_of(table: pa.Table, features: Features | None, exact: bool = False) -> pd.DataFrame:
    """Return a table as a pandas frame, with the values of JSON texts.

    Args:
        table: The rows.
        features: The types of the columns, where they are known.
        exact: Whether integers stay integers where values are missing.
    """
    from rowstream.arrow.pandas import exact_frame, pandas_types_mapper

    frame = exact_frame(table) if exact else table.to_pandas(types_mapper=pandas_types_mapper)
    for name, *path in json_paths(features):
        frame[name] = [decode_json_at(one, path) for one in table.column(name).to_pylist()]
    return frame


def core_text(table: pa.Table, form: str) -> bytes | None:
    """Return rows as text as the core writes it; `None` for types that only pandas writes."""
    try:
        result: bytes | None = getattr(_core.Table(table), form)()
    except NotImplementedError:
        return None
    return result


def dict_of(table: pa.Table, features: Features | None) -> dict[str, list[Any]]:
    """Return a table as a dict of lists, with the values of JSON texts."""
    return pydict(table) if features is None else decode_json(pydict(table), features)


def write_parquet(
    rows: ExportedRows,
    output: Output,
    options: dict[str, Any],
    batch_size: int | None,
    full: Callable[[int, int], bool],
    notes: dict[str, str] | None = None,
    embed: bool | None = None,
) -> int:
    """Write rows as Parquet. Return the bytes of their columns.

    Args:
        rows: What is written.
        output: Where.
        options: Those of `pyarrow.parquet.ParquetWriter`.
        batch_size: Rows of a table.
        full: Whether so many rows, of so many bytes, are a row group.
        notes: What the schema of the file says of itself besides.
        embed: Whether media files of this machine are written too, in the place of their paths; if
            `None`, those of features that are decoded.
    """
    options = {
        "write_page_index": True,
        "use_content_defined_chunking": config.DEFAULT_CDC_OPTIONS,
        **options,
    }
    if options["use_content_defined_chunking"] is True:
        options["use_content_defined_chunking"] = config.DEFAULT_CDC_OPTIONS
    chunking = options["use_content_defined_chunking"]
    said = {"content_defined_chunking": json.dumps(chunking)} if chunking else {}
    media = {} if embed is False else media_of(rows.features, decoded_only=embed is None)

    def noted(table: pa.Table) -> pa.Table:
        # In the schema, where other readers look for the types of columns.
        more = {**(table.schema.metadata or {}), **(notes or {})}
        return table.replace_schema_metadata(more) if notes else table

    parts = output.pieces(
        (noted(embedded(table, media)) for table in rows.tables(batch_size)),
        noted(rows.empty),
        rows.count,
        beside=parquet_overhead(len(rows.empty.schema)),
    )
    return output.write(
        parts, lambda file: ParquetSink(file, options, full, said), ".parquet", rows.name
    )


def write_arrow(
    rows: ExportedRows, output: Output, batch_size: int | None, compression: str | None
) -> int:
    """Write rows as Arrow files. Return the bytes of their columns.

    Args:
        rows: What is written.
        output: Where.
        batch_size: Rows of a record batch.
        compression: `"lz4"`, `"zstd"` or `None`.
    """
    media, schema = media_of(rows.features, decoded_only=True), rows.empty.schema
    if rows.features is not None:
        # Names of labels, and what media are.
        schema = schema.with_metadata(rows.features.arrow_schema.metadata)
    parts = output.pieces(
        (embedded(table, media) for table in rows.tables(batch_size)),
        rows.empty,
        rows.count,
        beside=parquet_overhead(len(schema)),
    )
    return output.write(
        parts, lambda file: ArrowSink(file, schema, compression), ".arrow", rows.name
    )


def media_of(features: Features | None, *, decoded_only: bool = False) -> dict[str, Any]:
    """Return the columns of media, whose files are written with their rows.

    Args:
        features: The types of the columns, where they are known.
        decoded_only: Leave out those that are not decoded.
    """
    return {
        name: feature
        for name, feature in (features or {}).items()
        if require_storage_embed(feature)
        and requires_decoding(feature, ignore_decode_attribute=not decoded_only)
    }


def embedded(table: pa.Table, media: dict[str, Any]) -> pa.Table:
    """Return a table with the bytes of media files in the place of their paths."""
    if not media:
        return table
    from rowstream.features.cast import embed_array_storage

    for name, feature in media.items():
        at = table.schema.get_field_index(name)
        if at >= 0:
            column = embed_array_storage(table.column(at), feature, remote_files=False)
            table = table.set_column(at, table.schema.field(at), column)
    return table


def write_csv(
    rows: ExportedRows,
    output: Output,
    target: Any,
    options: dict[str, Any],
    batch_size: int | None,
    threads: int | None = None,
) -> int:
    """Write rows as CSV. Return the bytes written.

    Args:
        rows: What is written.
        output: Where.
        target: The path or file, whose name says how it is compressed.
        options: Those of `pandas.DataFrame.to_csv`.
        batch_size: Rows that are written at once.
        threads: Threads that turn rows into text.
    """
    from rowstream.arrow.pandas import csv_bytes

    options = {"index": False, **options}
    header = options.pop("header", True)
    packed = compressed(target, options.pop("compression", "infer"))

    plain = options == {"index": False} and not json_paths(rows.features)

    def text(table: pa.Table, header: Any = False) -> bytes:
        if plain and header is False and (rows_as := core_text(table, "csv_rows")) is not None:
            return rows_as
        return csv_bytes(frame_of(table, rows.features, exact=True), header=header, **options)

    head = text(rows.empty, header)
    return _write_text(rows, output, ".csv", batch_size, text, threads, head, packed)


def write_json(
    rows: ExportedRows,
    output: Output,
    target: Any,
    options: dict[str, Any],
    batch_size: int | None,
    threads: int | None = None,
) -> int:
    """Write rows as JSON Lines, or as one value of JSON. Return the bytes written.

    Args:
        rows: What is written.
        output: Where.
        target: The path or file, whose name says how it is compressed.
        options: Those of `pandas.DataFrame.to_json`.
        batch_size: Rows that are written at once.
        threads: Threads that turn rows into text.

    Raises:
        InvalidArgumentError: Options do not go together.
        NotImplementedError: One value of JSON cannot be written in several batches or files.
    """
    options = dict(options)
    orient = options.pop("orient", "records")
    lines = options.pop("lines", orient == "records")
    if "index" in options and orient not in ("split", "table") and options.pop("index"):
        raise InvalidArgumentError(
            "'index=True' is only valid when 'orient' is 'split', 'table', 'index', or 'columns'."
        )
    if orient in ("split", "table"):
        options.setdefault("index", False)
    packed = compressed(target, options.pop("compression", "infer"))
    several = batch_size is not None and (rows.count is None or batch_size < rows.count)
    if not lines and (several or output.most is not None):
        raise NotImplementedError(
            "Output JSON in several batches is not implemented for lines=False: leave batch_size"
            " and max_shard_size out."
        )
    options.setdefault("force_ascii", False)

    # What most ask for is written by the core, as pandas writes it.
    plain = orient == "records" and lines and options == {"force_ascii": False}
    plain = plain and not json_paths(rows.features)

    def text(table: pa.Table) -> bytes:
        if lines and not table.num_rows:
            # pandas writes a line of nothing.
            return b""
        if plain and (rows_as := core_text(table, "json_lines")) is not None:
            return rows_as
        frame = frame_of(table, rows.features, exact=True)
        written = str(frame.to_json(None, orient=orient, lines=lines, **options))
        return (written if written.endswith("\n") or not lines else written + "\n").encode()

    return _write_text(
        rows,
        output,
        ".jsonl" if lines else ".json",
        batch_size,
        text,
        threads,
        packed=packed,
        whole=not lines,
    )


def _write_text(
    rows: ExportedRows,
    output: Output,
    ending: str,
    batch_size: int | None,
    text: Callable[[pa.Table], bytes],
    threads: int | None,
    head: bytes = b"",
    packed: Any = None,
    whole: bool = False,
) -> int:
    # pandas and pyarrow do most of their work without the interpreter's lock.
    tables = rows.tables(batch_size)
    if whole:
        import pyarrow as pa

        tables = iter([pa.concat_tables([rows.empty, *tables])])
    parts = output.pieces(tables, rows.empty, rows.count, text, len, len(head), threads)
    return output.write(parts, lambda file: TextSink(file, head, packed), ending, rows.name)


def write_sql(
    rows: ExportedRows, name: str, con: Any, options: dict[str, Any], batch_size: int | None
) -> int:
    """Write rows into a table of a database. Return how many.

    Args:
        rows: What is written.
        name: The table.
        con: A URI, or a connection of SQLAlchemy or sqlite3.
        options: Those of `pandas.DataFrame.to_sql`.
        batch_size: Rows that are written at once.

    Raises:
        InvalidArgumentError: An integer is larger than databases have.
    """
    total = 0
    for i, table in enumerate(rows.tables(batch_size)):
        frame = frame_of(_signed(table), rows.features, exact=True)
        given = {"index": False, **options, **({"if_exists": "append"} if i else {})}
        total += frame.to_sql(name, con, **given) or len(frame)
    return total


def _signed(table: pa.Table) -> pa.Table:
    """Return a table with signed integers in place of unsigned ones of 64 bits, which databases do
    not have.
    """
    import pyarrow as pa

    for i, of in enumerate(table.schema):
        if pa.types.is_uint64(of.type):
            try:
                table = table.set_column(i, of.name, table.column(i).cast(pa.int64()))
            except pa.ArrowInvalid as error:
                raise InvalidArgumentError(
                    f"to_sql: column {of.name!r} has integers that no database holds: {error}"
                ) from None
    return table
