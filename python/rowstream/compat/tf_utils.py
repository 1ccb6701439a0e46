"""Collate functions for `to_tf_dataset`."""

from __future__ import annotations

from typing import Any

from rowstream.integrations.tensorflow import minimal_tf_collate_fn


def minimal_tf_collate_fn_with_renaming(features: list[dict[str, Any]]) -> dict[str, Any]:
    """Return a batch of rows, with the column `label` renamed to `labels`."""
    return {
        "labels" if name == "label" else name: column
        for name, column in minimal_tf_collate_fn(features).items()
    }
