"""Lets `import datasets` import rowstream, for code that cannot be edited.

This holds for this process and the processes that it starts.

    python -m rowstream.alias train.py --epochs 3
    python -m rowstream.alias -m lm_eval --tasks gsm8k

Or, before anything imports `datasets`:

    import rowstream.alias

    rowstream.alias.install()
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import importlib.metadata
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from rowstream.utils import logging

VERSION = "5.2.0"
"""The version of `datasets` whose names and signatures these are, for code that compares it."""

_HERE = str(Path(__file__).parent / "path")

# Where the names of each module are. The modules are those of `datasets` 5.2, all of them: some
# have nothing that is there.
_MODULES: dict[str, tuple[str, ...]] = {
    "": ("rowstream",),
    "arrow_dataset": (
        "dataset.map_style",
        "dataset.map_style.dataset",
        "dataset.map_style.concatenate",
        "transforms.map",
        "formatting",
        "fingerprint",
        "table",
        "exceptions",
    ),
    "arrow_reader": ("compat.arrow_reader",),
    "arrow_writer": (
        *("arrow_writer", "writers.arrow", "table", "features.convert", "features.encode"),
        "features.registry",
    ),
    "builder": (
        *("builder", "builder.builder", "builder.generate", "builder.config", "splits.verify"),
    ),
    "combine": ("dataset.combine", "dataset.map_style.concatenate"),
    "commands": (),
    "commands.datasets_cli": (),
    "commands.delete_from_hub": (),
    "commands.env": (),
    "commands.test": (),
    "config": ("config",),
    "data_files": ("compat.data_files",),
    "dataset_dict": ("dataset.map_style.dataset_dict", "dataset.iterable.dataset_dict"),
    "distributed": ("distributed",),
    "download": ("storage.download_config", "storage.download_manager", "storage.download"),
    "download.download_config": ("storage.download_config",),
    "download.download_manager": ("storage.download_manager", "storage.download_config"),
    "download.streaming_download_manager": ("storage.download_manager", "compat.file_utils"),
    "exceptions": ("exceptions",),
    "features": ("features", "features.features"),
    "features._torchcodec": (),
    "features.audio": ("features",),
    "features.bio_sequence": ("features",),
    "features.bio_structure": ("features",),
    "features.features": (
        "compat.features",
        *(
            "features",
            "features.align",
            "features.cast",
            "features.convert",
            "features.encode",
            "features.nested",
            "features.registry",
        ),
        *("arrow.extension", "arrow.pandas"),
    ),
    "features.image": ("features", "features.media.image"),
    "features.mesh": ("features",),
    "features.nifti": ("features",),
    "features.pdf": ("features",),
    "features.translation": ("features",),
    "features.video": ("features",),
    "filesystems": ("compat.filesystems",),
    "filesystems.compression": (),
    "fingerprint": (
        "fingerprint",
        "fingerprint.transform",
        "fingerprint.caching",
        "fingerprint.hasher",
    ),
    "formatting": ("formatting",),
    "formatting.formatting": ("formatting", "features.encode"),
    "formatting.jax_formatter": ("formatting",),
    "formatting.np_formatter": ("formatting",),
    "formatting.polars_formatter": ("formatting", "features.encode"),
    "formatting.tf_formatter": ("formatting",),
    "formatting.torch_formatter": ("formatting",),
    "hub": (),
    "info": ("info",),
    "inspect": ("inspect",),
    "io": (),
    "io.abc": ("compat.io",),
    "io.csv": ("compat.io",),
    "io.generator": ("compat.io",),
    "io.json": ("compat.io",),
    "io.parquet": ("compat.io",),
    "io.spark": (),
    "io.sql": ("compat.io",),
    "io.text": ("compat.io",),
    "iterable_dataset": ("dataset.iterable.dataset", "formatting.column"),
    "load": ("load",),
    "logging": ("utils.logging",),
    "naming": ("compat.naming",),
    "packaged_modules": ("compat.packaged_modules",),
    "parallel": (),
    "parallel.parallel": (),
    "search": ("integrations.search", "dataset.map_style.search"),
    "splits": ("splits", "splits.names", "splits.info"),
    "streaming": ("compat.file_utils",),
    "table": ("table", "table.table"),
    "utils": ("utils", "utils.progress", "compat.bars", "compat.py_utils"),
    "utils._dataset_viewer": (),
    "utils._dill": (),
    "utils._filelock": ("compat.filelock",),
    "utils.deprecation_utils": (),
    "utils.doc_utils": (),
    "utils.experimental": ("utils",),
    "utils.extract": ("compat.extract",),
    "utils.file_utils": ("compat.file_utils",),
    "utils.filelock": ("compat.filelock",),
    "utils.hub": (),
    "utils.info_utils": ("splits.verify", "storage.download_config"),
    "utils.json": (),
    "utils.logging": ("utils.logging", "compat.bars"),
    "utils.metadata": ("compat.metadata",),
    "utils.patching": (),
    "utils.py_utils": ("compat.py_utils", "utils.arguments"),
    "utils.resources": (),
    "utils.sharding": (),
    "utils.stratify": (),
    "utils.tf_utils": ("compat.tf_utils",),
    "utils.tqdm": ("utils.progress", "compat.bars"),
    "utils.track": (),
    "utils.typing": ("compat.py_utils",),
    "utils.version": ("version",),
    "packaged_modules.folder_based_builder": (),
    "packaged_modules.folder_based_builder.folder_based_builder": (),
    "packaged_modules.webdataset._tenbin": (),
}
# Each format has a module, with one of the same name in it; those that are read have their builders
# there.
_FORMATS = (
    *(
        "arrow",
        "audiofolder",
        "cache",
        "conll",
        "csv",
        "eval",
        "fasta",
        "fastq",
        "genbank",
        "generator",
        "harbor",
        "hdf5",
        "iceberg",
    ),
    *(
        "imagefolder",
        "json",
        "lance",
        "meshfolder",
        "mmcif",
        "niftifolder",
        "pandas",
        "parquet",
        "pdb",
        "pdffolder",
        "spark",
        "sql",
    ),
    *("text", "tsfile", "videofolder", "vortex", "webdataset", "xml"),
)
_READ = frozenset(("arrow", "csv", "json", "parquet", "text", "webdataset"))
for _format in _FORMATS:
    _where = ("compat.builders",) if _format in _READ else ()
    _MODULES |= {
        f"packaged_modules.{_format}": _where,
        f"packaged_modules.{_format}.{_format}": _where,
    }

# Modules whose packages have something else under their names: they are only imported from.
_BEHIND = frozenset(("utils.experimental", "utils.tqdm"))


def _within(module: str) -> str:
    """Return the name of a module relative to `datasets`."""
    return module.removeprefix("datasets").removeprefix(".")


class _Module(ModuleType):
    """A module that provides the names of others; a name is set where it is defined."""

    def _targets(self) -> Iterator[ModuleType]:
        for name in _MODULES[_within(self.__name__)]:
            yield importlib.import_module(name if name == "rowstream" else f"rowstream.{name}")

    def __getattr__(self, name: str) -> Any:
        if name == "__all__":
            several = (
                getattr(target, "__all__", None) or vars(target) for target in self._targets()
            )
            return sorted({one for names in several for one in names if not one.startswith("_")})
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        full = f"{self.__name__}.{name}"
        if _within(full) in _MODULES and _within(full) not in _BEHIND:
            return importlib.import_module(full)
        for target in self._targets():
            if hasattr(target, name):
                return getattr(target, name)
        import rowstream

        if name == "config" or name in rowstream.__all__:
            return getattr(rowstream, name)
        raise AttributeError(f"rowstream, which stands for datasets here, has no {full}")

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, _Module) and _within(value.__name__) in _BEHIND:
            return
        targets = (
            []
            if (name.startswith("__") and name.endswith("__")) or isinstance(value, _Module)
            else list(self._targets())
        )
        if not targets:
            super().__setattr__(name, value)
            return
        there = [target for target in targets if name in vars(target)] or targets[:1]
        # A package may only hand on what stands in a module: there it is looked up when it is used.
        home = sys.modules.get(getattr(getattr(there[0], name, None), "__module__", None) or "")
        if home is not None and home not in there and home.__name__.startswith("rowstream."):
            there += [home] if name in vars(home) else []
        for target in there:
            setattr(target, name, value)

    def __delattr__(self, name: str) -> None:
        for target in self._targets():
            if name in vars(target):
                delattr(target, name)
                return
        super().__delattr__(name)

    def __dir__(self) -> list[str]:
        return sorted({name for target in self._targets() for name in dir(target)})


class _Distribution(importlib.metadata.Distribution):
    """The package metadata of `datasets`, for code that checks whether it is installed."""

    def read_text(self, filename: str) -> str | None:
        """Return the text of the metadata file."""
        return (
            f"Metadata-Version: 2.1\nName: datasets\nVersion: {VERSION}\n"
            if filename == "METADATA"
            else None
        )

    def locate_file(self, path: Any) -> Any:
        """Return the path that a file of the package would have."""
        return Path(__file__).parent / path


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """The import hook for `datasets` and its modules."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,  # noqa: ARG002 - as the protocol says
        target: ModuleType | None = None,  # noqa: ARG002 - likewise
    ) -> Any:
        """Return the import spec of a module of `datasets`, or `None` for others."""
        if fullname != "datasets" and not fullname.startswith("datasets."):
            return None
        if _within(fullname) not in _MODULES:
            return None
        return importlib.machinery.ModuleSpec(fullname, self, is_package=True)

    def create_module(self, spec: Any) -> ModuleType:
        """Return a new module that provides rowstream's names."""
        return _Module(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Set the file and version of the package, which some code checks."""
        module.__file__ = str(Path(_HERE) / "datasets" / "__init__.py")
        if module.__name__ == "datasets":
            module.__version__ = VERSION  # type: ignore[attr-defined]  # modules take any name

    def find_distributions(self, context: Any = None) -> Iterator[importlib.metadata.Distribution]:
        """Yield the package metadata of `datasets`, if it is asked for."""
        if context is None or context.name in (None, "datasets"):
            yield _Distribution()


def install() -> None:
    """Make `import datasets` import rowstream, in this process and in Python processes it starts.

    Raises:
        RuntimeError: The real package was imported before; its objects would not be of the same
            types.

    Example:
        >>> import rowstream.alias
        >>> rowstream.alias.install()
        >>> from datasets import load_dataset
    """
    there = sys.modules.get("datasets")
    if isinstance(there, _Module):
        return
    if (
        there is not None
        and str(Path(getattr(there, "__file__", None) or "/").parent.parent) != _HERE
    ):
        raise RuntimeError(
            "the datasets package is imported already: call rowstream.alias.install() before"
            " anything imports it"
        )
    for name in [
        name for name in sys.modules if name == "datasets" or name.startswith("datasets.")
    ]:
        del sys.modules[name]
    if not any(isinstance(one, _Finder) for one in sys.meta_path):
        sys.meta_path.insert(0, _Finder())
    # For processes: those that are spawned get the path of this one, others what the environment
    # says.
    if _HERE not in sys.path:
        sys.path.insert(1, _HERE)
    before = os.environ.get("PYTHONPATH")
    if _HERE not in (before or "").split(os.pathsep):
        os.environ["PYTHONPATH"] = _HERE if not before else f"{_HERE}{os.pathsep}{before}"
    logging.below("datasets")
    importlib.import_module("datasets")


__all__ = ["VERSION", "install"]
