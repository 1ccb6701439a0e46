"""The arguments of `apply_chat_template` as its step: templates and tokenizers of all kinds."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from typing import Any

from rowstream.exceptions import DataFilesNotFoundError, InvalidArgumentError
from rowstream.ops.chat.checks import has_generation_blocks
from rowstream.ops.chat.step import MASKS, ApplyChatTemplate
from rowstream.ops.tokenize import tokenizer_json
from rowstream.storage.files import open as open_file


@dataclass
class _Given:
    """A template, and what belongs to it.

    Attributes:
        template: Its source.
        tokenizer: What ids are made with.
        variables: Special tokens, by the names that templates have for them.
        special: All special tokens.
        side: The end at which a longer conversation is cut.
    """

    template: str
    tokenizer: Any = None
    variables: dict[str, Any] = field(default_factory=dict)
    special: list[str] = field(default_factory=list)
    side: str = "right"


def chat_step(
    template: Any,
    column: str,
    *,
    tokenizer: Any,
    tokenize: bool | None,
    assistant_mask: bool | str,
    add_generation_prompt: bool,
    tools: Any,
    variables: dict[str, Any] | None,
    max_length: int | None,
    truncation_side: str | None,
    keep: bool,
) -> ApplyChatTemplate:
    """Return the step for the arguments of `apply_chat_template`.

    Raises:
        InvalidArgumentError: An argument makes no sense, or there is no such template.
        UnsupportedError: `jinja2` is not installed, or the core does not read the tokenizer.
    """
    given = _given(template, with_tools=tools is not None)
    tokenizer = given.tokenizer if tokenizer is None else tokenizer
    if tokenize is None:
        tokenize = tokenizer is not None
    if tokenize and tokenizer is None:
        raise InvalidArgumentError("apply_chat_template: tokenize=True needs tokenizer=")
    text = tokenizer_json(tokenizer) if tokenize else None
    mask = _mask(given.template, assistant_mask)
    if mask is not None and not tokenize:
        raise InvalidArgumentError(
            "apply_chat_template: assistant_mask= is of token ids: give tokenizer="
        )
    if max_length is not None and (not isinstance(max_length, int) or max_length < 1):
        raise InvalidArgumentError(
            f"apply_chat_template: max_length is a number of ids from 1 on, not {max_length!r}"
        )
    side = truncation_side or getattr(tokenizer, "truncation_side", None) or given.side
    if side not in ("left", "right"):
        raise InvalidArgumentError(
            f'apply_chat_template: truncation_side is "left" or "right", not {side!r}'
        )
    special = given.special
    if text is not None and not special:
        added = json.loads(text).get("added_tokens") or []
        special = [token["content"] for token in added if token.get("special")]
    named = {**given.variables, **(variables or {})}
    if own := [name for name in ("messages", "add_generation_prompt") if name in (variables or {})]:
        raise InvalidArgumentError(
            f"apply_chat_template: variables= has {own[0]!r}, which an argument or the row says"
        )
    if tools is not None and not isinstance(tools, str):
        if any(callable(tool) for tool in tools):
            raise InvalidArgumentError(
                "apply_chat_template: tools are dicts of their schemas, which"
                " transformers.utils.get_json_schema(function) makes"
            )
        named["tools"] = tools
    step = ApplyChatTemplate(
        column,
        given.template,
        text,
        mask,
        bool(add_generation_prompt),
        tools if isinstance(tools, str) else None,
        tuple(named.items()),
        tuple(special),
        max_length,
        side,
        bool(keep),
    )
    _ = step.reasons  # what is no template is known before the first row
    return step


def _mask(template: str, assistant_mask: bool | str) -> str | None:
    if assistant_mask is True:
        return "generation" if has_generation_blocks(template) else "turns"
    if assistant_mask not in (False, None, *MASKS):
        raise InvalidArgumentError(
            "apply_chat_template: assistant_mask is True, False, 'generation' or 'turns', not"
            f" {assistant_mask!r}"
        )
    if assistant_mask == "generation" and not has_generation_blocks(template):
        raise InvalidArgumentError(
            "apply_chat_template: the template has no blocks {% generation %}, which"
            " assistant_mask='generation' goes by; 'turns' goes by the answers' places"
        )
    return assistant_mask or None


def _given(template: Any, *, with_tools: bool) -> _Given:
    """Return a template of a tokenizer, a folder, a file, or as it is."""
    if isinstance(template, (str, os.PathLike)):
        text = os.fspath(template)
        if "{%" in text or "{{" in text:
            return _Given(text)
        return _of_folder(text) if os.path.isdir(text) else _Given(_read(text))
    source = getattr(template, "chat_template", None)
    if source is None:
        raise InvalidArgumentError(
            "apply_chat_template: expected the source of a template, the path of one or of a folder"
            " with it, or a tokenizer of transformers that has one, found"
            f" {type(template).__name__}; template=…, tokenizer=… gives a tokenizer another"
        )
    return _Given(
        _chosen(source, with_tools=with_tools),
        template,
        dict(template.special_tokens_map),
        list(template.all_special_tokens),
        template.truncation_side,
    )


def _chosen(source: Any, *, with_tools: bool) -> str:
    """Return one of a tokenizer's templates, as transformers chooses it."""
    if isinstance(source, str):
        return source
    named = {one["name"]: one["template"] for one in source} if isinstance(source, list) else source
    name = "tool_use" if with_tools and "tool_use" in named else "default"
    if name not in named:
        raise InvalidArgumentError(
            f"apply_chat_template: the tokenizer has the templates {sorted(named)} and none of them"
            " is the default: give one as template=, and tokenizer="
        )
    return str(named[name])


def _read(path: str) -> str:
    with open_file(path, encoding="utf-8") as file:
        text: str = file.read()
    return text


def _of_folder(folder: str) -> _Given:
    """Return the template in a folder of a tokenizer, as transformers saves it."""
    path = os.path.join(folder, "tokenizer_config.json")
    config = json.loads(_read(path)) if os.path.exists(path) else {}
    own = os.path.join(folder, "chat_template.jinja")
    source = _read(own) if os.path.exists(own) else config.get("chat_template")
    if source is None:
        raise DataFilesNotFoundError(
            f"{folder} has no chat_template.jinja, and tokenizer_config.json no chat_template"
        )
    named = {
        name: token["content"] if isinstance(token, dict) else token
        for name, token in config.items()
        if name.endswith("_token") and isinstance(token, (str, dict))
    }
    tokenizer = folder if os.path.exists(os.path.join(folder, "tokenizer.json")) else None
    side = config.get("truncation_side", "right")
    return _Given(_chosen(source, with_tools=False), tokenizer, named, [*named.values()], side)
