"""Run the command `rowstream`: `python -m rowstream`."""

from rowstream.cli import main

raise SystemExit(main())
