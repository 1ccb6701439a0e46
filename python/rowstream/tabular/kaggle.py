"""The base class of datasets of competitions."""

from __future__ import annotations

import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from rowstream.dataset.map_style.dataset import Dataset
from rowstream.exceptions import DataFilesNotFoundError, InvalidArgumentError, SchemaError
from rowstream.tabular.discovery import PREFIX, rebuilt
from rowstream.tabular.infer import read_csv
from rowstream.tabular.spec import DatasetSpec


class KaggleDataset(ABC):
    r"""The rows of a competition, as items for a loader: a class of your own for each.

    A subclass says how rows are read (`_load_data`), what has to be true of them
    (`_validate_data`) and what an item is (`__getitem__`). It has a length, so that torch's
    `DataLoader` takes it, its own shuffling included.

    Args:
        spec: The data of the competition.
        split: `"train"`, `"test"`, or what else the competition has.
        transform: A function of an item, which `_transformed` applies.
        cache_dir: Where downloaded files are, for subclasses that look there.

    Example:
        >>> import pathlib
        >>> from rowstream.tabular import DatasetSpec, KaggleDataset
        >>> class Houses(KaggleDataset):
        ...     def _load_data(self):
        ...         self._data = self.read_csv(f"{self.split}.csv")
        ...     def _validate_data(self):
        ...         self.require_columns(["Id", "Area"])
        ...     def __getitem__(self, index):
        ...         return self._transformed({"area": self._data[index]["Area"]})
        >>> _ = pathlib.Path("train.csv").write_text("Id,Area\n1,80\n2,60\n")
        >>> houses = Houses(DatasetSpec.infer("."), transform=lambda item: item["area"])
        >>> len(houses), [*houses]
        (2, [80, 60])
    """

    _data: Any = None

    def __init__(
        self,
        spec: DatasetSpec,
        split: str = "train",
        transform: Callable[[Any], Any] | None = None,
        cache_dir: str | os.PathLike[str] | None = None,
    ) -> None:
        if not isinstance(spec, DatasetSpec):
            raise InvalidArgumentError(
                f"{type(self).__name__}: expected a DatasetSpec, found {spec!r}"
            )
        self.spec, self.split, self.transform = spec, split, transform
        self.cache_dir = None if cache_dir is None else Path(cache_dir)
        loaded: Any = self._load_data()
        if loaded is not None:
            self._data = loaded
        if self._data is None:
            raise InvalidArgumentError(
                f"{type(self).__name__}._load_data neither sets self._data nor returns the rows"
            )
        self._validate_data()

    def __reduce__(self) -> Any:
        module = type(self).__module__
        if not module.startswith(PREFIX):
            return super().__reduce__()
        # By the path of its module, which no other process can import by name.
        file = str(sys.modules[module].__file__)
        return rebuilt, (file, type(self).__qualname__, self.__dict__)

    @abstractmethod
    def _load_data(self) -> None:
        """Read the rows of `self.split` into `self._data`, whose length is that of the dataset."""

    @abstractmethod
    def _validate_data(self) -> None:
        """Raise an error unless `self._data` is as it should be."""

    @abstractmethod
    def __getitem__(self, index: int) -> Any:
        """Return an item, such as `{"text": …, "labels": …, "metadata": {"id": …}}`."""

    def __len__(self) -> int:
        return len(self._data)

    def __iter__(self) -> Iterator[Any]:
        return (self[index] for index in range(len(self)))

    def __repr__(self) -> str:
        of = f"{self.spec.competition_name!r}, split={self.split!r}, num_rows={len(self)}"
        return f"{type(self).__name__}({of})"

    def file_name(self) -> str:
        r"""Return the name of the file of the split: as the spec says it, or such as `train.csv`.

        Example:
            >>> import pathlib
            >>> from rowstream.tabular import DatasetSpec, KaggleDataset
            >>> class Houses(KaggleDataset):
            ...     def _load_data(self):
            ...         self._data = self.read_csv()
            ...     def _validate_data(self):
            ...         pass
            ...     def __getitem__(self, index):
            ...         return self._data[index]
            >>> _ = pathlib.Path("training.csv").write_text("Id,Area\n1,80\n")
            >>> spec = DatasetSpec("h", ".", "regression", files={"train": "training.csv"})
            >>> Houses(spec).file_name()
            'training.csv'
        """
        return self.spec.files.get(self.split, f"{self.split}.csv")

    def read_csv(self, name: str | None = None, **options: Any) -> Dataset:
        """Return the rows of a CSV file of the competition's folder.

        Args:
            name: The name of the file; that of the split if `None`.
            **options: As `load_dataset("csv")` has them, such as `sep`; else those of the spec.

        Raises:
            DataFilesNotFoundError: It is not there; the message says what is.

        Example:
            >>> from rowstream.tabular import DatasetSpec, TitanicDataset
            >>> TitanicDataset(DatasetSpec("titanic", "nowhere", "binary_classification"))
            Traceback (most recent call last):
            rowstream.exceptions.DataFilesNotFoundError: there is no train.csv in nowhere...
        """
        folder, name = self.spec.dataset_path, name or self.file_name()
        if not (folder / name).is_file():
            there = sorted(file.name for file in folder.glob("*.csv")) if folder.is_dir() else []
            raise DataFilesNotFoundError(
                f"there is no {name} in {folder}"
                + (f"; there is {', '.join(there)}" if there else "")
            )
        return Dataset(read_csv(folder / name, **{**self.spec.csv_options, **options}))

    def require_columns(self, columns: Iterable[str]) -> None:
        r"""Raise an error unless `self._data` has some columns.

        Args:
            columns: The names of the columns.

        Raises:
            SchemaError: One is missing; the message names it, and those that are there.

        Example:
            >>> import pathlib
            >>> from rowstream.tabular import DatasetSpec, TitanicDataset
            >>> _ = pathlib.Path("train.csv").write_text("PassengerId,Survived\n1,0\n")
            >>> TitanicDataset(DatasetSpec("titanic", ".", "binary_classification"))
            Traceback (most recent call last):
            rowstream.exceptions.SchemaError: TitanicDataset, split 'train': the columns [...
        """
        data = self._data
        names = getattr(data, "column_names", None)
        names = getattr(data, "columns", None) if names is None else names
        there = [*(next(iter(data), {}) if names is None else names)]
        if missing := [name for name in columns if name not in there]:
            raise SchemaError(
                f"{type(self).__name__}, split {self.split!r}: the columns {missing} are missing;"
                f" there is {there}"
            )

    def _transformed(self, item: Any) -> Any:
        """Return an item as `transform` makes it."""
        return item if self.transform is None else self.transform(item)
