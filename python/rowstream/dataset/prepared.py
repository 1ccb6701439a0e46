"""Map-style data sets of files, generators and queries: Arrow files in the cache, made once, mapped."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from rowstream import config, progress
from rowstream.arrow_writer import ArrowWriter, SchemaInferenceError, encoded
from rowstream.dataset.in_place import Copy, ParquetTable, suits
from rowstream.dataset.iterable import IterableDataset
from rowstream.dataset.map_style import Dataset
from rowstream.dataset.once import once
from rowstream.dataset.processes import run_in_processes
from rowstream.dataset.steps import folder
from rowstream.exceptions import InvalidArgumentError
from rowstream.features.exact import agreed
from rowstream.features.features import get_nested_type
from rowstream.features.types import Features
from rowstream.fingerprint import Hasher, generate_random_fingerprint, is_caching_enabled, update_fingerprint, validate_fingerprint
from rowstream.info import DatasetInfo
from rowstream.resolve.urls import without_query
from rowstream.table import (
    InMemoryTable,
    MemoryMappedTable,
    Table,
    cast_table_to_features,
    concat_tables,
    open_arrow,
    stored,
    stored_schema,
)
from rowstream.utils import logging

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rowstream.plan import Plan

_logger = logging.get_logger(__name__)
_ROWS = 10_000
_NOTED = 10  # files that are noted beside what is made of them
_CREDENTIALS = re.compile(r"://[^/@]*@")


def _opened(path: str, keep_in_memory: bool | None) -> Table:
    mapped = MemoryMappedTable.from_file(path)
    small = keep_in_memory is None and mapped.nbytes < config.IN_MEMORY_MAX_SIZE
    return InMemoryTable.from_file(path) if keep_in_memory or small else mapped


# -------------------------------------------------------------------------------------------------------------- files


def features_of_plan(plan: Plan) -> Features | None:
    """The features that files say, types of media too; `None` where only the rows show them."""
    if plan.python or not plan.scan:
        return None

    found = IterableDataset(plan).features
    if found is None:
        return None
    text = (plan.listing["schema"].get("metadata") or {}).get("huggingface")
    if not text:
        return found
    try:
        written = json.loads(text)["info"]["features"] or {}
    except (ValueError, KeyError, TypeError):
        return found
    made = {}
    for name, feature in found.items():
        known = None
        if name in written:
            try:
                known = Features.from_dict({name: written[name]})[name]
                fits = _storage(get_nested_type(known)) == _storage(get_nested_type(feature))
            except (ValueError, TypeError, KeyError):
                fits = False
            known = known if fits else None
        made[name] = feature if known is None else known
    return Features(made)


def _storage(kind: Any) -> Any:
    """A type as it is stored, whatever its extension."""
    if isinstance(kind, pa.BaseExtensionType):
        return _storage(kind.storage_type)
    if pa.types.is_list(kind):
        return pa.list_(_storage(kind.value_type))
    if pa.types.is_large_list(kind):
        return pa.list_(_storage(kind.value_type))
    if pa.types.is_struct(kind):
        return pa.struct([(of.name, _storage(of.type)) for of in kind])
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return pa.string()
    return pa.binary() if pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind) else kind


def of_plan(
    plan: Plan,
    info: DatasetInfo,
    split: str,
    cache_dir: Any,
    features: Any,
    keep_in_memory: bool | None,
    anew: bool = False,
) -> Dataset:
    """The rows of files as a map-style data set: read once by the core, written as Arrow, mapped.

    Parquet and Arrow files of this machine that are read as they are, are read where they lie.
    """
    known = features_of_plan(plan)
    wanted = Features(features) if features is not None else known
    name = Hasher.hash([_said(plan), None if features is None else Features(features).to_dict(), split])
    place = folder(cache_dir, info.dataset_name or info.builder_name or "data", info.config_name or "default", name)
    if _in_place(plan) and features is None:
        tables = [_opened(file["path"], keep_in_memory) for file in plan.listing["files"]]
        # What steps wrote beside the files would be found among them the next time.
        return Dataset(concat_tables(tables).at_home(place), info=_with(info, None), split=split)
    path = os.path.join(place, f"{split}.arrow")

    copy = Copy(plan, path, wanted, name, split)
    if suits(plan) and wanted is not None and (anew or not copy.there()):
        # A card may name fewer columns than there are.
        there = plan if list(wanted) == plan.column_names else plan.select(wanted)
        table: Table = ParquetTable(there, wanted, copy)
        if keep_in_memory or (keep_in_memory is None and table.nbytes < config.IN_MEMORY_MAX_SIZE):
            table = Table(pa.concat_tables([*table.tables(), wanted.arrow_schema.empty_table()]))
        return Dataset(table, info=_with(info, wanted), split=split)

    def write(temporary: str) -> None:
        _note(path, plan)
        total = (info.splits or {}).get(split)
        copy.write(temporary, None if total is None else total.num_examples)

    once(path, write, anew)
    return Dataset(_opened(path, keep_in_memory), info=_with(info, wanted), split=split)


def _note(path: str, plan: Plan) -> None:
    """Notes beside a file of the cache which files its rows are of, for whoever looks at the cache."""
    files = [_CREDENTIALS.sub("://", without_query(one["path"])) for one in plan.listing["files"][:_NOTED]]
    with open(os.path.join(os.path.dirname(path), ".about"), "w", encoding="utf-8") as file:
        json.dump({"files": files}, file)


def _with(info: DatasetInfo, features: Features | None) -> DatasetInfo:
    made = info.copy()
    made.features = features
    return made


def _in_place(plan: Plan) -> bool:
    """Whether the files are Arrow files of this machine, read as they are."""
    files = plan.listing["files"]
    plain = plan.listing["format"] == "arrow" and not plan.steps and plan.columns is None and plan.condition is None and plan.batch is None
    whole = all(
        "://" not in file["path"] and not file.get("member") and not file.get("codec") and not file.get("partition") for file in files
    )
    segments = all(not segment.ops for segment in plan.segments)
    return plain and whole and segments and plan.skipped is None and all(map(_is_plain, files))


def _is_plain(file: dict[str, Any]) -> bool:
    """Whether all types of an Arrow file are ones that tables of ours keep; what is stored otherwise, the core decodes."""
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
    if of.is_struct(kind) or of.is_list(kind) or of.is_large_list(kind) or of.is_fixed_size_list(kind):
        return all(_is_kept(kind.field(i).type) for i in range(kind.num_fields))
    if of.is_string_view(kind) or of.is_binary_view(kind) or (of.is_decimal(kind) and kind.bit_width < 128):
        return False
    return kind.num_fields == 0 and not (of.is_dictionary(kind) or of.is_interval(kind))


def _said(plan: Plan) -> Any:
    """What the rows of files follow from."""
    listing = plan.listing
    files = [[one["path"], one["size"], one["version"]] for one in listing["files"]]
    rest = {key: value for key, value in listing.items() if key not in ("files", "pieces", "lanes", "floor")}
    return [
        files,
        json.dumps(rest, sort_keys=True),
        repr(plan.columns),
        repr(plan.condition),
        repr(plan.segments),
        repr(plan.skipped is not None),
    ]


# --------------------------------------------------------------------------------------------- generators and queries


def generated(
    generator: Callable[..., Any],
    features: Features | None,
    cache_dir: Any,
    keep_in_memory: bool,
    gen_kwargs: dict[str, Any] | None,
    num_proc: int | None,
    split: Any,
    fingerprint: str | None,
) -> Dataset:
    """The rows of a generator."""
    kwargs = dict(gen_kwargs or {})
    if fingerprint is not None:
        validate_fingerprint(fingerprint)
        name = fingerprint
    else:
        said = {"generator": generator, "gen_kwargs": kwargs, "features": None if features is None else Features(features).to_dict()}
        name = update_fingerprint("generator", "rowstream.from_generator@1", {**said, "split": str(split)})
    if not is_caching_enabled():
        name = generate_random_fingerprint()
    given = None if features is None else Features(features)
    checked = generator if given is None else partial(_checked, generator, given)
    parts = shares(kwargs, num_proc)
    place = folder(cache_dir, "generator", f"default-{name}")
    files = [os.path.join(place, f"{split}{f'-{i:05d}-of-{len(parts):05d}' if len(parts) > 1 else ''}.arrow") for i in range(len(parts))]
    missing = [i for i, file in enumerate(files) if not os.path.exists(file)]
    todo: list[tuple[int, _Part]] = []
    for i in missing:
        part = name if len(parts) == 1 else f"{name}{i}"
        todo.append((i, _Part(checked, parts[i], given, files[i], part, split)))
    if len(todo) > 1:
        with progress.bar(None, f"Generating {split} split (num_proc={num_proc})") as bar:
            run_in_processes(todo, len(parts), bar.update, None, "from_generator")
    else:
        for _, one in todo:
            with progress.bar(None, f"Generating {split} split") as bar:
                one(bar.update)
    tables = [_opened(file, keep_in_memory) for file in files]
    if given is None:
        several = [Features.from_arrow_schema(table.schema) for table in tables]
        tables = [
            table if features == own else table.cast(features.arrow_schema)
            for table, own, features in zip(tables, several, agreed(several), strict=True)
        ]
    table = concat_tables(tables)
    info = DatasetInfo(builder_name="generator", dataset_name="generator", config_name="default", features=given)
    ds = Dataset(table, info=info, split=split)
    ds._fingerprint = name
    return ds


def _checked(generator: Callable[..., Any], features: Features, /, **kwargs: Any) -> Iterator[Any]:
    """The rows of a generator, which have no other columns than those that features name."""
    for row in generator(**kwargs):
        if isinstance(row, Mapping) and not row.keys() <= features.keys():
            raise InvalidArgumentError(f"features= does not name the columns {[name for name in row if name not in features]}")
        yield row


@dataclass
class _Part:
    """A part of a generator's rows: what a process needs to write it."""

    generator: Callable[..., Any]
    kwargs: dict[str, Any]
    features: Features | None
    file: str
    name: str
    split: Any

    def __call__(self, told: Callable[[int], None]) -> None:
        once(self.file, lambda temporary: self._write(temporary, told))

    def _write(self, temporary: str, told: Callable[[int], None]) -> None:
        try:
            with ArrowWriter(path=temporary, features=self.features, fingerprint=self.name) as writer:
                for row in self.generator(**self.kwargs):
                    writer.write(row if self.features is None else encoded(self.features, row, len(writer)))
                    told(1)
                writer.finalize()
        except SchemaInferenceError:
            # A generator of nothing, which says no types either.
            with pa.OSFile(temporary, "wb") as sink, pa.ipc.new_stream(sink, pa.schema([])):
                pass


