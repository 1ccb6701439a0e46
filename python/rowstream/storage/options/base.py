"""Translation of options: which have a meaning, have no effect, or are not supported."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from rowstream.exceptions import InvalidArgumentError

Meaning = str | Callable[[Any], "dict[str, Any] | None"]
"""The core's name of an option, or what a value of it means by the core's names: `None` where it is
not honoured.
"""

PATIENCE = ("timeout", "retries", "deadline")
"""Options that all sources have."""

# What fsspec itself takes, and how its file systems read ahead and keep: none of it has anything to
# do here.
IDLE = frozenset(
    (
        *(
            "default_block_size",
            "default_fill_cache",
            "default_cache_type",
            "block_size",
            "cache_type",
            "cache_options",
            "size_policy",
        ),
        *(
            "use_listings_cache",
            "listings_expiry_time",
            "max_paths",
            "skip_instance_cache",
            "asynchronous",
            "loop",
            "batch_size",
        ),
        *("max_concurrency", "version_aware"),
    )
)

_CERTIFICATES = (
    "certificates are always checked; SSL_CERT_FILE, AWS_CA_BUNDLE or REQUESTS_CA_BUNDLE names a"
    " file of those to trust"
)
_PROXY = "set HTTPS_PROXY"
_INSTEAD = {
    "verify": _CERTIFICATES,
    "ssl": _CERTIFICATES,
    "allow_invalid_certificates": _CERTIFICATES,
    "use_ssl": "without it, endpoint_url= has to be a URL of http://",
    "proxies": _PROXY,
    "proxy": _PROXY,
    "proxy_url": _PROXY,
    "trust_env": "set NO_PROXY",
    "config": "config_kwargs= takes its arguments",
    "session": "profile=, key= and secret= say who asks",
    "params": "they belong into the URL",
    "token": (
        "that of the Hub is token=; those of other sources stand below their scheme, as in {'s3':"
        " {…}}"
    ),
    "endpoint": "HF_ENDPOINT says where the Hub is",
}
"""What does the same as an option that is not honoured, by the last part of its name."""


def flag(name: str) -> bool:
    """Return whether an environment variable is set to `1` or similar."""
    return true(os.environ.get(name))


def true(value: Any) -> bool:
    """Return whether an option or environment variable means yes."""
    return text(value).lower() in ("1", "on", "yes", "true")


def text(value: Any) -> str:
    """Return a value as text for the core."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def on(value: Any) -> dict[str, Any] | None:
    """Return the meaning of an option that can only be true."""
    return {} if value is True else None


def off(value: Any) -> dict[str, Any] | None:
    """Return the meaning of an option that can only be false."""
    return {} if value is False else None


def wait(value: Any) -> dict[str, Any]:
    """Return the meaning of a time without a byte, in seconds."""
    return {"timeout": value}


def flat(options: Mapping[str, Any], *nests: str, before: str = "") -> Iterator[tuple[str, Any]]:
    """Yield options and those nested in them, such as `client_kwargs.verify`, except unset ones."""
    for name, value in options.items():
        path = f"{before}{name}"
        if path in nests and isinstance(value, Mapping):
            yield from flat(value, *nests, before=f"{path}.")
        elif value is not None:
            yield path, value


def refused(of: str, names: list[str]) -> InvalidArgumentError:
    """Return the error for options that are not supported."""
    said = [
        f"{name!r}" + (f" ({why})" if (why := _INSTEAD.get(name.rpartition(".")[2])) else "")
        for name in names
    ]
    return InvalidArgumentError(
        f"storage_options of {of}: these are not honoured, take them out: {', '.join(said)}"
    )


def sorted_out(
    of: str,
    given: Mapping[str, Any],
    meanings: Mapping[str, Meaning],
    idle: frozenset[str],
    own: Mapping[str, tuple[str, ...]],
) -> dict[str, Any]:
    """Return the meaning of options, under the core's names.

    Args:
        of: The source, for errors.
        given: The options, flat.
        meanings: The options that have a meaning; later ones override earlier ones.
        idle: The options that have no effect here.
        own: The core's own names by their prefix, which may be left out.

    Raises:
        InvalidArgumentError: An option is none of these.
    """
    result: dict[str, Any] = {}
    rest, none = dict(given), []
    for name, meaning in meanings.items():
        if name not in rest:
            continue
        value = rest.pop(name)
        means = {meaning: text(value)} if isinstance(meaning, str) else meaning(value)
        if means is None:
            none.append(name)
        else:
            result |= means
    for name in list(rest):
        if whole := next(
            (
                start + end
                for start, ends in own.items()
                if (end := name.removeprefix(start)) in ends
            ),
            None,
        ):
            result[whole] = text(rest.pop(name))
        elif name in PATIENCE:
            result[name] = rest.pop(name)
    unknown = [name for name in rest if name not in idle]
    if none or unknown:
        raise refused(of, [*none, *unknown])
    if rest:
        warnings.warn(
            f"storage_options of {of}: these change nothing here: {', '.join(map(repr, rest))}",
            stacklevel=2,
        )
    return result
