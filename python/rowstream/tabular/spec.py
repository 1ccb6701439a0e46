"""What a tabular competition is: its type, its files, its columns and its target."""

from __future__ import annotations

import operator
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from rowstream.exceptions import InvalidArgumentError
from rowstream.tabular.infer import inferred


class CompetitionType(StrEnum):
    """What is to be predicted.

    Example:
        >>> from rowstream.tabular import CompetitionType
        >>> CompetitionType("regression") is CompetitionType.REGRESSION
        True
    """

    BINARY_CLASSIFICATION = "binary_classification"
    MULTICLASS_CLASSIFICATION = "multiclass_classification"
    MULTILABEL_CLASSIFICATION = "multilabel_classification"
    ORDINAL_REGRESSION = "ordinal_regression"
    REGRESSION = "regression"
    RANKING = "ranking"
    TIME_SERIES = "time_series"
    OTHER = "other"

    @classmethod
    def _missing_(cls, value: object) -> Any:
        raise InvalidArgumentError(
            f"there is no competition type {value!r}; there is {', '.join(cls)}"
        )


@dataclass
class DatasetSpec:
    """The data of a competition.

    Attributes:
        competition_name: Its name.
        dataset_path: The folder of its files.
        competition_type: What is to be predicted.
        num_samples: The number of training rows.
        num_features: The number of columns that are neither target nor id.
        target_column: The column that is to be predicted; the first one, if there are several.
        id_column: The column that tells rows apart.
        text_columns, categorical_columns, numerical_columns: The features by kind.
        target_columns: All columns that are to be predicted.
        class_names: The classes of the target, as texts.
        csv_options: How the files are read, as `load_dataset("csv")` has it.
        files: The names of files, by split; others are called such as `train.csv`.

    Raises:
        InvalidArgumentError: A number is below zero, or there is no such competition type.

    Example:
        >>> from rowstream.tabular import DatasetSpec
        >>> spec = DatasetSpec("houses", "data/houses", "regression", 1460, 79, "SalePrice")
        >>> spec.competition_type.name, spec.target_columns
        ('REGRESSION', ['SalePrice'])
    """

    competition_name: str
    dataset_path: Path
    competition_type: CompetitionType
    num_samples: int = 0
    num_features: int = 0
    target_column: str | None = None
    id_column: str | None = None
    text_columns: list[str] = field(default_factory=list)
    categorical_columns: list[str] = field(default_factory=list)
    numerical_columns: list[str] = field(default_factory=list)
    target_columns: list[str] = field(default_factory=list)
    class_names: list[str] = field(default_factory=list)
    csv_options: dict[str, Any] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.dataset_path = Path(self.dataset_path).expanduser()
        self.competition_type = CompetitionType(self.competition_type)
        for name in ("num_samples", "num_features"):
            value = getattr(self, name)
            if isinstance(value, bool) or not hasattr(value, "__index__") or value < 0:
                raise InvalidArgumentError(f"{name}={value!r} is not a number of 0 or more")
            setattr(self, name, operator.index(value))
        if self.target_column is not None and not self.target_columns:
            self.target_columns = [self.target_column]

    @property
    def num_classes(self) -> int | None:
        """The number of classes; `None` if the target has none.

        Example:
            >>> from rowstream.tabular import DatasetSpec
            >>> DatasetSpec("a", ".", "binary_classification", class_names=["0", "1"]).num_classes
            2
        """
        return len(self.class_names) or None

    @classmethod
    def infer(
        cls,
        path: str | os.PathLike[str],
        *,
        competition_name: str | None = None,
        target_column: str | Sequence[str] | None = None,
        competition_type: CompetitionType | str | None = None,
        **csv_options: Any,
    ) -> DatasetSpec:
        r"""Return the specification that a CSV file says: types, target and task.

        The target is what `train.csv` has and `test.csv` beside it has not; without a test file, a
        column of a usual name (`target`, `label`, `class`, `y`), else the last one. The task
        follows from its values: two are a binary classification, texts or few whole numbers are
        classes, other numbers a regression; several targets of two values are many labels. With
        a date that is later in the test file, numbers are a time series; with a column `query_id`
        or `qid`, a ranking.

        Args:
            path: A CSV file, or a folder with `train.csv`.
            competition_name: Its name; that of the folder if `None`.
            target_column: The column, or columns, to be predicted.
            competition_type: The task, where values do not tell it.
            **csv_options: As `load_dataset("csv")` has them, such as `sep` and `encoding`.

        Raises:
            InvalidArgumentError: There is no such file or column, or no column that could be the
                target.

        Example:
            >>> import pathlib
            >>> from rowstream.tabular import DatasetSpec
            >>> path = pathlib.Path("houses.csv")
            >>> rows = ["Id,Area,Street,Price", "1,80.5,Pave,208500", "2,60,Grvl,7.5", "3,5,Grvl,8"]
            >>> _ = path.write_text("\n".join(rows))
            >>> spec = DatasetSpec.infer(path)
            >>> spec.competition_type.name, spec.target_column, spec.id_column, spec.num_features
            ('REGRESSION', 'Price', 'Id', 2)
        """
        targets = [target_column] if isinstance(target_column, str) else target_column
        task = None if competition_type is None else CompetitionType(competition_type).value
        found = inferred(Path(path).expanduser(), targets, task, **csv_options)
        folder, task = found.pop("folder"), found.pop("task")
        name = competition_name or folder.resolve().name
        return cls(name, folder, CompetitionType(task), **found, csv_options=csv_options)


@dataclass(frozen=True)
class CompetitionMetadata:
    """What a competition says of itself.

    Attributes:
        competition_name: Its name.
        competition_type: What is to be predicted.
        description: What it is about.
        evaluation_metric: How answers are scored.
        train_file, test_file: The names of its files, which a registry puts into the specification
            of the datasets that it creates.
        url: Where it is.

    Example:
        >>> from rowstream.tabular import CompetitionMetadata
        >>> CompetitionMetadata("titanic", "binary_classification").train_file
        'train.csv'
    """

    competition_name: str
    competition_type: CompetitionType
    description: str = ""
    evaluation_metric: str = ""
    train_file: str = "train.csv"
    test_file: str = "test.csv"
    url: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "competition_type", CompetitionType(self.competition_type))
