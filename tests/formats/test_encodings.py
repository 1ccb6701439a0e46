"""Encodings other than UTF-8, bytes that are not of them, and lines of blanks."""

from __future__ import annotations

import bz2
import gzip
import json

import pytest
from rowstream import Dataset, IterableDataset, load_dataset
from rowstream.exceptions import RowstreamError

WORDS = ["é", "ß", "x", 'a "b"', "ü" * 40]
ROWS = [{"a": word, "b": i} for i, word in enumerate(WORDS)]


def quoted(word):
    return '"' + word.replace('"', '""') + '"'


TEXTS = {
    "csv": "a,b\n" + "".join(f"{quoted(row['a'])},{row['b']}\n" for row in ROWS),
    "json": "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS),
    "array": json.dumps(ROWS, ensure_ascii=False),
    "field": json.dumps({"é": 1, "data": ROWS}, ensure_ascii=False),
    "text": "".join(row["a"] + "\n" for row in ROWS),
}
ENCODINGS = [
    "latin-1",
    "LATIN1",
    "iso-8859-1",
    "cp1252",
    "windows-1252",
    "iso-8859-15",
    "cp437",
    "cp850",
    "mac_roman",
    "utf-16",
    "UTF16",
    "utf_16_le",
    "utf-16-be",
    "utf-32",
    "utf-8",
    "utf-8-sig",
    "U8",
    "gb18030",
]


@pytest.fixture(params=[True, False], ids=["stream", "map-style"])
def load(request, tmp_path):
    """Loads bytes as a file, as a stream and map-style."""

    def made(kind, data, end="", **options):
        path = tmp_path / f"made.{'json' if kind in ('array', 'field') else kind}{end}"
        path.write_bytes(data)
        if kind == "field":
            options["field"] = "data"
        kind = "json" if kind in ("array", "field") else kind
        cache = None if request.param else str(tmp_path / "cache")
        return load_dataset(
            kind,
            data_files=str(path),
            split="train",
            streaming=request.param,
            cache_dir=cache,
            **options,
        )

    return made


def wanted(kind):
    return [{"text": word} for word in WORDS] if kind == "text" else ROWS


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("kind", TEXTS)
def test_text_of_an_encoding_is_read(load, kind, encoding):
    assert list(load(kind, TEXTS[kind].encode(encoding), encoding=encoding)) == wanted(kind)


@pytest.mark.parametrize(("end", "pack"), [(".gz", gzip.compress), (".bz2", bz2.compress)])
@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
@pytest.mark.parametrize("kind", TEXTS)
def test_compressed_text_of_an_encoding_is_read(load, kind, encoding, end, pack):
    assert list(load(kind, pack(TEXTS[kind].encode(encoding)), end, encoding=encoding)) == wanted(
        kind
    )


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16-be"])
@pytest.mark.parametrize(
    ("sample_by", "rows"), [("paragraph", ["é\nè", "ü"]), ("document", ["é\nè\n\nü"])]
)
def test_paragraphs_and_documents_of_an_encoding_are_read(load, encoding, sample_by, rows):
    data = "é\r\nè\r\n\r\nü".encode(encoding)
    assert [
        row["text"] for row in load("text", data, encoding=encoding, sample_by=sample_by)
    ] == rows


def test_names_of_columns_are_of_the_encoding(load):
    assert list(load("csv", "é;ñ\n1;ö\n".encode("cp1252"), encoding="cp1252", sep=";")) == [
        {"é": 1, "ñ": "ö"}
    ]
    assert list(load("json", '{"é": "ñ"}\n'.encode("utf-16"), encoding="utf-16")) == [{"é": "ñ"}]


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-16", "utf-16-be"])
@pytest.mark.parametrize("kind", ["csv", "json", "text"])
def test_long_files_of_an_encoding_are_whole_and_resumed_exactly(tmp_path, kind, encoding):
    words = [f"é{i}" + "ü" * (i % 97) for i in range(20_000)]
    texts = {
        "csv": "a\n" + "".join(f"{word}\n" for word in words),
        "json": "".join(f'{{"a": "{word}"}}\n' for word in words),
        "text": "".join(f"{word}\n" for word in words),
    }
    path = tmp_path / f"a.{kind}"
    path.write_bytes(texts[kind].encode(encoding))
    ds = load_dataset(kind, data_files=str(path), split="train", streaming=True, encoding=encoding)
    ds = ds.rename_column("text", "a") if kind == "text" else ds
    assert [row["a"] for row in ds] == words
    reading = iter(ds)
    for _ in range(12_345):
        next(reading)
    ds.load_state_dict(ds.state_dict())
    assert [row["a"] for row in ds] == words[12_345:]


