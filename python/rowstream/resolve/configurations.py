"""The configurations of a repository: those in its card, or those that its files suggest."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rowstream.exceptions import (
    DataFilesNotFoundError,
    DatasetNotFoundError,
    InvalidArgumentError,
    UnsupportedError,
)
from rowstream.resolve import formats
from rowstream.resolve.folder_files import data_files_of
from rowstream.storage import patterns
from rowstream.storage.globs import matching
from rowstream.storage.hub import CONVERTED, Repo, repo

if TYPE_CHECKING:
    from rowstream.storage.access import StorageOptions


@dataclass(frozen=True)
class Configuration:
    """A configuration of a repository: its files by split, and its description in the card."""

    name: str
    repo: Repo
    files: dict[str, list[str]]
    format: str
    options: dict[str, Any]
    info: dict[str, Any]


def _data(paths: list[str]) -> list[str]:
    """Return the files that may be data: not hidden, and no card or license."""
    return [
        path
        for path in paths
        if not any(part.startswith(".") for part in path.split("/")) and patterns.wanted(path, "")
    ]


def _inside(pattern: str, of: str) -> str:
    """Return a pattern of a card, after a check that it stays in the repository."""
    text = str(pattern).removeprefix("./")
    if "://" in text or text.startswith(("/", "~/")) or ".." in text.replace("\\", "/").split("/"):
        raise InvalidArgumentError(
            f"the card of {of} names {pattern!r}: a card can only name files of its own repository"
        )
    return text


def _of_card(of: Repo, config: dict[str, Any]) -> dict[str, list[str]]:
    """Return the files by split that the card lists for a configuration."""
    folder = _inside(config.get("data_dir") or "", of.id).strip("/")
    said = config.get("data_files")
    there = [path for path in of.files if not folder or path.startswith(f"{folder}/")]
    if said is None:
        return _by_split(_data(sorted(there)))
    if isinstance(said, dict):
        entries = [{"split": split, "path": path} for split, path in said.items()]
    elif isinstance(said, list) and said and all(isinstance(one, dict) for one in said):
        entries = said
    else:
        entries = [{"split": "train", "path": said}]
    result: dict[str, list[str]] = {}
    for entry in entries:
        some = entry["path"] if isinstance(entry["path"], list) else [entry["path"]]
        for pattern in some:
            inside = _inside(pattern, of.id)
            found = matching(there, inside, of.odd, folder)
            if not found:
                raise DataFilesNotFoundError(
                    f"the card of {of.id} names {pattern!r} for {entry['split']!r}, and no file"
                    " matches"
                )
            result.setdefault(str(entry["split"]), []).extend(found)
    return result


def _of_folder(of: Repo, folder: str) -> dict[str, list[str]]:
    """Return the files by split of a folder in a repository; of all of it if `folder` is empty."""
    folder = "" if folder == "." else folder.strip("/")
    start = f"{folder}/" if folder else ""
    there = _data(sorted(path for path in of.files if path.startswith(start)))
    return {
        split: [start + path for path in some]
        for split, some in _by_split([path.removeprefix(start) for path in there]).items()
    }


def _same(files: dict[str, list[str]], others: dict[str, list[str]], split: Any) -> bool:
    """Return whether both configurations have the same files in a split."""
    return sorted(files.get(split, ())) == sorted(others.get(split, ()))


def _by_split(paths: list[str]) -> dict[str, list[str]]:
    """Return the data files by split; none where no name tells a format."""
    if not any(formats.by_name(path) for path in paths):
        return {}
    return data_files_of(paths, None)[1]


_NOT_OPTIONS = frozenset(
    (
        *("config_name", "data_files", "data_dir", "default", "description", "version", "name"),
        "features",  # types, as `dataset_info` has them
    )
)


def configuration(
    of: Repo, name: str | None, data_dir: str | None, access: StorageOptions
) -> Configuration:
    """Return a configuration of a repository, from its card or from the names of its files.

    Raises:
        InvalidArgumentError: The configuration does not exist, or none is chosen of several.
        DataFilesNotFoundError: It has no data files.
    """
    configs = [
        one
        for one in of.card.get("configs") or []
        if isinstance(one, dict) and one.get("config_name")
    ]
    if configs and data_dir is None:
        config = _picked(configs, name, of)
        files = _of_card(of, config)
        label, own = str(config["config_name"]), config.get("features")
        options = {
            key: value
            for key, value in config.items()
            if key not in _NOT_OPTIONS and value is not None
        }
    else:
        files = _of_folder(of, _inside(data_dir or "", of.id))
        label, options, own = name or "default", {}, None
        if not files:
            if data_dir is None and of.sha and not of.files.keys() <= {"README.md"}:
                return _converted(of, name, access)
            raise DataFilesNotFoundError(
                f"{of.id}{f' at {of.sha[:12]}' if of.sha else ''} has no data files of a known"
                " format"
            )
        infos = _infos(of)
        if name is not None and name != "default" and name not in infos:
            raise InvalidArgumentError(
                f"{of.id} has no configuration {name!r}; there is {sorted(infos) or ['default']}"
            )
    format = formats.require(formats.of_files(path for some in files.values() for path in some))
    info = _infos(of).get(label, {})
    if own is not None:
        info = {**info, "features": own}
    if data_dir is not None and "splits" in info:
        # The card counts the files of the whole configuration, which may not be those of the
        # folder.
        named = [one for one in configs if str(one["config_name"]) == label]
        whole = _of_card(of, named[0]) if named else _of_folder(of, "")
        alike = [
            one
            for one in info["splits"] or ()
            if isinstance(one, dict) and _same(files, whole, one.get("name"))
        ]
        info = {**info, "splits": alike}
    return Configuration(label, of, files, format, options, info)


def configurations(of: Repo, access: StorageOptions) -> tuple[list[str], str | None]:
    """Return the names of a repository's configurations, and the one that is the default."""
    configs = [
        one
        for one in of.card.get("configs") or []
        if isinstance(one, dict) and one.get("config_name")
    ]
    names = [str(one["config_name"]) for one in configs]
    default = next((str(one["config_name"]) for one in configs if one.get("default")), None)
    if not names:
        names = list(_infos(of)) or ["default"]
        try:
            _by_split(_data(sorted(of.files)))
            known = bool(_data(sorted(of.files)))
        except (UnsupportedError, DataFilesNotFoundError):
            known = False
        if not known and of.sha and not of.files.keys() <= {"README.md"}:
            with contextlib.suppress(DatasetNotFoundError):
                names = list(
                    dict.fromkeys(
                        path.partition("/")[0]
                        for path in sorted(repo(of.id, CONVERTED, access).files)
                        if "/" in path
                    )
                )
    if default is None:
        default = names[0] if len(names) == 1 else "default" if "default" in names else None
    return names, default


