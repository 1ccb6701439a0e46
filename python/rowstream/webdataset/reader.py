"""Samples of tar archives as dicts of Python objects, whatever members each has."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from io import BytesIO
from itertools import islice
from typing import TYPE_CHECKING, Any

from rowstream.exceptions import DataFilesNotFoundError, FileFormatError, InvalidArgumentError
from rowstream.load import load_dataset
from rowstream.ops.base import World
from rowstream.storage.files import glob
from rowstream.storage.patterns import expand, literal_folder
from rowstream.storage.urls import is_url, shown
from rowstream.streams.rows import Rows

if TYPE_CHECKING:
    from rowstream.dataset.iterable.dataset import IterableDataset

KEY, URL, MEMBERS = "__key__", "__url__", "__members__"
TEXTS = frozenset(("caption", "cls", "text", "transcript", "txt"))
JSONS = frozenset(("json", "jsn"))
_ARRAYS = frozenset(("npy", "npz"))
_TOGETHER = 64  # archives whose members are listed at once
_MOST_KNOWN = 10_000  # kinds of samples, by their members
_AT_ONCE = 32  # samples that are made of the core's at once

Sample = dict[str, Any]
Decoders = Mapping[str, Callable[[bytes], Any]]


def parse(
    path: str | os.PathLike[str],
    decode: bool = True,
    extensions: Iterable[str] | None = None,
    max_samples: int | None = None,
    **options: Any,
) -> list[Sample]:
    """Read the samples of tar archives into a list.

    Args:
        path: A path or URL, in which `*`, `?`, `[…]`, `**` and braces may stand for several.
        decode: As in `stream`.
        extensions: As in `stream`.
        max_samples: As in `stream`.
        **options: `decoders`, `on_error`, `end_marker`, `names` and `storage_options`, as in
            `stream`.

    Returns:
        The samples, in the order of the archives.

    Raises:
        FileFormatError: An archive is damaged, or a sample is.
        DataFilesNotFoundError: There is no such file.

    Example:
        >>> from rowstream.webdataset import TarWriter
        >>> with TarWriter("a.tar") as writer:
        ...     _ = writer.write({"__key__": "0", "txt": " a cat ", "json": {"id": 7}})
        >>> sample, = rowstream.webdataset.parse("a.tar")
        >>> sample["__key__"], sample["txt"], sample["json"]
        ('0', 'a cat', {'id': 7})
    """
    return list(stream(path, decode, extensions, max_samples, **options))


def stream(
    path: str | os.PathLike[str],
    decode: bool = True,
    extensions: Iterable[str] | None = None,
    max_samples: int | None = None,
    *,
    decoders: Decoders | None = None,
    on_error: Any = None,
    end_marker: bool = True,
    names: str = "utf-8",
    storage_options: dict[str, Any] | None = None,
) -> Iterator[Sample]:
    r"""Read the samples of tar archives one by one.

    A sample is the members that stand together and have one key: the path of the member up to the
    first dot of its last part. It is a dict of `"__key__"`, `"__url__"` and a value for each
    member, by the rest of its name, such as `"jpg"` or `"seg.png"`; what other samples have is not
    in it. Members without an extension, and files that macOS leaves behind, are passed over.

    By the end of their names, members of `json` are what the JSON says, or the text where it is
    not valid; those of `txt`, `text`, `caption`, `transcript` and `cls` are texts without the
    space around them; those of `npy` and `npz` are NumPy arrays, and dicts of them; all else are
    bytes.

    Args:
        path: A path or URL, in which `*`, `?`, `[…]`, `**` and braces may stand for several. The
            archives may be compressed by gzip, bzip2, xz, Zstandard or LZ4.
        decode: Decode members; if `False`, only texts are, and all else stays bytes.
        extensions: The only members that are wanted, such as `["jpg", "json"]`; samples without
            any of them are left out. All members if `None`.
        max_samples: The largest number of samples; all if `None`.
        decoders: Functions from the bytes of a member to its value, by the end of its name; they
            come before what is said above.
        on_error: What becomes of samples that cannot be read, as in `load_dataset`: `"skip"`, or a
            function that is called with the error. The rest of a damaged archive is left out, too.
        end_marker: If `False`, an archive that ends at the edge of a member is whole without the
            two empty blocks that should end it.
        names: `"escape"` for names that are not UTF-8: wrong bytes become `\xNN`, and a backslash
            becomes two.
        storage_options: The options of a store, as in `load_dataset`.

    Raises:
        FileFormatError: An archive is damaged; the members of a sample do not stand together, or
            one is there twice; an array cannot be read without pickle.
        DataFilesNotFoundError: There is no such file.

    Example:
        >>> from rowstream.webdataset import TarWriter
        >>> with TarWriter("a.tar") as writer:
        ...     _ = writer.write({"__key__": "0", "cls": "3", "bin": b"..."})
        >>> next(rowstream.webdataset.stream("a.tar", decoders={"bin": len}))["bin"]
        3
    """
    return stream_shards(
        [path],
        decode,
        extensions,
        max_samples,
        decoders=decoders,
        on_error=on_error,
        end_marker=end_marker,
        names=names,
        storage_options=storage_options,
    )


def parse_shards(
    paths: Iterable[str | os.PathLike[str]],
    decode: bool = True,
    extensions: Iterable[str] | None = None,
    max_samples: int | None = None,
    **options: Any,
) -> list[Sample]:
    """Read the samples of several tar archives into a list.

    Args:
        paths: Paths and URLs, with patterns or without.
        decode: As in `stream`.
        extensions: As in `stream`.
        max_samples: The largest number of samples of all archives together.
        **options: As in `parse`.

    Returns:
        The samples, in the order of the archives.

    Raises:
        FileFormatError: An archive is damaged, or a sample is.
        DataFilesNotFoundError: There is no such file.

    Example:
        >>> from rowstream.webdataset import TarWriter
        >>> for name in ("a.tar", "b.tar"):
        ...     with TarWriter(name) as writer:
        ...         _ = writer.write({"__key__": "0", "txt": name})
        >>> [sample["txt"] for sample in rowstream.webdataset.parse_shards(["a.tar", "b.tar"])]
        ['a.tar', 'b.tar']
    """
    return list(stream_shards(paths, decode, extensions, max_samples, **options))


def stream_shards(
    paths: Iterable[str | os.PathLike[str]],
    decode: bool = True,
    extensions: Iterable[str] | None = None,
    max_samples: int | None = None,
    *,
    decoders: Decoders | None = None,
    on_error: Any = None,
    end_marker: bool = True,
    names: str = "utf-8",
    storage_options: dict[str, Any] | None = None,
) -> Iterator[Sample]:
    """Read the samples of several tar archives one by one.

    Args:
        paths: Paths and URLs, with patterns or without.
        decode: As in `stream`.
        extensions: As in `stream`.
        max_samples: The largest number of samples of all archives together.
        decoders: As in `stream`.
        on_error: As in `stream`.
        end_marker: As in `stream`.
        names: As in `stream`.
        storage_options: As in `stream`.

    Raises:
        FileFormatError: An archive is damaged, or a sample is.
        DataFilesNotFoundError: There is no such file.

    Example:
        >>> from rowstream.webdataset import TarWriter
        >>> with TarWriter("a.tar") as writer:
        ...     _ = writer.write({"__key__": "0", "txt": "a"})
        >>> [s["txt"] for s in rowstream.webdataset.stream_shards(["a.tar"] * 2)]
        ['a', 'a']
    """
    if isinstance(paths, (str, os.PathLike)):
        raise InvalidArgumentError(
            "stream_shards and parse_shards take a list of paths; stream and parse take one"
        )
    if max_samples is not None and (not isinstance(max_samples, int) or max_samples < 0):
        raise InvalidArgumentError(f"max_samples is a number from 0 on, not {max_samples!r}")
    if max_samples == 0:
        return iter(())
    make = _Members(decode, extensions, decoders)
    options = {
        "end_marker": end_marker,
        "names": names,
        "on_error": on_error,
        "storage_options": storage_options,
    }
    samples = _samples([os.fspath(path) for path in paths], options)
    return islice(_made(make, samples, on_error), max_samples)


def _made(make: _Members, samples: Iterator[Sample], on_error: Any) -> Iterator[Sample]:
    """Yield samples with their members decoded, but for those that are not wanted."""
    for sample in samples:
        try:
            made = make.sample(sample)
        except Exception as error:
            if on_error is None:
                raise
            if callable(on_error):
                on_error(error)
            continue
        if made is not None:
            yield made


def _samples(paths: list[str], options: dict[str, Any]) -> Iterator[Sample]:
    """Yield the samples of archives as the core has them."""
    on_error, storage = options["on_error"], options["storage_options"]
    shards = [one for path in paths for one in shards_of(path, storage)]
    together = _TOGETHER if on_error is None else 1
    for start in range(0, len(shards), together):
        some = shards[start : start + together]
        try:
            given = {name: value for name, value in options.items() if value is not None}
            yield from _samples_of(stream_members(some, **given))
        except FileFormatError as error:
            if on_error is None:
                raise
            if callable(on_error):
                on_error(error)


def stream_members(shards: list[str], **options: Any) -> IterableDataset:
    """Return archives as a stream of rows that have the members of a sample in one column."""
    result: IterableDataset = load_dataset(
        "webdataset",
        data_files={"train": shards},
        split="train",
        streaming=True,
        members=True,
        **options,
    )
    return result


def _samples_of(ds: Any) -> Iterator[Sample]:
    """Yield the samples of a stream of members."""
    for batch in Rows(ds._plan, World(0, 1, 0)).batches(_AT_ONCE, drop_last=False):
        yield from batch.samples()


def shards_of(path: str, storage_options: dict[str, Any] | None) -> list[str]:
    """Return the paths or URLs that a pattern stands for."""
    if path.startswith("pipe:"):
        raise InvalidArgumentError(
            f"{path[:14]!r}…: commands are not run; give the path or the URL of the archive itself"
        )
    if not is_url(path) and os.path.exists(path):
        # Braces may be in a name.
        return [path]
    result = []
    folder, pattern = ("", path) if is_url(path) else literal_folder("", path)
    for choice in expand(pattern):
        one = os.path.join(folder, choice)
        # In a URL a question mark begins what is asked of the server.
        marks = "*[" if is_url(one) else "*?["
        if not any(mark in one for mark in marks) or os.path.exists(one):
            result.append(one)
        elif found := glob(one, storage_options=storage_options):
            result += found
        else:
            raise DataFilesNotFoundError(f"no file matches {shown(one)!r}")
    return result


def ending(name: str) -> str:
    """Return the end of a member's name, which says what it is."""
    return name.rpartition(".")[2].lower()


