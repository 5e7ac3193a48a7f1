"""Storms as a run sees them: too much damage at once, on many hosts or by one cause."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from miyabi.gate import Storm, TargetHistory
from miyabi.records import IncidentChanged
from miyabi.storm import find_storms
from operations.memory import Memory, now

if TYPE_CHECKING:
    from pyinfra.api import State

KIND = "storm"


def storms_of(memory: Memory, state: State) -> tuple[Storm, ...]:
    """The storms that are known now: those that an earlier run has met, and what this one sees."""
    incidents = memory.ask_history(lambda history: history.open_incidents()) or ()
    hosts = [host.name for host in state.inventory]
    earlier = [_with_canary(memory, _as_storm(incident, hosts)) for incident in incidents if incident.kind == KIND]
    return find_storms(memory.damage, len(hosts), earlier, memory.file.rules, now())


def after_try(storms: tuple[Storm, ...], host: str, target: str, cooldown: float) -> tuple[Storm, ...]:
    """The storms after a try on one of their targets: the others wait for what comes of it."""
    return tuple(
        replace(storm, canary=(host, target, now()), canary_holds=False)
        if (host, target) in storm.targets and not storm.canary_holds and storm.since + cooldown <= now()
        else storm
        for storm in storms
    )


def _as_storm(incident: IncidentChanged, hosts: Iterable[str]) -> Storm:
    named = ((host, name) for name in incident.covers for host in hosts if name.startswith(f"{host}:"))
    targets = frozenset((host, name[len(host) + 1 :]) for host, name in named)
    return Storm("" if incident.cause == "unknown" else incident.cause, targets, incident.opened_at)


def _with_canary(memory: Memory, storm: Storm) -> Storm:
    """A storm with the last of its targets that was tried after its cool-down."""
    latest: tuple[str, str, float] | None = None
    for host in sorted({host for host, _ in storm.targets}):
        targets = [target for on, target in sorted(storm.targets) if on == host]
        for target, history in memory.histories(host, targets).items():
            latest = _later(latest, host, target, history, storm.since + memory.file.rules.storm_cooldown)
    if latest is None:
        return storm
    seen = memory.damage.get(latest[0])
    # As long as nobody has looked, nobody knows.
    holds = seen is not None and latest[1] not in {target for target, _ in seen}
    return replace(storm, canary=latest, canary_holds=holds)


def _later(
    latest: tuple[str, str, float] | None, host: str, target: str, history: TargetHistory, after: float
) -> tuple[str, str, float] | None:
    tries = [each.at for each in history.tries if each.at >= after]
    if not tries or (latest is not None and latest[2] >= tries[-1]):
        return latest
    return host, target, tries[-1]
