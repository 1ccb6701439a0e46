"""The loopback server of `rust/testserver`, for tests, benchmarks and the demo."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).parent.parent


def binary() -> Path:
    """The newest build of the server. Raises where there is none."""
    suffix = ".exe" if sys.platform == "win32" else ""
    built = [
        path
        for profile in ("debug", "release")
        if (path := ROOT / "target" / profile / f"rowstream-testserver{suffix}").exists()
    ]
    if not built:
        raise FileNotFoundError("the test server is not built: cargo build -p rowstream-testserver")
    return max(built, key=lambda path: path.stat().st_mtime)


class Server:
    """A server over a folder with `http/`, `s3/BUCKET/` and `hub/ORG/NAME/`. A context manager.

    Attributes:
        http, s3, hub, cdn: the URLs of its origins.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        for name in ("http", "s3", "hub"):
            (root / name).mkdir(parents=True, exist_ok=True)
        self.process = subprocess.Popen(
            [binary(), str(root)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        told = json.loads(self.process.stdout.readline())
        self.http, self.s3, self.hub, self.cdn = (
            told[name] for name in ("http", "s3", "hub", "cdn")
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends it."""
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()

    def control(self, method: str, route: str, data: Any = None) -> Any:
        """Asks the control routes."""
        body = None if data is None else json.dumps(data).encode()
        request = urllib.request.Request(
            f"{self.http}/__control__/{route}", method=method, data=body
        )
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as answer:
            return json.load(answer)

    def faults(self, *rules: dict[str, Any]) -> None:
        """Has only these faults from now on."""
        self.control("PUT", "faults", list(rules))

    def log(self) -> list[dict[str, Any]]:
        """What was asked since the log was cleared."""
        return self.control("GET", "log")

    def clear(self) -> None:
        """Forgets faults and the log."""
        self.faults()
        self.control("DELETE", "log")

    def repo(self, name: str, files: dict[str, bytes], **about: Any) -> Path:
        """Makes a repository of the Hub."""
        folder = self.root / "hub" / name
        for path, content in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(content)
        folder.mkdir(parents=True, exist_ok=True)
        if about:
            (folder / ".repo.json").write_text(json.dumps(about))
        return folder
