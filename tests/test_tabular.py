"""Competitions of tables: specifications, datasets, the registry, and rows as text."""

from __future__ import annotations

import dataclasses
import math
import os
import pickle
import string
import subprocess
import sys

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.csv
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rowstream import Dataset, exceptions
from rowstream.tabular import (
    CompetitionMetadata,
    CompetitionType,
    DatasetRegistry,
    DatasetSpec,
    JinjaTemplate,
    KaggleDataset,
    StringTemplate,
    TabularTextConverter,
    TextTemplate,
    TextTemplateEngine,
    TitanicDataset,
)
from rowstream.tabular.cells import variant_of

from examples.titanic import write_titanic
from tests.conftest import offer

HOUSES = """Id,LotArea,Street,Alley,1stFlrSF,Description,SalePrice
1,8450,Pave,,856,"A house of two floors, with a large garden",208500.5
2,9600,Pave,Grvl,1262,"One floor, one room and no garden at all",181500
3,11250,Grvl,,920,"Near the river, with a view of the hills",223500
"""


@pytest.fixture(scope="module")
def titanic(tmp_path_factory):
    folder = tmp_path_factory.mktemp("titanic")
    return folder, write_titanic(folder)


# Specifications


def test_titanic_is_inferred(titanic):
    folder, _ = titanic
    spec = DatasetSpec.infer(folder, competition_name="titanic")
    assert spec == DatasetSpec(
        "titanic",
        folder,
        CompetitionType.BINARY_CLASSIFICATION,
        891,
        10,
        "Survived",
        "PassengerId",
        text_columns=["Name"],
        categorical_columns=["Sex", "Ticket", "Cabin", "Embarked"],
        numerical_columns=["Pclass", "Age", "SibSp", "Parch", "Fare"],
        class_names=["0", "1"],
    )
    assert (spec.num_samples, spec.num_features, spec.num_classes) == (891, 10, 2)
    assert spec.target_column == "Survived"
    assert spec.id_column == "PassengerId"


@pytest.mark.parametrize(
    ("train", "test", "task", "target", "classes"),
    [
        ("a,y\n1,0.5\n2,1.5\n3,2.25\n", None, "REGRESSION", "y", None),
        ("label,a\nx,1\ny,2\nz,3\n", None, "MULTICLASS_CLASSIFICATION", "label", 3),
        ("a,t\n1,yes\n2,no\n3,yes\n", "a\n4\n", "BINARY_CLASSIFICATION", "t", 2),
        ("t,a\n1,1\n2,2\n3,3\n1,4\n2,5\n3,6\n", "a\n4\n", "MULTICLASS_CLASSIFICATION", "t", 3),
        ("t,a\n1,1\n2,2\n3,3\n4,4\n", "a\n4\n", "REGRESSION", "t", None),
        ("a,t,u\n1,0,1\n2,1,0\n", "a\n4\n", "MULTILABEL_CLASSIFICATION", "t", 2),
        ("a,t,u\n1,0.1,1\n2,1.5,0\n3,2.5,7\n", "a\n4\n", "REGRESSION", "t", None),
        ("a,t,u\n1,x,1\n2,y,0\n3,z,7\n", "a\n4\n", "OTHER", "t", None),
        ("qid,a,relevance\n1,2,0\n1,3,2\n2,5,1\n", "qid,a\n1,2\n", "RANKING", "relevance", None),
        (
            "date,sales\n2024-01-01,5\n2024-01-02,7\n2024-01-03,9\n",
            "date\n2024-02-01\n",
            "TIME_SERIES",
            "sales",
            None,
        ),
        (
            "date,sales\n2024-01-01,5.5\n2024-01-02,7.5\n2024-01-03,9\n",
            "date\n2024-01-02\n",
            "REGRESSION",
            "sales",
            None,
        ),
        ("flag,a\ntrue,1\nfalse,2\ntrue,3\n", "a\n1\n", "BINARY_CLASSIFICATION", "flag", 2),
    ],
)
def test_tasks_are_inferred(tmp_path, train, test, task, target, classes):
    (tmp_path / "train.csv").write_text(train)
    if test is not None:
        (tmp_path / "test.csv").write_text(test)
    for path in (tmp_path, tmp_path / "train.csv"):
        spec = DatasetSpec.infer(path)
        assert spec.competition_type.name == task
        assert spec.target_column == target
        assert spec.num_classes == classes
        assert spec.dataset_path == tmp_path
        assert spec.competition_name == tmp_path.name


