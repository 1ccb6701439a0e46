"""A running iteration: its items, and how it is moved to another position."""

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
    """The items of the last Python step, from a position on; it can be moved to another.

    Args:
        open: Return the node of the last step at a position.
        place: The position to begin at.
        whole: Whether the process is a worker, so that streams that functions read must not be
            divided among workers.
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
        """Continue after another position."""
        self._node, self._place, self.pending = None, place, True

    def __iter__(self) -> Iterator[Any]:
        """Yield the items that are left, also after a move."""
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
    """A running iteration of a stream.

    Attributes:
        resumed: The state that it resumed at, if any.
    """

    def __init__(
        self, items: Rows | Items, state: Callable[[], State], resumed: State | None
    ) -> None:
        self._items, self.state, self.resumed = items, state, resumed
        self._began = None if resumed is None else state()

    @property
    def ended(self) -> bool:
        """Whether the last item was returned."""
        return self._items.ended

    @property
    def behind(self) -> bool:
        """Whether it returned an item since it resumed, or ended."""
        return self.ended or (not self._items.pending and self.state() != self._began)

    def seek(self, state: State) -> None:
        """Continue from another state, of the same stream and consumer."""
        self._items.seek(state.place if state.cursor is None else state.cursor)
        self.resumed, self._began = state, None
