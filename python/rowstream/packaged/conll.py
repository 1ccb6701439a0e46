"""CoNLL: a token a line, its annotations beside it, sentences apart by empty lines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

from rowstream.exceptions import InvalidArgumentError
from rowstream.features.features import Features
from rowstream.features.nested import List
from rowstream.features.scalar import Value
from rowstream.packaged.base import Reader, Source, choose


@dataclass
class Conll(Reader):
    """The reader of CoNLL files: a row is a sentence, each column a list of texts.

    Attributes:
        column_names: The names of the annotations of a line, in order.
        delimiter: What is between them; any space if `None`.
        encoding: The encoding of the files.
        encoding_errors: How to treat bytes that are not in it.
        skip_docstart: Whether lines that begin with `-DOCSTART-` are left out.
        comment_prefix: What lines that are left out begin with; `"#"` in `.conllu` files, and
            nothing in others, if `None`.
    """

    name: ClassVar[str] = "conll"
    column_names: list[str] = field(default_factory=lambda: ["tokens"])
    delimiter: str | None = None
    encoding: str = "utf-8"
    encoding_errors: str | None = None
    skip_docstart: bool = True
    comment_prefix: str | None = None

    def __post_init__(self) -> None:
        if not self.column_names:
            raise InvalidArgumentError("column_names= is a list of names, which is not empty")

    def features(self, files: list[Source]) -> Features | None:  # noqa: ARG002 - all have the same
        named = Features({name: List(Value("string")) for name in self.column_names})
        return choose(named, self.columns)

    def rows(self, unit: Source) -> Iterator[dict[str, Any]]:
        n = len(self.column_names)
        comment = self.comment_prefix
        if comment is None and ".conllu" in unit.path.lower():
            comment = "#"
        sentence: list[list[str]] = []
        for line in [*unit.text(self.encoding, self.encoding_errors).split("\n"), ""]:
            if not line.strip():
                if sentence:
                    columns = [list(column) for column in zip(*sentence, strict=True)]
                    yield dict(zip(self.column_names, columns, strict=True))
                sentence = []
            elif not (
                (self.skip_docstart and line.startswith("-DOCSTART-"))
                or (comment and line.startswith(comment))
            ):
                parts = line.split(self.delimiter)[:n]
                sentence.append(parts + [""] * (n - len(parts)))
