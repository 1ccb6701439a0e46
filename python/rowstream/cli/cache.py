"""`cache`: what rowstream keeps on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rowstream import cache
from rowstream.cache.datasets import root
from rowstream.cache.entries import size
from rowstream.cli.output import Output, add_forms
from rowstream.exceptions import InvalidArgumentError
from rowstream.storage.environment import own_cache

if TYPE_CHECKING:
    import argparse


def add(commands: Any) -> None:
    """Add the subcommand, which has some of its own."""
    parser = commands.add_parser("cache", help="list, check and remove what is kept on disk")
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    listed = actions.add_parser("ls", help="list what there is")
    removed = actions.add_parser("rm", help="remove some of it")
    checked = actions.add_parser("verify", help="look for damage")
    folder = actions.add_parser("dir", help="print where it is")
    for one in (listed, removed):
        one.add_argument("name", nargs="?", help="a dataset, as the list names it")
        one.add_argument("--kind", help="only what is of this kind")
        one.add_argument("--unused-days", type=float, help="only what was not used for so long")
    removed.add_argument("--dry-run", action="store_true", help="print what would be removed")
    removed.add_argument("--all", action="store_true", help="remove everything")
    for one, quiet in (
        (listed, "names"),
        (removed, "names"),
        (checked, "the paths of what is damaged"),
        (folder, "the folder of rowstream"),
    ):
        one.add_argument("--cache-dir", help="the folder of cache_dir=, if it is that")
        add_forms(one, quiet)
    listed.set_defaults(run=_list)
    removed.set_defaults(run=_remove)
    checked.set_defaults(run=_verify)
    folder.set_defaults(run=_folder)


def _which(given: argparse.Namespace) -> dict[str, Any]:
    return {"name": given.name, "unused_days": given.unused_days}


def _list(given: argparse.Namespace, out: Output) -> None:
    found = cache.list(given.cache_dir, given.kind, **_which(given))
    if out.json:
        for entry in found:
            out.value(vars(entry))
    elif out.quiet:
        for entry in found:
            out.line(entry.name)
    else:
        out.line(str(found))


def _remove(given: argparse.Namespace, out: Output) -> None:
    if not given.all and given.name is None and given.kind is None and given.unused_days is None:
        raise InvalidArgumentError("remove what? A name, --kind, --unused-days or --all")
    if given.dry_run:
        _list(given, out)
        return
    removed = cache.remove(given.kind, given.cache_dir, **_which(given))
    if out.json:
        out.value({"removed_bytes": removed})
    elif not out.quiet:
        out.line(f"removed {size(removed)}")


def _verify(given: argparse.Namespace, out: Output) -> int:
    damaged = [str(path) for path in cache.verify(given.cache_dir)]
    for path in damaged:
        out.value({"damaged": path}) if out.json else out.line(path)
    if not damaged:
        out.note("nothing is damaged")
    return 1 if damaged else 0


def _folder(given: argparse.Namespace, out: Output) -> None:
    places = {"rowstream": str(own_cache()), "datasets": str(root(given.cache_dir))}
    if out.json:
        out.value(places)
    elif out.quiet:
        out.line(places["rowstream"])
    else:
        out.table(("what", "folder"), places.items())
