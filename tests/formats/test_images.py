"""Items 28 and 36: images in the formats of tensors are uint8 tensors everywhere; our code causes no warnings of other libraries."""

from __future__ import annotations

import io
import subprocess
import sys
import textwrap
import warnings

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import rowstream
from PIL import Image as Pillow
from rowstream import (
    Dataset,
    Features,
    Image,
    IterableDataset,
    List,
    Value,
    interleave_datasets,
    load_dataset,
)

FEATURES = Features({"image": Image(), "i": Value("int64")})
PIXELS = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)  # two rows of three pixels


@pytest.fixture(autouse=True)
def _quiet(tmp_path, monkeypatch):
    monkeypatch.setattr(rowstream.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    rowstream.disable_progress_bars()
    yield
    rowstream.enable_progress_bars()


def picture(i=0):
    return Pillow.fromarray(PIXELS + i)


def images(n=4):
    return Dataset.from_dict(
        {"image": [picture(i) for i in range(n)], "i": list(range(n))}, features=FEATURES
    )


def from_parquet(folder, streaming):
    contents = []
    for i in range(4):
        buffer = io.BytesIO()
        picture(i).save(buffer, format="PNG")
        contents.append({"bytes": buffer.getvalue(), "path": None})
    table = pa.table({"image": contents, "i": range(4)})
    pq.write_table(
        table.replace_schema_metadata(FEATURES.arrow_schema.metadata), folder / "a.parquet"
    )
    return load_dataset(
        "parquet", data_files=str(folder / "a.parquet"), split="train", streaming=streaming
    )


SOURCES = {
    "map-style": lambda folder: images(),
    "map-style, a list of rows": lambda folder: images().select([3, 2, 1, 0]).select([3, 2, 1, 0]),
    "map-style, mapped": lambda folder: images().map(lambda row: {"j": 1}),
    "map-style, mapped images": lambda folder: images().map(
        lambda row: {"image": row["image"].copy()}
    ),
    "map-style, Parquet": lambda folder: from_parquet(folder, streaming=False),
    "stream": lambda folder: images().to_iterable_dataset(),
    "stream, Parquet": lambda folder: from_parquet(folder, streaming=True),
    "stream, mapped": lambda folder: images().to_iterable_dataset().map(lambda row: {"j": 1}),
    "stream, mapped in batches": lambda folder: (
        images().to_iterable_dataset().map(lambda batch: {"j": batch["i"]}, batched=True)
    ),
    "stream, filtered": lambda folder: images().to_iterable_dataset().filter(lambda row: True),
    "generator": lambda folder: IterableDataset.from_generator(
        lambda: ({"image": picture(i), "i": i} for i in range(4))
    ),
    "generator with features": lambda folder: IterableDataset.from_generator(
        lambda: ({"image": picture(i), "i": i} for i in range(4)), features=FEATURES
    ),
    "mixture": lambda folder: interleave_datasets(
        [
            images().select([0, 2]).to_iterable_dataset(),
            images().select([1, 3]).to_iterable_dataset(),
        ],
        stopping_strategy="all_exhausted_without_replacement",
    ),
}
FORMATS = ["torch", "numpy"]


def shaped(array, format):
    """As a format has pixels: torch has colours first."""
    return np.moveaxis(array, -1, -3) if format == "torch" else array


def values(tensor):
    assert str(tensor.dtype).removeprefix("torch.") == "uint8"
    return np.asarray(tensor)


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("format", FORMATS)
def test_images_are_tensors(format, source, tmp_path):
    """In rows, batches and columns; of one size they are one tensor."""
    pytest.importorskip(format)
    ds = SOURCES[source](tmp_path).with_format(format)
    expected = shaped(np.stack([PIXELS + i for i in range(4)]), format)
    rows = list(ds)
    assert np.array_equal(np.stack([values(row["image"]) for row in rows]), expected)
    (batch,) = ds.iter(4)
    assert np.array_equal(values(batch["image"]), expected)
    assert np.array_equal(
        np.concatenate([values(batch["image"]) for batch in ds.iter(3)]), expected
    )
    if "map-style" in source:
        assert np.array_equal(values(ds[1]["image"]), expected[1])
        assert np.array_equal(values(ds[1:3]["image"]), expected[1:3])
        assert np.array_equal(values(ds[[3, 0]]["image"]), expected[[3, 0]])
        assert np.array_equal(values(ds["image"][2]), expected[2])
        assert np.array_equal(np.stack([values(one) for one in ds["image"]]), expected)
    else:
        assert np.array_equal(np.stack([values(one) for one in ds["image"]]), expected)
        batches = list(ds.batch(2))
        assert np.array_equal(np.concatenate([values(one["image"]) for one in batches]), expected)


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("format", FORMATS)
def test_functions_are_given_tensors(format, streaming):
    """Of rows and of batches, and what they make of them is kept."""
    pytest.importorskip(format)
    ds = images()
    ds = (ds.to_iterable_dataset() if streaming else ds).with_format(format)
    seen = []
    list(ds.map(lambda row: seen.append(row["image"]) or {"n": 1}))
    list(
        ds.map(
            lambda batch: seen.append(batch["image"]) or {"n": batch["i"]},
            batched=True,
            batch_size=4,
        )
    )
    expected = shaped(np.stack([PIXELS + i for i in range(4)]), format)
    assert np.array_equal(np.stack([values(one) for one in seen[:4]]), expected)
    assert np.array_equal(values(seen[4]), expected)
    bright = ds.map(lambda row: {"sum": int(row["image"].sum())}).with_format(None)
    assert [row["sum"] for row in bright] == [int((PIXELS + i).sum()) for i in range(4)]


@pytest.mark.heavy
@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("source", ["map-style", "stream", "stream, Parquet", "stream, mapped"])
def test_loaders_give_tensors(source, workers, tmp_path):
    """Batches of images, as a model takes them."""
    data = pytest.importorskip("torch.utils.data")
    ds = SOURCES[source](tmp_path).with_format("torch").select_columns(["image", "i"])
    batches = list(data.DataLoader(ds, batch_size=2, num_workers=workers))
    pixels = np.concatenate([values(batch["image"]) for batch in batches])
    order = np.argsort(np.concatenate([np.asarray(batch["i"]) for batch in batches]))
    assert np.array_equal(pixels[order], shaped(np.stack([PIXELS + i for i in range(4)]), "torch"))


MODES = {
    "L": (Pillow.new("L", (3, 2), 7), "uint8", 1),
    "LA": (Pillow.new("LA", (3, 2), (7, 8)), "uint8", 2),
    "RGBA": (Pillow.new("RGBA", (3, 2), (1, 2, 3, 4)), "uint8", 4),
    "CMYK": (Pillow.new("CMYK", (3, 2), (1, 2, 3, 4)), "uint8", 4),
    "P": (Pillow.new("RGB", (3, 2), (1, 2, 3)).convert("P"), "uint8", 1),
    "1": (Pillow.new("1", (3, 2), 1), "bool", 1),
    "I;16": (Pillow.fromarray(np.full((2, 3), 300, np.uint16)), "uint16", 1),
    "F": (Pillow.fromarray(np.full((2, 3), 0.5, np.float32)), "float32", 1),
}


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("mode", MODES)
def test_images_of_every_mode(mode, streaming):
    """In their own type; torch has colours first, one too."""
    torch = pytest.importorskip("torch")
    image, dtype, colours = MODES[mode]
    ds = Dataset.from_dict({"image": [image, image]}, features=Features({"image": Image()}))
    ds = (ds.to_iterable_dataset() if streaming else ds).with_format("torch")
    row = next(iter(ds))["image"]
    assert (row.dtype, tuple(row.shape)) == (getattr(torch, dtype), (colours, 2, 3))
    array = np.asarray(image)
    assert np.array_equal(
        row.numpy(), array[None] if array.ndim == 2 else np.moveaxis(array, -1, 0)
    )
    (batch,) = ds.iter(2)
    assert tuple(batch["image"].shape) == (2, colours, 2, 3)


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("format", FORMATS)
def test_images_of_several_sizes_in_lists_and_missing(format, streaming):
    """A list of tensors, with `None` where there is none."""
    pytest.importorskip(format)
    small, large = picture(), Pillow.new("RGB", (5, 4))

    def given(column, of):
        ds = Dataset.from_dict({"image": column}, features=Features({"image": of}))
        return (ds.to_iterable_dataset() if streaming else ds).with_format(format)

    (batch,) = given([small, large], Image()).iter(2)
    assert [values(one).shape for one in batch["image"]] == [
        shaped(np.asarray(one), format).shape for one in (small, large)
    ]
    ds = given([small, None], Image())
    (batch,) = ds.iter(2)
    assert np.array_equal(values(batch["image"][0]), shaped(PIXELS, format))
    assert batch["image"][1] is None
    assert [row["image"] is None for row in ds] == [False, True]
    assert np.array_equal(
        values(next(iter(given([[small, small], [small]], List(Image()))))["image"]),
        shaped(np.stack([PIXELS] * 2), format),
    )
    assert np.array_equal(
        values(next(iter(given([{"a": small}, {"a": small}], {"a": Image()})))["image"]["a"]),
        shaped(PIXELS, format),
    )


def test_options_of_the_format():
    """`dtype=` is that of the tensors."""
    torch = pytest.importorskip("torch")
    ds = images().with_format("torch", dtype=torch.float32)
    assert ds[0]["image"].dtype == ds[:]["image"].dtype == torch.float32
    assert ds[0]["image"].tolist() == shaped(PIXELS, "torch").astype(float).tolist()
    ds = images().with_format("torch", columns=["image"], output_all_columns=True)
    assert (ds[1]["image"].dtype, ds[1]["i"]) == (torch.uint8, 1)


# ------------------------------------------------------------------------------------------------------------ warnings


def quietly(program):
    """Runs a program in which any warning is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return program()


TENSORS = {
    "a tensor": lambda torch: torch.tensor([1.0, 2.0]),
    "a number": lambda torch: torch.tensor(3),
    "two dimensions": lambda torch: torch.ones(2, 2),
    "half floats": lambda torch: torch.ones(2, dtype=torch.bfloat16),
    "with a gradient": lambda torch: torch.ones(2, requires_grad=True),
    "in a list": lambda torch: [torch.ones(2), torch.ones(2)],
    "in a dict": lambda torch: {"a": torch.ones(2)},
}
USES = {
    "row": lambda ds: next(iter(ds)),
    "rows": list,
    "batch": lambda ds: next(ds.iter(2)),
    "batched": lambda ds: next(iter(ds.batch(2))),
    "function after": lambda ds: list(ds.map(lambda row: {"z": 1})),
    "batched function after": lambda ds: list(
        ds.map(lambda batch: {"z": [1] * 2}, batched=True, batch_size=2)
    ),
}
MAKERS = {
    "generator": lambda value: IterableDataset.from_generator(
        lambda: ({"x": value, "i": i} for i in range(2))
    ),
    "map": lambda value: IterableDataset.from_dict({"i": [0, 1]}).map(lambda row: {"x": value}),
    "map in the format": lambda value: (
        IterableDataset.from_dict({"i": [0, 1]}).with_format("torch").map(lambda row: {"x": value})
    ),
    "batched map": lambda value: IterableDataset.from_dict({"i": [0, 1]}).map(
        lambda batch: {"x": [value] * 2}, batched=True
    ),
}


@pytest.mark.parametrize(
    ("kind", "maker", "use"),
    [
        *(
            (kind, maker, use)
            for kind in TENSORS
            for maker in ("generator", "map in the format")
            for use in ("rows", "batch")
        ),
        *(("a tensor", maker, use) for maker in MAKERS for use in USES),
    ],
)
def test_tensors_that_functions_give_are_taken_without_a_warning(kind, maker, use):
    """They stay what they are, in rows and batches."""
    torch = pytest.importorskip("torch")
    value = TENSORS[kind](torch)
    made = quietly(lambda: USES[use](MAKERS[maker](value).with_format("torch")))
    if use in ("row", "rows") and isinstance(value, torch.Tensor):
        row = made[1] if use == "rows" else made
        assert row["x"].dtype == value.dtype
        assert torch.equal(row["x"].detach(), value.detach())
    if use == "batch" and isinstance(value, torch.Tensor):
        assert torch.equal(made["x"].detach(), torch.stack([value, value]).detach())


@pytest.mark.parametrize("format", ["torch", "numpy"])
def test_transforms_and_map_style_functions_give_tensors_without_a_warning(format):
    """Map-style: stored, and given again."""
    torch = pytest.importorskip("torch")

    def program():
        ds = Dataset.from_dict({"i": [0, 1]})
        mapped = ds.map(lambda row: {"x": torch.ones(2) * row["i"]}).with_format(format)
        batched = ds.map(lambda batch: {"x": torch.ones(2, 2)}, batched=True).with_format(format)
        given = ds.with_transform(lambda batch: {"x": [torch.ones(2) for _ in batch["i"]]})
        again = ds.with_format(format).map(lambda row: {"y": row["i"]}).with_format(format)
        return [list(one) for one in (mapped, batched, given, again)] + [
            mapped[:],
            batched[:],
            given[:],
            again[:],
        ]

    made = quietly(program)
    assert made[0][1]["x"].tolist() == [1.0, 1.0]


VALUES = {
    "read-only arrays": lambda: Dataset.from_dict({"x": np.arange(4)}),
    "lists": lambda: Dataset.from_dict({"x": [[1, 2], [3, 4]]}),
    "ragged lists": lambda: Dataset.from_dict({"x": [[1], [2, 3]]}),
    "text": lambda: Dataset.from_dict({"x": ["a", "b"]}),
    "unsigned": lambda: Dataset.from_arrow(pa.table({"x": pa.array([1, 2], pa.uint32())})),
    "booleans": lambda: Dataset.from_dict({"x": [True, None]}),
    "nulls": lambda: Dataset.from_dict({"x": [1, None]}),
    "objects": lambda: Dataset.from_dict({"x": [{"a": [1]}, {"a": [2]}]}),
    "half floats": lambda: Dataset.from_arrow(pa.table({"x": pa.array([0.5, 1], pa.float16())})),
}


@pytest.mark.parametrize("format", ["torch", "numpy", "pandas", "arrow"])
@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("kind", VALUES)
def test_formats_cause_no_warnings(kind, streaming, format):
    """Of torch about memory that may not be written, of NumPy about ragged arrays, of pandas about types."""
    pytest.importorskip(format if format != "arrow" else "pyarrow")

    def program():
        ds = VALUES[kind]()
        ds = (ds.to_iterable_dataset() if streaming else ds).with_format(format)
        return (
            list(ds),
            list(ds.iter(2)),
            list(ds.map(lambda row: row)) if format in ("torch", "numpy") else None,
        )

    quietly(program)


def test_nanoseconds_that_a_function_does_not_return_cause_no_warning():
    """pandas warns where nanoseconds are cut; none are."""
    ds = Dataset.from_arrow(pa.table({"t": pa.array([1, 7], pa.timestamp("ns")), "i": [0, 1]}))
    quietly(lambda: list(ds.map(lambda row: {"j": row["i"]})))


@pytest.mark.heavy
def test_a_training_script_sees_no_warnings():
    """Everything at once, in a process of its own, with warnings as errors from the first import on."""
    pytest.importorskip("torch")
    script = """
        import warnings, numpy as np, torch, rowstream
        from torch.utils.data import DataLoader
        warnings.simplefilter("error")
        rowstream.disable_progress_bars()
        ds = rowstream.Dataset.from_dict({"x": np.arange(8), "t": ["a"] * 8}).map(lambda r: {"v": torch.ones(2) * r["x"]})
        for one in (ds, ds.to_iterable_dataset(), ds.to_iterable_dataset().map(lambda r: {"w": torch.tensor(r["x"])})):
            batches = list(DataLoader(one.with_format("torch"), batch_size=4))
            assert batches[0]["v"].shape == (4, 2)
        print("quiet")
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, timeout=100
    )
    assert (done.stdout.strip(), done.stderr.strip()) == ("quiet", "")
