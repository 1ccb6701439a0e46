"""Templates by name and version, and tables and streams as text by them."""

from __future__ import annotations

import operator
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import pyarrow as pa

from rowstream.dataset.iterable.dataset import IterableDataset
from rowstream.dataset.map_style.dataset import Dataset
from rowstream.exceptions import InvalidArgumentError
from rowstream.features import Features, Value
from rowstream.tabular import text_columns
from rowstream.tabular.templates import StringTemplate, TextTemplate

_TITANIC = StringTemplate(
    "titanic",
    [
        "$Name, $Sex, age $Age, travels in class $Pclass with ticket $Ticket for a fare of $Fare,"
        " cabin $Cabin, from port $Embarked, with $SibSp siblings or spouses and $Parch parents or"
        " children.",
        "A passenger of class $Pclass: $Name ($Sex, age $Age), $SibSp siblings or spouses and"
        " $Parch parents or children aboard, embarked at $Embarked. Ticket $Ticket, fare $Fare,"
        " cabin $Cabin.",
    ],
)


class TextTemplateEngine:
    """Templates by name and version; `titanic_v1` is there.

    Args:
        seed: Which variant of a template a row gets follows from it and from what the row says.

    Raises:
        InvalidArgumentError: The seed is no whole number.

    Example:
        >>> from rowstream.tabular import StringTemplate, TextTemplateEngine
        >>> engine = TextTemplateEngine()
        >>> engine.register_template(StringTemplate("person", "$Name is $Age."))
        >>> engine.convert_data(data={"Name": "Ada", "Age": 36}, template_name="person_v1")
        'Ada is 36.'
        >>> engine.convert_data(data=[{"Name": "B", "Age": None}], template_name="person")
        ['B is unknown.']
    """

    def __init__(self, seed: int = 0) -> None:
        self.seed = _seed(seed)
        self._templates: dict[str, TextTemplate] = {_TITANIC.full_name: _TITANIC}

    def register_template(self, t: TextTemplate) -> None:
        """Make a template known by its name and version.

        Args:
            t: The template; one whose name and version are taken replaces it.

        Raises:
            InvalidArgumentError: It is no `TextTemplate`.

        Example:
            >>> from rowstream.tabular import StringTemplate, TextTemplateEngine
            >>> engine = TextTemplateEngine()
            >>> engine.register_template(StringTemplate("titanic", "$Name", version=2))
            >>> engine.list_templates()
            ['titanic_v1', 'titanic_v2']
        """
        if not isinstance(t, TextTemplate):
            raise InvalidArgumentError(f"expected a TextTemplate, found {t!r}")
        self._templates[t.full_name] = t

    def list_templates(self) -> list[str]:
        """Return the names of the templates, with their versions.

        Example:
            >>> from rowstream.tabular import TextTemplateEngine
            >>> TextTemplateEngine().list_templates()
            ['titanic_v1']
        """
        return [*self._templates]

    def get_template(self, template_name: str) -> TextTemplate:
        """Return a template, given its name.

        Args:
            template_name: Its name with the version, or without for the newest version.

        Raises:
            InvalidArgumentError: There is none of this name.

        Example:
            >>> from rowstream.tabular import TextTemplateEngine
            >>> TextTemplateEngine().get_template("titanic").version
            1
        """
        if template_name in self._templates:
            return self._templates[template_name]
        of_name = [one for one in self._templates.values() if one.name == template_name]
        if not of_name:
            raise InvalidArgumentError(
                f"there is no template {template_name!r}; there is {', '.join(self._templates)},"
                " and register_template"
            )
        return max(of_name, key=lambda one: one.version)

    def convert_data(self, data: Any, template_name: str) -> Any:
        """Return the text of a row, or the texts of a table or stream, in its order.

        Args:
            data: A row; a pandas or Polars frame, an Arrow table, a list of rows; a `Dataset` or
                an `IterableDataset`.
            template_name: The template, as in `get_template`.

        Returns:
            A text for a row; a list of texts for a frame, table or list; a dataset or stream with
            the column `text` for those.

        Raises:
            InvalidArgumentError: There is no such template, or a column that it takes is missing.

        Example:
            >>> from rowstream.tabular import StringTemplate, TextTemplateEngine
            >>> engine = TextTemplateEngine()
            >>> engine.register_template(StringTemplate("person", "I am $Name."))
            >>> ds = Dataset.from_dict({"Name": ["Ada", "Emmy"]})
            >>> engine.convert_data(data=ds, template_name="person")[1]
            {'Name': 'Emmy', 'text': 'I am Emmy.'}
        """
        converter = TabularTextConverter(self.get_template(template_name), seed=self.seed)
        row = isinstance(data, Mapping)
        return converter.convert_row(data) if row else converter.convert_data(data)


