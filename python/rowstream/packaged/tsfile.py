"""TsFile of Apache IoTDB, by tsfile: a row is a device with its series."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from rowstream.exceptions import InvalidArgumentError
from rowstream.packaged.base import Reader, Source, needed


@dataclass
class TsFile(Reader):
    """The reader of TsFiles in the table model: a row is a device, its columns lists over time.

    Attributes:
        table_name: The name of the table; the first of the file if `None`.
        start_time: The first time, in the file's unit.
        end_time: The last time, in the file's unit.
    """

    name: ClassVar[str] = "tsfile"
    table_name: str | None = None
    start_time: int | None = None
    end_time: int | None = None

    def rows(self, unit: Source) -> Iterator[dict[str, Any]]:
        tsfile = needed("tsfile", "TsFiles", "tsfile")
        path = unit.local("TsFile")
        with tsfile.TsFileReader(path) as reader:
            tables = reader.get_all_table_schemas()
            name = (self.table_name or next(iter(tables), "")).lower()
            if name not in tables:
                raise InvalidArgumentError(
                    f"{path}: there is no table {name!r}; the tables are {list(tables)}"
                )
            columns = tables[name].get_columns()
            tags = [one.get_column_name() for one in columns if one.get_category().name == "TAG"]
            fields = [
                one.get_column_name()
                for one in columns
                if one.get_category().name == "FIELD"
                and (self.columns is None or one.get_column_name() in self.columns)
            ]
            devices: dict[tuple[Any, ...], dict[str, list[Any]]] = {}
            first = -(1 << 63) if self.start_time is None else self.start_time
            last = (1 << 63) - 1 if self.end_time is None else self.end_time
            with reader.query_table(name, [*tags, *fields], first, last) as found:
                while found.next():
                    key = tuple(_value(found, tag) for tag in tags)
                    series = devices.setdefault(key, {one: [] for one in ("time", *fields)})
                    series["time"].append(found.get_value_by_name("time"))
                    for one in fields:
                        series[one].append(_value(found, one))
        for key, series in devices.items():
            yield {**dict(zip(tags, key, strict=True)), **series}


def _value(found: Any, name: str) -> Any:
    return None if found.is_null_by_name(name) else found.get_value_by_name(name)
