"""How the gate holds: what a spec and the fleet's file may set, with the defaults. Durations are seconds. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Rules:
    """What holds for the targets of one host, from its spec's ``gate``.

    + backoff_first, backoff_longest: the pause after the first try of an incident, doubling up to the longest
    + healthy_after: how long a target must be healthy until its incident is over and all is forgotten
    + tries: how often a level may be tried in one incident before the next one has its turn
    + restarts_per_hour: tries on one target within any hour
    + retry_after: when the last is used up, after how long one more is let through
    + flapping_start, flapping_stop: percent of state changes (the latest weigh most) at which a target begins to flap,
      and at which it has stopped
    + seen, seen_of: a drift counts when it was seen in ``seen`` of the last ``seen_of`` looks
    + presence: how long after its last key a human who looks at a window keeps it from being touched; 0 is never
    + breaker_failures: recoveries of the host in a row that did not hold, until it is left alone for ``breaker_open``
    """

    backoff_first: float = 10.0
    backoff_longest: float = 300.0
    healthy_after: float = 600.0
    tries: int = 3
    restarts_per_hour: int = 5
    retry_after: float = 3600.0
    flapping_start: float = 30.0
    flapping_stop: float = 20.0
    seen: int = 1
    seen_of: int = 1
    presence: float = 120.0
    breaker_failures: int = 5
    breaker_open: float = 1800.0


@dataclass(frozen=True, slots=True)
class FleetRules:
    """What holds for the fleet together, from inventory/fleet.yaml.

    + max_unavailable: how many hosts may be disturbed at the same time: a number, or percent of the hosts, rounded up
    + is_percent: which of the two
    + storm_hosts: percent of the hosts that are damaged at once, from which it is a storm
    + storm_least: and how many these must be at least
    + storm_targets: targets with one cause at once, from which it is a storm
    + storm_cooldown: how long the restarts are held then
    + lease: how long a recovery holds its host at most
    """

    max_unavailable: float = 25.0
    is_percent: bool = True
    storm_hosts: float = 50.0
    storm_least: int = 5
    storm_targets: int = 5
    storm_cooldown: float = 300.0
    lease: float = 600.0


@dataclass(frozen=True, slots=True)
class FleetFile:
    """What inventory/fleet.yaml says.

    + state: the folder of the memory; None is miyabi's own in the user's state folder
    + history_url: a database as SQLAlchemy names it; None is a SQLite file in that folder
    + keep: how long history is kept, in seconds
    + monitoring: what ``miyabi.monitoring.monitoring_of`` reads; {} is all by default
    """

    rules: FleetRules = field(default_factory=FleetRules)
    state: str | None = None
    history_url: str | None = None
    keep: float = 90 * 86400.0
    monitoring: Mapping[str, Any] = field(default_factory=dict)
