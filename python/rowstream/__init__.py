"""rowstream: machine-learning data sets, streamed from files in one exact order, with exact resume.

Example:
    from rowstream import load_dataset

    ds = load_dataset("parquet", data_files="data/*.parquet", split="train", streaming=True)
    ds = ds.shuffle(seed=7, buffer_size=10_000)
    for row in ds:
        ...
    state = ds.state_dict()  # at any row; load_state_dict continues at the next one
"""

import builtins
from importlib import import_module
from importlib.util import find_spec
from threading import RLock
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rowstream import cache as cache
    from rowstream.builder.builder import DatasetBuilder
    from rowstream.builder.config import BuilderConfig
    from rowstream.builder.generate import ArrowBasedBuilder, GeneratorBasedBuilder
    from rowstream.dataset import (
        IterableDataset,
        IterableDatasetDict,
        concatenate_datasets,
        interleave_datasets,
    )
    from rowstream.dataset.map_style.dataset import Dataset
    from rowstream.dataset.map_style.dataset_dict import DatasetDict
    from rowstream.dataset.mix import mix_datasets
    from rowstream.distributed import merge_state_dicts, split_dataset_by_node
    from rowstream.features import (
        Array2D,
        Array3D,
        Array4D,
        Array5D,
        Audio,
        BioSequence,
        BioStructure,
        ClassLabel,
        Features,
        Image,
        Json,
        LargeList,
        List,
        MediaRef,
        Mesh,
        Nifti,
        Pdf,
        Sequence,
        Translation,
        TranslationVariableLanguages,
        Value,
        Video,
    )
    from rowstream.fingerprint.caching import disable_caching, enable_caching, is_caching_enabled
    from rowstream.formatting.column import Column, IterableColumn
    from rowstream.info import DatasetInfo
    from rowstream.inspect import (
        get_dataset_config_info,
        get_dataset_config_names,
        get_dataset_default_config_name,
        get_dataset_infos,
        get_dataset_split_names,
    )
    from rowstream.load import load_dataset, load_dataset_builder, load_from_disk
    from rowstream.loader.loader import DataLoader
    from rowstream.plan.expr import col
    from rowstream.splits.info import SplitDict, SplitGenerator, SplitInfo, SubSplitInfo
    from rowstream.splits.names import (
        NamedSplit,
        NamedSplitAll,
        ReadInstruction,
        Split,
        SplitBase,
        percent,
    )
    from rowstream.storage.download_config import DownloadConfig, DownloadMode, VerificationMode
    from rowstream.storage.download_manager import DownloadManager, StreamingDownloadManager
    from rowstream.storage.files import exists as exists
    from rowstream.storage.files import glob as glob
    from rowstream.storage.files import list as list
    from rowstream.storage.files import open as open
    from rowstream.storage.jsonl import read_jsonl, write_jsonl
    from rowstream.utils import experimental
    from rowstream.utils.progress import (
        are_progress_bars_disabled,
        disable_progress_bar,
        disable_progress_bars,
        enable_progress_bar,
        enable_progress_bars,
        is_progress_bar_enabled,
    )
    from rowstream.version import Version
    from rowstream.version import __version__ as __version__

