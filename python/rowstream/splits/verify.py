"""Checks of downloaded files and prepared splits against recorded sizes."""

from __future__ import annotations

from typing import Any

from rowstream.exceptions import (
    ExpectedMoreDownloadedFilesError,
    ExpectedMoreSplitsError,
    NonMatchingChecksumError,
    NonMatchingSplitsSizesError,
    UnexpectedDownloadedFileError,
    UnexpectedSplitsError,
)


def verify_checksums(expected: dict[str, Any] | None, recorded: dict[str, Any]) -> None:
    """Check that the downloaded files are those that the description lists.

    Raises:
        ChecksumVerificationError: They are not; the message has the URLs.
    """
    if expected is None:
        return
    if missing := sorted(expected.keys() - recorded.keys()):
        raise ExpectedMoreDownloadedFilesError(f"declared, and not downloaded: {missing}")
    if more := sorted(recorded.keys() - expected.keys()):
        raise UnexpectedDownloadedFileError(f"downloaded, and not declared: {more}")
    if bad := [url for url in expected if expected[url] != recorded[url]]:
        raise NonMatchingChecksumError(
            f"Checksums didn't match:\n{bad}\nSet `verification_mode='no_checks'` to skip checksums"
            " verification and ignore this error"
        )


def verify_splits(expected: Any, recorded: Any) -> None:
    """Check that the prepared splits are those that the description lists, with as many rows.

    Raises:
        SplitsVerificationError: They are not; the message has the splits.
    """
    if not expected:
        return
    if missing := sorted(expected.keys() - recorded.keys()):
        raise ExpectedMoreSplitsError(f"declared, and not made: {missing}")
    if more := sorted(recorded.keys() - expected.keys()):
        raise UnexpectedSplitsError(f"made, and not declared: {more}")
    verify_sizes(expected, recorded)


def verify_sizes(expected: Any, recorded: Any) -> None:
    """Check that splits have as many rows as the description says.

    Raises:
        NonMatchingSplitsSizesError: One has another number of rows.
    """
    bad = [
        {"expected": expected[name], "recorded": recorded[name]}
        for name in recorded
        if name in expected
        and expected[name].num_examples not in (None, recorded[name].num_examples)
    ]
    if bad:
        raise NonMatchingSplitsSizesError(
            f"{bad}: the data or its card changed without the other. verification_mode='no_checks'"
            " loads it as it is"
        )
