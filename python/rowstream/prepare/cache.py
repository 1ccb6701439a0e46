"""Files of the cache: their folders, and how they are opened and written."""

from __future__ import annotations

import json
import os
from typing import Any

import pyarrow as pa

from rowstream import config
from rowstream.arrow.sealed import marked, seal
from rowstream.table.table import InMemoryTable, MemoryMappedTable, Table
from rowstream.utils.atomic import create_file


def folder(cache_dir: Any, *names: str) -> str:
    """Return the path of a folder of the cache, below `rowstream` as other libraries use it too."""
    root = os.path.expanduser(
        os.fspath(cache_dir if cache_dir is not None else config.HF_DATASETS_CACHE)
    )
    return os.path.join(root, "rowstream", *(name.replace("/", "--") for name in names))


def open_table(path: str, keep_in_memory: bool | None) -> Table:
    """Return the table of a file of the cache, memory-mapped or read into memory.

    Args:
        path: The path of the file.
        keep_in_memory: Whether to read it into memory; if `None`, when it is smaller than
            `config.IN_MEMORY_MAX_SIZE`.
    """
    mapped = MemoryMappedTable.from_file(path)
    small = keep_in_memory is None and mapped.nbytes < config.IN_MEMORY_MAX_SIZE
    return InMemoryTable.from_file(path) if keep_in_memory or small else mapped


def write_indices(table: Any, path: str, fingerprint: str | None) -> Table:
    """Write row indices and their fingerprint to a file, and return them memory-mapped."""
    table = table.replace_schema_metadata({"huggingface": json.dumps({"fingerprint": fingerprint})})

    def write(temporary: str) -> None:
        with (
            pa.OSFile(temporary, "wb") as sink,
            pa.ipc.new_stream(sink, marked(table.schema)) as writer,
        ):
            writer.write_table(table)
        seal(temporary)

    create_file(os.path.abspath(path), write, anew=True)
    return MemoryMappedTable.from_file(path)