def test_what_is_said_counts(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("a,b,c\n1,2,3\n4,5,6\n")
    spec = DatasetSpec.infer(path, target_column="b", competition_type="ranking")
    assert (spec.target_column, spec.competition_type) == ("b", CompetitionType.RANKING)
    assert DatasetSpec.infer(path, target_column=["a", "c"]).target_columns == ["a", "c"]
    with pytest.raises(exceptions.InvalidArgumentError, match=r"no column \['d'\].*'a', 'b', 'c'"):
        DatasetSpec.infer(path, target_column="d")
    with pytest.raises(exceptions.InvalidArgumentError, match="no file"):
        DatasetSpec.infer(tmp_path / "nowhere")
    path.write_text("a,b\n")
    with pytest.raises(exceptions.InvalidArgumentError, match="no rows"):
        DatasetSpec.infer(path)
    (tmp_path / "train.csv").write_text("a,b\n1,2\n")
    (tmp_path / "test.csv").write_text("a,b\n1,2\n")
    with pytest.raises(exceptions.InvalidArgumentError, match="target_column="):
        DatasetSpec.infer(tmp_path)


def test_files_of_other_kinds(tmp_path):
    path = tmp_path / "train.csv"
    path.write_text("Id;b;y\n1;x;0\n2;y;1\n")
    with pytest.raises(exceptions.InvalidArgumentError, match="give sep=';'"):
        DatasetSpec.infer(path)
    spec = DatasetSpec.infer(path, sep=";", competition_name="t")
    assert (spec.target_column, spec.id_column) == ("y", "Id")
    assert spec.csv_options == {"sep": ";"}
    path.write_text("Id,LotArea,SalePrice\n1,2,3\n".replace(",", ";"), encoding="utf-16")
    spec = DatasetSpec.infer(path, sep=";", encoding="utf-16")
    assert HousePricesDataset(spec)[0]["labels"] == 3.0
    path.write_text("humid,Bid,Rapid,y\n1.5,1,2,1.25\n2.5,2,3,2.5\n3.5,3,4,3.5\n")
    assert DatasetSpec.infer(path).id_column is None
    (tmp_path / "test.csv").write_bytes(b"")
    assert DatasetSpec.infer(path).target_columns == ["y"]
    path.write_text(
        "t,v\n2024-01-01T00:00:00Z,1.5\n2024-01-02T00:00:00Z,2.5\n2024-01-03T00:00:00Z,3.5\n"
    )
    (tmp_path / "test.csv").write_text("t\n2024-02-01T00:00:00Z\n")
    assert DatasetSpec.infer(path).competition_type is CompetitionType.TIME_SERIES
    path.write_text("query,y\nhello,1\nyou,2\nand,3\n")
    (tmp_path / "test.csv").unlink()
    assert DatasetSpec.infer(path).competition_type is CompetitionType.REGRESSION
    with pytest.raises(exceptions.InvalidArgumentError, match="names no column"):
        DatasetSpec.infer(path, target_column=[])
    path.write_text("a,y\n1,0\n2,1\n")
    assert DatasetSpec.infer(path, target_column=["y", "y"]).target_columns == ["y"]
    assert DatasetSpec.infer(path, competition_type="regression").num_classes is None


def test_specifications_are_checked():
    assert DatasetSpec("a", "b", "time_series", 1, 2, "t").target_columns == ["t"]
    with pytest.raises(exceptions.InvalidArgumentError, match="'guessing'; there is binary_"):
        DatasetSpec("a", "b", "guessing")
    for number in (-1, 1.5, True):
        with pytest.raises(exceptions.InvalidArgumentError, match="num_features"):
            DatasetSpec("a", "b", "regression", num_features=number)
    with pytest.raises(exceptions.InvalidArgumentError, match="'guessing'"):
        CompetitionMetadata("a", "guessing")


# Titanic


def test_the_passengers(titanic, monkeypatch, tmp_path):
    folder, rows = titanic
    spec = DatasetSpec.infer(folder)
    train = TitanicDataset(spec)
    assert len(train) == 891
    labels = [int(row["Survived"]) for row in rows[:891]]
    assert [item["labels"] for item in train] == labels
    assert 300 < sum(labels) < 400
    assert train[0]["metadata"] == {"id": 1}
    assert train[-1] == train[890]
    assert train[:2] == [train[0], train[1]]
    text = train[0]["text"]
    assert rows[0]["Name"] in text
    assert f"ge {rows[0]['Age'] or 'unknown'}" in text
    assert not any(" nan" in item["text"] or "None" in item["text"] for item in train)
    test = TitanicDataset(spec, split="test", transform=lambda item: item | {"more": 1})
    assert len(test) == 418
    assert test[0]["more"] == 1
    assert "labels" not in test[0]
    assert len({item["text"][:9] == train[0]["text"][:9] for item in train}) == 2
    again = TitanicDataset(spec, seed=1)
    assert [i["text"] for i in again] != [i["text"] for i in train]
    # Where kagglehub keeps it.
    place = tmp_path / "cache" / "competitions" / "titanic"
    place.mkdir(parents=True)
    (place / "train.csv").write_bytes((folder / "train.csv").read_bytes())
    assert len(TitanicDataset(cache_dir=tmp_path / "cache")) == 891
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path / "cache"))
    assert len(TitanicDataset()) == 891
    with pytest.raises(exceptions.DataFilesNotFoundError, match=r"test.csv.*train.csv.*kagglehub"):
        TitanicDataset(split="test")


@pytest.mark.parametrize("workers", [0, 2])
def test_the_passengers_in_torchs_loader(titanic, workers):
    torch = pytest.importorskip("torch")
    folder, rows = titanic
    ds = TitanicDataset(DatasetSpec.infer(folder))
    loader = torch.utils.data.DataLoader(ds, batch_size=100, num_workers=workers)
    batches = [*loader]
    assert len(batches) == 9
    labels = [int(row["Survived"]) for row in rows[:891]]
    assert torch.cat([b["labels"] for b in batches]).tolist() == labels
    assert torch.cat([b["metadata"]["id"] for b in batches]).tolist() == [*range(1, 892)]
    assert batches[0]["text"][7] == ds[7]["text"]


# A dataset of one's own


