"""Titanic, as Kaggle has it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rowstream.exceptions import DataFilesNotFoundError
from rowstream.tabular.engine import TabularTextConverter
from rowstream.tabular.kaggle import KaggleDataset
from rowstream.tabular.spec import CompetitionMetadata, CompetitionType, DatasetSpec

METADATA = CompetitionMetadata(
    competition_name="titanic",
    competition_type=CompetitionType.BINARY_CLASSIFICATION,
    description="Which passengers survived the shipwreck.",
    evaluation_metric="accuracy",
    url="https://www.kaggle.com/competitions/titanic",
)
_COLUMNS = (
    *("PassengerId", "Pclass", "Name", "Sex", "Age", "SibSp", "Parch", "Ticket", "Fare"),
    *("Cabin", "Embarked"),
)


def kagglehub_folder(competition: str, cache_dir: str | os.PathLike[str] | None = None) -> Path:
    """Return where kagglehub keeps the files of a competition."""
    cache = cache_dir or os.environ.get("KAGGLEHUB_CACHE") or "~/.cache/kagglehub"
    return Path(cache).expanduser() / "competitions" / competition


class TitanicDataset(KaggleDataset):
    r"""The passengers of the Titanic: their rows as text, and whether they survived.

    Reads `train.csv` and `test.csv` as Kaggle has them, from your folder or from the cache of
    kagglehub, where `kagglehub.competition_download("titanic")` puts them.

    Args:
        spec: With the folder as `dataset_path`; if `None`, the cache of kagglehub.
        split: `"train"` or `"test"`, whose items have no labels.
        transform: A function of an item.
        cache_dir: The cache of kagglehub, if it is not `$KAGGLEHUB_CACHE` or the usual one.
        template: The template that makes text, or its name.
        seed: The seed by which variants of the template are chosen.

    Raises:
        DataFilesNotFoundError: The files are in neither place.
        SchemaError: A column is missing.

    Example:
        >>> import pathlib
        >>> from rowstream.tabular import DatasetSpec, TitanicDataset
        >>> columns = "PassengerId,Survived,Pclass,Name,Sex,Age,SibSp,Parch,Ticket,Fare,Cabin"
        >>> row = '1,0,3,"Braund, Mr. Owen",male,22,1,0,A/5 21171,7.25,'
        >>> _ = pathlib.Path("train.csv").write_text(f"{columns},Embarked\n{row},S\n")
        >>> ds = TitanicDataset(DatasetSpec("titanic", ".", "binary_classification"))
        >>> ds[0]["labels"], ds[0]["metadata"], ds[0]["text"][:22]
        (0, {'id': 1}, 'Braund, Mr. Owen, male')
    """

    def __init__(
        self,
        spec: DatasetSpec | None = None,
        split: str = "train",
        transform: Callable[[Any], Any] | None = None,
        cache_dir: str | os.PathLike[str] | None = None,
        *,
        template: Any = "titanic_v1",
        seed: int = 0,
    ) -> None:
        self._converter = TabularTextConverter(template, seed=seed)
        if spec is None:
            spec = DatasetSpec(
                "titanic", kagglehub_folder("titanic", cache_dir), METADATA.competition_type
            )
        super().__init__(spec, split, transform, cache_dir)

    def _load_data(self) -> None:
        try:
            self._data = self.read_csv()
        except DataFilesNotFoundError as e:
            raise DataFilesNotFoundError(
                f"{e}. Download it by kagglehub.competition_download('titanic') or by kaggle"
                " competitions download -c titanic, and give the folder as dataset_path"
            ) from None

    def _validate_data(self) -> None:
        self.require_columns(_COLUMNS if self.split == "test" else (*_COLUMNS, "Survived"))

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(len(self))[index]]
        row = self._data[range(len(self))[index]]
        item: dict[str, Any] = {"text": self._converter.convert_row(row)}
        if "Survived" in row:
            item["labels"] = row["Survived"]
        item["metadata"] = {"id": row["PassengerId"]}
        return self._transformed(item)
