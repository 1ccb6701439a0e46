"""Features of JSON values and translations."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from rowstream.arrow.json_text import dumps
from rowstream.features.nested import List
from rowstream.features.scalar import Value, type_field

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass
class Json:
    """The feature of any JSON values, such as mixed lists or objects with different fields.

    The values are stored as JSON text. With `decode=False`, rows have this text.

    Args:
        decode: Return the values instead of their JSON text.
        id: A free text that is kept with the feature, as in `datasets`.

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
    def pa_type(self) -> pa.DataType:
        """The pyarrow type of JSON texts, an extension type.

        Raises:
            NotImplementedError: The installed pyarrow is too old to have it.

        Example:
            >>> Json().pa_type
            JsonType(extension<arrow.json>)
        """
        import pyarrow as pa

        if not hasattr(pa, "json_"):
            raise NotImplementedError("the Json type needs a newer pyarrow: pip install -U pyarrow")
        return pa.json_()

    def __call__(self) -> pa.DataType:
        """Return the pyarrow type."""
        return self.pa_type

    def encode_example(self, example_data: Any) -> str | None:
        """Return the JSON text of a value; a string that is JSON text already is kept.

        Args:
            example_data: The value.

        Raises:
            TypeError: The value has a part that JSON can't represent.

        Example:
            >>> Json().encode_example({"a": [1, "x"]})
            '{"a":[1,"x"]}'
            >>> Json().encode_example("no JSON")
            '"no JSON"'
        """
        if example_data is None:
            return None
        if isinstance(example_data, str):
            try:
                json.loads(example_data)
            except ValueError:
                return json.dumps(example_data, ensure_ascii=False)
            return example_data
        return dumps(example_data)

    def decode_example(
        self, example_data: Any, token_per_repo_id: Any = None
    ) -> dict[str, Any] | None:
        """Return the value of a JSON text.

        Args:
            example_data: The JSON text, or `None`.
            token_per_repo_id: Accepted and ignored.

        Raises:
            RuntimeError: The feature has `decode=False`.
            ValueError: The text is not JSON.

        Example:
            >>> Json().decode_example('{"a": [1, "x"]}')
            {'a': [1, 'x']}
        """
        if not self.decode:
            raise RuntimeError(
                "Decoding is disabled for this feature. Please use Json(decode=True) instead."
            )
        return None if example_data is None else json.loads(example_data)

    def cast_storage(self, storage: Any) -> Any:
        """Convert a pyarrow array of any type to an array of JSON texts.

        Args:
            storage: A pyarrow array.

        Example:
            >>> import pyarrow as pa
            >>> Json().cast_storage(pa.array([[1, 2], None])).to_pylist()
            ['[1,2]', None]
        """
        from rowstream.arrow.cast import json_storage

        return json_storage(storage, self)


@dataclass
class Translation:
    """The feature of texts in a fixed set of languages, as a dict with one text per language.

    A language that a row lacks is `None`.

    Args:
        languages: The codes of the languages.
        id: A free text that is kept with the feature, as in `datasets`.

    Example:
        >>> features = Features({"translation": Translation(languages=["en", "de"])})
        >>> rows = [{"translation": {"en": "the cat", "de": "die Katze"}}]
        >>> Dataset.from_list(rows, features=features)[0]
        {'translation': {'de': 'die Katze', 'en': 'the cat'}}
    """

    languages: list[str]
    id: str | None = field(default=None, repr=False)
    _type: str = type_field("Translation")

    dtype: ClassVar[str] = "dict"

    __hash__ = object.__hash__

    @property
    def pa_type(self) -> pa.DataType:
        """The pyarrow type, a struct with a string for each language.

        Example:
            >>> Translation(languages=["en", "de"]).pa_type
            StructType(struct<de: string, en: string>)
        """
        import pyarrow as pa

        return pa.struct({language: pa.string() for language in sorted(self.languages)})

    def __call__(self) -> pa.DataType:
        """Return the pyarrow type."""
        return self.pa_type

    def flatten(self) -> dict[str, Value]:
        """Return a dict with a string feature for each language.

        Example:
            >>> Translation(languages=["en", "de"]).flatten()
            {'de': Value('string'), 'en': Value('string')}
        """
        return {language: Value("string") for language in sorted(self.languages)}


@dataclass
class TranslationVariableLanguages:
    """The feature of texts in languages that differ between rows, with several texts per language.

    Rows are given as a dict of languages and texts, and stored as two lists of the same length.

    Args:
        languages: The codes of the languages that may occur; any if `None`.
        num_languages: Accepted; the number of `languages` is used.
        id: A free text that is kept with the feature, as in `datasets`.

    Example:
        >>> languages = ["en", "de", "fr"]
        >>> features = Features({"text": TranslationVariableLanguages(languages=languages)})
        >>> rows = [{"text": {"en": "the cat", "fr": ["le chat", "la chatte"]}}]
        >>> Dataset.from_list(rows, features=features)[0]["text"]["translation"]
        ['the cat', 'la chatte', 'le chat']
    """

    languages: list[str] | None = None
    num_languages: int | None = None
    id: str | None = field(default=None, repr=False)
    _type: str = type_field("TranslationVariableLanguages")

    dtype: ClassVar[str] = "dict"

    __hash__ = object.__hash__

    def __post_init__(self) -> None:
        """Sort the languages and count them."""
        self.languages = sorted(set(self.languages)) if self.languages else None
        self.num_languages = len(self.languages) if self.languages else None

    @property
    def pa_type(self) -> pa.DataType:
        """The pyarrow type, a struct of a list of languages and a list of texts.

        Example:
            >>> TranslationVariableLanguages(languages=["en", "de"]).pa_type
            StructType(struct<language: list<item: string>, translation: list<item: string>>)
        """
        import pyarrow as pa

        return pa.struct({"language": pa.list_(pa.string()), "translation": pa.list_(pa.string())})

    def __call__(self) -> pa.DataType:
        """Return the pyarrow type."""
        return self.pa_type

    def encode_example(self, translation_dict: Any) -> dict[str, Any]:
        """Convert a dict of languages and texts to two lists, sorted by language and text.

        Args:
            translation_dict: A dict from a language to its text or a list of texts, or a dict that
                has the two lists already.

        Raises:
            ValueError: A language is not among `languages`.

        Example:
            >>> feature = TranslationVariableLanguages(languages=["en", "fr"])
            >>> feature.encode_example({"en": "the cat", "fr": ["le chat", "la chatte"]})
            {'language': ('en', 'fr', 'fr'), 'translation': ('the cat', 'la chatte', 'le chat')}
        """
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
        """Return a dict with a feature for each of the two lists.

        Example:
            >>> TranslationVariableLanguages(languages=["en", "fr"]).flatten()
            {'language': List(Value('string')), 'translation': List(Value('string'))}
        """
        return {"language": List(Value("string")), "translation": List(Value("string"))}
