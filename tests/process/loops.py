"""Training loops of others over our streams, natively: run by test_loops.py, in one process or two ranks.

Each case trains two passes with a checkpoint after every step, resumes at several, and compares the batches and the weights with those of
the run that was not interrupted.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import warnings
from pathlib import Path

os.environ.update(
    HF_HUB_OFFLINE="1", CUDA_VISIBLE_DEVICES="", OMP_NUM_THREADS="1", TOKENIZERS_PARALLELISM="false"
)
warnings.filterwarnings("ignore")

import pyarrow as pa  # noqa: E402
import pyarrow.parquet as pq  # noqa: E402
import rowstream  # noqa: E402
import torch  # noqa: E402
import torch.distributed as dist  # noqa: E402

torch.set_num_threads(1)
WHAT, FOLDER = sys.argv[1], Path(sys.argv[2])
RANK, RANKS = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
ROWS = 103


def write():
    """Files of few and uneven row groups, with the number of the row in `input_ids`."""
    row = 0
    for number, n in enumerate([20, 20, 20, 20, 23]):
        ids = [[row + k, 1, 2, 3] for k in range(n)]
        table = pa.table(
            {"input_ids": ids, "labels": ids, "extra": [f"t{row + k}" for k in range(n)]}
        )
        aside = FOLDER / f"{number}.{os.getpid()}"
        pq.write_table(table, aside, row_group_size=7)
        aside.replace(FOLDER / f"{number}.parquet")
        row += n


def stream():
    files = str(FOLDER / "*.parquet")
    ds = rowstream.load_dataset("parquet", data_files=files, split="train", streaming=True)
    return ds.shuffle(seed=1, buffer_size=30)


def filtered():
    return stream().filter(lambda row: row["input_ids"][0] % 3 > 0)


def numbers(batch):
    return batch["input_ids"][:, 0].tolist()


def of_all_ranks(value):
    if RANKS == 1:
        return [value]
    result = [None] * RANKS
    dist.all_gather_object(result, value)
    return result


def check(name, full, resumed, rows=None):
    """Check what a run trained on, and what each resumed one did: `{steps: (batches, weights)}`."""
    batches, weights = full
    ranks = of_all_ranks(batches)
    assert len({len(rank) for rank in ranks}) == 1, [len(rank) for rank in ranks]
    if rows is not None:
        # In the first pass each row comes once, but for the ends of the longer ranks.
        steps = -(-rows // 8) if RANKS == 1 else rows // 16 - 1
        first = [n for rank in ranks for batch in rank[:steps] for n in batch]
        assert len(first) == len(set(first)), name
        assert RANKS > 1 or len(first) == rows, (name, len(first))
    for steps, (after, weights_after) in resumed.items():
        assert after == batches[steps:], (name, steps, len(after), len(batches))
        assert weights_after == weights, (name, steps)
    print(f"done: {name}", flush=True)


def weights_of(model):
    return sum(p.double().abs().sum().item() for p in model.parameters())


# transformers


def tiny():
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    return GPT2LMHeadModel(
        GPT2Config(
            vocab_size=128,
            n_positions=16,
            n_embd=16,
            n_layer=1,
            n_head=2,
            bos_token_id=0,
            eos_token_id=0,
        )
    )


def hf_run(make, folder, resume=None, **options):
    """Train by a `Trainer`; return the batches and the weights."""
    from rowstream.integrations.trainer import ResumableTrainer
    from transformers import Trainer, TrainingArguments

    class Recording(ResumableTrainer, Trainer):
        def training_step(self, model, inputs, *others):
            self.__dict__.setdefault("seen", []).append(numbers(inputs))
            return super().training_step(model, inputs, *others)

    arguments = {
        "output_dir": str(FOLDER / folder),
        "max_steps": 20,
        "per_device_train_batch_size": 8,
        "report_to": [],
        "save_steps": 1,
        "use_cpu": True,
        "disable_tqdm": True,
        "logging_strategy": "no",
        **options,
    }
    trainer = Recording(model=tiny(), args=TrainingArguments(**arguments), train_dataset=make())
    trainer.train(resume_from_checkpoint=resume and str(FOLDER / resume))
    return trainer.seen, weights_of(trainer.model)


def hf_trainer():
    run = hf_run
    cases = {
        "Trainer": (stream, ROWS, (5, 12, 13, 14, 18), {}),
        "Trainer, workers": (stream, None, (5, 14), {"dataloader_num_workers": 2}),
        "Trainer, filtered": (filtered, 68, (3, 9, 14), {}),
    }
    for name, (make, rows, steps, options) in cases.items():
        full = run(make, name, **options)
        resumed = {
            k: run(make, "resumed", f"{name}/checkpoint-{k}", **options, save_strategy="no")
            for k in steps
        }
        check(name, full, resumed, rows)
    # Four steps at once; the last step of a pass has fewer.
    whole = {"gradient_accumulation_steps": 4, "max_steps": 7}
    full = run(stream, "accumulated", **whole)
    for k in (2, 4, 5):
        after = run(stream, "resumed", f"accumulated/checkpoint-{k}", **whole, save_strategy="no")
        assert full[0][-len(after[0]) :] == after[0]
        assert full[1] == after[1]
    print("done: Trainer, accumulated", flush=True)


def handover():
    run = hf_run
    if RANKS == 2:
        json_path = FOLDER / "ranks.json"
        ranks = of_all_ranks(run(stream, "two", max_steps=9)[0])
        if RANK == 0:
            json_path.write_text(json.dumps(ranks))
    else:
        # A checkpoint of two ranks goes on in one: each row of the pass once.
        ranks = json.loads((FOLDER / "ranks.json").read_text())
        after = run(stream, "one", "two/checkpoint-3", max_steps=16, save_strategy="no")[0]
        seen = [n for rank in ranks for batch in rank[:3] for n in batch]
        for batch in after:
            if len(seen) < ROWS:
                seen += batch
        assert sorted(seen) == [*range(ROWS)]
        print("done: Trainer, from two ranks to one", flush=True)


# accelerate


def accelerate_loop():
    from accelerate import Accelerator
    from rowstream.integrations.accelerate import prepare

    def run(make, folder=None, resume=None, passes=2):
        torch.manual_seed(0)
        accelerator = Accelerator(cpu=True, gradient_accumulation_steps=2)
        model = tiny()
        model, optimizer = accelerator.prepare(model, torch.optim.SGD(model.parameters(), lr=0.1))
        loader = prepare(accelerator, make().select_columns(["input_ids"]), 8)
        if resume is not None:
            accelerator.load_state(str(FOLDER / resume))
        seen = []
        for epoch in range(loader.epoch, passes):
            loader.set_epoch(epoch)
            for batch in loader:
                with accelerator.accumulate(model):
                    loss = model(input_ids=batch["input_ids"], labels=batch["input_ids"]).loss
                    accelerator.backward(loss)
                    optimizer.step()
                    optimizer.zero_grad()
                seen.append(numbers(batch))
                # Those within a step have gradients that accelerate does not save.
                if folder is not None and accelerator.sync_gradients:
                    accelerator.save_state(str(FOLDER / folder / str(len(seen))))
        return seen, weights_of(model)

    for name, make in {"accelerate": stream, "accelerate, filtered": filtered}.items():
        full = run(make, name)
        saved = sorted(int(path.name) for path in (FOLDER / name).iterdir())
        resumed = {k: run(make, None, f"{name}/{k}") for k in (saved[0], saved[2], saved[-2])}
        last = max(k for k in saved if k <= len(full[0]) // 2)
        check(name, full, resumed | {last: run(make, None, f"{name}/{last}")}, None)


# Lightning


def lightning_loop():
    import lightning
    from lightning.pytorch.callbacks import ModelCheckpoint
    from lightning.pytorch.strategies import DDPStrategy
    from rowstream.integrations.lightning import LightningLoader

    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)

    class Module(lightning.LightningModule):
        def __init__(self, make):
            super().__init__()
            self.line, self.seen, self.make = torch.nn.Linear(1, 1), [], make
            torch.nn.init.ones_(self.line.weight)
            torch.nn.init.zeros_(self.line.bias)

        def training_step(self, batch, index):
            self.seen.append(numbers(batch))
            return self.line(batch["input_ids"][:, :1].float() / 1000).sum()

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=0.01)

        def train_dataloader(self):
            return LightningLoader(self.make().select_columns("input_ids"), 8, trainer=self.trainer)

    def run(make, folder=None, resume=None, **options):
        saving = ModelCheckpoint(
            dirpath=FOLDER / (folder or "none"),
            filename="{step}",
            every_n_train_steps=1,
            save_top_k=-1,
        )
        module = Module(make)
        lightning.Trainer(
            max_epochs=2,
            accelerator="cpu",
            devices=RANKS,
            logger=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            callbacks=[saving] if folder else [],
            enable_checkpointing=folder is not None,
            strategy=DDPStrategy(process_group_backend="gloo") if RANKS > 1 else "auto",
            **options,
        ).fit(module, ckpt_path=resume and FOLDER / resume, weights_only=False)
        return module.seen, weights_of(module)

    cases = {
        "Lightning": (stream, ROWS, {}),
        "Lightning, filtered": (filtered, 68, {}),
        "Lightning, limited": (stream, None, {"limit_train_batches": 5}),
    }
    for name, (make, rows, options) in cases.items():
        full = run(make, name, **options)
        half = len(full[0]) // 2
        assert full[0][:half] != full[0][half : 2 * half], (
            "the second pass has the order of the first"
        )
        steps = (2, half - 1, half, half + 1, half + 2)
        resumed = {k: run(make, None, f"{name}/step={k}.ckpt", **options) for k in steps}
        check(name, full, resumed, rows)


# trl


def trl_loop():
    sys.path.insert(0, str(Path(__file__).parent))
    sys.argv = [sys.argv[0], str(FOLDER)]
    import trainers
    from rowstream.integrations.trainer import ResumableTrainer
    from trl import DPOConfig, DPOTrainer, GRPOConfig, GRPOTrainer, SFTConfig, SFTTrainer

    trainers.written()

    def load(path, streaming):
        return rowstream.load_dataset(
            "json",
            data_files=path,
            split="train",
            streaming=streaming,
            cache_dir=str(FOLDER / "cache"),
        )

    for streaming in (False, True):
        arguments = trainers.arguments()
        more = {"processing_class": trainers.TOKENIZER}
        chats, pairs = load(trainers.CHAT, streaming), load(trainers.PREFERENCES, streaming)
        model = trainers.model()
        SFTTrainer(
            model, SFTConfig(max_length=32, **arguments), train_dataset=chats, **more
        ).train()
        config = SFTConfig(max_length=32, packing=True, **arguments)
        SFTTrainer(trainers.model(), config, train_dataset=chats, **more).train()
        config = DPOConfig(max_length=32, **arguments)
        DPOTrainer(
            trainers.model(), ref_model=trainers.model(), args=config, train_dataset=pairs, **more
        ).train()
        config = GRPOConfig(num_generations=2, max_completion_length=4, **arguments)
        GRPOTrainer(
            model=trainers.model(),
            reward_funcs=lambda completions, **_: [float(len(str(one))) for one in completions],
            args=config,
            train_dataset=pairs.select_columns(["prompt"]),
            **more,
        ).train()
        print(f"done: trl, {'streams' if streaming else 'tables'}", flush=True)

    class Recording(ResumableTrainer, SFTTrainer):
        def training_step(self, model, inputs, *others):
            self.__dict__.setdefault("seen", []).append(inputs["input_ids"].tolist())
            return super().training_step(model, inputs, *others)

    def run(folder, resume=None, **options):
        torch.manual_seed(0)
        chats = load(trainers.CHAT, True).shuffle(seed=3, buffer_size=16)
        config = {
            **trainers.arguments(),
            "output_dir": str(FOLDER / folder),
            "max_steps": 24,
            "save_strategy": "steps",
            "save_steps": 1,
            "disable_tqdm": True,
            **options,
        }
        trainer = Recording(
            model=trainers.model(),
            args=SFTConfig(max_length=32, **config),
            train_dataset=chats,
            processing_class=trainers.TOKENIZER,
        )
        trainer.train(resume_from_checkpoint=resume and str(FOLDER / resume))
        return trainer.seen, weights_of(trainer.model)

    for name, options in {"SFT": {}, "SFT, packed": {"packing": True}}.items():
        full = run(name, **options)
        resumed = {
            k: run("resumed", f"{name}/checkpoint-{k}", **{**options, "save_strategy": "no"})
            for k in (4, 19, 22)
        }
        check(name, full, resumed)


# Grain


def grain_loop():
    import grain
    from absl import flags
    from rowstream.integrations.grain import source

    flags.FLAGS(["loops"])
    ds = stream().select_columns("input_ids")

    def exact(name, made, steps=3, rows=ROWS):
        batches = iter(made)
        first = [numbers(next(batches)) for _ in range(steps)]
        state = json.loads(json.dumps(batches.get_state()))
        rest = [numbers(batch) for batch in batches]
        again = iter(made)
        again.set_state(state)
        assert [numbers(batch) for batch in again] == rest
        seen = [n for batch in first + rest for n in batch]
        assert sorted({*seen}) == [*range(ROWS)]
        assert len(seen) == rows
        print(f"done: {name}", flush=True)

    exact("Grain", source(ds).batch(8))
    mapped = source(ds.map(lambda row: row)).map(lambda row: row)
    exact("Grain, mapped", mapped.batch(8))
    ahead = grain.experimental.ThreadPrefetchIterDataset(mapped.batch(8), prefetch_buffer_size=3)
    exact("Grain, ahead", ahead)
    options = grain.MultiprocessingOptions(num_workers=2, per_worker_buffer_size=2)
    exact("Grain, workers", source(ds).batch(8).mp_prefetch(options))
    files = str(FOLDER / "*.parquet")
    table = rowstream.load_dataset("parquet", data_files=files, split="train")
    rows = source(table.select_columns("input_ids"))
    exact("Grain, table", grain.MapDataset.source(rows).shuffle(seed=1).to_iter_dataset().batch(8))
    sampler = grain.samplers.IndexSampler(num_records=ROWS, shuffle=True, seed=0, num_epochs=1)
    loader = grain.DataLoader(
        data_source=rows, sampler=sampler, operations=[grain.transforms.Batch(8)], worker_count=0
    )
    batches = iter(loader)
    for _ in range(3):
        next(batches)
    state = batches.get_state()
    following = numbers(next(batches))
    again = iter(loader)
    again.set_state(state)
    assert numbers(next(again)) == following
    assert repr(rows) != repr(source(table.select(range(50)).select_columns("input_ids")))
    print("done: Grain, DataLoader", flush=True)


# ours


def even_ends():
    dist.init_process_group("gloo")
    name = {"world": "auto", "format": "numpy"}
    for make in (stream, filtered, lambda: stream().select_columns("input_ids").pack(10, "bfd")):
        plain = [batch["input_ids"].tolist() for batch in rowstream.DataLoader(make(), 4, **name)]
        counts = [len(rank) for rank in of_all_ranks(plain)]
        for how in ("stop", "pad"):
            loader = rowstream.DataLoader(make(), 4, on_uneven=how, **name)
            padded, found = 0, []
            for batch in loader:
                found.append(batch["input_ids"].tolist())
                padded += loader.padded
            steps = min(counts) if how == "stop" else max(counts)
            assert len(found) == steps, (how, len(found), counts)
            assert found[: len(plain)] == plain[:steps]
            assert padded == max(0, steps - len(plain))
            # Resumed with the list of all states, the same batches follow.
            part = iter(loader)
            for _ in range(2):
                next(part)
            states = loader.gather_state_dicts()
            again = rowstream.DataLoader(make(), 4, on_uneven=how, **name)
            loader.set_epoch(loader.state_dict()["epoch"])
            again.load_state_dict(states)
            rest = [batch["input_ids"].tolist() for batch in again]
            assert rest == [batch["input_ids"].tolist() for batch in part]
    # A rank that has ended when all save goes on repeating a batch.
    loader = rowstream.DataLoader(stream(), 4, on_uneven="pad", **name)
    plain = len([*rowstream.DataLoader(stream(), 4, **name)])
    counts = of_all_ranks(plain)
    batches = iter(loader)
    for _ in range(min(counts)):
        next(batches)
    states = loader.gather_state_dicts()
    again = rowstream.DataLoader(stream(), 4, on_uneven="pad", **name)
    again.load_state_dict(states)
    rest = [(batch["input_ids"].shape, again.padded) for batch in again]
    assert len(rest) == max(counts) - min(counts), (len(rest), counts)
    assert all(padded == (plain < max(counts)) for _, padded in rest[-1:])
    empty = stream().filter(lambda row: row["input_ids"][0] == 5)
    stopped = rowstream.DataLoader(empty, 4, on_uneven="stop", **name)
    assert [*stopped] == []
    try:
        list(rowstream.DataLoader(empty, 4, on_uneven="pad", **name))
    except rowstream.exceptions.InvalidArgumentError as error:
        assert "no batch" in str(error)
    else:
        raise AssertionError("padded with nothing")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        rowstream.DataLoader(stream(), 4)
    assert any("reads all rows" in str(one.message) for one in caught)
    print("done: even ends", flush=True)


if __name__ == "__main__":
    write()
    {
        "trainer": hf_trainer,
        "handover": handover,
        "accelerate": accelerate_loop,
        "lightning": lightning_loop,
        "trl": trl_loop,
        "grain": grain_loop,
        "even": even_ends,
    }[WHAT]()
    if dist.is_initialized():
        dist.destroy_process_group()
