"""The sequences of numbers of rows, as one array a column."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rowstream.exceptions import SchemaError

if TYPE_CHECKING:
    import numpy as np

    Arrays = dict[str, np.ndarray]


def sequences(taken: Any, names: tuple[str, ...] | None) -> tuple[Arrays, Any]:
    """Return the tokens of rows, one after another, of each column; and how many each row has.

    A null is a sequence without tokens.

    Args:
        taken: A pyarrow table, or a list of dicts.
        names: The columns; those that are lists of numbers if `None`.

    Raises:
        SchemaError: A column has something else, or two columns have other lengths in a row.
    """
    import numpy as np

    found = _of_rows(taken, names) if isinstance(taken, list) else _of_table(taken, names)
    if not found:
        raise SchemaError("pack: no column has lists of numbers: tokenize first")
    (first, (_, lengths)), *others = found.items()
    for name, (_, own) in others:
        if not np.array_equal(own, lengths):
            row = int(np.flatnonzero(own != lengths)[0])
            raise SchemaError(
                f"pack: the columns {first!r} and {name!r} have {lengths[row]} and {own[row]}"
                " tokens in one row: what is packed together is as long"
            )
    return {name: values for name, (values, _) in found.items()}, lengths


def _of_table(table: Any, names: tuple[str, ...] | None) -> dict[str, tuple[Any, Any]]:
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    def packs(kind: Any) -> bool:
        lists = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
        if not any(of(kind) for of in lists):
            return False
        item = kind.value_type
        return bool(
            pa.types.is_integer(item)
            or pa.types.is_floating(item)
            or pa.types.is_boolean(item)
            or pa.types.is_null(item)
        )

    result = {}
    for name in table.column_names if names is None else names:
        column = table.column(name) if name in table.column_names else None
        if column is None or not packs(column.type):
            if names is None:
                continue
            raise SchemaError(
                f"pack: the column {name!r} is"
                f" {'missing' if column is None else column.type}, where sequences are lists of"
                " numbers"
            )
        array = column.combine_chunks()
        array = array if isinstance(array, pa.Array) else pa.concat_arrays(array.chunks)
        if not array.null_count and not pa.types.is_fixed_size_list(array.type):
            ends = array.offsets.to_numpy()
            values, lengths = array.values[ends[0] : ends[-1]], ends[1:] - ends[:-1]
        else:
            values = array.flatten()
            lengths = pc.fill_null(pc.list_value_length(array), 0).to_numpy(zero_copy_only=False)
        if values.null_count:
            raise SchemaError(f"pack: the column {name!r} has nulls among its numbers")
        result[name] = (
            np.zeros(0, np.int32)
            if pa.types.is_null(values.type)
            else values.to_numpy(zero_copy_only=False),
            lengths.astype(np.int64, copy=False),
        )
    return result


def _of_rows(rows: list[Any], names: tuple[str, ...] | None) -> dict[str, tuple[Any, Any]]:
    import numpy as np

    result = {}
    for name in _packed(rows) if names is None else names:
        arrays = [_array(name, row.get(name)) for row in rows]
        lengths = np.array([len(one) for one in arrays], np.int64)
        result[name] = (joined(name, [one for one in arrays if len(one)]), lengths)
    return result


def _packed(rows: list[Any]) -> list[str]:
    """Return the columns that are lists of numbers, or null: those that are null only if there are
    no others.
    """
    every = list(dict.fromkeys(name for row in rows for name in row))
    values = {name: [row.get(name) for row in rows] for name in every}
    fit = [name for name in every if all(of is None or _is_numbers(of) for of in values[name])]
    return [name for name in fit if any(of is not None for of in values[name])] or fit


def _is_numbers(value: Any) -> bool:
    """Return whether a value is a list of numbers, as far as its first item shows."""
    if isinstance(value, (list, tuple)):
        return not value or isinstance(value[0], (bool, int, float)) or value[0] is None
    return getattr(value, "ndim", None) == 1


def _array(name: str, value: Any) -> Any:
    """Return a list of numbers, or an array of any library, as an array of NumPy."""
    import numpy as np

    if value is None or (isinstance(value, (list, tuple)) and not value):
        return np.zeros(0, np.int32)
    array = np.asarray(value)
    if array.ndim == 1 and array.dtype.kind in "biuf":
        if array.dtype.kind == "f" and isinstance(value, (list, tuple)):
            _check_exact(name, [one for one in value if isinstance(one, int)])
        return array
    if isinstance(value, (list, tuple)) and None in value:
        raise SchemaError(f"pack: the column {name!r} has nulls among its numbers: {value!r:.80}")
    raise SchemaError(
        f"pack: the column {name!r} has {value!r:.80}, where sequences are lists of numbers"
    )


def joined(name: str, arrays: list[Any]) -> Any:
    """Return arrays of numbers one after another, in a type that holds all of them."""
    import numpy as np

    if not arrays:
        return np.zeros(0, np.int32)
    kinds = {one.dtype.kind for one in arrays}
    if "f" in kinds:
        for one in arrays:
            if one.dtype.kind in "iu":
                _check_exact(name, [one.min(), one.max()])
    elif np.result_type(*{one.dtype for one in arrays}).kind == "f":  # of signed and unsigned ones
        least = min(int(one.min()) for one in arrays)
        if least < 0 and max(int(one.max()) for one in arrays) >= 1 << 63:
            raise SchemaError(
                f"pack: the column {name!r} has integers below 0 and others of 2**63 and more: no"
                " type has both"
            )
        arrays = [one.astype(np.int64 if least < 0 else np.uint64) for one in arrays]
    return np.concatenate(arrays)


def _check_exact(name: str, integers: list[Any]) -> None:
    if any(abs(int(one)) > 1 << 53 for one in integers):
        raise SchemaError(
            f"pack: the column {name!r} has floats beside integers above 2**53, which floats do not"
            " hold: make all of one type"
        )
