"""Names that are no usual ones: they spoil nothing for others, and each is read by its exact name."""

from __future__ import annotations

import pytest
import rowstream
from rowstream import load_dataset
from rowstream.exceptions import DataFilesNotFoundError

from tests.wire.conftest import FAST, lines, parquet

NAMES = [
    "[x].jsonl",
    "a{1,2}.jsonl",
    "b{0..1}.jsonl",
    "~c.jsonl",
    "d#1.jsonl",
    "e\nf.jsonl",
    "g?h.jsonl",
    "i*j.jsonl",
    "k%20l.jsonl",
    "m n.jsonl",
    "o@p.jsonl",
    "q::r.jsonl",
    "é.jsonl",
    "v+w.jsonl",
]
FOLDERS = ["[y]", "p{1,2}", "~h", "q#", "n\nl", "::x", "a@b"]


def count(path, **options):
    return sum(1 for _ in load_dataset(path, split="train", streaming=True, **options))


# ---------------------------------------------------------------------------------------------------------------- the Hub


@pytest.fixture
def odd(server):
    """A repository with all of these names; the file at place `i` has `i + 1` rows."""
    server.repo(
        "odd/odd",
        {name: lines(i + 1) for i, name in enumerate(NAMES)}
        | {f"{of}/t.jsonl": lines(100) for of in FOLDERS},
    )
    return server


@pytest.mark.parametrize("name", NAMES)
def test_a_file_of_the_hub_by_its_exact_name(odd, name):
    rows = NAMES.index(name) + 1
    assert count("odd/odd", data_files=name) == rows
    assert count("json", data_files=f"hf://datasets/odd/odd/{name}") == rows
    with rowstream.open(f"hf://datasets/odd/odd@main/{name}", "rb") as file:
        assert file.read() == lines(rows)


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_folder_of_the_hub_by_its_exact_name(odd, folder):
    for options in (
        {"data_files": f"{folder}/*"},
        {"data_files": f"{folder}/t.jsonl"},
        {"data_dir": folder},
    ):
        assert count("odd/odd", **options) == 100
    assert count("odd/odd", data_dir=folder, data_files="*.jsonl") == 100
    assert count(f"hf://datasets/odd/odd/{folder}") == 100


def test_all_of_them_together(odd, tmp_path):
    rows = sum(range(1, len(NAMES) + 1))
    assert count("odd/odd", data_files="*") == rows
    assert count("odd/odd") == rows + 100 * len(FOLDERS)
    assert (
        len(
            load_dataset("odd/odd", data_files="*", split="train", cache_dir=str(tmp_path / "made"))
        )
        == rows
    )


@pytest.mark.parametrize("name", NAMES)
def test_a_card_names_it(server, name):
    files = {name: lines(3), "other.jsonl": lines(50)}
    server.repo(
        "odd/card", files, cardData={"configs": [{"config_name": "default", "data_files": name}]}
    )
    assert count("odd/card") == 3


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_card_names_a_folder(server, folder):
    files = {f"{folder}/a.jsonl": lines(3), f"{folder}/b.jsonl": lines(4), "other.jsonl": lines(50)}
    configs = [
        {"config_name": "folder", "data_dir": folder},
        {"config_name": "pattern", "data_files": f"{folder}/*"},
        {"config_name": "both", "data_dir": folder, "data_files": "b*"},
    ]
    server.repo("odd/card", files, cardData={"configs": configs})
    assert [count("odd/card", name=config["config_name"]) for config in configs] == [7, 7, 4]


def test_a_class_of_characters_may_have_a_bracket(odd):
    # pytest makes errors of what `re` warns of.
    assert count("odd/odd", data_files="[[]x].jsonl") == 1


def test_a_backslash_spoils_nothing(server):
    server.repo(
        "odd/back",
        {
            "train.jsonl": lines(2),
            "a\\b.jsonl": lines(3),
            "c\\train.txt": b"x\n",
            "\\d.jsonl": lines(4),
        },
    )
    assert count("odd/back", data_files="train.jsonl") == 2
    assert count("odd/back", data_files="t*.jsonl") == 2
    with pytest.warns(UserWarning, match="odd name"):
        assert count("odd/back", data_files="*.jsonl") == 2
    assert count("odd/back") == 2
    for name, rows in (("a\\b.jsonl", 3), ("\\d.jsonl", 4)):
        assert count("odd/back", data_files=name) == rows
        assert count("json", data_files=f"hf://datasets/odd/back/{name}") == rows
        with rowstream.open(f"hf://datasets/odd/back/{name}", "rb") as file:
            assert file.read() == lines(rows)


def test_a_name_that_is_not_there_is_told_as_it_is(odd):
    for name in NAMES:
        with pytest.raises(DataFilesNotFoundError) as error:
            count("odd/odd", data_files=f"none{name}")
        assert f"none{name}" in str(error.value) or repr(f"none{name}") in str(error.value)


# ----------------------------------------------------------------------------------------------------------- this machine


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_folder_here_by_its_exact_name(tmp_path, folder):
    place = tmp_path / folder / "in"
    place.mkdir(parents=True)
    (place / "t.jsonl").write_bytes(lines(2))
    (tmp_path / "p1" / "in").mkdir(parents=True)
    (tmp_path / "p1" / "in" / "t.jsonl").write_bytes(lines(9))
    for pattern in (place / "*.jsonl", place / "t.jsonl", tmp_path / folder / "**" / "*.jsonl"):
        assert count("json", data_files=str(pattern)) == 2
    assert count("json", data_dir=str(place), data_files="*") == 2
    assert count(str(tmp_path), data_files=f"{folder}/in/*") == 2


