"""`apply_chat_template`: the texts, ids and masks of transformers, whoever renders, and at every place of a resume."""

from __future__ import annotations

import json
import pickle
from importlib.util import find_spec
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rowstream import (
    Dataset,
    IterableDataset,
    exceptions,
    load_dataset,
    merge_state_dicts,
    split_dataset_by_node,
    write_jsonl,
)
from rowstream.ops.chat import checks, jinja
from rowstream.ops.chat.arguments import chat_step
from rowstream.ops.chat.slow import Slow
from rowstream.ops.chat.step import begin

tokenizers = pytest.importorskip("tokenizers")
transformers = pytest.importorskip("transformers")
pytest.importorskip("jinja2")

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n"
    "{% if m.role == 'assistant' %}{% generation %}{{ m.content }}<|im_end|>{% endgeneration %}\n"
    "{% else %}{{ m.content }}<|im_end|>\n{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
PLAIN = (
    "{{ bos_token }}{%- for message in messages %}\n"
    "    {{- '<|im_start|>' + message['role'] + '\n' + message['content'] | trim + '<|im_end|>\n' }}\n"
    "{%- endfor %}\n{%- if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
TOOLS = """{%- set ns = namespace(first=true, last='') %}
{%- macro shown(tool, indent=2) %}{{ tool.function.name }}: {{ tool | tojson(indent=indent) }}{% endmacro %}
{%- if tools %}Tools:{% for tool in tools %}
- {{ shown(tool) }}{% endfor %}
{% endif %}
{%- for m in messages if m.role != 'system' or loop.first %}
{%- if m.tool_calls is defined %}{% for call in m.tool_calls %}
[{{ call.function.name }}] {{ call.function.arguments | tojson }} {{ call.function['arguments'].items() | list | length }}
{%- for key, value in call.function.arguments.items() %} {{ key }}={{ value }}{% endfor %}{% endfor %}
{%- elif m.content is string %}{{ ns.last }}{{ m.role.upper() }}|{{ m.content.strip().split('\n')[-1] }}
{%- elif m.content is iterable %}{% for part in m.content %}{{ part.text if part.type == 'text' else '<' ~ part.type ~ '>' }}{% endfor %}
{%- else %}{{ raise_exception('no content in message ' ~ loop.index0) }}{% endif %}
{%- set ns.last = m.role ~ ': ' %}
{%- endfor %}"""
THINKING = (
    "{%- for m in messages %}{%- if m.reasoning_content %}<think>{{ m.reasoning_content }}</think>{% endif %}"
    "{{ m.content | default('', true) | replace('a', 'b') }}"
    "{{ m | tojson }}{{ loop.index }}/{{ loop.length }}{% if not loop.last %} {% endif %}{% endfor %}"
)
OWN = {"chatml": CHATML, "plain": PLAIN, "tools": TOOLS, "thinking": THINKING}
SPECIAL = {"bos_token": "<s>", "eos_token": "</s>"}

CALL = {
    "type": "function",
    "function": {"name": "f", "arguments": {"x": 1, "y": [1.5, None, True], "ü": {"k": "v'\"\n"}}},
}
TOOL = {
    "type": "function",
    "function": {
        "name": "f",
        "description": "é <b>",
        "parameters": {"type": "object", "required": []},
    },
}
CHATS = [
    [{"role": "user", "content": "Hi"}],
    [{"role": "system", "content": " You\n "}, {"role": "user", "content": "a\u2028b\x1c "}, {"role": "assistant", "content": "é😀"}],
    [{"role": "user", "content": "1"}, {"role": "assistant", "content": ""}, {"role": "user", "content": "<|im_end|>"}],
    [{"role": "user", "content": "w?"}, {"role": "assistant", "content": None, "tool_calls": [CALL]}, {"role": "tool", "content": "{}"}],
    [{"role": "user", "content": [{"type": "text", "text": "see"}, {"type": "image"}]}],
    [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a", "reasoning": "r", "thinking": None}],
    [{"role": "assistant", "thinking": "t", "content": "first", "reasoning_content": "c"}],
    [{"role": "user", "content": 3.5}, {"role": "user", "content": True}, {"role": "user", "content": 1e16}],
    [{"role": "user", "content": {"items": 1, "b": [2**40, 2**70, "x"]}}],
    [{"role": "user"}],
]  # fmt: skip


def step_of(template, **options):
    given = {
        "tokenizer": None, "tokenize": None, "assistant_mask": False, "add_generation_prompt": False, "tools": None,
        "variables": SPECIAL, "max_length": None, "truncation_side": None, "keep": False, **options,
    }  # fmt: skip
    return chat_step(template, "messages", **given)


def of_transformers(template, messages, *, prompt=False, tools=None):
    """What transformers renders, or `None` where its template refuses."""
    from transformers.utils import chat_template_utils as theirs

    chat = [{name: value for name, value in one.items() if value is not None} for one in messages]
    chat = theirs._alias_reasoning_fields(chat)
    try:
        texts, _ = theirs.render_jinja_template(
            [chat], chat_template=template, tools=tools, documents=None, add_generation_prompt=prompt, **SPECIAL
        )  # fmt: skip
    except Exception:
        return None
    return texts[0]


def texts_of(step, chats):
    """What the core makes of conversations, and what Jinja2 does; `None` where it refuses."""
    core = [None] * len(chats)
    if not step.reasons:
        batches, failed = begin(
            step, step.renderer(), [{"messages": one} for one in chats]
        )._begun.result()
        core = [row["text"] for batch in batches for row in pa.record_batch(batch).to_pylist()]
        assert all(core[row] is None for row, _ in failed)
    slow = []
    for chat in chats:
        try:
            slow.append(Slow.of(step).row(chat, None)["text"])
        except Exception:
            slow.append(None)
    return core, slow


def same_as_transformers(template, chats, **options):
    """Check the texts of both, and return how many the core made."""
    prompt = options.get("add_generation_prompt", False)
    tools = options.get("tools")
    core, slow = texts_of(step_of(template, **options), chats)
    expected = [of_transformers(template, chat, prompt=prompt, tools=tools) for chat in chats]
    assert slow == expected
    for chat, made, text in zip(chats, core, expected, strict=True):
        assert made is None or made == text, chat
    return sum(text is not None for text in core)


@pytest.mark.parametrize("name", OWN)
def test_texts_are_those_of_transformers(name):
    made = sum(
        same_as_transformers(OWN[name], CHATS, add_generation_prompt=prompt, tools=tools)
        for prompt in (False, True)
        for tools in (None, [TOOL])
    )
    assert not step_of(OWN[name]).reasons
    assert made >= {"chatml": 28, "plain": 12, "tools": 20, "thinking": 24}[name]


def real_templates():
    spec = find_spec("trl")
    folder = Path(spec.origin).parent / "chat_templates" if spec else Path("nowhere")
    return sorted(folder.glob("*.jinja"))


def test_real_templates():
    found = real_templates()
    if not found:
        pytest.skip("trl is not installed")
    made, jinja_only = 0, 0
    for path in found:
        template = path.read_text()
        for prompt in (False, True):
            made += same_as_transformers(template, CHATS[:7], add_generation_prompt=prompt)
        jinja_only += bool(step_of(template).reasons)
    assert made > 5 * len(found)
    assert jinja_only <= len(found) // 20


PIECES = st.text(st.sampled_from("aB é\n\t\x1c\x85\u00a0\u2028'\"\\{}<|im_end|>&%1.😀"), max_size=8)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(allow_nan=False), PIECES),
    lambda of: st.one_of(st.lists(of, max_size=3), st.dictionaries(st.sampled_from(["items", "k", "text", "é"]), of, max_size=3)),
    max_leaves=6,
)  # fmt: skip
MESSAGES = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["user", "assistant", "system", "tool"]), "content": st.one_of(PIECES, VALUES)},
        optional={"thinking": VALUES, "tool_calls": VALUES, "name": PIECES},
    ),
    min_size=1,
    max_size=4,
)  # fmt: skip


