"""tar archives one after another, links in them, and what file systems and their tools leave behind."""

from __future__ import annotations

import gzip
import io
import tarfile

import pytest
from rowstream import DownloadManager, load_dataset
from rowstream.exceptions import RowstreamError

HARD, SYMBOLIC = tarfile.LNKTYPE, tarfile.SYMTYPE


def archive(*members, fmt=tarfile.PAX_FORMAT):
    """An archive of `(name, content)`, and of links: `(name, kind, target)`."""
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w", format=fmt) as made:
        for name, *rest in members:
            info = tarfile.TarInfo(name)
            if len(rest) == 2:
                info.type, info.linkname = rest
                made.addfile(info)
            else:
                info.size = len(rest[0])
                made.addfile(info, io.BytesIO(rest[0]))
    return sink.getvalue()


def plain(*parts):
    return b"".join(parts)


def packed(*parts):
    return gzip.compress(b"".join(parts))


def members_packed(*parts):
    return b"".join(map(gzip.compress, parts))


TOGETHER = {
    "plain": (plain, ".tar"),
    "gz": (packed, ".tar.gz"),
    "gz of gz": (members_packed, ".tar.gz"),
}


@pytest.fixture(params=[True, False], ids=["stream", "map-style"])
def rows(request, tmp_path):
    """The rows of an archive, as a stream and map-style; without where they are from."""

    def read(data, format="webdataset", end=".tar", **options):
        path = tmp_path / f"archive{end}"
        path.write_bytes(data)
        ds = load_dataset(
            format,
            data_files=str(path),
            split="train",
            streaming=request.param,
            cache_dir=None if request.param else str(tmp_path / "cache"),
            **options,
        )
        return [{name: value for name, value in row.items() if name != "__url__"} for row in ds]

    return read


def numbered(*numbers):
    return archive(*((f"{n}.txt", str(n).encode()) for n in numbers))


def samples(*numbers):
    return [{"txt": str(n), "__key__": str(n)} for n in numbers]


@pytest.mark.parametrize("how", TOGETHER)
@pytest.mark.parametrize(
    "parts",
    [[[0, 1], [2, 3]], [[0], [1], [2]], [[], [0, 1]], [[0], [], [1]], [[0, 1], []]],
    ids=["two", "three", "empty first", "empty between", "empty last"],
)
def test_archives_one_after_another_give_the_samples_of_all(rows, how, parts):
    together, end = TOGETHER[how]
    assert rows(together(*(numbered(*part) for part in parts)), end=end) == samples(
        *(n for part in parts for n in part)
    )


@pytest.mark.parametrize("how", TOGETHER)
def test_archives_one_after_another_may_have_the_same_keys(rows, how):
    together, end = TOGETHER[how]
    assert rows(together(numbered(0, 1), numbered(0, 1)), end=end) == samples(0, 1, 0, 1)


@pytest.mark.parametrize("how", TOGETHER)
def test_archives_of_lines_one_after_another_give_all_lines(rows, how):
    together, end = TOGETHER[how]
    parts = [archive((f"{i}.jsonl", b'{"x": %d}\n' % i)) for i in range(3)]
    assert rows(together(*parts), "json", end) == [{"x": 0}, {"x": 1}, {"x": 2}]


def test_a_few_zeros_between_archives_are_no_end(rows):
    one, other = numbered(0), numbered(1)
    assert rows(one.rstrip(b"\0")[:513].ljust(1024, b"\0") + b"\0" * 512 + other) == samples(0, 1)


def test_zeros_after_the_end_are_no_rows(rows):
    assert rows(numbered(0, 1) + b"\0" * 30_000) == samples(0, 1)


def test_a_few_bytes_that_are_no_archive_after_the_end_are_passed_over(rows):
    assert rows(numbered(0, 1) + b"\n") == samples(0, 1)


@pytest.mark.parametrize("cut", [700, 1024], ids=["in the content", "before the end marker"])
def test_a_second_archive_that_was_cut_is_an_error(rows, cut):
    with pytest.raises(RowstreamError, match="cut"):
        rows(numbered(0) + numbered(1)[:cut])


def test_a_second_archive_with_a_damaged_header_is_an_error(rows):
    second = bytearray(numbered(1))
    second[0] ^= 0x55
    with pytest.raises(RowstreamError, match="header"):
        rows(numbered(0) + bytes(second))


