"""Streams of files that a caller names, of what is in memory, and of what a function gives."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

from rowstream import _core
from rowstream.access import Access
from rowstream.dataset.sources import SourcePlan, generated
from rowstream.exceptions import InvalidArgumentError
from rowstream.features import Features
from rowstream.features.features import generate_from_arrow_type
from rowstream.features.schema import pyarrow_type, schema_from_features
from rowstream.features.types import has_labels, requires_decoding
from rowstream.info import DatasetInfo, SplitInfo
from rowstream.plan import Plan
from rowstream.resolve.builders import Reading, reading
from rowstream.resolve.urls import Places, origins
from rowstream.splits import Split

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Sequence

    Paths = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]

_UNIT = 64 << 10  # bytes of a batch of what is in memory


def planned(how: Reading, files: list[str], places: Places) -> Plan:
    """The plan of files."""
    plan = replace(Plan(how.scan(files, places)), skipped=how.skipped, access=places.access)
    if how.condition is not None:
        plan = plan.where(how.condition)
    if how.columns is not None:
        names = plan.column_names
        plan = plan.select([names[one] if isinstance(one, int) and one < len(names) else str(one) for one in how.columns])
    return plan if how.rows is None else plan.take(how.rows)


def informed(plan: Plan, format: str, label: str | None, split: str) -> DatasetInfo:
    """What is known of the rows of files."""
    size = sum(file["size"] for file in plan.listing["files"])
    counts = [piece[2] for piece in plan.listing["pieces"]]
    exact = plan.condition is None and plan.skipped is None and None not in counts
    return DatasetInfo(
        builder_name=format,
        dataset_name=label,
        config_name="default",
        version="0.0.0",
        splits={split: SplitInfo(split, num_bytes=size, num_examples=sum(counts) if exact else None)},
        download_size=size,
        size_in_bytes=size,
    )


def held(table: Any, features: Any = None, num_shards: int | None = None) -> Plan:
    """The plan of an Arrow table in memory, cut into `num_shards` pieces, as even as can be; of about 64 KiB if not more than one."""
    import pyarrow as pa

    if features is not None:
        from rowstream.features.checks import check_table
        from rowstream.table import cast_array_to_feature

        schema = _schema(features, table)
        for name, feature in features.items():
            # What is stored of media, and of names of labels, is more than a cast makes.
            if requires_decoding(feature, True) or has_labels(feature):
                table = table.set_column(table.column_names.index(name), name, cast_array_to_feature(table[name], feature))
        table = table.cast(schema)
        check_table(table, features)  # the core knows only the types
    if num_shards is not None and num_shards > max(1, table.num_rows):
        raise InvalidArgumentError(
            f"Unable to shard a dataset of size {table.num_rows} into {num_shards} shards (the number of shards exceeds the number of "
            "samples)."
        )
    rows = max(1, table.num_rows * _UNIT // max(1, table.nbytes))
    whole, longer = divmod(table.num_rows, num_shards or 1)
    sink = pa.BufferOutputStream()
    # Without its metadata: of a pandas frame they would say what is not a column.
    known = {key: value for key, value in (table.schema.metadata or {}).items() if key == b"huggingface"}
    with pa.ipc.new_stream(sink, table.schema.with_metadata(known or None)) as writer:
        if num_shards is None or num_shards == 1:
            writer.write_table(table, max_chunksize=rows)
        else:
            for i in range(num_shards):
                piece = table.slice(i * whole + min(i, longer), whole + (i < longer)).combine_chunks()
                writer.write_table(piece)
    content = _core.Held(sink.getvalue().to_pybytes())
    schema = None if features is None else schema_from_features(features)
    return replace(Plan(_core.scan([content.name], "arrow", None, schema)[0]), held=(content,))


def _schema(features: Any, table: Any) -> Any:
    """The Arrow schema of features, for columns that are there."""
    import pyarrow as pa

    if missing := [name for name in features if name not in table.column_names]:
        raise InvalidArgumentError(f"features= names columns that are not there: {missing}; the columns are {table.column_names}")
    if new := [name for name in table.column_names if name not in features]:
        raise InvalidArgumentError(f"features= does not name the columns {new}")
    return pa.schema([(name, pyarrow_type(feature)) for name, feature in features.items()])


def _column(values: Any, name: str, feature: Any = None) -> tuple[Any, Any]:
    """A column of Python objects, and its feature, if it is given or they say it. An error says which, and what does not fit."""
    import pyarrow as pa

    from rowstream.arrow_writer import given_column, media
    from rowstream.features.exact import exact_array, located
    from rowstream.features.raw import FAILED, array_of

    if feature is not None and (requires_decoding(feature, True) or has_labels(feature)):
        arrow = isinstance(values, (pa.Array, pa.ChunkedArray))
        return given_column(values if arrow else Features({name: feature}).encode_column(values, name), feature, name), feature
    if feature is not None:
        kind = pyarrow_type(feature)
        try:
            return exact_array(values, kind), feature
        except FAILED as error:
            raise located(error, name, values, str(kind), lambda some: exact_array(some, kind)) from error
    stored, found = media(values)
    try:
        return (array_of(stored), None) if found is None else (given_column(stored, found, name), found)
    except FAILED as error:
        raise InvalidArgumentError(f"column {name!r}: its values have no common type: {error}") from error


def _spark_rows(df: Any, **_: Any) -> Any:
    for row in df.toLocalIterator():
        yield row.asDict(recursive=True)


class Building:
    """The constructors of streams."""

    @classmethod
    def _made(cls, plan: Plan, info: DatasetInfo | None, split: Any, features: Any = None) -> Self:
        made = cls(plan, info, None if split is None else str(split))  # type: ignore[call-arg]
        if features is not None and plan.python:
            made._known = Features(features)  # type: ignore[attr-defined]
        return made

    @classmethod
    def _of_files(cls, format: str, paths: Paths, split: Any, features: Any, **options: Any) -> Self:
        storage_options = options.pop("storage_options", None)
        some = [paths] if isinstance(paths, str) or hasattr(paths, "__fspath__") else list(paths)
        how = reading(format, {key: value for key, value in options.items() if value is not None}, features)
        places = Places(Access(storage_options=storage_options, origins=origins(some)))
        plan = planned(how, [file for pattern in some for file in places.resolve(pattern, ".")], places)
        name = "train" if split is None else str(split)
        return cls._made(plan, informed(plan, format, None, name), name)

    @classmethod
    def from_generator(
        cls,
        generator: Callable[..., Any],
        features: Any = None,
        gen_kwargs: dict[str, Any] | None = None,
        split: Any = Split.TRAIN,
        deterministic: bool = False,
    ) -> Self:
        """The rows that a generator gives.

        Args:
            generator: a function that gives dicts. It is called anew for every pass, and to go on after a state, when the rows
                before are passed over: it has to give the same rows again.
            features: the types of the columns, if they are to be known.
            gen_kwargs: its arguments. Those that are lists are **shards**, all of one length: it is called once for each item, with a
                list of one. `shuffle` permutes shards. A shard is run by one worker or rank alone: those beyond the number of shards
                have no rows.
            split: the name of the split.
            deterministic: say so if each run of a shard gives the same rows in the same order. Workers and ranks beyond the number of
                shards then share the rows of shards: each of them runs the generator and leaves out what others have.

        Example:
            >>> def rows(paths):
            ...     for path in paths:
            ...         for line in open(path):
            ...             yield {"text": line}
            >>> ds = IterableDataset.from_generator(rows, gen_kwargs={"paths": ["a.txt", "b.txt"]})
        """
        typed = None if features is None else Features(features)
        plan = SourcePlan(scan="", source=generated(generator, gen_kwargs, deterministic=deterministic, features=typed))
        return cls._made(plan, DatasetInfo(builder_name="generator"), split, typed)

    @classmethod
    def from_spark(cls, df: Any, split: Any = None, features: Any = None, **kwargs: Any) -> Self:
        """The rows of a Spark frame, in the order in which Spark gives them, which has to be the same each time."""
        return cls.from_generator(_spark_rows, features, {"df": df, **kwargs}, split, deterministic=True)

    @classmethod
    def from_dict(
        cls, mapping: dict[str, Any], features: Any = None, info: Any = None, split: Any = None, num_shards: int | None = 1
    ) -> Self:
        """The rows of columns: a dict of lists or arrays of one length, in `num_shards` pieces; in pieces of 64 KiB if it is 1."""
        import pyarrow as pa

        lengths = {name: len(column) for name, column in mapping.items()}
        if len(set(lengths.values())) > 1:
            raise InvalidArgumentError(f"from_dict: columns have one length, found {lengths}")
        columns = {name: _column(column, name, (features or {}).get(name)) for name, column in mapping.items()}
        if features is None and any(of is not None for _, of in columns.values()):
            features = {name: of or generate_from_arrow_type(array.type) for name, (array, of) in columns.items()}
        return cls._made(held(pa.table({name: array for name, (array, _) in columns.items()}), features, num_shards), info, split)

    @classmethod
    def from_list(
        cls,
        mapping: list[dict[str, Any]],
        features: Any = None,
        info: Any = None,
        split: Any = None,
        num_shards: int | None = 1,
    ) -> Self:
        """Rows: a list of dicts. A column that a row lacks is null there."""
        names = dict.fromkeys(features) if features is not None else dict.fromkeys(name for row in mapping for name in row)
        return cls.from_dict({name: [row.get(name) for row in mapping] for name in names}, features, info, split, num_shards)

    @classmethod
    def from_pandas(
        cls,
        df: Any,
        features: Any = None,
        info: Any = None,
        split: Any = None,
        preserve_index: bool | None = None,
        num_shards: int | None = 1,
    ) -> Self:
        """The rows of a pandas frame; its index is a column unless it only counts rows."""
        import pyarrow as pa

        return cls._made(held(pa.Table.from_pandas(df, preserve_index=preserve_index), features, num_shards), info, split)

    @classmethod
    def from_polars(cls, df: Any, features: Any = None, info: Any = None, split: Any = None, num_shards: int | None = 1) -> Self:
        """The rows of a Polars frame, lazy ones collected."""
        frame = df.collect() if hasattr(df, "collect") else df
        return cls._made(held(frame.to_arrow(), features, num_shards), info, split)

    @classmethod
    def from_file(cls, filename: str) -> Self:
        """The rows of an Arrow file or stream, as `datasets` writes them."""
        return cls._of_files("arrow", filename, None, None)

    @classmethod
    def from_csv(cls, path_or_paths: Paths, split: Any = None, features: Any = None, keep_in_memory: bool = False, **kwargs: Any) -> Self:
        """The rows of CSV files. Options as those of `load_dataset("csv", …)`."""
        return cls._of_files("csv", path_or_paths, split, features, **kwargs)

    @classmethod
    def from_json(
        cls,
        path_or_paths: Paths,
        split: Any = None,
        features: Any = None,
        keep_in_memory: bool = False,
        field: str | None = None,
        **kwargs: Any,
    ) -> Self:
        """The rows of JSON files. Options as those of `load_dataset("json", …)`."""
        return cls._of_files("json", path_or_paths, split, features, field=field, **kwargs)

    @classmethod
    def from_parquet(
        cls,
        path_or_paths: Paths,
        split: Any = None,
        features: Any = None,
        keep_in_memory: bool = False,
        columns: list[str] | None = None,
        filters: Any = None,
        fragment_scan_options: Any = None,
        on_bad_files: str = "error",
        **kwargs: Any,
    ) -> Self:
        """The rows of Parquet files. Options as those of `load_dataset("parquet", …)`."""
        return cls._of_files(
            "parquet", path_or_paths, split, features, columns=columns, filters=filters, on_bad_files=on_bad_files, **kwargs
        )

    @classmethod
    def from_text(
        cls,
        path_or_paths: Paths,
        split: Any = None,
        features: Any = None,
        keep_in_memory: bool = False,
        keep_linebreaks: bool = False,
        sample_by: str = "line",
        **kwargs: Any,
    ) -> Self:
        """The lines, paragraphs or documents of text files."""
        return cls._of_files("text", path_or_paths, split, features, keep_linebreaks=keep_linebreaks, sample_by=sample_by, **kwargs)
