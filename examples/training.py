"""Train on a packed stream, kill all processes, go on with more of them, and prove that nothing was lost.

    python examples/training.py

The text is the source of Python's standard library. Two ranks train a small model on it, each with a part of one shuffled, tokenized and
packed stream. They are killed by SIGKILL between two checkpoints. Three ranks go on from the last one. What each step trained on is
written down, and every token of every row has to be there once.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections import Counter
from pathlib import Path

LENGTH, BATCH, SAVE_EVERY, VOCABULARY = 128, 8, 5, 2000
FILES = 24


def prepare(folder: Path) -> int:
    """Write the rows, and train a tokenizer on them; return the number of rows."""
    from rowstream import write_jsonl
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    sources = sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))[:FILES]
    texts = [path.read_text(encoding="utf-8", errors="replace") for path in sources]
    pieces = [text[at : at + 900] for text in texts for at in range(0, len(text), 900)]
    for part in range(4):
        rows = [{"n": n, "text": text} for n, text in enumerate(pieces) if n % 4 == part]
        write_jsonl(folder / f"texts-{part}.jsonl", rows)
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(pieces[:300], trainer)
    tokenizer.save(str(folder / "tokenizer.json"))
    return len(pieces)


def stream(folder: Path):
    """Return the stream that all ranks train on: packed ids, and which row each of them is of."""
    from rowstream import load_dataset

    files = str(folder / "texts-*.jsonl")
    ds = load_dataset("json", data_files=files, split="train", streaming=True)
    ds = ds.shuffle(seed=1, buffer_size=500).tokenize(str(folder / "tokenizer.json"), "text")
    ds = ds.map(lambda row: {"row": [row["n"]] * len(row["input_ids"])})
    return ds.pack(LENGTH, "wrapped", columns=["input_ids", "row"])


def train(folder: Path) -> None:
    """Train one epoch as one rank of several, from the last checkpoint on if there is one."""
    import torch
    import torch.distributed as dist
    from rowstream import DataLoader

    dist.init_process_group("gloo")
    rank, ranks = dist.get_rank(), dist.get_world_size()
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Embedding(VOCABULARY, 32), torch.nn.Linear(32, VOCABULARY))
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    # Ranks whose rows end earlier repeat their last batch, so that all take as many steps.
    loader = DataLoader(stream(folder), batch_size=BATCH, world="auto", on_uneven="pad")
    step, saved = 0, last_checkpoint(folder)
    if saved is not None:
        state = torch.load(saved / "model.pt")
        model.load_state_dict(state["model"])
        loader.load_state_dict(
            [json.loads(path.read_text()) for path in sorted(saved.glob("rank-*.json"))]
        )
        step = state["step"]
    with (folder / f"seen-{ranks}-{rank}.jsonl").open("w") as seen:
        for batch in loader:
            ids = batch["input_ids"].long()
            logits = model(ids[:, :-1]).flatten(0, 1)
            loss = torch.nn.functional.cross_entropy(logits, ids[:, 1:].flatten())
            optimizer.zero_grad()
            loss.backward()
            for parameter in model.parameters():
                dist.all_reduce(parameter.grad)
                parameter.grad /= ranks
            optimizer.step()
            step += 1
            rows = [] if loader.padded else batch["row"][batch["attention_mask"].bool()].tolist()
            seen.write(
                json.dumps({"step": step, "loss": loss.item(), "rows": Counter(rows)}) + "\n"
            )
            seen.flush()
            if step % SAVE_EVERY == 0:
                save(folder / f"checkpoint-{step:04}", rank, loader, model, step)
                dist.barrier()
                if rank == 0:
                    (folder / f"checkpoint-{step:04}" / "whole").touch()
    dist.destroy_process_group()


def save(folder: Path, rank: int, loader, model, step: int) -> None:
    """Save the place of this rank, and the model once; no rank has to talk to another."""
    import torch

    folder.mkdir(exist_ok=True)
    (folder / f"rank-{rank}.json").write_text(json.dumps(loader.state_dict()))
    if rank == 0:
        torch.save({"model": model.state_dict(), "step": step}, folder / "model.pt")


def last_checkpoint(folder: Path) -> Path | None:
    """Return the folder of the last checkpoint that all ranks have written."""
    return max((path.parent for path in folder.glob("checkpoint-*/whole")), default=None)


def start(folder: Path, ranks: int) -> list[subprocess.Popen]:
    """Start a process for each rank."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    shared = {
        **os.environ,
        "WORLD_SIZE": str(ranks),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": port,
    }
    return [
        subprocess.Popen(
            [sys.executable, __file__, "--rank-of", str(folder)],
            env={**shared, "RANK": str(rank), "OMP_NUM_THREADS": "1"},
        )
        for rank in range(ranks)
    ]


