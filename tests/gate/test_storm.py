"""When much damage at once is a storm, and when it is over."""

from __future__ import annotations

from dataclasses import replace

import pytest

from miyabi.gate import Storm
from miyabi.gate_rules import FleetRules
from miyabi.storm import CALM_CAUSES, find_storms, with_canary
from tests.gate.asking import NOW

RULES = FleetRules()

Damage = dict[str, list[tuple[str, str]]]


def _damage(hosts: int, cause: str = "", each: int = 1, first: int = 0) -> Damage:
    """Damage on so many hosts, by one cause or each by its own."""
    return {
        f"h{number}": [(f"s:w.{pane}", cause or f"failed: exit {number}") for pane in range(each)]
        for number in range(first, first + hosts)
    }


def _well(damage: Damage) -> Damage:
    return {host: [] for host in damage}


def _targets(damage: Damage) -> frozenset[tuple[str, str]]:
    return frozenset((host, target) for host, found in damage.items() for target, _ in found)


@pytest.mark.parametrize(
    ("damaged", "hosts", "is_storm"),
    [(0, 10, False), (4, 8, False), (5, 10, True), (5, 11, False), (6, 11, True), (5, 5, True), (24, 50, False)],
)
def test_too_many_hosts(damaged: int, hosts: int, is_storm: bool) -> None:
    damage = _damage(damaged)
    expected = (Storm("", _targets(damage), NOW),) if is_storm else ()
    assert find_storms(damage, hosts, (), RULES, NOW) == expected


@pytest.mark.parametrize(("targets", "is_storm"), [(4, False), (5, True), (6, True)])
def test_one_cause(targets: int, is_storm: bool) -> None:
    damage = {"h": [(f"s:w.{number}", "api-error") for number in range(targets)], "i": [("s:w.0", "oom")]}
    found = find_storms(damage, 50, (), RULES, NOW)
    assert [(each.cause, len(each.targets)) for each in found] == ([("api-error", targets)] if is_storm else [])


def test_many_hosts_by_one_cause_are_one_storm() -> None:
    [storm] = find_storms(_damage(10, "network", each=3), 10, (), RULES, NOW)
    assert (storm.cause, len(storm.targets)) == ("network", 30)


def test_what_is_damaged_for_a_reason_of_its_own_stays_apart() -> None:
    damage = {**_damage(9, "network", each=2), **_damage(3, first=20)}
    [storm] = find_storms(damage, 20, (), RULES, NOW)
    assert (storm.cause, len(storm.targets)) == ("network", 18)


def test_many_hosts_by_several_causes_are_one_storm() -> None:
    damage = {**_damage(5, "network", each=2), **_damage(5, "disk-full", each=2, first=5)}
    assert [each.cause for each in find_storms(damage, 10, (), RULES, NOW)] == [""]


@pytest.mark.parametrize("cause", sorted(CALM_CAUSES))
def test_what_takes_everything_with_it_is_no_storm(cause: str) -> None:
    assert find_storms(_damage(10, cause, each=5), 10, (), RULES, NOW) == ()


def test_a_storm_goes_on_until_little_of_it_is_left() -> None:
    damage = _damage(8, "api-error")
    [storm] = find_storms(damage, 50, (), RULES, NOW)
    smaller = {**_well(damage), **_damage(5, "oom")}
    [later] = find_storms(smaller, 50, [storm], RULES, NOW + 900)
    assert later == Storm("api-error", _targets(_damage(5)), NOW)
    assert find_storms({**_well(damage), **_damage(4, "oom")}, 50, [later], RULES, NOW + 1000) == ()


def test_a_host_that_nobody_has_looked_at_is_not_well() -> None:
    damage = _damage(6, "api-error")
    [storm] = find_storms(damage, 50, (), RULES, NOW)
    [later] = find_storms({"h0": damage["h0"]}, 50, [storm], RULES, NOW + 60)
    assert later.targets == storm.targets


def test_what_comes_while_it_is_at_its_worst_joins() -> None:
    [storm] = find_storms(_damage(5, "api-error"), 50, (), RULES, NOW)
    more = {**_damage(7, "api-error"), "x": [("s:w.0", "oom")]}
    [joined] = find_storms(more, 50, [storm], RULES, NOW + 299)
    assert (len(joined.targets), joined.since) == (7, NOW)
    [apart] = find_storms(more, 50, [storm], RULES, NOW + 300)
    assert len(apart.targets) == 5
    # While its canaries fail, the same cause is still at work.
    [joined] = find_storms(more, 50, [replace(storm, canary=("h0", "s:w.0", NOW + 300))], RULES, NOW + 400)
    assert len(joined.targets) == 7


@pytest.mark.parametrize("cause", ["", "api-error"])
def test_a_second_wave_is_a_storm_of_its_own(cause: str) -> None:
    """What an old storm has left does not let the new one through."""
    left = _damage(5, "api-error")
    old = Storm(cause, _targets(left), NOW - 86400, ("h9", "s:w.0", NOW - 80000), canary_holds=True)
    found = find_storms({**_damage(9, "api-error", each=2), "h9": []}, 10, [old], RULES, NOW)
    assert [(len(each.targets), each.since) for each in found] == [(6, old.since), (13, NOW)]