__all__ = [
    "Array2D",
    "Array3D",
    "Array4D",
    "Array5D",
    "ArrowBasedBuilder",
    "Audio",
    "BioSequence",
    "BioStructure",
    "BuilderConfig",
    "ClassLabel",
    "Column",
    "DataLoader",
    "Dataset",
    "DatasetBuilder",
    "DatasetDict",
    "DatasetInfo",
    "DownloadConfig",
    "DownloadManager",
    "DownloadMode",
    "Features",
    "GeneratorBasedBuilder",
    "Image",
    "IterableColumn",
    "IterableDataset",
    "IterableDatasetDict",
    "Json",
    "LargeList",
    "List",
    "MediaRef",
    "Mesh",
    "NamedSplit",
    "NamedSplitAll",
    "Nifti",
    "Pdf",
    "ReadInstruction",
    "Sequence",
    "Split",
    "SplitBase",
    "SplitDict",
    "SplitGenerator",
    "SplitInfo",
    "StreamingDownloadManager",
    "SubSplitInfo",
    "Translation",
    "TranslationVariableLanguages",
    "Value",
    "VerificationMode",
    "Version",
    "Video",
    "are_progress_bars_disabled",
    "col",
    "concatenate_datasets",
    "disable_caching",
    "disable_progress_bar",
    "disable_progress_bars",
    "enable_caching",
    "enable_progress_bar",
    "enable_progress_bars",
    "experimental",
    "get_dataset_config_info",
    "get_dataset_config_names",
    "get_dataset_default_config_name",
    "get_dataset_infos",
    "get_dataset_split_names",
    "interleave_datasets",
    "is_caching_enabled",
    "is_progress_bar_enabled",
    "load_dataset",
    "load_dataset_builder",
    "load_from_disk",
    "merge_state_dicts",
    "mix_datasets",
    "percent",
    "read_jsonl",
    "split_dataset_by_node",
    "write_jsonl",
]

# Where the names are. Each module is loaded when something of it is first asked for: `import
# rowstream` costs next to nothing, and what streams do not need is never loaded for them.
_MODULES = {
    "builder.builder": "DatasetBuilder",
    "builder.config": "BuilderConfig",
    "builder.generate": "ArrowBasedBuilder GeneratorBasedBuilder",
    "dataset.combine": "concatenate_datasets interleave_datasets",
    "dataset.iterable.dataset": "IterableDataset",
    "dataset.iterable.dataset_dict": "IterableDatasetDict",
    "dataset.map_style.dataset": "Dataset",
    "dataset.mix": "mix_datasets",
    "dataset.map_style.dataset_dict": "DatasetDict",
    "distributed": "merge_state_dicts split_dataset_by_node",
    "features.arrays": "Array2D Array3D Array4D Array5D",
    "features.features": "Features",
    "features.media.audio": "Audio",
    "features.media.documents": "BioSequence BioStructure Mesh Nifti Pdf",
    "features.media.image": "Image",
    "features.media.ref": "MediaRef",
    "features.media.video": "Video",
    "features.nested": "LargeList List Sequence",
    "features.scalar": "ClassLabel Value",
    "features.text": "Json Translation TranslationVariableLanguages",
    "fingerprint.caching": "disable_caching enable_caching is_caching_enabled",
    "formatting.column": "Column IterableColumn",
    "info": "DatasetInfo",
    "inspect": (
        "get_dataset_config_info get_dataset_config_names get_dataset_default_config_name"
        " get_dataset_infos get_dataset_split_names"
    ),
    "load": "load_dataset load_dataset_builder load_from_disk",
    "loader.loader": "DataLoader",
    "plan.expr": "col",
    "splits.info": "SplitDict SplitGenerator SplitInfo SubSplitInfo",
    "splits.names": "NamedSplit NamedSplitAll ReadInstruction Split SplitBase percent",
    "storage.download_config": "DownloadConfig DownloadMode VerificationMode",
    "storage.download_manager": "DownloadManager StreamingDownloadManager",
    "storage.files": "exists glob list open",
    "storage.jsonl": "read_jsonl write_jsonl",
    "utils": "experimental",
    "utils.progress": (
        "are_progress_bars_disabled disable_progress_bar disable_progress_bars"
        " enable_progress_bar enable_progress_bars is_progress_bar_enabled"
    ),
    "version": "Version __version__",
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names.split()}


# Two threads that begin at different modules could each wait for one that the other loads. Modules
# of the package import from files, never a name from here, so that none waits for this.
_LOADING = RLock()


def __getattr__(name: str) -> Any:
    if name in _MODULE_OF:
        with _LOADING:
            value = getattr(import_module(f"rowstream.{_MODULE_OF[name]}"), name)
    elif (
        name.isidentifier()
        and not name.startswith("__")
        and find_spec(f"rowstream.{name}") is not None
    ):
        value = import_module(f"rowstream.{name}")
    else:
        raise AttributeError(f"module 'rowstream' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> builtins.list[str]:
    return sorted({*globals(), *_MODULE_OF})
