"""The methods that add a stage to a pipeline, in the habits of the package `webdataset`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

from rowstream.exceptions import InvalidArgumentError
from rowstream.utils.arguments import check_number
from rowstream.webdataset.decoding import decoded, image_handler
from rowstream.webdataset.stages import (
    Handler,
    as_dict,
    as_tuple,
    batched,
    collate,
    each_of_dict,
    each_of_tuple,
    extracted,
    keyed,
    mapped,
    renamed,
    reraise_exception,
    selected,
    shuffled,
    sliced,
    unbatched,
    unlisted,
)

Stage = Callable[[Iterator[Any]], Iterator[Any]]
_partial = partial


class Fluid:
    """The methods that add a stage to a pipeline."""

    def compose(self, *stages: Stage) -> Any:
        """Return the pipeline with more stages: functions from an iterator to an iterator."""
        raise NotImplementedError

    def map(self, function: Callable[[Any], Any], handler: Handler = reraise_exception) -> Any:
        """Replace each sample by what a function returns; a dict keeps its key."""
        return self.compose(partial(mapped, partial(keyed, function), handler))

    def map_dict(
        self, handler: Handler = reraise_exception, **functions: Callable[[Any], Any]
    ) -> Any:
        """Replace values of samples by what a function of each returns."""
        if not functions:
            raise InvalidArgumentError("map_dict takes functions by the names of values")
        return self.compose(partial(mapped, partial(each_of_dict, functions), handler))

    def map_tuple(
        self, *functions: Callable[[Any], Any] | None, handler: Handler = reraise_exception
    ) -> Any:
        """Replace values of tuples by what a function of each returns; `None` leaves one."""
        return self.compose(partial(mapped, partial(each_of_tuple, functions), handler))

    def select(self, predicate: Callable[[Any], Any]) -> Any:
        """Keep the samples for which a function is true."""
        return self.compose(partial(selected, predicate))

    def rename(self, handler: Handler = reraise_exception, keep: bool = True, **names: str) -> Any:
        """Give values other names: `image="jpg;png"` takes the first that is there."""
        return self.compose(partial(mapped, partial(renamed, names, keep), handler))

    def to_tuple(
        self,
        *names: str,
        handler: Handler = reraise_exception,
        missing_is_error: bool = True,
        none_is_error: bool | None = None,
    ) -> Any:
        """Replace samples by tuples of their values: `"jpg;png"` takes the first that is there."""
        if len(names) == 1 and " " in names[0]:
            names = tuple(names[0].split())
        strict = missing_is_error if none_is_error is None else none_is_error
        make = partial(as_tuple, names, missing_is_error, strict)
        return self.compose(partial(mapped, make, handler))

    def to_dict(self, *names: str, handler: Handler = reraise_exception) -> Any:
        """Replace tuples by dicts with names for their values."""
        return self.compose(partial(mapped, partial(as_dict, names), handler))

    def extract_keys(
        self, *patterns: str, duplicate_is_error: bool = True, ignore_missing: bool = False
    ) -> Any:
        """Replace samples by tuples of the values whose names match a pattern each."""
        make = partial(extracted, patterns, duplicate_is_error, ignore_missing)
        return self.compose(partial(mapped, make, reraise_exception))

    def decode(
        self,
        *handlers: str | Callable[[str, bytes], Any],
        only: Iterable[str] | None = None,
        handler: Handler = reraise_exception,
    ) -> Any:
        """Decode the members of samples.

        Args:
            handlers: What becomes of images: `"pil"`, `"pill"`, `"pilrgba"`, `"rgb"`, `"rgb8"`,
                `"l"`, `"l8"`, `"rgba"`, `"rgba8"` (NumPy, from 0 to 1 without the 8), or
                `"torchrgb"`, `"torchrgb8"`, … (channels first); or functions of the name and the
                bytes of a member, which return `None` for what they leave to the next.
            only: The names of members to decode; all if `None`.
            handler: What happens to errors.
        """
        some = [image_handler(one) if isinstance(one, str) else one for one in handlers]
        wanted = None if only is None else frozenset([only] if isinstance(only, str) else only)
        return self.compose(partial(mapped, partial(decoded, some, wanted), handler))

    def shuffle(self, size: int, initial: int = 100, seed: int | None = None) -> Any:
        """Shuffle in a buffer, with the order that the seed says."""
        return self if size < 1 else self.compose(partial(shuffled, size, initial, seed or 0))

    def batched(
        self,
        batchsize: int = 20,
        collation_fn: Callable[[list[Any]], Any] | None = collate,
        partial: bool = True,
    ) -> Any:
        """Join samples to batches: by default tuples of arrays, tensors and lists; lists of samples
        if `collation_fn` is `None`.
        """
        check_number("batchsize", batchsize, least=1)
        return self.compose(_partial(batched, batchsize, collation_fn or list, partial))

    def listed(self, batchsize: int, partial: bool = True) -> Any:
        """Join samples to lists."""
        check_number("batchsize", batchsize, least=1)
        return self.compose(_partial(batched, batchsize, list, partial))

    def unlisted(self) -> Any:
        """Take lists apart into samples."""
        return self.compose(unlisted)

    def unbatched(self) -> Any:
        """Take batches apart into samples."""
        return self.compose(unbatched)

    def slice(self, *args: int) -> Any:
        """Take a range of samples, as `itertools.islice` does."""
        return self.compose(_partial(sliced, args))

    def log_keys(self, *_: Any) -> Any:
        """Do nothing: a state of a stream says which samples it gave."""
        return self
