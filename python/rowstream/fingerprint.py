"""Fingerprints: names of data by what it was made of, which caches go by.

A fingerprint is a hash of the data's own fingerprint, of what is done with it, and of the arguments. Functions are hashed by what they
do: their code, defaults, closures, and the globals that they use; those of installed packages by name. So the same function gives the
same key in every process and on every machine with the same version of Python, and a changed one another, wherever it stands.
"""

from __future__ import annotations

import contextlib
import dis
import enum
import functools
import hashlib
import importlib
import importlib.util
import inspect
import os
import random
import re
import shutil
import sys
import sysconfig
import tempfile
import types
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path, PurePath
from typing import Any

from rowstream import config
from rowstream.exceptions import InvalidArgumentError
from rowstream.utils import logging

_logger = logging.get_logger(__name__)
_enabled = True

# ------------------------------------------------------------------------------------------------------------ hashes

_LIBRARIES = tuple({os.path.realpath(sysconfig.get_paths()[name]) + os.sep for name in ("stdlib", "platstdlib", "purelib", "platlib")})


class Unhashable(TypeError):
    """Something whose content cannot be named; the message says where it is and why."""


def _library(module: str | None) -> bool:
    """Whether a module is of an installed package: what it has is known by its name."""
    if module in (None, "__main__", "__mp_main__"):
        return False
    if str(module).partition(".")[0] == "rowstream":
        return True
    loaded = sys.modules.get(str(module))
    file = getattr(loaded, "__file__", None)
    if loaded is not None and file is None:
        return True
    return file is not None and os.path.realpath(file).startswith(_LIBRARIES)


