"""What an evaluation and a tabular competition need around the data: the last part of `make demo`.

GSM8K comes from a Hub on this machine (with made rows: no package carries the real ones), the Titanic's passengers are real.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from pathlib import Path

from rowstream.evaluate import evaluate
from rowstream.evaluate.results import Exporter, ResultStore
from rowstream.tabular import CompetitionType, DatasetRegistry, DatasetSpec, TextTemplateEngine
from rowstream.tasks import gsm8k, load_task


def evaluate_baselines() -> None:
    """Answer GSM8K by two rules, store both runs, compare them and write what others read."""
    sys.path.insert(0, str(Path(__file__).parent.parent))
    from tests.server import Server

    with tempfile.TemporaryDirectory() as folder, Server(Path(folder) / "served") as server:
        files = {}
        for split, rows in (("train", 700), ("test", 300)):
            made = gsm8k.load(synthetic=True, sample_size=rows, seed=rows)
            made.dataset.to_parquet(f"{folder}/{split}.parquet")
            files[f"main/{split}.parquet"] = Path(f"{folder}/{split}.parquet").read_bytes()
        paths = [{"split": split, "path": f"main/{split}.parquet"} for split in ("train", "test")]
        server.repo(
            gsm8k.repo, files, cardData={"configs": [{"config_name": "main", "data_files": paths}]}
        )
        os.environ.update({"HF_ENDPOINT": server.hub, "ROWSTREAM_CACHE": f"{folder}/cache"})

        items = load_task("gsm8k", split="test", exclude=load_task("gsm8k", split="train"))
        print(f"\n{items}: {items[0].input!r} → {items[0].target!r}")
        numbers = [[int(n) for n in re.findall(r"\d+", question)] for question in items.prompts()]
        answers = {
            "product": [f"So there are {a * b} in all." for a, b, *_ in numbers],
            "product, one in two less": [
                f"{a} * {b} = {a * b}\n#### {a * b - c * (i % 2):,}"
                for i, (a, b, c, *_) in enumerate(numbers)
            ],
        }
        store = ResultStore(f"{folder}/results.sqlite")
        for name, of in answers.items():
            store.save(evaluate(of, items), name, model="a rule")
        comparison = store.compare(*answers)
        print(comparison)
        assert comparison.second > comparison.first
        assert comparison.p_value < 0.001
        runs = Exporter([store.load(run.id) for run in store.list()])
        print(runs.to_markdown(f"{folder}/scores.md"))
        print(
            f"for lm-eval's tools: {[Path(p).name for p in Exporter(store.load('product')).to_lm_eval(folder)]}"
        )


def titanic_as_text(folder: Path) -> None:
    """Read the passengers as Kaggle has them, as text with labels, in torch's loader."""
    from titanic import write_titanic
    from torch.utils.data import DataLoader

    rows = write_titanic(folder)
    spec = DatasetSpec.infer(folder, competition_name="titanic")
    assert spec.competition_type is CompetitionType.BINARY_CLASSIFICATION
    train = DatasetRegistry().create_dataset("titanic", spec=spec)
    print(
        f"\n{train!r}: {spec.target_column} from {spec.num_features} features\n{train[0]['text']}"
    )
    batches = [*DataLoader(train, batch_size=64, shuffle=True)]
    survived = sum(int(batch["labels"].sum()) for batch in batches)
    ids = sorted(id for batch in batches for id in batch["metadata"]["id"].tolist())
    assert ids == [int(row["PassengerId"]) for row in rows[: len(train)]]
    assert survived == sum(row["Survived"] == "1" for row in rows[: len(train)])
    print(f"{len(batches)} batches of torch's loader; {survived} of {len(ids)} survived")
    texts = TextTemplateEngine().convert_data(data=rows, template_name="titanic_v1")
    assert texts[: len(train)] == [item["text"] for item in train]
