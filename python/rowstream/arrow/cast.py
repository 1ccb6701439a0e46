"""Casts of Arrow arrays, also those that pyarrow does not do."""

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
    """Return a function of arrays, of chunked arrays too."""

    def of(array: Any, to: Any, *args: Any, **kwargs: Any) -> Any:
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
    """Return a type or feature as text, of which a long one loses its middle."""
    text = str(value)
    return text if len(text) <= 3000 else f"{text[:1500]}\n...\n{text[-1500:]}"


def _fixed_values(array: Any, length: int) -> Any:
    """Return the values of lists of one length, those of missing lists too."""
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


def list_of(array: Any, kind: str, length: int, values: Callable[[Any], Any]) -> Any:
    """List as lists of another kind, their values through `values`; `None` where that cannot be."""
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
    """Return whether a type is one of lists, of a fixed length too; maps and views are none."""
    return bool(
        pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    )


def _list_kind(kind: Any) -> str:
    return (
        "fixed"
        if pa.types.is_fixed_size_list(kind)
        else "large"
        if pa.types.is_large_list(kind)
        else "list"
    )


def as_lists(array: Any) -> Any:
    """Map and views of lists as lists; anything else as it is."""
    if pa.types.is_map(array.type):
        return entries_of(array)
    return list_of_view(array) if is_view(array.type) else array


def _is_number(kind: Any) -> bool:
    return bool(
        pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    )


def _cast(array: Any, pa_type: Any) -> Any:
    """Return what pyarrow casts. What it would cut without a word is an error too: numbers as truth
    values, times as dates, infinite floats.
    """
    made, of = array.cast(pa_type), array.type
    if pa.types.is_floating(of) and pa.types.is_floating(pa_type):
        lost = (
            pc.not_equal(pc.is_inf(array), pc.is_inf(made))
            if of.bit_width > pa_type.bit_width
            else None
        )
    elif (pa.types.is_boolean(pa_type) and _is_number(of)) or (
        pa.types.is_date(pa_type) and pa.types.is_timestamp(of)
    ):
        lost = pc.not_equal(array, made.cast(of))
    else:
        lost = None
    if lost is not None and pc.any(lost).as_py():
        value = array.filter(lost)[0].as_py()
        raise pa.ArrowInvalid(f"{value!r} of {of} is no value of {pa_type}")
    return made


@by_chunk
def array_cast(
    array: Any,
    pa_type: Any,
    allow_primitive_to_str: bool = True,
    allow_decimal_to_str: bool = True,
    shapes: bool = True,
    absent: bool = False,
) -> Any:
    """Return an array in another type: what pyarrow casts, structs in another order, lists of
    another kind, and extension types.

    Args:
        array: the array, or one in chunks.
        pa_type: the type.
        allow_primitive_to_str: whether numbers become text.
        allow_decimal_to_str: whether decimals become text.
        shapes: whether the shapes of arrays of several dimensions are looked at.
        absent: whether structs may lack fields, which are null then.

    Raises:
        TypeError: there is no way from the one type to the other.
        ValueError: an array of several dimensions has another shape.
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
            made = list_of(
                array, _list_kind(pa_type), length, lambda values: inner(values, pa_type.value_type)
            )
            if made is not None:
                return made
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


def label_storage(storage: Any, label: Any) -> Any:
    """Return an array of names or integers as one of labels.

    Raises:
        ValueError: one is no label.
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
    made = array_cast(storage, label.pa_type)
    check_labels(made, label)
    return made


def json_storage(storage: Any, feature: Any) -> Any:
    """Return an array of any type as one of JSON texts."""
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
