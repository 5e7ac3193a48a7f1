"""Storms: too much damage at once, which restarting one thing after the other would only make worse. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from miyabi.gate_rules import FleetRules
from miyabi.gate_types import Storm

# What takes everything with it at once, is a human's doing, or says nothing: all of it has to be brought back.
CALM_CAUSES = frozenset({"closed", "server-lost", "rebooted", "missing", "interrupted", "unknown"})


# From this share of what is damaged it is the work of one cause.
_MOST = 0.75


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
    + earlier: the storms that were known before, each as ``with_canary`` tells it; each goes on, with when it began,
      until what is left of it would make no storm any more
    """
    causes = {(host, target): cause for host, found in damage.items() for target, cause in found}
    counting = {target: cause for target, cause in causes.items() if cause not in CALM_CAUSES}
    lasting: list[Storm] = []
    fresh = counting
    for storm in earlier:
        left = frozenset(each for each in storm.targets if each in causes or each[0] not in damage)
        if len(left) < min(rules.storm_targets, rules.storm_least) or not left & causes.keys():
            continue
        if _takes_in(storm, rules, now):
            left |= {each for each, cause in counting.items() if storm.cause in {"", cause}}
            left |= _silent(counting, left) if storm.cause else set()
        if storm.canary is not None and storm.canary_holds:
            # It is well, and stays the proof for those that still wait.
            left |= {storm.canary[:2]}
        lasting.append(replace(storm, targets=left))
        fresh = {target: cause for target, cause in fresh.items() if target not in left}
    return (*lasting, *_new_storms(fresh, hosts, rules, now))


def _takes_in(storm: Storm, rules: FleetRules, now: float) -> bool:
    """Whether what is damaged now becomes part of a storm: later it would go through on the heels of an old one.

    While one cause is at work it does so for whatever else it damages.
    """
    if now < cooled_at(storm.since, rules, now):
        return True
    return bool(storm.cause) and storm.canary is not None and not storm.canary_holds


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
    storms = {cause for cause, targets in by_cause.items() if len(targets) >= rules.storm_targets}
    damaged = len({host for host, _ in counting})
    if damaged >= rules.storm_least and damaged * 100 >= rules.storm_hosts * hosts:
        # One incident, whatever it looks like in its parts; what is damaged for reasons of its own stays apart.
        most = max(sorted(by_cause), key=lambda cause: len(by_cause[cause]))
        if len(by_cause[most]) <= len(counting) * _MOST:
            return (Storm("", frozenset(counting), now),)
        storms.add(most)
    made = [Storm(cause, frozenset(by_cause[cause]), now) for cause in sorted(storms)]
    if len(made) != 1:
        return tuple(made)
    return (replace(made[0], targets=made[0].targets | _silent(counting, made[0].targets)),)


def _silent(counting: Mapping[tuple[str, str], str], around: Iterable[tuple[str, str]]) -> frozenset[tuple[str, str]]:
    """What ended with a bare exit status on the hosts of a storm: its last words may be lost, and its cause with them.

    Beside many that told why, it is taken for one of them: waiting a little is safer than restarting into a storm.
    """
    hosts = {host for host, _ in around}
    return frozenset(each for each, cause in counting.items() if cause.startswith("failed") and each[0] in hosts)


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
