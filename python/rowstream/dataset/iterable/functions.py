"""Methods of streams that apply users' functions to rows."""

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
    """Methods of streams that apply users' functions to rows."""

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
        """Apply a function to each row, or to batches of rows, while the dataset is iterated.

        The columns that it returns are added to those of the row, or replace them. Rows keep their
        order. An error of the function has a note with the row. After a resume the function may be
        called again for rows that were being processed. A state contains the name of the function,
        not its code.

        Args:
            function: It takes a row (a dict), or a dict of lists if `batched`, and returns a dict.
                It may be `async`. With `None` the rows stay as they are.
            with_indices: Also pass the position of the row, or a list of them. Each worker and rank
                counts its own rows.
            input_columns: Pass the values of these columns as positional arguments instead of a
                dict.
            batched: Pass batches; the function may then return more or fewer rows.
            batch_size: The number of rows in a batch; all rows if `None` or not above 0.
            drop_last_batch: Leave out a last batch that is shorter.
            remove_columns: Columns that the result does not have, unless the function returns them.
            features: The types of the result; `ds.features` is `None` without them.
            fn_kwargs: More keyword arguments for the function.
            num_threads: The number of threads to run the function in; in the iterating thread if
                `None`.
            num_proc: The number of processes to run the function in. Not together with
                `num_threads`.

        Raises:
            InvalidArgumentError: Arguments have no such values or do not go together; or, while
                iterating, the function returns no dict, or columns of different lengths.

        Example:
            >>> ds = Dataset.from_dict({"text": ["a", "bb"]}).to_iterable_dataset()
            >>> list(ds.map(lambda row: {"length": len(row["text"])}))
            [{'text': 'a', 'length': 1}, {'text': 'bb', 'length': 2}]
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
        """Keep the rows for which a function or a condition is true.

        A condition such as `col("score") > 0.5` is evaluated while files are read, which skips data
        that cannot match. Use it instead of a function where you can.

        Args:
            function: It takes a row and returns a bool; or a batch and returns a list of them; or
                it is a condition on columns, with none of the other arguments.
            with_indices, input_columns, batched, batch_size: As in `map`.
            fn_kwargs, num_threads, num_proc: As in `map`.

        Raises:
            InvalidArgumentError: As in `map`; or a condition names a column that does not exist.

        Example:
            >>> ds = Dataset.from_dict({"score": [0.2, 0.7, 0.9]}).to_iterable_dataset()
            >>> list(ds.filter(lambda row: row["score"] > 0.8))
            [{'score': 0.9}]
            >>> list(ds.filter(col("score") > 0.5))
            [{'score': 0.7}, {'score': 0.9}]
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
        """Apply a function that returns or yields any number of rows for each row.

        A state between the rows of one call is exact: after a resume the function is called again
        for that row, and the rows already returned are skipped. `datasets` has no such method.

        Args:
            function: It takes a row and returns an iterable of rows (dicts), such as a list or
                generator.
            fn_kwargs: More keyword arguments for the function.

        Example:
            >>> ds = Dataset.from_dict({"text": ["a b", "c"]}).to_iterable_dataset()
            >>> list(ds.flat_map(lambda row: ({"word": word} for word in row["text"].split())))
            [{'word': 'a'}, {'word': 'b'}, {'word': 'c'}]
        """
        return self._with(
            flattened(self._decoded(), self._format, function, fn_kwargs), _known=None, _decoding=0
        )

    def decode(self, enable: bool = True, num_threads: int | None = None) -> Self:
        """Turn the decoding of images, JSON and similar features on or off, or run it in threads.

        Call it before functions and filters. A state fits the dataset with and without decoding.

        Args:
            enable: Whether rows have decoded values; otherwise they have what is stored, for media
                `{"bytes": ..., "path": ...}`.
            num_threads: The number of threads that decode; 0 for the iterating thread. By default
                32 where there is something to decode. Rows keep their order.

        Raises:
            InvalidArgumentError: The features are not known.
            UnsupportedError: It is called after a function of a dataset with encoded features.

        Example:
            >>> features = Features({"meta": Json()})
            >>> ds = IterableDataset.from_dict({"meta": [{"a": 1}]}, features=features)
            >>> next(iter(ds))
            {'meta': {'a': 1}}
            >>> next(iter(ds.decode(False)))
            {'meta': '{"a":1}'}
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
        result = with_decoding(features, enable)
        threads = check_number(
            "num_threads",
            (32 if requires_decoding(features) else 0) if num_threads is None else num_threads,
        )
        return self._decoded_as(result, threads)

    def _decoded_as(self, features: Any, threads: int) -> Self:
        """Return the stream with features that differ only in what is decoded."""
        if self._plan.python:
            return self._with(_known=features, _decoding=threads)
        return self._cast(dict(features))._with(_decoding=threads)