def test_what_never_gets_well_keeps_no_storm_alive() -> None:
    """Five agents that crash for ever were damaged when a storm began: it takes in nothing that comes a day later."""
    for_ever = _damage(5)
    old = Storm("", _targets(for_ever), NOW - 86400, ("h0", "s:w.0", NOW - 400))
    found = find_storms({**for_ever, "h7": [("s:w.0", "oom")]}, 50, [old], RULES, NOW)
    assert [each.targets for each in found] == [_targets(for_ever)]


def test_a_storm_of_the_future_goes_on() -> None:
    """The clock was set back: what was tried last, before it or since, goes first."""
    damage = _damage(6, "api-error")
    [storm] = find_storms(damage, 50, [Storm("api-error", _targets(damage), NOW + 3600)], RULES, NOW)
    assert storm.targets == _targets(damage)
    assert with_canary(storm, {("h0", "s:w.0"): NOW - 5}, damage, NOW - 10, RULES).canary == ("h0", "s:w.0", NOW - 5)


def test_its_canary_stays_the_proof_for_those_that_wait() -> None:
    damage = _damage(9, "api-error")
    storm = Storm("api-error", _targets(damage), NOW - 900, ("h8", "s:w.0", NOW - 300), canary_holds=True)
    left = {**_well(damage), **_damage(5, "api-error")}
    [later] = find_storms(left, 50, [storm], RULES, NOW)
    assert later.targets == {*_targets(_damage(5)), ("h8", "s:w.0")}
    assert with_canary(later, {("h8", "s:w.0"): NOW - 300}, left, NOW, RULES).canary_holds


# Which target was tried first after the cool-down.
DAMAGED = _damage(6, "api-error")
COOLED = Storm("api-error", _targets(DAMAGED), NOW - 400)
FIRST, SECOND = ("h0", "s:w.0"), ("h1", "s:w.0")


def _found(tried: dict[tuple[str, str], float], damage: Damage | None = None) -> Storm:
    return with_canary(COOLED, tried, DAMAGED if damage is None else damage, NOW - 10, RULES)


def test_what_was_tried_before_it_cooled_down_is_none() -> None:
    assert _found({FIRST: NOW - 200}) == COOLED


def test_it_is_not_proved_by_an_earlier_look() -> None:
    storm = _found({FIRST: NOW - 5}, {**DAMAGED, "h0": []})
    assert (storm.canary, storm.canary_holds) == ((*FIRST, NOW - 5), False)


def test_it_is_proved_by_a_later_look() -> None:
    storm = _found({FIRST: NOW - 50}, {**DAMAGED, "h0": []})
    assert (storm.canary, storm.canary_holds) == ((*FIRST, NOW - 50), True)


def test_it_is_damaged_again() -> None:
    storm = _found({FIRST: NOW - 50})
    assert (storm.canary, storm.canary_holds) == ((*FIRST, NOW - 50), False)


def test_a_host_that_is_silent_since_proves_nothing() -> None:
    storm = _found({FIRST: NOW - 50}, {host: each for host, each in DAMAGED.items() if host != "h0"})
    assert (storm.canary, storm.canary_holds) == ((*FIRST, NOW - 50), False)


def test_those_who_follow_it_do_not_take_its_place() -> None:
    """Once it holds, all may go through, not one after the other."""
    storm = _found({FIRST: NOW - 50, SECOND: NOW - 5}, {**DAMAGED, "h0": []})
    assert (storm.canary, storm.canary_holds) == ((*FIRST, NOW - 50), True)


def test_after_one_that_failed_comes_the_next() -> None:
    storm = _found({FIRST: NOW - 50, SECOND: NOW - 5})
    assert (storm.canary, storm.canary_holds) == ((*SECOND, NOW - 5), False)


def test_what_lost_its_last_words_belongs_to_the_storm_around_it() -> None:
    told = [(f"s:w.p{number}", "api-error") for number in range(5)]
    silent = [("s:w.p5", "failed: exit 1"), ("s:w.p6", "failed: exit 1")]
    [storm] = find_storms({"a": [*told, *silent, ("s:w.p7", "disk-full")]}, 1, (), FleetRules(), NOW)
    assert (storm.cause, len(storm.targets)) == ("api-error", 7)
    assert ("a", "s:w.p7") not in storm.targets
    [later] = find_storms({"a": [*told, ("s:w.p8", "failed: exit 1")]}, 1, [storm], FleetRules(), NOW + 10)
    assert ("a", "s:w.p8") in later.targets
    two = [(f"s:w.q{number}", "usage-limit") for number in range(5)]
    assert all(len(each.targets) == 5 for each in find_storms({"a": [*told, *two, *silent]}, 1, (), FleetRules(), NOW))
