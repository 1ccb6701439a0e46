"""Tasks of instruction tuning: conversations."""

from __future__ import annotations

import random
from functools import partial
from typing import Any

from rowstream.chat import conversation
from rowstream.features import List, Value
from rowstream.tasks import synthetic
from rowstream.tasks.task import Config, Task

_TEXT = Value("string")
MESSAGES = List({"content": _TEXT, "role": _TEXT})


def _of_tulu(generator: random.Random, config: str) -> dict[str, Any]:
    del config
    return {
        "id": f"synthetic_{synthetic.hexadecimal(generator, 8)}",
        "messages": [
            message
            for _ in range(generator.randint(1, 3))
            for message in synthetic.exchange(generator)
        ],
        "source": "synthetic",
    }


tulu3_sft = Task(
    name="tulu3_sft",
    repo="allenai/tulu-3-sft-mixture",
    configs={"default": Config(("train",), {"id": _TEXT, "messages": MESSAGES, "source": _TEXT})},
    config="default",
    read=partial(conversation, layout="messages"),
    synthesize=_of_tulu,
    license="odc-by",
    kind="chat",
    description="The mixture that Tulu 3 was instructed with.",
)


def _of_no_robots(generator: random.Random, config: str) -> dict[str, Any]:
    del config
    messages = synthetic.exchange(generator)
    return {
        "prompt": messages[0]["content"],
        "prompt_id": synthetic.hexadecimal(generator, 64),
        "messages": messages,
        "category": generator.choice(("Generation", "Open QA", "Brainstorm", "Coding")),
    }


no_robots = Task(
    name="no_robots",
    repo="HuggingFaceH4/no_robots",
    configs={
        "default": Config(
            ("train", "test"),
            {"prompt": _TEXT, "prompt_id": _TEXT, "messages": MESSAGES, "category": _TEXT},
        )
    },
    config="default",
    read=partial(conversation, layout="messages"),
    synthesize=_of_no_robots,
    license="cc-by-nc-4.0",
    kind="chat",
    description="10,000 instructions with demonstrations, written by people.",
)
