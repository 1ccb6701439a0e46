"""Data sets of the Hub: configurations, splits, revisions, tokens, and how little is asked."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import rowstream
from rowstream import ClassLabel, Features, Value, load_dataset

from tests.wire.conftest import lines, parquet


def ids(ds):
    return [row["id"] for row in ds]


def asked(server):
    return [(entry["method"], entry["origin"], entry["status"]) for entry in server.log()]


CARD = {
    "configs": [
        {
            "config_name": "one",
            "data_files": [
                {"split": "train", "path": "one/train-*"},
                {"split": "test", "path": ["one/test.jsonl"]},
            ],
        },
        {"config_name": "two", "data_files": "two/*.csv", "sep": ";"},
    ],
    "dataset_info": [
        {
            "config_name": "one",
            "features": [{"name": "id", "dtype": "int32"}, {"name": "text", "dtype": "string"}],
        },
        {
            "config_name": "two",
            "features": [
                {"name": "label", "dtype": {"class_label": {"names": {"0": "no", "1": "yes"}}}}
            ],
        },
    ],
}


@pytest.fixture
def configured(server):
    files = {
        "one/train-0.jsonl": lines(10),
        "one/train-1.jsonl": lines(5),
        "one/test.jsonl": lines(3),
        "two/a.csv": b"label\n1\n0\n",
        "README.md": b"x",
    }
    server.repo("org/configured", files, cardData=CARD)
    return server


def test_configurations_of_the_card(configured):
    ds = load_dataset("org/configured", "one", streaming=True)
    assert list(ds) == ["train", "test"]
    assert ids(ds["train"]) == [*range(10), *range(5)]
    assert str(ds["train"].features["id"]) == "Value('int32')"
    assert ds["train"].info.config_name == "one"
    ds = load_dataset("org/configured", "two", split="train", streaming=True)
    assert ds.features == {"label": ClassLabel(names=["no", "yes"])}
    assert [row["label"] for row in ds] == [1, 0]


def test_a_configuration_that_is_not_there(configured):
    with pytest.raises(ValueError, match=r"\['one', 'two'\]"):
        load_dataset("org/configured", streaming=True)
    with pytest.raises(ValueError, match="three"):
        load_dataset("org/configured", "three", streaming=True)
    with pytest.raises(ValueError, match="no split 'dev'"):
        load_dataset("org/configured", "one", split="dev", streaming=True)


def test_what_there_is_is_told_without_its_rows(configured):
    assert rowstream.get_dataset_config_names("org/configured") == ["one", "two"]
    assert rowstream.get_dataset_default_config_name("org/configured") is None
    assert rowstream.get_dataset_split_names("org/configured", "one") == ["train", "test"]
    infos = rowstream.get_dataset_infos("org/configured")
    assert {name: list(info.features) for name, info in infos.items()} == {
        "one": ["id", "text"],
        "two": ["label"],
    }
    # The card says the features, so no file is read.
    assert not [entry for entry in asked(configured) if "/resolve/" in str(entry)]
    builder = rowstream.load_dataset_builder("org/configured", "one")
    assert builder.cache_dir.split("org___configured/")[1].startswith("one-")
    assert [row["id"] for row in builder.as_streaming_dataset("test")] == [0, 1, 2]
    with pytest.raises(ValueError, match="three"):
        rowstream.load_dataset_builder("org/configured", "three")
    with pytest.raises(rowstream.exceptions.DatasetNotFoundError):
        rowstream.get_dataset_config_names("org/nowhere")


def test_a_card_that_counts_other_rows(server, tmp_path):
    card = {"dataset_info": {"splits": [{"name": "train", "num_examples": 4}]}}
    server.repo("org/counted", {"train.jsonl": lines(3)}, cardData=card)
    with pytest.raises(rowstream.exceptions.NonMatchingSplitsSizesError, match="no_checks"):
        load_dataset("org/counted", cache_dir=str(tmp_path))
    assert (
        len(
            load_dataset(
                "org/counted", split="train", cache_dir=str(tmp_path), verification_mode="no_checks"
            )
        )
        == 3
    )


def test_a_builder_opens_urls(server):
    (server.root / "http" / "numbers.txt").write_bytes(b"1\n2\n3\n")

    class Numbers(rowstream.GeneratorBasedBuilder):
        def _info(self):
            return rowstream.DatasetInfo(
                features=rowstream.Features({"n": rowstream.Value("int64")})
            )

        def _split_generators(self, dl_manager):
            return [
                rowstream.SplitGenerator(
                    "train", {"path": dl_manager.download_and_extract("numbers.txt")}
                )
            ]

        def _generate_examples(self, path):
            with open(path) as file:
                for i, line in enumerate(file):
                    yield i, {"n": int(line)}

    builder = Numbers(base_path=server.http)
    assert [row["n"] for row in builder.as_streaming_dataset("train")] == [1, 2, 3]


def test_splits_without_a_card(server):
    server.repo(
        "org/plain",
        {
            "data/train-00000-of-00001.parquet": parquet(20),
            "data/test-00000-of-00001.parquet": parquet(4),
            "README.md": b"",
        },
    )
    ds = load_dataset("org/plain", streaming=True)
    assert {split: len(ids(of)) for split, of in ds.items()} == {"train": 20, "test": 4}
    assert ids(
        load_dataset("org/plain", data_files="data/test*", split="train", streaming=True)
    ) == list(range(4))
    assert ids(load_dataset("org/plain", data_dir="data", split="test", streaming=True)) == list(
        range(4)
    )


def test_revisions(server):
    folder = server.repo("org/revised", {"train.jsonl": lines(3)})
    other = folder / ".revisions" / "refs%2Fpr%2F1"
    other.mkdir(parents=True)
    (other / "train.jsonl").write_bytes(lines(8))
    assert len(ids(load_dataset("org/revised", split="train", streaming=True))) == 3
    ds = load_dataset("org/revised", revision="refs/pr/1", split="train", streaming=True)
    assert len(ids(ds)) == 8
    sha = ds._plan.listing["files"][0]["path"].split("@")[1].split("/")[0]
    assert len(ids(load_dataset("org/revised", revision=sha, split="train", streaming=True))) == 8
    with pytest.raises(rowstream.exceptions.DatasetNotFoundError, match="RevisionNotFound"):
        load_dataset("org/revised", revision="nope", split="train", streaming=True)


def test_a_repository_that_was_renamed(server):
    server.repo("org/old", {}, renamed="org/new")
    server.repo("org/new", {"train.jsonl": lines(4)})
    assert ids(load_dataset("org/old", split="train", streaming=True)) == list(range(4))


def test_only_the_converted_revision_is_read(server):
    folder = server.repo(
        "org/script", {"script.py": b"raise SystemExit('never run')", "data.bin": b"x"}
    )
    for config, split, n in (("default", "train", 6), ("default", "test", 2)):
        path = folder / ".revisions" / "refs%2Fconvert%2Fparquet" / config / split / "0000.parquet"
        path.parent.mkdir(parents=True)
        path.write_bytes(parquet(n))
    ds = load_dataset("org/script", streaming=True)
    assert {split: len(ids(of)) for split, of in ds.items()} == {"train": 6, "test": 2}


def test_tokens(server, monkeypatch, tmp_path):
    server.repo("org/private", {"train.jsonl": lines(4)}, private=True)
    server.repo("org/gated", {"train.parquet": parquet(4)}, gated=True)
    for name in ("org/private", "org/gated"):
        with pytest.raises((FileNotFoundError, PermissionError), match=r"log in|token"):
            ids(load_dataset(name, split="train", streaming=True))
        with pytest.raises((FileNotFoundError, PermissionError), match=r"RepoNotFound|GatedRepo"):
            ids(load_dataset(name, split="train", streaming=True, token="hf_stranger"))
        assert ids(load_dataset(name, split="train", streaming=True, token="hf_member")) == list(
            range(4)
        )
    monkeypatch.setenv("HF_TOKEN", "hf_member")
    assert len(ids(load_dataset("org/private", split="train", streaming=True))) == 4
    with pytest.raises(FileNotFoundError):
        load_dataset("org/private", split="train", streaming=True, token=False)
    monkeypatch.delenv("HF_TOKEN")
    (tmp_path / "hf").mkdir(exist_ok=True)
    (tmp_path / "hf" / "token").write_text("hf_member\n")
    assert len(ids(load_dataset("org/private", split="train", streaming=True))) == 4
    (tmp_path / "hf" / "token").unlink()
    with pytest.raises(ValueError, match="no token"):
        load_dataset("org/private", split="train", streaming=True, token=True)


def test_cold_and_warm_requests(server):
    server.repo("org/few", {"train.parquet": parquet(300, 100), "lines.jsonl": lines(300)})
    for name, cold, warm in (("train.parquet", 3, 1), ("lines.jsonl", 2, 1)):
        server.control("DELETE", "log")
        next(iter(load_dataset("org/few", data_files=name, split="train", streaming=True)))
        assert len(asked(server)) <= cold, asked(server)
        server.control("DELETE", "log")
        next(iter(load_dataset("org/few", data_files=name, split="train", streaming=True)))
        assert len(asked(server)) <= warm, asked(server)


def test_labels_are_found_without_a_further_request(server):
    content = io.BytesIO()
    pq.write_table(pa.table({"y": ["no", "yes"] * 50}), content)
    server.repo(
        "org/labels",
        {
            "train.parquet": content.getvalue(),
            "lines.jsonl": b'{"y": "yes"}\n' * 100,
            "rows.csv": b"y\n" + b"yes\n" * 100,
        },
    )
    for name in ("train.parquet", "lines.jsonl", "rows.csv"):
        counts = []
        for feature in (Value("string"), ClassLabel(names=["no", "yes"])):
            path = f"{server.hub}/datasets/org/labels/resolve/main/{name}"
            server.control("DELETE", "log")
            format = {"jsonl": "json"}.get(name.split(".")[1], name.split(".")[1])
            row = next(
                iter(
                    load_dataset(
                        format,
                        data_files=path,
                        split="train",
                        streaming=True,
                        features=Features({"y": feature}),
                    )
                )
            )
            counts.append(len(server.log()))
        assert isinstance(row["y"], int)
        assert counts[0] == counts[1] > 0


def test_one_listing_whatever_the_number_of_files(server):
    server.repo(
        "org/many", {f"train/{i:04}.jsonl": json.dumps({"id": i}).encode() for i in range(300)}
    )
    ds = load_dataset("org/many", split="train", streaming=True)
    assert ids(ds) == list(range(300))
    log = server.log()
    assert sum(entry["path"].startswith("/api/") for entry in log) == 1
    assert not any(entry["method"] == "HEAD" for entry in log)


def test_offline(server, monkeypatch):
    server.repo("org/offline", {"train.jsonl": lines(20)})
    ds = load_dataset("org/offline", split="train", streaming=True)
    assert len(ids(ds)) == 20
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    server.control("DELETE", "log")
    # What was looked at is remembered; it is the whole of a small file.
    assert len(ids(load_dataset("org/offline", split="train", streaming=True))) == 20
    assert not server.log()
    with pytest.raises(OSError, match="HF_HUB_OFFLINE"):
        load_dataset("org/other", split="train", streaming=True)


def test_a_file_that_was_downloaded_is_read_from_disk(server, tmp_path):
    content = lines(40_000)
    server.repo("org/shared", {"train.jsonl": content})
    ds = load_dataset("org/shared", split="train", streaming=True)
    sha = ds._plan.listing["files"][0]["path"].split("@")[1].split("/")[0]
    snapshot = tmp_path / "hf" / "hub" / "datasets--org--shared" / "snapshots" / sha
    snapshot.mkdir(parents=True)
    (snapshot / "train.jsonl").write_bytes(content)
    server.control("DELETE", "log")
    assert (
        len(ids(load_dataset("org/shared", revision=sha, split="train", streaming=True))) == 40_000
    )
    assert not server.log()
    # A part of it is not it.
    (snapshot / "train.jsonl").write_bytes(content[:-100])
    assert (
        len(ids(load_dataset("org/shared", revision=sha, split="train", streaming=True))) == 40_000
    )
    assert server.log()


@pytest.mark.parametrize(
    "bad",
    [
        "http://127.0.0.1:1/x.jsonl",
        "/etc/passwd",
        "../../other/train.jsonl",
        "file:///etc/passwd",
        "~/x.jsonl",
        "a/../../x",
    ],
)
def test_a_card_cannot_name_what_is_not_its_own(server, bad):
    server.repo(
        "org/bad",
        {"train.jsonl": lines(2)},
        cardData={"configs": [{"config_name": "default", "data_files": bad}]},
    )
    with pytest.raises(ValueError, match="its own repository"):
        load_dataset("org/bad", split="train", streaming=True)


def test_no_code_is_run(server):
    with pytest.raises(NotImplementedError, match="never runs code"):
        load_dataset(
            "json",
            data_files=f"{server.http}/a.jsonl",
            split="train",
            streaming=True,
            trust_remote_code=True,
        )


def test_of_many_files_only_some_are_looked_at(server):
    server.repo(
        "org/more",
        {
            f"train/{i:04}.jsonl": json.dumps({"id": i, "text": "x" * i}).encode()
            for i in range(200)
        },
    )
    ds = load_dataset("org/more", split="train", streaming=True)
    assert sum("resolve" in entry["path"] for entry in server.log()) == 32
    assert sorted(ids(ds.shuffle(seed=1, buffer_size=50))) == list(range(200))


@pytest.mark.heavy
def test_a_stream_of_the_hub_loads_no_other_library(server):
    server.repo("org/light", {"train.parquet": parquet(10)})
    code = (
        "import sys; from rowstream import load_dataset; print(len(list(load_dataset('org/light', split='train', streaming=True))),"
        " [name for name in ('huggingface_hub', 'pyarrow', 'numpy', 'requests', 'httpx', 'fsspec') if name in sys.modules])"
    )
    out = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert out.stdout.strip() == "10 []", out.stderr


def _png():
    from PIL import Image

    file = io.BytesIO()
    Image.new("RGB", (2, 2)).save(file, "png")
    return file.getvalue()


@pytest.mark.parametrize("where", ["", "train/", "data/"])
@pytest.mark.parametrize("streaming", [False, True])
def test_metadata_of_a_folder_of_images(server, where, streaming):
    told = b"".join(
        json.dumps({"file_name": f"{i}.png", "caption": f"c{i}"}).encode() + b"\n" for i in (1, 0)
    )
    files = {f"{where}{i}.png": _png() for i in range(2)} | {f"{where}metadata.jsonl": told}
    name = f"org/captions{where.strip('/')}{streaming}"
    server.repo(name, files)
    ds = load_dataset(name, split="train", streaming=streaming)
    assert [*ds.features] == ["image", "caption"]
    assert [row["caption"] for row in ds] == ["c1", "c0"]
