"""Reading of Arrow files and streams."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from rowstream.arrow.sealed import check_end, content, unmarked
from rowstream.exceptions import FileFormatError, UnsupportedError


def open_arrow(source: Any) -> Any:
    """Open Arrow data as a reader, in the stream or the file format.

    Raises:
        pyarrow.ArrowInvalid: The data is in neither format.
    """
    try:
        return pa.ipc.open_stream(source)
    except pa.ArrowInvalid as error:
        if hasattr(source, "seek"):
            source.seek(0)
        try:
            return pa.ipc.open_file(source)
        except pa.ArrowInvalid:
            raise error from None


def read_table(source: Any, path: str, whole: bool = False) -> pa.Table:
    """Return the table of a file, and check its checksums if it has some.

    They are checked when rows are read, or all at the start with `whole`.
    """
    with source:
        buffer, sealed = content(source.read_buffer(), path, whole)
    table = table_of(pa.BufferReader(buffer), path)
    if not sealed:
        check_end(table.schema, buffer, path)
    return unmarked(table)


def table_of(source: Any, name: str = "what is in memory") -> pa.Table:
    """Return the table of an Arrow stream or file.

    Raises:
        FileFormatError: The data is in neither format, or is damaged.
        UnsupportedError: A column has a type that rows can't have; pyarrow crashes on some of them.
    """
    try:
        reader = open_arrow(source)
        for field in reader.schema:
            if strange := _strange(field.type):
                raise UnsupportedError(
                    f"{name}: the column {field.name!r} has the type {strange}, which rows cannot"
                    " have"
                )
        return reader.read_all()
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
        if isinstance(error, FileNotFoundError):
            raise
        raise FileFormatError(
            f"{name}: not an Arrow file or stream, or a damaged one: {error}"
        ) from error


def _strange(kind: Any) -> Any:
    """Return a type that rows can't have, if a type contains one."""
    if pa.types.is_union(kind):
        return kind
    if pa.types.is_dictionary(kind) or pa.types.is_run_end_encoded(kind):
        return _strange(kind.value_type)
    return next(
        (found for i in range(kind.num_fields) if (found := _strange(kind.field(i).type))), None
    )