def read(folder: Path, ranks: int) -> list[dict]:
    """Return what so many ranks wrote down; a line that the kill cut off is none."""
    found = []
    for path in sorted(folder.glob(f"seen-{ranks}-*.jsonl")):
        lines = path.read_text().split("\n")
        found += [json.loads(line) for line in lines[:-1]]
    return found


def demonstrate(folder: Path) -> None:
    """Train, kill, go on, and compare."""
    rows = prepare(folder)
    print(f"{rows:,} pieces of source code; two ranks train on them")
    first = start(folder, 2)
    # Between two checkpoints, so that the steps since the last one are lost with the processes.
    while min(map(len, by_rank(folder, 2)), default=0) < 2 * SAVE_EVERY + 2:
        if any(process.poll() for process in first):
            raise SystemExit("a rank failed")
        time.sleep(0.01)
    for process in first:
        process.send_signal(signal.SIGKILL)
    for process in first:
        process.wait()
    checkpoint = last_checkpoint(folder)
    step = int(checkpoint.name.rpartition("-")[2])
    print(f"killed; the last checkpoint is of step {step}. Three ranks go on from there")
    second = start(folder, 3)
    if any(process.wait(timeout=300) for process in second):
        raise SystemExit("a rank failed")
    # What was trained on after the checkpoint is in no model that is left.
    kept = [line for line in read(folder, 2) if line["step"] <= step] + read(folder, 3)
    seen: Counter = Counter()
    for line in kept:
        seen.update({int(row): tokens for row, tokens in line["rows"].items()})
    expected = tokens_of_rows(folder)
    print(
        f"{max(line['step'] for line in kept)} steps, loss {kept[0]['loss']:.2f} to"
        f" {kept[-1]['loss']:.2f}; {sum(seen.values()):,} tokens of {len(seen):,} rows"
    )
    if seen != expected:
        lost, again = expected - seen, seen - expected
        raise SystemExit(f"WRONG: {sum(lost.values())} tokens lost, {sum(again.values())} repeated")
    print("every token of every row was trained on once")


def by_rank(folder: Path, ranks: int) -> list[list[str]]:
    """Return the lines that each rank has written so far."""
    return [path.read_text().split("\n")[:-1] for path in folder.glob(f"seen-{ranks}-*.jsonl")]


def tokens_of_rows(folder: Path) -> Counter:
    """Return the number of tokens of each row, read without a stream's order."""
    from rowstream import load_dataset

    files = str(folder / "texts-*.jsonl")
    ds = load_dataset("json", data_files=files, split="train", cache_dir=str(folder / "cache"))
    ds = ds.tokenize(str(folder / "tokenizer.json"), "text")
    return Counter({row["n"]: len(row["input_ids"]) for row in ds if row["input_ids"]})


def main() -> None:
    """Run the demonstration, or one rank of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rank-of", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.rank_of is not None:
        train(arguments.rank_of)
        return
    with tempfile.TemporaryDirectory(prefix="rowstream-training-") as folder:
        demonstrate(Path(folder))


if __name__ == "__main__":
    main()