class _Members:
    """What becomes of the members of samples.

    Args:
        decode: Whether they are decoded.
        extensions: Those that are wanted; all if `None`.
        decoders: Functions by the end of a name.
    """

    def __init__(
        self, decode: bool, extensions: Iterable[str] | None, decoders: Decoders | None
    ) -> None:
        if isinstance(extensions, str):
            extensions = [extensions]
        self._wanted = (
            None if extensions is None else frozenset(one.lstrip(".").lower() for one in extensions)
        )
        self._decode = decode
        self._decoders = {name.lstrip("."): one for name, one in (decoders or {}).items()}
        # What is done with samples of these members: those that are made, and those that go.
        self._known: dict[tuple[str, ...], tuple[list[tuple[str, Any]], list[str]]] = {}

    def sample(self, sample: dict[str, Any]) -> Sample | None:
        """Return a sample, or `None` where it has none of the wanted members."""
        names = tuple(sample)
        made, gone = self._known.get(names) or self._learn(names)
        for name, make in made:
            try:
                sample[name] = make(sample[name])
            except Exception as error:
                where = shown(sample[URL])
                error.add_note(f"member {name!r} of the sample {sample[KEY]!r} in {where}")
                raise
        for name in gone:
            del sample[name]
        return sample if self._wanted is None or len(sample) > 2 else None

    def _learn(self, names: tuple[str, ...]) -> tuple[list[tuple[str, Any]], list[str]]:
        members = [name for name in names if name not in (KEY, URL)]
        gone = [name for name in members if self._wanted is not None and not self._wants(name)]
        made = [(name, self._maker(name)) for name in members if name not in gone]
        learned = [(name, make) for name, make in made if make is not None], gone
        if len(self._known) < _MOST_KNOWN:
            self._known[names] = learned
        return learned

    def _wants(self, name: str) -> bool:
        wanted = self._wanted or ()
        return name.lower() in wanted or ending(name) in wanted

    def _maker(self, name: str) -> Callable[[bytes], Any] | None:
        """Return the function for members of a name; `None` where they stay bytes."""
        result = self._decoders.get(name) or self._decoders.get(ending(name))
        return _maker(ending(name), decode=self._decode) if result is None else result


def _maker(end: str, *, decode: bool) -> Callable[[bytes], Any] | None:
    if end in TEXTS:
        return _text
    if not decode:
        return None
    if end in JSONS:
        return _json
    return _array if end in _ARRAYS else None


def _text(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig").strip()
    except UnicodeDecodeError as error:
        raise FileFormatError(
            f"a text that is not UTF-8: {error}; decoders={{'txt': …}} may read it otherwise"
        ) from error


def _json(content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        try:
            return content.decode()
        except UnicodeDecodeError:
            return content


def _array(content: bytes) -> Any:
    import numpy as np

    try:
        read = np.load(BytesIO(content), allow_pickle=False)
        return read if isinstance(read, np.ndarray) else dict(read)
    except Exception as error:
        raise FileFormatError(
            f"an array that NumPy cannot read: {error}; what is pickled is never loaded, since it"
            " could run any program"
        ) from error
