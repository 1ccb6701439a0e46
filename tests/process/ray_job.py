"""A job on a local cluster of Ray, for `test_ray.py`: prints what it found as JSON."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from unittest import mock

import datasets  # noqa: F401 — as Ray imports it
import pyarrow as pa
import pyarrow.parquet as pq
import ray
import rowstream
from ray.data.expressions import col
from rowstream.integrations.ray import read

N = 4000


def generated():
    yield from ({"a": i} for i in range(7))


def doubled(row):
    return {"id": row["id"] * 2}


def failing(row):
    raise ValueError(f"row {row['id']}")


def main(folder: str) -> None:
    for i in range(4):
        rows = range(i * N // 4, (i + 1) * N // 4)
        table = pa.table({"id": rows, "x": [j % 7 for j in rows], "text": [f"t{j}" for j in rows]})
        pq.write_table(table, Path(folder, f"{i}.parquet"), row_group_size=250)
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.execution_options.preserve_order = True
    files = str(Path(folder, "*.parquet"))
    stream = rowstream.load_dataset("parquet", data_files=files, split="train", streaming=True)
    table = rowstream.load_dataset("parquet", data_files=files, split="train")
    ds = read(stream)
    wanted = (col("id") >= N - 10) & col("x").is_in([1, 2])
    found = {
        "columns": ds.schema().names,
        "ids": [row["id"] for row in ds.take_all()],
        "count": ds.count(),
        "filtered": ds.filter(expr=wanted).take_all(),
        "filtered, other columns": ds.filter(expr=col("id") < 30).select_columns(["x"]).count(),
        "tasks": read(stream, num_tasks=3).materialize().num_blocks(),
        "map style": read(table, num_tasks=2).sum("id"),
        "generated": read(rowstream.IterableDataset.from_generator(generated)).count(),
        "together": read(rowstream.concatenate_datasets([stream, stream.map(doubled)])).count(),
        "mapped, filtered": read(stream.map(doubled)).filter(expr=col("id") < 20).count(),
        "empty": read(stream.take(0)).count(),
    }
    out = str(Path(folder, "out"))
    ds.filter(expr=col("id") < 100).write_parquet(out)
    again = rowstream.load_dataset("parquet", data_files=out + "/*.parquet", split="train")
    found["written"] = sorted(again["id"])
    # What is for `datasets` takes ours: it asks the Hub whether it has the files.
    with mock.patch("requests.get", return_value=mock.Mock(status_code=404)):
        found["huggingface"] = [
            ray.data.from_huggingface(one).sum("id") for one in (table, stream, stream.map(doubled))
        ]
    # The same without Ray Data: functions and files by tasks.
    mapped = table.map(doubled, engine="ray")
    again = mapped.map(doubled, engine="ray", num_proc=3)
    found["engine, mapped"] = [mapped.num_rows, sum(mapped["id"]), again["id"][3]]
    try:
        table.map(failing, engine="ray", num_proc=2)
    except ValueError as error:
        found["engine, failed"] = str(error)
    for kind in ("parquet", "arrow", "webdataset"):
        out = Path(folder, kind)
        out.mkdir()
        one = stream.select_columns(["text"]).rename_column("text", "txt")
        getattr(one, f"to_{kind}")(out, num_shards=4, engine="ray", sort_by="txt")
        again = rowstream.load_dataset(kind, data_files=f"{out}/*-of-00004.*", split="train")
        found[f"engine, {kind}"] = again["txt"][:] == sorted(table["text"])
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1])