# A number whose seventeen digits are all needed.
@example(chat=[{"role": "user", "content": 2.3827480266485674e74}], name="chatml", prompt=False)
@settings(max_examples=120, deadline=None)
@given(chat=MESSAGES, name=st.sampled_from(sorted(OWN)), prompt=st.booleans())
def test_any_conversation(chat, name, prompt):
    same_as_transformers(OWN[name], [chat], add_generation_prompt=prompt)


@pytest.mark.parametrize(
    "template",
    [
        "{{ messages[0].content | e }}", "{{ '%s' % messages }}", "{{ messages | map('upper') | join }}{{ messages.count is defined }}",
        "{{ 'a' | safe + messages[0].role }}", "{{ dict(a=1) }}", "{% for m in messages recursive %}{{ m.role }}{% endfor %}",
        "{{ messages[0].role.format() }}", "{{ cycler }}", "{% set range = 1 %}{{ range }}", "{{ '\\a' }}",
        "{% include 'x' %}", "{{ messages | wordcount }}", "{{ [1] ~ 2 }}", "{{ messages is callable }}",
        "{% macro m(a, b=a) %}{{ b }}{% endmacro %}{{ m(1) }}", "{{ namespace is defined }}{{ namespace is string }}{{ [namespace] | length }}", "{{ strftime_now(messages[0].role) }}",
    ],
)  # fmt: skip
def test_what_the_core_does_not_render_is_said(template):
    step = step_of(template)
    assert step.reasons
    ds = Dataset.from_dict({"messages": CHATS[:1]}).to_iterable_dataset()
    assert "in Jinja2, since it" in ds.apply_chat_template(template).explain()
    same_as_transformers(template, CHATS[:3])