def test_splits_of_names_with_newlines(server):
    server.repo("odd/lines", {"a\nb/train/x.jsonl": lines(3), "a\nb/test/y.jsonl": lines(2)})
    assert set(load_dataset("odd/lines", streaming=True)) == {"train", "test"}


# ---------------------------------------------------------------------------------------------------------- object stores


@pytest.fixture(scope="module")
def _moto():
    moto = pytest.importorskip("moto.server")
    made = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def bucket(_moto, server):
    """Puts objects into an S3 that nobody here wrote; gives the options to read them with."""
    boto3 = pytest.importorskip("boto3")
    host, port = _moto.get_host_and_port()
    options = {
        "key": "k",
        "secret": "s",
        "endpoint_url": f"http://{host}:{port}",
        "region": "us-east-1",
        **FAST,
        "timeout": 5,
    }
    client = boto3.client(
        "s3",
        endpoint_url=options["endpoint_url"],
        region_name="us-east-1",
        aws_access_key_id="k",
        aws_secret_access_key="s",
    )
    client.create_bucket(Bucket="odd")

    def put(objects):
        for key, content in objects.items():
            client.put_object(Bucket="odd", Key=key, Body=content)
        return {"storage_options": dict(options)}

    yield put
    for found in client.list_objects_v2(Bucket="odd").get("Contents", []):
        client.delete_object(Bucket="odd", Key=found["Key"])


ODD_KEYS = [
    "of//x.jsonl",
    "of///y.jsonl",
    "of/./x.jsonl",
    "of/../x.jsonl",
    "of/deep/./x.jsonl",
    "of/deep//x.jsonl",
]


@pytest.mark.heavy
@pytest.mark.parametrize("key", ODD_KEYS)
def test_an_odd_key_spoils_nothing(bucket, key):
    options = bucket({key: lines(3), "of/good.jsonl": lines(2), "of/deep/good.jsonl": lines(4)})
    assert count("json", data_files="s3://odd/of/g*.jsonl", **options) == 2
    with pytest.warns(UserWarning, match="odd name"):
        assert count("json", data_files="s3://odd/of/**/*.jsonl", **options) == 6
    with pytest.warns(UserWarning, match="odd name"):
        assert count("s3://odd/of", **options) == 6
    assert rowstream.exists("s3://odd/of", **options)
    assert {"s3://odd/of/good.jsonl", "s3://odd/of/deep/good.jsonl"} <= set(
        rowstream.list("s3://odd/of", **options)
    )


@pytest.mark.heavy
@pytest.mark.parametrize(
    "key", [*(key for key in ODD_KEYS if "/." not in key), "back/a\\b.jsonl", "cc/a::b.jsonl"]
)
def test_an_object_by_its_exact_key(bucket, key):
    # What another way of writing the key would find.
    options = bucket(
        {
            key: lines(3),
            "of/x.jsonl": lines(9),
            "x.jsonl": lines(8),
            "lead/x.jsonl": lines(7),
            "lead.jsonl": lines(6),
        }
    )
    assert count("json", data_files=f"s3://odd/{key}", **options) == 3
    with rowstream.open(f"s3://odd/{key}", "rb", **options) as file:
        assert file.read() == lines(3)


@pytest.mark.heavy
@pytest.mark.parametrize(
    "key", [*(key for key in ODD_KEYS if "/." in key), "/lead/x.jsonl", "//lead.jsonl"]
)
def test_what_cannot_be_asked_for_is_an_error_and_never_another_object(bucket, key):
    options = bucket(
        {
            key: lines(3),
            "of/x.jsonl": lines(9),
            "x.jsonl": lines(8),
            "lead/x.jsonl": lines(7),
            "lead.jsonl": lines(6),
        }
    )
    with pytest.raises(ValueError, match="cannot be asked for"):
        count("json", data_files=f"s3://odd/{key}", **options)


@pytest.mark.heavy
def test_the_mark_of_a_folder_is_no_file(bucket):
    options = bucket(
        {
            "marked/": b"",
            "marked/in/": b"",
            "marked/a.parquet": parquet(10),
            "marked/in/b.parquet": parquet(20),
        }
    )
    assert count("parquet", data_files="s3://odd/marked/**", **options) == 30
    assert rowstream.list("s3://odd/marked", **options) == [
        "s3://odd/marked/a.parquet",
        "s3://odd/marked/in/b.parquet",
    ]


@pytest.mark.heavy
@pytest.mark.parametrize("name", [name for name in NAMES if "\n" not in name])
def test_names_of_objects(bucket, name):
    options = bucket(
        {
            f"set/{name}": lines(3),
            "set/a1.jsonl": lines(1),
            "set/a2.jsonl": lines(1),
            "set/[y]/t.jsonl": lines(5),
        }
    )
    assert count("json", data_files=f"s3://odd/set/{name}", **options) == 3
    assert count("json", data_files="s3://odd/set/[y]/*.jsonl", **options) == 5
    assert count("json", data_files="s3://odd/set/a{1,2}*.jsonl", **options) == 2
    with pytest.raises(DataFilesNotFoundError) as error:
        rowstream.open(f"s3://odd/none/{name}", "rb", **options)
    assert str(error.value).startswith(f"s3://odd/none/{name}: ")
