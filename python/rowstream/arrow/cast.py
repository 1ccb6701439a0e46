"""Casts of Arrow arrays, including some that pyarrow lacks."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rowstream.arrow.checks import array_shape, check_labels, check_shapes
from rowstream.arrow.json_text import dumps
from rowstream.arrow.maps import (
    entries_of,
    has_entries,
    is_view,
    list_of_view,
    map_of,
    offsets_of,
    without_hidden,
)


def by_chunk(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make a function of arrays accept chunked arrays as well."""

    def of(array: Any, to: Any, *args: Any, **kwargs: Any) -> pa.Array | pa.ChunkedArray:
        if not isinstance(array, pa.ChunkedArray):
            return function(array, to, *args, **kwargs)
        if array.num_chunks == 0:
            array = (
                pa.chunked_array([pa.array([], array.type)])
                if not isinstance(array.type, pa.BaseExtensionType)
                else array
            )
        if array.num_chunks == 0:
            return pa.chunked_array(
                [function(pa.array([], array.type.storage_type), to, *args, **kwargs)]
            )
        return pa.chunked_array([function(chunk, to, *args, **kwargs) for chunk in array.chunks])

    return of


def shortened(value: Any) -> str:
    """Return a type or feature as text, without the middle if it is long."""
    text = str(value)
    return text if len(text) <= 3000 else f"{text[:1500]}\n...\n{text[-1500:]}"


def _fixed_values(array: Any, length: int) -> pa.Array:
    """Return the values of lists of one length, with placeholders for null lists."""
    if pa.types.is_fixed_size_list(array.type):
        return array.values[array.offset * length : (array.offset + len(array)) * length]
    if array.null_count:
        inner = array.type.value_type
        if isinstance(inner, pa.BaseExtensionType):
            array = array_cast(array, pa.list_(inner.storage_type))
        return pc.list_slice(array, 0, length, return_fixed_size_list=True).values
    return array.flatten()


def _of_length(array: Any, length: int) -> bool:
    if pa.types.is_fixed_size_list(array.type):
        return bool(array.type.list_size == length)
    return bool(pc.all(pc.equal(array.value_lengths(), length)).as_py()) or array.null_count == len(
        array
    )


def list_of(array: Any, kind: str, length: int, values: Callable[[Any], Any]) -> pa.Array | None:
    """Convert lists to another kind of lists, with a function for their values.

    Return `None` if the lists do not have the required length.
    """
    fixed = pa.types.is_fixed_size_list(array.type)
    if kind == "fixed":
        if not _of_length(array, length):
            return None
        mask = array.is_null() if array.null_count else None
        return pa.FixedSizeListArray.from_arrays(
            values(_fixed_values(array, length)), length, mask=mask
        )
    make = pa.ListArray if kind == "list" else pa.LargeListArray
    if fixed:
        offsets = (np.arange(len(array) + 1) + array.offset) * array.type.list_size
        narrow = offsets.astype(np.int32 if kind == "list" else np.int64)
        return make.from_arrays(
            pa.array(narrow),
            values(array.values),
            mask=array.is_null() if array.null_count else None,
        )
    array = without_hidden(array)
    offsets = offsets_of(array)
    wanted = pa.int32() if kind == "list" else pa.int64()
    return make.from_arrays(
        offsets if offsets.type == wanted else offsets.cast(wanted), values(array.values)
    )


def is_list(kind: Any) -> bool:
    """Return whether a type is a list, large list or fixed-size list, but no map or list view."""
    return bool(
        pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    )


def mapped_type(kind: Any, field: Callable[[Any], pa.Field]) -> pa.DataType:
    """Return a type with `field` applied to the fields inside it."""
    if pa.types.is_struct(kind):
        return pa.struct([field(of) for of in kind])
    if pa.types.is_fixed_size_list(kind):
        return pa.list_(field(kind.value_field), kind.list_size)
    if pa.types.is_large_list(kind):
        return pa.large_list(field(kind.value_field))
    if pa.types.is_map(kind):
        return pa.map_(field(kind.key_field), field(kind.item_field))
    return pa.list_(field(kind.value_field)) if pa.types.is_list(kind) else kind


def _list_kind(kind: Any) -> str:
    return (
        "fixed"
        if pa.types.is_fixed_size_list(kind)
        else "large"
        if pa.types.is_large_list(kind)
        else "list"
    )


def as_lists(array: Any) -> pa.Array:
    """Convert maps and list views to lists; return other arrays as they are."""
    if pa.types.is_map(array.type):
        return entries_of(array)
    return list_of_view(array) if is_view(array.type) else array


def _is_number(kind: Any) -> bool:
    return bool(
        pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    )


def _cast(array: Any, pa_type: Any) -> pa.Array:
    """Cast an array with pyarrow, and raise where pyarrow would silently change a value.

    These are numbers as booleans, times as dates, and floats that become infinite.
    """
    result, of = array.cast(pa_type), array.type
    if pa.types.is_floating(of) and pa.types.is_floating(pa_type):
        lost = (
            pc.not_equal(pc.is_inf(array), pc.is_inf(result))
            if of.bit_width > pa_type.bit_width
            else None
        )
    elif (pa.types.is_boolean(pa_type) and _is_number(of)) or (
        pa.types.is_date(pa_type) and pa.types.is_timestamp(of)
    ):
        lost = pc.not_equal(array, result.cast(of))
    else:
        lost = None
    if lost is not None and pc.any(lost).as_py():
        value = array.filter(lost)[0].as_py()
        raise pa.ArrowInvalid(f"{value!r} of {of} is no value of {pa_type}")
    return result


