"""Where a repair begins, by what has held so far: at the next level, where the first one mostly has not. Pure.

It only chooses the level that the gate is asked for. A level is passed over when it was tried often enough and hardly
ever held, and the next one was tried, too, and mostly did. Nothing is lifted by more than one level, and no pane beyond
the level that rebuilds its window around what lives in it. Now and then the first level is tried all the same, so that
what was learned can be unlearned.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from zlib import crc32

from miyabi.drift import Drift, Target
from miyabi.figures import Learned
from miyabi.levels import Level

# Seconds of the past that count.
LOOK_BACK = 30 * 86400.0

# A level is passed over from so many tries on, of which less than this share held,
LEAST_TRIES = 5
HARDLY = 0.2
# when the next one has had so many, of which more than this share held.
LEAST_ABOVE = 3
MOSTLY = 0.6

# Of so many repairs one begins at the first level in any case.
EXPLORED = 10

# The highest level that each kind of damage may begin at: a pane's window is rebuilt around the healthy ones, and no
# more than that.
HIGHEST: Mapping[str, Level] = {
    "pane-missing": Level.L2,
    "pane-dead": Level.L2,
    "agent-exited": Level.L2,
    "window-missing": Level.L3,
}


@dataclass(frozen=True, slots=True)
class Start:
    """At which level a repair begins, and why not below.

    + reason: such as ``starts at L2: L1 held in 1 of 8 earlier tries``
    """

    level: Level
    reason: str


def start_of(kind: str, own: Level, cause: str, learned: Iterable[Learned], max_level: Level) -> Start | None:
    """The level that the repair of a damage begins at, when that is another than its own; None when it is not.

    + kind: of the drift
    + own: the lowest level that can repair it
    + cause: of it, by name
    + learned: what came of earlier tries
    + max_level: the last level that the host's recovery may use
    """
    above, highest = own.next, HIGHEST.get(kind)
    if above is None or highest is None or above > min(highest, max_level):
        return None
    past = {each.level: each for each in learned if (each.kind, each.cause) == (kind, cause)}
    below, next_one = past.get(own.name), past.get(above.name)
    if below is None or next_one is None or below.tries < LEAST_TRIES or next_one.tries < LEAST_ABOVE:
        return None
    if below.restored >= HARDLY * below.tries or next_one.restored <= MOSTLY * next_one.tries:
        return None
    return Start(above, f"starts at {above.name}: {own.name} held in {below.restored} of {below.tries} earlier tries")


def explores(run: str, host: str, target: Target) -> bool:
    """Whether a run begins at the first level all the same; the same run always says the same."""
    return crc32(f"{run}\0{host}\0{target}".encode(errors="surrogatepass")) % EXPLORED == 0


def lifted(drifts: Iterable[Drift], starts: Mapping[Target, Start]) -> tuple[Drift, ...]:
    """The drifts with the levels that their repair begins at; what is beyond that already stays as it is."""
    return tuple(_lifted(drift, starts.get(drift.target)) for drift in drifts)


def _lifted(drift: Drift, start: Start | None) -> Drift:
    # Of one target there may be another drift, such as that it has not got its name yet.
    if start is None or drift.level >= start.level or drift.kind not in HIGHEST:
        return drift
    return replace(drift, level=start.level, reason=f"{drift.reason}; {start.reason}")
