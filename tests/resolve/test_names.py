"""What the first argument of `load_dataset` names, and what is said at once where it names nothing. To tests/resolve/."""

from __future__ import annotations

import json

import pytest
from rowstream import get_dataset_config_names, load_dataset, load_dataset_builder, load_from_disk
from rowstream.exceptions import InvalidArgumentError, UnsupportedError

ROWS = [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The working folder, with folders and files of data; no Hub answers."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    lines = "".join(json.dumps(row) + "\n" for row in ROWS)
    for folder in ("chat", "data/chat", "Unrelated"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "a.jsonl").write_text(lines)
    (tmp_path / "rows.jsonl").write_text(lines)
    (tmp_path / "tabs").write_text("a\tb\n1\tx\n2\ty\n")
    (tmp_path / "commas").write_text("a,b\n1,x\n2,y\n")
    return tmp_path


@pytest.mark.parametrize("streaming", [True, False])
@pytest.mark.parametrize(
    ("name", "file", "options"),
    [
        ("jsonl", "rows.jsonl", {}),
        ("ndjson", "rows.jsonl", {}),
        ("tsv", "tabs", {}),
        ("tsv", "commas", {"sep": ","}),
        ("tsv", "commas", {"delimiter": ","}),
    ],
)
def test_endings_are_names_of_formats(here, name, file, options, streaming):
    assert (
        list(load_dataset(name, data_files=file, split="train", streaming=streaming, **options))
        == ROWS
    )


def test_an_ending_of_text(here):
    assert next(iter(load_dataset("txt", data_files="tabs", split="train", streaming=True))) == {
        "text": "a\tb"
    }


def test_an_ending_names_the_builder_of_its_format(here):
    builder = load_dataset_builder("jsonl", data_files="rows.jsonl")
    assert (builder.name, builder.repo_id) == ("json", None)
    assert get_dataset_config_names("jsonl", data_files="rows.jsonl") == ["default"]


@pytest.mark.parametrize("name", ["jsonl", "tsv"])
def test_a_folder_that_is_called_so(here, name):
    (here / name).mkdir()
    (here / name / "a.csv").write_text("a,b\n1,x\n2,y\n")
    assert list(load_dataset(name, split="train", streaming=True)) == ROWS


def test_an_ending_alone_wants_files(here):
    with pytest.raises(InvalidArgumentError, match="data_files"):
        load_dataset("tsv")


@pytest.mark.parametrize("streaming", [True, False])
@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("chatt", "chat"),
        ("Chat", "chat"),
        ("caht", "chat"),
        ("chatt/", "chat"),
        ("./chatt", "./chat"),
        ("data/chatt", "data/chat"),
        ("unrelatd", "Unrelated"),
        ("rows.jsnl", "rows.jsonl"),
        ("parqet", "parquet"),
        ("jsnl", "jsonl"),
        ("JSON", "json"),
        ("webdatset", "webdataset"),
    ],
)
def test_what_was_meant_is_said_at_once(here, wrong, right, streaming):
    # The Hub refuses, which is tried again for ten seconds where nothing else was meant.
    with pytest.raises(FileNotFoundError, match="did you mean") as error:
        load_dataset(wrong, streaming=streaming)
    assert repr(right) in str(error.value)
    assert "7 tries" not in str(error.value)


def test_a_folder_that_is_not_there_of_a_format_and_of_save_to_disk(here):
    for load in (
        lambda: load_dataset("json", data_dir="chatt"),
        lambda: load_from_disk("chatt"),
        lambda: get_dataset_config_names("chatt"),
    ):
        with pytest.raises(FileNotFoundError, match="did you mean 'chat'"):
            load()


def test_a_format_that_is_not_read(here):
    with pytest.raises(UnsupportedError, match="'xlsx' is not read; these are: parquet"):
        load_dataset("xlsx", data_files={"train": ["a.xlsx"]})


def test_nothing_alike_is_not_guessed(here):
    with pytest.raises(FileNotFoundError) as error:
        load_dataset("./zebra")
    assert "did you mean" not in str(error.value)
