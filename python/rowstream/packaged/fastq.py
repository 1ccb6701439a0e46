"""FASTQ: sequences, each with the quality of its letters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from rowstream.exceptions import FileFormatError
from rowstream.features.features import Features
from rowstream.features.media.documents import BioSequence
from rowstream.features.scalar import Value
from rowstream.packaged.base import Reader, Source, choose
from rowstream.packaged.fasta import named


@dataclass
class Fastq(Reader):
    """The reader of FASTQ files: a row is a record.

    Its columns are `id`, `description`, `sequence`, `quality` and `record` (as it stands).
    """

    name: ClassVar[str] = "fastq"

    def features(self, files: list[Source]) -> Features | None:  # noqa: ARG002 - all have the same
        every = Features(
            {
                "id": Value("string"),
                "description": Value("string"),
                "sequence": Value("large_string"),
                "quality": Value("large_string"),
                "record": BioSequence(format="fastq"),
            }
        )
        return choose(every, self.columns)

    def rows(self, unit: Source) -> Iterator[dict[str, Any]]:
        lines = unit.content().decode().splitlines(keepends=True)
        at = 0
        while at < len(lines):
            start = at
            head = lines[at].rstrip()
            at += 1
            if not head:
                continue
            if not head.startswith("@"):
                raise FileFormatError(
                    f"{unit}, line {start + 1}: a record of FASTQ begins with '@', found"
                    f" {head[:40]!r}"
                )
            name, description = named(head[1:])

            def wrong(what: str, name: str = name, line: int = start + 1) -> FileFormatError:
                return FileFormatError(f"{unit}, line {line}: FASTQ record {name!r} {what}")

            sequence = ""
            while at < len(lines) and not lines[at].startswith("+"):
                sequence += lines[at].rstrip()
                at += 1
            if at == len(lines):
                raise wrong("has no line with '+': the file is cut, or no FASTQ")
            again = lines[at].rstrip()[1:]
            if again and again != head[1:].rstrip() and again != name:
                raise wrong(f"has a line '+' that names {again!r}")
            at += 1
            quality = ""
            while at < len(lines) and (len(quality) < len(sequence) or not quality):
                quality += lines[at].rstrip("\r\n")
                at += 1
                if not sequence:
                    break
            if len(quality) != len(sequence):
                raise wrong(f"has {len(quality)} qualities for {len(sequence)} letters")
            yield {
                "id": name,
                "description": description,
                "sequence": sequence,
                "quality": quality,
                "record": {"bytes": "".join(lines[start:at]).encode(), "path": None},
            }