@pytest.mark.parametrize(
    "template",
    [
        "{{ range(3) ~ 'a' }}", "{{ 'x' ~ messages[0].items() }}", "{{ messages[0].values() ~ '' }}", "{{ messages ~ nothing }}",
        "{{ ([1] | map('string')) ~ '' }}", "{{ (messages | list | reverse) ~ '' }}", "{{ ['é'] | string ~ messages }}",
        "{{ messages[0].content < 1 }}", "{{ nothing <= 1 }}", "{{ loop.index0 if false }}{{ messages | length > 1 }}",
    ],
)  # fmt: skip
def test_texts_with_what_is_no_text(template):
    import re

    chat = [{"role": "user", "content": "é"}]
    core, slow = texts_of(step_of(template), [chat])
    expected = of_transformers(template, chat)
    # Addresses of generators and views are those of this moment.
    plain = [
        None if text is None else re.sub(r"0x[0-9a-f]+", "", text)
        for text in (core[0], slow[0], expected)
    ]
    assert plain[1] == plain[2]
    assert plain[0] in (None, plain[2])


def test_values_that_are_no_json():
    import datetime as dt
    import decimal

    chat = [
        {
            "role": "user",
            "content": "a",
            "when": dt.date(2020, 1, 1),
            "raw": b"x",
            "d": decimal.Decimal(1),
        }
    ]
    same_as_transformers(THINKING, [chat])
    table = Dataset.from_dict({"messages": [chat]}).to_iterable_dataset()
    assert next(iter(table.apply_chat_template(THINKING)))["text"] == of_transformers(
        THINKING, chat
    )


# Ids and masks


def trained(kind):
    pre, train = tokenizers.pre_tokenizers, tokenizers.trainers
    special = ["<unk>", "<s>", "</s>", "<|im_start|>", "<|im_end|>"]
    if kind == "bytes":
        made = tokenizers.Tokenizer(tokenizers.models.BPE())
        made.pre_tokenizer = pre.ByteLevel(add_prefix_space=False)
        made.normalizer = tokenizers.normalizers.NFC()
        trainer = train.BpeTrainer(
            vocab_size=420, special_tokens=special, initial_alphabet=pre.ByteLevel.alphabet()
        )
    else:
        made = tokenizers.Tokenizer(tokenizers.models.BPE(byte_fallback=True, unk_token="<unk>"))
        made.normalizer = tokenizers.normalizers.Replace(" ", "▁")
        trainer = train.BpeTrainer(
            vocab_size=600, special_tokens=[*special, *(f"<0x{i:02X}>" for i in range(256))]
        )
    made.train_from_iterator(["the user says hello\nassistant  answers é <|im_end|>"] * 3, trainer)
    if kind == "bytes":
        made.post_processor = tokenizers.processors.ByteLevel(trim_offsets=True)
    decode = tokenizers.decoders
    made.decoder = (
        decode.ByteLevel()
        if kind == "bytes"
        else decode.Sequence([decode.Replace("▁", " "), decode.ByteFallback(), decode.Fuse()])
    )
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=made,
        unk_token="<unk>",
        bos_token="<s>",
        eos_token="<|im_end|>",
        chat_template=CHATML,
    )


@pytest.fixture(scope="module", params=["bytes", "fallback"])
def tokenizer(request):
    return trained(request.param)


ANSWERS = [chat for chat in CHATS if all(isinstance(one.get("content"), str) for one in chat)]


def of_tokenizer(tokenizer, chat, **options):
    made = tokenizer.apply_chat_template(
        chat, tokenize=True, return_dict=True, return_assistant_tokens_mask=True, **options
    )
    return {"input_ids": made["input_ids"], "assistant_masks": made["assistant_masks"]}


def chats(rows=60):
    return [
        [
            {"role": "user", "content": f"say  {i} é"},
            {"role": "assistant", "content": f" hello\n {'x ' * (i % 5)}"},
        ]
        + [{"role": "user", "content": "go on"}, {"role": "assistant", "content": "😀"}] * (i % 3)
        for i in range(rows)
    ]


