"""Options of HTTP and of the Hub: headers, and what is sent as a header."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from rowstream.exceptions import InvalidArgumentError
from rowstream.storage.options.base import IDLE, Meaning, flat, on, sorted_out, text

_IDLE = IDLE | {
    "simple_links",
    "same_scheme",
    "encoded",
    "client_kwargs.timeout",
    "client_kwargs.raise_for_status",
}


def _basic(value: Any) -> dict[str, Any] | None:
    """Return the header for a user name and password, as aiohttp and requests represent them."""
    if not isinstance(value, (tuple, list)) or len(value) < 2:
        return None
    return {
        "Authorization": "Basic " + base64.b64encode(f"{value[0]}:{value[1]}".encode()).decode()
    }


def _cookies(value: Any) -> dict[str, Any] | None:
    return (
        {"Cookie": "; ".join(f"{name}={of}" for name, of in value.items())}
        if isinstance(value, Mapping)
        else None
    )


def hub_token(value: Any) -> str | None:
    """Return the Hub token among options; a token of another service is not taken for it."""
    return value if isinstance(value, str) and value.startswith("hf_") else None


_MEANINGS: dict[str, Meaning] = {
    "client_kwargs.headers": lambda value: (
        {"client": value} if isinstance(value, Mapping) else None
    ),
    "client_kwargs.auth": _basic,
    "client_kwargs.cookies": _cookies,
    "client_kwargs.trust_env": on,
    "trust_env": on,
    "ssl": on,
    "headers": lambda value: {"headers": value} if isinstance(value, Mapping) else None,
    "auth": _basic,
    "cookies": _cookies,
    "token": lambda value: {} if hub_token(value) else None,
}


def of_http(
    options: Mapping[str, Any], origins: frozenset[str], *, needed: bool = True
) -> tuple[dict[str, dict[str, str]], dict[str, Any]]:
    """Return the headers for each origin, and the timeouts and retries.

    Headers without an origin are sent only to `origins`.

    Args:
        options: The options.
        origins: The origins of the URLs that the caller passed.
        needed: Whether headers without any origin are an error.

    Raises:
        InvalidArgumentError: Options are not supported, or headers have no origin.
    """
    given = dict(flat(options, "client_kwargs"))
    if not isinstance(given.get("timeout", 0), (int, float)):
        # An object of aiohttp's, which limits a whole transfer: there is no such limit here.
        given["client_kwargs.timeout"] = given.pop("timeout")
    result = sorted_out("HTTP and the Hub", given, _MEANINGS, _IDLE, {})
    said = {**result.pop("client", {}), **result.pop("headers", {})} | {
        name: result.pop(name) for name in ("Authorization", "Cookie") if name in result
    }
    by_origin = {origin: dict(of) for origin, of in said.items() if isinstance(of, Mapping)}
    plain = {name: value for name, value in said.items() if name not in by_origin}
    if wrong := [origin for origin in by_origin if not origin.startswith(("https://", "http://"))]:
        raise InvalidArgumentError(
            "storage_options: an origin is https://host or http://host:port, found"
            f" {', '.join(map(repr, wrong))}"
        )
    if plain and needed and not origins:
        raise InvalidArgumentError(
            'storage_options["headers"] of HTTP names the origin that each is for, where no URL of'
            ' data_files does: {"headers": {"https://host": {"Authorization": "…"}}}'
        )
    for origin in origins if plain else ():
        by_origin[origin] = plain | by_origin.get(origin, {})
    return {
        origin: {str(name): text(value) for name, value in of.items()}
        for origin, of in by_origin.items()
    }, result
