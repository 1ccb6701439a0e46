"""A mixture that resumes with other probabilities, another seed or one more part.

Its parts continue where they were. A state of a mixture says what it was a mixture of. Where
consumers that share a sequence of draws were at different rows, the rows up to the furthest are
drawn as before, so that none is lost or repeated; then the new draws begin.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rowstream.exceptions import CheckpointMismatchError

if TYPE_CHECKING:
    from rowstream.streams.mixture import Mixture


def remixed(place: Any, source: Mixture) -> tuple[Any, Mixture]:
    """Return a place in a mixture as a place in another, and that with as many sequences.

    Raises:
        CheckpointMismatchError: It is not a place in a mixture, or it needs a part that is no
            longer there.
    """
    found = _find(place)
    if found is None:
        raise CheckpointMismatchError(
            "strict=False is for mixtures, by interleave_datasets, whose weights or parts have"
            " changed: the state is of no mixture"
        )
    if "changes" in found["mixture"] or hasattr(source, "changes"):
        raise CheckpointMismatchError(
            "strict=False is for mixtures of interleave_datasets: the weights of one of"
            " mix_datasets are changed by set_weights, and its state has them"
        )
    result = replace(source, lanes=found["mixture"]["sequences"])
    return _changed(place, result), result


def described_in(place: Any) -> dict[str, Any] | None:
    """Return the description of the mixture in a place, or `None` if it has none."""
    found = _find(place)
    return None if found is None else found["mixture"]


def lanes_of(place: Any) -> dict[str, Any]:
    """Return the sequences of the mixture in a place: none if it has no mixture."""
    found = _find(place)
    return {} if found is None else found["lanes"]


def sequences_of(place: Any) -> int | None:
    """Return the number of sequences of the mixture in a place, or `None` if it has none."""
    found = _find(place)
    return None if found is None else int(found["mixture"]["sequences"])


def _find(place: Any) -> dict[str, Any] | None:
    if isinstance(place, dict) and "mixture" in place:
        return place
    parts = place.values() if isinstance(place, dict) else place if isinstance(place, list) else ()
    return next((found for part in parts if (found := _find(part)) is not None), None)


def _changed(place: Any, source: Mixture) -> Any:
    """Return a place with the states of the mixture in it changed to those of another mixture.

    States of mixtures that are its parts stay as they are.
    """
    if isinstance(place, dict) and "mixture" in place:
        return _consumer(place, source)
    if isinstance(place, dict):
        return {name: _changed(part, source) for name, part in place.items()}
    return [_changed(part, source) for part in place] if isinstance(place, list) else place


def _consumer(state: dict[str, Any], source: Mixture) -> dict[str, Any]:
    before = state["mixture"]
    if state.get("of", [0, 1])[1] > max(1, before["sequences"]):
        raise CheckpointMismatchError(
            "a mixture with other weights goes on from the states of all workers and ranks"
            " together: load what merge_state_dicts gives"
        )
    lanes = {}
    for v, (k, layers, j, inner, _, *more) in state["lanes"].items():
        if layers or more:
            # Rows up to the furthest of those that shared the sequence are drawn as they were.
            until = max((most for layer in layers for most in layer[1].values()), default=k)
            lanes[v] = [
                k,
                layers,
                j,
                inner,
                False,
                more[0] if more else {"mixture": before, "until": until},
            ]
            as_it_was(lanes[v][5]["mixture"], source)
        else:
            lanes[v] = [k, [], j, inner and moved(inner, before, source), False]
    return {**state, "lanes": lanes, "mixture": source.described}


def as_it_was(before: dict[str, Any], source: Any) -> Any:
    """Return the mixture of a state, with the parts of the mixture as it is now."""
    keys = source.described["parts"]
    if missing := [i for i, key in enumerate(before["parts"]) if key not in keys]:
        raise CheckpointMismatchError(
            f"part {missing[0]} of the mixture that the state is of is no longer there, and workers"
            " were in the middle of its rows"
        )
    chances = before["probabilities"]
    return replace(
        source,
        parts=tuple(source.parts[i] for i in _places(keys, before["parts"])),
        probabilities=None if chances is None else tuple(chances),
        strategy=before["strategy"],
        seed=before["seed"],
    )


def moved(inner: Any, before: dict[str, Any], source: Any) -> list[Any]:
    """Return the state of a sequence with its parts at their numbers in the new mixture.

    New parts have no state and begin.
    """
    step, ended, parts = inner
    places = _places(before["parts"], source.described["parts"])
    return [
        step,
        [i is not None and ended[i] for i in places],
        [None if i is None else parts[i] for i in places],
    ]


def _places(there: list[str], wanted: list[str]) -> list[Any]:
    """Return the position of each wanted key, or `None`; equal keys have positions of their own."""
    left = dict(enumerate(there))
    places: list[Any] = []
    for key in wanted:
        at = next((i for i, other in left.items() if other == key), None)
        places.append(at)
        if at is not None:
            del left[at]
    return places
