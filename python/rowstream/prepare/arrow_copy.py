"""The rows of a plan, written to an Arrow file in the cache."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rowstream.features.cast import fitted
from rowstream.features.features import Features
from rowstream.prepare.row_groups import files_of
from rowstream.streams.rows import tables_of
from rowstream.table.table import MemoryMappedTable, Table
from rowstream.utils import logging, progress
from rowstream.utils.atomic import create_file
from rowstream.writers.arrow import ArrowWriter

if TYPE_CHECKING:
    from rowstream.plan.plan import Plan


_logger = logging.get_logger(__name__)


BATCH = 10_000  # rows of a batch of what is read one after another


@dataclass(frozen=True)
class ArrowCopy:
    """The rows of a plan as an Arrow file in the cache, which is complete or does not exist.

    Attributes:
        plan: The plan whose rows are written.
        path: The path of the file.
        features: The types of its columns; inferred from the rows if `None`.
        name: The fingerprint that the file records.
        split: The name of the split.
    """

    plan: Plan
    path: str
    features: Features | None
    name: str
    split: str

    def there(self) -> bool:
        """Return whether the file exists already."""
        return os.path.exists(self.path)

    def made(self) -> Table:
        """Return the memory-mapped copy, which is written first if it does not exist."""
        if not self.there():
            _logger.warning(
                f"An Arrow copy of {files_of(self.plan)} is made, in {os.path.dirname(self.path)}:"
                " its rows are read at random and are more than half of ROWSTREAM_MEMORY holds, or"
                " a step needs them as one table. ROWSTREAM_ARROW_COPIES=0 refuses copies."
            )
            create_file(self.path, self.write)
        return MemoryMappedTable.from_file(self.path)

    def write(self, path: str, rows: int | None = None) -> None:
        """Write the rows to `path`.

        Args:
            path: The file to write.
            rows: The number of rows for the progress bar, if the files do not say it.
        """
        known = self.plan.rows_of_files
        total = rows if known is None else known
        with ArrowWriter(
            path=path, features=self.features, fingerprint=self.name, writer_batch_size=BATCH
        ) as writer:
            with progress.bar(total, f"Generating {self.split} split") as bar:
                for table in tables_of(self.plan, BATCH):
                    writer.write_table(
                        table if self.features is None else fitted(table, self.features)
                    )
                    bar.update(table.num_rows)
            if self.features is None and not len(writer):
                writer._features = Features()
            writer.finalize()
