"""Indexes of tar archives, read in the formats of several libraries."""

from __future__ import annotations

import json
from typing import Any

from rowstream.exceptions import FileFormatError
from rowstream.tar_index.model import BLOCK, TarIndex, from_bytes, from_contents, key_of

_SQLITE = b"SQLite format 3\0"


def parse(content: bytes) -> TarIndex:
    """Return an index from the content of its file.

    By what it contains, it is one of

    - unsigned little-endian 64-bit integers, where samples begin, as Energon, NeMo and lhotse write
      them (`X.tar.idx`); at last, where the samples end, or the size of the archive, or neither;
    - the text of DALI's `wds2idx`, versions 1.1 and 1.2;
    - the JSON of webshart or Ferroload, by name of member.

    Args:
        content: The bytes of the file.

    Raises:
        FileFormatError: It is none of these.
    """
    if content.startswith(_SQLITE):
        raise FileFormatError(
            "it is the database of a whole folder; index= takes it as the path of index.sqlite"
        )
    if content.startswith(b"v1."):
        return _dali(content)
    if content.lstrip()[:1] in (b"{", b"["):
        return _json(content)
    return _offsets(content)


def _offsets(content: bytes) -> TarIndex:
    if len(content) % 8:
        raise FileFormatError(
            f"{len(content)} bytes are no list of 64-bit integers, and no text or JSON of an index"
        )
    starts = from_bytes(content)
    for i, at in enumerate(starts):
        # NeMo and lhotse end with the size of the archive, whatever it is.
        if (at % BLOCK and i + 1 < len(starts)) or (i and at <= starts[i - 1]):
            raise FileFormatError(
                f"the number {at} at byte {8 * i} is not where a sample of a tar archive begins: a"
                f" multiple of {BLOCK}, larger than the one before it"
            )
    return TarIndex(starts[:-1], starts[-1], unsure=True) if starts else TarIndex(starts, 0)


def _dali(content: bytes) -> TarIndex:
    lines = content.decode("utf-8", "surrogateescape").splitlines()
    version, _, count = lines[0].partition(" ")
    if version not in ("v1.1", "v1.2") or not count.isdigit():
        raise FileFormatError(
            f"the first line is {lines[0][:40]!r}; an index of DALI begins with v1.1 or v1.2 and"
            " the number of samples"
        )
    width, members = (3 if version == "v1.1" else 4), []
    for i, line in enumerate(lines[1 : int(count) + 1]):
        words = line.split(" ")
        try:
            parts = [words[j : j + width] for j in range(0, len(words), width)]
            members += [
                (key_of(part[3]) if width == 4 else i, int(part[1]), int(part[2])) for part in parts
            ]
        except (IndexError, ValueError):
            raise FileFormatError(
                f"line {i + 2}: {line[:80]!r} is not a list of extension, offset, size"
                f"{' and name' if width == 4 else ''}; names with spaces cannot be read"
            ) from None
    if len(lines) <= int(count):
        raise FileFormatError(f"{count} samples were expected, {len(lines) - 1} lines follow")
    return from_contents(members)


def _json(content: bytes) -> TarIndex:
    try:
        found = json.loads(content)
    except ValueError as error:
        raise FileFormatError(f"it is no valid JSON: {error}") from error
    named: list[tuple[str, Any, Any]] = []
    if isinstance(found, dict):
        if "shardlist" in found:
            raise FileFormatError(
                "it is a list of shards, which does not say where samples begin;"
                " rowstream.webdataset.read_shard_list reads it"
            )
        files, members = found.get("files"), found.get("members")
        if isinstance(files, dict):
            files = [{"path": name, **one} for name, one in files.items()]
        if isinstance(files, list):
            for one in files:
                name = one.get("path") or one.get("fname") or one.get("filename")
                named.append((name, one.get("offset"), one.get("length", one.get("size"))))
        elif isinstance(members, dict):
            named = [(name, *place) for name, place in members.items()]
    if not named or not all(isinstance(number, int) for one in named for number in one[1:]):
        raise FileFormatError(
            'its JSON has no members with their places: neither "files", as webshart writes it, nor'
            ' "members", as Ferroload does'
        )
    return from_contents((key_of(name), at, size) for name, at, size in named)
