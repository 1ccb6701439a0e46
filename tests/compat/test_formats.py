"""Files of each format give the rows that `datasets` gives."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import tarfile
import zipfile

import lz4.frame
import pyarrow as pa
import pytest
import rowstream
import zstandard

datasets = pytest.importorskip("datasets")
pytestmark = pytest.mark.heavy

CSV = 'id,text,score,flag\n1,plain,0.5,True\n2,"a, ""quoted""\nline",,False\n\n3,NA,1e3,\n'
OBJECTS = [{"id": i, "text": "é" * i, "list": [{"x": i + 0.5}], "none": None} for i in range(40)]
FILES = {
    "csv": ("csv", CSV, {}),
    "csv_crlf": ("csv", CSV.replace("\n", "\r\n"), {}),
    "csv_semicolons": (
        "csv",
        "a;b\n1,5;x\n2,5;'y;z'\n",
        {"sep": ";", "decimal": ",", "quotechar": "'"},
    ),
    "csv_no_header": ("csv", "1,2\n3,4\n", {"header": None}),
    "csv_names": ("csv", "1,2\n3,4\n", {"names": ["x", "y"]}),
    "csv_other_names": ("csv", "a,b\n3,4\n", {"header": 0, "column_names": ["x", "y"]}),
    "csv_skip": ("csv", "# a\n# b\nx,y\n1,2\n", {"skiprows": 2}),
    "csv_comment": ("csv", "x,y\n1,2 # two\n# none\n3,4\n", {"comment": "#"}),
    "csv_escape": ("csv", 'x,y\n"a\\"b",2\n', {"escapechar": "\\", "doublequote": False}),
    "csv_null": ("csv", "x,y\nnone,a\n1,NA\n", {"na_values": ["none"], "keep_default_na": False}),
    "csv_thousands": ("csv", 'x\n"1,000"\n"2,500"\n', {"thousands": ","}),
    "csv_spaces": ("csv", 'x, y\n1, "a b"\n2, c\n', {"skipinitialspace": True}),
    "csv_no_quotes": ("csv", 'x,y\n"1,a"\n"2,b\n', {"quoting": 3}),
    "csv_truth": ("csv", "x,y\nyes,1\nno,2\n", {"true_values": ["yes"], "false_values": ["no"]}),
    "csv_same_names": ("csv", "a,a,,a\n1,2,3,4\n", {}),
    "csv_short_rows": ("csv", "a,b,c\n1,2\n3,4,5\n", {}),
    "csv_usecols": ("csv", "a,b,c\n1,2,3\n", {"usecols": ["a", "c"]}),
    "csv_nrows": ("csv", "a\n1\n2\n3\n", {"nrows": 2}),
    "csv_pattern": ("csv", "x  y\n1   a\n2 b\n", {"sep": r"\s+"}),
    "csv_two_characters": ("csv", "x||y\n1||a\n2||\n", {"sep": r"\|\|", "engine": "python"}),
    "csv_skip_some": ("csv", "x,y\n1,a\n2,b\n3,c\n", {"skiprows": [2]}),
    "csv_skip_function": ("csv", "x,y\n1,a\n2,b\n3,c\n", {"skiprows": lambda i: i == 1}),
    "csv_usecols_function": ("csv", "x,y,z\n1,a,2\n", {"usecols": lambda name: name != "y"}),
    "csv_index": ("csv", "x,y\n1,a\n2,b\n", {"index_col": 0}),
    "csv_no_index": ("csv", "x,y\n1,a\n2,b\n", {"index_col": False}),
    "csv_converters": ("csv", "x,y\n1,a\n", {"converters": {"x": lambda text: int(text) * 10}}),
    "csv_null_of_a_column": ("csv", "x,y\n1,a\nNA,NA\n", {"na_values": {"y": ["a"]}}),
    "csv_dialect": ("csv", "x,y\n1,a\n", {"dialect": "excel"}),
    "csv_quoted_texts": ("csv", "x,y\n1,'a\n2,b'\n", {"quoting": 2, "quotechar": "'"}),
    "csv_no_header_by_pandas": ("csv", "1,2\n3,4\n5,6\n", {"header": None, "skiprows": [0]}),
    "csv_found_separator": ("csv", "x;y\n1;a\n", {"sep": None, "engine": "python"}),
    "csv_numbers_that_are_null": ("csv", "a,b,c\n1,-999,x\n-999,2.5,y\n", {"na_values": [-999]}),
    "csv_line_ends": ("csv", "x,y;1,a;2,b", {"lineterminator": ";"}),
    "csv_big": ("csv", "a,b,c\n18446744073709551615,+1,inf\n0, 2,-1.5\n", {}),
    "json_lines": ("json", "\n".join(map(json.dumps, OBJECTS)), {}),
    "json_array": ("json", json.dumps(OBJECTS), {}),
    "json_array_indented": ("json", json.dumps(OBJECTS, indent=2), {}),
    "json_object": ("json", json.dumps(OBJECTS[3], indent=2), {}),
    "json_texts": ("json", json.dumps(["a", "b"]), {}),
    "json_field": ("json", json.dumps({"version": 1, "data": OBJECTS}), {"field": "data"}),
    "json_columns": (
        "json",
        json.dumps({"data": {"a": [1, 2], "b": ["x", None]}}),
        {"field": "data"},
    ),
    "text_lines": ("text", "a\r\nb\n\nc\rd", {}),
    "text_breaks": ("text", "a\r\nb\n\nc\rd", {"keep_linebreaks": True}),
    "text_paragraphs": ("text", "a\nb\n\n\nc\r\n\r\nd\n", {"sample_by": "paragraph"}),
    "text_document": ("text", "a\r\nb\n", {"sample_by": "document"}),
}


def both(format, path, **options):
    return [
        list(
            library.load_dataset(
                format, data_files=[str(path)], split="train", streaming=True, **options
            )
        )
        for library in (rowstream, datasets)
    ]


@pytest.mark.parametrize("name", FILES)
def test_a_file_gives_the_same_rows(name, tmp_path):
    format, text, options = FILES[name]
    path = tmp_path / f"a.{format}"
    path.write_bytes(text.encode())
    ours, theirs = both(format, path, **options)
    assert ours == theirs
    assert ours


PACKED = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zst": zstandard.ZstdCompressor().compress,
    "lz4": lz4.frame.compress,
}


@pytest.mark.parametrize("end", PACKED)
@pytest.mark.parametrize("name", ["csv", "json_lines", "json_array", "text_lines"])
def test_compressed_files_give_the_same_rows(name, end, tmp_path):
    format, text, options = FILES[name]
    path = tmp_path / f"a.{format}.{end}"
    path.write_bytes(PACKED[end](text.encode()))
    ours, theirs = both(format, path, **options)
    assert ours == theirs


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("compression", [None, "lz4", "zstd"])
def test_arrow_gives_the_same_rows(stream, compression, tmp_path):
    table = pa.Table.from_pylist(OBJECTS)
    table = table.append_column(
        "label", pa.array(["a", "b"] * 20).dictionary_encode()
    ).combine_chunks()
    options = pa.ipc.IpcWriteOptions(compression=compression)
    with (pa.ipc.new_stream if stream else pa.ipc.new_file)(
        str(tmp_path / "a.arrow"), table.schema, options=options
    ) as writer:
        writer.write_table(table, max_chunksize=7)
    ours, theirs = both("arrow", tmp_path / "a.arrow")
    assert ours == theirs == table.to_pylist()


def test_what_datasets_saves_is_read(tmp_path):
    features = datasets.Features(
        {"id": datasets.ClassLabel(names=["p", "q"]), "x": datasets.Value("string")}
    )
    datasets.Dataset.from_dict({"id": [1, 0], "x": ["a", "b"]}, features=features).save_to_disk(
        str(tmp_path / "saved")
    )
    (path,) = (tmp_path / "saved").glob("*.arrow")
    ds = rowstream.load_dataset("arrow", data_files=str(path), split="train", streaming=True)
    assert list(ds) == [{"id": 1, "x": "a"}, {"id": 0, "x": "b"}]
    assert ds.features["id"].names == ["p", "q"]


@pytest.mark.parametrize("name", ["csv", "json_lines", "text_lines"])
def test_archives_of_files_give_the_same_rows(name, tmp_path):
    format, text, options = FILES[name]
    members = {f"data/{i}.{format if format != 'text' else 'txt'}": text.encode() for i in range(3)}
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("README.md", "nothing")
        for member, content in members.items():
            archive.writestr(member, content)
    single = tmp_path / f"single.{format}"
    single.write_bytes(text.encode())
    theirs = both(format, single, **options)[1] * 3
    assert (
        list(
            rowstream.load_dataset(
                format,
                data_files=[str(tmp_path / "a.zip")],
                split="train",
                streaming=True,
                **options,
            )
        )
        == theirs
    )
    for mode in ("w", "w:gz", "w:bz2", "w:xz"):
        path = tmp_path / f"a.tar{'.' + mode[2:] if mode[2:] else ''}"
        with tarfile.open(path, mode) as archive:
            for member, content in members.items():
                info = tarfile.TarInfo(member)
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
        assert (
            list(
                rowstream.load_dataset(
                    format, data_files=[str(path)], split="train", streaming=True, **options
                )
            )
            == theirs
        )
