"""The command `rowstream`: look at datasets, convert and check them, ask what limits a stream.

Each subcommand is a module, or a function of one, that adds itself to the parser; `docs/cli.md`
shows them all.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from rowstream.cli import (
    bench,
    cache,
    completion,
    convert,
    demo,
    files,
    look,
    sql,
    stats,
    verify,
    view,
)
from rowstream.cli.output import Output
from rowstream.version import __version__

_FAILED, _STOPPED = 1, 130


def parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command."""
    made = argparse.ArgumentParser(
        prog="rowstream", description="Look at, convert and check machine-learning datasets."
    )
    made.add_argument("--version", action="version", version=f"rowstream {__version__}")
    made.add_argument("--debug", action="store_true", help="show where an error was raised")
    commands = made.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for module in (look, view, stats, sql, convert, files, verify, cache, bench, demo, completion):
        module.add(commands)
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        arguments: Those of the process if `None`.

    Returns:
        The exit status: 0; 1 for an error, or if `verify` found damage; 2 for arguments that make
        no sense; 130 after Ctrl-C.

    Example:
        >>> from rowstream.cli import main
        >>> rowstream.write_jsonl("rows.jsonl", [{"a": 1}, {"a": 2}])
        >>> main(["count", "rows.jsonl", "--quiet"])
        2
        0
    """
    given = parser().parse_args(arguments)
    out = Output(given)
    try:
        status = given.run(given, out)
        out.flush()
    except KeyboardInterrupt:
        return _STOPPED
    except BrokenPipeError:
        # Who reads has enough, as `head` has. What is left in the buffer goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if given.debug:
            raise
        out.error(error)
        return _FAILED
    return int(status or 0)
