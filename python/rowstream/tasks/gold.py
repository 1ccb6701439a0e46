r"""Answers within texts: after `####`, within `\boxed{…}`, and the last number."""

from __future__ import annotations

import re

_MARKED = re.compile(r"####\s*(.*)")
_NUMBER = re.compile(r"-?\$?\d[\d,]*(?:\.\d+)?")


def marked_answer(text: str) -> str | None:
    r"""Return what stands after the last `####` of a line, as GSM8K marks its answers.

    Commas within a number, `$` and a last full stop are left out.

    Args:
        text: A solution.

    Returns:
        The answer, or `None` if there is no mark.

    Example:
        >>> from rowstream.tasks import marked_answer
        >>> marked_answer("2 * 600 = 1200\n#### 1,200")
        '1200'
    """
    found = _MARKED.findall(text)
    return _plain(found[-1]) if found else None


def last_number(text: str) -> str | None:
    """Return the last number of a text, without commas and `$`; `None` if there is none.

    Args:
        text: A solution.

    Example:
        >>> from rowstream.tasks import last_number
        >>> last_number("She has 3 and buys 2, so 5.")
        '5'
    """
    found = _NUMBER.findall(text)
    return _plain(found[-1]) if found else None


def boxed_answer(text: str) -> str | None:
    r"""Return what the last `\boxed{…}` of a text has, with the braces that nest in it.

    Args:
        text: A solution in LaTeX. `\fbox`, `\boxed 7` and escaped braces are read too.

    Returns:
        The answer, or `None` if there is no box, or one that is not closed.

    Example:
        >>> from rowstream.tasks import boxed_answer
        >>> boxed_answer(r"So it is $\boxed{\frac{1}{2}}$.")
        '\\frac{1}{2}'
    """
    boxes = [*re.finditer(r"\\(?:boxed|fbox)(?![a-zA-Z])\s*", text)]
    if not boxes:
        return None
    start = boxes[-1].end()
    if not text.startswith("{", start):
        # LaTeX takes one token.
        token = re.match(r"\\[a-zA-Z]+|[^\s$]", text[start:])
        return token.group() if token else None
    depth = 0
    for brace in re.finditer(r"\\.|[{}]", text[start:], re.DOTALL):
        depth += {"{": 1, "}": -1}.get(brace.group(), 0)
        if depth == 0:
            return text[start + 1 : start + brace.start()].strip()
    return None


def _plain(answer: str) -> str:
    """Return a number as it is compared: without commas, `$` and a last full stop."""
    plain = answer.strip().removesuffix(".")
    without = re.sub(r"(?<=\d),(?=\d)", "", plain).replace("$", "")
    return without.strip()