def shares(kwargs: dict[str, Any], num_proc: int | None) -> list[dict[str, Any]]:
    """The arguments of each process: lists are shared out."""
    lists = {name: value for name, value in kwargs.items() if isinstance(value, list)}
    if not num_proc or num_proc < 2 or not lists:
        return [kwargs]
    lengths = {len(value) for value in lists.values()}
    if len(lengths) > 1:
        sizes = {name: len(value) for name, value in lists.items()}
        raise RuntimeError(
            f"Sharding is ambiguous for this dataset: we found several data sources lists of different lengths, and we don't know over "
            f"which list we should parallelize: {sizes}. To fix this, only use lists for data sources, and tuples otherwise."
        )
    (n,) = lengths
    parts = min(num_proc, n) or 1
    bounds = [(n * i // parts, n * (i + 1) // parts) for i in range(parts)]
    return [{**kwargs, **{name: value[start:end] for name, value in lists.items()}} for start, end in bounds]


def queried(sql: Any, con: Any, features: Features | None, cache_dir: Any, keep_in_memory: bool, options: dict[str, Any]) -> Dataset:
    """The rows of a query."""
    import pandas as pd

    size = options.pop("chunksize", _ROWS)
    given = None if features is None else Features(features)

    said = {"sql": str(sql), "con": con, "options": repr(sorted(options.items())), "features": None if given is None else given.to_dict()}
    name = update_fingerprint("sql", "rowstream.from_sql@1", said)
    path = os.path.join(folder(cache_dir, "sql", f"default-{name}"), "train.arrow")

    def write(temporary: str) -> None:
        with ArrowWriter(path=temporary, features=given, fingerprint=name) as writer:
            for frame in pd.read_sql(sql, con, chunksize=size, **options):
                table = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)
                writer.write_table(table if given is None else cast_table_to_features(table, given))
            writer.finalize()

    # A database changes: what is there is only used where nothing but text says what is asked.
    once(path, write, anew=True)
    info = DatasetInfo(builder_name="sql", dataset_name="sql", config_name="default", features=given)
    return Dataset(_opened(path, keep_in_memory), info=info, split="train")


__all__ = ["Dataset", "features_of_plan", "folder", "generated", "of_plan", "once", "queried", "shares", "stored", "stored_schema"]
