"""Arrow tables that know the files they come from, and casts of tables to features."""

from rowstream.arrow.cast import array_cast, json_storage, label_storage
from rowstream.arrow.files import open_arrow
from rowstream.arrow.stored import restored, stored, stored_schema, without_maps
from rowstream.features.cast import (
    CastError,
    cast_array_to_feature,
    cast_table_to_features,
    cast_table_to_schema,
    embed_array_storage,
    embed_table_storage,
    table_cast,
)
from rowstream.table.table import (
    ConcatenationTable,
    InMemoryTable,
    MemoryMappedTable,
    Table,
    as_table,
    concat_tables,
)

__all__ = [
    "CastError",
    "ConcatenationTable",
    "InMemoryTable",
    "MemoryMappedTable",
    "Table",
    "array_cast",
    "as_table",
    "cast_array_to_feature",
    "cast_table_to_features",
    "cast_table_to_schema",
    "concat_tables",
    "embed_array_storage",
    "embed_table_storage",
    "json_storage",
    "label_storage",
    "open_arrow",
    "restored",
    "stored",
    "stored_schema",
    "table_cast",
    "without_maps",
]
