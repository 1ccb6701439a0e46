"""Map-style datasets as `tf.data.Dataset`."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from rowstream.exceptions import InvalidArgumentError, UnsupportedError


def minimal_tf_collate_fn(features: list[dict[str, Any]]) -> dict[str, Any]:
    """Return a batch of rows: a dict with one stacked array per column."""
    return {name: np.array([row[name] for row in features]) for name in features[0]}


_LABELS = ("label_ids", "label", "labels")


def _several(what: str, names: Any) -> list[str]:
    result = [names] if isinstance(names, str) else list(names or [])
    if len(set(result)) < len(result):
        raise InvalidArgumentError(f"List of {what} contains duplicates.")
    return result


class Batches:
    """Batches of a dataset as NumPy arrays, which `tf.data` reads.

    Args:
        ds: The dataset, in a format with arrays.
        columns: The columns to read; all if `None`.
        collate: A function that returns a batch for a list of rows.
        batch_size: The number of rows in a batch; single rows if `None`.
        drop_remainder: Leave out a last batch that is shorter.
        shuffle: Use another order in each epoch.
    """

    def __init__(
        self,
        ds: Any,
        columns: list[str] | None,
        collate: Callable[..., Any],
        batch_size: int | None,
        *,
        drop_remainder: bool,
        shuffle: bool,
    ) -> None:
        self.ds, self.columns, self.collate, self.batch_size = ds, columns, collate, batch_size
        self.drop_remainder, self.shuffle = drop_remainder, shuffle
        self.types: dict[str, Any] = {}

    def batch(self, rows: list[int]) -> dict[str, Any]:
        """Return the collated batch of the rows at some positions."""
        read = self.ds[rows]
        names = [name for name in read if self.columns is None or name in self.columns]
        result = self.collate([{name: read[name][i] for name in names} for i in range(len(rows))])
        return {name: np.asarray(column) for name, column in result.items()}

    def signature(self, tries: int) -> dict[str, Any]:
        """Return the types and shapes of batches, as found in some random ones.

        A dimension that differs among them is unknown.

        Args:
            tries: The number of batches to look at.

        Raises:
            InvalidArgumentError: The dataset is empty.
            RuntimeError: A column contains neither numbers nor text.
        """
        import tensorflow as tf

        if not len(self.ds):
            raise InvalidArgumentError(
                "Unable to get the output signature because the dataset is empty."
            )
        seen = [self.batch([random.randrange(len(self.ds))]) for _ in range(tries)]
        result = {}
        for name, first in seen[0].items():
            if first.dtype.kind in "iub":
                self.types[name], kind = np.int64, tf.int64
            elif first.dtype.kind in "fc":
                self.types[name], kind = np.float32, tf.float32
            elif first.dtype.kind == "U":
                self.types[name], kind = np.str_, tf.string
            else:
                raise RuntimeError(
                    f"to_tf_dataset: column {name!r} is of {first.dtype}, neither numbers nor text:"
                    " leave it out with columns=, or make arrays of it with collate_fn="
                )
            shapes = [one[name].shape for one in seen]
            inner = [
                sizes.pop() if len(sizes := {shape[dim] for shape in shapes}) == 1 else None
                for dim in range(1, len(shapes[0]))
            ]
            size = (
                min(self.batch_size, len(self.ds))
                if self.batch_size is not None and self.drop_remainder
                else None
            )
            result[name] = tf.TensorSpec(
                shape=inner if self.batch_size is None else [size, *inner], dtype=kind
            )
        return result

    def __call__(self) -> Iterator[dict[str, Any]]:
        n, size = len(self.ds), self.batch_size or 1
        order = np.random.default_rng().permutation(n) if self.shuffle else np.arange(n)
        for start in range(0, n - size + 1 if self.drop_remainder else n, size):
            result = self.batch(order[start : start + size].tolist())
            typed = {name: result[name].astype(kind) for name, kind in self.types.items()}
            yield (
                {name: column[0] for name, column in typed.items()}
                if self.batch_size is None
                else typed
            )


def to_tf_dataset(
    ds: Any,
    batch_size: int | None,
    columns: Any,
    shuffle: bool,
    collate_fn: Any,
    drop_remainder: bool,
    collate_fn_args: dict[str, Any] | None,
    label_cols: Any,
    prefetch: bool,
    num_workers: int,
    num_test_batches: int,
) -> Any:
    """Return a dataset as a `tf.data.Dataset`, as in `Dataset.to_tf_dataset`."""
    try:
        import tensorflow as tf
    except ImportError as error:
        raise ImportError(
            "Called a Tensorflow-specific function but Tensorflow is not installed."
        ) from error
    if label_cols and not columns:
        raise InvalidArgumentError("Cannot specify label_cols without specifying columns!")
    if num_workers < 0:
        raise InvalidArgumentError("num_workers must be >= 0")
    if num_workers and batch_size is None:
        raise UnsupportedError("`batch_size` must be specified when using multiple workers")
    features, labels = _several("columns", columns), _several("label_cols", label_cols)
    options, collate = collate_fn_args or {}, collate_fn or minimal_tf_collate_fn
    arrays = ds if ds._format_type in ("custom", "numpy") else ds.with_format("numpy")
    # Collators of transformers make `labels` of what is called otherwise.
    kept = (
        [*features, *labels, *(name for name in _LABELS if collate_fn is not None)]
        if features
        else None
    )
    batches = Batches(
        arrays,
        kept,
        lambda rows: collate(rows, **options),
        batch_size,
        drop_remainder=drop_remainder,
        shuffle=shuffle,
    )
    signature = batches.signature(num_test_batches)
    if "labels" in signature:
        for some in (features, labels):
            if ("label_ids" in some or "label" in some) and "labels" not in some:
                some[:] = [name for name in some if name not in ("label_ids", "label")] + ["labels"]
    for what, some in (("Column", features), ("Label column", labels)):
        if missing := [name for name in some if name not in signature]:
            raise InvalidArgumentError(f"{what} {missing[0]} not found in dataset!")
    result = tf.data.Dataset.from_generator(batches, output_signature=signature)
    n = len(ds)
    each = n if batch_size is None else n // batch_size if drop_remainder else -(-n // batch_size)
    result = result.apply(tf.data.experimental.assert_cardinality(each))

    def parted(batch: dict[str, Any]) -> Any:
        inputs: Any = {name: tensor for name, tensor in batch.items() if name in features}
        wanted: Any = {name: tensor for name, tensor in batch.items() if name in labels}
        inputs = next(iter(inputs.values())) if len(inputs) == 1 else inputs
        if not wanted:
            return inputs
        return inputs, next(iter(wanted.values())) if len(wanted) == 1 else wanted

    if features:
        result = result.map(parted)
    return result.prefetch(tf.data.AUTOTUNE) if prefetch else result
