"""Arrow files, written row by row or in batches."""

from __future__ import annotations

import json
import os
from typing import Any

import pyarrow as pa

from rowstream.arrow.json_text import dumps
from rowstream.arrow.sealed import seal
from rowstream.features.cast import table_cast
from rowstream.features.features import Features
from rowstream.writers.arrow_file import ArrowFile
from rowstream.writers.features import items
from rowstream.writers.infer import column


class SchemaInferenceError(ValueError):
    """Nothing was written, and nobody said the types."""


class ArrowWriter(ArrowFile):
    """Writes rows, batches and tables as an Arrow stream.

    Args:
        schema, features: the types, where they are known.
        path: the file; or
        stream: a binary file or pyarrow stream.
        fingerprint: written into the metadata.
        writer_batch_size: rows of a batch of the file.
        disable_nullable: whether columns are declared to have no nulls.
        update_features: whether `features` are only those that columns keep where they fit.
        with_metadata: whether the features are written into the metadata.
        unit: what rows are called.
        on_mixed_types: `"use_json"`: values without a common type are stored as JSON.
        embed_local_files: whether files that columns of media name are put in.

    Example:
        >>> with ArrowWriter(path="rows.arrow") as writer:
        ...     writer.write({"text": "a"})
        ...     writer.finalize()
        (1, 9)
    """

    def write(self, example: dict[str, Any], writer_batch_size: int | None = None) -> None:
        """Write one row, a dict."""
        self.current_examples.append(example)
        if len(self.current_examples) >= (writer_batch_size or self.writer_batch_size):
            self.write_examples_on_file()

    def write_examples_on_file(self) -> None:
        """Write the rows that wait."""
        if not self.current_examples:
            return
        examples, self.current_examples = self.current_examples, []
        first, names = examples[0].keys(), examples[0]
        if any(row.keys() != first for row in examples):
            names = dict.fromkeys(name for row in examples for name in row)
        self._write_columns(
            {name: items([row.get(name) for row in examples]) for name in self._order(names)}
        )

    def write_row(self, row: Any, writer_batch_size: int | None = None) -> None:
        """Add a row, as a pyarrow table."""
        if len(row) != 1:
            raise ValueError(
                f"Only single-row pyarrow tables are allowed but got table with {len(row)} rows."
            )
        self.current_rows.append(row)
        if len(self.current_rows) >= (writer_batch_size or self.writer_batch_size):
            self.write_rows_on_file()

    def write_rows_on_file(self) -> None:
        """Write the tables of a row that wait."""
        if self.current_rows:
            rows, self.current_rows = self.current_rows, []
            self._write_table(pa.concat_tables(rows))

    def write_batch(
        self,
        batch_examples: dict[str, Any],
        writer_batch_size: int | None = None,
        try_original_type: bool | None = True,
    ) -> None:
        """Add rows, as columns. A batch without rows says no more than its columns."""
        self.write_examples_on_file()
        lengths = {name: len(values) for name, values in batch_examples.items()}
        if 0 in lengths.values():
            if any(lengths.values()):
                raise ValueError(f"the columns of a batch have one length, found {lengths}")
            self._note(batch_examples)
        self._write_columns(batch_examples, writer_batch_size, try_original_type)

    def _note(self, columns: dict[str, Any]) -> None:
        """Keep the columns of a batch without rows, for the schema."""
        if self.pa_writer is None and self.update_features:
            known: Features = self._features or Features()
            self._without_rows = Features(
                {
                    name: column(columns[name], None, known.get(name), name)[1]
                    for name in self._order(columns)
                }
            )

    def _order(self, columns: Any) -> list[str]:
        """Return the names in the order of the schema, then new ones."""
        schema = self.schema
        known = [name for name in schema.names if name in columns] if schema is not None else []
        return [*known, *(name for name in columns if name not in known)]

    def _write_columns(
        self,
        columns: dict[str, Any],
        writer_batch_size: int | None = None,
        try_original_type: bool | None = True,
    ) -> None:
        if columns and len(next(iter(columns.values()))) == 0:
            return
        begun = self.pa_writer is not None
        if begun and self._found:
            columns = self._all(columns)
        known = self._features if begun or not self.update_features else None
        if known is not None:
            arrays = self._fitted({name: columns[name] for name in self._order(columns)}, known)
            features = {name: known[name] for name in arrays}
        else:
            hints = self._features if self._features is not None and try_original_type else {}
            result = {
                name: column(columns[name], None, hints.get(name), name, self.on_mixed_types)
                for name in self._order(columns)
            }
            arrays, features = (
                {name: array for name, (array, _) in result.items()},
                {name: of for name, (_, of) in result.items()},
            )
        schema = self.schema if begun else Features(features).arrow_schema
        self.write_table(
            pa.Table.from_arrays(list(arrays.values()), schema=schema), writer_batch_size
        )

    def write_table(self, pa_table: Any, writer_batch_size: int | None = None) -> None:
        """Write the rows of an Arrow table."""
        self.write_rows_on_file()
        self._write_table(pa_table, writer_batch_size)

    def _write_table(self, pa_table: Any, writer_batch_size: int | None = None) -> None:
        if self.pa_writer is None:
            self._start(pa_table.schema)
        there = {of.name: of.type for of in self._schema}
        other = [of.name for of in pa_table.schema if there.get(of.name, of.type) != of.type]
        if other and self._features is not None:
            for name, array in self._fitted(
                {name: pa_table[name] for name in other}, self._features
            ).items():
                pa_table = pa_table.set_column(pa_table.column_names.index(name), name, array)
        self._put(table_cast(pa_table, self._schema), writer_batch_size)

    def finalize(self, close_stream: bool = True) -> tuple[int, int]:
        """Write what waits, and the end. Gives the rows and the bytes of their columns.

        Raises:
            SchemaInferenceError: there were no rows, and nobody said the types.
        """
        self.write_rows_on_file()
        self.write_examples_on_file()
        if self.pa_writer is None and self._without_rows is not None:
            self._start(self._without_rows.arrow_schema)
        if self.pa_writer is None and self.schema is not None:
            self._start(self.schema)
        if self.pa_writer is None:
            if close_stream:
                self.stream.close()
            raise SchemaInferenceError(
                "Please pass `features` or at least one example when writing data"
            )
        self.pa_writer.close()
        self.pa_writer = None
        if close_stream or self._sealed:
            self.stream.close()
        if self._sealed:
            seal(os.fspath(self._path))  # type: ignore[arg-type]  # it is not None
        return self._num_examples, self._num_bytes


def has_fingerprint(path: str, fingerprint: str | None) -> bool:
    """Return whether a file that somebody named has what a fingerprint names: another call may have
    written it, with other rows.
    """
    try:
        with pa.memory_map(path) as source, pa.ipc.open_stream(source) as reader:
            said = json.loads((reader.schema.metadata or {}).get(b"huggingface", b"{}"))
    except (pa.ArrowException, OSError, ValueError):
        return False
    return (
        fingerprint is not None
        and isinstance(said, dict)
        and said.get("fingerprint") == fingerprint
    )


__all__ = ["ArrowWriter", "SchemaInferenceError", "dumps"]
