"""Types, target and task of a CSV file, from its values."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from rowstream.exceptions import InvalidArgumentError
from rowstream.load import load_dataset

if TYPE_CHECKING:
    from pathlib import Path

_TARGETS = ("target", "label", "labels", "class", "y")
_QUERIES = ("query_id", "queryid", "qid")
_CLASSES = ("binary_classification", "multiclass_classification", "multilabel_classification")
# Whole numbers of more values than these are no classes.
_MOST_CLASSES = 20
# Texts of more words than these, in the mean, are no categories.
_WORDS = 4


def read_csv(path: Path, **options: Any) -> pa.Table:
    """Return a CSV file as a table.

    Args:
        path: The file.
        **options: As `load_dataset("csv")` has them, such as `sep` and `encoding`.

    Raises:
        InvalidArgumentError: There is no such file, or its columns are not separated by `sep`.
    """
    if not path.is_file():
        raise InvalidArgumentError(f"there is no file {path}")
    stream = load_dataset("csv", data_files=str(path), split="train", streaming=True, **options)
    tables = [*stream.with_format("arrow").iter(10_000)]
    names = stream.column_names or []
    if len(names) == 1 and (found := next((s for s in ";\t|" if s in names[0]), None)):
        raise InvalidArgumentError(
            f"{path} has the one column {names[0]!r}: give sep={found!r}, if that separates columns"
        )
    if tables:
        return pa.concat_tables(tables).combine_chunks()
    schema: pa.Schema = stream.features.arrow_schema if stream.features else pa.schema([])
    return schema.empty_table()


def inferred(
    path: Path, targets: Sequence[str] | None, task: str | None, **options: Any
) -> dict[str, Any]:
    """Return the fields of a `DatasetSpec`, with `folder` and `task`."""
    train_file = path / "train.csv" if path.is_dir() else path
    train = read_csv(train_file, **options)
    if not train.num_columns or not len(train):
        raise InvalidArgumentError(f"{train_file} has no rows to infer a specification from")
    test_file = train_file.with_name("test.csv")
    beside = train_file.name == "train.csv" and test_file.is_file() and test_file.stat().st_size
    test = read_csv(test_file, **options) if beside else None
    targets = _targets(train, test, targets, train_file)
    id_column = next((name for name in train.column_names if _is_id(train, name, targets)), None)
    features = [name for name in train.column_names if name not in (*targets, id_column)]
    kinds: dict[str, list[str]] = {"text": [], "categorical": [], "numerical": []}
    for name in features:
        kinds[_kind(train.column(name))].append(name)
    found, classes = _task(train, test, targets, features)
    task = task or found
    return {
        "folder": train_file.parent,
        "task": task,
        "num_samples": len(train),
        "num_features": len(features),
        "target_column": targets[0],
        "target_columns": targets,
        "id_column": id_column,
        **{f"{kind}_columns": names for kind, names in kinds.items()},
        "class_names": classes if task in _CLASSES else [],
    }


def _targets(
    train: pa.Table, test: pa.Table | None, given: Sequence[str] | None, file: Path
) -> list[str]:
    names = train.column_names
    if given is not None:
        given = [*dict.fromkeys(given)]
        if not given:
            raise InvalidArgumentError("target_column= names no column")
        if missing := [name for name in given if name not in names]:
            raise InvalidArgumentError(f"{file} has no column {missing}; it has {names}")
        return given
    if test is not None:
        found = [name for name in names if name not in test.column_names]
        if not found:
            raise InvalidArgumentError(
                f"{file} has no column that test.csv beside it has not: say target_column="
            )
        return found
    usual = next((name for name in names if name.lower() in _TARGETS), None)
    return [usual or names[-1]]


def _is_id(table: pa.Table, name: str, targets: list[str]) -> bool:
    """Return whether a column tells rows apart: by its name, and since all values differ."""
    named = re.search(r"(?i:(?:^|[_\W])id$)|[a-z]I[dD]$", name)
    column = table.column(name)
    if name in targets or not named or pa.types.is_floating(column.type):
        return False
    return column.null_count == 0 and bool(pc.count_distinct(column).as_py() == len(column))


def _is_text(kind: pa.DataType) -> bool:
    return any(
        is_(kind) for is_ in (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
    )


def _kind(column: pa.ChunkedArray) -> str:
    """Return whether a column has texts, categories or numbers."""
    if not _is_text(column.type):
        number = pa.types.is_integer(column.type) or pa.types.is_floating(column.type)
        return "numerical" if number else "categorical"
    words = pc.mean(pc.add(pc.count_substring(column.cast(pa.large_string()), " "), 1)).as_py()
    return "text" if words is not None and words > _WORDS else "categorical"


def _task(
    train: pa.Table, test: pa.Table | None, targets: list[str], features: list[str]
) -> tuple[str, list[str]]:
    """Return the task and the classes."""
    columns = [train.column(name) for name in targets]
    values = [
        [*filter(lambda v: v is not None, pc.unique(column).to_pylist())] for column in columns
    ]
    if len(targets) > 1:
        if all(len(of) <= 2 for of in values):
            return "multilabel_classification", targets
        number = all(pa.types.is_integer(c.type) or pa.types.is_floating(c.type) for c in columns)
        return ("regression" if number else "other"), []
    column, found = columns[0], values[0]
    if any(name.lower() in _QUERIES for name in features) and pa.types.is_integer(column.type):
        return "ranking", []
    if len(found) == 2:
        return "binary_classification", [*map(str, sorted(found))]
    whole = pa.types.is_integer(column.type)
    if whole or pa.types.is_floating(column.type):
        if _later(train, test, features):
            return "time_series", []
        if whole and len(found) <= _MOST_CLASSES and len(found) * 2 <= len(column):
            return "multiclass_classification", [*map(str, sorted(found))]
        return "regression", []
    return "multiclass_classification", [*map(str, sorted(found))]


def _later(train: pa.Table, test: pa.Table | None, features: list[str]) -> bool:
    """Return whether a date of the test rows is later than all of the training rows."""
    if test is None or not len(test):
        return False
    for name in features:
        both = [_dates(table.column(name)) for table in (train, test) if name in table.column_names]
        if (
            len(both) == 2
            and None not in both
            and pc.min(both[1]).as_py() > pc.max(both[0]).as_py()
        ):
            return True
    return False


def _dates(column: pa.ChunkedArray) -> Any:
    """Return dates as such, of texts too; `None` if a column has none."""
    if pa.types.is_temporal(column.type):
        return column.cast(pa.timestamp("us"))
    if not _is_text(column.type) or column.null_count == len(column):
        return None
    for kind in (pa.timestamp("us"), pa.timestamp("us", "UTC")):
        try:
            return column.cast(pa.string()).cast(kind).cast(pa.timestamp("us"))
        except pa.ArrowInvalid:
            continue
    return None
