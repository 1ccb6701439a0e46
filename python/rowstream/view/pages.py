"""What the viewer shows of a dataset: pages of rows, files of media, figures of columns."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode

from rowstream.dataset.iterable.dataset import IterableDataset
from rowstream.dataset.preview import not_decoded, referenced
from rowstream.exceptions import InvalidArgumentError
from rowstream.formatting.html import media_bytes, table_of, type_text
from rowstream.view.column_stats import figures_of
from rowstream.view.condition import condition

if TYPE_CHECKING:
    from collections.abc import Mapping
    from urllib.parse import SplitResult

_FIGURES = 100_000  # rows that figures are of, at most
_KEPT = 200  # rows whose media are kept for the page that shows them


def has_text(value: Any, wanted: str) -> bool:
    """Return whether a text of a value has another, whatever the case.

    Args:
        value: A row, or a part of it.
        wanted: The text, as `str.casefold` gives it.
    """
    if isinstance(value, str):
        return wanted in value.casefold()
    if isinstance(value, dict):
        return any(has_text(one, wanted) for one in value.values())
    return isinstance(value, (list, tuple)) and any(has_text(one, wanted) for one in value)


class Pages:
    """The rows of a dataset, by page.

    Args:
        splits: The streams, by the names of their splits.
    """

    def __init__(self, splits: Mapping[str, Any]) -> None:
        self._splits = {
            name: not_decoded(
                ds
                if isinstance(ds, IterableDataset)
                else ds.with_format(None).to_iterable_dataset()
            )
            for name, ds in splits.items()
        }
        self._lock = threading.Lock()
        self._shown: dict[tuple[str, str, str, int], Any] = {}
        self._counts: dict[tuple[str, str], int | None] = {
            (name, ""): len(ds)
            for name, ds in splits.items()
            if not isinstance(ds, IterableDataset)
        }

    def about(self) -> list[dict[str, Any]]:
        """Return the splits: names, numbers of rows where they are known, columns."""
        return [
            {
                "name": name,
                "rows": self._count(name, ""),
                "columns": {one: type_text(kind) for one, kind in (ds.features or {}).items()},
            }
            for name, ds in self._splits.items()
        ]

    def _count(self, split: str, where: str) -> int | None:
        key = (split, where)
        if key not in self._counts:
            self._counts[key] = None if where else self._splits[split]._known_count()
        return self._counts[key]

    def _rows(self, split: str, where: str, search: str) -> IterableDataset:
        if split not in self._splits:
            raise InvalidArgumentError(f"there is no split {split!r}, but {list(self._splits)}")
        ds: IterableDataset = self._splits[split]
        if where:
            ds = ds.filter(condition(where))
        if search:
            wanted = search.casefold()
            ds = ds.filter(lambda row: has_text(row, wanted))
        return ds

    def page(self, split: str, first: int, size: int, where: str, search: str) -> dict[str, Any]:
        """Return some rows, as HTML.

        Args:
            split: The split.
            first: The number of the first row among those that are wanted.
            size: How many, at most.
            where: A condition, or nothing.
            search: A text that rows have, or nothing.
        """
        ds = self._rows(split, where, search)
        rows = referenced(ds.skip(first).take(size + 1).to_list(), self._splits[split].features)
        more, rows = len(rows) > size, rows[:size]
        with self._lock:
            for i, row in enumerate(rows):
                self._shown[split, where, search, first + i] = row
            while len(self._shown) > _KEPT:
                del self._shown[next(iter(self._shown))]
        features = ds.features
        types = (
            {name: type_text(kind) for name, kind in features.items()}
            if features is not None
            else dict.fromkeys(dict.fromkeys(name for row in rows for name in row), "")
        )

        def place(i: int, column: str) -> str:
            asked = {"split": split, "row": first + i, "column": column}
            return "media?" + urlencode({**asked, "where": where, "search": search})

        numbers = range(first, first + len(rows))
        return {
            "html": table_of(rows, types, place, numbers),
            "rows": len(rows),
            "more": more,
            "total": None if search else self._count(split, where),
        }

    def media(self, split: str, row: int, column: str, where: str, search: str) -> bytes | None:
        """Return the content of a file of media of a row; `None` if there is none."""
        key = (split, where, search, row)
        with self._lock:
            found = self._shown.get(key)
        if found is None:
            rows = self._rows(split, where, search).skip(row).take(1)
            kinds = self._splits[split].features
            found = next(iter(referenced(rows.to_list(), kinds)), dict[str, Any]())
        return media_bytes(found.get(column))

    def figures(self, split: str, where: str, search: str) -> dict[str, Any]:
        """Return the figures of the columns of the first rows, as `ColumnStats` has them."""
        rows, columns = figures_of(self._rows(split, where, search).take(_FIGURES))
        return {"rows": rows, "columns": columns}


def asked(url: SplitResult) -> dict[str, str]:
    """Return what a URL asks for, by name."""
    return dict(parse_qsl(url.query, keep_blank_values=True))
