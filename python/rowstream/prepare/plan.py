"""The rows of a plan as a map-style dataset."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import pyarrow as pa

from rowstream import config
from rowstream.arrow.empty import empty_table
from rowstream.arrow.files import open_arrow
from rowstream.exceptions import SchemaError
from rowstream.features.convert import get_nested_type
from rowstream.features.features import Features
from rowstream.fingerprint.hasher import Hasher
from rowstream.prepare.arrow_copy import ArrowCopy
from rowstream.prepare.cache import folder, open_table
from rowstream.prepare.file_table import FileTable
from rowstream.prepare.row_groups import features_as_read, is_read_in_place
from rowstream.storage.urls import shown
from rowstream.table.table import Table, concat_tables
from rowstream.utils import logging
from rowstream.utils.atomic import create_file

if TYPE_CHECKING:
    from rowstream.info import DatasetInfo
    from rowstream.plan.plan import Plan


def features_of_plan(plan: Plan) -> Features | None:
    """Return the features that the files declare, including media types; `None` where only the rows
    show them.
    """
    if plan.python or not plan.scan:
        return None
    found = features_as_read(plan)
    text = (plan.listing["schema"].get("metadata") or {}).get("huggingface")
    if not text:
        return found
    try:
        written = json.loads(text)["info"]["features"] or {}
    except (ValueError, KeyError, TypeError):
        return found
    result = {}
    for name, feature in found.items():
        known = None
        if name in written:
            try:
                known = Features.from_dict({name: written[name]})[name]
                fits = storage_of(get_nested_type(known)) == storage_of(get_nested_type(feature))
            except (ValueError, TypeError, KeyError):
                fits = False
            known = known if fits else None
        result[name] = feature if known is None else known
    return Features(result)


def storage_of(kind: Any) -> pa.DataType:
    """Return the type in which values are stored, without extension types and size variants."""
    if isinstance(kind, pa.BaseExtensionType):
        return storage_of(kind.storage_type)
    if pa.types.is_list(kind):
        return pa.list_(storage_of(kind.value_type))
    if pa.types.is_large_list(kind):
        return pa.list_(storage_of(kind.value_type))
    if pa.types.is_struct(kind):
        return pa.struct([(of.name, storage_of(of.type)) for of in kind])
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return pa.string()
    return pa.binary() if pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind) else kind


_logger = logging.get_logger(__name__)


_NOTED = 10  # files that are noted beside what is made of them
Made = TypeVar("Made")  # the class of the data set, which stands above this module


def prepare_plan(
    make: Callable[..., Made],
    plan: Plan,
    info: DatasetInfo,
    split: str,
    cache_dir: Any,
    features: Any,
    keep_in_memory: bool | None,
    anew: bool = False,
) -> Made:
    """Return the rows of files as a map-style dataset: written once as Arrow, and memory-mapped.

    Local Parquet and tar files, and Arrow files that need no conversion, are read where they are.
    """
    known = features_of_plan(plan)
    lacking = [] if features is None else _lacking(plan, features)
    wanted = Features(features) if features is not None else known
    name = Hasher.hash(
        [_said(plan), None if features is None else Features(features).to_dict(), split]
    )
    place = folder(
        cache_dir,
        info.dataset_name or info.builder_name or "data",
        info.config_name or "default",
        name,
    )
    if _in_place(plan) and features is None:
        tables = [open_table(file["path"], keep_in_memory) for file in plan.listing["files"]]
        # What steps wrote beside the files would be found among them the next time.
        return make(concat_tables(tables).at_home(place), info=_with(info, None), split=split)
    path = os.path.join(place, f"{split}.arrow")

    copy = ArrowCopy(plan, path, wanted, name, split)
    in_place = is_read_in_place(plan) and wanted is not None and not lacking
    if in_place and wanted is not None and (anew or not copy.there()):
        # A card may name fewer columns than there are.
        there = plan if list(wanted) == plan.column_names else plan.select(wanted)
        table: Table = FileTable(there, wanted, copy)
        if keep_in_memory or (keep_in_memory is None and table.nbytes < config.IN_MEMORY_MAX_SIZE):
            table = Table(pa.concat_tables([*table.tables(), empty_table(wanted.arrow_schema)]))
        return make(table, info=_with(info, wanted), split=split)

    def write(temporary: str) -> None:
        _note(path, plan)
        total = (info.splits or {}).get(split)
        copy.write(temporary, None if total is None else total.num_examples)

    create_file(path, write, anew)
    return make(open_table(path, keep_in_memory), info=_with(info, wanted), split=split)


def _lacking(plan: Plan, features: Any) -> list[str]:
    """Return the columns of features that the files do not have: their values are missing.

    Raises:
        SchemaError: The files have others instead.
    """
    there = plan.column_names
    lacking = [name for name in features if name not in there]
    if lacking and (others := [name for name in there if name not in features]):
        raise SchemaError(
            f"features= names the columns {lacking}, which are not there, and not {others}: the"
            f" columns are {there}"
        )
    return lacking


def _note(path: str, plan: Plan) -> None:
    """Record next to a file of the cache which files its rows come from, for people to read."""
    files = [shown(one["path"]) for one in plan.listing["files"][:_NOTED]]
    with open(os.path.join(os.path.dirname(path), ".about"), "w", encoding="utf-8") as file:
        json.dump({"files": files}, file)


def _with(info: DatasetInfo, features: Features | None) -> DatasetInfo:
    result = info.copy()
    result.features = features
    return result


def _in_place(plan: Plan) -> bool:
    """Return whether the files are Arrow files of this machine that need no conversion."""
    files = plan.listing["files"]
    plain = (
        plan.listing["format"] == "arrow"
        and not plan.steps
        and plan.columns is None
        and plan.condition is None
        and plan.batch is None
    )
    whole = all(
        "://" not in file["path"]
        and not file.get("member")
        and not file.get("codec")
        and not file.get("partition")
        for file in files
    )
    segments = all(not segment.ops for segment in plan.segments)
    return plain and whole and segments and plan.skipped is None and all(map(_is_plain, files))


def _is_plain(file: dict[str, Any]) -> bool:
    """Return whether `Table` supports all types of an Arrow file; otherwise the core decodes it."""
    with pa.memory_map(file["path"]) as source:
        try:
            schema = open_arrow(source).schema
        except pa.ArrowInvalid:
            # Compressed, or damaged: the core reads it, or says what is wrong.
            return False
    return all(_is_kept(field.type) for field in schema)


def _is_kept(kind: Any) -> bool:
    if isinstance(kind, pa.BaseExtensionType):
        return _is_kept(kind.storage_type)
    of = pa.types
    if (
        of.is_struct(kind)
        or of.is_list(kind)
        or of.is_large_list(kind)
        or of.is_fixed_size_list(kind)
    ):
        return all(_is_kept(kind.field(i).type) for i in range(kind.num_fields))
    if (
        of.is_string_view(kind)
        or of.is_binary_view(kind)
        or (of.is_decimal(kind) and kind.bit_width < 128)
    ):
        return False
    return kind.num_fields == 0 and not (of.is_dictionary(kind) or of.is_interval(kind))


def _said(plan: Plan) -> list[Any]:
    """Return what the rows of the files depend on, to be hashed."""
    listing = plan.listing
    files = [[one["path"], one["size"], one["version"]] for one in listing["files"]]
    rest = {
        key: value
        for key, value in listing.items()
        if key not in ("files", "pieces", "lanes", "floor")
    }
    return [
        files,
        json.dumps(rest, sort_keys=True),
        repr(plan.columns),
        repr(plan.condition),
        repr(plan.segments),
        repr(plan.skipped is not None),
    ]
