"""Functions of users over the rows of a stream."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Self

from rowstream.dataset.iterable.columns import StreamColumns
from rowstream.exceptions import InvalidArgumentError, UnsupportedError
from rowstream.features.features import Features
from rowstream.features.nested import requires_decoding, with_decoding
from rowstream.ops.decode import Decode
from rowstream.plan.expr import Expr
from rowstream.plan.transforms import filtered, flattened, mapped
from rowstream.utils.arguments import check_number


class StreamFunctions(StreamColumns):
    """Functions of users over rows."""

    def map(
        self,
        function: Callable[..., Any] | None = None,
        with_indices: bool = False,
        input_columns: str | Sequence[str] | None = None,
        batched: bool = False,
        batch_size: int | None = 1000,
        drop_last_batch: bool = False,
        remove_columns: str | Sequence[str] | None = None,
        features: Any = None,
        fn_kwargs: dict[str, Any] | None = None,
        num_threads: int | None = None,
        num_proc: int | None = None,
    ) -> Self:
        """Each row, or batch of rows, through a function, whose columns are added to those there
        are.

        Args:
            function: is given a row (a dict), or a dict of lists if `batched`, and returns a dict.
                It may be `async`.
            with_indices: also give it the row's position, or the list of them: counted by this
                consumer.
            input_columns: give it the values of these columns instead of the row.
            batched: give it batches; it may return another number of rows.
            batch_size: rows of a batch; all of them if `None`.
            drop_last_batch: leave out a last batch that is shorter.
            remove_columns: columns that go, unless the function returns them.
            features: the types of the columns afterwards, if they are to be known.
            fn_kwargs: further arguments for the function.
            num_threads: run it in so many threads beside the loop; rows stay in their order.
            num_proc: run it in so many processes.

        An error of the function has a note with the row. A function may be called again for a row
        when a stream is resumed; the order of its results never changes. A state names the
        function, not its code.

        Example:
            >>> ds = ds.map(lambda row: {"length": len(row["text"])})
        """
        typed = None if features is None else Features(features)
        plan = mapped(
            self._decoded(),
            self._format,
            function,
            with_indices=with_indices,
            input_columns=input_columns,
            batched=batched,
            batch_size=batch_size,
            drop_last_batch=drop_last_batch,
            remove_columns=remove_columns,
            fn_kwargs=fn_kwargs,
            num_threads=num_threads,
            num_proc=num_proc,
            features=typed,
        )
        return self._with(plan, _known=typed, _decoding=0)

    def filter(
        self,
        function: Callable[..., Any] | None = None,
        with_indices: bool = False,
        input_columns: str | Sequence[str] | None = None,
        batched: bool = False,
        batch_size: int | None = 1000,
        fn_kwargs: dict[str, Any] | None = None,
        num_threads: int | None = None,
        num_proc: int | None = None,
    ) -> Self:
        """Return the rows for which a function is true. Arguments as in `map`; of a batch it
        returns a list of booleans.

        Example:
            >>> ds = ds.filter(lambda row: row["score"] > 0.5)
        """
        before = self._plan if isinstance(function, Expr) else self._decoded()
        plan = filtered(
            before,
            self._format,
            function,
            with_indices=with_indices,
            input_columns=input_columns,
            batched=batched,
            batch_size=batch_size,
            fn_kwargs=fn_kwargs,
            num_threads=num_threads,
            num_proc=num_proc,
        )
        return self._with(
            plan,
            _known=self.features,
            **({"_partly": self._partly} if before is self._plan else {"_decoding": None}),
        )

    def flat_map(
        self, function: Callable[..., Any], fn_kwargs: dict[str, Any] | None = None
    ) -> Self:
        """Return the rows that a function gives for each row, one after another: none, one or many,
        also lazily.

        A state within them is exact: the function is called again for that row, and what was given
        is passed over.

        Example:
            >>> ds = ds.flat_map(lambda row: ({"turn": turn} for turn in row["messages"]))
        """
        return self._with(
            flattened(self._decoded(), self._format, function, fn_kwargs), _known=None, _decoding=0
        )

    def decode(self, enable: bool = True, num_threads: int | None = None) -> Self:
        """Return whether media, and what else features decode, are decoded; and in how many threads
        beside the loop.

        Args:
            enable: whether rows have what features decode; else what is stored: of media,
                `{"bytes": …, "path": …}`.
            num_threads: threads; none, so in the loop, if it is 0; 32 if it is not given, of what
                is decoded already. Rows stay in their order.

        Example:
            >>> ds = ds.decode(num_threads=8)
            >>> raw = ds.decode(False)
        """
        features = self.features
        if not features:
            raise InvalidArgumentError(
                "Features decoding is only available for datasets with known features, but features"
                " are Unknown. Please set the datasets features with `ds = ds.cast(features)`."
            )
        if any(isinstance(step, Decode) for step in self._plan.steps):
            raise UnsupportedError(
                "decode() says how rows come out of files: call it before functions and filters"
            )
        made = with_decoding(features, enable)
        threads = check_number(
            "num_threads",
            (32 if requires_decoding(features) else 0) if num_threads is None else num_threads,
        )
        if self._plan.python:
            return self._with(_known=made, _decoding=threads)
        return self._cast(dict(made))._with(_decoding=threads)
