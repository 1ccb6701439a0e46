"""Keys of the transform cache: what a function calls, wherever it stands; and files that a caller names."""

from __future__ import annotations

import importlib
import subprocess
import sys
import textwrap

import pytest
import rowstream
from rowstream import Dataset, load_from_disk
from rowstream.fingerprint import Hasher

HELPERS = """
    import functools
    K = 1
    def inner(x): return x + 1
    def helper(x): return inner(x) + K
    @functools.lru_cache
    def cached(x): return inner(x)
    @functools.cache
    def kept(x): return inner(x)
    @functools.singledispatch
    def by_type(x): return inner(x)
    @by_type.register
    def _(x: str): return inner(len(x))
    class Model:
        size = 3
        @staticmethod
        def run(x): return inner(x)
        @functools.cached_property
        def found(self): return inner(1)
        def __call__(self, x): return inner(x)
    model = Model()
    def other(x): return x
    TABLE = {"a": 1}
"""

USES = {
    "an attribute of a module": "import helpers\ndef f(row): return {'x': helpers.helper(row['id'])}",
    "a module by another name": "import helpers as h\ndef f(row): return {'x': h.helper(row['id'])}",
    "a function of it": "from helpers import helper\ndef f(row): return {'x': helper(row['id'])}",
    "a module of a package": "import pkg.deep\ndef f(row): return {'x': pkg.deep.deep(row['id'])}",
    "a module from a package": "from pkg import deep\ndef f(row): return {'x': deep.deep(row['id'])}",
    "an import inside": "def f(row):\n    import helpers\n    return {'x': helpers.helper(row['id'])}",
    "an import of a function inside": "def f(row):\n    from helpers import helper as h\n    return {'x': h(row['id'])}",
    "an import inside, of a package": "def f(row):\n    import pkg.deep\n    return {'x': pkg.deep.deep(row['id'])}",
    "an import in a function inside": (
        "def f(row):\n    def g(x):\n        from helpers import helper\n        return helper(x)\n    return {'x': g(row['id'])}"
    ),
    "lru_cache": "import helpers\ndef f(row): return {'x': helpers.cached(row['id'])}",
    "lru_cache of a name": "from helpers import cached\ndef f(row): return {'x': cached(row['id'])}",
    "cache": "from helpers import kept\ndef f(row): return {'x': kept(row['id'])}",
    "lru_cache of its own": "import functools\nfrom helpers import helper\n@functools.lru_cache\ndef f(row): return {'x': helper(1)}",
    "singledispatch": "from helpers import by_type\ndef f(row): return {'x': by_type(row['id'])}",
    "singledispatch of a module": "import helpers\ndef f(row): return {'x': helpers.by_type(row['id'])}",
    "a class": "import helpers\ndef f(row): return {'x': helpers.Model.run(row['id'])}",
    "an object": "import helpers\ndef f(row): return {'x': helpers.model(row['id'])}",
    "a method": "import helpers\nf = helpers.Model().__call__",
    "a lambda": "import helpers\nf = lambda row: {'x': helpers.helper(row['id'])}",
    "partial": "import functools, helpers\nf = functools.partial(helpers.helper)",
    "a closure": "import helpers\ndef make(m):\n    def f(row): return {'x': m.helper(row['id'])}\n    return f\nf = make(helpers)",
    "a default": "import helpers\ndef f(row, h=helpers.helper): return {'x': h(row['id'])}",
    "wraps": (
        "import functools, helpers\ndef deco(g):\n    @functools.wraps(g)\n    def w(*a): return g(*a)\n    return w\n"
        "@deco\ndef f(row): return {'x': helpers.helper(row['id'])}"
    ),
    "a method that calls it": (
        "import helpers\nclass C:\n    def __call__(self, row): return {'x': helpers.helper(row['id'])}\nf = C()"
    ),
}


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Modules that are written anew and imported again: `key(main, helpers)` is that of `f` of main."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    names = ("helpers", "pkg", "pkg.deep", "main_of_it")

    def key(main, helpers=HELPERS):
        (tmp_path / "pkg").mkdir(exist_ok=True)
        (tmp_path / "pkg" / "__init__.py").write_text("")
        (tmp_path / "pkg" / "deep.py").write_text(
            "from helpers import inner\ndef deep(x): return inner(x)\n"
        )
        (tmp_path / "helpers.py").write_text(textwrap.dedent(helpers))
        (tmp_path / "main_of_it.py").write_text(main)
        for name in names:
            sys.modules.pop(name, None)
        importlib.invalidate_caches()
        return Hasher.hash(importlib.import_module("main_of_it").f)

    yield key
    for name in names:
        sys.modules.pop(name, None)


