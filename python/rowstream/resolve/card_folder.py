"""The card of a local folder."""

from __future__ import annotations

import re
from pathlib import Path

from rowstream.exceptions import InvalidArgumentError
from rowstream.storage import patterns
from rowstream.storage.hub import Repo


class Folder(Repo):
    """A local folder whose `README.md` is a card, as in a repository of the Hub."""

    def location(self, path: str) -> str:
        """Return the path of a file in the folder."""
        return f"{self.id}/{path}"

    def locate(self, paths: list[str], known: dict[str, tuple[int, str | None]]) -> list[str]:
        """Return the paths of files in the folder."""
        return [self.location(path) for path in paths]


_FRONT = re.compile(r"\A---[ \t]*\r?\n(.*?)^---[ \t]*$", re.DOTALL | re.MULTILINE)


def folder(path: str) -> Folder | None:
    """Return a folder whose card lists configurations or features; `None` if its card does not.

    Raises:
        InvalidArgumentError: The card is not valid YAML, or no package that reads YAML is
            installed.
    """
    root = Path(path).expanduser().absolute()
    try:
        found = _FRONT.search((root / "README.md").read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return None
    if found is None or not re.search(r"^(configs|dataset_info):", found[1], re.MULTILINE):
        return None
    try:
        import yaml
    except ImportError:
        raise InvalidArgumentError(
            f"{root / 'README.md'} says what the data set is, and reading it needs PyYAML: pip"
            " install pyyaml"
        ) from None
    try:
        card = yaml.safe_load(found[1])
    except yaml.YAMLError as error:
        raise InvalidArgumentError(
            f"{root / 'README.md'}: its first lines are no YAML: {error}"
        ) from None
    return Folder(
        str(root),
        "",
        dict.fromkeys(patterns.walk(str(root)), (0, "")),
        card if isinstance(card, dict) else {},
    )
