"""Texts of map-style datasets as token ids, encoded by the core."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Literal, Self

from rowstream.dataset.map_style.column_types import ColumnTypes
from rowstream.features.features import Features
from rowstream.ops.tokenize import Tokenize, tokenizing

if TYPE_CHECKING:
    import pyarrow as pa

    from rowstream import _core


class MapStyleTokens(ColumnTypes):
    """The method of map-style datasets that encodes texts."""

    def tokenize(
        self,
        tokenizer: Any,
        column: str = "text",
        output: str = "input_ids",
        *,
        add_special_tokens: bool = True,
        max_length: int | None = None,
        truncation_side: Literal["left", "right"] | None = None,
        keep: bool = False,
        load_from_cache_file: bool | None = None,
    ) -> Self:
        """Encode the texts of a column as lists of token ids, as the tokenizer does.

        The core does it on all threads. The ids are written to the cache, as `map` does it, under a
        key of the tokenizer's content: the same texts are encoded once.

        Args:
            tokenizer, column, output, add_special_tokens, max_length, truncation_side, keep: As for
                streams.
            load_from_cache_file: As in `map`.

        Returns:
            A new dataset.

        Raises:
            InvalidArgumentError: There is no such column, or an argument makes no sense.
            SchemaError: The column has no texts.
            UnsupportedError: The core does not read such a tokenizer.
            DataFilesNotFoundError: There is no such file.

        Example:
            >>> from tokenizers import Tokenizer, models, pre_tokenizers
            >>> model = models.WordLevel({"a": 0, "cat": 1, "?": 2}, unk_token="?")
            >>> words = Tokenizer(model)
            >>> words.pre_tokenizer = pre_tokenizers.Whitespace()
            >>> ds = Dataset.from_dict({"text": ["a cat", "a dog"]})
            >>> ds.tokenize(words, keep=True)[1]
            {'text': 'a dog', 'input_ids': [0, 2]}
        """
        step = tokenizing(
            tokenizer, column, output, add_special_tokens, max_length, truncation_side, keep
        )
        step.check(self.features)
        rest = {name: of for name, of in self.features.items() if keep or name != column}
        given = self.format
        result = self.with_format("arrow").map(
            EncodeTable(step),
            batched=True,
            remove_columns=None if keep else [column],
            features=Features({**rest, output: step.feature}),
            load_from_cache_file=load_from_cache_file,
            desc="Tokenizing",
        )
        names = (
            None
            if given["columns"] == self.column_names
            else [*(name for name in given["columns"] if name in rest), output]
        )
        return result.with_format(given["type"], columns=names, **given["format_kwargs"])


class EncodeTable:
    """A function that adds the ids of a column of texts to tables.

    Args:
        step: The step that says how.
    """

    def __init__(self, step: Tokenize) -> None:
        self.step = step
        self._made: tuple[int, _core.TextEncoder] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {"step": self.step, "_made": None}

    @property
    def _encoder(self) -> _core.TextEncoder:
        # A child process reads the tokenizer anew.
        if self._made is None or self._made[0] != os.getpid():
            self._made = (os.getpid(), self.step.encoder())
        return self._made[1]

    def __call__(self, table: pa.Table) -> pa.Table:
        """Return a table with the ids beside its columns."""
        import pyarrow as pa

        step = self.step
        encoded = self._encoder.encode(table.select([step.source]))
        ids = [pa.record_batch(batch).column(0) for batch in encoded]
        rest = table if step.keep else table.drop_columns([step.source])
        return rest.append_column(step.column, pa.chunked_array(ids, pa.list_(pa.int32())))
