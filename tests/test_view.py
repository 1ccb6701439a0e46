"""The page that shows a dataset, and what notebooks show."""

from __future__ import annotations

import io
import json
import math
import shutil
import struct
import subprocess
import urllib.error
import urllib.request
import wave
from urllib.parse import urlencode, urlsplit

import pytest
from rowstream import (
    Audio,
    Dataset,
    Features,
    Image,
    IterableDataset,
    MediaRef,
    Value,
    exceptions,
    load_dataset,
    write_jsonl,
)
from rowstream.formatting.html import media_bytes, media_type, value_of
from rowstream.view import serve

N = 60
EVIL = "</script><img src=x onerror=alert(1)>&'\""


def picture(i):
    from PIL import Image as Pillow

    made = io.BytesIO()
    Pillow.new("RGB", (16, 12), (i * 4, 90, 160)).save(made, "PNG")
    return {"bytes": made.getvalue(), "path": f"{i}.png"}


def tone(i):
    made = io.BytesIO()
    with wave.open(made, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(
            b"".join(struct.pack("<h", int(9000 * math.sin(t * i))) for t in range(200))
        )
    return {"bytes": made.getvalue(), "path": f"{i}.wav"}


@pytest.fixture(scope="module")
def rows():
    pytest.importorskip("PIL")
    said = [{"role": "user", "content": EVIL}, {"role": "assistant", "content": "Yes."}]
    features = Features(
        {
            "id": Value("int64"),
            "image": Image(),
            "audio": Audio(),
            "text": Value("string"),
            "messages": [{"role": Value("string"), "content": Value("string")}],
        }
    )
    return Dataset.from_dict(
        {
            "id": [*range(N)],
            "image": [picture(i) for i in range(N)],
            "audio": [tone(i) for i in range(N)],
            "text": [f"number {i} " * (1 + 9 * i) if i % 5 else None for i in range(N)],
            "messages": [said] * N,
        },
        features=features,
    )


@pytest.fixture(scope="module")
def viewer(rows):
    with serve({"train": rows, "test": rows.take(3)}, title=EVIL) as made:
        yield made


def get(viewer, what="", headers=None, **asked):
    url = f"{viewer.url}{what}" + (f"?{urlencode(asked)}" if asked else "")
    request = urllib.request.Request(url, headers=headers or {})
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as answer:
        content = answer.read()
        kind = answer.headers["Content-Type"]
        return json.loads(content) if kind == "application/json" else (kind, content, answer)


def status(viewer, *args, **kwargs):
    with pytest.raises(urllib.error.HTTPError) as raised:
        get(viewer, *args, **kwargs)
    with raised.value as error:
        return error.code, error.read().decode()


def test_pages_have_rows_in_order(viewer):
    ids = []
    for first in range(0, N, 25):
        page = get(viewer, "rows", split="train", first=first, size=25)
        assert (page["total"], page["more"]) == (N, first + 25 < N)
        ids += [
            int(row.split('rs-number">')[1].split("<")[0]) for row in page["html"].split("<tr>")[2:]
        ]
    assert ids == [*range(N)]
    assert get(viewer, "rows", split="test", first=0)["rows"] == 3
    assert get(viewer, "rows", split="train", first=999)["rows"] == 0


def test_rows_are_filtered_and_searched(viewer):
    found = get(viewer, "rows", split="train", where="id >= 50", first=8)
    assert (found["rows"], found["more"]) == (2, False)
    assert get(viewer, "rows", split="train", search="NUMBER 7 ")["rows"] == 1
    both = get(viewer, "rows", split="train", search="number 1", where="id > 12")
    assert both["rows"] == sum(1 for i in range(13, 20) if i % 5)
    assert status(viewer, "rows", split="train", where="id >")[0] == 400
    assert "no condition" in status(viewer, "rows", split="train", where="f(x)")[1]
    assert status(viewer, "rows", split="nope")[0] == 400
    assert status(viewer, "rows", split="train", first=-1)[0] == 400
    assert status(viewer, "rows", split="train", first="x")[0] == 400


def test_media_come_by_themselves(viewer, rows):
    page = get(viewer, "rows", split="train", first=10, size=2)["html"]
    assert "media?split=train&amp;row=10&amp;column=image" in page
    for row, where in ((11, ""), (45, "id > 3")):
        # One of the page that was shown, and one of none.
        kind, content, _ = get(viewer, "media", split="train", row=row, column="image", where=where)
        at = row + (4 if where else 0)
        assert (kind, content) == ("image/png", picture(at)["bytes"])
    assert get(viewer, "media", split="train", row=1, column="audio")[0] == "audio/wav"
    assert status(viewer, "media", split="train", row=1, column="text")[0] == 404
    assert status(viewer, "media", split="train", row=999, column="image")[0] == 404


def test_figures_are_those_of_the_columns(viewer):
    found = get(viewer, "figures", split="train", where="id < 30")
    assert found["rows"] == 30
    assert (found["columns"]["id"]["max"], found["columns"]["text"]["nulls"]) == (29, 6)


def test_nobody_else_is_shown_anything(viewer):
    url = urlsplit(viewer.url)
    assert url.hostname == "127.0.0.1"
    assert len(url.path) > 20
    for other in ("", "/", "/x", "/x/rows", url.path[:-2] + "/"):
        with pytest.raises(urllib.error.HTTPError) as raised:
            urllib.request.urlopen(f"http://{url.netloc}{other}")
        raised.value.close()
        assert raised.value.code == 403
    # A name of another site that leads to this machine.
    assert status(viewer, headers={"Host": f"evil.example:{url.port}"})[0] == 403
    kind, content, answer = get(viewer)
    assert kind.startswith("text/html")
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert b"http://" not in content.replace(b"http://www.w3.org/2000/svg", b"")
    assert b"https://" not in content
    # The title is a text wherever it stands.
    assert b"<img src=x" not in content
    assert status(viewer, "nope")[0] == 404


def test_values_are_texts_wherever_they_stand():
    for value in (EVIL, [EVIL], {"a": EVIL}, [{"role": EVIL, "content": EVIL}], EVIL * 99):
        shown = value_of(value)
        assert "<img" not in shown
        assert "</script" not in shown
    assert value_of(None) != value_of("null")
    assert value_of(b"\x00" * 1234) == '<span class="rs-null">1,234 bytes</span>'
    assert "1,700 more characters" in value_of("x" * 2000)
    missing = value_of(MediaRef.of({"bytes": None, "path": "/not/there.png"}, Image()))
    assert "/not/there.png" in missing
    assert "<img" not in missing
    # Rows cannot name files of this machine: only columns of media do.
    for value in (
        {"bytes": None, "path": __file__},
        {"bytes": 12, "path": "a"},
        {"bytes": "a", "path": 1},
    ):
        assert media_bytes(value) is None
        assert "<img" not in value_of(value)
    assert media_type(b"") is None


def test_a_stream_of_any_source_is_shown(tmp_path):
    write_jsonl(tmp_path / "a.jsonl", [{"a": i} for i in range(5)])
    stream = load_dataset("json", data_files=str(tmp_path / "a.jsonl"), streaming=True)
    mapped = stream["train"].map(lambda row: {"b": row["a"] * 2})
    for ds, split, count in (
        (dict(stream), "train", 5),
        ({"mapped": mapped}, "mapped", 5),
        (IterableDataset.from_dict({"a": []}), "rows", 0),
    ):
        with serve(ds) as viewer:
            assert get(viewer, "rows", split=split, first=0)["rows"] == count
    assert "8" in mapped._repr_html_()


def test_notebooks_show_the_first_rows(rows):
    shown = rows._repr_html_()
    assert shown.count("<img") == 5
    assert shown.count("<audio") == 5
    assert "data:image/png;base64," in shown
    assert f"the first 5 of {N} rows" in shown
    assert "rs-assistant" in shown
    assert "<img src=x" not in shown
    stream = rows.to_iterable_dataset().filter(lambda row: row["id"] > 57)
    assert "the first 2 rows" in stream._repr_html_()
    assert "the first 0 of 0 rows" in rows.take(0)._repr_html_()
    bad = Dataset.from_dict({"a": [1]}).to_iterable_dataset().map(lambda row: 1 / 0)
    assert "No rows: division by zero" in bad._repr_html_()
    assert "<td" not in Dataset.from_dict({})._repr_html_()


def test_a_port_that_is_taken_is_an_error(viewer):
    with pytest.raises(exceptions.InvalidArgumentError, match="found str"):
        serve("rows.tar")
    with pytest.raises(OSError, match="in use"):
        serve(Dataset.from_dict({"a": [1]}), port=urlsplit(viewer.url).port)


@pytest.mark.heavy
@pytest.mark.skipif(shutil.which("chromium") is None, reason="Chromium is not installed")
def test_a_browser_shows_it(viewer, tmp_path):
    def chromium(*options):
        return subprocess.run(
            [
                "chromium",
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                f"--user-data-dir={tmp_path / 'profile'}",
                "--virtual-time-budget=8000",
                *options,
                f"{viewer.url}#columns",
            ],
            capture_output=True,
            text=True,
            timeout=100,
        )

    page = chromium("--dump-dom").stdout
    assert page.count("<tr>") == 21
    assert "rows 0 to 19 of 60" in page
    assert page.count("<svg") == 3
    assert "rs-turn rs-user" in page
    # The title is shown as the text that it is.
    assert "&lt;/script&gt;&lt;img" in page
    chromium(f"--screenshot={tmp_path / 'page.png'}", "--window-size=1280,900")
    from PIL import Image as Pillow

    with Pillow.open(tmp_path / "page.png") as shot:
        assert shot.size[0] == 1280
        # Not a blank page.
        assert len(shot.convert("RGB").resize((200, 140)).getcolors(30_000)) > 100


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyError, RuntimeError, AssertionError])
def test_an_error_of_a_function_is_an_answer(error):
    def fails(row):
        raise error("the words")

    ds = Dataset.from_dict({"a": [1]}).to_iterable_dataset().map(fails)
    with serve({"rows": ds}) as viewer:
        code, content = status(viewer, "rows", split="rows")[:2]
        assert code == 500
        assert "the words" in content
