"""Credentials and settings of sources on other machines: where they are found, who keeps them, and what is never shown."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from rowstream import _core, config
from rowstream.exceptions import InvalidArgumentError

_AT_FIRST = config.HF_DATASETS_CACHE
_TRUE = frozenset(("1", "ON", "YES", "TRUE"))


def _flag(name: str) -> bool:
    return os.environ.get(name, "").upper() in _TRUE


def endpoint() -> str:
    """Where the Hub is: `HF_ENDPOINT`, or https://huggingface.co."""
    return os.environ.get("HF_ENDPOINT", "").rstrip("/") or "https://huggingface.co"


def offline() -> bool:
    """Whether nothing may be asked of the Hub: `HF_HUB_OFFLINE` (or `HF_DATASETS_OFFLINE`)."""
    return _flag("HF_HUB_OFFLINE") or _flag("HF_DATASETS_OFFLINE") or _flag("TRANSFORMERS_OFFLINE")


def _folder(name: str, *otherwise: str | Path) -> Path:
    text = os.environ.get(name)
    return Path(os.path.expandvars(text)).expanduser() if text else Path(*otherwise)


def hf_home() -> Path:
    """The folder that libraries of the Hub share: `HF_HOME`, or `~/.cache/huggingface`."""
    return _folder("HF_HOME", _folder("XDG_CACHE_HOME", Path.home(), ".cache"), "huggingface")


def hub_cache() -> Path:
    """The folder of downloaded files of the Hub: `HF_HUB_CACHE`, or `$HF_HOME/hub`."""
    return _folder("HF_HUB_CACHE", _folder("HUGGINGFACE_HUB_CACHE", hf_home(), "hub"))


def datasets_cache() -> Path:
    """The folder of what is made of data sets: as the program says it (`rowstream.config`), or `HF_DATASETS_CACHE`, or `$HF_HOME/datasets`."""
    if config.HF_DATASETS_CACHE != _AT_FIRST:
        return Path(config.HF_DATASETS_CACHE).expanduser()
    return _folder("HF_DATASETS_CACHE", hf_home(), "datasets")


def listings() -> Path:
    """The folder of what is known of data sets of the Hub: beside what is made of them, so that whoever has the one has the other."""
    return datasets_cache() / "rowstream" / ".listings"


def own_cache() -> Path:
    """The folder of what rowstream keeps else: `ROWSTREAM_CACHE`; beside the data where `HF_HOME` or `HF_DATASETS_CACHE` say where that
    is; or `~/.cache/rowstream`.
    """
    if not os.environ.get("ROWSTREAM_CACHE") and (os.environ.get("HF_HOME") or os.environ.get("HF_DATASETS_CACHE")):
        return datasets_cache() / "rowstream" / ".kept"
    return _folder("ROWSTREAM_CACHE", _folder("XDG_CACHE_HOME", Path.home(), ".cache"), "rowstream")


def find_token() -> str | None:
    """The token of the Hub, where its own client finds it: `HF_TOKEN`, else the file that logging in wrote."""
    return _found_token()[0]


def _found_token() -> tuple[str | None, str]:
    """That token, and where it was found."""
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        if token := os.environ.get(name, "").replace("\r", "").replace("\n", "").strip():
            return token, name
    path = _folder("HF_TOKEN_PATH", hf_home(), "token")
    try:
        return path.read_text(encoding="utf-8").strip() or None, str(path)
    except (OSError, UnicodeDecodeError):
        return None, ""


_S3 = {
    "key": "aws_access_key_id",
    "secret": "aws_secret_access_key",
    "token": "aws_session_token",
    "endpoint_url": "aws_endpoint",
    "region_name": "aws_region",
    "region": "aws_region",
    "anon": "aws_skip_signature",
    "aws_anonymous": "aws_skip_signature",
    "requester_pays": "aws_request_payer",
}
_GCS = {"token": "google_service_account", "anon": "google_skip_signature", "endpoint_url": "google_base_url"}
_AZURE = {
    "account_name": "azure_storage_account_name",
    "account_key": "azure_storage_account_key",
    "sas_token": "azure_storage_sas_key",
    "tenant_id": "azure_storage_tenant_id",
    "client_id": "azure_storage_client_id",
    "client_secret": "azure_storage_client_secret",
    "anon": "azure_skip_signature",
    "endpoint_url": "azure_storage_endpoint",
}
"""The names that fsspec's file systems have for options, and those that the core has."""

