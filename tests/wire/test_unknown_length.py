"""A server that gives ranges and does not say of how many bytes: `Content-Range: bytes 0-9/*`."""

from __future__ import annotations

import gzip
import io
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pyarrow as pa
import pytest
from rowstream import load_dataset

from tests.wire.conftest import FAST, lines, parquet, rows


def arrow(n):
    sink = io.BytesIO()
    table = pa.Table.from_pylist(rows(n))
    with pa.ipc.new_file(sink, table.schema) as file:
        file.write_table(table, max_chunksize=500)
    return sink.getvalue()


N = 40_000
CONTENT = {
    "parquet": parquet(N),
    "arrow": arrow(N),
    "json": lines(N),
    "gz": gzip.compress(lines(N), 1),
    "small": lines(3),
}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        content = CONTENT[self.path.strip("/").partition(".")[0]]
        wanted = re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers.get("Range", ""))
        first, last = 0, len(content) - 1
        if wanted and wanted[1]:
            first, last = int(wanted[1]), min(last, int(wanted[2] or last))
        elif wanted:
            first = max(0, len(content) - int(wanted[2]))
        body = content[first : last + 1]
        self.send_response(206 if wanted else 200)
        if wanted:
            self.send_header("Content-Range", f"bytes {first}-{last}/*")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", '"one"')
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def url():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("name", CONTENT)
def test_all_rows_are_read(url, name):
    kind = name if name in ("parquet", "arrow") else "json"
    ending = {"json": "jsonl", "gz": "jsonl.gz", "small": "jsonl"}.get(name, name)
    ds = load_dataset(
        kind,
        data_files=f"{url}/{name}.{ending}",
        split="train",
        streaming=True,
        storage_options=FAST,
    )
    assert [row["id"] for row in ds] == [*range(3 if name == "small" else N)]
    state = None
    for i, _ in enumerate(ds):
        if i == 1:
            state = ds.state_dict()
            break
    ds.load_state_dict(state)
    assert next(iter(ds))["id"] == 2
