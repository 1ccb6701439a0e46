"""Tasks by name: those that are known, those of other packages, and your own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, overload

from rowstream.exceptions import InvalidArgumentError
from rowstream.tasks import chats, code, mathematics, preferences
from rowstream.tasks.task import Task
from rowstream.utils.plugins import offered

if TYPE_CHECKING:
    from rowstream.chat import Comparison, Conversation
    from rowstream.tasks.items import CodeProblem, Problem
    from rowstream.tasks.loaded import Items

ENTRY_POINTS = "rowstream.tasks"
_TASKS: dict[str, Task[Any]] = {
    task.name: task
    for task in (
        mathematics.gsm8k,
        mathematics.math500,
        mathematics.hendrycks_math,
        mathematics.deepmath,
        mathematics.polaris,
        chats.tulu3_sft,
        preferences.tulu3_preference,
        chats.no_robots,
        preferences.hh_rlhf,
        preferences.helpsteer2,
        preferences.helpsteer3,
        preferences.ultrafeedback,
        preferences.arena_preference,
        code.deepcoder,
        code.humaneval,
    )
}
_found: list[str] = []


def register_task(task: Task[Any]) -> None:
    """Make a task known by its name.

    A package makes its tasks known by entry points of the group `rowstream.tasks`, each a `Task`.

    Args:
        task: The task; one whose name is taken replaces it.

    Raises:
        InvalidArgumentError: It is no `Task`.

    Example:
        >>> from dataclasses import replace
        >>> from rowstream.tasks import get_task, gsm8k, list_tasks, register_task
        >>> register_task(replace(gsm8k, name="gsm8k_socratic", config="socratic"))
        >>> "gsm8k_socratic" in list_tasks()
        True
    """
    if not isinstance(task, Task):
        raise InvalidArgumentError(f"expected a Task, found {task!r}")
    _TASKS[task.name] = task


def list_tasks(kind: str | None = None) -> list[str]:
    """Return the names of the tasks that are known.

    Args:
        kind: Only those of a kind: `"math"`, `"chat"`, `"preference"`, `"code"`, or your own.

    Raises:
        InvalidArgumentError: There is no task of this kind.

    Example:
        >>> from rowstream.tasks import list_tasks
        >>> list_tasks("math")[:2]
        ['gsm8k', 'math500']
    """
    _discover()
    kinds = dict.fromkeys(task.kind for task in _TASKS.values())
    if kind is not None and kind not in kinds:
        raise InvalidArgumentError(f"there is no kind {kind!r}; there is {', '.join(kinds)}")
    return [name for name, task in _TASKS.items() if kind in (None, task.kind)]


def search(query: str) -> list[str]:
    """Return the names of the tasks whose name, repository, kind or description has some words.

    Args:
        query: Words, all of which a task has to have, whatever the case.

    Raises:
        InvalidArgumentError: It is no text.

    Example:
        >>> from rowstream.tasks import search
        >>> search("tulu")
        ['tulu3_sft', 'tulu3_preference']
    """
    if not isinstance(query, str):
        raise InvalidArgumentError(f"search: expected words, found {query!r}")
    words = query.casefold().split()
    return [
        name
        for name in list_tasks()
        if all(word in _described(_TASKS[name]).casefold() for word in words)
    ]


def _described(task: Task[Any]) -> str:
    return " ".join((task.name, task.repo, task.kind, task.license, task.description))


def get_task(name: str) -> Task[Any]:
    """Return a task, given its name.

    Args:
        name: A name of `list_tasks()`.

    Raises:
        InvalidArgumentError: There is none of this name.

    Example:
        >>> from rowstream.tasks import get_task
        >>> get_task("math500").repo
        'HuggingFaceH4/MATH-500'
    """
    _discover()
    if not isinstance(name, str) or name not in _TASKS:
        raise InvalidArgumentError(
            f"there is no task {name!r}; there is {', '.join(_TASKS)}, and register_task"
        )
    return _TASKS[name]


_Math = Literal["gsm8k", "math500", "hendrycks_math", "deepmath", "polaris"]
_Chat = Literal["tulu3_sft", "no_robots"]
_Preference = Literal[
    "tulu3_preference", "hh_rlhf", "helpsteer2", "helpsteer3", "ultrafeedback", "arena_preference"
]
_Code = Literal["deepcoder", "humaneval"]


@overload
def load_task(name: _Math, config: str | None = None, **options: Any) -> Items[Problem]: ...
@overload
def load_task(name: _Chat, config: str | None = None, **options: Any) -> Items[Conversation]: ...
@overload
def load_task(
    name: _Preference, config: str | None = None, **options: Any
) -> Items[Comparison]: ...
@overload
def load_task(name: _Code, config: str | None = None, **options: Any) -> Items[CodeProblem]: ...
@overload
def load_task(name: str, config: str | None = None, **options: Any) -> Items[Any]: ...
def load_task(
    name: str,
    config: str | None = None,
    *,
    split: str | None = None,
    synthetic: bool = False,
    sample_size: int | None = None,
    seed: int | None = None,
    exclude: Any = None,
    streaming: bool = False,
    on_error: str = "raise",
    revision: str | None = None,
    **options: Any,
) -> Items[Any]:
    """Load the items of a known dataset: what is asked, and the reference.

    Args:
        name: A name of `list_tasks()`.
        config: A configuration of its repository, or `"all"`; the task's default if `None`.
        split: A split; `"test"` where there is one, else the first.
        synthetic: Make items of the same columns instead, without any network: 100, or
            `sample_size`. Their texts have `[synthetic]`.
        sample_size: How many items; all where there are fewer.
        seed: Draw `sample_size` items at random by it; without, they are the first. Of synthetic
            items, which are made.
        exclude: Leave out items that ask what another set asks, whatever the case and spaces: the
            name of a task (its default split) or several names, `Items`, or a list of texts,
            prompts or items.
        streaming: Read items while they are iterated.
        on_error: `"skip"` leaves out rows that are not as the task has them; `"raise"`.
        revision: A branch, tag or commit instead of the task's.
        **options: For `load_dataset`, such as `cache_dir` and `token`.

    Returns:
        `Items`: a sequence of `Problem`, `CodeProblem`, `Conversation` or `Comparison` objects; if
        `streaming`, what can only be iterated.

    Raises:
        InvalidArgumentError: There is no such task, configuration or split, or its rows are not as
            the task has them.

    Example:
        >>> from rowstream.tasks import load_task
        >>> items = load_task("gsm8k", synthetic=True, sample_size=2)
        >>> items[0].input[:11], items[0].target.isdigit()
        ('[synthetic]', True)
    """
    return get_task(name).load(
        config,
        split=split,
        synthetic=synthetic,
        sample_size=sample_size,
        seed=seed,
        exclude=_named(exclude, synthetic=synthetic, **options),
        streaming=streaming,
        on_error=on_error,
        revision=revision,
        **options,
    )


def _named(exclude: Any, **options: Any) -> Any:
    """Return what is to be left out, with the items of tasks for their names."""
    if isinstance(exclude, str):
        return get_task(exclude)
    if not isinstance(exclude, (list, tuple, set)):
        return exclude
    _discover()
    sets = [
        _TASKS[one].load(**options) if isinstance(one, str) and one in _TASKS else [one]
        for one in exclude
    ]
    return [one for some in sets for one in some]


def _discover() -> None:
    """Make the tasks of other packages known, once; one that cannot be loaded is an error."""
    if _found:
        return
    for _, task in offered(ENTRY_POINTS):
        register_task(task)
    _found.append(ENTRY_POINTS)
