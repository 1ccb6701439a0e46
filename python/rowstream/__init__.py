"""rowstream: machine-learning data sets, streamed from files in one exact order, with exact resume.

from rowstream import load_dataset

ds = load_dataset("parquet", data_files="data/*.parquet", split="train", streaming=True)
for row in ds.shuffle(seed=7, buffer_size=10_000):
    ...
state = ds.state_dict()  # at any row; load_state_dict goes on at the next one
"""

from typing import TYPE_CHECKING, Any

from rowstream.dataset import IterableDataset, IterableDatasetDict, concatenate_datasets, interleave_datasets
from rowstream.distributed import merge_state_dicts, split_dataset_by_node
from rowstream.expr import col
from rowstream.features import ClassLabel, Features, LargeList, List, Value
from rowstream.info import DatasetInfo
from rowstream.load import load_dataset

if TYPE_CHECKING:
    from rowstream import cache as cache
    from rowstream.downloads import DownloadConfig, DownloadManager, DownloadMode, StreamingDownloadManager
    from rowstream.files import exists as exists
    from rowstream.files import glob as glob
    from rowstream.files import list as list
    from rowstream.files import open as open
    from rowstream.files import read_jsonl, write_jsonl

__version__ = "0.1.0"

__all__ = [
    "ClassLabel",
    "DatasetInfo",
    "DownloadConfig",
    "DownloadManager",
    "DownloadMode",
    "Features",
    "IterableDataset",
    "IterableDatasetDict",
    "LargeList",
    "List",
    "StreamingDownloadManager",
    "Value",
    "col",
    "concatenate_datasets",
    "interleave_datasets",
    "load_dataset",
    "merge_state_dicts",
    "read_jsonl",
    "split_dataset_by_node",
    "write_jsonl",
]

# What streams do not need is loaded when it is first asked for: archives and compression take a quarter of the import.
_LATER = {
    **dict.fromkeys(("DownloadConfig", "DownloadManager", "DownloadMode", "StreamingDownloadManager"), "rowstream.downloads"),
    **dict.fromkeys(("exists", "glob", "list", "open", "read_jsonl", "write_jsonl"), "rowstream.files"),
}


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name == "cache":
        return import_module("rowstream.cache")
    if name not in _LATER:
        raise AttributeError(f"module 'rowstream' has no attribute {name!r}")
    return getattr(import_module(_LATER[name]), name)
