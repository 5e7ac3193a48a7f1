"""Circles among things that wait for each other, broken at the weakest links. Pure, without recursion.

Links are taken in one after the other, the strongest first, while an order of all things is kept in which each link
leads onwards; a link that would close a circle of stronger ones is left out (the order is that of Pearce and Kelly,
"A dynamic topological sort algorithm for directed acyclic graphs").
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

Link = tuple[str, str]

# How many links may be looked at before every link that leads backwards in the order counts as one that closes a
# circle: a second or two. What is more tangled than that, nobody has written on purpose.
_BUDGET = 5_000_000


def has_circle(links: Sequence[Link]) -> bool:
    """Whether things are linked in a circle, in whatever order the links come."""
    return bool(_tangled(links))


def closing(links: Sequence[Link]) -> list[Link]:
    """The links without which no circle is left; each of them is the weakest one of a circle.

    + links: the strongest first; a thing that is linked to itself is a circle, too

    .. code:: python

        closing([("A", "B"), ("B", "C"), ("C", "A")])  # [("C", "A")]
    """
    tangled = _tangled(links)
    if not tangled:
        return []
    order = _Order(_onwards(tangled))
    return [link for link in tangled if not order.takes(*link)]


def _tangled(links: Sequence[Link]) -> list[Link]:
    """The links that may be part of a circle: without those of whatever nothing leads to, or that leads to nothing."""
    left = list(dict.fromkeys(links))
    for end in (1, 0):
        held: defaultdict[str, int] = defaultdict(int)
        others: defaultdict[str, list[str]] = defaultdict(list)
        for link in left:
            held[link[end]] += 1
            others[link[1 - end]].append(link[end])
        free = [name for name in others if not held[name]]
        for name in free:
            for other in others[name]:
                held[other] -= 1
                if not held[other]:
                    free.append(other)
        gone = set(free)
        left = [link for link in left if link[0] not in gone and link[1] not in gone]
    return left


def _onwards(links: Iterable[Link]) -> list[str]:
    """The things in an order in which most links lead onwards already: each after what is seen from it, reversed."""
    after: defaultdict[str, list[str]] = defaultdict(list)
    for first, then in links:
        after[first].append(then)
    found: list[str] = []
    seen: set[str] = set()
    for start in list(after):
        if start in seen:
            continue
        seen.add(start)
        way: list[tuple[str, Iterator[str]]] = [(start, iter(after[start]))]
        while way:
            name, others = way[-1]
            unseen = next((each for each in others if each not in seen), None)
            if unseen is None:
                found.append(name)
                way.pop()
            else:
                seen.add(unseen)
                way.append((unseen, iter(after.get(unseen, ()))))
    return found[::-1]


class _Order:
    """An order of things in which every link that was taken leads onwards."""

    def __init__(self, names: Sequence[str]) -> None:
        self._place = {name: place for place, name in enumerate(names)}
        self._after: defaultdict[str, list[str]] = defaultdict(list)
        self._before: defaultdict[str, list[str]] = defaultdict(list)
        self._budget = _BUDGET

    def takes(self, first: str, then: str) -> bool:
        """Take the link from ``first`` to ``then``, unless it would close a circle of those that were taken."""
        place = self._place
        if place[first] >= place[then] and not self._moved(first, then):
            return False
        self._after[first].append(then)
        self._before[then].append(first)
        return True

    def _moved(self, first: str, then: str) -> bool:
        """Whether what stands between the two could be moved so that ``first`` comes before ``then``."""
        place = self._place
        low, high = place[then], place[first]
        onwards = self._reached(then, self._after, lambda name: place[name] <= high)
        if onwards is None or first in onwards:
            return False
        backwards = self._reached(first, self._before, lambda name: place[name] >= low)
        if backwards is None:
            return False
        moved = sorted(backwards, key=place.__getitem__) + sorted(onwards, key=place.__getitem__)
        places = sorted(place[name] for name in moved)
        place.update(zip(moved, places, strict=True))
        return True

    def _reached(self, start: str, ways: Mapping[str, list[str]], within: Callable[[str], bool]) -> set[str] | None:
        """What is reached from ``start``; None when looking has cost too much."""
        reached = {start}
        waiting = [start]
        while waiting:
            others = ways.get(waiting.pop(), ())
            self._budget -= 1 + len(others)
            if self._budget < 0:
                return None
            for other in others:
                if other not in reached and within(other):
                    reached.add(other)
                    waiting.append(other)
        return reached