def test_ids_and_masks_are_those_of_transformers(tokenizer):
    data = chats() + ANSWERS
    expected = [of_tokenizer(tokenizer, chat) for chat in data]
    table = Dataset.from_dict({"messages": data})
    stream = table.to_iterable_dataset(5)
    found = {
        "stream": list(stream.apply_chat_template(tokenizer, assistant_mask=True)),
        "after a function": list(
            stream.map(lambda row: row).apply_chat_template(tokenizer, assistant_mask=True)
        ),
        "table": table.apply_chat_template(tokenizer, assistant_mask=True).to_list(),
    }
    for name, rows in found.items():
        assert rows == expected, name
    packed = stream.apply_chat_template(tokenizer, assistant_mask=True).pack(64, "wrapped")
    for name in ("input_ids", "assistant_masks"):
        whole = [value for row in packed for value in row[name].tolist()]
        assert whole == [value for row in expected for value in row[name]]
    for side in ("left", "right"):
        cut = stream.apply_chat_template(
            tokenizer, assistant_mask=True, max_length=9, truncation_side=side
        )
        part = slice(9) if side == "right" else slice(-9, None)
        assert list(cut) == [{name: of[part] for name, of in row.items()} for row in expected]


def test_masks_by_turns_are_those_of_conversations():
    from rowstream.chat import Conversation

    made = trained("bytes")
    made.chat_template = PLAIN.replace("{{ bos_token }}", "")
    data = chats(20)
    ds = Dataset.from_dict({"messages": data}).to_iterable_dataset()
    for assistant_mask in (True, "turns"):
        for row, chat in zip(
            ds.apply_chat_template(made, assistant_mask=assistant_mask), data, strict=True
        ):
            of = Conversation(chat).to_supervised(made)
            assert row["input_ids"] == of["input_ids"]
            assert row["assistant_masks"] == [int(weight) for weight in of["loss_weights"]]
    slow = trained("fallback")
    slow.chat_template = made.chat_template
    assert "in Python" in ds.apply_chat_template(slow, assistant_mask=True).explain()
    for row, chat in zip(ds.apply_chat_template(slow, assistant_mask=True), data, strict=True):
        weights = Conversation(chat).to_supervised(slow)["loss_weights"]
        assert row["assistant_masks"] == [int(weight) for weight in weights]


@settings(max_examples=80, deadline=None)
@given(texts=st.lists(PIECES, min_size=1, max_size=4))
def test_any_masks(texts):
    made = MADE.setdefault("bytes", trained("bytes"))
    chat = [
        {"role": "assistant" if i % 2 else "user", "content": text} for i, text in enumerate(texts)
    ]
    ds = IterableDataset.from_list([{"messages": chat}])
    assert list(ds.apply_chat_template(made, assistant_mask=True)) == [of_tokenizer(made, chat)]


MADE: dict[str, object] = {}


# Streams


def test_a_state_is_exact_after_each_row(tmp_path):
    made = trained("bytes")
    write_jsonl(
        tmp_path / "chats.jsonl", [{"n": i, "messages": chat} for i, chat in enumerate(chats(150))]
    )

    def opened():
        ds = load_dataset(
            "json", data_files=str(tmp_path / "chats.jsonl"), split="train", streaming=True
        )
        return ds.shuffle(seed=2, buffer_size=20).apply_chat_template(made, assistant_mask=True)

    whole = list(opened())
    assert sorted(row["n"] for row in whole) == [*range(150)]
    for at in (0, 1, 63, 64, 65, 149):
        ds = opened()
        rows = iter(ds)
        assert [next(rows) for _ in range(at)] == whole[:at]
        again = opened()
        again.load_state_dict(json.loads(json.dumps(ds.state_dict())))
        assert list(again) == whole[at:]
    parts = [split_dataset_by_node(opened(), rank, 3) for rank in range(3)]
    seen = []
    for rank, part in enumerate(parts):
        rows = iter(part)
        seen += [next(rows)["n"] for _ in range(10 * rank)]
    state = merge_state_dicts(part.state_dict() for part in parts)
    for rank in range(2):
        part = split_dataset_by_node(opened(), rank, 2)
        part.load_state_dict(state)
        seen += [row["n"] for row in part]
    assert sorted(seen) == [*range(150)]
    # Tables for the next step, cut at other places than the renderer's lists.
    for size in (7, 64, 100):
        packed = [row["input_ids"].tolist() for row in opened().pack(40, "bfd", batch_size=size)]
        for at in (1, 20):
            ds = opened().pack(40, "bfd", batch_size=size)
            rows = iter(ds)
            for _ in range(at):
                next(rows)
            again = opened().pack(40, "bfd", batch_size=size)
            again.load_state_dict(ds.state_dict())
            assert [row["input_ids"].tolist() for row in again] == packed[at:]


