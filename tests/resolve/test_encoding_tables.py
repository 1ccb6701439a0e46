"""What the core is told of an encoding: Python's own tables and names. To tests/resolve/."""

from __future__ import annotations

import json

import pytest
from rowstream.exceptions import InvalidArgumentError, UnsupportedError
from rowstream.resolve.encodings import ERRORS, option

ONE_BYTE = [
    "latin-1",
    "cp1252",
    "cp437",
    "iso8859_15",
    "mac_roman",
    "koi8_r",
    "cp037",
    "ascii",
    "tis_620",
]


@pytest.mark.parametrize("errors", [one for one in ERRORS if one != "strict"])
@pytest.mark.parametrize("name", ONE_BYTE)
def test_a_table_is_pythons(name, errors):
    table = option("text", name, errors)["units"]["table"]
    assert "".join(table) == bytes(range(256)).decode(name, errors)


@pytest.mark.parametrize("name", ONE_BYTE)
def test_bytes_that_are_no_text_have_no_character(name):
    made = option("csv", name, None)
    for byte, text in enumerate(made["units"]["table"]):
        try:
            assert text == bytes([byte]).decode(name)
        except UnicodeDecodeError:
            assert text is None
    assert json.loads(json.dumps(made)) == made


@pytest.mark.parametrize("name", [None, "utf-8", "UTF8", "U8", "utf_8"])
@pytest.mark.parametrize("errors", [None, "strict"])
@pytest.mark.parametrize("format", ["csv", "json", "text"])
def test_utf_8_says_nothing_so_that_states_stay(format, name, errors):
    assert option(format, name, errors) is None


def test_marks():
    assert option("csv", "utf-8-sig", None) is option("json", "utf_8_sig", None) is None
    assert option("text", "utf-8-sig", None)["units"] == "utf8sig"
    assert [
        option("text", f"utf-16{end}", None)["units"]["utf16"] for end in ("", "-le", "-be")
    ] == [None, False, True]
    assert [
        option("text", f"utf_32{end}", None)["units"]["utf32"] for end in ("", "_le", "_be")
    ] == [None, False, True]


@pytest.mark.parametrize(
    "name", ["utf-7", "idna", "rot13", "base64", "hz", "johab", "unicode_escape", "undefined"]
)
def test_what_is_not_read_is_said(name):
    with pytest.raises(UnsupportedError, match=f"'{name}' is not read"):
        option("csv", name, None)


def test_what_is_no_encoding_is_an_error():
    with pytest.raises(InvalidArgumentError, match="klingon"):
        option("csv", "klingon", None)
    with pytest.raises(InvalidArgumentError, match="found 'sometimes'"):
        option("csv", None, "sometimes")
    with pytest.raises(InvalidArgumentError, match="backslashreplace"):
        option("csv", None, "surrogateescape")