BAD = {
    "csv": (b"a,b\nok,1\n\xff,2\n\xe9\xa9x,3\n", "a"),
    "json": (b'{"a": "ok"}\n{"a": "\xff"}\n{"a": "\xe9\xa9x"}\n', "a"),
    "array": (b'[{"a": "ok"}, {"a": "\xff"}, {"a": "\xe9\xa9x"}]', "a"),
    "text": (b"ok\n\xff\n\xe9\xa9x\n", "text"),
}
HOW = {
    "replace": ["ok", "\ufffd", "\ufffdx"],
    "ignore": ["ok", "", "x"],
    "backslashreplace": ["ok", "\\xff", "\\xe9\\xa9x"],
}


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("kind", ["csv", "text"])
def test_bytes_that_are_not_of_the_encoding_are_as_is_asked(load, kind, how):
    data, column = BAD[kind]
    options = {"keep_default_na": False} if kind == "csv" else {}
    assert [row[column] for row in load(kind, data, encoding_errors=how, **options)] == HOW[how]


@pytest.mark.parametrize("how", ["replace", "ignore"])
@pytest.mark.parametrize("kind", ["json", "array"])
def test_bytes_of_json_that_are_not_of_the_encoding_are_as_is_asked(load, kind, how):
    data, column = BAD[kind]
    assert [row[column] for row in load(kind, data, encoding_errors=how)] == HOW[how]


@pytest.mark.parametrize("kind", BAD)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"encoding_errors": "strict"},
        {"encoding": "ascii"},
        {"encoding": "utf-8", "encoding_errors": None},
    ],
)
def test_bytes_that_are_not_of_the_encoding_are_an_error_that_names_the_place(load, kind, options):
    with pytest.raises(RowstreamError, match=r"made\.\w+: .*(byte|line|row) ?\d+"):
        list(load(kind, BAD[kind][0], **options))


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "shift_jis", "utf-16"])
@pytest.mark.parametrize("how", ["replace", "ignore", "backslashreplace"])
def test_other_encodings_replace_as_python_does(load, encoding, how):
    data = (
        b"ok\nx\x81y\n"
        if encoding != "utf-16"
        else "ok\nx".encode("utf-16") + b"\0\xd8" + "y\n".encode("utf-16-le")
    )
    text = data.decode(encoding, how)
    assert [
        row["text"] for row in load("text", data, encoding=encoding, encoding_errors=how)
    ] == text.split("\n")[:-1]


def test_what_is_no_encoding_is_an_error(load):
    with pytest.raises((RowstreamError, LookupError), match="klingon"):
        list(load("text", b"x\n", encoding="klingon"))
    with pytest.raises((RowstreamError, LookupError), match="sometimes"):
        list(load("text", b"x\n", encoding_errors="sometimes"))


@pytest.mark.parametrize("kind", ["csv", "json", "text"])
def test_a_file_that_is_of_another_encoding_says_which_option_reads_it(load, kind):
    with pytest.raises(RowstreamError, match="encoding="):
        list(load(kind, TEXTS[kind].encode("utf-16")))


def test_a_mark_of_text_stays_unless_the_encoding_takes_it(load):
    data = "\ufeffé\nx\n".encode()
    assert [row["text"] for row in load("text", data, encoding="utf-8-sig")] == ["é", "x"]


