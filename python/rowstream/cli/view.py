"""`view`: a page that shows a source in a browser of this machine."""

from __future__ import annotations

import webbrowser
from typing import TYPE_CHECKING, Any

from rowstream.cli.output import Output, add_forms
from rowstream.cli.source import add_source, splits_of
from rowstream.view import serve

if TYPE_CHECKING:
    import argparse


def add(commands: Any) -> None:
    """Add the subcommand to a parser."""
    parser = commands.add_parser(
        "view", help="show a source in the browser: rows, images, audio, chats, figures"
    )
    add_source(parser)
    parser.add_argument("--port", type=int, default=0, help="the port, if not any that is free")
    parser.add_argument("--no-browser", action="store_true", help="only print the URL")
    add_forms(parser, "the URL")
    parser.set_defaults(run=_run)


def _run(given: argparse.Namespace, out: Output) -> None:
    with serve(splits_of(given), title=" ".join(given.source), port=given.port) as viewer:
        if out.json:
            out.value({"url": viewer.url})
        else:
            out.line(viewer.url)
        out.flush()
        out.note("Ctrl-C ends it")
        if not given.no_browser:
            webbrowser.open(viewer.url)
        viewer.wait()
