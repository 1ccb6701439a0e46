"""The types of columns, as people know them from `datasets`."""

from rowstream.features.arrow import features_from_schema
from rowstream.features.types import ClassLabel, Features, LargeList, List, Value

__all__ = ["ClassLabel", "Features", "LargeList", "List", "Value", "features_from_schema"]
