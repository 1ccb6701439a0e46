"""The modules of the alias are those of the package that is installed; what is written anew for it gives what the package gives."""

from __future__ import annotations

import dataclasses
import importlib
import sys
from pathlib import Path
from types import ModuleType

import pytest
from rowstream.alias import _BEHIND, _MODULES, _READ, VERSION
from rowstream.resolve.formats import READ

datasets = pytest.importorskip("datasets")
pytestmark = [
    pytest.mark.heavy,
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.skipif(
        datasets.__version__ != VERSION, reason=f"the modules are those of datasets {VERSION}"
    ),
]


def test_the_modules_are_those_of_the_package():
    root = Path(datasets.__file__).parent
    paths = (path.relative_to(root).with_suffix("").parts for path in root.rglob("*.py"))
    there = {".".join(parts).removesuffix("__init__").removesuffix(".") for parts in paths}
    # `datasets.logging` is a name of the package, which stands for a module.
    assert there | {"logging"} == set(_MODULES)
    assert datasets.logging is datasets.utils.logging


def test_what_hides_a_module_does_there_too():
    there = [
        name
        for name in _MODULES
        if name
        and importlib.util.find_spec(f"datasets.{name}")
        and f"datasets.{name}" in sys.modules
    ]
    hidden = set()
    for name in there:
        package, _, last = f"datasets.{name}".rpartition(".")
        if not isinstance(getattr(sys.modules[package], last), ModuleType):
            hidden.add(name)
    assert hidden == set(_BEHIND)


def test_builders_are_of_the_formats_that_are_read():
    assert set(READ) == _READ


def both(path, ours):
    return importlib.import_module(f"datasets.{path}"), importlib.import_module(
        f"rowstream.compat.{ours}"
    )


SHARDS = "zip://folder1/file.txt::https://host.com/archive.zip"
SAME = [
    *(
        ("naming", "naming", "camelcase_to_snakecase", (name,))
        for name in ("MyData2Set", "HTTPServer", "a_B", "", "squad")
    ),
    *(
        ("naming", "naming", "snakecase_to_camelcase", (name,))
        for name in ("my_data", "my__data_set", "", "a", "_x_")
    ),
    ("naming", "naming", "filename_prefix_for_split", ("MyData", "train")),
    ("naming", "naming", "filepattern_for_dataset_split", ("MyData", "train", "/d", "arrow")),
    *(
        ("naming", "naming", "filenames_for_dataset_split", ("/d", "MyData", "train", "arrow", n))
        for n in (None, [], [3], [3, 4, 5])
    ),
    *(
        ("utils.py_utils", "py_utils", "size_str", (n,))
        for n in (None, 0, 1, 1023, 1024, 1.5 * (1 << 30), 1 << 55)
    ),
    *(
        ("utils.py_utils", "py_utils", "string_to_dict", (text, pattern))
        for text, pattern in (
            ("part-00003-of-5", "{a}-{i:05d}-of-{n}"),
            ("x", "{a}-{b}"),
            ("my name", "my {what}"),
            ("", "a"),
        )
    ),
    *(
        ("utils.py_utils", "py_utils", "glob_pattern_to_regex", (text,))
        for text in ("a/*.csv", "a?(b)/", "a//b+c|d^$", "x\\y.*")
    ),
    *(
        ("utils.py_utils", "py_utils", name, ([None, [], {}, 0, 3],))
        for name in ("first_non_null_value", "first_non_null_non_empty_value")
    ),
    ("utils.py_utils", "py_utils", "first_non_null_value", ([None],)),
    *(
        ("utils.file_utils", "file_utils", name, (path,))
        for name in (
            *(
                "is_remote_url",
                "is_local_path",
                "is_relative_path",
                "url_or_path_parent",
                "hash_url_to_filename",
                "relative_to_absolute_path",
            ),
            *("xdirname", "xbasename", "xsplit", "xsplitext"),
        )
        for path in (
            "a/b.txt",
            "/a/b.txt",
            "https://host/a/b.tar.gz",
            "https://host",
            "s3://bucket/key.py",
            "hf://datasets/o/n/a.b",
            SHARDS,
        )
    ),
    *(
        ("utils.file_utils", "file_utils", "url_or_path_join", (a, "b", "/c.txt"))
        for a in ("a", "https://host/a", "s3://b")
    ),
    *(
        ("utils.file_utils", "file_utils", "xjoin", (a, "b", "c.txt"))
        for a in ("a", "/a", "https://host/a", "zip://a::https://h/b.zip")
    ),
    ("utils.file_utils", "file_utils", "hash_url_to_filename", ("https://host/a", "tag")),
    *(
        ("data_files", "data_files", "sanitize_patterns", (some,))
        for some in (
            "a",
            ["a", "b"],
            ("a",),
            {"x": "a", 3: ["b"]},
            [{"split": "t", "path": "a"}, {"split": "u", "path": ["b"]}],
        )
    ),
    *(
        ("packaged_modules", "packaged_modules", "_hash_python_lines", (some,))
        for some in ([], ["import x  # said", "", "# no"], ["é"])
    ),
]


