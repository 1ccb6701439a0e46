"""Conversations of every layout, and what a model learns from them."""

from __future__ import annotations

import pickle

import pytest
from rowstream import Dataset, exceptions
from rowstream.chat import (
    Comparison,
    Conversation,
    Message,
    comparison,
    conversation,
    list_layouts,
    register_layout,
)

TALK = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Hi"},
    {"role": "assistant", "content": "Hello."},
    {"role": "user", "content": "Bye"},
    {"role": "assistant", "content": "Bye."},
]
SHARED = [
    {"from": {"user": "human", "assistant": "gpt"}.get(m["role"], m["role"]), "value": m["content"]}
    for m in TALK
]
SAID = "\n\nHuman: Hi\n\nAssistant: Hello.\n\nHuman: Bye\n\nAssistant: "
USER, ANSWER = {"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}
OTHER = {"role": "assistant", "content": "b"}


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"messages": TALK}, TALK),
        ({"conversations": SHARED}, TALK),
        ({"conversations": SHARED[1:], "system": "Be brief."}, TALK),
        ({"text": SAID + "Bye."}, TALK[1:]),
        ({"prompt": "q", "completion": "a"}, [USER, ANSWER]),
        ({"question": "q", "answer": "a"}, [USER, ANSWER]),
        ({"instruction": "q", "input": "", "output": "a"}, [USER, ANSWER]),
        (
            {"instruction": "x", "input": "y", "output": "a"},
            [{**USER, "content": "x\n\ny"}, ANSWER],
        ),
        ({"prompt": [USER], "completion": [ANSWER]}, [USER, ANSWER]),
        ({"messages": TALK, "prompt": "Hi", "prompt_id": "7"}, TALK),
    ],
)
@pytest.mark.parametrize("source", ["dict", "dataset", "stream"])
def test_conversations_of_every_layout(row, expected, source):
    if source != "dict":
        ds = Dataset.from_list([row])
        row = next(iter(ds if source == "dataset" else ds.to_iterable_dataset()))
    assert conversation(row).to_messages() == expected


@pytest.mark.parametrize(
    ("row", "prompt", "chosen", "rejected", "strength"),
    [
        ({"chosen": SAID + "x", "rejected": SAID + "y"}, TALK[1:4], "x", "y", None),
        ({"prompt": "q", "chosen": "a", "rejected": "b"}, [USER], "a", "b", None),
        ({"chosen": [USER, ANSWER], "rejected": [USER, OTHER]}, [USER], "a", "b", None),
        (
            {"prompt": "q", "chosen": [USER, ANSWER], "rejected": [USER, OTHER]},
            [USER],
            "a",
            "b",
            None,
        ),
        ({"prompt": [USER], "chosen": [ANSWER], "rejected": [OTHER]}, [USER], "a", "b", None),
        ({"prompt": "q", "chosen": "a", "rejected": "a"}, [USER], "a", "a", None),
        (
            {
                "prompt": "q",
                "chosen": "a",
                "rejected": "b",
                "score_chosen": 8,
                "score_rejected": 5.5,
            },
            [USER],
            "a",
            "b",
            2.5,
        ),
        (
            {
                "prompt": "q",
                "chosen": "b",
                "rejected": "a",
                "score_chosen": 5.5,
                "score_rejected": 8,
            },
            [USER],
            "a",
            "b",
            2.5,
        ),
        (
            {"context": [USER], "response1": "a", "response2": "b", "overall_preference": -3},
            [USER],
            "a",
            "b",
            3,
        ),
        (
            {"context": [USER], "response1": "b", "response2": "a", "overall_preference": 1},
            [USER],
            "a",
            "b",
            1,
        ),
        (
            {"prompt": "q", "response1": "a", "response2": "b", "overall_preference": 0},
            [USER],
            "a",
            "b",
            0,
        ),
        (
            {
                "conversation_a": [USER, OTHER],
                "conversation_b": [USER, ANSWER],
                "winner": "model_b",
            },
            [USER],
            "a",
            "b",
            None,
        ),
        (
            {
                "conversation_a": [USER, ANSWER],
                "conversation_b": [USER, OTHER],
                "winner": "tie (bothbad)",
            },
            [USER],
            "a",
            "b",
            0,
        ),
    ],
)
def test_comparisons_of_every_layout(row, prompt, chosen, rejected, strength):
    pair = comparison(next(iter(Dataset.from_list([row]))))
    found = pair.to_dict()
    assert found["prompt"] == prompt
    assert [m.content for m in pair.chosen] == [chosen]
    assert [m.content for m in pair.rejected] == [rejected]
    assert pair.strength == strength
    assert pair.is_tie == (strength == 0)