@pytest.mark.parametrize("main", USES.values(), ids=USES)
def test_an_edited_function_of_another_module_is_another_key(project, main):
    """However it is reached: by its module, by its name, inside a function, behind what the standard library wraps."""
    before = project(main)
    assert project(main) == before
    assert project(main, HELPERS + "\n    # a remark\n    def more(x): return x\n") == before, (
        "what is not called counts"
    )
    assert project(main, HELPERS.replace("return x + 1", "return x + 2")) != before


@pytest.mark.parametrize(
    ("main", "change"),
    [
        ("import helpers\ndef f(row): return {'x': helpers.K}", ("K = 1", "K = 2")),
        ("def f(row):\n    import helpers\n    return {'x': helpers.K}", ("K = 1", "K = 2")),
        ("def f(row):\n    from helpers import K\n    return {'x': K}", ("K = 1", "K = 2")),
        ("import helpers\ndef f(row): return {'x': helpers.helper(1)}", ("K = 1", "K = 2")),
        ("import helpers\ndef f(row): return {'x': helpers.TABLE['a']}", ('"a": 1', '"a": 2')),
        ("import helpers\ndef f(row): return {'x': helpers.Model.size}", ("size = 3", "size = 4")),
    ],
    ids=[
        "of a module",
        "of an import inside",
        "a name of an import inside",
        "of what is called",
        "a table",
        "of a class",
    ],
)
def test_an_edited_constant_of_another_module_is_another_key(project, main, change):
    before = project(main)
    assert project(main, HELPERS.replace(*change)) != before


@pytest.mark.parametrize("name", ["lock", "log", "session"])
def test_what_has_no_name_in_another_module_does_not_make_keys_random(project, name):
    """A lock, a logger or a connection of a module of helpers: a function that uses them has the key that it had."""
    helpers = HELPERS + (
        "\n    import threading, logging\n    lock = threading.Lock()\n    log = logging.getLogger('x')"
        "\n    class Session:\n        def __init__(self): self.lock = threading.Lock()\n    session = Session()\n"
    )
    main = f"import helpers\ndef f(row):\n    helpers.{name}\n    return {{'x': helpers.helper(row['id'])}}"
    before = project(main, helpers)
    assert project(main, helpers) == before
    assert project(main, helpers.replace("return x + 1", "return x + 2")) != before


def test_helpers_that_call_each_other_many_times_are_gone_through_once(project):
    """Forty functions that each call the next one twice, by a module: not 2**40 steps."""
    calls = "".join(
        f"    def g{i}(x): return helpers.g{i + 1}(x) + other.g{i + 1}(x)\n" for i in range(40)
    )
    helpers = (
        f"    import helpers\n    import helpers as other\n{calls}    def g40(x): return x + 1\n"
    )
    main = "import helpers\ndef f(row): return helpers.g0(row['id'])"
    before = project(main, helpers)
    assert project(main, helpers.replace("x + 1", "x + 2")) != before


def test_globals_in_another_order_are_the_same_key(project):
    """Which of a function's helpers is defined, or used by another, first."""
    main = "import helpers\nfrom helpers import inner, K\nB = 2\nA = 1\ndef g(x): return f and A\ndef f(row): return g(1) + B + K\n"
    other = "from helpers import K, inner\nimport helpers\nA = 1\ndef f(row): return g(1) + B + K\ndef g(x): return f and A\nB = 2\n"
    assert project(main) == project(other)


COMPILED = """
    import torch
    from rowstream.fingerprint import Hasher

    def key(k, mode=None):
        def g(x): return x + k
        whole = torch.compile(g, mode=mode)
        def f(row): return {"x": whole(row["id"])}
        net = torch.nn.Linear(2, 2, bias=False)
        torch.nn.init.constant_(net.weight, k)
        net = torch.compile(net)
        def h(row): return {"x": net(row["id"])}
        return [Hasher.hash(one) for one in (whole, f, net, h)]

    print(key(1) == key(1), not set(key(1)) & set(key(2)))
"""


@pytest.mark.heavy
def test_compiled_functions_have_stable_keys():
    """`torch.compile` wraps a function in one that holds locks and counters: its key is that of what was compiled."""
    code = textwrap.dedent(COMPILED)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.stdout.split() == ["True", "True"], done.stderr[-2000:]


