"""The version of this library, and versions of datasets."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from functools import total_ordering
from typing import Any

__version__ = "0.1.0"

_VERSION = re.compile(r"(?P<major>\d+)\.(?P<minor>\d+)\.(?P<patch>\d+)")


@total_ordering
@dataclass(repr=False, eq=False)
class Version:
    """A version of three numbers, such as `"1.2.3"`; versions and texts can be compared.

    Args:
        version_str: The version as text.
        description: A description for users.
        major, minor, patch: Set from the text.

    Raises:
        ValueError: The text is not three numbers with dots between.

    Example:
        >>> Version("1.10.0") > "1.9.0"
        True
    """

    version_str: str
    description: str | None = None
    major: Any = None
    minor: Any = None
    patch: Any = None

    def __post_init__(self) -> None:
        self.major, self.minor, self.patch = self._numbers(self.version_str)

    @staticmethod
    def _numbers(text: Any) -> tuple[int, int, int]:
        found = _VERSION.fullmatch(str(text))
        if found is None:
            raise ValueError(
                f"Invalid version '{text}'. Format should be x.y.z with {{x,y,z}} being digits."
            )
        return int(found["major"]), int(found["minor"]), int(found["patch"])

    @property
    def tuple(self) -> tuple[int, int, int]:
        """The three numbers: major, minor and patch.

        Example:
            >>> Version("1.2.3").tuple
            (1, 2, 3)
        """
        return self.major, self.minor, self.patch

    def __repr__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"

    def _of(self, other: Any) -> Any:
        if isinstance(other, Version):
            return other.tuple
        if isinstance(other, str):
            return self._numbers(other)
        raise TypeError(f"{other} (type {type(other)}) cannot be compared to version.")

    def __eq__(self, other: object) -> bool:
        """Compare the numbers; text is read as a version."""
        try:
            return bool(self.tuple == self._of(other))
        except (TypeError, ValueError):
            return False

    def __lt__(self, other: Any) -> bool:
        return bool(self.tuple < self._of(other))

    def __hash__(self) -> int:
        # That of the text, which is equal to it.
        return hash(repr(self))

    @classmethod
    def from_dict(cls, dic: dict[str, Any]) -> Version:
        """Create a version from a dict of its attributes; unknown keys are ignored.

        Args:
            dic: The attributes; `version_str` is needed.

        Example:
            >>> Version.from_dict({"version_str": "1.2.3"})
            1.2.3
        """
        known = {of.name for of in fields(cls)}
        return cls(**{key: value for key, value in dic.items() if key in known})

    def _to_yaml_string(self) -> str:
        return self.version_str