def test_what_else_a_row_has_is_kept():
    assert conversation({"messages": TALK, "source": "me"}).metadata == {"source": "me"}
    tool = {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}], "name": None}
    talk = Conversation([USER, tool, {"role": "tool", "content": "7", "tool_call_id": "1"}])
    assert talk.to_messages()[1:] == [
        {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]},
        {"role": "tool", "content": "7", "tool_call_id": "1"},
    ]
    assert (
        Message("user", [{"type": "image"}, {"type": "text", "text": "?"}]).content[0]["type"]
        == "image"
    )
    assert len({Message("user", "a"), Message("human", "a"), Message("user", "b")}) == 2


def test_what_is_no_conversation_says_why():
    for call, match in [
        (lambda: Message("someone", "x"), "no role 'someone'; known are system"),
        (lambda: Message("user", None), "content None"),
        (lambda: Message("user", 7), "content 7"),
        (lambda: Message.of("hi"), "found 'hi'"),
        (lambda: Conversation([]), "at least one"),
        (lambda: Comparison([], [], [ANSWER]), "no chosen"),
        (lambda: Comparison([], [ANSWER], [OTHER], -1), "strength -1"),
        (lambda: conversation({"a": 1}), r"row of \['a'\] has none of the layouts"),
        (lambda: conversation({"chosen": "a", "rejected": "b"}), "by comparison"),
        (lambda: comparison({"messages": TALK}), "by conversation"),
        (lambda: conversation({"messages": TALK}, layout="x"), "no layout 'x'"),
        (lambda: conversation({"messages": TALK}, layout="sharegpt"), "has not the layout"),
        (lambda: conversation({"text": "hello"}, layout="transcript"), "has not the layout"),
        (
            lambda: comparison({"conversation_a": [USER], "conversation_b": [USER], "winner": "c"}),
            "no winner 'c'",
        ),
        (
            lambda: Conversation([Message("user", [{"type": "image"}])]).to_chatml(),
            "message 0 is not only a text",
        ),
    ]:
        with pytest.raises(exceptions.InvalidArgumentError, match=match):
            call()


SYSTEM = {"role": "system", "content": "s"}
TOOL = {"role": "tool", "content": "7"}