class _Walk:
    """Goes through an object, and feeds a hash with what it is."""

    def __init__(self) -> None:
        self.hash = hashlib.blake2b(digest_size=8)
        # What is being gone through, and what was: an object that has itself inside is named by its number.
        self.seen: dict[int, int] = {}
        self.kept: list[Any] = []
        self.place: list[str] = []
        # What was gone through of modules, by name; and whether this is inside of one, where what has no content is known by its type.
        self.members: set[tuple[str, str]] = set()
        self.lenient = False

    def feed(self, tag: str, content: bytes | str = b"") -> None:
        data = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
        self.hash.update(f"{tag}:{len(data)}:".encode())
        self.hash.update(data)

    def inside(self, place: str, value: Any) -> None:
        self.place.append(place)
        self.walk(value)
        self.place.pop()

    def walk(self, value: Any) -> None:
        if value is None or (isinstance(value, (bool, int, float, complex)) and type(value).__module__ == "builtins"):
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
        elif (plain := _unwrapped(value)) is not None:
            self.feed("wrapped", kind.__qualname__)
            self.inside(".__wrapped__", plain)
        elif isinstance(value, types.FunctionType):
            self.function(value)
        elif isinstance(value, types.MethodType):
            self.feed("method")
            self.inside(".__func__", value.__func__)
            self.inside(".__self__", value.__self__)
        elif isinstance(value, (types.BuiltinFunctionType, types.WrapperDescriptorType, types.MethodDescriptorType)):
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
        elif isinstance(value, (random.Random,)):
            self.feed("random", repr(value.getstate()))
        else:
            self.other(value)

    def other(self, value: Any) -> None:
        """Objects of libraries that say in a better way than by pickling what they are, and all others."""
        package = type(value).__module__.partition(".")[0]
        name = type(value).__qualname__
        numpy, torch, arrow = (sys.modules.get(one) for one in ("numpy", "torch", "pyarrow"))
        if numpy is not None and isinstance(value, numpy.ndarray) and value.dtype != object:
            self.feed("array", f"{value.dtype.str}{value.shape}")
            return self.feed("values", numpy.ascontiguousarray(value).tobytes())
        if torch is not None and isinstance(value, torch.Tensor):
            self.feed("tensor", f"{value.dtype}{tuple(value.shape)}")
            plain = value.detach().cpu().contiguous()
            return self.feed("values", plain.view(torch.uint8).numpy().tobytes() if plain.numel() and plain.dim() else repr(plain.tolist()))
        if (arrow is not None and isinstance(value, (arrow.Table, arrow.RecordBatch, arrow.ChunkedArray, arrow.Array))) or name in _TABLES:
            return self.table(value)
        if arrow is not None and isinstance(value, (arrow.Schema, arrow.DataType, arrow.Field)):
            return self.feed(name, str(value))
        if package == "rowstream" and name in ("Dataset", "IterableDataset"):
            return self.feed(name, value._fingerprint if name == "Dataset" else repr(value.state_dict()))
        if any(base.__name__ == "PreTrainedTokenizerBase" for base in type(value).__mro__):
            return self.tokenizer(value)
        if package == "tokenizers" and hasattr(value, "to_str"):
            return self.feed("tokenizer", _settled(value.to_str()))
        if package == "tiktoken" and hasattr(value, "name"):
            return self.feed("tiktoken", value.name)
        return self.reduced(value)

    def table(self, value: Any) -> None:
        """Arrow data, by its values and not by how it is cut."""
        import pyarrow as pa

        value = getattr(value, "table", value)
        if isinstance(value, pa.RecordBatch):
            value = pa.Table.from_batches([value])
        if not isinstance(value, pa.Table):
            value = pa.table({"": value})
        self.feed("table", str(value.schema.remove_metadata()))
        whole = pa.ipc
        sink = _Sink(self.hash)
        from rowstream.table import stored

        kept = stored(value.combine_chunks().replace_schema_metadata(None))
        with whole.new_stream(pa.PythonFile(sink, "w"), kept.schema) as writer:
            writer.write_table(kept)

    def tokenizer(self, value: Any) -> None:
        """A tokenizer of `transformers`: not what its last call left in it, such as truncation."""
        self.feed("transformers", type(value).__qualname__)
        backend = getattr(value, "backend_tokenizer", None)
        if backend is not None:
            self.feed("backend", _settled(backend.to_str()))
        else:
            self.inside(".get_vocab()", dict(sorted(value.get_vocab().items())))
        for name in ("model_max_length", "padding_side", "truncation_side", "chat_template", "special_tokens_map"):
            self.inside(f".{name}", _shown(getattr(value, name, None)))

    def reduced(self, value: Any) -> None:
        """As pickle takes an object apart."""
        try:
            made = value.__reduce_ex__(4)
        except Exception as error:
            if self.lenient:
                return self.feed("of type", f"{type(value).__module__}.{type(value).__qualname__}")
            if type(error).__name__ == "PicklingError":
                raise
            where = "".join(self.place) or "the object itself"
            raise Unhashable(f"{where} is of the type {type(value).__module__}.{type(value).__qualname__}: {error}") from error
        if isinstance(made, str):
            return self.feed("global", f"{type(value).__module__}.{made}")
        self.feed("object")
        function, arguments, *rest = made
        self.inside(".__class__", arguments[0] if getattr(function, "__name__", "") == "__newobj__" and arguments else function)
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
        if _library(value.__module__) and "<" not in value.__qualname__:
            return self.feed("function", f"{value.__module__}.{value.__qualname__}")
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
        names = _names(value.__code__)
        for name in sorted(names):
            if name in value.__globals__:
                self.inside(f"'s global {name}", (name, value.__globals__[name]))
        self.modules(value, names)
        return None

    def modules(self, value: types.FunctionType, names: set[str]) -> None:
        """What a function may use of modules that are no library's: by their attributes, and by imports inside of it."""
        cells = [cell.cell_contents for cell in value.__closure__ or () if not _empty(cell)]
        there = [*(value.__globals__.get(name) for name in names), *cells, *_imported(value.__code__, value.__globals__)]
        waiting = [one for one in there if isinstance(one, types.ModuleType)]
        mine: dict[str, types.ModuleType] = {}
        while waiting:
            one = waiting.pop()
            if one.__name__ not in mine and not _library(one.__name__):
                mine[one.__name__] = one
                waiting += [vars(one)[name] for name in names & vars(one).keys() if isinstance(vars(one)[name], types.ModuleType)]
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
        """What a function does: not where it stands."""
        self.feed("code", code.co_code)
        shape = (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags)
        self.feed("shape", repr((shape, code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)))
        for one in code.co_consts:
            self.inside("'s constants", one)

    def type(self, value: type) -> None:
        self.feed("type", f"{value.__module__}.{value.__qualname__}" if value.__module__ != "__main__" else value.__qualname__)
        if _library(value.__module__):
            return
        for base in value.__bases__:
            self.inside(".__bases__", base)
        left_out = ("__module__", "__doc__", "__dict__", "__weakref__", "__qualname__", "__firstlineno__", "__static_attributes__")
        for name in sorted(value.__dict__):
            one = value.__dict__[name]
            descriptor = isinstance(one, (types.MemberDescriptorType, types.GetSetDescriptorType)) or name.startswith("_abc_")
            if name not in left_out and not descriptor:
                self.inside(f".{name}", (name, one))


