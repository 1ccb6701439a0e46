"""Builders whose rows a method of theirs generates."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from rowstream import config
from rowstream.builder.builder import DatasetBuilder
from rowstream.exceptions import DatasetGenerationError, RowstreamError
from rowstream.prepare.generator import split_gen_kwargs
from rowstream.utils import progress
from rowstream.utils.arguments import convert_file_size_to_int
from rowstream.utils.processes import run_in_processes
from rowstream.writers.arrow import ArrowWriter, SchemaInferenceError
from rowstream.writers.infer import encoded
from rowstream.writers.parquet import ParquetWriter

if TYPE_CHECKING:
    from rowstream.splits.info import SplitGenerator


class Key(NamedTuple):
    """The key of a row or table that also says which of the original files it is of."""

    original_shard_id: int
    item_or_batch_id: int


@dataclass
class _Share:
    """A process's share of a split, which it writes into files of at most so many bytes.

    Gives the rows and bytes of each file, the rows of each original file, and the features.
    """

    builder: Any
    kwargs: dict[str, Any]
    stem: str
    kind: str
    limit: int

    def __call__(self, told: Callable[[int], None]) -> tuple[list[tuple[int, int]], list[int], Any]:
        files: list[tuple[int, int]] = []
        originals: list[int] = []
        features = self.builder.info.features
        writer: Any = None
        arrow = isinstance(self.builder, ArrowBasedBuilder)

        def opened() -> Any:
            make = ParquetWriter if self.kind == "parquet" else ArrowWriter
            path = f"{self.stem}-{len(files):05d}.{self.kind}"
            return make(
                path=path, features=features, writer_batch_size=self.builder._writer_batch_size
            )

        try:
            writer = opened()
            several = (
                self.builder._generate_tables(**self.kwargs)
                if arrow
                else self.builder._generate_examples(**self.kwargs)
            )
            for key, one in several:
                if writer._num_bytes > self.limit:
                    files.append(writer.finalize())
                    features = writer._features
                    writer = opened()
                if arrow:
                    writer.write_table(one)
                else:
                    writer.write(one if features is None else encoded(features, one, len(writer)))
                n = len(one) if arrow else 1
                if isinstance(key, Key):
                    originals.extend([0] * (key.original_shard_id + 1 - len(originals)))
                    originals[key.original_shard_id] += n
                told(n)
            files.append(writer.finalize())
        except SchemaInferenceError as error:
            raise DatasetGenerationError(
                f"{type(self.builder).__name__} gave no rows, and its info says no features: there"
                " are no types to write"
            ) from error
        except RowstreamError:
            raise
        except Exception as error:
            raise DatasetGenerationError(
                f"An error occurred while generating the dataset: {type(error).__name__}: {error}"
            ) from error
        finally:
            if writer is not None:
                writer.close()
        return files, originals, writer._features


class GeneratingBuilder(DatasetBuilder):
    """What gives rows or tables, and has them written."""

    def _prepare_split(self, split_generator: SplitGenerator, **kwargs: Any) -> None:
        kind, num_proc = kwargs.get("file_format", "arrow"), kwargs.get("num_proc")
        limit = kwargs.get("max_shard_size")
        limit = convert_file_size_to_int(config.MAX_SHARD_SIZE if limit is None else limit)
        split = str(split_generator.name)
        parts = split_gen_kwargs(split_generator.gen_kwargs, num_proc)
        stems = [
            os.path.join(self._output_dir, f".part-{split}-{i:05d}") for i in range(len(parts))
        ]
        work = [
            (i, _Share(self, part, stem, kind, limit))
            for i, (part, stem) in enumerate(zip(parts, stems, strict=True))
        ]
        made: dict[int, Any] = {}
        with progress.bar(
            None,
            f"Generating {split} split" + (f" (num_proc={num_proc})" if len(parts) > 1 else ""),
        ) as bar:
            if len(parts) > 1:
                run_in_processes(
                    work, len(parts), bar.update, made.__setitem__, "download_and_prepare"
                )
            else:
                made[0] = work[0][1](bar.update)
        written = [(i, j, size) for i in range(len(parts)) for j, size in enumerate(made[i][0])]
        for name, (i, j, _) in zip(self._names(split, len(written), kind), written, strict=True):
            os.rename(f"{stems[i]}-{j:05d}.{kind}", os.path.join(self._output_dir, name))
        info = split_generator.split_info
        info.num_examples, info.num_bytes = (
            sum(size[0] for *_, size in written),
            sum(size[1] for *_, size in written),
        )
        if len(written) > 1:
            info.shard_lengths = [size[0] for *_, size in written]
        originals = [n for i in range(len(parts)) for n in made[i][1]]
        if len(originals) > 1 and config.SAVE_ORIGINAL_SHARD_LENGTHS:
            info.original_shard_lengths = originals
        if self.info.features is None:
            self.info.features = made[0][2]


class GeneratorBasedBuilder(GeneratingBuilder):
    """A builder that gives rows: `_generate_examples(**gen_kwargs)` gives `(key, row)`.

    Example:
        >>> class Squares(GeneratorBasedBuilder):
        ...     def _info(self):
        ...         features = Features({"n": Value("int64"), "square": Value("int64")})
        ...         return DatasetInfo(features=features)
        ...
        ...     def _split_generators(self, dl_manager):
        ...         return [SplitGenerator(name="train", gen_kwargs={"upto": 10})]
        ...
        ...     def _generate_examples(self, upto):
        ...         for n in range(upto):
        ...             yield n, {"n": n, "square": n * n}
        >>> load_dataset(Squares, split="train", streaming=True)
    """

    @abstractmethod
    def _generate_examples(self, **kwargs: Any) -> Iterator[tuple[Any, dict[str, Any]]]:
        """`(key, row)` of each row; keys change nothing, but for `Key`."""


class ArrowBasedBuilder(GeneratingBuilder):
    """A builder that gives Arrow tables: `_generate_tables(**gen_kwargs)` gives `(key, table)`."""

    @abstractmethod
    def _generate_tables(self, **kwargs: Any) -> Iterator[tuple[Any, Any]]:
        """`(key, table)` of each table of pyarrow."""
