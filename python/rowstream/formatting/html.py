"""Rows as HTML, for notebooks and the viewer: texts folded, media shown, chats as conversations."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Mapping
from html import escape
from typing import Any

from rowstream.exceptions import RowstreamError
from rowstream.features.media.ref import MediaRef

_LONG = 300  # characters of a text that are shown before the rest is folded away
_LARGEST = 8 << 20  # bytes of a file that a page holds in itself
_ROLES = ("role", "from")
_CONTENTS = ("content", "value")

STYLE = """
.rs { font: 13px/1.45 system-ui, sans-serif; border-collapse: collapse; }
.rs th, .rs td { border: 1px solid #8884; padding: 4px 8px; text-align: left; vertical-align: top; }
.rs th { background: #8881; font-weight: 600; }
.rs th small { display: block; font-weight: 400; opacity: .7; }
.rs td { max-width: 40em; white-space: pre-wrap; overflow-wrap: anywhere; }
.rs td.rs-number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
.rs .rs-null { opacity: .45; }
.rs img, .rs video { max-width: 240px; max-height: 180px; display: block; }
.rs audio { width: 240px; display: block; }
.rs summary { cursor: pointer; opacity: .7; }
.rs-turn { margin: 3px 0; padding: 4px 8px; border-radius: 8px; background: #8882; }
.rs-turn b { display: block; font-size: 11px; opacity: .7; }
.rs-turn.rs-user { background: #2a7fff22; margin-right: 3em; }
.rs-turn.rs-assistant { background: #2fa84f22; margin-left: 3em; }
"""
"""The style of `table_of`: of colours that can be read on light and dark pages."""

_KINDS = (
    (b"\x89PNG\r\n\x1a\n", 0, "image/png"),
    (b"\xff\xd8\xff", 0, "image/jpeg"),
    (b"GIF8", 0, "image/gif"),
    (b"WEBP", 8, "image/webp"),
    (b"ftypavif", 4, "image/avif"),
    (b"BM", 0, "image/bmp"),
    (b"WAVE", 8, "audio/wav"),
    (b"fLaC", 0, "audio/flac"),
    (b"ID3", 0, "audio/mpeg"),
    (b"\xff\xfb", 0, "audio/mpeg"),
    (b"OggS", 0, "audio/ogg"),
    (b"ftyp", 4, "video/mp4"),
    (b"\x1aE\xdf\xa3", 0, "video/webm"),
)


def media_type(content: bytes) -> str | None:
    """Return the type of what browsers show, by its first bytes; `None` if it is something else.

    Args:
        content: The bytes of a file.

    Example:
        >>> from rowstream.formatting.html import media_type
        >>> media_type(b"GIF89a")
        'image/gif'
    """
    for mark, at, kind in _KINDS:
        if content[at : at + len(mark)] == mark:
            return kind
    return None


def media_bytes(value: Any) -> bytes | None:
    """Return the content of a file of media that is not decoded; `None` if it cannot be had.

    Only what is a reference by the type of its column is read: rows may say that all is a file.

    Args:
        value: A value.
    """
    if not isinstance(value, MediaRef):
        return None
    content = value.get("bytes")
    if isinstance(content, bytes):
        return content
    try:
        return bytes(value.read())
    except (OSError, TypeError, ValueError, RowstreamError):
        return None


def table_of(
    rows: Iterable[Mapping[str, Any]],
    types: Mapping[str, Any],
    place: Callable[[int, str], str] | None = None,
    numbers: Iterable[int] | None = None,
) -> str:
    """Return rows as a table of HTML, without its style.

    Args:
        rows: The rows, whose media are not decoded.
        types: The columns, with what stands below their names.
        place: Return the URL of a file of media, by the place of its row here and its column; if
            `None`, it is put into the page.
        numbers: The numbers of the rows, which stand before them.

    Example:
        >>> from rowstream.formatting.html import table_of
        >>> table_of([{"a": "<b>"}], {"a": "string"})[-31:]
        '<td>&lt;b&gt;</td></tr></table>'
    """
    shown = None if numbers is None else list(numbers)
    head = "".join(
        f"<th>{escape(str(name))}<small>{escape(str(kind))}</small></th>"
        for name, kind in types.items()
    )
    lines = [f"<tr>{'' if shown is None else '<th></th>'}{head}</tr>"]
    for i, row in enumerate(rows):
        cells = [] if shown is None else [f"<th>{shown[i]:,}</th>"]
        for name in types:
            value = row.get(name)
            where = None if place is None else place(i, name)
            number = isinstance(value, (int, float)) and not isinstance(value, bool)
            start = '<td class="rs-number">' if number else "<td>"
            cells.append(f"{start}{value_of(value, where)}</td>")
        lines.append(f"<tr>{''.join(cells)}</tr>")
    return f'<table class="rs">{"".join(lines)}</table>'


def value_of(value: Any, place: str | None = None) -> str:
    """Return a value as HTML.

    Args:
        value: The value; media are not decoded.
        place: The URL of its file, if it is one of media; else it is put into the page.
    """
    if value is None:
        return '<span class="rs-null">null</span>'
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, MediaRef):
        return _media(value, place)
    if (turns := _turns(value)) is not None:
        return "".join(_turn(role, content) for role, content in turns)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return f'<span class="rs-null">{len(value):,} bytes</span>'
    if isinstance(value, (dict, list, tuple)):
        return _text(json.dumps(value, ensure_ascii=False, default=_plain))
    return escape(str(value))


def _plain(value: Any) -> Any:
    if isinstance(value, (bytes, bytearray, memoryview)):
        return f"<{len(value):,} bytes>"
    return value.tolist() if hasattr(value, "tolist") else str(value)


def _text(text: str) -> str:
    if len(text) <= _LONG:
        return escape(text)
    rest = f"<details><summary>{len(text) - _LONG:,} more characters</summary>"
    return f"{escape(text[:_LONG])}…{rest}{escape(text[_LONG:])}</details>"


def _media(value: MediaRef, place: str | None) -> str:
    content = media_bytes(value)
    name = escape(str(value.get("path") or "without a name"))
    kind = None if content is None else media_type(content)
    if content is None or kind is None or (place is None and len(content) > _LARGEST):
        size = "" if content is None else f", {len(content):,} bytes"
        return f'<span class="rs-null">{name}{size}</span>'
    url = place or f"data:{kind};base64,{base64.b64encode(content).decode()}"
    if kind.startswith("image/"):
        return f'<img loading="lazy" alt="{name}" title="{name}" src="{escape(url)}">'
    tag = kind.partition("/")[0]
    return f'<{tag} controls preload="metadata" title="{name}" src="{escape(url)}"></{tag}>'


def _turns(value: Any) -> list[tuple[str, Any]] | None:
    """Return the turns of a chat: who says what; `None` if a value is no chat."""
    if not isinstance(value, (list, tuple)) or not value:
        return None
    turns = []
    for one in value:
        if not isinstance(one, dict):
            return None
        role = next((one[key] for key in _ROLES if isinstance(one.get(key), str)), None)
        key = next((key for key in _CONTENTS if key in one), None)
        if role is None or key is None:
            return None
        turns.append((role, one[key]))
    return turns


def _turn(role: str, content: Any) -> str:
    side = {"human": "user", "gpt": "assistant"}.get(role, role)
    known = f" rs-{side}" if side in ("user", "assistant") else ""
    return f'<div class="rs-turn{known}"><b>{escape(role)}</b>{value_of(content)}</div>'


def preview(title: str, rows: list[Mapping[str, Any]], types: Mapping[str, Any], more: str) -> str:
    """Return the first rows of a dataset as HTML with its style, for notebooks.

    Args:
        title: What stands above them.
        rows: The rows, whose media are not decoded.
        types: The columns, with what stands below their names.
        more: What stands below them.
    """
    return (
        f"<style>{STYLE}</style><p><b>{escape(title)}</b></p>{table_of(rows, types)}"
        f'<p class="rs"><small>{escape(more)}</small></p>'
    )


def type_text(feature: Any) -> str:
    """Return the type of a column as a short text.

    Args:
        feature: The feature.

    Example:
        >>> from rowstream.formatting.html import type_text
        >>> type_text(Value("int64")), type_text(List(Value("string")))
        ('int64', 'List(string)')
    """
    kind = type(feature).__name__
    if kind == "Value":
        return str(feature.dtype)
    if kind in ("List", "LargeList", "Sequence"):
        return f"{kind}({type_text(feature.feature)})"
    if isinstance(feature, dict):
        return "{" + ", ".join(f"{name}: {type_text(one)}" for name, one in feature.items()) + "}"
    return kind
