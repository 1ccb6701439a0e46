"""Training on a local cluster of Ray, for `test_ray.py`: prints which rows were seen, as JSON."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import ray
import rowstream
from ray.train import Checkpoint, FailureConfig, RunConfig, ScalingConfig
from ray.train.torch import TorchTrainer
from rowstream.integrations.ray import read

N, FAILS_AT, SAVED_EACH = 1000, 15, 10


def note(config, what, rank, ids):
    with Path(config["folder"], f"{config['name']}-{what}-{rank}").open("a") as file:
        file.write(json.dumps(ids) + "\n")


def train(config):
    """Train on the rows of this rank, from the last checkpoint on; fail once if asked to."""
    rank = ray.train.get_context().get_world_rank()
    stream = rowstream.load_dataset(
        "json", data_files=config["files"], split="train", streaming=True
    ).shuffle(seed=1, buffer_size=100)
    loader = rowstream.DataLoader(stream, batch_size=8, world="auto", on_uneven="stop")
    begin = ray.train.get_checkpoint() or config.get("from")
    if begin is not None:
        with begin.as_directory() as folder:
            loader.load_state_dict(json.loads(Path(folder, "loader.json").read_text()))
    else:
        # What Ray Data gives this rank.
        shard = ray.train.get_dataset_shard("train").iter_batches(batch_size=50)
        note(config, "shard", rank, [int(i) for batch in shard for i in batch["id"]])
    ids = []
    for step, batch in enumerate(loader, 1):
        ids += batch["id"].tolist()
        if begin is None and step == FAILS_AT and rank == 1:
            raise RuntimeError("this worker is lost")
        if step % SAVED_EACH == 0 or loader.last:
            # What comes after the last checkpoint is done again.
            states = loader.gather_state_dicts()
            with tempfile.TemporaryDirectory() as folder:
                Path(folder, "loader.json").write_text(json.dumps(states))
                saved = Checkpoint.from_directory(folder) if rank == 0 else None
                ray.train.report({"step": step}, checkpoint=saved)
            note(config, "trained", rank, ids)
            ids = []


def main(folder: str) -> None:
    for i in range(2):
        rows = [{"id": j} for j in range(i * N // 2, (i + 1) * N // 2)]
        rowstream.write_jsonl(Path(folder, f"{i}.jsonl"), rows)
    ray.init(num_cpus=4, include_dashboard=False, log_to_driver=False)
    files = str(Path(folder, "*.jsonl"))
    stream = rowstream.load_dataset("json", data_files=files, split="train", streaming=True)

    def run(name, workers, begin=None):
        return TorchTrainer(
            train,
            train_loop_config={"files": files, "folder": folder, "name": name, "from": begin},
            scaling_config=ScalingConfig(num_workers=workers),
            datasets={"train": read(stream, num_tasks=2)} if begin is None else None,
            run_config=RunConfig(
                name=name, storage_path=folder, failure_config=FailureConfig(max_failures=1)
            ),
        ).fit()

    def seen(name, parts=None):
        files = sorted(Path(folder).glob(f"{name}-*"))
        return [
            i
            for file in files
            for line in file.read_text().splitlines()[:parts]
            for i in json.loads(line)
        ]

    saved = run("failed", 2).best_checkpoints
    # From the first checkpoint of two workers on, with one.
    run("fewer", 1, saved[0][0])
    found = {
        "shards": seen("failed-shard"),
        "failed": seen("failed-trained"),
        "fewer": seen("failed-trained", 1) + seen("fewer-trained"),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1])
