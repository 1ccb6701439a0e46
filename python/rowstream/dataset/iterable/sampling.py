"""Random samples of streams."""

from __future__ import annotations

from typing import Any

from rowstream.dataset.iterable.files import StreamFiles
from rowstream.exceptions import InvalidArgumentError
from rowstream.info import DatasetInfo


class StreamSampling(StreamFiles):
    """The method that draws rows of a stream at random."""

    def sample(self, n: int, *, weights: str | None = None, seed: int | None = None) -> Any:
        """Read the stream once and return rows of it drawn at random, each as likely as the others.

        At most twice as many rows are in memory as are drawn (reservoir sampling).

        Args:
            n: The number of rows; all of them where the stream has fewer.
            weights: A column of how likely each row is, with numbers of 0 or more; all rows are
                alike if `None`.
            seed: The seed of `numpy.random.default_rng`; without one, each call draws other rows.

        Returns:
            A `Dataset`, in the order of the stream.

        Raises:
            InvalidArgumentError: `n` is no number of rows, or a weight is missing or below zero.

        Example:
            >>> ds = Dataset.from_dict({"a": list(range(1000))}).to_iterable_dataset()
            >>> ds.sample(3, seed=0).num_rows
            3
        """
        from rowstream.table.table import Table
        from rowstream.transforms import draw

        if n is None:
            raise InvalidArgumentError("sample: n is the number of rows to draw of a stream")
        number = draw.number_of_rows(n, None, 0)
        if weights is not None and self.column_names and weights not in self.column_names:
            raise InvalidArgumentError(
                f"there is no column {weights!r}; the columns are {self.column_names}"
            )
        reservoir = draw.Reservoir(number, draw.seeded(seed))
        for table in self._tables(1000):
            if weights is not None and weights not in table.column_names:
                raise InvalidArgumentError(
                    f"there is no column {weights!r}; the columns are {table.column_names}"
                )
            given = None if weights is None else table.column(weights).to_numpy()
            reservoir.add(table, None if given is None else draw.checked_weights(given, len(table)))
        table = reservoir.result()
        if table is None:
            table = next(self._tables(1000), None)
            table = self._table(None) if table is None else table.slice(0, 0)
        info = DatasetInfo(features=self.features)
        return self._map_style_class()(Table(table), info=info, split=self.split)
