"""`on_error`: a record that cannot be read is left out and told, and nothing else changes."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from itertools import islice

import pytest
from rowstream import Value, exceptions, load_dataset, merge_state_dicts, split_dataset_by_node

BAD = {7, 8, 40, 99, 150, 151, 152}


def lines(folder):
    made = []
    for i in range(200):
        bad = [f'{{"id": {i}, "text": tru}}', f'{{"id": "x{i}"}}', f'{{"id": {i}, "new": 1}}'][
            i % 3
        ]
        made.append(bad if i in BAD else json.dumps({"id": i, "text": "x" * (i % 50)}))
    (folder / "a.jsonl").write_text("\n".join(made) + "\n")
    return "json", "a.jsonl", {"features": {"id": Value("int64"), "text": Value("large_string")}}


def csv(folder):
    made = ["id,text"]
    for i in range(200):
        bad = [f"{i},a,b", f"x{i},a", f"{i},\xff"][i % 3]
        made.append(bad if i in BAD else f'{i},"t, {i}"')
    (folder / "a.csv").write_bytes("\n".join(made).encode("latin-1"))
    return "csv", "a.csv", {"dtype": {"id": int}}


def archive(folder):
    with tarfile.open(folder / "a.tar", "w") as out:
        for i in range(200):
            text = b"\xff" if i in BAD and i % 2 else f"text {i}".encode()
            facts = b'{"id": ' if i in BAD and not i % 2 else json.dumps({"id": i}).encode()
            for name, content in ((f"{i:04}.txt", text), (f"{i:04}.json", facts)):
                info = tarfile.TarInfo(name)
                info.size = len(content)
                out.addfile(info, io.BytesIO(content))
    return "webdataset", "a.tar", {}


@pytest.fixture(params=[lines, csv, archive])
def source(request, tmp_path):
    format, name, more = request.param(tmp_path)
    return lambda **options: load_dataset(
        format, data_files=str(tmp_path / name), split="train", streaming=True, **more, **options
    )


def ids(ds):
    return [row["json"]["id"] if "json" in row else row["id"] for row in ds]


GOOD = [i for i in range(200) if i not in BAD]


def test_what_cannot_be_read_is_left_out_and_told(source):
    with pytest.raises((exceptions.FileFormatError, exceptions.SchemaError)):
        list(source())
    ds = source(on_error="skip")
    assert ids(ds) == GOOD
    assert ds.skipped.count == len(BAD)
    assert all("a." in str(error) and "byte" in str(error) for error in ds.skipped.errors)
    ds.skipped.clear()
    assert sorted(ids(ds.shuffle(seed=1, buffer_size=20))) == GOOD
    assert ds.skipped.count == len(BAD)
    assert [
        i
        for batch in ds.iter(16)
        for i in ids(
            [dict(zip(batch, row, strict=True)) for row in zip(*batch.values(), strict=True)]
        )
    ] == GOOD
    assert ids(ds.take(30)) == GOOD[:30]
    assert ids(ds.skip(30)) == GOOD[30:]


def test_a_function_decides(source):
    told = []
    assert ids(source(on_error=told.append)) == GOOD
    assert len(told) == len(BAD)

    def stop(error):
        raise RuntimeError("enough") from error

    rows = iter(source(on_error=stop))
    assert len(list(islice(rows, 7))) == 7
    with pytest.raises(RuntimeError, match="enough"):
        next(rows)
    with pytest.raises(exceptions.InvalidArgumentError, match="on_error"):
        source(on_error=3)


def test_states_count_what_is_left_out(source):
    ds = source(on_error="skip").shuffle(seed=2, buffer_size=50)
    whole = ids(ds)
    rows = iter(ds)
    head = ids(islice(rows, 60))
    again = source(on_error="skip").shuffle(seed=2, buffer_size=50)
    again.load_state_dict(ds.state_dict())
    assert head + ids(again) == whole
    states = []
    parts = []
    for c in range(2):
        part = split_dataset_by_node(ds, c, 2)
        parts += ids(islice(part, 30))
        states.append(part.state_dict())
    merged = merge_state_dicts(states)
    for c in range(3):
        part = split_dataset_by_node(ds, c, 3)
        part.load_state_dict(merged)
        parts += ids(part)
    assert sorted(parts) == GOOD


def test_a_state_is_taken_further(source):
    ds = source(on_error="skip").shuffle(seed=3, buffer_size=50)
    whole = ids(ds)
    list(islice(ds, 20))
    ds.load_state_dict(ds.skip_in_state(ds.state_dict(), 15))
    assert ids(ds) == whole[35:]


@pytest.mark.parametrize("streaming", [True, False])
@pytest.mark.parametrize("packed", [True, False])
def test_a_first_line_that_was_cut_off_is_one_that_fails(tmp_path, streaming, packed):
    path = tmp_path / ("a.jsonl.gz" if packed else "a.jsonl")
    text = b'{"a": 1, "b":\n{"a": 2}\n\n{"a": 3}\n'
    path.write_bytes(gzip.compress(text) if packed else text)
    options = {"data_files": str(path), "split": "train", "streaming": streaming}
    ds = load_dataset("json", on_error="skip", **options)
    assert list(ds) == [{"a": 2}, {"a": 3}]
    with pytest.raises(exceptions.RowstreamError, match=r"a\.jsonl"):
        list(load_dataset("json", **options))
    # A document over several lines is none of that.
    text = b'{"a": [\n{"x": 1}\n], "b": [2]}\n'
    path.write_bytes(gzip.compress(text) if packed else text)
    assert list(load_dataset("json", on_error="skip", **options)) == [{"a": [{"x": 1}], "b": [2]}]