def test_archives_one_after_another_are_shuffled_and_resumed_exactly(tmp_path):
    content = b"z" * 400_000
    parts = [archive(*((f"{k}-{i}.bin", content) for i in range(7))) for k in range(3)]
    path = tmp_path / "together.tar"
    path.write_bytes(b"".join(parts))
    ds = load_dataset(
        "webdataset", data_files=str(path), split="train", streaming=True
    ).select_columns("__key__")
    keys = [f"{k}-{i}" for k in range(3) for i in range(7)]
    assert [row["__key__"] for row in ds] == keys
    assert ds.num_shards > 3
    shuffled = ds.shuffle(seed=1, buffer_size=5)
    whole = [row["__key__"] for row in shuffled]
    assert sorted(whole) == sorted(keys)
    assert sorted(row["__key__"] for i in range(2) for row in ds.shard(2, i)) == sorted(keys)
    for n in (6, 7, 8, 15):
        reading = iter(shuffled)
        first = [next(reading)["__key__"] for _ in range(n)]
        state = shuffled.state_dict()
        again = ds.shuffle(seed=1, buffer_size=5)
        again.load_state_dict(state)
        assert first + [row["__key__"] for row in again] == whole


LINKS = {
    "hard": [("0.txt", b"a"), ("1.txt", HARD, "0.txt")],
    "hard, other spelling": [("./0.txt", b"a"), ("1.txt", HARD, "0.txt")],
    "symbolic": [("0.txt", b"a"), ("1.txt", SYMBOLIC, "0.txt")],
    "symbolic, below": [("d/0.txt", b"a"), ("d/1.txt", SYMBOLIC, "0.txt")],
    "symbolic, up": [("d/0.txt", b"a"), ("e/f/1.txt", SYMBOLIC, "../../d/0.txt")],
    "to a link": [("0.txt", b"a"), ("1.txt", SYMBOLIC, "0.txt"), ("2.txt", HARD, "1.txt")],
    "of another ending": [("0.x", b"a"), ("1.txt", SYMBOLIC, "0.x")],
    "of no sample": [("blob", b"a"), ("1.txt", SYMBOLIC, "blob")],
    "to what comes later": [("1.txt", SYMBOLIC, "2.txt"), ("2.txt", b"a")],
    "in a chain, backwards": [
        ("1.txt", SYMBOLIC, "2.txt"),
        ("2.txt", SYMBOLIC, "3.txt"),
        ("3.txt", b"a"),
    ],
    "long": [("d/" * 80 + "0.txt", b"a"), ("1.txt", HARD, "d/" * 80 + "0.txt")],
}


@pytest.mark.parametrize("fmt", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT], ids=["gnu", "pax"])
@pytest.mark.parametrize("case", LINKS)
def test_a_link_is_what_it_points_to(rows, case, fmt):
    members = LINKS[case]
    found = {row["__key__"]: row.get("txt") for row in rows(archive(*members, fmt=fmt))}
    wanted = {
        name.removesuffix(".txt").removeprefix("./")
        for name, *_ in members
        if name.endswith(".txt")
    }
    assert {
        key.removeprefix("./"): value for key, value in found.items() if value is not None
    } == dict.fromkeys(wanted, "a")


@pytest.mark.parametrize("case", LINKS)
def test_a_link_in_what_is_compressed_is_what_it_points_to_or_an_error_that_names_both(rows, case):
    members = LINKS[case]
    wanted = {
        name.removesuffix(".txt").removeprefix("./")
        for name, *_ in members
        if name.endswith(".txt")
    }
    try:
        found = rows(gzip.compress(archive(*members)), end=".tar.gz")
    except RowstreamError as error:
        (link, _, target) = next(one for one in members if len(one) == 3)
        assert link in str(error)
        assert target in str(error)
    else:
        assert {
            row["__key__"].removeprefix("./"): row["txt"]
            for row in found
            if row.get("txt") is not None
        } == dict.fromkeys(wanted, "a")


