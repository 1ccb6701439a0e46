"""`decode_images`: pixels as Pillow has them, the same on any number of workers and after a resume."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import ImageOps
from rowstream import (
    Dataset,
    Features,
    Image,
    IterableDataset,
    Value,
    concatenate_datasets,
    exceptions,
    load_dataset,
)
from rowstream.webdataset import TarWriter


def photo(width=97, height=61, seed=0):
    """Smooth colours and some noise, so that no two crops are alike."""
    y, x = np.mgrid[:height, :width]
    noise = np.random.default_rng(seed).integers(0, 30, (height, width, 3))
    waves = [np.sin(x / (7 + seed)), np.cos(y / 5), np.sin((x + y) / 11)]
    pixels = np.stack(waves, -1) * 100 + 120 + noise
    return Pillow.fromarray(pixels.clip(0, 255).astype(np.uint8))


def file(image, format="JPEG", **options):
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def by_pillow(content, mode="RGB"):
    image = ImageOps.exif_transpose(Pillow.open(io.BytesIO(content)))
    return np.asarray(image.convert(mode))


def decoded(content, **options):
    ds = Dataset.from_dict({"image": [content]}).to_iterable_dataset()
    return next(iter(ds.decode_images("image", **options)))["image"]


def oriented(n, **options):
    exif = Pillow.Exif()
    exif[0x0112] = n
    return file(photo(), exif=exif, **options)


P = photo()
EXACT = {
    "420": file(P, subsampling=2),
    "422": file(P, subsampling=1),
    "444": file(P, subsampling=0),
    "progressive": file(P, progressive=True),
    "grey": file(P.convert("L")),
    "optimized": file(P, optimize=True, quality=30),
    "png": file(P, "PNG"),
    "png grey": file(P.convert("L"), "PNG"),
    "png palette": file(P.convert("P"), "PNG"),
    "png 1 bit": file(P.convert("1"), "PNG"),
    "png alpha": file(P.convert("RGBA"), "PNG"),
    "png grey alpha": file(P.convert("LA"), "PNG"),
    "webp lossless": file(P, "WEBP", lossless=True),
    "webp alpha": file(P.convert("RGBA"), "WEBP", lossless=True),
    "one pixel": file(photo(1, 1), "PNG"),
    "one line": file(photo(50, 1)),
    **{f"exif {n}": oriented(n) for n in range(1, 9)},
}


@pytest.mark.parametrize("name", EXACT)
def test_pixels_are_those_of_pillow(name):
    content = EXACT[name]
    want = by_pillow(content)
    found = decoded(content)
    assert found.dtype == np.uint8
    assert found.shape == want.shape
    assert np.array_equal(found, want)
    assert np.array_equal(decoded(content, layout="CHW"), want.transpose(2, 0, 1))
    scaled = decoded(content, dtype="float32")
    assert np.allclose(scaled, want / np.float32(255))


def test_pixels_near_those_of_pillow():
    cmyk = file(P.convert("CMYK"))
    assert np.abs(decoded(cmyk).astype(int) - by_pillow(cmyk)).max() <= 1
    lossy = file(P, "WEBP", quality=90)
    assert np.abs(decoded(lossy).astype(int) - by_pillow(lossy)).mean() < 1
    grey = decoded(EXACT["png"], mode="L")
    assert grey.shape == (61, 97, 1)
    assert np.abs(grey[..., 0].astype(int) - by_pillow(EXACT["png"], "L")).max() <= 1


def test_16_bits_have_their_upper_half():
    deep = np.arange(64 * 4, dtype=np.uint16).reshape(16, 16) * 257
    found = decoded(file(Pillow.fromarray(deep), "PNG"))
    assert np.array_equal(found, np.repeat((deep >> 8)[..., None], 3, -1))


@pytest.mark.parametrize("size", [(32, 32), (20, 70), (100, 150), (7, 5)])
@pytest.mark.parametrize(
    ("filter", "theirs"),
    [
        ("box", Pillow.Resampling.BOX),
        ("bilinear", Pillow.Resampling.BILINEAR),
        ("bicubic", Pillow.Resampling.BICUBIC),
        ("lanczos", Pillow.Resampling.LANCZOS),
    ],
)
def test_sizes_are_those_of_pillow(size, filter, theirs):
    want = np.asarray(P.resize(size[::-1], theirs)).astype(int)
    found = decoded(file(P, "PNG"), size=size, filter=filter)
    assert found.shape == (*size, 3)
    # Rounding, and pixels that lie just at the edge of a box.
    apart = np.abs(found - want)
    assert apart.mean() < 0.6
    assert (apart > 2).mean() < 0.03


def test_the_middle_of_an_image():
    wide = file(photo(200, 100), "PNG")
    want = photo(200, 100).resize((50, 50), Pillow.Resampling.BILINEAR, (50, 0, 150, 100))
    found = decoded(wide, size=50, resize="crop").astype(int)
    assert np.abs(found - np.asarray(want)).max() <= 1


@pytest.mark.parametrize("times", [3, 9, 17])
@pytest.mark.parametrize("n", [1, 6])
def test_images_that_are_much_larger(times, n):
    """What is decoded in a smaller size, or in part, is the same to the eye."""
    big = photo(100, 60).resize((100 * times, 60 * times), Pillow.Resampling.BICUBIC)
    exif = Pillow.Exif()
    exif[0x0112] = n
    content = file(big, exif=exif, quality=92)
    whole = ImageOps.exif_transpose(Pillow.open(io.BytesIO(content)))
    size = (60, 100) if n == 1 else (100, 60)
    want = np.asarray(whole.resize(size[::-1], Pillow.Resampling.BOX)).astype(int)
    assert np.abs(decoded(content, size=size) - want).mean() < 2.5


@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("width", [90, 203, 400])
def test_a_part_is_that_of_the_whole_image(width, subsampling):
    """Of a JPEG only what a part needs is decoded: where that begins, blocks of pixels say."""
    content = file(photo(width, 120), quality=95, subsampling=subsampling)
    # The same pixels, decoded whole.
    plain = file(Pillow.open(io.BytesIO(content)), "PNG")
    for seed in range(12):
        options = {"size": 40, "resize": "random_resized_crop", "scale": (0.1, 0.5), "seed": seed}
        part, want = decoded(content, **options), decoded(plain, **options)
        assert np.abs(part.astype(int) - want).max() <= 2, seed
    part, want = (decoded(one, size=(110, 20), resize="crop") for one in (content, plain))
    assert np.abs(part.astype(int) - want).max() <= 2


@pytest.mark.parametrize("times", [5, 11])
def test_a_part_of_what_is_decoded_smaller(times):
    content = file(photo(100 * times, 70 * times), quality=95)
    plain = file(Pillow.open(io.BytesIO(content)), "PNG")
    for seed in range(6):
        options = {"size": 24, "resize": "random_resized_crop", "scale": (0.5, 0.9), "seed": seed}
        part, want = decoded(content, **options), decoded(plain, **options)
        assert np.abs(part.astype(int) - want).mean() < 3, seed


def test_flip():
    content = file(P, "PNG")
    assert np.array_equal(decoded(content, flip=1.0), by_pillow(content)[:, ::-1])
    sides = [decoded(content, flip=True, seed=seed)[0, 0].tolist() for seed in range(60)]
    assert 10 < sum(side == sides[0] for side in sides) < 50


@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_layouts_and_flips_are_of_the_same_pixels(orientation, mode, dtype):
    content = oriented(orientation)
    options = {"size": (21, 34), "mode": mode, "dtype": dtype}
    want = decoded(content, **options)
    for flip in (0.0, 1.0):
        found = decoded(content, flip=flip, **options)
        assert np.array_equal(found, want[:, ::-1] if flip else want)
        planes = decoded(content, flip=flip, layout="CHW", **options)
        assert np.array_equal(planes.transpose(1, 2, 0), found)


def test_normalize():
    content = file(P, "PNG")
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    found = decoded(content, normalize=(mean, std), layout="CHW")
    want = (by_pillow(content) / 255 - mean) / std
    assert found.dtype == np.float32
    assert np.allclose(found, want.transpose(2, 0, 1), atol=1e-5)


DAMAGED = {
    "cut jpeg": EXACT["420"][:1500],
    "cut png": EXACT["png"][:1500],
    "cut webp": EXACT["webp lossless"][:500],
    "text": b"this is no image",
    "empty": b"",
    "header only": EXACT["420"][:20],
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_images(name, tmp_path):
    with TarWriter(tmp_path / "a.tar") as writer:
        for i, content in enumerate([EXACT["420"], DAMAGED[name], EXACT["444"]]):
            writer.write({"__key__": f"{i}", "jpg": content})
    options = {"data_files": str(tmp_path / "a.tar"), "split": "train", "streaming": True}
    ds = load_dataset("webdataset", **options).decode_images("jpg", size=8)
    with pytest.raises(exceptions.FileFormatError, match=r"a\.tar.*row 1.*'?jpg'?") as error:
        list(ds)
    assert "column" in str(error.value)
    rows = iter(ds)
    assert next(rows)["__key__"] == "0", "what comes before is given"
    seen = []
    ds = load_dataset("webdataset", on_error=seen.append, **options).decode_images("jpg", size=8)
    assert [row["__key__"] for row in ds] == ["0", "2"]
    assert len(seen) == 1
    assert [len(batch["jpg"]) for batch in ds.iter(batch_size=2)] == [2]


def test_other_formats_say_what_to_do():
    with pytest.raises(exceptions.UnsupportedError, match=r"GIF.*cast_column"):
        decoded(file(P, "GIF"))


def test_a_bomb_is_an_error():
    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")
    with pytest.raises(exceptions.FileFormatError, match="max_pixels"):
        decoded(bomb)
    jpeg = bytearray(EXACT["420"])
    at = jpeg.index(b"\xff\xc0")
    jpeg[at + 5 : at + 9] = struct.pack(">HH", 60_000, 60_000)
    with pytest.raises(exceptions.FileFormatError, match="60000"):
        decoded(bytes(jpeg))
    with pytest.raises(exceptions.FileFormatError, match="max_pixels"):
        decoded(EXACT["420"], max_pixels=1000)


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shards")
    for s in range(3):
        with TarWriter(folder / f"{s}.tar") as writer:
            for i in range(17):
                content = EXACT["420"] if i % 5 else file(photo(60 + i, 50, s), quality=80)
                writer.write({"__key__": f"{s}-{i}", "jpg": content, "cls": i})
    return str(folder / "*.tar")


def augmented(shards, **options):
    ds = load_dataset("webdataset", data_files=shards, split="train", streaming=True)
    return ds.decode_images(
        "jpg", size=24, resize="random_resized_crop", flip=True, **{"seed": 5, **options}
    )


def by_key(rows):
    return {row["__key__"]: row["jpg"].tobytes() for row in rows}


def test_the_same_image_has_a_part_for_each_row(shards):
    rows = by_key(augmented(shards))
    assert len(rows) == 51
    assert len(set(rows.values())) > 45, "though most rows have the same image"
    assert by_key(augmented(shards)) == rows
    assert by_key(augmented(shards, seed=6)) != rows


def test_epochs_and_passes_have_other_parts(shards):
    ds = augmented(shards)
    first = by_key(ds)
    ds.set_epoch(1)
    assert by_key(ds).keys() == first.keys()
    assert by_key(ds) != first
    twice = list(augmented(shards).repeat(2))
    assert by_key(twice[:51]) == first
    assert by_key(twice[51:]) != first


@pytest.mark.parametrize("shuffled", [False, True])
@pytest.mark.parametrize("of", [1, 2, 5])
def test_parts_do_not_depend_on_consumers(shards, shuffled, of):
    ds = augmented(shards)
    ds = ds.shuffle(seed=1, buffer_size=20) if shuffled else ds
    want = by_key(ds)
    found = {}
    for i in range(of):
        part = by_key(ds.shard(of, i)) if not shuffled else by_key(ds._with(_consumer=(i, of)))
        assert not part.keys() & found.keys()
        found |= part
    assert found == want


@pytest.mark.parametrize("stop", [0, 1, 7, 16, 17, 40, 50, 51])
@pytest.mark.parametrize("shuffled", [False, True])
def test_a_resume_goes_on_at_the_next_row(shards, stop, shuffled):
    def stream():
        ds = augmented(shards)
        return ds.shuffle(seed=2, buffer_size=16) if shuffled else ds

    want = [(row["__key__"], row["jpg"].tobytes()) for row in stream()]
    ds = stream()
    rows = iter(ds)
    begun = [next(rows) for _ in range(stop)]
    state = ds.state_dict()
    again = stream()
    again.load_state_dict(state)
    rest = [(row["__key__"], row["jpg"].tobytes()) for row in again]
    if stop < 51:
        assert [(row["__key__"], row["jpg"].tobytes()) for row in begun] + rest == want


def test_a_resume_between_batches(shards):
    want = [batch["jpg"].tobytes() for batch in augmented(shards).with_format("numpy").iter(8)]
    ds = augmented(shards).with_format("numpy")
    batches = ds.iter(batch_size=8)
    begun = [next(batches)["jpg"].tobytes() for _ in range(3)]
    again = augmented(shards).with_format("numpy")
    again.load_state_dict(ds.state_dict())
    assert begun + [batch["jpg"].tobytes() for batch in again.iter(8)] == want


def test_order_is_that_of_the_stream(shards):
    plain = load_dataset("webdataset", data_files=shards, split="train", streaming=True)
    keys = [row["__key__"] for row in plain.decode(False).shuffle(seed=3, buffer_size=9)]
    ds = plain.decode_images("jpg", size=8)
    assert [row["__key__"] for row in ds.shuffle(seed=3, buffer_size=9)] == keys
    late = plain.shuffle(seed=3, buffer_size=9).decode_images("jpg", size=8)
    assert [row["__key__"] for row in late] == keys


def test_steps_before_and_after(shards):
    ds = load_dataset("webdataset", data_files=shards, split="train", streaming=True)
    after = ds.decode_images("jpg", size=8).map(lambda row: {"mean": row["jpg"].mean()})
    assert sum(row["mean"] > 0 for row in after) == 51
    before = ds.decode(False).map(lambda row: {"n": len(row["jpg"]["bytes"])})
    rows = list(before.decode_images("jpg", size=8))
    assert rows[0]["jpg"].shape == (8, 8, 3)
    direct = list(ds.decode_images("jpg", size=8))
    assert all(np.array_equal(a["jpg"], b["jpg"]) for a, b in zip(rows, direct, strict=True))
    renamed = ds.decode_images("jpg", size=8).rename_column("jpg", "image")
    assert next(iter(renamed))["image"].shape == (8, 8, 3)
    assert "jpg" not in next(iter(ds.decode_images("jpg", size=8).remove_columns("jpg")))
    taken = list(ds.decode_images("jpg", size=8).skip(3).take(2))
    assert [row["__key__"] for row in taken] == ["0-3", "0-4"]
    both = concatenate_datasets([ds.decode_images("jpg", size=8), ds.decode_images("jpg", size=8)])
    assert sum(row["jpg"].shape == (8, 8, 3) for row in both) == 102


def test_formats(shards):
    ds = load_dataset("webdataset", data_files=shards, split="train", streaming=True)
    ds = ds.decode_images("jpg", size=(8, 6)).select_columns(["jpg"])
    assert isinstance(ds, IterableDataset)
    batch = next(ds.with_format("numpy").iter(batch_size=5))["jpg"]
    assert (batch.shape, batch.dtype) == ((5, 8, 6, 3), np.uint8)
    batch[:] = 0  # it is the caller's
    table = next(ds.with_format("arrow").iter(batch_size=5))
    assert table.num_rows == 5
    assert np.array(table["jpg"].to_pylist()).shape == (5, 8, 6, 3)
    varied = load_dataset("webdataset", data_files=shards, split="train", streaming=True)
    first = next(varied.decode_images("jpg").with_format("numpy").iter(batch_size=7))["jpg"]
    assert [one.shape for one in first[:2]] == [(50, 60, 3), (61, 97, 3)]


def test_torch_formats(shards):
    torch = pytest.importorskip("torch")
    ds = load_dataset("webdataset", data_files=shards, split="train", streaming=True)
    ds = ds.decode_images("jpg", size=8, layout="CHW").select_columns(["jpg"]).with_format("torch")
    batch = next(ds.iter(batch_size=5))["jpg"]
    assert (batch.shape, batch.dtype) == ((5, 3, 8, 8), torch.uint8)
    assert next(iter(ds))["jpg"].dtype == torch.uint8
    loader = torch.utils.data.DataLoader(ds, batch_size=4, num_workers=2)
    assert sum(len(batch["jpg"]) for batch in loader) == 51


def test_nulls_and_paths(tmp_path):
    P.save(tmp_path / "a.jpg")
    features = Features({"image": Image()})
    ds = Dataset.from_dict({"image": [str(tmp_path / "a.jpg"), None]}, features=features)
    first, second = ds.to_iterable_dataset().decode_images("image", size=8)
    assert first["image"].shape == (8, 8, 3)
    assert second["image"] is None
    batch = next(ds.to_iterable_dataset().decode_images("image", size=8).iter(2))["image"]
    assert batch[1] is None
    gone = Dataset.from_dict({"image": [str(tmp_path / "b.jpg")]}, features=features)
    with pytest.raises(FileNotFoundError, match=r"b\.jpg"):
        list(gone.to_iterable_dataset().decode_images("image"))


def test_map_style(shards):
    ds = load_dataset("webdataset", data_files=shards, split="train").decode_images("jpg", 8)
    assert ds[3]["jpg"].shape == (8, 8, 3)
    assert [image.shape for image in ds[:4]["jpg"]] == [(8, 8, 3)] * 4
    assert ds[0]["cls"] == 0
    options = {"size": 8, "resize": "random_resized_crop"}
    plain = load_dataset("webdataset", data_files=shards, split="train")
    random, seeded = (
        plain.decode_images("jpg", **options),
        plain.decode_images("jpg", seed=1, **options),
    )
    assert any(not np.array_equal(random[0]["jpg"], random[0]["jpg"]) for _ in range(5))
    assert np.array_equal(seeded[0]["jpg"], seeded[0]["jpg"])


def test_arguments_that_make_no_sense(shards):
    ds = load_dataset("webdataset", data_files=shards, split="train", streaming=True)
    for wrong in (
        {"column": "gif"},
        {"column": "jpg", "size": 0},
        {"column": "jpg", "size": (1, 2, 3)},
        {"column": "jpg", "resize": "crop"},
        {"column": "jpg", "resize": "squeeze"},
        {"column": "jpg", "flip": 2.0},
        {"column": "jpg", "dtype": "int8"},
        {"column": "jpg", "normalize": ((0.5,), (0.5,))},
        {"column": "jpg", "normalize": ((0.5,) * 3, (0.0,) * 3)},
        {"column": "jpg", "size": 8, "resize": "random_resized_crop", "scale": (1.0, 0.5)},
    ):
        with pytest.raises(exceptions.InvalidArgumentError):
            ds.decode_images(**wrong)
    with pytest.raises(exceptions.SchemaError, match="cls"):
        ds.decode_images("cls")
    with pytest.raises(exceptions.InvalidArgumentError, match="already"):
        ds.decode_images("jpg").decode_images("jpg", size=8)
    with pytest.raises(exceptions.UnsupportedError, match=r"before batch"):
        ds.batch(4).decode_images("jpg")
    assert Value  # a feature of bytes is one of images, too


def test_no_bytes_are_not_a_path(tmp_path, monkeypatch):
    """An empty member is no image, and never the file of its name that lies where the program runs."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "b.jpg").write_bytes(file(P))
    with TarWriter("a.tar") as writer:
        writer.write({"__key__": "b", "jpg": b""})
    for streaming in (True, False):
        ds = load_dataset("webdataset", data_files="a.tar", split="train", streaming=streaming)
        with pytest.raises(exceptions.FileFormatError, match="no bytes"):
            list(ds.decode_images("jpg"))
    stream = load_dataset("webdataset", data_files="a.tar", split="train", streaming=True)
    rows = stream.cast_column("jpg", Image(decode=False)).map(lambda row: row)
    with pytest.raises(exceptions.FileFormatError, match="no bytes"):
        list(rows.decode_images("jpg"))


def test_no_copy_is_made_of_a_local_archive(tmp_path):
    with TarWriter(tmp_path / "a.tar") as writer:
        for i in range(3):
            writer.write({"__key__": f"{i}", "jpg": file(P)})
    cache = tmp_path / "cache"
    ds = load_dataset(
        "webdataset", data_files=str(tmp_path / "a.tar"), split="train", cache_dir=str(cache)
    )
    assert ds.decode_images("jpg", size=8)[2]["jpg"].shape == (8, 8, 3)
    assert sorted(ds.cast_column("jpg", Image(decode=False))[0]["jpg"]) == ["bytes", "path"]
    assert not [path for path in cache.rglob("*") if path.is_file()]


def test_images_after_a_function_say_what_to_do(shards):
    ds = load_dataset("webdataset", data_files=str(shards), split="train", streaming=True)
    with pytest.raises(exceptions.UnsupportedError, match="call decode_images first"):
        ds.filter(lambda row: True).decode_images("jpg")
