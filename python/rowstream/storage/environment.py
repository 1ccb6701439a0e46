"""Places of tokens, caches and the Hub, from environment variables."""

from __future__ import annotations

import os
from pathlib import Path

from rowstream import config
from rowstream.storage.options.base import flag

_AT_FIRST = config.HF_DATASETS_CACHE


def endpoint() -> str:
    """Return the URL of the Hub: `HF_ENDPOINT`, or https://huggingface.co."""
    return os.environ.get("HF_ENDPOINT", "").rstrip("/") or "https://huggingface.co"


def offline() -> bool:
    """Return whether requests to the Hub are forbidden by `HF_HUB_OFFLINE`.

    `HF_DATASETS_OFFLINE` and `TRANSFORMERS_OFFLINE` do the same.
    """
    return flag("HF_HUB_OFFLINE") or flag("HF_DATASETS_OFFLINE") or flag("TRANSFORMERS_OFFLINE")


def _folder(name: str, *otherwise: str | Path) -> Path:
    text = os.environ.get(name)
    return Path(os.path.expandvars(text)).expanduser() if text else Path(*otherwise)


def hf_home() -> Path:
    """Return the folder that libraries of the Hub share: `HF_HOME`, or `~/.cache/huggingface`."""
    return _folder("HF_HOME", _folder("XDG_CACHE_HOME", Path.home(), ".cache"), "huggingface")


def hub_cache() -> Path:
    """Return the folder of downloaded files of the Hub: `HF_HUB_CACHE`, or `$HF_HOME/hub`."""
    return _folder("HF_HUB_CACHE", _folder("HUGGINGFACE_HUB_CACHE", hf_home(), "hub"))


def datasets_cache() -> Path:
    """Return the folder of built datasets.

    It is that of `rowstream.config` if the program set it, `HF_DATASETS_CACHE`, or
    `$HF_HOME/datasets`.
    """
    if config.HF_DATASETS_CACHE != _AT_FIRST:
        return Path(config.HF_DATASETS_CACHE).expanduser()
    return _folder("HF_DATASETS_CACHE", hf_home(), "datasets")


def listings() -> Path:
    """Return the folder with the file lists of datasets on the Hub.

    It is next to the built datasets, so that whoever has these has the lists, too.
    """
    return datasets_cache() / "rowstream" / ".listings"


def own_cache() -> Path:
    """Return the folder of rowstream's other caches.

    It is `ROWSTREAM_CACHE`; next to the datasets if `HF_HOME` or `HF_DATASETS_CACHE` is set; or
    `~/.cache/rowstream`.
    """
    if not os.environ.get("ROWSTREAM_CACHE") and (
        os.environ.get("HF_HOME") or os.environ.get("HF_DATASETS_CACHE")
    ):
        return datasets_cache() / "rowstream" / ".kept"
    return _folder("ROWSTREAM_CACHE", _folder("XDG_CACHE_HOME", Path.home(), ".cache"), "rowstream")


def find_token() -> str | None:
    """Return the Hub token as its own client finds it: `HF_TOKEN`, or the file of the login."""
    return found_token()[0]


def found_token() -> tuple[str | None, str]:
    """Return the Hub token, and where it was found."""
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        if token := os.environ.get(name, "").replace("\r", "").replace("\n", "").strip():
            return token, name
    path = _folder("HF_TOKEN_PATH", hf_home(), "token")
    try:
        return path.read_text(encoding="utf-8").strip() or None, str(path)
    except (OSError, UnicodeDecodeError):
        return None, ""
