"""Known datasets as tasks: what is asked and what is right, as typed items.

    from rowstream.tasks import load_task

    items = load_task("gsm8k", split="test")
    items[0].input, items[0].target         # the question, and '18'
    items.prompts()                         # all questions

Each task is an object, too, whose `load` says the type of its items:

    from rowstream.tasks import hh_rlhf

    hh_rlhf.load("harmless-base", split="train", sample_size=100, seed=0)

`synthetic=True` makes items of the same columns without any network.
"""

from rowstream.tasks.chats import no_robots, tulu3_sft
from rowstream.tasks.code import deepcoder, humaneval
from rowstream.tasks.gold import boxed_answer, last_number, marked_answer
from rowstream.tasks.items import CodeProblem, CodeTest, Problem
from rowstream.tasks.loaded import Items
from rowstream.tasks.mathematics import deepmath, gsm8k, hendrycks_math, math500, polaris
from rowstream.tasks.preferences import (
    arena_preference,
    helpsteer2,
    helpsteer3,
    hh_rlhf,
    tulu3_preference,
    ultrafeedback,
)
from rowstream.tasks.registry import get_task, list_tasks, load_task, register_task, search
from rowstream.tasks.task import Config, Task

__all__ = [
    "CodeProblem",
    "CodeTest",
    "Config",
    "Items",
    "Problem",
    "Task",
    "arena_preference",
    "boxed_answer",
    "deepcoder",
    "deepmath",
    "get_task",
    "gsm8k",
    "helpsteer2",
    "helpsteer3",
    "hendrycks_math",
    "hh_rlhf",
    "humaneval",
    "last_number",
    "list_tasks",
    "load_task",
    "marked_answer",
    "math500",
    "no_robots",
    "polaris",
    "register_task",
    "search",
    "tulu3_preference",
    "tulu3_sft",
    "ultrafeedback",
]
