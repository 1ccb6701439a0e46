"""Tar archives far away with an index beside them: read in parts, as local ones are."""

from __future__ import annotations

import io
import json
import random
import shutil
import sqlite3
import struct
import tarfile
from pathlib import Path

import pytest
from rowstream import exceptions, load_dataset
from rowstream.webdataset import index, read_index, read_shard_list

SAMPLES = 700


def archive(samples, *, end_marker=True):
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w", format=tarfile.PAX_FORMAT) as tar:
        tar.addfile(_folder("d"))
        for key, members in samples:
            for ending, content in members.items():
                info = tarfile.TarInfo(f"d/{key}.{ending}")
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    return sink.getvalue()


def _folder(name):
    info = tarfile.TarInfo(name)
    info.type = tarfile.DIRTYPE
    return info


def samples(shard, n=SAMPLES):
    chance = random.Random(shard)
    for i in range(n):
        # Some names are too long for a header of their own.
        key = f"{shard}-{i:05d}" + "-long" * 60 * (i % 97 == 3)
        yield key, {"bin": chance.randbytes(chance.randrange(12_000)), "cls": b"%d" % (i % 7)}


@pytest.fixture(scope="module")
def made():
    return {f"x-{i}.tar": archive(samples(i)) for i in range(2)}


@pytest.fixture
def place(server, made):
    folder = server.root / "http" / "indexed"
    folder.mkdir()
    for name, content in made.items():
        (folder / name).write_bytes(content)
    yield folder
    shutil.rmtree(folder)


def opened(data_files, **options):
    return load_dataset(
        "webdataset", data_files=data_files, split="train", streaming=True, **options
    )


def keys(rows):
    return [row["__key__"] for row in rows]


def urls(server):
    return [f"{server.http}/indexed/x-{i}.tar" for i in range(2)]


def test_an_archive_far_away_is_cut_and_shuffled_as_its_copy_is(server, place):
    here = opened(str(place / "x-*.tar"))
    assert here.num_shards > 6
    index(str(place / "x-*.tar"))
    there = opened(urls(server))
    assert there.num_shards == here.num_shards
    assert keys(there) == keys(here)
    assert keys(there.shuffle(seed=3)) == keys(here.shuffle(seed=3))
    apart = [keys(there.shuffle(seed=3).shard(5, i)) for i in range(5)]
    assert apart == [keys(here.shuffle(seed=3).shard(5, i)) for i in range(5)]
    assert all(apart)
    whole = opened(urls(server), index=False)
    assert whole.num_shards == 2
    assert keys(whole) == keys(here)


