"""Docstrings of what is public: complete, and their examples run."""

from __future__ import annotations

import ast
import doctest
import importlib
import inspect
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import rowstream

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(rowstream.__file__).parent
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
PARSER = doctest.DocTestParser()


def public() -> Iterator[tuple[str, Any]]:
    """Classes, their methods and properties, and functions, each once."""
    seen = set()
    named = {name: getattr(rowstream, name) for name in sorted(rowstream.__all__)}
    modules = {
        name: importlib.import_module(f"rowstream.{name}")
        for name in ("chat", "evaluate", "evaluate.results", "tabular", "tasks", "webdataset")
    }
    for name, value in (named | modules).items():
        if inspect.isclass(value) and issubclass(value, BaseException):
            continue
        if inspect.isclass(value):
            yield name, value
            members = {
                f"{name}.{key}": inspect.getattr_static(value, key)
                for key in dir(value)
                if not key.startswith("_")
            }
        elif inspect.ismodule(value):
            members = {}
            for key in value.__all__:
                member = getattr(value, key)
                members[f"{name}.{key}"] = member
                if inspect.isclass(member):
                    yield f"{name}.{key}", member
                    members |= {
                        f"{name}.{key}.{of}": inspect.getattr_static(member, of)
                        for of in vars(member)
                        # What is inherited is documented where it is declared.
                        if not of.startswith("_")
                        and not any(of in vars(base) for base in member.__mro__[1:])
                    }
        else:
            members = {name: value}
        for full, member in members.items():
            of = member.fget if isinstance(member, property) else member
            of = getattr(of, "__func__", of)
            if inspect.isfunction(of) and of.__module__.startswith("rowstream") and of not in seen:
                seen.add(of)
                yield full, of


PUBLIC = dict(public())


def lacks(value: Any) -> list[str]:
    """What a docstring does not say."""
    doc = inspect.getdoc(value) or ""
    found = [] if ">>> " in doc else ["an example"]
    if len(doc.split("\n\n")[0].split()) < 4:
        found.append("a summary of more than three words")
    if inspect.isfunction(value):
        named = {
            name.lstrip("*")
            for names in re.findall(r"^    (\*{0,2}\w+(?:, \*{0,2}\w+)*):", doc, re.MULTILINE)
            for name in names.split(", ")
        }
        parameters = [
            name for name in inspect.signature(value).parameters if name not in ("self", "cls")
        ]
        found += [f"the argument {name}" for name in parameters if name not in named]
    return found


@pytest.mark.parametrize("name", PUBLIC)
def test_a_docstring_is_complete(name):
    assert not lacks(PUBLIC[name])


@pytest.mark.parametrize(
    "name", [name for name, value in PUBLIC.items() if ">>> " in (value.__doc__ or "")]
)
def test_an_example_runs(name, tmp_path, monkeypatch):
    """In an empty folder, with an empty cache, and with the names of the package."""
    monkeypatch.chdir(tmp_path)
    names = {key: getattr(rowstream, key) for key in rowstream.__all__} | {"rowstream": rowstream}
    text = inspect.getdoc(PUBLIC[name]) or ""
    example = PARSER.get_doctest(text, names, name, None, None)
    said: list[str] = []
    failed, _ = doctest.DocTestRunner(optionflags=FLAGS).run(example, out=said.append)
    assert not failed, "".join(said)


def test_docstrings_say_more_than_three_words():
    """In the whole package, what is private included."""
    short = []
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                doc = ast.get_docstring(node)
                if doc and len(doc.split()) < 4:
                    short.append(f"{path.relative_to(PACKAGE)}:{node.lineno}: {doc}")
    assert not short
