"""`import datasets.x.y` means rowstream for every path that scripts and libraries import, with the names that they take from it."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import textwrap

import pytest
from rowstream.alias import _MODULES

pytestmark = pytest.mark.heavy

PATHS = [path for path in _MODULES if path]

# What transformers, trl, accelerate, lm-eval, evaluate, setfit, sentence-transformers, peft and their examples take from them.
NAMES = {
    "": "Dataset IterableDataset DatasetDict IterableDatasetDict Column Features Value Sequence ClassLabel Audio Image Video Json List Mesh Nifti Pdf "
    "Array2D DatasetInfo DownloadConfig DownloadManager DownloadMode Split __version__ concatenate_datasets config disable_caching enable_caching "
    "is_caching_enabled features get_dataset_config_names get_dataset_split_names get_dataset_infos interleave_datasets load_dataset "
    "load_dataset_builder load_from_disk logging utils disable_progress_bar disable_progress_bars are_progress_bars_disabled",
    "arrow_dataset": "Dataset",
    "arrow_reader": "ArrowReader ReadInstruction",
    "arrow_writer": "ArrowWriter",
    "builder": "DatasetBuilder DatasetGenerationError",
    "config": "PY_VERSION PYARROW_VERSION HF_DATASETS_CACHE HF_MODULES_CACHE",
    "data_files": "EmptyDatasetError DataFilesDict DataFilesList DataFilesPatternsDict get_data_patterns sanitize_patterns",
    "distributed": "split_dataset_by_node",
    "features": "Features Sequence Value ClassLabel",
    "features.features": "Features _check_non_null_non_empty_recursive",
    "filesystems": "is_remote_filesystem",
    "fingerprint": "Hasher",
    "formatting.formatting": "LazyRow LazyBatch",
    "io.json": "JsonDatasetReader JsonDatasetWriter",
    "io.parquet": "ParquetDatasetReader ParquetDatasetWriter",
    "logging": "get_logger get_verbosity set_verbosity set_verbosity_debug set_verbosity_info set_verbosity_warning set_verbosity_error "
    "disable_propagation enable_propagation INFO WARNING ERROR DEBUG",
    "naming": "camelcase_to_snakecase snakecase_to_camelcase filenames_for_dataset_split",
    "packaged_modules": "_EXTENSION_TO_MODULE _hash_python_lines _PACKAGED_DATASETS_MODULES",
    "formatting.np_formatter": "NumpyFormatter",
    "formatting.torch_formatter": "TorchFormatter",
    "io.csv": "CsvDatasetReader CsvDatasetWriter",
    "io.sql": "SqlDatasetReader SqlDatasetWriter",
    "io.text": "TextDatasetReader",
    "packaged_modules.csv.csv": "Csv CsvConfig",
    "packaged_modules.json.json": "Json JsonConfig",
    "packaged_modules.parquet.parquet": "Parquet ParquetConfig",
    "utils": "experimental disable_progress_bars enable_progress_bars are_progress_bars_disabled tqdm logging Version VerificationMode",
    "utils.experimental": "experimental",
    "utils.extract": "ExtractManager",
    "utils.file_utils": "cached_path get_datasets_user_agent is_remote_url is_local_path is_relative_path xopen hash_url_to_filename",
    "utils.filelock": "BaseFileLock FileLock Timeout",
    "utils.logging": "get_logger set_verbosity set_verbosity_error set_verbosity_warning set_verbosity_info disable_progress_bar",
    "utils.metadata": "MetadataConfigs",
    "utils.py_utils": "copyfunc temp_seed zip_dict map_nested asdict",
    "utils.tqdm": "tqdm disable_progress_bars",
    "utils.version": "Version",
}
PAIRS = [(path, name) for path, names in NAMES.items() for name in names.split()]


def run(code, *arguments, cwd=None, warnings="error"):
    done = subprocess.run(
        [sys.executable, "-W", warnings, "-c", textwrap.dedent(code), *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def failed():
    """What does not import, and what is not in it, each in a process where nothing else was imported before."""
    code = """
        import importlib, json, sys
        import rowstream.alias
        rowstream.alias.install()
        paths, pairs = json.loads(sys.argv[1])
        failed = {}
        for path in paths:
            try:
                importlib.import_module(f"datasets.{path}")
            except Exception as error:
                failed[path] = repr(error)
        for path, name in pairs:
            try:
                getattr(importlib.import_module(f"datasets.{path}" if path else "datasets"), name)
            except Exception as error:
                failed[f"{path} {name}"] = repr(error)
        print(json.dumps(failed))
    """
    return json.loads(run(code, json.dumps([PATHS, PAIRS])))


@pytest.mark.parametrize("path", PATHS)
def test_a_module_is_imported(failed, path):
    assert path not in failed, failed[path]


@pytest.mark.parametrize(("path", "name"), PAIRS)
def test_it_has_a_name(failed, path, name):
    assert f"{path} {name}" not in failed, failed[f"{path} {name}"]


USES = [
    "import datasets; datasets.logging.set_verbosity_error(); assert get() == 40",
    "import datasets; datasets.utils.logging.set_verbosity_error(); assert get() == 40",
    "import datasets; datasets.logging.set_verbosity(datasets.logging.INFO); assert get() == 20",
    "from datasets import logging; logging.set_verbosity_error(); assert get() == 40",
    "from datasets.utils import logging; logging.set_verbosity_error(); assert get() == 40",
    "import datasets.utils.logging as said; said.set_verbosity_error(); assert get() == 40",
    "import logging, datasets; logging.getLogger('datasets').setLevel(40); assert get() == 40",
    "import datasets; log = datasets.logging.get_logger('datasets.x'); datasets.logging.set_verbosity_error(); assert not log.isEnabledFor(30)",
    "import logging, datasets; datasets.logging.set_verbosity(10); assert logging.getLogger('datasets').level == get() == 10",
    "import logging, datasets; logging.getLogger('datasets').setLevel(40); import rowstream.builder.builder as b; assert not b._logger.isEnabledFor(30)",
    "import logging, datasets; log = logging.getLogger('datasets'); log.propagate = True; datasets.logging.disable_propagation(); assert not log.propagate",
    "import datasets; assert datasets.logging.get_logger().name == 'datasets'",
    "from datasets import *; load_dataset; Dataset",
    "from datasets.features import *; Features; Value",
    "from datasets.utils.py_utils import *; zip_dict; temp_seed",
    "from datasets.io import *; from datasets.commands import *",
    "import datasets; datasets.utils.disable_progress_bars(); assert datasets.utils.tqdm(range(3)).disable",
    "from datasets.utils import tqdm; assert list(tqdm(range(3), disable=True)) == [0, 1, 2]",
    "import datasets; assert list(datasets.utils.tqdm(range(3), disable=True)) == [0, 1, 2]",
    "import datasets.utils.tqdm; from datasets.utils.tqdm import tqdm; assert list(tqdm(range(3), disable=True)) == [0, 1, 2]",
    "import datasets; datasets.packaged_modules; datasets.arrow_reader; datasets.data_files; datasets.naming; datasets.filesystems",
    "import datasets.config; assert datasets.config.PY_VERSION.major == 3",
    "from datasets.packaged_modules import _EXTENSION_TO_MODULE as m; assert m['.parquet'][0] == 'parquet' and m['.tsv'] == ('csv', {'sep': '\\t'})",
    "from datasets.naming import camelcase_to_snakecase as s, snakecase_to_camelcase as c; assert (s('MyData2Set'), c('my_data')) == ('my_data2_set', 'MyData')",
    "from datasets.utils.py_utils import zip_dict; assert list(zip_dict({'a': 1}, {'a': 2})) == [('a', (1, 2))]",
    "import importlib.util; assert importlib.util.find_spec('datasets.packaged_modules.json.json') is not None",
    "import importlib.util; assert importlib.util.find_spec('datasets.no_such_module') is None",
]


@pytest.fixture(scope="module")
def used():
    """What fails of what scripts do, each with modules that are imported anew, and levels as they are at first."""
    code = """
        import json, sys
        import rowstream.alias
        rowstream.alias.install()
        from rowstream.utils.progress import enable_progress_bars
        from rowstream.utils import logging as said
        failed = {}
        for use in json.loads(sys.argv[1]):
            for name in [name for name in sys.modules if name.partition(".")[0] == "datasets"]:
                del sys.modules[name]
            said.set_verbosity_warning(), said.enable_propagation(), enable_progress_bars()
            try:
                exec(use, {"get": said.get_verbosity})
            except Exception as error:
                failed[use] = repr(error)
        print(json.dumps(failed))
    """
    return json.loads(run(code, json.dumps(USES)))


@pytest.mark.parametrize("use", USES)
def test_what_scripts_do(used, use):
    assert use not in used, used[use]


def test_messages_reach_handlers_of_the_package(tmp_path):
    code = """
        import logging
        before, child = logging.getLogger("datasets"), logging.getLogger("datasets.some.module")
        import rowstream.alias
        rowstream.alias.install()
        import datasets
        from rowstream.utils.logging import get_logger
        seen = []
        class Handler(logging.Handler):
            def emit(self, record):
                seen.append((record.name, record.getMessage()))
        assert logging.getLogger("datasets") is before and len(before.handlers) == 1
        before.handlers[:] = [Handler()]
        before.propagate = False
        get_logger("rowstream.x").warning("one")
        get_logger("rowstream.x").info("two")
        datasets.logging.set_verbosity_info()
        get_logger("rowstream.x").info("three")
        child.info("four")
        before.setLevel(logging.ERROR)
        get_logger("rowstream.x").warning("five")
        assert not child.isEnabledFor(logging.WARNING)
        assert seen == [("rowstream.x", "one"), ("rowstream.x", "three"), ("datasets.some.module", "four")], seen
    """
    run(code, cwd=tmp_path)


def test_readers_writers_and_builders(tmp_path):
    """Each on files of its own: what is read is what was written, mapped and as a stream."""
    code = """
        import rowstream.alias
        rowstream.alias.install()
        import sqlite3
        from datasets import Dataset, Features, IterableDataset, Value
        from datasets.io.csv import CsvDatasetReader, CsvDatasetWriter
        from datasets.io.generator import GeneratorDatasetInputStream
        from datasets.io.json import JsonDatasetReader, JsonDatasetWriter
        from datasets.io.parquet import ParquetDatasetReader, ParquetDatasetWriter
        from datasets.io.sql import SqlDatasetReader, SqlDatasetWriter
        from datasets.io.text import TextDatasetReader
        from datasets.packaged_modules.csv.csv import Csv
        from datasets.packaged_modules.json.json import Json
        from datasets.packaged_modules.parquet.parquet import Parquet, ParquetConfig

        rows = [{"n": i, "text": f"row {i}"} for i in range(5)]
        features = Features({"n": Value("int32"), "text": Value("string")})
        ds = Dataset.from_list(rows)
        three = (
            ("x.csv", CsvDatasetReader, CsvDatasetWriter, Csv),
            ("x.jsonl", JsonDatasetReader, JsonDatasetWriter, Json),
            ("x.parquet", ParquetDatasetReader, ParquetDatasetWriter, Parquet),
        )
        for path, reader, writer, builder in three:
            assert writer(ds, path, batch_size=2).write() > 0
            for streaming in (False, True):
                kind = IterableDataset if streaming else Dataset
                made = reader(path, cache_dir="cache", streaming=streaming).read()
                assert isinstance(made, kind) and list(made) == rows and made.split == "train"
                made = reader({"a": path, "b": [path]}, cache_dir="cache", streaming=streaming, features=features).read()
                assert {split: list(of) for split, of in made.items()} == {"a": rows, "b": rows} and made["a"].features == features
            made = builder(cache_dir="cache", data_files={"test": path}, features=features)
            assert isinstance(made, builder) and type(made).BUILDER_CONFIG_CLASS is type(made.config)
            made.download_and_prepare()
            assert made.info.features == features and list(made.as_dataset("test")) == rows
            stream = made.as_streaming_dataset("test")
            assert list(stream) == rows and stream.features == features
            try:
                builder()
            except ValueError as error:
                assert "At least one data file" in str(error)
            else:
                raise AssertionError
        made = Parquet(data_files="x.parquet", columns=["text"])
        assert made.config == ParquetConfig(data_files=made.config.data_files, columns=["text"])
        assert list(made.as_streaming_dataset("train")) == [{"text": row["text"]} for row in rows]
        assert Csv(data_files="x.csv", delimiter=",", base_path=".").config.sep == ","

        open("x.txt", "w").write("a\\nb\\n")
        assert TextDatasetReader("x.txt", cache_dir="cache").read()["text"][:] == ["a", "b"]
        def generate(n):
            yield from ({"n": i} for i in n)
        for streaming in (False, True):
            stream = GeneratorDatasetInputStream(generate, cache_dir="cache", gen_kwargs={"n": [1, 2]}, streaming=streaming)
            assert [row["n"] for row in stream.read()] == [1, 2]
        assert SqlDatasetWriter(ds, "t", sqlite3.connect("x.db"), index=False).write() == 5
        assert list(SqlDatasetReader("select * from t", sqlite3.connect("x.db"), cache_dir="cache").read()) == rows
        try:
            CsvDatasetWriter(ds, "x.csv", num_proc=0)
        except ValueError:
            pass
        else:
            raise AssertionError
    """
    run(code, cwd=tmp_path)


def test_files_and_paths(tmp_path):
    code = """
        import rowstream.alias
        rowstream.alias.install()
        import gzip, io, os
        from datasets import Dataset, DatasetInfo, DownloadConfig, Features, Value
        from datasets.arrow_reader import ArrowReader
        from datasets.arrow_writer import ArrowWriter
        from datasets.config import PY_VERSION
        from datasets.data_files import DataFilesDict, EmptyDatasetError, get_data_patterns
        from datasets.filesystems import is_remote_filesystem, rename
        from datasets.splits import SplitInfo
        from datasets.utils.file_utils import cached_path, get_datasets_user_agent, readline, xexists, xgetsize, xglob, xisdir, xisfile, xopen
        from datasets.utils.filelock import FileLock
        from packaging.version import parse

        assert parse("3.11") <= PY_VERSION
        features = Features({"n": Value("int64")})
        for part in range(2):
            with ArrowWriter(features=features, path=f"my-train-0000{part}-of-00002.arrow") as writer:
                writer.write_batch({"n": [part * 3, part * 3 + 1, part * 3 + 2]})
                writer.finalize()
        split = SplitInfo("train", num_examples=6, shard_lengths=[3, 3])
        for in_memory in (False, True):
            made = ArrowReader(".", DatasetInfo(features=features)).read("my", "train[2:5]", [split], in_memory=in_memory)
            assert Dataset(**made)["n"][:] == [2, 3, 4] and str(made["split"]) == "train[2:5]"
        with ArrowWriter(features=features, path="empty.arrow") as writer:
            writer.finalize()
        made = Dataset(**ArrowReader("", DatasetInfo(features=features)).read_files([{"filename": "empty.arrow"}]))
        assert len(made) == 0 and made.features == features
        for wrong in ([], ["x.arrow"]):
            try:
                ArrowReader("", None).read_files(wrong)
            except ValueError:
                pass
            else:
                raise AssertionError
        try:
            ArrowReader("", None).read_files([{"filename": "none.arrow"}])
        except FileNotFoundError:  # what evaluate catches
            pass
        else:
            raise AssertionError

        open("a.txt", "w").write("text")
        with gzip.open("a.txt.gz", "wt") as file:
            file.write("packed")
        assert cached_path("a.txt") == os.path.abspath("a.txt")
        assert open(cached_path("a.txt.gz", DownloadConfig(cache_dir="cache", extract_compressed_file=True))).read() == "packed"
        for url in ("a.txt", "file://" + os.path.abspath("a.txt")):
            with xopen(url) as file:
                assert file.read() == "text"
            assert xexists(url)
        assert xisfile("a.txt") and xisdir(".") and xgetsize("a.txt") == 4 and xglob("a.*") and not xexists("none")
        try:
            cached_path("none.txt")
        except FileNotFoundError:
            pass
        else:
            raise AssertionError
        file = io.BytesIO(b"a\\nb")
        assert [readline(file), readline(file), readline(file)] == [b"a\\n", b"b", b""]
        assert get_datasets_user_agent({"x": 1}).startswith("rowstream/") and get_datasets_user_agent({"x": 1}).endswith("; x/1")
        with FileLock("x" * 300 + ".lock") as lock:
            assert lock.is_locked
        assert any(name.startswith("x" * 200) for name in os.listdir("."))

        os.makedirs("data")
        open("data/train.csv", "w").write("a\\n1\\n")
        found = DataFilesDict.from_patterns(get_data_patterns("data"), "data")
        from datasets import load_dataset
        assert load_dataset("csv", data_files=found, split="train", cache_dir="cache")["a"][:] == [1]
        os.makedirs("nothing")
        try:
            load_dataset("nothing")
        except EmptyDatasetError:
            pass
        else:
            raise AssertionError
        from fsspec.implementations.local import LocalFileSystem
        assert not is_remote_filesystem(LocalFileSystem())
        rename(LocalFileSystem(), "data", "other")
        assert os.path.exists("other/train.csv")
    """
    run(code, cwd=tmp_path)


METRIC = """
import datasets
import evaluate


