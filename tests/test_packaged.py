"""What is read in Python: folders of media and formats with a library of their own, in both modes."""

from __future__ import annotations

import json
import zipfile

import numpy as np
import pytest
from PIL import Image as Pillow
from rowstream import (
    Audio,
    BioSequence,
    ClassLabel,
    Features,
    Image,
    List,
    Value,
    exceptions,
    load_dataset,
)


def both(*args, **options):
    """The rows of a data set, which are the same as a stream, resumed and shuffled."""
    ds = load_dataset(*args, split="train", **options)
    stream = load_dataset(*args, split="train", streaming=True, **options)
    if stream.features is not None:
        assert stream.features == ds.features
    for name, feature in ds.features.items():
        if hasattr(feature, "embed_storage"):
            ds = ds.cast_column(name, type(feature)(decode=False))
            stream = stream.cast_column(name, type(feature)(decode=False))
    rows = [*ds]
    assert [*stream] == rows
    again = load_dataset(*args, split="train", streaming=True, **options)
    iterator = iter(again)
    for _ in range(len(rows) // 2):
        next(iterator)
    state = again.state_dict()
    last = load_dataset(*args, split="train", streaming=True, **options)
    last.load_state_dict(state)
    assert sum(1 for _ in last) == len(rows) - len(rows) // 2
    return rows


def image(path, colour=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    Pillow.new("RGB", (8, 6), (colour, 0, 0)).save(path)


def names(rows, column="image"):
    return [row[column]["path"].rpartition("/")[2] for row in rows]


def test_labels_are_the_names_of_folders(tmp_path):
    for split in ("train", "test"):
        for label in ("dog", "cat"):
            for i in range(2):
                image(tmp_path / split / label / f"{i}.png", 40 * i)
    for args in (("imagefolder",), (str(tmp_path),)):
        options = {"data_dir": str(tmp_path)} if len(args[0]) == 11 else {}
        ds = load_dataset(*args, **options)
        assert sorted(ds) == ["test", "train"]
        assert ds["train"].features == Features(
            {"image": Image(), "label": ClassLabel(names=["cat", "dog"])}
        )
        assert ds["train"]["label"][:] == [0, 0, 1, 1]
        assert ds["test"][1]["image"].getpixel((0, 0)) == (40, 0, 0)
    rows = both(str(tmp_path))
    assert names(rows) == ["0.png", "1.png", "0.png", "1.png"]
    part = load_dataset(str(tmp_path), split="train[1:3]")
    assert part["label"][:] == [0, 1]
    assert len(load_dataset(str(tmp_path), split="train+test")) == 8
    without = load_dataset("imagefolder", data_dir=str(tmp_path), split="train", drop_labels=True)
    assert list(without.features) == ["image"]


def test_folders_of_splits_are_no_labels(tmp_path):
    image(tmp_path / "train" / "1.png")
    image(tmp_path / "test" / "2.png")
    assert list(load_dataset(str(tmp_path))["train"].features) == ["image"]
    forced = load_dataset("imagefolder", data_dir=str(tmp_path), drop_labels=False)
    assert forced["train"].features["label"].names == ["test", "train"]


@pytest.mark.parametrize("end", ["csv", "jsonl", "parquet"])
def test_metadata(tmp_path, end):
    from rowstream import Dataset

    for i in range(3):
        image(tmp_path / "pics" / f"{i}.png", i)
    table = Dataset.from_dict({"file_name": ["1.png", "0.png"], "text": ["one", "zero"]})
    path = tmp_path / "pics" / f"metadata.{end}"
    {"csv": table.to_csv, "jsonl": table.to_json, "parquet": table.to_parquet}[end](str(path))
    with pytest.warns(UserWarning, match=r"1 files are not in the metadata.*2\.png"):
        rows = both(str(tmp_path / "pics"))
    assert names(rows) == ["1.png", "0.png"]
    assert [row["text"] for row in rows] == ["one", "zero"]


def test_metadata_above_the_splits_and_nested(tmp_path):
    for split in ("train", "test"):
        for i in range(2):
            image(tmp_path / split / f"{i}.png", i)
    lines = [
        {"views": [{"file_name": f"{split}/{i}.png", "q": i}], "mask_file_name": None, "t": split}
        for split in ("train", "test")
        for i in range(2)
    ]
    lines[0]["mask_file_name"] = "train/1.png"
    (tmp_path / "metadata.jsonl").write_text("\n".join(map(json.dumps, lines)))
    ds = load_dataset("imagefolder", data_dir=str(tmp_path))
    assert [len(ds[split]) for split in ("train", "test")] == [2, 2]
    assert ds["test"].features == Features(
        {
            "views": List({"image": Image(), "q": Value("int64")}),
            "mask": Image(),
            "t": Value("string"),
        }
    )
    first = ds["train"][0]
    assert first["views"][0]["image"].size == (8, 6)
    assert first["mask"].getpixel((0, 0)) == (1, 0, 0)
    assert ds["train"][1]["mask"] is None


@pytest.mark.parametrize("name", ["../a.png", "/etc/passwd", "file:///a.png", "x/../../a.png"])
def test_metadata_leads_nowhere_else(tmp_path, name):
    image(tmp_path / "pics" / "a.png")
    (tmp_path / "pics" / "metadata.jsonl").write_text(json.dumps({"file_name": name}))
    with pytest.raises(exceptions.InvalidArgumentError, match="leads out"):
        load_dataset("imagefolder", data_dir=str(tmp_path / "pics"))


def test_metadata_of_no_files(tmp_path):
    image(tmp_path / "a.png")
    (tmp_path / "metadata.csv").write_text("name,text\na.png,x\n")
    with pytest.raises(exceptions.SchemaError, match="file_name"):
        load_dataset(str(tmp_path))
    ds = load_dataset("imagefolder", data_dir=str(tmp_path), drop_metadata=True, split="train")
    assert len(ds) == 1
    with pytest.raises(exceptions.InvalidArgumentError, match="drop_everything"):
        load_dataset("imagefolder", data_dir=str(tmp_path), drop_everything=True)


def test_a_zip_of_media(tmp_path):
    for label in ("x", "y"):
        image(tmp_path / label / "0.png")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for label in ("x", "y"):
            archive.write(tmp_path / label / "0.png", f"{label}/0.png")
            archive.writestr(f"{label}/notes.txt", "no image")
    ds = load_dataset("imagefolder", data_files=str(tmp_path / "a.zip"), split="train")
    assert ds["label"][:] == [0, 1]
    assert ds.features["label"].names == ["x", "y"]


def test_a_folder_of_sounds(tmp_path):
    sound = pytest.importorskip("soundfile")
    wave = np.sin(np.arange(8000) / 20).astype(np.float32)
    for name in ("a.wav", "b.flac"):
        sound.write(tmp_path / name, wave, 8000)
    rows = both(str(tmp_path))
    assert names(rows, "audio") == ["a.wav", "b.flac"]
    ds = load_dataset("audiofolder", data_dir=str(tmp_path), split="train")
    assert isinstance(ds.features["audio"], Audio)
    assert np.allclose(ds[0]["audio"]["array"], wave, atol=1e-4)
    assert np.allclose(ds[0]["audio"]["array"], ds[1]["audio"]["array"], atol=1e-4)


FASTA = b">s1 first one\r\nACGT\r\nAC GT\r\n;comment\r\n>s2\nMK*\n"


def test_fasta(tmp_path):
    (tmp_path / "a.fasta").write_bytes(FASTA)
    first, second = both("fasta", data_files=str(tmp_path / "a.fasta"))
    assert first == {
        "id": "s1",
        "description": "first one",
        "sequence": "ACGTACGT",
        "record": {"bytes": FASTA[: FASTA.index(b">s2")], "path": None},
    }
    assert second["sequence"] == "MK*"
    ds = load_dataset(str(tmp_path), split="train")
    assert isinstance(ds.features["record"], BioSequence)
    assert ds[1]["record"].id == "s2"
    some = load_dataset("fasta", data_dir=str(tmp_path), split="train", columns=["sequence"])
    assert some[:] == {"sequence": ["ACGTACGT", "MK*"]}
    with pytest.raises(exceptions.InvalidArgumentError, match="'seq'"):
        load_dataset("fasta", data_dir=str(tmp_path), columns=["seq"])


def test_fastq(tmp_path):
    (tmp_path / "a.fq").write_text("@r1 d x\nACGT\n+\nIIII\n@r2\nAC\nGT\n+r2\n@@\nII\n")
    first, second = both(str(tmp_path / "a.fq"))
    assert (first["id"], first["description"], first["quality"]) == ("r1", "d x", "IIII")
    assert (second["sequence"], second["quality"]) == ("ACGT", "@@II")
    for wrong, what in (
        ("@r\nACGT\n", "no line with"),
        ("@r\nACGT\n+\nIII\n", "3 qualities for 4"),
        ("@r\nACGT\n+q\nIIII\n", "names 'q'"),
    ):
        (tmp_path / "b.fq").write_text(wrong)
        with pytest.raises(exceptions.FileFormatError, match=what):
            list(load_dataset(str(tmp_path / "b.fq"), split="train", streaming=True))


GENBANK = """\
LOCUS       SCU49845     32 bp    DNA             PLN       21-JUN-1999
DEFINITION  Saccharomyces cerevisiae TCP1-beta gene, partial cds, and
            others.
ACCESSION   U49845 U49846
VERSION     U49845.1
KEYWORDS    .
SOURCE      Saccharomyces cerevisiae
  ORGANISM  Saccharomyces cerevisiae
            Eukaryota; Fungi.
FEATURES             Location/Qualifiers
     source          1..32
                     /organism="Saccharomyces cerevisiae"
                     /db_xref="taxon:4932"
                     /db_xref="X:1"
     CDS             complement(join(<1..5,
                     10..>20))
                     /note="a ""q"" long
                     note"
                     /translation="MK
                     LV"
                     /pseudo
                     /codon_start=3
ORIGIN
        1 gatcctccat atacaacggt atctccacct ca
//
"""


def test_genbank(tmp_path):
    (tmp_path / "a.gb").write_text(GENBANK)
    (row,) = both(str(tmp_path / "a.gb"))
    assert row["locus_name"] == "SCU49845"
    assert (row["accession"], row["secondary_accessions"]) == ("U49845", ["U49846"])
    assert row["definition"].endswith("partial cds, and others.")
    assert (row["organism"], row["taxonomy"]) == ("Saccharomyces cerevisiae", "Eukaryota; Fungi.")
    assert (row["keywords"], row["length"], row["molecule_type"]) == ("", 32, "DNA")
    assert row["sequence"] == "GATCCTCCATATACAACGGTATCTCCACCTCA"
    source, cds = row["features"]
    assert source["qualifiers"]["db_xref"] == ["taxon:4932", "X:1"]
    assert cds == {
        "type": "CDS",
        "location": {
            "strand": -1,
            "operator": "join",
            "parts": [[1, 5], [10, 20]],
            "start": 1,
            "end": 20,
            "start_partial": True,
            "end_partial": True,
        },
        "qualifiers": {
            "note": ['a "q" long note'],
            "translation": ["MKLV"],
            "pseudo": [""],
            "codon_start": ["3"],
        },
    }
    (tmp_path / "b.gb").write_text(GENBANK.replace("//\n", ""))
    with pytest.raises(exceptions.FileFormatError, match="cut"):
        list(load_dataset(str(tmp_path / "b.gb"), split="train", streaming=True))


def test_conll(tmp_path):
    text = "-DOCSTART- x\n\nEU NNP I-NP B-ORG\nrejects VBZ I-VP O\n\n\nPeter NNP I-NP\n"
    (tmp_path / "a.conll").write_text(text)
    columns = ["tokens", "pos_tags", "chunk_tags", "ner_tags"]
    first, second = both("conll", data_dir=str(tmp_path), column_names=columns)
    assert first["tokens"] == ["EU", "rejects"]
    assert first["ner_tags"] == ["B-ORG", "O"]
    assert second["ner_tags"] == [""]


def test_xml_eval_and_harbor(tmp_path):
    (tmp_path / "a.xml").write_bytes(b"<a>\r\n</a>")
    assert both("xml", data_files=str(tmp_path / "a.xml")) == [{"xml": "<a>\n</a>"}]
    with zipfile.ZipFile(tmp_path / "a.eval", "w") as archive:
        for sample, epoch in ((1, 1), (10, 1), (2, 1), (1, 2)):
            row = {"id": sample, "epoch": epoch, "messages": [{"role": "user"}], "output": {"m": 1}}
            archive.writestr(f"samples/{sample}_epoch_{epoch}.json", json.dumps(row))
        archive.writestr("header.json", "{}")
    rows = both("eval", data_files=str(tmp_path / "a.eval"))
    assert [(row["id"], row["epoch"]) for row in rows] == [(1, 1), (2, 1), (10, 1), (1, 2)]
    assert rows[0]["messages"] == ['{"role": "user"}']
    assert rows[0]["output"] == '{"m": 1}'
    task = tmp_path / "tasks" / "b"
    (task / "tests").mkdir(parents=True)
    (task / "tests" / "t.sh").write_text("")
    (task / "task.toml").write_text('[task]\nname = "org/b"\n[metadata]\nd = 2020-01-02\n')
    (task / "instruction.md").write_text("<!-- canary 1 -->\n\n# do it\n")
    (row,) = both("harbor", data_dir=str(tmp_path / "tasks"))
    assert (row["name"], row["instruction"]) == ("org/b", "# do it\n")
    assert row["metadata"] == {"d": "2020-01-02"}
    assert row["files"] == ["instruction.md", "task.toml", "tests/t.sh"]


def test_hdf5(tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["i"] = np.arange(3, dtype=np.int32)
        file["v"] = np.arange(6, dtype=np.float32).reshape(3, 2)
        file["m"] = np.zeros((3, 2, 2), np.uint8)
        file.create_dataset("text", data=["x", "é", ""], dtype=h5py.string_dtype())
        file["g/k"] = np.arange(3)
    rows = both(str(tmp_path / "a.h5"))
    assert rows[1] == {
        "g": {"k": 1},
        "i": 1,
        "m": [[0, 0], [0, 0]],
        "text": "é",
        "v": [2.0, 3.0],
    }
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["a"], file["b"] = np.arange(3), np.arange(2)
    with pytest.raises(ValueError, match="one number of rows"):
        list(load_dataset(str(tmp_path / "b.h5"), split="train", streaming=True))
    with h5py.File(tmp_path / "c.h5", "w") as file:
        file["a"] = h5py.ExternalLink("a.h5", "/i")
    with pytest.raises(exceptions.UnsupportedError, match="another file"):
        load_dataset(str(tmp_path / "c.h5"), split="train", streaming=True)
    (tmp_path / "d.h5").write_bytes(b"no such file")
    with pytest.raises(exceptions.FileFormatError, match=r"d\.h5"):
        load_dataset(str(tmp_path / "d.h5"), split="train", streaming=True)


def test_what_is_not_read_says_what_is():
    with pytest.raises(exceptions.UnsupportedError, match=r"from_pandas"):
        load_dataset("pandas", data_files="a.pkl")
    with pytest.raises(exceptions.UnsupportedError, match=r"from_sql"):
        load_dataset("sql", data_files="a.db")
    with pytest.raises(exceptions.InvalidArgumentError, match=r"catalog"):
        load_dataset("iceberg", table="a.b")


def mds(path, columns, samples, compressed=None):
    """A shard as mosaicml-streaming writes it, whose bytes are in `columns`: name, encoding, size."""
    rows = []
    for sample in samples:
        sizes = [len(v) for v, (_, _, size) in zip(sample, columns, strict=True) if size is None]
        rows.append(np.array(sizes, "<u4").tobytes() + b"".join(sample))
    head = {
        "column_names": [name for name, _, _ in columns],
        "column_encodings": [encoding for _, encoding, _ in columns],
        "column_sizes": [size for _, _, size in columns],
        "format": "mds",
    }
    said = json.dumps(head).encode()
    start = 4 * (len(rows) + 2) + len(said)
    places = np.cumsum([start, *map(len, rows)])
    content = np.array([len(rows), *places], "<u4").tobytes() + said + b"".join(rows)
    path.write_bytes(content if compressed is None else compressed(content))


@pytest.mark.parametrize("packed", [False, True])
def test_mds(tmp_path, packed):
    import gzip

    columns = [
        ("i", "int", 8),
        ("t", "str", None),
        ("a", "ndarray:int32", None),
        ("d", "ndarray", None),
        ("f", "ndarray:float32:2,2", 16),
        ("j", "json", None),
        ("p", "pkl", None),
    ]
    array = lambda n: bytes([1 << 2]) + bytes([n]) + np.arange(n, dtype=np.int32).tobytes()
    samples = [
        (
            int(i).to_bytes(8, "little", signed=True),
            f"text {i}".encode(),
            array(i + 1),
            bytes([66]) + bytes([1 << 2, 2]) + np.array([i, 0.5]).tobytes(),
            np.full((2, 2), i, np.float32).tobytes(),
            json.dumps({"x": i}).encode(),
            b"\x80\x04N.",
        )
        for i in range(-1, 5)
    ][1:]
    name = tmp_path / ("shard.00000.mds.gz" if packed else "shard.00000.mds")
    mds(name, columns, samples, gzip.compress if packed else None)
    with pytest.raises(exceptions.UnsupportedError, match=r"'p' is not read.*never loaded"):
        load_dataset(str(tmp_path), split="train")
    wanted = ["i", "t", "a", "d", "f", "j"]
    rows = both("mds", data_dir=str(tmp_path), columns=wanted)
    assert rows[3] == {
        "i": 3,
        "t": "text 3",
        "a": [0, 1, 2, 3],
        "d": [3.0, 0.5],
        "f": [[3.0, 3.0], [3.0, 3.0]],
        "j": {"x": 3},
    }
    if not packed:
        name.write_bytes(name.read_bytes()[:-5])
        with pytest.raises(exceptions.FileFormatError, match="cut"):
            list(load_dataset("mds", data_dir=str(tmp_path), split="train", streaming=True))


def test_litdata(tmp_path):
    import struct

    formats = ["int", "str", "no_header_numpy:2", "json", "bool"]
    spec = [
        1,
        {
            "type": "builtins.dict",
            "context": json.dumps(list("itajb")),
            "children_spec": [{"type": None}] * 5,
        },
    ]
    nested = lambda i: (
        struct.pack("<BI", 6, 1)
        + struct.pack("<I", 1)
        + struct.pack("<I", 1)
        + b"k"
        + bytes([0x12])
        + struct.pack("<q", i)
    )
    items = []
    for i in range(4):
        values = [
            struct.pack("<q", i),
            f"text {i}".encode(),
            np.arange(i + 1, dtype=np.int32).tobytes(),
            nested(i),
            bytes([i % 2]),
        ]
        items.append(struct.pack("<5I", *map(len, values)) + b"".join(values))
    places = np.cumsum([4 * (len(items) + 2), *map(len, items)])
    (tmp_path / "chunk-0-0.bin").write_bytes(
        np.array([len(items), *places], "<u4").tobytes() + b"".join(items)
    )
    index = {
        "chunks": [{"filename": "chunk-0-0.bin", "chunk_size": 4}],
        "config": {
            "data_format": formats,
            "data_spec": json.dumps(spec),
            "item_loader": "PyTreeLoader",
        },
    }
    (tmp_path / "index.json").write_text(json.dumps(index))
    rows = both("litdata", data_dir=str(tmp_path))
    assert rows[2] == {"i": 2, "t": "text 2", "a": [0, 1, 2], "j": [{"k": 2}], "b": False}
    (tmp_path / "index.json").unlink()
    with pytest.raises(exceptions.DataFilesNotFoundError):
        load_dataset("litdata", data_dir=str(tmp_path))


def test_features_say_what_labels_are(tmp_path):
    for label in ("cat", "dog"):
        image(tmp_path / label / "a.png")

    def labels(feature):
        features = Features({"image": Image(), "label": feature})
        return [row["label"] for row in both("imagefolder", data_dir=tmp_path, features=features)]

    assert labels(ClassLabel(names=["dog", "cat"])) == [1, 0]
    assert labels(ClassLabel(names=["bird", "cat", "dog"])) == [1, 2]
    assert labels(Value("string")) == ["cat", "dog"]
    with pytest.raises(ValueError, match="cat"):
        labels(ClassLabel(names=["p", "q"]))


def test_filters_of_folders_of_media(tmp_path):
    for label in ("cat", "dog"):
        for i in range(2):
            image(tmp_path / "labels" / label / f"{i}.png")
    filters = [("label", "==", "dog")]
    rows = both("imagefolder", data_dir=tmp_path / "labels", filters=filters)
    assert [row["label"] for row in rows] == [1, 1]
    for i in range(3):
        image(tmp_path / "told" / f"{i}.png")
    lines = "".join(json.dumps({"file_name": f"{i}.png", "n": i}) + "\n" for i in range(3))
    (tmp_path / "told" / "metadata.jsonl").write_text(lines)
    rows = both("imagefolder", data_dir=tmp_path / "told", filters=[("n", ">", 0)])
    assert [row["n"] for row in rows] == [1, 2]
    (tmp_path / "labels" / "cat" / "metadata.jsonl").write_text(lines[:27])
    rows = both("imagefolder", data_dir=tmp_path / "labels", drop_metadata=True)
    assert [*rows[0]] == ["image"]


def test_splits_of_different_formats_are_refused(tmp_path):
    (tmp_path / "train.csv").write_text("a\n1\n")
    (tmp_path / "notes.txt").write_text("x\n")
    (tmp_path / "more.txt").write_text("x\n")
    assert [*load_dataset(str(tmp_path))] == ["train"]
    (tmp_path / "test.txt").write_text("x\n")
    with pytest.raises(exceptions.InvalidArgumentError, match="'train' of csv, 'test' of text"):
        load_dataset(str(tmp_path))
    assert load_dataset("csv", data_dir=str(tmp_path))["train"][:] == {"a": [1]}


def test_images_at_the_top_of_archives_have_no_labels(tmp_path):
    for name in ("one", "two"):
        image(tmp_path / f"{name}.png")
        with zipfile.ZipFile(tmp_path / f"{name}.zip", "w") as archive:
            archive.write(tmp_path / f"{name}.png", f"{name}.png")
    files = [str(tmp_path / f"{name}.zip") for name in ("one", "two")]
    assert [*both("imagefolder", data_files=files)[0]] == ["image"]
    ds = load_dataset("imagefolder", data_files=files, split="train", drop_labels=False)
    assert ds.features["label"].names == ["one", "two"]