@pytest.mark.parametrize(
    ("row", "prompt", "chosen", "rejected"),
    [
        # Answers of several messages that begin alike keep their prompt.
        (
            {"prompt": [USER], "chosen": [ANSWER, TOOL, ANSWER], "rejected": [ANSWER, TOOL, OTHER]},
            [USER, ANSWER, TOOL],
            [ANSWER],
            [OTHER],
        ),
        (
            {"prompt": [SYSTEM, USER], "chosen": [USER, ANSWER], "rejected": [USER, OTHER]},
            [SYSTEM, USER],
            [ANSWER],
            [OTHER],
        ),
        (
            {"prompt": "q", "chosen": [SYSTEM, USER, ANSWER], "rejected": [SYSTEM, USER, OTHER]},
            [SYSTEM, USER],
            [ANSWER],
            [OTHER],
        ),
        (
            {"system": "s", "question": "q", "chosen": "a", "rejected": "b"},
            [SYSTEM, USER],
            [ANSWER],
            [OTHER],
        ),
        (
            {"instruction": "q", "prompt": None, "chosen": "a", "rejected": "b"},
            [USER],
            [ANSWER],
            [OTHER],
        ),
        (
            {"prompt": "\n\nHuman: q\n\nAssistant:", "chosen": "a", "rejected": "b"},
            [USER],
            [ANSWER],
            [OTHER],
        ),
        (
            {"chosen": "\nHuman: q\n\nAssistant: a", "rejected": "Human: q\n\nAssistant: b"},
            [USER],
            [ANSWER],
            [OTHER],
        ),
        # One ends with the question.
        (
            {"chosen": SAID + "x\n\nHuman: q\n\nAssistant: a", "rejected": SAID + "x\n\nHuman: q"},
            [*TALK[1:4], {"role": "assistant", "content": "x"}, USER],
            [ANSWER],
            [{"role": "assistant", "content": ""}],
        ),
        ({"chosen": SAID + "a", "rejected": SAID + "a"}, TALK[1:4], [ANSWER], [ANSWER]),
        (
            {
                "instruction": "q",
                "chosen_response": "a",
                "rejected_response": "b",
                "chosen_avg_rating": 1.0,
                "rejected_avg_rating": 2.0,
            },
            [USER],
            [OTHER],
            [ANSWER],
        ),
        (
            {
                "conversation_a": [
                    {"role": "user", "content": [{"type": "text", "text": "q", "image": None}]},
                    {"role": "assistant", "content": [{"type": "text", "text": None}]},
                ],
                "conversation_b": [
                    {"role": "user", "content": [{"type": "text", "text": "q", "image": None}]},
                    ANSWER,
                ],
                "winner": "both_bad",
            },
            [USER],
            [{"role": "assistant", "content": ""}],
            [ANSWER],
        ),
    ],
)
def test_prompts_of_comparisons(row, prompt, chosen, rejected):
    found = comparison(row)
    assert found.to_dict() == {"prompt": prompt, "chosen": chosen, "rejected": rejected}
    assert comparison(found.to_dict()).to_dict() == found.to_dict()


def test_fields_that_are_used_are_the_only_ones_that_go():
    row = {"question": "q", "input": "CTX", "answer": "a"}
    assert conversation(row).metadata == {"input": "CTX"}
    assert conversation({"instruction": "q", "input": "i", "output": "a"}).metadata == {}
    assert conversation({"prompt": "q", "completion": None, "response": "a"})[1].content == "a"
    swapped = comparison(
        {"prompt": "q", "chosen": "a", "rejected": "b", "score_chosen": 1, "score_rejected": 2}
    )
    assert swapped.metadata == {"swapped": True}
    lone = comparison({"prompt": "q", "chosen": "a", "rejected": "b", "score_chosen": 1})
    assert lone.metadata == {"score_chosen": 1}


def test_messages_of_other_libraries():
    import numpy as np

    assert conversation({"messages": np.array(TALK, dtype=object)}).to_messages() == TALK
    call = {"role": "assistant", "content": None, "function_call": {"name": "f"}}
    assert Message.of(call).to_dict() == call
    merged = {"from": "human", "value": "x", "role": None, "content": None}
    assert Message.of(merged).to_dict() == {"role": "user", "content": "x"}
    assert Message.of({"from": "function_call", "value": "{}"}).role == "assistant"
    row = {"system": "s", "conversations": [SYSTEM, USER, ANSWER]}
    assert len(conversation(row)) == 3


