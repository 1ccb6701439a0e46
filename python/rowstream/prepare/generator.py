"""The rows of a generator function, written to the cache."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from rowstream.exceptions import DatasetGenerationError, InvalidArgumentError, RowstreamError
from rowstream.features.features import Features
from rowstream.features.widen import agreed
from rowstream.fingerprint.caching import is_caching_enabled
from rowstream.fingerprint.transform import (
    generate_random_fingerprint,
    update_fingerprint,
    validate_fingerprint,
)
from rowstream.info import DatasetInfo
from rowstream.prepare.cache import folder, open_table
from rowstream.table.table import concat_tables
from rowstream.utils import progress
from rowstream.utils.atomic import create_file
from rowstream.utils.processes import run_in_processes
from rowstream.writers.arrow import ArrowWriter, SchemaInferenceError
from rowstream.writers.infer import encoded

if TYPE_CHECKING:
    from rowstream.prepare.plan import Made


def prepare_generator(
    make: Callable[..., Made],
    generator: Callable[..., Any],
    features: Features | None,
    cache_dir: Any,
    keep_in_memory: bool,
    gen_kwargs: dict[str, Any] | None,
    num_proc: int | None,
    split: Any,
    fingerprint: str | None,
    anew: bool = False,
) -> Made:
    """Return the dataset of a generator function, of the class `make`.

    What the cache has of it is written anew if `anew`.
    """
    kwargs = dict(gen_kwargs or {})
    if not callable(generator):
        raise TypeError(f"the generator must be callable, found {type(generator).__name__}")
    if fingerprint is not None:
        validate_fingerprint(fingerprint)
        name = fingerprint
    else:
        said = {
            "generator": generator,
            "gen_kwargs": kwargs,
            "features": None if features is None else Features(features).to_dict(),
        }
        name = update_fingerprint(
            "generator", "rowstream.from_generator@1", {**said, "split": str(split)}
        )
    if not is_caching_enabled():
        name = generate_random_fingerprint()
    given = None if features is None else Features(features)
    checked = generator if given is None else partial(_checked, generator, given)
    parts = split_gen_kwargs(kwargs, num_proc)
    place = folder(cache_dir, "generator", f"default-{name}")
    files = [
        os.path.join(
            place, f"{split}{f'-{i:05d}-of-{len(parts):05d}' if len(parts) > 1 else ''}.arrow"
        )
        for i in range(len(parts))
    ]
    missing = [i for i, file in enumerate(files) if anew or not os.path.exists(file)]
    todo: list[tuple[int, _Part]] = []
    for i in missing:
        part = name if len(parts) == 1 else f"{name}{i}"
        todo.append((i, _Part(checked, parts[i], given, files[i], part, split, anew)))
    if len(todo) > 1:
        with progress.bar(None, f"Generating {split} split (num_proc={num_proc})") as bar:
            run_in_processes(todo, len(parts), bar.update, None, "from_generator")
    else:
        for _, one in todo:
            with progress.bar(None, f"Generating {split} split") as bar:
                one(bar.update)
    tables = [open_table(file, keep_in_memory) for file in files]
    if given is None:
        several = [Features.from_arrow_schema(table.schema) for table in tables]
        tables = [
            table if features == own else table.cast(features.arrow_schema)
            for table, own, features in zip(tables, several, agreed(several), strict=True)
        ]
    table = concat_tables(tables)
    info = DatasetInfo(
        builder_name="generator", dataset_name="generator", config_name="default", features=given
    )
    return make(table, info=info, split=split, fingerprint=name)


def _checked(generator: Callable[..., Any], features: Features, /, **kwargs: Any) -> Iterator[Any]:
    """Yield the rows of a generator, and raise for columns that the features do not name."""
    for row in generator(**kwargs):
        if isinstance(row, Mapping) and not row.keys() <= features.keys():
            raise InvalidArgumentError(
                "features= does not name the columns"
                f" {[name for name in row if name not in features]}, but {[*features]}: add them"
                " there, or leave them out of the rows"
            )
        yield row


@dataclass
class _Part:
    """The part of a generator's rows that one process writes."""

    generator: Callable[..., Any]
    kwargs: dict[str, Any]
    features: Features | None
    file: str
    name: str
    split: Any
    anew: bool

    def __call__(self, on_progress: Callable[[int], None]) -> None:
        create_file(self.file, lambda to: self._write(to, on_progress), self.anew)

    def _write(self, temporary: str, on_progress: Callable[[int], None]) -> None:
        try:
            with ArrowWriter(
                path=temporary,
                features=self.features,
                fingerprint=self.name,
                on_mixed_types="use_json",
            ) as writer:
                for row in _given(self.generator, self.kwargs):
                    writer.write(
                        row if self.features is None else encoded(self.features, row, len(writer))
                    )
                    on_progress(1)
                writer.finalize()
        except SchemaInferenceError:
            # A generator of nothing, which says no types either.
            with pa.OSFile(temporary, "wb") as sink, pa.ipc.new_stream(sink, pa.schema([])):
                pass


@contextmanager
def generating() -> Iterator[None]:
    """Tell errors of users' code that generates rows as `datasets` does; our own stay as they are.

    Raises:
        DatasetGenerationError: The code raised an error, which is the cause of this one.
    """
    try:
        yield
    except RowstreamError:
        raise
    except Exception as error:
        raise DatasetGenerationError(
            f"An error occurred while generating the dataset: {type(error).__name__}: {error}"
        ) from error


def _given(generator: Callable[..., Any], kwargs: dict[str, Any]) -> Iterator[Any]:
    """Yield the rows of a generator."""
    with generating():
        yield from generator(**kwargs)


def split_gen_kwargs(kwargs: dict[str, Any], num_proc: int | None) -> list[dict[str, Any]]:
    """Return the arguments of each process, with the lists among them divided."""
    lists = {name: value for name, value in kwargs.items() if isinstance(value, list)}
    if not num_proc or num_proc < 2 or not lists:
        return [kwargs]
    lengths = {len(value) for value in lists.values()}
    if len(lengths) > 1:
        sizes = {name: len(value) for name, value in lists.items()}
        raise RuntimeError(
            "Sharding is ambiguous for this dataset: we found several data sources lists of"
            f" different lengths, and we don't know over which list we should parallelize: {sizes}."
            " To fix this, only use lists for data sources, and tuples otherwise."
        )
    (n,) = lengths
    parts = min(num_proc, n) or 1
    bounds = [(n * i // parts, n * (i + 1) // parts) for i in range(parts)]
    return [
        {**kwargs, **{name: value[start:end] for name, value in lists.items()}}
        for start, end in bounds
    ]
