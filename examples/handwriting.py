"""Read handwritten digits on a Ray cluster of this machine, and train on them with MLX.

    python examples/handwriting.py

The 1,797 pictures of 8 by 8 pixels are those of scikit-learn (BSD-3), real handwriting. A part without its library is left out with a
line that says so.
"""

from __future__ import annotations

import logging
import os
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

import rowstream
from rowstream.loader import MLXDataLoader, MLXLoaderConfig

SHARDS, EPOCHS = 8, 30


def digits(folder: str) -> rowstream.Dataset:
    """Return the pictures as rows of a list of pixels and a label."""
    source = Path(find_spec("sklearn").submodule_search_locations[0], "datasets/data/digits.csv.gz")
    table = rowstream.load_dataset(
        "csv", data_files=str(source), split="train", header=None, cache_dir=folder
    )
    names = table.column_names
    return table.map(
        lambda batch: {
            "pixels": [
                list(row) for row in zip(*(batch[name] for name in names[:-1]), strict=True)
            ],
            "label": batch[names[-1]],
        },
        batched=True,
        remove_columns=names,
    )


def on_ray(rows: rowstream.Dataset, folder: str) -> None:
    """Write the rows as shards in another order, and count labels where Ray's tasks read them."""
    # A cluster of this machine alone needs no token.
    os.environ.setdefault("RAY_AUTH_MODE", "disabled")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    import ray
    import ray.data
    from ray.data.expressions import col
    from rowstream.integrations.ray import read

    logging.getLogger("ray").setLevel("ERROR")

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="error")
    ray.data.DataContext.get_current().enable_progress_bars = False
    shards = f"{folder}/digits.parquet"
    rows.to_iterable_dataset().to_parquet(
        shards, num_shards=SHARDS, shuffle_seed=1, unique_by="pixels", engine="ray"
    )
    stream = rowstream.load_dataset(
        "parquet", data_files=f"{folder}/digits-*.parquet", split="train", streaming=True
    )
    ds = read(stream, num_tasks=SHARDS)
    threes = ds.filter(expr=col("label") == 3).count()
    ray.shutdown()
    expected = sum(label == 3 for label in stream["label"])
    print(
        f"Ray: {SHARDS} shards of {stream.count()} different pictures; {threes} of them are threes"
    )
    if threes != expected:
        sys.exit(f"Ray counts {threes} threes, there are {expected}")


def with_mlx(rows: rowstream.Dataset) -> None:
    """Train a layer on batches of MLX, and say how many pictures that it has not seen it reads."""
    import mlx.core as mx
    import mlx.nn as nn
    import mlx.optimizers as optim

    parts = rows.train_test_split(test_size=0.2, seed=1)
    loader = MLXDataLoader(parts["train"], MLXLoaderConfig(batch_size=64, shuffle=True))
    loader.enable_profiling()
    model, optimizer = nn.Linear(64, 10), optim.Adam(learning_rate=0.01)

    def loss(model, pixels, label):
        return nn.losses.cross_entropy(model(pixels / 16), label, reduction="mean")

    step = nn.value_and_grad(model, loss)
    for _ in range(EPOCHS):
        for batch in loader:
            _, gradients = step(model, batch["pixels"], batch["label"])
            optimizer.update(model, gradients)
            mx.eval(model.parameters())
    right = sum(
        int((mx.argmax(model(batch["pixels"] / 16), axis=1) == batch["label"]).sum())
        for batch in MLXDataLoader(parts["test"], MLXLoaderConfig(batch_size=64))
    )
    found = loader.get_profiling_results()
    print(
        f"MLX: {right} of {len(parts['test'])} pictures read after {EPOCHS} epochs;"
        f" {found['throughput_samples_per_sec']:,.0f} rows/s, {found['waiting_share']:.0%} of the time waited"
    )
    if right < 0.9 * len(parts["test"]):
        sys.exit("the model has not learned")


def main() -> None:
    """Run the parts whose libraries are installed."""
    rowstream.disable_progress_bars()
    with tempfile.TemporaryDirectory() as folder:
        rows = digits(folder)
        for name, part in (("ray", lambda: on_ray(rows, folder)), ("mlx", lambda: with_mlx(rows))):
            if find_spec(name) is None:
                print(f"{name} is not installed here (pip install {name}): its part is left out")
            else:
                part()


if __name__ == "__main__":
    main()
