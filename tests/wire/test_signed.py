"""Signed URLs of another server that refuses them, and tokens that are not good."""

from __future__ import annotations

import pytest
import rowstream
from rowstream import DownloadConfig, DownloadManager, load_dataset
from rowstream.exceptions import RowstreamError

from tests.wire.conftest import FAST, lines, parquet


@pytest.fixture
def signed(server):
    server.repo(
        "signed/fresh",
        {
            "train.parquet": parquet(15_000, 5_000),
            "small.parquet": parquet(10),
            "lines.jsonl": lines(5),
        },
    )
    return server


def count(name="train.parquet", **options):
    ds = load_dataset(
        "signed/fresh",
        data_files=name,
        split="train",
        streaming=True,
        storage_options=dict(FAST),
        **options,
    )
    return sum(1 for _ in ds)


WAYS = {
    "stream": count,
    "small": lambda: count("small.parquet") + 14_990,
    "shuffled": lambda: sum(
        1
        for _ in load_dataset(
            "signed/fresh",
            data_files="train.parquet",
            split="train",
            streaming=True,
            storage_options=dict(FAST),
        ).shuffle(seed=1)
    ),
    "download": lambda: rowstream.Dataset.from_parquet(download()).num_rows,
    "open": lambda: 15_000 * (opened() == parquet(15_000, 5_000)),
}


def download():
    config = DownloadConfig(disable_tqdm=True, storage_options=dict(FAST))
    return DownloadManager(download_config=config).download(
        "hf://datasets/signed/fresh/train.parquet"
    )


def opened():
    with rowstream.open(
        "hf://datasets/signed/fresh/train.parquet", "rb", storage_options=FAST
    ) as file:
        return file.read()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("times", [1, 2])
def test_a_fresh_url_that_is_refused_is_asked_for_another(signed, way, status, times):
    signed.faults({"kind": "status", "status": status, "origin": "cdn", "times": times})
    assert WAYS[way]() == 15_000


@pytest.mark.parametrize("status", [403, 404])
def test_a_refusal_in_the_middle(signed, status):
    ds = load_dataset(
        "signed/fresh",
        data_files="train.parquet",
        split="train",
        streaming=True,
        storage_options=dict(FAST),
    )
    seen = iter(ds)
    next(seen)
    signed.faults({"kind": "status", "status": status, "origin": "cdn", "times": 2})
    assert 1 + sum(1 for _ in seen) == 15_000


@pytest.mark.parametrize("way", [way for way in WAYS if way != "small"])
@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 500])
def test_what_is_refused_for_ever_names_the_file_of_the_hub(signed, way, status):
    signed.faults({"kind": "status", "status": status, "origin": "cdn"})
    with pytest.raises(RowstreamError, match=str(status)) as error:
        WAYS[way]()
    assert str(error.value).startswith("hf://datasets/signed/fresh@")
    assert "/train.parquet" in str(error.value)
    assert sum(
        entry["origin"] == "hub" and "resolve" in entry["path"] for entry in signed.log()
    ) <= (8 if status == 500 else 3)


@pytest.mark.parametrize("given", [True, False])
def test_a_token_that_is_not_good_is_named_first(signed, monkeypatch, given):
    options = {"token": "hf_expired"} if given else {}
    if not given:
        monkeypatch.setenv("HF_TOKEN", "hf_expired")
    for attempt in (
        lambda: count("lines.jsonl", **options),
        lambda: load_dataset("signed/fresh", split="train", **options),
        lambda: rowstream.open("hf://datasets/signed/fresh/lines.jsonl", "rb", **options),
        lambda: rowstream.get_dataset_config_names("signed/fresh", **options),
    ):
        with pytest.raises((PermissionError, FileNotFoundError)) as error:
            attempt()
        assert str(error.value).startswith("the token")
        assert "no data set" not in str(error.value)
        assert "hf_expired" not in str(error.value)
        assert given or "HF_TOKEN" in str(error.value)


def test_a_token_that_the_file_of_the_login_has(signed, tmp_path):
    (tmp_path / "hf").mkdir(exist_ok=True)
    (tmp_path / "hf" / "token").write_text("hf_expired\n")
    with pytest.raises((PermissionError, FileNotFoundError), match=r"^the token.*hf/token"):
        count("lines.jsonl")


@pytest.mark.parametrize("token", ["", "  ", "\n"])
def test_an_empty_token_is_none(signed, monkeypatch, token):
    assert count("lines.jsonl", token=token) == 5
    assert not any(entry["authorization"] for entry in signed.log())
    # And none is looked for.
    monkeypatch.setenv("HF_TOKEN", "hf_member")
    signed.control("DELETE", "log")
    assert count("lines.jsonl", token=token) == 5
    assert not any(entry["authorization"] for entry in signed.log())
    config = DownloadConfig(disable_tqdm=True, token=token, force_download=True)
    DownloadManager(download_config=config).download("hf://datasets/signed/fresh/lines.jsonl")
    assert not any(entry["authorization"] for entry in signed.log())


def test_a_token_with_the_end_of_its_line(signed):
    signed.repo("signed/fresh-private", {"train.jsonl": lines(5)}, private=True)
    assert (
        len(
            list(
                load_dataset(
                    "signed/fresh-private", split="train", streaming=True, token=" hf_member\n"
                )
            )
        )
        == 5
    )
