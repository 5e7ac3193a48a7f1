"""What holds because of what was: flapping, limits, tries, backoff, and what an incident is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from miyabi.gate import Fleet, Storm, TargetHistory, Try, exhausted_level, incident_tries
from miyabi.gate_rules import Rules
from miyabi.levels import Level
from tests.gate.asking import LENIENT, NOW, ask, seen, tried

LIMITED = replace(LENIENT, restarts_per_hour=5)
TRIED = replace(LENIENT, tries=3)
BACKOFF = replace(LENIENT, backoff_first=10.0, backoff_longest=300.0)


def _wait(history: TargetHistory, rules: Rules, rule: str, now: float = NOW, **changes: object) -> float:
    """How long a rule holds; 0 when nothing does."""
    decision = ask(changes, history=history, rules=rules, now=now)
    assert decision.rule in {rule, ""}
    return 0 if decision.again_at is None else decision.again_at - now


def test_four_tries_leave_room_for_a_fifth() -> None:
    assert _wait(TargetHistory(tries=tried(40, 30, 20, 10)), LIMITED, "limit") == 0


def test_five_tries_within_an_hour_hold_until_long_after_the_last() -> None:
    assert _wait(TargetHistory(tries=tried(3500, 3000, 2000, 1000, 10)), LIMITED, "limit") == 3590


def test_the_hour_needs_room_as_well() -> None:
    rules = replace(LIMITED, retry_after=60.0)
    assert _wait(TargetHistory(tries=tried(3500, 3000, 2000, 1000, 70)), rules, "limit") == 100
    assert _wait(TargetHistory(tries=tried(3600, 3000, 2000, 1000, 70)), rules, "limit") == 0


def test_then_one_is_let_through_and_no_more() -> None:
    used_up = tried(3900, 3800, 3700, 3650, 3600)
    assert _wait(TargetHistory(tries=used_up), LIMITED, "limit") == 0
    assert _wait(TargetHistory(tries=(*used_up, *tried(10))), LIMITED, "limit") == 3590


def test_an_incident_that_is_over_leaves_the_hour_alone_to_count() -> None:
    """Healthy for ten minutes, an hour later: all five again."""
    used_up = tried(9000, 8990, 8980, 8970, 8960)
    assert _wait(TargetHistory(seen("xx...........x", 300), (*used_up, *tried(10))), LIMITED, "limit") == 0
    just_now = tried(1500, 1490, 1480, 1470, 1460, restored=True)
    assert _wait(TargetHistory(seen("x....x", 300), just_now), LIMITED, "limit") == 3600 - 1460


def test_climbing_counts_and_is_counted() -> None:
    assert (
        _wait(TargetHistory(tries=tried(50, 40, 30, 20, 10)), LIMITED, "limit", climbing=True, level=Level.L2) == 3590
    )


def test_three_tries_of_a_level() -> None:
    used_up = TargetHistory(tries=tried(3000, 2000, 1000))
    assert _wait(TargetHistory(tries=tried(2000, 1000)), TRIED, "tries") == 0
    assert _wait(used_up, TRIED, "tries") == 2600
    assert _wait(used_up, TRIED, "tries", level=Level.L2) == 0
    assert _wait(used_up, TRIED, "tries", level=Level.L2, climbing=True) == 0
    assert _wait(used_up, TRIED, "tries", climbing=True) == 2600
    assert _wait(used_up, TRIED, "tries", now=NOW + 2600) == 0
    assert _wait(TargetHistory(tries=tried(3000, 2000, 1000, level=None)), TRIED, "tries", level=None) == 2600


def test_tries_of_an_incident_that_is_over_count_no_more() -> None:
    assert _wait(TargetHistory(seen("x...x", 300), tried(1500, 1400, 1300)), TRIED, "tries") == 0


@pytest.mark.parametrize(
    ("level", "last", "words"),
    [
        (Level.L1, Level.L3, "3 tries of L1 did not last, L2 is next"),
        (Level.L3, Level.L3, "3 tries of L3 did not last, one more is let through later"),
        (Level.L2, None, "3 tries of L2 did not last, one more is let through later"),
        (None, None, "3 tries of repairing it did not last, one more is let through later"),
    ],
)
def test_what_comes_after_the_tries(level: Level | None, last: Level | None, words: str) -> None:
    history = TargetHistory(tries=tried(3000, 2000, 1000, level=level))
    assert ask({"level": level, "last_level": last}, history=history, rules=TRIED).reason == words


def test_the_highest_level_that_is_used_up() -> None:
    rules = Rules()
    ones, twos = tried(900, 800, 700), tried(890, 790, 690, level=Level.L2)
    assert exhausted_level(TargetHistory(), rules, NOW) is None
    assert exhausted_level(TargetHistory(tries=ones[:2]), rules, NOW) is None
    assert exhausted_level(TargetHistory(tries=ones), rules, NOW) is Level.L1
    both = tuple(sorted((*ones, *twos), key=lambda each: each.at))
    assert exhausted_level(TargetHistory(tries=both), rules, NOW) is Level.L2
    assert exhausted_level(TargetHistory(tries=twos), rules, NOW) is Level.L2
    assert exhausted_level(TargetHistory(seen("x.......x", 300), tried(2400, 2399, 2398)), rules, NOW) is None


def test_a_single_try_is_not_wasted_on_a_level_that_did_not_hold() -> None:
    """Five within an hour, and from now on one each hour: at the level above those that failed."""
    climbed = (*tried(900), *tried(890, level=Level.L2), *tried(880, level=Level.L3, restored=True))
    assert exhausted_level(TargetHistory(tries=climbed), Rules(), NOW) is None
    again = (*climbed, *tried(300), *tried(290, level=Level.L2))
    assert exhausted_level(TargetHistory(tries=again), Rules(), NOW) is Level.L2
    lasted_not = tried(1900, 1800, restored=True) + tried(1700, 1600, 1500, level=None, restored=True)
    assert exhausted_level(TargetHistory(tries=lasted_not), Rules(), NOW) is None


@pytest.mark.parametrize(
    ("tries", "least", "most"), [(1, 8, 12), (2, 16, 24), (3, 32, 48), (5, 128, 192), (6, 240, 360), (40, 240, 360)]
)
def test_the_pause_doubles_with_each_try(tries: int, least: float, most: float) -> None:
    history = TargetHistory(tries=tried(*[0.0] * tries))
    waits = {_wait(history, BACKOFF, "backoff", host=f"h{number}") for number in range(100)}
    assert least <= min(waits) < max(waits) <= most
    # All that failed together don't come back together.
    assert len(waits) > 90
    assert max(waits) - min(waits) > (most - least) * 0.8


def test_the_pause_is_counted_from_the_last_try() -> None:
    history = TargetHistory(tries=tried(12.1))
    assert _wait(history, BACKOFF, "backoff") == 0
    wait = _wait(TargetHistory(tries=tried(0)), BACKOFF, "backoff")
    assert _wait(TargetHistory(tries=tried(5)), BACKOFF, "backoff") == pytest.approx(wait - 5)
    assert _wait(TargetHistory(tries=tried(0)), BACKOFF, "backoff", now=NOW + wait) == 0
    assert _wait(TargetHistory(tries=tried(0)), BACKOFF, "backoff", climbing=True) == 0


# Looks every 5 minutes, the tries some seconds ago, and how many of these are of the incident.
INCIDENTS = [
    ("x", (), 0),
    ("xx", tried(300), 1),
    ("xxx", tried(600, 300), 2),
    ("x.x", tried(600, restored=True), 1),
    # A try that held is a look that found it well: 10 minutes of that.
    ("x..x", tried(899, restored=True), 1),
    ("x..x", tried(900, restored=True), 0),
    # One that did not hold is none.
    ("x..x", tried(900), 1),
    ("x..x", tried(900, restored=None), 1),
    ("x...x", tried(1200), 0),
    ("x...xx", (*tried(1500), *tried(300)), 1),
    # Damaged in between: the ten minutes begin anew.
    ("x..x..x", tried(1800), 1),
    ("x..x...x", tried(2100), 0),
    ("...", tried(900), 0),
]


@pytest.mark.parametrize(("pattern", "tries", "count"), INCIDENTS)
def test_what_an_incident_is(pattern: str, tries: tuple[Try, ...], count: int) -> None:
    assert len(incident_tries(TargetHistory(seen(pattern, 300), tries), Rules(), NOW)) == count


def test_a_gap_without_any_look_is_no_health() -> None:
    night = 8 * 3600.0
    restored = tried(night, restored=True)
    assert len(incident_tries(TargetHistory(seen("xx", night), restored), Rules(), NOW)) == 1
    # Well before and after it: half of what is needed, and one look more makes it whole.
    looks = ((NOW - night - 5, True), (NOW - 600, False), (NOW, True))
    assert len(incident_tries(TargetHistory(looks, restored), Rules(), NOW)) == 1
    more = ((NOW - night - 5, True), (NOW - 600, False), (NOW - 300, False), (NOW, True))
    assert len(incident_tries(TargetHistory(more, restored), Rules(), NOW)) == 0


def test_who_looks_once_an_hour_sees_incidents_end_too() -> None:
    assert len(incident_tries(TargetHistory(seen("x...x", 3600), tried(4 * 3600)), Rules(), NOW)) == 0


FLAPPING = replace(LENIENT, flapping_start=30.0, flapping_stop=20.0)


@pytest.mark.parametrize(
    ("pattern", "holds"),
    [
        ("x", False),
        ("x.x", False),
        # Five changes, the latest: 29.9 %.
        ("x.x.x", False),
        ("x.x.x.x", True),
        ("x" * 40, False),
        # It flapped, and still changes too much; it flapped, and has been damaged ever since.
        ("x.x.x.x" + "x" * 8, True),
        ("x.x.x.x" + "x" * 15, True),
        ("x.x.x.x" + "x" * 16, False),
    ],
)
def test_what_flaps_is_left_as_it_is(pattern: str, holds: bool) -> None:
    decision = ask(history=TargetHistory(seen(pattern)), rules=FLAPPING)
    assert (decision.rule, decision.allowed) == (("flapping", False) if holds else ("", True))


def test_flapping_says_how_much_and_ends() -> None:
    history = TargetHistory(seen("x.x.x.x", 60, NOW - 600))
    decision = ask(history=history, rules=FLAPPING)
    assert "41 % changes" in decision.reason
    assert decision.again_at == NOW - 600 + 3600
    assert ask(history=history, rules=FLAPPING, now=NOW + 3000).allowed


# What a human lets through: `miyabi resume`.
RESUMED = TargetHistory(seen("x.x.x.x.x.x"), tried(50, 40, 30, 20, 10), resumed_at=NOW - 5)
STORM = Fleet(storms=(Storm("", frozenset({("mugen", "work:main.kaede")}), NOW - 9),))
BROKEN = Fleet(breakers={"host mugen": (5, NOW - 9)})


def test_it_lets_through_once() -> None:
    held = replace(RESUMED, resumed_at=None)
    assert not ask(history=held, rules=Rules()).allowed
    for fleet in (Fleet(), STORM, BROKEN):
        assert ask(history=RESUMED, fleet=fleet, rules=Rules()).allowed
        again = replace(RESUMED, tries=(*RESUMED.tries, Try(NOW - 1, Level.L1, restored=False)))
        assert not ask(history=again, fleet=fleet, rules=Rules()).allowed


def test_it_needs_no_confirmation() -> None:
    history = TargetHistory(seen("x"), resumed_at=NOW - 1)
    assert ask(history=history, rules=Rules(seen=2, seen_of=3)).allowed


def test_it_does_not_wait_for_ever() -> None:
    late = NOW + 3600
    assert not ask(history=RESUMED, fleet=Fleet(breakers={"host mugen": (5, late - 9)}), now=late).allowed


def test_people_and_doubt_are_no_limit_to_lift() -> None:
    for changes in ({"unknown": "why"}, {"draft": "x"}, {"watched_at": NOW}):
        assert not ask(changes, history=RESUMED).allowed


def test_one_of_the_future_forgets_nothing() -> None:
    """The clock was set back since: what was tried then must count."""
    assert not ask(history=replace(RESUMED, resumed_at=NOW + 5), rules=Rules()).allowed


# What was written before the clock was set back.
def test_a_try_of_the_future_is_one_of_now() -> None:
    history = TargetHistory(seen("x"), tried(-700))
    wait = _wait(history, BACKOFF, "backoff")
    assert wait == _wait(TargetHistory(seen("x"), tried(0)), BACKOFF, "backoff")


def test_a_clock_that_was_set_back_a_little_makes_no_try_old() -> None:
    history = TargetHistory(seen("x" * 60), tried(-0.3))
    assert _wait(history, BACKOFF, "backoff") == _wait(TargetHistory(tries=tried(0)), BACKOFF, "backoff")


def test_no_rule_holds_longer_than_it_can() -> None:
    """An hour back, right after five tries."""
    history = TargetHistory(seen("xxxxx", 60, NOW + 3600), tried(-3360, -3420, -3480, -3540, -3600))
    for rules in (LIMITED, TRIED, BACKOFF, FLAPPING, Rules()):
        assert (ask(history=history, rules=rules).again_at or NOW) <= NOW + 3600


def test_a_year_ahead_holds_for_no_year() -> None:
    """It was looked at since, which tells how long ago the clock was set right."""
    year = 365 * 86400.0
    looks = (*seen("xxxxx", 60, NOW + year), *seen("xx", 300))
    tries = tried(*[-year - age for age in (240, 180, 120, 60, 0)])
    assert _wait(TargetHistory(looks, tries), LIMITED, "limit") == 3300
    assert _wait(TargetHistory(looks, tries), LIMITED, "limit", now=NOW + 3300) == 0
    # The looks of then are forgotten, the tries are not.
    assert _wait(TargetHistory(seen("x" * 60, 30), tries), LIMITED, "limit") == 3600 - 59 * 30


def test_what_was_written_later_was_not_earlier() -> None:
    """A try that seems an hour old was made after one that seems five minutes old."""
    history = TargetHistory(tries=(Try(NOW - 300, Level.L1), Try(NOW - 3700, Level.L1)))
    assert len(incident_tries(history, Rules(), NOW)) == 2
