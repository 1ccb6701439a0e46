"""Attributes that are computed when they are first asked for."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

if not TYPE_CHECKING:

    class cached_property:  # noqa: N801 - the name of the class that it stands for
        """As `functools.cached_property` is from Python 3.12 on: without a lock.

        That of Python 3.11 has one for all objects. A process that is forked while another thread
        holds it would wait for that thread, which it does not have. Two threads may compute a value
        twice; the one that is kept is as good as the other.
        """

        def __init__(self, make):
            self.func, self.__doc__ = make, make.__doc__

        def __set_name__(self, owner, name):
            self._name = name

        def __get__(self, of, owner=None):
            if of is None:
                return self
            return of.__dict__.setdefault(self._name, self.func(of))


__all__ = ["cached_property"]
