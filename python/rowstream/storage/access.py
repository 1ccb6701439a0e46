"""Credentials and settings for sources on other machines: how they are found and kept secret."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field, replace
from typing import Any

from rowstream import _core
from rowstream.exceptions import InvalidArgumentError
from rowstream.storage.environment import (
    endpoint,
    find_token,
    found_token,
    hub_cache,
    offline,
    own_cache,
)
from rowstream.storage.fsspec_bridge import serve
from rowstream.storage.options.base import PATIENCE, flag
from rowstream.storage.options.clouds import of_cloud
from rowstream.storage.options.http import hub_token, of_http
from rowstream.storage.urls import CLOUDS
from rowstream.utils.cached import cached_property

_KINDS = {**CLOUDS, "hf": "http", "http": "http", "https": "http"}


@dataclass(frozen=True, repr=False)
class StorageOptions:
    """Credentials and settings for the sources of one dataset.

    They are pickled without secrets, except to start a process on this machine; other machines find
    their own credentials. `repr` shows nothing secret.

    Attributes:
        token: The Hub token; `True` or `None` finds the stored one, `False` uses none.
        storage_options: Options of sources, by the names of fsspec or of the core; or by scheme:
            `{"s3": {…}}`.
        cache_dir: The folder of the disk cache for streams; no cache if `None`.
        cache_limit: The maximum size of that cache in bytes.
        endpoint: The URL of the Hub.
        origins: The origins (`https://host:port`) of the URLs that the caller passed; headers
            without an origin are sent only to these.
    """

    token: bool | str | None = field(default=None, compare=False)
    storage_options: dict[str, Any] | None = field(default=None, compare=False)
    cache_dir: str | None = None
    cache_limit: int | None = None
    endpoint: str = field(default_factory=endpoint)
    origins: frozenset[str] = field(default=frozenset(), compare=False)

    def __post_init__(self) -> None:
        if self.token is True and find_token() is None:
            raise InvalidArgumentError(
                "token=True: there is no token; log in with `hf auth login`, or set HF_TOKEN"
            )

    def __repr__(self) -> str:
        return (
            f"StorageOptions(endpoint={self.endpoint!r}, cache_dir={self.cache_dir!r},"
            f" cache_limit={self.cache_limit!r})"
        )

    def __getstate__(self) -> dict[str, Any]:
        from multiprocessing import context

        state = {name: value for name, value in self.__dict__.items() if name != "made"}
        if context.get_spawning_popen() is None:
            state["storage_options"] = None
            state["token"] = None if isinstance(self.token, str) else self.token
        return state

    def _token(self) -> str | None:
        if isinstance(self.token, str):
            return self.token.strip() or None
        if self.token is None and (said := hub_token(self._given("http").get("token"))):
            return said
        if self.token is False or (self.token is None and flag("HF_HUB_DISABLE_IMPLICIT_TOKEN")):
            return None
        return find_token()

    def token_of(self) -> str | None:
        """Return where the token comes from, for error messages; `None` if there is none."""
        if (token := self._token()) is None:
            return None
        found, where = found_token()
        return (
            f"of {where}"
            if not isinstance(self.token, str) and token == found
            else "that was given"
        )

    @cached_property
    def made(self) -> dict[str, _core.Access]:
        """The settings objects of the core, by kind of source."""
        return {}

    def core(self, location: str = "") -> _core.Access:
        """Return the core's settings for a location."""
        scheme, _, rest = location.partition("://") if "://" in location else ("", "", location)
        if scheme not in ("", "http", "https", "hf", "file", *CLOUDS) or (
            scheme and "://" in rest.partition("::")[2]
        ):
            return self._foreign()
        kind = CLOUDS.get(scheme, "http")
        if kind not in self.made:
            self.made[kind] = _core.Access(json.dumps(self._settings(kind)))
        return self.made[kind]

    def hurried(self, tries: int) -> _core.Access:
        """Return the core's settings for a Hub request whose answer is useful but not necessary."""
        name = f"hurried {tries}"
        if name not in self.made:
            settings = self._settings("http")
            given = settings.get("patience", {})
            # One that was silent before is not waited for long.
            timeout = 10 if tries else 2
            settings["patience"] = {
                **given,
                "timeout": min(given.get("timeout", timeout), timeout),
                "deadline": min(given.get("deadline", 20), 20),
            }
            settings["patience"]["retries"] = min(given.get("retries", 6), tries)
            self.made[name] = _core.Access(json.dumps(settings))
        return self.made[name]

    def once(self, seconds: float) -> StorageOptions:
        """Return a copy with one try per request, which waits at most this number of seconds."""
        hurry = {"timeout": seconds, "retries": 0, "deadline": seconds}
        given = self.storage_options or {}
        nested = {
            name: {**given[name], **hurry}
            for name in ("http", "https")
            if isinstance(given.get(name), dict)
        }
        return replace(self, storage_options={**given, **hurry, **nested})

    def foreign(self) -> dict[str, Any]:
        """Return the options for file systems of fsspec."""
        return dict(self.storage_options or {})

    def _foreign(self) -> _core.Access:
        """Return the core's settings for files that fsspec reads."""
        if "fsspec" not in self.made:
            number = hash(json.dumps(self.foreign(), sort_keys=True, default=str)) & (2**63 - 1)
            serve(number, self.foreign())
            self.made["fsspec"] = _core.Access("{}", number)
        return self.made["fsspec"]

    def _given(self, kind: str, *, named: bool = False) -> dict[str, Any]:
        """Return the options for a kind of source: those by scheme override those without.

        With `named`, only those by scheme are returned.
        """
        plain: dict[str, Any] = {}
        of_scheme: dict[str, Any] = {}
        for name, value in (self.storage_options or {}).items():
            if name not in _KINDS or not isinstance(value, dict):
                plain[name] = value
            elif _KINDS[name] == kind:
                of_scheme |= value
        return of_scheme if named else plain | of_scheme

    def _settings(self, kind: str) -> dict[str, Any]:
        result: dict[str, Any] = {"hub": {"endpoint": self.endpoint, "token": self._token()}}
        given = self._given(kind)
        patience = {
            name: given.pop(name) for name in PATIENCE if isinstance(given.get(name), (int, float))
        }
        if kind == "http":
            result["headers"], more = of_http(given, self.origins)
        else:
            result["options"], more = of_cloud(kind, given)
            # Some of the files may be of HTTP.
            result["headers"], _ = of_http(
                self._given("http", named=True), self.origins, needed=False
            )
        if patience := more | patience:
            result["patience"] = patience
        if self.cache_dir is not None:
            result["cache"] = {
                "folder": os.path.abspath(os.path.expanduser(self.cache_dir)),
                "limit": self.cache_limit,
            }
        result["offline"] = offline()
        result["heads"] = str(own_cache() / "heads")
        result["points"] = str(own_cache() / "points")
        result["downloads"] = str(hub_cache())
        return result
