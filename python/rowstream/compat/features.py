"""Names that `datasets.features` has for functions which are called differently here."""

from __future__ import annotations

from rowstream.arrow.dtypes import arrow_type as string_to_arrow
from rowstream.arrow.dtypes import dtype_of as _arrow_to_datasets_dtype
from rowstream.features.align import align_features as _align_features
from rowstream.features.align import check_alignable as _check_if_features_can_be_aligned
from rowstream.features.arrays import ArrayXD as _ArrayXD
from rowstream.features.nested import requires_decoding as require_decoding
from rowstream.features.nested import upgrade_lists as _fix_for_backward_compatible_features
from rowstream.features.nested import visit as _visit

__all__ = [
    "_ArrayXD",
    "_align_features",
    "_arrow_to_datasets_dtype",
    "_check_if_features_can_be_aligned",
    "_fix_for_backward_compatible_features",
    "_visit",
    "require_decoding",
    "string_to_arrow",
]
