"""Hashes of functions and other objects, the same in every process."""

from __future__ import annotations

import copyreg
import enum
import functools
import hashlib
import random
import re
import sys
import types
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from rowstream.fingerprint.code import (
    HashSink,
    Unhashable,
    empty,
    imported,
    is_library,
    names_in,
    settled,
    unwrapped,
    values_of,
)
from rowstream.fingerprint.names import hashed_name


def _shown(value: Any) -> Any:
    return (
        {str(key): str(one) for key, one in value.items()} if isinstance(value, Mapping) else value
    )


class Hasher:
    """Hashes of Python objects by their content, the same in every process.

    Example:
        >>> Hasher.hash([1, 2]) == Hasher.hash([1, 2])
        True
    """

    def __init__(self) -> None:
        self._hash = hashlib.blake2b(digest_size=8)

    @classmethod
    def hash_bytes(cls, value: Any) -> str:
        """Return the hash of bytes, or of several bytes objects one after another."""
        result = hashlib.blake2b(digest_size=8)
        for one in [value] if isinstance(value, bytes) else value:
            result.update(one)
        return result.hexdigest()

    @classmethod
    def hash(cls, value: Any) -> str:
        """Return the hash of an object: 16 hexadecimal digits.

        Raises:
            TypeError: The object contains something whose content cannot be hashed, such as an open
                file; the message names the place.
        """
        walk = Walk()
        walk.walk(value)
        return walk.hash.hexdigest()

    def update(self, value: Any) -> None:
        """Add an object to the hash."""
        self._hash.update(f"=={type(value)}==".encode())
        self._hash.update(self.hash(value).encode())

    def hexdigest(self) -> str:
        """Return the hash of all added objects."""
        return self._hash.hexdigest()


_SCALARS = (int, float, bool, str)
_TOGETHER = 10_000


def _fed(kind: type, values: Any) -> bytes:
    """Return what `Walk.feed` feeds of each value, joined."""
    if kind is str:
        texts = [value.encode("utf-8", "surrogatepass") for value in values]
        return b"".join([b"str:%d:%b" % (len(text), text) for text in texts])
    name = kind.__name__
    return "".join([f"{name}:{len(text)}:{text}" for text in map(repr, values)]).encode()


