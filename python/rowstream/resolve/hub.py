"""Data sets of the Hub: which files and configurations a repository has, by one request, remembered by commit."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import time
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from rowstream.access import listings, offline
from rowstream.exceptions import (
    DataFilesNotFoundError,
    DatasetNotFoundError,
    FilePermissionError,
    InvalidArgumentError,
    ReadError,
    UnsupportedError,
)
from rowstream.permissions import umask
from rowstream.resolve import formats, patterns
from rowstream.resolve.globs import matching
from rowstream.resolve.splits import by_split
from rowstream.version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable

    from rowstream.access import Access

_NAME = re.compile(r"(?!.*(--|\.\.))(?!.*\.git$)[A-Za-z0-9_][\w.-]*(/[A-Za-z0-9_][\w.-]*)?", re.ASCII)
_SHA = re.compile(r"[0-9a-f]{40}")
_URL = re.compile(
    r"hf://(?P<kind>datasets|models|spaces)/(?P<repo>[^/@]+/[^/@]+|[^/@]+(?=@))"
    r"(?:@(?P<revision>refs/(?:convert|pr)/[^/]+|[^/]+))?/(?P<path>.*)",
    re.DOTALL,
)
CONVERTED = "refs/convert/parquet"
"""The revision that the Hub converts data sets to."""


@dataclass(frozen=True)
class Repo:
    """A commit of a repository.

    Attributes:
        id: its name now: an old one leads to it.
        sha: the commit.
        files: the length and the version of each file: `sha256:…` of large ones, `git:…` of others.
        card: what the card says, as the Hub read it.
        kind: `datasets`, `models` or `spaces`.
        odd: files with a backslash in their names, which patterns leave out.
    """

    id: str
    sha: str
    files: dict[str, tuple[int, str]]
    card: dict[str, Any]
    kind: str = "datasets"
    odd: dict[str, tuple[int, str]] = field(default_factory=dict)

    def location(self, path: str) -> str:
        """Where a file of this commit is."""
        return f"hf://{self.kind}/{self.id}@{self.sha}/{path}"

    def locate(self, paths: list[str], known: dict[str, tuple[int, str | None]]) -> list[str]:
        """Where files of this commit are; their lengths and versions are noted in `known`, by location."""
        made = []
        for path in paths:
            location = self.location(path)
            known[location] = self.files.get(path) or self.odd[path]
            made.append(location)
        return made


class Folder(Repo):
    """A folder of this machine whose `README.md` is a card, as that of a repository is."""

    def location(self, path: str) -> str:
        """Where a file of it is."""
        return f"{self.id}/{path}"

    def locate(self, paths: list[str], known: dict[str, tuple[int, str | None]]) -> list[str]:  # noqa: ARG002 - as a repository's
        """Where files of it are."""
        return [self.location(path) for path in paths]


_FRONT = re.compile(r"\A---[ \t]*\r?\n(.*?)^---[ \t]*$", re.DOTALL | re.MULTILINE)


def folder(path: str) -> Folder | None:
    """A folder with a card that names configurations or says what is in it; `None` if it has none.

    Raises:
        InvalidArgumentError: the card is no YAML, or there is nothing that reads YAML.
    """
    root = Path(path).expanduser().absolute()
    try:
        found = _FRONT.search((root / "README.md").read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return None
    if found is None or not re.search(r"^(configs|dataset_info):", found[1], re.MULTILINE):
        return None
    try:
        import yaml
    except ImportError:
        raise InvalidArgumentError(
            f"{root / 'README.md'} says what the data set is, and reading it needs PyYAML: pip install pyyaml"
        ) from None
    try:
        card = yaml.safe_load(found[1])
    except yaml.YAMLError as error:
        raise InvalidArgumentError(f"{root / 'README.md'}: its first lines are no YAML: {error}") from None
    return Folder(str(root), "", dict.fromkeys(patterns.walk(str(root)), (0, "")), card if isinstance(card, dict) else {})


def is_name(path: str) -> bool:
    """Whether a text can be the name of a repository."""
    return len(path) <= 193 and _NAME.fullmatch(path) is not None


def _safe(path: str) -> bool:
    """Whether a path stays in its repository."""
    return bool(path) and "\0" not in path and not {"", ".", ".."} & set(path.split("/"))


def _kept(*key: str) -> Path:
    """Where something is kept of the Hub that all may find, whoever asked for it and by which mirror."""
    return listings() / hashlib.sha256("\0".join(key).encode()).hexdigest()


def _seen(access: Access, *key: str) -> Path:
    """What is there once a server said that this token may see something."""
    who = hashlib.sha256((access._token() or "").encode()).hexdigest()
    return _kept("seen", access.endpoint, who, *key)


def write_small(path: Path, text: str, *, private: bool = True) -> None:
    """Writes a small file whole or not at all: for this user alone, or with the rights that new files have. A folder that cannot be
    written is no reason to fail.
    """
    import tempfile

    try:
        path.parent.mkdir(mode=0o700 if private else 0o777, parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent)  # mode 0600, O_EXCL
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
            if not private:
                Path(name).chmod(0o666 & ~umask())
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError:
        return


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def repo(name: str, revision: str | None, access: Access, kind: str = "datasets") -> Repo:
    """What a repository has at a revision: one request; none where a commit is named that was seen before. Where the Hub does not answer,
    it is what it was when it last did, with a warning.

    Raises:
        DatasetNotFoundError: there is no such repository or revision, or the token may not see it.
        ReadError: the Hub does not answer, or nothing may be asked (`HF_HUB_OFFLINE`) and nothing is remembered.
    """
    if not is_name(name):
        raise InvalidArgumentError(f"{name!r} is not the name of a repository: expected org/name")
    revision = unquote(revision or "main")
    if _SHA.fullmatch(revision) and _seen(access, kind, name, revision).exists() and (known := _remembered(kind, name, revision)[0]):
        return known
    if offline():
        if known := _remembered(kind, name, revision)[0]:
            return known
        raise ReadError(f"{name}: HF_HUB_OFFLINE is set, and revision {revision!r} was not listed before")
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
    text = json.dumps({"id": known.id, "sha": known.sha, "files": known.files, "odd": known.odd, "card": known.card})
    for of in {name, known.id}:
        write_small(_kept(kind, of, known.sha), text, private=False)
        write_small(_kept("ref", kind, of, revision), json.dumps(known.sha), private=False)
        write_small(_seen(access, kind, of, known.sha), "", private=False)
    return known


def remembered(of: Any, find: Callable[[], str]) -> str:
    """A text that follows from files of commits; where the Hub does not give them, it is what it was before."""
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
    """What a repository had at a revision when it was last listed, and when that was."""
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
"""Hubs that did not answer, and until when they are asked only once for what is known of them."""


def _asked(name: str, revision: str, access: Access, kind: str, tries: int | None) -> Repo:
    """What the Hub says that a repository has at a revision. `tries`: how often it is asked again, where that does not matter much."""
    url = f"{access.endpoint}/api/{kind}/{quote(name)}/revision/{quote(revision, safe='')}?blobs=true"
    try:
        body = (access.core() if tries is None else access.hurried(tries)).document(url)
    except (DataFilesNotFoundError, FilePermissionError) as error:
        if "the server said 401" in str(error) and (of := access.token_of()):
            raise FilePermissionError(f"the token {of} is not valid, or no longer: log in again with `hf auth login`: {error}") from None
        hint = "" if access._token() else "; if it is private or gated, log in with `hf auth login`, or pass token="
        raise DatasetNotFoundError(f"there is no data set {name!r} at revision {revision!r} that can be seen: {error}{hint}") from None
    try:
        return _of_answer(json.loads(body), kind)
    except (ValueError, KeyError, TypeError) as error:
        raise ReadError(f"{name}: what the Hub says of it is not understood ({error}): is {access.endpoint} a Hub?") from None


def _of_answer(answer: dict[str, Any], kind: str) -> Repo:
    files: dict[str, tuple[int, str]] = {}
    odd: dict[str, tuple[int, str]] = {}
    for sibling in answer["siblings"]:
        path, lfs = sibling["rfilename"], sibling.get("lfs")
        if not _safe(path):
            raise ReadError(f"{answer['id']}: it lists a file {path!r}, which is outside of it")
        (odd if "\\" in path else files)[path] = (
            (int(lfs["size"]), f"sha256:{lfs['sha256']}") if lfs else (int(sibling["size"]), f"git:{sibling['blobId']}")
        )
    if not is_name(answer["id"]) or not _SHA.fullmatch(answer["sha"]):
        raise ReadError(f"{answer['id']!r} at {answer['sha']!r} is no commit of a repository")
    return Repo(answer["id"], answer["sha"], files, answer.get("cardData") or {}, kind, odd)


def _of_json(kept: Any, kind: str) -> Repo | None:
    try:
        files, odd = (
            {path: (int(size), str(version)) for path, (size, version) in kept.get(of, {}).items() if _safe(path)}
            for of in ("files", "odd")
        )
        return Repo(kept["id"], kept["sha"], files, kept["card"], kind, odd)
    except (TypeError, KeyError, ValueError, AttributeError):
        return None


def taken_apart(url: str) -> tuple[str, str, str | None, str]:
    """The kind, the repository, the revision and the path that `hf://datasets/org/name[@revision]/path` says."""
    found = _URL.fullmatch(url)
    if found is None:
        raise InvalidArgumentError(f"{url}: expected hf://datasets/org/name@revision/path")
    return found["kind"], found["repo"], found["revision"], found["path"]


def pinned(url: str, access: Access) -> str:
    """The same place at the commit that its revision is now."""
    kind, name, revision, path = taken_apart(url)
    return repo(name, revision, access, kind).location(path)


def resolve_url(folder: str, pattern: str, access: Access, known: dict[str, tuple[int, str | None]]) -> list[str]:
    """The files that `hf://datasets/org/name[@revision]/pattern` names: at one commit, by one request. `folder`: a URL that the pattern
    is below, if it is not all of it; `known`: where their lengths and versions are noted.
    """
    kind, name, revision, path = taken_apart(folder or pattern)
    of = repo(name, revision, access, kind)
    within, text = (path.rstrip("/"), pattern) if folder else ("", path)
    paths = matching(of.files, text, of.odd, within)
    if not paths:
        raise DataFilesNotFoundError(f"no file of {of.id} at {of.sha[:12]} matches {f'{within}/{text}' if within else text}")
    return of.locate(paths, known)


@dataclass(frozen=True)
class Configuration:
    """One configuration of a repository: its files by split, and what its card says of it."""

    name: str
    repo: Repo
    files: dict[str, list[str]]
    format: str
    options: dict[str, Any]
    info: dict[str, Any]


def _data(paths: list[str]) -> list[str]:
    """Files that may be data: not hidden, not a description."""
    return [path for path in paths if not any(part.startswith(".") for part in path.split("/")) and patterns.wanted(path, "")]


def _inside(pattern: str, of: str) -> str:
    """A pattern of a card, which stays in its repository."""
    text = str(pattern).removeprefix("./")
    if "://" in text or text.startswith(("/", "~/")) or ".." in text.replace("\\", "/").split("/"):
        raise InvalidArgumentError(f"the card of {of} names {pattern!r}: a card can only name files of its own repository")
    return text


def _of_card(of: Repo, config: dict[str, Any]) -> dict[str, list[str]]:
    """The files by split that a configuration of a card names."""
    folder = _inside(config.get("data_dir") or "", of.id).strip("/")
    said = config.get("data_files")
    there = [path for path in of.files if not folder or path.startswith(f"{folder}/")]
    if said is None:
        return by_split(_of_format(_data(sorted(there))))
    if isinstance(said, dict):
        entries = [{"split": split, "path": path} for split, path in said.items()]
    elif isinstance(said, list) and said and all(isinstance(one, dict) for one in said):
        entries = said
    else:
        entries = [{"split": "train", "path": said}]
    made: dict[str, list[str]] = {}
    for entry in entries:
        some = entry["path"] if isinstance(entry["path"], list) else [entry["path"]]
        for pattern in some:
            inside = _inside(pattern, of.id)
            found = matching(there, inside, of.odd, folder)
            if not found:
                raise DataFilesNotFoundError(f"the card of {of.id} names {pattern!r} for {entry['split']!r}, and no file matches")
            made.setdefault(str(entry["split"]), []).extend(found)
    return made


def _of_folder(of: Repo, folder: str) -> dict[str, list[str]]:
    """The files by split of a folder of a repository, as they are named; of all of it if the folder's name is empty."""
    folder = "" if folder == "." else folder.strip("/")
    start = f"{folder}/" if folder else ""
    there = _of_format(_data(sorted(path for path in of.files if path.startswith(start))))
    return {split: [start + path for path in some] for split, some in by_split([path.removeprefix(start) for path in there]).items()}


