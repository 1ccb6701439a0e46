"""FASTA: sequences of nucleotides or amino acids, each below a line that names it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

from rowstream.exceptions import FileFormatError
from rowstream.features.features import Features
from rowstream.features.media.documents import BioSequence
from rowstream.features.scalar import Value
from rowstream.packaged.base import Reader, Source, choose

_RECORD = re.compile(rb"^>", re.MULTILINE)


@dataclass
class Fasta(Reader):
    """The reader of FASTA files: a row is a record.

    Its columns are `id` (the first word after `>`), `description` (the rest of that line),
    `sequence` (without spaces and comments) and `record` (the record as it stands).
    """

    name: ClassVar[str] = "fasta"

    def features(self, files: list[Source]) -> Features | None:  # noqa: ARG002 - all have the same
        every = Features(
            {
                "id": Value("string"),
                "description": Value("string"),
                "sequence": Value("large_string"),
                "record": BioSequence(format="fasta"),
            }
        )
        return choose(every, self.columns)

    def rows(self, unit: Source) -> Iterator[dict[str, Any]]:
        content = unit.content()
        starts = [found.start() for found in _RECORD.finditer(content)]
        for line in content[: starts[0] if starts else None].splitlines():
            if line.strip() and not line.startswith(b";"):
                raise FileFormatError(
                    f"{unit}: a record of FASTA begins with '>', found {line[:40]!r}"
                )
        for start, end in pairwise([*starts, len(content)]):
            record = content[start:end]
            head, _, rest = record.decode().partition("\n")
            name, description = named(head[1:])
            lines = (line for line in rest.splitlines() if not line.startswith(";"))
            yield {
                "id": name,
                "description": description,
                "sequence": "".join("".join(line.split()) for line in lines),
                "record": {"bytes": record, "path": None},
            }


def named(line: str) -> tuple[str, str]:
    """Return the first word of a line that names a record, and the rest of it."""
    words = line.rstrip().split(None, 1)
    return (words[0] if words else ""), (words[1] if len(words) > 1 else "")
