"""Texts of map-style datasets as token ids, encoded by the core."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, Self

from rowstream.dataset.map_style.column_types import ColumnTypes
from rowstream.features.features import Features
from rowstream.features.nested import requires_decoding
from rowstream.ops.chat.arguments import chat_step
from rowstream.ops.chat.step import begin
from rowstream.ops.tokenize import Tokenize, tokenizing

if TYPE_CHECKING:
    import pyarrow as pa

    from rowstream import _core
    from rowstream.ops.chat.step import ApplyChatTemplate

_TOGETHER = 64  # conversations that one thread renders


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
        result = self.with_format("arrow").map(
            EncodeTable(step),
            batched=True,
            remove_columns=None if keep else [column],
            features=Features({**rest, output: step.feature}),
            load_from_cache_file=load_from_cache_file,
            desc="Tokenizing",
        )
        return self._as_formatted(result, [output])

    def apply_chat_template(
        self,
        template: Any,
        column: str = "messages",
        *,
        tokenizer: Any = None,
        tokenize: bool | None = None,
        assistant_mask: bool | Literal["generation", "turns"] = False,
        add_generation_prompt: bool = False,
        tools: str | Sequence[Any] | None = None,
        variables: dict[str, Any] | None = None,
        max_length: int | None = None,
        truncation_side: Literal["left", "right"] | None = None,
        keep: bool = False,
        load_from_cache_file: bool | None = None,
    ) -> Self:
        """Render the conversations of a column by a chat template, as texts or token ids.

        The core does it on all threads; what it does not render as Jinja2 does, that renders. The
        result is written to the cache, as `map` does it, under a key of the contents of template
        and tokenizer.

        Args:
            template, column, tokenizer, tokenize, assistant_mask: As for streams.
            add_generation_prompt, tools, variables: As for streams.
            max_length, truncation_side, keep: As for streams.
            load_from_cache_file: As in `map`.

        Returns:
            A new dataset.

        Raises:
            InvalidArgumentError: There is no such column or template, an argument makes no sense,
                or the template refuses a conversation.
            UnsupportedError: `jinja2` is not installed, or the core does not read the tokenizer.

        Example:
            >>> template = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}"
            >>> ds = Dataset.from_dict({"messages": [[{"role": "user", "content": "Hi"}]]})
            >>> ds.apply_chat_template(template)["text"][0]
            '<user>Hi'
        """
        step = chat_step(
            template,
            column,
            tokenizer=tokenizer,
            tokenize=tokenize,
            assistant_mask=assistant_mask,
            add_generation_prompt=add_generation_prompt,
            tools=tools,
            variables=variables,
            max_length=max_length,
            truncation_side=truncation_side,
            keep=keep,
        )
        features = Features(step.features(self.features))
        # What Python decodes comes as rows; all else as tables.
        rows = any(requires_decoding(self.features[name]) for name in step.used)
        result = self.with_format(None if rows else "arrow").map(
            RenderTable(step, rows=rows),
            batched=True,
            remove_columns=None if keep else step.used,
            features=features,
            load_from_cache_file=load_from_cache_file,
            desc="Rendering",
        )
        return self._as_formatted(result, list(step.made))

    def _as_formatted(self, result: Self, made: list[str]) -> Self:
        """Return a result in the format of this dataset, with the columns that were made."""
        given = self.format
        there = {name for name in result.column_names if name not in made}
        names = (
            None
            if given["columns"] == self.column_names
            else [*(name for name in given["columns"] if name in there), *made]
        )
        return result.with_format(given["type"], columns=names, **given["format_kwargs"])


class RenderTable:
    """A function that adds what a chat template makes of conversations to tables or columns.

    Args:
        step: The step that says how.
        rows: Whether it is called with columns of Python's values, rather than tables.
    """

    def __init__(self, step: ApplyChatTemplate, *, rows: bool) -> None:
        self.step, self.rows = step, rows
        self._made: tuple[int, _core.ChatRenderer | None] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {"step": self.step, "rows": self.rows, "_made": None}

    @property
    def _renderer(self) -> _core.ChatRenderer | None:
        # A child process reads the template anew.
        if self._made is None or self._made[0] != os.getpid():
            self._made = (os.getpid(), None if self.step.reasons else self.step.renderer())
        return self._made[1]

    def __call__(self, batch: Any) -> Any:
        """Return the columns that are made, beside the others where there is a table."""
        given = batch
        if self.rows:
            given = [
                dict(zip(batch, row, strict=True)) for row in zip(*batch.values(), strict=True)
            ]
        parts = [
            begin(self.step, self._renderer, given[at : at + _TOGETHER])
            if self.rows
            else begin(self.step, self._renderer, given.slice(at, _TOGETHER))
            for at in range(0, len(given), _TOGETHER)
        ]
        made = [part.result() for part in parts]
        if self.rows:
            rows = [row for part in made for row in part.rows()]
            return {name: [row[name] for row in rows] for name in self.step.made}
        import pyarrow as pa

        return pa.concat_tables([part.table() for part in made])


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