def _same(files: dict[str, list[str]], others: dict[str, list[str]], split: Any) -> bool:
    """Whether a split has the same files in both."""
    return sorted(files.get(split, ())) == sorted(others.get(split, ()))


def _of_format(paths: list[str]) -> list[str]:
    """The files of the format that most have."""
    known = [path for path in paths if formats.by_name(path)]
    if not known:
        return []
    format = formats.of_files(known)
    return [path for path in known if formats.by_name(path) == format]


_NOT_OPTIONS = frozenset(("config_name", "data_files", "data_dir", "default", "description", "version", "name"))


def configuration(of: Repo, name: str | None, data_dir: str | None, access: Access) -> Configuration:
    """A configuration of a repository: as its card says, or as its files are named.

    Raises:
        InvalidArgumentError: there is no such configuration, or there are several and none is named.
        DataFilesNotFoundError: it has no data files.
    """
    configs = [one for one in of.card.get("configs") or [] if isinstance(one, dict) and one.get("config_name")]
    if configs and data_dir is None:
        config = _picked(configs, name, of)
        files = _of_card(of, config)
        label = str(config["config_name"])
        options = {key: value for key, value in config.items() if key not in _NOT_OPTIONS and value is not None}
    else:
        files = _of_folder(of, _inside(data_dir or "", of.id))
        label, options = name or "default", {}
        if not files:
            if data_dir is None and of.sha and not of.files.keys() <= {"README.md"}:
                return _converted(of, name, access)
            raise DataFilesNotFoundError(f"{of.id}{f' at {of.sha[:12]}' if of.sha else ''} has no data files of a known format")
        infos = _infos(of)
        if name is not None and name != "default" and name not in infos:
            raise InvalidArgumentError(f"{of.id} has no configuration {name!r}; there is {sorted(infos) or ['default']}")
    format = formats.require(formats.of_files(path for some in files.values() for path in some))
    info = _infos(of).get(label, {})
    if data_dir is not None and "splits" in info:
        # The card counts the files of the whole configuration, which may not be those of the folder.
        named = [one for one in configs if str(one["config_name"]) == label]
        whole = _of_card(of, named[0]) if named else _of_folder(of, "")
        alike = [one for one in info["splits"] or () if isinstance(one, dict) and _same(files, whole, one.get("name"))]
        info = {**info, "splits": alike}
    return Configuration(label, of, files, format, options, info)