def test_columns_and_types():
    ds = Dataset.from_dict(
        {"messages": [*CHATS[:1], None], "tools": [json.dumps([TOOL]), None], "n": [1, 2]}
    ).map(lambda row: {"tools": row["tools"] and json.loads(row["tools"])})
    stream = ds.to_iterable_dataset()
    made = stream.apply_chat_template(TOOLS, tools="tools")
    assert made.column_names == ["n", "text"]
    assert str(made.features["text"].dtype) == "string"
    first, second = made
    assert first["text"] == of_transformers(TOOLS, CHATS[0], tools=ds[0]["tools"])
    assert second == {"n": 2, "text": None}
    assert ds.apply_chat_template(TOOLS, tools="tools").to_list() == [first, second]
    kept = stream.apply_chat_template(TOOLS, keep=True)
    assert kept.column_names == ["messages", "tools", "n", "text"]
    tokens = trained("bytes")
    assert [*stream.apply_chat_template(tokens).features] == ["tools", "n", "input_ids"]
    assert stream.apply_chat_template(tokens, tokenize=False).column_names == ["tools", "n", "text"]
    again = pickle.loads(pickle.dumps(made))
    assert list(again) == [first, second]


def test_templates_come_from_files(tmp_path):
    made = trained("bytes")
    made.save_pretrained(tmp_path / "model")
    ds = Dataset.from_dict({"messages": chats(3)}).to_iterable_dataset()
    expected = list(ds.apply_chat_template(made, assistant_mask=True))
    assert list(ds.apply_chat_template(tmp_path / "model", assistant_mask=True)) == expected
    (tmp_path / "own.jinja").write_text(CHATML)
    own = ds.apply_chat_template(
        tmp_path / "own.jinja", tokenizer=made, assistant_mask="generation"
    )
    assert list(own) == expected
    backend = tokenizers.Tokenizer.from_str(made.backend_tokenizer.to_str())
    assert list(ds.apply_chat_template(CHATML, tokenizer=backend, assistant_mask=True)) == expected


def test_what_cannot_be():
    ds = Dataset.from_dict({"messages": chats(3), "text": ["a"] * 3}).to_iterable_dataset()
    invalid = exceptions.InvalidArgumentError
    for match, call in {
        "no column": lambda: ds.apply_chat_template(CHATML, "chats"),
        "'text' already": lambda: ds.apply_chat_template(CHATML),
        "needs tokenizer=": lambda: ds.apply_chat_template(CHATML, tokenize=True),
        "of token ids": lambda: ds.apply_chat_template(CHATML, assistant_mask=True),
        "no blocks": lambda: ds.apply_chat_template(
            PLAIN, tokenizer=trained("bytes"), assistant_mask="generation"
        ),
        "expected the source": lambda: ds.apply_chat_template(3),
        "max_length": lambda: ds.apply_chat_template(trained("bytes"), max_length=0),
        "truncation_side": lambda: ds.apply_chat_template(trained("bytes"), truncation_side="up"),
        "assistant_mask is": lambda: ds.apply_chat_template(trained("bytes"), assistant_mask="all"),
    }.items():
        with pytest.raises(invalid, match=match):
            call()
    with pytest.raises(invalid, match="is no template"):
        ds.apply_chat_template("{% for %}")
    with pytest.raises(exceptions.UnsupportedError, match="before batch"):
        ds.batch(2).apply_chat_template(CHATML)
    with pytest.raises(FileNotFoundError):
        ds.apply_chat_template("nowhere.jinja")
    refused = "{{ raise_exception('only two turns') }}"
    with pytest.raises(invalid, match="only two turns"):
        list(ds.remove_columns("text").apply_chat_template(refused))
    bad = Dataset.from_dict({"messages": [[], [{"role": "user", "content": "a"}]]})
    with pytest.raises(invalid, match="has no messages"):
        list(bad.to_iterable_dataset().apply_chat_template(CHATML))
    turns = "{% for m in messages | reverse %}{{ m.content }}{% endfor %}"
    with pytest.raises(invalid, match="generation prompt of its own"):
        list(
            ds.remove_columns("text").apply_chat_template(
                turns, tokenizer=trained("bytes"), assistant_mask="turns"
            )
        )
    assert checks.formats_of_time("{{ strftime_now('%Y') }}", jinja.environment()) == ["%Y"]
