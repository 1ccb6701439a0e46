"""The order in slow, plain Python: the oracle of the core, which must give the same rows at the same places.

An **order** is lanes; a lane is pieces one after another; a piece is a list of rows. Row `k` of lane `v` has the turn
`(k, v)`, and one consumer sees rows by increasing turn. A transform gives another order. Nothing here reads files: a
row is `(piece, row of it)`. The generator is that of the core (`rust/core/src/rng.rs`), so orders are equal, not only
alike.
"""

from __future__ import annotations

import json
from collections import Counter
from functools import cache
from itertools import islice

FINE = 16
END = (2**62, 0)
PIECES, WINDOW = 1, 2
_WORD = 2**64 - 1


class Rng:
    """SplitMix64, keyed."""

    def __init__(self, *key: int) -> None:
        self.state = len(key)
        for word in key:
            self.state = self._mix(((self.state ^ word) + 0x9E3779B97F4A7C15) & _WORD)

    @staticmethod
    def _mix(z: int) -> int:
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _WORD
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _WORD
        return z ^ (z >> 31)

    def below(self, n: int) -> int:
        self.state = (self.state + 0x9E3779B97F4A7C15) & _WORD
        return self._mix(self.state) * n >> 64

    def shuffled(self, items) -> list:
        items = list(items)
        for i in range(len(items) - 1, 0, -1):
            j = self.below(i + 1)
            items[i], items[j] = items[j], items[i]
        return items


def golden(i: int, n: int) -> int:
    return (i * 2654435769 % 2**32) * n >> 32


@cache
def ranks(lanes: int) -> tuple[int, ...]:
    order = sorted(range(lanes), key=lambda v: v * 2654435769 % 2**32)
    return tuple(sorted(range(lanes), key=order.__getitem__))


# --------------------------------------------------------------------------------------------------------------- orders


