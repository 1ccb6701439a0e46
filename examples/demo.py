"""The main job on real data: stream, shuffle, stop in the middle, go on with another number of consumers, prove it.

`make demo` runs this. The real data are the 17,472 films that the PyPI package `bokeh-sampledata` carries (BSD-3); the
larger set is made here.
"""

from __future__ import annotations

import gzip
import io
import json
import lzma
import random
import sqlite3
import sys
import tarfile
import time
import warnings
import zipfile
from collections import Counter
from itertools import islice
from pathlib import Path

import bokeh_sampledata
import pyarrow as pa
import pyarrow.parquet as pq
from evaluation import evaluate_baselines, titanic_as_text
from PIL import Image
from rowstream import (
    col,
    interleave_datasets,
    load_dataset,
    load_from_disk,
    merge_state_dicts,
    split_dataset_by_node,
)
from rowstream.webdataset import ShardWriter
from tqdm import tqdm

DATA = Path("data/demo")


def films(folder: Path) -> None:
    """Make the films of `movies.db` Parquet: four files, with lists of genres and of the cast."""
    database = sqlite3.connect(Path(bokeh_sampledata.__file__).parent / "_data" / "movies.db")
    rows = database.execute(
        'select ID, Title, Year, Genre, Director, "Cast", Runtime, imdbRating, Language, Country from omdb order by ID'
    ).fetchall()
    split = lambda text: text.split(", ") if text else []
    id, title, year, genre, director, cast, runtime, rating, language, country = map(
        list, zip(*rows, strict=True)
    )
    table = pa.table(
        {
            "id": id,
            "title": title,
            "year": year,
            "genres": list(map(split, genre)),
            "director": director,
            "cast": list(map(split, cast)),
            "runtime": runtime,
            "rating": rating,
            "language": language,
            "country": country,
        }
    )
    for i in range(4):
        part = table.slice(i * len(rows) // 4, (i + 1) * len(rows) // 4 - i * len(rows) // 4)
        pq.write_table(part, folder / f"train-{i:05}-of-00004.parquet", row_group_size=500)


def conversations(folder: Path) -> None:
    """400,000 conversations of two to four messages, about 900 bytes each."""
    rnd = random.Random(1)
    words = ["".join(rnd.choices("etaoinshrdlu", k=rnd.randint(2, 9))) for _ in range(3000)]
    texts = [" ".join(rnd.choices(words, k=rnd.randint(20, 90))) for _ in range(5000)]
    for f in range(8):
        turns = [rnd.randint(1, 2) for _ in range(50_000)]
        messages = [
            [
                {"role": role, "content": rnd.choice(texts)}
                for _ in range(n)
                for role in ("user", "assistant")
            ]
            for n in turns
        ]
        table = pa.table(
            {"id": pa.array(range(f * 50_000, f * 50_000 + 50_000)), "messages": messages}
        )
        pq.write_table(table, folder / f"train-{f:05}-of-00008.parquet", row_group_size=5_000)


def made(name: str, make) -> list[Path]:
    """Return the files of a data set, made if they are not there."""
    folder = DATA / name
    if not (folder / "done").exists():
        print(f"making {folder} …", flush=True)
        folder.mkdir(parents=True, exist_ok=True)
        make(folder)
        (folder / "done").touch()
    return sorted(file for file in folder.iterdir() if file.name != "done")


def show(name: str, make) -> None:
    """Streams one data set."""
    files = made(name, make)
    megabytes = sum(file.stat().st_size for file in files) / 1e6
    ds = load_dataset(
        "parquet", data_files=f"{DATA}/{name}/*.parquet", split="train", streaming=True
    ).shuffle(seed=7, buffer_size=10_000)
    total = ds.info.splits["train"].num_examples
    print(
        f"\n{name}: {total:,} rows in {len(files)} files of {megabytes:.1f} MB together, {ds.num_shards} row groups"
    )
    row = {
        key: value if len(str(value)) < 60 else f"{str(value)[:56]} …"
        for key, value in next(iter(ds)).items()
    }
    print(f"first row: {row}")

    began = time.perf_counter()
    ids = [
        row["id"]
        for row in tqdm(
            ds, total=total, desc="all rows, shuffled", unit=" rows", unit_scale=True, disable=None
        )
    ]
    took = time.perf_counter() - began
    print(
        f"{total / took:,.0f} rows/s, {megabytes / took:,.0f} MB/s of Parquet, as Python dicts, on one thread"
    )

    # Three consumers stop somewhere in the middle, each elsewhere; two go on.
    rnd, seen, states = random.Random(3), [], []
    for c in range(3):
        part = split_dataset_by_node(ds, c, 3)
        seen.append([row["id"] for row in islice(part, rnd.randint(total // 20, total // 4))])
        states.append(part.state_dict())
    merged = merge_state_dicts(states)
    rest = []
    for c in range(2):
        part = split_dataset_by_node(ds, c, 2)
        part.load_state_dict(merged)
        rest.append([row["id"] for row in part])
    got = Counter(id for part in seen + rest for id in part)
    print(
        f"3 consumers stopped after {' + '.join(f'{len(s):,}' for s in seen)} rows; 2 went on with {' + '.join(f'{len(s):,}' for s in rest)}"
    )
    print(f"the merged state is {len(str(merged)):,} bytes")
    lost, repeated = Counter(ids) - got, got - Counter(ids)
    if lost or repeated:
        sys.exit(f"rows lost: {sum(lost.values())}, repeated: {sum(repeated.values())}")
    print(f"all {len(got):,} rows exactly once: nothing lost, nothing repeated")

    # One consumer stops and goes on: the same order, row by row.
    rows = iter(ds)
    head = [row["id"] for row in islice(rows, total // 3)]
    ds.load_state_dict(ds.state_dict())
    if head + [row["id"] for row in ds] != ids:
        sys.exit("the order changed")
    print("stopped after a third and resumed: the same rows in the same order")


def lines(folder: Path) -> None:
    """Write the films as JSON Lines: three plain files and a compressed one."""
    for i, file in enumerate(made("films", films)):
        text = "".join(json.dumps(row) + "\n" for row in pq.read_table(file).to_pylist()).encode()
        if i == 3:
            (folder / f"{i}.jsonl.gz").write_bytes(gzip.compress(text))
        else:
            (folder / f"{i}.jsonl").write_bytes(text)


def archive(folder: Path) -> None:
    """Write the films as one tar archive: their facts as JSON, their title as text, and bytes beside them."""
    rnd = random.Random(4)
    with tarfile.open(folder / "films.tar", "w") as out:
        for file in made("films", films):
            for row in pq.read_table(file).to_pylist():
                poster = rnd.randbytes(4000)
                for field, content in (
                    ("json", json.dumps(row).encode()),
                    ("txt", row["title"].encode()),
                    ("bin", poster),
                ):
                    info = tarfile.TarInfo(f"films/{row['id']:06}.{field}")
                    info.size = len(content)
                    out.addfile(info, io.BytesIO(content))


def show_formats() -> None:
    """Stream the same films from lines and from an archive, through functions."""
    films_ = {
        row["id"]: row for file in made("films", films) for row in pq.read_table(file).to_pylist()
    }
    for name, make, format in (("lines", lines, "json"), ("archive", archive, "webdataset")):
        files = made(name, make)
        ds = load_dataset(
            format, data_files=list(map(str, files)), split="train", streaming=True
        ).shuffle(seed=7, buffer_size=1000)
        began = time.perf_counter()
        rows = [row["json"] if format == "webdataset" else row for row in ds]
        took = time.perf_counter() - began
        megabytes = sum(file.stat().st_size for file in files) / 1e6
        same = {row["id"]: row for row in rows} == films_
        print(
            f"\n{name}: {len(rows):,} rows of {len(files)} files, {ds.num_shards} pieces; {len(rows) / took:,.0f} rows/s, {megabytes / took:,.0f} MB/s"
        )
        print(f"the same films as in Parquet: {same}")
        if not same:
            sys.exit("the films differ")
    ds = load_dataset(
        "json", data_files=list(map(str, made("lines", lines))), split="train", streaming=True
    )
    long = ds.filter(lambda film: (film["runtime"] or 0) > 180).map(
        lambda film: {"hours": film["runtime"] / 60}
    )
    film = next(iter(long))
    print(
        f"films of more than three hours, by filter and map: {sum(1 for _ in long):,}; one of them: {film['title']} ({film['hours']:.1f} h)"
    )


def convert_filter_mix() -> None:
    """Stream the films in other formats, those that a condition wants, and films among conversations."""
    made("films", films)
    ds = load_dataset(
        "parquet", data_files=f"{DATA}/films/*.parquet", split="train", streaming=True
    )
    flat = ds.remove_columns(["genres", "cast"])
    rows = flat.to_list()
    folder = DATA / "converted"
    folder.mkdir(parents=True, exist_ok=True)
    flat.to_csv(folder / "films.csv")
    flat.to_json(folder / "films.jsonl")
    flat.to_parquet(folder / "films.parquet")
    with zipfile.ZipFile(folder / "films.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(folder / "films.jsonl", "films.jsonl")
    (folder / "films.csv.xz").write_bytes(
        lzma.compress((folder / "films.csv").read_bytes(), preset=1)
    )
    print()
    for format, name in (
        ("parquet", "films.parquet"),
        ("json", "films.jsonl"),
        ("csv", "films.csv"),
        ("csv", "films.csv.xz"),
        ("json", "films.zip"),
    ):
        options = (
            {"features": flat.features, "keep_default_na": False, "na_values": [""]}
            if format == "csv"
            else {}
        )
        again = load_dataset(
            format, data_files=str(folder / name), split="train", streaming=True, **options
        ).to_list()
        # An empty text and none are one thing in CSV.
        plain = lambda row, csv=format == "csv": [
            None if csv and value == "" else value for value in row.values()
        ]
        if list(map(plain, again)) != list(map(plain, rows)):
            sys.exit(f"{name}: the films differ")
        print(
            f"converted to {name} ({(folder / name).stat().st_size / 1e6:.1f} MB) and back: the same {len(again):,} films"
        )

    best = ds.filter((col("year") < 1960) & (col("runtime") >= 180)).select_columns(
        ["title", "year"]
    )
    print("\n" + best.explain())
    found = [f"{row['title']} ({row['year']})" for row in best]
    if len(found) != sum(
        1
        for row in rows
        if row["year"] and row["runtime"] and row["year"] < 1960 and row["runtime"] >= 180
    ):
        sys.exit("the filter lost films")
    print(
        f"{len(found)} films of before 1960 that take three hours and more: {', '.join(found[:4])}, …"
    )

    talk = load_dataset(
        "parquet", data_files=f"{DATA}/conversations/*.parquet", split="train", streaming=True
    )
    parts = [
        ds.select_columns(["id"]).shuffle(seed=1),
        talk.select_columns(["id"]).filter(lambda row: row["id"] % 10 == 0).shuffle(seed=2),
    ]
    mixed = interleave_datasets(
        parts,
        probabilities=[0.3, 0.7],
        seed=7,
        stopping_strategy="all_exhausted_without_replacement",
    )
    head, states = [], []
    for c in range(2):
        part = split_dataset_by_node(mixed, c, 2)
        head += [row["id"] for row in islice(part, 9_000)]
        states.append(part.state_dict())
    merged = merge_state_dicts(states)
    for c in range(4):
        part = split_dataset_by_node(mixed, c, 4)
        part.load_state_dict(merged)
        head += [row["id"] for row in part]
    expected = Counter(row["id"] for part in parts for row in part)
    if Counter(head) != expected:
        sys.exit("the mixture lost or repeated rows")
    print(
        f"\nmixed: {len(head):,} rows of films and conversations, 2 consumers, then 4: each exactly once"
    )
    whole = [row["id"] for row in ds.select_columns(["id"]).shuffle(seed=1, buffer_size=None)]
    before = {row["id"]: place for place, row in enumerate(rows)}
    moved = (
        sum(abs(before[id] - place) for place, id in enumerate(whole))
        / len(whole)
        / (len(whole) / 3)
    )
    print(
        f"all films permuted as a whole: on average {moved:.2f} of the way that a uniform permutation takes them"
    )


def train() -> None:
    """Run a training loop with 2 workers, stopped in the middle, and gone on with 3."""
    import torch
    from torch.utils.data import DataLoader
    from torchdata.stateful_dataloader import StatefulDataLoader

    warnings.filterwarnings("ignore", message="This DataLoader will create|'set_vital'")
    files = list(map(str, made("lines", lines)))

    def features(film):
        return {
            "id": film["id"],
            "x": [(film["year"] or 2000) / 2000, len(film["cast"]) / 10],
            "y": (film["runtime"] or 100) / 100,
        }

    def opened():
        ds = load_dataset("json", data_files=files, split="train", streaming=True).shuffle(
            seed=7, buffer_size=1000
        )
        return ds.map(features).select_columns(["id", "x", "y"]).with_format("torch")

    model = torch.nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)

    def step(batch):
        loss = torch.nn.functional.mse_loss(model(batch["x"]).squeeze(1), batch["y"])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return batch["id"].tolist(), loss.item()

    loader = StatefulDataLoader(opened(), batch_size=64, num_workers=2)
    first = [step(batch) for batch in islice(loader, 100)]
    ds = opened()
    ds.load_state_dict(merge_state_dicts([loader.state_dict()]))
    rest = [step(batch) for batch in DataLoader(ds, batch_size=64, num_workers=3)]
    seen = Counter(id for ids, _ in first + rest for id in ids)
    print(
        f"\ntraining: {len(first)} steps with 2 workers, stopped; {len(rest)} more with 3; loss {first[0][1]:.2f} to {rest[-2][1]:.2f}"
    )
    if set(seen.values()) != {1} or len(seen) != 17_472:
        sys.exit(f"{len(seen):,} films, some of them {max(seen.values())} times")
    print(f"all {len(seen):,} films exactly once over both")


def from_the_hub() -> None:
    """Stream a data set of a Hub on this machine: by name, under faults, and again from the cache."""
    import os
    import tempfile

    sys.path.insert(0, str(Path(__file__).parent.parent))
    from tests.server import Server

    with tempfile.TemporaryDirectory() as folder, Server(Path(folder) / "served") as server:
        files = {f"data/{file.name}": file.read_bytes() for file in made("films", films)}
        test = {
            "titles/test.jsonl": "".join(
                json.dumps({"title": f"title {i}"}) + "\n" for i in range(100)
            ).encode()
        }
        configs = [
            {
                "config_name": "films",
                "data_files": [{"split": "train", "path": "data/train-*"}],
                "default": True,
            },
            {"config_name": "titles", "data_files": [{"split": "test", "path": "titles/*"}]},
        ]
        server.repo("demo/films", {**files, **test}, cardData={"configs": configs})
        os.environ.update(
            {
                "HF_ENDPOINT": server.hub,
                "HF_HOME": f"{folder}/hf",
                "ROWSTREAM_CACHE": f"{folder}/rowstream",
            }
        )

        ds = load_dataset(
            "demo/films",
            split="train",
            streaming=True,
            cache_dir=f"{folder}/cache",
            storage_options={"timeout": 1},
        )
        titles = load_dataset("demo/films", "titles", split="test", streaming=True)
        first = next(iter(ds))
        print(
            f"\nthe Hub, on this machine: demo/films has {len(ds.features)} columns; {len(titles.to_list())} rows of its configuration 'titles'"
        )
        print(
            f"listings that were asked for: {sum(entry['path'].startswith('/api/') for entry in server.log())}; first row: {first['title']}"
        )
        here = load_dataset(
            "parquet", data_files=f"{DATA}/films/*.parquet", split="train", streaming=True
        )
        ds, here = ds.shuffle(seed=7, buffer_size=1000), here.shuffle(seed=7, buffer_size=1000)
        expected = [row["id"] for row in here]
        faults = [
            {"kind": "latency", "ms": 20},
            {"kind": "reset", "after": 50_000, "origin": "cdn", "times": 5},
            {"kind": "status", "status": 503, "origin": "cdn", "skip": 2, "times": 2},
            {"kind": "short_range", "by": 999, "origin": "cdn", "times": 3},
        ]
        for epoch, rules in (("an epoch with faults", faults), ("the next, from the cache", [])):
            server.faults(*rules)
            server.control("DELETE", "log")
            began = time.perf_counter()
            ids = [row["id"] for row in ds]
            took = time.perf_counter() - began
            log = server.log()
            print(
                f"{epoch}: {len(ids):,} rows, {len(ids) / took:,.0f} rows/s, {len(log)} requests, {sum(entry['bytes'] for entry in log) / 1e6:.1f} MB, "
                f"{sum(bool(set(entry['faults']) - {'latency'}) for entry in log)} of them failed or fell short; the rows of the local files: {ids == expected}"
            )
            if ids != expected:
                sys.exit("the rows differ")


def by_number() -> None:
    """Map-style: rows by number, a transform that is found again, and a folder that is read back."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        ds = load_dataset(
            "parquet", data_files=f"{DATA}/films/*.parquet", split="train", cache_dir=folder
        )
        parts = ds.train_test_split(test_size=0.1, seed=0)
        print(
            f"\nrows by number: {len(ds):,}; ds[-1] is {ds[-1]['title']!r}; split into {len(parts['train']):,} and {len(parts['test']):,}"
        )
        for how in ("made", "found again"):
            began = time.perf_counter()
            long = parts["train"].map(decade, num_proc=2).filter(col("runtime") > 120)
            print(
                f"map in two processes, and a filter, {how}: {len(long):,} rows in {time.perf_counter() - began:.2f} s"
            )
        began = time.perf_counter()
        rows = sum(1 for _ in ds.shuffle(seed=7))
        print(f"{rows:,} shuffled rows, {rows / (time.perf_counter() - began):,.0f} rows/s")
        first = long.with_format("numpy")[:3]
        print(f"the first three as NumPy: {first['decade']}, key {long._fingerprint}")
        long.save_to_disk(f"{folder}/long")
        back = load_from_disk(f"{folder}/long")
        print(f"saved and read back: the same rows: {back.to_list() == long.to_list()}")
        if back.to_list() != long.to_list() or rows != len(ds):
            sys.exit("the rows differ")


def decade(row: dict) -> dict:
    """Return the decade of a film; of a module, so that processes find it."""
    return {"decade": int(str(row["year"])[:4] or 0) // 10 * 10}


def photos(folder: Path) -> None:
    """Make shards of the two photos that scikit-learn carries: parts of them, with what they show."""
    from sklearn.datasets import load_sample_images

    folder.mkdir(parents=True)
    rnd = random.Random(3)
    whole = dict(zip(("temple", "flower"), load_sample_images().images, strict=True))
    with ShardWriter(f"{folder}/%06d.tar", maxcount=40) as writer:
        for i in range(160):
            name = rnd.choice(list(whole))
            height, width, _ = whole[name].shape
            side = rnd.randint(200, height)
            x, y = rnd.randint(0, width - side), rnd.randint(0, height - side)
            image = Image.fromarray(whole[name][y : y + side, x : x + side])
            image.save(buffer := io.BytesIO(), "JPEG", quality=90)
            writer.write({"__key__": f"{i:04}", "jpg": buffer.getvalue(), "txt": name})


def images() -> None:
    """Stream the shards of photos, decode and augment them in batches, and draw one as a contact sheet."""
    folder = DATA / "photos"
    if not folder.exists():
        photos(folder)

    def batches():
        ds = load_dataset("webdataset", data_files=f"{folder}/*.tar", split="train", streaming=True)
        ds = ds.shuffle(seed=1).decode_images("jpg", 224, "random_resized_crop", flip=True, seed=1)
        return ds.with_format("numpy").iter(batch_size=32)

    began = time.perf_counter()
    all_of_them = list(batches())
    seconds = time.perf_counter() - began
    rows = sum(len(batch["txt"]) for batch in all_of_them)
    first = all_of_them[0]["jpg"]
    print(f"\n{rows} photos as batches of {first.shape}, {rows / seconds:,.0f} images/s")
    again = list(batches())
    if any((a["jpg"] != b["jpg"]).any() for a, b in zip(all_of_them, again, strict=True)):
        sys.exit("the same seed gave other pixels")
    print("decoded again: the same pixels")
    sheet = first.reshape(4, 8, 224, 224, 3).swapaxes(1, 2).reshape(4 * 224, 8 * 224, 3)
    Image.fromarray(sheet).save(DATA / "contact_sheet.png")
    print(f"the first batch is drawn in {DATA}/contact_sheet.png")


if __name__ == "__main__":
    show("films", films)
    show("conversations", conversations)
    show_formats()
    convert_filter_mix()
    by_number()
    from_the_hub()
    train()
    evaluate_baselines()
    titanic_as_text(DATA / "titanic")
    images()
