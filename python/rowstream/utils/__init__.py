"""Small helpers that `datasets` has, too, for code that imports them."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


def experimental(fn: F) -> F:
    """Mark a function as experimental: each call warns that it may change.

    Args:
        fn: The function.

    Returns:
        A function that issues a `UserWarning` and then calls `fn`.

    Example:
        >>> import warnings
        >>> @experimental
        ... def my_function():
        ...     return 1
        >>> with warnings.catch_warnings(record=True, action="always") as caught:
        ...     my_function()
        1
        >>> print(caught[0].message)
        'my_function' is experimental and might be subject to breaking changes in the future.
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