class HousePricesDataset(KaggleDataset):
    def _load_data(self):
        self._data = self.read_csv(f"{self.split}.csv")

    def _validate_data(self):
        self.require_columns(["Id", "LotArea", *(["SalePrice"] if self.split == "train" else [])])

    def __getitem__(self, index):
        row = self._data[index]
        item = {"text": f"{row['LotArea']} square feet", "metadata": {"id": row["Id"]}}
        if self.split == "train":
            item["labels"] = float(row["SalePrice"])
        return self._transformed(item)


@pytest.fixture
def houses(tmp_path):
    (tmp_path / "train.csv").write_text(HOUSES)
    rows = [line.rsplit(",", 1)[0] for line in HOUSES.splitlines()]
    (tmp_path / "test.csv").write_text("\n".join(rows) + "\n")
    return tmp_path


def test_house_prices_from_class_to_loader(houses):
    torch = pytest.importorskip("torch")
    spec = DatasetSpec.infer(houses, competition_name="house_prices")
    assert (spec.competition_type.name, spec.target_column) == ("REGRESSION", "SalePrice")
    assert spec.text_columns == ["Description"]
    assert spec.numerical_columns == ["LotArea", "1stFlrSF"]
    metadata = CompetitionMetadata(
        competition_name="house_prices",
        competition_type=CompetitionType.REGRESSION,
        description="Prices of houses in Ames",
        evaluation_metric="RMSE",
        train_file="train.csv",
        test_file="test.csv",
    )
    registry = DatasetRegistry()
    registry.register_competition("house_prices", metadata, spec, HousePricesDataset)
    assert registry.list_competitions() == ["house_prices", "titanic"]
    assert registry.search_competitions(competition_type=CompetitionType.REGRESSION) == [
        "house_prices"
    ]
    train = registry.create_dataset("house_prices")
    batch = next(iter(torch.utils.data.DataLoader(train, batch_size=3)))
    assert batch["labels"].tolist() == [208500.5, 181500, 223500]
    assert batch["metadata"]["id"].tolist() == [1, 2, 3]
    assert batch["text"][1] == "9600 square feet"
    test = registry.create_dataset(
        "house_prices", split="test", transform=lambda item: item["text"]
    )
    assert [*test] == ["8450 square feet", "9600 square feet", "11250 square feet"]
    (houses / "test.csv").write_text("Id,Area\n1,2\n")
    with pytest.raises(
        exceptions.SchemaError, match=r"HousePricesDataset, split 'test'.*LotArea.*'Id', 'Area'"
    ):
        registry.create_dataset("house_prices", split="test")
    with pytest.raises(exceptions.DataFilesNotFoundError, match=r"no dev\.csv.*test\.csv, train"):
        registry.create_dataset("house_prices", split="dev")


def test_files_are_called_as_the_metadata_say(houses):
    (houses / "train.csv").rename(houses / "training.csv")
    spec = DatasetSpec.infer(houses / "training.csv", target_column="SalePrice")
    metadata = CompetitionMetadata("houses", "regression", train_file="training.csv")

    class Named(HousePricesDataset):
        def _load_data(self):
            self._data = self.read_csv()

    registry = DatasetRegistry()
    registry.register_competition("houses", metadata, spec, Named)
    assert (
        len(registry.create_dataset("houses"))
        == len(registry.create_dataset("houses", "test"))
        == 3
    )


def test_datasets_say_what_they_lack(houses):
    spec = DatasetSpec.infer(houses)

    class Nothing(HousePricesDataset):
        def _load_data(self):
            pass

    class Listed(HousePricesDataset):
        def _load_data(self):
            self._data = [{"Id": 1}]

    with pytest.raises(exceptions.InvalidArgumentError, match="neither sets"):
        Nothing(spec)
    with pytest.raises(exceptions.SchemaError, match=r"LotArea.*there is \['Id'\]"):
        Listed(spec)
    with pytest.raises(exceptions.InvalidArgumentError, match="expected a DatasetSpec"):
        HousePricesDataset("titanic")


def test_a_dataset_has_all_its_parts():
    class Half(KaggleDataset):
        def _load_data(self):
            return None

    with pytest.raises(TypeError, match="abstract"):
        Half(DatasetSpec("a", ".", "regression"))


@pytest.mark.parametrize("data", ["pandas", "arrow", "list", "returned"])
def test_rows_can_be_of_any_kind(data):
    frame = pd.DataFrame({"a": [1, 2, 3]})

    class Kept(KaggleDataset):
        def _load_data(self):
            if data == "returned":
                return frame
            self._data = {"pandas": frame, "arrow": pa.table({"a": [1, 2, 3]}), "list": [1, 2, 3]}[
                data
            ]
            return None

        def _validate_data(self):
            if data != "list":
                self.require_columns(["a"])

        def __getitem__(self, index):
            return index

    assert len(Kept(DatasetSpec("a", ".", "regression"))) == 3
    assert [*Kept(DatasetSpec("a", ".", "regression"))] == [0, 1, 2]


# The registry


