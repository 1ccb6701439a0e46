"""GenBank: sequences with what is known of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from rowstream.exceptions import FileFormatError
from rowstream.features.features import Features
from rowstream.features.media.documents import BioSequence
from rowstream.features.nested import List
from rowstream.features.scalar import Value
from rowstream.features.text import Json
from rowstream.packaged.base import Reader, Source, choose

_TEXTS = (
    "locus_name",
    "accession",
    "version",
    "definition",
    "organism",
    "taxonomy",
    "keywords",
)
_MOLECULE = re.compile(r"(?:[sdm]s-)?(?:[a-z]*[DR]NA|NA)")
_RANGE = re.compile(r"([<>]?)(\d+)(?:(?:\.\.|\^)([<>]?)(\d+))?")


@dataclass
class GenBank(Reader):
    """The reader of GenBank files: a row is a record, up to the line `//`.

    Its columns are those of `datasets`: `locus_name`, `accession`, `version`, `definition`,
    `organism`, `taxonomy`, `keywords`, `sequence`, `features` (JSON), `length`, `molecule_type`,
    `secondary_accessions`, `contig` and `record`.
    """

    name: ClassVar[str] = "genbank"

    def features(self, files: list[Source]) -> Features | None:  # noqa: ARG002 - all have the same
        every = Features(
            {
                **{name: Value("string") for name in _TEXTS},
                "sequence": Value("large_string"),
                "features": Json(),
                "length": Value("int64"),
                "molecule_type": Value("string"),
                "secondary_accessions": List(Value("string")),
                "contig": Value("string"),
                "record": BioSequence(format="genbank"),
            }
        )
        return choose(every, self.columns)

    def rows(self, unit: Source) -> Iterator[dict[str, Any]]:
        record: list[str] = []
        for line in unit.content().decode().splitlines(keepends=True):
            if record or line.strip():
                record.append(line)
            if line.startswith("//"):
                yield _row(record)
                record = []
        if record:
            raise FileFormatError(
                f"{unit}: the last record does not end with a line '//': the file is cut"
            )


def _row(record: list[str]) -> dict[str, Any]:
    head, features, sequence = _sections(record)
    locus = head.get("LOCUS", "").split()
    unit = next((i for i, word in enumerate(locus) if word in ("bp", "aa")), None)
    letters = "".join(c for line in sequence for c in line if not c.isspace() and not c.isdigit())
    length = int(locus[unit - 1]) if unit and locus[unit - 1].isdigit() else 0
    molecule = next((word for word in locus[2:] if _MOLECULE.fullmatch(word)), "")
    accessions = head.get("ACCESSION", "").split()
    keywords = head.get("KEYWORDS", "")
    return {
        "locus_name": locus[0] if locus else "",
        "accession": accessions[0] if accessions else "",
        "version": (head.get("VERSION", "").split() or [""])[0],
        "definition": head.get("DEFINITION", ""),
        "organism": head.get("  ORGANISM", ""),
        "taxonomy": head.get("taxonomy", ""),
        "keywords": "" if keywords == "." else keywords,
        "sequence": letters.upper(),
        "features": [*_annotations(features)],
        "length": length or len(letters),
        "molecule_type": molecule or ("protein" if unit and locus[unit] == "aa" else ""),
        "secondary_accessions": accessions[1:],
        "contig": head.get("CONTIG", ""),
        "record": {"bytes": "".join(record).encode(), "path": None},
    }


def _sections(record: list[str]) -> tuple[dict[str, str], list[str], list[str]]:
    """Return what the header says, the lines of annotations, and those of the sequence."""
    head: dict[str, str] = {}
    features: list[str] = []
    sequence: list[str] = []
    name, into = "", None
    for raw in record:
        line = raw.rstrip()
        if line.startswith("//"):
            break
        if line and not line[0].isspace():
            name = line[:12].rstrip()
            into = {"FEATURES": features, "ORIGIN": sequence}.get(name.split()[0])
            if into is None:
                head.setdefault(name, line[12:].strip())
        elif into is not None:
            into.append(line)
        elif line[:12].strip():
            name = line[:12].rstrip()
            head.setdefault(name, line[12:].strip())
        elif name == "  ORGANISM":
            head["taxonomy"] = f"{head.get('taxonomy', '')} {line[12:].strip()}".strip()
        elif name in head:
            head[name] += ("" if name == "CONTIG" else " ") + line[12:].strip()
    return head, features, sequence


def _annotations(lines: list[str]) -> Iterator[dict[str, Any]]:
    """Yield the annotations of a sequence."""
    kind, location = "", ""
    qualifiers: list[list[str]] = []
    for line in [*lines, "     end"]:
        if len(line) > 5 and line[5] != " ":
            if kind:
                yield {
                    "type": kind,
                    "location": _location(location),
                    "qualifiers": _qualified(qualifiers),
                }
            kind, location, qualifiers = line[5:21].strip(), line[21:].strip(), []
        elif (text := line[21:].strip()).startswith("/") and _is_closed(qualifiers):
            qualifiers.append(list(text[1:].partition("=")[::2]))
        elif qualifiers:
            gap = "" if qualifiers[-1][0] == "translation" else " "
            qualifiers[-1][1] += gap + text
        else:
            location += text


def _is_closed(qualifiers: list[list[str]]) -> bool:
    """Return whether the last value is not within quotes."""
    return not qualifiers or qualifiers[-1][1].count('"') % 2 == 0


def _qualified(qualifiers: list[list[str]]) -> dict[str, list[str]]:
    result: dict[str, list[str]] = {}
    for name, value in qualifiers:
        if len(value) > 1 and value[0] == value[-1] == '"':
            value = value[1:-1].replace('""', '"')
        result.setdefault(name, []).append(value)
    return result


def _location(text: str) -> dict[str, Any]:
    """Return a location: its strand, and where it starts and ends, from 1, as it is written."""
    strand, operator = 1, None
    while found := re.fullmatch(r"(complement|join|order)\((.*)\)", text):
        if found[1] == "complement":
            strand = -strand
        else:
            operator = found[1]
        text = found[2]
    parts, first, last = [], "", ""
    for part in text.split(","):
        found = _RANGE.fullmatch(
            part.strip().removeprefix("complement(").rstrip(")").split(":")[-1]
        )
        if found is None:
            return {"strand": strand}
        start, end = int(found[2]), int(found[4] or found[2])
        parts.append([start, end])
        first, last = first or found[1], found[3] or last
    result: dict[str, Any] = {"strand": strand}
    if operator is not None:
        result |= {"operator": operator, "parts": parts}
    return {
        **result,
        "start": min(part[0] for part in parts),
        "end": max(part[1] for part in parts),
        "start_partial": first == "<",
        "end_partial": last == ">",
    }
