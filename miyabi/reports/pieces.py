"""For how long hosts were up and down in several times that overlap, each look asked for once. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

from miyabi import history_figures as figures
from miyabi.availability import fleet_availability
from miyabi.figures import Availability

if TYPE_CHECKING:
    from miyabi.history import History


class Pieces:
    """The availability of hosts between any two of some moments: it is the sum of that of the pieces between them."""

    def __init__(self, history: History, edges: Iterable[float]) -> None:
        self._pieces = [
            (begin, end, figures.availability_of_hosts(history, begin, end))
            for begin, end in pairwise(sorted(set(edges)))
        ]

    def between(self, since: float, until: float) -> dict[str, Availability]:
        """For how long each host that a run has looked at was up and down, by host.

        + since, until: two of the moments
        """
        found: dict[str, list[Availability]] = defaultdict(list)
        for begin, end, each in self._pieces:
            if begin >= since and end <= until:
                for host, seen in each.items():
                    found[host].append(seen)
        sums = {host: fleet_availability(each) for host, each in found.items()}
        # A piece in which nobody looked at a host does not tell of it.
        return {
            host: replace(each, uncounted=max(until - since - each.up - each.down, 0.0)) for host, each in sums.items()
        }