def test_datasets_are_discovered(tmp_path):
    base = "from rowstream.tabular import KaggleDataset, TitanicDataset\n"
    methods = (
        "    def _load_data(self): self._data = [1]\n    def _validate_data(self): pass\n"
        "    def __getitem__(self, i): return self._data[i]\n"
    )
    (tmp_path / "house_prices_dataset.py").write_text(
        base + f"class HousePricesDataset(KaggleDataset):\n{methods}"
        "class Helper(KaggleDataset): pass\nclass HalfDataset(KaggleDataset): pass\n"
    )
    (tmp_path / "datasets").mkdir()
    (tmp_path / "datasets" / "__init__.py").write_text("")  # of another name than Hugging Face's
    (tmp_path / "datasets" / "ships.py").write_text(
        base + f"class NYCTaxiDataset(KaggleDataset):\n{methods}"
        f"class OtherDataset(KaggleDataset):\n    competition_name = 'named-otherwise'\n{methods}"
        "class NotOneDataset: pass\n"
    )
    (tmp_path / "unrelated.py").write_text("raise RuntimeError")
    registry = DatasetRegistry()
    found = registry.discover(tmp_path)
    assert found == ["house_prices", "named-otherwise", "nyc_taxi"]
    assert registry.list_competitions() == [*found, "titanic"]
    spec = DatasetSpec("house_prices", tmp_path, "regression")
    made = registry.create_dataset("house_prices", spec=spec)
    assert [*made] == [1]
    assert pickle.loads(pickle.dumps(made))[0] == 1
    registry.register_competition(
        "house_prices", CompetitionMetadata("house_prices", "regression"), spec
    )
    assert len(registry.create_dataset("house_prices")) == 1
    assert registry.discover(tmp_path / "datasets") == ["named-otherwise", "nyc_taxi"]
    (tmp_path / "broken_dataset.py").write_text("import nothing_of_the_kind")
    (tmp_path / "ends_dataset.py").write_text("import sys; sys.exit(3)")
    registry = DatasetRegistry()
    with pytest.raises(
        exceptions.InvalidArgumentError,
        match=r"broken_dataset\.py.*nothing_of.*SystemExit.*nyc_taxi",
    ):
        registry.discover(tmp_path)
    assert "nyc_taxi" in registry.list_competitions()
    with pytest.raises(exceptions.InvalidArgumentError, match="no folder"):
        registry.discover(tmp_path / "nowhere")


BASE = (
    "from rowstream.tabular import KaggleDataset\nclass {}(KaggleDataset):\n"
    "    def _load_data(self): self._data = [1, 2]\n    def _validate_data(self): pass\n"
    "    def __getitem__(self, i): return self._data[i]\n"
)


def test_modules_that_import_their_neighbours(tmp_path):
    for folder in (".hidden", "env", "build", "pkg/datasets"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "env" / "pyvenv.cfg").write_text("")
    for folder in (".hidden", "env", "build"):
        (tmp_path / folder / "bad_dataset.py").write_text("raise RuntimeError")
    (tmp_path / "pkg" / "__init__.py").write_text("")
    (tmp_path / "pkg" / "datasets" / "__init__.py").write_text("")
    (tmp_path / "pkg" / "datasets" / "common.py").write_text("X = 1")
    (tmp_path / "pkg" / "datasets" / "ship.py").write_text(
        "from .common import X\n" + BASE.format("ShipDataset")
    )
    (tmp_path / "helper_of_plane.py").write_text("Y = 2")
    (tmp_path / "plane_dataset.py").write_text(
        "from helper_of_plane import Y\n" + BASE.format("PlaneDataset")
    )
    registry = DatasetRegistry()
    assert registry.discover(tmp_path) == registry.discover(tmp_path) == ["plane", "ship"]
    (tmp_path / "other_dataset.py").write_text(BASE.format("PlaneDataset"))
    with pytest.raises(exceptions.InvalidArgumentError, match="both have a class for 'plane'"):
        registry.discover(tmp_path)


def test_discovered_classes_in_workers_that_are_spawned(tmp_path):
    torch = pytest.importorskip("torch")
    (tmp_path / "train_dataset.py").write_text(BASE.format("TrainDataset"))
    registry = DatasetRegistry()
    registry.discover(tmp_path)
    made = registry.create_dataset("train", spec=DatasetSpec("train", tmp_path, "regression"))
    assert [*pickle.loads(pickle.dumps(made))] == [1, 2]
    loader = torch.utils.data.DataLoader(
        made, num_workers=1, multiprocessing_context="spawn", timeout=60
    )
    assert [int(batch) for batch in loader] == [1, 2]


def test_what_the_registry_does_not_know():
    registry = DatasetRegistry()
    with pytest.raises(
        exceptions.InvalidArgumentError, match="no competition 'x'; there is titanic"
    ):
        registry.get_metadata("x")
    with pytest.raises(exceptions.InvalidArgumentError, match="the spec of"):
        registry.get_spec("titanic")
    with pytest.raises(exceptions.InvalidArgumentError, match="CompetitionMetadata"):
        registry.register_competition("a", None, DatasetSpec("a", ".", "regression"))
    with pytest.raises(exceptions.InvalidArgumentError, match="DatasetSpec"):
        registry.register_competition("a", CompetitionMetadata("a", "regression"), None)
    with pytest.raises(exceptions.InvalidArgumentError, match="subclass of KaggleDataset"):
        registry.register_competition(
            "a", CompetitionMetadata("a", "regression"), DatasetSpec("a", ".", "regression"), dict
        )
    with pytest.raises(exceptions.InvalidArgumentError, match="a regression by its metadata"):
        registry.register_competition(
            "a", CompetitionMetadata("a", "regression"), DatasetSpec("a", ".", "ranking")
        )
    with pytest.raises(exceptions.InvalidArgumentError, match="has a name"):
        registry.register_competition(
            "", CompetitionMetadata("a", "ranking"), DatasetSpec("a", ".", "ranking")
        )
    with pytest.raises(dataclasses.FrozenInstanceError):
        registry.get_metadata("titanic").description = "changed"
    assert registry.search_competitions(competition_type="ranking") == []
    with pytest.raises(exceptions.InvalidArgumentError, match="competition type"):
        registry.search_competitions(competition_type="guessing")