class Mine(evaluate.Metric):
    def _info(self):
        features = datasets.Features({"predictions": datasets.Value("int64"), "references": datasets.Value("int64")})
        return evaluate.MetricInfo(description="", citation="", inputs_description="", features=features)

    def _compute(self, predictions, references):
        return {"right": sum(p == r for p, r in zip(predictions, references)) / len(predictions)}
"""


def test_evaluate(tmp_path):
    """A metric of a script of this machine, by one call, row by row, and in memory."""
    if (
        importlib.util.find_spec("evaluate") is None
    ):  # not imported: this process has the package itself
        pytest.skip("evaluate is not installed")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "mine.py").write_text(METRIC)
    code = """
        import os
        os.environ["HF_HOME"] = os.environ["HF_EVALUATE_CACHE"] = os.getcwd()
        os.environ["HF_HUB_OFFLINE"] = os.environ["HF_EVALUATE_OFFLINE"] = "1"
        import rowstream.alias
        rowstream.alias.install()
        import evaluate
        metric = evaluate.load("mine/mine.py")
        assert metric.compute(predictions=[1, 2, 3, 4], references=[1, 2, 0, 4]) == {"right": 0.75}
        metric.add_batch(predictions=[1, 1], references=[1, 0])
        metric.add(prediction=2, reference=2)
        metric.add(prediction=2, reference=3)
        assert metric.compute() == {"right": 0.5}
        assert evaluate.load("mine/mine.py", keep_in_memory=True).compute(predictions=[1], references=[1]) == {"right": 1.0}
        two = evaluate.combine([evaluate.load("mine/mine.py"), evaluate.load("mine/mine.py", experiment_id="b")])
        assert 1.0 in two.compute(predictions=[1], references=[1]).values()
        evaluate.save("results/", right=0.5)
    """
    run(code, cwd=tmp_path, warnings="ignore")


def test_what_evaluate_does(tmp_path):
    """The imports of `evaluate`, and what it does with them: rows written, read again as a data set, behind a lock."""
    code = """
        import rowstream.alias
        rowstream.alias.install()
        import gzip
        from datasets import DatasetInfo, DownloadConfig, DownloadMode, Features, Value
        from datasets.arrow_dataset import Dataset
        from datasets.arrow_reader import ArrowReader
        from datasets.arrow_writer import ArrowWriter
        from datasets.builder import DatasetBuilder
        from datasets.features.features import _check_non_null_non_empty_recursive
        from datasets.packaged_modules import _EXTENSION_TO_MODULE, _hash_python_lines
        from datasets.utils.extract import ExtractManager
        from datasets.utils.filelock import BaseFileLock, FileLock, Timeout
        from datasets.utils.py_utils import copyfunc, temp_seed, zip_dict
        from datasets.utils.version import Version

        features = Features({"predictions": Value("int64")})
        for part in range(2):
            writer = ArrowWriter(features=features, path=f"{part}.arrow", writer_batch_size=10)
            writer.write_batch({"predictions": [part, part + 10]})
            writer.finalize()
        reader = ArrowReader(path="", info=DatasetInfo(features=features))
        ds = Dataset(**reader.read_files([{"filename": "0.arrow"}, {"filename": "1.arrow"}]))
        assert ds["predictions"][:] == [0, 10, 1, 11] and ds.features == features
        ds = Dataset(**ArrowReader(path=".", info=None).read_files([{"filename": "1.arrow", "skip": 1, "take": 1}]))
        assert ds["predictions"][:] == [11]

        lock, other = FileLock("x.lock"), FileLock("x.lock")
        with lock:
            try:
                other.acquire(timeout=0)
            except Timeout:
                pass
            else:
                raise AssertionError
        other.acquire(timeout=1)
        assert isinstance(other, BaseFileLock) and other.is_locked
        other.release()

        with gzip.open("x.txt.gz", "wt") as file:
            file.write("text")
        assert open(ExtractManager(cache_dir="cache").extract("x.txt.gz")).read() == "text"
        assert ExtractManager(cache_dir="cache").extract("0.arrow") == "0.arrow"
        def double(x, *, by=2):
            return x * by
        assert copyfunc(double)(3) == 6 and copyfunc(double) is not double
        assert len(_hash_python_lines(["import x  # said", "", "# nothing"])) == 64
    """
    run(code, cwd=tmp_path)


def test_what_is_not_there_says_so(tmp_path):
    code = """
        import rowstream.alias
        rowstream.alias.install()
        import datasets.iterable_dataset as there
        try:
            there._NoSuchIterable
        except AttributeError as error:
            assert "rowstream, which stands for datasets here" in str(error), error
        else:
            raise AssertionError
        try:
            import datasets.no_such_module
        except ModuleNotFoundError as error:
            assert error.name == "datasets.no_such_module"
        else:
            raise AssertionError
    """
    run(code, cwd=tmp_path)


def test_importing_stays_light(tmp_path):
    code = """
        import rowstream.alias, sys
        rowstream.alias.install()
        import datasets
        heavy = {"torch", "pandas", "polars", "huggingface_hub", "transformers"} & set(sys.modules)
        assert not heavy, heavy
    """
    run(code, cwd=tmp_path)
