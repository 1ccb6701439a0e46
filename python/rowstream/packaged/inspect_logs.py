"""Logs of Inspect AI: `.eval` files, which are zip archives of JSON."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import Any, ClassVar

from rowstream.exceptions import FileFormatError
from rowstream.packaged.base import Reader, Source

_NAME = re.compile(r"(?:.*/)?samples/(.*)_epoch_(\d+)\.json")


@dataclass
class InspectLogs(Reader):
    """The reader of logs of Inspect AI: a row is a sample, by epoch and then by its id.

    Values that are objects are JSON texts, and lists are lists of them, as in `datasets`.
    """

    name: ClassVar[str] = "eval"

    def rows(self, unit: Source) -> Iterator[dict[str, Any]]:
        with unit.open() as file:
            try:
                archive = zipfile.ZipFile(BytesIO(file.read()))
            except zipfile.BadZipFile as error:
                raise FileFormatError(f"{unit}: no log of Inspect AI: {error}") from error
            named = [(name, _NAME.fullmatch(name)) for name in archive.namelist()]
            samples = sorted(
                (int(found[2]), not found[1].isdigit(), found[1].zfill(20), name)
                for name, found in named
                if found
            )
            for *_, name in samples:
                sample = json.loads(archive.read(name))
                yield {key: _plain(value) for key, value in sample.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return json.dumps(value)
    return [json.dumps(one) for one in value] if isinstance(value, list) else value
