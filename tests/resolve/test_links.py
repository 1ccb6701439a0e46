"""Folders with links: listing them ends, wherever the links lead, and each file is found."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from itertools import permutations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

pytestmark = pytest.mark.heavy


def links(folder, kind):
    """A file here, one below, and links. What ends listings by chance is no test: rings go through several folders."""
    (folder / "a" / "deep").mkdir(parents=True)
    pq.write_table(pa.table({"id": [0]}), folder / "0.parquet")
    pq.write_table(pa.table({"id": [1]}), folder / "a" / "deep" / "1.parquet")
    (folder / "b").mkdir()
    made = {
        "several to the parent": [("a/up", ".."), ("a/again", ".."), ("a/third", "..")],
        "one in each of two folders": [("a/up", ".."), ("b/up", "..")],
        "to themselves": [("a/s", "."), ("a/t", ".")],
        "to folders further up": [("a/deep/x", "../.."), ("a/deep/y", ".."), ("b/z", "..")],
        "absolute": [("a/up", str(folder)), ("a/again", str(folder)), ("b/up", str(folder))],
        "from above": [("b/up", "../.."), ("b/again", "../..")],
        "by way of another link": [("a/up", "../b/up"), ("b/up", ".."), ("b/again", "up")],
        "that lead nowhere": [("a/gone", "nowhere"), ("b/round", "turn"), ("b/turn", "round")],
    }[kind]
    for name, target in made:
        (folder / name).symlink_to(target)


KINDS = [
    "several to the parent",
    "one in each of two folders",
    "to themselves",
    "to folders further up",
    "absolute",
    "from above",
    "by way of another link",
    "that lead nowhere",
]


def found(folder, code):
    """What a process prints, which would list for ever where links go round."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), str(folder)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.split()


@pytest.mark.parametrize("kind", KINDS)
def test_a_folder_is_listed_to_its_end(tmp_path, kind):
    folder = tmp_path / "data"
    folder.mkdir()
    links(folder, kind)
    code = """
        import sys
        from rowstream import load_dataset
        from rowstream.storage import patterns
        root = sys.argv[1]
        for path, named in ((root, {}), ("parquet", {"data_files": f"{root}/**/*.parquet"}), ("parquet", {"data_dir": root})):
            ds = load_dataset(path, split="train", streaming=True, **named)
            print(*sorted(row["id"] for row in ds))
        print(len(patterns.resolve("**", root)), len(patterns.resolve("**/deep/*", root)), len(patterns.resolve("*/**/1.parquet", root)))
    """
    assert found(folder, code) == ["0", "1"] * 3 + ["2", "1", "1"]


def test_folders_that_all_link_to_each_other(tmp_path):
    folder, names = tmp_path / "data", [f"f{i}" for i in range(9)]
    for i, name in enumerate(names):
        (folder / name).mkdir(parents=True)
        pq.write_table(pa.table({"id": [i]}), folder / name / f"{i}.parquet")
    for one, other in permutations(names, 2):
        (folder / one / f"to-{other}").symlink_to(f"../{other}")
    code = """
        import os, sys
        from rowstream.storage import patterns
        print(*sorted({os.path.basename(path) for path in patterns.resolve("**/*.parquet", sys.argv[1])}))
    """
    assert found(folder, code) == [f"{i}.parquet" for i in range(9)]


@pytest.mark.parametrize(
    "pattern", ["**/*.parquet", "linked/*.parquet", "l*/**", "linked/**/*.parquet"]
)
def test_a_folder_elsewhere_is_followed(tmp_path, pattern):
    (tmp_path / "elsewhere").mkdir()
    pq.write_table(pa.table({"id": [7]}), tmp_path / "elsewhere" / "x.parquet")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "linked").symlink_to("../elsewhere")
    (tmp_path / "elsewhere" / "back").symlink_to("../data")
    (tmp_path / "elsewhere" / "again").symlink_to("../data")
    code = f"""
        import os, sys
        from rowstream.storage import patterns
        print(*(os.path.relpath(path, sys.argv[1]) for path in patterns.resolve({pattern!r}, sys.argv[1])))
    """
    assert found(tmp_path / "data", code) == ["linked/x.parquet"]
