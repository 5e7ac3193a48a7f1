"""Storms as a run sees them: too much damage at once, on many hosts or by one cause."""

from __future__ import annotations

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
    incidents = memory.ask_history(lambda history: history.open_incidents(), ())
    earlier = [_with_canary(memory, _as_storm(incident)) for incident in incidents if incident.kind == KIND]
    return find_storms(memory.damage, len(list(state.inventory)), earlier, memory.file.rules, now())


def covered(storm: Storm) -> tuple[str, ...]:
    """The targets of a storm as an incident keeps them: ``HOST TARGET``."""
    return tuple(sorted(f"{host} {target}" for host, target in storm.targets))


def _as_storm(incident: IncidentChanged) -> Storm:
    pairs = (each.partition(" ") for each in incident.covers)
    cause = "" if incident.cause == "unknown" else incident.cause
    return Storm(cause, frozenset((host, target) for host, _, target in pairs), incident.opened_at)


def _with_canary(memory: Memory, storm: Storm) -> Storm:
    """A storm with the last of its targets that was tried after its cool-down."""
    latest: tuple[str, str, float] | None = None
    for host in sorted({host for host, _ in storm.targets}):
        targets = [target for on, target in sorted(storm.targets) if on == host]
        for target, history in memory.histories(host, targets).items():
            latest = _later(latest, host, target, history, storm.since + memory.file.rules.storm_cooldown)
    if latest is None:
        return storm
    damaged = {target for target, _ in memory.damage.get(latest[0], ())}
    return Storm(storm.cause, storm.targets, storm.since, latest, latest[1] not in damaged)


def _later(
    latest: tuple[str, str, float] | None, host: str, target: str, history: TargetHistory, after: float
) -> tuple[str, str, float] | None:
    tries = [each.at for each in history.tries if each.at >= after]
    if not tries or (latest is not None and latest[2] >= tries[-1]):
        return latest
    return host, target, tries[-1]
