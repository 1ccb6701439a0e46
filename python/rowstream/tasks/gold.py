r"""Answers within texts: after `####`, within `\boxed{…}`, and the last number."""

from __future__ import annotations

import re

_MARKED = re.compile(r"(?<!#)####(?!#)[ \t]*(.*)")
# Not within words, and a minus only where it is no subtraction.
_NUMBER = re.compile(
    r"(?:(?<![\w.)\]])[-\u2212])?(?<![\w.])\$?(?:\d{1,3}(?:,\d{3})+(?!\d|,\d)|\d+)?(?:\.\d+|(?<=\d))"
)


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
    return (_plain(found[-1]) or None) if found else None


def last_number(text: str) -> str | None:
    """Return the last number of a text, without commas and `$`; `None` if there is none.

    Digits within words are none, and the minus of a subtraction is not part of one.

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
    r"""Return what the last closed `\boxed{…}` of a text has, with the braces that nest in it.

    Without braces, it is what follows up to `$` or the end of the line, as the reference code of
    MATH has it; where there is no `\boxed`, `\fbox` counts.

    Args:
        text: A solution in LaTeX.

    Returns:
        The answer, or `None` if there is no box.

    Example:
        >>> from rowstream.tasks import boxed_answer
        >>> boxed_answer(r"So it is $\boxed{\frac{1}{2}}$.")
        '\\frac{1}{2}'
    """
    for command in ("boxed", "fbox"):
        for box in reversed([*re.finditer(rf"\\{command}(?![a-zA-Z])[ \t]*", text)]):
            found = _content(text, box.end())
            if found is not None:
                return found
    return None


def _content(text: str, start: int) -> str | None:
    """Return what a box has that begins at a place; `None` if it is not closed."""
    if not text.startswith("{", start):
        return re.split(r"[$\n]", text[start:], maxsplit=1)[0].strip().removesuffix(".") or None
    depth = 0
    for brace in re.finditer(r"\\.|[{}]", text[start:], re.DOTALL):
        depth += {"{": 1, "}": -1}.get(brace.group(), 0)
        if depth == 0:
            return text[start + 1 : start + brace.start()].strip()
    return None


def number_in(text: str) -> str | None:
    """Return the number that a model gives for an answer: after the last `####`, or the last one.

    Args:
        text: What it wrote.
    """
    marked = _MARKED.findall(text)
    # Headings are marked so, too.
    found = _NUMBER.match(marked[-1].lstrip("* \\(")) if marked else None
    return _plain(found.group()) if found else last_number(text)


def _plain(answer: str) -> str:
    """Return a number as it is compared: without commas, `$` and a last full stop."""
    plain = answer.strip().removesuffix(".")
    without = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", plain)
    return without.replace("$", "").replace("\u2212", "-").strip()
