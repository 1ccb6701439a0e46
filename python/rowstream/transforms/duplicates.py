"""Rows that stand more than once, exactly or nearly."""

from __future__ import annotations

from typing import Any

import numpy as np

from rowstream.exceptions import InvalidArgumentError, UnsupportedError

_HASHES = 128
_MANY_BANDS, _BANDS = 64, 32  # with these, texts as alike as asked are compared in 99 of 100 cases


def first_of_each(codes: Any) -> Any:
    """Return the positions of the first row of each code, in order."""
    return np.sort(np.unique(codes, return_index=True)[1])


def combined(codes: list[Any]) -> Any:
    """Return one code for each row of several columns' codes: equal where all are equal."""
    result = codes[0]
    for other in codes[1:]:
        pairs = result.astype(np.int64) * (int(other.max(initial=0)) + 1) + other
        result = np.unique(pairs, return_inverse=True)[1]
    return result


def far_apart(texts: Any, threshold: float, words: int) -> list[int]:
    """Return the positions of texts that are not nearly the same as an earlier one of them.

    Similarity is that of Jaccard over runs of words, estimated by MinHash (Broder, On the
    resemblance and containment of documents, 1997) with 128 hashes.

    Args:
        texts: Strings; a missing one is like no other.
        threshold: The similarity from which on texts are duplicates, between 0.5 and 1.
        words: The number of words of a run.

    Raises:
        UnsupportedError: The package `rensa` is not installed.
        InvalidArgumentError: The threshold or the number of words is no such number.
    """
    if not isinstance(threshold, (int, float)) or not 0.5 <= threshold <= 1:
        raise InvalidArgumentError(f"deduplicate: near={threshold!r} is not between 0.5 and 1")
    if not isinstance(words, int) or words < 1:
        raise InvalidArgumentError(f"deduplicate: words={words!r} is not a number of words")
    try:
        from rensa import RMinHash, RMinHashDeduplicator
    except ImportError as e:
        raise UnsupportedError(
            "deduplicate(near=…) uses the package rensa: pip install 'rowstream[dedup]'"
        ) from e
    bands = _BANDS if threshold > 0.7 else _MANY_BANDS
    seen = RMinHashDeduplicator(threshold, _HASHES, use_lsh=True, num_bands=bands)
    kept: list[int] = []
    for i, text in enumerate(texts):
        if text is not None:
            minhash = RMinHash(num_perm=_HASHES, seed=42)
            minhash.update(_runs(text, words))
            if not seen.add(str(i), minhash):
                continue
        kept.append(i)
    return kept


def _runs(text: str, words: int) -> list[str]:
    """Return the runs of words of a text, or all of it where it is shorter."""
    parts = text.lower().split()
    return [" ".join(parts[i : i + words]) for i in range(max(len(parts) - words + 1, 1))]
