"""Streams mixed by weights, of rows or of tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rowstream.dataset.combine import combined, mixed_parts
from rowstream.exceptions import InvalidArgumentError
from rowstream.streams.mixture import STRATEGIES
from rowstream.streams.weighted import WeightedMixture, weights_of
from rowstream.utils.arguments import check_number


def mix_datasets(
    datasets: Sequence[Any],
    weights: Sequence[float] | Mapping[int, Sequence[float]],
    *,
    by: str | None = None,
    seed: int = 0,
    stopping_strategy: str = "all_exhausted",
    repeat: Sequence[bool] | None = None,
    choose: Sequence[int | None] | None = None,
    batch_size: int = 1,
) -> Any:
    """Mix streams by weights, of rows or of tokens, which may change as training goes on.

    As with `interleave_datasets`, the rows are the same for any number of workers and ranks, and a
    state is exact. `explain()` says what each stream gives.

    Args:
        datasets: The streams.
        weights: The weight of each stream, which need not add up to 1; or a schedule: a dict from
            a row of the mixture to the weights from there on, such as
            `{0: [9, 1], 100_000: [1, 1]}`. `set_weights` adds to it while the stream is read.
        by: The column that the weights are of: lists, such as token ids, count by their lengths,
            and numbers as they are. The next row is always of the stream that is farthest behind.
            If `None`, rows are drawn, with the weights as probabilities.
        seed: The seed of the draws.
        stopping_strategy: `"first_exhausted"`, `"all_exhausted"` or
            `"all_exhausted_without_replacement"`, as for `interleave_datasets`.
        repeat: Whether each stream begins again when it ends, in place of `stopping_strategy`. The
            mixture ends with the last stream that does not; it is endless if there is none.
        choose: The number of rows that are chosen of each stream, which is repeated where it has
            fewer; all of them if `None`.
        batch_size: The number of rows of one stream that follow each other, so that batches of so
            many rows are of one stream each.

    Returns:
        An `IterableDataset`.

    Raises:
        InvalidArgumentError: Arguments have no such values.
        SchemaError: A column has types that do not go together.

    Example:
        >>> web = IterableDataset.from_dict({"ids": [[1, 2, 3]] * 20})
        >>> code = IterableDataset.from_dict({"ids": [[7]] * 60})
        >>> ds = rowstream.mix_datasets([web, code], [0.5, 0.5], by="ids")
        >>> [len(row["ids"]) for row in ds.take(8)]
        [3, 1, 1, 1, 3, 1, 1, 1]
    """
    given = list(datasets)
    if choose is not None:
        numbers = list(choose)
        if len(numbers) != len(given):
            raise InvalidArgumentError(
                f"mix_datasets: choose has {len(numbers)} numbers for {len(given)} streams"
            )
        given = [
            ds if n is None else ds.repeat(None).take(check_number("choose", n, least=1))
            for ds, n in zip(given, numbers, strict=True)
        ]
    parts, streams, features = mixed_parts("mix_datasets", given)
    if stopping_strategy not in STRATEGIES:
        raise InvalidArgumentError(
            f"stopping_strategy is one of {', '.join(STRATEGIES)}, found {stopping_strategy!r}"
        )
    if repeat is not None and stopping_strategy != "all_exhausted":
        raise InvalidArgumentError("mix_datasets: give repeat or stopping_strategy, not both")
    again = () if repeat is None else tuple(bool(one) for one in repeat)
    if repeat is not None and len(again) != len(parts):
        raise InvalidArgumentError(
            f"mix_datasets: repeat has {len(again)} values for {len(parts)} streams"
        )
    of_rows = weights if isinstance(weights, Mapping) else {0: weights}
    schedule = sorted(
        (check_number("a row of weights", row), weights_of(of, len(parts)))
        for row, of in of_rows.items()
    )
    if not schedule or schedule[0][0] != 0:
        raise InvalidArgumentError("mix_datasets: a schedule of weights begins with row 0")
    names = None if features is None else tuple(features)
    if by is not None and names is not None and by not in names:
        raise InvalidArgumentError(f"mix_datasets: by={by!r} is no column; the columns are {names}")
    source = WeightedMixture(
        parts,
        None,
        stopping_strategy,
        check_number("seed", seed),
        names,
        schedule=tuple(schedule),
        by=by,
        repeat=again,
        unit=check_number("batch_size", batch_size, least=1),
    )
    return combined(source, streams, features)
