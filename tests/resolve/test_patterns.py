from __future__ import annotations

import os

import pytest
from rowstream.exceptions import DataFilesNotFoundError
from rowstream.storage.patterns import expand, resolve, walk


@pytest.fixture
def folder(tmp_path):
    for name in (
        "a.parquet",
        "b.parquet",
        "c10.parquet",
        "c9.parquet",
        ".hidden.parquet",
        "README.md",
        "sub/d.parquet",
        "__cache__/e.parquet",
    ):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x")
    return tmp_path


def names(paths, folder):
    return [os.path.relpath(path, folder) for path in paths]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("a{0..2}", ["a0", "a1", "a2"]),
        ("{098..101}", ["098", "099", "100", "101"]),
        ("{3..1}", ["3", "2", "1"]),
        ("{x,y}{0..1}", ["x0", "x1", "y0", "y1"]),
        ("{x}", ["{x}"]),
        ("{9..11}", ["9", "10", "11"]),
        ("{10..0..5}", ["10", "5", "0"]),
        ("{a..c}", ["a", "b", "c"]),
        ("p{0,{2..3}}", ["p0", "p2", "p3"]),
        ("{x{1,2}}", ["{x1}", "{x2}"]),
        ("plain", ["plain"]),
    ],
)
def test_braces(pattern, expected):
    assert expand(pattern) == expected


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.parquet", ["a.parquet", "b.parquet", "c10.parquet", "c9.parquet"]),
        ("[ab].parquet", ["a.parquet", "b.parquet"]),
        ("c{9..10}.parquet", ["c9.parquet", "c10.parquet"]),
        ("**/*.parquet", ["a.parquet", "b.parquet", "c10.parquet", "c9.parquet", "sub/d.parquet"]),
        (".hidden.parquet", [".hidden.parquet"]),
        ("__cache__/*", ["__cache__/e.parquet"]),
        ("README.md", ["README.md"]),
    ],
)
def test_patterns(folder, pattern, expected):
    assert names(resolve(pattern, str(folder)), folder) == expected
    assert names(resolve(str(folder / pattern), "/"), folder) == expected


def test_what_is_missing_is_named(folder):
    with pytest.raises(DataFilesNotFoundError, match=r"no file matches .*\*\.json"):
        resolve("*.json", str(folder))
    with pytest.raises(DataFilesNotFoundError, match=r"there is no file .*c11\.parquet"):
        resolve("c{9..11}.parquet", str(folder))
    with pytest.raises(DataFilesNotFoundError, match="it is a folder; add /"):
        resolve("sub", str(folder))


def test_walk_leaves_out_what_is_no_data(folder):
    assert walk(str(folder)) == [
        "a.parquet",
        "b.parquet",
        "c10.parquet",
        "c9.parquet",
        "sub/d.parquet",
    ]
