"""Features in the notation of dataset cards on the Hub."""

from __future__ import annotations

import copy
import re
from typing import Any

from rowstream.arrow.dtypes import arrow_type, named


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def _camel(name: str) -> str:
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))


def card_of_features(features: dict[str, Any]) -> list[dict[str, Any]]:
    """Convert what `Features.to_dict` returns to the notation of dataset cards.

    It is a list of `{name, dtype}`, `{name, list}`, `{name, struct}` and the like.
    """
    result: list[dict[str, Any]] = _written(features)["struct"]
    return result


def _written(said: Any) -> dict[str, Any]:
    if isinstance(said, (list, tuple)):
        return _simple({"list": _simple(_written(said[0]))})
    rest = dict(said)
    kind = rest.pop("_type", None) if not isinstance(said.get("_type"), dict) else None
    if kind in ("LargeList", "List"):
        inner = rest.pop("feature")
        return _simple({"large_list" if kind == "LargeList" else "list": _written(inner), **rest})
    if kind == "Value":
        return rest
    if kind is None:
        return {"struct": [{"name": name, **_written(one)} for name, one in rest.items()]}
    if not rest:
        return {"dtype": _snake(kind)}
    return {
        "dtype": _simple(
            {
                _snake(kind): {
                    key: list(one) if isinstance(one, tuple) else one for key, one in rest.items()
                }
            }
        )
    }


def _simple(said: dict[str, Any]) -> dict[str, Any]:
    for kind in ("large_list", "list", "sequence"):
        inner = said.get(kind)
        if isinstance(inner, dict) and list(inner) in (["dtype"], ["struct"]):
            said[kind] = next(iter(inner.values()))
    label = said.get("class_label")
    if isinstance(label, dict) and isinstance(label.get("names"), list):
        label["names"] = {str(i): name for i, name in enumerate(label["names"])}
    return said


def features_from_card(said: list[Any]) -> dict[str, Any]:
    """Convert the notation of (also older) dataset cards to what `Features.from_dict` takes.

    Raises:
        ValueError: The numbers of class labels have gaps.
        TypeError: A type is described by neither a dict nor a list.
    """
    return {
        str(field["name"]): _read({k: v for k, v in field.items() if k != "name"})
        for field in copy.deepcopy(said)
    }


def _read(said: Any) -> dict[str, Any]:
    if isinstance(said, list):
        return {
            str(field["name"]): _read({k: v for k, v in field.items() if k != "name"})
            for field in said
        }
    if not isinstance(said, dict):
        raise TypeError(f"Expected a dict or a list but got {type(said)}: {said}")
    if not said:
        return {}
    kind = next(iter(said))
    inner, rest = said[kind], {key: one for key, one in said.items() if key != kind}
    if kind == "struct":
        return _read(inner)
    if kind in ("large_list", "list", "sequence"):
        of = _read({"dtype": inner} if isinstance(inner, str) else inner)
        if kind == "sequence" and isinstance(inner, list):
            return {name: {"feature": one, **rest, "_type": "List"} for name, one in of.items()}
        return {"feature": of, **rest, "_type": "LargeList" if kind == "large_list" else "List"}
    if kind == "dtype":
        if not isinstance(inner, str):
            return _read(inner)
        inner = {"float": "float32", "double": "float64"}.get(inner, inner)
        try:
            named(inner) or arrow_type(inner)
        except ValueError:
            return {"_type": _camel(inner)}
        return {"dtype": inner, **rest, "_type": "Value"}
    given = dict(inner or {})
    if isinstance(given.get("names"), dict):
        numbers = sorted(given["names"], key=int)
        if [int(one) for one in numbers] != list(range(len(numbers))):
            raise ValueError(
                f"ClassLabel expected a value for all label ids [0:{int(numbers[-1]) + 1}] but some"
                " ids are missing."
            )
        given["names"] = [given["names"][one] for one in numbers]
    return {"_type": _camel(kind), **given}
