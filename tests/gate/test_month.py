"""A month of a fleet of 50 hosts that breaks all the time, left alone with the gate."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from math import inf
from statistics import median

import pytest

from miyabi.gate import Pause
from miyabi.gate_rules import Rules
from miyabi.levels import Level
from tests.gate.month import DAY, EVERY, HOUR, MINUTE, Done, Fault, Kind, Name, Subject, World

pytestmark = pytest.mark.slow

START = 1_800_000_000.0
DAYS = 30
HOSTS = tuple(f"h{number:02}" for number in range(50))
TARGETS = ("work:main.a", "work:main.b", "work:review.a", "server mcp")

# Hours after the start at which the clock is set, and by how much.
CLOCK = {310: HOUR, 340: -HOUR, 400: -HOUR, 450: HOUR, 500: -7 * MINUTE}

# From the second day on: agents that crash for ever, one that lives for 20 minutes, and such that are good and bad by
# themselves.
CRASHING: tuple[Name, ...] = (("h01", TARGETS[0]), ("h02", TARGETS[1]), ("h03", TARGETS[2]))
CRASHING_SLOWLY: Name = ("h04", TARGETS[0])
COMING_AND_GOING: tuple[Name, ...] = (("h05", TARGETS[0]), ("h06", TARGETS[1]))
SPECIAL = {*CRASHING, CRASHING_SLOWLY, *COMING_AND_GOING}

PAUSED, PAUSED_FROM, PAUSED_TO = "h07", START + 5 * DAY, START + 5.5 * DAY
SILENT, SILENT_FROM, SILENT_TO = "h08", START + 6 * DAY, START + 6.2 * DAY

# A host on which nothing holds for half a day.
BROKEN, BROKEN_FROM, BROKEN_TO = "h09", START + 8 * DAY, START + 8.5 * DAY

# What heals by itself alone, and by which level.
HEALS = (*[Level.L1] * 7, *[Level.L2] * 2, Level.L3)


@dataclass(frozen=True)
class Outage:
    """Many targets damaged at once, whom nothing brings back before its end."""

    since: float
    until: float
    targets: int
    causes: tuple[str, ...]


OUTAGES = (
    Outage(START + 200 * HOUR, START + 200 * HOUR + 40 * MINUTE, 60, ("api-error",)),
    Outage(START + 600 * HOUR, START + 600 * HOUR + 25 * MINUTE, 200, ("network", "disk-full", "memory-low")),
)


@pytest.fixture(scope="module", params=[1, 2])
def month(request: pytest.FixtureRequest) -> World:
    """The world after its month."""
    chance = random.Random(request.param)  # noqa: S311 - the same month each time
    subjects = {(host, target): Subject() for host in HOSTS for target in TARGETS}
    world = World(HOSTS, Rules(), chance, subjects)
    for number in range(int(DAYS * DAY / EVERY)):
        true = START + number * EVERY
        _break(world, true, chance)
        world.offset = sum(by for hours, by in CLOCK.items() if true >= START + hours * HOUR)
        world.pauses = (Pause(PAUSED, "", PAUSED_TO, "a demo"),) if PAUSED_FROM <= true < PAUSED_TO else ()
        world.silent = {SILENT} if SILENT_FROM <= true < SILENT_TO else set()
        world.run(true)
    return world


def _break(world: World, true: float, chance: random.Random) -> None:
    """What breaks at this moment."""
    if chance.random() < 0.35:
        name = chance.choice([*world.subjects])
        cause = f"failed: exit {chance.randrange(1, 200)}"
        if name not in SPECIAL:
            world.strike(name, Fault("once", cause, true, chance.choice(HEALS)))
    for host, since in ((PAUSED, PAUSED_FROM), (SILENT, SILENT_FROM)):
        if true == since + EVERY:
            world.strike((host, TARGETS[0]), Fault("once", "oom", true))
    if true == START + DAY:
        for number, name in enumerate(sorted(SPECIAL)):
            kind: Kind = "coming and going" if name in COMING_AND_GOING else "crashing"
            lives = 20 * MINUTE if name == CRASHING_SLOWLY else 40.0
            world.strike(name, Fault(kind, f"failed: exit {200 + number}", true, until=inf, lives=lives))
    _break_together(world, true, chance)


def _break_together(world: World, true: float, chance: random.Random) -> None:
    if true == BROKEN_FROM:
        for target in TARGETS:
            world.strike((BROKEN, target), Fault("common", "missing", true, until=BROKEN_TO))
    for outage in OUTAGES:
        if true == outage.since:
            free = [name for name in world.subjects if name not in SPECIAL]
            for name in chance.sample(free, min(outage.targets, len(free))):
                cause = chance.choice(outage.causes)
                world.strike(name, Fault("common", cause, true, until=outage.until))


def _by_target(done: Iterable[Done]) -> dict[Name, list[float]]:
    moments: defaultdict[Name, list[float]] = defaultdict(list)
    for each in done:
        moments[each.name].append(each.at)
    return moments


def test_no_loop(month: World) -> None:
    """In any hour five tries on one target; once more where the clock was set forward, which looks like time."""
    forward = [START + hours * HOUR for hours, by in CLOCK.items() if by > 0]
    for moments in _by_target(month.done).values():
        for number, first in enumerate(moments):
            within = [at for at in moments[number:] if at - first < HOUR - 60]
            jumps = sum(first < at <= within[-1] for at in forward)
            assert len(within) <= 5 * (1 + jumps)


def test_what_crashes_for_ever_is_tried_once_an_hour(month: World) -> None:
    moments = _by_target(month.done)
    for name in CRASHING:
        assert 20 * (DAYS - 2) < len(moments[name]) < 25 * (DAYS - 1)


def test_what_comes_and_goes_is_mostly_left_alone(month: World) -> None:
    moments = _by_target(month.done)
    for name in (*COMING_AND_GOING, CRASHING_SLOWLY):
        assert 0 < len(moments[name]) < 40 * (DAYS - 1)


def test_nothing_is_done_where_nothing_may_be(month: World) -> None:
    for host, since, until in ((PAUSED, PAUSED_FROM, PAUSED_TO), (SILENT, SILENT_FROM, SILENT_TO)):
        assert not [each for each in month.done if each.name[0] == host and since <= each.at < until]
        [healed] = [
            at for name, fault, at in month.healed if name == (host, TARGETS[0]) and fault.since == since + EVERY
        ]
        assert until <= healed < until + 2 * EVERY


@pytest.mark.parametrize("outage", OUTAGES, ids=["one cause", "the whole fleet"])
def test_no_storm_is_amplified(month: World, outage: Outage) -> None:
    """Nothing while it cools down, then one climb at a time until one holds."""
    [(seen, storm)] = [each for each in month.storms_seen if outage.since <= each[0] < outage.until + HOUR]
    assert seen == outage.since
    assert len(storm.targets) >= outage.targets * 0.8
    during = [each for each in month.done if each.name in storm.targets and outage.since <= each.at < outage.until]
    assert not [each for each in during if each.at < outage.since + 300]
    climbs = (outage.until - outage.since) / 300
    assert len({each.name for each in during}) <= climbs
    assert 0 < len(during) <= 3 * climbs


@pytest.mark.parametrize("outage", OUTAGES, ids=["one cause", "the whole fleet"])
def test_after_a_storm_all_are_well_again(month: World, outage: Outage) -> None:
    times = [at - outage.until for _, fault, at in month.healed if fault.until == outage.until]
    assert len(times) >= outage.targets * 0.8
    assert median(times) <= 3 * EVERY
    assert max(times) <= 3 * HOUR


def test_a_host_on_which_nothing_holds_is_left_alone(month: World) -> None:
    """All of its targets together: five recoveries that did not hold, then one each half an hour."""
    tries = [each for each in month.done if each.name[0] == BROKEN and BROKEN_FROM <= each.at < BROKEN_TO]
    climbs = len({(each.at - START) // EVERY for each in tries if each.level is Level.L1})
    assert len(tries) <= 3 * 5 + 3 * 24
    assert climbs <= 5 + 24
    times = [at - BROKEN_TO for _, fault, at in month.healed if fault.until == BROKEN_TO]
    assert len(times) == len(TARGETS)
    assert max(times) <= 2 * HOUR


def test_there_was_no_other_storm(month: World) -> None:
    assert [at for at, _ in month.storms_seen] == [outage.since for outage in OUTAGES]


def test_what_can_be_healed_is_healed(month: World) -> None:
    apart = [(PAUSED_FROM, PAUSED_TO), (SILENT_FROM, SILENT_TO), *[(each.since, each.until) for each in OUTAGES]]
    times = [
        at - fault.since
        for _, fault, at in month.healed
        if fault.kind == "once" and not any(since - HOUR <= fault.since < until + HOUR for since, until in apart)
    ]
    assert len(times) > 2000
    assert median(times) < EVERY
    assert max(times) <= 2 * HOUR
    end = START + DAYS * DAY
    left = [each.fault for name, each in month.subjects.items() if name not in SPECIAL and each.fault is not None]
    assert not [fault for fault in left if fault.since < end - 2 * HOUR]


def test_never_more_than_a_quarter_of_the_hosts_is_disturbed(month: World) -> None:
    runs = Counter({(each.at - START) // EVERY: 0 for each in month.done})
    for run, _ in {((each.at - START) // EVERY, each.name[0]) for each in month.done if each.disturbs}:
        runs[run] += 1
    assert 1 <= max(runs.values()) <= 13


def test_the_month_had_something_of_everything(month: World) -> None:
    assert {"pause", "breaker", "flapping", "limit", "tries", "storm"} <= month.held.keys()