def _unwrapped(value: Any) -> Any:
    """What is inside of what the standard library or a compiler puts around a function, with locks and caches of its own."""
    if isinstance(value, (functools._lru_cache_wrapper, functools.cached_property)):
        return value.func if isinstance(value, functools.cached_property) else value.__wrapped__
    if isinstance(value, types.FunctionType) and isinstance(there := getattr(value, "registry", None), types.MappingProxyType):
        return [there[key] for key in sorted(there, key=lambda key: f"{key.__module__}.{key.__qualname__}")]  # of singledispatch
    named = getattr(value, "__dict__", {})
    return named.get("_torchdynamo_orig_callable") or named.get("_modules", {}).get("_orig_mod")


def _empty(cell: Any) -> bool:
    try:
        return cell.cell_contents is None
    except ValueError:
        return True


def _imported(code: types.CodeType, names: dict[str, Any]) -> list[types.ModuleType]:
    """The modules that code imports while it runs, and the code inside of it, but for those of libraries. They are imported."""
    made: list[types.ModuleType] = []
    arguments: list[Any] = []
    for one in dis.get_instructions(code):
        if one.opname == "IMPORT_NAME":
            level, *_ = *[said for said in arguments[-2:-1] if isinstance(said, int)], 0
            wanted = arguments[-1] if isinstance(arguments[-1], tuple) else ()
            made += _found("." * level + str(one.argval), wanted, names)
        arguments.append(one.argval)
    for inside in code.co_consts:
        if isinstance(inside, types.CodeType):
            made += _imported(inside, names)
    return made


def _found(name: str, wanted: tuple[str, ...], names: dict[str, Any]) -> list[types.ModuleType]:
    """A module of no library by its name, and those of its names that are modules; none where they cannot be imported."""
    made = []
    with contextlib.suppress(Exception):
        whole = importlib.util.resolve_name(name, names.get("__package__") or None)
        for one in (whole, *(f"{whole}.{inside}" for inside in wanted)):
            with contextlib.suppress(ModuleNotFoundError):
                spec = importlib.util.find_spec(one)
                if spec is not None and spec.origin is not None and not os.path.realpath(spec.origin).startswith(_LIBRARIES):
                    made.append(importlib.import_module(one))
    return made


_TABLES = ("Table", "InMemoryTable", "MemoryMappedTable", "ConcatenationTable")


class _Sink:
    """A file that feeds a hash."""

    closed = False

    def __init__(self, of: Any) -> None:
        self.of = of

    def write(self, data: Any) -> int:
        self.of.update(data)
        return len(data)

    def flush(self) -> None:
        """Nothing waits."""

    def close(self) -> None:
        """Nothing is open."""


