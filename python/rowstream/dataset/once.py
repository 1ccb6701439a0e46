"""Files of the cache: made once, whole or not at all."""

from __future__ import annotations

import json
import os
import tempfile
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from rowstream.permissions import umask
from rowstream.table import cast_table_to_features, table_cast

if TYPE_CHECKING:
    from collections.abc import Callable

    from rowstream.features.types import Features


def moved(temporary: str, path: str) -> None:
    """Puts a whole file in its place, with the rights that new files have."""
    with open(temporary, "rb") as file:
        os.fsync(file.fileno())
    os.chmod(temporary, 0o666 & ~umask())
    os.replace(temporary, path)


def once(path: str, write: Callable[[str], None], anew: bool = False) -> None:
    """Has a file made, whole or not at all. Where several processes do it at once, one good copy stays."""
    if os.path.exists(path) and not anew:
        return
    os.makedirs(os.path.dirname(path), exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=".rowstream-", suffix=".arrow", dir=os.path.dirname(path))
    os.close(handle)
    try:
        write(temporary)
        moved(temporary, path)
    except BaseException:
        if os.path.exists(temporary):
            os.remove(temporary)
        raise


def made_by(path: str, fingerprint: str | None) -> bool:
    """Whether a file that somebody named has what a fingerprint names: another call may have written it, with other rows."""
    try:
        with pa.memory_map(path) as source, pa.ipc.open_stream(source) as reader:
            said = json.loads((reader.schema.metadata or {}).get(b"huggingface", b"{}"))
    except (pa.ArrowException, OSError, ValueError):
        return False
    return fingerprint is not None and isinstance(said, dict) and said.get("fingerprint") == fingerprint


def fitted(table: Any, features: Features) -> Any:
    """A table of a stream in the types of features; their columns only, as those of a card may be fewer."""
    if set(features) != set(table.column_names):
        return table_cast(table.select([name for name in table.column_names if name in features]), features.arrow_schema)
    return cast_table_to_features(table, features)
