"""Headers of HTTP that name no origin: they go to the origins of the URLs that the caller named, and nowhere else."""

from __future__ import annotations

import base64
import json
import pickle

import pytest
import rowstream
from rowstream import DownloadConfig, DownloadManager, IterableDataset, load_dataset

from tests.wire.conftest import FAST, lines

SECRET = {"X-Secret": "canary"}


@pytest.fixture
def sent(server):
    """Which origins were sent a header, and what it was, since this was asked the last time."""

    def tell(name: str = "x-secret") -> set[tuple[str, str | None]]:
        log = server.log()
        server.control("DELETE", "log")
        return {(entry["origin"], entry["headers"].get(name)) for entry in log}

    return tell


def options(server, **more):
    return {**FAST, "headers": SECRET, **more}


def other(server) -> str:
    """A file of another origin."""
    return f"{server.s3}/bucket/a.jsonl"


@pytest.mark.parametrize("form", ["one", "list", "splits", "braces", "path", "folder"])
@pytest.mark.parametrize("streaming", [True, False])
def test_they_go_to_the_origins_of_data_files(server, sent, form, streaming):
    url = f"{server.http}/a.jsonl"
    args = {
        "one": ("json", {"data_files": url}),
        "list": ("json", {"data_files": [url, other(server)]}),
        "splits": ("json", {"data_files": {"train": url, "test": [other(server)]}}),
        "braces": ("json", {"data_files": f"{server.http}/a.{{jsonl,jsonl.gz}}"}),
        "path": (server.http, {"data_files": "a.jsonl"}),
        "folder": ("json", {"data_dir": server.http, "data_files": "a.jsonl"}),
    }[form]
    ds = load_dataset(args[0], **args[1], streaming=streaming, storage_options=options(server))
    assert all(row["id"] >= 0 for of in ds.values() for row in of)
    assert sent() == (
        {("http", "canary"), ("s3", "canary")}
        if form in ("list", "splits")
        else {("http", "canary")}
    )


@pytest.mark.parametrize("streaming", [True, False])
def test_they_do_not_follow_a_redirect(server, sent, streaming):
    server.faults({"kind": "redirect", "to": other(server), "origin": "http"})
    load = lambda: load_dataset(
        "json",
        data_files=f"{server.http}/a.jsonl",
        split="train",
        streaming=streaming,
        storage_options=options(server),
    )
    assert len(list(load())) == 6000
    assert sent() == {("http", "canary"), ("s3", None)}


@pytest.mark.parametrize(
    ("given", "name", "value"),
    [
        ({"headers": {"Authorization": "Bearer canary"}}, "authorization", "Bearer canary"),
        ({"client_kwargs": {"headers": SECRET}}, "x-secret", "canary"),
        ({"client_kwargs": {"headers": SECRET}, "headers": {"X-Other": "1"}}, "x-secret", "canary"),
        ({"http": {"headers": SECRET}}, "x-secret", "canary"),
        ({"https": {"headers": SECRET}, "s3": {"anon": True}}, "x-secret", "canary"),
        (
            {"auth": ("me", "pass")},
            "authorization",
            f"Basic {base64.b64encode(b'me:pass').decode()}",
        ),
        (
            {"client_kwargs": {"auth": ("me", "pass")}},
            "authorization",
            f"Basic {base64.b64encode(b'me:pass').decode()}",
        ),
        ({"cookies": {"a": "1", "b": 2}}, "cookie", "a=1; b=2"),
    ],
)
def test_all_forms_that_users_of_fsspec_have(server, sent, given, name, value):
    ds = load_dataset(
        "json",
        data_files=f"{server.http}/a.jsonl",
        split="train",
        streaming=True,
        storage_options={**FAST, **given},
    )
    assert next(iter(ds))["id"] == 0
    assert sent(name) == {("http", value)}


