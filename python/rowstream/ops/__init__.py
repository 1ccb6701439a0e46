"""Steps of a plan that run in Python, on the thread that pulls, one a file.

What users' functions do to rows is here, and what changes the grouping of batches: everything
before is done by the core. Each step makes a node over the one before it. A node gives items, and
its `state` says where it is: the state of what is before it at its last boundary, and what it gave
since. So a resume goes on exactly, and nothing ever holds rows.
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
