"""For how long a host was up, down, or neither, and what that leaves of an SLO's error budget. Pure.

Each look of a run at a host holds until the next look at it, whoever takes it, but for no longer than ``LONGEST_LOOK``:
after that nobody knows. What looks follow one another in is the time that they were taken at; of two at the same moment
the one that arrived last counts. So no second counts twice, whatever clocks and other controllers do.

- ``healthy`` is up, and ``unreachable`` is down.
- ``drift`` is down from the look on until the run has proved that all is well again, and up from then on; when it has
  not, the whole look is down.
- ``unknown`` and ``asleep`` count for neither; neither does the time at which nobody has looked, nor that at which a
  host had yet to get what it never had.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from miyabi.figures import Availability, Budget
from miyabi.gate_pauses import is_within
from miyabi.monitoring import Slo

# Seconds for which a look holds at most.
LONGEST_LOOK = 900.0

# The share of a promise's time that must be counted before anything is said of its budget: of a minute in which
# something was down nobody can say what it comes to in a month.
_ENOUGH = 1 / 30


@dataclass(frozen=True, slots=True)
class Proof:
    """What came of one try of a run: as much of ``Recovered`` as decides since when a host is up again."""

    target: str
    restored: bool
    at: float


def proved_at(wrong: Iterable[str], proofs: Sequence[Proof]) -> float | None:
    """When a run had proved that all it found wrong on a host is well again; None when it never had.

    A thing is proved by the last try of it, or of what it is in; a try that failed is made good by a later one that
    held, of the same thing, of what it is in or of what is in it.

    + wrong: the targets that were not as they should be
    + proofs: what came of the run's tries on the host, oldest first
    """
    if not proofs or not all(_is_made_good(place, proofs) for place, each in enumerate(proofs) if not each.restored):
        return None
    held = {each.target for each in proofs if each.restored}
    tried = {each.target for each in proofs}
    if not held or not all(target in tried or any(is_within(target, each) for each in held) for target in wrong):
        return None
    return max(each.at for each in proofs if each.restored)


def _is_made_good(place: int, proofs: Sequence[Proof]) -> bool:
    failed = proofs[place].target
    later = (each.target for each in proofs[place + 1 :] if each.restored)
    return any(is_within(failed, target) or is_within(target, failed) for target in later)


def fleet_availability(each: Iterable[Availability]) -> Availability:
    """That of all hosts together: the sums of theirs."""
    every = tuple(each)
    return Availability(
        up=sum(one.up for one in every),
        down=sum(one.down for one in every),
        uncounted=sum(one.uncounted for one in every),
        asleep=sum(one.asleep for one in every),
    )


def budget_of(seen: Availability, slo: Slo) -> Budget:
    """The error budget that a promise leaves in what was counted.

    + seen: over the promise's own time, ``slo.over``; of several hosts it is their sum
    """
    counted = seen.up + seen.down
    allowed = counted * (100 - slo.availability) / 100
    return Budget(slo.availability, slo.over, allowed, seen.down, is_enough=counted >= slo.over * _ENOUGH)
