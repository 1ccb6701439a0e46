"""What the command prints: for people, as JSON, or only names; without colours into a pipe."""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

_BOLD, _DIM, _OFF = "\x1b[1m", "\x1b[2m", "\x1b[0m"
_MOST = 2000  # characters of a value on a terminal


class Output:
    """Where a subcommand prints.

    Attributes:
        json: Whether one JSON value a line is asked for.
        quiet: Whether only names and numbers are.
        terminal: Whether people look at it.
    """

    def __init__(self, given: argparse.Namespace) -> None:
        self.json = bool(getattr(given, "json", False))
        self.quiet = bool(getattr(given, "quiet", False))
        self.terminal = (
            sys.stdout is not None and sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
        )
        self._colours = self.terminal and not os.environ.get("NO_COLOR")

    @property
    def width(self) -> int:
        """The columns of the terminal."""
        return shutil.get_terminal_size((100, 24)).columns

    def line(self, text: str = "") -> None:
        """Print a line of the result."""
        print(text)

    def flush(self) -> None:
        """Let who reads see what was printed."""
        if sys.stdout is not None:
            sys.stdout.flush()

    def note(self, text: str) -> None:
        """Print a remark for people, beside the result."""
        if not self.quiet and not self.json:
            print(text, file=sys.stderr)

    def error(self, error: BaseException) -> None:
        """Print an error, with what was noted of it."""
        text = str(error) or type(error).__name__
        if isinstance(error, KeyError):
            text = f"there is no {text}"
        print("\n".join([f"rowstream: {text}", *getattr(error, "__notes__", [])]), file=sys.stderr)

    def value(self, value: Any) -> None:
        """Print a JSON value on a line of its own."""
        print(json.dumps(_in_json(value), ensure_ascii=False, allow_nan=False))

    def would_read(self, path: str) -> None:
        """Print a file that would be read, of a plan that is not carried out."""
        if self.json:
            self.value({"read": path})
        else:
            self.line(path if self.quiet else f"read  {path}")

    def bold(self, text: str) -> str:
        """Return a text that stands out, where that can be shown."""
        return f"{_BOLD}{text}{_OFF}" if self._colours else text

    def dim(self, text: str) -> str:
        """Return a text that stands back, where that can be shown."""
        return f"{_DIM}{text}{_OFF}" if self._colours else text

    def table(self, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Print a table: columns below each other on a terminal, else separated by tabs."""
        texts = [[_harmless(str(cell)) for cell in row] for row in rows]
        if not self.terminal:
            for row in [list(header), *texts]:
                self.line("\t".join(cell.replace("\t", " ").replace("\n", " ") for cell in row))
            return
        sizes = [max(len(row[i]) for row in [list(header), *texts]) for i in range(len(header))]
        numbers = [
            bool(texts) and all(row[i].replace(",", "")[:1].isdigit() for row in texts)
            for i in range(len(header))
        ]

        def padded(row: Sequence[str]) -> str:
            cells = (
                cell.rjust(size) if number else cell.ljust(size)
                for cell, size, number in zip(row, sizes, numbers, strict=True)
            )
            return "  ".join(cells).rstrip()

        self.line(self.bold(padded(header)))
        for row in texts:
            self.line(padded(row))

    def row(self, number: int, row: Mapping[str, Any]) -> None:
        """Print a row of a dataset."""
        if self.json:
            self.value(row)
        elif self.quiet:
            self.line(str(number))
        else:
            self.line(self.bold(f"row {number}"))
            size = max(map(len, row), default=0)
            for name, value in row.items():
                text = _harmless(shown(value))
                if self.terminal and len(text) > _MOST:
                    text = f"{text[:_MOST]}{self.dim(f'… ({len(text):,} characters)')}"
                front = f"  {name.ljust(size)}  "
                # The lines of a text stand below each other.
                self.line(front + text.replace("\n", "\n" + " " * len(front)))


def plain(value: Any) -> Any:
    """Return what stands in JSON for a value that it has not."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return {"bytes": len(value), "begins": bytes(value[:16]).hex()}
    return value.tolist() if hasattr(value, "tolist") else str(value)


def _in_json(value: Any) -> Any:
    """Return a value as JSON has it: numbers that are not finite as texts."""
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, dict):
        return {str(key): _in_json(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_in_json(one) for one in value]
    if value is None or isinstance(value, (str, int)):
        return value
    return _in_json(plain(value))


_CONTROLS = {i: f"\\x{i:02x}" for i in (*range(9), *range(11, 32), *range(127, 160))}


def _harmless(text: str) -> str:
    """Return a text without what a terminal takes for orders."""
    return text.translate(_CONTROLS)


def shown(value: Any) -> str:
    """Return a value for people: texts as they are, other values as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, (bytes, bytearray, memoryview)):
        return f"{len(value):,} bytes"
    if isinstance(value, dict) and set(value) == {"bytes", "path"}:
        known = isinstance(value["bytes"], (bytes, str))
        size = f", {len(value['bytes']):,} bytes" if known else ""
        return f"<{value['path'] or 'without a name'}{size}>"
    return json.dumps(value, ensure_ascii=False, default=plain)


def count(text: str) -> int:
    """Return the number that an argument says.

    Args:
        text: The argument.

    Raises:
        ArgumentTypeError: It is no number, or below 0.
    """
    try:
        number = int(text)
    except ValueError:
        number = -1
    if number < 0:
        raise argparse.ArgumentTypeError(f"a number from 0 on, found {text!r}")
    return number


def add_forms(parser: argparse.ArgumentParser, quiet: str) -> None:
    """Add the options that say how results are printed.

    Args:
        parser: That of a subcommand.
        quiet: What `--quiet` prints.
    """
    forms = parser.add_mutually_exclusive_group()
    forms.add_argument("--json", action="store_true", help="print JSON, one value a line")
    forms.add_argument("-q", "--quiet", action="store_true", help=f"print only {quiet}")
