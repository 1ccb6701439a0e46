"""TsFile of Apache IoTDB, by tsfile: a row is a device with its series."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from operator import and_
from typing import Any, ClassVar

from rowstream.exceptions import (
    FileFormatError,
    InvalidArgumentError,
    SchemaError,
    UnsupportedError,
)
from rowstream.features.features import Features
from rowstream.packaged.base import Reader, Source
from rowstream.utils.optional import import_optional

_TYPES = {
    "BOOLEAN": "bool_",
    "INT32": "int32",
    "INT64": "int64",
    "FLOAT": "float32",
    "DOUBLE": "float64",
    "DATE": "date32",
    "BLOB": "binary",
    "TIMESTAMP": "timestamp",
}
_WIDER = {
    frozenset(("int32", "int64")): "int64",
    frozenset(("int32", "float32")): "float32",
    **{frozenset((one, "float64")): "float64" for one in ("int32", "int64", "float32")},
    frozenset(("int64", "float32")): "float64",
}
_MAGIC = b"TsFile"  # at both ends of a file
_ROWS = 65_536  # rows that are read at once
_importer: dict[str, int] = {}  # the process that has the threads of the library


@dataclass(frozen=True)
class _Table:
    """What the files say of a table: its columns, and the types of its fields."""

    name: str
    time: str
    tags: tuple[str, ...]
    fields: tuple[tuple[str, str], ...]


@dataclass
class TsFile(Reader):
    """The reader of TsFiles in the table model: a row is a device, its columns lists over time.

    A device that several files have is one row. `columns` are fields; tags and times are always
    there.

    Attributes:
        table_name: The name of the table; the first of the first file if `None`.
        start_time: The first time: a `datetime`, a text of ISO 8601, or a number of units.
        end_time: The last time, in the same way.
        timestamp_unit: The unit of times: `"s"`, `"ms"`, `"us"` or `"ns"`.
        timestamp_tz: The time zone of times, if they have one.
    """

    name: ClassVar[str] = "tsfile"
    table_name: str | None = None
    start_time: Any = None
    end_time: Any = None
    timestamp_unit: str = "ms"
    timestamp_tz: str | None = None

    def __post_init__(self) -> None:
        if self.timestamp_unit not in ("s", "ms", "us", "ns"):
            raise InvalidArgumentError(
                f"timestamp_unit= is 's', 'ms', 'us' or 'ns', not {self.timestamp_unit!r}"
            )
        self.start_time = _ticks("start_time", self.start_time, self.timestamp_unit)
        self.end_time = _ticks("end_time", self.end_time, self.timestamp_unit)

    def units(self, files: list[Source]) -> list[Any]:
        """Return the devices, each with the files that it is in."""
        table = self._table(files)
        devices: dict[tuple[str | None, ...], list[str]] = {}
        for source in files:
            path = source.local("TsFile")
            with _opened(path) as reader:
                tags, _, _ = _columns(reader, path, table.name)
                for device in reader.get_all_devices():
                    if (device.table_name or "").lower() == table.name:
                        values = dict(zip(tags, device.segments[1:], strict=False))
                        key = tuple(values.get(tag) for tag in table.tags)
                        devices.setdefault(key, []).append(path)
        return [(table, key, tuple(paths)) for key, paths in devices.items()]

    def features(self, files: list[Source]) -> Features | None:
        import pyarrow as pa

        table = self._table(files)
        types = {tag: pa.string() for tag in table.tags}
        types[table.time] = pa.list_(self._type("timestamp"))
        types |= {name: pa.list_(self._type(kind)) for name, kind in table.fields}
        return Features.from_arrow_schema(pa.schema(types))

    def rows(self, unit: tuple[_Table, Any, Any]) -> Iterator[dict[str, Any]]:
        import pyarrow as pa

        table, key, paths = unit
        series = pa.concat_tables([self._series(table, key, path) for path in paths])
        if not len(series):
            return
        series = series.sort_by(table.time)
        times = series[table.time]
        if len(times.unique()) < len(times):
            raise FileFormatError(f"{', '.join(paths)}: the device {key} has one time twice")
        values = {name: series[name].to_pylist() for name in series.column_names}
        yield {**dict(zip(table.tags, key, strict=True)), **values}

    def _table(self, files: list[Source]) -> _Table:
        """Return the columns of the table in all files, with types that hold those of each."""
        name = None if self.table_name is None else self.table_name.lower()
        time, tags, found = "time", dict[str, None](), dict[str, str]()
        for source in files:
            path = source.local("TsFile")
            with _opened(path) as reader:
                name = name or next(iter(_tables(reader, path)))
                own, fields, time = _columns(reader, path, name)
            tags |= dict.fromkeys(own)
            for field, kind in fields.items():
                before = found.get(field, kind)
                wider = kind if kind == before else _WIDER.get(frozenset((kind, before)))
                if wider is None:
                    raise SchemaError(f"{path}: {field!r} is {kind}, in another file {before}")
                found[field] = wider
        if self.columns is not None:
            wanted = dict.fromkeys(one.lower() for one in self.columns)
            if missing := [one for one in wanted if one not in (*found, *tags, time)]:
                raise InvalidArgumentError(
                    f"there is no column {', '.join(map(repr, missing))}; the fields are"
                    f" {list(found)}"
                )
            found = {one: found[one] for one in wanted if one in found}
        return _Table(name or "", time, tuple(tags), tuple(found.items()))

    def _type(self, kind: str) -> Any:
        import pyarrow as pa

        if kind == "timestamp":
            return pa.timestamp(self.timestamp_unit, self.timestamp_tz)
        return getattr(pa, kind)()

    def _series(self, table: _Table, key: tuple[str | None, ...], path: str) -> Any:
        """Return the times and fields of a device in a file."""
        import pyarrow as pa

        tsfile = import_optional("tsfile", "TsFiles", "tsfile")
        types = {name: self._type(kind) for name, kind in table.fields}
        schema = pa.schema({table.time: self._type("timestamp"), **types})
        tables = []
        with _opened(path) as reader:
            tags, fields, time = _columns(reader, path, table.name)
            # Something has to be read for the times.
            read = [name for name in types if name in fields] or [*fields][:1]
            of = dict(zip(table.tags, key, strict=True))
            # None stands for no condition; a device that has no tag is null there.
            conditions = [
                tsfile.tag_is_null(tag) if of[tag] is None else tsfile.tag_eq(tag, of[tag])
                for tag in tags
            ]
            condition = reduce(and_, conditions) if conditions else None
            first = -(1 << 63) if self.start_time is None else self.start_time
            last = (1 << 63) - 1 if self.end_time is None else self.end_time
            options = {"tag_filter": condition, "batch_size": _ROWS}
            with reader.query_table(table.name, read, first, last, **options) as found:
                # Row by row, bytes would end at their first zero.
                while (batch := found.read_arrow_batch()) is not None:
                    columns = {table.time: _as(batch.column(time), schema.field(0).type)}
                    for name, kind in types.items():
                        columns[name] = (
                            _as(batch.column(name), kind)
                            if name in fields
                            else pa.nulls(len(batch), kind)
                        )
                    tables.append(pa.table(columns, schema))
        return pa.concat_tables(tables) if tables else schema.empty_table()


def _as(array: Any, kind: Any) -> Any:
    """Return values in a type as wide; times are numbers of the unit of the type."""
    import pyarrow as pa

    if pa.types.is_timestamp(kind):
        array = array.cast(pa.int64())
    return array.cast(kind, safe=False)


def _opened(path: str) -> Any:
    """Return a reader of a file.

    Raises:
        FileFormatError: It is no TsFile, or was cut: some versions of the library would crash.
        UnsupportedError: This process is forked from one with threads of the library.
    """
    tsfile = import_optional("tsfile", "TsFiles", "tsfile")
    if _importer.setdefault("pid", os.getpid()) != os.getpid():
        raise UnsupportedError(
            "tsfile waits for ever in a process that was forked after it was imported: start"
            " workers by spawn, as with DataLoader(multiprocessing_context='spawn')"
        )
    with open(path, "rb") as file:
        head = file.read(len(_MAGIC))
        file.seek(max(os.path.getsize(path) - len(_MAGIC), 0))
        if not head == file.read() == _MAGIC:
            raise FileFormatError(f"{path}: no TsFile, or cut: it begins or ends in other bytes")
    return tsfile.TsFileReader(path)


def _tables(reader: Any, path: str) -> dict[str, Any]:
    found = {name.lower(): one for name, one in reader.get_all_table_schemas().items()}
    if not found:
        raise FileFormatError(f"{path}: no table: TsFiles of the tree model are not read")
    return found


def _columns(reader: Any, path: str, table: str) -> tuple[list[str], dict[str, str], str]:
    """Return the tags, the fields with their types, and the column of times of a table."""
    tables = _tables(reader, path)
    if table not in tables:
        raise InvalidArgumentError(
            f"{path}: there is no table {table!r}; the tables are {list(tables)}"
        )
    tags, fields, time = [], {}, "time"
    for one in tables[table].get_columns():
        name, of = one.get_column_name(), one.get_category().name
        if of == "TAG":
            tags.append(name)
        elif of == "TIME":
            time = name
        else:
            fields[name] = _TYPES.get(one.get_data_type().name, "string")
    return tags, fields, time


def _ticks(name: str, value: Any, unit: str) -> int | None:
    """Return a time as a number of units since 1970, in UTC."""
    import pyarrow as pa

    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    try:
        time = dt.datetime.fromisoformat(value) if isinstance(value, str) else value
        if isinstance(time, dt.date) and not isinstance(time, dt.datetime):
            time = dt.datetime(time.year, time.month, time.day)
        if isinstance(time, dt.datetime) and time.tzinfo is not None:
            time = time.astimezone(dt.UTC).replace(tzinfo=None)
        result: int = pa.scalar(time, pa.timestamp(unit)).value
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise InvalidArgumentError(
            f"{name}= is a datetime, a text of ISO 8601 or a whole number, not {value!r}"
        ) from error
    return result
