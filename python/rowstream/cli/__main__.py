"""`python -m rowstream.cli`, the command `rowstream`."""

from __future__ import annotations

import sys

from rowstream.cli import main

sys.exit(main())
