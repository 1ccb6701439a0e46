"""A decorator for transforms that keep the format of the dataset."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


def transmit_format(func: Callable[P, R]) -> Callable[P, R]:
    """Decorate a transform so that its result has the format of the dataset that it is called on.

    New columns are formatted too.
    """

    @wraps(func)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        before: Any = args[0] if args else kwargs["self"]
        unformatted = set(before.column_names) - set(before._format_columns or ())
        kept = (before._format_type, before._format_kwargs, before._output_all_columns)
        result = func(*args, **kwargs)
        several: list[Any] = [*result.values()] if isinstance(result, dict) else [result]
        for one in several:
            columns = (
                None
                if before._format_columns is None
                else sorted(set(one.column_names) - unformatted)
            )
            one._format_type, one._format_kwargs, one._output_all_columns = kept
            one._format_columns = columns
        return result

    return wrapper
