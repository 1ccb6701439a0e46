"""Texts of streams as token ids, encoded by the core, and packed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal, Self

from rowstream.dataset.iterable.base import StreamBase
from rowstream.exceptions import InvalidArgumentError, UnsupportedError
from rowstream.features.features import Features
from rowstream.features.nested import requires_decoding
from rowstream.ops.chat.arguments import chat_step
from rowstream.ops.pack import STRATEGIES, Pack
from rowstream.ops.tokenize import tokenizing
from rowstream.utils.arguments import check_number


class StreamTokens(StreamBase):
    """The methods of streams that encode texts and pack token ids."""

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
    ) -> Self:
        """Render the conversations of a column by a chat template, as texts or token ids.

        Texts, ids and masks are those of `apply_chat_template` of transformers. The core makes them
        on all threads, without the interpreter lock. What it does not render as Jinja2 does, Jinja2
        renders, in its sandbox, in the loop: `explain()` says of which templates that is, and why.

        Args:
            template: A tokenizer of transformers that has one; the source of a template, or the
                path of it; or a folder with a tokenizer and its template.
            column: The name of the column of conversations: lists of messages, which are dicts with
                `role`, `content` and others; `None` stays `None`.
            tokenizer: What `tokenize` takes, where `template` is no tokenizer.
            tokenize: Make `input_ids`, lists of int32, rather than `text`; where there is a
                tokenizer if `None`.
            assistant_mask: Add `assistant_masks`, lists of int8: 1 for the tokens that the model is
                to say. `"generation"` goes by the template's blocks `{% generation %}`, `"turns"`
                by what the template adds for an answer after its generation prompt; `True` by the
                first where the template has them.
            add_generation_prompt: End with what an answer begins with.
            tools: The name of a column of tools, or the tools.
            variables: What else the template is given: `{"enable_thinking": False}`, and the
                special tokens that it uses if it is no tokenizer's: `{"bos_token": "<s>"}`.
            max_length: The most ids of a conversation.
            truncation_side: Where a longer one is cut; the tokenizer's side if `None`.
            keep: Keep the columns of conversations and tools, too.

        Returns:
            A new stream.

        Raises:
            InvalidArgumentError: There is no such column or template, an argument makes no sense,
                or, as rows are read, the template refuses a conversation.
            UnsupportedError: `jinja2` is not installed, the core does not read the tokenizer, or
                rows are in batches already.

        Example:
            >>> template = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}"
            >>> chats = [[{"role": "user", "content": "Hi"}]]
            >>> ds = Dataset.from_dict({"messages": chats}).to_iterable_dataset()
            >>> list(ds.apply_chat_template(template))
            [{'text': '<user>Hi'}]
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
        if self._plan.grouped:
            raise UnsupportedError(
                "apply_chat_template: the rows are in batches: call it before batch()"
            )
        features = self.features
        known = None if features is None else Features(step.features(features))
        decoded = features is not None and any(requires_decoding(features[n]) for n in step.used)
        plan = self._decoded() if decoded else self._plan
        return self._with(plan.then(step), _known=known, **({"_decoding": None} if decoded else {}))

    def pack(
        self,
        length: int,
        strategy: Literal["bfd", "bfd_split", "wrapped"] = "bfd",
        *,
        columns: str | Sequence[str] | None = None,
        batch_size: int | None = None,
        drop_last: bool = False,
        seq_lengths: bool | None = None,
        position_ids: bool = False,
    ) -> Self:
        """Put the token sequences of rows together into sequences of at most `length` tokens.

        The strategies are those of trl's `pack_dataset`, with the same results for the same rows.
        Rows of the result have NumPy arrays of the packed columns, or tensors of the dataset's
        format; other columns are left out, since a packed row is of several rows. A state is exact
        at any packed row, also in the middle of a row that was cut: a resumed stream reads the rows
        that are not given yet again, at most `batch_size` and those of one sequence.

        Args:
            length: The most tokens of a packed sequence.
            strategy: `"bfd"` (best fit decreasing) keeps sequences whole and cuts those that are
                longer, whose rest is lost; `"bfd_split"` packs the rest, too; `"wrapped"` puts all
                sequences one after another and cuts them wherever `length` tokens are full, so that
                only the last one is shorter.
            columns: The columns that are packed together, of equal lengths in each row; all that
                are lists of numbers if `None`.
            batch_size: The number of rows that `"bfd"` and `"bfd_split"` pack together, 1000 if
                `None`; of `"wrapped"` those that are read at once, 64 if `None`, which the result
                does not depend on.
            drop_last: Leave out the last sequence of `"wrapped"` if it is shorter.
            seq_lengths: Add a column `seq_lengths` with the lengths of the parts of a packed
                sequence, from which trl's collator makes position ids; as trl does it if `None`:
                not for `"wrapped"`.
            position_ids: Add a column `position_ids`, which begins anew with each part.

        Returns:
            A new stream.

        Raises:
            InvalidArgumentError: There is no such column, or an argument makes no sense.
            SchemaError: A column has no lists of numbers; or, while iterating, two columns have
                other lengths in a row.
            UnsupportedError: Rows are in batches already.

        Example:
            >>> ds = Dataset.from_dict({"input_ids": [[1, 2, 3], [4], [5, 6]]})
            >>> ds = ds.to_iterable_dataset()
            >>> [row["input_ids"].tolist() for row in ds.pack(4)]
            [[1, 2, 3, 4], [5, 6]]
            >>> [row["input_ids"].tolist() for row in ds.pack(2, "wrapped")]
            [[1, 2], [3, 4], [5, 6]]
        """
        if strategy not in STRATEGIES:
            raise InvalidArgumentError(
                f"pack: strategy is one of {', '.join(map(repr, STRATEGIES))}, not {strategy!r}"
            )
        if batch_size is None:
            batch_size = 64 if strategy == "wrapped" else 1000
        for name, number in (("length", length), ("batch_size", batch_size)):
            check_number(name, number, least=1)
        wanted = (columns,) if isinstance(columns, str) else columns
        step = Pack(
            length,
            strategy,
            None if wanted is None else tuple(wanted),
            batch_size,
            drop_last,
            strategy != "wrapped" if seq_lengths is None else seq_lengths,
            position_ids,
        )
        plan, features = self._plan, self.features
        if plan.grouped:
            raise UnsupportedError("pack: the rows are in batches: call it before batch()")
        known = None
        if features is not None:
            known = Features(step.features(features))
            own = tuple(name for name in known if name in features)
            step = replace(step, columns=own)
            plan = plan.select(own) if not plan.steps and not plan.python else plan
        return self._with(plan.then(step), _known=known)
