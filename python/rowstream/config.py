"""Settings of rowstream, with the names of `datasets.config`.

A program can change them while it runs: they are read where they are needed, never copied. Their
initial values come from environment variables.
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any

HF_ENDPOINT = os.environ.get("HF_ENDPOINT", "https://huggingface.co")
HF_CACHE_HOME = os.path.expanduser(
    os.environ.get(
        "HF_HOME", os.path.join(os.environ.get("XDG_CACHE_HOME", "~/.cache"), "huggingface")
    )
)
HF_DATASETS_CACHE: Any = Path(
    os.environ.get("HF_DATASETS_CACHE", os.path.join(HF_CACHE_HOME, "datasets"))
)
DOWNLOADED_DATASETS_PATH: Any = Path(
    os.environ.get(
        "HF_DATASETS_DOWNLOADED_DATASETS_PATH", os.path.join(HF_DATASETS_CACHE, "downloads")
    )
)
EXTRACTED_DATASETS_PATH: Any = Path(
    os.environ.get(
        "HF_DATASETS_EXTRACTED_DATASETS_PATH", os.path.join(DOWNLOADED_DATASETS_PATH, "extracted")
    )
)
# No code is ever downloaded: nothing of ours is there.
HF_MODULES_CACHE = os.environ.get("HF_MODULES_CACHE", os.path.join(HF_CACHE_HOME, "modules"))
HF_DATASETS_OFFLINE = os.environ.get("HF_DATASETS_OFFLINE", "0").upper() in (
    "1",
    "ON",
    "YES",
    "TRUE",
)
HF_HUB_OFFLINE = HF_DATASETS_OFFLINE or os.environ.get("HF_HUB_OFFLINE", "0").upper() in (
    "1",
    "ON",
    "YES",
    "TRUE",
)
HF_UPDATE_DOWNLOAD_COUNTS = False

# Whether rows of Parquet files may be copied to an Arrow file where they are read at random and do
# not fit into memory.
ARROW_COPIES = os.environ.get("ROWSTREAM_ARROW_COPIES", "1").upper() in ("1", "ON", "YES", "TRUE")

DEFAULT_MAX_BATCH_SIZE = 1000
MAX_SHARD_SIZE = "500MB"
MAX_ROW_GROUP_SIZE = "100MB"
IN_MEMORY_MAX_SIZE = float(os.environ.get("HF_DATASETS_IN_MEMORY_MAX_SIZE", 0))
ARROW_RECORD_BATCH_SIZE_FOR_IMAGE_DATASETS: int | None = 100
ARROW_RECORD_BATCH_SIZE_FOR_AUDIO_DATASETS: int | None = 100
ARROW_RECORD_BATCH_SIZE_FOR_BINARY_DATASETS: int | None = 100
ARROW_RECORD_BATCH_SIZE_FOR_VIDEO_DATASETS: int | None = 10
PARQUET_ROW_GROUP_SIZE_FOR_IMAGE_DATASETS: int | None = None
PARQUET_ROW_GROUP_SIZE_FOR_AUDIO_DATASETS: int | None = None
PARQUET_ROW_GROUP_SIZE_FOR_BINARY_DATASETS: int | None = None
PARQUET_ROW_GROUP_SIZE_FOR_VIDEO_DATASETS: int | None = None
DEFAULT_CDC_OPTIONS: dict[str, int] = {
    "min_chunk_size": 256 << 10,
    "max_chunk_size": 1 << 20,
    "norm_level": 0,
}
MAX_TABLE_NBYTES_FOR_PICKLING = 4 << 30
MAX_NUM_RUNNING_ASYNC_MAP_FUNCTIONS_IN_PARALLEL = 1000
SAVE_ORIGINAL_SHARD_LENGTHS = False
STREAMING_READ_MAX_RETRIES = 20
STREAMING_READ_RETRY_INTERVAL = 5
HF_DATASETS_MULTITHREADING_MAX_WORKERS = 16
PBAR_REFRESH_TIME_INTERVAL = 0.05
TEMP_CACHE_DIR_PREFIX = "rowstream-"

DATASET_ARROW_FILENAME = "dataset.arrow"
DATASET_INDICES_FILENAME = "indices.arrow"
DATASET_INFO_FILENAME = "dataset_info.json"
DATASET_STATE_JSON_FILENAME = "state.json"
DATASETDICT_JSON_FILENAME = "dataset_dict.json"
DATASETDICT_INFOS_FILENAME = "dataset_infos.json"
LICENSE_FILENAME = "LICENSE"
REPOCARD_FILENAME = "README.md"
METADATA_CONFIGS_FIELD = "configs"

_PROBED = {
    "TORCH": "torch",
    "TF": "tensorflow",
    "JAX": "jax",
    "POLARS": "polars",
    "DUCKDB": "duckdb",
    "SQLALCHEMY": "sqlalchemy",
    "PIL": "PIL",
    "TORCHVISION": "torchvision",
    "TORCHCODEC": "torchcodec",
    "PDFPLUMBER": "pdfplumber",
    "RARFILE": "rarfile",
    "ZSTANDARD": "zstandard",
    "LZ4": "lz4",
    "PY7ZR": "py7zr",
}
_VERSIONS = {
    "PY": "python",
    "PYARROW": "pyarrow",
    "FSSPEC": "fsspec",
    "DILL": "dill",
    "PANDAS": "pandas",
    **{short: _PROBED[short] for short in ("TORCH", "TF", "JAX", "POLARS", "DUCKDB")},
}


def _version(package: str) -> Any:
    """Return the `packaging` version of Python or of a library; `"N/A"` if it is not installed."""
    from importlib.metadata import PackageNotFoundError, version
    from platform import python_version

    from packaging.version import parse

    try:
        return parse(python_version() if package == "python" else version(package))
    except PackageNotFoundError:
        return "N/A"


def __getattr__(name: str) -> Any:
    """Return if a library is installed (`TORCH_AVAILABLE`), or its version (`TORCH_VERSION`)."""
    if name.endswith("_AVAILABLE") and (short := name.removesuffix("_AVAILABLE")) in _PROBED:
        return find_spec(_PROBED[short]) is not None
    if name.endswith("_VERSION") and (short := name.removesuffix("_VERSION")) in _VERSIONS:
        return _version(_VERSIONS[short])
    raise AttributeError(f"module 'rowstream.config' has no attribute {name!r}")