@pytest.mark.parametrize("kind", [IterableDataset, Dataset])
def test_constructors_take_encodings(tmp_path, kind):
    (tmp_path / "a.csv").write_bytes(TEXTS["csv"].encode("latin-1"))
    (tmp_path / "a.txt").write_bytes(TEXTS["text"].encode("utf-16"))
    cache = {} if kind is IterableDataset else {"cache_dir": str(tmp_path / "cache")}
    assert list(kind.from_csv(str(tmp_path / "a.csv"), encoding="latin-1", **cache)) == ROWS
    assert [
        row["text"] for row in kind.from_text(str(tmp_path / "a.txt"), encoding="utf-16", **cache)
    ] == WORDS


def test_an_encoding_that_says_nothing_else_keeps_states(tmp_path):
    (tmp_path / "a.jsonl").write_text(TEXTS["json"], encoding="utf-8")
    plain = load_dataset(
        "json", data_files=str(tmp_path / "a.jsonl"), split="train", streaming=True
    )
    reading = iter(plain)
    next(reading)
    again = load_dataset(
        "json",
        data_files=str(tmp_path / "a.jsonl"),
        split="train",
        streaming=True,
        encoding="utf-8",
        encoding_errors="strict",
    )
    again.load_state_dict(plain.state_dict())
    assert list(again) == ROWS[1:]


# ------------------------------------------------------------------------------------------------ lines of blanks

BLANK = {
    "spaces": (b"a,b\n1,2\n   \n3,4\n", {}),
    "tabs": (b"a,b\n1,2\n\t\n3,4\n", {}),
    "both, several": (b"a,b\n \t \n1,2\n\t\n\n  \n3,4\n", {}),
    "at the end": (b"a,b\n1,2\n3,4\n  \n", {}),
    "at the end, not ended": (b"a,b\n1,2\n3,4\n  ", {}),
    "before the header": (b" \n\n\t\na,b\n1,2\n3,4\n", {}),
    "line ends of Windows": (b"a,b\r\n1,2\r\n  \r\n3,4\r\n", {}),
    "carriage returns": (b"a,b\r1,2\r  \r3,4\r", {}),
    "tabs between fields": (b"a\tb\n1\t2\n   \n3\t4\n", {"sep": "\t"}),
    "comments": (b"a,b\n1,2\n  \n3,4 #x\n", {"comment": "#"}),
    "initial spaces": (b"a,b\n1,2\n  \n3, 4\n", {"skipinitialspace": True}),
}


@pytest.mark.parametrize("case", BLANK)
def test_a_line_of_blanks_is_no_row(load, case):
    data, options = BLANK[case]
    assert list(load("csv", data, **options)) == [{"a": 1, "b": 2}, {"a": 3, "b": 4}]


def test_a_line_of_blanks_is_no_row_of_one_column(load):
    assert list(load("csv", b"a\nx\n  \ny\n")) == [{"a": "x"}, {"a": "y"}]


@pytest.mark.parametrize(
    ("data", "options", "middle"),
    [
        (b"a,b\n1,2\n  \n3,4\n", {"skip_blank_lines": False}, {"a": "  ", "b": None}),
        (b"a,b\n1,2\n , \n3,4\n", {}, {"a": " ", "b": " "}),
        (b'a,b\n1,2\n" "\n3,4\n', {}, {"a": " ", "b": None}),
        (b"a,b\n1,2\n  #x\n3,4\n", {"comment": "#"}, {"a": "  ", "b": None}),
        ("a,b\n1,2\n\u00a0\n3,4\n".encode(), {}, {"a": "\u00a0", "b": None}),
        (b"a\tb\n1\t2\n\t\n3\t4\n", {"sep": "\t"}, {"a": None, "b": None}),
    ],
    ids=[
        "asked for",
        "with a delimiter",
        "quoted",
        "before a comment",
        "other spaces",
        "a delimiter",
    ],
)
def test_other_lines_stay_rows(load, data, options, middle):
    rows = list(load("csv", data, **options))
    assert len(rows) == 3
    assert rows[1] == middle
