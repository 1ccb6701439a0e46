"""Streams ordered and filled up by the lengths of their sequences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

from rowstream.dataset.iterable.base import StreamBase
from rowstream.exceptions import InvalidArgumentError, UnsupportedError
from rowstream.features.features import Features
from rowstream.features.nested import List
from rowstream.features.scalar import Value
from rowstream.ops.lengths import Bucket, Pad
from rowstream.plan.transforms import names
from rowstream.utils.arguments import check_number


class StreamLengths(StreamBase):
    """The methods of streams that go by the lengths of sequences."""

    def bucket_by_length(
        self,
        batch_size: int,
        column: str = "input_ids",
        *,
        buffer_size: int = 1000,
        seed: int = 0,
    ) -> Self:
        """Put rows of like lengths beside each other, so that little of a batch is padding.

        The rows of a buffer are sorted by length and cut into batches, which come in an order of
        their own in each epoch. No row is left out, and a state is exact after each of them.

        Args:
            batch_size: The number of rows that `iter` or a `DataLoader` take at once.
            column: The column whose lengths count.
            buffer_size: The number of rows that are sorted together, rounded up to whole batches.
            seed: The seed of the order of the batches.

        Returns:
            A new stream.

        Raises:
            InvalidArgumentError: There is no such column, or a number is not positive.
            UnsupportedError: The rows are in batches already.

        Example:
            >>> ds = Dataset.from_dict({"input_ids": [[1], [1, 2, 3], [2], [4, 5, 6]]})
            >>> stream = ds.to_iterable_dataset().bucket_by_length(2)
            >>> sorted([len(ids) for ids in batch["input_ids"]] for batch in stream.iter(2))
            [[1, 1], [3, 3]]
        """
        size = check_number("batch_size", batch_size, least=1)
        window = -(-check_number("buffer_size", buffer_size, least=1) // size) * size
        self._check("bucket_by_length", [column])
        step = Bucket(column, size, window, check_number("seed", seed))
        return self._with(self._plan.then(step), _known=self.features)

    def pad(
        self,
        multiple: int,
        columns: str | Sequence[str] = "input_ids",
        *,
        values: Mapping[str, Any] | None = None,
        mask: str | None = "attention_mask",
    ) -> Self:
        """Fill up the sequences of each row to a multiple of a length.

        Args:
            multiple: The multiple.
            columns: The columns, of equal lengths in each row.
            values: What fills up each column: 0 if not given, and -100 for names that end in
                `labels`.
            mask: The name of a column that says what is there, with 1, and what was filled up, with
                0; none if `None`.

        Returns:
            A new stream.

        Raises:
            InvalidArgumentError: There is no such column, or `multiple` is not positive.
            UnsupportedError: The rows are in batches already.

        Example:
            >>> ds = Dataset.from_dict({"input_ids": [[5, 6, 7]]}).to_iterable_dataset()
            >>> list(ds.pad(4))
            [{'input_ids': [5, 6, 7, 0], 'attention_mask': [1, 1, 1, 0]}]
        """
        number, padded = check_number("multiple", multiple, least=1), names(columns)
        features = self._check("pad", padded)
        if not padded:
            raise InvalidArgumentError("pad: give at least one column")
        given = dict(values or {})
        if unknown := [name for name in given if name not in padded]:
            raise InvalidArgumentError(f"pad: values names {unknown[0]!r}, which is not padded")
        if mask is not None and features is not None and mask in features:
            raise InvalidArgumentError(
                f"pad: there is a column {mask!r} already: mask= names another, or None"
            )
        fill = tuple(given.get(name, -100 if name.endswith("labels") else 0) for name in padded)
        known = features
        if features is not None:
            made: dict[str, Any] = dict(features)
            for name in padded:
                if isinstance(made[name], List):
                    made[name] = List(made[name].feature)  # no longer of one length
            known = Features(made if mask is None else {**made, mask: List(Value("int64"))})
        return self._with(self._plan.then(Pad(number, tuple(padded), fill, mask)), _known=known)

    def _check(self, what: str, columns: Sequence[str]) -> Features | None:
        """Return the features; raise if a column is missing, or rows are in batches."""
        features = self.features
        if self._plan.grouped:
            raise UnsupportedError(f"{what}: the rows are in batches: call it before batch()")
        for name in columns:
            if features is not None and name not in features:
                raise InvalidArgumentError(
                    f"{what}: there is no column {name!r}; the columns are {list(features)}"
                )
        return features