def test_datasets_of_other_packages(tmp_path):
    offer(
        tmp_path,
        "rowstream.tabular",
        "ships = others:ShipDataset",
        "from rowstream.tabular import TitanicDataset\nclass ShipDataset(TitanicDataset): pass\n",
    )
    code = "from rowstream.tabular import DatasetRegistry as R; print(R().list_competitions())"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout == "['ships', 'titanic']\n", done.stderr


# Templates


ROWS = [
    {"Name": "Ada", "Age": 36.0, "Score": 1.5, "Big": 2**60, "Flag": True, "Note": "a|b $x"},
    {"Name": "", "Age": None, "Score": math.nan, "Big": 0, "Flag": False, "Note": None},
    {"Name": "數\n", "Age": 1e20, "Score": -0.0, "Big": -1, "Flag": None, "Note": "é"},
]
FIELDS = [*ROWS[0]]
TEMPLATE = StringTemplate(
    "all", ["; ".join(f"${{{name}}}" for name in FIELDS) + " $$", "$Age $Age", "nothing"]
)


def frames():
    columns = {name: [row[name] for row in ROWS] for name in FIELDS}
    table = pa.table(columns)
    return {
        "list": ROWS,
        "arrow": table,
        "chunked": pa.concat_tables([table.slice(0, 1), table.slice(1)]),
        "batch": table.to_batches()[0],
        "pandas": pd.DataFrame(columns),
        "polars": pl.DataFrame(columns, strict=False),
        "dataset": Dataset.from_dict(columns),
        "selected": Dataset.from_dict(columns).select([2, 1, 0]).select([2, 1, 0]),
        "stream": Dataset.from_dict(columns).to_iterable_dataset(),
    }


@pytest.mark.parametrize("kind", [*frames()])
@pytest.mark.parametrize("seed", [0, 7])
def test_every_kind_of_table(kind, seed):
    converter = TabularTextConverter(TEMPLATE, seed=seed)
    found = converter.convert_data(frames()[kind])
    if kind in ("dataset", "selected", "stream"):
        found = [row["text"] for row in found]
    expected = [converter.convert_row(row) for row in ROWS]
    assert found == expected
    empty = frames()[kind]
    if kind not in ("list", "stream", "batch"):
        none = (
            empty.head(0)
            if hasattr(empty, "head")
            else empty.slice(0, 0)
            if hasattr(empty, "slice")
            else empty.select([])
        )
        assert [*converter.convert_data(none)] == []


def test_cells_as_text():
    first, second, third = (TEMPLATE.render(row) for row in ROWS)
    assert first == "Ada; 36; 1.5; 1152921504606846976; True; a|b $x $"
    assert second == "unknown; unknown; unknown; 0; False; unknown $"
    assert third == "數\n; 1e+20; 0; -1; unknown; é $"
    assert TEMPLATE.render(ROWS[0], 1) == "36 36"
    with pytest.raises(exceptions.InvalidArgumentError, match=r"'all_v1'.*\['Age'\].*'Name'"):
        TEMPLATE.render({k: v for k, v in ROWS[0].items() if k != "Age"})


@pytest.mark.parametrize("kind", [*frames()])
def test_missing_columns_are_named(kind):
    converter = TabularTextConverter(StringTemplate("x", "$Nmae"))
    with pytest.raises(exceptions.InvalidArgumentError, match=r"'x_v1'.*'Nmae'"):
        [*converter.convert_data(frames()[kind])]


@given(
    st.lists(
        st.tuples(st.text(), st.none() | st.floats(), st.none() | st.integers(-(2**63), 2**63 - 1))
    ),
    st.integers(-5, 2**70),
)
def test_tables_are_as_their_rows(rows, seed):
    rows = [dict(zip(("Name", "Age", "Big"), row, strict=True)) for row in rows]
    template = StringTemplate("x", ["<$Name|$Age|$Big>", "$Big$Name", "$$$Age"], missing="-")
    converter = TabularTextConverter(template, seed=seed)
    table = pa.Table.from_pylist(
        rows, pa.schema({"Name": pa.string(), "Age": pa.float64(), "Big": pa.int64()})
    )
    expected = [converter.convert_row(row) for row in rows]
    assert converter.convert_data(table) == expected
    assert converter.convert_data(rows) == expected


