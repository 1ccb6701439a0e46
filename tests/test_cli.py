"""The command `rowstream`: its results, forms, exit statuses, and what it does in a pipe."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import subprocess
import sys
import threading

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import rowstream
from rowstream import Dataset, IterableDataset, col, exceptions, load_dataset
from rowstream.cli import main
from rowstream.cli.output import Output
from rowstream.cli.stats import bars
from rowstream.view.column_stats import ColumnStats
from rowstream.view.condition import condition

N = 300
ROWS = [
    {
        "id": i,
        "text": f"Row {i}" if i % 7 else None,
        "score": i / 256,
        "lang": ("en", "de", "fr")[i % 3],
        "tags": ["x"] * (i % 4),
    }
    for i in range(N)
]


@pytest.fixture
def files(tmp_path, monkeypatch):
    """A folder with the same rows in several formats, which is the current one."""
    monkeypatch.chdir(tmp_path)
    stream = Dataset.from_list(ROWS).to_iterable_dataset()
    stream.to_parquet("rows.parquet")
    stream.to_json("rows.jsonl")
    stream.to_arrow("rows.arrow")
    (tmp_path / "parts").mkdir()
    stream.to_parquet("parts/rows.parquet", num_shards=3)
    return tmp_path


@pytest.fixture
def run(capsys):
    """Run the command; return its exit status, its lines, and those for people."""

    def run(*arguments):
        capsys.readouterr()
        status = main([str(one) for one in arguments])
        said = capsys.readouterr()
        return status, said.out.splitlines(), said.err.splitlines()

    return run


SOURCES = ["rows.parquet", "rows.jsonl", "rows.arrow", "parts", "parts/*.parquet"]


@pytest.mark.parametrize("source", SOURCES)
def test_rows_of_any_source(files, run, source):
    status, lines, _ = run("head", "-n", 4, source, "--json")
    assert (status, [json.loads(line) for line in lines]) == (0, ROWS[:4])
    assert run("count", source) == (0, [str(N)], [])
    assert json.loads(run("count", source, "--json")[1][0]) == {"train": N}
    assert run("schema", source, "--quiet")[1] == ["id", "text", "score", "lang", "tags"]
    wanted = [row["id"] for row in ROWS if row["score"] > 1 and row["lang"] in ("en", "fr")]
    options = ("--where", "score > 1 and lang in ('en', 'fr')", "--columns", "id,lang")
    found = [json.loads(line) for line in run("head", source, "-n", 99, "--json", *options)[1]]
    assert [row["id"] for row in found] == wanted
    assert set(found[0]) == {"id", "lang"}
    assert run("plan", source, *options)[0] == 0


def test_several_files_are_one_source(files, run):
    parts = sorted(str(path) for path in (files / "parts").iterdir())
    assert run("count", *parts) == (0, [str(N)], [])
    assert run("plan", *parts, "--quiet")[1] == parts


def test_splits_are_chosen(files, run):
    (files / "both").mkdir()
    for split in ("train", "test"):
        rowstream.write_jsonl(
            files / "both" / f"{split}.jsonl", ROWS[: 10 if split == "test" else 20]
        )
    assert json.loads(run("count", "both", "--json")[1][0]) == {"train": 20, "test": 10}
    assert run("count", "both", "--split", "test")[1] == ["10"]
    assert run("count", "both", "--split", "train[:25%]")[1] == ["5"]
    assert run("schema", "both")[2] == ["splits: train, test"]


def test_a_sample_is_drawn_from_all(files, run):
    def ids(*more):
        return [int(line) for line in run("sample", "rows.parquet", "-n", 20, "--quiet", *more)[1]]

    first = ids()
    assert first == sorted(set(first)) == ids()
    assert (len(first), first != ids("--seed", 1)) == (20, True)
    assert max(first) > N / 2
    assert ids("--where", "id < 10") == [*range(10)]


def test_a_text_is_found_whatever_its_case(files, run):
    status, lines, _ = run("search", "row 29", "rows.jsonl", "--json")
    assert status == 0
    assert {json.loads(line)["id"] for line in lines} == {29, *range(290, 300)} - {294}
    assert run("search", "nothing like it", "rows.jsonl") == (
        1,
        [],
        ["no row has 'nothing like it'"],
    )


def test_figures_of_columns(files, run):
    found = {}
    for line in run("stats", "rows.parquet", "--json")[1]:
        one = json.loads(line)
        found[one.pop("column")] = one
    assert found["text"]["nulls"] == sum(row["text"] is None for row in ROWS)
    assert [found[name]["distinct"] for name in ("id", "lang", "tags")] == [N, 3, 4]
    assert (found["id"]["min"], found["id"]["mean"], found["id"]["max"]) == (0, (N - 1) / 2, N - 1)
    assert (found["tags"]["of"], found["tags"]["max"], found["text"]["of"]) == (
        "items",
        3,
        "characters",
    )
    assert sum(found["score"]["histogram"]["counts"]) == N
    assert found["lang"]["most"] == [["en", 100], ["de", 100], ["fr", 100]]
    assert run("stats", "rows.parquet", "--quiet")[1] == ["text"]
    status, lines, noted = run("stats", "rows.parquet")
    assert (status, lines[0].split("\t")[:3], noted) == (
        0,
        ["column", "nulls", "distinct"],
        ["300 rows"],
    )


def test_figures_of_all_types_and_of_none():
    import datetime as dt

    for values, kind in (
        ([None, None], pa.int64()),
        ([], pa.string()),
        ([float("nan"), float("inf"), 1.0, None], pa.float64()),
        ([True, False, None], pa.bool_()),
        ([b"", b"ab"], pa.binary()),
        ([dt.datetime(2020, 1, 1)], pa.timestamp("us")),
        ([{"a": 1}], pa.struct({"a": pa.int64()})),
        ([1_700_000_000_000_000_000 + i for i in range(9)], pa.int64()),
        ([-1.7e308, 1.7e308, 5.0], pa.float64()),
        ([2**64 - 1, 0], pa.uint64()),
        ([[("a", 1)], [], None], pa.map_(pa.string(), pa.int64())),
        ([[1, 2], None], pa.list_(pa.int64(), 2)),
        ([dt.date(2020, 1, 1), dt.date(9999, 12, 31)], pa.date32()),
        ([0.0, -0.0], pa.float64()),
        ([[[1]], None, []], pa.list_(pa.list_(pa.int64()))),
    ):
        stats = ColumnStats()
        stats.add(pa.chunked_array([values], kind))
        found = stats.result()
        assert found["nulls"] == sum(value is None for value in values)
        different = {str(value).replace("-0.0", "0.0") for value in values if value is not None}
        assert found["distinct"] == len(different)
        assert sum(found.get("histogram", {"counts": []})["counts"]) <= len(values)
        json.dumps(found, allow_nan=False)
    stats = ColumnStats()
    stats.add(pa.chunked_array([[2**62, 2**62 + 2, -(2**62), -1]], pa.int64()))
    assert stats.result()["mean"] == (2**62 + 1) / 4
    assert bars([]) == ""
    assert bars([0, 0]) == "  "


def test_distinct_values_are_bounded(monkeypatch):
    monkeypatch.setattr("rowstream.view.column_stats._DISTINCT", 50)
    monkeypatch.setattr("rowstream.view.column_stats._SAMPLE", 40)
    stats = ColumnStats()
    for start in range(0, 200, 20):
        stats.add(pa.chunked_array([[*range(start, start + 20)]]))
    found = stats.result()
    assert (found["distinct"], found["distinct_exact"], found["max"]) == (50, False, 199)
    assert sum(found["histogram"]["counts"]) == 40


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("n > 2", lambda row: row["n"] is not None and row["n"] > 2),
        ("1 <= n < 3", lambda row: row["n"] in (1, 2)),
        ("not n == 1", lambda row: row["n"] not in (None, 1)),
        (" or ".join([f"n == {i}" for i in range(2, 3000)]), lambda row: (row["n"] or 0) > 1),
        ("n == None", lambda row: row["n"] is None),
        ("odd and not s == 'a'", lambda row: row["odd"] and row["s"] != "a"),
        ("not odd", lambda row: not row["odd"]),
        ("n is None", lambda row: row["n"] is None),
        ("n is not None and s != 'a'", lambda row: row["n"] is not None and row["s"] != "a"),
        ("s not in ['a', 'b']", lambda row: row["s"] not in "ab"),
        ("col('odd name') == -1 or s == 'b'", lambda row: row["odd name"] == -1 or row["s"] == "b"),
    ],
)
def test_conditions_are_typed(text, wanted):
    rows = [
        {"n": n, "s": s, "odd name": -1 if s == "c" else 1, "odd": s == "b"}
        for n in (None, 0, 1, 2, 3)
        for s in ("a", "b", "c")
    ]
    stream = Dataset.from_list(rows).to_iterable_dataset()
    assert stream.filter(condition(text)).to_list() == [row for row in rows if wanted(row)]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "n >",
        "1 < 2",
        "f(n)",
        "n + 1 > 2",
        "__import__('os')",
        "n.real > 1",
        "n > m",
        "n == n == n",
        "lambda: 1",
    ],
)
def test_what_is_no_condition_is_refused(text):
    with pytest.raises(exceptions.InvalidArgumentError):
        condition(text)


def test_queries(files, run):
    pytest.importorskip("duckdb")
    query = "select lang, count(*) n from data where id < 30 group by 1 order by 1"
    assert run("sql", query, "rows.jsonl") == (0, ["lang\tn", "de\t10", "en\t10", "fr\t10"], [])
    assert run("sql", query, "rows.jsonl", "--quiet")[1][0] == "de\t10"
    joined = "select a.id, b.score from a join b using (id) where a.id = 7"
    assert [
        json.loads(line)
        for line in run("sql", joined, "a=rows.parquet", "b=rows.jsonl", "--json")[1]
    ] == [{"id": 7, "score": 7 / 256}]
    assert run("sql", "select", "rows.jsonl")[0] == 1
    assert "name every table" in run("sql", joined, "a=rows.parquet", "rows.jsonl")[2][0]


@pytest.mark.parametrize("target", ["out.parquet", "out.jsonl", "out.csv", "out.arrow", "out.tar"])
def test_rows_are_converted(files, run, target):
    columns = "id,lang" if target != "out.tar" else "text"
    where = "text is not None"
    status, lines, _ = run(
        "convert", "rows.parquet", target, "--columns", columns, "--where", where, "--quiet"
    )
    assert (status, lines) == (0, [target])
    wanted = [row for row in ROWS if row["text"] is not None]
    again = load_dataset(target, split="train")
    if target == "out.tar":
        assert again["text"][:] == [row["text"] for row in wanted]
    else:
        assert again.to_list() == [{"id": row["id"], "lang": row["lang"]} for row in wanted]


def test_rows_are_converted_in_order_by_several_processes(files, run):
    options = (
        "--shards",
        3,
        "--processes",
        2,
        "--sort-by",
        "lang,score:desc",
        "--unique-by",
        "tags,lang",
    )
    plan = run("convert", "rows.jsonl", "out.parquet", *options, "--dry-run")
    assert plan[1] == [f"read  {files}/rows.jsonl", "write  out.parquet, as parquet in 3 files"]
    assert not list(files.glob("out*"))
    status, lines, _ = run("convert", "rows.jsonl", "out.parquet", *options, "--json")
    assert (status, len(json.loads(lines[0])["files"])) == (0, 3)
    rows = load_dataset("parquet", data_files="out-*.parquet", split="train").to_list()
    assert len(rows) == 12
    assert rows == sorted(rows, key=lambda row: (row["lang"], -row["score"]))
    assert "by one process" in run("convert", "rows.jsonl", "out.csv", "--shuffle-seed", 1)[2][0]
    assert "--to" in run("convert", "rows.jsonl", "out.unknown")[2][0]
    plan = run("convert", "rows.jsonl", "out.parquet", "--dry-run", "--shards", 2)[1]
    assert sum(line.startswith("replace") for line in plan) == 3


def test_what_is_broken_is_found(files, run):
    lines = (files / "rows.jsonl").read_text().splitlines()
    lines[20] = '{"id": 20, '
    (files / "broken.jsonl").write_text("\n".join(lines) + "\n")
    status, said, noted = run("verify", "broken.jsonl")
    assert status == 1
    assert said[0] == f"wrong  {files}/broken.jsonl  {N - 1} rows"
    assert "line 21" in said[1]
    assert noted == ["1 files, 1 of them with something wrong"]
    assert run("verify", "rows.jsonl", "--quiet") == (0, [], [])
    content = bytearray((files / "rows.parquet").read_bytes())
    content[100:140] = bytes(40)
    (files / "broken.parquet").write_bytes(content)
    status, said, _ = run("verify", "broken.parquet", "--json")
    assert (status, bool(json.loads(said[0])["problems"])) == (1, True)


def test_files_of_another_schema_are_found(files, run):
    pq.write_table(pa.table({"id": [1], "score": [1]}), "parts/zz.parquet")
    status, said, _ = run("verify", "parts/*.parquet", "--json")
    found = {os.path.basename(one["path"]): one["problems"] for one in map(json.loads, said)}
    assert status == 1
    assert [name for name, problems in found.items() if problems] == ["zz.parquet"]
    assert any("'score' is Value('int64')" in problem for problem in found["zz.parquet"])
    assert any("'lang' is missing" in problem for problem in found["zz.parquet"])


def test_a_file_that_cannot_be_opened_is_one_of_several(files, run):
    content = (files / "rows.parquet").read_bytes()
    (files / "several").mkdir()
    for name, part in (("a", content), ("b", content[:-900]), ("c", content)):
        (files / "several" / f"{name}.parquet").write_bytes(part)
    status, said, _ = run("verify", "several", "--json")
    found = {os.path.basename(one["path"]): one for one in map(json.loads, said)}
    assert status == 1
    assert [name for name, one in found.items() if one["problems"]] == ["b.parquet"]
    assert found["c.parquet"]["rows"] == N
    assert run("verify", "several", "-q")[1] == [str(files / "several" / "b.parquet")] or run(
        "verify", "several", "-q"
    )[1] == ["several/b.parquet"]
    assert len(run("verify", "several", "--dry-run", "-q")[1]) == 3


def test_checksums_are_compared(files, run):
    digest = hashlib.sha256((files / "rows.jsonl").read_bytes()).hexdigest()
    (files / "SUMS").write_text(f"{digest}  rows.jsonl\n")
    assert run("verify", "rows.jsonl", "--checksums", "SUMS", "-q") == (0, [], [])
    (files / "SUMS").write_text(f"{'0' * 64} *rows.jsonl\n")
    status, said, _ = run("verify", "rows.jsonl", "--checksums", "SUMS")
    assert (status, digest in said[1]) == (1, True)
    (files / "SUMS").write_text("no\n")
    assert run("verify", "rows.jsonl", "--checksums", "SUMS")[0] == 1


def test_links_and_pipes_stay_what_they_are(files, run):
    (files / "target.csv").write_text("old")
    (files / "link.csv").symlink_to("target.csv")
    assert run("convert", "rows.jsonl", "link.csv", "--columns", "id")[0] == 0
    assert (files / "link.csv").is_symlink()
    assert len((files / "target.csv").read_text().splitlines()) == N + 1
    os.mkfifo(files / "pipe.jsonl")
    got = []
    reader = threading.Thread(target=lambda: got.append((files / "pipe.jsonl").read_text()))
    reader.start()
    assert run("convert", "rows.jsonl", "pipe.jsonl", "--columns", "id")[0] == 0
    reader.join(30)
    assert len(got[0].splitlines()) == N
    assert (files / "pipe.jsonl").is_fifo()


@pytest.mark.heavy
def test_the_standard_output_is_a_target(files):
    done = subprocess.run(
        [sys.executable, "-m", "rowstream", "convert", "rows.parquet", "-", "--to", "jsonl"],
        capture_output=True,
        timeout=60,
    )
    assert done.returncode == 0
    assert [json.loads(line)["id"] for line in done.stdout.splitlines()] == [*range(N)]
    assert not (files / "-").exists()


def test_all_splits_are_converted_into_a_folder(files, run):
    (files / "both").mkdir()
    for split, n in (("train", 20), ("test", 10)):
        rowstream.write_jsonl(files / "both" / f"{split}.jsonl", ROWS[:n])
    status, _, noted = run("convert", "both", "out.parquet")
    assert status == 1
    assert "train, test" in noted[0]
    assert run("convert", "both", "out/", "--to", "parquet", "-q")[1] == [
        "out/train.parquet",
        "out/test.parquet",
    ]
    assert json.loads(run("count", "out", "--json")[1][0]) == {"train": 20, "test": 10}
    assert run("head", "both", "-n", 1)[2] == ["split 'train' of train, test: --split chooses"]
    assert run("convert", "both", "out2/", "--to", "arrow", "--shards", 2, "-q")[0] == 0
    assert json.loads(run("count", "out2", "--json")[1][0]) == {"train": 20, "test": 10}


def test_images_are_converted_with_their_bytes(files, run):
    pytest.importorskip("PIL")
    from PIL import Image

    (files / "images").mkdir()
    Image.new("RGB", (4, 4)).save(files / "images" / "a.png")
    assert run("convert", "images", "out.parquet")[0] == 0
    (files / "images" / "a.png").unlink()
    assert load_dataset("out.parquet", split="train")[0]["image"].size == (4, 4)
    for command in ("plan", "bench", "verify"):
        Image.new("RGB", (4, 4)).save(files / "images" / "a.png")
        more = ("--seconds", "0.05") if command == "bench" else ()
        assert run(command, "images", *more)[0] == 0


def test_tabs_stay_tabs(files, run):
    assert run("convert", "rows.parquet", "out.tsv", "--columns", "id,lang")[0] == 0
    assert json.loads(run("head", "out.tsv", "-n", 1, "--json")[1][0]) == {"id": 0, "lang": "en"}
    assert json.loads(run("head", "out.tsv", "out.tsv", "-n", 1, "--json")[1][0])["lang"] == "en"
    (files / "b.csv").write_text("id,lang\n1,en\n")
    assert "one format" in run("head", "out.tsv", "b.csv")[2][0]
    assert "one format" in run("count", "rows.jsonl", "rows.parquet")[2][0]


def test_files_of_one_name_stay_apart(files, run):
    for lang in ("en", "de"):
        (files / "dup" / lang).mkdir(parents=True)
        (files / "dup" / lang / "x.csv").write_text(f"a\n{lang}\n")
    said = run("download", "dup", "--to", "copy")[1]
    assert sorted(said) == ["copy/de/x.csv", "copy/en/x.csv"]
    assert run("download", "dup", "--to", "copy")[0] == 0
    (files / "copy" / "de" / "x.csv").write_text("another")
    assert "another file" in run("download", "dup", "--to", "copy")[2][0]


def test_json_is_json_whatever_the_values(files, run):
    def refuse(text):
        raise ValueError(text)

    (files / "odd.jsonl").write_text('{"x": NaN}\n{"x": Infinity}\n')
    table = pa.table({"f": [float("nan"), float("-inf"), 1.0], "b": [b"\xff", None, b""]})
    pq.write_table(table, "odd.parquet")
    for line in run("head", "odd.parquet", "--json")[1]:
        json.loads(line, parse_constant=refuse)
    if importlib.util.find_spec("duckdb"):
        (line,) = run("sql", "select 1 a, 2 a, map{1: 2} m, 'nan'::double", "rows.jsonl", "--json")[
            1
        ]
        found = json.loads(line, parse_constant=refuse)
        assert (found["a"], found["a_1"], found["m"]) == (1, 2, {"1": 2})
        assert "empty" in run("sql", "", "rows.jsonl")[2][0]
        (files / "year=2024").mkdir()
        pq.write_table(table, "year=2024/p.parquet")
        assert run("sql", "select count(*) n from data", "year=2024/p.parquet", "-q")[1] == ["3"]
    for command in ("verify", "download"):
        for line in run(command, "rows.jsonl", "--dry-run", "--json")[1]:
            json.loads(line)
    assert "columns ['b'] have bytes" in run("convert", "odd.parquet", "out.jsonl")[2][0]


def test_texts_give_a_terminal_no_orders(files, run):
    (files / "evil.jsonl").write_text(json.dumps({"t": "\x1b[31mred\x1b]0;title\x07\tok"}) + "\n")
    shown = "\n".join(run("head", "evil.jsonl")[1])
    assert "\x1b" not in shown
    assert "\\x1b[31mred" in shown
    assert "\x1b" not in "\n".join(run("stats", "evil.jsonl")[1])


def test_archives_are_indexed(files, run):
    IterableDataset.from_dict({"txt": ["a", "b"]}).to_webdataset("a.tar")
    assert run("index", "*.tar", "--dry-run", "-q")[1] == [str(files / "a.tar")]
    status, said, _ = run("index", "a.tar")
    assert (status, said) == (0, [str(files / "a.tar.idx")]) or said == ["a.tar.idx"]
    assert (files / "a.tar.idx").exists()


def test_files_are_copied(files, run):
    status, said, _ = run("download", "parts", "--to", "copy")
    assert (status, len(said)) == (0, 3)
    assert run("count", "copy")[1] == [str(N)]


def test_the_cache_is_listed_and_emptied(files, run, monkeypatch):
    monkeypatch.setenv("ROWSTREAM_CACHE", str(files / "own"))
    load_dataset("json", data_files="rows.jsonl", split="train", cache_dir=files / "cache")
    where = ("--kind", "datasets", "--cache-dir", files / "cache")
    (name,) = run("cache", "ls", "-q", *where)[1]
    assert json.loads(run("cache", "ls", "--json", *where)[1][0])["name"] == name
    assert run("cache", "verify", "--cache-dir", files / "cache", "-q") == (0, [], [])
    assert run("cache", "rm", name, "--dry-run", "-q", *where)[1] == [name]
    assert run("cache", "rm", *where[2:])[0] == 1
    assert run("cache", "rm", name, *where)[1][0].startswith("removed")
    assert run("cache", "ls", "-q", *where)[1] == []
    assert run("cache", "dir", "-q")[1] == [str(files / "own")]


def test_what_limits_is_measured(files, run):
    status, said, _ = run("bench", "rows.jsonl", "--seconds", 0.05, "--json")
    found = json.loads(said[0])
    assert (status, found["limit"] in ("source", "decode", "edge")) == (0, True)
    assert all(rate > 0 for rate in found["rows_per_second"].values())
    assert run("bench", "rows.parquet", "--seconds", 0.05)[0] == 0


def test_the_demo_loses_nothing(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, said, _ = run("demo", "-n", 3000)
    assert status == 0
    assert any("each row came once" in line for line in said)
    assert json.loads(run("demo", "-n", 500, "--json")[1][0])["exact_resume"] is True


def test_errors_are_one_line_and_a_status(files, run):
    for arguments in (
        ("head", "missing.parquet"),
        ("count", "rows.jsonl", "--where", "nope > 1"),
        ("head", "rows.jsonl", "--columns", "nope"),
        ("sql", "select 1 from nope", "rows.jsonl"),
    ):
        status, said, noted = run(*arguments)
        assert (status, said) == (1, [])
        assert noted[0].startswith("rowstream: ")
        assert "Traceback" not in "\n".join(noted)
    for wrong in (["sample", "rows.jsonl", "-n", "-1"], ["bench", "rows.jsonl", "--seconds", "-1"]):
        with pytest.raises(SystemExit) as ended:
            main(wrong)
        assert ended.value.code == 2
    assert run("head", "rows.jsonl", "--where", "")[0] == 1
    assert run("head", "rows.jsonl", "--columns", "")[0] == 1
    with pytest.raises(SystemExit) as ended:
        main(["head"])
    assert ended.value.code == 2
    with pytest.raises(exceptions.DataFilesNotFoundError):
        main(["--debug", "head", "missing.parquet"])


def test_people_see_columns_and_pipes_plain_text(files, capsys, monkeypatch):
    class Terminal(Output):
        def __init__(self, given):
            super().__init__(given)
            self.terminal = self._colours = True

    monkeypatch.setattr("rowstream.cli.Output", Terminal)
    main(["head", "-n", "1", "rows.parquet"])
    assert "\x1b[1mrow 0\x1b[0m" in capsys.readouterr().out
    main(["stats", "rows.parquet"])
    said = capsys.readouterr().out
    assert "▇" in said or "█" in said
    main(["schema", "rows.parquet"])
    assert "lang    Value('string')" in capsys.readouterr().out
    monkeypatch.undo()
    main(["head", "-n", "1", str(files / "rows.parquet")])
    said = capsys.readouterr().out
    assert "\x1b" not in said
    assert said.startswith("row 0\n  id     0\n")


@pytest.mark.heavy
def test_a_pipe_that_is_closed_is_no_error(files):
    made = subprocess.Popen(
        [sys.executable, "-m", "rowstream", "head", "-n", "100000", "rows.jsonl", "rows.jsonl"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    made.stdout.readline()
    made.stdout.close()
    assert (made.wait(60), made.stderr.read()) == (0, b"")
    made.stderr.close()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_complete_it(run, shell):
    status, said, _ = run("completion", shell)
    text = "\n".join(said)
    assert status == 0
    for word in ("head", "convert", "shuffle-seed", "cache"):
        assert word in text
    if shell == "bash":
        script = f"""{text}
