"""Whole operations beside `datasets`: `python -m benches.operations [name …]`.

All that docs/datasets.md names, on 40,000 rows (a number, a float, a class, a text, a chat of two messages, 16 tokens), with the cache
of results off; the second call in a process is timed. Writes benches/results/operations.json.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from pathlib import Path

from benches.sides import compare

RESULTS = Path("benches/results/operations.json")
DATA = Path(tempfile.gettempdir()) / "rowstream-operations"
ROWS = 40_000

SETUP = """
    import os, pickle
    p.disable_caching()
    ds = p.load_from_disk(folder + "/rows")
    half = ds.select(range(0, len(ds), 2))
    narrow = ds.select_columns(["id", "score", "label"])
    texts = ds.select_columns(["text"])
    stream = p.load_dataset("parquet", data_files=folder + "/rows.parquet", split="train", streaming=True)
    out = cache + "/out"
    def read(format, file, **options):
        # Each time as if for the first time.
        place = os.path.join(cache, str(time.perf_counter_ns()))
        return p.load_dataset(format, data_files=folder + "/" + file, split="train", cache_dir=place, **options)
    def ends(result):
        return [len(result), result[0], result[len(result) - 1]]
    rows = columns = frame = None
"""
LEVEL = 1.15
# The name, what is timed, and what is hashed of its result.
OPERATIONS: dict[str, tuple[str, str]] = {
    "JSON Lines to the first row": ("read('json', 'rows.jsonl')[0]", "result"),
    "JSON Lines, streamed, to the first row": (
        "next(iter(read('json', 'rows.jsonl', streaming=True)))",
        "result",
    ),
    "CSV to the first row": ("read('csv', 'rows.csv')[0]", "result"),
    "Parquet to the first row": ("read('parquet', 'rows.parquet')[0]", "result"),
    "iterate": ("[row for row in ds]", "result[-1]"),
    "iterate, numpy": ("[row for row in narrow.with_format('numpy')]", "result[-1]"),
    "iterate, torch": ("[row for row in narrow.with_format('torch')]", "result[-1]"),
    "iterate a stream": ("[row for row in stream]", "result[-1]"),
    "iterate a stream, torch": (
        "[row for row in stream.select_columns(['id', 'score']).with_format('torch')]",
        "result[-1]",
    ),
    "batches of a stream, torch": (
        "[b for b in stream.select_columns(['id', 'score']).with_format('torch').iter(100)]",
        "result[-1]",
    ),
    "map, a row": ("ds.map(lambda row: {'n': row['id'] + 1})", "result['n'][-3:]"),
    "map, a row, a new text": (
        "ds.map(lambda row: {'text': row['text'] + '!'})",
        "result['text'][-3:]",
    ),
    "map, with_indices, remove_columns": (
        "ds.map(lambda row, i: {'n': i}, with_indices=True, remove_columns=ds.column_names)",
        "result[-1]",
    ),
    "map, input_columns": (
        "ds.map(lambda i: {'n': i + 1}, input_columns='id')",
        "result['n'][-3:]",
    ),
    "map, batched, lists": (
        "ds.map(lambda b: {'n': [i + 1 for i in b['id']]}, batched=True)",
        "result['n'][-3:]",
    ),
    "map, batched, lists of lists": (
        "ds.map(lambda b: {'t': [[i, i + 1, i + 2] for i in b['id']]}, batched=True)",
        "result['t'][-3:]",
    ),
    "map, batched, NumPy": (
        "narrow.with_format('numpy').map(lambda b: {'n': b['score'] * 2}, batched=True)",
        "[round(float(x), 2) for x in result.with_format(None)['n'][-3:]]",
    ),
    "map, batched, NumPy arrays of rows": (
        "ds.map(lambda b: {'v': np.arange(len(b['id']) * 16.0).reshape(-1, 16)}, batched=True)",
        "result['v'][-2:]",
    ),
    "map, batched, more rows": (
        "texts.map(lambda b: {'w': [w for t in b['text'] for w in t.split()[:3]]}, batched=True, remove_columns=['text'])",
        "ends(result)",
    ),
    "filter, a row": ("ds.filter(lambda row: row['id'] % 3 == 0)", "ends(result)"),
    "filter, input_columns": (
        "ds.filter(lambda i: i % 3 == 0, input_columns='id')",
        "ends(result)",
    ),
    "filter, batched": (
        "ds.filter(lambda b: [i % 3 == 0 for i in b['id']], batched=True)",
        "ends(result)",
    ),
    "filter, batched, of a selection": (
        "half.filter(lambda b: [i % 3 == 0 for i in b['id']], batched=True)",
        "ends(result)",
    ),
    "filter a stream": (
        "[row for row in stream.filter(lambda row: row['id'] % 3 == 0)]",
        "result[-1]",
    ),
    "map a stream": ("[row for row in stream.map(lambda row: {'n': row['id'] + 1})]", "result[-1]"),
    "map a stream, batched": (
        "[row for row in stream.map(lambda b: {'n': [i + 1 for i in b['id']]}, batched=True)]",
        "result[-1]",
    ),
    "shuffle a stream": (
        "len([row for row in stream.shuffle(seed=1, buffer_size=1000)])",
        "result",
    ),
    "batch a stream": (
        "[row for row in stream.select_columns(['id', 'text']).batch(16)]",
        "result[-1]",
    ),
    "batch(16)": ("narrow.batch(16)", "ends(result)"),
    "shuffle": ("ds.shuffle(seed=0)", "ends(result)"),
    "shuffle, iterate": ("[row for row in ds.shuffle(seed=0)]", "result[-1]"),
    "select": ("ds.select(range(39_999, -1, -1))", "ends(result)"),
    "sort": ("ds.sort('score', reverse=True)", "ends(result)"),
    "sort by text": ("ds.sort('text')", "ends(result)"),
    "train_test_split": ("ds.train_test_split(0.1, seed=0)['test']", "ends(result)"),
    "shard": ("ds.shard(4, 1)", "ends(result)"),
    "flatten_indices": ("half.flatten_indices()", "ends(result)"),
    "concatenate_datasets": ("p.concatenate_datasets([ds, half])", "ends(result)"),
    "interleave_datasets": (
        "p.interleave_datasets([ds, half], probabilities=[0.5, 0.5], seed=0)",
        "ends(result)",
    ),
    "unique": ("ds.unique('text')", "[len(result), result[:3]]"),
    "add_column": ("narrow.add_column('new', columns['id'])", "ends(result)"),
    "cast_column": ("narrow.cast_column('id', p.Value('float64'))", "ends(result)"),
    "cast": (
        "narrow.cast(p.Features({'id': p.Value('int32'), 'score': p.Value('float32'), 'label': p.Value('string')}))",
        "ends(result)",
    ),
    "rename_column": ("ds.rename_column('text', 'body')", "ends(result)"),
    "remove_columns": ("ds.remove_columns(['text'])", "ends(result)"),
    "class_encode_column": ("narrow.class_encode_column('label')", "ends(result)"),
    "flatten": ("ds.flatten()", "ends(result)"),
    "a column": ("ds['text'][:]", "result[-3:]"),
    "to_list": ("ds.to_list()", "result[-1]"),
    "to_list of a selection": ("half.to_list()", "result[-1]"),
    "to_dict": ("ds.to_dict()", "result['text'][-2:]"),
    "to_pandas": ("ds.to_pandas()", "[len(result), result['text'].iloc[-1]]"),
    "to_polars": ("ds.to_polars()", "[len(result), result['text'][-1]]"),
    "to_parquet": ("ds.to_parquet(out)", "pq_rows(out)"),
    "to_json": ("ds.to_json(out)", "open(out).readlines()[-1]"),
    "to_csv": ("narrow.to_csv(out)", "open(out).readlines()[-1]"),
    "from_dict": ("p.Dataset.from_dict(columns)", "ends(result)"),
    "from_list": ("p.Dataset.from_list(rows)", "ends(result)"),
    "from_pandas": ("p.Dataset.from_pandas(frame)", "ends(result)"),
    "from_generator": (
        "p.Dataset.from_generator(lambda: iter(rows), cache_dir=cache + '/' + str(time.perf_counter_ns()))",
        "ends(result)",
    ),
    "save_to_disk": (
        "ds.save_to_disk(cache + '/saved')",
        "ends(p.load_from_disk(cache + '/saved'))",
    ),
    "load_from_disk": ("p.load_from_disk(folder + '/rows')", "ends(result)"),
    "pickle": ("pickle.loads(pickle.dumps(ds))", "ends(result)"),
    "to_iterable_dataset, iterate": ("[row for row in ds.to_iterable_dataset()]", "result[-1]"),
}
NEEDS = {
    "rows": "rows = ds.to_list()",
    "columns": "columns = ds.to_dict()",
    "frame": "frame = ds.to_pandas()",
}


def code_of(work: str, shown: str) -> str:
    needs = "".join(
        f"    {line}\n"
        for name, line in NEEDS.items()
        if f"({name})" in work or f"{name}[" in work or f"iter({name})" in work
    )
    return f"""{SETUP}{needs}
    def pq_rows(path):
        import pyarrow.parquet as pq
        table = pq.read_table(path)
        return [table.num_rows, table.slice(len(table) - 1).to_pylist()]
    def work():
        return {work}
    def shown(result):
        return {shown}
