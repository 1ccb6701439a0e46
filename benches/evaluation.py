"""What surrounds the data beside the libraries that people use for it: `python -m benches.evaluation`.

A million rows as text by a template, beside pandas' `apply` of `string.Template`; the folds of ten million rows, beside scikit-learn;
metrics of a stream, beside the metric's own library over lists in memory. Writes benches/results/evaluation.json.
"""

from __future__ import annotations

import json
import random
import tempfile
from pathlib import Path

from benches.sides import compare

RESULTS = Path("benches/results/evaluation.json")
DATA = Path(tempfile.gettempdir()) / "rowstream-evaluation"
ROWS = 1_000_000

TEMPLATE = """
    import pandas as pd
    text = "$name, $sex, age $age, travels in class $pclass for a fare of $fare, cabin $cabin."
    frame = pd.read_parquet(folder + "/passengers.parquet")
    if package == "rowstream":
        from rowstream.tabular import StringTemplate, TabularTextConverter
        def work():
            return TabularTextConverter(StringTemplate("passenger", text)).convert_data(frame)
    else:
        from string import Template
        template = Template(text)
        def cell(value):
            if value is None or value == "" or value != value:
                return "unknown"
            return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
        def render(row):
            return template.substitute({name: cell(value) for name, value in row.items()})
        def work():
            return frame.apply(render, axis=1).tolist()
    def shown(texts):
        return [len(texts), hashlib.sha256("\\n".join(texts).encode()).hexdigest()]
"""
FOLDS = """
    labels = np.random.default_rng(0).integers(0, 10, 10_000_000, np.int8)
    if package == "rowstream":
        ds = p.Dataset.from_dict({"label": labels})
        def work():
            of = {"stratify_by": "label"} if STRATIFIED else {}
            return [(len(train), len(test)) for train, test in ds.k_fold(5, seed=0, **of)]
    else:
        from sklearn.model_selection import KFold, StratifiedKFold
        def work():
            of = (StratifiedKFold if STRATIFIED else KFold)(5, shuffle=True, random_state=0)
            return [(len(train), len(test)) for train, test in of.split(labels, labels)]
    def shown(sizes):
        return sizes
"""
METRIC = """
    pairs = [json.loads(line) for line in open(folder + "/answers.jsonl")]
    predictions = [pair["prediction"] for pair in pairs]
    references = [pair["reference"] for pair in pairs]
    if package == "rowstream":
        from rowstream.evaluate import evaluate
        ds = p.load_dataset("json", data_files=folder + "/answers.jsonl", split="train", streaming=True)
        def work():
            return evaluate(ds, metrics=[METRIC])[METRIC].value
    elif METRIC == "rougeL":
        from rouge_score.rouge_scorer import RougeScorer
        def work():
            scorer = RougeScorer(["rougeL"])
            scores = [scorer.score(r, q)["rougeL"].fmeasure for q, r in zip(predictions, references)]
            return sum(scores) / len(scores)
    else:
        from sacrebleu.metrics import BLEU
        def work():
            return BLEU().corpus_score(predictions, [references]).score
    def shown(score):
        return round(score, 9)
"""


def make() -> None:
    """Passengers as a table, and answers with references."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if (DATA / "answers.jsonl").exists():
        return
    DATA.mkdir(parents=True, exist_ok=True)
    rnd = random.Random(1)
    words = ["".join(rnd.choices("etaoinshrdlu", k=rnd.randint(2, 9))) for _ in range(3000)]

    def gap(value, share):
        return None if rnd.random() < share else value

    columns = {
        "name": [" ".join(rnd.choices(words, k=3)).title() for _ in range(ROWS)],
        "sex": [rnd.choice(["male", "female"]) for _ in range(ROWS)],
        "age": [gap(rnd.randint(1, 160) / 2, 0.2) for _ in range(ROWS)],
        "pclass": [rnd.randint(1, 3) for _ in range(ROWS)],
        "fare": [round(rnd.expovariate(0.03), 4) for _ in range(ROWS)],
        "cabin": [gap(f"{rnd.choice('ABCDE')}{rnd.randint(1, 99)}", 0.77) for _ in range(ROWS)],
    }
    pq.write_table(pa.table(columns), DATA / "passengers.parquet")
    with (DATA / "answers.jsonl").open("w") as file:
        for _ in range(20_000):
            reference = rnd.choices(words, k=rnd.randint(5, 40))
            prediction = [word if rnd.random() < 0.7 else rnd.choice(words) for word in reference]
            pair = {"prediction": " ".join(prediction), "reference": " ".join(reference)}
            file.write(json.dumps(pair) + "\n")


def main() -> None:
    """Measure each workload and write the results."""
    make()

    def sides(code, other):
        return {"rowstream": code, other: code}

    found = {
        "a million rows as text": compare(
            "a million rows as text", sides(TEMPLATE, "pandas"), str(DATA), turns=3
        )
    }
    for name, stratified in (("folds of 10 million rows", False), ("…, stratified", True)):
        code = f"\n    STRATIFIED = {stratified}" + FOLDS
        found[name] = compare(name, sides(code, "sklearn"), str(DATA))
    for metric, library in (("rougeL", "rouge_score"), ("bleu", "sacrebleu")):
        code = f"\n    METRIC = {metric!r}" + METRIC
        name = f"{metric} of 20,000 rows of a stream"
        found[name] = compare(name, sides(code, library), str(DATA))
    RESULTS.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
