"""Collators for `to_tf_dataset`."""

from __future__ import annotations

from typing import Any

import numpy as np


def minimal_tf_collate_fn(features: list[dict[str, Any]]) -> dict[str, Any]:
    """Rows as a batch, stacked."""
    return {name: np.array([row[name] for row in features]) for name in features[0]}


def minimal_tf_collate_fn_with_renaming(features: list[dict[str, Any]]) -> dict[str, Any]:
    """Rows as a batch, stacked; `label` is called `labels`."""
    return {"labels" if name == "label" else name: column for name, column in minimal_tf_collate_fn(features).items()}
