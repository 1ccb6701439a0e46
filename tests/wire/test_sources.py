"""Every format over every source gives the rows of the local file."""

from __future__ import annotations

import json
import pickle

import pytest
from rowstream import load_dataset

from tests.wire.conftest import FAST, FILES, far, lines, parquet, rows


@pytest.mark.parametrize("name", FILES)
def test_http(server, local, name):
    assert far(f"{server.http}/{name}", name) == local(name)


@pytest.mark.parametrize("name", FILES)
def test_s3(server, local, name):
    options = {**FAST, "endpoint_url": server.s3, "anon": True}
    assert far(f"s3://bucket/{name}", name, storage_options=options) == local(name)


@pytest.mark.parametrize("name", FILES)
def test_gcs(server, local, name):
    # Its XML dialect is that of S3, as far as reading and listing go.
    options = {**FAST, "endpoint_url": server.s3, "anon": True}
    assert far(f"gs://bucket/{name}", name, storage_options=options) == local(name)


@pytest.mark.parametrize("name", FILES)
def test_azure(server, local, name):
    options = {
        **FAST,
        "endpoint_url": server.s3,
        "account_name": "account",
        "anon": True,
        "allow_http": True,
    }
    assert far(f"az://bucket/{name}", name, storage_options=options) == local(name)


@pytest.mark.parametrize("name", FILES)
def test_hub(server, local, name):
    server.repo("org/all", {file: content() for file, (_, content) in FILES.items()})
    assert far(f"hf://datasets/org/all/{name}", name) == local(name)


@pytest.mark.parametrize("name", FILES)
def test_fsspec(server, local, name):
    fsspec = pytest.importorskip("fsspec")
    with fsspec.open(f"memory://folder/{name}", "wb") as file:
        file.write((server.root / "http" / name).read_bytes())
    assert far(f"memory://folder/{name}", name, storage_options={}) == local(name)


@pytest.mark.parametrize("name", FILES)
def test_a_server_without_ranges_still_streams(server, local, name):
    server.faults({"kind": "ignore_range"})
    assert far(f"{server.http}/{name}", name) == local(name)
    asked = [entry for entry in server.log() if entry["method"] == "GET"]
    assert len(asked) <= 3


@pytest.mark.parametrize("name", ["a.jsonl", "a.parquet"])
def test_a_server_that_does_not_say_how_long_a_file_is(server, local, name):
    server.faults({"kind": "ignore_range"}, {"kind": "no_length"})
    assert far(f"{server.http}/{name}", name) == local(name)


@pytest.mark.parametrize("name", ["a.arrow", "stream.arrow"])
def test_arrow_files_are_not_asked_for_each_batch(server, local, name):
    ds = load_dataset("arrow", data_files=f"{server.http}/{name}", split="train", streaming=True)
    assert len(server.log()) <= 3, "60 batches"
    assert [row["id"] for row in ds.skip(150).take(100)] == list(range(150, 250))
    state = ds.state_dict()
    assert list(ds) == local(name)
    ds.load_state_dict(state)


def test_shuffled_far_as_here(server):
    for name in ("a.jsonl", "a.parquet", "a.tar"):
        made = []
        for place in (str(server.root / "http" / name), f"{server.http}/{name}"):
            ds = load_dataset(
                FILES[name][0], data_files=place, split="train", streaming=True
            ).shuffle(seed=3, buffer_size=100)
            made.append(
                [{key: value for key, value in row.items() if key != "__url__"} for row in ds]
            )
        assert made[0] == made[1]


def test_a_stream_goes_on_where_it_stopped(server):
    url = f"{server.http}/a.jsonl"
    make = lambda: load_dataset("json", data_files=url, split="train", streaming=True).shuffle(
        seed=1, buffer_size=50
    )
    whole = list(make())
    ds = make()
    seen = iter(ds)
    rows_ = [next(seen) for _ in range(700)]
    state = ds.state_dict()
    again = make()
    again.load_state_dict(json.loads(json.dumps(state)))
    assert rows_ + list(again) == whole


def test_patterns_of_an_object_store(server):
    folder = server.root / "s3" / "bucket" / "many"
    folder.mkdir(exist_ok=True)
    for i in range(250):
        (folder / f"part-{i:03}.jsonl").write_text(json.dumps({"id": i}) + "\n")
    (folder / ".hidden.jsonl").write_text('{"id": -1}\n')
    options = {**FAST, "endpoint_url": server.s3, "anon": True}
    ds = load_dataset(
        "json",
        data_files="s3://bucket/many/part-*.jsonl",
        split="train",
        streaming=True,
        storage_options=options,
    )
    server.control("DELETE", "log")
    assert [row["id"] for row in ds] == list(range(250))
    ds = load_dataset(
        "json",
        data_files="s3://bucket/many/*-{003..005}.jsonl",
        split="train",
        streaming=True,
        storage_options=options,
    )
    assert [row["id"] for row in ds] == [3, 4, 5]
    ds = load_dataset("s3://bucket/many", split="train", streaming=True, storage_options=options)
    assert [row["id"] for row in ds] == list(range(250))


def test_splits_from_different_sources(server):
    (server.root / "http" / "t.jsonl").write_text('{"id": 7}\n')
    files = {"train": [f"{server.http}/a.jsonl"], "test": f"{server.http}/t.jsonl"}
    ds = load_dataset("json", data_files=files, streaming=True)
    assert next(iter(ds["test"])) == {"id": 7}
    assert next(iter(ds["train"])) == rows(1)[0]


def test_a_plan_goes_to_another_process_and_asks_for_no_listing_again(server):
    server.repo("org/pickled", {"train.jsonl": lines(50), "data.parquet": parquet(50)})
    ds = load_dataset("org/pickled", data_files="train.jsonl", split="train", streaming=True)
    server.control("DELETE", "log")
    assert len(list(pickle.loads(pickle.dumps(ds)))) == 50
    assert not [entry for entry in server.log() if entry["path"].startswith("/api/")]


def test_errors_name_what_was_asked(server):
    with pytest.raises(FileNotFoundError, match=r"404.*") as error:
        far(f"{server.http}/none.jsonl?token=canary", "a.jsonl")
    assert "none.jsonl" in str(error.value)
    assert "canary" not in str(error.value)
    with pytest.raises(FileNotFoundError, match="none"):
        far(
            "s3://bucket/none.jsonl",
            "a.jsonl",
            storage_options={**FAST, "endpoint_url": server.s3, "anon": True},
        )
    with pytest.raises(ValueError, match="bogus"):
        far("s3://bucket/a.jsonl", "a.jsonl", storage_options={"bogus": 1})
    with pytest.raises(FileNotFoundError, match="nothing"):
        load_dataset("org/nothing", split="train", streaming=True)
