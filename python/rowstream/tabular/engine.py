"""Templates by name and version, and tables and streams as text by them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from rowstream.dataset.iterable.dataset import IterableDataset
from rowstream.dataset.map_style.dataset import Dataset
from rowstream.exceptions import InvalidArgumentError
from rowstream.tabular import text_columns
from rowstream.tabular.templates import StringTemplate, TextTemplate, variant_of

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
        seed: Which variant of a template a row gets follows from it and from the row's number.

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
        self.seed = seed
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
        return (
            converter.convert_row(data)
            if isinstance(data, Mapping)
            else converter.convert_data(data)
        )


class TabularTextConverter:
    """Makes text of rows by a template.

    Args:
        template: A template, or the name of one of the engine.
        engine: Where names are looked up; one with the templates that are there if `None`.
        seed: Which variant of the template a row gets follows from it and from the row's number.
        text_column: What the column of texts is called, in datasets and streams.

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
        self.template, self.seed, self.text_column = template, seed, text_column

    def convert_row(self, row: Mapping[str, Any], index: int = 0) -> str:
        """Return the text of a row.

        Args:
            row: Values by column.
            index: The number of the row, from which its variant follows.

        Raises:
            InvalidArgumentError: A column that the template takes is missing.

        Example:
            >>> from rowstream.tabular import StringTemplate, TabularTextConverter
            >>> TabularTextConverter(StringTemplate("one", "<$a>")).convert_row({"a": 1.5})
            '<1.5>'
        """
        variant = variant_of(self.seed, index, self.template.variants)
        return self.template.render(row, variant)

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
        if isinstance(data, Dataset):
            table = data.with_format("arrow")[:]
            return data.add_column(self.text_column, self._texts(table))
        if isinstance(data, IterableDataset):
            if data.column_names:
                self.template.check(data.column_names)
            add = partial(_with_texts, self.template, self.seed, self.text_column)
            tables = data.with_format("arrow").map(add, batched=True, with_indices=True)
            return tables.with_format(None)
        if isinstance(data, (str, bytes, Mapping)):
            raise InvalidArgumentError(
                f"expected a table, list of rows, dataset or stream, found a {type(data).__name__};"
                " convert_row takes one row"
            )
        return self._texts(text_columns.table_of(data, self.template.fields)).to_pylist()

    def _texts(self, table: Any) -> Any:
        return text_columns.texts(self.template, table, range(len(table)), self.seed)


def _with_texts(
    template: TextTemplate, seed: int, name: str, table: Any, indices: Sequence[int]
) -> Any:
    return table.append_column(name, text_columns.texts(template, table, indices, seed))
