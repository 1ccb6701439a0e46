"""`import datasets` means rowstream: for scripts, modules, processes that they start, and code that looks whether it is installed."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import pytest


def run(arguments, tmp_path, script=None, **env):
    if script is not None:
        (tmp_path / "script.py").write_text(textwrap.dedent(script))
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=tmp_path,
        env={**os.environ, "HF_DATASETS_CACHE": str(tmp_path / "cache"), **env},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


NAMES = """
    import sys
    import datasets
    import datasets.config
    import datasets as d
    from datasets import Dataset, Features, Value, load_dataset
    from datasets.arrow_dataset import Dataset as A
    from datasets.builder import GeneratorBasedBuilder
    from datasets.combine import interleave_datasets
    from datasets.dataset_dict import DatasetDict
    from datasets.download.download_manager import DownloadMode
    from datasets.features import Sequence
    from datasets.features.features import get_nested_type
    from datasets.fingerprint import Hasher
    from datasets.info import DatasetInfo
    from datasets.iterable_dataset import IterableDataset
    from datasets.load import load_dataset_builder
    from datasets.splits import Split
    from datasets.utils.info_utils import VerificationMode
    from datasets.utils.logging import set_verbosity_error
    from datasets.utils.version import Version
    import importlib.metadata, importlib.util, rowstream

    assert A is Dataset is rowstream.Dataset and d.DatasetDict is DatasetDict
    assert datasets.features.Value is rowstream.Value
    datasets.config.IN_MEMORY_MAX_SIZE = 17
    assert rowstream.config.IN_MEMORY_MAX_SIZE == 17
    # What transformers and accelerate look at.
    assert importlib.util.find_spec("datasets") is not None
    assert importlib.metadata.version("datasets") == datasets.__version__
    assert importlib.metadata.metadata("datasets")["Name"] == "datasets"
    try:
        import datasets.no_such_module
    except ModuleNotFoundError as error:
        assert error.name == "datasets.no_such_module"
    else:
        raise AssertionError
    assert not hasattr(datasets, "no_such_name")
    print(sys.argv, __name__)
"""


def test_a_script(tmp_path):
    done = run(["-m", "rowstream.alias", "script.py", "--a", "b"], tmp_path, NAMES)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "['script.py', '--a', 'b'] __main__"


def test_a_module(tmp_path):
    done = run(["-m", "rowstream.alias", "-m", "script", "--a"], tmp_path, NAMES)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().endswith("script.py', '--a'] __main__")


@pytest.mark.parametrize("method", ["spawn", "fork", "forkserver"])
def test_processes_that_are_started(tmp_path, method):
    script = f"""
        import multiprocessing, subprocess, sys

        def child(q):
            from datasets import Dataset
            q.put(Dataset.__module__)

        if __name__ == "__main__":
            import datasets
            how = multiprocessing.get_context({method!r})
            q = how.Queue()
            one = how.Process(target=child, args=(q,))
            one.start()
            print(q.get(timeout=60))
            one.join()
            code = "import datasets.arrow_dataset as a; print(a.Dataset.__module__)"
            print(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip())
            ds = datasets.Dataset.from_dict({{"a": list(range(8))}}).map(lambda row: {{"b": row["a"] * 2}}, num_proc=2)
            print(ds["b"][:])
    """
    done = run(["-m", "rowstream.alias", "script.py"], tmp_path, script)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n")[:3] == ["rowstream.dataset.map_style.dataset"] * 2 + [
        str(list(range(0, 16, 2)))
    ]


def test_the_real_package_came_first(tmp_path):
    (tmp_path / "datasets").mkdir()
    (tmp_path / "datasets" / "__init__.py").write_text("")
    done = run(["-c", "import datasets, rowstream.alias; rowstream.alias.install()"], tmp_path)
    assert done.returncode == 1
    assert "before anything imports it" in done.stderr


def test_what_is_not_there(tmp_path):
    done = run(["-m", "rowstream.alias", "nothing.py"], tmp_path)
    assert done.returncode == 1
    assert "no script 'nothing.py'" in done.stderr
    assert "usage:" in run(["-m", "rowstream.alias"], tmp_path).stderr
