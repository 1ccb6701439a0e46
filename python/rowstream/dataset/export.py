"""Streams written to files, and made objects of other libraries."""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rowstream.dataset.shards import Output
from rowstream.dataset.sinks import ParquetSink, TextSink, parquet_overhead
from rowstream.exceptions import InvalidArgumentError, SchemaError, UnsupportedError
from rowstream.features.features import generate_from_arrow_type
from rowstream.features.types import Features, requires_decoding
from rowstream.fingerprint import generate_random_fingerprint, get_temporary_cache_files_directory
from rowstream.ops.apply import columns_of
from rowstream.permissions import umask

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rowstream.plan import Plan

_ROWS = 1000
_ROW_GROUP = 64 << 20  # bytes of a row group of Parquet
_LOOKED_AT = 10  # batches of what functions made, from which types are found


@contextmanager
def written(path_or_buf: Any) -> Iterator[Any]:
    """A binary file to write, in place of what is there only once it is whole: a reader sees the old one or the new one."""
    if hasattr(path_or_buf, "write"):
        yield path_or_buf
        return
    path = Path(os.fspath(path_or_buf)).expanduser()
    if not path.parent.is_dir():
        raise InvalidArgumentError(f"there is no folder {path.parent}")
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())

        mode = 0o666 & ~umask()
        Path(name).chmod(mode)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def pa_schema(features: Features) -> Any:
    """The pyarrow schema of rows, without metadata."""
    import pyarrow as pa

    return pa.schema(list(features.type))


def _typed(rows: list[dict[str, Any]], schema: Any) -> Any:
    """Rows that functions made, as a table of a schema."""
    import pyarrow as pa

    from rowstream.features.raw import FAILED

    columns = columns_of(rows)
    if new := [name for name in columns if name not in schema.names]:
        raise InvalidArgumentError(f"a function made columns that earlier rows did not have: {new}; name all columns with map(features=…)")
    made = []
    for field in schema:
        try:
            made.append(_as(columns.get(field.name, [None] * len(rows)), field.type))
        except FAILED as error:
            raise SchemaError(
                f"column {field.name!r}: {error}; earlier rows were {field.type}: name the types with map(features=…)"
            ) from error
    return pa.table(made, schema=schema)


def _as(values: list[Any], kind: Any) -> Any:
    """Values as an array of a type, arrays of several dimensions and tensors too."""
    from rowstream.features.exact import exact_array
    from rowstream.features.raw import FAILED, array_of
    from rowstream.table import array_cast

    try:
        return exact_array(values, kind)
    except FAILED:
        return array_cast(array_of(values), kind)


def signed(table: Any) -> Any:
    """A table with signed integers in place of unsigned ones of 64 bits, which databases do not have.

    Raises:
        InvalidArgumentError: one is too large.
    """
    import pyarrow as pa

    for i, of in enumerate(table.schema):
        if pa.types.is_uint64(of.type):
            try:
                table = table.set_column(i, of.name, table.column(i).cast(pa.int64()))
            except pa.ArrowInvalid as error:
                raise InvalidArgumentError(f"to_sql: column {of.name!r} has integers that no database holds: {error}") from None
    return table


def inserted(frames: Iterator[Any], name: str, con: Any, options: dict[str, Any]) -> int:
    """Frames written into a table of a database, one after another; gives the rows."""
    total = 0
    for i, frame in enumerate(frames):
        given = {"index": False, **options, **({"if_exists": "append"} if i else {})}
        total += frame.to_sql(name, con, **given) or len(frame)
    return total


