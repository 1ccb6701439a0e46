"""Lines of JSON whose fields have no one type of Arrow: objects with other fields than others, numbers beside strings.

Such fields are stored as their JSON text, of type `Json`, as `datasets` stores them. What is mixed is found in the first 10 MB, as there.
These rows are read by Python rather than the core, and only for data that have such fields.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from rowstream import progress
from rowstream.arrow_writer import ArrowWriter, column, dumps, mixed_paths, with_json
from rowstream.exceptions import FileFormatError, SchemaError
from rowstream.features.raw import encoded_at, json_paths
from rowstream.features.types import Features

if TYPE_CHECKING:
    from collections.abc import Iterator

_HEAD = 10 << 20
Found = tuple[Features, list[list[Any]]]


def may_be_mixed(schema: dict[str, Any]) -> bool:
    """Whether a schema that was found has objects below the top, which may lack fields that others have."""
    kinds = json.dumps([field["data_type"] for field in schema["fields"]])
    return "Struct" in kinds or "Null" in kinds


def mixed(lines: Any) -> Found | None:
    """The features of lines with mixed fields, and where those are; `None` where there are none, or where lines are no objects."""
    rows, size = [], 0
    for row in lines:
        text = row["text"]
        if not text.strip():
            continue
        try:
            value = json.loads(text)
        except ValueError:
            return None
        if not isinstance(value, dict):
            return None
        rows.append(value)
        size += len(text)
        if size >= _HEAD:
            break
    paths = mixed_paths(rows, allow_root=False)
    if not paths:
        return None
    features = {}
    for name in dict.fromkeys(name for row in rows for name in row):
        inside = [path[1:] for path in paths if path[0] == name]
        values = [row.get(name) for row in rows]
        for path in inside:
            values = [_dumped(one, path) for one in values]
        features[name] = with_json(column(values)[1], [[*path] for path in inside])
    return Features(features), paths


def of_features(features: Features) -> Found | None:
    """The same for features that somebody gives; `None` where they have no `Json`."""
    paths = [[name, *path] for name, one in features.items() for path in json_paths(one)]
    return (features, paths) if paths else None


def _dumped(value: Any, path: list[Any]) -> Any:
    """A value with what is at a path as JSON text: strings too, so that `"3"` stays apart from `3`."""
    return encoded_at(value, path, dumps)


def _rows(lines: Any, found: Found) -> Iterator[dict[str, Any]]:
    features, paths = found
    for n, row in enumerate(lines):
        text = row["text"]
        if not text.strip():
            continue
        try:
            value = json.loads(text)
        except ValueError as error:
            raise FileFormatError(f"{_where(lines, n)}: not JSON: {error}") from None
        if not isinstance(value, dict):
            raise FileFormatError(f"{_where(lines, n)}: expected an object, found {type(value).__name__}")
        if more := [name for name in value if name not in features]:
            raise SchemaError(
                f"{_where(lines, n)}: field {more[0]!r} is not in the first 10 MB of the files; pass features= with all fields, "
                f"which are so far {list(features)}"
            )
        try:
            for path in paths:
                value = _dumped(value, path)
        except (TypeError, AttributeError) as error:
            raise SchemaError(
                f"{_where(lines, n)}: a value of another form than before ({error}); pass features= with Json() there"
            ) from None
        yield value


def _where(lines: Any, n: int) -> str:
    """The file and the line of a row, from 1."""
    found = next(iter(lines.with_source().skip(n)))
    return f"{found['__file__']}: line {found['__row__'] + 1}"


def write(path: str, lines: Any, found: Found, name: str, split: str) -> None:
    """Writes the rows of lines as an Arrow file.

    Raises:
        FileFormatError: a line is no JSON object.
        SchemaError: a line has a field that is not known, or a value that does not fit.
    """
    with ArrowWriter(path=path, features=found[0], fingerprint=name) as writer, progress.bar(None, f"Generating {split} split") as bar:
        try:
            for row in _rows(lines, found):
                writer.write({name: row.get(name) for name in found[0]})
                bar.update(1)
            writer.finalize()
        except (pa.ArrowException, TypeError) as error:
            raise SchemaError(
                f"a value is not of the type that the first 10 MB showed: {error}; pass features= with Json() there"
            ) from error


__all__ = ["Found", "may_be_mixed", "mixed", "of_features", "write"]
