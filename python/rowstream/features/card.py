"""Features as the cards of the Hub write them."""

from __future__ import annotations

from typing import Any

from rowstream.features.types import ClassLabel, Features, LargeList, List, Value


class _Unknown(Exception):  # noqa: N818 - it never leaves this module
    """A type that is not there."""


def features_of_card(said: Any) -> Features | None:
    """The features of a card's `dataset_info`: a list of `{name, dtype}`, or of `list`, `struct` and the like. `None` where a type is
    not there, such as an image: then the files say what there is.
    """
    if not isinstance(said, list) or not said:
        return None
    try:
        return Features(_struct(said))
    except (_Unknown, KeyError, TypeError, ValueError):
        return None


def _struct(fields: list[dict[str, Any]]) -> dict[str, Any]:
    return {str(field["name"]): _of(field) for field in fields}


def _of(field: Any) -> Any:
    """A field: `{dtype: …}`, `{list: …}`, `{sequence: …}`, `{struct: …}`; or the bare name of a type."""
    if isinstance(field, str):
        return _scalar(field)
    if "struct" in field:
        return _struct(field["struct"])
    for kind, made in (("list", List), ("sequence", List), ("large_list", LargeList)):
        if kind in field:
            inner, length = field[kind], -1
            if isinstance(inner, dict) and "length" in inner:
                inner, length = {key: value for key, value in inner.items() if key != "length"}, int(field[kind]["length"])
            of = _struct(inner) if isinstance(inner, list) else _of(inner)
            if kind == "sequence" and isinstance(of, dict):
                # A sequence of structs is a struct of lists, in files as in rows.
                return {name: List(one) for name, one in of.items()}
            return List(of, length=length) if made is List else LargeList(of)
    dtype = field["dtype"]
    if isinstance(dtype, dict):
        if "class_label" not in dtype:
            raise _Unknown
        names = dtype["class_label"]["names"]
        return ClassLabel(
            names=[str(names[key]) for key in sorted(names, key=int)] if isinstance(names, dict) else [str(one) for one in names]
        )
    return _scalar(str(dtype))


def _scalar(name: str) -> Value:
    from rowstream.features.schema import pyarrow_type

    value = Value({"float": "float32", "double": "float64"}.get(name, name))
    pyarrow_type(value)  # raises where there is no such type
    return value