def _names(code: types.CodeType) -> set[str]:
    """The names of globals that code may use, and the code inside it."""
    made = set(code.co_names)
    for one in code.co_consts:
        if isinstance(one, types.CodeType):
            made |= _names(one)
    return made


def _settled(text: str) -> str:
    import json

    said = json.loads(text)
    return json.dumps({key: one for key, one in said.items() if key not in ("truncation", "padding")}, sort_keys=True)


def _shown(value: Any) -> Any:
    return {str(key): str(one) for key, one in value.items()} if isinstance(value, Mapping) else value


class Hasher:
    """Hashes of Python objects by their content.

    Example:
        >>> Hasher.hash([1, 2]) == Hasher.hash([1, 2])
        True
    """

    def __init__(self) -> None:
        self._hash = hashlib.blake2b(digest_size=8)

    @classmethod
    def hash_bytes(cls, value: Any) -> str:
        """The hash of bytes, or of several one after another."""
        made = hashlib.blake2b(digest_size=8)
        for one in [value] if isinstance(value, bytes) else value:
            made.update(one)
        return made.hexdigest()

    @classmethod
    def hash(cls, value: Any) -> str:
        """The hash of an object: 16 hexadecimal digits.

        Raises:
            TypeError: it has something inside whose content cannot be named, such as an open file; the message says where.
        """
        walk = _Walk()
        walk.walk(value)
        return walk.hash.hexdigest()

    def update(self, value: Any) -> None:
        """Adds an object."""
        self._hash.update(f"=={type(value)}==".encode())
        self._hash.update(self.hash(value).encode())

    def hexdigest(self) -> str:
        """The hash of all that was added."""
        return self._hash.hexdigest()


# ---------------------------------------------------------------------------------------------------------- switches


def enable_caching() -> None:
    """What transforms make is kept in files, and found there again by its fingerprint. This is so at first."""
    global _enabled
    _enabled = True


def disable_caching() -> None:
    """What transforms make is not looked for in files; it is kept in a temporary folder until the process ends."""
    global _enabled
    _enabled = False


def is_caching_enabled() -> bool:
    """Whether what transforms made is looked for in files."""
    return _enabled


class _TempCacheDir:
    """A folder that is removed when the process ends."""

    def __init__(self) -> None:
        place = os.environ.get("TMPDIR") or os.environ.get("TEMP") or os.environ.get("TMP")
        if place:
            place = os.path.normpath(place)
            if os.path.exists(place) and not os.path.isdir(place):
                raise OSError(f"TMPDIR is set to '{place}' but it is not a directory. Please point TMPDIR to a writable directory.")
            try:
                os.makedirs(place, exist_ok=True)
            except OSError as error:
                raise OSError(f"TMPDIR is set to '{place}' but the directory does not exist and could not be created: {error}.") from error
        self.name = tempfile.mkdtemp(prefix=config.TEMP_CACHE_DIR_PREFIX, dir=place or None)
        self._finalizer = weakref.finalize(self, shutil.rmtree, self.name, ignore_errors=True)

    def cleanup(self) -> None:
        """Removes it now."""
        self._finalizer()


_temporary: tuple[int, _TempCacheDir] | None = None


def get_temporary_cache_files_directory() -> str:
    """A folder of this process that is removed when it ends."""
    global _temporary
    if _temporary is None or _temporary[0] != os.getpid() or not os.path.isdir(_temporary[1].name):
        _temporary = (os.getpid(), _TempCacheDir())
    return _temporary[1].name


# ------------------------------------------------------------------------------------------------------ fingerprints

_random = random.Random()


def generate_random_fingerprint(nbits: int = 64) -> str:
    """A fingerprint of nothing: no two are the same."""
    return f"{_random.getrandbits(nbits):0{nbits // 4}x}"


