"""Casts of Arrow arrays and tables to the types of features."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache, partial
from typing import Any

import pyarrow as pa

from rowstream.arrow.cast import array_cast, as_lists, by_chunk, is_list, list_of, shortened
from rowstream.arrow.checks import check_table
from rowstream.arrow.exact import FAILED
from rowstream.arrow.extension import ArrayType
from rowstream.arrow.maps import has_entries
from rowstream.arrow.ndarrays import array_storage
from rowstream.features.convert import (
    generate_from_arrow_type,
    get_nested_type,
    require_storage_embed,
)
from rowstream.features.encode import cast_to_python_objects, encode_nested_example
from rowstream.features.features import Features
from rowstream.features.infer import has_pairs, raw_array
from rowstream.features.json_paths import encoded_at, json_paths
from rowstream.features.nested import LargeList, List, Pairs
from rowstream.features.scalar import Value


class CastError(ValueError):
    """The columns of a table do not match the requested ones."""

    def __init__(
        self, *args: Any, table_column_names: list[str], requested_column_names: list[str]
    ) -> None:
        super().__init__(*args)
        self.table_column_names, self.requested_column_names = (
            table_column_names,
            requested_column_names,
        )

    def __reduce__(self) -> Any:
        return (
            partial(
                CastError,
                table_column_names=self.table_column_names,
                requested_column_names=self.requested_column_names,
            ),
            self.args,
        )

    def details(self) -> str:
        """Return a text that lists the new and the missing columns."""
        new = [name for name in self.table_column_names if name not in self.requested_column_names]
        missing = [
            name for name in self.requested_column_names if name not in self.table_column_names
        ]
        return " and ".join(
            text
            for text in (
                f"there are {len(new)} new columns {new}" * bool(new),
                f"{len(missing)} missing columns {missing}" * bool(missing),
            )
            if text
        )


@by_chunk
def cast_array_to_feature(
    array: Any, feature: Any, allow_primitive_to_str: bool = True, allow_decimal_to_str: bool = True
) -> pa.Array:
    """Cast an array to the Arrow type of a feature.

    Names of labels become integers, fields that a struct lacks become null, and all that
    `array_cast` casts is cast.

    Raises:
        TypeError: The array's type can't be cast to the feature's.
    """
    allowed = {
        "allow_primitive_to_str": allow_primitive_to_str,
        "allow_decimal_to_str": allow_decimal_to_str,
    }
    inner = partial(cast_array_to_feature, **allowed)
    if isinstance(array, pa.ExtensionArray):
        texts = array.type.extension_name == "arrow.json" and isinstance(
            feature, (List, LargeList, dict)
        )
        array = (
            pa.array([text and json.loads(text) for text in array.storage.to_pylist()])
            if texts
            else array.storage
        )
    if hasattr(feature, "cast_storage"):
        return feature.cast_storage(array)
    if (
        pa.types.is_map(array.type)
        and isinstance(feature, Pairs)
        and array.type == get_nested_type(feature)
    ):
        return array
    array = as_lists(array)
    if isinstance(feature, Pairs) and is_list(array.type) and has_entries(array.type):
        return array_cast(inner(array, List(feature.feature)), get_nested_type(feature))
    if (
        pa.types.is_struct(array.type)
        and not isinstance(feature, (dict, List, LargeList))
        and pa.types.is_struct(kind := feature())
    ):
        # A feature of fields with a name of its own.
        feature = {of.name: generate_from_arrow_type(of.type) for of in kind}
    if pa.types.is_struct(array.type) and isinstance(feature, dict):
        there = [field.name for field in array.type]
        if not feature and not there:
            return array  # objects without fields, of which pyarrow makes none by their fields
        if set(there) <= set(feature):
            children = dict(zip(there, array.flatten(), strict=True))
            nulls = pa.nulls(len(array))
            arrays = [inner(children.get(name, nulls), one) for name, one in feature.items()]
            return pa.StructArray.from_arrays(
                arrays, names=list(feature), mask=array.is_null() if array.null_count else None
            )
    elif is_list(array.type) and isinstance(feature, (List, LargeList)):
        result = _list_of(array, feature, inner)
        if result is not None:
            return array if result.type == array.type else result
    if pa.types.is_null(array.type):
        return array_cast(array, get_nested_type(feature), **allowed)
    if not isinstance(feature, (List, LargeList, dict)):
        return array_cast(array, feature(), **allowed)
    raise TypeError(
        f"Couldn't cast array of type\n{shortened(array.type)}\nto\n{shortened(feature)}"
    )


def _list_of(array: Any, feature: Any, inner: Callable[[Any, Any], Any]) -> Any:
    """Convert lists to those of a feature, with a function for their values and its feature."""
    large = isinstance(feature, LargeList)
    length = -1 if large else feature.length
    kind = "large" if large else "fixed" if length > -1 else "list"
    return list_of(array, kind, length, lambda values: inner(values, feature.feature))


def cast_table_to_features(table: Any, features: Features) -> pa.Table:
    """Cast the columns of a table to the types of features.

    Raises:
        CastError: The table has other columns than the features.
    """
    if sorted(table.column_names) != sorted(features):
        raise CastError(
            f"Couldn't cast\n{shortened(table.schema)}\nto\n{shortened(features)}\nbecause column"
            " names don't match",
            table_column_names=table.column_names,
            requested_column_names=list(features),
        )
    return pa.Table.from_arrays(
        [_cast_column(name, table[name], one) for name, one in features.items()],
        schema=features.arrow_schema,
    )


def _cast_column(name: str, array: Any, feature: Any) -> pa.Array | pa.ChunkedArray:
    """Cast a column to a feature; an error names the column and the value that does not fit."""
    from rowstream.arrow.exact import FAILED, located

    try:
        return cast_array_to_feature(array, feature)
    except FAILED as error:
        raise located(
            error, name, array, feature, lambda some: cast_array_to_feature(some, feature), None
        ) from None


@lru_cache(maxsize=64)
def _features_of(schema: Any, metadata: bytes | None) -> Features:
    """Return the features of a schema, which each batch of a table asks for.

    Two schemas are equal whatever their metadata, so these are an argument.
    """
    said = None if metadata is None else {b"huggingface": metadata}
    return Features.from_arrow_schema(schema.with_metadata(said))


def cast_table_to_schema(table: Any, schema: Any) -> pa.Table:
    """Cast a table to a schema: reorder its columns and add missing ones as nulls.

    Raises:
        CastError: The table has columns that the schema lacks.
    """
    features = _features_of(schema, (schema.metadata or {}).get(b"huggingface"))
    there = set(table.column_names)
    if not there <= set(schema.names):
        raise CastError(
            f"Couldn't cast\n{shortened(table.schema)}\nto\n{shortened(features)}\nbecause column"
            " names don't match",
            table_column_names=table.column_names,
            requested_column_names=list(features),
        )
    arrays = [
        _cast_column(name, table[name] if name in there else pa.nulls(len(table)), one)
        for name, one in features.items()
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


@lru_cache(maxsize=64)
def _said(metadata: bytes) -> Features:
    """Return the features in a schema's metadata, if some are class labels or arrays."""
    if b"ClassLabel" not in metadata and b"Array" not in metadata:
        return Features()
    return Features.from_dict((json.loads(metadata).get("info") or {}).get("features") or {})


