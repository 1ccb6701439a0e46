"""Docstrings have a section `Example:`; the reference knows it as `Examples:`, whose code it shows as code."""

from __future__ import annotations

from typing import Any

from griffe import Extension, Object


class ExamplesSection(Extension):
    """What griffe calls for each object that it reads."""

    def on_object(self, *, obj: Object, **_: Any) -> None:
        """Name the section as griffe does."""
        if obj.docstring is not None:
            obj.docstring.value = obj.docstring.value.replace("\nExample:\n", "\nExamples:\n")