def test_a_linked_field_stands_in_its_sample(rows):
    data = archive(
        ("0.bin", b"p"),
        ("0.txt", b"t"),
        ("1.bin", HARD, "0.bin"),
        ("1.txt", b"u"),
        ("2.txt", b"v"),
        ("2.bin", SYMBOLIC, "0.bin"),
    )
    assert [(row["__key__"], row["bin"], row["txt"]) for row in rows(data)] == [
        ("0", b"p", "t"),
        ("1", b"p", "u"),
        ("2", b"p", "v"),
    ]


def test_a_linked_field_of_json_has_the_types_of_what_it_points_to(rows):
    assert rows(archive(("0.json", b'{"a": 1}'), ("1.json", HARD, "0.json"))) == [
        {"json": {"a": 1}, "__key__": "0"},
        {"json": {"a": 1}, "__key__": "1"},
    ]
    assert rows(archive(("1.json", SYMBOLIC, "meta"), ("meta", b'{"a": 1}'))) == [
        {"json": {"a": 1}, "__key__": "1"}
    ]


def test_links_of_long_archives_are_read_where_a_shuffle_and_a_state_want_them(tmp_path):
    content = [bytes([65 + i]) * 300_000 for i in range(8)]
    members = [(f"{i}.bin", one) for i, one in enumerate(content)]
    members += [(f"{8 + i}.bin", SYMBOLIC, f"{7 - i}.bin") for i in range(8)]
    path = tmp_path / "links.tar"
    path.write_bytes(archive(*members))
    ds = load_dataset("webdataset", data_files=str(path), split="train", streaming=True)
    wanted = {str(i): content[i] for i in range(8)} | {str(8 + i): content[7 - i] for i in range(8)}
    assert {row["__key__"]: row["bin"] for row in ds.shuffle(seed=2, buffer_size=4)} == wanted
    assert {row["__key__"]: row["bin"] for row in ds.skip(9)} == {
        key: wanted[key] for key in map(str, range(9, 16))
    }
    reading = iter(ds)
    first = [next(reading)["__key__"] for _ in range(10)]
    ds.load_state_dict(ds.state_dict())
    assert first + [row["__key__"] for row in ds] == list(wanted)


@pytest.mark.parametrize(
    ("link", "target"),
    [
        (("1.txt", SYMBOLIC, "gone.txt"), "gone.txt"),
        (("1.txt", SYMBOLIC, "/etc/passwd"), "/etc/passwd"),
        (("d/1.txt", SYMBOLIC, "../../0.txt"), "../../0.txt"),
        (("1.txt", HARD, "gone.txt"), "gone.txt"),
        (("1.txt", SYMBOLIC, "1.txt"), "1.txt"),
    ],
    ids=["nowhere", "outside", "above", "hard", "itself"],
)
@pytest.mark.parametrize("end", [".tar", ".tar.gz"])
def test_a_link_to_nothing_is_an_error_that_names_both(rows, link, target, end):
    data = archive(("0.txt", b"a"), link)
    with pytest.raises(RowstreamError) as error:
        rows(gzip.compress(data) if end == ".tar.gz" else data, end=end)
    assert link[0] in str(error.value)
    assert target in str(error.value)


def test_links_that_point_to_each_other_are_an_error_that_names_both(rows):
    with pytest.raises(RowstreamError, match=r"1\.txt.*2\.txt|2\.txt.*1\.txt"):
        rows(archive(("0.txt", b"a"), ("1.txt", SYMBOLIC, "2.txt"), ("2.txt", SYMBOLIC, "1.txt")))


def test_a_sample_with_a_link_to_nothing_is_skipped_and_told(tmp_path):
    path = tmp_path / "a.tar"
    path.write_bytes(archive(("0.txt", b"a"), ("1.txt", SYMBOLIC, "gone.txt"), ("2.txt", b"c")))
    ds = load_dataset(
        "webdataset", data_files=str(path), split="train", streaming=True, on_error="skip"
    )
    assert [row["txt"] for row in ds] == ["a", "c"]
    assert ds.skipped.count == 1
    assert "gone.txt" in str(ds.skipped)


def test_links_to_folders_and_of_no_sample_are_passed_over(rows):
    data = archive(
        ("v1/0.txt", b"a"),
        ("latest", SYMBOLIC, "v1"),
        ("v1.0", SYMBOLIC, "v1"),
        ("README", SYMBOLIC, "gone"),
    )
    assert rows(data) == [{"txt": "a", "__key__": "v1/0"}]


