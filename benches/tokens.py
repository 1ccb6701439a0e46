"""From text to packed batches, beside what trainers run today: `python -m benches.tokens`.

Pieces of Python source, tokenized by a byte-level BPE that is trained here, packed into 2,048 ids, as batches of torch; and the steps
alone. The other sides are `datasets` with `tokenizers` 0.23, and 1.0, in batches, each as its documentation has it; and `tokenizers` 1.0 alone. CPU time is of the process and its
threads. Writes benches/results/tokens.json.
"""

from __future__ import annotations

import json
import sysconfig
import tempfile
from pathlib import Path

from benches.sides import compare

RESULTS = Path("benches/results/tokens.json")
DATA = Path(tempfile.gettempdir()) / "rowstream-tokens"
PIECE, PIECES, VOCABULARY = 900, 20_000, 8_000

LOADED = """
    path, vocabulary = folder + "/texts.jsonl", folder + "/tokenizer.json"
    def stream():
        return p.load_dataset("json", data_files=path, split="train", streaming=True)
    if package == "tokenizers":
        tokenizer = p.Tokenizer.from_file(vocabulary)
    elif package != "rowstream":
        from tokenizers import Tokenizer
        tokenizer = Tokenizer.from_file(vocabulary)
        def encode(batch):
            return {"input_ids": [one.ids for one in tokenizer.encode_batch(batch["text"])]}
        def tokenized():
            return stream().map(encode, batched=True, remove_columns=["text"])
"""
IDS = (
    LOADED
    + """
    if package == "rowstream":
        ds = stream().tokenize(vocabulary, "text")
        def work():
            n = 0
            for batch in ds.with_format("arrow").iter(batch_size=1000):
                n += len(batch["input_ids"].combine_chunks().values)
            return n
    elif package == "tokenizers":
        # The crate alone, on as many threads, its texts given and its ids only counted.
        texts = [json.loads(line)["text"] for line in open(path)]
        def work():
            parts = (texts[i : i + 1000] for i in range(0, len(texts), 1000))
            return sum(len(one) for part in parts for one in tokenizer.encode_batch(part))
    else:
        def work():
            return sum(len(row["input_ids"]) for row in tokenized())
    def shown(n):
        return n
"""
)
PACKED = (
    LOADED
    + """
    import torch
    if package == "rowstream":
        def batches():
            ds = stream().tokenize(vocabulary, "text").pack(2048, "wrapped", drop_last=True)
            for batch in p.DataLoader(ds, batch_size=8, drop_last=True):
                yield batch["input_ids"]
    else:
        def batches():
            held, batch = [], []
            for row in tokenized():
                held += row["input_ids"]
                while len(held) >= 2048:
                    batch.append(held[:2048])
                    held = held[2048:]
                    if len(batch) == 8:
                        yield torch.tensor(batch)
                        batch = []
    def work():
        return [(tuple(batch.shape), int(batch.sum())) for batch in batches()]
    def shown(sums):
        return sums
"""
)


def make() -> None:
    """Pieces of the source of the standard library, and a tokenizer trained on some of them."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    if (DATA / "tokenizer.json").exists():
        return
    DATA.mkdir(parents=True, exist_ok=True)
    sources = sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py"))
    text = "".join(path.read_text(encoding="utf-8", errors="replace") for path in sources)
    pieces = [text[i * PIECE % len(text) :][:PIECE] for i in range(PIECES)]
    (DATA / "texts.jsonl").write_text("".join(json.dumps({"text": one}) + "\n" for one in pieces))
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(pieces[:2000], trainer)
    tokenizer.save(str(DATA / "tokenizer.json"))


def main() -> None:
    """Measure each workload and write the results."""
    make()
    found = {}
    others = ("datasets", "datasets+tokenizers1")
    for name, code, peers in (
        (f"{PIECES:,} texts of {PIECE} characters as ids", IDS, (*others, "tokenizers+1")),
        ("the same, packed, as batches of torch", PACKED, others),
    ):
        sides = dict.fromkeys(("rowstream", *peers), code)
        found[name] = compare(name, sides, str(DATA))
    RESULTS.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