def of_table(table: Any, *more: Any) -> str:
    """The fingerprint of a table: of its content in memory, or of the files that it is mapped from."""
    walk = _Walk()
    files = getattr(table, "files", ())
    if hasattr(table, "said"):
        walk.walk(table.said())
        for file in table.plan.listing["files"]:
            walk.feed("file", sampled(file["path"]))
    elif files:
        walk.feed("schema", str(table.table.schema))
        walk.feed("replays", repr([name for name, _, _ in table.replays]))
        walk.walk([(args, kwargs) for _, args, kwargs in table.replays])
        for file in files:
            walk.feed("file", sampled(file))
    else:
        walk.table(table)
    walk.walk(list(more))
    return walk.hash.hexdigest()


def sampled(path: str) -> str:
    """A file's length, its ends, and some blocks between: enough to tell it from others, however long it is."""
    made = hashlib.blake2b(digest_size=16)
    size = os.path.getsize(path)
    made.update(str(size).encode())
    with open(path, "rb") as file:
        for at in sorted({0, *(size * i // 64 for i in range(64)), max(0, size - (64 << 10))}):
            file.seek(at)
            made.update(file.read(64 << 10 if at in (0, max(0, size - (64 << 10))) else 4 << 10))
    return made.hexdigest()


_warned = False


def _unhashable(what: str, error: Exception) -> str:
    """A fingerprint where there is none, and why."""
    global _warned
    text = (
        f"{what} couldn't be hashed properly, a random hash was used instead: the result is computed anew each time. Reason: {error}. "
        "Pass new_fingerprint= to name it yourself."
    )
    if _enabled and not _warned:
        _warned = True
        _logger.warning(f"{text} This warning is only shown once. Subsequent hashing failures won't be shown.")
    else:
        _logger.info(text)
    return generate_random_fingerprint()


def update_fingerprint(fingerprint: str, transform: Any, transform_args: Mapping[str, Any], parts: dict[str, str] | None = None) -> str:
    """The fingerprint of what a transform makes of data of another.

    Args:
        fingerprint: that of the data.
        transform: the name of the transform, or its function.
        transform_args: what it is given.
        parts: filled in with the hash of each argument.
    """
    parts = {} if parts is None else parts
    hasher = Hasher()
    hasher.update(fingerprint)
    try:
        hasher.update(transform)
    except Exception as error:
        return _unhashable(f"Transform {transform}", error)
    for name in sorted(transform_args):
        try:
            parts[name] = Hasher.hash(transform_args[name])
        except Exception as error:
            return _unhashable(f"Parameter '{name}'={transform_args[name]!r:.200} of the transform {transform}", error)
        hasher.update(name)
        hasher.update(parts[name])
    return hasher.hexdigest()


def validate_fingerprint(fingerprint: str, max_length: int = 64) -> None:
    """Checks that a fingerprint can be part of a file's name.

    Raises:
        InvalidArgumentError: it cannot.
    """
    if not isinstance(fingerprint, str) or not fingerprint:
        raise InvalidArgumentError(f"Invalid fingerprint '{fingerprint}': it should be a non-empty string.")
    if bad := sorted(set(fingerprint) & set('<>:/\\|?*"')):
        raise InvalidArgumentError(f"Invalid fingerprint '{fingerprint}': it has characters that file names cannot have: {bad}.")
    if len(fingerprint) > max_length:
        raise InvalidArgumentError(
            f"Invalid fingerprint. Maximum length is {max_length} but '{fingerprint}' has length {len(fingerprint)}."
        )


def _bound(func: Callable[..., Any], args: Any, kwargs: Any) -> tuple[Any, dict[str, Any]]:
    """The data set that a method is called on, and its arguments by name, but for those that have their default."""
    bound = inspect.signature(func).bind(*args, **kwargs)
    dataset, *_ = bound.args or (None,)
    own, *_rest = inspect.signature(func).parameters
    made: dict[str, Any] = {}
    for name, value in bound.arguments.items():
        parameter = inspect.signature(func).parameters[name]
        if name == own:
            continue
        if parameter.kind is parameter.VAR_KEYWORD:
            made.update(value)
        else:
            with contextlib.suppress(Exception):
                if parameter.default is value or (type(parameter.default) is type(value) and parameter.default == value):
                    continue
            made[name] = value
    return dataset, made


def fingerprint_transform(
    inplace: bool,
    use_kwargs: list[str] | None = None,
    ignore_kwargs: list[str] | None = None,
    fingerprint_names: list[str] | None = None,
    randomized_function: bool = False,
    version: str | None = None,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A decorator of methods of data sets: the result gets a fingerprint of the data's, the method's name and its arguments.

    Args:
        inplace: whether the method changes the data set that it is called on; else it takes `new_fingerprint`.
        use_kwargs: the only arguments that count.
        ignore_kwargs: arguments that do not.
        fingerprint_names: the parameters that take fingerprints, where there are several.
        randomized_function: whether it draws: without a seed, the state of NumPy's generator counts.
        version: of the method, to change when what it makes changes.
    """
    names = fingerprint_names or ["new_fingerprint"]

    def decorate(func: Callable[..., Any]) -> Callable[..., Any]:
        transform = f"{func.__module__}.{func.__qualname__}{f'@{version}' if version else ''}"

        @functools.wraps(func)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            dataset, given = _bound(func, args, kwargs)
            counted = {
                name: value
                for name, value in given.items()
                if (use_kwargs is None or name in use_kwargs) and name not in (ignore_kwargs or ()) and name not in names
            }
            if randomized_function and given.get("seed") is None and given.get("generator") is None:
                import numpy as np

                state: Any = np.random.get_state()
                drawn, at = state[1:3]
                counted["generator"] = np.random.default_rng(drawn[at] if at < 624 else drawn[0])
            history = []
            for name in [] if inplace else names:
                if given.get(name) is None:
                    parts: dict[str, str] = {}
                    kwargs[name] = update_fingerprint(dataset._fingerprint, transform, {**counted, "fingerprint_name": name}, parts)
                    history.append((transform, counted, parts))
                else:
                    validate_fingerprint(given[name])
            args_, kwargs_ = _placed(func, args, kwargs, names if not inplace else [])
            made = func(*args_, **kwargs_)
            if inplace:
                dataset._fingerprint = update_fingerprint(dataset._fingerprint, transform, counted)
            else:
                remember(dataset, made, func.__name__, history[0] if history else None)
            return made

        return wrapper

    return decorate


def _placed(func: Callable[..., Any], args: Any, kwargs: Any, names: list[str]) -> tuple[Any, Any]:
    """Arguments with fingerprints by name, though they were given by place."""
    order = list(inspect.signature(func).parameters)
    cut = min((order.index(name) for name in names if name in order), default=len(args))
    kept = args[:cut]
    rest = dict(zip(order[cut:], args[cut:], strict=False))
    return kept, {**rest, **kwargs}


def remember(before: Any, made: Any, name: str, step: Any) -> None:
    """Notes in a data set how its fingerprint came to be."""
    for one in made.values() if isinstance(made, dict) else [made]:
        if step is None or one is before or not hasattr(one, "_steps"):
            continue
        _, given, parts = step
        shown = {key: (_text(value), parts.get(key, "")) for key, value in given.items()}
        one._steps = (*before._steps, (name, before._fingerprint, shown))


def _text(value: Any) -> str:
    name = getattr(value, "__qualname__", None)
    text = f"{value.__module__}.{name}" if name and hasattr(value, "__module__") else repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def written_path(path: str | os.PathLike[str]) -> Path:
    """A path, with `~` as what it stands for."""
    return Path(os.fspath(path)).expanduser()