def configurations(of: Repo, access: Access) -> tuple[list[str], str | None]:
    """The names of a repository's configurations, and which of them is taken where none is named."""
    configs = [one for one in of.card.get("configs") or [] if isinstance(one, dict) and one.get("config_name")]
    names = [str(one["config_name"]) for one in configs]
    default = next((str(one["config_name"]) for one in configs if one.get("default")), None)
    if not names:
        names = list(_infos(of)) or ["default"]
        try:
            _of_format(_data(sorted(of.files)))
            known = bool(_data(sorted(of.files)))
        except (UnsupportedError, DataFilesNotFoundError):
            known = False
        if not known and of.sha and not of.files.keys() <= {"README.md"}:
            with contextlib.suppress(DatasetNotFoundError):
                names = list(dict.fromkeys(path.partition("/")[0] for path in sorted(repo(of.id, CONVERTED, access).files) if "/" in path))
    if default is None:
        default = names[0] if len(names) == 1 else "default" if "default" in names else None
    return names, default


def _picked(configs: list[dict[str, Any]], name: str | None, of: Repo) -> dict[str, Any]:
    by_name = {str(one["config_name"]): one for one in configs}
    if name is not None:
        if name not in by_name:
            raise InvalidArgumentError(f"{of.id} has no configuration {name!r}; there is {sorted(by_name)}")
        return by_name[name]
    if len(by_name) == 1:
        return configs[0]
    default = [one for one in configs if one.get("default")] or [one for one in configs if one["config_name"] == "default"]
    if default:
        return default[0]
    raise InvalidArgumentError(
        f"{of.id} has several configurations, and none is the default: name one of {sorted(by_name)}, as in "
        f"load_dataset({of.id!r}, {min(by_name)!r})"
    )


