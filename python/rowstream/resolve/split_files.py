"""Which split a file belongs to, by the naming rules of `datasets`.

The first rule that fits any file decides for all:

1. `data/{split}-00000-of-00003.parquet`: the split is what it says.
2. A folder of the path has a keyword as a whole word: `train/a.parquet`, `my-test_data/b.parquet`.
3. The file's name has one: `train.parquet`, `squad-dev-1.parquet`.
4. All files are `train`.

A whole word stands between the ends of a name and the characters `-._ 0-9`.
"""

from __future__ import annotations

import re

KEYWORDS = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "dev", "val"),
    "test": ("test", "testing", "eval", "evaluation"),
}
_SHARDED = re.compile(r"data/(?P<split>\w+(?:\.\w+)*)-[0-9]{5}-of-[0-9]{5}[^/]*\.[^/]*")
_APART = r"[-._ 0-9]"


def _in_folder(keyword: str) -> re.Pattern[str]:
    return re.compile(rf"(?:.*/)?(?:[^/]*{_APART})?{keyword}(?:{_APART}[^/]*)?/.*", re.DOTALL)


def _in_name(keyword: str) -> re.Pattern[str]:
    return re.compile(rf"(?:.*/)?(?:[^/]*{_APART})?{keyword}{_APART}[^/]*", re.DOTALL)


def by_split(paths: list[str]) -> dict[str, list[str]]:
    """Return the files of each split, known splits first.

    Args:
        paths: The files, relative to the folder of the dataset.
    """
    return named_splits(paths) or ({"train": paths} if paths else {})


def named_splits(paths: list[str]) -> dict[str, list[str]]:
    """Return the files of each split that their names say; nothing where no name says one."""
    sharded: dict[str, list[str]] = {}
    for path in paths:
        if found := _SHARDED.fullmatch(path):
            sharded.setdefault(found["split"], []).append(path)
    if sharded:
        return {
            split: sharded[split]
            for split in (
                *(k for k in KEYWORDS if k in sharded),
                *sorted(sharded.keys() - KEYWORDS),
            )
        }
    for rule in (_in_folder, _in_name):
        result = {}
        for split, keywords in KEYWORDS.items():
            patterns = [rule(keyword) for keyword in keywords]
            # As `datasets` lists them: by keyword, then by name.
            files = dict.fromkeys(
                path for pattern in patterns for path in paths if pattern.fullmatch(path)
            )
            if files:
                result[split] = list(files)
        if result:
            return result
    return {}
