"""The sizes and the random generator of `train_test_split`."""

from __future__ import annotations

from typing import Any

import numpy as np

from rowstream.exceptions import InvalidArgumentError


def seeded_generator(seed: Any) -> Any:
    """Return a NumPy generator for a seed; without one, seeded from NumPy's global generator, which
    advances.
    """
    if seed is None:
        state: Any = np.random.get_state()
        drawn, at = state[1:3]
        seed = drawn[at] if at < 624 else drawn[0]
        np.random.random()
    return np.random.default_rng(seed)


def split_sizes(n: int, test_size: Any, train_size: Any) -> tuple[int, int]:
    """Return the numbers of training and test rows."""
    if test_size is None and train_size is None:
        test_size = 0.25
    for name, size in (("test_size", test_size), ("train_size", train_size)):
        if size is None:
            continue
        if not isinstance(size, (int, float)):
            raise InvalidArgumentError(f"Invalid value for {name}: {size} of type {type(size)}")
        most = n if isinstance(size, int) else 1
        if not 0 < size < most:
            raise InvalidArgumentError(
                f"{name}={size} should be either positive and smaller than the number of samples"
                f" {n} or a float in the (0, 1) range"
            )
    if (
        isinstance(train_size, float)
        and isinstance(test_size, float)
        and train_size + test_size > 1
    ):
        raise InvalidArgumentError(
            f"The sum of test_size and train_size = {train_size + test_size}, should be in the (0,"
            " 1) range. Reduce test_size and/or train_size."
        )
    n_test: Any = (
        None
        if test_size is None
        else int(np.ceil(test_size * n))
        if isinstance(test_size, float)
        else test_size
    )
    n_train: Any = (
        None
        if train_size is None
        else int(np.floor(train_size * n))
        if isinstance(train_size, float)
        else train_size
    )
    n_train = n - n_test if n_train is None else n_train
    n_test = n - n_train if n_test is None else n_test
    if n_train + n_test > n:
        raise InvalidArgumentError(
            f"The sum of train_size and test_size = {n_train + n_test}, should be smaller than the"
            f" number of samples {n}. Reduce test_size and/or train_size."
        )
    if n_train == 0:
        raise InvalidArgumentError(
            f"With n_samples={n}, test_size={test_size} and train_size={train_size}, the resulting"
            " train set will be empty. Adjust any of the aforementioned parameters."
        )
    return n_train, n_test
