"""`Dataset`: rows at random, over Arrow tables that are mapped from files."""

from __future__ import annotations

import copy
from typing import Any

from rowstream.dataset.map_style.column_types import ColumnTypes
from rowstream.dataset.map_style.construct import MapStyleConstructors
from rowstream.dataset.map_style.disk import MapStyleSaving
from rowstream.dataset.map_style.files import MapStyleFiles
from rowstream.dataset.map_style.from_files import MapStyleFromFiles
from rowstream.dataset.map_style.keep_format import transmit_format
from rowstream.dataset.map_style.train_test_split import TrainTestSplit
from rowstream.exceptions import DatasetTransformationNotAllowedError
from rowstream.formatting.column import Column
from rowstream.writers.arrow import ArrowWriter
from rowstream.writers.features import with_features

update_metadata_with_features = with_features
"""What `datasets` calls it."""


class Dataset(
    ColumnTypes,
    TrainTestSplit,
    MapStyleConstructors,
    MapStyleFromFiles,
    MapStyleFiles,
    MapStyleSaving,
):
    """Rows that can be read in any order, any number of times. Made by `load_dataset`, `from_dict`
    and their like.

    The rows are an Arrow table, mapped from a file where there is one: only what is looked at is
    read. A list of rows may stand before it (`select`, `shuffle`, `sort`, `filter`), which moves
    no data. Every method that changes something gives a new data set.

    Example:
        >>> ds = Dataset.from_dict({"text": ["a", "b", "c"]})
        >>> ds[-1], ds[:2], ds["text"][0]
        ({'text': 'c'}, {'text': ['a', 'b']}, 'a')
    """

    def __repr__(self) -> str:
        """Columns and rows."""
        return (
            f"Dataset({{\n    features: {list(self.features)},\n    num_rows: {self.num_rows}\n}})"
        )

    def __enter__(self) -> Dataset:
        """Itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Give up the table."""
        self.__del__()

    def __del__(self) -> None:
        """Give up the table: files may then be removed, where the system does not let mapped ones
        be.
        """
        for name in ("_data", "_indices"):
            self.__dict__.pop(name, None)

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> Any:
        """Return the rows as an Arrow stream: `pa.table(ds)`, `pl.DataFrame(ds)`, DuckDB."""
        return self._query(slice(None)).__arrow_c_stream__()


Dataset.own_class = Dataset

__all__ = [
    "ArrowWriter",
    "Column",
    "Dataset",
    "DatasetTransformationNotAllowedError",
    "copy",
    "transmit_format",
    "update_metadata_with_features",
]
