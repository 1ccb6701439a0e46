"""rowstream: machine-learning data sets, streamed from files in one exact order, with exact resume.

from rowstream import load_dataset

ds = load_dataset("parquet", data_files="data/*.parquet", split="train", streaming=True) for row in
ds.shuffle(seed=7, buffer_size=10_000): ... state = ds.state_dict() # at any row; load_state_dict
goes on at the next one
"""

from typing import TYPE_CHECKING, Any

from rowstream.dataset import (
    IterableDataset,
    IterableDatasetDict,
    concatenate_datasets,
    interleave_datasets,
)
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
    Mesh,
    Nifti,
    Pdf,
    Sequence,
    Translation,
    TranslationVariableLanguages,
    Value,
    Video,
)
from rowstream.info import DatasetInfo
from rowstream.load import load_dataset, load_dataset_builder, load_from_disk
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

if TYPE_CHECKING:
    from rowstream import cache as cache
    from rowstream.builder.builder import DatasetBuilder
    from rowstream.builder.config import BuilderConfig
    from rowstream.builder.generate import ArrowBasedBuilder, GeneratorBasedBuilder
    from rowstream.dataset.map_style.dataset import Dataset
    from rowstream.dataset.map_style.dataset_dict import DatasetDict
    from rowstream.fingerprint.caching import disable_caching, enable_caching, is_caching_enabled
    from rowstream.formatting.column import Column, IterableColumn
    from rowstream.inspect import (
        get_dataset_config_info,
        get_dataset_config_names,
        get_dataset_default_config_name,
        get_dataset_infos,
        get_dataset_split_names,
    )
    from rowstream.storage.download_config import DownloadConfig, DownloadMode, VerificationMode
    from rowstream.storage.download_manager import DownloadManager, StreamingDownloadManager
    from rowstream.storage.files import exists as exists
    from rowstream.storage.files import glob as glob
    from rowstream.storage.files import list as list
    from rowstream.storage.files import open as open
    from rowstream.storage.jsonl import read_jsonl, write_jsonl

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
    "percent",
    "read_jsonl",
    "split_dataset_by_node",
    "write_jsonl",
]

# What streams do not need is loaded when it is first asked for: archives and compression take a
# quarter of the import, pyarrow all of it again.
_LATER = {
    **dict.fromkeys(
        ("ArrowBasedBuilder", "BuilderConfig", "DatasetBuilder", "GeneratorBasedBuilder"),
        "rowstream.builder",
    ),
    **dict.fromkeys(
        (
            "get_dataset_config_info",
            "get_dataset_config_names",
            "get_dataset_default_config_name",
            "get_dataset_infos",
            "get_dataset_split_names",
        ),
        "rowstream.inspect",
    ),
    **dict.fromkeys(("Column", "IterableColumn"), "rowstream.formatting.column"),
    "Dataset": "rowstream.dataset.map_style",
    "DatasetDict": "rowstream.dataset.map_style",
    **dict.fromkeys(
        ("DownloadConfig", "DownloadMode", "VerificationMode"), "rowstream.storage.download_config"
    ),
    **dict.fromkeys(
        ("DownloadManager", "StreamingDownloadManager"), "rowstream.storage.download_manager"
    ),
    **dict.fromkeys(("exists", "glob", "list", "open"), "rowstream.storage.files"),
    **dict.fromkeys(("read_jsonl", "write_jsonl"), "rowstream.storage.jsonl"),
    **dict.fromkeys(
        ("disable_caching", "enable_caching", "is_caching_enabled"), "rowstream.fingerprint"
    ),
}


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name in ("cache", "config", "utils", "table", "arrow_writer", "fingerprint", "formatting"):
        return import_module(f"rowstream.{name}")
    if name not in _LATER:
        raise AttributeError(f"module 'rowstream' has no attribute {name!r}")
    return getattr(import_module(_LATER[name]), name)