class TabularTextConverter:
    """Makes text of rows by a template.

    Args:
        template: A template, or the name of one of the engine.
        engine: Where names are looked up; one with the templates that are there if `None`.
        seed: Which variant of the template a row gets follows from it and from what the row says:
            the same row has the same text wherever it stands, on any number of workers.
        text_column: What the column of texts is called, in datasets and streams.

    Raises:
        InvalidArgumentError: There is no such template, or the seed is no whole number.

    Example:
        >>> from rowstream.tabular import StringTemplate, TabularTextConverter
        >>> converter = TabularTextConverter(StringTemplate("person", "I am $Name."))
        >>> converter.convert_row({"Name": "Ada"})
        'I am Ada.'
        >>> ds = Dataset.from_dict({"Name": ["Ada", "Emmy"]}).to_iterable_dataset()
        >>> [row["text"] for row in converter.convert_data(ds)]
        ['I am Ada.', 'I am Emmy.']
    """

    def __init__(
        self,
        template: TextTemplate | str,
        engine: TextTemplateEngine | None = None,
        *,
        seed: int = 0,
        text_column: str = "text",
    ) -> None:
        if isinstance(template, str):
            template = (engine or TextTemplateEngine()).get_template(template)
        self.template, self.seed, self.text_column = template, _seed(seed), text_column

    def convert_row(self, row: Mapping[str, Any]) -> str:
        """Return the text of a row.

        Args:
            row: Values by column.

        Raises:
            InvalidArgumentError: A column that the template takes is missing.

        Example:
            >>> from rowstream.tabular import StringTemplate, TabularTextConverter
            >>> TabularTextConverter(StringTemplate("one", "<$a>")).convert_row({"a": 1.5})
            '<1.5>'
        """
        given: Any = row
        if hasattr(given, "to_dict"):
            row = given.to_dict()  # a row of pandas
        elif not isinstance(given, Mapping):
            raise InvalidArgumentError(
                f"expected a row, a dict, found a {type(row).__name__}; convert_data takes tables"
            )
        self.template.check([*row])
        return text_columns.rendered(self.template, row, self.seed)

    def convert_data(self, data: Any) -> Any:
        """Return the texts of a table or stream, in its order.

        Args:
            data: A pandas or Polars frame, an Arrow table, or a list of rows; a `Dataset` or an
                `IterableDataset`.

        Returns:
            A list of texts; or the dataset or stream with the column of texts added.

        Raises:
            InvalidArgumentError: A column that the template takes is missing.

        Example:
            >>> import pyarrow as pa
            >>> from rowstream.tabular import StringTemplate, TabularTextConverter
            >>> converter = TabularTextConverter(StringTemplate("one", "<$a>"))
            >>> converter.convert_data(pa.table({"a": [1, None]}))
            ['<1>', '<unknown>']
        """
        if isinstance(data, (Dataset, IterableDataset)):
            names = data.column_names
            if names and self.text_column in names:
                raise InvalidArgumentError(
                    f"there is a column {self.text_column!r} already; text_column= calls the texts"
                    " otherwise"
                )
            if names:
                self.template.check(names)
        if isinstance(data, Dataset):
            texts = [chunk for part in self._of_dataset(data) for chunk in part.chunks]
            return data.add_column(self.text_column, pa.chunked_array(texts, pa.string()))
        if isinstance(data, IterableDataset):
            return self._of_stream(data)
        if isinstance(data, (str, bytes, Mapping)):
            raise InvalidArgumentError(
                f"expected a table, list of rows, dataset or stream, found a {type(data).__name__};"
                " convert_row takes one row"
            )
        cells = text_columns.cells_of(data, self.template.fields)
        return text_columns.texts(self.template, cells, self.seed).to_pylist()

    def _of_dataset(self, data: Dataset) -> Iterator[Any]:
        fields, size = self.template.fields, len(data)
        if fields is not None:
            data = data.select_columns([name for name in fields if name in data.column_names])
        data = data.with_format("arrow")
        for start in range(0, size, _BATCH):
            upto = min(start + _BATCH, size)
            table = data[start:upto] if data.column_names else pa.table({})
            cells = text_columns.cells_of(table, fields)._replace(size=upto - start)
            yield text_columns.texts(self.template, cells, self.seed)

    def _of_stream(self, data: IterableDataset) -> IterableDataset:
        add = partial(_with_texts, self.template, self.seed, self.text_column)
        features = data.features
        if features is not None:
            features = Features({**features, self.text_column: Value("string")})
        made = data.with_format("arrow").map(add, batched=True, features=features)
        return made.with_format(data._format)


_BATCH = 100_000


def _seed(seed: Any) -> int:
    try:
        return operator.index(seed)
    except TypeError:
        raise InvalidArgumentError(f"seed={seed!r} is no whole number") from None


def _with_texts(template: TextTemplate, seed: int, name: str, table: Any) -> Any:
    cells = text_columns.cells_of(table, template.fields)._replace(size=len(table))
    return table.append_column(name, text_columns.texts(template, cells, seed))
