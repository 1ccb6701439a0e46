"""Options of Google Cloud Storage: those of gcsfs."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rowstream.exceptions import FilePermissionError
from rowstream.storage.options.base import IDLE, Meaning, flag, flat, off, sorted_out, wait

_OWN = {
    "google_": (
        *(
            "service_account",
            "service_account_path",
            "service_account_key",
            "base_url",
            "application_credentials",
            "bearer_token",
        ),
        *("skip_signature", "allow_http"),
    ),
}

_IDLE = IDLE | {
    "project",
    "access",
    "consistency",
    "cache_timeout",
    "secure_serialize",
    "check_connection",
    "default_location",
}


def _token(value: Any) -> dict[str, Any] | None:
    """Return the options for `token`: a place of credentials, a file or dict, or a token itself."""
    if isinstance(value, dict):
        return (
            {"google_service_account_key": json.dumps(value)}
            if value.get("type") == "service_account"
            else None
        )
    if value in ("anon", False):
        return {"google_skip_signature": "true"}
    if not isinstance(value, (str, Path)) or value in ("browser", "cache"):
        return None
    if value in ("google_default", "cloud"):
        return {}
    path = str(Path(value).expanduser())
    try:
        of = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError:
        # What looks like a file and is none is an error of whoever reads it.
        return (
            {"google_service_account": path}
            if path.endswith(".json")
            else {"google_bearer_token": str(value)}
        )
    except ValueError:
        return {"google_service_account": path}
    is_account = isinstance(of, dict) and of.get("type") == "service_account"
    return {"google_service_account" if is_account else "google_application_credentials": path}


_MEANINGS: dict[str, Meaning] = {
    "token": _token,
    "anon": "google_skip_signature",
    "endpoint_url": "google_base_url",
    "requester_pays": off,
    "requests_timeout": wait,
}


def meant(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options under the core's names.

    Raises:
        FilePermissionError: There are no credentials, and the environment forbids looking for them.
    """
    result = sorted_out("gs://", dict(flat(options)), _MEANINGS, _IDLE, _OWN)
    if flag("NO_GCE_CHECK") and not _credentials(result):
        raise FilePermissionError(
            "there are no credentials for gs://, and NO_GCE_CHECK is set: give"
            " storage_options={'token': 'service_account.json'}, or GOOGLE_APPLICATION_CREDENTIALS;"
            " {'anon': True} for what is public"
        )
    return result


def _credentials(made: Mapping[str, Any]) -> bool:
    """Return whether there are credentials or none are needed, without asking the machine."""
    names = {f"google_{name}" for name in _OWN["google_"]} - {
        "google_base_url",
        "google_allow_http",
    }
    if made.keys() & names or any(
        os.environ.get(name.upper()) for name in (*names, "service_account")
    ):
        return True
    return (Path.home() / ".config" / "gcloud" / "application_default_credentials.json").exists()
