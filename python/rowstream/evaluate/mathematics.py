"""Mathematical answers, compared by math-verify."""

from __future__ import annotations

import re
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rowstream.evaluate.answers import each
from rowstream.exceptions import UnsupportedError

_SECONDS = 5
_COMMANDS = re.compile(r"\\[a-zA-Z]+")
_WORD = re.compile(r"[^\W\d_]{2,}")
_TEXT = re.compile(r"\\(?:text|mathrm|textbf|mbox)\{([^{}]*)\}")
# Powers of powers, long exponents and factorials, which take for ever to be computed.
_TOWER = re.compile(r"(\^\s*(?:\{[^{}]*)?){3}|\^\s*\{?\s*\d{5}|\d{4}\s*!|\^[^^]{0,12}\^\s*\{?\s*\d")


def math_match(prediction: Any, reference: Any) -> float:
    """Return 1 if a prediction is mathematically one of the references, else 0.

    What is the same text matches; else both are read by `math-verify`, an answer alone as LaTeX.
    What cannot be read or compared is no match, nor are powers too large to be computed; it never
    raises. In the main thread each step is given up after five seconds.

    Raises:
        UnsupportedError: `math-verify` is not installed.
    """
    try:
        from math_verify import parse, verify
    except ImportError as e:
        raise UnsupportedError(
            "the metric 'math' uses the package math-verify: pip install 'rowstream[math]'"
        ) from e
    text = str(prediction)
    references = [str(one) for one in each(reference)]
    if any(_stripped(text) == _stripped(one) for one in references):
        return 1.0
    if any(_TOWER.search(one) for one in (text, *references)):
        return 0.0
    with _alarm() as seconds:
        try:
            found = parse(_delimited(text), parsing_timeout=seconds)
            for one in references:
                gold = parse(_delimited(one), parsing_timeout=seconds)
                if verify(gold, found, timeout_seconds=seconds):
                    return 1.0
        except Exception:  # whatever goes wrong inside, it is no match
            return 0.0
    return 0.0


def _delimited(text: str) -> str:
    r"""Return an answer alone between dollars, as LaTeX; a sentence or what has marks as it is.

    Otherwise the last number of `2\sqrt{3}` would be read.
    """
    plain = text.strip().replace("\\$", "").removesuffix(".")
    if any(mark in plain for mark in ("$", "\\boxed", "\\(", "\\[")):
        return text
    words = _WORD.findall(_COMMANDS.sub(" ", _TEXT.sub(" ", plain)))
    sentence = len(words) > 1 or "\n" in plain
    return text if sentence or not plain else f"${plain}$"


def _stripped(text: str) -> str:
    r"""Return an answer without what does not count: spaces, dollars, a full stop, `\text`."""
    text = _TEXT.sub(r"\1", text.strip().replace("\\$", "").strip("$"))
    return re.sub(r"\s+", "", text).removesuffix(".")


@contextmanager
def _alarm() -> Iterator[int | None]:
    """Give how long a step may take; keep an alarm that the program has set for itself.

    The time-outs of math-verify are alarms, which only the main thread may set.
    """
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "alarm"):
        yield None
        return
    handler, left = signal.getsignal(signal.SIGALRM), signal.alarm(0)
    try:
        yield _SECONDS
    finally:
        signal.signal(signal.SIGALRM, handler if handler is not None else signal.SIG_DFL)
        signal.alarm(left)
