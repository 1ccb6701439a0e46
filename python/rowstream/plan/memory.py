"""Plans of tables in memory."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rowstream import _core
from rowstream.exceptions import InvalidArgumentError
from rowstream.features.features import Features
from rowstream.features.nested import has_labels, requires_decoding
from rowstream.features.schema import pyarrow_type, schema_from_features
from rowstream.plan.plan import Plan

if TYPE_CHECKING:
    import pyarrow as pa

_UNIT = 64 << 10  # bytes of a batch of what is in memory


def in_memory_plan(table: Any, features: Any = None, num_shards: int | None = None) -> Plan:
    """Return the plan of an Arrow table in memory, in `num_shards` shards of equal size.

    If that is not more than 1, shards have about 64 KiB.
    """
    import pyarrow as pa

    if features is not None:
        from rowstream.arrow.checks import check_table
        from rowstream.features.cast import cast_array_to_feature

        schema = _schema(features, table)
        for name, feature in features.items():
            # What is stored of media, and of names of labels, is more than a cast makes.
            if requires_decoding(feature, True) or has_labels(feature):
                table = table.set_column(
                    table.column_names.index(name),
                    name,
                    cast_array_to_feature(table[name], feature),
                )
        table = table.cast(schema)
        check_table(table, features)  # the core knows only the types
    if num_shards is not None and num_shards > max(1, table.num_rows):
        raise InvalidArgumentError(
            f"Unable to shard a dataset of size {table.num_rows} into {num_shards} shards (the"
            " number of shards exceeds the number of samples)."
        )
    rows = max(1, table.num_rows * _UNIT // max(1, table.nbytes))
    whole, longer = divmod(table.num_rows, num_shards or 1)
    sink = pa.BufferOutputStream()
    # Without its metadata: of a pandas frame they would say what is not a column.
    known = {
        key: value for key, value in (table.schema.metadata or {}).items() if key == b"huggingface"
    }
    with pa.ipc.new_stream(sink, table.schema.with_metadata(known or None)) as writer:
        if num_shards is None or num_shards == 1:
            writer.write_table(table, max_chunksize=rows)
        else:
            for i in range(num_shards):
                piece = table.slice(
                    i * whole + min(i, longer), whole + (i < longer)
                ).combine_chunks()
                writer.write_table(piece)
    content = _core.InMemoryFile(sink.getvalue().to_pybytes())
    schema = None if features is None else schema_from_features(features)
    return replace(Plan(_core.scan([content.name], "arrow", None, schema)[0]), in_memory=(content,))


def _schema(features: Any, table: Any) -> pa.Schema:
    """Return the Arrow schema of features that name exactly the columns of a table."""
    import pyarrow as pa

    if missing := [name for name in features if name not in table.column_names]:
        raise InvalidArgumentError(
            f"features= names columns that are not there: {missing}; the columns are"
            f" {table.column_names}"
        )
    if new := [name for name in table.column_names if name not in features]:
        raise InvalidArgumentError(f"features= does not name the columns {new}")
    return pa.schema([(name, pyarrow_type(feature)) for name, feature in features.items()])


def column_of(values: Any, name: str, feature: Any = None) -> tuple[Any, Any]:
    """Return a column of Python objects as Arrow, and its feature, if given or found.

    An error names the column and the value that does not fit.
    """
    import pyarrow as pa

    from rowstream.arrow.exact import FAILED, exact_array, located
    from rowstream.features.infer import array_of
    from rowstream.writers.infer import given_column, media

    if feature is not None and (requires_decoding(feature, True) or has_labels(feature)):
        arrow = isinstance(values, (pa.Array, pa.ChunkedArray))
        return (
            given_column(
                values if arrow else Features({name: feature}).encode_column(values, name),
                feature,
                name,
            ),
            feature,
        )
    if feature is not None:
        kind = pyarrow_type(feature)
        try:
            return exact_array(values, kind), feature
        except FAILED as error:
            raise located(
                error, name, values, str(kind), lambda some: exact_array(some, kind)
            ) from error
    stored, found = media(values)
    try:
        return (
            (array_of(stored), None)
            if found is None
            else (given_column(stored, found, name), found)
        )
    except FAILED as error:
        raise InvalidArgumentError(
            f"column {name!r}: its values have no common type: {error}"
        ) from error