def test_variants_belong_to_the_row():
    keys = [f"{i}\x1fx" for i in range(30_000)]
    counts = np.bincount([variant_of(1, key, 3) for key in keys])
    assert np.all(np.abs(counts - 10_000) < 400)
    changed = sum(variant_of(1, key, 3) != variant_of(2, key, 3) for key in keys)
    assert abs(changed - 20_000) < 600
    ds = Dataset.from_dict({"a": list(range(5000))})
    converter = TabularTextConverter(StringTemplate("x", ["a $a", "b $a", "c $a"]), seed=2)
    whole = converter.convert_data(ds)["text"][:]
    assert {text[0] for text in whole} == {"a", "b", "c"}
    of = dict(enumerate(whole))
    shuffled = converter.convert_data(ds.shuffle(seed=1))
    assert all(row["text"] == of[row["a"]] for row in shuffled)
    streamed = converter.convert_data(ds.to_iterable_dataset(num_shards=4).shuffle(seed=3))
    assert all(row["text"] == of[row["a"]] for row in streamed)
    rows, state = [], None
    for i, row in enumerate(streamed):
        rows.append(row["text"])
        if i == 1234:
            state = streamed.state_dict()
            break
    streamed.load_state_dict(state)
    assert sorted(rows + [row["text"] for row in streamed]) == sorted(whole)
    torch = pytest.importorskip("torch")
    for workers in (0, 2):
        loader = torch.utils.data.DataLoader(streamed, batch_size=100, num_workers=workers)
        found = [text for batch in loader for text in batch["text"]]
        assert sorted(found) == sorted(whole)


def test_more_rows_than_a_part():
    ds = Dataset.from_dict({"a": list(range(150_000))})
    found = TabularTextConverter(StringTemplate("x", ["$a", "<$a>"])).convert_data(ds)
    texts = found["text"][:]
    assert [int(text.strip("<>")) for text in texts] == [*range(150_000)]


def test_texts_feed_torchs_loader(titanic):
    torch = pytest.importorskip("torch")
    folder, _ = titanic
    table = pa.csv.read_csv(folder / "train.csv")
    engine = TextTemplateEngine()
    texts = engine.convert_data(data=table, template_name="titanic_v1")
    assert next(iter(torch.utils.data.DataLoader(texts, batch_size=3))) == texts[:3]
    stream = Dataset(table).select_columns(["PassengerId", *engine.get_template("titanic").fields])
    stream = engine.convert_data(
        data=stream.to_iterable_dataset(num_shards=2), template_name="titanic"
    )
    loader = torch.utils.data.DataLoader(
        stream.select_columns(["text", "PassengerId"]), batch_size=50, num_workers=2
    )
    ids = sorted(i for batch in loader for i in batch["PassengerId"].tolist())
    assert ids == [*range(1, 892)]


def test_columns_of_other_types():
    table = pa.table(
        {
            "list": [[1, 2], None, []],
            "dict": pa.array(["a", None, "a"]).dictionary_encode(),
            "view": pa.array(["v", None, ""], pa.string_view()),
            "date": pa.array([0, None, 1], pa.date32()),
            "null": pa.nulls(3),
        }
    )
    names = table.column_names
    template = StringTemplate("x", " ".join(f"${n}" for n in names), missing="-")
    found = TabularTextConverter(template).convert_data(table)
    assert found == [template.render(row) for row in table.to_pylist()]
    assert found[1] == "- - - - -"
    frame = pd.DataFrame(
        {"a": [1, "x", None], "t": pd.to_datetime(["2024-01-01", None, "2024-01-02"])}
    )
    assert TabularTextConverter(StringTemplate("y", "$a")).convert_data(frame) == [
        "1",
        "x",
        "unknown",
    ]
    assert TabularTextConverter(StringTemplate("y", "$t")).convert_data(frame)[1] == "unknown"
    assert TabularTextConverter(
        StringTemplate("y", "$a", formats={"a": "{:>4}".format})
    ).convert_data(pa.table({"a": ["x", None]})) == ["   x", "unknown"]


@pytest.mark.parametrize("text", ["$", "a $ b", "${}", "$1", "${a", "5$!"])
def test_texts_that_are_no_template(text):
    with pytest.raises(exceptions.InvalidArgumentError, match="dollar"):
        StringTemplate("x", text)


@given(st.text(alphabet="ab${} _1\n"))
def test_templates_are_those_of_the_standard_library(text):
    try:
        expected = string.Template(text).substitute({"a": "A", "b": "B", "ab": "AB", "a1": "A1"})
    except (KeyError, ValueError):
        return
    row = {"a": "A", "b": "B", "ab": "AB", "a1": "A1"}
    assert StringTemplate("x", text).render(row) == expected


def test_names_and_versions():
    engine = TextTemplateEngine()
    assert engine.list_templates() == ["titanic_v1"]
    for version in (2, 10, 9):
        engine.register_template(StringTemplate("titanic", f"version {version}", version))
    row = {"Name": "Ada"}
    assert engine.convert_data(data=row, template_name="titanic") == "version 10"
    assert engine.convert_data(data=row, template_name="titanic_v2") == "version 2"
    assert TabularTextConverter("titanic_v9", engine).convert_row(row) == "version 9"
    with pytest.raises(exceptions.InvalidArgumentError, match="no template 'titanic_v3'; there is"):
        engine.convert_data(data=row, template_name="titanic_v3")
    with pytest.raises(exceptions.InvalidArgumentError, match="expected a TextTemplate"):
        engine.register_template("$Name")
    for name, version in (("", 1), ("a b", 1), ("a", 0), ("a", "1")):
        with pytest.raises(exceptions.InvalidArgumentError, match="version"):
            StringTemplate(name, "x", version)
    with pytest.raises(exceptions.InvalidArgumentError, match="no text"):
        StringTemplate("x", [])
    for data in ("text", {"a": 1}):
        with pytest.raises(exceptions.InvalidArgumentError, match="convert_row"):
            TabularTextConverter("titanic").convert_data(data)
    with pytest.raises(
        exceptions.InvalidArgumentError, match="rows as dicts, found a int as row 0"
    ):
        TabularTextConverter("titanic").convert_data([1, 2])


