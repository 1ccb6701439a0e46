"""Where tokens, caches and the Hub are, by environment variables."""

from __future__ import annotations

import os
from pathlib import Path

from rowstream import config
from rowstream.storage.options.base import flag

_AT_FIRST = config.HF_DATASETS_CACHE


def endpoint() -> str:
    """Return where the Hub is: `HF_ENDPOINT`, or https://huggingface.co."""
    return os.environ.get("HF_ENDPOINT", "").rstrip("/") or "https://huggingface.co"


def offline() -> bool:
    """Return whether nothing may be asked of the Hub: `HF_HUB_OFFLINE` (or
    `HF_DATASETS_OFFLINE`).
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
    """Return the folder of what is made of data sets: as the program says (`rowstream.config`),
    `HF_DATASETS_CACHE`, or `$HF_HOME/datasets`.
    """
    if config.HF_DATASETS_CACHE != _AT_FIRST:
        return Path(config.HF_DATASETS_CACHE).expanduser()
    return _folder("HF_DATASETS_CACHE", hf_home(), "datasets")


def listings() -> Path:
    """Return the folder of what is known of data sets of the Hub: beside what is made of them, so
    that whoever has the one has the other.
    """
    return datasets_cache() / "rowstream" / ".listings"


def own_cache() -> Path:
    """Return the folder of what rowstream keeps else: `ROWSTREAM_CACHE`; beside the data where
    `HF_HOME` or `HF_DATASETS_CACHE` say where that is; or `~/.cache/rowstream`.
    """
    if not os.environ.get("ROWSTREAM_CACHE") and (
        os.environ.get("HF_HOME") or os.environ.get("HF_DATASETS_CACHE")
    ):
        return datasets_cache() / "rowstream" / ".kept"
    return _folder("ROWSTREAM_CACHE", _folder("XDG_CACHE_HOME", Path.home(), ".cache"), "rowstream")


def find_token() -> str | None:
    """Return the token of the Hub, where its own client finds it: `HF_TOKEN`, else the file that
    logging in wrote.
    """
    return found_token()[0]


def found_token() -> tuple[str | None, str]:
    """Return that token, and where it was found."""
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        if token := os.environ.get(name, "").replace("\r", "").replace("\n", "").strip():
            return token, name
    path = _folder("HF_TOKEN_PATH", hf_home(), "token")
    try:
        return path.read_text(encoding="utf-8").strip() or None, str(path)
    except (OSError, UnicodeDecodeError):
        return None, ""
