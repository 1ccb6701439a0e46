"""All recipes, or those that are named: `python -m benches.recipes [chat pairs ids table numbers functions waiting]`.

Each side is as its own documentation writes it, in a process of its own; what it gives is hashed, and has to be equal. CPU time is of the
process and its threads, so that sides with worker processes are compared by wall time. Texts in batches of packed ids are in
`benches.tokens`.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
from pathlib import Path

from benches.recipes import peers
from benches.recipes.sides import RECIPES
from benches.sides import compare

RESULTS = Path("benches/results/recipes.json")
DATA = Path(tempfile.gettempdir()) / "rowstream-recipes"
WORDS = [
    "alpha",
    "beta",
    "gamma",
    "delta",
    "the",
    "of",
    "and",
    "trains",
    "reads",
    "models",
    "é",
    "数",
]


def make() -> None:
    """Chats, pairs, token ids and numbers, and a byte-level tokenizer with a chat template."""
    import pyarrow as pa
    import pyarrow.parquet as pq
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    if (DATA / "whole-2").exists():
        return
    DATA.mkdir(parents=True, exist_ok=True)
    rng = random.Random(0)

    def words(n: int) -> str:
        return " ".join(rng.choice(WORDS) + str(rng.randrange(500)) for _ in range(n))

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=4000,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=["<|im_start|>", "<|im_end|>"],
        show_progress=False,
    )
    tokenizer.train_from_iterator([words(200) for _ in range(200)], trainer)
    tokenizer.save(str(DATA / "tokenizer.json"))
    with (DATA / "chats.jsonl").open("w") as file:
        for _ in range(6000):
            turns = [
                {"role": role, "content": words(rng.randrange(10, 60))}
                for _ in range(rng.randrange(1, 3))
                for role in ("user", "assistant")
            ]
            file.write(json.dumps({"messages": turns}) + "\n")
    with (DATA / "pairs.jsonl").open("w") as file:
        for _ in range(8000):
            pair = {
                "chosen": words(rng.randrange(10, 80)),
                "rejected": words(rng.randrange(10, 80)),
            }
            file.write(json.dumps(pair) + "\n")
    ids = [[rng.randrange(50_000) for _ in range(2049)] for _ in range(200)]
    kind = pa.list_(pa.int32())
    many = pa.table({"input_ids": pa.array(ids * 20, kind)})
    pq.write_table(many, DATA / "ids.parquet", row_group_size=500, compression="zstd")
    pq.write_table(
        many, DATA / "plain.parquet", row_group_size=500, compression="none", use_dictionary=False
    )
    n = 60_000
    columns = {name: pa.array([rng.random() for _ in range(n)], pa.float32()) for name in "abc"}
    pq.write_table(pa.table(columns), DATA / "numbers.parquet", row_group_size=10_000)
    (DATA / "whole-2").touch()


def main() -> None:
    """Measure the recipes and write the results."""
    make()
    peers.write(DATA)
    found = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for name, (title, sides) in RECIPES.items():
        if len(sys.argv) == 1 or name in sys.argv[1:]:
            found[title] = compare(title, sides, str(DATA), times=3)
            RESULTS.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