def test_a_resumed_stream_does_not_read_what_came_before(server, place):
    index(str(place / "x-0.tar"))
    ds = opened(urls(server)[0])
    rows = iter(ds)
    given = [next(rows)["__key__"] for _ in range(SAMPLES * 9 // 10)]
    state = ds.state_dict()
    del rows
    server.clear()
    again = opened(urls(server)[0])
    again.load_state_dict(state)
    rest = keys(again)
    assert given + rest == [f"d/{key}" for key, _ in samples(0)]
    read = sum(asked["bytes"] for asked in server.log() if asked["path"].endswith("x-0.tar"))
    # The head is looked at again for its types.
    assert read < len((place / "x-0.tar").read_bytes()) * 0.6


def test_indexes_of_others_say_the_same(server, place, made, tmp_path):
    (path,) = index(str(place / "x-0.tar"), tmp_path)
    ours = read_index(path)
    with tarfile.open(fileobj=io.BytesIO(made["x-0.tar"])) as tar:
        members = [one for one in tar.getmembers() if one.isreg()]
    starts = [one.offset for one in members[::2]]
    assert list(ours.starts) == starts
    assert made["x-0.tar"][ours.end : ours.end + 512] == bytes(512)
    size = len(made["x-0.tar"])
    places = [(one.name, one.offset_data, one.size) for one in members]
    pairs = [places[i : i + 2] for i in range(0, len(places), 2)]
    others = {
        "energon": struct.pack(f"<{len(starts) + 1}Q", *starts, ours.end),
        "nemo": struct.pack(f"<{len(starts) + 1}Q", *starts, size),
        "old nemo": struct.pack(f"<{len(starts)}Q", *starts),
        "dali": "\n".join(
            [
                f"v1.2 {len(pairs)}",
                *(
                    " ".join(f"{n.rpartition('.')[2]} {at} {size} {n}" for n, at, size in pair)
                    for pair in pairs
                ),
            ]
        ).encode(),
        "dali 1.1": "\n".join(
            [
                f"v1.1 {len(pairs)}",
                *(
                    " ".join(f"{n.rpartition('.')[2]} {at} {size}" for n, at, size in pair)
                    for pair in pairs
                ),
            ]
        ).encode(),
        "webshart": json.dumps(
            {
                "path": "x-0.tar",
                "filesize": size,
                "files": {n: {"offset": at, "length": size} for n, at, size in reversed(places)},
            }
        ).encode(),
        "ferroload": json.dumps({"members": {n: [at, size] for n, at, size in places}}).encode(),
    }
    expected = opened(str(place / "x-0.tar"))
    for name, content in others.items():
        there = tmp_path / name
        there.write_bytes(content)
        ds = opened(urls(server)[0], index=str(there))
        assert ds.num_shards == expected.num_shards, name
        assert keys(ds) == keys(expected), name
        if name != "old nemo":
            assert len(read_index(there)) == len(starts)


def energon(folder, made):
    meta = folder / ".nv-meta"
    meta.mkdir()
    (meta / ".info.json").write_text(
        json.dumps({"energon_version": "7.4.1", "shard_counts": dict.fromkeys(made, SAMPLES)})
    )
    with sqlite3.connect(meta / "index.sqlite") as database:
        database.execute(
            "CREATE TABLE samples (tar_file_id INTEGER NOT NULL, sample_key TEXT NOT NULL UNIQUE,"
            " sample_index INTEGER NOT NULL, byte_offset INTEGER, byte_size INTEGER)"
        )
        for number, name in reversed(list(enumerate(made))):
            found = read_index(index(str(folder / name), folder)[0])
            ends = [*found.starts[1:], found.end]
            rows = [
                (number, f"{name}{i}", i, start, end - start)
                for i, (start, end) in enumerate(zip(found.starts, ends, strict=True))
            ]
            database.executemany("INSERT INTO samples VALUES (?, ?, ?, ?, ?)", rows)
            (folder / f"{name}.idx").unlink()
    database.close()
    return meta


def test_the_database_of_energon_is_read_here_and_far_away(server, place, made):
    meta = energon(place, made)
    expected = opened(str(place / "x-*.tar"))
    for where in (meta, f"{meta}/index.sqlite", f"{server.http}/indexed/.nv-meta/index.sqlite"):
        ds = opened(urls(server), index=where)
        assert ds.num_shards == expected.num_shards
        assert keys(ds) == keys(expected)
    with pytest.raises(exceptions.DataFilesNotFoundError, match="does not have the archive"):
        opened(f"{server.http}/a.tar", index=meta)


def test_where_indexes_are(server, place, tmp_path):
    paths = index([str(place / "x-0.tar"), str(place / "x-1.tar")], tmp_path)
    expected = opened(str(place / "x-*.tar")).num_shards
    assert opened(urls(server)).num_shards == 2
    assert opened(urls(server), index=tmp_path).num_shards == expected
    assert opened(urls(server), index=paths).num_shards == expected
    with pytest.raises(exceptions.DataFilesNotFoundError, match=r"webdataset\.index makes one"):
        opened(urls(server), index=True)
    with pytest.raises(exceptions.InvalidArgumentError, match="a list of 2 paths"):
        opened(urls(server), index=paths[:1])
    with pytest.raises(exceptions.InvalidArgumentError, match="there are 2"):
        opened(urls(server), index=paths[0])
    shutil.copy(paths[0], place)
    # The first has one: so the others are looked for.
    one = opened(urls(server)).num_shards
    assert 2 < one < expected


def test_archives_far_away_are_indexed(server, place, tmp_path):
    local = index(str(place / "x-0.tar"), tmp_path / "..")
    (far,) = index(urls(server)[0], tmp_path)
    assert read_index(far) == read_index(local[0])
    with pytest.raises(exceptions.UnsupportedError, match="give output="):
        index(urls(server)[0])
    bucket = server.root / "s3" / "bucket" / "indexed.tar"
    bucket.write_bytes((place / "x-0.tar").read_bytes())
    options = {"endpoint_url": server.s3, "key": "x", "secret": "y"}
    assert index("s3://bucket/indexed.tar", storage_options=options) == [
        "s3://bucket/indexed.tar.idx"
    ]
    assert bucket.with_suffix(".tar.idx").read_bytes() == Path(far).read_bytes()
    assert opened("s3://bucket/indexed.tar", storage_options=options).num_shards > 3


def wrong(numbers, how):
    numbers = list(numbers)
    if how == "lacks one":
        del numbers[300]
    elif how == "has the middle of a sample":
        numbers.insert(301, numbers[300] + 512)
    elif how == "ends early":
        del numbers[-40:]
    elif how == "begins late":
        del numbers[0]
    elif how == "of pairs of samples":
        numbers = numbers[::2]
    elif how == "moved":
        numbers = [one + 512 for one in numbers]
    return numbers


@pytest.mark.parametrize(
    "how",
    [
        "lacks one",
        "has the middle of a sample",
        "ends early",
        "begins late",
        "of pairs of samples",
        "moved",
    ],
)
def test_an_index_that_is_wrong_is_an_error_and_loses_nothing(server, place, how, tmp_path):
    (path,) = index(str(place / "x-0.tar"), tmp_path)
    found = read_index(path)
    numbers = wrong(found.starts, how)
    bad = place / "x-0.tar.idx"
    bad.write_bytes(struct.pack(f"<{len(numbers) + 1}Q", *numbers, found.end))
    with pytest.raises(exceptions.FileFormatError, match="index"):
        list(opened(urls(server)[0]))
    assert len(list(opened(urls(server)[0], index=False))) == SAMPLES


def test_a_sample_that_an_index_cuts_is_an_error(server, place):
    """At the edge of a piece, with as many samples on either side as are said."""
    content = archive([(key, {"bin": bytes(1 << 20), "cls": b"1"}) for key in "abcd"])
    (place / "x-0.tar").write_bytes(content)
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        starts = [one.offset for one in tar if one.isreg()]
    # That of the third sample's second member is too much.
    (place / "x-0.tar.idx").write_bytes(
        struct.pack("<6Q", *starts[::2][:3], starts[5], starts[6], len(content))
    )
    with pytest.raises(exceptions.FileFormatError, match="cuts the sample"):
        list(opened(urls(server)[0]))


def test_what_is_no_index_is_an_error(server, place):
    bad = place / "x-0.tar.idx"
    for content, what in [
        (b"12345", "5 bytes"),
        (struct.pack("<3Q", 0, 100, 1024), "multiple of 512"),
        (b"v1.2 2\njpg 512 10 a.jpg\n", "2 samples were expected"),
        (b'{"shardlist": []}', "list of shards"),
        (b'{"files": {}}', "no members"),
    ]:
        bad.write_bytes(content)
        with pytest.raises(exceptions.FileFormatError, match=what):
            opened(urls(server)[0])
    # A server that answers with a page.
    bad.write_bytes(b"<html>there is no such file</html>")
    assert opened(urls(server)[0]).num_shards == 1


def test_a_sample_far_away_whose_members_stand_apart_is_an_error(server, place):
    (place / "x-0.tar").write_bytes(
        archive([("a", {"txt": b"1"}), ("b", {"txt": b"2"}), ("a", {"json": b"3"})])
    )
    with pytest.raises(exceptions.FileFormatError, match="do not stand together"):
        list(opened(urls(server)[0]))


def test_lists_of_shards(server, place, made):
    shards = [
        {"url": name, "nsamples": SAMPLES, "filesize": len(made[name])} for name in sorted(made)
    ]
    (place / "list.json").write_text(
        json.dumps({"__kind__": "wids-shard-index-v1", "wids_version": 1, "shardlist": shards})
    )
    found = read_shard_list(f"{server.http}/indexed/list.json")
    assert [one.url for one in found] == urls(server)
    assert sum(one.nsamples for one in found) == 2 * SAMPLES
    assert [one.url for one in read_shard_list(place / "list.json")] == [
        str(place / name) for name in sorted(made)
    ]
    (place / "list.json").write_text("{}")
    with pytest.raises(exceptions.FileFormatError, match="no list of shards"):
        read_shard_list(place / "list.json")


def test_damage_of_an_indexed_archive_is_told_once(server, place):
    index(str(place / "x-0.tar"))
    content = bytearray((place / "x-0.tar").read_bytes())
    starts = read_index(place / "x-0.tar.idx").starts
    content[starts[500] : starts[500] + 8] = b"\xff" * 8
    (place / "x-0.tar").write_bytes(content)
    told = []
    rows = keys(opened(urls(server)[0], on_error=told.append))
    whole = [f"d/{key}" for key, _ in samples(0)]
    # What is before the damage, but for the sample of which nobody knows whether it was whole; and later pieces.
    assert rows[:499] == whole[:499]
    assert set(rows) < set(whole)
    assert len(told) == 1
    assert "x-0.tar" in str(told[0])
