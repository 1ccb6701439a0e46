"""What the values of a column are like, in memory that does not grow with the rows."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from rowstream import _core

if TYPE_CHECKING:
    import numpy as np

_DISTINCT = 1_000_000
"""The most distinct values that are counted."""
_SAMPLE = 100_000  # values that a histogram is made of
_BINS = 20
_FEW = 10_000  # distinct texts of which the most frequent are known


class ColumnStats:
    """The figures of a column.

    Numbers, times and truth values are taken as they are; of texts, bytes and lists it is their
    length: characters, bytes, items.
    """

    def __init__(self) -> None:
        import numpy as np

        self.rows = self.nulls = 0
        self._hashes = np.empty(0, np.uint64)
        self._exact = True
        self._few: Counter[str] | None = Counter()
        self._sum, self._min, self._max, self._count = 0.0, None, None, 0
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

        self.rows += len(column)
        self.nulls += column.null_count
        there = column.drop_null()
        if not len(there):
            return
        self._count_distinct(there)
        kind = there.type
        if pa.types.is_string(kind) or pa.types.is_large_string(kind):
            self._most_of(there)
        numbers = self._numbers(there, kind, pa, pc)
        if numbers is not None and len(numbers):
            self._measure(numbers)

    def _numbers(self, there: Any, kind: Any, pa: Any, pc: Any) -> Any:
        """Return the numbers that say what values are like; `None` if there are none."""
        types = pa.types
        if types.is_string(kind) or types.is_large_string(kind):
            self._of = "characters"
            return pc.utf8_length(there).to_numpy()
        if types.is_binary(kind) or types.is_large_binary(kind):
            self._of = "bytes"
            return pc.binary_length(there).to_numpy()
        if types.is_list(kind) or types.is_large_list(kind) or types.is_map(kind):
            self._of = "items"
            return pc.list_value_length(there).to_numpy()
        if types.is_boolean(kind):
            return there.cast(pa.uint8()).to_numpy()
        if types.is_integer(kind) or types.is_floating(kind):
            return there.to_numpy()
        if types.is_decimal(kind):
            return there.cast(pa.float64()).to_numpy()
        return None

    def _measure(self, numbers: np.ndarray) -> None:
        import numpy as np

        if numbers.dtype.kind == "f":
            numbers = numbers[np.isfinite(numbers)]
            if not len(numbers):
                return
        least, most = numbers.min().item(), numbers.max().item()
        self._min = least if self._min is None else min(self._min, least)
        self._max = most if self._max is None else max(self._max, most)
        self._sum += float(numbers.sum(dtype=np.float64))
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

    def result(self) -> dict[str, Any]:
        """Return the figures.

        Returns:
            `nulls`; `distinct` values, and whether that is exact (`distinct_exact`) or a least;
            what the other figures are `of`, `"values"`, `"characters"`, `"bytes"` or `"items"`:
            `min`, `mean`, `max`, and a `histogram` of `counts` between `edges`, of at most 100,000
            values that were drawn from all; `most`, the texts that are there most often, where
            there are few.
        """
        import numpy as np

        found: dict[str, Any] = {
            "nulls": self.nulls,
            "distinct": len(self._hashes),
            "distinct_exact": self._exact,
            "of": self._of,
        }
        if self._count:
            counts, edges = np.histogram(self._sample, _BINS)
            found["histogram"] = {"counts": counts.tolist(), "edges": edges.tolist()}
            found |= {"min": self._min, "mean": self._sum / self._count, "max": self._max}
        if self._few and len(self._few) * 2 <= self.rows and len(self._few) <= 50:
            found["most"] = self._few.most_common(5)
        return found
