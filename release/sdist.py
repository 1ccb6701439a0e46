"""Make the source distribution: `make sdist`. It builds where no network is, for the crates are in it."""

from __future__ import annotations

import gzip
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

CONFIG = """[source.crates-io]
replace-with = "vendored-sources"

[source.vendored-sources]
directory = "vendor"
"""


def main(out: Path) -> Path:
    """Make `rowstream-<version>.tar.gz` in a folder, from the sources beside this file, and return its path.

    What maturin makes lacks the crates, and its lock file still names those of the crates that are only tested with:
    cargo, which must not change it, would refuse it.
    """
    with tempfile.TemporaryDirectory() as folder:
        run("maturin", "sdist", "--out", folder, cwd=Path(__file__).parents[1])
        (archive,) = Path(folder).glob("*.tar.gz")
        with tarfile.open(archive) as tar:
            tar.extractall(folder, filter="data")
        root = Path(folder, archive.name.removesuffix(".tar.gz"))
        run("cargo", "metadata", "--format-version=1", cwd=root)
        run("cargo", "vendor", "--quiet", "--locked", "--versioned-dirs", "vendor", cwd=root)
        (root / ".cargo").mkdir()
        (root / ".cargo" / "config.toml").write_text(CONFIG)
        return packed(root, out / archive.name)


def run(*command: str, cwd: Path) -> None:
    """Run a command, without what it prints beside its errors."""
    subprocess.run(command, cwd=cwd, stdout=subprocess.DEVNULL, check=True)


def packed(root: Path, target: Path) -> Path:
    """Pack a folder, the same bytes for the same files, and return the archive."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with (
        gzip.GzipFile(target, "wb", mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w") as tar,
    ):
        for path in sorted(root.rglob("*")):
            if path.is_file():
                tar.add(path, f"{root.name}/{path.relative_to(root)}", filter=plain)
    return target


def plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Leave out who had a file, and when."""
    member.uid = member.gid = member.mtime = 0
    member.uname = member.gname = ""
    member.mode = 0o755 if member.mode & 0o100 else 0o644
    return member


if __name__ == "__main__":
    if shutil.which("cargo") is None:
        sys.exit("cargo is needed for the crates: https://rustup.rs")
    print(main(Path(*sys.argv[1:] or ["dist"])))
