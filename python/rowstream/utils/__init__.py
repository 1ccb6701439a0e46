"""Small helpers that `datasets` has, for code that asks for them."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


def experimental(fn: F) -> F:
    """Return a function that warns at each call that it might change.

    Example:
        >>> @experimental
        ... def my_function(): ...
        >>> my_function()
        UserWarning: 'my_function' is experimental and might be subject to breaking changes in the
            future.
    """

    @wraps(fn)
    def warned(*args: Any, **kwargs: Any) -> Any:
        warnings.warn(
            f"'{fn.__name__}' is experimental and might be subject to breaking changes in the"
            " future.",
            UserWarning,
            stacklevel=2,
        )
        return fn(*args, **kwargs)

    return warned  # type: ignore[return-value]
