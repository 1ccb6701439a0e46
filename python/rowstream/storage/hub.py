"""Repositories of the Hub at a commit: their files, as the Hub lists them or did before."""

from __future__ import annotations

import hashlib
import json
import re
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from rowstream.exceptions import (
    DataFilesNotFoundError,
    DatasetNotFoundError,
    FilePermissionError,
    InvalidArgumentError,
    ReadError,
)
from rowstream.storage.environment import listings, offline
from rowstream.storage.globs import matching
from rowstream.utils.atomic import write_small
from rowstream.version import __version__

if TYPE_CHECKING:
    from pathlib import Path

    from rowstream.storage.access import StorageOptions


_NAME = re.compile(
    r"(?!.*(--|\.\.))(?!.*\.git$)[A-Za-z0-9_][\w.-]*(/[A-Za-z0-9_][\w.-]*)?", re.ASCII
)
_SHA = re.compile(r"[0-9a-f]{40}")
_URL = re.compile(
    r"hf://(?P<kind>datasets|models|spaces)/(?P<repo>[^/@]+/[^/@]+|[^/@]+(?=@))"
    r"(?:@(?P<revision>refs/(?:convert|pr)/[^/]+|[^/]+))?/(?P<path>.*)",
    re.DOTALL,
)
CONVERTED = "refs/convert/parquet"
"""The revision with the Parquet files that the Hub converts datasets to."""


@dataclass(frozen=True)
class Repo:
    """A repository of the Hub at one commit.

    Attributes:
        id: Its present name; an older name redirects to it.
        sha: The commit.
        files: The length and the version of each file: `sha256:…` for large ones, else `git:…`.
        card: The metadata of the card, as the Hub parsed it.
        kind: `datasets`, `models` or `spaces`.
        odd: Files with a backslash in their names, which patterns leave out.
    """

    id: str
    sha: str
    files: dict[str, tuple[int, str]]
    card: dict[str, Any]
    kind: str = "datasets"
    odd: dict[str, tuple[int, str]] = field(default_factory=dict)

    def location(self, path: str) -> str:
        """Return the URL of a file at this commit."""
        return f"hf://{self.kind}/{self.id}@{self.sha}/{path}"

    def locate(self, paths: list[str], known: dict[str, tuple[int, str | None]]) -> list[str]:
        """Return the URLs of files at this commit, and add their lengths and versions to a dict."""
        result = []
        for path in paths:
            location = self.location(path)
            known[location] = self.files.get(path) or self.odd[path]
            result.append(location)
        return result


def is_name(path: str) -> bool:
    """Return whether a text is a valid name of a repository."""
    return len(path) <= 193 and _NAME.fullmatch(path) is not None


def _safe(path: str) -> bool:
    """Return whether a path stays inside its repository."""
    return bool(path) and "\0" not in path and not {"", ".", ".."} & set(path.split("/"))


def _kept(*key: str) -> Path:
    """Return the path of stored data about the Hub, which is shared by all users and mirrors."""
    return listings() / hashlib.sha256("\0".join(key).encode()).hexdigest()


def _seen(access: StorageOptions, *key: str) -> Path:
    """Return the path of a file that exists if a server has shown something to this token."""
    who = hashlib.sha256((access._token() or "").encode()).hexdigest()
    return _kept("seen", access.endpoint, who, *key)


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def repo(name: str, revision: str | None, access: StorageOptions, kind: str = "datasets") -> Repo:
    """Return the files and the card of a repository at a revision, with one request.

    A commit that was listed before needs no request. If the Hub does not answer, its last answer is
    returned with a warning.

    Raises:
        DatasetNotFoundError: There is no such repository or revision, or the token has no access.
        ReadError: The Hub does not answer, or `HF_HUB_OFFLINE` is set, and nothing is remembered.
    """
    if not is_name(name):
        raise InvalidArgumentError(f"{name!r} is not the name of a repository: expected org/name")
    revision = unquote(revision or "main")
    if (
        _SHA.fullmatch(revision)
        and _seen(access, kind, name, revision).exists()
        and (known := _remembered(kind, name, revision)[0])
    ):
        return known
    if offline():
        if known := _remembered(kind, name, revision)[0]:
            return known
        raise ReadError(
            f"{name}: HF_HUB_OFFLINE is set, and revision {revision!r} was not listed before"
        )
    last, at = _remembered(kind, name, revision)
    silent = time.monotonic() < _SILENT.get(access.endpoint, 0.0)
    try:
        known = _asked(name, revision, access, kind, None if last is None else 0 if silent else 6)
    except ReadError as error:
        _SILENT[access.endpoint] = time.monotonic() + 300
        if last is None:
            raise
        warnings.warn(
            f"the Hub does not answer, so {name} at revision {revision!r} is taken as it was on "
            f"{time.strftime('%Y-%m-%d', time.localtime(at))}, commit {last.sha}: {error}",
            stacklevel=2,
        )
        return last
    _SILENT.pop(access.endpoint, None)
    text = json.dumps(
        {
            "id": known.id,
            "sha": known.sha,
            "files": known.files,
            "odd": known.odd,
            "card": known.card,
        }
    )
    for of in {name, known.id}:
        write_small(_kept(kind, of, known.sha), text, private=False)
        write_small(_kept("ref", kind, of, revision), json.dumps(known.sha), private=False)
        write_small(_seen(access, kind, of, known.sha), "", private=False)
    return known