def test_some_origins_may_be_named_beside_them(server, sent):
    headers = {**SECRET, server.s3: {"X-Secret": "another"}}
    ds = load_dataset(
        "json",
        data_files=[f"{server.http}/a.jsonl", other(server)],
        split="train",
        streaming=True,
        storage_options=options(server, headers=headers),
    )
    assert len(list(ds)) == 12_000
    assert sent() == {("http", "canary"), ("s3", "another")}


def test_whatever_takes_a_url_sends_them_there(server, sent, tmp_path):
    url, given = f"{server.http}/a.jsonl", options(server)
    with rowstream.open(url, storage_options=given) as file:
        assert json.loads(file.readline())["id"] == 0
    assert rowstream.exists(url, storage_options=given)
    assert next(rowstream.read_jsonl(url, storage_options=given))["id"] == 0
    assert next(iter(IterableDataset.from_json(url, storage_options=given)))["id"] == 0
    assert rowstream.load_dataset_builder(
        "json", data_files=url, storage_options=given
    ).info.features.keys() == {"id", "text"}
    assert sent() == {("http", "canary")}
    manager = DownloadManager(
        download_config=DownloadConfig(
            cache_dir=tmp_path / "made", disable_tqdm=True, storage_options=given
        )
    )
    manager.download([url, other(server)])
    assert sent() == {("http", "canary"), ("s3", "canary")}


def test_the_hub_is_not_sent_them(server, sent):
    server.repo("org/plain", {"train.jsonl": lines(5)})
    files = {"train": f"{server.http}/a.jsonl", "test": "hf://datasets/org/plain/train.jsonl"}
    ds = load_dataset("json", data_files=files, streaming=True, storage_options=options(server))
    assert len(list(ds["test"])) == 5
    assert next(iter(ds["train"]))["id"] == 0
    assert sent() == {("http", "canary"), ("hub", None)}


def test_an_object_store_beside_http(server, sent):
    given = {**FAST, "s3": {"endpoint_url": server.s3, "anon": True}, "https": {"headers": SECRET}}
    ds = load_dataset(
        "json",
        data_files=["s3://bucket/a.jsonl", f"{server.http}/a.jsonl"],
        split="train",
        streaming=True,
        storage_options=given,
    )
    assert len(list(ds)) == 12_000
    assert sent() == {("http", "canary"), ("s3", None)}
    # Where none of the files is of HTTP, nothing is missing.
    assert next(
        iter(
            load_dataset(
                "json",
                data_files="s3://bucket/a.jsonl",
                split="train",
                streaming=True,
                storage_options=given,
            )
        )
    )
    assert sent() == {("s3", None)}


def test_where_nothing_names_an_origin_they_are_an_error(server, sent, tmp_path):
    server.repo("org/plain", {"train.jsonl": lines(5)})
    load_dataset("json", data_files=f"{server.http}/a.jsonl", split="train", streaming=True).lock(
        tmp_path / "lock"
    )
    sent()
    for load in (
        lambda: load_dataset(
            "org/plain", split="train", streaming=True, storage_options=options(server)
        ),
        lambda: load_dataset(
            "json",
            data_files="hf://datasets/org/plain/train.jsonl",
            streaming=True,
            storage_options=options(server),
        ),
        # What a file says is not what the caller named.
        lambda: load_dataset(
            lock=tmp_path / "lock", streaming=True, storage_options=options(server)
        ),
        lambda: load_dataset(
            "json",
            data_files=f"{server.http}/a.jsonl",
            storage_options={"headers": {"host": {"X-Secret": "canary"}}},
        ),
    ):
        with pytest.raises(ValueError, match="origin"):
            load()
    assert "canary" not in str(sent())


def test_only_a_process_of_this_machine_is_given_them(server, monkeypatch):
    ds = load_dataset(
        "json",
        data_files=f"{server.http}/a.jsonl",
        split="train",
        streaming=True,
        storage_options=options(server),
    )
    assert b"canary" not in pickle.dumps(ds)
    from multiprocessing import context

    monkeypatch.setattr(context, "get_spawning_popen", lambda: object())
    again = pickle.loads(pickle.dumps(ds))
    assert again._plan.access._settings("http")["headers"] == {server.http: SECRET}