class Walk:
    """A walk through an object and all that it contains, which feeds a hash."""

    def __init__(self) -> None:
        self.hash = hashlib.blake2b(digest_size=8)
        # What is being gone through, and what was: an object that has itself inside is named by its
        # number.
        self.seen: dict[int, int] = {}
        self.kept: list[Any] = []
        self.place: list[str] = []
        # What was gone through of modules, by name; and whether this is inside of one, where what
        # has no content is known by its type.
        self.members: set[tuple[str, str]] = set()
        self.lenient = False

    def feed(self, tag: str, content: Any = b"") -> None:
        data = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
        self.hash.update(f"{tag}:{len(data)}:".encode())
        self.hash.update(data)

    def inside(self, place: str, value: Any) -> None:
        self.place.append(place)
        self.walk(value)
        self.place.pop()

    def walk(self, value: Any) -> None:
        if value is None or (
            isinstance(value, (bool, int, float, complex)) and type(value).__module__ == "builtins"
        ):
            return self.feed(type(value).__name__, repr(value))
        if type(value) is str:
            return self.feed("str", value)
        if isinstance(value, (bytes, bytearray, memoryview)):
            return self.feed("bytes", bytes(value))
        if id(value) in self.seen:
            return self.feed("seen", str(self.seen[id(value)]))
        self.seen[id(value)] = len(self.seen)
        self.kept.append(value)
        try:
            self.object(value)
        finally:
            # The same object twice is the same as two that are alike.
            del self.seen[id(value)]
        return None

    def object(self, value: Any) -> None:
        kind = type(value)
        if kind in (list, tuple):
            self.feed(kind.__name__, str(len(value)))
            kinds = set(map(type, value))
            if len(kinds) == 1 and (only := kinds.pop()) in _SCALARS:
                # Long columns: fed at once, which gives the same hash.
                for start in range(0, len(value), _TOGETHER):
                    self.hash.update(_fed(only, value[start : start + _TOGETHER]))
                return
            for i, one in enumerate(value):
                self.inside(f"[{i}]", one)
        elif kind is dict or (isinstance(value, dict) and kind.__name__ == "Features"):
            self.feed("dict", kind.__qualname__)
            for key, one in value.items():
                self.inside("key", key)
                self.inside(f"[{key!r:.40}]", one)
        elif isinstance(value, (set, frozenset)):
            self.feed("set", str(len(value)))
            for one in sorted(Hasher.hash(one) for one in value):
                self.feed("item", one)
        elif (plain := unwrapped(value)) is not None:
            self.feed("wrapped", kind.__qualname__)
            self.inside(".__wrapped__", plain)
        elif isinstance(value, types.FunctionType):
            self.function(value)
        elif isinstance(value, types.MethodType):
            self.feed("method")
            self.inside(".__func__", value.__func__)
            self.inside(".__self__", value.__self__)
        elif isinstance(
            value,
            (types.BuiltinFunctionType, types.WrapperDescriptorType, types.MethodDescriptorType),
        ):
            owner = getattr(value, "__self__", None)
            self.feed("builtin", f"{getattr(value, '__module__', None)}.{value.__qualname__}")
            if owner is not None and not isinstance(owner, (types.ModuleType, type)):
                self.inside(".__self__", owner)
        elif isinstance(value, functools.partial):
            self.feed("partial")
            self.inside(".func", value.func)
            self.inside(".args", value.args)
            self.inside(".keywords", dict(sorted(value.keywords.items())))
        elif isinstance(value, types.CodeType):
            self.code(value)
        elif isinstance(value, types.ModuleType):
            self.feed("module", value.__name__)
        elif isinstance(value, type):
            self.type(value)
        elif isinstance(value, enum.Enum):
            self.feed("enum", f"{kind.__qualname__}.{value.name}")
        elif isinstance(value, re.Pattern):
            self.feed("pattern", repr((value.pattern, value.flags)))
        elif isinstance(value, PurePath):
            self.feed("path", str(value))
        elif isinstance(value, (property, staticmethod, classmethod)):
            self.feed(kind.__name__)
            for name in ("fget", "fset", "fdel", "__func__"):
                self.inside(f".{name}", getattr(value, name, None))
        elif isinstance(value, random.Random):
            self.feed("random", repr(value.getstate()))
        else:
            self.other(value)

    def other(self, value: Any) -> None:
        """Walk any other object: as its library describes it if known, or else as pickle does."""
        package = type(value).__module__.partition(".")[0]
        name = type(value).__qualname__
        numpy, torch, arrow = (sys.modules.get(one) for one in ("numpy", "torch", "pyarrow"))
        if numpy is not None and isinstance(value, numpy.ndarray) and value.dtype != object:
            self.feed("array", f"{value.dtype.str}{value.shape}")
            return self.feed("values", values_of(value))
        if torch is not None and isinstance(value, torch.Tensor):
            self.feed("tensor", f"{value.dtype}{tuple(value.shape)}")
            plain = value.detach().cpu().contiguous()
            many = plain.numel() and plain.dim()
            content = values_of(plain.view(torch.uint8).numpy()) if many else repr(plain.tolist())
            return self.feed("values", content)
        if (
            arrow is not None
            and isinstance(value, (arrow.Table, arrow.RecordBatch, arrow.ChunkedArray, arrow.Array))
        ) or name in _TABLES:
            return self.table(value)
        if arrow is not None and isinstance(value, (arrow.Schema, arrow.DataType, arrow.Field)):
            return self.feed(name, str(value))
        if package == "rowstream" and name in ("Dataset", "IterableDataset"):
            return self.feed(
                name, value._fingerprint if name == "Dataset" else repr(value.state_dict())
            )
        if any(base.__name__ == "PreTrainedTokenizerBase" for base in type(value).__mro__):
            return self.tokenizer(value)
        if package == "tokenizers" and hasattr(value, "to_str"):
            return self.feed("tokenizer", settled(value.to_str()))
        if package == "tiktoken" and hasattr(value, "name"):
            return self.feed("tiktoken", value.name)
        return self.reduced(value)

    def table(self, value: Any) -> None:
        """Walk Arrow data by its values, however it is divided into chunks."""
        import pyarrow as pa

        value = getattr(value, "table", value)
        if isinstance(value, pa.RecordBatch):
            value = pa.Table.from_batches([value])
        if not isinstance(value, pa.Table):
            value = pa.table({"": value})
        self.feed("table", str(value.schema.remove_metadata()))
        whole = pa.ipc
        sink = HashSink(self.hash)
        from rowstream.arrow.stored import stored

        kept = stored(value.combine_chunks().replace_schema_metadata(None))
        with whole.new_stream(pa.PythonFile(sink, "w"), kept.schema) as writer:
            writer.write_table(kept)

    def tokenizer(self, value: Any) -> None:
        """Walk a tokenizer of `transformers`, without settings of its last call (truncation)."""
        self.feed("transformers", type(value).__qualname__)
        backend = getattr(value, "backend_tokenizer", None)
        if backend is not None:
            self.feed("backend", settled(backend.to_str()))
        else:
            self.inside(".get_vocab()", dict(sorted(value.get_vocab().items())))
        for name in (
            "model_max_length",
            "padding_side",
            "truncation_side",
            "chat_template",
            "special_tokens_map",
        ):
            self.inside(f".{name}", _shown(getattr(value, name, None)))

    def reduced(self, value: Any) -> None:
        """Walk the parts that pickle would store of an object."""
        try:
            # What other modules told pickle, such as `regex` of its patterns, comes first.
            told = copyreg.dispatch_table.get(type(value))
            result: Any = value.__reduce_ex__(4) if told is None else told(value)
        except Exception as error:
            if self.lenient:
                return self.feed("of type", hashed_name(type(value)))
            if type(error).__name__ == "PicklingError":
                raise
            where = "".join(self.place) or "the object itself"
            raise Unhashable(
                f"{where} is of the type {type(value).__module__}.{type(value).__qualname__}:"
                f" {error}"
            ) from error
        if isinstance(result, str):
            return self.feed("global", f"{type(value).__module__}.{result}")
        self.feed("object")
        function, arguments, *rest = result
        self.inside(
            ".__class__",
            (
                arguments[0]
                if getattr(function, "__name__", "") == "__newobj__" and arguments
                else function
            ),
        )
        self.inside(".__reduce__", arguments)
        state, items, pairs = (*rest, None, None, None)[:3]
        if isinstance(state, dict):
            for name in sorted(state, key=str):
                self.inside(f".{name}", (name, state[name]))
        else:
            self.inside(".__dict__", state)
        self.inside("[:]", None if items is None else list(items))
        self.inside("{:}", None if pairs is None else list(pairs))
        return None

    def function(self, value: types.FunctionType) -> None:
        if is_library(value.__module__) and "<" not in value.__qualname__:
            return self.feed("function", hashed_name(value))
        self.feed("function")
        self.code(value.__code__)
        self.inside(".__defaults__", value.__defaults__)
        self.inside(".__kwdefaults__", value.__kwdefaults__)
        for name, cell in zip(value.__code__.co_freevars, value.__closure__ or (), strict=True):
            try:
                content = cell.cell_contents
            except ValueError:
                content = "an empty cell"
            self.inside(f"'s {name}", (name, content))
        wrapped = getattr(value, "__wrapped__", None)
        if wrapped is not None:
            self.inside(".__wrapped__", wrapped)
        names = names_in(value.__code__)
        for name in sorted(names):
            if name in value.__globals__:
                self.inside(f"'s global {name}", (name, value.__globals__[name]))
        self.modules(value, names)
        return None

    def modules(self, value: types.FunctionType, names: set[str]) -> None:
        """Walk what a function may use of the user's modules, by attributes and by imports."""
        cells = [cell.cell_contents for cell in value.__closure__ or () if not empty(cell)]
        there = [
            *(value.__globals__.get(name) for name in names),
            *cells,
            *imported(value.__code__, value.__globals__),
        ]
        waiting = [one for one in there if isinstance(one, types.ModuleType)]
        mine: dict[str, types.ModuleType] = {}
        while waiting:
            one = waiting.pop()
            if one.__name__ not in mine and not is_library(one.__name__):
                mine[one.__name__] = one
                waiting += [
                    vars(one)[name]
                    for name in names & vars(one).keys()
                    if isinstance(vars(one)[name], types.ModuleType)
                ]
        before, self.lenient = self.lenient, True
        for of in sorted(mine):
            for name in sorted(names & vars(mine[of]).keys()):
                member = vars(mine[of])[name]
                if isinstance(member, types.ModuleType):
                    continue
                self.feed("member", f"{of}.{name}")
                # Once: what many functions call is gone through when it is first met.
                if (of, name) not in self.members:
                    self.members.add((of, name))
                    self.inside(f"'s {of}.{name}", member)
        self.lenient = before

    def code(self, code: types.CodeType) -> None:
        """Walk the code of a function, without its place in the file."""
        self.feed("code", code.co_code)
        shape = (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags)
        self.feed(
            "shape",
            repr((shape, code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)),
        )
        for one in code.co_consts:
            self.inside("'s constants", one)

    def type(self, value: type) -> None:
        self.feed(
            "type", value.__qualname__ if value.__module__ == "__main__" else hashed_name(value)
        )
        if is_library(value.__module__):
            return
        for base in value.__bases__:
            self.inside(".__bases__", base)
        left_out = (
            "__module__",
            "__doc__",
            "__dict__",
            "__weakref__",
            "__qualname__",
            "__firstlineno__",
            "__static_attributes__",
        )
        for name in sorted(value.__dict__):
            one = value.__dict__[name]
            descriptor = isinstance(
                one, (types.MemberDescriptorType, types.GetSetDescriptorType)
            ) or name.startswith("_abc_")
            if name not in left_out and not descriptor:
                self.inside(f".{name}", (name, one))


_TABLES = ("Table", "InMemoryTable", "MemoryMappedTable", "ConcatenationTable")
