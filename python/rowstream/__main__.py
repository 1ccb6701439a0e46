"""Run the command `rowstream`: `python -m rowstream`."""

from rowstream.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
