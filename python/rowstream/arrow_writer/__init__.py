"""Writers of Arrow and Parquet files."""

from rowstream.arrow.json_text import dumps
from rowstream.writers.arrow import ArrowWriter, SchemaInferenceError
from rowstream.writers.arrow_file import BESIDE, get_arrow_writer_batch_size_from_features
from rowstream.writers.features import with_features
from rowstream.writers.infer import column, encoded, given_column
from rowstream.writers.parquet import ParquetWriter

__all__ = [
    "BESIDE",
    "ArrowWriter",
    "ParquetWriter",
    "SchemaInferenceError",
    "column",
    "dumps",
    "encoded",
    "get_arrow_writer_batch_size_from_features",
    "given_column",
    "with_features",
]
