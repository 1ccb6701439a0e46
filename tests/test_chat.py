"""Conversations of every layout, and what a model learns from them."""

from __future__ import annotations

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
    to_chatml,
    to_supervised,
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
            lambda: to_chatml(Conversation([Message("user", [{"type": "image"}])])),
            "message 0 is no text",
        ),
    ]:
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
    assert to_chatml(Conversation([USER, ANSWER])) == (
        "<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\na<|im_end|>\n"
    )
    assert to_chatml(Conversation([USER]), generation_prompt=True).endswith(
        "<|im_start|>assistant\n"
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
    row = to_supervised(Conversation(TALK), tokenizer, mask=mask)
    whole = tokenizer.apply_chat_template(TALK, tokenize=False)
    assert tokenizer.decode(row["input_ids"]).split() == whole.split()
    assert len(row["labels"]) == len(row["loss_weights"]) == len(row["input_ids"])
    kept = [i for i, w in zip(row["input_ids"], row["loss_weights"], strict=True) if w]
    expected = whole if learnt is None else " ".join(learnt)
    assert tokenizer.decode(kept).split() == expected.split()
    for one, label, weight in zip(*row.values(), strict=True):
        assert label == (one if weight else -100)
    short = to_supervised(Conversation(TALK), tokenizer, mask=mask, max_length=4)
    assert {name: values[:4] for name, values in row.items()} == short


def test_masks_that_cannot_be(tokenizer):
    with pytest.raises(exceptions.InvalidArgumentError, match="no mask 'first'"):
        to_supervised(Conversation(TALK), tokenizer, mask="first")
    with pytest.raises(exceptions.InvalidArgumentError, match="no answer; its roles are"):
        to_supervised(Conversation(TALK[:2]), tokenizer)
    assert to_supervised(Conversation(TALK[:2]), tokenizer, mask="all")["labels"]

    class Changing:
        def apply_chat_template(self, messages, tokenize, add_generation_prompt=False):
            # Numbers its messages from the end.
            return [len(messages) - i for i, _ in enumerate(messages)] + [9] * add_generation_prompt

    with pytest.raises(exceptions.UnsupportedError, match="does not begin the conversation"):
        to_supervised(Conversation(TALK), Changing())