def _picked(configs: list[dict[str, Any]], name: str | None, of: Repo) -> dict[str, Any]:
    by_name = {str(one["config_name"]): one for one in configs}
    if name is not None:
        if name not in by_name:
            raise InvalidArgumentError(
                f"{of.id} has no configuration {name!r}; there is {sorted(by_name)}"
            )
        return by_name[name]
    if len(by_name) == 1:
        return configs[0]
    default = [one for one in configs if one.get("default")] or [
        one for one in configs if one["config_name"] == "default"
    ]
    if default:
        return default[0]
    raise InvalidArgumentError(
        f"{of.id} has several configurations, and none is the default: name one of"
        f" {sorted(by_name)}, as in load_dataset({of.id!r}, {min(by_name)!r})"
    )


def _infos(of: Repo) -> dict[str, dict[str, Any]]:
    """Return the descriptions of the configurations in the card."""
    said = of.card.get("dataset_info")
    some = [said] if isinstance(said, dict) else said if isinstance(said, list) else []
    return {str(one.get("config_name", "default")): one for one in some if isinstance(one, dict)}


def _converted(of: Repo, name: str | None, access: StorageOptions) -> Configuration:
    """Return the Hub's Parquet conversion of a repository with files of unknown formats."""
    try:
        converted = repo(of.id, CONVERTED, access)
    except DatasetNotFoundError:
        raise DataFilesNotFoundError(
            f"{of.id} at {of.sha[:12]} has no data files of a known format, and the Hub has not"
            " converted it"
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
        raise InvalidArgumentError(
            f"{of.id} has several configurations: name one of {sorted(found)}"
        )
    label = name or ("default" if "default" in found else next(iter(found)))
    if label not in found:
        raise InvalidArgumentError(
            f"{of.id} has no configuration {label!r}; there is {sorted(found)}"
        )
    order = [
        str(split.get("name"))
        for split in _infos(of).get(label, {}).get("splits", [])
        if isinstance(split, dict)
    ]
    splits = {
        split: found[label][split]
        for split in (
            *(s for s in order if s in found[label]),
            *(s for s in found[label] if s not in order),
        )
    }
    info = dict(_infos(of).get(label, {}))
    if any(path.startswith(f"{label}/partial-") for path in converted.files):
        info.pop("splits", None)  # the card counts all rows
    return Configuration(label, converted, splits, "parquet", {}, info)