CELLS = {
    pd.NA: "-",
    pd.NaT: "-",
    np.float32(3): "3",
    np.float32("nan"): "-",
    np.float64(0.1): "0.1",
    np.int8(5): "5",
    np.datetime64("NaT"): "-",
    np.str_(""): "-",
    np.str_("x"): "x",
    2**70: str(2**70),
}


@pytest.mark.parametrize("cell", CELLS, ids=repr)
def test_cells_of_other_libraries(cell):
    converter = TabularTextConverter(StringTemplate("x", "$a", missing="-"))
    assert converter.convert_row({"a": cell}) == CELLS[cell]
    assert converter.convert_data([{"a": cell}, {"a": "x"}]) == [CELLS[cell], "x"]
    frame = pd.DataFrame({"a": pd.Series([cell, "x", None], dtype=object)})
    assert converter.convert_data(frame) == [CELLS[cell], "x", "-"]
    assert converter.convert_row(frame.iloc[0]) == CELLS[cell]


@pytest.mark.parametrize("wide", [np.float64, np.float32])
def test_floats_are_written_as_python_does(wide):
    rnd = np.random.default_rng(1)
    values = np.concatenate(
        [
            rnd.random(2000),
            rnd.normal(size=2000) * 10.0 ** rnd.integers(-12, 20, 2000),
            np.round(rnd.random(2000) * 1000, 2),
            [0.0, -0.0, 1e15, 1e-4, 1e9, 1e16, np.inf, -np.inf, np.nan, 5e-324, 123456789.5],
        ]
    )
    with np.errstate(over="ignore"):
        values = values.astype(wide)
    converter = TabularTextConverter(StringTemplate("x", "$a"))
    expected = [converter.convert_row({"a": value}) for value in values]
    assert converter.convert_data(pd.DataFrame({"a": values})) == expected
    assert converter.convert_data(pa.table({"a": values})) == expected


def test_types_that_arrow_does_not_encode():
    from rowstream import Features, Json, Value

    ds = Dataset.from_dict({"a": [{"x": 1}]}, features=Features({"a": Json()}))
    assert len(TabularTextConverter(StringTemplate("x", "$a")).convert_data(ds)) == 1
    assert Value("int64")
    converter = TabularTextConverter(StringTemplate("x", "$a"))
    period = pd.DataFrame({"a": pd.period_range("2024-01", periods=2, freq="M")})
    assert converter.convert_data(period) == ["2024-01", "2024-02"]
    cut = pd.DataFrame({"a": pd.cut([1, 5], 2)})
    assert converter.convert_data(cut) == [converter.convert_row(row) for _, row in cut.iterrows()]
    delta = pd.DataFrame({"a": pd.to_timedelta(["1 days 00:00:01"])})
    assert converter.convert_data(delta) == ["1 days 00:00:01"]
    assert converter.convert_data(pl.DataFrame({"a": [1, 2]}).lazy()) == ["1", "2"]
    assert converter.convert_data(pl.DataFrame({"a": [2**100]}, {"a": pl.Int128})) == [str(2**100)]
    assert converter.convert_data(pd.DataFrame([[1, 2]], columns=[0, "a"])) == ["2"]
    assert TabularTextConverter(StringTemplate("x", "${0}")).convert_data(pd.DataFrame([[7]])) == [
        "7"
    ]
    for data, match in [
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "2 columns called 'a'"),
        (pa.table([[1], [2]], ["a", "a"]), "2 columns called 'a'"),
        (pl.Series("a", [1]), "found a Series"),
        (3, "found a int"),
        ([{"a": 1}, [1]], "found a list as row 1"),
        ([{"a": 1}, {"b": 1}], "row 1 has no 'a'"),
    ]:
        with pytest.raises(exceptions.InvalidArgumentError, match=match):
            converter.convert_data(data)


@pytest.mark.parametrize("kind", [*frames()])
def test_templates_without_columns(kind):
    for template in (StringTemplate("x", "hello"), StringTemplate("x", ["hello", "hello"])):
        found = TabularTextConverter(template).convert_data(frames()[kind])
        assert [row["text"] if isinstance(row, dict) else row for row in found] == ["hello"] * 3


class AllColumns(TextTemplate):
    def render(self, row, variant=0):
        return ",".join(row)


@pytest.mark.parametrize("kind", [*frames()])
def test_templates_of_all_columns(kind):
    found = TabularTextConverter(AllColumns("x")).convert_data(frames()[kind])
    texts = [row["text"] if isinstance(row, dict) else row for row in found]
    assert texts == [",".join(FIELDS)] * 3


