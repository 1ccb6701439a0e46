"""One of two ranks that accelerate makes: run by test_ranks.py through the alias, once for each rank.

It says for each case which rows each rank was given, batch by batch, and then trains one epoch of them under DDP, if all ranks have as
many batches: where they have not, DDP would wait for ever.
"""

from __future__ import annotations

import json
import os
import sys
import warnings
from datetime import timedelta
from pathlib import Path

os.environ.update(HF_HUB_OFFLINE="1", CUDA_VISIBLE_DEVICES="", OMP_NUM_THREADS="1")
warnings.filterwarnings("ignore")

import datasets  # noqa: E402  # what it is, is the alias's to say
import pyarrow as pa  # noqa: E402
import pyarrow.parquet as pq  # noqa: E402
import torch  # noqa: E402
import torch.distributed as dist  # noqa: E402
from accelerate import Accelerator, InitProcessGroupKwargs  # noqa: E402
from accelerate.utils import DataLoaderConfiguration  # noqa: E402
from torch.utils.data import DataLoader  # noqa: E402
from transformers import PretrainedConfig, PreTrainedModel, Trainer, TrainingArguments  # noqa: E402

FOLDER = Path(sys.argv[1])
LIMIT = InitProcessGroupKwargs(timeout=timedelta(seconds=60))
GROUPS = {
    "uneven": [50, 50, 50, 50, 3],
    "one": [203],
    "two": [150, 53],
    "three": [7, 1, 195],
    "many": [7] * 29,
}
ROUTES = {
    "sharded": {"dispatch_batches": False},
    "sharded, split": {"dispatch_batches": False, "split_batches": True},
    "sharded, not even": {"dispatch_batches": False, "even_batches": False},
    "dispatched": {"dispatch_batches": True},
    "dispatched, split": {"dispatch_batches": True, "split_batches": True},
    "as it comes": {},
    "stateful": {"dispatch_batches": False, "use_stateful_dataloader": True},
}


def files(kind):
    """A file of row groups, written by one rank only."""
    path, row = FOLDER / f"{kind}.parquet", 0
    if not path.exists():
        aside = FOLDER / f"{kind}.{os.getpid()}"
        with pq.ParquetWriter(aside, pa.schema({"id": pa.int64()})) as writer:
            for n in GROUPS[kind]:
                writer.write_table(pa.table({"id": range(row, row + n)}), row_group_size=n)
                row += n
        aside.replace(path)
    return str(path)


def stream(kind):
    return datasets.load_dataset("parquet", data_files=files(kind), split="train", streaming=True)


def trained(accelerator, loader):
    """One epoch under DDP. It waits for the other rank in each step."""
    inner = torch.nn.Linear(1, 1)
    model, optimizer = accelerator.prepare(inner, torch.optim.SGD(inner.parameters(), lr=0.01))
    steps = 0
    for batch in loader:
        loss = model(batch["id"].float().reshape(-1, 1) / 1000).sum()
        accelerator.backward(loss)
        optimizer.step()
        optimizer.zero_grad()
        steps += 1
    return steps


def loaded(make, route, workers=0, size=8):
    """What the ranks are given on a route of accelerate, and how many steps DDP makes."""
    accelerator = Accelerator(
        cpu=True,
        dataloader_config=DataLoaderConfiguration(**ROUTES[route]),
        kwargs_handlers=[LIMIT],
    )
    loader = accelerator.prepare(
        DataLoader(make().with_format("torch"), batch_size=size, num_workers=workers)
    )
    given = [batch["id"].tolist() for batch in loader]
    ranks = [None] * dist.get_world_size()
    dist.all_gather_object(ranks, given)
    alike = len({len(one) for one in ranks}) == 1
    return {"ranks": ranks, "steps": trained(accelerator, loader) if alike else None}


class Model(PreTrainedModel):
    """Remembers the rows that it was given."""

    config_class = PretrainedConfig

    def __init__(self, config):
        super().__init__(config)
        self.inner, self.given = torch.nn.Linear(1, 1), []

    def forward(self, id=None, **_):
        self.given.append(id.tolist())
        return {"loss": self.inner(id.float().reshape(-1, 1) / 1000).sum()}


def of_trainer(make, steps, **config):
    """What a `Trainer` gives its model in so many steps."""
    model = Model(PretrainedConfig())
    arguments = TrainingArguments(
        output_dir=str(FOLDER / "out"), max_steps=steps, per_device_train_batch_size=8, report_to=[], save_strategy="no", use_cpu=True,
        accelerator_config=config, disable_tqdm=True, logging_strategy="no", remove_unused_columns=False,
    )  # fmt: skip
    Trainer(model=model, args=arguments, train_dataset=make()).train()
    ranks = [None] * dist.get_world_size()
    dist.all_gather_object(ranks, model.given)
    return {"ranks": ranks, "steps": len(model.given)}


def cases():
    for kind in ("uneven", "one", "two", "three", "many"):
        yield f"{kind}; sharded", lambda kind=kind: loaded(lambda: stream(kind), "sharded")
    for route in ROUTES:
        if route != "sharded":
            yield f"uneven; {route}", lambda route=route: loaded(lambda: stream("uneven"), route)
    steps = {
        "shuffled": lambda: stream("uneven").shuffle(seed=1, buffer_size=20),
        "mapped": lambda: stream("uneven").map(lambda row: {"id": row["id"]}),
        "mapped in batches": lambda: stream("uneven").map(
            lambda rows: {"id": rows["id"]}, batched=True, batch_size=10
        ),
        "taken": lambda: stream("uneven").shuffle(seed=1).take(150),
        "in memory": lambda: datasets.Dataset.from_dict(
            {"id": list(range(203))}
        ).to_iterable_dataset(num_shards=4),
        "concatenated": lambda: datasets.concatenate_datasets([stream("two"), stream("three")]),
        "interleaved": lambda: datasets.interleave_datasets(
            [stream("two"), stream("three")], stopping_strategy="all_exhausted_without_replacement"
        ),
    }
    for name, make in steps.items():
        yield f"{name}; sharded", lambda make=make: loaded(make, "sharded")
    given = lambda: ({"id": i} for i in range(1000, 1020))
    beside = lambda: datasets.concatenate_datasets(
        [datasets.IterableDataset.from_generator(given), steps["mapped"]()]
    )
    yield "beside a generator; sharded", lambda: loaded(beside, "sharded")
    yield "uneven; sharded, workers", lambda: loaded(lambda: stream("uneven"), "sharded", workers=2)
    yield (
        "map-style; sharded",
        lambda: loaded(
            lambda: datasets.load_dataset("parquet", data_files=files("uneven"), split="train"),
            "sharded",
        ),
    )
    yield (
        "uneven; Trainer",
        lambda: of_trainer(lambda: stream("uneven"), 13, dispatch_batches=False),
    )
    yield "uneven; Trainer, dispatched", lambda: of_trainer(lambda: stream("uneven"), 13)


if __name__ == "__main__":
    assert datasets.Dataset.__module__.startswith("rowstream."), datasets
    Accelerator(cpu=True, kwargs_handlers=[LIMIT])
    for name, run in cases():
        try:
            found = run()
        except Exception as error:
            found = {"error": f"{type(error).__name__}: {error}"}
        if dist.get_rank() == 0 or "error" in found:
            print("found: " + json.dumps([name, found]), flush=True)
    dist.destroy_process_group()