def _infos(of: Repo) -> dict[str, dict[str, Any]]:
    """What the card says of each configuration."""
    said = of.card.get("dataset_info")
    some = [said] if isinstance(said, dict) else said if isinstance(said, list) else []
    return {str(one.get("config_name", "default")): one for one in some if isinstance(one, dict)}


def _converted(of: Repo, name: str | None, access: Access) -> Configuration:
    """A repository whose own files are not read, as the Hub converted it."""
    try:
        converted = repo(of.id, CONVERTED, access)
    except DatasetNotFoundError:
        raise DataFilesNotFoundError(
            f"{of.id} at {of.sha[:12]} has no data files of a known format, and the Hub has not converted it"
        ) from None
    found: dict[str, dict[str, list[str]]] = {}
    for path in sorted(converted.files):
        config, _, rest = path.partition("/")
        split, _, file = rest.partition("/")
        if file.endswith(".parquet"):
            found.setdefault(config, {}).setdefault(split.removeprefix("partial-"), []).append(path)
    if not found:
        raise DataFilesNotFoundError(f"{of.id}: its converted revision has no files")
    if name is None and len(found) > 1 and "default" not in found:
        raise InvalidArgumentError(f"{of.id} has several configurations: name one of {sorted(found)}")
    label = name or ("default" if "default" in found else next(iter(found)))
    if label not in found:
        raise InvalidArgumentError(f"{of.id} has no configuration {label!r}; there is {sorted(found)}")
    order = [str(split.get("name")) for split in _infos(of).get(label, {}).get("splits", []) if isinstance(split, dict)]
    splits = {
        split: found[label][split] for split in (*(s for s in order if s in found[label]), *(s for s in found[label] if s not in order))
    }
    info = dict(_infos(of).get(label, {}))
    if any(path.startswith(f"{label}/partial-") for path in converted.files):
        info.pop("splits", None)  # the card counts all rows
    return Configuration(label, converted, splits, "parquet", {}, info)