# ------------------------------------------------------------------------------------------------ files that have a name


@pytest.fixture(autouse=True)
def _quiet(tmp_path, monkeypatch):
    monkeypatch.setattr(rowstream.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    rowstream.disable_progress_bars()
    yield
    rowstream.enable_progress_bars()


def opened(folder, rows, mapped):
    """Rows in memory, or mapped from a file."""
    ds = Dataset.from_dict({"id": rows})
    if not mapped:
        return ds
    ds.save_to_disk(folder)
    return load_from_disk(folder)


STEPS = {
    "map": lambda ds, k, file: ds.map(lambda row: {"id": row["id"] + k}, cache_file_name=file),
    "batched map": lambda ds, k, file: ds.map(
        lambda b: {"id": [i + k for i in b["id"]]}, batched=True, cache_file_name=file
    ),
    "arguments": lambda ds, k, file: ds.map(
        lambda row, n: {"id": row["id"] + n}, fn_kwargs={"n": k}, cache_file_name=file
    ),
    "filter": lambda ds, k, file: ds.filter(lambda row: row["id"] > k, cache_file_name=file),
    "batched filter": lambda ds, k, file: ds.filter(
        lambda b: [i > k for i in b["id"]], batched=True, cache_file_name=file
    ),
    "shuffle": lambda ds, k, file: ds.shuffle(seed=k, indices_cache_file_name=file),
    "sort": lambda ds, k, file: ds.sort("id", reverse=bool(k % 2), indices_cache_file_name=file),
    "select": lambda ds, k, file: ds.select([k, 0], indices_cache_file_name=file),
    "flatten_indices": lambda ds, k, file: ds.select([k, 0]).flatten_indices(cache_file_name=file),
    "train_test_split": lambda ds, k, file: ds.train_test_split(
        test_size=2,
        seed=k,
        train_indices_cache_file_name=file,
        test_indices_cache_file_name=file and f"{file}.2.arrow",
    )["test"],
}


@pytest.mark.parametrize("mapped", [False, True], ids=["in memory", "mapped"])
@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_a_named_file_is_used_for_the_same_call_alone(tmp_path, step, mapped):
    """Another function, other arguments or other data with the same file: their own rows, never those that the file had."""
    file = str(tmp_path / "named.arrow")
    ds, other = (
        opened(tmp_path / "one", list(range(8)), mapped),
        opened(tmp_path / "two", list(range(50, 58)), mapped),
    )
    for data, k in ((ds, 1), (ds, 2), (other, 1), (ds, 1)):
        assert step(data, k, file)["id"][:] == step(data, k, None)["id"][:], k


@pytest.mark.parametrize("name", ["map", "batched map", "filter", "shuffle", "sort"])
def test_a_named_file_is_found_again(tmp_path, name):
    """The same call does not write it again."""
    file = tmp_path / "named.arrow"
    ds = opened(tmp_path / "one", list(range(8)), True)
    STEPS[name](ds, 1, str(file))
    before = file.stat().st_ino, file.stat().st_mtime_ns
    STEPS[name](ds, 1, str(file))
    assert (file.stat().st_ino, file.stat().st_mtime_ns) == before


@pytest.mark.heavy
def test_parts_of_a_named_file_are_used_for_the_same_call_alone(tmp_path):
    """With `num_proc`, whose parts are files of their own, also where their number changes."""
    ds, file = opened(tmp_path / "one", list(range(8)), True), str(tmp_path / "named.arrow")
    for k, num_proc in ((1, 2), (2, 2), (3, 4), (4, None), (5, 2)):
        made = ds.map(
            lambda row, k: {"n": row["id"] + k},
            fn_kwargs={"k": k},
            num_proc=num_proc,
            cache_file_name=file,
        )
        assert made["n"][:] == list(range(k, 8 + k)), (k, num_proc)


def test_a_named_file_of_somebody_else_is_made_anew(tmp_path, caplog):
    """A file that says no fingerprint, or is no Arrow file, is not what this call makes."""
    import pyarrow as pa

    ds, file = opened(tmp_path / "one", list(range(8)), True), tmp_path / "named.arrow"
    with (
        pa.OSFile(str(file), "wb") as sink,
        pa.ipc.new_stream(sink, pa.schema({"n": pa.int64()})) as writer,
    ):
        writer.write_table(pa.table({"n": [0] * 8}))
    made = ds.map(lambda row: {"n": row["id"] + 1}, cache_file_name=str(file))
    assert made["n"][:] == list(range(1, 9))