@pytest.mark.parametrize(("path", "ours", "name", "args"), SAME)
def test_a_function_gives_the_same(path, ours, name, args):
    theirs, mine = both(path, ours)
    assert getattr(mine, name)(*args) == getattr(theirs, name)(*args)


@pytest.mark.parametrize(
    ("path", "ours", "name", "args"),
    [
        ("naming", "naming", "filename_prefix_for_split", ("a/b", "train")),
        ("naming", "naming", "filename_prefix_for_split", ("a", "tr-ain")),
        ("utils.py_utils", "py_utils", "zip_dict", ({"a": 1}, {"b": 2})),
        (
            "data_files",
            "data_files",
            "sanitize_patterns",
            ([{"split": "t", "path": "a"}, {"split": "t", "path": "b"}],),
        ),
        ("data_files", "data_files", "sanitize_patterns", ([{"split": "t"}],)),
        ("arrow_reader", "arrow_reader", "make_file_instructions", ("", [], "train")),
        ("arrow_reader", "arrow_reader", "make_file_instructions", (3, [], "train")),
    ],
)
def test_a_function_refuses_the_same(path, ours, name, args):
    theirs, mine = both(path, ours)
    raised = []
    for module in (theirs, mine):
        with pytest.raises((KeyError, TypeError, ValueError)) as caught:
            [*getattr(module, name)(*args)]
        raised.append(
            next(
                kind for kind in (KeyError, TypeError, ValueError) if isinstance(caught.value, kind)
            )
        )
    assert raised[0] is raised[1]


@pytest.mark.parametrize("lengths", [None, [4], [4, 3, 1, 2], [10]])
@pytest.mark.parametrize(
    "spec",
    [
        "train",
        "train[:3]",
        "train[2:8]",
        "train[4:7]",
        "train[-2:]",
        "train[:50%]",
        "train[3:3]",
        "train[:2]+train[9:]",
    ],
)
def test_instructions_for_files(lengths, spec):
    theirs, mine = both("arrow_reader", "arrow_reader")
    from datasets.splits import SplitInfo as Theirs
    from rowstream.splits import SplitInfo

    total = 10 if lengths is None else sum(lengths)
    found, wanted = (
        module.make_file_instructions(
            "My", [of("train", num_examples=total, shard_lengths=lengths)], spec, "arrow", "/d"
        )
        for module, of in ((mine, SplitInfo), (theirs, Theirs))
    )
    assert found.num_examples == wanted.num_examples
    assert resolved(found, lengths) == resolved(wanted, lengths)


