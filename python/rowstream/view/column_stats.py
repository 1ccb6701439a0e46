"""What the values of a column are like, in memory that does not grow with the rows."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Any

from rowstream import _core

if TYPE_CHECKING:
    import numpy as np

_DISTINCT = 1_000_000
"""The most distinct values that are counted."""
_SAMPLE = 100_000  # values that a histogram is made of
_BINS = 20
_READ = 10_000  # rows that are read at once
_SHIFT = 64  # bits by which numbers are made smaller, so that their sum is a float
_PLAIN = {"string_view": "large_string", "binary_view": "large_binary"}
_FEW = 10_000  # distinct texts of which the most frequent are known


class ColumnStats:
    """The figures of a column.

    Numbers, times and truth values are taken as they are; of texts, bytes and lists it is their
    length: characters, bytes, items.
    """

    def __init__(self) -> None:
        import numpy as np

        self.rows = self.nulls = self.not_finite = 0
        self._hashes = np.empty(0, np.uint64)
        self._exact = True
        self._few: Counter[str] | None = Counter()
        self._sum: float = 0
        self._small_sum = 0.0  # where the sum is larger than floats are
        self._min: Any = None
        self._max: Any = None
        self._count = 0
        self._of = "values"
        self._sample, self._drawn = np.empty(0), np.empty(0)
        self._rng = np.random.default_rng(0)

    def add(self, column: Any) -> None:
        """Take in values.

        Args:
            column: A `pyarrow.ChunkedArray`.
        """
        import pyarrow as pa
        import pyarrow.compute as pc

        if (plain := _PLAIN.get(str(column.type))) is not None:
            column = column.cast(plain)
        self.rows += len(column)
        self.nulls += column.null_count
        there = column.drop_null()
        if not len(there):
            return
        kind = there.type
        if pa.types.is_floating(kind):
            # Of zeros there is one.
            there = pc.add(there.cast(pa.float64()), 0.0)
        self._count_distinct(there)
        if pa.types.is_string(kind) or pa.types.is_large_string(kind):
            self._most_of(there)
        numbers = self._numbers(there, kind, pa, pc)
        if numbers is not None and len(numbers):
            self._measure(numbers)

    def _numbers(self, there: Any, kind: Any, pa: Any, pc: Any) -> Any:
        """Return the numbers that say what values are like; `None` if there are none."""
        import numpy as np

        types = pa.types
        if types.is_string(kind) or types.is_large_string(kind):
            self._of = "characters"
            return pc.utf8_length(there).to_numpy()
        if types.is_binary(kind) or types.is_large_binary(kind):
            self._of = "bytes"
            return pc.binary_length(there).to_numpy()
        if types.is_map(kind):
            self._of = "items"
            return np.concatenate([np.diff(one.offsets.to_numpy()) for one in there.chunks])
        if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
            self._of = "items"
            return pc.list_value_length(there).to_numpy()
        if types.is_boolean(kind):
            return there.cast(pa.uint8()).to_numpy()
        if types.is_integer(kind) or types.is_floating(kind):
            return there.to_numpy()
        if types.is_decimal(kind):
            return there.cast(pa.float64()).to_numpy()
        if types.is_timestamp(kind) or types.is_date(kind):
            self._of = "times"
            if types.is_date(kind):
                there, kind = there.cast(pa.timestamp("s")), pa.timestamp("s")
            return _microseconds(there.cast(pa.int64()).to_numpy(), kind.unit)
        return None

    def _measure(self, numbers: np.ndarray) -> None:
        import numpy as np

        if numbers.dtype.kind == "f":
            finite = np.isfinite(numbers)
            self.not_finite += int(len(numbers) - finite.sum())
            numbers = numbers[finite]
            if not len(numbers):
                return
        least, most = numbers.min().item(), numbers.max().item()
        self._min = least if self._min is None else min(self._min, least)
        self._max = most if self._max is None else max(self._max, most)
        # Integers are added exactly.
        exact = numbers.dtype.kind in "iub"
        with np.errstate(over="ignore"):
            self._sum += _exact_sum(numbers) if exact else float(numbers.sum(dtype=np.float64))
        if not exact:
            self._small_sum += float(np.ldexp(numbers, -_SHIFT).sum(dtype=np.float64))
        self._count += len(numbers)
        # Those of the smallest random numbers: each value is as likely to be kept.
        drawn = np.concatenate([self._drawn, self._rng.random(len(numbers))])
        sample = np.concatenate([self._sample, numbers.astype(np.float64)])
        if len(drawn) > _SAMPLE:
            kept = np.argpartition(drawn, _SAMPLE)[:_SAMPLE]
            drawn, sample = drawn[kept], sample[kept]
        self._drawn, self._sample = drawn, sample

    def _count_distinct(self, there: Any) -> None:
        import numpy as np
        import pyarrow as pa

        if not self._exact:
            return
        hashes = np.frombuffer(_core.Table(pa.table({"v": there})).hashes(), np.uint64)[::2]
        self._hashes = np.union1d(self._hashes, hashes)
        if len(self._hashes) > _DISTINCT:
            self._exact = False
            self._hashes = self._hashes[:_DISTINCT]

    def _most_of(self, there: Any) -> None:
        if self._few is None:
            return
        for one in there.value_counts().to_pylist():
            self._few[one["values"]] += one["counts"]
        if len(self._few) > _FEW:
            self._few = None

    def _mean(self) -> float:
        if abs(self._sum) != math.inf:
            return self._sum / self._count
        return math.ldexp(self._small_sum / self._count, _SHIFT)

    def result(self) -> dict[str, Any]:
        """Return the figures.

        Returns:
            `nulls`; `not_finite`, NaN and infinities, where there are any; `distinct` values, and
            whether that is exact (`distinct_exact`) or a least; what the other figures are `of`,
            `"values"`, `"characters"`, `"bytes"`, `"items"` or `"times"` (ISO 8601): `min`, `mean`,
            `max`, and a `histogram` of `counts` between `edges`, of at most 100,000 values that
            were drawn from all; `most`, the texts that are there most often, where there are few.
        """
        found: dict[str, Any] = {
            "nulls": self.nulls,
            "distinct": len(self._hashes),
            "distinct_exact": self._exact,
            "of": self._of,
        }
        if self.not_finite:
            found["not_finite"] = self.not_finite
        if self._count:
            counts, ends = _histogram(self._sample)
            edges: list[Any] = list(ends)
            figures: dict[str, Any] = {
                "min": self._min,
                "mean": self._mean(),
                "max": self._max,
            }
            if self._of == "times":
                figures = {name: _time(value) for name, value in figures.items()}
                edges = [_time(edge) for edge in edges]
            found["histogram"] = {"counts": counts, "edges": edges}
            found |= figures
        if self._few and len(self._few) * 2 <= self.rows and len(self._few) <= 50:
            found["most"] = self._few.most_common(5)
        return found


def figures_of(ds: Any) -> tuple[int, dict[str, dict[str, Any]]]:
    """Return the number of rows of a stream, and the figures of its columns by name.

    Args:
        ds: The stream.
    """
    columns = {name: ColumnStats() for name in ds.column_names or []}
    rows = 0
    for table in ds.with_format("arrow").iter(_READ):
        rows += len(table)
        for name in table.column_names:
            columns.setdefault(name, ColumnStats()).add(table.column(name))
    return rows, {name: one.result() for name, one in columns.items()}


def _microseconds(values: np.ndarray, unit: str) -> np.ndarray:
    """Return times of a unit in microseconds: as floats, where integers do not hold them."""
    if unit == "ns":
        return values // 1000
    factor = {"s": 1_000_000, "ms": 1000, "us": 1}[unit]
    most = (1 << 63) // factor - 1
    large = factor > 1 and len(values) and bool((abs(values.astype(float)) > most).any())
    return values.astype(float) * factor if large else values * factor


def _exact_sum(numbers: np.ndarray) -> int:
    """Return the sum of integers, which may have more bits than they have."""
    import numpy as np

    wide = numbers.astype(np.uint64 if numbers.dtype.kind == "u" else np.int64)
    return (int((wide >> 32).sum()) << 32) + int((wide & 0xFFFFFFFF).sum())


def _histogram(values: np.ndarray) -> tuple[list[int], list[float]]:
    """Return how many values are in each part of their range, and where the parts end.

    The range may be wider than a float can say, and narrower than the values differ by.
    """
    import numpy as np

    least, most = float(values.min()), float(values.max())
    half = most / 2 - least / 2
    shares = (values / 2 - least / 2) / half if half else np.zeros(len(values))
    counts = np.bincount(np.clip((shares * _BINS).astype(int), 0, _BINS - 1), minlength=_BINS)
    edges = [min(most, max(least, least + half * (2 * i / _BINS))) for i in range(_BINS + 1)]
    return counts.tolist(), edges


def _time(microseconds: float) -> str:
    import datetime as dt

    try:
        moment = dt.datetime(1970, 1, 1) + dt.timedelta(microseconds=int(microseconds))
    except OverflowError:
        return f"{microseconds / 1e6:.0f} s after 1970"
    return moment.isoformat()
