"""Paths to the JSON values in rows, and their encoding and decoding."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any

from rowstream.features.nested import LargeList, List, relisted
from rowstream.features.text import Json

if TYPE_CHECKING:
    from rowstream.features.features import Features


def mixed_paths(examples: list[Any], allow_root: bool = True) -> list[list[Any]]:
    """Return the paths of values without a common Arrow type.

    These are objects with different fields, objects beside numbers, and the like.
    """
    found: list[list[Any]] = []
    waiting: list[tuple[list[Any], list[Any]]] = [
        ([], [one for one in examples if one is not None])
    ]
    while waiting:
        path, values = waiting.pop(0)
        if not values:
            continue
        if all(isinstance(one, dict) for one in values):
            if (allow_root or path) and (
                not values[0] or any(one.keys() != values[0].keys() for one in values)
            ):
                found.append(path)
            else:
                names = dict.fromkeys(name for one in values for name in one)
                waiting += [
                    ([*path, name], [one[name] for one in values if one.get(name) is not None])
                    for name in names
                ]
        elif all(isinstance(one, list) for one in values):
            waiting.append(
                ([*path, 0], [item for one in values for item in one if item is not None])
            )
        elif (
            any(isinstance(one, (dict, list)) for one in values)
            or len({_family(one) for one in values}) > 1
        ):
            found.append(path)
    return found


def _family(value: Any) -> str:
    """Return the name of a value's group of types, within which Arrow finds a common type."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return "number"
    return next(
        (kind.__name__ for kind in (dt.datetime, dt.timedelta) if isinstance(value, kind)),
        type(value).__name__,
    )


def with_json(feature: Any, paths: list[list[Any]], path: tuple[Any, ...] = ()) -> Any:
    """Return a feature with `Json` at the given paths."""
    if list(path) in paths:
        return Json()
    if isinstance(feature, dict):
        return {name: with_json(one, paths, (*path, name)) for name, one in feature.items()}
    if isinstance(feature, (List, LargeList)):
        return relisted(feature, with_json(feature.feature, paths, (*path, 0)))
    return feature


def encoded_at(value: Any, path: list[Any], encode: Any = None) -> Any:
    """Encode the parts of a value at a path as JSON text, with `Json` or the function `encode`."""
    if value is None:
        return None
    if not path:
        return Json().encode_example(value) if encode is None else encode(value)
    at, *rest = path
    if at == 0:
        return [encoded_at(one, rest, encode) for one in value]
    return {**value, at: encoded_at(value.get(at), rest, encode)}


def json_paths(feature: Any, path: tuple[Any, ...] = ()) -> list[list[Any]]:
    """Return the paths at which a feature has `Json`."""
    if isinstance(feature, Json):
        return [list(path)]
    if isinstance(feature, dict):
        return [found for name, one in feature.items() for found in json_paths(one, (*path, name))]
    if isinstance(feature, (List, LargeList)):
        return json_paths(feature.feature, (*path, 0))
    return []


def decode_json_at(value: Any, path: list[Any]) -> Any:
    """Decode the JSON texts at a path of a value."""
    if value is None:
        return None
    if not path:
        try:
            return json.loads(value)
        except (TypeError, ValueError):
            return value
    at, *rest = path
    if at == 0:
        return [decode_json_at(one, rest) for one in value]
    return {**value, at: decode_json_at(value.get(at), rest)}


def decode_json(columns: dict[str, list[Any]], features: Features) -> dict[str, list[Any]]:
    """Decode the JSON texts in columns."""
    for name, *path in json_paths(features):
        columns[name] = [decode_json_at(one, path) for one in columns[name]]
    return columns
