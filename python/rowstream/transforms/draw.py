"""Random samples of rows: uniform, by weights, and of streams whose length is not known."""

from __future__ import annotations

from typing import Any

import numpy as np

from rowstream.exceptions import InvalidArgumentError
from rowstream.transforms.split import seeded_generator


def checked_weights(weights: Any, size: int) -> Any:
    """Return weights as an array of floats.

    Raises:
        InvalidArgumentError: A weight is missing, below zero or no number, or their number is not
            that of the rows.
    """
    try:
        result = np.asarray(weights, dtype=np.float64)
    except (TypeError, ValueError) as e:
        raise InvalidArgumentError(f"sample: weights are numbers, one for each row: {e}") from e
    if result.shape != (size,):
        raise InvalidArgumentError(
            f"sample: weights has the shape {result.shape}, and there are {size} rows"
        )
    wrong = ~(np.isfinite(result) & (result >= 0))
    if wrong.any():
        row = int(wrong.argmax())
        raise InvalidArgumentError(
            f"sample: the weight of row {row} is {result[row]}; weights are 0 or more"
        )
    return result


def number_of_rows(n: int | None, fraction: float | None, size: int) -> int:
    """Return how many rows are to be drawn, of a number or a fraction of them.

    Raises:
        InvalidArgumentError: Neither is given, or both, or one that cannot be.
    """
    if (n is None) == (fraction is None):
        raise InvalidArgumentError("sample: give n, the number of rows, or fraction")
    if fraction is not None:
        if not isinstance(fraction, (int, float)) or not 0 <= fraction <= 1:
            raise InvalidArgumentError(f"sample: fraction={fraction!r} is not between 0 and 1")
        return round(size * fraction)
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 0:
        raise InvalidArgumentError(f"sample: n={n!r} is not a number of rows")
    return int(n)


def drawn(size: int, n: int, weights: Any, replacement: bool, generator: Any) -> Any:
    """Return the positions of a random sample, in the order in which they were drawn.

    Args:
        size: The number of rows.
        n: The number of rows to draw.
        weights: How likely each row is; all alike if `None`. Without replacement, the method of
            Efraimidis and Spirakis, Weighted random sampling with a reservoir (2006).
        replacement: Whether a row can be drawn more than once.
        generator: A `numpy.random.Generator`.

    Raises:
        InvalidArgumentError: There are not as many rows, or none with a weight.
    """
    if n == 0:
        return np.empty(0, np.int64)
    there = size if weights is None else int(np.count_nonzero(weights))
    if n > there and (not replacement or there == 0):
        raise InvalidArgumentError(
            f"sample: {n} rows of {there}"
            f"{'' if weights is None else ' with a weight above 0'}; draw fewer, or with"
            " replacement=True"
        )
    if weights is None:
        return generator.choice(size, n, replace=replacement)
    if replacement:
        sums = np.cumsum(weights / weights.max())
        positions = np.searchsorted(sums, generator.random(n) * sums[-1], side="right")
        return np.minimum(positions, np.flatnonzero(weights)[-1])
    keys = _keys(weights, generator)
    best = np.argpartition(-keys, n - 1)[:n]
    return best[np.argsort(-keys[best], kind="stable")]


def _keys(weights: Any, generator: Any) -> Any:
    """Return a random key for each weight: the rows with the largest are a sample.

    Logarithms of what Efraimidis and Spirakis have, so that no weight is too small.
    """
    with np.errstate(divide="ignore"):
        return np.log(weights) - np.log(generator.standard_exponential(len(weights)))


def seeded(seed: Any) -> Any:
    """Return a generator of random numbers, as `shuffle` and `train_test_split` have it.

    Raises:
        InvalidArgumentError: `seed` is no seed of `numpy.random.default_rng`.
    """
    try:
        return seeded_generator(seed)
    except (TypeError, ValueError) as e:
        raise InvalidArgumentError(f"seed={seed!r} is no seed, such as 0: {e}") from e


class Reservoir:
    """A random sample of rows that come one after another.

    Holds at most twice as many rows as are wanted, whatever comes.

    Args:
        n: The number of rows to draw.
        generator: A `numpy.random.Generator`; what is drawn does not depend on how rows are
            batched.
    """

    def __init__(self, n: int, generator: Any) -> None:
        self._n, self._generator, self._schema = n, generator, None
        self._parts: list[tuple[Any, Any]] = []
        self._held, self._least = 0, -np.inf

    def add(self, table: Any, weights: Any = None) -> None:
        """Take in the rows of an Arrow table, with their weights if they have any."""
        if not len(table) or not self._n:
            return
        weights = np.ones(len(table)) if weights is None else weights
        keys = np.where(weights > 0, _keys(weights, self._generator), -np.inf)
        rows = np.flatnonzero(keys > self._least)
        if not len(rows):
            return
        self._schema, table = table.schema, _without_views(table)
        self._parts.append((keys[rows], table.take(rows)))
        self._held += len(rows)
        if self._held >= 2 * self._n:
            self._prune()

    def _prune(self) -> None:
        import pyarrow as pa

        keys = np.concatenate([keys for keys, _ in self._parts])
        table = pa.concat_tables(table for _, table in self._parts)
        if len(keys) > self._n:
            best = np.sort(np.argpartition(-keys, self._n - 1)[: self._n])
            keys, table = keys[best], table.take(best)
            self._least = keys.min()
        # What is left of a table keeps all of it in memory, until it is copied.
        self._parts, self._held = [(keys, table.combine_chunks())], len(keys)

    def result(self) -> Any:
        """Return the sample as an Arrow table, in the order of the stream; `None` without rows."""
        if not self._parts:
            return None
        self._prune()
        return self._parts[0][1].cast(self._schema)


def _without_views(table: Any) -> Any:
    """Return a table with its strings and bytes as such: rows of views cannot be taken."""
    import pyarrow as pa

    plain = {pa.string_view(): pa.large_string(), pa.binary_view(): pa.large_binary()}
    fields = [field.with_type(plain.get(field.type, field.type)) for field in table.schema]
    return table.cast(pa.schema(fields, table.schema.metadata))