class Order:
    """`lanes[v]`: pieces; `ahead[v]`: rows of lane v that a skip left out; `sizes[piece]`: its bytes."""

    lanes: list[list[int]]
    ahead: list[int]
    sizes: list[int]

    def rows(self, piece: int) -> list:
        raise NotImplementedError

    def pieces(self) -> int:
        return sum(map(len, self.lanes))

    def keep(self, row) -> bool:
        """A row filter. It moves no position: positions count rows before it."""
        return True

    def shares(self, v: int, q: int, n: int, of: int) -> list[int]:
        """Who of `of` consumers has each of the n rows that are left of the q-th piece of lane v."""
        if self.is_whole(v, of):
            return [self.whole(v, q, of)] * n
        lanes, u = len(self.lanes), ranks(len(self.lanes))[v]
        return [(u * of + golden(k + q, of)) // lanes for k in range(n)]

    def is_whole(self, v: int, of: int) -> bool:
        """Whether a consumer has whole pieces of lane v: there are many, or the lane is one consumer's."""
        lanes, u = len(self.lanes), ranks(len(self.lanes))[v]
        return self.pieces() >= FINE * of or u * of // lanes == (u * of + of - 1) // lanes

    def whole(self, v: int, q: int, of: int) -> int:
        """Who of `of` consumers has the q-th piece of lane v."""
        lanes, u = len(self.lanes), ranks(len(self.lanes))[v]
        return (u * of + golden(q, of)) // lanes

    def owned(self, c: int, of: int) -> list[int]:
        lanes = len(self.lanes)
        return [
            v
            for v, u in enumerate(ranks(lanes))
            if c * lanes // of <= u < -(-(c + 1) * lanes // of)
        ]

    def left(self, base: dict, v: int, q: int) -> list:
        """Rows of the q-th piece of lane v that earlier runs did not deliver."""
        rows = self.rows(self.lanes[v][q])
        for of, at in base.get(v, []):
            seen, kept = Counter(), []
            for row, c in zip(rows, self.shares(v, q, len(rows), of), strict=True):
                seen[c] += 1
                if (q, seen[c]) > at.get(c, (0, 0)):
                    kept.append(row)
            rows = kept
        return rows


class Listing(Order):
    """File order: one lane. `subset`: `("shard", of, index, contiguous)`, of pieces, or `("stride", of, index)`, of rows."""

    def __init__(self, counts, sizes, subset=None):
        self.counts, self.sizes, pieces = counts, sizes, list(range(len(counts)))
        self.chosen = [[(piece, row) for row in range(n)] for piece, n in enumerate(counts)]
        if subset and subset[0] == "shard":
            _, of, index, contiguous = subset
            pieces = (
                pieces[slice(*ends(len(pieces), of, index))] if contiguous else pieces[index::of]
            )
        elif subset:
            _, of, index = subset
            before = 0
            for piece, rows in enumerate(self.chosen):
                self.chosen[piece] = rows[(index - before) % of :: of]
                before += len(rows)
        self.lanes, self.ahead = [pieces], [0]

    def rows(self, piece):
        return self.chosen[piece]


def ends(n: int, of: int, index: int) -> tuple[int, int]:
    """Where the `index`-th of `of` runs of n begins and ends: the longer ones first."""
    size, more = divmod(n, of)
    return tuple(i * size + min(i, more) for i in (index, index + 1))


class Shuffled(Order):
    """Pieces permuted and dealt to lanes by bytes; rows permuted in windows that never cross a piece."""

    def __init__(self, source, lanes, buffer, seed, epoch, number):
        self.source, self.sizes, self.keep, self.key = (
            source,
            source.sizes,
            source.keep,
            (seed, epoch, number),
        )
        pieces = Rng(*self.key, PIECES).shuffled(p for lane in source.lanes for p in lane)
        count = max(1, min(lanes, len(pieces)))
        self.lanes, self.ahead, load = [[] for _ in range(count)], [0] * count, [0] * count
        for piece in pieces:
            v = load.index(min(load))
            self.lanes[v].append(piece)
            load[v] += self.sizes[piece]
        self.window = max(1, buffer // count)

    @cache  # noqa: B019
    def rows(self, piece):
        rows, size, out = sorted(self.source.rows(piece)), self.window, []
        for w, first in enumerate(range(0, len(rows), size)):
            out += Rng(*self.key, WINDOW, piece, w).shuffled(rows[first : first + size])
        return out


class Cut(Order):
    """The rows whose turn is in lo … hi."""

    def __init__(self, source, lo=(0, 0), hi=END):
        self.source, self.sizes, self.keep, self.lanes, self.ahead = (
            source,
            source.sizes,
            source.keep,
            source.lanes,
            [],
        )
        self.part = {}
        for v, lane in enumerate(source.lanes):
            k = source.ahead[v]
            self.ahead.append(max(k, lo[0] + (v < lo[1])))
            for piece in lane:
                rows = source.rows(piece)
                self.part[piece] = [row for i, row in enumerate(rows, k) if lo <= (i, v) < hi]
                k += len(rows)

    def pieces(self):
        return sum(map(bool, self.part.values()))

    def rows(self, piece):
        return self.part[piece]


class Part(Order):
    """What consumer c of `of` has, as an order of its own: its lanes with its pieces, and of those that are shared its rows."""

    def __init__(self, source, c, of):
        self.source, self.sizes, self.keep = source, source.sizes, source.keep
        self.lanes, self.ahead, self.part = [], [], {}
        for v in sorted(source.owned(c, of)):
            self.lanes.append([])
            self.ahead.append(source.ahead[v])
            for q, piece in enumerate(source.lanes[v]):
                rows = source.rows(piece)
                shares = source.shares(v, q, len(rows), of)
                if source.is_whole(v, of) and source.whole(v, q, of) != c:
                    continue
                self.part[piece] = [
                    row for row, owner in zip(rows, shares, strict=True) if owner == c
                ]
                self.lanes[-1].append(piece)
        if not self.lanes:
            self.lanes, self.ahead = [[]], [0]

    def pieces(self):
        return sum(map(bool, self.part.values()))

    def rows(self, piece):
        return self.part[piece]


def boundary(order: Order, n: int) -> tuple[int, int]:
    """The turn after the first n rows that one consumer sees, by reading them."""
    if n == 0:
        return (0, 0)
    consumer = Consumer(order, 0, 1, {}, filtered=False)
    taken = sum(1 for _ in islice(consumer, n))
    if taken < n or next(iter(consumer), None) is None:
        return END
    return (consumer.turn_before[0], consumer.turn_before[1] + 1)


CHOOSING = ("take", "skip", "shard", "stride", "part")


def resolved(counts, sizes, max_lanes, ops, number=0) -> list:
    """The transforms with shards as what they are: some of the pieces where those are balanced to one row, else rows.

    A shard is chosen among what is there before any shuffle that no cut comes after.
    """
    out = []
    for op in ops:
        if op[0] != "shard":
            out.append(op)
            continue
        _, of, index, contiguous = op
        last = max((i + 1 for i, other in enumerate(out) if other[0] in CHOOSING), default=0)
        head, tail = out[:last], out[last:]
        every = [
            sum(counts[slice(*ends(len(counts), of, i))] if contiguous else counts[i::of])
            for i in range(of)
        ]
        if not head and len(counts) >= of and max(every) - min(every) <= 1:
            out = [op, *tail]
        elif not head and not contiguous:
            out = [("stride", of, index), *tail]
        else:
            start, end = ends(
                len(whole(build(counts, sizes, max_lanes, head, 0, number))), of, index
            )
            out = [*head, ("skip", start, number), ("take", end - start, number), *tail]
    return out


def build(counts, sizes, max_lanes, ops, epoch=0, number=0) -> Order:
    """The order after `ops`: `("shuffle", seed, buffer)`, `("take", n)`, `("skip", n)`, `("shard", of, index, contiguous)`,
    `("part", of, index)`.

    A cut is chosen in epoch 0 and its own pass; another epoch or pass permutes within what it chose.
    """
    ops = resolved(counts, sizes, max_lanes, ops, number)
    cuts = [i for i, op in enumerate(ops) if op[0] in ("take", "skip")]
    again = None
    if cuts:
        i = cuts[-1]
        name, n, *chosen = ops[i]
        chosen = chosen[0] if chosen else 0
        source = build(counts, sizes, max_lanes, ops[:i], 0, chosen)
        at = boundary(source, n)
        order: Order = Cut(source, hi=at) if name == "take" else Cut(source, lo=at)
        rest = ops[i + 1 :]
        earlier = [op for op in ops[:i] if op[0] == "shuffle"]
        if (
            earlier
            and (epoch, number) != (0, chosen)
            and not any(op[0] == "shuffle" for op in rest)
        ):
            again = earlier[-1]
    else:
        rest = ops
        order = Listing(
            counts, sizes, next((op for op in ops if op[0] in ("shard", "stride")), None)
        )
    for op in [*rest, *([again] if again else [])]:
        if op[0] == "shuffle":
            order = Shuffled(order, max_lanes, op[2], op[1], epoch, number)
        if op[0] == "part":
            order = Part(order, op[2], op[1])
    return order


# ------------------------------------------------------------------------------------------------------------ consumers


class Consumer:
    """Consumer c of `of` over what `base` leaves. at[v] = (piece of the lane, own rows of it, own rows of the lane)."""

    def __init__(self, order, c, of, base, at=(), *, filtered=True):
        self.order, self.c, self.of, self.base, self.filtered = order, c, of, base, filtered
        self.at = dict.fromkeys(order.owned(c, of), (0, 0, 0)) | {v: tuple(a) for v, *a in at}
        self.turn = self.turn_before = (0, 0)

    def cursor(self) -> str:
        return json.dumps([self.c, self.of, [[v, *a] for v, a in self.at.items() if a[2]]])

    def lane(self, v):
        first, done, _ = self.at[v]
        for q in range(first, len(self.order.lanes[v])):
            rows = self.order.left(self.base, v, q)
            own = [
                row
                for row, c in zip(rows, self.order.shares(v, q, len(rows), self.of), strict=True)
                if c == self.c
            ]
            skip = done if q == first else 0
            for k, row in enumerate(own[skip:], skip + 1):
                yield q, k, row

    def __iter__(self):
        live = {v: self.lane(v) for v in self.at}
        ahead = {v: self.order.ahead[v] + a[2] for v, a in self.at.items()}
        while live:
            v = min(live, key=lambda v: (ahead[v], v))
            if (step := next(live[v], None)) is None:
                del live[v]
                continue
            q, k, row = step
            self.turn_before, self.turn = self.turn, (ahead[v], v)
            ahead[v] += 1
            self.at[v] = (q, k, self.at[v][2] + 1)
            if not self.filtered or self.order.keep(row):
                yield row


def resumed(order, base, cursor) -> Consumer:
    c, of, at = json.loads(cursor)
    return Consumer(order, c, of, base, at)


def merge(base, cursors) -> dict:
    """The cursors of all consumers as a base for any other number."""
    parts = [json.loads(cursor) for cursor in cursors]
    of = parts[0][1]
    out = {v: list(layers) for v, layers in base.items()}
    for c, _, at in parts:
        for v, q, k, _ in at:
            layers = out.setdefault(v, [])
            if len(layers) == len(base.get(v, [])):
                layers.append((of, {}))
            layers[-1][1][c] = (q, k)
    return out


def whole(order) -> list:
    return list(Consumer(order, 0, 1, {}))
