"""`rowstream.cache` of map-style data sets: what is there, how large and how old, as a table; checked and removed. To tests/dataset/."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
import rowstream
from rowstream import (
    Dataset,
    DatasetInfo,
    Features,
    GeneratorBasedBuilder,
    SplitGenerator,
    Value,
    cache,
    load_dataset,
)
from rowstream.cache.__main__ import main
from rowstream.exceptions import InvalidArgumentError

BUILT = "test_cache/default"  # a builder is called like its module


class Made(GeneratorBasedBuilder):
    """A builder."""

    VERSION = "1.2.3"

    def _info(self):
        return DatasetInfo(features=Features({"x": Value("int64")}))

    def _split_generators(self, dl_manager):
        return [SplitGenerator("train", {}), SplitGenerator("test", {})]

    def _generate_examples(self):
        yield 0, {"x": 1}


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """The folder of the cache."""
    monkeypatch.setenv("ROWSTREAM_CACHE", str(tmp_path / "own"))
    monkeypatch.setattr(rowstream.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    rowstream.disable_progress_bars()
    yield tmp_path / "cache"
    rowstream.enable_progress_bars()


@pytest.fixture
def lines(tmp_path):
    """A folder with lines."""
    (tmp_path / "chat").mkdir()
    (tmp_path / "chat" / "train.jsonl").write_text('{"a": 1}\n{"a": 2}\n' * 500)
    (tmp_path / "chat" / "test.jsonl").write_text('{"a": 3}\n')
    return tmp_path / "chat"


def there():
    return {entry.name: entry for entry in cache.list(kind="datasets")}


def size(folder):
    return sum(path.stat().st_size for path in Path(folder).rglob("*") if path.suffix == ".arrow")


def test_nothing_is_kept():
    assert cache.list() == ()
    assert str(cache.list()) == "nothing is kept"
    assert cache.verify() == ()
    assert cache.remove() == 0


def test_data_sets_by_name_with_size_and_age(lines, home):
    before = time.time() - 10
    ds = load_dataset(str(lines), split="train")
    ds.map(lambda row: {"b": row["a"]}).sort("b")
    Dataset.from_generator(lambda: iter([{"x": 1}]))
    load_dataset(Made, split="train")
    entries = there()
    assert list(entries) == ["chat/default", "generator", BUILT]
    chat = entries["chat/default"]
    assert chat.parts == ("train", "2 results")
    assert [Path(file).name for file in chat.files] == ["train.jsonl"]
    assert chat.num_bytes == size(chat.path)
    assert before < chat.made <= chat.used < time.time() + 10
    assert entries[BUILT].parts == ("test", "train")
    assert sum(entry.num_bytes for entry in entries.values()) == size(home)


def test_each_split_of_files_and_each_version(lines):
    load_dataset(str(lines))
    assert sorted(entry.parts for entry in cache.list()) == [("test",), ("train",)]
    (lines / "train.jsonl").write_text('{"a": 9}\n')
    load_dataset(str(lines))
    assert sorted(entry.parts for entry in cache.list(name="chat")) == [
        ("test",),
        ("train",),
        ("train",),
    ]


def test_a_table_that_a_person_reads(lines):
    load_dataset("json", data_files=f"{lines}/*.jsonl", split="train")
    (entry,) = cache.list()
    old = time.time() - 3 * 86400 - 60
    for path in entry.path.iterdir():
        os.utime(path, (old, old))
    text = str(cache.list())
    head, row, total = text.splitlines()
    assert head.split() == ["kind", "of", "parts", "size", "made", "used", "where"]
    assert row.split("  ")[0] == "datasets"
    for part in ("json/default (test.jsonl, …)", "train", "KiB", "3 days ago", str(entry.path)):
        assert part in row
    assert total.startswith("1 entry, ")
    assert repr(cache.list()) == text


def test_chosen_by_name_kind_and_age(lines):
    load_dataset(str(lines), split="train")
    load_dataset(Made, split="train")
    assert [entry.name for entry in cache.list(name="chat")] == ["chat/default"]
    assert [entry.name for entry in cache.list(name="chat/default")] == ["chat/default"]
    assert cache.list(name="cha") == ()
    assert len(cache.list(unused_days=0)) == 2
    assert cache.list(unused_days=1) == ()
    old = time.time() - 2 * 86400
    for path in there()["chat/default"].path.iterdir():
        os.utime(path, (old, old))
    assert [entry.name for entry in cache.list(unused_days=1)] == ["chat/default"]
    assert cache.remove(unused_days=1) > 0
    assert list(there()) == [BUILT]
    with pytest.raises(InvalidArgumentError, match="no kind"):
        cache.list(kind="rows")


def test_what_is_removed_is_made_again(lines, home):
    ds = load_dataset(str(lines), split="train")
    mapped = ds.map(lambda row: {"b": row["a"] + 1})
    gone = cache.remove(name="chat")
    assert gone > 0
    assert not (home / "rowstream" / "chat").exists()
    assert mapped[999] == {"a": 2, "b": 3}, "what is open keeps its rows"
    assert load_dataset(str(lines), split="train").map(lambda row: {"b": row["a"] + 1})[0] == {
        "a": 1,
        "b": 2,
    }


def test_only_what_is_ours_is_removed(lines, tmp_path):
    folder = tmp_path / "given"
    load_dataset(str(lines), split="train", cache_dir=folder)
    load_dataset(Made, split="train", cache_dir=folder)
    (entry, made) = cache.list(folder)
    others = [
        entry.path / "notes.txt",
        folder / "rowstream" / "mine.arrow",
        folder / "rowstream" / "src" / "deadbeef" / "a.arrow",
        folder / "x",
    ]
    for path in others:
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text("mine")
    cache.remove(cache_dir=folder)
    assert cache.list(folder) == ()
    assert all(path.read_text() == "mine" for path in others)
    assert not made.path.exists()


def test_a_folder_that_was_given_stays(lines, tmp_path):
    (tmp_path / "given").mkdir()
    load_dataset(Made, split="train", cache_dir=tmp_path / "given")
    assert [entry.name for entry in cache.list(tmp_path / "given")] == [BUILT]
    cache.remove(cache_dir=tmp_path / "given")
    assert list((tmp_path / "given").iterdir()) == []


def test_links_are_not_followed(lines, home, tmp_path):
    ds = load_dataset(str(lines), split="train")
    (tmp_path / "else").mkdir()
    (home / "rowstream").rename(tmp_path / "else" / "rowstream")
    (home / "rowstream").symlink_to(tmp_path / "else" / "rowstream")
    assert cache.remove() == 0
    assert len(load_dataset(str(lines), split="train")) == len(ds)


@pytest.mark.parametrize("damage", ["cut", "empty", "text", "the schema", "a bit"])
@pytest.mark.parametrize("result", [False, True])
def test_what_is_damaged_is_found_and_made_again(lines, damage, result):
    def add(row):
        return {"b": f"text {row['a']}"}

    ds = load_dataset(str(lines), split="train")
    mapped = ds.map(add)
    assert cache.verify() == ()
    file = Path((mapped if result else ds).cache_files[0]["filename"])
    content = file.read_bytes()
    damaged = {
        "cut": content[: len(content) // 2],
        "empty": b"",
        "text": b"no Arrow at all",
        "the schema": content[:8] + bytes(200) + content[208:],
        # Of a value: the file can be read, and only its checksums tell.
        "a bit": content.replace((2).to_bytes(8, "little"), (3).to_bytes(8, "little"), 1),
    }
    del ds, mapped
    file.write_bytes(damaged[damage])
    assert cache.verify() == (file,)
    assert not file.exists()
    assert load_dataset(str(lines), split="train").map(add)[1] == {"a": 2, "b": "text 2"}


def test_what_was_left_half_written_goes_too(lines):
    load_dataset(str(lines), split="train")
    (entry,) = cache.list()
    old, new = entry.path / ".rowstream-old.arrow", entry.path / ".rowstream-new.arrow"
    old.write_bytes(bytes(1000))
    new.write_bytes(bytes(1000))
    os.utime(old, (1, 1))
    assert cache.list()[0].num_bytes == entry.num_bytes + 2000
    cache.remove()
    assert not old.exists()
    assert new.exists(), "somebody may be writing it"


def test_no_secrets_are_noted(lines, monkeypatch):
    from rowstream.prepare import plan as prepared

    class Plan:
        listing = {
            "files": [
                {"path": "ftp://me:canary@host/a.csv"},
                {"path": "https://host/b.csv?sig=canary"},
            ]
        }

    prepared._note(str(lines / "train.arrow"), Plan())
    text = (lines / ".about").read_text()
    assert "canary" not in text
    assert "ftp://host/a.csv" in text


def test_on_the_command_line(lines, capsys):
    load_dataset(str(lines), split="train")
    load_dataset(Made, split="train")
    main([])
    assert str(cache.list()) in capsys.readouterr().out
    main(["list", "chat"])
    assert BUILT not in capsys.readouterr().out
    main(["verify"])
    assert "nothing is damaged" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["remove"])
    main(["remove", "chat"])
    assert "removed" in capsys.readouterr().out
    assert list(there()) == [BUILT]
    assert main(["remove", "--kind", "datasets"]) == 0
    assert cache.list() == ()
    assert main(["list", "--kind", "jokes"]) == 1
    assert "there is no kind 'jokes'" in capsys.readouterr().err