class Exporting:
    """What a stream becomes. Each reads it from the start of the epoch, or after a state that was loaded."""

    if TYPE_CHECKING:
        _plan: Plan
        _split: str | None

        def __iter__(self) -> Iterator[Any]:
            """Rows."""
            ...

        @property
        def features(self) -> Features | None:
            """The types of the columns."""
            ...

        def with_format(self, type: str | None = None) -> Any:
            """Another format."""
            ...

        def _told(self) -> int | None:
            """How many rows there are, where that is known."""
            ...

    def _tables(self, batch_size: int | None) -> Iterator[Any]:
        """The rows as Arrow tables of one schema."""
        import pyarrow as pa

        from rowstream.formats.arrow import columns

        size, features = batch_size or _ROWS, self.features
        schema = None if features is None else pa_schema(features)
        if self._plan.direct:
            yield from (table.cast(schema) for table in self.with_format("arrow").iter(size))
            return
        # What is stored, not what it decodes to.
        stored: Any = self.with_format(None)._with(_decoding=None)
        rows = iter(stored if features is None or not requires_decoding(features, True) else map(features.encode_example, stored))
        first: list[list[dict[str, Any]]] = []
        while schema is None and len(first) < _LOOKED_AT and (group := list(islice(rows, size))):
            first.append(group)
        if schema is None:
            seen = [columns(columns_of(group)).schema for group in first]
            schema = pa.unify_schemas(seen, promote_options="permissive") if seen else pa.schema([])
        yield from (_typed(group, schema) for group in first)
        while group := list(islice(rows, size)):
            yield _typed(group, schema)

    def _batches(self, batch_size: int | None) -> Iterator[Any]:
        """The rows as Arrow tables, each as soon as its rows are read: without known types, each has its own."""
        if self.features is not None:
            yield from self._tables(batch_size)
            return
        from rowstream.formats.arrow import columns

        rows = iter(self.with_format(None)._with(_decoding=None))
        while group := list(islice(rows, batch_size or _ROWS)):
            yield columns(columns_of(group))

    def _table(self, batch_size: int | None) -> Any:
        import pyarrow as pa

        tables = list(self._tables(batch_size))
        if tables:
            return pa.concat_tables(tables)
        return pa_schema(self.features or Features()).empty_table()

    def to_dict(self, batch_size: int | None = None, batched: bool = False) -> Any:
        """All rows as a dict of lists; one for each `batch_size` rows if `batched`."""
        if batched:
            return (table.to_pydict() for table in self._batches(batch_size))
        return self._table(batch_size).to_pydict()

    def to_map_style(self) -> Any:
        """All rows as a map-style data set, in a file of a folder that goes with the process."""
        from rowstream.dataset.map_style import Dataset

        path = os.path.join(get_temporary_cache_files_directory(), f"stream-{generate_random_fingerprint()}.arrow")
        import pyarrow as pa

        from rowstream.sealed import marked, seal

        tables = self._tables(10_000)
        first = next(tables, None)
        if first is None:
            first = self._table(None)
        # Names of labels, and what media are, are kept in the schema.
        schema = first.schema if self.features is None else first.schema.with_metadata(self.features.arrow_schema.metadata)
        with pa.OSFile(path, "wb") as sink, pa.ipc.new_stream(sink, marked(schema)) as writer:
            writer.write_table(first)
            for table in tables:
                writer.write_table(table)
        seal(path)
        return Dataset.from_file(path)

    def push_to_hub(
        self,
        repo_id: str,
        config_name: str = "default",
        set_default: bool | None = None,
        split: str | None = None,
        data_dir: str | None = None,
        commit_message: str | None = None,
        commit_description: str | None = None,
        private: bool | None = None,
        token: str | None = None,
        revision: str | None = None,
        create_pr: bool | None = False,
        max_shard_size: str | int | None = None,
        num_shards: int | None = None,
        embed_external_files: bool = True,
        num_proc: int | None = None,
    ) -> Any:
        """Uploads the rows to a data set of the Hub, read once into an Arrow file. Arguments as those of `Dataset.push_to_hub`."""
        if max_shard_size is not None and num_shards is not None:
            raise InvalidArgumentError("Failed to push_to_hub: please specify either max_shard_size or num_shards, but not both.")
        return self.to_map_style().push_to_hub(
            repo_id, config_name, set_default, split or self._split, data_dir, commit_message, commit_description, private, token,
            revision, create_pr, max_shard_size, num_shards, embed_external_files, num_proc,
        )  # fmt: skip

    def to_list(self) -> list[dict[str, Any]]:
        """All rows as dicts."""
        return list(self.with_format(None))

    def to_pandas(self, batch_size: int | None = None, batched: bool = False) -> Any:
        """All rows as a pandas frame; one for each `batch_size` rows if `batched`."""
        if batched:
            return (table.to_pandas() for table in self._batches(batch_size))
        return self._table(batch_size).to_pandas()

    def to_polars(
        self, batch_size: int | None = None, batched: bool = False, schema_overrides: dict[str, Any] | None = None, rechunk: bool = True
    ) -> Any:
        """All rows as a Polars frame; one for each `batch_size` rows if `batched`."""
        from rowstream.features.maps import polars_frame

        options = {"schema_overrides": schema_overrides, "rechunk": rechunk}
        if batched:
            return (polars_frame(table, **options) for table in self._batches(batch_size))
        return polars_frame(self._table(batch_size), **options)

    def to_parquet(
        self,
        path_or_buf: Any,
        batch_size: int | None = None,
        storage_options: dict[str, Any] | None = None,
        num_shards: int | None = None,
        max_shard_size: str | int | None = None,
        **parquet_writer_kwargs: Any,
    ) -> int:
        """Writes the rows as Parquet, whole or not at all. Gives the bytes of their columns.

        Args:
            path_or_buf: the file's name, or a binary file. Of several files: `"folder/name.parquet"` stands for
                `name-00000-of-00003.parquet` and so on, in the place of whatever it stood for before; a name without an ending is a folder.
            batch_size: rows of a row group; of about 64 MiB if it is not given.
            storage_options: for remote files, which are not written yet.
            num_shards: so many files, in the order of the stream. Where only reading tells how many rows there are, they are read once,
                into a file of a temporary folder.
            max_shard_size: files of at most so many bytes (`"500MB"`), by what Arrow needs for their rows.
            parquet_writer_kwargs: as `pyarrow.parquet.ParquetWriter` has them.
        """
        output = self._output(path_or_buf, storage_options, num_shards, max_shard_size)
        with self._rows_for(output, batch_size) as (tables, rows, empty):
            pieces = output.pieces(tables, empty, rows, beside=parquet_overhead(len(empty.schema)))
            full = 0 if batch_size is not None else _ROW_GROUP
            notes = _notes(self.features, empty.schema)
            return output.write(
                pieces,
                lambda file: ParquetSink(file, parquet_writer_kwargs, lambda _, size: size >= full, notes),
                ".parquet",
                self._called(),
            )

    def to_csv(
        self,
        path_or_buf: Any,
        batch_size: int | None = None,
        storage_options: dict[str, Any] | None = None,
        num_shards: int | None = None,
        max_shard_size: str | int | None = None,
        **to_csv_kwargs: Any,
    ) -> int:
        """Writes the rows as CSV, whole or not at all. Gives the bytes written. Other arguments as `pandas.DataFrame.to_csv` has them;
        `num_shards` and `max_shard_size` as in `to_parquet`.
        """
        from rowstream.features.frames import csv_bytes, exact_frame

        options = {"index": False, **to_csv_kwargs}
        header = options.pop("header", True)

        def text(table: Any, header: Any = False) -> bytes:
            return csv_bytes(exact_frame(table), header=header, **options)

        output = self._output(path_or_buf, storage_options, num_shards, max_shard_size)
        return self._texts(output, ".csv", batch_size, text, lambda table: text(table, header))

    def to_json(
        self,
        path_or_buf: Any,
        batch_size: int | None = None,
        storage_options: dict[str, Any] | None = None,
        num_shards: int | None = None,
        max_shard_size: str | int | None = None,
        **to_json_kwargs: Any,
    ) -> int:
        """Writes the rows as JSON Lines, whole or not at all. Gives the bytes written. Other arguments as those of pandas;
        `num_shards` and `max_shard_size` as in `to_parquet`.
        """
        from rowstream.features.frames import exact_frame

        options = {"orient": "records", "lines": True, "force_ascii": False, **to_json_kwargs}
        if options["orient"] != "records" or not options["lines"]:
            raise UnsupportedError("to_json writes lines, an object each; to_pandas().to_json() writes all else")
        output = self._output(path_or_buf, storage_options, num_shards, max_shard_size)
        return self._texts(output, ".jsonl", batch_size, lambda table: _ended(exact_frame(table).to_json(**options)).encode())

    @staticmethod
    def _output(path_or_buf: Any, storage_options: Any, num_shards: int | None, max_shard_size: str | int | None) -> Output:
        if storage_options:
            raise UnsupportedError("files are written on this machine: storage_options is for remote ones, which come with a later release")
        return Output(path_or_buf, None, num_shards, max_shard_size)

    def _called(self) -> str:
        """What files of the rows are called."""
        return str(self._split or "data")

    @contextmanager
    def _rows_for(self, output: Output, batch_size: int | None) -> Iterator[tuple[Iterator[Any], int | None, Any]]:
        """The rows; how many they are if that has to be known; and a table without rows."""
        known = None if output.num_shards is None else self._told()
        held = self.to_map_style() if output.num_shards is not None and known is None else None
        try:
            tables = self._tables(batch_size) if held is None else held._tables(batch_size)
            first = next(tables, None)
            if first is None:
                yield iter(()), 0, pa_schema(self.features or Features()).empty_table()
            else:
                yield chain([first], tables), known if held is None else len(held), first.slice(0, 0)
        finally:
            for one in [] if held is None else held.cache_files:
                Path(one["filename"]).unlink(missing_ok=True)

    def to_sql(self, name: str, con: Any, batch_size: int | None = None, **sql_writer_kwargs: Any) -> int:
        """Writes the rows into a table of a database. Gives how many. Other arguments as `pandas.DataFrame.to_sql` has them.

        Args:
            name: the table.
            con: a URI, or a connection of SQLAlchemy or sqlite3.
            batch_size: rows that are written at once.
            sql_writer_kwargs: those of pandas.
        """
        from rowstream.features.frames import exact_frame

        return inserted((exact_frame(signed(table)) for table in self._tables(batch_size)), name, con, sql_writer_kwargs)

    def _texts(
        self, output: Output, ending: str, batch_size: int | None, text: Callable[[Any], bytes], head: Callable[[Any], bytes] | None = None
    ) -> int:
        with self._rows_for(output, batch_size) as (tables, rows, empty):
            top = b"" if head is None else head(empty)
            pieces = output.pieces(tables, empty, rows, text, len, len(top))
            return output.write(pieces, lambda file: TextSink(file, top), ending, self._called())


def _notes(features: Features | None, schema: Any) -> dict[str, str] | None:
    """What a Parquet file says of its columns that their types do not, such as the names of labels."""
    if features is None or set(features) != set(schema.names):
        return None
    types = features.arrow_schema
    same = {of.name: features[of.name] if types.field(of.name).type == of.type else generate_from_arrow_type(of.type) for of in schema}
    return {name.decode(): text.decode() for name, text in Features(same).arrow_schema.metadata.items()}


def _ended(text: str) -> str:
    return text if text.endswith("\n") else text + "\n"