def test_seeds_and_columns_are_checked():
    ds = Dataset.from_dict({"a": [1], "text": ["x"]})
    for data in (ds, ds.to_iterable_dataset()):
        with pytest.raises(exceptions.InvalidArgumentError, match="text_column="):
            TabularTextConverter(StringTemplate("x", "$a")).convert_data(data)
        found = TabularTextConverter(StringTemplate("x", "$a"), text_column="t").convert_data(data)
        assert next(iter(found)) == {"a": 1, "text": "x", "t": "1"}
        assert found.features["t"].dtype == "string"
    torch = pytest.importorskip("torch")
    for data in (ds, ds.to_iterable_dataset()):
        data = data.remove_columns("text").with_format("torch")
        found = next(iter(TabularTextConverter(StringTemplate("x", "$a")).convert_data(data)))
        assert isinstance(found["a"], torch.Tensor)
    template = StringTemplate("x", ["$a", "<$a>"])
    same = TabularTextConverter(template, seed=np.int64(5)), TabularTextConverter(template, seed=5)
    assert same[0].convert_data([{"a": 1}]) == same[1].convert_data([{"a": 1}])
    for seed in (1.5, None, "x"):
        with pytest.raises(exceptions.InvalidArgumentError, match="whole number"):
            TabularTextConverter(template, seed=seed)
    with pytest.raises(exceptions.InvalidArgumentError, match=r"format, found '\{:\.2f\}'"):
        StringTemplate("x", "$a", formats={"a": "{:.2f}"})
    with pytest.raises(exceptions.InvalidArgumentError, match="missing=None"):
        StringTemplate("x", "$a", missing=None)


class Shouted(TextTemplate):
    fields = ("Name",)

    def render(self, row, variant=0):
        return str(row["Name"]).upper()


@pytest.mark.parametrize("kind", [*frames()])
def test_templates_of_ones_own(kind):
    found = TabularTextConverter(Shouted("shouted")).convert_data(frames()[kind])
    texts = [row["text"] if isinstance(row, dict) else row for row in found]
    assert texts == ["ADA", "", "數\n"]


# Jinja2


@pytest.mark.parametrize("kind", [*frames()])
def test_jinja(kind):
    pytest.importorskip("jinja2")
    template = JinjaTemplate(
        "x", ["{{ Name }}{% if Age %} is {{ Age | int }}{% endif %}", "{{ Score }}"], missing="?"
    )
    assert template.fields == ("Age", "Name", "Score")
    converter = TabularTextConverter(template, seed=1)
    found = converter.convert_data(frames()[kind])
    texts = [row["text"] if isinstance(row, dict) else row for row in found]
    assert texts == [converter.convert_row(row) for row in ROWS]
    assert template.render(ROWS[1]) == "?"
    assert pickle.loads(pickle.dumps(template)).render(ROWS[0]) == "Ada is 36"


@pytest.mark.parametrize(
    "text",
    [
        "{{ Name.__class__.__mro__ }}",
        "{{ ''.__class__.__base__.__subclasses__() }}",
        "{{ range(10 ** 9) | list }}",
    ],
)
def test_jinja_stays_in_its_sandbox(text):
    pytest.importorskip("jinja2")
    with pytest.raises(exceptions.InvalidArgumentError):
        JinjaTemplate("x", text).render({"Name": "Ada"})


def test_what_jinja_does_not_take():
    pytest.importorskip("jinja2")
    with pytest.raises(exceptions.InvalidArgumentError, match="'x' is not one of Jinja2"):
        JinjaTemplate("x", "{% if %}")
    with pytest.raises(exceptions.InvalidArgumentError, match=r"'Name' is undefined.*\['Age'\]"):
        JinjaTemplate("x", "{{ Name }}").render({"Age": 1})
    with pytest.raises(exceptions.InvalidArgumentError, match="no text"):
        JinjaTemplate("x", [])
    with pytest.raises(exceptions.InvalidArgumentError, match="ZeroDivisionError"):
        JinjaTemplate("x", "{{ 1 / a }}").render({"a": 0})


def test_empty_cells_in_jinja():
    pytest.importorskip("jinja2")
    text = "{{ A }}{{ ', alley ' ~ B if B else '' }}"
    assert TabularTextConverter(JinjaTemplate("x", text)).convert_data([{"A": 1.0, "B": None}]) == [
        "1"
    ]
    template = JinjaTemplate(
        "x", "{{ a | upper }}|{{ a ~ '!' }}|{% if a %}x{% endif %}", missing="none"
    )
    assert template.render({"a": float("nan")}) == "NONE|none!|"
    optional = TabularTextConverter(JinjaTemplate("x", "{{ b | default('z') }}"))
    assert optional.convert_row({"a": 1}) == "z"
    assert optional.convert_data([{"a": 1}]) == optional.convert_data(pa.table({"a": [1]})) == ["z"]
    named = TabularTextConverter(JinjaTemplate("x", "{{ range }}"))
    assert named.convert_data(pd.DataFrame({"range": [5]})) == ["5"]
    assert named.convert_data([{"range": 5}]) == ["5"]


@pytest.mark.parametrize(
    "text",
    [
        "{{ a.tofile('w') }}",
        "{{ p.write_text('w') }}",
        "{{ a.dump('w') }}",
        "{{ 99999 ** 9999999 > 1 }}",
        "{{ 'a' * 2000000000 }}",
        "{{ [1] * 2000000000 }}",
    ],
)
def test_jinja_reaches_nothing_outside(text, tmp_path, monkeypatch):
    pytest.importorskip("jinja2")
    monkeypatch.chdir(tmp_path)
    row = {"a": np.bytes_(b"x"), "p": tmp_path / "p", "b": np.array([1])}
    with pytest.raises(exceptions.InvalidArgumentError, match="the template 'x_v1'"):
        JinjaTemplate("x", text).render(row)
    assert [*tmp_path.iterdir()] == []


def test_without_jinja2(tmp_path):
    (tmp_path / "jinja2.py").write_text("raise ImportError")
    code = "from rowstream.tabular import JinjaTemplate; JinjaTemplate('x', '')"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "pip install 'rowstream[tabular]'" in done.stderr
