"""From data files to plans."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rowstream.features.features import Features, features_of_card
from rowstream.features.nested import visit
from rowstream.features.schema import features_from_schema, schema_from_features
from rowstream.features.text import Json
from rowstream.info import DatasetInfo
from rowstream.plan.plan import Plan
from rowstream.splits.info import SplitInfo

if TYPE_CHECKING:
    from rowstream.resolve.data_files import ResolvedFiles
    from rowstream.resolve.options import ReadOptions
    from rowstream.storage.locations import FileLocations


def plan_of(
    how: ReadOptions, found: ResolvedFiles, files: list[str], split: str
) -> tuple[Plan, DatasetInfo]:
    """Return the plan of a split's files, and the description of its rows."""
    said = (
        features_of_card(found.info.get("features"), media=how.format == "parquet")
        if how.schema is None
        else None
    )
    if said is not None and how.format != "parquet":
        how = replace(how, schema=schema_from_features(said))
        said = None
    plan = plan_files(how, files, found.places)
    if said is not None and (features := _with_card(said, plan.schema)) is not None:
        # What files do not say of their columns, such as the names of classes, the card does.
        plan = plan_files(replace(how, schema=schema_from_features(features)), files, found.places)
    info = info_of_files(plan, how.format, found.label, split)
    return plan, replace(info, config_name=found.config)


def plans_of(
    how: ReadOptions, found: ResolvedFiles, files: dict[str, list[str]]
) -> dict[str, tuple[Plan, DatasetInfo]]:
    """Return the plans of splits.

    A field with mixed types in one split is JSON in all of them, so that splits have the same
    types.
    """
    result = {name: plan_of(how, found, some, name) for name, some in files.items()}
    if how.format != "json" or how.schema is not None or len(result) < 2:
        return result
    # Of all columns of the files, those that are not asked for too.
    known = {split: features_from_schema(plan.schema) for split, (plan, _) in result.items()}
    mixed: dict[str, Any] = {}
    for there in known.values():
        for name, feature in there.items():
            if _has_json(feature):
                mixed[name] = feature if mixed.get(name, feature) == feature else Json()
    for split, there in known.items():
        features = Features({name: mixed.get(name, feature) for name, feature in there.items()})
        if features != there:
            result[split] = plan_of(
                replace(how, schema=schema_from_features(features)), found, files[split], split
            )
    return result


def _has_json(feature: Any) -> bool:
    found: list[bool] = []
    visit(feature, lambda one: found.append(isinstance(one, Json)))
    return any(found)


def _with_card(said: Features, schema: dict[str, Any]) -> Features | None:
    """Return the features of files, with what a card says of their columns where that fits; `None`
    where the card adds nothing, or files have features stored in them.
    """
    if "huggingface" in (schema.get("metadata") or {}):
        return None
    declared = {field["name"]: field for field in json.loads(schema_from_features(said))["fields"]}
    found = {field["name"]: field for field in schema["fields"]}
    own = features_from_schema(schema)
    # In the order of the card, if it names all of them.
    order = said if said.keys() == own.keys() else own
    result = Features(
        {
            name: said[name]
            if name in declared and _fits(declared[name], found[name])
            else own[name]
            for name in order
        }
    )
    return None if schema_from_features(result) == schema_from_features(own) else result


_TEXTS = ("Utf8", "LargeUtf8", "Utf8View")
_BYTES = ("Binary", "LargeBinary", "BinaryView")
_LISTS = ("List", "LargeList", "FixedSizeList")
_INTEGERS = tuple(f"{sign}Int{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64))
_FLOATS = ("Float16", "Float32", "Float64")


def _fits(declared: dict[str, Any], found: dict[str, Any]) -> bool:
    """Return whether values of a field of a file are read as a declared type without loss, if
    numbers are not too large; labels may be written by name, and media as a path or bytes.
    """
    one, other = declared["data_type"], found["data_type"]
    for alike in (_TEXTS, _BYTES, _INTEGERS, _FLOATS):
        if one in alike:
            named = "rowstream.labels" in declared["metadata"] and other in _TEXTS
            return named or other in alike
    if not isinstance(one, dict):
        return bool(one == other)
    ((kind, of),) = one.items()
    if not isinstance(other, dict):
        media = kind == "Struct" and {field["name"] for field in of} == {"bytes", "path"}
        return media and other in (*_TEXTS, *_BYTES)
    ((there_kind, there),) = other.items()
    if kind in _LISTS and there_kind in _LISTS:
        items = [part[0] if isinstance(part, list) else part for part in (of, there)]
        same = kind != "FixedSizeList" or there_kind != kind or of[1] == there[1]
        return same and _fits(*items)
    if kind == there_kind == "Struct":
        fields = {field["name"]: field for field in there}
        return len(of) == len(there) and all(
            field["name"] in fields and _fits(field, fields[field["name"]]) for field in of
        )
    return bool(one == other)


def plan_files(how: ReadOptions, files: list[str], places: FileLocations) -> Plan:
    """Return the plan that reads some files."""
    plan = replace(Plan(how.scan(files, places)), skipped=how.skipped, access=places.access)
    if how.condition is not None:
        plan = plan.where(how.condition)
    if how.columns is not None:
        names = plan.column_names
        plan = plan.select(
            [
                names[one] if isinstance(one, int) and one < len(names) else str(one)
                for one in how.columns
            ]
        )
    return plan if how.rows is None else plan.take(how.rows)


def info_of_files(plan: Plan, format: str, label: str | None, split: str) -> DatasetInfo:
    """Return the description of the rows in files."""
    size = sum(file["size"] for file in plan.listing["files"])
    rows = plan.rows_of_files if plan.condition is None and plan.skipped is None else None
    return DatasetInfo(
        builder_name=format,
        dataset_name=label,
        config_name="default",
        version="0.0.0",
        splits={split: SplitInfo(split, num_bytes=size, num_examples=rows)},
        download_size=size,
        size_in_bytes=size,
    )
