"""`Dataset`: rows by position, over Arrow tables that are memory-mapped from files."""

from __future__ import annotations

import copy

from rowstream.dataset.base import SeenByTrainers
from rowstream.dataset.map_style.construct import MapStyleConstructors
from rowstream.dataset.map_style.disk import MapStyleSaving
from rowstream.dataset.map_style.files import MapStyleFiles
from rowstream.dataset.map_style.from_files import MapStyleFromFiles
from rowstream.dataset.map_style.images import MapStyleImages
from rowstream.dataset.map_style.keep_format import transmit_format
from rowstream.dataset.map_style.sampling import RowSampling
from rowstream.dataset.map_style.tokens import MapStyleTokens
from rowstream.dataset.preview import preview_of
from rowstream.exceptions import DatasetTransformationNotAllowedError
from rowstream.formatting.column import Column
from rowstream.writers.arrow import ArrowWriter
from rowstream.writers.features import with_features

update_metadata_with_features = with_features
"""The name of the same function in `datasets`."""


class Dataset(
    SeenByTrainers,
    MapStyleImages,
    MapStyleTokens,
    RowSampling,
    MapStyleConstructors,
    MapStyleFromFiles,
    MapStyleFiles,
    MapStyleSaving,
):
    """A table of rows that can be read in any order, any number of times.

    `load_dataset`, `Dataset.from_dict` and the other `from_*` methods create it. The rows are an
    Arrow table, memory-mapped from a file if there is one, so that only what is accessed is read.
    `select`, `shuffle`, `sort` and `filter` list positions in that table and copy no rows.
    Transforms return a new dataset and leave this one as it is.

    Args:
        arrow_table: The rows.
        info: Metadata of the dataset, such as its features.
        split: The name of the split.
        indices_table: The positions of the rows to use; all rows if `None`.
        fingerprint: The fingerprint of the rows; computed if `None`.

    Example:
        >>> ds = Dataset.from_dict({"text": ["a", "b", "c"]})
        >>> ds[-1], ds[:2], ds["text"][0]
        ({'text': 'c'}, {'text': ['a', 'b']}, 'a')
    """

    _theirs = "Dataset"

    def __repr__(self) -> str:
        """Return the names of the columns and the number of rows as text."""
        return (
            f"Dataset({{\n    features: {list(self.features)},\n    num_rows: {self.num_rows}\n}})"
        )

    def _repr_html_(self) -> str:
        """Return the first rows as HTML, which notebooks show."""
        return preview_of(self.with_format(None).to_iterable_dataset(), "Dataset", self.num_rows)

    def __enter__(self) -> Dataset:
        return self

    def __exit__(self, *_: object) -> None:
        """Release the table, after which the dataset can't be used."""
        self.__del__()

    def __del__(self) -> None:
        """Release the table, so that its files can be removed where the system refuses that for
        memory-mapped files.
        """
        for name in ("_data", "_indices"):
            self.__dict__.pop(name, None)

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Return the rows as an Arrow stream, for `pa.table(ds)`, `pl.DataFrame(ds)` and DuckDB."""
        return self._query(slice(None)).__arrow_c_stream__()


Dataset._own_class = Dataset

__all__ = [
    "ArrowWriter",
    "Column",
    "Dataset",
    "DatasetTransformationNotAllowedError",
    "copy",
    "transmit_format",
    "update_metadata_with_features",
]