"""


def main() -> None:
    import datasets

    datasets.disable_progress_bars()
    if not (DATA / "rows").exists():
        rows = {
            "id": [*range(ROWS)],
            "score": [(i * 7919 % 10_007) / 7 for i in range(ROWS)],
            "label": [("a", "b", "c")[i % 3] for i in range(ROWS)],
            "text": [f"{i * 7919 % 10_007} " + "some words " * (i % 20) for i in range(ROWS)],
            "messages": [
                [
                    {"role": "user", "content": "hello " * (i % 30)},
                    {"role": "assistant", "content": "world " * (i % 50)},
                ]
                for i in range(ROWS)
            ],
            "tokens": [[(i * j) % 50_000 for j in range(16)] for i in range(ROWS)],
        }
        ds = datasets.Dataset.from_dict(rows)
        ds.save_to_disk(DATA / "rows")
        ds.to_parquet(DATA / "rows.parquet")
        ds.to_json(DATA / "rows.jsonl")
        ds.select_columns(["id", "score", "label", "text"]).to_csv(DATA / "rows.csv")
    made = {}
    for name, (work, shown) in OPERATIONS.items():
        if sys.argv[1:] and not any(word in name for word in sys.argv[1:]):
            continue
        code = code_of(work, shown)
        sides = dict.fromkeys(("rowstream", "datasets"), code)
        made[name] = compare(name, sides, str(DATA))
        if made[name]["ratios"]["datasets"]["cpu"] < LEVEL:
            # Both sides need about as much: the noise of three turns would say who wins.
            made[name] = compare(name, sides, str(DATA), turns=9)
    ratios = sorted(one["ratios"]["datasets"]["cpu"] for one in made.values())
    print(
        f"{len(ratios)} operations: median × {statistics.median(ratios):.2f}, least × {ratios[0]:.2f}"
    )
    if not sys.argv[1:]:
        RESULTS.write_text(json.dumps(made, indent=1) + "\n")


if __name__ == "__main__":
    main()