def resolved(instructions, lengths):
    """The rows of each file: -1 is all the rest."""
    rows = [
        [one["filename"], one["skip"], one["skip"] + one["take"]]
        for one in instructions.file_instructions
        if one["take"] != -1
    ]
    names = [one["filename"] for one in instructions.file_instructions if one["take"] == -1]
    return rows, names


@pytest.mark.parametrize("batched", [False, True])
@pytest.mark.parametrize("num_proc", [None, 1])
@pytest.mark.parametrize(
    ("data", "options"),
    [
        (3, {}),
        ([1, 2, 3], {}),
        ([], {}),
        ({"a": 1, "b": [2, {"c": 3}]}, {}),
        ({"a": 1, "b": {"c": 3}}, {}),
        ((1, [2, 3]), {"map_tuple": True}),
        ([[1, 2], [3]], {"batch_size": 1}),
        ([1, 2, 3], {"batch_size": None}),
    ],
)
def test_map_nested(data, options, num_proc, batched):
    theirs, mine = both("utils.py_utils", "py_utils")

    def negative(value):
        return [-one for one in value] if batched else -value

    args = {**options, "num_proc": num_proc, "batched": batched}
    assert mine.map_nested(negative, data, **args) == theirs.map_nested(negative, data, **args)


@pytest.mark.parametrize("name", ["Arrow", "Csv", "Json", "Parquet", "Text"])
def test_configurations_have_the_same_fields(name):
    theirs, mine = both(f"packaged_modules.{name.lower()}.{name.lower()}", "builders")
    fields = [
        {
            field.name: repr(field.default)
            for field in dataclasses.fields(getattr(module, f"{name}Config"))
            if field.name != "version"
        }
        for module in (theirs, mine)
    ]
    assert fields[1] == fields[0]


def test_endings_of_files():
    theirs, mine = both("packaged_modules", "packaged_modules")
    assert {
        ending: of
        for ending, of in mine._EXTENSION_TO_MODULE.items()
        if theirs._EXTENSION_TO_MODULE.get(ending) != of
    } == {".tgz": ("webdataset", {})}
    assert all(
        theirs._PACKAGED_DATASETS_MODULES[name][0] == path
        for name, (path, _) in mine._PACKAGED_DATASETS_MODULES.items()
    )


def test_files_of_splits(tmp_path):
    theirs, mine = both("data_files", "data_files")
    for name in (
        "train-1.csv",
        "sub/train-2.csv",
        "test.csv",
        "README.md",
        "notes.txt",
        ".hidden.csv",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("a\n1\n")
    base = str(tmp_path)
    found = [
        {
            str(split): sorted(of)
            for split, of in m.DataFilesDict.from_patterns(m.get_data_patterns(base), base).items()
        }
        for m in (theirs, mine)
    ]
    assert found[1] == found[0] != {}
    for pattern, allowed in (
        ("*", None),
        ("**/*.csv", None),
        ("*", [".csv"]),
        ("test.csv", [".csv"]),
    ):
        assert sorted(mine.resolve_pattern(pattern, base, allowed)) == sorted(
            theirs.resolve_pattern(pattern, base, allowed)
        )
    some = mine.DataFilesPatternsDict.from_patterns({"x": ["*.csv", "none*"]}).resolve(base)
    assert some == theirs.DataFilesPatternsDict.from_patterns({"x": ["*.csv", "none*"]}).resolve(
        base
    )
    assert some.filter(file_names=["test.csv"]) == {"x": [str(tmp_path / "test.csv")]}
    (tmp_path / "empty").mkdir()
    for module in (theirs, mine):
        with pytest.raises(module.EmptyDatasetError):
            module.get_data_patterns(str(tmp_path / "empty"))


def test_versions():
    import rowstream.config

    for name in (
        "PY_VERSION",
        "PYARROW_VERSION",
        "TORCH_VERSION",
        "TF_VERSION",
        "DILL_VERSION",
        "FSSPEC_VERSION",
        "PANDAS_VERSION",
    ):
        assert getattr(rowstream.config, name) == getattr(datasets.config, name)
