"""Texts of streams as token ids, encoded by the core."""

from __future__ import annotations

from typing import Any, Literal, Self

from rowstream.dataset.iterable.base import StreamBase
from rowstream.exceptions import UnsupportedError
from rowstream.features.features import Features
from rowstream.ops.tokenize import tokenizing


class StreamTokens(StreamBase):
    """The method of streams that encodes texts."""

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
    ) -> Self:
        """Encode the texts of a column as lists of token ids, as the tokenizer does.

        The core does it on all threads, without the interpreter lock, ahead of the iteration and
        within `ROWSTREAM_MEMORY`; the order of the rows stays, and a resumed stream goes on at its
        row. Shuffle buffers hold the texts, wherever `shuffle` is called. The ids are those of
        `tokenizers` 0.23.

        Nothing is padded: batches are, where they are made. Special tokens that stand in a text are
        found in it.

        Args:
            tokenizer: The path or URL of a `tokenizer.json`, or of a folder that has one; a
                `tokenizers.Tokenizer`; or a fast tokenizer of transformers.
            column: The name of the column of texts; `None` in it stays `None`.
            output: The name of the column of ids, the last one: lists of int32.
            add_special_tokens: Whether the tokenizer adds special tokens around a text.
            max_length: The most ids of a text, special tokens included. What the tokenizer's own
                JSON says if `None`; for one of transformers, no limit.
            truncation_side: Where longer texts are cut; the tokenizer's side if `None`.
            keep: Keep the column of texts, too.

        Returns:
            A new stream.

        Raises:
            InvalidArgumentError: There is no such column, or an argument makes no sense.
            SchemaError: The column has no texts.
            UnsupportedError: The core does not read such a tokenizer, or rows are in batches
                already.
            DataFilesNotFoundError: There is no such file.

        Example:
            >>> from tokenizers import Tokenizer, models, pre_tokenizers
            >>> model = models.WordLevel({"a": 0, "cat": 1, "?": 2}, unk_token="?")
            >>> words = Tokenizer(model)
            >>> words.pre_tokenizer = pre_tokenizers.Whitespace()
            >>> ds = Dataset.from_dict({"text": ["a cat", "a dog"]}).to_iterable_dataset()
            >>> list(ds.tokenize(words))
            [{'input_ids': [0, 1]}, {'input_ids': [0, 2]}]
        """
        step = tokenizing(
            tokenizer, column, output, add_special_tokens, max_length, truncation_side, keep
        )
        plan, features = self._plan, self.features
        if plan.grouped:
            raise UnsupportedError("tokenize: the rows are in batches: call it before batch()")
        if features is not None:
            step.check(features)
        made = any(one.column == column for one in plan.column_steps)
        if not plan.steps and not plan.python and not made:
            return self._with(plan.tokenizing(step))
        known = None
        if features is not None:
            rest = {name: of for name, of in features.items() if keep or name != column}
            known = Features({**rest, output: step.feature})
        return self._with(plan.then(step), _known=known)
