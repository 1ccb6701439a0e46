"""What the card of a folder says."""

from __future__ import annotations

import re
from pathlib import Path

from rowstream.exceptions import InvalidArgumentError
from rowstream.storage import patterns
from rowstream.storage.hub import Repo


class Folder(Repo):
    """A folder of this machine whose `README.md` is a card, as that of a repository is."""

    def location(self, path: str) -> str:
        """Return where a file of it is."""
        return f"{self.id}/{path}"

    def locate(self, paths: list[str], known: dict[str, tuple[int, str | None]]) -> list[str]:
        """Return where files of it are."""
        return [self.location(path) for path in paths]


_FRONT = re.compile(r"\A---[ \t]*\r?\n(.*?)^---[ \t]*$", re.DOTALL | re.MULTILINE)


def folder(path: str) -> Folder | None:
    """Return a folder with a card that names configurations or says what is in it; `None` if it has
    none.

    Raises:
        InvalidArgumentError: the card is no YAML, or there is nothing that reads YAML.
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