@pytest.mark.parametrize("end", [".tar", ".tar.gz"])
def test_links_of_archives_of_lines_are_files_as_others(rows, end):
    data = archive(
        ("a.jsonl", b'{"x": 1}\n'),
        ("b.jsonl", HARD, "a.jsonl"),
        ("c.jsonl", SYMBOLIC, "d.jsonl"),
        ("d.jsonl", b'{"x": 2}\n'),
        ("e", SYMBOLIC, "gone"),
    )
    assert [
        row["x"] for row in rows(gzip.compress(data) if end == ".tar.gz" else data, "json", end)
    ] == [1, 1, 2, 2]


def test_a_link_to_nothing_in_an_archive_of_lines_is_an_error_that_names_both(rows):
    with pytest.raises(RowstreamError, match=r"b\.jsonl.*gone\.jsonl"):
        rows(archive(("a.jsonl", b'{"x": 1}\n'), ("b.jsonl", SYMBOLIC, "gone.jsonl")), "json")


LEFT_BEHIND = [
    "._1.jpg",
    "d/._1.jpg",
    ".DS_Store",
    "d/.DS_Store",
    "__MACOSX/d/._1.jpg",
    "__MACOSX/d/9.jpg",
    ".gitkeep",
    "d/.gitkeep",
]


@pytest.mark.parametrize("end", [".tar", ".tar.gz"])
@pytest.mark.parametrize("where", ["first", "between", "inside a sample", "last"])
def test_what_tools_leave_behind_is_no_sample(rows, where, end):
    data = [("d/1.bin", b"one"), ("d/1.cls", b"1"), ("d/2.bin", b"two"), ("d/2.cls", b"2")]
    at = {"first": 0, "between": 2, "inside a sample": 1, "last": 4}[where]
    data[at:at] = [(name, b"\0\5\x16\7") for name in LEFT_BEHIND]
    made = archive(*data)
    wanted = [
        {"bin": b"one", "cls": 1, "__key__": "d/1"},
        {"bin": b"two", "cls": 2, "__key__": "d/2"},
    ]
    assert rows(gzip.compress(made) if end == ".tar.gz" else made, end=end) == wanted


def test_an_archive_is_taken_apart_whole(tmp_path):
    path = tmp_path / "together.tar"
    path.write_bytes(archive(("a.txt", b"a")) + archive(("b.txt", b"b"), ("c.txt", HARD, "b.txt")))
    manager = DownloadManager()
    assert sorted(name for name, _ in manager.iter_archive(str(path)) if name != "c.txt") == [
        "a.txt",
        "b.txt",
    ]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    from tests.server import Server

    with Server(tmp_path_factory.mktemp("server")) as made:
        yield made


def far(server, name, data, format="webdataset"):
    (server.root / "http" / name).write_bytes(data)
    return load_dataset(format, data_files=f"{server.http}/{name}", split="train", streaming=True)


@pytest.mark.heavy
@pytest.mark.parametrize("how", TOGETHER)
def test_archives_one_after_another_far_away_give_the_samples_of_all(server, how):
    together, end = TOGETHER[how]
    ds = far(
        server,
        f"together-{how.replace(' ', '')}{end}",
        together(numbered(0, 1), numbered(2), numbered(3)),
    )
    assert [row["txt"] for row in ds] == ["0", "1", "2", "3"]
    assert [row["txt"] for row in ds.skip(2)] == ["2", "3"]


@pytest.mark.heavy
@pytest.mark.parametrize("case", LINKS)
def test_a_link_far_away_is_what_it_points_to_or_an_error_that_names_both(server, case):
    members = LINKS[case]
    wanted = {
        name.removesuffix(".txt").removeprefix("./")
        for name, *_ in members
        if name.endswith(".txt")
    }
    try:
        found = list(far(server, f"links-{list(LINKS).index(case)}.tar", archive(*members)))
    except RowstreamError as error:
        (link, _, target) = next(one for one in members if len(one) == 3)
        assert link in str(error)
        assert target in str(error)
    else:
        assert {
            row["__key__"].removeprefix("./"): row["txt"]
            for row in found
            if row.get("txt") is not None
        } == dict.fromkeys(wanted, "a")
