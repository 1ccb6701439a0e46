"""Tables of formats by file extension, and of the modules of `datasets` that read them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from hashlib import sha256
from typing import Any

from rowstream.resolve import formats


def _hash_python_lines(lines: Iterable[str]) -> str:
    """Return the hash of a module's lines, without comments and empty lines."""
    kept = (re.sub(r"#.*", "", line) for line in lines)
    return sha256("\n".join(line for line in kept if line).encode()).hexdigest()


_OPTIONS: dict[str, dict[str, Any]] = {".tsv": {"sep": "\t"}, ".conllu": {"comment_prefix": "#"}}
_EXTENSION_TO_MODULE: dict[str, tuple[str, dict[str, Any]]] = {
    ending: (name, _OPTIONS.get(ending, {}))
    for name, endings in formats._EXTENSIONS.items()
    if name != "mds"  # which `datasets` does not read
    for ending in endings
}
_MODULE_TO_EXTENSIONS: dict[str, list[str]] = {
    name: [*endings, ".zip"] for name, endings in formats._EXTENSIONS.items()
}
_ALL_EXTENSIONS = [*_EXTENSION_TO_MODULE, ".zip"]

# Those that are read: each with the module that it is in, and a hash of what reads it.
_PACKAGED_DATASETS_MODULES: dict[str, tuple[str, str]] = {
    name: (
        f"datasets.packaged_modules.{name}.{name}",
        _hash_python_lines([f"rowstream reads {name}"]),
    )
    for name in formats.READ
}