COMP_WORDS=(rowstream convert --sh); COMP_CWORD=2; _rowstream; echo "${{COMPREPLY[*]}}"
COMP_WORDS=(rowstream sa); COMP_CWORD=1; _rowstream; echo "${{COMPREPLY[*]}}"
COMP_WORDS=(rowstream cache ver); COMP_CWORD=2; _rowstream; echo "${{COMPREPLY[*]}}"
"""
        done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=20)
        assert done.stdout.splitlines() == [
            "--shards --shard-size --shuffle-seed",
            "sample",
            "verify",
        ]


def test_media_are_shown_by_their_size(tmp_path, run):
    pytest.importorskip("PIL")
    from PIL import Image

    (tmp_path / "images").mkdir()
    Image.new("RGB", (4, 4)).save(tmp_path / "images" / "a.png")
    status, said, _ = run("head", tmp_path / "images", "--json")
    assert status == 0
    assert "image" in json.loads(said[0])
    assert col  # the conditions' own name, for those who read this


@pytest.mark.heavy
def test_the_standard_input_is_a_source(files):
    def run(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "rowstream", *arguments],
            input=(files / "rows.jsonl").read_bytes(),
            capture_output=True,
            timeout=60,
        )

    done = run("count", "-", "--format", "jsonl", "--where", "id < 9")
    assert (done.returncode, done.stdout) == (0, b"9\n"), done.stderr
    assert b"--format" in run("count", "-").stderr
    assert run("count", "-", "--format", "xyz").returncode == 2


def test_json_texts_are_values(tmp_path, run):
    path = tmp_path / "mixed.jsonl"
    path.write_text('{"a": 1, "x": {"k": 1}}\n{"a": "s", "x": [1, 2]}\n')
    expected = [{"a": 1, "x": {"k": 1}}, {"a": "s", "x": [1, 2]}]
    for words in (
        ["head", str(path)],
        ["sample", str(path)],
        ["sql", "select * from data", str(path)],
    ):
        status, out, _ = run(*words, "--json")
        assert (status, [json.loads(line) for line in out]) == (0, expected)
    status, out, _ = run("schema", str(path), "--json")
    assert "Json(decode=True)" in out[0]


def test_times_of_any_unit(tmp_path, run):
    path = tmp_path / "times.arrow"
    table = pa.table(
        {
            "ns": pa.array([1, None], pa.timestamp("ns")),
            "s": pa.array([2**60, 0], pa.timestamp("s")),
            "text": pa.array(["a", None], pa.string_view()),
            "bytes": pa.array([b"xx", None], pa.binary_view()),
            "large": [1.7e308, 1.7e308],
        }
    )
    with pa.ipc.new_file(str(path), table.schema) as file:
        file.write_table(table)
    status, out, _ = run("sql", "select ns, ns from data", str(path), "--json")
    assert status == 0
    assert json.loads(out[0]) == {
        "ns": "1970-01-01 00:00:00.000000001",
        "ns_1": "1970-01-01 00:00:00.000000001",
    }
    status, out, _ = run("stats", str(path), "--json")
    figures = {one["column"]: one for one in map(json.loads, out)}
    assert status == 0
    assert figures["ns"]["nulls"] == 1
    assert figures["s"]["max"].endswith("s after 1970")
    assert (figures["text"]["of"], figures["bytes"]["max"]) == ("characters", 2)
    assert figures["large"]["mean"] == 1.7e308


def test_patterns_of_any_kind(tmp_path, run):
    for i in (1, 2, 3):
        (tmp_path / f"c{i}.jsonl").write_text('{"a": 1}\n')
    for pattern, count in (("c?.jsonl", 3), ("c[12].jsonl", 2), ("c{1,2}.jsonl", 2)):
        status, out, _ = run("count", f"{tmp_path}/{pattern}")
        assert (status, out) == (0, [str(count)])
