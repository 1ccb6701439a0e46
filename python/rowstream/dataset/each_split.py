"""Methods of dicts of data sets that call the method of each split."""

from __future__ import annotations

import inspect
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_BY_SPLIT = {
    "cache_file_name": "cache_file_names",
    "indices_cache_file_name": "indices_cache_file_names",
}
_OF_ONE = frozenset(("new_fingerprint", "suffix_template", "with_split"))


def _signature(method: Callable[..., Any], names: str | None) -> inspect.Signature:
    known = {}
    for name, parameter in inspect.signature(method).parameters.items():
        if name in _BY_SPLIT:
            parameter = parameter.replace(
                name=_BY_SPLIT[name], annotation="dict[str, str | None] | None"
            )
        known[parameter.name] = parameter
    known["with_split"] = known["self"].replace(name="with_split", default=False, annotation="bool")
    if names is None:
        return inspect.Signature([of for name, of in known.items() if name not in _OF_ONE])
    chosen = [name.partition("=") for name in names.split()]
    return inspect.Signature(
        [known[name].replace(default=None) if said else known[name] for name, said, _ in chosen]
    )


def each_split(method: Callable[..., Any], names: str | None = None) -> Callable[..., Any]:
    """Give a method that calls another on each split, and gives the dict of what they give.

    Files are named by split, in dicts: `cache_file_names` in the place of `cache_file_name`. Where
    the names have `with_split`, it says whether the function's last argument is the split's name.

    Args:
        method: the method of the class of the data sets.
        names: the parameters, where they are not the same ones in the same order; `name=None` for
            one with that default.
    """
    signature, name = _signature(method, names), method.__name__
    spread = [
        parameter.name
        for parameter in signature.parameters.values()
        if parameter.kind is parameter.VAR_KEYWORD
    ]

    def called(self: Any, *args: Any, **kwargs: Any) -> Any:
        self._check_values_type()
        given = dict(signature.bind(self, *args, **kwargs).arguments)
        del given["self"]
        for key in spread:
            given |= given.pop(key, {})
        told = given.pop("with_split", False)
        files = {one: given.pop(several, None) or {} for one, several in _BY_SPLIT.items()}
        made = {}
        for split, ds in self.items():
            own = {one: names[split] for one, names in files.items() if split in names}
            if told:
                own["function"] = partial(_with_split, given["function"], split)
            made[split] = getattr(ds, name)(**{**given, **own})
        return type(self)(made)

    called.__name__, called.__qualname__ = name, f"each_split.{name}"
    called.__signature__ = signature  # type: ignore[attr-defined]  # functions take it
    called.__doc__ = f"Call `{name}` of each split.\n\n{inspect.cleandoc(method.__doc__ or '')}"
    return called


def _with_split(function: Callable[..., Any], split: str, *args: Any, **kwargs: Any) -> Any:
    return function(*args, split, **kwargs)


def property_of_splits(name: str) -> Any:
    """Return a property that is a dict of what the splits have."""

    def get(self: Any) -> dict[str, Any]:
        self._check_values_type()
        return {split: getattr(ds, name) for split, ds in self.items()}

    get.__doc__ = f"`{name}` of each split."
    return property(get)
