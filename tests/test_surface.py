"""Every public name of `datasets`, its parameters and their defaults: there are ours, or the reason why not stands here."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.surface import named, parameters

SURFACE = json.loads((Path(__file__).parent / "surface.json").read_text())

# What is not as in `datasets`, and why.
OTHERWISE = {
    "IterableDataset()": "streams are made by load_dataset and from_*; those of `datasets` are built of iterables of its own",
}


def compared(where: str, theirs: dict[str, str | None] | None, of: object) -> list[str]:
    """What our parameters lack of theirs."""
    ours = parameters(of)
    if theirs is None or ours is None:
        return []
    wrong = []
    for name, default in theirs.items():
        if name not in ours:
            # Names of their own for what takes all else do not matter.
            if not (
                name.startswith("*")
                and any(one.startswith(name[: name.count("*")]) for one in ours)
            ):
                wrong.append(f"{where}: no parameter {name}")
        elif (
            default is not None
            and ours[name] != default
            and "factory" not in f"{default}{ours[name]}"
        ):
            wrong.append(f"{where}: {name} is {ours[name]} by default, not {default}")
    shared = [name for name in theirs if name in ours and not name.startswith("*")]
    if shared != [name for name in ours if name in shared]:
        wrong.append(
            f"{where}: the parameters have another order, {[name for name in ours if name in shared]} and not {shared}"
        )
    wrong += [
        f"{where}: {name} has no default, and is no parameter of theirs"
        for name, d in ours.items()
        if d is None and name not in theirs and "*" not in name
    ]
    return wrong


@pytest.mark.parametrize("name", [name for name in SURFACE if name not in OTHERWISE])
def test_a_name(name):
    theirs, ours = SURFACE[name], named("rowstream", name)
    assert ours is not None, f"there is no {name}"
    wrong = [] if f"{name}()" in OTHERWISE else compared(f"{name}()", theirs["parameters"], ours)
    for method, of in theirs.get("methods", {}).items():
        if hasattr(ours, method):
            wrong += compared(f"{name}.{method}()", of, getattr(ours, method))
        else:
            wrong.append(f"{name}.{method}() is missing")
    known = (
        {*dir(ours), *getattr(ours, "__dataclass_fields__", {})} if inspect.isclass(ours) else set()
    )
    wrong += [
        f"{name}.{one} is missing"
        for one in theirs.get("attributes", [])
        if one not in known and f"{name}.{one}" not in OTHERWISE
    ]
    assert not wrong, "\n".join(wrong)


def test_what_is_otherwise_is():
    """A reason that is no longer needed goes."""
    for entry in OTHERWISE:
        name, _, member = entry.removesuffix("()").partition(".")
        ours = named("rowstream", name)
        assert ours is None or entry.endswith("()") or not hasattr(ours, member)


def test_names_may_be_asked_for_first_by_several_threads():
    code = """
import threading, rowstream
names = "DatasetDict load_dataset Dataset IterableDataset Features concatenate_datasets Image".split()
barrier, failed = threading.Barrier(len(names)), []
def ask(name):
    barrier.wait()
    try:
        getattr(rowstream, name)
    except BaseException as error:
        failed.append((name, error))
threads = [threading.Thread(target=ask, args=(name,)) for name in names]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
assert not failed, failed
assert not hasattr(rowstream, "a.b")
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
