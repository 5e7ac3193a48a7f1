"""Short ways to ask the gate in tests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from miyabi.gate import Decision, Fleet, Pause, Request, TargetHistory, Try, decide
from miyabi.gate_rules import FleetRules, Rules
from miyabi.levels import Level

NOW = 1_800_000_000.0

REQUEST = Request(host="mugen", target="work:main.kaede", does="restore", level=Level.L1, last_level=Level.L3)

# Rules under which nothing but what a test is about holds.
LENIENT = Rules(backoff_first=0.001, backoff_longest=0.001, tries=50, restarts_per_hour=50, flapping_start=100.1)


def ask(
    changes: Mapping[str, Any] | None = None,
    *,
    history: TargetHistory | None = None,
    fleet: Fleet | None = None,
    rules: Rules = LENIENT,
    now: float = NOW,
) -> Decision:
    """What the gate says to a restore of one pane.

    + changes: what is different about the request
    """
    request = replace(REQUEST, **dict(changes or {}))
    return decide(request, history or TargetHistory(), fleet or Fleet(), rules, now)


def tried(*ages: float, level: Level | None = Level.L1, restored: bool | None = False) -> tuple[Try, ...]:
    """Tries so many seconds ago."""
    return tuple(Try(NOW - age, level, restored) for age in ages)


def seen(pattern: str, every: float = 60.0, until: float = NOW) -> tuple[tuple[float, bool], ...]:
    """Looks, the last one at ``until``: ``x`` found it damaged, ``.`` found it well."""
    first = until - every * (len(pattern) - 1)
    return tuple((first + every * number, letter == "x") for number, letter in enumerate(pattern))


def paused(target: str = "", host: str = "mugen", after: float = 100.0) -> Fleet:
    """A fleet with one pause, which ends so many seconds after now."""
    return Fleet(pauses=(Pause(host, target, NOW + after, "a demo", NOW - 10),))


def fleet_rules(**changes: Any) -> FleetRules:
    """The fleet's rules with some that differ."""
    return replace(FleetRules(), **changes)
