"""Parquet files, written as `ArrowWriter` does."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from rowstream.arrow.stored import restored, stored_schema
from rowstream.writers.arrow import ArrowWriter


class ParquetWriter(ArrowWriter):
    """Writes rows, batches and tables as a Parquet file; a batch is a row group."""

    def _open(self) -> Any:
        from pyarrow import parquet

        return parquet.ParquetWriter(self.stream, stored_schema(self._schema))

    def _read(self, written: Any) -> Any:
        from pyarrow import parquet

        return restored(
            parquet.read_table(written if isinstance(written, str) else pa.BufferReader(written))
        )
