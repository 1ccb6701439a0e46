"""The steps of a plan that run in Python, in the thread that iterates, one step a file.

The core does everything before the first of them. They are users' functions on rows, and changes of
batches. Each step creates a node over the node before it. A node yields items, and its `state` says
where it is: the state of the node before it at its last boundary, and the number of items yielded
since. So a resume is exact, and no state contains rows.
"""

from rowstream.ops.apply import Call
from rowstream.ops.base import Node, Step
from rowstream.ops.cut import Every, Skip, Take
from rowstream.ops.decode import Decode
from rowstream.ops.map import Filter, FlatMap, Map
from rowstream.ops.project import As, Project
from rowstream.ops.rebatch import Rebatch
from rowstream.ops.repeat import Repeat
from rowstream.ops.shuffle import Shuffle

__all__ = [
    "As",
    "Call",
    "Decode",
    "Every",
    "Filter",
    "FlatMap",
    "Map",
    "Node",
    "Project",
    "Rebatch",
    "Repeat",
    "Shuffle",
    "Skip",
    "Step",
    "Take",
]
