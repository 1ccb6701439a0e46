"""Where the files of steps lie, and what a builder leaves in a folder or on a file system."""

from __future__ import annotations

import ctypes
import os
import pickle
import shutil
import sys
from pathlib import Path

import fsspec
import pytest
import rowstream
from rowstream import (
    Dataset,
    DatasetInfo,
    Features,
    GeneratorBasedBuilder,
    SplitGenerator,
    Value,
    concatenate_datasets,
    load_dataset,
    load_from_disk,
)

ROWS = list(range(40))


class Calls(list):
    """What has been counted is no part of a function's hash: what a global holds would be."""

    def __reduce__(self):
        return Calls, ()


CALLS = Calls()


@pytest.fixture(autouse=True)
def _quiet(tmp_path, monkeypatch):
    monkeypatch.setattr(rowstream.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    rowstream.disable_progress_bars()
    CALLS.clear()
    yield
    rowstream.enable_progress_bars()


@pytest.fixture
def saved(tmp_path):
    """A folder that `save_to_disk` wrote."""
    Dataset.from_dict({"id": ROWS, "text": [f"row {i}" for i in ROWS]}).save_to_disk(
        tmp_path / "saved"
    )
    return tmp_path / "saved"


@pytest.fixture
def shut(saved):
    """A folder that nothing can be written into, by root neither: this thread gives up what lets root do it."""
    saved.chmod(0o555)
    if os.geteuid():
        yield saved
        saved.chmod(0o755)
        return
    if not sys.platform.startswith("linux"):
        pytest.skip("root writes anywhere")
    libc, header, data = (
        ctypes.CDLL(None),
        (ctypes.c_uint32 * 2)(0x20080522, 0),
        (ctypes.c_uint32 * 6)(),
    )
    assert libc.capget(header, data) == 0
    before = data[0]
    data[0] = before & ~0b10  # CAP_DAC_OVERRIDE
    assert libc.capset(header, data) == 0
    yield saved
    data[0] = before
    assert libc.capset(header, data) == 0


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def plus(row):
    CALLS.append(row["id"])
    return {"id": row["id"] + 1}


def plus_batch(batch):
    return {"id": [i + 1 for i in batch["id"]]}


def odd(row):
    return row["id"] % 2 == 1


def odds(batch):
    return [i % 2 == 1 for i in batch["id"]]


LOADED = {
    "from disk": load_from_disk,
    "from_file": lambda folder: Dataset.from_file(str(folder / "data-00000-of-00001.arrow")),
    "local Arrow": lambda folder: load_dataset(
        "arrow", data_files=f"{folder}/*.arrow", split="train"
    ),
    "local folder": lambda folder: load_dataset("arrow", data_dir=str(folder), split="train"),
}
STEPS = {
    "map": (lambda ds: ds.map(plus), [i + 1 for i in ROWS]),
    "map of batches": (lambda ds: ds.map(plus_batch, batched=True), [i + 1 for i in ROWS]),
    "maps": (
        lambda ds: ds.map(plus_batch, batched=True).map(plus_batch, batched=True).map(plus),
        [i + 3 for i in ROWS],
    ),
    "filter": (lambda ds: ds.filter(odd), ROWS[1::2]),
    "filter of batches": (lambda ds: ds.filter(odds, batched=True), ROWS[1::2]),
    "sort": (lambda ds: ds.sort("id", reverse=True), ROWS[::-1]),
    "shuffle, map": (lambda ds: ds.shuffle(seed=1).map(plus).sort("id"), [i + 1 for i in ROWS]),
    "split": (
        lambda ds: ds.train_test_split(test_size=0.5, shuffle=False)["test"].map(plus),
        [i + 1 for i in ROWS[20:]],
    ),
    "flat": (lambda ds: ds.select(ROWS[::-1]).flatten_indices(), ROWS[::-1]),
    "cast": (lambda ds: ds.cast_column("id", Value("int8")), ROWS),
    "batch": (lambda ds: ds.batch(7).map(lambda row: {"id": row["id"][0]}), ROWS[::7]),
    "by column": (lambda ds: ds.batch(by_column="id").map(lambda row: {"id": row["id"][0]}), ROWS),
}


@pytest.mark.parametrize("load", LOADED)
@pytest.mark.parametrize("step", STEPS)
def test_steps_of_what_lies_where_nothing_can_be_written(shut, tmp_path, load, step):
    take, rows = STEPS[step]
    made = take(LOADED[load](shut))
    assert made["id"][:] == rows
    assert pickle.loads(pickle.dumps(made))["id"][:] == rows
    assert names(shut) == ["data-00000-of-00001.arrow", "dataset_info.json", "state.json"]
    inside = [
        one["filename"] for one in made.cache_files if not one["filename"].startswith(str(shut))
    ]
    assert inside
    assert all(name.startswith(str(tmp_path / "cache")) for name in inside)
    assert take(LOADED[load](shut))._fingerprint == made._fingerprint


@pytest.mark.heavy
@pytest.mark.parametrize(
    "step", [lambda ds: ds.map(plus, num_proc=2), lambda ds: ds.filter(odd, num_proc=2)]
)
def test_processes_write_into_the_cache(shut, step):
    ds = load_from_disk(shut)
    assert step(ds)["id"][:] in ([i + 1 for i in ROWS], ROWS[1::2])
    assert step(ds)._fingerprint == step(ds)._fingerprint


def test_results_in_the_cache_are_found_again_and_removed(shut):
    ds = load_from_disk(shut)
    ds.map(plus)
    load_from_disk(shut).map(plus)
    assert len(CALLS) == 40
    kept = ds.shuffle(seed=1)
    assert kept.cleanup_cache_files() == 1
    assert ds.cleanup_cache_files() == 1
    ds.map(plus)
    assert len(CALLS) == 80


def test_results_beside_the_data_are_used_where_nothing_can_be_written_any_more(saved, request):
    load_from_disk(saved).map(plus)
    there = names(saved)
    shut = request.getfixturevalue("shut")
    ds = load_from_disk(shut)
    assert ds.map(plus)["id"][:] == [i + 1 for i in ROWS]
    assert len(CALLS) == 40
    assert ds.map(plus, load_from_cache_file=False)["id"][:] == [i + 1 for i in ROWS]
    assert len(CALLS) == 80
    assert names(shut) == there


def test_without_any_folder_results_go_with_the_process(shut, monkeypatch, caplog):
    monkeypatch.setattr(rowstream.config, "HF_DATASETS_CACHE", shut / "cache")
    monkeypatch.setattr(rowstream.utils.logging.get_logger("rowstream"), "propagate", True)
    made = load_from_disk(shut).map(plus)
    assert made["id"][:] == [i + 1 for i in ROWS]
    assert "until this process ends" in caplog.text
    assert not made.cache_files[0]["filename"].startswith(str(shut))


@pytest.mark.parametrize("load", LOADED)
@pytest.mark.parametrize("step", STEPS)
def test_a_folder_that_was_moved_and_loaded_again(saved, load, step):
    take, rows = STEPS[step]
    before = take(LOADED[load](saved))
    moved = saved.rename(saved.parent / "moved")
    ds = LOADED[load](moved)
    assert ds["id"][:] == ROWS
    assert take(ds)["id"][:] == rows == before["id"][:]
    assert LOADED[load](moved)["id"][:] == ROWS
    shutil.copytree(moved, saved.parent / "copied")
    shutil.rmtree(moved)
    ds = LOADED[load](saved.parent / "copied")
    assert pickle.loads(pickle.dumps(take(ds)))["id"][:] == rows


def test_steps_of_local_arrow_leave_nothing_beside_it(saved, tmp_path):
    there = names(saved)
    ds = load_dataset(
        "arrow", data_files=f"{saved}/*.arrow", split="train", cache_dir=tmp_path / "other"
    )
    made = ds.map(plus).filter(odd)
    assert names(saved) == there
    assert all(one["filename"].startswith(str(tmp_path / "other")) for one in made.cache_files)
    assert ds.cleanup_cache_files() == 2


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("named", [{"data_files": "*.arrow"}, {}])
def test_what_steps_left_beside_data_is_no_data(saved, streaming, named):
    ds = load_from_disk(saved)
    left = ds.map(plus).cache_files[0]["filename"]
    ds.map(plus_batch, batched=True).shuffle(seed=1)
    where = {"data_files": f"{saved}/{named['data_files']}"} if named else {"data_dir": str(saved)}
    again = load_dataset("arrow", **where, split="train", streaming=streaming)
    assert sorted(row["id"] for row in again) == ROWS
    asked = load_dataset("arrow", data_files=left, split="train", streaming=streaming)
    assert [row["id"] for row in asked] == [i + 1 for i in ROWS]


def test_cache_files_name_lists_of_rows(saved):
    ds = load_from_disk(saved)

    def lists(made):
        return len(
            [one for one in made.cache_files if Path(one["filename"]).name.startswith("cache-")]
        )

    mixed = ds.shuffle(seed=1)
    assert lists(mixed) == lists(ds.sort("id", reverse=True)) == lists(ds.filter(odd)) == 1
    assert (
        lists(mixed.filter(odd))
        == lists(mixed.filter(odds, batched=True))
        == lists(mixed.select(range(3)))
        == 1
    )
    assert (
        lists(mixed.select_columns("id")) == lists(mixed.filter(odds, batched=True).sort("id")) == 1
    )
    assert lists(concatenate_datasets([mixed, ds])) == 1
    kept = mixed.filter(odds, batched=True)
    assert kept.cleanup_cache_files() == 5
    assert kept["id"][:] == [i for i in mixed["id"][:] if i % 2]


def test_results_over_parquet_are_removed_too(tmp_path):
    Dataset.from_dict({"id": ROWS}).to_parquet(tmp_path / "a.parquet")
    ds = load_dataset("parquet", data_files=str(tmp_path / "a.parquet"), split="train")
    ds.map(plus)
    ds.shuffle(seed=1)
    assert ds.cleanup_cache_files() == 2
    assert ds["id"][:] == ROWS


@pytest.mark.parametrize("name", ["~/saved", "file://{home}/saved", "saved"])
def test_a_home_is_written_and_read_by_its_sign(tmp_path, monkeypatch, name):
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(home)
    name = name.format(home=home)
    Dataset.from_dict({"id": ROWS}).save_to_disk(name)
    assert load_from_disk(name)["id"][:] == Dataset.load_from_disk(name)["id"][:] == ROWS
    rowstream.DatasetDict({"a": Dataset.from_dict({"id": ROWS})}).save_to_disk(f"{name}s")
    assert load_from_disk(f"{name}s")["a"]["id"][:] == ROWS
    builder = Counted(cache_dir=tmp_path / "cache", dataset_name="counted")
    builder.download_and_prepare(f"{name}-made")
    assert len(builder.as_dataset(split="train")) == 4000
    assert names(home) == ["saved", "saved-made", "saveds"]


# ------------------------------------------------------------------------------------------------------------- builders


class Counted(GeneratorBasedBuilder):
    """Four thousand rows."""

    def _info(self):
        return DatasetInfo(features=Features({"n": Value("int64")}))

    def _split_generators(self, dl_manager):
        return [SplitGenerator(name="train", gen_kwargs={"upto": 4000})]

    def _generate_examples(self, upto):
        for n in range(upto):
            yield n, {"n": n}


class Below(fsspec.AbstractFileSystem):
    """A folder as a file system of its own, which needs to be told where it is."""

    protocol = "below"
    cachable = False

    def __init__(self, root, **kwargs):
        super().__init__(**kwargs)
        self.root, self.of = root, fsspec.filesystem("file")

    def _at(self, path):
        return str(Path(self.root) / self._strip_protocol(path).strip("/"))

    def makedirs(self, path, exist_ok=False):
        self.of.makedirs(self._at(path), exist_ok=exist_ok)

    def ls(self, path, detail=True, **kwargs):
        found = [
            {**one, "name": os.path.relpath(one["name"], self.root)}
            for one in self.of.ls(self._at(path), detail=True)
        ]
        return found if detail else [one["name"] for one in found]

    def info(self, path, **kwargs):
        return {**self.of.info(self._at(path)), "name": self._strip_protocol(path)}

    def _rm(self, path):
        Path(self._at(path)).unlink()

    def _open(self, path, mode="rb", **kwargs):
        return Path(self._at(path)).open(mode)


fsspec.register_implementation("below", Below, clobber=True)


@pytest.fixture(params=["memory", "memory/", "below", "file", "folder"])
def place(request, tmp_path):
    """A place for what a builder makes, its options, and what is there."""
    of = {
        "memory": (f"memory://{tmp_path.name}/made", {}),
        "memory/": (f"memory://{tmp_path.name}/made/", {}),
        "below": ("below://made", {"root": str(tmp_path)}),
        "file": (f"file://{tmp_path}/made", {}),
        "folder": (str(tmp_path / "made"), {}),
    }
    url, options = of[request.param]
    fs, inside = fsspec.core.url_to_fs(url, **options)
    return (
        url,
        options,
        lambda: sorted(
            name
            for name in (Path(path).name for path in fs.find(inside))
            if not name.startswith(".")
        ),
    )


@pytest.mark.parametrize("kind", ["arrow", "parquet"])
def test_a_builder_writes_to_any_file_system(place, tmp_path, kind):
    url, options, there = place
    make = lambda: Counted(
        cache_dir=tmp_path / "cache", dataset_name="counted", writer_batch_size=1000
    )
    builder = make()
    builder.download_and_prepare(
        url, file_format=kind, max_shard_size=8000, storage_options=options
    )
    files = [f"counted-train-0000{i}-of-00002.{kind}" for i in range(2)]
    assert there() == [*files, "dataset_info.json"]
    again = make()
    again.download_and_prepare(url, file_format=kind, storage_options=options)
    assert again.info.splits["train"].num_examples == 4000
    assert there() == [*files, "dataset_info.json"]
    # Fewer files in place of more: those that are left over would be read with them.
    again.download_and_prepare(
        url, file_format=kind, storage_options=options, download_mode="force_redownload"
    )
    assert there() == [f"counted-train.{kind}", "dataset_info.json"]
    if "://" not in url or url.startswith("file"):
        assert kind == "parquet" or again.as_dataset(split="train")["n"][:] == list(range(4000))
    else:
        rows = load_dataset(
            kind,
            data_files=f"{url.rstrip('/')}/*.{kind}",
            split="train",
            storage_options=options or None,
        )
        assert rows["n"][:] == list(range(4000))


def test_a_builder_leaves_what_else_is_there(place, tmp_path):
    url, options, there = place
    fs, inside = fsspec.core.url_to_fs(url, **options)
    fs.makedirs(inside, exist_ok=True)
    with fs.open(f"{inside.rstrip('/')}/README.txt", "wb") as file:
        file.write(b"kept")
    builder = Counted(cache_dir=tmp_path / "cache", dataset_name="counted")
    for mode in (None, "force_redownload"):
        builder.download_and_prepare(url, storage_options=options, download_mode=mode)
    assert there() == ["README.txt", "counted-train.arrow", "dataset_info.json"]