def test_messages_do_not_change():
    parts = [{"type": "text", "text": "a"}]
    message = Message("user", parts, {"tags": ["x"]})
    parts[0]["text"] = "changed"
    message.to_dict()["content"][0]["text"] = "changed"
    message.to_dict()["tags"].append("y")
    assert message.to_dict() == {
        "role": "user",
        "content": [{"type": "text", "text": "a"}],
        "tags": ["x"],
    }
    assert message == Message("user", ({"type": "text", "text": "a"},), {"tags": ["x"]})
    assert len({message, message, Message("user", "a")}) == 2
    assert pickle.loads(pickle.dumps(message)) == message


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: conversation("hi"), "found a str"),
        (lambda: conversation([USER]), "found a list"),
        (lambda: conversation({"a": 1, 2: 3}), "none of the layouts"),
        (lambda: conversation({"prompt": "q", "completion": None}), "missing"),
        (lambda: comparison({"chosen": None, "rejected": "b"}), "'preference' has it"),
        (
            lambda: comparison({"response1": "a", "response2": "b", "overall_preference": None}),
            "'two_responses' has it",
        ),
        (
            lambda: comparison(
                {"chosen": "a", "rejected": "b", "score_chosen": "x", "score_rejected": 1}
            ),
            "could not convert",
        ),
        (lambda: Comparison([], [ANSWER], [OTHER], "high"), "'high'"),
        (lambda: Comparison([], [ANSWER], [OTHER], float("nan")), "nan"),
        (lambda: Comparison("q", [ANSWER], [OTHER]), "list of messages"),
        (lambda: Message("user", "x", {"content": "y"}), "again"),
        (lambda: register_layout("x", "a", "b"), "two functions"),
    ],
)
def test_errors_say_what_is_wrong(call, match):
    with pytest.raises(exceptions.InvalidArgumentError, match=match):
        call()


def test_layouts_of_users():
    register_layout(
        "lines",
        lambda row: "lines" in row,
        lambda row: Conversation([Message("user", line) for line in row["lines"]]),
    )
    assert list_layouts()[0] == "lines"
    assert len(conversation({"lines": ["a", "b"]})) == 2


def test_chatml():
    assert Conversation([USER, ANSWER]).to_chatml() == (
        "<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\na<|im_end|>\n"
    )
    assert (
        Conversation([USER]).to_chatml(generation_prompt=True).endswith("<|im_start|>assistant\n")
    )


CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }} {{ m.content }} <|im_end|> {% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant {% endif %}"
)


@pytest.fixture(scope="module")
def tokenizer():
    transformers = pytest.importorskip("transformers")
    tokenizers = pytest.importorskip("tokenizers")
    words = ["[UNK]", "<|im_start|>", "<|im_end|>", "system", "user", "assistant"]
    words += [word for message in TALK for word in message["content"].split()]
    inner = tokenizers.Tokenizer(
        tokenizers.models.WordLevel(
            {word: i for i, word in enumerate(dict.fromkeys(words))}, "[UNK]"
        )
    )
    inner.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    made = transformers.PreTrainedTokenizerFast(tokenizer_object=inner, unk_token="[UNK]")
    # Roles stand right after what begins a message.
    made.chat_template = CHATML.replace("<|im_start|>", "<|im_start|> ")
    return made


@pytest.mark.parametrize(
    ("mask", "learnt"),
    [
        ("assistant", ["Hello. <|im_end|>", "Bye. <|im_end|>"]),
        ("last", ["Bye. <|im_end|>"]),
        ("all", None),
    ],
)
def test_the_loss_is_of_answers(tokenizer, mask, learnt):
    row = Conversation(TALK).to_supervised(tokenizer, mask=mask)
    whole = tokenizer.apply_chat_template(TALK, tokenize=False)
    assert tokenizer.decode(row["input_ids"]).split() == whole.split()
    assert len(row["labels"]) == len(row["loss_weights"]) == len(row["input_ids"])
    kept = [i for i, w in zip(row["input_ids"], row["loss_weights"], strict=True) if w]
    expected = whole if learnt is None else " ".join(learnt)
    assert tokenizer.decode(kept).split() == expected.split()
    for one, label, weight in zip(*row.values(), strict=True):
        assert label == (one if weight else -100)
    short = Conversation(TALK).to_supervised(tokenizer, mask=mask, max_length=4)
    assert {name: values[:4] for name, values in row.items()} == short


