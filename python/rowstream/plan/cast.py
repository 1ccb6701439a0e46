"""Casts of columns, while files are decoded or of rows that functions returned."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from rowstream.exceptions import InvalidArgumentError, SchemaError, UnsupportedError
from rowstream.features.features import Features
from rowstream.features.nested import has_labels
from rowstream.features.rows import Typing
from rowstream.features.scalar import Value
from rowstream.features.schema import fields_declared, schema_from_features
from rowstream.ops.apply import Call
from rowstream.ops.map import Map
from rowstream.utils.cached import cached_property

if TYPE_CHECKING:
    from rowstream.plan.plan import Plan


def cast(
    plan: Plan, features: dict[str, Any], known: Features | None, *, whole: bool
) -> tuple[Plan, dict[str, Any]]:
    """Return the plan with columns of other types, and those features.

    Args:
        plan: The plan.
        features: The new types.
        known: The types before, if known.
        whole: Whether `features` has all columns.
    """
    later = {
        name: of
        for name, of in features.items()
        if plan.direct and known is not None and _is_of_labels(plan, known.get(name), of)
    }
    first = {name: of for name, of in features.items() if name not in later}
    if plan.direct and not later:
        return _declared(plan, features), features
    if plan.batch is not None:
        raise UnsupportedError("batches are not cast: cast before batch()")
    if plan.direct and first:
        plan, first = _declared(plan, first), {}
    typed = Features(features) if whole and known is None else None
    return plan.then(
        Map(Call(partial(_row, _Types({**first, **later})), "cast"), features=typed)
    ), features


def _is_of_labels(plan: Plan, known: Any, feature: Any) -> bool:
    """Return whether files would read a column differently as another type.

    The names of labels are in the files, and numbers of CSV are texts.
    """
    if known is None or known == feature:
        return False
    text = isinstance(known, Value) and known.dtype.endswith("string")
    return has_labels(known) or (
        has_labels(feature) and plan.listing["format"] == "csv" and not text
    )


def _declared(plan: Plan, features: dict[str, Any]) -> Plan:
    """Return the plan with other types for columns in its listing."""
    sources = dict(zip(plan.column_names, plan._sources(), strict=True))
    if plan.condition is not None and (
        touched := sorted(plan.condition.columns() & {sources[name] for name in features})
    ):
        raise UnsupportedError(
            f"cast of a column that a filter looks at ({touched[0]!r}): cast first, then filter"
        )
    if plan.batch is not None:
        raise UnsupportedError("batches are not cast: cast before batch()")
    result = json.loads(schema_from_features({sources[name]: of for name, of in features.items()}))
    listing = plan.listing
    schema = listing["schema"]
    types = {field["name"]: field for field in fields_declared(result["fields"], schema["fields"])}
    fields = [types.get(field["name"], field) for field in schema["fields"]]
    metadata = dict(schema.get("metadata") or {})
    written = json.loads(metadata.get("huggingface", "null")) or {"info": {"features": {}}}
    kept = {
        name: of
        for name, of in (written.get("info", {}).get("features") or {}).items()
        if name not in types
    }
    labels = (
        (json.loads(result["metadata"]["huggingface"])["info"]["features"])
        if "huggingface" in result["metadata"]
        else {}
    )
    metadata["huggingface"] = json.dumps({"info": {"features": {**kept, **labels}}})
    return replace(
        plan,
        scan=json.dumps(
            {**listing, "schema": {"fields": fields, "metadata": metadata}, "declared": True}
        ),
    )


@dataclass(frozen=True)
class _Types:
    """The new types of columns, as the argument of a function."""

    features: dict[str, Any]

    @cached_property
    def typing(self) -> Typing:
        """The conversion of rows to the new types."""
        return Typing(Features(self.features))

    def __repr__(self) -> str:
        return repr(self.features)


def _row(types: _Types, row: dict[str, Any]) -> dict[str, Any]:
    """Return a row that a function returned, with other types."""
    if missing := [name for name in types.features if name not in row]:
        raise InvalidArgumentError(
            f"cast: there is no column {', '.join(map(repr, missing))}; the columns are {list(row)}"
        )
    try:
        return types.typing.row({name: row[name] for name in types.features})
    except SchemaError as error:
        raise SchemaError(f"cast: {error}") from error
