"""Competitions by name: those that are known, those of other packages, and your own."""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rowstream.exceptions import InvalidArgumentError
from rowstream.tabular import titanic
from rowstream.tabular.discovery import module_at, module_files
from rowstream.tabular.kaggle import KaggleDataset
from rowstream.tabular.spec import CompetitionMetadata, CompetitionType, DatasetSpec
from rowstream.utils.plugins import offered

ENTRY_POINTS = "rowstream.tabular"


@dataclass
class _Known:
    metadata: CompetitionMetadata | None = None
    spec: DatasetSpec | None = None
    dataset_class: type[KaggleDataset] | None = None


class DatasetRegistry:
    """Competitions with what is known of them; `titanic` is there.

    Packages make classes known by entry points of the group `rowstream.tabular`: the name of a
    competition, and a subclass of `KaggleDataset`.

    Example:
        >>> from rowstream.tabular import CompetitionMetadata, DatasetRegistry, DatasetSpec
        >>> registry = DatasetRegistry()
        >>> registry.register_competition(
        ...     "houses",
        ...     CompetitionMetadata("houses", "regression"),
        ...     DatasetSpec("houses", "data/houses", "regression"),
        ... )
        >>> registry.list_competitions()
        ['houses', 'titanic']
        >>> registry.search_competitions(competition_type="regression")
        ['houses']
    """

    def __init__(self) -> None:
        self._known: dict[str, _Known] = {
            "titanic": _Known(titanic.METADATA, dataset_class=titanic.TitanicDataset)
        }
        for name, dataset_class in offered(ENTRY_POINTS):
            _check_class(dataset_class)
            self._known[name] = _Known(dataset_class=dataset_class)

    def register_competition(
        self,
        competition_name: str,
        metadata: CompetitionMetadata,
        spec: DatasetSpec,
        dataset_class: type[KaggleDataset] | None = None,
    ) -> None:
        """Make a competition known, or say more of one that is.

        Args:
            competition_name: Its name.
            metadata: What it says of itself.
            spec: Its data.
            dataset_class: The class of its dataset; the one that is known if `None`.

        Raises:
            InvalidArgumentError: An argument is of another type.

        Example:
            >>> from rowstream.tabular import CompetitionMetadata, DatasetRegistry, DatasetSpec
            >>> registry = DatasetRegistry()
            >>> meta = CompetitionMetadata("houses", "regression", evaluation_metric="RMSE")
            >>> spec = DatasetSpec("houses", ".", "regression")
            >>> registry.register_competition("houses", meta, spec)
            >>> registry.get_metadata("houses").evaluation_metric
            'RMSE'
        """
        if not isinstance(competition_name, str) or not competition_name:
            raise InvalidArgumentError(f"a competition has a name, found {competition_name!r}")
        for value, kind in ((metadata, CompetitionMetadata), (spec, DatasetSpec)):
            if not isinstance(value, kind):
                raise InvalidArgumentError(f"expected a {kind.__name__}, found {value!r}")
        if metadata.competition_type != spec.competition_type:
            raise InvalidArgumentError(
                f"{competition_name!r} is a {metadata.competition_type} by its metadata, and a"
                f" {spec.competition_type} by its specification"
            )
        if dataset_class is None and competition_name in self._known:
            dataset_class = self._known[competition_name].dataset_class
        _check_class(dataset_class)
        self._known[competition_name] = _Known(metadata, spec, dataset_class)

    def list_competitions(self) -> list[str]:
        """Return the names of the competitions, sorted.

        Example:
            >>> from rowstream.tabular import DatasetRegistry
            >>> DatasetRegistry().list_competitions()
            ['titanic']
        """
        return sorted(self._known)

    def search_competitions(
        self, query: str = "", *, competition_type: CompetitionType | str | None = None
    ) -> list[str]:
        """Return the names of the competitions of a type, or that have some words.

        Args:
            query: Words, all of which its name, description or metric has, whatever the case.
            competition_type: What is to be predicted.

        Raises:
            InvalidArgumentError: There is no such competition type.

        Example:
            >>> from rowstream.tabular import CompetitionType, DatasetRegistry
            >>> DatasetRegistry().search_competitions(
            ...     "shipwreck", competition_type=CompetitionType.BINARY_CLASSIFICATION
            ... )
            ['titanic']
        """
        kind = None if competition_type is None else CompetitionType(competition_type)
        words = query.casefold().split()
        return [
            name
            for name in self.list_competitions()
            if kind in (None, self._kind(name))
            and all(word in self._described(name) for word in words)
        ]

    def get_metadata(self, competition_name: str) -> CompetitionMetadata:
        """Return what a competition says of itself.

        Args:
            competition_name: Its name.

        Raises:
            InvalidArgumentError: It is not known, or no metadata are.

        Example:
            >>> from rowstream.tabular import DatasetRegistry
            >>> DatasetRegistry().get_metadata("titanic").evaluation_metric
            'accuracy'
        """
        found: CompetitionMetadata = self._get(competition_name, "metadata")
        return found

    def get_spec(self, competition_name: str) -> DatasetSpec:
        """Return the data of a competition.

        Args:
            competition_name: Its name.

        Raises:
            InvalidArgumentError: It is not known, or no specification is.

        Example:
            >>> from rowstream.tabular import CompetitionMetadata, DatasetRegistry, DatasetSpec
            >>> registry = DatasetRegistry()
            >>> spec = DatasetSpec("houses", ".", "regression", num_samples=1460)
            >>> meta = CompetitionMetadata("houses", "regression")
            >>> registry.register_competition("houses", meta, spec)
            >>> registry.get_spec("houses").num_samples
            1460
        """
        found: DatasetSpec = self._get(competition_name, "spec")
        return found

    def get_dataset_class(self, competition_name: str) -> type[KaggleDataset]:
        """Return the class of a competition's dataset.

        Args:
            competition_name: Its name.

        Raises:
            InvalidArgumentError: It is not known, or no class is.

        Example:
            >>> from rowstream.tabular import DatasetRegistry
            >>> DatasetRegistry().get_dataset_class("titanic").__name__
            'TitanicDataset'
        """
        found: type[KaggleDataset] = self._get(competition_name, "dataset_class")
        return found

    def create_dataset(
        self, competition_name: str, split: str = "train", **options: Any
    ) -> KaggleDataset:
        """Return the dataset of a competition: its class, made from its specification.

        Args:
            competition_name: Its name.
            split: The split.
            **options: For the class, such as `transform` and `spec`.

        Raises:
            InvalidArgumentError: It is not known, or no class or specification is.

        Example:
            >>> from rowstream.tabular import DatasetRegistry
            >>> DatasetRegistry().create_dataset("titanic", cache_dir="nowhere")
            Traceback (most recent call last):
            rowstream.exceptions.DataFilesNotFoundError: there is no train.csv in nowhere...
        """
        dataset_class = self.get_dataset_class(competition_name)
        known = self._known[competition_name]
        if "spec" not in options:
            if known.spec is not None:
                options["spec"] = known.spec
            elif _needs_spec(dataset_class):
                self.get_spec(competition_name)
        if known.metadata is not None and isinstance(options.get("spec"), DatasetSpec):
            files = {"train": known.metadata.train_file, "test": known.metadata.test_file}
            options["spec"] = replace(options["spec"], files={**files, **options["spec"].files})
        return dataset_class(split=split, **options)

    def discover(self, folder: str | os.PathLike[str]) -> list[str]:
        """Make the classes of a folder known: subclasses of `KaggleDataset` called `…Dataset`.

        Modules called `*_dataset.py`, and all in a folder `datasets/`, are imported, so that their
        code runs; hidden folders and virtual environments are passed over. A competition is called
        what the class says as `competition_name`, or as the class: `HousePricesDataset` is
        `house_prices`.

        Args:
            folder: Where to look, folders in it included.

        Returns:
            The names of the competitions that were found, sorted.

        Raises:
            InvalidArgumentError: There is no such folder, a module cannot be imported, or two
                classes are for one competition. What else is there was made known.

        Example:
            >>> import pathlib
            >>> from rowstream.tabular import DatasetRegistry
            >>> code = '''
            ... from rowstream.tabular import TitanicDataset
            ... class ShipDataset(TitanicDataset):
            ...     pass
            ... '''
            >>> _ = pathlib.Path("ship_dataset.py").write_text(code)
            >>> DatasetRegistry().discover(".")
            ['ship']
        """
        root = Path(folder)
        if not root.is_dir():
            raise InvalidArgumentError(f"there is no folder {root} to discover datasets in")
        found: dict[str, Path] = {}
        wrong = []
        for path in module_files(root):
            try:
                classes = [*_classes(path)]
            except InvalidArgumentError as e:
                wrong.append(str(e))
                continue
            for dataset_class in classes:
                own = vars(dataset_class).get("competition_name")
                name = own if isinstance(own, str) and own else _snake(dataset_class)
                if name in found:
                    wrong.append(f"{path} and {found[name]} both have a class for {name!r}")
                    continue
                found[name] = path
                self._known.setdefault(name, _Known()).dataset_class = dataset_class
        if wrong:
            raise InvalidArgumentError(
                f"discover: {'; '.join(wrong)} (found: {', '.join(sorted(found)) or 'nothing'})"
            )
        return sorted(found)

    def _get(self, name: str, what: str) -> Any:
        if name not in self._known:
            raise InvalidArgumentError(
                f"there is no competition {name!r}; there is {', '.join(self.list_competitions())},"
                " and register_competition"
            )
        value = getattr(self._known[name], what)
        if value is None:
            raise InvalidArgumentError(
                f"the {what} of the competition {name!r} is not known: register_competition says it"
            )
        return value

    def _kind(self, name: str) -> CompetitionType | None:
        known = self._known[name]
        of = known.metadata or known.spec
        return None if of is None else of.competition_type

    def _described(self, name: str) -> str:
        of = self._known[name].metadata
        told = "" if of is None else f"{of.description} {of.evaluation_metric}"
        return f"{name} {told}".casefold()


def _needs_spec(dataset_class: type[KaggleDataset]) -> bool:
    parameter = inspect.signature(dataset_class).parameters.get("spec")
    return parameter is not None and parameter.default is inspect.Parameter.empty


def _check_class(dataset_class: Any) -> None:
    if dataset_class is not None and not (
        inspect.isclass(dataset_class)
        and issubclass(dataset_class, KaggleDataset)
        and not inspect.isabstract(dataset_class)
    ):
        raise InvalidArgumentError(
            f"expected a subclass of KaggleDataset with all its methods, found {dataset_class!r}"
        )


def _snake(dataset_class: type) -> str:
    plain = dataset_class.__name__.removesuffix("Dataset")
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", plain).lower()


def _classes(path: Path) -> Iterator[type[KaggleDataset]]:
    """Yield the classes of datasets that a module defines."""
    module = module_at(path)
    for value in vars(module).values():
        if (
            inspect.isclass(value)
            and value.__module__ == module.__name__
            and value.__name__.endswith("Dataset")
            and value.__name__ != "Dataset"
            and issubclass(value, KaggleDataset)
            and not inspect.isabstract(value)
        ):
            yield value
