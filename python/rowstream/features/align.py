"""Common features for several tables of which some have null columns."""

from __future__ import annotations

from typing import Any

from rowstream.features.features import Features
from rowstream.features.nested import LargeList, List
from rowstream.features.scalar import Value


def leaves_open(feature: Any) -> bool:
    """Return whether a feature is null, or a list of nulls, and so leaves the type open."""
    if isinstance(feature, (List, LargeList)):
        return leaves_open(feature.feature)
    return isinstance(feature, Value) and feature.dtype == "null"


def _known_features(features_list: list[Any]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for features in features_list:
        for name, feature in features.items():
            if isinstance(result.get(name), dict) and isinstance(feature, dict):
                result[name] = _known_features([result[name], feature])
            elif name not in result or leaves_open(result[name]):
                result[name] = feature
    return result


def align_features(features_list: list[Features]) -> list[Features]:
    """Return the features with null columns replaced by the type that other features have."""
    known = _known_features(features_list)
    return [Features({name: known[name] for name in features}) for features in features_list]


def check_alignable(features_list: list[Any]) -> None:
    """Raise `ValueError` if a column has two different types, neither of them null."""
    known: dict[str, Any] = {}
    for features in features_list:
        for name, feature in features.items():
            if name not in known or leaves_open(known[name]):
                known[name] = feature
    for features in features_list:
        for name, feature in features.items():
            if isinstance(feature, dict) and isinstance(known[name], dict):
                check_alignable([known[name], feature])
            elif not leaves_open(feature) and known[name] != feature:
                raise ValueError(
                    f"The features can't be aligned because the key {name} of features {features}"
                    f" has unexpected type - {feature} "
                    f'(expected either {known[name]} or Value("null").'
                )
