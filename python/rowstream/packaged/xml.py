"""XML: each file as one text, which is not parsed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from rowstream.exceptions import InvalidArgumentError
from rowstream.features.features import Features
from rowstream.features.scalar import Value
from rowstream.packaged.base import Reader, Source


@dataclass
class Xml(Reader):
    """The reader of XML files: a row is a file, its column `xml` the whole text.

    With `features=` of one column it has that name.

    Attributes:
        encoding: The encoding of the files.
        encoding_errors: How to treat bytes that are not in it.
    """

    name: ClassVar[str] = "xml"
    encoding: str = "utf-8"
    encoding_errors: str | None = None
    _column: str = "xml"

    def with_declared(self, features: Features) -> Reader:
        if len(features) != 1:
            raise InvalidArgumentError(f"xml has one column, features= names {len(features)}")
        return replace(self, _column=next(iter(features)))

    def features(self, files: list[Source]) -> Features | None:  # noqa: ARG002 - all have the same
        return Features({self._column: Value("string")})

    def rows(self, unit: Source) -> Iterator[dict[str, Any]]:
        yield {self._column: unit.text(self.encoding, self.encoding_errors)}
