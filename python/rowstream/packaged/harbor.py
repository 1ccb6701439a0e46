"""Harbor: tasks for agents, a folder each, with `task.toml` and `instruction.md`."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any, ClassVar

from rowstream.exceptions import DataFilesNotFoundError
from rowstream.features.features import Features
from rowstream.features.nested import List
from rowstream.features.scalar import Value
from rowstream.features.text import Json
from rowstream.packaged.base import Reader, Source

_CANARY = re.compile(r"(<!--.*canary.*-->|#.*canary.*)", re.IGNORECASE)


@dataclass
class Harbor(Reader):
    """The reader of Harbor tasks: a row is a task.

    Attributes:
        strip_canary: Whether lines at the start of an instruction that mark it for filters of
            training data are left out.
        include_files: Whether the names of the task's files are listed.
    """

    name: ClassVar[str] = "harbor"
    strip_canary: bool = True
    include_files: bool = True

    def features(self, files: list[Source]) -> Features | None:  # noqa: ARG002 - all have the same
        return Features(
            {
                "name": Value("string"),
                "instruction": Value("string"),
                "description": Value("string"),
                "keywords": List(Value("string")),
                "schema_version": Value("string"),
                "config": Json(),
                "metadata": Json(),
                "files": List(Value("string")),
                "location": Value("string"),
            }
        )

    def units(self, files: list[Source]) -> list[Any]:
        found = [one for one in files if one.path.rpartition("/")[2] == "task.toml"]
        if not found:
            raise DataFilesNotFoundError("there is no task.toml, which each Harbor task has")
        return [*found]

    def rows(self, unit: Source) -> Iterator[dict[str, Any]]:
        folder = os.path.dirname(unit.path)
        config = tomllib.loads(unit.content().decode())
        task = config.get("task", {})
        instruction = Source(f"{folder}/instruction.md", unit.access).text()
        names = None
        if self.include_files:
            names = sorted(
                os.path.relpath(os.path.join(at, name), folder)
                for at, folders, there in os.walk(folder)
                for name in there
                if not any(part.startswith(".") for part in (name, *_below(at, folder)))
            )
        yield {
            "name": task.get("name") or os.path.basename(folder),
            "instruction": _without_canary(instruction) if self.strip_canary else instruction,
            "description": task.get("description") or "",
            "keywords": task.get("keywords") or [],
            "schema_version": str(config.get("schema_version") or ""),
            "config": _plain(config),
            "metadata": _plain(config.get("metadata") or {}),
            "files": names,
            "location": os.path.relpath(folder) if not unit.is_far else folder,
        }


def _below(folder: str, root: str) -> list[str]:
    return [part for part in os.path.relpath(folder, root).split(os.sep) if part != "."]


def _without_canary(text: str) -> str:
    lines = text.split("\n")
    start = 0
    while start < len(lines) and (
        _CANARY.fullmatch(lines[start].strip()) or not lines[start].strip()
    ):
        start += 1
    return "\n".join(lines[start:])


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return value.isoformat() if isinstance(value, (date, datetime, time)) else value
