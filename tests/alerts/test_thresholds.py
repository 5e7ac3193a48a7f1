"""Thresholds: what has passed one, what has not, and what nobody can tell."""

from __future__ import annotations

from typing import Any

import pytest

from miyabi.alert_rules import Threshold
from miyabi.records import Observation, Recovered
from miyabi.thresholds import is_due, measure

DISK = Threshold("disk_used", 85, 95)
MEMORY = Threshold("memory_available", 10, 5)
LOAD = Threshold("load_per_processor", 4, 8)
AGENTS = Threshold("agents_down", 25, 75)
HOSTS = Threshold("hosts_unreachable", 30, 60)
RATE = Threshold("success_rate", 90, 70)


def seen(host: str = "mugen", health: Any = "healthy", **values: Any) -> Observation:
    return Observation(event=host, run="r", at=0.0, host=host, health=health, **values)


def told(threshold: Threshold, *observations: Observation, **more: Any) -> list[str]:
    """Each answer: ``HIGH mugen disk`` for a verdict, ``well mugen disk`` for what is well."""
    found = measure([threshold], observations, now=1000.0, **more)
    wrong = [f"{each.severity} {each.host} {each.target}" for each in found.verdicts]
    return wrong + [f"well {host} {target}" for host, target in sorted(found.healthy)]


def agents(*states: str) -> Observation:
    return seen(fleet=True, agents={f"s:w.{n}": state for n, state in enumerate(states)})


@pytest.mark.parametrize(
    ("threshold", "observation", "answer"),
    [
        (DISK, seen(disk_used=84.9), ["well mugen disk"]),
        (DISK, seen(disk_used=85), ["MEDIUM mugen disk"]),
        (DISK, seen(disk_used=95), ["HIGH mugen disk"]),
        (DISK, seen(), []),
        (Threshold("disk_used", None, 95), seen(disk_used=94), ["well mugen disk"]),
        (MEMORY, seen(memory_available=10), ["well mugen memory"]),
        (MEMORY, seen(memory_available=9.9), ["MEDIUM mugen memory"]),
        (MEMORY, seen(memory_available=0), ["HIGH mugen memory"]),
        (LOAD, seen(load=15.9), ["well mugen load"]),
        (LOAD, seen(load=16), ["MEDIUM mugen load"]),
        (LOAD, seen("pixel", load=99), []),
        (AGENTS, agents("running", "running", "running", "dead"), ["MEDIUM mugen agents"]),
        (AGENTS, agents("dead", "missing", "exited", "running"), ["HIGH mugen agents"]),
        (AGENTS, agents("running", "waiting", "unknown", "unknown"), ["well mugen agents"]),
        (AGENTS, agents("unknown"), []),
        (AGENTS, agents(), []),
    ],
)
def test_of_one_host(threshold: Threshold, observation: Observation, answer: list[str]) -> None:
    assert told(threshold, observation, processors={"mugen": 4}) == answer


def test_hosts_that_cannot_be_reached_are_told_together() -> None:
    hosts = [seen(f"h{n}", "unreachable" if n < 3 else "healthy") for n in range(9)]
    (verdict,) = measure([HOSTS], hosts, now=0).verdicts
    assert verdict.summary == "3 of 9 hosts cannot be reached; warning from 30 %"
    assert verdict.covers == ("h0", "h1", "h2")


def test_hosts_that_may_be_away_do_not_count() -> None:
    assert told(HOSTS, seen("a", "asleep"), seen("b"), seen("c")) == ["well  hosts unreachable"]
    assert told(HOSTS, seen("a", "unreachable")) == []


def recovery(at: float, outcome: Any, target: object = "t") -> Recovered:
    made = {"event": f"{at}", "run": "r", "at": at, "host": "h", "target": f"{target}"}
    return Recovered(level="L1", does="restore", outcome=outcome, seconds=1, **made)  # type: ignore[arg-type]


def test_the_success_rate_is_taken_of_enough_and_of_the_time() -> None:
    recent = [recovery(-100.0, "restored" if number < 6 else "failed", number) for number in range(10)]
    old = [recovery(-90000.0, "failed", number) for number in range(50)]
    (verdict,) = measure([RATE], [], [*recent, *old], now=0).verdicts
    assert (verdict.severity, verdict.target) == ("HIGH", "success rate")
    assert verdict.summary == "6 of 10 repaired targets held in the last 24 h; critical below 70 %"
    assert measure([RATE], [], recent[:4], now=0).verdicts == ()
    assert measure([RATE], [], recent[:4], now=0).healthy == frozenset()
    # One target that fails all the time is one; what came of it last counts.
    one = [recovery(-200.0 + number, "failed", 1) for number in range(50)]
    assert measure([RATE], [], one, now=0).verdicts == ()
    assert measure([RATE], [], [*one, *recent[:6]], now=0).verdicts == ()


@pytest.mark.parametrize(
    ("now", "previous", "due"),
    [(10, None, True), (299, 1, False), (300, 299, True), (900, 10, True), (100, 5000, True)],
)
def test_each_is_judged_once_in_its_time(now: float, previous: float | None, due: bool) -> None:
    assert is_due(300.0, now, previous) is due
    found = measure([DISK], [seen(disk_used=99)], now=now, previous=previous)
    assert bool(found.verdicts) is due
    assert found.healthy == frozenset()