@by_chunk
def array_cast(
    array: Any,
    pa_type: Any,
    allow_primitive_to_str: bool = True,
    allow_decimal_to_str: bool = True,
    shapes: bool = True,
    absent: bool = False,
) -> pa.Array:
    """Cast an array to another type.

    Besides what pyarrow casts, fields of structs may be in another order, lists of another kind,
    and types may be extension types.

    Args:
        array: The array, which may be chunked.
        pa_type: The type to cast to.
        allow_primitive_to_str: Allow numbers to become text.
        allow_decimal_to_str: Allow decimals to become text.
        shapes: Check the shapes of arrays with several dimensions.
        absent: Allow structs to lack fields, which become null.

    Raises:
        TypeError: There is no cast from the one type to the other.
        ValueError: An array with several dimensions has another shape.
    """
    allowed = {
        "allow_primitive_to_str": allow_primitive_to_str,
        "allow_decimal_to_str": allow_decimal_to_str,
    }
    inner = partial(array_cast, **allowed, shapes=shapes, absent=absent)
    shape = array_shape(pa_type)
    if array.type == pa_type and shape is None:
        return array
    if isinstance(array, pa.ExtensionArray):
        array = array.storage
    if isinstance(pa_type, pa.BaseExtensionType):
        storage = inner(array, pa_type.storage_type)
        if shapes and shape is not None:
            check_shapes(storage, shape[0])
        return pa_type.wrap_array(storage)
    if array.type == pa_type:
        return array
    array = as_lists(array)
    if pa.types.is_map(pa_type) and is_list(array.type) and has_entries(array.type):
        entries = pa.struct(
            [pa.field("key", pa_type.key_type, nullable=False), ("value", pa_type.item_type)]
        )
        return map_of(inner(array, pa.list_(entries)))
    if pa.types.is_struct(array.type):
        there, wanted = (
            {field.name for field in array.type},
            {field.name for field in pa_type} if pa.types.is_struct(pa_type) else None,
        )
        if wanted is not None and (there <= wanted if absent else there == wanted):
            if not array.type.num_fields and not wanted:
                return array
            children = dict(zip((field.name for field in array.type), array.flatten(), strict=True))
            mask, nulls = array.is_null() if array.null_count else None, pa.nulls(len(array))
            return pa.StructArray.from_arrays(
                [inner(children.get(field.name, nulls), field.type) for field in pa_type],
                fields=list(pa_type),
                mask=mask,
            )
    elif is_list(array.type):
        if is_list(pa_type):
            length = pa_type.list_size if pa.types.is_fixed_size_list(pa_type) else -1
            result = list_of(
                array, _list_kind(pa_type), length, lambda values: inner(values, pa_type.value_type)
            )
            if result is not None:
                return result
    else:
        if is_list(pa_type) and pa.types.is_primitive(array.type):
            raise TypeError(
                f"Couldn't cast array of type {shortened(array.type)} to {shortened(pa_type)}"
            )
        if pa.types.is_string(pa_type):
            if not allow_primitive_to_str and pa.types.is_primitive(array.type):
                raise TypeError(
                    f"Couldn't cast array of type {shortened(array.type)} to {shortened(pa_type)}:"
                    " numbers are not made text here"
                )
            if not allow_decimal_to_str and pa.types.is_decimal(array.type):
                raise TypeError(
                    f"Couldn't cast array of type {shortened(array.type)} to {shortened(pa_type)}:"
                    " decimals are not made text here"
                )
        if pa.types.is_null(pa_type) and not pa.types.is_null(array.type):
            raise TypeError(
                f"Couldn't cast array of type {shortened(array.type)} to {shortened(pa_type)}"
            )
        return _cast(array, pa_type)
    raise TypeError(f"Couldn't cast array of type {shortened(array.type)} to {shortened(pa_type)}")


def label_storage(storage: Any, label: Any) -> pa.Array:
    """Convert an array of names or integers to an array of labels.

    Raises:
        ValueError: There is no such label.
    """
    if (
        pa.types.is_string(storage.type)
        or pa.types.is_large_string(storage.type)
        or pa.types.is_string_view(storage.type)
    ):
        storage = pa.array(
            [None if name is None else label._strval2int(name) for name in storage.to_pylist()],
            pa.int64(),
        )
    result = array_cast(storage, label.pa_type)
    check_labels(result, label)
    return result


def json_storage(storage: Any, feature: Any) -> pa.Array:
    """Convert an array of any type to an array of JSON texts."""
    kind = feature.pa_type
    if (
        pa.types.is_string(storage.type)
        or pa.types.is_large_string(storage.type)
        or pa.types.is_string_view(storage.type)
    ):
        try:
            for text in storage[:5].to_pylist():
                json.loads(text if text is not None else "null")
        except ValueError:
            storage = pa.array(
                [None if text is None else dumps(text) for text in storage.to_pylist()], pa.string()
            )
        return kind.wrap_array(array_cast(storage, kind.storage_type))
    return kind.wrap_array(
        pa.array(
            [None if value is None else dumps(value) for value in storage.to_pylist()], pa.string()
        )
    )
