"""Servers that break off: only what is new counts as going on, wherever a server begins again."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import rowstream

from tests.wire.conftest import FAST

CONTENT = bytes(i * 7 % 251 for i in range(300_000))
ENOUGH = 60
"""Requests after which the server is gone, so that what asks for ever fails."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def do_GET(self):
        how, asked = self.server.how, self.server.asked
        asked.append(self.headers.get("Range"))
        if len(asked) > ENOUGH:
            self.send_error(410)
            return
        first, end, status = 0, len(CONTENT), 200
        if how["ranges"] and asked[-1]:
            low, _, high = asked[-1].removeprefix("bytes=").partition("-")
            first, end, status = int(low), min(int(high) + 1, end), 206
        self.send_response(status)
        if status == 206:
            self.send_header("Content-Range", f"bytes {first}-{end - 1}/{len(CONTENT)}")
        if how["version"]:
            self.send_header("ETag", '"1"')
        if how["length"]:
            self.send_header("Content-Length", str(end - first))
        else:
            self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        body = CONTENT[first : min(end, how["cut"](len(asked)))]
        if how["length"]:
            self.wfile.write(body)
        else:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(body), body) if body else b"")
            if first + len(body) == end:
                self.wfile.write(b"0\r\n\r\n")
        self.close_connection = True


@pytest.fixture(scope="module")
def _breaking():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


KINDS = {
    "ranges": {"ranges": True, "version": True, "length": True},
    "ranges of no version": {"ranges": True, "version": False, "length": True},
    "no ranges": {"ranges": False, "version": True, "length": True},
    "no ranges, no version": {"ranges": False, "version": False, "length": True},
    "no length": {"ranges": False, "version": True, "length": False},
}


@pytest.fixture(params=KINDS)
def breaking(request, _breaking, server):
    """Reads from a server that breaks off at the byte that a function of the number of the request says; gives what it was asked."""

    def read(cut):
        _breaking.how, _breaking.asked = {**KINDS[request.param], "cut": cut}, []
        read.asked = _breaking.asked
        with rowstream.open(
            f"http://127.0.0.1:{_breaking.server_port}/a.bin",
            "rb",
            storage_options={**FAST, "retries": 3},
        ) as file:
            return file.read()

    return read


@pytest.mark.parametrize("at", [0, 200_000])
def test_a_server_that_always_breaks_off_at_the_same_byte_is_not_asked_for_ever(breaking, at):
    with pytest.raises(OSError, match="gave up after 4 tries"):
        breaking(lambda _: at)
    assert len(breaking.asked) <= 6


def test_one_that_brings_more_each_time_is_read_to_the_end(breaking):
    assert breaking(lambda n: n * 60_000) == CONTENT
    assert len(breaking.asked) >= 5


def test_one_that_brings_less_each_time_is_not(breaking, request):
    if request.node.callspec.params["breaking"] == "ranges":
        pytest.skip("each of its answers begins where the last one ended")
    with pytest.raises(OSError, match="gave up"):
        breaking(lambda n: max(0, 200_000 - n * 1000))
    assert len(breaking.asked) <= 6
