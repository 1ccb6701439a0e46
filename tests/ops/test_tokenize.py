"""`tokenize`: the ids of `tokenizers` 0.23, in streams and tables, at every place of a resume."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rowstream import (
    Dataset,
    DatasetDict,
    Features,
    List,
    Value,
    concatenate_datasets,
    exceptions,
    load_dataset,
    write_jsonl,
)
from rowstream.distributed import split_dataset_by_node

tokenizers = pytest.importorskip("tokenizers")

TEXTS = [
    "",
    " ",
    "the cat  sat on\tthe mat\n\n",
    "Don't you'll I've HE'S",
    "naïve café 数学 日本語 😀👩‍👩‍👧 e\u0301",
    "x=1; y += 22333 # 1,000.50",
    "<s> [CLS] not <unk> special </s><s>",
    "a" * 300,
    "\u200b\ufeff\x00\x07 controls",
    "ÀÉÎÕÜ ﬁ ½ Ⅳ \uff46\uff55\uff4c\uff4c",
    "مرحبا بالعالم שלום नमस्ते",
]


def trained(kind):
    """A tokenizer of one kind, trained on a few texts."""
    of, pre, norm = tokenizers.models, tokenizers.pre_tokenizers, tokenizers.normalizers
    train, process = tokenizers.trainers, tokenizers.processors
    special = ["<unk>", "<s>", "</s>", "[CLS]", "[SEP]"]
    if kind == "byte-level":
        made = tokenizers.Tokenizer(of.BPE())
        made.pre_tokenizer = pre.ByteLevel(add_prefix_space=False)
        trainer = train.BpeTrainer(
            vocab_size=400, special_tokens=special, initial_alphabet=pre.ByteLevel.alphabet()
        )
    elif kind == "fallback":
        made = tokenizers.Tokenizer(of.BPE(byte_fallback=True, unk_token="<unk>"))
        made.normalizer = norm.Sequence([norm.Prepend("▁"), norm.Replace(" ", "▁")])
        trainer = train.BpeTrainer(
            vocab_size=600, special_tokens=[*special, *(f"<0x{i:02X}>" for i in range(256))]
        )
    elif kind == "wordpiece":
        made = tokenizers.Tokenizer(of.WordPiece(unk_token="<unk>"))
        made.normalizer, made.pre_tokenizer = norm.BertNormalizer(), pre.BertPreTokenizer()
        trainer = train.WordPieceTrainer(vocab_size=300, special_tokens=special)
    elif kind == "unigram":
        made = tokenizers.Tokenizer(of.Unigram())
        made.normalizer = norm.NFKC()
        made.pre_tokenizer = pre.Metaspace()
        trainer = train.UnigramTrainer(
            vocab_size=200, special_tokens=special, unk_token="<unk>", show_progress=False
        )
    else:
        made = tokenizers.Tokenizer(of.WordLevel(unk_token="<unk>"))
        made.normalizer = norm.Sequence([norm.NFD(), norm.StripAccents(), norm.Lowercase()])
        made.pre_tokenizer = pre.Whitespace()
        trainer = train.WordLevelTrainer(vocab_size=200, special_tokens=special)
    trainer.show_progress = False
    made.train_from_iterator(TEXTS * 3, trainer)
    options = {"normalized": kind != "unigram"}
    made.add_tokens(
        [
            tokenizers.AddedToken("the cat", **options),
            tokenizers.AddedToken("22333", **options),
        ]
    )
    if kind in ("wordpiece", "byte-level"):
        made.post_processor = process.TemplateProcessing(
            single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 3), ("[SEP]", 4)]
        )
    return made


KINDS = ["byte-level", "fallback", "wordpiece", "unigram", "wordlevel"]
MADE = {kind: trained(kind) for kind in KINDS}


def ids(tokenizer, texts, **options):
    return [tokenizer.encode(text, **options).ids for text in texts]


def stream(texts):
    return Dataset.from_dict({"n": [*range(len(texts))], "text": texts}).to_iterable_dataset()


def found(ds):
    return [row["input_ids"] for row in ds]


@pytest.mark.parametrize("kind", KINDS)
def test_ids_are_those_of_tokenizers(kind):
    made = MADE[kind]
    assert found(stream(TEXTS).tokenize(made)) == ids(made, TEXTS)
    plain = stream(TEXTS).tokenize(made, add_special_tokens=False)
    assert found(plain) == ids(made, TEXTS, add_special_tokens=False)
    table = Dataset.from_dict({"text": TEXTS}).tokenize(made)
    assert table["input_ids"][:] == ids(made, TEXTS)


@settings(max_examples=40)
@given(st.lists(st.text(max_size=60), min_size=1, max_size=8))
@pytest.mark.parametrize("kind", KINDS)
def test_any_text_has_the_ids_of_tokenizers(kind, texts):
    made = MADE[kind]
    assert found(stream(texts).tokenize(made)) == ids(made, texts)


@pytest.mark.parametrize("side", ["left", "right"])
def test_long_texts_are_cut(side):
    made = tokenizers.Tokenizer.from_str(MADE["wordpiece"].to_str())
    cut = stream(TEXTS).tokenize(made, max_length=7, truncation_side=side)
    # What the tokenizer says itself, unless something else is asked for.
    made.enable_truncation(7, direction=side)
    made.enable_padding(length=9)
    want = [
        [i for i, there in zip(of.ids, of.attention_mask, strict=True) if there]
        for of in map(made.encode, TEXTS)
    ]
    assert found(cut) == want == found(stream(TEXTS).tokenize(made))
    assert max(map(len, want)) == 7


def test_columns_and_types(tmp_path):
    path = tmp_path / "tokenizer.json"
    MADE["byte-level"].save(str(path))
    ds = stream(TEXTS)
    for tokenizer in (path, str(path), tmp_path):
        made = ds.tokenize(tokenizer, "text")
        assert made.features == Features({"n": Value("int64"), "input_ids": List(Value("int32"))})
    kept = ds.tokenize(path, output="ids", keep=True)
    assert kept.column_names == ["n", "text", "ids"]
    row = next(iter(kept.rename_column("ids", "tokens").select_columns(["tokens", "text"])))
    assert row == {"tokens": MADE["byte-level"].encode("").ids, "text": ""}
    both = kept.tokenize(MADE["wordpiece"], output="others")
    assert both.column_names == ["n", "ids", "others"]
    assert [row["others"] for row in both] == ids(MADE["wordpiece"], TEXTS)
    assert [row["ids"] for row in both] == ids(MADE["byte-level"], TEXTS)
    in_place = ds.tokenize(path, output="text")
    assert [row["text"] for row in in_place] == ids(MADE["byte-level"], TEXTS)
    assert found(ds.tokenize(path).filter(lambda row: len(row["input_ids"]) < 5)) == [
        one for one in ids(MADE["byte-level"], TEXTS) if len(one) < 5
    ]


def test_nulls_and_no_rows():
    made = MADE["unigram"]
    ds = Dataset.from_dict({"text": ["a", None, ""]})
    want = [made.encode("a").ids, None, made.encode("").ids]
    assert found(ds.to_iterable_dataset().tokenize(made)) == want
    assert ds.tokenize(made)["input_ids"][:] == want
    none = Dataset.from_dict({"text": []}, features=Features({"text": Value("string")}))
    assert found(none.to_iterable_dataset().tokenize(made)) == []
    assert none.tokenize(made).features["input_ids"] == List(Value("int32"))
    both = DatasetDict({"train": ds, "test": ds}).tokenize(made)
    assert both["test"]["input_ids"][:] == want


def test_behind_functions_and_beside_others():
    made = MADE["byte-level"]
    upper = stream(TEXTS).map(lambda row: {**row, "text": row["text"].upper()})
    want = ids(made, [text.upper() for text in TEXTS])
    assert found(upper.tokenize(made)) == want
    assert [*next(iter(upper.tokenize(made, keep=True)))] == ["n", "text", "input_ids"]
    lengths = stream(TEXTS).tokenize(made).map(lambda row: {"length": len(row["input_ids"])})
    assert [row["length"] for row in lengths] == [*map(len, ids(made, TEXTS))]
    # Streams with and without the step are not read as one.
    other = MADE["wordpiece"]
    joined = concatenate_datasets(
        [stream(TEXTS).tokenize(made), stream(TEXTS).tokenize(other), stream(TEXTS)]
    )
    rows = list(joined)
    n = len(TEXTS)
    assert [row["input_ids"] for row in rows[: 2 * n]] == ids(made, TEXTS) + ids(other, TEXTS)
    assert [row["text"] for row in rows[2 * n :]] == TEXTS


@pytest.fixture(scope="module")
def lines(tmp_path_factory):
    path = tmp_path_factory.mktemp("texts") / "a.jsonl"
    write_jsonl(path, [{"n": i, "text": f"{TEXTS[i % 11]} {i}"} for i in range(3000)])
    return str(path)


@pytest.mark.parametrize("behind", [False, True])
@pytest.mark.parametrize("shuffled", [False, True])
def test_a_resume_goes_on_at_the_next_row(lines, shuffled, behind):
    def made():
        ds = load_dataset("json", data_files=lines, split="train", streaming=True)
        ds = ds.shuffle(seed=5, buffer_size=300) if shuffled else ds
        ds = ds.map(lambda row: row) if behind else ds
        return ds.tokenize(MADE["byte-level"], max_length=20)

    whole = list(made())
    assert sorted(row["n"] for row in whole) == [*range(3000)]
    for stop in (1, 700, 2999, 3000):
        ds = made()
        rows = iter(ds)
        given = [next(rows) for _ in range(stop)]
        state = pickle.loads(pickle.dumps(ds.state_dict()))
        again = pickle.loads(pickle.dumps(made())) if not behind else made()
        again.load_state_dict(state)
        assert given + list(again) == whole
    parts = [list(split_dataset_by_node(made(), i, 3)) for i in range(3)]
    assert sorted(row["n"] for part in parts for row in part) == [*range(3000)]


def test_batches(lines):
    np = pytest.importorskip("numpy")
    ds = load_dataset("json", data_files=lines, split="train", streaming=True)
    ds = ds.tokenize(MADE["wordpiece"])
    rows = found(ds)
    at = 0
    for batch in ds.with_format("numpy").iter(batch_size=700):
        assert all(
            np.array_equal(a, b) for a, b in zip(batch["input_ids"], rows[at:], strict=False)
        )
        assert batch["input_ids"][0].dtype == np.int64
        at += len(batch["input_ids"])
    assert at == 3000
    arrow = next(iter(ds.with_format("arrow").iter(batch_size=10)))
    assert arrow["input_ids"].to_pylist() == rows[:10]


def test_tables_are_encoded_once(lines, tmp_path):
    ds = load_dataset("json", data_files=lines, split="train", cache_dir=str(tmp_path))
    first = ds.tokenize(MADE["byte-level"])
    again = ds.tokenize(tokenizers.Tokenizer.from_str(MADE["byte-level"].to_str()))
    assert first._fingerprint == again._fingerprint
    assert ds.tokenize(MADE["wordpiece"])._fingerprint != first._fingerprint
    assert ds.tokenize(MADE["byte-level"], max_length=3)._fingerprint != first._fingerprint
    assert first.cache_files == again.cache_files
    formatted = ds.with_format("numpy", columns=["n", "text"]).tokenize(MADE["byte-level"])
    assert formatted.format["type"] == "numpy"
    assert formatted.format["columns"] == ["n", "input_ids"]


def test_a_tokenizer_of_transformers(tmp_path):
    transformers = pytest.importorskip("transformers")
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=MADE["wordpiece"], truncation_side="left", pad_token="<unk>"
    )
    want = fast(TEXTS)["input_ids"]
    fast(TEXTS, truncation=True, max_length=4, padding="max_length")
    # What the last call asked for is not what this one does.
    assert found(stream(TEXTS).tokenize(fast)) == want
    cut = fast(TEXTS, truncation=True, max_length=6)["input_ids"]
    assert found(stream(TEXTS).tokenize(fast, max_length=6)) == cut


def test_what_cannot_be(tmp_path):
    ds, made = stream(TEXTS), MADE["byte-level"]
    for message, kind, call in [
        ("no column 'other'", exceptions.InvalidArgumentError, lambda: ds.tokenize(made, "other")),
        ("where texts are", exceptions.SchemaError, lambda: ds.tokenize(made, "n")),
        ("'n' already", exceptions.InvalidArgumentError, lambda: ds.tokenize(made, output="n")),
        (
            "from 1 on",
            exceptions.InvalidArgumentError,
            lambda: ds.tokenize(made, max_length=0),
        ),
        (
            '"left" or "right"',
            exceptions.InvalidArgumentError,
            lambda: ds.tokenize(made, truncation_side="middle"),
        ),
        ("a tokenizer is", exceptions.InvalidArgumentError, lambda: ds.tokenize(len)),
        ("before batch", exceptions.UnsupportedError, lambda: ds.batch(2).tokenize(made)),
    ]:
        with pytest.raises(kind, match=message):
            call()
    with pytest.raises(exceptions.DataFilesNotFoundError):
        ds.tokenize(tmp_path / "none.json")
    (tmp_path / "bad.json").write_text('{"model": {"type": "New"}}')
    with pytest.raises(exceptions.UnsupportedError, match="cannot be read"):
        ds.tokenize(tmp_path / "bad.json")
    # The one kind of tokenizer known to have other ids in the core.
    other = tokenizers.Tokenizer.from_str(MADE["unigram"].to_str())
    other.add_tokens([tokenizers.AddedToken("cat", normalized=True)])
    with pytest.raises(exceptions.UnsupportedError, match=r"\"cat\" is normalized"):
        ds.tokenize(other)
    odd = ds.map(lambda row: {"text": 3}).tokenize(made)
    with pytest.raises(exceptions.SchemaError, match="has int"):
        next(iter(odd))


def test_patterns_that_the_core_lacks_are_refused_at_once():
    made = tokenizers.Tokenizer(tokenizers.models.WordLevel({"a": 0}, unk_token="a"))
    pattern = tokenizers.Regex(r" ?[^(\s|[.,!?])]+")
    made.pre_tokenizer = tokenizers.pre_tokenizers.Split(pattern, "isolated")
    with pytest.raises(exceptions.UnsupportedError, match="regular expression"):
        Dataset.from_dict({"text": ["a b"]}).tokenize(made)


@pytest.mark.parametrize("word", ["é", "the"])
def test_single_words_are_refused(word):
    made = tokenizers.Tokenizer(tokenizers.models.WordLevel({"x": 0, "?": 1}, unk_token="?"))
    made.add_special_tokens([tokenizers.AddedToken(word, single_word=True)])
    with pytest.raises(exceptions.UnsupportedError, match="single word"):
        Dataset.from_dict({"text": ["éé"]}).tokenize(made)


@pytest.mark.parametrize(
    ("side", "expected"), [(None, [2, 3]), ("left", [2, 3]), ("right", [0, 2])]
)
def test_the_side_that_a_tokenizer_cuts(side, expected):
    made = tokenizers.Tokenizer(
        tokenizers.models.WordLevel({"x": 0, "?": 1, "y": 2, "z": 3}, unk_token="?")
    )
    made.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    made.enable_truncation(2, direction="left")
    ds = Dataset.from_dict({"text": ["x y z"]}).tokenize(made, truncation_side=side)
    assert ds[0]["input_ids"] == expected


def test_a_vocabulary_without_words_is_refused():
    made = tokenizers.Tokenizer(tokenizers.models.BPE())
    with pytest.raises(exceptions.UnsupportedError, match="cannot be read"):
        Dataset.from_dict({"text": ["a b"]}).tokenize(made)
