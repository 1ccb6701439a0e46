"""A page of this machine that shows a dataset: nothing of it is loaded from elsewhere."""

from __future__ import annotations

import json
import secrets
import threading
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from rowstream.dataset.iterable.dataset import IterableDataset
from rowstream.dataset.map_style.dataset import Dataset
from rowstream.exceptions import InvalidArgumentError, RowstreamError
from rowstream.formatting.html import STYLE, media_type
from rowstream.utils.arguments import check_number
from rowstream.view.pages import Pages, asked

if TYPE_CHECKING:
    from collections.abc import Mapping

_MOST = 200  # rows of a page
# Nothing from elsewhere, and no script but that of the page.
_POLICY = (
    "default-src 'none'; connect-src 'self'; img-src 'self' data:; media-src 'self' data:;"
    " style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'"
)


class _NothingHereError(Exception):
    """There is no page of a name."""


class Viewer:
    """A server of one page, which runs in a thread; a context manager.

    Attributes:
        url: The URL of the page, with the token without which nothing is shown.
    """

    def __init__(self, splits: Mapping[str, Any], title: str, port: int = 0) -> None:
        self._pages, self._title = Pages(splits), title
        self._token = secrets.token_urlsafe(16)
        self._server = ThreadingHTTPServer(("127.0.0.1", port), _handler(self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/{self._token}/"
        self._thread = threading.Thread(
            target=self._server.serve_forever, name="rowstream.view", daemon=True
        )
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop showing it, and free the port."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def wait(self) -> None:
        """Wait until it is closed, or the process is told to end."""
        self._thread.join()

    def _allowed(self, host: str | None, token: str) -> bool:
        """Return whether a request comes from this machine's browser, with the token.

        A page of another site can have its name stand for this machine, but not in `Host`.
        """
        port = self._server.server_address[1]
        return host in (f"127.0.0.1:{port}", f"localhost:{port}") and secrets.compare_digest(
            token.encode(), self._token.encode()
        )

    def _answer(self, path: str, given: dict[str, str]) -> tuple[bytes, str, str | None]:
        """Return the content of an answer, its type, and the nonce of its scripts.

        Raises:
            _NothingHereError: There is nothing of this name.
        """
        split, where, search = (given.get(name, "") for name in ("split", "where", "search"))
        if path == "":
            nonce = secrets.token_urlsafe(12)
            page = files("rowstream.view").joinpath("page.html").read_text("utf-8")
            about = json.dumps({"title": self._title, "splits": self._pages.about()})
            page = page.replace("{{nonce}}", nonce).replace("{{style}}", STYLE)
            # What ends a script in HTML is no end of it in JSON.
            page = page.replace("{{about}}", about.replace("<", "\\u003c"))
            return page.encode(), "text/html; charset=utf-8", nonce
        if path == "rows":
            size = min(_MOST, int(given.get("size", 20)))
            first = check_number("first", int(given.get("first", 0)))
            found = self._pages.page(split, first, size, where, search)
        elif path == "figures":
            found = self._pages.figures(split, where, search)
        elif path == "media":
            row = check_number("row", int(given.get("row", 0)))
            content = self._pages.media(split, row, given.get("column", ""), where, search)
            if content is None:
                raise _NothingHereError(path)
            return content, media_type(content) or "application/octet-stream", None
        else:
            raise _NothingHereError(path)
        return json.dumps(found).encode(), "application/json", None


def _handler(viewer: Viewer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        """What answers a browser."""

        def do_GET(self) -> None:
            try:
                url = urlsplit(self.path)
            except ValueError:
                self._send(b"this is no URL", status=HTTPStatus.BAD_REQUEST)
                return
            _, token, *rest = [*url.path.split("/", 2), "", ""]
            if not viewer._allowed(self.headers.get("Host"), token):
                self._send(b"this page needs the token of its URL", status=HTTPStatus.FORBIDDEN)
                return
            try:
                content, kind, nonce = viewer._answer(rest[0], asked(url))
            except _NothingHereError:
                self._send(b"there is nothing here", status=HTTPStatus.NOT_FOUND)
            except (RowstreamError, ValueError, TypeError, OSError) as error:
                self._send(str(error).encode(), status=HTTPStatus.BAD_REQUEST)
            except Exception as error:  # whatever a function of users raises
                said = f"{type(error).__name__}: {error}"
                self._send(said.encode(), status=HTTPStatus.INTERNAL_SERVER_ERROR)
            else:
                self._send(content, kind, nonce)

        def _send(
            self,
            content: bytes,
            kind: str = "text/plain; charset=utf-8",
            nonce: str | None = None,
            status: HTTPStatus = HTTPStatus.OK,
        ) -> None:
            with suppress(ConnectionError):
                # Who asked may be gone.
                self._write(content, kind, nonce, status)

        def _write(self, content: bytes, kind: str, nonce: str | None, status: HTTPStatus) -> None:
            self.send_response(status)
            for name, value in (
                ("Content-Type", kind),
                ("Content-Length", str(len(content))),
                ("Content-Security-Policy", _POLICY.format(nonce=nonce or secrets.token_hex(8))),
                ("X-Content-Type-Options", "nosniff"),
                ("Referrer-Policy", "no-referrer"),
                ("Cache-Control", "no-store"),
            ):
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            """Say nothing: URLs have the token."""

    return Handler


def serve(dataset: Any, *, title: str = "rowstream", port: int = 0) -> Viewer:
    """Show a dataset on a page of this machine, for a browser on it.

    The page has rows of any number by pages, searches and filters them, and shows figures of the
    columns, images, audio, video and chats. It is reached at the loopback address only, and by a
    URL that has a token.

    Args:
        dataset: A stream, a map-style dataset, or a dict of them by split.
        title: What stands above it.
        port: The port; any that is free if 0.

    Returns:
        A `Viewer`, whose `url` is to be opened, and which is closed by `close()`.

    Raises:
        InvalidArgumentError: It is no dataset.
        OSError: The port is in use.

    Example:
        >>> from rowstream.view import serve
        >>> with serve(Dataset.from_dict({"a": [1, 2]})) as viewer:
        ...     viewer.url.startswith("http://127.0.0.1:")
        True
    """
    splits = dataset if isinstance(dataset, dict) else {"rows": dataset}
    for ds in splits.values():
        if not isinstance(ds, (Dataset, IterableDataset)):
            raise InvalidArgumentError(
                f"serve shows a dataset, or a dict of them by split, found {type(ds).__name__}; of"
                " files, load_dataset makes one"
            )
    if not isinstance(dataset, dict):
        splits = {str(dataset.split or "rows"): dataset}
    return Viewer(splits, title, port)
