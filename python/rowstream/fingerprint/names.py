"""The names that classes and functions of rowstream have in hashes.

A fingerprint contains names of methods, classes and functions. They are the names of the place
where each was first defined, so that cached results are still found after code has moved. To move
or rename what is listed here changes no fingerprint; anything else is hashed by its present place.
"""

from __future__ import annotations

from typing import Any

_FIRST_MODULES = {
    "rowstream.builder": "ArrowBasedBuilder BuilderConfig DatasetBuilder GeneratorBasedBuilder",
    "rowstream.dataset.column": "Column IterableColumn",
    "rowstream.dataset.dicts": "DatasetDict IterableDatasetDict _with_split",
    "rowstream.dataset.iterable": "IterableDataset",
    "rowstream.dataset.map_style": "Dataset",
    "rowstream.downloads": (
        "DownloadConfig DownloadManager DownloadMode StreamingDownloadManager VerificationMode"
    ),
    "rowstream.expr": "Col Expr _Compare _In _Joined _Not _Null _Starts col",
    "rowstream.features.media": ("Audio BioSequence BioStructure Image Mesh Nifti Pdf Video"),
    "rowstream.features.types": (
        "Array2D Array3D Array4D Array5D ClassLabel Features Json LargeList List Sequence"
        " Translation TranslationVariableLanguages Value"
    ),
    "rowstream.files": "read_jsonl write_jsonl",
    "rowstream.fingerprint": "disable_caching enable_caching is_caching_enabled",
    "rowstream.progress": (
        "are_progress_bars_disabled disable_progress_bars enable_progress_bars"
        " is_progress_bar_enabled"
    ),
    "rowstream.splits": (
        "NamedSplit NamedSplitAll ReadInstruction Split SplitBase SplitDict SplitGenerator"
        " SplitInfo SubSplitInfo percent"
    ),
    "rowstream.table": (
        "ConcatenationTable InMemoryTable MemoryMappedTable cast_table_to_schema concat_tables"
        " embed_array_storage embed_table_storage table_cast"
    ),
}
_RENAMED = {
    "aligned_labels": "rowstream.dataset.columns._aligned",
    "as_labels": "rowstream.dataset.columns._as_labels",
    "as_text": "rowstream.dataset.columns._as_text",
}
_FIRST_CLASSES = {
    "rowstream.dataset.choosing.Choosing": "add_item select shuffle sort train_test_split",
    "rowstream.dataset.columns.Columns": (
        "_renamed _selected add_column cast cast_column class_encode_column flatten"
        " remove_columns rename_column rename_columns select_columns"
    ),
    "rowstream.dataset.map_style.Dataset": "batch flatten_indices set_format",
}
_FIRST = _RENAMED | {
    name: f"{module}.{name}" for module, names in _FIRST_MODULES.items() for name in names.split()
}
_CLASS_OF = {name: of for of, names in _FIRST_CLASSES.items() for name in names.split()}


def hashed_name(value: Any) -> str:
    """Return the module and name of a class or function, as hashes contain them."""
    module, name = value.__module__, value.__qualname__
    outer, dot, inner = name.partition(".")
    if module.startswith("rowstream.") and outer in _FIRST:
        return f"{_FIRST[outer]}{dot}{inner}"
    return f"{module}.{name}"


def hashed_method(method: Any) -> str:
    """Return the module, class and name of a method of a dataset, as fingerprints contain them."""
    module, name = method.__module__, method.__name__
    if module.startswith("rowstream.") and name in _CLASS_OF:
        return f"{_CLASS_OF[name]}.{name}"
    return f"{module}.{method.__qualname__}"
