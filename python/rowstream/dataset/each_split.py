"""Methods of dicts of datasets that call the method of each split."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from functools import partial
from typing import Any, Concatenate, ParamSpec, TypeVar, overload

P = ParamSpec("P")
S = TypeVar("S")

_BY_SPLIT = {
    "cache_file_name": "cache_file_names",
    "indices_cache_file_name": "indices_cache_file_names",
}
_WITH_SPLIT = "Whether the function takes the name of the split as its last argument."
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


@overload
def each_split(method: Callable[Concatenate[Any, P], Any]) -> Callable[Concatenate[S, P], S]: ...
@overload
def each_split(method: Callable[..., Any], names: str) -> Callable[..., Any]: ...
def each_split(method: Callable[..., Any], names: str | None = None) -> Any:
    """Return a method that calls another on each split and returns the dict of the results.

    Files are named by split, in dicts: `cache_file_names` instead of `cache_file_name`. With
    `with_split` among the names, that argument says whether the function also gets the split's
    name.

    Args:
        method: The method of the class of the datasets.
        names: The parameters, where they are not the same ones in the same order; `name=None` for
            one with that default.
    """
    return _EachSplit(method, names)


class _EachSplit:
    """A descriptor that replaces itself by the method when its class is created."""

    def __init__(self, method: Callable[..., Any], names: str | None) -> None:
        self.method, self.signature = method, _signature(method, names)

    def __set_name__(self, owner: type, name: str) -> None:
        """Put the method in the place of this, with the name that help and pickle look for."""
        called = _caller(self.method.__name__, self.signature)
        called.__module__, called.__name__ = owner.__module__, name
        called.__qualname__ = f"{owner.__qualname__}.{name}"
        called.__doc__ = (
            f"Call `{self.method.__qualname__.rpartition('.')[2]}` of each split.\n\n"
            f"{_renamed(inspect.cleandoc(self.method.__doc__ or ''), self.signature)}"
        )
        setattr(owner, name, called)


def _renamed(doc: str, signature: inspect.Signature) -> str:
    """Return a docstring with the arguments by split, and without arguments that do not exist."""
    known, lines, section, kept = signature.parameters, [], "", True
    for line in doc.splitlines():
        if line and not line.startswith(" "):
            section, kept = line, True
        elif section == "Args:" and (entry := re.match(r"    ((?:\*{0,2}\w+(?:, )?)+):(.*)", line)):
            names = [_BY_SPLIT.get(name, name) for name in entry[1].split(", ")]
            names = [name for name in names if name.lstrip("*") in known]
            kept = bool(names)
            line = f"    {', '.join(names)}:{entry[2]}"
        if kept or not line:
            lines.append(line)
        if line == "Args:" and "with_split" in known:
            lines.append(f"    with_split: {_WITH_SPLIT}")
    return "\n".join(lines)


def _caller(name: str, signature: inspect.Signature) -> Callable[..., Any]:
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
        with_split = given.pop("with_split", False)
        files = {one: given.pop(several, None) or {} for one, several in _BY_SPLIT.items()}
        result = {}
        for split, ds in self.items():
            own = {one: names[split] for one, names in files.items() if split in names}
            if with_split:
                own["function"] = partial(_with_split, given["function"], split)
            result[split] = getattr(ds, name)(**{**given, **own})
        return type(self)(result)

    called.__signature__ = signature  # type: ignore[attr-defined]  # functions take it
    return called


def _with_split(function: Callable[..., Any], split: str, *args: Any, **kwargs: Any) -> Any:
    return function(*args, split, **kwargs)


def property_of_splits(name: str) -> Any:
    """Return a property whose value is a dict of that property of each split."""

    def get(self: Any) -> dict[str, Any]:
        self._check_values_type()
        return {split: getattr(ds, name) for split, ds in self.items()}

    get.__doc__ = (
        f"A dict with the `{name}` of each split.\n\n"
        "Example:\n"
        '    >>> ds = DatasetDict({"train": Dataset.from_dict({"a": [1, 2]})})\n'
        f"    >>> ds.{name}\n"
        "    {'train': ...}"
    )
    return property(get)
