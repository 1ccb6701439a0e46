"""The real passengers of the Titanic, as Kaggle has them: `train.csv` and `test.csv`.

scikit-learn (BSD-3) carries them among the files of its tests, as OpenML 40945 has them. Which are for training and
which for the test is drawn here.
"""

from __future__ import annotations

import csv
import gzip
import random
from pathlib import Path

import sklearn

COLUMNS = {
    "Survived": "survived",
    "Pclass": "pclass",
    "Name": "name",
    "Sex": "sex",
    "Age": "age",
    "SibSp": "sibsp",
    "Parch": "parch",
    "Ticket": "ticket",
    "Fare": "fare",
    "Cabin": "cabin",
    "Embarked": "embarked",
}
TRAIN_ROWS = 891


def passengers() -> list[dict[str, str]]:
    """All 1,309 rows, with empty texts where nothing is known."""
    file = "datasets/tests/data/openml/id_40945/data-v1-dl-16826755.arff.gz"
    text = gzip.decompress((Path(sklearn.__file__).parent / file).read_bytes()).decode()
    head, _, body = text.partition("@data")
    names = [line.split("'")[1] for line in head.splitlines() if line.startswith("@attribute")]
    rows = [dict(zip(names, row, strict=True)) for row in csv.reader(body.split("\n")) if row]
    order = random.Random(0).sample(range(len(rows)), len(rows))
    return [
        {
            "PassengerId": str(i),
            **{ours: rows[at][theirs].replace("?", "") for ours, theirs in COLUMNS.items()},
        }
        for i, at in enumerate(order, 1)
    ]


def write_titanic(folder: Path) -> list[dict[str, str]]:
    """Write `train.csv` and `test.csv`, and return all rows."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = passengers()
    for name, part in (("train.csv", rows[:TRAIN_ROWS]), ("test.csv", rows[TRAIN_ROWS:])):
        columns = [c for c in rows[0] if c != "Survived" or name == "train.csv"]
        with (folder / name).open("w", newline="") as file:
            writer = csv.DictWriter(file, columns, extrasaction="ignore")
            writer.writeheader()
            writer.writerows(part)
    return rows
