"""Servers that compress whatever they send, and servers that refuse ranges: the file is what they mean, not what they send."""

from __future__ import annotations

import gzip
import json
import pickle
import threading
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import rowstream
from rowstream import DownloadConfig, DownloadManager, load_dataset
from rowstream.exceptions import RowstreamError, SourceChangedError

from tests.wire.conftest import FAST, FILES, lines

PACKED = {"gzip": gzip.compress, "x-gzip": gzip.compress, "deflate": zlib.compress}
ENCODINGS = [
    "gzip",
    "GZIP",
    "x-gzip",
    "deflate",
    "gzip, aws-chunked",
    "aws-chunked,gzip",
    "aws-chunked",
    "identity",
    "",
]


class Handler(BaseHTTPRequestHandler):
    """Serves the contents of its server, as the query says: `encoding`, `ranges`, `chunked`, `raw`, `etag`, `cut`, `refuse`."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def do_GET(self):
        url = urlsplit(self.path)
        how = {
            key: value[0] for key, value in parse_qs(url.query, keep_blank_values=True).items()
        } | self.server.how
        self.server.asked.append(self.headers.get("Range"))
        if url.path not in self.server.contents:
            return self.answer(404, b"", {})
        content = self.server.contents[url.path]
        encoding = how.get("encoding", "")
        # As a server that packs by what it sends: what an object store keeps packed has `raw`.
        pack = PACKED.get(encoding.lower().replace("aws-chunked", "").strip(" ,"))
        body = content if pack is None or "raw" in how else pack(content)
        wanted, headers, status = self.headers.get("Range"), {}, 200
        if encoding or "encoding" in how:
            headers["Content-Encoding"] = encoding
        if "etag" in how:
            headers["ETag"] = f'"{how["etag"]}"'
        refuse = how.get("refuse", "")
        if wanted and (refuse == "all" or (refuse == "suffix" and wanted.startswith("bytes=-"))):
            return self.answer(
                416, b"", {"Content-Range": f"bytes */{len(body)}"} if "told" in how else {}
            )
        if wanted and ("ranges" in how or refuse in ("suffix", "beyond")):
            first, _, last = wanted.removeprefix("bytes=").partition("-")
            first, last = (
                (len(body) - int(last), len(body) - 1) if not first else (int(first), int(last))
            )
            if refuse == "beyond" and last >= len(body):
                return self.answer(
                    416, b"", {"Content-Range": f"bytes */{len(body)}"} if "told" in how else {}
                )
            first, last = max(first, 0), min(last, len(body) - 1)
            if first > last:
                return self.answer(
                    416, b"", {"Content-Range": f"bytes */{len(body)}"} if "told" in how else {}
                )
            body, status = body[first : last + 1], 206
            headers["Content-Range"] = (
                f"bytes {first}-{last}/{len(content if pack is None or 'raw' in how else pack(content))}"
            )
        return self.answer(status, body, headers, "chunked" in how)

    def answer(self, status, body, headers, chunked=False):
        cut = self.server.cuts.pop() if self.server.cuts else None
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if not chunked:
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[:cut])
        else:
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for at in range(0, len(body[:cut]), 50_000):
                piece = body[at : at + 50_000]
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            if cut is None:
                self.wfile.write(b"0\r\n\r\n")
        if cut is not None:
            self.close_connection = True


class Packing(ThreadingHTTPServer):
    """A server whose clients may go away."""

    daemon_threads = True

    def handle_error(self, request, client_address):
        pass


@pytest.fixture(scope="module")
def _packing():
    made = Packing(("127.0.0.1", 0), Handler)
    made.contents = {f"/{name}": content() for name, (_, content) in FILES.items()}
    made.contents |= {
        "/empty.jsonl": b"",
        "/one.jsonl": lines(1),
        "/page": json.dumps({"a": 1}).encode(),
    }
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02})
    made.how, made.cuts, made.asked = {}, [], []
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


@pytest.fixture
def packing(_packing, server):
    """A server that packs; `packing.url(name, **how)`. `how` holds for every request, `cuts` for the next answers."""
    _packing.how, _packing.cuts = {}, []
    _packing.asked.clear()
    _packing.url = lambda name, **how: (
        f"http://127.0.0.1:{_packing.server_address[1]}/{name}?"
        + "&".join(f"{key}={value.replace(' ', '%20')}" for key, value in how.items())
    )
    return _packing


def stream(url, name="a.jsonl"):
    return load_dataset(
        FILES.get(name, ("json",))[0],
        data_files=url,
        split="train",
        streaming=True,
        storage_options=dict(FAST),
    )


def rows(of):
    return [{key: value for key, value in row.items() if key != "__url__"} for row in of]


FRAMES = {
    "length": {},
    "chunked": {"chunked": "1"},
    "version": {"etag": "1"},
    "ranges": {"ranges": "1", "etag": "1"},
}


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("frame", FRAMES)
@pytest.mark.parametrize("name", ["a.jsonl", "a.parquet"])
def test_what_is_packed_on_its_way_is_the_file(packing, local, encoding, frame, name):
    assert rows(stream(packing.url(name, encoding=encoding, **FRAMES[frame]), name)) == local(name)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("frame", FRAMES)
def test_every_format(packing, local, name, frame):
    assert rows(stream(packing.url(name, encoding="gzip", **FRAMES[frame]), name)) == local(name)


@pytest.mark.parametrize("frame", FRAMES)
def test_a_packed_file_that_is_only_labelled(packing, local, frame):
    """A server that takes the end of a name for a way to send, and sends the file as it is."""
    assert rows(
        stream(packing.url("a.jsonl.gz", encoding="gzip", raw="1", **FRAMES[frame]), "a.jsonl.gz")
    ) == local("a.jsonl")


def test_its_length_is_that_of_the_file(packing, tmp_path):
    url, content = packing.url("a.jsonl", encoding="gzip", etag="1"), packing.contents["/a.jsonl"]
    ds = stream(url)
    assert ds._plan.listing["files"][0]["size"] == len(content)
    with rowstream.open(url, "rb", storage_options=FAST) as file:
        assert file.seek(0, 2) == len(content)
        file.seek(-10, 2)
        assert file.read() == content[-10:]
        file.seek(0)
        assert file.read() == content
    config = DownloadConfig(
        cache_dir=tmp_path / "downloads", disable_tqdm=True, storage_options=dict(FAST)
    )
    assert Path(DownloadManager(download_config=config).download(url)).read_bytes() == content


@pytest.mark.parametrize("frame", FRAMES)
def test_order_states_and_epochs(packing, frame):
    ds = stream(packing.url("a.jsonl", encoding="gzip", **FRAMES[frame])).shuffle(
        seed=1, buffer_size=100
    )
    whole = [row["id"] for row in ds]
    assert sorted(whole) == list(range(6000))
    assert [row["id"] for row in pickle.loads(pickle.dumps(ds))] == whole
    seen = iter(ds)
    begun = [next(seen)["id"] for _ in range(2500)]
    state = ds.state_dict()
    again = stream(packing.url("a.jsonl", encoding="gzip", **FRAMES[frame])).shuffle(
        seed=1, buffer_size=100
    )
    again.load_state_dict(state)
    assert begun + [row["id"] for row in again] == whole


@pytest.mark.parametrize("chunked", [False, True])
def test_a_packed_answer_that_is_cut_is_asked_for_again(packing, local, chunked):
    packing.cuts[:] = [20_000, 5000]
    how = {"chunked": "1"} if chunked else {}
    assert rows(stream(packing.url("a.jsonl", encoding="gzip", **how))) == local("a.jsonl")
    packing.cuts[:] = [20_000] * 100
    with pytest.raises(RowstreamError):
        rows(stream(packing.url("a.csv", encoding="gzip", **how), "a.csv"))


def test_a_way_that_nobody_knows_is_named(packing):
    with pytest.raises(NotImplementedError, match="brotli-of-tomorrow"):
        stream(packing.url("a.jsonl", encoding="brotli-of-tomorrow"))


def test_packed_bytes_that_are_damaged(packing):
    packing.contents["/bad.jsonl"] = gzip.compress(lines(4000))[:-4] + b"xxxx"
    with pytest.raises((RowstreamError, OSError)):
        rows(stream(packing.url("bad.jsonl", encoding="gzip", raw="1")))


# -------------------------------------------------------------------------------------------------------------------- 416


@pytest.mark.parametrize("told", [{}, {"told": "1"}])
@pytest.mark.parametrize("refuse", ["all", "suffix", "beyond"])
@pytest.mark.parametrize("name", ["a.jsonl", "a.parquet", "a.tar", "a.arrow", "a.csv", "one.jsonl"])
def test_a_range_that_is_refused_is_not_a_changed_file(packing, local, refuse, told, name):
    expected = local(name) if name in FILES else [json.loads(lines(1))]
    assert rows(stream(packing.url(name, refuse=refuse, **told), name)) == expected


@pytest.mark.parametrize("told", [{}, {"told": "1"}])
@pytest.mark.parametrize("refuse", ["all", "beyond"])
def test_an_empty_file_of_a_server_that_refuses_ranges(packing, refuse, told):
    url = packing.url("empty.jsonl", refuse=refuse, **told)
    with rowstream.open(url, "rb", storage_options=FAST) as file:
        assert file.read() == b""
    assert rowstream.exists(url, storage_options=FAST)


@pytest.mark.parametrize("told", [{}, {"told": "1"}])
def test_ranges_that_are_refused_only_later(packing, local, told):
    ds = stream(packing.url("a.parquet", ranges="1", etag="1"), "a.parquet")
    packing.how = {"refuse": "all", **told}
    assert rows(ds) == local("a.parquet")


@pytest.mark.parametrize("told", [{}, {"told": "1"}])
def test_a_file_that_became_shorter_did_change(packing, told):
    packing.contents["/shrinking.jsonl"] = lines(40_000)
    ds = stream(packing.url("shrinking.jsonl", ranges="1", etag="1", **told))
    packing.contents["/shrinking.jsonl"] = lines(10)
    packing.how = {"etag": "2"}
    with pytest.raises(SourceChangedError):
        rows(ds)


# ---------------------------------------------------------------------------------------------------- listings and stores


def test_a_hub_that_packs_its_answers(packing, server, monkeypatch):
    server.repo("packs/packed", {"train.jsonl": lines(9)})
    import urllib.request

    with urllib.request.urlopen(
        f"{server.hub}/api/datasets/packs/packed/revision/main?blobs=true"
    ) as answer:
        packing.contents["/api/datasets/packs/packed/revision/main"] = text = answer.read()
    sha = json.loads(text)["sha"]
    packing.contents[f"/datasets/packs/packed/resolve/{sha}/train.jsonl"] = lines(9)
    packing.how = {"encoding": "gzip"}
    monkeypatch.setenv("HF_ENDPOINT", packing.url("").rstrip("/?"))
    assert (
        len(
            rows(
                load_dataset(
                    "packs/packed", split="train", streaming=True, storage_options=dict(FAST)
                )
            )
        )
        == 9
    )


@pytest.mark.heavy
@pytest.mark.parametrize("encoding", ["gzip", "aws-chunked", "gzip,aws-chunked"])
def test_objects_of_a_store_that_say_how_they_are_packed(server, local, encoding):
    moto, boto3 = pytest.importorskip("moto.server"), pytest.importorskip("boto3")
    made = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    made.start()
    try:
        host, port = made.get_host_and_port()
        endpoint = f"http://{host}:{port}"
        options = {
            "key": "k",
            "secret": "s",
            "endpoint_url": endpoint,
            "region": "us-east-1",
            **FAST,
            "timeout": 5,
        }
        client = boto3.client(
            "s3",
            endpoint_url=endpoint,
            region_name="us-east-1",
            aws_access_key_id="k",
            aws_secret_access_key="s",
        )
        client.create_bucket(Bucket="said", ACL="public-read")
        content = (server.root / "http" / "a.jsonl").read_bytes()
        body = gzip.compress(content) if "gzip" in encoding else content
        client.put_object(
            Bucket="said", Key="a.jsonl", Body=body, ContentEncoding=encoding, ACL="public-read"
        )
        for pattern in ("s3://said/a.jsonl", "s3://said/*.jsonl"):
            ds = load_dataset(
                "json", data_files=pattern, split="train", streaming=True, storage_options=options
            )
            assert rows(ds) == local("a.jsonl")
        assert rows(stream(f"{endpoint}/said/a.jsonl")) == local("a.jsonl")
    finally:
        made.stop()
