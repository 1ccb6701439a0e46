"""The command `python -m rowstream.cache`: list, verify or remove entries of the cache."""

from __future__ import annotations

import argparse
import sys

from rowstream import cache
from rowstream.cache.entries import size
from rowstream.exceptions import RowstreamError


def main(arguments: list[str] | None = None) -> int:
    """Run the command with the given arguments, and return its exit status."""
    try:
        _run(arguments)
    except (RowstreamError, OSError) as error:
        print(f"python -m rowstream.cache: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _run(arguments: list[str] | None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m rowstream.cache", description="What rowstream keeps on disk."
    )
    parser.add_argument("action", nargs="?", choices=("list", "verify", "remove"), default="list")
    parser.add_argument(
        "name", nargs="?", help='a data set, as the table names it: "name", or "name/configuration"'
    )
    parser.add_argument("--kind", help="only what is of this kind")
    parser.add_argument("--unused-days", type=float, help="only what was not used for so long")
    parser.add_argument(
        "--cache-dir", help="the folder, if it is not that of data sets and of rowstream"
    )
    given = parser.parse_args(arguments)
    which = {"name": given.name, "unused_days": given.unused_days}
    if given.action == "list":
        print(cache.list(given.cache_dir, given.kind, **which))
    elif given.action == "verify":
        damaged = cache.verify(given.cache_dir)
        print("\n".join(map(str, damaged)) or "nothing is damaged")
    elif given.name is None and given.kind is None and given.unused_days is None:
        parser.error(
            "remove what? A name, --kind or --unused-days; rowstream.cache.remove() removes"
            " everything"
        )
    else:
        print(f"removed {size(cache.remove(given.kind, given.cache_dir, **which))}")


if __name__ == "__main__":
    sys.exit(main())
