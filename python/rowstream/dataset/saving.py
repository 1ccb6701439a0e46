"""Map-style data sets as folders, files and objects of other libraries."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from rowstream import config, progress
from rowstream.arrow_writer import ArrowWriter
from rowstream.dataset.export import inserted, signed, written
from rowstream.dataset.pushing import push
from rowstream.dataset.shards import Output
from rowstream.dataset.sinks import ParquetSink, TextSink, parquet_overhead
from rowstream.dataset.sources import held_rows
from rowstream.exceptions import DataFilesNotFoundError, InvalidArgumentError
from rowstream.features.features import plain, require_decoding
from rowstream.features.maps import polars_frame
from rowstream.features.raw import json_paths
from rowstream.features.rows import pydict, uncollected
from rowstream.files import open as open_file
from rowstream.fingerprint import get_temporary_cache_files_directory
from rowstream.info import DatasetInfo
from rowstream.splits import Split
from rowstream.table import InMemoryTable, MemoryMappedTable, concat_tables, embed_table_storage, stored, stored_schema
from rowstream.utils.py_utils import convert_file_size_to_int

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rowstream.dataset.iterable import IterableDataset
    from rowstream.features.types import Features

# ---------------------------------------------------------------------------------------------------------- folders


def _decoded_json(value: Any, path: list[Any]) -> Any:
    if value is None:
        return None
    if not path:
        try:
            return json.loads(value)
        except (TypeError, ValueError):
            return value
    at, *rest = path
    if at == 0:
        return [_decoded_json(one, rest) for one in value]
    return {**value, at: _decoded_json(value.get(at), rest)}


def _decoded(columns: dict[str, list[Any]], features: Features) -> dict[str, list[Any]]:
    """Columns with the values of JSON texts."""
    for name, *path in json_paths(features):
        columns[name] = [_decoded_json(one, path) for one in columns[name]]
    return columns


def _is_url(path: str) -> bool:
    return "://" in path and not path.startswith("file://")


def _open(path: str, mode: str, storage_options: Any) -> Any:
    if _is_url(path) or path.startswith("file://"):
        return open_file(path, mode, storage_options=storage_options)
    return open(path, mode, encoding=None if "b" in mode else "utf-8")


def file_system(path: str, storage_options: Any) -> Any:
    """The file system of fsspec that a URL is of, and the path in it; `None` for files of this machine."""
    if not _is_url(path) and not storage_options:
        return None, os.path.expanduser(path.removeprefix("file://"))
    from fsspec.core import url_to_fs

    fs, inside = url_to_fs(path, **(storage_options or {}))
    local = type(fs).__name__ == "LocalFileSystem"
    return (None, inside) if local else (fs, inside.rstrip("/"))


class Saving:
    """What data sets become."""

    if TYPE_CHECKING:
        _data: Any
        _indices: Any
        _info: DatasetInfo
        features: Any
        split: Any
        cache_files: Any

        def __len__(self) -> int:
            """Rows."""
            ...

        def _query(self, key: Any) -> Any:
            """Rows."""
            ...

        def list_indexes(self) -> list[str]:
            """Names."""
            ...

        def shard(self, *args: Any, **kwargs: Any) -> Any:
            """A part."""
            ...

    def _estimate_nbytes(self) -> int:
        """About how many bytes the rows have."""
        total = self._data.nbytes
        if self._indices is not None and len(self._data):
            total = total * len(self._indices) // len(self._data)
        return int(total)

    def save_to_disk(
        self,
        dataset_path: Any,
        max_shard_size: str | int | None = None,
        num_shards: int | None = None,
        num_proc: int | None = None,
        storage_options: dict[str, Any] | None = None,
    ) -> None:
        """Writes the rows into a folder, as Arrow files that `load_from_disk` maps, of rowstream and of `datasets`.

        Args:
            dataset_path: the folder, or a URL of one.
            max_shard_size: the bytes of a file; `"500MB"` if `None`.
            num_shards: files, instead.
            num_proc: files that are written at the same time.
            storage_options: options of the file system of a URL.
        """
        if max_shard_size is not None and num_shards is not None:
            raise InvalidArgumentError("Failed to push_to_hub: please specify either max_shard_size or num_shards, but not both.")
        if self.list_indexes():
            raise InvalidArgumentError("please remove all the indexes using `dataset.drop_index` before saving a dataset")
        size = self._estimate_nbytes()
        if num_shards is None:
            most = convert_file_size_to_int(max_shard_size or config.MAX_SHARD_SIZE)
            num_shards = max(1, min(max(size // most + 1, num_proc or 1), len(self) or 1))
        fs, folder = file_system(os.fspath(dataset_path), storage_options)
        if fs is None:
            folder = os.path.abspath(os.path.expanduser(folder))
            if folder in {os.path.dirname(os.path.realpath(one["filename"])) for one in self.cache_files}:
                raise PermissionError(f"Tried to overwrite {folder} but a dataset can't overwrite itself.")
            os.makedirs(folder, exist_ok=True)
        else:
            fs.makedirs(folder, exist_ok=True)
        names = [f"data-{i:05d}-of-{num_shards:05d}.arrow" for i in range(num_shards)]
        keys = ("_fingerprint", "_format_columns", "_format_kwargs", "_format_type", "_output_all_columns")
        state = {key: getattr(self, key) for key in keys}
        state["_split"] = None if self.split is None else str(self.split)
        state["_data_files"] = [{"filename": name} for name in names]
        for key, value in state["_format_kwargs"].items():
            try:
                json.dumps(value)
            except TypeError as error:
                raise TypeError(f"{error}\nThe format kwargs must be JSON serializable, but key '{key}' isn't.") from None

        def target(name: str, mode: str) -> Any:
            place = f"{folder}/{name}"
            return open(place, mode, encoding=None if "b" in mode else "utf-8") if fs is None else fs.open(place, mode)

        with progress.bar(len(self), f"Saving the dataset ({num_shards} shards)") as bar:

            def write(i: int) -> None:
                shard = self.shard(num_shards, i, contiguous=True) if num_shards > 1 else self
                with ExitStack() as stack:
                    place = {"path": f"{folder}/{names[i]}"} if fs is None else {"stream": stack.enter_context(target(names[i], "wb"))}
                    writer = stack.enter_context(ArrowWriter(features=shard.features, embed_local_files=True, **place))
                    for start in range(0, len(shard), 1000):
                        table = shard._query(slice(start, start + 1000))
                        writer.write_table(table)
                        bar.update(table.num_rows)
                    writer.finalize()

            with ThreadPoolExecutor(num_proc or 1) as pool:
                list(pool.map(write, range(num_shards)))
        # What says that the folder is whole comes last.
        with target(config.DATASET_INFO_FILENAME, "w") as file:
            file.write(json.dumps(plain(self._info), indent=2, sort_keys=True))
        with target(config.DATASET_STATE_JSON_FILENAME, "w") as file:
            file.write(json.dumps(state, indent=2, sort_keys=True))

    # ------------------------------------------------------------------------------------------------------- objects

    def to_dict(self, batch_size: int | None = None, batched: bool = False) -> Any:
        """All rows as a dict of lists; one for each `batch_size` rows if `batched`."""
        if not batched:
            return _decoded(pydict(self._query(slice(None))), self.features)
        return (_decoded(pydict(table), self.features) for table in self._tables(batch_size))

    def to_list(self) -> list[dict[str, Any]]:
        """All rows as dicts."""
        from rowstream.dataset.fast import rows_of

        if not json_paths(self.features) and not require_decoding(self.features) and (rows := rows_of(self)) is not None:  # type: ignore[arg-type]  # it is one
            with uncollected():
                return rows.to_list()
        columns = self.to_dict()
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]

    def to_pandas(self, batch_size: int | None = None, batched: bool = False) -> Any:
        """All rows as a pandas frame; one for each `batch_size` rows if `batched`."""
        if batched:
            return (self._frame(table) for table in self._tables(batch_size))
        return self._frame(self._query(slice(None)))

    def _frame(self, table: Any, exact: bool = False) -> Any:
        """A table as a frame. `exact`: integers with missing values stay integers."""
        from rowstream.features.frames import exact_frame, pandas_types_mapper

        frame = exact_frame(table) if exact else table.to_pandas(types_mapper=pandas_types_mapper)
        for name, *path in json_paths(self.features):
            frame[name] = [_decoded_json(one, path) for one in table.column(name).to_pylist()]
        return frame

    def to_polars(
        self, batch_size: int | None = None, batched: bool = False, schema_overrides: dict[str, Any] | None = None, rechunk: bool = True
    ) -> Any:
        """All rows as a Polars frame; one for each `batch_size` rows if `batched`."""
        if find_spec("polars") is None:
            raise ValueError("Polars needs to be installed to be able to return Polars dataframes.")
        options = {"schema_overrides": schema_overrides, "rechunk": rechunk}
        if batched:
            return (polars_frame(table, **options) for table in self._tables(batch_size))
        return polars_frame(self._query(slice(None)), **options)

    def to_hf(self) -> Any:
        """The rows as a `datasets.Dataset`, for code that insists on one."""
        import datasets

        table = stored(self._query(slice(None)))
        made = datasets.Dataset(datasets.table.InMemoryTable(table), split=None if self.split is None else str(self.split))
        return (
            made.cast(datasets.Features.from_dict(self.features.to_dict())) if made.features.to_dict() != self.features.to_dict() else made
        )

    def _tables(self, batch_size: int | None = None) -> Iterator[Any]:
        size = batch_size or config.DEFAULT_MAX_BATCH_SIZE
        for start in range(0, len(self), size):
            yield self._query(slice(start, start + size))

    # --------------------------------------------------------------------------------------------------------- files

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
            path_or_buf: a file's name, a URL, or a binary file. Of several files: `"folder/name.parquet"` stands for
                `name-00000-of-00003.parquet` and so on, in the place of whatever it stood for before; a name without an ending is a folder.
            batch_size: rows of a row group; of about 100 MB if `None`.
            storage_options: options of a URL's file system.
            num_shards: so many files.
            max_shard_size: files of at most so many bytes (`"500MB"`), by what Arrow needs for their rows.
            parquet_writer_kwargs: as `pyarrow.parquet.ParquetWriter` has them.
        """
        output = Output(path_or_buf, storage_options, num_shards, max_shard_size)
        size = max(1, self._estimate_nbytes())
        rows = batch_size or max(1, len(self) * convert_file_size_to_int(config.MAX_ROW_GROUP_SIZE) // size)
        schema = stored_schema(self.features.arrow_schema, maps=True)
        options = {"write_page_index": True, "use_content_defined_chunking": config.DEFAULT_CDC_OPTIONS, **parquet_writer_kwargs}
        if options["use_content_defined_chunking"] is True:
            options["use_content_defined_chunking"] = config.DEFAULT_CDC_OPTIONS
        cdc = options["use_content_defined_chunking"]
        notes = {"content_defined_chunking": json.dumps(cdc)} if cdc else None
        # A file is filled in a few steps.
        at_once = rows if output.most is None else max(1, min(rows, len(self) * output.most // (4 * size)))
        pieces = output.pieces(self._stored(at_once), schema.empty_table(), len(self), beside=parquet_overhead(len(schema)))
        return output.write(pieces, lambda file: ParquetSink(file, options, lambda n, _: n >= rows, notes), ".parquet", self._called())

    def _stored(self, rows: int) -> Iterator[Any]:
        """Tables of so many rows, as files have them."""
        schema = self.features.arrow_schema
        for start in range(0, len(self), rows):
            table = self._query(slice(start, start + rows))
            if require_decoding(self.features, ignore_decode_attribute=True):
                table = embed_table_storage(table, local_files=True, remote_files=False)
            yield stored(table.replace_schema_metadata(schema.metadata), maps=True)

    def _called(self) -> str:
        """What files of the rows are called."""
        return str(self.split or "data")

    def to_csv(
        self,
        path_or_buf: Any,
        batch_size: int | None = None,
        num_proc: int | None = None,
        storage_options: dict[str, Any] | None = None,
        num_shards: int | None = None,
        max_shard_size: str | int | None = None,
        **to_csv_kwargs: Any,
    ) -> int:
        """Writes the rows as CSV, whole or not at all. Gives the bytes written. Other arguments as `pandas.DataFrame.to_csv` has them;
        `num_shards` and `max_shard_size` as in `to_parquet`.
        """
        from rowstream.features.frames import csv_bytes

        options = {"index": False, **to_csv_kwargs}
        header = options.pop("header", True)

        def text(table: Any, header: Any = False) -> bytes:
            return csv_bytes(self._frame(table, exact=True), header=header, **options)

        output = Output(path_or_buf, storage_options, num_shards, max_shard_size)
        return self._texts(output, ".csv", batch_size, num_proc, text, text(self.features.arrow_schema.empty_table(), header))

    def to_json(
        self,
        path_or_buf: Any,
        batch_size: int | None = None,
        num_proc: int | None = None,
        storage_options: dict[str, Any] | None = None,
        num_shards: int | None = None,
        max_shard_size: str | int | None = None,
        **to_json_kwargs: Any,
    ) -> int:
        """Writes the rows as JSON Lines, whole or not at all. Gives the bytes written. Other arguments as `pandas.DataFrame.to_json` has
        them: `orient=`, `lines=`, `compression=` and the like; `num_shards` and `max_shard_size` as in `to_parquet`.
        """
        output = Output(path_or_buf, storage_options, num_shards, max_shard_size)
        options = dict(to_json_kwargs)
        orient = options.pop("orient", "records")
        lines = options.pop("lines", orient == "records")
        if "index" in options and orient not in ("split", "table"):
            index = options.pop("index")
            if index:
                raise InvalidArgumentError("'index=True' is only valid when 'orient' is 'split', 'table', 'index', or 'columns'.")
        if orient in ("split", "table"):
            options.setdefault("index", False)
        compression = options.pop("compression", "infer" if isinstance(path_or_buf, (str, os.PathLike)) else None)
        if not lines and ((batch_size is not None and batch_size < len(self)) or output.most is not None):
            raise NotImplementedError(
                "Output JSON in several batches is not implemented for lines=False: leave batch_size and max_shard_size out."
            )
        options.setdefault("force_ascii", False)

        def text(table: Any) -> bytes:
            made = str(self._frame(table, exact=True).to_json(None, orient=orient, lines=lines, **options))
            return (made if made.endswith("\n") or not lines else made + "\n").encode()

        rows = batch_size if lines else max(1, len(self))
        return self._texts(output, ".jsonl" if lines else ".json", rows, num_proc, text, packed=_packed(path_or_buf, compression))

    def _texts(
        self,
        output: Output,
        ending: str,
        batch_size: int | None,
        num_proc: int | None,
        text: Callable[[Any], bytes],
        head: bytes = b"",
        packed: Any = None,
    ) -> int:
        if num_proc is not None and num_proc <= 0:
            raise InvalidArgumentError(f"num_proc {num_proc} must be an integer > 0.")
        # pandas and pyarrow do most of their work without the interpreter's lock.
        empty = self.features.arrow_schema.empty_table()
        pieces = output.pieces(self._tables(batch_size), empty, len(self), text, len, len(head), num_proc)
        return output.write(pieces, lambda file: TextSink(file, head, packed), ending, self._called())

    def to_sql(self, name: str, con: Any, batch_size: int | None = None, num_proc: int | None = None, **sql_writer_kwargs: Any) -> int:
        """Writes the rows into a table of a database. Gives how many. Other arguments as `pandas.DataFrame.to_sql` has them.

        Args:
            name: the table.
            con: a URI, or a connection of SQLAlchemy or sqlite3.
            batch_size: rows that are written at once.
            num_proc: accepted; a database takes rows one after another.
            sql_writer_kwargs: those of pandas.
        """
        if num_proc is not None and num_proc <= 0:
            raise InvalidArgumentError(f"num_proc {num_proc} must be an integer > 0.")
        options = {key: value for key, value in sql_writer_kwargs.items() if key not in ("sql", "con")}
        return inserted((self._frame(signed(table), exact=True) for table in self._tables(batch_size)), name, con, options)

    def to_iterable_dataset(self, num_shards: int | None = 1) -> Any:
        """The rows as a stream, which shuffles, splits over workers and resumes as streams do.

        Args:
            num_shards: accepted for `datasets`: a stream is cut into pieces by itself. No more than there are rows.
        """
        if num_shards is not None and num_shards > max(1, len(self)):
            raise InvalidArgumentError(
                f"Unable to shard a dataset of size {len(self)} into {num_shards} shards (the number of shards exceeds the number of "
                "samples)."
            )
        made: IterableDataset = held_rows(self, num_shards or 1)
        return made

    def to_tf_dataset(
        self,
        batch_size: int | None = None,
        columns: Any = None,
        shuffle: bool = False,
        collate_fn: Any = None,
        drop_remainder: bool = False,
        collate_fn_args: dict[str, Any] | None = None,
        label_cols: Any = None,
        prefetch: bool = True,
        num_workers: int = 0,
        num_test_batches: int = 20,
    ) -> Any:
        """The rows as a `tf.data.Dataset`: of batches, as Keras takes them.

        Args:
            batch_size: rows of a batch; rows one by one if `None`.
            columns: what a model is given: a tensor if it is one column, a dict of them if several; all if `None`.
            shuffle: whether each pass has another order.
            collate_fn: makes a batch of a list of rows, such as a `DataCollator`; they are stacked if `None`.
            drop_remainder: leave out a last batch that is shorter.
            collate_fn_args: further arguments for it.
            label_cols: what a model is to find, given beside it.
            prefetch: whether batches are made while the last is used.
            num_workers: accepted for `datasets`: rows are read on the thread that TensorFlow has for it.
            num_test_batches: rows that are looked at to find types and shapes.

        Example:
            >>> model.fit(ds.to_tf_dataset(batch_size=32, columns=["input_ids", "attention_mask"], label_cols="label", shuffle=True))
        """
        from rowstream.dataset.tensorflow import to_tf_dataset

        return to_tf_dataset(
            self, batch_size, columns, shuffle, collate_fn, drop_remainder, collate_fn_args, label_cols, prefetch, num_workers,
            num_test_batches,
        )  # fmt: skip

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
        """Uploads the rows as Parquet files to a data set of the Hub, and says so in its card.

        Args:
            repo_id: `"org/name"`.
            config_name: the configuration.
            set_default: whether it is the one that is loaded without a name.
            split: the split; that of the data set, or `"train"`.
            data_dir: the folder of the files; the configuration's name if `None`, or `data`.
            commit_message, commit_description: of the commit.
            private: whether a new repository is private.
            token: the token for the Hub.
            revision: the branch.
            create_pr: whether a pull request is made.
            max_shard_size: the bytes of a file; `"500MB"` if `None`.
            num_shards: files, instead.
            embed_external_files: whether files that columns of media name are put in.
            num_proc: accepted; files are made one after another and uploaded side by side.
        """
        name = str(split or self.split or "train")
        return push(
            {name: self}, repo_id, config_name, set_default, data_dir, commit_message, commit_description, private, token, revision,
            create_pr, max_shard_size, {name: num_shards}, whole=False,
        )  # fmt: skip


class _Target:
    """A file to write, whole or not at all; or one that was given, which stays open."""

    def __init__(self, path_or_buf: Any, storage_options: Any) -> None:
        self.of, self.options = path_or_buf, storage_options
        self.inner: Any = None

    def __enter__(self) -> Any:
        if hasattr(self.of, "write"):
            return self.of
        path = os.fspath(self.of)
        fs, inside = file_system(path, self.options)
        self.inner = written(inside) if fs is None else fs.open(inside, "wb")
        return self.inner.__enter__()

    def __exit__(self, *error: object) -> Any:
        return None if self.inner is None else self.inner.__exit__(*error)


def open_target(path_or_buf: Any, storage_options: Any) -> Any:
    """A context that gives a binary file to write: a buffer as it is, a file of this machine, or one of a URL."""
    return _Target(path_or_buf, storage_options)


def _packed(name: Any, compression: Any) -> Callable[[Any], Any] | None:
    """What makes a file that compresses what another is given; `None` if nothing is compressed."""
    kind = compression
    if kind == "infer":
        ending = os.path.splitext(os.fspath(name))[1].lower()
        kind = {".gz": "gzip", ".bz2": "bz2", ".xz": "xz"}.get(ending)
    if kind is None:
        return None
    if kind == "gzip":
        import gzip

        return lambda raw: gzip.GzipFile(fileobj=raw, mode="wb")
    if kind == "bz2":
        import bz2

        return lambda raw: bz2.BZ2File(raw, "wb")
    if kind == "xz":
        import lzma

        return lambda raw: lzma.LZMAFile(raw, "wb")
    raise NotImplementedError(f"`to_json` does not support {kind!r} compression: 'gzip', 'bz2' and 'xz' are there")


# ---------------------------------------------------------------------------------------------------------- loading


def load_dataset_folder(dataset_path: Any, keep_in_memory: bool | None = None, storage_options: dict[str, Any] | None = None) -> Any:
    """The data set that `save_to_disk` wrote into a folder."""
    from rowstream.dataset.map_style import Dataset

    path = os.fspath(dataset_path)
    fs, folder = file_system(path, storage_options)
    names = (config.DATASET_INFO_FILENAME, config.DATASET_STATE_JSON_FILENAME)

    def there(name: str) -> bool:
        return os.path.isfile(f"{folder}/{name}") if fs is None else bool(fs.isfile(f"{folder}/{name}"))

    missing = [name for name in names if not there(name)]
    if missing:
        several = there(config.DATASETDICT_JSON_FILENAME)
        hint = "; it is a DatasetDict: use load_from_disk or DatasetDict.load_from_disk" if several else ""
        raise DataFilesNotFoundError(
            f"{path} is no folder that save_to_disk wrote a Dataset into: it has no {' and no '.join(missing)}. "
            f"Expected to load a `Dataset` object{hint}"
        )
    if fs is not None:
        local = os.path.join(get_temporary_cache_files_directory(), folder.strip("/").replace("/", "--"))
        os.makedirs(local, exist_ok=True)
        for name in fs.ls(folder, detail=False):
            fs.get_file(name, os.path.join(local, os.path.basename(name)))
        folder = local
    with open(f"{folder}/{config.DATASET_STATE_JSON_FILENAME}", encoding="utf-8") as file:
        state = json.load(file)
    with open(f"{folder}/{config.DATASET_INFO_FILENAME}", encoding="utf-8") as file:
        info = DatasetInfo.from_dict(json.load(file))
    files = [f"{folder}/{one['filename']}" for one in state["_data_files"]]
    size = sum(os.path.getsize(one) for one in files)
    in_memory = keep_in_memory if keep_in_memory is not None else bool(config.IN_MEMORY_MAX_SIZE) and size < config.IN_MEMORY_MAX_SIZE
    kind = InMemoryTable if in_memory else MemoryMappedTable
    with ThreadPoolExecutor(min(16, max(1, len(files)))) as pool:
        tables = list(pool.map(kind.from_file, files))
    split = state.get("_split")
    made = Dataset(concat_tables(tables), info=info, split=None if split is None else Split(split), fingerprint=state["_fingerprint"])
    return made.with_format(state["_format_type"], state["_format_columns"], state["_output_all_columns"], **state["_format_kwargs"])


__all__ = ["Saving", "load_dataset_folder", "pa"]