def remembered(of: Any, find: Callable[[], str]) -> str:
    """Return a text that is computed from files of commits, or its last value if the Hub fails."""
    path = _kept("scan", __version__, json.dumps(of, sort_keys=True))
    try:
        text = find()
    except ReadError:
        try:
            digest, _, text = path.read_text(encoding="utf-8").partition("\n")
        except (OSError, ValueError):
            digest = text = ""
        if hashlib.sha256(text.encode()).hexdigest() != digest:
            raise
    else:
        if not path.exists():
            write_small(path, f"{hashlib.sha256(text.encode()).hexdigest()}\n{text}", private=False)
    return text


def _remembered(kind: str, name: str, revision: str) -> tuple[Repo | None, float]:
    """Return the last known content of a repository at a revision, and the time of that listing."""
    ref = _kept("ref", kind, name, revision)
    sha = revision if _SHA.fullmatch(revision) else _read(ref)
    if not isinstance(sha, str):
        return None, 0.0
    kept = ref if sha != revision else _kept(kind, name, sha)
    try:
        return _of_json(_read(_kept(kind, name, sha)), kind), kept.stat().st_mtime
    except OSError:
        return None, 0.0


_SILENT: dict[str, float] = {}
"""Hubs that did not answer, and until when they get no retries if an older answer is known."""


def _asked(name: str, revision: str, access: StorageOptions, kind: str, tries: int | None) -> Repo:
    """Ask the Hub for a repository at a revision, and return the answer.

    `tries` is the number of retries if an older answer is known; `None` retries as set.
    """
    url = (
        f"{access.endpoint}/api/{kind}/{quote(name)}/revision/{quote(revision, safe='')}?blobs=true"
    )
    try:
        body = (access.core() if tries is None else access.hurried(tries)).document(url)
    except (DataFilesNotFoundError, FilePermissionError) as error:
        if "the server said 401" in str(error) and (of := access.token_of()):
            raise FilePermissionError(
                f"the token {of} is not valid, or no longer: log in again with `hf auth login`:"
                f" {error}"
            ) from None
        hint = (
            ""
            if access._token()
            else "; if it is private or gated, log in with `hf auth login`, or pass token="
        )
        raise DatasetNotFoundError(
            f"there is no data set {name!r} at revision {revision!r} that can be seen:"
            f" {error}{hint}"
        ) from None
    try:
        return _of_answer(json.loads(body), kind)
    except (ValueError, KeyError, TypeError) as error:
        raise ReadError(
            f"{name}: what the Hub says of it is not understood ({error}): is {access.endpoint} a"
            " Hub?"
        ) from None


def _of_answer(answer: dict[str, Any], kind: str) -> Repo:
    files: dict[str, tuple[int, str]] = {}
    odd: dict[str, tuple[int, str]] = {}
    for sibling in answer["siblings"]:
        path, lfs = sibling["rfilename"], sibling.get("lfs")
        if not _safe(path):
            raise ReadError(f"{answer['id']}: it lists a file {path!r}, which is outside of it")
        (odd if "\\" in path else files)[path] = (
            (int(lfs["size"]), f"sha256:{lfs['sha256']}")
            if lfs
            else (int(sibling["size"]), f"git:{sibling['blobId']}")
        )
    if not is_name(answer["id"]) or not _SHA.fullmatch(answer["sha"]):
        raise ReadError(f"{answer['id']!r} at {answer['sha']!r} is no commit of a repository")
    return Repo(answer["id"], answer["sha"], files, answer.get("cardData") or {}, kind, odd)


def _of_json(kept: Any, kind: str) -> Repo | None:
    try:
        files, odd = (
            {
                path: (int(size), str(version))
                for path, (size, version) in kept.get(of, {}).items()
                if _safe(path)
            }
            for of in ("files", "odd")
        )
        return Repo(kept["id"], kept["sha"], files, kept["card"], kind, odd)
    except (TypeError, KeyError, ValueError, AttributeError):
        return None


def taken_apart(url: str) -> tuple[str, str, str | None, str]:
    """Return the kind, repository, revision and path of a `hf://kind/org/name[@revision]/path`."""
    found = _URL.fullmatch(url)
    if found is None:
        raise InvalidArgumentError(f"{url}: expected hf://datasets/org/name@revision/path")
    return found["kind"], found["repo"], found["revision"], found["path"]


def pinned(url: str, access: StorageOptions) -> str:
    """Return a URL with its revision replaced by the commit that it is now."""
    kind, name, revision, path = taken_apart(url)
    return repo(name, revision, access, kind).location(path)


def resolve_url(
    folder: str, pattern: str, access: StorageOptions, known: dict[str, tuple[int, str | None]]
) -> list[str]:
    """Return the URLs of the files that `hf://datasets/org/name[@revision]/pattern` matches.

    All are at one commit, found with one request.

    Args:
        folder: The URL that the pattern is below, or an empty text.
        pattern: The pattern, or the whole URL with it.
        access: Credentials and settings.
        known: The dict to which the files' lengths and versions are added.
    """
    kind, name, revision, path = taken_apart(folder or pattern)
    of = repo(name, revision, access, kind)
    within, text = (path.rstrip("/"), pattern) if folder else ("", path)
    paths = matching(of.files, text, of.odd, within)
    if not paths:
        raise DataFilesNotFoundError(
            f"no file of {of.id} at {of.sha[:12]} matches {f'{within}/{text}' if within else text}"
        )
    return of.locate(paths, known)