_PATIENCE = ("timeout", "retries", "deadline")


def _profile(name: str | None) -> dict[str, str]:
    """The credentials and the region of a profile of AWS's files. Raises where a profile is named that is not there."""
    import configparser

    named = name or os.environ.get("AWS_PROFILE")
    profile, found, there = named or "default", {}, False
    for variable, default, section in (
        ("AWS_CONFIG_FILE", "config", profile if profile == "default" else f"profile {profile}"),
        ("AWS_SHARED_CREDENTIALS_FILE", "credentials", profile),
    ):
        file = configparser.RawConfigParser()
        try:
            file.read(_folder(variable, Path.home(), ".aws", default), encoding="utf-8")
        except configparser.Error:
            continue
        if file.has_section(section):
            there = True
            for key in ("aws_access_key_id", "aws_secret_access_key", "aws_session_token", "region", "endpoint_url"):
                if value := file.get(section, key, fallback=None):
                    found[{"region": "aws_region", "endpoint_url": "aws_endpoint"}.get(key, key)] = value
    if named and not there:
        raise InvalidArgumentError(f"there is no profile {named!r} in the configuration of AWS")
    return found


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _of_cloud(kind: str, options: dict[str, Any]) -> dict[str, str]:
    """The options of an object store, by the names that the core has for them."""
    left = dict(options)
    made: dict[str, str] = {}
    if kind == "s3":
        explicit = left.pop("profile", None)
        if explicit or "AWS_ACCESS_KEY_ID" not in os.environ:
            made |= _profile(explicit)
        for nested in ("client_kwargs", "config_kwargs"):
            left |= left.pop(nested, None) or {}
        for name in ("use_ssl", "default_block_size", "default_fill_cache", "default_cache_type", "s3_additional_kwargs", "verify"):
            left.pop(name, None)
        if style := (left.pop("s3", None) or {}).get("addressing_style"):
            made["aws_virtual_hosted_style_request"] = _text(style == "virtual")
    names = {"s3": _S3, "gs": _GCS, "az": _AZURE}[kind]
    for name, value in left.items():
        if value is not None:
            made[names.get(name, name)] = json.dumps(value) if isinstance(value, dict) else _text(value)
    if kind == "s3" and made.get("aws_endpoint", "").startswith("http://"):
        made.setdefault("aws_allow_http", "true")
    if kind == "s3":
        made.setdefault("aws_region", os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1")
    if kind == "gs" and made.get("google_service_account") in ("anon", "false"):
        del made["google_service_account"]
        made["google_skip_signature"] = "true"
    return made


CLOUDS = {"s3": "s3", "s3a": "s3", "gs": "gs", "gcs": "gs", "az": "az", "azure": "az", "abfs": "az", "abfss": "az", "adl": "az"}
"""The schemes of object stores."""


@dataclass(frozen=True, repr=False)
class Access:
    """Credentials and settings for the sources of one data set.

    It is pickled without what is secret, except to start a process of this machine: elsewhere, credentials are found anew where
    that machine has them. Nothing secret is shown by `repr`.

    Attributes:
        token: the token of the Hub: as given, `True` (find one), `False` (none) or `None` (find one).
        storage_options: options of the sources, by the names of fsspec or of the core; or by scheme: `{"s3": {…}}`.
        cache_dir: the folder of the disk cache for streams; none if `None`.
        cache_limit: the bytes that it may hold.
        endpoint: the Hub.
    """

    token: bool | str | None = field(default=None, compare=False)
    storage_options: dict[str, Any] | None = field(default=None, compare=False)
    cache_dir: str | None = None
    cache_limit: int | None = None
    endpoint: str = field(default_factory=endpoint)

    def __post_init__(self) -> None:
        if self.token is True and find_token() is None:
            raise InvalidArgumentError("token=True: there is no token; log in with `hf auth login`, or set HF_TOKEN")

    def __repr__(self) -> str:
        return f"Access(endpoint={self.endpoint!r}, cache_dir={self.cache_dir!r}, cache_limit={self.cache_limit!r})"

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
        if self.token is False or (self.token is None and _flag("HF_HUB_DISABLE_IMPLICIT_TOKEN")):
            return None
        return find_token()

    def token_of(self) -> str | None:
        """Where the token comes from, for people; `None` if there is none."""
        if self._token() is None:
            return None
        return "that was given" if isinstance(self.token, str) else f"of {_found_token()[1]}"

    @cached_property
    def made(self) -> dict[str, _core.Access]:
        """The core's own, by kind of source."""
        return {}

    def core(self, location: str = "") -> _core.Access:
        """What the core needs for a location."""
        scheme = location.partition("://")[0] if "://" in location else ""
        if scheme not in ("", "http", "https", "hf", "file", *CLOUDS) or "::" in location:
            return self._foreign()
        kind = CLOUDS.get(scheme, "http")
        if kind not in self.made:
            self.made[kind] = _core.Access(json.dumps(self._settings(kind, scheme)))
        return self.made[kind]

    def hurried(self, tries: int) -> _core.Access:
        """What the core needs for a question of the Hub that can do without its answer."""
        name = f"hurried {tries}"
        if name not in self.made:
            settings = self._settings("http", "")
            given = settings.get("patience", {})
            settings["patience"] = {**given, "timeout": min(given.get("timeout", 10), 10), "deadline": min(given.get("deadline", 20), 20)}
            settings["patience"]["retries"] = min(given.get("retries", 6), tries)
            self.made[name] = _core.Access(json.dumps(settings))
        return self.made[name]

    def foreign(self) -> dict[str, Any]:
        """The options of file systems of fsspec."""
        return dict(self.storage_options or {})

    def _foreign(self) -> _core.Access:
        """What the core needs for files that fsspec reads."""
        from rowstream.foreign import serve

        if "fsspec" not in self.made:
            number = hash(json.dumps(self.foreign(), sort_keys=True, default=str)) & (2**63 - 1)
            serve(number, self.foreign())
            self.made["fsspec"] = _core.Access("{}", number)
        return self.made["fsspec"]

    def _settings(self, kind: str, scheme: str) -> dict[str, Any]:
        given = dict(self.storage_options or {})
        for name in (scheme, kind, "https" if kind == "http" else kind):
            if isinstance(given.get(name), dict):
                given = dict(given[name])
                break
        given = {name: value for name, value in given.items() if not (name in (*CLOUDS, "hf", "http", "https") and isinstance(value, dict))}
        patience = {name: given.pop(name) for name in _PATIENCE if name in given}
        made: dict[str, Any] = {"hub": {"endpoint": self.endpoint, "token": self._token()}}
        if patience:
            made["patience"] = patience
        if self.cache_dir is not None:
            made["cache"] = {"folder": os.path.abspath(os.path.expanduser(self.cache_dir)), "limit": self.cache_limit}  # noqa: PTH100, PTH111
        made["offline"] = offline()
        made["heads"] = str(own_cache() / "heads")
        made["downloads"] = str(hub_cache())
        if kind == "http":
            made["headers"] = self._headers(given)
        else:
            made["options"] = _of_cloud(kind, given)
        return made

    @staticmethod
    def _headers(given: dict[str, Any]) -> dict[str, dict[str, str]]:
        """Headers by origin: `{"headers": {"https://host": {…}}}`."""
        client = given.pop("client_kwargs", None) or {}
        headers = given.pop("headers", None) or client.get("headers") or {}
        given.pop("token", None)
        if headers and not all(isinstance(of, dict) for of in headers.values()):
            raise InvalidArgumentError(
                'storage_options["headers"] of HTTP names the origin that each is for, so that no other host is sent it: '
                '{"headers": {"https://host": {"Authorization": "…"}}}'
            )
        for name in ("block_size", "size_policy", "cache_type", "encoded", "trust_env"):
            given.pop(name, None)
        if given:
            raise InvalidArgumentError(f"storage_options: there is no option {', '.join(map(repr, given))} for HTTP and the Hub")
        return {origin: {name: str(value) for name, value in of.items()} for origin, of in headers.items()}
