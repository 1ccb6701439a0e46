"""Transforms that keep the format."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def transmit_format(func: Callable[..., Any]) -> Callable[..., Any]:
    """Return a decorator of transforms: the result has the format of what it is made of. Columns
    that are new are formatted too.
    """

    @wraps(func)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        before: Any = args[0] if args else kwargs["self"]
        unformatted = set(before.column_names) - set(before._format_columns or ())
        kept = (before._format_type, before._format_kwargs, before._output_all_columns)
        made = func(*args, **kwargs)
        for one in made.values() if isinstance(made, dict) else [made]:
            columns = (
                None
                if before._format_columns is None
                else sorted(set(one.column_names) - unformatted)
            )
            one._format_type, one._format_kwargs, one._output_all_columns = kept
            one._format_columns = columns
        return made

    return wrapper
