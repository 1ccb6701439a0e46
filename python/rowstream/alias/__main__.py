"""The commands `python -m rowstream.alias script.py …` and `python -m rowstream.alias -m …`."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

from rowstream.alias import install

_USAGE = (
    "usage: python -m rowstream.alias script.py [argument …]\n       python -m rowstream.alias -m"
    " module [argument …]"
)


def main() -> None:
    """Run a script or a module in which `import datasets` imports rowstream."""
    arguments = sys.argv[1:]
    if not arguments or arguments[0] in ("-h", "--help") or arguments == ["-m"]:
        sys.exit(_USAGE)
    install()
    if arguments[0] == "-m":
        sys.argv = arguments[1:]
        sys.path[0] = ""
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
        return
    if not Path(arguments[0]).exists():
        sys.exit(f"rowstream.alias: there is no script {arguments[0]!r}\n{_USAGE}")
    sys.argv = arguments
    sys.path[0] = str(Path(arguments[0]).resolve().parent)
    runpy.run_path(arguments[0], run_name="__main__")


if __name__ == "__main__":
    main()
