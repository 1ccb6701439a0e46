"""Methods of dicts of data sets that call the method of each split."""

from __future__ import annotations

import inspect
from functools import partial, wraps
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    F = TypeVar("F", bound=Callable[..., Any])

_BY_SPLIT = {
    "cache_file_names": "cache_file_name",
    "indices_cache_file_names": "indices_cache_file_name",
}


def each_split(method: F) -> F:
    """A method that is called on each split, and gives the dict of what they give. Its arguments
    are those that it is declared with.

    Files are named by split, in dicts. With `with_split` the function's last argument is the
    split's name.
    """
    declared = inspect.signature(method)
    name = method.__name__

    @wraps(method)
    def called(self: Any, *args: Any, **kwargs: Any) -> Any:
        self._check_values_type()
        bound = declared.bind(self, *args, **kwargs).arguments
        given = {
            key: value
            for key, value in bound.items()
            if key not in ("self", "with_split", "format_kwargs", *_BY_SPLIT)
        }
        given |= bound.get("format_kwargs", {})
        made = {}
        for split, ds in self.items():
            own = {
                one: bound[key][split]
                for key, one in _BY_SPLIT.items()
                if split in (bound.get(key) or {})
            }
            if bound.get("with_split"):
                own["function"] = partial(_with_split, given["function"], split)
            made[split] = getattr(ds, name)(**{**given, **own})
        return type(self)(made)

    return called  # type: ignore[return-value]


def _with_split(function: Callable[..., Any], split: str, *args: Any, **kwargs: Any) -> Any:
    return function(*args, split, **kwargs)


def property_of_splits(name: str) -> Any:
    """A property that is a dict of what the splits have."""

    def get(self: Any) -> dict[str, Any]:
        self._check_values_type()
        return {split: getattr(ds, name) for split, ds in self.items()}

    get.__doc__ = f"`Dataset.{name}` of each split."
    return property(get)
