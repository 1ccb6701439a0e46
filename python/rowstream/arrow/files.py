"""Arrow files and streams, read."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from rowstream.arrow.sealed import check_end, content, unmarked
from rowstream.exceptions import FileFormatError, UnsupportedError


def open_arrow(source: Any) -> Any:
    """Return a reader of an Arrow stream or file, in whichever of the two formats it is.

    Raises:
        pyarrow.ArrowInvalid: it is none.
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


def read_table(source: Any, path: str, whole: bool = False) -> Any:
    """Return the table of a file, whose checksums are checked where it has some: as its rows are
    looked at, or all now.
    """
    with source:
        buffer, sealed = content(source.read_buffer(), path, whole)
    table = table_of(pa.BufferReader(buffer), path)
    if not sealed:
        check_end(table.schema, buffer, path)
    return unmarked(table)


def table_of(source: Any, name: str = "what is in memory") -> Any:
    """Return the table of an Arrow stream or file.

    Raises:
        FileFormatError: it is none, or is damaged.
        UnsupportedError: a column has types that rows cannot have, some of which pyarrow crashes
            on.
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
    """Return a type in a type that rows cannot have."""
    if pa.types.is_union(kind):
        return kind
    if pa.types.is_dictionary(kind) or pa.types.is_run_end_encoded(kind):
        return _strange(kind.value_type)
    return next(
        (found for i in range(kind.num_fields) if (found := _strange(kind.field(i).type))), None
    )
