"""What happened, as the page tells it: incidents, deeds, what recoveries came to. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from miyabi.dashboard.phrasing import share
from miyabi.dashboard.standing import key_of
from miyabi.figures import Deed, IncidentStory, LevelFigures, Overview
from miyabi.records import UPKEEP
from miyabi.severity import SEVERITIES

# Entries of the timeline, and closed incidents, that a page holds at most; `miyabi history` has all.
MOST = 200


@dataclass(frozen=True, slots=True)
class Told:
    """The same deed, done again and again, as one.

    + deed: the last one
    + first_at: when the first one was
    """

    deed: Deed
    first_at: float
    times: int


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of the timeline: an incident with what was done, or a deed that belongs to none."""

    at: float
    key: str
    story: IncidentStory | None
    told: Told | None


@dataclass(frozen=True, slots=True)
class Totals:
    """What all recoveries come to, upkeep aside."""

    tries: int
    restored: int
    failed: int
    first_try: int
    within: int


@dataclass(frozen=True, slots=True)
class CauseShare:
    """How often a cause was the reason.

    + percent: of all
    + width: beside the most frequent one, in percent
    """

    cause: str
    count: int
    percent: float
    width: float


def told_of(deeds: Iterable[Deed]) -> list[Told]:
    """Deeds in their order, with those together that say the same one after the other."""
    found: list[Told] = []
    for deed in deeds:
        last = found[-1] if found else None
        if last is not None and _says(deed) == _says(last.deed):
            found[-1] = Told(deed, last.first_at, last.times + 1)
        else:
            found.append(Told(deed, deed.at, 1))
    return found


def open_of(overview: Overview) -> list[IncidentStory]:
    """The open incidents, the worst first, then the newest."""
    return sorted(overview.open_incidents, key=lambda each: (-SEVERITIES.index(each.severity), -each.opened_at))


def closed_of(overview: Overview) -> list[IncidentStory]:
    """The incidents that are over, those first that ended last."""
    over = [each for each in overview.timeline if each.closed_at is not None]
    return sorted(over, key=lambda each: -(each.closed_at or 0.0))[:MOST]


def entries_of(overview: Overview) -> list[Entry]:
    """The timeline, the newest first: incidents, and deeds that none of them tells of."""
    stories = overview.timeline
    of_incidents = {_mark(deed) for story in stories for deed in story.done}
    others = sorted((each for each in overview.deeds if _mark(each) not in of_incidents), key=lambda each: each.at)
    entries = [Entry(each.opened_at, key_of(each.incident), each, None) for each in stories]
    entries += [Entry(each.deed.at, key_of(f"{each.deed}"), None, each) for each in told_of(others)]
    return sorted(entries, key=lambda each: -each.at)[:MOST]


def totals_of(levels: Iterable[LevelFigures]) -> Totals:
    """All levels together, without upkeep."""
    counted = [each for each in levels if each.level != UPKEEP]
    return Totals(
        sum(each.tries for each in counted),
        sum(each.restored for each in counted),
        sum(each.failed for each in counted),
        sum(each.first_try for each in counted),
        sum(each.within for each in counted),
    )


def causes_of(causes: Mapping[str, int]) -> Sequence[CauseShare]:
    """The causes, the most frequent first."""
    whole, most = sum(causes.values()), max(causes.values(), default=0)
    found = sorted(causes.items(), key=lambda each: (-each[1], each[0]))
    return [CauseShare(cause, count, share(count, whole), share(count, most)) for cause, count in found if count > 0]


def _says(deed: Deed) -> Deed:
    return replace(deed, at=0.0, seconds=None)


def _mark(deed: Deed) -> tuple[float, str, str, str, str]:
    return (deed.at, deed.host, deed.target, deed.level, deed.what)