def test_masks_that_cannot_be(tokenizer):
    with pytest.raises(exceptions.InvalidArgumentError, match="no mask 'first'"):
        Conversation(TALK).to_supervised(tokenizer, mask="first")
    with pytest.raises(exceptions.InvalidArgumentError, match="no answer; its roles are"):
        Conversation(TALK[:2]).to_supervised(tokenizer)
    assert Conversation(TALK[:2]).to_supervised(tokenizer, mask="all")["labels"]

    class Changing:
        def apply_chat_template(self, messages, tokenize, add_generation_prompt=False):
            # Numbers its messages from the end.
            return [len(messages) - i for i, _ in enumerate(messages)] + [9] * add_generation_prompt

    with pytest.raises(exceptions.UnsupportedError, match="does not begin the conversation"):
        Conversation(TALK).to_supervised(Changing())


END = "<|im_end|>"
TEMPLATES = {
    "chatml": "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}",
    "tagged": "{% for m in messages %}<|im_start|>{{ m.role }}\n{% if m.role == 'assistant' %}{% generation %}"
    "{{ m.content }}<|im_end|>{% endgeneration %}{% else %}{{ m.content }}<|im_end|>{% endif %}\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}",
    "with a system": "{% if messages[0].role != 'system' %}<|im_start|>system\nYou.<|im_end|>\n{% endif %}"
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}",
    "no prompt": "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}",
    "always": "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "<|im_start|>assistant\n",
    "refusing": "{{ raise_exception('roles must alternate') }}",
}


@pytest.fixture(scope="module")
def letters():
    """A tokenizer of a token a byte, and the special tokens of ChatML."""
    transformers = pytest.importorskip("transformers")
    tokenizers = pytest.importorskip("tokenizers")
    alphabet = tokenizers.pre_tokenizers.ByteLevel.alphabet()
    inner = tokenizers.Tokenizer(
        tokenizers.models.BPE({c: i for i, c in enumerate(sorted(alphabet))}, [])
    )
    inner.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = tokenizers.decoders.ByteLevel()
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=inner, additional_special_tokens=["<|im_start|>", END], eos_token=END
    )


def learnt(talk, tokenizer, **options):
    row = talk.to_supervised(tokenizer, **options)
    runs, last = [], 0.0
    for one, weight in zip(row["input_ids"], row["loss_weights"], strict=True):
        if weight and not last:
            runs.append([])
        if weight:
            runs[-1].append(one)
        last = weight
    return [tokenizer.decode(run) for run in runs]


@pytest.mark.parametrize("name", ["chatml", "tagged", "with a system"])
def test_the_loss_is_of_what_a_model_writes(letters, name):
    letters.chat_template = TEMPLATES[name]
    assert learnt(Conversation(TALK), letters) == ["Hello." + END, "Bye." + END]
    assert learnt(Conversation(TALK), letters, mask="last") == ["Bye." + END]
    # A conversation that begins with an answer.
    first = Conversation([TALK[2], TALK[3], TALK[4]])
    assert learnt(first, letters) == ["Hello." + END, "Bye." + END]
    assert learnt(Conversation(TALK[2:3]), letters) == ["Hello." + END]
    lines = Conversation([USER, {"role": "assistant", "content": " a \n\n"}])
    assert learnt(lines, letters) == [" a \n\n" + END]


def test_templates_that_do_not_say_where_answers_are(letters):
    for name in ("no prompt", "always"):
        letters.chat_template = TEMPLATES[name]
        with pytest.raises(exceptions.UnsupportedError, match="no generation prompt"):
            Conversation(TALK).to_supervised(letters)
    letters.chat_template = TEMPLATES["refusing"]
    with pytest.raises(exceptions.InvalidArgumentError, match="roles must alternate"):
        Conversation(TALK).to_supervised(letters)
    letters.chat_template = TEMPLATES["chatml"]
    for length in (0, -3, 2.5, "3"):
        with pytest.raises(exceptions.InvalidArgumentError, match="max_length"):
            Conversation(TALK).to_supervised(letters, max_length=length)
    with pytest.raises(exceptions.InvalidArgumentError, match="expected a tokenizer"):
        Conversation(TALK).to_supervised("gpt2")
    letters.chat_template = "{{ extra }}" + TEMPLATES["chatml"]
    row = Conversation(TALK).to_supervised(letters, extra="more")
    assert letters.decode(row["input_ids"]).startswith("more")
