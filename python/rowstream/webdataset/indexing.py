"""Indexes of tar archives: made, read, and the lists of shards that others write."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rowstream import _core
from rowstream.exceptions import FileFormatError, InvalidArgumentError, UnsupportedError
from rowstream.storage.access import StorageOptions
from rowstream.storage.locations import FileLocations, origins
from rowstream.storage.urls import CLOUDS, is_url, shown, without_query
from rowstream.storage.writer import AtomicWriter
from rowstream.tar_index import beside
from rowstream.webdataset.reader import shards_of

if TYPE_CHECKING:
    from rowstream.tar_index.model import TarIndex

_THREADS = 8  # archives that are read at once


def index(
    urls: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    output: str | os.PathLike[str] | None = None,
    *,
    end_marker: bool = True,
    names: str = "utf-8",
    storage_options: dict[str, Any] | None = None,
) -> list[str]:
    """Write an index beside each tar archive: where its samples begin.

    With an index beside it, a remote archive is read in parts: by more workers than there are
    archives, shuffled as its local copy is, and resumed without reading again what came before.
    `load_dataset("webdataset")` finds it by itself. Local archives need none.

    The index of `X.tar` is `X.tar.idx`, as Energon has it: unsigned little-endian 64-bit integers,
    the byte at which each sample begins, and where the last one ends. Of a local archive only the
    headers are read; a remote one is read whole.

    Args:
        urls: A path or URL, in which patterns and braces may stand for several, or a list of them.
        output: The folder or URL to write to; beside each archive if `None`, which is not possible
            over HTTP and on the Hub.
        end_marker: As in `stream`.
        names: As in `stream`.
        storage_options: Options of a store, as in `load_dataset`.

    Returns:
        The paths of the indexes, in the order of the archives.

    Raises:
        DataFilesNotFoundError: There is no such archive.
        FileFormatError: An archive is damaged, or a sample's members do not stand together.
        UnsupportedError: An archive is compressed, or its folder cannot be written.

    Example:
        >>> from rowstream.webdataset import TarWriter, index, read_index
        >>> with TarWriter("a.tar") as writer:
        ...     for key in "xyz":
        ...         _ = writer.write({"__key__": key, "txt": key})
        >>> index("a.tar")
        ['a.tar.idx']
        >>> list(read_index("a.tar.idx").starts)
        [0, 1024, 2048]
    """
    given = [urls] if isinstance(urls, (str, os.PathLike)) else list(urls)
    archives = [one for url in given for one in shards_of(os.fspath(url), storage_options)]
    targets = [_target(one, output) for one in archives]
    twice = {one for one in targets if targets.count(one) > 1} if output is not None else set()
    if twice:
        raise InvalidArgumentError(
            f"several archives have the index {min(twice)}: write those of other folders elsewhere"
        )
    places = FileLocations(StorageOptions(None, storage_options, origins=origins(archives)))
    options = json.dumps({"end_marker": end_marker, "names": names})

    def make(archive: str, target: str) -> None:
        (ref,) = places.refs([places.one(archive)[0]])
        found = _core.row_starts(ref, "webdataset", options, places.access.core(archive))
        access = StorageOptions(None, storage_options) if is_url(target) else None
        with AtomicWriter(target, access, exclusive=False) as file:
            file.write(found)

    with ThreadPoolExecutor(_THREADS) as pool:
        for _ in pool.map(make, archives, targets):
            pass
    return targets


def _target(archive: str, output: Any) -> str:
    name = without_query(archive)
    if name.endswith((".gz", ".bz2", ".xz", ".zst", ".lz4", ".tgz")):
        raise UnsupportedError(
            f"{shown(name)} is compressed, so it is read from its start however it is indexed:"
            " decompress it first"
        )
    name = name.removesuffix(".tar") + ".tar.idx"
    if output is not None:
        return os.path.join(os.fspath(output), name.rpartition("/")[2])
    if is_url(name) and name.partition("://")[0] not in CLOUDS:
        raise UnsupportedError(
            f"{shown(name)} cannot be written: give output=, a local folder or one of an object"
            " store, and pass it as load_dataset(..., index=folder)"
        )
    return name


def read_index(
    path: str | os.PathLike[str], *, storage_options: dict[str, Any] | None = None
) -> TarIndex:
    """Read the index of a tar archive.

    The formats are those of Energon, NeMo and lhotse (`X.tar.idx`), of DALI (`X.idx`, text), and of
    webshart and Ferroload (JSON).

    Args:
        path: The path or URL of the index.
        storage_options: Options of a store, as in `load_dataset`.

    Returns:
        The index, with the byte at which each sample begins as `starts`.

    Raises:
        DataFilesNotFoundError: There is no such file.
        FileFormatError: It is not an index.

    Example:
        >>> from rowstream.webdataset import TarWriter, index, read_index
        >>> with TarWriter("b.tar") as writer:
        ...     _ = writer.write({"__key__": "0", "bin": b"..."})
        >>> _ = index("b.tar")
        >>> found = read_index("b.tar.idx")
        >>> len(found), found.end
        (1, 1024)
    """
    text = os.fspath(path)
    access = StorageOptions(None, storage_options, origins=origins(text))
    return beside.read_index(text, FileLocations(access))


@dataclass(frozen=True)
class Shard:
    """An archive of a list of shards.

    Attributes:
        url: Its path or URL.
        nsamples: The number of its samples, as the list says.
        filesize: Its size in bytes; `None` if the list does not say it.

    Example:
        >>> from rowstream.webdataset import Shard
        >>> Shard("https://example.org/c.tar", 100).nsamples
        100
    """

    url: str
    nsamples: int
    filesize: int | None = None


def read_shard_list(
    path: str | os.PathLike[str],
    base: str | None = None,
    *,
    storage_options: dict[str, Any] | None = None,
) -> list[Shard]:
    """Read a list of shards as `widsindex` of webdataset writes it (`wids-shard-index-v1`).

    Args:
        path: The path or URL of the JSON file.
        base: What relative URLs in it are relative to; the folder of the file if `None`.
        storage_options: Options of a store, as in `load_dataset`.

    Returns:
        The shards, in the order of the list.

    Raises:
        DataFilesNotFoundError: There is no such file.
        FileFormatError: It is not a list of shards.

    Example:
        >>> from rowstream.webdataset import TarWriter, read_shard_list
        >>> with TarWriter("c.tar") as writer:
        ...     _ = writer.write({"__key__": "0", "txt": "a"})
        >>> with open("shards.json", "w") as file:
        ...     _ = file.write(
        ...         '{"__kind__": "wids-shard-index-v1", "wids_version": 1,'
        ...         ' "shardlist": [{"url": "c.tar", "nsamples": 1}]}'
        ...     )
        >>> shards = read_shard_list("shards.json")
        >>> files = [shard.url for shard in shards]
        >>> load_dataset("webdataset", data_files=files, split="train")[0]["txt"]
        'a'
    """
    text = os.fspath(path)
    places = FileLocations(StorageOptions(None, storage_options, origins=origins(text)))
    try:
        found = json.loads(beside.read_file(text, places))
        version, listed = found["wids_version"], found["shardlist"]
        shards = [
            Shard(_joined(text, base, one["url"]), int(one["nsamples"]), one.get("filesize"))
            for one in listed
        ]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise FileFormatError(
            f"{shown(text)} is no list of shards of wids, JSON with wids_version and"
            f" shardlist: {error!r}"
        ) from error
    if version != 1:
        raise FileFormatError(f"{shown(text)}: wids_version is {version!r}, not 1")
    return shards


def _joined(path: str, base: str | None, url: str) -> str:
    if is_url(url) or os.path.isabs(url):
        return url
    folder = base if base is not None else without_query(path).rpartition("/")[0]
    return f"{folder.rstrip('/')}/{url}" if folder else url
