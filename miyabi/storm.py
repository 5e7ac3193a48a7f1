"""Storms: too much damage at once, which restarting one thing after the other would only make worse. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from miyabi.gate_rules import FleetRules
from miyabi.gate_types import Storm

# What takes everything with it at once, is a human's doing, or says nothing: all of it has to be brought back.
CALM_CAUSES = frozenset({"closed", "server-lost", "rebooted", "missing", "interrupted", "unknown"})


def find_storms(
    damage: Mapping[str, Sequence[tuple[str, str]]],
    hosts: int,
    earlier: Iterable[Storm],
    rules: FleetRules,
    now: float,
) -> tuple[Storm, ...]:
    """The storms that there are now: the earlier ones that are not over, and new ones.

    + damage: ``(target, cause)`` of what is damaged, by host; of a host that is not in it nothing is known
    + hosts: how many there are
    + earlier: the storms that were known before; each goes on, with when it began, while one of its targets is damaged
    """
    causes = {(host, target): cause for host, found in damage.items() for target, cause in found}
    counting = {target: cause for target, cause in causes.items() if cause not in CALM_CAUSES}
    lasting: list[Storm] = []
    fresh = counting
    for storm in earlier:
        left = frozenset(each for each in storm.targets if each in causes or each[0] not in damage)
        if not left & causes.keys():
            continue
        joining = {each for each, cause in counting.items() if storm.cause in {"", cause}}
        targets = left | joining if _is_at_its_worst(storm, rules, now) else left
        lasting.append(replace(storm, targets=targets))
        fresh = {target: cause for target, cause in fresh.items() if target not in targets}
    return (*lasting, *_new_storms(fresh, hosts, rules, now))


def _is_at_its_worst(storm: Storm, rules: FleetRules, now: float) -> bool:
    """Whether what is damaged now is part of the storm: later it would go through on the heels of an old one."""
    return not storm.canary_holds and (storm.canary is not None or now < cooled_at(storm.since, rules, now))


def cooled_at(since: float, rules: FleetRules, now: float) -> float:
    """When the cool-down is over that began at ``since``.

    One that begins only later was begun before the clock was set back: by no more than it lasts, or nobody can tell.
    """
    return now if since > now + rules.storm_cooldown else min(since, now) + rules.storm_cooldown


def _new_storms(
    counting: Mapping[tuple[str, str], str], hosts: int, rules: FleetRules, now: float
) -> tuple[Storm, ...]:
    by_cause: defaultdict[str, set[tuple[str, str]]] = defaultdict(set)
    for target, cause in counting.items():
        by_cause[cause].add(target)
    damaged = len({host for host, _ in counting})
    if damaged >= rules.storm_least and damaged * 100 >= rules.storm_hosts * hosts:
        # One incident, whatever it looks like in its parts.
        return (Storm(next(iter(by_cause)) if len(by_cause) == 1 else "", frozenset(counting), now),)
    return tuple(
        Storm(cause, frozenset(targets), now)
        for cause, targets in sorted(by_cause.items())
        if len(targets) >= rules.storm_targets
    )


def with_canary(
    storm: Storm,
    tried: Mapping[tuple[str, str], float],
    damage: Mapping[str, Sequence[tuple[str, str]]],
    looked_at: float,
    rules: FleetRules,
) -> Storm:
    """A storm with the target that was tried first after it had cooled down, and whether that one is well since.

    + tried: when each of its targets was last tried
    + damage: as in ``find_storms``
    + looked_at: when that was seen; what was tried later is not proved by it
    """
    after = {
        each: at
        for each, at in tried.items()
        if each in storm.targets and (at >= storm.since + rules.storm_cooldown or storm.since > looked_at)
    }
    seen = [(at, each) for each, at in after.items() if at < looked_at and each[0] in damage]
    if seen:
        at, (host, target) = max(seen)
        if target not in {each for each, _ in damage[host]}:
            return replace(storm, canary=(host, target, at), canary_holds=True)
    latest = max(((at, each) for each, at in after.items()), default=None)
    canary = None if latest is None else (*latest[1], latest[0])
    return replace(storm, canary=canary, canary_holds=False)
