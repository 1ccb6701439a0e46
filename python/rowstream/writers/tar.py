"""Samples as members of tar archives, in the convention of WebDataset.

An archive has the same bytes whoever writes it and when: members have no times, users or groups.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from rowstream.exceptions import InvalidArgumentError
from rowstream.features.features import Features
from rowstream.features.json_paths import json_paths
from rowstream.tar_index.model import left_behind
from rowstream.writers.exports import ExportedRows, dict_of, embedded, media_of
from rowstream.writers.parts import Part, write_parts
from rowstream.writers.shards import Output
from rowstream.writers.sinks import TextSink
from rowstream.writers.tar_members import BLOCK, LARGEST, LONGEST_NAME, ZEROS, header, member
from rowstream.writers.tar_values import JSON, encoded, number_of, read_again
from rowstream.writers.target import compressed

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    import pyarrow as pa

KEY, URL = "__key__", "__url__"
_ODD = "surrogateescape"


def sample_members(
    key: str,
    fields: Mapping[str, Any],
    encoders: Mapping[str, Callable[[Any], bytes]] | None = None,
) -> tuple[list[Any], int]:
    """Return the parts of a sample, a member for each field that is not `None`, and their bytes.

    Args:
        key: The key of the sample, which is in the name of each member.
        fields: Values by what stands behind the key, such as `jpg` and `json`; what stands at
            `__key__` and `__url__` is none.
        encoders: Functions that make bytes of a value, by the ending of the field.

    Raises:
        InvalidArgumentError: The key or a value cannot be written so that it is read again.
    """
    check_key(key)
    parts: list[Any] = []
    written: set[str] = set()
    total = 0
    for name, value in fields.items():
        if value is not None and name != KEY and name != URL:
            field, ending = _ending(name)
            if type(value) is bytes and not encoders and field not in written and _is_field(name):
                named, size = f"{key}.{field}", len(value)
                path = named.encode() if named.isascii() else named.encode("utf-8", _ODD)
                if len(path) <= LONGEST_NAME and size <= LARGEST:
                    # As most are.
                    written.add(field)
                    parts += (header(path, size), value)
                    total += BLOCK + size
                    if rest := -size % BLOCK:
                        parts.append(ZEROS[:rest])
                        total += rest
                    continue
            encoder = (encoders or {}).get(ending)
            named, content = field_content(key, name, field, ending, value, encoder)
            if named in written:
                raise _twice(named, key)
            written.add(named)
            some = member(f"{key}.{named}", content)
            parts += some
            total += sum(map(len, some))
    if not parts:
        raise _empty(key)
    return parts, total


def field_content(
    key: str,
    name: str,
    field: str,
    ending: str,
    value: Any,
    encoder: Callable[[Any], bytes] | None = None,
    kind: Any = None,
) -> tuple[str, Any]:
    """Return what the member of a field is called behind the key, and its content.

    Args:
        key, name, field, ending, value: As of `sample_members`, and what `_ending` returns.
        encoder: A function that makes bytes of the value.
        kind: The NumPy type of the numbers of an array, if it is known.

    Raises:
        InvalidArgumentError: It cannot be written.
    """
    if not _is_field(name):
        raise InvalidArgumentError(
            f"the field {name!r} of the sample {key!r} cannot be written: a field is the end of a"
            " member's name, without a slash"
        )
    try:
        if encoder is None:
            return encoded(field, ending, value, kind)
        content: Any = encoder(value)
    except (TypeError, ValueError) as e:
        raise InvalidArgumentError(
            f"the field {name!r} of the sample {key!r} cannot be written: {e}"
        ) from e
    if isinstance(content, (bytes, bytearray, memoryview)):
        return field, content
    raise InvalidArgumentError(
        f"the field {name!r} of the sample {key!r}: its encoder returned {type(content).__name__},"
        " not bytes"
    )


def _twice(named: str, key: str) -> InvalidArgumentError:
    return InvalidArgumentError(
        f"two fields of the sample {key!r} would be its member {named!r}: rename one of them"
    )


def _empty(key: str) -> InvalidArgumentError:
    return InvalidArgumentError(
        f"the sample {key!r} has no value but None, and a sample is its members: leave it out"
    )


@lru_cache(1024)
def _is_field(name: str) -> bool:
    """Return whether a name can be that of a field."""
    return not ("/" in name or "\0" in name or not name or name in (KEY, URL))


@lru_cache(1024)
def _ending(name: str, is_json: bool = False) -> tuple[str, str]:
    """Return what a field is called in an archive, and the ending that says what it is."""
    ending = name.rsplit(".", 1)[-1].lower()
    return (f"{name}.json", "json") if is_json and ending not in JSON else (name, ending)


def check_key(key: Any) -> None:
    """Raise an `InvalidArgumentError` for a key that readers would not find again."""
    if isinstance(key, str) and ((key.isascii() and key.isalnum()) or _PLAIN_KEY(key)):
        return
    base = key.rsplit("/", 1)[-1] if isinstance(key, str) else ""
    try:
        # Halves of characters, which no reader takes, are none of UTF-8.
        odd = not base or "\0" in key or left_behind(key) or not key.encode()
    except UnicodeEncodeError:
        odd = True
    if odd or "." in base or ("/" in key and _LEADS_AWAY.search(key)):
        raise InvalidArgumentError(
            f"{key!r} is no key of a sample: it is a str, a name within folders or not, without a"
            " dot, at which readers end it, and not hidden"
        )


# Most keys: names of letters and digits, of which nothing more is to be asked.
_PLAIN_KEY = re.compile(r"(?:[a-z0-9][\w-]*/)*[a-z0-9][\w-]*", re.ASCII | re.IGNORECASE).fullmatch
_LEADS_AWAY = re.compile(r"(?:^|/)(?:\.{0,2})(?:/|$)")


def write_webdataset(
    rows: ExportedRows,
    output: Output,
    target: Any,
    compression: str | None,
    batch_size: int | None,
    threads: int | None = None,
    first: str = "000000000",
) -> int:
    """Write rows as samples of tar archives. Return the bytes written, before compression.

    Args:
        rows: What is written. The column `__key__` has the keys of samples; without it they are
            the numbers of the rows.
        output: Where.
        target: The path or file, whose name says how it is compressed.
        compression: As `compressed` has it.
        batch_size: Rows that are written at once.
        threads: Threads that make members of rows.
        first: The key of the first sample, if they have none; it ends with its number.
    """
    packed = compressed(target, compression)
    media = media_of(rows.features)
    texts = {name for name, *path in json_paths(rows.features) if not path}
    parts = output.pieces(
        _keyed(
            (embedded(table, media) for table in rows.tables(batch_size)),
            first,
            several=output.several,
        ),
        next(_keyed(iter([rows.empty]), first)),
        rows.count,
        lambda table: _members(table, rows.features, texts),
        len,
        2 * BLOCK,
        threads,
    )
    return output.write(parts, lambda file: TarSink(file, packed=packed), ".tar", rows.name)


@dataclass(frozen=True)
class TarPart:
    """What writes the rows of one of several archives.

    Attributes:
        name: The path, whose ending says how it is compressed.
        compression, batch_size, first: As in `write_webdataset`.
    """

    name: str
    compression: str | None
    batch_size: int | None
    first: str

    def __call__(self, rows: ExportedRows, file: Any) -> int:
        """Write rows into a binary file, and return the bytes written."""
        return self.write(rows, Output(file, None, None, None))

    def write(self, rows: ExportedRows, output: Output) -> int:
        """Write rows, and return the bytes written."""
        return write_webdataset(
            rows, output, self.name, self.compression, self.batch_size, first=self.first
        )


def write_archives(
    output: Output,
    opened: Sequence[tuple[Callable[[], AbstractContextManager[ExportedRows]], str]],
    said: Any,
    target: Any,
    compression: str | None,
    batch_size: int | None,
    name: str,
    num_proc: int | None,
) -> int:
    """Write rows as several archives, by several processes. What an earlier run of the same rows
    finished before it was killed is not written again.

    Args:
        output: Where.
        opened: For each archive, what opens its rows, and the key of the first of them, as in
            `write_webdataset`.
        said: What the rows depend on, to be hashed.
        target, compression, batch_size: As in `write_webdataset`.
        name: What the archives are called in a folder.
        num_proc: The number of processes.

    Returns:
        The bytes written, before compression.
    """
    path = os.fspath(target)
    compressed(path, compression)
    parts = [Part(rows, TarPart(path, compression, batch_size, first)) for rows, first in opened]
    said = ["tar@1", said, compression, path.rpartition(".")[2]]
    return write_parts(output, parts, said, ".tar", name, num_proc, "to_webdataset")


def _keyed(tables: Iterator[pa.Table], first: str, *, several: bool = False) -> Iterator[pa.Table]:
    """Yield tables with keys: those that they have, or the numbers of their rows.

    Args:
        tables: The tables.
        first: The key of the first row, if they have none.
        several: Whether they become several archives, each with keys of its own.
    """
    import pyarrow as pa

    front, number = first[:-9], int(first[-9:])
    seen: set[int] = set()
    last = None
    for table in tables:
        if KEY in table.column_names:
            for key in table.column(KEY).to_pylist():
                if key == last or hash(key) in seen:
                    raise _same_key(key)
                last = key
                if not several:
                    seen.add(hash(key))
        else:
            keys = [f"{front}{i:09d}" for i in range(number, number + len(table))]
            table = table.append_column(KEY, pa.array(keys, pa.string()))
        number += len(table)
        yield table


def _same_key(key: Any) -> InvalidArgumentError:
    """Return the error for the key of an earlier sample, which readers would not tell apart."""
    return InvalidArgumentError(
        f"two samples of an archive have the key {key!r}: each has its own. Without the column"
        f" {KEY!r}, by remove_columns({KEY!r}), samples are numbered"
    )


def _members(table: pa.Table, features: Features | None, texts: set[str]) -> bytes:
    """Return rows as the members of their samples.

    Args:
        table: The rows, with a column of keys.
        features: The types of the columns, where they are known.
        texts: Columns whose values are JSON already.
    """
    keys = table.column(KEY).to_pylist()
    names = [name for name in table.column_names if name not in (KEY, URL)]
    known = None if features is None else Features({n: features[n] for n in names})
    columns = dict_of(table.select(names), known)
    for name in texts.intersection(names):
        columns[name] = table.column(name).cast("binary").to_pylist()
    fields = []
    for name in names:
        of = table.schema.field(name)
        field, ending = _ending(read_again(of), name in texts)
        kind = number_of(of.type) if ending == "npy" else None
        fields.append((name, field, ending, kind, columns[name]))
    alike = any(other.startswith(f"{name}.") for name in names for other in names)
    parts: list[Any] = []
    for i, key in enumerate(keys):
        check_key(key)
        before = len(parts)
        written: set[str] = set()
        for name, field, ending, kind, values in fields:
            if values[i] is not None:
                named, content = field_content(key, name, field, ending, values[i], kind=kind)
                if alike and named in written:
                    raise _twice(named, key)
                written.add(named)
                parts.extend(member(f"{key}.{named}", content))
        if len(parts) == before:
            raise _empty(key)
    return b"".join(parts)


class TarSink(TextSink):
    """An archive under way.

    Args:
        file: Where it is written.
        packed: What compresses its content, if it is compressed.
    """

    def close(self) -> None:
        """Write the end of the archive."""
        self.write(bytes(2 * BLOCK))
        super().close()
