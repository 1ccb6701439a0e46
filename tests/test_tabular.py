"""Competitions of tables: specifications, datasets, the registry, and rows as text."""

from __future__ import annotations

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
from rowstream.tabular.templates import variant_of
from rowstream.tabular.text_columns import _variants

from examples.titanic import write_titanic

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
    (tmp_path / "datasets" / "__init__.py").write_text("raise RuntimeError")
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
    with pytest.raises(exceptions.InvalidArgumentError, match=r"broken_dataset\.py.*nothing_of"):
        registry.discover(tmp_path)
    with pytest.raises(exceptions.InvalidArgumentError, match="no folder"):
        registry.discover(tmp_path / "nowhere")


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
    assert registry.search_competitions(competition_type="ranking") == []
    with pytest.raises(exceptions.InvalidArgumentError, match="competition type"):
        registry.search_competitions(competition_type="guessing")


def test_datasets_of_other_packages(tmp_path):
    (tmp_path / "others.py").write_text(
        "from rowstream.tabular import TitanicDataset\nclass ShipDataset(TitanicDataset): pass\n"
    )
    about = tmp_path / "others-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: others\nVersion: 1\n")
    (about / "entry_points.txt").write_text("[rowstream.tabular]\nships = others:ShipDataset\n")
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
    expected = [converter.convert_row(row, i) for i, row in enumerate(ROWS)]
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
    expected = [converter.convert_row(row, i) for i, row in enumerate(rows)]
    assert converter.convert_data(table) == expected
    assert converter.convert_data(rows) == expected


def test_variants_do_not_depend_on_batches():
    assert [variant_of(3, i, 5) for i in range(100)] == _variants(
        3, np.arange(100, dtype=np.uint64), 5
    ).tolist()
    counts = np.bincount(_variants(1, np.arange(30_000, dtype=np.uint64), 3))
    assert np.all(np.abs(counts - 10_000) < 400)
    ds = Dataset.from_dict({"a": list(range(5000))})
    template = StringTemplate("x", ["a $a", "b $a", "c $a"])
    whole = TabularTextConverter(template, seed=2).convert_data(ds)["text"][:]
    streamed = TabularTextConverter(template, seed=2).convert_data(ds.to_iterable_dataset())
    assert [row["text"] for row in streamed] == whole
    assert {text[0] for text in whole} == {"a", "b", "c"}
    state = None
    rows = []
    for i, row in enumerate(streamed):
        rows.append(row["text"])
        if i == 1234:
            state = streamed.state_dict()
            break
    streamed.load_state_dict(state)
    assert rows + [row["text"] for row in streamed] == whole


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
    with pytest.raises(exceptions.InvalidArgumentError, match="rows as dicts, found a int"):
        TabularTextConverter("titanic").convert_data([1, 2])


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
    assert texts == [converter.convert_row(row, i) for i, row in enumerate(ROWS)]
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
    with pytest.raises((exceptions.InvalidArgumentError, OverflowError)):
        JinjaTemplate("x", text).render({"Name": "Ada"})


def test_what_jinja_does_not_take():
    pytest.importorskip("jinja2")
    with pytest.raises(exceptions.InvalidArgumentError, match="'x' is not one of Jinja2"):
        JinjaTemplate("x", "{% if %}")
    with pytest.raises(exceptions.InvalidArgumentError, match=r"\['Name'\] are missing"):
        JinjaTemplate("x", "{{ Name }}").render({"Age": 1})


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
