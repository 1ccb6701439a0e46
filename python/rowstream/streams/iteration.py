"""An iteration under way: what it gives next, and how it is moved to another place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from rowstream.ops.undivided import undivided, undivided_items

if TYPE_CHECKING:
    from rowstream.ops.base import Node
    from rowstream.streams.rows import Rows
    from rowstream.streams.state import State


class Items:
    """What steps in Python give, from a place on; it can be moved to another.

    Args:
        open: makes the last step's node at a place.
        place: where it begins.
        whole: whether the process is a worker, so that streams which functions read have to be
            marked as whole.
    """

    def __init__(self, open: Callable[[Any], Node], place: Any, *, whole: bool) -> None:
        self._open, self._place, self._whole = open, place, whole
        self._node: Node | None = None
        self.ended = False
        self.pending = False
        self._opened()

    def _opened(self) -> Node:
        if self._node is None:
            with undivided() if self._whole else nullcontext():
                self._node = self._open(self._place)
        return self._node

    def state(self) -> Any:
        """Return the state of the last step."""
        return self._opened().state()

    def seek(self, place: Any) -> None:
        """Goes on after another place."""
        self._node, self._place, self.pending = None, place, True

    def __iter__(self) -> Iterator[Any]:
        """Yield the items that are left, of wherever it was moved to."""
        while True:
            node = self._opened()
            self.pending = False
            for item in undivided_items(iter(node)) if self._whole else node:
                yield item
                if self.pending:
                    break
            else:
                self.ended = True
                return


class Iteration:
    """A stream's iteration under way.

    Attributes:
        resumed: the state that it went on from, if any.
    """

    def __init__(
        self, items: Rows | Items, state: Callable[[], State], resumed: State | None
    ) -> None:
        self._items, self.state, self.resumed = items, state, resumed
        self._began = None if resumed is None else state()

    @property
    def ended(self) -> bool:
        """Whether its last item was given."""
        return self._items.ended

    @property
    def behind(self) -> bool:
        """Whether what it went on from is behind: it gave something since, or ended."""
        return self.ended or (not self._items.pending and self.state() != self._began)

    def seek(self, state: State) -> None:
        """Goes on from another state, of the same stream and consumer."""
        self._items.seek(state.place if state.cursor is None else state.cursor)
        self.resumed, self._began = state, None