def table_cast(table: Any, schema: Any) -> pa.Table:
    """Cast a table to a schema where the types differ, and check its labels and arrays.

    Raises:
        CastError: The table has columns that the schema lacks.
        ValueError: An integer is not one of the schema's labels, or an array has another shape.
    """
    if table.schema != schema:
        return cast_table_to_schema(table, schema)
    check_table(table, _said((schema.metadata or {}).get(b"huggingface", b"")))
    return (
        table.replace_schema_metadata(schema.metadata)
        if table.schema.metadata != schema.metadata
        else table
    )


def embed_array_storage(
    array: Any,
    feature: Any,
    token_per_repo_id: Any = None,
    local_files: bool = True,
    remote_files: bool = True,
) -> pa.Array | pa.ChunkedArray:
    """Return an array of media in which paths are replaced by the files' bytes and names."""
    if isinstance(array, pa.ChunkedArray):
        return pa.chunked_array(
            [
                embed_array_storage(chunk, feature, token_per_repo_id, local_files, remote_files)
                for chunk in array.chunks
            ]
        )
    inner = partial(
        embed_array_storage,
        token_per_repo_id=token_per_repo_id,
        local_files=local_files,
        remote_files=remote_files,
    )
    if hasattr(feature, "embed_storage"):
        return feature.embed_storage(
            array,
            token_per_repo_id=token_per_repo_id,
            local_files=local_files,
            remote_files=remote_files,
        )
    if isinstance(feature, dict) and feature:
        children = dict(zip((field.name for field in array.type), array.flatten(), strict=True))
        arrays = [inner(children[name], one) for name, one in feature.items()]
        return pa.StructArray.from_arrays(
            arrays, names=list(feature), mask=array.is_null() if array.null_count else None
        )
    if isinstance(feature, (List, LargeList)):
        return _list_of(array, feature, inner)
    return array


def embed_table_storage(
    table: Any, token_per_repo_id: Any = None, local_files: bool = True, remote_files: bool = True
) -> pa.Table:
    """Return a table in whose media columns paths are replaced by the files' bytes and names."""
    features = Features.from_arrow_schema(table.schema)
    arrays = [
        (
            embed_array_storage(table[name], one, token_per_repo_id, local_files, remote_files)
            if require_storage_embed(one)
            else table[name]
        )
        for name, one in features.items()
    ]
    return pa.Table.from_arrays(arrays, schema=features.arrow_schema)


def typed_array(data: Any, feature: Any, thorough: bool = False, **allowed: bool) -> pa.Array:
    """Convert Python values to an Arrow array with the type of a feature.

    `allowed` is passed on to `cast_array_to_feature`.

    Raises:
        pyarrow.ArrowInvalid, TypeError, ValueError: A value does not fit the feature.
    """
    kind = get_nested_type(feature)
    if isinstance(kind, ArrayType):
        return pa.ExtensionArray.from_storage(kind, array_storage(data, kind))
    if isinstance(feature, Value) and feature.dtype.startswith(("timestamp[ns", "duration[ns")):
        # By themselves the times of pandas have microseconds.
        with suppress(*FAILED):
            return pa.array(data, kind)
    if has_pairs(feature):
        # By themselves pairs are lists, of two things of one type.
        with suppress(*FAILED):
            result = [None if one is None else encode_nested_example(feature, one) for one in data]
            return pa.array(cast_to_python_objects(result), kind)
    if paths := json_paths(feature):
        data = cast_to_python_objects(data)
        for path in paths:
            data = [encoded_at(one, path) for one in data]
    return cast_array_to_feature(raw_array(data, thorough), feature, **allowed)


def fitted(table: Any, features: Features) -> pa.Table:
    """Cast the table of a stream to features; columns that they lack are left out."""
    if set(features) != set(table.column_names):
        return table_cast(
            table.select([name for name in table.column_names if name in features]),
            features.arrow_schema,
        )
    return cast_table_to_features(table, features)
