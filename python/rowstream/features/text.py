"""JSON values and translations."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, ClassVar

from rowstream.arrow.json_text import dumps
from rowstream.features.nested import List
from rowstream.features.scalar import Value, type_field


@dataclass
class Json:
    """Any JSON value, stored as its text: lists of mixed types, objects with fields of their own.

    Example:
        >>> values = [0, "foo", {"b": "bar"}]
        >>> ds = Dataset.from_dict({"a": values}, features=Features({"a": Json()}))
        >>> ds[2]
        {'a': {'b': 'bar'}}
    """

    decode: bool = True
    id: str | None = field(default=None, repr=False)
    _type: str = type_field("Json")

    @property
    def pa_type(self) -> Any:
        """The pyarrow type."""
        import pyarrow as pa

        if not hasattr(pa, "json_"):
            raise NotImplementedError("the Json type needs a newer pyarrow: pip install -U pyarrow")
        return pa.json_()

    def __call__(self) -> Any:
        """Return the pyarrow type."""
        return self.pa_type

    def encode_example(self, example_data: Any) -> str | None:
        """Return a value as its JSON text; text that is JSON stays."""
        if example_data is None:
            return None
        if isinstance(example_data, str):
            try:
                json.loads(example_data)
            except ValueError:
                return json.dumps(example_data, ensure_ascii=False)
            return example_data
        return dumps(example_data)

    def decode_example(self, example_data: Any, token_per_repo_id: Any = None) -> Any:
        """Return the value of a JSON text."""
        if not self.decode:
            raise RuntimeError(
                "Decoding is disabled for this feature. Please use Json(decode=True) instead."
            )
        return None if example_data is None else json.loads(example_data)

    def cast_storage(self, storage: Any) -> Any:
        """Return a pyarrow array of any type as one of JSON texts."""
        from rowstream.arrow.cast import json_storage

        return json_storage(storage, self)


@dataclass
class Translation:
    """The same text in several languages: a dict of them.

    Example:
        >>> Features({"translation": Translation(languages=["en", "de"])})
    """

    languages: list[str]
    id: str | None = field(default=None, repr=False)
    _type: str = type_field("Translation")

    dtype: ClassVar[str] = "dict"

    __hash__ = object.__hash__

    @property
    def pa_type(self) -> Any:
        """The pyarrow type."""
        import pyarrow as pa

        return pa.struct({language: pa.string() for language in sorted(self.languages)})

    def __call__(self) -> Any:
        """Return the pyarrow type."""
        return self.pa_type

    def flatten(self) -> dict[str, Value]:
        """Return a feature for each language."""
        return {language: Value("string") for language in sorted(self.languages)}


@dataclass
class TranslationVariableLanguages:
    """A text in languages that differ from row to row, and may have several texts each.

    Example:
        >>> Features({"translation": TranslationVariableLanguages(languages=["en", "de", "fr"])})
    """

    languages: list[str] | None = None
    num_languages: int | None = None
    id: str | None = field(default=None, repr=False)
    _type: str = type_field("TranslationVariableLanguages")

    dtype: ClassVar[str] = "dict"

    __hash__ = object.__hash__

    def __post_init__(self) -> None:
        """Sorts the languages."""
        self.languages = sorted(set(self.languages)) if self.languages else None
        self.num_languages = len(self.languages) if self.languages else None

    @property
    def pa_type(self) -> Any:
        """The pyarrow type."""
        import pyarrow as pa

        return pa.struct({"language": pa.list_(pa.string()), "translation": pa.list_(pa.string())})

    def __call__(self) -> Any:
        """Return the pyarrow type."""
        return self.pa_type

    def encode_example(self, translation_dict: Any) -> dict[str, Any]:
        """Return a dict of languages and texts as two lists, by language and text."""
        if set(translation_dict) == {"language", "translation"}:
            return translation_dict
        if self.languages and (unknown := set(translation_dict) - set(self.languages)):
            raise ValueError(
                f"languages {', '.join(sorted(unknown))} are not among those that were declared:"
                f" {', '.join(self.languages)}"
            )
        texts = [
            (language, text)
            for language, of in translation_dict.items()
            for text in ([of] if isinstance(of, str) else of)
        ]
        languages, translations = zip(*sorted(texts), strict=True) if texts else ((), ())
        return {"language": languages, "translation": translations}

    def flatten(self) -> dict[str, List]:
        """Return the two lists."""
        return {"language": List(Value("string")), "translation": List(Value("string"))}
