"""The base class of the features of media."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from rowstream.features.scalar import Value
from rowstream.storage.files import open as open_file
from rowstream.storage.urls import shown

if TYPE_CHECKING:
    import pyarrow as pa


class MediaFeature:
    """The base class of the features of media, whose files are stored as bytes and a path."""

    decode: bool
    dtype: ClassVar[str] = "dict"
    """What a value is once decoded, by its name."""
    article: ClassVar[str] = "A file"
    """What a value is called in errors."""

    @property
    def pa_type(self) -> pa.DataType:
        """The pyarrow type, a struct of bytes and a path.

        Example:
            >>> Image().pa_type
            StructType(struct<bytes: binary, path: string>)
        """
        import pyarrow as pa

        return pa.struct({"bytes": pa.binary(), "path": pa.string()})

    def __call__(self) -> pa.DataType:
        """Return the pyarrow type."""
        return self.pa_type

    def encode_example(self, value: Any) -> dict[str, Any]:
        """Convert a path, bytes or a dict of them to the dict that is stored.

        Args:
            value: A path, which is not opened; the bytes of a file; or a dict with `"bytes"`,
                `"path"` or both.

        Raises:
            ValueError: The value is none of these.

        Example:
            >>> Audio().encode_example("a.wav")
            {'path': 'a.wav', 'bytes': None}
        """
        if isinstance(value, Path):
            # Which file it is does not depend on the folder of whoever reads it.
            return {"path": str(value.absolute()), "bytes": None}
        if isinstance(value, (str, os.PathLike)):
            return {"path": str(value), "bytes": None}
        if isinstance(value, (bytes, bytearray)):
            return {"path": None, "bytes": bytes(value)}
        if isinstance(value, dict):
            if (
                value.get("bytes") is None
                and value.get("path") is not None
                and os.path.isfile(value["path"])
            ):
                return {"bytes": None, "path": value.get("path")}
            if value.get("bytes") is not None or value.get("path") is not None:
                return {"bytes": value.get("bytes"), "path": value.get("path")}
        result = self._encode(value)
        if result is None:
            kind = type(self).__name__
            raise ValueError(
                f"an {kind} is a path, bytes, or a dict with one of 'path' and 'bytes', found"
                f" {type(value).__name__}"
            )
        return result

    def _encode(self, value: Any) -> dict[str, Any] | None:
        return None

    def decode_example(self, value: dict[str, Any], token_per_repo_id: Any = None) -> Any:
        """Return a stored value as the object that the feature stands for.

        Args:
            value: The stored dict of `"bytes"` and `"path"`; the file is read if there are no
                bytes.
            token_per_repo_id: Accepted and ignored.

        Raises:
            RuntimeError: The feature has `decode=False`.
            ValueError: There are neither bytes nor a path.
            ImportError: The library that reads such files is not installed.

        Example:
            >>> import numpy as np
            >>> sound = {"array": np.zeros(4, "float32"), "sampling_rate": 8000}
            >>> stored = Audio().encode_example(sound)
            >>> Audio().decode_example(stored)["sampling_rate"]
            8000
        """
        kind = type(self).__name__
        if not self.decode:
            raise RuntimeError(
                f"Decoding is disabled for this feature. Please use {kind}(decode=True) instead."
            )
        content, path = value.get("bytes"), value.get("path")
        if content is None and path is None:
            raise ValueError(
                f"{self.article} should have one of 'path' or 'bytes' but both are None in {value}."
            )
        try:
            return self._decoded(content, path)
        except Exception as error:
            if not isinstance(error, ImportError):
                what = path if path is not None else f"of {len(content or b'')} bytes"
                error.add_note(f"{kind} {shown(what)}")
            raise

    def _decoded(self, content: bytes | None, path: str | None) -> Any:
        """Return the object for the bytes of a file, or for its path where there are no bytes."""
        raise NotImplementedError

    def flatten(self) -> Any:
        """Return this feature, or with `decode=False` a dict of the features of its two fields.

        Example:
            >>> Image(decode=False).flatten()
            {'bytes': Value('binary'), 'path': Value('string')}
        """
        return self if self.decode else {"bytes": Value("binary"), "path": Value("string")}

    def cast_storage(self, storage: Any) -> Any:
        """Convert a pyarrow array of paths or bytes to the structs that are stored.

        Args:
            storage: An array of strings (paths), binaries (bytes) or structs of `bytes` and `path`.

        Raises:
            TypeError: The array has none of these types.

        Example:
            >>> import pyarrow as pa
            >>> Audio().cast_storage(pa.array(["a.wav"])).to_pylist()
            [{'bytes': None, 'path': 'a.wav'}]
        """
        import pyarrow as pa

        from rowstream.arrow.cast import array_cast

        kind, n = storage.type, len(storage)
        if pa.types.is_null(kind):
            return pa.nulls(n, self.pa_type)
        paths, contents = pa.nulls(n, pa.string()), pa.nulls(n, pa.binary())
        if (
            pa.types.is_string(kind)
            or pa.types.is_large_string(kind)
            or pa.types.is_string_view(kind)
        ):
            paths = storage.cast(pa.string())
        elif (
            pa.types.is_binary(kind)
            or pa.types.is_large_binary(kind)
            or pa.types.is_binary_view(kind)
        ):
            contents = storage.cast(pa.binary())
        elif pa.types.is_struct(kind):
            names = [of.name for of in kind]
            children = dict(zip(names, storage.flatten(), strict=True))
            if not children.keys() & {"bytes", "path"}:
                raise self._no_media(kind)
            contents, paths = children.get("bytes", contents), children.get("path", paths)
        elif pa.types.is_list(kind) and hasattr(self, "_of_lists"):
            contents = self._of_lists(storage)
        else:
            raise self._no_media(kind)
        result = pa.StructArray.from_arrays(
            [contents.cast(pa.binary()), paths.cast(pa.string())],
            ["bytes", "path"],
            mask=storage.is_null() if storage.null_count else None,
        )
        return array_cast(result, self.pa_type)

    def _no_media(self, kind: Any) -> TypeError:
        return TypeError(
            f"Couldn't cast array of type {kind} to {type(self).__name__}: it is made of paths"
            " (strings), of bytes, or of structs with one of 'bytes' and 'path'"
        )

    def embed_storage(
        self,
        storage: Any,
        token_per_repo_id: Any = None,
        local_files: bool = True,
        remote_files: bool = True,
    ) -> Any:
        """Read the files of paths, and return an array with their bytes and file names.

        Args:
            storage: A pyarrow array of structs of `bytes` and `path`. Bytes that are there are
                kept.
            token_per_repo_id: Accepted and ignored.
            local_files: Read paths on this machine.
            remote_files: Read URLs.

        Raises:
            FileNotFoundError: A file does not exist.

        Example:
            >>> import pathlib, pyarrow as pa
            >>> _ = pathlib.Path("a.wav").write_bytes(b"RIFF")
            >>> storage = Audio().cast_storage(pa.array(["a.wav"]))
            >>> Audio().embed_storage(storage).to_pylist()
            [{'bytes': b'RIFF', 'path': 'a.wav'}]
        """
        import pyarrow as pa

        contents, paths = [], []
        for value in storage.to_pylist():
            content, path = (None, None) if value is None else (value["bytes"], value["path"])
            if (
                content is None
                and path is not None
                and (remote_files if "://" in path else local_files)
            ):
                with open_file(path, "rb") as file:
                    content = file.read()
            contents.append(content)
            # A path says where the bytes are, until they are there; then what they are called.
            paths.append(path if path is None or content is None else os.path.basename(path))
        mask = storage.is_null() if storage.null_count else None
        return pa.StructArray.from_arrays(
            [pa.array(contents, pa.binary()), pa.array(paths, pa.string())],
            ["bytes", "path"],
            mask=mask,
        )


def content_of(content: bytes | None, path: str | None) -> bytes:
    """Return the bytes of a file, which is read if only its path is known."""
    if content is not None:
        return bytes(content)
    with open_file(path or "", "rb") as file:
        result: bytes = file.read()
    return result
