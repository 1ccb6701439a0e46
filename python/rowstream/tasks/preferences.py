"""Tasks of preferences: two answers to a prompt, of which one is better."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Mapping
from functools import partial
from typing import Any

from rowstream.chat import Comparison, Message, comparison
from rowstream.features import List, Value
from rowstream.tasks import synthetic
from rowstream.tasks.chats import MESSAGES
from rowstream.tasks.task import Config, Task

Row = Mapping[str, Any]
_TEXT, _INT, _FLOAT, _BOOL = Value("string"), Value("int64"), Value("float64"), Value("bool")
_SCORES = ("helpfulness", "correctness", "coherence", "complexity", "verbosity")


def _of_tulu(generator: random.Random, config: str) -> dict[str, Any]:
    del config
    asked = {"role": "user", "content": synthetic.request(generator)}
    chosen, rejected = (
        [asked, {"role": "assistant", "content": synthetic.reply(generator)}] for _ in range(2)
    )
    return {
        "id": f"synthetic_{synthetic.hexadecimal(generator, 8)}",
        "source": "synthetic",
        "prompt": asked["content"],
        "chosen": chosen,
        "rejected": rejected,
    }


tulu3_preference = Task(
    name="tulu3_preference",
    repo="allenai/llama-3.1-tulu-3-8b-preference-mixture",
    configs={
        "default": Config(
            ("train",),
            {
                "id": _TEXT,
                "source": _TEXT,
                "prompt": _TEXT,
                "chosen": MESSAGES,
                "rejected": MESSAGES,
            },
        )
    },
    config="default",
    read=partial(comparison, layout="preference"),
    synthesize=_of_tulu,
    license="odc-by",
    kind="preference",
    description="The mixture that Tulu 3 8B was tuned with by DPO.",
)


def _of_hh_rlhf(generator: random.Random, config: str) -> dict[str, Any]:
    del config
    head = f"\n\nHuman: {synthetic.request(generator)}\n\nAssistant: "
    return {name: head + synthetic.reply(generator) for name in ("chosen", "rejected")}


hh_rlhf = Task(
    name="hh_rlhf",
    repo="Anthropic/hh-rlhf",
    configs={
        name: Config(("train", "test"), {"chosen": _TEXT, "rejected": _TEXT}, data_dir=name)
        for name in (
            "harmless-base",
            "helpful-base",
            "helpful-online",
            "helpful-rejection-sampled",
        )
    },
    read=partial(comparison, layout="preference"),
    synthesize=_of_hh_rlhf,
    license="mit",
    kind="preference",
    description="Dialogues with an assistant, of which one is more helpful or harmless.",
)


def _scored_pair(row: Row) -> Comparison:
    """Two rows, one after another, that answer one prompt: the more helpful is the chosen one."""
    if len(row["prompt"]) != 2 or row["prompt"][0] != row["prompt"][1]:
        raise ValueError("two rows, one after another, have the same prompt")
    difference = row["helpfulness"][0] - row["helpfulness"][1]
    better = 0 if difference >= 0 else 1
    answers = [(Message("assistant", text),) for text in row["response"]]
    scores = {name: row[name] for name in _SCORES}
    return Comparison(
        (Message("user", row["prompt"][0]),),
        answers[better],
        answers[1 - better],
        abs(float(difference)),
        {
            f"{name}_{which}": values[at]
            for name, values in scores.items()
            for which, at in (("chosen", better), ("rejected", 1 - better))
        },
    )


def _of_helpsteer2(generator: random.Random, config: str) -> dict[str, Any]:
    del config
    return {
        "prompt": [synthetic.request(generator)] * 2,
        "response": [synthetic.reply(generator) for _ in range(2)],
        **{name: [generator.randint(0, 4) for _ in range(2)] for name in _SCORES},
    }


helpsteer2 = Task(
    name="helpsteer2",
    repo="nvidia/HelpSteer2",
    configs={
        "default": Config(
            ("train", "validation"),
            {"prompt": _TEXT, "response": _TEXT, **dict.fromkeys(_SCORES, _INT)},
        )
    },
    config="default",
    read=_scored_pair,
    synthesize=_of_helpsteer2,
    license="cc-by-4.0",
    kind="preference",
    description="Pairs of answers with scores of five kinds, 0 to 4, given by people.",
    rows_per_item=2,
)


def _of_helpsteer3(generator: random.Random, config: str) -> dict[str, Any]:
    del config
    preference = generator.randint(-3, 3)
    said = f"{synthetic.MARK} Both answer, at unequal length."
    return {
        "domain": generator.choice(("general", "stem", "code")),
        "language": "english",
        "context": [{"role": "user", "content": synthetic.request(generator)}],
        "response1": synthetic.reply(generator),
        "response2": synthetic.reply(generator),
        "overall_preference": preference,
        "individual_preference": [
            {"score": preference, "reasoning": said, "feedback1": said, "feedback2": said}
        ],
    }


helpsteer3 = Task(
    name="helpsteer3",
    repo="nvidia/HelpSteer3",
    configs={
        "preference": Config(
            ("train", "validation"),
            {
                "domain": _TEXT,
                "language": _TEXT,
                "context": List({"role": _TEXT, "content": _TEXT}),
                "response1": _TEXT,
                "response2": _TEXT,
                "overall_preference": _INT,
                "individual_preference": List(
                    {"score": _INT, "reasoning": _TEXT, "feedback1": _TEXT, "feedback2": _TEXT}
                ),
            },
        )
    },
    config="preference",
    read=partial(comparison, layout="two_responses"),
    synthesize=_of_helpsteer3,
    license="cc-by-4.0",
    kind="preference",
    description="Pairs of answers with a preference from -3 to 3, and why.",
)


def _of_ultrafeedback(generator: random.Random, config: str) -> dict[str, Any]:
    del config
    better, worse = sorted((generator.randint(4, 20) / 4 for _ in range(2)), reverse=True)
    return {
        "source": "synthetic",
        "instruction": synthetic.request(generator),
        "chosen_response": synthetic.reply(generator),
        "rejected_response": synthetic.reply(generator),
        "chosen_avg_rating": better,
        "rejected_avg_rating": worse,
        "chosen_model": "synthetic",
    }


ultrafeedback = Task(
    name="ultrafeedback",
    repo="argilla/ultrafeedback-binarized-preferences",
    configs={
        "default": Config(
            ("train",),
            {
                "source": _TEXT,
                "instruction": _TEXT,
                "chosen_response": _TEXT,
                "rejected_response": _TEXT,
                "chosen_avg_rating": _FLOAT,
                "rejected_avg_rating": _FLOAT,
                "chosen_model": _TEXT,
            },
        )
    },
    config="default",
    read=partial(comparison, layout="rated_responses"),
    synthesize=_of_ultrafeedback,
    license="mit",
    kind="preference",
    description="Pairs of answers of models, by their mean rating.",
)

_CONVERSATION = List(
    {
        "role": _TEXT,
        "content": List({"type": _TEXT, "text": _TEXT, "image": _TEXT, "mimeType": _TEXT}),
    }
)


def _of_arena(generator: random.Random, config: str) -> dict[str, Any]:
    del config

    def said(role: str, text: str) -> dict[str, Any]:
        return {
            "role": role,
            "content": [{"type": "text", "text": text, "image": None, "mimeType": None}],
        }

    asked = said("user", synthetic.request(generator))
    a, b = ([asked, said("assistant", synthetic.reply(generator))] for _ in range(2))
    return {
        "id": synthetic.hexadecimal(generator, 32),
        "model_a": "synthetic-a",
        "model_b": "synthetic-b",
        "winner": generator.choice(("model_a", "model_b", "tie", "both_bad")),
        "evaluation_session_id": synthetic.hexadecimal(generator, 32),
        "evaluation_order": 1,
        "conversation_a": a,
        "conversation_b": b,
        "category_tag": {
            "creative_writing_v0.1": {"creative_writing": False, "score": "no"},
            "math_v0.1": {"math": False},
        },
        "language": "en",
        "is_code": False,
        "timestamp": dt.datetime(2025, 6, 1, tzinfo=dt.UTC),
    }


arena_preference = Task(
    name="arena_preference",
    repo="lmarena-ai/arena-human-preference-140k",
    configs={
        "default": Config(
            ("train",),
            {
                "id": _TEXT,
                "model_a": _TEXT,
                "model_b": _TEXT,
                "winner": _TEXT,
                "evaluation_session_id": _TEXT,
                "evaluation_order": _INT,
                "conversation_a": _CONVERSATION,
                "conversation_b": _CONVERSATION,
                "category_tag": {
                    "creative_writing_v0.1": {"creative_writing": _BOOL, "score": _TEXT},
                    "math_v0.1": {"math": _BOOL},
                },
                "language": _TEXT,
                "is_code": _BOOL,
                "timestamp": Value("timestamp[us, tz=UTC]"),
            },
        )
    },
    config="default",
    read=partial(comparison, layout="arena"),
    synthesize=_of_arena,
    license="cc-by-4.0",
    kind="preference",
    description="Battles of two models, which people judged.",
)
